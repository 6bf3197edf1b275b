//! Other regions, other accounts, and the end of all of it.

use super::{SOON, assert_answer, assert_refused, started, until};
use ripcord_rehearsal::{
    alarms::evaluate::AlarmState,
    aws_client::AwsClient,
    front::call::Caller,
    targets::{assumed, configuration, ecs_service, load_balancer, rest_stage, role, state_machine_alias},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const OTHER_ACCOUNT: &str = "210987654321";

#[tokio::test]
async fn each_region_has_its_own() {
    let aws = started().await;
    for region in ["eu-west-1", "ap-southeast-1"] {
        let (there, home) = (aws.client().in_region(region), aws.client());
        let shop = load_balancer(&there).await.unwrap();
        assert!(shop.listener_arn.contains(region), "{}", shop.listener_arn);
        shop.shift(&there, 60, 40).await.unwrap();
        assert_eq!(shop.weights(&there).await.unwrap(), (60, 40));
        assert_refused(shop.weights(&home).await, 400, "ListenerNotFound");

        let orders = state_machine_alias(&there).await.unwrap();
        assert!(orders.alias_arn.contains(region), "{}", orders.alias_arn);
        assert_refused(orders.weights(&home).await, 400, "ResourceNotFound");

        let web = ecs_service(&there, &Value::Null).await.unwrap();
        let deployment = web.deploy(&there, &web.candidate_arn).await.unwrap();
        assert!(deployment.arn.contains(region), "{}", deployment.arn);
        assert_refused(web.deployments(&home).await, 400, "ClusterNotFoundException");

        let stage = rest_stage(&there).await.unwrap();
        assert_refused(stage.described(&home).await, 404, "Invalid Stage");
        let flags = configuration(&there).await.unwrap();
        assert_eq!(flags.in_force(&there).await.unwrap(), "1");
        assert_refused(flags.numbers(&home).await, 404, "not found");
        let modified = aws.journal().matching(|entry| entry.operation == "ModifyListener");
        assert_eq!(modified.last().unwrap().region, region);
    }
}

#[tokio::test]
async fn alarms_samples_and_codedeploy_are_of_one_region() {
    let aws = started().await;
    let (there, home) = (aws.client().in_region("eu-west-1"), aws.client());
    let put = [
        ("Action", "PutMetricAlarm"),
        ("Version", "2010-08-01"),
        ("AlarmName", "errors"),
        ("Namespace", "Shop"),
        ("MetricName", "Errors"),
        ("Statistic", "Sum"),
        ("Period", "60"),
        ("EvaluationPeriods", "1"),
        ("Threshold", "0"),
        ("ComparisonOperator", "GreaterThanThreshold"),
        ("TreatMissingData", "notBreaching"),
    ];
    for client in [&there, &home] {
        assert_answer(&client.query("monitoring", &put).await.unwrap(), 200, "");
    }
    let sample = [
        ("Action", "PutMetricData"),
        ("Version", "2010-08-01"),
        ("Namespace", "Shop"),
        ("MetricData.member.1.MetricName", "Errors"),
        ("MetricData.member.1.Value", "3"),
    ];
    assert_answer(&there.query("monitoring", &sample).await.unwrap(), 200, "");
    let state_there = async || aws.alarms_in("eu-west-1").state("errors").unwrap().state;
    until(AlarmState::Alarm, state_there).await;
    assert_ne!(aws.alarms().state("errors").unwrap().state, AlarmState::Alarm);
    let described = [("Action", "DescribeAlarms"), ("Version", "2010-08-01")];
    let described = there.query("monitoring", &described).await.unwrap();
    assert_answer(&described, 200, "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors");

    let shop = json!({ "applicationName": "shop", "computePlatform": "Lambda" });
    let call = async |client: &AwsClient, operation: &str| {
        client.json("codedeploy", &format!("CodeDeploy_20141006.{operation}"), &shop).await.unwrap()
    };
    assert_answer(&call(&there, "CreateApplication").await, 200, "applicationId");
    assert_answer(&call(&home, "GetApplication").await, 400, "ApplicationDoesNotExistException");
    assert_answer(&call(&there, "GetApplication").await, 200, "shop");
}

#[tokio::test]
async fn an_assumed_role_reaches_the_other_account_and_no_other() {
    let aws = started().await;
    let there = aws.client_as(OTHER_ACCOUNT);
    let shop = load_balancer(&there).await.unwrap();
    let web = ecs_service(&there, &Value::Null).await.unwrap();
    assert!(shop.listener_arn.contains(OTHER_ACCOUNT), "{}", shop.listener_arn);
    assert_refused(shop.weights(&aws.client()).await, 400, "ListenerNotFound");
    let role_arn = role(&there, aws.account_id(), "cord").await.unwrap();
    aws.journal().clear();
    let session = assumed(&aws, &role_arn, "cord").await.unwrap();
    assert_eq!(shop.weights(&session).await.unwrap(), (100, 0));
    shop.shift(&session, 10, 90).await.unwrap();
    assert_eq!(shop.weights(&there).await.unwrap(), (10, 90));
    let deployment = web.deploy(&session, &web.candidate_arn).await.unwrap();
    assert!(deployment.arn.contains(OTHER_ACCOUNT), "{}", deployment.arn);
    let by_session = aws.journal().matching(|entry| entry.operation == "UpdateService");
    let by_session = by_session.last().unwrap();
    assert_eq!((&by_session.caller, &*by_session.account_id), (&Caller::Rehearsal, OTHER_ACCOUNT));
    let elsewhere = session.in_region("eu-west-1");
    assert_refused(shop.weights(&elsewhere).await, 400, "ListenerNotFound");
}

#[tokio::test]
async fn a_role_is_not_given_to_whom_it_does_not_trust() {
    let aws = started().await;
    let there = aws.client_as(OTHER_ACCOUNT);
    let role_arn = role(&there, aws.account_id(), "cord").await.unwrap();
    assert_refused(assumed(&aws, &role_arn, "rope").await, 403, "AccessDenied");
    assert_refused(assumed(&aws, &format!("{role_arn}x"), "cord").await, 403, "AccessDenied");
    let of_others = role(&there, "333333333333", "cord").await.unwrap();
    assert_refused(assumed(&aws, &of_others, "cord").await, 403, "AccessDenied");
    assumed(&aws, &role_arn, "cord").await.unwrap();
}

#[tokio::test]
async fn a_drop_ends_moto_too() {
    let aws = started().await;
    load_balancer(&aws.client()).await.unwrap();
    let group = aws.moto_process_group_id().unwrap();
    let leader = std::path::PathBuf::from(format!("/proc/{group}/cmdline"));
    assert!(!std::fs::read(&leader).unwrap_or_default().is_empty(), "moto runs");
    drop(aws);
    let deadline = Instant::now() + SOON;
    // A process that has ended and was not waited for yet has no command line.
    while !std::fs::read(&leader).unwrap_or_default().is_empty() {
        assert!(Instant::now() < deadline, "moto still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
