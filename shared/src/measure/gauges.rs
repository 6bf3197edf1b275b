//! Gauges: what else is watched, minute by minute, in the stage that is judged.

use super::questions::{check_id, dead_letters_id, gauge_minutes, throttles_id};
use super::{Given, Question};
use crate::judge::{Direction, GaugeReading, GaugeRule, Missing};
use crate::names::Weight;
use crate::pipeline::Tempo;
use crate::preflight::Subject;
use crate::registration::{MetricCheck, STABLE};

/// The readings of everything that is watched. What could not be read is not among them, but among the gaps. Before the stage
/// has a minute that counts, every gauge is there without values.
pub(super) fn readings(
    subject: &Subject<'_>,
    question: Option<&Question>,
    given: &Given<'_>,
    tempo: Tempo,
) -> Vec<GaugeReading> {
    let minute = tempo.minute();
    let mut readings = Vec::new();
    for (id, rule) in rules(subject) {
        let values = match (question, given.get(&id)) {
            (None, _) => Vec::new(),
            (Some(question), Some(values)) => {
                let next = |start: &jiff::Timestamp| start.checked_add(minute).ok();
                // A minute without a value has its place: the last five minutes are not the last five values.
                std::iter::successors(Some(question.from), next)
                    .take_while(|start| *start < question.to)
                    .map(|start| (start, values.get(&start).copied()))
                    .collect()
            }
            (Some(_), None) => continue,
        };
        readings.push(GaugeReading { rule, values });
    }
    readings
}

/// What is asked of each gauge, by the name of its series.
fn rules(subject: &Subject<'_>) -> Vec<(String, GaugeRule)> {
    let registration = &subject.record.registration;
    let stage = subject.run.stage().map(|(_, planned, _)| planned);
    let mut rules = Vec::new();
    if let Some(throttles_max) = stage.and_then(|stage| stage.limits.throttles_max) {
        let name = format!("throttles of {}:{}", subject.alias.function, subject.alias.alias);
        rules.push((throttles_id(), once(subject, name, f64::from(throttles_max))));
    }
    for (index, queue) in registration.dead_letter_queues.iter().enumerate() {
        rules.push((dead_letters_id(index), once(subject, format!("messages in {queue}"), 0.0)));
    }
    let is_all = stage.is_some_and(|stage| stage.weight == Weight::ALL);
    for (index, check) in registration.metrics.iter().enumerate() {
        let names_stable = |check: &MetricCheck| {
            check.sources().flat_map(|source| source.dimensions.values()).any(|value| value.contains(STABLE))
        };
        if !(is_all && names_stable(check)) {
            rules.extend(registered(check).map(|rule| (check_id(index), rule)));
        }
    }
    rules
}

/// One bad minute is enough, and it is not overlooked because it was not the last one when somebody looked. Without a value
/// nothing has happened: an alias without requests turns none away, and a queue that nobody touches publishes nothing.
fn once(subject: &Subject<'_>, name: String, threshold: f64) -> GaugeRule {
    let of = gauge_minutes(subject);
    GaugeRule { name, bad: Direction::Above, threshold, datapoints: 1, of, missing: Missing::Ok }
}

fn registered(check: &MetricCheck) -> Option<GaugeRule> {
    let (bad, threshold) = match (check.above, check.below) {
        (Some(above), _) => (Direction::Above, above),
        (None, Some(below)) => (Direction::Below, below),
        (None, None) => return None,
    };
    Some(GaugeRule {
        name: check.name.clone(),
        bad,
        threshold,
        datapoints: check.datapoints,
        of: check.of,
        missing: check.missing,
    })
}
