//! What the widget shows. Scripts are not allowed in a dashboard, so the buttons are CloudWatch's own `cwdb-action`.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use ripcord::draw::{Standing, shares, versions};
use ripcord::finding::{Finding, Found, StageLook};
use ripcord::judge::Verdict;
use ripcord::page::{Tone, caution, fragment_style, table};
use ripcord::release::Release;
use ripcord::timeline::Moment;
use serde_json::json;

use crate::request::Surface;

/// A release, with those before it.
pub(crate) struct Shown {
    pub(crate) release: Release,
    pub(crate) moments: Vec<Moment>,
    pub(crate) findings: Vec<Finding>,
    /// The latest ones, newest first.
    pub(crate) latest: Vec<Release>,
    pub(crate) now: Timestamp,
}

/// The latest release of every service.
pub(crate) struct Everything {
    pub(crate) releases: Vec<Release>,
    pub(crate) unreleased: usize,
    pub(crate) not_shown: usize,
    pub(crate) now: Timestamp,
}

/// What CloudWatch shows where somebody edits the widget.
pub(crate) const DESCRIPTION: &str = "\
## Releases by Ripcord

Draws how much traffic a release had over time, what the judge said of its stages, and who or what pulled the cord; below it
the latest releases of the service. It reads Ripcord's ledger and changes nothing.

### Parameters

| name | what |
|---|---|
| `service` | the service; without one, the latest release of every service is listed |
| `release` | the number of a release; without one, the latest |

### Example

``` yaml
service: checkout
release: 4
```";

/// The answer as CloudWatch is given it: in the dashboard's colours, and without its default styles.
pub(crate) fn framed(drawn: &Markup, surface: Surface) -> String {
    html! {
        (fragment_style(surface.is_dark))
        div class="ripcord cwdb-no-default-styles" style="font-size:13px;background:none" { (drawn) }
    }
    .into_string()
}

/// What is wrong, in the widget itself.
pub(crate) fn message(why: &str) -> Markup {
    html! {
        (caution(why))
        p.soft { "The widget takes " code { "service" } " and " code { "release" } ", both optional." }
    }
}

/// One release, and the latest ones.
pub(crate) fn service(shown: &Shown, surface: Surface, here: &str) -> Markup {
    let Shown { release, moments, findings, latest, now } = shown;
    let standing = Standing::of(release.phase);
    let until = release.ended_at.unwrap_or(*now);
    html! {
        p style="margin:0" {
            strong { (release.service) " #" (release.generation) " " }
            strong.(standing.tone.class()) { (standing.words) }
            span.soft { " · " (versions(release)) }
        }
        @if let Some(because) = &release.ended_because { p style="margin:.2em 0;max-width:none" { (because) } }
        @match shares(release, moments, until) {
            Some(chart) => { (chart.draw(surface.picture())) }
            None => { (caution("How much traffic it had over time was not written down.")) }
        }
        (looks(findings))
        (releases(latest, *now, here))
    }
}

/// What the judge said of each stage.
fn looks(findings: &[Finding]) -> Markup {
    let looks: Vec<&StageLook> = findings
        .iter()
        .filter_map(|finding| match &finding.found {
            Found::Stage(look) => Some(look.as_ref()),
            Found::Before(_) | Found::After(_) | Found::Hook(_) => None,
        })
        .collect();
    html! {
        @if !looks.is_empty() {
            p style="margin:.3em 0;max-width:none" {
                span.soft { "Judged: " }
                @for (index, look) in looks.iter().enumerate() {
                    @if index > 0 { ", " }
                    "stage " (look.stage + 1) " "
                    span.(tone_of(look.judgement.verdict).class()) { (look.judgement.verdict) }
                }
                "."
            }
        }
    }
}

fn tone_of(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Inconclusive => Tone::Plain,
        Verdict::Error => Tone::Warning,
        Verdict::Fail => Tone::Bad,
    }
}

/// The latest release of every service.
pub(crate) fn everything(all: &Everything, here: &str) -> Markup {
    if all.releases.is_empty() {
        return message("nothing was released yet");
    }
    let more = match (all.unreleased, all.not_shown) {
        (0, 0) => String::new(),
        (unreleased, 0) => format!("{unreleased} more services have no release yet."),
        (_, not_shown) => format!("{not_shown} more services are not shown: name one as `service`."),
    };
    html! { (releases(&all.releases, all.now, here)) @if !more.is_empty() { p.soft { (more) } } }
}

fn releases(releases: &[Release], now: Timestamp, here: &str) -> Markup {
    let rows: Vec<Vec<Markup>> = releases.iter().map(|release| row(release, now, here)).collect();
    table(&["release", "how it stands", "what", "opened", "took"], &rows)
}

fn row(release: &Release, now: Timestamp, here: &str) -> Vec<Markup> {
    let standing = Standing::of(release.phase);
    let lasted = release.ended_at.unwrap_or(now).duration_since(release.opened_at).as_secs().max(0);
    let asked = json!({ "service": release.service, "release": release.generation });
    vec![
        html! {
            a.btn { (release.service) " #" (release.generation) }
            // The action belongs to the element before it.
            cwdb-action action="call" display="widget" endpoint=(here) { (asked.to_string()) }
        },
        html! { span.(standing.tone.class()) { (standing.words) } },
        html! {
            @for change in &release.changes {
                span.when { (change.target) " " (change.stable) " → " (change.candidate) } " "
            }
        },
        html! { span.when { (release.opened_at.strftime("%-d %b %H:%M").to_string()) } },
        html! { span.when { (format!("{:#}", SignedDuration::from_secs(lasted))) } },
    ]
}

#[cfg(test)]
mod tests;
