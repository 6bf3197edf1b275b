//! The document of feature flags: its JSON Schema says what the reader says, and the documentation what both do.

use std::fs;
use std::path::{Path, PathBuf};

use ripcord::flags::{Draw, Flags, Operator, schema};
use serde_json::{Value, json};

/// AppConfig takes no longer a schema for a validator.
const SCHEMA_BYTES_MAX: usize = 32_768;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn guide() -> String {
    fs::read_to_string(root().join("docs/flags.md")).unwrap()
}

/// The guide's code blocks of JSON that hold whole documents.
fn documents_of_the_guide() -> Vec<Value> {
    let guide = guide();
    let blocks = guide.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .map(|block| serde_json::from_str::<Value>(block).unwrap())
        .filter(|value| value.get("version").is_some())
        .collect()
}

fn with_flag(flag: &Value) -> Value {
    json!({ "version": 1, "flags": { "f": flag } })
}

fn with_rule(rule: &Value) -> Value {
    with_flag(&json!({ "enabled": true, "rules": [rule], "rollout_percentage": 0 }))
}

fn with_values(operator: &str, values: &Value) -> Value {
    with_rule(&json!({ "attribute": "a", "operator": operator, "values": values }))
}

/// `UPDATE_SCHEMA=1` writes the file anew.
#[test]
fn the_committed_schema_of_flags_is_the_one_that_the_core_makes() {
    let path = root().join("shared/schema/flags.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap())).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    // In which order the fields stand depends on who else is built with this.
    let current: Option<Value> = serde_json::from_str(&committed).ok();
    assert!(
        current == Some(schema()),
        "{} is not current: run this test with UPDATE_SCHEMA=1",
        path.display()
    );
    assert!(committed.len() <= SCHEMA_BYTES_MAX, "it has {} bytes", committed.len());
}

#[test]
fn the_schema_is_one_of_draft_4() {
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-04/schema#");
    jsonschema::draft4::meta::validate(&schema).unwrap();
    // What later drafts have, a reader of draft 4 passes over in silence.
    let text = schema.to_string();
    for later in ["const", "if", "then", "else", "contains", "propertyNames", "examples", "$defs", "$id"] {
        let as_keyword = format!("\"{later}\":");
        let known = if later == "then" { 2 } else { 0 };
        assert_eq!(text.matches(&as_keyword).count(), known, "{later}");
    }
}

#[test]
fn what_is_read_is_valid_by_the_schema_too() {
    let validator = jsonschema::draft4::new(&schema()).unwrap();
    let mut documents = documents_of_the_guide();
    assert!(documents.len() >= 2, "the guide shows documents");
    documents.push(json!({ "$schema": "flags.schema.json", "version": 1.0, "flags": {} }));
    let example = fs::read_to_string(root().join("examples/flags/flags.json")).unwrap();
    documents.push(serde_json::from_str(&example).unwrap());
    for (operator, values) in [
        ("equals", json!(["x"])),
        ("not_equals", json!([1.5])),
        ("in", json!(["x", 1, true])),
        ("not_in", json!([false])),
        ("contains", json!(["x", "y"])),
        ("starts_with", json!(["x"])),
        ("ends_with", json!(["x"])),
        ("greater", json!([18])),
        ("greater", json!(["1.0.0-alpha.1+build.5"])),
        ("less", json!(["2.10.0"])),
        ("exists", json!([])),
        ("exists", json!([false])),
        ("percentage", json!([0.01])),
    ] {
        documents.push(with_values(operator, &values));
    }
    let asked = |operator: &Operator| documents.iter().any(|one| one.to_string().contains(operator.name()));
    assert!(Operator::ALL.iter().all(asked), "every operator is tried");
    documents
        .push(with_rule(&json!({ "attribute": "a", "operator": "exists", "then": { "percentage": 10 } })));
    documents.push(with_flag(&json!({ "enabled": true, "default": { "enabled": true } })));
    for document in documents {
        let text = document.to_string();
        assert_eq!(Flags::read(text.as_bytes()).map(|_| ()), Ok(()), "{text}");
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_a_schema_can_say_is_refused_by_both() {
    let validator = jsonschema::draft4::new(&schema()).unwrap();
    let on = |fields: Value| {
        let mut flag = json!({ "enabled": true });
        flag.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        with_flag(&flag)
    };
    let mut documents = vec![
        json!([]),
        json!({ "version": 1 }),
        json!({ "flags": {} }),
        json!({ "version": 2, "flags": {} }),
        json!({ "version": "1", "flags": {} }),
        json!({ "version": 1, "flags": {}, "values": {} }),
        json!({ "version": 1, "flags": { "a b": { "enabled": true } } }),
        json!({ "version": 1, "flags": { "k".repeat(65): { "enabled": true } } }),
        with_flag(&json!({})),
        with_flag(&json!(true)),
        on(json!({ "enabled": "true" })),
        on(json!({ "rollout": 25 })),
        on(json!({ "rollout_percentage": -1 })),
        on(json!({ "rollout_percentage": 100.5 })),
        on(json!({ "rollout_percentage": "25" })),
        on(json!({ "allowlist": ["u"] })),
        on(json!({ "allowlist": [1], "rollout_percentage": 0 })),
        on(json!({ "allowlist": [""], "rollout_percentage": 0 })),
        on(json!({ "rules": [] })),
        on(json!({ "subject": "" })),
        on(json!({ "owner": "o".repeat(1025) })),
        on(json!({ "variants": [] })),
        on(json!({ "variants": [{ "name": "a" }] })),
        on(json!({ "variants": [{ "name": "a", "weight": 101 }] })),
        on(json!({ "variants": [{ "name": "a", "weight": 100 }], "default": { "enabled": true } })),
        on(json!({ "default": {} })),
        on(json!({ "default": { "enabled": false, "percentage": 1 } })),
        on(json!({ "prerequisites": ["a"] })),
        on(json!({ "prerequisites": vec![json!({ "flag": "f" }); 9] })),
        with_rule(&json!({ "operator": "exists" })),
        with_rule(&json!({ "attribute": "a" })),
        with_rule(&json!({ "attribute": "a", "operator": "exists", "when": 1 })),
        with_rule(&json!({ "attribute": "a", "operator": "exists", "then": { "percentage": 101 } })),
        with_rule(
            &json!({ "attribute": "a", "operator": "exists", "then": { "enabled": false, "percentage": 1 } }),
        ),
        with_rule(&json!({ "attribute": "a", "operator": "equals" })),
    ];
    for (operator, values) in [
        ("equal", json!(["x"])),
        ("equals", json!([])),
        ("equals", json!(["x", "y"])),
        ("not_equals", json!([null])),
        ("in", json!([])),
        ("in", json!([["x"]])),
        ("contains", json!([1])),
        ("starts_with", json!([])),
        ("ends_with", json!([""])),
        ("greater", json!(["2.1"])),
        ("greater", json!(["v2.1.0"])),
        ("less", json!(["1.0.0-01"])),
        ("less", json!([true])),
        ("less", json!([1, 2])),
        ("exists", json!(["x"])),
        ("percentage", json!([])),
        ("percentage", json!([100.5])),
        ("percentage", json!(["25"])),
    ] {
        documents.push(with_values(operator, &values));
    }
    for document in documents {
        assert!(Flags::read(document.to_string().as_bytes()).is_err(), "it is read: {document}");
        assert!(!validator.is_valid(&document), "it is valid by the schema: {document}");
    }
}

/// The rows `| flag | subject | bucket | point |` of the guide, which other languages are checked with.
#[test]
fn the_guides_vectors_are_those_of_the_hash() {
    let guide = guide();
    let rows = guide.lines().filter_map(|line| {
        let cells: Vec<&str> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [flag, subject, rollout, variant] = cells.as_slice() else { return None };
        Some((flag.to_string(), subject.to_string(), rollout.parse().ok()?, variant.parse().ok()?))
    });
    let rows: Vec<(String, String, u16, u16)> = rows.collect();
    assert!(rows.len() >= 6, "there are {} vectors", rows.len());
    for (flag, subject, rollout, variant) in rows {
        assert_eq!(Draw::of(&flag, &subject), Draw { rollout, variant }, "{flag} {subject}");
    }
}
