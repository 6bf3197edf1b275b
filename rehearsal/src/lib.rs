//! The local AWS, for rehearsals and end-to-end tests: ministack for most services and moto for a few, and in front of them
//! one loopback endpoint with what both lack (an alarm evaluator with its dispatcher, CodeDeploy, deployments of ECS, a
//! traffic driver, fault injection, a journal of every call). It listens on 127.0.0.1 alone, and nothing of it outlives
//! the process that started it. BACKENDS.md says who answers what, and how well.
//!
//! It must not be needed by anything that is shipped.

pub mod alarms;
mod appconfig;
pub mod aws_client;
pub mod backend;
pub mod checkout;
pub mod codedeploy;
pub mod deploy;
mod ecs;
pub mod executions;
pub mod front;
mod ministack;
mod moto;
mod options;
mod places;
pub mod python_env;
pub mod runtime_api;
pub mod targets;
#[cfg(feature = "bench")]
pub mod tls_endpoint;
pub mod traffic;
mod wait;

use alarms::{AlarmBoard, dispatch, metrics::MetricStore};
use appconfig::AppConfig;
use aws_client::AwsClient;
use backend::{Backend, BackendError};
use codedeploy::CodeDeploy;
use deploy::{DeployError, StackOutputs, StackRequest};
use ecs::Ecs;
use executions::Executions;
use front::{
    BoundFront, Front,
    backends::Backends,
    call::{REHEARSAL_KEY, TRAFFIC_KEY},
    faults::Faults,
    journal::Journal,
};
use ministack::MinistackOptions;
use moto::Moto;
use places::{Place, Places};
use serde_json::json;
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::runtime::{Builder, Handle, Runtime};
use traffic::{
    Traffic, TrafficOptions,
    simulated::{Simulation, SimulationOptions},
};

pub use options::{Options, published_path};
pub use wait::{WaitError, wait_until};

/// Tells a function process how many real milliseconds a minute of a plan lasts. Ministack hands it to every function.
pub const MINUTE_VARIABLE: &str = "RIPCORD_MINUTE_MS";

/// Why the local AWS did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The front could not listen.
    #[error("failed to listen on 127.0.0.1")]
    Listen(#[source] io::Error),
    /// Its threads could not be started.
    #[error("failed to start the rehearsal's threads")]
    Runtime(#[source] io::Error),
    /// Ministack did not come up.
    #[error(transparent)]
    Ministack(#[from] BackendError),
    /// The endpoint could not be published.
    #[error("failed to write {path}")]
    Publish {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The start was cut short.
    #[error("failed to finish the start")]
    Interrupted(#[source] tokio::task::JoinError),
}

/// A running local AWS. Dropping it ends all of it.
#[derive(Debug)]
pub struct LocalAws {
    options: Options,
    front: SocketAddr,
    endpoint: String,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    home: Place,
    places: Arc<Places>,
    action_failures: Arc<dispatch::ActionFailures>,
    published: Option<PathBuf>,
    ministack: Backend,
    moto: Arc<Moto>,
    /// Its own threads, so that a caller's blocking work never holds the local AWS up. Present until the drop.
    runtime: Option<Runtime>,
}

impl LocalAws {
    /// Starts it; everything is up when this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("rehearsal")
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        // Not dropped inside the caller's runtime when the start fails: that would panic.
        match runtime.spawn(Parts::start(options.clone())).await {
            Ok(Ok(parts)) => Self::assemble(options, parts, runtime),
            Ok(Err(error)) => {
                runtime.shutdown_background();
                Err(error)
            }
            Err(error) => {
                runtime.shutdown_background();
                Err(StartError::Interrupted(error))
            }
        }
    }

    fn assemble(options: Options, parts: Parts, runtime: Runtime) -> Result<Self, StartError> {
        let mut aws = Self {
            endpoint: format!("http://{}", parts.front),
            front: parts.front,
            journal: parts.journal,
            faults: parts.faults,
            home: parts.places.home(),
            places: parts.places,
            action_failures: parts.action_failures,
            published: None,
            ministack: parts.ministack,
            moto: parts.moto,
            runtime: Some(runtime),
            options,
        };
        if aws.options.publish {
            aws.published = Some(aws.publish()?);
        }
        Ok(aws)
    }

    fn publish(&self) -> Result<PathBuf, StartError> {
        let path = published_path(&self.options.target);
        let document = json!({
            "endpoint": self.endpoint,
            "pid": std::process::id(),
            "region": self.options.region,
            "account_id": self.options.account_id,
            "minute_ms": self.minute().as_millis(),
        });
        match std::fs::write(&path, document.to_string()) {
            Ok(()) => Ok(path),
            Err(source) => Err(StartError::Publish { path, source }),
        }
    }

    /// The one endpoint for every service.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The account.
    #[must_use]
    pub fn account_id(&self) -> &str {
        &self.options.account_id
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.options.region
    }

    /// How long a minute of a plan, and a CloudWatch period of a minute, lasts here. A function process that ministack does
    /// not start is told with [`MINUTE_VARIABLE`].
    #[must_use]
    pub fn minute(&self) -> Duration {
        self.options.minute()
    }

    /// Every AWS call so far, but for the traffic driver's.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The alarms and their states.
    #[must_use]
    pub fn alarms(&self) -> &AlarmBoard {
        &self.home.alarms
    }

    /// The deployments of CodeDeploy.
    #[must_use]
    pub fn codedeploy(&self) -> &CodeDeploy {
        &self.home.codedeploy
    }

    /// The samples that alarms judge.
    #[must_use]
    pub fn metrics(&self) -> &MetricStore {
        &self.home.metrics
    }

    /// The alarms of another region.
    #[must_use]
    pub fn alarms_in(&self, region: &str) -> Arc<AlarmBoard> {
        self.places.at(&self.options.account_id, region).alarms
    }

    /// The samples of another region.
    #[must_use]
    pub fn metrics_in(&self, region: &str) -> Arc<MetricStore> {
        self.places.at(&self.options.account_id, region).metrics
    }

    /// Actions of alarms and notices of deployments that could not be carried out, in words.
    #[must_use]
    pub fn action_failures(&self) -> Vec<String> {
        self.action_failures.all()
    }

    /// What ministack and the functions printed so far (at most the last mebibyte).
    #[must_use]
    pub fn log(&self) -> String {
        self.ministack.log()
    }

    /// The process group of ministack and every function process.
    #[must_use]
    pub fn process_group_id(&self) -> u32 {
        self.ministack.process_group_id()
    }

    /// The process group of moto, if anything has called what only moto keeps.
    #[must_use]
    pub fn moto_process_group_id(&self) -> Option<u32> {
        self.moto.process_group_id()
    }

    /// The folder that holds everything of this instance; it goes with it.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.ministack.home()
    }

    /// A client that calls under the rehearsal's own name: faults leave it alone.
    #[must_use]
    pub fn client(&self) -> AwsClient {
        self.client_as(REHEARSAL_KEY)
    }

    /// A client that calls under another name, as if it were part of the system under test.
    #[must_use]
    pub fn client_as(&self, access_key_id: &str) -> AwsClient {
        AwsClient::new(self.front, &self.options.region, access_key_id)
    }

    /// Deploys a SAM template and returns the stack's outputs.
    pub async fn deploy(&self, request: StackRequest) -> Result<StackOutputs, DeployError> {
        deploy::deploy(&self.client(), &request).await
    }

    /// The executions of state machines.
    #[must_use]
    pub fn executions(&self) -> Executions {
        Executions::new(self.client())
    }

    /// Starts traffic to an alias; it ends when the returned value is dropped.
    pub fn traffic(&self, options: TrafficOptions) -> Traffic {
        let client = self.client_as(TRAFFIC_KEY);
        Traffic::start(&self.handle(), options, client, Arc::clone(&self.home.metrics))
    }

    /// Starts simulated traffic to an alias; it ends when the returned value is dropped.
    pub fn simulate(&self, options: SimulationOptions) -> Simulation {
        let client = self.client_as(TRAFFIC_KEY);
        Simulation::start(&self.handle(), options, self.minute(), client, Arc::clone(&self.home.metrics))
    }

    fn handle(&self) -> Handle {
        match &self.runtime {
            Some(runtime) => runtime.handle().clone(),
            // Only after the drop has begun, when nobody holds a reference any more.
            None => Handle::current(),
        }
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        if let Some(path) = &self.published {
            // Another rehearsal may have published its own endpoint meanwhile; that one stays.
            let is_ours = std::fs::read_to_string(path).is_ok_and(|text| text.contains(&self.endpoint));
            if is_ours {
                // A leftover names a process that is gone; its readers check that.
                let _ = std::fs::remove_file(path);
            }
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is started on the rehearsal's own threads.
struct Parts {
    front: SocketAddr,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    places: Arc<Places>,
    action_failures: Arc<dispatch::ActionFailures>,
    ministack: Backend,
    moto: Arc<Moto>,
}

impl Parts {
    async fn start(options: Options) -> Result<Self, StartError> {
        let journal = Arc::new(Journal::default());
        let faults = Arc::new(Faults::default());
        let bound = BoundFront::bind().await.map_err(StartError::Listen)?;
        let address = bound.address();
        let action_failures = Arc::new(dispatch::ActionFailures::default());
        let places = Arc::new(Places {
            front: address,
            home: (options.account_id.clone(), options.region.clone()),
            period_scale: options.period_scale,
            codedeploy_scale: options.codedeploy_scale,
            failures: Arc::clone(&action_failures),
            threads: Handle::current(),
            places: Mutex::default(),
        });
        let moto = Arc::new(Moto::new(options.target.join("rehearsal")));
        let backends = Arc::new(Backends::new(Arc::clone(&moto), &options.account_id));
        let front = Arc::new(Front::new(
            Arc::clone(&journal),
            Arc::clone(&faults),
            Arc::clone(&places),
            Arc::clone(&backends),
            Arc::new(Ecs::new(Arc::clone(&backends), Arc::clone(&places), options.codedeploy_scale)),
            Arc::new(AppConfig::new(Arc::clone(&backends), Arc::clone(&places))),
        ));
        tokio::spawn(bound.serve(Arc::clone(&front)));
        let ministack = ministack::start(&MinistackOptions {
            cache: options.target.join("rehearsal"),
            front: address,
            publication: published_path(&options.target),
            account_id: options.account_id.clone(),
            region: options.region.clone(),
            wait_scale: options.wait_scale,
            codedeploy_scale: options.codedeploy_scale,
            minute: options.minute(),
            async_retry_base: options.async_retry_base,
        })
        .await?;
        backends.set_ministack(ministack.address());
        Ok(Self { front: address, journal, faults, places, action_failures, ministack, moto })
    }
}
