//! Every task of a driven release, repeated and all at once, as no state machine would on purpose, while alarms arrive.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use ripcord::release::Phase;
use ripcord_rehearsal::checkout::SERVICE;
use ripcord_rehearsal::executions::ExecutionStatus;
use ripcord_rehearsal::front::journal::JournalEntry;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::driven::Driven;
use crate::scene::alarm_at;

const DELIVERIES: usize = 90;
const AT_ONCE: usize = 10;
/// By so many deliveries a stage has had traffic, however they overlap.
const LATE: usize = 50;
/// What a task may be told that comes too late, too early or beside another. Anything else is a defect.
const REFUSALS: [&str; 5] =
    ["ReleaseClosed", "ReleaseConflict", "AliasDrifted", "Contended", "PreflightFailed"];

#[tokio::test(flavor = "multi_thread")]
async fn tasks_in_any_order_and_alarms_change_traffic_back_once() {
    let driven = Arc::new(Driven::set().await);
    for first_alarm in [0, 3, 20, LATE] {
        weather(&driven, first_alarm).await;
    }
}

/// One release in a storm, the first alarm in it being the nth delivery.
async fn weather(driven: &Arc<Driven>, first_alarm: usize) {
    let scene = &driven.scene;
    let candidate = driven.candidate().await;
    let execution = driven.idle_execution().await;
    let input = json!({
        "service": SERVICE,
        "version": candidate.to_string(),
        "progress": { "stages": "10,50", "stage_duration": "30m" },
    });
    let open = json!({ "open": input, "execution": execution });
    let opened = scene.stage.invoke(&scene.local, "alias-weight-shifter", &open).await.unwrap().unwrap();
    let release = opened["release"].clone();
    scene.local.journal().clear();

    let fired_at = Timestamp::now();
    let task = |number: usize| -> (&'static str, Value) {
        let stage = |stage: usize| json!({ "service": SERVICE, "release": release, "stage": stage });
        match number {
            late if late >= first_alarm && late % 9 == first_alarm % 9 => {
                ("alarm-rollback", alarm_at(fired_at))
            }
            number => match number % 7 {
                0 => ("alias-weight-shifter", open.clone()),
                1 => {
                    ("release-preflight", json!({ "service": SERVICE, "release": release, "when": "before" }))
                }
                2 | 3 => ("alias-weight-shifter", stage(0)),
                4 => ("alias-weight-shifter", stage(1)),
                5 => ("alias-weight-shifter", stage(2)),
                _ => ("stage-validator", json!({ "service": SERVICE, "release": release })),
            },
        }
    };
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut deliveries = Vec::new();
    for number in 0..DELIVERIES {
        // They begin in their order, and end in any.
        let turn = Arc::clone(&gate).acquire_owned().await.unwrap();
        let (handler, event) = task(number);
        let driven = Arc::clone(driven);
        deliveries.push(tokio::spawn(async move {
            let Driven { scene, .. } = &*driven;
            let answered = scene.stage.invoke(&scene.local, handler, &event).await.unwrap();
            drop(turn);
            (handler, answered)
        }));
    }
    let mut answers: BTreeMap<String, u32> = BTreeMap::new();
    for delivery in deliveries {
        let (handler, answered) = delivery.await.unwrap();
        let answer = match answered {
            Ok(_) => "an answer".to_owned(),
            Err(error) => {
                let name = error["errorType"].as_str().unwrap().to_owned();
                let is_expected = handler != "alarm-rollback" && REFUSALS.contains(&name.as_str());
                assert!(is_expected, "{handler}: {error}");
                name
            }
        };
        *answers.entry(format!("{handler}: {answer}")).or_default() += 1;
    }

    let is_back = |call: &JournalEntry| {
        let after = &call.change.as_ref().unwrap().after;
        after.version == "1" && after.weights.is_empty()
    };
    let changes = scene.traffic_changes();
    let back = changes.iter().filter(|call| is_back(call)).count();
    let latest = scene.latest().await;
    // An alarm that comes before the first stage ends a release that never had traffic.
    if latest.phase == Phase::Withdrawn {
        assert!(first_alarm < LATE, "{answers:?}");
        assert_eq!((changes.len(), back), (0, 0), "{answers:?}");
    } else {
        assert_eq!(latest.phase, Phase::RolledBack, "{answers:?}");
        assert_eq!(back, 1, "{answers:?}: {changes:?}");
        assert!(is_back(changes.last().unwrap()), "nothing moves after it: {changes:?}");
    }
    let routing = scene.routing().await;
    assert_eq!((routing.version.as_str(), routing.weights.len()), ("1", 0), "{answers:?}");
    let ended = scene.stage.execution(&scene.local, &execution).await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Aborted, "{answers:?}");
    assert!(scene.is_reported().await, "{answers:?}");
}
