//! The statistics that decide whether a stage of a progressive release passes.
//!
//! The judge is shown counts per minute and version and may be asked as often as one likes. It decides two different things:
//!
//! - **Whether the candidate fails.** Errors, and slow requests, are tested over the whole release: against the stage's limit,
//!   and against the stable version in the same minutes. The tests are bets against the candidate (test martingales, also
//!   called e-processes). A healthy release is failed with a probability of 1 % at most, all tests, stages and looks together.
//! - **Whether the stage passes.** Not failing is no proof. The stage's own minutes must prove every limit, by a bet with the
//!   roles exchanged, which a version beyond its limit wins with a probability of 5 % at most, however often one looks.
//!   Gauges and alarms must be well, traffic must be split as the weights say, and nothing may be unmeasured.
//!
//! The method: J. Ville, *Étude critique de la notion de collectif* (1939), for the inequality; H. Robbins, "Statistical methods
//! related to the law of the iterated logarithm" (Ann. Math. Statist. 41, 1970), for mixtures over what is not known; M. Pollak
//! and D. Siegmund (Ann. Statist. 3, 1975) and A. N. Shiryaev (Theory Probab. Appl. 8, 1963) for unknown sizes and times of a
//! change; R. A. Fisher, "The logic of inductive inference" (J. R. Stat. Soc. 98, 1935), for comparing two proportions given the
//! margins; A. Ramdas, P. Grünwald, V. Vovk and G. Shafer, "Game-theoretic statistics and safe anytime-valid inference"
//! (Statist. Sci. 38, 2023), for all of it together.
//!
//! It must not read a clock, remember anything between looks, or know what follows from a verdict: everything is computed again
//! from all minutes each time, so a crash loses nothing, and late minutes are simply there the next time.

mod against;
mod finding;
mod gauges;
mod judgement;
mod likelihood;
mod observations;
mod proof;
mod replay;
mod split;
mod wealth;

pub use finding::{Evidence, Finding, grouped};
pub use judgement::{GaugeVerdict, Judgement, Metric, MetricVerdict, Tally, Verdict};
pub use observations::{
    AlarmReading, Counts, Direction, GaugeReading, GaugeRule, LatencyLimit, Minute, Missing, Observations,
    StageLimits, Unmeasured,
};
pub use proof::requests_to_prove;
pub use replay::{Course, Known, replay};

use crate::signal::AlarmState;
use against::{Case, Counted, hear, sum};

/// The probability that a healthy release is ever failed by its counts.
pub const ALPHA: f64 = 0.01;

/// The part of it that slow requests take where they are limited.
const ALPHA_SLOW: f64 = 0.002;

/// Judges a stage by everything that is known about the release.
pub fn judge(observations: &Observations) -> Judgement {
    let stages = &observations.stages;
    let mut reasons: Vec<Finding> =
        observations.unmeasured.iter().cloned().map(Finding::Unmeasured).collect();
    reasons.extend(unknown_stage(observations));
    let minutes = usable_minutes(observations, &mut reasons);
    let own: Vec<&Minute> =
        minutes.iter().copied().filter(|minute| minute.stage == observations.stage).collect();
    reasons.extend(split::mismatch(&own));

    let mut metrics = Vec::new();
    let slow_is_limited = stages.iter().any(|stage| stage.latency.is_some());
    let (alpha_errors, alpha_slow) =
        if slow_is_limited { (ALPHA - ALPHA_SLOW, ALPHA_SLOW) } else { (ALPHA, 0.0) };
    for (counted, alpha) in [(Counted::Errors, alpha_errors), (Counted::Slow, alpha_slow)] {
        if alpha > 0.0 {
            let case = hear(counted, &minutes, stages, alpha);
            let limit = stages.get(observations.stage).and_then(|stage| counted.limit(stage));
            if let Some((metric, limit)) = limit {
                metrics.push(weigh(counted, metric, limit, &own, &case, &mut reasons));
            }
            reasons.extend(case.finding);
        }
    }

    let gauges: Vec<GaugeVerdict> = observations.gauges.iter().map(gauges::read).collect();
    reasons.extend(gauges.iter().cloned().map(Finding::Gauge));
    reasons.extend(observations.alarms.iter().cloned().map(Finding::Alarm));
    reasons.sort_by_key(|finding| std::cmp::Reverse(finding.verdict()));
    let verdict = reasons.iter().map(Finding::verdict).max().unwrap_or(Verdict::Inconclusive);
    let score = score(verdict, observations, &minutes, &metrics, &gauges);
    Judgement { verdict, score, reasons, metrics, gauges }
}

/// The stage that is judged, or that of a minute, has no limits.
fn unknown_stage(observations: &Observations) -> Option<Finding> {
    let stages = observations.stages.len();
    let of_minutes = observations.minutes.iter().map(|minute| minute.stage);
    let stage = of_minutes.fold(observations.stage, usize::max);
    (stage >= stages).then_some(Finding::StageUnknown { stage, stages })
}

/// The minutes that can be judged, in order and each once. Of the others the reasons say what is wrong with them.
fn usable_minutes<'a>(observations: &'a Observations, reasons: &mut Vec<Finding>) -> Vec<&'a Minute> {
    let mut minutes: Vec<&Minute> = observations.minutes.iter().collect();
    minutes.sort_by_key(|minute| minute.start);
    minutes.dedup_by_key(|minute| minute.start);
    minutes.retain(|minute| match observations.stages.get(minute.stage) {
        Some(limits) => {
            let contradiction = contradiction(minute, limits);
            let usable = contradiction.is_none();
            reasons.extend(contradiction);
            usable
        }
        None => false,
    });
    minutes
}

/// More bad requests than requests, of either version.
fn contradiction(minute: &Minute, limits: &StageLimits) -> Option<Finding> {
    let versions = std::iter::once(&minute.candidate).chain(&minute.stable);
    let mut tallies = versions.flat_map(|counts| {
        [Counted::Errors, Counted::Slow].into_iter().filter_map(|counted| {
            let (metric, _) = counted.limit(limits)?;
            Some((metric, counted.of(counts)))
        })
    });
    let (metric, counted) = tallies.find(|(_, tally)| tally.bad > tally.requests)?;
    Some(Finding::CountsContradict { metric, minute: minute.start, counted })
}

/// Whether the candidate fails, passes or neither in one metric, and why.
fn weigh(
    counted: Counted,
    metric: Metric,
    limit: f64,
    own: &[&Minute],
    case: &Case,
    reasons: &mut Vec<Finding>,
) -> MetricVerdict {
    let sums = sum(counted, own.iter().copied());
    let all = sum(Counted::Errors, own.iter().copied()).candidate.requests;
    // A request whose duration is not known may have been slow.
    let unknown = all.saturating_sub(sums.candidate.requests);
    let tally = Tally {
        bad: sums.candidate.bad.saturating_add(unknown),
        requests: sums.candidate.requests.saturating_add(unknown),
    };
    let proof = proof::evidence(tally, limit);
    let (mut verdict, mut needed) = (Verdict::Pass, None);
    if proof.is_enough() {
        reasons.push(Finding::Proved { metric, candidate: tally, limit, evidence: proof });
    } else {
        verdict = Verdict::Inconclusive;
        needed = proof::needed(tally, limit);
        reasons.push(Finding::Unproven { metric, candidate: tally, unknown, limit, needed });
    }
    if case.finding.is_some() {
        verdict = Verdict::Fail;
    }
    let rates = own.iter().rev().take(gauges::RECENT_MAX).map(|minute| counted.of(&minute.candidate).rate());
    let mut recent: Vec<Option<f64>> = rates.collect();
    recent.reverse();
    MetricVerdict {
        metric,
        verdict,
        candidate: sums.candidate,
        stable: sums.stable,
        limit,
        evidence_against: case.evidence.share(),
        needed,
        recent,
    }
}

/// 100 less what the strongest case has come to. Nothing if there was nothing to look at.
fn score(
    verdict: Verdict,
    observations: &Observations,
    minutes: &[&Minute],
    metrics: &[MetricVerdict],
    gauges: &[GaugeVerdict],
) -> Option<u8> {
    if verdict == Verdict::Fail {
        return Some(0);
    }
    let known = |alarm: &AlarmReading| alarm.state != AlarmState::InsufficientData;
    let measured = minutes.iter().any(|minute| minute.candidate.requests > 0)
        || gauges.iter().any(|gauge| gauge.present > 0)
        || observations.alarms.iter().any(known);
    let by_counts = metrics.iter().map(|metric| metric.evidence_against);
    let by_gauges = gauges.iter().map(|gauge| f64::from(gauge.breaching) / f64::from(gauge.rule.datapoints));
    let strongest = by_counts.chain(by_gauges).fold(0.0, f64::max);
    // Rounded up, because 0 means that it fails.
    measured.then(|| ((1.0 - strongest) * 100.0).ceil().clamp(1.0, 100.0) as u8)
}

#[cfg(test)]
mod tests;
