//! `alarms-not-wired`: a gradual shift that no alarm stops, or that names more alarms than CodeDeploy takes.

use crate::doctor::finding::{Severity, Sign};
use crate::doctor::shift::{Form, Shift};
use crate::doctor::survey::Survey;

/// CodeDeploy's limit for a deployment group.
const ALARMS_MAX: usize = 10;

pub(super) fn check(survey: &Survey<'_>) -> Vec<Sign> {
    survey.shifts.iter().filter_map(|shift| unwatched(shift).or_else(|| crowded(survey, shift))).collect()
}

fn unwatched(shift: &Shift<'_>) -> Option<Sign> {
    let gradual = shift.paces.iter().find(|(pace, _)| pace.is_gradual());
    let (pace, at) = gradual.filter(|_| shift.alarms.is_empty())?;
    let hooks = match shift.hooks.len() {
        0 => "; it has no hooks either",
        _ => "; hooks look before and after, not while it has traffic",
    };
    let id = &shift.subject.id;
    let message = format!("{id} is shifted gradually ({pace}) and no alarm stops it{hooks}");
    let mend = match shift.form {
        Form::Sam => format!(
            "{id}:\n  Properties:\n    DeploymentPreference:\n      Alarms:\n        - !Ref {id}Errors"
        ),
        Form::CloudFormation => format!(
            "{}:\n  Properties:\n    AlarmConfiguration:\n      Enabled: true\n      Alarms:\n        - Name: !Ref {id}Errors",
            shift.declared_by.id
        ),
    };
    Some(Sign::of(Severity::Warning, shift.declared_by, message, mend).at(at))
}

/// The branches of an `Fn::If` are not added up, so only a plain list is counted.
fn crowded(survey: &Survey<'_>, shift: &Shift<'_>) -> Option<Sign> {
    let list = shift.alarms_at?;
    let count = list.items().iter().filter(|item| !survey.template.may_be_absent(item)).count();
    (count > ALARMS_MAX).then(|| {
        let id = &shift.subject.id;
        let message = format!("{id} names {count} alarms > {ALARMS_MAX}, which is all that CodeDeploy takes");
        let mend = "name one AWS::CloudWatch::CompositeAlarm whose AlarmRule reads them all".to_owned();
        Sign::of(Severity::Error, shift.declared_by, message, mend).at(list)
    })
}
