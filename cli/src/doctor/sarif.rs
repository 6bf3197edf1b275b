//! A diagnosis as SARIF 2.1.0, which code scanning reads.

use serde_json::{Value, json};

use super::Diagnosis;
use super::document::Place;
use super::finding::{Finding, Severity, Whereabouts};
use super::rules::Rule;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log of one run.
pub(super) fn log(diagnosis: &Diagnosis) -> Value {
    let unreadable = diagnosis.unreadable.iter().map(|unreadable| {
        json!({
            "level": "error",
            "message": { "text": unreadable.error.to_string() },
            "locations": [location(&unreadable.file.display().to_string(), unreadable.error.at)],
        })
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "ripcord doctor",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": Rule::EVERY.iter().map(rule).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": diagnosis.unreadable.is_empty(),
                "toolExecutionNotifications": unreadable.collect::<Vec<_>>(),
            }],
            "results": diagnosis.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id(),
        "shortDescription": { "text": rule.about().title },
        "fullDescription": { "text": rule.about().why },
    })
}

fn result(finding: &Finding) -> Value {
    let index = Rule::EVERY.iter().position(|rule| *rule == finding.rule).unwrap_or_default();
    let mut result = json!({
        "ruleId": finding.rule.id(),
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": format!("{}\n\nMend:\n{}", finding.message, finding.mend) },
    });
    let location = match &finding.place {
        Whereabouts::Template { file, at, resource, property } => {
            let mut location = location(&file.display().to_string(), Some(*at));
            let path =
                property.as_ref().map_or_else(|| resource.clone(), |path| format!("{resource}.{path}"));
            location["logicalLocations"] = json!([{ "name": resource, "fullyQualifiedName": path }]);
            location
        }
        Whereabouts::Account { service, subject } => json!({
            "logicalLocations": [{ "name": subject, "fullyQualifiedName": format!("{service}/{subject}") }],
        }),
    };
    result["locations"] = json!([location]);
    result
}

fn location(file: &str, at: Option<Place>) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(file) } });
    if let Some(Place { line, column }) = at {
        physical["region"] = json!({ "startLine": line, "startColumn": column });
    }
    json!({ "physicalLocation": physical })
}

/// A relative reference: what a URI gives a meaning of its own is escaped.
fn uri(file: &str) -> String {
    let mut uri = String::new();
    for byte in file.trim_start_matches("./").bytes() {
        match byte {
            b'\\' => uri.push('/'),
            b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
