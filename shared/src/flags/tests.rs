//! What flags answer, what is refused, and how subjects are spread.

use serde_json::{Value, json};

use super::{Context, Flags};

mod answers;
mod bucketing;
mod contexts;
mod limits;
mod operators;
mod prerequisites;
mod properties;
mod refusals;

fn document(flags: &Value) -> String {
    json!({ "version": 1, "flags": flags }).to_string()
}

#[track_caller]
fn read(flags: &Value) -> Flags {
    match Flags::read(document(flags).as_bytes()) {
        Ok(flags) => flags,
        Err(invalid) => panic!("{invalid}"),
    }
}

#[track_caller]
fn context(value: &Value) -> Context {
    Context::read(value).unwrap()
}

/// A subject of the flag `f` whose bucket is inside the share of so many percent, and one that is outside of it.
fn subjects_around(percent: f64) -> (String, String) {
    let place = |is_inside: bool| {
        (0..10_000)
            .map(|number| format!("u{number}"))
            .find(|subject| (f64::from(super::Draw::of("f", subject).rollout) < percent * 100.0) == is_inside)
            .unwrap()
    };
    (place(true), place(false))
}

/// What is wrong with a text, as `path: rule`, in its order.
#[track_caller]
fn problems(text: &str) -> Vec<String> {
    let invalid = Flags::read(text.as_bytes()).expect_err("it should have been refused");
    invalid.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.rule)).collect()
}
