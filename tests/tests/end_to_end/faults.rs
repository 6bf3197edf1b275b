//! Calls that fail, targets that are gone, signals that are late: each has a named outcome, and only traffic that should
//! be back and is not ends as an error.

use jiff::SignedDuration;
use ripcord::release::Phase;
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::runtime_api::InvocationOutcome;
use serde_json::{Value, json};

use crate::scene::{Scene, alarm_at, alarm_now, outcome};

#[track_caller]
fn error(answered: &InvocationOutcome) -> (String, String) {
    match answered {
        InvocationOutcome::Error { error_type, message, .. } => (error_type.clone(), message.clone()),
        other @ (InvocationOutcome::Response(_)
        | InvocationOutcome::Crashed(_)
        | InvocationOutcome::TimedOut) => {
            panic!("no error but {other:?}")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_fail_are_survived_or_said() {
    let scene = Scene::set_for_many_rollbacks().await;
    let faults = scene.local.faults();

    // What passes within three tries of a call is not even noticed, for each call on the way to traffic being back.
    for operation in ["Query", "GetAlias", "UpdateAlias", "TransactWriteItems", "Publish"] {
        for fault in
            [Fault::Throttle, Fault::ServerError { status: 500 }, Fault::DropBefore, Fault::DropAfter]
        {
            scene.release(10).await;
            let name = format!("{operation} {fault:?}");
            faults.add(FaultRule::once(operation, fault));
            let answered = scene.deliver(&alarm_now()).await;
            faults.clear();
            assert!(
                ["restore", "settle", "stand_down"].contains(&outcome(&answered).as_str()),
                "{name}: {answered:?}"
            );
            assert_eq!(scene.traffic_changes().len(), 1, "{name}");
            assert_eq!(scene.latest().await.phase, Phase::RolledBack, "{name}");
            assert!(scene.is_reported().await, "{name}");
        }
    }

    // Traffic that cannot be moved is the loudest outcome, and the next delivery tries again.
    scene.release(10).await;
    faults.add(FaultRule::always("UpdateAlias", Fault::Deny));
    let denied = error(&scene.deliver(&alarm_now()).await);
    faults.clear();
    assert_eq!(denied.0, "RollbackFailed");
    assert!(
        denied.1.contains("lambda:UpdateAlias of checkout:live failed") && denied.1.contains("AccessDenied"),
        "{}",
        denied.1
    );
    assert_eq!(scene.latest().await.phase, Phase::RollbackFailed);
    assert_eq!(scene.count("Publish"), 1, "a person was paged");
    assert_eq!(outcome(&scene.deliver(&alarm_now()).await), "restore");
    assert_eq!(scene.latest().await.phase, Phase::RolledBack);

    // Without the ledger nothing can be decided, and nothing is touched.
    scene.release(10).await;
    faults.add(FaultRule::always("Query", Fault::Deny));
    assert_eq!(error(&scene.deliver(&alarm_now()).await).0, "LedgerUnreadable");
    faults.clear();
    assert!(scene.traffic_changes().is_empty());

    // A notifier that fails does not stop the rollback; the retry tells people.
    let alarm = alarm_now();
    faults.add(FaultRule::always("Publish", Fault::Deny));
    assert_eq!(error(&scene.deliver(&alarm).await).0, "ReportIncomplete");
    faults.clear();
    assert_eq!(scene.traffic_changes().len(), 1);
    assert_eq!(scene.latest().await.phase, Phase::RolledBack);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_gone_or_unknown_is_named() {
    let scene = Scene::set_for_many_rollbacks().await;

    // Nothing was ever released.
    let (outcome_now, reason) = answer(&scene.deliver(&alarm_now()).await);
    assert_eq!(outcome_now, "stand_down");
    assert!(reason.contains("alarm_without_change"), "{reason}");

    // The signal is older than the release.
    let candidate = scene.release(10).await;
    let opened_at = scene.latest().await.opened_at;
    let (outcome_late, reason) =
        answer(&scene.deliver(&alarm_at(opened_at - SignedDuration::from_secs(90))).await);
    assert_eq!(outcome_late, "stand_down");
    assert!(reason.contains("signal_predates_release") && reason.contains("1 min 30 s older"), "{reason}");
    assert!(scene.traffic_changes().is_empty());

    // The alias is gone.
    let client = scene.local.client();
    let path = "/2015-03-31/functions/checkout/aliases/live";
    client.lambda("DELETE", path, &Value::Null).await.unwrap();
    let (error_type, message) = error(&scene.deliver(&alarm_now()).await);
    assert_eq!(
        (error_type.as_str(), message.contains("target api does not exist")),
        ("RollbackFailed", true),
        "{message}"
    );
    assert_eq!(scene.latest().await.phase, Phase::RollbackFailed);

    // The alias is back on the candidate alone, and the stable version was deleted.
    let alias = json!({ "Name": "live", "FunctionVersion": candidate.to_string() });
    client.lambda("POST", "/2015-03-31/functions/checkout/aliases", &alias).await.unwrap();
    client
        .lambda("DELETE", "/2015-03-31/functions/checkout/aliases/live-last-known-good", &Value::Null)
        .await
        .unwrap();
    client.lambda("DELETE", "/2015-03-31/functions/checkout?Qualifier=1", &Value::Null).await.unwrap();
    let ended = scene.deliver(&alarm_now()).await;
    let (error_type, message) = error(&ended);
    assert_eq!(error_type, "RollbackFailed", "{message}");
    assert!(message.contains("lambda:UpdateAlias of checkout:live failed"), "{message}");
}

fn answer(answered: &InvocationOutcome) -> (String, String) {
    match answered {
        InvocationOutcome::Response(response) => (outcome(answered), response.to_string()),
        other @ (InvocationOutcome::Error { .. }
        | InvocationOutcome::Crashed(_)
        | InvocationOutcome::TimedOut) => {
            panic!("no answer but {other:?}")
        }
    }
}

/// What cannot be understood must reach the on-failure queue, by way of Lambda's own retries.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_signal_reaches_the_on_failure_queue() {
    let scene = Scene::set().await;
    let client = scene.local.client();
    let path = "/2015-03-31/functions/ripcord-alarm-rollback/invocations";
    let request = ripcord_rehearsal::aws_client::AwsRequest {
        service: "lambda",
        method: "POST",
        path,
        headers: &[("x-amz-invocation-type", "Event")],
        body: r#"{"source":"aws.cloudwatch","alarmData":{}}"#.into(),
    };
    let accepted = client.send(request).await.unwrap();
    assert_eq!(accepted.status, 202);
    let queue = &scene.stage.suite["FailedSignalsQueueUrl"];
    let ask = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 1, "WaitTimeSeconds": 1 });
    for _ in 0..30 {
        let received = client.json("sqs", "AmazonSQS.ReceiveMessage", &ask).await.unwrap();
        if received.text().contains("SignalUnreadable") {
            assert!(received.text().contains("alarmData"), "the event itself is kept: {}", received.text());
            return;
        }
    }
    panic!("nothing arrived in {queue}; log {}", scene.local.log());
}
