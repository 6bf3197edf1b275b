//! `alarm-without-actions-enabled`: an alarm that should call and whose actions are switched off.

use super::{About, Scope};
use crate::doctor::alarm::{ALARM, COMPOSITE};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;
use crate::doctor::template::Resource;

pub(super) const ABOUT: About = About {
    id: "alarm-without-actions-enabled",
    title: "an alarm's actions are switched off",
    why: "With `ActionsEnabled: false` the alarm changes its state and calls nobody. CodeDeploy, which polls, still \
          sees it.",
    scope: Scope::Template(check),
};

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let alarms = survey.template.resources.iter();
    let alarms = alarms.filter(|resource| resource.is(ALARM) || resource.is(COMPOSITE));
    alarms.filter_map(|alarm| judge(survey, alarm)).collect()
}

fn judge(survey: &Survey<'_>, alarm: &Resource) -> Option<Sign> {
    let template = survey.template;
    let enabled = template.values(alarm, "ActionsEnabled");
    let off = enabled.iter().find(|node| template.boolean(node) == Some(false))?;
    let actions = template.listed(alarm, "AlarmActions");
    let id = &alarm.id;
    // Where one of two branches is off, somebody has decided where.
    let always = enabled.len() == 1;
    let (severity, message) = if actions.iter().any(|action| survey.is_rollback(action)) {
        let severity = if always { Severity::Error } else { Severity::Note };
        (severity, format!("{id} calls Ripcord and its actions are switched off: it pulls no cord"))
    } else if !actions.is_empty() && !survey.guarded_by(alarm).is_empty() {
        let message = format!(
            "the actions of {id} are switched off; it still {}, because CodeDeploy polls it, and it calls nobody else",
            survey.guarding(alarm)
        );
        (Severity::Note, message)
    } else {
        return None;
    };
    let mend = format!("{id}:\n  Properties:\n    ActionsEnabled: true");
    Some(Sign::of(severity, alarm, message, mend).at(off))
}
