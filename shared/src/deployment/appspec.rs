//! The AppSpec: what a deployment deploys, from what to what, and which hooks it calls. CodeDeploy takes it as YAML and JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{AliasName, FunctionName, FunctionVersion};

/// What a deployment deploys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    /// Its one resource.
    pub resource: Resource,
    /// The function that each lifecycle event calls, by the event's name.
    pub hooks: BTreeMap<String, String>,
}

/// What traffic is shifted to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// From one version of a function to another, behind an alias.
    Alias(AliasShift),
    /// To a new task set of an ECS service.
    TaskSet {
        /// The task definition's ARN.
        task_definition: String,
    },
}

/// The shift of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasShift {
    /// The function.
    pub function: FunctionName,
    /// The alias.
    pub alias: AliasName,
    /// The version that it serves.
    pub current: FunctionVersion,
    /// The version that it is to serve.
    pub target: FunctionVersion,
}

/// Why an AppSpec cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the AppSpec {why}")]
pub struct AppSpecError {
    /// In which way.
    pub why: String,
}

impl AppSpec {
    /// The spec of a shift, as CodeDeploy takes it. It calls no hooks: nothing may veto the way back.
    pub fn of_shift(shift: &AliasShift) -> String {
        serde_json::json!({
            "version": "0.0",
            "Resources": [{ "target": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Name": shift.function,
                    "Alias": shift.alias,
                    "CurrentVersion": shift.current,
                    "TargetVersion": shift.target,
                },
            }}],
        })
        .to_string()
    }
}
