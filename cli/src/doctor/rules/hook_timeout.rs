//! `hook-timeout`: a hook that runs out of time before it can answer.

use super::{About, Scope};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;
use crate::doctor::template::Resource;

pub(super) const ABOUT: About = About {
    id: "hook-timeout",
    title: "a hook has too little time",
    why: "A hook that runs out of time has told CodeDeploy nothing: the deployment hangs for an hour. Lambda's own \
          3 seconds are less than many a cold start and one request take; more than 900 are refused.",
    scope: Scope::Template(check),
};

/// What Lambda gives a function that asks for nothing.
const DEFAULT_SECONDS: f64 = 3.0;
/// A cold start, a request to what is tested, and the answer to CodeDeploy.
const SECONDS_MIN: f64 = 10.0;
/// Lambda's own limit.
const SECONDS_MAX: f64 = 900.0;

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let template = survey.template;
    let hooks = survey.shifts.iter().flat_map(|shift| shift.hook_functions(template));
    hooks.filter_map(|(hook, _)| judge(survey, hook)).collect()
}

fn judge(survey: &Survey<'_>, hook: &Resource) -> Option<Sign> {
    let properties = hook.attribute("Properties")?;
    let stated = properties.get("Timeout");
    let seconds = match stated {
        None => DEFAULT_SECONDS,
        Some(_) => survey.template.number(properties, "Timeout")?,
    };
    let id = &hook.id;
    let by_default = if stated.is_none() { ", Lambda's default," } else { "" };
    let (severity, message) = if seconds > SECONDS_MAX {
        (Severity::Error, format!("the hook {id} asks for {seconds} s; Lambda gives at most {SECONDS_MAX} s"))
    } else if seconds < SECONDS_MIN {
        let message = format!(
            "the hook {id} has {seconds} s{by_default} < {SECONDS_MIN} s: if it runs out of time, CodeDeploy waits an hour"
        );
        (Severity::Warning, message)
    } else {
        return None;
    };
    let sign = Sign::of(severity, hook, message, format!("{id}:\n  Properties:\n    Timeout: 60"));
    Some(match stated {
        Some(node) => sign.at(node),
        None => sign,
    })
}
