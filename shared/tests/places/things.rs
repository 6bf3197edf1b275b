//! The things that are moved. Each applies a call literally and shows what it has become; none knows what is wanted of it.

use std::collections::BTreeMap;

use ripcord::names::{RevisionId, Version, Weight};
use ripcord::place::configuration::{
    self, Content, Deployment, DeploymentNumber, Flags, Hosted, Listed, Sheet, State,
};
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
    /// What follows must follow what was seen. Its flag goes off on every way back.
    Flags,
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
            Self::Flags => json!({
                "kind": "configuration", "application": "app1", "environment": "prod1", "profile": name,
                "flags_off": ["new-basket"],
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
            Self::Alias | Self::Machine | Self::Flags => "1",
            Self::Balancer | Self::Records => "blue",
        };
        version.parse().unwrap()
    }

    /// What a team releases over a version: a number that was never released, or the other of two.
    pub(crate) fn after(self, version: Version, fresh: u64) -> Version {
        match self {
            Self::Alias | Self::Machine | Self::Flags => Version::new(fresh).unwrap(),
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
    Flags(configuration::Seen),
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
            Place::Configuration(_) => Self::Flags(flags()),
            other @ (Place::EcsService(_) | Place::ApiStage(_) | Place::Stack(_)) => {
                panic!("no history is about {other}")
            }
        }
    }

    /// Whether it has its flag on.
    pub(crate) fn has_flag_on(&self) -> bool {
        let Self::Flags(seen) = self else { return false };
        let sheets = seen.flags.iter().flat_map(|flags| &flags.sheets);
        let mut served = sheets.filter(|sheet| sheet.version == seen.newest.version);
        served.any(|sheet| matches!(&sheet.content, Content::Text { text, .. } if text.contains("true")))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Alias(_) => Kind::Alias,
            Self::Balancer(_) => Kind::Balancer,
            Self::Machine(_) => Kind::Machine,
            Self::Records(_) => Kind::Records,
            Self::Flags(_) => Kind::Flags,
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
            (Self::Flags(seen), _) => (seen.traffic().unwrap(), Seen::Configuration(Box::new(seen.clone()))),
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
            (Self::Flags(seen), Call::Configuration(call)) => return deploy(seen, call),
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
            Self::Flags(seen) => seen.newest.version = version,
            Self::Records(seen) => {
                for record in &mut seen.records {
                    let is_meant = record.identifier.as_deref() == Some(version.as_str());
                    record.weight = Some(if is_meant { 100 } else { 0 });
                }
            }
        }
    }

    /// AppConfig takes its newest deployment back by itself.
    pub(crate) fn take_back(&mut self) {
        match self {
            Self::Flags(seen) => seen.newest.state = State::RolledBack,
            Self::Alias(_) | Self::Balancer(_) | Self::Machine(_) | Self::Records(_) => {}
        }
    }

    /// It comes into a state in which it has no way to this version; aliases and records have none such here.
    pub(crate) fn block(&mut self, version: Version) {
        match self {
            Self::Alias(_) | Self::Records(_) | Self::Flags(_) => {}
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

/// A version in which the flag is on, served for long.
fn flags() -> configuration::Seen {
    let text = r#"{"version": "1", "flags": {"new-basket": {"name": "new-basket"}}, "values": {"new-basket": {"enabled": true}}}"#;
    let sheet = |version: u64| Sheet {
        version: Version::new(version).unwrap(),
        content: Content::Text { content_type: "application/json".to_owned(), text: text.to_owned() },
    };
    let first = Deployment {
        number: DeploymentNumber(1),
        version: Kind::Flags.first(),
        label: None,
        state: State::Complete,
        share: Weight::ALL,
        began_at: None,
        completed_at: None,
        is_revertable: false,
    };
    let seen = configuration::Seen::of(vec![Listed::Ours(first)], true, false).unwrap();
    let newest = Ok(Hosted { number: 2, label: None });
    configuration::Seen {
        flags: Some(Flags { are_feature_flags: true, newest, sheets: vec![sheet(1), sheet(2)] }),
        ..seen
    }
}

/// AppConfig's part. What is deployed is served at once here.
fn deploy(seen: &mut configuration::Seen, call: &configuration::Call) -> Result<(), &'static str> {
    let flags = seen.flags.as_mut().unwrap();
    let hosted = flags.newest.clone().unwrap();
    match call {
        configuration::Call::Stop { deployment, .. } => {
            if seen.newest.number != *deployment {
                return Err("another deployment is the newest");
            }
            seen.newest.state = match seen.newest.state {
                State::Complete => State::Reverted,
                State::Deploying | State::Validating | State::Baking => State::RolledBack,
                State::Reverted | State::RolledBack | State::RollingBack => {
                    return Err("it was taken back by now");
                }
            };
        }
        configuration::Call::Start { version, after, .. } => {
            if seen.latest != *after {
                return Err("another deployment is the newest");
            }
            seen.latest = DeploymentNumber(after.0 + 1);
            let is_newest = version.number() == Some(u64::from(hosted.number));
            let label = hosted.label.filter(|_| is_newest);
            let deployment = Deployment {
                number: seen.latest,
                version: *version,
                label,
                state: State::Complete,
                share: Weight::ALL,
                began_at: None,
                completed_at: None,
                is_revertable: true,
            };
            seen.earlier.insert(0, std::mem::replace(&mut seen.newest, deployment));
        }
        configuration::Call::SwitchOff { content, content_type, label, after, .. } => {
            if hosted.number != *after {
                return Err("another version is the newest");
            }
            flags.newest = Ok(Hosted { number: after + 1, label: Some(label.clone()) });
            flags.sheets.push(Sheet {
                version: Version::new(u64::from(after + 1)).unwrap(),
                content: Content::Text { content_type: content_type.clone(), text: content.clone() },
            });
        }
    }
    Ok(())
}
