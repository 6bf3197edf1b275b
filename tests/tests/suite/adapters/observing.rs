//! Observing a service: everything at once where its targets are known, and never a stale sighting.

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_lambda::Client as Lambda;
use aws_smithy_mocks::mock;
use ripcord::aws::{LedgerError, Observed, observe};
use ripcord::place::Place;
use ripcord::registration::Target;
use ripcord::situation::{Sighting, Situation};
use ripcord::traffic::Traffic;

use super::scene::{Scene, alias, holds, recorded, refusal, seen_in_turn};
use crate::worlds::{SERVICE, World, lambda, target, traffic};

async fn observed(scene: &Scene, known: &[Target]) -> Result<Observed, LedgerError> {
    observe(&scene.aws, &SERVICE.parse().unwrap(), known).await
}

#[track_caller]
fn situation(observed: Result<Observed, LedgerError>) -> Situation {
    match observed {
        Ok(Observed::Service(situation)) => *situation,
        other => panic!("{other:?}"),
    }
}

fn serving(situation: &Situation, target: &str) -> Traffic {
    match &situation.live[&target.parse().unwrap()] {
        Sighting::Alias(live) => live.traffic,
        other @ (Sighting::Place(_) | Sighting::Missing | Sighting::Unseen { .. }) => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_known_target_is_looked_at_beside_the_ledger_and_only_once() {
    let world = World::checkout();
    let look = seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1")]);
    let scene = Scene::new(&[&recorded(&world.record), &look]);
    let situation = situation(observed(&scene, &[target("api")]).await);
    assert_eq!(situation.record, world.record);
    assert_eq!(serving(&situation, "api"), traffic("1:90,2:10"));
    assert_eq!(scene.calls(), "dynamodb:Query service#checkout\nlambda:GetAlias checkout-api:live");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_only_the_ledger_knows_is_looked_at_after_it() {
    let world = World::of(&["api", "web"]);
    let look = mock!(Lambda::get_alias).then_output(|| alias("1", &[], "r1"));
    let scene = Scene::new(&[&recorded(&world.record), &look]);
    let situation = situation(observed(&scene, &[target("api")]).await);
    assert_eq!(situation.live.len(), 2);
    insta::assert_snapshot!(scene.calls(), @r"
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    lambda:GetAlias checkout-web:live
    ");
}

#[tokio::test(start_paused = true)]
async fn a_target_registered_anew_for_another_alias_is_looked_at_there() {
    let world = World::checkout();
    let stale = Target { place: Place::LambdaAlias(lambda("api", "old")), ..target("api") };
    let old = mock!(Lambda::get_alias)
        .match_requests(|get| get.name() == Some("old"))
        .then_output(|| alias("7", &[], "r7"));
    let look = seen_in_turn(vec![alias("1", &[], "r1")]);
    let scene = Scene::new(&[&recorded(&world.record), &old, &look]);
    let situation = situation(observed(&scene, &[stale]).await);
    assert_eq!(serving(&situation, "api"), traffic("1:100"));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_no_longer_registered_is_not_part_of_the_situation() {
    let world = World::checkout();
    let look = mock!(Lambda::get_alias).then_output(|| alias("1", &[], "r1"));
    let scene = Scene::new(&[&recorded(&world.record), &look]);
    let situation = situation(observed(&scene, &[target("api"), target("web")]).await);
    assert_eq!(situation.live.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["api"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_seen_does_not_hide_the_service() {
    let denied = mock!(Lambda::get_alias)
        .sequence()
        .http_status(403, Some(refusal("AccessDeniedException")))
        .repeatedly()
        .build();
    let scene = Scene::new(&[&recorded(&World::checkout().record), &denied]);
    let situation = situation(observed(&scene, &[]).await);
    assert!(matches!(&situation.live[&"api".parse().unwrap()], Sighting::Unseen { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_nobody_registered_is_told_from_one_that_cannot_be_read() {
    let scene = Scene::new(&[&holds("service#checkout", Vec::new())]);
    assert_eq!(observed(&scene, &[]).await, Ok(Observed::Unregistered));
    let denied = mock!(DynamoDb::query)
        .sequence()
        .http_status(400, Some(refusal("com.amazon.coral.service#AccessDeniedException")))
        .build();
    let scene = Scene::new(&[&denied]);
    let error = observed(&scene, &[]).await.unwrap_err().to_string();
    assert!(error.contains("AccessDeniedException"), "{error}");
}
