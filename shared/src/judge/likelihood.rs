//! How much better one minute fits a candidate that is worse than one that is not: logarithms of likelihood ratios.
//!
//! Each ratio has an expectation of 1 at most while the candidate is no worse, given the minute's number of requests; that is
//! all that the bets in [`super::wealth`] rest on.

use statrs::function::factorial::ln_factorial;

use super::judgement::Tally;

/// Limits are kept this far from 0 and 1: a limit of exactly 0 would make a single error infinitely strong evidence.
const LIMIT_MIN: f64 = 1e-6;

/// Terms of a sum that are this much smaller than the sum change nothing that a double can hold.
const NEGLIGIBLE: f64 = 1e-18;

/// A limit that can be bet on. What is not a number becomes the strictest limit.
pub(super) fn usable_limit(limit: f64) -> f64 {
    if limit.is_nan() { LIMIT_MIN } else { limit.clamp(LIMIT_MIN, 1.0 - LIMIT_MIN) }
}

/// The rate whose odds are `factor` times those of `rate`.
pub(super) fn with_odds_multiplied(rate: f64, factor: f64) -> f64 {
    let odds = rate / (1.0 - rate) * factor;
    odds / (1.0 + odds)
}

/// How much better the tally fits the rate `bad_rate` than the rate `limit`: a ratio of binomials.
///
/// For a `bad_rate` above the limit its expectation is at most 1 at every true rate up to the limit, because the ratio grows
/// with the number of bad requests; for one below the limit, at every true rate from the limit on.
pub(super) fn ln_rate_ratio(tally: Tally, bad_rate: f64, limit: f64) -> f64 {
    let bad = tally.bad as f64 * (bad_rate / limit).ln();
    let good = tally.good() as f64 * ((-bad_rate).ln_1p() - (-limit).ln_1p());
    bad + good
}

/// How much better the minute fits bad requests being `factor` times as likely, in odds, on the candidate than on the stable
/// version, than being equally likely on both.
///
/// Given how many requests went to each version and how many were bad in all, the number of bad ones on the candidate follows
/// Fisher's noncentral hypergeometric distribution. The base rate cancels out, so it may change from minute to minute.
pub(super) fn ln_odds_ratio(candidate: Tally, stable: Tally, factor: f64) -> f64 {
    let urn = Urn {
        candidate: candidate.requests,
        stable: stable.requests,
        bad: candidate.bad.saturating_add(stable.bad),
    };
    if urn.fewest() == urn.most() {
        return 0.0;
    }
    candidate.bad as f64 * factor.ln() - urn.ln_mean_power(factor)
}

/// A minute of which is known who answered how many requests, and how many were bad, but not whose.
struct Urn {
    candidate: u64,
    stable: u64,
    bad: u64,
}

impl Urn {
    /// The fewest bad requests that the candidate can have.
    fn fewest(&self) -> u64 {
        self.bad.saturating_sub(self.stable)
    }

    /// The most that it can have.
    fn most(&self) -> u64 {
        self.bad.min(self.candidate)
    }

    /// The logarithm of the mean of `factor` to the power of the candidate's bad requests, if both versions are alike.
    ///
    /// The sum begins at its largest term and ends on both sides where terms are negligible. So it takes about as many terms as
    /// the square root of the number of bad requests, and overflows for none.
    fn ln_mean_power(&self, factor: f64) -> f64 {
        let peak = self.likeliest(factor);
        let mut sum = 1.0;
        let mut term = 1.0;
        for bad in peak + 1..=self.most() {
            term *= self.growth_to(bad, factor);
            sum += term;
            if term < NEGLIGIBLE * sum {
                break;
            }
        }
        term = 1.0;
        for bad in (self.fewest()..peak).rev() {
            term /= self.growth_to(bad + 1, factor);
            sum += term;
            if term < NEGLIGIBLE * sum {
                break;
            }
        }
        self.ln_probability(peak) + peak as f64 * factor.ln() + sum.ln()
    }

    /// By how much the term of `bad` is larger than the one before it.
    fn growth_to(&self, bad: u64, factor: f64) -> f64 {
        let (bad, all_bad) = (bad as f64, self.bad as f64);
        let more = (self.candidate as f64 - bad + 1.0) * (all_bad - bad + 1.0) * factor;
        let fewer = bad * (self.stable as f64 - all_bad + bad);
        more / fewer
    }

    /// The number of bad requests on the candidate with the largest term: where [`Urn::growth_to`] passes 1.
    fn likeliest(&self, factor: f64) -> u64 {
        let (candidate, stable, bad) = (self.candidate as f64, self.stable as f64, self.bad as f64);
        let half_width = (candidate + bad + 2.0) * factor + stable - bad;
        let product = (candidate + 1.0) * (bad + 1.0) * factor;
        let root = (half_width * half_width - 4.0 * (factor - 1.0) * product).max(0.0).sqrt();
        let mode = 2.0 * product / (half_width + root);
        (mode as u64).clamp(self.fewest(), self.most())
    }

    /// The logarithm of the probability of so many bad requests on the candidate, if both versions are alike.
    fn ln_probability(&self, bad: u64) -> f64 {
        let stable_bad = self.bad - bad;
        ln_choose(self.candidate, bad) + ln_choose(self.stable, stable_bad)
            - ln_choose(self.candidate.saturating_add(self.stable), self.bad)
    }
}

fn ln_choose(all: u64, chosen: u64) -> f64 {
    ln_factorial(all) - ln_factorial(chosen) - ln_factorial(all - chosen)
}

#[cfg(test)]
#[path = "likelihood_tests.rs"]
mod tests;
