//! Shares of subjects: how sure one is of them, and how two of them differ.

use serde::Serialize;

use super::distribution::{normal_above, normal_value};
use super::{Interval, Probability};

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Proportion {
    successes: u64,
    trials: u64,
}

impl Proportion {
    /// Nobody, or more successes than trials, is no proportion.
    pub fn new(successes: u64, trials: u64) -> Option<Self> {
        (trials > 0 && successes <= trials).then_some(Self { successes, trials })
    }

    /// How many.
    pub fn successes(self) -> u64 {
        self.successes
    }

    /// Of how many.
    pub fn trials(self) -> u64 {
        self.trials
    }

    /// How many were none.
    pub fn failures(self) -> u64 {
        self.trials - self.successes
    }

    /// The share.
    pub fn share(self) -> f64 {
        self.successes as f64 / self.trials as f64
    }

    /// Wilson's score interval, without continuity correction.
    pub fn wilson(self, alpha: Probability) -> Interval {
        let (n, p) = (self.trials as f64, self.share());
        let z = normal_value(alpha.half());
        let z2 = z * z;
        let centre = p + z2 / (2.0 * n);
        let reach = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z2 / n;
        // The ends are exact where nobody or everybody did, and rounding must not push them out of reach.
        let low = if self.successes == 0 { 0.0 } else { ((centre - reach) / scale).max(0.0) };
        let high = if self.successes == self.trials { 1.0 } else { ((centre + reach) / scale).min(1.0) };
        Interval { low, high }
    }
}

/// The second share less the first.
pub fn risk_difference(control: Proportion, treatment: Proportion) -> f64 {
    treatment.share() - control.share()
}

/// R. G. Newcombe's interval of the difference: his tenth method, of Wilson's intervals (Statist. Med. 17, 1998).
pub fn newcombe(control: Proportion, treatment: Proportion, alpha: Probability) -> Interval {
    let difference = risk_difference(control, treatment);
    let (one, two) = (control.wilson(alpha), treatment.wilson(alpha));
    let (p1, p2) = (control.share(), treatment.share());
    Interval {
        low: (difference - (p2 - two.low).hypot(one.high - p1)).max(-1.0),
        high: (difference + (two.high - p2).hypot(p1 - one.low)).min(1.0),
    }
}

/// By what part the second share is larger than the first, unless nobody did in the first.
pub fn relative_lift(control: Proportion, treatment: Proportion) -> Option<f64> {
    (control.successes > 0).then(|| treatment.share() / control.share() - 1.0)
}

/// D. Katz's interval of the relative lift, on the logarithm of the ratio; none where either has no success.
pub fn relative_lift_interval(
    control: Proportion,
    treatment: Proportion,
    alpha: Probability,
) -> Option<Interval> {
    if control.successes == 0 || treatment.successes == 0 {
        return None;
    }
    let part = |p: Proportion| 1.0 / p.successes as f64 - 1.0 / p.trials as f64;
    let reach = normal_value(alpha.half()) * (part(control) + part(treatment)).sqrt();
    let ratio = (treatment.share() / control.share()).ln();
    Some(Interval { low: (ratio - reach).exp_m1(), high: (ratio + reach).exp_m1() })
}

/// J. Cohen's h: the difference on a scale on which it is equally hard to see everywhere.
pub fn cohens_h(control: Proportion, treatment: Proportion) -> f64 {
    2.0 * (treatment.share().sqrt().asin() - control.share().sqrt().asin())
}

/// The chance that χ² without continuity correction, at this level, tells two shares apart.
pub(super) fn power(shares: (f64, f64), sizes: (f64, f64), alpha: Probability) -> f64 {
    let ((p1, p2), (n1, n2)) = (shares, sizes);
    let pooled = (n1 * p1 + n2 * p2) / (n1 + n2);
    let under_null = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    let under_effect = (p1 * (1.0 - p1) / n1 + p2 * (1.0 - p2) / n2).sqrt();
    let reach = normal_value(alpha.half()) * under_null;
    let difference = (p2 - p1).abs();
    if under_effect <= 0.0 {
        return if difference > reach { 1.0 } else { 0.0 };
    }
    normal_above((reach - difference) / under_effect) + normal_above((reach + difference) / under_effect)
}
