//! What Lambda says of published versions.

use aws_sdk_lambda::operation::get_function_configuration::{
    GetFunctionConfigurationError, GetFunctionConfigurationOutput,
};
use aws_sdk_lambda::operation::get_provisioned_concurrency_config::GetProvisionedConcurrencyConfigError;
use aws_sdk_lambda::types::SnapStartApplyOn;

use super::{Aws, CallFailed};
use crate::names::{FunctionName, Version};
use crate::preflight::VersionState;
use crate::situation::VersionFacts;

impl Aws {
    /// Looks a version up; nothing if it does not exist.
    pub async fn version(
        &self,
        function: &FunctionName,
        version: Version,
    ) -> Result<Option<VersionFacts>, CallFailed> {
        let configuration = self.configuration(function, version).await?;
        Ok(configuration.map(|configuration| facts(version, &configuration)))
    }

    /// The same, with what it still needs before it can be released.
    pub async fn version_state(
        &self,
        function: &FunctionName,
        version: Version,
    ) -> Result<Option<VersionState>, CallFailed> {
        let configuration = self.configuration(function, version).await?;
        Ok(configuration.map(|configuration| {
            let snap_start = configuration.snap_start();
            let snap_start =
                snap_start.filter(|used| used.apply_on() == Some(&SnapStartApplyOn::PublishedVersions));
            let status =
                snap_start.map(|used| used.optimization_status().map_or("Off", |status| status.as_str()));
            VersionState { facts: facts(version, &configuration), snapshot: status.map(str::to_owned) }
        }))
    }

    /// How many executions are kept ready for a version or an alias; nothing if none are.
    pub async fn provisioned_concurrency(
        &self,
        function: &FunctionName,
        qualifier: &str,
    ) -> Result<Option<u32>, CallFailed> {
        let call = self
            .lambda
            .get_provisioned_concurrency_config()
            .function_name(function.as_str())
            .qualifier(qualifier);
        match call.send().await {
            Ok(answer) => {
                let requested = answer.requested_provisioned_concurrent_executions();
                Ok(Some(requested.and_then(|executions| u32::try_from(executions).ok()).unwrap_or(0)))
            }
            Err(error)
                if error.as_service_error().is_some_and(
                    GetProvisionedConcurrencyConfigError::is_provisioned_concurrency_config_not_found_exception,
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(CallFailed::new(
                "lambda:GetProvisionedConcurrencyConfig",
                format_args!("{function}:{qualifier}"),
                &error,
            )),
        }
    }

    async fn configuration(
        &self,
        function: &FunctionName,
        version: Version,
    ) -> Result<Option<GetFunctionConfigurationOutput>, CallFailed> {
        let call = self
            .lambda
            .get_function_configuration()
            .function_name(function.as_str())
            .qualifier(version.to_string());
        match call.send().await {
            Ok(answer) => Ok(Some(answer)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetFunctionConfigurationError::is_resource_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(CallFailed::new(
                "lambda:GetFunctionConfiguration",
                format_args!("{function}:{version}"),
                &error,
            )),
        }
    }
}

fn facts(version: Version, configuration: &GetFunctionConfigurationOutput) -> VersionFacts {
    let dead_letter = configuration.dead_letter_config().and_then(|config| config.target_arn());
    VersionFacts {
        version,
        code_sha256: configuration.code_sha256().unwrap_or_default().to_owned(),
        state: configuration.state().map(|state| state.as_str().to_owned()),
        role: configuration.role().map(str::to_owned),
        dead_letter: dead_letter.map(str::to_owned),
        // Lambda always says; should it ever not, the longest that a request may take is the safe answer.
        timeout_seconds: configuration.timeout().and_then(|s| u32::try_from(s).ok()).unwrap_or(900),
    }
}
