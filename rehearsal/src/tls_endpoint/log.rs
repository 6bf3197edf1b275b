//! What was asked of the endpoint and when; from it, how many round trips had to wait for each other.

use std::time::{Duration, Instant};

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The call, as IAM names it.
    pub call: String,
    /// On which connection it came.
    pub connection: u64,
    /// When it arrived.
    pub arrived_at: Instant,
    /// When its answer was given.
    pub answered_at: Instant,
    /// The answer's HTTP status.
    pub status: u16,
}

impl Exchange {
    /// The call and how it was answered, for a message.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} ({})", self.call, self.status)
    }
}

/// The exchanges of one run, in the order in which they were answered.
#[derive(Clone, Debug, Default)]
pub struct RequestLog {
    exchanges: Vec<Exchange>,
}

impl RequestLog {
    pub(super) fn push(&mut self, exchange: Exchange) {
        self.exchanges.push(exchange);
    }

    /// All of them, in the order of their arrival.
    #[must_use]
    pub fn exchanges(&self) -> Vec<&Exchange> {
        let mut exchanges: Vec<_> = self.exchanges.iter().collect();
        exchanges.sort_by_key(|exchange| exchange.arrived_at);
        exchanges
    }

    /// The first exchange of this call.
    #[must_use]
    pub fn first(&self, call: &str) -> Option<&Exchange> {
        self.exchanges().into_iter().find(|exchange| exchange.call == call)
    }

    /// How many exchanges, this one included, had to follow each other until it: one that arrived only after
    /// another was answered may have waited for it, two that overlap cannot have.
    #[must_use]
    pub fn depth(&self, of: &Exchange) -> usize {
        let mut depths: Vec<(Instant, usize)> = Vec::with_capacity(self.exchanges.len());
        for exchange in self.exchanges() {
            let depth = 1 + depth_before(&depths, exchange.arrived_at);
            depths.push((exchange.answered_at, depth));
        }
        1 + depth_before(&depths, of.arrived_at)
    }

    /// The depth of the deepest exchange.
    #[must_use]
    pub fn depth_max(&self) -> usize {
        self.exchanges.iter().map(|exchange| self.depth(exchange)).max().unwrap_or_default()
    }

    /// For how long at least one exchange was under way: the least that the whole run can have taken.
    #[must_use]
    pub fn busy(&self) -> Duration {
        let mut busy = Duration::ZERO;
        let mut until: Option<Instant> = None;
        for exchange in self.exchanges() {
            let from = until.map_or(exchange.arrived_at, |until| until.max(exchange.arrived_at));
            busy += exchange.answered_at.saturating_duration_since(from);
            until = Some(until.map_or(exchange.answered_at, |until| until.max(exchange.answered_at)));
        }
        busy
    }
}

fn depth_before(depths: &[(Instant, usize)], at: Instant) -> usize {
    depths
        .iter()
        .filter(|(answered_at, _)| *answered_at <= at)
        .map(|(_, depth)| *depth)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(exchanges: &[(&str, u64, u64)]) -> RequestLog {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let mut log = RequestLog::default();
        for (call, arrived_ms, answered_ms) in exchanges {
            log.push(Exchange {
                call: (*call).to_owned(),
                connection: 0,
                arrived_at: at(*arrived_ms),
                answered_at: at(*answered_ms),
                status: 200,
            });
        }
        log
    }

    #[test]
    fn exchanges_that_overlap_count_once() {
        let log =
            log(&[("map", 0, 5), ("ledger", 6, 11), ("alias", 7, 12), ("update", 13, 18), ("late", 40, 45)]);
        let depths: Vec<_> = log.exchanges().iter().map(|exchange| log.depth(exchange)).collect();
        assert_eq!(depths, [1, 2, 2, 3, 4]);
        assert_eq!(log.depth_max(), 4);
        assert_eq!(log.busy(), Duration::from_millis(5 + 6 + 5 + 5));
        assert_eq!(log.first("update").map(|update| log.depth(update)), Some(3));
    }

    #[test]
    fn nothing_asked_is_no_round_trip() {
        assert_eq!(log(&[]).depth_max(), 0);
        assert_eq!(log(&[]).busy(), Duration::ZERO);
    }
}
