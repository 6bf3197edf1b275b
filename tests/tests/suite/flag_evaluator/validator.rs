//! The validator of a profile.

use aws_smithy_types::base64;
use flag_evaluator::{Accepted, validate};
use serde_json::{Value, json};

use super::DOCUMENT;

fn event(content: &str) -> Value {
    json!({
        "applicationId": "ab12cd3",
        "configurationProfileId": "ij78kl9",
        "configurationVersion": "7",
        "content": content,
        "uri": "hosted",
    })
}

/// An event as AppConfig makes it of a document.
fn with(document: &str) -> Value {
    event(&base64::encode(document))
}

#[test]
fn a_valid_document_is_accepted_with_what_was_looked_at() {
    let accepted = validate(&with(DOCUMENT)).unwrap();
    assert_eq!(accepted, Accepted { flags: 2, version: Some("7".to_owned()) });
}

#[test]
fn an_invalid_document_fails_with_every_problems_path_and_rule() {
    let rejected = validate(&with(
        r#"{"version": 1, "flags": {
            "a": {"enabled": "yes", "rollout_percentage": 100.5},
            "b": {"enabled": true, "rollout_percentage": 0, "rules": [{"attribute": "x", "operator": "like", "values": ["y"], "then": {"enabled": true}}]}
        }}"#,
    ))
    .unwrap_err();
    assert_eq!(rejected.error_type, "FlagsInvalid");
    let lines: Vec<&str> = rejected.message.lines().collect();
    for path in ["flags.a.enabled", "flags.a.rollout_percentage", "flags.b.rules[0].operator"] {
        assert!(lines.iter().any(|line| line.starts_with(path)), "{path}: {}", rejected.message);
    }
    assert_eq!(lines.len(), 3, "{}", rejected.message);
}

#[test]
fn what_is_no_event_of_a_validator_is_refused_by_another_name() {
    for (event, part) in [
        (json!({}), "content"),
        (json!(["e30="]), "no object"),
        (json!({ "content": 7 }), "no event"),
        (event("not base64!"), "no base64"),
    ] {
        let rejected = validate(&event).unwrap_err();
        assert_eq!(rejected.error_type, "EventUnreadable");
        assert!(rejected.message.contains(part), "{}", rejected.message);
    }
}

#[test]
fn a_document_that_is_no_text_or_empty_is_rejected_and_not_a_crash() {
    for content in ["", "/////w==", "AAAA"] {
        assert_eq!(validate(&event(content)).unwrap_err().error_type, "FlagsInvalid", "{content}");
    }
}
