//! Which documents are refused, with the place and the rule.

use serde_json::{Value, json};

use crate::experiment::document::{Effect, Experiment};

fn valid() -> Value {
    json!({
        "name": "green button", "planned_subjects": 20_000,
        "arms": [{"name": "control", "share": 50}, {"name": "green", "key": "B", "share": 50}],
        "metrics": [
            {"name": "bought", "kind": "conversion", "direction": "higher", "column": "bought"},
            {"name": "errors", "kind": "mean", "direction": "lower", "column": "errors", "role": "guardrail", "not_worse_by": "0.2"},
        ],
        "data": {"layout": "subjects", "arm": "arm"},
    })
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), field: &str, rule: &str) {
    let mut document = valid();
    change(&mut document);
    let violations = Experiment::parse(&document.to_string()).expect_err("it is not valid");
    let found = violations.iter().any(|violation| violation.field == field && violation.rule.contains(rule));
    assert!(found, "{violations:?}");
}

fn cloudwatch() -> Value {
    let counter = |metric: &str| {
        json!({"namespace": "AWS/Lambda", "metric": metric,
        "dimensions": {"FunctionName": "checkout", "Resource": "checkout:live", "ExecutedVersion": "{arm}"}})
    };
    json!({
        "name": "version 8", "planned_subjects": 20_000,
        "arms": [{"name": "stable", "key": "7", "share": 80}, {"name": "candidate", "key": "8", "share": 20}],
        "metrics": [{"name": "errors", "kind": "conversion", "direction": "lower", "counter": counter("Errors")}],
        "data": {"layout": "cloudwatch", "from": "2026-03-02T00:00:00Z", "to": "2026-03-09T00:00:00Z",
            "subjects": counter("Invocations")},
    })
}

#[test]
fn whole_documents_are_read() {
    let experiment = Experiment::parse(&valid().to_string()).expect("valid");
    assert_eq!(experiment.arms[0].key(), "control");
    assert_eq!(experiment.arms[1].key(), "B");
    assert_eq!((experiment.alpha.get(), experiment.deciding()), (0.05, 1));
    Experiment::parse(&cloudwatch().to_string()).expect("valid");
}

#[test]
fn every_rule_names_its_field() {
    refused(|d| d["name"] = json!(" "), "name", "must not be empty");
    refused(|d| d["arms"] = json!([{"name": "one", "share": 1}]), "arms", "must be 2 to 10");
    refused(|d| d["arms"][1]["name"] = json!("control"), "arms[1].name", "another arm's");
    refused(|d| d["arms"][1]["key"] = json!("control"), "arms[1].key", "another arm's");
    refused(|d| d["arms"][1]["share"] = json!(0), "arms[1].share", "more than 0");
    refused(|d| d["arms"][1]["share"] = json!(-5), "arms[1].share", "more than 0");
    refused(|d| d["metrics"] = json!([]), "metrics", "must be 1 to 50");
    refused(|d| d["metrics"][0]["role"] = json!("exploratory"), "metrics", "one at least must be primary");
    refused(|d| d["metrics"][1]["name"] = json!("bought"), "metrics[1].name", "another metric's");
    refused(|d| d["metrics"][0]["direction"] = Value::Null, "metrics[0].direction", "higher or lower");
    refused(|d| d["metrics"][0]["kind"] = json!("category"), "metrics[0].direction", "a category has none");
    refused(|d| d["metrics"][0]["column"] = Value::Null, "metrics[0].column", "must name a column");
    refused(|d| d["metrics"][1]["not_worse_by"] = Value::Null, "metrics[1].not_worse_by", "how much worse");
    refused(|d| d["metrics"][1]["not_worse_by"] = json!("1pp"), "metrics[1].not_worse_by", "for a mean");
    refused(|d| d["metrics"][1]["not_worse_by"] = json!("-3"), "metrics[1].not_worse_by", "more than 0");
    refused(
        |d| d["metrics"][0]["not_worse_by"] = json!("1pp"),
        "metrics[0].not_worse_by",
        "belongs to a guardrail",
    );
    refused(|d| d["metrics"][1]["not_worse_by"] = json!("much"), "metrics[1].not_worse_by", "is no effect");
    refused(|d| d["planned_subjects"] = json!(0), "planned_subjects", "ripcord experiment plan");
    refused(|d| d["alpha"] = json!(0.3), "alpha", "0.2 at most");
    refused(|d| d["alpha"] = json!(0), "alpha", "not between 0 and 1");
    refused(|d| d["winner"] = json!("green"), "winner", "unknown field");
    refused(|d| d["data"]["layout"] = json!("excel"), "data.layout", "unknown variant");
}

#[test]
fn what_a_row_for_each_arm_cannot_hold_is_refused() {
    let counts = |d: &mut Value| d["data"] = json!({"layout": "counts", "arm": "arm", "subjects": "n"});
    refused(counts, "metrics[1].deviation", "standard deviation");
    refused(
        |d| {
            counts(d);
            d["metrics"][0]["kind"] = json!("rank");
        },
        "metrics[0].kind",
        "needs a row for each subject",
    );
    refused(
        |d| {
            counts(d);
            d["metrics"][0] = json!({"name": "plan", "kind": "category", "categories": ["free"]});
        },
        "metrics[0].categories",
        "two columns",
    );
}

#[test]
fn what_cloudwatch_cannot_answer_is_refused() {
    let from = |change: fn(&mut Value)| {
        move |d: &mut Value| {
            *d = cloudwatch();
            change(d);
        }
    };
    refused(from(|d| d["data"]["to"] = json!("2026-03-09T00:30:00Z")), "data.to", "whole hours");
    refused(from(|d| d["data"]["to"] = json!("2026-03-02T00:00:00Z")), "data.to", "hours after");
    refused(from(|d| d["data"]["to"] = json!("2028-03-02T00:00:00Z")), "data.to", "hours after");
    refused(from(|d| d["data"]["subjects"]["dimensions"] = json!({})), "data.subjects.dimensions", "{arm}");
    refused(
        from(|d| d["metrics"][0]["counter"]["dimensions"] = json!({})),
        "metrics[0].counter.dimensions",
        "{arm}",
    );
    refused(from(|d| d["metrics"][0]["counter"] = Value::Null), "metrics[0].counter", "counts successes");
    refused(from(|d| d["metrics"][0]["kind"] = json!("mean")), "metrics[0].kind", "CloudWatch keeps sums");
}

#[test]
fn what_is_no_document_is_refused() {
    for text in ["", "{", "[]", "null", "{}", "{} {}"] {
        assert!(Experiment::parse(text).is_err(), "{text}");
    }
    assert!(Experiment::parse(&format!("{} {}", valid(), valid())).is_err());
}

#[test]
fn effects_are_read_and_written_alike() {
    for (text, effect) in [
        ("0.5pp", Effect::Points(0.005)),
        ("10%", Effect::Relative(0.1)),
        ("1.5", Effect::Absolute(1.5)),
        ("-3%", Effect::Relative(-0.03)),
    ] {
        assert_eq!(text.parse::<Effect>(), Ok(effect));
        assert_eq!(effect.to_string(), text);
    }
    for text in ["", "pp", "%", "ten", "NaN", "inf%", "1 2"] {
        assert!(text.parse::<Effect>().is_err(), "{text}");
    }
}
