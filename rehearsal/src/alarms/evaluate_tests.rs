//! The tables of CloudWatch's documentation on missing data, and boundaries in pairs.

use super::*;
use crate::alarms::definition::Comparison;
use crate::alarms::definition::{AlarmDefinition, AlarmKind, MetricId};
use jiff::Timestamp;
use serde_json::json;

const NOW_MS: i64 = 1_700_000_040_000;

fn alarm(n: u32, m: u32, missing: &str) -> MetricAlarm {
    let document = json!({
        "AlarmName": "a", "Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": n, "DatapointsToAlarm": m, "Threshold": 5, "TreatMissingData": missing,
        "ComparisonOperator": "GreaterThanThreshold",
    });
    match AlarmDefinition::metric(&document).unwrap().kind {
        AlarmKind::Metric(alarm) => alarm,
        AlarmKind::Composite(..) => panic!("not a metric alarm"),
    }
}

/// Publishes `0`, `X` (breaching) or nothing (`-`) for each period, the newest last.
fn store(points: &str) -> MetricStore {
    let store = MetricStore::default();
    let metric = MetricId::new("N", "m", &[]);
    for (age, point) in points.split(' ').rev().enumerate() {
        let start_ms = NOW_MS.div_euclid(60_000) * 60_000 - 60_000 * i64::try_from(age + 1).unwrap();
        let value = match point {
            "X" => 6.0,
            "0" => 5.0,
            _ => continue,
        };
        store.publish(&metric, Timestamp::from_millisecond(start_ms).unwrap(), value);
    }
    store
}

/// Expected for the modes missing, ignore, breaching and notBreaching; `=` keeps the state.
#[track_caller]
fn check((n, m): (u32, u32), points: &str, expect: [&str; 4]) {
    let modes = ["missing", "ignore", "breaching", "notBreaching"];
    for (mode, expect) in modes.into_iter().zip(expect) {
        let state = evaluate(&alarm(n, m, mode), &store(points), NOW_MS, 1.0).state;
        assert_eq!(state.map_or("=", AlarmState::as_str), expect, "{points} with {m} of {n}, {mode}");
    }
}

#[test]
fn three_of_three_follows_the_documented_table() {
    check((3, 3), "0 - X - X", ["OK"; 4]);
    check((3, 3), "0 - - - -", ["OK"; 4]);
    check((3, 3), "- - - - -", ["INSUFFICIENT_DATA", "=", "ALARM", "OK"]);
    check((3, 3), "0 X X - X", ["ALARM"; 4]);
    check((3, 3), "- - X - -", ["ALARM", "=", "ALARM", "OK"]);
}

#[test]
fn two_of_three_follows_the_documented_table() {
    check((3, 2), "0 - X - X", ["ALARM"; 4]);
    check((3, 2), "0 0 X 0 X", ["ALARM"; 4]);
    check((3, 2), "0 - X - -", ["OK", "OK", "ALARM", "OK"]);
    check((3, 2), "- - - - 0", ["OK", "OK", "ALARM", "OK"]);
    check((3, 2), "- - - X -", ["ALARM", "=", "ALARM", "OK"]);
}

#[test]
fn a_young_breaching_point_among_missing_ones_does_not_fire_yet() {
    check((3, 3), "- - - - X", ["OK", "=", "ALARM", "OK"]);
    check((3, 3), "- - - X -", ["OK", "=", "ALARM", "OK"]);
    check((3, 3), "- - - X 0", ["OK", "OK", "OK", "OK"]);
}

#[test]
fn one_datapoint_decides_a_one_of_one_alarm() {
    check((1, 1), "- - X", ["ALARM"; 4]);
    check((1, 1), "X X 0", ["OK"; 4]);
    // The documented range holds two more than are needed, so an older point still decides.
    check((1, 1), "X - -", ["ALARM"; 4]);
    check((1, 1), "X - - -", ["INSUFFICIENT_DATA", "=", "ALARM", "OK"]);
}

#[test]
fn each_comparison_is_exact_at_its_threshold() {
    let cases = [
        (Comparison::GreaterThanThreshold, [false, false, true]),
        (Comparison::GreaterThanOrEqualToThreshold, [false, true, true]),
        (Comparison::LessThanThreshold, [true, false, false]),
        (Comparison::LessThanOrEqualToThreshold, [true, true, false]),
    ];
    for (comparison, expect) in cases {
        assert_eq!(
            [4.999, 5.0, 5.001].map(|value| comparison.breaches(value, 5.0)),
            expect,
            "{comparison:?}"
        );
    }
}

#[test]
fn a_period_counts_only_once_it_has_ended() {
    let points = store("X");
    let end_ms = NOW_MS.div_euclid(60_000) * 60_000;
    let state = |now_ms| evaluate(&alarm(1, 1, "missing"), &points, now_ms, 1.0).state;
    assert_eq!(state(end_ms - 1), Some(AlarmState::InsufficientData));
    assert_eq!(state(end_ms), Some(AlarmState::Alarm));
}

#[test]
fn a_scaled_minute_lasts_a_second() {
    let store = MetricStore::default();
    let metric = MetricId::new("N", "m", &[]);
    store.publish(&metric, Timestamp::from_millisecond(NOW_MS).unwrap(), 6.0);
    let state = |now_ms| evaluate(&alarm(1, 1, "missing"), &store, now_ms, 1.0 / 60.0).state;
    assert_eq!(state(NOW_MS + 999), Some(AlarmState::InsufficientData));
    assert_eq!(state(NOW_MS + 1_000), Some(AlarmState::Alarm));
    assert_eq!(state(NOW_MS + 3_999), Some(AlarmState::Alarm));
    assert_eq!(state(NOW_MS + 4_000), Some(AlarmState::InsufficientData));
}

fn rate_alarm() -> MetricAlarm {
    let metric = |name: &str| {
        json!({"Metric": {"Namespace": "AWS/Lambda", "MetricName": name,
            "Dimensions": [{"Name": "FunctionName", "Value": "f"}]}, "Period": "60", "Stat": "Sum"})
    };
    let document = json!({
        "AlarmName": "rate", "EvaluationPeriods": "1", "Threshold": "1.5", "TreatMissingData": "notBreaching",
        "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [
            {"Id": "rate", "Expression": "100 * FILL(errors, 0) / calls", "Label": "Error rate", "ReturnData": true},
            {"Id": "errors", "MetricStat": metric("Errors"), "ReturnData": false},
            {"Id": "calls", "MetricStat": metric("Invocations"), "ReturnData": "false"},
        ],
    });
    match AlarmDefinition::metric(&document).unwrap().kind {
        AlarmKind::Metric(alarm) => alarm,
        AlarmKind::Composite(..) => panic!("not a metric alarm"),
    }
}

#[test]
fn a_rate_by_metric_math_fires_just_past_its_threshold() {
    for (errors, expect) in [(3, AlarmState::Ok), (4, AlarmState::Alarm)] {
        let store = MetricStore::default();
        let time = Timestamp::from_millisecond(NOW_MS - 60_000).unwrap();
        for name in ["Errors", "Invocations"] {
            let count = if name == "Errors" { errors } else { 200 };
            let metric = MetricId::new("AWS/Lambda", name, &[("FunctionName", "f")]);
            (0..count).for_each(|_| store.publish(&metric, time, 1.0));
        }
        assert_eq!(
            evaluate(&rate_alarm(), &store, NOW_MS, 1.0).state,
            Some(expect),
            "{errors} errors in 200"
        );
    }
}

#[test]
fn a_rate_without_calls_is_no_datapoint() {
    let evaluation = evaluate(&rate_alarm(), &MetricStore::default(), NOW_MS, 1.0);
    assert_eq!((evaluation.state, evaluation.filled), (Some(AlarmState::Ok), 1));
}
