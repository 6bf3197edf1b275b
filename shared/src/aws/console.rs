//! One line of JSON on standard output, where CloudWatch Logs picks it up: a log record, or metrics.

use std::io::Write;

use serde_json::Value;

/// Writes a line. A full or closed pipe is nobody's reason to stop a rollback.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
}

/// Writes a log record.
pub fn record(level: &str, message: &str, fields: Value) {
    let mut record = serde_json::json!({ "level": level, "message": message });
    if let (Some(record), Value::Object(fields)) = (record.as_object_mut(), fields) {
        record.extend(fields);
    }
    line(&record.to_string());
}
