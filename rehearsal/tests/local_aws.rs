//! The local AWS as a whole: deployed into, called, broken on purpose, and ended.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scene;

use ripcord_rehearsal::{
    alarms::evaluate::AlarmState,
    aws_client::AwsRequest,
    front::{
        call::Caller,
        faults::{Fault, FaultRule},
    },
    traffic::TrafficOptions,
    wait_until,
};
use scene::{ALIAS, Scene};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn twenty_invocations_at_once_run_in_environments_of_their_own() {
    let scene = Scene::deployed().await;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..20 {
        let client = scene.aws.client_as("tester");
        running.spawn(async move {
            let event = json!({"number": number, "sleep_ms": 1_500});
            let path = "/2015-03-31/functions/echo/invocations?Qualifier=live";
            client.lambda("POST", path, &event).await.unwrap()
        });
    }
    let answers = running.join_all().await;
    let mut environments = HashSet::new();
    for answer in &answers {
        assert!(answer.status.is_success() && !answer.function_error, "{}: {}", answer.status, answer.text());
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(document["version"], "1");
        environments.insert(document["pid"].as_i64());
    }
    assert!(environments.len() >= 15, "{} environments", environments.len());
}

#[tokio::test]
async fn a_functions_own_calls_pass_the_front_under_its_name() {
    let scene = Scene::deployed().await;
    let answer = scene.invoke("live", &json!({"get_alias": ["echo", "live"]})).await;
    assert_eq!(answer["alias"]["FunctionVersion"], "1");
    let calls = scene.aws.journal().calls_of("echo");
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].operation.as_str(), calls[0].status), ("GetAlias", Some(200)));
    assert_eq!(calls[0].resource.as_deref(), Some("echo:live"));
}

#[tokio::test]
async fn a_dry_run_looks_for_the_function_and_runs_nothing() {
    let scene = Scene::deployed().await;
    let client = scene.aws.client_as("tester");
    let dry_run = async |qualifier: &str| {
        let path = format!("/2015-03-31/functions/echo/invocations?Qualifier={qualifier}");
        let headers = [("x-amz-invocation-type", "DryRun")];
        let body = "{}".into();
        let request = AwsRequest { service: "lambda", method: "POST", path: &path, headers: &headers, body };
        let answer = client.send(request).await.unwrap();
        (answer.status.as_u16(), answer.error_type)
    };
    assert_eq!(dry_run("live").await, (204, None));
    assert_eq!(dry_run("1").await, (204, None));
    assert_eq!(dry_run("7").await, (404, Some("ResourceNotFoundException".to_owned())));
    assert!(!scene.aws.log().contains("\"seen\""), "{}", scene.aws.log());
    let path = "/2019-09-30/functions/echo/provisioned-concurrency?Qualifier=live";
    let none = client.lambda("GET", path, &Value::Null).await.unwrap();
    let expected = (404, Some("ProvisionedConcurrencyConfigNotFoundException".to_owned()));
    assert_eq!((none.status.as_u16(), none.error_type), expected);
    let journaled =
        scene.aws.journal().matching(|entry| entry.operation == "GetProvisionedConcurrencyConfig");
    assert_eq!(journaled[0].resource.as_deref(), Some("echo:live"));
}

#[tokio::test]
async fn an_alias_change_is_journaled_with_what_it_changed() {
    let scene = Scene::deployed().await;
    scene.publish_second_version().await;
    scene.aws.journal().clear();
    let weights = json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}});
    assert_eq!(scene.update_alias(&weights).await.0, 200);
    assert_eq!(scene.update_alias(&weights).await.0, 200, "the same again changes nothing");
    let stale = json!({"FunctionVersion": "1", "RevisionId": "00000000-0000-4000-8000-000000000000"});
    assert_eq!(scene.update_alias(&stale).await.0, 412);
    let changes = scene.aws.journal().alias_changes();
    assert_eq!(changes.len(), 1);
    let change = changes[0].change.clone().unwrap();
    assert!(change.before.weights.is_empty());
    assert_eq!(change.after.weights.get("2"), Some(&0.1));
    assert_eq!(changes[0].caller, Caller::Other("tester".to_owned()));
    assert_eq!(changes[0].body.as_ref().unwrap()["FunctionVersion"], "1");
    // An empty map clears the weights; leaving the field out would keep them.
    let cleared = json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {}}});
    assert_eq!(scene.update_alias(&cleared).await.0, 200);
    assert_eq!(scene.aws.journal().alias_changes().len(), 2);
}

#[tokio::test]
async fn what_lambda_would_refuse_is_refused() {
    let scene = Scene::deployed().await;
    let unknown = json!({"FunctionVersion": "7"});
    assert_eq!(scene.update_alias(&unknown).await, (404, "ResourceNotFoundException".to_owned()));
    let weights = |version: &str, weight: f64| json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {version: weight}}});
    let invalid = (400, "InvalidParameterValueException".to_owned());
    assert_eq!(scene.update_alias(&weights("1", 0.1)).await, invalid);
    assert_eq!(scene.update_alias(&weights("$LATEST", 0.1)).await, invalid);
    assert_eq!(scene.update_alias(&weights("2", 1.1)).await, invalid);
    assert_eq!(scene.update_alias(&weights("2", 0.1)).await.0, 404);
}

#[tokio::test]
async fn faults_strike_calls_as_their_rules_say() {
    let scene = Scene::deployed().await;
    let faults = scene.aws.faults();
    let description = |text: &str| json!({"Description": text});

    faults.add(FaultRule::once("UpdateAlias", Fault::Throttle));
    assert_eq!(scene.update_alias(&description("a")).await, (429, "TooManyRequestsException".to_owned()));
    assert_eq!(scene.update_alias(&description("b")).await.0, 200);

    faults.add(FaultRule::once("UpdateAlias", Fault::Deny));
    assert_eq!(scene.update_alias(&description("c")).await, (403, "AccessDeniedException".to_owned()));

    faults.add(FaultRule::once("UpdateAlias", Fault::ServerError { status: 503 }));
    assert_eq!(scene.update_alias(&description("d")).await, (503, "ServiceException".to_owned()));

    faults.add(FaultRule::once("UpdateAlias", Fault::DropBefore));
    assert!(scene.try_update_alias(&description("e")).await.is_err());
    assert_eq!(scene.description().await, "b", "nothing that was refused or dropped took effect");

    faults.add(FaultRule::once("UpdateAlias", Fault::DropAfter));
    assert!(scene.try_update_alias(&description("f")).await.is_err());
    assert_eq!(scene.description().await, "f", "only the answer was dropped");

    let crashes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&crashes);
    let crash = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    faults.add(FaultRule::once("UpdateAlias", Fault::CrashBefore(crash.clone())));
    faults.add(FaultRule::nth("UpdateAlias", 2, Fault::CrashAfter(crash)));
    assert!(scene.try_update_alias(&description("g")).await.is_err());
    assert_eq!(scene.description().await, "f");
    assert!(scene.try_update_alias(&description("h")).await.is_err());
    assert_eq!(scene.description().await, "h");
    assert_eq!(crashes.load(Ordering::SeqCst), 2);

    faults.clear();
    scene.aws.journal().clear();
    faults.add(FaultRule::once("UpdateAlias", Fault::Duplicate));
    assert_eq!(scene.update_alias(&description("i")).await.0, 200);
    let calls = scene.aws.journal().matching(|entry| entry.operation == "UpdateAlias");
    assert_eq!(calls.len(), 2, "one request, two effects");
}

#[tokio::test]
async fn faults_and_journal_are_there_over_http_too() {
    let scene = Scene::deployed().await;
    let client = scene.aws.client_as("tester");
    let rule = json!({"operation": "GetAlias", "nth": 1, "times": 1, "fault": {"kind": "throttle"}});
    let added = client.lambda("POST", "/_rehearsal/faults", &rule).await.unwrap();
    assert!(added.status.is_success(), "{}", added.text());
    assert_eq!(client.lambda("GET", ALIAS, &Value::Null).await.unwrap().status, 429);
    assert_eq!(client.lambda("GET", ALIAS, &Value::Null).await.unwrap().status, 200);
    let journal = client.lambda("GET", "/_rehearsal/journal", &Value::Null).await.unwrap();
    let journal: Vec<Value> = serde_json::from_slice(&journal.body).unwrap();
    let seen =
        journal.iter().filter(|entry| entry["caller"] == "key tester" && entry["operation"] == "GetAlias");
    assert_eq!(seen.map(|entry| entry["status"].clone()).collect::<Vec<_>>(), [429, 200]);
    let refused = client.lambda("POST", "/_rehearsal/faults", &json!({"operation": "X"})).await.unwrap();
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_bad_version_under_traffic_trips_the_stacks_alarm_which_acts_everywhere() {
    let scene = Scene::deployed().await;
    scene.publish_second_version().await;
    let traffic =
        scene.aws.traffic(TrafficOptions { rate_per_s: 40.0, ..TrafficOptions::new("echo", "live") });
    wait_until("healthy traffic", SOON, || {
        let counts = traffic.counts();
        counts
            .versions
            .get("1")
            .is_some_and(|first| first.invocations > 20 && first.errors == 0)
            .then_some(())
    })
    .await
    .unwrap();
    scene.until_alarm("echo-error-rate", AlarmState::Ok).await;
    scene.until_alarm("echo-any-trouble", AlarmState::Ok).await;
    scene.drain("SeenUrl").await;
    scene.aws.journal().clear();

    let weights = json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}});
    assert_eq!(scene.update_alias(&weights).await.0, 200);
    scene.until_alarm("echo-error-rate", AlarmState::Alarm).await;
    scene.until_alarm("echo-any-trouble", AlarmState::Alarm).await;
    let counts = traffic.counts();
    let (good, bad) = (counts.versions["1"], counts.versions["2"]);
    assert!(bad.invocations > 0 && bad.errors == bad.invocations && good.errors == 0, "{counts:?}");

    // Lambda directly, with the event that CloudWatch sends.
    let event = wait_until("the direct action", SOON, || scene.received("alarmData")).await.unwrap();
    assert_eq!(event["source"], "aws.cloudwatch");
    assert_eq!(event["alarmArn"].as_str(), scene.outputs.get("AlarmArn").map(String::as_str));
    assert_eq!(event["alarmData"]["state"]["value"], "ALARM");
    assert_eq!(event["alarmData"]["previousState"]["value"], "OK");
    let metrics = event["alarmData"]["configuration"]["metrics"].as_array().unwrap();
    assert_eq!(metrics[0]["expression"], "100 * FILL(errors, 0) / calls");
    assert_eq!(metrics[1]["metricStat"]["metric"]["dimensions"]["Resource"], "echo:live");
    let data = event["alarmData"]["state"]["reasonData"].as_str().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert!(data["evaluatedDatapoints"][0]["value"].as_f64().unwrap() > 10.0, "{data}");

    // SNS and EventBridge, for both alarms.
    let bodies = scene.receive("SeenUrl", 4).await;
    let sns: Vec<Value> =
        bodies.iter().filter_map(|body| serde_json::from_str(body.get("Message")?.as_str()?).ok()).collect();
    let metric = sns.iter().find(|message| message["AlarmName"] == "echo-error-rate").unwrap();
    assert_eq!(metric["NewStateValue"], "ALARM");
    assert_eq!(metric["Region"], "US East (N. Virginia)");
    assert_eq!(metric["Trigger"]["Metrics"][0]["Expression"], "100 * FILL(errors, 0) / calls");
    let composite = sns.iter().find(|message| message["AlarmName"] == "echo-any-trouble").unwrap();
    assert_eq!(composite["AlarmRule"], "ALARM(\"echo-error-rate\")");
    assert!(composite.get("Trigger").is_none());
    let bus: Vec<&Value> =
        bodies.iter().filter(|body| body["detail-type"] == "CloudWatch Alarm State Change").collect();
    assert_eq!(bus.len(), 2, "{bodies:?}");
    assert_eq!(bus[0]["source"], "aws.cloudwatch");

    // Back again: the alarm returns to OK by itself.
    let back = json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {}}});
    assert_eq!(scene.update_alias(&back).await.0, 200);
    scene.until_alarm("echo-error-rate", AlarmState::Ok).await;
    assert_eq!(scene.aws.journal().alias_changes().len(), 2);
    assert_eq!(scene.aws.action_failures(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failing_asynchronous_event_is_tried_again_and_then_kept() {
    let scene = Scene::deployed().await;
    let event = json!({"fail": true});
    scene.invoke_later("receiver", &event).await;
    let kept = scene.receive("FailedUrl", 1).await;
    assert_eq!(kept[0]["requestPayload"], event);
    assert_eq!(kept[0]["responsePayload"]["errorType"], "Broken");
}

#[tokio::test]
async fn a_stack_update_changes_its_alarms_in_place() {
    let mut scene = Scene::deployed().await;
    scene.until_alarm("echo-error-rate", AlarmState::Ok).await;
    scene.redeploy(&[("Threshold", "90")]).await;
    let described = scene.cloudwatch("DescribeAlarms", &[("AlarmNamePrefix", "echo-error")]).await;
    assert!(described.contains("<Threshold>90.0</Threshold>"), "{described}");
    assert!(described.contains("<StateValue>OK</StateValue>"), "{described}");
}

#[tokio::test]
async fn an_unknown_cloudwatch_operation_is_refused_by_name() {
    let scene = Scene::deployed().await;
    let refused = scene.cloudwatch("PutInsightRule", &[]).await;
    assert!(refused.contains("NotImplemented") && refused.contains("monitoring:PutInsightRule"), "{refused}");
}

#[tokio::test]
async fn a_broken_template_says_which_resource_failed() {
    let scene = Scene::bare().await;
    let error = scene.deploy_text("Resources: {Odd: {Type: 'AWS::Odd::Thing'}}").await.unwrap_err();
    assert!(error.to_string().contains("AWS::Odd::Thing"), "{error}");
}
