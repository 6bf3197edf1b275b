//! `hook-name`: a hook that the role of CodeDeploy may not call.

use super::{About, Scope};
use crate::doctor::document::Node;
use crate::doctor::finding::Sign;
use crate::doctor::shift::{Form, Shift};
use crate::doctor::survey::Survey;
use crate::doctor::template::{Resource, Template};

pub(super) const ABOUT: About = About {
    id: "hook-name",
    title: "CodeDeploy may not call a hook",
    why: "SAM makes a role for CodeDeploy that may call only functions whose names begin with `CodeDeployHook_`. \
          Another hook is never called, and the deployment fails or hangs.",
    scope: Scope::Template(check),
};

/// What the managed policies for CodeDeploy on Lambda let it call.
const PREFIX: &str = "CodeDeployHook_";
const POLICY: &str = "AWSCodeDeployRoleForLambda";

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let template = survey.template;
    let limited = survey.shifts.iter().filter(|shift| is_limited(template, shift));
    limited
        .flat_map(|shift| shift.hook_functions(template).into_iter().map(move |hook| (shift, hook)))
        .filter_map(|(shift, (function, node))| judge(template, shift, function, node))
        .collect()
}

fn judge(template: &Template, shift: &Shift<'_>, function: &Resource, node: &Node) -> Option<Sign> {
    let names = template.values(function, "FunctionName");
    let is_another = |node: &&&Node| {
        let name = template.text(node);
        let sure = name.prefix();
        !sure.starts_with(PREFIX) && !PREFIX.starts_with(sure)
            || name.exact().is_some_and(|name| !name.starts_with(PREFIX))
    };
    let id = &function.id;
    let (named, owner, at) = match names.iter().find(is_another) {
        Some(name) => (format!("is named {}", template.text(name).text), function, *name),
        None if names.is_empty() => {
            ("has no FunctionName, so CloudFormation makes one up".to_owned(), shift.declared_by, node)
        }
        None => return None,
    };
    let role = match shift.form {
        Form::Sam if shift.role.is_none() => "the role that SAM makes for CodeDeploy".to_owned(),
        Form::Sam | Form::CloudFormation => format!("the role of {}", shift.declared_by.id),
    };
    let message = format!(
        "{id} is a hook of {} and {named}; {role} may call only {PREFIX}*, so the hook never runs",
        shift.subject.id
    );
    let mend = format!("{id}:\n  Properties:\n    FunctionName: !Sub {PREFIX}${{AWS::StackName}}-{id}");
    Some(Sign::of(shift.gravest(), owner, message, mend).at(at))
}

/// Whether CodeDeploy has only the rights of the managed policy: by the role that SAM makes, or by one of this template.
fn is_limited(template: &Template, shift: &Shift<'_>) -> bool {
    let Some(role) = shift.role else { return shift.form == Form::Sam };
    let Some(role) = template.target(role).filter(|role| role.is("AWS::IAM::Role")) else { return false };
    let managed = template.listed(role, "ManagedPolicyArns");
    !managed.is_empty()
        && managed.iter().all(|node| template.text(node).text.contains(POLICY))
        && template.listed(role, "Policies").is_empty()
        && template.of_kind("AWS::IAM::Policy").all(|policy| {
            template.listed(policy, "Roles").iter().all(|node| !refers_to(template, node, role))
        })
}

fn refers_to(template: &Template, node: &Node, role: &Resource) -> bool {
    template.target(node).is_none_or(|named| named.id == role.id)
}
