//! The checks before a release moves traffic, and again before it completes.
//!
//! What was observed comes in as [`Facts`], and what follows goes out as a [`Conclusion`]. Nothing here calls, waits or reads
//! a clock. A fact that could not be seen never passes a check, unless the check stops nothing anyway. Nothing here concerns
//! a rollback: no freeze, no barrier and no failing check keeps traffic from going back.

use serde::{Deserialize, Serialize};

mod alarms;
mod answers;
mod conclusion;
mod dead_letters;
mod demands;
mod facts;
mod subject;
mod target;
mod traffic;

pub use answers::check_health;
pub(crate) use conclusion::verdict;
pub use conclusion::{
    Conclusion, decide_hook_after, decide_hook_before, decide_preflight, decide_verification,
};
pub use dead_letters::QueueLength;
pub use facts::{Answers, Facts, GuardState, HealthAnswer, Seen, SmokeAnswer, Unseen, VersionState};
pub use subject::{PreflightRequest, Standing, Subject, Surroundings, When, standing};
pub use traffic::TrafficHistory;

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

/// How a check went; what weighs more comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// One thing that a check has found. A check is as bad as the worst of them.
struct Remark {
    outcome: Outcome,
    detail: String,
}

impl Remark {
    fn passed(detail: impl ToString) -> Self {
        Self { outcome: Outcome::Passed, detail: detail.to_string() }
    }

    fn noted(detail: impl ToString) -> Self {
        Self { outcome: Outcome::Noted, detail: detail.to_string() }
    }

    fn failed(detail: impl ToString) -> Self {
        Self { outcome: Outcome::Failed, detail: detail.to_string() }
    }

    /// A remark of this name alone.
    fn of(self, name: &str) -> Check {
        Check { name: name.to_owned(), outcome: self.outcome, detail: self.detail }
    }
}

impl Check {
    /// A check from everything that it has found, the worst first.
    fn of(name: &str, mut remarks: Vec<Remark>) -> Self {
        remarks.sort_by_key(|remark| std::cmp::Reverse(remark.outcome));
        Self {
            name: name.to_owned(),
            outcome: remarks.first().map_or(Outcome::Passed, |worst| worst.outcome),
            detail: remarks.into_iter().map(|remark| remark.detail).collect::<Vec<_>>().join("; "),
        }
    }
}

/// Somebody else's words at a length that a person reads.
fn cut(text: &str) -> String {
    const LENGTH_MAX: usize = 200;
    match text.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
