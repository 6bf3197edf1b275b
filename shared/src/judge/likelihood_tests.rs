use super::super::wealth::BETS;
use super::*;

fn tally(bad: u64, requests: u64) -> Tally {
    Tally { bad, requests }
}

/// By multiplication alone, without logarithms, for urns whose binomials fit a double.
fn choose(all: u64, chosen: u64) -> f64 {
    (0..chosen).map(|i| (all - i) as f64 / (i + 1) as f64).product()
}

#[test]
fn the_odds_ratio_is_that_of_the_sum_over_the_whole_urn() {
    for candidate in [1, 2, 7, 40] {
        for stable in [1, 3, 25, 60] {
            for bad in 0..=(candidate + stable) {
                for factor in [1.5_f64, 6.0, 500.0] {
                    let urn = Urn { candidate, stable, bad };
                    let term = |x: u64| choose(candidate, x) * choose(stable, bad - x);
                    let range = urn.fewest()..=urn.most();
                    let alike: f64 = range.clone().map(term).sum();
                    let worse: f64 = range.clone().map(|x| term(x) * factor.powi(x as i32)).sum();
                    for x in range {
                        let expected = x as f64 * factor.ln() - (worse / alike).ln();
                        let got = ln_odds_ratio(tally(x, candidate), tally(bad - x, stable), factor);
                        assert!(
                            (got - expected).abs() < 1e-9,
                            "{x} of {candidate}, {bad} in all: {got} {expected}"
                        );
                    }
                }
            }
        }
    }
}

/// The logarithms of the probabilities of all outcomes, from ratios of neighbours, normalised: another way than the one under test.
fn hypergeometric(candidate: u64, stable: u64, bad: u64) -> Vec<(u64, f64)> {
    let urn = Urn { candidate, stable, bad };
    let mut ln_terms = vec![(urn.fewest(), 0.0)];
    let mut ln_term = 0.0;
    for x in urn.fewest() + 1..=urn.most() {
        let more = ((candidate - x + 1) * (bad - x + 1)) as f64;
        ln_term += (more / (x as f64 * (stable + x - bad) as f64)).ln();
        ln_terms.push((x, ln_term));
    }
    let top = ln_terms.iter().map(|(_, ln)| *ln).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = ln_terms.iter().map(|(_, ln)| (ln - top).exp()).sum();
    ln_terms.into_iter().map(|(x, ln)| (x, ln - top - sum.ln())).collect()
}

#[test]
fn a_bet_against_an_equal_candidate_is_fair_whatever_the_margins() {
    for (candidate, stable, bad) in
        [(1, 1, 1), (50, 950, 12), (500, 500, 999), (10_000, 90_000, 10_000), (100_000, 100_000, 40)]
    {
        for (factor, _) in BETS {
            let mean: f64 = hypergeometric(candidate, stable, bad)
                .into_iter()
                .map(|(x, ln)| {
                    (ln + ln_odds_ratio(tally(x, candidate), tally(bad - x, stable), factor)).exp()
                })
                .sum();
            assert!((mean - 1.0).abs() < 1e-6, "{mean} for {bad} of {candidate} + {stable}, times {factor}");
        }
    }
}

#[track_caller]
fn mean_rate_ratio(true_rate: f64, bad_rate: f64, limit: f64) -> f64 {
    let requests = 60;
    (0..=requests)
        .map(|bad| {
            let good = (requests - bad) as i32;
            let probability =
                choose(requests, bad) * true_rate.powi(bad as i32) * (1.0 - true_rate).powi(good);
            probability * ln_rate_ratio(tally(bad, requests), bad_rate, limit).exp()
        })
        .sum()
}

#[test]
fn a_bet_against_a_limit_is_fair_at_the_limit_and_loses_on_its_good_side() {
    for (factor, _) in BETS {
        let over = with_odds_multiplied(0.02, factor);
        assert!((mean_rate_ratio(0.02, over, 0.02) - 1.0).abs() < 1e-9);
        assert!(mean_rate_ratio(0.015, over, 0.02) < 1.0);
        assert!(mean_rate_ratio(0.025, over, 0.02) > 1.0);
    }
    assert!((mean_rate_ratio(0.02, 0.002, 0.02) - 1.0).abs() < 1e-9);
    assert!(mean_rate_ratio(0.025, 0.002, 0.02) < 1.0);
    assert!(mean_rate_ratio(0.015, 0.002, 0.02) > 1.0);
}

#[test]
fn odds_are_multiplied() {
    assert!((with_odds_multiplied(0.5, 3.0) - 0.75).abs() < 1e-12);
    assert!(with_odds_multiplied(1.0 - LIMIT_MIN, 500.0) < 1.0);
}

#[test]
fn a_minute_that_says_nothing_changes_nothing() {
    assert_eq!(ln_odds_ratio(tally(0, 0), tally(5, 100), 6.0), 0.0);
    assert_eq!(ln_odds_ratio(tally(5, 100), tally(0, 0), 6.0), 0.0);
    assert_eq!(ln_odds_ratio(tally(0, 100), tally(0, 900), 6.0), 0.0);
    assert_eq!(ln_odds_ratio(tally(100, 100), tally(900, 900), 6.0), 0.0);
    assert_eq!(ln_rate_ratio(tally(0, 0), 0.1, 0.01), 0.0);
}

#[test]
fn the_largest_minutes_give_finite_evidence() {
    let requests = 100_000;
    for bad in [0, 1, 10_000, requests] {
        for stable_bad in [0, 1, 10_000, requests] {
            for (factor, _) in BETS {
                let odds = ln_odds_ratio(tally(bad, requests), tally(stable_bad, requests), factor);
                let limit = usable_limit(0.0);
                let rate = ln_rate_ratio(tally(bad, requests), with_odds_multiplied(limit, factor), limit);
                assert!(odds.is_finite() && rate.is_finite(), "{bad} {stable_bad} {factor}: {odds} {rate}");
            }
        }
    }
}

#[test]
fn limits_that_cannot_be_bet_on_are_moved_to_the_nearest_that_can() {
    assert_eq!(usable_limit(0.0), LIMIT_MIN);
    assert_eq!(usable_limit(LIMIT_MIN), LIMIT_MIN);
    assert_eq!(usable_limit(0.3), 0.3);
    assert_eq!(usable_limit(1.0), 1.0 - LIMIT_MIN);
    assert_eq!(usable_limit(f64::NAN), LIMIT_MIN);
}
