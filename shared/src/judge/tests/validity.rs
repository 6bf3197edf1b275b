//! That looking often does not make the judge unjust, and that nothing makes it lose its numbers.

use proptest::prelude::*;

use super::*;

const RELEASES: usize = 1_500;

/// So many of `trials`, one by one: slow, and plainly right.
fn draw(rng: &mut fastrand::Rng, trials: u64, probability: f64) -> u64 {
    (0..trials).map(|_| u64::from(rng.f64() < probability)).sum()
}

/// The share of healthy releases that any look at any minute fails. The judge stops hearing a case where it is strong enough,
/// so its last look fails if any look before did.
fn failed_at_some_look(rate: f64, limit: f64, is_worse: f64) -> f64 {
    let mut rng = fastrand::Rng::with_seed(7);
    let failed = (0..RELEASES).filter(|_| {
        let minutes = (0..40).map(|index| {
            let requests = 20 + rng.u64(..40);
            let errors = draw(&mut rng, requests, rate * is_worse);
            minute(index, errors, requests, draw(&mut rng, 9 * requests, rate))
        });
        let minutes: Vec<Minute> = minutes.collect();
        let stages = vec![StageLimits { error_rate_max: limit, latency: None }];
        judge(&Observations { stages, ..observed(minutes) }).verdict == Verdict::Fail
    });
    failed.count() as f64 / RELEASES as f64
}

#[test]
fn a_healthy_release_is_failed_by_chance_once_in_a_hundred_at_most_however_often_one_looks() {
    // At the very limit, and far below it. So many draws with a probability of 1 % exceed 2 % once in ten thousand.
    for (rate, limit) in [(0.02, 0.02), (0.05, 0.05), (0.02, 0.2)] {
        let failed = failed_at_some_look(rate, limit, 1.0);
        assert!(failed <= 0.02, "{failed} at {rate}");
    }
    // The same releases with a bad candidate, so that the test can fail.
    assert!(failed_at_some_look(0.02, 0.02, 4.0) > 0.9);
}

#[test]
fn a_look_in_between_never_knows_better_than_the_last_one() {
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..200 {
        let minutes: Vec<Minute> = (0..30)
            .map(|index| {
                let errors = draw(&mut rng, 50, 0.04);
                minute(index, errors, 50, draw(&mut rng, 450, 0.02))
            })
            .collect();
        let failed = |upto: usize| judge(&observed(minutes[..upto].to_vec())).verdict == Verdict::Fail;
        let looks: Vec<bool> = (0..=minutes.len()).map(failed).collect();
        assert!(looks.is_sorted(), "{looks:?}");
    }
}

fn any_counts() -> impl Strategy<Value = Counts> {
    let requests = prop_oneof![Just(0_u64), 1..50_u64, 1..=100_000_u64];
    (requests, 0.0..=1.0_f64, 0.0..=1.0_f64).prop_map(|(requests, errors, slow)| Counts {
        requests,
        errors: (requests as f64 * errors * errors) as u64,
        timed: requests,
        slow: (requests as f64 * slow) as u64,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_counted_the_numbers_are_numbers(
        given in prop::collection::vec((any_counts(), prop::option::of(any_counts()), 0..3_usize, 0..=100_u32, 0..500_i64), 0..40),
        error_rate_max in 0.0..=1.0_f64,
        slow_rate_max in prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64],
    ) {
        let minutes = given.into_iter().map(|(candidate, stable, stage, percent, start)| Minute {
            start: at(start), stage, weight: Weight::from_percent(percent), candidate, stable,
        });
        let latency = Some(LatencyLimit { latency_ms_max: 500, slow_rate_max });
        let stages = vec![StageLimits { error_rate_max, latency }; 3];
        let observations = Observations { stage: 2, stages, ..observed(minutes.collect()) };
        let judgement = judge(&observations);
        for metric in &judgement.metrics {
            prop_assert!((0.0..=1.0).contains(&metric.evidence_against));
        }
        // Text that JSON has no number for would not be read again.
        let text = serde_json::to_string(&judgement).expect("a judgement is data");
        let kept: Judgement = serde_json::from_str(&text).expect("it can be read again");
        prop_assert_eq!(kept.verdict, judgement.verdict);
        // A pass rests on requests of this stage.
        if judgement.verdict == Verdict::Pass {
            let own: u64 = observations.minutes.iter().filter(|minute| minute.stage == 2).map(|minute| minute.candidate.requests).sum();
            let floor = (0.05_f64.ln() / (-error_rate_max.max(1e-6)).ln_1p()) as u64;
            prop_assert!(own >= floor, "{own} requests passed");
        }
    }
}
