//! Releases that a state machine drives: how they open, move, complete and end, and that every task may be repeated.

use ripcord::decide::Course;
use ripcord::error_type::ErrorType;
use ripcord::names::Generation;
use ripcord::pipeline::{Awaiting, Run, Turn, Waivable};
use ripcord::plan::{Step, Steps};
use ripcord::release::{Phase, Release, Report};
use ripcord::shift::{Refusal, Shift, ShiftRequest, decide_shift};
use ripcord::signal::{PipelineFailure, RollbackCommand, Signal};
use serde_json::{Value, json};

use crate::decisions::{answer, render_steps};
use crate::worlds::{World, alarm, at, canary, command, moment, past_rollback, percent, traffic, v};

mod races;
mod unfinished;

const EXECUTION: &str =
    "arn:aws:states:eu-west-1:123456789012:execution:ripcord-progressive-release:checkout-2";

fn open(fields: Value) -> Value {
    let mut input = json!({ "service": "checkout", "version": "2", "requested_by": "ada",
        "progress": { "stages": "10,50", "stage_duration": "10m" } });
    for (name, value) in fields.as_object().unwrap() {
        input[name] = value.clone();
    }
    json!({ "open": input, "execution": EXECUTION })
}

fn to_stage(stage: usize) -> Value {
    json!({ "service": "checkout", "release": 1, "stage": stage, "approved_by": null })
}

fn ask(world: &World, document: &Value, now: &str) -> Result<Shift, Refusal> {
    let request = ShiftRequest::read(document)?;
    decide_shift(&request, &world.shift_situation(&request), moment(at(now)))
}

/// Decides and carries out; the same task once more changes nothing, though it may tell people again.
#[track_caller]
fn take(world: &mut World, document: &Value, now: &str) -> Shift {
    let shift = ask(world, document, now).unwrap();
    world.take(&shift.steps).unwrap();
    let again = ask(world, document, now).unwrap();
    let is_telling = |step: &Step| matches!(step, Step::Tell(_));
    assert!(again.steps.iter().flatten().all(is_telling), "the same task again: {:#?}", again.steps);
    assert_eq!((&again.generation, &again.onward), (&shift.generation, &shift.onward));
    shift
}

#[track_caller]
fn refused(world: &World, document: &Value, error_type: ErrorType, message: &str) {
    let refusal = ask(world, document, "10:30:00").unwrap_err();
    assert_eq!(refusal.error_type(), error_type, "{refusal}");
    assert!(refusal.to_string().contains(message), "{refusal}");
}

fn opened() -> World {
    let mut world = World::checkout();
    take(&mut world, &open(json!({})), "10:00:00");
    world
}

fn in_stage(stage: usize) -> World {
    let mut world = opened();
    for stage in 0..=stage {
        take(&mut world, &to_stage(stage), &format!("10:{}0:00", stage + 1));
    }
    world
}

fn release(world: &World) -> &Release {
    world.record.release.as_ref().unwrap()
}

fn run(world: &World) -> &Run {
    release(world).run.as_ref().unwrap()
}

fn given_up(execution: &str, why: &str) -> Signal {
    Signal::Pipeline(PipelineFailure {
        rejected: false,
        measured_bad: true,
        train: None,
        service: "checkout".parse().unwrap(),
        execution: execution.to_owned(),
        why: why.to_owned(),
        raised_at: at("10:40:00"),
    })
}

#[test]
fn a_release_is_opened_without_moving_traffic() {
    let mut world = World::checkout();
    let shift = take(&mut world, &open(json!({})), "10:00:00");
    insta::assert_snapshot!(render_steps(&shift.steps));
    assert_eq!(world.moved, []);
    let release = release(&world);
    assert_eq!(
        (release.phase, release.traffic_at, release.changes[0].weight),
        (Phase::Shifting, None, percent(0.0))
    );
    assert_eq!(run(&world).strategy.stages.len(), 3);
    assert!(release.had_no_traffic());
}

#[test]
fn stages_follow_each_other_and_end_in_completion() {
    let mut world = opened();
    for (stage, minute, weights) in
        [(0, "10:10:00", "1:90,2:10"), (1, "10:20:00", "1:50,2:50"), (2, "10:30:00", "2:100")]
    {
        let shift = take(&mut world, &to_stage(stage), minute);
        assert_eq!(shift.onward.map(|onward| (onward.next, onward.stage)), Some((Turn::Look, stage)));
        assert_eq!(world.live("api").traffic, traffic(weights));
        assert_eq!(release(&world).phase, Phase::Shifting, "all traffic is not yet the end");
        assert_eq!(run(&world).reached[stage].at, at(minute));
    }
    assert_eq!(release(&world).traffic_at, Some(at("10:10:00")));
    let shift = take(&mut world, &to_stage(3), "10:40:00");
    insta::assert_snapshot!(render_steps(&shift.steps));
    assert_eq!(shift.onward.map(|onward| onward.next), Some(Turn::End));
    assert_eq!(release(&world).phase, Phase::Complete);
    assert_eq!(world.record.known_good[0].version, v(2));
    assert_eq!(world.moved.len(), 3);
}

#[test]
fn a_stage_out_of_turn_is_refused() {
    refused(
        &opened(),
        &to_stage(1),
        ErrorType::ReleaseConflict,
        "stage 2 of 3 is not next: release 1 has begun 0",
    );
    refused(&in_stage(1), &to_stage(3), ErrorType::ReleaseConflict, "stage 4 of 3 is not next");
    refused(&in_stage(2), &to_stage(1), ErrorType::ReleaseConflict, "stage 2 of 3 is not next");
    refused(&in_stage(2), &to_stage(4), ErrorType::ReleaseConflict, "stage 5 of 3 is not next");
    let mut by_hand = World::checkout().released(canary()).serving("1:90,2:10");
    by_hand.record.release.as_mut().unwrap().generation = ripcord::names::Generation(1);
    refused(&by_hand, &to_stage(0), ErrorType::RequestInvalid, "driven by hand");
}

#[test]
fn a_stage_that_needs_approval_moves_only_with_a_name() {
    let mut world = World::checkout();
    let by_hand = json!({ "progress": { "stages": "10", "no_auto_promote": true } });
    take(&mut world, &open(by_hand), "10:00:00");
    take(&mut world, &to_stage(0), "10:10:00");
    refused(
        &world,
        &to_stage(1),
        ErrorType::ApprovalMissing,
        "stage 2 of release 1 needs a person's approval",
    );
    let mut approved = to_stage(1);
    approved["approved_by"] = json!("grace");
    take(&mut world, &approved, "10:20:00");
    assert_eq!(run(&world).reached[1].approved_by.as_deref(), Some("grace"));
    assert_eq!(run(&world).reached[0].approved_by, None);
}

#[test]
fn what_cannot_be_released_is_refused_before_anything_moves() {
    let nothing = World::checkout();
    let cases = [
        (
            json!({ "version": "1" }),
            ErrorType::RequestInvalid,
            "version is 1: the alias serves that version already",
        ),
        (json!({ "version": "99" }), ErrorType::VersionUnusable, "version 99 of checkout-api does not exist"),
        (json!({ "version": "$LATEST" }), ErrorType::RequestInvalid, "$LATEST"),
        (json!({ "surprise": 1 }), ErrorType::RequestInvalid, "surprise"),
        (
            json!({ "progress": { "strategy": "yolo" } }),
            ErrorType::RequestInvalid,
            "strategy is \"yolo\": one of canary",
        ),
        (
            json!({ "progress": { "stages": "50,10" } }),
            ErrorType::RequestInvalid,
            "stages[1].weight is 10%: weights rise",
        ),
        (json!({ "progress": { "stages": "0" } }), ErrorType::RequestInvalid, "stages[0].weight is 0%"),
        (
            json!({ "progress": { "stages": "101" } }),
            ErrorType::RequestInvalid,
            "stages[0] is \"101\": a percentage",
        ),
        (
            json!({ "progress": { "stages": "10", "stage_duration": "30s" } }),
            ErrorType::RequestInvalid,
            "stage_duration is \"30s\"",
        ),
        (json!({ "waive": ["alarms"] }), ErrorType::RequestInvalid, "what is waived needs a reason"),
        (json!({ "waive": ["everything"], "override": "why" }), ErrorType::RequestInvalid, "everything"),
    ];
    for (fields, error_type, message) in cases {
        refused(&nothing, &open(fields), error_type, message);
    }
}

#[test]
fn two_executions_do_not_drive_one_service() {
    let mut other = open(json!({ "version": "3" }));
    other["execution"] = json!("arn:aws:states:eu-west-1:123456789012:execution:m:another");
    refused(&opened(), &other, ErrorType::ReleaseConflict, "release 1 (1 to 2) is open");
    refused(&in_stage(1), &other, ErrorType::ReleaseConflict, "release 1 (1 to 2) is open");
}

#[test]
fn an_execution_whose_release_has_ended_opens_no_other() {
    let mut world = in_stage(0);
    let decision = answer(&world, &command("10:30:00", None), "10:30:01");
    world.take(&decision.steps).unwrap();
    refused(&world, &open(json!({})), ErrorType::ReleaseClosed, "release 1 is rolled back");
    refused(&world, &to_stage(1), ErrorType::ReleaseClosed, "release 1 is rolled back");
}

#[test]
fn a_service_that_was_rolled_back_again_and_again_is_not_released_once_more() {
    let mut world = World::checkout();
    world.record.registration.rollback.rollbacks_max = 2;
    world.record.rollbacks = vec![past_rollback(3, 8, at("10:10:00"))];
    let allowed = ask(&world, &open(json!({})), "10:30:00");
    assert!(allowed.is_ok(), "{allowed:?}");
    world.record.rollbacks.push(past_rollback(4, 9, at("10:20:00")));
    refused(&world, &open(json!({})), ErrorType::ServiceHeld, "2 rollbacks in 60 minutes >= limit 2");
    let waived = open(json!({ "waive": ["hold"], "override": "the cause is known" }));
    let shift = ask(&world, &waived, "10:30:00").unwrap();
    world.take(&shift.steps).unwrap();
    let waiver = run(&world).waiver.clone().unwrap();
    assert_eq!(
        (waiver.checks, waiver.by.as_str(), waiver.until),
        (vec![Waivable::Hold], "ada", at("14:30:00"))
    );
}

#[test]
fn a_stage_that_failed_puts_its_own_release_back() {
    let mut world = in_stage(1);
    let decision = answer(&world, &given_up(EXECUTION, "errors 3.1% > limit 1.0%"), "10:40:00");
    assert_eq!(decision.course, Course::Restore);
    assert_eq!(decision.reason.to_string(), "release 1 was given up in stage 2: errors 3.1% > limit 1.0%");
    insta::assert_snapshot!(render_steps(&decision.steps));
    world.take(&decision.steps).unwrap();
    assert_eq!(world.live("api").traffic, traffic("1:100"));
    assert_eq!(release(&world).phase, Phase::RolledBack);
    assert_eq!(world.stopped, Vec::<String>::new(), "an execution that gives up ends by itself");
    assert!(world.record.rollbacks.iter().any(|rollback| rollback.automatic && rollback.version == v(2)));
}

#[test]
fn an_execution_speaks_for_no_release_but_its_own() {
    for mut world in
        [World::checkout(), in_stage(1), World::checkout().released(canary()).serving("1:90,2:10")]
    {
        let before = world.clone();
        let decision = answer(
            &world,
            &given_up("arn:aws:states:eu-west-1:123456789012:execution:m:another", "x"),
            "10:40:00",
        );
        assert_eq!(decision.course, Course::StandDown, "{}", decision.reason);
        unchanged_by(&mut world, &decision.steps, &before);
    }
}

/// That an execution has ended may be noted; beyond that nothing happens.
#[track_caller]
fn unchanged_by(world: &mut World, steps: &Steps, before: &World) {
    world.take(steps).unwrap();
    let content = |world: &World| world.record.release.clone().map(|it| Release { seq: 0, ..it });
    assert_eq!(content(world), content(before));
    assert_eq!(
        (&world.moved, &world.notices, &world.stopped),
        (&before.moved, &before.notices, &before.stopped)
    );
    assert_eq!(world.record.rollbacks, before.record.rollbacks);
}

#[test]
fn an_execution_that_ends_badly_after_completion_changes_nothing() {
    let mut world = in_stage(2);
    take(&mut world, &to_stage(3), "10:35:00");
    let before = world.clone();
    let decision = answer(&world, &given_up(EXECUTION, "its execution ended as ABORTED"), "10:40:00");
    assert_eq!(decision.course, Course::StandDown, "{}", decision.reason);
    unchanged_by(&mut world, &decision.steps, &before);
    assert_eq!(world.live("api").traffic, traffic("2:100"));
}

#[test]
fn a_release_without_traffic_is_withdrawn_and_nothing_is_quarantined() {
    for signal in
        [given_up(EXECUTION, "PreflightFailed: a freeze"), alarm("10:20:00"), command("10:20:00", None)]
    {
        let mut world = opened();
        let decision = answer(&world, &signal, "10:40:00");
        world.take(&decision.steps).unwrap();
        let ended = release(&world);
        assert_eq!(ended.phase, Phase::Withdrawn, "{signal:?}");
        assert!(matches!(ended.report, Report::Sent { .. }));
        assert_eq!((world.record.rollbacks.len(), world.moved.len()), (0, 0));
        let next = ask(&world, &open(json!({})), "10:50:00");
        assert!(matches!(next, Err(Refusal::Closed { .. })), "the same execution: {next:?}");
        let mut another = open(json!({}));
        another["execution"] = json!("arn:aws:states:eu-west-1:123456789012:execution:m:another");
        assert!(ask(&world, &another, "10:50:00").is_ok(), "the same version may be tried again");
        // A late alarm finds nothing that it could be about.
        let late = answer(&world, &alarm("10:55:00"), "10:55:01");
        assert_eq!(late.course, Course::StandDown);
    }
}

#[test]
fn a_release_whose_first_shift_is_under_way_is_rolled_back_and_not_withdrawn() {
    let mut world = opened();
    let shift = ask(&world, &to_stage(0), "10:10:00").unwrap();
    world.take(&shift.steps[..1].to_vec()).unwrap();
    let decision = answer(&world, &given_up(EXECUTION, "its execution ended as ABORTED"), "10:40:00");
    world.take(&decision.steps).unwrap();
    assert_eq!(release(&world).phase, Phase::RolledBack);
    let slow = world.take(&shift.steps[1..].to_vec());
    assert!(slow.is_err(), "the shift that was under way comes too late");
    assert_eq!(world.live("api").traffic, traffic("1:100"));
}

#[test]
fn a_state_machines_own_rollback_is_never_withheld_as_a_loop() {
    let mut world = in_stage(1);
    world.record.registration.rollback.rollbacks_max = 1;
    world.record.rollbacks = vec![past_rollback(0, 9, at("10:20:00"))];
    assert_eq!(answer(&world, &alarm("10:35:00"), "10:40:00").course, Course::Hold);
    assert_eq!(answer(&world, &given_up(EXECUTION, "x"), "10:40:00").course, Course::Restore);
}

#[test]
fn an_alarm_that_fired_before_the_fix_needs_new_evidence_until_the_waiver_ends() {
    let mut world = World::checkout();
    take(&mut world, &open(json!({ "waive": ["alarms"], "override": "this is the fix" })), "10:00:00");
    take(&mut world, &to_stage(0), "10:10:00");
    let run = world.record.release.as_mut().unwrap().run.as_mut().unwrap();
    run.waiver.as_mut().unwrap().firing = vec!["errors".to_owned()];
    let during = answer(&world, &alarm("13:59:58"), "13:59:59");
    assert_eq!(during.course, Course::StandDown);
    assert!(during.reason.to_string().contains("had fired before release 1 began"), "{}", during.reason);
    assert_eq!(answer(&world, &alarm("14:00:00"), "14:00:01").course, Course::Restore);
}

#[test]
fn a_person_may_promote_a_driven_release_and_its_execution_then_ends() {
    let mut world = in_stage(0);
    let mut promote = json!({ "service": "checkout", "weights": "2:100", "requested_by": "ada" });
    refused(&world, &promote, ErrorType::ReleaseConflict, "release 1 is driven by a state machine");
    refused(
        &world,
        &json!({ "service": "checkout", "weights": "1:80,2:20" }),
        ErrorType::ReleaseConflict,
        "driven",
    );
    promote["override"] = json!("the fix must out");
    let shift = ask(&world, &promote, "10:30:00").unwrap();
    world.take(&shift.steps).unwrap();
    assert_eq!(release(&world).phase, Phase::Complete);
    assert_eq!(world.stopped, [EXECUTION], "it may be waiting for a person");
    let onward = ask(&world, &to_stage(1), "10:31:00").unwrap().onward.unwrap();
    assert_eq!(onward.next, Turn::End);
}

#[test]
fn a_driven_release_that_somebody_moved_is_not_moved_further() {
    let mut world = in_stage(0);
    world = world.serving("1:40,2:60");
    refused(&world, &to_stage(1), ErrorType::AliasDrifted, "somebody else moved it");
    let world = in_stage(2).serving("1:40,2:60");
    refused(&world, &to_stage(3), ErrorType::AliasDrifted, "somebody else moved it");
}

#[test]
fn a_release_of_one_of_several_targets_moves_that_one() {
    let mut world = World::of(&["api", "worker"]);
    refused(
        &world,
        &open(json!({})),
        ErrorType::RequestInvalid,
        "name one of the service's targets: api, worker",
    );
    take(&mut world, &open(json!({ "target": "worker" })), "10:00:00");
    take(&mut world, &to_stage(0), "10:10:00");
    assert_eq!(world.live("worker").traffic, traffic("1:90,2:10"));
    assert_eq!(world.live("api").traffic, traffic("1:100"));
}

#[test]
fn a_persons_no_is_no_automatic_rollback() {
    let mut world = in_stage(1);
    let Signal::Pipeline(failure) = given_up(EXECUTION, "ApprovalRejected: rejected by grace") else {
        unreachable!("it is one")
    };
    let decision =
        answer(&world, &Signal::Pipeline(PipelineFailure { rejected: true, ..failure }), "10:40:00");
    assert_eq!(decision.course, Course::Restore);
    world.take(&decision.steps).unwrap();
    assert!(world.record.rollbacks.iter().all(|rollback| !rollback.automatic), "it counts against no limit");
    assert_eq!(world.record.rollbacks[0].version, v(2), "the version is quarantined all the same");
}

#[test]
fn who_means_one_release_puts_back_no_other() {
    let meaning = |release| {
        let Signal::Operator(command) = command("10:35:00", None) else { unreachable!("it is one") };
        Signal::Operator(RollbackCommand { release: Some(Generation(release)), ..command })
    };
    let mut world = in_stage(2);
    assert_eq!(answer(&world, &meaning(1), "10:40:00").course, Course::Restore);
    let other = answer(&world, &meaning(2), "10:40:00");
    assert_eq!((other.course, other.steps.len()), (Course::StandDown, 0));
    assert_eq!(other.reason.to_string(), "release 2 is not open: the latest is 1, and it is shifting");
    take(&mut world, &to_stage(3), "10:40:00");
    let complete = answer(&world, &meaning(1), "10:41:00");
    assert_eq!((complete.course, complete.steps.len()), (Course::StandDown, 0), "{}", complete.reason);
}

#[test]
fn what_a_person_let_pass_is_not_called_proved() {
    let mut world = in_stage(2);
    let run = world.record.release.as_mut().unwrap().run.as_mut().unwrap();
    run.awaiting = Some(Awaiting {
        stage: 3,
        token: "t".to_owned(),
        since: at("10:35:00"),
        until: at("14:35:00"),
        why: "still not proved after 20 min".to_owned(),
    });
    let mut complete = to_stage(3);
    complete["approved_by"] = json!("grace");
    let shift = ask(&world, &complete, "10:40:00").unwrap();
    world.take(&shift.steps).unwrap();
    let because = release(&world).ended_because.clone().unwrap();
    assert_eq!(because, "version 2 took all traffic; grace let it go on without proof");
}
