//! The canary of a stage of a REST API.

use std::sync::Arc;

use ripcord_rehearsal::aws_client::AwsRequest;
use ripcord_rehearsal::targets::{self, RestStage};
use serde_json::{Value, json};

use super::rig::{self, Subject};
use crate::scene::Scene;

struct Api(RestStage);

impl Api {
    async fn set(scene: &Scene) -> Self {
        let stage = targets::rest_stage(&scene.local.client()).await.unwrap();
        // The team's own canary, from when it was made, takes nothing until it is released.
        let api = Self(stage);
        api.patch(scene, &[("replace", "/canarySettings/percentTraffic", "0")]).await;
        let target = json!({"name": "api", "kind": "api_stage", "api": api.0.api_id, "stage": api.0.stage});
        rig::register(scene, json!([target])).await;
        api
    }

    async fn patch(&self, scene: &Scene, operations: &[(&str, &str, &str)]) {
        self.0.patch(&scene.local.client(), &rig::patch(operations)).await.unwrap();
    }

    /// A further deployment of the API, on no stage.
    async fn another_deployment(&self, scene: &Scene) -> String {
        let path = format!("/restapis/{}/deployments", self.0.api_id);
        let headers = [("content-type", "application/json")];
        let (service, method, body) = ("apigateway", "POST", "{}".to_owned().into());
        let request = AwsRequest { service, method, path: &path, headers: &headers, body };
        let answer = scene.local.client().send(request).await.unwrap();
        let made: Value = serde_json::from_slice(&answer.body).unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    async fn described(&self, scene: &Scene) -> Value {
        self.0.described(&scene.local.client()).await.unwrap()
    }
}

impl Subject for Api {
    const MOVES: &'static str = "UpdateStage";

    fn versions(&self) -> (String, String) {
        (self.0.stable_id.clone(), self.0.candidate_id.clone())
    }

    async fn state(&self, scene: &Scene) -> String {
        let stage = self.described(scene).await;
        let which = |id: &Value| match id.as_str() {
            Some(id) if id == self.0.stable_id => "stable".to_owned(),
            Some(id) if id == self.0.candidate_id => "candidate".to_owned(),
            other => format!("{other:?}"),
        };
        match stage.get("canarySettings").filter(|canary| !canary.is_null()) {
            Some(canary) => format!(
                "{}, canary {} {}",
                which(&stage["deploymentId"]),
                which(&canary["deploymentId"]),
                canary["percentTraffic"].as_f64().unwrap()
            ),
            None => which(&stage["deploymentId"]),
        }
    }

    fn restored(&self) -> String {
        "stable".to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_goes_after_three_round_trips_and_a_promoted_one_after_four() {
    let scene = Scene::set().await;
    let api = Api::set(&scene).await;
    rig::release(&scene, &api, 10).await;
    assert_eq!(api.state(&scene).await, "stable, canary candidate 10");
    assert_eq!(rig::trips_until_restored(&scene, &api).await, 3);

    rig::release(&scene, &api, 50).await;
    assert_eq!(api.state(&scene).await, "stable, canary candidate 50");
    rig::release(&scene, &api, 100).await;
    assert_eq!(api.state(&scene).await, "candidate");
    assert_eq!(rig::trips_until_restored(&scene, &api).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_takes_the_variables_of_its_canary_along() {
    let scene = Scene::set().await;
    let api = Api::set(&scene).await;
    rig::release(&scene, &api, 10).await;
    rig::release(&scene, &api, 100).await;
    let stage = api.described(&scene).await;
    assert_eq!(
        (api.state(&scene).await.as_str(), &stage["variables"]["backend"]),
        ("candidate", &json!("candidate"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_change_a_stage_once() {
    let scene = Arc::new(Scene::set().await);
    let api = Api::set(&scene).await;
    rig::release(&scene, &api, 10).await;
    let outcomes = rig::storm(&scene).await;
    // Taking the canary away waits for no claim. Whoever comes second asks for the same, and changes nothing.
    let moved = rig::moves(&scene, &api);
    assert!(!moved.is_empty() && moved.iter().all(|call| call.status == Some(200)), "{moved:?}");
    assert_eq!(api.state(&scene).await, api.restored(), "{outcomes:?}");
    let stage = api.described(&scene).await;
    assert_eq!(stage["variables"]["backend"], "stable", "nothing but the canary was touched: {stage}");
    rig::release(&scene, &api, 10).await;
    rig::release(&scene, &api, 100).await;
    let outcomes = rig::storm(&scene).await;
    assert_eq!(rig::moves(&scene, &api).len(), 1, "{outcomes:?}");
    assert_eq!(api.state(&scene).await, api.restored(), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_whose_rollback_is_cut_anywhere_ends_in_the_same_place() {
    let scene = Scene::set().await;
    let api = Api::set(&scene).await;
    let cuts = rig::cut_everywhere(&scene, &api, 1).await;
    assert!(cuts >= 16, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_of_another_release_is_a_page() {
    let scene = Scene::set().await;
    let api = Api::set(&scene).await;
    rig::release(&scene, &api, 10).await;
    let another = api.another_deployment(&scene).await;
    api.patch(&scene, &[("replace", "/canarySettings/deploymentId", &another)]).await;
    rig::is_stuck(&scene, &api, &another).await;
}
