//! An alias of a state machine.

use std::sync::Arc;

use ripcord_rehearsal::targets::{self, StateMachineAlias};
use serde_json::json;

use super::rig::{self, Subject};
use crate::scene::Scene;

struct Flow(StateMachineAlias);

impl Flow {
    async fn set(scene: &Scene) -> Self {
        let flow = targets::state_machine_alias(&scene.local.client()).await.unwrap();
        let target =
            json!({"name": "flow", "kind": "state_machine_alias", "state_machine_alias": flow.alias_arn});
        rig::register(scene, json!([target])).await;
        Self(flow)
    }

    async fn call(&self, scene: &Scene, operation: &str, document: serde_json::Value) {
        let operation = format!("AWSStepFunctions.{operation}");
        let answer = scene.local.client().json("states", &operation, &document).await.unwrap();
        assert!(answer.status.is_success(), "{}", answer.text());
    }
}

impl Subject for Flow {
    const MOVES: &'static str = "UpdateStateMachineAlias";

    fn versions(&self) -> (String, String) {
        let number = |arn: &str| arn.rsplit_once(':').unwrap().1.to_owned();
        (number(&self.0.stable_arn), number(&self.0.candidate_arn))
    }

    async fn state(&self, scene: &Scene) -> String {
        format!("{:?}", self.0.weights(&scene.local.client()).await.unwrap())
    }

    fn restored(&self) -> String {
        "(100, 0)".to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_of_a_state_machine_goes_back_after_four_round_trips() {
    let scene = Scene::set().await;
    let flow = Flow::set(&scene).await;
    for (percent, state) in [(10, "(90, 10)"), (75, "(25, 75)"), (100, "(0, 100)")] {
        rig::release(&scene, &flow, percent).await;
        assert_eq!(flow.state(&scene).await, state);
    }
    assert_eq!(rig::trips_until_restored(&scene, &flow).await, 4);
    rig::release(&scene, &flow, 10).await;
    assert_eq!(rig::trips_until_restored(&scene, &flow).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_route_once() {
    let scene = Arc::new(Scene::set().await);
    let flow = Flow::set(&scene).await;
    rig::release(&scene, &flow, 25).await;
    let outcomes = rig::storm(&scene).await;
    assert_eq!(rig::moves(&scene, &flow).len(), 1, "{outcomes:?}");
    assert_eq!(flow.state(&scene).await, flow.restored(), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_of_a_state_machine_whose_rollback_is_cut_anywhere_ends_in_the_same_place() {
    let scene = Scene::set().await;
    let flow = Flow::set(&scene).await;
    // A process that is cut after its call has made it, and whoever comes next sees that.
    let cuts = rig::cut_everywhere(&scene, &flow, 1).await;
    assert!(cuts >= 16, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_deleted_is_a_page() {
    let scene = Scene::set().await;
    let flow = Flow::set(&scene).await;
    rig::release(&scene, &flow, 100).await;
    let deleted = json!({ "stateMachineVersionArn": flow.0.stable_arn });
    flow.call(&scene, "DeleteStateMachineVersion", deleted).await;
    rig::is_stuck(&scene, &flow, "there is no version 1 there").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_of_a_state_machine_that_is_gone_is_a_page() {
    let scene = Scene::set().await;
    let flow = Flow::set(&scene).await;
    rig::release(&scene, &flow, 10).await;
    let deleted = json!({ "stateMachineAliasArn": flow.0.alias_arn });
    flow.call(&scene, "DeleteStateMachineAlias", deleted).await;
    let answered = scene.deliver(&crate::scene::alarm_now()).await;
    assert!(format!("{answered:?}").contains("target flow does not exist"), "{answered:?}");
    assert_eq!(rig::moves(&scene, &flow).len(), 0);
    assert!(scene.count("Publish") >= 1);
}
