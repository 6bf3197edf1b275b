//! What is refused before anything moves, and what the state machine is started with.

use clap::Parser;
use ripcord::names::Generation;
use ripcord::release::Phase;
use ripcord::situation::{Sighting, VersionFacts};

use super::*;
use crate::status::example::{self, at};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const NOW: &str = "2026-03-02T12:00:00.042Z";

fn args(words: &[&str]) -> Args {
    let words = ["deploy", "checkout", "--version", "2", "--as", "alice"].iter().chain(words);
    Line::parse_from(words).args
}

/// Version 1 serves alone, and nothing is being released.
fn quiet() -> ShiftSituation {
    let mut situation = example::shifting();
    situation.record.release = None;
    let api = "api".parse().expect("a name");
    let Some(Sighting::Alias(live)) = situation.live.get_mut(&api) else { unreachable!() };
    live.traffic = example::traffic("1:100");
    let facts = |number: u64| {
        let version = Version::new(number).expect("a version");
        let facts = VersionFacts {
            version,
            code_sha256: format!("sha-{number}"),
            state: Some("Active".to_owned()),
            role: None,
            dead_letter: None,
            timeout_seconds: 10,
        };
        (version, Some(facts))
    };
    ShiftSituation { situation, versions: [facts(1), facts(2)].into(), pin: None }
}

fn decided(words: &[&str], seen: &ShiftSituation) -> Result<Outline, Failure> {
    let request = request(&args(words))?;
    let shift = ShiftRequest {
        service: request.service.clone(),
        target: request.target.clone(),
        ask: Ask::Open { request: Box::new(request.clone()), execution: "arn:e1".to_owned() },
        requested_by: request.requested_by.clone(),
        override_reason: request.override_reason.clone(),
        at_once: false,
    };
    checked(&request, &shift, seen, at(NOW))
}

pub(super) fn outline() -> Outline {
    decided(&[], &quiet()).expect("nothing forbids it")
}

#[track_caller]
fn refuse(words: &[&str], seen: &ShiftSituation, kind: &str, message: &str) {
    let failure = decided(words, seen).expect_err("it is refused");
    assert_eq!((failure.kind.as_str(), failure.exit), (kind, ExitCode::Refused), "{}", failure.message);
    assert!(failure.message.contains(message), "{}", failure.message);
}

#[test]
fn a_plan_shows_stages_limits_and_approvals() {
    let words = ["--stages", "5,25", "--stage-duration", "2h", "--no-auto-promote"];
    let outline = decided(&words, &quiet()).expect("nothing forbids it");
    insta::assert_snapshot!(anstream::adapter::strip_str(&outline.to_string()).to_string());
}

#[test]
fn a_plan_follows_the_registration_and_names_what_is_waived() {
    let words = ["--waive", "alarms", "--waive", "freeze", "--override", "version 2 is the fix"];
    let outline = decided(&words, &quiet()).expect("nothing forbids it");
    insta::assert_snapshot!(anstream::adapter::strip_str(&outline.to_string()).to_string());
}

#[test]
fn bad_input_is_refused_by_field_value_and_rule() {
    let quiet = quiet();
    refuse(&["--strategy", "yolo"], &quiet, "RequestInvalid", "strategy is \"yolo\": one of canary, ");
    refuse(&["--stages", "5,x"], &quiet, "RequestInvalid", "stages[1] is \"x\": a percentage");
    refuse(
        &["--stage-duration", "90s"],
        &quiet,
        "RequestInvalid",
        "stage_duration is \"90s\": whole minutes",
    );
    refuse(
        &["--target", "worker"],
        &quiet,
        "RequestInvalid",
        "worker is not one of the service's targets: api",
    );
    refuse(
        &["--waive", "alarms"],
        &quiet,
        "waiver_unexplained",
        "waive is alarms: what is waived needs a reason",
    );
}

#[test]
fn what_the_shifter_would_refuse_is_refused_before_anything_moves() {
    let mut seen = quiet();
    let two = Version::new(2).expect("a version");
    seen.versions.insert(two, None);
    refuse(&[], &seen, "VersionUnusable", "version 2 of checkout does not exist");

    let mut seen = quiet();
    let api = "api".parse().expect("a name");
    let Some(Sighting::Alias(live)) = seen.situation.live.get_mut(&api) else { unreachable!() };
    live.traffic = example::traffic("2:100");
    refuse(&[], &seen, "RequestInvalid", "version is 2: the alias serves that version already");

    let mut seen = quiet();
    seen.situation.record.release = example::shifting().record.release;
    refuse(&[], &seen, "ReleaseConflict", "release 4 (1 to 2) is open");
}

#[test]
fn a_place_that_is_no_alias_is_refused_before_anything_is_asked() {
    let request = request(&args(&["--target", "web"])).expect("a request");
    // Nothing listens there: a call would fail as another kind.
    let config = ripcord::aws::Connection {
        region: "eu-west-1".to_owned(),
        credentials: ripcord::aws::Credentials::from_keys("test", "test", None),
        endpoints: ripcord::aws::Endpoints::One("http://127.0.0.1:1".to_owned()),
    };
    let names = ripcord::aws::SuiteNames { table: "ledger".to_owned(), topic_arn: String::new() };
    let aws = Aws::new(&config.sdk_config(), names);
    let situation = example::balanced("blue:90,green:10");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let checked = runtime.block_on(check(&request, situation, &aws, "arn:machine", at(NOW)));
    let failure = checked.expect_err("no alias");
    assert_eq!(failure.exit, ExitCode::Refused, "{failure:?}");
    assert!(failure.message.contains("web is not an alias of a function"), "{}", failure.message);
}

#[test]
fn a_version_in_quarantine_needs_a_waiver() {
    let mut seen = quiet();
    seen.situation.record.rollbacks[0].version = Version::new(2).expect("a version");
    refuse(&[], &seen, "VersionQuarantined", "version 2 is quarantined: release 3");
    assert!(decided(&["--waive", "quarantine", "--override", "mended"], &seen).is_ok());
}

#[test]
fn a_service_that_is_held_needs_a_waiver() {
    let mut seen = quiet();
    let mut release = example::shifting().record.release.expect("a release");
    (release.phase, release.generation) = (Phase::Held, Generation(4));
    seen.situation.record.release = Some(release);
    refuse(&[], &seen, "ServiceHeld", "release 4 is held");
    assert!(decided(&["--waive", "hold", "--override", "looked"], &seen).is_ok());
}

#[test]
fn what_a_service_asks_to_vouch_for_is_asked_for_first() {
    let mut seen = quiet();
    seen.situation.record.registration.preflight.attestations =
        vec!["tests".to_owned(), "image_scan".to_owned()];
    let missing = "checkout asks whoever releases to vouch for: ";
    refuse(&[], &seen, "attestations_missing", &format!("{missing}tests, image_scan"));
    refuse(
        &["--attest", "tests=https://ci.example/1"],
        &seen,
        "attestations_missing",
        &format!("{missing}image_scan"),
    );
    let both = ["--attest", "tests=https://ci.example/1?a=b", "--attest", "image_scan=report 7"];
    assert!(decided(&both, &seen).is_ok());
    assert!(decided(&["--waive", "attestations", "--override", "urgent"], &seen).is_ok());
}

#[test]
fn the_request_is_what_the_state_machine_hands_to_the_shifter() {
    let words =
        ["--strategy", "linear", "--attest", "tests=https://ci.example/1?a=b", "--approval-timeout", "4h"];
    let request = request(&args(&words)).expect("it is valid");
    let event = serde_json::json!({ "open": request, "execution": "arn:e1" });
    let read = ShiftRequest::read(&event).expect("the shifter reads it");
    assert_eq!(read.requested_by.as_deref(), Some("alice"));
    let Ask::Open { request: read, .. } = read.ask else { unreachable!("{read:?}") };
    assert_eq!(*read, request);
    assert_eq!(read.attestations["tests"], "https://ci.example/1?a=b");
    assert_eq!(read.progress.approval_timeout.as_deref(), Some("4h"));
}

#[test]
fn an_attestation_is_given_once_and_says_where() {
    for refused in ["tests", "tests=", "=there", " = "] {
        assert!(attestation(refused).is_err(), "{refused:?}");
    }
    let failure = request(&args(&["--attest", "tests=a", "--attest", "tests=b"])).expect_err("twice");
    assert_eq!((failure.kind.as_str(), failure.exit), ("usage", ExitCode::Usage));
    assert_eq!(failure.message, "attest is tests=b: an attestation is given once");
}

#[test]
fn every_check_that_can_be_waived_can_be_named() {
    for check in Waivable::EVERY {
        assert_eq!(waivable(check.as_str()), Ok(check));
    }
    let expected = "it must be one of alarms, freeze, traffic, barrier, attestations, quarantine, hold";
    assert_eq!(waivable("health"), Err(expected.to_owned()));
}

#[test]
fn an_execution_is_named_for_people_and_fits() {
    let name = |service: &str, version: u64| {
        let version = Version::new(version).expect("a version");
        execution_name(&service.parse().expect("a name"), version, at(NOW))
    };
    assert_eq!(name("checkout", 7), "checkout-v7-20260302T120000042Z");
    assert_eq!(name("shop.checkout", 7), "shop-checkout-v7-20260302T120000042Z");
    // The rest takes 26 characters with a version of four digits.
    for (length, expected) in [(53, 79), (54, 80), (55, 80), (64, 80)] {
        let name = name(&"s".repeat(length), 1234);
        assert_eq!(name.len(), expected, "{name}");
        assert!(name.ends_with("-v1234-20260302T120000042Z"), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{name}");
    }
}
