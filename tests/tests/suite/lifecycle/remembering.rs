//! What is remembered from one call to the next, and that every stage ends.

use jiff::Timestamp;
use ripcord::lifecycle::{HookStatus, LifecycleEvent, Verdict};
use ripcord::preflight::Unseen;
use ripcord::signal::AlarmState;
use serde_json::{Value, json};

use super::{Case, answered, event, guard, received_at, shifting, status};
use crate::worlds::seconds;

const WATCH: &str = "POST_PRODUCTION_TRAFFIC_SHIFT";

/// Plays calls as ECS does, each with what the answer before left: what is seen at each of them, up to the end.
struct Played {
    answers: Vec<Verdict>,
    took: i64,
}

fn played(stage: &str, seen: impl Fn(usize) -> Case) -> Played {
    const CALLS_MAX: usize = 100;
    let mut now: Timestamp = received_at();
    let (mut answers, mut details) = (Vec::new(), Value::Null);
    for call in 0..CALLS_MAX {
        let verdict = seen(call).decided(&event(stage, details), now);
        answers.push(verdict.clone());
        match verdict.answer.hook_status {
            HookStatus::Succeeded | HookStatus::Failed => {
                return Played { answers, took: now.duration_since(received_at()).as_secs() };
            }
            HookStatus::InProgress => {
                details = Value::Object(verdict.answer.hook_details.unwrap());
                now += seconds(i64::from(verdict.answer.call_back_delay.unwrap()));
            }
        }
    }
    panic!("it is asked for ever: {}", answers.last().unwrap().why)
}

impl Played {
    fn end(&self) -> (&'static str, usize, i64) {
        (status(self.answers.last().unwrap()), self.answers.len(), self.took)
    }

    fn why(&self) -> &str {
        &self.answers.last().unwrap().why
    }
}

fn not_well() -> Case {
    Case::with(|case| case.facts.health = Some(Ok(answered(503))))
}

fn hidden() -> Case {
    Case::with(|case| case.facts.guards = Err(Unseen::because("throttled")))
}

fn fires() -> Case {
    Case::with(|case| case.facts.guards = Ok(vec![guard(AlarmState::Alarm)]))
}

#[test]
fn a_watch_takes_as_long_as_is_registered() {
    let watch = played(WATCH, |_| Case::well());
    assert_eq!(watch.end(), ("SUCCEEDED", 11, 300));
    assert_eq!(
        watch.why(),
        "POST_PRODUCTION_TRAFFIC_SHIFT: all of 2 checks passed, at the last of 11 looks within 5 min 0 s"
    );
    let none = played(WATCH, |_| Case::with(|case| case.registration.hooks.watch_minutes = 0));
    assert_eq!(none.end(), ("SUCCEEDED", 1, 0));
}

#[test]
fn the_last_look_of_a_watch_comes_at_its_end_and_no_later() {
    let details = |since: &str| {
        json!({ "ripcord": { "step": "POST_PRODUCTION_TRAFFIC_SHIFT at 100%", "since": since, "looks": 9,
            "sick": 0, "blind": 0 } })
    };
    let at = |since: &str| Case::well().decided(&event(WATCH, details(since)), received_at());
    assert_eq!(at("2026-03-02T10:11:00Z").answer.hook_status, HookStatus::Succeeded);
    let a_second_before = at("2026-03-02T10:11:01Z").answer;
    assert_eq!(a_second_before.hook_status, HookStatus::InProgress);
    assert_eq!(a_second_before.call_back_delay, Some(1));
}

#[test]
fn a_guard_ends_a_watch_at_once() {
    let watch = played(WATCH, |call| if call == 4 { fires() } else { Case::well() });
    assert_eq!(watch.end(), ("FAILED", 5, 120));
    assert_eq!(
        watch.why(),
        "POST_PRODUCTION_TRAFFIC_SHIFT: 1 of 2 checks failed: alarms: errors is in ALARM already"
    );
}

#[test]
fn one_bad_answer_is_asked_again_and_a_second_one_in_a_row_ends_it() {
    for stage in [WATCH, "POST_TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"] {
        let twice = played(stage, |_| not_well());
        assert_eq!(twice.end(), ("FAILED", 2, 30), "{stage}");
    }
    let once = played("POST_TEST_TRAFFIC_SHIFT", |call| if call == 0 { not_well() } else { Case::well() });
    assert_eq!(once.end(), ("SUCCEEDED", 2, 30));
    let apart = played(WATCH, |call| if call % 5 == 1 { not_well() } else { Case::well() });
    assert_eq!(apart.end(), ("SUCCEEDED", 11, 300));
}

#[test]
fn a_watch_does_not_end_on_a_bad_answer() {
    let at_the_end = |bad| move |call| if call == bad { not_well() } else { Case::well() };
    assert_eq!(played(WATCH, at_the_end(10)).end(), ("SUCCEEDED", 12, 330));
    let twice = played(WATCH, |call| if call >= 10 { not_well() } else { Case::well() });
    assert_eq!(twice.end(), ("FAILED", 12, 330));
}

#[test]
fn what_cannot_be_seen_is_no_proof() {
    assert_eq!(played("PRE_SCALE_UP", |_| hidden()).end(), ("FAILED", 3, 60));
    let late = played("PRE_SCALE_UP", |call| if call < 2 { hidden() } else { Case::well() });
    assert_eq!(late.end(), ("SUCCEEDED", 3, 60));
}

#[test]
fn what_keeps_changing_is_refused_in_the_end() {
    let stage = played("PRODUCTION_TRAFFIC_SHIFT", |call| if call % 2 == 0 { not_well() } else { hidden() });
    assert_eq!(stage.end(), ("FAILED", 6, 150));
    let watch = played(WATCH, |call| if call % 2 == 0 { not_well() } else { hidden() });
    assert_eq!(watch.end(), ("FAILED", 16, 450));
}

#[test]
fn each_step_of_a_canary_begins_anew() {
    let bad = not_well();
    let at = |percent: f64, details: Value| {
        bad.decided(&shifting("PRODUCTION_TRAFFIC_SHIFT", percent, details), received_at())
    };
    let first = at(10.0, Value::Null);
    assert_eq!(first.answer.hook_status, HookStatus::InProgress);
    let kept = Value::Object(first.answer.hook_details.unwrap());
    assert_eq!(at(50.0, kept.clone()).answer.hook_status, HookStatus::InProgress);
    assert_eq!(at(10.0, kept).answer.hook_status, HookStatus::Failed);
}

#[test]
fn a_memory_that_cannot_be_is_forgotten() {
    let forgotten = [
        json!({ "ripcord": { "step": "POST_PRODUCTION_TRAFFIC_SHIFT at 100%", "since": "2027-01-01T00:00:00Z",
            "looks": 1, "sick": 0, "blind": 0 } }),
        json!({ "ripcord": { "step": "PRE_SCALE_UP", "since": "2020-01-01T00:00:00Z", "looks": 1, "sick": 0,
            "blind": 0 } }),
        json!({ "ripcord": { "since": "2020-01-01T00:00:00Z" } }),
        json!({ "ripcord": "2020-01-01T00:00:00Z" }),
        json!("ripcord"),
    ];
    for details in forgotten {
        let verdict = Case::well().decided(&event(WATCH, details.clone()), received_at());
        assert_eq!(verdict.answer.hook_status, HookStatus::InProgress, "{details}");
        assert_eq!(verdict.answer.hook_details.unwrap()["ripcord"]["since"], "2026-03-02T10:16:00Z");
    }
}

#[test]
fn the_memory_of_the_events_folder_is_read() {
    let (_, read) = crate::events::events_in("ecs/watch-goes-on").remove(0);
    let verdict = Case::well().decided(&LifecycleEvent::read(&read), received_at());
    let kept = verdict.answer.hook_details.unwrap();
    assert_eq!((&kept["ripcord"]["looks"], &kept["team"]), (&json!(7), &json!("shop")));
}
