//! The judge as its callers see it. The parts have tests of their own beside them.

mod against;
mod blocking;
mod gauges;
mod sentences;
mod validity;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::names::Weight;

/// The limits that most of these tests judge by.
const LIMITS: StageLimits = StageLimits { error_rate_max: 0.01, latency: None };

fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
}

/// Counts in which every request has a duration, and none is slow.
fn counts(errors: u64, requests: u64) -> Counts {
    Counts { requests, errors, timed: requests, slow: 0 }
}

/// A minute at a weight of 10 %, with nine times as many requests to the stable version.
fn minute(index: i64, errors: u64, requests: u64, stable_errors: u64) -> Minute {
    Minute {
        start: at(index),
        stage: 0,
        weight: Weight::from_percent(10),
        candidate: counts(errors, requests),
        stable: Some(counts(stable_errors, 9 * requests)),
    }
}

fn observed(minutes: Vec<Minute>) -> Observations {
    Observations {
        stage: 0,
        stages: vec![LIMITS],
        minutes,
        gauges: Vec::new(),
        alarms: Vec::new(),
        unmeasured: Vec::new(),
    }
}

/// Enough clean minutes to pass.
fn clean() -> Observations {
    observed((0..10).map(|index| minute(index, 0, 100, 0)).collect())
}

fn sentences(judgement: &Judgement) -> Vec<String> {
    judgement.reasons.iter().map(ToString::to_string).collect()
}
