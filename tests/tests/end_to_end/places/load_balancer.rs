//! The weights of a listener's and a rule's target groups.

use std::sync::Arc;

use ripcord_rehearsal::targets::{self, LoadBalancer};
use serde_json::json;

use super::rig::{self, Subject};
use crate::scene::Scene;

/// Which of the two is the target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Listener,
    Rule,
}

struct Web {
    balancer: LoadBalancer,
    part: Part,
}

impl Web {
    async fn set(scene: &Scene, part: Part) -> Self {
        let balancer = targets::load_balancer(&scene.local.client()).await.unwrap();
        let rule = match part {
            Part::Listener => &balancer.listener_arn,
            Part::Rule => &balancer.rule_arn,
        };
        let groups = [&balancer.blue_arn, &balancer.green_arn];
        let target = json!({"name": "web", "kind": "load_balancer", "rule": rule, "target_groups": groups});
        rig::register(scene, json!([target])).await;
        Self { balancer, part }
    }
}

struct Listener(Web);
struct Rule(Web);

fn name(group: &str) -> String {
    group.split('/').nth(1).unwrap().to_owned()
}

impl Web {
    fn versions(&self) -> (String, String) {
        (name(&self.balancer.blue_arn), name(&self.balancer.green_arn))
    }

    async fn state(&self, scene: &Scene) -> String {
        let client = scene.local.client();
        let weights = match self.part {
            Part::Listener => self.balancer.weights(&client).await,
            Part::Rule => self.balancer.rule_weights(&client).await,
        };
        format!("{:?}", weights.unwrap())
    }
}

impl Subject for Listener {
    const MOVES: &'static str = "ModifyListener";

    fn versions(&self) -> (String, String) {
        self.0.versions()
    }

    async fn state(&self, scene: &Scene) -> String {
        self.0.state(scene).await
    }

    fn restored(&self) -> String {
        "(100, 0)".to_owned()
    }
}

impl Subject for Rule {
    const MOVES: &'static str = "ModifyRule";

    fn versions(&self) -> (String, String) {
        self.0.versions()
    }

    async fn state(&self, scene: &Scene) -> String {
        self.0.state(scene).await
    }

    fn restored(&self) -> String {
        "(100, 0)".to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_and_a_rule_go_back_after_four_round_trips() {
    let scene = Scene::set().await;
    let listener = Listener(Web::set(&scene, Part::Listener).await);
    rig::release(&scene, &listener, 10).await;
    assert_eq!(listener.state(&scene).await, "(90, 10)");
    assert_eq!(rig::trips_until_restored(&scene, &listener).await, 4);

    rig::release(&scene, &listener, 100).await;
    assert_eq!(listener.state(&scene).await, "(0, 100)");
    assert_eq!(rig::trips_until_restored(&scene, &listener).await, 4);

    let rule = Rule(Web::set(&scene, Part::Rule).await);
    rig::release(&scene, &rule, 50).await;
    assert_eq!(rule.state(&scene).await, "(50, 50)");
    assert_eq!(rig::trips_until_restored(&scene, &rule).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_up_stage_by_stage_past_half() {
    let scene = Scene::set().await;
    let listener = Listener(Web::set(&scene, Part::Listener).await);
    for (percent, state) in [(10, "(90, 10)"), (60, "(40, 60)"), (75, "(25, 75)"), (100, "(0, 100)")] {
        rig::release(&scene, &listener, percent).await;
        assert_eq!(listener.state(&scene).await, state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_change_a_listener_once() {
    let scene = Arc::new(Scene::set().await);
    let listener = Listener(Web::set(&scene, Part::Listener).await);
    rig::release(&scene, &listener, 10).await;
    let outcomes = rig::storm(&scene).await;
    assert_eq!(rig::moves(&scene, &listener).len(), 1, "{outcomes:?}");
    assert_eq!(listener.state(&scene).await, listener.restored(), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_rollback_is_cut_anywhere_ends_in_the_same_place() {
    let scene = Scene::set().await;
    let listener = Listener(Web::set(&scene, Part::Listener).await);
    let cuts = rig::cut_everywhere(&scene, &listener, 1).await;
    assert!(cuts >= 18, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_somebody_else_changed_or_removed_is_a_page() {
    let scene = Scene::set().await;
    let listener = Listener(Web::set(&scene, Part::Listener).await);
    let client = scene.local.client();
    rig::release(&scene, &listener, 10).await;
    let elb = |fields: Vec<(String, String)>| {
        let client = client.clone();
        async move {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
            let answer = client.query("elasticloadbalancing", &fields).await.unwrap();
            assert!(answer.status.is_success(), "{}", answer.text());
        }
    };
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let listener_arn = listener.0.balancer.listener_arn.clone();
    elb(vec![
        field("Action", "ModifyListener"),
        field("Version", "2015-12-01"),
        field("ListenerArn", &listener_arn),
        field("DefaultActions.member.1.Type", "fixed-response"),
        field("DefaultActions.member.1.FixedResponseConfig.StatusCode", "503"),
    ])
    .await;
    rig::is_stuck(&scene, &listener, "a fixed response (503)").await;
    elb(vec![
        field("Action", "DeleteListener"),
        field("Version", "2015-12-01"),
        field("ListenerArn", &listener_arn),
    ])
    .await;
    scene.local.journal().clear();
    let answered = format!("{:?}", scene.deliver(&crate::scene::alarm_now()).await);
    assert!(answered.contains("web"), "{answered}");
    assert_eq!(rig::moves(&scene, &listener).len(), 0);
}
