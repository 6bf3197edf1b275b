//! Executions of state machines, as pipelines and people handle them: start, look, answer a callback, stop. It asks Step
//! Functions, and must not know what an execution is for.

use crate::aws_client::{AwsClient, CallError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(50);
const PAGE_EVENTS: u32 = 1_000;
/// Step Functions ends an execution after 25,000 events.
const PAGES_MAX: u32 = 25;

/// Why Step Functions did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// The local AWS did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It refused.
    #[error("failed to {operation}: {answer}")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// What it said.
        answer: String,
    },
    /// The execution went on and on.
    #[error("failed to see the end of {arn} within {limit_s:.1} s: {history:?}")]
    StillRunning {
        /// The execution.
        arn: String,
        /// The bound.
        limit_s: f64,
        /// What it did until then.
        history: Vec<(String, String)>,
    },
}

impl ExecutionError {
    /// The error's name, if Step Functions refused.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Refused { answer, .. } => {
                let document: Value = serde_json::from_str(answer).ok()?;
                Some(document["__type"].as_str()?.rsplit('#').next()?.to_owned())
            }
            Self::Call(_) | Self::StillRunning { .. } => None,
        }
    }
}

/// Whether an execution runs, and else how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Step Functions'")]
pub enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

/// An execution as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Execution {
    /// Whether it runs.
    pub status: ExecutionStatus,
    /// The error's name, if it ended badly.
    pub error: Option<String>,
    /// Why.
    pub cause: Option<String>,
    /// Its output, as JSON, if it succeeded.
    pub output: Option<String>,
}

/// A client of the local Step Functions.
#[derive(Debug, Clone)]
pub struct Executions {
    client: AwsClient,
}

impl Executions {
    pub(crate) fn new(client: AwsClient) -> Self {
        Self { client }
    }

    /// Starts an execution and returns its ARN.
    pub async fn start(&self, machine_arn: &str, input: &Value) -> Result<String, ExecutionError> {
        let document = json!({"stateMachineArn": machine_arn, "input": input.to_string()});
        let started = self.call("StartExecution", &document).await?;
        Ok(started["executionArn"].as_str().unwrap_or_default().to_owned())
    }

    /// How an execution stands.
    pub async fn described(&self, arn: &str) -> Result<Execution, ExecutionError> {
        let operation = "DescribeExecution";
        let described = self.call(operation, &json!({ "executionArn": arn })).await?;
        Execution::deserialize(&described)
            .map_err(|_| ExecutionError::Refused { operation, answer: described.to_string() })
    }

    /// Waits for the end of an execution.
    pub async fn until_ended(&self, arn: &str, limit: Duration) -> Result<Execution, ExecutionError> {
        let deadline = Instant::now() + limit;
        loop {
            let execution = self.described(arn).await?;
            if execution.status != ExecutionStatus::Running {
                return Ok(execution);
            }
            if Instant::now() >= deadline {
                let history = self.history(arn).await?;
                let (arn, limit_s) = (arn.to_owned(), limit.as_secs_f64());
                return Err(ExecutionError::StillRunning { arn, limit_s, history });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Every event so far: the name of the state that was entered last, or nothing before the first, and the event's type.
    /// With branches, events between them bear the name that came last.
    pub async fn history(&self, arn: &str) -> Result<Vec<(String, String)>, ExecutionError> {
        let mut request = json!({"executionArn": arn, "maxResults": PAGE_EVENTS});
        let (mut history, mut state) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let page = self.call("GetExecutionHistory", &request).await?;
            for event in page["events"].as_array().into_iter().flatten() {
                if let Some(name) = event["stateEnteredEventDetails"]["name"].as_str() {
                    state = name.to_owned();
                }
                history.push((state.clone(), event["type"].as_str().unwrap_or_default().to_owned()));
            }
            match page.get("nextToken") {
                Some(token) => request["nextToken"] = token.clone(),
                None => break,
            }
        }
        Ok(history)
    }

    /// Answers a callback: an output, or an error's name and cause.
    pub async fn send_task(
        &self,
        token: &str,
        answer: Result<&Value, (&str, &str)>,
    ) -> Result<(), ExecutionError> {
        let sent = match answer {
            Ok(output) => {
                let document = json!({"taskToken": token, "output": output.to_string()});
                self.call("SendTaskSuccess", &document).await
            }
            Err((error, cause)) => {
                let document = json!({"taskToken": token, "error": error, "cause": cause});
                self.call("SendTaskFailure", &document).await
            }
        };
        sent.map(drop)
    }

    /// Stops an execution.
    pub async fn stop(&self, arn: &str, cause: &str) -> Result<(), ExecutionError> {
        self.call("StopExecution", &json!({"executionArn": arn, "cause": cause})).await.map(drop)
    }

    async fn call(&self, operation: &'static str, document: &Value) -> Result<Value, ExecutionError> {
        let target = format!("AWSStepFunctions.{operation}");
        let answer = self.client.json("states", &target, document).await?;
        let refused = || ExecutionError::Refused { operation, answer: answer.text() };
        if !answer.status.is_success() {
            return Err(refused());
        }
        serde_json::from_slice(&answer.body).map_err(|_| refused())
    }
}
