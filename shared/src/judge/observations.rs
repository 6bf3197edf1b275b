//! What the judge is shown: counts per minute and version, gauges, alarms, and what could not be read.
//!
//! Whoever builds these leaves out what is not known. A minute that is incomplete, or in which weights were changing, is
//! not among the minutes; it is never filled with zeroes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::Weight;
use crate::signal::AlarmState;

/// Everything that is known about a release when one of its stages is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observations {
    /// The stage that is judged; counts from 0.
    pub stage: usize,
    /// The limits of every stage of the release, in order.
    pub stages: Vec<StageLimits>,
    /// All complete minutes of the release so far, those of earlier stages too, each once, in any order.
    pub minutes: Vec<Minute>,
    /// What else is watched.
    pub gauges: Vec<GaugeReading>,
    /// The alarms that were asked for.
    pub alarms: Vec<AlarmReading>,
    /// What should have been read and could not.
    pub unmeasured: Vec<Unmeasured>,
}

/// What a stage must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageLimits {
    /// The largest share of requests that may fail, between 0 and 1.
    pub error_rate_max: f64,
    /// How many requests may be how slow, where that is limited.
    pub latency: Option<LatencyLimit>,
}

/// How many requests may be how slow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyLimit {
    /// A request that takes longer is slow.
    pub latency_ms_max: u32,
    /// The largest share of requests that may be slow, between 0 and 1.
    pub slow_rate_max: f64,
}

/// One complete minute, during all of which the same weights were in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// When it begins.
    pub start: Timestamp,
    /// The stage that it belongs to; counts from 0.
    pub stage: usize,
    /// The candidate's share of the traffic.
    pub weight: Weight,
    /// What the candidate answered.
    pub candidate: Counts,
    /// What the stable version answered; nothing where it has no counts of its own, as when it takes no traffic.
    pub stable: Option<Counts>,
}

/// What one version answered in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Requests whose duration is known.
    pub timed: u64,
    /// Those of them that took longer than the stage's limit.
    pub slow: u64,
}

/// A value with a threshold, minute by minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeReading {
    /// What is asked of it.
    pub rule: GaugeRule,
    /// Its values by the start of their minutes, in any order. A minute without a value may be there as `None` or not at all.
    pub values: Vec<(Timestamp, Option<f64>)>,
}

/// What is asked of a gauge: fewer than M of any N minutes in a row beyond the threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeRule {
    /// Its name, as the team knows it.
    pub name: String,
    /// The side of the threshold that is bad.
    pub bad: Direction,
    /// The largest, or the smallest, value that is good.
    pub threshold: f64,
    /// M: so many bad minutes fail.
    pub datapoints: u32,
    /// N: of so many, the last ones.
    pub of: u32,
    /// What a minute without a value means.
    pub missing: Missing,
}

/// A side of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Larger values.
    Above,
    /// Smaller values.
    Below,
}

/// What a minute without a value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Nothing is known: it could have been bad.
    #[default]
    Inconclusive,
    /// Nothing happened: right for metrics that are only published when something is wrong.
    Ok,
}

/// The state of an alarm that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmReading {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// Somebody said that it does not count for this release: it is reported and decides nothing.
    pub waived: bool,
}

/// What should have been read and could not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmeasured {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
}
