//! The order in which a flag is asked, and what it says of itself.

use serde_json::{Value, json};

use super::{context, read, subjects_around};

#[track_caller]
fn check(flag: Value, asked: Value, expected: (bool, Option<&str>, &str, &str)) {
    let flags = read(&json!({ "f": flag }));
    let answer = flags.evaluate("f", &context(&asked));
    let (enabled, variant, code, reason) = expected;
    assert_eq!(
        (answer.enabled, answer.variant, answer.reason.code(), answer.reason.to_string().as_str()),
        (enabled, variant, code, reason)
    );
}

/// A flag in which every step of the order would decide, and whatever is taken from it, the next one does.
fn full() -> Value {
    json!({
        "enabled": true,
        "allowlist": ["u9", "u5", "u0"],
        "rules": [
            { "name": "germans", "attribute": "country", "operator": "equals", "values": ["DE"], "then": { "variant": "b" } },
            { "attribute": "country", "operator": "in", "values": ["DE", "AT"], "then": { "enabled": false } },
        ],
        "rollout_percentage": 100,
        "default": { "enabled": false, "variant": "a" },
        "variants": [{ "name": "a", "weight": 100 }, { "name": "b", "weight": 0 }],
    })
}

#[test]
fn the_kill_switch_is_before_everything() {
    let mut flag = full();
    flag["enabled"] = json!(false);
    check(flag, json!({ "user_id": "u0", "country": "DE" }), (false, None, "off", "f is switched off"));
}

#[test]
fn the_allowlist_is_before_the_rules() {
    let allowed = "its user_id is on the allowlist of f";
    check(full(), json!({ "user_id": "u0", "country": "AT" }), (true, Some("a"), "allowlist", allowed));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let first = "rules[0] `germans` of f matched: country equals";
    check(full(), json!({ "user_id": "u1", "country": "DE" }), (true, Some("b"), "rule", first));
    let second = "rules[1] of f matched: country in";
    check(full(), json!({ "user_id": "u1", "country": "AT" }), (false, None, "rule", second));
}

#[test]
fn rules_are_before_the_rollout_and_the_rollout_before_the_default() {
    let all = "everything is inside the 100% of the rollout of f";
    check(full(), json!({ "user_id": "u1", "country": "FR" }), (true, Some("a"), "rollout", all));
    let mut flag = full();
    flag["rollout_percentage"] = json!(0);
    let none = "everything is outside the 0% of the rollout of f: its default";
    check(flag.clone(), json!({ "user_id": "u1" }), (false, Some("a"), "default", none));
    flag.as_object_mut().unwrap().remove("rollout_percentage");
    check(
        flag,
        json!({ "user_id": "u1" }),
        (false, Some("a"), "default", "no rule of f matched: its default"),
    );
}

#[test]
fn a_rollout_is_on_for_the_buckets_below_it() {
    let (inside, outside) = subjects_around(25.0);
    let flag = json!({ "enabled": true, "rollout_percentage": 25 });
    let bucket = |subject: &str| crate::judge::grouped(super::super::Draw::of("f", subject).rollout.into());
    let reason = format!("bucket {} < 2,500 is inside the 25% of the rollout of f", bucket(&inside));
    check(flag.clone(), json!({ "user_id": inside }), (true, None, "rollout", &reason));
    let reason =
        format!("bucket {} >= 2,500 is outside the 25% of the rollout of f: its default", bucket(&outside));
    check(flag, json!({ "user_id": outside }), (false, None, "default", &reason));
}

#[test]
fn a_share_of_0_01_percent_is_one_bucket() {
    let exactly = super::super::Draw::of("f", "u7").rollout;
    let at = |percent: f64| {
        let flags = read(&json!({ "f": { "enabled": true, "rollout_percentage": percent } }));
        flags.evaluate("f", &context(&json!({ "user_id": "u7" }))).enabled
    };
    assert!(!at(f64::from(exactly) / 100.0));
    assert!(at(f64::from(exactly + 1) / 100.0));
}

#[test]
fn a_variant_ends_where_the_next_one_begins() {
    let point = super::super::Draw::of("f", "u7").variant;
    let with_first = |hundredths: u16| {
        let weights = [hundredths, 10_000 - hundredths].map(|weight| f64::from(weight) / 100.0);
        let variants = json!([{ "name": "a", "weight": weights[0] }, { "name": "b", "weight": weights[1] }]);
        let flags = read(&json!({ "f": { "enabled": true, "variants": variants } }));
        flags.evaluate("f", &context(&json!({ "user_id": "u7" }))).variant.map(str::to_owned)
    };
    assert_eq!(with_first(point).as_deref(), Some("b"));
    assert_eq!(with_first(point + 1).as_deref(), Some("a"));
}

#[test]
fn a_rule_with_a_share_gives_the_others_the_default() {
    let (inside, outside) = subjects_around(10.0);
    let flags = read(&json!({ "f": {
        "enabled": true,
        "rules": [{ "attribute": "country", "operator": "exists", "then": { "percentage": 10 } }],
        "rollout_percentage": 100,
        "default": { "enabled": false },
    }}));
    let answer =
        |subject: &str| flags.evaluate("f", &context(&json!({ "user_id": subject, "country": "DE" })));
    assert!(answer(&inside).enabled);
    assert!(!answer(&outside).enabled);
    let reason = answer(&outside).reason;
    assert_eq!(reason.code(), "rule");
    assert!(reason.to_string().ends_with("is outside the 10% of the rule"), "{reason}");
}

#[test]
fn a_flag_that_says_nothing_but_on_is_on_for_all() {
    let all = "everything is inside the 100% of the rollout of f";
    check(json!({ "enabled": true }), json!({}), (true, None, "rollout", all));
}

#[test]
fn a_flag_that_is_not_there_is_off() {
    let flags = read(&json!({}));
    let answer = flags.evaluate("f", &context(&json!({})));
    assert_eq!((answer.enabled, answer.variant, answer.reason.code()), (false, None, "unknown_flag"));
    assert_eq!(answer.reason.to_string(), "there is no flag of this name");
}

#[test]
fn flags_are_found_in_whatever_order_they_stand() {
    let text = r#"{"version": 1, "flags": {
        "c": {"enabled": true, "prerequisites": [{"flag": "a"}]},
        "b": {"enabled": true, "prerequisites": [{"flag": "c"}]},
        "a": {"enabled": false}}}"#;
    let flags = super::super::Flags::read(text.as_bytes()).unwrap();
    let reasons = ["a", "b", "c"].map(|key| flags.evaluate(key, &context(&json!({}))).reason.to_string());
    assert_eq!(reasons, ["a is switched off", "b needs c, which is off", "c needs a, which is off"]);
}

#[test]
fn without_a_subject_what_needs_a_bucket_gets_the_default() {
    let missing = "there is no user_id to place in f: its default";
    for asked in [json!({}), json!({ "user_id": null }), json!({ "user_id": "" }), json!({ "user_id": true })]
    {
        let flag = json!({ "enabled": true, "rollout_percentage": 99.99 });
        check(flag, asked.clone(), (false, None, "no_subject", missing));
        // Nobody needs a bucket for all, but for a variant.
        let all = "everything is inside the 100% of the rollout of f";
        check(
            json!({ "enabled": true, "rollout_percentage": 100 }),
            asked.clone(),
            (true, None, "rollout", all),
        );
        let mut flag = full();
        flag["default"] = json!({ "enabled": true, "variant": "b" });
        check(flag, asked, (true, Some("b"), "no_subject", missing));
    }
}

#[test]
fn the_subject_is_the_attribute_that_the_flag_names_and_may_be_a_whole_number() {
    let flag = json!({ "enabled": true, "subject": "tenant", "allowlist": ["42"], "rollout_percentage": 0 });
    let allowed = "its tenant is on the allowlist of f";
    check(flag.clone(), json!({ "tenant": 42 }), (true, None, "allowlist", allowed));
    check(flag.clone(), json!({ "tenant": 42.0 }), (true, None, "allowlist", allowed));
    check(flag.clone(), json!({ "tenant": "42" }), (true, None, "allowlist", allowed));
    let none = "everything is outside the 0% of the rollout of f: its default";
    check(flag.clone(), json!({ "tenant": 42.5 }), (false, None, "default", none));
    check(flag, json!({ "user_id": "42" }), (false, None, "default", none));
}

#[test]
fn a_reason_names_the_rule_of_its_own_flag_and_no_value() {
    let rule = |name: &str, value: &str| {
        json!({
            "enabled": true,
            "rules": [{ "name": name, "attribute": "email", "operator": "ends_with", "values": [value] }],
            "rollout_percentage": 0,
        })
    };
    let flags =
        read(&json!({ "one": rule("staff", "@one.example"), "two": rule("partners", "@two.example") }));
    let asked = context(&json!({ "user_id": "u", "email": "ada@two.example" }));
    let reason = flags.evaluate("two", &asked).reason.to_string();
    assert_eq!(reason, "rules[0] `partners` of two matched: email ends_with");
}
