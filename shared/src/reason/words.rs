//! A reason as people read it: one sentence, with its arithmetic.

use std::fmt;

use super::{Reason, duration, seconds_between};
use crate::signal::AlarmState;

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
            Self::TakenBackByAppConfig { generation, deployment, why } => write!(
                f,
                "AppConfig took deployment {deployment} back, which brought release {generation}{}",
                Because(why.as_deref().unwrap_or_default())
            ),
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
