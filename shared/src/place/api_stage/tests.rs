use proptest::prelude::*;

use super::*;
use crate::place::Call as AnyCall;

fn version(name: &str) -> Version {
    name.parse().expect("a version")
}

fn place() -> Stage {
    Stage { api: "a1b2c3".parse().expect("an id"), stage: "prod".parse().expect("a name") }
}

fn back() -> Wanted {
    Wanted::back(version("old1"), version("new2"))
}

fn percent(percent: u32) -> Wanted {
    Wanted { weight: Weight::from_percent(percent), ..back() }
}

fn canary(deployment: &str, percent: u32) -> Canary {
    Canary { deployment: version(deployment), weight: Weight::from_percent(percent), has_variables: false }
}

/// A stage of an API that has all four deployments.
fn serving(deployment: &str, canary: Option<Canary>) -> Seen {
    let all = ["old1", "new2", "third3", "fourth4"].map(version).to_vec();
    Seen { deployment: version(deployment), canary, deployments: Deployments::All(all) }
}

#[track_caller]
fn check(seen: &Seen, wanted: &Wanted, expected: &str) {
    let said = match way(&place(), seen, wanted) {
        Way::There => "there".to_owned(),
        Way::Coming { what } => format!("coming: {what}"),
        Way::Blocked(why) => format!("blocked: {why}"),
        Way::Call { call, is_claimed } => {
            format!("{}: {call}", if is_claimed { "claimed" } else { "unclaimed" })
        }
    };
    assert_eq!(said, expected.replace("UPDATE", "apigateway:UpdateStage of a1b2c3/prod"));
}

#[test]
fn a_canary_is_removed_without_a_claim() {
    let removed = "unclaimed: UPDATE: the canary of deployment new2 is removed, if there still is one";
    for share in [0, 10, 100] {
        check(&serving("old1", Some(canary("new2", share))), &back(), removed);
    }
    check(&serving("old1", None), &back(), "there");
}

#[test]
fn a_promoted_candidate_gives_way_to_the_stable_deployment() {
    check(&serving("new2", None), &back(), "claimed: UPDATE: deployment old1 instead of new2");
    for left in [canary("new2", 0), canary("old1", 5)] {
        check(
            &serving("new2", Some(left)),
            &back(),
            "claimed: UPDATE: deployment old1 instead of new2, without a canary",
        );
    }
}

#[test]
fn a_deployment_that_was_deleted_is_not_gone_back_to() {
    let all = Deployments::All(vec![version("new2")]);
    let seen = Seen { deployments: all, ..serving("new2", None) };
    check(&seen, &back(), "blocked: there is no version old1 there");
    // Not knowing stops nothing.
    let deployments = Deployments::Unknown { why: "access denied".to_owned() };
    check(
        &Seen { deployments, ..serving("new2", None) },
        &back(),
        "claimed: UPDATE: deployment old1 instead of new2",
    );
    // Nothing needs to be deployed to remove a canary.
    let seen =
        Seen { deployments: Deployments::All(Vec::new()), ..serving("old1", Some(canary("new2", 10))) };
    check(
        &seen,
        &back(),
        "unclaimed: UPDATE: the canary of deployment new2 is removed, if there still is one",
    );
}

#[test]
fn a_share_is_given_to_a_canary() {
    let starts = "claimed: UPDATE: a canary of deployment new2 takes 10%";
    check(&serving("old1", None), &percent(10), starts);
    check(&serving("old1", Some(canary("old1", 50))), &percent(10), starts);
    check(
        &serving("old1", Some(canary("new2", 10))),
        &percent(50),
        "claimed: UPDATE: the canary of deployment new2 takes 50% (was 10%)",
    );
    check(&serving("old1", Some(canary("new2", 10))), &percent(10), "there");
    let seen = Seen { deployments: Deployments::All(vec![version("old1")]), ..serving("old1", None) };
    check(&seen, &percent(10), "blocked: there is no version new2 there");
}

#[test]
fn a_canary_is_promoted_and_then_removed() {
    check(
        &serving("old1", Some(canary("new2", 50))),
        &percent(100),
        "claimed: UPDATE: the canary's deployment new2 becomes the stage's",
    );
    let with_variables = Canary { has_variables: true, ..canary("new2", 100) };
    check(
        &serving("old1", Some(with_variables)),
        &percent(100),
        "claimed: UPDATE: the canary's deployment new2 becomes the stage's, and its variables the stage's",
    );
    check(
        &serving("new2", Some(canary("new2", 0))),
        &percent(100),
        "unclaimed: UPDATE: the canary of deployment new2 is removed, if there still is one",
    );
    check(&serving("new2", None), &percent(100), "there");
    check(&serving("old1", None), &percent(100), "claimed: UPDATE: deployment new2 instead of old1");
}

#[test]
fn a_candidate_that_was_promoted_has_no_share_any_more() {
    check(
        &serving("new2", None),
        &percent(50),
        "blocked: it cannot serve 50% of the candidate: it is the stage's own deployment by now, which only goes back as a whole",
    );
}

#[test]
fn what_another_release_does_is_not_touched() {
    let stranger = "blocked: somebody else has changed it: a canary of deployment third3 takes 20%";
    for wanted in [back(), percent(10), percent(100)] {
        for deployment in ["old1", "new2", "fourth4"] {
            check(&serving(deployment, Some(canary("third3", 20))), &wanted, stranger);
        }
    }
    let elsewhere = "blocked: somebody else has changed it: the stage serves deployment third3";
    check(&serving("third3", None), &percent(10), elsewhere);
    check(&serving("third3", None), &percent(100), elsewhere);
    let bystander = Some(canary("third3", 0));
    check(&serving("old1", bystander), &back(), "there");
    check(&serving("new2", bystander), &back(), "claimed: UPDATE: deployment old1 instead of new2");
    check(
        &serving("old1", bystander),
        &percent(10),
        "blocked: a canary of deployment third3 is under way there",
    );
}

#[test]
fn a_person_may_go_back_to_a_deployment_of_neither_side() {
    let wanted = Wanted::back(version("third3"), version("new2"));
    check(
        &serving("old1", Some(canary("new2", 10))),
        &wanted,
        "claimed: UPDATE: deployment third3 instead of old1, without a canary",
    );
}

#[test]
fn a_canary_with_everything_is_not_yet_promoted() {
    let traffic = |seen: Seen| seen.traffic().to_string();
    assert_eq!(traffic(serving("old1", None)), "old1 on 100%");
    assert_eq!(traffic(serving("old1", Some(canary("new2", 0)))), "old1 on 100%");
    assert_eq!(traffic(serving("old1", Some(canary("new2", 10)))), "old1 on 90%, new2 on 10%");
    assert_eq!(traffic(serving("old1", Some(canary("old1", 10)))), "old1 on 100%");
    let seen = serving("old1", Some(canary("new2", 100)));
    assert_ne!(seen.traffic(), Traffic::all_on(version("new2")));
    assert_eq!(seen.traffic().share_of(version("new2")), Weight::ALL);
}

/// What an update does to a stage, by API Gateway's documents. A share for a canary that is gone makes one of the stage's own
/// deployment; promoting one that is gone is refused.
fn apply(seen: &mut Seen, call: &Call) {
    match call.update {
        Update::RemoveCanary { .. } => seen.canary = None,
        Update::Deploy { deployment, removes_canary, .. } => {
            seen.deployment = deployment;
            seen.canary = seen.canary.filter(|_| !removes_canary);
        }
        Update::StartCanary { deployment, weight } => {
            let has_variables = seen.canary.is_some_and(|canary| canary.has_variables);
            seen.canary = Some(Canary { deployment, weight, has_variables });
        }
        Update::WeighCanary { weight, .. } => {
            let own = Canary { deployment: seen.deployment, weight, has_variables: false };
            seen.canary = Some(Canary { weight, ..seen.canary.unwrap_or(own) });
        }
        Update::PromoteCanary { .. } => {
            if let Some(canary) = &mut seen.canary {
                seen.deployment = canary.deployment;
                canary.weight = Weight::NONE;
            }
        }
    }
}

#[test]
fn what_comes_after_a_rollback_gives_the_candidate_nothing() {
    let before = serving("old1", Some(canary("new2", 10)));
    for wanted in [percent(50), percent(100)] {
        let Way::Call { call: AnyCall::ApiStage(late), .. } = way(&place(), &before, &wanted) else {
            panic!("no call")
        };
        let mut seen = serving("old1", None);
        apply(&mut seen, &late);
        assert_eq!(seen.traffic(), Traffic::all_on(version("old1")), "after {late}");
    }
}

proptest! {
    #[test]
    fn following_the_way_ends(
        deployment in 0_usize..3,
        beside in proptest::option::of((0_usize..3, prop_oneof![Just(0), Just(100), 0_u32..=100], any::<bool>())),
        is_listed in any::<bool>(),
        share in prop_oneof![Just(0), Just(100), 0_u32..=100],
    ) {
        let name = |index: usize| ["old1", "new2", "third3"][index];
        let beside = beside.map(|(deployment, share, has_variables)| Canary { has_variables, ..canary(name(deployment), share) });
        let mut seen = serving(name(deployment), beside);
        if !is_listed {
            seen.deployments = Deployments::Unknown { why: "there are more".to_owned() };
        }
        let wanted = percent(share);
        let mut calls = 0;
        while let Way::Call { call: AnyCall::ApiStage(call), .. } = way(&place(), &seen, &wanted) {
            calls += 1;
            prop_assert!(calls <= 2, "it goes on calling: {}", call);
            let before = seen.traffic().share_of(wanted.candidate);
            apply(&mut seen, &call);
            if wanted.is_back() {
                prop_assert_eq!(calls, 1, "one call is enough on the way back");
                prop_assert!(seen.traffic().share_of(wanted.candidate) <= before);
            }
        }
        if way(&place(), &seen, &wanted) == Way::There {
            prop_assert_eq!(seen.traffic(), wanted.traffic());
        }
    }
}
