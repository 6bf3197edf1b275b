//! Who is told of a deployment: EventBridge always, and the SNS topics of the group's triggers.

use super::{
    CodeDeploy,
    record::{DeploymentStatus, Record},
    settings::{Trigger, TriggerEvent},
};
use crate::alarms::dispatch::{check, check_event, put_event};
use serde_json::{Value, json};

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    Start,
    RollbackStart,
    Success,
    Failure,
    Stop,
}

impl Happening {
    fn end(status: DeploymentStatus) -> Option<Self> {
        match status {
            DeploymentStatus::Succeeded => Some(Self::Success),
            DeploymentStatus::Failed => Some(Self::Failure),
            DeploymentStatus::Stopped => Some(Self::Stop),
            DeploymentStatus::Created | DeploymentStatus::InProgress => None,
        }
    }

    /// The state in the event's detail.
    fn state(self) -> &'static str {
        match self {
            Self::Start | Self::RollbackStart => "START",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Stop => "STOP",
        }
    }

    /// The events of a trigger, one of which is enough to be told once.
    fn trigger_events(self) -> &'static [TriggerEvent] {
        match self {
            Self::Start => &[TriggerEvent::DeploymentStart],
            Self::RollbackStart => &[TriggerEvent::DeploymentStart, TriggerEvent::DeploymentRollback],
            Self::Success => &[TriggerEvent::DeploymentSuccess],
            Self::Failure => &[TriggerEvent::DeploymentFailure],
            Self::Stop => &[TriggerEvent::DeploymentStop],
        }
    }
}

impl CodeDeploy {
    pub(super) async fn announce_end(&self, id: &str) {
        let status = self.lock().deployment(id).map(|record| record.status);
        if let Some(happening) = status.and_then(Happening::end) {
            self.announce(id, happening).await;
        }
    }

    /// Nobody who cannot be told holds a deployment up; the failure is kept for whoever looks.
    pub(super) async fn announce(&self, id: &str, happening: Happening) {
        let (region, account_id) = (self.alarms.region().to_owned(), self.alarms.account_id().to_owned());
        let prepared = {
            let books = self.lock();
            books.deployment(id).map(|record| {
                let group = books.group(&record.application, &record.group).ok();
                let triggers = group.map(|group| group.triggers.clone()).unwrap_or_default();
                let listens = |trigger: &Trigger| {
                    trigger.trigger_events.iter().any(|event| happening.trigger_events().contains(event))
                };
                let told = triggers.into_iter().filter(listens).map(|trigger| {
                    let message = sns_message(record, &trigger, &region, &account_id);
                    (trigger, subject(record, &region), message)
                });
                (event_entry(record, happening, &region, &account_id), told.collect::<Vec<_>>())
            })
        };
        let Some((entry, told)) = prepared else { return };
        if let Err(reason) = check_event(put_event(&self.notices, entry).await) {
            self.failures.add(format!("{id} -> EventBridge: {reason}"));
        }
        for (trigger, subject, message) in told {
            let arn = trigger.trigger_target_arn.as_str();
            let message = message.to_string();
            let fields = [
                ("Action", "Publish"),
                ("Version", "2010-03-31"),
                ("TopicArn", arn),
                ("Subject", &subject),
                ("Message", &message),
            ];
            if let Err(reason) = check(self.notices.query("sns", &fields).await) {
                self.failures.add(format!("{id} -> {arn}: {reason}"));
            }
        }
    }
}

fn event_entry(record: &Record, happening: Happening, region: &str, account_id: &str) -> Value {
    let arn = |kind: &str, name: &str| format!("arn:aws:codedeploy:{region}:{account_id}:{kind}:{name}");
    let (application, group) = (&record.application, &record.group);
    let detail = json!({
        "region": region,
        "deploymentId": record.id,
        "instanceGroupId": record.group_id,
        "deploymentGroup": group,
        "application": application,
        "state": happening.state(),
    });
    json!({
        "Source": "aws.codedeploy",
        "DetailType": "CodeDeploy Deployment State-change Notification",
        "Resources": [arn("application", application), arn("deploymentgroup", &format!("{application}/{group}"))],
        "Detail": detail.to_string(),
    })
}

fn subject(record: &Record, region: &str) -> String {
    let status = format!("{:?}", record.status).to_uppercase();
    let subject = format!("{status}: AWS CodeDeploy {} in {region} to {}", record.id, record.application);
    // SNS cuts nothing and refuses subjects of more than 100 characters.
    subject.chars().take(100).collect()
}

fn sns_message(record: &Record, trigger: &Trigger, region: &str, account_id: &str) -> Value {
    let time = |time: jiff::Timestamp| format!("{:.3}", super::documents::seconds(time));
    let overview: serde_json::Map<String, Value> = record
        .overview()
        .as_object()
        .into_iter()
        .flatten()
        // Counts are texts here, and `Ready` is not among them.
        .filter(|(status, _)| *status != "Ready")
        .map(|(status, count)| (status.clone(), json!(count.to_string())))
        .collect();
    let mut message = json!({
        "region": region,
        "accountId": account_id,
        "eventTriggerName": trigger.trigger_name,
        "applicationName": record.application,
        "deploymentId": record.id,
        "deploymentGroupName": record.group,
        "createTime": time(record.created),
        "completeTime": record.completed.map(time),
        "deploymentOverview": overview,
        "status": record.status,
    });
    if let Some(error) = &record.error {
        message["errorInformation"] = json!({"ErrorCode": error.code, "ErrorMessage": error.message});
    }
    message
}
