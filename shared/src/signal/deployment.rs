//! CodeDeploy's word of a deployment: by EventBridge, and by the SNS trigger of a deployment group.

use jiff::Timestamp;
use serde_json::Value;

use super::{DeploymentChange, Signal, Unreadable, invalid, text, timestamp};
use crate::names::DeploymentId;

pub(super) const STATE_CHANGE: &str = "CodeDeploy Deployment State-change Notification";

pub(super) fn read_state_change(event: &Value, received_at: Timestamp) -> Result<Signal, Unreadable> {
    let what = "the deployment's state change";
    let raised_at = match event.get("time").and_then(Value::as_str) {
        Some(at) => timestamp(what, "/time", at)?,
        None => received_at,
    };
    read(
        event,
        what,
        ["/detail/deploymentId", "/detail/application", "/detail/deploymentGroup", "/detail/state"],
        raised_at,
    )
}

/// Whether it is the message of a trigger on deployments. Those on instances name one, and say nothing of the deployment.
pub(super) fn is_trigger(event: &Value) -> bool {
    event.get("eventTriggerName").is_some()
        && event.get("deploymentId").is_some()
        && event.get("instanceId").is_none()
}

pub(super) fn read_trigger(event: &Value, received_at: Timestamp) -> Result<Signal, Unreadable> {
    // Its times are written for people, in a form that no standard describes. Nothing depends on them.
    read(
        event,
        "the deployment trigger",
        ["/deploymentId", "/applicationName", "/deploymentGroupName", "/status"],
        received_at,
    )
}

fn read(event: &Value, what: &str, paths: [&str; 4], raised_at: Timestamp) -> Result<Signal, Unreadable> {
    let [id, application, group, state] = paths;
    let deployment = text(event, what, id)?;
    let deployment: DeploymentId =
        deployment.parse().map_err(|_| invalid(what, id, deployment, "the id of a deployment"))?;
    let optional = |path| text(event, what, path).unwrap_or_default().to_owned();
    Ok(Signal::Deployment(DeploymentChange {
        deployment,
        application: optional(application),
        group: optional(group),
        state: optional(state),
        raised_at,
    }))
}
