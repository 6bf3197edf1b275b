//! An alias of a state machine. Its versions are the numbers of published versions, and it routes new executions to one or two
//! of them, by whole percents. Executions that run go on with the version that they were started with, so a way back stops no
//! execution of the candidate.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Blocked, Call as PlaceCall, Wanted, Way};
use crate::names::{Arn, Version, Weight};
use crate::traffic::Traffic;

#[cfg(test)]
mod tests;

/// Which alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The alias's ARN.
    pub state_machine_alias: Arn,
}

/// What is seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Where new executions go.
    pub routes: Vec<Route>,
    /// The versions that are published, unless they could not be listed. Then AWS itself refuses one that was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Vec<Version>>,
    /// When the alias was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// A version, and how much of the new executions it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The version.
    pub version: Version,
    /// Its share in percent. AWS takes whole ones, which add up to 100.
    pub percent: u32,
}

/// The AWS actions that looking at it needs, as IAM names them.
pub const OBSERVED: &[&str] = &["states:DescribeStateMachineAlias", "states:ListStateMachineVersions"];

/// A call that moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Route new executions anew.
    Route {
        /// The alias.
        alias: Alias,
        /// All of the routes that it has afterwards.
        routes: Vec<Route>,
        /// What it had when it was seen. AWS compares nothing, so this is for people.
        was: Vec<Route>,
    },
}

/// How it gets from what was seen to what is wanted: one call, both ways, whatever is seen.
pub fn way(place: &Alias, seen: &Seen, wanted: &Wanted) -> Way {
    let Some(percent) = whole_percent(wanted.weight) else {
        let why = "an alias of a state machine takes whole percents only".to_owned();
        return Way::Blocked(Blocked::Indivisible { weight: wanted.weight, why });
    };
    if seen.serves(wanted.traffic()) {
        return Way::There;
    }
    let (stable, candidate) = (wanted.stable, wanted.candidate);
    let routes = match percent {
        0 => vec![Route { version: stable, percent: 100 }],
        100 => vec![Route { version: candidate, percent: 100 }],
        // Two routes to one version are refused by AWS, and mean no more than one.
        _ if stable == candidate => vec![Route { version: stable, percent: 100 }],
        _ => vec![Route { version: stable, percent: 100 - percent }, Route { version: candidate, percent }],
    };
    match routes.iter().find(|route| !seen.may_have(route.version)) {
        Some(route) => Way::Blocked(Blocked::NoSuchVersion { version: route.version }),
        None => {
            let call = Call::Route { alias: place.clone(), routes, was: seen.routes.clone() };
            Way::Call { call: PlaceCall::StateMachineAlias(call), is_claimed: true }
        }
    }
}

/// The percentage of a share that is a whole one.
fn whole_percent(weight: Weight) -> Option<u32> {
    (0..=100).find(|percent| Weight::from_percent(*percent) == weight)
}

impl Seen {
    /// What the alias serves; nothing if it has no routes, or more than AWS allows.
    pub fn traffic(&self) -> Option<Traffic> {
        match self.routes.as_slice() {
            [only] => Some(Traffic::all_on(only.version)),
            [first, second] => {
                Some(Traffic::split(first.version, second.version, Weight::from_percent(second.percent)))
            }
            _ => None,
        }
    }

    /// Whether every version has the share that it should. Which of the two is named first makes no difference.
    fn serves(&self, traffic: Traffic) -> bool {
        self.traffic().is_some_and(|now| {
            let versions = || now.versions().chain(traffic.versions());
            versions().all(|version| now.share_of(version) == traffic.share_of(version))
        })
    }

    fn may_have(&self, version: Version) -> bool {
        self.published.as_ref().is_none_or(|published| published.contains(&version))
    }
}

impl Alias {
    /// The state machine that the alias is of.
    pub fn machine(&self) -> &str {
        self.parts().map_or(self.state_machine_alias.as_str(), |(machine, _)| machine)
    }

    /// The ARN of a version of the alias's state machine.
    pub fn version_arn(&self, version: Version) -> String {
        format!("{}:{version}", self.machine())
    }

    /// The rule that the ARN breaks, if it is that of a version, of a whole state machine, or of anything else.
    pub fn violation(&self) -> Option<&'static str> {
        let is_alias = self.state_machine_alias.service() == "states"
            && self.state_machine_alias.region().is_some()
            && self.parts().is_some_and(|(machine, alias)| {
                // AWS refuses aliases whose names are numbers, because those are versions.
                let is_number = alias.chars().all(|c| c.is_ascii_digit());
                !machine.ends_with(":stateMachine")
                    && !machine.ends_with(':')
                    && !alias.is_empty()
                    && !is_number
            });
        (!is_alias).then_some("an alias's ARN, like arn:aws:states:REGION:ACCOUNT:stateMachine:NAME:ALIAS")
    }

    /// The state machine's ARN and the alias's name.
    fn parts(&self) -> Option<(&str, &str)> {
        let resource = self.state_machine_alias.resource().strip_prefix("stateMachine:")?;
        (resource.split(':').count() == 2).then(|| self.state_machine_alias.as_str().rsplit_once(':'))?
    }
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match self {
            Self::Route { .. } => &["states:UpdateStateMachineAlias"],
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route { alias, routes, was } => write!(
                f,
                "states:UpdateStateMachineAlias of {} to {}; it was {}",
                alias.state_machine_alias.resource(),
                Routes(routes),
                Routes(was),
            ),
        }
    }
}

struct Routes<'routes>(&'routes [Route]);

impl fmt::Display for Routes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Route { version, percent }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{version} on {percent}%")?;
        }
        Ok(())
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "states:{}", self.state_machine_alias)
    }
}
