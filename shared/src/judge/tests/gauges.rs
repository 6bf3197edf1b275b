use super::*;

/// `x` is a value beyond the threshold, `.` one at it, `-` a minute without one; the last one is the latest.
fn reading(minutes: &str, datapoints: u32, of: u32, missing: Missing, bad: Direction) -> GaugeReading {
    let beyond = match bad {
        Direction::Above => 90.1,
        Direction::Below => 89.9,
    };
    let values = minutes.chars().zip(0..).map(|(minute, index)| {
        let value = match minute {
            'x' => Some(beyond),
            '.' => Some(90.0),
            _ => None,
        };
        (at(index), value)
    });
    let rule = GaugeRule { name: "memory".into(), bad, threshold: 90.0, datapoints, of, missing };
    GaugeReading { rule, values: values.collect() }
}

#[track_caller]
fn check(minutes: &str, (datapoints, of): (u32, u32), missing: Missing, expected: Verdict) {
    for bad in [Direction::Above, Direction::Below] {
        let mut reading = reading(minutes, datapoints, of, missing, bad);
        for _ in 0..2 {
            let gauges = vec![reading.clone()];
            let judgement = judge(&Observations { gauges, ..clean() });
            assert_eq!(judgement.verdict, expected, "{minutes} {bad:?}: {:?}", sentences(&judgement));
            assert_eq!(judgement.gauges[0].verdict, expected);
            reading.values.reverse();
        }
    }
}

#[test]
fn m_of_any_n_minutes_in_a_row_fail_and_one_fewer_does_not() {
    check("x.x", (2, 3), Missing::Inconclusive, Verdict::Fail);
    check("x..", (2, 3), Missing::Inconclusive, Verdict::Pass);
    check("xx...", (2, 3), Missing::Inconclusive, Verdict::Fail);
    check("x..x..", (2, 3), Missing::Inconclusive, Verdict::Pass);
    check(".x", (1, 1), Missing::Inconclusive, Verdict::Fail);
    check("x.", (1, 1), Missing::Inconclusive, Verdict::Fail);
}

#[test]
fn minutes_without_a_value_could_have_been_bad() {
    check(".-.", (2, 3), Missing::Inconclusive, Verdict::Pass);
    check("x-.", (2, 3), Missing::Inconclusive, Verdict::Inconclusive);
    check("--.", (2, 3), Missing::Inconclusive, Verdict::Inconclusive);
    check(".", (2, 3), Missing::Inconclusive, Verdict::Inconclusive);
    check("", (1, 1), Missing::Inconclusive, Verdict::Inconclusive);
    check("xx-", (2, 3), Missing::Inconclusive, Verdict::Fail);
}

#[test]
fn minutes_without_a_value_mean_nothing_where_the_rule_says_so() {
    check("", (1, 5), Missing::Ok, Verdict::Pass);
    check("x-.", (2, 3), Missing::Ok, Verdict::Pass);
    check("x-x", (2, 3), Missing::Ok, Verdict::Fail);
}

#[test]
fn a_rule_that_asks_for_nothing_asks_for_one_minute_and_one_for_too_many_for_all() {
    check(".", (0, 0), Missing::Inconclusive, Verdict::Pass);
    check("x", (0, 0), Missing::Inconclusive, Verdict::Fail);
    check("xx", (5, 2), Missing::Inconclusive, Verdict::Fail);
    check(".x", (5, 2), Missing::Inconclusive, Verdict::Pass);
}

#[test]
fn a_value_that_is_no_number_is_none() {
    let mut reading = reading("x", 1, 1, Missing::Inconclusive, Direction::Above);
    for value in [f64::NAN, f64::INFINITY] {
        reading.values[0].1 = Some(value);
        let judgement = judge(&Observations { gauges: vec![reading.clone()], ..clean() });
        assert_eq!(judgement.verdict, Verdict::Inconclusive);
    }
}

#[test]
fn a_gauge_on_its_way_to_failing_lowers_the_score() {
    let score = |minutes| {
        let gauges = vec![reading(minutes, 2, 3, Missing::Inconclusive, Direction::Above)];
        judge(&Observations { gauges, ..clean() }).score
    };
    assert_eq!(score("..."), Some(100));
    assert_eq!(score(".x."), Some(50));
    assert_eq!(score("xx."), Some(0));
}
