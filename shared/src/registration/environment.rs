//! The same service in other environments: one document, other parameters.

use serde::{Deserialize, Serialize};

use super::{Freeze, Guard, Limits, Registration, ReleasePolicy, RollbackPolicy, Stage, Target, Violation};

/// What is different in an environment. What is left out stays as the document has it; what is given replaces it whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    /// Where traffic shifts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<Target>>,
    /// The alarms that pull the cord.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guards: Option<Vec<Guard>>,
    /// How a release progresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<Stage>>,
    /// What every stage must keep to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// When no release may begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freezes: Option<Vec<Freeze>>,
    /// How releases run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleasePolicy>,
    /// When and how often traffic is put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackPolicy>,
}

impl Registration {
    /// The document as an environment has it, checked as a whole.
    pub fn in_environment(&self, name: &str) -> Result<Self, Vec<Violation>> {
        let Some(environment) = self.environments.get(name) else {
            let known: Vec<&str> = self.environments.keys().map(String::as_str).collect();
            let rule = format!("one of the document's environments: {}", known.join(", "));
            return Err(vec![Violation::new("environment", format!("{name:?}"), rule)]);
        };
        let Environment { targets, guards, stages, limits, freezes, release, rollback } = environment.clone();
        let registration = Self {
            targets: targets.unwrap_or_else(|| self.targets.clone()),
            guards: guards.unwrap_or_else(|| self.guards.clone()),
            stages: stages.unwrap_or_else(|| self.stages.clone()),
            limits: limits.unwrap_or_else(|| self.limits.clone()),
            freezes: freezes.unwrap_or_else(|| self.freezes.clone()),
            release: release.unwrap_or_else(|| self.release.clone()),
            rollback: rollback.unwrap_or_else(|| self.rollback.clone()),
            ..self.clone()
        };
        let violations = registration.violations();
        if violations.is_empty() { Ok(registration) } else { Err(violations) }
    }
}
