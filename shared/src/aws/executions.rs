//! The executions of the state machine that drives releases.

use super::{Aws, CallFailed, console};

/// Step Functions takes no longer cause.
const CAUSE_LENGTH_MAX: usize = 32_768;

impl Aws {
    /// Ends an execution. One that has ended already is as it should be; one that cannot be ended finds its release closed
    /// and ends by itself, so that is noted and no more.
    pub(super) async fn stop_execution(&self, execution: &str, why: &str) {
        let cause: String = why.chars().take(CAUSE_LENGTH_MAX).collect();
        let call = self.executions.stop_execution().execution_arn(execution).error("RolledBack").cause(cause);
        if let Err(error) = call.send().await {
            let failed = CallFailed::new("states:StopExecution", execution, &error);
            console::record("warning", &failed.to_string(), serde_json::Value::Null);
        }
    }
}
