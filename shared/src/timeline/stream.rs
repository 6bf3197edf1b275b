//! A write of a release's record, as the stream of the ledger's table tells of it.

use jiff::Timestamp;
use serde_json::Value;

use crate::release::Release;

/// A write of a release's record.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The record before it; none for the first write of a release.
    pub before: Option<Release>,
    /// The record after it.
    pub after: Release,
    /// When, to the second.
    pub at: Timestamp,
}

impl Write {
    /// Reads a record of the stream: nothing if it is not about a release's history. That a record was removed says nothing of a
    /// release.
    pub fn read(record: &Value) -> Result<Option<Self>, String> {
        let text = |path: &str| record.pointer(path).and_then(Value::as_str);
        let pk = text("/dynamodb/Keys/pk/S").unwrap_or_default();
        if !pk.starts_with("history#") || text("/eventName") == Some("REMOVE") {
            return Ok(None);
        }
        let release = |image: &str| {
            let Some(doc) = text(&format!("/dynamodb/{image}/doc/S")) else { return Ok(None) };
            let read = serde_json::from_str::<Release>(doc);
            read.map(Some).map_err(|error| format!("the {image} of {pk} is no release: {error}"))
        };
        let after = release("NewImage")?.ok_or_else(|| format!("a write of {pk} has no NewImage"))?;
        let at = record.pointer("/dynamodb/ApproximateCreationDateTime").and_then(Value::as_f64);
        let at = at.and_then(written_at).ok_or_else(|| format!("a write of {pk} has no time"))?;
        Ok(Some(Self { before: release("OldImage")?, after, at }))
    }
}

/// DynamoDB tells whole seconds; other forms of the same field have fractions.
fn written_at(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "out of range is refused by the timestamp")]
    let ms = (seconds * 1000.0) as i64;
    Timestamp::from_millisecond(ms).ok()
}
