//! The registration document: what a team tells Ripcord about a service. Its JSON Schema is generated from these types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{AlarmArn, GroupName, ServiceName, TargetName, Version, Weight};

mod address;
mod answer_schema;
mod checks;
mod environment;
mod hooks;
mod metrics;
mod rules;
mod target;

pub use address::is_public;
pub use answer_schema::{AnswerSchema, Breach, Endless, InvalidSchema};
pub(crate) use checks::without_query;
pub use checks::{Freeze, HealthCheck, Preflight, Smoke, SmokeExpectation};
pub use environment::Environment;
pub use hooks::{EcsService, HookPolicy};
pub(crate) use metrics::{CANDIDATE, STABLE};
pub use metrics::{MetricCheck, MetricSource, Missing};
pub use rules::Violation;
pub(crate) use rules::{check_limits, check_stages};
pub use target::{Reach, Target};

/// A service as its team registers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Where the schema of this document lies, for editors.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The service's name, unique in the suite.
    pub service: ServiceName,
    /// Where its traffic shifts. None are needed where hooks name ECS services.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// The alarms that pull the cord.
    pub guards: Vec<Guard>,
    /// How a release progresses, unless it names another strategy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// What every stage must keep to, unless it has limits of its own.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// What else is watched while a release moves: gauges, custom metrics, metric math.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricCheck>,
    /// Queues whose messages are requests that failed for good: a message while a release moves puts it back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead_letter_queues: Vec<String>,
    /// What is checked before a release moves traffic.
    #[serde(default, skip_serializing_if = "Preflight::is_empty")]
    pub preflight: Preflight,
    /// What CodeDeploy's and ECS's hooks do for it.
    #[serde(default, skip_serializing_if = "HookPolicy::is_default")]
    pub hooks: HookPolicy,
    /// When no release may begin. A freeze never stops a rollback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// How releases run.
    #[serde(default, skip_serializing_if = "ReleasePolicy::is_default")]
    pub release: ReleasePolicy,
    /// When and how often traffic is put back.
    #[serde(default)]
    pub rollback: RollbackPolicy,
    /// Points past which there is no way back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub barriers: Vec<Barrier>,
    /// What is different in which environment; `ripcord apply --environment NAME` registers the document with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, Environment>,
}

/// An alarm that guards the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The alarm's ARN, or its name in the account and region of the suite.
    pub alarm: String,
}

/// A step of a release: how much traffic, for how long, within which limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The candidate's share of traffic, above 0 and up to 1.
    pub weight: Weight,
    /// How long the stage is watched.
    pub bake_minutes: u32,
    /// What it must keep to, where that differs from the service's limits.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// Whether a person must approve before the stage begins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

/// Limits that a stage must keep to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The largest share of requests that may fail, between 0 and 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate_max: Option<f64>,
    /// A request that takes longer than this, in milliseconds, is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms_max: Option<u32>,
    /// The largest share of requests that may be slow, between 0 and 1; 0.05 makes `latency_ms_max` a 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_rate_max: Option<f64>,
    /// The most requests that the alias may turn away in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttles_max: Option<u32>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These limits, and where they say nothing, those.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self {
            error_rate_max: self.error_rate_max.or(others.error_rate_max),
            latency_ms_max: self.latency_ms_max.or(others.latency_ms_max),
            slow_rate_max: self.slow_rate_max.or(others.slow_rate_max),
            throttles_max: self.throttles_max.or(others.throttles_max),
        }
    }
}

/// How releases run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ReleasePolicy {
    /// The preset that a release follows if it names none; without one, the document's stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// After each shift the metrics of so many seconds are left out: connections drain and caches fill.
    pub stabilise_seconds: u32,
    /// A stage that has proved nothing by the end of its bake is watched for so many minutes more; without a number, for as
    /// long as its bake again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extend_minutes_max: Option<u32>,
    /// What follows when a stage has still proved nothing then.
    pub unproven: Unproven,
    /// How long a person has to approve; then the release is rolled back.
    pub approval_minutes_max: u32,
}

/// What follows when a stage has proved nothing by the end of its extended bake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// Traffic goes back.
    RollBack,
    /// A person is asked.
    Ask,
}

impl Default for ReleasePolicy {
    fn default() -> Self {
        Self {
            strategy: None,
            stabilise_seconds: 60,
            extend_minutes_max: None,
            unproven: Unproven::RollBack,
            approval_minutes_max: 240,
        }
    }
}

impl ReleasePolicy {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// When and how often traffic is put back without a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RollbackPolicy {
    /// For how long after its completion an alarm still puts a release back.
    pub window_hours: u32,
    /// After this many automatic rollbacks within `rollbacks_window_minutes` Ripcord holds and pages.
    pub rollbacks_max: u32,
    /// The window in which rollbacks are counted.
    pub rollbacks_window_minutes: u32,
    /// For how long a rolled-back version, or the same code under another number, is refused.
    pub quarantine_hours: u32,
    /// All services that name the same group go back together on an alarm of any of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
}

impl Default for RollbackPolicy {
    fn default() -> Self {
        Self {
            window_hours: 24,
            rollbacks_max: 3,
            rollbacks_window_minutes: 60,
            quarantine_hours: 168,
            group: None,
        }
    }
}

/// From this version on a target cannot go back below it, because a migration came with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Barrier {
    /// The target whose versions are meant.
    pub target: TargetName,
    /// The first version that needs the migration.
    pub since_version: Version,
    /// What was migrated.
    pub reason: String,
}

/// The account and region that names in a document are resolved in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The AWS partition, such as `aws`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account's number.
    pub account: String,
}

impl Guard {
    /// The alarm's ARN, completed from a bare name.
    pub fn arn(&self, home: &Home) -> Result<AlarmArn, crate::names::InvalidName> {
        if self.alarm.starts_with("arn:") {
            self.alarm.parse()
        } else {
            format!("arn:{}:cloudwatch:{}:{}:alarm:{}", home.partition, home.region, home.account, self.alarm)
                .parse()
        }
    }
}

impl Registration {
    /// Reads and checks a document.
    pub fn parse(document: &str) -> Result<Self, Vec<Violation>> {
        let json = &mut serde_json::Deserializer::from_str(document);
        let registration: Self = serde_path_to_error::deserialize(&mut *json)
            .map_err(|error| vec![Violation::from_json(error.path(), error.inner())])?;
        // What follows the document would otherwise be dropped without a word: half of a botched merge, say.
        json.end().map_err(|error| vec![Violation::from_json(".", &error)])?;
        let violations = registration.violations();
        if violations.is_empty() { Ok(registration) } else { Err(violations) }
    }

    /// The target of this name.
    pub fn target(&self, name: &TargetName) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == *name)
    }

    /// Whether the alarm is among the guards, by its ARN or by its name.
    pub fn is_guarded_by(&self, alarm: &AlarmArn) -> bool {
        self.guards.iter().any(|guard| guard.alarm == alarm.as_str() || guard.alarm == alarm.name())
    }

    /// The barrier that going from `from` to `to` would cross.
    pub fn barrier_between(&self, target: &TargetName, from: Version, to: Version) -> Option<&Barrier> {
        self.barriers.iter().find(|barrier| {
            barrier.target == *target && to < barrier.since_version && barrier.since_version <= from
        })
    }
}

/// The JSON Schema of the document, as it is committed and published.
#[cfg(feature = "schema")]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Registration).to_value()
}
