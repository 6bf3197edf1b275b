#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects, and fails on everything else"
)]

use proptest::prelude::*;

use super::*;

fn alias() -> Alias {
    let arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders:live";
    Alias { state_machine_alias: arn.parse().expect("an ARN") }
}

fn version(number: u64) -> Version {
    Version::new(number).expect("versions count from 1")
}

fn routed(routes: &[(u64, u32)]) -> Seen {
    let routes =
        routes.iter().map(|(number, percent)| Route { version: version(*number), percent: *percent });
    Seen { routes: routes.collect(), published: Some((1..=3).map(version).collect()), updated_at: None }
}

fn wanted(percent: f64) -> Wanted {
    let weight = Weight::from_share(percent / 100.0).expect("a share");
    Wanted { stable: version(1), candidate: version(2), weight }
}

fn told(way: &Way) -> String {
    match way {
        Way::There => "there".to_owned(),
        Way::Call { call, is_claimed } => format!("{}{call}", if *is_claimed { "claimed: " } else { "" }),
        Way::Coming { what } => format!("coming: {what}"),
        Way::Blocked(why) => format!("blocked: {why}"),
    }
}

#[track_caller]
fn check(routes: &[(u64, u32)], percent: f64, expected: &str) {
    assert_eq!(told(&way(&alias(), &routed(routes), &wanted(percent))), expected, "{routes:?} to {percent}%");
}

const UPDATE: &str = "claimed: states:UpdateStateMachineAlias of stateMachine:orders:live";

#[test]
fn everything_goes_back_to_the_stable_version_by_one_claimed_call() {
    check(&[(1, 90), (2, 10)], 0.0, &format!("{UPDATE} to 1 on 100%; it was 1 on 90%, 2 on 10%"));
    check(&[(2, 100)], 0.0, &format!("{UPDATE} to 1 on 100%; it was 2 on 100%"));
    check(&[(3, 100)], 0.0, &format!("{UPDATE} to 1 on 100%; it was 3 on 100%"));
}

#[test]
fn what_serves_what_is_wanted_is_left_alone() {
    check(&[(1, 100)], 0.0, "there");
    check(&[(2, 0), (1, 100)], 0.0, "there");
    check(&[(2, 100)], 100.0, "there");
    check(&[(2, 25), (1, 75)], 25.0, "there");
}

#[test]
fn the_candidate_takes_whole_percents() {
    check(&[(1, 100)], 1.0, &format!("{UPDATE} to 1 on 99%, 2 on 1%; it was 1 on 100%"));
    check(&[(1, 99), (2, 1)], 99.0, &format!("{UPDATE} to 1 on 1%, 2 on 99%; it was 1 on 99%, 2 on 1%"));
    check(&[(1, 1), (2, 99)], 100.0, &format!("{UPDATE} to 2 on 100%; it was 1 on 1%, 2 on 99%"));
}

#[test]
fn a_share_between_two_percents_is_refused_and_not_rounded() {
    let refused = "an alias of a state machine takes whole percents only";
    for percent in [0.5, 12.5, 99.9] {
        check(
            &[(1, 100)],
            percent,
            &format!("blocked: it cannot serve {percent}% of the candidate: {refused}"),
        );
    }
}

#[test]
fn a_deleted_version_is_named() {
    let mut seen = routed(&[(2, 100)]);
    seen.published = Some(vec![version(2), version(3)]);
    assert_eq!(told(&way(&alias(), &seen, &wanted(0.0))), "blocked: there is no version 1 there");
    seen.published = None;
    assert_eq!(
        told(&way(&alias(), &seen, &wanted(0.0))),
        format!("{UPDATE} to 1 on 100%; it was 2 on 100%"),
        "what could not be listed is left to AWS"
    );
}

#[test]
fn only_the_arn_of_an_alias_is_taken() {
    let check = |arn: &str, is_valid: bool| {
        let alias = Alias { state_machine_alias: arn.parse().expect("an ARN") };
        assert_eq!(alias.violation().is_none(), is_valid, "{arn}");
    };
    check("arn:aws:states:eu-west-1:123456789012:stateMachine:orders:live", true);
    check("arn:aws-cn:states:cn-north-1:123456789012:stateMachine:orders:v2", true);
    check("arn:aws:states:eu-west-1:123456789012:stateMachine:orders", false);
    check("arn:aws:states:eu-west-1:123456789012:stateMachine:orders:3", false);
    check("arn:aws:states:eu-west-1:123456789012:stateMachine:orders:", false);
    check("arn:aws:states:eu-west-1:123456789012:stateMachine::live", false);
    check("arn:aws:states:eu-west-1:123456789012:stateMachine:orders:live:more", false);
    check("arn:aws:states:eu-west-1:123456789012:execution:orders:live", false);
    check("arn:aws:states::123456789012:stateMachine:orders:live", false);
    check("arn:aws:lambda:eu-west-1:123456789012:stateMachine:orders:live", false);
}

#[test]
fn a_version_is_called_by_the_arn_of_its_state_machine() {
    assert_eq!(alias().machine(), "arn:aws:states:eu-west-1:123456789012:stateMachine:orders");
    assert_eq!(alias().version_arn(version(7)), format!("{}:7", alias().machine()));
}

fn any_routes() -> impl Strategy<Value = Vec<Route>> {
    let route = |number, percent| Route { version: version(number), percent };
    prop_oneof![
        (1..=3_u64).prop_map(move |number| vec![route(number, 100)]),
        (1..=3_u64, 1..=2_u64, 0..=100_u32).prop_map(move |(first, step, percent)| {
            let second = (first - 1 + step) % 3 + 1;
            vec![route(first, 100 - percent), route(second, percent)]
        }),
    ]
}

proptest! {
    /// The world does no more than what the call says.
    #[test]
    fn after_its_call_an_alias_is_there(routes in any_routes(), percent in 0..=100_u32) {
        let wanted = Wanted { weight: Weight::from_percent(percent), ..wanted(0.0) };
        let seen = Seen { routes, ..routed(&[]) };
        let after = match way(&alias(), &seen, &wanted) {
            Way::Call { call: PlaceCall::StateMachineAlias(Call::Route { routes, was, .. }), .. } => {
                prop_assert_eq!(&was, &seen.routes);
                prop_assert_eq!(routes.iter().map(|route| route.percent).sum::<u32>(), 100);
                Seen { routes, ..seen }
            }
            Way::There => seen,
            other => return Err(TestCaseError::fail(told(&other))),
        };
        prop_assert_eq!(way(&alias(), &after, &wanted), Way::There);
        prop_assert_eq!(after.traffic().map(|traffic| traffic.share_of(version(2))), Some(wanted.weight));
    }
}
