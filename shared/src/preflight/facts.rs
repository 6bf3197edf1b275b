//! What was observed. Whatever could not be seen says why, in the place where it would stand.

use super::dead_letters::QueueLength;
use super::traffic::TrafficHistory;
use crate::signal::AlarmState;
use crate::situation::{Sighting, VersionFacts};

/// What was seen, or why it was not.
pub type Seen<T> = Result<T, Unseen>;

/// Why something could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not be seen: {why}")]
pub struct Unseen {
    /// Why.
    pub why: String,
}

impl Unseen {
    /// Not seen because of this.
    pub fn because(why: impl ToString) -> Self {
        Self { why: why.to_string() }
    }
}

/// What there is to know before a release moves traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The alias.
    pub live: Sighting,
    /// The alias that keeps the rollback target; it cannot be named if the alias's own name is too long.
    pub pin: Sighting,
    /// The version to go back to; nothing if it does not exist.
    pub stable: Seen<Option<VersionState>>,
    /// The version to release; nothing if it does not exist.
    pub candidate: Seen<Option<VersionState>>,
    /// Whether Lambda would let the version be called.
    pub invocable: Seen<()>,
    /// How much provisioned concurrency the alias and the candidate have, by what Lambda calls them.
    pub provisioned: Vec<(String, Seen<Option<u32>>)>,
    /// The guards that exist here.
    pub guards: Seen<Vec<GuardState>>,
    /// The requests to the alias of the last day; nothing where they were not asked for.
    pub history: Option<Seen<TrafficHistory>>,
    /// The dead-letter queues that are registered.
    pub dead_letters: Vec<Seen<QueueLength>>,
    /// What the service answered.
    pub answers: Answers,
}

/// What the service answered; nothing where nothing is registered to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The version, to the smoke test.
    pub smoke: Option<Seen<SmokeAnswer>>,
    /// The address that must answer.
    pub health: Option<Seen<HealthAnswer>>,
}

/// A version, as far as a release cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionState {
    /// What an alias cares about.
    pub facts: VersionFacts,
    /// `On` or `Off`: whether its SnapStart snapshot is ready. Nothing if it uses none.
    pub snapshot: Option<String>,
}

/// An alarm as CloudWatch has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardState {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its state; nothing if it is one that Ripcord does not know.
    pub state: Option<AlarmState>,
    /// Whether its actions are enabled; without them it calls nobody.
    pub actions_enabled: bool,
    /// What suppresses its actions just now, if it is a composite one.
    pub suppressed_by: Option<String>,
}

/// A version's answer to the smoke test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmokeAnswer {
    /// `Handled` or `Unhandled`, if it failed.
    pub function_error: Option<String>,
    /// What it answered.
    pub payload: String,
}

/// An address's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthAnswer {
    /// The status.
    pub status: u16,
    /// Where it sends its callers instead.
    pub location: Option<String>,
    /// How its body begins.
    pub body: String,
}
