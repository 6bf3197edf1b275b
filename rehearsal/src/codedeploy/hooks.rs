//! Lifecycle hooks: invoked asynchronously, so that Lambda tries a failed one again, and then waited for until they answer
//! through `PutLifecycleEventHookExecutionStatus`.

use super::{
    CodeDeploy,
    drive::Trouble,
    record::{DeploymentError, HookExecution},
};
use crate::alarms::dispatch::{check, invoke};
use serde_json::json;
use std::time::Duration;

const ANSWER_DURATION_MAX: Duration = Duration::from_secs(3_600);
const ID_CHARACTERS: usize = 64;

impl CodeDeploy {
    /// Runs one hook to its answer.
    pub(super) async fn run_hook(&self, id: &str, function: &str) -> Result<(), Trouble> {
        let execution: String = std::iter::repeat_with(fastrand::alphanumeric).take(ID_CHARACTERS).collect();
        let hook = HookExecution { id: execution.clone(), answer: None, is_open: true };
        // Before the invocation, because the answer may come before Lambda's.
        self.change(id, |record, _| record.hooks.push(hook));
        let event = json!({"DeploymentId": id, "LifecycleEventHookExecutionId": execution});
        if let Err(reason) = check(invoke(&self.client, function, event.to_string()).await) {
            self.close(id, &execution);
            let message =
                format!("The lifecycle event hook function {function} could not be invoked: {reason}");
            return Err(failed(message));
        }
        let answer = self.watched(id, self.scaled(ANSWER_DURATION_MAX), |record| {
            record.hooks.iter().find(|hook| hook.id == execution)?.answer
        });
        match answer.await? {
            Some(true) => Ok(()),
            Some(false) => Err(failed(
                "The deployment failed because one or more of the lifecycle event validation functions failed."
                    .to_owned(),
            )),
            None => {
                self.close(id, &execution);
                let message = "The deployment timed out while waiting for a status callback. CodeDeploy expects a \
                               status callback within one hour after a deployment hook is invoked.";
                Err(Trouble::Failed(DeploymentError { code: "TIMEOUT", message: message.to_owned() }))
            }
        }
    }

    /// Takes no answer any more.
    fn close(&self, id: &str, execution: &str) {
        self.change(id, |record, _| {
            if let Some(hook) = record.hooks.iter_mut().find(|hook| hook.id == execution) {
                hook.is_open = false;
            }
        });
    }
}

fn failed(message: String) -> Trouble {
    Trouble::Failed(DeploymentError { code: "HOOK_EXECUTION_FAILURE", message })
}
