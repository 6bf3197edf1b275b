//! The state machine's own signals: the task that puts its release back, and EventBridge's word that an execution ended.

use jiff::Timestamp;
use serde_json::Value;

use super::{PipelineFailure, Reading, Signal, settle, text, timestamp};
use crate::error_type::ErrorType;
use crate::names::ServiceName;

pub(super) const STATUS_CHANGE: &str = "Step Functions Execution Status Change";

/// `{execution, input, failure, at}`: a task of the state machine, with what the execution was started with and the error
/// that was caught, or the last answer that said to go back. With `train`, a release train brings back what that execution
/// has released.
pub(super) fn read_task(event: &Value, received_at: Timestamp) -> Reading {
    let what = "the state machine's task";
    let Some(service) = event.get("input").and_then(service_of) else { return names_no_service(event) };
    let read = || {
        Ok(PipelineFailure {
            service,
            execution: text(event, what, "/execution")?.to_owned(),
            measured_bad: event.pointer("/failure/measured_bad").and_then(Value::as_bool) == Some(true),
            rejected: event.pointer("/failure/Error").and_then(Value::as_str)
                == Some(ErrorType::ApprovalRejected.as_str()),
            train: event.get("train").and_then(Value::as_str).map(str::to_owned),
            why: failure(event),
            raised_at: match event.get("at").and_then(Value::as_str) {
                Some(at) => timestamp(what, "/at", at)?,
                None => received_at,
            },
        })
    };
    settle(read().map(Signal::Pipeline))
}

/// An execution that failed, timed out or was stopped from outside. One that is running or has succeeded is no signal.
pub(super) fn read_status_change(event: &Value, received_at: Timestamp) -> Reading {
    let what = "the execution's status change";
    let status = match text(event, what, "/detail/status") {
        Ok(status) => status,
        Err(unreadable) => return Reading::Unreadable(unreadable),
    };
    if !matches!(status, "FAILED" | "TIMED_OUT" | "ABORTED") {
        return Reading::Foreign(format!("an execution that is {status}"));
    }
    // EventBridge leaves out an input that is too long for it; ours never is.
    let input = event.pointer("/detail/input").and_then(Value::as_str);
    let Some(input) = input.and_then(|input| serde_json::from_str::<Value>(input).ok()) else {
        return names_no_service(event);
    };
    let Some(service) = service_of(&input) else { return names_no_service(event) };
    let read = || {
        Ok(PipelineFailure {
            service,
            execution: text(event, what, "/detail/executionArn")?.to_owned(),
            rejected: false,
            measured_bad: false,
            train: None,
            why: [
                Some(format!("its execution ended as {status}")),
                field(event, "error"),
                field(event, "cause"),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": "),
            raised_at: match event.get("time").and_then(Value::as_str) {
                Some(at) => timestamp(what, "/time", at)?,
                None => received_at,
            },
        })
    };
    settle(read().map(Signal::Pipeline))
}

/// An execution that names no service has opened no release: the first thing that it does is refused.
fn names_no_service(event: &Value) -> Reading {
    let execution = event.pointer("/detail/executionArn").or_else(|| event.get("execution"));
    let execution = execution.and_then(Value::as_str).unwrap_or("that is not named");
    Reading::Foreign(format!("an execution whose input names no service ({execution})"))
}

fn service_of(input: &Value) -> Option<ServiceName> {
    input.get("service")?.as_str()?.parse().ok()
}

fn field(event: &Value, name: &str) -> Option<String> {
    let text = event.pointer(&format!("/detail/{name}"))?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// What the state machine caught: an error's name and its cause, which for a function is a JSON text; or the reason that a
/// function gave for going back.
fn failure(event: &Value) -> String {
    let text_at = |path: &str| event.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(reason) = text_at("/failure/reason") {
        return reason.to_owned();
    }
    let parsed = text_at("/failure/Cause").and_then(|cause| serde_json::from_str::<Value>(cause).ok());
    if let Some(told) = parsed.as_ref().and_then(release_failure) {
        return told;
    }
    let cause = text_at("/failure/Cause").map(|cause| {
        let message = parsed.as_ref().and_then(|cause| cause.get("errorMessage")).and_then(Value::as_str);
        message.unwrap_or(cause).to_owned()
    });
    let said: Vec<String> = text_at("/failure/Error").map(str::to_owned).into_iter().chain(cause).collect();
    if said.is_empty() { "no reason was given".to_owned() } else { said.join(": ") }
}

/// What a train's task caught: the description of a release's execution that failed, with the input that names its service.
fn release_failure(cause: &Value) -> Option<String> {
    let input: Value = serde_json::from_str(cause.get("Input")?.as_str()?).ok()?;
    let service = service_of(&input)?;
    let text = |name: &str| cause.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let said: Vec<&str> = [text("Status"), text("Error"), text("Cause")].into_iter().flatten().collect();
    Some(format!("the release of {service} ended as {}", said.join(": ")))
}
