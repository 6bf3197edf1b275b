//! Stacks, databases and images.

use super::{assert_answer, assert_refused, started, until};
use ripcord_rehearsal::{
    aws_client::{AwsAnswer, AwsClient},
    targets::{database, database_status, stack},
};
use serde_json::json;

#[tokio::test]
async fn an_update_is_cancelled_while_it_runs_and_never_after() {
    let aws = started().await;
    let client = aws.client();
    let shop = stack(&client).await.unwrap();
    let status = async || shop.status(&client).await.unwrap();
    until("CREATE_COMPLETE".to_owned(), status).await;
    let cancel = async || {
        let fields = [("Action", "CancelUpdateStack"), ("Version", "2010-05-15"), ("StackName", &*shop.name)];
        client.query("cloudformation", &fields).await.unwrap()
    };
    assert_answer(&cancel().await, 400, "ValidationError");
    shop.update_slowly(&client).await.unwrap();
    until("UPDATE_IN_PROGRESS".to_owned(), status).await;
    assert_answer(&cancel().await, 200, "CancelUpdateStackResponse");
    shop.let_go(&client).await.unwrap();
    until("UPDATE_ROLLBACK_COMPLETE".to_owned(), status).await;
    assert!(shop.template(&client).await.unwrap().contains("stable"));
    shop.update(&client).await.unwrap();
    until("UPDATE_COMPLETE".to_owned(), status).await;
    assert!(shop.template(&client).await.unwrap().contains("candidate"));
    assert_answer(&cancel().await, 400, "ValidationError");
    assert_refused(shop.update(&client).await, 400, "No updates are to be performed");
}

#[tokio::test]
async fn a_database_is_restored_into_a_new_instance_that_takes_its_time() {
    let aws = started().await;
    let client = aws.client();
    let orders = database(&client).await.unwrap();
    assert_eq!(database_status(&client, &orders).await.unwrap(), "available");
    let restored = format!("{orders}-restored");
    let latest = [("UseLatestRestorableTime", "true")];
    let answer = restore(&client, &orders, &restored, &latest).await;
    assert_answer(&answer, 200, "<DBInstanceStatus>creating<");
    assert_eq!(database_status(&client, &restored).await.unwrap(), "creating");
    let described = async || database_status(&client, &restored).await.unwrap();
    until("available".to_owned(), described).await;
    assert_answer(&restore(&client, &orders, &restored, &latest).await, 400, "DBInstanceAlreadyExists");
    assert_answer(&restore(&client, "none", "other", &latest).await, 404, "DBInstanceNotFound");
    let long_ago = [("RestoreTime", "2020-01-01T00:00:00Z")];
    assert_answer(&restore(&client, &orders, "other", &long_ago).await, 400, "InvalidParameterValue");
    assert_answer(&restore(&client, &orders, "other", &[]).await, 400, "InvalidParameterCombination");
    assert_refused(database_status(&client, "other").await, 404, "DBInstanceNotFound");
}

#[tokio::test]
async fn an_image_that_is_gone_is_told_apart_from_one_that_is_there() {
    let aws = started().await;
    let client = aws.client();
    let call = async |operation: &str, document: &serde_json::Value| {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        client.json("ecr", &target, document).await.unwrap()
    };
    let web = json!({ "repositoryName": "web" });
    assert_answer(&call("CreateRepository", &web).await, 200, "web");
    let manifest = json!({ "schemaVersion": 2, "config": { "size": 1, "digest": "sha256:0" }, "layers": [] });
    let put = json!({ "repositoryName": "web", "imageTag": "1", "imageManifest": manifest.to_string() });
    assert_answer(&call("PutImage", &put).await, 200, "imageDigest");
    let named = |tag: &str| json!({ "repositoryName": "web", "imageIds": [{ "imageTag": tag }] });
    assert_answer(&call("DescribeImages", &named("1")).await, 200, "imageDigest");
    assert_answer(&call("DescribeImages", &named("2")).await, 400, "ImageNotFoundException");
    assert_answer(&call("BatchGetImage", &named("2")).await, 200, "ImageNotFound");
}

async fn restore(client: &AwsClient, from: &str, to: &str, when: &[(&str, &str)]) -> AwsAnswer {
    let mut fields = vec![
        ("Action", "RestoreDBInstanceToPointInTime"),
        ("Version", "2014-10-31"),
        ("SourceDBInstanceIdentifier", from),
        ("TargetDBInstanceIdentifier", to),
    ];
    fields.extend_from_slice(when);
    client.query("rds", &fields).await.unwrap()
}
