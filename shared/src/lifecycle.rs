//! The lifecycle hooks of ECS's own deployments: blue/green, canary, linear. What ECS tells comes in as a [`LifecycleEvent`],
//! what was seen as [`Look`]s, and what ECS is answered goes out as a [`Verdict`]. Nothing here calls, waits or reads a clock.
//!
//! ECS calls the same hooks while it rolls back, and whoever answers `FAILED` then breaks the rollback. So there is one rule
//! that every answer keeps to: `FAILED` is only ever answered to what is known to be a step forward. Everything else goes on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::preflight::Check;

mod decide;
mod event;
mod memory;
mod report;

pub use decide::{Look, LookFacts, decide_look, decide_unasked, decide_unregistered, decide_unseen};
pub use event::{Direction, EcsPlace, LifecycleEvent, LifecycleStage};
pub use report::report;

/// What a hook has come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What ECS is answered.
    pub answer: HookAnswer,
    /// Why.
    pub why: String,
    /// The checks that were made.
    pub checks: Vec<Check>,
}

/// What ECS is answered. Anything else makes it roll back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookAnswer {
    /// What ECS is to do.
    pub hook_status: HookStatus,
    /// After how many seconds it asks again; by itself after 30. No bounds are documented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_back_delay: Option<u32>,
    /// What it hands back then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_details: Option<Map<String, Value>>,
}

/// What ECS is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HookStatus {
    /// Go on.
    Succeeded,
    /// Roll back.
    Failed,
    /// Ask again later.
    InProgress,
}
