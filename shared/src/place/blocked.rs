//! Why a place cannot be brought where it should be: each reason has a name, and is a page.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{Version, Weight};

/// Why there is no way, or none that makes nothing worse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// What was seen is no place of its kind: it was registered anew in the meantime.
    Unlike {
        /// The place.
        place: String,
    },
    /// What traffic would go to has nobody healthy to take it.
    NobodyHealthy {
        /// The target group.
        group: String,
        /// How many are registered in it.
        registered: usize,
    },
    /// A version that cannot be served any more: a task definition that is INACTIVE, say.
    Inactive {
        /// The version.
        version: Version,
        /// What AWS says of it.
        status: String,
    },
    /// The image of a task definition is no longer in its registry.
    ImageGone {
        /// The image, by its digest or tag.
        image: String,
    },
    /// It is in a state that allows no way there.
    State {
        /// The state, as AWS names it.
        state: String,
        /// Why that is so.
        why: String,
    },
    /// Somebody else has changed it into something that this release knows nothing of.
    ChangedByAnother {
        /// What is there now.
        now: String,
    },
    /// There is no such version there.
    NoSuchVersion {
        /// The version.
        version: Version,
    },
    /// There is no such flag in a configuration.
    NoSuchFlag {
        /// The flag.
        flag: String,
        /// The version that was looked at.
        version: Version,
    },
    /// Its traffic cannot be split, or not like that.
    Indivisible {
        /// The share that was asked for.
        weight: Weight,
        /// Why not.
        why: String,
    },
    /// Something else is under way there, which must end first.
    Busy {
        /// What.
        with: String,
    },
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlike { place } => write!(f, "what was seen is not {place}: it was registered anew"),
            Self::NobodyHealthy { group, registered } => {
                write!(f, "target group {group} has nobody healthy among its {registered} targets")
            }
            Self::Inactive { version, status } => {
                write!(f, "version {version} is {status} and cannot be served")
            }
            Self::ImageGone { image } => write!(f, "image {image} is no longer in its registry"),
            Self::State { state, why } => write!(f, "it is {state}: {why}"),
            Self::ChangedByAnother { now } => write!(f, "somebody else has changed it: {now}"),
            Self::NoSuchVersion { version } => write!(f, "there is no version {version} there"),
            Self::NoSuchFlag { flag, version } => write!(f, "version {version} has no flag {flag}"),
            Self::Indivisible { weight, why } => {
                write!(f, "it cannot serve {weight} of the candidate: {why}")
            }
            Self::Busy { with } => write!(f, "{with} is under way there"),
        }
    }
}
