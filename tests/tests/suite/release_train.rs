//! The release train against the state machine of a release and the code behind it: whatever fails reaches the way back, and
//! what goes back is what was released.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ripcord::decide::{Course, decide};
use ripcord::error_type::ErrorType;
use ripcord::pipeline::{ReleaseRequest, Run};
use ripcord::plan::Step;
use ripcord::release::{Phase, Release};
use ripcord::signal::{PipelineFailure, Reading, Signal, read};
use ripcord::train::{Car, OnFailure};
use serde_json::{Map, Value, json};

use crate::worlds::{World, at, ended, moment};

const WAY_BACK: &str = "HowFar";
/// Names that Step Functions and its integrations give to errors.
const BY_AWS: &[&str] = &[
    "States.ALL",
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.SdkClientException",
    "StepFunctions.ServiceException",
];

fn machine() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../statemachines/release-train.asl.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Every state, with those inside maps, by name. Step Functions wants names to be unique in all of a definition.
fn states(machine: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, state) in machine["States"].as_object().unwrap() {
        all.push((name.clone(), state.clone()));
        if state["Type"] == "Map" {
            all.extend(states(&state["ItemProcessor"]));
        }
    }
    all
}

fn state(machine: &Value, name: &str) -> Value {
    states(machine).into_iter().find(|(known, _)| known == name).unwrap().1
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

fn exits(state: &Value) -> Vec<&str> {
    let nested = |list: &'static str| state[list].as_array().into_iter().flatten();
    let nested = nested("Catch").chain(nested("Choices")).map(|exit| &exit["Next"]);
    nested.chain([&state["Next"], &state["Default"]]).filter_map(Value::as_str).collect()
}

/// Follows every exit within one level, and descends into maps.
fn check_level(level: &Value) {
    let states: &Map<String, Value> = level["States"].as_object().unwrap();
    let mut reached = BTreeSet::new();
    let mut open = vec![level["StartAt"].as_str().unwrap()];
    while let Some(name) = open.pop() {
        let state = states.get(name).unwrap_or_else(|| panic!("there is no state {name}"));
        if reached.insert(name) {
            let ends = state["Type"] == "Fail" || state["Type"] == "Succeed" || state["End"] == true;
            let onward = exits(state);
            assert!(ends || !onward.is_empty(), "{name} leads nowhere");
            open.extend(onward);
        }
        if state["Type"] == "Map" {
            check_level(&state["ItemProcessor"]);
        }
    }
    let all: BTreeSet<&str> = states.keys().map(String::as_str).collect();
    assert_eq!(reached, all);
}

#[test]
fn every_state_can_be_reached_and_has_a_name_of_its_own() {
    let machine = machine();
    check_level(&machine);
    let all = states(&machine);
    let names: BTreeSet<&String> = all.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn a_wave_that_fails_reaches_the_way_back_and_one_that_cannot_go_back_stops_no_other() {
    let machine = machine();
    let caught = |name: &str| {
        let state = state(&machine, name);
        let catch = state["Catch"].as_array().unwrap().clone();
        assert_eq!(texts(&catch[0]["ErrorEquals"]), ["States.ALL"], "{name}");
        catch[0]["Next"].as_str().unwrap().to_owned()
    };
    assert_eq!(caught("Wave"), WAY_BACK);
    assert_eq!(caught("RollBack"), "NotBack");
    assert_eq!(caught("BringBack"), "NotBroughtBack");
    // Whatever catches nothing itself is inside a map that does.
    for name in ["Release", "BringWaveBack"] {
        assert_eq!(state(&machine, name)["Catch"], Value::Null, "{name}");
    }
    for (name, state) in states(&machine) {
        if state["Type"] == "Task" {
            assert!(state["TimeoutSeconds"].is_u64(), "{name} may run for ever");
            let retries = state["Retry"].as_array().unwrap();
            assert!(
                retries.iter().all(|rule| rule["MaxAttempts"].as_u64().is_some_and(|max| max <= 60)),
                "{name}"
            );
        }
    }
}

#[test]
fn every_error_that_the_train_matches_or_ends_with_exists() {
    let ours: Vec<&str> = ErrorType::EVERY.iter().map(|error| error.as_str()).collect();
    for (name, state) in states(&machine()) {
        for list in ["Retry", "Catch"] {
            for rule in state[list].as_array().into_iter().flatten() {
                for error in texts(&rule["ErrorEquals"]) {
                    assert!(ours.contains(&error) || BY_AWS.contains(&error), "{name} matches {error}");
                }
            }
        }
        if state["Type"] == "Fail" {
            let error = state["Error"].as_str().unwrap();
            assert!(error == "RolledBack" || ours.contains(&error), "{name} ends with {error}");
        }
    }
}

#[test]
fn what_goes_back_bears_the_name_under_which_it_was_released() {
    let text = machine().to_string();
    let name =
        "States.Hash(States.Format('{} {} {}', $$.Execution.Id, $.wave, $$.Map.Item.Value.service), 'SHA-1')";
    assert_eq!(text.matches(name).count(), 2, "one name to release by, and the same to bring back by");
    let executions = "'${ReleaseExecutionsArn}:train-{}'";
    assert!(text.contains(executions) && text.contains("States.Format('train-{}'"), "{text}");
}

/// What the machine makes of `$.a.b`, for the paths that a template names.
fn filled(template: &Value, data: &Value) -> Value {
    let Some(fields) = template.as_object() else { return template.clone() };
    let fill = |(name, value): (&String, &Value)| match (name.strip_suffix(".$"), value.as_str()) {
        (Some(name), Some(path)) => {
            let pointer = path.trim_start_matches('$').replace('.', "/");
            let found = data.pointer(&pointer).unwrap_or_else(|| panic!("{path} selects nothing"));
            (name.to_owned(), found.clone())
        }
        (_, _) => (name.clone(), filled(value, data)),
    };
    Value::Object(fields.iter().map(fill).collect())
}

#[test]
fn what_a_train_starts_is_what_a_release_reads() {
    let machine = machine();
    let car: Car = serde_json::from_value(json!({ "service": "checkout-us", "version": "7" })).unwrap();
    let mut release = machine["States"]["Begin"]["Result"]["release"].clone();
    let known: BTreeSet<String> = release.as_object().unwrap().keys().cloned().collect();
    release.as_object_mut().unwrap().extend(serde_json::to_value(&car).unwrap().as_object().unwrap().clone());
    let data = json!({ "release": release, "requested_by": "ada" });
    let input = filled(&state(&machine, "Release")["Parameters"]["Input"], &data);
    let request: ReleaseRequest = serde_json::from_value(input).unwrap();
    assert_eq!((request.service, request.requested_by.as_deref()), (car.service, Some("ada")));
    // Whatever a car may say has a default, because a path that selects nothing ends the execution.
    let full = json!({
        "service": "checkout-us", "version": "7", "target": "api", "strategy": "x", "stages": "5",
        "stage_duration": "5m", "no_auto_promote": true, "approval_timeout": "4h", "waive": ["alarms"],
        "override": "why", "attestations": { "tests": "there" },
    });
    let full: Car = serde_json::from_value(full).unwrap();
    let said = serde_json::to_value(&full).unwrap();
    for name in
        said.as_object().unwrap().keys().filter(|name| !["service", "version"].contains(&name.as_str()))
    {
        assert!(known.contains(name), "{name} has no default");
    }
    let word = serde_json::to_value(OnFailure::All).unwrap();
    assert_eq!(state(&machine, WAY_BACK)["Choices"][0]["StringEquals"], word);
    assert_eq!(
        machine["States"]["Begin"]["Result"]["train"]["on_failure"],
        serde_json::to_value(OnFailure::Wave).unwrap()
    );
}

#[test]
fn the_way_back_is_a_signal_that_names_the_train_and_why() {
    let cause = json!({
        "Status": "FAILED", "Error": "RolledBack", "Cause": "The release did not complete.",
        "Input": json!({ "service": "checkout-ap", "version": "7" }).to_string(),
    });
    let event = json!({
        "execution": "arn:aws:states:eu-west-1:123456789012:execution:ripcord-progressive-release:train-1",
        "input": { "service": "checkout-eu" },
        "train": "checkout-7",
        "failure": { "Error": "States.TaskFailed", "Cause": cause.to_string() },
        "at": "2026-03-02T10:05:00Z",
    });
    let template = state(&machine(), "RollBack")["Parameters"]["Payload"].clone();
    let sent: BTreeSet<&str> =
        template.as_object().unwrap().keys().map(|name| name.trim_end_matches(".$")).collect();
    assert_eq!(sent, event.as_object().unwrap().keys().map(String::as_str).collect());
    let readings = read(&event, at("10:05:01"));
    let [Reading::Signal(signal)] = readings.as_slice() else { panic!("{readings:?}") };
    let Signal::Pipeline(failure) = &**signal else { panic!("{signal:?}") };
    assert_eq!(failure.train.as_deref(), Some("checkout-7"));
    assert_eq!(failure.service.as_str(), "checkout-eu");
    assert!(!failure.measured_bad, "only the version that was measured is quarantined");
    assert_eq!(
        failure.why,
        "the release of checkout-ap ended as FAILED: RolledBack: The release did not complete."
    );
}

/// A release of an execution, complete since 10:30, and the signal that brings it back.
fn arrived(by: &str) -> (World, Signal) {
    let mut world = World::checkout().serving("2:100");
    let run = json!({
        "execution": "exec", "reached": [], "timeout_seconds": 10,
        "strategy": {
            "name": "all-at-once", "stages": [], "stabilise_seconds": 0, "extend_minutes_max": null,
            "unproven": "roll_back", "approval_minutes_max": 240, "look_minutes": 1,
        },
    });
    let run: Run = serde_json::from_value(run).unwrap();
    let release = Release { run: Some(Box::new(run)), ..ended(Phase::Complete, "10:30:00", "it is proved") };
    world.record.release = Some(release);
    let failure = PipelineFailure {
        service: "checkout".parse().unwrap(),
        execution: by.to_owned(),
        rejected: false,
        measured_bad: false,
        train: Some("checkout-7".to_owned()),
        why: "the release of checkout-ap ended as FAILED".to_owned(),
        raised_at: at("10:40:00"),
    };
    (world, Signal::Pipeline(failure))
}

#[test]
fn only_a_train_brings_back_what_is_complete_and_only_what_it_has_released_itself() {
    let (mut world, signal) = arrived("exec");
    let moment = moment(at("10:40:01"));
    let decision = decide(&signal, &world.situation(), moment);
    assert_eq!(decision.course, Course::Restore);
    insta::assert_snapshot!(decision.reason, @"train checkout-7 brings release 5 back: the release of checkout-ap ended as FAILED");
    let ends_it = |step: &Step| matches!(step, Step::StopExecution { .. });
    assert!(decision.steps.iter().flatten().any(ends_it), "an execution that runs does not go on");
    world.take(&decision.steps).unwrap();
    assert_eq!(world.record.release.as_ref().unwrap().phase, Phase::RolledBack);
    assert!(world.record.rollbacks.iter().all(|rollback| !rollback.quarantines));
    // Delivered again, it finds nothing to do.
    let again = decide(&signal, &world.situation(), moment);
    assert_eq!((again.course, again.reason.kind().as_str()), (Course::StandDown, "already_rolled_back"));

    let (world, of_another) = arrived("somebody else's");
    let decision = decide(&of_another, &world.situation(), moment);
    assert_eq!((decision.course, decision.reason.kind().as_str()), (Course::StandDown, "drives_no_release"));
    let (world, signal) = arrived("exec");
    let Signal::Pipeline(failure) = signal else { panic!("{signal:?}") };
    let alone = Signal::Pipeline(PipelineFailure { train: None, ..failure });
    let decision = decide(&alone, &world.situation(), moment);
    assert_eq!((decision.course, decision.reason.kind().as_str()), (Course::StandDown, "already_complete"));
}

#[test]
fn the_trains_role_allows_what_the_train_does_and_nothing_else() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let template = fs::read_to_string(path).unwrap();
    let role = template.split("\n  ReleaseTrainRole:\n").nth(1).unwrap();
    let role = role.split("PolicyName: release-train").nth(1).unwrap().split("\n\n").next().unwrap();
    let is_action =
        |word: &&str| ["events:", "lambda:", "states:"].iter().any(|service| word.starts_with(service));
    let allowed: BTreeSet<&str> = role.split_whitespace().filter(is_action).collect();
    let needed = [
        "events:DescribeRule",
        "events:PutRule",
        "events:PutTargets",
        "lambda:InvokeFunction",
        "states:DescribeExecution",
        "states:StartExecution",
        "states:StopExecution",
    ];
    assert_eq!(allowed, BTreeSet::from(needed));
    assert!(!role.contains("Resource: \"*\""), "{role}");
}
