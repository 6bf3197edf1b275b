//! What is seen of an alias, whatever Lambda answers.

use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use aws_smithy_mocks::{Rule, mock};
use ripcord::situation::{LiveAlias, Sighting};
use tokio::time::{Duration, Instant};

use super::scene::{FUNCTION, Scene, alias, refusal, seen_in_turn};
use crate::worlds::traffic;

async fn look(rule: &Rule) -> Sighting {
    let scene = Scene::new(&[rule]);
    scene.aws.alias(&FUNCTION.parse().unwrap(), &"live".parse().unwrap()).await
}

fn serving(weights: &str) -> Sighting {
    Sighting::Alias(LiveAlias {
        function: FUNCTION.parse().unwrap(),
        alias: "live".parse().unwrap(),
        traffic: traffic(weights),
        revision: "r1".parse().unwrap(),
    })
}

#[track_caller]
fn unseen(sighting: &Sighting, because: &str) {
    match sighting {
        Sighting::Unseen { why } => assert!(why.contains(because), "{why}"),
        Sighting::Alias(_) | Sighting::Place(_) | Sighting::Missing => panic!("seen: {sighting:?}"),
    }
}

/// Lambda answers with this error every time.
fn refusing(status: u16, error: &str) -> Rule {
    mock!(Lambda::get_alias).sequence().http_status(status, Some(refusal(error))).repeatedly().build()
}

#[tokio::test(start_paused = true)]
async fn the_weights_of_an_alias_are_seen() {
    for (answer, expected) in [
        (alias("1", &[("2", 0.1)], "r1"), "1:90,2:10"),
        (alias("1", &[("2", 0.000_001)], "r1"), "1:99.9999,2:0.0001"),
        (alias("1", &[], "r1"), "1:100"),
        (alias("1", &[("2", 0.0)], "r1"), "1:100"),
        (GetAliasOutput::builder().function_version("7").revision_id("r1").build(), "7:100"),
    ] {
        assert_eq!(look(&seen_in_turn(vec![answer])).await, serving(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_does_not_exist_is_missing_and_not_unseen() {
    assert_eq!(look(&refusing(404, "ResourceNotFoundException")).await, Sighting::Missing);
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_is_unseen_at_once() {
    let rule = refusing(403, "AccessDeniedException");
    let sighting = look(&rule).await;
    unseen(&sighting, "lambda:GetAlias of checkout-api:live failed: ");
    unseen(&sighting, "AccessDeniedException");
    assert_eq!(rule.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_look_is_tried_three_times_within_seconds() {
    let started = Instant::now();
    let rule = refusing(429, "TooManyRequestsException");
    unseen(&look(&rule).await, "TooManyRequestsException");
    assert_eq!(rule.num_calls(), 3);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_throttled_twice_sees() {
    let rule = mock!(Lambda::get_alias)
        .sequence()
        .http_status(429, Some(refusal("TooManyRequestsException")))
        .http_status(500, Some(refusal("ServiceException")))
        .output(|| alias("1", &[("2", 0.1)], "r1"))
        .build();
    assert_eq!(look(&rule).await, serving("1:90,2:10"));
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_ripcord_cannot_restore_is_unseen_and_says_why() {
    for (answer, why) in [
        (alias("$LATEST", &[], "r1"), "the version \"$LATEST\" is not valid"),
        (alias("1", &[("$LATEST", 0.1)], "r1"), "the version \"$LATEST\" is not valid"),
        (alias("1", &[("2", 1.5)], "r1"), "the weight \"1.5\" is not valid"),
        (alias("1", &[("2", 0.1), ("3", 0.1)], "r1"), "it must be one at most"),
        (GetAliasOutput::builder().function_version("1").build(), "the revision id \"\" is not valid"),
    ] {
        let sighting = look(&seen_in_turn(vec![answer])).await;
        unseen(&sighting, "checkout-api:live is unlike an alias");
        unseen(&sighting, why);
    }
}
