//! Takes a deployment from stage to stage as time passes, forwards or back. It goes on only while nobody has stopped it.

use super::{
    Ecs,
    announce::Happening,
    books::{Deployment, Status},
    strategy::Strategy,
};
use crate::front::backends::{Forwarded, document};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

const PENDING: Duration = Duration::from_secs(6);
const ROLLBACK_REQUESTED: Duration = Duration::from_secs(6);
const ROLLBACK: Duration = Duration::from_secs(60);

impl Ecs {
    /// Drives one deployment to its end. It is ministack's once it has succeeded.
    pub(super) async fn drive(&self, arn: &str, strategy: &Strategy, request: &Forwarded, is_forced: bool) {
        self.announce(arn, Happening::Begun).await;
        tokio::time::sleep(self.scaled(PENDING)).await;
        for step in &strategy.steps {
            let is_on = self.forward(arn, |deployment| {
                deployment.status = Status::InProgress;
                deployment.stage = step.stage;
                deployment.weight_percent = deployment.weight_percent.map(|_| step.weight_percent);
                deployment.running_percent = step.running_percent;
            });
            if !is_on {
                return;
            }
            tokio::time::sleep(self.scaled(step.lasts)).await;
        }
        let Some(update) = self.last_update(arn, is_forced) else { return };
        let answered = self.backends.ministack(&request.json("UpdateService", &update)).await;
        let (answer, _) = document(answered).await;
        if !answer.status().is_success() {
            // The service is gone, most likely; its deployment stays as it is.
            return;
        }
        self.succeeded(arn);
        self.announce(arn, Happening::Completed).await;
    }

    fn succeeded(&self, arn: &str) {
        let mut books = self.lock();
        let Some((live, deployment)) = books.deployment_mut(arn) else { return };
        deployment.status = Status::Successful;
        deployment.stage = None;
        deployment.running_percent = 100;
        deployment.finished = Some(Timestamp::now());
        live.clone_from(&deployment.target);
    }

    /// Takes a deployment back whose rollback was requested.
    pub(super) async fn roll_back(&self, arn: &str) {
        self.announce(arn, Happening::GoingBack).await;
        tokio::time::sleep(self.scaled(ROLLBACK_REQUESTED)).await;
        let is_on = self.back(arn, |deployment| deployment.status = Status::RollbackInProgress);
        if !is_on {
            return;
        }
        tokio::time::sleep(self.scaled(ROLLBACK)).await;
        let is_done = self.back(arn, |deployment| {
            deployment.status = Status::RollbackSuccessful;
            deployment.stage = None;
            deployment.running_percent = 0;
            deployment.finished = Some(Timestamp::now());
        });
        if is_done {
            self.announce(arn, Happening::Failed).await;
        }
    }

    /// What makes ministack's service the target, unless somebody stopped the deployment at the last moment.
    fn last_update(&self, arn: &str, is_forced: bool) -> Option<Value> {
        let books = self.lock();
        let (service, deployment) = books.deployment(arn)?;
        let target = service.revision(&deployment.target)?;
        deployment.status.is_going_forward().then(|| {
            json!({
                "cluster": service.cluster_arn,
                "service": service.arn,
                "taskDefinition": target.task_definition,
                "forceNewDeployment": is_forced,
            })
        })
    }

    fn forward(&self, arn: &str, change: impl FnOnce(&mut Deployment)) -> bool {
        self.change(arn, Status::is_going_forward, change)
    }

    fn back(&self, arn: &str, change: impl FnOnce(&mut Deployment)) -> bool {
        self.change(arn, Status::is_going_back, change)
    }

    fn change(&self, arn: &str, is_on: fn(Status) -> bool, change: impl FnOnce(&mut Deployment)) -> bool {
        let mut books = self.lock();
        match books.deployment_mut(arn) {
            Some((_, deployment)) if is_on(deployment.status) => {
                change(deployment);
                true
            }
            Some(_) | None => false,
        }
    }
}
