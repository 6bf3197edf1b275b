//! How ECS words what the books hold.

use super::{
    Revision, Service,
    books::{Books, Deployment},
    is_driven_by_ecs,
};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Books {
    /// Words ministack's description of a service as its deployments have it.
    pub(super) fn show(&mut self, document: &mut Value) {
        if !is_driven_by_ecs(document) {
            return;
        }
        let Some(service) = self.adopt(document) else { return };
        let shown = service.shown();
        if let (Some(fields), Value::Object(shown)) = (document.as_object_mut(), shown) {
            fields.extend(shown);
        }
    }
}

impl Service {
    fn shown(&self) -> Value {
        let running = self.running();
        let head = running.map_or(&self.live, Deployment::heads_for);
        let other = running.map(|running| if *head == running.target { &self.live } else { &running.target });
        let desired = self.desired_count;
        let target_count = running.map_or(0, |running| desired * running.running_percent / 100);
        let count_of = |revision: &String| match running {
            Some(running) if running.target == *revision => target_count,
            // A shift runs both in full; a rolling deployment replaces one task by another.
            Some(running) if running.weight_percent.is_some() => desired,
            Some(_) => desired - target_count,
            None => desired,
        };
        let one = |revision: &String, status: &str, state: &str| {
            let count = count_of(revision);
            let deployment = self.deployments.iter().rev().find(|deployment| deployment.target == *revision);
            json!({
                "id": deployment.map(|deployment| &deployment.id),
                "status": status,
                "taskDefinition": self.revision(revision).map(|revision| &revision.task_definition),
                "desiredCount": desired,
                "runningCount": count,
                "pendingCount": desired - count,
                "failedTasks": 0,
                "createdAt": deployment.map(|deployment| seconds(deployment.created)),
                "updatedAt": deployment.map(|deployment| seconds(deployment.created)),
                "rolloutState": state,
                "rolloutStateReason": format!("ECS deployment is {state}."),
            })
        };
        let state = if running.is_some() { "IN_PROGRESS" } else { "COMPLETED" };
        let mut deployments = vec![one(head, "PRIMARY", state)];
        if let Some(other) = other {
            deployments.push(one(other, "ACTIVE", "COMPLETED"));
        }
        let revisions: Vec<Value> = [Some(head), other]
            .into_iter()
            .flatten()
            .map(|arn| json!({ "arn": arn, "requestedTaskCount": desired, "runningTaskCount": count_of(arn), "pendingTaskCount": desired - count_of(arn) }))
            .collect();
        json!({
            "taskDefinition": self.revision(head).map(|revision| &revision.task_definition),
            "deployments": deployments,
            "currentServiceDeployment": self.deployments.last().map(|deployment| &deployment.arn),
            "currentServiceRevisions": revisions,
        })
    }
}

impl Deployment {
    /// As `ListServiceDeployments` has it.
    pub(super) fn brief(&self, service: &Service) -> Value {
        without_nulls(json!({
            "serviceDeploymentArn": self.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster_arn,
            "createdAt": seconds(self.created),
            "startedAt": seconds(self.created),
            "finishedAt": self.finished.map(seconds),
            "targetServiceRevisionArn": self.target,
            "status": self.status.name(),
            "statusReason": self.reason,
        }))
    }

    /// As `DescribeServiceDeployments` has it.
    pub(super) fn described(&self, service: &Service) -> Value {
        let count = service.desired_count * self.running_percent / 100;
        let summary = |arn: &String, running: u64, weight: Option<f64>| {
            without_nulls(json!({
                "arn": arn,
                "requestedTaskCount": service.desired_count,
                "runningTaskCount": running,
                "pendingTaskCount": service.desired_count - running,
                "requestedProductionTrafficWeight": weight,
            }))
        };
        let rest =
            if self.weight_percent.is_some() { service.desired_count } else { service.desired_count - count };
        let sources: Vec<Value> = self
            .source
            .iter()
            .map(|source| summary(source, rest, self.weight_percent.map(|weight| 100.0 - weight)))
            .collect();
        let rollback = self.rollback_started.map(|started| {
            json!({ "reason": self.reason, "startedAt": seconds(started), "serviceRevisionArn": self.source })
        });
        let mut described = self.brief(service);
        let more = without_nulls(json!({
            "updatedAt": seconds(self.finished.unwrap_or(self.created)),
            "sourceServiceRevisions": sources,
            "targetServiceRevision": summary(&self.target, count, self.weight_percent),
            "lifecycleStage": self.stage,
            "deploymentConfiguration": self.configuration,
            "rollback": rollback,
        }));
        if let (Some(fields), Value::Object(more)) = (described.as_object_mut(), more) {
            fields.remove("targetServiceRevisionArn");
            fields.extend(more);
        }
        described
    }
}

impl Revision {
    /// As `DescribeServiceRevisions` has it.
    pub(super) fn described(&self, service: &Service) -> Value {
        let repeated = |field: &str| self.service.get(field).cloned();
        without_nulls(json!({
            "serviceRevisionArn": self.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster_arn,
            "taskDefinition": self.task_definition,
            "createdAt": seconds(self.created),
            "launchType": repeated("launchType"),
            "loadBalancers": repeated("loadBalancers"),
            "networkConfiguration": repeated("networkConfiguration"),
        }))
    }
}

/// AWS leaves out what is not there.
fn without_nulls(mut document: Value) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    document
}

/// Times are seconds since 1970, with their parts.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit")]
fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1_000.0
}
