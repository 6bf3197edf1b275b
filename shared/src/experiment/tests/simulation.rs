//! The promises, drawn: how often the tests cry wolf, how often they see what is there, and how often intervals are right.
//!
//! Seeds are fixed. A bound is the promise and four standard errors of its own simulation.

use fastrand::Rng;

use crate::experiment::comparison::Outcome;
use crate::experiment::contingency::{Yates, chi_squared, fisher_exact};
use crate::experiment::document::Experiment;
use crate::experiment::mean::{Moments, Welch};
use crate::experiment::observed::{Intake, Measured, Observed, ObservedArm, Values};
use crate::experiment::power::{Aim, Split, subjects_needed};
use crate::experiment::proportion::{Proportion, newcombe};
use crate::experiment::rank::{Ordered, hodges_lehmann, mann_whitney};
use crate::experiment::report::report;
use crate::experiment::split::sample_ratio;
use crate::experiment::{Alternative, Probability};

const ALPHA: Probability = Probability::FIVE_PERCENT;
const DRAWS: u32 = 2_000;

/// How often something happens in so many draws.
fn rate(seed: u64, mut happens: impl FnMut(&mut Rng) -> bool) -> f64 {
    let mut rng = Rng::with_seed(seed);
    f64::from((0..DRAWS).filter(|_| happens(&mut rng)).count() as u32) / f64::from(DRAWS)
}

fn errors(chance: f64) -> f64 {
    4.0 * (chance * (1.0 - chance) / f64::from(DRAWS)).sqrt()
}

#[track_caller]
fn at_most(rate: f64, promised: f64) {
    assert!(rate <= promised + errors(promised), "{rate} is more than {promised}");
}

#[track_caller]
fn about(rate: f64, promised: f64) {
    assert!((rate - promised).abs() <= errors(promised), "{rate} is not {promised}");
}

fn successes(rng: &mut Rng, trials: u64, chance: f64) -> Proportion {
    let successes = (0..trials).filter(|_| rng.f64() < chance).count() as u64;
    Proportion::new(successes, trials).expect("possible")
}

fn table(one: Proportion, two: Proportion) -> Vec<Vec<u64>> {
    vec![vec![one.successes(), one.failures()], vec![two.successes(), two.failures()]]
}

/// A normal deviate, by G. E. P. Box and M. E. Muller.
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

fn drawn(rng: &mut Rng, count: usize, mut value: impl FnMut(&mut Rng) -> f64) -> Vec<f64> {
    (0..count).map(|_| value(rng)).collect()
}

#[test]
fn without_a_difference_the_tests_of_shares_rarely_find_one() {
    let pearson = rate(1, |rng| {
        let (one, two) = (successes(rng, 300, 0.2), successes(rng, 200, 0.2));
        chi_squared(&table(one, two), Yates::Without).is_some_and(|found| found.p < 0.05)
    });
    about(pearson, 0.05);
    let yates = rate(1, |rng| {
        let (one, two) = (successes(rng, 300, 0.2), successes(rng, 200, 0.2));
        chi_squared(&table(one, two), Yates::With).is_some_and(|found| found.p < 0.05)
    });
    assert!(yates < pearson);
    at_most(
        rate(2, |rng| {
            let (one, two) = (successes(rng, 25, 0.1), successes(rng, 40, 0.1));
            let table = [[one.successes(), one.failures()], [two.successes(), two.failures()]];
            fisher_exact(table, Alternative::TwoSided) < 0.05
        }),
        0.05,
    );
}

#[test]
fn without_a_difference_the_tests_of_numbers_rarely_find_one() {
    let welch = rate(3, |rng| {
        let one: Moments = drawn(rng, 20, normal).into_iter().collect();
        let two: Moments = drawn(rng, 60, |rng| 4.0 * normal(rng)).into_iter().collect();
        Welch::of(&one, &two).is_some_and(|test| test.p(Alternative::TwoSided) < 0.05)
    });
    about(welch, 0.05);
    for (seed, count) in [(4, 6), (5, 40)] {
        let amount = |rng: &mut Rng| normal(rng).exp();
        at_most(
            rate(seed, |rng| {
                let one = Ordered::new(drawn(rng, count, amount)).expect("finite");
                let two = Ordered::new(drawn(rng, count + 3, amount)).expect("finite");
                mann_whitney(&one, &two, Alternative::TwoSided).p < 0.05
            }),
            0.05,
        );
    }
    // Counts, most of them 0: ties everywhere.
    at_most(
        rate(6, |rng| {
            let few = |rng: &mut Rng| f64::from(u8::from(rng.f64() < 0.3) + u8::from(rng.f64() < 0.1));
            let one = Ordered::new(drawn(rng, 50, few)).expect("finite");
            let two = Ordered::new(drawn(rng, 50, few)).expect("finite");
            mann_whitney(&one, &two, Alternative::TwoSided).p < 0.05
        }),
        0.05,
    );
}

/// Three arms and two metrics that decide, each arm of 2,000, without any difference; or a tenth of a deviation in one place.
fn outcome(rng: &mut Rng, planned: u64, difference: f64) -> Outcome {
    let document = serde_json::json!({
        "name": "null", "planned_subjects": planned,
        "arms": [{"name": "a", "share": 1}, {"name": "b", "share": 1}, {"name": "c", "share": 1}],
        "metrics": [
            {"name": "one", "kind": "mean", "direction": "higher", "column": "one"},
            {"name": "two", "kind": "mean", "direction": "higher", "column": "two"},
        ],
        "data": {"layout": "subjects", "arm": "arm"},
    });
    let experiment = Experiment::parse(&document.to_string()).expect("valid");
    // The mean of so many is drawn at once.
    let mut mean = |true_mean: f64| Measured {
        values: Moments::of(2_000, true_mean + normal(rng) / 2_000_f64.sqrt(), 1.0).map(Values::Mean),
        left_out: 0,
    };
    let mut arm = |difference| ObservedArm { subjects: 2_000, metrics: vec![mean(difference), mean(0.0)] };
    let observed = Observed { arms: vec![arm(0.0), arm(difference), arm(0.0)], intake: Intake::default() };
    report(&experiment, &observed).outcome
}

#[test]
fn without_a_difference_a_whole_report_rarely_decides_anything() {
    at_most(rate(15, |rng| outcome(rng, 6_000, 0.0) != Outcome::NoDifference), 0.05);
    assert!(rate(16, |rng| outcome(rng, 6_000, 0.15) == Outcome::Better) > 0.95);
    // Before the planned sample is there nothing wins, however clear it looks.
    assert!(rate(17, |rng| outcome(rng, 6_001, 0.15) != Outcome::Inconclusive) <= 0.0);
}

#[test]
fn a_split_that_is_right_is_almost_never_found_wrong_and_a_wrong_one_is() {
    let found = |seed, share: f64| {
        rate(seed, |rng| {
            let second = successes(rng, 4_000, share).successes();
            !sample_ratio(&[(4_000 - second, 80.0), (second, 20.0)]).expect("somebody").is_as_planned()
        })
    };
    at_most(found(7, 0.2), 0.001);
    assert!(found(8, 0.24) > 0.95);
}

#[test]
fn the_planned_power_is_reached() {
    let split = Split::new(vec![70.0, 30.0]).expect("two arms");
    let of = |value| Probability::new(value).expect("a share");
    let aim = Aim::Share { control: of(0.2), treatment: of(0.3) };
    let sizes = split.sizes(subjects_needed(aim, &split, ALPHA, of(0.8)).expect("possible"));
    let seen = rate(9, |rng| {
        let (one, two) = (successes(rng, sizes[0], 0.2), successes(rng, sizes[1], 0.3));
        chi_squared(&table(one, two), Yates::Without).is_some_and(|found| found.p < 0.05)
    });
    about(seen, 0.8);
    let aim = Aim::Mean { difference: 0.5, deviation: 1.0 };
    let sizes = split.sizes(subjects_needed(aim, &split, ALPHA, of(0.9)).expect("possible"));
    let seen = rate(10, |rng| {
        let one: Moments = drawn(rng, sizes[0] as usize, normal).into_iter().collect();
        let two: Moments = drawn(rng, sizes[1] as usize, |rng| normal(rng) + 0.5).into_iter().collect();
        Welch::of(&one, &two).is_some_and(|test| test.p(Alternative::TwoSided) < 0.05)
    });
    about(seen, 0.9);
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let shares =
        rate(11, |rng| newcombe(successes(rng, 80, 0.1), successes(rng, 120, 0.25), ALPHA).contains(0.15));
    about(shares, 0.95);
    let means = rate(12, |rng| {
        let one: Moments = drawn(rng, 15, normal).into_iter().collect();
        let two: Moments = drawn(rng, 30, |rng| 3.0 * normal(rng) + 2.0).into_iter().collect();
        Welch::of(&one, &two).and_then(|test| test.interval(ALPHA)).is_some_and(|it| it.contains(2.0))
    });
    about(means, 0.95);
    for (seed, count) in [(13, 7), (14, 30)] {
        let shifts = rate(seed, |rng| {
            let one = Ordered::new(drawn(rng, count, |rng| normal(rng).exp())).expect("finite");
            let two = Ordered::new(drawn(rng, count, |rng| normal(rng).exp() + 1.0)).expect("finite");
            hodges_lehmann(&one, &two, ALPHA).interval.contains(1.0)
        });
        at_most(1.0 - shifts, 0.05);
    }
}
