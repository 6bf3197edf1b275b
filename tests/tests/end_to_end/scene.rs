//! A local AWS with the suite and the example in it, and the words in which tests speak about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use ripcord::names::Version;
use ripcord::registration::Registration;
use ripcord::release::{Release, Report};
use ripcord_rehearsal::checkout::{Behaviour, SERVICE, ShiftedBy, Stage};
use ripcord_rehearsal::front::journal::{AliasRouting, JournalEntry};
use ripcord_rehearsal::runtime_api::{FunctionProcess, FunctionSpec, InvocationOutcome};
use ripcord_rehearsal::{LocalAws, Options};
use serde_json::{Value, json};

/// The account and region of the events under `events/`.
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const ACCOUNT: &str = "123456789012";
/// A cold function on a busy machine, and some.
pub(crate) const ANSWER_WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Scene {
    pub(crate) local: LocalAws,
    pub(crate) stage: Stage,
}

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A binary of this build: it lies beside the folder of the tests.
pub(crate) fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.exists(), "{} is not built: cargo build --workspace --profile quick", path.display());
    path
}

impl Scene {
    /// Everything deployed and registered; nothing released yet.
    pub(crate) async fn set() -> Self {
        Self::set_for(ShiftedBy::Ripcord).await
    }

    /// The same, with the example's template for whoever shifts its traffic.
    pub(crate) async fn set_for(shifted_by: ShiftedBy) -> Self {
        Self::set_with(shifted_by, Options::default()).await
    }

    /// The same, on a local AWS of these options.
    pub(crate) async fn set_with(shifted_by: ShiftedBy, options: Options) -> Self {
        let options = Options { region: REGION.to_owned(), account_id: ACCOUNT.to_owned(), ..options };
        let local = LocalAws::start(options).await.unwrap();
        let stage = Stage::set_for(shifted_by, &local, &workspace(), &built("bootstrap")).await.unwrap();
        stage.register(&workspace()).await.unwrap();
        Self { local, stage }
    }

    /// The same, with a policy under which releases can be rolled back again and again.
    pub(crate) async fn set_for_many_rollbacks() -> Self {
        let scene = Self::set().await;
        let document = std::fs::read_to_string(workspace().join("examples/checkout/ripcord.json")).unwrap();
        let mut registration = Registration::parse(&document).unwrap();
        registration.rollback.rollbacks_max = 100;
        registration.rollback.quarantine_hours = 0;
        scene.stage.register_as(&registration).await.unwrap();
        scene
    }

    /// Publishes a version and gives it a share of the traffic; what happened until then is forgotten.
    pub(crate) async fn release(&self, percent: u32) -> Version {
        let candidate = self.stage.publish(&self.local, Behaviour::default()).await.unwrap();
        let stable = self.routing().await.version;
        let weights = if percent == 100 {
            format!("{candidate}:100")
        } else {
            format!("{stable}:{},{candidate}:{percent}", 100 - percent)
        };
        self.stage.weights(&self.local, &weights).await.unwrap();
        self.local.journal().clear();
        candidate
    }

    /// What the alias serves.
    pub(crate) async fn routing(&self) -> AliasRouting {
        let path = format!("/2015-03-31/functions/{SERVICE}/aliases/live");
        let answer = self.local.client().lambda("GET", &path, &Value::Null).await.unwrap();
        let alias: Value = serde_json::from_slice(&answer.body).unwrap();
        let weights = alias.pointer("/RoutingConfig/AdditionalVersionWeights").and_then(Value::as_object);
        AliasRouting {
            version: alias["FunctionVersion"].as_str().unwrap().to_owned(),
            weights: weights
                .into_iter()
                .flatten()
                .map(|(version, weight)| (version.clone(), weight.as_f64().unwrap()))
                .collect(),
        }
    }

    /// The latest release as the ledger has it.
    pub(crate) async fn latest(&self) -> Release {
        self.stage.record().await.unwrap().unwrap().release.unwrap()
    }

    /// Whether people have been told how the latest release ended.
    pub(crate) async fn is_reported(&self) -> bool {
        matches!(self.latest().await.report, Report::Sent { .. })
    }

    /// The changes of traffic since the last release began.
    pub(crate) fn traffic_changes(&self) -> Vec<JournalEntry> {
        self.local.journal().matching(JournalEntry::changed_an_alias)
    }

    pub(crate) fn count(&self, operation: &str) -> usize {
        self.local.journal().matching(|call| call.operation == operation && call.status == Some(200)).len()
    }

    /// A function of the suite in a process of the test's own, which it may kill.
    pub(crate) async fn process(&self, handler: &str) -> FunctionProcess {
        let spec = self.spec(handler);
        FunctionProcess::spawn(&spec).await.unwrap()
    }

    pub(crate) fn spec(&self, handler: &str) -> FunctionSpec {
        let output = |name: &str| self.stage.suite[name].clone();
        let mut spec = FunctionSpec::new(built("bootstrap"), handler)
            .env("AWS_ENDPOINT_URL", self.local.endpoint())
            // The local AWS tells callers by their key, and takes twelve digits for another account.
            .env("AWS_ACCESS_KEY_ID", format!("FN.ripcord-{handler}"))
            .env("RIPCORD_TABLE", output("LedgerTableName"))
            .env("RIPCORD_TOPIC_ARN", output("NoticesTopicArn"))
            .env("RIPCORD_NAMESPACE", "ripcord/Deployments");
        spec.region = REGION.to_owned();
        spec
    }

    /// One delivery to a new process of `alarm-rollback`.
    pub(crate) async fn deliver(&self, event: &Value) -> InvocationOutcome {
        self.process("alarm-rollback").await.invoke(event.to_string(), ANSWER_WAIT_MAX).await
    }
}

/// What CloudWatch sends when the example's error rate fires now.
pub(crate) fn alarm_now() -> Value {
    alarm_at(Timestamp::now())
}

/// The same, fired at another time.
pub(crate) fn alarm_at(at: Timestamp) -> Value {
    let time = at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string();
    json!({
        "source": "aws.cloudwatch",
        "alarmArn": format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:checkout-error-rate"),
        "accountId": ACCOUNT,
        "time": time,
        "region": REGION,
        "alarmData": {
            "alarmName": "checkout-error-rate",
            "state": {
                "value": "ALARM",
                "reason": "Threshold Crossed: 2 out of the last 3 datapoints [12.5, 9.1] were greater than the threshold (1.0)",
                "reasonData": "{\"version\":\"1.0\",\"recentDatapoints\":[12.5,9.1,0.0],\"threshold\":1.0}",
                "timestamp": time,
            },
            "previousState": { "value": "OK", "timestamp": time },
            "configuration": { "metrics": [{ "id": "rate", "expression": "100 * errors / invocations", "returnData": true }] },
        },
    })
}

/// The `outcome` of the only answer in a response.
#[track_caller]
pub(crate) fn outcome(answered: &InvocationOutcome) -> String {
    match answered {
        InvocationOutcome::Response(response) => match response["answers"].as_array().map(Vec::as_slice) {
            Some([answer]) => answer["outcome"].as_str().unwrap().to_owned(),
            other => panic!("not one answer: {other:?}"),
        },
        InvocationOutcome::Error { error_type, .. } => error_type.clone(),
        InvocationOutcome::Crashed(exit) => panic!("it crashed: {exit:?}"),
        InvocationOutcome::TimedOut => panic!("it timed out"),
    }
}
