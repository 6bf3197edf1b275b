//! The AppSpec: what a deployment deploys, from what to what, and which hooks it calls. CodeDeploy takes it as YAML and JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::{AliasName, FunctionName, InvalidName, Version};

#[cfg(test)]
mod tests;
mod text;

const LAMBDA: &str = "AWS::Lambda::Function";
const ECS: &str = "AWS::ECS::Service";

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
    /// To other instances, which are none of Ripcord's targets.
    Instances,
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
    pub current: Version,
    /// The version that it is to serve.
    pub target: Version,
}

/// Why an AppSpec cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the AppSpec {why}")]
pub struct AppSpecError {
    /// In which way.
    pub why: String,
}

impl AppSpec {
    /// Reads an AppSpec of Lambda or ECS, in JSON or YAML.
    pub fn parse(text: &str) -> Result<Self, AppSpecError> {
        text::read(text).and_then(|spec| read(&spec)).map_err(|why| AppSpecError { why })
    }

    /// The spec of a shift, as CodeDeploy takes it. It calls no hooks: nothing may veto the way back.
    pub fn of_shift(shift: &AliasShift) -> String {
        serde_json::json!({
            "version": "0.0",
            "Resources": [{ "target": {
                "Type": LAMBDA,
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

impl AliasShift {
    /// A shift as it is written down: the function by its name or its ARN, the rest in words.
    pub fn of_texts(function: &str, alias: &str, current: &str, target: &str) -> Result<Self, InvalidName> {
        Ok(Self {
            function: name_of(function).parse()?,
            alias: alias.parse()?,
            current: Version::published(current)?,
            target: Version::published(target)?,
        })
    }
}

fn read(spec: &Value) -> Result<AppSpec, String> {
    let resources = field(spec, "Resources").and_then(Value::as_array);
    let resources = resources.ok_or("has no list of Resources")?;
    let [resource] = resources.as_slice() else {
        return Err(format!("has {} Resources, and 1 is deployed", resources.len()));
    };
    let named = resource.as_object().filter(|named| named.len() == 1).and_then(|named| named.values().next());
    let resource = named.ok_or("has a resource that is not NAME: {Type, Properties}")?;
    Ok(AppSpec { resource: read_resource(resource)?, hooks: read_hooks(field(spec, "Hooks"))? })
}

fn read_resource(resource: &Value) -> Result<Resource, String> {
    let properties = field(resource, "Properties").ok_or("has a resource without Properties")?;
    let text = |name: &str| {
        field(properties, name).and_then(scalar).ok_or_else(|| format!("has a resource without {name}"))
    };
    let kind = field(resource, "Type").and_then(scalar).ok_or("has a resource without Type")?;
    match kind.as_str() {
        LAMBDA => {
            let shift = AliasShift::of_texts(
                &text("Name")?,
                &text("Alias")?,
                &text("CurrentVersion")?,
                &text("TargetVersion")?,
            );
            Ok(Resource::Alias(shift.map_err(|invalid| format!("shifts no alias: {invalid}"))?))
        }
        ECS => Ok(Resource::TaskSet { task_definition: text("TaskDefinition")? }),
        other => Err(format!("deploys {other:?}, and {LAMBDA} and {ECS} are known")),
    }
}

/// Each lifecycle event comes with the function that it calls.
fn read_hooks(hooks: Option<&Value>) -> Result<BTreeMap<String, String>, String> {
    let hooks = match hooks {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        // What YAML has under a key without a value.
        Some(Value::String(nothing)) if nothing.is_empty() => return Ok(BTreeMap::new()),
        Some(hooks) => hooks.as_array().ok_or("has Hooks that are no list")?,
    };
    let calls = hooks.iter().map(|hook| hook.as_object().ok_or("has a hook that is not EVENT: FUNCTION"));
    let calls = calls.collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
    calls
        .map(|(event, function)| match scalar(function) {
            Some(function) => Ok((event.clone(), name_of(&function).to_owned())),
            None => Err(format!("has a hook {event} that names no function")),
        })
        .collect()
}

/// A field, however its name is written: CloudFormation and people differ in that.
fn field<'value>(value: &'value Value, name: &str) -> Option<&'value Value> {
    let mut fields = value.as_object()?.iter();
    fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A text, or a number as one: versions are written either way.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A function's name, from the name or the ARN, with or without a qualifier.
fn name_of(function: &str) -> &str {
    let mut parts = function.split(':').skip_while(|part| *part != "function");
    parts.nth(1).unwrap_or(function)
}
