use proptest::prelude::*;

use super::*;
use crate::place::Call as AnyCall;

mod rows;
mod world;

use world::{FORWARD, World, arn, back, place, shift, version};

#[track_caller]
fn check(world: &World, wanted: &Wanted, expected: &str) {
    let said = match way(&place(), &world.seen(), wanted) {
        Way::There => "there".to_owned(),
        Way::Coming { what } => format!("coming: {what}"),
        Way::Blocked(why) => format!("blocked: {why}"),
        Way::Call { call, is_claimed } => {
            assert!(is_claimed, "AWS compares nothing: {call}");
            call.to_string()
        }
    };
    let expected = expected.replace("SET", FORWARD);
    assert_eq!(said, expected);
}

#[test]
fn a_listener_or_rule_is_an_application_load_balancers() {
    let is_valid = |arn: &str| RuleArn::try_from(arn.to_owned()).is_ok();
    assert!(is_valid("arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/0a1b/2c3d"));
    assert!(is_valid(
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/web/0a1b/2c3d/4e5f"
    ));
    for refused in [
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/net/web/0a1b/2c3d",
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/0a1b",
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/web/0a1b/2c3d",
        "arn:aws:ecs:eu-west-1:123456789012:listener/app/web/0a1b/2c3d",
        "web",
    ] {
        assert!(!is_valid(refused), "{refused}");
    }
}

#[test]
fn a_target_group_has_the_name_in_its_arn() {
    let group = |arn: String| TargetGroup::try_from(arn).map(|group| group.name().to_string()).ok();
    assert_eq!(group(arn("blue")), Some("blue".to_owned()));
    assert_eq!(group("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/blue".to_owned()), None);
    assert_eq!(group("arn:aws:ecs:eu-west-1:1:targetgroup/blue/1".to_owned()), None);
    assert_eq!(group(arn("007")), None, "no version is called that");
}

#[test]
fn groups_that_cannot_take_turns_are_named() {
    let broken = |place: &Forward, region: Option<&str>| {
        let region = region.map(|region| region.parse().expect("a region"));
        let broken = place.violations(region.as_ref()).into_iter().map(|(field, _, rule)| (field, rule));
        broken.collect::<Vec<_>>()
    };
    assert_eq!(broken(&place(), None), []);
    assert_eq!(broken(&place(), Some("eu-west-1")), []);
    assert_eq!(broken(&place(), Some("eu-west-2")), [("rule", "its region is the target's `region`")]);
    let [blue, _] = place().target_groups;
    let twice = Forward { target_groups: [blue.clone(), blue.clone()], ..place() };
    assert_eq!(
        broken(&twice, None),
        [("target_groups", "releases take turns in two target groups, and each has a name of its own")]
    );
    let elsewhere = arn("green").replace("123456789012", "210987654321");
    let elsewhere = TargetGroup::try_from(elsewhere).expect("a target group");
    let apart = Forward { target_groups: [blue, elsewhere], ..place() };
    assert_eq!(
        broken(&apart, None),
        [("target_groups", "target groups lie in the account and the region of the listener or rule")]
    );
}

#[test]
fn what_was_seen_and_called_is_kept_as_it_is() {
    let world = World::weighted(90, 10).with_other(50).with_authentication();
    let seen = world.seen();
    let kept: Seen =
        serde_json::from_str(&serde_json::to_string(&seen).expect("JSON")).expect("what was seen");
    assert_eq!(kept, seen);
    let Way::Call { call, .. } = way(&place(), &seen, &back()) else { panic!("no call") };
    let kept: AnyCall = serde_json::from_str(&serde_json::to_string(&call).expect("JSON")).expect("a call");
    assert_eq!(kept, call);
}

#[test]
fn the_group_that_is_named_first_is_the_primary_version() {
    let traffic = |world: World| world.seen().traffic(&place()).to_string();
    assert_eq!(traffic(World::weighted(90, 10)), "blue on 90%, green on 10%");
    assert_eq!(traffic(World::weighted(10, 90)), "blue on 10%, green on 90%");
    assert_eq!(traffic(World::weighted(10, 90).swapped()), "green on 90%, blue on 10%");
    assert_eq!(traffic(World::weighted(0, 1)), "green on 100%");
    assert_eq!(traffic(World::weighted(10, 30).with_other(60)), "blue on 25%, green on 75%");
    assert_eq!(traffic(World::named(None, Some(1))), "green on 100%");
    assert_eq!(traffic(World::named(None, None).with_other(1)), "others on 100%");
    assert_eq!(traffic(World::weighted(0, 0)), "blue on 100%");
    assert_eq!(traffic(World::answering()), "no-target-group on 100%");
}

proptest! {
    /// Whatever was seen: following the way ends, touches nothing but the two weights, and never gives the candidate more
    /// on the way back.
    #[test]
    fn following_the_way_ends(world in world::any(), percent in 0_u32..=100) {
        let wanted = if percent == 0 { back() } else { shift(Weight::from_percent(percent)) };
        let mut world = world;
        let mut calls = 0;
        while let Way::Call { call: AnyCall::LoadBalancer(call), .. } = way(&place(), &world.seen(), &wanted) {
            calls += 1;
            prop_assert!(calls <= 2, "it goes on calling: {}", call);
            let before = world.clone();
            world.apply(&call);
            prop_assert_eq!(before.untouched(), world.untouched());
            if wanted.is_back() {
                prop_assert!(world.weight("green") <= before.weight("green"));
            }
        }
        match way(&place(), &world.seen(), &wanted) {
            Way::There => {
                prop_assert_eq!(world.seen().traffic(&place()).share_of(version("green")), wanted.weight);
                prop_assert_eq!(world.seen().traffic(&place()).share_of(version("blue")), wanted.weight.rest());
            }
            Way::Coming { .. } | Way::Blocked(_) => {}
            Way::Call { call, .. } => prop_assert!(false, "a call again: {}", call),
        }
    }
}
