//! Each limit, at it and just past it.

use serde_json::{Map, Value, json};

use super::super::{ALLOWLIST_MAX, FLAGS_MAX, Flags, RULES_MAX, TEXT_BYTES_MAX, VALUES_MAX, VARIANTS_MAX};
use super::{document, problems};

/// A document with so many of something is valid up to a number, and one more is refused.
#[track_caller]
fn check(most: usize, make: impl Fn(usize) -> Value, expected: &str) {
    let text = |count: usize| document(&make(count));
    if let Err(invalid) = Flags::read(text(most).as_bytes()) {
        panic!("{most} were refused: {invalid}");
    }
    assert_eq!(problems(&text(most + 1)), [expected]);
}

fn flag(fields: &Value) -> Value {
    let mut flag = json!({ "enabled": true, "rollout_percentage": 1 });
    flag.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({ "f": flag })
}

fn rule(fields: &Value) -> Value {
    let mut rule = json!({ "attribute": "a", "operator": "in", "values": ["x"] });
    rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    flag(&json!({ "rules": [rule] }))
}

#[test]
fn lists_end() {
    let flags = |count: usize| (0..count).map(|index| (format!("f{index}"), json!({ "enabled": true })));
    check(FLAGS_MAX, |count| Value::Object(flags(count).collect::<Map<_, _>>()), "flags: too-many");
    let any = json!({ "attribute": "a", "operator": "exists" });
    check(RULES_MAX, |count| flag(&json!({ "rules": vec![any.clone(); count] })), "flags.f.rules: too-many");
    check(
        VALUES_MAX,
        |count| rule(&json!({ "values": vec!["x"; count] })),
        "flags.f.rules[0].values: too-many",
    );
    check(
        ALLOWLIST_MAX,
        |count| flag(&json!({ "allowlist": vec!["u"; count] })),
        "flags.f.allowlist: too-many",
    );
    let variants = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|index| json!({ "name": format!("v{index}"), "weight": if index == 0 { 100 } else { 0 } }))
            .collect()
    };
    check(VARIANTS_MAX, |count| flag(&json!({ "variants": variants(count) })), "flags.f.variants: too-many");
}

/// In characters, as the JSON Schema counts them.
#[test]
fn texts_end() {
    check(
        1024,
        |length| flag(&json!({ "description": "ä".repeat(length) })),
        "flags.f.description: text-length",
    );
    check(1024, |length| flag(&json!({ "owner": "ä".repeat(length) })), "flags.f.owner: text-length");
    check(64, |length| flag(&json!({ "subject": "ä".repeat(length) })), "flags.f.subject: text-length");
    check(
        256,
        |length| flag(&json!({ "allowlist": ["ä".repeat(length)] })),
        "flags.f.allowlist[0]: text-length",
    );
    check(128, |length| rule(&json!({ "name": "ä".repeat(length) })), "flags.f.rules[0].name: text-length");
    check(
        64,
        |length| rule(&json!({ "attribute": "ä".repeat(length) })),
        "flags.f.rules[0].attribute: text-length",
    );
    check(
        256,
        |length| rule(&json!({ "values": ["ä".repeat(length)] })),
        "flags.f.rules[0].values[0]: text-length",
    );
    let variant =
        |length: usize| flag(&json!({ "variants": [{ "name": "v".repeat(length), "weight": 100 }] }));
    check(64, variant, "flags.f.variants[0].name: invalid-name");
}

#[test]
fn keys_end() {
    let key = |length: usize| document(&json!({ "k".repeat(length): { "enabled": true } }));
    assert!(Flags::read(key(64).as_bytes()).is_ok());
    let shown = format!("flags[\"{}…\"]: invalid-name", "k".repeat(64));
    assert_eq!(problems(&key(65)), [shown]);
}

#[test]
fn the_text_ends() {
    let mut text = document(&json!({}));
    text.push_str(&" ".repeat(TEXT_BYTES_MAX - text.len()));
    assert!(Flags::read(text.as_bytes()).is_ok());
    text.push(' ');
    assert_eq!(problems(&text), [": too-large"]);
}
