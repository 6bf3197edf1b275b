//! What happened to a service's releases, moment by moment: what the ledger's own writes say, and what AWS says besides.
//!
//! A moment is known by a key that is the same whoever tells of it and however often, so that telling it twice, late or out of
//! order changes nothing. Nothing here depends on what was told before: what a write says follows from the record before it and
//! after it, and whose release an event of AWS's is about is found when the timeline is read.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{Generation, ServiceName, TargetName, Weight};
use crate::release::{Commit, Cord, Phase};

mod silent;
mod stream;
mod told;
mod writes;

pub use silent::{Silent, silent};
pub use stream::Write;
pub use told::{AwsEvent, Whom, read_aws_event};
pub use writes::{moments, what_counts};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// The service.
    pub service: ServiceName,
    /// The write of a release's record that says so; none for what AWS says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Written>,
    /// When. What the record names a time for has that time; the rest has the write's own, which is known to the second.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// One write of a release's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The release.
    pub generation: Generation,
    /// Which of its writes.
    pub seq: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// A release was opened.
    Opened {
        /// Who did.
        by: String,
        /// The commit that it brings, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<Commit>,
    },
    /// The candidate's share at a target was confirmed.
    Weights {
        /// Where.
        target: TargetName,
        /// The candidate's share.
        weight: Weight,
    },
    /// A stage of its strategy began.
    StageReached {
        /// Which, counted from 0.
        stage: usize,
        /// Who approved it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
    /// A person is asked.
    Asked {
        /// The stage that is to begin; one past the last to complete.
        stage: usize,
        /// Why.
        why: String,
        /// Until when; then it goes back.
        until: Timestamp,
    },
    /// Somebody or something said that it has to go back.
    Signalled {
        /// Who, and when.
        cord: Cord,
    },
    /// It is on its way back, and AWS takes its time.
    GoingBack {
        /// Why.
        why: String,
    },
    /// It ended, was held, or was taken further after a hold. With `rolled_back` all traffic is back.
    Phase {
        /// What it is now.
        phase: Phase,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// AWS says that something has happened at one of the service's places.
    Aws(Told),
}

/// What AWS says has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Who says so.
    pub source: Source,
    /// What it is about: a deployment, an execution.
    pub about: String,
    /// What has become of that, in AWS's word.
    pub state: String,
    /// What it means for traffic.
    pub meaning: Meaning,
    /// Why, if AWS says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Who of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// CodeDeploy.
    CodeDeploy,
    /// ECS.
    Ecs,
    /// Step Functions.
    StepFunctions,
    /// AppConfig.
    AppConfig,
    /// CloudFormation.
    CloudFormation,
}

/// What an event of AWS's means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Something is under way.
    Began,
    /// It ended well.
    Succeeded,
    /// It ended badly, or was given up: what it had moved goes back, or was put back.
    WentBack,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeDeploy => "CodeDeploy",
            Self::Ecs => "ECS",
            Self::StepFunctions => "Step Functions",
            Self::AppConfig => "AppConfig",
            Self::CloudFormation => "CloudFormation",
        })
    }
}

impl Moment {
    /// What it is known by within its service: the ledger's sort key.
    pub fn key(&self) -> String {
        let what = self.what.key();
        match &self.write {
            Some(Written { generation, seq }) => format!("{:010}#{seq:010}#{what}", generation.0),
            None => format!("{}#{what}", Self::told_at(self.at)),
        }
    }

    /// How the keys begin of what AWS said at a time.
    pub fn told_at(at: Timestamp) -> String {
        format!("aws#{}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl What {
    fn key(&self) -> String {
        match self {
            Self::Opened { .. } => "0-opened".to_owned(),
            Self::Signalled { .. } => "1-signalled".to_owned(),
            Self::GoingBack { .. } => "2-going-back".to_owned(),
            Self::Weights { target, .. } => format!("3-weights#{target}"),
            Self::StageReached { stage, .. } => format!("4-stage#{stage:03}"),
            Self::Asked { stage, .. } => format!("5-asked#{stage:03}"),
            Self::Phase { .. } => "6-phase".to_owned(),
            Self::Aws(Told { source, about, state, .. }) => format!("{source}#{about}#{state}"),
        }
    }
}
