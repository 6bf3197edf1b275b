//! What is decided, and why: a table of situations with the answer that each must get, and the invariants by name.

use ripcord::decide::{Course, Decision, decide, decide_failure};
use ripcord::names::Weight;
use ripcord::notice::Severity;
use ripcord::plan::{LedgerWrite, SetTraffic, Step, Steps};
use ripcord::reason::Reason;
use ripcord::release::{Change, Phase, Release, Report};
use ripcord::signal::{AlarmChange, AlarmState, Signal};
use ripcord::situation::{Heard, heard_key};

use crate::worlds::{
    World, alarm, alarm_named, at, barrier, canary, change, command, complete, ended, intent, moment,
    past_rollback, rolled_back, seconds, traffic, v,
};

mod invariants;
mod races;

/// Decides at `now`, and checks what holds for every decision.
#[track_caller]
pub(crate) fn answer(world: &World, signal: &Signal, now: &str) -> Decision {
    let decision = decide(signal, &world.situation(), moment(at(now)));
    traffic_comes_first(&decision.steps);
    planning_again_changes_nothing(world, signal, &decision, now);
    decision
}

/// Nothing that people read or the ledger keeps stands before the call that moves traffic.
#[track_caller]
pub(crate) fn traffic_comes_first(steps: &Steps) {
    let moves = |row: &Vec<Step>| row.iter().any(Step::moves_traffic);
    let writes = |row: &Vec<Step>| {
        row.iter().any(|step| match step {
            Step::Write(write) => !is_claim(write),
            Step::Tell(_)
            | Step::Hear { .. }
            | Step::KeepLogs(_)
            | Step::Pin { .. }
            | Step::Note(_)
            | Step::StopExecution { .. } => true,
            Step::SetTraffic(_)
            | Step::Confirm { .. }
            | Step::StopDeployment { .. }
            | Step::Reverse(_)
            | Step::Await { .. }
            | Step::Turn(_)
            | Step::See(_) => false,
        })
    };
    if let (Some(traffic), Some(paperwork)) = (steps.iter().rposition(moves), steps.iter().position(writes)) {
        assert!(traffic < paperwork, "traffic does not come first in {steps:#?}");
    }
}

/// A claim on places that compare nothing is the one write that stands before the call.
fn is_claim(write: &LedgerWrite) -> bool {
    let claims = |release: &Release| release.changes.iter().any(|change| change.claim.is_some());
    write.release.as_ref().is_some_and(claims) && write.evidence.is_none()
}

/// Once a decision is carried out, the same signal finds nothing more to move.
#[track_caller]
fn planning_again_changes_nothing(world: &World, signal: &Signal, decision: &Decision, now: &str) {
    let mut after = world.clone();
    after.take(&decision.steps).expect("nobody else is at work");
    let again = decide(signal, &after.situation(), moment(at(now) + seconds(1)));
    assert!(!again.steps.iter().flatten().any(Step::moves_traffic), "planned again: {}", render(&again));
    // Whoever finds nothing to do may find a lease run out a second later, and a failure is told at every try.
    if decision.course != Course::Stuck && !decision.steps.is_empty() {
        let tells = again.steps.iter().flatten().any(|step| matches!(step, Step::Tell(_)));
        assert!(!tells, "told again: {}", render(&again));
    }
}

/// A decision as a person reads it: the course, the reason, and the steps, those of a row under one number.
pub(crate) fn render(decision: &Decision) -> String {
    format!("{:?}: {}\n{}", decision.course, decision.reason, render_steps(&decision.steps))
}

pub(crate) fn render_steps(steps: &Steps) -> String {
    let rows = steps.iter().filter(|row| !row.is_empty()).zip(1..).map(|(row, number)| {
        let steps: Vec<String> = row.iter().map(ToString::to_string).collect();
        format!("  {number}. {}\n", steps.join("\n   + "))
    });
    rows.collect()
}

/// The answers to many signals in many worlds, for one snapshot.
#[track_caller]
fn table(cases: Vec<(&str, World, Signal, &str)>) -> String {
    let rows = cases
        .into_iter()
        .map(|(title, world, signal, now)| format!("# {title}\n{}", render(&answer(&world, &signal, now))));
    rows.collect::<Vec<_>>().join("\n")
}

fn in_canary() -> World {
    World::checkout().released(canary()).serving("1:90,2:10")
}

fn completed() -> World {
    World::checkout().released(complete()).serving("2:100").with(|world| {
        world.record.known_good[0].version = v(2);
    })
}

fn after_rollback() -> World {
    World::checkout().released(rolled_back()).with(|world| {
        world.record.rollbacks.push(past_rollback(5, 2, at("10:06:00")));
    })
}

/// A release that touches two targets, and has taken both to 10 %.
fn two_targets() -> World {
    let changes = vec![change("api", 1, 2, 10.0), change("worker", 4, 7, 10.0)];
    World::of(&["api", "worker"]).released(Release { changes, ..canary() }).with(|world| {
        world.serve("api", "1:90,2:10");
        world.serve("worker", "4:90,7:10");
    })
}

fn state(state: AlarmState) -> Signal {
    Signal::Alarm(AlarmChange { state, ..alarm_named("errors", at("10:05:00")) })
}

#[test]
fn an_alarm_puts_a_release_back_inside_its_window() {
    insta::assert_snapshot!(table(vec![
        ("during the canary", in_canary(), alarm("10:05:00"), "10:05:02"),
        ("in the second in which the release was opened", in_canary(), alarm("10:00:00"), "10:05:02"),
        ("an hour after completion", completed(), alarm("12:00:00"), "12:00:02"),
        ("raised before completion, delivered after it", completed(), alarm("10:59:58"), "11:00:02"),
        ("at the end of the window", short_window(), alarm("12:00:00"), "12:00:02"),
        ("one second past the window", short_window(), alarm("12:00:01"), "12:00:02"),
        (
            "traffic is back already, and nobody wrote it down",
            in_canary().serving("1:100"),
            alarm("10:05:00"),
            "10:05:02"
        ),
        ("a shift is on its way", shift_on_its_way(), alarm("10:05:00"), "10:05:02"),
        ("a rollback that failed is tried again", failed_before(), alarm("10:20:00"), "10:20:02"),
    ]));
}

fn short_window() -> World {
    completed().with(|world| world.record.registration.rollback.window_hours = 1)
}

/// A shift was written down and has not moved the alias yet.
fn shift_on_its_way() -> World {
    let mut world = World::checkout();
    let revision = world.live("api").revision.to_string();
    let changes = vec![Change { intent: intent(10.0, &revision), ..change("api", 1, 2, 0.0) }];
    world.record.release = Some(Release { changes, ..canary() });
    world
}

fn failed_before() -> World {
    let failed = ended(Phase::RollbackFailed, "10:06:00", "throttled");
    World::checkout().released(failed).serving("1:90,2:10")
}

#[test]
fn without_a_release_to_blame_traffic_stays() {
    let suppressed = |by: &str| {
        let change = alarm_named("errors", at("10:05:00"));
        Signal::Alarm(AlarmChange { suppressed_by: Some(by.to_owned()), ..change })
    };
    let heard = |report| {
        World::checkout().with(|world| {
            let change = alarm_named("errors", at("10:05:00"));
            world.record.heard.push(Heard { key: heard_key(&change.alarm, change.changed_at), report });
        })
    };
    insta::assert_snapshot!(table(vec![
        ("nothing was ever released", World::checkout(), alarm("10:05:00"), "10:05:02"),
        ("the alarm cleared", in_canary(), state(AlarmState::Ok), "10:05:02"),
        ("the alarm has too little data", in_canary(), state(AlarmState::InsufficientData), "10:05:02"),
        ("the alarm is suppressed", in_canary(), suppressed("maintenance"), "10:05:02"),
        ("one second older than the release", in_canary(), alarm("09:59:59"), "10:05:02"),
        ("told before", heard(Report::Sent { at: at("10:05:01") }), alarm("10:05:00"), "10:05:02"),
        (
            "being told by another",
            heard(Report::Leased { until: at("10:05:03") }),
            alarm("10:05:00"),
            "10:05:02"
        ),
        (
            "whoever was to tell is gone",
            heard(Report::Leased { until: at("10:05:02") }),
            alarm("10:05:00"),
            "10:05:02"
        ),
        (
            "whoever was to tell is this one",
            heard(Report::Leased { until: at("10:05:32") }),
            alarm("10:05:00"),
            "10:05:02"
        ),
        ("held long after it had taken all traffic", held_complete(), alarm("12:00:02"), "12:00:03"),
    ]));
}

fn held_complete() -> World {
    let held =
        Release { changes: vec![change("api", 1, 2, 100.0)], ..ended(Phase::Held, "11:00:01", "a loop") };
    short_window().released(held)
}

#[test]
fn after_a_rollback_people_are_told_once() {
    let reporting = |until| {
        after_rollback().with(|world| {
            let release = world.record.release.as_mut().unwrap();
            release.report = Report::Leased { until: at(until) };
        })
    };
    insta::assert_snapshot!(table(vec![
        ("the same alarm again", after_rollback(), alarm("10:05:00"), "10:06:10"),
        ("raised in the moment of the rollback", after_rollback(), alarm("10:06:00"), "10:06:10"),
        ("a new alarm, with traffic back", after_rollback(), alarm("10:06:01"), "10:06:10"),
        (
            "a new alarm, with the candidate live again",
            after_rollback().serving("1:50,2:50"),
            alarm("10:06:01"),
            "10:06:10"
        ),
        ("another is telling", reporting("10:06:30"), alarm("10:05:00"), "10:06:10"),
        ("whoever was to tell is gone", reporting("10:06:10"), alarm("10:05:00"), "10:06:10"),
        ("this one was to tell, and lost a race since", reporting("10:06:40"), alarm("10:05:00"), "10:06:10"),
        ("a new alarm while another is telling", reporting("10:06:30"), alarm("10:06:01"), "10:06:10"),
        (
            "a new alarm, and whoever was to tell is gone",
            reporting("10:06:10"),
            alarm("10:06:01"),
            "10:06:10"
        ),
    ]));
}

#[test]
fn where_going_back_is_ruled_out_ripcord_holds() {
    let with_barrier =
        |since| in_canary().with(|world| world.record.registration.barriers = vec![barrier(since)]);
    let rollbacks = |count: u64, first_at: &str| {
        in_canary().with(|world| {
            world.record.rollbacks = (1..=count).map(|it| past_rollback(it, 8, at(first_at))).collect();
        })
    };
    let held =
        || World::checkout().released(ended(Phase::Held, "10:05:02", "a migration")).serving("1:90,2:10");
    let held_past_barrier = || held().with(|world| world.record.registration.barriers = vec![barrier(2)]);
    insta::assert_snapshot!(table(vec![
        ("a barrier at the candidate", with_barrier(2), alarm("10:05:00"), "10:05:02"),
        ("a barrier behind both", with_barrier(1), alarm("10:05:00"), "10:05:02"),
        ("a barrier ahead of both", with_barrier(3), alarm("10:05:00"), "10:05:02"),
        (
            "a barrier, and traffic is back already",
            with_barrier(2).serving("1:100"),
            alarm("10:05:00"),
            "10:05:02"
        ),
        ("as many rollbacks as may be", rollbacks(3, "09:30:00"), alarm("10:05:00"), "10:05:02"),
        ("one fewer", rollbacks(2, "09:30:00"), alarm("10:05:00"), "10:05:02"),
        (
            "the rollbacks are as old as they may be to count",
            rollbacks(3, "09:05:02"),
            alarm("10:05:00"),
            "10:05:02"
        ),
        (
            "the rollbacks are one second too old to count",
            rollbacks(3, "09:05:01"),
            alarm("10:05:00"),
            "10:05:02"
        ),
        ("an operator in a loop", rollbacks(3, "09:30:00"), command("10:05:00", None), "10:05:02"),
        ("somebody moved the alias", in_canary().serving("3:100"), alarm("10:05:00"), "10:05:02"),
        (
            "somebody shifts to a third version",
            in_canary().serving("2:90,3:10"),
            alarm("10:05:00"),
            "10:05:02"
        ),
        (
            "somebody moved the alias, and an operator asks",
            in_canary().serving("3:100"),
            command("10:05:00", None),
            "10:05:02"
        ),
        ("held, the same alarm again", held_past_barrier(), alarm("10:05:00"), "10:07:00"),
        ("held, a new alarm", held_past_barrier(), alarm("10:06:00"), "10:07:00"),
        (
            "held, an operator asks past the barrier",
            held_past_barrier(),
            command("10:06:00", None),
            "10:07:00"
        ),
        ("held, a new alarm, and nothing rules it out any more", held(), alarm("10:06:00"), "10:07:00"),
    ]));
}

#[test]
fn what_cannot_be_put_back_is_said_loudly() {
    let missing = in_canary().with(|world| world.forget_alias("api"));
    let unseen = in_canary().with(|world| {
        world
            .unseen
            .insert("api".parse().unwrap(), "lambda:GetAlias checkout-api:live: throttled".to_owned());
    });
    let one_missing = two_targets().with(|world| world.forget_alias("worker"));
    let missing_past_barrier = two_targets().with(|world| {
        world.record.release.as_mut().unwrap().phase = Phase::RolledBack;
        world.record.registration.barriers = vec![barrier(2)];
        world.forget_alias("worker");
    });
    insta::assert_snapshot!(table(vec![
        ("the alias is gone", missing, alarm("10:05:00"), "10:05:02"),
        ("the alias cannot be seen", unseen, alarm("10:05:00"), "10:05:02"),
        ("two targets", two_targets(), alarm("10:05:00"), "10:05:02"),
        (
            "two targets, one of them back already",
            two_targets().serving("1:100"),
            alarm("10:05:00"),
            "10:05:02"
        ),
        ("two targets, one of them missing", one_missing, alarm("10:05:00"), "10:05:02"),
        (
            "an operator, one target missing, the other past a barrier",
            missing_past_barrier,
            command("10:05:00", None),
            "10:05:02"
        ),
    ]));
}

#[test]
fn an_operator_is_obeyed() {
    let nothing_known = World::checkout().with(|world| world.record.known_good.clear());
    let reporting = after_rollback().serving("1:50,2:50").with(|world| {
        world.record.release.as_mut().unwrap().report = Report::Leased { until: at("10:07:30") };
    });
    insta::assert_snapshot!(table(vec![
        ("during the canary", in_canary(), command("10:05:00", None), "10:05:02"),
        ("to a named version", in_canary(), command("10:05:00", Some(3)), "10:05:02"),
        ("long after completion", short_window(), command("23:00:00", None), "23:00:02"),
        ("nothing was released", World::checkout().serving("3:100"), command("10:05:00", None), "10:05:02"),
        (
            "nothing was released, and a version is named",
            World::checkout(),
            command("10:05:00", Some(3)),
            "10:05:02"
        ),
        ("nothing is known to be good", nothing_known, command("10:05:00", None), "10:05:02"),
        ("what is known to be good is served", World::checkout(), command("10:05:00", None), "10:05:02"),
        ("after a rollback", after_rollback(), command("10:07:00", None), "10:07:02"),
        (
            "after a rollback, with leftovers, while another is telling",
            reporting,
            command("10:07:00", None),
            "10:07:02"
        ),
        ("older than the release", in_canary(), command("09:59:59", None), "10:05:02"),
        ("a version for two targets", two_targets(), command("10:05:00", Some(3)), "10:05:02"),
    ]));
}
