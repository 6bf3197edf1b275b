//! Our numbers against those of scipy and statsmodels, which `shared/tests/data/experiment/reference.py` has written down.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::experiment::contingency::{Yates, chi_squared, fisher_exact};
use crate::experiment::correction::{benjamini_hochberg, holm};
use crate::experiment::distribution as of;
use crate::experiment::mean::{Moments, Welch, cohens_d, hedges_g};
use crate::experiment::power::{Aim, Split, power_of, subjects_needed};
use crate::experiment::proportion as share;
use crate::experiment::rank::{Ordered, hodges_lehmann, mann_whitney};
use crate::experiment::split::sample_ratio;
use crate::experiment::{Alternative, Interval, Probability};

fn cases<T: DeserializeOwned>(key: &str) -> Vec<T> {
    let text = include_str!("../../../tests/data/experiment/reference.json");
    let all: serde_json::Value = serde_json::from_str(text).expect("the reference is JSON");
    let cases: Vec<T> = serde_json::from_value(all[key].clone()).expect("the cases have their shape");
    assert!(!cases.is_empty());
    cases
}

#[track_caller]
fn check(ours: f64, theirs: f64, what: impl std::fmt::Debug) {
    check_to(1e-9, ours, theirs, what);
}

#[track_caller]
fn check_to(relative: f64, ours: f64, theirs: f64, what: impl std::fmt::Debug) {
    let apart = (ours - theirs).abs();
    assert!(apart <= relative * theirs.abs() + 1e-13 || ours == theirs, "{ours} and not {theirs}: {what:?}");
}

fn of_level(value: f64) -> Probability {
    Probability::new(value).expect("a level")
}

#[derive(Debug, Deserialize)]
struct Distribution {
    of: String,
    args: Vec<f64>,
    value: f64,
}

#[test]
fn distributions_are_those_of_scipy() {
    for case in cases::<Distribution>("distributions") {
        let args = &case.args;
        let ours = match case.of.as_str() {
            "normal_above" => of::normal_above(args[0]),
            "normal_value" => of::normal_value(of_level(args[0])),
            "student_above" => of::student_above(args[0], args[1]),
            "student_value" => of::student_value(of_level(args[0]), args[1]),
            "chi_squared_above" => of::chi_squared_above(args[0], args[1]),
            "chi_squared_value" => of::chi_squared_value(of_level(args[0]), args[1]),
            "noncentral_chi_squared_above" => of::noncentral_chi_squared_above(args[0], args[1], args[2]),
            other => panic!("{other}"),
        };
        check_to(1e-8, ours, case.value, &case);
        // The smallest chances are right in their digits too, not only near 0.
        assert!((ours / case.value - 1.0).abs() < 1e-8 || case.value.abs() < 1e-290, "{ours}: {case:?}");
    }
}

#[derive(Debug, Deserialize)]
struct Table {
    table: Vec<Vec<u64>>,
    pearson: Option<Statistic>,
    yates: Option<Statistic>,
    expected_min: Option<f64>,
    cramers_v: Option<f64>,
    fisher: Option<Sided>,
}

#[derive(Debug, Deserialize)]
struct Statistic {
    statistic: f64,
    degrees: f64,
    p: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sided {
    two_sided: f64,
    less: f64,
    greater: f64,
}

impl Sided {
    fn of(&self, alternative: Alternative) -> f64 {
        match alternative {
            Alternative::TwoSided => self.two_sided,
            Alternative::Less => self.less,
            Alternative::Greater => self.greater,
        }
    }
}

const ALTERNATIVES: [Alternative; 3] = [Alternative::TwoSided, Alternative::Less, Alternative::Greater];

#[test]
fn tables_are_tested_as_scipy_does() {
    for case in cases::<Table>("tables") {
        for (yates, theirs) in [(Yates::Without, &case.pearson), (Yates::With, &case.yates)] {
            let ours = chi_squared(&case.table, yates);
            assert_eq!(ours.is_some(), theirs.is_some(), "{case:?}");
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                check(ours.statistic, theirs.statistic, &case);
                check(ours.degrees, theirs.degrees, &case);
                check(ours.p, theirs.p, &case);
                check(ours.expected_min, case.expected_min.expect("of every table"), &case);
                check(ours.cramers_v, case.cramers_v.expect("of every table"), &case);
            }
        }
        if let ([[a, b], [c, d]], Some(theirs)) =
            (&[[case.table[0][0], case.table[0][1]], [case.table[1][0], case.table[1][1]]], &case.fisher)
        {
            for alternative in ALTERNATIVES {
                check_to(
                    1e-7,
                    fisher_exact([[*a, *b], [*c, *d]], alternative),
                    theirs.of(alternative),
                    &case,
                );
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct Shares {
    control: [u64; 2],
    treatment: [u64; 2],
    h: f64,
    levels: Vec<Level>,
}

#[derive(Debug, Deserialize)]
struct Level {
    alpha: f64,
    newcombe: [f64; 2],
    wilson: [f64; 2],
    lift: Option<[f64; 3]>,
}

#[test]
fn intervals_of_shares_are_those_of_statsmodels() {
    for case in cases::<Shares>("proportions") {
        let of = |[successes, trials]: [u64; 2]| share::Proportion::new(successes, trials).expect("possible");
        let (control, treatment) = (of(case.control), of(case.treatment));
        check(share::cohens_h(control, treatment), case.h, &case);
        for level in &case.levels {
            let alpha = of_level(level.alpha);
            check_interval(share::newcombe(control, treatment, alpha), level.newcombe, &case);
            check_interval(control.wilson(alpha), level.wilson, &case);
            let lift = share::relative_lift_interval(control, treatment, alpha);
            assert_eq!(lift.is_some(), level.lift.is_some(), "{case:?}");
            if let (Some(ours), Some([lift, low, high])) = (lift, level.lift) {
                check_interval(ours, [low, high], &case);
                check(share::relative_lift(control, treatment).expect("somebody did"), lift, &case);
            }
        }
    }
}

#[track_caller]
fn check_interval(ours: Interval, [low, high]: [f64; 2], what: impl std::fmt::Debug) {
    check(ours.low, low, &what);
    check(ours.high, high, &what);
}

#[derive(Debug, Deserialize)]
struct Numbers {
    control: Vec<f64>,
    treatment: Vec<f64>,
    welch: Option<TTest>,
    d: Option<f64>,
    g: Option<f64>,
    rank: Rank,
    shift: std::collections::BTreeMap<String, Shifted>,
}

#[derive(Debug, Deserialize)]
struct TTest {
    t: f64,
    degrees: f64,
    interval: [f64; 2],
    p: Sided,
}

#[derive(Debug, Deserialize)]
struct Rank {
    u: f64,
    p: Sided,
}

#[derive(Debug, Deserialize)]
struct Shifted {
    estimate: f64,
    interval: Option<[f64; 2]>,
}

#[test]
fn means_are_tested_as_scipy_does() {
    for case in cases::<Numbers>("numbers") {
        let moments = |values: &[f64]| values.iter().copied().collect::<Moments>();
        let (control, treatment) = (moments(&case.control), moments(&case.treatment));
        let ours = Welch::of(&control, &treatment);
        assert_eq!(ours.is_some(), case.welch.is_some(), "{case:?}");
        if let (Some(ours), Some(theirs)) = (ours, &case.welch) {
            check_to(1e-7, ours.t, theirs.t, &case);
            check_to(1e-7, ours.degrees, theirs.degrees, &case);
            let interval = ours.interval(Probability::FIVE_PERCENT).expect("finite");
            check_to(1e-7, interval.low, theirs.interval[0], &case);
            check_to(1e-7, interval.high, theirs.interval[1], &case);
            for alternative in ALTERNATIVES {
                check_to(1e-7, ours.p(alternative), theirs.p.of(alternative), &case);
            }
            check_to(1e-7, cohens_d(&control, &treatment).expect("it varies"), case.d.expect("given"), &case);
            check_to(1e-7, hedges_g(&control, &treatment).expect("it varies"), case.g.expect("given"), &case);
        }
    }
}

#[test]
fn ranks_are_tested_as_scipy_does() {
    for case in cases::<Numbers>("numbers") {
        let ordered = |values: &Vec<f64>| Ordered::new(values.clone()).expect("finite");
        let (control, treatment) = (ordered(&case.control), ordered(&case.treatment));
        for alternative in ALTERNATIVES {
            let ours = mann_whitney(&control, &treatment, alternative);
            check(ours.u, case.rank.u, &case);
            check(ours.p, case.rank.p.of(alternative), (&case, alternative));
        }
        for (alpha, theirs) in &case.shift {
            let alpha = of_level(alpha.parse().expect("a number"));
            let ours = hodges_lehmann(&control, &treatment, alpha);
            check(ours.estimate, theirs.estimate, &case);
            match theirs.interval {
                Some(interval) => check_interval(ours.interval, interval, &case),
                None => assert!(ours.interval.low.is_infinite() && ours.interval.high.is_infinite()),
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct Counted {
    counts: Vec<u64>,
    shares: Vec<f64>,
    statistic: f64,
    p: f64,
}

#[test]
fn the_split_is_tested_as_scipy_does() {
    for case in cases::<Counted>("splits") {
        let arms: Vec<(u64, f64)> = case.counts.iter().copied().zip(case.shares.iter().copied()).collect();
        let ours = sample_ratio(&arms).expect("somebody is there");
        check(ours.statistic, case.statistic, &case);
        check(ours.p, case.p, &case);
        assert_eq!(ours.is_as_planned(), case.p >= 0.001, "{case:?}");
    }
}

#[derive(Debug, Deserialize)]
struct Corrected {
    chances: Vec<f64>,
    holm: Vec<f64>,
    benjamini_hochberg: Vec<f64>,
}

#[test]
fn several_chances_are_corrected_as_statsmodels_does() {
    for case in cases::<Corrected>("corrections") {
        for (ours, theirs) in holm(&case.chances).iter().zip(&case.holm) {
            check(*ours, *theirs, &case);
        }
        for (ours, theirs) in benjamini_hochberg(&case.chances).iter().zip(&case.benjamini_hochberg) {
            check(*ours, *theirs, &case);
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Aimed {
    Share([f64; 2]),
    Mean([f64; 2]),
}

impl Aimed {
    fn aim(&self) -> Aim {
        match self {
            Self::Share([control, treatment]) => {
                Aim::Share { control: of_level(*control), treatment: of_level(*treatment) }
            }
            Self::Mean([difference, deviation]) => {
                Aim::Mean { difference: *difference, deviation: *deviation }
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct Powered {
    aim: Aimed,
    sizes: [f64; 2],
    alpha: f64,
    power: f64,
}

#[test]
fn power_is_that_of_statsmodels() {
    for case in cases::<Powered>("powers") {
        let ours = power_of(case.aim.aim(), (case.sizes[0], case.sizes[1]), of_level(case.alpha));
        assert!((ours - case.power).abs() < 2e-5, "{ours} and not {}: {case:?}", case.power);
    }
}

#[derive(Debug, Deserialize)]
struct Needed {
    aim: Aimed,
    alpha: f64,
    power: f64,
    per_arm: u64,
}

#[test]
fn as_many_subjects_are_needed_as_statsmodels_says() {
    let split = Split::new(vec![50.0, 50.0]).expect("two arms");
    for case in cases::<Needed>("needed") {
        let ours = subjects_needed(case.aim.aim(), &split, of_level(case.alpha), of_level(case.power));
        assert_eq!(ours, Some(2 * case.per_arm), "{case:?}");
    }
}
