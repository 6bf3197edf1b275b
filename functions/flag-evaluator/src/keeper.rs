//! The last good document, when AppConfig is asked again, and what there is to tell of it. Pure: time comes in as an argument.
//!
//! Lambda freezes a process between requests, so nothing can be fetched in the background: a request that finds a look due
//! takes it, and waits a bounded time for it. Others are answered from what is there.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ripcord::aws::{Fetched, SessionToken};
use ripcord::flags::Invalid;
use ripcord::pipeline::Tempo;

use crate::document::{Digest, Document, digest};

/// How long a request waits for AppConfig while there is a document to answer from.
const PATIENCE: Duration = Duration::from_millis(300);
/// A large document and a small function may need longer than that, so each failure in a row doubles it, this often at most:
/// otherwise a change would never arrive.
const PATIENCE_DOUBLINGS_MAX: u32 = 3;
/// How long a request waits for the first document: there is nothing else to do.
const PATIENCE_FIRST: Duration = Duration::from_secs(4);
/// The pause after a failure, which each further one in a row doubles, up to the usual interval.
const RETRY_SECONDS: u32 = 1;
const RETRY_DOUBLINGS_MAX: u32 = 10;

/// Why what is served may not be what AppConfig has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// What AppConfig has is no valid flag document.
    Rejected,
    /// AppConfig did not answer in time, or with an error.
    Unreachable,
    /// Nothing was ever deployed.
    NothingDeployed,
}

impl Trouble {
    /// The word for it in `x-flags-stale`.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Rejected => "document-rejected",
            Self::Unreachable => "appconfig-unreachable",
            Self::NothingDeployed => "nothing-deployed",
        }
    }
}

/// What has happened to the document, told once.
#[derive(Debug)]
pub(crate) enum News {
    /// Another document is served from now on.
    Loaded {
        /// How many flags it has.
        flags: usize,
        /// Its length.
        bytes: usize,
    },
    /// What AppConfig has is ignored.
    Rejected(Invalid),
    /// AppConfig could not be asked.
    Unreachable(String),
    /// It could be asked again, and nothing had changed.
    Reached,
}

/// One look at AppConfig.
#[derive(Debug)]
pub(crate) struct Look {
    /// What continues the session, if there is one.
    pub(crate) token: Option<SessionToken>,
    /// How long to wait.
    pub(crate) patience: Duration,
}

/// The last good document.
#[derive(Debug)]
pub(crate) struct Keeper {
    poll_seconds: u32,
    tempo: Tempo,
    document: Option<Arc<Document>>,
    trouble: Option<Trouble>,
    /// The document that was told to be invalid, and is what AppConfig has.
    rejected: Option<Digest>,
    token: Option<SessionToken>,
    failures_in_a_row: u32,
    looked_at: Timestamp,
    look_again_at: Timestamp,
}

impl Keeper {
    pub(crate) fn new(poll_seconds: u32, tempo: Tempo) -> Self {
        Self {
            poll_seconds,
            tempo,
            document: None,
            trouble: None,
            rejected: None,
            token: None,
            failures_in_a_row: 0,
            looked_at: Timestamp::MIN,
            look_again_at: Timestamp::MIN,
        }
    }

    /// What is served, and why it may not be what AppConfig has.
    pub(crate) fn served(&self) -> (Option<Arc<Document>>, Option<Trouble>) {
        (self.document.clone(), self.trouble)
    }

    /// In how many seconds it is worth asking again.
    pub(crate) fn retry_after_seconds(&self, now: Timestamp) -> u32 {
        let left = self.look_again_at.duration_since(now).as_secs_f64().ceil().clamp(1.0, 60.0);
        // A whole number of seconds between one and sixty.
        left as u32
    }

    /// A look, if one is due. Until it must have ended nobody else is given one. A clock that was set back would keep a look
    /// away for as long as that, so it makes one due.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Option<Look> {
        if self.looked_at <= now && now < self.look_again_at {
            return None;
        }
        let patience = match self.document {
            None => PATIENCE_FIRST,
            Some(_) => PATIENCE * 2_u32.pow(self.failures_in_a_row.min(PATIENCE_DOUBLINGS_MAX)),
        };
        self.looked_at = now;
        let until = SignedDuration::try_from(patience).unwrap_or_default();
        self.look_again_at = later(now, until);
        // A token is good for one call, whatever becomes of it.
        Some(Look { token: self.token.take(), patience })
    }

    /// What came of a look.
    pub(crate) fn end(&mut self, outcome: Result<Fetched, String>, now: Timestamp) -> Option<News> {
        let fetched = match outcome {
            Ok(fetched) => fetched,
            Err(why) => return self.failed(why, now),
        };
        self.token = fetched.token;
        self.failures_in_a_row = 0;
        let pause = self.tempo.seconds(fetched.again_after_seconds.max(self.poll_seconds));
        self.look_again_at = later(now, pause);
        let before = self.trouble;
        let news = fetched.content.and_then(|text| self.judge(&text));
        self.trouble = match (&self.rejected, &self.document) {
            (Some(_), _) => Some(Trouble::Rejected),
            (None, None) => Some(Trouble::NothingDeployed),
            (None, Some(_)) => None,
        };
        news.or_else(|| (before == Some(Trouble::Unreachable)).then_some(News::Reached))
    }

    fn judge(&mut self, text: &[u8]) -> Option<News> {
        let found = digest(text);
        if self.document.as_ref().is_some_and(|document| document.digest == found) {
            self.rejected = None;
            return None;
        }
        if self.rejected == Some(found) {
            return None;
        }
        match Document::read(text) {
            Ok(document) => {
                let flags = document.flags.len();
                self.document = Some(Arc::new(document));
                self.rejected = None;
                Some(News::Loaded { flags, bytes: text.len() })
            }
            Err(invalid) => {
                self.rejected = Some(found);
                Some(News::Rejected(invalid))
            }
        }
    }

    fn failed(&mut self, why: String, now: Timestamp) -> Option<News> {
        let doublings = self.failures_in_a_row.min(RETRY_DOUBLINGS_MAX);
        let pause = (RETRY_SECONDS << doublings).min(self.poll_seconds);
        self.look_again_at = later(now, self.tempo.seconds(pause));
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let is_news = self.trouble != Some(Trouble::Unreachable);
        self.trouble = Some(Trouble::Unreachable);
        is_news.then_some(News::Unreachable(why))
    }
}

fn later(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
