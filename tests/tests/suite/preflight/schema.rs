//! The schema of an answer: what it refuses, in which words, and that it agrees with a whole implementation.

use proptest::prelude::*;
use ripcord::registration::{AnswerSchema, Endless};
use serde_json::{Value, json};

#[track_caller]
fn check(schema: Value, answer: Value, expected: &[&str]) {
    let breaches = AnswerSchema::parse(&schema).unwrap().breaches(&answer).unwrap();
    let mut said: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    // Whether an object keeps the order of its members depends on what else is built.
    said.sort();
    assert_eq!(said, expected, "{schema} of {answer}");
    let oracle = jsonschema::validator_for(&schema).unwrap();
    assert_eq!(oracle.is_valid(&answer), expected.is_empty(), "{schema} of {answer}");
}

#[test]
fn each_keyword_says_what_stands_there_and_what_should() {
    let order = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "an order", "format": "made-up",
        "type": "object",
        "required": ["items", "total"],
        "additionalProperties": false,
        "properties": {
            "items": { "type": "array", "minItems": 1, "maxItems": 2, "items": { "$ref": "#/$defs/item" } },
            "total": { "type": "integer", "minimum": 1, "exclusiveMaximum": 10 },
            "state": { "enum": ["open", 1.0, null] },
            "kind": { "const": { "a": [1] } },
        },
        "$defs": { "item": { "type": ["string", "null"], "minLength": 2, "maxLength": 3, "pattern": "^[a-z]*$" } },
    });
    check(
        order.clone(),
        json!({ "items": ["äpf", null], "total": 1 }),
        &["/items/0 is \"äpf\", which does not match ^[a-z]*$"],
    );
    check(order.clone(), json!({ "items": ["ab"], "total": 9.0, "state": 1, "kind": { "a": [1.0] } }), &[]);
    check(
        order.clone(),
        json!({ "items": [], "total": 10, "state": "shut", "kind": null, "a/b~": 1 }),
        &[
            "/a~1b~0 may not be there",
            "/items has 0 items, and not at least 1",
            "/kind is null, and not {\"a\":[1]}",
            "/state is \"shut\", and none of the values of its enum",
            "/total is 10, and not below 10",
        ],
    );
    check(
        order.clone(),
        json!({ "items": ["a", "abcd", 5], "total": 0.5 }),
        &[
            "/items has 3 items, and not at most 2",
            "/items/0 is 1 characters long, and not at least 2",
            "/items/1 is 4 characters long, and not at most 3",
            "/items/2 is 5, and not of type string or null",
            "/total is 0.5, and not at least 1",
            "/total is 0.5, and not of type integer",
        ],
    );
    check(order.clone(), json!({}), &["the answer lacks \"items\"", "the answer lacks \"total\""]);
    check(order, json!([]), &["the answer is [], and not of type object"]);
}

#[test]
fn schemas_are_combined() {
    let combined = json!({
        "allOf": [{ "type": "integer" }],
        "anyOf": [{ "minimum": 10 }, { "maximum": 0 }],
        "oneOf": [{ "minimum": 20 }, { "minimum": 30 }, true],
        "not": { "const": 11 },
    });
    check(combined.clone(), json!(12), &[]);
    check(combined.clone(), json!(11), &["the answer satisfies the schema of its not"]);
    check(combined.clone(), json!(5), &["the answer satisfies none of the 2 schemas of its anyOf"]);
    check(
        combined.clone(),
        json!(20),
        &["the answer satisfies 2 of the 3 schemas of its oneOf, and not one"],
    );
    check(combined, json!(12.5), &["the answer is 12.5, and not of type integer"]);
    check(json!(false), json!(1), &["the answer may not be there"]);
    check(json!({ "exclusiveMinimum": 1, "maximum": 1 }), json!(1), &["the answer is 1, and not above 1"]);
    check(json!({ "maximum": 1 }), json!(1.5), &["the answer is 1.5, and not at most 1"]);
}

#[test]
fn a_tree_is_followed_to_its_leaves() {
    let tree = json!({
        "type": "object",
        "properties": { "left": { "$ref": "#" }, "leaf": { "type": "string" } },
    });
    let answer = json!({ "left": { "left": { "leaf": 1 } } });
    check(tree, answer, &["/left/left/leaf is 1, and not of type string"]);
}

#[track_caller]
fn refused(schema: Value, at: &str, why: &str) {
    let invalid = AnswerSchema::parse(&schema).unwrap_err();
    assert_eq!(invalid.at, at, "{invalid}");
    assert!(invalid.why.contains(why), "{invalid}");
}

#[test]
fn what_could_not_be_checked_is_refused() {
    refused(json!({ "patern": "a" }), "patern", "unknown field `patern`");
    refused(
        json!({ "properties": { "a": { "uniqueItems": true } } }),
        "properties.a.uniqueItems",
        "unknown field",
    );
    refused(json!({ "type": "strin" }), "type", "unknown variant `strin`");
    refused(json!({ "minimum": null }), "minimum", "invalid type: null");
    refused(json!({ "properties": { "a": 5 } }), "properties.a", "a schema: an object, true or false");
    refused(json!({ "pattern": "(?=a)" }), "pattern", "look-around");
    refused(json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), ".", "is another one than");
    let reference = "points neither to # nor to a definition at #/$defs/NAME";
    for elsewhere in [
        "https://example.com/a.json",
        "file:///etc/passwd",
        "other.json",
        "#/$defs/b",
        "#a",
        "#/properties/a",
    ] {
        refused(json!({ "$ref": elsewhere, "$defs": { "a": true } }), ".", reference);
        refused(json!({ "items": { "not": { "$ref": elsewhere } } }), "./items/not", reference);
        refused(json!({ "anyOf": [{ "$ref": elsewhere }] }), "./anyOf", reference);
        refused(
            json!({ "$defs": { "x": { "additionalProperties": { "$ref": elsewhere } } } }),
            "./$defs/x/additionalProperties",
            reference,
        );
    }
}

#[test]
fn a_schema_without_end_is_given_up() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
        // Being endless is no way to satisfy a negation.
        json!({ "not": { "$ref": "#" } }),
        // Not deep, but a doubling at each of fifty levels.
        json!({
            "$ref": "#/$defs/l0",
            "$defs": (0..50).map(|n| {
                let next = json!({ "$ref": format!("#/$defs/l{}", n + 1) });
                (format!("l{n}"), if n < 49 { json!({ "allOf": [next, next] }) } else { json!(true) })
            }).collect::<serde_json::Map<_, _>>(),
        }),
    ] {
        assert_eq!(AnswerSchema::parse(&schema).unwrap().breaches(&json!(1)), Err(Endless), "{schema}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        (-3_i32..4).prop_map(|halves| Value::from(f64::from(halves) / 2.0)),
        "[abä]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn schema() -> impl Strategy<Value = Value> {
    let types =
        prop::sample::select(vec!["null", "boolean", "object", "array", "number", "integer", "string"]);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        types.clone().prop_map(|of| json!({ "type": of })),
        prop::collection::btree_set(types, 1..3).prop_map(|of| json!({ "type": of })),
        value().prop_map(|value| json!({ "const": value })),
        prop::collection::vec(value(), 1..3).prop_map(|values| json!({ "enum": values })),
        (-2_i32..3).prop_map(|bound| json!({ "minimum": bound, "exclusiveMaximum": bound + 2 })),
        (-2_i32..3).prop_map(|bound| json!({ "exclusiveMinimum": bound, "maximum": bound + 1 })),
        (0_u32..3)
            .prop_map(|bound| json!({ "minLength": bound, "maxLength": bound + 1, "pattern": "^a|b$" })),
        (0_u32..3).prop_map(|bound| json!({ "minItems": bound, "maxItems": bound + 1, "required": ["a"] })),
        Just(json!({ "$ref": "#/$defs/text" })),
    ];
    let inner = leaf.prop_recursive(3, 12, 3, |inner| {
        let several = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            several().prop_map(|schemas| json!({ "allOf": schemas })),
            several().prop_map(|schemas| json!({ "anyOf": schemas })),
            several().prop_map(|schemas| json!({ "oneOf": schemas })),
            inner.clone().prop_map(|schema| json!({ "not": schema })),
            inner.clone().prop_map(|schema| json!({ "items": schema })),
            (inner.clone(), inner.clone())
                .prop_map(|(a, others)| json!({ "properties": { "a": a }, "additionalProperties": others })),
        ]
    });
    inner.prop_map(
        |inner| json!({ "allOf": [inner], "$defs": { "text": { "type": "string", "minLength": 1 } } }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_agrees_with_a_whole_implementation(schema in schema(), answer in value()) {
        let ours = AnswerSchema::parse(&schema).unwrap().breaches(&answer).unwrap();
        let theirs = jsonschema::validator_for(&schema).unwrap().is_valid(&answer);
        prop_assert_eq!(ours.is_empty(), theirs, "{:?}", ours);
    }
}
