//! Taking a plan's steps: each row after the one before, the steps within a row together. Nothing is chosen here.

use futures_util::future::join_all;
use jiff::Timestamp;

use super::Aws;
use crate::plan::{Step, Steps};

/// Why steps were not all taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Interruption {
    /// Somebody else came first. What they did can be seen, so the caller looks again and decides anew.
    #[error("{what}")]
    Raced {
        /// What was found.
        what: String,
    },
    /// What somebody else is bringing about was not there when looking ended.
    #[error("{what}")]
    Pending {
        /// What was seen last.
        what: String,
    },
    /// A call failed for good.
    #[error("{why}")]
    Failed {
        /// Which, and why.
        why: String,
    },
}

/// How far the steps were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// When the last call that moves traffic had been answered.
    pub traffic_moved_at: Option<Timestamp>,
    /// Whether a call that moves traffic failed for good.
    pub traffic_failed: bool,
    /// The first interruption.
    pub interruption: Option<Interruption>,
}

/// Takes the steps, and stops after the row in which one is interrupted. A target that cannot be moved, or that somebody else
/// has moved, is no reason to leave those of a later turn where they are, so they are moved before it stops. Each of those calls
/// has a precondition of its own, or the claim that was written before.
pub async fn take(aws: &Aws, steps: &Steps, clock: fn() -> Timestamp) -> Taken {
    let mut taken = Taken::default();
    for row in steps {
        if taken.interruption.is_some() && !row.iter().all(moves_one_target) {
            return taken;
        }
        let outcomes = join_all(row.iter().map(|step| take_one(aws, step, clock))).await;
        let interrupted: Vec<(&Step, Interruption)> =
            row.iter().zip(outcomes).filter_map(|(step, outcome)| Some((step, outcome.err()?))).collect();
        if interrupted.is_empty() {
            if row.iter().any(has_moved_traffic) {
                taken.traffic_moved_at = Some(clock());
            }
            continue;
        }
        let goes_on = interrupted.iter().all(|(step, _)| moves_one_target(step));
        taken.traffic_failed |= interrupted.iter().any(|(step, why)| step.moves_traffic() && !is_race(why));
        taken.interruption = taken.interruption.or(gravest(interrupted));
        if !goes_on {
            return taken;
        }
    }
    taken
}

/// A race counts before a failure, because looking again may explain the failure.
fn gravest(mut interrupted: Vec<(&Step, Interruption)>) -> Option<Interruption> {
    let first = interrupted.iter().position(|(_, why)| is_race(why)).unwrap_or(0);
    (!interrupted.is_empty()).then(|| interrupted.swap_remove(first).1)
}

fn is_race(interruption: &Interruption) -> bool {
    match interruption {
        Interruption::Raced { .. } => true,
        Interruption::Pending { .. } | Interruption::Failed { .. } => false,
    }
}

/// Whether a step is one call that moves one target, and depends on no step before it but a claim.
fn moves_one_target(step: &Step) -> bool {
    match step {
        Step::SetTraffic(_) | Step::Turn(_) => true,
        Step::StopDeployment { .. }
        | Step::Reverse(_)
        | Step::Await { .. }
        | Step::See(_)
        | Step::Confirm { .. }
        | Step::Pin { .. }
        | Step::Write(_)
        | Step::Hear { .. }
        | Step::Tell(_)
        | Step::KeepLogs(_)
        | Step::Note(_)
        | Step::StopExecution { .. } => false,
    }
}

/// Whether traffic has moved once a step was taken. CodeDeploy only promises that it will.
fn has_moved_traffic(step: &Step) -> bool {
    match step {
        Step::SetTraffic(_) | Step::Await { .. } | Step::Turn(_) => true,
        Step::See(_)
        | Step::StopDeployment { .. }
        | Step::Reverse(_)
        | Step::Confirm { .. }
        | Step::Pin { .. }
        | Step::Write(_)
        | Step::Hear { .. }
        | Step::Tell(_)
        | Step::KeepLogs(_)
        | Step::Note(_)
        | Step::StopExecution { .. } => false,
    }
}

async fn take_one(aws: &Aws, step: &Step, clock: fn() -> Timestamp) -> Result<(), Interruption> {
    match step {
        Step::SetTraffic(step) => aws.at(&step.reach).set_traffic(step).await,
        Step::Turn(turn) => aws.turn(turn).await,
        Step::See(see) => aws.see(see, clock).await,
        Step::Confirm { reach, function, alias, traffic, revision } => {
            aws.at(reach).confirm(function, alias, *traffic, revision.as_ref()).await
        }
        Step::StopDeployment { deployment } => aws.stop_deployment(deployment).await,
        Step::Reverse(reversal) => aws.reverse(reversal).await,
        Step::Await { function, alias, traffic, ended, until } => {
            aws.await_traffic(function, alias, *traffic, ended.as_ref(), *until, clock).await
        }
        Step::Pin { reach, function, alias, version, replaces } => {
            aws.at(reach).pin(function, alias, *version, replaces.as_ref()).await
        }
        Step::Write(write) => aws.ledger.write(write).await,
        Step::Hear { service, heard, now, until } => aws.ledger.hear(service, heard, *now, *until).await,
        Step::Tell(notice) => aws.tell(notice).await,
        Step::KeepLogs(keep) => {
            aws.keep_logs(keep).await;
            Ok(())
        }
        Step::Note(finding) => aws.ledger.note(finding).await,
        Step::StopExecution { execution, why } => {
            aws.stop_execution(execution, why).await;
            Ok(())
        }
    }
}
