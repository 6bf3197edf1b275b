//! What EventBridge says of deployments of ECS and AppConfig, and of stacks: that they have ended.

use jiff::Timestamp;
use serde_json::Value;

use super::{Arrival, Reading, Signal, TakenBack, Unreadable, settle, text, timestamp};
use crate::place::configuration::DeploymentNumber;

pub(super) const ECS_DEPLOYMENT: &str = "ECS Deployment State Change";
pub(super) const STACK_STATUS: &str = "CloudFormation Stack Status Change";

/// An ECS deployment that has begun says so with the same kind of event; there is nothing to do about that.
pub(super) fn read_ecs_deployment(event: &Value, received_at: Timestamp) -> Reading {
    let what = "the ECS deployment's state change";
    let name = event.pointer("/detail/eventName").and_then(Value::as_str).unwrap_or_default();
    if name == "SERVICE_DEPLOYMENT_IN_PROGRESS" {
        return Reading::Foreign(format!("{name} of ECS"));
    }
    // `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE`.
    let place = |arn: &str| arn.split_once(":service/").map(|(_, place)| format!("ecs:{place}"));
    settle(read(event, received_at, what, "/resources/0", place, name))
}

pub(super) fn read_stack_status(event: &Value, received_at: Timestamp) -> Reading {
    let what = "the stack's status change";
    let status = event.pointer("/detail/status-details/status").and_then(Value::as_str).unwrap_or_default();
    if status.ends_with("_IN_PROGRESS") {
        return Reading::Foreign(format!("{status} of CloudFormation"));
    }
    // `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID`.
    let place = |arn: &str| {
        let (_, stack) = arn.split_once(":stack/")?;
        Some(format!("stack:{}", stack.split('/').next()?))
    };
    settle(read(event, received_at, what, "/detail/stack-id", place, status))
}

/// Where an event of AppConfig says what has happened.
pub(super) const APPCONFIG_TYPE: &str = "/detail/Type";
const TAKEN_BACK: &str = "OnDeploymentRolledBack";

/// AppConfig says so where its extension for EventBridge is associated: with the application, the environment or the profile.
pub(super) fn read_configuration_deployment(event: &Value, received_at: Timestamp) -> Reading {
    match event.pointer(APPCONFIG_TYPE).and_then(Value::as_str).unwrap_or_default() {
        what @ ("OnDeploymentComplete" | TAKEN_BACK) => settle(configuration(event, received_at, what)),
        other => Reading::Foreign(format!("{other} of AppConfig")),
    }
}

fn configuration(event: &Value, received_at: Timestamp, ended_as: &str) -> Result<Signal, Unreadable> {
    let what = "the AppConfig deployment's event";
    let id = |of: &str| text(event, what, &format!("/detail/{of}/Id"));
    let (application, environment) = (id("Application")?, id("Environment")?);
    let place = format!("appconfig:{application}/{environment}/{}", id("ConfigurationProfile")?);
    let path = "/detail/DeploymentNumber";
    let number = event.pointer(path).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let invalid = || {
        let found = event.pointer(path).cloned().unwrap_or_default();
        super::invalid(what, path, found, "the number of a deployment")
    };
    let taken_back = match (ended_as, number) {
        (TAKEN_BACK, Some(number)) => {
            Some(TakenBack { deployment: DeploymentNumber(number), why: None, by_alarm: false })
        }
        (TAKEN_BACK, None) => return Err(invalid()),
        (_, _) => None,
    };
    let raised_at = raised_at(event, what, received_at)?;
    Ok(Signal::Arrival(Arrival { place, what: ended_as.to_owned(), taken_back, raised_at }))
}

fn raised_at(event: &Value, what: &str, received_at: Timestamp) -> Result<Timestamp, Unreadable> {
    match event.get("time").and_then(Value::as_str) {
        Some(at) => timestamp(what, "/time", at),
        None => Ok(received_at),
    }
}

fn read(
    event: &Value,
    received_at: Timestamp,
    what: &str,
    path: &str,
    place: impl Fn(&str) -> Option<String>,
    ended_as: &str,
) -> Result<Signal, Unreadable> {
    let raised_at = raised_at(event, what, received_at)?;
    let arn = text(event, what, path)?;
    let place = place(arn).ok_or_else(|| super::invalid(what, path, arn, "the ARN of a place"))?;
    Ok(Signal::Arrival(Arrival { place, what: ended_as.to_owned(), taken_back: None, raised_at }))
}
