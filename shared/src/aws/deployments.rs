//! What CodeDeploy says of deployments and their groups.

use std::collections::BTreeMap;

use aws_sdk_codedeploy::operation::get_deployment::GetDeploymentError;
use aws_sdk_codedeploy::operation::get_deployment_group::GetDeploymentGroupError;
use aws_sdk_codedeploy::primitives::DateTime;
use aws_sdk_codedeploy::types::{
    ComputePlatform, DeploymentCreator, DeploymentInfo, DeploymentStatus as Status, LifecycleEventStatus,
};
use jiff::Timestamp;

use super::{Aws, CallFailed};
use crate::deployment::{
    AliasShift, AppSpec, DeploymentState, DeploymentStatus, Place, Resource, SpecUnknown,
};
use crate::names::{DeploymentId, InvalidName};

mod act;
mod hook;

pub use hook::{HOOK_ANSWER_PATIENCE, HookAnswer};

const GET_DEPLOYMENT: &str = "codedeploy:GetDeployment";
const BATCH_GET_TARGETS: &str = "codedeploy:BatchGetDeploymentTargets";

/// A deployment group, as far as a release cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentGroup {
    /// The ECS services that it deploys to; none if it deploys to Lambda.
    pub services: Vec<Place>,
    /// The deployment that was started in it last.
    pub latest: Option<DeploymentId>,
}

/// One target of a deployment, as far as it is read.
#[derive(Debug, Default)]
struct Target {
    shift: Option<AliasShift>,
    in_progress: Vec<String>,
}

impl Aws {
    /// What CodeDeploy says of a deployment; nothing if it knows of none.
    pub async fn deployment(&self, id: &DeploymentId) -> Result<Option<DeploymentState>, CallFailed> {
        let info = match self.codedeploy.get_deployment().deployment_id(id.as_str()).send().await {
            Ok(answer) => answer.deployment_info.unwrap_or_else(|| DeploymentInfo::builder().build()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetDeploymentError::is_deployment_does_not_exist_exception) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(CallFailed::new(GET_DEPLOYMENT, id, &error)),
        };
        let status = status(info.status()).map_err(|why| CallFailed {
            call: GET_DEPLOYMENT,
            subject: id.to_string(),
            why,
        })?;
        let related = |other: Option<&str>| {
            let parsed = other.filter(|other| !other.is_empty()).map(str::parse).transpose();
            parsed.map_err(|error: InvalidName| CallFailed::new(GET_DEPLOYMENT, id, &error))
        };
        let rollback = info.rollback_info();
        Ok(Some(DeploymentState {
            id: id.clone(),
            application: info.application_name().unwrap_or_default().to_owned(),
            group: info.deployment_group_name().unwrap_or_default().to_owned(),
            status,
            is_rollback: info.creator() == Some(&DeploymentCreator::CodeDeployRollback),
            rolled_back_by: related(rollback.and_then(|rollback| rollback.rollback_deployment_id()))?,
            rolls_back: related(rollback.and_then(|rollback| rollback.rollback_triggering_deployment_id()))?,
            error: info.error_information().map(|error| {
                let code = error.code().map_or("UNKNOWN", |code| code.as_str());
                format!("{code}: {}", error.message().unwrap_or("no message"))
            }),
            created_at: info.create_time().and_then(timestamp),
            completed_at: info.complete_time().and_then(timestamp),
            spec: self.spec(id, &info).await,
        }))
    }

    /// A deployment's group, with what was started in it last; nothing if it is gone, or if the deployment has none, like one
    /// that CloudFormation makes.
    pub async fn deployment_group(
        &self,
        application: &str,
        group: &str,
    ) -> Result<Option<DeploymentGroup>, CallFailed> {
        if application.is_empty() || group.is_empty() {
            return Ok(None);
        }
        let failed = |error: &(dyn std::error::Error + 'static)| {
            CallFailed::new("codedeploy:GetDeploymentGroup", format_args!("{application}/{group}"), error)
        };
        let call =
            self.codedeploy.get_deployment_group().application_name(application).deployment_group_name(group);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(is_gone) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let Some(info) = answer.deployment_group_info else { return Ok(None) };
        let latest = info.last_attempted_deployment().and_then(|latest| latest.deployment_id());
        let latest = latest.map(str::parse).transpose().map_err(|error: InvalidName| failed(&error))?;
        let named = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let services = info.ecs_services().iter().map(|service| Place::Service {
            cluster: named(service.cluster_name()),
            service: named(service.service_name()),
        });
        Ok(Some(DeploymentGroup { services: services.collect(), latest }))
    }

    /// The lifecycle event that a deployment is in, such as `AfterAllowTestTraffic`; nothing between two.
    pub async fn lifecycle_event_in_progress(&self, id: &DeploymentId) -> Result<Option<String>, CallFailed> {
        let targets = self.targets(id).await?;
        Ok(targets.into_iter().flat_map(|target| target.in_progress).next())
    }

    /// What a deployment deploys. A revision that lies elsewhere is not fetched: CodeDeploy knows what became of it. Which
    /// hooks it calls is not known then.
    async fn spec(&self, id: &DeploymentId, info: &DeploymentInfo) -> Result<AppSpec, SpecUnknown> {
        if info.compute_platform() == Some(&ComputePlatform::Server) {
            return Ok(AppSpec { resource: Resource::Instances, hooks: BTreeMap::new() });
        }
        let revision = info.revision();
        let content =
            revision.and_then(|revision| revision.app_spec_content()).and_then(|spec| spec.content());
        let string = revision.and_then(|revision| revision.string()).and_then(|string| string.content());
        if let Some(text) = content.or(string) {
            return AppSpec::parse(text).map_err(|error| SpecUnknown::NotUnderstood(error.to_string()));
        }
        let targets = self.targets(id).await.map_err(|failed| SpecUnknown::NotSeen(failed.to_string()))?;
        let has_ended = status(info.status()).is_ok_and(DeploymentStatus::has_ended);
        if targets.is_empty() && !has_ended {
            let why = "its AppSpec lies elsewhere, and it has no targets yet";
            return Err(SpecUnknown::NotSeen(why.to_owned()));
        }
        match targets.into_iter().find_map(|target| target.shift) {
            Some(shift) => Ok(AppSpec { resource: Resource::Alias(shift), hooks: BTreeMap::new() }),
            None => {
                let why = "its AppSpec lies elsewhere, and none of its targets is a Lambda alias";
                Err(SpecUnknown::NotUnderstood(why.to_owned()))
            }
        }
    }

    /// Those of Lambda and ECS have one target each, so the first page is all.
    async fn targets(&self, id: &DeploymentId) -> Result<Vec<Target>, CallFailed> {
        let call = self.codedeploy.list_deployment_targets().deployment_id(id.as_str());
        let listed = call
            .send()
            .await
            .map_err(|error| CallFailed::new("codedeploy:ListDeploymentTargets", id, &error))?;
        let ids = listed.target_ids.unwrap_or_default();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.codedeploy.batch_get_deployment_targets().deployment_id(id.as_str());
        let answer = call
            .set_target_ids(Some(ids.into_iter().take(TARGETS_MAX).collect()))
            .send()
            .await
            .map_err(|error| CallFailed::new(BATCH_GET_TARGETS, id, &error))?;
        let read = answer.deployment_targets().iter().map(target).collect::<Result<_, _>>();
        read.map_err(|error| CallFailed::new(BATCH_GET_TARGETS, id, &error))
    }
}

/// CodeDeploy takes no more in one call.
const TARGETS_MAX: usize = 25;

fn target(target: &aws_sdk_codedeploy::types::DeploymentTarget) -> Result<Target, InvalidName> {
    let lambda = target.lambda_target();
    let shift = lambda.and_then(|lambda| lambda.lambda_function_info()).map(|info| {
        AliasShift::of_texts(
            info.function_name().unwrap_or_default(),
            info.function_alias().unwrap_or_default(),
            info.current_version().unwrap_or_default(),
            info.target_version().unwrap_or_default(),
        )
    });
    let events = lambda.map(|lambda| lambda.lifecycle_events());
    let events = events.or_else(|| target.ecs_target().map(|ecs| ecs.lifecycle_events()));
    let in_progress = events.unwrap_or_default().iter();
    let in_progress = in_progress.filter(|event| event.status() == Some(&LifecycleEventStatus::InProgress));
    let in_progress = in_progress.filter_map(|event| event.lifecycle_event_name().map(str::to_owned));
    Ok(Target { shift: shift.transpose()?, in_progress: in_progress.collect() })
}

/// CodeDeploy may invent a status. A rollback is not decided on a guess at what it means.
fn status(status: Option<&Status>) -> Result<DeploymentStatus, String> {
    match status {
        Some(Status::Created) => Ok(DeploymentStatus::Created),
        Some(Status::Queued) => Ok(DeploymentStatus::Queued),
        Some(Status::InProgress) => Ok(DeploymentStatus::InProgress),
        Some(Status::Baking) => Ok(DeploymentStatus::Baking),
        Some(Status::Ready) => Ok(DeploymentStatus::Ready),
        Some(Status::Succeeded) => Ok(DeploymentStatus::Succeeded),
        Some(Status::Failed) => Ok(DeploymentStatus::Failed),
        Some(Status::Stopped) => Ok(DeploymentStatus::Stopped),
        Some(other) => Err(format!("its status is {other}, which is not known here")),
        None => Err("it has no status".to_owned()),
    }
}

fn is_gone(error: &GetDeploymentGroupError) -> bool {
    error.is_deployment_group_does_not_exist_exception() || error.is_application_does_not_exist_exception()
}

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.to_millis().ok()?).ok()
}
