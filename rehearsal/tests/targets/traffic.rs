//! Load balancers and aliases of state machines.

use super::{assert_answer, assert_refused, started};
use ripcord_rehearsal::{
    front::faults::{Fault, FaultRule},
    targets::{load_balancer, state_machine_alias},
};
use serde_json::json;

#[tokio::test]
async fn a_listener_and_a_rule_keep_their_weights_and_their_stickiness() {
    let aws = started().await;
    assert_eq!(aws.moto_process_group_id(), None, "nothing has needed moto");
    let client = aws.client();
    let shop = load_balancer(&client).await.unwrap();
    assert!(aws.moto_process_group_id().is_some());
    assert_eq!(shop.weights(&client).await.unwrap(), (100, 0));
    shop.shift(&client, 90, 10).await.unwrap();
    shop.shift_rule(&client, 75, 25).await.unwrap();
    assert_eq!(shop.weights(&client).await.unwrap(), (90, 10));
    assert_eq!(shop.rule_weights(&client).await.unwrap(), (75, 25), "a rule has weights of its own");
    assert_eq!(shop.health(&client, &shop.green_arn).await.unwrap(), ["healthy"]);
    let fields = [
        ("Action", "DescribeListeners"),
        ("Version", "2015-12-01"),
        ("ListenerArns.member.1", &*shop.listener_arn),
    ];
    let described = client.query("elasticloadbalancing", &fields).await.unwrap().text();
    assert!(described.contains("<DurationSeconds>60</DurationSeconds>"), "{described}");
}

#[tokio::test]
async fn a_load_balancer_refuses_what_elb_refuses() {
    let aws = started().await;
    let client = aws.client();
    let shop = load_balancer(&client).await.unwrap();
    shop.shift(&client, 999, 0).await.unwrap();
    assert_refused(shop.shift(&client, 1000, 0).await, 400, "ValidationError");
    assert_eq!(shop.weights(&client).await.unwrap(), (999, 0));
    let mut unknown = shop.clone();
    unknown.green_arn.push('x');
    assert_refused(unknown.shift(&client, 1, 1).await, 400, "TargetGroupNotFound");
    let mut unknown = shop.clone();
    unknown.listener_arn.push('x');
    assert_refused(unknown.shift(&client, 1, 1).await, 400, "ListenerNotFound");
    assert_refused(unknown.weights(&client).await, 400, "ListenerNotFound");
    let mut unknown = shop.clone();
    unknown.rule_arn.push('x');
    assert_refused(unknown.shift_rule(&client, 1, 1).await, 400, "RuleNotFound");
}

#[tokio::test]
async fn calls_of_every_backend_are_journaled_and_can_fail() {
    let aws = started().await;
    let shop = load_balancer(&aws.client()).await.unwrap();
    aws.journal().clear();
    aws.faults().add(FaultRule::once("ModifyListener", Fault::Throttle));
    let person = aws.client_as("person");
    assert_refused(shop.shift(&person, 50, 50).await, 400, "Throttling");
    assert_eq!(shop.weights(&aws.client()).await.unwrap(), (100, 0));
    shop.shift(&person, 50, 50).await.unwrap();
    let seen = aws.journal().matching(|entry| entry.operation == "ModifyListener");
    let seen: Vec<_> = seen
        .iter()
        .map(|entry| (&*entry.service, &*entry.region, entry.resource.as_deref(), entry.status))
        .collect();
    let listener = Some(&*shop.listener_arn);
    let expected = |status| ("elasticloadbalancing", "us-east-1", listener, Some(status));
    assert_eq!(seen, [expected(400), expected(200)]);
}

#[tokio::test]
async fn a_state_machines_alias_keeps_its_routing() {
    let aws = started().await;
    let client = aws.client();
    let orders = state_machine_alias(&client).await.unwrap();
    assert_eq!(orders.weights(&client).await.unwrap(), (100, 0));
    orders.shift(&client, 40, 60).await.unwrap();
    assert_eq!(orders.weights(&client).await.unwrap(), (40, 60));
    assert_refused(orders.shift(&client, 40, 50).await, 400, "ValidationException");
    let mut unknown = orders.clone();
    unknown.candidate_arn = format!("{}:9", orders.machine_arn);
    assert_refused(unknown.shift(&client, 40, 60).await, 400, "ResourceNotFound");
    assert_eq!(orders.weights(&client).await.unwrap(), (40, 60));
    let delete = json!({ "stateMachineVersionArn": orders.stable_arn });
    let deleted = client.json("states", "AWSStepFunctions.DeleteStateMachineVersion", &delete).await.unwrap();
    assert_answer(&deleted, 400, "ConflictException");
}
