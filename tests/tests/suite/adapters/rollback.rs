//! `alarm-rollback` from the event to the answer: the order of its calls, and which answer needs which.

use alarm_rollback::answer;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
use aws_smithy_mocks::mock;
use ripcord::registration::Guard;
use ripcord::release::Report;
use ripcord::situation::Heard;
use serde_json::json;

use super::handling::{alarm_event, always, answered, command, file, outcomes, puller, releasing, restored};
use super::scene::{
    ALARM, Scene, alias, canceled, deadline, guarding, holds, holds_in_turn, item, items_of, logs, publishes,
    recorded, seen_in_turn, updates, writes,
};
use crate::worlds::World;

#[tokio::test(start_paused = true)]
async fn traffic_goes_back_before_anything_is_written_or_told() {
    let record = releasing();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &restored(),
        &updates(),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["restore: alarm_during_release"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    lambda:UpdateAlias checkout-api:live to 1, weights {}, if r1
    lambda:GetAlias checkout-api:live
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005, service#checkout/rollback#0000000005#api, evidence#checkout/0000000005#rollback
    sns:Publish warning "checkout was rolled back (release 5)"
    dynamodb:TransactWriteItems service#checkout/release if seq = 13, history#checkout/0000000005
    logs:FilterLogEvents /aws/lambda/checkout-api
    dynamodb:TransactWriteItems logs#checkout/0000000005#checkout-api
    "#);
    let (_, attributes, message) = scene.published().remove(0);
    assert_eq!(attributes["severity"], "warning");
    let description = message["content"]["description"].as_str().unwrap();
    assert!(description.contains("alarm errors fired 4 min 0 s after release 5 was opened"), "{description}");
}

#[tokio::test(start_paused = true)]
async fn a_second_alarm_in_the_same_process_is_answered_by_what_the_first_taught() {
    let record = releasing();
    let rules = [
        &guarding(&record),
        &recorded(&record),
        &seen_in_turn(vec![
            alias("1", &[("2", 0.1)], "r1"),
            alias("1", &[], "r2"),
            alias("1", &[("2", 0.1)], "r3"),
            alias("1", &[], "r4"),
        ]),
        &updates(),
        &writes(),
        &publishes(),
        &logs(),
    ];
    let scene = Scene::new(&rules);
    let pull = puller(&scene);
    let event = alarm_event("ALARM", "10:04:00");
    answer(&event, deadline(), &pull).await.unwrap();
    let cold = scene.call_names().len();
    answer(&event, deadline(), &pull).await.unwrap();
    let warm = &scene.call_names()[cold..];
    let before_update: Vec<&String> = warm.iter().take_while(|call| *call != "lambda:UpdateAlias").collect();
    // The alarm's services are asked for again, but nothing waits for the answer.
    let mut expected = vec!["dynamodb:Query", "lambda:GetAlias"];
    let mut seen: Vec<&str> = before_update.into_iter().map(String::as_str).collect();
    expected.sort_unstable();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, expected);
    assert_eq!(warm.len(), cold, "{warm:?}");
}

#[tokio::test(start_paused = true)]
async fn a_guess_from_before_the_registration_changed_rolls_nothing_back() {
    let record = releasing();
    let mut unguarded = record.clone();
    unguarded.registration.guards = vec![Guard { alarm: "latency".to_owned() }];
    let alarm = format!("alarm#{ALARM}");
    let mapping = json!({ "service": "checkout", "targets": record.registration.targets });
    let mapped = vec![item(&alarm, "service#checkout", &mapping)];
    let scene = Scene::new(&[
        &holds_in_turn(&alarm, vec![mapped, Vec::new()]),
        &holds_in_turn("service#checkout", vec![items_of(&record), items_of(&unguarded)]),
        &seen_in_turn(vec![
            alias("1", &[("2", 0.1)], "r1"),
            alias("1", &[], "r2"),
            alias("1", &[("2", 0.1)], "r3"),
        ]),
        &updates(),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let pull = puller(&scene);
    answer(&alarm_event("ALARM", "10:04:00"), deadline(), &pull).await.unwrap();
    let again = answer(&alarm_event("ALARM", "10:04:30"), deadline(), &pull).await;
    assert_eq!(outcomes(again), [format!("unregistered: alarm {ALARM} no longer guards service checkout")]);
    assert_eq!(scene.call_names().iter().filter(|call| *call == "lambda:UpdateAlias").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_took_the_alarm_since_the_guess_is_answered_too() {
    let record = releasing();
    let alarm = format!("alarm#{ALARM}");
    let mapping = json!({ "service": "checkout", "targets": record.registration.targets });
    let mapped = vec![item(&alarm, "service#checkout", &mapping)];
    let scene = Scene::new(&[
        &holds_in_turn(&alarm, vec![Vec::new(), mapped]),
        &recorded(&record),
        &restored(),
        &updates(),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let pull = puller(&scene);
    let event = alarm_event("ALARM", "10:04:00");
    let first = answer(&event, deadline(), &pull).await;
    assert_eq!(outcomes(first), [format!("unregistered: alarm {ALARM} guards no registered service")]);
    let second = answer(&event, deadline(), &pull).await;
    assert_eq!(outcomes(second), ["restore: alarm_during_release"]);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_no_service_costs_one_query_and_is_no_error() {
    let scene = Scene::new(&[&holds(format!("alarm#{ALARM}"), Vec::new())]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), [format!("unregistered: alarm {ALARM} guards no registered service")]);
    assert_eq!(scene.call_names(), ["dynamodb:Query"]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_event_costs_nothing() {
    let scene = Scene::new(&[]);
    let answers = answered(&scene, &file("eventbridge/ec2-state-change.json")).await;
    let expected =
        "foreign: \"EC2 Instance State-change Notification\" of aws.ec2 is no signal: nothing to do";
    assert_eq!(outcomes(answers), [expected]);
    assert_eq!(scene.calls(), "");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_does_not_fire_or_is_suppressed_costs_nothing() {
    let scene = Scene::new(&[]);
    for (event, outcome) in [
        (alarm_event("OK", "10:04:00"), "stand_down: alarm_not_firing"),
        (alarm_event("INSUFFICIENT_DATA", "10:04:00"), "stand_down: alarm_not_firing"),
        (file("eventbridge/composite-suppressed.json"), "stand_down: alarm_suppressed"),
    ] {
        assert_eq!(outcomes(answered(&scene, &event).await), [outcome]);
    }
    assert_eq!(scene.calls(), "");
}

#[tokio::test(start_paused = true)]
async fn an_operator_moves_traffic_by_the_same_path() {
    let record = releasing();
    let scene = Scene::new(&[&recorded(&record), &restored(), &updates(), &writes(), &publishes(), &logs()]);
    let answers = answered(&scene, &command(&json!({ "reason": "customers report 500s" }))).await;
    assert_eq!(outcomes(answers), ["restore: operator_asked"]);
    let names = scene.call_names();
    assert_eq!(names[..3], ["dynamodb:Query", "lambda:GetAlias", "lambda:UpdateAlias"]);
    let scene = Scene::new(&[&holds("service#basket", Vec::new())]);
    let answers = answered(&scene, &command(&json!({ "service": "basket" }))).await;
    assert_eq!(outcomes(answers), ["unregistered: service basket is not registered"]);
}

#[tokio::test(start_paused = true)]
async fn people_are_told_once_of_a_signal_that_comes_twice_in_one_event() {
    let record = World::checkout().record;
    let mut leased = record.clone();
    let key = "errors@2026-03-02T10:04:00Z".to_owned();
    leased.heard = vec![Heard { key, report: Report::Leased { until: deadline() } }];
    let (unheard, heard) = (items_of(&record), items_of(&leased));
    let lease_is_taken_once = mock!(DynamoDb::transact_write_items)
        .match_requests(|write| {
            write.transact_items()[0].put().unwrap().item()["doc"].as_s().unwrap().contains("leased")
        })
        .sequence()
        .output(|| TransactWriteItemsOutput::builder().build())
        .http_status(400, Some(canceled(&["ConditionalCheckFailed"])))
        .build();
    let scene = Scene::new(&[
        &guarding(&record),
        &holds_in_turn("service#checkout", vec![unheard.clone(), unheard, heard]),
        &always(|| alias("1", &[], "r1")),
        &lease_is_taken_once,
        &writes(),
        &publishes(),
    ]);
    let signal = json!({ "eventSource": "aws:sqs", "body": alarm_event("ALARM", "10:04:00").to_string() });
    let answers = answered(&scene, &json!({ "Records": [signal, signal] })).await;
    assert_eq!(outcomes(answers), ["stand_down: alarm_without_change", "stand_down: already_heard"]);
    assert_eq!(scene.published().len(), 1, "{}", scene.calls());
}
