//! `alarms-not-wired`: a gradual shift that no alarm stops, or that names more alarms than CodeDeploy takes.

use super::{About, Scope};
use crate::doctor::document::Node;
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::shift::{Form, Pace, Shift};
use crate::doctor::survey::Survey;

pub(super) const ABOUT: About = About {
    id: "alarms-not-wired",
    title: "no alarm stops a gradual shift, or more than CodeDeploy takes",
    why: "A canary that no alarm watches gets the rest of the traffic whatever it does. CodeDeploy takes at most ten \
          alarms for a deployment group.",
    scope: Scope::Template(check),
};

/// CodeDeploy's limit for a deployment group.
const ALARMS_MAX: usize = 10;

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let crowded = survey.shifts.iter().filter_map(|shift| crowded(survey, shift));
    unwatched(survey).into_iter().chain(crowded).collect()
}

/// Functions that have their preference from `Globals` are one finding.
fn unwatched(survey: &Survey<'_>) -> Vec<Sign> {
    let blind = |shift: &&Shift<'_>| shift.alarms.is_empty();
    let mut groups: Vec<(&Pace, &Node, Vec<&Shift<'_>>)> = Vec::new();
    for shift in survey.shifts.iter().filter(blind) {
        let Some((pace, at)) = shift.paces.iter().find(|(pace, _)| pace.is_gradual()) else { continue };
        match groups.iter_mut().find(|(_, place, _)| place.at == at.at) {
            Some((_, _, shifts)) => shifts.push(shift),
            None => groups.push((pace, at, vec![shift])),
        }
    }
    groups.into_iter().filter_map(|(pace, at, shifts)| sign(pace, at, &shifts)).collect()
}

fn sign(pace: &Pace, at: &Node, shifts: &[&Shift<'_>]) -> Option<Sign> {
    let (first, others) = shifts.split_first()?;
    let id = &first.subject.id;
    let who = match others.len() {
        0 => format!("{id} is"),
        more => format!("{id} and {more} more are"),
    };
    let hooks = if shifts.iter().all(|shift| shift.hooks.is_empty()) {
        "; no hook looks either"
    } else {
        "; hooks look before and after, not while it has traffic"
    };
    let message = format!("{who} shifted gradually ({pace}) and no alarm stops it{hooks}");
    let mend = match first.form {
        Form::Sam => format!(
            "{id}:\n  Properties:\n    DeploymentPreference:\n      Alarms:\n        - !Ref {id}Errors"
        ),
        Form::CloudFormation => format!(
            "{}:\n  Properties:\n    AlarmConfiguration:\n      Enabled: true\n      Alarms:\n        - Name: !Ref {id}Errors",
            first.declared_by.id
        ),
    };
    Some(Sign::of(Severity::Warning, first.declared_by, message, mend).at(at))
}

/// The branches of an `Fn::If` are not added up, so only a plain list is counted.
fn crowded(survey: &Survey<'_>, shift: &Shift<'_>) -> Option<Sign> {
    let list = shift.alarms_at?;
    let count = list.items().iter().filter(|item| !survey.template.may_be_absent(item)).count();
    (count > ALARMS_MAX).then(|| {
        let id = &shift.subject.id;
        let message = format!("{id} names {count} alarms > {ALARMS_MAX}, which is all that CodeDeploy takes");
        let mend = "name one AWS::CloudWatch::CompositeAlarm whose AlarmRule reads them all".to_owned();
        Sign::of(shift.gravest(), shift.declared_by, message, mend).at(list)
    })
}
