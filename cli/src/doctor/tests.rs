//! Every rule on a template that it is about, and on the same one mended; and every template of this repository.

use super::*;
use clap::ValueEnum;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn fixture(rule: Rule, which: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor/rules").join(rule.id());
    std::fs::read_to_string(folder.join(format!("{which}.yaml"))).expect("every rule has its templates")
}

fn of_templates() -> impl Iterator<Item = Rule> {
    Rule::EVERY.into_iter().filter(|rule| matches!(rule.scope(), Scope::Template(_)))
}

/// What is found in a template, in words, without colours.
fn diagnose(text: &str, parameters: &[(&str, &str)]) -> (Diagnosis, String) {
    let parameters = parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let file = Path::new("template.yaml");
    let findings = examine(file, text, &parameters).expect("a template");
    let diagnosis =
        Diagnosis { looked_at: vec!["template.yaml".to_owned()], findings, unreadable: Vec::new() };
    let words = anstream::adapter::strip_str(&diagnosis.to_string()).to_string();
    (diagnosis, words)
}

/// Exactly these findings, as rule and line.
#[track_caller]
fn check(text: &str, expected: &[(Rule, Severity)]) -> String {
    let (diagnosis, words) = diagnose(text, &[]);
    let found: Vec<_> = diagnosis.findings.iter().map(|finding| (finding.rule, finding.severity)).collect();
    assert_eq!(found, expected, "{words}");
    words
}

#[test]
fn each_rule_finds_its_bad_template_and_nothing_else() {
    for rule in of_templates() {
        let (diagnosis, words) = diagnose(&fixture(rule, "bad"), &[]);
        assert!(!diagnosis.findings.is_empty(), "{rule} finds nothing");
        assert!(diagnosis.findings.iter().all(|finding| finding.rule == rule), "{rule}: {words}");
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(rule.id(), words);
        });
    }
}

#[test]
fn no_rule_finds_anything_once_it_is_mended() {
    for rule in of_templates() {
        let (diagnosis, words) = diagnose(&fixture(rule, "good"), &[]);
        assert!(diagnosis.findings.is_empty(), "{rule}: {words}");
    }
}

#[test]
fn a_rule_is_known_by_one_name_everywhere() {
    for rule in Rule::EVERY {
        assert_eq!(rule.id().parse(), Ok(rule));
        assert_eq!(serde_json::json!(rule), rule.id());
        let value = rule.to_possible_value().expect("a value");
        assert_eq!(value.get_name(), rule.id());
    }
    assert_eq!(Rule::value_variants(), Rule::EVERY);
}
