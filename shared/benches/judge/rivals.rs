//! What teams use today, each at its usual settings.

use std::cmp::Ordering;

use ripcord::judge::{Counts, Minute};

/// Kayenta's confidence of 0.98, two-sided: the quantile of the normal distribution at 0.99.
const QUANTILE: f64 = 2.326_347_874;

/// Kayenta's tolerance: the shift must be larger by this part of its own estimate.
const TOLERANCE: f64 = 0.25;

/// A rate above the threshold in two of the last two minutes: errors, and requests slower than the limit, as an alarm on the 95th
/// percentile would.
pub(crate) fn threshold_alarm(minutes: &[Minute], threshold: f64) -> bool {
    let breaches = |bad: fn(&Counts) -> u64| {
        minutes.len() >= 2
            && minutes.iter().rev().take(2).all(|minute| {
                let counts = &minute.candidate;
                counts.requests > 0 && bad(counts) as f64 > threshold * counts.requests as f64
            })
    };
    breaches(|counts| counts.errors) || breaches(|counts| counts.slow)
}

/// Any error of the candidate in the last minute.
pub(crate) fn any_error(minutes: &[Minute]) -> bool {
    minutes.last().is_some_and(|minute| minute.candidate.errors > 0)
}

/// Mann-Whitney on the rates minute by minute: the candidate's against the stable version's.
pub(crate) fn mann_whitney(minutes: &[Minute]) -> bool {
    let is_shifted = |bad: fn(&Counts) -> u64| {
        let rate =
            |counts: &Counts| (counts.requests > 0).then(|| bad(counts) as f64 / counts.requests as f64);
        let candidate: Vec<f64> = minutes.iter().filter_map(|minute| rate(&minute.candidate)).collect();
        let stable: Vec<f64> =
            minutes.iter().filter_map(|minute| minute.stable.as_ref().and_then(rate)).collect();
        shift(&candidate, &stable).is_some_and(|(lowest, estimate)| lowest > TOLERANCE * estimate.abs())
    };
    is_shifted(|counts| counts.errors) || is_shifted(|counts| counts.slow)
}

/// The lower confidence limit of the shift, and the Hodges-Lehmann estimate of it; nothing with too few minutes for a limit.
fn shift(candidate: &[f64], stable: &[f64]) -> Option<(f64, f64)> {
    let pairs = (candidate.len() * stable.len()) as f64;
    let spread = (pairs * (candidate.len() + stable.len() + 1) as f64 / 12.0).sqrt();
    let rank = (pairs / 2.0 - QUANTILE * spread).floor();
    if rank < 1.0 {
        return None;
    }
    let mut differences: Vec<f64> =
        candidate.iter().flat_map(|one| stable.iter().map(move |other| one - other)).collect();
    let by_size = |one: &f64, other: &f64| -> Ordering { one.total_cmp(other) };
    let middle = differences.len() / 2;
    let (_, estimate, _) = differences.select_nth_unstable_by(middle, by_size);
    let estimate = *estimate;
    let (_, lowest, _) = differences.select_nth_unstable_by(rank as usize - 1, by_size);
    Some((*lowest, estimate))
}
