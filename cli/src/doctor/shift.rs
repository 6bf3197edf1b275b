//! How a template lets CodeDeploy shift a function's alias: SAM's `DeploymentPreference`, or an alias's update policy with
//! its deployment group.

use std::fmt;

use super::document::Node;
use super::finding::Severity;
use super::template::{Resource, SAM_FUNCTION, Template};

/// A shift that CodeDeploy makes whenever the template changes the function.
#[derive(Debug)]
pub(super) struct Shift<'t> {
    /// The function whose traffic shifts, or its alias.
    pub(super) subject: &'t Resource,
    /// What says how: the function itself, or the deployment group.
    pub(super) declared_by: &'t Resource,
    /// Where it says so.
    pub(super) node: &'t Node,
    pub(super) paces: Vec<(Pace, &'t Node)>,
    pub(super) alarms: Vec<&'t Node>,
    /// Where the list of alarms stands, if there is one.
    pub(super) alarms_at: Option<&'t Node>,
    pub(super) hooks: Vec<&'t Node>,
    /// The role that CodeDeploy takes on; SAM makes one if none is named.
    pub(super) role: Option<&'t Node>,
    pub(super) form: Form,
    /// Whether the template alone says that it is enabled.
    pub(super) certain: bool,
}

/// Which language the template speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Sam,
    CloudFormation,
}

/// How fast traffic moves.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pace {
    AllAtOnce,
    Canary { percent: f64, minutes: f64 },
    Linear { percent: f64, minutes: f64 },
    Unknown,
}

impl Pace {
    /// Whether some traffic stays behind for a while; what is not known may.
    pub(super) fn is_gradual(&self) -> bool {
        match self {
            Self::AllAtOnce => false,
            Self::Canary { .. } | Self::Linear { .. } | Self::Unknown => true,
        }
    }

    /// The names of CodeDeploy's own configurations, with and without their prefix.
    fn named(name: &str) -> Self {
        let name = name.strip_prefix("CodeDeployDefault.").unwrap_or(name);
        let name = name.strip_prefix("Lambda").or_else(|| name.strip_prefix("ECS")).unwrap_or(name);
        let figures = |rest: &str, between: &str| {
            let (percent, rest) = rest.split_once(between)?;
            let minutes = rest.strip_suffix("Minutes").or_else(|| rest.strip_suffix("Minute"))?;
            Some((percent.parse().ok()?, minutes.parse().ok()?))
        };
        let canary = name.strip_prefix("Canary").and_then(|rest| figures(rest, "Percent"));
        let linear = name.strip_prefix("Linear").and_then(|rest| figures(rest, "PercentEvery"));
        match (name, canary, linear) {
            ("AllAtOnce", ..) => Self::AllAtOnce,
            (_, Some((percent, minutes)), _) => Self::Canary { percent, minutes },
            (_, _, Some((percent, minutes))) => Self::Linear { percent, minutes },
            _ => Self::Unknown,
        }
    }

    /// A deployment configuration of the template itself.
    fn configured(template: &Template, resource: &Resource) -> Self {
        let routing = template.values(resource, "TrafficRoutingConfig");
        let [routing] = routing.as_slice() else { return Self::Unknown };
        let figures = |key, percent, interval| {
            let figures = routing.get(key)?;
            Some((template.number(figures, percent)?, template.number(figures, interval)?))
        };
        match template.exact(routing, "Type").as_deref() {
            Some("AllAtOnce") => Self::AllAtOnce,
            Some("TimeBasedCanary") => figures("TimeBasedCanary", "CanaryPercentage", "CanaryInterval")
                .map_or(Self::Unknown, |(percent, minutes)| Self::Canary { percent, minutes }),
            Some("TimeBasedLinear") => figures("TimeBasedLinear", "LinearPercentage", "LinearInterval")
                .map_or(Self::Unknown, |(percent, minutes)| Self::Linear { percent, minutes }),
            _ => Self::Unknown,
        }
    }

    fn of(template: &Template, node: &Node) -> Self {
        match template.target(node) {
            Some(resource) if resource.is("AWS::CodeDeploy::DeploymentConfig") => {
                Self::configured(template, resource)
            }
            _ => template.text(node).exact().map_or(Self::Unknown, Self::named),
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllAtOnce => f.write_str("all at once"),
            Self::Canary { percent, minutes } => write!(f, "{percent} % for {minutes} min, then all"),
            Self::Linear { percent, minutes } => write!(f, "{percent} % more every {minutes} min"),
            Self::Unknown => f.write_str("at a pace that the template does not tell"),
        }
    }
}

impl<'t> Shift<'t> {
    /// Every shift of a template.
    pub(super) fn all(template: &'t Template) -> Vec<Self> {
        let preferences =
            template.of_kind(SAM_FUNCTION).flat_map(|function| Self::preferred(template, function));
        let aliases = template.of_kind("AWS::Lambda::Alias");
        preferences.chain(aliases.flat_map(|alias| Self::of_alias(template, alias))).collect()
    }

    fn preferred(template: &'t Template, function: &'t Resource) -> Vec<Self> {
        // Without an alias SAM refuses the preference itself.
        if template.values(function, "AutoPublishAlias").is_empty() {
            return Vec::new();
        }
        let of = |node: &'t Node| {
            // Where only the deployment knows whether it is enabled, it may be.
            let enabled = template.all(node, "Enabled");
            if node.entries().is_empty()
                || !enabled.is_empty() && enabled.iter().all(|node| template.boolean(node) == Some(false))
            {
                return None;
            }
            let hooks = template.all(node, "Hooks").into_iter();
            Some(Self {
                subject: function,
                declared_by: function,
                node,
                paces: paces(template, node, "Type"),
                alarms: node.get("Alarms").map(|alarms| template.list(alarms)).unwrap_or_default(),
                alarms_at: node.get("Alarms"),
                hooks: hooks
                    .flat_map(|hooks| [template.all(hooks, "PreTraffic"), template.all(hooks, "PostTraffic")])
                    .flatten()
                    .collect(),
                role: template.all(node, "Role").pop(),
                form: Form::Sam,
                certain: enabled.iter().all(|node| template.boolean(node) == Some(true)),
            })
        };
        template.values(function, "DeploymentPreference").into_iter().filter_map(of).collect()
    }

    fn of_alias(template: &'t Template, alias: &'t Resource) -> Vec<Self> {
        let policies = alias.attribute("UpdatePolicy").into_iter();
        let of = |policy: &'t Node| {
            let named = policy.get("DeploymentGroupName")?;
            let group = template.target(named)?;
            let node = group.attribute("Properties")?;
            let alarms = template.all(node, "AlarmConfiguration");
            let on = |node: &&&Node| {
                template.all(node, "Enabled").iter().all(|node| template.boolean(node) != Some(false))
            };
            let lists: Vec<_> = alarms.iter().filter(on).filter_map(|alarms| alarms.get("Alarms")).collect();
            let items = lists.iter().flat_map(|list| template.list(list));
            let hooks = ["BeforeAllowTrafficHook", "AfterAllowTrafficHook"];
            Some(Self {
                subject: alias,
                declared_by: group,
                node,
                paces: paces(template, node, "DeploymentConfigName"),
                alarms: items.flat_map(|item| template.all(item, "Name")).collect(),
                alarms_at: lists.first().copied(),
                hooks: hooks.iter().flat_map(|hook| template.all(policy, hook)).collect(),
                role: template.all(node, "ServiceRoleArn").pop(),
                form: Form::CloudFormation,
                certain: true,
            })
        };
        policies
            .flat_map(|policy| template.all(policy, "CodeDeployLambdaAliasUpdate"))
            .filter_map(of)
            .collect()
    }

    /// What only the deployment knows is never an error here.
    pub(super) fn gravest(&self) -> Severity {
        if self.certain { Severity::Error } else { Severity::Warning }
    }

    pub(super) fn is_gradual(&self) -> bool {
        self.paces.iter().any(|(pace, _)| pace.is_gradual())
    }

    /// The functions that CodeDeploy calls before and after the shift, where this template has them.
    pub(super) fn hook_functions(&self, template: &'t Template) -> Vec<(&'t Resource, &'t Node)> {
        let function = |node: &&'t Node| {
            let resource = template.target(node).filter(|resource| resource.is_function())?;
            Some((resource, *node))
        };
        self.hooks.iter().filter_map(function).collect()
    }
}

fn paces<'t>(template: &Template, node: &'t Node, key: &str) -> Vec<(Pace, &'t Node)> {
    template.all(node, key).into_iter().map(|value| (Pace::of(template, value), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_codedeploys_configurations_are_understood() {
        let canary = |percent, minutes| Pace::Canary { percent, minutes };
        let linear = |percent, minutes| Pace::Linear { percent, minutes };
        for (name, pace) in [
            ("Canary10Percent5Minutes", canary(10.0, 5.0)),
            ("CodeDeployDefault.LambdaCanary10Percent30Minutes", canary(10.0, 30.0)),
            ("CodeDeployDefault.ECSCanary10Percent15Minutes", canary(10.0, 15.0)),
            ("Linear10PercentEvery1Minute", linear(10.0, 1.0)),
            ("CodeDeployDefault.LambdaLinear10PercentEvery10Minutes", linear(10.0, 10.0)),
            ("CodeDeployDefault.ECSLinear10PercentEvery3Minutes", linear(10.0, 3.0)),
            ("AllAtOnce", Pace::AllAtOnce),
            ("CodeDeployDefault.LambdaAllAtOnce", Pace::AllAtOnce),
            ("CanaryXPercent5Minutes", Pace::Unknown),
            ("our-own", Pace::Unknown),
        ] {
            assert_eq!(Pace::named(name), pace, "{name}");
        }
    }
}
