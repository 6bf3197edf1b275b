//! Everything that is wrong is said at once, each with its path and its rule.

use serde_json::{Value, json};

use super::super::{Flags, Problem};
use super::{document, problems};

/// What is wrong with a document of one flag `f`, with its paths from the flag on.
#[track_caller]
fn check(flag: &Value, expected: &[&str]) {
    let found = problems(&document(&json!({ "f": flag })));
    let expected: Vec<String> = expected.iter().map(|problem| format!("flags.f{problem}")).collect();
    assert_eq!(found, expected, "{flag}");
}

#[test]
fn what_is_no_document_is_refused() {
    for (text, expected) in [
        ("", ": not-json"),
        ("{", ": not-json"),
        ("{} {}", ": not-json"),
        ("\u{feff}{}", ": not-json"),
        ("[]", ": wrong-type"),
        (r#"{"flags": {}}"#, "version: missing-field"),
        (r#"{"version": 1}"#, "flags: missing-field"),
        (r#"{"version": 2, "flags": {}}"#, "version: unsupported-version"),
        (r#"{"version": "1", "flags": {}}"#, "version: wrong-type"),
        (r#"{"version": 1, "flags": []}"#, "flags: wrong-type"),
        (r#"{"version": 1, "flags": {}, "values": {}}"#, "values: unknown-field"),
        (r#"{"version": 1, "$schema": 1, "flags": {}}"#, "$schema: wrong-type"),
        (r#"{"version": 1, "flags": {"a": true}}"#, "flags.a: wrong-type"),
        (r#"{"version": 1, "flags": {"a b": {"enabled": true}}}"#, "flags[\"a b\"]: invalid-name"),
        (r#"{"version": 1, "flags": {"": {"enabled": true}}}"#, "flags[\"\"]: invalid-name"),
    ] {
        assert_eq!(problems(text), [expected], "{text}");
    }
    assert_eq!(
        Flags::read(br#"{"$schema": "flags.schema.json", "version": 1, "flags": {}}"#)
            .map(|flags| flags.len()),
        Ok(0)
    );
    assert_eq!(Flags::read(b"\xff").unwrap_err().problems[0].rule, "not-json");
}

#[test]
fn names_that_stand_twice_are_refused_wherever_they_do() {
    let text = r#"{"version": 1, "version": 1, "flags": {
        "a": {"enabled": true, "enabled": false},
        "b": {"enabled": true, "rollout_percentage": 0,
              "rules": [{"attribute": "x", "operator": "exists", "then": {"variant": "v", "variant": "v"}}],
              "variants": [{"name": "v", "name": "v", "weight": 100}]},
        "a": {"enabled": true}}}"#;
    assert_eq!(
        problems(text),
        [
            "version: duplicate-name",
            "flags.a: duplicate-name",
            "flags.a.enabled: duplicate-name",
            "flags.b.variants[0].name: duplicate-name",
            "flags.b.rules[0].then.variant: duplicate-name",
        ]
    );
}

#[test]
fn percentages_are_numbers_from_0_to_100_in_steps_of_0_01() {
    let rollout = |percentage: Value| json!({ "enabled": true, "rollout_percentage": percentage });
    for wrong in [json!(-0.01), json!(100.01), json!(1e300)] {
        check(&rollout(wrong), &[".rollout_percentage: percentage-range"]);
    }
    for wrong in [json!(0.001), json!(33.333), json!(99.999)] {
        check(&rollout(wrong), &[".rollout_percentage: percentage-precision"]);
    }
    for wrong in [json!("25"), json!(null), json!(true), json!([25])] {
        check(&rollout(wrong), &[".rollout_percentage: wrong-type"]);
    }
    for percent in 0..=10_000 {
        let text = document(&json!({ "f": rollout(json!(f64::from(percent) / 100.0)) }));
        let flags = Flags::read(text.as_bytes()).unwrap();
        assert_eq!(flags.get("f").unwrap().rollout().unwrap().percent(), f64::from(percent) / 100.0);
    }
}

#[test]
fn variants_have_names_of_their_own_and_weights_that_make_100() {
    let variants = |variants: Value| json!({ "enabled": true, "variants": variants });
    check(&variants(json!([])), &[".variants: weights-sum"]);
    check(&variants(json!([{ "name": "a", "weight": 99.99 }])), &[".variants: weights-sum"]);
    check(
        &variants(json!([{ "name": "a", "weight": 60 }, { "name": "b", "weight": 40.01 }])),
        &[".variants: weights-sum"],
    );
    check(
        &variants(json!([{ "name": "a", "weight": 50 }, { "name": "a", "weight": 50 }])),
        &[".variants[1].name: duplicate-variant"],
    );
    check(
        &variants(json!([{ "name": "a b", "weight": 101 }, { "weight": "50", "color": 1 }])),
        &[
            ".variants[0].name: invalid-name",
            ".variants[0].weight: percentage-range",
            ".variants[1].color: unknown-field",
            ".variants[1].name: missing-field",
            ".variants[1].weight: wrong-type",
        ],
    );
    let thirds = json!([{ "name": "a", "weight": 33.33 }, { "name": "b", "weight": 33.33 }, { "name": "c", "weight": 33.34 }]);
    assert!(Flags::read(document(&json!({ "f": variants(thirds) })).as_bytes()).is_ok());
}

#[test]
fn an_operator_takes_the_values_that_it_can_compare() {
    let refused = |operator: &str, values: Value, path: &str| {
        let rule = json!({ "attribute": "a", "operator": operator, "values": values });
        let flag = json!({ "enabled": true, "rules": [rule], "rollout_percentage": 0 });
        check(&flag, &[&format!(".rules[0].{path}")]);
    };
    refused("equal", json!(["x"]), "operator: unknown-operator");
    refused("Equals", json!(["x"]), "operator: unknown-operator");
    for operator in ["equals", "not_equals"] {
        refused(operator, json!([]), "values: operator-values");
        refused(operator, json!(["x", "y"]), "values: operator-values");
    }
    for operator in ["in", "not_in", "contains", "starts_with", "ends_with", "greater", "less", "percentage"]
    {
        refused(operator, json!([]), "values: operator-values");
    }
    for operator in ["contains", "starts_with", "ends_with"] {
        refused(operator, json!(["x", 1]), "values: operator-values");
    }
    for operator in ["greater", "less"] {
        for values in [json!([true]), json!([1, 2]), json!(["2.1"]), json!(["v2.1.0"]), json!(["1.0.0-01"])] {
            refused(operator, values, "values: operator-values");
        }
    }
    refused("exists", json!(["x"]), "values: operator-values");
    refused("exists", json!([true, true]), "values: operator-values");
    refused("percentage", json!(["25"]), "values: operator-values");
    refused("percentage", json!([101]), "values: percentage-range");
    refused("percentage", json!([0.001]), "values: percentage-precision");
    refused("in", json!("x"), "values: wrong-type");
    let rule = json!({ "attribute": "a", "operator": "in", "values": ["x", null, ["y"], ""] });
    check(
        &json!({ "enabled": true, "rules": [rule], "rollout_percentage": 0 }),
        &[
            ".rules[0].values[1]: wrong-type",
            ".rules[0].values[2]: too-deep",
            ".rules[0].values[3]: text-length",
        ],
    );
}

#[test]
fn what_contradicts_itself_or_leaves_the_rest_unsaid_is_refused() {
    check(&json!({ "enabled": true, "allowlist": ["u"] }), &[": unsaid-default"]);
    let rules = json!([{ "attribute": "a", "operator": "exists" }]);
    check(&json!({ "enabled": true, "rules": rules }), &[": unsaid-default"]);
    let variants = json!([{ "name": "a", "weight": 100 }]);
    check(
        &json!({ "enabled": true, "variants": variants, "default": { "enabled": true } }),
        &[".default: default-without-variant"],
    );
    check(
        &json!({ "enabled": true, "variants": variants, "default": { "enabled": true, "variant": "b" } }),
        &[".default.variant: unknown-variant"],
    );
    check(
        &json!({ "enabled": true, "default": { "variant": "b" } }),
        &[".default.enabled: missing-field", ".default.variant: unknown-variant"],
    );
    let then = json!({ "enabled": false, "percentage": 10, "variant": "z" });
    check(
        &json!({
            "enabled": true,
            "rules": [{ "attribute": "a", "operator": "exists", "then": then }],
            "rollout_percentage": 1,
        }),
        &[".rules[0].then.variant: unknown-variant", ".rules[0].then.percentage: contradiction"],
    );
}

#[test]
fn what_is_nested_too_deeply_is_named() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let text = format!(r#"{{"version": 1, "flags": {{"f": {{"enabled": true, "allowlist": {deep}}}}}}}"#);
    assert_eq!(problems(&text), ["flags.f.allowlist[0]: wrong-type", "flags.f: unsaid-default"]);
    let rule = format!(r#"{{"attribute": "a", "operator": "in", "values": [{deep}]}}"#);
    let text = format!(
        r#"{{"version": 1, "flags": {{"f": {{"enabled": true, "rollout_percentage": 1, "rules": [{rule}]}}}}}}"#
    );
    assert_eq!(problems(&text), ["flags.f.rules[0].values[0]: too-deep"]);
    let text = format!(r#"{{"version": 1, "flags": {{}}, "x": {deep}}}"#);
    assert_eq!(problems(&text), ["x: unknown-field"]);
}

#[test]
fn all_of_it_is_said_at_once_in_words() {
    let text = document(&json!({
        "new-search": {
            "enabled": "yes",
            "rollout": 25,
            "rollout_percentage": 250,
            "variants": [{ "name": "a", "weight": 50 }, { "name": "b", "weight": 49.5 }],
            "rules": [
                { "attribute": "plan", "operator": "is", "values": ["pro"] },
                { "attribute": "version", "operator": "greater", "values": ["2.1"], "then": { "variant": "c" } },
            ],
            "prerequisites": [{ "flag": "search" }],
        },
        "one": { "enabled": true, "prerequisites": [{ "flag": "two" }] },
        "two": { "enabled": true, "prerequisites": [{ "flag": "one" }] },
    }));
    insta::assert_snapshot!(Flags::read(text.as_bytes()).unwrap_err(), @r#"
    flags.new-search.rollout: unknown-field: there is no such field; there are description, owner, enabled, rollout_percentage, subject, allowlist, variants, rules, prerequisites, default
    flags.new-search.enabled: wrong-type: it must be true or false, not a text
    flags.new-search.variants: weights-sum: the weights make 99.5, not 100
    flags.new-search.rules[0].operator: unknown-operator: "is" is no operator; there are equals, not_equals, in, not_in, contains, starts_with, ends_with, greater, less, exists, percentage
    flags.new-search.rules[1].values: operator-values: `greater` takes a number or a semantic version like "2.1.0"; "2.1" is neither: unexpected end of input while parsing minor version number
    flags.new-search.rules[1].then.variant: unknown-variant: the flag has no variant c
    flags.new-search.rollout_percentage: percentage-range: 250 is not between 0 and 100
    flags.new-search.prerequisites[0].flag: unknown-prerequisite: there is no flag search
    flags.one.prerequisites: circular-prerequisites: the prerequisites go round in a circle: one → two → one
    "#);
}

#[test]
fn a_document_of_everything_wrong_has_an_answer_of_bounded_length() {
    let flags: serde_json::Map<String, Value> =
        (0..500).map(|index| (format!("f{index}"), json!(1))).collect();
    let invalid = Flags::read(document(&Value::Object(flags)).as_bytes()).unwrap_err();
    assert_eq!(invalid.problems.len(), 101);
    let last = invalid.problems.last().cloned();
    let more =
        Problem { path: String::new(), rule: "more-problems", message: "400 more are not listed".into() };
    assert_eq!(last, Some(more));
}
