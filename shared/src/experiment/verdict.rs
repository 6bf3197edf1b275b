//! From the metrics to an answer: of each arm, and of the experiment.

use super::comparison::{Comparison, Outcome};
use super::document::{Experiment, Kind, Role};
use super::report::{Checks, MetricReport, Verdict};
use super::split::SplitCheck;
use super::words;
use crate::judge::grouped;

/// What each arm but the control comes to.
pub(super) fn of_arms(experiment: &Experiment, metrics: &[MetricReport], checks: &Checks) -> Vec<Verdict> {
    experiment
        .treatments()
        .map(|(index, arm)| {
            let compared: Vec<(&MetricReport, &Comparison)> = metrics
                .iter()
                .filter_map(|metric| Some((metric, metric.comparisons.get(index - 1)?)))
                .collect();
            let (outcome, because) = before_all(checks).unwrap_or_else(|| of_arm(&compared));
            Verdict { arm: arm.name.clone(), outcome, because }
        })
        .collect()
}

/// What overrules every metric.
fn before_all(checks: &Checks) -> Option<(Outcome, String)> {
    if checks.split.as_ref().is_some_and(|split| !split.is_as_planned()) {
        let because = "subjects are not split between the arms as planned, so something besides chance chose who saw what";
        return Some((Outcome::Invalid, because.to_owned()));
    }
    if !checks.is_valid() {
        let because =
            format!("{} of the subjects were in more than one arm", words::percent(checks.crossed_share()));
        return Some((Outcome::Invalid, because));
    }
    (!checks.is_sample_reached()).then(|| {
        let (subjects, planned) = (grouped(checks.subjects), grouped(checks.planned_subjects));
        (
            Outcome::Inconclusive,
            format!("{subjects} of {planned} planned subjects are in, and nothing wins before all are"),
        )
    })
}

fn of_arm(compared: &[(&MetricReport, &Comparison)]) -> (Outcome, String) {
    let with = |role: Role, outcomes: &[Outcome]| -> Vec<&(&MetricReport, &Comparison)> {
        compared
            .iter()
            .filter(|(metric, compared)| metric.role == role && outcomes.contains(&compared.outcome))
            .collect()
    };
    let say = |those: &[&(&MetricReport, &Comparison)]| {
        those.iter().map(|(metric, compared)| brief(metric, compared)).collect::<Vec<_>>().join("; ")
    };
    let names = |those: &[&(&MetricReport, &Comparison)]| {
        those.iter().map(|(metric, _)| metric.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let broken = with(Role::Guardrail, &[Outcome::Worse]);
    if !broken.is_empty() {
        return (Outcome::Worse, format!("a guardrail is broken: {}", say(&broken)));
    }
    let (better, worse) = (with(Role::Primary, &[Outcome::Better]), with(Role::Primary, &[Outcome::Worse]));
    let different = with(Role::Primary, &[Outcome::Different]);
    let unclear = with(Role::Primary, &[Outcome::Inconclusive, Outcome::Invalid]);
    let open = with(Role::Guardrail, &[Outcome::Inconclusive, Outcome::Invalid, Outcome::NoDifference]);
    if !better.is_empty() && !worse.is_empty() {
        return (Outcome::Inconclusive, format!("the metrics disagree: {}; {}", say(&better), say(&worse)));
    }
    if !worse.is_empty() {
        return (Outcome::Worse, say(&worse));
    }
    if !better.is_empty() && !open.is_empty() {
        let because = format!(
            "{}, but it is not shown that {} is not worse by more than is borne",
            say(&better),
            names(&open)
        );
        return (Outcome::Inconclusive, because);
    }
    if !better.is_empty() {
        return (Outcome::Better, say(&better));
    }
    if !unclear.is_empty() {
        return (Outcome::Inconclusive, format!("there is no answer for {}", names(&unclear)));
    }
    if !different.is_empty() {
        return (Outcome::Different, format!("the answers differ: {}", say(&different)));
    }
    let shown = with(Role::Primary, &[Outcome::NoDifference]);
    (Outcome::NoDifference, say(&shown))
}

/// A metric in a few words: its numbers, and for what shows nothing, what it could have shown.
fn brief(metric: &MetricReport, compared: &Comparison) -> String {
    let name = &metric.name;
    if compared.outcome == Outcome::NoDifference {
        return match words::smallest(metric, compared) {
            Some(smallest) => format!("{name} would have shown {smallest}"),
            None => format!("{name} could not have shown much"),
        };
    }
    let value = |arm: &str| {
        let figures = metric.arms.iter().find(|figures| figures.arm == arm)?;
        figures.value.map(|value| words::value(metric, value))
    };
    let control = metric.arms.first().and_then(|figures| value(&figures.arm));
    match (metric.kind, value(&compared.arm), control) {
        (Kind::Conversion | Kind::Mean, Some(treatment), Some(control)) => {
            format!("{name} is {treatment} against {control}")
        }
        (Kind::Conversion | Kind::Mean | Kind::Rank | Kind::Category, _, _) => match &compared.evidence {
            Some(evidence) => format!("{name}, {}", words::strength(metric, evidence)),
            None => name.clone(),
        },
    }
}

/// What the experiment comes to: better if any arm is, and never clearer than its arms.
pub(super) fn of_experiment(verdicts: &[Verdict]) -> Outcome {
    let any = |outcome: Outcome| verdicts.iter().any(|verdict| verdict.outcome == outcome);
    let all = |outcome: Outcome| verdicts.iter().all(|verdict| verdict.outcome == outcome);
    match () {
        () if any(Outcome::Invalid) => Outcome::Invalid,
        () if any(Outcome::Better) => Outcome::Better,
        () if any(Outcome::Inconclusive) => Outcome::Inconclusive,
        () if any(Outcome::Different) => Outcome::Different,
        () if all(Outcome::Worse) => Outcome::Worse,
        () => Outcome::NoDifference,
    }
}

/// The answer in a few words, and with its reasons.
pub(super) fn answer(experiment: &Experiment, verdicts: &[Verdict], checks: &Checks) -> (String, String) {
    let control = experiment.arms.first().map_or("the control", |arm| arm.name.as_str());
    if let Some((outcome, because)) = before_all(checks) {
        let headline =
            if outcome == Outcome::Invalid { "These numbers prove nothing" } else { "Too early to say" };
        return (format!("{headline}."), format!("{headline}: {because}."));
    }
    let in_short = |Verdict { arm, outcome, .. }: &Verdict| match outcome {
        Outcome::Better => format!("{arm} is better than {control}"),
        Outcome::Worse => format!("{arm} is worse than {control}"),
        Outcome::Different => format!("{arm} is different from {control}"),
        Outcome::NoDifference | Outcome::NotWorse => {
            format!("No difference is shown between {arm} and {control}")
        }
        Outcome::Inconclusive | Outcome::Invalid => format!("Nothing is decided about {arm}"),
    };
    let headline: Vec<String> = verdicts.iter().map(in_short).collect();
    let sentences: Vec<String> = verdicts
        .iter()
        .zip(&headline)
        .map(|(verdict, headline)| format!("{headline}: {}.", verdict.because))
        .collect();
    (format!("{}.", headline.join("; ")), sentences.join(" "))
}

/// What the check of the split says, in a sentence.
pub(super) fn of_split(split: &SplitCheck) -> String {
    let p = words::chance(split.p);
    if split.is_as_planned() {
        format!("Subjects are split as planned (χ² test of fit, {p}).")
    } else {
        format!(
            "Subjects are not split as planned (χ² test of fit, {p}): whatever the metrics say is not to be believed."
        )
    }
}
