//! `GetMetricData`: every page, and of every query whether its answer is complete.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, MessageData, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use jiff::Timestamp;

use super::{Aws, CallFailed};
use crate::measure::{Answers, Query, Question, Series, Wanted};
use crate::registration::MetricSource;

const CALL: &str = "cloudwatch:GetMetricData";
/// A page has 100,800 values, and all minutes of two weeks are 20,000 per query. A look at the longest release that is
/// allowed, with every limit that is allowed, stays below.
const PAGES_MAX: usize = 40;
/// Of some periods metric math has no value, such as a rate of no requests. They are missing, and the rest is complete.
const ARITHMETIC_ERROR: &str = "ArithmeticError";

impl Aws {
    /// Asks CloudWatch. An answer that is not complete says so in its place; only a call that fails fails all of them.
    pub async fn metrics(&self, question: &Question) -> Result<Answers, CallFailed> {
        let failed = |why: String| CallFailed { call: CALL, subject: subject(question), why };
        let queries: Vec<MetricDataQuery> =
            question.queries.iter().map(|query| line(query, question.period_seconds)).collect();
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let call = self
                .cloudwatch
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(DateTime::from_millis(question.from.as_millisecond()))
                .end_time(DateTime::from_millis(question.to.as_millisecond()))
                .scan_by(ScanBy::TimestampAscending)
                .set_next_token(next);
            let page = call.send().await.map_err(|error| CallFailed::new(CALL, subject(question), &error))?;
            // CloudWatch has a message about the whole answer only when something is wrong with it.
            if !page.messages().is_empty() {
                return Err(failed(words(page.messages())));
            }
            collect(&page, &mut found);
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                let asked = question.queries.iter().filter(|query| query.is_answered);
                return Ok(asked.map(|query| (query.id.clone(), settle(found.remove(&query.id)))).collect());
            }
        }
        Err(failed(format!("the answer has more than {PAGES_MAX} pages")))
    }
}

fn subject(question: &Question) -> String {
    format!("{} queries", question.queries.len())
}

fn line(query: &Query, period_seconds: u32) -> MetricDataQuery {
    let line = MetricDataQuery::builder().id(&query.id).return_data(query.is_answered);
    // No period that is asked for comes near the end of the number's range.
    let period = i32::try_from(period_seconds).unwrap_or(i32::MAX);
    match &query.wanted {
        Wanted::Metric(source) => line.metric_stat(
            MetricStat::builder().metric(metric(source)).period(period).stat(&source.stat).build(),
        ),
        Wanted::Math(expression) => line.expression(expression).period(period),
    }
    .build()
}

fn metric(source: &MetricSource) -> Metric {
    let dimensions = source.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
    Metric::builder()
        .namespace(&source.namespace)
        .metric_name(&source.name)
        .set_dimensions(Some(dimensions.collect()))
        .build()
}

/// What came of one query so far.
#[derive(Default)]
struct Found {
    values: BTreeMap<Timestamp, f64>,
    /// What the last page said. Before it, data is partial because there is more to come.
    status: Option<StatusCode>,
    messages: Vec<String>,
    /// What no later page can make good.
    spoilt: Option<String>,
}

fn collect(page: &GetMetricDataOutput, found: &mut BTreeMap<String, Found>) {
    let mut seen: Vec<&str> = Vec::new();
    for result in page.metric_data_results() {
        let id = result.id().unwrap_or_default();
        let known = found.entry(id.to_owned()).or_default();
        if seen.contains(&id) {
            known.spoilt = Some("it is several series, not one".to_owned());
        }
        seen.push(id);
        known.add(result);
    }
}

impl Found {
    fn add(&mut self, result: &MetricDataResult) {
        let (times, values) = (result.timestamps(), result.values());
        if times.len() != values.len() {
            self.spoilt = Some(format!("it has {} times for {} values", times.len(), values.len()));
        }
        for (time, value) in times.iter().zip(values) {
            // On the wire a time is a number of seconds with a fraction, and periods begin at whole milliseconds.
            let ms = (time.as_secs_f64() * 1e3).round() as i64;
            match Timestamp::from_millisecond(ms).ok() {
                Some(start) if value.is_finite() => {
                    self.values.insert(start, *value);
                }
                Some(_) => {}
                None => self.spoilt = Some("one of its times is none".to_owned()),
            }
        }
        self.status = result.status_code().cloned();
        if self.status == Some(StatusCode::Forbidden) {
            self.spoilt = Some(because("Forbidden", result.messages()));
        }
        let grave = result.messages().iter().filter(|message| message.code() != Some(ARITHMETIC_ERROR));
        self.messages.extend(grave.map(word));
    }
}

/// What a query's answer comes to once every page is there.
fn settle(found: Option<Found>) -> Series {
    let Some(found) = found else { return Err("CloudWatch did not answer that".to_owned()) };
    if let Some(spoilt) = found.spoilt {
        return Err(spoilt);
    }
    let said = |status: &str| {
        let messages = found.messages.join("; ");
        if messages.is_empty() { status.to_owned() } else { format!("{status} ({messages})") }
    };
    match &found.status {
        Some(status) if *status == StatusCode::Complete && found.messages.is_empty() => Ok(found.values),
        Some(status) => Err(said(status.as_str())),
        None => Err(said("without a status")),
    }
}

fn because(status: &str, messages: &[MessageData]) -> String {
    if messages.is_empty() { status.to_owned() } else { format!("{status} ({})", words(messages)) }
}

fn words(messages: &[MessageData]) -> String {
    messages.iter().map(word).collect::<Vec<_>>().join("; ")
}

fn word(message: &MessageData) -> String {
    let code = message.code().unwrap_or("without a code");
    message.value().map_or(code.to_owned(), |value| format!("{code}: {value}"))
}
