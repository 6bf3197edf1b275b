//! A deployment's record: what it is, how it stands, and what of it has happened. Pure: it changes by what it is told.

use super::{
    Deployment,
    applications::Platform,
    appspec::AppSpec,
    configs::Shift,
    settings::{AlarmConfiguration, AutoRollback},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Notify;

/// Whether a deployment runs, and else how it ended. The local CodeDeploy knows neither queues nor waits for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are CodeDeploy's")]
pub enum DeploymentStatus {
    Created,
    InProgress,
    Succeeded,
    Failed,
    Stopped,
}

impl DeploymentStatus {
    /// True when nothing more will happen to it.
    #[must_use]
    pub fn has_ended(self) -> bool {
        match self {
            Self::Created | Self::InProgress => false,
            Self::Succeeded | Self::Failed | Self::Stopped => true,
        }
    }
}

/// Who created a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Creator {
    /// A caller of `CreateDeployment`.
    #[serde(rename = "user")]
    User,
    /// CodeDeploy, to take another deployment back.
    #[serde(rename = "codeDeployRollback")]
    CodeDeployRollback,
}

/// Why a deployment did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeploymentError {
    /// One of CodeDeploy's codes, such as `HOOK_EXECUTION_FAILURE`.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

/// What a deployment goes through; those that it has depend on the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "the names are CodeDeploy's")]
pub enum LifecycleEventName {
    Start,
    BeforeInstall,
    Install,
    AfterInstall,
    AllowTestTraffic,
    AfterAllowTestTraffic,
    BeforeAllowTraffic,
    AllowTraffic,
    AfterAllowTraffic,
    End,
}

impl LifecycleEventName {
    pub(super) fn all(platform: Platform) -> &'static [Self] {
        use LifecycleEventName as Name;
        match platform {
            Platform::Lambda => &[
                Name::Start,
                Name::BeforeAllowTraffic,
                Name::AllowTraffic,
                Name::AfterAllowTraffic,
                Name::End,
            ],
            Platform::Ecs => &[
                Name::Start,
                Name::BeforeInstall,
                Name::Install,
                Name::AfterInstall,
                Name::AllowTestTraffic,
                Name::AfterAllowTestTraffic,
                Name::BeforeAllowTraffic,
                Name::AllowTraffic,
                Name::AfterAllowTraffic,
                Name::End,
            ],
        }
    }

    /// As CodeDeploy writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::BeforeInstall => "BeforeInstall",
            Self::Install => "Install",
            Self::AfterInstall => "AfterInstall",
            Self::AllowTestTraffic => "AllowTestTraffic",
            Self::AfterAllowTestTraffic => "AfterAllowTestTraffic",
            Self::BeforeAllowTraffic => "BeforeAllowTraffic",
            Self::AllowTraffic => "AllowTraffic",
            Self::AfterAllowTraffic => "AfterAllowTraffic",
            Self::End => "End",
        }
    }

    pub(super) fn can_have_hook(self) -> bool {
        match self {
            Self::BeforeInstall
            | Self::AfterInstall
            | Self::AfterAllowTestTraffic
            | Self::BeforeAllowTraffic
            | Self::AfterAllowTraffic => true,
            Self::Start | Self::Install | Self::AllowTestTraffic | Self::AllowTraffic | Self::End => false,
        }
    }
}

/// How a lifecycle event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are CodeDeploy's")]
pub enum EventStatus {
    Pending,
    InProgress,
    Succeeded,
    Failed,
    Skipped,
}

/// One lifecycle event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LifecycleEvent {
    /// Which.
    pub name: LifecycleEventName,
    /// How it stands.
    pub status: EventStatus,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why it failed.
    pub message: Option<String>,
}

/// Somebody called `StopDeployment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StopRequest {
    /// Whether to take the deployment back; the group decides when absent.
    pub(super) with_rollback: Option<bool>,
}

/// One invocation of a hook, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HookExecution {
    pub(super) id: String,
    /// True for success; the answer is taken once, and only while it is waited for.
    pub(super) answer: Option<bool>,
    pub(super) is_open: bool,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) application: String,
    pub(super) group: String,
    /// For events, which outlive the group.
    pub(super) group_id: String,
    pub(super) config: String,
    pub(super) shift: Shift,
    pub(super) platform: Platform,
    pub(super) revision: Value,
    pub(super) previous_revision: Option<Value>,
    /// An AppSpec that says nothing useful fails the deployment, not the call that created it.
    pub(super) spec: Result<AppSpec, String>,
    pub(super) description: Option<String>,
    pub(super) creator: Creator,
    pub(super) status: DeploymentStatus,
    pub(super) created: Timestamp,
    pub(super) started: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    pub(super) error: Option<DeploymentError>,
    /// Its own, or else the group's when it was created.
    pub(super) auto_rollback: Option<AutoRollback>,
    pub(super) alarms: Option<AlarmConfiguration>,
    pub(super) overrides_alarms: bool,
    pub(super) rollback_id: Option<String>,
    pub(super) rollback_of: Option<String>,
    pub(super) rollback_message: Option<String>,
    pub(super) events: Vec<LifecycleEvent>,
    /// How much of the traffic the target has.
    pub(super) shifted_percent: f64,
    pub(super) stop: Option<StopRequest>,
    pub(super) hooks: Vec<HookExecution>,
    /// The ECS service, as its group names it.
    pub(super) service: Option<String>,
    /// Wakes whoever drives the deployment.
    pub(super) changed: Arc<Notify>,
}

impl Record {
    pub(super) fn is_of(&self, application: &str, group: &str) -> bool {
        self.application == application && self.group == group
    }

    pub(super) fn has_succeeded(&self) -> bool {
        self.status == DeploymentStatus::Succeeded
    }

    pub(super) fn pending_events(platform: Platform) -> Vec<LifecycleEvent> {
        let names = LifecycleEventName::all(platform).iter();
        let pending = |name: &LifecycleEventName| LifecycleEvent {
            name: *name,
            status: EventStatus::Pending,
            started: None,
            ended: None,
            message: None,
        };
        names.map(pending).collect()
    }

    pub(super) fn enter(&mut self, name: LifecycleEventName, now: Timestamp) {
        if let Some(event) = self.event_mut(name) {
            (event.status, event.started) = (EventStatus::InProgress, Some(now));
        }
    }

    pub(super) fn leave(&mut self, name: LifecycleEventName, status: EventStatus, now: Timestamp) {
        if let Some(event) = self.event_mut(name) {
            (event.status, event.ended) = (status, Some(now));
        }
    }

    /// Ends it: what ran has failed with the deployment, and what is left will not run.
    pub(super) fn end(&mut self, status: DeploymentStatus, error: Option<DeploymentError>, now: Timestamp) {
        for event in &mut self.events {
            match event.status {
                EventStatus::Pending => event.status = EventStatus::Skipped,
                EventStatus::InProgress => {
                    (event.status, event.ended) = (EventStatus::Failed, Some(now));
                    event.message = error.as_ref().map(|error| error.message.clone());
                }
                EventStatus::Succeeded | EventStatus::Failed | EventStatus::Skipped => {}
            }
        }
        for hook in &mut self.hooks {
            hook.is_open = false;
        }
        (self.status, self.error, self.completed) = (status, error, Some(now));
    }

    fn event_mut(&mut self, name: LifecycleEventName) -> Option<&mut LifecycleEvent> {
        self.events.iter_mut().find(|event| event.name == name)
    }

    pub(super) fn view(&self) -> Deployment {
        Deployment {
            id: self.id.clone(),
            application: self.application.clone(),
            group: self.group.clone(),
            config: self.config.clone(),
            status: self.status,
            creator: self.creator,
            created: self.created,
            started: self.started,
            completed: self.completed,
            rollback_id: self.rollback_id.clone(),
            rollback_of: self.rollback_of.clone(),
            error: self.error.clone(),
            shifted_percent: self.shifted_percent,
            events: self.events.clone(),
            hook_executions: self.hooks.iter().map(|hook| hook.id.clone()).collect(),
        }
    }
}
