//! Experiments: how many subjects one needs, and what its numbers say once they are all there.
//!
//! The tests here are made once, at the end. Looking at them while an experiment runs and stopping when they please makes
//! them worthless, so a report calls no winner before the planned sample is reached, and the judge of releases, which looks every
//! minute, uses none of them. It must not read a file, a clock or the network.

pub mod comparison;
pub mod contingency;
pub mod correction;
pub mod distribution;
pub mod document;
pub mod mean;
pub mod observed;
pub mod plan;
pub mod power;
pub mod proportion;
pub mod rank;
pub mod report;
pub mod split;
mod verdict;
pub mod words;

use serde::{Deserialize, Serialize};

/// A chance, a level or a share that is neither 0 nor 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

impl Probability {
    /// Five per cent: what reports use unless a document says otherwise.
    pub const FIVE_PERCENT: Self = Self(0.05);
    /// Eighty per cent: what a difference that matters is shown with.
    pub const EIGHTY_PERCENT: Self = Self(0.8);

    /// Only what lies between 0 and 1.
    pub fn new(value: f64) -> Option<Self> {
        (value > 0.0 && value < 1.0).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Half of it, for each of two sides.
    pub fn half(self) -> Self {
        self.shared_by(2)
    }

    /// C. E. Bonferroni's part of it for each of so many questions.
    pub fn shared_by(self, questions: u32) -> Self {
        Self((self.0 / f64::from(questions.max(1))).max(f64::MIN_POSITIVE))
    }
}

impl TryFrom<f64> for Probability {
    type Error = &'static str;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value).ok_or("not between 0 and 1")
    }
}

impl From<Probability> for f64 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

/// From here to there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// As far to both sides, if that is a number.
    fn around(centre: f64, reach: f64) -> Option<Self> {
        let interval = Self { low: centre - reach, high: centre + reach };
        (interval.low.is_finite() && interval.high.is_finite()).then_some(interval)
    }

    /// Whether a number lies in it.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Which differences count as more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alternative {
    /// Those to either side.
    TwoSided,
    /// Those in which the second is smaller.
    Less,
    /// Those in which the second is larger.
    Greater,
}

#[cfg(test)]
mod tests;
