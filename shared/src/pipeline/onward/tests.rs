use super::*;
use crate::judge::{Observations, StageLimits, Unmeasured, judge};
use crate::names::Weight;
use crate::pipeline::Reached;
use crate::registration::Limits;
use crate::strategy::{PlannedStage, Strategy};

const TEMPO: Tempo = Tempo::REAL;

fn at(time: &str) -> Timestamp {
    format!("2026-03-02T{time}Z").parse().expect("a time")
}

fn planned(percent: u32, bake_minutes: u32, approval: bool) -> PlannedStage {
    PlannedStage { weight: Weight::from_percent(percent), bake_minutes, limits: Limits::default(), approval }
}

/// Stages of 10 %, 50 % and 100 %, ten minutes each, looked at every minute. The first began at 10:00:00, so that it counts
/// from 10:01:00, is baked at 10:12:30, and given up at 10:22:30: a minute to settle, and 30 seconds for the slowest request.
fn run() -> Run {
    Run {
        execution: "arn:aws:states:eu-west-1:123456789012:execution:release:1".to_owned(),
        strategy: Strategy {
            name: "custom".to_owned(),
            stages: vec![planned(10, 10, false), planned(50, 10, false), planned(100, 10, false)],
            stabilise_seconds: 60,
            extend_minutes_max: None,
            unproven: Unproven::RollBack,
            approval_minutes_max: 240,
            look_minutes: 1,
        },
        reached: vec![Reached { at: at("10:00:00"), approved_by: None }],
        awaiting: None,
        waiver: None,
        attestations: std::collections::BTreeMap::new(),
        timeout_seconds: 30,
    }
}

/// A look that has measured everything up to a minute before.
fn look(verdict: Verdict, now: Timestamp) -> Look {
    Look { verdict, why: "why".to_owned(), measured_until: Some(TEMPO.settled(now)) }
}

fn said(onward: &Onward) -> String {
    let Onward { next, stage, wait_seconds, then, reason, measured_bad } = onward;
    let bad = if *measured_bad { ", measured bad" } else { "" };
    format!("{next:?} {stage} after {wait_seconds} s then {then:?}{bad}: {reason}")
}

#[track_caller]
fn check(run: &Run, verdict: Verdict, now: &str, expect: &str) {
    let now = at(now);
    assert_eq!(said(&decide_onward(run, &look(verdict, now), now, TEMPO)), expect);
}

#[test]
fn a_failure_goes_back_at_once_whatever_the_time() {
    for now in ["10:00:00", "10:05:20", "10:12:30", "23:00:00"] {
        check(&run(), Verdict::Fail, now, "RollBack 0 after 0 s then Shift, measured bad: why");
    }
}

#[test]
fn a_stage_passes_from_the_end_of_its_bake_with_everything_told() {
    check(&run(), Verdict::Pass, "10:12:29", "Look 0 after 1 s then Shift: why");
    check(&run(), Verdict::Pass, "10:12:30", "Shift 1 after 0 s then Shift: why");
}

#[test]
fn without_a_time_to_settle_the_shift_itself_does_not_count() {
    let mut run = run();
    run.strategy.stabilise_seconds = 0;
    assert_eq!(run.counts_from(0, TEMPO), Some(at("10:00:10")));
    check(&run, Verdict::Pass, "10:11:39", "Look 0 after 1 s then Shift: why");
    check(&run, Verdict::Pass, "10:11:40", "Shift 1 after 0 s then Shift: why");
    run.strategy.stabilise_seconds = 11;
    assert_eq!(run.counts_from(0, TEMPO), Some(at("10:00:11")));
}

#[test]
fn what_is_not_proved_is_watched_longer_but_not_for_ever() {
    check(&run(), Verdict::Inconclusive, "10:12:29", "Look 0 after 1 s then Shift: why");
    let longer = "not proved within its bake of 10 min: why";
    check(&run(), Verdict::Inconclusive, "10:12:30", &format!("Look 0 after 30 s then Shift: {longer}"));
    check(&run(), Verdict::Inconclusive, "10:22:29", &format!("Look 0 after 1 s then Shift: {longer}"));
    let over = "RollBack 0 after 0 s then Shift: still not proved after 20 min: why";
    check(&run(), Verdict::Inconclusive, "10:22:30", over);
    check(&run(), Verdict::Error, "10:22:30", over);
    // A proof that comes at last is one.
    check(&run(), Verdict::Pass, "10:22:30", "Shift 1 after 0 s then Shift: why");
}

#[test]
fn an_extension_is_as_long_as_it_was_registered() {
    let mut run = run();
    run.strategy.extend_minutes_max = Some(0);
    let over = "RollBack 0 after 0 s then Shift: still not proved after 10 min: why";
    check(&run, Verdict::Inconclusive, "10:12:30", over);
    run.strategy.extend_minutes_max = Some(1);
    let longer = "Look 0 after 1 s then Shift: not proved within its bake of 10 min: why";
    check(&run, Verdict::Inconclusive, "10:13:29", longer);
    let over = "RollBack 0 after 0 s then Shift: still not proved after 11 min: why";
    check(&run, Verdict::Inconclusive, "10:13:30", over);
}

#[test]
fn a_person_decides_on_thin_evidence_but_not_on_none() {
    let mut run = run();
    run.strategy.unproven = Unproven::Ask;
    let over = "still not proved after 20 min: why";
    let asked = format!("Approve 1 after 14400 s then Shift: {over}");
    check(&run, Verdict::Inconclusive, "10:22:30", &asked);
    check(&run, Verdict::Error, "10:22:30", &format!("RollBack 0 after 0 s then Shift: {over}"));
    run.strategy.stages.truncate(1);
    let asked = format!("Approve 1 after 14400 s then Verify: {over}");
    check(&run, Verdict::Inconclusive, "10:22:30", &asked);
}

#[test]
fn the_next_look_is_just_after_a_minute_has_settled() {
    for (now, wait) in [("10:05:00", 60), ("10:05:01", 59), ("10:05:59", 1), ("10:05:59.5", 1)] {
        check(&run(), Verdict::Inconclusive, now, &format!("Look 0 after {wait} s then Shift: why"));
    }
    let mut rare = run();
    rare.strategy.look_minutes = 4;
    check(&rare, Verdict::Inconclusive, "10:05:00", "Look 0 after 240 s then Shift: why");
    check(&rare, Verdict::Inconclusive, "10:09:00", "Look 0 after 210 s then Shift: why");
    // What could not be seen is looked at again soon.
    check(&rare, Verdict::Error, "10:05:00", "Look 0 after 60 s then Shift: why");
    rare.strategy.look_minutes = 0;
    check(&rare, Verdict::Inconclusive, "10:05:01", "Look 0 after 59 s then Shift: why");
}

#[test]
fn no_look_follows_another_without_a_wait() {
    for verdict in [Verdict::Pass, Verdict::Inconclusive, Verdict::Error] {
        for second in 0..1_500 {
            let now = at("10:00:00") + SignedDuration::from_secs(second);
            let onward = decide_onward(&run(), &look(verdict, now), now, TEMPO);
            if onward.next == Turn::Look {
                assert!((1..=60).contains(&onward.wait_seconds), "{verdict} at {now}: {}", said(&onward));
            }
        }
    }
}

#[track_caller]
fn check_blind(run: &Run, measured_until: Option<&str>, now: &str, expect: &str) {
    let look =
        Look { verdict: Verdict::Error, why: "throttled".to_owned(), measured_until: measured_until.map(at) };
    assert_eq!(said(&decide_onward(run, &look, at(now), TEMPO)), expect);
}

#[test]
fn a_stage_that_nobody_can_see_goes_back_after_ten_minutes() {
    let mut run = run();
    // A look a minute, and the newest minute that could be seen was a minute old: twelve minutes, ten of them blind.
    check_blind(
        &run,
        Some("10:05:00"),
        "10:17:00",
        "Look 0 after 60 s then Shift: not proved within its bake of 10 min: throttled",
    );
    let back = "RollBack 0 after 0 s then Shift: not measured for 12 min 1 s > limit 12 min 0 s: throttled";
    check_blind(&run, Some("10:05:00"), "10:17:01", back);
    // Never measured: since the stage began to count, at 10:01:00.
    check_blind(&run, None, "10:12:00", "Look 0 after 30 s then Shift: throttled");
    check_blind(&run, None, "10:13:01", back);
    // What was measured before the stage began says nothing of it.
    check_blind(&run, Some("09:00:00"), "10:12:00", "Look 0 after 30 s then Shift: throttled");
    // One failed look does not undo what was seen before, however rarely a stage is looked at.
    run.strategy.stages[0].bake_minutes = 10_080;
    run.strategy.look_minutes = 14;
    check_blind(&run, Some("11:00:00"), "11:15:30", "Look 0 after 30 s then Shift: throttled");
    check_blind(&run, Some("11:00:00"), "11:25:00", "Look 0 after 60 s then Shift: throttled");
    let back = "RollBack 0 after 0 s then Shift: not measured for 25 min 1 s > limit 25 min 0 s: throttled";
    check_blind(&run, Some("11:00:00"), "11:25:01", back);
}

#[test]
fn a_thin_stage_is_not_a_blind_one() {
    let look = Look { verdict: Verdict::Inconclusive, why: "why".to_owned(), measured_until: None };
    assert_eq!(decide_onward(&run(), &look, at("10:22:29"), TEMPO).next, Turn::Look);
}

#[test]
fn the_last_stage_leads_to_the_last_checks() {
    let mut run = run();
    run.reached =
        ["09:00:00", "09:30:00", "10:00:00"].map(|time| Reached { at: at(time), approved_by: None }).into();
    check(&run, Verdict::Pass, "10:12:29", "Look 2 after 1 s then Shift: why");
    check(&run, Verdict::Pass, "10:12:30", "Verify 3 after 0 s then Shift: why");
}

#[test]
fn a_stage_that_needs_a_person_asks_one_for_a_bounded_time() {
    let mut run = run();
    run.strategy.stages[1].approval = true;
    check(&run, Verdict::Pass, "10:12:30", "Approve 1 after 14400 s then Shift: why");
    run.strategy.approval_minutes_max = 0;
    check(&run, Verdict::Pass, "10:12:30", "Approve 1 after 60 s then Shift: why");
    run.strategy.approval_minutes_max = u32::MAX;
    check(&run, Verdict::Pass, "10:12:30", "Approve 1 after 1209600 s then Shift: why");
}

#[test]
fn a_release_that_has_begun_no_stage_goes_back() {
    let run = Run { reached: Vec::new(), ..run() };
    let expect = "RollBack 0 after 0 s then Shift: no stage of the release has begun";
    check(&run, Verdict::Pass, "10:12:30", expect);
}

#[test]
fn the_first_look_comes_when_a_minute_can_be_complete() {
    let first = |run: &Run| said(&onward_after_shift(run, 0));
    assert_eq!(first(&run()), "Look 0 after 180 s then Shift: stage 1 at 10% has begun");
    let mut at_once = run();
    at_once.strategy.stabilise_seconds = 0;
    assert_eq!(first(&at_once), "Look 0 after 130 s then Shift: stage 1 at 10% has begun");
}

#[test]
fn a_rehearsal_waits_as_many_seconds_of_its_plan() {
    let tempo = Tempo::of_minute_ms(1_000);
    let now = at("10:00:05.250");
    let look = Look { verdict: Verdict::Inconclusive, why: "why".to_owned(), measured_until: None };
    // Three quarters of a minute of the plan are 750 ms of its real one.
    assert_eq!(decide_onward(&run(), &look, now, tempo).wait_seconds, 45);
    // Baked 12.5 of its minutes after it began.
    let pass = Look { verdict: Verdict::Pass, ..look };
    assert_eq!(decide_onward(&run(), &pass, at("10:00:12.499"), tempo).next, Turn::Look);
    assert_eq!(decide_onward(&run(), &pass, at("10:00:12.500"), tempo).next, Turn::Shift);
}

#[test]
fn a_look_says_what_made_its_verdict_and_how_much_more_there_is() {
    let gaps = |count: usize| {
        let gap = |index| Unmeasured { what: format!("metric {index}"), why: "Forbidden".to_owned() };
        let observations = Observations {
            stage: 0,
            stages: vec![StageLimits { error_rate_max: 0.01, latency: None }],
            minutes: Vec::new(),
            gauges: Vec::new(),
            alarms: Vec::new(),
            unmeasured: (0..count).map(gap).collect(),
        };
        Look::of(&judge(&observations), None)
    };
    let unproven = gaps(0);
    assert_eq!(unproven.verdict, Verdict::Inconclusive);
    assert!(unproven.why.starts_with("errors in no requests prove no limit 1.0% yet"), "{}", unproven.why);
    assert_eq!(gaps(4).why.matches("Forbidden").count(), 4);
    assert!(!gaps(4).why.contains("more"), "{}", gaps(4).why);
    assert_eq!(gaps(5).why.matches("Forbidden").count(), 4);
    assert!(gaps(5).why.ends_with("; and 1 more"), "{}", gaps(5).why);
}
