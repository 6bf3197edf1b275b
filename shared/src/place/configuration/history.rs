//! What an environment's deployments say of a configuration: which version is served, what is under way, and what taking the
//! newest deployment back leads to.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::flags::{self, Flags};
use crate::names::{Version, Weight};
use crate::place::{Brought, Live, Seen as PlaceSeen, Way};
use crate::traffic::Traffic;

/// The number of a deployment, counted within its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentNumber(pub u32);

impl fmt::Display for DeploymentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A deployment of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its number.
    pub number: DeploymentNumber,
    /// What it deploys.
    pub version: Version,
    /// The version's label, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its state.
    pub state: State,
    /// How far it has grown.
    pub share: Weight,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// When it had completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Whether AppConfig can still take it back, now that it has completed.
    pub is_revertable: bool,
}

/// The states of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everybody has it, and AppConfig watches its environment's alarms for a while.
    Baking,
    /// It is what is served.
    Complete,
    /// It is growing.
    Deploying,
    /// It had completed, and was taken back.
    Reverted,
    /// It was stopped, or AppConfig's own alarm fired.
    RolledBack,
    /// It is being taken back.
    RollingBack,
    /// It is being checked, and nobody has it yet.
    Validating,
}

impl State {
    fn is_under_way(self) -> bool {
        match self {
            Self::Baking | Self::Deploying | Self::RollingBack | Self::Validating => true,
            Self::Complete | Self::Reverted | Self::RolledBack => false,
        }
    }
}

/// As AppConfig writes it.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Baking => "BAKING",
            Self::Complete => "COMPLETE",
            Self::Deploying => "DEPLOYING",
            Self::Reverted => "REVERTED",
            Self::RolledBack => "ROLLED_BACK",
            Self::RollingBack => "ROLLING_BACK",
            Self::Validating => "VALIDATING",
        })
    }
}

/// An environment's deployment, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// One of this configuration.
    Ours(Deployment),
    /// One of another.
    Others {
        /// Its number.
        number: DeploymentNumber,
        /// The other configuration's name.
        configuration: String,
        /// Its state.
        state: State,
    },
}

impl Listed {
    fn number(&self) -> DeploymentNumber {
        match self {
            Self::Ours(deployment) => deployment.number,
            Self::Others { number, .. } => *number,
        }
    }

    /// Whether it settles what is served, so that nothing older matters.
    pub fn settles(&self) -> bool {
        matches!(self, Self::Ours(deployment) if deployment.state == State::Complete)
    }
}

/// What is seen of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its newest deployment.
    pub newest: Deployment,
    /// Those before that one, newest first.
    pub earlier: Vec<Deployment>,
    /// Whether these are all that there ever were.
    pub is_whole: bool,
    /// The newest deployment of the environment, of whatever configuration.
    pub latest: DeploymentNumber,
    /// The deployment of another configuration that is under way in the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
    /// Whether the environment watches alarms, which can still take back what is baking.
    pub has_monitors: bool,
    /// The flags, where some are to be switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Flags>,
}

impl Seen {
    /// What a list of deployments, in any order, says; nothing if this configuration has none among them.
    pub fn of(mut listed: Vec<Listed>, is_whole: bool, has_monitors: bool) -> Option<Self> {
        listed.sort_unstable_by_key(|deployment| std::cmp::Reverse(deployment.number()));
        let latest = listed.first()?.number();
        let mut busy = None;
        let mut ours = Vec::new();
        for deployment in listed {
            match deployment {
                Listed::Ours(deployment) => ours.push(deployment),
                Listed::Others { number, configuration, state } if state.is_under_way() => {
                    busy = Some(format!(
                        "deployment {number} of another configuration, {configuration}, which is {state},"
                    ));
                }
                Listed::Others { .. } => {}
            }
        }
        let mut ours = ours.into_iter();
        let newest = ours.next()?;
        Some(Self { newest, earlier: ours.collect(), is_whole, latest, busy, has_monitors, flags: None })
    }

    /// With what it serves; nothing if nothing was ever served.
    pub fn live(self) -> Option<Live> {
        let traffic = self.traffic()?;
        let brought = self.brought();
        Some(Live { traffic, brought, seen: PlaceSeen::Configuration(Box::new(self)) })
    }

    /// What its newest deployment brings or has brought, unless it was taken back.
    fn brought(&self) -> Option<Brought> {
        let Deployment { version, state, began_at, .. } = &self.newest;
        let stands = *state != State::RollingBack && (*state == State::Complete || state.is_under_way());
        began_at.filter(|_| stands).map(|at| Brought { version: *version, at })
    }

    /// What is served. A deployment that is under way takes from the one before it what it has grown to.
    pub fn traffic(&self) -> Option<Traffic> {
        let before = self.before().map(|deployment| deployment.version);
        let newest = &self.newest;
        match newest.state {
            State::Complete | State::Baking => Some(Traffic::all_on(newest.version)),
            State::Deploying | State::Validating | State::RollingBack => Some(match before {
                Some(before) => Traffic::split(before, newest.version, newest.share),
                None => Traffic::all_on(newest.version),
            }),
            State::Reverted | State::RolledBack => before.map(Traffic::all_on),
        }
    }

    /// The deployment that is served once the newest one is taken back.
    pub(super) fn before(&self) -> Option<&Deployment> {
        self.earlier.iter().find(|deployment| deployment.state == State::Complete)
    }

    /// The deployment that is served and stays, unless one is under way.
    pub(super) fn settled(&self) -> Option<&Deployment> {
        Some(&self.newest).filter(|newest| newest.state == State::Complete).or_else(|| self.before())
    }

    /// The version that is served and stays, unless a deployment is under way.
    pub fn serving(&self) -> Option<Version> {
        self.settled().map(|deployment| deployment.version)
    }

    /// The newest deployment of it.
    pub fn newest(&self) -> &Deployment {
        &self.newest
    }

    /// Whether a deployment of it has not ended.
    pub fn is_under_way(&self) -> bool {
        self.newest.state.is_under_way()
    }

    /// The deployment that is under way, and has not been taken back.
    pub fn bringing(&self) -> Option<&Deployment> {
        Some(&self.newest).filter(|newest| newest.state.is_under_way() && newest.state != State::RollingBack)
    }

    /// The versions that are served or being deployed, and so must be read to know their flags.
    pub fn versions_in_use(&self) -> impl Iterator<Item = Version> {
        let under_way = Some(&self.newest).filter(|newest| newest.state.is_under_way());
        self.settled().into_iter().chain(under_way).map(|deployment| deployment.version)
    }

    /// Whether the shift to a version has landed, so that no call of it is still to come: its deployment is the newest. A start names
    /// the deployment that it follows, so it happens once; and while the version arrives, or is served, nobody starts it again.
    pub fn has_landed(&self, candidate: Version) -> bool {
        let stands = match self.newest.state {
            State::Baking | State::Complete | State::Deploying | State::Validating => true,
            State::Reverted | State::RolledBack | State::RollingBack => false,
        };
        stands && self.newest.version == candidate
    }

    /// Whether the newest deployment is this one, has brought a version, and has been taken back.
    pub fn has_taken_back(&self, number: DeploymentNumber, version: Version) -> bool {
        let Deployment { state, .. } = self.newest;
        let is_gone = match state {
            State::Reverted | State::RolledBack | State::RollingBack => true,
            State::Baking | State::Complete | State::Deploying | State::Validating => false,
        };
        is_gone && self.newest.number == number && self.newest.version == version
    }

    pub(super) fn has_deployed(&self, version: Version) -> bool {
        std::iter::once(&self.newest).chain(&self.earlier).any(|deployment| deployment.version == version)
    }

    /// How a newest deployment that is under way and wanted stands. Everybody has what is baking; only an alarm that the
    /// environment watches could take it back.
    pub(super) fn arriving(&self) -> Way {
        let is_served = self.newest.state == State::Baking && !self.has_monitors;
        if is_served { Way::There } else { Way::Coming { what: self.newest.to_string() } }
    }
}

impl Deployment {
    /// The version that this one was made of by switching its flags off.
    pub(super) fn comes_from(&self) -> Option<Version> {
        self.label.as_deref().and_then(flags::comes_from)
    }
}

/// What a person reads where it stands in the way, or is waited for.
impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, version, state, share, .. } = self;
        write!(f, "deployment {number} of version {version}, {state} at {share},")
    }
}
