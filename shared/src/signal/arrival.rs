//! What EventBridge says of deployments of ECS and of stacks: that they have ended.

use jiff::Timestamp;
use serde_json::Value;

use super::{Arrival, Reading, Signal, Unreadable, settle, text, timestamp};

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

fn read(
    event: &Value,
    received_at: Timestamp,
    what: &str,
    path: &str,
    place: impl Fn(&str) -> Option<String>,
    ended_as: &str,
) -> Result<Signal, Unreadable> {
    let raised_at = match event.get("time").and_then(Value::as_str) {
        Some(at) => timestamp(what, "/time", at)?,
        None => received_at,
    };
    let arn = text(event, what, path)?;
    let place = place(arn).ok_or_else(|| super::invalid(what, path, arn, "the ARN of a place"))?;
    Ok(Signal::Arrival(Arrival { place, what: ended_as.to_owned(), raised_at }))
}
