//! `alarm-invoke-permission`: an alarm that names a function which it may not call.

use super::{About, Scope};
use crate::doctor::alarm::{ALARM, COMPOSITE};
use crate::doctor::document::Node;
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;
use crate::doctor::template::{Resource, Template};

pub(super) const ABOUT: About = About {
    id: "alarm-invoke-permission",
    title: "an alarm may not call the function that it names",
    why: "A CloudWatch alarm calls a function only if the function's policy lets the service \
          `lambda.alarms.cloudwatch.amazonaws.com` do so. Otherwise the alarm fires and nothing happens.",
    scope: Scope::Template(check),
};

const PRINCIPAL: &str = "lambda.alarms.cloudwatch.amazonaws.com";

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let template = survey.template;
    let alarms = template.resources.iter().filter(|resource| resource.is(ALARM) || resource.is(COMPOSITE));
    let actions = ["AlarmActions", "OKActions", "InsufficientDataActions"];
    alarms
        .flat_map(|alarm| actions.iter().map(move |list| (alarm, *list)))
        .flat_map(|(alarm, list)| template.listed(alarm, list).into_iter().map(move |node| (alarm, node)))
        .filter_map(|(alarm, node)| judge(template, alarm, node))
        .collect()
}

fn judge(template: &Template, alarm: &Resource, node: &Node) -> Option<Sign> {
    let function = function_of(template, node)?;
    let permissions = template.of_kind("AWS::Lambda::Permission").filter(|permission| {
        template.values(permission, "FunctionName").iter().any(|name| is_of(template, name, function))
    });
    let principals: Vec<String> = permissions
        .flat_map(|permission| template.values(permission, "Principal"))
        .map(|principal| template.text(principal))
        // What only the deployment knows may be the right one.
        .map(|principal| principal.exact().map_or_else(|| PRINCIPAL.to_owned(), str::to_owned))
        .collect();
    if principals.iter().any(|principal| principal == PRINCIPAL) {
        return None;
    }
    let others = if principals.is_empty() {
        "nobody may call it".to_owned()
    } else {
        format!("only {} may call it", principals.join(", "))
    };
    let (alarm_id, id) = (&alarm.id, &function.id);
    let message =
        format!("{alarm_id} calls {id}, and by this template {others}: the alarm fires and nothing happens");
    let called = node.intrinsic().map_or_else(|| format!("!Ref {id}"), |_| written(node, id));
    let mend = format!(
        "{id}MayBeCalledByAlarm:\n  Type: AWS::Lambda::Permission\n  Properties:\n    FunctionName: {called}\n    Action: lambda:InvokeFunction\n    Principal: {PRINCIPAL}\n    SourceAccount: !Ref AWS::AccountId\n    SourceArn: !GetAtt {alarm_id}.Arn"
    );
    Some(Sign::of(Severity::Error, alarm, message, mend).at(node))
}

/// The function that an action calls, itself or through an alias of this template.
fn function_of<'t>(template: &'t Template, node: &Node) -> Option<&'t Resource> {
    let target = template.target(node)?;
    if target.is_function() {
        return Some(target);
    }
    if !target.is("AWS::Lambda::Alias") && !target.is("AWS::Lambda::Version") {
        return None;
    }
    let functions = template.values(target, "FunctionName");
    functions.into_iter().find_map(|name| template.target(name)).filter(|function| function.is_function())
}

/// By reference, or by a name that both have.
fn is_of(template: &Template, name: &Node, function: &Resource) -> bool {
    if let Some(named) = function_of(template, name) {
        return named.id == function.id;
    }
    let name = template.text(name);
    let own = template.values(function, "FunctionName");
    name.exact().is_none()
        || own.iter().any(|own| {
            template.text(own).exact().is_some_and(|own| {
                name.exact().is_some_and(|name| {
                    name == own || name.contains(&format!(":{own}")) || name.starts_with(&format!("{own}:"))
                })
            })
        })
}

fn written(node: &Node, id: &str) -> String {
    match node.intrinsic() {
        Some(("Ref", name)) => format!("!Ref {}", name.as_text().unwrap_or(id)),
        Some(("Fn::Sub", pattern)) => format!("!Sub \"{}\"", pattern.as_text().unwrap_or(id)),
        Some(_) | None => format!("!GetAtt {id}.Arn"),
    }
}
