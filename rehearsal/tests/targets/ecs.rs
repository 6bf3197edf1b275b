//! Services of ECS.

use super::{assert_answer, assert_refused, started, until};
use ripcord_rehearsal::{
    aws_client::{AwsAnswer, AwsClient},
    targets::{EcsService, ServiceDeployment, ecs_service},
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_rolling_deployment_takes_its_time_and_then_has_the_tasks() {
    let aws = started().await;
    let client = aws.client();
    let web = ecs_service(&client, &Value::Null).await.unwrap();
    assert_eq!(statuses(&web, &client).await, ["SUCCESSFUL"], "the service's own creation");
    let deployment = web.deploy(&client, &web.candidate_arn).await.unwrap();
    assert_eq!(web.task_definition(&client).await.unwrap(), web.candidate_arn);
    until("IN_PROGRESS".to_owned(), async || status(&web, &client, &deployment).await).await;
    let service = web.described(&client).await.unwrap();
    assert_eq!(service["deployments"][0]["status"], "PRIMARY");
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(service["deployments"][1]["taskDefinition"], web.stable_arn.as_str());
    assert_eq!(web.tasks(&client).await.unwrap(), [&*web.stable_arn; 2]);
    until("SUCCESSFUL".to_owned(), async || status(&web, &client, &deployment).await).await;
    assert_eq!(web.tasks(&client).await.unwrap(), [&*web.candidate_arn; 2]);
    let service = web.described(&client).await.unwrap();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_answer(&stop(&client, &deployment.arn).await, 400, "ConflictException");
}

#[tokio::test]
async fn a_stopped_deployment_goes_back_to_the_revision_before_it() {
    let aws = started().await;
    let client = aws.client();
    let web = ecs_service(&client, &Value::Null).await.unwrap();
    let deployment = web.deploy(&client, &web.candidate_arn).await.unwrap();
    assert_answer(&stop(&client, &deployment.arn).await, 200, &deployment.arn);
    assert_eq!(web.task_definition(&client).await.unwrap(), web.stable_arn);
    assert_answer(&stop(&client, &deployment.arn).await, 400, "ConflictException");
    until("ROLLBACK_SUCCESSFUL".to_owned(), async || status(&web, &client, &deployment).await).await;
    assert_eq!(web.tasks(&client).await.unwrap(), [&*web.stable_arn; 2]);
    let described = json!({ "serviceDeploymentArns": [deployment.arn, "arn:aws:ecs:us-east-1:1:service-deployment/a/b/c"] });
    let described = call(&client, "DescribeServiceDeployments", &described).await;
    let described: Value = serde_json::from_slice(&described.body).unwrap();
    assert_eq!(described["failures"][0]["reason"], "MISSING");
    let rollback = &described["serviceDeployments"][0]["rollback"]["serviceRevisionArn"];
    let source = &described["serviceDeployments"][0]["sourceServiceRevisions"][0]["arn"];
    assert_eq!(rollback, source);
    let revision = json!({ "serviceRevisionArns": [rollback] });
    let revision = call(&client, "DescribeServiceRevisions", &revision).await;
    let revision: Value = serde_json::from_slice(&revision.body).unwrap();
    assert_eq!(revision["serviceRevisions"][0]["taskDefinition"], web.stable_arn.as_str());
}

#[tokio::test]
async fn a_canary_shifts_its_share_and_is_taken_back() {
    let aws = started().await;
    let client = aws.client();
    let configuration = json!({
        "strategy": "CANARY",
        "bakeTimeInMinutes": 60,
        "canaryConfiguration": { "canaryPercent": 10.0, "canaryBakeTimeInMinutes": 60 },
    });
    let web = ecs_service(&client, &configuration).await.unwrap();
    let deployment = web.deploy(&client, &web.candidate_arn).await.unwrap();
    let weight = async || web.deployments(&client).await.unwrap()[0].weight_percent;
    until(Some(10.0), weight).await;
    let unknown = format!("{}x", deployment.arn);
    assert_answer(&stop(&client, &unknown).await, 400, "ServiceDeploymentNotFoundException");
    assert_answer(&stop(&client, &deployment.arn).await, 200, &deployment.arn);
    assert_eq!(weight().await, Some(0.0));
    until("ROLLBACK_SUCCESSFUL".to_owned(), async || status(&web, &client, &deployment).await).await;
}

#[tokio::test]
async fn a_newer_deployment_takes_the_place_of_a_running_one() {
    let aws = started().await;
    let client = aws.client();
    let web = ecs_service(&client, &Value::Null).await.unwrap();
    let first = web.deploy(&client, &web.candidate_arn).await.unwrap();
    let second = web.deploy(&client, &web.stable_arn).await.unwrap();
    assert_ne!(first.arn, second.arn);
    assert_eq!(status(&web, &client, &first).await, "STOPPED");
    until("SUCCESSFUL".to_owned(), async || status(&web, &client, &second).await).await;
    let again = web.deploy(&client, &web.stable_arn).await.unwrap();
    assert_eq!(again.arn, second.arn, "the same task definition is no deployment");
    let forced = json!({ "cluster": web.cluster, "service": web.name, "forceNewDeployment": true });
    assert_answer(&call(&client, "UpdateService", &forced).await, 200, "PRIMARY");
    assert_eq!(statuses(&web, &client).await.len(), 4, "a forced one is");
}

#[tokio::test]
async fn nothing_is_deployed_to_what_was_taken_out_of_use_or_never_was() {
    let aws = started().await;
    let client = aws.client();
    let web = ecs_service(&client, &Value::Null).await.unwrap();
    web.deregister(&client, &web.candidate_arn).await.unwrap();
    assert_refused(web.deploy(&client, &web.candidate_arn).await, 400, "TaskDefinition is inactive");
    let unknown = web.candidate_arn.replace(":2", ":9");
    assert_refused(web.deploy(&client, &unknown).await, 400, "ClientException");
    let nowhere = json!({ "cluster": web.cluster, "service": "none", "taskDefinition": web.stable_arn });
    assert_answer(&call(&client, "UpdateService", &nowhere).await, 400, "ServiceNotFoundException");
    assert_eq!(statuses(&web, &client).await, ["SUCCESSFUL"]);
    let inactive = json!({ "taskDefinition": web.candidate_arn });
    assert_answer(&call(&client, "DescribeTaskDefinition", &inactive).await, 200, "INACTIVE");
}

async fn status(web: &EcsService, client: &AwsClient, deployment: &ServiceDeployment) -> String {
    let deployments = web.deployments(client).await.unwrap();
    deployments.into_iter().find(|one| one.arn == deployment.arn).unwrap().status
}

async fn statuses(web: &EcsService, client: &AwsClient) -> Vec<String> {
    web.deployments(client).await.unwrap().into_iter().map(|deployment| deployment.status).collect()
}

async fn stop(client: &AwsClient, arn: &str) -> AwsAnswer {
    let asked = json!({ "serviceDeploymentArn": arn, "stopType": "ROLLBACK" });
    call(client, "StopServiceDeployment", &asked).await
}

async fn call(client: &AwsClient, operation: &str, document: &Value) -> AwsAnswer {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    client.json("ecs", &target, document).await.unwrap()
}
