//! What is wrong with metrics on purpose: data that comes late, and data that `GetMetricData` does not give.

use crate::alarms::definition::MetricId;
use std::{collections::BTreeMap, time::Duration};

/// What `GetMetricData` answers instead of `Complete`. The later ones are the worse ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricTrouble {
    /// The newer half of the datapoints is missing, at least one.
    PartialData,
    /// No datapoints.
    InternalError,
    /// No datapoints.
    Forbidden,
}

impl MetricTrouble {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PartialData => "PartialData",
            Self::InternalError => "InternalError",
            Self::Forbidden => "Forbidden",
        }
    }
}

/// Which metrics have a trouble. An expression has the worst trouble of its metrics.
#[derive(Debug, Clone)]
pub struct MetricFault {
    /// The metric's name, such as `Errors`; every metric when absent.
    pub metric: Option<String>,
    /// A value among its dimensions, such as a version; any dimensions when absent.
    pub dimension_value: Option<String>,
    /// What it answers.
    pub trouble: MetricTrouble,
}

impl MetricFault {
    fn hits(&self, metric: &MetricId) -> bool {
        self.metric.as_ref().is_none_or(|name| *name == metric.name)
            && self
                .dimension_value
                .as_ref()
                .is_none_or(|wanted| metric.dimensions.values().any(|value| value == wanted))
    }
}

/// Everything that is wrong at present.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    faults: Vec<MetricFault>,
    /// By the metric's name; under no name that of all others.
    lateness: BTreeMap<Option<String>, Duration>,
}

impl Troubles {
    pub(super) fn add(&mut self, fault: MetricFault) {
        self.faults.push(fault);
    }

    pub(super) fn delay(&mut self, metric_name: Option<&str>, by: Duration) {
        self.lateness.insert(metric_name.map(str::to_owned), by);
    }

    pub(super) fn of(&self, metric: &MetricId) -> Option<MetricTrouble> {
        self.faults.iter().filter(|fault| fault.hits(metric)).map(|fault| fault.trouble).max()
    }

    /// Samples before this are seen at `now_ms`; all of them when nothing is late.
    pub(super) fn seen_to_ms(&self, metric: &MetricId, now_ms: i64) -> Option<i64> {
        let named = self.lateness.get(&Some(metric.name.clone()));
        let late = named.or_else(|| self.lateness.get(&None))?;
        // A sample is seen in the very millisecond in which its delay is over.
        Some(now_ms.saturating_sub(i64::try_from(late.as_millis()).unwrap_or(i64::MAX)).saturating_add(1))
    }
}
