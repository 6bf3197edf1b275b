//! What there is to decide on: what the ledger says and what AWS says, observed together.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::deployment::Deployments;
use crate::names::{AlarmArn, AliasName, FunctionName, Generation, RevisionId, TargetName, Version};
use crate::place::Live;
use crate::registration::Registration;
use crate::release::{KnownGood, PastRollback, Release, Report};
use crate::traffic::Traffic;

/// What the ledger holds on one service: the answer of one query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// What the team registered.
    pub registration: Registration,
    /// How often it was registered; a registration names the number that it replaces.
    pub registration_version: u64,
    /// The latest release, whatever its phase.
    pub release: Option<Release>,
    /// Rollbacks that still count or quarantine.
    pub rollbacks: Vec<PastRollback>,
    /// The last known good version of each target.
    pub known_good: Vec<KnownGood>,
    /// The transitions of alarms that were already answered without a rollback.
    pub heard: Vec<Heard>,
}

impl ServiceRecord {
    /// How many releases were put back of late without anybody's asking.
    pub fn recent_rollbacks(&self, now: Timestamp) -> u32 {
        let minutes = self.registration.rollback.rollbacks_window_minutes;
        let window = SignedDuration::from_mins(i64::from(minutes));
        let is_recent =
            |rollback: &&PastRollback| rollback.automatic && now.duration_since(rollback.at) <= window;
        let releases: BTreeSet<Generation> =
            self.rollbacks.iter().filter(is_recent).map(|rollback| rollback.generation).collect();
        u32::try_from(releases.len()).unwrap_or(u32::MAX)
    }
}

/// A transition of an alarm that was answered without a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    /// Which, by [`heard_key`].
    pub key: String,
    /// Whether people have been told.
    pub report: Report,
}

/// Names one transition of an alarm, so that its repetition is recognised.
pub fn heard_key(alarm: &AlarmArn, changed_at: Timestamp) -> String {
    format!("{}@{changed_at}", alarm.name())
}

/// A service, and what its targets are seen to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Situation {
    /// The ledger's side.
    pub record: ServiceRecord,
    /// The live side, by target.
    pub live: BTreeMap<TargetName, Sighting>,
    /// CodeDeploy's side: what it says of the deployments that matter here. Empty where it moves nothing.
    #[serde(default, skip_serializing_if = "Deployments::is_empty")]
    pub deployments: Deployments,
}

impl Situation {
    /// What was seen at once. A place that splits its traffic between two versions may name either first; it is compared with
    /// what the ledger says, so the one that its release goes back to comes first here.
    pub fn seen(
        record: ServiceRecord,
        mut live: BTreeMap<TargetName, Sighting>,
        deployments: Deployments,
    ) -> Self {
        for change in record.release.iter().flat_map(|release| &release.changes) {
            if let Some(Sighting::Place(live)) = live.get_mut(&change.target) {
                live.traffic = live.traffic.naming_first(change.stable);
            }
        }
        Self { record, live, deployments }
    }
}

/// What was seen of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sighting {
    /// The alias as it is.
    Alias(LiveAlias),
    /// Any other place as it is.
    Place(Box<Live>),
    /// There is no such place.
    Missing,
    /// It could not be looked at.
    Unseen {
        /// Why.
        why: String,
    },
}

impl Sighting {
    /// What it serves, if that was seen.
    pub fn traffic(&self) -> Option<Traffic> {
        match self {
            Self::Alias(live) => Some(live.traffic),
            Self::Place(live) => Some(live.traffic),
            Self::Missing | Self::Unseen { .. } => None,
        }
    }
}

/// An alias as Lambda has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveAlias {
    /// The function.
    pub function: FunctionName,
    /// The alias.
    pub alias: AliasName,
    /// What it serves.
    pub traffic: Traffic,
    /// The token that an update must show.
    pub revision: RevisionId,
}

/// What Lambda says of a version, as far as an alias cares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionFacts {
    /// The version.
    pub version: Version,
    /// The hash of its code.
    pub code_sha256: String,
    /// `Active`, `Pending`, `Inactive` or `Failed`. A function of before 2021 may have none, and serves.
    pub state: Option<String>,
    /// The role; both versions behind an alias must have the same.
    pub role: Option<String>,
    /// The dead-letter target; likewise.
    pub dead_letter: Option<String>,
    /// How long a request may take.
    pub timeout_seconds: u32,
}
