//! Waiting within a deployment: until a time or an answer, and never past a stop or an alarm.

use super::{CodeDeploy, record::Record, record::StopRequest};
use crate::alarms::evaluate::AlarmState;
use std::time::{Duration, Instant};

/// How often alarms are looked at, in a deployment's own time.
const ALARMS_EVERY: Duration = Duration::from_secs(10);
/// However short a rehearsal's minute is, looking must not be all that is done.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(5);

/// What ends a wait, and with it the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interruption {
    Stopped(StopRequest),
    /// The alarms that fire.
    Alarmed(Vec<String>),
    /// The deployment is not in the books any more.
    Gone,
}

impl CodeDeploy {
    /// What `probe` finds, or nothing when the time is over.
    pub(super) async fn watched<T>(
        &self,
        id: &str,
        limit: Duration,
        mut probe: impl FnMut(&Record) -> Option<T>,
    ) -> Result<Option<T>, Interruption> {
        let deadline = Instant::now() + limit;
        let look_every = self.scaled(ALARMS_EVERY).max(LOOK_EVERY_MIN);
        loop {
            let (found, changed) = {
                let books = self.lock();
                let record = books.deployment(id).ok_or(Interruption::Gone)?;
                if let Some(stop) = record.stop {
                    return Err(Interruption::Stopped(stop));
                }
                (probe(record), record.changed.clone())
            };
            self.check_alarms(id)?;
            if found.is_some() {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            // The notice of a change that comes before this wait is kept for it.
            tokio::select! {
                () = tokio::time::sleep(left.min(look_every)) => {}
                () = changed.notified() => {}
            }
        }
    }

    /// Fails when an alarm fires that the deployment heeds.
    pub(super) fn check_alarms(&self, id: &str) -> Result<(), Interruption> {
        let alarms = self.lock().deployment(id).and_then(|record| record.alarms.clone());
        let Some(alarms) = alarms.filter(|alarms| alarms.enabled) else { return Ok(()) };
        let fires =
            |name: &&str| self.alarms.state(name).is_some_and(|alarm| alarm.state == AlarmState::Alarm);
        let firing: Vec<String> = alarms.names().filter(fires).map(str::to_owned).collect();
        if firing.is_empty() { Ok(()) } else { Err(Interruption::Alarmed(firing)) }
    }
}
