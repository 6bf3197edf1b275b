//! Keeps what happened to releases, moment by moment, and counts it once.
//!
//! It stands behind the ledger: what the other functions write there arrives as the table's stream, and nobody calls it or waits
//! for it. So it cannot slow a rollback down, and where it is away nothing is lost but numbers, for as long as the stream keeps
//! what was written. It decides nothing and moves nothing.

mod stream;
mod told;

pub use stream::Unkept;

use ripcord::aws::Aws;
use ripcord::error_type::Failure;
use serde::Serialize;
use serde_json::Value;

/// What recording needs.
#[derive(Debug)]
pub struct Recorder {
    /// The clients.
    pub aws: Aws,
    /// The namespace of the metrics.
    pub namespace: String,
}

/// What became of an event, as Lambda wants to hear it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// The first write of a batch that could not be kept: Lambda brings it and those after it again.
    pub batch_item_failures: Vec<Unkept>,
    /// How many moments were kept that nobody had kept before.
    pub kept: usize,
    /// What was counted for them.
    pub counted: Vec<&'static str>,
}

/// Records an event: a batch of the ledger's own writes, or one of AWS's.
pub async fn record(event: &Value, recorder: &Recorder) -> Result<Recorded, Failure> {
    match event.get("Records").and_then(Value::as_array) {
        Some(records) => Ok(stream::record(records, recorder).await),
        None => told::record(event, recorder).await,
    }
}
