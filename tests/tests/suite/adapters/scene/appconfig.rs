//! AppConfig's part of a scene.

use aws_sdk_appconfig::operation::create_hosted_configuration_version::CreateHostedConfigurationVersionInput;
use aws_sdk_appconfig::operation::get_configuration_profile::GetConfigurationProfileInput;
use aws_sdk_appconfig::operation::get_environment::GetEnvironmentInput;
use aws_sdk_appconfig::operation::get_hosted_configuration_version::GetHostedConfigurationVersionInput;
use aws_sdk_appconfig::operation::list_deployments::ListDeploymentsInput;
use aws_sdk_appconfig::operation::list_hosted_configuration_versions::ListHostedConfigurationVersionsInput;
use aws_sdk_appconfig::operation::start_deployment::StartDeploymentInput;
use aws_sdk_appconfig::operation::stop_deployment::StopDeploymentInput;
use aws_sdk_lambda::config::interceptors::BeforeSerializationInterceptorContextRef;

use super::text;

/// How a call of AppConfig reads in the journal.
pub(super) fn call(context: &BeforeSerializationInterceptorContextRef<'_>) -> Option<String> {
    let input = context.input();
    if let Some(list) = input.downcast_ref::<ListDeploymentsInput>() {
        let page = list.next_token().map(|token| format!(" from {token}")).unwrap_or_default();
        let (application, environment) = (text(list.application_id()), text(list.environment_id()));
        let max = list.max_results().unwrap_or_default();
        Some(format!("appconfig:ListDeployments {application}/{environment}, {max} at most{page}"))
    } else if let Some(get) = input.downcast_ref::<GetConfigurationProfileInput>() {
        let (application, profile) = (text(get.application_id()), text(get.configuration_profile_id()));
        Some(format!("appconfig:GetConfigurationProfile {application}/{profile}"))
    } else if let Some(get) = input.downcast_ref::<GetEnvironmentInput>() {
        let (application, environment) = (text(get.application_id()), text(get.environment_id()));
        Some(format!("appconfig:GetEnvironment {application}/{environment}"))
    } else if let Some(list) = input.downcast_ref::<ListHostedConfigurationVersionsInput>() {
        let (application, profile) = (text(list.application_id()), text(list.configuration_profile_id()));
        Some(format!("appconfig:ListHostedConfigurationVersions {application}/{profile}"))
    } else if let Some(get) = input.downcast_ref::<GetHostedConfigurationVersionInput>() {
        let (application, profile) = (text(get.application_id()), text(get.configuration_profile_id()));
        let version = get.version_number().unwrap_or_default();
        Some(format!("appconfig:GetHostedConfigurationVersion {application}/{profile} {version}"))
    } else if let Some(stop) = input.downcast_ref::<StopDeploymentInput>() {
        let (application, environment) = (text(stop.application_id()), text(stop.environment_id()));
        let (number, revert) = (stop.deployment_number().unwrap_or_default(), stop.allow_revert());
        Some(format!("appconfig:StopDeployment {application}/{environment} {number}, revert {revert:?}"))
    } else if let Some(start) = input.downcast_ref::<StartDeploymentInput>() {
        let (application, environment) = (text(start.application_id()), text(start.environment_id()));
        Some(format!("appconfig:StartDeployment {application}/{environment}"))
    } else {
        let create = input.downcast_ref::<CreateHostedConfigurationVersionInput>()?;
        Some(format!(
            "appconfig:CreateHostedConfigurationVersion {}/{} {} {} after {:?}",
            text(create.application_id()),
            text(create.configuration_profile_id()),
            text(create.content_type()),
            text(create.version_label()),
            create.latest_version_number(),
        ))
    }
}
