//! Why Ripcord does what it does. A reason holds its numbers; its one [`Display`](std::fmt::Display) is what ledger,
//! notice, log and command line show.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::attribution::Suspect;
use crate::deployment::DeploymentStatus;
use crate::names::{AlarmArn, DeploymentId, Generation, GroupName, ServiceName, TargetName, Version};
use crate::place::Blocked;
use crate::release::Phase;
use crate::signal::AlarmState;
use crate::traffic::Traffic;

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

struct Because<'why>(&'why str);

struct Listed<'list, T>(&'list [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            write!(f, "{}{one}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlarmDuringRelease { alarm, why, generation, after_opening_s } => write!(
                f,
                "alarm {} fired {} after release {generation} was opened{}",
                alarm.name(),
                duration(*after_opening_s),
                Because(why)
            ),
            Self::AlarmAfterRelease { alarm, why, generation, after_completion_s, window_hours } => write!(
                f,
                "alarm {} fired {} after release {generation} completed, inside its window of {window_hours} h{}",
                alarm.name(),
                duration(*after_completion_s),
                Because(why)
            ),
            Self::PipelineFailed { generation, stage: 0, why } => {
                write!(f, "release {generation} was given up before its first stage{}", Because(why))
            }
            Self::PipelineFailed { generation, stage, why } => {
                write!(f, "release {generation} was given up in stage {stage}{}", Because(why))
            }
            Self::DeploymentEnded { generation, deployment, status, error } => {
                write!(
                    f,
                    "deployment {deployment}, which is release {generation}, {status}{}",
                    Because(error.as_deref().unwrap_or_default())
                )
            }
            Self::CordPulled { why, .. } => write!(f, "{why}"),
            Self::HookFailed { generation, deployment, why } => {
                write!(
                    f,
                    "a hook refused release {generation}, which is deployment {deployment}{}",
                    Because(why)
                )
            }
            Self::DeploymentOpened { generation, deployment } => {
                write!(f, "CodeDeploy has begun deployment {deployment}: it is release {generation}")
            }
            Self::DeploymentSucceeded { generation, deployment } => {
                write!(f, "deployment {deployment} succeeded: release {generation} is complete")
            }
            Self::DeploymentUnderWay { deployment, status } => {
                write!(f, "deployment {deployment} is not over: it is {status}")
            }
            Self::AnotherDeployment { deployment, generation } => write!(
                f,
                "deployment {deployment} runs in the group of release {generation}, and CodeDeploy runs one at a time: stop it, or wait for its end"
            ),
            Self::DeployedBesides { deployment, generation } => write!(
                f,
                "CodeDeploy runs deployment {deployment} while release {generation} is open, which it does not move: end one of them"
            ),
            Self::SilentRollback { deployment, status, error } => write!(
                f,
                "CodeDeploy's deployment {deployment} {status}, and nobody had told Ripcord of it{}",
                Because(error.as_deref().unwrap_or_default())
            ),
            Self::DeploymentForeign { deployment } => {
                write!(f, "deployment {deployment} shifts no target of this service")
            }
            Self::ReversedByAnother { generation, until } => write!(
                f,
                "another invocation is starting the deployment that puts release {generation} back, until {until}"
            ),
            Self::DeploymentUnseen { deployment, why } => {
                write!(f, "deployment {deployment} could not be observed: {why}")
            }
            Self::DrivesNoRelease { execution } => {
                write!(
                    f,
                    "the execution drives no release of this service that could be put back: {execution}"
                )
            }
            Self::AlreadyComplete { generation, at } => {
                write!(f, "release {generation} had completed at {at}")
            }
            Self::FiredBefore { alarm, why, generation } => write!(
                f,
                "alarm {} had fired before release {generation} began, which is to mend that: only what is measured on the new version counts{}",
                alarm.name(),
                Because(why)
            ),
            Self::ReleaseNotOpen { meant, latest: None } => {
                write!(f, "release {meant} is not open: there is none")
            }
            Self::ReleaseNotOpen { meant, latest: Some((latest, phase)) } => {
                write!(f, "release {meant} is not open: the latest is {latest}, and it is {phase}")
            }
            Self::OperatorAsked { by, why, to } => {
                write!(f, "{} asked for a rollback", by.as_deref().unwrap_or("an operator"))?;
                if let Some(to) = to {
                    write!(f, " to version {to}")?;
                }
                write!(f, "{}", Because(why.as_deref().unwrap_or_default()))
            }
            Self::AlarmNotFiring { alarm, state } => {
                let state = match state {
                    AlarmState::Ok => "OK",
                    AlarmState::Alarm => "ALARM",
                    AlarmState::InsufficientData => "INSUFFICIENT_DATA",
                };
                write!(f, "alarm {} went to {state}: only ALARM pulls the cord", alarm.name())
            }
            Self::AlarmSuppressed { alarm, by } => {
                write!(f, "alarm {} fired while its actions were suppressed by {by}", alarm.name())
            }
            Self::AlarmWithoutChange { alarm, why, last, window_hours } => {
                write!(f, "alarm {} fired without a change: ", alarm.name())?;
                match last {
                    None => write!(f, "nothing was ever released")?,
                    Some((generation, ago_s)) => write!(
                        f,
                        "release {generation} completed {} before, outside its window of {window_hours} h",
                        duration(*ago_s)
                    )?,
                }
                write!(f, "{}", Because(why))
            }
            Self::SignalPredatesRelease { raised_at, generation, opened_at } => write!(
                f,
                "the signal of {raised_at} is {} older than release {generation}, opened at {opened_at}",
                duration(seconds_between(*raised_at, *opened_at))
            ),
            Self::AlreadyRolledBack { generation, at } => {
                write!(f, "release {generation} was already rolled back at {at}")
            }
            Self::AlarmAfterRollback { alarm, why, generation, after_rollback_s, serving } => {
                write!(
                    f,
                    "alarm {} fired {} after release {generation} had been rolled back",
                    alarm.name(),
                    duration(*after_rollback_s)
                )?;
                for (target, traffic) in serving {
                    match traffic {
                        Some(traffic) => write!(f, "; {target} serves {traffic}")?,
                        None => write!(f, "; {target} could not be seen")?,
                    }
                }
                write!(f, "{}", Because(why))
            }
            Self::AlreadyHeard { key } => write!(f, "{key} was already answered"),
            Self::ReportedByAnother { generation, until } => {
                write!(
                    f,
                    "release {generation} has ended, and is being reported by another invocation until {until}"
                )
            }
            Self::ReportUnfinished { generation, because } => {
                write!(f, "release {generation} had ended and nobody had been told yet: {because}")
            }
            Self::AlreadyServing { target, traffic } => write!(f, "{target} already serves {traffic}"),
            Self::NothingKnownGood { target } => {
                write!(f, "no version of {target} is known to be good: name one with --to")
            }
            Self::VersionAmbiguous { version, targets } => {
                write!(
                    f,
                    "version {version} was named, but the service has {targets} targets, each with its own versions"
                )
            }
            Self::TooManyRollbacks { count, max, window_minutes } => {
                write!(
                    f,
                    "{count} rollbacks in {window_minutes} minutes >= limit {max}: holding instead of looping"
                )
            }
            Self::PastBarrier { target, from, to, since, migration } => write!(
                f,
                "{target} cannot go back from version {from} to {to}: version {since} came with a migration ({migration})"
            ),
            Self::AliasDrifted { target, serving, stable, candidate } => write!(
                f,
                "{target} serves {serving}, and the release was {stable} to {candidate}: somebody else moved it"
            ),
            Self::TargetMissing { target } => write!(f, "target {target} does not exist"),
            Self::TargetUnseen { target, why } => write!(f, "{target} could not be observed: {why}"),
            Self::NoWayBack { target, serving, why } => {
                write!(f, "{target} serves {serving} and has no way back: {why}")
            }
            Self::NothingGoesBack { place } => write!(f, "nothing of {place} is on its way back"),
            Self::VersionUnlike { version, place } => {
                write!(f, "{version} cannot be a version of {place}: its versions are published numbers")
            }
            Self::CallFailed { why } => write!(f, "{why}"),
            Self::GroupGoesBack { group, of, together, because } => {
                write!(f, "group {group} goes back together ({})", Listed(together))?;
                match of {
                    Some(of) => write!(f, " because of {of}: {because}"),
                    None => write!(f, ": {because}"),
                }
            }
            Self::LikeliestOfSeveral { this, others, because } => write!(
                f,
                "{because}; the alarm guards {} services with recent changes, and {this} is the likeliest: likelier than {}",
                others.len() + 1,
                Listed(others)
            ),
            Self::LessLikely { alarm, why, this, first } => write!(
                f,
                "alarm {} also guards {this}: less likely than {first}, which goes back first; ripcord rollback {} puts this one back, too, and so does the alarm if it fires anew{}",
                alarm.name(),
                this.service,
                Because(why)
            ),
            Self::TrainFailed { train, generation, why } => {
                write!(f, "train {train} brings release {generation} back{}", Because(why))
            }
        }
    }
}
