//! What people look at stands on what is published: dashboards, alarms and saved queries name only metrics and fields that the
//! functions really print, and the alarms' own expressions fire where they must and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use alarm_rollback::Answer;
use jiff::{SignedDuration, Timestamp};
use ripcord::metrics::{Metric, emf_line};
use ripcord::names::Weight;
use ripcord::release::{Commit, Phase};
use ripcord::timeline::What;
use ripcord_rehearsal::alarms::definition::{AlarmDefinition, AlarmKind, MetricId};
use ripcord_rehearsal::alarms::evaluate::{AlarmState, evaluate};
use ripcord_rehearsal::alarms::metrics::MetricStore;
use saphyr::Yaml;
use serde_json::{Value, json};

use crate::template::{get, plain, with_template};

const NAMESPACE: &str = "ripcord/Deployments";

/// A resource's properties as CloudFormation would have them for the project `ripcord`, with every reference a text.
fn resolved(node: &Yaml<'_>) -> Value {
    let node = plain(node);
    if let Yaml::Mapping(fields) = node {
        let field =
            |(key, value): (&Yaml<'_>, &Yaml<'_>)| (key.as_str().unwrap().to_owned(), resolved(value));
        return Value::Object(fields.iter().map(field).collect());
    }
    if let Yaml::Sequence(items) = node {
        return Value::Array(items.iter().map(resolved).collect());
    }
    match (node.as_str(), node.as_integer(), node.as_bool()) {
        (Some(text), _, _) => json!(text.replace("${Project}", "ripcord")),
        (_, Some(number), _) => json!(number),
        (_, _, Some(truth)) => json!(truth),
        (None, None, None) => Value::Null,
    }
}

/// The properties of every resource of a type, by its logical name.
fn resources(of: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    with_template(|resources| {
        let Yaml::Mapping(fields) = resources else { panic!("resources are a mapping") };
        for (name, resource) in fields {
            if get(resource, "Type").and_then(|it| it.as_str()) == Some(of) {
                found.insert(
                    name.as_str().unwrap().to_owned(),
                    resolved(get(resource, "Properties").unwrap()),
                );
            }
        }
    });
    found
}

fn dashboards() -> BTreeMap<String, Value> {
    let dashboards = resources("AWS::CloudWatch::Dashboard");
    let read = |(name, properties): (String, Value)| {
        let body = properties["DashboardBody"].as_str().unwrap().to_owned();
        (name.clone(), serde_json::from_str(&body).unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    dashboards.into_iter().map(read).collect()
}

/// The metrics of our namespace that a widget names, with CloudWatch's shorthand written out.
fn metrics_of(widget: &Value) -> BTreeSet<String> {
    let (mut named, mut above) = (BTreeSet::new(), (String::new(), String::new()));
    for line in widget["properties"]["metrics"].as_array().into_iter().flatten() {
        let line = line.as_array().unwrap();
        if let Some(expression) = line[0].get("expression").and_then(Value::as_str) {
            assert!(
                !expression.contains("SEARCH")
                    || expression.contains(&format!("'{{\"{NAMESPACE}\",Service}}")),
                "{expression}"
            );
            let searched = expression.split("MetricName=\"").skip(1);
            named.extend(searched.map(|rest| rest.split('"').next().unwrap().to_owned()));
            continue;
        }
        let names: Vec<&str> = line.iter().filter_map(Value::as_str).collect();
        match names.as_slice() {
            ["..."] => {}
            [".", name] => above.1 = (*name).to_owned(),
            [namespace, name] => above = ((*namespace).to_owned(), (*name).to_owned()),
            other => panic!("{other:?} has dimensions, or is no metric"),
        }
        assert_eq!(above.0, NAMESPACE, "{line:?}");
        named.insert(above.1.clone());
    }
    named
}

fn published() -> BTreeSet<String> {
    Metric::NAMES.into_iter().map(str::to_owned).collect()
}

#[test]
fn dashboards_name_only_metrics_that_are_published() {
    for (name, dashboard) in dashboards() {
        let widgets = dashboard["widgets"].as_array().unwrap();
        let named: BTreeSet<String> = widgets.iter().flat_map(metrics_of).collect();
        assert!(!named.is_empty() && named.is_subset(&published()), "{name}: {named:?}");
    }
}

#[test]
fn the_dashboards_show_what_they_are_for() {
    let dashboards = dashboards();
    let shown = |name: &str| -> BTreeSet<String> {
        dashboards[name]["widgets"].as_array().unwrap().iter().flat_map(metrics_of).collect()
    };
    let names =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let four_keys = names(&["SuccessfulDeployments", "FailedDeployments", "LeadTime", "RollbackTime"]);
    assert_eq!(shown("DoraDashboard"), four_keys);
    let missing: BTreeSet<String> = published().difference(&shown("OverviewDashboard")).cloned().collect();
    // The total of both is shown as its parts, and the lead time on the other board.
    assert_eq!(missing, names(&["LeadTime", "RollbackCount"]));
}

#[test]
fn widgets_lie_side_by_side() {
    for (name, dashboard) in dashboards() {
        let mut taken = BTreeSet::new();
        for widget in dashboard["widgets"].as_array().unwrap() {
            let at = |field: &str| widget[field].as_u64().unwrap();
            assert!(at("x") + at("width") <= 24, "{name}: {widget}");
            for x in at("x")..at("x") + at("width") {
                for y in at("y")..at("y") + at("height") {
                    assert!(taken.insert((x, y)), "{name}: two widgets at {x}, {y}: {widget}");
                }
            }
        }
    }
}

/// The alarms of the suite that stand on our metrics, as `PutMetricAlarm` is given them.
fn alarms() -> BTreeMap<String, Value> {
    let mut alarms = resources("AWS::CloudWatch::Alarm");
    alarms.retain(|_, alarm| alarm["Namespace"] != json!("AWS/SQS"));
    alarms
}

#[test]
fn alarms_name_only_metrics_that_are_published_and_read_them_without_a_dimension() {
    let alarms = alarms();
    assert_eq!(alarms.len(), 6);
    for (name, alarm) in &alarms {
        let of_math = alarm["Metrics"].as_array().into_iter().flatten();
        let stats = of_math.filter_map(|query| query.pointer("/MetricStat/Metric")).chain([alarm]);
        for metric in stats.filter(|metric| metric.get("MetricName").is_some()) {
            assert_eq!(metric["Namespace"], json!(NAMESPACE), "{name}");
            assert!(published().contains(metric["MetricName"].as_str().unwrap()), "{name}: {metric}");
            assert!(metric.get("Dimensions").is_none(), "{name}: an alarm cannot search for every service");
        }
        assert_eq!(alarm["TreatMissingData"], json!("notBreaching"), "{name}: silence is no alarm");
    }
    let silent: Vec<&String> = alarms
        .iter()
        .filter(|(_, alarm)| alarm.get("AlarmActions").is_none())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(silent, ["ReleaseLong"], "every other one tells people");
}

/// What an alarm says after these values, which all lie in its latest whole period.
#[track_caller]
fn says(alarm: &str, values: &[(&str, &[f64])], expected: AlarmState) {
    let mut document = alarms()[alarm].clone();
    document["AlarmActions"] = json!([]);
    let definition = AlarmDefinition::metric(&document).unwrap();
    let AlarmKind::Metric(metric) = &definition.kind else { panic!("{alarm} is composite") };
    let (store, day) = (MetricStore::default(), SignedDuration::from_hours(24));
    // Midnight: the end of a period of any length.
    let now: Timestamp = "2026-03-03T00:00:00Z".parse().unwrap();
    for (name, values) in values {
        for value in *values {
            store.publish(&MetricId::new(NAMESPACE, name, &[]), now - SignedDuration::from_secs(30), *value);
            // What another day has seen counts no more.
            store.publish(&MetricId::new(NAMESPACE, "FailedDeployments", &[]), now - day * 5, 1.0);
        }
    }
    let evaluation = evaluate(metric, &store, now.as_millisecond(), 1.0);
    assert_eq!(evaluation.state, Some(expected), "{alarm} with {values:?}");
}

const ONCE: [f64; 40] = [1.0; 40];

fn ended(good: usize, bad: usize) -> [(&'static str, &'static [f64]); 2] {
    [("SuccessfulDeployments", &ONCE[..good]), ("FailedDeployments", &ONCE[..bad])]
}

#[test]
fn a_rate_of_failures_fires_past_its_limit_and_not_at_it() {
    for (good, bad, expected) in [
        (4, 1, AlarmState::Alarm),
        (19, 1, AlarmState::Ok),
        // Ten percent is the limit, and more is past it.
        (18, 2, AlarmState::Ok),
        (17, 2, AlarmState::Alarm),
        // One of two says nothing, nor does one of four; five that ended are enough.
        (1, 1, AlarmState::Ok),
        (3, 1, AlarmState::Ok),
        (0, 4, AlarmState::Ok),
        (0, 5, AlarmState::Alarm),
        (5, 0, AlarmState::Ok),
        (0, 0, AlarmState::Ok),
    ] {
        says("ReleasesFailing", &ended(good, bad), expected);
    }
}

#[test]
fn a_rate_of_success_warns_below_its_limit_and_not_at_it() {
    for (good, bad, expected) in [
        (19, 1, AlarmState::Ok),
        (18, 1, AlarmState::Alarm),
        (3, 1, AlarmState::Ok),
        (4, 1, AlarmState::Alarm),
        (5, 0, AlarmState::Ok),
        (0, 0, AlarmState::Ok),
    ] {
        says("ReleasesSucceedTooRarely", &ended(good, bad), expected);
    }
}

#[test]
fn the_other_alarms_fire_past_their_limits_and_not_at_them() {
    for (alarm, metric, at, past) in [
        ("ReleaseTooLong", "DeploymentDuration", &[60.0][..], &[60.1][..]),
        ("ReleaseLong", "DeploymentDuration", &[15.0], &[15.1]),
        ("RollbacksTooMany", "RollbackCount", &[1.0, 1.0], &[1.0, 1.0, 1.0]),
        ("RollbackFailed", "RollbackFailedCount", &[0.0], &[1.0]),
    ] {
        says(alarm, &[(metric, at)], AlarmState::Ok);
        says(alarm, &[(metric, past)], AlarmState::Alarm);
        says(alarm, &[], AlarmState::Ok);
    }
}

/// The fields of a line as Logs Insights finds them: a path of names with dots.
fn fields(prefix: &str, line: &Value, found: &mut BTreeSet<String>) {
    for (name, value) in line.as_object().into_iter().flatten() {
        let name = format!("{prefix}{name}");
        fields(&format!("{name}."), value, found);
        found.insert(name);
    }
}

/// Lines as the functions of each log group print them.
fn lines() -> BTreeMap<&'static str, Vec<Value>> {
    let service = || "checkout".parse().unwrap();
    let at = Timestamp::UNIX_EPOCH;
    let kept = |what: &What| json!({ "level": "info", "message": "kept", "service": "checkout", "moment": "k", "what": what });
    let commit = Commit { id: "0a1b2c3".parse().unwrap(), at: None };
    let recorder = vec![
        serde_json::from_str(&emf_line(NAMESPACE, &service(), &[Metric::DeploymentDurationMinutes(1.0)], at))
            .unwrap(),
        kept(&What::Opened { by: "alice".to_owned(), commit: Some(commit) }),
        kept(&What::Weights { target: "api".parse().unwrap(), weight: Weight::ALL }),
        kept(&What::Phase { phase: Phase::RolledBack, because: Some("it burns".to_owned()) }),
    ];
    let answer = Answer {
        outcome: "restore".to_owned(),
        service: Some(service()),
        reason_kind: Some("alarm".to_owned()),
        reason: "the alarm fired".to_owned(),
    };
    let mut answered = json!({ "level": "info", "message": "the alarm fired" });
    answered.as_object_mut().unwrap().extend(json!(answer).as_object().unwrap().clone());
    let failed = json!({ "level": "error", "message": "no", "error_type": "RollbackFailed" });
    [
        ("/aws/lambda/ripcord-release-recorder", recorder),
        ("/aws/lambda/ripcord-alarm-rollback", vec![answered, failed]),
    ]
    .into()
}

/// The words of a query that are fields: not its commands, its functions, what it compares with, or what it names itself.
fn fields_of(query: &str) -> BTreeSet<String> {
    const GRAMMAR: [&str; 21] = [
        "filter",
        "fields",
        "sort",
        "limit",
        "stats",
        "desc",
        "by",
        "as",
        "and",
        "or",
        "in",
        "ispresent",
        "count",
        "avg",
        "pct",
        "max",
        "releases",
        "minutes",
        "nine_in_ten",
        "longest",
        "*",
    ];
    let mut bare = String::new();
    let mut quote = None;
    for letter in query.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None => bare.push(letter),
        }
    }
    let words = bare.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '@'));
    let is_field = |word: &&str| {
        !word.is_empty() && !word.starts_with('@') && !GRAMMAR.contains(word) && word.parse::<f64>().is_err()
    };
    words.filter(is_field).map(str::to_owned).collect()
}

#[test]
fn saved_queries_ask_for_fields_that_are_printed() {
    let lines = lines();
    let queries = resources("AWS::Logs::QueryDefinition");
    assert_eq!(queries.len(), 4);
    let mut asked: Vec<(String, String, String)> = queries
        .into_iter()
        .map(|(name, query)| {
            let group = query["LogGroupNames"][0].as_str().unwrap().to_owned();
            (name, group, query["QueryString"].as_str().unwrap().to_owned())
        })
        .collect();
    for widget in dashboards()["OverviewDashboard"]["widgets"].as_array().unwrap() {
        if let Some(query) = widget["properties"]["query"].as_str() {
            let (source, query) = query.split_once('|').unwrap();
            let group = source.trim().trim_start_matches("SOURCE '").trim_end_matches('\'');
            asked.push(("the overview's".to_owned(), group.to_owned(), query.to_owned()));
        }
    }
    for (name, group, query) in asked {
        let mut printed = BTreeSet::new();
        lines[group.as_str()].iter().for_each(|line| fields("", line, &mut printed));
        let wanted = fields_of(&query);
        assert!(!wanted.is_empty() && wanted.is_subset(&printed), "{name}: {wanted:?} of {printed:?}");
        // What is compared with is what is written: the phases and kinds by their names.
        for word in query.split('"').skip(1).step_by(2) {
            let all = lines[group.as_str()].iter().map(Value::to_string).collect::<String>();
            let phases = Phase::EVERY.map(|phase| json!(phase).to_string()).concat();
            assert!(
                all.contains(&format!("\"{word}\"")) || phases.contains(&format!("\"{word}\"")),
                "{name}: {word}"
            );
        }
    }
}

#[test]
fn a_phase_is_written_as_the_queries_compare_it() {
    let line = json!(What::Phase { phase: Phase::RollbackFailed, because: None });
    assert_eq!(line, json!({ "kind": "phase", "phase": "rollback_failed" }));
    let source = include_str!("../../../functions/release-recorder/src/stream.rs");
    assert!(
        source.contains("console::record(\"info\", \"kept\""),
        "the lines above are still those that it prints"
    );
}
