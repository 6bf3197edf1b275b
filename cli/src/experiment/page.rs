//! The report as a page for people who decide: the answer first, then what it rests on, and how it was computed for whoever asks.

use maud::{Markup, html};
use ripcord::experiment::comparison::{Comparison, Outcome};
use ripcord::experiment::document::{Kind, Role};
use ripcord::experiment::report::{ArmFigures, MetricReport, Report, Verdict};
use ripcord::experiment::words::{self, CheckState};
use ripcord::page::{self, Figure, Head, Tone};

use super::plot;
use crate::figures::grouped;

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let title = format!("Experiment: {}", report.name);
    let head = Head {
        title: &title,
        kind: &format!("Experiment report: {}", report.name),
        answer: &capitalised(&report.headline),
        tone: tone(report.outcome),
    };
    let body = html! {
        @for verdict in &report.verdicts { p.lead { (reason(report, verdict)) } }
        @if let Some(hypothesis) = &report.hypothesis {
            p.soft { "What was expected: " (hypothesis) }
        }
        (page::figures(&figures(report)))
        @for metric in &report.metrics { (of_metric(metric)) }
        (page::section("What had to hold", &checks(report)))
        (method(report))
        footer { "Numbers from " (report.checks.intake.source) "." }
    };
    page::page(head, &body)
}

/// Why an arm came to its answer. With several arms each has a line of its own.
fn reason(report: &Report, verdict: &Verdict) -> String {
    if report.verdicts.len() == 1 {
        return format!("{}.", capitalised(&verdict.because));
    }
    format!("{}: {}.", capitalised(&verdict.arm), verdict.because)
}

/// A sentence begins with a capital, also where an arm's name does not.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Better | Outcome::NotWorse => Tone::Good,
        Outcome::Worse | Outcome::Invalid => Tone::Bad,
        Outcome::Different | Outcome::Inconclusive => Tone::Warning,
        Outcome::NoDifference => Tone::Plain,
    }
}

fn figures(report: &Report) -> Vec<Figure> {
    let checks = &report.checks;
    let sample = Figure {
        name: "Subjects".to_owned(),
        value: grouped(checks.subjects),
        note: format!("{} planned", grouped(checks.planned_subjects)),
        tone: if checks.is_sample_reached() { Tone::Plain } else { Tone::Warning },
    };
    let arm = |verdict: &Verdict| Figure {
        name: verdict.arm.clone(),
        value: words::outcome(verdict.outcome).to_owned(),
        note: format!("against {}", checks.arms.first().map_or("the control", String::as_str)),
        tone: tone(verdict.outcome),
    };
    let mut figures: Vec<Figure> = report.verdicts.iter().map(arm).collect();
    figures.push(sample);
    if let Some(split) = &checks.split {
        figures.push(Figure {
            name: "Split".to_owned(),
            value: if split.is_as_planned() { "as planned" } else { "not as planned" }.to_owned(),
            note: split.arms.iter().map(|arm| grouped(arm.subjects)).collect::<Vec<_>>().join(" / "),
            tone: if split.is_as_planned() { Tone::Plain } else { Tone::Bad },
        });
    }
    figures
}

fn of_metric(metric: &MetricReport) -> Markup {
    let role = match metric.role {
        Role::Primary => "This metric decides.",
        Role::Guardrail => "A guardrail: it decides nothing unless it breaks.",
        Role::Exploratory => "It gives ideas, and decides nothing.",
    };
    let body = html! {
        p.soft { (role) }
        @for compared in &metric.comparisons {
            p {
                strong class=(tone(compared.outcome).class()) {
                    (compared.arm) ": " (words::outcome(compared.outcome)) "."
                }
                " " (words::comparison(metric, compared))
            }
        }
        @if let Some(picture) = plot::metric(metric) { (page::picture(&picture, caption(metric))) }
        (numbers(metric))
    };
    page::section(&metric.name, &body)
}

fn caption(metric: &MetricReport) -> &'static str {
    match (metric.kind, metric.role) {
        (Kind::Category, Role::Primary | Role::Guardrail | Role::Exploratory) => {
            "How often each answer was given in each arm."
        }
        (Kind::Conversion | Kind::Mean | Kind::Rank, Role::Guardrail) => {
            "The dot is what was measured, the line where the truth may well lie. The guardrail holds if all of it is to the right of the dashed line."
        }
        (Kind::Conversion | Kind::Mean | Kind::Rank, Role::Primary | Role::Exploratory) => {
            "The dot is what was measured, the line where the truth may well lie. A line that crosses the upright one may mean no difference."
        }
    }
}

fn numbers(metric: &MetricReport) -> Markup {
    let value = match metric.kind {
        Kind::Conversion => "Share",
        Kind::Mean => "Mean",
        Kind::Rank => "Median",
        Kind::Category => return html! {},
    };
    let row = |arm: &ArmFigures| -> Vec<Markup> {
        let compared = metric.comparisons.iter().find(|compared| compared.arm == arm.arm);
        let interval = arm.interval.map(|interval| {
            format!("{} to {}", words::value(metric, interval.low), words::value(metric, interval.high))
        });
        let of = match (arm.successes, arm.left_out) {
            (Some(successes), 0) => format!("{} of {}", grouped(successes), grouped(arm.count)),
            (Some(successes), left) => {
                format!("{} of {}, {} left out", grouped(successes), grouped(arm.count), grouped(left))
            }
            (None, 0) => grouped(arm.count),
            (None, left) => format!("{}, {} left out", grouped(arm.count), grouped(left)),
        };
        vec![
            html! { (arm.arm) },
            html! { (of) },
            html! { (arm.value.map_or("–".to_owned(), |value| words::value(metric, value))) },
            html! { (interval.unwrap_or("–".to_owned())) },
            html! { (compared.map_or("control".to_owned(), |compared| difference(metric, compared))) },
        ]
    };
    let rows: Vec<Vec<Markup>> = metric.arms.iter().map(row).collect();
    page::table(&["Arm", "Subjects", value, "Interval", "Difference"], &rows)
}

fn difference(metric: &MetricReport, compared: &Comparison) -> String {
    compared
        .evidence
        .as_ref()
        .map_or("–".to_owned(), |evidence| words::difference(metric, evidence.estimate))
}

fn checks(report: &Report) -> Markup {
    let row = |checked: words::Checked| {
        let (tone, mark) = match checked.state {
            CheckState::Holds => (Tone::Good, "✓ holds"),
            CheckState::Noted => (Tone::Warning, "! to be known"),
            CheckState::Fails => (Tone::Bad, "✗ fails"),
        };
        vec![
            html! { (checked.what) },
            html! { span.when.(tone.class()) { (mark) } },
            html! { (checked.says) },
        ]
    };
    let rows: Vec<Vec<Markup>> = words::checks(&report.checks).into_iter().map(row).collect();
    page::table(&["Check", "State", "What was found"], &rows)
}

fn method(report: &Report) -> Markup {
    let mut rows = Vec::new();
    for metric in &report.metrics {
        for compared in &metric.comparisons {
            let Some(evidence) = &compared.evidence else { continue };
            rows.push(vec![
                html! { (metric.name) ", " (compared.arm) },
                html! { (words::test(&evidence.test)) },
                html! { (words::chance(evidence.p)) },
                html! { (compared.p_adjusted.map_or("–".to_owned(), words::chance)) },
                html! { (words::effect(evidence.effect)) },
            ]);
        }
    }
    html! {
        details {
            summary { "How this was computed" }
            (page::table(&["Comparison", "Test", "By itself", "Corrected", "Effect size"], &rows))
            ul {
                li {
                    "A metric decides when its corrected chance is below " (words::percent(report.alpha.get()))
                    ". " (report.deciding) " answers share that chance by Holm's correction, which compares the clearest of them most strictly. "
                    "Each interval has the level at which its answer was compared, so that pictures and answers agree. The arms' own intervals are "
                    (words::confidence(report.alpha)) "."
                }
                li {
                    "Shares: Pearson's χ² without Yates's correction, Fisher's exact test where fewer than five are expected in a cell; "
                    "Wilson's interval for one share and Newcombe's for a difference of two."
                }
                li { "Means: Welch's t-test and its interval. Ranks: the Mann-Whitney test, exact in small samples without ties, and the Hodges-Lehmann shift. Categories: χ²." }
                li {
                    "A guardrail holds if the worse end of its interval is within what is borne. All guardrails must hold, so they need no correction. "
                    "What gives ideas is corrected by Benjamini's and Hochberg's method and decides nothing."
                }
                li { "The split is tested by χ² as a test of fit; below a chance of 0.1% nothing else counts." }
                li { "These tests are made once, when the planned sample is there. Stopping as soon as one of them pleases finds differences that do not exist." }
            }
        }
    }
}
