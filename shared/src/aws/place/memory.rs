//! What this process has begun and AWS does not tell of by itself: a change of records by its id, a stack's operation before its
//! status shows it. A process that dies takes this with it; what it has begun is done all the same, and is only waited for less.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One text per subject, so it grows no further than there are targets.
#[derive(Clone, Debug, Default)]
pub(in crate::aws) struct Memory(Arc<Mutex<BTreeMap<String, String>>>);

impl Memory {
    pub(super) fn keep(&self, subject: impl Into<String>, what: impl Into<String>) {
        self.lock().insert(subject.into(), what.into());
    }

    pub(super) fn recall(&self, subject: &str) -> Option<String> {
        self.lock().get(subject).cloned()
    }

    pub(super) fn forget(&self, subject: &str) {
        self.lock().remove(subject);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // No holder of the lock does anything that could fail half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
