//! What each operator says of an attribute.

use serde_json::{Value, json};

use super::{context, read};

#[track_caller]
fn check(operator: &str, values: Value, attribute: Value, expected: bool) {
    let rule = json!({ "attribute": "a", "operator": operator, "values": values });
    let flags = read(&json!({ "f": { "enabled": true, "rules": [rule], "rollout_percentage": 0 } }));
    let asked = if attribute.is_null() { json!({}) } else { json!({ "a": attribute }) };
    let answer = flags.evaluate("f", &context(&asked));
    assert_eq!(answer.enabled, expected, "{operator} {values} of {asked}: {}", answer.reason);
}

#[test]
fn equality_keeps_types_and_case_apart() {
    for (attribute, value, expected) in [
        (json!("a"), json!("a"), true),
        (json!("A"), json!("a"), false),
        (json!(1), json!(1.0), true),
        (json!(-0.0), json!(0), true),
        (json!(0), json!(-0.0), true),
        (json!("1"), json!(1), false),
        (json!(true), json!(true), true),
        (json!(true), json!("true"), false),
    ] {
        check("equals", json!([value]), attribute.clone(), expected);
        check("not_equals", json!([value]), attribute.clone(), !expected);
        check("in", json!(["z", "y", 9, 8, value]), attribute.clone(), expected);
        check("not_in", json!(["z", "y", 9, 8, value]), attribute, !expected);
    }
}

#[test]
fn texts_are_searched() {
    for (operator, found) in [("contains", "exa"), ("starts_with", "ada"), ("ends_with", ".org")] {
        check(operator, json!(["none", found]), json!("ada@example.org"), true);
        check(operator, json!(["none"]), json!("ada@example.org"), false);
        check(operator, json!([found]), json!(7), false);
    }
    check("starts_with", json!(["example"]), json!("ada@example.org"), false);
    check("ends_with", json!(["example"]), json!("ada@example.org"), false);
}

#[test]
fn numbers_are_compared_with_numbers() {
    check("greater", json!([18]), json!(18), false);
    check("greater", json!([18]), json!(18.5), true);
    check("greater", json!([18]), json!("19"), false);
    check("less", json!([18]), json!(18), false);
    check("less", json!([18]), json!(-1), true);
    check("less", json!([18]), json!(false), false);
}

/// The order that the specification of SemVer 2.0.0 gives, and what it says of build metadata.
#[test]
fn versions_are_compared_as_semver_says() {
    let ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.2.0",
        "1.10.0",
        "2.0.0",
    ];
    for (one, lower) in ordered.iter().enumerate() {
        for (other, higher) in ordered.iter().enumerate() {
            check("greater", json!([lower]), json!(higher), other > one);
            check("less", json!([lower]), json!(higher), other < one);
        }
    }
    check("greater", json!(["1.0.0+1"]), json!("1.0.0+2"), false);
    check("less", json!(["1.0.0+2"]), json!("1.0.0+1"), false);
    for no_version in [json!("2.1"), json!("v2.1.0"), json!("02.1.0"), json!(2.1), json!("")] {
        check("greater", json!(["1.0.0"]), no_version, false);
    }
}

#[test]
fn only_exists_speaks_of_what_is_not_there() {
    check("exists", json!([]), json!("x"), true);
    check("exists", json!([true]), json!(false), true);
    check("exists", json!([false]), json!("x"), false);
    check("exists", json!([]), Value::Null, false);
    check("exists", json!([false]), Value::Null, true);
    for (operator, value) in
        [("not_equals", json!("x")), ("not_in", json!("x")), ("less", json!(1)), ("percentage", json!(100))]
    {
        check(operator, json!([value]), Value::Null, false);
    }
}

#[test]
fn a_percentage_is_of_the_rules_own_attribute() {
    let bucket = super::super::Draw::of("f", "acme").rollout;
    check("percentage", json!([f64::from(bucket) / 100.0]), json!("acme"), false);
    check("percentage", json!([f64::from(bucket + 1) / 100.0]), json!("acme"), true);
    check("percentage", json!([100]), json!(true), false);
}
