//! What CloudWatch sends when an alarm changes: the direct Lambda action's event, the SNS message and the EventBridge
//! event. The forms differ in case, times and nesting, and consumers depend on each of them exactly.

use super::{
    Explained, Transition,
    definition::{AlarmKind, MetricAlarm, MetricQuery, MetricStat, QuerySource},
    reason::alarm_time,
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// The id of a plain alarm's only metric; CloudWatch makes one up as well.
const PLAIN_METRIC_ID: &str = "5c3b7e8a-2f64-4d1b-9a0e-7d1f0c9b8a65";

/// The event of a Lambda action.
pub(crate) fn lambda_event(transition: &Transition, account_id: &str, region: &str) -> Value {
    json!({
        "source": "aws.cloudwatch",
        "alarmArn": transition.arn,
        "accountId": account_id,
        "time": alarm_time(transition.current.since),
        "region": region,
        "alarmData": alarm_data(transition),
    })
}

/// The entry for `PutEvents`; EventBridge adds id, time, region and account itself.
pub(crate) fn event_entry(transition: &Transition) -> Value {
    let time = transition.current.since.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Resources": [transition.arn],
        "Time": time,
        "Detail": alarm_data(transition).to_string(),
    })
}

/// The subject and the message of an SNS action.
pub(crate) fn sns_message(transition: &Transition, account_id: &str, region: &str) -> (String, Value) {
    let definition = &transition.definition;
    let region_name = region_name(region);
    let subject = format!("{}: \"{}\" in {region_name}", transition.current.value, definition.name);
    let mut message = json!({
        "AlarmName": definition.name,
        "AlarmDescription": definition.description,
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": alarm_time(transition.configured),
        "NewStateValue": transition.current.value,
        "NewStateReason": transition.current.reason,
        "StateChangeTime": alarm_time(transition.current.since),
        "Region": region_name,
        "AlarmArn": transition.arn,
        "OldStateValue": transition.previous.value,
        "OKActions": definition.ok_actions,
        "AlarmActions": definition.alarm_actions,
        "InsufficientDataActions": definition.insufficient_data_actions,
    });
    match &definition.kind {
        AlarmKind::Metric(alarm) => message["Trigger"] = trigger(alarm),
        AlarmKind::Composite(rule, _) => {
            message["AlarmRule"] = json!(rule);
            let triggering =
                transition.current.reason_data.as_ref().and_then(|d| d["triggeringAlarms"].as_array());
            let children = triggering.into_iter().flatten().map(|child| {
                let state = &child["state"];
                json!({"Arn": child["arn"], "State": {"Value": state["value"], "Timestamp": state["timestamp"]}})
            });
            message["TriggeringChildren"] = children.collect();
        }
    }
    // SNS cuts nothing and refuses subjects of more than 100 characters.
    (subject.chars().take(100).collect(), message)
}

fn alarm_data(transition: &Transition) -> Value {
    let definition = &transition.definition;
    let mut configuration = match &definition.kind {
        AlarmKind::Metric(alarm) => json!({"metrics": metrics(alarm)}),
        AlarmKind::Composite(rule, _) => json!({"alarmRule": rule}),
    };
    if let Some(description) = &definition.description {
        configuration["description"] = json!(description);
    }
    json!({
        "alarmName": definition.name,
        "state": state(&transition.current),
        "previousState": state(&transition.previous),
        "configuration": configuration,
    })
}

fn state(state: &Explained) -> Value {
    let mut document = json!({
        "value": state.value,
        "reason": state.reason,
        "timestamp": alarm_time(state.since),
    });
    if let Some(data) = &state.reason_data {
        // A string that holds JSON, not JSON.
        document["reasonData"] = json!(data.to_string());
    }
    document
}

fn metrics(alarm: &MetricAlarm) -> Value {
    let metric = |query: &MetricQuery| {
        let id = if alarm.is_math { query.id.as_str() } else { PLAIN_METRIC_ID };
        let mut metric = match &query.source {
            QuerySource::Stat(stat) => json!({"id": id, "metricStat": metric_stat(stat)}),
            QuerySource::Expression(text, _) => json!({"id": id, "expression": text}),
        };
        if let Some(label) = &query.label {
            metric["label"] = json!(label);
        }
        metric["returnData"] = json!(query.return_data);
        metric
    };
    alarm.queries.iter().map(metric).collect()
}

fn metric_stat(stat: &MetricStat) -> Value {
    let mut document = json!({
        "metric": {
            "namespace": stat.metric.namespace,
            "name": stat.metric.name,
            "dimensions": stat.metric.dimensions,
        },
        "period": stat.period_s,
        "stat": stat.statistic_text,
    });
    if let Some(unit) = &stat.unit {
        document["unit"] = json!(unit);
    }
    document
}

/// `Trigger` of the SNS message: flat for a plain alarm, a list for metric math.
fn trigger(alarm: &MetricAlarm) -> Value {
    let mut trigger = json!({
        "Period": alarm.period_s,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "ComparisonOperator": format!("{:?}", alarm.comparison),
        "Threshold": alarm.threshold,
        "TreatMissingData": missing_data(alarm),
        "EvaluateLowSampleCountPercentile": "",
    });
    if alarm.is_math {
        trigger["Metrics"] = alarm.queries.iter().map(trigger_metric).collect();
    } else if let Some(QuerySource::Stat(stat)) = alarm.watched().map(|query| &query.source) {
        let is_plain = stat.statistic_text.chars().all(char::is_alphabetic);
        trigger["MetricName"] = json!(stat.metric.name);
        trigger["Namespace"] = json!(stat.metric.namespace);
        trigger["StatisticType"] = json!(if is_plain { "Statistic" } else { "ExtendedStatistic" });
        let key = if is_plain { "Statistic" } else { "ExtendedStatistic" };
        let written = if is_plain { stat.statistic_text.to_uppercase() } else { stat.statistic_text.clone() };
        trigger[key] = json!(written);
        trigger["Unit"] = json!(stat.unit);
        trigger["Dimensions"] = dimensions(stat);
    }
    trigger
}

fn trigger_metric(query: &MetricQuery) -> Value {
    let mut metric = Map::new();
    match &query.source {
        QuerySource::Expression(text, _) => {
            metric.insert("Expression".to_owned(), json!(text));
        }
        QuerySource::Stat(stat) => {
            let document = json!({
                "Metric": {
                    "Dimensions": dimensions(stat),
                    "MetricName": stat.metric.name,
                    "Namespace": stat.metric.namespace,
                },
                "Period": stat.period_s,
                "Stat": stat.statistic_text,
            });
            metric.insert("MetricStat".to_owned(), document);
        }
    }
    metric.insert("Id".to_owned(), json!(query.id));
    if let Some(label) = &query.label {
        metric.insert("Label".to_owned(), json!(label));
    }
    metric.insert("ReturnData".to_owned(), json!(query.return_data));
    Value::Object(metric)
}

fn dimensions(stat: &MetricStat) -> Value {
    stat.metric.dimensions.iter().map(|(name, value)| json!({"value": value, "name": name})).collect()
}

pub(crate) fn missing_data(alarm: &MetricAlarm) -> &'static str {
    use super::definition::MissingData;
    match alarm.missing_data {
        MissingData::Missing => "missing",
        MissingData::Ignore => "ignore",
        MissingData::Breaching => "breaching",
        MissingData::NotBreaching => "notBreaching",
    }
}

/// SNS messages carry a region's display name.
fn region_name(region: &str) -> &str {
    match region {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-2" => "US West (Oregon)",
        "eu-west-1" => "EU (Ireland)",
        "eu-central-1" => "EU (Frankfurt)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        other => other,
    }
}
