//! One call of a hook, from being read to being answered.

use std::time::Duration;

use jiff::Timestamp;
use ripcord::aws::apart::{ENDING_MAX, Fate};
use ripcord::aws::console;
use ripcord::lifecycle::{HookAnswer, HookStatus, LifecycleEvent, Verdict, decide_unasked, decide_unseen};
use ripcord::pipeline::Tempo;
use serde_json::{Value, json};

use crate::work::Request;

/// What answering needs. It holds no client: nothing here calls anybody.
#[derive(Clone, Copy, Debug)]
pub struct Desk {
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// How long a minute lasts.
    pub tempo: Tempo,
}

/// The answer is out so long before Lambda ends the invocation.
const ANSWERING: Duration = Duration::from_secs(2);
/// What a report may take of the rest, and the check leaves to it.
const REPORTING: Duration = Duration::from_secs(5);

/// Answers a hook. `ends_at` is when Lambda ends the invocation; `apart` has the work done, within a time.
pub async fn answer(
    event: &Value,
    ends_at: Timestamp,
    desk: Desk,
    apart: impl AsyncFn(Request, Duration) -> Result<Value, Fate>,
) -> HookAnswer {
    let call = LifecycleEvent::read(event);
    if let Some(verdict) = decide_unasked(&call) {
        record(&call, &verdict);
        return verdict.answer;
    }
    let patience = desk.left_until(ends_at).saturating_sub(REPORTING);
    let checked = apart(Request::Check { event: event.clone(), patience }, patience).await;
    let verdict = checked
        .map_err(|fate| fate.to_string())
        .and_then(readable)
        .unwrap_or_else(|why| decide_unseen(&call, &why, (desk.clock)(), desk.tempo));
    record(&call, &verdict);
    if verdict.answer.hook_status != HookStatus::InProgress {
        let request = Request::Report { event: event.clone(), verdict: verdict.clone() };
        if let Err(fate) = apart(request, desk.left_until(ends_at).min(REPORTING)).await {
            console::record("error", &format!("the answer could not be reported: {fate}"), json!({}));
        }
    }
    verdict.answer
}

fn readable(answer: Value) -> Result<Verdict, String> {
    serde_json::from_value(answer).map_err(|error| format!("the check's answer is no verdict: {error}"))
}

fn record(call: &LifecycleEvent, verdict: &Verdict) {
    let level = match verdict.answer.hook_status {
        HookStatus::Succeeded | HookStatus::InProgress => "info",
        HookStatus::Failed => "error",
    };
    let fields = json!({
        "stage": call.stage.to_string(),
        "deployment": call.deployment,
        "answer": verdict.answer,
        "checks": verdict.checks,
    });
    console::record(level, &verdict.why, fields);
}

impl Desk {
    fn left_until(&self, ends_at: Timestamp) -> Duration {
        // Nothing is left of a time that is over.
        let left = Duration::try_from(ends_at.duration_since((self.clock)())).unwrap_or_default();
        left.saturating_sub(ANSWERING + ENDING_MAX)
    }
}
