//! Gauges and alarms: the minutes of the stage that is judged, each in its place, and nothing that belongs to another.

use ripcord::judge::GaugeReading;
use ripcord::pipeline::{WAIVER_KEPT, Waivable, Waiver};
use ripcord::registration::{Guard, MetricCheck, Registration};
use serde_json::{Value, json};

use super::*;

fn check_of(check: Value) -> MetricCheck {
    serde_json::from_value(check).unwrap()
}

fn queue_age() -> MetricCheck {
    check_of(json!({
        "name": "age of the oldest order",
        "metric": {
            "namespace": "AWS/SQS",
            "name": "ApproximateAgeOfOldestMessage",
            "dimensions": { "QueueName": "orders" },
            "stat": "Maximum",
        },
        "above": 30.0,
        "datapoints": 2,
        "of": 3,
    }))
}

fn registration(case: &mut Case) -> &mut Registration {
    &mut case.record.registration
}

fn reading(reading: &GaugeReading) -> String {
    let values = reading.values.iter().map(|(start, value)| {
        format!(" {}={}", start.strftime("%H:%M"), value.map_or("-".to_owned(), |value| value.to_string()))
    });
    let rule = &reading.rule;
    let values: String = values.collect();
    format!(
        "{} {:?} {} in {} of {}, {:?}:{values}",
        rule.name, rule.bad, rule.threshold, rule.datapoints, rule.of, rule.missing
    )
}

fn gauges(case: &Case, sights: &Sights) -> String {
    case.measured(sights).observations.gauges.iter().map(reading).collect::<Vec<_>>().join("\n")
}

#[test]
fn gauges_are_read_in_the_minutes_of_the_stage_that_is_judged() {
    let mut case = Case::of(&[10.0, 50.0, 100.0], &["10:00:00", "10:10:00"], "10:15:00");
    registration(&mut case).metrics = vec![queue_age()];
    registration(&mut case).dead_letter_queues = vec!["orders-failed".to_owned()];
    case.limits(1).throttles_max = Some(5);
    let seen = |source: &MetricSource, start| match source.name.as_str() {
        // Nothing at 10:12: a gap has its place among the minutes.
        "ApproximateAgeOfOldestMessage" => (start != at("10:12:00")).then_some(7.5),
        "ApproximateNumberOfMessagesVisible" => (start == at("10:11:00")).then_some(1.0),
        _ => steady(source, start),
    };
    insta::assert_snapshot!(gauges(&case, &case.sights(seen)), @r"
    throttles of checkout-api:live Above 5 in 1 of 30, Ok: 10:11=0 10:12=0 10:13=0
    messages in orders-failed Above 0 in 1 of 30, Ok: 10:11=1 10:12=- 10:13=-
    age of the oldest order Above 30 in 2 of 3, Inconclusive: 10:11=7.5 10:12=- 10:13=7.5
    ");
    // A message that was there for one minute counts, whoever has taken it away since.
    assert_eq!(case.measured(&case.sights(seen)).judged().verdict, Verdict::Fail);
}

#[test]
fn a_gauge_without_a_minute_yet_proves_nothing() {
    let mut case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:02:30");
    registration(&mut case).metrics = vec![queue_age()];
    assert_eq!(case.asked().gauges, None);
    let sights = case.sights(steady);
    assert_eq!(gauges(&case, &sights), "age of the oldest order Above 30 in 2 of 3, Inconclusive:");
    assert_eq!(case.measured(&sights).judged().verdict, Verdict::Inconclusive);
}

#[test]
fn a_gauge_that_cannot_be_read_is_not_measured() {
    let mut case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:05:00");
    registration(&mut case).metrics = vec![queue_age()];
    let mut sights = case.sights(steady);
    sights
        .gauges
        .as_mut()
        .unwrap()
        .insert("check_0".to_owned(), Err("Forbidden".to_owned()))
        .unwrap()
        .unwrap();
    let measured = case.measured(&sights);
    assert_eq!(measured.observations.gauges, []);
    let gap = &measured.observations.unmeasured[0];
    assert_eq!((gap.what.as_str(), gap.why.as_str()), ("age of the oldest order", "Forbidden"));
    // The requests are all there, so an error among them would still be seen.
    assert_eq!(measured.observations.minutes.len(), 3);
    assert_eq!((measured.until, measured.judged().verdict), (None, Verdict::Error));
}

#[test]
fn gauges_are_looked_back_on_for_as_long_as_a_rule_asks_or_a_look_was_missed() {
    let minutes = |of: u32, look_minutes: u32| {
        let mut case = Case::of(&[10.0, 100.0], &["10:00:00"], "23:00:00");
        registration(&mut case).metrics = vec![MetricCheck { of, ..queue_age() }];
        case.run().strategy.look_minutes = look_minutes;
        let asked = case.asked().gauges.unwrap();
        asked.to.duration_since(asked.from).as_mins()
    };
    assert_eq!(minutes(1, 1), 30);
    assert_eq!(minutes(30, 15), 30);
    assert_eq!(minutes(31, 15), 31);
    assert_eq!(minutes(30, 16), 32);
    assert_eq!(minutes(60, 672), 360);
}

#[test]
fn with_all_traffic_the_stable_version_is_not_compared_with_and_lambda_names_no_version() {
    let duration = |version: &str| {
        json!({
            "namespace": "AWS/Lambda", "name": "PostRuntimeExtensionsDuration", "stat": "Maximum",
            "dimensions": { "FunctionName": "checkout-api", "Resource": "checkout-api:live", "ExecutedVersion": version },
        })
    };
    let own = json!({
        "namespace": "Checkout", "name": "Refused", "stat": "Sum", "dimensions": { "release": "v$candidate" },
    });
    let checks = vec![
        check_of(json!({ "name": "candidate", "metric": duration("$candidate"), "above": 1 })),
        check_of(json!({
            "name": "against", "expression": "new - old", "above": 1,
            "inputs": { "new": duration("$candidate"), "old": duration("$stable") },
        })),
        check_of(json!({ "name": "own", "metric": own, "above": 1 })),
    ];
    let asked = |begun: &[&str]| {
        let mut case = Case::of(&[10.0, 100.0], begun, "10:15:00");
        registration(&mut case).metrics = checks.clone();
        let read = case.measured(&case.sights(|_, _| Some(0.0))).observations.gauges;
        let names: Vec<String> = read.into_iter().map(|gauge| gauge.rule.name).collect();
        (asking::render(&case.asked().gauges.unwrap()), names.join(", "))
    };
    let (weighted, names) = asked(&["10:00:00"]);
    insta::assert_snapshot!(weighted, @r"
    10:01-10:14 by 60 s
    check_0 (candidate): Maximum of AWS/Lambda PostRuntimeExtensionsDuration {ExecutedVersion=2, FunctionName=checkout-api, Resource=checkout-api:live}
    check_1_new (new of against), unanswered: Maximum of AWS/Lambda PostRuntimeExtensionsDuration {ExecutedVersion=2, FunctionName=checkout-api, Resource=checkout-api:live}
    check_1_old (old of against), unanswered: Maximum of AWS/Lambda PostRuntimeExtensionsDuration {ExecutedVersion=1, FunctionName=checkout-api, Resource=checkout-api:live}
    check_1 (against): check_1_new - check_1_old
    check_2 (own): Sum of Checkout Refused {release=v2}
    ");
    assert_eq!(names, "candidate, against, own");
    let (whole, names) = asked(&["10:00:00", "10:05:00"]);
    insta::assert_snapshot!(whole, @r"
    10:06-10:14 by 60 s
    check_0 (candidate): Maximum of AWS/Lambda PostRuntimeExtensionsDuration {FunctionName=checkout-api, Resource=checkout-api:live}
    check_2 (own): Sum of Checkout Refused {release=v2}
    ");
    assert_eq!(names, "candidate, own");
}

fn alarms(case: &Case, guards: Result<Vec<GuardState>, String>) -> (String, String) {
    let measured = case.measured(&Sights { guards, ..case.sights(steady) }).observations;
    let read = measured.alarms.iter().map(|alarm| {
        let waived = if alarm.waived { " waived" } else { "" };
        format!("{} {:?}{waived}", alarm.name, alarm.state)
    });
    let gaps = measured.unmeasured.iter().map(|gap| format!("{}: {}", gap.what, gap.why));
    (read.collect::<Vec<_>>().join(", "), gaps.collect::<Vec<_>>().join(", "))
}

#[test]
fn every_guard_that_can_be_seen_from_here_is_read() {
    let mut case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:05:00");
    let arn = |region: &str, name: &str| format!("arn:aws:cloudwatch:{region}:123456789012:alarm:{name}");
    registration(&mut case).guards = ["errors", &arn("eu-west-1", "slow"), &arn("us-east-1", "edge")]
        .map(|alarm| Guard { alarm: alarm.to_owned() })
        .to_vec();
    let seen =
        vec![guard("slow", Some(AlarmState::InsufficientData)), guard("errors", Some(AlarmState::Alarm))];
    assert_eq!(alarms(&case, Ok(seen)), ("errors Alarm, slow InsufficientData".to_owned(), String::new()));
    let some = vec![guard("errors", None)];
    let gaps = "alarm slow: it does not exist, alarm errors: its state is not known";
    assert_eq!(alarms(&case, Ok(some)), (String::new(), gaps.to_owned()));
    let gaps = "alarm errors, alarm slow: throttled";
    assert_eq!(alarms(&case, Err("throttled".to_owned())), (String::new(), gaps.to_owned()));
}

#[test]
fn an_alarm_that_was_waived_is_no_evidence_until_the_waiver_ends() {
    let mut case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:05:00");
    let until = at("10:00:00") + WAIVER_KEPT;
    case.run().waiver = Some(Waiver {
        checks: vec![Waivable::Alarms],
        firing: vec!["errors".to_owned()],
        why: "this is the fix".to_owned(),
        by: "ada".to_owned(),
        until,
    });
    let firing = || Ok(vec![guard("errors", Some(AlarmState::Alarm))]);
    case.now = until - jiff::SignedDuration::from_millis(1);
    assert_eq!(alarms(&case, firing()).0, "errors Alarm waived");
    case.now = until;
    assert_eq!(alarms(&case, firing()).0, "errors Alarm");
}
