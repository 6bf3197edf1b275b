//! What an experiment needs before it starts: subjects, and the days that they take to come.

use serde::Serialize;

use super::Probability;
use super::power::{Aim, Split, power_with, subjects_needed};

/// What is asked of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The difference that must not be missed.
    pub aim: Aim,
    /// How subjects are split, the control first.
    pub split: Split,
    /// The chance of a wrong answer that is accepted.
    pub alpha: Probability,
    /// The chance of seeing the difference.
    pub power: Probability,
    /// How many metrics decide.
    pub metrics: u32,
    /// How many subjects come in a day.
    pub per_day: Option<u64>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The difference that must not be missed.
    pub aim: Aim,
    /// The part of the accepted chance that each answer has.
    pub alpha_each: Probability,
    /// How many answers share it: metrics, for each arm but the control.
    pub answers: u32,
    /// The chance of seeing the difference.
    pub power: f64,
    /// The subjects of each arm, the control first.
    pub per_arm: Vec<u64>,
    /// All of them.
    pub subjects: u64,
    /// How many days they take to come.
    pub days: Option<u64>,
}

/// Whole weeks make every weekday count alike.
const WEEK: u64 = 7;

impl Plan {
    /// The days in whole weeks.
    pub fn whole_weeks_days(&self) -> Option<u64> {
        self.days.map(|days| days.div_ceil(WEEK) * WEEK)
    }
}

impl Question {
    fn answers(&self) -> u32 {
        self.metrics.max(1).saturating_mul(self.split.comparisons())
    }

    /// The fewest subjects that answer it; none if there are not so many in the world.
    pub fn plan(&self) -> Option<Plan> {
        let alpha = self.alpha.shared_by(self.answers());
        let subjects = subjects_needed(self.aim, &self.split, alpha, self.power)?;
        Some(self.with(subjects))
    }

    /// What so many subjects can show.
    pub fn with(&self, subjects: u64) -> Plan {
        let alpha_each = self.alpha.shared_by(self.answers());
        Plan {
            aim: self.aim,
            alpha_each,
            answers: self.answers(),
            power: power_with(self.aim, &self.split, subjects, alpha_each),
            per_arm: self.split.sizes(subjects),
            subjects,
            days: self.per_day.filter(|per_day| *per_day > 0).map(|per_day| subjects.div_ceil(per_day)),
        }
    }
}
