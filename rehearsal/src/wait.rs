//! Waiting for something to come about, within a bound. It knows nothing of what is waited for.

use std::time::{Duration, Instant};

const POLL_EVERY: Duration = Duration::from_millis(20);

/// Nothing came of a wait.
#[derive(Debug, thiserror::Error)]
#[error("failed to see {what} within {limit_s:.1} s")]
pub struct WaitError {
    /// What was waited for.
    pub what: String,
    /// The bound.
    pub limit_s: f64,
}

/// Waits until `probe` returns something, at most for `limit`.
pub async fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Option<T>,
) -> Result<T, WaitError> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(WaitError { what: what.to_owned(), limit_s: limit.as_secs_f64() });
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}
