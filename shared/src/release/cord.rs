//! What a release tells those who count: who or what pulled the cord, and which commit it brings.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{AlarmArn, DeploymentId, InvalidName};
use crate::signal::Signal;

/// Who or what said that a release has to go back, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cord {
    /// Who.
    pub by: PulledBy,
    /// When, by the clock of whoever it was.
    pub at: Timestamp,
    /// Whether nobody asked for it.
    pub automatic: bool,
}

/// Who or what pulled the cord.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PulledBy {
    /// An alarm.
    Alarm {
        /// Which.
        alarm: AlarmArn,
    },
    /// A person.
    Person {
        /// Who, if they said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The state machine that drives the release, or a release train.
    Pipeline {
        /// The execution that gave it up.
        execution: String,
    },
    /// A hook of Ripcord's, which said no to CodeDeploy.
    Hook {
        /// The deployment that it was called for.
        deployment: DeploymentId,
    },
    /// CodeDeploy, by itself.
    CodeDeploy {
        /// The deployment that ended.
        deployment: DeploymentId,
    },
    /// Another service of AWS, by itself.
    Aws {
        /// Where.
        place: String,
        /// What it says has happened there.
        what: String,
    },
}

/// The commit that a release brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Its name in the team's version control.
    pub id: CommitId,
    /// When it was made, as far as whoever deploys it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What version control calls a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// A SHA-256 has 64 characters; a tag or a path of a monorepo's may have more.
const COMMIT_CHARS_MAX: usize = 100;

impl std::str::FromStr for CommitId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_allowed = |character: char| character.is_ascii_alphanumeric() || "._/-+@".contains(character);
        if !text.is_empty() && text.len() <= COMMIT_CHARS_MAX && text.chars().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            let rule = "1 to 100 letters, digits or any of ._/-+@";
            Err(InvalidName {
                what: "the commit",
                value: text.chars().take(COMMIT_CHARS_MAX).collect(),
                rule,
            })
        }
    }
}

impl TryFrom<String> for CommitId {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Cord {
    /// The cord that a signal pulls.
    pub fn pulled_by(signal: &Signal, automatic: bool) -> Self {
        let by = match signal {
            Signal::Alarm(alarm) => PulledBy::Alarm { alarm: alarm.alarm.clone() },
            Signal::Operator(command) => PulledBy::Person { name: command.requested_by.clone() },
            Signal::Pipeline(failure) => PulledBy::Pipeline { execution: failure.execution.clone() },
            Signal::Deployment(change) => PulledBy::CodeDeploy { deployment: change.deployment.clone() },
            Signal::Arrival(arrival) => {
                PulledBy::Aws { place: arrival.place.clone(), what: arrival.what.clone() }
            }
        };
        Self { by, at: signal.raised_at(), automatic }
    }
}

impl PulledBy {
    /// Whether AWS went back of its own accord, and Ripcord has only written it down.
    pub fn is_aws_itself(&self) -> bool {
        match self {
            Self::CodeDeploy { .. } | Self::Aws { .. } => true,
            Self::Alarm { .. } | Self::Person { .. } | Self::Pipeline { .. } | Self::Hook { .. } => false,
        }
    }

    /// Whether Ripcord moved the traffic, so that it is known how long that took.
    pub fn is_answered_here(&self) -> bool {
        match self {
            Self::Alarm { .. } | Self::Person { .. } | Self::Pipeline { .. } => true,
            Self::Hook { .. } | Self::CodeDeploy { .. } | Self::Aws { .. } => false,
        }
    }
}

impl fmt::Display for PulledBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alarm { alarm } => write!(f, "alarm {}", alarm.name()),
            Self::Person { name: Some(name) } => f.write_str(name),
            Self::Person { name: None } => f.write_str("an operator"),
            Self::Pipeline { .. } => f.write_str("the release's state machine"),
            Self::Hook { deployment } => write!(f, "a hook of {deployment}"),
            Self::CodeDeploy { deployment } => write!(f, "CodeDeploy by itself ({deployment})"),
            Self::Aws { place, what } => write!(f, "AWS by itself ({place}: {what})"),
        }
    }
}
