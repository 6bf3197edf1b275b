//! A stack of CloudFormation. Its versions are digests of its template and its parameters.
//!
//! A stack is moved forward by its team's own deployment alone. Ripcord takes it back: it cancels an update that is under way,
//! rolls back one that has failed, and deploys the kept template and parameters of the stable version over one that is complete.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Blocked, Brought, Wanted, Way};
use crate::names::{AlarmArn, PlainName, Version, Weight};

mod status;
#[cfg(test)]
mod tests;

pub use status::Status;

/// Which stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// The stack's name.
    pub stack: PlainName,
    /// The alarms that CloudFormation itself watches while the team deploys. A way back is deployed without them, because one of
    /// them may be what it answers, and CloudFormation would take it back again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_triggers: Option<RollbackTriggers>,
}

/// CloudFormation takes no more.
const TRIGGERS_MAX: usize = 5;
const MONITORING_MINUTES_MAX: u32 = 180;

/// The alarms that CloudFormation watches while a stack is deployed, and for how long afterwards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RollbackTriggers {
    /// One to five alarms.
    #[serde(deserialize_with = "few_alarms")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 5)))]
    pub alarms: Vec<AlarmArn>,
    /// How long they are watched once everything is deployed, up to 180.
    #[serde(default, deserialize_with = "three_hours_at_most")]
    #[cfg_attr(feature = "schema", schemars(range(max = 180)))]
    pub monitoring_minutes: u32,
}

fn few_alarms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AlarmArn>, D::Error> {
    let alarms = Vec::deserialize(deserializer)?;
    if (1..=TRIGGERS_MAX).contains(&alarms.len()) {
        return Ok(alarms);
    }
    Err(serde::de::Error::custom(format!(
        "{} alarms: CloudFormation watches 1 to {TRIGGERS_MAX}",
        alarms.len()
    )))
}

fn three_hours_at_most<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let minutes = u32::deserialize(deserializer)?;
    if minutes <= MONITORING_MINUTES_MAX {
        return Ok(minutes);
    }
    Err(serde::de::Error::custom(format!(
        "{minutes} minutes: CloudFormation watches for {MONITORING_MINUTES_MAX} at most"
    )))
}

/// What is seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its status.
    pub status: Status,
    /// What CloudFormation says to that.
    pub status_reason: Option<String>,
    /// The digest of the template and the parameters that CloudFormation gives for it.
    pub deployed: Version,
    /// When it was last changed. Every operation moves it, so it tells one operation's tokens from another's.
    pub changed_at: Timestamp,
    /// The token of the operation that its newest event belongs to.
    pub operation: Option<String>,
    /// The versions whose templates and parameters are kept.
    pub kept: Vec<Version>,
    /// The stack that it is nested in, which alone may be operated on.
    pub nested_in: Option<String>,
    /// The role with whose rights CloudFormation changes it; without one, those of whoever asks.
    pub role: Option<String>,
    /// The alarms that CloudFormation watches while it is deployed.
    pub triggers: Vec<String>,
    /// The token of what this process has asked for last. CloudFormation's answers may be older than its promises.
    pub asked: Option<String>,
    /// A version that CloudFormation found no difference to, since it was last changed: a template may differ in comments only.
    pub same_as: Option<Version>,
}

/// The AWS actions that looking at it needs, as IAM names them.
pub const OBSERVED: &[&str] = &[
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:GetTemplate",
    "dynamodb:Query",
];

/// A call that moves it. Each carries a token made of what was seen, so that CloudFormation knows its repetition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Ends the update that is under way; CloudFormation then goes back to what it was before.
    Cancel {
        /// The stack.
        stack: PlainName,
        /// The token.
        token: String,
    },
    /// Goes back from an update that failed and was left as it was.
    RollBack {
        /// The stack.
        stack: PlainName,
        /// The token.
        token: String,
    },
    /// Deploys a kept template with its parameters.
    Redeploy(Redeployment),
}

/// Deploying a kept template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeployment {
    /// The stack.
    pub stack: PlainName,
    /// What is deployed.
    pub from: Version,
    /// What is to be deployed.
    pub to: Version,
    /// When the stack was last changed.
    pub changed_at: Timestamp,
    /// The alarms that CloudFormation watches no more, until the team's next deployment names them again.
    pub triggers: Vec<String>,
    /// The role with whose rights CloudFormation does it.
    pub role: Option<String>,
}

impl Redeployment {
    /// The token.
    pub fn token(&self) -> String {
        redeploying(self.to, self.changed_at)
    }
}

fn redeploying(to: Version, changed_at: Timestamp) -> String {
    format!("{}{}", redeploying_to(to), changed_at.as_millisecond())
}

fn redeploying_to(to: Version) -> String {
    format!("{TOKENS}to-{to}-")
}

/// What every token of ours begins with.
const TOKENS: &str = "ripcord-";

/// How it gets from what was seen to what is wanted.
pub fn way(place: &Stack, seen: &Seen, wanted: &Wanted) -> Way {
    if !wanted.is_back() {
        return forward(seen, wanted);
    }
    match &seen.status {
        Status::CreateComplete
        | Status::ImportComplete
        | Status::ImportRollbackComplete
        | Status::UpdateComplete
        | Status::UpdateRollbackComplete => from_rest(place, seen, wanted),
        Status::UpdateInProgress => from_update(place, seen, wanted),
        Status::UpdateFailed => {
            let token = format!("{TOKENS}rollback-{}", seen.changed_at.as_millisecond());
            let call = Call::RollBack { stack: place.stack.clone(), token: token.clone() };
            // CloudFormation refuses it in every other status, so its repetition does nothing again.
            asking(seen, &token, call, false)
        }
        Status::UpdateCompleteCleanupInProgress
        | Status::UpdateRollbackInProgress
        | Status::UpdateRollbackCompleteCleanupInProgress => Way::Coming { what: seen.said() },
        Status::CreateFailed
        | Status::CreateInProgress
        | Status::DeleteComplete
        | Status::DeleteFailed
        | Status::DeleteInProgress
        | Status::ImportInProgress
        | Status::ImportRollbackFailed
        | Status::ImportRollbackInProgress
        | Status::ReviewInProgress
        | Status::RollbackComplete
        | Status::RollbackFailed
        | Status::RollbackInProgress
        | Status::UpdateRollbackFailed
        | Status::Unknown(_) => seen.blocked(seen.status.why_it_blocks()),
    }
}

/// Only the team's own deployment takes a stack forward; what can be said is whether it has.
fn forward(seen: &Seen, wanted: &Wanted) -> Way {
    if wanted.weight != Weight::ALL {
        let why = "a stack is deployed as a whole".to_owned();
        return Way::Blocked(Blocked::Indivisible { weight: wanted.weight, why });
    }
    let is_candidate = seen.is_like(wanted.candidate);
    match &seen.status {
        Status::CreateComplete
        | Status::ImportComplete
        | Status::ImportRollbackComplete
        | Status::UpdateComplete
        | Status::UpdateRollbackComplete
            if is_candidate =>
        {
            Way::There
        }
        Status::UpdateCompleteCleanupInProgress if is_candidate => Way::Coming { what: seen.said() },
        Status::CreateComplete
        | Status::CreateFailed
        | Status::CreateInProgress
        | Status::DeleteComplete
        | Status::DeleteFailed
        | Status::DeleteInProgress
        | Status::ImportComplete
        | Status::ImportInProgress
        | Status::ImportRollbackComplete
        | Status::ImportRollbackFailed
        | Status::ImportRollbackInProgress
        | Status::ReviewInProgress
        | Status::RollbackComplete
        | Status::RollbackFailed
        | Status::RollbackInProgress
        | Status::UpdateComplete
        | Status::UpdateCompleteCleanupInProgress
        | Status::UpdateFailed
        | Status::UpdateInProgress
        | Status::UpdateRollbackComplete
        | Status::UpdateRollbackCompleteCleanupInProgress
        | Status::UpdateRollbackFailed
        | Status::UpdateRollbackInProgress
        | Status::Unknown(_) => seen.blocked(&format!(
            "it is at version {}, and only its team's own deployment takes it to {}: deploy it, then open the release",
            seen.deployed, wanted.candidate
        )),
    }
}

/// The way back of a stack that nothing is done to.
fn from_rest(place: &Stack, seen: &Seen, wanted: &Wanted) -> Way {
    if seen.is_like(wanted.stable) {
        return Way::There;
    }
    // What failed once fails again, and each try changes resources there and back.
    if seen.status == Status::UpdateRollbackComplete && seen.is_by(&redeploying_to(wanted.stable)) {
        return seen.blocked(&format!("version {} was deployed again, and failed", wanted.stable));
    }
    if !seen.kept.contains(&wanted.stable) {
        return seen.blocked(&format!(
            "it is at version {}, and the template and parameters of version {} are not kept",
            seen.deployed, wanted.stable
        ));
    }
    let redeployment = Redeployment {
        stack: place.stack.clone(),
        from: seen.deployed,
        to: wanted.stable,
        changed_at: seen.changed_at,
        triggers: seen.triggers.clone(),
        role: seen.role.clone(),
    };
    asking(seen, &redeployment.token(), Call::Redeploy(redeployment), true)
}

/// The way back of a stack that is being updated. Whoever has just begun to take it back must not be cancelled by the next
/// alarm: the token tells our own update once its first event can be seen, and until then the claim does.
fn from_update(place: &Stack, seen: &Seen, wanted: &Wanted) -> Way {
    if seen.is_by(&redeploying_to(wanted.stable)) {
        return Way::Coming { what: format!("version {} is being deployed again", wanted.stable) };
    }
    let token = format!("{TOKENS}cancel-{}", seen.changed_at.as_millisecond());
    let call = Call::Cancel { stack: place.stack.clone(), token: token.clone() };
    asking(seen, &token, call, true)
}

fn asking(seen: &Seen, token: &str, call: Call, is_claimed: bool) -> Way {
    if let Some(root) = &seen.nested_in {
        return seen.blocked(&format!("it is nested in {root}, and only that may be operated on"));
    }
    if seen.asked.as_deref() == Some(token) {
        return Way::Coming { what: format!("CloudFormation was asked for {call}") };
    }
    Way::Call { call: super::Call::Stack(call), is_claimed }
}

impl Seen {
    /// What the team brought there last, by a deployment that has not been taken back: neither by CloudFormation nor by us.
    pub fn brought(&self) -> Option<Brought> {
        let brought = Brought { version: self.deployed, at: self.changed_at };
        match &self.status {
            Status::UpdateComplete
            | Status::UpdateCompleteCleanupInProgress
            | Status::UpdateFailed
            | Status::UpdateInProgress => (!self.is_by(TOKENS)).then_some(brought),
            Status::CreateComplete
            | Status::CreateFailed
            | Status::CreateInProgress
            | Status::DeleteComplete
            | Status::DeleteFailed
            | Status::DeleteInProgress
            | Status::ImportComplete
            | Status::ImportInProgress
            | Status::ImportRollbackComplete
            | Status::ImportRollbackFailed
            | Status::ImportRollbackInProgress
            | Status::ReviewInProgress
            | Status::RollbackComplete
            | Status::RollbackFailed
            | Status::RollbackInProgress
            | Status::UpdateRollbackComplete
            | Status::UpdateRollbackCompleteCleanupInProgress
            | Status::UpdateRollbackFailed
            | Status::UpdateRollbackInProgress
            | Status::Unknown(_) => None,
        }
    }

    /// Whether what is deployed is that version, or CloudFormation finds no difference to it.
    fn is_like(&self, version: Version) -> bool {
        self.deployed == version || self.same_as == Some(version)
    }

    /// Whether the latest operation was asked for with a token that begins like this.
    fn is_by(&self, tokens: &str) -> bool {
        self.operation.as_ref().is_some_and(|token| token.starts_with(tokens))
    }

    fn blocked(&self, why: &str) -> Way {
        Way::Blocked(Blocked::State { state: self.said(), why: why.to_owned() })
    }

    /// The status, with what CloudFormation says to it.
    fn said(&self) -> String {
        match &self.status_reason {
            Some(reason) => format!("{} ({reason})", self.status),
            None => self.status.to_string(),
        }
    }
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match self {
            Self::Cancel { .. } => &["cloudformation:CancelUpdateStack"],
            Self::RollBack { .. } => &["cloudformation:RollbackStack"],
            Self::Redeploy(_) => &["cloudformation:UpdateStack", "dynamodb:Query"],
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel { stack, token } => {
                write!(
                    f,
                    "cloudformation:CancelUpdateStack {stack}, if an update is still under way; token {token}"
                )
            }
            Self::RollBack { stack, token } => {
                write!(f, "cloudformation:RollbackStack {stack}, if it is still UPDATE_FAILED; token {token}")
            }
            Self::Redeploy(redeployment) => {
                let Redeployment { stack, from, to, triggers, role, .. } = redeployment;
                write!(
                    f,
                    "cloudformation:UpdateStack {stack} from version {from} to the kept template and parameters of {to}"
                )?;
                match role {
                    Some(role) => write!(f, ", with the rights of {role}")?,
                    None => write!(f, ", with Ripcord's own rights, because it has no role")?,
                }
                if !triggers.is_empty() {
                    let alarms = triggers.join(", ");
                    write!(
                        f,
                        ", without its rollback triggers, which the next deployment must name again: {alarms}"
                    )?;
                }
                write!(f, "; token {}", redeployment.token())
            }
        }
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stack:{}", self.stack)
    }
}
