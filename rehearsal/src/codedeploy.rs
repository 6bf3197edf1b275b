//! CodeDeploy, which ministack lacks altogether: applications, groups, configurations, and deployments that shift an
//! alias through real `UpdateAlias` calls, invoke hooks, watch alarms, and roll back as a new deployment. It calls Lambda,
//! SNS and EventBridge through the front like everybody; it must not reach into them.
//!
//! For ECS it keeps the weights of the task sets itself: there are no services, task sets or listeners behind it. Server
//! deployments, revisions in S3 or GitHub, tags and pages of lists do not exist here.

mod announce;
mod applications;
mod appspec;
mod books;
mod configs;
mod deployments;
mod documents;
mod drive;
mod groups;
mod hooks;
mod lambda;
mod operations;
mod record;
mod refusal;
mod rollback;
mod settings;
mod watch;

pub use record::{
    Creator, DeploymentError, DeploymentStatus, EventStatus, LifecycleEvent, LifecycleEventName,
};

use crate::{
    WaitError,
    alarms::{AlarmBoard, dispatch::ActionFailures},
    aws_client::AwsClient,
    wait_until,
};
use books::Books;
use jiff::Timestamp;
pub(crate) use operations::answer;
use record::Record;
use serde::Serialize;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// One deployment as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct Deployment {
    /// Its id, such as `d-ABCDEFGHI`.
    pub id: String,
    /// The application.
    pub application: String,
    /// The deployment group.
    pub group: String,
    /// How traffic shifts.
    pub config: String,
    /// Whether it runs, and else how it ended.
    pub status: DeploymentStatus,
    /// Who created it.
    pub creator: Creator,
    /// When it was created.
    pub created: Timestamp,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub completed: Option<Timestamp>,
    /// The deployment that took this one back.
    pub rollback_id: Option<String>,
    /// The deployment that this one takes back.
    pub rollback_of: Option<String>,
    /// Why it did not succeed.
    pub error: Option<DeploymentError>,
    /// How much of the traffic the target has, in per cent.
    pub shifted_percent: f64,
    /// What it does, in order.
    pub events: Vec<LifecycleEvent>,
    /// What its hooks were called with, besides its id, in order: whoever knows it can deliver the event again.
    pub hook_executions: Vec<String>,
}

impl Deployment {
    /// One lifecycle event's status.
    #[must_use]
    pub fn event(&self, name: LifecycleEventName) -> Option<EventStatus> {
        self.events.iter().find(|event| event.name == name).map(|event| event.status)
    }
}

/// The local CodeDeploy.
#[derive(Debug)]
pub struct CodeDeploy {
    books: Mutex<Books>,
    alarms: Arc<AlarmBoard>,
    /// What CodeDeploy itself calls: aliases and hooks.
    client: AwsClient,
    /// What tells others: notices are no call of CodeDeploy's that a journal of releases should show.
    notices: AwsClient,
    failures: Arc<ActionFailures>,
    /// How long a second of a deployment lasts, in real seconds.
    scale: f64,
}

impl CodeDeploy {
    pub(crate) fn new(
        alarms: Arc<AlarmBoard>,
        client: AwsClient,
        notices: AwsClient,
        failures: Arc<ActionFailures>,
        scale: f64,
    ) -> Self {
        Self { books: Mutex::default(), alarms, client, notices, failures, scale }
    }

    /// Every deployment so far, oldest first.
    #[must_use]
    pub fn deployments(&self) -> Vec<Deployment> {
        self.lock().deployments.iter().map(Record::view).collect()
    }

    /// One deployment.
    #[must_use]
    pub fn deployment(&self, id: &str) -> Option<Deployment> {
        self.lock().deployment(id).map(Record::view)
    }

    /// Waits for the end of a deployment. Its rollback, if there is one, has been created by then, and has an end of its own.
    pub async fn wait_for(&self, id: &str, limit: Duration) -> Result<Deployment, WaitError> {
        let ended = || self.deployment(id).filter(|deployment| deployment.status.has_ended());
        wait_until(&format!("the end of deployment {id}"), limit, ended).await
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // A panic elsewhere must not hide what was deployed before it.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scaled(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.scale)
    }
}
