//! Metrics in the embedded metric format: one JSON line on standard output, which CloudWatch Logs turns into metrics.
//!
//! Each is published twice: by service, and without a dimension, because an alarm cannot search for the metrics of all
//! services. A dimension per release would cost a metric per release.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::names::ServiceName;

/// A metric of the namespace `<project>/Deployments`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// A release was opened.
    DeploymentCount,
    /// A release completed.
    SuccessfulDeployments,
    /// A release was rolled back, or should have been.
    FailedDeployments,
    /// From opening to completion.
    DeploymentDurationMinutes(f64),
    /// Traffic was put back.
    RollbackCount,
    /// … because of an alarm.
    AutoRollbackCount,
    /// … because a person asked.
    ManualRollbackCount,
    /// From the signal to traffic being back.
    RollbackTimeMinutes(f64),
    /// From the commit to its release being complete.
    LeadTimeHours(f64),
    /// Traffic should be back and is not.
    RollbackFailedCount,
    /// An alarm fired and nothing had been released.
    AlarmWithoutChangeCount,
    /// The candidate's share, in percent.
    CanaryTrafficPercentage(f64),
    /// How little speaks against the candidate, from 0 to 100.
    CanaryHealthScore(f64),
}

impl Metric {
    /// The names of all metrics, which dashboards and alarms may use.
    pub const NAMES: [&str; 13] = [
        "AlarmWithoutChangeCount",
        "AutoRollbackCount",
        "CanaryHealthScore",
        "CanaryTrafficPercentage",
        "DeploymentCount",
        "DeploymentDuration",
        "FailedDeployments",
        "LeadTime",
        "ManualRollbackCount",
        "RollbackCount",
        "RollbackFailedCount",
        "RollbackTime",
        "SuccessfulDeployments",
    ];

    /// Its name in CloudWatch.
    pub fn name(self) -> &'static str {
        self.name_unit_value().0
    }

    fn name_unit_value(self) -> (&'static str, &'static str, f64) {
        match self {
            Self::DeploymentCount => ("DeploymentCount", "Count", 1.0),
            Self::SuccessfulDeployments => ("SuccessfulDeployments", "Count", 1.0),
            Self::FailedDeployments => ("FailedDeployments", "Count", 1.0),
            // CloudWatch has no minutes among its units.
            Self::DeploymentDurationMinutes(minutes) => ("DeploymentDuration", "None", minutes),
            Self::RollbackCount => ("RollbackCount", "Count", 1.0),
            Self::AutoRollbackCount => ("AutoRollbackCount", "Count", 1.0),
            Self::ManualRollbackCount => ("ManualRollbackCount", "Count", 1.0),
            Self::RollbackTimeMinutes(minutes) => ("RollbackTime", "None", minutes),
            Self::LeadTimeHours(hours) => ("LeadTime", "None", hours),
            Self::RollbackFailedCount => ("RollbackFailedCount", "Count", 1.0),
            Self::AlarmWithoutChangeCount => ("AlarmWithoutChangeCount", "Count", 1.0),
            Self::CanaryHealthScore(score) => ("CanaryHealthScore", "None", score),
            Self::CanaryTrafficPercentage(percent) => ("CanaryTrafficPercentage", "Percent", percent),
        }
    }
}

/// The line that publishes `metrics` of a service.
pub fn emf_line(namespace: &str, service: &ServiceName, metrics: &[Metric], at: Timestamp) -> String {
    let mut line = json!({
        "_aws": {
            "Timestamp": at.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [["Service"], []],
                "Metrics": metrics
                    .iter()
                    .map(|metric| {
                        let (name, unit, _) = metric.name_unit_value();
                        json!({ "Name": name, "Unit": unit })
                    })
                    .collect::<Vec<Value>>(),
            }],
        },
        "Service": service.as_str(),
    });
    for metric in metrics {
        let (name, _, value) = metric.name_unit_value();
        line[name] = json!(value);
    }
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_in_the_list_of_names() {
        let every = [
            Metric::AlarmWithoutChangeCount,
            Metric::AutoRollbackCount,
            Metric::CanaryHealthScore(1.0),
            Metric::CanaryTrafficPercentage(1.0),
            Metric::DeploymentCount,
            Metric::DeploymentDurationMinutes(1.0),
            Metric::FailedDeployments,
            Metric::LeadTimeHours(1.0),
            Metric::ManualRollbackCount,
            Metric::RollbackCount,
            Metric::RollbackFailedCount,
            Metric::RollbackTimeMinutes(1.0),
            Metric::SuccessfulDeployments,
        ];
        assert_eq!(every.map(Metric::name), Metric::NAMES);
    }

    #[test]
    fn a_line_is_what_cloudwatch_logs_extracts_metrics_from() {
        let metrics = [Metric::RollbackCount, Metric::RollbackTimeMinutes(0.25)];
        let service = "checkout".parse().expect("a service name");
        let at = "2026-01-01T00:00:00Z".parse().expect("a time");
        let line: Value =
            serde_json::from_str(&emf_line("ripcord/Deployments", &service, &metrics, at)).expect("JSON");
        let expected = json!({
            "_aws": {
                "Timestamp": 1_767_225_600_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "ripcord/Deployments",
                    "Dimensions": [["Service"], []],
                    "Metrics": [
                        { "Name": "RollbackCount", "Unit": "Count" },
                        { "Name": "RollbackTime", "Unit": "None" },
                    ],
                }],
            },
            "Service": "checkout",
            "RollbackCount": 1.0,
            "RollbackTime": 0.25,
        });
        assert_eq!(line, expected);
    }
}
