//! What numbers mean, in words: for people who decide, and who do not want to learn statistics for it.

use super::comparison::{Comparison, EffectSize, Evidence, Obstacle, Outcome, Test};
use super::document::{Direction, Kind, Role};
use super::report::{Checks, MetricReport};
use super::{Interval, Probability};
use crate::judge::grouped;

/// A share in percent, with as many digits as tell it from others.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = match percent.abs() {
        small if small > 0.0 && small < 0.1 => 4,
        small if small < 1.0 => 3,
        _ => 2,
    };
    format!("{}%", trimmed(percent, digits))
}

/// A number with four digits that count, and thousands apart.
pub fn number(value: f64) -> String {
    with_digits(value, 4)
}

fn with_digits(value: f64, counting: i32) -> String {
    if !value.is_finite() {
        return "unbounded".to_owned();
    }
    if value.abs() >= 1e15 || (value != 0.0 && value.abs() < 1e-4) {
        return format!("{value:.3e}");
    }
    if value.abs() >= 1_000.0 {
        let whole = grouped(value.abs().round() as u64);
        return if value < 0.0 { format!("−{whole}") } else { whole };
    }
    let digits =
        if value == 0.0 { 0 } else { (counting - 1 - value.abs().log10().floor() as i32).clamp(0, 8) };
    trimmed(value, digits as usize)
}

/// Without zeros at the end, and with a minus that is as wide as a plus.
fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

/// A chance: `p = 0.012`.
pub fn chance(p: f64) -> String {
    if p < 0.0001 {
        "p < 0.0001".to_owned()
    } else {
        format!("p = {}", trimmed(p, if p < 0.01 { 4 } else { 3 }))
    }
}

/// A value of a metric.
pub fn value(metric: &MetricReport, value: f64) -> String {
    match metric.kind {
        Kind::Conversion => percent(value),
        Kind::Mean | Kind::Rank => with_unit(metric, number(value)),
        Kind::Category => number(value),
    }
}

fn with_unit(metric: &MetricReport, number: String) -> String {
    match &metric.unit {
        Some(unit) => format!("{number} {unit}"),
        None => number,
    }
}

/// A difference of a metric, with its sign: `+0.5 pp`.
pub fn difference(metric: &MetricReport, difference: f64) -> String {
    let sign = if difference > 0.0 { "+" } else { "" };
    format!("{sign}{}", size(metric, difference))
}

/// The size of a difference, without a plus.
fn size(metric: &MetricReport, difference: f64) -> String {
    match metric.kind {
        Kind::Conversion => format!("{} pp", points(difference)),
        Kind::Mean | Kind::Rank => with_unit(metric, with_digits(difference, 3)),
        Kind::Category => number(difference),
    }
}

/// Percentage points, with fewer digits than a share: the ends of an interval are no more exact than that.
fn points(difference: f64) -> String {
    let points = difference * 100.0;
    let digits = match points.abs() {
        small if small > 0.0 && small < 0.01 => 4,
        small if small < 0.1 => 3,
        _ => 2,
    };
    trimmed(points, digits)
}

/// How sure an interval is: `95%`.
pub fn confidence(alpha: Probability) -> String {
    format!("{}%", trimmed((1.0 - alpha.get()) * 100.0, 2))
}

/// An interval of a difference.
pub fn between(metric: &MetricReport, interval: Interval) -> String {
    format!("{} to {}", difference(metric, interval.low), difference(metric, interval.high))
}

/// The difference with its interval.
pub fn strength(metric: &MetricReport, evidence: &Evidence) -> String {
    match (evidence.effect, evidence.interval) {
        (EffectSize::CramersV { v }, _) => format!("Cramér's V {}", number(v)),
        (_, Some(interval)) => format!(
            "{} ({} interval {})",
            difference(metric, evidence.estimate),
            confidence(evidence.alpha),
            between(metric, interval),
        ),
        (_, None) => difference(metric, evidence.estimate),
    }
}

/// The smallest effect that would have been shown in four experiments of five.
pub fn smallest(metric: &MetricReport, compared: &Comparison) -> Option<String> {
    let evidence = compared.evidence.as_ref()?;
    let smallest = evidence.smallest_shown?;
    let way = match metric.direction {
        Some(Direction::Lower) => "a fall",
        Some(Direction::Higher) | None => "a rise",
    };
    Some(match metric.kind {
        Kind::Conversion => format!("{way} of {} in four experiments of five", size(metric, smallest)),
        Kind::Mean => format!("a difference of {} in four experiments of five", size(metric, smallest)),
        Kind::Rank => {
            format!("one arm winning {} of all pairs in four experiments of five", percent(smallest))
        }
        Kind::Category => format!("a Cramér's V of {} in four experiments of five", number(smallest)),
    })
}

/// What a comparison says, in a few sentences.
pub fn comparison(metric: &MetricReport, compared: &Comparison) -> String {
    let Some(evidence) = &compared.evidence else {
        return obstacle(compared.obstacle.unwrap_or(Obstacle::NothingMeasured)).to_owned();
    };
    let finding = finding(metric, compared, evidence);
    match compared.obstacle {
        Some(Obstacle::TooEarly) => format!("{} So far: {finding}", obstacle(Obstacle::TooEarly)),
        Some(reason) => format!("{} As counted: {finding}", obstacle(reason)),
        None if metric.role == Role::Guardrail => {
            format!("{} {finding}", guardrail(metric, compared, evidence))
        }
        None if compared.outcome == Outcome::NoDifference => format!("{finding}{}", could(metric, compared)),
        None => finding,
    }
}

fn could(metric: &MetricReport, compared: &Comparison) -> String {
    smallest(metric, compared)
        .map_or(String::new(), |smallest| format!(" These numbers would have shown {smallest}."))
}

fn finding(metric: &MetricReport, compared: &Comparison, evidence: &Evidence) -> String {
    let p = compared.p_adjusted.unwrap_or(evidence.p);
    let lift = evidence.lift.map_or(String::new(), |lift| {
        let way = if lift < 0.0 { "less" } else { "more" };
        format!(", {}% {way} than the control", trimmed(lift.abs() * 100.0, 1))
    });
    let pairs = match evidence.effect {
        EffectSize::Superiority { superiority, .. } => {
            format!(" In {} of all pairs {} has the higher value.", percent(superiority), compared.arm)
        }
        EffectSize::CohensH { .. } | EffectSize::Standardised { .. } | EffectSize::CramersV { .. } => {
            String::new()
        }
    };
    format!(
        "The difference is {}{lift}.{pairs} Without one, chance would do as much in {} of such experiments ({}).",
        strength(metric, evidence),
        percent_of_chance(p),
        chance(p)
    )
}

fn percent_of_chance(p: f64) -> String {
    if p < 0.0001 { "less than 0.01%".to_owned() } else { percent(p) }
}

fn guardrail(metric: &MetricReport, compared: &Comparison, evidence: &Evidence) -> String {
    let borne = compared.margin.map_or("nothing".to_owned(), |margin| size(metric, margin));
    let worst = evidence.interval.map_or("any amount".to_owned(), |interval| {
        let worst = match metric.direction {
            Some(Direction::Lower) => interval.high,
            Some(Direction::Higher) | None => -interval.low,
        };
        if worst > 0.0 { size(metric, worst) } else { "nothing".to_owned() }
    });
    match compared.outcome {
        Outcome::NotWorse => format!("The guardrail holds: worse by {worst} at most, and {borne} is borne."),
        Outcome::Worse => format!("The guardrail is broken: worse by more than the {borne} that is borne."),
        Outcome::Better
        | Outcome::Different
        | Outcome::NoDifference
        | Outcome::Inconclusive
        | Outcome::Invalid => {
            format!(
                "It is not shown that the guardrail holds: it may be worse by {worst}, and {borne} is borne."
            )
        }
    }
}

fn obstacle(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::ExperimentInvalid => "Not to be believed, because the experiment is not valid.",
        Obstacle::TooEarly => "Not judged: the planned sample is not reached.",
        Obstacle::NothingMeasured => "Nothing was measured in one of the arms.",
        Obstacle::NoSpread => "All values are alike or too few, so nobody knows what chance alone would do.",
        Obstacle::TooFewAnswers => "Some answers are too rare for the test: put rare ones together.",
        Obstacle::MissingUnevenly => {
            "Values are missing more often in one arm than in another, so those that are there cannot be compared."
        }
    }
}

/// The outcome in a word or two.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Better => "better",
        Outcome::Worse => "worse",
        Outcome::Different => "different",
        Outcome::NotWorse => "holds",
        Outcome::NoDifference => "no difference shown",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Invalid => "invalid",
    }
}

/// The test in a few words, with its statistic.
pub fn test(test: &Test) -> String {
    match test {
        Test::ChiSquared { found, p_yates } => {
            let yates = p_yates.map_or(String::new(), |p| format!("; with Yates's correction {}", chance(p)));
            format!("Pearson's χ² = {}, {} df{yates}", number(found.statistic), number(found.degrees))
        }
        Test::Fisher => "Fisher's exact test, because few are expected in a cell".to_owned(),
        Test::Welch { found } => {
            format!("Welch's t = {}, {} df", number(found.t), number(found.degrees))
        }
        Test::MannWhitney { found } => format!("Mann-Whitney U = {}", number(found.u)),
    }
}

/// An effect size.
pub fn effect(effect: EffectSize) -> String {
    let of = |value: Option<f64>| value.map_or("unknown".to_owned(), number);
    match effect {
        EffectSize::CohensH { h } => format!("Cohen's h {}", number(h)),
        EffectSize::Standardised { d, g } => format!("Cohen's d {}, Hedges's g {}", of(d), of(g)),
        EffectSize::Superiority { superiority, rank_biserial } => {
            format!("wins {} of pairs, rank-biserial {}", percent(superiority), number(rank_biserial))
        }
        EffectSize::CramersV { v } => format!("Cramér's V {}", number(v)),
    }
}

/// One thing that was checked: whether it is well, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What was checked.
    pub what: &'static str,
    /// Whether it speaks against the report.
    pub state: CheckState,
    /// What was found.
    pub says: String,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// Well.
    Holds,
    /// To be known.
    Noted,
    /// It overrules the metrics.
    Fails,
}

/// What had to hold, one line each.
pub fn checks(checks: &Checks) -> Vec<Checked> {
    let mut lines = Vec::new();
    let mut line = |what, state, says: String| lines.push(Checked { what, state, says });
    if let Some(split) = &checks.split {
        let state = if split.is_as_planned() { CheckState::Holds } else { CheckState::Fails };
        line("Split", state, super::verdict::of_split(split));
    }
    let (subjects, planned) = (grouped(checks.subjects), grouped(checks.planned_subjects));
    if !checks.is_sample_reached() {
        let says = format!(
            "{subjects} of {planned} planned subjects are in. This is an early look; note it in the document's `looks`."
        );
        line("Sample", CheckState::Fails, says);
    } else if checks.subjects as f64 > checks.planned_subjects as f64 * 1.1 {
        let says = format!(
            "{subjects} subjects are in and {planned} were planned. If it went on because of what was seen, the chances do not hold."
        );
        line("Sample", CheckState::Noted, says);
    } else {
        line("Sample", CheckState::Holds, format!("{subjects} subjects are in; {planned} were planned."));
    }
    if checks.early_looks.is_empty() {
        line("Looks", CheckState::Holds, "No look before the planned sample is on record.".to_owned());
    } else {
        let looks: Vec<String> = checks
            .early_looks
            .iter()
            .map(|look| {
                format!("{} with {} subjects", look.at.strftime("%Y-%m-%d %H:%M UTC"), grouped(look.subjects))
            })
            .collect();
        let says = format!(
            "It was looked at before the planned sample was reached: {}. That is harmless only if nobody would have stopped then.",
            looks.join(", ")
        );
        line("Looks", CheckState::Noted, says);
    }
    let intake = &checks.intake;
    if !intake.subjects_are_known {
        let says =
            "The data do not say who is who, so nobody is known who was in two arms or is there twice.";
        line("Subjects", CheckState::Noted, says.to_owned());
    } else if intake.crossed + intake.repeated > 0 {
        let state = if checks.crossed_share() > super::report::CROSSED_MAX {
            CheckState::Fails
        } else {
            CheckState::Noted
        };
        let says = format!(
            "{} subjects were in more than one arm and count in none; {} further rows of a subject do not count.",
            grouped(intake.crossed),
            grouped(intake.repeated)
        );
        line("Subjects", state, says);
    } else {
        line("Subjects", CheckState::Holds, "Every subject is in one arm, and there once.".to_owned());
    }
    lines
}
