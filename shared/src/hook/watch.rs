//! The minutes after the shift: what the judge's verdict at a look means for the hook's answer.

use super::HookVerdict;
use crate::judge::Verdict;
use crate::measure::Measured;
use crate::pipeline::Look;
use crate::registration::{Registration, Unproven};

/// What follows from a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Look again in a minute.
    Again,
    /// That is the answer.
    Over(HookVerdict),
}

/// What the judge says at a look, in a sentence. Where no minute could be measured yet there is nothing to be undecided about.
pub fn judged(measured: &Measured) -> (Verdict, String) {
    let look = Look::of(&measured.judged(), None);
    match look.verdict {
        Verdict::Inconclusive if measured.observations.minutes.is_empty() => (Verdict::Error, look.why),
        verdict @ (Verdict::Pass | Verdict::Fail | Verdict::Inconclusive | Verdict::Error) => {
            (verdict, look.why)
        }
    }
}

/// Whether there is anything that the judge could prove within the watch.
pub fn is_judged(registration: &Registration) -> bool {
    let is_limited = !registration.limits.is_empty() || !registration.metrics.is_empty();
    is_limited && registration.hooks.watch_minutes > 0
}

/// Decides after a look. At the last one something must follow: what was not proved goes back, unless its team wants to be
/// asked; but nobody is asked to trust what could not be measured.
pub fn decide_watch(registration: &Registration, verdict: Verdict, why: &str, is_last: bool) -> Watched {
    let minutes = registration.hooks.watch_minutes;
    let unproved = || format!("not proved within {minutes} min: {why}");
    match (verdict, is_last) {
        (Verdict::Pass, _) => Watched::Over(HookVerdict::succeeded(format!("proved: {why}"))),
        (Verdict::Fail, _) => Watched::Over(HookVerdict {
            measured_bad: true,
            ..HookVerdict::failed(format!("found bad: {why}"))
        }),
        (Verdict::Inconclusive | Verdict::Error, false) => Watched::Again,
        (Verdict::Inconclusive, true) => Watched::Over(match registration.release.unproven {
            Unproven::RollBack => HookVerdict::failed(unproved()),
            Unproven::Ask => HookVerdict { is_doubtful: true, ..HookVerdict::succeeded(unproved()) },
        }),
        (Verdict::Error, true) => {
            Watched::Over(HookVerdict::failed(format!("not measured within {minutes} min: {why}")))
        }
    }
}
