//! The pictures of a report: where a difference may lie, and how answers are spread. Drawn once wide and once narrow, so that
//! their words stay readable on a phone.

use maud::{Markup, html};
use ripcord::experiment::comparison::{Comparison, Outcome};
use ripcord::experiment::document::{Direction, Kind};
use ripcord::experiment::report::MetricReport;
use ripcord::experiment::words;

const WIDE: f64 = 680.0;
const NARROW: f64 = 340.0;
const ROW: f64 = 52.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 24.0;
/// What a label at the foot takes to each side.
const LABEL: f64 = 46.0;
const MARGIN: f64 = 14.0;

/// The picture of a metric, if it has one.
pub(super) fn metric(metric: &MetricReport) -> Option<Markup> {
    let draw: fn(&MetricReport, f64) -> Option<Markup> = match metric.kind {
        Kind::Category => answers,
        Kind::Conversion | Kind::Mean | Kind::Rank => intervals,
    };
    let (wide, narrow) = (draw(metric, WIDE)?, draw(metric, NARROW)?);
    Some(html! { div.wide { (wide) } div.narrow { (narrow) } })
}

/// From a value to a place.
struct Scale {
    low: f64,
    high: f64,
    width: f64,
}

impl Scale {
    fn at(&self, value: f64) -> String {
        let part = (value - self.low) / (self.high - self.low);
        let room = self.width - 2.0 * MARGIN;
        format!("{:.1}", MARGIN + room * part.clamp(0.0, 1.0))
    }
}

fn intervals(metric: &MetricReport, width: f64) -> Option<Markup> {
    let shown: Vec<(&Comparison, f64, f64, f64)> = metric
        .comparisons
        .iter()
        .filter_map(|compared| {
            let evidence = compared.evidence.as_ref()?;
            let interval = evidence.interval?;
            Some((compared, interval.low, evidence.estimate, interval.high))
        })
        .collect();
    // What is good lies to the right, whatever the metric counts, so that pictures read alike.
    let mirrored = metric.direction == Some(Direction::Lower);
    let turn = |value: f64| if mirrored { -value } else { value };
    let borne = metric.comparisons.iter().find_map(|compared| compared.margin).map(|margin| -margin);
    let ends = shown.iter().flat_map(|(_, low, _, high)| [turn(*low), turn(*high)]).chain(borne).chain([0.0]);
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    if shown.is_empty() || high <= low || !(high - low).is_finite() {
        return None;
    }
    let room = (high - low) * 0.12;
    let scale = Scale { low: low - room, high: high + room, width };
    let floor = TOP + ROW * shown.len() as f64;
    let height = floor + BOTTOM + if borne.is_some() { 18.0 } else { 0.0 };
    let label = format!("{}: the difference from the control, with its interval", metric.name);
    Some(html! {
        svg viewBox=(format!("0 0 {width} {height}")) style=(format!("max-width:{}px", width * 1.25)) role="img" aria-label=(label) {
            line x1=(scale.at(0.0)) x2=(scale.at(0.0)) y1=(TOP) y2=(floor) style="stroke:var(--soft)" {}
            (foot(&scale, 0.0, floor + 16.0, "--soft", "as the control"))
            (text(&format!("{MARGIN}"), 14.0, "start", "--soft", "← worse"))
            (text(&format!("{:.1}", width - MARGIN), 14.0, "end", "--soft", "better →"))
            @if let Some(borne) = borne {
                line x1=(scale.at(borne)) x2=(scale.at(borne)) y1=(TOP) y2=(floor)
                    style="stroke:var(--bad);stroke-dasharray:4 4" {}
                (foot(&scale, borne, floor + 34.0, "--bad", "worse is not borne"))
            }
            @for (row, (compared, from, estimate, to)) in shown.iter().enumerate() {
                (bar(metric, compared, &scale, (turn(*from), turn(*estimate), turn(*to)), TOP + ROW * row as f64))
            }
        }
    })
}

fn bar(
    metric: &MetricReport,
    compared: &Comparison,
    scale: &Scale,
    (from, estimate, to): (f64, f64, f64),
    top: f64,
) -> Markup {
    let colour = match compared.outcome {
        Outcome::Better | Outcome::NotWorse => "--good",
        Outcome::Worse => "--bad",
        Outcome::Different | Outcome::NoDifference => "--stable",
        Outcome::Inconclusive | Outcome::Invalid => "--soft",
    };
    let says = compared.evidence.as_ref().map_or(String::new(), |evidence| match evidence.interval {
        Some(interval) if scale.width > NARROW => {
            format!("{} ({})", words::difference(metric, evidence.estimate), words::between(metric, interval))
        }
        Some(_) | None => words::difference(metric, evidence.estimate),
    });
    let (y, line) = (top + 32.0, format!("stroke:var({colour});stroke-width:3;stroke-linecap:round"));
    html! {
        (text(&format!("{MARGIN}"), top + 16.0, "start", "--ink", &compared.arm))
        (text(&format!("{:.1}", scale.width - MARGIN), top + 16.0, "end", "--ink", &says))
        line x1=(scale.at(from)) x2=(scale.at(to)) y1=(y) y2=(y) style=(line) {}
        @for end in [from, to] {
            line x1=(scale.at(end)) x2=(scale.at(end)) y1=(y - 6.0) y2=(y + 6.0) style=(line) {}
        }
        circle cx=(scale.at(estimate)) cy=(y) r="6" style=(format!("fill:var({colour});stroke:var(--paper);stroke-width:2")) {}
    }
}

fn text(x: &str, y: f64, anchor: &str, colour: &str, text: &str) -> Markup {
    // A rim of the paper's colour, so that lines behind it do not cross it out.
    let style = format!("fill:var({colour});paint-order:stroke;stroke:var(--paper);stroke-width:5");
    html! { text x=(x) y=(y) text-anchor=(anchor) style=(style) { (text) } }
}

/// A label under a place on the scale, kept within the picture.
fn foot(scale: &Scale, value: f64, y: f64, colour: &str, label: &str) -> Markup {
    let place: f64 = scale.at(value).parse().unwrap_or(MARGIN);
    let anchor = match place {
        left if left < MARGIN + LABEL => "start",
        right if right > scale.width - MARGIN - LABEL => "end",
        _ => "middle",
    };
    text(&scale.at(value), y, anchor, colour, label)
}

const BAR: f64 = 16.0;
const SHADES: [&str; 3] = ["--stable", "--candidate", "--third"];

/// The share of each answer in each arm.
fn answers(metric: &MetricReport, width: f64) -> Option<Markup> {
    let mut names: Vec<&String> = metric.arms.iter().flat_map(|arm| arm.answers.keys()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() || metric.arms.iter().any(|arm| arm.count == 0) {
        return None;
    }
    let group = 26.0 + BAR * metric.arms.len() as f64;
    let height = 24.0 + group * names.len() as f64;
    let room = width - 2.0 * MARGIN - 130.0;
    let shade = |index: usize| SHADES.get(index % SHADES.len()).copied().unwrap_or("--stable");
    let label = format!("{}: how often each answer was given in each arm", metric.name);
    Some(html! {
        svg viewBox=(format!("0 0 {width} {height}")) style=(format!("max-width:{}px", width * 1.25)) role="img" aria-label=(label) {
            @for (row, name) in names.iter().enumerate() {
                @let top = group * row as f64;
                (text(&format!("{MARGIN}"), top + 18.0, "start", "--ink", name))
                @for (index, arm) in metric.arms.iter().enumerate() {
                    @let share = arm.answers.get(*name).copied().unwrap_or(0) as f64 / arm.count as f64;
                    @let y = top + 24.0 + BAR * index as f64;
                    rect x=(MARGIN) y=(y) width=(format!("{:.1}", (room * share).max(1.0))) height=(BAR - 3.0)
                        style=(format!("fill:var({})", shade(index))) {}
                    (text(&format!("{:.1}", MARGIN + room * share + 6.0), y + 11.0, "start", "--soft",
                        &format!("{}  {}", words::percent(share), arm.arm)))
                }
            }
        }
    })
}
