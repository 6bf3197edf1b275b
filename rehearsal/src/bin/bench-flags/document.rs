//! A flag document of a given size, like those that teams grow: most flags with ten rules.

use serde_json::{Map, Value, json};

const RULES: usize = 10;

/// The flag that is asked for: its last rule matches.
pub(crate) const ASKED: &str = "flag-0000";

/// A document of so many flags, with allowlists that fill it up to about so many bytes.
pub(crate) fn of(flags: usize, bytes: usize) -> String {
    let filled = flag(0).to_string().len() * flags;
    // An entry of the allowlist takes about eleven bytes.
    let allowed_each = bytes.saturating_sub(filled) / flags.max(1) / 11;
    let listed = (0..flags).map(|index| {
        let mut flag = flag(index);
        let allowed: Vec<String> = (0..allowed_each).map(|user| format!("user-{user:03}")).collect();
        flag["allowlist"] = json!(allowed);
        (format!("flag-{index:04}"), flag)
    });
    json!({ "version": 1, "flags": listed.collect::<Map<String, Value>>() }).to_string()
}

fn flag(index: usize) -> Value {
    let rules: Vec<Value> = (0..RULES)
        .map(|rule| match rule {
            0 => json!({ "attribute": "app_version", "operator": "less", "values": ["2.0.0"], "then": { "enabled": false } }),
            rule if rule + 1 == RULES => {
                json!({ "attribute": "plan", "operator": "in", "values": ["pro", "team"], "then": { "enabled": true } })
            }
            rule => json!({
                "attribute": "country", "operator": "equals", "values": [format!("X{rule}")], "then": { "enabled": false },
            }),
        })
        .collect();
    json!({
        "description": format!("What number {index} is for"), "enabled": true, "rollout_percentage": 25, "rules": rules,
        "variants": [{ "name": "wide", "weight": 50 }, { "name": "narrow", "weight": 50 }],
    })
}
