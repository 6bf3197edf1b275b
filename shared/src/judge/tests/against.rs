use super::*;

#[track_caller]
fn check(minutes: Vec<Minute>, verdict: Verdict) -> Judgement {
    let judgement = judge(&observed(minutes));
    assert_eq!(judgement.verdict, verdict, "{:?}", sentences(&judgement));
    judgement
}

#[test]
fn a_fault_from_the_first_minute_is_found_in_one() {
    let judgement = check(vec![minute(0, 8, 100, 9)], Verdict::Fail);
    assert_eq!(judgement.score, Some(0));
    assert_eq!(judgement.metrics[0].evidence_against, 1.0);
}

#[test]
fn one_error_less_than_fails_does_not() {
    let first_that_fails = (0..100)
        .find(|errors| judge(&observed(vec![minute(0, *errors, 100, 9)])).verdict == Verdict::Fail)
        .expect("a hundred errors fail");
    assert_eq!(first_that_fails, 7);
    let judgement = check(vec![minute(0, 6, 100, 9)], Verdict::Inconclusive);
    let against = judgement.metrics[0].evidence_against;
    assert!(against > 0.5 && against < 1.0, "{against}");
    assert_eq!(judgement.score, Some(((1.0 - against) * 100.0).ceil() as u8));
}

#[test]
fn enough_evidence_fails_and_any_less_does_not() {
    let evidence = |ln_wealth| Evidence { ln_wealth, ln_enough: 100.0_f64.ln() };
    assert!(evidence(100.0_f64.ln()).is_enough());
    assert!(!evidence(99.999_f64.ln()).is_enough());
    assert_eq!((evidence(-3.0).share(), evidence(900.0).share()), (0.0, 1.0));
}

#[test]
fn a_fault_that_begins_after_hours_of_health_is_found_soon() {
    let mut minutes: Vec<Minute> = (0..240).map(|index| minute(index, 1, 500, 9)).collect();
    assert_eq!(judge(&observed(minutes.clone())).verdict, Verdict::Pass);
    minutes.extend((240..243).map(|index| minute(index, 25, 500, 9)));
    let judgement = check(minutes, Verdict::Fail);
    let Finding::WorseThanStable { since, candidate, .. } = &judgement.reasons[0] else {
        panic!("{:?}", sentences(&judgement));
    };
    assert_eq!(*since, at(240));
    assert!(candidate.bad <= 75 && candidate.bad >= 25, "only the bad minutes are shown: {candidate}");
}

#[test]
fn a_fault_that_comes_with_the_next_stage_is_found_sooner_than_one_in_its_middle() {
    let fewest_errors_that_fail = |stage: usize| {
        let fails = |errors| {
            let mut minutes: Vec<Minute> = (0..30).map(|index| minute(index, 0, 100, 0)).collect();
            minutes.push(Minute { stage, ..minute(30, errors, 100, 1) });
            judge(&Observations { stage, stages: vec![LIMITS; 2], ..observed(minutes) }).verdict
                == Verdict::Fail
        };
        (0..100).find(|errors| fails(*errors)).expect("a hundred errors fail")
    };
    assert_eq!((fewest_errors_that_fail(1), fewest_errors_that_fail(0)), (4, 5));
}

#[test]
fn errors_that_both_versions_have_are_not_held_against_the_candidate() {
    // Five times as many from the middle on, within a limit of 5 %.
    let minutes = (0..40)
        .map(|index| if index < 20 { minute(index, 8, 1_000, 72) } else { minute(index, 40, 1_000, 360) });
    let stages = vec![StageLimits { error_rate_max: 0.05, latency: None }];
    let judgement = judge(&Observations { stages, ..observed(minutes.collect()) });
    assert_ne!(judgement.verdict, Verdict::Fail);
    assert!(judgement.metrics[0].evidence_against < 0.3, "{}", judgement.metrics[0].evidence_against);
}

#[test]
fn a_candidate_within_its_limit_that_is_worse_than_stable_fails() {
    let minutes = (0..10).map(|index| minute(index, 16, 2_000, 18)).collect();
    let judgement = check(minutes, Verdict::Fail);
    assert!(matches!(judgement.reasons[0], Finding::WorseThanStable { .. }), "{:?}", sentences(&judgement));
}

#[test]
fn without_a_stable_version_to_compare_with_the_limit_still_holds() {
    let alone = |errors| Minute { stable: None, weight: Weight::ALL, ..minute(0, errors, 1_000, 0) };
    let judgement = check(vec![alone(60)], Verdict::Fail);
    assert!(matches!(judgement.reasons[0], Finding::OverLimit { .. }), "{:?}", sentences(&judgement));
    assert_eq!(judgement.metrics[0].stable, None);
    let _ = check(vec![alone(0)], Verdict::Pass);
}

#[test]
fn what_failed_once_stays_failed_whatever_follows() {
    let mut minutes = vec![minute(0, 8, 100, 9)];
    minutes.extend((1..500).map(|index| minute(index, 0, 1_000, 0)));
    let _ = check(minutes, Verdict::Fail);
}

#[test]
fn slow_requests_are_judged_like_errors() {
    let stages = vec![StageLimits {
        error_rate_max: 0.01,
        latency: Some(LatencyLimit { latency_ms_max: 500, slow_rate_max: 0.05 }),
    }];
    let slow = |slow: u64| {
        let minutes = (0..10).map(|index| {
            let mut minute = minute(index, 0, 100, 0);
            minute.candidate.slow = slow;
            minute
        });
        judge(&Observations { stages: stages.clone(), ..observed(minutes.collect()) })
    };
    assert_eq!(slow(0).verdict, Verdict::Pass);
    let judgement = slow(20);
    assert_eq!(judgement.verdict, Verdict::Fail);
    let metrics: Vec<(Metric, Verdict)> =
        judgement.metrics.iter().map(|metric| (metric.metric, metric.verdict)).collect();
    let latency = Metric::Slow { latency_ms_max: 500 };
    assert_eq!(metrics, [(Metric::Errors, Verdict::Pass), (latency, Verdict::Fail)]);
}

#[test]
fn the_order_of_minutes_and_doubles_of_them_change_nothing() {
    let minutes: Vec<Minute> =
        (0..12).map(|index| minute(index, u64::from(index % 3 == 0), 100, 3)).collect();
    let expected = judge(&observed(minutes.clone()));
    let reversed = minutes.iter().rev().copied().collect();
    let doubled = minutes.iter().chain(&minutes).copied().collect();
    assert_eq!(judge(&observed(reversed)), expected);
    assert_eq!(judge(&observed(doubled)), expected);
}
