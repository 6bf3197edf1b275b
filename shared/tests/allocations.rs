//! Asking a flag allocates nothing, however many flags the document has.

use allocation_counter::measure;
use ripcord::flags::{Context, Evaluation, Flags};
use serde_json::{Map, Value, json};

/// A flag that everything has to be looked at for, and among how many others.
fn among(others: usize) -> String {
    let rule = |value: &str| json!({ "attribute": "plan", "operator": "in", "values": [value, "other"] });
    let mut rules: Vec<Value> = (0..8).map(|index| rule(&format!("plan-{index}"))).collect();
    rules.push(
        json!({ "attribute": "version", "operator": "less", "values": ["1.0.0-a-very-long-prerelease.12"] }),
    );
    rules.push(json!({ "attribute": "tenant", "operator": "percentage", "values": [0] }));
    let mut flags: Map<String, Value> =
        (0..others).map(|index| (format!("flag-{index:04}"), json!({ "enabled": true }))).collect();
    flags.insert("base".into(), json!({ "enabled": true }));
    flags.insert(
        "asked".into(),
        json!({
            "enabled": true,
            "prerequisites": [{ "flag": "base" }],
            "allowlist": ["u1", "u2"],
            "rules": rules,
            "rollout_percentage": 99.99,
            "variants": [{ "name": "a", "weight": 50 }, { "name": "b", "weight": 50 }],
        }),
    );
    json!({ "version": 1, "flags": flags }).to_string()
}

#[test]
fn asking_a_flag_allocates_nothing_among_one_and_among_a_thousand() {
    let asked = json!({
        "user_id": "u3", "plan": "free", "version": "2.0.0-another-very-long-prerelease.3", "tenant": 42,
    });
    let context = Context::read(&asked).unwrap();
    for others in [0, 998] {
        let flags = Flags::read(among(others).as_bytes()).unwrap();
        let mut variant = None;
        let measured = measure(|| {
            let Evaluation { variant: answered, .. } = flags.evaluate("asked", &context);
            variant = answered.map(str::len);
            assert!(!flags.evaluate("unknown", &context).enabled);
        });
        assert_eq!(measured.count_total, 0, "among {others} others");
        assert_eq!(variant, Some(1), "it was asked");
    }
}

/// Otherwise the test above could not fail.
#[test]
fn what_allocates_is_counted() {
    assert!(measure(|| drop(Box::new([1_u8; 64]))).count_total >= 1);
}
