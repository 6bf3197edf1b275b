//! Simulated releases, and the minutes that CloudWatch would show of them.
//!
//! A minute depends on the release, its index and the stage in force, and on nothing else: judges that are in the same stage at
//! the same time see the same data.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use ripcord::judge::{Counts, LatencyLimit, Minute, StageLimits, requests_to_prove};
use ripcord::names::Weight;

use crate::draw::{binomial, normal, one_of};

/// Data of a minute can be read so many minutes after it has ended.
const DELAY_MINUTES: u64 = 1;

/// A late minute arrives so many minutes later than others.
const LATE_MINUTES: u64 = 3;

/// Nobody watches a stage for longer, however little traffic there is.
const BAKE_MINUTES_MAX: u64 = 30;

/// One release with everything that happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    seed: u64,
    /// What becomes of the candidate.
    pub(crate) kind: Kind,
    /// The candidate's percentage in each stage.
    pub(crate) percents: &'static [u32],
    /// How long each stage is watched.
    pub(crate) bake_minutes: u64,
    /// What it must keep to.
    pub(crate) limits: StageLimits,
    /// Whether the first stage sees enough requests to prove its limits, as the preflight would say.
    pub(crate) is_provable: bool,
    /// Requests to both versions in a minute.
    per_minute: f64,
    /// What goes wrong without the candidate's fault.
    pub(crate) base: Rates,
    /// What goes wrong with the candidate once it is at fault.
    pub(crate) bad: Rates,
    /// When it begins to be.
    begins: Begin,
    /// By how much everything that goes wrong has grown after an hour, in both versions.
    drift: f64,
    /// The share of minutes in which a dependency hiccups, for both versions alike.
    hiccups: f64,
    late: f64,
    lost: f64,
}

/// Shares of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    pub(crate) errors: f64,
    pub(crate) slow: f64,
}

#[derive(Clone, Copy, Debug)]
enum Begin {
    Minute(u64),
    Stage(usize),
}

/// The requests that a healthy candidate needs in a stage, with half as many again, because half of all candidates have worse
/// luck than expected.
fn needed_to_prove(base: Rates, error_rate_max: f64, slow_rate_max: f64) -> f64 {
    let errors = requests_to_prove(error_rate_max, base.errors);
    let slow = requests_to_prove(slow_rate_max, base.slow);
    errors.max(slow).map_or(f64::INFINITY, |requests| requests as f64 * 1.5)
}

/// Which kind of release to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The candidate is as good as the stable version, and both keep to the limits.
    Healthy,
    /// The candidate fails more often.
    Errors,
    /// The candidate is slow more often.
    Latency,
}

impl Release {
    /// Draws a release.
    pub(crate) fn draw(kind: Kind, number: u64) -> Self {
        let seed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((kind as u64) << 56);
        let rng = &mut Rng::with_seed(seed);
        let (errors, error_rate_max) =
            one_of(rng, &[(0.001, 0.01), (0.002, 0.01), (0.005, 0.02), (0.01, 0.03), (0.02, 0.05)]);
        let slow_rate_max = 0.05;
        let base = Rates { errors, slow: one_of(rng, &[0.005, 0.01, 0.02]) };
        let per_minute = one_of(rng, &[10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0]);
        let percents: &'static [u32] = one_of(rng, &[&[5, 25, 50], &[10, 50], &[1, 10, 25, 50], &[25, 50]]);
        let needed = needed_to_prove(base, error_rate_max, slow_rate_max);
        let first_minutes = needed / (per_minute * f64::from(percents[0]) / 100.0);
        let bake_minutes = (first_minutes.ceil() as u64).clamp(one_of(rng, &[5, 10, 15]), BAKE_MINUTES_MAX);
        let times = one_of(rng, &[2.0, 3.0, 5.0, 10.0, 20.0]);
        let bad = match kind {
            Kind::Healthy => base,
            Kind::Errors => Rates { errors: base.errors * times, ..base },
            Kind::Latency => Rates { slow: (base.slow * times).min(0.5), ..base },
        };
        let begins = match rng.u32(..20) {
            0..12 => Begin::Minute(0),
            12..17 => Begin::Stage(rng.usize(1..percents.len())),
            _ => Begin::Minute(rng.u64(1..percents.len() as u64 * bake_minutes)),
        };
        let unruly = |rng: &mut Rng, chance: f64, value: f64| if rng.f64() < chance { value } else { 0.0 };
        Self {
            seed,
            kind,
            percents,
            bake_minutes,
            limits: StageLimits {
                error_rate_max,
                latency: Some(LatencyLimit { latency_ms_max: 500, slow_rate_max }),
            },
            per_minute,
            is_provable: first_minutes <= bake_minutes as f64,
            base,
            bad,
            begins,
            drift: unruly(rng, 0.5, 1.0),
            hiccups: unruly(rng, 0.2, 0.1),
            late: unruly(rng, 0.2, 0.1),
            lost: unruly(rng, 0.1, 0.05),
        }
    }

    /// Whether it is a regression of two points of errors or more.
    pub(crate) fn is_large(&self) -> bool {
        self.bad.errors - self.base.errors >= 0.02 - 1e-12
    }

    /// The candidate's requests in a minute of its first stage at fault.
    pub(crate) fn candidate_per_minute(&self) -> f64 {
        let stage = match self.begins {
            Begin::Minute(minute) => (minute / self.bake_minutes) as usize,
            Begin::Stage(stage) => stage,
        };
        self.per_minute * f64::from(self.percents[stage.min(self.percents.len() - 1)]) / 100.0
    }

    /// Whether the candidate is at fault.
    pub(crate) fn is_at_fault(&self, index: u64, stage: usize) -> bool {
        self.bad != self.base
            && match self.begins {
                Begin::Minute(begin) => index >= begin,
                Begin::Stage(begin) => stage >= begin,
            }
    }

    /// What happens in the minute of this index.
    pub(crate) fn minute(&self, index: u64, stage: usize) -> Simulated {
        let rng = &mut Rng::with_seed(self.seed ^ (index << 8) ^ stage as u64);
        // The first numbers of neighbouring seeds resemble each other.
        rng.u64(..);
        let percent = self.percents[stage];
        let daily = 1.0 + 0.3 * (std::f64::consts::TAU * (index as f64 / 1_440.0 + self.seed as f64)).sin();
        let requests = (self.per_minute * daily * (0.15 * normal(rng)).exp() + rng.f64()) as u64;
        let to_candidate = binomial(rng, requests, f64::from(percent) / 100.0);
        let hiccup = if rng.f64() < self.hiccups { 3.0 } else { 1.0 };
        let worse = (1.0 + self.drift * index as f64 / 60.0) * hiccup;
        // Both versions keep to the limits as long as the candidate is not at fault: else putting it back would be right.
        let slow_rate_max = self.limits.latency.map_or(1.0, |limit| limit.slow_rate_max);
        let worse = worse
            .min(0.9 * self.limits.error_rate_max / self.base.errors)
            .min(0.9 * slow_rate_max / self.base.slow)
            .max(1.0);
        let rates = if self.is_at_fault(index, stage) { self.bad } else { self.base };
        let mut answer = |requests: u64, rates: Rates| Counts {
            requests,
            errors: binomial(rng, requests, (rates.errors * worse).min(0.95)),
            timed: requests,
            slow: binomial(rng, requests, (rates.slow * worse).min(0.95)),
        };
        let candidate = answer(to_candidate, rates);
        let stable = answer(requests - to_candidate, self.base);
        let arrival = if rng.f64() < self.lost {
            None
        } else {
            let late = if rng.f64() < self.late { LATE_MINUTES } else { 0 };
            Some(index + 1 + DELAY_MINUTES + late)
        };
        let minute = Minute {
            start: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(index as i64),
            stage,
            weight: Weight::from_percent(percent),
            candidate,
            stable: Some(stable),
        };
        Simulated { index, minute, arrival }
    }

    /// Whether minutes can arrive out of order.
    pub(crate) fn has_late_minutes(&self) -> bool {
        self.late > 0.0
    }
}

/// A minute, and when it can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulated {
    /// Its number since the release began.
    pub(crate) index: u64,
    /// What can be read of it.
    pub(crate) minute: Minute,
    /// From when on it can be read; lost minutes never can.
    pub(crate) arrival: Option<u64>,
}
