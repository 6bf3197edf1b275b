//! Flags that need other flags.

use serde_json::{Map, Value, json};

use super::super::{FLAGS_ASKED_MAX, Flags, PREREQUISITES_MAX};
use super::{context, document, problems, read};

fn needing(flags: &[&str]) -> Value {
    let prerequisites: Vec<Value> = flags.iter().map(|flag| json!({ "flag": flag })).collect();
    json!({ "enabled": true, "prerequisites": prerequisites })
}

#[test]
fn a_flag_is_off_where_one_that_it_needs_is_off() {
    let flags = read(&json!({
        "base": { "enabled": true, "allowlist": ["u1"], "rollout_percentage": 0 },
        "middle": needing(&["base"]),
        "top": { "enabled": true, "allowlist": ["u2"], "rollout_percentage": 100, "prerequisites": [{ "flag": "middle" }] },
    }));
    let answer = |subject: &str| {
        let answer = flags.evaluate("top", &context(&json!({ "user_id": subject })));
        (answer.enabled, answer.reason.code(), answer.reason.to_string())
    };
    assert!(answer("u1").0);
    // A prerequisite stands before the allowlist.
    assert_eq!(answer("u2"), (false, "prerequisite", "top needs middle, which is off".into()));
}

#[test]
fn the_kill_switch_of_a_flag_switches_off_what_needs_it() {
    let flags = read(&json!({ "base": { "enabled": false }, "top": needing(&["base"]) }));
    assert_eq!(
        flags.evaluate("top", &context(&json!({}))).reason.to_string(),
        "top needs base, which is off"
    );
}

#[test]
fn a_flag_may_need_a_variant() {
    let flags = read(&json!({
        "base": {
            "enabled": true,
            "variants": [{ "name": "a", "weight": 100 }, { "name": "b", "weight": 0 }],
            "rules": [{ "attribute": "beta", "operator": "exists", "then": { "variant": "b" } }],
            "rollout_percentage": 100,
        },
        "top": { "enabled": true, "prerequisites": [{ "flag": "base", "variant": "b" }] },
    }));
    let answer = |asked: Value| flags.evaluate("top", &context(&asked)).reason.to_string();
    assert_eq!(
        answer(json!({ "user_id": "u", "beta": true })),
        "everything is inside the 100% of the rollout of top"
    );
    assert_eq!(answer(json!({ "user_id": "u" })), "top needs variant b of base, which is on with another");
}

#[test]
fn what_is_not_there_is_named() {
    let text = document(&json!({
        "base": { "enabled": true },
        "broken": 1,
        "top": { "enabled": true, "prerequisites": [
            { "flag": "bass" }, { "flag": "base", "variant": "b" }, { "flag": "broken" }, { "variant": "x" },
        ] },
    }));
    assert_eq!(
        problems(&text),
        [
            "flags.broken: wrong-type",
            "flags.top.prerequisites[3].flag: missing-field",
            "flags.top.prerequisites[0].flag: unknown-prerequisite",
            "flags.top.prerequisites[1].variant: unknown-variant",
        ]
    );
}

#[test]
fn every_circle_is_named_once() {
    let circles = |flags: Value| -> Vec<String> {
        let invalid = Flags::read(document(&flags).as_bytes()).unwrap_err();
        assert!(invalid.problems.iter().all(|problem| problem.rule == "circular-prerequisites"), "{invalid}");
        let words = "the prerequisites go round in a circle: ";
        invalid
            .problems
            .iter()
            .map(|problem| problem.message.strip_prefix(words).unwrap().to_owned())
            .collect()
    };
    assert_eq!(circles(json!({ "a": needing(&["a"]) })), ["a → a"]);
    assert_eq!(
        circles(json!({ "a": needing(&["b"]), "b": needing(&["c"]), "c": needing(&["a"]) })),
        ["a → b → c → a"]
    );
    // What only leads into a circle is not on it, and a flag may be on two.
    assert_eq!(
        circles(json!({
            "a": needing(&["b", "c"]), "b": needing(&["a"]), "c": needing(&["a"]), "d": needing(&["a"]), "e": needing(&["f"]),
            "f": { "enabled": true },
        })),
        ["a → b → a", "a → c → a"]
    );
}

#[test]
fn a_flag_asks_no_more_than_so_many() {
    let chain = |length: usize| {
        let flags: Map<String, Value> = (0..length)
            .map(|index| {
                let before = index.checked_sub(1).map(|before| format!("f{before:03}"));
                (format!("f{index:03}"), needing(&before.iter().map(String::as_str).collect::<Vec<_>>()))
            })
            .collect();
        document(&Value::Object(flags))
    };
    assert!(Flags::read(chain(FLAGS_ASKED_MAX).as_bytes()).is_ok());
    assert_eq!(problems(&chain(FLAGS_ASKED_MAX + 1)), ["flags.f064.prerequisites: too-many-prerequisites"]);
}

/// Each flag needs both of the pair before it: asked as they stand, that is 2 to the power of their number.
#[test]
fn what_would_be_asked_again_and_again_is_counted_as_often() {
    let mut flags = Map::new();
    for level in 1..=40 {
        let before = [format!("l{:02}-a", level - 1), format!("l{:02}-b", level - 1)];
        let need: Vec<&str> = if level == 1 { vec![] } else { before.iter().map(String::as_str).collect() };
        flags.insert(format!("l{level:02}-a"), needing(&need));
        flags.insert(format!("l{level:02}-b"), needing(&need));
    }
    let found = problems(&document(&Value::Object(flags)));
    assert_eq!(found.first().map(String::as_str), Some("flags.l07-a.prerequisites: too-many-prerequisites"));
    let many: Vec<String> = (0..=PREREQUISITES_MAX).map(|index| format!("f{index}")).collect();
    let top = needing(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(problems(&document(&json!({ "top": top }))), ["flags.top.prerequisites: too-many"]);
}
