//! How many subjects an experiment needs, and what a number of subjects can show.
//!
//! The power is that of the test that the report will make: χ² without continuity correction for shares, and the t-test, by
//! the noncentral t distribution, for means. With several arms each is compared with the first.

use serde::Serialize;

use super::distribution::{chi_squared_value, noncentral_chi_squared_above, normal_value, solve};
use super::distribution::{student_power, student_value};
use super::{Probability, proportion};

/// No experiment is planned with more subjects than there are people.
pub const SUBJECTS_MAX: u64 = 10_000_000_000;

/// What is measured, and the difference that must not be missed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Aim {
    /// A share of subjects, in the control and in the treatment.
    Share {
        /// The control's.
        control: Probability,
        /// The treatment's.
        treatment: Probability,
    },
    /// A mean that moves by so much, where subjects differ by so much.
    Mean {
        /// The difference of the means.
        difference: f64,
        /// The standard deviation of both arms.
        deviation: f64,
    },
}

/// How the subjects are split: the control first. Shares are positive and may have any sum.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Split(Vec<f64>);

impl Split {
    /// Two arms at least.
    pub fn new(shares: Vec<f64>) -> Option<Self> {
        let positive = shares.iter().all(|share| share.is_finite() && *share > 0.0);
        let sum: f64 = shares.iter().sum();
        (shares.len() > 1 && positive && sum.is_finite())
            .then(|| Self(shares.iter().map(|share| share / sum).collect()))
    }

    /// The shares, which sum up to one.
    pub fn shares(&self) -> &[f64] {
        &self.0
    }

    /// How many arms are compared with the first.
    pub fn comparisons(&self) -> u32 {
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    /// The arms' sizes of so many subjects, rounded up.
    pub fn sizes(&self, subjects: u64) -> Vec<u64> {
        // A thousandth of a subject is what floating point added.
        self.0.iter().map(|share| (subjects as f64 * share - 1e-3).ceil().max(1.0) as u64).collect()
    }

    /// The sizes of the comparison that shows least: the control's and the smallest treatment's.
    fn hardest(&self, subjects: u64) -> (f64, f64) {
        let sizes = self.sizes(subjects);
        let control = sizes.first().copied().unwrap_or(1);
        let treatment = sizes.iter().skip(1).min().copied().unwrap_or(1);
        (control as f64, treatment as f64)
    }
}

/// The chance that arms of these sizes show the difference.
pub fn power_of(aim: Aim, sizes: (f64, f64), alpha: Probability) -> f64 {
    let (n1, n2) = sizes;
    match aim {
        Aim::Share { control, treatment } => {
            proportion::power((control.get(), treatment.get()), sizes, alpha)
        }
        Aim::Mean { difference, deviation } => {
            let degrees = n1 + n2 - 2.0;
            if degrees < 1.0 {
                return 0.0;
            }
            let shift = difference.abs() / (deviation * (1.0 / n1 + 1.0 / n2).sqrt());
            // Whatever is thirty standard errors away is seen.
            if shift > 30.0 && degrees > 30.0 {
                return 1.0;
            }
            student_power(student_value(alpha.half(), degrees), degrees, shift)
        }
    }
}

/// The chance that so many subjects, split so, show the difference.
pub fn power_with(aim: Aim, split: &Split, subjects: u64, alpha: Probability) -> f64 {
    power_of(aim, split.hardest(subjects), alpha)
}

/// The fewest subjects, all arms together, that show the difference with this power; none if [`SUBJECTS_MAX`] do not.
pub fn subjects_needed(aim: Aim, split: &Split, alpha: Probability, power: Probability) -> Option<u64> {
    let enough = |subjects: u64| power_with(aim, split, subjects, alpha) >= power.get();
    if !enough(SUBJECTS_MAX) {
        return None;
    }
    let (mut low, mut high) = (split.shares().len() as u64, SUBJECTS_MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    // Every arm gets what it needs, also where the split does not divide.
    Some(split.sizes(low).iter().sum())
}

/// The smallest rise of a share that so many subjects would have shown; none if not even a rise to all of them.
pub fn smallest_rise(
    control: Probability,
    sizes: (f64, f64),
    alpha: Probability,
    power: Probability,
) -> Option<f64> {
    let room = 1.0 - control.get();
    let missed = |rise: f64| {
        let share = (control.get() + rise).min(1.0);
        1.0 - proportion::power((control.get(), share), sizes, alpha)
    };
    if missed(room) > 1.0 - power.get() {
        return None;
    }
    Some(solve(|rise| if rise >= room { 0.0 } else { missed(rise) }, 1.0 - power.get()))
}

/// The smallest difference of means that arms with this standard error between them would have shown.
pub fn smallest_difference(standard_error: f64, alpha: Probability, power: Probability) -> f64 {
    standard_error * (normal_value(alpha.half()) - normal_value(power))
}

/// How far from a half the chance that one arm beats the other had to be (G. E. Noether, J. Am. Stat. Assoc. 82, 1987).
pub fn smallest_superiority(sizes: (f64, f64), alpha: Probability, power: Probability) -> f64 {
    let (n1, n2) = sizes;
    let reach = normal_value(alpha.half()) - normal_value(power);
    0.5 + (reach * ((n1 + n2) / (12.0 * n1 * n2)).sqrt()).min(0.5)
}

/// The smallest Cramér's V of two arms that χ² would have shown.
pub fn smallest_association(subjects: f64, degrees: f64, alpha: Probability, power: Probability) -> f64 {
    let critical = chi_squared_value(alpha, degrees);
    let missed = |noncentrality: f64| 1.0 - noncentral_chi_squared_above(critical, degrees, noncentrality);
    (solve(missed, 1.0 - power.get()) / subjects).sqrt().min(1.0)
}
