//! Carries out the actions of alarms that changed: a Lambda function, an SNS topic, and always the EventBridge event. It
//! acts on transitions alone and must not judge anything.

use super::{AlarmBoard, Transition, evaluate::AlarmState, payload};
use crate::aws_client::{AwsAnswer, AwsClient, AwsRequest, CallError};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// How often alarms are judged, in wall time. A sixtieth-scale minute lasts a second, so this is often enough.
const TICK_EVERY: Duration = Duration::from_millis(100);
/// The failures kept for whoever looks.
const FAILURES_MAX: usize = 1_000;

/// Actions that could not be carried out, in words.
#[derive(Debug, Default)]
pub(crate) struct ActionFailures(Mutex<Vec<String>>);

impl ActionFailures {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add(&self, failure: String) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < FAILURES_MAX {
            failures.push(failure);
        }
    }
}

/// Judges the alarms and carries out their actions until the returned future is dropped.
pub(crate) async fn run(
    board: Arc<AlarmBoard>,
    client: AwsClient,
    failures: Arc<ActionFailures>,
) -> Infallible {
    let mut ticks = tokio::time::interval(TICK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    // Unbounded on purpose: it ends with the rehearsal, whose drop ends this task and every action in the set.
    loop {
        ticks.tick().await;
        while running.try_join_next().is_some() {}
        for transition in board.tick(Timestamp::now()) {
            let (board, client, failures) = (Arc::clone(&board), client.clone(), Arc::clone(&failures));
            running.spawn(async move { act(&board, &client, &transition, &failures).await });
        }
    }
}

async fn act(board: &AlarmBoard, client: &AwsClient, transition: &Transition, failures: &ActionFailures) {
    let definition = &transition.definition;
    let actions = match transition.current.value {
        AlarmState::Ok => &definition.ok_actions,
        AlarmState::Alarm => &definition.alarm_actions,
        AlarmState::InsufficientData => &definition.insufficient_data_actions,
    };
    let enabled = if definition.actions_enabled { actions.as_slice() } else { &[] };
    // Side by side: one slow action must not hold another back.
    let mut side_by_side = JoinSet::new();
    let (account_id, region) = (board.account_id().to_owned(), board.region().to_owned());
    for arn in enabled {
        let (client, transition, arn) = (client.clone(), transition.clone(), arn.clone());
        let (account_id, region) = (account_id.clone(), region.clone());
        side_by_side.spawn(async move {
            let done = carry_out(&client, &transition, &arn, &account_id, &region).await;
            done.map_err(|reason| format!("{} -> {arn}: {reason}", transition.definition.name))
        });
    }
    if let Err(reason) = check_event(put_event(client, payload::event_entry(transition)).await) {
        failures.add(format!("{} -> EventBridge: {reason}", definition.name));
    }
    while let Some(done) = side_by_side.join_next().await {
        if let Ok(Err(failure)) = done {
            failures.add(failure);
        }
    }
}

async fn carry_out(
    client: &AwsClient,
    transition: &Transition,
    arn: &str,
    account_id: &str,
    region: &str,
) -> Result<(), String> {
    if arn.starts_with("arn:aws:lambda:") {
        let event = payload::lambda_event(transition, account_id, region).to_string();
        return check(invoke(client, arn, event).await);
    }
    if arn.starts_with("arn:aws:sns:") {
        let (subject, message) = payload::sns_message(transition, account_id, region);
        let message = message.to_string();
        let fields = [
            ("Action", "Publish"),
            ("Version", "2010-03-31"),
            ("TopicArn", arn),
            ("Subject", &subject),
            ("Message", &message),
        ];
        return check(client.query("sns", &fields).await);
    }
    Err("the local CloudWatch acts on Lambda functions and SNS topics only".to_owned())
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]` or `NAME[:QUALIFIER]`, asynchronously as services do.
pub(crate) async fn invoke(client: &AwsClient, arn: &str, event: String) -> Result<AwsAnswer, CallError> {
    let function = arn.split_once(":function:").map_or(arn, |(_, rest)| rest);
    let path = match function.split_once(':') {
        Some((name, qualifier)) => format!("/2015-03-31/functions/{name}/invocations?Qualifier={qualifier}"),
        None => format!("/2015-03-31/functions/{function}/invocations"),
    };
    let headers = [("x-amz-invocation-type", "Event"), ("content-type", "application/json")];
    let body = event.into();
    client.send(AwsRequest { service: "lambda", method: "POST", path: &path, headers: &headers, body }).await
}

pub(crate) async fn put_event(client: &AwsClient, entry: Value) -> Result<AwsAnswer, CallError> {
    // The launcher lets `aws.*` sources pass for this field alone.
    let entries = json!({"Entries": [entry], "FromRehearsal": true});
    client.json("events", "AWSEvents.PutEvents", &entries).await
}

/// `PutEvents` answers 200 even when it took no event.
pub(crate) fn check_event(answer: Result<AwsAnswer, CallError>) -> Result<(), String> {
    let text = answer.as_ref().map(AwsAnswer::text).unwrap_or_default();
    check(answer)?;
    let failed =
        serde_json::from_str::<Value>(&text).ok().and_then(|answer| answer["FailedEntryCount"].as_u64());
    if failed == Some(0) { Ok(()) } else { Err(text) }
}

pub(crate) fn check(answer: Result<AwsAnswer, CallError>) -> Result<(), String> {
    match answer {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => Err(format!("{}: {}", answer.status, answer.text())),
        Err(error) => Err(error.to_string()),
    }
}
