//! One alarm, several services: who goes back, who waits, who stays silent, and that one alarm puts one suspect back.

use proptest::prelude::*;
use ripcord::attribution::{Cast, cast};
use ripcord::decide::{Course, decide_in_company, decide_less_likely};
use ripcord::names::Generation;
use ripcord::plan::Step;
use ripcord::reason::Reason;
use ripcord::release::{Phase, Release};
use ripcord::signal::Signal;
use ripcord::situation::Situation;

use crate::worlds::{World, alarm_named, at, barrier, canary, complete, ended, moment, seconds};

const FIRED: &str = "10:04:00";

/// A service of this name and group, guarded by an alarm.
fn service(name: &str, group: Option<&str>, guard: &str) -> World {
    let mut world = World::checkout();
    world.record.registration.service = name.parse().unwrap();
    world.record.registration.guards[0].alarm = guard.to_owned();
    world.record.registration.rollback.group = group.map(|group| group.parse().unwrap());
    world
}

fn releasing(world: World, release: Release) -> World {
    let weights = match release.phase {
        Phase::Complete => "2:100",
        Phase::RolledBack | Phase::Withdrawn => "1:100",
        Phase::Shifting | Phase::Held | Phase::RollbackFailed => "1:90,2:10",
    };
    let release = Release { service: world.record.registration.service.clone(), ..release };
    world.released(release).serving(weights)
}

fn opened(time: &str) -> Release {
    Release { opened_at: at(time), traffic_at: Some(at(time)), ..canary() }
}

fn completed(time: &str) -> Release {
    Release {
        opened_at: at("05:00:00"),
        traffic_at: Some(at("05:00:00")),
        ended_at: Some(at(time)),
        ..complete()
    }
}

fn cast_of(worlds: &[World]) -> Cast {
    let situations: Vec<Situation> = worlds.iter().map(World::situation).collect();
    let seen: Vec<&Situation> = situations.iter().collect();
    cast(&alarm_named("errors", at(FIRED)), &seen, true, moment(at("10:05:00")))
}

/// The cast in a few words.
fn told(cast: &Cast) -> String {
    let mut told = String::new();
    for unit in &cast.units {
        let members: Vec<String> = unit.members.iter().map(|(member, _)| member.to_string()).collect();
        told.push_str(&format!("may go back: {}\n", members.join(" with ")));
    }
    if let Some(gone) = &cast.gone_back {
        told.push_str(&format!("has gone back: {gone}\n"));
    }
    for waiting in &cast.waiting {
        told.push_str(&format!("waits: {waiting}\n"));
    }
    for (service, company) in &cast.rest {
        told.push_str(&format!("rest: {service}{}\n", if company.is_quiet { ", silent" } else { "" }));
    }
    for stranger in &cast.strangers {
        told.push_str(&format!("stranger: {stranger}\n"));
    }
    told
}

#[test]
fn what_is_in_flight_comes_before_what_is_complete_and_the_newer_before_the_older() {
    let cast = cast_of(&[
        releasing(service("cart", None, "errors"), completed("07:00:00")),
        releasing(service("checkout", None, "errors"), opened("09:30:00")),
        releasing(service("orders", None, "errors"), completed("09:59:00")),
        releasing(service("payments", None, "errors"), opened("10:00:00")),
        service("search", None, "errors"),
    ]);
    insta::assert_snapshot!(told(&cast), @r"
    may go back: payments (release 5, in flight for 4 min 0 s)
    may go back: checkout (release 5, in flight for 34 min 0 s)
    may go back: orders (release 5, complete for 5 min 0 s)
    may go back: cart (release 5, complete for 3 h 4 min)
    rest: search
    ");
}

#[test]
fn a_release_without_traffic_is_suspected_last() {
    let bare = Release { traffic_at: None, changes: vec![], ..opened("10:03:00") };
    let cast = cast_of(&[
        releasing(service("cart", None, "errors"), bare),
        releasing(service("payments", None, "errors"), completed("07:00:00")),
    ]);
    let first = &cast.units.first().unwrap().suspect;
    assert_eq!(first.service.as_str(), "payments");
}

#[test]
fn the_first_one_says_why_it_is_first_and_the_others_how_to_put_them_back() {
    let worlds = [
        releasing(service("checkout", None, "errors"), opened("10:00:00")),
        releasing(service("payments", None, "errors"), completed("07:04:00")),
    ];
    let cast = cast_of(&worlds);
    let alarm = alarm_named("errors", at(FIRED));
    let (first, company) = &cast.units[0].members[0];
    let moment = moment(at("10:05:00"));
    let decision = decide_in_company(&Signal::Alarm(alarm.clone()), &worlds[0].situation(), moment, company);
    assert_eq!(decision.course, Course::Restore);
    insta::assert_snapshot!(decision.reason, @"alarm errors fired 4 min 0 s after release 5 was opened: 3 of 3 datapoints were greater than the threshold (1.0); the alarm guards 2 services with recent changes, and checkout (release 5, in flight for 4 min 0 s) is the likeliest: likelier than payments (release 5, complete for 3 h 0 min)");
    let this = cast.units[1].suspect.clone();
    let mut other = worlds[1].clone();
    let told = decide_less_likely(&alarm, &other.situation(), moment, this.clone(), first.clone());
    assert!(!told.steps.iter().flatten().any(Step::moves_traffic));
    insta::assert_snapshot!(told.reason, @"alarm errors also guards payments (release 5, complete for 3 h 0 min): less likely than checkout (release 5, in flight for 4 min 0 s), which goes back first; ripcord rollback payments puts this one back, too, and so does the alarm if it fires anew: 3 of 3 datapoints were greater than the threshold (1.0)");
    // Once, however often the alarm is delivered.
    other.take(&told.steps).unwrap();
    let again = decide_less_likely(&alarm, &other.situation(), moment, this, first.clone());
    assert_eq!((again.steps.len(), other.notices.len()), (0, 1));
}

#[test]
fn what_has_gone_back_since_the_alarm_makes_the_others_wait_and_a_new_alarm_takes_the_next() {
    let rolled_back = |time: &str| Release {
        opened_at: at("10:00:00"),
        ..ended(Phase::RolledBack, time, "alarm errors fired")
    };
    let other = || releasing(service("payments", None, "errors"), completed("07:04:00"));
    let same = cast_of(&[releasing(service("checkout", None, "errors"), rolled_back("10:04:30")), other()]);
    insta::assert_snapshot!(told(&same), @r"
    has gone back: checkout (release 5, put back 30 s after the alarm)
    waits: payments (release 5, complete for 3 h 0 min)
    rest: checkout
    ");
    let anew = cast_of(&[releasing(service("checkout", None, "errors"), rolled_back("10:03:00")), other()]);
    insta::assert_snapshot!(told(&anew), @r"
    may go back: payments (release 5, complete for 3 h 0 min)
    rest: checkout
    ");
}

#[test]
fn one_that_cannot_go_back_does_not_make_the_next_one_wait() {
    let mut held = releasing(service("checkout", None, "errors"), opened("10:00:00"));
    held.record.registration.barriers = vec![barrier(2)];
    let worlds = [held, releasing(service("payments", None, "errors"), completed("07:04:00"))];
    let cast = cast_of(&worlds);
    let alarm = Signal::Alarm(alarm_named("errors", at(FIRED)));
    let (first, company) = &cast.units[0].members[0];
    assert_eq!(first.service.as_str(), "checkout");
    let moment = moment(at("10:05:00"));
    let decision = decide_in_company(&alarm, &worlds[0].situation(), moment, company);
    assert_eq!(decision.course, Course::Hold);
    let mut after = worlds;
    after[0].take(&decision.steps).unwrap();
    // Neither does it in a repetition of the alarm, which finds it held.
    let again = cast_of(&after);
    assert_eq!(again.units.len(), 1, "{}", told(&again));
    assert_eq!(again.units[0].suspect.service.as_str(), "payments");
}

#[test]
fn a_rollback_that_failed_is_tried_again_although_the_next_one_has_gone_back() {
    let failed = Release { opened_at: at("10:00:00"), ..ended(Phase::RollbackFailed, "10:04:10", "denied") };
    let back =
        Release { opened_at: at("09:00:00"), ..ended(Phase::RolledBack, "10:04:20", "alarm errors fired") };
    let cast = cast_of(&[
        releasing(service("checkout", None, "errors"), failed),
        releasing(service("payments", None, "errors"), back),
        releasing(service("search", None, "errors"), completed("07:04:00")),
    ]);
    let first: Vec<&str> = cast.units.iter().map(|unit| unit.suspect.service.as_str()).collect();
    let waiting: Vec<&str> = cast.waiting.iter().map(|suspect| suspect.service.as_str()).collect();
    assert_eq!((first, waiting), (vec!["checkout"], vec!["search"]), "{}", told(&cast));
}

#[test]
fn a_group_goes_back_together_and_those_without_a_release_stay_silent() {
    let worlds = [
        releasing(service("cart", Some("shop"), "cart-errors"), completed("09:00:00")),
        releasing(service("checkout", Some("shop"), "errors"), opened("10:00:00")),
        service("payments", Some("shop"), "payments-errors"),
        service("search", None, "search-errors"),
        service("stock", Some("depot"), "stock-errors"),
    ];
    let cast = cast_of(&worlds);
    insta::assert_snapshot!(told(&cast), @r"
    may go back: cart (release 5, complete for 1 h 4 min) with checkout (release 5, in flight for 4 min 0 s)
    rest: payments, silent
    stranger: search
    stranger: stock
    ");
    let (_, company) = &cast.units[0].members[0];
    let alarm = Signal::Alarm(alarm_named("errors", at(FIRED)));
    let moment = moment(at("10:05:00"));
    let decision = decide_in_company(&alarm, &worlds[0].situation(), moment, company);
    assert_eq!(decision.course, Course::Restore);
    insta::assert_snapshot!(decision.reason, @"group shop goes back together (cart, checkout) because of checkout: alarm errors fired 1 h 4 min after release 5 completed, inside its window of 24 h: 3 of 3 datapoints were greater than the threshold (1.0)");
    let (_, silent) = &cast.rest[0];
    let decision = decide_in_company(&alarm, &worlds[2].situation(), moment, silent);
    assert_eq!((decision.course, decision.steps.len()), (Course::StandDown, 0));
    assert!(decision.metrics.is_empty());
}

#[test]
fn the_alarms_own_service_says_nothing_where_its_group_goes_back() {
    let cast = cast_of(&[
        releasing(service("cart", Some("shop"), "cart-errors"), opened("10:00:00")),
        service("checkout", Some("shop"), "errors"),
    ]);
    insta::assert_snapshot!(told(&cast), @r"
    may go back: cart (release 5, in flight for 4 min 0 s)
    rest: checkout, silent
    ");
    let together = cast.units[0].members[0].1.together.clone().unwrap();
    assert_eq!(together.of.unwrap().as_str(), "checkout");
    // With nothing to put back in all of the group, the alarm is one without a change, told once for its own service.
    let nothing =
        cast_of(&[service("cart", Some("shop"), "cart-errors"), service("checkout", Some("shop"), "errors")]);
    assert_eq!(told(&nothing), "rest: cart, silent\nrest: checkout\n");
}

#[test]
fn a_group_of_which_one_is_back_goes_on_and_is_one_suspect_beside_others() {
    let back =
        Release { opened_at: at("10:00:00"), ..ended(Phase::RolledBack, "10:04:20", "alarm errors fired") };
    let cast = cast_of(&[
        releasing(service("cart", Some("shop"), "cart-errors"), completed("09:00:00")),
        releasing(service("checkout", Some("shop"), "errors"), back),
        releasing(service("search", None, "errors"), opened("10:03:00")),
    ]);
    insta::assert_snapshot!(told(&cast), @r"
    may go back: cart (release 5, complete for 1 h 4 min)
    has gone back: checkout (release 5, put back 20 s after the alarm)
    waits: search (release 5, in flight for 1 min 0 s)
    rest: checkout, silent
    ");
}

#[test]
fn a_fellow_whose_group_cannot_be_read_goes_back_on_the_word_of_what_led_to_it() {
    let cart = releasing(service("cart", Some("shop"), "cart-errors"), opened("10:00:00")).situation();
    let alarm = alarm_named("errors", at(FIRED));
    let cast_if = |is_all| cast(&alarm, &[&cart], is_all, moment(at("10:05:00")));
    assert_eq!(cast_if(true).strangers.len(), 1);
    let uncertain = cast_if(false);
    assert_eq!(uncertain.units.len(), 1);
    assert_eq!(uncertain.units[0].members[0].1.together.clone().unwrap().of, None);
}

#[test]
fn a_group_says_so_when_one_of_it_cannot_be_put_back() {
    let worlds = [
        releasing(service("cart", Some("shop"), "cart-errors"), opened("10:00:00")),
        releasing(service("checkout", Some("shop"), "errors"), opened("10:00:00")),
    ];
    let cast = cast_of(&worlds);
    let alarm = Signal::Alarm(alarm_named("errors", at(FIRED)));
    let (_, company) = &cast.units[0].members[0];
    let why = "lambda:UpdateAlias: denied".to_owned();
    let moment = moment(at("10:05:00"));
    let decision =
        ripcord::decide::decide_failure_in_company(&alarm, &worlds[0].situation(), why, moment, company);
    assert_eq!(decision.course, Course::Stuck);
    assert!(matches!(decision.reason, Reason::GroupGoesBack { .. }), "{}", decision.reason);
}

/// Some release, opened at a minute of the morning; complete, if it is, some minutes later.
fn any_release() -> impl Strategy<Value = Option<(i64, Option<i64>)>> {
    proptest::option::weighted(0.9, (0..239_i64, proptest::option::of(1..300_i64)))
}

proptest! {
    /// Whatever the first delivery had time for, and whatever completes meanwhile, the next one puts no other suspect back.
    #[test]
    fn one_alarm_puts_one_suspect_back(
        releases in proptest::collection::vec(any_release(), 2..5),
        calls in 0..12_usize,
        completes in proptest::option::of(0..5_usize),
        later_s in 1..120_i64,
    ) {
        let names = ["cart", "checkout", "orders", "payments", "search"];
        let midnight = at("06:04:00");
        let mut worlds: Vec<World> = Vec::new();
        for (release, name) in releases.iter().zip(names) {
            let world = service(name, None, "errors");
            worlds.push(match release {
                None => world,
                Some((minute, done)) => {
                    let opened_at = midnight + seconds(minute * 60);
                    let ended_at = done.map(|after| opened_at + seconds(after * 60)).filter(|at_| *at_ < at(FIRED));
                    let base = if ended_at.is_some() { complete() } else { canary() };
                    releasing(world, Release {
                        generation: Generation(5), opened_at, traffic_at: Some(opened_at), ended_at, ..base
                    })
                }
            });
        }
        let before = cast_of(&worlds);
        prop_assume!(!before.units.is_empty());
        let (first, company) = before.units[0].members[0].clone();
        let index = names.iter().position(|name| *name == first.service.as_str()).unwrap();
        let alarm = Signal::Alarm(alarm_named("errors", at(FIRED)));
        let decision = decide_in_company(&alarm, &worlds[index].situation(), moment(at("10:05:00")), &company);
        for step in decision.steps.iter().flatten().take(calls) {
            worlds[index].apply(step).unwrap();
        }
        // Another one that was in flight completes in between.
        if let Some(world) = completes.and_then(|other| worlds.get_mut(other))
            && let Some(release) = world.record.release.as_mut().filter(|release| release.phase == Phase::Shifting)
        {
            release.phase = Phase::Complete;
            release.ended_at = Some(at(FIRED) + seconds(later_s));
        }
        let again = cast_of(&worlds);
        match (&again.gone_back, again.units.first()) {
            (Some(gone), units) => {
                prop_assert_eq!(&gone.service, &first.service);
                prop_assert!(units.is_none(), "{}", told(&again));
            }
            (None, Some(unit)) => prop_assert_eq!(&unit.suspect.service, &first.service),
            (None, None) => prop_assert!(false, "the first one is lost: {}", told(&again)),
        }
    }
}
