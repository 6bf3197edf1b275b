//! What a try that died between two calls has left undone, the next one does.

use super::*;
use crate::worlds::SERVICE;

/// Takes some rows of what is decided for the first try, and all of what is decided for the next.
fn take_twice(world: &mut World, first: &Steps, rows: usize, next: impl Fn(&World) -> Steps) {
    world.take(&first[..rows].to_vec()).unwrap();
    let steps = next(world);
    world.take(&steps).unwrap();
}

#[track_caller]
fn told(world: &World, title: &str, rows: usize) {
    let told = world.notices.iter().filter(|notice| notice.title.contains(title)).count();
    assert!((1..=2).contains(&told), "{told} notices after {rows} rows");
}

#[test]
fn an_opening_is_pinned_and_told_by_the_next_try() {
    let pin = ("checkout-api".parse().unwrap(), "live-last-known-good".parse().unwrap());
    let steps = ask(&World::checkout(), &open(json!({})), "10:00:00").unwrap().steps;
    assert_eq!(steps.len(), 3);
    for rows in 0..=steps.len() {
        let mut world = World::checkout();
        let next = |world: &World| ask(world, &open(json!({})), "10:01:00").unwrap().steps;
        take_twice(&mut world, &steps, rows, next);
        assert_eq!(world.aliases[&pin].traffic, traffic("1:100"), "after {rows} rows");
        told(&world, "was opened", rows);
        assert_eq!(world.moved, []);
    }
    // Once a stage has begun, a late repetition has nothing to say.
    assert_eq!(ask(&in_stage(0), &open(json!({})), "10:30:00").unwrap().steps, Steps::new());
}

#[test]
fn a_completion_is_told_by_the_next_try() {
    let steps = ask(&in_stage(2), &to_stage(3), "10:40:00").unwrap().steps;
    assert_eq!(steps.len(), 3);
    for rows in 0..=steps.len() {
        let mut world = in_stage(2);
        take_twice(&mut world, &steps, rows, |world| ask(world, &to_stage(3), "10:41:00").unwrap().steps);
        told(&world, "is complete", rows);
        assert_eq!((release(&world).phase, world.moved.len()), (Phase::Complete, 3));
    }
    // A person who has completed it has told so.
    let mut promoted = in_stage(1);
    let weights = json!({ "service": SERVICE, "weights": "2:100", "override": "the fix must out" });
    let steps = ask(&promoted, &weights, "10:35:00").unwrap().steps;
    promoted.take(&steps).unwrap();
    assert_eq!(ask(&promoted, &to_stage(2), "10:36:00").unwrap().steps, Steps::new());
}

#[test]
fn whoever_pulls_the_cord_ends_the_execution_however_often_they_die() {
    let is_stop = |row: &Vec<Step>| matches!(row.as_slice(), [Step::StopExecution { .. }]);
    for signal in [alarm("10:35:00"), command("10:35:00", None)] {
        for begun in [opened(), in_stage(1)] {
            let steps = answer(&begun, &signal, "10:40:00").steps;
            assert!(steps.iter().any(is_stop), "{signal:?}");
            for rows in 0..=steps.len() {
                let mut world = begun.clone();
                // Lambda repeats a signal after a minute, when every lease of the try that died has ended.
                take_twice(&mut world, &steps, rows, |world| answer(world, &signal, "10:45:00").steps);
                assert!(world.stopped.iter().any(|stopped| stopped == EXECUTION), "after {rows} rows");
                assert!(matches!(release(&world).report, Report::Sent { .. }), "after {rows} rows");
            }
        }
    }
}
