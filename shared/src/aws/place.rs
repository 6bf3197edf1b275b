//! The places that are no aliases of functions: looking at one, moving it by one call, and looking until it has arrived. What
//! was seen is judged by the core; nothing is decided here.

use std::time::Duration;

use jiff::Timestamp;

use super::execute::Interruption;
use super::{Aws, CallFailed};
use crate::place::{Aim, Call, Live, Place, Seen, Wanted, Way};
use crate::plan::{See, Turn};
use crate::registration::Target;
use crate::signal::TakenBack;
use crate::situation::Sighting;

mod api_stage;
mod configuration;
mod ecs;
mod load_balancer;
mod memory;
mod records;
mod stack;
mod state_machine;

pub use configuration::{HostedError, NewVersion};
pub(super) use memory::Memory;
pub use stack::{KeepError, TEMPLATE_BYTES_MAX, Triggers};

/// What is on its way is looked at this often: seldom enough for the slowest of AWS's limits on calls.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Aws {
    /// Looks at a target, where it lies.
    pub async fn sight(&self, target: &Target) -> Sighting {
        let aws = self.at(&target.reach);
        match &target.place {
            Place::LambdaAlias(alias) => aws.alias(&alias.function, &alias.alias).await,
            Place::EcsService(place) => sighting(ecs::observe(&aws, place).await),
            Place::LoadBalancer(place) => sighting(load_balancer::observe(&aws, place).await),
            Place::ApiStage(place) => sighting(api_stage::observe(&aws, place).await),
            Place::Configuration(place) => sighting(configuration::observe(&aws, place).await),
            Place::DnsRecords(place) => sighting(records::observe(&aws, place).await),
            Place::Stack(place) => sighting(stack::observe(&aws, place).await),
            Place::StateMachineAlias(place) => sighting(state_machine::observe(&aws, place).await),
        }
    }

    /// Looks closer at a place, once it is known between which versions it is moved: at what a first look leaves out, because
    /// only a place that has come to rest needs it.
    pub(super) async fn look_closer(&self, target: &Target, live: &mut Live, wanted: &Wanted) {
        if let (Place::EcsService(place), Seen::EcsService(seen)) = (&target.place, &mut live.seen) {
            ecs::look_closer(&self.at(&target.reach), place, seen, wanted).await;
        }
    }

    /// Who has taken a deployment of AppConfig back; as it was, where AppConfig does not say.
    pub async fn explain_taken_back(&self, target: &Target, taken: TakenBack) -> TakenBack {
        match target.configuration() {
            Some(place) => configuration::explain(&self.at(&target.reach), place, taken).await,
            None => taken,
        }
    }

    /// Moves a place.
    pub(super) async fn turn(&self, turn: &Turn) -> Result<(), Interruption> {
        let aws = self.at(&turn.target.reach);
        match &turn.call {
            Call::EcsService(call) => ecs::call(&aws, call).await,
            Call::LoadBalancer(call) => load_balancer::call(&aws, call).await,
            Call::ApiStage(call) => api_stage::call(&aws, call).await,
            Call::Configuration(call) => configuration::call(&aws, call).await,
            Call::DnsRecords(call) => records::call(&aws, call).await,
            Call::Stack(call) => stack::call(&aws, call).await,
            Call::StateMachineAlias(call) => state_machine::call(&aws, call).await,
        }
    }

    /// Looks at a place until it is as it should be, and no shift can change that any more.
    pub(super) async fn see(&self, see: &See, clock: fn() -> Timestamp) -> Result<(), Interruption> {
        // Bounded by `until`, which lies within the invocation.
        loop {
            let looked_at = clock();
            let waiting = match self.arrival(see).await? {
                Arrival::There if see.not_before.is_none_or(|at| at <= looked_at) => return Ok(()),
                Arrival::There => "a shift that is under way may still land".to_owned(),
                Arrival::Coming(what) => what,
            };
            if clock().saturating_add(LOOK_EVERY).is_ok_and(|next| next >= see.until) {
                let what = format!("{} is not as it should be yet: {waiting}", see.target.place);
                return Err(Interruption::Pending { what });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn arrival(&self, see: &See) -> Result<Arrival, Interruption> {
        let place = &see.target.place;
        let mut live = match self.sight(&see.target).await {
            Sighting::Place(live) => live,
            Sighting::Alias(_) | Sighting::Missing => {
                return Err(Interruption::Raced { what: format!("{place} is gone") });
            }
            Sighting::Unseen { why } => return Err(Interruption::Failed { why }),
        };
        if let Aim::Serve(wanted) = &see.aim {
            self.look_closer(&see.target, &mut live, wanted).await;
        }
        match place.way_to(&live.seen, &see.aim) {
            Way::There => Ok(Arrival::There),
            Way::Coming { what } => Ok(Arrival::Coming(what)),
            // Whoever holds the claim is about to make the call.
            Way::Call { call, .. } if see.is_anothers => {
                Ok(Arrival::Coming(format!("another is to call {call}")))
            }
            Way::Call { .. } | Way::Blocked(_) => {
                Err(Interruption::Raced { what: format!("{place} serves {}", live.traffic) })
            }
        }
    }
}

/// Whether a place is where it should be.
enum Arrival {
    There,
    Coming(String),
}

fn sighting(seen: Result<Option<Live>, CallFailed>) -> Sighting {
    match seen {
        Ok(Some(live)) => Sighting::Place(Box::new(live)),
        Ok(None) => Sighting::Missing,
        Err(failed) => Sighting::Unseen { why: failed.to_string() },
    }
}
