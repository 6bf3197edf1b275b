//! What the judge knew, minute by minute: for whoever looks back at a release. It judges the minutes up to each moment as it did
//! then, and remembers nothing, so that what is drawn afterwards is what decided.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::judgement::{Metric, Tally};
use super::observations::{Minute, Observations};
use super::{judge, proof};

/// What was known about one metric over a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Which; of slow requests the limit of the last stage that has one.
    pub metric: Metric,
    /// What was known when, in order.
    pub known: Vec<Known>,
}

/// What was known about one metric at the end of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// When the minute begins.
    pub minute: Timestamp,
    /// Its stage; counts from 0.
    pub stage: usize,
    /// The limit of that stage.
    pub limit: f64,
    /// The candidate in that stage so far; what is not known about a request counts as bad.
    pub candidate: Tally,
    /// The candidate keeps to this limit, and to every larger one; nothing if no limit is proved yet.
    pub proved_below: Option<f64>,
    /// From 0, nothing speaks against the candidate, to 1, it fails.
    pub evidence_against: f64,
}

/// Judges the release at the end of so many of its minutes, at most `looks_max` of them and the last one always.
pub fn replay(observations: &Observations, looks_max: usize) -> Vec<Course> {
    let mut minutes: Vec<Minute> = observations.minutes.clone();
    minutes.sort_by_key(|minute| minute.start);
    minutes.dedup_by_key(|minute| minute.start);
    let every = minutes.len().div_ceil(looks_max.max(1)).max(1);
    let mut courses: Vec<Course> = Vec::new();
    for (index, last) in minutes.iter().enumerate() {
        if (index + 1) % every != 0 && index + 1 != minutes.len() {
            continue;
        }
        let judgement = judge(&Observations {
            stage: last.stage,
            stages: observations.stages.clone(),
            minutes: minutes.get(..=index).unwrap_or_default().to_vec(),
            gauges: Vec::new(),
            alarms: Vec::new(),
            unmeasured: Vec::new(),
        });
        for verdict in &judgement.metrics {
            let candidate = weighed(&judgement.reasons, verdict.metric).unwrap_or(verdict.candidate);
            let known = Known {
                minute: last.start,
                stage: last.stage,
                limit: verdict.limit,
                candidate,
                proved_below: proof::proved_limit(candidate),
                evidence_against: verdict.evidence_against,
            };
            match courses.iter_mut().find(|course| is_alike(course.metric, verdict.metric)) {
                Some(course) => {
                    course.metric = verdict.metric;
                    course.known.push(known);
                }
                None => courses.push(Course { metric: verdict.metric, known: vec![known] }),
            }
        }
    }
    courses
}

/// The tally that the proof was made of.
fn weighed(reasons: &[Finding], of: Metric) -> Option<Tally> {
    reasons.iter().find_map(|finding| match finding {
        Finding::Proved { metric, candidate, .. } | Finding::Unproven { metric, candidate, .. } => {
            (*metric == of).then_some(*candidate)
        }
        Finding::OverLimit { .. }
        | Finding::WorseThanStable { .. }
        | Finding::SplitMismatch { .. }
        | Finding::CountsContradict { .. }
        | Finding::StageUnknown { .. }
        | Finding::Gauge(_)
        | Finding::Alarm(_)
        | Finding::Unmeasured(_) => None,
    })
}

fn is_alike(one: Metric, other: Metric) -> bool {
    match (one, other) {
        (Metric::Errors, Metric::Errors) | (Metric::Slow { .. }, Metric::Slow { .. }) => true,
        (Metric::Errors, Metric::Slow { .. }) | (Metric::Slow { .. }, Metric::Errors) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Counts, LatencyLimit, StageLimits, Verdict};
    use crate::names::Weight;

    fn release(minutes: u32, errors: u64) -> Observations {
        let limits = StageLimits {
            error_rate_max: 0.05,
            latency: Some(LatencyLimit { latency_ms_max: 500, slow_rate_max: 0.05 }),
        };
        let minute = |index: u32| Minute {
            start: Timestamp::from_second(i64::from(index) * 60).expect("a time"),
            stage: 0,
            weight: Weight::from_percent(10),
            candidate: Counts { requests: 50, errors, timed: 50, slow: 0 },
            stable: Some(Counts { requests: 450, errors: 0, timed: 450, slow: 0 }),
        };
        Observations {
            stage: 0,
            stages: vec![limits],
            minutes: (0..minutes).map(minute).collect(),
            gauges: Vec::new(),
            alarms: Vec::new(),
            unmeasured: Vec::new(),
        }
    }

    #[test]
    fn the_last_look_back_is_the_judges_own_word() {
        for (errors, expected) in [(0, Verdict::Pass), (20, Verdict::Fail)] {
            let observations = release(10, errors);
            let judgement = judge(&observations);
            assert_eq!(judgement.verdict, expected);
            let courses = replay(&observations, 100);
            assert_eq!(courses.len(), judgement.metrics.len());
            for (course, verdict) in courses.iter().zip(&judgement.metrics) {
                let last = course.known.last().expect("a look");
                assert_eq!((course.known.len(), course.metric), (10, verdict.metric));
                assert_eq!((last.evidence_against, last.limit), (verdict.evidence_against, verdict.limit));
            }
        }
    }

    #[test]
    fn a_stage_passes_when_the_proved_limit_falls_below_its_own() {
        let observations = release(10, 0);
        let errors = replay(&observations, 100).into_iter().next().expect("errors");
        for (index, known) in errors.known.iter().enumerate() {
            let so_far =
                Observations { minutes: observations.minutes[..=index].to_vec(), ..observations.clone() };
            let is_proved = judge(&so_far).metrics[0].verdict == Verdict::Pass;
            assert_eq!(
                known.proved_below.is_some_and(|proved| proved <= known.limit),
                is_proved,
                "minute {index}"
            );
        }
        let bounds: Vec<f64> = errors.known.iter().filter_map(|known| known.proved_below).collect();
        assert!(bounds.is_sorted_by(|one, next| one >= next), "{bounds:?}");
    }

    #[test]
    fn looks_are_bounded_and_the_last_minute_is_always_among_them() {
        for (minutes, looks_max, looks) in [(10, 10, 10), (11, 10, 6), (7, 3, 3), (1, 0, 1), (0, 5, 0)] {
            let observations = release(minutes, 0);
            let courses = replay(&observations, looks_max);
            let known = courses.first().map_or(&[][..], |course| &course.known);
            assert_eq!(known.len(), looks, "{minutes} minutes, {looks_max} looks");
            assert_eq!(
                known.last().map(|last| last.minute),
                observations.minutes.last().map(|last| last.start)
            );
        }
    }
}
