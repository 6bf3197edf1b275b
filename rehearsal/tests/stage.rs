//! The stage on which releases are rehearsed. A stand-in takes the artefact's place, so that this needs no release build.

use ripcord_rehearsal::{
    LocalAws, Options,
    checkout::{Behaviour, SERVICE, SlowTail, Stage},
    executions::ExecutionStatus,
    front::call::Caller,
};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_release_is_started_watched_and_stopped_and_its_functions_break_and_mend() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let local = LocalAws::start(Options::default()).await.unwrap();
    let stand_in = workspace.join("rehearsal/tests/echo/code/bootstrap");
    let stage = Stage::set(&local, workspace, &stand_in).await.unwrap();

    // A function that dies at its start fails every call, and comes back.
    let shifter = "alias-weight-shifter";
    let ask = async || stage.invoke(&local, shifter, &json!({"asked": true})).await.unwrap();
    assert_eq!(ask().await.unwrap()["event"]["asked"], true);
    stage.break_function(&local, shifter).await.unwrap();
    assert_eq!(ask().await.unwrap_err()["errorType"], "Runtime.ExitError");
    stage.mend_function(&local, shifter).await.unwrap();
    assert_eq!(ask().await.unwrap()["event"]["asked"], true);

    // The stand-in knows nothing of releases, so the execution asks it once and goes down.
    local.journal().clear();
    let execution = stage.start_release(&local, &json!({"service": SERVICE})).await.unwrap();
    let ended = stage.until_ended(&local, &execution, SOON).await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Failed, "{ended:?}");
    assert_eq!(ended.error.as_deref(), Some("States.Runtime"), "{ended:?}");
    assert_eq!(stage.execution(&local, &execution).await.unwrap(), ended);
    let history = stage.history(&local, &execution).await.unwrap();
    let first = (String::new(), "ExecutionStarted".to_owned());
    assert_eq!(
        (history.first(), history.last().map(|(_, kind)| kind.as_str())),
        (Some(&first), Some("ExecutionFailed"))
    );
    let tasks = local.journal().matching(|entry| entry.caller == Caller::States);
    assert_eq!(tasks.len(), 1, "{tasks:?}");

    let execution = stage.start_release(&local, &json!({"service": SERVICE})).await.unwrap();
    stage.stop(&local, &execution, "a test said so").await.unwrap();
    let stopped = stage.execution(&local, &execution).await.unwrap();
    let expected = (ExecutionStatus::Aborted, Some("a test said so".to_owned()));
    assert_eq!((stopped.status, stopped.cause), expected);

    // The example may be slow to some.
    let tail = SlowTail { percent: 100, latency_ms: 400 };
    let slow = stage.publish_with_tail(&local, Behaviour::default(), tail).await.unwrap();
    let quick = stage.publish(&local, Behaviour::default()).await.unwrap();
    let duration = async |version| {
        let path = format!("/2015-03-31/functions/{SERVICE}/invocations?Qualifier={version}");
        let invoke = async || local.client().lambda("POST", &path, &Value::Null).await.unwrap();
        // The first one starts the process.
        assert!(invoke().await.status.is_success());
        let started = Instant::now();
        assert!(invoke().await.status.is_success());
        started.elapsed()
    };
    assert!(duration(slow).await >= Duration::from_millis(400));
    assert!(duration(quick).await < Duration::from_millis(400));
}
