//! What says that something is wrong, in every form in which it can arrive.
//!
//! A rollback must not fail on a field that it does not need, so the events are read field by field: what is needed is
//! demanded by name, and everything else may be missing, new or of another type.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::deployment::DeploymentChange;
use crate::names::{AlarmArn, Generation, ServiceName, Version};
use crate::place::configuration::DeploymentNumber;

mod arrival;
mod deployment;
mod pipeline;

/// Says that something is wrong, or is well again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// A CloudWatch alarm changed its state.
    Alarm(AlarmChange),
    /// An operator pulled the cord.
    Operator(RollbackCommand),
    /// The state machine that drives a release gave it up, or ended.
    Pipeline(PipelineFailure),
    /// CodeDeploy began a deployment, or ended one.
    Deployment(DeploymentChange),
    /// What was under way at a place has ended.
    Arrival(Arrival),
}

impl Signal {
    /// When it was raised, by the clock of whoever raised it.
    pub fn raised_at(&self) -> Timestamp {
        match self {
            Self::Alarm(alarm) => alarm.changed_at,
            Self::Operator(command) => command.requested_at,
            Self::Pipeline(failure) => failure.raised_at,
            Self::Deployment(change) => change.raised_at,
            Self::Arrival(arrival) => arrival.raised_at,
        }
    }
}

/// A state transition of an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmChange {
    /// Which alarm.
    pub alarm: AlarmArn,
    /// The state it went to.
    pub state: AlarmState,
    /// When it went there. With the ARN this identifies the transition: a re-executed action repeats both.
    pub changed_at: Timestamp,
    /// CloudWatch's sentence about why.
    pub why: String,
    /// CloudWatch's data behind the sentence, such as the datapoints; kept as evidence, never read.
    pub data: Option<Value>,
    /// Set when a composite alarm changed while its actions were suppressed: EventBridge reports that all the same.
    pub suppressed_by: Option<String>,
}

/// The states of a CloudWatch alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// Within its threshold.
    Ok,
    /// Beyond its threshold.
    Alarm,
    /// Too little data to tell.
    InsufficientData,
}

/// An operator's command to put a service back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackCommand {
    /// Which service.
    pub service: ServiceName,
    /// Which release is to be given up. Without one, whatever is live goes back; with one, nothing moves unless it is the one
    /// that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Generation>,
    /// To which version; without one, to the last good version.
    pub to: Option<Version>,
    /// Why, in the operator's words.
    pub why: Option<String>,
    /// Who.
    pub requested_by: Option<String>,
    /// When.
    pub requested_at: Timestamp,
}

/// An execution of the release state machine that does not go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineFailure {
    /// Which service it was started for.
    pub service: ServiceName,
    /// The execution's ARN: it speaks for the release that it drives, and for no other.
    pub execution: String,
    /// Whether a person said no.
    pub rejected: bool,
    /// Whether the version itself was measured to be bad.
    #[serde(default)]
    pub measured_bad: bool,
    /// The release train that brings back what the execution has released, even if that is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// Why.
    pub why: String,
    /// When.
    pub raised_at: Timestamp,
}

/// AWS's word that something under way at a place has ended. It says nothing of whose it was: what is there now is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The place, as [`crate::place::Place`] is written.
    pub place: String,
    /// What ended, in AWS's words.
    pub what: String,
    /// Set when what ended is a deployment that did not stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<TakenBack>,
    /// When.
    pub raised_at: Timestamp,
}

/// A deployment that AppConfig has taken back, or somebody through it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// Which.
    pub deployment: DeploymentNumber,
    /// Who did it, in AppConfig's words. The event does not say: AppConfig is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether an alarm did, which its environment watches.
    #[serde(default)]
    pub by_alarm: bool,
}

/// What one record of an event turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Something to decide about.
    Signal(Box<Signal>),
    /// Well-formed, and none of our business.
    Foreign(String),
    /// Perhaps a signal, but not to be understood. It must not get lost.
    Unreadable(Unreadable),
}

/// Why an event cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unreadable {
    /// Not a JSON object where one must be.
    #[error("{what} is not a JSON object but {found}")]
    NotAnObject {
        /// The part of the event.
        what: String,
        /// What stands there.
        found: String,
    },
    /// A field that is needed is not there, or is not text.
    #[error("{what} has no text field {field}")]
    Missing {
        /// The part of the event.
        what: String,
        /// The field, as a path.
        field: String,
    },
    /// A field that is needed has a value that it cannot have.
    #[error("{what} has {field} = {value}, which is not {rule}")]
    Invalid {
        /// The part of the event.
        what: String,
        /// The field, as a path.
        field: String,
        /// The value, as JSON.
        value: String,
        /// What it must be.
        rule: String,
    },
    /// None of the forms that we know.
    #[error("the event is of no known form; its fields are: {fields}")]
    UnknownForm {
        /// The names of its fields.
        fields: String,
    },
}

/// Reads an event. Never empty: an event without records is unreadable.
pub fn read(event: &Value, received_at: Timestamp) -> Vec<Reading> {
    // What Lambda puts on an on-failure queue holds the event as it was, so it may be sent again as it lies there. A JSON
    // text nests to 128 levels at most, and so do these.
    if let (Some(event), Some(_)) = (event.get("requestPayload"), event.get("requestContext")) {
        return read(event, received_at);
    }
    match event.get("Records").and_then(Value::as_array) {
        Some(records) if !records.is_empty() => {
            records.iter().flat_map(|record| read_record(record, received_at)).collect()
        }
        Some(_) | None => vec![read_one(event, received_at)],
    }
}

fn read_record(record: &Value, received_at: Timestamp) -> Vec<Reading> {
    if let Some(message) = record.pointer("/Sns/Message") {
        return read_embedded(message, "the SNS message", received_at);
    }
    match record.get("eventSource").and_then(Value::as_str) {
        Some("aws:sqs") => match record.get("body") {
            Some(body) => read_embedded(body, "the SQS body", received_at),
            None => vec![missing("the SQS record", "body")],
        },
        Some(other) => vec![Reading::Foreign(format!("a record of {other}"))],
        None => vec![Reading::Unreadable(Unreadable::UnknownForm { fields: fields_of(record) })],
    }
}

/// A message that is JSON inside a JSON string, as SNS and SQS carry it; SNS inside SQS is one more layer.
fn read_embedded(message: &Value, what: &str, received_at: Timestamp) -> Vec<Reading> {
    let Some(text) = message.as_str() else { return vec![missing(what, "a text")] };
    let inner: Value = match serde_json::from_str(text) {
        Ok(inner) => inner,
        Err(_) => {
            return vec![Reading::Unreadable(Unreadable::NotAnObject {
                what: what.to_owned(),
                found: format!("the text {:?}", text.chars().take(80).collect::<String>()),
            })];
        }
    };
    if !is_sns_envelope(&inner) {
        return read(&inner, received_at);
    }
    match inner.get("Message").and_then(Value::as_str).map(serde_json::from_str::<Value>) {
        Some(Ok(innermost)) => vec![read_one(&innermost, received_at)],
        Some(Err(_)) => vec![Reading::Unreadable(Unreadable::NotAnObject {
            what: "the SNS message in the SQS body".to_owned(),
            found: "a text".to_owned(),
        })],
        None => vec![missing("the SNS envelope in the SQS body", "/Message")],
    }
}

fn is_sns_envelope(value: &Value) -> bool {
    value.get("TopicArn").is_some() || value.get("Type").and_then(Value::as_str) == Some("Notification")
}

fn read_one(event: &Value, received_at: Timestamp) -> Reading {
    let Some(object) = event.as_object() else {
        let found = match event {
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        return Reading::Unreadable(Unreadable::NotAnObject {
            what: "the event".into(),
            found: found.into(),
        });
    };
    if object.contains_key("command") {
        return settle(read_command(event, received_at));
    }
    if object.contains_key("execution") {
        return pipeline::read_task(event, received_at);
    }
    // Either field tells the form, so that an alarm which lacks one is reported as lacking it, and not ignored.
    if object.contains_key("AlarmName") || object.contains_key("AlarmArn") {
        return settle(read_sns_alarm(event));
    }
    if object.contains_key("alarmData") || object.contains_key("alarmArn") {
        return settle(read_direct_alarm(event));
    }
    let source = event.get("source").and_then(Value::as_str);
    if let Some(detail_type) = event.get("detail-type").and_then(Value::as_str) {
        return match source {
            Some(CLOUDWATCH) | None if detail_type == "CloudWatch Alarm State Change" => {
                settle(read_eventbridge_alarm(event))
            }
            Some("aws.states") if detail_type == pipeline::STATUS_CHANGE => {
                pipeline::read_status_change(event, received_at)
            }
            Some("aws.codedeploy") if detail_type == deployment::STATE_CHANGE => {
                settle(deployment::read_state_change(event, received_at))
            }
            Some("aws.ecs") if detail_type == arrival::ECS_DEPLOYMENT => {
                arrival::read_ecs_deployment(event, received_at)
            }
            Some("aws.cloudformation") if detail_type == arrival::STACK_STATUS => {
                arrival::read_stack_status(event, received_at)
            }
            // AppConfig's guides do not agree on how its events are titled; the type inside is one.
            Some("aws.appconfig") if event.pointer(arrival::APPCONFIG_TYPE).is_some() => {
                arrival::read_configuration_deployment(event, received_at)
            }
            Some(source) => Reading::Foreign(format!("{detail_type:?} of {source}")),
            None => Reading::Foreign(format!("{detail_type:?} of an unnamed source")),
        };
    }
    if deployment::is_trigger(event) {
        return settle(deployment::read_trigger(event, received_at));
    }
    // Other publishers share a team's topics: a CodeDeploy trigger of an instance, say. An object that names its kind is theirs. What
    // comes from CloudWatch and does not say what it is may be an alarm, and must not get lost.
    if source != Some(CLOUDWATCH) {
        for kind in ["source", "eventSource", "eventTriggerName", "Type", "Event"] {
            if let Some(name) = event.get(kind).and_then(Value::as_str) {
                return Reading::Foreign(format!("an event with {kind} = {name:?}"));
            }
        }
    }
    Reading::Unreadable(Unreadable::UnknownForm { fields: fields_of(event) })
}

const CLOUDWATCH: &str = "aws.cloudwatch";

fn settle(read: Result<Signal, Unreadable>) -> Reading {
    match read {
        Ok(signal) => Reading::Signal(Box::new(signal)),
        Err(unreadable) => Reading::Unreadable(unreadable),
    }
}

/// The payload with which CloudWatch invokes a function directly.
fn read_direct_alarm(event: &Value) -> Result<Signal, Unreadable> {
    let what = "the alarm event";
    read_alarm_state(event, what, text(event, what, "/alarmArn")?, "/alarmData")
}

/// The same content by way of EventBridge, where the ARN is the event's resource.
fn read_eventbridge_alarm(event: &Value) -> Result<Signal, Unreadable> {
    let what = "the alarm state change event";
    read_alarm_state(event, what, text(event, what, "/resources/0")?, "/detail")
}

fn read_alarm_state(event: &Value, what: &str, arn: &str, at: &str) -> Result<Signal, Unreadable> {
    let state_path = format!("{at}/state/value");
    let timestamp_path = format!("{at}/state/timestamp");
    let optional = |field: &str| event.pointer(&format!("{at}/state/{field}"));
    Ok(Signal::Alarm(AlarmChange {
        alarm: alarm_arn(what, arn)?,
        state: alarm_state(what, &state_path, text(event, what, &state_path)?)?,
        changed_at: timestamp(what, &timestamp_path, text(event, what, &timestamp_path)?)?,
        why: optional("reason").and_then(Value::as_str).unwrap_or_default().to_owned(),
        // CloudWatch sends a JSON text; one that is not JSON is still evidence.
        data: optional("reasonData").map(|data| match data.as_str() {
            Some(json) => serde_json::from_str(json).unwrap_or_else(|_| data.clone()),
            None => data.clone(),
        }),
        // Only the state gone to counts: a `previousState` that was suppressed means that suppression has just ended.
        suppressed_by: optional("actionsSuppressedBy").and_then(Value::as_str).map(str::to_owned),
    }))
}

/// The message that CloudWatch publishes to SNS.
fn read_sns_alarm(message: &Value) -> Result<Signal, Unreadable> {
    let what = "the alarm message";
    Ok(Signal::Alarm(AlarmChange {
        alarm: alarm_arn(what, text(message, what, "/AlarmArn")?)?,
        state: alarm_state(what, "/NewStateValue", text(message, what, "/NewStateValue")?)?,
        changed_at: timestamp(what, "/StateChangeTime", text(message, what, "/StateChangeTime")?)?,
        why: message.get("NewStateReason").and_then(Value::as_str).unwrap_or_default().to_owned(),
        data: message.get("Trigger").cloned(),
        suppressed_by: None,
    }))
}

fn read_command(event: &Value, received_at: Timestamp) -> Result<Signal, Unreadable> {
    let what = "the command";
    let command = text(event, what, "/command")?;
    if command != "rollback" {
        return Err(invalid(what, "/command", command, "rollback"));
    }
    let service = text(event, what, "/service")?;
    let optional_text = |field: &str| match event.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(given)) => Ok(Some(given.clone())),
        Some(other) => Err(invalid(what, &format!("/{field}"), other.clone(), "a text")),
    };
    Ok(Signal::Operator(RollbackCommand {
        service: service.parse().map_err(|_| invalid(what, "/service", service, "a service's name"))?,
        to: optional_text("to")?
            .map(|to| {
                to.parse().map_err(|_| invalid(what, "/to", to.as_str(), "the number of a published version"))
            })
            .transpose()?,
        release: match event.get("release") {
            None | Some(Value::Null) => None,
            Some(number) => {
                let generation = number.as_u64().map(Generation);
                let wrong = || invalid(what, "/release", number.clone(), "the number of a release");
                Some(generation.ok_or_else(wrong)?)
            }
        },
        why: optional_text("reason")?,
        requested_by: optional_text("requested_by")?,
        requested_at: optional_text("requested_at")?
            .map(|at| timestamp(what, "/requested_at", &at))
            .transpose()?
            .unwrap_or(received_at),
    }))
}

fn text<'event>(event: &'event Value, what: &str, path: &str) -> Result<&'event str, Unreadable> {
    event
        .pointer(path)
        .and_then(Value::as_str)
        .ok_or_else(|| Unreadable::Missing { what: what.to_owned(), field: path.to_owned() })
}

fn alarm_arn(what: &str, arn: &str) -> Result<AlarmArn, Unreadable> {
    arn.parse().map_err(|_| invalid(what, "the alarm's ARN", arn, "the ARN of a CloudWatch alarm"))
}

fn alarm_state(what: &str, path: &str, state: &str) -> Result<AlarmState, Unreadable> {
    match state {
        "OK" => Ok(AlarmState::Ok),
        "ALARM" => Ok(AlarmState::Alarm),
        "INSUFFICIENT_DATA" => Ok(AlarmState::InsufficientData),
        other => Err(invalid(what, path, other, "OK, ALARM or INSUFFICIENT_DATA")),
    }
}

/// CloudWatch writes offsets without a colon: `2023-08-04T12:36:15.490+0000`.
fn timestamp(what: &str, path: &str, text: &str) -> Result<Timestamp, Unreadable> {
    text.parse().map_err(|_| invalid(what, path, text, "a time with its offset from UTC"))
}

fn invalid(what: &str, field: &str, value: impl Into<Value>, rule: &str) -> Unreadable {
    let value = value.into().to_string();
    Unreadable::Invalid { what: what.into(), field: field.into(), value, rule: rule.into() }
}

fn missing(what: &str, field: &str) -> Reading {
    Reading::Unreadable(Unreadable::Missing { what: what.into(), field: field.into() })
}

fn fields_of(value: &Value) -> String {
    let names: Vec<&str> =
        value.as_object().into_iter().flat_map(|object| object.keys()).map(String::as_str).take(12).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
