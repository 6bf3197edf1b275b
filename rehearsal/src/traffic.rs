//! The traffic driver: invokes an alias by its weights, because ministack does not, and publishes the metrics that
//! Lambda would. It stands for the users; it must not touch the alias. `simulated` does without invocations, for rates
//! that a small machine cannot serve.

mod routing;
pub mod simulated;

use crate::{
    alarms::{definition::MetricId, metrics::MetricStore},
    aws_client::{AwsClient, AwsRequest},
    front::journal::AliasRouting,
};
use jiff::Timestamp;
use routing::{Route, choose};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
    time::MissedTickBehavior,
};

/// What to send, and where.
#[derive(Debug, Clone)]
pub struct TrafficOptions {
    /// The function.
    pub function: String,
    /// The alias whose weights are followed.
    pub alias: String,
    /// Requests started per second.
    pub rate_per_s: f64,
    /// Requests in flight at once; those past it are counted as skipped.
    pub concurrency_max: usize,
    /// The event that every request carries.
    pub payload: Value,
    /// Seeds the choice of version, so that a run can be repeated.
    pub seed: u64,
}

impl TrafficOptions {
    /// Twenty requests a second with an empty event.
    pub fn new(function: impl Into<String>, alias: impl Into<String>) -> Self {
        Self {
            function: function.into(),
            alias: alias.into(),
            rate_per_s: 20.0,
            concurrency_max: 16,
            payload: Value::Object(serde_json::Map::new()),
            seed: 1,
        }
    }
}

/// What one version has answered so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct VersionCounts {
    /// Requests that ran.
    pub invocations: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Requests that Lambda turned away; in neither of the other counts.
    pub throttles: u64,
}

/// A snapshot of the driver.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TrafficCounts {
    /// By version.
    pub versions: BTreeMap<String, VersionCounts>,
    /// Requests not sent because too many were in flight.
    pub skipped: u64,
    /// Requests that got no answer from the local AWS at all.
    pub unanswered: u64,
    /// The routing that the driver follows at present.
    pub routing: Option<AliasRouting>,
}

/// Running traffic. Dropping it ends it.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    options: TrafficOptions,
    route: Route,
    client: AwsClient,
    metrics: Arc<MetricStore>,
    counts: Counts,
}

/// The counts, shared by whoever drives and whoever looks.
#[derive(Debug, Clone, Default)]
struct Counts(Arc<Mutex<TrafficCounts>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, TrafficCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    pub(crate) fn start(
        runtime: &Handle,
        options: TrafficOptions,
        client: AwsClient,
        metrics: Arc<MetricStore>,
    ) -> Self {
        let route = Route::new(&options.function, &options.alias);
        let shared = Arc::new(Shared { options, route, client, metrics, counts: Counts::default() });
        let task = runtime.spawn(drive(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> TrafficCounts {
        self.shared.counts.lock().clone()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn drive(shared: Arc<Shared>) -> Infallible {
    let options = &shared.options;
    let mut random = fastrand::Rng::with_seed(options.seed);
    let permits = Arc::new(Semaphore::new(options.concurrency_max));
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / options.rate_per_s.max(0.001)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut tasks = JoinSet::new();
    tasks.spawn(shared.route.clone().follow(shared.client.clone(), shared.counts.clone()));
    // Unbounded on purpose: it ends when the `Traffic` is dropped, and every request with it.
    loop {
        ticks.tick().await;
        while tasks.try_join_next().is_some() {}
        let Some(routing) = shared.counts.lock().routing.clone() else { continue };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            shared.counts.lock().skipped += 1;
            continue;
        };
        let version = choose(&routing, random.f64()).to_owned();
        let is_weighted = !routing.weights.is_empty();
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            shared.request(&version, is_weighted).await;
            drop(permit);
        });
    }
}

impl Shared {
    async fn request(&self, version: &str, is_weighted: bool) {
        let path = format!("/2015-03-31/functions/{}/invocations?Qualifier={version}", self.options.function);
        let started = Instant::now();
        // Lambda's metrics carry the time at which the invocation began.
        let time = Timestamp::now();
        let body = self.options.payload.to_string().into();
        let headers = [("content-type", "application/json")];
        let request = AwsRequest { service: "lambda", method: "POST", path: &path, headers: &headers, body };
        let Ok(answer) = self.client.send(request).await else {
            self.counts.lock().unanswered += 1;
            return;
        };
        let duration_ms = started.elapsed().as_secs_f64() * 1_000.0;
        let throttled = answer.status == 429;
        let failed = answer.function_error || answer.status.is_server_error();
        if !throttled && !failed && !answer.status.is_success() {
            // Lambda refused the request itself, so no version ran.
            self.counts.lock().unanswered += 1;
            return;
        }
        {
            let mut counts = self.counts.lock();
            let counts = counts.versions.entry(version.to_owned()).or_default();
            counts.throttles += u64::from(throttled);
            counts.invocations += u64::from(!throttled);
            counts.errors += u64::from(failed && !throttled);
        }
        let flag = |holds: bool| if holds { 1.0 } else { 0.0 };
        for dimensions in self.route.dimension_sets(version, is_weighted) {
            let publish = |name: &str, value: f64| {
                self.metrics.publish(&MetricId::new("AWS/Lambda", name, &dimensions), time, value);
            };
            publish("Throttles", flag(throttled));
            if !throttled {
                publish("Invocations", 1.0);
                publish("Errors", flag(failed));
                publish("Duration", duration_ms);
            }
        }
    }
}
