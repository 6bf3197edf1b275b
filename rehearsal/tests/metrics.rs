//! CloudWatch as a judge sees it: through the AWS SDK for Rust, with everything that can be wrong with data.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "these tests need only some of its calls")]
mod scene;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_cloudwatch::{
    Client,
    config::Region,
    error::ProvideErrorMetadata as _,
    primitives::DateTime,
    types::{
        AlarmType, Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StateValue,
        StatusCode,
    },
};
use aws_smithy_http_client::Builder;
use aws_types::SdkConfig;
use jiff::Timestamp;
use ripcord_rehearsal::{
    LocalAws,
    alarms::{
        definition::MetricId,
        metrics::{MetricFault, MetricTrouble},
    },
    front::faults::{Fault, FaultRule},
    traffic::simulated::{SimulatedBehaviour, SimulationOptions},
    wait_until,
};
use scene::Scene;
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn client(aws: &LocalAws) -> Client {
    let credentials = Credentials::from_keys("judge", "secret", None);
    let config = SdkConfig::builder()
        .behavior_version(aws_sdk_cloudwatch::config::BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(aws.endpoint())
        .http_client(Builder::new().build_http())
        .region(Region::new(aws.region().to_owned()))
        .build();
    Client::new(&config)
}

fn stat(id: &str, metric: &MetricId, statistic: &str, period_s: i32) -> MetricDataQuery {
    let dimensions = metric.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let named = Metric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let stat = MetricStat::builder().metric(named).period(period_s).stat(statistic).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

fn math(id: &str, expression: &str) -> MetricDataQuery {
    MetricDataQuery::builder().id(id).expression(expression).build()
}

fn seconds(ms: i64) -> DateTime {
    DateTime::from_millis(ms)
}

/// The start of a minute of the rehearsal, some minutes ago.
fn minute_ago(aws: &LocalAws, minutes: i64) -> i64 {
    let minute = i64::try_from(aws.minute().as_millis()).unwrap();
    (Timestamp::now().as_millisecond().div_euclid(minute) - minutes) * minute
}

async fn ask(
    client: &Client,
    queries: Vec<MetricDataQuery>,
    from_ms: i64,
    to_ms: i64,
) -> Vec<MetricDataResult> {
    let asked = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(seconds(from_ms))
        .end_time(seconds(to_ms))
        .scan_by(ScanBy::TimestampAscending);
    asked.send().await.unwrap().metric_data_results.unwrap_or_default()
}

/// Latencies of 100, 200, … 1,000 ms in each of the minutes from `start_ms` on, and one error in each but the last.
fn publish(aws: &LocalAws, start_ms: i64, minutes: i64) -> [MetricId; 3] {
    let dimensions = [("FunctionName", "f"), ("Resource", "f:live"), ("ExecutedVersion", "2")];
    let [duration, errors, calls] =
        ["Duration", "Errors", "Invocations"].map(|name| MetricId::new("AWS/Lambda", name, &dimensions));
    for minute in 0..minutes {
        let time = Timestamp::from_millisecond(start_ms + minute * 1_000 + 500).unwrap();
        for request in 1..=10_i32 {
            aws.metrics().publish(&duration, time, f64::from(request * 100));
            aws.metrics().publish(&calls, time, 1.0);
        }
        if minute + 1 < minutes {
            aws.metrics().publish(&errors, time, 1.0);
        }
    }
    [duration, errors, calls]
}

#[tokio::test]
async fn the_sdk_reads_statistics_metric_math_and_periods_in_one_request() {
    let scene = Scene::bare().await;
    let client = client(&scene.aws);
    // An even minute, so that two minutes are one period of 120 s.
    let start_ms = minute_ago(&scene.aws, 10).div_euclid(2_000) * 2_000;
    let [duration, errors, calls] = publish(&scene.aws, start_ms, 4);
    let nowhere = MetricId::new("AWS/Lambda", "Errors", &[("FunctionName", "nobody")]);
    let queries = vec![
        stat("within", &duration, "TC(:200)", 60),
        stat("rank", &duration, "PR(:200)", 60),
        stat("p95", &duration, "p95", 60),
        stat("errors", &errors, "Sum", 60),
        stat("calls", &calls, "Sum", 60),
        stat("wide", &calls, "Sum", 120),
        math("rate", "100 * FILL(errors, 0) / calls"),
        stat("nothing", &nowhere, "Sum", 60),
    ];
    let results = ask(&client, queries, start_ms, start_ms + 4_000).await;
    let by_id = |id: &str| results.iter().find(|result| result.id() == Some(id)).unwrap();
    let expected: [(&str, &[f64]); 8] = [
        ("within", &[2.0; 4]),
        ("rank", &[20.0; 4]),
        ("p95", &[1_000.0; 4]),
        ("errors", &[1.0; 3]),
        ("calls", &[10.0; 4]),
        ("wide", &[20.0; 2]),
        ("rate", &[10.0, 10.0, 10.0, 0.0]),
        ("nothing", &[]),
    ];
    assert_eq!(
        results.iter().map(|result| result.id().unwrap()).collect::<Vec<_>>(),
        expected.map(|(id, _)| id)
    );
    for (id, values) in expected {
        let result = by_id(id);
        assert_eq!(result.values(), values, "{id}");
        assert_eq!(result.status_code(), Some(&StatusCode::Complete), "{id}");
        let period_ms = if id == "wide" { 2_000 } else { 1_000 };
        let starts = (0_i64..).map(|index| seconds(start_ms + index * period_ms));
        assert_eq!(
            result.timestamps(),
            starts.take(values.len()).collect::<Vec<_>>(),
            "{id}: a period's start"
        );
    }
}

#[tokio::test]
async fn pages_hold_together_what_one_answer_would() {
    let scene = Scene::bare().await;
    let client = client(&scene.aws);
    let start_ms = minute_ago(&scene.aws, 10);
    let [_, errors, calls] = publish(&scene.aws, start_ms, 5);
    let queries = vec![stat("errors", &errors, "Sum", 60), stat("calls", &calls, "Sum", 60)];
    let request = || {
        client
            .get_metric_data()
            .set_metric_data_queries(Some(queries.clone()))
            .start_time(seconds(start_ms))
            .end_time(seconds(start_ms + 5_000))
            .max_datapoints(3)
    };
    // Newest first, unless asked otherwise.
    let first = request().send().await.unwrap();
    assert_eq!(first.metric_data_results()[0].timestamps()[0], seconds(start_ms + 3_000));
    let mut pages = request().into_paginator().send();
    let (mut seen, mut statuses) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        // What is published between two pages does not shift the second.
        let newest = Timestamp::from_millisecond(start_ms + 4_900).unwrap();
        scene.aws.metrics().publish(&errors, newest, 1.0);
        for result in page.metric_data_results() {
            seen.extend(result.timestamps().iter().map(|time| (result.id().unwrap().to_owned(), *time)));
            statuses.push(result.status_code().unwrap().clone());
        }
    }
    let newest_first = |id: &str, minutes: i64| {
        let id = id.to_owned();
        (0..minutes).rev().map(move |minute| (id.clone(), seconds(start_ms + minute * 1_000)))
    };
    assert_eq!(seen, newest_first("errors", 4).chain(newest_first("calls", 5)).collect::<Vec<_>>());
    let (partial, complete) = (StatusCode::PartialData, StatusCode::Complete);
    let expected = [&partial, &partial, &complete, &partial, &complete, &complete];
    assert_eq!(statuses.iter().collect::<Vec<_>>(), expected);
    let refused = request().next_token("made up").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidNextToken"));
}

#[tokio::test]
async fn a_request_that_cloudwatch_would_refuse_is_refused() {
    let scene = Scene::bare().await;
    let client = client(&scene.aws);
    let metric = MetricId::new("AWS/Lambda", "Errors", &[]);
    let query = |id: &str, period_s: i32| stat(id, &metric, "Sum", period_s);
    let refused = async |queries: Vec<MetricDataQuery>, length_ms: i64| {
        let asked = client.get_metric_data().set_metric_data_queries(Some(queries));
        let answer = asked.start_time(seconds(10_000)).end_time(seconds(10_000 + length_ms)).send().await;
        answer.err().and_then(|error| error.code().map(str::to_owned))
    };
    let many = |count: usize| (0..count).map(|index| query(&format!("q{index}"), 60)).collect::<Vec<_>>();
    let invalid = Some("ValidationError".to_owned());
    assert_eq!(refused(many(500), 1_000).await, None);
    assert_eq!(refused(many(501), 1_000).await, invalid);
    assert_eq!(refused(many(1), 0).await, invalid, "an empty stretch of time");
    assert_eq!(refused(vec![query("q", 60), query("q", 60)], 1_000).await, invalid, "one id twice");
    assert_eq!(refused(vec![query("Q", 60)], 1_000).await, invalid, "an id in upper case");
    assert_eq!(refused(vec![query("q", 90)], 1_000).await, invalid, "no whole minutes");
    assert_eq!(refused(vec![math("m", "SUM(absent)")], 1_000).await, invalid, "an unknown id");
}

#[tokio::test]
async fn troubles_hit_the_metrics_that_they_name() {
    let scene = Scene::bare().await;
    let client = client(&scene.aws);
    let start_ms = minute_ago(&scene.aws, 10);
    let [_, errors, calls] = publish(&scene.aws, start_ms, 5);
    let seen = async || {
        let rate = math("rate", "errors / calls");
        let queries = vec![stat("errors", &errors, "Sum", 60), stat("calls", &calls, "Sum", 60), rate];
        let results = ask(&client, queries, start_ms, start_ms + 5_000).await;
        results
            .iter()
            .map(|result| (result.status_code().unwrap().clone(), result.values().len()))
            .collect::<Vec<_>>()
    };
    use StatusCode::{Complete, Forbidden, InternalError, PartialData};
    let whole = [(Complete, 4), (Complete, 5), (Complete, 4)];
    assert_eq!(seen().await, whole);
    let fault = |metric: &str, dimension_value: &str, trouble| MetricFault {
        metric: Some(metric.to_owned()),
        dimension_value: Some(dimension_value.to_owned()),
        trouble,
    };
    let metrics = scene.aws.metrics();
    metrics.add_fault(fault("Errors", "3", MetricTrouble::Forbidden));
    assert_eq!(seen().await, whole, "another version's trouble");
    metrics.add_fault(fault("Errors", "2", MetricTrouble::PartialData));
    assert_eq!(seen().await, [(PartialData, 2), (Complete, 5), (PartialData, 2)]);
    metrics.add_fault(fault("Errors", "2", MetricTrouble::InternalError));
    assert_eq!(seen().await, [(InternalError, 0), (Complete, 5), (InternalError, 0)]);
    metrics.add_fault(MetricFault { metric: None, dimension_value: None, trouble: MetricTrouble::Forbidden });
    assert_eq!(seen().await, [(Forbidden, 0), (Forbidden, 0), (Forbidden, 0)]);
    metrics.clear_faults();
    assert_eq!(seen().await, whole);

    // The call as a whole, as with any other; the SDK tries three times.
    scene.aws.faults().add(FaultRule::always("GetMetricData", Fault::ServerError { status: 500 }));
    let asked = client.get_metric_data().metric_data_queries(stat("q", &errors, "Sum", 60));
    let failed =
        asked.start_time(seconds(start_ms)).end_time(seconds(start_ms + 1_000)).send().await.unwrap_err();
    assert_eq!(failed.raw_response().map(|answer| answer.status().as_u16()), Some(500));
    let calls =
        scene.aws.journal().matching(|entry| entry.operation == "GetMetricData" && entry.status == Some(500));
    assert_eq!(calls.len(), 3);
}

#[tokio::test]
async fn the_sdk_reads_alarms_of_both_kinds() {
    let scene = Scene::deployed().await;
    let client = client(&scene.aws);
    let rule = json!({"AlarmName": "plain", "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "Dimensions": [{"Name": "FunctionName", "Value": "f"}], "EvaluationPeriods": 1, "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold"});
    scene.aws.alarms().put_metric_alarm(&rule).unwrap();
    let described = client
        .describe_alarms()
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .send()
        .await
        .unwrap();
    let names = described.metric_alarms().iter().map(|alarm| alarm.alarm_name().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["echo-error-rate", "plain"]);
    let (rate, plain) = (&described.metric_alarms()[0], &described.metric_alarms()[1]);
    assert_eq!(rate.metrics().len(), 3);
    assert_eq!((plain.threshold(), plain.period()), (Some(5.0), Some(60)));
    assert!(plain.state_value().is_some_and(|state| *state != StateValue::Alarm));
    assert!(plain.state_updated_timestamp().is_some());
    assert_eq!(described.composite_alarms()[0].alarm_rule(), Some("ALARM(\"echo-error-rate\")"));
    let by_name = client.describe_alarms().alarm_names("nobody").send().await.unwrap();
    assert!(by_name.metric_alarms().is_empty() && by_name.composite_alarms().is_empty());
}

#[tokio::test]
async fn simulated_traffic_follows_the_alias_and_counts_as_lambda_does() {
    let scene = Scene::deployed().await;
    scene.publish_second_version().await;
    let client = client(&scene.aws);
    let bad = SimulatedBehaviour {
        error_rate: 0.1,
        slow_rate: 0.2,
        slow_ms: 900.0,
        ..SimulatedBehaviour::default()
    };
    let simulation = scene.aws.simulate(SimulationOptions {
        requests_per_minute: 20_000.0,
        ..SimulationOptions::new("echo", "live").version("2", bad)
    });
    let invocations =
        |version: &str| simulation.counts().versions.get(version).map_or(0, |counts| counts.invocations);
    wait_until("traffic", SOON, || (invocations("1") > 5_000).then_some(())).await.unwrap();
    let by_version = |name: &str| {
        let dimensions = [("FunctionName", "echo"), ("Resource", "echo:live"), ("ExecutedVersion", "2")];
        MetricId::new("AWS/Lambda", name, &dimensions)
    };
    let first_version = {
        let mut metric = by_version("Invocations");
        metric.dimensions.insert("ExecutedVersion".to_owned(), "1".to_owned());
        metric
    };
    let by_alias =
        MetricId::new("AWS/Lambda", "Invocations", &[("FunctionName", "echo"), ("Resource", "echo:live")]);
    let by_function = MetricId::new("AWS/Lambda", "Invocations", &[("FunctionName", "echo")]);
    let from_ms = minute_ago(&scene.aws, 30);
    let sum = async |metric: &MetricId, statistic: &str| -> f64 {
        let results =
            ask(&client, vec![stat("q", metric, statistic, 60)], from_ms, minute_ago(&scene.aws, -1)).await;
        results[0].values().iter().sum()
    };
    assert_eq!(sum(&first_version, "Sum").await, 0.0, "no version counts while the alias has one version");
    assert!(sum(&by_alias, "Sum").await > 5_000.0);

    let weights = json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}});
    assert_eq!(scene.update_alias(&weights).await.0, 200);
    wait_until("the second version", SOON, || (invocations("2") > 5_000).then_some(())).await.unwrap();
    simulation.change(|options| options.requests_per_minute = 0.0);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let counts = simulation.counts().versions["2"];
    let calls = sum(&by_version("Invocations"), "Sum").await;
    assert_eq!(calls, counts.invocations as f64);
    assert_eq!(sum(&by_version("Errors"), "Sum").await, counts.errors as f64);
    assert_eq!(sum(&by_version("Throttles"), "Sum").await, 0.0);
    let slow = calls - sum(&by_version("Duration"), "TC(:200)").await;
    let within = |share: f64, expected: f64| (expected - 0.05..expected + 0.05).contains(&share);
    assert!(
        within(counts.errors as f64 / calls, 0.1) && within(slow / calls, 0.2),
        "{counts:?}, {slow} slow"
    );
    let weighted = sum(&first_version, "Sum").await + calls;
    assert!(within(calls / weighted, 0.25), "{calls} of {weighted}");
    let all: u64 = simulation.counts().versions.values().map(|counts| counts.invocations).sum();
    assert_eq!((sum(&by_alias, "Sum").await, sum(&by_function, "Sum").await), (all as f64, all as f64));
    // Nobody served any of it, and the alias is as it was put.
    assert!(scene.aws.journal().matching(|entry| entry.operation == "Invoke").is_empty());
    assert_eq!(scene.aws.journal().alias_changes().len(), 1);
    // No traffic, no datapoints.
    tokio::time::sleep(2 * scene.aws.minute()).await;
    let now_ms = minute_ago(&scene.aws, 0);
    let results = ask(&client, vec![stat("q", &by_alias, "Sum", 60)], now_ms, now_ms + 1_000).await;
    assert!(results[0].values().is_empty(), "{results:?}");
}

#[tokio::test]
async fn late_traffic_is_counted_in_the_minute_in_which_it_was() {
    let scene = Scene::deployed().await;
    let client = client(&scene.aws);
    let late = Duration::from_millis(2_500);
    let simulation = scene
        .aws
        .simulate(SimulationOptions { published_after: late, ..SimulationOptions::new("echo", "live") });
    wait_until("traffic", SOON, || simulation.counts().versions.contains_key("1").then_some(()))
        .await
        .unwrap();
    let minute_ms = minute_ago(&scene.aws, -1);
    let by_function = MetricId::new("AWS/Lambda", "Invocations", &[("FunctionName", "echo")]);
    let seen = async || {
        let results =
            ask(&client, vec![stat("q", &by_function, "Sum", 60)], minute_ms, minute_ms + 1_000).await;
        results[0].values().first().copied()
    };
    let over_ms = u64::try_from(minute_ms + 1_100 - Timestamp::now().as_millisecond()).unwrap();
    tokio::time::sleep(Duration::from_millis(over_ms)).await;
    assert_eq!(seen().await, None, "the minute is over, and nothing of it is known");
    tokio::time::sleep(late).await;
    let known = seen().await.unwrap();
    assert!((2_000.0..4_000.0).contains(&known), "{known} of about 3,000");
}
