//! What the handlers' tests share: the event, the clients' settings and what came out.

use std::fs;
use std::path::Path;

use alarm_rollback::{Alarms, Answers, Pull, answer};
use alias_weight_shifter::{Shifted, Shifter, shift};
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use aws_smithy_mocks::{Rule, mock};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::situation::ServiceRecord;
use serde_json::{Value, json};

use super::scene::{ALARM, Scene, alias, clock, deadline, refusal, seen_in_turn};
use crate::worlds::{SERVICE, World, canary};

const NAMESPACE: &str = "ripcord/Deployments";

/// The direct event of the service's alarm, changed to `state` at a time like `10:04:00`.
pub(super) fn alarm_event(state: &str, time: &str) -> Value {
    json!({
        "source": "aws.cloudwatch",
        "alarmArn": ALARM,
        "alarmData": {
            "alarmName": "errors",
            "state": {
                "value": state,
                "reason": "3 of 3 datapoints were greater than the threshold (1.0)",
                "timestamp": format!("2026-03-02T{time}.000+0000"),
            },
        },
    })
}

pub(super) fn command(fields: &Value) -> Value {
    let mut command = json!({ "command": "rollback", "service": SERVICE, "requested_by": "ada" });
    command.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    command
}

/// One of the events that the repository describes.
pub(super) fn file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A process of the rollback function.
pub(super) fn puller(scene: &Scene) -> Pull {
    Pull { aws: scene.aws.clone(), namespace: NAMESPACE.to_owned(), clock, alarms: Alarms::default() }
}

/// Answers an event in a new process.
pub(super) async fn answered(scene: &Scene, event: &Value) -> Result<Answers, Failure> {
    answer(event, deadline(), &puller(scene)).await
}

/// Shifts in a new process.
pub(super) async fn shifted(scene: &Scene, event: &Value) -> Result<Shifted, Failure> {
    let shifter = Shifter { aws: scene.aws.clone(), clock };
    shift(event, deadline(), &shifter).await
}

/// The outcomes, and the kinds of their reasons.
pub(super) fn outcomes(answers: Result<Answers, Failure>) -> Vec<String> {
    let answers = answers.unwrap_or_else(|failure| panic!("{failure}")).answers;
    answers
        .into_iter()
        .map(|answer| match answer.reason_kind {
            Some(kind) => format!("{}: {kind}", answer.outcome),
            None => format!("{}: {}", answer.outcome, answer.reason),
        })
        .collect()
}

/// Release 5 has 10 % of the traffic.
pub(super) fn releasing() -> ServiceRecord {
    World::checkout().released(canary()).record
}

/// The alias before and after the rollback.
pub(super) fn restored() -> Rule {
    seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1"), alias("1", &[], "r2")])
}

pub(super) fn always<T>(looks: T) -> Rule
where
    T: Fn() -> GetAliasOutput + Send + Sync + 'static,
{
    mock!(Lambda::get_alias).then_output(looks)
}

pub(super) fn refusing_updates(status: u16, error: &str) -> Rule {
    mock!(Lambda::update_alias).sequence().http_status(status, Some(refusal(error))).repeatedly().build()
}

/// State machines and alarms match on these names: they are never renamed, only added to.
#[test]
fn the_names_of_failures_are_frozen() {
    let names: Vec<&str> = ErrorType::EVERY.iter().map(|error_type| error_type.as_str()).collect();
    insta::assert_snapshot!(names.join(" "), @"RollbackFailed RollbackUnderWay ReportIncomplete SignalUnreadable LedgerUnreadable DeploymentUnreadable RequestInvalid ServiceUnknown VersionUnusable ReleaseConflict ReleaseClosed VersionQuarantined ServiceHeld AliasDrifted AliasMissing ShiftFailed PreflightFailed ApprovalMissing ApprovalRejected Contended");
}
