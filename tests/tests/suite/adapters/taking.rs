//! Steps as calls: what is sent, and what each answer means for the steps after it.

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::operation::create_alias::CreateAliasOutput;
use aws_sdk_lambda::operation::update_alias::UpdateAliasOutput;
use aws_sdk_sns::Client as Sns;
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Interruption, Taken, take};
use ripcord::names::Generation;
use ripcord::notice::{Notice, Severity};
use ripcord::plan::{KeepLogs, SetTraffic, Step};
use ripcord::registration::Reach;
use serde_json::{Value, json};

use super::scene::{FUNCTION, PIN, Scene, alias, clock, publishes, refusal, seen_in_turn, updates, writes};
use crate::worlds::{SERVICE, at, traffic, v};

fn set_traffic(weights: &str) -> Step {
    Step::SetTraffic(SetTraffic {
        reach: Reach::default(),
        target: "api".parse().unwrap(),
        function: FUNCTION.parse().unwrap(),
        alias: "live".parse().unwrap(),
        traffic: traffic(weights),
        was: traffic("1:90,2:10"),
        revision: "r1".parse().unwrap(),
    })
}

fn confirm(weights: &str, revision: Option<&str>) -> Step {
    Step::Confirm {
        reach: Reach::default(),
        function: FUNCTION.parse().unwrap(),
        alias: "live".parse().unwrap(),
        traffic: traffic(weights),
        revision: revision.map(|revision| revision.parse().unwrap()),
    }
}

fn pin(replaces: Option<&str>) -> Step {
    Step::Pin {
        reach: Reach::default(),
        function: FUNCTION.parse().unwrap(),
        alias: PIN.parse().unwrap(),
        version: v(1),
        replaces: replaces.map(|revision| revision.parse().unwrap()),
    }
}

fn tell(title: &str) -> Step {
    Step::Tell(Box::new(Notice {
        severity: Severity::Page,
        service: SERVICE.parse().unwrap(),
        title: title.to_owned(),
        description: "why".to_owned(),
        next_steps: Vec::new(),
        thread: "checkout#5".to_owned(),
    }))
}

/// Takes one step; gives what was called, and what came of it.
async fn taken(step: Step, rules: &[&Rule]) -> (String, Option<Interruption>) {
    let scene = Scene::new(rules);
    let taken = take(&scene.aws, &vec![vec![step]], clock).await;
    (scene.calls(), taken.interruption)
}

#[track_caller]
fn raced(interruption: Option<Interruption>, what: &str) {
    assert_eq!(interruption, Some(Interruption::Raced { what: what.to_owned() }));
}

#[track_caller]
fn failed(interruption: Option<Interruption>, parts: &[&str]) {
    match interruption {
        Some(Interruption::Failed { why }) => {
            for part in parts {
                assert!(why.contains(part), "{why}");
            }
        }
        other => panic!("not failed: {other:?}"),
    }
}

fn refusing_updates(status: u16, error: &str) -> Rule {
    mock!(Lambda::update_alias).sequence().http_status(status, Some(refusal(error))).repeatedly().build()
}

#[tokio::test(start_paused = true)]
async fn traffic_is_set_from_the_revision_seen_and_an_empty_map_clears_the_weights() {
    let (calls, interruption) = taken(set_traffic("1:100"), &[&updates()]).await;
    assert_eq!(calls, "lambda:UpdateAlias checkout-api:live to 1, weights {}, if r1");
    assert_eq!(interruption, None);
    let (calls, _) = taken(set_traffic("1:75,2:25"), &[&updates()]).await;
    assert_eq!(calls, "lambda:UpdateAlias checkout-api:live to 1, weights {\"2\": 0.25}, if r1");
}

#[tokio::test(start_paused = true)]
async fn an_empty_map_is_an_empty_map_on_the_wire() {
    let scene = Scene::new(&[&updates()]);
    take(&scene.aws, &vec![vec![set_traffic("1:100")]], clock).await;
    let sent: Vec<Value> = scene.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let expected = json!({
        "FunctionVersion": "1",
        "RoutingConfig": { "AdditionalVersionWeights": {} },
        "RevisionId": "r1",
    });
    assert_eq!(sent, [expected]);
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_changed_since_it_was_seen_is_a_race_and_never_tried_again() {
    let rule = refusing_updates(412, "PreconditionFailedException");
    let (_, interruption) = taken(set_traffic("1:100"), &[&rule]).await;
    raced(interruption, "checkout-api:live has changed since it was seen");
    assert_eq!(rule.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_lambda_refuses_has_failed_with_its_cause() {
    for (status, error) in [
        (404, "ResourceNotFoundException"),
        (403, "AccessDeniedException"),
        (400, "InvalidParameterValueException"),
    ] {
        let rule = refusing_updates(status, error);
        let (_, interruption) = taken(set_traffic("1:100"), &[&rule]).await;
        failed(interruption, &["lambda:UpdateAlias of checkout-api:live failed", error]);
        assert_eq!(rule.num_calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_update_is_tried_again_and_given_up_after_three_times() {
    let rule = mock!(Lambda::update_alias)
        .sequence()
        .http_status(429, Some(refusal("TooManyRequestsException")))
        .output(|| UpdateAliasOutput::builder().build())
        .build();
    let (_, interruption) = taken(set_traffic("1:100"), &[&rule]).await;
    assert_eq!((interruption, rule.num_calls()), (None, 2));
    let rule = refusing_updates(429, "TooManyRequestsException");
    let (_, interruption) = taken(set_traffic("1:100"), &[&rule]).await;
    failed(interruption, &["TooManyRequestsException"]);
    assert_eq!(rule.num_calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn reading_back_tells_what_is_as_it_should_be_from_what_is_not() {
    let as_wanted = || seen_in_turn(vec![alias("1", &[], "r2")]);
    let (calls, interruption) = taken(confirm("1:100", None), &[&as_wanted()]).await;
    assert_eq!((calls.as_str(), interruption), ("lambda:GetAlias checkout-api:live", None));
    assert_eq!(taken(confirm("1:100", Some("r2")), &[&as_wanted()]).await.1, None);

    let other = seen_in_turn(vec![alias("1", &[("2", 0.1)], "r2")]);
    raced(
        taken(confirm("1:100", None), &[&other]).await.1,
        "checkout-api:live serves 1 on 90%, 2 on 10% again",
    );

    let refusing = |status, error: &str| {
        mock!(Lambda::get_alias).sequence().http_status(status, Some(refusal(error))).repeatedly().build()
    };
    let gone = refusing(404, "ResourceNotFoundException");
    raced(taken(confirm("1:100", None), &[&gone]).await.1, "checkout-api:live is gone");
    let denied = refusing(403, "AccessDeniedException");
    failed(taken(confirm("1:100", None), &[&denied]).await.1, &["lambda:GetAlias", "AccessDeniedException"]);
}

#[tokio::test(start_paused = true)]
async fn an_untouched_alias_with_another_revision_is_a_race() {
    let rule = seen_in_turn(vec![alias("1", &[], "r2")]);
    let interruption = taken(confirm("1:100", Some("r1")), &[&rule]).await.1;
    assert!(matches!(interruption, Some(Interruption::Raced { .. })), "{interruption:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_target_is_pinned_by_a_second_alias() {
    let creates = mock!(Lambda::create_alias).then_output(|| CreateAliasOutput::builder().build());
    let (calls, interruption) = taken(pin(None), &[&creates]).await;
    assert_eq!(calls, "lambda:CreateAlias checkout-api:live-last-known-good on 1");
    assert_eq!(interruption, None);
    let (calls, interruption) = taken(pin(Some("p1")), &[&updates()]).await;
    assert_eq!(calls, "lambda:UpdateAlias checkout-api:live-last-known-good to 1, weights {}, if p1");
    assert_eq!(interruption, None);
}

#[tokio::test(start_paused = true)]
async fn a_pin_that_exists_by_now_is_a_race() {
    let exists = mock!(Lambda::create_alias)
        .sequence()
        .http_status(409, Some(refusal("ResourceConflictException")))
        .build();
    raced(taken(pin(None), &[&exists]).await.1, "checkout-api:live-last-known-good exists by now");
    let denied = mock!(Lambda::create_alias)
        .sequence()
        .http_status(403, Some(refusal("AccessDeniedException")))
        .build();
    failed(taken(pin(None), &[&denied]).await.1, &["lambda:CreateAlias", "AccessDeniedException"]);
}

#[tokio::test(start_paused = true)]
async fn a_notice_carries_what_subscriptions_filter_by_and_a_subject_that_sns_accepts() {
    let scene = Scene::new(&[&publishes()]);
    take(&scene.aws, &vec![vec![tell(&format!("checkout\nbroke — {}", "x".repeat(120)))]], clock).await;
    let (subject, attributes, message) = scene.published().remove(0);
    assert_eq!(subject, format!("checkout?broke ? {}...", "x".repeat(80)));
    assert_eq!(subject.len(), 100);
    let expected = [("service", SERVICE), ("severity", "page")];
    assert_eq!(attributes, BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned()))));
    assert_eq!(message["source"], "custom");
    assert_eq!(message["content"]["description"], "why");
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_cannot_be_published_has_failed() {
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code>\
        <Message>made up</Message></Error></ErrorResponse>";
    let rule = mock!(Sns::publish).sequence().http_status(403, Some(denied.to_owned())).build();
    let parts =
        ["sns:Publish of arn:aws:sns:eu-west-1:123456789012:ripcord-notices failed", "AuthorizationError"];
    failed(taken(tell("broke"), &[&rule]).await.1, &parts);
}

#[tokio::test(start_paused = true)]
async fn log_lines_that_cannot_be_read_or_kept_stop_nothing() {
    let denied = mock!(Logs::filter_log_events)
        .sequence()
        .http_status(400, Some(refusal("AccessDeniedException")))
        .build();
    let keep = Step::KeepLogs(KeepLogs {
        reach: Reach::default(),
        service: SERVICE.parse().unwrap(),
        generation: Generation(5),
        function: FUNCTION.parse().unwrap(),
        version: v(2),
        from: at("09:50:00"),
        to: at("10:05:00"),
        keep_until: at("23:00:00"),
    });
    let scene = Scene::new(&[&denied, &writes()]);
    let taken = take(&scene.aws, &vec![vec![keep]], clock).await;
    assert_eq!(taken, Taken::default());
    insta::assert_snapshot!(scene.calls(), @r"
    logs:FilterLogEvents /aws/lambda/checkout-api
    dynamodb:TransactWriteItems logs#checkout/0000000005#checkout-api
    ");
    let excerpt = scene.written().into_values().next().unwrap();
    assert!(excerpt["doc"].as_s().unwrap().contains("AccessDeniedException"), "{excerpt:?}");
}

#[tokio::test(start_paused = true)]
async fn what_follows_an_interrupted_row_is_not_taken() {
    let refusing = refusing_updates(412, "PreconditionFailedException");
    let scene = Scene::new(&[&refusing]);
    let steps = vec![vec![set_traffic("1:100")], vec![confirm("1:100", None)], vec![tell("told too early")]];
    let taken = take(&scene.aws, &steps, clock).await;
    assert_eq!(scene.call_names(), ["lambda:UpdateAlias"]);
    assert_eq!(taken.traffic_moved_at, None);
    raced(taken.interruption, "checkout-api:live has changed since it was seen");
}

#[tokio::test(start_paused = true)]
async fn a_row_is_taken_to_its_end_and_its_race_counts_before_its_failure() {
    let refusing = refusing_updates(412, "PreconditionFailedException");
    let failing = mock!(Sns::publish).sequence().http_status(403, None).build();
    let scene = Scene::new(&[&refusing, &failing]);
    let taken = take(&scene.aws, &vec![vec![tell("first"), set_traffic("1:100")]], clock).await;
    assert_eq!(scene.call_names(), ["sns:Publish", "lambda:UpdateAlias"]);
    raced(taken.interruption, "checkout-api:live has changed since it was seen");
}

#[tokio::test(start_paused = true)]
async fn when_traffic_moved_is_kept_although_a_later_row_fails() {
    let failing = mock!(Sns::publish).sequence().http_status(403, None).build();
    let scene = Scene::new(&[&updates(), &failing]);
    let taken = take(&scene.aws, &vec![vec![set_traffic("1:100")], vec![tell("told")]], clock).await;
    assert_eq!(taken.traffic_moved_at, Some(clock()));
    failed(taken.interruption, &["sns:Publish"]);
}
