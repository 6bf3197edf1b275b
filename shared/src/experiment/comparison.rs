//! One arm against the control on one metric: the difference, how sure one is of it, and what that comes to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::contingency::{ChiSquared, Yates, chi_squared, fisher_exact};
use super::document::{Direction, Metric, Role};
use super::mean::{Moments, Welch, cohens_d, hedges_g};
use super::observed::Values;
use super::power::{smallest_association, smallest_difference, smallest_rise, smallest_superiority};
use super::proportion::{
    Proportion, cohens_h, newcombe, relative_lift, relative_lift_interval, risk_difference,
};
use super::rank::{MannWhitney, Ordered, hodges_lehmann, mann_whitney};
use super::{Alternative, Interval, Probability};

/// An arm against the control.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// What the comparison comes to.
    pub outcome: Outcome,
    /// What was measured, unless nothing could be.
    pub evidence: Option<Evidence>,
    /// The chance of as much without a difference, for all questions that are asked together.
    pub p_adjusted: Option<f64>,
    /// For a guardrail: the worsening that is borne, in the metric's own measure.
    pub margin: Option<f64>,
    /// Why there is no answer.
    pub obstacle: Option<Obstacle>,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The arm is better than the control.
    Better,
    /// The arm is worse; for a guardrail, by more than is borne.
    Worse,
    /// The arm is different; which way is good cannot be said.
    Different,
    /// A guardrail holds.
    NotWorse,
    /// No difference is shown, which is not the same as none.
    NoDifference,
    /// There is no answer yet.
    Inconclusive,
    /// The numbers cannot be used.
    Invalid,
}

/// Why a comparison has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The experiment as a whole may not be read: the split is not as planned, or subjects were in several arms.
    ExperimentInvalid,
    /// The planned sample is not reached.
    TooEarly,
    /// An arm has no numbers for this metric.
    NothingMeasured,
    /// All numbers are the same, or there are fewer than two, so nobody knows what chance does.
    NoSpread,
    /// Too many answers were given too rarely for χ².
    TooFewAnswers,
    /// Numbers are missing more often in one arm than in another.
    MissingUnevenly,
}

/// The numbers behind a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The difference: of shares, of means, the shift, or Cramér's V.
    pub estimate: f64,
    /// Its interval, which a category has none of.
    pub interval: Option<Interval>,
    /// The level of the interval: 0.05 is 95 %.
    pub alpha: Probability,
    /// The chance of as much without a difference.
    pub p: f64,
    /// By what part the arm's value is more than the control's.
    pub lift: Option<f64>,
    /// The interval of that, for a conversion.
    pub lift_interval: Option<Interval>,
    /// The test that was made.
    pub test: Test,
    /// How large the difference is, free of units.
    pub effect: EffectSize,
    /// The smallest effect that would have been shown with 80 %: of shares and means in their own measure, of ranks the chance
    /// that one arm beats the other, of a category Cramér's V.
    pub smallest_shown: Option<f64>,
}

/// The test that was made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Test {
    /// Pearson's χ², without continuity correction; with it for comparison where there is one.
    ChiSquared {
        /// What it says.
        #[serde(flatten)]
        found: ChiSquared,
        /// The chance with Yates's correction, which decides nothing.
        p_yates: Option<f64>,
    },
    /// Fisher's exact test, because fewer than five were expected in a cell.
    Fisher,
    /// Welch's t-test.
    Welch {
        /// What it says.
        #[serde(flatten)]
        found: Welch,
    },
    /// The Mann-Whitney test.
    MannWhitney {
        /// What it says.
        #[serde(flatten)]
        found: MannWhitney,
    },
}

/// How large a difference is, free of units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum EffectSize {
    /// Cohen's h.
    CohensH {
        /// Its value.
        h: f64,
    },
    /// Cohen's d, and Hedges's g.
    Standardised {
        /// Cohen's d.
        d: Option<f64>,
        /// Hedges's g.
        g: Option<f64>,
    },
    /// How often one arm beats the other.
    Superiority {
        /// The common-language effect size.
        superiority: f64,
        /// The rank-biserial correlation.
        rank_biserial: f64,
    },
    /// Cramér's V.
    CramersV {
        /// Its value.
        v: f64,
    },
}

/// How sure one wants to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    pub(super) alpha: Probability,
    pub(super) power: Probability,
}

/// The numbers of a comparison, or why there are none.
pub(super) fn evidence(
    metric: &Metric,
    control: &Values,
    treatment: &Values,
    levels: Levels,
) -> Result<Evidence, Obstacle> {
    match (control, treatment) {
        (Values::Conversion(one), Values::Conversion(two)) => Ok(conversion(metric, *one, *two, levels)),
        (Values::Mean(one), Values::Mean(two)) => mean(one, two, levels),
        (Values::Rank(one), Values::Rank(two)) => rank(one, two, levels),
        (Values::Category(one), Values::Category(two)) => category(one, two, levels),
        (Values::Conversion(_) | Values::Mean(_) | Values::Rank(_) | Values::Category(_), _) => {
            Err(Obstacle::NothingMeasured)
        }
    }
}

fn conversion(metric: &Metric, one: Proportion, two: Proportion, levels: Levels) -> Evidence {
    let table = [[one.successes(), one.failures()], [two.successes(), two.failures()]];
    let rows: Vec<Vec<u64>> = table.iter().map(|row| row.to_vec()).collect();
    let pearson = chi_squared(&rows, Yates::Without).filter(|found| found.expected_min >= 5.0);
    let (test, p) = match pearson {
        Some(found) => {
            let p_yates = chi_squared(&rows, Yates::With).map(|found| found.p);
            (Test::ChiSquared { found, p_yates }, found.p)
        }
        None => (Test::Fisher, fisher_exact(table, Alternative::TwoSided)),
    };
    // For a share that should fall, the smallest fall: the rise of those who did not.
    let base = match metric.direction {
        Some(Direction::Lower) => 1.0 - one.share(),
        Some(Direction::Higher) | None => one.share(),
    };
    let sizes = (one.trials() as f64, two.trials() as f64);
    Evidence {
        estimate: risk_difference(one, two),
        interval: Some(newcombe(one, two, levels.alpha)),
        alpha: levels.alpha,
        p,
        lift: relative_lift(one, two),
        lift_interval: relative_lift_interval(one, two, levels.alpha),
        test,
        effect: EffectSize::CohensH { h: cohens_h(one, two) },
        smallest_shown: Probability::new(base)
            .and_then(|base| smallest_rise(base, sizes, levels.alpha, levels.power)),
    }
}

fn mean(one: &Moments, two: &Moments, levels: Levels) -> Result<Evidence, Obstacle> {
    let found = Welch::of(one, two).ok_or(Obstacle::NoSpread)?;
    let lift = found.difference / one.mean().abs();
    Ok(Evidence {
        estimate: found.difference,
        interval: found.interval(levels.alpha),
        alpha: levels.alpha,
        p: found.p(Alternative::TwoSided),
        lift: lift.is_finite().then_some(lift),
        lift_interval: None,
        test: Test::Welch { found },
        effect: EffectSize::Standardised { d: cohens_d(one, two), g: hedges_g(one, two) },
        smallest_shown: Some(smallest_difference(found.standard_error, levels.alpha, levels.power)),
    })
}

fn rank(one: &Ordered, two: &Ordered, levels: Levels) -> Result<Evidence, Obstacle> {
    let found = mann_whitney(one, two, Alternative::TwoSided);
    let shift = hodges_lehmann(one, two, levels.alpha);
    let sizes = (one.count() as f64, two.count() as f64);
    let known = shift.interval.low.is_finite() && shift.interval.high.is_finite();
    if one.count() < 2 || two.count() < 2 || !shift.estimate.is_finite() {
        return Err(Obstacle::NoSpread);
    }
    Ok(Evidence {
        estimate: shift.estimate,
        interval: known.then_some(shift.interval),
        alpha: levels.alpha,
        p: found.p,
        lift: None,
        lift_interval: None,
        test: Test::MannWhitney { found },
        effect: EffectSize::Superiority {
            superiority: found.superiority(),
            rank_biserial: found.rank_biserial(),
        },
        smallest_shown: Some(smallest_superiority(sizes, levels.alpha, levels.power)),
    })
}

type Answers = BTreeMap<String, u64>;

fn category(one: &Answers, two: &Answers, levels: Levels) -> Result<Evidence, Obstacle> {
    let every: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    let row = |answers: &Answers| -> Vec<u64> {
        every.iter().map(|answer| answers.get(*answer).copied().unwrap_or(0)).collect()
    };
    let table = vec![row(one), row(two)];
    let subjects: u64 = table.iter().flatten().sum();
    let found = chi_squared(&table, Yates::Without).ok_or(Obstacle::NoSpread)?;
    let (test, p) = match table.as_slice() {
        [first, second] if !found.is_trusted() => match (first.as_slice(), second.as_slice()) {
            ([a, b], [c, d]) => (Test::Fisher, fisher_exact([[*a, *b], [*c, *d]], Alternative::TwoSided)),
            _ => return Err(Obstacle::TooFewAnswers),
        },
        _ => (Test::ChiSquared { found, p_yates: None }, found.p),
    };
    let smallest = smallest_association(subjects as f64, found.degrees, levels.alpha, levels.power);
    Ok(Evidence {
        estimate: found.cramers_v,
        interval: None,
        alpha: levels.alpha,
        p,
        lift: None,
        lift_interval: None,
        test,
        effect: EffectSize::CramersV { v: found.cramers_v },
        smallest_shown: Some(smallest),
    })
}

/// What the numbers of a comparison come to, once the sample is there and nothing speaks against it.
pub(super) fn outcome(
    metric: &Metric,
    evidence: &Evidence,
    p_adjusted: f64,
    margin: Option<f64>,
    alpha: Probability,
) -> Outcome {
    let towards_good = match metric.direction {
        Some(Direction::Lower) => -1.0,
        Some(Direction::Higher) | None => 1.0,
    };
    if metric.role == Role::Guardrail {
        let (Some(interval), Some(margin)) = (evidence.interval, margin) else {
            return Outcome::Inconclusive;
        };
        let ends = [interval.low * towards_good, interval.high * towards_good];
        let (worst, best) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        return match () {
            () if worst > -margin => Outcome::NotWorse,
            () if best < -margin => Outcome::Worse,
            () => Outcome::Inconclusive,
        };
    }
    if p_adjusted >= alpha.get() {
        return Outcome::NoDifference;
    }
    let gain = towards_good * leaning(evidence);
    match metric.direction {
        None => Outcome::Different,
        Some(_) if gain > 0.0 => Outcome::Better,
        Some(_) if gain < 0.0 => Outcome::Worse,
        Some(_) => Outcome::NoDifference,
    }
}

/// Which way the evidence leans. Ranks lean as often as one arm beats the other: their shift may be 0 where most are alike.
fn leaning(evidence: &Evidence) -> f64 {
    match evidence.effect {
        EffectSize::Superiority { rank_biserial, .. } => rank_biserial,
        EffectSize::CohensH { .. } | EffectSize::Standardised { .. } | EffectSize::CramersV { .. } => {
            evidence.estimate
        }
    }
}
