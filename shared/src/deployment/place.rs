//! Where a deployment shifts traffic: what a deployment and a registration have in common.

use std::collections::BTreeSet;
use std::fmt;

use crate::names::{AliasName, FunctionName};
use crate::registration::{EcsService, Registration, Target};

/// Where traffic is shifted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Behind an alias of Lambda.
    Alias {
        /// The function.
        function: FunctionName,
        /// The alias.
        alias: AliasName,
    },
    /// In front of a service of ECS.
    Service {
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
    },
}

impl Place {
    /// The places where a registration has its traffic.
    pub fn of(registration: &Registration) -> BTreeSet<Self> {
        let alias =
            |target: &Target| Self::Alias { function: target.function.clone(), alias: target.alias.clone() };
        let service = |named: &EcsService| Self::Service {
            cluster: named.cluster.to_string(),
            service: named.service.to_string(),
        };
        let services = registration.hooks.ecs_services.iter().map(service);
        registration.targets.iter().map(alias).chain(services).collect()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias { function, alias } => write!(f, "lambda:{function}:{alias}"),
            Self::Service { cluster, service } => write!(f, "ecs:{cluster}/{service}"),
        }
    }
}
