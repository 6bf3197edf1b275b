//! The state machine against the code that it calls: every error that it names exists, every task can be caught on the way
//! to a rollback, and every answer that a function can give has a state to go to.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ripcord::error_type::ErrorType;
use ripcord::pipeline::{Then, Turn};
use serde::Serialize;
use serde_json::{Map, Value};

/// Names that Step Functions and its Lambda integration give to errors themselves.
const BY_AWS: &[&str] = &[
    "States.ALL",
    "States.Timeout",
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    // What Lambda calls a function whose process ended, and one that took too long.
    "Runtime.ExitError",
    "Sandbox.Timedout",
];
/// What AWS answers when it is short of something for a moment.
const THROTTLES: &[&str] =
    &["Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.AWSLambdaException"];
const ROLLBACK: &str = "RollBack";

fn states() -> Map<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../statemachines/progressive-release.asl.json");
    let machine: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    machine["States"].as_object().unwrap().clone()
}

fn tasks(states: &Map<String, Value>) -> Vec<(&String, &Value)> {
    states.iter().filter(|(_, state)| state["Type"] == "Task").collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

/// How an answer's word stands in JSON.
fn word(word: impl Serialize) -> String {
    serde_json::to_value(word).unwrap().as_str().unwrap().to_owned()
}

/// Where a state may lead, errors included.
fn exits(state: &Value) -> Vec<&str> {
    let nested = |list: &'static str| state[list].as_array().into_iter().flatten();
    let nested = nested("Catch").chain(nested("Choices")).map(|exit| &exit["Next"]);
    nested.chain([&state["Next"], &state["Default"]]).filter_map(Value::as_str).collect()
}

#[test]
fn every_error_that_is_matched_exists() {
    let states = states();
    let ours: Vec<&str> = ErrorType::EVERY.iter().map(|error| error.as_str()).collect();
    for (name, state) in &states {
        for list in ["Retry", "Catch"] {
            for rule in state[list].as_array().into_iter().flatten() {
                for error in texts(&rule["ErrorEquals"]) {
                    let exists = ours.contains(&error) || BY_AWS.contains(&error);
                    assert!(exists, "{name} matches {error}, which nothing raises");
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
fn every_task_that_fails_reaches_the_rollback() {
    let states = states();
    for (name, task) in tasks(&states) {
        let catch = task["Catch"].as_array().unwrap_or_else(|| panic!("{name} catches nothing"));
        assert!(catch.iter().any(|rule| texts(&rule["ErrorEquals"]) == ["States.ALL"]), "{name}");
        if name == ROLLBACK {
            // There is nowhere further to go: the machine fails, and the rule on failed executions tries once more.
            assert_eq!(catch[0]["Next"], "NotRolledBack");
            continue;
        }
        for rule in catch {
            assert_eq!(rule["Next"], ROLLBACK, "{name}");
        }
    }
}

#[test]
fn every_task_waits_out_a_throttle_and_no_task_waits_for_ever() {
    let states = states();
    for (name, task) in tasks(&states) {
        let retried: Vec<&str> =
            task["Retry"].as_array().unwrap().iter().flat_map(|rule| texts(&rule["ErrorEquals"])).collect();
        let all = retried.contains(&"States.ALL");
        assert!(all || THROTTLES.iter().all(|throttle| retried.contains(throttle)), "{name}: {retried:?}");
        let bounded = task.get("TimeoutSeconds").or_else(|| task.get("TimeoutSecondsPath"));
        assert!(bounded.is_some(), "{name} may run for ever");
        for rule in task["Retry"].as_array().unwrap() {
            // One more try to put traffic back is always right; that state may take an hour.
            let most = if name == ROLLBACK { 60 } else { 10 };
            assert!(rule["MaxAttempts"].as_u64().is_some_and(|max| max <= most), "{name}");
        }
    }
}

#[test]
fn every_answer_has_a_state_to_go_to() {
    let states = states();
    let listed = |state: &str| -> BTreeSet<String> {
        let choices = states[state]["Choices"].as_array().unwrap();
        choices.iter().map(|choice| choice["StringEquals"].as_str().unwrap().to_owned()).collect()
    };
    let onward = listed("Onward");
    for turn in [Turn::Look, Turn::Shift, Turn::Approve, Turn::Verify, Turn::RollBack, Turn::End] {
        // What is not listed goes back, and that is right for one answer only.
        assert_eq!(!onward.contains(&word(turn)), turn == Turn::RollBack, "{turn:?}");
    }
    assert_eq!(states["Onward"]["Default"], "GiveUp");
    assert_eq!(states["GiveUp"]["Next"], ROLLBACK);
    let approved = listed("Approved");
    for turn in [Turn::RollBack, Turn::End] {
        assert!(approved.contains(&word(turn)), "{turn:?}");
    }
    for then in [Then::Shift, Then::Verify] {
        assert_eq!(!approved.contains(&word(then)), then == Then::Shift, "{then:?}");
    }
    assert_eq!(states["Approved"]["Default"], "Shift");
}

#[test]
fn every_state_can_be_reached_and_leads_somewhere() {
    let states = states();
    let mut reached = BTreeSet::new();
    let mut open = vec!["Begin"];
    while let Some(name) = open.pop() {
        let state = states.get(name).unwrap_or_else(|| panic!("there is no state {name}"));
        if reached.insert(name) {
            let exits = exits(state);
            let ends = state["Type"] == "Fail" || state["Type"] == "Succeed";
            assert_eq!(exits.is_empty(), ends, "{name}");
            open.extend(exits);
        }
    }
    let all: BTreeSet<&str> = states.keys().map(String::as_str).collect();
    assert_eq!(reached, all);
}
