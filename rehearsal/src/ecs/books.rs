//! What the local ECS knows of each service: its revisions, and the deployments that went from one to another.

use super::{no_deployment, refused};
use crate::front::fault_answers::ServiceError;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Books {
    services: BTreeMap<String, Service>,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) arn: String,
    pub(super) cluster_arn: String,
    pub(super) revisions: Vec<Revision>,
    /// Oldest first.
    pub(super) deployments: Vec<Deployment>,
    /// The revision that last was deployed to the end.
    pub(super) live: String,
    pub(super) desired_count: u64,
}

#[derive(Debug)]
pub(super) struct Revision {
    pub(super) arn: String,
    pub(super) task_definition: String,
    pub(super) created: Timestamp,
    /// The service as it was then, for what a revision repeats of it.
    pub(super) service: Value,
}

#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) arn: String,
    /// The name that the service's own list has for it.
    pub(super) id: String,
    pub(super) source: Option<String>,
    pub(super) target: String,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) stage: Option<&'static str>,
    /// The target's share of the production traffic, where a strategy shifts it.
    pub(super) weight_percent: Option<f64>,
    /// The target's share of the tasks.
    pub(super) running_percent: u64,
    pub(super) created: Timestamp,
    pub(super) finished: Option<Timestamp>,
    pub(super) rollback_started: Option<Timestamp>,
    pub(super) configuration: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    InProgress,
    Successful,
    /// Another deployment took its place.
    Stopped,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Successful => "SUCCESSFUL",
            Self::Stopped => "STOPPED",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
        }
    }

    pub(super) fn is_going_forward(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress)
    }

    pub(super) fn is_going_back(self) -> bool {
        matches!(self, Self::RollbackRequested | Self::RollbackInProgress)
    }

    fn has_ended(self) -> bool {
        !self.is_going_forward() && !self.is_going_back()
    }
}

impl Books {
    pub(super) fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    pub(super) fn service(&self, arn: &str) -> Option<&Service> {
        self.services.get(arn)
    }

    pub(super) fn deployment(&self, arn: &str) -> Option<(&Service, &Deployment)> {
        self.services.values().find_map(|service| {
            let deployment = service.deployments.iter().find(|deployment| deployment.arn == arn)?;
            Some((service, deployment))
        })
    }

    pub(super) fn deployment_mut(&mut self, arn: &str) -> Option<(&mut String, &mut Deployment)> {
        self.services.values_mut().find_map(|service| {
            let Service { live, deployments, .. } = service;
            let deployment = deployments.iter_mut().find(|deployment| deployment.arn == arn)?;
            Some((live, deployment))
        })
    }

    /// Takes note of what ministack did by itself: a service that was made, or changed by a stack.
    pub(super) fn adopt(&mut self, document: &Value) -> Option<&mut Service> {
        let text = |field: &str| document.get(field)?.as_str().map(str::to_owned);
        let (arn, task_definition) = (text("serviceArn")?, text("taskDefinition")?);
        let service = self.services.entry(arn.clone()).or_insert_with(|| Service {
            arn,
            cluster_arn: text("clusterArn").unwrap_or_default(),
            revisions: Vec::new(),
            deployments: Vec::new(),
            live: String::new(),
            desired_count: 0,
        });
        service.desired_count = document.get("desiredCount").and_then(Value::as_u64).unwrap_or_default();
        let is_known =
            service.revision(&service.live).is_some_and(|live| live.task_definition == task_definition);
        if !is_known && service.running().is_none() {
            let source = Some(service.live.clone()).filter(|live| !live.is_empty());
            service.deploy(document, &task_definition, source);
            if let Some(made) = service.deployments.last_mut() {
                made.status = Status::Successful;
                made.running_percent = 100;
                made.finished = Some(made.created);
                service.live = made.target.clone();
            }
        }
        Some(service)
    }

    /// Begins a deployment if the service would change by it, and says which.
    pub(super) fn begin(
        &mut self,
        document: &Value,
        task_definition: Option<&str>,
        is_forced: bool,
    ) -> Option<String> {
        let service = self.adopt(document)?;
        let current = service.running().map_or(&service.live, Deployment::heads_for).clone();
        let current = service.revision(&current)?.task_definition.clone();
        let wanted = task_definition.unwrap_or(&current).to_owned();
        if wanted == current && !is_forced {
            return None;
        }
        if let Some(running) =
            service.deployments.iter_mut().find(|deployment| !deployment.status.has_ended())
        {
            running.status = Status::Stopped;
            running.reason = Some("Service deployment stopped by a newer one.".to_owned());
            running.finished = Some(Timestamp::now());
        }
        let source = Some(service.live.clone());
        service.deploy(document, &wanted, source);
        service.deployments.last().map(|deployment| deployment.arn.clone())
    }

    /// Refuses what cannot be taken back. How ECS words it is not known; the exceptions are those of its model.
    pub(super) fn request_rollback(&mut self, arn: &str) -> Result<(), ServiceError> {
        let (_, deployment) = self.deployment_mut(arn).ok_or_else(|| no_deployment(arn))?;
        if !deployment.status.is_going_forward() {
            let status = deployment.status.name();
            return Err(refused("ConflictException", format!("The service deployment {arn} is {status}")));
        }
        deployment.status = Status::RollbackRequested;
        deployment.reason = Some("Service deployment rollback requested by the user.".to_owned());
        deployment.weight_percent = deployment.weight_percent.map(|_| 0.0);
        deployment.rollback_started = Some(Timestamp::now());
        Ok(())
    }
}

impl Service {
    pub(super) fn revision(&self, arn: &str) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.arn == arn)
    }

    pub(super) fn running(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| !deployment.status.has_ended())
    }

    fn deploy(&mut self, document: &Value, task_definition: &str, source: Option<String>) {
        let named =
            |kind: &str, id: &str| format!("{}/{id}", self.arn.replace(":service/", &format!(":{kind}/")));
        let number = || fastrand::u64(1_000_000_000_000_000_000..=9_999_999_999_999_999_999).to_string();
        let created = Timestamp::now();
        let target = named("service-revision", &number());
        let configuration = document.get("deploymentConfiguration").cloned().unwrap_or_default();
        let is_shifting = configuration
            .get("strategy")
            .and_then(Value::as_str)
            .is_some_and(|strategy| strategy != "ROLLING");
        let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(21).collect();
        self.deployments.push(Deployment {
            arn: named("service-deployment", &id),
            id: format!("ecs-svc/{}", number()),
            source,
            target: target.clone(),
            status: Status::Pending,
            reason: None,
            stage: None,
            weight_percent: is_shifting.then_some(0.0),
            running_percent: 0,
            created,
            finished: None,
            rollback_started: None,
            configuration,
        });
        self.revisions.push(Revision {
            arn: target,
            task_definition: task_definition.to_owned(),
            created,
            service: document.clone(),
        });
    }
}

impl Deployment {
    /// The revision that will stand at its end, as things are.
    pub(super) fn heads_for(&self) -> &String {
        match &self.source {
            Some(source) if self.status.is_going_back() => source,
            Some(_) | None => &self.target,
        }
    }
}
