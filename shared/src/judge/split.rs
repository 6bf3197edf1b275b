//! Whether traffic is split as the weights say. If it is not, the versions do not see the same requests, and comparing them
//! proves nothing.

use super::against::elapsed_minutes;
use super::finding::{Evidence, Finding};
use super::judgement::Tally;
use super::likelihood::{ln_rate_ratio, with_odds_multiplied};
use super::observations::Minute;
use super::wealth::{Stakes, Wealth, ln_add};
use crate::names::Weight;

/// The probability that a stage whose split is right is ever taken for one whose split is not.
const ALPHA: f64 = 0.001;

/// What is tolerated, as a part of the smaller share.
const TOLERANCE: f64 = 0.1;

/// How many times the odds of a version's being chosen may be multiplied beyond what is tolerated, and what is bet on it. A
/// split is counted on all requests and not on the few bad ones, so much smaller differences show.
const BETS: [(f64, f64); 5] = [(1.03, 0.2), (1.1, 0.3), (1.3, 0.25), (2.0, 0.15), (10.0, 0.1)];

/// Looks at the minutes of one stage, which are in order. Those in which one version takes everything say nothing.
pub(super) fn mismatch(minutes: &[&Minute]) -> Option<Finding> {
    let mut stakes = Stakes::new(1);
    let mut too_many = Wealth::new(BETS);
    let mut too_few = Wealth::new(BETS);
    let (mut candidate, mut all, mut expected) = (0_u64, 0_u64, 0.0);
    let mut weight = Weight::NONE;
    for (index, minute) in minutes.iter().enumerate() {
        let share = minute.weight.share();
        let Some(stable) = minute.stable.filter(|_| share > 0.0 && share < 1.0) else { continue };
        let (own, other) = (minute.candidate.requests, stable.requests);
        let both = own.saturating_add(other);
        let half = stakes.next(0, elapsed_minutes(minutes, minute)) / 2.0;
        let tolerated = TOLERANCE * share.min(1.0 - share);
        let lopsided = |tally: Tally, share_max: f64| {
            move |factor| ln_rate_ratio(tally, with_odds_multiplied(share_max, factor), share_max)
        };
        too_many.play(index, half, lopsided(Tally { bad: own, requests: both }, share + tolerated));
        too_few.play(index, half, lopsided(Tally { bad: other, requests: both }, 1.0 - share + tolerated));
        candidate = candidate.saturating_add(own);
        all = all.saturating_add(both);
        expected += both as f64 * share;
        weight = minute.weight;
    }
    let ln_wealth = ln_add(stakes.ln_waiting(), ln_add(too_many.ln(), too_few.ln()));
    let evidence = Evidence { ln_wealth, ln_enough: -ALPHA.ln() };
    evidence.is_enough().then(|| {
        let expected = expected.round() as u64;
        Finding::SplitMismatch { candidate, all, weight, expected, evidence }
    })
}
