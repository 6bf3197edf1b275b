//! The AppSpec: what a deployment shifts, and its hooks. It is read from JSON or YAML, and never looked up in AWS.

use super::{applications::Platform, record::LifecycleEventName, refusal::refused};
use crate::front::fault_answers::ServiceError;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt::Write as _};

/// What is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Lambda(LambdaTarget),
    Ecs(EcsTarget),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LambdaTarget {
    pub(super) function: String,
    pub(super) alias: String,
    pub(super) current: String,
    pub(super) target: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EcsTarget {
    task_definition: String,
    container_name: String,
    container_port: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppSpec {
    pub(super) target: Target,
    /// Function names or ARNs, by event.
    pub(super) hooks: BTreeMap<LifecycleEventName, String>,
}

/// The text of a revision, if it is of a kind that the local CodeDeploy reads and its hash is right.
pub(super) fn content(revision: &Value) -> Result<&str, ServiceError> {
    let invalid = |message: &str| refused("InvalidRevisionException", message);
    let holder = match revision["revisionType"].as_str() {
        Some("AppSpecContent") => "appSpecContent",
        Some("String") => "string",
        _ => return Err(invalid("the local CodeDeploy reads revisions of type AppSpecContent or String")),
    };
    let content = revision[holder]["content"].as_str().filter(|content| !content.is_empty());
    let content = content.ok_or_else(|| invalid("the revision has no content"))?;
    match revision[holder]["sha256"].as_str() {
        Some(given) if !given.eq_ignore_ascii_case(&sha256(content)) => {
            Err(invalid("the revision's sha256 is not its content's"))
        }
        Some(_) | None => Ok(content),
    }
}

/// As `revision` documents want it.
pub(super) fn sha256(content: &str) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl AppSpec {
    /// Reads it; the error completes "the AppSpec is invalid: …".
    pub(super) fn read(content: &str, platform: Platform) -> Result<Self, String> {
        let documents = Yaml::load_from_str(content).map_err(|error| error.to_string())?;
        let root = documents.first().ok_or("it is empty")?;
        let mut resources = items(root, "Resources").into_iter().flat_map(values);
        let resource = resources.next().ok_or("it has no resource")?;
        if resources.next().is_some() {
            return Err("it has more than one resource".to_owned());
        }
        let kind = scalar(resource, "Type").unwrap_or_default();
        let properties = field(resource, "Properties").ok_or("its resource has no properties")?;
        let target = match (platform, kind.as_str()) {
            (Platform::Lambda, "AWS::Lambda::Function") => Target::Lambda(LambdaTarget::read(properties)?),
            (Platform::Ecs, "AWS::ECS::TargetService") => Target::Ecs(EcsTarget::read(properties)?),
            (Platform::Lambda | Platform::Ecs, _) => {
                return Err(format!("its resource is of type {kind:?}"));
            }
        };
        Ok(Self { target, hooks: hooks(root, platform)? })
    }

    /// The other way round, without hooks: nothing may veto the way back.
    pub(super) fn reversed(&self) -> Self {
        let target = match &self.target {
            Target::Lambda(lambda) => Target::Lambda(LambdaTarget {
                current: lambda.target.clone(),
                target: lambda.current.clone(),
                ..lambda.clone()
            }),
            Target::Ecs(ecs) => Target::Ecs(ecs.clone()),
        };
        Self { target, hooks: BTreeMap::new() }
    }

    /// As the revision of a deployment.
    pub(super) fn revision(&self) -> Value {
        let (kind, properties) = match &self.target {
            Target::Lambda(lambda) => (
                "AWS::Lambda::Function",
                json!({
                    "Name": lambda.function,
                    "Alias": lambda.alias,
                    "CurrentVersion": lambda.current,
                    "TargetVersion": lambda.target,
                }),
            ),
            Target::Ecs(ecs) => (
                "AWS::ECS::TargetService",
                json!({
                    "TaskDefinition": ecs.task_definition,
                    "LoadBalancerInfo": {
                        "ContainerName": ecs.container_name,
                        "ContainerPort": ecs.container_port,
                    },
                }),
            ),
        };
        let resource = json!({"Target": {"Type": kind, "Properties": properties}});
        let content = json!({"version": 0.0, "Resources": [resource]}).to_string();
        let sha256 = sha256(&content);
        json!({"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": sha256}})
    }
}

impl LambdaTarget {
    fn read(properties: &Yaml<'_>) -> Result<Self, String> {
        let needed = |name: &str| scalar(properties, name).ok_or_else(|| format!("{name} is missing"));
        let (current, target) = (needed("CurrentVersion")?, needed("TargetVersion")?);
        if current == target {
            return Err("TargetVersion is CurrentVersion".to_owned());
        }
        Ok(Self { function: needed("Name")?, alias: needed("Alias")?, current, target })
    }
}

impl EcsTarget {
    fn read(properties: &Yaml<'_>) -> Result<Self, String> {
        let needed =
            |node: &Yaml<'_>, name: &str| scalar(node, name).ok_or_else(|| format!("{name} is missing"));
        let balancer = field(properties, "LoadBalancerInfo").ok_or("LoadBalancerInfo is missing")?;
        Ok(Self {
            task_definition: needed(properties, "TaskDefinition")?,
            container_name: needed(balancer, "ContainerName")?,
            container_port: needed(balancer, "ContainerPort")?,
        })
    }
}

fn hooks(root: &Yaml<'_>, platform: Platform) -> Result<BTreeMap<LifecycleEventName, String>, String> {
    let mut hooks = BTreeMap::new();
    for hook in items(root, "Hooks") {
        for (event, function) in pairs(hook) {
            let named = LifecycleEventName::all(platform).iter().find(|name| name.as_str() == event);
            let named = named.filter(|name| name.can_have_hook());
            let event = *named.ok_or_else(|| format!("there is no hook {event:?}"))?;
            hooks.insert(event, function);
        }
    }
    Ok(hooks)
}

fn field<'node>(node: &'node Yaml<'node>, name: &str) -> Option<&'node Yaml<'node>> {
    node.as_mapping_get(name)
}

/// A text, or a version that was written as a number.
fn scalar(node: &Yaml<'_>, name: &str) -> Option<String> {
    field(node, name).and_then(plain).filter(|text| !text.is_empty())
}

fn plain(node: &Yaml<'_>) -> Option<String> {
    node.as_str().map(str::to_owned).or_else(|| Some(node.as_integer()?.to_string()))
}

fn items<'node>(node: &'node Yaml<'node>, name: &str) -> Vec<&'node Yaml<'node>> {
    field(node, name).and_then(Yaml::as_sequence).map(|items| items.iter().collect()).unwrap_or_default()
}

fn values<'node>(node: &'node Yaml<'node>) -> Vec<&'node Yaml<'node>> {
    node.as_mapping().map(|mapping| mapping.values().collect()).unwrap_or_default()
}

fn pairs(node: &Yaml<'_>) -> Vec<(String, String)> {
    let pairs = node.as_mapping().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((plain(key)?, plain(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "version: 0.0\nResources:\n  - checkout:\n      Type: AWS::Lambda::Function\n      Properties:\n        \
        Name: checkout\n        Alias: live\n        CurrentVersion: 1\n        TargetVersion: \"2\"\n\
        Hooks:\n  - BeforeAllowTraffic: before\n  - AfterAllowTraffic: after\n";

    #[track_caller]
    fn refused_because(content: &str, expect: &str) {
        let error = AppSpec::read(content, Platform::Lambda).unwrap_err();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let spec = AppSpec::read(YAML, Platform::Lambda).unwrap();
        let target = LambdaTarget {
            function: "checkout".to_owned(),
            alias: "live".to_owned(),
            current: "1".to_owned(),
            target: "2".to_owned(),
        };
        assert_eq!(spec.target, Target::Lambda(target));
        assert_eq!(spec.hooks[&LifecycleEventName::AfterAllowTraffic], "after");
        let back = spec.reversed();
        assert!(back.hooks.is_empty());
        let revision = back.revision();
        let again = AppSpec::read(content(&revision).unwrap(), Platform::Lambda).unwrap();
        assert_eq!(again, back);
    }

    #[test]
    fn what_cannot_be_shifted_is_refused_with_its_reason() {
        refused_because("{", "");
        refused_because("", "empty");
        refused_because("version: 0.0", "no resource");
        refused_because(&YAML.replace("\"2\"", "\"1\""), "TargetVersion is CurrentVersion");
        refused_because(&YAML.replace("Alias: live", "Alias: \"\""), "Alias is missing");
        refused_because(&YAML.replace("Lambda::Function", "ECS::TargetService"), "AWS::ECS::TargetService");
        refused_because(&YAML.replace("BeforeAllowTraffic", "AllowTraffic"), "no hook \"AllowTraffic\"");
        refused_because(&YAML.replace("AfterAllowTraffic", "AfterInstall"), "no hook \"AfterInstall\"");
    }

    #[test]
    fn a_revision_with_another_hash_is_refused() {
        let mut revision = json!({"revisionType": "String", "string": {"content": "abc"}});
        assert_eq!(content(&revision).unwrap(), "abc");
        let hash = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
        revision["string"]["sha256"] = json!(hash);
        assert_eq!(content(&revision).unwrap(), "abc");
        revision["string"]["content"] = json!("abd");
        assert!(content(&revision).is_err());
    }
}
