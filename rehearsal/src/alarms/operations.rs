//! CloudWatch's operations on alarms and metrics, in the model's words. Dashboards and anything else that only needs
//! storing stay with ministack; what neither has is refused by name.

use super::{
    Alarm, AlarmBoard,
    definition::{AlarmDefinition, AlarmKind, MetricId, PutDimension, QuerySource, lenient_number},
    evaluate::AlarmState,
    metric_data::get_metric_data,
    metrics::Sample,
    payload, wire,
};
use crate::front::{call::Call, fault_answers::ServiceError, not_implemented};
use http_body_util::Full;
use hyper::{Response, body::Bytes};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// Stored by ministack as well as anybody could.
const LEFT_TO_MINISTACK: [&str; 4] = ["PutDashboard", "GetDashboard", "ListDashboards", "DeleteDashboards"];

/// Answers a CloudWatch call; nothing when it is ministack's.
pub(crate) fn answer(board: &AlarmBoard, call: &Call, body: &[u8]) -> Option<Response<Full<Bytes>>> {
    let operation = call.operation.as_str();
    if LEFT_TO_MINISTACK.contains(&operation) {
        return None;
    }
    let request = match wire::decode(call.protocol, body) {
        Ok(request) => request,
        Err(error) => return Some(invalid(error).response(call)),
    };
    let done = match operation {
        "PutMetricAlarm" => put_metric_alarm(board, &request).map(|_| json!({})),
        "PutCompositeAlarm" => put_composite_alarm(board, &request).map(|_| json!({})),
        "DescribeAlarms" => describe_alarms(board, &request),
        "DeleteAlarms" => delete_alarms(board, &request),
        "SetAlarmState" => set_alarm_state(board, &request),
        "EnableAlarmActions" => set_actions_enabled(board, &request, true),
        "DisableAlarmActions" => set_actions_enabled(board, &request, false),
        "PutMetricData" => put_metric_data(board, &request),
        "GetMetricData" => get_metric_data(board, &request),
        _ => return Some(not_implemented(call)),
    };
    Some(match done {
        Ok(document) => wire::encode(call.protocol, operation, &document),
        Err(error) => error.response(call),
    })
}

pub(super) fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, "ValidationError", message)
}

pub(crate) fn put_metric_alarm(board: &AlarmBoard, request: &Value) -> Result<Value, ServiceError> {
    let definition = AlarmDefinition::metric(request).map_err(invalid)?;
    Ok(json!(board.put(definition)))
}

pub(crate) fn put_composite_alarm(board: &AlarmBoard, request: &Value) -> Result<Value, ServiceError> {
    let definition = AlarmDefinition::composite(request).map_err(invalid)?;
    if let AlarmKind::Composite(_, rule) = &definition.kind {
        let known = |name: &str| board.state(name).is_some();
        if let Some(unknown) = rule.alarms().into_iter().find(|name| !known(name)) {
            return Err(invalid(format!("the alarm rule names {unknown}, which does not exist")));
        }
    }
    Ok(json!(board.put(definition)))
}

pub(crate) fn delete_alarms(board: &AlarmBoard, request: &Value) -> Result<Value, ServiceError> {
    for name in names(request, "AlarmNames") {
        // Deleting what is gone succeeds, so that a stack can always be taken down.
        board.delete(&name);
    }
    Ok(json!({}))
}

fn names(request: &Value, field: &str) -> Vec<String> {
    let names = request.get(field).and_then(Value::as_array).into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn set_actions_enabled(board: &AlarmBoard, request: &Value, enabled: bool) -> Result<Value, ServiceError> {
    for name in names(request, "AlarmNames") {
        board.set_actions_enabled(&name, enabled);
    }
    Ok(json!({}))
}

fn set_alarm_state(board: &AlarmBoard, request: &Value) -> Result<Value, ServiceError> {
    let text = |field: &str| request.get(field).and_then(Value::as_str);
    let name = text("AlarmName").ok_or_else(|| invalid("AlarmName is missing"))?;
    let state =
        text("StateValue").and_then(AlarmState::parse).ok_or_else(|| invalid("StateValue is not a state"))?;
    let data = match text("StateReasonData").map(serde_json::from_str) {
        Some(Ok(data)) => Some(data),
        Some(Err(error)) => {
            return Err(ServiceError::new(
                400,
                "InvalidFormat",
                format!("StateReasonData is not JSON: {error}"),
            ));
        }
        None => None,
    };
    let set = board.set_state_with_data(name, state, text("StateReason").unwrap_or_default(), data);
    set.map(|()| json!({})).map_err(|error| ServiceError::new(404, "ResourceNotFound", error.to_string()))
}

fn describe_alarms(board: &AlarmBoard, request: &Value) -> Result<Value, ServiceError> {
    let wanted = names(request, "AlarmNames");
    let text = |field: &str| request.get(field).and_then(Value::as_str);
    let types = names(request, "AlarmTypes");
    let wants_type =
        |name: &str| if types.is_empty() { name == "MetricAlarm" } else { types.iter().any(|t| t == name) };
    let mut metric = Vec::new();
    let mut composite = Vec::new();
    for alarm in board.alarms() {
        let name = &alarm.definition.name;
        let by_name = wanted.is_empty() || wanted.contains(name);
        let by_prefix = text("AlarmNamePrefix").is_none_or(|prefix| name.starts_with(prefix));
        let by_state = text("StateValue").is_none_or(|state| alarm.state.value.as_str() == state);
        if !(by_name && by_prefix && by_state) {
            continue;
        }
        match &alarm.definition.kind {
            AlarmKind::Metric(_) if wants_type("MetricAlarm") => metric.push(described(board, &alarm)),
            AlarmKind::Composite(..) if wants_type("CompositeAlarm") => {
                composite.push(described(board, &alarm))
            }
            AlarmKind::Metric(_) | AlarmKind::Composite(..) => {}
        }
    }
    Ok(json!({"MetricAlarms": metric, "CompositeAlarms": composite}))
}

fn described(board: &AlarmBoard, alarm: &Alarm) -> Value {
    let definition = &alarm.definition;
    let mut document = json!({
        "AlarmName": definition.name,
        "AlarmArn": board.arn(&definition.name),
        "AlarmConfigurationUpdatedTimestamp": alarm.configured.as_millisecond(),
        "ActionsEnabled": definition.actions_enabled,
        "OKActions": definition.ok_actions,
        "AlarmActions": definition.alarm_actions,
        "InsufficientDataActions": definition.insufficient_data_actions,
        "StateValue": alarm.state.value,
        "StateReason": alarm.state.reason,
        "StateUpdatedTimestamp": alarm.state.since.as_millisecond(),
        "StateTransitionedTimestamp": alarm.state.since.as_millisecond(),
    });
    if let Some(description) = &definition.description {
        document["AlarmDescription"] = json!(description);
    }
    if let Some(data) = &alarm.state.reason_data {
        document["StateReasonData"] = json!(data.to_string());
    }
    match &definition.kind {
        AlarmKind::Composite(rule, _) => document["AlarmRule"] = json!(rule),
        AlarmKind::Metric(metric) => {
            document["EvaluationPeriods"] = json!(metric.evaluation_periods);
            document["DatapointsToAlarm"] = json!(metric.datapoints_to_alarm);
            document["Threshold"] = json!(metric.threshold);
            document["ComparisonOperator"] = json!(format!("{:?}", metric.comparison));
            document["TreatMissingData"] = json!(payload::missing_data(metric));
            if metric.is_math {
                document["Metrics"] = metric.queries.iter().map(described_query).collect();
            } else if let Some(QuerySource::Stat(stat)) = metric.watched().map(|query| &query.source) {
                document["MetricName"] = json!(stat.metric.name);
                document["Namespace"] = json!(stat.metric.namespace);
                document["Period"] = json!(stat.period_s);
                let is_plain = stat.statistic_text.chars().all(char::is_alphabetic);
                let key = if is_plain { "Statistic" } else { "ExtendedStatistic" };
                document[key] = json!(stat.statistic_text);
                document["Dimensions"] = dimensions(&stat.metric);
            }
        }
    }
    document
}

fn described_query(query: &super::definition::MetricQuery) -> Value {
    let mut document = match &query.source {
        QuerySource::Expression(text, _) => json!({"Expression": text}),
        QuerySource::Stat(stat) => json!({"MetricStat": {
            "Metric": {
                "Namespace": stat.metric.namespace,
                "MetricName": stat.metric.name,
                "Dimensions": dimensions(&stat.metric),
            },
            "Period": stat.period_s,
            "Stat": stat.statistic_text,
        }}),
    };
    document["Id"] = json!(query.id);
    document["ReturnData"] = json!(query.return_data);
    if let Some(label) = &query.label {
        document["Label"] = json!(label);
    }
    document
}

fn dimensions(metric: &MetricId) -> Value {
    metric.dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
}

fn put_metric_data(board: &AlarmBoard, request: &Value) -> Result<Value, ServiceError> {
    let namespace =
        request.get("Namespace").and_then(Value::as_str).ok_or_else(|| invalid("Namespace is missing"))?;
    for datum in request.get("MetricData").and_then(Value::as_array).into_iter().flatten() {
        let name = datum
            .get("MetricName")
            .and_then(Value::as_str)
            .ok_or_else(|| invalid("MetricName is missing"))?;
        let dimensions = datum.get("Dimensions").cloned().unwrap_or_else(|| json!([]));
        let dimensions =
            Vec::<PutDimension>::deserialize(dimensions).map_err(|error| invalid(error.to_string()))?;
        let dimensions = dimensions.into_iter().map(|pair| (pair.name, pair.value)).collect();
        let metric = MetricId { namespace: namespace.to_owned(), name: name.to_owned(), dimensions };
        let time_ms = match datum.get("Timestamp") {
            Some(time) => wire::time_ms(time).ok_or_else(|| invalid(format!("{time} is not a time")))?,
            None => jiff::Timestamp::now().as_millisecond(),
        };
        for sample in samples(datum, time_ms)? {
            board.metrics().add(&metric, sample);
        }
    }
    Ok(json!({}))
}

/// A value, a statistic set, or values with their counts.
fn samples(datum: &Value, time_ms: i64) -> Result<Vec<Sample>, ServiceError> {
    let one = |value: f64, count: f64| Sample::of(time_ms, value, count);
    if let Some(set) = datum.get("StatisticValues") {
        let field = |name: &str| {
            let number = set.get(name).and_then(lenient_number);
            number.ok_or_else(|| invalid(format!("StatisticValues.{name} is missing")))
        };
        let (sum, count) = (field("Sum")?, field("SampleCount")?);
        return Ok(vec![Sample {
            time_ms,
            sum,
            count,
            minimum: field("Minimum")?,
            maximum: field("Maximum")?,
        }]);
    }
    if let Some(values) = datum.get("Values").and_then(Value::as_array) {
        let counts = datum.get("Counts").and_then(Value::as_array);
        let pairs = values.iter().enumerate().filter_map(|(index, value)| {
            let count = counts.and_then(|counts| counts.get(index)).and_then(lenient_number).unwrap_or(1.0);
            Some(one(lenient_number(value)?, count))
        });
        return Ok(pairs.collect());
    }
    let value = datum.get("Value").and_then(lenient_number);
    value.map(|value| vec![one(value, 1.0)]).ok_or_else(|| invalid("a metric datum needs a value"))
}
