//! The distributions that the tests need, on the special functions of `statrs`.

use statrs::function::beta::checked_beta_reg;
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::checked_gamma_ur;

use super::Probability;

/// From here on the incomplete beta function converges too slowly, and Hill's expansion is as good as exact.
const DEGREES_EXPANDED: f64 = 1_000.0;
/// Halving doubles the digits known each time; a double has no more than these.
const HALVINGS_MAX: usize = 200;
/// Enough terms for every table that people read.
const POISSON_TERMS_MAX: u32 = 2_000;

/// The chance of more than `z` under the standard normal distribution.
pub fn normal_above(z: f64) -> f64 {
    if z.is_nan() { 1.0 } else { 0.5 * erfc(z / std::f64::consts::SQRT_2) }
}

/// The value that the standard normal distribution exceeds with this chance.
pub fn normal_value(above: Probability) -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(2.0 * above.get())
}

/// The chance of more than `x` under χ² with so many degrees of freedom.
pub fn chi_squared_above(x: f64, degrees: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return 1.0;
    }
    checked_gamma_ur(degrees / 2.0, x / 2.0).unwrap_or(0.0).clamp(0.0, 1.0)
}

/// The chance of more than `t` under Student's t with so many degrees of freedom.
pub fn student_above(t: f64, degrees: f64) -> f64 {
    if t.is_nan() {
        return 1.0;
    }
    if t < 0.0 {
        return 1.0 - student_above(-t, degrees);
    }
    if degrees > DEGREES_EXPANDED {
        return normal_above(hill(t, degrees));
    }
    let x = degrees / (degrees + t * t);
    0.5 * checked_beta_reg(degrees / 2.0, 0.5, x).unwrap_or(0.0).clamp(0.0, 1.0)
}

/// G. W. Hill, "Algorithm 395: Student's t-distribution" (Comm. ACM 13, 1970): the normal deviate of a `t`.
fn hill(t: f64, degrees: f64) -> f64 {
    let a = degrees - 0.5;
    let b = 48.0 * a * a;
    let w = (a * (t * t / degrees).ln_1p()).sqrt();
    let w2 = w * w;
    let first = w * (w2 + 3.0) / b;
    let second =
        w * (((4.0 * w2 + 33.0) * w2 + 240.0) * w2 + 855.0) / (10.0 * b * (b + 0.8 * w2 * w2 + 100.0));
    w + first - second
}

/// The value that Student's t exceeds with this chance.
pub fn student_value(above: Probability, degrees: f64) -> f64 {
    let chance = above.get();
    if chance > 0.5 {
        return -solve(|t| student_above(t, degrees), 1.0 - chance);
    }
    solve(|t| student_above(t, degrees), chance)
}

/// The value that χ² exceeds with this chance.
pub fn chi_squared_value(above: Probability, degrees: f64) -> f64 {
    solve(|x| chi_squared_above(x, degrees), above.get())
}

/// Where a function that falls from 0 on comes down to `target`.
pub(super) fn solve(falling: impl Fn(f64) -> f64, target: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS_MAX {
        if falling(high) <= target {
            break;
        }
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..HALVINGS_MAX {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if falling(middle) > target {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The chance of more than `x` under the noncentral χ².
pub fn noncentral_chi_squared_above(x: f64, degrees: f64, noncentrality: f64) -> f64 {
    if noncentrality <= 0.0 {
        return chi_squared_above(x, degrees);
    }
    let half = noncentrality / 2.0;
    let mut ln_weight = -half;
    let mut sum = 0.0;
    for term in 0..POISSON_TERMS_MAX {
        let term = f64::from(term);
        if term > 0.0 {
            ln_weight += half.ln() - term.ln();
        }
        sum += ln_weight.exp() * chi_squared_above(x, degrees + 2.0 * term);
        if term > half && ln_weight < -45.0 {
            break;
        }
    }
    sum.clamp(0.0, 1.0)
}

/// The chance that a two-sided t-test at this critical value rejects, where the true effect is `shift` standard errors.
pub fn student_power(critical: f64, degrees: f64, shift: f64) -> f64 {
    // The noncentral t is a normal deviate over an independent scale: averaged over that scale by Simpson's rule.
    const STEPS: u32 = 400;
    let width = 9.0 / (2.0 * degrees).sqrt();
    let (low, high) = ((1.0 - width).max(0.0), 1.0 + width.max(3.0 * width / degrees.sqrt()));
    let ln_density = |scale: f64| (degrees - 1.0) * scale.ln() - degrees * (scale * scale - 1.0) / 2.0;
    let step = (high - low) / f64::from(STEPS);
    let (mut rejected, mut whole) = (0.0, 0.0);
    for index in 0..=STEPS {
        let scale = low + step * f64::from(index);
        let simpson = match index {
            0 | STEPS => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        let density = if scale > 0.0 { ln_density(scale).exp() } else { 0.0 };
        whole += simpson * density;
        let rejects = normal_above(critical * scale - shift) + normal_above(critical * scale + shift);
        rejected += simpson * density * rejects;
    }
    (rejected / whole).clamp(0.0, 1.0)
}
