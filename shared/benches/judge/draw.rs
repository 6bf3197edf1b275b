//! Random numbers that the simulated traffic is made of.

use fastrand::Rng;
use statrs::function::factorial::ln_binomial;

/// How many of `trials` succeed, each with the same probability: exact, by inversion from the likeliest number outwards.
pub(crate) fn binomial(rng: &mut Rng, trials: u64, probability: f64) -> u64 {
    if trials == 0 || probability <= 0.0 {
        return 0;
    }
    if probability >= 1.0 {
        return trials;
    }
    let all = trials as f64;
    let mode = (((all + 1.0) * probability) as u64).min(trials);
    let ln_peak = ln_binomial(trials, mode)
        + mode as f64 * probability.ln()
        + (trials - mode) as f64 * (-probability).ln_1p();
    let odds = probability / (1.0 - probability);
    let (mut low, mut high) = (mode, mode);
    let (mut low_mass, mut high_mass) = (ln_peak.exp(), ln_peak.exp());
    let mut left = rng.f64() - low_mass;
    while left > 0.0 && (low > 0 || high < trials) {
        if high < trials {
            high_mass *= (all - high as f64) / (high + 1) as f64 * odds;
            high += 1;
            left -= high_mass;
            if left <= 0.0 {
                return high;
            }
        }
        if low > 0 {
            low_mass *= low as f64 / (all - low as f64 + 1.0) / odds;
            low -= 1;
            left -= low_mass;
            if left <= 0.0 {
                return low;
            }
        }
        if low_mass + high_mass < 1e-300 {
            break;
        }
    }
    mode
}

/// A standard normal number.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

/// One of several; `choices` is never empty.
pub(crate) fn one_of<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(..choices.len())]
}
