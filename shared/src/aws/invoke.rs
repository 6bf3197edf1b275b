//! Calling a version of a function, or only asking whether one could.

use std::time::Duration;

use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;

use super::{Aws, CallFailed};
use crate::names::{FunctionName, Version};
use crate::preflight::SmokeAnswer;

impl Aws {
    /// Asks Lambda whether the version may be called. Nothing is called.
    pub async fn may_invoke(&self, function: &FunctionName, version: Version) -> Result<(), CallFailed> {
        let call = self
            .lambda
            .invoke()
            .function_name(function.as_str())
            .qualifier(version.to_string())
            .invocation_type(InvocationType::DryRun);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(function, version, &error)),
        }
    }

    /// Calls the version, once, and waits for its answer for as long as `patience`.
    pub async fn call(
        &self,
        function: &FunctionName,
        version: Version,
        payload: &Value,
        patience: Duration,
    ) -> Result<SmokeAnswer, CallFailed> {
        // The suite's own bounds are for AWS, which answers in milliseconds. A second try would call the version again.
        let patience = TimeoutConfig::builder()
            .operation_timeout(patience)
            .operation_attempt_timeout(patience)
            .read_timeout(patience)
            .build();
        let once = Builder::new().timeout_config(patience).retry_config(RetryConfig::disabled());
        let call = self
            .lambda
            .invoke()
            .function_name(function.as_str())
            .qualifier(version.to_string())
            .invocation_type(InvocationType::RequestResponse)
            .payload(Blob::new(payload.to_string()));
        match call.customize().config_override(once).send().await {
            Ok(answer) => Ok(SmokeAnswer {
                function_error: answer.function_error().map(str::to_owned),
                payload: answer
                    .payload()
                    .map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned())
                    .unwrap_or_default(),
            }),
            Err(error) => Err(failed(function, version, &error)),
        }
    }
}

fn failed(
    function: &FunctionName,
    version: Version,
    error: &(dyn std::error::Error + 'static),
) -> CallFailed {
    CallFailed::new("lambda:InvokeFunction", format_args!("{function}:{version}"), error)
}
