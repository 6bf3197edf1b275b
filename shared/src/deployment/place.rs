//! Where a deployment shifts traffic: what a deployment and a registration have in common.

use std::collections::BTreeSet;
use std::fmt;

use crate::names::{AliasName, FunctionName};
use crate::registration::Registration;

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
        let alias = |target: &crate::registration::Target| Self::Alias {
            function: target.function.clone(),
            alias: target.alias.clone(),
        };
        registration.targets.iter().map(alias).collect()
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
