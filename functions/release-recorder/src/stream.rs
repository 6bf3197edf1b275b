//! The ledger's own writes, as DynamoDB tells of them.

use futures_util::future::try_join_all;
use jiff::Timestamp;
use ripcord::aws::console;
use ripcord::metrics::emf_line;
use ripcord::release::Release;
use ripcord::timeline::{Moment, moments, what_counts};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Recorded, Recorder};

/// A write that could not be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unkept {
    /// The number that DynamoDB gave to it.
    pub item_identifier: String,
}

/// A write of a release's record.
struct Write {
    before: Option<Release>,
    after: Release,
    at: Timestamp,
}

/// One after the other, and none after the first that fails: Lambda goes on from there.
pub(crate) async fn record(records: &[Value], recorder: &Recorder) -> Recorded {
    for record in records {
        if let Err(why) = record_one(record, recorder).await {
            let number = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str);
            let item_identifier = number.unwrap_or_default().to_owned();
            console::record("error", &why, json!({ "sequence_number": item_identifier }));
            return Recorded { batch_item_failures: vec![Unkept { item_identifier }] };
        }
    }
    Recorded { batch_item_failures: Vec::new() }
}

async fn record_one(record: &Value, recorder: &Recorder) -> Result<(), String> {
    let Some(Write { before, after, at }) = read(record)? else { return Ok(()) };
    let moments = moments(before.as_ref(), &after, at);
    try_join_all(moments.iter().map(|moment| keep(moment, before.as_ref(), &after, recorder))).await?;
    Ok(())
}

/// Whoever keeps a moment first counts it. Dying in between loses the count and not the moment: the ledger is what reports are
/// made from.
async fn keep(
    moment: &Moment,
    before: Option<&Release>,
    after: &Release,
    recorder: &Recorder,
) -> Result<(), String> {
    let is_news = recorder.aws.ledger.keep_moment(moment).await.map_err(|failed| failed.to_string())?;
    let counted = if is_news { what_counts(moment, before, after) } else { Vec::new() };
    if !counted.is_empty() {
        console::line(&emf_line(&recorder.namespace, &moment.service, &counted, moment.at));
    }
    if is_news {
        let fields = json!({ "service": moment.service, "moment": moment.key(), "what": moment.what });
        console::record("info", "kept", fields);
    }
    Ok(())
}

/// The write, if it is one of a release's history. That a record was removed says nothing of a release.
fn read(record: &Value) -> Result<Option<Write>, String> {
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
    let Some(after) = release("NewImage")? else { return Err(format!("a write of {pk} has no NewImage")) };
    let at = record.pointer("/dynamodb/ApproximateCreationDateTime").and_then(Value::as_f64);
    let at = at.and_then(written_at).ok_or_else(|| format!("a write of {pk} has no time"))?;
    Ok(Some(Write { before: release("OldImage")?, after, at }))
}

/// DynamoDB tells whole seconds; the SDKs' form of the same field has fractions.
fn written_at(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "out of range is refused by the timestamp")]
    let ms = (seconds * 1000.0) as i64;
    Timestamp::from_millisecond(ms).ok()
}
