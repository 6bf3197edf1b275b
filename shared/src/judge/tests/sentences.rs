use super::super::finding::{grouped, percent};
use super::*;

#[track_caller]
fn check(observations: &Observations, expected: &[&str]) {
    let judgement = judge(observations);
    assert_eq!(sentences(&judgement), expected);
    // What is kept in the ledger is what was found.
    let text = serde_json::to_string(&judgement).expect("a judgement is data");
    let kept: Judgement = serde_json::from_str(&text).expect("it can be read again");
    assert_eq!(sentences(&kept), expected);
}

#[test]
fn reasons_show_their_arithmetic() {
    check(
        &observed(vec![minute(0, 0, 180, 0)]),
        &["errors 0% (0 of 180) prove no limit 1.0% yet: 149 more requests are needed"],
    );
    check(
        &observed(vec![minute(0, 6, 180, 54)]),
        &["errors 3.3% (6 of 180) prove no limit 1.0%, and at this rate no number of requests will"],
    );
    check(
        &observed(vec![minute(0, 37, 1_204, 65)]),
        &[
            "errors 3.1% (37 of 1,204) against 0.6% (65 of 10,836) of the stable version in the same minutes since 00:00Z: \
             evidence 1 : 10^10 against chance, 1 : 100 fails",
            "errors 3.1% (37 of 1,204) prove no limit 1.0%, and at this rate no number of requests will",
        ],
    );
    check(
        &observed(vec![Minute { stable: None, ..minute(0, 37, 1_204, 0) }]),
        &[
            "errors 3.1% (37 of 1,204) > limit 1.0% since 00:00Z: evidence 1 : 3,242,976 against chance, 1 : 100 fails",
            "errors 3.1% (37 of 1,204) prove no limit 1.0%, and at this rate no number of requests will",
        ],
    );
}

#[test]
fn errors_and_slow_requests_divide_the_chance_of_a_false_rollback() {
    let mut minute = minute(0, 100, 100, 0);
    minute.candidate.slow = 100;
    let latency = Some(LatencyLimit { latency_ms_max: 500, slow_rate_max: 0.05 });
    let judgement =
        judge(&Observations { stages: vec![StageLimits { latency, ..LIMITS }], ..observed(vec![minute]) });
    let sentences = sentences(&judgement);
    assert!(sentences[0].starts_with("errors") && sentences[0].ends_with("1 : 125 fails"), "{sentences:?}");
    assert!(
        sentences[1].starts_with("requests over 500 ms") && sentences[1].ends_with("1 : 500 fails"),
        "{sentences:?}"
    );
}

#[test]
fn gauges_say_what_they_saw_and_what_fails() {
    let rule = GaugeRule {
        name: "memory".into(),
        bad: Direction::Above,
        threshold: 90.0,
        datapoints: 2,
        of: 3,
        missing: Missing::Inconclusive,
    };
    let sentence = |values: &[Option<f64>]| {
        let values = values.iter().zip(0..).map(|(value, index)| (at(index), *value)).collect();
        let finding =
            Finding::Gauge(super::super::gauges::read(&GaugeReading { rule: rule.clone(), values }));
        finding.to_string()
    };
    assert_eq!(
        sentence(&[Some(95.0), Some(91.0), Some(80.0)]),
        "memory above 90 in 2 of 3 minutes in a row (highest 95): 2 fail"
    );
    assert_eq!(
        sentence(&[Some(95.0), None, Some(80.0)]),
        "memory above 90 in 1 of 3 minutes in a row (highest 95), 1 without a value: 2 would fail"
    );
}

#[test]
fn numbers_are_written_for_people() {
    let percents = [0.0, 0.0005, 0.00123, 0.0096, 0.03072, 0.5, 1.0].map(percent);
    assert_eq!(percents, ["0%", "0.05%", "0.12%", "1.0%", "3.1%", "50.0%", "100.0%"]);
    let numbers = [0, 999, 1_000, 1_234_567].map(grouped);
    assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
}
