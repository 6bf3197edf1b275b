//! What is watched besides errors and latency: any metric or metric math, against a threshold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::judge::Missing;

/// A metric with a threshold, watched while a release moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MetricCheck {
    /// Its name, unique within the service.
    pub name: String,
    /// The metric, where it is one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricSource>,
    /// Metric math over `inputs`, such as `100 * errors / requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// What the expression computes with, by the names that it uses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, MetricSource>,
    /// A value above this is bad. Give either this or `below`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// A value below this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// So many bad minutes …
    #[serde(default = "one")]
    pub datapoints: u32,
    /// … of so many in a row put the release back.
    #[serde(default = "one")]
    pub of: u32,
    /// What a minute without a value means.
    #[serde(default)]
    pub missing: Missing,
}

/// A metric of CloudWatch. In the values of dimensions, `$candidate` and `$stable` stand for the versions of the release.
/// Once the candidate has all traffic there is no stable version to compare with: checks that name it are left out then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MetricSource {
    /// Such as `AWS/SQS`.
    pub namespace: String,
    /// Such as `ApproximateAgeOfOldestMessage`.
    pub name: String,
    /// All of the metric's dimensions: CloudWatch knows a metric by the exact set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// A statistic of CloudWatch's: `Sum`, `Average`, `Maximum`, `p99`, `TC(:200)` …
    pub stat: String,
}

/// What stands for the candidate's version in a dimension.
pub(crate) const CANDIDATE: &str = "$candidate";
/// What stands for the stable version in a dimension.
pub(crate) const STABLE: &str = "$stable";

impl MetricCheck {
    /// The metrics that it is made of.
    pub fn sources(&self) -> impl Iterator<Item = &MetricSource> {
        self.metric.iter().chain(self.inputs.values())
    }
}

fn one() -> u32 {
    1
}
