//! Releases that the real state machine drives with the real artefact, a minute of the plan lasting a second. Each ends with
//! its weights, its record, what people were told, how often traffic changed, and the path that the execution took.

use std::time::Duration;

use ripcord::names::Version;
use ripcord::release::Phase;
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::alarms::metrics::{MetricFault, MetricTrouble};
use ripcord_rehearsal::executions::ExecutionStatus;
use ripcord_rehearsal::traffic::simulated::{SimulatedBehaviour, Simulation, SimulationOptions};
use serde_json::{Value, json};

use crate::driven::Driven;
use crate::scene::alarm_now;

pub(crate) const HEALTHY: SimulatedBehaviour = SimulatedBehaviour {
    error_rate: 0.001,
    throttle_rate: 0.0,
    latency_ms: 20.0,
    latency_spread: 0.2,
    slow_rate: 0.0,
    slow_ms: 1_000.0,
    failing_from: None,
    failing_rate: 1.0,
};

/// 6,000 requests a minute of the plan, a tenth of a per cent of which fail, whatever the version, unless said otherwise.
fn traffic(driven: &Driven, candidate: Version, behaviour: SimulatedBehaviour) -> Simulation {
    let options =
        SimulationOptions { requests_per_minute: 6_000.0, ..SimulationOptions::new("checkout", "live") };
    driven.scene.local.simulate(options.version("1", HEALTHY).version(candidate.to_string(), behaviour))
}

fn two_stages() -> Value {
    json!({ "stages": "10,50", "stage_duration": "3m" })
}

/// The story of a release that is put back: once, and everybody can see why.
async fn assert_rolled_back(driven: &Driven, execution: &str, why: &str) {
    let ended = driven.until_ended(execution).await;
    let release = driven.until_reported().await;
    let because = release.ended_because.clone().unwrap_or_default();
    assert_eq!(release.phase, Phase::RolledBack, "{because}; {ended:?}");
    assert!(because.contains(why), "{because:?} does not say {why:?}");
    let routing = driven.scene.routing().await;
    assert_eq!((routing.version.as_str(), routing.weights.len()), ("1", 0));
    let back = driven.scene.traffic_changes().into_iter().filter(|call| {
        call.change
            .as_ref()
            .is_some_and(|change| change.after.version == "1" && change.after.weights.is_empty())
    });
    assert_eq!(back.count(), 1, "traffic went back once");
    driven.inbox.notice("was rolled back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_version_takes_all_traffic_stage_by_stage() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    let execution = driven.start(candidate, json!({ "progress": two_stages() })).await;
    let ended = driven.until_ended(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}; {:?}", driven.findings().await);
    let release = driven.scene.latest().await;
    assert_eq!(release.phase, Phase::Complete);
    let routing = driven.scene.routing().await;
    assert_eq!((routing.version, routing.weights.len()), (candidate.to_string(), 0));
    assert_eq!(driven.scene.traffic_changes().len(), 3);
    insta::assert_snapshot!(driven.path(&execution).await, @"Begin Open Preflight Onward Unasked Shift Onward (Wait Judge Onward) Unasked Shift Onward (Wait Judge Onward) Unasked Shift Onward (Wait Judge Onward) Verify Complete Released");
    driven.inbox.notice("was opened").await;
    driven.inbox.notice("is complete").await;

    // The guard after completion: the alarm still finds its way back, and the old version is still pinned.
    driven.scene.deliver(&alarm_now()).await;
    let release = driven.until_reported().await;
    assert_eq!(release.phase, Phase::RolledBack);
    assert_eq!(driven.scene.routing().await.version, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_per_cent_errors_are_caught_where_no_alarm_fires() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, SimulatedBehaviour { error_rate: 0.05, ..HEALTHY });
    let execution = driven.start(candidate, json!({ "progress": two_stages() })).await;
    assert_rolled_back(&driven, &execution, "given up in stage 1: errors").await;
    assert_eq!(driven.until_ended(&execution).await.error.as_deref(), Some("RolledBack"));
    assert_eq!(driven.scene.traffic_changes().len(), 2);
    insta::assert_snapshot!(driven.path(&execution).await, @"Begin Open Preflight Onward Unasked Shift Onward (Wait Judge Onward) GiveUp RollBack IsBack RolledBack");
    assert!(driven.scene.local.alarms().changes().iter().all(|change| change.to != AlarmState::Alarm));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_tail_is_caught_though_nothing_fails() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let slow = SimulatedBehaviour { slow_rate: 0.2, slow_ms: 2_000.0, ..HEALTHY };
    let _traffic = traffic(&driven, candidate, slow);
    let execution = driven.start(candidate, json!({ "progress": two_stages() })).await;
    assert_rolled_back(&driven, &execution, "requests over 500 ms").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_broken_from_the_first_request_goes_back_at_the_first_look() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, SimulatedBehaviour { error_rate: 1.0, ..HEALTHY });
    let execution = driven.start(candidate, json!({ "progress": two_stages() })).await;
    // Judge and alarm race for it, and whoever wins, traffic goes back once.
    assert_rolled_back(&driven, &execution, "").await;
    assert_eq!(driven.scene.latest().await.run.unwrap().reached.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_traffic_nothing_is_proved_and_the_release_goes_back() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let execution =
        driven.start(candidate, json!({ "progress": { "stages": "10", "stage_duration": "2m" } })).await;
    assert_rolled_back(&driven, &execution, "still not proved after 4 min").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_metrics_delay_a_release_and_never_pass_or_fail_it_by_themselves() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    // Three minutes late: the first look of a stage sees nothing of it.
    driven.scene.local.metrics().delay_all(driven.scene.local.minute() * 3);
    let _traffic = traffic(&driven, candidate, HEALTHY);
    tokio::time::sleep(driven.scene.local.minute() * 4).await;
    let execution =
        driven.start(candidate, json!({ "progress": { "stages": "50", "stage_duration": "4m" } })).await;
    let ended = driven.until_ended(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}; {:?}", driven.findings().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_that_may_not_be_read_pass_nothing() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    driven.scene.local.metrics().add_fault(MetricFault {
        metric: Some("Errors".to_owned()),
        dimension_value: Some(candidate.to_string()),
        trouble: MetricTrouble::Forbidden,
    });
    let execution =
        driven.start(candidate, json!({ "progress": { "stages": "10", "stage_duration": "2m" } })).await;
    assert_rolled_back(&driven, &execution, "Forbidden").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_that_flaps_before_the_release_does_not_touch_it_and_one_during_it_does() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    let before = alarm_now();
    let execution =
        driven.start(candidate, json!({ "progress": { "stages": "10", "stage_duration": "30m" } })).await;
    driven.until_stage(1).await;
    // An hours-late retry of an alarm from before the release, and one that is over already.
    driven.scene.deliver(&before).await;
    let mut over = alarm_now();
    over["alarmData"]["state"]["value"] = json!("OK");
    driven.scene.deliver(&over).await;
    assert_eq!(driven.scene.latest().await.phase, Phase::Shifting);
    for _ in 0..3 {
        driven.scene.deliver(&alarm_now()).await;
    }
    assert_rolled_back(&driven, &execution, "alarm checkout-error-rate fired").await;
    // The execution was ended with it, and its end changes nothing more.
    let ended = driven.until_ended(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Aborted, "{ended:?}");
    driven.until_quiet().await;
    assert_eq!(driven.scene.traffic_changes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_waits_for_a_person_and_goes_on_with_their_name() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    let by_hand = json!({ "stages": "50", "stage_duration": "2m", "no_auto_promote": true });
    let execution = driven.start(candidate, json!({ "progress": by_hand })).await;
    let awaiting = driven.until_awaiting().await;
    let notice = driven.inbox.notice("approve").await;
    assert!(notice["content"]["nextSteps"].to_string().contains("ripcord approve checkout"), "{notice}");
    driven.answer(&awaiting.token, Ok(&json!({ "approved_by": "grace" }))).await;
    let ended = driven.until_ended(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let run = driven.scene.latest().await.run.unwrap();
    assert_eq!(run.reached[1].approved_by.as_deref(), Some("grace"));
    insta::assert_snapshot!(driven.path(&execution).await, @"Begin Open Preflight Onward Unasked Shift Onward (Wait Judge Onward) Approve HasTraffic LookAgain Approved Shift Onward (Wait Judge Onward) Verify Complete Released");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answering_is_a_no() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    let by_hand =
        json!({ "stages": "50", "stage_duration": "1m", "no_auto_promote": true, "approval_timeout": "5m" });
    let execution = driven.start(candidate, json!({ "progress": by_hand })).await;
    assert_rolled_back(&driven, &execution, "States.Timeout").await;
    insta::assert_snapshot!(driven.path(&execution).await, @"Begin Open Preflight Onward Unasked Shift Onward (Wait Judge Onward) Approve RollBack IsBack RolledBack");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_and_an_alarm_while_waiting_both_put_traffic_back() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    let by_hand = json!({ "stages": "50", "stage_duration": "1m", "no_auto_promote": true });
    let execution = driven.start(candidate, json!({ "progress": by_hand })).await;
    let awaiting = driven.until_awaiting().await;
    driven.answer(&awaiting.token, Err(("ApprovalRejected", "rejected by grace: not before Monday"))).await;
    assert_rolled_back(&driven, &execution, "rejected by grace: not before Monday").await;

    let next = driven.candidate().await;
    driven.scene.local.journal().clear();
    let execution = driven.start(next, json!({ "progress": by_hand })).await;
    driven.until_awaiting().await;
    driven.scene.deliver(&alarm_now()).await;
    assert_rolled_back(&driven, &execution, "alarm checkout-error-rate fired").await;
    assert_eq!(driven.until_ended(&execution).await.status, ExecutionStatus::Aborted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_crashes_brings_the_release_back() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    driven.break_function("stage-validator").await;
    let execution = driven.start(candidate, json!({ "progress": two_stages() })).await;
    assert_rolled_back(&driven, &execution, "given up in stage 1").await;
    assert_eq!(driven.until_ended(&execution).await.error.as_deref(), Some("RolledBack"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_somebody_stops_leaves_nothing_half_shifted() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    let execution =
        driven.start(candidate, json!({ "progress": { "stages": "10", "stage_duration": "30m" } })).await;
    driven.until_stage(1).await;
    driven.stop(&execution, "wrong button").await;
    assert_rolled_back(&driven, &execution, "its execution ended as ABORTED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_may_not_begin_is_withdrawn_before_anything_moves() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let mut registration = driven.registration();
    registration.guards.push(serde_json::from_value(json!({ "alarm": "nobody-made-this-alarm" })).unwrap());
    driven.scene.stage.register_as(&registration).await.unwrap();
    let execution = driven.start(candidate, json!({ "progress": two_stages() })).await;
    driven.until_ended(&execution).await;
    let release = driven.until_reported().await;
    assert_eq!(release.phase, Phase::Withdrawn);
    let because = release.ended_because.unwrap();
    assert!(because.contains("nobody-made-this-alarm"), "{because}");
    assert_eq!(driven.scene.traffic_changes().len(), 0);
    assert_eq!(driven.scene.stage.record().await.unwrap().unwrap().rollbacks.len(), 0);
    insta::assert_snapshot!(driven.path(&execution).await, @"Begin Open Preflight RollBack IsBack RolledBack");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_release_of_the_same_service_is_refused_and_disturbs_nothing() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, candidate, HEALTHY);
    let first =
        driven.start(candidate, json!({ "progress": { "stages": "10", "stage_duration": "4m" } })).await;
    driven.until_stage(1).await;
    let other = driven.candidate().await;
    let second = driven.start(other, json!({})).await;
    let ended = driven.until_ended(&second).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:?}");
    driven.until_quiet().await;
    assert_eq!(driven.scene.latest().await.phase, Phase::Shifting);
    let ended = driven.until_ended(&first).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_eq!(driven.scene.routing().await.version, candidate.to_string());
}

/// How long the longest of these may take: minutes last a second, and nothing waits for longer than half an hour.
pub(crate) const RELEASE_WAIT_MAX: Duration = Duration::from_secs(120);
