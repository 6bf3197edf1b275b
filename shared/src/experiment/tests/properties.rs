//! What holds for any numbers: chances are chances, sides and orders may be exchanged, and nothing panics.

use proptest::prelude::*;

use crate::experiment::contingency::{Yates, chi_squared, fisher_exact};
use crate::experiment::correction::{benjamini_hochberg, holm};
use crate::experiment::document::Experiment;
use crate::experiment::mean::{Moments, Welch, cohens_d, hedges_g};
use crate::experiment::observed::{Intake, Measured, Observed, ObservedArm, Values};
use crate::experiment::power::{Aim, Split, power_with, subjects_needed};
use crate::experiment::proportion::{
    Proportion, cohens_h, newcombe, relative_lift_interval, risk_difference,
};
use crate::experiment::rank::{Ordered, hodges_lehmann, mann_whitney};
use crate::experiment::report::report;
use crate::experiment::split::sample_ratio;
use crate::experiment::{Alternative, Probability, words};

const ALPHA: Probability = Probability::FIVE_PERCENT;

fn is_chance(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

fn proportion() -> impl Strategy<Value = Proportion> {
    let trials = prop_oneof![1..20_u64, 1..100_000_u64, Just(1_u64 << 53)];
    trials.prop_flat_map(|trials| {
        (0..=trials).prop_map(move |successes| Proportion::new(successes, trials).expect("possible"))
    })
}

/// Any finite numbers, small whole ones with ties among them.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let any = any::<f64>().prop_filter("finite", |value| value.is_finite());
    prop_oneof![
        prop::collection::vec(any, 1..30),
        prop::collection::vec((0..5_i32).prop_map(f64::from), 1..40),
        prop::collection::vec(-1e6..1e6_f64, 1..40),
    ]
}

fn near(one: f64, two: f64) -> bool {
    (one - two).abs() <= 1e-9 * (1.0 + one.abs().max(two.abs()))
}

proptest! {
    #[test]
    fn shares_may_change_sides(one in proportion(), two in proportion()) {
        let there = newcombe(one, two, ALPHA);
        let back = newcombe(two, one, ALPHA);
        prop_assert!(near(there.low, -back.high) && near(there.high, -back.low));
        prop_assert!(there.contains(risk_difference(one, two)));
        prop_assert!(there.low >= -1.0 && there.high <= 1.0);
        prop_assert!(one.wilson(ALPHA).contains(one.share()));
        prop_assert!(near(cohens_h(one, two), -cohens_h(two, one)));
        prop_assert!(relative_lift_interval(one, two, ALPHA).is_none_or(|lift| lift.low <= lift.high));
    }

    #[test]
    fn a_table_may_be_turned_and_reordered(table in prop::collection::vec(prop::collection::vec(0..500_u64, 3), 2..5)) {
        let turned: Vec<Vec<u64>> =
            (0..3).map(|column| table.iter().map(|row| row[column]).collect()).collect();
        let reversed: Vec<Vec<u64>> = table.iter().rev().cloned().collect();
        let found = chi_squared(&table, Yates::Without);
        for other in [turned, reversed] {
            let other = chi_squared(&other, Yates::Without);
            prop_assert_eq!(found.is_some(), other.is_some());
            if let (Some(one), Some(two)) = (found, other) {
                prop_assert!(is_chance(one.p) && near(one.p, two.p) && near(one.cramers_v, two.cramers_v));
            }
        }
    }

    #[test]
    fn fishers_test_is_a_chance_and_symmetric(a in 0..300_u64, b in 0..300_u64, c in 0..300_u64, d in 0..300_u64) {
        let p = fisher_exact([[a, b], [c, d]], Alternative::TwoSided);
        prop_assert!(is_chance(p));
        for same in [[[c, d], [a, b]], [[b, a], [d, c]], [[a, c], [b, d]]] {
            prop_assert!(near(p, fisher_exact(same, Alternative::TwoSided)), "{} {:?}", p, same);
        }
        let (less, greater) =
            (fisher_exact([[a, b], [c, d]], Alternative::Less), fisher_exact([[a, b], [c, d]], Alternative::Greater));
        prop_assert!(is_chance(less) && is_chance(greater) && less + greater >= 1.0 - 1e-9);
    }

    #[test]
    fn fishers_test_bears_any_counts(one in proportion(), two in proportion()) {
        let table = [[one.successes(), one.failures()], [two.successes(), two.failures()]];
        prop_assert!(is_chance(fisher_exact(table, Alternative::TwoSided)));
    }

    #[test]
    fn means_may_change_sides(one in values(), two in values()) {
        let of = |values: &[f64]| values.iter().copied().collect::<Moments>();
        let (a, b) = (of(&one), of(&two));
        let (there, back) = (Welch::of(&a, &b), Welch::of(&b, &a));
        prop_assert_eq!(there.is_some(), back.is_some());
        if let (Some(there), Some(back)) = (there, back) {
            prop_assert!(is_chance(there.p(Alternative::TwoSided)));
            prop_assert!(near(there.p(Alternative::TwoSided), back.p(Alternative::TwoSided)));
            prop_assert!(near(there.p(Alternative::Less), back.p(Alternative::Greater)));
            if let Some(interval) = there.interval(ALPHA) {
                prop_assert!(interval.contains(there.difference));
            }
        }
        prop_assert!(cohens_d(&a, &b).is_none_or(f64::is_finite) && hedges_g(&a, &b).is_none_or(f64::is_finite));
    }

    #[test]
    fn the_order_of_subjects_does_not_matter(mut one in prop::collection::vec(-1e6..1e6_f64, 2..40), two in values()) {
        let of = |values: &[f64]| (Moments::from_iter(values.iter().copied()), Ordered::new(values.to_vec()).expect("finite"));
        let (before, ordered) = of(&one);
        one.reverse();
        let (after, reordered) = of(&one);
        prop_assert!(near(before.mean(), after.mean()));
        prop_assert!((before.deviation() - after.deviation()).abs() <= 1e-9 * 1e6);
        let other = Ordered::new(two).expect("finite");
        let test = |sample| mann_whitney(sample, &other, Alternative::TwoSided);
        prop_assert_eq!(test(&ordered), test(&reordered));
    }

    #[test]
    fn ranks_may_change_sides(one in values(), two in values()) {
        let (a, b) = (Ordered::new(one).expect("finite"), Ordered::new(two).expect("finite"));
        let (there, back) =
            (mann_whitney(&a, &b, Alternative::TwoSided), mann_whitney(&b, &a, Alternative::TwoSided));
        prop_assert!(is_chance(there.p) && near(there.p, back.p));
        prop_assert!(near(there.u + back.u, there.pairs));
        prop_assert!(near(there.superiority() + back.superiority(), 1.0));
        let (less, greater) = (mann_whitney(&a, &b, Alternative::Less), mann_whitney(&b, &a, Alternative::Greater));
        prop_assert!(near(less.p, greater.p));
        let shift = hodges_lehmann(&a, &b, ALPHA);
        prop_assert!(shift.interval.low <= shift.estimate && shift.estimate <= shift.interval.high, "{:?}", shift);
    }

    #[test]
    fn a_report_has_words_for_any_numbers(one in values(), two in values(), planned in 1..60_u64, relative in 0.001..9.0_f64) {
        let document = serde_json::json!({
            "name": "any", "planned_subjects": planned,
            "arms": [{"name": "a", "share": 1}, {"name": "b", "share": 1}],
            "metrics": [
                {"name": "mean", "kind": "mean", "direction": "higher", "column": "x"},
                {"name": "rank", "kind": "rank", "direction": "lower", "column": "x"},
                {"name": "guard", "kind": "mean", "direction": "lower", "column": "x", "role": "guardrail",
                    "not_worse_by": format!("{relative}%")},
            ],
            "data": {"layout": "subjects", "arm": "arm"},
        });
        let experiment = Experiment::parse(&document.to_string()).expect("valid");
        let arm = |values: &[f64]| {
            let mean = || Some(Values::Mean(values.iter().copied().collect()));
            let rank = Ordered::new(values.to_vec()).map(Values::Rank);
            let measured = |values| Measured { values, left_out: 0 };
            ObservedArm {
                subjects: values.len() as u64,
                metrics: vec![measured(mean()), measured(rank), measured(mean())],
            }
        };
        let observed = Observed { arms: vec![arm(&one), arm(&two)], intake: Intake::default() };
        let report = report(&experiment, &observed);
        prop_assert!(report.answer.ends_with('.') && !report.answer.contains("NaN"));
        for metric in &report.metrics {
            let compared = &metric.comparisons[0];
            let words = words::comparison(metric, compared);
            prop_assert!(words.ends_with('.') && !words.contains("NaN"), "{}", words);
            prop_assert!(compared.p_adjusted.is_none_or(is_chance));
        }
    }

    #[test]
    fn a_split_is_the_same_in_any_order(arms in prop::collection::vec((0..100_000_u64, 0.01..100.0_f64), 2..6)) {
        let mut reversed = arms.clone();
        reversed.reverse();
        if let (Some(one), Some(two)) = (sample_ratio(&arms), sample_ratio(&reversed)) {
            prop_assert!(is_chance(one.p) && near(one.p, two.p));
        }
    }

    #[test]
    fn corrections_never_make_a_chance_smaller(chances in prop::collection::vec(0.0..=1.0_f64, 0..20)) {
        for adjusted in [holm(&chances), benjamini_hochberg(&chances)] {
            prop_assert_eq!(adjusted.len(), chances.len());
            prop_assert!(adjusted.iter().zip(&chances).all(|(adjusted, chance)| is_chance(*adjusted) && *adjusted >= *chance * (1.0 - 1e-12)));
        }
        prop_assert!(benjamini_hochberg(&chances).iter().zip(holm(&chances)).all(|(mild, strict)| *mild <= strict + 1e-12));
    }

    #[test]
    fn what_is_needed_is_enough_and_a_few_less_are_not(
        control in 0.01..0.6_f64, rise in 0.01..0.3_f64, treated in 0.1..0.9_f64,
    ) {
        let of = |value| Probability::new(value).expect("a share");
        let aim = Aim::Share { control: of(control), treatment: of(control + rise) };
        let split = Split::new(vec![1.0 - treated, treated]).expect("two arms");
        let power = Probability::EIGHTY_PERCENT;
        let needed = subjects_needed(aim, &split, ALPHA, power).expect("possible");
        prop_assert!(power_with(aim, &split, needed, ALPHA) >= 0.8);
        prop_assert!(power_with(aim, &split, needed.saturating_sub(4), ALPHA) < 0.8);
    }
}
