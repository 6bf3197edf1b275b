//! A release train: services that are released in waves, each wave only when the one before has proved itself. The state
//! machine runs it; what is checked here is what it is started with.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::names::{ServiceName, TargetName, Version};
use crate::pipeline::Waivable;
use crate::registration::Violation;

/// What a train is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Its name, which people read in every reason that it gives.
    pub train: String,
    /// Its waves, the home region's first.
    pub waves: Vec<Vec<Car>>,
    /// What goes back when a service of a wave has not completed.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Why, for whoever reads the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A service in a wave, and how it is to be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Car {
    /// The service.
    pub service: ServiceName,
    /// The version to release.
    pub version: Version,
    /// The target; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// A strategy by name; without any, as the service has registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Percentages instead, like `5,10,25`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<String>,
    /// How long each stage is watched, like `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_duration: Option<String>,
    /// Whether a person must approve each further stage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_auto_promote: bool,
    /// How long a person has for that, like `4h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_timeout: Option<String>,
    /// Checks that are not to stop the release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waive: Vec<Waivable>,
    /// Why they are not to.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_reason: Option<String>,
    /// What the caller vouches for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attestations: BTreeMap<String, String>,
}

/// What goes back when a wave fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The wave that failed. Those before it have proved themselves, and stay.
    #[default]
    Wave,
    /// Every wave so far.
    All,
}

const WAVES_MAX: usize = 20;
/// An inline map of Step Functions works on forty items at once.
const SERVICES_PER_WAVE_MAX: usize = 40;
const NAME_CHARS_MAX: usize = 40;

impl Train {
    /// Every rule that it breaks.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let name = &self.train;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(is_plain) {
            let rule = format!("1 to {NAME_CHARS_MAX} letters, digits, '-' or '_'");
            violations.push(Violation::new("train", format!("{name:?}"), rule));
        }
        if !(1..=WAVES_MAX).contains(&self.waves.len()) {
            let rule = format!("a train has 1 to {WAVES_MAX} waves");
            violations.push(Violation::new("waves", format!("{} long", self.waves.len()), rule));
        }
        let mut seen = BTreeSet::new();
        for (number, wave) in self.waves.iter().enumerate() {
            if !(1..=SERVICES_PER_WAVE_MAX).contains(&wave.len()) {
                let rule = format!("a wave has 1 to {SERVICES_PER_WAVE_MAX} services");
                violations.push(Violation::new(
                    format!("waves[{number}]"),
                    format!("{} long", wave.len()),
                    rule,
                ));
            }
            for (index, car) in wave.iter().enumerate() {
                let field = format!("waves[{number}][{index}]");
                if !seen.insert(&car.service) {
                    let rule = "a service is released once, so that it is known what to bring back";
                    violations.push(Violation::new(format!("{field}.service"), &car.service, rule));
                }
                if car.strategy.is_some() && car.stages.is_some() {
                    let rule = "a strategy has stages of its own: one of the two is given";
                    violations.push(Violation::new(format!("{field}.stages"), "given", rule));
                }
                if !car.waive.is_empty() && car.override_reason.is_none() {
                    let rule = "what is waived needs a reason: override";
                    violations.push(Violation::new(format!("{field}.waive"), "given", rule));
                }
            }
        }
        violations
    }

    /// The services, wave by wave.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.waves.iter().flatten().map(|car| &car.service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str) -> Result<Vec<String>, String> {
        let train: Train = serde_json::from_str(document).map_err(|error| error.to_string())?;
        Ok(train.violations().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_train_goes_by_region() {
        let told = read(
            r#"{"train": "checkout-7", "on_failure": "all", "waves": [
                [{"service": "checkout-us", "version": "7"}],
                [{"service": "checkout-eu", "version": "7", "strategy": "canary-cautious"},
                 {"service": "checkout-ap", "version": "9"}]]}"#,
        );
        assert_eq!(told, Ok(Vec::new()));
    }

    #[test]
    fn every_rule_that_a_train_breaks_is_told_at_once() {
        let told = read(
            r#"{"train": "", "waves": [[], [
                {"service": "a", "version": "7", "strategy": "x", "stages": "5"},
                {"service": "a", "version": "8", "waive": ["alarms"]}]]}"#,
        );
        let told = told.expect("it can be read");
        assert_eq!(told.len(), 5, "{told:#?}");
        assert!(told.iter().any(|rule| rule.starts_with("waves[1][1].service is a")), "{told:#?}");
        assert_eq!(read(r#"{"train": "x", "waves": []}"#).expect("it can be read").len(), 1);
        assert!(read(r#"{"train": "x", "waves": [[{"service": "a"}]]}"#).is_err());
        assert!(read(r#"{"train": "x", "wave": []}"#).is_err());
    }
}
