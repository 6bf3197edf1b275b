//! Waiting for a restored instance, for a bounded time.

use std::time::Duration;

use super::databases::Databases;
use super::source::Twin;
use crate::failure::{Failure, Kind};

/// A restore takes as long as there is data. Whoever waited so long had better look for themselves.
const WAIT_MAX: Duration = Duration::from_secs(3 * 60 * 60);
/// The first look comes soon, for a restore that fails at once; later ones are seldom.
pub(super) const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What RDS calls an instance that will not become available by itself.
const FAILED: [&str; 7] = [
    "failed",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "restore-error",
    "storage-full",
];

/// Looks until the instance is available.
pub(super) async fn until_available(
    databases: &Databases,
    new: &str,
    mut twin: Twin,
    mut pause: Duration,
) -> Result<Twin, Failure> {
    let unfinished = |message: String| {
        Err(Failure::new(Kind::RestoreUnfinished, message)
            .hint("look with: aws rds describe-db-instances; the same command waits on"))
    };
    let begun = tokio::time::Instant::now();
    loop {
        if twin.status == "available" {
            return Ok(twin);
        }
        if FAILED.contains(&twin.status.as_str()) {
            return unfinished(format!("{new} was not restored: RDS says {}", twin.status));
        }
        if begun.elapsed() + pause > WAIT_MAX {
            let minutes = WAIT_MAX.as_secs() / 60;
            return unfinished(format!("{new} is still {} after {minutes} minutes", twin.status));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        twin = match databases.twin(new).await? {
            Some(twin) => twin,
            None => return unfinished(format!("{new} was deleted meanwhile")),
        };
    }
}
