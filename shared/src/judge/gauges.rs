//! Gauges: how many minutes of a row were beyond the threshold.

use jiff::Timestamp;

use super::judgement::{GaugeVerdict, Verdict};
use super::observations::{Direction, GaugeReading, GaugeRule, Missing};

/// How many values are kept for a spark line.
pub(super) const RECENT_MAX: usize = 30;

/// Counts the bad minutes among any N in a row, because more minutes than one may have passed since the last look; and if
/// they do not fail, among the last N. There a missing minute counts as one that could have been bad, unless the rule says
/// that it means nothing.
pub(super) fn read(reading: &GaugeReading) -> GaugeVerdict {
    let rule = &reading.rule;
    let mut values: Vec<(Timestamp, Option<f64>)> = reading.values.clone();
    values.sort_by_key(|(start, _)| *start);
    let values: Vec<Option<f64>> =
        values.into_iter().map(|(_, value)| value.filter(|value| value.is_finite())).collect();
    let recent = values.get(values.len().saturating_sub(RECENT_MAX)..).unwrap_or_default().to_vec();

    // A rule that asks for no bad minute, or for more than it looks at, means one and all of them.
    let of = rule.of.max(1);
    let datapoints = rule.datapoints.clamp(1, of);
    let length = (of as usize).min(values.len().max(1));
    let rows = values.windows(length).map(|row| Row::of(rule, row));
    let failing = rows.filter(|row| row.breaching >= datapoints).max_by_key(|row| row.breaching);
    let last = values.get(values.len().saturating_sub(length)..).unwrap_or_default();
    let Row { present, breaching, worst } = failing.unwrap_or_else(|| Row::of(rule, last));
    let could_be_bad = match rule.missing {
        Missing::Inconclusive => breaching + (of - present),
        Missing::Ok => breaching,
    };
    let verdict = if breaching >= datapoints {
        Verdict::Fail
    } else if could_be_bad >= datapoints {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    };
    let rule = GaugeRule { datapoints, of, ..rule.clone() };
    GaugeVerdict { rule, verdict, breaching, present, worst, recent }
}

/// Minutes in a row.
struct Row {
    present: u32,
    breaching: u32,
    worst: Option<f64>,
}

impl Row {
    fn of(rule: &GaugeRule, minutes: &[Option<f64>]) -> Self {
        let mut row = Self { present: 0, breaching: 0, worst: None };
        for &value in minutes.iter().flatten() {
            row.present += 1;
            row.breaching += u32::from(is_bad(rule, value));
            row.worst = Some(row.worst.map_or(value, |worst| worse(rule.bad, worst, value)));
        }
        row
    }
}

fn is_bad(rule: &GaugeRule, value: f64) -> bool {
    match rule.bad {
        Direction::Above => value > rule.threshold,
        Direction::Below => value < rule.threshold,
    }
}

fn worse(bad: Direction, one: f64, other: f64) -> f64 {
    match bad {
        Direction::Above => one.max(other),
        Direction::Below => one.min(other),
    }
}
