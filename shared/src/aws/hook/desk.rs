//! The desk: it has the checks made apart, and answers CodeDeploy in time with what came back, or with how they ended.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Deployed, Hook, Work};
use crate::aws::apart::{Apart, ENDING_MAX};
use crate::aws::{CallFailed, HOOK_ANSWER_PATIENCE, HookAnswer, console};
use crate::error_type::{ErrorType, Failure};
use crate::hook::{Checked, HookCall, HookVerdict};
use crate::plan::Step;

/// What the desk needs.
#[derive(Debug)]
pub struct Desk {
    /// The clients and the clock.
    pub hook: Hook,
    /// Where the checks are made.
    pub apart: Apart,
    /// The lifecycle event that a shift of an alias calls this hook at.
    pub event: &'static str,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HookReport {
    /// The deployment.
    pub deployment: String,
    /// What was found.
    pub checked: Checked,
    /// Whether CodeDeploy took the answer; else it had one already, or waits no more.
    pub accepted: bool,
}

/// The answer is out so long before Lambda ends the invocation, whatever happens.
const SPARE: Duration = Duration::from_secs(2);
/// The checks are to answer a little before nobody listens any more.
const HANDING_OVER: Duration = Duration::from_secs(1);

/// Answers a call of CodeDeploy's. `deadline` is when Lambda will end the invocation, `here` the function's own ARN.
pub async fn answer(
    event: &Value,
    deadline: Timestamp,
    here: &str,
    desk: &Desk,
) -> Result<HookReport, Failure> {
    let answered = try_answer(event, deadline, here, desk).await;
    match &answered {
        Ok(report) => {
            let level = if report.checked.verdict.succeeded { "info" } else { "warning" };
            console::record(level, &report.checked.verdict.why, json!(report));
        }
        Err(failure) => {
            console::record("error", &failure.message, json!({ "error_type": failure.error_type }));
        }
    }
    answered
}

async fn try_answer(
    event: &Value,
    deadline: Timestamp,
    here: &str,
    desk: &Desk,
) -> Result<HookReport, Failure> {
    let call = HookCall::read(event)?;
    let listened_until = before(deadline, SPARE + HOOK_ANSWER_PATIENCE + ENDING_MAX);
    let work = Work { call, here: here.to_owned(), until: before(listened_until, HANDING_OVER) };
    let patience = Duration::try_from(listened_until.duration_since((desk.hook.clock)())).unwrap_or_default();
    let (checked, is_kept) = match desk.apart.run::<Checked>(&work, patience).await {
        Ok(checked) => (checked, true),
        Err(fate) => (Checked::unchecked(None, desk.event, HookVerdict::failed(fate)), false),
    };
    let HookCall { deployment_id, lifecycle_event_hook_execution_id: execution } = &work.call;
    let succeeded = checked.verdict.succeeded;
    let reported = desk.hook.aws.report_hook(deployment_id, execution, succeeded).await;
    // Lambda delivers the event again while CodeDeploy still waits.
    let accepted = match reported.map_err(|failed| unanswered(&checked, &failed))? {
        HookAnswer::Accepted => true,
        HookAnswer::AlreadyCompleted => false,
        HookAnswer::Unawaited { why } => {
            let message =
                format!("nobody waits for the answer to deployment {deployment_id} any more: {why}");
            console::record("warning", &message, Value::Null);
            false
        }
    };
    let checked = if accepted {
        // Whatever becomes of this, CodeDeploy has its answer, and tells of a failure itself.
        let left = Duration::try_from(deadline.duration_since((desk.hook.clock)())).unwrap_or_default();
        let told = async { tell(&work, checked.clone(), is_kept, desk).await };
        tokio::time::timeout(left.saturating_sub(SPARE / 2), told).await.unwrap_or(checked)
    } else {
        checked
    };
    Ok(HookReport { deployment: work.call.deployment_id.to_string(), checked, accepted })
}

/// Tells people of an answer that CodeDeploy has taken. Of checks that have died nobody has written anything down.
async fn tell(work: &Work, checked: Checked, is_kept: bool, desk: &Desk) -> Checked {
    let checked = if is_kept { checked } else { keep_unchecked(work, checked, desk).await };
    if let Some(notice) = checked.notice(&work.call.deployment_id) {
        let steps = vec![vec![Step::Tell(Box::new(notice))]];
        if let Some(why) = crate::aws::take(&desk.hook.aws, &steps, desk.hook.clock).await.interruption {
            console::record("error", &format!("people were not told: {why}"), Value::Null);
        }
    }
    checked
}

async fn keep_unchecked(work: &Work, checked: Checked, desk: &Desk) -> Checked {
    let owner = match desk.hook.deployed(work, desk.event).await {
        Deployed::Settled(settled) => settled.owner,
        Deployed::Alias(opened) => Some(opened.owner()),
        Deployed::Service(installed) => Some(installed.owner()),
    };
    desk.hook.kept(work, Checked { owner, ..checked }).await
}

fn unanswered(checked: &Checked, failed: &CallFailed) -> Failure {
    let word = if checked.verdict.succeeded { "yes" } else { "no" };
    let message = format!("CodeDeploy was not told {word}: {failed}; the reason: {}", checked.verdict.why);
    Failure::new(ErrorType::ReportIncomplete, message)
}

fn before(at: Timestamp, earlier: Duration) -> Timestamp {
    at.saturating_sub(earlier).unwrap_or(at)
}
