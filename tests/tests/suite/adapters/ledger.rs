//! The ledger: what is read, what is refused as unreadable, and under which conditions what is written.

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Interruption, LedgerError, take};
use ripcord::names::Generation;
use ripcord::plan::{LedgerWrite, Step};
use ripcord::release::{KnownGood, Release, Report};
use ripcord::situation::{Heard, ServiceRecord};

use super::scene::{Item, Scene, canceled, clock, holds, item, items_of, recorded, refusal, writes};
use crate::worlds::{SERVICE, World, at, canary, past_rollback, percent, v};

const PK: &str = "service#checkout";

fn record() -> ServiceRecord {
    let mut record = World::checkout().released(canary()).record;
    record.rollbacks = vec![past_rollback(3, 9, at("08:00:00"))];
    record.heard =
        vec![Heard { key: "errors@earlier".to_owned(), report: Report::Sent { at: at("07:00:00") } }];
    record
}

async fn read(rule: &Rule) -> Result<Option<ServiceRecord>, LedgerError> {
    Scene::new(&[rule]).aws.ledger.service(&SERVICE.parse().unwrap()).await
}

#[track_caller]
fn unreadable(result: Result<Option<ServiceRecord>, LedgerError>, sk: &str, because: &str) {
    match result {
        Err(LedgerError::Unreadable { pk, sk: found, why }) => {
            assert_eq!((pk.as_str(), found.as_str()), (PK, sk));
            assert!(why.contains(because), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_read_whole_by_one_query() {
    let scene = Scene::new(&[&recorded(&record())]);
    let read = scene.aws.ledger.service(&SERVICE.parse().unwrap()).await;
    assert_eq!(read, Ok(Some(record())));
    assert_eq!(scene.calls(), "dynamodb:Query service#checkout");
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_registration_is_not_registered() {
    assert_eq!(read(&holds(PK, Vec::new())).await, Ok(None));
    let rest = items_of(&record()).split_off(1);
    assert_eq!(read(&holds(PK, rest)).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_record_of_several_pages_is_read_to_its_end() {
    let mut items = items_of(&record()).into_iter();
    let first: Vec<Item> = items.by_ref().take(2).collect();
    let rest: Vec<Item> = items.collect();
    let rule = mock!(DynamoDb::query)
        .sequence()
        .output(move || {
            let builder = QueryOutput::builder().set_items(Some(first.clone()));
            builder.last_evaluated_key("pk", AttributeValue::S(PK.to_owned())).build()
        })
        .output(move || QueryOutput::builder().set_items(Some(rest.clone())).build())
        .build();
    let scene = Scene::new(&[&rule]);
    assert_eq!(scene.aws.ledger.service(&SERVICE.parse().unwrap()).await, Ok(Some(record())));
    insta::assert_snapshot!(scene.calls(), @r"
    dynamodb:Query service#checkout
    dynamodb:Query service#checkout from the next page
    ");
}

#[tokio::test(start_paused = true)]
async fn a_record_without_an_end_is_given_up_after_ten_pages() {
    let endless = mock!(DynamoDb::query).then_output(|| {
        QueryOutput::builder().last_evaluated_key("pk", AttributeValue::S(PK.to_owned())).build()
    });
    unreadable(read(&endless).await, "*", "more than 10 pages");
    assert_eq!(endless.num_calls(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_ripcord_did_not_write_is_named() {
    let with = |change: fn(&mut Vec<Item>)| {
        let mut items = items_of(&record());
        change(&mut items);
        holds(PK, items)
    };
    let rule = with(|items| {
        items[0].remove("version");
    });
    unreadable(read(&rule).await, "registration", "version is not a number");
    let rule = with(|items| {
        items[0].insert("doc".to_owned(), AttributeValue::S("{".to_owned()));
    });
    unreadable(read(&rule).await, "registration", "EOF while parsing");
    let rule = with(|items| items.push(item(PK, "release", &serde_json::json!({ "phase": "unheard of" }))));
    unreadable(read(&rule).await, "release", "unknown variant");
    let rule = with(|items| {
        items[1].remove("doc");
    });
    unreadable(read(&rule).await, "good#api", "EOF while parsing");
}

#[tokio::test(start_paused = true)]
async fn what_a_later_version_of_the_suite_keeps_is_passed_over() {
    let mut items = items_of(&record());
    items.push(item(PK, "claim#api", &serde_json::json!({ "by": "a later version" })));
    assert_eq!(read(&holds(PK, items)).await, Ok(Some(record())));
}

#[tokio::test(start_paused = true)]
async fn a_query_that_stays_throttled_is_an_error_and_no_empty_record() {
    let rule = mock!(DynamoDb::query)
        .sequence()
        .http_status(
            400,
            Some(refusal("com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException")),
        )
        .repeatedly()
        .build();
    let error = read(&rule).await.unwrap_err().to_string();
    assert!(error.contains("dynamodb:Query of service#checkout failed"), "{error}");
    assert!(error.contains("ProvisionedThroughputExceeded"), "{error}");
    assert_eq!(rule.num_calls(), 3);
}

async fn written(step: Step, rule: &Rule) -> (Scene, Option<Interruption>) {
    let scene = Scene::new(&[rule]);
    let interruption = take(&scene.aws, &vec![vec![step]], clock).await.interruption;
    (scene, interruption)
}

fn write(release: Release) -> Step {
    Step::Write(Box::new(LedgerWrite::of(release)))
}

#[tokio::test(start_paused = true)]
async fn a_release_is_written_only_over_the_write_that_was_read() {
    let first = Release { seq: 1, ..canary() };
    let (scene, interruption) = written(write(first), &writes()).await;
    assert_eq!(interruption, None);
    insta::assert_snapshot!(scene.calls(), @"dynamodb:TransactWriteItems service#checkout/release if attribute_not_exists(pk), history#checkout/0000000005");

    let (scene, _) = written(write(canary()), &writes()).await;
    insta::assert_snapshot!(scene.calls(), @"dynamodb:TransactWriteItems service#checkout/release if seq = 11, history#checkout/0000000005");
    let release = &scene.written()[&(PK.to_owned(), "release".to_owned())];
    assert_eq!(release["seq"], AttributeValue::N("12".to_owned()));
    assert!(!release.contains_key("expires_at"), "a release is never forgotten");
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_a_rollback_is_one_transaction_and_the_right_parts_expire() {
    let write = LedgerWrite {
        rollbacks: vec![past_rollback(5, 2, at("10:05:00"))],
        rollbacks_until: at("20:00:00"),
        known_good: vec![KnownGood { target: "api".parse().unwrap(), version: v(1), since: at("10:05:00") }],
        ..LedgerWrite::of(canary())
    };
    let (scene, _) = written(Step::Write(Box::new(write)), &writes()).await;
    insta::assert_snapshot!(scene.calls(), @"dynamodb:TransactWriteItems service#checkout/release if seq = 11, history#checkout/0000000005, service#checkout/rollback#0000000005#api, service#checkout/good#api");
    let expiring: Vec<String> = scene
        .written()
        .into_iter()
        .filter_map(|((_, sk), item)| Some(format!("{sk} {}", item.get("expires_at")?.as_n().unwrap())))
        .collect();
    assert_eq!(expiring, [format!("rollback#0000000005#api {}", at("20:00:00").as_second())]);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_read_as_it_was() {
    let intended = percent(25.0);
    let mut release = canary();
    release.changes[0].weight = intended;
    release.generation = Generation(6);
    let good = KnownGood { target: "api".parse().unwrap(), version: v(2), since: at("10:05:00") };
    let rollback = past_rollback(6, 2, at("10:05:00"));
    let write = LedgerWrite {
        rollbacks: vec![rollback.clone()],
        known_good: vec![good.clone()],
        ..LedgerWrite::of(release.clone())
    };
    let (scene, _) = written(Step::Write(Box::new(write)), &writes()).await;
    let mut items = items_of(&World::checkout().record);
    items.truncate(1);
    items.extend(scene.written().into_iter().filter(|((pk, _), _)| pk == PK).map(|(_, item)| item));
    let read = read(&holds(PK, items)).await.unwrap().unwrap();
    assert_eq!((read.release, read.known_good, read.rollbacks), (Some(release), vec![good], vec![rollback]));
}

fn canceling(reasons: &[&str]) -> Rule {
    mock!(DynamoDb::transact_write_items)
        .sequence()
        .http_status(400, Some(canceled(reasons)))
        .repeatedly()
        .build()
}

#[tokio::test(start_paused = true)]
async fn a_lost_condition_or_a_conflict_is_a_race() {
    for reasons in [&["ConditionalCheckFailed", "None"], &["None", "TransactionConflict"]] {
        let (_, interruption) = written(write(canary()), &canceling(reasons)).await;
        let what = "the ledger's record of checkout has changed since it was read".to_owned();
        assert_eq!(interruption, Some(Interruption::Raced { what }), "{reasons:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_other_end_of_a_transaction_is_a_failure() {
    let throttled = canceling(&["ThrottlingError", "None"]);
    let denied = mock!(DynamoDb::transact_write_items)
        .sequence()
        .http_status(400, Some(refusal("com.amazon.coral.service#AccessDeniedException")))
        .build();
    for (rule, cause) in [(throttled, "ThrottlingError"), (denied, "AccessDeniedException")] {
        match written(write(canary()), &rule).await.1 {
            Some(Interruption::Failed { why }) => {
                assert!(why.contains("dynamodb:TransactWriteItems of checkout failed"), "{why}");
                assert!(why.contains(cause), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

fn hear(report: Report) -> Step {
    Step::Hear {
        service: SERVICE.parse().unwrap(),
        heard: Heard { key: "errors@10:04".to_owned(), report },
        now: at("10:05:00"),
        until: at("20:00:00"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_answers_a_signal_takes_a_lease_that_only_its_end_gives_free() {
    let (scene, interruption) = written(hear(Report::Leased { until: at("10:05:30") }), &writes()).await;
    assert_eq!(interruption, None);
    let now = at("10:05:00").as_millisecond();
    let expected = format!(
        "dynamodb:TransactWriteItems service#checkout/heard#errors@10:04 if attribute_not_exists(pk) OR lease_until <= {now}"
    );
    assert_eq!(scene.calls(), expected);
    let item = scene.written().into_values().next().unwrap();
    assert_eq!(item["lease_until"], AttributeValue::N(at("10:05:30").as_millisecond().to_string()));
    assert_eq!(item["expires_at"], AttributeValue::N(at("20:00:00").as_second().to_string()));
}

#[tokio::test(start_paused = true)]
async fn an_answered_signal_leaves_no_lease_that_could_end() {
    let (scene, _) = written(hear(Report::Sent { at: at("10:05:00") }), &writes()).await;
    assert_eq!(scene.calls(), "dynamodb:TransactWriteItems service#checkout/heard#errors@10:04");
    let item = scene.written().into_values().next().unwrap();
    assert!(!item.contains_key("lease_until"), "{item:?}");
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_another_answers_is_a_race() {
    let step = hear(Report::Leased { until: at("10:05:30") });
    let (_, interruption) = written(step, &canceling(&["ConditionalCheckFailed"])).await;
    let what = "errors@10:04 is being answered by another".to_owned();
    assert_eq!(interruption, Some(Interruption::Raced { what }));
}
