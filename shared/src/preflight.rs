//! The checks before a release moves traffic, and again before it completes.

use serde::{Deserialize, Serialize};

/// A check and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked, by a stable name.
    pub name: String,
    /// How it went.
    pub outcome: Outcome,
    /// What was found, with its numbers.
    pub detail: String,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it must be.
    Passed,
    /// Worth knowing; it stops nothing.
    Noted,
    /// Not as it must be, and waived by a person.
    Waived,
    /// Not as it must be: the release does not begin.
    Failed,
}
