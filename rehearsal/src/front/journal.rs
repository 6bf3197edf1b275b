//! The journal: every AWS call that passed the front, in order of arrival. It records; it must not decide anything. The
//! traffic driver's calls are left out, because they would bury the rest.

use super::call::{Call, Caller};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The oldest entries go first past this many.
const ENTRIES_MAX: usize = 100_000;

/// Where an alias sends its traffic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AliasRouting {
    /// The primary version.
    pub version: String,
    /// Other versions and their shares, 0 to 1.
    pub weights: BTreeMap<String, f64>,
}

impl AliasRouting {
    /// Reads an alias as `GetAlias` and `UpdateAlias` answer it.
    pub(crate) fn of(alias: &Value) -> Option<Self> {
        let version = alias.get("FunctionVersion")?.as_str()?.to_owned();
        let weights = alias.pointer("/RoutingConfig/AdditionalVersionWeights");
        let weights = weights
            .and_then(Value::as_object)
            .map(|map| map.iter().filter_map(|(key, value)| Some((key.clone(), value.as_f64()?))).collect())
            .unwrap_or_default();
        Some(Self { version, weights })
    }
}

/// What a successful `UpdateAlias` did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AliasChange {
    /// Just before the call.
    pub before: AliasRouting,
    /// Just after it.
    pub after: AliasRouting,
}

/// One AWS call.
#[derive(Debug, Clone, Serialize)]
pub struct JournalEntry {
    /// The order of arrival, from 1.
    pub seq: u64,
    /// When it arrived.
    pub time: Timestamp,
    /// The signing name, such as `lambda` or `dynamodb`.
    pub service: String,
    /// The region that it was signed for.
    pub region: String,
    /// The account that it was made in: of an assumed role's session, the role's.
    pub account_id: String,
    /// The operation, such as `UpdateAlias`.
    pub operation: String,
    /// What it is about: a function with its alias or version, a table, a topic, a queue, a stack, a listener.
    pub resource: Option<String>,
    /// Who called; of a session, whoever assumed its role.
    pub caller: Caller,
    /// The request's document, of an `UpdateAlias` alone.
    pub body: Option<Value>,
    /// Names of the faults that hit it.
    pub faults: Vec<&'static str>,
    /// The answer's HTTP status; absent while the call runs, and when the connection was dropped without one.
    pub status: Option<u16>,
    /// From arrival to answer.
    pub duration_ms: Option<f64>,
    /// What an `UpdateAlias` that took effect did, even if its answer was dropped.
    pub change: Option<AliasChange>,
}

impl JournalEntry {
    /// True when this call moved traffic.
    #[must_use]
    pub fn changed_an_alias(&self) -> bool {
        self.change.as_ref().is_some_and(|change| change.before != change.after)
    }
}

/// All calls so far.
#[derive(Debug, Default)]
pub struct Journal {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last_seq: u64,
    entries: VecDeque<JournalEntry>,
}

impl Journal {
    /// Every entry, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<JournalEntry> {
        self.since(0)
    }

    /// The entries after `seq`, oldest first: what a live view polls.
    #[must_use]
    pub fn since(&self, seq: u64) -> Vec<JournalEntry> {
        self.lock().entries.iter().filter(|entry| entry.seq > seq).cloned().collect()
    }

    /// The entries that `predicate` picks, oldest first.
    #[must_use]
    pub fn matching(&self, predicate: impl Fn(&JournalEntry) -> bool) -> Vec<JournalEntry> {
        self.lock().entries.iter().filter(|entry| predicate(entry)).cloned().collect()
    }

    /// The calls of one function, oldest first.
    #[must_use]
    pub fn calls_of(&self, function: &str) -> Vec<JournalEntry> {
        self.matching(|entry| matches!(&entry.caller, Caller::Function(name) if name == function))
    }

    /// The calls that moved traffic: an `UpdateAlias` that succeeded and left the alias other than it was.
    #[must_use]
    pub fn alias_changes(&self) -> Vec<JournalEntry> {
        self.matching(JournalEntry::changed_an_alias)
    }

    /// Forgets all entries; `seq` goes on growing.
    pub fn clear(&self) {
        self.lock().entries.clear();
    }

    /// Records an arrival and returns its `seq`; the traffic driver's calls get none.
    pub(crate) fn arrived(&self, call: &Call, body: Option<Value>, faults: Vec<&'static str>) -> Option<u64> {
        if call.caller == Caller::Traffic {
            return None;
        }
        let mut inner = self.lock();
        inner.last_seq += 1;
        let seq = inner.last_seq;
        if inner.entries.len() == ENTRIES_MAX {
            inner.entries.pop_front();
        }
        inner.entries.push_back(JournalEntry {
            seq,
            time: Timestamp::now(),
            service: call.service.clone(),
            region: call.region.clone(),
            account_id: call.account_id.clone(),
            operation: call.operation.clone(),
            resource: call.resource.clone(),
            caller: call.caller.clone(),
            body,
            faults,
            status: None,
            duration_ms: None,
            change: None,
        });
        Some(seq)
    }

    /// Completes an entry that is still there.
    pub(crate) fn complete(&self, seq: Option<u64>, complete: impl FnOnce(&mut JournalEntry)) {
        let Some(seq) = seq else { return };
        let mut inner = self.lock();
        let first = inner.entries.front().map_or(0, |entry| entry.seq);
        let index = seq.checked_sub(first).and_then(|offset| usize::try_from(offset).ok());
        if let Some(entry) = index.and_then(|index| inner.entries.get_mut(index))
            && entry.seq == seq
        {
            complete(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere must not hide what was recorded before it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
