//! A listener that only applies what it is called to do.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects, and fails on everything else"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;
use crate::names::Arn;

pub(super) const FORWARD: &str = "elasticloadbalancing:ModifyListener of listener/app/web/0a1b/2c3d:";

pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{name}/0123456789abcdef")
}

pub(super) fn version(name: &str) -> Version {
    name.parse().expect("a version")
}

fn group(name: &str) -> TargetGroup {
    TargetGroup::try_from(arn(name)).expect("a target group")
}

pub(super) fn place() -> Forward {
    let rule = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/0a1b/2c3d";
    Forward {
        rule: RuleArn::try_from(rule.to_owned()).expect("a listener"),
        target_groups: [group("blue"), group("green")],
    }
}

pub(super) fn back() -> Wanted {
    Wanted::back(version("blue"), version("green"))
}

pub(super) fn shift(weight: Weight) -> Wanted {
    Wanted { weight, ..back() }
}

fn weighted(name: &str, weight: u16) -> Weighted {
    Weighted { group: arn(name).parse::<Arn>().expect("an ARN"), weight }
}

#[derive(Clone, Debug)]
pub(super) struct World {
    actions: Vec<Action>,
    health: BTreeMap<Version, Health>,
    is_default: bool,
}

pub(super) fn healthy() -> Health {
    Health::Counted(Counts { registered: 2, able: 2, ..Counts::default() })
}

pub(super) fn unhealthy() -> Health {
    Health::Counted(Counts { registered: 2, ..Counts::default() })
}

pub(super) fn empty() -> Health {
    Health::Counted(Counts::default())
}

pub(super) fn initial() -> Health {
    Health::Counted(Counts { registered: 2, initial: 2, ..Counts::default() })
}

pub(super) fn unused() -> Health {
    Health::Counted(Counts { registered: 2, unused: 2, ..Counts::default() })
}

pub(super) fn unread() -> Health {
    Health::Unread { why: "access denied".to_owned() }
}

impl World {
    /// A forward to those of the two groups that have a weight here.
    pub(super) fn named(blue: Option<u16>, green: Option<u16>) -> Self {
        let named = |name, weight: Option<u16>| weight.map(|weight| weighted(name, weight));
        let groups = named("blue", blue).into_iter().chain(named("green", green)).collect();
        Self {
            actions: vec![Action { order: None, act: Act::Forward(Sharing { groups, stickiness: None }) }],
            health: [(version("blue"), healthy()), (version("green"), healthy())].into(),
            is_default: false,
        }
    }

    pub(super) fn weighted(blue: u16, green: u16) -> Self {
        Self::named(Some(blue), Some(green))
    }

    pub(super) fn answering() -> Self {
        let act = Act::Answer { with: "redirect HTTP_301".to_owned() };
        Self { actions: vec![Action { order: None, act }], ..Self::weighted(1, 0) }
    }

    fn sharing(&mut self) -> &mut Sharing {
        let forwards = self.actions.iter_mut().filter_map(|action| match &mut action.act {
            Act::Forward(sharing) => Some(sharing),
            _ => None,
        });
        forwards.last().expect("a forward")
    }

    pub(super) fn with_other(mut self, weight: u16) -> Self {
        self.sharing().groups.push(weighted("others", weight));
        self
    }

    pub(super) fn swapped(mut self) -> Self {
        self.sharing().groups.reverse();
        self
    }

    pub(super) fn with_authentication(mut self) -> Self {
        let oidc = Oidc { client_id: Some("web".to_owned()), ..Oidc::default() };
        self.actions.insert(0, Action { order: Some(1), act: Act::AuthenticateOidc(Box::new(oidc)) });
        self.actions[1].order = Some(2);
        self
    }

    pub(super) fn with_unknown_action(mut self) -> Self {
        self.actions
            .insert(0, Action { order: Some(1), act: Act::Unknown { kind: "knock-knock".to_owned() } });
        self
    }

    pub(super) fn default_rule(mut self) -> Self {
        self.is_default = true;
        self
    }

    pub(super) fn sticky(mut self, duration_s: i32) -> Self {
        self.sharing().stickiness = Some(Stickiness { enabled: true, duration_s: Some(duration_s) });
        self
    }

    pub(super) fn where_health(mut self, blue: Health, green: Health) -> Self {
        self.health = [(version("blue"), blue), (version("green"), green)].into();
        self
    }

    pub(super) fn seen(&self) -> Seen {
        Seen { actions: self.actions.clone(), is_default: self.is_default, health: self.health.clone() }
    }

    /// Replaces the actions. The targets of a group that is named are checked from then on, and found well.
    pub(super) fn apply(&mut self, call: &Call) {
        self.actions = call.actions.clone();
        let named = |group: &Version| {
            self.actions
                .iter()
                .filter_map(Action::sharing)
                .any(|sharing| sharing.groups.iter().any(|named| named.group.as_str() == arn(group.as_str())))
        };
        for (group, health) in &mut self.health {
            if *health == unused() && named(group) {
                *health = healthy();
            }
        }
    }

    pub(super) fn weight(&self, name: &str) -> Option<u16> {
        let mut sharings = self.actions.iter().filter_map(Action::sharing);
        let weights = |sharing: &Sharing| {
            let named = sharing.groups.iter().find(|named| named.group.as_str() == arn(name))?;
            (named.weight > 0).then_some(named.weight)
        };
        sharings.find_map(weights)
    }

    /// Everything but the weights of the two groups.
    pub(super) fn untouched(&self) -> Vec<Action> {
        let mut world = self.clone();
        let others = |named: &Weighted| ![arn("blue"), arn("green")].contains(&named.group.to_string());
        if world.actions.iter().any(|action| action.sharing().is_some()) {
            world.sharing().groups.retain(others);
        }
        world.actions
    }
}

pub(super) fn any() -> impl Strategy<Value = World> {
    use proptest::prelude::any;

    let weight = || proptest::option::of(prop_oneof![Just(0), Just(1), Just(100), 0_u16..=999]);
    let health = || {
        prop_oneof![
            4 => Just(healthy()),
            1 => prop_oneof![Just(unhealthy()), Just(empty()), Just(initial()), Just(unused()), Just(unread())],
            1 => Just(Health::Gone),
        ]
    };
    let shape = (weight(), weight(), weight(), any::<[bool; 3]>());
    (shape, health(), health()).prop_map(
        |((blue, green, other, [is_sticky, is_swapped, asks]), of_blue, of_green)| {
            let mut world = World::named(blue, green).where_health(of_blue, of_green);
            world = if let Some(other) = other { world.with_other(other) } else { world };
            world = if is_sticky { world.sticky(3_600) } else { world };
            world = if is_swapped { world.swapped() } else { world };
            if asks { world.with_authentication() } else { world }
        },
    )
}
