//! The words and the data by which CloudWatch explains a state: `StateReason` and `StateReasonData`. Only wording; what
//! the state is was decided before.

use super::{
    definition::{MetricAlarm, MissingData, QuerySource},
    evaluate::{AlarmState, Datapoint, Evaluation},
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

/// `2023-08-04T12:36:15.490+0000`: what CloudWatch writes in alarm payloads.
pub(crate) fn alarm_time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

fn alarm_time_ms(time_ms: i64) -> String {
    alarm_time(Timestamp::from_millisecond(time_ms).unwrap_or_default())
}

/// Plural by count, as CloudWatch writes it.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Why the alarm goes from `from` to `to`.
pub(crate) fn reason(
    alarm: &MetricAlarm,
    evaluation: &Evaluation,
    from: AlarmState,
    to: AlarmState,
) -> String {
    if let Some(error) = &evaluation.error {
        return format!("Error evaluating the alarm: {error}");
    }
    if evaluation.datapoints.is_empty() {
        return without_datapoints(alarm, evaluation, to);
    }
    let points: Vec<String> = evaluation.datapoints.iter().map(worded).collect();
    let threshold = format!("the threshold ({:?})", alarm.threshold);
    let words = alarm.comparison.words();
    let (counted_points, was) = match to {
        AlarmState::Alarm => (evaluation.breaching, "was"),
        AlarmState::Ok | AlarmState::InsufficientData => {
            (evaluation.datapoints.len() - evaluation.breaching, "was not")
        }
    };
    let was = match (counted_points, was) {
        (1, was) => was.to_owned(),
        (_, was) => was.replacen("was", "were", 1),
    };
    let mut text = format!(
        "Threshold Crossed: {counted_points} out of the last {} datapoints [{}] {was} {words} {threshold} (minimum {} for {} -> {} transition)",
        evaluation.datapoints.len(),
        points.join(", "),
        counted(minimum(alarm, to), "datapoint"),
        from_in_words(from),
        to,
    );
    if evaluation.filled > 0 {
        text += &format!(
            " and {} treated as [{}]",
            were(evaluation.filled, "missing datapoint"),
            treatment(alarm.missing_data)
        );
    }
    text + "."
}

fn minimum(alarm: &MetricAlarm, to: AlarmState) -> usize {
    match to {
        AlarmState::Alarm => alarm.datapoints_to_alarm,
        AlarmState::Ok | AlarmState::InsufficientData => {
            alarm.evaluation_periods - alarm.datapoints_to_alarm + 1
        }
    }
}

/// CloudWatch words the first transition as one from OK.
fn from_in_words(from: AlarmState) -> AlarmState {
    match from {
        AlarmState::Alarm => AlarmState::Alarm,
        AlarmState::Ok | AlarmState::InsufficientData => AlarmState::Ok,
    }
}

fn without_datapoints(alarm: &MetricAlarm, evaluation: &Evaluation, to: AlarmState) -> String {
    let periods = counted(alarm.evaluation_periods, "period");
    match to {
        AlarmState::InsufficientData => {
            format!("Insufficient Data: {} unknown.", were(evaluation.filled, "datapoint"))
        }
        AlarmState::Ok | AlarmState::Alarm => format!(
            "Threshold Crossed: no datapoints were received for {periods} and {} treated as [{}].",
            were(evaluation.filled, "missing datapoint"),
            treatment(alarm.missing_data),
        ),
    }
}

fn were(count: usize, noun: &str) -> String {
    format!("{} {}", counted(count, noun), if count == 1 { "was" } else { "were" })
}

fn treatment(missing: MissingData) -> &'static str {
    match missing {
        MissingData::Missing => "Missing",
        MissingData::Ignore => "Ignored",
        MissingData::Breaching => "Breaching",
        MissingData::NotBreaching => "NonBreaching",
    }
}

fn worded(point: &Datapoint) -> String {
    let time = Timestamp::from_millisecond(point.start_ms).unwrap_or_default().to_zoned(TimeZone::UTC);
    format!("{:?} ({})", point.value, time.strftime("%d/%m/%y %H:%M:%S"))
}

/// The document behind the words. CloudWatch sends it as a string inside the payload.
pub(crate) fn reason_data(alarm: &MetricAlarm, evaluation: &Evaluation, now: Timestamp) -> Value {
    let points = &evaluation.datapoints;
    let mut data = json!({
        "version": "1.0",
        "queryDate": alarm_time(now),
        "period": alarm.period_s,
        "recentDatapoints": points.iter().rev().map(|point| point.value).collect::<Vec<_>>(),
        "threshold": alarm.threshold,
        "evaluatedDatapoints": points.iter().map(evaluated).collect::<Vec<_>>(),
    });
    if let Some(oldest) = points.last() {
        data["startDate"] = json!(alarm_time_ms(oldest.start_ms));
    }
    if let Some(QuerySource::Stat(stat)) = alarm.watched().map(|query| &query.source) {
        data["statistic"] = json!(stat.statistic_text);
    }
    data
}

fn evaluated(point: &Datapoint) -> Value {
    let mut evaluated = json!({"timestamp": alarm_time_ms(point.start_ms), "value": point.value});
    if let Some(sample_count) = point.sample_count {
        evaluated["sampleCount"] = json!(sample_count);
    }
    evaluated
}
