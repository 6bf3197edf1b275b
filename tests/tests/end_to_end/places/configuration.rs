//! A configuration of AppConfig, and flags that go off.

use std::sync::Arc;
use std::time::Duration;

use ripcord::release::Phase;
use ripcord_rehearsal::aws_client::AwsRequest;
use ripcord_rehearsal::runtime_api::InvocationOutcome;
use ripcord_rehearsal::targets::{self, Configuration};
use serde_json::{Value, json};

use super::rig::{self, Subject};
use crate::scene::{Scene, alarm_now, outcome};

/// Sends a document, and returns the answer's.
async fn asked(scene: &Scene, method: &str, path: &str, document: Value) -> Value {
    let headers = [("content-type", "application/json")];
    let body = if document.is_null() { Vec::new() } else { document.to_string().into_bytes() };
    let request = AwsRequest { service: "appconfig", method, path, headers: &headers, body: body.into() };
    let answer = scene.local.client().send(request).await.unwrap();
    assert!(answer.status.is_success(), "{method} {path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Whose deployments are over at once, or take ten seconds to grow and ten more to bake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Quick,
    Slow,
}

fn target(configuration: &Configuration, pace: Pace, flags_off: &[&str]) -> Value {
    let strategy = match pace {
        Pace::Quick => &configuration.quick_strategy_id,
        Pace::Slow => &configuration.slow_strategy_id,
    };
    json!({
        "name": "limits", "kind": "configuration", "application": configuration.application_id,
        "environment": configuration.environment_id, "profile": configuration.profile_id,
        "strategy": strategy, "flags_off": flags_off,
    })
}

async fn set(scene: &Scene, pace: Pace) -> Configuration {
    let configuration = targets::configuration(&scene.local.client()).await.unwrap();
    rig::register(scene, json!([target(&configuration, pace, &[])])).await;
    configuration
}

/// Put back by taking its deployment back.
struct TakenBack(Configuration);
/// Put back by a deployment of its own.
struct Redeployed(Configuration);

impl Subject for TakenBack {
    const MOVES: &'static str = "StopDeployment";
    const PERCENT: u32 = 100;

    fn versions(&self) -> (String, String) {
        ("1".to_owned(), "2".to_owned())
    }

    async fn state(&self, scene: &Scene) -> String {
        self.0.in_force(&scene.local.client()).await.unwrap()
    }

    fn restored(&self) -> String {
        "1".to_owned()
    }
}

impl Subject for Redeployed {
    const MOVES: &'static str = "StartDeployment";
    const PERCENT: u32 = 100;

    fn versions(&self) -> (String, String) {
        ("1".to_owned(), "2".to_owned())
    }

    async fn state(&self, scene: &Scene) -> String {
        self.0.in_force(&scene.local.client()).await.unwrap()
    }

    fn restored(&self) -> String {
        "1".to_owned()
    }
}

impl Redeployed {
    /// The candidate is deployed again, so that taking the newest deployment back leads to the candidate.
    async fn release_twice(&self, scene: &Scene) {
        rig::release(scene, self, 100).await;
        let client = scene.local.client();
        self.0.deploy(&client, 2, &self.0.quick_strategy_id).await.unwrap();
        scene.local.journal().clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_reverted_after_three_round_trips_and_replaced_after_four() {
    let scene = Scene::set().await;
    let reverted = TakenBack(set(&scene, Pace::Quick).await);
    rig::release(&scene, &reverted, 100).await;
    assert_eq!(reverted.state(&scene).await, "2");
    assert_eq!(rig::trips_until_restored(&scene, &reverted).await, 3);
    assert_eq!(reverted.0.state(&scene.local.client(), 2).await.unwrap(), "REVERTED");

    let replaced = Redeployed(reverted.0);
    replaced.release_twice(&scene).await;
    assert_eq!(rig::trips_until_restored(&scene, &replaced).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_grows_is_stopped() {
    let scene = Scene::set().await;
    let configuration = set(&scene, Pace::Slow).await;
    // The shift leaves long before the deployment has grown.
    let request = json!({ "service": "checkout", "weights": "2:100" });
    let mut shifter = scene.process("alias-weight-shifter").await;
    let shifted = shifter.invoke(request.to_string(), Duration::from_secs(5)).await;
    let InvocationOutcome::Response(shifted) = shifted else { panic!("{shifted:?}") };
    assert!(shifted["summary"].as_str().unwrap().contains("on its way"), "{shifted}");
    let client = scene.local.client();
    assert_eq!(configuration.state(&client, 2).await.unwrap(), "DEPLOYING");

    assert_eq!(outcome(&scene.deliver(&alarm_now()).await), "restore");
    assert_eq!(configuration.state(&client, 2).await.unwrap(), "ROLLED_BACK");
    assert_eq!(configuration.in_force(&client).await.unwrap(), "1");
    assert_eq!(scene.latest().await.phase, Phase::RolledBack);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_take_one_deployment_back_or_start_one() {
    let scene = Arc::new(Scene::set().await);
    let reverted = TakenBack(set(&scene, Pace::Quick).await);
    rig::release(&scene, &reverted, 100).await;
    let outcomes = rig::storm(&scene).await;
    assert_eq!(rig::moves(&scene, &reverted).len(), 1, "{outcomes:?}");
    assert_eq!(reverted.state(&scene).await, "1", "{outcomes:?}");

    let replaced = Redeployed(reverted.0);
    replaced.release_twice(&scene).await;
    let outcomes = rig::storm(&scene).await;
    assert_eq!(rig::moves(&scene, &replaced).len(), 1, "{outcomes:?}");
    assert_eq!(replaced.state(&scene).await, "1", "{outcomes:?}, {:?}", moved(&scene));
}

/// What was asked of AppConfig that changes something, and with which status it was answered.
fn moved(scene: &Scene) -> Vec<String> {
    let calls = scene
        .local
        .journal()
        .matching(|call| ["StartDeployment", "StopDeployment"].contains(&call.operation.as_str()));
    calls.iter().map(|call| format!("{} {:?} {:?}", call.operation, call.resource, call.status)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_whose_rollback_is_cut_anywhere_ends_in_the_same_place() {
    let scene = Scene::set().await;
    let reverted = TakenBack(set(&scene, Pace::Quick).await);
    let cuts = rig::cut_everywhere(&scene, &reverted, 1).await;
    assert!(cuts >= 16, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_that_is_being_deployed_is_a_page() {
    let scene = Scene::set().await;
    let replaced = Redeployed(set(&scene, Pace::Quick).await);
    replaced.release_twice(&scene).await;
    let base = format!("/applications/{}/configurationprofiles", replaced.0.application_id);
    let profile = json!({ "Name": "prices", "LocationUri": "hosted" });
    let profile = asked(&scene, "POST", &base, profile).await;
    let profile_id = profile["Id"].as_str().unwrap().to_owned();
    let versions = format!("{base}/{profile_id}/hostedconfigurationversions");
    asked(&scene, "POST", &versions, json!({ "version": "1" })).await;
    let other = Configuration { profile_id, ..replaced.0.clone() };
    other.deploy(&scene.local.client(), 1, &other.slow_strategy_id).await.unwrap();
    rig::is_stuck(&scene, &replaced, "another configuration, prices, which is").await;
}

/// What clients are given.
async fn served(scene: &Scene, configuration: &Configuration) -> Value {
    let asked_for = json!({
        "ApplicationIdentifier": configuration.application_id,
        "EnvironmentIdentifier": configuration.environment_id,
        "ConfigurationProfileIdentifier": configuration.profile_id,
    });
    let session = asked(scene, "POST", "/configurationsessions", asked_for).await;
    let token = session["InitialConfigurationToken"].as_str().unwrap();
    asked(scene, "GET", &format!("/configuration?configuration_token={token}"), Value::Null).await
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_go_off_when_something_else_goes_back() {
    let scene = Scene::set().await;
    let client = scene.local.client();
    let configuration = targets::configuration(&client).await.unwrap();
    let (application, profile) = (&configuration.application_id, &configuration.profile_id);
    let versions =
        format!("/applications/{application}/configurationprofiles/{profile}/hostedconfigurationversions");
    let on = json!({ "fast": { "enabled": true, "limit": 3 }, "late": { "enabled": true } });
    asked(&scene, "POST", &versions, on.clone()).await;
    configuration.deploy(&client, 3, &configuration.quick_strategy_id).await.unwrap();
    let alias = json!({ "name": "api", "kind": "lambda_alias", "function": "checkout", "alias": "live" });
    rig::register(&scene, json!([alias, target(&configuration, Pace::Quick, &["fast"])])).await;
    let candidate = scene.stage.publish(&scene.local, Default::default()).await.unwrap();
    let shift = json!({ "service": "checkout", "target": "api", "weights": format!("1:90,{candidate}:10") });
    scene.stage.invoke(&scene.local, "alias-weight-shifter", &shift).await.unwrap().unwrap();
    assert_eq!(served(&scene, &configuration).await, on);
    scene.local.journal().clear();

    let alarm = alarm_now();
    let answered = scene.deliver(&alarm).await;
    assert_eq!(outcome(&answered), "restore", "{answered:?}");
    let off = json!({ "fast": { "enabled": false, "limit": 3 }, "late": { "enabled": true } });
    assert_eq!(served(&scene, &configuration).await, off);
    assert!(scene.routing().await.weights.is_empty());
    let made = |operation: &str| {
        let is_done = |status: Option<u16>| status.is_some_and(|status| status < 300);
        scene.local.journal().matching(|call| call.operation == operation && is_done(call.status)).len()
    };
    let calls = || [made("CreateHostedConfigurationVersion"), made("StartDeployment"), made("UpdateAlias")];
    assert_eq!(calls(), [1, 1, 1]);

    assert_eq!(outcome(&scene.deliver(&alarm).await), "stand_down");
    assert_eq!(calls(), [1, 1, 1], "a further delivery has nothing to do");
}
