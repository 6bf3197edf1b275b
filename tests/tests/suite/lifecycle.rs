//! What ECS's lifecycle hooks are answered: every event under `events/ecs` with everything well and with each thing that can
//! be wrong, in one table; what is remembered from call to call; and that no rollback is ever vetoed.

use std::fmt::Write;

use jiff::Timestamp;
use ripcord::lifecycle::{
    Direction, HookStatus, LifecycleEvent, Look, LookFacts, Verdict, decide_look, decide_unasked,
    decide_unregistered, decide_unseen,
};
use ripcord::pipeline::Tempo;
use ripcord::preflight::{GuardState, HealthAnswer, QueueLength, Surroundings, Unseen};
use ripcord::registration::{EcsService, Freeze, HealthCheck, Registration};
use ripcord::signal::AlarmState;
use serde_json::{Value, json};

use crate::events::{events_in, received_at};
use crate::worlds::registration;

mod never_vetoed;
mod remembering;

const HERE: &str = "arn:aws:ecs:eu-west-1:123456789012:service/shop/checkout";
const STABLE: &str = "arn:aws:ecs:eu-west-1:123456789012:service-revision/shop/checkout/1";
const TARGET: &str = "arn:aws:ecs:eu-west-1:123456789012:service-revision/shop/checkout/2";

/// The checkout's ECS service, with an address, a guard and a queue; and what is seen of it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) registration: Registration,
    pub(crate) facts: LookFacts,
}

impl Case {
    /// Everything is well.
    pub(crate) fn well() -> Self {
        let mut registration = registration(&["api"]);
        registration.dead_letter_queues = vec!["checkout-failed".to_owned()];
        registration.hooks.ecs_services = vec![EcsService {
            cluster: "shop".parse().unwrap(),
            service: "checkout".parse().unwrap(),
            health: Some(HealthCheck {
                url: "https://shop.example/health".to_owned(),
                status: 200,
                private: false,
            }),
        }];
        let facts = LookFacts {
            guards: Ok(vec![guard(AlarmState::Ok)]),
            dead_letters: vec![Ok(queue(0))],
            health: Some(Ok(answered(200))),
        };
        Self { registration, facts }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut case = Self::well();
        change(&mut case);
        case
    }

    fn decided(&self, event: &LifecycleEvent, now: Timestamp) -> Verdict {
        decide_unasked(event).unwrap_or_else(|| {
            let look = Look {
                surroundings: Surroundings::of(&self.registration, HERE),
                health: self.registration.hooks.ecs_services[0].health.as_ref(),
                watch_minutes: self.registration.hooks.watch_minutes,
                facts: self.facts.clone(),
            };
            decide_look(event, &[look], now, Tempo::REAL)
        })
    }
}

fn guard(state: AlarmState) -> GuardState {
    GuardState {
        name: "errors".to_owned(),
        arn: "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors".to_owned(),
        state: Some(state),
        actions_enabled: true,
        suppressed_by: None,
    }
}

fn queue(messages: u64) -> QueueLength {
    QueueLength { queue: "checkout-failed".to_owned(), messages: Some(messages) }
}

fn answered(status: u16) -> HealthAnswer {
    HealthAnswer { status, location: None, body: String::new() }
}

/// A call at a stage, on the way forward.
fn event(stage: &str, details: Value) -> LifecycleEvent {
    shifting(stage, 100.0, details)
}

/// A call at a stage, with a share of traffic for the target.
fn shifting(stage: &str, percent: f64, details: Value) -> LifecycleEvent {
    let weights = json!({ TARGET: percent, STABLE: 100.0 - percent });
    LifecycleEvent::read(&json!({
        "lifecycleStage": stage,
        "resourceArn": "arn:aws:ecs:eu-west-1:123456789012:service-deployment/shop/checkout/d-1",
        "executionDetails": {
            "serviceArn": HERE,
            "targetServiceRevisionArn": TARGET,
            "testTrafficWeights": weights,
            "productionTrafficWeights": weights,
        },
        "hookDetails": details,
    }))
}

/// Everything well, and each thing that can be wrong alone.
fn cases() -> Vec<(&'static str, Case)> {
    vec![
        ("well", Case::well()),
        (
            "frozen",
            Case::with(|case| {
                case.registration.freezes = vec![Freeze {
                    reason: "sale".to_owned(),
                    time_zone: "UTC".to_owned(),
                    from: "2026-03-02T00:00".to_owned(),
                    to: "2026-03-03T00:00".to_owned(),
                    days: Vec::new(),
                }];
            }),
        ),
        ("guard fires", Case::with(|case| case.facts.guards = Ok(vec![guard(AlarmState::Alarm)]))),
        ("guard hidden", Case::with(|case| case.facts.guards = Err(Unseen::because("throttled")))),
        ("guard gone", Case::with(|case| case.facts.guards = Ok(Vec::new()))),
        ("dead letters", Case::with(|case| case.facts.dead_letters = vec![Ok(queue(1))])),
        (
            "letters hidden",
            Case::with(|case| {
                case.facts.dead_letters = vec![Err(Unseen::because("throttled"))];
            }),
        ),
        ("not well", Case::with(|case| case.facts.health = Some(Ok(answered(503))))),
        ("no answer", Case::with(|case| case.facts.health = Some(Err(Unseen::because("refused"))))),
    ]
}

fn status(verdict: &Verdict) -> &'static str {
    match verdict.answer.hook_status {
        HookStatus::Succeeded => "SUCCEEDED",
        HookStatus::Failed => "FAILED",
        HookStatus::InProgress => "IN_PROGRESS",
    }
}

#[test]
fn every_event_is_answered_as_the_table_shows() {
    let mut table = String::new();
    for (name, event) in events_in("ecs/") {
        let event = LifecycleEvent::read(&event);
        let direction = match event.direction() {
            Direction::Forward => "forward",
            Direction::Back => "back",
            Direction::Unclear => "unclear",
        };
        writeln!(table, "{name}: {direction}, {}", event.step()).unwrap();
        let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
        for (what, case) in cases() {
            let verdict = case.decided(&event, received_at());
            let answer = format!("{}: {}", status(&verdict), verdict.why);
            match answers.iter_mut().find(|(known, _)| *known == answer) {
                Some((_, whats)) => whats.push(what),
                None => answers.push((answer, vec![what])),
            }
        }
        for (answer, whats) in answers {
            writeln!(table, "  {}\n    {answer}", whats.join(", ")).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn both_forms_are_read_alike() {
    let events = events_in("ecs/");
    let mut compared = 0;
    for (name, event) in &events {
        if let Some((_, nested)) =
            events.iter().find(|(nested, _)| nested.replace("ecs/", "ecs/flat-") == *name)
        {
            assert_eq!(LifecycleEvent::read(event), LifecycleEvent::read(nested), "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 8, "one for each stage");
}

#[test]
fn an_answer_is_what_ecs_reads() {
    let go_on = Case::well().decided(&event("PRE_SCALE_UP", Value::Null), received_at());
    assert_eq!(json!(go_on.answer), json!({ "hookStatus": "SUCCEEDED" }));
    let watched = Case::well()
        .decided(&event("POST_PRODUCTION_TRAFFIC_SHIFT", json!({ "team": "shop" })), received_at());
    assert_eq!(
        json!(watched.answer),
        json!({
            "hookStatus": "IN_PROGRESS",
            "callBackDelay": 30,
            "hookDetails": {
                "team": "shop",
                "ripcord": {
                    "step": "POST_PRODUCTION_TRAFFIC_SHIFT at 100%",
                    "since": "2026-03-02T10:16:00Z",
                    "looks": 1,
                    "sick": 0,
                    "blind": 0,
                },
            },
        })
    );
}

#[test]
fn whoever_is_not_registered_is_told_how_to_be() {
    let verdict = decide_unregistered(&event("PRE_SCALE_UP", Value::Null));
    insta::assert_snapshot!(format!("{}: {}", status(&verdict), verdict.why));
    let back = decide_unregistered(&shifting("PRODUCTION_TRAFFIC_SHIFT", 0.0, Value::Null));
    assert_eq!(back.answer.hook_status, HookStatus::Succeeded);
}

#[test]
fn what_could_not_be_looked_at_is_looked_at_again_and_then_refused() {
    let mut details = Value::Null;
    for look in 1..=3 {
        let verdict =
            decide_unseen(&event("PRE_SCALE_UP", details), "the ledger is away", received_at(), Tempo::REAL);
        match verdict.answer.hook_details {
            Some(kept) => {
                assert!(look < 3, "{}", verdict.why);
                details = Value::Object(kept);
            }
            None => {
                assert_eq!((look, status(&verdict)), (3, "FAILED"));
                let why = "PRE_SCALE_UP: not everything could be seen, 3 times in a row: the ledger is away";
                assert_eq!(verdict.why, why);
                return;
            }
        }
    }
    panic!("it is looked at for ever");
}
