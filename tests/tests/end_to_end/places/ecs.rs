//! A service of ECS, whose deployments take their time.

use std::sync::Arc;

use ripcord::release::Phase;
use ripcord_rehearsal::Options;
use ripcord_rehearsal::checkout::ShiftedBy;
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::targets::{self, EcsService};
use serde_json::{Value, json};

use super::rig::{self, Subject};
use crate::round_trips::depths;
use crate::scene::{Scene, alarm_now, outcome};

/// Long against everything else, so that calls which overlap are told from calls which follow.
const ANSWER_DELAY_MS: u64 = 100;

struct Web(EcsService);

impl Web {
    async fn set(scene: &Scene, configuration: &Value) -> Self {
        let service = targets::ecs_service(&scene.local.client(), configuration).await.unwrap();
        let target = json!({"name": "web", "kind": "ecs_service", "cluster": service.cluster, "service": service.name});
        rig::register(scene, json!([target])).await;
        Self(service)
    }

    /// A team's own pipeline deploys the candidate, without a word to the suite.
    async fn deploy(&self, scene: &Scene) {
        self.0.deploy(&scene.local.client(), &self.0.candidate_arn).await.unwrap();
        scene.local.journal().clear();
    }
}

impl Subject for Web {
    const MOVES: &'static str = "UpdateService";
    const PERCENT: u32 = 100;

    fn versions(&self) -> (String, String) {
        let version = |arn: &str| arn.rsplit_once('/').unwrap().1.to_owned();
        (version(&self.0.stable_arn), version(&self.0.candidate_arn))
    }

    async fn state(&self, scene: &Scene) -> String {
        let definition = self.0.task_definition(&scene.local.client()).await.unwrap();
        definition.rsplit_once('/').unwrap().1.to_owned()
    }

    fn restored(&self) -> String {
        self.versions().0
    }
}

/// How many answers were awaited one after the other until the deployment was told to go back.
async fn trips_until_stopped(scene: &Scene, web: &Web) -> usize {
    scene.local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: ANSWER_DELAY_MS }));
    let answered = scene.deliver(&alarm_now()).await;
    scene.local.faults().clear();
    assert_eq!(outcome(&answered), "restore", "{answered:?}");
    assert_eq!(web.state(scene).await, web.restored());
    assert_eq!(rig::latest(scene).await.phase, Phase::RolledBack);
    let calls = scene.local.journal().calls_of("ripcord-alarm-rollback");
    assert_eq!(scene.count("UpdateService"), 0, "nothing is updated under a deployment");
    let stopped = calls.iter().position(|call| call.operation == "StopServiceDeployment").unwrap();
    // A later call may have been given up without an answer.
    depths(&calls[..=stopped])[stopped]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_deployment_is_told_to_go_back_by_the_third_round_trip() {
    let scene = Scene::set().await;
    let web = Web::set(&scene, &Value::Null).await;
    web.deploy(&scene).await;
    assert_eq!(trips_until_stopped(&scene, &web).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_of_ecs_is_told_to_go_back_by_the_third_round_trip() {
    let scene = Scene::set().await;
    let canary = json!({
        "strategy": "CANARY",
        "bakeTimeInMinutes": 5,
        "canaryConfiguration": { "canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10 },
    });
    let web = Web::set(&scene, &canary).await;
    web.deploy(&scene).await;
    assert_eq!(trips_until_stopped(&scene, &web).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_stop_one_deployment_once() {
    let scene = Arc::new(Scene::set().await);
    let web = Web::set(&scene, &Value::Null).await;
    web.deploy(&scene).await;
    let outcomes = rig::storm(&scene).await;
    let accepted = scene
        .local
        .journal()
        .matching(|call| call.operation == "StopServiceDeployment" && call.status == Some(200));
    assert_eq!(accepted.len(), 1, "{outcomes:?}");
    assert_eq!(scene.count("UpdateService"), 0, "{outcomes:?}");
    assert_eq!(web.state(&scene).await, web.restored(), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_release_goes_back_by_one_claimed_update() {
    let scene = Scene::set().await;
    let web = Web::set(&scene, &Value::Null).await;
    rig::release(&scene, &web, 100).await;
    assert_eq!(web.state(&scene).await, web.versions().1);
    // The alarm's services; the ledger beside the service; what it would go back to; the claim; the update.
    assert_eq!(rig::trips_until_restored(&scene, &web).await, 5);
    assert_eq!(rig::moves(&scene, &web).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_update_a_service_once() {
    let scene = Arc::new(Scene::set().await);
    let web = Web::set(&scene, &Value::Null).await;
    rig::release(&scene, &web, 100).await;
    let outcomes = rig::storm(&scene).await;
    assert_eq!(rig::moves(&scene, &web).len(), 1, "{outcomes:?}");
    assert_eq!(web.state(&scene).await, web.restored(), "{outcomes:?}");
}

/// Deployments that take a tenth of their usual time, so that many can be cut.
const QUICK: f64 = 1.0 / 600.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_rollback_is_cut_anywhere_ends_in_the_same_place() {
    let options = Options { codedeploy_scale: QUICK, ..Options::default() };
    let scene = Scene::set_with(ShiftedBy::Ripcord, options).await;
    let web = Web::set(&scene, &Value::Null).await;
    let cuts = rig::cut_everywhere(&scene, &web, 1).await;
    // Until the update is made, and the first look after it; each is cut before and after.
    assert!(cuts >= 14, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_definition_that_was_deregistered_is_a_page() {
    let scene = Scene::set().await;
    let web = Web::set(&scene, &Value::Null).await;
    rig::release(&scene, &web, 100).await;
    web.0.deregister(&scene.local.client(), &web.0.stable_arn).await.unwrap();
    let stable = web.versions().0;
    rig::is_stuck(&scene, &web, &format!("version {stable} is INACTIVE and cannot be served")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_were_taken_away_are_a_page() {
    let scene = Scene::set().await;
    let web = Web::set(&scene, &Value::Null).await;
    rig::release(&scene, &web, 100).await;
    scene.local.faults().add(FaultRule::always("UpdateService", Fault::Deny));
    let answered = scene.deliver(&alarm_now()).await;
    scene.local.faults().clear();
    assert!(format!("{answered:?}").contains("ecs:UpdateService"), "{answered:?}");
    assert!(scene.count("Publish") >= 1);
    assert_eq!(web.state(&scene).await, web.versions().1);
}
