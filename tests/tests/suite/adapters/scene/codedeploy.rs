//! CodeDeploy's part of a scene.

use aws_sdk_codedeploy::Client as CodeDeploy;
use aws_sdk_codedeploy::operation::batch_get_deployment_targets::{
    BatchGetDeploymentTargetsInput, BatchGetDeploymentTargetsOutput,
};
use aws_sdk_codedeploy::operation::create_deployment::{CreateDeploymentInput, CreateDeploymentOutput};
use aws_sdk_codedeploy::operation::get_deployment::{GetDeploymentInput, GetDeploymentOutput};
use aws_sdk_codedeploy::operation::get_deployment_group::{
    GetDeploymentGroupInput, GetDeploymentGroupOutput,
};
use aws_sdk_codedeploy::operation::list_deployment_targets::{
    ListDeploymentTargetsInput, ListDeploymentTargetsOutput,
};
use aws_sdk_codedeploy::operation::put_lifecycle_event_hook_execution_status::PutLifecycleEventHookExecutionStatusInput;
use aws_sdk_codedeploy::operation::stop_deployment::{StopDeploymentInput, StopDeploymentOutput};
use aws_sdk_codedeploy::primitives::DateTime;
use aws_sdk_codedeploy::types::builders::DeploymentInfoBuilder;
use aws_sdk_codedeploy::types::{
    AppSpecContent, DeploymentGroupInfo, DeploymentInfo, DeploymentStatus, DeploymentTarget, EcsService,
    LastDeploymentInfo, RevisionLocation, RevisionLocationType,
};
use aws_sdk_lambda::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_smithy_mocks::{Rule, mock};
use ripcord::deployment::{AliasShift, AppSpec};

use super::{FUNCTION, refusal, text};
use crate::worlds::at;

/// The deployment that moves release 5.
pub(crate) const OURS: &str = "d-OURS00001";

/// How a call of CodeDeploy reads in the journal.
pub(super) fn call(context: &BeforeSerializationInterceptorContextRef<'_>) -> Option<String> {
    let input = context.input();
    if let Some(get) = input.downcast_ref::<GetDeploymentInput>() {
        Some(format!("codedeploy:GetDeployment {}", text(get.deployment_id())))
    } else if let Some(get) = input.downcast_ref::<GetDeploymentGroupInput>() {
        let (application, group) = (text(get.application_name()), text(get.deployment_group_name()));
        Some(format!("codedeploy:GetDeploymentGroup {application}/{group}"))
    } else if let Some(list) = input.downcast_ref::<ListDeploymentTargetsInput>() {
        Some(format!("codedeploy:ListDeploymentTargets {}", text(list.deployment_id())))
    } else if let Some(get) = input.downcast_ref::<BatchGetDeploymentTargetsInput>() {
        let targets = get.target_ids().join(", ");
        Some(format!("codedeploy:BatchGetDeploymentTargets {}: {targets}", text(get.deployment_id())))
    } else if let Some(stop) = input.downcast_ref::<StopDeploymentInput>() {
        let rollback = stop.auto_rollback_enabled();
        Some(format!("codedeploy:StopDeployment {}, rollback {rollback:?}", text(stop.deployment_id())))
    } else if let Some(create) = input.downcast_ref::<CreateDeploymentInput>() {
        let spec = create.revision().and_then(|revision| revision.app_spec_content());
        Some(format!(
            "codedeploy:CreateDeployment {}/{} {}\n  {}\n  alarms {:?}, rollback {:?}\n  {:?}",
            text(create.application_name()),
            text(create.deployment_group_name()),
            text(create.deployment_config_name()),
            text(spec.and_then(|spec| spec.content())),
            create.override_alarm_configuration().map(|alarms| alarms.enabled()),
            create.auto_rollback_configuration().map(|rollback| rollback.enabled()),
            text(create.description()),
        ))
    } else {
        input.downcast_ref::<PutLifecycleEventHookExecutionStatusInput>().map(|put| {
            let status = put.status().map_or("-", |status| status.as_str());
            let (deployment, execution) =
                (text(put.deployment_id()), text(put.lifecycle_event_hook_execution_id()));
            format!("codedeploy:PutLifecycleEventHookExecutionStatus {deployment} {execution} {status}")
        })
    }
}

/// A shift of the service's alias.
pub(crate) fn shift(current: u64, target: u64) -> AliasShift {
    AliasShift::of_texts(FUNCTION, "live", &current.to_string(), &target.to_string()).unwrap()
}

/// A deployment of the group `checkout/live` from one version to another.
pub(crate) fn deploying(current: u64, target: u64, status: DeploymentStatus) -> DeploymentInfoBuilder {
    let spec = AppSpec::of_shift(&shift(current, target));
    DeploymentInfo::builder()
        .application_name("checkout")
        .deployment_group_name("live")
        .status(status)
        .create_time(moment("10:00:00"))
        .revision(specified(&spec))
}

/// The revision that holds an AppSpec.
pub(crate) fn specified(spec: &str) -> RevisionLocation {
    RevisionLocation::builder()
        .revision_type(RevisionLocationType::AppSpecContent)
        .app_spec_content(AppSpecContent::builder().content(spec).build())
        .build()
}

pub(crate) fn moment(time: &str) -> DateTime {
    DateTime::from_millis(at(time).as_millisecond())
}

/// A deployment looks like this, every time.
pub(crate) fn deployed(id: &str, info: DeploymentInfoBuilder) -> Rule {
    deployed_in_turn(id, vec![info])
}

/// A deployment looks like this, one look after the other, and as last from then on.
pub(crate) fn deployed_in_turn(id: &str, looks: Vec<DeploymentInfoBuilder>) -> Rule {
    let id = id.to_owned();
    let mut looks: Vec<DeploymentInfo> = looks.into_iter().map(DeploymentInfoBuilder::build).collect();
    let last = looks.pop().unwrap();
    let rule = mock!(CodeDeploy::get_deployment).match_requests(move |get| get.deployment_id() == Some(&id));
    let output = |info: DeploymentInfo| GetDeploymentOutput::builder().deployment_info(info).build();
    if looks.is_empty() {
        return rule.then_output(move || output(last.clone()));
    }
    let mut rule = rule.sequence();
    for look in looks {
        rule = rule.output(move || output(look.clone()));
    }
    rule.output(move || output(last.clone())).repeatedly().build()
}

/// CodeDeploy refuses to look at a deployment.
pub(crate) fn refusing_looks(id: &str, status: u16, error: &str) -> Rule {
    let id = id.to_owned();
    mock!(CodeDeploy::get_deployment)
        .match_requests(move |get| get.deployment_id() == Some(&id))
        .sequence()
        .http_status(status, Some(refusal(error)))
        .repeatedly()
        .build()
}

/// The group, with the deployment that was started in it last.
pub(crate) fn group(latest: &str) -> Rule {
    let latest = LastDeploymentInfo::builder().deployment_id(latest).build();
    let info = DeploymentGroupInfo::builder().last_attempted_deployment(latest).build();
    grouped(info)
}

/// A group of ECS.
pub(crate) fn group_of_ecs(cluster: &str, service: &str) -> Rule {
    let service = EcsService::builder().cluster_name(cluster).service_name(service).build();
    grouped(DeploymentGroupInfo::builder().ecs_services(service).build())
}

fn grouped(info: DeploymentGroupInfo) -> Rule {
    mock!(CodeDeploy::get_deployment_group)
        .then_output(move || GetDeploymentGroupOutput::builder().deployment_group_info(info.clone()).build())
}

/// The one target of a deployment.
pub(crate) fn targets(target: DeploymentTarget) -> [Rule; 2] {
    [
        mock!(CodeDeploy::list_deployment_targets)
            .then_output(|| ListDeploymentTargetsOutput::builder().target_ids("checkout-api:live").build()),
        mock!(CodeDeploy::batch_get_deployment_targets).then_output(move || {
            BatchGetDeploymentTargetsOutput::builder().deployment_targets(target.clone()).build()
        }),
    ]
}

pub(crate) fn stops() -> Rule {
    mock!(CodeDeploy::stop_deployment).then_output(|| StopDeploymentOutput::builder().build())
}

pub(crate) fn creates() -> Rule {
    mock!(CodeDeploy::create_deployment)
        .then_output(|| CreateDeploymentOutput::builder().deployment_id("d-BACK00001").build())
}
