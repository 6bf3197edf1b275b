//! The places where traffic or configuration shifts: a closed list. Each kind has a file of its own with its coordinates,
//! what can be seen of it, the calls that move it, and its rows of the decision table as one `match` over what was seen.
//!
//! An alias of a function is compared and swapped, and is decided on in [`crate::decide`] and [`crate::shift`] themselves.
//! Every other kind answers [`Place::way_to`]. It must not call, wait or read a clock.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{AliasName, FunctionName, Version, Weight};
use crate::traffic::Traffic;

pub mod api_stage;
mod blocked;
pub mod configuration;
pub mod ecs;
pub mod load_balancer;
pub mod records;
pub mod stack;
pub mod state_machine;

pub use blocked::Blocked;

/// One place where traffic or configuration shifts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// An alias of a Lambda function.
    LambdaAlias(LambdaAlias),
    /// A service of ECS: rolling deployments, and ECS's own blue/green, canary and linear ones.
    EcsService(ecs::Service),
    /// The weights of a listener's or rule's target groups.
    LoadBalancer(load_balancer::Forward),
    /// The canary of a stage of a REST API.
    ApiStage(api_stage::Stage),
    /// A configuration, or feature flags, of AppConfig.
    Configuration(configuration::Profile),
    /// Two records of Route 53 that share a name.
    DnsRecords(records::Records),
    /// A stack of CloudFormation.
    Stack(stack::Stack),
    /// An alias of a state machine.
    StateMachineAlias(state_machine::Alias),
}

/// An alias of a Lambda function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LambdaAlias {
    /// The function behind the alias.
    pub function: FunctionName,
    /// The alias that takes the traffic.
    pub alias: AliasName,
}

/// What was seen of a place other than an alias of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// What it serves.
    pub traffic: Traffic,
    /// What was brought there last, finished or not, where AWS says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<Brought>,
    /// The rest, by kind.
    pub seen: Seen,
}

/// A version that somebody brought to a place, and when. A team's own pipeline may have, without a word to Ripcord.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// Which.
    pub version: Version,
    /// When that began.
    pub at: Timestamp,
}

/// What is seen of each kind of place besides its traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// A service of ECS.
    EcsService(Box<ecs::Seen>),
    /// A listener or rule.
    LoadBalancer(Box<load_balancer::Seen>),
    /// A stage of an API.
    ApiStage(Box<api_stage::Seen>),
    /// A configuration.
    Configuration(Box<configuration::Seen>),
    /// Records.
    DnsRecords(Box<records::Seen>),
    /// A stack.
    Stack(Box<stack::Seen>),
    /// An alias of a state machine.
    StateMachineAlias(Box<state_machine::Seen>),
}

/// Where a place's traffic is wanted: `candidate` takes `weight`, `stable` the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What is gone back to.
    pub stable: Version,
    /// What is released.
    pub candidate: Version,
    /// The candidate's share; none on the way back.
    pub weight: Weight,
}

impl Wanted {
    /// Everything back on `stable`.
    pub fn back(stable: Version, candidate: Version) -> Self {
        Self { stable, candidate, weight: Weight::NONE }
    }

    /// What the place serves once it is there.
    pub fn traffic(&self) -> Traffic {
        Traffic::split(self.stable, self.candidate, self.weight)
    }

    /// Whether this is a way back.
    pub fn is_back(&self) -> bool {
        self.weight == Weight::NONE
    }
}

/// What a place should be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// It serves what is wanted.
    Serve(Wanted),
    /// The flags that are switched off on every way back are off.
    FlagsOff,
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve(wanted) => write!(f, "it serves {}", wanted.traffic()),
            Self::FlagsOff => write!(f, "its flags are off"),
        }
    }
}

/// How a place gets from what was seen to what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// It serves that, and nothing is under way that would change it.
    There,
    /// A call brings it there.
    Call {
        /// The call.
        call: Call,
        /// Whether it is claimed in the ledger first, because AWS compares nothing and its repetition would do something
        /// again. A call that names what it ends, or replaces exactly what was seen, need not be.
        is_claimed: bool,
    },
    /// It is on its way there; it is looked at until it has arrived.
    Coming {
        /// What was seen of that, for people.
        what: String,
    },
    /// There is no way, or none that makes nothing worse.
    Blocked(Blocked),
}

/// One call that moves a place other than an alias of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// On a service of ECS.
    EcsService(ecs::Call),
    /// On a listener or rule.
    LoadBalancer(load_balancer::Call),
    /// On a stage of an API.
    ApiStage(api_stage::Call),
    /// On a configuration.
    Configuration(configuration::Call),
    /// On records.
    DnsRecords(records::Call),
    /// On a stack.
    Stack(stack::Call),
    /// On an alias of a state machine.
    StateMachineAlias(state_machine::Call),
}

impl Place {
    /// How the place gets to where it should be.
    pub fn way_to(&self, seen: &Seen, aim: &Aim) -> Way {
        match (aim, self, seen) {
            (Aim::Serve(wanted), _, _) => self.way(seen, wanted),
            (Aim::FlagsOff, Self::Configuration(place), Seen::Configuration(seen)) => {
                configuration::flags_off(place, seen)
            }
            // Nothing else has flags.
            (Aim::FlagsOff, _, _) => Way::There,
        }
    }

    /// The AWS actions that looking at the place needs, as IAM names them.
    pub fn observing_actions(&self) -> &'static [&'static str] {
        match self {
            Self::LambdaAlias(_) => &["lambda:GetAlias"],
            Self::EcsService(_) => ecs::OBSERVED,
            Self::LoadBalancer(_) => load_balancer::OBSERVED,
            Self::ApiStage(_) => api_stage::OBSERVED,
            Self::Configuration(_) => configuration::OBSERVED,
            Self::DnsRecords(_) => records::OBSERVED,
            Self::Stack(_) => stack::OBSERVED,
            Self::StateMachineAlias(_) => state_machine::OBSERVED,
        }
    }

    /// How the place gets to what is wanted. What was seen of another kind of place shows no way.
    fn way(&self, seen: &Seen, wanted: &Wanted) -> Way {
        match (self, seen) {
            (Self::EcsService(place), Seen::EcsService(seen)) => ecs::way(place, seen, wanted),
            (Self::LoadBalancer(place), Seen::LoadBalancer(seen)) => load_balancer::way(place, seen, wanted),
            (Self::ApiStage(place), Seen::ApiStage(seen)) => api_stage::way(place, seen, wanted),
            (Self::Configuration(place), Seen::Configuration(seen)) => {
                configuration::way(place, seen, wanted)
            }
            (Self::DnsRecords(place), Seen::DnsRecords(seen)) => records::way(place, seen, wanted),
            (Self::Stack(place), Seen::Stack(seen)) => stack::way(place, seen, wanted),
            (Self::StateMachineAlias(place), Seen::StateMachineAlias(seen)) => {
                state_machine::way(place, seen, wanted)
            }
            (
                Self::LambdaAlias(_)
                | Self::EcsService(_)
                | Self::LoadBalancer(_)
                | Self::ApiStage(_)
                | Self::Configuration(_)
                | Self::DnsRecords(_)
                | Self::Stack(_)
                | Self::StateMachineAlias(_),
                Seen::EcsService(_)
                | Seen::LoadBalancer(_)
                | Seen::ApiStage(_)
                | Seen::Configuration(_)
                | Seen::DnsRecords(_)
                | Seen::Stack(_)
                | Seen::StateMachineAlias(_),
            ) => Way::Blocked(Blocked::Unlike { place: self.to_string() }),
        }
    }

    /// Whether of two of its versions one is the later, so that a barrier can lie between them. Groups, records and deployments
    /// of a stage take turns.
    pub fn has_ordered_versions(&self) -> bool {
        match self {
            Self::LambdaAlias(_)
            | Self::StateMachineAlias(_)
            | Self::EcsService(_)
            | Self::Configuration(_) => true,
            Self::LoadBalancer(_) | Self::ApiStage(_) | Self::DnsRecords(_) | Self::Stack(_) => false,
        }
    }

    /// Whether the call of a shift to this version is known to have been made, although whoever made it may not have ended. Where
    /// AWS does not tell, it is not known.
    pub fn has_landed(&self, seen: &Seen, candidate: Version) -> bool {
        match seen {
            Seen::Configuration(seen) => seen.has_landed(candidate),
            Seen::EcsService(_)
            | Seen::LoadBalancer(_)
            | Seen::ApiStage(_)
            | Seen::DnsRecords(_)
            | Seen::Stack(_)
            | Seen::StateMachineAlias(_) => false,
        }
    }

    /// Whether its versions come again: two groups or records take turns, release after release. A deployment of a stage is a new
    /// one each time, and is taken up again only against a quarantine.
    pub fn versions_take_turns(&self) -> bool {
        match self {
            Self::LoadBalancer(_) | Self::DnsRecords(_) => true,
            Self::LambdaAlias(_)
            | Self::StateMachineAlias(_)
            | Self::EcsService(_)
            | Self::Configuration(_)
            | Self::ApiStage(_)
            | Self::Stack(_) => false,
        }
    }

    /// Whether a version's name can be one of this place's, so that no alias or `$LATEST` is taken for a published version.
    pub fn has_versions_like(&self, version: Version) -> bool {
        match self {
            Self::LambdaAlias(_) | Self::StateMachineAlias(_) => version.number().is_some(),
            Self::EcsService(_) => ecs::is_revision(version),
            Self::LoadBalancer(_)
            | Self::ApiStage(_)
            | Self::Configuration(_)
            | Self::DnsRecords(_)
            | Self::Stack(_) => true,
        }
    }
}

/// A short and unique name, by which events find the services that have their traffic there.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LambdaAlias(LambdaAlias { function, alias }) => write!(f, "lambda:{function}:{alias}"),
            Self::EcsService(place) => place.fmt(f),
            Self::LoadBalancer(place) => place.fmt(f),
            Self::ApiStage(place) => place.fmt(f),
            Self::Configuration(place) => place.fmt(f),
            Self::DnsRecords(place) => place.fmt(f),
            Self::Stack(place) => place.fmt(f),
            Self::StateMachineAlias(place) => place.fmt(f),
        }
    }
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match self {
            Self::EcsService(call) => call.iam_actions(),
            Self::LoadBalancer(call) => call.iam_actions(),
            Self::ApiStage(call) => call.iam_actions(),
            Self::Configuration(call) => call.iam_actions(),
            Self::DnsRecords(call) => call.iam_actions(),
            Self::Stack(call) => call.iam_actions(),
            Self::StateMachineAlias(call) => call.iam_actions(),
        }
    }
}

/// What a person reads in `ripcord plan`: the call, what it needs, and what it does.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcsService(call) => call.fmt(f),
            Self::LoadBalancer(call) => call.fmt(f),
            Self::ApiStage(call) => call.fmt(f),
            Self::Configuration(call) => call.fmt(f),
            Self::DnsRecords(call) => call.fmt(f),
            Self::Stack(call) => call.fmt(f),
            Self::StateMachineAlias(call) => call.fmt(f),
        }
    }
}
