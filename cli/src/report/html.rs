//! The report as a page: the answer, its numbers, the pictures, and then everything that they rest on.

use maud::{Markup, html};
use ripcord::draw::{Standing, happenings, markers, shares};
use ripcord::evidence::LogExcerpt;
use ripcord::judge::{Tally, Verdict};
use ripcord::page::{Head, Tone, caution, figures, page as whole, picture, section, table};

use super::curves::{Frame, curves, of_looks};
use super::gather::Material;
use super::story::{Decision, Stage, Story};
use super::words::{clock, day, of, rate};

/// The page.
pub(super) fn page(story: &Story, material: &Material) -> String {
    let body = html! {
        p.lead {
            @if let Some(because) = &story.because { (because) " " }
        }
        p.soft { (story.versions) ", opened " (day(story.opened_at)) " by " (story.opened_by) "." }
        @if !story.facts.is_empty() { (figures(&story.facts)) }
        @for missing in &story.missing { (caution(missing)) }
        (pictures(story, material))
        (section("What happened", &timeline(story)))
        @if !story.decisions.is_empty() { (section("What was decided, and what was done", &decisions(&story.decisions))) }
        @if !story.stages.is_empty() { (section("What the judge said", &stages(&story.stages))) }
        @if !story.checks.is_empty() { (section("Checks that had something to say", &checks(story))) }
        @if !story.logs.is_empty() { (section("What the candidate logged", &logs(&story.logs))) }
        footer {
            p {
                @match story.told_at {
                    Some(at) => { "People were told how it ended on " (day(at)) ". " }
                    None => {}
                }
                "Put together by Ripcord on " (day(story.as_of)) " from the ledger and CloudWatch. All times are UTC."
            }
        }
    };
    let kind =
        format!("Release report: {} #{}, {}", story.service, story.release, Standing::of(story.phase).words);
    whole(Head { title: &story.answer, kind: &kind, answer: &story.answer, tone: story.tone }, &body)
}

fn pictures(story: &Story, material: &Material) -> Markup {
    let until = material.release.ended_at.unwrap_or(material.now);
    let shares = shares(&material.release, &material.moments, until);
    let happened = happenings(&material.release, &material.moments);
    let (candidate, stable) = material.release.changes.first().map_or_else(Default::default, |change| {
        (format!("version {} (candidate)", change.candidate), format!("version {} (stable)", change.stable))
    });
    let frame = Frame {
        from: shares.as_ref().map_or(story.opened_at, |chart| chart.from),
        to: shares.as_ref().map_or(until, |chart| chart.to),
        markers: markers(&happened)
            .into_iter()
            .filter(|marker| marker.tone == Tone::Bad || marker.tone == Tone::Warning)
            .collect(),
        candidate,
        stable,
    };
    let drawn = match &material.measured {
        Ok(measured) => curves(measured, &frame),
        Err(_) => of_looks(&material.findings, &frame, material.minute).into_iter().collect(),
    };
    html! {
        @match &shares {
            Some(chart) => {
                (section("Share of traffic", &picture(&chart.responsive(), "What the candidate was given, and what happened.")))
            }
            None => { (caution("How much traffic the candidate had over time was not written down.")) }
        }
        @for curve in &drawn {
            (section(&curve.chart.title, &picture(&curve.chart.responsive(), &curve.caption)))
        }
    }
}

fn timeline(story: &Story) -> Markup {
    let rows: Vec<Vec<Markup>> = story
        .timeline
        .iter()
        .map(|moment| {
            vec![
                html! { span.when { (clock(moment.at)) } },
                html! { span.when.soft { (moment.after) } },
                html! { span.(moment.tone.class()) { (moment.what) } },
            ]
        })
        .collect();
    html! {
        p.soft { "On " (story.opened_at.strftime("%-d %B %Y").to_string()) ", counted from the opening." }
        (table(&["UTC", "after", "what"], &rows))
    }
}

fn decisions(decisions: &[Decision]) -> Markup {
    html! {
        @for decision in decisions {
            h3 { (decision.kind) ", " (clock(decision.at)) }
            p { (decision.reason) }
            p.soft { "Signal: " (decision.signal) }
            @if !decision.saw.is_empty() {
                p { "Seen: " (decision.saw.join("; ")) "." }
            }
            @if decision.calls.is_empty() {
                p { "No call followed." }
            } @else {
                p { "Calls, in order:" }
                ol { @for call in &decision.calls { li { code { (call) } } } }
            }
        }
    }
}

fn stages(stages: &[Stage]) -> Markup {
    let rows: Vec<Vec<Markup>> = stages
        .iter()
        .map(|stage| {
            vec![
                html! { (stage.number) },
                html! { (stage.weight) },
                html! { @if let Some(verdict) = stage.verdict { span.(tone_of(verdict).class()) { (verdict) } } },
                html! { (errors(stage.errors)) },
                html! {
                    (stage.why)
                    details {
                        summary { "all findings" }
                        ul { @for finding in &stage.findings { li { (finding) } } }
                    }
                },
            ]
        })
        .collect();
    html! {
        p.soft { "The last look at each stage." }
        (table(&["stage", "share", "verdict", "errors", "what followed, and why"], &rows))
    }
}

fn errors(tally: Option<Tally>) -> String {
    tally.map_or("–".to_owned(), |tally| format!("{} ({})", of(tally), rate(tally)))
}

fn tone_of(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Inconclusive => Tone::Plain,
        Verdict::Error => Tone::Warning,
        Verdict::Fail => Tone::Bad,
    }
}

fn checks(story: &Story) -> Markup {
    let rows: Vec<Vec<Markup>> = story
        .checks
        .iter()
        .map(|check| {
            let outcome = super::markdown::outcome(check.outcome);
            vec![html! { (check.name) }, html! { (outcome) }, html! { (check.detail) }]
        })
        .collect();
    table(&["check", "outcome", "what was found"], &rows)
}

fn logs(logs: &[LogExcerpt]) -> Markup {
    html! {
        @for LogExcerpt { source, lines, unread_because } in logs {
            h3 { (source) }
            @if lines.is_empty() {
                p.soft { (unread_because.as_deref().unwrap_or("nothing that looks like an error")) }
            } @else {
                pre tabindex="0" { (lines.join("\n")) }
            }
        }
    }
}
