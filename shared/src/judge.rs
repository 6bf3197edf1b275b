//! The statistics that decide whether a stage of a progressive release passes.

mod finding;
mod judgement;
mod observations;

pub use finding::{Evidence, Finding};
pub use judgement::{GaugeVerdict, Judgement, Metric, MetricVerdict, Tally, Verdict};
pub use observations::{
    AlarmReading, Counts, Direction, GaugeReading, GaugeRule, LatencyLimit, Minute, Missing, Observations,
    StageLimits, Unmeasured,
};
