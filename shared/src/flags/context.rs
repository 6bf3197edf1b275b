//! What is known of whom or what a flag is asked for.

use semver::Version;
use serde_json::Value;

/// A context has no more attributes.
pub const ATTRIBUTES_MAX: usize = 64;
/// An attribute's name is no longer, in characters.
pub const ATTRIBUTE_NAME_LENGTH_MAX: usize = 64;
/// An attribute's text is no longer, in characters.
pub const ATTRIBUTE_TEXT_LENGTH_MAX: usize = 1024;

/// JavaScript and JSON keep whole numbers exactly up to here; past it two different ids become one.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// Attributes by name: texts, numbers, true and false. A null is an attribute that is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Sorted by name.
    attributes: Vec<(Box<str>, Attribute)>,
}

/// An attribute, with what rules compare it as made ready, so that evaluating a flag allocates nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    Text { text: Box<str>, version: Option<Version> },
    Number { number: f64, subject: Option<Box<str>> },
    Boolean(bool),
}

impl Attribute {
    /// The text that flags are sticky to: a text that is not empty, or a whole number in decimal digits.
    pub(super) fn subject(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text.as_ref()).filter(|text| !text.is_empty()),
            Self::Number { subject, .. } => subject.as_deref(),
            Self::Boolean(_) => None,
        }
    }
}

/// Why a value is no context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// It is no object.
    #[error("the context is {found}, not an object of attributes")]
    NotAnObject {
        /// What it is instead.
        found: &'static str,
    },
    /// It has too many attributes.
    #[error("the context has {count} attributes; it may have {ATTRIBUTES_MAX}")]
    TooManyAttributes {
        /// How many.
        count: usize,
    },
    /// An attribute has no name, or too long a one.
    #[error("an attribute's name is {length} characters long: it has 1 to {ATTRIBUTE_NAME_LENGTH_MAX}")]
    NameLength {
        /// How long.
        length: usize,
    },
    /// An attribute's text is too long.
    #[error("attribute `{attribute}` is {length} characters long; it may have {ATTRIBUTE_TEXT_LENGTH_MAX}")]
    TextLength {
        /// Which.
        attribute: String,
        /// How long.
        length: usize,
    },
    /// An attribute is no text, number, true or false.
    #[error("attribute `{attribute}` is {found}: it must be a text, a number, true or false")]
    Nested {
        /// Which.
        attribute: String,
        /// What it is instead.
        found: &'static str,
    },
    /// A whole number is too large to be told from its neighbours.
    #[error(
        "attribute `{attribute}` is {number}, which a JSON number does not hold exactly: send it as a text"
    )]
    Imprecise {
        /// Which.
        attribute: String,
        /// The number as it was sent.
        number: String,
    },
}

impl Context {
    /// Reads the context of a request.
    pub fn read(value: &Value) -> Result<Self, ContextError> {
        let Value::Object(members) = value else {
            return Err(ContextError::NotAnObject { found: kind(value) });
        };
        if members.len() > ATTRIBUTES_MAX {
            return Err(ContextError::TooManyAttributes { count: members.len() });
        }
        let mut attributes = Vec::with_capacity(members.len());
        for (name, value) in members {
            let length = name.chars().count();
            if !(1..=ATTRIBUTE_NAME_LENGTH_MAX).contains(&length) {
                return Err(ContextError::NameLength { length });
            }
            if let Some(attribute) = attribute(name, value)? {
                attributes.push((name.as_str().into(), attribute));
            }
        }
        // Another crate's choice of features decides in which order JSON objects come.
        attributes.sort_unstable_by(|(one, _): &(Box<str>, _), (other, _)| one.cmp(other));
        Ok(Self { attributes })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Attribute> {
        let index = self.attributes.binary_search_by(|(other, _)| other.as_ref().cmp(name)).ok()?;
        self.attributes.get(index).map(|(_, attribute)| attribute)
    }
}

fn attribute(name: &str, value: &Value) -> Result<Option<Attribute>, ContextError> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(Attribute::Boolean(*value))),
        Value::Number(value) => {
            let whole = value.as_u64().or_else(|| value.as_i64().map(i64::unsigned_abs));
            if whole.is_some_and(|whole| whole > EXACT_MAX) {
                let number = value.to_string();
                return Err(ContextError::Imprecise { attribute: name.to_owned(), number });
            }
            let Some(number) = value.as_f64() else { return Ok(None) };
            let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX as f64;
            let subject = is_whole.then(|| (number as i64).to_string().into_boxed_str());
            Ok(Some(Attribute::Number { number, subject }))
        }
        Value::String(text) => {
            let length = text.chars().count();
            if length > ATTRIBUTE_TEXT_LENGTH_MAX {
                return Err(ContextError::TextLength { attribute: name.to_owned(), length });
            }
            let version = Version::parse(text).ok();
            Ok(Some(Attribute::Text { text: text.as_str().into(), version }))
        }
        Value::Array(_) | Value::Object(_) => {
            Err(ContextError::Nested { attribute: name.to_owned(), found: kind(value) })
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
