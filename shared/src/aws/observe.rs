//! Observing a service: the ledger and every target at once, and what CodeDeploy says of the deployment that moves it.

use std::collections::BTreeMap;

use futures_util::future::{OptionFuture, join, join_all, join3};

use super::{Aws, CallFailed, LedgerError};
use crate::deployment::{Deployment, DeploymentState, Deployments};
use crate::names::{DeploymentId, ServiceName};
use crate::place::Wanted;
use crate::registration::Target;
use crate::release::Change;
use crate::situation::{ServiceRecord, Sighting, Situation};

/// What was found of a service.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// It is registered.
    Service(Box<Situation>),
    /// It is not.
    Unregistered,
}

type Live = BTreeMap<crate::names::TargetName, Sighting>;

/// Observes a service. With targets known beforehand the ledger and the targets are read in the same moment; those that
/// the ledger names besides are looked at after it.
pub async fn observe(aws: &Aws, service: &ServiceName, known: &[Target]) -> Result<Observed, LedgerError> {
    let (record, live) = join(aws.ledger.service(service), sight(aws, known)).await;
    let Some(record) = record? else { return Ok(Observed::Unregistered) };
    let live = sight_besides(aws, &record, known, live).await;
    Ok(Observed::Service(Box::new(Situation::seen(record, live, Deployments::default()))))
}

/// Observes a service for deciding about what CodeDeploy may be moving: besides, the deployment that somebody asks about and
/// the one that moves the latest release. Where CodeDeploy moves nothing it is not called.
pub async fn observe_deployed(
    aws: &Aws,
    service: &ServiceName,
    known: &[Target],
    asked: Option<&DeploymentId>,
) -> Result<Observed, LedgerError> {
    let asked = OptionFuture::from(asked.map(|id| look_at(aws, id)));
    let (record, live, asked) = join3(aws.ledger.service(service), sight(aws, known), asked).await;
    let Some(record) = record? else { return Ok(Observed::Unregistered) };
    let ours = record.release.as_ref().and_then(|release| release.deployment.as_deref());
    let seen = asked.into_iter().collect();
    let (live, deployments) =
        join(sight_besides(aws, &record, known, live), deployments(aws, ours, seen)).await;
    Ok(Observed::Service(Box::new(Situation::seen(record, live, deployments))))
}

async fn sight_besides(aws: &Aws, record: &ServiceRecord, known: &[Target], mut live: Live) -> Live {
    let unseen: Vec<Target> =
        record.registration.targets.iter().filter(|target| !known.contains(target)).cloned().collect();
    // A name may have been registered anew for another alias; what was seen under it then is not what it means now.
    for target in &unseen {
        live.remove(&target.name);
    }
    if !unseen.is_empty() {
        live.extend(sight(aws, &unseen).await);
    }
    live.retain(|name, _| record.registration.target(name).is_some());
    look_closer(aws, record, &mut live).await;
    live
}

/// Looks closer at places, at once, now that the ledger has said what they would go back to.
async fn look_closer(aws: &Aws, record: &ServiceRecord, live: &mut Live) {
    let looks = live.iter_mut().filter_map(|(name, sighting)| {
        let Sighting::Place(live) = sighting else { return None };
        let target = record.registration.target(name)?;
        let changes = record.release.iter().flat_map(|release| &release.changes);
        // What was brought there besides goes back to what is known to be good.
        let is_about = |change: &&Change| {
            change.target == *name && [change.stable, change.candidate].contains(&live.traffic.primary)
        };
        let change = changes.into_iter().find(is_about);
        let good = record.known_good.iter().find(|good| good.target == *name);
        let wanted = match (change, good) {
            (Some(change), _) => Wanted::back(change.stable, change.candidate),
            (None, Some(good)) => Wanted::back(good.version, live.traffic.primary),
            (None, None) => return None,
        };
        Some(async move { aws.look_closer(target, live, &wanted).await })
    });
    join_all(looks).await;
}

async fn sight(aws: &Aws, targets: &[Target]) -> Live {
    let look = |target: &Target| {
        let target = target.clone();
        async move { (target.name.clone(), aws.sight(&target).await) }
    };
    join_all(targets.iter().map(look)).await.into_iter().collect()
}

/// What a look at one deployment shows.
type Look = (DeploymentId, Result<Option<DeploymentState>, CallFailed>);

async fn look_at(aws: &Aws, id: &DeploymentId) -> Look {
    (id.clone(), aws.deployment(id).await)
}

/// The release's own deployment, and where that has ended the one after it in its group and its way back. While it runs it is
/// the only one in its group.
async fn deployments(aws: &Aws, ours: Option<&Deployment>, mut looks: Vec<Look>) -> Deployments {
    let Some(ours) = ours else { return seen_in(looks, None) };
    let is_new = |id: &DeploymentId, looks: &[Look]| looks.iter().all(|(looked_at, _)| looked_at != id);
    let own = OptionFuture::from(is_new(&ours.id, &looks).then(|| look_at(aws, &ours.id)));
    let (own, group) = join(own, aws.deployment_group(&ours.application, &ours.group)).await;
    looks.extend(own);
    let own = looks.iter().find_map(|(id, seen)| (*id == ours.id).then_some(seen)?.as_ref().ok()?.as_ref());
    if own.is_some_and(|own| !own.status.has_ended()) {
        return seen_in(looks, None);
    }
    let way_back = own.and_then(|own| own.rolled_back_by.clone());
    let (latest, failed) = match group {
        Ok(group) => (group.and_then(|group| group.latest), None),
        Err(failed) => (None, Some(failed)),
    };
    let mut next: Vec<DeploymentId> = way_back.into_iter().chain(latest).collect();
    next.retain(|id| is_new(id, &looks));
    next.dedup();
    looks.extend(join_all(next.iter().map(|id| look_at(aws, id))).await);
    // What CodeDeploy has rolled back may be news, too: an alarm may be about that.
    let mut rolled_back =
        looks.iter().filter_map(|(_, seen)| seen.as_ref().ok()?.as_ref()?.rolls_back.clone());
    if let Some(id) = rolled_back.find(|id| is_new(id, &looks)) {
        looks.push(look_at(aws, &id).await);
    }
    seen_in(looks, failed)
}

/// One that does not exist is not among those seen; one that could not be looked at may be any.
fn seen_in(looks: Vec<Look>, failed: Option<CallFailed>) -> Deployments {
    let mut deployments = Deployments { seen: Vec::new(), unseen: failed.map(|failed| failed.to_string()) };
    for (_, look) in looks {
        match look {
            Ok(state) => deployments.seen.extend(state),
            Err(failed) => deployments.unseen = Some(failed.to_string()),
        }
    }
    deployments
}
