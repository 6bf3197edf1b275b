//! The proof that a stage keeps to a limit. The absence of a failure is none.
//!
//! The same kind of bet as against the candidate, with the roles exchanged: the gambler bets that the rate lies below the
//! limit. While it does not, the stake ever becomes 20 with a probability of 5 % at most. Since no bet multiplies it by more
//! than `(1 - limit)` to the power of minus the number of requests, 20 are out of reach below `ln 0.05 / ln(1 - limit)`
//! requests: the rule of three.

use super::finding::Evidence;
use super::judgement::Tally;
use super::likelihood::{ln_rate_ratio, usable_limit};
use super::wealth::ln_add;

/// The probability that a stage that does not keep to its limit is ever taken for one that does.
const BETA: f64 = 0.05;

/// Rates as shares of the limit, and what is staked on each. Most on almost none, where the fewest requests are enough.
const BETS: [(f64, f64); 5] = [(0.01, 0.6), (0.1, 0.12), (0.3, 0.12), (0.55, 0.1), (0.75, 0.06)];

/// How strong the proof is that the limit is kept to.
pub(super) fn evidence(tally: Tally, limit: f64) -> Evidence {
    let limit = usable_limit(limit);
    let ln_wealth = BETS.iter().fold(f64::NEG_INFINITY, |sum, (share, stake)| {
        ln_add(sum, stake.ln() + ln_rate_ratio(tally, share * limit, limit))
    });
    Evidence { ln_wealth, ln_enough: -BETA.ln() }
}

/// How many requests to the candidate a version with the given rate of bad ones is expected to need for a proof of the limit.
/// Nothing if none are enough, because the rate lies too close to the limit or above it.
pub fn requests_to_prove(limit: f64, expected_rate: f64) -> Option<u64> {
    let limit = usable_limit(limit);
    let bad_share = expected_rate.clamp(0.0, 1.0);
    // By how much each request is expected to multiply each stake.
    let growths = BETS.map(|(share, stake)| {
        let on_good = (-share * limit).ln_1p() - (-limit).ln_1p();
        (bad_share * share.ln() + (1.0 - bad_share) * on_good, stake)
    });
    let ln_enough = -BETA.ln();
    let ln_wealth = |requests: f64| {
        growths
            .iter()
            .fold(f64::NEG_INFINITY, |sum, (growth, stake)| ln_add(sum, stake.ln() + requests * growth))
    };
    // One bet alone is enough there, so all of them are earlier.
    let alone = growths.iter().filter(|(growth, _)| *growth > 0.0);
    let mut enough = alone.map(|(growth, stake)| (ln_enough - stake.ln()) / growth).reduce(f64::min)?.ceil();
    let mut too_few = 0.0;
    // Halving the span between two doubles ends after about a thousand rounds at the very most; between counts, after 64.
    for _ in 0..64 {
        let middle = ((too_few + enough) / 2.0).floor();
        if middle <= too_few || middle >= enough {
            break;
        }
        if ln_wealth(middle) >= ln_enough {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough as u64)
}

/// The smallest limit that a tally proves; nothing if it proves none.
pub(super) fn proved_limit(tally: Tally) -> Option<f64> {
    let proves = |limit: f64| evidence(tally, limit).is_enough();
    let (mut unproved, mut proved) = (0.0, 1.0);
    if !proves(proved) {
        return None;
    }
    // The evidence grows with the limit. Half of the span goes each time, and 40 halves are finer than any rate.
    for _ in 0..40 {
        let middle = (unproved + proved) / 2.0;
        if proves(middle) {
            proved = middle;
        } else {
            unproved = middle;
        }
    }
    Some(proved)
}

/// How many more requests a proof needs, if bad ones go on as they did. Nothing if none are enough.
pub(super) fn needed(tally: Tally, limit: f64) -> Option<u64> {
    let requests = requests_to_prove(limit, tally.rate().unwrap_or(0.0))?;
    Some(requests.saturating_sub(tally.requests).max(1))
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
