//! The requests to an alias of the last day.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use jiff::Timestamp;

use super::{Aws, CallFailed};
use crate::names::{AliasName, FunctionName};
use crate::preflight::{AliasSums, TrafficHistory};

const CALL: &str = "cloudwatch:GetMetricData";
/// Two queries of 288 periods fit into one page of 100,800 values many times over.
const PAGES_MAX: usize = 10;
const REQUESTS: &str = "requests";
const ERRORS: &str = "errors";

/// What came of one query so far.
#[derive(Default)]
struct Series {
    sums: Vec<(Timestamp, f64)>,
    /// The last page's status: only of the last one it must be complete.
    status: Option<StatusCode>,
    messages: Vec<String>,
}

impl Aws {
    /// What CloudWatch has of an alias between two times. A period without requests has no value.
    pub async fn alias_sums(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<AliasSums, CallFailed> {
        let name = format!("{function}:{alias}");
        let failed = |why: String| CallFailed { call: CALL, subject: name.clone(), why };
        let mut series: BTreeMap<String, Series> = BTreeMap::new();
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let call = self
                .cloudwatch
                .get_metric_data()
                .metric_data_queries(sum_of(REQUESTS, "Invocations", function, &name))
                .metric_data_queries(sum_of(ERRORS, "Errors", function, &name))
                .start_time(DateTime::from_millis(from.as_millisecond()))
                .end_time(DateTime::from_millis(until.as_millisecond()))
                .scan_by(ScanBy::TimestampAscending)
                .set_next_token(next);
            let page = call.send().await.map_err(|error| CallFailed::new(CALL, &name, &error))?;
            // Of the whole answer CloudWatch only has messages when something is wrong with it.
            if let Some(message) = page.messages().first() {
                return Err(failed(message.value().unwrap_or("a message without words").to_owned()));
            }
            for result in page.metric_data_results() {
                series.entry(result.id().unwrap_or_default().to_owned()).or_default().add(result);
            }
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                let mut complete =
                    |id: &str| series.remove(id).unwrap_or_default().complete(id).map_err(failed);
                return Ok(AliasSums { requests: complete(REQUESTS)?, errors: complete(ERRORS)? });
            }
        }
        Err(failed(format!("the answer has more than {PAGES_MAX} pages")))
    }
}

impl Series {
    fn add(&mut self, result: &MetricDataResult) {
        let starts = result.timestamps().iter().filter_map(|start| Timestamp::from_second(start.secs()).ok());
        self.sums.extend(starts.zip(result.values().iter().copied()));
        self.status = result.status_code().cloned();
        self.messages
            .extend(result.messages().iter().filter_map(|message| message.value()).map(str::to_owned));
    }

    fn complete(self, id: &str) -> Result<Vec<(Timestamp, f64)>, String> {
        match self.status {
            Some(StatusCode::Complete) => Ok(self.sums),
            Some(status) => Err(format!("{id} are {status}{}", self.messages.join(", "))),
            None => Err(format!("{id} are not in the answer")),
        }
    }
}

fn sum_of(id: &str, metric: &str, function: &FunctionName, alias: &str) -> MetricDataQuery {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let metric = Metric::builder()
        .namespace("AWS/Lambda")
        .metric_name(metric)
        .dimensions(dimension("FunctionName", function.as_str()))
        .dimensions(dimension("Resource", alias))
        .build();
    let period_seconds = i32::try_from(TrafficHistory::PERIOD_MINUTES * 60).unwrap_or(i32::MAX);
    let stat = MetricStat::builder().metric(metric).period(period_seconds).stat("Sum").build();
    MetricDataQuery::builder().id(id).metric_stat(stat).return_data(true).build()
}
