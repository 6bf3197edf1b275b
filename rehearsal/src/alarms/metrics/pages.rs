//! What is left of answers that did not fit on one page of `GetMetricData`. It keeps what was read, so that a later page
//! goes on where the one before it ended, whatever has been published since.

use super::MetricTrouble;
use std::collections::VecDeque;

/// Answers that nobody continues; the oldest go first.
const KEPT_MAX: usize = 100;

/// One query's answer, in the order that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MetricResult {
    pub(crate) id: String,
    pub(crate) label: String,
    /// Start of the period, and value.
    pub(crate) points: Vec<(i64, f64)>,
    pub(crate) trouble: Option<MetricTrouble>,
}

/// The remainders by the token that continues them.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    last: u64,
    kept: VecDeque<(String, Vec<MetricResult>)>,
}

impl Pages {
    pub(crate) fn keep(&mut self, rest: Vec<MetricResult>) -> String {
        self.last += 1;
        let token = format!("page-{}", self.last);
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back((token.clone(), rest));
        token
    }

    /// A token continues as often as it is shown: an answer may have been lost.
    pub(crate) fn continued(&self, token: &str) -> Option<Vec<MetricResult>> {
        self.kept.iter().find(|(known, _)| known == token).map(|(_, rest)| rest.clone())
    }
}
