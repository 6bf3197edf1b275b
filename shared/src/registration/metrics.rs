//! What is watched besides errors and latency: any metric or metric math, against a threshold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// … of the last so many put the release back.
    #[serde(default = "one")]
    pub of: u32,
    /// What a minute without a value means.
    #[serde(default)]
    pub missing: Missing,
}

/// A metric of CloudWatch. In the values of dimensions, `$candidate` and `$stable` stand for the versions of the release.
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

/// What a minute without a value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Nothing is known, so nothing is proved.
    #[default]
    Inconclusive,
    /// Nothing happened: right for metrics that are only published when something is wrong.
    Ok,
}

fn one() -> u32 {
    1
}
