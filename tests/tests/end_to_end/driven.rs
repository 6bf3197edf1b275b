//! A scene in which releases are driven by the state machine, and the words in which tests speak about them.

use std::time::Instant;

use ripcord::finding::Finding;
use ripcord::names::{FunctionVersion, ServiceName};
use ripcord::pipeline::Awaiting;
use ripcord::registration::Registration;
use ripcord::release::{Release, Report};
use ripcord_rehearsal::checkout::{Behaviour, SERVICE};
use ripcord_rehearsal::executions::Execution;
use serde_json::{Value, json};

use crate::inbox::Inbox;
use crate::pipelines::RELEASE_WAIT_MAX;
use crate::scene::{Scene, workspace};

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
    pub(crate) async fn candidate(&self) -> FunctionVersion {
        self.scene.stage.publish(&self.scene.local, Behaviour::default()).await.unwrap()
    }

    pub(crate) async fn start(&self, version: FunctionVersion, fields: Value) -> String {
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

fn collapsed(path: &[String]) -> String {
    let looked = "Wait Judge Onward";
    let mut text = path.join(" ").replace(looked, "(Wait Judge Onward)");
    let again = format!("({looked}) ({looked})");
    while text.contains(&again) {
        text = text.replace(&again, &format!("({looked})"));
    }
    text
}
