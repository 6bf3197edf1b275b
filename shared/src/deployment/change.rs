//! CodeDeploy's word that a deployment has begun or ended, as EventBridge and a group's SNS trigger carry it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::DeploymentId;

/// A deployment changed its state. What the state is now is asked of CodeDeploy: events come late, twice and out of order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentChange {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its application.
    pub application: String,
    /// Its deployment group.
    pub group: String,
    /// What the event says, such as `START` or `FAILURE`; for the record.
    pub state: String,
    /// When it says so.
    pub raised_at: Timestamp,
}
