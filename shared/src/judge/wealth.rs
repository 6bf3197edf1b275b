//! The wealth of a gambler who bets, minute after minute, that the candidate is worse.
//!
//! The stake of 1 is divided in advance: over how much worse the candidate may be, and over the minute in which that may have
//! begun. Each part waits until its minute and is then multiplied by that minute's likelihood ratio and every later one. While
//! the candidate is no worse, no part grows on average, so the whole is a supermartingale, and by Ville's inequality it ever
//! reaches `x` with a probability of `1/x` at most, whenever and however often somebody looks.

/// How many times the odds of a bad request may be multiplied, and the share of every stake that is bet on it.
///
/// The smallest is what is tolerated: a candidate that is worse by less than about its square root gains nothing from the
/// bets, however much traffic there is.
pub(super) const BETS: [(f64, f64); 6] =
    [(1.8, 0.15), (2.8, 0.3), (4.5, 0.25), (8.0, 0.2), (25.0, 0.07), (250.0, 0.03)];

/// What is bet on a fault that is there from the release's first minute: most faults are.
const FROM_THE_FIRST: f64 = 0.6;

/// What is bet on faults that begin together with one of the later stages, such as those that only show under load.
const FROM_A_STAGE: f64 = 0.25;

/// What is bet on any other minute; half of it within this many minutes, and half of the rest in twice as many again.
const HALF_SPENT_MINUTES: f64 = 60.0;

/// When which part of the stake is bet.
pub(super) struct Stakes {
    per_stage: f64,
    waiting: f64,
    last: Option<(usize, f64)>,
}

impl Stakes {
    /// For a release of so many stages.
    pub(super) fn new(stages: usize) -> Self {
        let per_stage = if stages > 1 { FROM_A_STAGE / (stages - 1) as f64 } else { 0.0 };
        Self { per_stage, waiting: 1.0, last: None }
    }

    /// What is bet from this minute on, which is so many minutes after the release's first. Minutes that are missing are made
    /// up for: what would have been bet on them is bet now.
    pub(super) fn next(&mut self, stage: usize, elapsed_minutes: f64) -> f64 {
        let spread = 1.0 - FROM_THE_FIRST - if self.per_stage > 0.0 { FROM_A_STAGE } else { 0.0 };
        let spent = |minutes: f64| spread * (1.0 - HALF_SPENT_MINUTES / (HALF_SPENT_MINUTES + minutes));
        let stake = match self.last {
            None => FROM_THE_FIRST + self.per_stage * stage as f64 + spent(elapsed_minutes + 1.0),
            Some((last_stage, last_minutes)) => {
                let begun = stage.saturating_sub(last_stage) as f64;
                self.per_stage * begun + spent(elapsed_minutes + 1.0) - spent(last_minutes + 1.0)
            }
        };
        let last_stage = self.last.map_or(stage, |(last_stage, _)| last_stage.max(stage));
        self.last = Some((last_stage, elapsed_minutes));
        let stake = stake.clamp(0.0, self.waiting);
        self.waiting -= stake;
        stake
    }

    /// The logarithm of what has not been bet yet.
    pub(super) fn ln_waiting(&self) -> f64 {
        self.waiting.ln()
    }
}

/// What has become of what was bet, in logarithms: long healthy releases shrink it to almost nothing.
pub(super) struct Wealth<const N: usize> {
    bets: [(f64, f64); N],
    ln_at_work: [f64; N],
    runs: [Run; N],
}

/// The stretch of minutes that speaks most for a fault of one size: where it seems to have begun.
#[derive(Clone, Copy)]
struct Run {
    ln_ratio: f64,
    first: usize,
}

impl<const N: usize> Wealth<N> {
    /// Nothing bet yet; later each stake is divided over these factors, by their shares.
    pub(super) fn new(bets: [(f64, f64); N]) -> Self {
        let runs = [Run { ln_ratio: 0.0, first: 0 }; N];
        Self { bets, ln_at_work: [f64::NEG_INFINITY; N], runs }
    }

    /// Bets `stake` more, and then lets the minute of this index decide: `ln_ratio` says how much better it fits a factor.
    pub(super) fn play(&mut self, index: usize, stake: f64, ln_ratio: impl Fn(f64) -> f64) {
        for ((at_work, run), (factor, share)) in self.ln_at_work.iter_mut().zip(&mut self.runs).zip(self.bets)
        {
            let ln_ratio = ln_ratio(factor);
            *at_work = ln_add(*at_work, (stake * share).ln()) + ln_ratio;
            if run.ln_ratio <= 0.0 {
                *run = Run { ln_ratio: 0.0, first: index };
            }
            run.ln_ratio += ln_ratio;
        }
    }

    /// The logarithm of all of it together.
    pub(super) fn ln(&self) -> f64 {
        self.ln_at_work.iter().fold(f64::NEG_INFINITY, |sum, part| ln_add(sum, *part))
    }

    /// The index of the minute in which the fault seems to have begun.
    pub(super) fn fault_begins(&self) -> usize {
        let strongest = self.runs.iter().max_by(|one, other| one.ln_ratio.total_cmp(&other.ln_ratio));
        strongest.map_or(0, |run| run.first)
    }
}

/// The logarithm of a sum, from the logarithms of its parts.
pub(super) fn ln_add(one: f64, other: f64) -> f64 {
    let (large, small) = if one > other { (one, other) } else { (other, one) };
    if large == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

#[cfg(test)]
#[path = "wealth_tests.rs"]
mod tests;
