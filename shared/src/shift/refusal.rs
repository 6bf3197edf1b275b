//! Why traffic is not moved. Each refusal has its arithmetic in the message and a stable error type.

use jiff::Timestamp;

use super::list_of;
use crate::error_type::ErrorType;
use crate::names::{AliasName, DeploymentId, FunctionName, Generation, TargetName, Version, Weight};
use crate::place::Blocked;
use crate::registration::Violation;
use crate::release::{IllegalTransition, Phase};
use crate::traffic::{Traffic, WeightListError};

/// Why not.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The request is not of the form that it must have.
    #[error("the request is not valid: {why}")]
    Malformed {
        /// In which way.
        why: String,
    },
    /// Its weights are ones that Lambda would refuse.
    #[error(transparent)]
    Weights(#[from] WeightListError),
    /// It does not say which target, or names none of the service's.
    #[error("{} one of the service's targets: {}", named.as_ref().map_or("name".to_owned(), |named| format!("{named} is not")), list_of(targets))]
    TargetUnclear {
        /// The one named.
        named: Option<TargetName>,
        /// Those there are.
        targets: Vec<TargetName>,
    },
    /// It is no alias of a function, and no state machine drives it.
    #[error(
        "target {target} is not an alias of a function: a state machine cannot prove a stage of it. Shift it with ripcord weights"
    )]
    NotAnAlias {
        /// The target.
        target: TargetName,
    },
    /// No version of the target can have such a name.
    #[error("{version} cannot be a version of {place}: its versions are published numbers")]
    VersionUnlike {
        /// The place.
        place: String,
        /// The version.
        version: Version,
    },
    /// A place is not there.
    #[error("{place} does not exist")]
    PlaceMissing {
        /// The place.
        place: String,
    },
    /// A place cannot be brought where it is wanted.
    #[error("target {target} cannot be shifted: {why}")]
    Blocked {
        /// The target.
        target: TargetName,
        /// Why not.
        why: Blocked,
    },
    /// Another shift of a place may still be under way, or its rollback is.
    #[error("target {target} is being moved by another until {until} at the latest: look and try again")]
    BeingMoved {
        /// The target.
        target: TargetName,
        /// When that one's invocation will have ended.
        until: Timestamp,
    },
    /// The alias is not there.
    #[error("the alias {function}:{alias} does not exist")]
    AliasMissing {
        /// The function.
        function: FunctionName,
        /// The alias.
        alias: AliasName,
    },
    /// The alias or a version could not be looked at.
    #[error("the target could not be observed: {why}")]
    Unseen {
        /// Why not.
        why: String,
    },
    /// The release named is not the latest.
    #[error("release {asked} is not open: {}", latest.map_or("there is none".to_owned(), |latest| format!("the latest is {latest}")))]
    OtherRelease {
        /// The one named.
        asked: Generation,
        /// The latest.
        latest: Option<Generation>,
    },
    /// The release has not touched this target.
    #[error(
        "release {generation} does not change {target}: give the weights by version first, like 1:90,2:10"
    )]
    TargetUntouched {
        /// The release.
        generation: Generation,
        /// The target.
        target: TargetName,
    },
    /// Another release is in the way.
    #[error("release {generation} ({stable} to {candidate}) is open: promote it or roll it back first")]
    ReleaseOpen {
        /// The release.
        generation: Generation,
        /// Its stable version.
        stable: Version,
        /// Its candidate.
        candidate: Version,
    },
    /// The release has ended.
    #[error("release {generation} is {phase}{}", because.as_ref().map_or(String::new(), |because| format!(": {because}")))]
    Closed {
        /// The release.
        generation: Generation,
        /// How it ended.
        phase: Phase,
        /// Why.
        because: Option<String>,
    },
    /// A person has to look first.
    #[error("release {generation} is {phase}, and the service with it: {because}")]
    Held {
        /// The release.
        generation: Generation,
        /// Its phase.
        phase: Phase,
        /// Why.
        because: String,
    },
    /// Neither version of the weights is the one being served.
    #[error("the alias serves {serving}: one of two weighted versions must be the one that it serves")]
    StableNotServing {
        /// What it serves.
        serving: Traffic,
    },
    /// An earlier shift that Ripcord knows nothing of.
    #[error("the alias still serves {serving}, outside any release: clear it with {}:100 first", serving.primary)]
    LeftoverWeights {
        /// What it serves.
        serving: Traffic,
    },
    /// The alias is neither as confirmed nor as intended.
    #[error("the alias serves {serving}, but the ledger confirmed {confirmed}{}: somebody else moved it, perhaps a rollback", intended.map_or(String::new(), |intended| format!(" and intended {intended}")))]
    Drifted {
        /// What it serves.
        serving: Traffic,
        /// What the ledger confirmed.
        confirmed: Traffic,
        /// The weight that was intended.
        intended: Option<Weight>,
    },
    /// There is no such version.
    #[error("version {version} of {function} does not exist")]
    NoSuchVersion {
        /// The function.
        function: FunctionName,
        /// The version.
        version: Version,
    },
    /// The version cannot serve yet, or any more.
    #[error("version {version} of {function} is {state}, not Active")]
    NotReady {
        /// The function.
        function: FunctionName,
        /// The version.
        version: Version,
        /// Its state.
        state: String,
    },
    /// Lambda routes only between versions that are alike in some respects.
    #[error("versions {stable} and {candidate} have different {what}s: an alias cannot route to both")]
    VersionsDiffer {
        /// The stable version.
        stable: Version,
        /// The candidate.
        candidate: Version,
        /// In what they differ.
        what: &'static str,
    },
    /// A migration lies between the versions.
    #[error(
        "traffic cannot go back from version {from} to {to}: version {since} came with a migration ({migration})"
    )]
    PastBarrier {
        /// A version that is being served.
        from: Version,
        /// The older version that would gain traffic.
        to: Version,
        /// The first version that needs the migration.
        since: Version,
        /// What was migrated.
        migration: String,
    },
    /// The version, or its code, was rolled back before.
    #[error(
        "version {version} is quarantined: release {generation} with the same version or code was rolled back at {at} ({reason})"
    )]
    Quarantined {
        /// The version.
        version: Version,
        /// The release that was rolled back.
        generation: Generation,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// The way in which the release is to progress breaks rules.
    #[error("{}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Strategy {
        /// Which.
        violations: Vec<Violation>,
    },
    /// The version to release is the one being served.
    #[error("version is {version}: the alias serves that version already, so there is nothing to release")]
    SameVersion {
        /// The version.
        version: Version,
    },
    /// A state machine drives the release, and a person would come between.
    #[error(
        "release {generation} is driven by a state machine, which judges it by the weights that it planned: ripcord abort \
         puts it back, and ripcord promote with --override completes it"
    )]
    Driven {
        /// The release.
        generation: Generation,
    },
    /// CodeDeploy moves the release, and would not know of another hand.
    #[error(
        "release {generation} is moved by deployment {deployment} of CodeDeploy: let that end, or have it put back with ripcord \
         rollback"
    )]
    DrivenByCodeDeploy {
        /// The release.
        generation: Generation,
        /// The deployment.
        deployment: DeploymentId,
    },
    /// No state machine drives the release.
    #[error("release {generation} is driven by hand, not by a state machine")]
    NotDriven {
        /// The release.
        generation: Generation,
    },
    /// A stage is asked for whose turn it is not.
    #[error("stage {} of {stages} is not next: release {generation} has begun {begun}", stage + 1)]
    OutOfTurn {
        /// The release.
        generation: Generation,
        /// The stage, from 0.
        stage: usize,
        /// How many stages have begun.
        begun: usize,
        /// How many there are.
        stages: usize,
    },
    /// A person must approve first.
    #[error("stage {} of release {generation} needs a person's approval: ripcord approve", stage + 1)]
    NotApproved {
        /// The release.
        generation: Generation,
        /// The stage, from 0.
        stage: usize,
    },
    /// Too many rollbacks in too short a time.
    #[error("{count} rollbacks in {window_minutes} minutes >= limit {max}: a person has to look first")]
    TooManyRollbacks {
        /// How many there were.
        count: u32,
        /// How many may be.
        max: u32,
        /// In which time.
        window_minutes: u32,
    },
    /// The execution that asks has ended; this is a task of it that came late.
    #[error("{execution} has ended, and opens no release any more")]
    ExecutionEnded {
        /// Its ARN.
        execution: String,
    },
    /// The release takes another target along, which has not arrived.
    #[error(
        "release {generation} takes {target} along, which is not all on version {candidate} yet: it completes as a whole"
    )]
    Unfinished {
        /// The release.
        generation: Generation,
        /// The other target.
        target: TargetName,
        /// Its candidate.
        candidate: Version,
    },
    /// The phase does not allow it.
    #[error(transparent)]
    Illegal {
        /// Which transition.
        error: IllegalTransition,
    },
}

impl Refusal {
    /// The name that state machines see.
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Malformed { .. }
            | Self::Weights(_)
            | Self::TargetUnclear { .. }
            | Self::TargetUntouched { .. }
            | Self::Strategy { .. }
            | Self::SameVersion { .. }
            | Self::NotAnAlias { .. }
            | Self::VersionUnlike { .. }
            | Self::NotDriven { .. } => ErrorType::RequestInvalid,
            Self::AliasMissing { .. } | Self::PlaceMissing { .. } => ErrorType::AliasMissing,
            Self::Unseen { .. } | Self::Blocked { .. } => ErrorType::ShiftFailed,
            Self::Driven { .. }
            | Self::BeingMoved { .. }
            | Self::DrivenByCodeDeploy { .. }
            | Self::OtherRelease { .. }
            | Self::ReleaseOpen { .. }
            | Self::OutOfTurn { .. }
            | Self::Unfinished { .. } => ErrorType::ReleaseConflict,
            Self::NotApproved { .. } => ErrorType::ApprovalMissing,
            Self::Closed { .. } | Self::ExecutionEnded { .. } | Self::Illegal { .. } => {
                ErrorType::ReleaseClosed
            }
            Self::Held { .. } | Self::PastBarrier { .. } | Self::TooManyRollbacks { .. } => {
                ErrorType::ServiceHeld
            }
            Self::StableNotServing { .. } | Self::LeftoverWeights { .. } | Self::Drifted { .. } => {
                ErrorType::AliasDrifted
            }
            Self::NoSuchVersion { .. } | Self::NotReady { .. } | Self::VersionsDiffer { .. } => {
                ErrorType::VersionUnusable
            }
            Self::Quarantined { .. } => ErrorType::VersionQuarantined,
        }
    }
}
