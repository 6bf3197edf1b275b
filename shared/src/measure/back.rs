//! Looking back at a release that may be over: what its versions answered, minute by minute and in all. Gauges, alarms and the
//! alias say nothing of the past, so they are not asked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::minutes::{KEPT_MINUTES, floor, spans};
use super::questions::Of;
use super::{Answers, Gaps, Given, Question, Questions, Values, counts, questions};
use crate::judge::{Observations, Tally};
use crate::names::Weight;
use crate::pipeline::Tempo;
use crate::preflight::Subject;

/// What is asked about a release that may be over.
#[derive(Clone, Debug)]
pub struct LookBack<'record> {
    subject: Subject<'record>,
    tempo: Tempo,
    as_of: Timestamp,
    question: Option<Question>,
}

/// What the candidate answered in all, also while traffic was moving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Requests, and those that failed.
    pub candidate: Tally,
    /// Minutes in which it had any.
    pub minutes: u64,
}

/// A request is reported when it ends, under the minute in which it began. So many minutes after the end are asked for too.
const AFTERMATH_MINUTES: u32 = 3;

impl<'record> LookBack<'record> {
    /// What to ask about a release; `ended_at` is when its traffic was no longer its own.
    pub fn new(subject: Subject<'record>, ended_at: Option<Timestamp>, now: Timestamp, tempo: Tempo) -> Self {
        let settling = now.duration_since(tempo.settled(now));
        let ended = ended_at.unwrap_or(now);
        let as_of = ended.checked_add(settling).map_or(now, |end| end.min(now));
        let began = subject.release.traffic_at.or(subject.run.reached.first().map(|first| first.at));
        let question = began.and_then(|began| {
            // The first and the last minute are no stage's, but their requests were answered all the same. A release that went
            // back at once has no others, so what is asked is that of a release that went on for a little longer.
            let last = subject.run.counts_from(subject.run.reached.len().checked_sub(1)?, tempo)?;
            let later = last.checked_add(tempo.minutes(2)).ok()?.checked_add(settling).ok()?;
            let question = questions(&subject, later.max(as_of), tempo).counts?;
            let from = floor(began, tempo.minute());
            let after = ended.saturating_add(tempo.minutes(AFTERMATH_MINUTES)).unwrap_or(ended).min(now);
            let to = floor(after, tempo.minute());
            (from < to).then_some(Question { from, to, ..question })
        });
        let kept_from = now.saturating_sub(tempo.minutes(KEPT_MINUTES)).unwrap_or(now);
        let question = question.filter(|question| question.from >= kept_from);
        Self { subject, tempo, as_of, question }
    }

    /// What CloudWatch is to be asked; nothing if the candidate had traffic for less than a minute, or
    /// CloudWatch keeps its minutes no more.
    pub fn question(&self) -> Option<&Question> {
        self.question.as_ref()
    }

    /// The minutes of the release, as the judge was shown them.
    pub fn observations(&self, answers: &Result<Answers, String>) -> Observations {
        let mut gaps = Gaps::default();
        let asked = self.asked();
        let given = Given::of(asked.counts.as_ref(), answers, &mut gaps);
        let spans = spans(self.subject.run, self.as_of, self.tempo);
        let minutes = counts::minutes(&self.subject, &spans, &given, (self.as_of, self.tempo), &mut gaps);
        Observations {
            stage: self.subject.run.reached.len().saturating_sub(1),
            stages: self.subject.run.strategy.stages.iter().map(counts::limits).collect(),
            minutes,
            gauges: Vec::new(),
            alarms: Vec::new(),
            unmeasured: gaps.unmeasured(),
        }
    }

    /// What the candidate answered in all; nothing if that could not be read.
    pub fn served(&self, answers: &Result<Answers, String>) -> Option<Served> {
        let asked = self.asked();
        let given = Given::of(asked.counts.as_ref(), answers, &mut Gaps::default());
        let whole = spans(self.subject.run, self.as_of, self.tempo);
        let whole: Vec<_> = whole.into_iter().filter(|span| span.weight == Weight::ALL).collect();
        let is_whole = |at: Timestamp| whole.iter().any(|span| span.from <= at && at < span.to);
        let mut minutes: BTreeMap<Timestamp, Tally> = BTreeMap::new();
        let mut found = false;
        for of in [Of::Candidate, Of::Alias] {
            let Some((requests, errors)) = given.get(&of.id("requests")).zip(given.get(&of.id("errors")))
            else {
                continue;
            };
            found = true;
            // Only with all traffic on the candidate are the alias's requests the candidate's.
            let counts = requests.iter().filter(|(at, _)| of == Of::Candidate || is_whole(**at));
            for (at, requests) in counts {
                let tally = minutes.entry(*at).or_default();
                *tally += Tally { bad: count(errors, *at), requests: requests.max(0.0).round() as u64 };
            }
        }
        let mut served = Served::default();
        for tally in minutes.into_values().filter(|tally| tally.requests > 0) {
            served.candidate += tally;
            served.minutes += 1;
        }
        found.then_some(served)
    }

    fn asked(&self) -> Questions {
        Questions { counts: self.question.clone(), gauges: None }
    }
}

fn count(values: &Values, at: Timestamp) -> u64 {
    values.get(&at).map_or(0, |value| value.max(0.0).round() as u64)
}
