//! `hook-permission`: a hook that may not report to CodeDeploy.

use super::{About, Scope};
use crate::doctor::document::{Content, Node};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::shift::Shift;
use crate::doctor::survey::Survey;
use crate::doctor::template::{Resource, Template};

pub(super) const ABOUT: About = About {
    id: "hook-permission",
    title: "a hook may not report to CodeDeploy",
    why: "CodeDeploy waits an hour for a hook's answer. A hook that may not call \
          `codedeploy:PutLifecycleEventHookExecutionStatus` cannot give it, so that every deployment hangs for that \
          hour and then fails.",
    scope: Scope::Template(check),
};

const ACTION: &str = "codedeploy:PutLifecycleEventHookExecutionStatus";
/// AWS's own policies that functions have most often; none of them mentions CodeDeploy.
const WITHOUT: [&str; 12] = [
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaVPCAccessExecutionRole",
    "AWSLambdaExecute",
    "AWSLambdaRole",
    "AWSLambda_FullAccess",
    "AWSLambda_ReadOnlyAccess",
    "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess",
    "CloudWatchLambdaInsightsExecutionRolePolicy",
    "CloudWatchLogsFullAccess",
    "AmazonS3ReadOnlyAccess",
    "AmazonDynamoDBFullAccess",
];
const WITH: [&str; 3] = ["AdministratorAccess", "PowerUserAccess", "AWSCodeDeployFullAccess"];

/// Whether a policy lets the hook report; the worse an answer is, the less it counts beside another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    No,
    /// By something that this template does not show.
    Perhaps(String),
    Yes,
}

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let template = survey.template;
    let hooks = survey
        .shifts
        .iter()
        .flat_map(|shift| shift.hook_functions(template).into_iter().map(move |(hook, _)| (shift, hook)));
    hooks.filter_map(|(shift, hook)| judge(template, shift, hook)).collect()
}

fn judge(template: &Template, shift: &Shift<'_>, hook: &Resource) -> Option<Sign> {
    let (id, subject) = (&hook.id, &shift.subject.id);
    let mend = format!(
        "{id}:\n  Properties:\n    Policies:\n      - Version: \"2012-10-17\"\n        Statement:\n          - Effect: Allow\n            Action: {ACTION}\n            Resource: !Sub arn:${{AWS::Partition}}:codedeploy:${{AWS::Region}}:${{AWS::AccountId}}:deploymentgroup:*"
    );
    let (severity, message) = match of_function(template, hook) {
        Answer::Yes => return None,
        Answer::Perhaps(where_) => (
            Severity::Note,
            format!(
                "{id} is a hook of {subject}; whether it may call {ACTION} is up to {where_}, which this template does not show"
            ),
        ),
        Answer::No => (
            shift.gravest(),
            format!(
                "{id} is a hook of {subject} and may not call {ACTION}: every deployment waits an hour for its answer"
            ),
        ),
    };
    let sign = Sign::of(severity, hook, message, mend);
    let at = hook.property("Policies").or_else(|| hook.property("Role"));
    Some(at.map_or_else(|| sign.clone(), |node| sign.clone().at(node)))
}

fn of_function(template: &Template, function: &Resource) -> Answer {
    let roles = template.values(function, "Role");
    if roles.is_empty() {
        let policies = template.listed(function, "Policies");
        return best(policies.into_iter().map(|policy| of_policy(template, policy)));
    }
    best(roles.into_iter().map(|role| match template.target(role) {
        Some(role) if role.is("AWS::IAM::Role") => of_role(template, role),
        Some(_) | None => Answer::Perhaps(format!("the role {}", template.text(role).text)),
    }))
}

fn of_role(template: &Template, role: &Resource) -> Answer {
    let inline = template.listed(role, "Policies");
    let inline = inline.into_iter().flat_map(|policy| template.all(policy, "PolicyDocument"));
    let managed = template.listed(role, "ManagedPolicyArns");
    let attached = template
        .resources
        .iter()
        .filter(|policy| {
            policy.is("AWS::IAM::Policy")
                || policy.is("AWS::IAM::ManagedPolicy")
                || policy.is("AWS::IAM::RolePolicy")
        })
        .filter(|policy| {
            let named =
                template.listed(policy, "Roles").into_iter().chain(template.values(policy, "RoleName"));
            named.into_iter().any(|node| template.target(node).is_some_and(|named| named.id == role.id))
        });
    let attached = attached.flat_map(|policy| template.values(policy, "PolicyDocument"));
    best(inline.chain(managed).chain(attached).map(|policy| of_policy(template, policy)))
}

/// A policy in any of the forms that SAM and IAM take: a document, a name, an ARN, a reference, a policy template.
fn of_policy(template: &Template, policy: &Node) -> Answer {
    if let Some(resource) = template.target(policy) {
        let documents = template.values(resource, "PolicyDocument");
        return best(documents.into_iter().map(|document| of_document(template, document)));
    }
    if policy.intrinsic().is_none() && matches!(policy.content, Content::Map(_)) {
        // A policy template of SAM has no statement, and none of them is about CodeDeploy.
        return of_document(template, policy);
    }
    let name = template.text(policy).text;
    let last = name.rsplit(['/', ':']).next().unwrap_or(&name);
    if WITH.contains(&last) {
        Answer::Yes
    } else if WITHOUT.contains(&last) {
        Answer::No
    } else {
        Answer::Perhaps(format!("the policy {name}"))
    }
}

fn of_document(template: &Template, document: &Node) -> Answer {
    let statements = document.get("Statement").map(|node| template.list(node)).unwrap_or_default();
    best(statements.into_iter().map(|statement| {
        let allows = template.exact(statement, "Effect").is_none_or(|effect| effect == "Allow");
        match (allows, statement.get("Action")) {
            (false, _) => Answer::No,
            // `NotAction` allows everything else.
            (true, None) => Answer::Yes,
            (true, Some(actions)) => {
                best(template.list(actions).into_iter().map(|action| match template.text(action).exact() {
                    Some(action) if matches(action, ACTION) => Answer::Yes,
                    Some(_) => Answer::No,
                    None => Answer::Perhaps("an action that only the deployment knows".to_owned()),
                }))
            }
        }
    }))
}

fn best(answers: impl Iterator<Item = Answer>) -> Answer {
    answers.max().unwrap_or(Answer::No)
}

/// As IAM compares actions: case does not matter, and `*` and `?` stand for anything and for one letter.
fn matches(pattern: &str, action: &str) -> bool {
    fn rest(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            // Stars in a row are one star, so this looks at each place of the text once for each star.
            (Some((b'*', behind)), _) => (0..=text.len()).any(|from| rest(behind, &text[from..])),
            (Some((b'?', behind)), Some((_, text))) => rest(behind, text),
            (Some((one, behind)), Some((other, text))) => {
                one.eq_ignore_ascii_case(other) && rest(behind, text)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
    // Nobody writes so many stars, and each of them multiplies the work.
    pattern.matches('*').count() <= 4 && rest(pattern.as_bytes(), action.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_compared_as_iam_does() {
        for (pattern, expected) in [
            ("*", true),
            ("codedeploy:*", true),
            ("CodeDeploy:PutLifecycle*", true),
            ("codedeploy:Put*Status", true),
            ("codedeploy:Put?ifecycleEventHookExecutionStatus", true),
            (ACTION, true),
            ("codedeploy:Get*", false),
            ("codedeploy:PutLifecycleEventHookExecutionStatu", false),
            ("lambda:*", false),
        ] {
            assert_eq!(matches(pattern, ACTION), expected, "{pattern}");
        }
    }
}
