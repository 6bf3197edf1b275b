//! What a metric alarm's data says: the pure heart of the evaluator. It must not read a clock; `now` and the scale of
//! time come from the caller.

use super::{
    definition::{MetricAlarm, MetricQuery, MetricStat, MissingData, QuerySource},
    expression::Series,
    metrics::{MetricStore, Reading},
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// CloudWatch retrieves more datapoints than it needs, in case recent ones are missing. Its documentation's examples
/// retrieve five for three evaluation periods.
const EXTRA_PERIODS: usize = 2;
/// Expressions may name expressions, but not in a circle.
const REFERENCE_DEPTH_MAX: usize = 20;

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are CloudWatch's")]
pub enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

impl AlarmState {
    /// As CloudWatch writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData].into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for AlarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One period's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Datapoint {
    /// When the period began.
    pub start_ms: i64,
    /// The statistic's or the expression's value.
    pub value: f64,
    /// How many samples it was made of; nothing for metric math.
    pub sample_count: Option<f64>,
}

/// What one evaluation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The state that the data calls for; nothing when the alarm keeps the one it has.
    pub state: Option<AlarmState>,
    /// The datapoints that were judged, newest first.
    pub datapoints: Vec<Datapoint>,
    /// How many of them breach.
    pub breaching: usize,
    /// How many missing datapoints were filled in.
    pub filled: usize,
    /// Set when the data could not be evaluated at all.
    pub error: Option<String>,
}

/// How long `period_s` lasts on the wall: a rehearsal's minute may be a second.
pub(crate) fn period_ms(period_s: u32, scale: f64) -> i64 {
    ((f64::from(period_s) * 1_000.0 * scale).round() as i64).max(1)
}

/// Judges the periods that had ended at `now_ms`.
#[must_use]
pub fn evaluate(alarm: &MetricAlarm, store: &MetricStore, now_ms: i64, scale: f64) -> Evaluation {
    let length = alarm.evaluation_periods + EXTRA_PERIODS;
    let period_ms = period_ms(alarm.period_s, scale);
    let end_ms = now_ms.div_euclid(period_ms) * period_ms;
    let start_ms = end_ms - period_ms * i64::try_from(length).unwrap_or(i64::MAX / period_ms);
    match watched_series(alarm, store, Grid { start_ms, period_ms, length, now_ms }) {
        Ok(range) => judge(alarm, &range),
        Err(error) => Evaluation {
            state: Some(AlarmState::InsufficientData),
            datapoints: Vec::new(),
            breaching: 0,
            filled: 0,
            error: Some(error),
        },
    }
}

/// A stretch of whole periods, and when it is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) start_ms: i64,
    pub(crate) period_ms: i64,
    pub(crate) length: usize,
    pub(crate) now_ms: i64,
}

impl Grid {
    pub(crate) fn starts_ms(self) -> impl Iterator<Item = i64> {
        (0..self.length).map(move |i| self.start_ms + self.period_ms * i64::try_from(i).unwrap_or(0))
    }

    fn read(self, store: &MetricStore, stat: &MetricStat, start_ms: i64) -> Option<Reading> {
        store.read(&stat.metric, stat.statistic, start_ms, start_ms + self.period_ms, self.now_ms)
    }
}

fn watched_series(
    alarm: &MetricAlarm,
    store: &MetricStore,
    grid: Grid,
) -> Result<Vec<Option<Datapoint>>, String> {
    let watched = alarm.watched().ok_or("no metric of the alarm returns data")?;
    if let QuerySource::Stat(stat) = &watched.source {
        let readings = grid.starts_ms().map(|start_ms| {
            let reading = grid.read(store, stat, start_ms)?;
            Some(Datapoint { start_ms, value: reading.value, sample_count: Some(reading.sample_count) })
        });
        return Ok(readings.collect());
    }
    let all = series_of(&alarm.queries, store, grid)?;
    let series = all.get(&watched.id).ok_or("the watched expression has no series")?;
    let points = grid.starts_ms().zip(series);
    Ok(points
        .map(|(start_ms, value)| Some(Datapoint { start_ms, value: (*value)?, sample_count: None }))
        .collect())
}

/// The series of every query, metrics first and then the expressions over them.
pub(crate) fn series_of(
    queries: &[MetricQuery],
    store: &MetricStore,
    grid: Grid,
) -> Result<BTreeMap<String, Series>, String> {
    let mut series = BTreeMap::new();
    let mut expressions = Vec::new();
    for query in queries {
        match &query.source {
            QuerySource::Stat(stat) => {
                let read = |start_ms| Some(grid.read(store, stat, start_ms)?.value);
                let values = grid.starts_ms().map(read);
                series.insert(query.id.clone(), values.collect::<Series>());
            }
            QuerySource::Expression(_, expression) => expressions.push((&query.id, expression)),
        }
    }
    let metrics: Vec<String> = series.keys().cloned().collect();
    for _ in 0..REFERENCE_DEPTH_MAX {
        let (ready, waiting): (Vec<_>, Vec<_>) =
            expressions.into_iter().partition(|(_, e)| e.ids().iter().all(|id| is_known(id, &series)));
        for (id, expression) in ready {
            let value = expression.evaluate(&series, &metrics, grid.length)?;
            series.insert(id.clone(), value);
        }
        if waiting.is_empty() {
            return Ok(series);
        }
        expressions = waiting;
    }
    Err("the expressions name each other in a circle".to_owned())
}

fn is_known(id: &str, series: &BTreeMap<String, Series>) -> bool {
    id == "REPEAT" || series.contains_key(id)
}

/// The documented rules, over the evaluation range, oldest first.
fn judge(alarm: &MetricAlarm, range: &[Option<Datapoint>]) -> Evaluation {
    let breaches = |point: &Datapoint| alarm.comparison.breaches(point.value, alarm.threshold);
    let newest_first = || range.iter().rev();
    let needed = alarm.evaluation_periods;
    // Enough real datapoints: the newest ones are judged, and no missing one matters.
    let datapoints: Vec<Datapoint> = newest_first().flatten().take(needed).copied().collect();
    let breaching = datapoints.iter().filter(|point| breaches(point)).count();
    let missing = needed - datapoints.len();
    let by_count = |count: usize| {
        Some(if count >= alarm.datapoints_to_alarm { AlarmState::Alarm } else { AlarmState::Ok })
    };
    let all_breach = breaching == datapoints.len();
    let (state, filled) = match alarm.missing_data {
        _ if missing == 0 => (by_count(breaching), 0),
        MissingData::Breaching => (by_count(breaching + missing), missing),
        MissingData::NotBreaching => (by_count(breaching), missing),
        MissingData::Missing if datapoints.is_empty() => (Some(AlarmState::InsufficientData), missing),
        MissingData::Ignore if datapoints.is_empty() => (None, missing),
        MissingData::Missing | MissingData::Ignore if breaching >= alarm.datapoints_to_alarm => {
            (Some(AlarmState::Alarm), 0)
        }
        MissingData::Missing | MissingData::Ignore if !all_breach => (Some(AlarmState::Ok), 0),
        MissingData::Ignore => (None, 0),
        // Every real datapoint breaches, but they are too few. The alarm fires once the oldest is as old as the
        // datapoints to alarm ("premature" in the documentation), because then none can come to clear it.
        MissingData::Missing => {
            let oldest_age = newest_first()
                .enumerate()
                .filter(|(_, point)| point.is_some())
                .map(|(index, _)| index + 1)
                .max();
            let is_old = oldest_age.is_some_and(|age| age >= alarm.datapoints_to_alarm);
            (Some(if is_old { AlarmState::Alarm } else { AlarmState::Ok }), 0)
        }
    };
    Evaluation { state, datapoints, breaching, filled, error: None }
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
