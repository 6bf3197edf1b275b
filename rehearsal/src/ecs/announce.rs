//! What EventBridge is told of deployments: that they began, ended well, or were taken back. Somebody who is told of a
//! rollback hears of another deployment in progress, as from ECS, which says the difference with its reason alone.

use super::Ecs;
use crate::{
    alarms::dispatch::{check_event, put_event},
    front::call::REHEARSAL_KEY,
};
use jiff::Timestamp;
use serde_json::json;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    Begun,
    Completed,
    Failed,
    GoingBack,
}

impl Happening {
    fn event_name(self) -> &'static str {
        match self {
            Self::Begun | Self::GoingBack => "SERVICE_DEPLOYMENT_IN_PROGRESS",
            Self::Completed => "SERVICE_DEPLOYMENT_COMPLETED",
            Self::Failed => "SERVICE_DEPLOYMENT_FAILED",
        }
    }

    fn event_type(self) -> &'static str {
        match self {
            Self::Begun | Self::Completed | Self::GoingBack => "INFO",
            Self::Failed => "ERROR",
        }
    }

    fn reason(self, id: &str) -> String {
        match self {
            Self::Begun => format!("ECS deployment {id} in progress."),
            Self::Completed => format!("ECS deployment {id} completed."),
            Self::Failed => format!("ECS deployment {id} failed: it was stopped by the user."),
            Self::GoingBack => format!("ECS deployment {id} rolling back."),
        }
    }
}

impl Ecs {
    /// Nobody who cannot be told holds a deployment up; the failure is kept for whoever looks.
    pub(super) async fn announce(&self, arn: &str, happening: Happening) {
        let Some((service, id)) = self
            .lock()
            .deployment(arn)
            .map(|(service, deployment)| (service.arn.clone(), deployment.id.clone()))
        else {
            return;
        };
        let parts: Vec<&str> = service.split(':').collect();
        let [_, _, _, region, account_id, ..] = parts.as_slice() else { return };
        let detail = json!({
            "eventType": happening.event_type(),
            "eventName": happening.event_name(),
            "deploymentId": id,
            "updatedAt": Timestamp::now().to_string(),
            "reason": happening.reason(&id),
        });
        let entry = json!({
            "Source": "aws.ecs",
            "DetailType": "ECS Deployment State Change",
            "Resources": [service],
            "Detail": detail.to_string(),
        });
        let client = self.places.client(account_id, region, REHEARSAL_KEY);
        if let Err(reason) = check_event(put_event(&client, entry).await) {
            self.places.failures.add(format!("{arn} -> EventBridge: {reason}"));
        }
    }
}
