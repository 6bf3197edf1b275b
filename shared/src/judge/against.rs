//! The case against the candidate in one metric, over the whole release: against the limit, and against the stable version.

use super::finding::{Evidence, Finding};
use super::judgement::{Metric, Tally};
use super::likelihood::{ln_odds_ratio, ln_rate_ratio, usable_limit, with_odds_multiplied};
use super::observations::{Counts, Minute, StageLimits};
use super::wealth::{BETS, Stakes, Wealth, ln_add};

/// The share of a minute's stake that is bet on the candidate's being worse than the stable version, where there is one to
/// compare with; the rest is bet on its exceeding the limit. The choice may depend on requests, but never on bad ones.
const ON_WORSE_THAN_STABLE: f64 = 0.8;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Errors,
    Slow,
}

impl Counted {
    /// What the counts say about it.
    pub(super) fn of(self, counts: &Counts) -> Tally {
        match self {
            Self::Errors => Tally { bad: counts.errors, requests: counts.requests },
            Self::Slow => Tally { bad: counts.slow, requests: counts.timed },
        }
    }

    /// The metric and its limit in a stage, if the stage has one.
    pub(super) fn limit(self, stage: &StageLimits) -> Option<(Metric, f64)> {
        match self {
            Self::Errors => Some((Metric::Errors, stage.error_rate_max)),
            Self::Slow => stage
                .latency
                .map(|limit| (Metric::Slow { latency_ms_max: limit.latency_ms_max }, limit.slow_rate_max)),
        }
    }
}

/// How strong the case is, and what it says if it is strong enough.
pub(super) struct Case {
    /// What it has come to; if it was ever strong enough, what it was then.
    pub(super) evidence: Evidence,
    /// What fails the candidate.
    pub(super) finding: Option<Finding>,
}

/// Hears the case, minute by minute, until it is strong enough.
///
/// It ends there and not at the last minute, so that the outcome does not depend on when somebody looks. `minutes` are in
/// order, and all their stages have limits.
pub(super) fn hear(counted: Counted, minutes: &[&Minute], stages: &[StageLimits], alpha: f64) -> Case {
    let ln_enough = -alpha.ln();
    let mut stakes = Stakes::new(stages.len());
    let mut over_limit = Wealth::new(BETS);
    let mut worse = Wealth::new(BETS);
    let mut evidence = Evidence { ln_wealth: 0.0, ln_enough };
    for (index, minute) in minutes.iter().enumerate() {
        let Some((metric, limit)) = stages.get(minute.stage).and_then(|stage| counted.limit(stage)) else {
            continue;
        };
        let stake = stakes.next(minute.stage, elapsed_minutes(minutes, minute));
        let candidate = counted.of(&minute.candidate);
        let stable =
            minute.stable.as_ref().map(|counts| counted.of(counts)).filter(|tally| tally.requests > 0);
        let on_worse = if stable.is_some() { ON_WORSE_THAN_STABLE } else { 0.0 };
        let usable = usable_limit(limit);
        over_limit.play(index, stake * (1.0 - on_worse), |factor| {
            ln_rate_ratio(candidate, with_odds_multiplied(usable, factor), usable)
        });
        worse.play(index, stake * on_worse, |factor| {
            stable.map_or(0.0, |stable| ln_odds_ratio(candidate, stable, factor))
        });
        let (ln_worse, ln_over) = (worse.ln(), over_limit.ln());
        evidence.ln_wealth = ln_add(stakes.ln_waiting(), ln_add(ln_worse, ln_over));
        if evidence.is_enough() {
            let since = if ln_worse > ln_over { worse.fault_begins() } else { over_limit.fault_begins() };
            let fault = minutes.get(since..=index).unwrap_or_default();
            let sums = sum(counted, fault.iter().copied());
            let since = fault.first().map_or(minute.start, |first| first.start);
            let finding = match sums.stable {
                Some(stable) if ln_worse > ln_over => {
                    Finding::WorseThanStable { metric, candidate: sums.candidate, stable, since, evidence }
                }
                Some(_) | None => {
                    Finding::OverLimit { metric, candidate: sums.candidate, limit, since, evidence }
                }
            };
            return Case { evidence, finding: Some(finding) };
        }
    }
    Case { evidence, finding: None }
}

/// How long after the release's first minute.
pub(super) fn elapsed_minutes(minutes: &[&Minute], minute: &Minute) -> f64 {
    minutes.first().map_or(0.0, |first| minute.start.duration_since(first.start).as_secs_f64() / 60.0)
}

/// The bad requests of several minutes.
pub(super) struct Sums {
    pub(super) candidate: Tally,
    /// Of those minutes in which the stable version has counts.
    pub(super) stable: Option<Tally>,
}

/// Adds up minutes.
pub(super) fn sum<'a>(counted: Counted, minutes: impl IntoIterator<Item = &'a Minute>) -> Sums {
    let mut sums = Sums { candidate: Tally::default(), stable: None };
    for minute in minutes {
        sums.candidate += counted.of(&minute.candidate);
        if let Some(counts) = &minute.stable {
            *sums.stable.get_or_insert_default() += counted.of(counts);
        }
    }
    sums
}
