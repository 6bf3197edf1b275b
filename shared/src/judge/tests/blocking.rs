use super::*;

#[track_caller]
fn check(observations: &Observations, verdict: Verdict, first_reason: &str) {
    let judgement = judge(observations);
    let sentences = sentences(&judgement);
    assert_eq!(judgement.verdict, verdict, "{sentences:?}");
    assert!(sentences[0].contains(first_reason), "{sentences:?}");
}

#[test]
fn clean_requests_pass_from_the_number_on_that_proves_the_limit() {
    let clean = |requests| observed(vec![minute(0, 0, requests, 0)]);
    check(&clean(329), Verdict::Pass, "prove the limit 1.0%");
    check(&clean(328), Verdict::Inconclusive, "yet: 1 more request is needed");
    check(&clean(298), Verdict::Inconclusive, "31 more requests are needed");
}

#[test]
fn nothing_seen_is_no_pass() {
    let nothing = observed(Vec::new());
    check(&nothing, Verdict::Inconclusive, "errors in no requests");
    assert_eq!(judge(&nothing).score, None);
    check(&observed(vec![minute(0, 0, 0, 0)]), Verdict::Inconclusive, "errors in no requests");
}

#[test]
fn what_earlier_stages_proved_counts_nothing_for_this_one() {
    let observations = Observations { stage: 1, stages: vec![LIMITS; 2], ..clean() };
    check(&observations, Verdict::Inconclusive, "errors in no requests");
}

#[test]
fn requests_of_unknown_duration_may_have_been_slow() {
    let latency = Some(LatencyLimit { latency_ms_max: 500, slow_rate_max: 0.05 });
    let with_timed = |timed| {
        let mut minute = minute(0, 0, 1_000, 0);
        minute.candidate.timed = timed;
        Observations { stages: vec![StageLimits { latency, ..LIMITS }], ..observed(vec![minute]) }
    };
    check(&with_timed(1_000), Verdict::Pass, "prove the limit");
    check(&with_timed(900), Verdict::Inconclusive, "100 of them of unknown duration");
}

#[test]
fn what_could_not_be_measured_is_an_error_unless_something_measured_fails() {
    let missing = Unmeasured { what: "throttles".into(), why: "access denied".into() };
    let observations = Observations { unmeasured: vec![missing.clone()], ..clean() };
    check(&observations, Verdict::Error, "throttles could not be measured: access denied");
    let bad = Observations { unmeasured: vec![missing], ..observed(vec![minute(0, 50, 100, 0)]) };
    check(&bad, Verdict::Fail, "errors 50.0% (50 of 100)");
}

#[test]
fn counts_that_cannot_be_true_are_an_error() {
    let mut observations = clean();
    observations.minutes[3].candidate.errors = 101;
    check(&observations, Verdict::Error, "101 of only 100 requests cannot be true");
    observations.minutes[3].candidate.errors = 0;
    observations.minutes[3].stable = Some(counts(901, 900));
    check(&observations, Verdict::Error, "901 of only 900 requests cannot be true");
}

#[test]
fn a_stage_without_limits_is_an_error() {
    check(&Observations { stage: 1, ..clean() }, Verdict::Error, "stage 2 has no limits: the release has 1");
    let mut observations = clean();
    observations.minutes[0].stage = 7;
    check(&observations, Verdict::Error, "stage 8 has no limits");
}

#[test]
fn traffic_that_is_not_split_as_the_weights_say_blocks_the_pass_and_fails_nothing() {
    let split = |candidate: u64| {
        let minutes = (0..20).map(|index| Minute {
            candidate: counts(0, candidate),
            stable: Some(counts(0, 10_000 - candidate)),
            ..minute(index, 0, 0, 0)
        });
        observed(minutes.collect())
    };
    check(&split(1_000), Verdict::Pass, "prove the limit");
    // A tenth of the share is tolerated, however much traffic there is.
    check(&split(1_100), Verdict::Pass, "prove the limit");
    check(
        &split(1_150),
        Verdict::Inconclusive,
        "23,000 of 200,000 requests, 20,000 are expected at weight 10%",
    );
    check(&split(900), Verdict::Pass, "prove the limit");
    check(
        &split(850),
        Verdict::Inconclusive,
        "17,000 of 200,000 requests, 20,000 are expected at weight 10%",
    );
    check(&split(0), Verdict::Inconclusive, "the candidate has 0 of 200,000 requests");
}

#[test]
fn a_split_is_only_expected_where_both_versions_take_traffic() {
    let minutes = (0..10).map(|index| Minute { weight: Weight::ALL, ..minute(index, 0, 100, 0) });
    check(&observed(minutes.collect()), Verdict::Pass, "prove the limit");
}

#[test]
fn alarms_fail_block_or_are_only_reported() {
    let with = |state, waived| Observations {
        alarms: vec![AlarmReading { name: "checkout-5xx".into(), state, waived }],
        ..clean()
    };
    check(&with(AlarmState::Alarm, false), Verdict::Fail, "alarm checkout-5xx is in ALARM");
    check(&with(AlarmState::InsufficientData, false), Verdict::Inconclusive, "has INSUFFICIENT_DATA");
    check(&with(AlarmState::Ok, false), Verdict::Pass, "prove");
    for state in [AlarmState::Alarm, AlarmState::InsufficientData] {
        check(&with(state, true), Verdict::Pass, "prove");
        assert!(sentences(&judge(&with(state, true)))[1].ends_with(", and is waived"));
    }
}
