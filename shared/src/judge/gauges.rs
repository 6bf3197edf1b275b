//! Gauges: how many of the last minutes were beyond the threshold.

use jiff::Timestamp;

use super::judgement::{GaugeVerdict, Verdict};
use super::observations::{Direction, GaugeReading, GaugeRule, Missing};

/// How many values are kept for a spark line.
pub(super) const RECENT_MAX: usize = 30;

/// Counts the bad minutes among the last N. A missing minute counts as one that could have been bad, unless the rule says that
/// it means nothing.
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
    let window = values.iter().rev().take(of as usize).flatten();
    let (mut present, mut breaching, mut worst) = (0_u32, 0_u32, None);
    for &value in window {
        present += 1;
        breaching += u32::from(is_bad(rule, value));
        worst = Some(worst.map_or(value, |worst| worse(rule.bad, worst, value)));
    }
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
