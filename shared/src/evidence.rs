//! What is kept for the review afterwards: what was seen, what was decided and why, and what was done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::Generation;
use crate::signal::Signal;
use crate::situation::Situation;

/// The record of one answer to one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The release that it is about, if there is one.
    pub generation: Option<Generation>,
    /// What it is about: `rollback`, `hold`, `failure`.
    pub kind: String,
    /// What was received, with the datapoints that CloudWatch sent.
    pub signal: Signal,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What was seen: the ledger's record, and every target with its versions and weights.
    pub situation: Situation,
    /// What was decided, in a sentence with its numbers.
    pub reason: String,
    /// The calls that followed, as `ripcord plan` would print them.
    pub steps: Vec<String>,
    /// When the ledger may forget it.
    pub keep_until: Timestamp,
}

/// What a version logged before it was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogExcerpt {
    /// The function and its version.
    pub source: String,
    /// The lines, oldest first.
    pub lines: Vec<String>,
    /// Why there are none, if they could not be read.
    pub unread_because: Option<String>,
}

/// Where the evidence of a release lies in the ledger; one place per release and kind, so that a retry overwrites.
pub fn evidence_key(generation: Option<Generation>, kind: &str, at: Timestamp) -> String {
    match generation {
        Some(generation) => format!("{:010}#{kind}", generation.0),
        None => format!("unreleased#{kind}#{at}"),
    }
}
