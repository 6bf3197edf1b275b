//! ECS's part of a scene, with the registry of its images.

use aws_sdk_ecr::operation::describe_images::DescribeImagesInput;
use aws_sdk_ecs::operation::describe_service_revisions::DescribeServiceRevisionsInput;
use aws_sdk_ecs::operation::describe_services::DescribeServicesInput;
use aws_sdk_ecs::operation::describe_task_definition::DescribeTaskDefinitionInput;
use aws_sdk_ecs::operation::describe_tasks::DescribeTasksInput;
use aws_sdk_ecs::operation::list_service_deployments::ListServiceDeploymentsInput;
use aws_sdk_ecs::operation::list_tasks::ListTasksInput;
use aws_sdk_ecs::operation::stop_service_deployment::StopServiceDeploymentInput;
use aws_sdk_ecs::operation::stop_task::StopTaskInput;
use aws_sdk_ecs::operation::update_service::UpdateServiceInput;
use aws_sdk_lambda::config::interceptors::BeforeSerializationInterceptorContextRef;

use super::text;

/// How a call of ECS reads in the journal.
pub(super) fn call(context: &BeforeSerializationInterceptorContextRef<'_>) -> Option<String> {
    let input = context.input();
    if let Some(describe) = input.downcast_ref::<DescribeServicesInput>() {
        Some(format!("ecs:DescribeServices {}/{}", text(describe.cluster()), describe.services().join(", ")))
    } else if let Some(list) = input.downcast_ref::<ListServiceDeploymentsInput>() {
        let statuses: Vec<&str> = list.status().iter().map(|status| status.as_str()).collect();
        let (cluster, service) = (text(list.cluster()), text(list.service()));
        Some(format!("ecs:ListServiceDeployments {cluster}/{service}: {}", statuses.join(", ")))
    } else if let Some(describe) = input.downcast_ref::<DescribeServiceRevisionsInput>() {
        Some(format!("ecs:DescribeServiceRevisions {}", describe.service_revision_arns().join(", ")))
    } else if let Some(describe) = input.downcast_ref::<DescribeTaskDefinitionInput>() {
        Some(format!("ecs:DescribeTaskDefinition {}", text(describe.task_definition())))
    } else if let Some(describe) = input.downcast_ref::<DescribeImagesInput>() {
        let (registry, repository) = (text(describe.registry_id()), text(describe.repository_name()));
        let digests = describe.image_ids().iter().map(|image| text(image.image_digest()));
        let digests: Vec<&str> = digests.collect();
        Some(format!("ecr:DescribeImages {registry}/{repository}@{}", digests.join(", ")))
    } else if let Some(list) = input.downcast_ref::<ListTasksInput>() {
        let status = list.desired_status().map_or("-", |status| status.as_str());
        Some(format!("ecs:ListTasks {}/{} {status}", text(list.cluster()), text(list.service_name())))
    } else if let Some(describe) = input.downcast_ref::<DescribeTasksInput>() {
        Some(format!("ecs:DescribeTasks {}: {}", text(describe.cluster()), describe.tasks().join(", ")))
    } else if let Some(stop) = input.downcast_ref::<StopServiceDeploymentInput>() {
        let how = stop.stop_type().map_or("-", |stop_type| stop_type.as_str());
        Some(format!("ecs:StopServiceDeployment {} {how}", text(stop.service_deployment_arn())))
    } else if let Some(stop) = input.downcast_ref::<StopTaskInput>() {
        Some(format!("ecs:StopTask {} in {}", text(stop.task()), text(stop.cluster())))
    } else {
        let update = input.downcast_ref::<UpdateServiceInput>()?;
        let (cluster, service) = (text(update.cluster()), text(update.service()));
        let (definition, forced) = (text(update.task_definition()), update.force_new_deployment());
        Some(format!("ecs:UpdateService {cluster}/{service} to {definition}, forced {forced:?}"))
    }
}
