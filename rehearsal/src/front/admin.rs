//! The front's own paths under `/_rehearsal/`: journal, faults and alarms as JSON, for the launcher's CloudFormation
//! hook and for tools in other processes. They must not be needed by the system under test.

use super::{Answer, Front, call::query_field, faults::FaultRule, plain};
use crate::alarms::operations;
use http_body_util::Full;
use hyper::{Method, Response, StatusCode, Uri, header, header::HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the CloudFormation hook sends for an alarm of a stack.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StackAlarm {
    kind: StackAlarmKind,
    properties: Value,
    /// Where the stack is.
    account_id: String,
    region: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum StackAlarmKind {
    Metric,
    Composite,
}

impl Front {
    pub(super) fn administer(&self, method: &Method, uri: &Uri, body: &[u8]) -> Answer {
        match (method.as_str(), uri.path().trim_start_matches("/_rehearsal/")) {
            ("GET", "journal") => {
                let since = query_field(uri, "since").and_then(|seq| seq.parse().ok()).unwrap_or(0);
                ok(&self.journal.since(since))
            }
            ("DELETE", "journal") => {
                self.journal.clear();
                ok(&json!({}))
            }
            ("POST", "faults") => match serde_json::from_slice::<FaultRule>(body) {
                Ok(rule) => {
                    self.faults.add(rule);
                    ok(&json!({}))
                }
                Err(error) => refused(&error.to_string()),
            },
            ("DELETE", "faults") => {
                self.faults.clear();
                ok(&json!({}))
            }
            ("GET", "alarms") => ok(&self.places.home().alarms.states()),
            ("PUT", "alarms") => self.put_stack_alarm(body),
            ("DELETE", "alarms") => {
                let document: Value = serde_json::from_slice(body).unwrap_or_default();
                let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default();
                let alarms = self.places.at(text("AccountId"), text("Region")).alarms;
                answered(operations::delete_alarms(&alarms, &document))
            }
            _ => plain(StatusCode::NOT_FOUND, "failed to find that rehearsal path"),
        }
    }

    fn put_stack_alarm(&self, body: &[u8]) -> Answer {
        let alarm: StackAlarm = match serde_json::from_slice(body) {
            Ok(alarm) => alarm,
            Err(error) => return refused(&error.to_string()),
        };
        let alarms = self.places.at(&alarm.account_id, &alarm.region).alarms;
        let put = match alarm.kind {
            StackAlarmKind::Metric => operations::put_metric_alarm(&alarms, &alarm.properties),
            StackAlarmKind::Composite => operations::put_composite_alarm(&alarms, &alarm.properties),
        };
        answered(put.map(|arn| json!({ "AlarmArn": arn })))
    }
}

fn answered(result: Result<Value, super::fault_answers::ServiceError>) -> Answer {
    match result {
        Ok(document) => ok(&document),
        Err(error) => refused(&format!("{}: {}", error.code, error.message)),
    }
}

fn ok(document: &impl Serialize) -> Answer {
    match serde_json::to_vec(document) {
        Ok(bytes) => {
            let mut answer = Response::new(Full::from(bytes));
            let json = HeaderValue::from_static("application/json");
            answer.headers_mut().insert(header::CONTENT_TYPE, json);
            answer
        }
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refused(reason: &str) -> Answer {
    plain(StatusCode::BAD_REQUEST, reason)
}
