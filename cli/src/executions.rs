//! The executions of the state machine that drives releases: started, looked at, answered, ended. What follows from an
//! answer is the state machine's business.

use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use ripcord::pipeline::Awaiting;
use ripcord::registration::Home;
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::{Failure, Kind};
use crate::function::call_failed;
use crate::session::Session;

/// How an execution stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) is_running: bool,
    /// In Step Functions' words.
    pub(crate) status: String,
    /// Why it ended, as far as it says.
    pub(crate) why: String,
}

/// What a task failed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskFailure {
    /// The error's name.
    pub(crate) error: String,
    /// The sentence behind it.
    pub(crate) message: String,
}

/// A person's answer to a question of the state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on. The value is what the next task gets.
    Approved(Value),
    /// Go back, and why.
    Rejected(String),
}

/// The error by which the state machine and its readers know a rejection.
const REJECTED: &str = "ApprovalRejected";
/// Step Functions takes no longer cause.
const CAUSE_LENGTH_MAX: usize = 32_768;
/// A release that fails before it is opened has a dozen events, and with every retry of its tasks fewer than this.
const EVENTS_MAX: i32 = 200;
/// The state in which the state machine puts traffic back; what fails from there on is not why it goes back.
const ROLLING_BACK: &str = "RollBack";

/// The state machine of a suite.
pub(crate) fn state_machine(home: &Home, project: &str) -> String {
    let Home { partition, region, account } = home;
    format!("arn:{partition}:states:{region}:{account}:stateMachine:{project}-progressive-release")
}

/// The state machine that runs a suite's trains.
pub(crate) fn train_machine(home: &Home, project: &str) -> String {
    let Home { partition, region, account } = home;
    format!("arn:{partition}:states:{region}:{account}:stateMachine:{project}-release-train")
}

impl Session {
    /// Starts a release, or a train. The same name with the same input starts nothing twice, so a lost answer is asked for
    /// again.
    pub(crate) async fn start(
        &self,
        machine: &str,
        name: &str,
        request: &impl Serialize,
    ) -> Result<String, Failure> {
        let input = json!(request).to_string();
        let call = self.executions.start_execution().state_machine_arn(machine).name(name).input(input);
        let answer = call.send().await.map_err(|error| match error.code() {
            Some("StateMachineDoesNotExist") => {
                let message = format!("there is no state machine {machine}");
                Failure::new(Kind::SuiteMissing, message)
                    .hint("the suite is older than this command: deploy it anew with sam deploy")
            }
            Some(_) | None => call_failed("states:StartExecution", machine, &error),
        })?;
        Ok(answer.execution_arn)
    }

    /// Looks at an execution. One that Step Functions has forgotten ended long ago.
    pub(crate) async fn execution(&self, arn: &str) -> Result<Execution, Failure> {
        let call = self.executions.describe_execution().execution_arn(arn);
        match call.send().await {
            Ok(answer) => Ok(Execution {
                is_running: answer.status == ExecutionStatus::Running,
                status: answer.status.as_str().to_owned(),
                why: [answer.error, answer.cause].into_iter().flatten().collect::<Vec<_>>().join(": "),
            }),
            Err(error) if error.code() == Some("ExecutionDoesNotExist") => {
                Ok(Execution { is_running: false, status: "FORGOTTEN".to_owned(), why: String::new() })
            }
            Err(error) => Err(call_failed("states:DescribeExecution", arn, &error)),
        }
    }

    /// Why an execution took the way back: what failed last before it. Its own last words only say that it went back.
    pub(crate) async fn failure_of(&self, arn: &str) -> Result<Option<TaskFailure>, Failure> {
        let call = self.executions.get_execution_history().execution_arn(arn).max_results(EVENTS_MAX);
        let answer = call.include_execution_data(true).send().await;
        let answer = answer.map_err(|error| call_failed("states:GetExecutionHistory", arn, &error))?;
        let before = answer.events.iter().take_while(|event| !begins_rollback(event));
        Ok(before.filter_map(task_failure).last())
    }

    /// Ends an execution.
    pub(crate) async fn stop(&self, arn: &str, why: &str) -> Result<(), Failure> {
        let call = self.executions.stop_execution().execution_arn(arn).error("Aborted").cause(cut(why));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(call_failed("states:StopExecution", arn, &error)),
        }
    }

    /// Answers a question of the state machine.
    pub(crate) async fn answer(&self, asked: &Awaiting, verdict: &Verdict) -> Result<(), Failure> {
        match verdict {
            Verdict::Approved(output) => {
                let call = self.executions.send_task_success().task_token(&asked.token);
                let sent = call.output(output.to_string()).send().await;
                sent.map(drop).map_err(|error| match too_late(error.code(), asked) {
                    Some(late) => late,
                    None => call_failed("states:SendTaskSuccess", "the release", &error),
                })
            }
            Verdict::Rejected(why) => {
                let call = self.executions.send_task_failure().task_token(&asked.token);
                let sent = call.error(REJECTED).cause(cut(why)).send().await;
                sent.map(drop).map_err(|error| match too_late(error.code(), asked) {
                    Some(late) => late,
                    None => call_failed("states:SendTaskFailure", "the release", &error),
                })
            }
        }
    }
}

/// Whether an answer came after its question was closed: by its timeout, by another person, by a rollback.
fn too_late(code: Option<&str>, asked: &Awaiting) -> Option<Failure> {
    match code {
        Some("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken") => {
            let message = format!(
                "the question is closed: it was open until {:.0}, unless somebody answered or the release ended before",
                asked.until
            );
            Some(Failure::new(Kind::AnswerTooLate, message))
        }
        Some(_) | None => None,
    }
}

fn begins_rollback(event: &HistoryEvent) -> bool {
    event.state_entered_event_details().is_some_and(|state| state.name() == ROLLING_BACK)
}

fn task_failure(event: &HistoryEvent) -> Option<TaskFailure> {
    let (error, cause) = if let Some(details) = event.task_failed_event_details() {
        (details.error(), details.cause())
    } else if let Some(details) = event.lambda_function_failed_event_details() {
        (details.error(), details.cause())
    } else {
        let details = event.task_timed_out_event_details()?;
        (details.error(), details.cause())
    };
    let cause = cause.unwrap_or_default();
    // A function's cause is the JSON of its error.
    let parsed: Option<Value> = serde_json::from_str(cause).ok();
    let message = parsed.as_ref().and_then(|cause| cause.get("errorMessage")).and_then(Value::as_str);
    Some(TaskFailure {
        error: error.unwrap_or_default().to_owned(),
        message: message.unwrap_or(cause).to_owned(),
    })
}

fn cut(why: &str) -> String {
    why.chars().take(CAUSE_LENGTH_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use aws_sdk_sfn::primitives::DateTime;
    use aws_sdk_sfn::types::{
        HistoryEventType, StateEnteredEventDetails, TaskFailedEventDetails, TaskTimedOutEventDetails,
    };

    fn event(kind: HistoryEventType) -> aws_sdk_sfn::types::builders::HistoryEventBuilder {
        HistoryEvent::builder().timestamp(DateTime::from_secs(0)).r#type(kind)
    }

    #[test]
    fn the_state_machine_lies_where_the_functions_do() {
        let home =
            Home { partition: "aws-cn".into(), region: "cn-north-1".into(), account: "123456789012".into() };
        assert_eq!(
            state_machine(&home, "shop"),
            "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:shop-progressive-release"
        );
    }

    #[test]
    fn a_tasks_failure_is_read_off_its_cause() {
        let details = |cause: &str| {
            TaskFailedEventDetails::builder()
                .resource_type("lambda")
                .resource("invoke")
                .error("VersionQuarantined")
                .cause(cause)
                .build()
        };
        let of = |cause: &str| {
            let event = event(HistoryEventType::TaskFailed)
                .task_failed_event_details(details(cause).expect("details"))
                .build();
            task_failure(&event.expect("an event")).expect("it failed")
        };
        let failure = of(r#"{"errorType":"VersionQuarantined","errorMessage":"version 2 is quarantined"}"#);
        assert_eq!(failure.error, "VersionQuarantined");
        assert_eq!(failure.message, "version 2 is quarantined");
        assert_eq!(of("plain words").message, "plain words");
    }

    #[test]
    fn what_is_no_failure_is_not_read_as_one() {
        let entered = |name: &str| {
            let details = StateEnteredEventDetails::builder().name(name).build().expect("details");
            event(HistoryEventType::TaskStateEntered).state_entered_event_details(details).build()
        };
        let (open, back) = (entered("Open").expect("an event"), entered("RollBack").expect("an event"));
        assert_eq!(task_failure(&open), None);
        assert_eq!((begins_rollback(&open), begins_rollback(&back)), (false, true));
        let timed_out = TaskTimedOutEventDetails::builder()
            .resource_type("lambda")
            .resource("invoke")
            .error("States.Timeout")
            .build();
        let timed_out = event(HistoryEventType::TaskTimedOut)
            .task_timed_out_event_details(timed_out.expect("details"))
            .build();
        let failure = task_failure(&timed_out.expect("an event")).expect("it failed");
        assert_eq!((failure.error.as_str(), failure.message.as_str()), ("States.Timeout", ""));
    }

    #[test]
    fn an_answer_after_the_question_is_closed_is_told_from_a_call_that_failed() {
        let asked = Awaiting {
            stage: 2,
            token: "token".to_owned(),
            since: "2026-03-02T11:00:00Z".parse().expect("a time"),
            until: "2026-03-02T15:00:00Z".parse().expect("a time"),
            why: "proved".to_owned(),
        };
        for code in ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"] {
            let failure = too_late(Some(code), &asked).expect("it is too late");
            assert_eq!((failure.kind.as_str(), failure.exit), ("answer_too_late", ExitCode::Refused));
        }
        assert_eq!(too_late(Some("AccessDeniedException"), &asked), None);
        assert_eq!(too_late(None, &asked), None);
    }
}
