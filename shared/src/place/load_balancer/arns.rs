//! The ARNs of a listener or rule, and of target groups. Another kind of ARN cannot be constructed, so that a target group
//! always has the name that it is a version by.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{Arn, InvalidName, Region, Version};

/// The ARN of a listener, whose default action forwards, or of one of its rules. Only an Application Load Balancer's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct RuleArn {
    arn: Arn,
    what: RuleKind,
}

/// Which of the two it is: each is looked at and changed by calls of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleKind {
    /// A listener, by its default actions.
    Listener,
    /// A rule of a listener.
    Rule,
}

impl RuleArn {
    /// The ARN as AWS writes it.
    pub fn as_str(&self) -> &str {
        self.arn.as_str()
    }

    /// Which of the two it is.
    pub fn kind(&self) -> RuleKind {
        self.what
    }

    /// What people know it by: the load balancer's name and the ids behind it.
    pub fn resource(&self) -> &str {
        self.arn.resource()
    }
}

impl TryFrom<String> for RuleArn {
    type Error = InvalidName;

    fn try_from(value: String) -> Result<Self, InvalidName> {
        let kind_of = |arn: &Arn| {
            let parts: Vec<&str> = arn.resource().split('/').collect();
            match parts.as_slice() {
                ["listener", "app", _, _, _] => Some(RuleKind::Listener),
                ["listener-rule", "app", _, _, _, _] => Some(RuleKind::Rule),
                _ => None,
            }
        };
        let arn = elastic_load_balancing(&value).and_then(|arn| Some((kind_of(&arn)?, arn)));
        arn.map(|(what, arn)| Self { arn, what }).ok_or(InvalidName {
            what: "the listener or rule",
            value,
            rule: "the ARN of an Application Load Balancer's listener (…:listener/app/…) or rule (…:listener-rule/app/…)",
        })
    }
}

impl From<RuleArn> for String {
    fn from(rule: RuleArn) -> String {
        rule.arn.into()
    }
}

impl fmt::Display for RuleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arn.fmt(f)
    }
}

/// A target group: its ARN, and the name in it, which is the version that it serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct TargetGroup {
    arn: Arn,
    name: Version,
}

impl TargetGroup {
    /// The ARN.
    pub fn arn(&self) -> &Arn {
        &self.arn
    }

    /// The version that it serves.
    pub fn name(&self) -> Version {
        self.name
    }
}

impl TryFrom<String> for TargetGroup {
    type Error = InvalidName;

    fn try_from(value: String) -> Result<Self, InvalidName> {
        let arn = elastic_load_balancing(&value);
        let named = arn.and_then(|arn| Some((name_in(&arn)?.parse().ok()?, arn)));
        named.map(|(name, arn)| Self { arn, name }).ok_or(InvalidName {
            what: "the target group",
            value,
            rule: "a target group's ARN (…:targetgroup/NAME/ID) whose name is no number that begins with 0",
        })
    }
}

impl From<TargetGroup> for String {
    fn from(group: TargetGroup) -> String {
        group.arn.into()
    }
}

impl fmt::Display for TargetGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// The name of a target group, from its ARN; nothing if that is not one.
pub(super) fn name_in(group: &Arn) -> Option<&str> {
    let parts: Vec<&str> = group.resource().split('/').collect();
    match parts.as_slice() {
        ["targetgroup", name, _] => Some(name),
        _ => None,
    }
}

fn elastic_load_balancing(value: &str) -> Option<Arn> {
    value.parse::<Arn>().ok().filter(|arn| arn.service() == "elasticloadbalancing")
}

/// Everything before the resource: a listener forwards only to target groups of its own account and region.
fn whereabouts(arn: &Arn) -> &str {
    arn.as_str().strip_suffix(arn.resource()).unwrap_or_default()
}

impl super::Forward {
    /// The rules that its ARNs break together: each with the field, the value, and the rule.
    pub fn violations(&self, region: Option<&Region>) -> Vec<(&'static str, String, &'static str)> {
        let mut broken = Vec::new();
        let [first, second] = &self.target_groups;
        if first.name == second.name {
            let rule = "releases take turns in two target groups, and each has a name of its own";
            broken.push(("target_groups", second.arn.to_string(), rule));
        }
        if let Some(group) =
            self.target_groups.iter().find(|group| whereabouts(&group.arn) != whereabouts(&self.rule.arn))
        {
            let rule = "target groups lie in the account and the region of the listener or rule";
            broken.push(("target_groups", group.arn.to_string(), rule));
        }
        if region.is_some_and(|region| self.rule.arn.region() != Some(region.as_str())) {
            broken.push(("rule", self.rule.to_string(), "its region is the target's `region`"));
        }
        broken
    }
}
