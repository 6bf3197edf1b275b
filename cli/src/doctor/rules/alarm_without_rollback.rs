//! `alarm-without-rollback`: a deployment group whose alarms stop a shift without putting it back.

use super::{About, Scope};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::shift::{Form, Shift};
use crate::doctor::survey::Survey;

pub(super) const ABOUT: About = About {
    id: "alarm-without-rollback",
    title: "an alarm stops a shift and leaves it where it stopped",
    why: "An alarm of a deployment group stops the deployment; only `AutoRollbackConfiguration` with \
          `DEPLOYMENT_STOP_ON_ALARM` puts traffic back. Without it the alias stays on two versions, and the next \
          deployment fails too. SAM writes it for you, CloudFormation does not.",
    scope: Scope::Template(check),
};

const EVENT: &str = "DEPLOYMENT_STOP_ON_ALARM";

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let watched = |shift: &&Shift<'_>| shift.form == Form::CloudFormation && !shift.alarms.is_empty();
    survey.shifts.iter().filter(watched).filter_map(|shift| judge(survey, shift)).collect()
}

fn judge(survey: &Survey<'_>, shift: &Shift<'_>) -> Option<Sign> {
    let template = survey.template;
    let configured = template.all(shift.node, "AutoRollbackConfiguration");
    let rolls_back = configured.iter().any(|configuration| {
        let enabled = template.all(configuration, "Enabled");
        let events = configuration.get("Events").map(|events| template.list(events)).unwrap_or_default();
        enabled.iter().any(|node| template.boolean(node) != Some(false))
            && events.iter().any(|event| template.text(event).exact().is_none_or(|event| event == EVENT))
    });
    if rolls_back {
        return None;
    }
    let group = shift.declared_by;
    let message = format!(
        "{} stops on {} and does not roll back: the alias of {} stays on two versions",
        group.id,
        alarms(shift.alarms.len()),
        shift.subject.id
    );
    let mend = format!(
        "{}:\n  Properties:\n    AutoRollbackConfiguration:\n      Enabled: true\n      Events: [DEPLOYMENT_FAILURE, {EVENT}, DEPLOYMENT_STOP_ON_REQUEST]",
        group.id
    );
    let sign = Sign::of(Severity::Error, group, message, mend);
    Some(match configured.first() {
        Some(node) => sign.at(node),
        None => sign,
    })
}

fn alarms(count: usize) -> String {
    if count == 1 { "an alarm".to_owned() } else { format!("{count} alarms") }
}
