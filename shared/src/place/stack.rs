//! A stack of CloudFormation. Its versions are digests of template and parameters.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Blocked, Wanted, Way};
use crate::names::PlainName;

/// Which stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// The stack's name.
    pub stack: PlainName,
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
pub fn way(_place: &Stack, _seen: &Seen, _wanted: &Wanted) -> Way {
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

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stack:{}", self.stack)
    }
}
