//! Races that the simulation has found, each as it took place.

use ripcord::decide::Decision;

use super::*;
use crate::worlds::{change, complete, intent};

const ANOTHER: &str =
    "arn:aws:states:eu-west-1:123456789012:execution:ripcord-progressive-release:checkout-3";

/// Takes all rows of a decision before the first that holds such a step, and gives the rest.
fn take_until(world: &mut World, steps: &Steps, call: &str) -> Steps {
    let at = steps.iter().position(|row| render_steps(&vec![row.clone()]).contains(call)).unwrap();
    world.take(&steps[..at].to_vec()).unwrap();
    steps[at..].to_vec()
}

fn decide_and_take(world: &mut World, signal: &Signal, now: &str) -> Decision {
    let decision = answer(world, signal, now);
    world.take(&decision.steps).unwrap();
    decision
}

fn by_another(version: &str) -> Value {
    let mut document = open(json!({ "version": version }));
    document["execution"] = json!(ANOTHER);
    document
}

#[test]
fn a_release_completes_with_all_its_targets_or_not_at_all() {
    let mut world = World::of(&["api", "worker"]);
    take(&mut world, &open(json!({ "target": "api" })), "10:00:00");
    let api = |stage| json!({ "service": "checkout", "target": "api", "release": 1, "stage": stage });
    for stage in 0..3 {
        take(&mut world, &api(stage), &format!("10:{stage}1:00"));
    }
    let join = |weights| json!({ "service": "checkout", "target": "worker", "weights": weights });
    take(&mut world, &join("1:50,2:50"), "10:25:00");
    let message = "release 1 takes worker along, which is not all on version 2 yet";
    refused(&world, &api(3), ErrorType::ReleaseConflict, message);
    let promote = ask(&world, &join("2:100"), "10:26:00").unwrap();
    world.take(&promote.steps).unwrap();
    assert_eq!(ask(&world, &api(3), "10:27:00").unwrap().onward.unwrap().next, Turn::End);
}

#[test]
fn a_release_is_not_complete_while_a_shift_of_another_target_is_under_way() {
    let mut world = World::of(&["api", "worker"]);
    world.serve("api", "2:100");
    world.serve("worker", "1:50,2:50");
    let mut api = change("api", 1, 2, 100.0);
    let promote = |world: &World| {
        ask(world, &json!({ "service": "checkout", "target": "worker", "weights": "2:100" }), "10:30:00")
    };
    for (intent, phase) in
        [(None, Phase::Complete), (intent(50.0, world.live("api").revision.as_str()), Phase::Shifting)]
    {
        api.intent = intent;
        let changes = vec![api.clone(), change("worker", 1, 2, 50.0)];
        let mut world = world.clone().released(Release { changes, ..canary() });
        let shift = promote(&world).unwrap();
        world.take(&shift.steps).unwrap();
        assert_eq!(release(&world).phase, phase);
    }
}

#[test]
fn a_task_that_outlives_its_execution_opens_nothing() {
    let mut world = World::checkout().released(complete()).serving("2:100");
    let slow = ask(&world, &open(json!({ "version": "3" })), "10:30:00").unwrap();
    let decision =
        decide_and_take(&mut world, &given_up(EXECUTION, "its execution ended as ABORTED"), "10:30:05");
    assert_eq!(decision.course, Course::StandDown);
    assert!(world.take(&slow.steps).is_err(), "the task comes too late");
    assert_eq!(Release { seq: complete().seq, ..release(&world).clone() }, complete());
    refused(&world, &open(json!({ "version": "3" })), ErrorType::ReleaseClosed, "opens no release any more");
    assert!(ask(&world, &by_another("3"), "10:31:00").is_ok(), "another execution may");
    let again = answer(&world, &given_up(EXECUTION, "its execution ended as ABORTED"), "10:30:06");
    assert_eq!(render_steps(&again.steps), "", "it is noted once");
}

#[test]
fn a_release_completed_while_its_traffic_goes_back_is_rolled_back() {
    let mut world = in_stage(2);
    let completing = ask(&world, &to_stage(3), "10:40:00").unwrap();
    let stopped = given_up(EXECUTION, "its execution ended as ABORTED");
    let going_back = answer(&world, &stopped, "10:40:00");
    let completing = take_until(&mut world, &completing.steps, "dynamodb:TransactWriteItems");
    let going_back = take_until(&mut world, &going_back.steps, "dynamodb:TransactWriteItems");
    world.take(&completing).unwrap();
    assert!(world.take(&going_back).is_err(), "its books are closed to it");
    assert_eq!(release(&world).phase, Phase::Complete);

    let decision = decide_and_take(&mut world, &stopped, "10:40:01");
    assert_eq!(decision.course, Course::Settle, "{}", decision.reason);
    assert_eq!((release(&world).phase, world.live("api").traffic), (Phase::RolledBack, traffic("1:100")));
    assert_eq!(world.record.known_good[0].version, v(1));
}

#[test]
fn a_person_who_names_a_version_quarantines_nothing_that_had_no_traffic() {
    for (to, weights) in [(1, "1:100"), (3, "3:100")] {
        let mut world = opened();
        decide_and_take(&mut world, &command("10:30:00", Some(to)), "10:30:01");
        assert_eq!((release(&world).phase, world.live("api").traffic), (Phase::Withdrawn, traffic(weights)));
        assert_eq!(world.record.rollbacks, []);
    }
}

#[test]
fn who_opens_a_release_tells_first_what_was_left_untold() {
    for next in [by_another("3"), json!({ "service": "checkout", "weights": "1:90,3:10" })] {
        let mut world = in_stage(0);
        let decision = answer(&world, &alarm("10:30:00"), "10:30:01");
        take_until(&mut world, &decision.steps, "sns:Publish");
        assert_eq!(release(&world).phase, Phase::RolledBack);
        let shift = ask(&world, &next, "10:30:10").unwrap();
        let first = render_steps(&vec![shift.steps[0].clone()]);
        assert!(first.contains("checkout was rolled back (release 1)"), "{first}");
        world.take(&shift.steps).unwrap();
        assert_eq!(release(&world).report, Report::NotDue);
    }
}

#[test]
fn a_state_machine_tells_people_itself_where_another_may_have_died() {
    let mut world = in_stage(0);
    let failed = given_up(EXECUTION, "errors 3.1% > limit 1.0%");
    let died = answer(&world, &failed, "10:30:00");
    take_until(&mut world, &died.steps, "sns:Publish");
    // Within the lease of the one that died.
    let by_alarm = answer(&world, &alarm("10:29:00"), "10:30:02");
    assert_eq!(render_steps(&by_alarm.steps), "");
    decide_and_take(&mut world, &failed, "10:30:02");
    assert!(matches!(release(&world).report, Report::Sent { .. }));
    assert!(world.notices.iter().any(|it| it.title == "checkout was rolled back (release 1)"));
}

#[test]
fn an_execution_that_ended_before_a_hold_does_not_undo_it() {
    let mut world = in_stage(2);
    take(&mut world, &to_stage(3), "10:40:00");
    let stopped = given_up(EXECUTION, "its execution ended as ABORTED");
    decide_and_take(&mut world, &stopped, "10:40:01");
    world.record.registration.rollback.rollbacks_max = 1;
    world.record.rollbacks = vec![past_rollback(0, 9, at("10:20:00"))];
    let held = decide_and_take(&mut world, &alarm("10:45:00"), "10:45:01");
    assert_eq!((held.course, release(&world).phase), (Course::Hold, Phase::Held));
    let again = answer(&world, &stopped, "10:46:00");
    assert_eq!((again.course, again.steps.len()), (Course::StandDown, 0), "{}", again.reason);
}
