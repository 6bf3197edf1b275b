//! What is taken as a context.

use serde_json::{Map, Value, json};

use super::super::{ATTRIBUTE_NAME_LENGTH_MAX, ATTRIBUTE_TEXT_LENGTH_MAX, ATTRIBUTES_MAX, Context};

#[track_caller]
fn check(value: &Value, expected: Result<(), &str>) {
    let read = Context::read(value).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(read, expected.map_err(str::to_owned));
}

#[test]
fn a_context_is_an_object_of_texts_numbers_and_booleans() {
    check(&json!({ "a": "x", "b": 1.5, "c": true, "d": null, "e": -3 }), Ok(()));
    for (value, found) in [
        (json!([1]), "a list"),
        (json!("x"), "a text"),
        (json!(null), "null"),
        (json!(1), "a number"),
        (json!(true), "true or false"),
    ] {
        check(&value, Err(&format!("the context is {found}, not an object of attributes")));
    }
}

#[test]
fn what_is_nested_is_named() {
    for (value, found) in [(json!(["x"]), "a list"), (json!({ "x": 1 }), "an object")] {
        let message = format!("attribute `groups` is {found}: it must be a text, a number, true or false");
        check(&json!({ "groups": value }), Err(&message));
    }
}

#[test]
fn whole_numbers_that_run_into_one_another_are_refused() {
    check(&json!({ "id": 9_007_199_254_740_991_i64, "minus": -9_007_199_254_740_991_i64 }), Ok(()));
    for number in [json!(9_007_199_254_740_992_i64), json!(-9_007_199_254_740_992_i64), json!(u64::MAX)] {
        let message = format!(
            "attribute `id` is {number}, which a JSON number does not hold exactly: send it as a text"
        );
        check(&json!({ "id": number }), Err(&message));
    }
}

#[test]
fn a_context_has_its_limits() {
    let attributes = |count: usize| {
        Value::Object((0..count).map(|index| (format!("a{index}"), json!(1))).collect::<Map<_, _>>())
    };
    check(&attributes(ATTRIBUTES_MAX), Ok(()));
    let message = "the context has 65 attributes; it may have 64";
    check(&attributes(ATTRIBUTES_MAX + 1), Err(message));

    // Characters, not bytes.
    check(&json!({ "a": "ä".repeat(ATTRIBUTE_TEXT_LENGTH_MAX) }), Ok(()));
    let message = "attribute `a` is 1025 characters long; it may have 1024";
    check(&json!({ "a": "ä".repeat(ATTRIBUTE_TEXT_LENGTH_MAX + 1) }), Err(message));

    check(&json!({ "ä".repeat(ATTRIBUTE_NAME_LENGTH_MAX): 1 }), Ok(()));
    let message = |length: usize| format!("an attribute's name is {length} characters long: it has 1 to 64");
    check(&json!({ "ä".repeat(65): 1 }), Err(&message(65)));
    check(&json!({ "": 1 }), Err(&message(0)));
}
