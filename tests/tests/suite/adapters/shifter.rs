//! `alias-weight-shifter` from the request to the answer: what it calls, and what it refuses before it calls anything.

use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::operation::create_alias::CreateAliasOutput;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::State;
use aws_smithy_mocks::{Rule, mock};
use ripcord::error_type::ErrorType;
use ripcord::release::{Phase, Release};
use ripcord::situation::ServiceRecord;
use serde_json::{Value, json};

use super::deploying::moved_by_codedeploy;
use super::handling::{file, shifted};
use super::scene::{
    FUNCTION, PIN, Scene, alias, holds, holds_in_turn, items_of, publishes, recorded, refusal, seen_in_turn,
    updates, writes,
};
use crate::worlds::{SERVICE, World, at, canary, past_rollback, percent, rolled_back};

fn weights(weights: &str) -> Value {
    json!({ "service": SERVICE, "weights": weights, "requested_by": "ada" })
}

fn stage(release: u64, weight: f64) -> Value {
    json!({ "service": SERVICE, "release": release, "weight": weight })
}

/// Every version exists and is active, and each has its own code.
fn versions() -> Rule {
    mock!(Lambda::get_function_configuration).then_compute_output(|get| {
        GetFunctionConfigurationOutput::builder()
            .code_sha256(format!("sha-{}", get.qualifier().unwrap()))
            .state(State::Active)
            .role("arn:aws:iam::123456789012:role/checkout")
            .build()
    })
}

/// There is no alias that keeps the rollback target.
fn unpinned() -> Rule {
    mock!(Lambda::get_alias)
        .match_requests(|get| get.name() == Some(PIN))
        .sequence()
        .http_status(404, Some(refusal("ResourceNotFoundException")))
        .repeatedly()
        .build()
}

fn pinned() -> Rule {
    mock!(Lambda::get_alias)
        .match_requests(|get| get.name() == Some(PIN))
        .then_output(|| alias("1", &[], "p1"))
}

fn creates() -> Rule {
    mock!(Lambda::create_alias).then_output(|| CreateAliasOutput::builder().build())
}

fn unreleased() -> ServiceRecord {
    World::checkout().record
}

fn releasing() -> ServiceRecord {
    World::checkout().released(canary()).record
}

fn release_in(scene: &Scene) -> Release {
    let item = &scene.written()[&(format!("service#{SERVICE}"), "release".to_owned())];
    serde_json::from_str(item["doc"].as_s().unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_release_is_opened_as_an_intent_pinned_shifted_confirmed_and_told() {
    let looks = seen_in_turn(vec![alias("1", &[], "r1"), alias("1", &[("2", 0.1)], "r2")]);
    let scene = Scene::new(&[
        &recorded(&unreleased()),
        &looks,
        &unpinned(),
        &versions(),
        &creates(),
        &updates(),
        &writes(),
        &publishes(),
    ]);
    let shifted = shifted(&scene, &weights("1:90,2:10")).await.unwrap();
    assert_eq!(
        (shifted.summary.as_str(), shifted.changed),
        ("release 1: checkout serves 1 on 90%, 2 on 10%", true)
    );
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    lambda:GetFunctionConfiguration checkout-api:1
    lambda:GetFunctionConfiguration checkout-api:2
    lambda:GetAlias checkout-api:live-last-known-good
    dynamodb:TransactWriteItems service#checkout/release if attribute_not_exists(pk), history#checkout/0000000001
    lambda:CreateAlias checkout-api:live-last-known-good on 1
    lambda:UpdateAlias checkout-api:live to 1, weights {"2": 0.1}, if r1
    lambda:GetAlias checkout-api:live
    dynamodb:TransactWriteItems service#checkout/release if seq = 1, history#checkout/0000000001
    sns:Publish info "checkout: release 1 was opened"
    "#);
    let release = release_in(&scene);
    assert_eq!((release.phase, release.changes[0].weight), (Phase::Shifting, percent(10.0)));
    assert_eq!(release.changes[0].intent, None);
    assert_eq!(release.changes[0].artefact.as_deref(), Some("sha-2"));
}

#[tokio::test(start_paused = true)]
async fn the_open_release_goes_further_without_a_new_notice() {
    let looks = seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1"), alias("1", &[("2", 0.25)], "r2")]);
    let scene = Scene::new(&[&recorded(&releasing()), &looks, &pinned(), &versions(), &updates(), &writes()]);
    let shifted = shifted(&scene, &stage(5, 0.25)).await.unwrap();
    assert_eq!(shifted.summary, "release 5: checkout serves 1 on 75%, 2 on 25%");
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    lambda:GetFunctionConfiguration checkout-api:1
    lambda:GetFunctionConfiguration checkout-api:2
    lambda:GetAlias checkout-api:live-last-known-good
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005
    lambda:UpdateAlias checkout-api:live to 1, weights {"2": 0.25}, if r1
    lambda:GetAlias checkout-api:live
    dynamodb:TransactWriteItems service#checkout/release if seq = 13, history#checkout/0000000005
    "#);
}

#[tokio::test(start_paused = true)]
async fn all_traffic_promotes_and_clears_the_weights() {
    let looks = seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1"), alias("2", &[], "r2")]);
    let scene = Scene::new(&[
        &recorded(&releasing()),
        &looks,
        &pinned(),
        &versions(),
        &updates(),
        &writes(),
        &publishes(),
    ]);
    let shifted = shifted(&scene, &stage(5, 1.0)).await.unwrap();
    assert_eq!(shifted.summary, "release 5: checkout serves 2 on 100%");
    assert!(
        scene.calls().contains("lambda:UpdateAlias checkout-api:live to 2, weights {}, if r1"),
        "{}",
        scene.calls()
    );
    assert_eq!(release_in(&scene).phase, Phase::Complete);
    assert!(scene.written().contains_key(&("service#checkout".to_owned(), "good#api".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_changes_nothing() {
    let looks = mock!(Lambda::get_alias)
        .match_requests(|get| get.name() == Some("live"))
        .then_output(|| alias("1", &[("2", 0.1)], "r1"));
    let scene = Scene::new(&[&recorded(&releasing()), &looks, &pinned(), &versions()]);
    for request in [stage(5, 0.1), weights("1:90,2:10")] {
        let shifted = shifted(&scene, &request).await.unwrap();
        assert_eq!(shifted.summary, "release 5: checkout already serves 1 on 90%, 2 on 10%");
        assert!(!shifted.changed);
    }
}

/// The request is refused by this name, and nothing was changed or asked to change.
async fn refused(request: &Value, rules: &[&Rule], error_type: ErrorType, message: &str) -> Scene {
    let scene = Scene::new(rules);
    let failure = shifted(&scene, request).await.unwrap_err();
    assert_eq!((failure.error_type, failure.message.as_str()), (error_type, message), "{request}");
    let changing = ["lambda:UpdateAlias", "lambda:CreateAlias", "dynamodb:TransactWriteItems", "sns:Publish"];
    assert!(!scene.call_names().iter().any(|call| changing.contains(&call.as_str())), "{}", scene.calls());
    scene
}

#[tokio::test(start_paused = true)]
async fn what_lambda_would_refuse_by_its_form_costs_no_call_at_all() {
    for (request, message) in [
        (
            weights("1:80,2:10,3:10"),
            "weights \"1:80,2:10,3:10\" name 3 versions: an alias routes to 2 at most",
        ),
        (
            weights("1:90,$LATEST:10"),
            "weights \"1:90,$LATEST:10\" name \"$LATEST\": an alias routes only to published versions, by number",
        ),
        (weights("1:80,2:10"), "weights \"1:80,2:10\" add up to 90%, not 100%"),
        (
            weights("2:90,2:10"),
            "weights \"2:90,2:10\" name version 2 twice: the primary version cannot be weighted as well",
        ),
        (
            stage(5, 1.2),
            "the request is not valid: weight: the weight \"1.2\" is not valid: it must be a share of traffic from 0 to 1",
        ),
        (
            json!({ "service": SERVICE, "release": 5, "weight": 0.1, "weights": "1:90,2:10" }),
            "the request is not valid: give either release and weight, or weights like 1:90,2:10",
        ),
    ] {
        let scene = refused(&request, &[], ErrorType::RequestInvalid, message).await;
        assert_eq!(scene.calls(), "");
    }
}

#[tokio::test(start_paused = true)]
async fn every_refused_request_of_the_events_costs_no_call_at_all() {
    for name in [
        "refused-both-forms",
        "refused-latest",
        "refused-no-weight",
        "refused-not-weights",
        "refused-percentage-above-hundred",
        "refused-primary-weighted",
        "refused-release-as-text",
        "refused-sum-below-hundred",
        "refused-three-versions",
        "refused-unknown-field",
        "refused-weight-above-one",
        "refused-weight-negative",
    ] {
        let scene = Scene::new(&[]);
        let failure = shifted(&scene, &file(&format!("shifter/{name}.json"))).await.unwrap_err();
        assert_eq!(failure.error_type, ErrorType::RequestInvalid, "{name}: {failure}");
        assert_eq!(scene.calls(), "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_exist_is_refused_before_lambda_is_asked_to_route_to_it() {
    let absent = mock!(Lambda::get_function_configuration)
        .match_requests(|get| get.qualifier() == Some("9"))
        .sequence()
        .http_status(404, Some(refusal("ResourceNotFoundException")))
        .build();
    let rules = [
        &recorded(&unreleased()),
        &seen_in_turn(vec![alias("1", &[], "r1")]),
        &unpinned(),
        &absent,
        &versions(),
    ];
    let message = format!("version 9 of {FUNCTION} does not exist");
    let scene = refused(&weights("1:90,9:10"), &rules, ErrorType::VersionUnusable, &message).await;
    assert!(scene.calls().contains("lambda:GetFunctionConfiguration checkout-api:9"), "{}", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_not_active_is_refused() {
    let pending = mock!(Lambda::get_function_configuration)
        .match_requests(|get| get.qualifier() == Some("2"))
        .then_output(|| {
            GetFunctionConfigurationOutput::builder().code_sha256("c").state(State::Pending).build()
        });
    let rules = [
        &recorded(&unreleased()),
        &seen_in_turn(vec![alias("1", &[], "r1")]),
        &unpinned(),
        &pending,
        &versions(),
    ];
    let message = format!("version 2 of {FUNCTION} is Pending, not Active");
    refused(&weights("1:90,2:10"), &rules, ErrorType::VersionUnusable, &message).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_ledger_or_the_alias_forbids_is_refused_by_name() {
    let live = |weights: &'static [(&'static str, f64)]| seen_in_turn(vec![alias("1", weights, "r1")]);

    let closed = World::checkout().released(rolled_back()).record;
    let rules = [&recorded(&closed), &live(&[]), &pinned(), &versions()];
    let message = "release 5 is rolled back: alarm errors fired";
    refused(&stage(5, 0.25), &rules, ErrorType::ReleaseClosed, message).await;

    let rules = [&recorded(&releasing()), &live(&[("2", 0.1)]), &pinned(), &versions()];
    let message = "release 4 is not open: the latest is 5";
    refused(&stage(4, 0.25), &rules, ErrorType::ReleaseConflict, message).await;

    let rules = [&recorded(&releasing()), &live(&[("3", 0.5)]), &pinned(), &versions()];
    let message = "the alias serves 1 on 50%, 3 on 50%, but the ledger confirmed 1 on 90%, 2 on 10%: somebody else moved it, perhaps a rollback";
    refused(&stage(5, 0.25), &rules, ErrorType::AliasDrifted, message).await;

    let mut quarantined = unreleased();
    quarantined.rollbacks = vec![past_rollback(5, 2, at("09:00:00"))];
    let rules = [&recorded(&quarantined), &live(&[]), &unpinned(), &versions()];
    let message = "version 2 is quarantined: release 5 with the same version or code was rolled back at 2026-03-02T09:00:00Z (alarm errors fired)";
    refused(&weights("1:90,2:10"), &rules, ErrorType::VersionQuarantined, message).await;

    let rules = [&holds("service#checkout", Vec::new())];
    let message = "service checkout is not registered: ripcord apply";
    refused(&weights("1:90,2:10"), &rules, ErrorType::ServiceUnknown, message).await;

    let gone = mock!(Lambda::get_alias)
        .sequence()
        .http_status(404, Some(refusal("ResourceNotFoundException")))
        .repeatedly()
        .build();
    let rules = [&recorded(&unreleased()), &gone, &versions()];
    let message = "the alias checkout-api:live does not exist";
    refused(&weights("1:90,2:10"), &rules, ErrorType::AliasMissing, message).await;
}

#[tokio::test(start_paused = true)]
async fn a_denied_update_fails_the_shift_with_its_cause_and_leaves_the_intent() {
    let denied = mock!(Lambda::update_alias)
        .sequence()
        .http_status(403, Some(refusal("AccessDeniedException")))
        .build();
    let looks = seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1")]);
    let scene = Scene::new(&[&recorded(&releasing()), &looks, &pinned(), &versions(), &denied, &writes()]);
    let failure = shifted(&scene, &stage(5, 0.25)).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ShiftFailed);
    assert!(failure.message.contains("AccessDeniedException"), "{failure}");
    let intent = release_in(&scene).changes.remove(0).intent.unwrap();
    assert_eq!((intent.weight, intent.revision.as_str()), (percent(25.0), "r1"));
}

#[tokio::test(start_paused = true)]
async fn a_shift_gives_way_to_the_rollback_that_came_between() {
    let before = releasing();
    let mut after = before.clone();
    after.release = Some(Release { seq: 16, ..rolled_back() });
    let lost = mock!(Lambda::update_alias)
        .sequence()
        .http_status(412, Some(refusal("PreconditionFailedException")))
        .build();
    let looks = seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1"), alias("1", &[], "r2")]);
    let scene = Scene::new(&[
        &holds_in_turn("service#checkout", vec![items_of(&before), items_of(&after)]),
        &looks,
        &pinned(),
        &versions(),
        &lost,
        &writes(),
    ]);
    let failure = shifted(&scene, &stage(5, 0.25)).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReleaseClosed, "{failure}");
    assert_eq!(lost.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shift_that_loses_every_race_is_contended() {
    let lost = mock!(Lambda::update_alias)
        .sequence()
        .http_status(412, Some(refusal("PreconditionFailedException")))
        .repeatedly()
        .build();
    let looks = mock!(Lambda::get_alias)
        .match_requests(|get| get.name() == Some("live"))
        .then_output(|| alias("1", &[("2", 0.1)], "r1"));
    let scene = Scene::new(&[&recorded(&releasing()), &looks, &pinned(), &versions(), &lost, &writes()]);
    let failure = shifted(&scene, &stage(5, 0.25)).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::Contended);
    assert_eq!(
        failure.message,
        "lost 4 races for checkout, the last because checkout-api:live has changed since it was seen"
    );
    assert_eq!(lost.num_calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn weights_are_not_moved_by_hand_while_codedeploy_moves_them() {
    let record = moved_by_codedeploy(canary());
    let scene = Scene::new(&[
        &recorded(&record),
        &seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1")]),
        &versions(),
        &unpinned(),
    ]);
    let refused = shifted(&scene, &weights("1:50,2:50")).await.unwrap_err();
    assert_eq!(refused.error_type, ErrorType::ReleaseConflict);
    assert!(refused.message.contains("moved by deployment d-OURS00001 of CodeDeploy"), "{refused}");
}
