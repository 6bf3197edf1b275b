//! What is missing, partial or forbidden is never taken for good, and never for bad either.

use ripcord::error_type::ErrorType;

use super::*;

fn case() -> Case {
    let mut case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:04:00");
    case.limit_latency(0, 200);
    case
}

/// What is unmeasured, a line each.
fn unmeasured(measured: &Measured) -> String {
    let gaps = measured.observations.unmeasured.iter();
    gaps.map(|gap| format!("{}: {}", gap.what, gap.why)).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(metrics: impl Fn(&MetricSource, Timestamp) -> Option<f64>, expect: &str, expect_unmeasured: &str) {
    let case = case();
    let measured = case.measured(&case.sights(metrics));
    assert_eq!(lines(&measured.observations.minutes), expect);
    assert_eq!(unmeasured(&measured), expect_unmeasured);
    assert_eq!(measured.until.is_some(), expect_unmeasured.is_empty());
}

#[test]
fn a_minute_without_requests_has_none() {
    check(
        |_, _| None,
        "10:01 0 at 10%: 0/0/0/0 against 0/0/0/0\n10:02 0 at 10%: 0/0/0/0 against 0/0/0/0",
        "",
    );
    // Lambda publishes nothing for it, but a zero would say the same.
    check(
        |source, _| (source.name == "Invocations").then_some(0.0),
        "10:01 0 at 10%: 0/0/0/0 against 0/0/0/0\n10:02 0 at 10%: 0/0/0/0 against 0/0/0/0",
        "",
    );
}

#[test]
fn a_minute_of_which_half_is_there_is_left_out() {
    let second = |source: &MetricSource, start: Timestamp, name: &str, version: &str| {
        let is_meant = source.name == name && source.dimensions["ExecutedVersion"] == version;
        start == at("10:02:00") && is_meant
    };
    let first = "10:01 0 at 10%: 100/1/100/5 against 900/9/900/5";
    for (name, version) in
        [("Invocations", "2"), ("Errors", "2"), ("Duration", "2"), ("Errors", "1"), ("Invocations", "1")]
    {
        check(
            |source, start| steady(source, start).filter(|_| !second(source, start, name, version)),
            first,
            "",
        );
    }
}

#[test]
fn a_value_that_is_no_count_is_as_good_as_none() {
    for odd in [-1.0, 1e16] {
        let metrics = |source: &MetricSource, start: Timestamp| {
            let is_odd = source.name == "Errors" && start == at("10:02:00");
            if is_odd { Some(odd) } else { steady(source, start) }
        };
        check(metrics, "10:01 0 at 10%: 100/1/100/5 against 900/9/900/5", "");
    }
}

#[test]
fn a_stage_none_of_whose_minutes_is_whole_is_not_measured() {
    let why = "requests of stage 1: in none of 2 minutes does CloudWatch have the errors and durations of the requests";
    check(without(&["Errors"]), "", why);
    check(without(&["Duration"]), "", why);
    check(without(&["Invocations"]), "", why);
}

#[test]
fn durations_matter_only_where_they_are_limited() {
    let case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:03:00");
    let measured = case.measured(&case.sights(without(&["Duration"])));
    assert_eq!(lines(&measured.observations.minutes), "10:01 0 at 10%: 100/1/0/0 against 900/9/0/0");
}

#[test]
fn requests_none_of_which_were_in_time_are_all_slow() {
    let late =
        |source: &MetricSource, start| steady(source, start).filter(|_| !source.stat.starts_with("TC"));
    let all = "10:01 0 at 10%: 100/1/100/100 against 900/9/900/900\n10:02 0 at 10%: 100/1/100/100 against 900/9/900/900";
    check(late, all, "");
}

/// One series is not answered completely.
#[track_caller]
fn check_series(id: &str, why: &str, expect: &str, expect_unmeasured: &str) {
    let case = case();
    let mut sights = case.sights(steady);
    let known = sights.counts.as_mut().unwrap().insert(id.to_owned(), Err(why.to_owned()));
    assert!(known.is_some(), "{id} is not asked for");
    let measured = case.measured(&sights);
    assert_eq!(lines(&measured.observations.minutes), expect);
    assert_eq!(unmeasured(&measured), expect_unmeasured);
    assert_eq!(measured.until, None);
    assert_eq!(measured.judged().verdict, Verdict::Error);
}

#[test]
fn a_series_that_is_not_complete_passes_nothing_and_hides_no_errors() {
    check_series("candidate_requests", "PartialData", "", "requests of version 2: PartialData");
    check_series("candidate_errors", "Forbidden", "", "errors of version 2: Forbidden");
    // What is known of the candidate can still fail it.
    let alone = "10:01 0 at 10%: 100/1/100/5\n10:02 0 at 10%: 100/1/100/5";
    check_series("stable_requests", "InternalError", alone, "requests of version 1: InternalError");
    let untimed =
        "10:01 0 at 10%: 100/1/0/0 against 900/9/900/5\n10:02 0 at 10%: 100/1/0/0 against 900/9/900/5";
    check_series("candidate_timed", "PartialData", untimed, "durations of version 2: PartialData");
    check_series(
        "candidate_within_200_ms",
        "PartialData",
        untimed,
        "requests within 200 ms of version 2: PartialData",
    );
}

#[test]
fn a_series_that_was_not_answered_at_all_is_not_measured() {
    let case = case();
    let mut sights = case.sights(steady);
    sights.counts.as_mut().unwrap().remove("candidate_errors").unwrap().unwrap();
    let measured = case.measured(&sights);
    assert_eq!(unmeasured(&measured), "errors of version 2: CloudWatch did not answer that");
    assert_eq!(lines(&measured.observations.minutes), "");
}

#[test]
fn a_call_that_fails_is_one_gap_and_not_one_for_each_of_its_queries() {
    let case = case();
    let sights = Sights { counts: Err("throttled".to_owned()), ..case.sights(steady) };
    let measured = case.measured(&sights);
    assert_eq!(measured.observations.unmeasured.len(), 1);
    assert!(
        unmeasured(&measured).ends_with("requests within 200 ms of version 1: throttled"),
        "{}",
        unmeasured(&measured)
    );
    assert_eq!((measured.until, measured.judged().verdict), (None, Verdict::Error));
}

#[test]
fn what_is_measured_is_measured_up_to_the_last_minute_that_has_settled() {
    let measured = |now: &str| {
        let case = Case::of(&[10.0, 100.0], &["10:00:00"], now);
        case.measured(&case.sights(|_, _| None)).until
    };
    assert_eq!(measured("10:04:00"), Some(at("10:03:00")));
    assert_eq!(measured("10:03:59.999"), Some(at("10:02:00")));
}

#[test]
fn a_moved_alias_ends_the_look() {
    let case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:04:00");
    let live = |traffic: Traffic| {
        let mut sights = case.sights(steady);
        if let Sighting::Alias(live) = &mut sights.live {
            live.traffic = traffic;
        }
        sights
    };
    let drifted = refused(&case, &live(crate::worlds::traffic("1:80,2:20")));
    assert_eq!(drifted.error_type(), ErrorType::AliasDrifted);
    assert_eq!(
        drifted.to_string(),
        "the alias serves 1 on 80%, 2 on 20%, but the ledger confirmed 1 on 90%, 2 on 10%: somebody else moved it, \
         perhaps a rollback"
    );
    let gone = Sights { live: Sighting::Missing, ..case.sights(steady) };
    assert_eq!(refused(&case, &gone).error_type(), ErrorType::AliasMissing);
    let unseen = Sights { live: Sighting::Unseen { why: "throttled".to_owned() }, ..case.sights(steady) };
    let measured = case.measured(&unseen);
    assert_eq!(unmeasured(&measured), "the alias checkout-api:live: throttled");
    assert_eq!(measured.judged().verdict, Verdict::Error);
}
