//! The process is cut at every point between two calls, before and after the call takes effect, and the alarm is
//! delivered again: the end is always the same.

use std::time::Duration;

use ripcord::release::Phase;
use ripcord_rehearsal::LocalAws;
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::runtime_api::{FunctionProcess, InvocationOutcome};
use serde_json::{Value, json};

use crate::scene::{ANSWER_WAIT_MAX, Scene, alarm_now, outcome};

/// How long the invocation that is cut may last: its lease on telling people ends with it.
pub(crate) const CUT_DEADLINE: Duration = Duration::from_millis(1_500);
/// More calls than a rollback makes; the enumeration ends at the first cut that finds no call to cut.
pub(crate) const CALLS_MAX: u32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_cut_anywhere_ends_in_the_same_place() {
    let scene = Scene::set_for_many_rollbacks().await;
    let mut cuts = 0;
    for is_effective in [false, true] {
        for call in 1..=CALLS_MAX {
            let candidate = scene.release(10).await;
            let alarm = alarm_now();
            if !cut(&scene, "alarm-rollback", &alarm, call, is_effective).await {
                break;
            }
            cuts += 1;
            let place = format!("cut {} call {call}", if is_effective { "after" } else { "before" });
            deliver_until_reported(&scene, &alarm, &place).await;

            let routing = scene.routing().await;
            assert!(
                routing.weights.is_empty() && routing.version != candidate.to_string(),
                "{place}: {routing:?}"
            );
            assert_eq!(scene.traffic_changes().len(), 1, "{place}");
            assert_eq!(scene.latest().await.phase, Phase::RolledBack, "{place}");
            let again = outcome(&scene.deliver(&alarm).await);
            assert_eq!(again, "stand_down", "{place}: a further delivery has nothing to do");
        }
    }
    // Four calls until traffic is back, and five for the books; each is cut before and after.
    assert!(cuts >= 18, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_cut_anywhere_ends_in_the_same_place() {
    let scene = Scene::set_for_many_rollbacks().await;
    let mut cuts = 0;
    for is_effective in [false, true] {
        for call in 1..=CALLS_MAX {
            let candidate = scene.stage.publish(&scene.local, Default::default()).await.unwrap();
            let stable = scene.routing().await.version;
            scene.local.journal().clear();
            let request = json!({ "service": "checkout", "weights": format!("{stable}:75,{candidate}:25") });
            let was_cut = cut(&scene, "alias-weight-shifter", &request, call, is_effective).await;
            let place = format!("cut {} call {call}", if is_effective { "after" } else { "before" });
            let again = scene
                .process("alias-weight-shifter")
                .await
                .invoke(request.to_string(), ANSWER_WAIT_MAX)
                .await;
            assert!(matches!(again, InvocationOutcome::Response(_)), "{place}: {again:?}");

            let routing = scene.routing().await;
            assert_eq!(routing.weights.get(&candidate.to_string()), Some(&0.25), "{place}: {routing:?}");
            let live_changes = scene.traffic_changes();
            let live_changes =
                live_changes.iter().filter(|call| call.resource.as_deref() == Some("checkout:live"));
            assert_eq!(live_changes.count(), 1, "{place}");
            let change = scene.latest().await.changes[0].clone();
            assert_eq!((change.weight.share(), change.intent), (0.25, None), "{place}");
            // Make room for the next.
            assert_eq!(outcome(&scene.deliver(&alarm_now()).await), "restore", "{place}");
            if !was_cut {
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts >= 16, "only {cuts} cuts were made");
}

/// Kills a new process at its nth AWS call; false if it made fewer and finished.
pub(crate) async fn cut(scene: &Scene, handler: &str, event: &Value, nth: u32, is_effective: bool) -> bool {
    cut_process(&scene.local, scene.process(handler).await, event, (nth, is_effective), CUT_DEADLINE).await
}

/// Kills a process at its nth AWS call, before or after the call takes effect.
pub(crate) async fn cut_process(
    local: &LocalAws,
    mut process: FunctionProcess,
    event: &Value,
    (nth, is_effective): (u32, bool),
    deadline: Duration,
) -> bool {
    let switch = process.kill_switch();
    let kill = std::sync::Arc::new(move || switch.pull());
    let fault = if is_effective { Fault::CrashAfter(kill) } else { Fault::CrashBefore(kill) };
    local.faults().add(FaultRule::nth("*", nth, fault));
    let ended = process.invoke(event.to_string(), deadline).await;
    local.faults().clear();
    match ended {
        InvocationOutcome::Crashed(_) => true,
        InvocationOutcome::Response(_) => false,
        // It ended by itself, before CodeDeploy was done.
        InvocationOutcome::Error { error_type, .. } if error_type == "RollbackUnderWay" => false,
        other @ (InvocationOutcome::Error { .. } | InvocationOutcome::TimedOut) => {
            panic!("call {nth}: {other:?}")
        }
    }
}

/// Lambda delivers again after a minute, when every lease of the first delivery has ended; here the wait is shorter.
async fn deliver_until_reported(scene: &Scene, alarm: &Value, place: &str) {
    for _ in 0..40 {
        let answered = scene.deliver(alarm).await;
        assert!(matches!(answered, InvocationOutcome::Response(_)), "{place}: {answered:?}");
        if scene.is_reported().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{place}: nobody was told: {:?}", scene.latest().await);
}
