//! A configuration of AppConfig. Its versions are the numbers of hosted versions, or the names of stored ones.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Blocked, Wanted, Way};
use crate::names::PlainName;

/// Which configuration, where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The application's id.
    pub application: PlainName,
    /// The environment's id.
    pub environment: PlainName,
    /// The configuration profile's id.
    pub profile: PlainName,
    /// The deployment strategy for a way back by a new deployment; AWS's own `AppConfig.AllAtOnce` where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<PlainName>,
    /// Flags that are switched off on every way back of the service, whether or not the release has changed them. Without
    /// any, the configuration goes back as a whole when a release has moved it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags_off: Vec<PlainName>,
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
pub fn way(_place: &Profile, _seen: &Seen, _wanted: &Wanted) -> Way {
    Way::Blocked(Blocked::State { state: "unknown".to_owned(), why: "it is not looked at yet".to_owned() })
}

/// How the flags that are switched off on every way back get there.
pub fn flags_off(_place: &Profile, _seen: &Seen) -> Way {
    Way::There
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

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "appconfig:{}/{}/{}", self.application, self.environment, self.profile)
    }
}
