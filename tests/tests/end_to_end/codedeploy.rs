//! Releases by CodeDeploy: the example's stack deployed again, as a team's pipeline does, with the suite's real hooks and
//! functions; and CodeDeploy called directly where a test needs many deployments.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord::finding::Found;
use ripcord::names::{Generation, Version};
use ripcord::registration::Registration;
use ripcord::release::{Phase, Release, Report};
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::checkout::{SERVICE, ShiftedBy, StageError, redeploy};
use ripcord_rehearsal::codedeploy::{Creator, Deployment, EventStatus, LifecycleEventName};
use ripcord_rehearsal::runtime_api::InvocationOutcome;
use ripcord_rehearsal::traffic::simulated::{SimulatedBehaviour, Simulation, SimulationOptions};
use serde_json::{Value, json};

use crate::crashes::{CALLS_MAX, cut};
use crate::inbox::Inbox;
use crate::scene::{Scene, alarm_at, alarm_now, outcome, workspace};

mod hooks;

/// Ten times what the slowest of them takes.
const WAIT_MAX: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Deployed {
    pub(crate) scene: Scene,
    pub(crate) inbox: Inbox,
}

impl Deployed {
    /// The suite and the example, whose alias CodeDeploy shifts, registered and with a day of steady traffic behind it.
    pub(crate) async fn set() -> Self {
        let scene = Scene::set_for(ShiftedBy::CodeDeploy).await;
        let inbox = Inbox::subscribe(&scene).await;
        scene.stage.register_as(&registration()).await.unwrap();
        scene.stage.a_day_of_traffic(&scene.local, 6_000.0);
        Self { scene, inbox }
    }

    /// `sam deploy`: it ends as the stack does.
    pub(crate) async fn deploy(&self, parameters: &[(&str, &str)]) -> Result<(), StageError> {
        redeploy(&self.scene.local, &workspace(), parameters).await.map(drop)
    }

    /// Requests to whatever the alias serves; the versions after the first behave like this.
    fn traffic(&self, candidate: SimulatedBehaviour) -> Simulation {
        let healthy = SimulatedBehaviour { error_rate: 0.001, ..SimulatedBehaviour::default() };
        let options =
            SimulationOptions { requests_per_minute: 6_000.0, ..SimulationOptions::new(SERVICE, "live") };
        let options = options.version("1", healthy).version("2", candidate).version("3", candidate);
        self.scene.local.simulate(options)
    }

    /// The latest release, once it has ended and people were told.
    pub(crate) async fn until_ended(&self, generation: u64) -> Release {
        self.until("the end of the release", |release| {
            let is_told = release.phase == Phase::Complete || matches!(release.report, Report::Sent { .. });
            release.generation == Generation(generation) && is_told
        })
        .await
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Release) -> bool) -> Release {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let record = self.scene.stage.record().await.unwrap().unwrap();
            if let Some(release) = record.release.as_ref().filter(|release| is_so(release)) {
                return release.clone();
            }
            assert!(
                Instant::now() < deadline,
                "{what} did not come: {record:?}; {:?}; {}",
                self.deployments(),
                self.scene.local.log()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn deployments(&self) -> Vec<Deployment> {
        self.scene.local.codedeploy().deployments()
    }

    fn deployment_of(&self, release: &Release) -> Deployment {
        let id = release.deployment.as_ref().unwrap().id.to_string();
        self.scene.local.codedeploy().deployment(&id).unwrap()
    }

    async fn call(&self, operation: &str, request: &Value) -> Value {
        let target = format!("CodeDeploy_20141006.{operation}");
        let answer = self.scene.local.client().json("codedeploy", &target, request).await.unwrap();
        assert!(answer.status.is_success(), "{operation}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// The application and the group that the example's stack made.
    async fn group(&self) -> (String, String) {
        let applications = self.call("ListApplications", &json!({})).await;
        let application = applications["applications"][0].as_str().unwrap().to_owned();
        let groups = self.call("ListDeploymentGroups", &json!({ "applicationName": application })).await;
        (application, groups["deploymentGroups"][0].as_str().unwrap().to_owned())
    }

    /// A new version, deployed without hooks, the way a pipeline of one's own does; returns the version.
    async fn start(&self, config: &str) -> Version {
        let version = self.scene.stage.publish(&self.scene.local, Default::default()).await.unwrap();
        let (application, group) = self.group().await;
        let serving = self.scene.routing().await.version;
        let spec = json!({ "version": "0.0", "Resources": [{ "it": { "Type": "AWS::Lambda::Function", "Properties": {
            "Name": SERVICE, "Alias": "live", "CurrentVersion": serving, "TargetVersion": version.to_string(),
        }}}]});
        let request = json!({
            "applicationName": application,
            "deploymentGroupName": group,
            "deploymentConfigName": config,
            "revision": { "revisionType": "AppSpecContent", "appSpecContent": { "content": spec.to_string() } },
        });
        self.call("CreateDeployment", &request).await;
        version
    }

    /// A release that CodeDeploy has finished and the ledger knows of; what happened until then is forgotten.
    async fn finished(&self, generation: u64) -> Version {
        let version = self.start("CodeDeployDefault.LambdaAllAtOnce").await;
        self.until("completion", |release| {
            release.generation == Generation(generation) && release.phase == Phase::Complete
        })
        .await;
        self.scene.local.journal().clear();
        version
    }

    /// A release that CodeDeploy has given a tenth of the traffic; what happened until then is forgotten.
    async fn under_way(&self, generation: u64) -> Version {
        let version = self.start("CodeDeployDefault.LambdaCanary10Percent30Minutes").await;
        self.until("the release", |release| release.generation == Generation(generation)).await;
        let deadline = Instant::now() + WAIT_MAX;
        while self.scene.routing().await.weights.is_empty() {
            assert!(Instant::now() < deadline, "{:?}", self.deployments());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.scene.local.journal().clear();
        version
    }

    async fn assert_serving(&self, version: &str) {
        let routing = self.scene.routing().await;
        assert_eq!((routing.version.as_str(), routing.weights.len()), (version, 0));
    }

    /// Deployments that Ripcord started.
    fn reversals(&self) -> usize {
        let calls = self.scene.local.journal().calls_of("ripcord-alarm-rollback");
        calls.iter().filter(|call| call.operation == "CreateDeployment" && call.status == Some(200)).count()
    }
}

/// The example's document, under which releases can be rolled back again and again, with short settling.
fn registration() -> Registration {
    let document = std::fs::read_to_string(workspace().join("examples/checkout/ripcord.json")).unwrap();
    let mut registration = Registration::parse(&document).unwrap();
    registration.rollback.rollbacks_max = 100;
    registration.rollback.quarantine_hours = 0;
    registration.release.stabilise_seconds = 30;
    registration
}

fn healthy() -> SimulatedBehaviour {
    SimulatedBehaviour { error_rate: 0.001, ..SimulatedBehaviour::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_is_checked_shifted_and_recorded() {
    let deployed = Deployed::set().await;
    let _traffic = deployed.traffic(healthy());
    deployed.deploy(&[("LatencyMs", "6")]).await.unwrap();
    let release = deployed.until_ended(1).await;
    assert_eq!(release.phase, Phase::Complete, "{release:?}");
    deployed.assert_serving("2").await;
    let deployment = deployed.deployment_of(&release);
    for hook in [LifecycleEventName::BeforeAllowTraffic, LifecycleEventName::AfterAllowTraffic] {
        assert_eq!(deployment.event(hook), Some(EventStatus::Succeeded), "{deployment:?}");
    }
    deployed.inbox.notice("is complete").await;
    let service = SERVICE.parse().unwrap();
    let findings = deployed.scene.stage.aws.ledger.findings(&service, release.generation).await.unwrap();
    let hooks =
        findings.iter().filter(|finding| matches!(&finding.found, Found::Hook(hook) if hook.succeeded));
    assert_eq!(hooks.count(), 2, "{findings:?}");

    // The guard after completion has CodeDeploy go back, so that CodeDeploy knows.
    deployed.scene.local.journal().clear();
    deployed
        .scene
        .local
        .alarms()
        .set_state("checkout-error-rate", AlarmState::Alarm, "the test says so")
        .unwrap();
    let release = deployed.until_ended(1).await;
    let release = if release.phase == Phase::Complete {
        deployed.until("the rollback", |release| matches!(release.report, Report::Sent { .. })).await
    } else {
        release
    };
    assert_eq!(release.phase, Phase::RolledBack, "{release:?}");
    deployed.assert_serving("1").await;
    assert_eq!(deployed.reversals(), 1);
    deployed.inbox.notice("was rolled back").await;
    // The stack does not know, and people are told what to do about that.
    deployed.inbox.notice("Enabled: false").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_its_smoke_test_gets_no_traffic() {
    let deployed = Deployed::set().await;
    let _traffic = deployed.traffic(healthy());
    deployed.scene.local.journal().clear();
    let refused = deployed.deploy(&[("SmokeAnswer", "declined")]).await;
    assert!(refused.is_err(), "the stack goes back");
    let release = deployed.until_ended(1).await;
    assert_eq!(release.phase, Phase::Withdrawn, "{release:?}");
    let because = release.ended_because.clone().unwrap_or_default();
    assert!(because.contains("smoke") && because.contains("declined"), "{because}");
    assert_eq!(deployed.scene.traffic_changes().len(), 0);
    deployed.assert_serving("1").await;
    let deployment = deployed.deployment_of(&release);
    assert_eq!(deployment.event(LifecycleEventName::BeforeAllowTraffic), Some(EventStatus::Failed));
    deployed.inbox.notice("declined").await;
    // Nothing is quarantined: a fixed version may follow at once.
    assert!(deployed.scene.stage.record().await.unwrap().unwrap().rollbacks.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_under_traffic_stop_the_shift_and_bring_it_back() {
    let deployed = Deployed::set().await;
    let _traffic = deployed.traffic(SimulatedBehaviour { error_rate: 0.5, ..healthy() });
    let refused = deployed.deploy(&[("LatencyMs", "6")]).await;
    assert!(refused.is_err(), "the stack goes back");
    let release = deployed.until_ended(1).await;
    assert_eq!(release.phase, Phase::RolledBack, "{release:?}");
    deployed.assert_serving("1").await;
    let deployment = deployed.deployment_of(&release);
    assert!(deployment.rollback_id.is_some(), "{deployment:?}");
    // CodeDeploy's own alarm and Ripcord's pull the same cord; the deployment is rolled back once.
    let rollbacks = deployed.deployments().into_iter().filter(|it| it.creator == Creator::CodeDeployRollback);
    assert_eq!(rollbacks.count(), 1);
    assert_eq!(deployed.reversals(), 0);
    deployed.inbox.notice("was rolled back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_stops_a_running_deployment_by_codedeploy() {
    let deployed = Deployed::set().await;
    deployed.under_way(1).await;
    let command =
        json!({ "command": "rollback", "service": SERVICE, "requested_by": "ada", "reason": "orders fail" });
    let answered = deployed.scene.deliver(&command).await;
    assert_eq!(outcome(&answered), "restore", "{answered:?}");
    let release = deployed.until_ended(1).await;
    assert_eq!(release.phase, Phase::RolledBack, "{release:?}");
    assert!(release.ended_because.unwrap().contains("ada asked for a rollback: orders fail"));
    deployed.assert_serving("1").await;
    assert_eq!(deployed.scene.count("StopDeployment"), 1);
    assert_eq!(
        deployed
            .scene
            .local
            .journal()
            .calls_of("ripcord-alarm-rollback")
            .iter()
            .filter(|call| call.operation == "UpdateAlias")
            .count(),
        0
    );
    // Asking again finds the work done.
    assert_eq!(outcome(&deployed.scene.deliver(&command).await), "stand_down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_nobody_asked_ripcord_for_is_recorded_and_told() {
    let deployed = Deployed::set().await;
    deployed.under_way(1).await;
    let id = deployed.scene.latest().await.deployment.unwrap().id;
    deployed
        .call("StopDeployment", &json!({ "deploymentId": id.as_str(), "autoRollbackEnabled": true }))
        .await;
    let release = deployed.until_ended(1).await;
    assert_eq!(release.phase, Phase::RolledBack, "{release:?}");
    deployed.assert_serving("1").await;
    deployed.inbox.notice("was rolled back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_was_stopped_on_two_versions_is_put_back_on_one() {
    let deployed = Deployed::set().await;
    deployed.under_way(1).await;
    let id = deployed.scene.latest().await.deployment.unwrap().id;
    deployed
        .call("StopDeployment", &json!({ "deploymentId": id.as_str(), "autoRollbackEnabled": false }))
        .await;
    let release = deployed.until_ended(1).await;
    assert_eq!(release.phase, Phase::RolledBack, "{release:?}");
    deployed.assert_serving("1").await;
    let ours = deployed.scene.local.journal().calls_of("ripcord-alarm-rollback");
    assert_eq!(ours.iter().filter(|call| call.operation == "UpdateAlias").count(), 1);
    // The next deployment finds the alias where CodeDeploy expects it.
    deployed.finished(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_alarms_reverse_a_finished_deployment_once() {
    let deployed = Arc::new(Deployed::set().await);
    deployed.finished(1).await;
    let fired_at = Timestamp::now();
    let deliveries: Vec<_> = (0..20)
        .map(|_| {
            let deployed = Arc::clone(&deployed);
            tokio::spawn(async move {
                let event = alarm_at(fired_at);
                deployed.scene.stage.invoke(&deployed.scene.local, "alarm-rollback", &event).await
            })
        })
        .collect();
    // Who comes while another reverses stands down, or fails in order to be tried again; nobody else moves traffic.
    let mut answered = 0;
    for delivery in deliveries {
        answered += u32::from(delivery.await.unwrap().unwrap().is_ok());
    }
    assert!(answered > 0);
    let release =
        deployed.until("the rollback", |release| matches!(release.report, Report::Sent { .. })).await;
    assert_eq!(release.phase, Phase::RolledBack);
    assert_eq!(deployed.reversals(), 1, "{:?}", deployed.deployments());
    assert_eq!(deployed.scene.traffic_changes().len(), 1);
    deployed.assert_serving("1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_cut_anywhere_ends_in_the_same_place() {
    let deployed = Deployed::set().await;
    let mut generation = 0;
    let mut cuts = 0;
    for is_effective in [false, true] {
        for call in 1..=CALLS_MAX {
            generation += 1;
            let stable = deployed.scene.routing().await.version;
            deployed.finished(generation).await;
            let before = deployed.deployments().len();
            let place = format!("cut {} call {call}", if is_effective { "after" } else { "before" });
            let alarm = alarm_now();
            let was_cut = cut(&deployed.scene, "alarm-rollback", &alarm, call, is_effective).await;
            deliver_until_reported(&deployed, &alarm, &place).await;
            deployed.assert_serving(&stable).await;
            let after = deployed.deployments();
            assert_eq!(after.len(), before + 1, "{place}: {after:?}");
            assert_eq!(deployed.scene.traffic_changes().len(), 1, "{place}");
            assert_eq!(deployed.scene.latest().await.phase, Phase::RolledBack, "{place}");
            let last = deployed.deployments().pop().unwrap();
            assert!(last.status.has_ended(), "{place}: {last:?}");
            if !was_cut {
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts >= 20, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cut_anywhere_ends_in_the_same_place() {
    let deployed = Deployed::set().await;
    let mut generation = 0;
    let mut cuts = 0;
    for is_effective in [false, true] {
        for call in 1..=CALLS_MAX {
            generation += 1;
            let stable = deployed.scene.routing().await.version;
            deployed.under_way(generation).await;
            let place = format!("cut {} call {call}", if is_effective { "after" } else { "before" });
            let alarm = alarm_now();
            let was_cut = cut(&deployed.scene, "alarm-rollback", &alarm, call, is_effective).await;
            deliver_until_reported(&deployed, &alarm, &place).await;
            deployed.assert_serving(&stable).await;
            assert_eq!(deployed.reversals(), 0, "{place}");
            // CodeDeploy's own, to where it came from.
            assert_eq!(deployed.scene.traffic_changes().len(), 1, "{place}");
            assert_eq!(deployed.scene.latest().await.phase, Phase::RolledBack, "{place}");
            if !was_cut {
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts >= 18, "only {cuts} cuts were made");
}

/// Lambda delivers again later, when every lease of the first delivery has ended; here the wait is shorter. CodeDeploy's own
/// events arrive besides, and may finish first.
async fn deliver_until_reported(deployed: &Deployed, alarm: &Value, place: &str) {
    for _ in 0..80 {
        let answered = deployed.scene.deliver(alarm).await;
        let is_fine = match &answered {
            InvocationOutcome::Response(_) => true,
            InvocationOutcome::Error { error_type, .. } => error_type == "RollbackUnderWay",
            InvocationOutcome::Crashed(_) | InvocationOutcome::TimedOut => false,
        };
        assert!(is_fine, "{place}: {answered:?}");
        if deployed.scene.is_reported().await {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("{place}: nobody was told: {:?}", deployed.scene.latest().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_where_alias_codedeploy_and_stack_disagree() {
    let deployed = Deployed::set().await;
    let candidate = deployed.finished(1).await;
    let answered = deployed.scene.deliver(&alarm_now()).await;
    assert_eq!(outcome(&answered), "restore", "{answered:?}");
    let record = deployed.scene.stage.record().await.unwrap().unwrap();
    let release = record.release.unwrap();
    let observed = ripcord::aws::observe(&deployed.scene.stage.aws, &SERVICE.parse().unwrap(), &[]).await;
    let ripcord::aws::Observed::Service(situation) = observed.unwrap() else { panic!("not registered") };
    let Some(ripcord::situation::Sighting::Alias(live)) = situation.live.values().next() else {
        panic!("unseen")
    };
    let drift = ripcord::deployment::drift(&situation.record, &release, live)
        .unwrap_or_else(|| panic!("{release:?} {live:?}"));
    assert!(drift.what.contains(&format!("the stack still believes in version {candidate}")), "{drift:?}");
    assert!(drift.mend.contains("Enabled: false"), "{drift:?}");
}
