use super::*;

mod flags;
mod sequences;

fn version(number: u64) -> Version {
    Version::new(number).expect("versions count from 1")
}

fn place(flags: &[&str]) -> Profile {
    let name = |name: &str| name.parse::<PlainName>().expect("a name");
    Profile {
        application: name("app1"),
        environment: name("prod1"),
        profile: name("flags1"),
        strategy: None,
        strategy_back: None,
        flags_off: flags.iter().map(|flag| name(flag)).collect(),
    }
}

/// A deployment of this configuration, which has completed so lately that it can be taken back.
fn ours(number: u32, of: u64, state: State) -> Listed {
    let share = match state {
        State::Validating => 0,
        State::Deploying | State::RollingBack => 25,
        State::Baking | State::Complete | State::Reverted | State::RolledBack => 100,
    };
    Listed::Ours(Deployment {
        number: DeploymentNumber(number),
        version: version(of),
        label: None,
        state,
        share: Weight::from_percent(share),
        began_at: None,
        completed_at: None,
        is_revertable: state == State::Complete,
    })
}

/// One that has completed longer ago.
fn old(number: u32, of: u64) -> Listed {
    match ours(number, of, State::Complete) {
        Listed::Ours(deployment) => Listed::Ours(Deployment { is_revertable: false, ..deployment }),
        others @ Listed::Others { .. } => others,
    }
}

fn another(number: u32, state: State) -> Listed {
    Listed::Others { number: DeploymentNumber(number), configuration: "limits".to_owned(), state }
}

fn told(way: &Way) -> String {
    match way {
        Way::There => "there".to_owned(),
        Way::Call { call, is_claimed } => format!("{}{call}", if *is_claimed { "claimed: " } else { "" }),
        Way::Coming { what } => format!("coming: {what}"),
        Way::Blocked(why) => format!("blocked: {why}"),
    }
}

fn seen(listed: &[Listed]) -> Seen {
    Seen::of(listed.to_vec(), true, false).expect("something was deployed")
}

/// From version 1 to version 2.
fn wanted(percent: u32) -> Wanted {
    Wanted { stable: version(1), candidate: version(2), weight: Weight::from_percent(percent) }
}

#[track_caller]
fn check(listed: &[Listed], percent: u32, expected: &str) {
    assert_eq!(told(&way(&place(&[]), &seen(listed), &wanted(percent))), expected);
}

#[test]
fn a_candidate_that_is_under_way_is_stopped() {
    for (state, shown) in
        [(State::Deploying, "DEPLOYING"), (State::Baking, "BAKING"), (State::Validating, "VALIDATING")]
    {
        check(
            &[old(4, 1), ours(5, 2, state)],
            0,
            &format!(
                "appconfig:StopDeployment 5 of app1/prod1, which takes version 2 of flags1 back (it is {shown})"
            ),
        );
    }
}

#[test]
fn a_candidate_that_has_completed_lately_is_taken_back() {
    check(
        &[old(4, 1), ours(5, 2, State::Complete)],
        0,
        "appconfig:StopDeployment 5 of app1/prod1, which takes version 2 of flags1 back (it is COMPLETE)",
    );
}

const START_1: &str =
    "claimed: appconfig:StartDeployment of version 1 of flags1 in app1/prod1 by AppConfig.AllAtOnce";

#[test]
fn what_completed_too_long_ago_is_replaced_by_a_new_deployment() {
    check(&[old(4, 1), old(5, 2)], 0, &format!("{START_1}, if deployment 5 is the newest"));
}

#[test]
fn taking_back_what_would_not_lead_to_the_stable_version_is_no_way() {
    check(
        &[old(3, 1), old(4, 3), ours(5, 2, State::Complete)],
        0,
        &format!("{START_1}, if deployment 5 is the newest"),
    );
    check(
        &[old(3, 1), ours(4, 2, State::Complete), ours(5, 2, State::Complete)],
        0,
        &format!("{START_1}, if deployment 5 is the newest"),
    );
}

#[test]
fn what_was_taken_back_is_there_if_the_stable_version_is_served() {
    for state in [State::RolledBack, State::Reverted] {
        check(&[old(4, 1), ours(5, 2, state)], 0, "there");
        check(&[old(4, 1), ours(5, 2, state), ours(6, 2, state)], 0, "there");
        check(
            &[old(3, 1), old(4, 3), ours(5, 2, state)],
            0,
            &format!("{START_1}, if deployment 5 is the newest"),
        );
    }
    check(&[old(4, 1)], 0, "there");
}

#[test]
fn what_appconfig_takes_back_or_brings_there_is_waited_for() {
    check(
        &[old(4, 1), ours(5, 2, State::RollingBack)],
        0,
        "coming: deployment 5 of version 2, ROLLING_BACK at 25%,",
    );
    check(
        &[old(4, 2), ours(5, 1, State::Deploying)],
        0,
        "coming: deployment 5 of version 1, DEPLOYING at 25%,",
    );
}

#[test]
fn what_bakes_is_there_unless_an_alarm_of_its_environment_can_take_it_back() {
    check(&[old(4, 2), ours(5, 1, State::Baking)], 0, "there");
    let monitored = Seen { has_monitors: true, ..seen(&[old(4, 2), ours(5, 1, State::Baking)]) };
    assert_eq!(
        told(&way(&place(&[]), &monitored, &wanted(0))),
        "coming: deployment 5 of version 1, BAKING at 100%,"
    );
}

#[test]
fn a_way_back_that_appconfig_has_rolled_back_is_not_tried_again() {
    check(
        &[old(4, 2), ours(5, 1, State::RolledBack)],
        0,
        "blocked: it is deployment 5 of version 1, ROLLED_BACK at 100%,: AppConfig has rolled back what was to go back, \
         as it does when an alarm fires that the environment watches",
    );
}

#[test]
fn another_configuration_is_neither_stopped_nor_waited_for() {
    let busy =
        "blocked: deployment 6 of another configuration, limits, which is DEPLOYING, is under way there";
    check(&[old(4, 1), old(5, 2), another(6, State::Deploying)], 0, busy);
    check(&[old(4, 1), another(6, State::Deploying)], 100, busy);
    check(&[old(4, 1), another(6, State::Deploying)], 0, "there");
    check(
        &[old(4, 1), old(5, 2), another(6, State::Complete)],
        0,
        &format!("{START_1}, if deployment 6 is the newest"),
    );
}

#[test]
fn somebody_elses_version_is_not_stopped() {
    check(
        &[old(4, 1), ours(5, 3, State::Validating)],
        0,
        "blocked: deployment 5 of version 3, VALIDATING at 0%, is under way there",
    );
}

#[test]
fn a_stable_version_that_was_never_deployed_there_is_named() {
    check(&[old(4, 3), old(5, 2)], 0, "blocked: there is no version 1 there");
    let partial = Seen { is_whole: false, ..seen(&[old(4, 3), old(5, 2)]) };
    assert_eq!(
        told(&way(&place(&[]), &partial, &wanted(0))),
        format!("{START_1}, if deployment 5 is the newest"),
        "what may have been deployed long ago is left to AppConfig"
    );
}

#[test]
fn a_shift_starts_a_deployment_of_the_candidate_by_the_given_strategy() {
    let start = "claimed: appconfig:StartDeployment of version 2 of flags1 in app1/prod1 by";
    check(&[old(4, 1)], 100, &format!("{start} AppConfig.AllAtOnce, if deployment 4 is the newest"));
    check(
        &[old(4, 1), ours(5, 2, State::RolledBack)],
        100,
        &format!("{start} AppConfig.AllAtOnce, if deployment 5 is the newest"),
    );
    let slow = Profile { strategy: "slow1".parse().ok(), ..place(&[]) };
    assert_eq!(
        told(&way(&slow, &seen(&[old(4, 1)]), &wanted(100))),
        format!("{start} slow1, if deployment 4 is the newest")
    );
}

#[test]
fn a_way_back_has_a_strategy_of_its_own_and_does_not_grow_by_degrees() {
    let slow = Profile { strategy: "slow1".parse().ok(), ..place(&[]) };
    let back = |place: &Profile| told(&way(place, &seen(&[old(4, 1), old(5, 2)]), &wanted(0)));
    assert_eq!(back(&slow), format!("{START_1}, if deployment 5 is the newest"));
    let quick = Profile { strategy_back: "quick1".parse().ok(), ..slow.clone() };
    let expected = START_1.replace("AppConfig.AllAtOnce", "quick1");
    assert_eq!(back(&quick), format!("{expected}, if deployment 5 is the newest"));
    assert_eq!(slow.at_once(), place(&[]));
}

#[test]
fn a_shift_waits_for_the_candidate_and_for_nobody_else() {
    check(
        &[old(4, 1), ours(5, 2, State::Deploying)],
        100,
        "coming: deployment 5 of version 2, DEPLOYING at 25%,",
    );
    check(&[old(4, 1), ours(5, 2, State::Complete)], 100, "there");
    check(
        &[old(4, 2), ours(5, 1, State::Deploying)],
        100,
        "blocked: deployment 5 of version 1, DEPLOYING at 25%, is under way there",
    );
}

#[test]
fn a_part_of_the_traffic_is_refused() {
    check(
        &[old(4, 1)],
        10,
        "blocked: it cannot serve 10% of the candidate: AppConfig grows a deployment by its own strategy, so a release \
         asks for all at once",
    );
}

#[test]
fn a_deployment_takes_what_it_has_grown_to_from_the_one_before() {
    let traffic = |listed: &[Listed]| seen(listed).traffic().map(|traffic| traffic.to_string());
    let served = |text: &str| Some(text.to_owned());
    assert_eq!(traffic(&[old(4, 1), ours(5, 2, State::Deploying)]), served("1 on 75%, 2 on 25%"));
    assert_eq!(traffic(&[old(4, 1), ours(5, 2, State::RollingBack)]), served("1 on 75%, 2 on 25%"));
    assert_eq!(traffic(&[old(4, 1), ours(5, 2, State::Validating)]), served("1 on 100%"));
    assert_eq!(traffic(&[old(4, 1), ours(5, 2, State::Baking)]), served("2 on 100%"));
    assert_eq!(traffic(&[ours(5, 2, State::RolledBack), old(4, 1)]), served("1 on 100%"), "in any order");
    assert_eq!(traffic(&[ours(5, 2, State::Deploying)]), served("2 on 100%"));
    assert_eq!(traffic(&[ours(5, 2, State::RolledBack)]), None);
    assert_eq!(Seen::of(vec![another(1, State::Complete)], true, false), None);
}
