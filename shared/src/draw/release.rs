//! A release as a picture and as a list of what happened. Without a timeline the record says what it can.

use jiff::{SignedDuration, Timestamp};

use super::{Chart, Ink, Line, Marker, Shape, Unit};
use crate::names::{TargetName, Weight};
use crate::page::Tone;
use crate::release::{Phase, Release};
use crate::timeline::{Meaning, Moment, Source, Told, What};

/// How a release stands, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In a word or two.
    pub words: &'static str,
    /// How good that is.
    pub tone: Tone,
}

impl Standing {
    /// That of a phase.
    pub fn of(phase: Phase) -> Self {
        let (words, tone) = match phase {
            Phase::Shifting => ("under way", Tone::Plain),
            Phase::Complete => ("complete", Tone::Good),
            Phase::RolledBack => ("rolled back", Tone::Warning),
            Phase::RollbackFailed => ("ROLLBACK FAILED", Tone::Bad),
            Phase::Held => ("held, waits for a person", Tone::Bad),
            Phase::Withdrawn => ("withdrawn", Tone::Plain),
        };
        Self { words, tone }
    }
}

/// One thing that happened to a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// In a few words, for a picture; empty where the lines show it.
    pub label: String,
    /// In a sentence, for a list.
    pub sentence: String,
    /// How good that is.
    pub tone: Tone,
}

/// What happened, in order: what the timeline tells, or without one what the record says.
pub fn happenings(release: &Release, moments: &[Moment]) -> Vec<Happening> {
    let mut all: Vec<Happening> = if moments.is_empty() {
        of_record(release)
    } else {
        let told = moments.iter().filter(|moment| is_news(release, moment));
        told.map(|moment| of_moment(release, moment)).collect()
    };
    all.sort_by_key(|happening| happening.at);
    all
}

/// AWS's word may come so long before a release is opened, and so long after it has ended.
const AROUND: (SignedDuration, SignedDuration) =
    (SignedDuration::from_mins(1), SignedDuration::from_mins(10));

/// Whether a moment is worth telling of this release. That one which has just been opened has no traffic is no news, and what
/// AWS says around it may be about the release before or after.
fn is_news(release: &Release, moment: &Moment) -> bool {
    let What::Aws(told) = &moment.what else {
        let is_none = matches!(moment.what, What::Weights { weight: Weight::NONE, .. });
        return !(is_none && moment.at <= release.opened_at);
    };
    if told.source == Source::StepFunctions {
        return release.run.as_ref().is_some_and(|run| run.execution == told.about);
    }
    let from = release.opened_at.saturating_sub(AROUND.0).unwrap_or(release.opened_at);
    let until = release.ended_at.and_then(|ended| ended.checked_add(AROUND.1).ok());
    from <= moment.at && until.is_none_or(|until| moment.at <= until)
}

fn happening(at: Timestamp, label: &str, sentence: String, tone: Tone) -> Happening {
    Happening { at, label: label.to_owned(), sentence, tone }
}

fn of_record(release: &Release) -> Vec<Happening> {
    let mut all = vec![opened(release)];
    for (stage, reached) in release.run.iter().flat_map(|run| run.reached.iter().enumerate()) {
        all.push(stage_begun(release, stage, reached.at, reached.approved_by.as_deref()));
    }
    if let Some(cord) = &release.cord {
        let sentence = format!("The cord was pulled by {}.", cord.by);
        all.push(happening(cord.at, &cord.by.to_string(), sentence, Tone::Bad));
    }
    if let Some(at) = release.ended_at {
        all.push(phase_changed(at, release.phase, release.ended_because.as_deref()));
    }
    all
}

fn of_moment(release: &Release, moment: &Moment) -> Happening {
    let at = moment.at;
    match &moment.what {
        What::Opened { by, commit } => {
            let brings = commit.as_ref().map(|commit| format!(" It brings commit {}.", commit.id));
            let sentence = format!("Opened by {by}: {}.{}", versions(release), brings.unwrap_or_default());
            happening(at, "opened", sentence, Tone::Plain)
        }
        What::Weights { target, weight } => {
            happening(at, "", format!("The candidate's share at {target} is {weight}."), Tone::Plain)
        }
        What::StageReached { stage, approved_by } => stage_begun(release, *stage, at, approved_by.as_deref()),
        What::Asked { stage, why, until } => {
            let until = until.strftime("%H:%M:%S");
            let sentence = format!("A person is asked before stage {}, until {until}: {why}.", stage + 1);
            happening(at, "asks a person", sentence, Tone::Warning)
        }
        What::Signalled { cord } => {
            let sentence = format!("The cord was pulled by {}.", cord.by);
            happening(at, &cord.by.to_string(), sentence, Tone::Bad)
        }
        What::GoingBack { why } => {
            happening(at, "on its way back", format!("On its way back: {why}."), Tone::Warning)
        }
        What::Phase { phase, because } => phase_changed(at, *phase, because.as_deref()),
        What::Aws(told) => of_aws(at, told),
    }
}

fn of_aws(at: Timestamp, told: &Told) -> Happening {
    let Told { source, about, state, meaning, because } = told;
    let (label, tone) = match meaning {
        Meaning::Began => (String::new(), Tone::Plain),
        Meaning::Succeeded => (String::new(), Tone::Good),
        Meaning::WentBack => (format!("{source}: {state}"), Tone::Warning),
    };
    let because = because.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    // An ARN ends in the name that tells it from others.
    let name = about.rsplit([':', '/']).next().unwrap_or(about);
    happening(at, &label, format!("{source} says of {name}: {state}{because}."), tone)
}

fn opened(release: &Release) -> Happening {
    let sentence = format!("Opened by {}: {}.", release.opened_by, versions(release));
    happening(release.opened_at, "opened", sentence, Tone::Plain)
}

fn stage_begun(release: &Release, stage: usize, at: Timestamp, approved_by: Option<&str>) -> Happening {
    let stages = release.run.as_ref().map(|run| &run.strategy.stages);
    let weight =
        stages.and_then(|stages| stages.get(stage)).map(|planned| format!(" with {}", planned.weight));
    let of = stages.map(|stages| format!(" of {}", stages.len())).unwrap_or_default();
    let by = approved_by.map(|name| format!(", approved by {name}")).unwrap_or_default();
    let sentence = format!("Stage {}{of} began{}{by}.", stage + 1, weight.unwrap_or_default());
    happening(at, "", sentence, Tone::Plain)
}

fn phase_changed(at: Timestamp, phase: Phase, because: Option<&str>) -> Happening {
    let Standing { words, tone } = Standing::of(phase);
    let because = because.map(|why| format!(": {why}")).unwrap_or_default();
    let (label, sentence) = match phase {
        Phase::RolledBack => ("traffic is back", format!("Traffic is back{because}.")),
        Phase::Shifting => ("taken further", format!("Taken further by a person{because}.")),
        Phase::Complete => (words, format!("Complete{because}.")),
        Phase::RollbackFailed => (words, format!("The rollback failed{because}.")),
        Phase::Held => ("held", format!("Held: Ripcord would not touch traffic{because}.")),
        Phase::Withdrawn => (words, format!("Withdrawn before it had any traffic{because}.")),
    };
    happening(at, label, sentence, tone)
}

/// What a release moves, in words: `live from version 1 to version 2`.
pub fn versions(release: &Release) -> String {
    let of = |change: &crate::release::Change| {
        format!("{} from version {} to version {}", change.target, change.stable, change.candidate)
    };
    match release.changes.as_slice() {
        [] => "nothing was moved".to_owned(),
        changes => changes.iter().map(of).collect::<Vec<_>>().join(", "),
    }
}

/// So many targets have a line of their own.
const TARGETS_MAX: usize = 3;

/// The candidate's share over time at each target, up to `until`, with what happened. Nothing if no share is known.
pub fn shares(release: &Release, moments: &[Moment], until: Timestamp) -> Option<Chart> {
    let happened = happenings(release, moments);
    let first = happened.first().map_or(release.opened_at, |happening| happening.at).min(release.opened_at);
    let last = happened.last().map_or(until, |happening| happening.at).max(until);
    let margin = SignedDuration::from_millis((last.duration_since(first).as_millis() / 40) as i64)
        .max(SignedDuration::from_secs(1));
    let (from, to) =
        (first.saturating_sub(margin).unwrap_or(first), last.saturating_add(margin).unwrap_or(last));
    let inks = [Ink::Candidate, Ink::Third, Ink::Stable];
    let mut lines = Vec::new();
    for (change, ink) in release.changes.iter().zip(inks).take(TARGETS_MAX) {
        let steps = steps(release, moments, &change.target)?;
        let mut points: Vec<(Timestamp, Option<f64>)> = vec![(from, Some(0.0))];
        points.extend(steps.iter().map(|(at, weight)| (*at, Some(weight.share()))));
        let stays = steps.last().map_or(0.0, |(_, weight)| weight.share());
        points.push((to, Some(stays)));
        let name = format!("share of version {} at {}", change.candidate, change.target);
        let shape = if lines.is_empty() { Shape::FilledSteps } else { Shape::Steps };
        lines.push(Line { name, ink, shape, points });
    }
    lines.reverse();
    let unseen = release.changes.len().saturating_sub(TARGETS_MAX);
    let more = if unseen > 0 { format!(" {unseen} more targets are not drawn.") } else { String::new() };
    let told: Vec<String> = happened.iter().map(|one| format!("{:.0}: {}", one.at, one.sentence)).collect();
    Some(Chart {
        title: format!("Share of traffic of release {} of {} over time", release.generation, release.service),
        description: format!("{}{more}", told.join(" ")),
        from,
        to,
        unit: Unit::Share,
        top: 1.0,
        lines,
        areas: Vec::new(),
        markers: markers(&happened),
    })
}

/// What happened, as a picture shows it. What the lines show already has no rule.
pub fn markers(happened: &[Happening]) -> Vec<Marker> {
    let labelled = happened.iter().filter(|happening| !happening.label.is_empty());
    labelled
        .map(|happening| Marker { at: happening.at, label: happening.label.clone(), tone: happening.tone })
        .collect()
}

/// When the candidate's share at a target changed, and to what. Nothing where only the last share is known.
pub fn steps(release: &Release, moments: &[Moment], target: &TargetName) -> Option<Vec<(Timestamp, Weight)>> {
    let mut steps: Vec<(Timestamp, Weight)> = Vec::new();
    for moment in moments {
        match &moment.what {
            What::Weights { target: of, weight } if of == target => steps.push((moment.at, *weight)),
            What::Phase { phase: Phase::RolledBack, .. } => steps.push((moment.at, Weight::NONE)),
            What::Opened { .. }
            | What::Weights { .. }
            | What::StageReached { .. }
            | What::Asked { .. }
            | What::Signalled { .. }
            | What::GoingBack { .. }
            | What::Phase { .. }
            | What::Aws(_) => {}
        }
    }
    if moments.is_empty() {
        steps = steps_of_record(release, target)?;
    }
    steps.sort_by_key(|(at, _)| *at);
    Some(steps)
}

fn steps_of_record(release: &Release, target: &TargetName) -> Option<Vec<(Timestamp, Weight)>> {
    let back = release.ended_at.filter(|_| release.phase == Phase::RolledBack).map(|at| (at, Weight::NONE));
    if release.had_no_traffic() {
        return Some(Vec::new());
    }
    if let Some(run) = release.run.as_ref().filter(|_| release.driven() == Some(target)) {
        let stages =
            run.reached.iter().zip(&run.strategy.stages).map(|(reached, stage)| (reached.at, stage.weight));
        return Some(stages.chain(back).collect());
    }
    let change = release.change(target)?;
    match release.phase {
        Phase::Complete => Some(vec![(release.traffic_at?, change.weight)]),
        // How much traffic it had between is not written in the record.
        Phase::Shifting | Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn => None,
    }
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
