//! A release of the example, driven by the suite's state machine: started, watched, answered and stopped as people and
//! pipelines do, with functions that can be broken in earnest.

use super::{PROJECT, Stage, StageError, answer};
use crate::{
    LocalAws,
    executions::{Execution, ExecutionError},
};
use serde_json::{Value, json};
use std::time::Duration;

impl Stage {
    /// Starts a release with this input and returns the execution's ARN.
    pub async fn start_release(&self, local: &LocalAws, input: &Value) -> Result<String, StageError> {
        const OUTPUT: &str = "ReleaseStateMachineArn";
        let machine = self.suite.get(OUTPUT).ok_or_else(|| answer("find the state machine", OUTPUT))?;
        Ok(local.executions().start(machine, input).await?)
    }

    /// How an execution stands.
    pub async fn execution(&self, local: &LocalAws, arn: &str) -> Result<Execution, ExecutionError> {
        local.executions().described(arn).await
    }

    /// Waits for the end of an execution.
    pub async fn until_ended(
        &self,
        local: &LocalAws,
        arn: &str,
        limit: Duration,
    ) -> Result<Execution, ExecutionError> {
        local.executions().until_ended(arn, limit).await
    }

    /// The execution's events: the state that was entered last, and the event's type.
    pub async fn history(
        &self,
        local: &LocalAws,
        arn: &str,
    ) -> Result<Vec<(String, String)>, ExecutionError> {
        local.executions().history(arn).await
    }

    /// Answers a callback: an output, or an error's name and cause.
    pub async fn send_task(
        &self,
        local: &LocalAws,
        token: &str,
        answer: Result<&Value, (&str, &str)>,
    ) -> Result<(), ExecutionError> {
        local.executions().send_task(token, answer).await
    }

    /// Stops an execution.
    pub async fn stop(&self, local: &LocalAws, arn: &str, cause: &str) -> Result<(), ExecutionError> {
        local.executions().stop(arn, cause).await
    }

    /// Makes a function of the suite end at its start: under a handler's name that the artefact does not know, it exits.
    pub async fn break_function(&self, local: &LocalAws, function: &str) -> Result<(), StageError> {
        self.set_handler(local, function, &format!("nobody-{function}")).await
    }

    /// Makes it start again. The suite's handlers are named like their functions.
    pub async fn mend_function(&self, local: &LocalAws, function: &str) -> Result<(), StageError> {
        self.set_handler(local, function, function).await
    }

    async fn set_handler(&self, local: &LocalAws, function: &str, handler: &str) -> Result<(), StageError> {
        let path = format!("/2015-03-31/functions/{PROJECT}-{function}/configuration");
        let configured = local.client().lambda("PUT", &path, &json!({ "Handler": handler })).await?;
        if configured.status.is_success() {
            return Ok(());
        }
        Err(answer(format!("set the handler of {function}"), configured.text()))
    }
}
