//! A configuration of AppConfig. Its versions are the numbers of hosted versions, or the names of stored ones.
//!
//! AppConfig grows a deployment by a strategy of its own, runs one deployment at a time in an environment, and can take one
//! back: while it is under way, and for 72 hours after it has completed. Taking one back looks at no alarm; a new deployment is
//! rolled back by AppConfig itself when an alarm fires that its environment watches.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Blocked, Call as PlaceCall, Wanted, Way};
use crate::names::{PlainName, Version, Weight};

mod document;
mod edit;
mod flags;
mod history;
#[cfg(test)]
mod tests;

pub use edit::{Edit, EditError};
pub use flags::{Content, Flags, Hosted, Sheet, flags_off};
pub use history::{Deployment, DeploymentNumber, Listed, Seen, State};

/// Which configuration, where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The application's id.
    pub application: PlainName,
    /// The environment's id.
    pub environment: PlainName,
    /// The configuration profile's id.
    pub profile: PlainName,
    /// The strategy of deployments that a shift starts; AWS's own `AppConfig.AllAtOnce` where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<PlainName>,
    /// The strategy of deployments that a way back starts; `AppConfig.AllAtOnce` where none is named. That bakes for ten minutes,
    /// in which an alarm of the environment takes the way back itself back: name one without, where the environment has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy_back: Option<PlainName>,
    /// Flags that are switched off on every way back of the service, whether or not the release has changed them. Without
    /// any, the configuration goes back as a whole when a release has moved it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags_off: Vec<PlainName>,
}

/// Deploys to everybody at once, and watches for ten minutes afterwards.
const ALL_AT_ONCE: &str = "AppConfig.AllAtOnce";

/// The AWS actions that looking at it needs, as IAM names them.
pub const OBSERVED: &[&str] = &[
    "appconfig:GetConfigurationProfile",
    "appconfig:GetDeployment",
    "appconfig:GetEnvironment",
    "appconfig:GetHostedConfigurationVersion",
    "appconfig:ListDeployments",
    "appconfig:ListHostedConfigurationVersions",
];

/// A call that moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Take a deployment back, whether it is under way or has completed by now. It names what it ends, so AppConfig refuses
    /// its repetition.
    Stop {
        /// The configuration.
        place: Profile,
        /// The deployment.
        deployment: DeploymentNumber,
        /// What it deploys.
        version: Version,
        /// How it was seen.
        state: State,
    },
    /// Deploy a version.
    Start {
        /// The configuration.
        place: Profile,
        /// The version.
        version: Version,
        /// By which strategy.
        strategy: String,
        /// The environment's newest deployment as it was seen. AppConfig refuses to start if there is a newer one.
        after: DeploymentNumber,
    },
    /// Store a version in which flags are off. Nothing is deployed by that.
    SwitchOff {
        /// The configuration.
        place: Profile,
        /// The version in which they are on.
        from: Version,
        /// All of the new version.
        content: String,
        /// Its type, as that of the version it comes from.
        content_type: String,
        /// What it is recognised by afterwards.
        label: String,
        /// The newest version as it was seen. AppConfig refuses to store another if there is a newer one.
        after: u32,
    },
}

/// How it gets from what was seen to what is wanted.
pub fn way(place: &Profile, seen: &Seen, wanted: &Wanted) -> Way {
    let is_back = wanted.is_back();
    if !is_back && wanted.weight != Weight::ALL {
        let why =
            "AppConfig grows a deployment by its own strategy, so a release asks for all at once".to_owned();
        return Way::Blocked(Blocked::Indivisible { weight: wanted.weight, why });
    }
    let goal = if is_back { wanted.stable } else { wanted.candidate };
    // With its flags switched off the stable version is still that; a candidate is wanted as it was made.
    let is_goal = |deployment: &Deployment| {
        deployment.version == goal || (is_back && deployment.comes_from() == Some(goal))
    };
    let newest = &seen.newest;
    let is_candidate = newest.version == wanted.candidate || newest.comes_from() == Some(wanted.candidate);
    let leads_back_there = seen.before().is_some_and(is_goal);
    match newest.state {
        State::Deploying | State::Validating | State::Baking if is_goal(newest) => seen.arriving(),
        State::Deploying | State::Validating | State::Baking => {
            if is_back && is_candidate {
                stop(place, newest)
            } else {
                Way::Blocked(Blocked::Busy { with: newest.to_string() })
            }
        }
        State::RollingBack => Way::Coming { what: newest.to_string() },
        State::Complete if is_goal(newest) => Way::There,
        State::Complete if is_back && newest.is_revertable && leads_back_there => stop(place, newest),
        State::Complete => start(place, seen, goal, is_back),
        State::Reverted | State::RolledBack if leads_back_there => Way::There,
        State::RolledBack if is_back && is_goal(newest) => Way::Blocked(rolled_back(newest)),
        State::Reverted | State::RolledBack => start(place, seen, goal, is_back),
    }
}

fn stop(place: &Profile, deployment: &Deployment) -> Way {
    let call = Call::Stop {
        place: place.clone(),
        deployment: deployment.number,
        version: deployment.version,
        state: deployment.state,
    };
    Way::Call { call: PlaceCall::Configuration(call), is_claimed: false }
}

/// A new deployment, where nothing else is being deployed. Another configuration's deployment is another team's, and may go on
/// for hours: it is neither stopped nor waited for in silence.
fn start(place: &Profile, seen: &Seen, goal: Version, is_back: bool) -> Way {
    if let Some(other) = &seen.busy {
        return Way::Blocked(Blocked::Busy { with: other.clone() });
    }
    if is_back && seen.is_whole && !seen.has_deployed(goal) {
        return Way::Blocked(Blocked::NoSuchVersion { version: goal });
    }
    let call = Call::Start {
        place: place.clone(),
        version: goal,
        strategy: place.strategy_of(is_back),
        after: seen.latest,
    };
    Way::Call { call: PlaceCall::Configuration(call), is_claimed: true }
}

/// What would be started again has just been rolled back, and would be again.
fn rolled_back(deployment: &Deployment) -> Blocked {
    Blocked::State {
        state: deployment.to_string(),
        why: "AppConfig has rolled back what was to go back, as it does when an alarm fires that the environment watches"
            .to_owned(),
    }
}

impl Profile {
    /// By which strategy a deployment is started. What grows a release by degrees would grow its way back by degrees.
    fn strategy_of(&self, is_back: bool) -> String {
        let named = if is_back { &self.strategy_back } else { &self.strategy };
        named.as_ref().map_or_else(|| ALL_AT_ONCE.to_owned(), ToString::to_string)
    }

    /// The same configuration, whose releases are brought to everybody at once.
    #[must_use]
    pub fn at_once(&self) -> Self {
        Self { strategy: None, ..self.clone() }
    }
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match self {
            Self::Stop { .. } => &["appconfig:StopDeployment"],
            Self::Start { .. } => &["appconfig:StartDeployment"],
            Self::SwitchOff { .. } => &["appconfig:CreateHostedConfigurationVersion"],
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop { place, deployment, version, state } => write!(
                f,
                "appconfig:StopDeployment {deployment} of {}/{}, which takes version {version} of {} back (it is {state})",
                place.application, place.environment, place.profile,
            ),
            Self::Start { place, version, strategy, after } => write!(
                f,
                "appconfig:StartDeployment of version {version} of {} in {}/{} by {strategy}, if deployment {after} is the newest",
                place.profile, place.application, place.environment,
            ),
            Self::SwitchOff { place, from, label, after, content: _, content_type: _ } => {
                write!(
                    f,
                    "appconfig:CreateHostedConfigurationVersion {label} of {}/{}, which is version {from} without ",
                    place.application, place.profile,
                )?;
                for (index, flag) in place.flags_off.iter().enumerate() {
                    write!(f, "{}{flag}", if index == 0 { "" } else { ", " })?;
                }
                write!(f, ", if version {after} is the newest")
            }
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "appconfig:{}/{}/{}", self.application, self.environment, self.profile)
    }
}
