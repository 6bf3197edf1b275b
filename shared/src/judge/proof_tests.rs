use super::*;

fn is_proved(bad: u64, requests: u64, limit: f64) -> bool {
    evidence(Tally { bad, requests }, limit).is_enough()
}

/// The rule of three: with fewer requests than this, even flawless ones, no proof is possible.
fn floor(limit: f64) -> u64 {
    (BETA.ln() / (-limit).ln_1p()).ceil() as u64
}

#[track_caller]
fn check_clean(limit: f64, floor_expected: u64, enough: u64) {
    assert_eq!(floor(limit), floor_expected);
    assert!(!is_proved(0, floor_expected - 1, limit), "below the floor");
    assert!(!is_proved(0, enough - 1, limit), "one too few");
    assert!(is_proved(0, enough, limit), "enough");
    assert_eq!(requests_to_prove(limit, 0.0), Some(enough));
}

#[test]
fn flawless_requests_prove_a_limit_a_tenth_above_the_rule_of_three() {
    check_clean(0.05, 59, 65);
    check_clean(0.01, 299, 329);
    check_clean(0.001, 2_995, 3_306);
    check_clean(0.0005, 5_990, 6_613);
}

#[test]
fn a_rate_at_the_limit_or_near_it_is_never_proved() {
    for rate in [0.0095, 0.01, 0.011, 0.5, 1.0] {
        assert_eq!(requests_to_prove(0.01, rate), None, "{rate}");
    }
    assert_eq!(requests_to_prove(0.0, 0.001), None);
    assert_eq!(requests_to_prove(0.0, 0.0), Some(3_307_121));
}

#[test]
fn what_is_needed_grows_with_the_rate() {
    let mut last = 0;
    for rate in [0.0, 0.001, 0.002, 0.004, 0.006, 0.008] {
        let requests = requests_to_prove(0.01, rate).expect("below the limit");
        assert!(requests > last, "{requests} at {rate}");
        let bad = (rate * requests as f64).floor() as u64;
        assert!(is_proved(bad, requests, 0.01), "{bad} of {requests}");
        last = requests;
    }
}

#[test]
fn the_number_still_needed_is_what_is_missing() {
    assert_eq!(needed(Tally { bad: 0, requests: 0 }, 0.01), Some(329));
    assert_eq!(needed(Tally { bad: 0, requests: 180 }, 0.01), Some(149));
    assert_eq!(needed(Tally { bad: 0, requests: 328 }, 0.01), Some(1));
    assert_eq!(needed(Tally { bad: 2, requests: 180 }, 0.01), None);
}

/// Exact, over all ways in which errors can fall: the probability that some look among the first `looks_max` passes.
fn probability_of_ever_passing(rate: f64, limit: f64, looks_max: usize) -> f64 {
    let mut unproven = vec![1.0];
    let mut passed = 0.0;
    for requests in 1..=looks_max {
        let mut next = vec![0.0; requests + 1];
        for (bad, probability) in unproven.iter().enumerate() {
            next[bad] += probability * (1.0 - rate);
            next[bad + 1] += probability * rate;
        }
        for (bad, probability) in next.iter_mut().enumerate() {
            if *probability > 0.0 && is_proved(bad as u64, requests as u64, limit) {
                passed += *probability;
                *probability = 0.0;
            }
        }
        unproven = next;
    }
    passed
}

#[test]
fn a_version_at_its_limit_ever_passes_with_five_percent_at_most() {
    for limit in [0.05, 0.2, 0.5] {
        let passed = probability_of_ever_passing(limit, limit, 700);
        assert!(passed <= BETA, "{passed} at {limit}");
        // It must be able to fail: the bound is nearly reached, and a better version passes far more often.
        assert!(passed > BETA / 4.0, "{passed} at {limit}");
        assert!(probability_of_ever_passing(limit / 2.0, limit, 700) > 0.5, "{limit}");
    }
}
