//! The documents of `PutMetricAlarm`, `PutCompositeAlarm` and `GetMetricData` as they come: forms and templates write
//! numbers and flags as strings, so both are read. Nothing is judged here but a value's type.

use super::{Comparison, MetricId, MetricStat, MissingData, Statistic};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

pub(super) fn read<'de, T: Deserialize<'de>>(document: &'de Value) -> Result<T, String> {
    T::deserialize(document).map_err(|error| error.to_string())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PutMetricAlarm {
    pub(super) alarm_name: String,
    pub(super) alarm_description: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(super) actions_enabled: Option<bool>,
    #[serde(rename = "OKActions", default)]
    pub(super) ok_actions: Vec<String>,
    #[serde(default)]
    pub(super) alarm_actions: Vec<String>,
    #[serde(default)]
    pub(super) insufficient_data_actions: Vec<String>,
    pub(super) metric_name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) statistic: Option<String>,
    pub(super) extended_statistic: Option<String>,
    #[serde(default)]
    pub(super) dimensions: Vec<PutDimension>,
    #[serde(default, deserialize_with = "whole_if_any")]
    pub(super) period: Option<u32>,
    pub(super) unit: Option<String>,
    #[serde(deserialize_with = "count")]
    pub(super) evaluation_periods: usize,
    #[serde(default, deserialize_with = "count_if_any")]
    pub(super) datapoints_to_alarm: Option<usize>,
    #[serde(default, deserialize_with = "number_if_any")]
    pub(super) threshold: Option<f64>,
    pub(super) comparison_operator: Comparison,
    pub(super) treat_missing_data: Option<MissingData>,
    #[serde(rename = "EvaluateLowSampleCountPercentile")]
    _evaluate_low_sample_count_percentile: Option<String>,
    #[serde(default)]
    pub(super) metrics: Vec<PutQuery>,
    pub(super) threshold_metric_id: Option<String>,
    #[serde(rename = "Tags")]
    _tags: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PutCompositeAlarm {
    pub(super) alarm_name: String,
    pub(super) alarm_description: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(super) actions_enabled: Option<bool>,
    #[serde(rename = "OKActions", default)]
    pub(super) ok_actions: Vec<String>,
    #[serde(default)]
    pub(super) alarm_actions: Vec<String>,
    #[serde(default)]
    pub(super) insufficient_data_actions: Vec<String>,
    pub(super) alarm_rule: String,
    #[serde(rename = "Tags")]
    _tags: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PutQuery {
    pub(super) id: String,
    pub(super) label: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(super) return_data: Option<bool>,
    pub(super) metric_stat: Option<PutMetricStat>,
    pub(super) expression: Option<String>,
    #[serde(rename = "Period")]
    _period: Option<Value>,
    #[serde(rename = "AccountId")]
    _account_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PutMetricStat {
    pub(super) metric: PutMetric,
    #[serde(deserialize_with = "whole")]
    pub(super) period: u32,
    pub(super) stat: String,
    pub(super) unit: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PutMetric {
    pub(super) namespace: String,
    pub(super) metric_name: String,
    #[serde(default)]
    pub(super) dimensions: Vec<PutDimension>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct PutDimension {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl PutMetricStat {
    pub(super) fn read(self) -> Result<MetricStat, String> {
        if self.period == 0 {
            return Err("Period must be at least 1 second".to_owned());
        }
        let dimensions = self.metric.dimensions.into_iter().map(|pair| (pair.name, pair.value)).collect();
        Ok(MetricStat {
            metric: MetricId { namespace: self.metric.namespace, name: self.metric.metric_name, dimensions },
            period_s: self.period,
            statistic: Statistic::parse(&self.stat)?,
            statistic_text: self.stat,
            unit: self.unit,
        })
    }
}

/// A number that a form or a template may have written as a string.
pub(crate) fn lenient_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn number_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    lenient_number(&value).map(Some).ok_or_else(|| D::Error::custom(format!("{value} is not a number")))
}

fn whole_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    whole(deserializer).map(Some)
}

fn count_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    count(deserializer).map(Some)
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let whole = whole(deserializer)?;
    usize::try_from(whole).map_err(D::Error::custom)
}

fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let whole = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    let whole = whole.and_then(|whole| u32::try_from(whole).ok());
    whole.ok_or_else(|| D::Error::custom(format!("{value} is not a whole number from 0 to {}", u32::MAX)))
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match (value.as_bool(), value.as_str()) {
        (Some(flag), _) => Ok(Some(flag)),
        (None, Some("true")) => Ok(Some(true)),
        (None, Some("false")) => Ok(Some(false)),
        (None, Some(_) | None) => Err(D::Error::custom(format!("{value} is neither true nor false"))),
    }
}
