//! Events that come more than once, that come to a function which cannot start, and that are of a way back.

use super::*;
use crate::scene::ANSWER_WAIT_MAX;

/// The event that CodeDeploy has called the deployment's first hook with.
async fn event_of(deployed: &Deployed, id: &str) -> Value {
    let called = || deployed.scene.local.codedeploy().deployment(id)?.hook_executions.first().cloned();
    let execution = ripcord_rehearsal::wait_until("the hook's call", WAIT_MAX, called).await.unwrap();
    json!({ "DeploymentId": id, "LifecycleEventHookExecutionId": execution })
}

/// The same event to a process of its own.
async fn delivered(deployed: &Deployed, hook: Hook, event: &Value) -> InvocationOutcome {
    deployed.scene.process(hook.handler()).await.invoke(event.to_string(), ANSWER_WAIT_MAX).await
}

#[track_caller]
fn report(answered: InvocationOutcome) -> Value {
    match answered {
        InvocationOutcome::Response(report) => report,
        other @ (InvocationOutcome::Error { .. }
        | InvocationOutcome::Crashed(_)
        | InvocationOutcome::TimedOut) => panic!("no report but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_delivered_three_times_is_one_answer_and_one_notice() {
    let deployed = Deployed::set().await;
    let version = deployed.publish(Behaviour { error_percent: 100, latency_ms: 1_000 }).await;
    deployed.scene.local.journal().clear();
    let id = deployed.deploy_hooked(&version, &[Hook::Before]).await;
    let event = event_of(&deployed, &id).await;
    // One while the first is being checked, one when all is over.
    let beside = report(delivered(&deployed, Hook::Before, &event).await);
    let deployment = deployed.ended(&id).await;
    let late = report(delivered(&deployed, Hook::Before, &event).await);
    assert_eq!(deployment.status, Status::Failed);
    assert_eq!(late["accepted"], false, "{late}");
    for report in [&beside, &late] {
        assert_eq!(report["checked"]["verdict"]["succeeded"], false, "{report}");
    }
    deployed.inbox.notice(&format!("deployment {id} is refused")).await;
    // The first comes last if the version answered the second before it.
    let answered = || {
        let answers = deployed.scene.local.journal().matching(|call| call.operation == ANSWER);
        let statuses: Option<Vec<u16>> = answers.iter().map(|call| call.status).collect();
        statuses.filter(|statuses| statuses.len() == 3)
    };
    let mut statuses = ripcord_rehearsal::wait_until("three answers", WAIT_MAX, answered).await.unwrap();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400]);
    let notices = deployed.scene.local.journal().matching(|call| {
        matches!(&call.caller, Caller::Function(name) if name.ends_with(Hook::Before.handler()))
            && call.operation == "Publish"
    });
    assert_eq!(notices.len(), 1, "{notices:?}");
    deployed.assert_serving("1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_of_a_hook_that_cannot_start_is_kept_while_codedeploy_waits() {
    let deployed = Deployed::set().await;
    deployed.configure(Hook::Before, &json!({ "Handler": "nobody" })).await;
    let version = deployed.publish(Behaviour::default()).await;
    deployed.scene.local.journal().clear();
    let id = deployed.deploy_hooked(&version, &[Hook::Before]).await;
    // Lambda tries three times. Where there is no desk there is no answer, and what is left is the event.
    let kept = deployed.kept_event().await;
    assert_eq!(kept, event_of(&deployed, &id).await);
    let waiting = deployed.scene.local.codedeploy().deployment(&id).unwrap();
    assert_eq!((waiting.status, deployed.accepted().len()), (Status::InProgress, 0));
    deployed.assert_serving("1").await;
    // A person mends the function and hands it the event.
    deployed.configure(Hook::Before, &json!({ "Handler": Hook::Before.handler() })).await;
    assert_eq!(report(delivered(&deployed, Hook::Before, &kept).await)["accepted"], true);
    let deployment = deployed.ended(&id).await;
    assert_eq!(deployment.status, Status::Succeeded, "{deployment:?}");
    let minutes = deployed.minutes(&deployment, Hook::Before);
    assert!(minutes < HOOK_MINUTES_MAX / 2.0, "CodeDeploy waited for {minutes} minutes");
    deployed.assert_serving(&version).await;
}

impl Deployed {
    /// The event that Lambda has put on the on-failure queue.
    async fn kept_event(&self) -> Value {
        let client = self.scene.local.client();
        let name = json!({ "QueueName": "ripcord-failed-signals" });
        let named = client.json("sqs", "AmazonSQS.GetQueueUrl", &name).await.unwrap();
        let queue: Value = serde_json::from_slice(&named.body).unwrap();
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let ask = json!({ "QueueUrl": queue["QueueUrl"], "WaitTimeSeconds": 1 });
            let received = client.json("sqs", "AmazonSQS.ReceiveMessage", &ask).await.unwrap();
            let received: Value = serde_json::from_slice(&received.body).unwrap_or_default();
            if let Some(body) = received["Messages"][0]["Body"].as_str() {
                let record: Value = serde_json::from_str(body).unwrap();
                return record["requestPayload"].clone();
            }
            assert!(Instant::now() < deadline, "nothing was kept: {}", self.scene.local.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_is_let_through_though_no_check_could_pass() {
    let deployed = Deployed::set().await;
    deployed.finished(1).await;
    // Nothing that is deployed may be seen, and no guard.
    let deny = |service: &str| {
        let every = FaultRule::always("*", Fault::Deny);
        FaultRule { service: Some(service.to_owned()), ..every }
    };
    let denied = ["lambda", "monitoring"].map(deny);
    for rule in denied {
        deployed.scene.local.faults().add(rule);
    }
    let id = deployed.deploy_hooked("1", &[Hook::Before, Hook::After]).await;
    let deployment = deployed.ended(&id).await;
    assert_eq!(deployment.status, Status::Succeeded, "{deployment:?}; {}", deployed.scene.local.log());
    for hook in [Hook::Before, Hook::After] {
        assert_eq!(deployment.event(hook.event()), Some(EventStatus::Succeeded));
        deployed.until_logged(&id, "a way back is never vetoed", hook.handler()).await;
    }
    assert_eq!(deployed.accepted().len(), 2);
    deployed.assert_serving("1").await;

    // Of another version the same hooks say no; and of CodeDeploy's own way back they say yes.
    let version = deployed.publish(Behaviour::default()).await;
    let id = deployed.deploy_hooked(&version, &[Hook::Before]).await;
    let deployment = deployed.ended(&id).await;
    assert_eq!(deployment.status, Status::Failed, "{deployment:?}");
    let rollback = deployment.rollback_id.unwrap();
    let event = json!({ "DeploymentId": rollback, "LifecycleEventHookExecutionId": "never-asked-for" });
    // CodeDeploy did not ask, and takes no answer.
    let report = report(delivered(&deployed, Hook::Before, &event).await);
    assert_eq!(report["accepted"], false, "{report}");
    let verdict = &report["checked"]["verdict"];
    assert_eq!(verdict["succeeded"], true, "{report}");
    assert!(verdict["why"].as_str().unwrap().contains("a rollback is never vetoed"), "{report}");
    deployed.assert_serving("1").await;
}
