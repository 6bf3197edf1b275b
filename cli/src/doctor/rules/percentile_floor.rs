//! `percentile-floor`: a percentile of so few requests that it is noise.

use super::{About, Scope};
use crate::doctor::alarm::{Alarm, Metric};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;

pub(super) const ABOUT: About = About {
    id: "percentile-floor",
    title: "a percentile is taken of too few requests",
    why: "Below 10 / (1 - p) samples in a period a percentile is little more than the slowest request, says \
          CloudWatch's own documentation: 200 samples for p95, 1,000 for p99. Such an alarm fires by chance.",
    scope: Scope::Template(check),
};

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    survey.alarms.iter().filter_map(|alarm| judge(survey, alarm)).collect()
}

fn judge(survey: &Survey<'_>, alarm: &Alarm<'_>) -> Option<Sign> {
    let high = |metric: &&Metric<'_>| metric.percentile().is_some_and(|percentile| percentile > 50.0);
    let metric = alarm.metrics.iter().find(high)?;
    let percentile = metric.percentile()?;
    let needed = samples_min(percentile);
    let properties = alarm.resource.attribute("Properties")?;
    let ignores = survey.template.all(properties, "EvaluateLowSampleCountPercentile");
    if ignores.iter().any(|node| survey.template.text(node).exact() != Some("evaluate")) {
        return None;
    }
    let id = &alarm.resource.id;
    let (severity, floor) = match floor_of(alarm) {
        Floor::Unknown => return None,
        Floor::At(floor) if floor >= needed => return None,
        // Whoever has set a floor has thought of it; it may be the most that the traffic allows.
        Floor::At(floor) => (Severity::Note, format!("from {floor} requests on, fewer than the {needed}")),
        Floor::None if survey.is_guard(alarm.resource) => {
            (Severity::Warning, format!("of however few requests there are, even fewer than the {needed}"))
        }
        Floor::None => {
            (Severity::Note, format!("of however few requests there are, even fewer than the {needed}"))
        }
    };
    let message =
        format!("{id} takes the p{percentile} {floor} that it needs in a period to be more than noise");
    let mend = if alarm.expressions.is_empty() {
        format!("{id}:\n  Properties:\n    EvaluateLowSampleCountPercentile: ignore")
    } else {
        format!("Expression: IF(invocations >= {needed}, p{percentile}, 0)")
    };
    Some(Sign::of(severity, alarm.resource, message, mend).at(metric.spot(if alarm.expressions.is_empty() {
        "ExtendedStatistic"
    } else {
        "Stat"
    })))
}

/// 10 / (1 - p), as CloudWatch itself counts a low number of samples.
fn samples_min(percentile: f64) -> f64 {
    (10.0 / (1.0 - percentile / 100.0)).round()
}

enum Floor {
    None,
    At(f64),
    /// Metric math that holds something back, by a number that is not known here.
    Unknown,
}

/// The number that metric math compares with before it lets a percentile through.
fn floor_of(alarm: &Alarm<'_>) -> Floor {
    let conditions = alarm.expressions.iter().filter_map(|expression| {
        let (condition, _) = expression.split_once("IF(")?.1.split_once(',')?;
        Some(condition)
    });
    let conditions: Vec<&str> = conditions.collect();
    let number = |condition: &&str| {
        let (_, number) = condition.rsplit_once(['>', '='])?;
        number.trim().parse::<f64>().ok()
    };
    match conditions.iter().find_map(number) {
        Some(floor) => Floor::At(floor),
        None if conditions.is_empty() => Floor::None,
        None => Floor::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_cloudwatchs_own() {
        for (percentile, samples) in [(90.0, 100.0), (95.0, 200.0), (99.0, 1_000.0), (99.9, 10_000.0)] {
            assert!((samples_min(percentile) - samples).abs() < f64::EPSILON, "{percentile}");
        }
    }
}
