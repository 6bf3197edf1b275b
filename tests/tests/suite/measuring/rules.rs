//! The rules for what a registration watches.

use ripcord::registration::Registration;
use serde_json::{Value, json};

fn document(metrics: Value) -> Value {
    json!({
        "service": "checkout",
        "targets": [{ "name": "api", "kind": "lambda_alias", "function": "checkout", "alias": "live" }],
        "guards": [{ "alarm": "errors" }],
        "metrics": metrics,
    })
}

fn said(document: &Value) -> String {
    match Registration::parse(&document.to_string()) {
        Ok(_) => String::new(),
        Err(violations) => violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

/// A check of one metric, or one of an expression, that keeps to the rules.
fn plain() -> Value {
    json!({
        "name": "age",
        "metric": { "namespace": "AWS/SQS", "name": "Age", "stat": "Maximum", "dimensions": { "QueueName": "orders" } },
        "above": 30.0,
    })
}

fn math(expression: &str) -> Value {
    let source = json!({ "namespace": "Checkout", "name": "Refused", "stat": "Sum" });
    json!({
        "name": "refused",
        "expression": expression,
        "inputs": { "refused": source, "all": source },
        "below": 0.5,
    })
}

/// What is wrong with a check once `value` stands at `pointer`.
#[track_caller]
fn check(mut metric: Value, pointer: &str, value: Value, expect: &str) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    metric.pointer_mut(parent).unwrap()[field] = value;
    assert_eq!(said(&document(json!([metric]))), expect, "{pointer}");
}

#[test]
fn a_metric_or_metric_math_with_one_threshold_is_accepted() {
    assert_eq!(said(&document(json!([plain(), math("100 * refused / all")]))), "");
}

#[test]
fn a_check_has_either_a_metric_or_an_expression() {
    let either = "give either a metric or an expression";
    let expect = format!("metrics[0].expression is \"refused\": {either}");
    let mut both = math("refused");
    both["metric"] = plain()["metric"].clone();
    assert_eq!(said(&document(json!([both]))), expect);
    check(plain(), "/metric", Value::Null, &format!("metrics[0].metric is missing: {either}"));
    let inputs = math("refused")["inputs"].clone();
    check(plain(), "/inputs", inputs, "metrics[0].inputs is 2 long: only with an expression");
}

#[test]
fn one_side_of_one_threshold_is_bad() {
    check(plain(), "/above", Value::Null, "metrics[0].above is missing: give either above or below");
    let rule =
        "metrics[0].above is 30, with 1 below: give either above or below: one side of one threshold is bad";
    check(plain(), "/below", json!(1), rule);
}

#[test]
fn bad_minutes_are_counted_among_the_last_sixty() {
    let mut of = plain();
    of["of"] = json!(60);
    check(of.clone(), "/datapoints", json!(60), "");
    check(of.clone(), "/datapoints", json!(61), "metrics[0].datapoints is 61: between 1 and of, which is 60");
    check(of, "/datapoints", json!(0), "metrics[0].datapoints is 0: between 1 and of, which is 60");
    check(plain(), "/of", json!(61), "metrics[0].of is 61: the last 1 to 60 minutes are looked at");
    check(plain(), "/of", json!(0), "metrics[0].of is 0: the last 1 to 60 minutes are looked at");
}

#[test]
fn checks_have_names_of_their_own_and_are_few() {
    let checks = |count: usize| -> Value {
        let check = |index: usize| {
            let mut check = plain();
            check["name"] = json!(format!("age {index}"));
            check
        };
        (0..count).map(check).collect()
    };
    assert_eq!(said(&document(checks(20))), "");
    assert_eq!(said(&document(checks(21))), "metrics is 21 long: at most 20");
    assert_eq!(said(&document(json!([plain(), plain()]))), "metrics[1].name is age: names are unique");
    check(plain(), "/name", json!("x".repeat(64)), "");
    let long = "x".repeat(65);
    check(plain(), "/name", json!(long), &format!("metrics[0].name is {long:?}: 1 to 64 characters"));
    check(plain(), "/name", json!(" "), "metrics[0].name is \" \": 1 to 64 characters");
    let mut queues = document(json!([]));
    queues["dead_letter_queues"] = (0..20).map(|index| json!(format!("q{index}"))).collect();
    assert_eq!(said(&queues), "");
    queues["dead_letter_queues"] = (0..21).map(|index| json!(format!("q{index}"))).collect();
    assert_eq!(said(&queues), "dead_letter_queues is 21 long: at most 20");
}

#[test]
fn an_expression_computes_one_series_of_its_inputs() {
    let expression = |text: &str, expect: &str| check(math("all"), "/expression", json!(text), expect);
    for good in [
        "IF(all >= 10 && all != 0, refused/all, 0)",
        "AVG([refused, all])",
        "FILL(refused, REPEAT)",
        "-all^2",
    ] {
        expression(good, "");
    }
    expression("refused / al", "metrics[0].expression is \"al\": not among its inputs");
    for function in ["METRICS", "SEARCH", "SELECT", "ANOMALY_DETECTION_BAND"] {
        let said = said(&document(json!([math(&format!("{function}(all)"))])));
        let expect = format!(
            "metrics[0].expression is \"{function}\": not a function that makes one series of its inputs: ABS,"
        );
        assert!(said.starts_with(&expect), "{said}");
    }
    expression(
        "all + \"x\"",
        "metrics[0].expression is \"\\\"\": not part of an expression over inputs\nmetrics[0].expression is \"x\": not among its inputs\nmetrics[0].expression is \"\\\"\": not part of an expression over inputs",
    );
    expression("1 + 1", "metrics[0].expression is \"1 + 1\": computes with none of its inputs");
    let long = format!("all{}", "+1".repeat(510));
    expression(&format!("{long}+"), "");
    let longer = format!("{long}+1");
    expression(&longer, &format!("metrics[0].expression is {longer:?}: at most 1024 characters"));
}

#[test]
fn inputs_have_names_that_metric_math_can_use() {
    let source = || json!({ "namespace": "Checkout", "name": "Refused", "stat": "Sum" });
    let longest = "a".repeat(64);
    check(math("all"), &format!("/inputs/{longest}"), source(), "");
    let rule = "a name begins with a small letter and has letters, digits and underscores, 64 at most";
    for odd in ["A", "1a", "a b", "_a", &"a".repeat(65)] {
        let expect = format!("metrics[0].inputs.{odd} is {odd:?}: {rule}");
        check(math("all"), &format!("/inputs/{odd}"), source(), &expect);
    }
    let inputs = |count: usize| -> Value {
        let names = (1..count).map(|index| (format!("i{index}"), source()));
        Value::Object(names.chain([("all".to_owned(), source())]).collect())
    };
    check(math("all"), "/inputs", inputs(10), "");
    check(math("all"), "/inputs", inputs(11), "metrics[0].inputs is 11 long: at most 10");
}

#[test]
fn a_dollar_stands_for_a_version_and_for_nothing_else() {
    let dimension = "/metric/dimensions/QueueName";
    check(plain(), dimension, json!("$candidate"), "");
    check(plain(), dimension, json!("orders-v$stable"), "");
    for odd in ["$canary", "$", "$candidate$"] {
        let rule = "$ begins $candidate or $stable, and stands for nothing else";
        check(
            plain(),
            dimension,
            json!(odd),
            &format!("metrics[0].metric.dimensions.QueueName is {odd:?}: {rule}"),
        );
    }
    check(
        plain(),
        dimension,
        json!(""),
        "metrics[0].metric.dimensions.QueueName is \"\": 1 to 1024 characters",
    );
    let dimensions = |count: usize| -> Value {
        Value::Object((0..count).map(|index| (format!("d{index}"), json!("v"))).collect())
    };
    check(plain(), "/metric/dimensions", dimensions(30), "");
    check(
        plain(),
        "/metric/dimensions",
        dimensions(31),
        "metrics[0].metric.dimensions is 31 long: at most 30",
    );
}

#[test]
fn a_metric_has_a_namespace_a_name_and_a_statistic_that_exists() {
    check(
        plain(),
        "/metric/namespace",
        json!(""),
        "metrics[0].metric.namespace is \"\": 1 to 255 characters",
    );
    check(plain(), "/metric/name", json!(""), "metrics[0].metric.name is \"\": 1 to 255 characters");
    for stat in [
        "Sum",
        "Average",
        "Minimum",
        "Maximum",
        "SampleCount",
        "IQM",
        "p99",
        "p99.9",
        "p100",
        "tm90",
        "wm98",
        "tc90",
        "ts90",
        "TM(2%:98%)",
        "TC(:200)",
        "PR(100:)",
        "TS(80%:)",
        "WM(10:20.5)",
    ] {
        check(plain(), "/metric/stat", json!(stat), "");
    }
    let rule = "a statistic of CloudWatch's: Sum, Average, Minimum, Maximum, SampleCount, IQM, p99, tm99, TC(:200), PR(:200) …";
    for odd in
        ["", "sum", "p", "p101", "p-1", "p9e1", "TC()", "TC(:)", "TC(200)", "TC(a:b)", "TC(:200", "XX(:1)"]
    {
        check(plain(), "/metric/stat", json!(odd), &format!("metrics[0].metric.stat is {odd:?}: {rule}"));
    }
}
