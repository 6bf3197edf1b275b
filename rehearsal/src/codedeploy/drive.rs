//! The life of a deployment, from its creation to its end: the lifecycle events in their order, and what the end is when
//! one of them does not succeed.

use super::{
    CodeDeploy,
    announce::Happening,
    appspec::{AppSpec, Target},
    record::{
        Creator, DeploymentError, DeploymentStatus, EventStatus, LifecycleEventName, Record, StopRequest,
    },
    settings::RollbackEvent,
    watch::Interruption,
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);

/// Why a deployment does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It cannot begin: what it would shift is not as the AppSpec says, so there is nothing to take back.
    NotAsSpecified(DeploymentError),
    /// It fails.
    Failed(DeploymentError),
    /// An alarm fired before it began.
    AlarmedAtStart(Vec<String>),
    Interrupted(Interruption),
}

impl From<Interruption> for Trouble {
    fn from(interruption: Interruption) -> Self {
        Self::Interrupted(interruption)
    }
}

/// How a deployment ends.
struct End {
    status: DeploymentStatus,
    error: Option<DeploymentError>,
    /// Which event of the automatic rollback this is, if it is any.
    event: Option<RollbackEvent>,
    /// What a person who stopped it wants of the rollback.
    with_rollback: Option<bool>,
}

impl End {
    fn of(trouble: Trouble) -> Self {
        let end =
            |status, error, event, with_rollback| Self { status, error: Some(error), event, with_rollback };
        let (failed, stopped) = (DeploymentStatus::Failed, DeploymentStatus::Stopped);
        match trouble {
            Trouble::NotAsSpecified(error) => end(failed, error, None, None),
            Trouble::Failed(error) => end(failed, error, Some(RollbackEvent::Failure), None),
            Trouble::AlarmedAtStart(alarms) => {
                end(failed, alarm_active(&alarms), Some(RollbackEvent::StopOnAlarm), None)
            }
            Trouble::Interrupted(Interruption::Alarmed(alarms)) => {
                end(stopped, alarm_active(&alarms), Some(RollbackEvent::StopOnAlarm), None)
            }
            Trouble::Interrupted(Interruption::Stopped(StopRequest { with_rollback })) => {
                let message = "The deployment was stopped by a user.".to_owned();
                let error = DeploymentError { code: "MANUAL_STOP", message };
                end(stopped, error, Some(RollbackEvent::StopOnRequest), with_rollback)
            }
            Trouble::Interrupted(Interruption::Gone) => {
                let message = "The deployment is gone.".to_owned();
                end(failed, DeploymentError { code: "INTERNAL_ERROR", message }, None, None)
            }
        }
    }
}

fn alarm_active(alarms: &[String]) -> DeploymentError {
    let message = format!(
        "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the \
         affected deployments have been stopped. Activated alarms: <{}>",
        alarms.join(",")
    );
    DeploymentError { code: "ALARM_ACTIVE", message }
}

impl CodeDeploy {
    /// Drives a deployment to its end, and then its rollback, if there is one.
    pub(super) async fn drive(self: Arc<Self>, id: String) {
        self.begin(&id);
        self.announce(&id, Happening::Start).await;
        let trouble = self.go(&id).await.err();
        let rollback = self.end(&id, trouble);
        self.announce_end(&id).await;
        if let Some(rollback) = rollback {
            self.drive_rollback(&id, &rollback).await;
        }
    }

    pub(super) fn begin(&self, id: &str) {
        if let Some(record) = self.lock().deployment_mut(id) {
            (record.status, record.started) = (DeploymentStatus::InProgress, Some(Timestamp::now()));
        }
    }

    async fn go(&self, id: &str) -> Result<(), Trouble> {
        let Some((spec, increments, names)) = self.lock().deployment(id).map(|record| {
            let names: Vec<LifecycleEventName> = record.events.iter().map(|event| event.name).collect();
            (record.spec.clone(), record.shift.increments(), names)
        }) else {
            return Err(Interruption::Gone.into());
        };
        if let Err(Interruption::Alarmed(alarms)) = self.check_alarms(id) {
            return Err(Trouble::AlarmedAtStart(alarms));
        }
        let spec = self.checked(spec).await.map_err(Trouble::NotAsSpecified)?;
        for name in names {
            self.change(id, |record, now| record.enter(name, now));
            if name == LifecycleEventName::AllowTraffic {
                for increment in &increments {
                    self.shift(id, &spec, f64::from(increment.percent)).await?;
                    let pause = self.scaled(MINUTE * increment.minutes);
                    self.watched(id, pause, |_| None::<()>).await?;
                }
            } else if let Some(function) = spec.hooks.get(&name) {
                self.run_hook(id, function).await?;
            } else {
                self.watched(id, Duration::ZERO, |_| None::<()>).await?;
            }
            self.change(id, |record, now| record.leave(name, EventStatus::Succeeded, now));
        }
        Ok(())
    }

    /// The AppSpec, if what it names is as it says.
    async fn checked(&self, spec: Result<AppSpec, String>) -> Result<AppSpec, DeploymentError> {
        let spec = spec.map_err(|reason| super::lambda::invalid_configuration(&format!("{reason}.")))?;
        match &spec.target {
            Target::Lambda(lambda) => self.check_lambda(lambda).await?,
            // There is nothing behind it that could differ.
            Target::Ecs(_) => {}
        }
        Ok(spec)
    }

    /// Gives the target so much of the traffic.
    async fn shift(&self, id: &str, spec: &AppSpec, percent: f64) -> Result<(), Trouble> {
        match &spec.target {
            Target::Lambda(lambda) => self.route(lambda, percent).await.map_err(Trouble::Failed)?,
            Target::Ecs(_) => {}
        }
        self.change(id, |record, _| record.shifted_percent = percent);
        Ok(())
    }

    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Record, Timestamp)) {
        if let Some(record) = self.lock().deployment_mut(id) {
            change(record, Timestamp::now());
        }
    }

    /// Books the end, and in the same moment the rollback, so that no other deployment can come between. Returns the
    /// rollback's id.
    fn end(&self, id: &str, trouble: Option<Trouble>) -> Option<String> {
        let mut books = self.lock();
        let record = books.deployment_mut(id)?;
        // A stop that came too late for any wait is still a stop.
        let trouble = trouble.or_else(|| record.stop.map(|stop| Interruption::Stopped(stop).into()));
        let Some(trouble) = trouble else {
            record.end(DeploymentStatus::Succeeded, None, Timestamp::now());
            let (application, group) = (record.application.clone(), record.group.clone());
            let revision = record.revision.clone();
            if let Ok(group) = books.group_mut(&application, &group) {
                group.target_revision = Some(revision);
            }
            return None;
        };
        let end = End::of(trouble);
        record.end(end.status, end.error, Timestamp::now());
        let configured = end.event.is_some_and(|event| {
            record.auto_rollback.as_ref().is_some_and(|auto_rollback| auto_rollback.covers(event))
        });
        let is_wanted = end.event.is_some() && end.with_rollback.unwrap_or(configured);
        if !is_wanted || record.creator == Creator::CodeDeployRollback {
            return None;
        }
        let rollback = record.rollback()?;
        let rollback_id = rollback.id.clone();
        record.rollback_id = Some(rollback_id.clone());
        record.rollback_message = Some(format!("Deployment {rollback_id} is rolling it back."));
        books.deployments.push(rollback);
        Some(rollback_id)
    }
}
