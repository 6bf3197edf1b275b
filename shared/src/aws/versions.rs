//! What Lambda says of published versions.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationError;

use super::{Aws, CallFailed};
use crate::names::{FunctionName, FunctionVersion};
use crate::situation::VersionFacts;

impl Aws {
    /// Looks a version up; nothing if it does not exist.
    pub async fn version(
        &self,
        function: &FunctionName,
        version: FunctionVersion,
    ) -> Result<Option<VersionFacts>, CallFailed> {
        let call = self
            .lambda
            .get_function_configuration()
            .function_name(function.as_str())
            .qualifier(version.to_string());
        match call.send().await {
            Ok(answer) => Ok(Some(VersionFacts {
                version,
                code_sha256: answer.code_sha256().unwrap_or_default().to_owned(),
                state: answer.state().map(|state| state.as_str().to_owned()),
                role: answer.role().map(str::to_owned),
                dead_letter: answer
                    .dead_letter_config()
                    .and_then(|config| config.target_arn())
                    .map(str::to_owned),
                // Lambda always says; should it ever not, the longest that a request may take is the safe answer.
                timeout_seconds: answer.timeout().and_then(|s| u32::try_from(s).ok()).unwrap_or(900),
            })),
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
