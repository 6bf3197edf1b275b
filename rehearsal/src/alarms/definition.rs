//! Alarm definitions as `PutMetricAlarm` and `PutCompositeAlarm` take them. What CloudWatch would refuse is refused
//! here; what this evaluator does not have (anomaly detection, Metrics Insights, suppressors) is refused by name.

mod put;

use super::{composite::AlarmRule, expression::Expression};
use put::{PutCompositeAlarm, PutMetric, PutMetricAlarm, PutMetricStat, PutQuery, read};
pub(crate) use put::{PutDimension, lenient_number};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A metric is its namespace, its name and exactly its dimensions: two sets that overlap are two metrics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricId {
    /// Such as `AWS/Lambda`.
    pub namespace: String,
    /// Such as `Errors`.
    pub name: String,
    /// Name and value of every dimension.
    pub dimensions: BTreeMap<String, String>,
}

impl MetricId {
    /// A metric with these dimensions.
    #[must_use]
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let dimensions =
            dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { namespace: namespace.to_owned(), name: name.to_owned(), dimensions }
    }
}

/// What is made of one period's samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The sum of the values.
    Sum,
    /// Sum by count.
    Average,
    /// The least value.
    Minimum,
    /// The greatest value.
    Maximum,
    /// How many samples.
    SampleCount,
    /// `p99` and the like.
    Percentile(f64),
    /// `PR(low:high)`: the percentage of samples in the range.
    PercentileRank(f64, f64),
    /// `TC(low:high)`: the number of samples in the range.
    TrimmedCount(f64, f64),
}

impl Statistic {
    fn parse(text: &str) -> Result<Self, String> {
        let unknown = || format!("the local CloudWatch does not know the statistic {text}");
        match text {
            "Sum" => return Ok(Self::Sum),
            "Average" => return Ok(Self::Average),
            "Minimum" => return Ok(Self::Minimum),
            "Maximum" => return Ok(Self::Maximum),
            "SampleCount" => return Ok(Self::SampleCount),
            _ => {}
        }
        if let Some(percent) = text.strip_prefix('p') {
            let percent = percent.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
            return percent.map(Self::Percentile).ok_or_else(unknown);
        }
        let range = |prefix: &str| text.strip_prefix(prefix)?.strip_suffix(')')?.split_once(':');
        let bound = |bound: &str, open: f64| {
            if bound.is_empty() { Ok(open) } else { bound.parse::<f64>().map_err(|_| unknown()) }
        };
        if let Some((low, high)) = range("PR(") {
            return Ok(Self::PercentileRank(bound(low, f64::NEG_INFINITY)?, bound(high, f64::INFINITY)?));
        }
        if let Some((low, high)) = range("TC(") {
            return Ok(Self::TrimmedCount(bound(low, f64::NEG_INFINITY)?, bound(high, f64::INFINITY)?));
        }
        Err(unknown())
    }
}

/// One metric by one statistic and period.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricStat {
    /// Which metric.
    pub metric: MetricId,
    /// In seconds, before the rehearsal's scale.
    pub period_s: u32,
    /// What is made of a period's samples.
    pub statistic: Statistic,
    /// The statistic as it was written.
    pub statistic_text: String,
    /// Carried for the payloads; samples here have no unit.
    pub unit: Option<String>,
}

/// One entry of `Metrics` or `MetricDataQueries`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricQuery {
    /// What expressions call it.
    pub id: String,
    /// For people.
    pub label: Option<String>,
    /// True for the one that an alarm watches.
    pub return_data: bool,
    /// A metric or an expression.
    pub source: QuerySource,
}

/// Where a query's values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum QuerySource {
    /// A metric's statistic.
    Stat(MetricStat),
    /// Metric math: the text, and what it parsed to.
    Expression(String, Expression),
}

/// How a datapoint is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Comparison {
    GreaterThanOrEqualToThreshold,
    GreaterThanThreshold,
    LessThanOrEqualToThreshold,
    LessThanThreshold,
}

impl Comparison {
    pub(crate) fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqualToThreshold => value >= threshold,
            Self::GreaterThanThreshold => value > threshold,
            Self::LessThanOrEqualToThreshold => value <= threshold,
            Self::LessThanThreshold => value < threshold,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqualToThreshold => "greater than or equal to",
            Self::GreaterThanThreshold => "greater than",
            Self::LessThanOrEqualToThreshold => "less than or equal to",
            Self::LessThanThreshold => "less than",
        }
    }
}

/// What a missing datapoint counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are CloudWatch's")]
pub enum MissingData {
    #[default]
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

/// What a metric alarm watches, and when it fires.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricAlarm {
    /// One entry for a plain alarm; the entry with `return_data` is watched.
    pub queries: Vec<MetricQuery>,
    /// True when it was put as metric math, with `Metrics`.
    pub is_math: bool,
    /// The watched query's period, in seconds, before the rehearsal's scale.
    pub period_s: u32,
    /// N of "M out of N".
    pub evaluation_periods: usize,
    /// M of "M out of N".
    pub datapoints_to_alarm: usize,
    /// How to compare.
    pub comparison: Comparison,
    /// With what.
    pub threshold: f64,
    /// How missing datapoints count.
    pub missing_data: MissingData,
}

impl MetricAlarm {
    /// The query that the alarm watches.
    #[must_use]
    pub fn watched(&self) -> Option<&MetricQuery> {
        self.queries.iter().find(|query| query.return_data)
    }
}

/// A metric or a composite alarm.
#[derive(Debug, Clone, PartialEq)]
pub enum AlarmKind {
    /// Watches a metric or metric math.
    Metric(MetricAlarm),
    /// Watches other alarms: the rule as it was written, and what it parsed to.
    Composite(String, AlarmRule),
}

/// One alarm as it was put.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmDefinition {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// False silences every action.
    pub actions_enabled: bool,
    /// ARNs to call on a change to OK.
    pub ok_actions: Vec<String>,
    /// ARNs to call on a change to ALARM.
    pub alarm_actions: Vec<String>,
    /// ARNs to call on a change to `INSUFFICIENT_DATA`.
    pub insufficient_data_actions: Vec<String>,
    /// What it watches.
    pub kind: AlarmKind,
}

impl AlarmDefinition {
    /// Reads `PutMetricAlarm`'s document; numbers may be strings, as in forms and templates.
    pub fn metric(document: &Value) -> Result<Self, String> {
        let put: PutMetricAlarm = read(document)?;
        if put.threshold_metric_id.is_some() {
            return Err("the local CloudWatch has no anomaly detection (ThresholdMetricId)".to_owned());
        }
        let is_math = !put.metrics.is_empty();
        let queries = if is_math { read_queries(put.metrics)? } else { vec![plain_query(&put)?] };
        let watched: Vec<&MetricQuery> = queries.iter().filter(|query| query.return_data).collect();
        if watched.len() != 1 {
            return Err(format!("exactly one metric must have ReturnData true, not {}", watched.len()));
        }
        let periods: Vec<u32> = queries.iter().filter_map(MetricQuery::period_s).collect();
        let Some(&period_s) = periods.first() else {
            return Err("an alarm needs at least one metric with a period".to_owned());
        };
        if periods.iter().any(|period| *period != period_s) {
            return Err(format!("all metrics of an alarm must have one period, not {periods:?}"));
        }
        let evaluation_periods = put.evaluation_periods;
        let datapoints_to_alarm = put.datapoints_to_alarm.unwrap_or(evaluation_periods);
        if evaluation_periods == 0 || datapoints_to_alarm == 0 || datapoints_to_alarm > evaluation_periods {
            return Err(format!(
                "DatapointsToAlarm ({datapoints_to_alarm}) must be from 1 to EvaluationPeriods ({evaluation_periods})"
            ));
        }
        let kind = AlarmKind::Metric(MetricAlarm {
            queries,
            is_math,
            period_s,
            evaluation_periods,
            datapoints_to_alarm,
            comparison: put.comparison_operator,
            threshold: put.threshold.ok_or("Threshold is missing")?,
            missing_data: put.treat_missing_data.unwrap_or_default(),
        });
        Ok(Self {
            name: put.alarm_name,
            description: put.alarm_description,
            actions_enabled: put.actions_enabled.unwrap_or(true),
            ok_actions: put.ok_actions,
            alarm_actions: put.alarm_actions,
            insufficient_data_actions: put.insufficient_data_actions,
            kind,
        })
    }

    /// Reads `PutCompositeAlarm`'s document.
    pub fn composite(document: &Value) -> Result<Self, String> {
        let put: PutCompositeAlarm = read(document)?;
        let rule = AlarmRule::parse(&put.alarm_rule)?;
        Ok(Self {
            name: put.alarm_name,
            description: put.alarm_description,
            actions_enabled: put.actions_enabled.unwrap_or(true),
            ok_actions: put.ok_actions,
            alarm_actions: put.alarm_actions,
            insufficient_data_actions: put.insufficient_data_actions,
            kind: AlarmKind::Composite(put.alarm_rule, rule),
        })
    }
}

impl MetricQuery {
    fn period_s(&self) -> Option<u32> {
        match &self.source {
            QuerySource::Stat(stat) => Some(stat.period_s),
            QuerySource::Expression(..) => None,
        }
    }
}

/// Reads `Metrics` of an alarm or `MetricDataQueries` of `GetMetricData`.
pub(crate) fn read_metric_queries(document: &Value) -> Result<Vec<MetricQuery>, String> {
    read_queries(read(document)?)
}

fn read_queries(queries: Vec<PutQuery>) -> Result<Vec<MetricQuery>, String> {
    let ids: Vec<String> = queries.iter().map(|query| query.id.clone()).collect();
    let read = queries.into_iter().map(|query| {
        let source = match (query.metric_stat, query.expression) {
            (Some(stat), None) => QuerySource::Stat(stat.read()?),
            (None, Some(text)) => {
                let expression = Expression::parse(&text)?;
                if let Some(unknown) = expression.ids().into_iter().find(|id| !ids.contains(id)) {
                    return Err(format!("the expression {text} names {unknown}, which is no metric of it"));
                }
                QuerySource::Expression(text, expression)
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(format!("metric {} needs either MetricStat or Expression", query.id));
            }
        };
        let return_data = query.return_data.unwrap_or(true);
        Ok(MetricQuery { id: query.id, label: query.label, return_data, source })
    });
    read.collect()
}

fn plain_query(put: &PutMetricAlarm) -> Result<MetricQuery, String> {
    let missing = |field: &str| format!("{field} is missing, and so is Metrics");
    let statistic = put.extended_statistic.as_ref().or(put.statistic.as_ref());
    let stat = PutMetricStat {
        metric: PutMetric {
            namespace: put.namespace.clone().ok_or_else(|| missing("Namespace"))?,
            metric_name: put.metric_name.clone().ok_or_else(|| missing("MetricName"))?,
            dimensions: put.dimensions.clone(),
        },
        period: put.period.ok_or_else(|| missing("Period"))?,
        stat: statistic.ok_or_else(|| missing("Statistic"))?.clone(),
        unit: put.unit.clone(),
    };
    Ok(MetricQuery {
        id: "m1".to_owned(),
        label: None,
        return_data: true,
        source: QuerySource::Stat(stat.read()?),
    })
}
