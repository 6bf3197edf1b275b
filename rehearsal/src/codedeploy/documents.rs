//! How deployments and their targets are written in CodeDeploy's answers.

use super::{
    appspec::{LambdaTarget, Target},
    record::{DeploymentStatus, EventStatus, LifecycleEvent, Record},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Times are epoch seconds with a fraction, as JSON 1.1 has them.
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1_000.0
}

pub(super) fn uuid() -> String {
    let bits = fastrand::u128(..);
    // Version 4, variant 1.
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0xfff,
        0x8000 | ((bits >> 48) & 0x3fff),
        bits & 0xffff_ffff_ffff,
    )
}

/// A document without the fields that are null.
fn present(document: Value) -> Value {
    match document {
        Value::Object(fields) => {
            fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => document,
    }
}

impl Record {
    pub(super) fn document(&self) -> Value {
        let rollback = present(json!({
            "rollbackDeploymentId": self.rollback_id,
            "rollbackTriggeringDeploymentId": self.rollback_of,
            "rollbackMessage": self.rollback_message,
        }));
        let has_rollback = rollback.as_object().is_some_and(|fields| !fields.is_empty());
        present(json!({
            "applicationName": self.application,
            "deploymentGroupName": self.group,
            "deploymentConfigName": self.config,
            "deploymentId": self.id,
            "previousRevision": self.previous_revision,
            "revision": self.revision,
            "status": self.status,
            "errorInformation": self.error,
            "createTime": seconds(self.created),
            "startTime": self.started.map(seconds),
            "completeTime": self.completed.map(seconds),
            "deploymentOverview": self.overview(),
            "description": self.description,
            "creator": self.creator,
            "ignoreApplicationStopFailures": false,
            "autoRollbackConfiguration": self.auto_rollback,
            "updateOutdatedInstancesOnly": false,
            "rollbackInfo": has_rollback.then_some(rollback),
            "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            "instanceTerminationWaitTimeStarted": false,
            "fileExistsBehavior": "DISALLOW",
            "deploymentStatusMessages": [],
            "computePlatform": self.platform,
            "overrideAlarmConfiguration": self.alarms.as_ref().filter(|_| self.overrides_alarms),
        }))
    }

    /// Of the one target that a deployment has here.
    pub(super) fn overview(&self) -> Value {
        let counted = |status: &str| u8::from(self.target_status() == status);
        json!({
            "Pending": counted("Pending"),
            "InProgress": counted("InProgress"),
            "Succeeded": counted("Succeeded"),
            "Failed": counted("Failed"),
            "Skipped": counted("Skipped"),
            "Ready": 0,
        })
    }

    /// A deployment's last words in its group.
    pub(super) fn last_info(&self) -> Value {
        present(json!({
            "deploymentId": self.id,
            "status": self.status,
            "endTime": self.completed.map(seconds),
            "createTime": seconds(self.created),
        }))
    }

    fn target_status(&self) -> &'static str {
        match self.status {
            DeploymentStatus::Created => "Pending",
            DeploymentStatus::InProgress => "InProgress",
            DeploymentStatus::Succeeded => "Succeeded",
            DeploymentStatus::Failed => "Failed",
            // A target that was given up has neither failed nor succeeded.
            DeploymentStatus::Stopped => "Skipped",
        }
    }

    /// The function's name, or `cluster:service`; none without an AppSpec that can be read.
    pub(super) fn target_id(&self) -> Option<String> {
        match &self.spec.as_ref().ok()?.target {
            Target::Lambda(lambda) => Some(lambda.function.clone()),
            Target::Ecs(_) => self.service.clone(),
        }
    }

    pub(super) fn target_document(&self, region: &str, account_id: &str) -> Option<Value> {
        let events: Vec<Value> = self.events.iter().map(event_document).collect();
        let mut target = json!({
            "deploymentId": self.id,
            "targetId": self.target_id()?,
            "status": self.target_status(),
            "lastUpdatedAt": seconds(self.last_updated()),
            "lifecycleEvents": events,
        });
        Some(match &self.spec.as_ref().ok()?.target {
            Target::Lambda(lambda) => {
                let function = &lambda.function;
                target["targetArn"] = json!(format!(
                    "arn:aws:lambda:{region}:{account_id}:function:{function}:{}",
                    lambda.alias
                ));
                target["lambdaFunctionInfo"] = self.function_info(lambda);
                json!({"deploymentTargetType": "LambdaTarget", "lambdaTarget": target})
            }
            Target::Ecs(_) => {
                let service = self.target_id()?.replace(':', "/");
                target["targetArn"] = json!(format!("arn:aws:ecs:{region}:{account_id}:service/{service}"));
                target["taskSetsInfo"] = self.task_sets();
                json!({"deploymentTargetType": "ECSTarget", "ecsTarget": target})
            }
        })
    }

    fn function_info(&self, lambda: &LambdaTarget) -> Value {
        json!({
            "functionName": lambda.function,
            "functionAlias": lambda.alias,
            "currentVersion": lambda.current,
            "targetVersion": lambda.target,
            "targetVersionWeight": self.shifted_percent,
        })
    }

    /// Nothing runs: the counts of tasks are those that a service of one task would have.
    fn task_sets(&self) -> Value {
        let all_green = self.shifted_percent >= 100.0;
        let set = |label: &str, weight: f64, is_primary: bool| {
            json!({
                "identifer": format!("ecs-svc/{}-{}", self.id, label.to_lowercase()),
                "desiredCount": 1,
                "pendingCount": 0,
                "runningCount": 1,
                "status": if is_primary { "PRIMARY" } else { "ACTIVE" },
                "trafficWeight": weight,
                "taskSetLabel": label,
            })
        };
        json!([
            set("Blue", 100.0 - self.shifted_percent, !all_green),
            set("Green", self.shifted_percent, all_green),
        ])
    }

    fn last_updated(&self) -> Timestamp {
        let events = self.events.iter().filter_map(|event| event.ended.max(event.started));
        events.max().unwrap_or(self.created)
    }
}

fn event_document(event: &LifecycleEvent) -> Value {
    let diagnostics = match event.status {
        EventStatus::Succeeded => {
            Some(json!({"errorCode": "Success", "scriptName": "", "message": "", "logTail": ""}))
        }
        EventStatus::Failed => {
            let message = event.message.as_deref().unwrap_or_default();
            Some(json!({"errorCode": "UnknownError", "scriptName": "", "message": message, "logTail": ""}))
        }
        EventStatus::Pending | EventStatus::InProgress | EventStatus::Skipped => None,
    };
    present(json!({
        "lifecycleEventName": event.name,
        "status": event.status,
        "startTime": event.started.map(seconds),
        "endTime": event.ended.map(seconds),
        "diagnostics": diagnostics,
    }))
}
