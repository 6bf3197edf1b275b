//! `missing-data`: an alarm that does not say what missing data mean.

use super::{About, Scope};
use crate::doctor::alarm::{Alarm, Metric};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;

pub(super) const ABOUT: About = About {
    id: "missing-data",
    title: "an alarm does not say what missing data mean",
    why: "Lambda sends no metrics while nobody calls. Without `TreatMissingData` the alarm goes to \
          INSUFFICIENT_DATA then, and in sparse traffic it reaches further back for old datapoints, so that one bad \
          minute may fire it long after.",
    scope: Scope::Template(check),
};

/// What these send does not depend on requests, so it is never missing for long.
const STEADY: [&str; 6] = ["AWS/SQS", "AWS/EC2", "AWS/ECS", "AWS/RDS", "AWS/ElastiCache", "AWS/ES"];

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    survey.alarms.iter().filter_map(|alarm| judge(survey, alarm)).collect()
}

fn judge(survey: &Survey<'_>, alarm: &Alarm<'_>) -> Option<Sign> {
    let template = survey.template;
    let resource = alarm.resource;
    let filled = |expression: &String| expression.contains("FILL(");
    if resource.property("TreatMissingData").is_some() || alarm.expressions.iter().any(filled) {
        return None;
    }
    let steady = |metric: &Metric<'_>| {
        metric.namespace.as_deref().is_some_and(|namespace| STEADY.contains(&namespace))
    };
    let acts = !alarm.metrics.iter().all(steady) && !template.listed(resource, "AlarmActions").is_empty();
    let id = &resource.id;
    let (severity, does) = if survey.is_guard(resource) {
        (Severity::Warning, survey.guarding(resource))
    } else if acts {
        (Severity::Note, "has actions".to_owned())
    } else {
        return None;
    };
    let message = format!(
        "{id} {does} and does not say what missing data mean: without traffic it is in INSUFFICIENT_DATA, and old datapoints decide"
    );
    // A metric of errors that is missing means that nothing was called.
    let mend = format!("{id}:\n  Properties:\n    TreatMissingData: notBreaching");
    Some(Sign::of(severity, resource, message, mend))
}
