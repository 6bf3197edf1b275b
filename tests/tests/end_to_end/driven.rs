//! A scene in which releases are driven by the state machine, and the words in which tests speak about them.

use std::time::Instant;

use ripcord::finding::Finding;
use ripcord::names::{Generation, ServiceName, Version};
use ripcord::pipeline::Awaiting;
use ripcord::registration::Registration;
use ripcord::release::{Release, Report};
use ripcord_rehearsal::MINUTE_VARIABLE;
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::checkout::{Behaviour, SERVICE};
use ripcord_rehearsal::executions::Execution;
use ripcord_rehearsal::runtime_api::{FunctionProcess, FunctionSpec};
use serde_json::{Value, json};

use crate::inbox::Inbox;
use crate::pipelines::RELEASE_WAIT_MAX;
use crate::scene::{REGION, Scene, built, workspace};

/// The alias that keeps the rollback target from being deleted.
const PIN: &str = "/2015-03-31/functions/checkout/aliases/live-last-known-good";

pub(crate) struct Driven {
    pub(crate) scene: Scene,
    pub(crate) inbox: Inbox,
}

impl Driven {
    /// The suite and the example, registered with short settling and without quarantine, after a day of steady traffic.
    pub(crate) async fn set() -> Self {
        let scene = Scene::set().await;
        let inbox = Inbox::subscribe(&scene).await;
        let driven = Self { scene, inbox };
        driven.scene.stage.register_as(&driven.registration()).await.unwrap();
        driven.scene.stage.a_day_of_traffic(&driven.scene.local, 6_000.0);
        driven
    }

    pub(crate) fn registration(&self) -> Registration {
        let document = std::fs::read_to_string(workspace().join("examples/checkout/ripcord.json")).unwrap();
        let mut registration = Registration::parse(&document).unwrap();
        registration.rollback.rollbacks_max = 100;
        registration.rollback.quarantine_hours = 0;
        registration.release.stabilise_seconds = 30;
        registration.limits =
            serde_json::from_value(json!({ "error_rate_max": 0.01, "latency_ms_max": 500 })).unwrap();
        registration
    }

    /// A new version; how it behaves is the simulated traffic's business.
    pub(crate) async fn candidate(&self) -> Version {
        self.scene.stage.publish(&self.scene.local, Behaviour::default()).await.unwrap()
    }

    pub(crate) async fn start(&self, version: Version, fields: Value) -> String {
        let mut input = json!({ "service": SERVICE, "version": version.to_string(), "requested_by": "ada" });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.scene.stage.start_release(&self.scene.local, &input).await.unwrap()
    }

    /// The execution as it ended.
    pub(crate) async fn until_ended(&self, execution: &str) -> Execution {
        self.scene.stage.until_ended(&self.scene.local, execution, RELEASE_WAIT_MAX).await.unwrap()
    }

    /// The names of the states that the execution entered, with looks taken together: how many there are depends on the
    /// clock.
    pub(crate) async fn path(&self, execution: &str) -> String {
        let history = self.scene.stage.history(&self.scene.local, execution).await.unwrap();
        let entered = history.into_iter().filter(|(_, kind)| kind.ends_with("StateEntered"));
        collapsed(&entered.map(|(state, _)| state).collect::<Vec<_>>())
    }

    /// The latest release, once people were told how it ended.
    pub(crate) async fn until_reported(&self) -> Release {
        self.until("a report", |release| {
            matches!(release.report, Report::Sent { .. }).then(|| release.clone())
        })
        .await
    }

    /// Waits until the n-th release is open.
    pub(crate) async fn until_opened(&self, n: u64) {
        self.until("a release", |release| (release.generation == Generation(n)).then_some(())).await;
    }

    /// Waits until the n-th stage has its traffic.
    pub(crate) async fn until_stage(&self, n: usize) {
        let has_begun = |release: &Release| {
            let run = release.run.as_ref()?;
            let is_confirmed = release.changes.iter().all(|change| change.intent.is_none());
            (run.reached.len() >= n && is_confirmed).then_some(())
        };
        self.until("a stage", has_begun).await;
    }

    pub(crate) async fn until_awaiting(&self) -> Awaiting {
        self.until("a question", |release| release.run.as_ref()?.awaiting.clone()).await
    }

    async fn until<T>(&self, what: &str, look: impl Fn(&Release) -> Option<T>) -> T {
        let deadline = Instant::now() + RELEASE_WAIT_MAX;
        loop {
            let record = self.scene.stage.record().await.unwrap().unwrap();
            if let Some(found) = record.release.as_ref().and_then(&look) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} did not come: {record:?}; {}", self.scene.local.log());
            tokio::time::sleep(self.scene.local.minute() / 10).await;
        }
    }

    /// Long enough for events that are under way to arrive and be answered.
    pub(crate) async fn until_quiet(&self) {
        tokio::time::sleep(self.scene.local.minute() * 3).await;
    }

    pub(crate) async fn findings(&self) -> Vec<Finding> {
        let service: ServiceName = SERVICE.parse().unwrap();
        let Some(release) = self.scene.stage.record().await.unwrap().unwrap().release else {
            return Vec::new();
        };
        self.scene.stage.aws.ledger.findings(&service, release.generation).await.unwrap()
    }

    pub(crate) async fn answer(&self, token: &str, answer: Result<&Value, (&str, &str)>) {
        self.scene.stage.send_task(&self.scene.local, token, answer).await.unwrap();
    }

    pub(crate) async fn stop(&self, execution: &str, cause: &str) {
        self.scene.stage.stop(&self.scene.local, execution, cause).await.unwrap();
    }

    /// From now on the function's process dies at its start.
    pub(crate) async fn break_function(&self, handler: &str) {
        self.scene.stage.break_function(&self.scene.local, handler).await.unwrap();
    }
}

/// Tasks of a state machine, delivered by the test itself: repeated, cut and all at once, as no engine would on demand.
impl Driven {
    /// An execution that runs and does nothing: it stands for the one whose tasks the test delivers.
    pub(crate) async fn idle_execution(&self) -> String {
        let definition = json!({
            "StartAt": "Idle",
            "States": { "Idle": { "Type": "Wait", "Seconds": 1_000_000, "End": true } },
        });
        // The same name with the same definition makes nothing twice.
        let machine = json!({
            "name": "idle",
            "definition": definition.to_string(),
            "roleArn": format!("arn:aws:iam::{}:role/idle", self.scene.local.account_id()),
        });
        let client = self.scene.local.client();
        let made = client.json("states", "AWSStepFunctions.CreateStateMachine", &machine).await.unwrap();
        assert!(made.status.is_success(), "{}", made.text());
        let made: Value = serde_json::from_slice(&made.body).unwrap();
        let machine = made["stateMachineArn"].as_str().unwrap();
        self.scene.local.executions().start(machine, &json!({})).await.unwrap()
    }

    /// The version that the rollback target's pin names.
    pub(crate) async fn pinned(&self) -> Option<String> {
        let answer = self.scene.local.client().lambda("GET", PIN, &Value::Null).await.unwrap();
        let alias: Value = serde_json::from_slice(&answer.body).unwrap();
        alias["FunctionVersion"].as_str().map(str::to_owned)
    }

    pub(crate) async fn until_alarm(&self, name: &str, state: AlarmState) {
        let deadline = Instant::now() + RELEASE_WAIT_MAX;
        while self.scene.local.alarms().state(name).is_none_or(|alarm| alarm.state != state) {
            assert!(Instant::now() < deadline, "{name} is not {state:?}");
            tokio::time::sleep(self.scene.local.minute() / 10).await;
        }
    }

    /// Takes the pin away, so that the next release has to set it.
    pub(crate) async fn unpin(&self) {
        self.scene.local.client().lambda("DELETE", PIN, &Value::Null).await.unwrap();
    }

    /// A function of the suite in a process of the test's own, which it may kill, with time as in the scene.
    pub(crate) async fn process(&self, handler: &str) -> FunctionProcess {
        let output = |name: &str| self.scene.stage.suite[name].clone();
        let minute_ms = self.scene.local.minute().as_millis().to_string();
        let mut spec = FunctionSpec::new(built("bootstrap"), handler)
            .env("AWS_ENDPOINT_URL", self.scene.local.endpoint())
            // The local AWS tells callers by their key, and takes twelve digits for another account.
            .env("AWS_ACCESS_KEY_ID", format!("FN.ripcord-{handler}"))
            .env("RIPCORD_TABLE", output("LedgerTableName"))
            .env("RIPCORD_TOPIC_ARN", output("NoticesTopicArn"))
            .env("RIPCORD_NAMESPACE", "ripcord/Deployments")
            .env(MINUTE_VARIABLE, minute_ms);
        spec.region = REGION.to_owned();
        FunctionProcess::spawn(&spec).await.unwrap()
    }
}

fn collapsed(path: &[String]) -> String {
    let looked = "Wait Judge Onward";
    let mut text = path.join(" ").replace(looked, "(Wait Judge Onward)");
    let again = format!("({looked}) ({looked})");
    while text.contains(&again) {
        text = text.replace(&again, &format!("({looked})"));
    }
    text
}
