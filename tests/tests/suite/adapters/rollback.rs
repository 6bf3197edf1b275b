//! `alarm-rollback` from the event to the answer: the order of its calls, and the named outcome of every mishap.

use alarm_rollback::answer;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::operation::update_alias::UpdateAliasOutput;
use aws_sdk_sns::Client as Sns;
use aws_smithy_mocks::{Rule, mock};
use ripcord::error_type::ErrorType;
use ripcord::registration::Guard;
use ripcord::release::{Phase, Release, Report};
use ripcord::situation::{Heard, ServiceRecord};
use serde_json::json;

use super::handling::{alarm_event, answered, command, file, outcomes, puller};
use super::scene::{
    ALARM, Scene, alias, canceled, deadline, guarding, holds, holds_in_turn, items_of, logs, publishes,
    recorded, refusal, seen_in_turn, updates, writes,
};
use crate::worlds::{World, at, canary, change, rolled_back};

/// Release 5 has 10 % of the traffic.
fn releasing() -> ServiceRecord {
    World::checkout().released(canary()).record
}

/// The alias before and after the rollback.
fn restored() -> Rule {
    seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1"), alias("1", &[], "r2")])
}

fn always<T>(looks: T) -> Rule
where
    T: Fn() -> aws_sdk_lambda::operation::get_alias::GetAliasOutput + Send + Sync + 'static,
{
    mock!(Lambda::get_alias).then_output(looks)
}

fn refusing_updates(status: u16, error: &str) -> Rule {
    mock!(Lambda::update_alias).sequence().http_status(status, Some(refusal(error))).repeatedly().build()
}

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
    let mapped = vec![super::scene::item(&alarm, "service#checkout", &mapping)];
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
    let mapped = vec![super::scene::item(&alarm, "service#checkout", &mapping)];
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
async fn an_unreadable_event_fails_so_that_it_is_kept() {
    let scene = Scene::new(&[]);
    for name in ["malformed/empty-object.json", "malformed/null.json", "sqs/failed-signal-redriven.json"] {
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
    assert_eq!(failure.message, "checkout: the alias of api does not exist");
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
    assert!(failure.message.contains("the alias of web does not exist"), "{failure}");
    assert!(scene.calls().contains("lambda:UpdateAlias checkout-api:live to 1, weights {}, if r1"));
    assert_eq!(scene.published()[0].1["severity"], "page");
}
