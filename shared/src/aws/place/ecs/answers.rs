//! ECS's answers in the core's words.

use aws_sdk_ecs::types::{
    self, Deployment, DeploymentControllerType, DeploymentRolloutState, DeploymentStrategy,
    ServiceDeploymentBrief,
};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::names::{InvalidName, Version};
use crate::place::Brought;
use crate::place::ecs::{Controller, Life, Manner, Rollout, RolloutState, Seen};
use crate::traffic::Traffic;

/// A deployment and the service's own entry for it are made together, but are not timed by the same clock.
const CLOCKS_DIFFER_BY_MAX_NS: i128 = 5_000_000_000;

/// A service, without the deployment that moves it.
pub(super) fn seen(service: &types::Service) -> Result<Seen, InvalidName> {
    let primary = primary(service);
    let others =
        service.deployments().iter().filter(|other| !is_primary(other) && other.status() != Some("INACTIVE"));
    Ok(Seen {
        life: match service.status() {
            Some("DRAINING") => Life::Draining,
            Some("INACTIVE") => Life::Inactive,
            // Anything else would be new; whether ECS takes a call then is for ECS to say.
            Some(_) | None => Life::Active,
        },
        controller: controller(service),
        manner: manner(service),
        desired_count: count(service.desired_count()),
        primary: primary.map(rollout).transpose()?,
        others: others.map(rollout).collect::<Result<_, _>>()?,
        flight: None,
        definitions: Vec::new(),
        left_over: Vec::new(),
    })
}

/// The service's newest deployment.
pub(super) fn primary(service: &types::Service) -> Option<&Deployment> {
    service.deployments().iter().find(|deployment| is_primary(deployment))
}

fn is_primary(deployment: &Deployment) -> bool {
    deployment.status() == Some("PRIMARY")
}

/// Whether the service's newest entry is the one that a service deployment has made. A service that was looked at just before
/// still names the deployment before it, and one that is shown with what it had is older than what it is to get.
pub(super) fn is_of_primary(service: &types::Service, deployment: &ServiceDeploymentBrief) -> bool {
    let is_current = service.current_service_deployment().is_some()
        && service.current_service_deployment() == deployment.service_deployment_arn();
    let made_at = primary(service).and_then(Deployment::created_at);
    is_current
        && nanoseconds(made_at)
            .zip(nanoseconds(deployment.created_at()))
            .is_some_and(|(primary, flight)| primary + CLOCKS_DIFFER_BY_MAX_NS >= flight)
}

/// What was brought to the service last: what a service deployment that goes on brings, or else its newest deployment. One
/// that goes back brings nothing.
pub(super) fn brought(seen: &Seen, began_at: Option<&DateTime>) -> Option<Brought> {
    let version = match &seen.flight {
        Some(flight) => flight.target?,
        None => seen.primary.as_ref()?.version,
    };
    Some(Brought { version, at: Timestamp::from_nanosecond(nanoseconds(began_at)?).ok()? })
}

pub(super) fn nanoseconds(at: Option<&DateTime>) -> Option<i128> {
    at.map(DateTime::as_nanos)
}

fn controller(service: &types::Service) -> Controller {
    match service.deployment_controller().map(types::DeploymentController::r#type) {
        Some(DeploymentControllerType::Ecs) | None => Controller::Ecs,
        Some(DeploymentControllerType::CodeDeploy) => Controller::CodeDeploy,
        Some(other) => Controller::Other(other.as_str().to_owned()),
    }
}

fn manner(service: &types::Service) -> Manner {
    let configuration = service.deployment_configuration();
    match configuration.and_then(types::DeploymentConfiguration::strategy) {
        Some(DeploymentStrategy::Rolling) | None => Manner::Rolling,
        Some(other) => Manner::Shifting(other.as_str().to_owned()),
    }
}

fn rollout(deployment: &Deployment) -> Result<Rollout, InvalidName> {
    Ok(Rollout {
        version: version(deployment.task_definition().unwrap_or_default())?,
        state: match deployment.rollout_state() {
            Some(DeploymentRolloutState::InProgress) => Some(RolloutState::InProgress),
            Some(DeploymentRolloutState::Failed) => Some(RolloutState::Failed),
            Some(DeploymentRolloutState::Completed) => Some(RolloutState::Completed),
            // The tasks tell.
            Some(_) | None => None,
        },
        why: deployment.rollout_state_reason().unwrap_or_default().to_owned(),
        desired_count: count(deployment.desired_count()),
        running_count: count(deployment.running_count()),
        pending_count: count(deployment.pending_count()),
    })
}

fn count(count: i32) -> u32 {
    u32::try_from(count).unwrap_or_default()
}

/// The task definition behind an ARN, by its family and revision.
pub(super) fn version(arn: &str) -> Result<Version, InvalidName> {
    arn.rsplit('/').next().unwrap_or_default().parse()
}

/// What a service serves whose deployments ECS does not list, because another moves its task sets.
pub(super) fn traffic_of_task_sets(service: &types::Service) -> Result<Traffic, String> {
    let primary = service.task_sets().iter().find(|set| set.status() == Some("PRIMARY"));
    let definition = primary.and_then(types::TaskSet::task_definition).or_else(|| service.task_definition());
    let definition = definition.ok_or_else(|| "it names no task definition".to_owned())?;
    version(definition).map(Traffic::all_on).map_err(|error| error.to_string())
}
