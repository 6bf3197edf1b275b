//! What was released without a word: found where AWS says what was brought to a place, and when.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects, and fails on everything else"
)]

use jiff::Timestamp;
use ripcord::decide::{Course, Decision, Moment, decide};
use ripcord::names::Version;
use ripcord::place::Brought;
use ripcord::release::Phase;
use ripcord::signal::Signal;
use ripcord::situation::{Sighting, Situation};

use super::scene::Scene;
use super::things::Kind;
use super::world::{alarm_at, at, seconds};

fn v(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// A state machine that was on version 1, and is seen on another one, which was brought there at `brought_at`.
fn found(version: u64, brought_at: Timestamp) -> Situation {
    let mut scene = Scene::of(&[("flow", Kind::Machine, 0)]);
    scene.world.meddle(&"flow".parse().unwrap(), v(version));
    brought(scene.world.situation(), version, brought_at)
}

fn brought(mut situation: Situation, version: u64, at: Timestamp) -> Situation {
    match situation.live.get_mut(&"flow".parse().unwrap()) {
        Some(Sighting::Place(live)) => live.brought = Some(Brought { version: v(version), at }),
        other => panic!("{other:?}"),
    }
    situation
}

fn answered(situation: &Situation, signal: &Signal) -> Decision {
    let now = signal.raised_at() + seconds(1);
    decide(signal, situation, Moment { now, lease_until: now + seconds(30) })
}

#[track_caller]
fn check(situation: &Situation, fired_at: Timestamp, expected: Course) -> Decision {
    let decision = answered(situation, &alarm_at(fired_at));
    assert_eq!(decision.course, expected, "{}", decision.reason);
    decision
}

const WINDOW_S: i64 = 24 * 3600;

#[test]
fn what_was_brought_inside_the_window_goes_back() {
    let brought_at = at("10:00:00");
    for (after_s, expected) in [
        (0, Course::Restore),
        (WINDOW_S, Course::Restore),
        (WINDOW_S + 1, Course::StandDown),
        // It came after the alarm, which is about something else.
        (-1, Course::StandDown),
    ] {
        check(&found(2, brought_at), brought_at + seconds(after_s), expected);
    }
}

#[test]
fn a_found_release_is_written_down_as_found() {
    let decision = check(&found(2, at("10:00:00")), at("10:05:00"), Course::Restore);
    let released = decision.steps.iter().flatten().find_map(|step| match step {
        ripcord::plan::Step::Write(write) => write.release.clone(),
        _ => None,
    });
    let released = released.unwrap();
    assert_eq!(
        (released.opened_by.as_str(), released.opened_at),
        ("somebody outside Ripcord", at("10:00:00"))
    );
    assert_eq!((released.changes[0].stable, released.changes[0].candidate), (v(1), v(2)));
}

#[test]
fn what_is_known_to_be_good_was_not_released() {
    check(&found(1, at("10:00:00")), at("10:05:00"), Course::StandDown);
}

/// After a release from 1 to 2 that was rolled back.
fn after_rollback() -> (Situation, Timestamp) {
    let mut scene = Scene::of(&[("flow", Kind::Machine, 0)]);
    scene.shift("flow", "1:90,2:10");
    let alarm = alarm_at(scene.clock);
    scene.pull(&alarm);
    assert_eq!(scene.phase(), Phase::RolledBack);
    let ended_at = scene.release().ended_at.unwrap();
    (scene.world.situation(), ended_at)
}

#[test]
fn a_way_back_is_no_release() {
    let (mut situation, ended_at) = after_rollback();
    // Another one that has not heard of the rollback yet would know the candidate as good.
    situation.record.known_good[0].version = v(2);
    let seen = brought(situation, 1, ended_at + seconds(1));
    let decision = answered(&seen, &alarm_at(ended_at + seconds(60)));
    assert!(!decision.steps.iter().flatten().any(ripcord::plan::Step::moves_traffic), "{}", decision.reason);
}

#[test]
fn only_what_came_after_the_latest_release_is_new() {
    for (after_s, expected) in [(-1, false), (0, false), (1, true)] {
        let (situation, ended_at) = after_rollback();
        let seen = brought(situation, 3, ended_at + seconds(after_s));
        let decision = answered(&seen, &alarm_at(ended_at + seconds(60)));
        let is_found = decision.reason.to_string().contains("release 2");
        assert_eq!(is_found, expected, "{after_s}: {}", decision.reason);
    }
}

#[test]
fn an_open_release_is_not_overtaken_by_what_was_found() {
    let mut scene = Scene::of(&[("flow", Kind::Machine, 0)]);
    scene.shift("flow", "1:90,2:10");
    let fired_at = scene.clock + seconds(60);
    let seen = brought(scene.world.situation(), 2, scene.clock + seconds(1));
    let decision = check(&seen, fired_at, Course::Restore);
    assert!(decision.reason.to_string().contains("release 1"), "{}", decision.reason);
}
