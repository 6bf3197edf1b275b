//! A stage of a REST API. Its versions are deployments: that of the stage, and that of its canary.
//!
//! API Gateway compares nothing when a stage is updated. Three of the calls give the candidate nothing even if they come too
//! late: removing a canary only ever takes traffic away from one; a new share for a canary that is gone makes one of the stage's
//! own deployment; and promoting a canary that is gone is refused. What the deployments themselves do not tell, which release a
//! canary belongs to, the claim in the ledger does.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Blocked, Wanted, Way};
use crate::names::{PlainName, Version, Weight};
use crate::traffic::Traffic;

#[cfg(test)]
mod tests;

/// Which stage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The API's id.
    pub api: PlainName,
    /// The stage's name.
    pub stage: PlainName,
}

/// What is seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The stage's own deployment.
    pub deployment: Version,
    /// Its canary, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// The API's deployments, as far as they could be listed.
    pub deployments: Deployments,
}

/// The canary of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// Its deployment.
    pub deployment: Version,
    /// Its share of the stage's traffic.
    pub weight: Weight,
    /// Whether it has stage variables of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_variables: bool,
}

/// The deployments of an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deployments {
    /// All of them.
    All(Vec<Version>),
    /// There are more than one answer lists, or they could not be listed. Nothing is held against a version then.
    Unknown {
        /// Why.
        why: String,
    },
}

/// The AWS actions that looking at it needs, as IAM names them.
pub const OBSERVED: &[&str] = &["apigateway:GET"];

/// A call that moves it: an update of the stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The stage.
    pub stage: Stage,
    /// The update.
    pub update: Update,
}

/// An update of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// Remove the canary.
    RemoveCanary {
        /// Its deployment.
        deployment: Version,
    },
    /// Give the stage another deployment.
    Deploy {
        /// The deployment to be.
        deployment: Version,
        /// The one that was seen.
        was: Version,
        /// Whether a canary is removed with it.
        removes_canary: bool,
    },
    /// Give a deployment a canary's share.
    StartCanary {
        /// The deployment.
        deployment: Version,
        /// Its share.
        weight: Weight,
    },
    /// Give the canary another share.
    WeighCanary {
        /// Its deployment.
        deployment: Version,
        /// Its share to be.
        weight: Weight,
        /// The share that was seen.
        was: Weight,
    },
    /// Make the canary's deployment the stage's. The canary stays, without traffic.
    PromoteCanary {
        /// Its deployment.
        deployment: Version,
        /// Whether its variables become the stage's as well.
        has_variables: bool,
    },
}

/// What a deployment is to a release.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Stable,
    Candidate,
    Another,
}

/// A stage's canary, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// There is none.
    Nobody,
    /// It takes nothing, and is neither stable nor candidate: it stays out of this.
    Bystander,
    /// It takes traffic, and is neither.
    Stranger(Canary),
    /// It is stable.
    Stable,
    /// It is the candidate.
    Candidate(Canary),
}

/// How it gets from what was seen to what is wanted.
pub fn way(place: &Stage, seen: &Seen, wanted: &Wanted) -> Way {
    let role = seen.role(seen.deployment, wanted);
    match (role, seen.beside(wanted)) {
        (_, Beside::Stranger(canary)) => Way::Blocked(Blocked::ChangedByAnother {
            now: format!("a canary of deployment {} takes {}", canary.deployment, canary.weight),
        }),
        (role, beside) if wanted.is_back() => seen.way_back(place, role, beside, wanted),
        (role, beside) if wanted.weight == Weight::ALL => seen.way_up(place, role, beside, wanted),
        (role, beside) => seen.way_to_share(place, role, beside, wanted),
    }
}

impl Seen {
    /// What it serves. A canary that takes everything is not yet the stage's deployment, and is shown as what it is.
    pub fn traffic(&self) -> Traffic {
        let canary = self
            .canary
            .filter(|canary| canary.weight != Weight::NONE && canary.deployment != self.deployment);
        Traffic {
            primary: self.deployment,
            secondary: canary.map(|canary| (canary.deployment, canary.weight)),
        }
    }

    fn role(&self, deployment: Version, wanted: &Wanted) -> Role {
        if deployment == wanted.stable {
            Role::Stable
        } else if deployment == wanted.candidate {
            Role::Candidate
        } else {
            Role::Another
        }
    }

    /// A canary of the stage's own deployment changes nothing about who serves, whatever its share.
    fn beside(&self, wanted: &Wanted) -> Beside {
        let Some(canary) = self.canary else { return Beside::Nobody };
        match self.role(canary.deployment, wanted) {
            Role::Stable => Beside::Stable,
            Role::Candidate => Beside::Candidate(canary),
            Role::Another if canary.weight == Weight::NONE || canary.deployment == self.deployment => {
                Beside::Bystander
            }
            Role::Another => Beside::Stranger(canary),
        }
    }

    /// Everything back on stable. Whoever asks for a deployment that is neither of the release's is a person, who means it:
    /// alarms are held before this over a stage that has drifted.
    fn way_back(&self, place: &Stage, role: Role, beside: Beside, wanted: &Wanted) -> Way {
        match (role, beside) {
            (Role::Stable, Beside::Candidate(canary)) => {
                let update = Update::RemoveCanary { deployment: canary.deployment };
                call(place, update, IsClaimed::No)
            }
            (Role::Stable, Beside::Nobody | Beside::Bystander | Beside::Stable | Beside::Stranger(_)) => {
                Way::There
            }
            (Role::Candidate | Role::Another, beside) => {
                self.deploy(place, wanted.stable, beside, IsClaimed::Yes)
            }
        }
    }

    /// Everything on the candidate: a canary is promoted first and removed then, each as API Gateway documents it.
    fn way_up(&self, place: &Stage, role: Role, beside: Beside, wanted: &Wanted) -> Way {
        match (role, beside) {
            (Role::Candidate, Beside::Nobody | Beside::Bystander | Beside::Stranger(_)) => Way::There,
            (Role::Candidate, Beside::Candidate(Canary { deployment, .. })) => {
                call(place, Update::RemoveCanary { deployment }, IsClaimed::No)
            }
            (Role::Candidate, Beside::Stable) => {
                call(place, Update::RemoveCanary { deployment: wanted.stable }, IsClaimed::No)
            }
            (Role::Stable, Beside::Candidate(Canary { deployment, has_variables, .. })) => {
                call(place, Update::PromoteCanary { deployment, has_variables }, IsClaimed::Yes)
            }
            (Role::Stable, beside) => self.deploy(place, wanted.candidate, beside, IsClaimed::Yes),
            (Role::Another, _) => self.served_by_another(),
        }
    }

    /// A share for the candidate, as the stage's canary.
    fn way_to_share(&self, place: &Stage, role: Role, beside: Beside, wanted: &Wanted) -> Way {
        let Wanted { candidate: deployment, weight, .. } = *wanted;
        match (role, beside) {
            (Role::Stable, Beside::Candidate(canary)) if canary.weight == weight => Way::There,
            (Role::Stable, Beside::Candidate(Canary { weight: was, .. })) => {
                call(place, Update::WeighCanary { deployment, weight, was }, IsClaimed::Yes)
            }
            (Role::Stable, Beside::Nobody | Beside::Stable) => match self.lacks(deployment) {
                Some(blocked) => Way::Blocked(blocked),
                None => call(place, Update::StartCanary { deployment, weight }, IsClaimed::Yes),
            },
            (Role::Stable, Beside::Bystander | Beside::Stranger(_)) => {
                let with = self.canary.map_or(deployment, |canary| canary.deployment);
                Way::Blocked(Blocked::Busy { with: format!("a canary of deployment {with}") })
            }
            (Role::Candidate, _) => Way::Blocked(Blocked::Indivisible {
                weight,
                why: "it is the stage's own deployment by now, which only goes back as a whole".to_owned(),
            }),
            (Role::Another, _) => self.served_by_another(),
        }
    }

    /// Another deployment for the stage. Only a canary of the release itself goes with it.
    fn deploy(&self, place: &Stage, deployment: Version, beside: Beside, is_claimed: IsClaimed) -> Way {
        let removes_canary = match beside {
            Beside::Stable | Beside::Candidate(_) => true,
            Beside::Nobody | Beside::Bystander | Beside::Stranger(_) => false,
        };
        match self.lacks(deployment) {
            Some(blocked) => Way::Blocked(blocked),
            None => {
                call(place, Update::Deploy { deployment, was: self.deployment, removes_canary }, is_claimed)
            }
        }
    }

    fn lacks(&self, version: Version) -> Option<Blocked> {
        match &self.deployments {
            Deployments::All(all) if !all.contains(&version) => Some(Blocked::NoSuchVersion { version }),
            Deployments::All(_) | Deployments::Unknown { .. } => None,
        }
    }

    fn served_by_another(&self) -> Way {
        let now = format!("the stage serves deployment {}", self.deployment);
        Way::Blocked(Blocked::ChangedByAnother { now })
    }
}

/// Whether a call is claimed in the ledger first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsClaimed {
    Yes,
    No,
}

fn call(stage: &Stage, update: Update, is_claimed: IsClaimed) -> Way {
    let call = super::Call::ApiStage(Call { stage: stage.clone(), update });
    Way::Call { call, is_claimed: is_claimed == IsClaimed::Yes }
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        &["apigateway:PATCH"]
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "apigateway:UpdateStage of {}/{}: ", self.stage.api, self.stage.stage)?;
        match self.update {
            Update::RemoveCanary { deployment } => {
                write!(f, "the canary of deployment {deployment} is removed, if there still is one")
            }
            Update::Deploy { deployment, was, removes_canary } => {
                write!(f, "deployment {deployment} instead of {was}")?;
                if removes_canary { f.write_str(", without a canary") } else { Ok(()) }
            }
            Update::StartCanary { deployment, weight } => {
                write!(f, "a canary of deployment {deployment} takes {weight}")
            }
            Update::WeighCanary { deployment, weight, was } => {
                write!(f, "the canary of deployment {deployment} takes {weight} (was {was})")
            }
            Update::PromoteCanary { deployment, has_variables } => {
                let variables = if has_variables { ", and its variables the stage's" } else { "" };
                write!(f, "the canary's deployment {deployment} becomes the stage's{variables}")
            }
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "api:{}/{}", self.api, self.stage)
    }
}
