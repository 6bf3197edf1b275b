//! A release as the ledger keeps it, and the one table of how its phase may change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::deployment::Deployment;
use crate::names::{Generation, RevisionId, ServiceName, TargetName, Version, Weight};
use crate::pipeline::Run;

mod cord;

pub use cord::{Commit, CommitId, Cord, PulledBy};

/// One attempt to move a service from its stable to its candidate versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The service.
    pub service: ServiceName,
    /// Which attempt; only grows.
    pub generation: Generation,
    /// How often the record has been written. Every write names the number it read, so that none is built on a stale read.
    pub seq: u64,
    /// How far it has come.
    pub phase: Phase,
    /// When it was opened. A signal from before was not about it.
    pub opened_at: Timestamp,
    /// Who opened it.
    pub opened_by: String,
    /// What it changes, one entry per target that it has touched.
    pub changes: Vec<Change>,
    /// When it completed, was rolled back, failed to be, or was held.
    pub ended_at: Option<Timestamp>,
    /// Why it ended as it did.
    pub ended_because: Option<String>,
    /// Whether people have been told how it ended.
    pub report: Report,
    /// When a candidate was first meant to have traffic. A release that ends before it has harmed nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_at: Option<Timestamp>,
    /// The execution that drives it, if a state machine does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<Run>>,
    /// Why its places are being put back, from the first call on until that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub going_back: Option<Box<GoingBack>>,
    /// The deployment that moves its traffic, if CodeDeploy does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Box<Deployment>>,
    /// Who or what said last that it has to go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cord: Option<Box<Cord>>,
    /// The commit that it brings, if whoever opened it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Box<Commit>>,
}

/// Why the places of a release are being put back. AWS may take longer over it than any invocation lives, and whoever is told
/// that it is done must close the books for that reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoingBack {
    /// The version that a person named instead of the stable one.
    pub to: Option<Version>,
    /// Why, in a sentence with its numbers.
    pub why: String,
    /// Whether nobody asked for it.
    pub automatic: bool,
    /// Whether the version was found to be bad.
    pub found_bad: bool,
}

/// What a release does to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The target.
    pub target: TargetName,
    /// The version to go back to.
    pub stable: Version,
    /// The version being released.
    pub candidate: Version,
    /// The hash of the candidate's code, which tells the same code under another number.
    pub artefact: Option<String>,
    /// The candidate's share as last confirmed.
    pub weight: Weight,
    /// A shift of an alias that was decided and not yet confirmed.
    pub intent: Option<Intent>,
    /// A call to a place that compares nothing, by an invocation that may still be at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// A claim on a place where AWS compares nothing: written on condition before the call, and over with the invocation that
/// holds it. Whoever takes over looks at what has become of the call, and repeats nothing that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The candidate's share to be; none on the way back.
    pub weight: Weight,
    /// When the invocation that holds it will have ended, whatever happens.
    pub until: Timestamp,
    /// When the shift will have ended whose claim this one was written over: a way back waits for nobody, and must remember
    /// until when that shift may still land.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_until: Option<Timestamp>,
}

/// A shift on its way. The revision is the alias as it was when the shift was decided: if the alias has another one and
/// not this weight, somebody else came between, and the shift must not be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The candidate's share to be.
    pub weight: Weight,
    /// The alias's revision that the shift replaces.
    pub revision: RevisionId,
}

/// Whether people have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Report {
    /// Nothing to tell.
    NotDue,
    /// Being told by an invocation that may work until then; whoever comes later takes over.
    Leased {
        /// The end of that invocation.
        until: Timestamp,
    },
    /// Told.
    Sent {
        /// When.
        at: Timestamp,
    },
}

/// How far a release has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Traffic is moving to the candidate.
    Shifting,
    /// The candidate has all traffic.
    Complete,
    /// Traffic was put back.
    RolledBack,
    /// Traffic should have been put back and is not. A person has been paged; the next signal tries again.
    RollbackFailed,
    /// Ripcord would not touch traffic and has paged a person.
    Held,
    /// It ended before its candidate had any traffic.
    Withdrawn,
}

/// What can happen to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A shift was decided or confirmed.
    Shifted,
    /// Every target has all its traffic on the candidate.
    Promoted,
    /// Traffic is back on stable.
    TrafficRestored,
    /// Putting traffic back failed.
    RestoreFailed,
    /// Putting traffic back was ruled out.
    HeldBack,
    /// It was given up before its candidate had any traffic.
    GivenUp,
}

/// A change of phase that the table does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a release that is {phase} cannot be {event:?}")]
pub struct IllegalTransition {
    /// The phase it is in.
    pub phase: Phase,
    /// What was to happen.
    pub event: Event,
}

impl Phase {
    /// Every phase.
    pub const EVERY: [Self; 6] =
        [Self::Shifting, Self::Complete, Self::RolledBack, Self::RollbackFailed, Self::Held, Self::Withdrawn];

    /// The transition table. What is not listed cannot happen.
    pub fn after(self, event: Event) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Shifting, Event::Shifted) => Ok(Self::Shifting),
            (Self::Shifting, Event::Promoted) => Ok(Self::Complete),
            (Self::Shifting | Self::Held, Event::GivenUp) => Ok(Self::Withdrawn),
            // A person has looked, and takes the release further: past a barrier the only way is forward.
            (Self::Held, Event::Shifted) => Ok(Self::Shifting),
            (Self::Shifting | Self::Complete | Self::RollbackFailed | Self::Held, Event::TrafficRestored) => {
                Ok(Self::RolledBack)
            }
            (Self::Shifting | Self::Complete | Self::RollbackFailed | Self::Held, Event::RestoreFailed) => {
                Ok(Self::RollbackFailed)
            }
            (Self::Shifting | Self::Complete | Self::RollbackFailed, Event::HeldBack) => Ok(Self::Held),
            (
                Self::RolledBack | Self::Withdrawn,
                Event::Shifted
                | Event::Promoted
                | Event::TrafficRestored
                | Event::RestoreFailed
                | Event::HeldBack
                | Event::GivenUp,
            )
            | (Self::Complete | Self::RollbackFailed, Event::Shifted | Event::Promoted | Event::GivenUp)
            | (Self::Held, Event::Promoted | Event::HeldBack) => {
                Err(IllegalTransition { phase: self, event })
            }
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Shifting => "shifting",
            Self::Complete => "complete",
            Self::RolledBack => "rolled back",
            Self::RollbackFailed => "not rolled back although it should be",
            Self::Held => "held",
            Self::Withdrawn => "withdrawn",
        })
    }
}

impl Release {
    /// The change of this target.
    pub fn change(&self, target: &TargetName) -> Option<&Change> {
        self.changes.iter().find(|change| change.target == *target)
    }

    /// The target that a state machine drives: the one that it opened the release with. A person may join others.
    pub fn driven(&self) -> Option<&TargetName> {
        self.run.as_ref().and_then(|_| self.changes.first()).map(|change| &change.target)
    }

    /// Whether every candidate has all traffic.
    pub fn has_all_traffic(&self) -> bool {
        self.changes.iter().all(Change::is_on_candidate)
    }

    /// Whether it ends before any candidate was meant to have traffic. The weights are asked, too: a record from before
    /// `traffic_at` was kept does not have it.
    pub fn had_no_traffic(&self) -> bool {
        let is_bare = |change: &Change| change.weight == Weight::NONE && change.intent.is_none();
        self.traffic_at.is_none() && self.changes.iter().all(is_bare)
    }

    /// From the commit to the release being complete; nothing if it is not complete, or the commit's time is not known.
    pub fn lead_time(&self) -> Option<jiff::SignedDuration> {
        let committed_at = self.commit.as_ref()?.at?;
        let ended_at = self.ended_at.filter(|_| self.phase == Phase::Complete)?;
        Some(ended_at.duration_since(committed_at))
    }

    /// The record after `event`: the next phase, one write further.
    pub fn after(
        &self,
        event: Event,
        now: Timestamp,
        because: impl Into<Option<String>>,
    ) -> Result<Self, IllegalTransition> {
        let phase = self.phase.after(event)?;
        let mut after = Self { phase, seq: self.seq + 1, ..self.clone() };
        match event {
            Event::Shifted => {
                after.ended_at = None;
                after.ended_because = None;
            }
            Event::Promoted
            | Event::TrafficRestored
            | Event::RestoreFailed
            | Event::HeldBack
            | Event::GivenUp => {
                after.ended_at = Some(now);
                after.ended_because = because.into();
                // Nobody is waited for any more, and the token is of no more use.
                if let Some(run) = &mut after.run {
                    run.awaiting = None;
                }
            }
        }
        Ok(after)
    }

    /// The same record with another state of the execution that drives it.
    pub fn running(&self, run: Run) -> Self {
        Self { seq: self.seq + 1, run: Some(Box::new(run)), ..self.clone() }
    }

    /// The same record with another state of its report.
    pub fn reported(&self, report: Report) -> Self {
        Self { seq: self.seq + 1, report, ..self.clone() }
    }
}

impl Change {
    /// Whether its candidate is confirmed to have all traffic, and nothing is about to change that.
    pub fn is_on_candidate(&self) -> bool {
        self.weight == Weight::ALL && self.intent.is_none() && self.claim.is_none()
    }

    /// When a shift that holds a claim, or held it before a way back took it over, will have ended, if that is still to come:
    /// until then it may land.
    pub fn shifts_until(&self, now: Timestamp) -> Option<Timestamp> {
        let claim = self.claim?;
        let own = (claim.weight != Weight::NONE).then_some(claim.until);
        own.max(claim.shift_until).filter(|until| now < *until)
    }

    /// Whether a shift that was decided on an alias at `revision` may still be under way. It need not be the one that the
    /// intent names: that may have replaced the intent of another, which is slow and holds the same revision.
    pub fn may_still_shift(&self, revision: &RevisionId) -> bool {
        self.intent.as_ref().is_some_and(|intent| intent.revision == *revision)
    }
}

/// A rollback that took place: it quarantines the candidate, and counts against the limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastRollback {
    /// The release.
    pub generation: Generation,
    /// The target.
    pub target: TargetName,
    /// The version that was taken back.
    pub version: Version,
    /// The hash of its code.
    pub artefact: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether nobody asked for it.
    pub automatic: bool,
    /// Whether the version was found to be bad, so that it is refused for a while. A release that nobody approved, or that
    /// could not be proved, says nothing against its version.
    #[serde(default = "found_bad")]
    pub quarantines: bool,
    /// Why.
    pub reason: String,
}

/// What every rollback meant before some did not.
fn found_bad() -> bool {
    true
}

/// The version of a target that last completed a release or was registered as stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownGood {
    /// The target.
    pub target: TargetName,
    /// The version.
    pub version: Version,
    /// Since when.
    pub since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phases_change_only_as_the_table_says() {
        let events = [
            Event::Shifted,
            Event::Promoted,
            Event::TrafficRestored,
            Event::RestoreFailed,
            Event::HeldBack,
            Event::GivenUp,
        ];
        let mut table = String::new();
        for phase in Phase::EVERY {
            for event in events {
                let after = phase.after(event).map_or("-".to_owned(), |after| format!("{after:?}"));
                table.push_str(&format!("{phase:?} + {event:?} = {after}\n"));
            }
        }
        let expected = "\
Shifting + Shifted = Shifting
Shifting + Promoted = Complete
Shifting + TrafficRestored = RolledBack
Shifting + RestoreFailed = RollbackFailed
Shifting + HeldBack = Held
Shifting + GivenUp = Withdrawn
Complete + Shifted = -
Complete + Promoted = -
Complete + TrafficRestored = RolledBack
Complete + RestoreFailed = RollbackFailed
Complete + HeldBack = Held
Complete + GivenUp = -
RolledBack + Shifted = -
RolledBack + Promoted = -
RolledBack + TrafficRestored = -
RolledBack + RestoreFailed = -
RolledBack + HeldBack = -
RolledBack + GivenUp = -
RollbackFailed + Shifted = -
RollbackFailed + Promoted = -
RollbackFailed + TrafficRestored = RolledBack
RollbackFailed + RestoreFailed = RollbackFailed
RollbackFailed + HeldBack = Held
RollbackFailed + GivenUp = -
Held + Shifted = Shifting
Held + Promoted = -
Held + TrafficRestored = RolledBack
Held + RestoreFailed = RollbackFailed
Held + HeldBack = -
Held + GivenUp = Withdrawn
Withdrawn + Shifted = -
Withdrawn + Promoted = -
Withdrawn + TrafficRestored = -
Withdrawn + RestoreFailed = -
Withdrawn + HeldBack = -
Withdrawn + GivenUp = -
";
        assert_eq!(table, expected);
    }
}
