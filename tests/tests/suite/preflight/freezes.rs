//! Freezes, by the clocks of two places; and what people must vouch for.

use jiff::Timestamp;
use ripcord::pipeline::Waivable;
use ripcord::preflight::{Outcome, decide_preflight};
use ripcord::registration::Freeze;

use super::{Case, check, check_waivable, found};

fn freeze(zone: &str, from: &str, to: &str, days: &[&str]) -> Freeze {
    Freeze {
        reason: "peak season".to_owned(),
        time_zone: zone.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        days: days.iter().map(|day| (*day).to_owned()).collect(),
    }
}

/// Until when a release is frozen at a moment of UTC; nothing if it is not.
#[track_caller]
fn frozen(freeze: &Freeze, moments: &[(&str, Option<&str>)]) {
    let mut case = Case::well();
    case.record.registration.freezes = vec![freeze.clone()];
    for (moment, until) in moments {
        let now: Timestamp = moment.parse().unwrap();
        let conclusion = case.with_subject(|subject| decide_preflight(subject, &case.facts, now));
        let freeze = found(&conclusion, "freeze");
        match until {
            Some(until) => {
                assert_eq!(freeze.outcome, Outcome::Failed, "{moment}: {}", freeze.detail);
                assert!(
                    freeze.detail.starts_with(&format!("frozen until {until} in ")),
                    "{moment}: {}",
                    freeze.detail
                );
            }
            None => assert_eq!(freeze.detail, "none of 1 freezes holds", "{moment}"),
        }
    }
}

const WORKDAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday"];

#[test]
fn a_freeze_holds_from_its_first_moment_and_not_at_its_last() {
    let until = Some("2026-12-27T08:00");
    frozen(
        &freeze("Europe/Berlin", "2026-12-19T18:00", "2026-12-27T08:00", &[]),
        &[
            ("2026-12-19T16:59:59.999Z", None),
            ("2026-12-19T17:00:00Z", until),
            ("2026-12-27T06:59:59.999Z", until),
            ("2026-12-27T07:00:00Z", None),
        ],
    );
}

#[test]
fn a_freeze_says_why_and_for_how_long_and_can_be_waived() {
    let now_frozen = |case: &mut Case| {
        case.record.registration.freezes = vec![
            freeze("UTC", "2026-01-01T00:00", "2026-01-02T00:00", &[]),
            freeze("America/New_York", "2026-03-01T00:00", "2026-03-03T05:00", &[]),
        ];
    };
    check_waivable(
        Waivable::Freeze,
        now_frozen,
        "freeze",
        "frozen until 2026-03-03T05:00 in America/New_York, for 23 h 59 min more: peak season",
    );
}

#[test]
fn a_freeze_by_dates_keeps_to_the_clock_when_that_is_put_forward_and_back() {
    // Berlin goes from winter to summer time within it: its end is an hour earlier in UTC than its beginning.
    frozen(
        &freeze("Europe/Berlin", "2026-03-28T12:00", "2026-03-29T12:00", &[]),
        &[
            ("2026-03-28T10:59:59Z", None),
            ("2026-03-28T11:00:00Z", Some("2026-03-29T12:00")),
            ("2026-03-29T09:59:59Z", Some("2026-03-29T12:00")),
            ("2026-03-29T10:00:00Z", None),
        ],
    );
    // New York goes back to winter time.
    frozen(
        &freeze("America/New_York", "2026-10-31T12:00", "2026-11-01T12:00", &[]),
        &[
            ("2026-10-31T15:59:59Z", None),
            ("2026-10-31T16:00:00Z", Some("2026-11-01T12:00")),
            ("2026-11-01T16:59:59Z", Some("2026-11-01T12:00")),
            ("2026-11-01T17:00:00Z", None),
        ],
    );
}

#[test]
fn a_time_that_the_clock_leaves_out_is_as_much_later() {
    // 02:30 does not exist in Berlin on that day; 03:30 in summer time is meant.
    frozen(
        &freeze("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T06:00", &[]),
        &[("2026-03-29T01:29:59Z", None), ("2026-03-29T01:30:00Z", Some("2026-03-29T06:00"))],
    );
}

#[test]
fn a_time_that_the_clock_shows_twice_is_the_first_one() {
    // 02:30 comes at 00:30 and at 01:30 of UTC.
    frozen(
        &freeze("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T06:00", &[]),
        &[("2026-10-25T00:29:59Z", None), ("2026-10-25T00:30:00Z", Some("2026-10-25T06:00"))],
    );
    frozen(
        &freeze("Europe/Berlin", "2026-10-24T12:00", "2026-10-25T02:30", &[]),
        &[("2026-10-25T00:29:59Z", Some("2026-10-25T02:30")), ("2026-10-25T00:30:00Z", None)],
    );
}

#[test]
fn a_weekly_freeze_is_of_the_days_of_its_own_place() {
    // Friday afternoon in New York, up to midnight there, which is Saturday in UTC.
    frozen(
        &freeze("America/New_York", "16:00", "24:00", &["friday"]),
        &[
            ("2026-03-06T20:59:59Z", None),
            ("2026-03-06T21:00:00Z", Some("2026-03-07T00:00")),
            ("2026-03-07T04:59:59.999Z", Some("2026-03-07T00:00")),
            ("2026-03-07T05:00:00Z", None),
            // Friday already in Berlin, not yet in New York.
            ("2026-03-06T04:59:00Z", None),
        ],
    );
    frozen(
        &freeze("Europe/Berlin", "00:00", "09:00", WORKDAYS),
        &[
            // Sunday in UTC, and Monday in Berlin.
            ("2026-03-01T22:59:59Z", None),
            ("2026-03-01T23:00:00Z", Some("2026-03-02T09:00")),
            ("2026-03-02T07:59:59Z", Some("2026-03-02T09:00")),
            ("2026-03-02T08:00:00Z", None),
            // Friday night belongs to Saturday.
            ("2026-03-06T23:00:00Z", None),
        ],
    );
}

#[test]
fn a_night_is_two_freezes_without_a_gap() {
    let mut case = Case::well();
    case.record.registration.freezes = vec![
        freeze("Europe/Berlin", "22:00", "24:00", &["friday"]),
        freeze("Europe/Berlin", "00:00", "06:00", &["saturday"]),
    ];
    for (moment, is_frozen) in [
        ("2026-03-06T20:59:59Z", false),
        ("2026-03-06T21:00:00Z", true),
        ("2026-03-06T22:59:59.999Z", true),
        ("2026-03-06T23:00:00Z", true),
        ("2026-03-07T04:59:59Z", true),
        ("2026-03-07T05:00:00Z", false),
    ] {
        let now: Timestamp = moment.parse().unwrap();
        let conclusion = case.with_subject(|subject| decide_preflight(subject, &case.facts, now));
        assert_eq!(found(&conclusion, "freeze").outcome == Outcome::Failed, is_frozen, "{moment}");
    }
}

#[test]
fn a_weekly_freeze_keeps_to_the_clock_on_the_days_on_which_that_changes() {
    let sunday = freeze("Europe/Berlin", "02:30", "04:00", &["sunday"]);
    frozen(
        &sunday,
        &[
            // Put forward from 02:00 to 03:00 at 01:00 of UTC: 02:30 is left out, 03:30 meant.
            ("2026-03-29T01:29:59Z", None),
            ("2026-03-29T01:30:00Z", Some("2026-03-29T04:00")),
            ("2026-03-29T02:00:00Z", None),
            // Put back from 03:00 to 02:00 at 01:00 of UTC: from the first 02:30 to the only 04:00.
            ("2026-10-25T00:29:59Z", None),
            ("2026-10-25T00:30:00Z", Some("2026-10-25T04:00")),
            ("2026-10-25T02:59:59Z", Some("2026-10-25T04:00")),
            ("2026-10-25T03:00:00Z", None),
        ],
    );
}

#[test]
fn a_freeze_that_cannot_be_read_is_taken_to_hold() {
    check_waivable(
        Waivable::Freeze,
        |case| case.record.registration.freezes = vec![freeze("Mars/Olympus", "16:00", "24:00", &["friday"])],
        "freeze",
        "freezes[0].time_zone is \"Mars/Olympus\": a time zone of the IANA database, such as Europe/Berlin or UTC",
    );
}

#[test]
fn what_must_be_vouched_for_is_or_the_release_does_not_begin() {
    let demand = |vouched: &'static [(&'static str, &'static str)]| {
        move |case: &mut Case| {
            case.record.registration.preflight.attestations =
                vec!["tests".to_owned(), "image_scan".to_owned()];
            case.run().attestations =
                vouched.iter().map(|(name, seen)| ((*name).to_owned(), (*seen).to_owned())).collect();
        }
    };
    check(
        demand(&[("tests", "https://ci/1"), ("image_scan", "clean"), ("more", "")]),
        "attestations",
        Outcome::Passed,
        "vouched for: tests (https://ci/1), image_scan (clean)",
    );
    check_waivable(
        Waivable::Attestations,
        demand(&[("tests", "https://ci/1"), ("image_scan", "  ")]),
        "attestations",
        "nobody vouches for 1 of 2: image_scan",
    );
    check_waivable(
        Waivable::Attestations,
        demand(&[]),
        "attestations",
        "nobody vouches for 2 of 2: tests, image_scan",
    );
}
