//! The alias and its versions.

use ripcord::pipeline::Waivable;
use ripcord::preflight::{Outcome, VersionState};
use ripcord::situation::Sighting;

use super::{Case, check, check_waivable, unseen, version};
use crate::worlds::{at, barrier, past_rollback, seconds, traffic};

const QUARANTINED: &str = "version 2 is quarantined: release 4 with the same version or code was rolled back at \
                           2026-02-23T10:00:11Z (alarm errors fired)";

#[test]
fn the_alias_serves_what_the_release_was_opened_on() {
    check(
        |case| case.serve("1:90,2:10"),
        "alias",
        Outcome::Failed,
        "checkout-api:live serves 1 on 90%, 2 on 10%, but the release was opened on 1 on 100%: somebody else moved it",
    );
    check(
        |case| case.facts.live = Sighting::Missing,
        "alias",
        Outcome::Failed,
        "checkout-api:live does not exist",
    );
    check(
        |case| case.facts.live = Sighting::Unseen { why: "AccessDenied".to_owned() },
        "alias",
        Outcome::Failed,
        "checkout-api:live could not be seen: AccessDenied",
    );
}

fn candidate(alter: impl FnOnce(&mut VersionState)) -> impl FnOnce(&mut Case) {
    let mut state = version(2);
    alter(&mut state);
    move |case| case.facts.candidate = Ok(Some(state))
}

#[test]
fn a_version_is_active_and_its_snapshot_ready() {
    let state = |state: &str| {
        let state = state.to_owned();
        candidate(move |version| version.facts.state = Some(state))
    };
    let one = "version 1 is Active";
    check(state("Active"), "version", Outcome::Passed, &format!("version 2 is Active; {one}"));
    check(
        state("Pending"),
        "version",
        Outcome::Failed,
        &format!("version 2 of checkout-api is Pending, not Active; {one}"),
    );
    let snapshot = |status: &str| {
        let status = status.to_owned();
        candidate(move |version| version.snapshot = Some(status))
    };
    check(
        snapshot("On"),
        "version",
        Outcome::Passed,
        &format!("version 2 is Active, its snapshot On; {one}"),
    );
    check(
        snapshot("Off"),
        "version",
        Outcome::Failed,
        &format!("version 2 is Active, but its SnapStart snapshot is Off, not On; {one}"),
    );
}

#[test]
fn a_release_needs_a_version_to_go_to_and_one_to_go_back_to() {
    let role = "the roles of versions 1 and 2 could not be compared: not both were seen";
    let mut case = Case::well();
    case.facts.stable = Ok(None);
    let checks = case.before("10:00:10");
    assert_eq!(
        super::found(&checks, "version").detail,
        "version 1 of checkout-api does not exist; version 2 is Active"
    );
    assert_eq!(super::found(&checks, "role").detail, role);
    check(|case| case.facts.candidate = unseen(), "role", Outcome::Failed, role);
    check(
        |case| case.facts.candidate = unseen(),
        "version",
        Outcome::Failed,
        "version 2 could not be seen: AccessDenied; version 1 is Active",
    );
}

#[test]
fn versions_that_one_alias_cannot_serve_are_told_apart() {
    check(
        candidate(|version| version.facts.role = Some("other".to_owned())),
        "role",
        Outcome::Failed,
        "versions 1 and 2 have different roles: an alias cannot route to both",
    );
    check(
        candidate(|version| version.facts.dead_letter = Some("queue".to_owned())),
        "role",
        Outcome::Failed,
        "versions 1 and 2 have different dead-letter targets: an alias cannot route to both",
    );
}

#[test]
fn a_rolled_back_version_is_in_quarantine_until_the_hour() {
    // A week and a second before the moment of the check, less what the quarantine lasts.
    let rolled_back = |seconds_ago: i64, number: u64| {
        move |case: &mut Case| {
            let at = at("10:00:10") - seconds(seconds_ago);
            case.record.rollbacks = vec![past_rollback(4, number, at)];
        }
    };
    let week = 7 * 24 * 3600;
    check_waivable(Waivable::Quarantine, rolled_back(week - 1, 2), "quarantine", QUARANTINED);
    let passed = "neither version 2 nor its code was rolled back in the last 168 h";
    check(rolled_back(week, 2), "quarantine", Outcome::Passed, passed);
    check(rolled_back(1, 3), "quarantine", Outcome::Passed, passed);
    let same_code = |case: &mut Case| {
        rolled_back(week - 1, 3)(case);
        case.record.rollbacks[0].artefact = Some("sha-2".to_owned());
    };
    check_waivable(Waivable::Quarantine, same_code, "quarantine", QUARANTINED);
}

#[test]
fn code_that_could_not_be_seen_is_known_from_the_opening_or_not_at_all() {
    let mut case = Case::well();
    case.facts.candidate = unseen();
    assert_eq!(super::found(&case.before("10:00:10"), "quarantine").outcome, Outcome::Passed);
    case.record.release.as_mut().unwrap().changes[0].artefact = None;
    assert_eq!(
        super::found(&case.before("10:00:10"), "quarantine").detail,
        "the code of version 2 could not be seen"
    );
}

#[test]
fn a_barrier_lies_in_the_way_back_from_its_version_on() {
    let since = |version| move |case: &mut Case| case.record.registration.barriers = vec![barrier(version)];
    let crossed = "traffic cannot go back from version 2 to 1: version 2 came with a migration (orders moved to the new table)";
    check_waivable(Waivable::Barrier, since(2), "barrier", crossed);
    for beside in [1, 3] {
        check(since(beside), "barrier", Outcome::Passed, "no barrier lies between versions 2 and 1");
    }
}

#[test]
fn a_rollback_target_that_is_not_pinned_is_noted() {
    let pinned_to = |weights: &'static str| {
        move |case: &mut Case| {
            let Sighting::Alias(pin) = &mut case.facts.pin else { panic!("the pin is seen") };
            pin.traffic = traffic(weights);
        }
    };
    check(pinned_to("1:100"), "pin", Outcome::Passed, "version 1 is pinned by live-last-known-good");
    check(
        pinned_to("3:100"),
        "pin",
        Outcome::Noted,
        "version 1 is not pinned: live-last-known-good names 3 on 100%",
    );
    check(
        |case| case.facts.pin = Sighting::Missing,
        "pin",
        Outcome::Noted,
        "version 1 is not pinned: no alias keeps it, so it can be deleted",
    );
    check(
        |case| case.facts.pin = Sighting::Unseen { why: "AccessDenied".to_owned() },
        "pin",
        Outcome::Noted,
        "version 1 is not pinned: its alias could not be seen: AccessDenied",
    );
}

#[test]
fn provisioned_concurrency_is_noted_with_what_it_means_for_a_rollback() {
    check(
        |case| case.facts.provisioned = vec![("live".to_owned(), Ok(Some(5))), ("2".to_owned(), Ok(Some(3)))],
        "provisioned_concurrency",
        Outcome::Noted,
        "checkout-api:live has 5 provisioned executions: they cannot be changed while its traffic is split, and version 1 \
         loses them once another one is primary, so a rollback may land cold; checkout-api:2 has 3 provisioned executions \
         of its own, which stay whatever is served",
    );
    check(
        |case| case.facts.provisioned = vec![("live".to_owned(), unseen()), ("2".to_owned(), Ok(None))],
        "provisioned_concurrency",
        Outcome::Noted,
        "the provisioned concurrency of checkout-api:live could not be seen: AccessDenied",
    );
}
