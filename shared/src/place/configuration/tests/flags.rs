//! The flags that go off on every way back.

use super::super::flags_off;
use super::*;

const ON: &str = r#"{"version":"1","flags":{"fast":{"name":"Fast"}},"values":{"fast":{"enabled":true}}}"#;
const OFF: &str = r#"{"version":"1","flags":{"fast":{"name":"Fast"}},"values":{"fast":{"enabled":false}}}"#;
/// Another has deleted the flag.
const NONE: &str = r#"{"version":"1","flags":{},"values":{}}"#;

fn with(seen: Seen, newest: (u32, Option<&str>), sheets: &[(u64, &str)]) -> Seen {
    let sheets = sheets.iter().map(|(number, text)| Sheet {
        version: version(*number),
        content: Content::Text { content_type: "application/json".to_owned(), text: (*text).to_owned() },
    });
    let newest = Ok(Hosted { number: newest.0, label: newest.1.map(str::to_owned) });
    Seen { flags: Some(Flags { are_feature_flags: true, newest, sheets: sheets.collect() }), ..seen }
}

#[track_caller]
fn check(listed: &[Listed], newest: (u32, Option<&str>), sheets: &[(u64, &str)], expected: &str) {
    let seen = with(seen(listed), newest, sheets);
    assert_eq!(told(&flags_off(&place(&["fast"]), &seen)), expected);
}

const STOP_5: &str =
    "appconfig:StopDeployment 5 of app1/prod1, which takes version 2 of flags1 back (it is DEPLOYING)";

#[test]
fn flags_that_are_off_stay_as_they_are() {
    check(&[old(4, 1)], (1, None), &[(1, OFF)], "there");
    check(&[old(4, 1), ours(5, 2, State::RolledBack)], (2, None), &[(1, OFF), (2, ON)], "there");
    check(&[old(4, 1), ours(5, 2, State::Deploying)], (2, None), &[(1, OFF), (2, OFF)], "there");
    check(&[old(4, 1), ours(5, 2, State::Deploying)], (2, None), &[(1, OFF), (2, NONE)], "there");
    assert_eq!(flags_off(&place(&[]), &seen(&[old(4, 1)])), Way::There, "no flags are to be switched off");
}

#[test]
fn what_would_turn_a_flag_on_is_stopped() {
    for served in [ON, OFF] {
        check(&[old(4, 1), ours(5, 2, State::Deploying)], (2, None), &[(1, served), (2, ON)], STOP_5);
    }
}

#[test]
fn what_turns_the_flags_off_is_waited_for() {
    check(
        &[old(4, 1), ours(5, 2, State::Deploying)],
        (2, None),
        &[(1, ON), (2, OFF)],
        "coming: deployment 5 of version 2, DEPLOYING at 25%,",
    );
    check(&[old(4, 1), ours(5, 2, State::Baking)], (2, None), &[(1, ON), (2, OFF)], "there");
}

#[test]
fn somebodys_way_back_is_not_stopped_for_a_flag() {
    check(
        &[old(3, 2), old(4, 1), ours(5, 2, State::Deploying)],
        (2, None),
        &[(1, ON), (2, ON)],
        "coming: deployment 5 of version 2, DEPLOYING at 25%,",
    );
    check(
        &[old(4, 3), ours(5, 2, State::Deploying)],
        (3, None),
        &[(3, ON), (2, ON)],
        "coming: deployment 5 of version 2, DEPLOYING at 25%,",
    );
    check(
        &[ours(3, 2, State::RolledBack), old(4, 1), ours(5, 2, State::Deploying)],
        (2, None),
        &[(1, ON), (2, ON)],
        STOP_5,
    );
}

const CREATE: &str = "appconfig:CreateHostedConfigurationVersion";

#[test]
fn a_copy_of_what_is_served_is_stored_with_the_flags_off() {
    let seen = with(seen(&[old(4, 1)]), (2, None), &[(1, ON), (2, OFF)]);
    let Way::Call { call: PlaceCall::Configuration(call), is_claimed: false } =
        flags_off(&place(&["fast"]), &seen)
    else {
        panic!("a call that needs no claim");
    };
    assert_eq!(
        call,
        Call::SwitchOff {
            place: place(&["fast"]),
            from: version(1),
            content: OFF.to_owned(),
            content_type: "application/json".to_owned(),
            label: "ripcord-off-from-1-2".to_owned(),
            after: 2,
        },
        "the newest version, which is a draft of somebody's, is left alone"
    );
    assert_eq!(
        call.to_string(),
        format!(
            "{CREATE} ripcord-off-from-1-2 of app1/flags1, which is version 1 without fast, if version 2 is the newest"
        )
    );
}

#[test]
fn the_copy_that_was_stored_is_deployed() {
    check(
        &[old(4, 1), another(7, State::Complete)],
        (3, Some("ripcord-off-from-1-2")),
        &[(1, ON), (3, OFF)],
        "appconfig:StartDeployment of version 3 of flags1 in app1/prod1 by AppConfig.AllAtOnce, if deployment 7 is the newest",
    );
}

#[test]
fn a_copy_of_something_else_or_with_a_flag_on_is_not_deployed() {
    let copy = |after: u32| {
        format!(
            "{CREATE} ripcord-off-from-1-{after} of app1/flags1, which is version 1 without fast, if version {after} is the newest"
        )
    };
    check(&[old(4, 1)], (3, Some("ripcord-off-from-2-2")), &[(1, ON), (3, OFF)], &copy(3));
    check(&[old(4, 1)], (3, Some("ripcord-off-from-1-2")), &[(1, ON), (3, ON)], &copy(3));
}

#[test]
fn a_copy_that_appconfig_has_rolled_back_is_not_tried_again() {
    check(
        &[old(4, 1), ours(5, 3, State::RolledBack)],
        (3, Some("ripcord-off-from-1-2")),
        &[(1, ON), (3, OFF)],
        "blocked: it is deployment 5 of version 3, ROLLED_BACK at 100%,: AppConfig has rolled back what was to go back, \
         as it does when an alarm fires that the environment watches",
    );
}

#[test]
fn what_stands_in_the_way_of_a_flag_is_named() {
    check(&[old(4, 1)], (1, None), &[(1, NONE)], "blocked: version 1 has no flag fast");
    let unreadable = "blocked: it is version 1: its flags cannot be told:";
    check(&[old(4, 1)], (1, None), &[(1, "[]")], &format!("{unreadable} it is no JSON object"));
    check(&[old(4, 1)], (1, None), &[], &format!("{unreadable} it was not read"));
    check(
        &[old(4, 1), another(6, State::Baking)],
        (1, None),
        &[(1, ON)],
        "blocked: deployment 6 of another configuration, limits, which is BAKING, is under way there",
    );
    let mut seen = with(seen(&[old(4, 1)]), (1, None), &[(1, ON)]);
    if let Some(flags) = &mut seen.flags {
        flags.newest = Err("it may not be listed".to_owned());
    }
    assert_eq!(told(&flags_off(&place(&["fast"]), &seen)), format!("{unreadable} it may not be listed"));
}

#[test]
fn the_stable_version_with_its_flags_off_is_what_went_back() {
    let Listed::Ours(deployment) = ours(6, 3, State::Baking) else { panic!("one of ours") };
    let copy = |from: u64| {
        let label = Some(format!("ripcord-off-from-{from}-2"));
        Listed::Ours(Deployment { label, ..deployment.clone() })
    };
    let back =
        |from: u64| told(&way(&place(&["fast"]), &seen(&[old(3, 1), old(4, 2), copy(from)]), &wanted(0)));
    assert_eq!(back(1), "there");
    assert_eq!(
        back(2),
        "appconfig:StopDeployment 6 of app1/prod1, which takes version 3 of flags1 back (it is BAKING)"
    );
    let forward = told(&way(&place(&["fast"]), &seen(&[old(3, 1), copy(2)]), &wanted(100)));
    assert_eq!(forward, "blocked: deployment 6 of version 3, BAKING at 100%, is under way there");
}
