//! An alias of a state machine. Its versions are the numbers of published versions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Blocked, Wanted, Way};
use crate::names::Arn;

/// Which alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The alias's ARN.
    pub state_machine_alias: Arn,
}

/// What is seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {}

/// The AWS actions that looking at it needs, as IAM names them.
pub const OBSERVED: &[&str] = &[];

/// A call that moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {}

/// How it gets from what was seen to what is wanted.
pub fn way(_place: &Alias, _seen: &Seen, _wanted: &Wanted) -> Way {
    Way::Blocked(Blocked::State { state: "unknown".to_owned(), why: "it is not looked at yet".to_owned() })
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match *self {}
    }
}

impl fmt::Display for Call {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "states:{}", self.state_machine_alias)
    }
}
