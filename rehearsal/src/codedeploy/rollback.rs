//! Taking a deployment back, as a deployment of its own. All traffic returns at once, and nothing can veto it: neither an
//! alarm, which may well still fire, nor a hook. A rollback that was observed on a real account took two seconds and ran
//! no hook again, though the one that had failed was configured still.

use super::{
    CodeDeploy,
    announce::Happening,
    appspec::Target,
    deployments::deployment_id,
    record::{Creator, DeploymentError, DeploymentStatus, EventStatus, LifecycleEventName, Record},
};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::Notify;

impl Record {
    /// The deployment that takes this one back; none when it had nothing to deploy.
    pub(super) fn rollback(&self) -> Option<Self> {
        let spec = self.spec.as_ref().ok()?.reversed();
        Some(Self {
            id: deployment_id(),
            application: self.application.clone(),
            group: self.group.clone(),
            group_id: self.group_id.clone(),
            config: self.config.clone(),
            shift: super::configs::Shift::AllAtOnce,
            platform: self.platform,
            revision: self.previous_revision.clone().unwrap_or_else(|| spec.revision()),
            previous_revision: Some(self.revision.clone()),
            spec: Ok(spec),
            description: None,
            creator: Creator::CodeDeployRollback,
            status: DeploymentStatus::Created,
            created: Timestamp::now(),
            started: None,
            completed: None,
            error: None,
            auto_rollback: None,
            alarms: None,
            overrides_alarms: false,
            rollback_id: None,
            rollback_of: Some(self.id.clone()),
            rollback_message: None,
            events: Self::pending_events(self.platform),
            shifted_percent: 100.0 - self.shifted_percent,
            stop: None,
            hooks: Vec::new(),
            service: self.service.clone(),
            changed: Arc::new(Notify::new()),
        })
    }
}

impl CodeDeploy {
    /// `triggering` is the deployment that is taken back by `id`.
    pub(super) async fn drive_rollback(&self, triggering: &str, id: &str) {
        self.begin(id);
        self.announce(id, Happening::RollbackStart).await;
        let names: Vec<LifecycleEventName> = {
            let books = self.lock();
            let events = books.deployment(id).map(|record| record.events.clone()).unwrap_or_default();
            events.into_iter().map(|event| event.name).collect()
        };
        let mut error = None;
        for name in names.into_iter().filter(|name| !name.can_have_hook()) {
            self.change(id, |record, now| record.enter(name, now));
            if name == LifecycleEventName::AllowTraffic {
                error = self.bring_back(id).await.err();
            }
            if error.is_some() {
                break;
            }
            self.change(id, |record, now| record.leave(name, EventStatus::Succeeded, now));
        }
        let message = match &error {
            None => format!("Deployment {id} has rolled it back."),
            Some(error) => format!("Deployment {id} failed to roll it back: {}", error.message),
        };
        let status = if error.is_none() { DeploymentStatus::Succeeded } else { DeploymentStatus::Failed };
        // What is pending still, the hooks, becomes skipped.
        self.change(id, |record, now| record.end(status, error, now));
        self.change(triggering, |record, _| record.rollback_message = Some(message));
        self.announce_end(id).await;
    }

    async fn bring_back(&self, id: &str) -> Result<(), DeploymentError> {
        let spec = self.lock().deployment(id).and_then(|record| record.spec.clone().ok());
        match spec.map(|spec| spec.target) {
            Some(Target::Lambda(lambda)) => self.route_back(&lambda).await?,
            Some(Target::Ecs(_)) | None => {}
        }
        self.change(id, |record, _| record.shifted_percent = 100.0);
        Ok(())
    }
}
