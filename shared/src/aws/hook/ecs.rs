//! A deployment of CodeDeploy's to ECS: whose it is, how far it has come, and its checks.

use super::{Hook, Work};
use crate::aws::http::answer_of;
use crate::deployment::{DeploymentState, Place};
use crate::hook::{Checked, EcsMoment, HookVerdict, Owner, decide_ecs};
use crate::names::Generation;
use crate::preflight::{Surroundings, Unseen};
use crate::registration::Registration;

/// A deployment to an ECS service that is registered.
#[derive(Debug)]
pub struct Installed {
    registration: Registration,
    place: Place,
    event: String,
    moment: EcsMoment,
}

type Settled = (Option<Owner>, HookVerdict);

impl Installed {
    /// Whose it is. Ripcord keeps no releases of ECS services.
    pub fn owner(&self) -> Owner {
        Owner { service: self.registration.service.clone(), generation: Generation(0) }
    }
}

impl Hook {
    pub(super) async fn installed(&self, work: &Work, state: &DeploymentState) -> Result<Installed, Settled> {
        self.try_installed(work, state).await.map_err(|why| (None, HookVerdict::failed(why)))
    }

    async fn try_installed(&self, work: &Work, state: &DeploymentState) -> Result<Installed, String> {
        let event = self.event_in_progress(work, &state.id);
        let (place, event) = tokio::try_join!(self.installed_at(state), event)?;
        let owner = self.owner(&place).await?;
        let registration = self.record(&owner).await?.registration;
        let moment = EcsMoment::of(&event).ok_or_else(|| format!("{event} is no event that calls hooks"))?;
        Ok(Installed { registration, place, event, moment })
    }

    /// The one ECS service that a deployment's group deploys to.
    async fn installed_at(&self, state: &DeploymentState) -> Result<Place, String> {
        let DeploymentState { application, group, .. } = state;
        let found = self.aws.deployment_group(application, group).await;
        let services =
            found.map_err(|failed| failed.to_string())?.map_or_else(Vec::new, |group| group.services);
        let count = services.len();
        match <[Place; 1]>::try_from(services) {
            Ok([place]) => Ok(place),
            Err(_) => Err(format!("{application}/{group} deploys to {count} ECS services")),
        }
    }

    /// Checks a deployment to ECS, and keeps what was found.
    pub async fn check_service(&self, work: &Work, installed: Installed) -> Checked {
        let owner = installed.owner();
        let Installed { registration, place, event, moment } = installed;
        let now = (self.clock)();
        let surroundings = Surroundings::of(&registration, &work.here);
        let health = registration.hooks.ecs_services.iter().find(|service| place_of(service) == place);
        let health = health.and_then(|service| service.health.as_ref());
        let names = surroundings.guards_here();
        let asked = async {
            match health.filter(|_| moment.asks_health()) {
                Some(health) => Some(answer_of(health, work.patience(now)).await.map_err(Unseen::because)),
                None => None,
            }
        };
        let (guards, dead_letters, answer) = tokio::join!(
            self.aws.look_at_guards(&names),
            self.aws.look_at_dead_letters(&registration.dead_letter_queues, now, self.tempo),
            asked,
        );
        let health = health.map(|health| (health, answer.as_ref()));
        let checks = decide_ecs(&surroundings, moment, (&guards, &dead_letters), health, (self.clock)());
        let verdict = HookVerdict::of(&checks);
        self.kept(work, Checked { owner: Some(owner), event, checks, verdict }).await
    }
}

fn place_of(service: &crate::registration::EcsService) -> Place {
    Place::Service { cluster: service.cluster.to_string(), service: service.service.to_string() }
}
