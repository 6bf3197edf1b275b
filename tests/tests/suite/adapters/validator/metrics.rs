//! `GetMetricData`: pages, how complete each answer is, and what is said about it.

use aws_sdk_cloudwatch::types::MessageData;
use ripcord::measure::{Answers, Query, Question, Series, Values, Wanted};
use ripcord::registration::MetricSource;

use super::*;

fn question() -> Question {
    let source = MetricSource {
        namespace: "AWS/Lambda".to_owned(),
        name: "Errors".to_owned(),
        dimensions: [("FunctionName".to_owned(), "checkout".to_owned())].into(),
        stat: "Sum".to_owned(),
    };
    let query =
        |id: &str, wanted, is_answered| Query { id: id.to_owned(), what: id.to_owned(), wanted, is_answered };
    Question {
        from: at("10:00:00"),
        to: at("10:03:00"),
        period_seconds: 60,
        queries: vec![
            query("a", Wanted::Metric(source.clone()), true),
            query("in", Wanted::Metric(source), false),
            query("m", Wanted::Math("100 * in".to_owned()), true),
        ],
    }
}

fn message(code: &str) -> MessageData {
    MessageData::builder().code(code).value("made up").build()
}

fn page(results: Vec<MetricDataResult>, next: Option<&str>) -> GetMetricDataOutput {
    GetMetricDataOutput::builder()
        .set_metric_data_results(Some(results))
        .set_next_token(next.map(str::to_owned))
        .build()
}

/// Asks CloudWatch, which answers with these pages.
async fn asked(pages: Vec<GetMetricDataOutput>) -> Result<Answers, String> {
    let mut rule = mock!(CloudWatch::get_metric_data).match_requests(|_| true).sequence();
    for page in pages {
        rule = rule.output(move || page.clone());
    }
    let scene = Scene::new(&[&rule.build()]);
    scene.aws.metrics(&question()).await.map_err(|failed| failed.to_string())
}

fn ok() -> MetricDataResult {
    series("m", &[], StatusCode::Complete)
}

/// What becomes of the first query, if CloudWatch answers so.
async fn check(result: MetricDataResult, expect: Result<&[(&str, f64)], &str>) {
    let answers = asked(vec![page(vec![result, ok()], None)]).await.unwrap();
    assert_eq!(answers["a"], values(expect));
    assert_eq!(answers["m"], Ok(Values::new()), "one answer says nothing of another");
}

fn values(expect: Result<&[(&str, f64)], &str>) -> Series {
    let values = expect.map_err(str::to_owned)?;
    Ok(values.iter().map(|(time, value)| (at(time), *value)).collect())
}

fn some() -> Vec<(Timestamp, f64)> {
    vec![(at("10:00:00"), 3.0), (at("10:02:00"), 0.0)]
}

#[tokio::test(start_paused = true)]
async fn a_question_goes_out_as_it_was_made() {
    let rule = mock!(CloudWatch::get_metric_data)
        .match_requests(|input| {
            let [a, inside, m] = input.metric_data_queries() else { return false };
            let stat = a.metric_stat().unwrap();
            let metric = stat.metric().unwrap();
            let dimension = &metric.dimensions()[0];
            assert_eq!((stat.stat(), stat.period()), (Some("Sum"), Some(60)));
            assert_eq!((metric.namespace(), metric.metric_name()), (Some("AWS/Lambda"), Some("Errors")));
            assert_eq!((dimension.name(), dimension.value()), (Some("FunctionName"), Some("checkout")));
            assert_eq!((a.return_data(), inside.return_data()), (Some(true), Some(false)));
            assert_eq!(
                (m.expression(), m.period(), m.return_data()),
                (Some("100 * in"), Some(60), Some(true))
            );
            assert_eq!(input.start_time().unwrap().secs(), at("10:00:00").as_second());
            assert_eq!(input.end_time().unwrap().secs(), at("10:03:00").as_second());
            true
        })
        .then_output(|| page(vec![series("a", &[], StatusCode::Complete), ok()], None));
    let scene = Scene::new(&[&rule]);
    let answers = scene.aws.metrics(&question()).await.unwrap();
    // What only feeds another query is not waited for.
    assert_eq!(answers.keys().collect::<Vec<_>>(), ["a", "m"]);
}

#[tokio::test(start_paused = true)]
async fn only_a_complete_answer_is_one() {
    let complete: Result<&[(&str, f64)], &str> = Ok(&[("10:00:00", 3.0), ("10:02:00", 0.0)]);
    check(series("a", &some(), StatusCode::Complete), complete).await;
    check(series("a", &some(), StatusCode::PartialData), Err("PartialData")).await;
    check(series("a", &some(), StatusCode::InternalError), Err("InternalError")).await;
    check(series("a", &some(), StatusCode::Forbidden), Err("Forbidden")).await;
    check(series("a", &some(), StatusCode::from("Odd")), Err("Odd")).await;
    let mut unsaid = series("a", &some(), StatusCode::Complete);
    unsaid.status_code = None;
    check(unsaid, Err("without a status")).await;
    check(series("b", &some(), StatusCode::Complete), Err("CloudWatch did not answer that")).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_said_about_an_answer_is_heeded() {
    let with = |status: StatusCode, code: &str| {
        let mut result = series("a", &some(), status);
        result.messages = Some(vec![message(code)]);
        result
    };
    let complete: Result<&[(&str, f64)], &str> = Ok(&[("10:00:00", 3.0), ("10:02:00", 0.0)]);
    // A rate of no requests has no value; that minute is missing, and the others are not the worse for it.
    check(with(StatusCode::Complete, "ArithmeticError"), complete).await;
    check(with(StatusCode::Complete, "Odd"), Err("Complete (Odd: made up)")).await;
    check(with(StatusCode::Forbidden, "Authorization"), Err("Forbidden (Authorization: made up)")).await;
    check(with(StatusCode::InternalError, "Odd"), Err("InternalError (Odd: made up)")).await;
    let whole = GetMetricDataOutput::builder().messages(message("MaxMetricsExceeded")).build();
    let failed = asked(vec![whole]).await.unwrap_err();
    assert_eq!(failed, "cloudwatch:GetMetricData of 3 queries failed: MaxMetricsExceeded: made up");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_is_none() {
    let mut short = series("a", &some(), StatusCode::Complete);
    short.values = Some(vec![1.0]);
    check(short, Err("it has 2 times for 1 values")).await;
    let odd = [(at("10:00:00"), f64::NAN), (at("10:01:00"), f64::INFINITY), (at("10:02:00"), 1.0)];
    check(series("a", &odd, StatusCode::Complete), Ok(&[("10:02:00", 1.0)])).await;
    let twice = || series("a", &some(), StatusCode::Complete);
    let answers = asked(vec![page(vec![twice(), twice(), ok()], None)]).await.unwrap();
    assert_eq!(answers["a"], Err("it is several series, not one".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn every_page_is_read_and_the_last_one_says_whether_that_is_all() {
    let first = |status| page(vec![series("a", &[(at("10:00:00"), 3.0)], status), ok()], Some("more"));
    let second = |status| page(vec![series("a", &[(at("10:02:00"), 0.0)], status)], None);
    let both = values(Ok(&[("10:00:00", 3.0), ("10:02:00", 0.0)]));
    for status in [StatusCode::PartialData, StatusCode::InternalError, StatusCode::Complete] {
        let answers = asked(vec![first(status.clone()), second(StatusCode::Complete)]).await.unwrap();
        assert_eq!(answers["a"], both, "{status:?} on the first page");
    }
    let answers = asked(vec![first(StatusCode::Complete), second(StatusCode::PartialData)]).await.unwrap();
    assert_eq!(answers["a"], Err("PartialData".to_owned()));
    let answers = asked(vec![first(StatusCode::Forbidden), second(StatusCode::Complete)]).await.unwrap();
    assert_eq!(answers["a"], Err("Forbidden".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn pages_are_asked_for_by_token_and_not_without_end() {
    let endless = mock!(CloudWatch::get_metric_data)
        .then_output(|| page(vec![series("a", &[], StatusCode::PartialData), ok()], Some("more")));
    let scene = Scene::new(&[&endless]);
    let failed = scene.aws.metrics(&question()).await.unwrap_err().to_string();
    assert_eq!(failed, "cloudwatch:GetMetricData of 3 queries failed: the answer has more than 40 pages");
    let calls = scene.calls();
    assert_eq!(calls.matches(" from the next page").count(), 39);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_fails_the_answer() {
    let more = mock!(CloudWatch::get_metric_data)
        .match_requests(|input| input.next_token().is_none())
        .then_output(|| page(vec![series("a", &some(), StatusCode::Complete), ok()], Some("more")));
    let denied = mock!(CloudWatch::get_metric_data)
        .match_requests(|input| input.next_token() == Some("more"))
        .then_http_response(|| refuses(403, "AccessDeniedException"));
    let scene = Scene::new(&[&more, &denied]);
    let failed = scene.aws.metrics(&question()).await.unwrap_err().to_string();
    assert!(failed.starts_with("cloudwatch:GetMetricData of 3 queries failed: "), "{failed}");
    assert!(failed.contains("AccessDeniedException"), "{failed}");
}
