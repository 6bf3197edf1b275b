//! `ripcord status`: what is live, what the ledger says, and where they differ. It reads, and changes nothing.

use std::fmt;

use futures_util::future::join_all;
use jiff::Timestamp;
use ripcord::names::{AliasName, FunctionName, Generation, Region, ServiceName, TargetName, Version};
use ripcord::pipeline::{Run, Tempo};
use ripcord::release::{PastRollback, Phase, Release};
use ripcord::situation::{Sighting, Situation};
use ripcord::traffic::Traffic;
use serde::Serialize;

use crate::failure::Failure;
use crate::session::{Place, Session};
use crate::warning::{Warning, being_moved_until, expected, quarantined_until, warnings};
use crate::watch::View;
use crate::whereabouts::{account, whereabouts};

#[cfg(test)]
pub(crate) mod example;
mod render;

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord status                    every service, a line each
  ripcord status checkout           one service in full
  watch -n 5 ripcord status checkout";

/// Whose status.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service; else all of them
    service: Option<ServiceName>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Status {
    services: Vec<ServiceStatus>,
    #[serde(skip)]
    in_full: bool,
}

/// One service. The names of these fields are what scripts read.
#[derive(Debug, Serialize)]
struct ServiceStatus {
    service: ServiceName,
    registration_version: u64,
    release: Option<ReleaseStatus>,
    targets: Vec<TargetStatus>,
    /// Rollbacks that still count or quarantine, the latest first.
    rollbacks: Vec<RollbackStatus>,
    warnings: Vec<Warning>,
    #[serde(skip)]
    now: Timestamp,
}

#[derive(Debug, Serialize)]
struct ReleaseStatus {
    generation: Generation,
    phase: Phase,
    opened_at: Timestamp,
    opened_by: String,
    ended_at: Option<Timestamp>,
    ended_because: Option<String>,
    /// How far the state machine has come that drives it; nothing if people do.
    run: Option<RunStatus>,
}

#[derive(Debug, Serialize)]
struct RunStatus {
    execution: String,
    strategy: String,
    /// The stages that have begun.
    begun: usize,
    stages: usize,
    /// Until when a person may approve what comes next.
    awaiting_until: Option<Timestamp>,
    #[serde(skip)]
    whereabouts: String,
}

#[derive(Debug, Serialize)]
struct TargetStatus {
    target: TargetName,
    /// What it is, by a unique name.
    place: String,
    /// The function and the alias, if it is an alias.
    function: Option<FunctionName>,
    alias: Option<AliasName>,
    /// The region, if it is not the suite's own.
    region: Option<Region>,
    /// The account, if it is not the suite's own.
    account: Option<String>,
    /// Until when an invocation may be moving it.
    being_moved_until: Option<Timestamp>,
    /// What it serves; nothing if it is missing or could not be seen.
    live: Option<Traffic>,
    /// What the ledger says that it should serve; nothing if it knows nothing.
    ledger: Option<Traffic>,
    stable: Option<Version>,
    candidate: Option<Version>,
    last_known_good: Option<Version>,
    last_known_good_since: Option<Timestamp>,
    #[serde(skip)]
    whereabouts: String,
}

#[derive(Debug, Serialize)]
struct RollbackStatus {
    generation: Generation,
    target: TargetName,
    version: Version,
    at: Timestamp,
    automatic: bool,
    reason: String,
    quarantined_until: Option<Timestamp>,
}

/// How many services are looked at together: enough to be quick, few enough not to be throttled.
const TOGETHER: usize = 8;

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Status, Failure> {
    let session = Session::open(place).await?;
    if let Some(service) = &args.service {
        let situation = session.observe(service).await?;
        return Ok(Status { services: vec![ServiceStatus::of(&situation, Timestamp::now())], in_full: true });
    }
    let names = session.aws.ledger.services().await?;
    let mut services = Vec::with_capacity(names.len());
    for some in names.chunks(TOGETHER) {
        for situation in join_all(some.iter().map(|service| session.observe(service))).await {
            services.push(ServiceStatus::of(&situation?, Timestamp::now()));
        }
    }
    Ok(Status { services, in_full: false })
}

impl ServiceStatus {
    fn of(situation: &Situation, now: Timestamp) -> Self {
        let record = &situation.record;
        let release = record.release.as_ref().map(|release| ReleaseStatus {
            generation: release.generation,
            phase: release.phase,
            opened_at: release.opened_at,
            opened_by: release.opened_by.clone(),
            ended_at: release.ended_at,
            ended_because: release.ended_because.clone(),
            run: release.run.as_deref().map(|run| RunStatus::of(release, run)),
        });
        let mut rollbacks: Vec<RollbackStatus> =
            record.rollbacks.iter().map(|rollback| RollbackStatus::of(situation, rollback, now)).collect();
        rollbacks.sort_by_key(|rollback| std::cmp::Reverse(rollback.at));
        Self {
            service: record.registration.service.clone(),
            registration_version: record.registration_version,
            release,
            targets: TargetStatus::all_of(situation, now),
            rollbacks,
            warnings: warnings(situation, now),
            now,
        }
    }
}

impl RunStatus {
    fn of(release: &Release, run: &Run) -> Self {
        Self {
            execution: run.execution.clone(),
            strategy: run.strategy.name.clone(),
            begun: run.reached.len(),
            stages: run.strategy.stages.len(),
            awaiting_until: run.awaiting.as_ref().map(|asked| asked.until),
            // Where it is does not depend on how fast time passes.
            whereabouts: View::of(release, &[], Tempo::REAL).whereabouts(),
        }
    }
}

impl TargetStatus {
    fn all_of(situation: &Situation, now: Timestamp) -> Vec<Self> {
        let record = &situation.record;
        let status = |target: &ripcord::registration::Target| {
            let change = record.release.as_ref().and_then(|release| release.change(&target.name));
            let good = record.known_good.iter().find(|good| good.target == target.name);
            Self {
                target: target.name.clone(),
                place: target.place.to_string(),
                function: target.lambda().map(|it| it.function.clone()),
                alias: target.lambda().map(|it| it.alias.clone()),
                region: target.reach.region.clone(),
                account: account(&target.reach).map(str::to_owned),
                being_moved_until: change.and_then(|change| being_moved_until(change, now)),
                live: situation.live.get(&target.name).and_then(Sighting::traffic),
                ledger: expected(situation, &target.name),
                stable: change.map(|change| change.stable),
                candidate: change.map(|change| change.candidate),
                last_known_good: good.map(|good| good.version),
                last_known_good_since: good.map(|good| good.since),
                whereabouts: whereabouts(target),
            }
        };
        record.registration.targets.iter().map(status).collect()
    }
}

impl RollbackStatus {
    fn of(situation: &Situation, rollback: &PastRollback, now: Timestamp) -> Self {
        Self {
            generation: rollback.generation,
            target: rollback.target.clone(),
            version: rollback.version,
            at: rollback.at,
            automatic: rollback.automatic,
            reason: rollback.reason.clone(),
            quarantined_until: quarantined_until(situation, rollback, now),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.in_full {
            self.services.iter().try_for_each(|service| render::in_full(f, service))
        } else {
            render::table(f, &self.services)
        }
    }
}
