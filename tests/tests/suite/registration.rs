//! The registration document: what is accepted, and for every rule the sentence with which a breach is refused.

use std::fs;
use std::path::{Path, PathBuf};

use ripcord::registration::{Registration, schema};
use serde_json::{Value, json};

/// A document that breaks no rule, with every field that there is.
fn valid() -> Value {
    json!({
        "$schema": "registration.schema.json",
        "service": "checkout",
        "targets": [{ "name": "api", "kind": "lambda_alias", "function": "checkout", "alias": "live" }],
        "guards": [{ "alarm": "checkout-error-rate" }],
        "stages": [
            { "weight": 0.1, "bake_minutes": 10, "limits": { "error_rate_max": 0.01, "latency_ms_max": 500 } },
            { "weight": 1.0, "bake_minutes": 30 },
        ],
        "rollback": {
            "window_hours": 24, "rollbacks_max": 3, "rollbacks_window_minutes": 60, "quarantine_hours": 168,
        },
        "barriers": [{ "target": "api", "since_version": "5", "reason": "orders.total is now in cents" }],
    })
}

/// Everything that is wrong with the document once `value` stands at `path`; nothing if it is accepted.
fn violations(path: &str, value: Value) -> String {
    let mut document = valid();
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    if let Value::Array(items) = parent {
        items[field.parse::<usize>().unwrap()] = value;
    } else {
        parent[field] = value;
    }
    report(&document.to_string())
}

fn report(document: &str) -> String {
    match Registration::parse(document) {
        Ok(_) => String::new(),
        Err(violations) => violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

#[track_caller]
fn accepted(path: &str, value: Value) {
    assert_eq!(violations(path, value), "", "{path}");
}

#[track_caller]
fn refused(path: &str, value: Value, expected: &str) {
    assert_eq!(violations(path, value), expected, "{path}");
}

/// A refusal by type: it also says where in the document, which the layout of `valid` decides.
#[track_caller]
fn malformed(path: &str, value: Value, field: &str, rule: &str) {
    let message = violations(path, value);
    assert!(message.starts_with(&format!("{field} is not valid (line 1, column ")), "{path}: {message}");
    assert!(message.ends_with(&format!("): {rule}")), "{path}: {message}");
}

fn targets(count: usize) -> Value {
    let mut targets: Vec<Value> = (1..count)
        .map(|n| json!({ "name": format!("t{n}"), "kind": "lambda_alias", "function": "checkout", "alias": format!("a{n}") }))
        .collect();
    // The barrier of the valid document names it.
    if count > 0 {
        targets.push(valid()["targets"][0].clone());
    }
    Value::from(targets)
}

fn guards(count: usize) -> Value {
    (0..count).map(|n| json!({ "alarm": format!("alarm-{n}") })).collect()
}

fn stages(count: u32) -> Value {
    (1..=count).map(|n| json!({ "weight": f64::from(n) / 100.0, "bake_minutes": 1 })).collect()
}

#[test]
fn a_target_elsewhere_says_by_which_role_it_is_reached() {
    const ROLE: &str = "arn:aws:iam::222222222222:role/releases/ripcord";
    let target = |fields: Value| {
        let mut target =
            json!({ "name": "api", "kind": "lambda_alias", "function": "checkout", "alias": "live" });
        target.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!([target])
    };
    accepted("/targets", target(json!({ "region": "eu-central-1" })));
    for id in ["ab".to_owned(), "a".repeat(1224), "Az09_+=,.@:/-".to_owned()] {
        accepted("/targets", target(json!({ "role_arn": ROLE, "external_id": id })));
    }
    for id in ["a".to_owned(), "a".repeat(1225), "two words".to_owned(), "köln".to_owned()] {
        let expected =
            format!("targets[0].external_id is {id:?}: 2 to 1224 letters, digits or any of _+=,.@:/-");
        refused("/targets", target(json!({ "role_arn": ROLE, "external_id": id })), &expected);
    }
    refused(
        "/targets",
        target(json!({ "external_id": "4711" })),
        "targets[0].external_id is \"4711\": goes with a role_arn: it is shown when a role is assumed",
    );
    for role in [
        "arn:aws:iam::222222222222:user/ripcord",
        "arn:aws:iam::222222222222:role/",
        "arn:aws:iam::2222:role/ripcord",
        "arn:aws:sts::222222222222:assumed-role/ripcord/session",
    ] {
        let expected = format!(
            "targets[0].role_arn is {role:?}: the ARN of a role, like arn:aws:iam::123456789012:role/ripcord"
        );
        refused("/targets", target(json!({ "role_arn": role })), &expected);
    }
}

#[test]
fn a_document_that_keeps_to_the_rules_is_accepted() {
    assert_eq!(report(&valid().to_string()), "");
    let least = json!({
        "service": "checkout",
        "targets": valid()["targets"],
        "guards": valid()["guards"],
    });
    let registration = Registration::parse(&least.to_string()).unwrap();
    assert_eq!(
        serde_json::to_value(&registration.rollback).unwrap(),
        json!({ "window_hours": 24, "rollbacks_max": 3, "rollbacks_window_minutes": 60, "quarantine_hours": 168 })
    );
}

#[test]
fn the_example_keeps_to_the_rules() {
    assert_eq!(report(&fs::read_to_string(root().join("examples/checkout/ripcord.json")).unwrap()), "");
}

#[test]
fn a_service_has_one_to_ten_targets() {
    accepted("/targets", targets(1));
    accepted("/targets", targets(10));
    refused("/targets", targets(11), "targets is 11 long: a service has 1 to 10");
    refused(
        "/targets",
        targets(0),
        "targets is 0 long: a service has 1 to 10\nbarriers[0].target is api: names a target of the service",
    );
}

#[test]
fn targets_and_their_aliases_are_not_shared() {
    let mut twice = targets(2);
    twice[0]["name"] = json!("api");
    refused("/targets", twice, "targets[1].name is api: names are unique");
    let mut twice = targets(2);
    twice[0]["alias"] = json!("live");
    refused("/targets", twice, "targets[1] is lambda:checkout:live: a place belongs to one target");
    let mut pin = targets(1);
    pin[0]["alias"] = json!("live-last-known-good");
    refused(
        "/targets",
        pin,
        "targets[0].alias is live-last-known-good: names that end in -last-known-good are for the aliases that pin \
         rollback targets",
    );
    let mut elsewhere = targets(2);
    elsewhere[0]["alias"] = json!("live");
    elsewhere[0]["function"] = json!("basket");
    accepted("/targets", elsewhere);
}

#[test]
fn one_to_forty_alarms_guard_a_service() {
    let rule = "1 to 40 alarms guard a service; without one nothing pulls the cord";
    accepted("/guards", guards(1));
    accepted("/guards", guards(40));
    refused("/guards", guards(41), &format!("guards is 41 long: {rule}"));
    refused("/guards", guards(0), &format!("guards is 0 long: {rule}"));
}

#[test]
fn a_guard_is_a_name_or_an_arn_and_named_once() {
    let arn = |rest: &str| json!(format!("arn:aws:cloudwatch:eu-west-1:{rest}"));
    let name_rule = "an alarm's name has 1 to 255 characters";
    let arn_rule = "an ARN like arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME";
    accepted("/guards/0/alarm", json!("a".repeat(255)));
    let long = "a".repeat(256);
    refused("/guards/0/alarm", json!(long), &format!("guards[0].alarm is {long:?}: {name_rule}"));
    refused("/guards/0/alarm", json!(""), &format!("guards[0].alarm is \"\": {name_rule}"));
    accepted("/guards/0/alarm", arn("123456789012:alarm:checkout"));
    for wrong in ["12345678901:alarm:checkout", "123456789012:alarm:", "123456789012:dashboard:checkout"] {
        let wrong = arn(wrong);
        refused("/guards/0/alarm", wrong.clone(), &format!("guards[0].alarm is {wrong}: {arn_rule}"));
    }
    refused(
        "/guards",
        json!([{ "alarm": "a" }, { "alarm": "b" }, { "alarm": "a" }]),
        "guards[2].alarm is \"a\": an alarm is named once",
    );
}

#[test]
fn an_alarm_guards_by_its_name_or_by_its_very_arn() {
    let guarded_by = |guard: &str, arn: &str| {
        let mut document = valid();
        document["guards"] = json!([{ "alarm": guard }]);
        Registration::parse(&document.to_string()).unwrap().is_guarded_by(&arn.parse().unwrap())
    };
    let here = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors";
    let elsewhere = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors";
    assert!(guarded_by("errors", here));
    assert!(guarded_by(here, here));
    assert!(!guarded_by("error", here));
    assert!(!guarded_by(elsewhere, here));
}

#[test]
fn a_release_has_at_most_fifty_stages_with_rising_weights() {
    accepted("/stages", json!([]));
    accepted("/stages", stages(50));
    refused("/stages", stages(51), "stages is 51 long: at most 50");
    let rule = |before: &str| format!("weights rise from stage to stage, and the one before is {before}");
    accepted("/stages/0/weight", json!(0.000_001));
    let nothing = "stages[0].weight is 0%: above 0%: a stage without traffic shows nothing";
    refused("/stages/0/weight", json!(0.0), nothing);
    accepted("/stages/1/weight", json!(0.100_001));
    refused("/stages/1/weight", json!(0.1), &format!("stages[1].weight is 10%: {}", rule("10%")));
    refused("/stages/1/weight", json!(0.05), &format!("stages[1].weight is 5%: {}", rule("10%")));
    let rule = "the weight \"1.000001\" is not valid: it must be a share of traffic from 0 to 1";
    malformed("/stages/1/weight", json!(1.000_001), "stages[1].weight", rule);
}

#[test]
fn a_stage_is_watched_for_a_minute_to_a_week() {
    let rule = "a stage is watched for 1 to 10080 minutes: CloudWatch's periods are a minute long";
    accepted("/stages/0/bake_minutes", json!(1));
    accepted("/stages/0/bake_minutes", json!(10_080));
    refused("/stages/0/bake_minutes", json!(0), &format!("stages[0].bake_minutes is 0: {rule}"));
    refused("/stages/0/bake_minutes", json!(10_081), &format!("stages[0].bake_minutes is 10081: {rule}"));
}

#[test]
fn limits_are_ones_that_can_be_measured() {
    let rate = "/stages/0/limits/error_rate_max";
    let rule = "a share of requests above 0 and below 1 (zero cannot be shown from finitely many requests)";
    accepted(rate, json!(0.000_001));
    accepted(rate, json!(0.999_999));
    refused(rate, json!(0.0), &format!("stages[0].limits.error_rate_max is 0: {rule}"));
    refused(rate, json!(1.0), &format!("stages[0].limits.error_rate_max is 1: {rule}"));
    let latency = "/stages/0/limits/latency_ms_max";
    let rule = "1 to 900,000 ms, the longest that a function may run";
    accepted(latency, json!(1));
    accepted(latency, json!(900_000));
    refused(latency, json!(0), &format!("stages[0].limits.latency_ms_max is 0: {rule}"));
    refused(latency, json!(900_001), &format!("stages[0].limits.latency_ms_max is 900001: {rule}"));
    let slow = "/limits";
    accepted(slow, json!({ "latency_ms_max": 500, "slow_rate_max": 0.01 }));
    let rule = "needs latency_ms_max beside it, which says what slow means";
    refused(slow, json!({ "slow_rate_max": 0.01 }), &format!("limits.slow_rate_max is 0.01: {rule}"));
}

#[test]
fn the_release_policy_keeps_to_its_ranges() {
    for (field, min, max) in [
        ("stabilise_seconds", 0, 3_600),
        ("extend_minutes_max", 0, 10_080),
        ("approval_minutes_max", 1, 20_160),
    ] {
        let path = "/release";
        accepted(path, json!({ field: min }));
        accepted(path, json!({ field: max }));
        let expected = format!("release.{field} is {}: between {min} and {max}", max + 1);
        refused(path, json!({ field: max + 1 }), &expected);
    }
    accepted("/release", json!({ "unproven": "ask" }));
    let both = "release.strategy is \"canary-graded\": either a strategy or stages, not both";
    refused("/release", json!({ "strategy": "canary-graded" }), both);
    let expected = "release.strategy is \"yolo\": one of canary, canary-cautious, canary-graded, linear, progressive, blue-green, all-at-once, ab-50-50, ab-80-20";
    let expected = format!("{expected}\nrelease.strategy is \"yolo\": either a strategy or stages, not both");
    refused("/release", json!({ "strategy": "yolo" }), &expected);
}

#[test]
fn an_environment_replaces_what_it_names_and_is_checked_as_a_whole() {
    let mut document = valid();
    document["environments"] = json!({
        "staging": { "stages": [{ "weight": 1.0, "bake_minutes": 2 }] },
        "broken": { "guards": [] },
    });
    let registration = Registration::parse(&document.to_string()).unwrap();
    let staging = registration.in_environment("staging").unwrap();
    assert_eq!(staging.stages.len(), 1);
    assert_eq!(staging.guards, registration.guards);
    let said = |name: &str| registration.in_environment(name).unwrap_err()[0].to_string();
    assert!(said("broken").starts_with("guards is 0 long"), "{}", said("broken"));
    assert_eq!(said("moon"), "environment is \"moon\": one of the document's environments: broken, staging");
}

#[test]
fn the_rollback_policy_keeps_to_its_ranges() {
    for (field, min, max) in [
        ("window_hours", 1, 336),
        ("rollbacks_max", 1, 100),
        ("rollbacks_window_minutes", 1, 10_080),
        ("quarantine_hours", 0, 2_160),
    ] {
        let path = format!("/rollback/{field}");
        accepted(&path, json!(min));
        accepted(&path, json!(max));
        let beyond = max + 1;
        let expected = format!("rollback.{field} is {beyond}: between {min} and {max}");
        refused(&path, json!(beyond), &expected);
        if min > 0 {
            refused(
                &path,
                json!(min - 1),
                &format!("rollback.{field} is {}: between {min} and {max}", min - 1),
            );
        } else {
            let rule = "invalid value: integer `-1`, expected u32";
            malformed(&path, json!(-1), &format!("rollback.{field}"), rule);
        }
    }
}

#[test]
fn a_barrier_names_a_target_and_says_why() {
    refused("/barriers/0/target", json!("web"), "barriers[0].target is web: names a target of the service");
    let rule = "says what was migrated, because that is read at three in the morning";
    refused("/barriers/0/reason", json!(""), &format!("barriers[0].reason is \"\": {rule}"));
    refused("/barriers/0/reason", json!(" \t"), &format!("barriers[0].reason is \" \\t\": {rule}"));
    let rule = "the version \"$LATEST\" is not valid: it must be a published version's number (not $LATEST), or 1 to 92 letters, digits, '-', '_', '.' or ':'";
    malformed("/barriers/0/since_version", json!("$LATEST"), "barriers[0].since_version", rule);
}

#[test]
fn an_unknown_field_is_refused_by_its_path() {
    let expected = |known: &str| format!("unknown field `surprise`, expected {known}");
    for (path, field, known) in [
        (
            "/surprise",
            "surprise",
            "one of `$schema`, `service`, `targets`, `guards`, `stages`, `limits`, `metrics`, `dead_letter_queues`, `preflight`, `hooks`, `freezes`, `release`, `rollback`, `barriers`, `environments`",
        ),
        (
            "/targets/0/surprise",
            "targets[0]",
            "`function` or `alias`, besides `name`, `kind`, `turn`, `region`, `role_arn`, `external_id`",
        ),
        ("/guards/0/surprise", "guards[0].surprise", "`alarm`"),
        ("/stages/0/surprise", "stages[0].surprise", "one of `weight`, `bake_minutes`, `limits`, `approval`"),
        (
            "/stages/0/limits/surprise",
            "stages[0].limits.surprise",
            "one of `error_rate_max`, `latency_ms_max`, `slow_rate_max`, `throttles_max`",
        ),
        (
            "/rollback/surprise",
            "rollback.surprise",
            "one of `window_hours`, `rollbacks_max`, `rollbacks_window_minutes`, `quarantine_hours`, `group`",
        ),
        ("/barriers/0/surprise", "barriers[0].surprise", "one of `target`, `since_version`, `reason`"),
    ] {
        malformed(path, json!(1), field, &expected(known));
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_by_its_path() {
    for (path, value, field, rule) in [
        ("/service", json!(7), "service", "invalid type: integer `7`, expected a string"),
        (
            "/service",
            json!("check out"),
            "service",
            "the service name \"check out\" is not valid: it must be 1 to 64 letters, digits, '-', '_' or '.'",
        ),
        (
            "/targets/0/kind",
            json!("alb_listener"),
            "targets[0]",
            "kind: unknown variant `alb_listener`, expected one of `lambda_alias`, `ecs_service`, `load_balancer`, `api_stage`, `configuration`, `dns_records`, `stack`, `state_machine_alias`",
        ),
        (
            "/targets/0/alias",
            json!("12"),
            "targets[0]",
            "the alias name \"12\" is not valid: it must be 1 to 128 letters, digits, '-' or '_', and not only digits",
        ),
        (
            "/targets/0/function",
            json!("arn:aws:lambda:eu-west-1:123456789012:function:checkout"),
            "targets[0]",
            "the function name \"arn:aws:lambda:eu-west-1:123456789012:function:checkout\" is not valid: it must be 1 to 64 letters, digits, '-' or '_'",
        ),
        (
            "/stages/0/bake_minutes",
            json!("10"),
            "stages[0].bake_minutes",
            "invalid type: string \"10\", expected u32",
        ),
        ("/guards", json!({}), "guards", "invalid type: map, expected a sequence"),
    ] {
        malformed(path, value, field, rule);
    }
}

#[test]
fn what_is_no_document_is_refused_with_the_place() {
    for (document, expected) in [
        ("", ". is not valid (line 1, column 0): EOF while parsing a value"),
        ("7", ". is not valid (line 1, column 1): invalid type: integer `7`, expected struct Registration"),
        ("{}", ". is not valid (line 1, column 2): missing field `service`"),
        ("{\n  \"service\": checkout\n}", "service is not valid (line 2, column 14): expected value"),
    ] {
        assert_eq!(report(document), expected, "{document:?}");
    }
}

#[test]
fn what_follows_the_document_is_refused() {
    let document = serde_json::to_string(&valid()).unwrap();
    let column = document.len() + 2;
    assert_eq!(
        report(&format!("{document} {document}")),
        format!(". is not valid (line 1, column {column}): trailing characters")
    );
    assert_eq!(report(&format!("{document}\n")), "");
}

#[test]
fn every_breach_is_reported_at_once() {
    let mut document = valid();
    document["guards"] = json!([]);
    document["stages"][1]["bake_minutes"] = json!(0);
    document["rollback"]["rollbacks_max"] = json!(0);
    insta::assert_snapshot!(report(&document.to_string()), @r"
    guards is 0 long: 1 to 40 alarms guard a service; without one nothing pulls the cord
    stages[1].bake_minutes is 0: a stage is watched for 1 to 10080 minutes: CloudWatch's periods are a minute long
    rollback.rollbacks_max is 0: between 1 and 100
    ");
}

/// `UPDATE_SCHEMA=1 cargo test -p ripcord-tests schema` writes the file anew.
#[test]
fn the_committed_schema_is_the_one_that_the_types_make() {
    let path = root().join("shared/schema/registration.schema.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &current).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "{} is not current: run this test with UPDATE_SCHEMA=1", path.display());
}

#[test]
fn the_document_in_the_guide_is_valid() {
    let guide = fs::read_to_string(root().join("docs/releases.md")).unwrap();
    let document = guide.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(report(document), "");
    assert!(Registration::parse(document).unwrap().in_environment("staging").is_ok());
}

#[test]
fn the_schema_knows_every_field_of_the_documents() {
    let example = fs::read_to_string(root().join("examples/checkout/ripcord.json")).unwrap();
    let schema = schema();
    for document in [valid(), serde_json::from_str(&example).unwrap()] {
        assert_eq!(undescribed(&document, &schema, &schema, "document"), Vec::<String>::new());
    }
    let mut unknown = valid();
    unknown["targets"][0]["surprise"] = json!(1);
    unknown["preflight"] = json!({ "smoke": { "payload": { "any": 1 }, "surprise": 1 } });
    unknown["environments"] = json!({ "staging": { "limits": { "surprise": 1 } } });
    let undescribed = undescribed(&unknown, &schema, &schema, "document");
    let expected = ["environments.staging.limits", "preflight.smoke", "targets[0]"];
    let expected = expected.map(|at| format!("document.{at}.surprise"));
    assert_eq!(undescribed.into_iter().collect::<std::collections::BTreeSet<_>>(), expected.into());
}

/// The fields of a document that its schema has no property for. A whole validator would be a large dependency for a
/// schema that is generated from the types; that no field is missing from it can be seen without one.
fn undescribed(value: &Value, node: &Value, schema: &Value, at: &str) -> Vec<String> {
    // What may be left out is its own type or nothing.
    let node = node.pointer("/anyOf/0").unwrap_or(node);
    let node = match node.get("$ref").and_then(Value::as_str) {
        Some(reference) => schema.pointer(reference.trim_start_matches('#')).unwrap(),
        None => node,
    };
    // Of the kinds of target, the one that it says it is.
    let is_of_kind = |kind: &&Value| kind.pointer("/properties/kind/const") == value.get("kind");
    let node = node.get("oneOf").and_then(|kinds| kinds.as_array()?.iter().find(is_of_kind)).unwrap_or(node);
    // Any value at all, such as an event.
    if *node == Value::Bool(true) || node.as_object().is_some_and(|node| !node.contains_key("type")) {
        return Vec::new();
    }
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                let at = format!("{at}.{name}");
                let own = node.pointer(&format!("/properties/{name}"));
                match own.or_else(|| node.get("additionalProperties").filter(|node| node.is_object())) {
                    Some(node) => undescribed(value, node, schema, &at),
                    None => vec![at],
                }
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, value)| undescribed(value, &node["items"], schema, &format!("{at}[{index}]")))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
