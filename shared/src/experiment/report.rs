//! The final report of an experiment: what may be believed, of each metric and of the whole.

use std::collections::BTreeMap;

use serde::Serialize;

use super::comparison::{self, Comparison, Levels, Obstacle, Outcome};
use super::contingency::{Yates, chi_squared};
use super::correction::{benjamini_hochberg, holm, holm_levels};
use super::document::{Direction, Effect, Experiment, Kind, Look, Metric, Role};
use super::observed::{Intake, Measured, Observed, Values};
use super::split::{SplitCheck, sample_ratio};
use super::{Interval, Probability};

/// So large a part of the subjects in several arms says that assigning them does not work.
pub const CROSSED_MAX: f64 = 0.01;
/// Numbers that are missing so unevenly are not missing by accident.
const MISSING_P_MIN: f64 = 0.001;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The experiment.
    pub name: String,
    /// What somebody expected.
    pub hypothesis: Option<String>,
    /// What the experiment comes to.
    pub outcome: Outcome,
    /// The answer in a few words.
    pub headline: String,
    /// The answer with its reason, a sentence for each arm.
    pub answer: String,
    /// What each arm comes to.
    pub verdicts: Vec<Verdict>,
    /// The metrics, in the document's order.
    pub metrics: Vec<MetricReport>,
    /// What had to hold before any of it counts.
    pub checks: Checks,
    /// The chance of a wrong answer that is accepted.
    pub alpha: Probability,
    /// How many answers share it.
    pub deciding: u32,
}

/// What an arm comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The arm.
    pub arm: String,
    /// What it comes to.
    pub outcome: Outcome,
    /// Why, in a sentence.
    pub because: String,
}

/// What had to hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checks {
    /// Whether the split is as planned; none if there is nobody.
    pub split: Option<SplitCheck>,
    /// The names of the arms, in order.
    pub arms: Vec<String>,
    /// How many subjects there are.
    pub subjects: u64,
    /// How many were planned.
    pub planned_subjects: u64,
    /// Looks before the planned sample was reached.
    pub early_looks: Vec<Look>,
    /// What was noticed while reading.
    #[serde(flatten)]
    pub intake: Intake,
}

impl Checks {
    /// Whether there are as many subjects as were planned.
    pub fn is_sample_reached(&self) -> bool {
        self.subjects >= self.planned_subjects
    }

    /// The part of all subjects who were in more than one arm.
    pub fn crossed_share(&self) -> f64 {
        let all = self.subjects + self.intake.crossed;
        if all == 0 { 0.0 } else { self.intake.crossed as f64 / all as f64 }
    }

    /// Whether arms may be compared at all.
    pub fn is_valid(&self) -> bool {
        self.split.as_ref().is_none_or(SplitCheck::is_as_planned) && self.crossed_share() <= CROSSED_MAX
    }
}

/// What a metric comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricReport {
    /// Its name.
    pub name: String,
    /// What sort of numbers it has.
    pub kind: Kind,
    /// What its answer is for.
    pub role: Role,
    /// Which way is good.
    pub direction: Option<Direction>,
    /// What it is measured in.
    pub unit: Option<String>,
    /// The arms' own numbers.
    pub arms: Vec<ArmFigures>,
    /// The arms against the control.
    pub comparisons: Vec<Comparison>,
}

/// An arm's own numbers for a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmFigures {
    /// The arm.
    pub arm: String,
    /// How many subjects count.
    pub count: u64,
    /// How many were left out.
    pub left_out: u64,
    /// The share, the mean, or the median.
    pub value: Option<f64>,
    /// The interval of a share or a mean.
    pub interval: Option<Interval>,
    /// How many did, of a conversion.
    pub successes: Option<u64>,
    /// The standard deviation, of a mean.
    pub deviation: Option<f64>,
    /// The answers, of a category.
    pub answers: BTreeMap<String, u64>,
}

/// Reports on an experiment whose arms and metrics `observed` holds, in the document's order.
pub fn report(experiment: &Experiment, observed: &Observed) -> Report {
    let checks = checks(experiment, observed);
    let look = |levels: &dyn Fn(usize, usize) -> Probability| -> Vec<MetricReport> {
        let of = |(index, metric)| look_at(experiment, observed, (index, metric), &|arm| levels(index, arm));
        experiment.metrics.iter().enumerate().map(of).collect()
    };
    // Holm's levels follow from all chances, so what decides is looked at once for those, and again at its own level.
    let levels = levels(experiment, &look(&|_, _| experiment.alpha));
    let mut metrics = look(&|metric, arm| levels.get(&(metric, arm)).copied().unwrap_or(experiment.alpha));
    adjust(&mut metrics);
    for (metric, of) in metrics.iter_mut().zip(&experiment.metrics) {
        for compared in &mut metric.comparisons {
            settle(compared, of, &checks, experiment.alpha);
        }
    }
    let verdicts = super::verdict::of_arms(experiment, &metrics, &checks);
    let outcome = super::verdict::of_experiment(&verdicts);
    let (headline, answer) = super::verdict::answer(experiment, &verdicts, &checks);
    Report {
        name: experiment.name.clone(),
        hypothesis: experiment.hypothesis.clone(),
        outcome,
        headline,
        answer,
        verdicts,
        metrics,
        checks,
        alpha: experiment.alpha,
        deciding: experiment.deciding(),
    }
}

fn checks(experiment: &Experiment, observed: &Observed) -> Checks {
    let arms: Vec<(u64, f64)> = observed
        .arms
        .iter()
        .zip(&experiment.arms)
        .map(|(arm, planned)| (arm.subjects, planned.share))
        .collect();
    let planned_subjects = experiment.planned_subjects;
    Checks {
        split: sample_ratio(&arms),
        arms: experiment.arms.iter().map(|arm| arm.name.clone()).collect(),
        subjects: arms.iter().map(|(subjects, _)| subjects).sum(),
        planned_subjects,
        early_looks: experiment
            .looks
            .iter()
            .copied()
            .filter(|look| look.subjects < planned_subjects)
            .collect(),
        intake: observed.intake.clone(),
    }
}

/// The levels at which Holm's correction compares what decides, by metric and arm.
fn levels(experiment: &Experiment, metrics: &[MetricReport]) -> BTreeMap<(usize, usize), Probability> {
    let mut keys = Vec::new();
    let mut chances = Vec::new();
    for (index, metric) in metrics.iter().enumerate().filter(|(_, metric)| metric.role == Role::Primary) {
        for (arm, compared) in metric.comparisons.iter().enumerate() {
            keys.push((index, arm + 1));
            chances.push(chance(compared));
        }
    }
    keys.into_iter().zip(holm_levels(&chances, experiment.alpha)).collect()
}

/// What could not be measured was asked all the same, and counts as a question.
fn chance(compared: &Comparison) -> f64 {
    compared.evidence.as_ref().map_or(1.0, |evidence| evidence.p)
}

fn look_at(
    experiment: &Experiment,
    observed: &Observed,
    (index, metric): (usize, &Metric),
    level: &dyn Fn(usize) -> Probability,
) -> MetricReport {
    let measured: Vec<Option<&Measured>> = observed.arms.iter().map(|arm| arm.metrics.get(index)).collect();
    let values =
        |index: usize| measured.get(index).copied().flatten().and_then(|measured| measured.values.as_ref());
    let uneven = misses_unevenly(&measured);
    let compare = |(index, name): (usize, &str)| {
        let levels = Levels { alpha: level(index), power: Probability::EIGHTY_PERCENT };
        let found = match (values(0), values(index)) {
            _ if uneven => Err(Obstacle::MissingUnevenly),
            (Some(control), Some(treatment)) => comparison::evidence(metric, control, treatment, levels),
            (None, _) | (_, None) => Err(Obstacle::NothingMeasured),
        };
        Comparison {
            arm: name.to_owned(),
            outcome: Outcome::Inconclusive,
            p_adjusted: None,
            margin: margin(metric, values(0)),
            obstacle: found.err(),
            evidence: found.ok(),
        }
    };
    MetricReport {
        name: metric.name.clone(),
        kind: metric.kind,
        role: metric.role,
        direction: metric.direction,
        unit: metric.unit.clone(),
        arms: experiment
            .arms
            .iter()
            .zip(&measured)
            .map(|(arm, measured)| figures(&arm.name, *measured, experiment.alpha))
            .collect(),
        comparisons: experiment.treatments().map(|(index, arm)| compare((index, &arm.name))).collect(),
    }
}

fn misses_unevenly(measured: &[Option<&Measured>]) -> bool {
    let table: Vec<Vec<u64>> = measured
        .iter()
        .flatten()
        .map(|measured| vec![measured.left_out, measured.values.as_ref().map_or(0, Values::count)])
        .collect();
    chi_squared(&table, Yates::Without).is_some_and(|found| found.is_trusted() && found.p < MISSING_P_MIN)
}

fn margin(metric: &Metric, control: Option<&Values>) -> Option<f64> {
    let of = |effect: Effect| control.and_then(Values::centre).map(|value| effect.on(value));
    metric.not_worse_by.and_then(of)
}

impl Values {
    /// How many subjects these are of.
    pub fn count(&self) -> u64 {
        match self {
            Self::Conversion(proportion) => proportion.trials(),
            Self::Mean(moments) => moments.count(),
            Self::Rank(ordered) => ordered.count() as u64,
            Self::Category(answers) => answers.values().sum(),
        }
    }

    /// The share, the mean or the median.
    pub fn centre(&self) -> Option<f64> {
        match self {
            Self::Conversion(proportion) => Some(proportion.share()),
            Self::Mean(moments) => Some(moments.mean()),
            Self::Rank(ordered) => Some(ordered.median()),
            Self::Category(_) => None,
        }
    }
}

fn figures(arm: &str, measured: Option<&Measured>, alpha: Probability) -> ArmFigures {
    let values = measured.and_then(|measured| measured.values.as_ref());
    let (interval, successes, deviation, answers) = match values {
        Some(Values::Conversion(share)) => (Some(share.wilson(alpha)), Some(share.successes()), None, None),
        Some(Values::Mean(moments)) => (moments.interval(alpha), None, Some(moments.deviation()), None),
        Some(Values::Category(answers)) => (None, None, None, Some(answers.clone())),
        Some(Values::Rank(_)) | None => (None, None, None, None),
    };
    ArmFigures {
        arm: arm.to_owned(),
        count: values.map_or(0, Values::count),
        left_out: measured.map_or(0, |measured| measured.left_out),
        value: values.and_then(Values::centre),
        interval,
        successes,
        deviation,
        answers: answers.unwrap_or_default(),
    }
}

/// Holm's correction over what decides, Benjamini's and Hochberg's over what gives ideas. Guardrails need none: all of them
/// must hold, so the chance that a broken one passes is that of one.
fn adjust(metrics: &mut [MetricReport]) {
    let correct = |metrics: &mut [MetricReport], role: Role, correction: fn(&[f64]) -> Vec<f64>| {
        let mut compared: Vec<&mut Comparison> = metrics
            .iter_mut()
            .filter(|metric| metric.role == role)
            .flat_map(|metric| &mut metric.comparisons)
            .collect();
        let chances: Vec<f64> = compared.iter().map(|compared| chance(compared)).collect();
        for (compared, adjusted) in compared.iter_mut().zip(correction(&chances)) {
            compared.p_adjusted = compared.evidence.as_ref().map(|_| adjusted);
        }
    };
    correct(metrics, Role::Primary, holm);
    correct(metrics, Role::Exploratory, benjamini_hochberg);
    correct(metrics, Role::Guardrail, <[f64]>::to_vec);
}

/// Says what a comparison comes to, the checks of the whole experiment first.
fn settle(compared: &mut Comparison, metric: &Metric, checks: &Checks, alpha: Probability) {
    let obstacle = if !checks.is_valid() {
        Some(Obstacle::ExperimentInvalid)
    } else if !checks.is_sample_reached() {
        Some(Obstacle::TooEarly)
    } else {
        compared.obstacle
    };
    compared.obstacle = obstacle;
    compared.outcome = match (obstacle, &compared.evidence, compared.p_adjusted) {
        (Some(Obstacle::ExperimentInvalid | Obstacle::MissingUnevenly), _, _) => Outcome::Invalid,
        (
            Some(
                Obstacle::TooEarly | Obstacle::NothingMeasured | Obstacle::NoSpread | Obstacle::TooFewAnswers,
            ),
            _,
            _,
        ) => Outcome::Inconclusive,
        (None, Some(evidence), Some(p)) => comparison::outcome(metric, evidence, p, compared.margin, alpha),
        (None, None, _) | (None, _, None) => Outcome::Inconclusive,
    };
}
