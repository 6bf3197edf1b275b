//! The desk answers in time: whatever the checks do, and whatever CodeDeploy does with the answer.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use aws_sdk_codedeploy::operation::put_lifecycle_event_hook_execution_status::{
    PutLifecycleEventHookExecutionStatusError, PutLifecycleEventHookExecutionStatusOutput,
};
use aws_sdk_codedeploy::types::error::LifecycleEventAlreadyCompletedException;
use jiff::Timestamp;
use ripcord::aws::apart::Apart;
use ripcord::aws::hook::{Desk, HookReport, answer};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::hook::{HookVerdict, Owner};
use serde_json::Value;

use super::*;
use crate::adapters::scene::publishes;

/// Checks that do this, in the words of a shell. Their request and answer go over standard input.
fn checks(script: &str) -> (tempfile::TempDir, Apart) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("checks");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, Apart::in_program(program))
}

/// Checks that come to this verdict.
fn saying(verdict: HookVerdict) -> String {
    let owner = Some(Owner { service: SERVICE.parse().unwrap(), generation: Generation(5) });
    let checked = Checked::unchecked(owner, BEFORE_TRAFFIC, verdict);
    format!("read work\nprintf '%s\\n' '{}' >&0", serde_json::to_string(&checked).unwrap())
}

fn event() -> Value {
    json!({ "DeploymentId": OURS, "LifecycleEventHookExecutionId": "e1" })
}

/// Answers with a second for the checks beside what ending them and the answer may take, and sees to it that the answer was out in time.
async fn answered(script: &str, rules: &[&Rule]) -> (Scene, Result<HookReport, Failure>) {
    let (_folder, apart) = checks(script);
    let scene = Scene::new(rules);
    let hook = Hook { clock: Timestamp::now, ..hook(&scene) };
    let desk = Desk { hook, apart, event: BEFORE_TRAFFIC };
    let deadline = Timestamp::now() + Duration::from_millis(8_400);
    let report = answer(&event(), deadline, HERE, &desk).await;
    assert!(Timestamp::now() <= deadline - Duration::from_secs(2), "answered too late");
    (scene, report)
}

fn takes_answers() -> Rule {
    mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
        .then_output(|| PutLifecycleEventHookExecutionStatusOutput::builder().build())
}

fn puts(scene: &Scene) -> Vec<String> {
    let calls = scene.calls();
    calls.lines().filter(|call| call.contains("PutLifecycle")).map(str::to_owned).collect()
}

fn put(status: &str) -> String {
    format!("codedeploy:PutLifecycleEventHookExecutionStatus {OURS} e1 {status}")
}

#[tokio::test]
async fn whatever_the_checks_do_codedeploy_is_told_no_and_people_why() {
    for (script, why) in [
        ("exec sleep 60", "the check did not answer within"),
        ("echo panicked: no such thing >&2; exit 101", "panicked: no such thing"),
        ("kill -KILL $$", "signal: 9 (SIGKILL)"),
        ("kill -ABRT $$", "signal: 6 (SIGABRT)"),
        ("echo nonsense >&0; sleep 1", "the check's answer cannot be read"),
        ("exit 0", "the check died"),
    ] {
        let (takes, deploys, placed) = (takes_answers(), deploys(), placed_here());
        let (recorded, writes, publishes) = (recorded(&opened()), writes(), publishes());
        let (scene, report) =
            answered(script, &[&takes, &deploys, &placed, &recorded, &writes, &publishes]).await;
        let report = report.unwrap();
        assert!(report.accepted && !report.checked.verdict.succeeded, "{script}");
        assert!(report.checked.verdict.why.contains(why), "{script}: {}", report.checked.verdict.why);
        assert_eq!(puts(&scene), [put("Failed")], "{script}");
        assert!(
            scene.calls().starts_with(&put("Failed")),
            "CodeDeploy is answered before anything: {}",
            scene.calls()
        );
        assert!(kept(&scene, 5, BEFORE_TRAFFIC).why.contains(why));
        assert!(written(&scene).deployment.unwrap().failed_hook.unwrap().contains(why));
        let [(subject, _, _)] = scene.published().try_into().unwrap();
        assert_eq!(subject, "checkout: deployment d-OURS00001 is refused (BeforeAllowTraffic)");
    }
}

#[tokio::test]
async fn a_yes_is_passed_on_and_nobody_is_told() {
    let script = saying(HookVerdict::succeeded("all is well"));
    let (scene, report) = answered(&script, &[&takes_answers()]).await;
    assert_eq!(report.unwrap().checked.verdict, HookVerdict::succeeded("all is well"));
    assert_eq!(scene.calls(), put("Succeeded"));
}

#[tokio::test]
async fn a_yes_that_leaves_something_unproved_is_told() {
    let doubtful = HookVerdict { is_doubtful: true, ..HookVerdict::succeeded("not proved within 5 min") };
    let (scene, report) = answered(&saying(doubtful), &[&takes_answers(), &publishes()]).await;
    assert!(report.unwrap().accepted);
    let [(subject, attributes, _)] = scene.published().try_into().unwrap();
    assert_eq!(subject, "checkout: deployment d-OURS00001 goes on unproved (BeforeAllowTraffic)");
    assert_eq!(attributes["severity"], "warning");
}

#[tokio::test]
async fn three_events_are_three_answers_of_which_codedeploy_takes_one_and_people_hear_once() {
    let takes_one = mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
        .sequence()
        .output(|| PutLifecycleEventHookExecutionStatusOutput::builder().build())
        .error(|| {
            let done = LifecycleEventAlreadyCompletedException::builder().build();
            PutLifecycleEventHookExecutionStatusError::LifecycleEventAlreadyCompletedException(done)
        })
        .repeatedly()
        .build();
    let (_folder, apart) = checks(&saying(HookVerdict::failed("no database")));
    let scene = Scene::new(&[&takes_one, &publishes()]);
    let desk = Desk { hook: Hook { clock: Timestamp::now, ..hook(&scene) }, apart, event: BEFORE_TRAFFIC };
    for expected in [true, false, false] {
        let deadline = Timestamp::now() + Duration::from_secs(30);
        assert_eq!(answer(&event(), deadline, HERE, &desk).await.unwrap().accepted, expected);
    }
    assert_eq!(puts(&scene).len(), 3);
    assert_eq!(scene.published().len(), 1);
}

#[tokio::test]
async fn an_answer_is_tried_again_and_one_that_is_not_taken_keeps_the_event() {
    let slow = mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
        .sequence()
        .http_status(400, Some(refusal("ThrottlingException")))
        .times(3)
        .output(|| PutLifecycleEventHookExecutionStatusOutput::builder().build())
        .build();
    let script = saying(HookVerdict::succeeded("all is well"));
    assert!(answered(&script, &[&slow]).await.1.unwrap().accepted);
    let never = mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
        .sequence()
        .http_status(400, Some(refusal("ThrottlingException")))
        .repeatedly()
        .build();
    let failure = answered(&script, &[&never]).await.1.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReportIncomplete);
    assert!(
        failure.message.starts_with("CodeDeploy was not told yes: codedeploy:Put"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_any_more_is_no_failure_and_told_to_nobody() {
    for error in ["InvalidLifecycleEventHookExecutionIdException", "DeploymentDoesNotExistException"] {
        let stopped = mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
            .sequence()
            .http_status(400, Some(refusal(error)))
            .build();
        let (scene, report) = answered(&saying(HookVerdict::failed("no database")), &[&stopped]).await;
        assert!(!report.unwrap().accepted, "{error}");
        assert_eq!(scene.calls(), put("Failed"), "{error}");
    }
}

#[tokio::test]
async fn the_checks_have_what_ending_them_and_the_answer_leave_of_the_time() {
    let (_folder, apart) = checks("exec sleep 60");
    let scene =
        Scene::new(&[&takes_answers(), &refusing_looks(OURS, 400, "DeploymentDoesNotExistException")]);
    let desk = Desk { hook: hook(&scene), apart, event: BEFORE_TRAFFIC };
    // The clock stands still: of 7,500 ms, 2,000 are spare, 5,000 the answer's, and 400 for ending the checks.
    let report = answer(&event(), clock() + Duration::from_millis(7_500), HERE, &desk).await.unwrap();
    assert_eq!(report.checked.verdict.why, "the check did not answer within 100 ms");
}

#[tokio::test]
async fn what_is_no_hooks_event_is_nobodys_to_answer() {
    let (_folder, apart) = checks("exit 0");
    let scene = Scene::new(&[]);
    let desk = Desk { hook: hook(&scene), apart, event: BEFORE_TRAFFIC };
    for event in [
        json!({}),
        json!(null),
        json!({ "DeploymentId": "i-1", "LifecycleEventHookExecutionId": "e" }),
        json!({ "DeploymentId": OURS }),
        json!({ "DeploymentId": OURS, "LifecycleEventHookExecutionId": "" }),
    ] {
        let failure = answer(&event, deadline(), HERE, &desk).await.unwrap_err();
        assert_eq!(failure.error_type, ErrorType::SignalUnreadable);
    }
    assert_eq!(scene.calls(), "");
}
