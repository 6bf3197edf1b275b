//! `ripcord flags rollback`: puts the release back that has changed the flags, as `ripcord rollback` does, and never another.

use ripcord::names::{ServiceName, TargetName};
use ripcord::release::{Phase, Release};

use super::served::configuration;
use crate::args::Caller;
use crate::failure::{Failure, Kind};
use crate::rollback::{Cord, Rollback};
use crate::session::{Place, Session};

/// Whose flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service
    service: ServiceName,
    /// The target; may be left out where only one is a configuration
    #[arg(long)]
    target: Option<TargetName>,
    /// Why, for the record and the notice
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    caller: Caller,
}

pub(super) async fn run(args: &Args, place: &Place) -> Result<Rollback, Failure> {
    let session = Session::open(place).await?;
    let service = &args.service;
    let record = session.aws.ledger.service(service).await?;
    let record = record.ok_or_else(|| Failure::service_unknown(service))?;
    let (target, _) = configuration(&record.registration, args.target.as_ref())?;
    let release = changed_by(record.release.as_ref(), service, &target.name)?;
    match release.phase {
        Phase::RolledBack | Phase::Withdrawn => {
            let because = release.ended_because.as_deref().unwrap_or("no reason was noted");
            Ok(session.look_back(service, because).await)
        }
        Phase::Shifting | Phase::Complete | Phase::RollbackFailed | Phase::Held => {
            let cord = Cord::latest(service, args.reason.clone(), args.caller.clone());
            session.pull_the_cord(&cord).await
        }
    }
}

/// The latest release, if it has changed the flags. A rollback puts a release back as a whole, so one that has not is none of
/// this command's business.
fn changed_by<'a>(
    latest: Option<&'a Release>,
    service: &ServiceName,
    target: &TargetName,
) -> Result<&'a Release, Failure> {
    match latest {
        Some(release) if release.change(target).is_some() => Ok(release),
        Some(release) => {
            let generation = release.generation;
            let message = format!("the latest release of {service}, {generation}, has not changed {target}");
            Err(Failure::new(Kind::NothingReleased, message).hint(format!(
                "switch a flag off with: ripcord flags set {service} FLAG --off --at-once; or put that release back with: \
                 ripcord rollback {service}"
            )))
        }
        None => Err(Failure::new(Kind::NothingReleased, format!("nothing of {service} was released yet"))),
    }
}
