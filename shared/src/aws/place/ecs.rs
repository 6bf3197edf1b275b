//! Looking at a service of ECS, and moving it.

use aws_sdk_ecs::operation::describe_services::{DescribeServicesError, DescribeServicesOutput};
use aws_sdk_ecs::operation::stop_service_deployment::StopServiceDeploymentError;
use aws_sdk_ecs::operation::stop_task::StopTaskError;
use aws_sdk_ecs::operation::update_service::UpdateServiceError;
use aws_sdk_ecs::types::{
    self, ServiceDeploymentBrief, ServiceDeploymentStatus, StopServiceDeploymentStopType,
};
use futures_util::future::{join, try_join_all};

use crate::aws::execute::Interruption;
use crate::aws::{Aws, CallFailed};
use crate::names::Arn;
use crate::place::ecs::{Call, Controller, Flight, Heading, Service};
use crate::place::{Live, Seen as PlaceSeen};

mod answers;
mod closer;

pub(super) use closer::look_closer;

const DESCRIBE: &str = "ecs:DescribeServices";
const LIST: &str = "ecs:ListServiceDeployments";
const REVISIONS: &str = "ecs:DescribeServiceRevisions";
/// What a person reads of a task that was stopped, in ECS.
const STOPPED_BECAUSE: &str = "It outlived its deployment, which was rolled back";
/// The states of a service deployment that has not ended.
const IN_FLIGHT: [ServiceDeploymentStatus; 5] = [
    ServiceDeploymentStatus::Pending,
    ServiceDeploymentStatus::InProgress,
    ServiceDeploymentStatus::StopRequested,
    ServiceDeploymentStatus::RollbackRequested,
    ServiceDeploymentStatus::RollbackInProgress,
];

/// Looks at it; nothing if there is none. The service and the deployment that moves it are asked for at once.
pub(super) async fn observe(aws: &Aws, place: &Service) -> Result<Option<Live>, CallFailed> {
    let describe =
        aws.ecs().describe_services().cluster(place.cluster.as_str()).services(place.service.as_str());
    let (described, listed) = join(describe.send(), in_flight(aws, place)).await;
    let described = match described {
        Ok(answer) => answer,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeServicesError::is_cluster_not_found_exception) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(CallFailed::new(DESCRIBE, place, &error)),
    };
    let Some(service) = found(&described, place)? else { return Ok(None) };
    let mut seen = answers::seen(service).map_err(|error| CallFailed::new(DESCRIBE, place, &error))?;
    let traffic = match seen.traffic() {
        Some(traffic) => traffic,
        None => answers::traffic_of_task_sets(service).map_err(|why| unlike(DESCRIBE, place, why))?,
    };
    let mut began_at = answers::primary(service).and_then(types::Deployment::created_at).copied();
    // Whoever else moves a service does so without service deployments.
    if seen.controller == Controller::Ecs
        && let Some(deployment) = newest(&listed?)
    {
        began_at = deployment.created_at().copied().or(began_at);
        seen.flight = Some(flight(aws, place, service, deployment).await?);
    }
    let brought = answers::brought(&seen, began_at.as_ref());
    Ok(Some(Live { traffic, brought, seen: PlaceSeen::EcsService(Box::new(seen)) }))
}

/// The service in the answer; nothing if ECS says that there is none.
fn found<'a>(
    answer: &'a DescribeServicesOutput,
    place: &Service,
) -> Result<Option<&'a types::Service>, CallFailed> {
    let failure = answer.failures().first().map(|failure| failure.reason().unwrap_or("no reason"));
    match (answer.services().first(), failure) {
        (Some(service), _) => Ok(Some(service)),
        (None, Some("MISSING") | None) => Ok(None),
        (None, Some(why)) => Err(unlike(DESCRIBE, place, why.to_owned())),
    }
}

async fn in_flight(aws: &Aws, place: &Service) -> Result<Vec<ServiceDeploymentBrief>, CallFailed> {
    let list = aws
        .ecs()
        .list_service_deployments()
        .cluster(place.cluster.as_str())
        .service(place.service.as_str())
        .set_status(Some(IN_FLIGHT.into()));
    match list.send().await {
        Ok(answer) => Ok(answer.service_deployments.unwrap_or_default()),
        // What the service itself shows tells then, and whether there is one at all.
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                error.is_service_not_found_exception()
                    || error.is_cluster_not_found_exception()
                    || error.is_unsupported_feature_exception()
            }) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(CallFailed::new(LIST, place, &error)),
    }
}

/// The newest: one that it replaces may still be stopping.
fn newest(deployments: &[ServiceDeploymentBrief]) -> Option<&ServiceDeploymentBrief> {
    deployments.iter().max_by_key(|deployment| answers::nanoseconds(deployment.created_at()))
}

async fn flight(
    aws: &Aws,
    place: &Service,
    service: &types::Service,
    deployment: &ServiceDeploymentBrief,
) -> Result<Flight, CallFailed> {
    let status = deployment.status().map_or("", ServiceDeploymentStatus::as_str).to_owned();
    let heading = match deployment.status() {
        Some(ServiceDeploymentStatus::Pending | ServiceDeploymentStatus::InProgress) => Heading::Forward,
        // Only deployments that have not ended were asked for.
        Some(_) | None => Heading::Back,
    };
    let arn: Arn = deployment
        .service_deployment_arn()
        .unwrap_or_default()
        .parse()
        .map_err(|error| CallFailed::new(LIST, place, &error))?;
    let target = match heading {
        Heading::Back => None,
        Heading::Forward if answers::is_of_primary(service, deployment) => {
            let primary = answers::primary(service).and_then(types::Deployment::task_definition);
            Some(primary.unwrap_or_default().to_owned())
        }
        // The two answers are not of the same moment: the deployment's own revision tells what it brings.
        Heading::Forward => task_definition_of(aws, place, deployment).await?,
    };
    let target = target.map(|arn| answers::version(&arn)).transpose();
    let target = target.map_err(|error| CallFailed::new(LIST, place, &error))?;
    Ok(Flight { deployment: arn, heading, status, target })
}

async fn task_definition_of(
    aws: &Aws,
    place: &Service,
    deployment: &ServiceDeploymentBrief,
) -> Result<Option<String>, CallFailed> {
    let Some(revision) = deployment.target_service_revision_arn() else { return Ok(None) };
    let answer = aws.ecs().describe_service_revisions().service_revision_arns(revision).send().await;
    let answer = answer.map_err(|error| CallFailed::new(REVISIONS, place, &error))?;
    Ok(answer.service_revisions().first().and_then(|revision| revision.task_definition()).map(str::to_owned))
}

/// Makes one call.
pub(super) async fn call(aws: &Aws, call: &Call) -> Result<(), Interruption> {
    match call {
        Call::StopDeployment { deployment, .. } => stop_deployment(aws, deployment).await,
        Call::Update { cluster, service, to, is_forced, .. } => {
            let update = aws
                .ecs()
                .update_service()
                .cluster(cluster.as_str())
                .service(service.as_str())
                .task_definition(to.as_str())
                .force_new_deployment(*is_forced);
            match update.send().await {
                Ok(_) => Ok(()),
                Err(error) if error.as_service_error().is_some_and(is_gone) => {
                    Err(Interruption::Raced { what: format!("service {cluster}/{service} is gone") })
                }
                Err(error) => Err(failed("ecs:UpdateService", format_args!("{cluster}/{service}"), &error)),
            }
        }
        Call::StopTasks { cluster, tasks, .. } => {
            let stops = tasks.iter().map(|task| stop_task(aws, cluster.as_str(), task));
            try_join_all(stops).await.map(|_| ())
        }
    }
}

fn is_gone(error: &UpdateServiceError) -> bool {
    error.is_service_not_found_exception()
        || error.is_cluster_not_found_exception()
        || error.is_service_not_active_exception()
}

/// One that goes back already goes on with that, says ECS. One that has ended by now is looked at again: how it ended decides.
async fn stop_deployment(aws: &Aws, deployment: &Arn) -> Result<(), Interruption> {
    let stop = aws
        .ecs()
        .stop_service_deployment()
        .service_deployment_arn(deployment.as_str())
        .stop_type(StopServiceDeploymentStopType::Rollback);
    match stop.send().await {
        Ok(_) => Ok(()),
        Err(error)
            if error.as_service_error().is_some_and(|error: &StopServiceDeploymentError| {
                error.is_conflict_exception()
                    || error.is_service_deployment_not_found_exception()
                    || error.is_invalid_parameter_exception()
            }) =>
        {
            Err(Interruption::Raced { what: format!("{deployment} can no longer be stopped") })
        }
        Err(error) => Err(failed("ecs:StopServiceDeployment", deployment, &error)),
    }
}

async fn stop_task(aws: &Aws, cluster: &str, task: &Arn) -> Result<(), Interruption> {
    let stop = aws.ecs().stop_task().cluster(cluster).task(task.as_str()).reason(STOPPED_BECAUSE);
    match stop.send().await {
        Ok(_) => Ok(()),
        // ECS forgets a task some time after it has stopped.
        Err(error)
            if error.as_service_error().is_some_and(StopTaskError::is_invalid_parameter_exception)
                && error.as_service_error().is_some_and(|error| {
                    error.meta().message().is_some_and(|said| said.contains("was not found"))
                }) =>
        {
            Ok(())
        }
        Err(error) => Err(failed("ecs:StopTask", task, &error)),
    }
}

fn failed(
    call: &'static str,
    subject: impl std::fmt::Display,
    error: &(dyn std::error::Error + 'static),
) -> Interruption {
    Interruption::Failed { why: CallFailed::new(call, subject, error).to_string() }
}

fn unlike(call: &'static str, place: &Service, why: String) -> CallFailed {
    CallFailed { call, subject: place.to_string(), why }
}
