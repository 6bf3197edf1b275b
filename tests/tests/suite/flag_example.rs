//! `examples/flags`: what it deploys is valid, its schema is the core's, and its registration says flags first, alias second.

use std::fs;
use std::path::{Path, PathBuf};

use ripcord::flags::{Flags, schema};
use ripcord::place::Place;
use ripcord::registration::Registration;
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flags").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap()
}

/// What stands between the quotes of the schema's line.
fn schema_line(template: &str) -> Option<&str> {
    template.lines().find_map(|line| line.trim().strip_prefix("Content: '")?.strip_suffix('\''))
}

/// `UPDATE_SCHEMA=1` writes it anew.
#[test]
fn the_profile_of_the_example_is_validated_by_the_schema_that_the_core_makes() {
    let template = text("template.yaml");
    let committed = schema_line(&template).expect("the template has a schema");
    let current = schema().to_string().replace('\'', "''");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(file("template.yaml"), template.replace(committed, &current)).unwrap();
        return;
    }
    let unquoted: Value = serde_json::from_str(&committed.replace("''", "'")).unwrap();
    assert_eq!(unquoted, schema(), "run this test with UPDATE_SCHEMA=1");
}

#[test]
fn the_documents_of_the_example_are_valid() {
    let whole = Flags::read(text("flags.json").as_bytes()).unwrap_or_else(|invalid| panic!("{invalid}"));
    assert!(whole.get("new-search").is_some());
    let template = text("template.yaml");
    let (_, first) = template.split_once("Content: |\n").expect("the first document");
    let (first, _) = first.split_once("\n\n").expect("its end");
    let first = Flags::read(first.as_bytes()).unwrap_or_else(|invalid| panic!("{invalid}"));
    assert!(!first.get("new-search").unwrap().is_enabled(), "nothing is on before somebody switches it on");
}

#[test]
fn the_example_puts_its_flags_back_before_its_alias() {
    let registration = Registration::parse(&text("ripcord.json")).unwrap();
    let mut targets = registration.targets;
    targets.sort_by_key(|target| target.turn);
    let [flags, alias] = targets.as_slice() else { panic!("{targets:?}") };
    assert!(flags.turn < alias.turn);
    let Place::Configuration(profile) = &flags.place else { panic!("{flags:?}") };
    assert!(profile.strategy.is_some() && profile.strategy_back.is_some());
    assert!(alias.lambda().is_some());
}
