//! What a hook remembers from one call to the next. ECS keeps it in `hookDetails`, beside what the service's configuration
//! says there, and hands it back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::LifecycleEvent;

/// Under this name in `hookDetails`.
const KEY: &str = "ripcord";

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// Of which call: another step begins anew.
    pub(super) step: String,
    /// Since when.
    pub(super) since: Timestamp,
    /// How many looks there have been.
    pub(super) looks: u32,
    /// How many of the last ones in a row found it not well.
    pub(super) sick: u32,
    /// How many of the last ones in a row could not see everything.
    pub(super) blind: u32,
}

impl Memory {
    /// What is remembered of this call. What cannot be read is forgotten, so nothing is ever watched for less than it must.
    pub(super) fn of(event: &LifecycleEvent, now: Timestamp) -> Self {
        let step = event.step();
        let kept = event.details.get(KEY).and_then(|kept| Self::deserialize(kept).ok());
        kept.filter(|kept| kept.step == step && kept.since <= now).unwrap_or(Self {
            step,
            since: now,
            looks: 0,
            sick: 0,
            blind: 0,
        })
    }

    /// What ECS is to hand back, with everything that it handed over.
    pub(super) fn kept_beside(&self, details: &Map<String, Value>) -> Map<String, Value> {
        let mut details = details.clone();
        details.insert(KEY.to_owned(), serde_json::json!(self));
        details
    }
}
