//! A listener or a rule of an Application Load Balancer. Its versions are two target groups, by their names.
//!
//! AWS compares nothing when actions are replaced, so every call is claimed first; and it replaces all of them, so every call
//! carries all that was seen, with nothing changed but the two weights.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Blocked, Wanted, Way};
use crate::names::{Version, Weight};
use crate::traffic::Traffic;

mod action;
mod arns;
mod health;
#[cfg(test)]
mod tests;
mod weights;

pub use action::{Act, Action, Claim, Cognito, Jwt, Oidc, Session, Sharing, Stickiness, Weighted};
pub use arns::{RuleArn, RuleKind, TargetGroup};
pub use health::{Counts, Health};

use health::Fitness;
use weights::Weights;

/// Which listener or rule, and the two groups that releases take turns in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// The ARN of the listener, whose default action forwards, or of the rule.
    pub rule: RuleArn,
    /// The ARNs of the two target groups.
    pub target_groups: [TargetGroup; 2],
}

/// What is seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// All of its actions.
    pub actions: Vec<Action>,
    /// Whether it is the rule that stands for its listener's default actions, which only the listener can change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_default: bool,
    /// The health of the two groups.
    pub health: BTreeMap<Version, Health>,
}

/// The AWS actions that looking at it needs, as IAM names them.
pub const OBSERVED: &[&str] = &[
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetHealth",
];

/// A call that moves it: all actions anew, with other weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The listener or rule.
    pub rule: RuleArn,
    /// All of its actions, as they are to be.
    pub actions: Vec<Action>,
    /// The two groups' weights, before and after.
    pub changes: Vec<Reweighing>,
    /// What a person should know besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A group whose weight is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reweighing {
    /// The group.
    pub group: Version,
    /// Its weight as it was seen; none where the action did not name it.
    pub was: Option<u16>,
    /// Its weight to be.
    pub weight: u16,
}

/// How the two groups stand to the share that is wanted.
enum Standing {
    /// They have no traffic: something else has it.
    Elsewhere { now: String },
    /// They share it as wanted.
    There,
    /// One of them is to gain.
    Gains(Gain),
}

/// Who gains traffic. Towards stable less is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gain {
    Stable,
    Candidate,
}

/// The two groups by the parts that they play.
struct Sides<'place> {
    stable: &'place TargetGroup,
    candidate: &'place TargetGroup,
}

/// How it gets from what was seen to what is wanted.
pub fn way(place: &Forward, seen: &Seen, wanted: &Wanted) -> Way {
    let (sides, sharing) = match place.sides(wanted).and_then(|sides| Ok((sides, seen.sharing()?))) {
        Ok(found) => found,
        Err(blocked) => return Way::Blocked(blocked),
    };
    let now = sides.weights_in(sharing);
    let gain = match sides.standing(sharing, now, wanted.weight) {
        Standing::Elsewhere { now } => return Way::Blocked(Blocked::ChangedByAnother { now }),
        Standing::There => return Way::There,
        Standing::Gains(gain) => gain,
    };
    let (gaining, losing) = match gain {
        Gain::Stable => (sides.stable, sides.candidate),
        Gain::Candidate => (sides.candidate, sides.stable),
    };
    let is_named = sharing.weight_of(gaining).is_some();
    let left = seen.fitness(losing, sharing).left_if_unfit();
    let to = if wanted.is_back() {
        Some(now.back())
    } else {
        now.sharing(wanted.weight, sides.are_alone(sharing))
    };
    let Some(to) = to else { return Way::Blocked(indivisible(wanted.weight, sides.are_alone(sharing))) };
    let set = |to, notes| Way::Call { call: sides.call(place, seen, to, notes).into(), is_claimed: true };
    match (seen.fitness(gaining, sharing), gain) {
        (Fitness::Fit, Gain::Stable | Gain::Candidate) => set(to, Vec::new()),
        (Fitness::Gone, Gain::Stable | Gain::Candidate) => {
            Way::Blocked(Blocked::NoSuchVersion { version: gaining.name() })
        }
        // Whether anybody is healthy there must not stop traffic from going back because it could not be read.
        (Fitness::Unknown { why }, Gain::Stable) => {
            set(to, vec![format!("whether {gaining} is healthy is not known: {why}")])
        }
        (Fitness::Unknown { why }, Gain::Candidate) => {
            Way::Blocked(Blocked::State { state: format!("not known whether {gaining} is healthy"), why })
        }
        // The group that loses has nobody healthy either, and no more targets to try: nothing becomes worse.
        (
            Fitness::BeingChecked(counts) | Fitness::Unchecked(counts) | Fitness::Unfit(counts),
            Gain::Stable,
        ) if left.is_some_and(|left| counts.registered > 0 || left == 0) => {
            set(to, vec![format!("nobody is healthy in {gaining}, nor in {losing}")])
        }
        (Fitness::BeingChecked(counts), Gain::Stable | Gain::Candidate) => Way::Coming {
            what: format!(
                "none of the {} targets of {gaining} is healthy yet: {} are being checked",
                counts.registered,
                counts.initial + counts.unused
            ),
        },
        // Its targets are checked once an action names it; until one of them is healthy nothing is sent there.
        (Fitness::Unchecked(_), Gain::Stable | Gain::Candidate) if !is_named => {
            set(now, vec![format!("{gaining} is named with weight 0 first, so that its targets are checked")])
        }
        (Fitness::Unchecked(counts) | Fitness::Unfit(counts), Gain::Stable | Gain::Candidate) => {
            let (group, registered) = (gaining.to_string(), counts.registered);
            Way::Blocked(Blocked::NobodyHealthy { group, registered })
        }
    }
}

fn indivisible(weight: Weight, is_alone: bool) -> Blocked {
    let why = if is_alone {
        "weights are whole numbers from 0 to 999, and none give exactly that share"
    } else {
        "beside the weights of other groups, those of these two have too small a sum for exactly that share"
    };
    Blocked::Indivisible { weight, why: why.to_owned() }
}

impl Forward {
    /// Which group plays which part. On the way back the candidate is whichever stable is not.
    fn sides(&self, wanted: &Wanted) -> Result<Sides<'_>, Blocked> {
        let [first, second] = &self.target_groups;
        let sides = if first.name() == wanted.stable {
            Sides { stable: first, candidate: second }
        } else if second.name() == wanted.stable {
            Sides { stable: second, candidate: first }
        } else {
            return Err(Blocked::NoSuchVersion { version: wanted.stable });
        };
        if wanted.is_back() || sides.candidate.name() == wanted.candidate {
            Ok(sides)
        } else {
            Err(Blocked::NoSuchVersion { version: wanted.candidate })
        }
    }
}

impl Seen {
    /// What it serves, in the words of a release: of the two groups, the one that the action names first is the primary
    /// version, because every call of ours names stable first. Where neither has traffic, what has it.
    pub fn traffic(&self, place: &Forward) -> Traffic {
        let serves = |name: &str| name.parse().unwrap_or_else(|_| place.target_groups[0].name());
        let Some(sharing) = self.actions.iter().find_map(Action::sharing) else {
            return Traffic::all_on(serves("no-target-group"));
        };
        let position =
            |group: &TargetGroup| sharing.groups.iter().position(|named| named.group == *group.arn());
        let [first, second] = &place.target_groups;
        let is_swapped = match (position(first), position(second)) {
            (Some(first), Some(second)) => second < first,
            (None, Some(_)) => true,
            (Some(_) | None, None) => false,
        };
        let (stable, candidate) = if is_swapped { (second, first) } else { (first, second) };
        let sides = Sides { stable, candidate };
        match (sides.weights_in(sharing).share(), sides.heaviest_other(sharing)) {
            (Some(share), _) => Traffic::split(stable.name(), candidate.name(), share),
            (None, Some(other)) => {
                Traffic::all_on(serves(arns::name_in(&other.group).unwrap_or("another-group")))
            }
            (None, None) => Traffic::all_on(stable.name()),
        }
    }

    /// How requests are shared out, if they are forwarded at all and all actions can be sent again.
    fn sharing(&self) -> Result<&Sharing, Blocked> {
        if self.is_default {
            return Err(Blocked::State {
                state: "the default rule of its listener".to_owned(),
                why: "only the listener itself can change it: register the listener's ARN".to_owned(),
            });
        }
        if let Some(unknown) = self.actions.iter().find(|action| matches!(action.act, Act::Unknown { .. })) {
            return Err(Blocked::State {
                state: format!("with an action of the kind {}", unknown.act),
                why: "all actions are replaced at once, and this one could not be sent again as it is"
                    .to_owned(),
            });
        }
        self.actions.iter().find_map(Action::sharing).ok_or_else(|| Blocked::ChangedByAnother {
            now: self.actions.last().map_or("no action".to_owned(), |action| action.act.to_string()),
        })
    }

    fn fitness(&self, group: &TargetGroup, sharing: &Sharing) -> Fitness {
        let unread = || Fitness::Unknown { why: "it was not looked at".to_owned() };
        let is_named = sharing.weight_of(group).is_some();
        self.health.get(&group.name()).map_or_else(unread, |health| health.fitness(is_named))
    }
}

impl Sharing {
    /// The weight of a group, if it is named.
    fn weight_of(&self, group: &TargetGroup) -> Option<u16> {
        let weights = self.groups.iter().filter(|named| named.group == *group.arn());
        weights.map(|named| named.weight).reduce(u16::saturating_add)
    }
}

impl Sides<'_> {
    fn weights_in(&self, sharing: &Sharing) -> Weights {
        let weight = |group| sharing.weight_of(group).unwrap_or_default();
        Weights { stable: weight(self.stable), candidate: weight(self.candidate) }
    }

    /// The groups that are not ours.
    fn others<'seen>(&self, sharing: &'seen Sharing) -> impl Iterator<Item = &'seen Weighted> {
        sharing
            .groups
            .iter()
            .filter(|named| named.group != *self.stable.arn() && named.group != *self.candidate.arn())
    }

    fn heaviest_other<'seen>(&self, sharing: &'seen Sharing) -> Option<&'seen Weighted> {
        self.others(sharing).filter(|other| other.weight > 0).max_by_key(|other| other.weight)
    }

    /// Whether no other group has weight.
    fn are_alone(&self, sharing: &Sharing) -> bool {
        self.heaviest_other(sharing).is_none()
    }

    /// Two groups that have no weight although others have, or are not even named, were taken out by somebody else.
    fn standing(&self, sharing: &Sharing, now: Weights, wanted: Weight) -> Standing {
        let is_named =
            sharing.weight_of(self.stable).is_some() || sharing.weight_of(self.candidate).is_some();
        match now.share() {
            Some(share) if share == wanted => Standing::There,
            Some(share) if share > wanted => Standing::Gains(Gain::Stable),
            Some(_) => Standing::Gains(Gain::Candidate),
            None if !is_named || !self.are_alone(sharing) => {
                Standing::Elsewhere { now: Act::Forward(sharing.clone()).to_string() }
            }
            None if wanted == Weight::NONE => Standing::Gains(Gain::Stable),
            None => Standing::Gains(Gain::Candidate),
        }
    }

    /// All actions anew. Stable is named first, by which it is told apart while both take traffic; the other groups follow.
    fn call(&self, place: &Forward, seen: &Seen, to: Weights, mut notes: Vec<String>) -> Call {
        let weigh = |group: &TargetGroup, weight| Weighted { group: group.arn().clone(), weight };
        let anew = |action: &Action| match action.sharing() {
            Some(sharing) => {
                let ours = [weigh(self.stable, to.stable), weigh(self.candidate, to.candidate)];
                let groups = ours.into_iter().chain(self.others(sharing).cloned()).collect();
                Action { act: Act::Forward(sharing.among(groups)), ..action.clone() }
            }
            None => action.clone(),
        };
        let sharing = seen.actions.iter().find_map(Action::sharing);
        let was = |group: &TargetGroup| sharing.and_then(|sharing| sharing.weight_of(group));
        let change =
            |group: &TargetGroup, weight| Reweighing { group: group.name(), was: was(group), weight };
        if let Some(seconds) = sharing.and_then(Sharing::sticky_s) {
            notes.push(format!("clients may keep to the group that they were sent to for up to {seconds} s"));
        }
        Call {
            rule: place.rule.clone(),
            actions: seen.actions.iter().map(anew).collect(),
            changes: vec![change(self.stable, to.stable), change(self.candidate, to.candidate)],
            notes,
        }
    }
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match self.rule.kind() {
            RuleKind::Listener => &["elasticloadbalancing:ModifyListener"],
            RuleKind::Rule => &["elasticloadbalancing:ModifyRule"],
        }
    }
}

impl From<Call> for super::Call {
    fn from(call: Call) -> Self {
        Self::LoadBalancer(call)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [name] = self.iam_actions() else { return Err(fmt::Error) };
        write!(f, "{name} of {}:", self.rule.resource())?;
        for (index, Reweighing { group, was, weight }) in self.changes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let was = was.map_or("not named before".to_owned(), |was| format!("was {was}"));
            write!(f, "{comma} {group} gets weight {weight} ({was})")?;
        }
        let ours = |named: &Weighted| {
            let name = arns::name_in(&named.group).unwrap_or_default();
            self.changes.iter().any(|change| change.group.as_str() == name)
        };
        for sharing in self.actions.iter().filter_map(Action::sharing) {
            for other in sharing.groups.iter().filter(|named| !ours(named)) {
                let name = arns::name_in(&other.group).unwrap_or(other.group.as_str());
                write!(f, ", {name} keeps {}", other.weight)?;
            }
        }
        for kept in self.actions.iter().filter(|action| action.sharing().is_none()) {
            write!(f, ", {} stays", kept.act)?;
        }
        for note in &self.notes {
            write!(f, "; {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "elb:{}", self.rule)
    }
}
