//! Observing a service: the ledger and every target at once.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};

use super::{Aws, LedgerError};
use crate::deployment::Deployments;
use crate::names::ServiceName;
use crate::registration::Target;
use crate::situation::{ServiceRecord, Sighting, Situation};

/// What was found of a service.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// It is registered.
    Service(Box<Situation>),
    /// It is not.
    Unregistered,
}

/// Observes a service. With targets known beforehand the ledger and the targets are read in the same moment; those that
/// the ledger names besides are looked at after it.
pub async fn observe(aws: &Aws, service: &ServiceName, known: &[Target]) -> Result<Observed, LedgerError> {
    let (record, mut live) = join(aws.ledger.service(service), sight(aws, known)).await;
    let Some(record) = record? else { return Ok(Observed::Unregistered) };
    let unseen = unseen_targets(&record, known);
    // A name may have been registered anew for another alias; what was seen under it then is not what it means now.
    for target in &unseen {
        live.remove(&target.name);
    }
    if !unseen.is_empty() {
        live.extend(sight(aws, &unseen).await);
    }
    live.retain(|name, _| record.registration.target(name).is_some());
    Ok(Observed::Service(Box::new(Situation { record, live, deployments: Deployments::default() })))
}

fn unseen_targets(record: &ServiceRecord, known: &[Target]) -> Vec<Target> {
    record.registration.targets.iter().filter(|target| !known.contains(target)).cloned().collect()
}

async fn sight(aws: &Aws, targets: &[Target]) -> BTreeMap<crate::names::TargetName, Sighting> {
    let look = |target: &Target| {
        let target = target.clone();
        async move { (target.name.clone(), aws.alias(&target.function, &target.alias).await) }
    };
    join_all(targets.iter().map(look)).await.into_iter().collect()
}
