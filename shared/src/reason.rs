//! Why Ripcord does what it does. A reason holds its numbers; its one [`Display`](std::fmt::Display) is what ledger,
//! notice, log and command line show.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::attribution::Suspect;
use crate::deployment::DeploymentStatus;
use crate::names::{AlarmArn, DeploymentId, Generation, GroupName, ServiceName, TargetName, Version};
use crate::place::Blocked;
use crate::place::configuration::DeploymentNumber;
use crate::release::Phase;
use crate::signal::AlarmState;
use crate::traffic::Traffic;

mod words;

/// Why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// An alarm fired while a release moved traffic.
    AlarmDuringRelease {
        /// The alarm.
        alarm: AlarmArn,
        /// What CloudWatch says of it.
        why: String,
        /// The release.
        generation: Generation,
        /// From its opening to the alarm.
        after_opening_s: i64,
    },
    /// An alarm fired after a release, inside its window.
    AlarmAfterRelease {
        /// The alarm.
        alarm: AlarmArn,
        /// What CloudWatch says of it.
        why: String,
        /// The release.
        generation: Generation,
        /// From its completion to the alarm.
        after_completion_s: i64,
        /// For how long after completion an alarm counts.
        window_hours: u32,
    },
    /// The state machine that drives the release gave it up.
    PipelineFailed {
        /// The release.
        generation: Generation,
        /// How many of its stages had begun.
        stage: usize,
        /// Why.
        why: String,
    },
    /// CodeDeploy's deployment failed or was stopped.
    DeploymentEnded {
        /// The release.
        generation: Generation,
        /// The deployment.
        deployment: DeploymentId,
        /// How it ended.
        status: DeploymentStatus,
        /// What CodeDeploy says of it.
        error: Option<String>,
    },
    /// The cord was pulled, and CodeDeploy has gone back for that.
    CordPulled {
        /// The release.
        generation: Generation,
        /// Why it was pulled.
        why: String,
    },
    /// A hook of ours said no, and CodeDeploy gave the deployment up.
    HookFailed {
        /// The release.
        generation: Generation,
        /// The deployment.
        deployment: DeploymentId,
        /// What the hook found.
        why: String,
    },
    /// CodeDeploy has begun to deploy a service.
    DeploymentOpened {
        /// The release that it is.
        generation: Generation,
        /// The deployment.
        deployment: DeploymentId,
    },
    /// CodeDeploy has deployed a release.
    DeploymentSucceeded {
        /// The release.
        generation: Generation,
        /// The deployment.
        deployment: DeploymentId,
    },
    /// A deployment is not over yet.
    DeploymentUnderWay {
        /// The deployment.
        deployment: DeploymentId,
        /// How far it has come.
        status: DeploymentStatus,
    },
    /// A deployment was started in the group that is neither the release's nor its way back.
    AnotherDeployment {
        /// That deployment.
        deployment: DeploymentId,
        /// The release.
        generation: Generation,
    },
    /// CodeDeploy deploys a service while a release of it is open that somebody else moves.
    DeployedBesides {
        /// The deployment.
        deployment: DeploymentId,
        /// The release.
        generation: Generation,
    },
    /// CodeDeploy went back, or gave up, by itself, and the ledger knows nothing of what it had deployed.
    SilentRollback {
        /// The deployment.
        deployment: DeploymentId,
        /// How it ended.
        status: DeploymentStatus,
        /// What CodeDeploy says of it.
        error: Option<String>,
    },
    /// A deployment that is none of this service's business.
    DeploymentForeign {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// Another invocation is starting the deployment that goes back.
    ReversedByAnother {
        /// The release.
        generation: Generation,
        /// When that invocation ends at the latest.
        until: Timestamp,
    },
    /// What CodeDeploy does with the release's deployment could not be seen.
    DeploymentUnseen {
        /// The deployment.
        deployment: DeploymentId,
        /// Why not.
        why: String,
    },
    /// An execution gave up that drives no release of this service, or one of long ago.
    DrivesNoRelease {
        /// The execution.
        execution: String,
    },
    /// The release had completed when its execution gave up.
    AlreadyComplete {
        /// The release.
        generation: Generation,
        /// When it had.
        at: Timestamp,
    },
    /// An alarm fired that had fired before the release, which is meant as its fix.
    FiredBefore {
        /// The alarm.
        alarm: AlarmArn,
        /// What CloudWatch says of it.
        why: String,
        /// The release.
        generation: Generation,
    },
    /// The release that a person meant to give up is not the one that is open.
    ReleaseNotOpen {
        /// The one meant.
        meant: Generation,
        /// The latest, and its phase.
        latest: Option<(Generation, Phase)>,
    },
    /// A person asked.
    OperatorAsked {
        /// Who.
        by: Option<String>,
        /// Why.
        why: Option<String>,
        /// The version that they named.
        to: Option<Version>,
    },
    /// The alarm is not, or no longer, firing.
    AlarmNotFiring {
        /// The alarm.
        alarm: AlarmArn,
        /// Its state.
        state: AlarmState,
    },
    /// The alarm's actions are suppressed.
    AlarmSuppressed {
        /// The alarm.
        alarm: AlarmArn,
        /// By what.
        by: String,
    },
    /// An alarm fired and no release is inside its window.
    AlarmWithoutChange {
        /// The alarm.
        alarm: AlarmArn,
        /// What CloudWatch says of it.
        why: String,
        /// The last release, if there was one: its generation, and from its completion to the alarm.
        last: Option<(Generation, i64)>,
        /// For how long after completion an alarm counts.
        window_hours: u32,
    },
    /// The signal was raised before the release was opened, so it is not about it.
    SignalPredatesRelease {
        /// When it was raised.
        raised_at: Timestamp,
        /// The release.
        generation: Generation,
        /// When that was opened.
        opened_at: Timestamp,
    },
    /// The release was already rolled back when the signal was raised, or by an earlier delivery of it.
    AlreadyRolledBack {
        /// The release.
        generation: Generation,
        /// When it was.
        at: Timestamp,
    },
    /// An alarm fired after the release had been rolled back: the rollback did not help, or something else is wrong.
    AlarmAfterRollback {
        /// The alarm.
        alarm: AlarmArn,
        /// What CloudWatch says of it.
        why: String,
        /// The release.
        generation: Generation,
        /// From the rollback to the alarm.
        after_rollback_s: i64,
        /// What the targets serve now.
        serving: Vec<(TargetName, Option<Traffic>)>,
    },
    /// The signal was already answered without a rollback.
    AlreadyHeard {
        /// The transition, by name.
        key: String,
    },
    /// Another invocation is telling people.
    ReportedByAnother {
        /// The release.
        generation: Generation,
        /// When that invocation ends at the latest.
        until: Timestamp,
    },
    /// An earlier invocation put traffic back and ended before it had told people.
    ReportUnfinished {
        /// The release.
        generation: Generation,
        /// What it had noted.
        because: String,
    },
    /// The service serves what it would be put back to.
    AlreadyServing {
        /// The target.
        target: TargetName,
        /// What it serves.
        traffic: Traffic,
    },
    /// Nothing is known to be good, so there is nothing to go back to.
    NothingKnownGood {
        /// The target.
        target: TargetName,
    },
    /// A version was named for a service with several targets.
    VersionAmbiguous {
        /// The version.
        version: Version,
        /// How many targets there are.
        targets: usize,
    },
    /// Too many rollbacks in too short a time.
    TooManyRollbacks {
        /// How many there were.
        count: u32,
        /// How many may be.
        max: u32,
        /// In which time.
        window_minutes: u32,
    },
    /// A migration lies between the versions.
    PastBarrier {
        /// The target.
        target: TargetName,
        /// The version being served.
        from: Version,
        /// The version to go back to.
        to: Version,
        /// The first version that needs the migration.
        since: Version,
        /// What was migrated.
        migration: String,
    },
    /// The alias serves a version that is neither the candidate nor the stable one.
    AliasDrifted {
        /// The target.
        target: TargetName,
        /// What it serves.
        serving: Traffic,
        /// The version to go back to.
        stable: Version,
        /// The version released.
        candidate: Version,
    },
    /// The alias or its function is not there.
    TargetMissing {
        /// The target.
        target: TargetName,
    },
    /// The alias could not be looked at.
    TargetUnseen {
        /// The target.
        target: TargetName,
        /// Why not.
        why: String,
    },
    /// A place has no way back, or none that makes nothing worse.
    NoWayBack {
        /// The target.
        target: TargetName,
        /// What it serves.
        serving: Traffic,
        /// Why there is none.
        why: Blocked,
    },
    /// AppConfig took a deployment of the release back, for an alarm that its environment watches or because somebody said so.
    TakenBackByAppConfig {
        /// The release.
        generation: Generation,
        /// The deployment.
        deployment: DeploymentNumber,
        /// Who did it, in AppConfig's words.
        why: Option<String>,
    },
    /// Something ended at a place, and nothing there was on its way back.
    NothingGoesBack {
        /// The place.
        place: String,
    },
    /// No version of the service's target can have such a name.
    VersionUnlike {
        /// The version.
        version: Version,
        /// The place.
        place: String,
    },
    /// The call that puts traffic back failed.
    CallFailed {
        /// What failed, with its cause.
        why: String,
    },
    /// An alarm of one service puts back its whole group.
    GroupGoesBack {
        /// The group.
        group: GroupName,
        /// The service that the alarm guards; nothing if that could not be read.
        of: Option<ServiceName>,
        /// The services of the group that have something to put back.
        together: Vec<ServiceName>,
        /// Why this one.
        because: Box<Reason>,
    },
    /// An alarm guards several services with recent changes, and this one is the likeliest to be meant.
    LikeliestOfSeveral {
        /// This one.
        this: Suspect,
        /// The others, the likelier ones first.
        others: Vec<Suspect>,
        /// Why this one goes back.
        because: Box<Reason>,
    },
    /// An alarm guards several services with recent changes, and another one goes back first.
    LessLikely {
        /// The alarm.
        alarm: AlarmArn,
        /// What CloudWatch says of it.
        why: String,
        /// This one.
        this: Box<Suspect>,
        /// The one that goes back first.
        first: Box<Suspect>,
    },
    /// A release train brings back what it had released.
    TrainFailed {
        /// The train.
        train: String,
        /// The release.
        generation: Generation,
        /// Why.
        why: String,
    },
}

impl Reason {
    /// The reason's stable name.
    pub fn kind(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("kind").and_then(|kind| kind.as_str()).unwrap_or("unknown").to_owned()
    }
}

/// `3 d 4 h`, `2 h 5 min`, `42 s`: the two largest units.
pub(crate) fn duration(seconds: i64) -> String {
    let (s, m, h, d) = (seconds % 60, seconds / 60 % 60, seconds / 3600 % 24, seconds / 86_400);
    match (d, h, m) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{m} min {s} s"),
        (0, _, _) => format!("{h} h {m} min"),
        _ => format!("{d} d {h} h"),
    }
}

/// Whole seconds from one time to another.
pub(crate) fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    SignedDuration::as_secs(&to.duration_since(from))
}
