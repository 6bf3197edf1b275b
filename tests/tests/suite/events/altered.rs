//! Events that are arbitrary, or that lack or changed a field: whatever arrives is read as something, nothing panics, and
//! what nobody reads changes nothing.

use proptest::prelude::*;
use ripcord::signal::{Reading, Signal};
use serde_json::{Map, Value, json};

use super::{files, readings};

/// One step down into an event. Messages are JSON inside JSON texts, and the fields in there are fields too.
#[derive(Clone, Debug, PartialEq)]
enum Down {
    Key(String),
    Index(usize),
    IntoText,
}

/// The fields that make an alarm what it is, as paths; `!` goes into a JSON text. Anything else may change at will.
const NEEDED: &[(&str, &[&str])] = &[
    ("alarm/", &["alarmArn", "alarmData/state/value", "alarmData/state/timestamp"]),
    (
        "eventbridge/",
        &["source", "detail-type", "resources/0", "detail/state/value", "detail/state/timestamp"],
    ),
    (
        "sns/",
        &[
            "Records/0/Sns/Message/!/AlarmArn",
            "Records/0/Sns/Message/!/NewStateValue",
            "Records/0/Sns/Message/!/StateChangeTime",
        ],
    ),
    (
        "sqs/sns-one-record",
        &[
            "Records/0/eventSource",
            "Records/0/body/!/Message/!/AlarmArn",
            "Records/0/body/!/Message/!/NewStateValue",
            "Records/0/body/!/Message/!/StateChangeTime",
        ],
    ),
    (
        "sqs/sns-raw-delivery",
        &[
            "Records/0/eventSource",
            "Records/0/body/!/AlarmArn",
            "Records/0/body/!/NewStateValue",
            "Records/0/body/!/StateChangeTime",
        ],
    ),
    (
        "sqs/direct-alarm",
        &[
            "Records/0/eventSource",
            "Records/0/body/!/alarmArn",
            "Records/0/body/!/alarmData/state/value",
            "Records/0/body/!/alarmData/state/timestamp",
        ],
    ),
    (
        "sqs/failed-signal-redriven",
        &[
            "Records/0/eventSource",
            "Records/0/body/!/requestContext",
            "Records/0/body/!/requestPayload/alarmArn",
            "Records/0/body/!/requestPayload/alarmData/state/value",
            "Records/0/body/!/requestPayload/alarmData/state/timestamp",
        ],
    ),
    (
        "sqs/eventbridge-alarm",
        &[
            "Records/0/eventSource",
            "Records/0/body/!/source",
            "Records/0/body/!/detail-type",
            "Records/0/body/!/resources/0",
            "Records/0/body/!/detail/state/value",
            "Records/0/body/!/detail/state/timestamp",
        ],
    ),
];

/// A realistic event with exactly one alarm in it, and the paths of the fields that it needs.
#[derive(Clone, Debug)]
struct Sample {
    name: String,
    event: Value,
    needed: Vec<Vec<Down>>,
    paths: Vec<Vec<Down>>,
}

fn samples() -> Vec<Sample> {
    files()
        .into_iter()
        .filter(|(_, event)| alarm_in(event).is_some())
        .filter_map(|(name, event)| {
            let (_, needed) = NEEDED.iter().find(|(prefix, _)| name.starts_with(prefix))?;
            let needed = needed.iter().map(|path| path.split('/').map(down).collect()).collect();
            let mut paths = Vec::new();
            collect_paths(&event, &mut Vec::new(), &mut paths);
            Some(Sample { name, event, needed, paths })
        })
        .collect()
}

fn down(step: &str) -> Down {
    match (step, step.parse()) {
        ("!", _) => Down::IntoText,
        (_, Ok(index)) => Down::Index(index),
        (key, Err(_)) => Down::Key(key.to_owned()),
    }
}

/// Which alarm, which state, since when; only of events with one reading.
fn alarm_in(event: &Value) -> Option<(String, String)> {
    match readings(event).as_slice() {
        [Reading::Signal(signal)] => match &**signal {
            Signal::Alarm(alarm) => {
                Some((alarm.alarm.to_string(), format!("{:?} since {}", alarm.state, alarm.changed_at)))
            }
            Signal::Operator(_) | Signal::Pipeline(_) | Signal::Deployment(_) | Signal::Arrival(_) => None,
        },
        _ => None,
    }
}

fn collect_paths(value: &Value, at: &mut Vec<Down>, paths: &mut Vec<Vec<Down>>) {
    let mut visit = |step: Down, value: &Value| {
        at.push(step);
        if at.last() != Some(&Down::IntoText) {
            paths.push(at.clone());
        }
        collect_paths(value, at, paths);
        at.pop();
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| visit(Down::Key(key.clone()), value)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| visit(Down::Index(index), value));
        }
        Value::String(text) => {
            if let Some(inner) = embedded(text) {
                visit(Down::IntoText, &inner);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn embedded(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(text).ok().filter(Value::is_object)
}

/// Removes what lies at a path, or puts something else there.
fn alter(value: &mut Value, path: &[Down], by: Option<&Value>) {
    match (path, value) {
        ([Down::Key(key)], Value::Object(fields)) => match by {
            Some(by) => {
                fields.insert(key.clone(), by.clone());
            }
            None => {
                fields.remove(key);
            }
        },
        ([Down::Index(index)], Value::Array(items)) => match by {
            Some(by) => items[*index] = by.clone(),
            None => {
                items.remove(*index);
            }
        },
        ([Down::Key(key), rest @ ..], Value::Object(fields)) => alter(&mut fields[key], rest, by),
        ([Down::Index(index), rest @ ..], Value::Array(items)) => alter(&mut items[*index], rest, by),
        ([Down::IntoText, rest @ ..], Value::String(text)) => {
            let mut inner = embedded(text).unwrap();
            alter(&mut inner, rest, by);
            *text = inner.to_string();
        }
        (path, value) => panic!("no {path:?} in {value}"),
    }
}

/// Whether altering what lies at a path touches something that is needed.
fn is_needed(sample: &Sample, path: &[Down]) -> bool {
    sample.needed.iter().any(|needed| needed.starts_with(path) || path.starts_with(needed))
}

#[test]
fn the_paths_of_the_needed_fields_exist_in_every_sample() {
    let samples = samples();
    assert!(samples.len() > 20, "only {} samples", samples.len());
    for sample in &samples {
        for needed in &sample.needed {
            assert!(sample.paths.contains(needed), "{}: {needed:?}", sample.name);
        }
    }
}

#[test]
fn no_field_that_is_not_needed_is_missed_when_it_is_gone() {
    for sample in samples() {
        for path in sample.paths.iter().filter(|path| !is_needed(&sample, path)) {
            let mut event = sample.event.clone();
            alter(&mut event, path, None);
            assert_eq!(alarm_in(&event), alarm_in(&sample.event), "{} without {path:?}", sample.name);
        }
    }
}

#[test]
fn a_signal_that_lost_a_field_is_never_taken_for_foreign() {
    for sample in samples() {
        for path in &sample.paths {
            let mut event = sample.event.clone();
            alter(&mut event, path, None);
            for reading in readings(&event) {
                if let Reading::Foreign(what) = reading {
                    panic!("{} without {path:?} would be ignored as {what}", sample.name);
                }
            }
        }
    }
}

/// Any JSON, with a liking for the names and values that the reader looks for.
fn any_json() -> impl Strategy<Value = Value> {
    let known = prop::sample::select(vec![
        "ALARM",
        "OK",
        "aws:sqs",
        "aws.cloudwatch",
        "CloudWatch Alarm State Change",
        "rollback",
        "checkout",
        "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-errors",
        "2026-03-02T10:15:34.066+0000",
        "{}",
        "[]",
        "{\"AlarmName\":1}",
        "{\"Message\":\"{}\",\"TopicArn\":\"t\"}",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        known.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        let key = prop_oneof![
            4 => prop::sample::select(vec![
                "Records", "Sns", "Message", "TopicArn", "Type", "body", "eventSource", "alarmData", "alarmArn",
                "state", "value", "timestamp", "AlarmName", "AlarmArn", "NewStateValue", "StateChangeTime",
                "detail-type", "detail", "source", "resources", "command", "service", "to", "requested_at",
            ]).prop_map(str::to_owned),
            1 => ".{0,8}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner.clone()), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_json_at_all_is_read_as_something(event in any_json()) {
        prop_assert!(!readings(&event).is_empty());
    }

    #[test]
    fn an_altered_event_is_read_as_something_and_unread_fields_change_nothing(
        sample in prop::sample::select(samples()),
        at in any::<prop::sample::Index>(),
        by in prop::option::of(any_json()),
    ) {
        let path = at.get(&sample.paths);
        let mut event = sample.event.clone();
        alter(&mut event, path, by.as_ref());
        prop_assert!(!readings(&event).is_empty());
        if !is_needed(&sample, path) {
            prop_assert_eq!(alarm_in(&event), alarm_in(&sample.event));
        }
    }
}
