//! The curves of a release: how many requests failed or were slow, version by version, with what the judge knew of it.

use jiff::Timestamp;
use ripcord::draw::{Area, Chart, Ink, Line, Marker, Shape, Unit};
use ripcord::finding::{Finding, Found};
use ripcord::judge::{Counts, Course, Metric, Minute, Tally};

use super::measured::Measured;

/// A curve with the sentence that says what to see in it.
pub(super) struct Curve {
    pub(super) chart: Chart,
    pub(super) caption: String,
}

/// The frame that all curves of a release share, so that one moment lies at one place in all of them.
pub(super) struct Frame {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) markers: Vec<Marker>,
    pub(super) candidate: String,
    pub(super) stable: String,
}

/// More points than this are no more to see: minutes are added up until there are so many.
const POINTS_MAX: usize = 240;

/// What is counted.
#[derive(Clone, Copy)]
enum Counted {
    Errors,
    Slow,
}

impl Counted {
    fn of(self, counts: &Counts) -> Tally {
        match self {
            Self::Errors => Tally { bad: counts.errors, requests: counts.requests },
            Self::Slow => Tally { bad: counts.slow, requests: counts.timed },
        }
    }

    fn is(self, metric: Metric) -> bool {
        match (self, metric) {
            (Self::Errors, Metric::Errors) | (Self::Slow, Metric::Slow { .. }) => true,
            (Self::Errors, Metric::Slow { .. }) | (Self::Slow, Metric::Errors) => false,
        }
    }
}

/// The curves that there is something to draw of.
pub(super) fn curves(measured: &Measured, frame: &Frame) -> Vec<Curve> {
    let mut curves = Vec::new();
    if measured.minutes.is_empty() {
        return curves;
    }
    curves.push(errors(measured, frame));
    curves.extend(slow(measured, frame));
    curves.extend(case(measured, frame));
    curves
}

fn errors(measured: &Measured, frame: &Frame) -> Curve {
    let limit = |minute: &Minute| measured.error_limits.get(minute.stage).copied();
    Curve {
        chart: rates(Counted::Errors, "Share of requests that failed", measured, frame, limit),
        caption: format!("Requests that failed, of those in the same minutes. {}", bound_words(measured)),
    }
}

fn slow(measured: &Measured, frame: &Frame) -> Option<Curve> {
    let latency_ms_max = measured.slow_limits.iter().flatten().map(|(ms, _)| *ms).next_back()?;
    let limit =
        |minute: &Minute| measured.slow_limits.get(minute.stage).copied().flatten().map(|(_, rate)| rate);
    let title = format!("Share of requests over {latency_ms_max} ms");
    Some(Curve {
        chart: rates(Counted::Slow, &title, measured, frame, limit),
        caption: format!("Requests that took longer than {latency_ms_max} ms. {}", bound_words(measured)),
    })
}

fn bound_words(measured: &Measured) -> &'static str {
    if measured.courses.is_empty() {
        "Nobody judged these minutes: traffic was moved by hand, and the limit is the registered one."
    } else {
        "The band holds the rates that were not excluded yet, with 95 % at every look; a stage passes once all of it lies \
         below the limit."
    }
}

fn rates(
    counted: Counted,
    title: &str,
    measured: &Measured,
    frame: &Frame,
    limit: impl Fn(&Minute) -> Option<f64>,
) -> Chart {
    let groups = grouped(&measured.minutes);
    let half = measured.minute / 2;
    let middle = |minute: &Minute| minute.start.saturating_add(half).unwrap_or(minute.start);
    let line = |of: fn(&Minute) -> Option<Counts>| -> Vec<(Timestamp, Option<f64>)> {
        let points = groups.iter().filter_map(|group| {
            let first = group.first()?;
            let mut tally = Tally::default();
            for minute in *group {
                tally += of(minute).map(|counts| counted.of(&counts)).unwrap_or_default();
            }
            Some((middle(first), tally.rate()))
        });
        points.collect()
    };
    let candidate = line(|minute| Some(minute.candidate));
    let stable = line(|minute| minute.stable);
    let limits = until_the_end(measured, measured.minutes.iter().map(|minute| (minute.start, limit(minute))));
    let tallest = candidate.iter().chain(&stable).filter_map(|(_, rate)| *rate).fold(0.0, f64::max);
    let said = |points: &[(Timestamp, Option<f64>)]| {
        let most = points.iter().filter_map(|(_, rate)| *rate).fold(0.0, f64::max);
        format!("up to {:.2}%", most * 100.0)
    };
    let description =
        format!("{}: {}. {}: {}.", frame.candidate, said(&candidate), frame.stable, said(&stable));
    Chart {
        title: title.to_owned(),
        description,
        from: frame.from,
        to: frame.to,
        unit: Unit::Share,
        top: (tallest * 1.1).max(0.001),
        lines: vec![
            Line { name: "limit".to_owned(), ink: Ink::Limit, shape: Shape::Steps, points: limits },
            Line { name: frame.stable.clone(), ink: Ink::Stable, shape: Shape::Curve, points: stable },
            Line {
                name: frame.candidate.clone(),
                ink: Ink::Candidate,
                shape: Shape::Curve,
                points: candidate,
            },
        ],
        areas: measured
            .courses
            .iter()
            .filter(|course| counted.is(course.metric))
            .map(|course| band(course, measured))
            .collect(),
        markers: frame.markers.clone(),
    }
}

/// A line that holds until the last minute is over.
fn until_the_end(
    measured: &Measured,
    points: impl Iterator<Item = (Timestamp, Option<f64>)>,
) -> Vec<(Timestamp, Option<f64>)> {
    let mut points: Vec<_> = points.collect();
    let end =
        points.last().and_then(|(start, value)| Some((start.checked_add(measured.minute).ok()?, *value)));
    points.extend(end);
    points
}

fn band(course: &Course, measured: &Measured) -> Area {
    let half = measured.minute / 2;
    let known = course.known.iter().map(|known| {
        let at = known.minute.saturating_add(half).unwrap_or(known.minute);
        (at, 0.0, known.proved_below.unwrap_or(1.0))
    });
    Area { name: "not excluded yet".to_owned(), ink: Ink::Candidate, points: known.collect() }
}

/// What spoke against the candidate, as the judge weighed it.
fn case(measured: &Measured, frame: &Frame) -> Option<Curve> {
    if measured.courses.is_empty() {
        return None;
    }
    let half = measured.minute / 2;
    let line = |course: &Course| Line {
        name: match course.metric {
            Metric::Errors => "errors".to_owned(),
            Metric::Slow { latency_ms_max } => format!("requests over {latency_ms_max} ms"),
        },
        ink: match course.metric {
            Metric::Errors => Ink::Candidate,
            Metric::Slow { .. } => Ink::Third,
        },
        shape: Shape::Curve,
        // Nothing speaks against anybody before the first minute.
        points: measured
            .minutes
            .first()
            .map(|first| (first.start, Some(0.0)))
            .into_iter()
            .chain(course.known.iter().map(|known| {
                (known.minute.saturating_add(half).unwrap_or(known.minute), Some(known.evidence_against))
            }))
            .collect(),
    };
    let limit = until_the_end(measured, measured.minutes.iter().map(|minute| (minute.start, Some(1.0))));
    let mut lines =
        vec![Line { name: "fails here".to_owned(), ink: Ink::Limit, shape: Shape::Steps, points: limit }];
    lines.extend(measured.courses.iter().rev().map(line));
    let strongest = lines.iter().skip(1).flat_map(|line| line.points.iter().filter_map(|(_, value)| *value));
    let strongest = strongest.fold(0.0, f64::max);
    Some(Curve {
        chart: Chart {
            title: "The case against the candidate".to_owned(),
            description: format!("It came to {:.0}% of what fails a release.", strongest * 100.0),
            from: frame.from,
            to: frame.to,
            unit: Unit::Share,
            top: 1.0,
            lines,
            areas: Vec::new(),
            markers: frame.markers.clone(),
        },
        caption: "How much spoke against the candidate, of what fails it. A healthy release gets there with 1 % at most, \
                  all its stages and looks together."
            .to_owned(),
    })
}

/// Minutes of one stage that are added up, so that there are not too many.
fn grouped(minutes: &[Minute]) -> Vec<&[Minute]> {
    let together = minutes.len().div_ceil(POINTS_MAX).max(1);
    minutes.chunk_by(|one, next| one.stage == next.stage).flat_map(|stage| stage.chunks(together)).collect()
}

/// Without CloudWatch: the candidate's last minutes in each stage, as the looks that are kept have them.
pub(super) fn of_looks(
    findings: &[Finding],
    frame: &Frame,
    measured_minute: jiff::SignedDuration,
) -> Option<Curve> {
    let (mut points, mut limits) = (Vec::new(), Vec::new());
    for finding in findings {
        let Found::Stage(look) = &finding.found else { continue };
        let until = look.measured_until.unwrap_or(finding.at);
        let Some(errors) = look.judgement.metrics.iter().find(|verdict| verdict.metric == Metric::Errors)
        else {
            continue;
        };
        for (back, rate) in errors.recent.iter().rev().enumerate() {
            let Ok(back) = i32::try_from(back) else { break };
            let Some(at) =
                measured_minute.checked_mul(back + 1).and_then(|back| until.checked_sub(back).ok())
            else {
                break;
            };
            points.push((at, *rate));
            limits.push((at, Some(errors.limit)));
        }
    }
    points.sort_by_key(|(at, _)| *at);
    limits.sort_by_key(|(at, _)| *at);
    let top = points.iter().filter_map(|(_, rate)| *rate).fold(0.001, f64::max) * 1.1;
    (!points.is_empty()).then(|| Curve {
        chart: Chart {
            title: "Share of requests that failed".to_owned(),
            description: format!("{}, from the last look at each stage.", frame.candidate),
            from: frame.from,
            to: frame.to,
            unit: Unit::Share,
            top,
            lines: vec![
                Line { name: "limit".to_owned(), ink: Ink::Limit, shape: Shape::Steps, points: limits },
                Line { name: frame.candidate.clone(), ink: Ink::Candidate, shape: Shape::Curve, points },
            ],
            areas: Vec::new(),
            markers: frame.markers.clone(),
        },
        caption: "From the last look at each stage, which keeps 30 minutes of the candidate's errors: CloudWatch has \
                  nothing of this release any more."
            .to_owned(),
    })
}
