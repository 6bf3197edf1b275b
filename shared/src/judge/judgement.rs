//! What the judge says: the verdict with its reasons, and what a person wants to see beside it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::observations::GaugeRule;

/// What was decided about a stage, and on what evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Judgement {
    /// What follows from all findings together: the worst of them.
    pub verdict: Verdict,
    /// 100 while nothing speaks against the candidate, 0 when it fails; nothing when nothing could be measured.
    pub score: Option<u8>,
    /// Every finding, the gravest first.
    pub reasons: Vec<Finding>,
    /// Errors, and slow requests where the stage limits them.
    pub metrics: Vec<MetricVerdict>,
    /// The gauges, as they were given.
    pub gauges: Vec<GaugeVerdict>,
}

/// What a stage, or one thing that was looked at, comes to. The order is that of gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Proved good.
    Pass,
    /// Not enough evidence yet, one way or the other.
    Inconclusive,
    /// Could not be measured.
    Error,
    /// Measured, and bad.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
            Self::Fail => "fail",
        })
    }
}

/// What is counted per request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Requests that failed.
    Errors,
    /// Requests that took too long.
    Slow {
        /// Longer than this.
        latency_ms_max: u32,
    },
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors => f.write_str("errors"),
            Self::Slow { latency_ms_max } => write!(f, "requests over {latency_ms_max} ms"),
        }
    }
}

/// So many bad requests of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Failed, or slow.
    pub bad: u64,
    /// All of them.
    pub requests: u64,
}

impl Tally {
    /// The share of bad requests; nothing without requests.
    pub fn rate(self) -> Option<f64> {
        (self.requests > 0).then(|| self.bad as f64 / self.requests as f64)
    }

    /// The requests that were not bad.
    pub fn good(self) -> u64 {
        self.requests.saturating_sub(self.bad)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.bad = self.bad.saturating_add(other.bad);
        self.requests = self.requests.saturating_add(other.requests);
    }
}

/// What is known about one metric of the candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricVerdict {
    /// Which.
    pub metric: Metric,
    /// What it comes to, by itself.
    pub verdict: Verdict,
    /// The candidate in this stage.
    pub candidate: Tally,
    /// The stable version in the same minutes, where it has counts.
    pub stable: Option<Tally>,
    /// The largest share that may be bad.
    pub limit: f64,
    /// From 0, nothing speaks against the candidate, to 1, it fails; over the whole release, on the scale of logarithms.
    pub evidence_against: f64,
    /// How many more requests would prove the limit at the rate seen so far. Nothing once it is proved, and nothing when this
    /// rate proves it never; the reasons say which.
    pub needed: Option<u64>,
    /// The candidate's rates in its last minutes, 30 at most, oldest first; nothing for a minute without requests.
    pub recent: Vec<Option<f64>>,
}

/// What is known about one gauge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeVerdict {
    /// What was asked of it.
    pub rule: GaugeRule,
    /// What it comes to.
    pub verdict: Verdict,
    /// Minutes beyond the threshold, of N in a row: the ones that fail, or else the last.
    pub breaching: u32,
    /// Minutes with a value among them.
    pub present: u32,
    /// The worst value among them.
    pub worst: Option<f64>,
    /// The last values, 30 at most, oldest first.
    pub recent: Vec<Option<f64>>,
}
