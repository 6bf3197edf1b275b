//! `api-5xx-sum`: a count of an API's or load balancer's failed requests where a rate is meant.

use super::{About, Scope};
use crate::doctor::alarm::{Alarm, Metric};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;

use super::count_called_rate::rate_in;

pub(super) const ABOUT: About = About {
    id: "api-5xx-sum",
    title: "a count of failed requests guards a release",
    why: "API Gateway and load balancers count failed requests; the sum grows with traffic. A release at noon is \
          rolled back for what passes at midnight. For API Gateway the `Average` of `5XXError` is the rate.",
    scope: Scope::Template(check),
};

const API_GATEWAY: &str = "AWS/ApiGateway";
const LOAD_BALANCER: &str = "AWS/ApplicationELB";

/// Whether a metric counts failed requests to an API Gateway or to a load balancer.
pub(super) fn is_failed_requests(metric: &Metric<'_>) -> bool {
    let name = metric.name.as_deref().unwrap_or_default();
    metric.is_of(API_GATEWAY) && matches!(name, "5XXError" | "4XXError" | "5xx" | "4xx")
        || metric.is_of(LOAD_BALANCER) && name.starts_with("HTTPCode_") && name.contains("XX_Count")
}

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    survey.alarms.iter().filter_map(|alarm| judge(survey, alarm)).collect()
}

fn judge(survey: &Survey<'_>, alarm: &Alarm<'_>) -> Option<Sign> {
    let metric = alarm.plain().filter(|metric| is_failed_requests(metric))?;
    if metric.statistic.as_deref() != Some("Sum") {
        return None;
    }
    let does = if survey.is_guard(alarm.resource) {
        survey.guarding(alarm.resource)
    } else {
        let word = alarm.words(survey.template).iter().find_map(|text| rate_in(text))?;
        format!("speaks of \"{word}\"")
    };
    let properties = alarm.resource.attribute("Properties")?;
    let threshold = survey.template.number(properties, "Threshold");
    // Whoever allows none at all has meant each single request.
    let any = threshold.is_some_and(|threshold| threshold <= 1.0);
    let id = &alarm.resource.id;
    let name = metric.name.as_deref().unwrap_or_default();
    let (severity, counts) = match threshold {
        Some(_) if any => {
            (Severity::Note, "a single failed request is enough, however many there are".to_owned())
        }
        Some(threshold) => (Severity::Warning, format!("{threshold} is a count, which grows with traffic")),
        None => (Severity::Warning, "its threshold is a count, which grows with traffic".to_owned()),
    };
    let message = format!("{id} {does} by the Sum of {name}: {counts}");
    let mend = if metric.is_of(API_GATEWAY) && name.ends_with("Error") {
        format!(
            "{id}:\n  Properties:\n    Statistic: Average\n    Threshold: 0.01\nthe Average of {name} is the share of requests that failed; 0.01 is 1 %"
        )
    } else {
        format!(
            "Metrics: 100 * {name} / the count of requests, from {}",
            if metric.is_of(LOAD_BALANCER) { "RequestCount" } else { "Count" }
        )
    };
    let at = properties.get("Statistic").unwrap_or(metric.node);
    Some(Sign::of(severity, alarm.resource, message, mend).at(at))
}
