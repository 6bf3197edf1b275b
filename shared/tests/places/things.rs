//! The things that are moved. Each applies a call literally and shows what it has become; none knows what is wanted of it.

use std::collections::BTreeMap;

use ripcord::names::{RevisionId, Version};
use ripcord::place::load_balancer::{self, Act, Action, Counts, Health, Sharing, Weighted};
use ripcord::place::records::{self, RecordSet};
use ripcord::place::state_machine::{self, Route};
use ripcord::place::{Call, Live, Place, Seen};
use ripcord::plan::SetTraffic;
use ripcord::registration::Target;
use ripcord::situation::{LiveAlias, Sighting};
use ripcord::traffic::Traffic;
use serde_json::{Value, json};

/// The kinds of targets that histories are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Compared and swapped by its revision.
    Alias,
    /// Nothing is compared.
    Balancer,
    /// Nothing is compared.
    Machine,
    /// What is replaced must be as it was seen.
    Records,
}

impl Kind {
    /// A target as a team registers it.
    pub(crate) fn target(self, name: &str, turn: u8) -> Value {
        let group = |colour: &str| {
            format!(
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{colour}/0123456789abcdef"
            )
        };
        let own = match self {
            Self::Alias => json!({ "kind": "lambda_alias", "function": name, "alias": "live" }),
            Self::Balancer => json!({
                "kind": "load_balancer",
                "rule": format!(
                    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/{name}/0123456789abcdef/fedcba9876543210"
                ),
                "target_groups": [group("blue"), group("green")],
            }),
            Self::Machine => json!({
                "kind": "state_machine_alias",
                "state_machine_alias": format!("arn:aws:states:eu-west-1:123456789012:stateMachine:{name}:live"),
            }),
            Self::Records => json!({
                "kind": "dns_records", "zone": "Z1", "record": format!("{name}.example.com"), "record_type": "CNAME",
                "identifiers": ["blue", "green"],
            }),
        };
        let mut target = own;
        target["name"] = json!(name);
        target["turn"] = json!(turn);
        target
    }

    /// The version that everything is on at first.
    pub(crate) fn first(self) -> Version {
        let version = match self {
            Self::Alias | Self::Machine => "1",
            Self::Balancer | Self::Records => "blue",
        };
        version.parse().unwrap()
    }

    /// What a team releases over a version: a number that was never released, or the other of two.
    pub(crate) fn after(self, version: Version, fresh: u64) -> Version {
        match self {
            Self::Alias | Self::Machine => Version::new(fresh).unwrap(),
            Self::Balancer | Self::Records if version.as_str() == "blue" => "green".parse().unwrap(),
            Self::Balancer | Self::Records => "blue".parse().unwrap(),
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Thing {
    Alias(LiveAlias),
    Balancer(load_balancer::Seen),
    Machine(state_machine::Seen),
    Records(records::Seen),
}

impl Thing {
    /// Everything on the first version.
    pub(crate) fn begin(target: &Target) -> Self {
        let first = |kind: Kind| Traffic::all_on(kind.first());
        match &target.place {
            Place::LambdaAlias(alias) => Self::Alias(LiveAlias {
                function: alias.function.clone(),
                alias: alias.alias.clone(),
                traffic: first(Kind::Alias),
                revision: revision(0),
            }),
            Place::LoadBalancer(place) => {
                let healthy = Health::Counted(Counts { registered: 2, able: 2, initial: 0, unused: 0 });
                let health = ["blue", "green"].map(|group| (group.parse().unwrap(), healthy.clone()));
                let groups = [(0, 100), (1, 0)].map(|(index, weight)| Weighted {
                    group: place.target_groups[index].arn().clone(),
                    weight,
                });
                let sharing = Sharing { groups: groups.to_vec(), stickiness: None };
                Self::Balancer(load_balancer::Seen {
                    actions: vec![Action { order: None, act: Act::Forward(sharing) }],
                    is_default: false,
                    health: BTreeMap::from(health),
                })
            }
            Place::StateMachineAlias(_) => Self::Machine(state_machine::Seen {
                routes: vec![Route { version: Kind::Machine.first(), percent: 100 }],
                published: Some((1..500).filter_map(Version::new).collect()),
                updated_at: None,
            }),
            Place::DnsRecords(place) => {
                let record = |identifier: &str, weight| RecordSet {
                    name: place.record.to_string(),
                    record_type: "CNAME".to_owned(),
                    identifier: Some(identifier.to_owned()),
                    weight: Some(weight),
                    ttl_seconds: Some(60),
                    values: vec![format!("{identifier}.example.com")],
                    ..RecordSet::default()
                };
                Self::Records(records::Seen {
                    records: vec![record("blue", 100), record("green", 0)],
                    others: Vec::new(),
                    propagating: None,
                })
            }
            other @ (Place::EcsService(_)
            | Place::ApiStage(_)
            | Place::Configuration(_)
            | Place::Stack(_)) => panic!("no history is about {other}"),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Alias(_) => Kind::Alias,
            Self::Balancer(_) => Kind::Balancer,
            Self::Machine(_) => Kind::Machine,
            Self::Records(_) => Kind::Records,
        }
    }

    /// What is seen of it.
    pub(crate) fn sight(&self, place: &Place) -> Sighting {
        let (traffic, seen) = match (self, place) {
            (Self::Alias(live), _) => return Sighting::Alias(live.clone()),
            (Self::Balancer(seen), Place::LoadBalancer(place)) => {
                (seen.traffic(place), Seen::LoadBalancer(Box::new(seen.clone())))
            }
            (Self::Machine(seen), _) => {
                (seen.traffic().unwrap(), Seen::StateMachineAlias(Box::new(seen.clone())))
            }
            (Self::Records(seen), Place::DnsRecords(place)) => {
                (seen.traffic(place), Seen::DnsRecords(Box::new(seen.clone())))
            }
            (Self::Balancer(_) | Self::Records(_), place) => panic!("{place} is something else"),
        };
        Sighting::Place(Box::new(Live { traffic, brought: None, seen }))
    }

    /// A call, as AWS takes it; otherwise what AWS says of its precondition.
    pub(crate) fn call(&mut self, call: &Call) -> Result<(), &'static str> {
        match (self, call) {
            (Self::Balancer(seen), Call::LoadBalancer(call)) => seen.actions = call.actions.clone(),
            (Self::Machine(seen), Call::StateMachineAlias(state_machine::Call::Route { routes, .. })) => {
                seen.routes = routes.clone();
            }
            (Self::Records(seen), Call::DnsRecords(records::Call::Replace(replacement))) => {
                if seen.records != replacement.before {
                    return Err("the records are not as they were seen");
                }
                seen.records = replacement.after.clone();
            }
            (thing, call) => panic!("{call} is not for {thing:?}"),
        }
        Ok(())
    }

    /// Lambda's own compare-and-swap.
    pub(crate) fn swap(&mut self, set: &SetTraffic, update: u64) -> Result<(), &'static str> {
        let Self::Alias(live) = self else { panic!("{set:?} is for an alias") };
        if live.revision != set.revision {
            return Err("the alias has changed since it was seen");
        }
        (live.traffic, live.revision) = (set.traffic, revision(update));
        Ok(())
    }

    /// Somebody moves it by hand: everything goes to one version.
    pub(crate) fn meddle(&mut self, version: Version, update: u64) {
        match self {
            Self::Alias(live) => {
                (live.traffic, live.revision) = (Traffic::all_on(version), revision(update));
            }
            Self::Balancer(seen) => {
                for action in &mut seen.actions {
                    let Act::Forward(sharing) = &mut action.act else { continue };
                    for named in &mut sharing.groups {
                        let is_meant = named.group.as_str().contains(&format!("/{version}/"));
                        named.weight = if is_meant { 100 } else { 0 };
                    }
                }
            }
            Self::Machine(seen) => seen.routes = vec![Route { version, percent: 100 }],
            Self::Records(seen) => {
                for record in &mut seen.records {
                    let is_meant = record.identifier.as_deref() == Some(version.as_str());
                    record.weight = Some(if is_meant { 100 } else { 0 });
                }
            }
        }
    }

    /// It comes into a state in which it has no way to this version; aliases and records have none such here.
    pub(crate) fn block(&mut self, version: Version) {
        match self {
            Self::Alias(_) | Self::Records(_) => {}
            Self::Balancer(seen) => {
                let nobody = Counts { registered: 2, able: 0, initial: 0, unused: 0 };
                seen.health.insert(version, Health::Counted(nobody));
            }
            Self::Machine(seen) => {
                seen.published.iter_mut().for_each(|published| published.retain(|it| *it != version));
            }
        }
    }
}

fn revision(update: u64) -> RevisionId {
    format!("r{update}").parse().unwrap()
}
