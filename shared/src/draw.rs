//! Pictures over time, as SVG that stands in a page of [`crate::page`] and takes its colours from there.
//!
//! Whatever is finite can be drawn: values that are not are left out, values beyond the scale are drawn at its edge, times
//! beyond the span not at all. Colour never stands alone: lines differ in their dashes, and words stand beside them. It must
//! not know what a release is.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::page::Tone;

mod labels;
mod release;
mod scale;

pub use release::{Happening, Standing, happenings, markers, shares, steps, versions};
pub use scale::Unit;

use labels::{Placed, cut, place};
use scale::{Span, Values, clock};

/// A picture over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it shows, for those who do not see it.
    pub title: String,
    /// What there is to see in it, for them.
    pub description: String,
    /// From when.
    pub from: Timestamp,
    /// Up to when.
    pub to: Timestamp,
    /// What its values are.
    pub unit: Unit,
    /// The least that the scale shows; it grows with the lines, and not with the areas.
    pub top: f64,
    /// The lines, the most important one last: it is drawn over the others.
    pub lines: Vec<Line>,
    /// What lies between two bounds.
    pub areas: Vec<Area>,
    /// What happened.
    pub markers: Vec<Marker>,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub ink: Ink,
    /// Its form.
    pub shape: Shape,
    /// Its values by time, in order. Where there is none the line has a gap.
    pub points: Vec<(Timestamp, Option<f64>)>,
}

/// What lies between two bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub ink: Ink,
    /// The lower and the upper bound by time, in order.
    pub points: Vec<(Timestamp, f64, f64)>,
}

/// Something that happened at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    /// When.
    pub at: Timestamp,
    /// What, in a few words; may be empty, which draws the line alone.
    pub label: String,
    /// How good it is.
    pub tone: Tone,
}

/// A colour, by what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The version that traffic goes back to.
    Stable,
    /// The version being released.
    Candidate,
    /// Something beside these.
    Third,
    /// A limit.
    Limit,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// From value to value.
    Curve,
    /// A value holds until the next one.
    Steps,
    /// The same, with what lies below it filled.
    FilledSteps,
}

impl Ink {
    fn colour(self) -> &'static str {
        match self {
            Self::Stable => "var(--stable)",
            Self::Candidate => "var(--candidate)",
            Self::Third => "var(--third)",
            Self::Limit => "var(--ink)",
        }
    }

    fn wash(self) -> &'static str {
        match self {
            Self::Stable => "var(--stable-band)",
            Self::Candidate => "var(--candidate-band)",
            Self::Third | Self::Limit => "var(--grid)",
        }
    }

    /// Lines that lie close together are told apart by this too.
    fn dashes(self) -> Option<&'static str> {
        match self {
            Self::Candidate => None,
            Self::Stable => Some("7 3"),
            Self::Third => Some("2 3"),
            Self::Limit => Some("1 4"),
        }
    }
}

fn colour_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "var(--good)",
        Tone::Plain => "var(--soft)",
        Tone::Warning => "var(--warning)",
        Tone::Bad => "var(--bad)",
    }
}

/// How large a picture is drawn. Its letters keep their size, so a small one is laid out anew and not shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// In pixels.
    pub width: u32,
    /// In pixels, without the legend and the labels above it.
    pub height: u32,
}

impl Size {
    /// For a page on a screen or on paper.
    pub const WIDE: Self = Self { width: 960, height: 220 };
    /// For a telephone.
    pub const NARROW: Self = Self { width: 340, height: 180 };

    /// As small as it can be drawn, and as large as anybody can use.
    fn bounded(self) -> Self {
        Self { width: self.width.clamp(240, 4_000), height: self.height.clamp(60, 2_000) }
    }
}

const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const LEGEND: f64 = 22.0;
const LANE: f64 = 17.0;
const FOOT: f64 = 24.0;
/// Beyond this a line says no more than every so many-th of its values does.
const POINTS_MAX: usize = 4_000;

/// Where things lie on the paper.
struct Paper {
    span: Span,
    values: Values,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Paper {
    fn x(&self, at: Timestamp) -> f64 {
        self.left + self.span.share(at) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.values.share(value) * (self.bottom - self.top)
    }
}

impl Chart {
    /// The picture twice, for wide screens and for narrow ones; the page shows one of them.
    pub fn responsive(&self) -> Markup {
        html! {
            div.wide { (self.draw(Size::WIDE)) }
            div.narrow { (self.draw(Size::NARROW)) }
        }
    }

    /// The picture in one size.
    pub fn draw(&self, size: Size) -> Markup {
        let Size { width, height } = size.bounded();
        let (left, right) = (LEFT, f64::from(width) - RIGHT);
        let span = Span::new(self.from, self.to);
        let legend = self.legend(left, f64::from(width));
        let legend_height = legend.last().map_or(0.0, |(_, _, row)| (*row as f64 + 1.0) * LEGEND);
        let labels = self.labels(&span, left, right);
        let lanes = labels.iter().map(|label| label.lane + 1).max().unwrap_or(0);
        let top = legend_height + lanes as f64 * LANE + 8.0;
        let bottom = top + f64::from(height);
        let paper = Paper { span, values: self.values(), left, right, top, bottom };
        let whole = bottom + FOOT;
        html! {
            svg role="img" xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {whole:.0}"))
                width=(width) height=(format!("{whole:.0}")) {
                title { (self.title) }
                desc { (self.description) }
                (grid(&paper))
                @for area in &self.areas { (draw_area(area, &paper)) }
                (self.rules(&paper, &labels, legend_height))
                @for line in &self.lines { (draw_line(line, &paper)) }
                (draw_legend(&legend))
            }
        }
    }

    fn values(&self) -> Values {
        let of_lines = self.lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, value)| *value));
        Values::new(self.unit, of_lines.filter(|value| value.is_finite()).fold(self.top, f64::max))
    }

    /// The labels of the markers, those at the end of more room first come first.
    fn labels(&self, span: &Span, left: f64, right: f64) -> Vec<Placed<'_>> {
        let mut shown: Vec<&Marker> = self.markers.iter().filter(|marker| span.holds(marker.at)).collect();
        shown.sort_by_key(|marker| marker.at);
        let wanted = shown.into_iter().filter(|marker| !marker.label.is_empty());
        place(wanted.map(|marker| (left + span.share(marker.at) * (right - left), marker)), left, right)
    }

    /// The markers: a rule through the picture, and above it the label in its lane.
    fn rules(&self, paper: &Paper, labels: &[Placed<'_>], legend_height: f64) -> Markup {
        html! {
            @for marker in self.markers.iter().filter(|marker| paper.span.holds(marker.at)) {
                @let x = paper.x(marker.at);
                line x1=(px(x)) x2=(px(x)) y1=(px(paper.top - 6.0)) y2=(px(paper.bottom)) stroke=(colour_of(marker.tone))
                    stroke-width="1" opacity=".75" { title { (clock(marker.at, 1)) " " (marker.label) } }
            }
            @for label in labels {
                @let y = legend_height + label.lane as f64 * LANE + 12.0;
                line x1=(px(label.x)) x2=(px(label.x)) y1=(px(y + 3.0)) y2=(px(paper.top - 6.0))
                    stroke=(colour_of(label.marker.tone)) stroke-width="1" opacity=".45" {}
                text.ink x=(px(label.text_x)) y=(px(y)) text-anchor=(label.anchor) fill=(colour_of(label.marker.tone)) {
                    (label.text)
                }
            }
        }
    }

    /// The entries of the legend with their places: how far right, and in which row.
    fn legend(&self, left: f64, width: f64) -> Vec<(Entry<'_>, f64, usize)> {
        let lines = self.lines.iter().map(|line| Entry { name: &line.name, ink: line.ink, is_area: false });
        let areas = self.areas.iter().map(|area| Entry { name: &area.name, ink: area.ink, is_area: true });
        let mut seen: Vec<(Entry<'_>, f64, usize)> = Vec::new();
        let (mut x, mut row) = (left, 0);
        for entry in lines.chain(areas).filter(|entry| !entry.name.is_empty()) {
            let length = labels::width_of(&cut(entry.name, NAME_MAX)) + 46.0;
            if x > left && x + length > width {
                (x, row) = (left, row + 1);
            }
            seen.push((entry, x, row));
            x += length;
        }
        seen
    }
}

/// Longer names are cut; a page has them in full elsewhere.
const NAME_MAX: usize = 38;

#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a str,
    ink: Ink,
    is_area: bool,
}

fn draw_legend(entries: &[(Entry<'_>, f64, usize)]) -> Markup {
    html! {
        @for (entry, x, row) in entries {
            @let y = *row as f64 * LEGEND + 9.0;
            @if entry.is_area {
                rect x=(px(*x)) y=(px(y - 5.0)) width="22" height="10" fill=(entry.ink.wash()) {}
            } @else {
                line x1=(px(*x)) x2=(px(x + 22.0)) y1=(px(y)) y2=(px(y)) stroke=(entry.ink.colour()) stroke-width="2.2"
                    stroke-dasharray=[entry.ink.dashes()] {}
            }
            text x=(px(x + 29.0)) y=(px(y + 4.0)) fill="var(--ink)" { (cut(entry.name, NAME_MAX)) }
        }
    }
}

/// The scales: faint lines for values, the base line, and the times below it.
fn grid(paper: &Paper) -> Markup {
    let room = ((paper.right - paper.left) / 86.0) as usize;
    let (ticks, step_seconds) = paper.span.ticks(room);
    html! {
        @for value in paper.values.ticks() {
            @let y = paper.y(value);
            line x1=(px(paper.left)) x2=(px(paper.right)) y1=(px(y)) y2=(px(y)) stroke="var(--grid)" {}
            text x=(px(paper.left - 8.0)) y=(px(y + 4.0)) text-anchor="end" fill="var(--soft)" {
                (paper.values.written(value))
            }
        }
        line x1=(px(paper.left)) x2=(px(paper.right)) y1=(px(paper.bottom)) y2=(px(paper.bottom)) stroke="var(--line)" {}
        @for (index, at) in ticks.iter().enumerate() {
            @let x = paper.x(*at);
            line x1=(px(x)) x2=(px(x)) y1=(px(paper.bottom)) y2=(px(paper.bottom + 4.0)) stroke="var(--line)" {}
            // The last one would reach beyond the paper.
            @let (x, anchor) = if x + 24.0 > paper.right { (paper.right + RIGHT, "end") } else { (x, "middle") };
            text x=(px(x)) y=(px(paper.bottom + 17.0)) text-anchor=(anchor) fill="var(--soft)" {
                (clock(*at, step_seconds)) @if index == 0 && step_seconds < 86_400 { " UTC" }
            }
        }
    }
}

fn draw_line(line: &Line, paper: &Paper) -> Markup {
    let every = line.points.len().div_ceil(POINTS_MAX).max(1);
    let (mut path, mut fill) = (String::new(), String::new());
    let mut last: Option<(f64, f64)> = None;
    let finish = |fill: &mut String, last: Option<(f64, f64)>| {
        if let Some((x, _)) = last {
            fill.push_str(&format!("L{} {}Z", px(x), px(paper.bottom)));
        }
    };
    for (at, value) in line.points.iter().step_by(every) {
        let known = value.filter(|value| value.is_finite()).filter(|_| paper.span.holds(*at));
        let Some(value) = known else {
            finish(&mut fill, last);
            last = None;
            continue;
        };
        let (x, y) = (paper.x(*at), paper.y(value));
        match (last, line.shape) {
            (None, _) => {
                path.push_str(&format!("M{} {}", px(x), px(y)));
                fill.push_str(&format!("M{} {}L{} {}", px(x), px(paper.bottom), px(x), px(y)));
            }
            (Some(_), Shape::Curve) => path.push_str(&format!("L{} {}", px(x), px(y))),
            (Some(_), Shape::Steps | Shape::FilledSteps) => {
                path.push_str(&format!("H{}V{}", px(x), px(y)));
                fill.push_str(&format!("H{}V{}", px(x), px(y)));
            }
        }
        last = Some((x, y));
    }
    finish(&mut fill, last);
    let width = if line.ink == Ink::Limit { "1.6" } else { "2.2" };
    html! {
        @if line.shape == Shape::FilledSteps { path d=(fill) fill=(line.ink.wash()) {} }
        path d=(path) fill="none" stroke=(line.ink.colour()) stroke-width=(width) stroke-linejoin="round"
            stroke-linecap="round" stroke-dasharray=[line.ink.dashes()] { title { (line.name) } }
    }
}

fn draw_area(area: &Area, paper: &Paper) -> Markup {
    let every = area.points.len().div_ceil(POINTS_MAX).max(1);
    let known = area
        .points
        .iter()
        .step_by(every)
        .filter(|(at, lower, upper)| paper.span.holds(*at) && lower.is_finite() && upper.is_finite());
    let known: Vec<&(Timestamp, f64, f64)> = known.collect();
    let upper = known.iter().map(|(at, _, upper)| (paper.x(*at), paper.y(*upper)));
    let lower = known.iter().rev().map(|(at, lower, _)| (paper.x(*at), paper.y(*lower)));
    let mut path = String::new();
    for (x, y) in upper.chain(lower) {
        path.push_str(&format!("{}{} {}", if path.is_empty() { 'M' } else { 'L' }, px(x), px(y)));
    }
    html! { @if !path.is_empty() { path d=(format!("{path}Z")) fill=(area.ink.wash()) { title { (area.name) } } } }
}

/// A tenth of a pixel is finer than any eye.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests;
