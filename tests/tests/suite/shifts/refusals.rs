//! Every refusal, with its sentence and its error type, and on each side of a limit.

use super::*;

#[track_caller]
fn refused(world: &World, document: &Value) -> String {
    let refusal = match ask(world, document, NOW) {
        Ok(shift) => panic!("not refused: {}", render(&shift)),
        Err(refusal) => refusal,
    };
    format!("{}: {refusal}", refusal.error_type())
}

#[test]
fn every_refusal_says_why_with_the_numbers() {
    let no_version = World::checkout().with(|world| drop(world.versions.remove(&v(2))));
    let fact = |change: fn(&mut ripcord::situation::VersionFacts)| {
        World::checkout().with(|world| change(world.versions.get_mut(&v(2)).unwrap()))
    };
    let unseen = World::checkout().with(|world| {
        world
            .unseen
            .insert("api".parse().unwrap(), "lambda:GetAlias checkout-api:live: throttled".to_owned());
    });
    let quarantined = |version| {
        World::checkout().released(rolled_back()).with(|world| {
            world.record.rollbacks.push(past_rollback(5, version, at("10:06:00")));
        })
    };
    let same_code = quarantined(2).with(|world| {
        world.versions.get_mut(&v(3)).unwrap().code_sha256 = "sha-2".to_owned();
    });
    let failed = || World::checkout().released(ended(Phase::RollbackFailed, "10:06:00", "throttled"));
    let missing = || World::checkout().with(|world| world.forget_alias("api"));
    let past_migration = || in_canary().with(|world| world.record.registration.barriers.push(barrier(2)));
    let drifted_after_writing = written_down(50.0).serving("1:100");
    let cases = vec![
        ("the weights of three versions", World::checkout(), weights("1:80,2:10,3:10")),
        ("$LATEST", World::checkout(), weights("1:90,$LATEST:10")),
        ("a weight above 100", World::checkout(), weights("1:101")),
        ("weights that do not add up", World::checkout(), weights("1:90,2:9")),
        ("a primary that is weighted", World::checkout(), weights("1:90,1:10")),
        ("no such target", World::checkout(), with(weights("1:90,2:10"), "target", "worker")),
        ("which of two targets", taking_both(), weights("1:90,2:10")),
        ("no alias", missing(), weights("1:90,2:10")),
        ("an alias that cannot be seen", unseen, weights("1:90,2:10")),
        ("no release", World::checkout(), stage(1, 0.1)),
        ("another release", in_canary(), stage(4, 0.5)),
        (
            "a target that the release leaves alone",
            taking_both().released(canary()),
            with(stage(5, 0.5), "target", "worker"),
        ),
        ("another candidate while one is open", in_canary(), weights("1:90,3:10")),
        ("a release that is complete", completed(), stage(5, 0.5)),
        ("complete, but the alias serves something else", completed().serving("1:100"), stage(5, 1.0)),
        ("a release that was rolled back", World::checkout().released(rolled_back()), stage(5, 0.5)),
        ("a release that is held", held(), stage(5, 0.5)),
        ("the next release while one is held", held_complete(), weights("2:90,3:10")),
        ("a rollback that failed", failed(), weights("1:90,3:10")),
        ("back past a barrier", past_migration(), weights("1:100")),
        ("a little back past a barrier", past_migration(), weights("1:95,2:5")),
        (
            "a rollback that failed, whatever the override",
            failed(),
            with(weights("1:90,3:10"), "override", "please"),
        ),
        ("neither version is served", World::checkout(), weights("2:60,3:40")),
        ("leftovers", World::checkout().serving("1:80,4:20"), weights("1:90,2:10")),
        ("moved by somebody else", in_canary().serving("1:100"), stage(5, 0.5)),
        ("overtaken by a rollback", drifted_after_writing, stage(5, 0.5)),
        ("moved away from the completed release", completed().serving("1:100"), weights("1:90,3:10")),
        ("no such version", no_version, weights("1:90,2:10")),
        (
            "a version that is not ready",
            fact(|facts| facts.state = Some("Pending".to_owned())),
            weights("1:90,2:10"),
        ),
        ("another role", fact(|facts| facts.role = Some("other".to_owned())), weights("1:90,2:10")),
        (
            "another dead-letter target",
            fact(|facts| facts.dead_letter = Some("queue".to_owned())),
            weights("1:90,2:10"),
        ),
        ("a quarantined version", quarantined(2), weights("1:90,2:10")),
        ("quarantined code under another number", same_code, weights("1:90,3:10")),
    ];
    let rows = cases
        .into_iter()
        .map(|(title, world, document)| format!("# {title}\n{}\n", refused(&world, &document)));
    insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_request_is_read_or_refused_by_the_field() {
    let cases = [
        json!({ "service": "checkout", "release": 1, "weight": 0.1 }),
        json!({ "service": "checkout", "release": 1, "weight": 0 }),
        json!({ "service": "checkout", "release": 1, "weight": 1 }),
        json!({ "service": "checkout", "weights": "1:90,2:10", "target": "api" }),
        json!({ "service": "checkout", "release": 1, "weight": 1.000001 }),
        json!({ "service": "checkout", "release": 1, "weight": -0.1 }),
        json!({ "service": "checkout", "release": 1, "weight": "10%" }),
        json!({ "service": "checkout", "release": -1, "weight": 0.1 }),
        json!({ "service": "checkout", "release": 1 }),
        json!({ "service": "checkout", "weight": 0.1 }),
        json!({ "service": "checkout", "release": 1, "weight": 0.1, "weights": "1:90,2:10" }),
        json!({ "service": "checkout" }),
        json!({ "service": "", "weights": "1:90,2:10" }),
        json!({ "weights": "1:90,2:10" }),
        json!({ "service": "checkout", "weights": "1:90,2:10", "wieght": 1 }),
        json!("checkout"),
        json!(null),
    ];
    let rows = cases.iter().map(|document| match ShiftRequest::read(document) {
        Ok(request) => format!("{document}\n  {:?}\n", request.ask),
        Err(refusal) => format!("{document}\n  {}: {refusal}\n", refusal.error_type()),
    });
    insta::assert_snapshot!(rows.collect::<String>());
}

#[test]
fn a_quarantine_ends_to_the_second() {
    let rolled_back_at = at("10:00:00");
    let world = |hours| {
        World::checkout().released(rolled_back()).with(|world| {
            world.record.registration.rollback.quarantine_hours = hours;
            world.record.rollbacks.push(past_rollback(5, 2, rolled_back_at));
        })
    };
    assert!(matches!(ask(&world(1), &weights("1:90,2:10"), "10:59:59"), Err(Refusal::Quarantined { .. })));
    assert!(ask(&world(1), &weights("1:90,2:10"), "11:00:00").is_ok());
    assert!(ask(&world(0), &weights("1:90,2:10"), "10:00:00").is_ok());
    // It is the candidate that is quarantined, and a version of one target says nothing of another's.
    assert!(ask(&world(1), &weights("1:90,3:10"), "10:59:59").is_ok());
    let other = world(1).with(|world| world.record.rollbacks[0].target = "worker".parse().unwrap());
    assert!(ask(&other, &weights("1:90,2:10"), "10:59:59").is_ok());
}

#[test]
fn a_refused_request_asks_nothing_of_anybody() {
    // Going down needs no version to be ready: traffic only leaves it.
    let mut world = in_canary();
    world.versions.get_mut(&v(2)).unwrap().state = Some("Failed".to_owned());
    assert!(ask(&world, &stage(5, 0.5), NOW).is_err());
    assert!(ask(&world, &stage(5, 0.0), NOW).is_ok());
}

/// What was written down is expected; anything else on the alias is somebody else's.
#[test]
fn a_shift_written_down_explains_two_states_of_the_alias_and_no_third() {
    let expected = |world: World| ask(&world, &stage(5, 0.5), NOW).is_ok();
    assert!(expected(written_down(50.0)), "as it was when the shift was written down");
    assert!(expected(written_down(50.0).serving("1:50,2:50")), "as the shift left it");
    assert!(!expected(written_down(50.0).serving("1:90,2:10")), "as it was, but touched since");
    assert!(!expected(written_down(50.0).serving("1:100")), "put back");
    assert_eq!(
        release_of(&written_down(50.0)).changes[0].intent.as_ref().map(|it| it.weight),
        Some(percent(50.0))
    );
}
