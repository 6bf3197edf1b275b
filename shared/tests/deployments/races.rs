//! What the simulation and the table have found, each by its name.

use ripcord::decide::{Course, Decision, Moment, decide, decide_failure};
use ripcord::deployment::{AppSpec, DeploymentState, DeploymentStatus, Resource};
use ripcord::plan::Step;
use ripcord::release::{PastRollback, Phase, Release, Report};
use ripcord::signal::Signal;
use ripcord::situation::Situation;

use crate::scene::{deployment, ended, id, release, rollback, seen};
use crate::world::{Answer, World, alarm_at, at, command_at, event_at, moment, render, seconds, traffic, v};

fn later(name: &str, current: u64, target: u64, status: DeploymentStatus) -> DeploymentState {
    DeploymentState { created_at: Some(at("10:04:00")), ..deployment(name, current, target, status) }
}

fn succeeded() -> DeploymentState {
    deployment("d-1", 1, 2, DeploymentStatus::Succeeded)
}

fn stopped() -> DeploymentState {
    deployment("d-1", 1, 2, DeploymentStatus::Stopped)
}

fn complete() -> Release {
    ended(Phase::Complete, "10:03:00")
}

fn claimed(until: &str) -> Release {
    let mut release = complete();
    release.deployment.as_mut().unwrap().reversal_until = Some(at(until));
    release
}

fn answer(signal: &Signal, situation: &Situation) -> Decision {
    decide(signal, situation, moment(at("10:05:02")))
}

fn event(name: &str) -> Signal {
    event_at(&id(name), "START", at("10:05:00"))
}

fn steps(decision: &Decision) -> impl Iterator<Item = &Step> {
    decision.steps.iter().flatten()
}

fn told(decision: &Decision) -> Vec<&str> {
    steps(decision)
        .filter_map(|step| if let Step::Tell(notice) = step { Some(notice.title.as_str()) } else { None })
        .collect()
}

fn sets_alias(decision: &Decision) -> bool {
    steps(decision).any(|step| matches!(step, Step::SetTraffic(_)))
}

/// The alias is seen a moment before the last shift, and the deployment a moment after it.
#[test]
fn an_alias_seen_too_early_holds_no_release() {
    let mut world = World::checkout();
    world.record.release = Some(release());
    world.serve(traffic("1:50,2:50"));
    let situation =
        Situation { deployments: seen(None, "1:100", vec![succeeded()]).deployments, ..world.situation() };
    let decision = answer(&event("d-1"), &situation);
    world.serve(traffic("2:100"));
    let raced = world.take(&decision.steps, at("10:05:02"));
    assert!(matches!(raced, Err(Answer::Raced(_))), "{raced:?}: {}", render(&decision));
    assert_eq!(world.record.release.unwrap().phase, Phase::Shifting);
}

#[test]
fn an_alias_seen_too_early_is_not_reversed_twice() {
    let back = later("d-3", 2, 1, DeploymentStatus::Succeeded);
    let mut world = World::checkout();
    world.record.release = Some(claimed("10:04:30"));
    world.serve(traffic("2:100"));
    let deployments = seen(None, "1:100", vec![succeeded(), back]).deployments;
    let situation = Situation { deployments, ..world.situation() };
    world.serve(traffic("1:100"));
    let decision = answer(&alarm_at(at("10:05:00")), &situation);
    let raced = world.take(&decision.steps, at("10:05:02"));
    assert!(matches!(raced, Err(Answer::Raced(_))), "{raced:?}: {}", render(&decision));
    assert!(world.codedeploy.deployments.is_empty(), "{}", render(&decision));
}

/// The success is heard of while somebody puts the release back.
#[test]
fn what_is_being_put_back_is_not_booked_as_good() {
    let mut going_back = release();
    going_back.deployment.as_mut().unwrap().reversal_until = Some(at("10:05:20"));
    let back = later("d-3", 2, 1, DeploymentStatus::InProgress);
    let decision = answer(&event("d-1"), &seen(Some(going_back), "2:100", vec![succeeded(), back]));
    let good = |step: &Step| matches!(step, Step::Write(write) if write.known_good.iter().any(|it| it.version == v(2)));
    assert!(!steps(&decision).any(good), "{}", render(&decision));
}

/// CodeDeploy refuses a deployment from an alias that serves two versions, and one from a version to itself.
#[test]
fn a_split_alias_is_set_and_not_reversed() {
    let decision = answer(&alarm_at(at("10:05:00")), &seen(Some(complete()), "1:50,2:50", vec![succeeded()]));
    assert!(sets_alias(&decision), "{}", render(&decision));
}

#[test]
fn a_way_back_that_codedeploy_could_not_take_is_not_asked_of_it_again() {
    let failed = later("d-3", 2, 1, DeploymentStatus::Failed);
    let situation = seen(Some(claimed("10:04:30")), "2:100", vec![succeeded(), failed]);
    let decision = answer(&alarm_at(at("10:05:00")), &situation);
    assert!(sets_alias(&decision), "{}", render(&decision));
}

#[test]
fn no_alias_is_set_beneath_the_next_deployment() {
    let next = later("d-7", 1, 3, DeploymentStatus::InProgress);
    let decision = answer(&event("d-1"), &seen(Some(release()), "1:90,2:10", vec![stopped(), next.clone()]));
    assert_eq!(decision.course, Course::Hold, "{}", render(&decision));
    let over = ended(Phase::RolledBack, "10:03:00");
    let decision =
        answer(&command_at(at("10:05:00"), None), &seen(Some(over), "1:90,3:10", vec![stopped(), next]));
    assert!(decision.steps.is_empty(), "{}", render(&decision));
}

#[test]
fn no_alias_is_set_beneath_a_rollback_that_cannot_be_seen() {
    let named =
        DeploymentState { rolled_back_by: Some(rollback(DeploymentStatus::InProgress).id), ..stopped() };
    let mut situation = seen(Some(release()), "1:90,2:10", vec![named]);
    situation.deployments.unseen = Some("throttled".to_owned());
    let decision = answer(&event("d-1"), &situation);
    assert!(!sets_alias(&decision), "{}", render(&decision));
    assert!(steps(&decision).any(|step| matches!(step, Step::Await { .. })), "{}", render(&decision));
}

/// A person's invocation claims the way back and dies. Nobody repeats it, so whoever comes next must not rely on it.
#[test]
fn an_alarm_does_not_rely_on_another_invocations_claim() {
    let situation = seen(Some(claimed("10:05:20")), "2:100", vec![succeeded()]);
    let decision = answer(&alarm_at(at("10:05:00")), &situation);
    let mut world = World::checkout();
    (world.record, world.alias) = (situation.record.clone(), None);
    world.serve(traffic("2:100"));
    let first = steps(&decision).next().unwrap();
    assert_eq!(
        world.apply(first, at("10:05:28")),
        Answer::Pending,
        "its retry finishes: {}",
        render(&decision)
    );
    let retried = decide(&alarm_at(at("10:05:00")), &situation, moment(at("10:06:30")));
    assert!(steps(&retried).any(|step| matches!(step, Step::Reverse(_))), "{}", render(&retried));
}

#[test]
fn an_end_that_nobody_was_told_of_is_told_before_the_next_release_opens() {
    let untold =
        Release { report: Report::Leased { until: at("10:06:00") }, ..ended(Phase::RolledBack, "10:03:00") };
    let next = later("d-7", 1, 3, DeploymentStatus::InProgress);
    let decision = answer(&event("d-7"), &seen(Some(untold), "1:100", vec![next]));
    assert_eq!(told(&decision), ["checkout was rolled back (release 5)"]);
}

/// Whoever began the deployment that goes back died before the books were closed, and the team deploys again.
#[test]
fn a_reversal_without_books_is_booked_before_the_next_release_opens() {
    let next = later("d-7", 1, 3, DeploymentStatus::InProgress);
    let decision =
        answer(&event("d-7"), &seen(Some(claimed("10:03:40")), "1:90,3:10", vec![succeeded(), next]));
    let books =
        steps(&decision).find_map(|step| if let Step::Write(write) = step { Some(write) } else { None });
    let books = books.unwrap();
    assert_eq!(books.release.as_ref().unwrap().phase, Phase::RolledBack);
    assert_eq!((books.known_good[0].version, books.rollbacks[0].version), (v(1), v(2)));
    assert_eq!(told(&decision), ["checkout was rolled back (release 5)"]);
}

/// Otherwise an alarm inside its window would lead to the bad version again.
#[test]
fn our_own_way_back_is_never_taken_for_a_release() {
    let over = ended(Phase::RolledBack, "10:04:30");
    let mut situation = seen(Some(over), "3:100", vec![later("d-3", 2, 3, DeploymentStatus::Succeeded)]);
    situation.record.known_good[0].version = v(3);
    situation.record.rollbacks = vec![PastRollback {
        generation: ripcord::names::Generation(5),
        target: "api".parse().unwrap(),
        version: v(2),
        artefact: None,
        at: at("10:03:59"),
        automatic: false,
        quarantines: true,
        reason: "ada asked for a rollback to version 3".to_owned(),
    }];
    let decision = answer(&event("d-3"), &situation);
    assert!(decision.steps.is_empty(), "{}", render(&decision));
}

#[test]
fn a_late_success_is_booked_although_the_next_deployment_moves_the_alias() {
    let next = later("d-7", 2, 3, DeploymentStatus::InProgress);
    let decision = answer(&event("d-7"), &seen(Some(release()), "2:90,3:10", vec![succeeded(), next]));
    assert_eq!(told(&decision), ["checkout: release 5 is complete"]);
}

/// One page for one deployment, whatever becomes of it.
#[test]
fn a_deployment_beside_a_release_pages_once() {
    let by_hand = Release { deployment: None, ..release() };
    let mut world = World::checkout();
    for status in [DeploymentStatus::Created, DeploymentStatus::InProgress, DeploymentStatus::Succeeded] {
        let mut situation = seen(Some(by_hand.clone()), "1:90,2:10", vec![later("d-7", 1, 3, status)]);
        situation.record.heard.clone_from(&world.record.heard);
        let decision = answer(&event("d-7"), &situation);
        world.take(&decision.steps, at("10:05:02")).unwrap();
    }
    assert_eq!(world.notices.len(), 1, "{:?}", world.notices);
}

/// Another group's deployment is not the next one of this group: it neither waits nor goes unsaid.
#[test]
fn a_deployment_of_another_group_is_not_swallowed_by_the_open_release() {
    let spec = AppSpec {
        resource: Resource::TaskSet { task_definition: "checkout:7".to_owned() },
        hooks: std::collections::BTreeMap::new(),
    };
    let task_set = DeploymentState {
        group: "checkout-ecs".to_owned(),
        spec: Ok(spec),
        ..later("d-7", 1, 3, DeploymentStatus::Failed)
    };
    let running = deployment("d-1", 1, 2, DeploymentStatus::InProgress);
    let decision = answer(&event("d-7"), &seen(Some(release()), "1:90,2:10", vec![running, task_set]));
    assert_eq!(told(&decision), ["checkout: a rollback by CodeDeploy (d-7)"]);
}

/// The claim has moved the record on when CodeDeploy refuses the call. The page goes out, but the record says nothing of it.
#[test]
fn a_reversal_that_fails_for_good_is_kept_in_the_record() {
    let situation = seen(Some(complete()), "2:100", vec![succeeded()]);
    let mut world = World::checkout();
    world.record = situation.record.clone();
    let (signal, moment) = (alarm_at(at("10:05:00")), moment(at("10:05:02")));
    let claim = decide(&signal, &situation, moment).steps.remove(0);
    world.take(&vec![claim], at("10:05:02")).unwrap();
    // Whoever fails after it has claimed looks again before it says so.
    let situation = Situation { record: world.record.clone(), ..situation };
    let loudest =
        decide_failure(&signal, &situation, "codedeploy:CreateDeployment: denied".to_owned(), moment);
    world.take(&loudest.steps, at("10:05:02")).unwrap();
    assert_eq!(world.record.release.unwrap().phase, Phase::RollbackFailed);
}

/// CodeDeploy stopped and rolled back a deployment whose events have not come yet: the alarm was about that one.
#[test]
fn an_alarm_about_a_deployment_not_heard_of_yet_leaves_the_release_before_alone() {
    let unheard = DeploymentState {
        is_rollback: true,
        rolls_back: Some(id("d-7")),
        ..later("d-8", 3, 2, DeploymentStatus::Succeeded)
    };
    let rolled_back = later("d-7", 2, 3, DeploymentStatus::Stopped);
    let situation = seen(Some(complete()), "2:100", vec![succeeded(), unheard, rolled_back]);
    let decision = answer(&alarm_at(at("10:05:00")), &situation);
    assert!(!steps(&decision).any(Step::moves_traffic), "{}", render(&decision));
}

/// CodeDeploy goes on with a deployment whose release is held, and its end is not written down: the window never begins.
#[test]
fn a_held_release_has_a_window_too() {
    let held = ended(Phase::Held, "10:03:00");
    let next_week = at("10:05:00") + seconds(7 * 86_400);
    let moment = Moment { now: next_week + seconds(2), lease_until: next_week + seconds(32) };
    let decision = decide(&alarm_at(next_week), &seen(Some(held), "2:100", vec![succeeded()]), moment);
    assert!(!steps(&decision).any(Step::moves_traffic), "{}", render(&decision));
}
