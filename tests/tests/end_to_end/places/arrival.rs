//! What AWS takes longer over than an invocation lives, and ends by its own word.

use std::time::{Duration, Instant};

use ripcord::names::Weight;
use ripcord::release::Phase;
use ripcord_rehearsal::targets;
use serde_json::json;

use super::rig;
use crate::scene::Scene;

/// The canary's bake of 40 minutes lasts 40 seconds here: longer than the shifter lives, which is 30.
const ARRIVAL_WAIT_MAX: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_that_outlives_its_invocation_is_confirmed_when_ecs_says_that_it_has_ended() {
    let scene = Scene::set().await;
    let client = scene.local.client();
    let canary = json!({
        "strategy": "CANARY",
        "bakeTimeInMinutes": 1,
        "canaryConfiguration": { "canaryPercent": 10.0, "canaryBakeTimeInMinutes": 40 },
    });
    let web = targets::ecs_service(&client, &canary).await.unwrap();
    let target = json!({"name": "web", "kind": "ecs_service", "cluster": web.cluster, "service": web.name});
    rig::register(&scene, json!([target])).await;

    let candidate = web.candidate_arn.rsplit_once('/').unwrap().1;
    let shifted = scene.stage.weights(&scene.local, &format!("{candidate}:100")).await.unwrap();
    let summary = shifted["summary"].as_str().unwrap();
    assert!(summary.starts_with("checkout: on its way to"), "{summary}");
    let open = scene.latest().await;
    assert_eq!((open.phase, open.changes[0].weight), (Phase::Shifting, Weight::NONE));

    let said_by = Instant::now() + ARRIVAL_WAIT_MAX;
    while scene.latest().await.phase != Phase::Complete {
        assert!(Instant::now() < said_by, "nothing came of it: {:?}", scene.latest().await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let complete = scene.latest().await;
    assert_eq!((complete.changes[0].weight, complete.changes[0].claim), (Weight::ALL, None));
    assert_eq!(scene.count("UpdateService"), 1, "nothing was begun twice");
}
