//! A hook's answer to CodeDeploy, which waits for it up to an hour.

use std::time::Duration;

use aws_sdk_codedeploy::config::Builder;
use aws_sdk_codedeploy::operation::put_lifecycle_event_hook_execution_status::PutLifecycleEventHookExecutionStatusError;
use aws_sdk_codedeploy::types::LifecycleEventStatus;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::super::{Aws, CallFailed, causes};
use crate::names::DeploymentId;

/// How long answering takes at most, with all of its tries.
pub const HOOK_ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// Many short tries: an answer that is not taken costs an hour, and each takes milliseconds when all is well.
const ATTEMPTS_MAX: u32 = 6;
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(900);
const BACKOFF_INITIAL: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// What became of a hook's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// CodeDeploy took it.
    Accepted,
    /// CodeDeploy had an answer already, or had given up waiting.
    AlreadyCompleted,
    /// The deployment is gone, or was stopped meanwhile: nobody waits any more.
    Unawaited {
        /// In CodeDeploy's words.
        why: String,
    },
}

impl Aws {
    /// Answers a hook's execution.
    pub async fn report_hook(
        &self,
        deployment: &DeploymentId,
        execution_id: &str,
        succeeded: bool,
    ) -> Result<HookAnswer, CallFailed> {
        let status = if succeeded { LifecycleEventStatus::Succeeded } else { LifecycleEventStatus::Failed };
        let impatient = Builder::new()
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS_MAX)
                    .with_initial_backoff(BACKOFF_INITIAL)
                    .with_max_backoff(BACKOFF_MAX),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(HOOK_ANSWER_PATIENCE)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build(),
            );
        let call = self
            .codedeploy
            .put_lifecycle_event_hook_execution_status()
            .deployment_id(deployment.as_str())
            .lifecycle_event_hook_execution_id(execution_id)
            .status(status)
            .customize()
            .config_override(impatient);
        match call.send().await {
            Ok(_) => Ok(HookAnswer::Accepted),
            Err(error) => match error.as_service_error() {
                Some(refused) if refused.is_lifecycle_event_already_completed_exception() => {
                    Ok(HookAnswer::AlreadyCompleted)
                }
                Some(refused) if is_unawaited(refused) => Ok(HookAnswer::Unawaited { why: causes(&error) }),
                Some(_) | None => Err(CallFailed::new(
                    "codedeploy:PutLifecycleEventHookExecutionStatus",
                    deployment,
                    &error,
                )),
            },
        }
    }
}

/// The execution of a deployment that was stopped is one that CodeDeploy no longer knows.
fn is_unawaited(refused: &PutLifecycleEventHookExecutionStatusError) -> bool {
    refused.is_invalid_lifecycle_event_hook_execution_id_exception()
        || refused.is_deployment_does_not_exist_exception()
}
