//! How many AWS answers must be awaited, one after the other: before traffic is back, and by each task of a release.

use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::front::journal::JournalEntry;
use ripcord_rehearsal::runtime_api::InvocationOutcome;
use serde_json::{Value, json};

use crate::driven::Driven;
use crate::scene::{ANSWER_WAIT_MAX, Scene, alarm_now, outcome};

/// Long against everything else, so that calls which overlap are told from calls which follow.
pub(crate) const ANSWER_DELAY_MS: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn three_round_trips_restore_traffic_in_a_new_process_and_two_in_a_warm_one() {
    let scene = Scene::set_for_many_rollbacks().await;
    let mut process = scene.process("alarm-rollback").await;

    scene.release(10).await;
    scene.local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: ANSWER_DELAY_MS }));
    let cold = process.invoke(alarm_now().to_string(), ANSWER_WAIT_MAX).await;
    assert_eq!(outcome(&cold), "restore");
    assert_eq!(sequential_until_restored(&scene.local.journal().calls_of("ripcord-alarm-rollback")), 3);

    scene.local.faults().clear();
    scene.release(10).await;
    scene.local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: ANSWER_DELAY_MS }));
    let warm = process.invoke(alarm_now().to_string(), ANSWER_WAIT_MAX).await;
    assert_eq!(outcome(&warm), "restore");
    assert_eq!(sequential_until_restored(&scene.local.journal().calls_of("ripcord-alarm-rollback")), 2);
}

/// The longest chain of calls each of which arrived after the one before had been answered, up to the restoring one.
pub(crate) fn sequential_until_restored(calls: &[JournalEntry]) -> usize {
    let last = calls.iter().position(JournalEntry::changed_an_alias).expect("a call restored traffic");
    depths(calls)[last]
}

/// For each call, the length of the longest such chain that ends with it.
pub(crate) fn depths(calls: &[JournalEntry]) -> Vec<usize> {
    let span = |call: &JournalEntry| {
        let arrived_ms = call.time.as_microsecond() as f64 / 1_000.0;
        // What was not answered was awaited by nobody.
        (arrived_ms, arrived_ms + call.duration_ms.unwrap_or(f64::INFINITY))
    };
    let mut depths: Vec<usize> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        let before = (0..index).filter(|earlier| span(&calls[*earlier]).1 <= span(call).0);
        depths.push(1 + before.map(|earlier| depths[earlier]).max().unwrap_or(0));
    }
    depths
}

/// A check looks at a dozen things at once, and a small machine takes a while to ask for all of them.
const TASK_ANSWER_DELAY_MS: u64 = 250;

/// The names of a task's calls in a new process; those in one pair of brackets were under way together.
async fn told_by(driven: &Driven, handler: &str, event: Value) -> String {
    let Scene { local, .. } = &driven.scene;
    let mut process = driven.process(handler).await;
    local.journal().clear();
    local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: TASK_ANSWER_DELAY_MS }));
    let answered = process.invoke(event.to_string(), ANSWER_WAIT_MAX).await;
    local.faults().clear();
    assert!(matches!(answered, InvocationOutcome::Response(_)), "{answered:?}");
    let calls = local.journal().calls_of(&format!("ripcord-{handler}"));
    let depths = depths(&calls);
    let trips = 1..=depths.iter().copied().max().unwrap_or(0);
    let together = trips.map(|trip| {
        let mut names: Vec<&str> = calls
            .iter()
            .zip(&depths)
            .filter(|(_, depth)| **depth == trip)
            .map(|(call, _)| call.operation.as_str())
            .collect();
        names.sort_unstable();
        format!("{trip} {}", names.join(" "))
    });
    together.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driven_release_awaits_few_answers_one_after_the_other() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let execution = driven.idle_execution().await;
    let input = json!({
        "service": "checkout",
        "version": candidate.to_string(),
        "progress": { "stages": "50", "stage_duration": "30m" },
    });
    let open = json!({ "open": input, "execution": execution });
    insta::assert_snapshot!(told_by(&driven, "alias-weight-shifter", open).await, @r"
    1 Query
    2 GetAlias
    3 GetAlias GetFunctionConfiguration GetFunctionConfiguration
    4 TransactWriteItems
    5 CreateAlias
    6 Publish
    ");
    let check = |when: &str| json!({ "service": "checkout", "release": 1, "when": when });
    insta::assert_snapshot!(told_by(&driven, "release-preflight", check("before")).await, @r"
    1 Query
    2 DescribeAlarms GetAlias GetAlias GetFunctionConfiguration GetFunctionConfiguration GetMetricData GetProvisionedConcurrencyConfig GetProvisionedConcurrencyConfig Invoke Invoke
    3 TransactWriteItems
    ");
    let advance = json!({ "service": "checkout", "release": 1, "stage": 0 });
    insta::assert_snapshot!(told_by(&driven, "alias-weight-shifter", advance).await, @r"
    1 Query
    2 GetAlias
    3 GetAlias GetFunctionConfiguration GetFunctionConfiguration
    4 TransactWriteItems
    5 UpdateAlias
    6 GetAlias
    7 TransactWriteItems
    ");
    let look = || json!({ "service": "checkout", "release": 1 });
    // As soon as the stage has a minute that can be asked for.
    tokio::time::sleep(driven.scene.local.minute() * 4).await;
    insta::assert_snapshot!(told_by(&driven, "stage-validator", look()).await, @r"
    1 Query
    2 DescribeAlarms GetAlias GetMetricData Query
    3 TransactWriteItems
    ");
    insta::assert_snapshot!(told_by(&driven, "release-preflight", check("after")).await, @r"
    1 Query
    2 Invoke
    3 TransactWriteItems
    ");
}
