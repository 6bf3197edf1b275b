//! The steps of a rollback or a shift. A plan is complete: it names versions, revisions and whole records, and
//! execution chooses nothing.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::deployment::AliasShift;
use crate::evidence::Evidence;
use crate::finding::Finding;
use crate::names::{
    AliasName, DeploymentId, FunctionName, Generation, RevisionId, ServiceName, TargetName, Version,
};
use crate::notice::Notice;
use crate::place::{Aim, Call};
use crate::registration::{Reach, Target};
use crate::release::{KnownGood, PastRollback, Release, Report};
use crate::situation::Heard;
use crate::traffic::Traffic;

/// One AWS call, with its precondition; the outcome can be recognised by reading the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Set an alias's traffic, if the alias is still the one that was seen.
    SetTraffic(SetTraffic),
    /// Read the alias again: does it serve what it should?
    Confirm {
        /// Where it lies.
        reach: Reach,
        /// The function.
        function: FunctionName,
        /// The alias.
        alias: AliasName,
        /// What it should serve.
        traffic: Traffic,
        /// The alias as it was seen, where it was not touched since: it must still be that one.
        revision: Option<RevisionId>,
    },
    /// Stop a deployment of CodeDeploy, and have CodeDeploy roll it back. One that has ended by now is to be looked at again.
    StopDeployment {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// Start a deployment that goes back. CodeDeploy refuses it while another one runs in the group.
    Reverse(Box<Reversal>),
    /// Look at an alias until it serves what somebody else is bringing about.
    Await {
        /// The function.
        function: FunctionName,
        /// The alias.
        alias: AliasName,
        /// What it is to serve.
        traffic: Traffic,
        /// The deployment that must have ended besides: one that is being stopped may still shift.
        ended: Option<DeploymentId>,
        /// How long to look; what is not done by then is looked at again by a retry.
        until: Timestamp,
    },
    /// Move a place other than an alias of a function.
    Turn(Box<Turn>),
    /// Look at such a place until it is as it should be.
    See(Box<See>),
    /// Point a second alias at a version, so that nothing that cleans up versions can delete it.
    Pin {
        /// Where it lies.
        reach: Reach,
        /// The function.
        function: FunctionName,
        /// The second alias.
        alias: AliasName,
        /// The version to protect.
        version: Version,
        /// The second alias as seen, unless there is none yet.
        replaces: Option<RevisionId>,
    },
    /// Write the release and what belongs to it, in one transaction, if nobody has written since it was read.
    Write(Box<LedgerWrite>),
    /// Remember that a signal was answered without a rollback, if nobody has.
    Hear {
        /// The service.
        service: ServiceName,
        /// What was heard, and whether people have been told.
        heard: Heard,
        /// A lease that ended before then may be taken over.
        now: Timestamp,
        /// When the ledger may forget it.
        until: Timestamp,
    },
    /// Tell people.
    Tell(Box<Notice>),
    /// Keep what the version logged before the signal, for the review. What cannot be read is noted, and stops nothing.
    KeepLogs(KeepLogs),
    /// Keep what a check or a look at a stage has found.
    Note(Box<Finding>),
    /// End the execution of the state machine that drives a release. One that goes on finds the release closed and ends, so
    /// a call that fails stops nothing.
    StopExecution {
        /// The execution's ARN.
        execution: String,
        /// Why.
        why: String,
    },
}

/// One call that moves a place, and which place that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The place, and how it is reached.
    pub target: Target,
    /// The call.
    pub call: Call,
}

/// Looking at a place until it is as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct See {
    /// The place, and how it is reached.
    pub target: Target,
    /// What it should be like.
    pub aim: Aim,
    /// Before then a shift that is under way may still land, and what is seen proves nothing.
    pub not_before: Option<Timestamp>,
    /// How long to look; what is not done by then is looked at again by a retry.
    pub until: Timestamp,
    /// Whether somebody else holds the claim, so that a call that is missing is theirs to make.
    pub is_anothers: bool,
}

/// A deployment that goes back, past the alarms that fire, without hooks and all at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// The application.
    pub application: String,
    /// The deployment group.
    pub group: String,
    /// From what to what.
    pub shift: AliasShift,
    /// Why, for CodeDeploy's own record.
    pub why: String,
}

/// Which log lines to keep, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepLogs {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub generation: Generation,
    /// Where it lies.
    pub reach: Reach,
    /// The function.
    pub function: FunctionName,
    /// Its version that was taken back.
    pub version: Version,
    /// From when on.
    pub from: Timestamp,
    /// Up to when.
    pub to: Timestamp,
    /// When the ledger may forget them.
    pub keep_until: Timestamp,
}

/// A change of an alias's traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTraffic {
    /// The target that the alias is.
    pub target: TargetName,
    /// Where it lies.
    #[serde(default, skip_serializing_if = "Reach::is_home")]
    pub reach: Reach,
    /// The function.
    pub function: FunctionName,
    /// The alias.
    pub alias: AliasName,
    /// What it is to serve.
    pub traffic: Traffic,
    /// What it served when it was seen.
    pub was: Traffic,
    /// The alias as it was seen: Lambda refuses the call if it has changed since.
    pub revision: RevisionId,
}

/// A transaction on the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerWrite {
    /// The service.
    pub service: ServiceName,
    /// The release as it will be, unless it stays untouched.
    pub release: Option<Release>,
    /// The rollbacks that took place.
    pub rollbacks: Vec<PastRollback>,
    /// When the ledger may forget those.
    pub rollbacks_until: Timestamp,
    /// Versions that became last known good.
    pub known_good: Vec<KnownGood>,
    /// What is to be remembered for the review.
    pub evidence: Option<Evidence>,
}

impl LedgerWrite {
    /// A write that changes nothing yet.
    pub fn nothing(service: ServiceName) -> Self {
        Self {
            service,
            release: None,
            rollbacks: Vec::new(),
            rollbacks_until: Timestamp::UNIX_EPOCH,
            known_good: Vec::new(),
            evidence: None,
        }
    }

    /// A write of the release alone.
    pub fn of(release: Release) -> Self {
        Self { release: Some(release.clone()), ..Self::nothing(release.service) }
    }
}

impl SetTraffic {
    /// The step that reads back what this one did.
    pub fn confirm(&self) -> Step {
        Step::Confirm {
            reach: self.reach.clone(),
            function: self.function.clone(),
            alias: self.alias.clone(),
            traffic: self.traffic,
            revision: None,
        }
    }

    /// The step that reads back that nobody has touched the alias, where this one need not be taken.
    pub fn confirm_unchanged(&self) -> Step {
        Step::Confirm {
            reach: self.reach.clone(),
            function: self.function.clone(),
            alias: self.alias.clone(),
            traffic: self.traffic,
            revision: Some(self.revision.clone()),
        }
    }
}

/// The order in which a plan's steps are taken: each row after the one before, the steps within a row together.
pub type Steps = Vec<Vec<Step>>;

impl Step {
    /// Whether the step moves traffic, or sees that it has moved.
    pub fn moves_traffic(&self) -> bool {
        match self {
            Self::SetTraffic(_)
            | Self::StopDeployment { .. }
            | Self::Reverse(_)
            | Self::Await { .. }
            | Self::Turn(_) => true,
            Self::See(_)
            | Self::Confirm { .. }
            | Self::Pin { .. }
            | Self::Write(_)
            | Self::Hear { .. }
            | Self::Tell(_)
            | Self::KeepLogs(_)
            | Self::Note(_)
            | Self::StopExecution { .. } => false,
        }
    }

    /// The AWS calls that the step may issue, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match self {
            Self::SetTraffic(_) => &["lambda:UpdateAlias"],
            Self::Confirm { .. } | Self::Await { ended: None, .. } => &["lambda:GetAlias"],
            Self::Await { ended: Some(_), .. } => &["lambda:GetAlias", "codedeploy:GetDeployment"],
            Self::StopDeployment { .. } => &["codedeploy:StopDeployment"],
            // CodeDeploy registers the revision and reads the configuration with its caller's rights.
            Self::Reverse(_) => &[
                "codedeploy:CreateDeployment",
                "codedeploy:GetApplicationRevision",
                "codedeploy:GetDeploymentConfig",
                "codedeploy:RegisterApplicationRevision",
            ],
            Self::Turn(turn) => turn.call.iam_actions(),
            Self::See(see) => see.target.place.observing_actions(),
            Self::Pin { replaces: None, .. } => &["lambda:CreateAlias"],
            Self::Pin { replaces: Some(_), .. } => &["lambda:UpdateAlias"],
            // A transaction is authorised by the actions inside it.
            Self::Write(_) | Self::Hear { .. } | Self::Note(_) => &["dynamodb:PutItem"],
            Self::Tell(_) => &["sns:Publish"],
            Self::KeepLogs(_) => &["logs:FilterLogEvents", "dynamodb:PutItem"],
            Self::StopExecution { .. } => &["states:StopExecution"],
        }
    }
}

/// What a person reads in `ripcord plan`: the call, what it needs, and what it does.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetTraffic(SetTraffic { function, alias, traffic, was, revision, .. })
                if traffic == was =>
            {
                write!(
                    f,
                    "lambda:UpdateAlias {function}:{alias} to {traffic} again, if its revision is still {revision}, so that a shift under way comes too late"
                )
            }
            Self::SetTraffic(SetTraffic { function, alias, traffic, was, revision, .. }) => write!(
                f,
                "lambda:UpdateAlias {function}:{alias} to {traffic} (was {was}), if its revision is still {revision}"
            ),
            Self::Confirm { function, alias, traffic, revision: None, .. } => {
                write!(f, "lambda:GetAlias {function}:{alias}, which must now serve {traffic}")
            }
            Self::Confirm { function, alias, traffic, revision: Some(revision), .. } => {
                write!(
                    f,
                    "lambda:GetAlias {function}:{alias}, which must still serve {traffic} at revision {revision}"
                )
            }
            Self::StopDeployment { deployment } => {
                write!(f, "codedeploy:StopDeployment {deployment} with rollback, unless it has ended")
            }
            Self::Reverse(reversal) => {
                let Reversal { application, group, shift, .. } = &**reversal;
                write!(
                    f,
                    "codedeploy:CreateDeployment in {application}/{group}: {}:{} from version {} to {}, all at once, past its alarms, without hooks",
                    shift.function, shift.alias, shift.current, shift.target
                )
            }
            Self::Await { function, alias, traffic, ended, .. } => {
                write!(f, "lambda:GetAlias {function}:{alias}, until it serves {traffic}")?;
                match ended {
                    Some(deployment) => {
                        write!(f, ", and codedeploy:GetDeployment {deployment}, until it has ended")
                    }
                    None => Ok(()),
                }
            }
            Self::Turn(turn) => write!(f, "{}", turn.call),
            Self::See(see) => {
                let See { target, aim, not_before, .. } = &**see;
                write!(f, "look at {} until {aim}", target.place)?;
                match not_before {
                    Some(at) => write!(f, ", and again after {at}, when a shift under way has ended"),
                    None => Ok(()),
                }
            }
            Self::Pin { function, alias, version, replaces: None, .. } => {
                write!(f, "lambda:CreateAlias {function}:{alias} on {version}, if there is none")
            }
            Self::Pin { function, alias, version, replaces: Some(revision), .. } => {
                write!(
                    f,
                    "lambda:UpdateAlias {function}:{alias} to {version}, if its revision is still {revision}"
                )
            }
            Self::Write(write) => {
                write!(f, "dynamodb:TransactWriteItems {}", write.service)?;
                if let Some(release) = &write.release {
                    let before = release.seq - 1;
                    write!(f, ": release {} becomes {}", release.generation, release.phase)?;
                    if before == 0 {
                        write!(f, ", if nobody has opened it")?;
                    } else {
                        write!(f, ", if its record is still at write {before}")?;
                    }
                }
                for rollback in &write.rollbacks {
                    write!(f, "; version {} of {} is quarantined", rollback.version, rollback.target)?;
                }
                for good in &write.known_good {
                    write!(f, "; version {} of {} is last known good", good.version, good.target)?;
                }
                if write.evidence.is_some() {
                    write!(f, "; evidence is kept")?;
                }
                Ok(())
            }
            Self::Hear { service, heard: Heard { key, report: Report::Sent { .. } }, .. } => {
                write!(f, "dynamodb:PutItem {service}: {key} was answered")
            }
            Self::Hear { service, heard: Heard { key, .. }, .. } => {
                write!(f, "dynamodb:PutItem {service}: {key} is being answered, if nobody else does")
            }
            Self::Tell(notice) => write!(f, "sns:Publish {} {:?}", notice.severity, notice.title),
            Self::Note(finding) => write!(f, "dynamodb:PutItem {}: {}", finding.service, finding.found),
            Self::StopExecution { execution, .. } => write!(f, "states:StopExecution {execution}"),
            Self::KeepLogs(KeepLogs { function, version, from, .. }) => {
                write!(
                    f,
                    "logs:FilterLogEvents of {function} version {version} since {from}, kept as evidence"
                )
            }
        }
    }
}
