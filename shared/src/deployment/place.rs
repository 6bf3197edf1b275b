//! Where a deployment shifts traffic: what a deployment and a registration have in common.

use std::collections::BTreeSet;
use std::fmt;

use crate::names::{AliasName, FunctionName};
use crate::place::{self, LambdaAlias, ecs::Service};
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
        let service = |named: &EcsService| Self::Service {
            cluster: named.cluster.to_string(),
            service: named.service.to_string(),
        };
        let services = registration.hooks.ecs_services.iter().map(service);
        registration.targets.iter().filter_map(Self::of_target).chain(services).collect()
    }
}

impl Place {
    /// The place of a target, if deployments can shift it.
    fn of_target(target: &Target) -> Option<Self> {
        match &target.place {
            // CodeDeploy tells of its deployments, and calls its hooks, in the region and account of the alias: what is heard
            // at home is about another alias of the same name.
            place::Place::LambdaAlias(_) if !target.reach.is_home() => None,
            place::Place::LambdaAlias(LambdaAlias { function, alias }) => {
                Some(Self::Alias { function: function.clone(), alias: alias.clone() })
            }
            place::Place::EcsService(Service { cluster, service, .. }) => {
                Some(Self::Service { cluster: cluster.to_string(), service: service.to_string() })
            }
            place::Place::LoadBalancer(_)
            | place::Place::ApiStage(_)
            | place::Place::Configuration(_)
            | place::Place::DnsRecords(_)
            | place::Place::Stack(_)
            | place::Place::StateMachineAlias(_) => None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_elsewhere_is_not_the_one_that_codedeploy_moves_here() {
        let registration = |fields: &str| {
            let target = format!(
                r#"{{ "name": "api", "kind": "lambda_alias", "function": "f", "alias": "a"{fields} }}"#
            );
            let document =
                format!(r#"{{ "service": "s", "targets": [{target}], "guards": [{{ "alarm": "x" }}] }}"#);
            Registration::parse(&document).unwrap()
        };
        let places =
            |fields| Place::of(&registration(fields)).iter().map(Place::to_string).collect::<Vec<_>>();
        assert_eq!(places(""), ["lambda:f:a"]);
        assert!(places(r#", "region": "eu-central-1""#).is_empty());
        assert!(places(r#", "role_arn": "arn:aws:iam::222222222222:role/ripcord""#).is_empty());
    }
}
