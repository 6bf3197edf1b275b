//! A listener or a rule of an Application Load Balancer. Its versions are two target groups, by their names.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Blocked, Wanted, Way};
use crate::names::Arn;

/// Which listener or rule, and the two groups that releases take turns in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// The ARN of the listener, whose default action forwards, or of the rule.
    pub rule: Arn,
    /// The ARNs of the two target groups.
    pub target_groups: [Arn; 2],
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
pub fn way(_place: &Forward, _seen: &Seen, _wanted: &Wanted) -> Way {
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

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "elb:{}", self.rule)
    }
}
