//! Histories that are written by hand: each shows one thing, and some are what the simulation found.

use ripcord::decide::Course;
use ripcord::place::configuration::DeploymentNumber;
use ripcord::registration::Barrier;
use ripcord::release::Phase;
use ripcord::signal::{Arrival, Signal, TakenBack};

use super::call::Fault;
use super::invocation::Outcome;
use super::scene::Scene;
use super::things::Kind;
use super::world::{alarm_at, command_at, seconds};

const MOVING: [&str; 6] = [
    "dynamodb:TransactWriteItems",
    "lambda:UpdateAlias",
    "elasticloadbalancing:",
    "states:Update",
    "route53:",
    "appconfig:",
];

/// The names of the calls since `from` that write or move something.
fn names(scene: &Scene, from: usize) -> Vec<String> {
    let name = |line: &str| line.split([' ', ':']).take(2).collect::<Vec<_>>().join(":");
    scene.calls(from, &MOVING).into_iter().map(name).collect()
}

#[test]
fn several_targets_go_back_turn_by_turn() {
    let mut scene =
        Scene::of(&[("web", Kind::Balancer, 2), ("api", Kind::Alias, 1), ("flags", Kind::Flags, 0)]);
    scene.shift("api", "1:90,2:10");
    scene.shift("web", "blue:90,green:10");
    let from = scene.log.len();
    assert_eq!(scene.pull(&alarm_at(scene.clock)), Outcome::Answered(Course::Restore));
    scene.serves("api", "1 on 100%");
    scene.serves("web", "blue on 100%");
    assert!(!scene.world.things[&"flags".parse().unwrap()].has_flag_on());
    // A version with the flag off is stored, the traffic of both goes back, and then that version is served.
    let expected = [
        "dynamodb:TransactWriteItems",
        "appconfig:CreateHostedConfigurationVersion",
        "lambda:UpdateAlias",
        "elasticloadbalancing:ModifyListener",
        "appconfig:StartDeployment",
        "dynamodb:TransactWriteItems",
        "dynamodb:TransactWriteItems",
    ];
    let mut called = names(&scene, from);
    // Within a row everything goes at once.
    called[..2].sort_by_key(|name| !name.starts_with("dynamodb"));
    assert_eq!(called, expected);
    assert_eq!(scene.phase(), Phase::RolledBack);
}

#[test]
fn ten_targets_go_in_one_claim_and_one_row_of_calls() {
    let kinds = [Kind::Balancer, Kind::Machine, Kind::Records];
    let targets: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
        .into_iter()
        .zip(kinds.into_iter().cycle())
        .map(|(name, kind)| (name, kind, 0))
        .collect();
    let mut scene = Scene::of(&targets);
    for (name, kind, _) in &targets {
        let weights = if *kind == Kind::Machine { "1:90,2:10" } else { "blue:90,green:10" };
        scene.shift(name, weights);
    }
    let from = scene.log.len();
    let signal = alarm_at(scene.clock);
    let mut pulling = scene.pulling(&signal);
    scene.runs_until(&mut pulling, "dynamodb:TransactWriteItems");
    assert_eq!(pulling.next_calls().len(), 1, "one claim for all");
    scene.step(&mut pulling, Fault::None);
    assert_eq!(pulling.next_calls().len(), 10, "all calls at once");
    assert_eq!(scene.finish(pulling), Outcome::Answered(Course::Restore));
    assert_eq!(names(&scene, from).len(), 1 + 10 + 2);
    assert_eq!(scene.phase(), Phase::RolledBack);
}

#[test]
fn a_target_that_refuses_keeps_no_other_where_it_is_and_goes_back_with_the_retry() {
    let mut scene =
        Scene::of(&[("api", Kind::Alias, 0), ("web", Kind::Balancer, 1), ("dns", Kind::Records, 2)]);
    scene.shift("api", "1:90,2:10");
    scene.shift("web", "blue:90,green:10");
    scene.shift("dns", "blue:90,green:10");
    scene.world.refusing.extend(["api".parse().unwrap(), "web".parse().unwrap()]);
    let alarm = alarm_at(scene.clock);
    assert!(matches!(scene.pull(&alarm), Outcome::Failed(_)), "it is never called a success");
    scene.serves("api", "1 on 90%, 2 on 10%");
    scene.serves("web", "blue on 90%, green on 10%");
    scene.serves("dns", "blue on 100%");
    assert_eq!((scene.phase(), scene.pages()), (Phase::RollbackFailed, 1));
    let page = &scene.world.notices.last().unwrap().description;
    assert!(page.contains("web serves blue on 90%, green on 10%; dns serves blue on 100%"), "{page}");

    scene.world.refusing.clear();
    scene.pass(seconds(60));
    assert_eq!(scene.pull(&alarm), Outcome::Answered(Course::Restore));
    scene.serves("api", "1 on 100%");
    scene.serves("web", "blue on 100%");
    assert_eq!((scene.phase(), scene.pages()), (Phase::RolledBack, 1));
}

/// A call that always comes too late ends as a failure, after as many races as an invocation may lose.
#[test]
fn a_target_that_others_keep_changing_keeps_no_other_where_it_is() {
    let mut scene =
        Scene::of(&[("dns", Kind::Records, 0), ("api", Kind::Alias, 1), ("web", Kind::Balancer, 2)]);
    scene.shift("dns", "blue:90,green:10");
    scene.shift("api", "1:90,2:10");
    scene.shift("web", "blue:90,green:10");
    scene.world.racing.insert("dns".parse().unwrap());
    assert!(matches!(scene.pull(&alarm_at(scene.clock)), Outcome::Failed(_)));
    scene.serves("dns", "blue on 90%, green on 10%");
    scene.serves("api", "1 on 100%");
    scene.serves("web", "blue on 100%");
    assert_eq!((scene.phase(), scene.pages()), (Phase::RollbackFailed, 1));
}

#[test]
fn a_place_without_a_way_back_is_a_page_and_keeps_no_other_where_it_is() {
    let mut scene = Scene::of(&[("web", Kind::Balancer, 0), ("jobs", Kind::Machine, 1)]);
    scene.shift("web", "blue:90,green:10");
    scene.shift("jobs", "1:90,2:10");
    scene.world.things.get_mut(&"web".parse().unwrap()).unwrap().block("blue".parse().unwrap());
    let alarm = alarm_at(scene.clock);
    assert!(matches!(scene.pull(&alarm), Outcome::Failed(_)));
    scene.serves("web", "blue on 90%, green on 10%");
    scene.serves("jobs", "1 on 100%");
    assert_eq!((scene.phase(), scene.pages()), (Phase::RollbackFailed, 1));
}

#[test]
fn a_way_back_does_not_wait_for_a_shift_and_closes_its_books_when_that_can_no_longer_land() {
    let mut scene = Scene::of(&[("web", Kind::Balancer, 0)]);
    scene.shift("web", "blue:90,green:10");
    let mut shifting = scene.shifting("web", "blue:50,green:50");
    scene.runs_until(&mut shifting, "elasticloadbalancing:");
    scene.step(&mut shifting, Fault::Late);
    scene.pass(seconds(40));

    let alarm = alarm_at(scene.clock);
    let mut pulling = scene.pulling(&alarm);
    let asked_at = scene.clock;
    scene.runs_until(&mut pulling, "look at");
    scene.serves("web", "blue on 100%");
    assert!(scene.clock.duration_since(asked_at) < seconds(1), "the call is made at once");
    for _ in 0..5 {
        scene.pass(seconds(2));
        assert_eq!(scene.step(&mut pulling, Fault::None), None);
    }
    assert_eq!(scene.phase(), Phase::Shifting, "the shift may still land");
    scene.lands();
    scene.serves("web", "blue on 50%, green on 50%");
    assert_eq!(scene.finish(pulling), Outcome::Answered(Course::Restore));
    scene.serves("web", "blue on 100%");
    assert_eq!(scene.phase(), Phase::RolledBack);
    assert!(scene.clock > shifting.deadline, "and not before that could happen no more");
}

/// Found by the simulation: the way back wrote its claim over the shift's, and forgot until when that could land.
#[test]
fn whoever_takes_a_way_back_over_still_waits_for_the_shift_that_it_overtook() {
    let mut scene = Scene::of(&[("web", Kind::Balancer, 0)]);
    scene.shift("web", "blue:90,green:10");
    let mut shifting = scene.shifting("web", "blue:50,green:50");
    scene.runs_until(&mut shifting, "elasticloadbalancing:");
    scene.step(&mut shifting, Fault::Late);

    let alarm = alarm_at(scene.clock);
    let mut first = scene.pulling(&alarm);
    scene.runs_until(&mut first, "look at");
    drop(first);
    scene.pass(seconds(45));
    let mut second = scene.pulling(&alarm);
    scene.runs_until(&mut second, "look at");
    scene.step(&mut second, Fault::None);
    assert_eq!(scene.phase(), Phase::Shifting, "the shift lives for some seconds more");
    let refused = scene.shifting("web", "blue:50,green:50");
    let Outcome::Failed(why) = scene.finish(refused) else { panic!("a second shift beside it") };
    assert!(why.contains("is being moved by another"), "{why}");
    scene.lands();
    assert_eq!(scene.finish(second), Outcome::Answered(Course::Restore));
    scene.serves("web", "blue on 100%");
    assert_eq!(scene.phase(), Phase::RolledBack);
}

#[test]
fn another_waits_for_who_holds_the_claim_and_takes_over_when_its_lease_has_ended() {
    let mut scene = Scene::of(&[("jobs", Kind::Machine, 0)]);
    scene.shift("jobs", "1:90,2:10");
    let alarm = alarm_at(scene.clock);
    let mut first = scene.pulling(&alarm);
    scene.runs_until(&mut first, "states:Update");
    drop(first);
    let from = scene.log.len();
    let Outcome::Failed(why) = scene.pull(&alarm) else { panic!("nobody has called") };
    assert!(why.contains("another is to call"), "{why}");
    assert_eq!(names(&scene, from).len(), 0, "who waits calls and writes nothing");
    scene.pass(seconds(60));
    assert_eq!(scene.pull(&alarm), Outcome::Answered(Course::Restore));
    let calls = ["dynamodb:TransactWriteItems", "states:UpdateStateMachineAlias"];
    assert_eq!(names(&scene, from)[..2], calls);
    scene.serves("jobs", "1 on 100%");
}

#[test]
fn a_call_that_landed_is_not_repeated_by_who_takes_over() {
    let mut scene = Scene::of(&[("jobs", Kind::Machine, 0)]);
    scene.shift("jobs", "1:90,2:10");
    let alarm = alarm_at(scene.clock);
    let mut first = scene.pulling(&alarm);
    scene.runs_until(&mut first, "states:Update");
    scene.step(&mut first, Fault::None);
    drop(first);
    let from = scene.log.len();
    assert_eq!(scene.pull(&alarm), Outcome::Answered(Course::Settle));
    assert_eq!(scene.calls(from, &["states:Update"]).len(), 0);
    assert_eq!(scene.phase(), Phase::RolledBack);
}

#[test]
fn past_a_barrier_only_flags_go_off() {
    let mut scene = Scene::of(&[("jobs", Kind::Machine, 0), ("flags", Kind::Flags, 0)]);
    let (target, since_version) = ("jobs".parse().unwrap(), "2".parse().unwrap());
    let reason = "a migration".to_owned();
    scene.world.record.registration.barriers = vec![Barrier { target, since_version, reason }];
    scene.shift("jobs", "1:90,2:10");
    let from = scene.log.len();
    assert_eq!(scene.pull(&alarm_at(scene.clock)), Outcome::Answered(Course::Hold));
    scene.serves("jobs", "1 on 90%, 2 on 10%");
    assert!(!scene.world.things[&"flags".parse().unwrap()].has_flag_on());
    assert_eq!(scene.calls(from, &["states:Update"]).len(), 0);
    assert_eq!((scene.phase(), scene.pages()), (Phase::Held, 1));
}

#[test]
fn an_operator_may_name_the_version() {
    let mut scene = Scene::of(&[("jobs", Kind::Machine, 0)]);
    scene.shift("jobs", "1:0,2:100");
    scene.shift("jobs", "2:90,3:10");
    let command = command_at(scene.clock, Some("1".parse().unwrap()));
    assert_eq!(scene.pull(&command), Outcome::Answered(Course::Restore));
    scene.serves("jobs", "1 on 100%");
    assert_eq!(scene.phase(), Phase::RolledBack);
}

#[test]
fn without_a_release_everything_goes_to_what_is_known_to_be_good() {
    let mut scene =
        Scene::of(&[("web", Kind::Balancer, 1), ("jobs", Kind::Machine, 0), ("api", Kind::Alias, 0)]);
    scene.world.meddle(&"web".parse().unwrap(), "green".parse().unwrap());
    scene.world.meddle(&"api".parse().unwrap(), "7".parse().unwrap());
    let command = command_at(scene.clock, None);
    assert_eq!(scene.pull(&command), Outcome::Answered(Course::Restore));
    scene.serves("web", "blue on 100%");
    scene.serves("api", "1 on 100%");
    assert_eq!(scene.calls(0, &["states:Update"]).len(), 0, "what is there already is left alone");
    scene.pass(seconds(60));
    assert_eq!(scene.pull(&command), Outcome::Answered(Course::StandDown));
}

/// Found by the simulation: of two groups that take turns the candidate of the next release is the stable one of the last, so
/// that a stale reading of the ledger took the next release for the one that its alarm was about.
#[test]
fn what_takes_turns_is_not_moved_by_who_has_read_of_the_release_before() {
    let mut scene = Scene::of(&[("dns", Kind::Records, 0)]);
    scene.shift("dns", "blue:0,green:100");
    let alarm = alarm_at(scene.clock);
    let mut late = scene.pulling(&alarm);
    // The ledger is read. Before the records are, that release goes back and the next one is opened.
    scene.step(&mut late, Fault::None);
    assert_eq!(scene.pull(&alarm), Outcome::Answered(Course::Restore));
    scene.pass(seconds(5));
    scene.shift("dns", "blue:0,green:100");
    assert_eq!(scene.finish(late), Outcome::Answered(Course::StandDown));
    scene.serves("dns", "green on 100%");
    assert_eq!(scene.phase(), Phase::Complete);
}

/// Found by the simulation: records name the same identifier first in either direction, and every second release was taken for
/// one that somebody else had moved.
#[test]
fn a_release_moves_on_in_either_direction() {
    for kind in [Kind::Records, Kind::Balancer] {
        let mut scene = Scene::of(&[("web", kind, 0)]);
        scene.shift("web", "blue:0,green:100");
        scene.shift("web", "green:90,blue:10");
        scene.shift("web", "green:50,blue:50");
        scene.shift("web", "green:0,blue:100");
        assert_eq!(scene.phase(), Phase::Complete);
    }
}

/// Found by the simulation: each of many deliveries wrote its own claim over the one that was held, so that whoever was at work
/// lost the race for the books again and again.
#[test]
fn a_claim_that_is_held_is_not_written_again() {
    let mut scene = Scene::of(&[("settings", Kind::Flags, 0)]);
    scene.shift("settings", "1:0,2:100");
    let alarm = alarm_at(scene.clock);
    let mut first = scene.pulling(&alarm);
    scene.runs_until(&mut first, "dynamodb:TransactWriteItems");
    scene.step(&mut first, Fault::None);
    let held = scene.change("settings").claim;
    assert!(held.is_some());
    let mut second = scene.pulling(&alarm);
    scene.runs_until(&mut second, "appconfig:");
    assert_eq!(scene.change("settings").claim, held);
    let calls = second.next_calls();
    assert!(calls.iter().all(|call| !call.starts_with("dynamodb")), "{calls:?}");
}

/// Found by the simulation: the end of something that was under way before the release began finished a way back of it.
#[test]
fn what_arrives_from_before_the_release_finishes_nothing() {
    let mut scene = Scene::of(&[("jobs", Kind::Machine, 0)]);
    let raised_at = scene.clock;
    scene.pass(seconds(5));
    scene.shift("jobs", "1:90,2:10");
    let alarm = alarm_at(scene.clock);
    let mut pulling = scene.pulling(&alarm);
    scene.runs_until(&mut pulling, "states:Update");
    drop(pulling);
    scene.pass(seconds(60));
    let place = scene.world.targets()[0].place.to_string();
    let arrival = |raised_at| {
        Signal::Arrival(Arrival {
            place: place.clone(),
            what: "COMPLETED".to_owned(),
            taken_back: None,
            raised_at,
        })
    };
    assert_eq!(scene.pull(&arrival(raised_at)), Outcome::Answered(Course::StandDown));
    scene.serves("jobs", "1 on 90%, 2 on 10%");
    assert_eq!(scene.pull(&arrival(scene.clock)), Outcome::Answered(Course::Restore));
    scene.serves("jobs", "1 on 100%");
}

#[test]
fn what_appconfig_has_taken_back_is_booked_once_and_takes_the_rest_of_its_release_along() {
    let mut scene = Scene::of(&[("settings", Kind::Flags, 0), ("api", Kind::Alias, 1)]);
    scene.shift("api", "1:90,2:10");
    scene.shift("settings", "1:0,2:100");
    assert_eq!(scene.phase(), Phase::Shifting);
    let place = scene.world.targets()[0].place.to_string();
    let said = |deployment| {
        let why = Some("CLOUDWATCH_ALARM, Rollback initiated by errors".to_owned());
        let taken_back = Some(TakenBack { deployment: DeploymentNumber(deployment), why, by_alarm: true });
        let what = "OnDeploymentRolledBack".to_owned();
        Signal::Arrival(Arrival { place: place.clone(), what, taken_back, raised_at: scene.clock })
    };
    let (other, own) = (said(1), said(2));
    // What is still served was not taken back, whatever an event says.
    assert_eq!(scene.pull(&own), Outcome::Answered(Course::StandDown));
    scene.world.take_back(&"settings".parse().unwrap());
    assert_eq!(scene.pull(&other), Outcome::Answered(Course::StandDown));
    scene.serves("api", "1 on 90%, 2 on 10%");
    assert_eq!(scene.pull(&own), Outcome::Answered(Course::Restore));
    scene.serves("api", "1 on 100%");
    assert_eq!(scene.phase(), Phase::RolledBack);
    assert_eq!(scene.pull(&own), Outcome::Answered(Course::StandDown));
}

/// Found by the simulation: a release was opened on one target while another went back, and left the way back half done.
#[test]
fn no_release_is_opened_while_another_target_is_going_back() {
    let mut scene = Scene::of(&[("api", Kind::Alias, 0), ("web", Kind::Balancer, 1)]);
    scene.shift("api", "1:90,2:10");
    scene.shift("web", "blue:0,green:100");
    scene.shift("api", "1:0,2:100");
    assert_eq!(scene.phase(), Phase::Complete);
    let alarm = alarm_at(scene.clock);
    let mut pulling = scene.pulling(&alarm);
    scene.runs_until(&mut pulling, "dynamodb:TransactWriteItems");
    // The claim fails, the alias goes back all the same, and the invocation ends there.
    scene.step(&mut pulling, Fault::Refused);
    scene.step(&mut pulling, Fault::None);
    drop(pulling);
    scene.serves("api", "1 on 100%");
    let shifting = scene.shifting("web", "green:90,blue:10");
    let Outcome::Failed(why) = scene.finish(shifting) else { panic!("a release is opened beside it") };
    assert!(why.contains("perhaps a rollback"), "{why}");
    scene.pass(seconds(60));
    assert_eq!(scene.pull(&alarm), Outcome::Answered(Course::Restore));
    scene.serves("web", "blue on 100%");
    assert_eq!(scene.phase(), Phase::RolledBack);
}

/// Found by the simulation: books that one invocation closed ended the claim of another, whose call landed in the next release.
#[test]
fn nothing_is_opened_while_a_call_of_the_release_before_may_still_land() {
    let mut scene = Scene::of(&[("web", Kind::Balancer, 0)]);
    scene.shift("web", "blue:90,green:10");
    let alarm = alarm_at(scene.clock);
    let mut slow = scene.pulling(&alarm);
    scene.runs_until(&mut slow, "elasticloadbalancing:");
    scene.step(&mut slow, Fault::Late);
    // A person is quicker by hand, and the next delivery finds that there is nothing left to call.
    scene.world.meddle(&"web".parse().unwrap(), "blue".parse().unwrap());
    assert_eq!(scene.pull(&alarm), Outcome::Answered(Course::Settle));
    assert_eq!(scene.phase(), Phase::RolledBack);
    let shifting = scene.shifting("web", "blue:90,green:10");
    let Outcome::Failed(why) = scene.finish(shifting) else { panic!("a release is opened beside it") };
    assert!(why.contains("is being moved by another"), "{why}");
    scene.lands();
    scene.pass(seconds(30));
    scene.shift("web", "blue:90,green:10");
    scene.serves("web", "blue on 90%, green on 10%");
}

/// Found by the simulation: a person's rollback outside a release called beside an invocation whose call was under way.
#[test]
fn outside_a_release_a_call_that_is_under_way_is_waited_for() {
    let mut scene = Scene::of(&[("web", Kind::Balancer, 0)]);
    scene.shift("web", "blue:90,green:10");
    let alarm = alarm_at(scene.clock);
    let mut slow = scene.pulling(&alarm);
    scene.runs_until(&mut slow, "elasticloadbalancing:");
    scene.step(&mut slow, Fault::Late);
    scene.world.meddle(&"web".parse().unwrap(), "blue".parse().unwrap());
    assert_eq!(scene.pull(&alarm), Outcome::Answered(Course::Settle));
    scene.world.meddle(&"web".parse().unwrap(), "green".parse().unwrap());
    let command = command_at(scene.clock, None);
    let mut asked = scene.pulling(&command);
    scene.runs_until(&mut asked, "look at");
    scene.lands();
    assert_eq!(scene.finish(asked), Outcome::Answered(Course::Restore));
    scene.serves("web", "blue on 100%");
    assert_eq!(
        scene.calls(0, &["elasticloadbalancing:"]).len(),
        2,
        "the shift, and the call that was waited for"
    );
}
