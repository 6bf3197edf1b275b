//! What EventBridge is told of deployments of ECS and of stacks.

use super::{assert_answer, started, until};
use ripcord_rehearsal::{
    LocalAws,
    aws_client::AwsClient,
    targets::{ecs_service, stack},
};
use serde_json::{Value, json};

#[tokio::test]
async fn deployments_of_ecs_are_told_with_their_ends() {
    let aws = started().await;
    let client = aws.client();
    let queue = listen(&aws, &client, "aws.ecs").await;
    let web = ecs_service(&client, &Value::Null).await.unwrap();
    let deployment = web.deploy(&client, &web.candidate_arn).await.unwrap();
    let stop = json!({ "serviceDeploymentArn": deployment.arn });
    let stop = client.json("ecs", "AmazonEC2ContainerServiceV20141113.StopServiceDeployment", &stop);
    assert_answer(&stop.await.unwrap(), 200, "");
    let names = told(&client, &queue, 3, "/detail/eventName", "/resources/0").await;
    let named = |name: &str| (name.to_owned(), web.arn.clone());
    let begun = named("SERVICE_DEPLOYMENT_IN_PROGRESS");
    assert_eq!(names, [begun.clone(), begun, named("SERVICE_DEPLOYMENT_FAILED")]);
    assert!(aws.action_failures().is_empty(), "{:?}", aws.action_failures());
}

#[tokio::test]
async fn stacks_tell_every_status() {
    let aws = started().await;
    let client = aws.client();
    let queue = listen(&aws, &client, "aws.cloudformation").await;
    let shop = stack(&client).await.unwrap();
    until("CREATE_COMPLETE".to_owned(), async || shop.status(&client).await.unwrap()).await;
    let names = told(&client, &queue, 2, "/detail/status-details/status", "/detail/stack-id").await;
    let named = |name: &str| (name.to_owned(), shop.id.clone());
    assert_eq!(names, [named("CREATE_IN_PROGRESS"), named("CREATE_COMPLETE")]);
}

/// A queue that gets the events of a source.
async fn listen(aws: &LocalAws, client: &AwsClient, source: &str) -> String {
    let made = client.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": "heard" })).await.unwrap();
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let pattern = json!({ "source": [source] }).to_string();
    let rule = json!({ "Name": "heard", "EventPattern": pattern });
    assert_answer(&client.json("events", "AWSEvents.PutRule", &rule).await.unwrap(), 200, "RuleArn");
    let arn = format!("arn:aws:sqs:{}:{}:heard", aws.region(), aws.account_id());
    let targets = json!({ "Rule": "heard", "Targets": [{ "Id": "1", "Arn": arn }] });
    assert_answer(&client.json("events", "AWSEvents.PutTargets", &targets).await.unwrap(), 200, "");
    made["QueueUrl"].as_str().unwrap().to_owned()
}

/// Two texts of each of the first events, once there are that many. A queue may hand them over in any order.
async fn told(
    client: &AwsClient,
    queue: &str,
    count: usize,
    one: &str,
    other: &str,
) -> Vec<(String, String)> {
    let heard = std::cell::RefCell::new(Vec::new());
    let ask = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600 });
    until(true, async || {
        let answer = client.json("sqs", "AmazonSQS.ReceiveMessage", &ask).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let event: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            heard.borrow_mut().push(event);
        }
        heard.borrow().len() >= count
    })
    .await;
    let text = |event: &Value, path: &str| event.pointer(path).unwrap().as_str().unwrap().to_owned();
    heard.borrow().iter().map(|event| (text(event, one), text(event, other))).collect()
}
