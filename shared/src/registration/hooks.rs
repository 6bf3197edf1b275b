//! What CodeDeploy's and ECS's lifecycle hooks do for a service.

use serde::{Deserialize, Serialize};

use super::HealthCheck;
use crate::names::EcsName;

/// What the hooks do besides what they always do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HookPolicy {
    /// For how many minutes the hook after the shift lets the judge watch the new version: 0, which is not at all, or 5 to
    /// 13, because the first numbers take four to come, and a function lives for 15.
    pub watch_minutes: u32,
    /// The ECS services whose deployments are checked as this service's. An alarm does not put them back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ecs_services: Vec<EcsService>,
}

/// An ECS service whose lifecycle hooks run this service's checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EcsService {
    /// The cluster.
    pub cluster: EcsName,
    /// The service.
    pub service: EcsName,
    /// An address that must answer once the new tasks have test traffic, and again once they have all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
}

impl Default for HookPolicy {
    fn default() -> Self {
        Self { watch_minutes: 5, ecs_services: Vec::new() }
    }
}

impl HookPolicy {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
