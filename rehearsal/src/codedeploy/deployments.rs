//! The operations on deployments: create, look, stop, and a hook's answer.

use super::{
    CodeDeploy,
    applications::BATCH,
    appspec::{AppSpec, content},
    books::Books,
    configs::config_name,
    documents::seconds,
    record::{Creator, DeploymentStatus, Record, StopRequest},
    refusal::{APPLICATION, Answered, CONFIG, GROUP, refused, text, texts},
    settings::{AlarmConfiguration, AutoRollback},
};
use crate::front::fault_answers::ServiceError;
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::{iter, sync::Arc};
use tokio::sync::Notify;

const TARGETS: (usize, &str) = (25, "DeploymentTargetListSizeExceededException");
const ID_CHARACTERS: usize = 9;

pub(super) fn deployment_id() -> String {
    let characters = iter::repeat_with(|| fastrand::alphanumeric().to_ascii_uppercase());
    iter::once('d').chain(['-']).chain(characters.take(ID_CHARACTERS)).collect()
}

impl CodeDeploy {
    pub(super) fn create_deployment(self: &Arc<Self>, request: &Value) -> Answered {
        let id = {
            let mut books = self.lock();
            let record = new_record(&books, request)?;
            let id = record.id.clone();
            books.deployments.push(record);
            id
        };
        // Ends with the rehearsal's threads, and every wait in it has a bound.
        tokio::spawn(Arc::clone(self).drive(id.clone()));
        Ok(json!({ "deploymentId": id }))
    }

    pub(super) fn get_deployment(&self, request: &Value) -> Answered {
        let id = checked_id(request)?;
        let books = self.lock();
        let record = books.deployment(id).ok_or_else(|| unknown(id))?;
        Ok(json!({ "deploymentInfo": record.document() }))
    }

    /// Deployments that do not exist are left out, because the model has no exception for them.
    pub(super) fn batch_get_deployments(&self, request: &Value) -> Answered {
        let ids = texts(request, "deploymentIds", "DeploymentIdRequiredException", BATCH)?;
        let books = self.lock();
        let found: Vec<Value> =
            ids.into_iter().filter_map(|id| books.deployment(id)).map(Record::document).collect();
        Ok(json!({ "deploymentsInfo": found }))
    }

    /// Newest first.
    pub(super) fn list_deployments(&self, request: &Value) -> Answered {
        let books = self.lock();
        let (application, group) = (APPLICATION.of_any(request)?, GROUP.of_any(request)?);
        let scope = match (application, group) {
            (None, None) => None,
            // The model's exceptions for the one without the other.
            (None, Some(_)) => return Err(APPLICATION.of(request).err().unwrap_or_else(|| unknown(""))),
            (Some(application), None) => {
                books.application(application)?;
                return Err(refused(
                    "DeploymentGroupNameRequiredException",
                    "deploymentGroupName is missing",
                ));
            }
            (Some(application), Some(group)) => {
                books.group(application, group)?;
                Some((application, group))
            }
        };
        let statuses = statuses(request)?;
        let (from, until) = time_range(request)?;
        let chosen = books.deployments.iter().rev().filter(|record| {
            scope.is_none_or(|(application, group)| record.is_of(application, group))
                && statuses.as_ref().is_none_or(|statuses| statuses.contains(&record.status))
                && (from..=until).contains(&seconds(record.created))
        });
        let ids: Vec<&str> = chosen.map(|record| record.id.as_str()).collect();
        Ok(json!({ "deployments": ids }))
    }

    pub(super) fn stop_deployment(&self, request: &Value) -> Answered {
        let id = checked_id(request)?;
        let mut books = self.lock();
        let record = books.deployment_mut(id).ok_or_else(|| unknown(id))?;
        if record.status.has_ended() {
            let message = format!("The deployment {id} is already complete");
            return Err(refused("DeploymentAlreadyCompletedException", message));
        }
        let with_rollback = request.get("autoRollbackEnabled").and_then(Value::as_bool);
        record.stop.get_or_insert(StopRequest { with_rollback });
        record.changed.notify_one();
        // It stops between two calls, which is why this is not the end of it yet.
        Ok(json!({"status": "Pending", "statusMessage": format!("Stopping the deployment {id}")}))
    }

    /// No local deployment ever waits to be continued.
    pub(super) fn continue_deployment(&self, request: &Value) -> Answered {
        let id = checked_id(request)?;
        let books = self.lock();
        let record = books.deployment(id).ok_or_else(|| unknown(id))?;
        Err(if record.status.has_ended() {
            refused("DeploymentAlreadyCompletedException", format!("The deployment {id} is already complete"))
        } else {
            refused(
                "DeploymentIsNotInReadyStateException",
                format!("The deployment {id} is not in ready state"),
            )
        })
    }

    pub(super) fn put_hook_status(&self, request: &Value) -> Answered {
        let id = checked_id(request)?;
        let mut books = self.lock();
        let record = books.deployment_mut(id).ok_or_else(|| unknown(id))?;
        let succeeded = match text(request, "status") {
            Some("Succeeded") => true,
            Some("Failed") => false,
            other => {
                let message =
                    format!("The status must be Succeeded or Failed, not {}", other.unwrap_or("absent"));
                return Err(refused("InvalidLifecycleEventHookExecutionStatusException", message));
            }
        };
        let execution = text(request, "lifecycleEventHookExecutionId").unwrap_or_default();
        let hook = record.hooks.iter_mut().find(|hook| hook.id == execution).ok_or_else(|| {
            let message = format!("{execution:?} is no hook execution of {id}");
            refused("InvalidLifecycleEventHookExecutionIdException", message)
        })?;
        if !hook.is_open {
            let message = "The lifecycle event hook execution is already complete";
            return Err(refused("LifecycleEventAlreadyCompletedException", message));
        }
        (hook.answer, hook.is_open) = (Some(succeeded), false);
        record.changed.notify_one();
        Ok(json!({ "lifecycleEventHookExecutionId": execution }))
    }

    pub(super) fn list_targets(&self, request: &Value) -> Answered {
        let id = checked_id(request)?;
        let books = self.lock();
        let target =
            books.deployment(id).ok_or_else(|| unknown(id))?.target_id().ok_or_else(|| not_started(id))?;
        Ok(json!({ "targetIds": [target] }))
    }

    pub(super) fn get_target(&self, request: &Value) -> Answered {
        let id = checked_id(request)?;
        let target = text(request, "targetId")
            .ok_or_else(|| refused("DeploymentTargetIdRequiredException", "targetId is missing"))?;
        Ok(json!({ "deploymentTarget": self.target(id, target)? }))
    }

    pub(super) fn batch_get_targets(&self, request: &Value) -> Answered {
        let id = checked_id(request)?;
        let targets = texts(request, "targetIds", "DeploymentTargetIdRequiredException", TARGETS)?;
        let found: Result<Vec<Value>, ServiceError> =
            targets.into_iter().map(|target| self.target(id, target)).collect();
        Ok(json!({ "deploymentTargets": found? }))
    }

    fn target(&self, id: &str, target: &str) -> Answered {
        let books = self.lock();
        let record = books.deployment(id).ok_or_else(|| unknown(id))?;
        let known = record.target_id().ok_or_else(|| not_started(id))?;
        let document = record.target_document(self.alarms.region(), self.alarms.account_id());
        document.filter(|_| known == target).ok_or_else(|| {
            let message = format!("{target} is no target of {id}");
            refused("DeploymentTargetDoesNotExistException", message)
        })
    }
}

fn new_record(books: &Books, request: &Value) -> Result<Record, ServiceError> {
    let application = APPLICATION.of(request)?;
    let platform = books.application(application)?.platform;
    let name = GROUP.of(request)?;
    let group = books.group(application, name)?;
    let config = match CONFIG.of_any(request)? {
        Some(_) => config_name(request, platform)?,
        None => group.config.clone(),
    };
    let shift = books.config(&config)?.shift;
    let revision = request.get("revision").filter(|revision| !revision.is_null());
    let revision = revision.ok_or_else(|| refused("RevisionRequiredException", "revision is missing"))?;
    let spec = AppSpec::read(content(revision)?, platform);
    let override_alarms = AlarmConfiguration::of(request, "overrideAlarmConfiguration")?;
    let auto_rollback = AutoRollback::of(request)?.or_else(|| group.auto_rollback.clone());
    if let Some(running) = books.running(application, name) {
        let message =
            format!("The Deployment Group '{name}' already has an active Deployment '{}'", running.id);
        return Err(refused("DeploymentLimitExceededException", message));
    }
    Ok(Record {
        id: deployment_id(),
        application: application.to_owned(),
        group: name.to_owned(),
        group_id: group.id.clone(),
        config,
        shift,
        platform,
        revision: revision.clone(),
        previous_revision: group.target_revision.clone(),
        spec,
        description: text(request, "description").map(str::to_owned),
        creator: Creator::User,
        status: DeploymentStatus::Created,
        created: Timestamp::now(),
        started: None,
        completed: None,
        error: None,
        auto_rollback,
        overrides_alarms: override_alarms.is_some(),
        alarms: override_alarms.or_else(|| group.alarms.clone()),
        rollback_id: None,
        rollback_of: None,
        rollback_message: None,
        events: Record::pending_events(platform),
        shifted_percent: 0.0,
        stop: None,
        hooks: Vec::new(),
        service: group.service(),
        changed: Arc::new(Notify::new()),
    })
}

fn checked_id(request: &Value) -> Result<&str, ServiceError> {
    let id = text(request, "deploymentId")
        .ok_or_else(|| refused("DeploymentIdRequiredException", "deploymentId is missing"))?;
    let characters = id.strip_prefix("d-").unwrap_or_default();
    if characters.len() == ID_CHARACTERS && characters.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Ok(id);
    }
    Err(refused("InvalidDeploymentIdException", format!("{id} is not a deployment id")))
}

fn unknown(id: &str) -> ServiceError {
    refused("DeploymentDoesNotExistException", format!("The deployment {id} could not be found"))
}

fn not_started(id: &str) -> ServiceError {
    refused("DeploymentNotStartedException", format!("The deployment {id} has no target"))
}

/// The statuses asked for; nothing when all of them are.
fn statuses(request: &Value) -> Result<Option<Vec<DeploymentStatus>>, ServiceError> {
    // These exist, and no local deployment ever has them.
    const NEVER: [&str; 3] = ["Queued", "Baking", "Ready"];
    let Some(wanted) = request.get("includeOnlyStatuses").and_then(Value::as_array) else { return Ok(None) };
    let possible = wanted.iter().filter(|status| !NEVER.iter().any(|never| *status == never));
    let read = possible.map(|status| {
        DeploymentStatus::deserialize(status)
            .map_err(|_| refused("InvalidDeploymentStatusException", format!("{status} is not a status")))
    });
    let read: Vec<DeploymentStatus> = read.collect::<Result<_, _>>()?;
    Ok(Some(read).filter(|_| !wanted.is_empty()))
}

fn time_range(request: &Value) -> Result<(f64, f64), ServiceError> {
    let bound = |field: &str| request.pointer(&format!("/createTimeRange/{field}")).and_then(Value::as_f64);
    let (from, until) = (bound("start").unwrap_or(f64::MIN), bound("end").unwrap_or(f64::MAX));
    if from > until {
        return Err(refused("InvalidTimeRangeException", "the range ends before it starts"));
    }
    Ok((from, until))
}
