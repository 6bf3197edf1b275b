//! What happens between reading and writing. Each of these was once a gap.

use super::*;
use ripcord::shift::{ShiftRequest, decide_shift};
use serde_json::json;

use crate::worlds::Interruption;

/// The rows of a shift to `weights`, decided now.
fn shift_rows(world: &World, weights: &str, now: &str) -> Steps {
    let request = ShiftRequest::read(&json!({ "service": "checkout", "weights": weights })).unwrap();
    decide_shift(&request, &world.shift_situation(&request), moment(at(now))).unwrap().steps
}

/// Takes rows until the first that moves traffic, and gives back the rest.
fn take_until_traffic(world: &mut World, steps: Steps) -> Steps {
    let first = steps.iter().position(|row| row.iter().any(Step::moves_traffic)).unwrap();
    let rest = steps[first..].to_vec();
    world.take(&steps[..first].to_vec()).unwrap();
    rest
}

#[test]
fn a_shift_that_was_written_down_comes_too_late_after_a_rollback() {
    let mut world = World::checkout();
    let shift = shift_rows(&world, "1:90,2:10", "10:00:00");
    let rest = take_until_traffic(&mut world, shift);
    let rollback = answer(&world, &alarm("10:00:01"), "10:00:02");
    assert_eq!(rollback.course, Course::Settle, "{}", render(&rollback));
    world.take(&rollback.steps).unwrap();
    assert!(matches!(world.take(&rest), Err(Interruption::Raced(_))), "the shift must lose");
    assert_eq!(world.live("api").traffic, traffic("1:100"));
}

/// The second shift replaces the intent of the first. The first still holds the alias's revision.
#[test]
fn a_slow_shift_loses_even_if_another_has_replaced_its_intent() {
    let mut world = World::checkout();
    let slow = shift_rows(&world, "1:90,2:10", "10:00:00");
    let slow = take_until_traffic(&mut world, slow);
    let other = shift_rows(&world, "1:100,2:0", "10:00:01");
    world.take(&other).unwrap();
    assert!(matches!(world.take(&slow), Err(Interruption::Raced(_))), "the slow shift must lose");
    assert_eq!(world.live("api").traffic, traffic("1:100"));
}

/// The alias is read before a shift and the ledger after it: then traffic only seems to be back.
#[test]
fn traffic_that_only_seems_to_be_back_is_read_again() {
    let before = World::checkout();
    let mut world = before.clone();
    let shift = shift_rows(&world, "1:90,2:10", "10:00:00");
    world.take(&shift).unwrap();
    let mut mixed = before.situation();
    mixed.record = world.record.clone();
    let decision = decide(&alarm("10:00:01"), &mixed, moment(at("10:00:02")));
    assert_eq!(decision.course, Course::Settle);
    assert!(matches!(world.take(&decision.steps), Err(Interruption::Raced(_))), "it must look again");
    assert_eq!(world.record.release.as_ref().unwrap().phase, Phase::Shifting);
    let again = answer(&world, &alarm("10:00:01"), "10:00:03");
    assert_eq!(again.course, Course::Restore);
}

/// The ledger is read before the next release was opened and the alias after it.
#[test]
fn an_alarm_of_the_last_release_leaves_the_next_one_alone() {
    let mut world = completed();
    let seen = world.situation().record;
    let shift = shift_rows(&world, "2:90,3:10", "11:30:00");
    world.take(&shift).unwrap();
    let mut mixed = world.situation();
    mixed.record = seen;
    let decision = decide(&alarm("11:29:59"), &mixed, moment(at("11:30:01")));
    assert_eq!(decision.course, Course::Hold, "{}", render(&decision));
    assert!(matches!(world.take(&decision.steps), Err(Interruption::Raced(_))));
    assert_eq!(world.live("api").traffic, traffic("2:90,3:10"));
}

/// Traffic was put back and the ledger does not know of it yet. Somebody repeats weights that they had seen before.
#[test]
fn what_is_being_taken_back_is_not_released_again_meanwhile() {
    let mut world = completed();
    let rollback = answer(&world, &alarm("12:00:00"), "12:00:02");
    world.take(&rollback.steps[..2].to_vec()).unwrap();
    let request = ShiftRequest::read(&json!({ "service": "checkout", "weights": "2:100" })).unwrap();
    let refusal =
        decide_shift(&request, &world.shift_situation(&request), moment(at("12:00:03"))).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the alias serves 1 on 100%, but the ledger confirmed 2 on 100%: somebody else moved it, perhaps a rollback"
    );
}

/// Whoever loses a race looks again, and may find its own lease there.
#[test]
fn an_invocation_does_not_wait_for_itself() {
    let mut world = in_canary();
    let decision = answer(&world, &alarm("10:05:00"), "10:05:02");
    world.take(&decision.steps[..3].to_vec()).unwrap();
    let own = ripcord::decide::Moment { now: at("10:05:03"), lease_until: at("10:05:32") };
    let again = decide(&alarm("10:05:00"), &world.situation(), own);
    assert_eq!(again.course, Course::Settle, "{}", render(&again));
    world.take(&again.steps).unwrap();
    assert_eq!(world.notices.len(), 1);
    let other = decide(&alarm("10:05:00"), &world.situation(), moment(at("10:05:03")));
    assert!(other.steps.is_empty());
}

/// The clock of this invocation is behind that of CloudWatch.
#[test]
fn an_alarm_is_recognised_although_the_clocks_differ() {
    let mut world = in_canary();
    let decision = answer(&world, &alarm("10:05:02"), "10:05:00");
    world.take(&decision.steps).unwrap();
    let again = answer(&world, &alarm("10:05:02"), "10:05:01");
    assert!(matches!(again.reason, Reason::AlreadyRolledBack { .. }), "{}", render(&again));
}

/// A hold was answered once. When the reason for it has gone, only news moves traffic.
#[test]
fn an_alarm_that_was_held_does_not_come_back_hours_later() {
    let mut world = in_canary().with(|world| {
        world.record.rollbacks = (1..=3).map(|it| past_rollback(it, 8, at("10:00:00"))).collect();
    });
    let held = answer(&world, &alarm("10:05:00"), "10:05:02");
    world.take(&held.steps).unwrap();
    let late = answer(&world, &alarm("10:05:00"), "16:00:00");
    assert!(matches!(late.reason, Reason::AlreadyHeard { .. }), "{}", render(&late));
    let news = answer(&world, &alarm("15:59:58"), "16:00:00");
    assert_eq!(news.course, Course::Restore);
}

/// Two rollbacks of one release meet: the loser looks again and finds the work done.
#[test]
fn the_loser_of_a_race_finds_the_work_done() {
    let mut world = in_canary();
    let (first, second) = (alarm("10:05:00"), Signal::Alarm(alarm_named("latency", at("10:05:01"))));
    let decisions = [&first, &second].map(|signal| answer(&world, signal, "10:05:02"));
    world.take(&decisions[0].steps).unwrap();
    assert!(matches!(world.take(&decisions[1].steps), Err(Interruption::Raced(_))));
    let again = answer(&world, &second, "10:05:03");
    assert!(matches!(again.reason, Reason::AlreadyRolledBack { .. }), "{}", render(&again));
    assert_eq!((world.moved.len(), world.notices.len()), (1, 1));
}

/// The invocation that put traffic back ended before it told people, and the command that comes again is ruled out.
#[test]
fn what_was_left_untold_is_told_even_where_nothing_can_be_done() {
    let untold = |mut world: World| {
        world.record.release.as_mut().unwrap().report = Report::Leased { until: at("10:06:30") };
        world
    };
    let barred = untold(after_rollback().serving("2:100")).with(|world| {
        world.record.registration.barriers = vec![barrier(2)];
    });
    let missing = untold(after_rollback()).with(|world| world.forget_alias("api"));
    for (mut world, course) in
        [(barred, Course::Hold), (missing, Course::Stuck), (untold(after_rollback()), Course::Settle)]
    {
        let decision = answer(&world, &command("10:05:00", None), "10:07:00");
        assert_eq!(decision.course, course, "{}", render(&decision));
        world.take(&decision.steps).unwrap();
        assert!(world.notices.iter().any(|notice| notice.title == "checkout was rolled back (release 5)"));
    }
}
