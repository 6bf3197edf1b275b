//! The document of an experiment, written before it starts: who is compared, on what, and when it is over.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Probability;
use crate::registration::Violation;

mod rules;

/// An experiment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What people call it.
    pub name: String,
    /// What somebody expects, and why.
    #[serde(default)]
    pub hypothesis: Option<String>,
    /// The arms; the first is the control, which all others are compared with.
    pub arms: Vec<Arm>,
    /// What is compared.
    pub metrics: Vec<Metric>,
    /// How many subjects, all arms together, were planned. Before they are there nothing wins.
    pub planned_subjects: u64,
    /// The chance of a wrong answer that is accepted.
    #[serde(default = "five_percent")]
    pub alpha: Probability,
    /// When somebody looked before the end, and how many subjects there were.
    #[serde(default)]
    pub looks: Vec<Look>,
    /// Where the numbers are.
    pub data: Data,
}

/// One of the things that are compared.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// What people call it.
    pub name: String,
    /// What the data call it; its name unless said otherwise.
    #[serde(default)]
    pub key: Option<String>,
    /// Its planned part of the subjects; shares may have any sum.
    pub share: f64,
}

impl Arm {
    /// What the data call it.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.name)
    }
}

/// Something that is compared.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// What people call it.
    pub name: String,
    /// What sort of numbers it has.
    pub kind: Kind,
    /// Which way is good; every kind but a category has one.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// What its answer is for.
    #[serde(default)]
    pub role: Role,
    /// For a guardrail: how much worse is still borne.
    #[serde(default)]
    pub not_worse_by: Option<Effect>,
    /// What its numbers are measured in, for people.
    #[serde(default)]
    pub unit: Option<String>,
    /// The column that holds it; with a row per arm, the successes of a conversion or the mean.
    #[serde(default)]
    pub column: Option<String>,
    /// With a row per arm: the column of how many were asked, if not all subjects.
    #[serde(default)]
    pub of: Option<String>,
    /// With a row per arm: the column of a mean's standard deviation.
    #[serde(default)]
    pub deviation: Option<String>,
    /// With a row per arm: the columns that hold a category's counts, each named as its answer.
    #[serde(default)]
    pub categories: Vec<String>,
    /// What an empty cell means.
    #[serde(default)]
    pub missing: Missing,
    /// What CloudWatch counts as successes of a conversion.
    #[serde(default)]
    pub counter: Option<Counter>,
}

/// What sort of numbers a metric has, which says how it is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A subject did or did not: χ², or Fisher's test where few did.
    Conversion,
    /// A number whose mean matters: Welch's t-test.
    Mean,
    /// A number whose mean says little, with few but huge values say: the Mann-Whitney test.
    Rank,
    /// One of several answers without an order: χ².
    Category,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// What a metric's answer is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It decides.
    #[default]
    Primary,
    /// It must not become worse by more than its margin.
    Guardrail,
    /// It gives ideas, and decides nothing.
    Exploratory,
}

/// What an empty cell means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// That the data are broken.
    #[default]
    Refuse,
    /// That the subject does not count for this metric.
    LeaveOut,
    /// Nothing: none bought, so none spent.
    Zero,
}

/// A look before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// When.
    pub at: Timestamp,
    /// How many subjects there were.
    pub subjects: u64,
}

/// Where the numbers are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "layout", rename_all = "snake_case", deny_unknown_fields)]
pub enum Data {
    /// A file with a row for each subject.
    Subjects {
        /// The column that says which arm.
        arm: String,
        /// The column that says who. Without it nobody is recognised who is there twice.
        #[serde(default)]
        subject: Option<String>,
    },
    /// A file with a row for each arm.
    Counts {
        /// The column that says which arm.
        arm: String,
        /// The column that says how many subjects.
        subjects: String,
    },
    /// CloudWatch.
    Cloudwatch {
        /// From this whole hour on.
        from: Timestamp,
        /// Up to this whole hour.
        to: Timestamp,
        /// What counts the subjects.
        subjects: Counter,
    },
}

/// A metric of CloudWatch that counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub metric: String,
    /// Its dimensions. `{arm}` in a value becomes the arm's key.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
}

/// A difference: in percentage points, as a part of the control's value, or in the metric's own unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Effect {
    /// `0.5pp`: a difference of shares, here as a share.
    Points(f64),
    /// `10%`: a part of the control's value.
    Relative(f64),
    /// `1.5`: as the metric is measured.
    Absolute(f64),
}

/// Why a text is no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no effect: write 0.5pp for percentage points, 10% for a part of the control's, or 1.5")]
pub struct InvalidEffect(String);

impl FromStr for Effect {
    type Err = InvalidEffect;

    fn from_str(text: &str) -> Result<Self, InvalidEffect> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let trimmed = text.trim();
        let effect = if let Some(points) = trimmed.strip_suffix("pp") {
            number(points).map(|points| Self::Points(points / 100.0))
        } else if let Some(percent) = trimmed.strip_suffix('%') {
            number(percent).map(|percent| Self::Relative(percent / 100.0))
        } else {
            number(trimmed).map(Self::Absolute)
        };
        effect.ok_or_else(|| InvalidEffect(text.to_owned()))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredfold = |part: f64| (part * 1e10).round() / 1e8;
        match self {
            Self::Points(part) => write!(f, "{}pp", hundredfold(*part)),
            Self::Relative(part) => write!(f, "{}%", hundredfold(*part)),
            Self::Absolute(value) => write!(f, "{value}"),
        }
    }
}

impl TryFrom<String> for Effect {
    type Error = InvalidEffect;

    fn try_from(text: String) -> Result<Self, InvalidEffect> {
        text.parse()
    }
}

impl From<Effect> for String {
    fn from(effect: Effect) -> Self {
        effect.to_string()
    }
}

impl Effect {
    /// How much it is where the control's value is this.
    pub fn on(self, control: f64) -> f64 {
        match self {
            Self::Points(value) | Self::Absolute(value) => value,
            Self::Relative(part) => part * control.abs(),
        }
    }

    pub(super) fn amount(self) -> f64 {
        match self {
            Self::Points(value) | Self::Absolute(value) | Self::Relative(value) => value,
        }
    }
}

fn five_percent() -> Probability {
    Probability::FIVE_PERCENT
}

impl Experiment {
    /// Reads a document, and checks every rule that it can be checked against without data.
    pub fn parse(document: &str) -> Result<Self, Vec<Violation>> {
        let json = &mut serde_json::Deserializer::from_str(document);
        let experiment: Self = serde_path_to_error::deserialize(&mut *json).map_err(|error| {
            vec![Violation::new(error.path().to_string(), "not valid", error.inner().to_string())]
        })?;
        json.end().map_err(|error| vec![Violation::new(".", "not valid", error.to_string())])?;
        let violations = rules::violations(&experiment);
        if violations.is_empty() { Ok(experiment) } else { Err(violations) }
    }

    /// The arms that are compared with the first.
    pub fn treatments(&self) -> impl Iterator<Item = (usize, &Arm)> {
        self.arms.iter().enumerate().skip(1)
    }

    /// How many answers decide, which share the accepted chance of a wrong one.
    pub fn deciding(&self) -> u32 {
        let primary = self.metrics.iter().filter(|metric| metric.role == Role::Primary).count();
        u32::try_from(primary * (self.arms.len() - 1)).unwrap_or(u32::MAX)
    }
}
