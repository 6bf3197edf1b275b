//! What a report concludes, and what it refuses to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::experiment::comparison::{EffectSize, Obstacle, Outcome, Test};
use crate::experiment::document::Experiment;
use crate::experiment::mean::Moments;
use crate::experiment::observed::{Intake, Measured, Observed, ObservedArm, Values};
use crate::experiment::proportion::Proportion;
use crate::experiment::rank::Ordered;
use crate::experiment::report::{Report, report};
use crate::experiment::words::{self, CheckState};

fn experiment(metrics: Value, planned: u64) -> Experiment {
    let document = json!({
        "name": "green button", "planned_subjects": planned, "metrics": metrics,
        "arms": [{"name": "control", "share": 50}, {"name": "green", "share": 50}],
        "data": {"layout": "subjects", "arm": "arm", "subject": "user"},
    });
    Experiment::parse(&document.to_string()).expect("a valid document")
}

fn conversion(name: &str) -> Value {
    json!({"name": name, "kind": "conversion", "direction": "higher", "column": name})
}

fn guardrail(margin: &str) -> Value {
    json!({"name": "errors", "kind": "conversion", "direction": "lower", "column": "errors",
        "role": "guardrail", "not_worse_by": margin})
}

fn did(successes: u64, trials: u64) -> Values {
    Values::Conversion(Proportion::new(successes, trials).expect("possible"))
}

fn seen(arms: Vec<(u64, Vec<Values>)>) -> Observed {
    let measured = |values| Measured { values: Some(values), left_out: 0 };
    let arm = |(subjects, values): (u64, Vec<Values>)| ObservedArm {
        subjects,
        metrics: values.into_iter().map(measured).collect(),
    };
    let intake = Intake { subjects_are_known: true, ..Intake::default() };
    Observed { arms: arms.into_iter().map(arm).collect(), intake }
}

/// Two arms of 10,000, by what they converted.
fn converted(metrics: &[(u64, u64)]) -> Observed {
    let (control, green) = metrics.iter().map(|(one, two)| (did(*one, 10_000), did(*two, 10_000))).unzip();
    seen(vec![(10_000, control), (10_000, green)])
}

#[track_caller]
fn concludes(metrics: Value, observed: &Observed, outcome: Outcome, answer: &str) -> Report {
    let report = report(&experiment(metrics, 20_000), observed);
    assert_eq!(report.outcome, outcome, "{}", report.answer);
    assert!(report.answer.contains(answer), "{}", report.answer);
    report
}

#[test]
fn a_difference_that_chance_does_not_explain_is_a_winner() {
    let report = concludes(
        json!([conversion("bought")]),
        &converted(&[(400, 500)]),
        Outcome::Better,
        "green is better than control: bought is 5% against 4%.",
    );
    let compared = &report.metrics[0].comparisons[0];
    let evidence = compared.evidence.expect("measured");
    assert!(matches!(evidence.test, Test::ChiSquared { p_yates: Some(p), .. } if p > evidence.p));
    assert!((evidence.lift.expect("of 4 %") - 0.25).abs() < 1e-9);
    let words = words::comparison(&report.metrics[0], compared);
    assert!(
        words.contains("+1 pp (95% interval +0.43 pp to +1.58 pp), 25% more than the control"),
        "{words}"
    );
}

#[test]
fn the_same_difference_the_other_way_is_worse_and_what_should_fall_is_turned() {
    let lower = json!([{"name": "left", "kind": "conversion", "direction": "lower", "column": "left"}]);
    concludes(json!([conversion("bought")]), &converted(&[(500, 400)]), Outcome::Worse, "green is worse");
    concludes(lower.clone(), &converted(&[(500, 400)]), Outcome::Better, "left is 4% against 5%");
    concludes(lower, &converted(&[(400, 500)]), Outcome::Worse, "green is worse");
}

#[test]
fn nothing_wins_one_subject_before_the_planned_sample() {
    let metrics = json!([conversion("bought")]);
    let observed = converted(&[(400, 900)]);
    assert_eq!(report(&experiment(metrics.clone(), 20_000), &observed).outcome, Outcome::Better);
    let early = report(&experiment(metrics, 20_001), &observed);
    assert_eq!(early.outcome, Outcome::Inconclusive);
    assert_eq!(
        early.answer,
        "Too early to say: 20,000 of 20,001 planned subjects are in, and nothing wins before all are."
    );
    let compared = &early.metrics[0].comparisons[0];
    assert_eq!((compared.outcome, compared.obstacle), (Outcome::Inconclusive, Some(Obstacle::TooEarly)));
    // The numbers are there all the same.
    assert!(words::comparison(&early.metrics[0], compared).contains("So far: The difference is +5 pp"));
    assert!(words::checks(&early.checks).iter().any(|check| check.says.contains("This is an early look")));
}

#[test]
fn a_split_that_is_not_as_planned_overrules_everything() {
    let of = |green: u64| seen(vec![(10_000, vec![did(400, 10_000)]), (green, vec![did(900, green)])]);
    // 10,470 to 10,000 is p = 0.0010; one step more is below.
    concludes(json!([conversion("bought")]), &of(10_465), Outcome::Better, "green is better");
    let report = concludes(
        json!([conversion("bought")]),
        &of(10_475),
        Outcome::Invalid,
        "These numbers prove nothing",
    );
    assert_eq!(report.metrics[0].comparisons[0].outcome, Outcome::Invalid);
    assert!(
        words::checks(&report.checks)
            .iter()
            .any(|check| check.what == "Split" && check.state == CheckState::Fails)
    );
}

#[test]
fn more_than_one_subject_of_a_hundred_in_two_arms_overrules_everything() {
    let with = |crossed| {
        let mut observed = converted(&[(400, 500)]);
        observed.intake.crossed = crossed;
        observed
    };
    // 202 of 20,202 are less than 1 %, 203 of 20,203 are more.
    concludes(json!([conversion("bought")]), &with(202), Outcome::Better, "green is better");
    concludes(json!([conversion("bought")]), &with(203), Outcome::Invalid, "more than one arm");
}

#[test]
fn two_questions_share_the_chance_of_a_wrong_answer() {
    // Each alone is p = 0.035.
    let alone = converted(&[(400, 461)]);
    concludes(json!([conversion("bought")]), &alone, Outcome::Better, "green is better");
    let both = converted(&[(400, 461), (400, 402)]);
    let report = concludes(
        json!([conversion("bought"), conversion("returned")]),
        &both,
        Outcome::NoDifference,
        "No difference is shown between green and control: bought would have shown a rise of",
    );
    let compared = &report.metrics[0].comparisons[0];
    let (p, adjusted) = (compared.evidence.expect("measured").p, compared.p_adjusted.expect("measured"));
    assert!(p < 0.05 && (adjusted - 2.0 * p).abs() < 1e-12);
}

#[test]
fn intervals_and_answers_agree_however_many_questions_there_are() {
    for green in 400..=520 {
        let observed = converted(&[(400, green), (400, 465), (400, 430)]);
        let metrics = json!([conversion("bought"), conversion("stayed"), conversion("returned")]);
        let report = report(&experiment(metrics, 20_000), &observed);
        for metric in &report.metrics {
            let compared = &metric.comparisons[0];
            let evidence = compared.evidence.expect("measured");
            let crosses = evidence.interval.expect("of shares").contains(0.0);
            // Newcombe's interval and Pearson's test are cousins, not twins.
            let is_close = (compared.p_adjusted.expect("measured") - 0.05).abs() < 0.002;
            assert!(
                is_close || crosses == (compared.outcome == Outcome::NoDifference),
                "{green}: {compared:?}"
            );
        }
    }
}

#[test]
fn what_gives_ideas_decides_nothing() {
    let mut idea = conversion("clicked");
    idea["role"] = json!("exploratory");
    let report = concludes(
        json!([conversion("bought"), idea]),
        &converted(&[(400, 402), (400, 900)]),
        Outcome::NoDifference,
        "No difference is shown",
    );
    assert_eq!(report.metrics[1].comparisons[0].outcome, Outcome::Better);
    assert_eq!(report.deciding, 1);
}

#[test]
fn a_winner_needs_its_guardrails() {
    let metrics = || json!([conversion("bought"), guardrail("1pp")]);
    let of = |errors: (u64, u64)| converted(&[(400, 500), errors]);
    let held = concludes(metrics(), &of((100, 110)), Outcome::Better, "green is better");
    assert_eq!(held.metrics[1].comparisons[0].outcome, Outcome::NotWorse);
    let words = words::comparison(&held.metrics[1], &held.metrics[1].comparisons[0]);
    assert!(words.contains("The guardrail holds: worse by") && words.contains("1 pp is borne"), "{words}");
    let open = concludes(
        metrics(),
        &of((500, 570)),
        Outcome::Inconclusive,
        "it is not shown that errors is not worse",
    );
    assert_eq!(open.metrics[1].comparisons[0].outcome, Outcome::Inconclusive);
    let broken = concludes(
        metrics(),
        &of((100, 400)),
        Outcome::Worse,
        "a guardrail is broken: errors is 4% against 1%",
    );
    assert_eq!(broken.metrics[1].comparisons[0].outcome, Outcome::Worse);
    // A tenth of 1 % is less than these numbers can exclude.
    concludes(
        json!([conversion("bought"), guardrail("10%")]),
        &of((100, 100)),
        Outcome::Inconclusive,
        "not shown",
    );
}

#[test]
fn metrics_that_disagree_decide_nothing() {
    concludes(
        json!([conversion("bought"), conversion("stayed")]),
        &converted(&[(400, 600), (600, 400)]),
        Outcome::Inconclusive,
        "the metrics disagree: bought is 6% against 4%; stayed is 4% against 6%",
    );
}

#[test]
fn means_and_ranks_are_judged_by_their_own_tests() {
    let metrics = json!([
        {"name": "spent", "kind": "mean", "direction": "higher", "column": "spent", "unit": "EUR"},
        {"name": "waited", "kind": "rank", "direction": "lower", "column": "waited", "unit": "s"},
    ]);
    let mean = |mean| Values::Mean(Moments::of(10_000, mean, 30.0).expect("possible"));
    let waited = |shift: f64| {
        let waits = (0..10_000).map(|n| f64::from(n % 977).powi(2) / 100.0 + shift).collect();
        Values::Rank(Ordered::new(waits).expect("finite"))
    };
    let observed =
        seen(vec![(10_000, vec![mean(52.0), waited(90.0)]), (10_000, vec![mean(55.0), waited(0.0)])]);
    let report =
        concludes(metrics, &observed, Outcome::Better, "spent is 55 EUR against 52 EUR; waited, −90 s");
    let tests: Vec<Test> =
        report.metrics.iter().map(|metric| metric.comparisons[0].evidence.expect("measured").test).collect();
    assert!(matches!(tests[..], [Test::Welch { .. }, Test::MannWhitney { .. }]));
}

#[test]
fn ranks_that_are_mostly_alike_lean_the_way_that_wins_more_pairs() {
    let metrics = json!([{"name": "calls", "kind": "rank", "direction": "lower", "column": "calls"}]);
    let calls = |many: usize| {
        let calls = (0..10_000).map(|n| if n < many { 5.0 } else { 0.0 }).collect();
        Values::Rank(Ordered::new(calls).expect("finite"))
    };
    let observed = seen(vec![(10_000, vec![calls(1_000)]), (10_000, vec![calls(700)])]);
    let report = concludes(metrics, &observed, Outcome::Better, "calls");
    let evidence = report.metrics[0].comparisons[0].evidence.expect("measured");
    assert_eq!(evidence.estimate, 0.0);
    assert!(matches!(evidence.effect, EffectSize::Superiority { rank_biserial, .. } if rank_biserial < 0.0));
}

#[test]
fn values_that_are_all_alike_say_nothing() {
    let metrics = json!([{"name": "spent", "kind": "mean", "direction": "higher", "column": "spent"}]);
    let alike = || Values::Mean(Moments::of(10_000, 5.0, 0.0).expect("possible"));
    let observed = seen(vec![(10_000, vec![alike()]), (10_000, vec![alike()])]);
    let report = concludes(metrics, &observed, Outcome::Inconclusive, "there is no answer for spent");
    assert_eq!(report.metrics[0].comparisons[0].obstacle, Some(Obstacle::NoSpread));
}

#[test]
fn answers_that_differ_are_different_and_rare_ones_are_not_judged() {
    let metrics = || json!([{"name": "plan", "kind": "category", "column": "plan"}]);
    let chose = |answers: &[(&str, u64)]| {
        Values::Category(
            answers.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<BTreeMap<_, _>>(),
        )
    };
    let of = |one: &[(&str, u64)], two: &[(&str, u64)]| {
        seen(vec![(10_000, vec![chose(one)]), (10_000, vec![chose(two)])])
    };
    let report = concludes(
        metrics(),
        &of(
            &[("free", 6_000), ("plus", 3_000), ("pro", 1_000)],
            &[("free", 5_500), ("plus", 3_300), ("pro", 1_200)],
        ),
        Outcome::Different,
        "green is different from control: the answers differ: plan, Cramér's V 0.05",
    );
    assert_eq!(report.metrics[0].comparisons[0].evidence.expect("measured").interval, None);
    let rare = of(&[("a", 9_998), ("b", 1), ("c", 1)], &[("a", 9_997), ("b", 2), ("c", 1)]);
    let report = concludes(metrics(), &rare, Outcome::Inconclusive, "no answer");
    assert_eq!(report.metrics[0].comparisons[0].obstacle, Some(Obstacle::TooFewAnswers));
    let two = of(&[("a", 10_000)], &[("a", 9_988), ("b", 12)]);
    let report = concludes(metrics(), &two, Outcome::Different, "different");
    assert!(matches!(
        report.metrics[0].comparisons[0].evidence.expect("measured").test,
        Test::ChiSquared { .. }
    ));
    let few = of(&[("a", 10_000)], &[("a", 9_997), ("b", 3)]);
    let report = concludes(metrics(), &few, Outcome::NoDifference, "No difference");
    assert_eq!(report.metrics[0].comparisons[0].evidence.expect("measured").test, Test::Fisher);
}

#[test]
fn few_conversions_are_judged_by_fishers_test() {
    let report =
        concludes(json!([conversion("bought")]), &converted(&[(0, 9)]), Outcome::Better, "green is better");
    let evidence = report.metrics[0].comparisons[0].evidence.expect("measured");
    assert_eq!((evidence.test, evidence.lift), (Test::Fisher, None));
    concludes(
        json!([conversion("bought")]),
        &converted(&[(0, 0)]),
        Outcome::NoDifference,
        "could not have shown much",
    );
}

#[test]
fn values_missing_more_often_in_one_arm_are_not_compared() {
    let metrics = json!([{"name": "spent", "kind": "mean", "direction": "higher", "column": "spent", "missing": "leave_out"}]);
    let of = |left_out: u64| {
        let mean = |count, left_out| Measured {
            values: Moments::of(count, 50.0 + count as f64 / 1e3, 30.0).map(Values::Mean),
            left_out,
        };
        let arm = |metrics| ObservedArm { subjects: 10_000, metrics: vec![metrics] };
        let arms = vec![arm(mean(9_000, 1_000)), arm(mean(10_000 - left_out, left_out))];
        Observed { arms, intake: Intake::default() }
    };
    let even = report(&experiment(metrics.clone(), 20_000), &of(1_050));
    assert_ne!(even.metrics[0].comparisons[0].outcome, Outcome::Invalid);
    let uneven = report(&experiment(metrics, 20_000), &of(1_300));
    assert_eq!(uneven.outcome, Outcome::Inconclusive);
    assert_eq!(uneven.metrics[0].comparisons[0].obstacle, Some(Obstacle::MissingUnevenly));
    assert_eq!(uneven.metrics[0].comparisons[0].outcome, Outcome::Invalid);
}

#[test]
fn earlier_looks_and_a_sample_that_went_on_are_told() {
    let mut document = experiment(json!([conversion("bought")]), 18_000);
    document.looks = vec![
        serde_json::from_value(json!({"at": "2026-03-02T12:00:00Z", "subjects": 4_000})).expect("a look"),
        serde_json::from_value(json!({"at": "2026-03-09T12:00:00Z", "subjects": 18_000})).expect("a look"),
    ];
    let report = report(&document, &converted(&[(400, 500)]));
    assert_eq!(report.outcome, Outcome::Better);
    let says: Vec<String> = words::checks(&report.checks).into_iter().map(|check| check.says).collect();
    assert!(says.iter().any(|says| says.contains("2026-03-02 12:00 UTC with 4,000 subjects.")), "{says:?}");
    assert!(says.iter().any(|says| says.contains("If it went on because of what was seen")), "{says:?}");
}

#[test]
fn each_arm_is_judged_and_all_share_the_chance() {
    let document = json!({
        "name": "colours", "planned_subjects": 30_000, "metrics": [conversion("bought")],
        "arms": [{"name": "grey", "share": 1}, {"name": "green", "share": 1}, {"name": "red", "share": 1}],
        "data": {"layout": "counts", "arm": "arm", "subjects": "subjects"},
    });
    let document = Experiment::parse(&document.to_string()).expect("valid");
    let arm = |count| (10_000, vec![did(count, 10_000)]);
    let report = report(&document, &seen(vec![arm(400), arm(500), arm(300)]));
    assert_eq!(report.deciding, 2);
    let outcomes: Vec<Outcome> = report.verdicts.iter().map(|verdict| verdict.outcome).collect();
    assert_eq!((report.outcome, outcomes), (Outcome::Better, vec![Outcome::Better, Outcome::Worse]));
    assert!(
        report.answer.contains("green is better than grey")
            && report.answer.contains("red is worse than grey")
    );
}

#[test]
fn numbers_read_as_people_write_them() {
    for (value, text) in [
        (0.0, "0"),
        (0.5, "0.5"),
        (1234.5, "1,235"),
        (-1234.5, "−1,235"),
        (12.3456, "12.35"),
        (0.000_01, "1.000e-5"),
        (f64::INFINITY, "unbounded"),
        (-0.004, "−0.004"),
        (1e20, "1.000e20"),
    ] {
        assert_eq!(words::number(value), text);
    }
    for (share, text) in
        [(0.0, "0%"), (0.04, "4%"), (0.041_26, "4.13%"), (0.000_512, "0.0512%"), (-0.005, "−0.5%")]
    {
        assert_eq!(words::percent(share), text);
    }
    assert_eq!(words::chance(0.034_56), "p = 0.035");
    assert_eq!(words::chance(0.000_01), "p < 0.0001");
}
