//! Simulated traffic: requests that nobody serves. Version and outcome of each are drawn by a seeded generator, and their
//! metrics are those that Lambda would publish. It follows the alias as the real driver does, and like it stands for the
//! users; it must not touch the alias, and it invokes nothing.

use super::{Counts, TrafficCounts, VersionCounts, routing::Route, routing::choose};
use crate::{
    alarms::{
        definition::MetricId,
        metrics::{MetricStore, Sample},
    },
    aws_client::AwsClient,
    front::journal::AliasRouting,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    f64::consts::TAU,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
    time::MissedTickBehavior,
};

/// The requests of one tick are published together, with its time.
const TICK_EVERY: Duration = Duration::from_millis(50);

/// How a version answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulatedBehaviour {
    /// The share of requests that fail, 0 to 1.
    pub error_rate: f64,
    /// The share of requests that Lambda turns away, 0 to 1; they count as neither invocations nor errors.
    pub throttle_rate: f64,
    /// The median of the durations, which are log-normal and rounded to whole milliseconds.
    pub latency_ms: f64,
    /// The standard deviation of the durations' natural logarithm: at 0.2, nineteen in twenty lie within 1.5 times the
    /// median. At 0, every duration is the median.
    pub latency_spread: f64,
    /// The share of requests in the slow tail, 0 to 1.
    pub slow_rate: f64,
    /// The median of the durations in the slow tail.
    pub slow_ms: f64,
    /// When it goes bad, in real time from its first request; never when absent.
    pub failing_from: Option<Duration>,
    /// The share of requests that fail from then on.
    pub failing_rate: f64,
}

impl Default for SimulatedBehaviour {
    /// Healthy: no errors, 20 ms.
    fn default() -> Self {
        Self {
            error_rate: 0.0,
            throttle_rate: 0.0,
            latency_ms: 20.0,
            latency_spread: 0.2,
            slow_rate: 0.0,
            slow_ms: 1_000.0,
            failing_from: None,
            failing_rate: 1.0,
        }
    }
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct SimulationOptions {
    /// The function.
    pub function: String,
    /// The alias whose weights are followed.
    pub alias: String,
    /// Requests in a minute of a plan, which may last a second here. At 0 there is no traffic and no datapoint.
    pub requests_per_minute: f64,
    /// By version; one that is not named is healthy.
    pub versions: BTreeMap<String, SimulatedBehaviour>,
    /// How long after their timestamps (in real time) the metrics of this traffic are published.
    pub published_after: Duration,
    /// Seeds every draw. The draws repeat; how many fall into a tick depends on the machine.
    pub seed: u64,
}

impl SimulationOptions {
    /// Three thousand healthy requests a minute.
    pub fn new(function: impl Into<String>, alias: impl Into<String>) -> Self {
        Self {
            function: function.into(),
            alias: alias.into(),
            requests_per_minute: 3_000.0,
            versions: BTreeMap::new(),
            published_after: Duration::ZERO,
            seed: 1,
        }
    }

    /// Says how a version answers.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>, behaviour: SimulatedBehaviour) -> Self {
        self.versions.insert(version.into(), behaviour);
        self
    }
}

/// Running simulated traffic. Dropping it ends it; what is not published by then never is.
#[derive(Debug)]
pub struct Simulation {
    options: Arc<Mutex<SimulationOptions>>,
    counts: Counts,
    task: AbortHandle,
}

impl Simulation {
    pub(crate) fn start(
        runtime: &Handle,
        options: SimulationOptions,
        minute: Duration,
        client: AwsClient,
        metrics: Arc<MetricStore>,
    ) -> Self {
        let counts = Counts::default();
        let route = Route::new(&options.function, &options.alias);
        let random = fastrand::Rng::with_seed(options.seed);
        let options = Arc::new(Mutex::new(options));
        let driver = Driver {
            options: Arc::clone(&options),
            counts: counts.clone(),
            route,
            minute,
            metrics,
            random,
            first_requests: BTreeMap::new(),
            unpublished: VecDeque::new(),
        };
        let task = runtime.spawn(driver.drive(client)).abort_handle();
        Self { options, counts, task }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> TrafficCounts {
        self.counts.lock().clone()
    }

    /// Changes rate, behaviours or lateness from the next tick on. Function, alias and seed stay.
    pub fn change(&self, change: impl FnOnce(&mut SimulationOptions)) {
        change(&mut locked(&self.options));
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(options: &Mutex<SimulationOptions>) -> MutexGuard<'_, SimulationOptions> {
    options.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Driver {
    options: Arc<Mutex<SimulationOptions>>,
    counts: Counts,
    route: Route,
    minute: Duration,
    metrics: Arc<MetricStore>,
    random: fastrand::Rng,
    /// When each version got its first request.
    first_requests: BTreeMap<String, Instant>,
    unpublished: VecDeque<(Instant, Vec<(MetricId, Sample)>)>,
}

/// What one version did in one tick.
#[derive(Debug, Default)]
struct Tally {
    counts: VersionCounts,
    /// How many requests took so many milliseconds.
    durations: BTreeMap<u32, u32>,
}

impl Driver {
    async fn drive(mut self, client: AwsClient) -> Infallible {
        let mut following = JoinSet::new();
        following.spawn(self.route.clone().follow(client, self.counts.clone()));
        let mut ticks = tokio::time::interval(TICK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last, mut owed) = (Instant::now(), 0.0);
        // Unbounded on purpose: it ends when the `Simulation` is dropped.
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let options = locked(&self.options).clone();
            let routing = self.counts.lock().routing.clone();
            if let Some(routing) = routing {
                // What does not make a whole request yet is owed to the next tick.
                let minutes = (now - last).as_secs_f64() / self.minute.as_secs_f64();
                owed += options.requests_per_minute.max(0.0) * minutes;
                let samples = self.tick(&options, &routing, owed.floor() as u64, now);
                owed = owed.fract();
                self.unpublished.push_back((now + options.published_after, samples));
            }
            last = now;
            while let Some((_, samples)) = self.unpublished.pop_front_if(|(due, _)| *due <= now) {
                self.metrics.add_all(samples);
            }
        }
    }

    fn tick(
        &mut self,
        options: &SimulationOptions,
        routing: &AliasRouting,
        requests: u64,
        now: Instant,
    ) -> Vec<(MetricId, Sample)> {
        let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
        for _ in 0..requests {
            let version = choose(routing, self.random.f64());
            let behaviour = options.versions.get(version).copied().unwrap_or_default();
            let first = match self.first_requests.get(version) {
                Some(first) => *first,
                None => *self.first_requests.entry(version.to_owned()).or_insert(now),
            };
            let outcome = behaviour.outcome(now - first, &mut self.random);
            tallies.entry(version).or_default().add(outcome);
        }
        let is_weighted = !routing.weights.is_empty();
        let time_ms = Timestamp::now().as_millisecond();
        let mut samples = Vec::new();
        let mut counts = self.counts.lock();
        for (version, tally) in tallies {
            counts.versions.entry(version.to_owned()).or_default().add(tally.counts);
            for dimensions in self.route.dimension_sets(version, is_weighted) {
                let id = |name: &str| MetricId::new("AWS/Lambda", name, &dimensions);
                let all = tally.samples(time_ms);
                samples.extend(all.into_iter().map(|(name, sample)| (id(name), sample)));
            }
        }
        samples
    }
}

enum Outcome {
    Throttled,
    Ran { is_error: bool, duration_ms: u32 },
}

impl SimulatedBehaviour {
    fn outcome(&self, age: Duration, random: &mut fastrand::Rng) -> Outcome {
        if random.f64() < self.throttle_rate {
            return Outcome::Throttled;
        }
        let is_failing = self.failing_from.is_some_and(|from| age >= from);
        let is_error = random.f64() < if is_failing { self.failing_rate } else { self.error_rate };
        let median_ms = if random.f64() < self.slow_rate { self.slow_ms } else { self.latency_ms };
        // Two uniform numbers make a normal one (Box and Muller); the first must not be zero.
        let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (TAU * random.f64()).cos();
        let duration_ms = (median_ms * (self.latency_spread * normal).exp()).round() as u32;
        Outcome::Ran { is_error, duration_ms }
    }
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Throttled => self.counts.throttles += 1,
            Outcome::Ran { is_error, duration_ms } => {
                self.counts.invocations += 1;
                self.counts.errors += u64::from(is_error);
                *self.durations.entry(duration_ms).or_default() += 1;
            }
        }
    }

    /// As many samples as Lambda would publish, with equal ones put together. A metric of flags has its zeros too.
    fn samples(&self, time_ms: i64) -> Vec<(&'static str, Sample)> {
        let VersionCounts { invocations, errors, throttles } = self.counts;
        let mut samples = Vec::new();
        let mut add = |name: &'static str, value: f64, count: u64| {
            if count > 0 {
                samples.push((name, Sample::of(time_ms, value, count as f64)));
            }
        };
        add("Invocations", 1.0, invocations);
        add("Errors", 1.0, errors);
        add("Errors", 0.0, invocations - errors);
        add("Throttles", 1.0, throttles);
        add("Throttles", 0.0, invocations);
        for (duration_ms, count) in &self.durations {
            add("Duration", f64::from(*duration_ms), u64::from(*count));
        }
        samples
    }
}

impl VersionCounts {
    fn add(&mut self, more: Self) {
        self.invocations += more.invocations;
        self.errors += more.errors;
        self.throttles += more.throttles;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: u32 = 20_000;

    fn tally(behaviour: SimulatedBehaviour, age: Duration) -> Tally {
        let mut random = fastrand::Rng::with_seed(7);
        let mut tally = Tally::default();
        (0..REQUESTS).for_each(|_| tally.add(behaviour.outcome(age, &mut random)));
        tally
    }

    /// Within five standard deviations of a proportion: a wrong rate is far outside, and a right one practically never.
    #[track_caller]
    fn assert_rate(count: u64, of: u64, rate: f64) {
        let (seen, n) = (count as f64 / of as f64, of as f64);
        let room = 5.0 * (rate * (1.0 - rate) / n).sqrt() + 1.0 / n;
        assert!((seen - rate).abs() <= room, "{seen:.4} is not {rate} within {room:.4}");
    }

    #[test]
    fn outcomes_have_their_rates() {
        let behaviour = SimulatedBehaviour {
            error_rate: 0.03,
            throttle_rate: 0.2,
            slow_rate: 0.1,
            ..SimulatedBehaviour::default()
        };
        let tally = tally(behaviour, Duration::ZERO);
        let VersionCounts { invocations, errors, throttles } = tally.counts;
        assert_eq!(invocations + throttles, u64::from(REQUESTS));
        assert_rate(throttles, u64::from(REQUESTS), 0.2);
        assert_rate(errors, invocations, 0.03);
        let over =
            |limit_ms| tally.durations.range(limit_ms..).map(|(_, count)| u64::from(*count)).sum::<u64>();
        // Tail and body are far apart, and half of the body lies above its median of 20 ms.
        assert_rate(over(200), invocations, 0.1);
        assert_rate(over(1_000), invocations, 0.05);
        assert_eq!(tally.durations.values().map(|count| u64::from(*count)).sum::<u64>(), invocations);
    }

    #[test]
    fn a_spread_of_nothing_is_the_median() {
        let exact = SimulatedBehaviour { latency_spread: 0.0, ..SimulatedBehaviour::default() };
        assert_eq!(tally(exact, Duration::ZERO).durations, BTreeMap::from([(20, REQUESTS)]));
    }

    #[test]
    fn a_version_goes_bad_at_its_moment_and_no_sooner() {
        let from = Duration::from_secs(3);
        let late = SimulatedBehaviour { failing_from: Some(from), ..SimulatedBehaviour::default() };
        assert_eq!(tally(late, from - Duration::from_millis(1)).counts.errors, 0);
        assert_eq!(tally(late, from).counts.errors, u64::from(REQUESTS));
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let behaviour =
            SimulatedBehaviour { error_rate: 0.5, slow_rate: 0.5, ..SimulatedBehaviour::default() };
        let [one, other] = [tally(behaviour, Duration::ZERO), tally(behaviour, Duration::ZERO)];
        assert_eq!((one.counts, one.durations), (other.counts, other.durations));
    }
}
