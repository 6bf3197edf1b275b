//! The hooks of a deployment of CodeDeploy's to ECS: which checks mean something at which lifecycle event.

use jiff::Timestamp;

use crate::preflight::{Check, GuardState, HealthAnswer, QueueLength, Seen, Surroundings, check_health};
use crate::registration::HealthCheck;

/// How far a deployment to ECS has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EcsMoment {
    /// The new tasks do not run, or take no requests: `BeforeInstall`, `AfterInstall`.
    Installing,
    /// They take test traffic: `AfterAllowTestTraffic`, `BeforeAllowTraffic`.
    Tested,
    /// They take all traffic: `AfterAllowTraffic`.
    Live,
}

impl EcsMoment {
    /// What a lifecycle event means; nothing if it is one that calls no hook.
    pub fn of(event: &str) -> Option<Self> {
        match event {
            "BeforeInstall" | "AfterInstall" => Some(Self::Installing),
            "AfterAllowTestTraffic" | super::BEFORE_TRAFFIC => Some(Self::Tested),
            super::AFTER_TRAFFIC => Some(Self::Live),
            _ => None,
        }
    }

    /// Whether the service's address is asked.
    pub fn asks_health(self) -> bool {
        match self {
            Self::Installing => false,
            Self::Tested | Self::Live => true,
        }
    }
}

/// The checks at a moment of a deployment. Once all traffic is on the new tasks, no freeze is worth going back for.
pub fn decide_ecs(
    surroundings: &Surroundings<'_>,
    moment: EcsMoment,
    (guards, dead_letters): (&Seen<Vec<GuardState>>, &[Seen<QueueLength>]),
    health: Option<(&HealthCheck, Option<&Seen<HealthAnswer>>)>,
    now: Timestamp,
) -> Vec<Check> {
    let health = health.filter(|_| moment.asks_health()).map(|(health, answer)| check_health(health, answer));
    let alarms = surroundings.check_alarms(guards);
    match moment {
        EcsMoment::Installing | EcsMoment::Tested => {
            let around = [alarms, surroundings.check_freeze(now)].into_iter();
            around.chain(surroundings.check_dead_letters(dead_letters)).chain(health).collect()
        }
        EcsMoment::Live => [alarms].into_iter().chain(health).collect(),
    }
}
