//! `release-recorder` from the event to what is kept: each moment once, however often it is told, and nothing past a write that
//! could not be kept.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_sdk_codedeploy::types::DeploymentStatus;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::types::error::{
    ConditionalCheckFailedException, ProvisionedThroughputExceededException,
};
use aws_smithy_mocks::{MockResponse, Rule, mock};
use release_recorder::{Recorded, Recorder, record};
use ripcord::dora::restore_time;
use ripcord::error_type::ErrorType;
use ripcord::names::{Generation, ServiceName};
use ripcord::release::{Phase, Release};
use ripcord::timeline::{Moment, What};
use serde_json::{Value, json};

use super::handling::file;
use super::scene::codedeploy::{deployed, deploying};
use super::scene::{FUNCTION, Scene, holds, item};
use crate::worlds::{SERVICE, alarm, at, canary, percent};

/// Keys that are taken, as the table's condition sees them.
type Taken = Arc<Mutex<BTreeSet<String>>>;

/// A table that refuses a key that it has; keys that contain `throttled` it never takes.
fn table(taken: &Taken, throttled: &'static str) -> Rule {
    let taken = Arc::clone(taken);
    mock!(DynamoDb::put_item).then_compute_response(move |put| {
        let key = put.item().unwrap()["sk"].as_s().unwrap().clone();
        if !throttled.is_empty() && key.contains(throttled) {
            let error = ProvisionedThroughputExceededException::builder().build();
            return MockResponse::Error(PutItemError::ProvisionedThroughputExceededException(error));
        }
        assert_eq!(put.condition_expression(), Some("attribute_not_exists(pk)"));
        if taken.lock().unwrap().insert(key) {
            return MockResponse::Output(PutItemOutput::builder().build());
        }
        let error = ConditionalCheckFailedException::builder().build();
        MockResponse::Error(PutItemError::ConditionalCheckFailedException(error))
    })
}

fn recorder(scene: &Scene) -> Recorder {
    Recorder { aws: scene.aws.clone(), namespace: "ripcord/Deployments".to_owned() }
}

/// What DynamoDB tells of a write of a release's history.
fn told(number: u32, before: Option<&Release>, after: &Release, written_at: &str) -> Value {
    let image = |release: &Release| json!({ "doc": { "S": serde_json::to_string(release).unwrap() } });
    let mut dynamodb = json!({
        "ApproximateCreationDateTime": at(written_at).as_second(),
        "Keys": {
            "pk": { "S": format!("history#{SERVICE}") },
            "sk": { "S": format!("{:010}", after.generation.0) },
        },
        "NewImage": image(after),
        "SequenceNumber": number.to_string(),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    if let Some(before) = before {
        dynamodb["OldImage"] = image(before);
    }
    let name = if before.is_some() { "MODIFY" } else { "INSERT" };
    json!({ "eventID": number.to_string(), "eventName": name, "eventSource": "aws:dynamodb", "dynamodb": dynamodb })
}

/// A release is opened, moved to a tenth, and rolled back by an alarm.
fn story() -> Vec<Value> {
    let shifted = canary();
    let mut open = shifted.clone();
    open.seq = shifted.seq - 1;
    open.changes[0].weight = percent(0.0);
    let situation = crate::worlds::World::checkout().released(shifted.clone());
    let decision = ripcord::decide::decide(
        &alarm("10:04:50"),
        &situation.situation(),
        crate::worlds::moment(at("10:05:00")),
    );
    let written = decision
        .steps
        .into_iter()
        .flatten()
        .find_map(|step| if let ripcord::plan::Step::Write(write) = step { write.release } else { None });
    let back = written.expect("a rollback is booked");
    assert_eq!(back.phase, Phase::RolledBack);
    vec![
        told(1, None, &open, "10:00:00"),
        told(2, Some(&open), &shifted, "10:00:02"),
        told(3, Some(&shifted), &back, "10:05:01"),
    ]
}

async fn recorded(scene: &Scene, records: Vec<Value>) -> Recorded {
    record(&json!({ "Records": records }), &recorder(scene)).await.unwrap()
}

fn unkept(recorded: &Recorded) -> Vec<&str> {
    recorded.batch_item_failures.iter().map(|unkept| unkept.item_identifier.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_release_and_its_rollback_are_kept_moment_by_moment_and_counted() {
    let scene = Scene::new(&[&table(&Taken::default(), "")]);
    let recorded = recorded(&scene, story()).await;
    assert!(recorded.batch_item_failures.is_empty());
    insta::assert_snapshot!(format!("{}\n{}", scene.calls(), recorded.counted.join(" ")));
}

#[tokio::test(start_paused = true)]
async fn what_is_told_again_is_neither_kept_nor_counted_again() {
    let taken = Taken::default();
    let scene = Scene::new(&[&table(&taken, "")]);
    let first = recorded(&scene, story()).await;
    let keys = taken.lock().unwrap().clone();
    assert_eq!(first.kept, keys.len());
    let backwards = story().into_iter().rev().chain(story()).collect();
    let again = recorded(&scene, backwards).await;
    assert_eq!((again.kept, again.counted.len(), unkept(&again).len()), (0, 0, 0));
    assert_eq!(*taken.lock().unwrap(), keys);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_cannot_be_kept_is_told_of_and_nothing_after_it_is_lost() {
    let taken = Taken::default();
    let scene = Scene::new(&[&table(&taken, "3-weights#api")]);
    let records = story();
    // The opening's own moment of weights is refused already.
    let first = recorded(&scene, records.clone()).await;
    assert_eq!(unkept(&first), ["1"]);
    // Lambda comes again from there, and the table answers again.
    let scene = Scene::new(&[&table(&taken, "")]);
    let second = recorded(&scene, records).await;
    assert!(unkept(&second).is_empty());

    let whole = Taken::default();
    let straight = recorded(&Scene::new(&[&table(&whole, "")]), story()).await;
    assert_eq!(*taken.lock().unwrap(), *whole.lock().unwrap());
    let sorted = |recorded: &[&Recorded]| {
        let mut counted: Vec<&str> = recorded.iter().flat_map(|one| one.counted.clone()).collect();
        counted.sort_unstable();
        counted
    };
    assert_eq!(sorted(&[&first, &second]), sorted(&[&straight]));
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_write_is_named_and_touches_nothing() {
    let scene = Scene::new(&[]);
    let mut poisoned = story().remove(0);
    poisoned["dynamodb"]["NewImage"]["doc"]["S"] = json!("{ not a release");
    let answered = recorded(&scene, vec![poisoned]).await;
    assert_eq!(unkept(&answered), ["1"]);
    assert_eq!(scene.calls(), "");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_release_and_what_was_removed_is_passed_over() {
    let scene = Scene::new(&[]);
    let mut elsewhere = story().remove(0);
    elsewhere["dynamodb"]["Keys"]["pk"]["S"] = json!("evidence#checkout");
    let mut removed = story().remove(0);
    removed["eventName"] = json!("REMOVE");
    let answered = recorded(&scene, vec![elsewhere, removed]).await;
    assert_eq!(answered, Recorded::default());
    assert_eq!(scene.calls(), "");
}

#[tokio::test(start_paused = true)]
async fn awss_own_events_are_kept_for_the_services_that_they_concern() {
    let place = |place: &str| {
        let pk = format!("place#{place}");
        holds(
            &pk,
            vec![item(&pk, format!("service#{SERVICE}"), &json!({ "service": SERVICE, "targets": [] }))],
        )
    };
    let (ecs, alias) = (place("ecs:shop/checkout"), place(&format!("lambda:{FUNCTION}:live")));
    let configuration = place("appconfig:ba8toh7/pgil2o7/ga3tqep");
    let unnamed = holds("place#stack:checkout", Vec::new());
    let by_name = holds("place#appconfig:shop/production/flags", Vec::new());
    let deployment = deployed("d-75I7MBT7C", deploying(1, 2, DeploymentStatus::Failed));
    let taken = Taken::default();
    let table = table(&taken, "");
    let scene = Scene::new(&[&ecs, &alias, &configuration, &by_name, &unnamed, &deployment, &table]);
    for name in [
        "eventbridge/ecs-deployment-failed.json",
        "eventbridge/codedeploy-failure.json",
        "eventbridge/appconfig-deployment-rolled-back.json",
        "eventbridge/stack-rollback-complete.json",
        "pipeline/status-timed-out.json",
        "pipeline/status-of-another-machine.json",
        "eventbridge/ok.json",
    ] {
        for _ in 0..2 {
            record(&file(name), &recorder(&scene))
                .await
                .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        }
    }
    let keys: Vec<String> = taken.lock().unwrap().iter().cloned().collect();
    insta::assert_snapshot!(keys.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn an_event_without_what_is_needed_is_refused_by_name() {
    let scene = Scene::new(&[]);
    for (name, pointer, why) in [
        ("eventbridge/ecs-deployment-failed.json", "/resources", "there is no text /resources/0"),
        ("eventbridge/codedeploy-failure.json", "/detail/state", "there is no text /detail/state"),
        ("eventbridge/stack-rollback-complete.json", "/time", "there is no text /time"),
    ] {
        let mut event = file(name);
        *event.pointer_mut(pointer).unwrap() = json!(null);
        let failure = record(&event, &recorder(&scene)).await.unwrap_err();
        assert_eq!((failure.error_type, failure.message.as_str()), (ErrorType::SignalUnreadable, why));
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeline_is_read_in_order_with_awss_word_among_it() {
    let taken = Taken::default();
    let scene = Scene::new(&[&table(&taken, "")]);
    recorded(&scene, story()).await;
    let mut items: Vec<_> = scene.written().into_values().collect();
    items.reverse();
    let scene = Scene::new(&[&holds(format!("timeline#{SERVICE}"), items)]);
    let service: ServiceName = SERVICE.parse().unwrap();
    let mut timeline = scene.aws.ledger.timeline(&service, Generation(5)).await.unwrap();
    timeline.dedup();
    let times: Vec<_> = timeline.iter().map(|moment: &Moment| moment.at).collect();
    assert!(times.is_sorted(), "{timeline:#?}");
    assert!(matches!(timeline[0].what, What::Opened { .. }));
    let back =
        serde_json::from_str(story()[2]["dynamodb"]["NewImage"]["doc"]["S"].as_str().unwrap()).unwrap();
    // From the alarm at 10:04:50 to the write at 10:05:01.
    assert_eq!(restore_time(&back, &timeline), Some(crate::worlds::seconds(11)));
}
