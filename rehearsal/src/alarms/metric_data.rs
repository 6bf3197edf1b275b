//! `GetMetricData`: statistics and metric math over a stretch of time, in pages. What CloudWatch would refuse is refused
//! here, so that a wrong request does not work locally alone.

use super::{
    AlarmBoard,
    definition::{MetricQuery, MetricStat, QuerySource, lenient_number, read_metric_queries},
    evaluate::{Grid, period_ms, series_of},
    metrics::{MetricTrouble, pages::MetricResult},
    operations::invalid,
    wire,
};
use crate::front::fault_answers::ServiceError;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The datapoints of one page, if the request names no fewer.
const PAGE_DATAPOINTS_MAX: usize = 100_800;
const QUERIES_MAX: usize = 500;
/// Periods of one query: a day of seconds and more. Past it the request is a mistake, and would only eat memory.
const PERIODS_MAX: i64 = 200_000;
/// Expressions may name expressions, but not in a circle.
const REFERENCE_DEPTH_MAX: usize = 20;

pub(super) fn get_metric_data(board: &AlarmBoard, request: &Value) -> Result<Value, ServiceError> {
    let page_max = match request.get("MaxDatapoints").map(lenient_number) {
        None => PAGE_DATAPOINTS_MAX,
        Some(Some(most)) if most >= 1.0 => (most as usize).min(PAGE_DATAPOINTS_MAX),
        Some(_) => return Err(invalid("MaxDatapoints must be at least 1")),
    };
    let results = match request.get("NextToken").and_then(Value::as_str) {
        None => read(board, request)?,
        Some(token) => board
            .metrics()
            .with_pages(|pages| pages.continued(token))
            .ok_or_else(|| ServiceError::new(400, "InvalidNextToken", "no answer goes on with this token"))?,
    };
    let (page, rest) = split(results, page_max);
    let mut answer = json!({"MetricDataResults": page, "Messages": []});
    if let Some(rest) = rest {
        answer["NextToken"] = json!(board.metrics().with_pages(|pages| pages.keep(rest)));
    }
    Ok(answer)
}

/// One page, and what is left. Every result is on every page, with `PartialData` as long as some of it is to come.
fn split(results: Vec<MetricResult>, page_max: usize) -> (Vec<Value>, Option<Vec<MetricResult>>) {
    let mut room = page_max;
    let mut page = Vec::new();
    let mut rest = Vec::new();
    for mut result in results {
        let left = result.points.split_off(result.points.len().min(room));
        room -= result.points.len();
        let trouble =
            result.trouble.max(if left.is_empty() { None } else { Some(MetricTrouble::PartialData) });
        let (times, values): (Vec<i64>, Vec<f64>) = result.points.iter().copied().unzip();
        page.push(json!({
            "Id": result.id, "Label": result.label, "Timestamps": times, "Values": values,
            "StatusCode": trouble.map_or("Complete", MetricTrouble::as_str),
        }));
        rest.push(MetricResult { points: left, ..result });
    }
    let is_more = rest.iter().any(|result| !result.points.is_empty());
    (page, is_more.then_some(rest))
}

fn read(board: &AlarmBoard, request: &Value) -> Result<Vec<MetricResult>, ServiceError> {
    let field = |name: &str| request.get(name).ok_or_else(|| invalid(format!("{name} is missing")));
    let queries = read_metric_queries(field("MetricDataQueries")?).map_err(invalid)?;
    check(&queries)?;
    let time =
        |name: &str| wire::time_ms(field(name)?).ok_or_else(|| invalid(format!("{name} is not a time")));
    let (start_ms, end_ms) = (time("StartTime")?, time("EndTime")?);
    if start_ms >= end_ms {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let is_oldest_first = match request.get("ScanBy").and_then(Value::as_str) {
        Some("TimestampAscending") => true,
        Some("TimestampDescending") | None => false,
        Some(other) => return Err(invalid(format!("ScanBy knows no {other}"))),
    };
    let mut results = Vec::new();
    let periods: BTreeSet<u32> = stats(&queries).map(|(_, stat)| stat.period_s).collect();
    for period_s in periods {
        let period_ms = period_ms(period_s, board.period_scale());
        let start_ms = start_ms.div_euclid(period_ms) * period_ms;
        // A datapoint belongs to the answer when its period starts before the end.
        let length = (end_ms - start_ms + period_ms - 1).div_euclid(period_ms);
        if length > PERIODS_MAX {
            return Err(invalid(format!("{length} periods of {period_s} s are more than {PERIODS_MAX}")));
        }
        let now_ms = Timestamp::now().as_millisecond();
        let grid = Grid { start_ms, period_ms, length: usize::try_from(length).unwrap_or(0), now_ms };
        let mut same_period = Vec::new();
        for query in &queries {
            if period_of(query, &queries)? == period_s {
                same_period.push(query.clone());
            }
        }
        let series = series_of(&same_period, board.metrics(), grid).map_err(invalid)?;
        for query in same_period.into_iter().filter(|query| query.return_data) {
            let trouble = worst_trouble(board, &query, &queries);
            let known = series.get(&query.id).into_iter().flatten();
            let points =
                grid.starts_ms().zip(known).filter_map(|(start, value)| Some((start, (*value)?))).collect();
            let mut points = left_by(trouble, points);
            if !is_oldest_first {
                points.reverse();
            }
            results.push(MetricResult { label: label(&query), id: query.id, points, trouble });
        }
    }
    // In the order of the queries, which is not that of the periods.
    let place = |result: &MetricResult| queries.iter().position(|query| query.id == result.id);
    results.sort_by_key(place);
    Ok(results)
}

fn check(queries: &[MetricQuery]) -> Result<(), ServiceError> {
    if queries.is_empty() || queries.len() > QUERIES_MAX {
        return Err(invalid(format!("{} queries are not from 1 to {QUERIES_MAX}", queries.len())));
    }
    let mut ids = BTreeSet::new();
    for query in queries {
        let id = query.id.as_str();
        let is_name = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !is_name {
            return Err(invalid(format!(
                "the id {id:?} is not a lower-case letter with letters, digits and underscores after it"
            )));
        }
        if !ids.insert(id) {
            return Err(invalid(format!("the id {id} is there twice")));
        }
    }
    if let Some((id, stat)) = stats(queries).find(|(_, stat)| !is_period(stat.period_s)) {
        return Err(invalid(format!("{id}: a period of {} s is no multiple of 60", stat.period_s)));
    }
    if !queries.iter().any(|query| query.return_data) {
        return Err(invalid("no query returns data"));
    }
    Ok(())
}

fn is_period(period_s: u32) -> bool {
    [1, 5, 10, 20, 30].contains(&period_s) || period_s.is_multiple_of(60)
}

fn stats(queries: &[MetricQuery]) -> impl Iterator<Item = (&str, &MetricStat)> {
    queries.iter().filter_map(|query| match &query.source {
        QuerySource::Stat(stat) => Some((query.id.as_str(), stat)),
        QuerySource::Expression(..) => None,
    })
}

/// The metrics that a query is made of.
fn metrics_of<'a>(query: &'a MetricQuery, queries: &'a [MetricQuery], depth: usize) -> Vec<&'a MetricStat> {
    let expression = match &query.source {
        QuerySource::Stat(stat) => return vec![stat],
        QuerySource::Expression(..) if depth == 0 => return Vec::new(),
        QuerySource::Expression(_, expression) => expression,
    };
    let (ids, wildcards) = (expression.ids(), expression.wildcards());
    let named = queries.iter().filter(|other| {
        let is_metric = matches!(other.source, QuerySource::Stat(_));
        ids.contains(&other.id) || is_metric && wildcards.iter().any(|part| other.id.contains(part))
    });
    named.flat_map(|other| metrics_of(other, queries, depth - 1)).collect()
}

fn period_of(query: &MetricQuery, queries: &[MetricQuery]) -> Result<u32, ServiceError> {
    let periods: BTreeSet<u32> =
        metrics_of(query, queries, REFERENCE_DEPTH_MAX).iter().map(|stat| stat.period_s).collect();
    match periods.iter().collect::<Vec<_>>().as_slice() {
        [one] => Ok(**one),
        [] => Err(invalid(format!("{} is made of no metric", query.id))),
        [_, _, ..] => Err(invalid(format!(
            "{} combines metrics of several periods {periods:?}, which the local CloudWatch does not",
            query.id
        ))),
    }
}

fn worst_trouble(board: &AlarmBoard, query: &MetricQuery, queries: &[MetricQuery]) -> Option<MetricTrouble> {
    let metrics = metrics_of(query, queries, REFERENCE_DEPTH_MAX);
    metrics.iter().filter_map(|stat| board.metrics().trouble(&stat.metric)).max()
}

/// Oldest first.
fn left_by(trouble: Option<MetricTrouble>, mut points: Vec<(i64, f64)>) -> Vec<(i64, f64)> {
    match trouble {
        None => {}
        Some(MetricTrouble::PartialData) => points.truncate(points.len() / 2),
        Some(MetricTrouble::InternalError | MetricTrouble::Forbidden) => points.clear(),
    }
    points
}

fn label(query: &MetricQuery) -> String {
    match (&query.label, &query.source) {
        (Some(label), _) => label.clone(),
        (None, QuerySource::Stat(stat)) => stat.metric.name.clone(),
        (None, QuerySource::Expression(..)) => query.id.clone(),
    }
}
