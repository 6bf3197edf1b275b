//! How many AWS answers must be awaited, one after the other, before traffic is back.

use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::front::journal::JournalEntry;

use crate::scene::{ANSWER_WAIT_MAX, Scene, alarm_now, outcome};

/// Long against everything else, so that calls which overlap are told from calls which follow.
const ANSWER_DELAY_MS: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn three_round_trips_restore_traffic_in_a_new_process_and_two_in_a_warm_one() {
    let scene = Scene::set_for_many_rollbacks().await;
    let mut process = scene.process("alarm-rollback").await;

    scene.release(10).await;
    scene.local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: ANSWER_DELAY_MS }));
    let cold = process.invoke(alarm_now().to_string(), ANSWER_WAIT_MAX).await;
    assert_eq!(outcome(&cold), "restore");
    assert_eq!(sequential_until_restored(&scene.local.journal().entries()), 3);

    scene.local.faults().clear();
    scene.release(10).await;
    scene.local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: ANSWER_DELAY_MS }));
    let warm = process.invoke(alarm_now().to_string(), ANSWER_WAIT_MAX).await;
    assert_eq!(outcome(&warm), "restore");
    assert_eq!(sequential_until_restored(&scene.local.journal().entries()), 2);
}

/// The longest chain of calls each of which arrived after the one before had been answered, up to the restoring one.
fn sequential_until_restored(calls: &[JournalEntry]) -> usize {
    let span = |call: &JournalEntry| {
        let arrived_ms = call.time.as_microsecond() as f64 / 1_000.0;
        (arrived_ms, arrived_ms + call.duration_ms.unwrap())
    };
    let last = calls.iter().position(JournalEntry::changed_an_alias).expect("a call restored traffic");
    let mut depths: Vec<usize> = Vec::new();
    for (index, call) in calls[..=last].iter().enumerate() {
        let before = (0..index).filter(|earlier| span(&calls[*earlier]).1 <= span(call).0);
        depths.push(1 + before.map(|earlier| depths[earlier]).max().unwrap_or(0));
    }
    depths[last]
}
