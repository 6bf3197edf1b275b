//! `alarm-rollback` when something fails or somebody else comes first: each mishap has its named outcome, is told, and
//! leaves a state from which a retry ends in the same place.

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::operation::update_alias::UpdateAliasOutput;
use aws_sdk_sns::Client as Sns;
use aws_smithy_mocks::mock;
use ripcord::error_type::ErrorType;
use ripcord::release::{Phase, Release, Report};

use super::handling::{alarm_event, always, answered, file, outcomes, refusing_updates, releasing, restored};
use super::scene::{
    Scene, alias, canceled, deadline, guarding, holds, holds_in_turn, items_of, logs, publishes, recorded,
    refusal, seen_in_turn, updates, writes,
};
use crate::worlds::{World, at, canary, change, rolled_back};

#[tokio::test(start_paused = true)]
async fn an_unreadable_event_fails_so_that_it_is_kept() {
    let scene = Scene::new(&[]);
    for name in ["malformed/empty-object.json", "malformed/null.json", "sns/message-not-json.json"] {
        let failure = answered(&scene, &file(name)).await.unwrap_err();
        assert_eq!(failure.error_type, ErrorType::SignalUnreadable, "{name}: {failure}");
    }
    assert_eq!(scene.calls(), "");
}

#[tokio::test(start_paused = true)]
async fn the_readable_part_of_an_event_is_answered_although_the_rest_fails_it() {
    let scene = Scene::new(&[&holds(
        "alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-error-rate",
        Vec::new(),
    )]);
    let failure = answered(&scene, &file("sns/one-readable-of-two.json")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::SignalUnreadable, "{failure}");
    assert_eq!(scene.call_names(), ["dynamodb:Query"]);
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_is_gone_is_the_loudest_outcome() {
    let record = releasing();
    let missing = mock!(Lambda::get_alias)
        .sequence()
        .http_status(404, Some(refusal("ResourceNotFoundException")))
        .repeatedly()
        .build();
    let scene = Scene::new(&[&guarding(&record), &recorded(&record), &missing, &writes(), &publishes()]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert_eq!(failure.message, "checkout: target api does not exist");
    assert_eq!(scene.published()[0].1["severity"], "page");
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    sns:Publish page "checkout could NOT be put back"
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005, evidence#checkout/0000000005#failure
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_denied_update_pages_and_is_written_down_before_the_function_fails() {
    let record = releasing();
    let denied = refusing_updates(403, "AccessDeniedException");
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &always(|| alias("1", &[("2", 0.1)], "r1")),
        &denied,
        &writes(),
        &publishes(),
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert!(failure.message.contains("AccessDeniedException"), "{failure}");
    assert_eq!(scene.published()[0].1["severity"], "page");
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    lambda:UpdateAlias checkout-api:live to 1, weights {}, if r1
    sns:Publish page "checkout could NOT be put back"
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005, evidence#checkout/0000000005#failure
    "#);
    let release = &scene.written()[&("service#checkout".to_owned(), "release".to_owned())];
    let release: Release = serde_json::from_str(release["doc"].as_s().unwrap()).unwrap();
    assert_eq!(release.phase, Phase::RollbackFailed);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_cannot_be_sent_is_said_in_the_error() {
    let record = releasing();
    let denied = refusing_updates(403, "AccessDeniedException");
    let silent = mock!(Sns::publish).sequence().http_status(403, None).repeatedly().build();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &always(|| alias("1", &[("2", 0.1)], "r1")),
        &denied,
        &writes(),
        &silent,
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert!(failure.message.contains("; and telling so: sns:Publish of "), "{failure}");
    assert!(scene.call_names().contains(&"dynamodb:TransactWriteItems".to_owned()), "{}", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_cannot_be_read_fails_the_invocation() {
    let denied = || {
        mock!(DynamoDb::query)
            .sequence()
            .http_status(400, Some(refusal("com.amazon.coral.service#AccessDeniedException")))
            .repeatedly()
            .build()
    };
    let scene = Scene::new(&[&denied()]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::LedgerUnreadable);
    assert!(failure.message.contains("dynamodb:Query of alarm#"), "{failure}");

    let scene = Scene::new(&[&guarding(&releasing()), &denied(), &always(|| alias("1", &[], "r1"))]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::LedgerUnreadable);
    assert!(failure.message.contains("dynamodb:Query of service#checkout"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn traffic_that_is_back_is_never_undone_by_a_failing_notifier() {
    let record = releasing();
    let silent = mock!(Sns::publish).sequence().http_status(403, None).repeatedly().build();
    let scene =
        Scene::new(&[&guarding(&record), &recorded(&record), &restored(), &updates(), &writes(), &silent]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReportIncomplete);
    assert!(failure.message.contains("; but then sns:Publish of "), "{failure}");
    // What was written says who tells people until when, so that the retry tells them.
    let release = &scene.written()[&("service#checkout".to_owned(), "release".to_owned())];
    let release: Release = serde_json::from_str(release["doc"].as_s().unwrap()).unwrap();
    assert_eq!(release.phase, Phase::RolledBack);
    assert_eq!(release.report, Report::Leased { until: deadline() });
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_cannot_be_written_leaves_the_report_incomplete_and_traffic_back() {
    let record = releasing();
    let throttled = mock!(DynamoDb::transact_write_items)
        .sequence()
        .http_status(400, Some(canceled(&["ThrottlingError"])))
        .repeatedly()
        .build();
    let scene = Scene::new(&[&guarding(&record), &recorded(&record), &restored(), &updates(), &throttled]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReportIncomplete);
    assert!(failure.message.contains("ThrottlingError"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn who_loses_the_race_looks_again_and_finds_the_work_done() {
    let before = releasing();
    let mut after = before.clone();
    after.release = Some(Release { seq: 14, ..rolled_back() });
    let lost = refusing_updates(412, "PreconditionFailedException");
    let scene = Scene::new(&[
        &guarding(&before),
        &holds_in_turn("service#checkout", vec![items_of(&before), items_of(&after)]),
        &restored(),
        &lost,
    ]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["stand_down: already_rolled_back"]);
    assert_eq!(lost.num_calls(), 1);
    insta::assert_snapshot!(scene.calls(), @r"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    lambda:UpdateAlias checkout-api:live to 1, weights {}, if r1
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    ");
}

#[tokio::test(start_paused = true)]
async fn who_loses_every_race_gives_up_after_eight_and_pages() {
    let record = releasing();
    let lost = refusing_updates(412, "PreconditionFailedException");
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &always(|| alias("1", &[("2", 0.1)], "r1")),
        &lost,
        &writes(),
        &publishes(),
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert_eq!(
        failure.message,
        "checkout: lost 8 races, the last because checkout-api:live has changed since it was seen"
    );
    assert_eq!(lost.num_calls(), 8);
    assert_eq!(scene.published()[0].1["severity"], "page");
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_answer_was_lost_is_found_done() {
    // The connection breaks after the effect: the SDK's own retry meets the new revision.
    let record = releasing();
    let broken = mock!(Lambda::update_alias)
        .sequence()
        .http_status(500, Some(refusal("ServiceException")))
        .http_status(412, Some(refusal("PreconditionFailedException")))
        .output(|| UpdateAliasOutput::builder().build())
        .build();
    let looks =
        seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1"), alias("1", &[], "r2"), alias("1", &[], "r2")]);
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &looks,
        &broken,
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["settle: alarm_during_release"]);
    assert_eq!(scene.call_names().iter().filter(|call| *call == "lambda:UpdateAlias").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_retry_after_an_invocation_that_told_nobody_tells_people() {
    let mut record = releasing();
    let report = Report::Leased { until: at("10:04:59") };
    record.release = Some(Release { report, ended_at: Some(at("10:04:31")), ..rolled_back() });
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &always(|| alias("1", &[], "r2")),
        &writes(),
        &publishes(),
    ]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["settle: report_unfinished"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005
    sns:Publish warning "checkout was rolled back (release 5)"
    dynamodb:TransactWriteItems service#checkout/release if seq = 13, history#checkout/0000000005
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_can_be_put_back_is_although_another_cannot() {
    let mut release = canary();
    release.changes.push(change("web", 3, 4, 10.0));
    let record = World::of(&["api", "web"]).released(release).record;
    let gone = mock!(Lambda::get_alias)
        .match_requests(|get| get.function_name() == Some("checkout-web"))
        .sequence()
        .http_status(404, Some(refusal("ResourceNotFoundException")))
        .repeatedly()
        .build();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &gone,
        &restored(),
        &updates(),
        &writes(),
        &publishes(),
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert!(failure.message.contains("target web does not exist"), "{failure}");
    assert!(scene.calls().contains("lambda:UpdateAlias checkout-api:live to 1, weights {}, if r1"));
    assert_eq!(scene.published()[0].1["severity"], "page");
}
