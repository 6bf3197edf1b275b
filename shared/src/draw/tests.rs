//! Whatever is finite draws, nothing that anybody wrote becomes markup, and no word covers another.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    "2026-03-02T12:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(seconds)
}

fn chart() -> Chart {
    Chart {
        title: "Errors".to_owned(),
        description: "They rise".to_owned(),
        from: at(0),
        to: at(600),
        unit: Unit::Share,
        top: 0.05,
        lines: vec![Line {
            name: "version 2".to_owned(),
            ink: Ink::Candidate,
            shape: Shape::Curve,
            points: vec![(at(60), Some(0.01)), (at(120), None), (at(180), Some(0.3))],
        }],
        areas: vec![Area {
            name: "not excluded".to_owned(),
            ink: Ink::Candidate,
            points: vec![(at(60), 0.0, 0.02), (at(180), 0.1, 5.0)],
        }],
        markers: vec![Marker { at: at(200), label: "alarm".to_owned(), tone: Tone::Bad }],
    }
}

const HOSTILE: &str = "</svg><script>alert(1)</script>\"'&]]>\u{0}\u{202e}";

#[test]
fn hostile_text_stays_text() {
    let mut chart = chart();
    for text in [
        &mut chart.title,
        &mut chart.description,
        &mut chart.lines[0].name,
        &mut chart.areas[0].name,
        &mut chart.markers[0].label,
    ] {
        *text = HOSTILE.to_owned();
    }
    let drawn = chart.responsive().into_string();
    assert!(!drawn.contains("<script") && !drawn.contains("alert(1)\""), "{drawn}");
    assert_eq!(drawn.matches("</svg>").count(), 2, "one for each size");
    assert!(drawn.contains("&lt;/svg&gt;"), "it is shown, not swallowed");
}

#[test]
fn a_picture_says_what_it_shows_to_those_who_do_not_see_it() {
    let drawn = chart().draw(Size::WIDE).into_string();
    assert!(drawn.contains("role=\"img\"") && drawn.contains("<title>Errors</title><desc>They rise</desc>"));
}

#[test]
fn lines_are_told_apart_without_their_colours() {
    let inks = [Ink::Stable, Ink::Candidate, Ink::Third, Ink::Limit];
    let mut dashes: Vec<Option<&str>> = inks.iter().map(|ink| ink.dashes()).collect();
    dashes.sort_unstable();
    dashes.dedup();
    assert_eq!(dashes.len(), inks.len());
}

#[test]
fn a_gap_is_no_line() {
    let mut chart = chart();
    chart.markers.clear();
    let drawn = chart.draw(Size::WIDE).into_string();
    let path = drawn.split("stroke-linejoin").next().and_then(|before| before.rsplit("<path d=\"").next());
    let path = path.expect("the line").split('"').next().expect("its path");
    assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 0), "{path}");
}

#[test]
fn a_long_name_is_cut_past_the_limit_and_not_at_it() {
    let long = "x".repeat(NAME_MAX);
    assert_eq!(labels::cut(&long, NAME_MAX), long);
    let cut = labels::cut(&format!("{long}x"), NAME_MAX);
    assert_eq!((cut.chars().count(), cut.ends_with('…')), (NAME_MAX, true));
    assert_eq!(labels::cut("a\nb\u{7}c", 9), "a b c");
}

/// The places of the labels as the picture has them: lane, from, to.
fn boxes(chart: &Chart, width: f64) -> Vec<(usize, f64, f64)> {
    let (left, right) = (LEFT, width - RIGHT);
    let placed = chart.labels(&Span::new(chart.from, chart.to), left, right);
    let spread = |label: &Placed<'_>| {
        let length = labels::width_of(&label.text);
        let from = if label.anchor == "start" { label.x } else { label.x - length };
        (label.lane, from, from + length)
    };
    placed.iter().map(spread).collect()
}

proptest! {
    #[test]
    fn labels_never_cover_each_other_and_stay_on_the_paper(
        marks in proptest::collection::vec((0_i64..600, ".{0,60}"), 0..30),
        width in 240_u32..1_200,
    ) {
        let mut chart = chart();
        chart.markers = marks.into_iter()
            .map(|(seconds, label)| Marker { at: at(seconds), label, tone: Tone::Plain }).collect();
        let boxes = boxes(&chart, f64::from(width));
        for (index, (lane, from, to)) in boxes.iter().enumerate() {
            prop_assert!(*from >= LEFT - 0.1 && *to <= f64::from(width) - RIGHT + 0.1);
            for (other, a, b) in &boxes[index + 1..] {
                prop_assert!(lane != other || to < a || b < from, "{boxes:?}");
            }
        }
    }

    #[test]
    fn whatever_is_given_draws(
        from in any::<i32>(), to in any::<i32>(),
        values in proptest::collection::vec((any::<i32>(), proptest::option::of(any::<f64>())), 0..40),
        top in any::<f64>(),
        bounds in proptest::collection::vec((any::<i32>(), any::<f64>(), any::<f64>()), 0..10),
        width in any::<u32>(), height in any::<u32>(),
        is_share in any::<bool>(),
    ) {
        let time = |seconds: i32| Timestamp::from_second(i64::from(seconds)).expect("a time");
        let mut chart = chart();
        (chart.from, chart.to, chart.top) = (time(from), time(to), top);
        chart.unit = if is_share { Unit::Share } else { Unit::Number };
        for shape in [Shape::Curve, Shape::Steps, Shape::FilledSteps] {
            chart.lines[0].shape = shape;
            chart.lines[0].points = values.iter().map(|(at, value)| (time(*at), *value)).collect();
            chart.areas[0].points = bounds.iter().map(|(at, a, b)| (time(*at), *a, *b)).collect();
            let drawn = chart.draw(Size { width, height }).into_string();
            prop_assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }
}
