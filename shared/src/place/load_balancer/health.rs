//! Whether a target group can take traffic.

use serde::{Deserialize, Serialize};

/// What was seen of a group's targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// How many are in which state.
    Counted(Counts),
    /// It could not be read.
    Unread {
        /// Why.
        why: String,
    },
    /// There is no such group any more.
    Gone,
}

/// How many of a group's targets are in which state. Those that are being deregistered are not counted at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Registered and staying.
    pub registered: usize,
    /// Able to take requests: healthy, or never checked, as functions are by default.
    pub able: usize,
    /// Being checked for the first time.
    pub initial: usize,
    /// Not checked, because no listener or rule forwards to the group.
    pub unused: usize,
}

/// Whether a group can take traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    /// It can.
    Fit,
    /// Nobody knows.
    Unknown {
        /// Why not.
        why: String,
    },
    /// Its targets are being checked, or are about to be.
    BeingChecked(Counts),
    /// Nobody checks it: nothing forwards to it.
    Unchecked(Counts),
    /// It has nobody.
    Unfit(Counts),
    /// It is no more.
    Gone,
}

impl Health {
    /// Whether the group can take traffic, given whether the action names it: what an action names is checked, even at weight 0.
    pub(super) fn fitness(&self, is_named: bool) -> Fitness {
        match self {
            Self::Gone => Fitness::Gone,
            Self::Unread { why } => Fitness::Unknown { why: why.clone() },
            Self::Counted(counts) if counts.able > 0 => Fitness::Fit,
            Self::Counted(counts) if counts.initial > 0 => Fitness::BeingChecked(*counts),
            // A group that was just named may not be checked yet.
            Self::Counted(counts) if counts.unused > 0 && is_named => Fitness::BeingChecked(*counts),
            Self::Counted(counts) if counts.unused > 0 => Fitness::Unchecked(*counts),
            Self::Counted(counts) => Fitness::Unfit(*counts),
        }
    }
}

impl Fitness {
    /// How many targets would get the requests if nobody else did: with none healthy, the load balancer tries all of them.
    /// Nothing if it is fit, or if nobody knows.
    pub(super) fn left_if_unfit(&self) -> Option<usize> {
        match self {
            Self::Fit | Self::Unknown { .. } => None,
            Self::BeingChecked(counts) | Self::Unchecked(counts) | Self::Unfit(counts) => {
                Some(counts.registered)
            }
            Self::Gone => Some(0),
        }
    }
}
