//! Several targets of one service: at once, in turns, and with one that does not go back.

use std::time::Duration;

use ripcord::release::Phase;
use ripcord_rehearsal::aws_client::AwsClient;
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::front::journal::JournalEntry;
use ripcord_rehearsal::targets::{self, LoadBalancer, StateMachineAlias};
use serde_json::{Value, json};

use super::rig;
use crate::round_trips::depths;
use crate::scene::{REGION, Scene, alarm_now, outcome};

const REGIONS: [&str; 3] = [REGION, "us-east-1", "ap-southeast-1"];
/// Long against everything else, so that calls which overlap are told from calls which follow.
const ANSWER_DELAY_MS: u64 = 150;

/// How long the invocation that fails may last: its claims end with it.
const LEASE: Duration = Duration::from_secs(8);

/// What moves a target of this service.
const MOVES: [&str; 4] = ["ModifyListener", "ModifyRule", "UpdateStateMachineAlias", "UpdateAlias"];

/// A listener, a rule and a state machine in one region.
struct There {
    client: AwsClient,
    region: &'static str,
    balancer: LoadBalancer,
    flow: StateMachineAlias,
}

impl There {
    async fn set(scene: &Scene, region: &'static str) -> Self {
        let client = scene.local.client().in_region(region);
        let balancer = targets::load_balancer(&client).await.unwrap();
        let flow = targets::state_machine_alias(&client).await.unwrap();
        Self { client, region, balancer, flow }
    }

    fn targets(&self) -> Vec<Value> {
        let LoadBalancer { listener_arn, rule_arn, blue_arn, green_arn, .. } = &self.balancer;
        let region = (self.region != REGION).then_some(self.region);
        let web = |name: &str, rule: &str| json!({"name": name, "kind": "load_balancer", "rule": rule, "target_groups": [blue_arn, green_arn]});
        let alias = &self.flow.alias_arn;
        let flow =
            json!({"name": self.name("flow"), "kind": "state_machine_alias", "state_machine_alias": alias});
        let mut targets = vec![web(&self.name("web"), listener_arn), web(&self.name("api"), rule_arn), flow];
        for target in &mut targets {
            if let Some(region) = region {
                target["region"] = json!(region);
            }
        }
        targets
    }

    fn name(&self, kind: &str) -> String {
        format!("{kind}-{}", self.region)
    }

    async fn release(&self, scene: &Scene) {
        let name = |arn: &str| arn.split('/').nth(1).unwrap().to_owned();
        let number = |arn: &str| arn.rsplit_once(':').unwrap().1.to_owned();
        let (blue, green) = (name(&self.balancer.blue_arn), name(&self.balancer.green_arn));
        let (one, two) = (number(&self.flow.stable_arn), number(&self.flow.candidate_arn));
        shift(scene, &self.name("web"), &format!("{blue}:90,{green}:10")).await;
        shift(scene, &self.name("api"), &format!("{blue}:75,{green}:25")).await;
        shift(scene, &self.name("flow"), &format!("{one}:50,{two}:50")).await;
    }

    async fn state(&self) -> String {
        let web = self.balancer.weights(&self.client).await.unwrap();
        let api = self.balancer.rule_weights(&self.client).await.unwrap();
        let flow = self.flow.weights(&self.client).await.unwrap();
        format!("{web:?} {api:?} {flow:?}")
    }
}

const RESTORED: &str = "(100, 0) (100, 0) (100, 0)";

async fn shift(scene: &Scene, target: &str, weights: &str) {
    let event = json!({ "service": "checkout", "target": target, "weights": weights });
    let shifted = scene.stage.invoke(&scene.local, "alias-weight-shifter", &event).await.unwrap();
    shifted.unwrap_or_else(|error| panic!("{target} to {weights}: {error}"));
}

/// Ten targets in three regions, each of them partly on its candidate.
async fn ten(scene: &Scene) -> Vec<There> {
    let mut regions = Vec::new();
    for region in REGIONS {
        regions.push(There::set(scene, region).await);
    }
    let function =
        json!({"name": "function", "kind": "lambda_alias", "function": "checkout", "alias": "live"});
    let targets = regions.iter().flat_map(There::targets).chain([function]).collect();
    rig::register(scene, targets).await;
    release(scene, &regions).await;
    regions
}

async fn release(scene: &Scene, regions: &[There]) {
    let candidate = scene.stage.publish(&scene.local, Default::default()).await.unwrap();
    let stable = scene.routing().await.version;
    shift(scene, "function", &format!("{stable}:90,{candidate}:10")).await;
    for there in regions {
        there.release(scene).await;
    }
    assert_eq!(scene.latest().await.changes.len(), 10);
    scene.local.journal().clear();
}

fn moves(scene: &Scene) -> Vec<JournalEntry> {
    let moves = scene.local.journal().matching(|call| MOVES.contains(&call.operation.as_str()));
    moves.into_iter().filter(|call| call.status == Some(200)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_targets_in_three_regions_go_back_in_the_round_trips_of_the_slowest() {
    let scene = Scene::set().await;
    let regions = ten(&scene).await;
    scene.local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: ANSWER_DELAY_MS }));
    let answered = scene.deliver(&alarm_now()).await;
    scene.local.faults().clear();
    assert_eq!(outcome(&answered), "restore", "{answered:?}");
    for there in &regions {
        assert_eq!(there.state().await, RESTORED, "{}", there.region);
    }
    assert!(scene.routing().await.weights.is_empty());
    let calls = scene.local.journal().calls_of("ripcord-alarm-rollback");
    let moved = || calls.iter().zip(depths(&calls)).filter(|(call, _)| MOVES.contains(&&*call.operation));
    assert_eq!(moved().count(), 10, "each target is moved once");
    // The mapping, the ledger beside every target, the claim, and the calls. An alias needs no claim and goes with it.
    assert_eq!(moved().map(|(_, depth)| depth).max(), Some(4));
    assert_eq!(moved().find(|(call, _)| call.operation == "UpdateAlias").map(|(_, depth)| depth), Some(3));
    assert_eq!(scene.latest().await.phase, Phase::RolledBack);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_go_back_keeps_no_other_where_it_is() {
    let scene = Scene::set().await;
    let regions = ten(&scene).await;
    scene.local.faults().add(FaultRule::always("ModifyRule", Fault::Deny));
    let alarm = alarm_now();
    let mut process = scene.process("alarm-rollback").await;
    let answered = process.invoke(alarm.to_string(), LEASE).await;
    assert_eq!(outcome(&answered), "RollbackFailed", "{answered:?}");
    for there in &regions {
        assert_eq!(there.state().await, "(100, 0) (75, 25) (100, 0)", "{}", there.region);
    }
    assert!(scene.routing().await.weights.is_empty());
    assert_eq!(scene.latest().await.phase, Phase::RollbackFailed);
    // The page says what is where.
    let text = format!("{answered:?}");
    assert!(text.contains("ModifyRule"), "{text}");

    // Lambda delivers again, after a minute, when the claims have ended: what is back stays, what is not goes back now.
    scene.local.faults().clear();
    scene.local.journal().clear();
    tokio::time::sleep(LEASE).await;
    assert_eq!(outcome(&scene.deliver(&alarm).await), "restore");
    for there in &regions {
        assert_eq!(there.state().await, RESTORED, "{}", there.region);
    }
    assert_eq!(moves(&scene).len(), 3, "only the three rules were left");
    assert_eq!(scene.latest().await.phase, Phase::RolledBack);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_go_back_turn_by_turn() {
    let scene = Scene::set().await;
    let there = There::set(&scene, REGION).await;
    let mut targets = there.targets();
    for (target, turn) in targets.iter_mut().zip([2, 1, 0]) {
        target["turn"] = json!(turn);
    }
    rig::register(&scene, json!(targets)).await;
    there.release(&scene).await;
    scene.local.journal().clear();
    assert_eq!(outcome(&scene.deliver(&alarm_now()).await), "restore");
    let order: Vec<String> = moves(&scene).into_iter().map(|call| call.operation).collect();
    assert_eq!(order, ["UpdateStateMachineAlias", "ModifyRule", "ModifyListener"]);
    assert_eq!(there.state().await, RESTORED);
}
