//! Deployment configurations: how traffic shifts. The built-in ones have the names and numbers that CodeDeploy gives them.

use super::{
    CodeDeploy,
    applications::Platform,
    documents::{seconds, uuid},
    refusal::{Answered, CONFIG, refused, text},
};
use crate::front::fault_answers::ServiceError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The whole shift may take two days.
const SHIFT_MINUTES_MAX: u32 = 2_880;
pub(super) const DEFAULT_PREFIX: &str = "CodeDeployDefault.";

/// How traffic goes from one version to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(super) enum Shift {
    AllAtOnce,
    #[serde(rename = "TimeBasedCanary")]
    Canary {
        time_based_canary: Canary,
    },
    #[serde(rename = "TimeBasedLinear")]
    Linear {
        time_based_linear: Linear,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Canary {
    canary_percentage: u32,
    /// Minutes.
    canary_interval: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Linear {
    linear_percentage: u32,
    /// Minutes.
    linear_interval: u32,
}

/// One increment, and how long it lasts before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Increment {
    pub(super) percent: u32,
    pub(super) minutes: u32,
}

impl Shift {
    fn canary(percentage: u32, minutes: u32) -> Self {
        let time_based_canary = Canary { canary_percentage: percentage, canary_interval: minutes };
        Self::Canary { time_based_canary }
    }

    fn linear(percentage: u32, minutes: u32) -> Self {
        let time_based_linear = Linear { linear_percentage: percentage, linear_interval: minutes };
        Self::Linear { time_based_linear }
    }

    /// Up to all of the traffic, after which nothing is waited for.
    pub(super) fn increments(self) -> Vec<Increment> {
        let (percentage, minutes, until) = match self {
            Self::AllAtOnce => (100, 0, 100),
            Self::Canary { time_based_canary: canary } => {
                (canary.canary_percentage, canary.canary_interval, canary.canary_percentage)
            }
            Self::Linear { time_based_linear: linear } => {
                (linear.linear_percentage, linear.linear_interval, 99)
            }
        };
        let partial = (1..=until / percentage.max(1)).map(|step| step * percentage);
        let partial = partial.filter(|percent| *percent < 100).map(|percent| Increment { percent, minutes });
        partial.chain([Increment { percent: 100, minutes: 0 }]).collect()
    }

    fn check(self) -> Result<(), ServiceError> {
        let invalid = |reason: String| Err(refused("InvalidTrafficRoutingConfigurationException", reason));
        let (percentage, interval) = match self {
            Self::AllAtOnce => return Ok(()),
            Self::Canary { time_based_canary: canary } => (canary.canary_percentage, canary.canary_interval),
            Self::Linear { time_based_linear: linear } => (linear.linear_percentage, linear.linear_interval),
        };
        if !(1..=99).contains(&percentage) || interval == 0 {
            return invalid(format!("{percentage} % for {interval} minutes is no part of a shift"));
        }
        let minutes: u32 = self.increments().iter().map(|step| step.minutes).fold(0, u32::saturating_add);
        if minutes > SHIFT_MINUTES_MAX {
            return invalid(format!("the shift takes {minutes} > {SHIFT_MINUTES_MAX} minutes"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub(super) struct DeploymentConfig {
    id: String,
    pub(super) platform: Platform,
    pub(super) shift: Shift,
    created: Timestamp,
}

pub(super) fn built_in() -> BTreeMap<String, DeploymentConfig> {
    let (ecs, lambda) = (Platform::Ecs, Platform::Lambda);
    let mut shifts = vec![
        ("ECSAllAtOnce".to_owned(), ecs, Shift::AllAtOnce),
        ("LambdaAllAtOnce".to_owned(), lambda, Shift::AllAtOnce),
        ("LambdaLinear10PercentEvery1Minute".to_owned(), lambda, Shift::linear(10, 1)),
    ];
    for minutes in [5, 15] {
        shifts.push((format!("ECSCanary10Percent{minutes}Minutes"), ecs, Shift::canary(10, minutes)));
    }
    // One minute is singular for Lambda alone.
    for minutes in [1, 3] {
        shifts.push((format!("ECSLinear10PercentEvery{minutes}Minutes"), ecs, Shift::linear(10, minutes)));
    }
    for minutes in [5, 10, 15, 30] {
        shifts.push((format!("LambdaCanary10Percent{minutes}Minutes"), lambda, Shift::canary(10, minutes)));
    }
    for minutes in [2, 3, 10] {
        let name = format!("LambdaLinear10PercentEvery{minutes}Minutes");
        shifts.push((name, lambda, Shift::linear(10, minutes)));
    }
    let configs = shifts.into_iter().map(|(name, platform, shift)| {
        let config = DeploymentConfig { id: uuid(), platform, shift, created: Timestamp::now() };
        (format!("{DEFAULT_PREFIX}{name}"), config)
    });
    configs.collect()
}

impl CodeDeploy {
    pub(super) fn create_config(&self, request: &Value) -> Answered {
        let name = CONFIG.of(request)?;
        let platform = Platform::of(request)?;
        let routing = request.get("trafficRoutingConfig").cloned().unwrap_or_default();
        let shift = Shift::deserialize(&routing)
            .map_err(|error| refused("InvalidTrafficRoutingConfigurationException", error.to_string()))?;
        shift.check()?;
        let mut books = self.lock();
        if books.configs.contains_key(name) || name.starts_with(DEFAULT_PREFIX) {
            return Err(refused("DeploymentConfigAlreadyExistsException", format!("{name} exists")));
        }
        let config = DeploymentConfig { id: uuid(), platform, shift, created: Timestamp::now() };
        let id = config.id.clone();
        books.configs.insert(name.to_owned(), config);
        Ok(json!({ "deploymentConfigId": id }))
    }

    pub(super) fn get_config(&self, request: &Value) -> Answered {
        let name = CONFIG.of(request)?;
        let books = self.lock();
        let config = books.config(name)?;
        Ok(json!({"deploymentConfigInfo": {
            "deploymentConfigId": config.id,
            "deploymentConfigName": name,
            "createTime": seconds(config.created),
            "computePlatform": config.platform,
            "trafficRoutingConfig": config.shift,
        }}))
    }

    pub(super) fn list_configs(&self) -> Answered {
        let names: Vec<String> = self.lock().configs.keys().cloned().collect();
        Ok(json!({ "deploymentConfigsList": names }))
    }

    pub(super) fn delete_config(&self, request: &Value) -> Answered {
        let name = CONFIG.of(request)?;
        if name.starts_with(DEFAULT_PREFIX) {
            return Err(refused("InvalidOperationException", format!("{name} cannot be deleted")));
        }
        let mut books = self.lock();
        let mut groups = books.applications.values().flat_map(|application| application.groups.values());
        if groups.any(|group| group.config == name) {
            return Err(refused("DeploymentConfigInUseException", format!("{name} is in use")));
        }
        books.configs.remove(name);
        Ok(Value::Null)
    }
}

/// The configuration that a request names, or else the one that shifts everything at once.
pub(super) fn config_name(request: &Value, platform: Platform) -> Result<String, ServiceError> {
    CONFIG.of_any(request)?;
    let default = || match platform {
        Platform::Lambda => format!("{DEFAULT_PREFIX}LambdaAllAtOnce"),
        Platform::Ecs => format!("{DEFAULT_PREFIX}ECSAllAtOnce"),
    };
    Ok(text(request, "deploymentConfigName").map_or_else(default, str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shift: Shift, expect: &[(u32, u32)]) {
        let increments: Vec<_> =
            shift.increments().into_iter().map(|step| (step.percent, step.minutes)).collect();
        assert_eq!(increments, expect);
    }

    #[test]
    fn a_shift_goes_in_equal_steps_and_ends_with_everything() {
        check(Shift::AllAtOnce, &[(100, 0)]);
        check(Shift::canary(10, 5), &[(10, 5), (100, 0)]);
        check(Shift::canary(60, 5), &[(60, 5), (100, 0)]);
        check(Shift::linear(30, 2), &[(30, 2), (60, 2), (90, 2), (100, 0)]);
        check(Shift::linear(50, 1), &[(50, 1), (100, 0)]);
    }

    #[test]
    fn a_shift_of_two_days_is_the_longest() {
        assert!(Shift::canary(10, 2_880).check().is_ok());
        assert!(Shift::canary(10, 2_881).check().is_err());
        assert!(Shift::linear(10, 320).check().is_ok());
        assert!(Shift::linear(10, 321).check().is_err());
        assert!(Shift::canary(99, 1).check().is_ok());
        assert!(Shift::canary(100, 1).check().is_err());
        assert!(Shift::canary(0, 1).check().is_err());
        assert!(Shift::linear(10, 0).check().is_err());
    }
}
