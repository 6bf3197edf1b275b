//! What a rule asks of an attribute.

use std::cmp::Ordering;

use semver::Version;

use super::bucket::{Draw, InvalidShare, Share};
use super::context::Attribute;

/// How a rule compares its attribute with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is the one value.
    Equals,
    /// It is there, and is not the one value.
    NotEquals,
    /// It is one of the values.
    In,
    /// It is there, and is none of the values.
    NotIn,
    /// It has one of the texts in it.
    Contains,
    /// It begins with one of the texts.
    StartsWith,
    /// It ends with one of the texts.
    EndsWith,
    /// It is above the one value: both numbers, or both semantic versions.
    Greater,
    /// It is below the one value: both numbers, or both semantic versions.
    Less,
    /// It is there, or with the value `false`, it is not.
    Exists,
    /// Its bucket lies in the share of so many percent.
    Percentage,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 11] = [
        Self::Equals,
        Self::NotEquals,
        Self::In,
        Self::NotIn,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::Less,
        Self::Exists,
        Self::Percentage,
    ];

    /// Its name in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::NotEquals => "not_equals",
            Self::In => "in",
            Self::NotIn => "not_in",
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Greater => "greater",
            Self::Less => "less",
            Self::Exists => "exists",
            Self::Percentage => "percentage",
        }
    }
}

/// One of a rule's values, as it stands in the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Number(f64),
    Boolean(bool),
}

/// An operator with its values, made ready for comparing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Among { values: Values, is_negated: bool },
    Contains(Vec<Box<str>>),
    StartsWith(Vec<Box<str>>),
    EndsWith(Vec<Box<str>>),
    Number { wanted: Ordering, bound: f64 },
    Version { wanted: Ordering, bound: Version },
    Exists(bool),
    Percentage(Share),
}

/// Values by their type, sorted: a text is never equal to a number that looks like it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values {
    texts: Vec<Box<str>>,
    numbers: Vec<f64>,
    booleans: Vec<bool>,
}

impl Values {
    fn of(values: Vec<Scalar>) -> Self {
        let mut sorted = Self::default();
        for value in values {
            match value {
                Scalar::Text(text) => sorted.texts.push(text.into()),
                // Zero has two forms that are equal and not in the same place of the order.
                Scalar::Number(number) => sorted.numbers.push(number + 0.0),
                Scalar::Boolean(boolean) => sorted.booleans.push(boolean),
            }
        }
        sorted.texts.sort_unstable();
        sorted.numbers.sort_unstable_by(f64::total_cmp);
        sorted
    }

    fn hold(&self, attribute: &Attribute) -> bool {
        match attribute {
            Attribute::Text { text, .. } => self.texts.binary_search(text).is_ok(),
            Attribute::Number { number, .. } => {
                self.numbers.binary_search_by(|other| other.total_cmp(&(number + 0.0))).is_ok()
            }
            Attribute::Boolean(boolean) => self.booleans.contains(boolean),
        }
    }
}

const TEXTS: &str = "texts, one or more, and none of them empty";

/// Why an operator and its values do not go together: the rule's name, and what is wrong.
pub(super) type Mismatch = (&'static str, String);

impl Condition {
    pub(super) fn of(operator: Operator, mut values: Vec<Scalar>) -> Result<Self, Mismatch> {
        let count = values.len();
        let wrong = |wants: &str| Err(("operator-values", format!("`{}` takes {wants}", operator.name())));
        let only = if count == 1 { values.pop() } else { None };
        match operator {
            Operator::Equals | Operator::NotEquals => match only {
                Some(value) => Ok(Self::Among {
                    values: Values::of(vec![value]),
                    is_negated: operator == Operator::NotEquals,
                }),
                None => wrong(&format!("one value, not {count}; `in` and `not_in` take several")),
            },
            Operator::In | Operator::NotIn => {
                values.extend(only);
                if values.is_empty() {
                    return wrong("one value or more");
                }
                Ok(Self::Among { values: Values::of(values), is_negated: operator == Operator::NotIn })
            }
            Operator::Contains => texts(values, only).map(Self::Contains).map_or_else(|| wrong(TEXTS), Ok),
            Operator::StartsWith => {
                texts(values, only).map(Self::StartsWith).map_or_else(|| wrong(TEXTS), Ok)
            }
            Operator::EndsWith => texts(values, only).map(Self::EndsWith).map_or_else(|| wrong(TEXTS), Ok),
            Operator::Greater | Operator::Less => {
                let wanted = if operator == Operator::Greater { Ordering::Greater } else { Ordering::Less };
                match only {
                    Some(Scalar::Number(bound)) => Ok(Self::Number { wanted, bound }),
                    Some(Scalar::Text(text)) => match Version::parse(&text) {
                        Ok(bound) => Ok(Self::Version { wanted, bound }),
                        Err(error) => wrong(&format!(
                            "a number or a semantic version like \"2.1.0\"; {text:?} is neither: {error}"
                        )),
                    },
                    Some(Scalar::Boolean(_)) | None => wrong("one number or one semantic version"),
                }
            }
            Operator::Exists => match only {
                None if count == 0 => Ok(Self::Exists(true)),
                Some(Scalar::Boolean(wanted)) => Ok(Self::Exists(wanted)),
                Some(Scalar::Text(_) | Scalar::Number(_)) | None => wrong("no value, or one true or false"),
            },
            Operator::Percentage => match only {
                Some(Scalar::Number(percent)) => {
                    Share::of_percent(percent).map(Self::Percentage).map_err(|error| error.said_of(percent))
                }
                Some(Scalar::Text(_) | Scalar::Boolean(_)) | None => wrong("one number from 0 to 100"),
            },
        }
    }

    /// Whether the attribute is as the rule wants it. Only `exists` is ever true of one that is not there.
    pub(super) fn holds(&self, attribute: Option<&Attribute>, draw: impl FnOnce(&str) -> Draw) -> bool {
        let Some(attribute) = attribute else { return matches!(self, Self::Exists(false)) };
        match self {
            Self::Among { values, is_negated } => values.hold(attribute) != *is_negated,
            Self::Contains(parts) => any(parts, attribute, |text, part| text.contains(part)),
            Self::StartsWith(parts) => any(parts, attribute, |text, part| text.starts_with(part)),
            Self::EndsWith(parts) => any(parts, attribute, |text, part| text.ends_with(part)),
            Self::Number { wanted, bound } => match attribute {
                Attribute::Number { number, .. } => number.partial_cmp(bound) == Some(*wanted),
                Attribute::Text { .. } | Attribute::Boolean(_) => false,
            },
            Self::Version { wanted, bound } => match attribute {
                Attribute::Text { version: Some(version), .. } => version.cmp_precedence(bound) == *wanted,
                Attribute::Text { version: None, .. } | Attribute::Number { .. } | Attribute::Boolean(_) => {
                    false
                }
            },
            Self::Exists(wanted) => *wanted,
            Self::Percentage(share) => {
                attribute.subject().is_some_and(|subject| share.holds(draw(subject).rollout))
            }
        }
    }
}

impl InvalidShare {
    /// The broken rule, and what is wrong.
    pub(super) fn said_of(self, percent: f64) -> Mismatch {
        match self {
            Self::Range => ("percentage-range", format!("{percent} is not between 0 and 100")),
            Self::Precision => (
                "percentage-precision",
                format!("{percent} has more than two decimals; the smallest step is 0.01"),
            ),
        }
    }
}

/// The texts, if all of them are, none is empty, and there is one.
fn texts(values: Vec<Scalar>, only: Option<Scalar>) -> Option<Vec<Box<str>>> {
    let texts: Option<Vec<Box<str>>> = values
        .into_iter()
        .chain(only)
        .map(|value| match value {
            Scalar::Text(text) if !text.is_empty() => Some(text.into_boxed_str()),
            Scalar::Text(_) | Scalar::Number(_) | Scalar::Boolean(_) => None,
        })
        .collect();
    texts.filter(|texts| !texts.is_empty())
}

fn any(parts: &[Box<str>], attribute: &Attribute, is_in: impl Fn(&str, &str) -> bool) -> bool {
    match attribute {
        Attribute::Text { text, .. } => parts.iter().any(|part| is_in(text, part)),
        Attribute::Number { .. } | Attribute::Boolean(_) => false,
    }
}
