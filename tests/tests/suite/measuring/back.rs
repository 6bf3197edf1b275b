//! Looking back at a release: the minutes are those that the judge was shown, and what the candidate answered counts all of them.

use jiff::SignedDuration;
use ripcord::judge::Tally;
use ripcord::measure::{LookBack, Served};

use super::*;

/// A release that had a tenth of the traffic from 10:00:00 on, looked back at in the evening; `traffic_at` as the record has it.
fn case(begun: &[&str]) -> Case {
    let mut case = Case::of(&[10.0, 100.0], begun, "18:00:00");
    case.record.release.as_mut().unwrap().traffic_at = Some(at("10:00:00"));
    case
}

fn back<'record>(case: &'record Case, ended: &str) -> LookBack<'record> {
    LookBack::new(case.subject(), Some(at(ended)), case.now, case.tempo)
}

fn looked(
    case: &Case,
    ended: &str,
    metrics: impl Fn(&MetricSource, Timestamp) -> Option<f64>,
) -> (String, Option<Served>) {
    let back = back(case, ended);
    let answers = Ok(answered(back.question().expect("a question"), case.tempo, &metrics));
    (lines(&back.observations(&answers).minutes), back.served(&answers))
}

fn served(bad: u64, requests: u64, minutes: u64) -> Option<Served> {
    Some(Served { candidate: Tally { bad, requests }, minutes })
}

#[test]
fn every_minute_counts_as_served_and_only_whole_ones_as_judged() {
    let case = case(&["10:00:00"]);
    let steady =
        |source: &MetricSource, start| (start < at("10:03:00")).then(|| steady(source, start)).flatten();
    let (minutes, all) = looked(&case, "10:02:40", steady);
    assert_eq!(minutes, "10:01 0 at 10%: 100/1/0/0 against 900/9/0/0");
    assert_eq!(all, served(3, 300, 3));
}

#[test]
fn a_release_that_went_back_at_once_has_been_served_all_the_same() {
    let case = case(&["10:00:00"]);
    let (minutes, all) = looked(&case, "10:00:20", |source, start| {
        (start == at("10:00:00")).then(|| steady(source, start)).flatten()
    });
    assert_eq!(minutes, "", "no minute of it is whole");
    assert_eq!(all, served(1, 100, 1));
}

#[test]
fn with_all_traffic_the_aliass_requests_are_the_candidates_and_before_they_are_not() {
    let case = case(&["10:00:00", "10:02:00"]);
    let (_, all) =
        looked(&case, "10:04:30", |source, start| match source.dimensions.contains_key("ExecutedVersion") {
            true => (start < at("10:02:00")).then(|| steady(source, start)).flatten(),
            false => {
                (start >= at("10:02:00") && start < at("10:04:00")).then(|| steady(source, start)).flatten()
            }
        });
    // Two minutes of a tenth, and of the two with all traffic the one that is whole.
    let whole = all.unwrap();
    assert_eq!(whole.minutes, 3, "{whole:?}");
}

#[test]
fn what_cloudwatch_keeps_no_more_is_not_asked_for() {
    let mut case = case(&["10:00:00"]);
    let kept = SignedDuration::from_hours(15 * 24 - 1);
    case.now = at("10:00:00") + kept;
    assert!(back(&case, "10:05:00").question().is_some(), "at the limit");
    case.now += SignedDuration::from_secs(1);
    assert!(back(&case, "10:05:00").question().is_none(), "just past it");
}

#[test]
fn a_release_that_never_had_traffic_has_nothing_to_look_back_at() {
    let mut case = Case::of(&[10.0, 100.0], &[], "18:00:00");
    case.record.release.as_mut().unwrap().traffic_at = None;
    assert!(back(&case, "10:05:00").question().is_none());
}
