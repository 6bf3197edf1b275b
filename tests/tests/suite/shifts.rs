//! Shifting traffic: what is done, what is refused with which words and error type, and what a crash leaves behind.

use ripcord::plan::{Step, Steps};
use ripcord::release::{Change, Phase, Release};
use ripcord::shift::{Refusal, Shift, ShiftRequest, decide_shift, pin_alias};
use serde_json::{Value, json};

use crate::decisions::render_steps;
use crate::worlds::{
    World, at, barrier, canary, change, complete, ended, intent, moment, past_rollback, percent, rolled_back,
    traffic, v,
};

mod refusals;

const NOW: &str = "10:30:00";

fn weights(weights: &str) -> Value {
    json!({ "service": "checkout", "weights": weights, "requested_by": "ada" })
}

fn stage(release: u64, weight: f64) -> Value {
    json!({ "service": "checkout", "release": release, "weight": weight })
}

fn with(mut document: Value, field: &str, value: &str) -> Value {
    document[field] = json!(value);
    document
}

fn ask(world: &World, document: &Value, now: &str) -> Result<Shift, Refusal> {
    let request = ShiftRequest::read(document)?;
    decide_shift(&request, &world.shift_situation(&request), moment(at(now)))
}

/// Decides and carries out; the same request once more finds nothing to do.
#[track_caller]
fn shift(world: &mut World, document: &Value) -> Shift {
    let shift = ask(world, document, NOW).unwrap();
    world.take(&shift.steps).unwrap();
    let again = ask(world, document, NOW).unwrap();
    assert_eq!(render_steps(&again.steps), "", "the same request again");
    assert_eq!(again.traffic, shift.traffic);
    shift
}

fn render(shift: &Shift) -> String {
    let release = shift.generation.map_or("no release".to_owned(), |release| format!("release {release}"));
    format!("{release} to {}\n{}", shift.traffic, render_steps(&shift.steps))
}

fn in_canary() -> World {
    World::checkout().released(canary()).serving("1:90,2:10")
}

fn release_of(world: &World) -> &Release {
    world.record.release.as_ref().unwrap()
}

fn taking_both() -> World {
    World::of(&["api", "worker"])
}

/// The alias as it was when a shift was written down, and the release that says so.
fn written_down(weight: f64) -> World {
    let mut world = in_canary();
    let revision = world.live("api").revision.to_string();
    let changes = vec![Change { intent: intent(weight, &revision), ..change("api", 1, 2, 10.0) }];
    world.record.release = Some(Release { changes, ..canary() });
    world
}

#[test]
fn traffic_is_shifted_in_a_fixed_order() {
    let cases: Vec<(&str, World, Value)> = vec![
        ("the first weights open a release", World::checkout(), weights("1:90,2:10")),
        ("a stage", in_canary(), stage(5, 0.5)),
        ("the same in weights", in_canary(), weights("1:50,2:50")),
        ("the last stage completes the release", in_canary(), stage(5, 1.0)),
        ("all at once", World::checkout(), weights("2:100")),
        ("back to nothing", in_canary(), stage(5, 0.0)),
        ("the weight it has", in_canary(), stage(5, 0.1)),
        ("complete, and asked once more", completed(), stage(5, 1.0)),
        ("the next release", completed(), weights("2:90,3:10")),
        (
            "after a rollback, another version",
            World::checkout().released(rolled_back()),
            weights("1:90,3:10"),
        ),
        (
            "held, and a person takes it further",
            held(),
            with(stage(5, 0.5), "override", "the alarm was wrong"),
        ),
        (
            "held, and a person goes forward with a fix",
            held_complete(),
            with(weights("2:90,3:10"), "override", "3 mends it"),
        ),
        ("leftovers of somebody else are cleared", World::checkout().serving("1:80,4:20"), weights("1:100")),
        ("written down, and the alias not moved", written_down(50.0), stage(5, 0.5)),
        ("written down, and the alias moved", moved_after_writing(), stage(5, 0.5)),
        ("written down for another weight", written_down(50.0), stage(5, 0.1)),
    ];
    let rows = cases.into_iter().map(|(title, world, document)| {
        format!("# {title}\n{}", render(&ask(&world, &document, NOW).unwrap()))
    });
    insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"));
}

fn completed() -> World {
    World::checkout().released(complete()).serving("2:100")
}

fn held() -> World {
    World::checkout().released(ended(Phase::Held, "10:05:02", "a migration")).serving("1:90,2:10")
}

fn held_complete() -> World {
    let held = Release {
        changes: vec![change("api", 1, 2, 100.0)],
        ..ended(Phase::Held, "10:05:02", "a migration")
    };
    World::checkout().released(held).serving("2:100")
}

fn moved_after_writing() -> World {
    written_down(50.0).serving("1:50,2:50")
}

#[test]
fn the_same_request_twice_changes_nothing_more() {
    for document in [weights("1:90,2:10"), weights("2:100"), weights("1:100")] {
        shift(&mut World::checkout(), &document);
    }
    for document in [stage(5, 0.5), stage(5, 1.0), stage(5, 0.0), weights("1:50,2:50"), weights("2:100")] {
        shift(&mut in_canary(), &document);
    }
}

#[test]
fn a_release_that_takes_all_traffic_is_complete_and_known_to_be_good() {
    let mut world = in_canary();
    shift(&mut world, &stage(5, 1.0));
    assert_eq!(release_of(&world).phase, Phase::Complete);
    assert_eq!(world.record.known_good[0].version, v(2));
    assert_eq!(world.live("api").traffic, traffic("2:100"));

    // One step below it is neither.
    let mut world = in_canary();
    shift(&mut world, &stage(5, 0.999_999));
    assert_eq!(release_of(&world).phase, Phase::Shifting);
    assert_eq!(world.record.known_good[0].version, v(1));
}

#[test]
fn a_second_target_joins_the_open_release_and_both_complete_it() {
    let mut world = taking_both();
    shift(&mut world, &with(weights("1:90,2:10"), "target", "api"));
    shift(&mut world, &with(weights("1:80,7:20"), "target", "worker"));
    let release = release_of(&world);
    assert_eq!((release.generation.0, release.changes.len()), (1, 2));

    shift(&mut world, &with(stage(1, 1.0), "target", "api"));
    assert_eq!(release_of(&world).phase, Phase::Shifting, "one target is not all");
    assert_eq!(world.record.known_good.iter().map(|good| good.version).collect::<Vec<_>>(), [v(1), v(1)]);
    shift(&mut world, &with(stage(1, 1.0), "target", "worker"));
    assert_eq!(release_of(&world).phase, Phase::Complete);
    assert_eq!(world.record.known_good.iter().map(|good| good.version).collect::<Vec<_>>(), [v(2), v(7)]);
}

#[test]
fn the_version_to_go_back_to_is_pinned_before_traffic_moves() {
    let live = "live".parse().unwrap();
    let pin = pin_alias(&live).unwrap();
    assert_eq!(pin.as_str(), "live-last-known-good");
    assert_eq!(pin_alias(&"a".repeat(112).parse().unwrap()).map(|pin| pin.as_str().len()), Some(128));
    assert_eq!(pin_alias(&"a".repeat(113).parse().unwrap()), None);

    let mut world = World::checkout();
    shift(&mut world, &weights("2:100"));
    let function = world.live("api").function.clone();
    let pinned = |world: &World| world.aliases[&(function.clone(), pin.clone())].traffic;
    assert_eq!(pinned(&world), traffic("1:100"));
    shift(&mut world, &weights("2:90,3:10"));
    assert_eq!(pinned(&world), traffic("2:100"), "the pin moves on with the next release");
}

/// Every place at which an invocation can end: the request that comes again ends as if nothing had happened, and the
/// alias is set once.
#[test]
fn a_crash_between_any_two_calls_is_mended_by_the_same_request() {
    for (start, document) in [
        (World::checkout(), weights("1:90,2:10")),
        (World::checkout(), weights("2:100")),
        (in_canary(), stage(5, 0.5)),
        (in_canary(), stage(5, 1.0)),
    ] {
        let mut whole = start.clone();
        let steps: Vec<Step> = shift(&mut whole, &document).steps.into_iter().flatten().collect();
        for done in 0..=steps.len() {
            let mut world = start.clone();
            let before: Steps = steps[..done].iter().map(|step| vec![step.clone()]).collect();
            world.take(&before).unwrap();
            shift(&mut world, &document);
            assert_eq!(world.live("api").traffic, whole.live("api").traffic, "after {done} calls");
            assert_eq!(release_of(&world).phase, release_of(&whole).phase, "after {done} calls");
            assert_eq!(release_of(&world).changes, release_of(&whole).changes, "after {done} calls");
            assert_eq!(world.record.known_good, whole.record.known_good, "after {done} calls");
            assert_eq!(world.moved.len(), 1, "after {done} calls");
        }
    }
}

#[test]
fn an_override_is_told_and_names_who_and_why() {
    let world = World::checkout().released(rolled_back()).with(|world| {
        world.record.rollbacks.push(past_rollback(5, 2, at("10:06:00")));
    });
    let mut document = with(weights("1:90,2:10"), "override", "the alarm was wrong");
    let mut overridden = world.clone();
    shift(&mut overridden, &document);
    let told = &overridden.notices[0].description;
    assert!(told.ends_with("Overridden by ada: the alarm was wrong."), "{told}");
    document["override"] = Value::Null;
    assert!(matches!(ask(&world, &document, NOW), Err(Refusal::Quarantined { .. })));
}

#[test]
fn a_release_is_never_older_than_the_end_of_the_one_before() {
    let mut world = World::checkout().released(rolled_back());
    let opened = ask(&world, &weights("1:90,3:10"), "10:05:58").unwrap();
    world.take(&opened.steps).unwrap();
    assert_eq!(release_of(&world).opened_at, at("10:06:00"));
}

#[test]
fn a_barrier_stops_only_the_way_back() {
    let past_migration = in_canary().with(|world| world.record.registration.barriers.push(barrier(2)));
    let overridden = with(weights("1:100"), "override", "the old table is still written");
    for request in [weights("1:75,2:25"), weights("2:100"), overridden] {
        assert!(ask(&past_migration, &request, NOW).is_ok(), "{request}");
    }
}
