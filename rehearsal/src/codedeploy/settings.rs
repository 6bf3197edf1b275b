//! A group's settings that decide how its deployments go: alarms, automatic rollback, triggers.

use super::refusal::refused;
use crate::front::fault_answers::ServiceError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

const ALARMS_MAX: usize = 10;
const TRIGGERS_MAX: usize = 10;

/// The alarms that stop a deployment. `ignore_poll_alarm_failure` has nothing to ignore here: reading the local alarms
/// does not fail, and an alarm that does not exist does not fire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AlarmConfiguration {
    pub(super) enabled: bool,
    ignore_poll_alarm_failure: bool,
    alarms: Vec<NamedAlarm>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct NamedAlarm {
    name: String,
}

impl AlarmConfiguration {
    /// The settings that a request holds, if it holds any.
    pub(super) fn of(request: &Value, field: &str) -> Result<Option<Self>, ServiceError> {
        let invalid = |reason: String| refused("InvalidAlarmConfigException", reason);
        let Some(document) = request.get(field).filter(|document| !document.is_null()) else {
            return Ok(None);
        };
        let settings = Self::deserialize(document).map_err(|error| invalid(error.to_string()))?;
        if settings.alarms.len() > ALARMS_MAX {
            let message = format!("{} alarms > {ALARMS_MAX}", settings.alarms.len());
            return Err(refused("AlarmsLimitExceededException", message));
        }
        if settings.enabled && settings.alarms.is_empty() {
            return Err(invalid("alarms are enabled, but there are none".to_owned()));
        }
        let names: BTreeSet<&str> = settings.names().collect();
        if names.len() < settings.alarms.len() || names.contains("") {
            return Err(invalid("an alarm has no name, or the same as another".to_owned()));
        }
        Ok(Some(settings))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.alarms.iter().map(|alarm| alarm.name.as_str())
    }
}

/// What makes a deployment be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RollbackEvent {
    #[serde(rename = "DEPLOYMENT_FAILURE")]
    Failure,
    #[serde(rename = "DEPLOYMENT_STOP_ON_ALARM")]
    StopOnAlarm,
    #[serde(rename = "DEPLOYMENT_STOP_ON_REQUEST")]
    StopOnRequest,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AutoRollback {
    enabled: bool,
    events: Vec<RollbackEvent>,
}

impl AutoRollback {
    pub(super) fn of(request: &Value) -> Result<Option<Self>, ServiceError> {
        let invalid = |reason: String| refused("InvalidAutoRollbackConfigException", reason);
        let document = request.get("autoRollbackConfiguration").filter(|document| !document.is_null());
        let Some(document) = document else { return Ok(None) };
        let settings = Self::deserialize(document).map_err(|error| invalid(error.to_string()))?;
        if settings.enabled && settings.events.is_empty() {
            return Err(invalid("automatic rollback is enabled, but on no event".to_owned()));
        }
        Ok(Some(settings))
    }

    pub(super) fn covers(&self, event: RollbackEvent) -> bool {
        self.enabled && self.events.contains(&event)
    }
}

/// What a trigger tells about. Those of instances, and of deployments that wait to be continued, never come about here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TriggerEvent {
    DeploymentStart,
    DeploymentSuccess,
    DeploymentFailure,
    DeploymentStop,
    DeploymentRollback,
    DeploymentReady,
    InstanceStart,
    InstanceSuccess,
    InstanceFailure,
    InstanceReady,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trigger {
    pub(super) trigger_name: String,
    pub(super) trigger_target_arn: String,
    pub(super) trigger_events: Vec<TriggerEvent>,
}

impl Trigger {
    pub(super) fn all_of(request: &Value) -> Result<Option<Vec<Self>>, ServiceError> {
        let invalid = |reason: String| refused("InvalidTriggerConfigException", reason);
        let document = request.get("triggerConfigurations").filter(|document| !document.is_null());
        let Some(document) = document else { return Ok(None) };
        let triggers = Vec::<Self>::deserialize(document).map_err(|error| invalid(error.to_string()))?;
        if triggers.len() > TRIGGERS_MAX {
            let message = format!("{} triggers > {TRIGGERS_MAX}", triggers.len());
            return Err(refused("TriggerTargetsLimitExceededException", message));
        }
        for trigger in &triggers {
            if !trigger.trigger_target_arn.starts_with("arn:aws:sns:") || trigger.trigger_events.is_empty() {
                return Err(invalid(format!("{} names no topic, or no event", trigger.trigger_name)));
            }
        }
        Ok(Some(triggers))
    }
}
