//! DORA's four measures, from what the ledger keeps, each with the counts that it rests on.
//!
//! A release counts as a deployment once every candidate had all traffic. One that was put back before that has done what a
//! canary is for: it is no failure in production, and is counted on its own. Nothing here says how good a number is: DORA's
//! clusters describe the answers to one year's survey, change every year, and are no limits.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::names::{Generation, ServiceName, Weight};
use crate::release::{Phase, Release};
use crate::timeline::{Moment, Silent, What, silent};

/// With fewer releases than this a share or a median says more about chance than about a team.
pub const BASIS_MIN: usize = 5;

/// What is known of one service.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Its releases, in any order.
    pub releases: Vec<Release>,
    /// Its moments, in any order and however often: those of its rollbacks, and what AWS said.
    pub moments: Vec<Moment>,
}

/// A stretch of time; what began in it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end, not in it.
    pub until: Timestamp,
}

/// The measures of a service, or of several together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dora {
    /// The stretch of time.
    pub window: Window,
    /// Releases whose candidates had all traffic.
    pub deployments: usize,
    /// The same per day, if there are enough of them.
    pub deployments_per_day: Option<f64>,
    /// From commit to completion, of those whose commit's time is known.
    pub lead_time: Spread,
    /// Of how many completed releases.
    pub lead_time_of: usize,
    /// Deployments that failed: put back, not put back although they should be, or held.
    pub failures: usize,
    /// Their share, if there are enough deployments.
    pub change_failure_rate: Option<f64>,
    /// From the signal to traffic being back, of deployments that failed.
    pub time_to_restore: Spread,
    /// Of how many failures.
    pub time_to_restore_of: usize,
    /// What is counted on its own.
    pub besides: Besides,
}

/// What is no deployment and no failure of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Besides {
    /// Put back, or held, while only a part of the traffic was on the candidate.
    pub stopped_in_canary: usize,
    /// Ended before the candidate had any traffic.
    pub withdrawn: usize,
    /// Not ended.
    pub open: usize,
    /// Put back by AWS by itself, and booked.
    pub taken_back_by_aws: usize,
    /// Put back by AWS by itself, and in no books.
    pub silent: usize,
    /// Put back because a person asked.
    pub asked_for: usize,
}

/// The middle and the far end of some durations, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// Half took no longer; nothing if there are too few.
    pub median_s: Option<f64>,
    /// Nine in ten took no longer.
    pub p90_s: Option<f64>,
}

/// Releases and silent rollbacks that a window holds, and what was found about them.
#[derive(Default)]
struct Tally {
    deployments: usize,
    completed: usize,
    failures: usize,
    lead_times: Vec<SignedDuration>,
    restore_times: Vec<SignedDuration>,
    besides: Besides,
}

/// The measures of these services together.
pub fn dora(records: &BTreeMap<ServiceName, Record>, window: Window) -> Dora {
    let mut tally = Tally::default();
    for record in records.values() {
        tally.count(record, window);
    }
    let days = window.until.duration_since(window.from).as_secs_f64() / 86_400.0;
    let Tally { deployments, completed, failures, lead_times, restore_times, besides } = tally;
    let is_enough = deployments >= BASIS_MIN;
    Dora {
        window,
        deployments,
        deployments_per_day: (is_enough && days > 0.0).then(|| count(deployments) / days),
        lead_time: Spread::of(lead_times),
        lead_time_of: completed,
        failures,
        change_failure_rate: is_enough.then(|| count(failures) / count(deployments)),
        time_to_restore: Spread::of(restore_times),
        time_to_restore_of: failures,
        besides,
    }
}

impl Tally {
    fn count(&mut self, record: &Record, window: Window) {
        let silent = silent(&record.releases, &record.moments);
        let is_inside = |at: Timestamp| window.from <= at && at < window.until;
        // A release may have been read twice; its latest record stands for it.
        let mut releases: BTreeMap<Generation, &Release> = BTreeMap::new();
        for release in &record.releases {
            let known = releases.entry(release.generation).or_insert(release);
            if known.seq < release.seq {
                *known = release;
            }
        }
        for release in releases.values().filter(|release| is_inside(release.opened_at)) {
            self.count_release(release, &silent, &record.moments);
        }
        self.besides.silent += silent.iter().filter(|silent| is_inside(silent.moment.at)).count();
    }

    fn count_release(&mut self, release: &Release, silent: &[Silent], moments: &[Moment]) {
        let was_deployed = had_all_traffic(release);
        let went_silently = silent.iter().any(|silent| silent.generation == Some(release.generation));
        match release.phase {
            Phase::Shifting => self.besides.open += 1,
            Phase::Withdrawn => self.besides.withdrawn += 1,
            Phase::Complete => {
                self.deployments += 1;
                self.completed += 1;
                self.failures += usize::from(went_silently);
                // A commit that claims to be from after its release is a mistake.
                let lead = release.lead_time().filter(|lead| *lead >= SignedDuration::ZERO);
                self.lead_times.extend(lead);
            }
            Phase::RolledBack | Phase::RollbackFailed | Phase::Held if was_deployed => {
                self.deployments += 1;
                self.failures += 1;
                self.restore_times.extend(restore_time(release, moments));
            }
            Phase::RolledBack | Phase::RollbackFailed | Phase::Held => self.besides.stopped_in_canary += 1,
        }
        if let (Phase::RolledBack, Some(cord)) = (release.phase, &release.cord) {
            self.besides.taken_back_by_aws += usize::from(cord.by.is_aws_itself());
            self.besides.asked_for += usize::from(!cord.automatic);
        }
    }
}

/// Whether every candidate had all traffic, as last confirmed before whatever came then.
pub fn had_all_traffic(release: &Release) -> bool {
    !release.changes.is_empty() && release.changes.iter().all(|change| change.weight == Weight::ALL)
}

/// From the signal to traffic being back; nothing if it is not, or if nobody saw how long AWS took.
pub fn restore_time(release: &Release, moments: &[Moment]) -> Option<SignedDuration> {
    let cord = release.cord.as_ref().filter(|cord| cord.by.is_answered_here())?;
    if release.phase != Phase::RolledBack {
        return None;
    }
    let is_back = |moment: &&Moment| {
        let is_of_it = moment.write.is_some_and(|write| write.generation == release.generation);
        is_of_it && matches!(moment.what, What::Phase { phase: Phase::RolledBack, .. })
    };
    // The record says when going back was decided; the moment of its write, when that was done.
    let back_at = moments.iter().filter(is_back).map(|moment| moment.at).min().or(release.ended_at)?;
    Some(back_at.duration_since(cord.at).max(SignedDuration::ZERO))
}

impl Spread {
    fn of(mut durations: Vec<SignedDuration>) -> Self {
        durations.sort_unstable();
        // The nearest rank: a duration that was really taken.
        let at = |percent: usize| {
            let rank = (durations.len() * percent).div_ceil(100);
            durations.get(rank.saturating_sub(1)).map(SignedDuration::as_secs_f64)
        };
        let is_enough = durations.len() >= BASIS_MIN;
        Self {
            count: durations.len(),
            median_s: at(50).filter(|_| is_enough),
            p90_s: at(90).filter(|_| is_enough),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer releases than 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}
