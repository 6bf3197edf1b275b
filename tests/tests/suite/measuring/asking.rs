//! What CloudWatch is asked: the exact metrics, and never more than one answer of it can hold.

use ripcord::registration::MetricCheck;
use serde_json::json;

use super::*;

/// A question, a query a line.
pub(super) fn render(question: &Question) -> String {
    let mut text = format!(
        "{}-{} by {} s",
        question.from.strftime("%H:%M"),
        question.to.strftime("%H:%M"),
        question.period_seconds
    );
    for query in &question.queries {
        let wanted = match &query.wanted {
            Wanted::Math(expression) => expression.clone(),
            Wanted::Metric(MetricSource { namespace, name, dimensions, stat }) => {
                let dimensions: Vec<String> =
                    dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{stat} of {namespace} {name} {{{}}}", dimensions.join(", "))
            }
        };
        let answered = if query.is_answered { "" } else { ", unanswered" };
        text.push_str(&format!("\n{} ({}){answered}: {wanted}", query.id, query.what));
    }
    text
}

/// Three stages with limits of their own, a queue for what failed, throttles, and metric math.
fn three_stages(begun: &[&str]) -> Case {
    let mut case = Case::of(&[10.0, 50.0, 100.0], begun, "10:40:30");
    case.limit_latency(0, 200);
    case.limit_latency(1, 500);
    case.limit_latency(2, 500);
    (0..3).for_each(|stage| case.limits(stage).throttles_max = Some(10));
    let registration = &mut case.record.registration;
    registration.dead_letter_queues = vec!["checkout-failed".to_owned()];
    let source = |name: &str| {
        json!({
            "namespace": "Checkout", "name": name, "stat": "Sum", "dimensions": { "version": "$candidate" },
        })
    };
    let check: MetricCheck = serde_json::from_value(json!({
        "name": "payments refused",
        "expression": "IF(payments > 0, 100 * refused / payments, 0)",
        "inputs": { "refused": source("PaymentsRefused"), "payments": source("Payments") },
        "above": 5.0,
        "datapoints": 3,
        "of": 5,
    }))
    .unwrap();
    registration.metrics = vec![check];
    case
}

#[test]
fn a_release_of_three_stages_is_asked_for_by_version_and_at_the_end_by_alias() {
    let Questions { counts, gauges } = three_stages(&["10:00:00", "10:15:20", "10:30:00"]).asked();
    insta::assert_snapshot!(format!("{}\n\n{}", render(&counts.unwrap()), render(&gauges.unwrap())));
}

#[test]
fn nothing_is_asked_that_no_minute_needs() {
    // The alias's own requests are not the candidate's while it is weighted, and 500 ms are the limit of later stages.
    let counts = three_stages(&["10:30:00"]).asked().counts.unwrap();
    let ids: Vec<&str> = counts.queries.iter().map(|query| query.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "candidate_requests",
            "candidate_errors",
            "candidate_timed",
            "candidate_within_200_ms",
            "stable_requests",
            "stable_errors",
            "stable_timed",
            "stable_within_200_ms",
        ]
    );
    let all_at_once = Case::of(&[100.0], &["10:00:00"], "10:05:00").asked();
    let ids: Vec<String> = all_at_once.counts.unwrap().queries.into_iter().map(|query| query.id).collect();
    assert_eq!(ids, ["alias_requests", "alias_errors"]);
    assert_eq!(all_at_once.gauges, None);
}

#[test]
fn the_most_that_may_be_registered_fits_into_one_answer() {
    let weights: Vec<f64> = (1..=50).map(|stage| f64::from(stage) * 2.0).collect();
    let begun: Vec<String> =
        (0..50).map(|stage| format!("{:02}:{:02}:00", stage / 5, stage % 5 * 12)).collect();
    let begun: Vec<&str> = begun.iter().map(String::as_str).collect();
    let mut case = Case::of(&weights, &begun, "23:00:00");
    (0..50).for_each(|stage| case.limit_latency(stage, 100 + stage as u32));
    case.limits(49).throttles_max = Some(1);
    case.run().strategy.look_minutes = 672;
    let registration = &mut case.record.registration;
    registration.dead_letter_queues = (0..20).map(|queue| format!("q{queue}")).collect();
    let source = json!({ "namespace": "N", "name": "M", "stat": "Sum" });
    let inputs: serde_json::Map<String, serde_json::Value> =
        (0..10).map(|input| (format!("i{input}"), source.clone())).collect();
    let check = |name: usize| json!({ "name": name.to_string(), "expression": "i0", "inputs": inputs, "above": 1, "of": 60 });
    registration.metrics = (0..20).map(|name| serde_json::from_value(check(name)).unwrap()).collect();
    assert_eq!(registration.violations(), []);

    let Questions { counts, gauges } = case.asked();
    let (counts, gauges) = (counts.unwrap(), gauges.unwrap());
    for question in [&counts, &gauges] {
        assert!(question.queries.len() <= 500, "{}", question.queries.len());
        let ids: std::collections::BTreeSet<&str> =
            question.queries.iter().map(|query| query.id.as_str()).collect();
        assert_eq!(ids.len(), question.queries.len(), "every query has a name of its own");
    }
    // With metric math in it an answer has one page only.
    let minutes = gauges.to.duration_since(gauges.from).as_mins();
    let values = minutes * i64::try_from(gauges.queries.len()).unwrap();
    assert!(values <= 100_800, "{values}");
}
