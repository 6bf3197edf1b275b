//! CloudWatch's three wire protocols (query, JSON and CBOR) to and from one JSON document in the model's words. SDKs of
//! today differ in which they speak. It must not know operations.

use crate::front::{
    call::Protocol,
    fault_answers::{REQUEST_ID, escaped},
};
use ciborium::Value as Cbor;
use http_body_util::Full;
use hyper::{Response, body::Bytes};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Written as milliseconds in our documents, and by each protocol in its own way.
const TIMESTAMPS: [&str; 4] = [
    "AlarmConfigurationUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "Timestamps",
];
/// Deeper documents are not CloudWatch's.
const DEPTH_MAX: usize = 20;

pub(super) fn decode(protocol: Protocol, body: &[u8]) -> Result<Value, String> {
    match protocol {
        Protocol::Query => Ok(from_form(body)),
        Protocol::Json | Protocol::RestJson | Protocol::RestXml if body.is_empty() => Ok(json!({})),
        Protocol::Json | Protocol::RestJson | Protocol::RestXml => {
            serde_json::from_slice(body).map_err(|error| error.to_string())
        }
        Protocol::Cbor if body.is_empty() => Ok(json!({})),
        Protocol::Cbor => {
            let document: Cbor = ciborium::from_reader(body).map_err(|error| error.to_string())?;
            Ok(from_cbor(document))
        }
    }
}

pub(super) fn encode(protocol: Protocol, operation: &str, document: &Value) -> Response<Full<Bytes>> {
    let builder = Response::builder().header("x-amzn-requestid", REQUEST_ID);
    let (builder, body) = match protocol {
        Protocol::Query => {
            let namespace = "http://monitoring.amazonaws.com/doc/2010-08-01/";
            let body = format!(
                "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{}</{operation}Result>\
                 <ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata></{operation}Response>",
                to_xml(document, ""),
            );
            (builder.header("content-type", "text/xml"), body.into_bytes())
        }
        Protocol::Json | Protocol::RestJson | Protocol::RestXml => {
            let body = to_json(document, "").to_string();
            (builder.header("content-type", "application/x-amz-json-1.0"), body.into_bytes())
        }
        Protocol::Cbor => {
            let mut body = Vec::new();
            // Writing to memory cannot fail.
            let _ = ciborium::into_writer(&to_cbor(document, ""), &mut body);
            let builder =
                builder.header("content-type", "application/cbor").header("smithy-protocol", "rpc-v2-cbor");
            (builder, body)
        }
    };
    builder.body(Full::from(body)).unwrap_or_default()
}

/// Milliseconds, from epoch seconds or an ISO date.
pub(super) fn time_ms(value: &Value) -> Option<i64> {
    if let Some(seconds) = value.as_f64() {
        return Some((seconds * 1_000.0).round() as i64);
    }
    let text = value.as_str()?;
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// `Dimensions.member.1.Name=x` and the like.
fn from_form(body: &[u8]) -> Value {
    let mut document = json!({});
    for (field, value) in form_urlencoded::parse(body) {
        if field == "Action" || field == "Version" {
            continue;
        }
        let path: Vec<&str> = field.split('.').filter(|part| *part != "member").take(DEPTH_MAX).collect();
        insert(&mut document, &path, &value);
    }
    listed(document)
}

fn insert(document: &mut Value, path: &[&str], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        *document = json!(value);
        return;
    };
    if !document.is_object() {
        *document = json!({});
    }
    insert(&mut document[*first], rest, value);
}

/// Objects whose keys are all numbers are lists.
fn listed(document: Value) -> Value {
    let Value::Object(fields) = document else { return document };
    let mut indexed: Vec<(u32, Value)> = Vec::new();
    let is_list = !fields.is_empty() && fields.keys().all(|key| key.parse::<u32>().is_ok());
    if !is_list {
        return Value::Object(fields.into_iter().map(|(key, value)| (key, listed(value))).collect());
    }
    for (key, value) in fields {
        indexed.push((key.parse().unwrap_or(u32::MAX), listed(value)));
    }
    indexed.sort_by_key(|(index, _)| *index);
    Value::Array(indexed.into_iter().map(|(_, value)| value).collect())
}

fn from_cbor(document: Cbor) -> Value {
    match document {
        Cbor::Bool(flag) => json!(flag),
        Cbor::Text(text) => json!(text),
        Cbor::Float(number) => json!(number),
        Cbor::Integer(number) => i64::try_from(number).map_or(Value::Null, |number| json!(number)),
        // Tag 1 is a time in epoch seconds; `time_ms` reads it.
        Cbor::Tag(_, inner) => from_cbor(*inner),
        Cbor::Array(items) => items.into_iter().map(from_cbor).collect(),
        Cbor::Map(fields) => {
            let fields =
                fields.into_iter().filter_map(|(key, value)| Some((key.into_text().ok()?, from_cbor(value))));
            Value::Object(fields.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        // CloudWatch sends neither bytes nor null; the type leaves room for more kinds.
        Cbor::Bytes(_) | Cbor::Null | _ => Value::Null,
    }
}

fn is_time(field: &str) -> bool {
    TIMESTAMPS.contains(&field)
}

fn seconds(milliseconds: &Value) -> Option<f64> {
    milliseconds.as_i64().map(|milliseconds| milliseconds as f64 / 1_000.0)
}

fn to_json(document: &Value, field: &str) -> Value {
    match document {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), to_json(value, key))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(|item| to_json(item, field)).collect(),
        Value::Number(_) if is_time(field) => json!(seconds(document)),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::String(_) => document.clone(),
    }
}

fn to_cbor(document: &Value, field: &str) -> Cbor {
    match document {
        Value::Object(fields) => Cbor::Map(
            fields.iter().map(|(key, value)| (Cbor::from(key.as_str()), to_cbor(value, key))).collect(),
        ),
        Value::Array(items) => Cbor::Array(items.iter().map(|item| to_cbor(item, field)).collect()),
        Value::Number(_) if is_time(field) => {
            Cbor::Tag(1, Box::new(Cbor::Float(seconds(document).unwrap_or_default())))
        }
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cbor::from(whole),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cbor::from(text.as_str()),
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Null => Cbor::Null,
    }
}

fn to_xml(document: &Value, field: &str) -> String {
    match document {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields.map(|(key, value)| format!("<{key}>{}</{key}>", to_xml(value, key))).collect()
        }
        Value::Array(items) => {
            items.iter().map(|item| format!("<member>{}</member>", to_xml(item, field))).collect()
        }
        Value::Number(number) if is_time(field) => {
            let time = number.as_i64().and_then(|ms| Timestamp::from_millisecond(ms).ok());
            time.unwrap_or_default().to_string()
        }
        Value::Number(number) => number.to_string(),
        Value::String(text) => escaped(text),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_the_document_that_the_other_protocols_carry() {
        let form = b"Action=PutMetricAlarm&Version=2010-08-01&AlarmName=a&AlarmActions.member.1=x\
            &AlarmActions.member.2=y&Metrics.member.1.Id=m1&Metrics.member.1.MetricStat.Period=60\
            &Metrics.member.1.MetricStat.Metric.Dimensions.member.1.Name=F";
        let expect = json!({
            "AlarmName": "a", "AlarmActions": ["x", "y"],
            "Metrics": [{"Id": "m1", "MetricStat": {"Period": "60", "Metric": {"Dimensions": [{"Name": "F"}]}}}],
        });
        assert_eq!(decode(Protocol::Query, form).unwrap(), expect);
    }

    #[test]
    fn times_are_written_as_each_protocol_writes_them() {
        let document = json!({"StateUpdatedTimestamp": 1_500, "Period": 60, "Threshold": 1.5});
        assert_eq!(
            to_json(&document, ""),
            json!({"StateUpdatedTimestamp": 1.5, "Period": 60, "Threshold": 1.5})
        );
        let xml = to_xml(&document, "");
        assert!(
            xml.contains("<StateUpdatedTimestamp>1970-01-01T00:00:01.5Z</StateUpdatedTimestamp>"),
            "{xml}"
        );
        assert_eq!(from_cbor(to_cbor(&document, "")), to_json(&document, ""));
        assert_eq!(time_ms(&json!(1.5)), Some(1_500));
        assert_eq!(time_ms(&json!("1970-01-01T00:00:01.5Z")), Some(1_500));
        assert_eq!(time_ms(&json!("never")), None);
    }
}
