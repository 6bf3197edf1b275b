//! What an experiment's data come to, wherever they are from: counts, sums and numbers in order, one set for each arm.

use std::collections::BTreeMap;

use serde::Serialize;

use super::mean::Moments;
use super::proportion::Proportion;
use super::rank::Ordered;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The arms, in the document's order.
    pub arms: Vec<ObservedArm>,
    /// What was noticed while reading.
    pub intake: Intake,
}

/// What was counted in an arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedArm {
    /// How many subjects.
    pub subjects: u64,
    /// The metrics, in the document's order.
    pub metrics: Vec<Measured>,
}

/// What was measured of a metric in an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The numbers, unless there is none.
    pub values: Option<Values>,
    /// How many subjects were left out because their cell was empty.
    pub left_out: u64,
}

/// Numbers of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// How many did.
    Conversion(Proportion),
    /// A mean and its spread.
    Mean(Moments),
    /// All of them, in order, and their mean for people.
    Rank(Ordered),
    /// How often each answer was given.
    Category(BTreeMap<String, u64>),
}

/// What was noticed while reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Intake {
    /// Where the numbers are from.
    pub source: String,
    /// Whether subjects have names, so that those who are there twice are known.
    pub subjects_are_known: bool,
    /// Subjects who were in more than one arm, and count in none.
    pub crossed: u64,
    /// Further rows of subjects in the same arm, which do not count.
    pub repeated: u64,
}
