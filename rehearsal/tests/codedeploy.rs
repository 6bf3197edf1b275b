//! CodeDeploy on a started local AWS: what deployments do to aliases, and what hooks, alarms and people do to deployments.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deployments;

use deployments::{ALIAS, ALL_AT_ONCE, CANARY, SOON, Stage, revision, routed};
use ripcord_rehearsal::{
    Options,
    codedeploy::{Creator, DeploymentStatus, EventStatus, LifecycleEventName},
    front::{
        call::Caller,
        faults::{Fault, FaultRule},
    },
    wait_until,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const BEFORE: &str = "BeforeAllowTraffic";
const AFTER: &str = "AfterAllowTraffic";

#[tokio::test]
async fn traffic_shifts_as_the_configuration_says() {
    let stage = Stage::set().await;
    let configs = [
        (
            "half",
            json!({"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 50, "canaryInterval": 1}}),
        ),
        (
            "thirds",
            json!({"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 33, "linearInterval": 1}}),
        ),
    ];
    for (name, routing) in configs {
        let config = json!({"deploymentConfigName": name, "computePlatform": "Lambda", "trafficRoutingConfig": routing});
        stage.call("CreateDeploymentConfig", &config).await.unwrap();
    }
    let all = routed("2", &[]);
    let cases = [
        (ALL_AT_ONCE, vec![all.clone()]),
        ("half", vec![routed("1", &[("2", 0.5)]), all.clone()]),
        (
            "thirds",
            vec![
                routed("1", &[("2", 0.33)]),
                routed("1", &[("2", 0.66)]),
                routed("1", &[("2", 0.99)]),
                all.clone(),
            ],
        ),
    ];
    for (config, expected) in cases {
        let back = json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {}}});
        stage.aws.client().lambda("PUT", ALIAS, &back).await.unwrap();
        stage.aws.journal().clear();
        let id = stage.deploy(config, &[]).await;
        let deployment = stage.ended(&id).await;
        assert_eq!(deployment.status, DeploymentStatus::Succeeded, "{config}: {deployment:?}");
        assert_eq!(stage.routings(), expected, "{config}");
        assert!(deployment.events.iter().all(|event| event.status == EventStatus::Succeeded), "{config}");
        // Every increment but the last bakes for a minute.
        let minutes = u32::try_from(expected.len()).unwrap() - 1;
        let lasted = deployment.completed.unwrap().duration_since(deployment.started.unwrap());
        assert!(
            lasted.as_millis() >= (stage.aws.minute() * minutes).as_millis() as i128,
            "{config}: {lasted:?}"
        );
    }
    let group = json!({"applicationName": "shop", "deploymentGroupName": "live"});
    let group = stage.call("GetDeploymentGroup", &group).await.unwrap()["deploymentGroupInfo"].clone();
    assert_eq!(group["lastSuccessfulDeployment"], group["lastAttemptedDeployment"]);
    assert_eq!(group["targetRevision"], revision("1", "2", &[]));
}

#[tokio::test]
async fn hooks_are_invoked_with_two_ids_and_pass_by_saying_so() {
    let stage = Stage::set().await;
    let hooks = [(BEFORE, "CodeDeployHook_passes"), (AFTER, "CodeDeployHook_twice")];
    let id = stage.deploy(ALL_AT_ONCE, &hooks).await;
    assert_eq!(stage.ended(&id).await.status, DeploymentStatus::Succeeded);
    let both = || Some(stage.all_printed("hooked")).filter(|hooked| hooked.len() == 2);
    let hooked = wait_until("both hooks' output", SOON, both).await.unwrap();
    for event in &hooked {
        let fields: BTreeSet<&String> = event["hooked"].as_object().unwrap().keys().collect();
        assert_eq!(fields.into_iter().collect::<Vec<_>>(), ["DeploymentId", "LifecycleEventHookExecutionId"]);
        assert_eq!(event["hooked"]["DeploymentId"], id.as_str());
    }
    let invocations = stage.aws.journal().matching(|entry| entry.operation == "Invoke");
    assert!(invocations.iter().all(|entry| entry.caller == Caller::CodeDeploy && entry.status == Some(202)));
    // The second report of the same hook comes too late.
    let second = || stage.all_printed("reported").into_iter().find(|said| said["reported"] == "Failed");
    let second = wait_until("the second report", SOON, second).await.unwrap();
    assert_eq!(second["said"]["__type"], "LifecycleEventAlreadyCompletedException");
}

#[tokio::test]
async fn a_hook_that_fails_before_traffic_leaves_the_alias_as_it_is() {
    let stage = Stage::set().await;
    let id = stage.deploy(CANARY, &[(BEFORE, "CodeDeployHook_fails")]).await;
    let deployment = stage.ended(&id).await;
    assert_eq!(deployment.status, DeploymentStatus::Failed);
    assert_eq!(deployment.error.as_ref().unwrap().code, "HOOK_EXECUTION_FAILURE");
    assert_eq!(deployment.event(LifecycleEventName::BeforeAllowTraffic), Some(EventStatus::Failed));
    assert_eq!(deployment.event(LifecycleEventName::AllowTraffic), Some(EventStatus::Skipped));
    let rollback = stage.ended(deployment.rollback_id.as_ref().unwrap()).await;
    assert_eq!(
        (rollback.status, rollback.creator),
        (DeploymentStatus::Succeeded, Creator::CodeDeployRollback)
    );
    assert_eq!(rollback.rollback_of.as_deref(), Some(id.as_str()));
    assert!(stage.aws.journal().matching(|entry| entry.operation == "UpdateAlias").is_empty());
}

#[tokio::test]
async fn a_hook_that_fails_after_traffic_brings_it_back_and_is_not_asked_again() {
    let stage = Stage::set().await;
    let id = stage
        .deploy(
            ALL_AT_ONCE,
            &[(AFTER, "arn:aws:lambda:us-east-1:123456789012:function:CodeDeployHook_fails")],
        )
        .await;
    let deployment = stage.ended(&id).await;
    assert_eq!(deployment.event(LifecycleEventName::AfterAllowTraffic), Some(EventStatus::Failed));
    let rollback = stage.ended(deployment.rollback_id.as_ref().unwrap()).await;
    assert_eq!(rollback.status, DeploymentStatus::Succeeded);
    assert_eq!(rollback.event(LifecycleEventName::AfterAllowTraffic), Some(EventStatus::Skipped));
    assert_eq!(stage.routings(), [routed("2", &[]), routed("1", &[])]);
    let invocations = stage.aws.journal().matching(|entry| entry.operation == "Invoke");
    assert_eq!(invocations.len(), 1, "{invocations:?}");
}

#[tokio::test]
async fn a_hook_that_never_answers_fails_after_its_hour_and_then_answers_too_late() {
    // Its hour lasts three seconds.
    let options = Options { codedeploy_scale: 1.0 / 1_200.0, ..Options::default() };
    let stage = Stage::set_with(options, json!({"autoRollbackConfiguration": {"enabled": false}})).await;
    let id = stage.deploy(ALL_AT_ONCE, &[(BEFORE, "CodeDeployHook_silence")]).await;
    let execution = stage.printed("hooked").await["hooked"]["LifecycleEventHookExecutionId"].clone();
    let execution = execution.as_str().unwrap();
    let invalid = "InvalidLifecycleEventHookExecutionStatusException";
    assert_eq!(stage.put_hook(&id, execution, "Skipped").await, Err(invalid.to_owned()));
    let invalid = "InvalidLifecycleEventHookExecutionIdException";
    assert_eq!(stage.put_hook(&id, "another", "Succeeded").await, Err(invalid.to_owned()));
    let deployment = stage.ended(&id).await;
    assert_eq!((deployment.status, deployment.error.unwrap().code), (DeploymentStatus::Failed, "TIMEOUT"));
    assert_eq!(deployment.rollback_id, None, "the group does not roll back");
    let late = "LifecycleEventAlreadyCompletedException";
    assert_eq!(stage.put_hook(&id, execution, "Succeeded").await, Err(late.to_owned()));

    // One that answers within the hour, from wherever.
    let id = stage.deploy(ALL_AT_ONCE, &[(BEFORE, "CodeDeployHook_silence")]).await;
    let second = || {
        let hooked = stage.all_printed("hooked").into_iter().map(|event| event["hooked"].clone());
        hooked.into_iter().find(|event| event["DeploymentId"] == id.as_str())
    };
    let second = wait_until("the hook", SOON, second).await.unwrap();
    let execution = second["LifecycleEventHookExecutionId"].as_str().unwrap();
    stage.put_hook(&id, execution, "Succeeded").await.unwrap();
    assert_eq!(stage.ended(&id).await.status, DeploymentStatus::Succeeded);
}

#[tokio::test]
async fn a_hook_that_cannot_be_invoked_fails_at_once_and_one_that_crashes_is_tried_again() {
    let options = Options { codedeploy_scale: 1.0 / 600.0, ..Options::default() };
    let stage = Stage::set_with(options, json!({})).await;
    let id = stage.deploy(ALL_AT_ONCE, &[(BEFORE, "nobody")]).await;
    let error = stage.ended(&id).await.error.unwrap();
    assert_eq!(error.code, "HOOK_EXECUTION_FAILURE");
    assert!(error.message.contains("nobody"), "{}", error.message);
    let rollback = stage.aws.codedeploy().deployment(&id).unwrap().rollback_id.unwrap();
    stage.ended(&rollback).await;

    let id = stage.deploy(ALL_AT_ONCE, &[(BEFORE, "CodeDeployHook_crash")]).await;
    assert_eq!(stage.ended(&id).await.error.unwrap().code, "TIMEOUT");
    let executions: BTreeSet<String> =
        stage.all_printed("hooked").iter().map(|event| event.to_string()).collect();
    assert_eq!(
        (stage.all_printed("hooked").len(), executions.len()),
        (3, 1),
        "Lambda's retries carry the same id"
    );
}

#[tokio::test]
async fn an_alarm_during_the_shift_stops_it_and_everybody_is_told() {
    let alarms = json!({"enabled": true, "alarms": [{"name": "quiet"}, {"name": "errors"}]});
    let stage = Stage::set_with(Options::default(), json!({ "alarmConfiguration": alarms })).await;
    let events =
        ["DeploymentStart", "DeploymentSuccess", "DeploymentFailure", "DeploymentStop", "DeploymentRollback"];
    let trigger = json!([{"triggerName": "all", "triggerTargetArn": stage.outputs["TopicArn"], "triggerEvents": events}]);
    let update = json!({"applicationName": "shop", "currentDeploymentGroupName": "live", "triggerConfigurations": trigger});
    stage.call("UpdateDeploymentGroup", &update).await.unwrap();
    stage.put_alarm("quiet");
    stage.put_alarm("errors");
    let id = stage.deploy(CANARY, &[]).await;
    stage.until_shifted(&id, 10.0).await;
    stage.fire("errors");
    let deployment = stage.ended(&id).await;
    assert_eq!((deployment.status, deployment.shifted_percent), (DeploymentStatus::Stopped, 10.0));
    let error = deployment.error.unwrap();
    assert!(error.code == "ALARM_ACTIVE" && error.message.contains("<errors>"), "{error:?}");
    let rollback = stage.ended(deployment.rollback_id.as_ref().unwrap()).await;
    assert_eq!(rollback.status, DeploymentStatus::Succeeded, "the alarm still fires");
    assert_eq!(stage.routings(), [routed("1", &[("2", 0.1)]), routed("1", &[])]);

    let info = stage.info(&id).await;
    assert_eq!(info["rollbackInfo"]["rollbackDeploymentId"], rollback.id.as_str());
    let told = stage.receive("EventsUrl", 4).await;
    let mut states: Vec<String> = told
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                event["detail"]["deploymentId"].as_str().unwrap(),
                event["detail"]["state"].as_str().unwrap()
            )
        })
        .collect();
    states.sort();
    let mut expected = [(&id, "START"), (&id, "STOP"), (&rollback.id, "START"), (&rollback.id, "SUCCESS")]
        .map(|(id, state)| format!("{id} {state}"));
    expected.sort();
    assert_eq!(states, expected);
    let messages: Vec<Value> = stage
        .receive("HeardUrl", 4)
        .await
        .iter()
        .map(|envelope| serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap())
        .collect();
    let stopped = messages.iter().find(|message| message["status"] == "Stopped").unwrap();
    assert_eq!((&stopped["deploymentId"], &stopped["eventTriggerName"]), (&json!(id), &json!("all")));
    assert_eq!(stopped["errorInformation"]["ErrorCode"], "ALARM_ACTIVE");
    assert_eq!(stage.aws.action_failures(), Vec::<String>::new());
}

#[tokio::test]
async fn an_alarm_that_fires_already_stops_a_deployment_unless_it_is_overridden() {
    let alarms = json!({"enabled": true, "alarms": [{"name": "errors"}]});
    let stage = Stage::set_with(Options::default(), json!({ "alarmConfiguration": alarms })).await;
    stage.put_alarm("errors");
    stage.fire("errors");
    let id = stage.deploy(ALL_AT_ONCE, &[]).await;
    let deployment = stage.ended(&id).await;
    assert_eq!(
        (deployment.status, deployment.error.unwrap().code),
        (DeploymentStatus::Failed, "ALARM_ACTIVE")
    );
    stage.ended(&deployment.rollback_id.unwrap()).await;
    assert_eq!(stage.routings(), []);
    let override_alarms = json!({"overrideAlarmConfiguration": {"enabled": false, "alarms": []}});
    let id = stage.try_deploy(ALL_AT_ONCE, &[], override_alarms).await.unwrap();
    assert_eq!(stage.ended(&id).await.status, DeploymentStatus::Succeeded);
    assert_eq!(stage.info(&id).await["overrideAlarmConfiguration"]["enabled"], false);
}

#[tokio::test]
async fn a_stop_leaves_the_alias_on_two_versions_or_takes_it_back() {
    let stage = Stage::set().await;
    let id = stage.deploy(CANARY, &[]).await;
    stage.until_shifted(&id, 10.0).await;
    assert_eq!(
        stage.try_deploy(CANARY, &[], json!({})).await,
        Err("DeploymentLimitExceededException".to_owned()),
        "one deployment runs in a group at a time"
    );
    assert_eq!(stage.stop(&id, Some(false)).await.unwrap()["status"], "Pending");
    let deployment = stage.ended(&id).await;
    assert_eq!(
        (deployment.status, deployment.error.unwrap().code),
        (DeploymentStatus::Stopped, "MANUAL_STOP")
    );
    assert_eq!(deployment.rollback_id, None);
    assert_eq!(stage.routing().await, ("1".to_owned(), json!({"2": 0.1})));
    assert_eq!(stage.stop(&id, None).await, Err("DeploymentAlreadyCompletedException".to_owned()));

    // The next deployment finds an alias that it does not know.
    let next = stage.deploy(CANARY, &[]).await;
    let next = stage.ended(&next).await;
    assert_eq!((next.error.unwrap().code, next.rollback_id), ("INVALID_LAMBDA_CONFIGURATION", None));
    assert_eq!(stage.routing().await, ("1".to_owned(), json!({"2": 0.1})), "and leaves it alone");

    let back = json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {}}});
    stage.aws.client().lambda("PUT", ALIAS, &back).await.unwrap();
    let id = stage.deploy(CANARY, &[]).await;
    stage.until_shifted(&id, 10.0).await;
    stage.stop(&id, Some(true)).await.unwrap();
    let rollback = stage.ended(&id).await.rollback_id.unwrap();
    assert_eq!(stage.ended(&rollback).await.status, DeploymentStatus::Succeeded);
    assert_eq!(stage.routing().await, ("1".to_owned(), json!({})));
}

#[tokio::test]
async fn an_alias_that_is_not_as_the_appspec_says_is_not_touched() {
    let stage = Stage::set().await;
    let cases = [
        (revision("2", "1", &[]), "INVALID_LAMBDA_CONFIGURATION"),
        (revision("1", "1", &[]), "INVALID_LAMBDA_CONFIGURATION"),
        (revision("1", "7", &[]), "INVALID_LAMBDA_FUNCTION"),
        (revision("1", "2", &[("AllowTraffic", "x")]), "INVALID_LAMBDA_CONFIGURATION"),
    ];
    for (revision, code) in cases {
        let id = stage.try_deploy(ALL_AT_ONCE, &[], json!({ "revision": revision })).await.unwrap();
        let deployment = stage.ended(&id).await;
        assert_eq!((deployment.status, deployment.error.unwrap().code), (DeploymentStatus::Failed, code));
        assert_eq!(deployment.rollback_id, None);
    }
    assert!(stage.aws.journal().matching(|entry| entry.operation == "UpdateAlias").is_empty());
}

#[tokio::test]
async fn faults_strike_calls_of_codedeploy_in_its_own_words() {
    let stage = Stage::set().await;
    let id = stage.deploy(ALL_AT_ONCE, &[]).await;
    stage.ended(&id).await;
    stage.aws.journal().clear();
    stage.aws.faults().add(FaultRule::once("GetDeployment", Fault::Throttle));
    let get = json!({ "deploymentId": id });
    assert_eq!(stage.call("GetDeployment", &get).await, Err("ThrottlingException".to_owned()));
    stage.aws.faults().add(FaultRule::once("GetDeployment", Fault::Deny));
    assert_eq!(stage.call("GetDeployment", &get).await, Err("AccessDeniedException".to_owned()));
    stage.aws.faults().add(FaultRule::once("GetDeployment", Fault::DropAfter));
    let client = stage.aws.client_as("tester");
    assert!(client.json("codedeploy", "CodeDeploy_20141006.GetDeployment", &get).await.is_err());
    stage.info(&id).await;
    let seen = stage.aws.journal().matching(|entry| entry.operation == "GetDeployment");
    let seen: Vec<_> = seen.iter().map(|entry| (entry.status, entry.resource.as_deref())).collect();
    assert_eq!(seen, [Some(400), Some(400), None, Some(200)].map(|status| (status, Some(id.as_str()))));
}
