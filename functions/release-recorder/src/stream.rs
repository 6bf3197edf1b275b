//! The ledger's own writes, as DynamoDB tells of them.

use futures_util::future::join_all;
use ripcord::aws::console;
use ripcord::metrics::{Metric, emf_line};
use ripcord::release::Release;
use ripcord::timeline::{Moment, Write, moments, what_counts};
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

/// One after the other, and none after the first that fails: Lambda goes on from there.
pub(crate) async fn record(records: &[Value], recorder: &Recorder) -> Recorded {
    let mut recorded = Recorded::default();
    for record in records {
        if let Err(why) = record_one(record, recorder, &mut recorded).await {
            let number = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str);
            let item_identifier = number.unwrap_or_default().to_owned();
            console::record("error", &why, json!({ "sequence_number": item_identifier }));
            recorded.batch_item_failures.push(Unkept { item_identifier });
            break;
        }
    }
    recorded
}

async fn record_one(record: &Value, recorder: &Recorder, recorded: &mut Recorded) -> Result<(), String> {
    let Some(Write { before, after, at }) = Write::read(record)? else { return Ok(()) };
    let moments = moments(before.as_ref(), &after, at);
    let kept = join_all(moments.iter().map(|moment| keep(moment, before.as_ref(), &after, recorder))).await;
    let mut failed = Ok(());
    for kept in kept {
        match kept {
            Ok(Some(counted)) => {
                recorded.kept += 1;
                recorded.counted.extend(counted);
            }
            Ok(None) => {}
            Err(why) => failed = Err(why),
        }
    }
    failed
}

/// What was counted, unless the moment was known. Whoever keeps a moment first counts it. Dying in between loses the count and
/// not the moment: the ledger is what reports are made from.
async fn keep(
    moment: &Moment,
    before: Option<&Release>,
    after: &Release,
    recorder: &Recorder,
) -> Result<Option<Vec<&'static str>>, String> {
    if !recorder.aws.ledger.keep_moment(moment).await.map_err(|failed| failed.to_string())? {
        return Ok(None);
    }
    let counted = what_counts(moment, before, after);
    if !counted.is_empty() {
        console::line(&emf_line(&recorder.namespace, &moment.service, &counted, moment.at));
    }
    let fields = json!({ "service": moment.service, "moment": moment.key(), "what": moment.what });
    console::record("info", "kept", fields);
    Ok(Some(counted.into_iter().map(Metric::name).collect()))
}
