//! The traffic driver: invokes an alias by its weights, because ministack does not, and publishes the metrics that
//! Lambda would. It stands for the users; it must not touch the alias.

use crate::{
    alarms::{definition::MetricId, metrics::MetricStore},
    aws_client::{AwsClient, AwsRequest},
    front::journal::AliasRouting,
};
use jiff::Timestamp;
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

/// How soon the driver follows a changed alias; Lambda itself takes about as long.
const ROUTING_EVERY: Duration = Duration::from_millis(50);

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
    /// `function:alias`, as the metrics' `Resource` dimension has it.
    resource: String,
    client: AwsClient,
    metrics: Arc<MetricStore>,
    counts: Mutex<TrafficCounts>,
}

impl Traffic {
    pub(crate) fn start(
        runtime: &Handle,
        options: TrafficOptions,
        client: AwsClient,
        metrics: Arc<MetricStore>,
    ) -> Self {
        let resource = format!("{}:{}", options.function, options.alias);
        let shared = Arc::new(Shared { options, resource, client, metrics, counts: Mutex::default() });
        let task = runtime.spawn(drive(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> TrafficCounts {
        self.shared.lock().clone()
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
    tasks.spawn(follow(Arc::clone(&shared)));
    // Unbounded on purpose: it ends when the `Traffic` is dropped, and every request with it.
    loop {
        ticks.tick().await;
        while tasks.try_join_next().is_some() {}
        let Some(routing) = shared.lock().routing.clone() else { continue };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            shared.lock().skipped += 1;
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

async fn follow(shared: Arc<Shared>) {
    let path = format!("/2015-03-31/functions/{}/aliases/{}", shared.options.function, shared.options.alias);
    // Unbounded on purpose: it ends with the driver.
    loop {
        if let Ok(answer) = shared.client.lambda("GET", &path, &Value::Null).await
            && let Ok(alias) = serde_json::from_slice::<Value>(&answer.body)
            && let Some(routing) = AliasRouting::of(&alias)
        {
            shared.lock().routing = Some(routing);
        }
        tokio::time::sleep(ROUTING_EVERY).await;
    }
}

/// `point` is uniform from 0 to 1: the additional versions take their shares, the primary the rest.
fn choose(routing: &AliasRouting, point: f64) -> &str {
    let mut upto = 0.0;
    for (version, weight) in &routing.weights {
        upto += weight;
        if point < upto {
            return version;
        }
    }
    &routing.version
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
            self.lock().unanswered += 1;
            return;
        };
        let duration_ms = started.elapsed().as_secs_f64() * 1_000.0;
        let throttled = answer.status == 429;
        let failed = answer.function_error || answer.status.is_server_error();
        if !throttled && !failed && !answer.status.is_success() {
            // Lambda refused the request itself, so no version ran.
            self.lock().unanswered += 1;
            return;
        }
        {
            let mut counts = self.lock();
            let counts = counts.versions.entry(version.to_owned()).or_default();
            counts.throttles += u64::from(throttled);
            counts.invocations += u64::from(!throttled);
            counts.errors += u64::from(failed && !throttled);
        }
        let flag = |holds: bool| if holds { 1.0 } else { 0.0 };
        for dimensions in self.dimension_sets(version, is_weighted) {
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

    /// By function, by alias, and by version only while the alias is weighted: Lambda emits no `ExecutedVersion`
    /// otherwise.
    fn dimension_sets<'a>(&'a self, version: &'a str, is_weighted: bool) -> Vec<Vec<(&'a str, &'a str)>> {
        let function = ("FunctionName", self.options.function.as_str());
        let resource = ("Resource", self.resource.as_str());
        let mut sets = vec![vec![function], vec![function, resource]];
        if is_weighted {
            sets.push(vec![function, resource, ("ExecutedVersion", version)]);
        }
        sets
    }

    fn lock(&self) -> MutexGuard<'_, TrafficCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_chosen_by_their_weights() {
        let routing =
            AliasRouting { version: "1".to_owned(), weights: BTreeMap::from([("2".to_owned(), 0.1)]) };
        assert_eq!(choose(&routing, 0.0), "2");
        assert_eq!(choose(&routing, 0.099), "2");
        assert_eq!(choose(&routing, 0.1), "1");
        assert_eq!(choose(&routing, 0.999), "1");
        let mut random = fastrand::Rng::with_seed(7);
        let second = (0..10_000).filter(|_| choose(&routing, random.f64()) == "2").count();
        assert!((900..=1_100).contains(&second), "{second} of 10,000");
    }
}
