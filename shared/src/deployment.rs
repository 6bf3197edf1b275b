//! CodeDeploy, as far as a release cares: which deployment moves its traffic, and what CodeDeploy says of it.
//!
//! A service is registered the same way whoever moves its traffic; that CodeDeploy does is known from its own events and from
//! the hooks that it calls. Nothing here calls anybody.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::DeploymentId;

mod appspec;
mod change;
mod drift;
mod place;

pub use appspec::{AliasShift, AppSpec, AppSpecError, Resource};
pub use change::DeploymentChange;
pub use drift::{Drift, RECONCILE_STACK, drift};
pub use place::Place;

/// The end of the name that the template gives to the hook before traffic. A deployment that calls it gives its target no
/// traffic before that hook has said so.
pub const PRE_TRAFFIC_HOOK: &str = "-pre-traffic-hook";

/// What the ledger keeps of the deployment that moves a release's traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The deployment.
    pub id: DeploymentId,
    /// Its application.
    pub application: String,
    /// Its deployment group.
    pub group: String,
    /// Why a hook of ours said no: CodeDeploy itself knows only that one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_hook: Option<String>,
    /// Whether the judge found the version bad when it had all traffic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measured_bad: bool,
    /// Why it is being put back, if somebody pulled the cord. CodeDeploy's own event knows only that it was stopped, and its
    /// invocation may be the one that closes the books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Pulled>,
    /// Until when an invocation may be starting the deployment that goes back. CodeDeploy offers no condition for that call, so
    /// whoever means to make it says so here first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal_until: Option<Timestamp>,
}

/// Who pulled the cord, as far as the books care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pulled {
    /// Why, in a sentence with its numbers.
    pub why: String,
    /// Whether nobody asked for it.
    pub automatic: bool,
}

/// What CodeDeploy says of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentState {
    /// The deployment.
    pub id: DeploymentId,
    /// Its application.
    pub application: String,
    /// Its deployment group.
    pub group: String,
    /// How far it has come.
    pub status: DeploymentStatus,
    /// Whether CodeDeploy started it itself, to roll another one back.
    pub is_rollback: bool,
    /// The deployment that rolls this one back, if CodeDeploy has started one.
    pub rolled_back_by: Option<DeploymentId>,
    /// The deployment that this one rolls back.
    pub rolls_back: Option<DeploymentId>,
    /// Why it failed or was stopped, as `CODE: message`.
    pub error: Option<String>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// What it deploys, or why that is not known.
    pub spec: Result<AppSpec, SpecUnknown>,
}

/// Why it is not known what a deployment deploys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum SpecUnknown {
    /// What there is to see is nothing that Ripcord understands, and will not be later.
    #[error("{0}")]
    NotUnderstood(String),
    /// It could not be seen; later it may be.
    #[error("{0}")]
    NotSeen(String),
}

/// How far a deployment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentStatus {
    /// Not begun.
    Created,
    /// Waiting for its turn.
    Queued,
    /// Under way.
    InProgress,
    /// All traffic is on the new side; the old one is still kept.
    Baking,
    /// Waiting for somebody to let it go on.
    Ready,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Stopped by an alarm or by somebody.
    Stopped,
}

/// The deployments that were looked at for a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployments {
    /// Those that were seen.
    pub seen: Vec<DeploymentState>,
    /// Why not all of them were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

impl DeploymentStatus {
    /// Whether it has ended, one way or another.
    pub fn has_ended(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Stopped => true,
            Self::Created | Self::Queued | Self::InProgress | Self::Baking | Self::Ready => false,
        }
    }
}

impl fmt::Display for DeploymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Queued => "queued",
            Self::InProgress => "in progress",
            Self::Baking => "baking",
            Self::Ready => "waiting to go on",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        })
    }
}

impl DeploymentState {
    /// The alias that it shifts, if it is one of Lambda.
    pub fn shift(&self) -> Option<&AliasShift> {
        match self.spec.as_ref().map(|spec| &spec.resource) {
            Ok(Resource::Alias(shift)) => Some(shift),
            Ok(Resource::TaskSet { .. } | Resource::Instances) | Err(_) => None,
        }
    }
}

impl Deployments {
    /// Whether nothing was looked at.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.unseen.is_none()
    }

    /// What was seen of a deployment.
    pub fn of(&self, id: &DeploymentId) -> Option<&DeploymentState> {
        self.seen.iter().find(|state| state.id == *id)
    }
}
