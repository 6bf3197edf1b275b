use super::*;

#[track_caller]
fn check_stakes(stages: usize, minutes: &[(usize, f64)], expected: &[f64]) {
    let mut stakes = Stakes::new(stages);
    let got: Vec<f64> = minutes.iter().map(|(stage, elapsed)| stakes.next(*stage, *elapsed)).collect();
    let close = got.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-4);
    assert!(close && got.len() == expected.len(), "{got:?} instead of {expected:?}");
}

#[test]
fn most_is_bet_on_the_first_minute_and_on_the_first_of_each_stage() {
    // One stage: 0.4 is spread, a 61st of it on the first minute.
    check_stakes(1, &[(0, 0.0), (0, 1.0)], &[0.6 + 0.4 / 61.0, 0.4 * (60.0 / 61.0 - 60.0 / 62.0)]);
    // Three stages: 0.15 is spread, and 0.125 waits for each of the later stages.
    let spread = |from: f64| 0.15 * (60.0 / (60.0 + from) - 60.0 / (61.0 + from));
    check_stakes(
        3,
        &[(0, 0.0), (1, 1.0), (1, 2.0), (2, 3.0)],
        &[0.6 + spread(0.0), 0.125 + spread(1.0), spread(2.0), 0.125 + spread(3.0)],
    );
}

#[test]
fn what_missing_minutes_would_have_bet_is_bet_when_data_come_again() {
    let whole = |minutes: &[(usize, f64)]| -> f64 {
        let mut stakes = Stakes::new(3);
        minutes.iter().map(|(stage, elapsed)| stakes.next(*stage, *elapsed)).sum()
    };
    let all = whole(&[(0, 0.0), (0, 1.0), (1, 2.0), (1, 3.0), (2, 4.0)]);
    assert!((all - whole(&[(0, 0.0), (2, 4.0)])).abs() < 1e-12);
}

#[test]
fn no_more_than_the_stake_is_ever_bet() {
    let mut stakes = Stakes::new(4);
    let bet: f64 = (0..100_000_u32).map(|minute| stakes.next(minute as usize / 25_000, minute.into())).sum();
    assert!(bet < 1.0 && bet > 0.99, "{bet}");
}

#[test]
fn wealth_is_the_sum_over_sizes_and_beginnings() {
    let minutes = [(0.3, 0.2), (0.2, -0.4), (0.1, 1.1), (0.05, 0.3)];
    let ln_ratio = |step: f64, factor: f64| step * factor.ln() - 0.1;
    let mut wealth = Wealth::new(BETS);
    for (index, (stake, step)) in minutes.into_iter().enumerate() {
        wealth.play(index, stake, |factor| ln_ratio(step, factor));
    }
    let mut expected = 0.0;
    for (factor, share) in BETS {
        for begin in 0..minutes.len() {
            let gain: f64 = minutes[begin..].iter().map(|(_, step)| ln_ratio(*step, factor)).sum();
            expected += minutes[begin].0 * share * gain.exp();
        }
    }
    assert!((wealth.ln() - expected.ln()).abs() < 1e-12, "{} {}", wealth.ln(), expected.ln());
}

#[test]
fn fair_minutes_leave_the_mean_of_wealth_at_one() {
    // Every minute multiplies by `factor` or by what makes it fair; all 2^10 ways it can go.
    let minutes = 10;
    let mut mean = 0.0;
    for way in 0..1_u32 << minutes {
        let mut wealth = Wealth::new(BETS);
        let mut stakes = Stakes::new(2);
        let mut probability = 1.0;
        for minute in 0..minutes {
            let bad = way >> minute & 1 == 1;
            let chance = 0.001;
            probability *= if bad { chance } else { 1.0 - chance };
            let stake = stakes.next(usize::from(minute > 4), f64::from(minute));
            wealth.play(minute as usize, stake, |factor| {
                if bad { factor.ln() } else { ((1.0 - chance * factor) / (1.0 - chance)).ln() }
            });
        }
        mean += probability * ln_add(stakes.ln_waiting(), wealth.ln()).exp();
    }
    assert!((mean - 1.0).abs() < 1e-9, "{mean}");
}

#[test]
fn long_health_leaves_enough_to_find_a_fault() {
    let mut wealth = Wealth::new(BETS);
    let mut stakes = Stakes::new(1);
    let healthy = 100_000_u32;
    for minute in 0..healthy {
        wealth.play(minute as usize, stakes.next(0, minute.into()), |_| -50.0);
    }
    let ln_all = ln_add(stakes.ln_waiting(), wealth.ln());
    assert!(ln_all.is_finite() && ln_all > -20.0, "{ln_all}");
    for minute in healthy..healthy + 3 {
        wealth.play(minute as usize, stakes.next(0, minute.into()), |_| 20.0);
    }
    assert!(wealth.ln() > 100.0_f64.ln(), "{}", wealth.ln());
    assert_eq!(wealth.fault_begins(), healthy as usize);
}

#[test]
fn sums_of_logarithms_survive_nothing_and_much() {
    assert_eq!(ln_add(f64::NEG_INFINITY, f64::NEG_INFINITY), f64::NEG_INFINITY);
    assert_eq!(ln_add(f64::NEG_INFINITY, 3.0), 3.0);
    assert_eq!(ln_add(5_000.0, -5_000.0), 5_000.0);

    assert!((ln_add(0.0, 0.0) - std::f64::consts::LN_2).abs() < 1e-15);
}
