//! Whatever the checks say, and whatever is remembered: only a step forward is ever refused or made to wait.

use proptest::collection::btree_map;
use proptest::prelude::*;
use ripcord::lifecycle::{
    Direction, HookStatus, LifecycleEvent, Verdict, decide_unasked, decide_unregistered, decide_unseen,
};
use ripcord::pipeline::Tempo;
use serde_json::{Value, json};

use super::{STABLE, TARGET, cases, received_at};

const STAGES: &[&str] = &[
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "ROLLBACK",
    "",
];

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z:/]{0,8}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}

fn weights() -> impl Strategy<Value = Value> {
    let revision = prop_oneof![Just(STABLE.to_owned()), Just(TARGET.to_owned()), "[a-z]{1,3}"];
    let weight =
        prop_oneof![Just(json!(0)), Just(json!(100)), (0..=100_u32).prop_map(Value::from), anything()];
    prop_oneof![
        3 => Just(json!({ TARGET: 0, STABLE: 100 })),
        4 => btree_map(revision, weight, 0..4).prop_map(|weights| json!(weights)),
        1 => anything(),
    ]
}

prop_compose! {
    fn event()(
        stage in proptest::sample::select(STAGES),
        test in weights(),
        production in weights(),
        target in prop_oneof![4 => Just(Value::from(TARGET)), 1 => anything()],
        (sick, blind, looks) in (0..4_u32, 0..4_u32, any::<u32>()),
        nested in any::<bool>(),
    ) -> Value {
        let details = json!({ "serviceArn": super::HERE, "targetServiceRevisionArn": target,
            "testTrafficWeights": test, "productionTrafficWeights": production });
        let mut event = json!({ "lifecycleStage": stage, "executionDetails": details });
        if !nested {
            let details = event.as_object_mut().unwrap().remove("executionDetails").unwrap();
            event.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        }
        // With whatever is remembered of this very call.
        let step = LifecycleEvent::read(&event).step();
        event["hookDetails"] = json!({ "ripcord": { "step": step, "since": "2026-03-02T10:00:00Z", "looks": looks,
            "sick": sick, "blind": blind } });
        event
    }
}

/// Every answer that the event can get, on every way to one.
fn answers(event: &LifecycleEvent) -> Vec<Verdict> {
    let mut answers: Vec<Verdict> =
        cases().into_iter().map(|(_, case)| case.decided(event, received_at())).collect();
    answers.push(decide_unregistered(event));
    answers.push(decide_unseen(event, "the check died", received_at(), Tempo::REAL));
    answers
}

/// What the documentation of ECS calls a rollback, read off the event itself.
fn goes_back(event: &Value) -> bool {
    let field = |name: &str| event.get(name).or_else(|| event["executionDetails"].get(name));
    let weights = match field("lifecycleStage").and_then(Value::as_str) {
        Some("TEST_TRAFFIC_SHIFT") => field("testTrafficWeights"),
        Some("PRODUCTION_TRAFFIC_SHIFT") => field("productionTrafficWeights"),
        _ => None,
    };
    weights.is_some_and(|weights| weights[TARGET] == 0 && weights[STABLE] == 100)
}

proptest! {
    #[test]
    fn only_a_step_forward_is_refused_or_made_to_wait(event in event()) {
        let read = LifecycleEvent::read(&event);
        for verdict in answers(&read) {
            if read.direction() != Direction::Forward {
                prop_assert_eq!(verdict.answer.hook_status, HookStatus::Succeeded, "{}", verdict.why);
            }
        }
    }

    #[test]
    fn a_rollback_as_ecs_documents_it_is_never_taken_for_a_step_forward(event in event()) {
        if goes_back(&event) {
            let read = LifecycleEvent::read(&event);
            prop_assert_ne!(read.direction(), Direction::Forward);
            prop_assert!(decide_unasked(&read).is_some(), "it waits for a look");
        }
    }

    #[test]
    fn nothing_that_is_no_event_is_refused(event in anything()) {
        for verdict in answers(&LifecycleEvent::read(&event)) {
            prop_assert_eq!(verdict.answer.hook_status, HookStatus::Succeeded);
        }
    }
}
