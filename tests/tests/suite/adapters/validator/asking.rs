//! A question to a person: written down before it is told, told again rather than never, and never about a release that has
//! gone on.

use ripcord::release::Release;

use super::super::scene::{holds_in_turn, items_of, publishes};
use super::*;

fn question(stage: usize, token: &str) -> Value {
    let why = "errors 0% (0 of 1,200) prove the limit 5.0%";
    json!({
        "service": SERVICE, "release": 5,
        "ask": { "token": token, "stage": stage, "why": why, "wait_seconds": 14_400 },
    })
}

fn release_in(scene: &Scene) -> Release {
    let item = &scene.written()[&(format!("service#{SERVICE}"), "release".to_owned())];
    serde_json::from_str(item["doc"].as_s().unwrap()).unwrap()
}

/// The same record after the question was put with this token.
fn asked(token: &str) -> ServiceRecord {
    let mut record = baked();
    let mut release = record.release.take().unwrap();
    let mut run = release.run.take().unwrap();
    run.awaiting = Some(ripcord::pipeline::Awaiting {
        stage: 1,
        token: token.to_owned(),
        since: at("10:00:00"),
        until: at("14:00:00"),
        why: "it was proved".to_owned(),
    });
    record.release = Some(release.running(*run));
    record
}

#[tokio::test(start_paused = true)]
async fn a_person_is_asked_after_that_is_written_down() {
    let scene = Scene::new(&[&recorded(&baked()), &writes(), &publishes()]);
    let answer = validated(&scene, &question(1, "token-1")).await.unwrap();
    assert_eq!((answer.verdict, answer.onward.next, answer.onward.stage), (None, Turn::Approve, 1));
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query service#checkout
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005
    sns:Publish warning "checkout: release 5 waits for a person"
    "#);
    let awaiting = release_in(&scene).run.unwrap().awaiting.unwrap();
    assert_eq!((awaiting.token.as_str(), awaiting.stage), ("token-1", 1));
    assert_eq!((awaiting.since, awaiting.until), (at("10:05:00"), at("14:05:00")));
    let (_, _, message) = &scene.published()[0];
    assert_eq!(
        message["content"]["description"],
        "What is known: errors 0% (0 of 1,200) prove the limit 5.0%. Asked: to begin stage 2 of 2 and take version 2 of api \
         from 10% to 100%. Until 2026-03-02 14:05:00Z; without an answer the release is rolled back then."
    );
    assert_eq!(
        message["content"]["nextSteps"],
        json!([
            "ripcord approve checkout",
            "ripcord reject checkout --reason \"...\"",
            "ripcord watch checkout"
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_question_is_whether_to_complete_and_the_first_takes_nothing_back() {
    let whole = Case::of(&[10.0, 100.0], &["09:30:00", "09:50:00"], "10:05:00").record;
    let scene = Scene::new(&[&recorded(&whole), &writes(), &publishes()]);
    let answer = validated(&scene, &question(2, "t")).await.unwrap();
    assert_eq!(answer.onward.then, ripcord::pipeline::Then::Verify);
    let said = scene.published()[0].2["content"]["description"].as_str().unwrap().to_owned();
    assert!(said.contains("Asked: to complete the release with version 2 of api."), "{said}");

    let fresh = Case::of(&[10.0, 100.0], &[], "10:05:00").record;
    let scene = Scene::new(&[&recorded(&fresh), &writes(), &publishes()]);
    validated(&scene, &question(0, "t")).await.unwrap();
    let said = scene.published()[0].2["content"]["description"].as_str().unwrap().to_owned();
    assert!(said.contains("begin stage 1 of 2 and take version 2 of api from 0% to 10%"), "{said}");
    assert!(said.ends_with("without an answer the release is withdrawn then."), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_written_down_already_is_only_told_again() {
    let scene = Scene::new(&[&recorded(&asked("token-1")), &publishes()]);
    for _ in 0..2 {
        validated(&scene, &question(1, "token-1")).await.unwrap();
    }
    assert_eq!(
        scene.call_names(),
        ["dynamodb:Query", "sns:Publish", "dynamodb:Query", "sns:Publish"],
        "whoever wrote it may have died before telling"
    );
    // It says until when the first time was.
    let said = scene.published()[0].2["content"]["description"].as_str().unwrap().to_owned();
    assert!(said.contains("Until 2026-03-02 14:00:00Z"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_tried_again_is_answered_by_its_new_token() {
    let scene = Scene::new(&[&recorded(&asked("token-1")), &writes(), &publishes()]);
    validated(&scene, &question(1, "token-2")).await.unwrap();
    let awaiting = release_in(&scene).run.unwrap().awaiting.unwrap();
    assert_eq!((awaiting.token.as_str(), awaiting.until), ("token-2", at("14:05:00")));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_has_gone_on_or_ended_is_not_asked_about() {
    for stage in [0, 2] {
        let scene = Scene::new(&[&recorded(&baked())]);
        let failure = validated(&scene, &question(stage, "t")).await.unwrap_err();
        assert_eq!(failure.error_type, ErrorType::ReleaseConflict, "{failure}");
    }
    for phase in [ripcord::release::Phase::RolledBack, ripcord::release::Phase::Complete] {
        let mut record = baked();
        record.release.as_mut().unwrap().phase = phase;
        let scene = Scene::new(&[&recorded(&record)]);
        let failure = validated(&scene, &question(1, "t")).await.unwrap_err();
        assert_eq!(failure.error_type, ErrorType::ReleaseClosed, "{failure}");
    }
}

fn lost() -> Rule {
    mock!(DynamoDb::transact_write_items)
        .sequence()
        .http_status(400, Some(canceled(&["ConditionalCheckFailed", "None"])))
        .repeatedly()
        .build()
}

#[tokio::test(start_paused = true)]
async fn whoever_loses_a_race_looks_again_and_gives_way_to_a_rollback() {
    let mut after = baked();
    after.release.as_mut().unwrap().phase = ripcord::release::Phase::RolledBack;
    let turns = holds_in_turn("service#checkout", vec![items_of(&baked()), items_of(&after)]);
    let scene = Scene::new(&[&turns, &lost()]);
    let failure = validated(&scene, &question(1, "t")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReleaseClosed, "{failure}");
    assert_eq!(scene.published(), []);

    let scene = Scene::new(&[&recorded(&baked()), &lost()]);
    let failure = validated(&scene, &question(1, "t")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::Contended);
    assert!(failure.message.starts_with("lost 4 races for checkout"), "{failure}");
    assert_eq!(scene.published(), []);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_may_have_heard_is_an_error() {
    let mute = mock!(aws_sdk_sns::Client::publish)
        .sequence()
        .http_status(
            403,
            Some("<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>".to_owned()),
        )
        .build();
    let scene = Scene::new(&[&recorded(&baked()), &writes(), &mute]);
    let failure = validated(&scene, &question(1, "t")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReportIncomplete, "{failure}");
}
