//! The suite and the example service, deployed into the local AWS as a team deploys them: what rehearsals and
//! end-to-end tests begin with. It sets the stage; it must not act on it.

mod deployment;
mod history;
mod release;

pub use deployment::{ShiftedBy, kill_checks, redeploy};

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use ripcord::aws::{Aws, Connection, Credentials, Endpoints, LedgerError, RegistrationError, SuiteNames};
use ripcord::names::Version;
use ripcord::registration::{Home, Registration, Violation};
use ripcord::release::KnownGood;
use ripcord::situation::ServiceRecord;
use serde_json::{Value, json};

use crate::LocalAws;
use crate::aws_client::CallError;
use crate::deploy::{DeployError, StackCode, StackOutputs, StackRequest};
use crate::executions::ExecutionError;

/// The suite's project name.
pub const PROJECT: &str = "ripcord";
/// The example's function, and its service.
pub const SERVICE: &str = "checkout";

/// Ten seconds, where ministack takes half of one.
const ACTIVE_LOOKS_MAX: u32 = 200;
const ACTIVE_LOOK_EVERY: Duration = Duration::from_millis(50);

/// The deployed suite and example.
#[derive(Debug)]
pub struct Stage {
    /// What the suite's stack says of itself.
    pub suite: StackOutputs,
    /// The product's own clients, under an operator's name.
    pub aws: Aws,
    home: Home,
}

/// Why the stage could not be set.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A stack could not be deployed.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The local AWS did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Step Functions did not do it.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// It answered something else than it should.
    #[error("failed to {what}: {answer}")]
    Answer {
        /// What was asked.
        what: String,
        /// What it said.
        answer: String,
    },
    /// The registration could not be read.
    #[error("failed to read {0}")]
    Read(String, #[source] std::io::Error),
    /// It is not valid.
    #[error("failed to accept the example's registration: {0:?}")]
    Invalid(Vec<Violation>),
    /// It was refused.
    #[error(transparent)]
    Register(#[from] RegistrationError),
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// How a version of the example behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Behaviour {
    /// The share of its requests that fail, in percent.
    pub error_percent: u32,
    /// How long they take.
    pub latency_ms: u32,
}

/// The part of a version's requests that takes longer than the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlowTail {
    /// Its share, in percent.
    pub percent: u32,
    /// How long its requests take.
    pub latency_ms: u32,
}

impl Stage {
    /// Deploys the suite with a given artefact, and the example beside it, whose releases Ripcord itself drives.
    pub async fn set(local: &LocalAws, workspace: &Path, bootstrap: &Path) -> Result<Self, StageError> {
        Self::set_for(ShiftedBy::Ripcord, local, workspace, bootstrap).await
    }

    /// The same, with the example's template for whoever shifts its traffic.
    pub async fn set_for(
        shifted_by: ShiftedBy,
        local: &LocalAws,
        workspace: &Path,
        bootstrap: &Path,
    ) -> Result<Self, StageError> {
        let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let account = local.account_id();
        let suite = local
            .deploy(StackRequest {
                name: PROJECT.to_owned(),
                template: workspace.join("template.yaml"),
                code: StackCode::Bootstrap(bootstrap.to_owned()),
                parameters: vec![
                    parameter("Architecture", "x86_64"),
                    // What they say has ended is heard of only where some are released.
                    parameter("ReleasedEcsServices", &format!("arn:aws:ecs:*:{account}:service/*")),
                    parameter(
                        "ReleasedConfigurations",
                        &format!("arn:aws:appconfig:*:{account}:application/*"),
                    ),
                    parameter("ReleasedStacks", &format!("arn:aws:cloudformation:*:{account}:stack/*")),
                    parameter("LedgerDeletionProtection", "false"),
                ],
            })
            .await?;
        local.deploy(shifted_by.request(workspace, &[("LatencyMs", "5")])).await?;
        let output = |name: &str| suite.get(name).cloned().unwrap_or_default();
        let names = SuiteNames { table: output("LedgerTableName"), topic_arn: output("NoticesTopicArn") };
        let connection = Connection {
            region: local.region().to_owned(),
            credentials: Credentials::from_keys("operator", "secret", None),
            endpoints: Endpoints::One(local.endpoint().to_owned()),
        };
        let home = Home {
            partition: "aws".to_owned(),
            region: local.region().to_owned(),
            account: local.account_id().to_owned(),
        };
        Ok(Self { aws: Aws::new(&connection.sdk_config(), names), suite, home })
    }

    /// Registers the example as its own document says, with what its alias serves as stable.
    pub async fn register(&self, workspace: &Path) -> Result<Registration, StageError> {
        let path = workspace.join("examples/checkout/ripcord.json");
        let document = std::fs::read_to_string(&path)
            .map_err(|error| StageError::Read(path.display().to_string(), error))?;
        let registration = Registration::parse(&document).map_err(StageError::Invalid)?;
        self.register_as(&registration).await?;
        Ok(registration)
    }

    /// Registers a document over whatever is registered.
    pub async fn register_as(&self, registration: &Registration) -> Result<(), StageError> {
        let mut stable = Vec::new();
        for target in &registration.targets {
            if let Some(traffic) = self.aws.sight(target).await.traffic() {
                let since = Timestamp::now();
                stable.push(KnownGood { target: target.name.clone(), version: traffic.primary, since });
            }
        }
        let before = self.aws.ledger.service(&registration.service).await?;
        self.aws.ledger.register(registration, before.as_ref(), stable, &self.home).await?;
        Ok(())
    }

    /// What the ledger holds of the example.
    pub async fn record(&self) -> Result<Option<ServiceRecord>, StageError> {
        let service = SERVICE.parse().map_err(|_| answer("name the service", SERVICE))?;
        Ok(self.aws.ledger.service(&service).await?)
    }

    /// Publishes a version of the example that behaves like this.
    pub async fn publish(&self, local: &LocalAws, behaviour: Behaviour) -> Result<Version, StageError> {
        self.publish_with_tail(local, behaviour, SlowTail::default()).await
    }

    /// Publishes a version of the example that is slow to some.
    pub async fn publish_with_tail(
        &self,
        local: &LocalAws,
        behaviour: Behaviour,
        tail: SlowTail,
    ) -> Result<Version, StageError> {
        let variables = json!({
            "ERROR_PERCENT": behaviour.error_percent.to_string(),
            "LATENCY_MS": behaviour.latency_ms.to_string(),
            "SLOW_PERCENT": tail.percent.to_string(),
            "SLOW_MS": tail.latency_ms.to_string(),
        });
        let path = format!("/2015-03-31/functions/{SERVICE}");
        let configuration = json!({ "Environment": { "Variables": variables } });
        let client = local.client();
        let configured = client.lambda("PUT", &format!("{path}/configuration"), &configuration).await?;
        if !configured.status.is_success() {
            return Err(answer("configure the example", configured.text()));
        }
        let published = client.lambda("POST", &format!("{path}/versions"), &json!({})).await?;
        let document: Value = serde_json::from_slice(&published.body).unwrap_or_default();
        let version =
            document.get("Version").and_then(Value::as_str).and_then(|version| version.parse().ok());
        let version = version.ok_or_else(|| answer("publish a version of the example", published.text()))?;
        self.wait_until_active(local, version).await?;
        Ok(version)
    }

    /// A version is Pending for a moment after it was published, and may not be released before it is Active.
    async fn wait_until_active(&self, local: &LocalAws, version: Version) -> Result<(), StageError> {
        let path = format!("/2015-03-31/functions/{SERVICE}/configuration?Qualifier={version}");
        for _ in 0..ACTIVE_LOOKS_MAX {
            let configuration = local.client().lambda("GET", &path, &Value::Null).await?;
            let configuration: Value = serde_json::from_slice(&configuration.body).unwrap_or_default();
            if configuration.get("State").and_then(Value::as_str) == Some("Active") {
                return Ok(());
            }
            tokio::time::sleep(ACTIVE_LOOK_EVERY).await;
        }
        Err(answer("see the version become Active", version))
    }

    /// Invokes a function of the suite and waits for its answer: what it returned, or how it failed.
    pub async fn invoke(
        &self,
        local: &LocalAws,
        function: &str,
        event: &Value,
    ) -> Result<Result<Value, Value>, StageError> {
        let path = format!("/2015-03-31/functions/{PROJECT}-{function}/invocations");
        let answered = local.client().lambda("POST", &path, event).await?;
        let document = serde_json::from_slice(&answered.body)
            .map_err(|_| answer(format!("invoke {function}"), answered.text()))?;
        Ok(if answered.function_error { Err(document) } else { Ok(document) })
    }

    /// Shifts the example's traffic, as `ripcord weights` does.
    pub async fn weights(&self, local: &LocalAws, weights: &str) -> Result<Value, StageError> {
        let event = json!({ "service": SERVICE, "weights": weights, "requested_by": "rehearsal" });
        let shifted = self.invoke(local, "alias-weight-shifter", &event).await?;
        shifted.map_err(|error| answer(format!("shift traffic to {weights}"), error))
    }
}

fn answer(what: impl ToString, answer: impl ToString) -> StageError {
    StageError::Answer { what: what.to_string(), answer: answer.to_string() }
}
