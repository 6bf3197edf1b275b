//! Which minutes belong to which stage.

use jiff::{SignedDuration, Timestamp};

use crate::names::Weight;
use crate::pipeline::{Run, Tempo};

/// CloudWatch keeps minutes for fifteen days, and refuses to be asked for them beyond that.
pub(super) const KEPT_MINUTES: u32 = 15 * 24 * 60 - 60;

/// The whole minutes of a stage that count so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The stage, from 0.
    pub(super) stage: usize,
    /// The candidate's share in it.
    pub(super) weight: Weight,
    /// The start of the first minute.
    pub(super) from: Timestamp,
    /// The end of the last one.
    pub(super) to: Timestamp,
}

/// The minutes of every stage that has begun. A minute in which traffic moved, or had not settled, belongs to none; one that
/// CloudWatch is still collecting belongs to none yet. A stage without such minutes is not among them.
pub(super) fn spans(run: &Run, now: Timestamp, tempo: Tempo) -> Vec<Span> {
    let minute = tempo.minute();
    let kept_from = now.saturating_sub(tempo.minutes(KEPT_MINUTES)).unwrap_or(now);
    let settled = tempo.settled(now);
    let mut spans = Vec::new();
    for (stage, planned) in run.strategy.stages.iter().enumerate().take(run.reached.len()) {
        let Some(from) = run.counts_from(stage, tempo) else { continue };
        let ended = run.reached.get(stage + 1).map_or(settled, |next| next.at.min(settled));
        let (from, to) = (ceiling(from.max(kept_from), minute), floor(ended, minute));
        if from < to {
            spans.push(Span { stage, weight: planned.weight, from, to });
        }
    }
    spans
}

impl Span {
    /// The starts of its minutes.
    pub(super) fn starts(&self, minute: SignedDuration) -> impl Iterator<Item = Timestamp> + use<> {
        let to = self.to;
        let next = move |start: &Timestamp| start.checked_add(minute).ok();
        std::iter::successors(Some(self.from), next).take_while(move |start| *start < to)
    }
}

/// The start of the minute that a time lies in. CloudWatch counts minutes from the epoch.
pub(super) fn floor(at: Timestamp, minute: SignedDuration) -> Timestamp {
    let into = at.as_nanosecond().rem_euclid(minute.as_nanos().max(1));
    Timestamp::from_nanosecond(at.as_nanosecond() - into).unwrap_or(at)
}

/// The start of the first minute that does not begin before a time.
fn ceiling(at: Timestamp, minute: SignedDuration) -> Timestamp {
    let start = floor(at, minute);
    if start == at { at } else { start.saturating_add(minute).unwrap_or(at) }
}
