//! What CloudWatch is asked about a release, and how its answers become what the judge is shown.
//!
//! A minute counts only if it lies wholly inside one stage, after its traffic had settled, and if CloudWatch has had the time
//! to collect it. What was not answered completely is unmeasured, and what is not known is left out: nothing here fills a
//! gap. Nothing is remembered between looks either. Each asks for the whole release again, so what came late is there the
//! next time. It must not call, wait or read a clock, and it judges nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::judge::{AlarmReading, Judgement, Observations, Unmeasured, Verdict, judge};
use crate::pipeline::Tempo;
use crate::place::LambdaAlias;
use crate::preflight::{GuardState, Subject};
use crate::registration::MetricSource;
use crate::shift::Refusal;
use crate::situation::Sighting;
use crate::traffic::Traffic;

mod back;
mod counts;
pub(crate) mod expression;
mod gauges;
mod minutes;
mod questions;

pub use back::{LookBack, Served};
pub(crate) use questions::dead_letter_query;
pub use questions::questions;

use minutes::{floor, spans};

/// One question to CloudWatch: metrics over a stretch of time, in periods of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// From when on, at the start of a period.
    pub from: Timestamp,
    /// Up to when, at the end of a period.
    pub to: Timestamp,
    /// How long a period is, in seconds of the plan.
    pub period_seconds: u32,
    /// What is asked.
    pub queries: Vec<Query>,
}

/// One line of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Its name within the question: a small letter, then letters, digits and underscores.
    pub id: String,
    /// What it is, for people.
    pub what: String,
    /// What CloudWatch is to compute.
    pub wanted: Wanted,
    /// Whether its values are wanted, or only what another query computes from them.
    pub is_answered: bool,
}

/// What CloudWatch is to compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A statistic of one metric.
    Metric(MetricSource),
    /// Metric math over other queries of the same question.
    Math(String),
}

/// The values of a query by the start of their periods.
pub type Values = BTreeMap<Timestamp, f64>;

/// All values of a query, or why they are not all known.
pub type Series = Result<Values, String>;

/// What CloudWatch answered, by the queries' names.
pub type Answers = BTreeMap<String, Series>;

/// What is asked at a look. Metric math is asked apart from what is counted: CloudWatch gives a question with math in it no
/// second page, and refuses all of it for one bad expression.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Questions {
    /// The requests of the whole release, unless none of its minutes is complete.
    pub counts: Option<Question>,
    /// The gauges of the last minutes of the stage, if there are any of either.
    pub gauges: Option<Question>,
}

/// What was seen at a look. Whatever could not be seen says why.
#[derive(Clone, Debug, PartialEq)]
pub struct Sights {
    /// The answers about requests.
    pub counts: Result<Answers, String>,
    /// The answers about gauges.
    pub gauges: Result<Answers, String>,
    /// The guards that exist here.
    pub guards: Result<Vec<GuardState>, String>,
    /// The alias.
    pub live: Sighting,
}

/// What a look has shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Everything that is known, for the judge.
    pub observations: Observations,
    /// Up to when everything that was asked for has been measured; nothing if something could not be.
    pub until: Option<Timestamp>,
    /// Up to when every request has been reported, the slowest included.
    pub told_until: Timestamp,
    /// How long a minute lasts.
    minute: SignedDuration,
}

/// Turns what was seen into what the judge is shown. Fails if the alias is not the one that the ledger knows: what
/// CloudWatch has measured is then not what the stages say.
pub fn measure(
    subject: &Subject<'_>,
    sights: &Sights,
    now: Timestamp,
    tempo: Tempo,
) -> Result<Measured, Refusal> {
    let mut gaps = Gaps::default();
    check_alias(subject, &sights.live, &mut gaps)?;
    let asked = questions(subject, now, tempo);
    let spans = spans(subject.run, now, tempo);
    let counts = Given::of(asked.counts.as_ref(), &sights.counts, &mut gaps);
    let settled = floor(tempo.settled(now), tempo.minute());
    let timeout = tempo.seconds(subject.run.timeout_seconds);
    let told_until = tempo.settled(now).saturating_sub(timeout).unwrap_or(settled);
    let minutes = counts::minutes(subject, &spans, &counts, (told_until, tempo), &mut gaps);
    let gauges = Given::of(asked.gauges.as_ref(), &sights.gauges, &mut gaps);
    let gauges = gauges::readings(subject, asked.gauges.as_ref(), &gauges, tempo);
    let alarms = alarms(subject, &sights.guards, now, &mut gaps);
    let observations = Observations {
        stage: subject.run.reached.len().saturating_sub(1),
        stages: subject.run.strategy.stages.iter().map(counts::limits).collect(),
        minutes,
        gauges,
        alarms,
        unmeasured: gaps.unmeasured(),
    };
    Ok(Measured {
        until: observations.unmeasured.is_empty().then_some(settled),
        observations,
        told_until,
        minute: tempo.minute(),
    })
}

impl Measured {
    /// Lets the judge judge. A stage fails on every minute that is complete, but passes only on those whose requests have all
    /// been reported: Lambda reports a request when it ends, under the minute in which it began, so the slowest come last.
    pub fn judged(&self) -> Judgement {
        let judgement = judge(&self.observations);
        if judgement.verdict != Verdict::Pass {
            return judgement;
        }
        let mut told = self.observations.clone();
        told.minutes
            .retain(|minute| minute.start.checked_add(self.minute).is_ok_and(|end| end <= self.told_until));
        judge(&told)
    }
}

/// The start of the minute that a time lies in, as CloudWatch counts minutes.
pub(crate) fn whole_minutes(at: Timestamp, tempo: Tempo) -> Timestamp {
    floor(at, tempo.minute())
}

/// The answers that are complete.
struct Given<'sights>(BTreeMap<&'sights str, &'sights Values>);

impl<'sights> Given<'sights> {
    /// Sorts the answers to a question into what is given and what is not.
    fn of(
        question: Option<&'sights Question>,
        answers: &'sights Result<Answers, String>,
        gaps: &mut Gaps,
    ) -> Self {
        let mut given = BTreeMap::new();
        let queries = question.into_iter().flat_map(|question| &question.queries);
        for query in queries.filter(|query| query.is_answered) {
            match answers.as_ref().map(|answers| answers.get(&query.id)) {
                Ok(Some(Ok(values))) => {
                    given.insert(query.id.as_str(), values);
                }
                Ok(Some(Err(why))) | Err(why) => gaps.note(&query.what, why),
                Ok(None) => gaps.note(&query.what, "CloudWatch did not answer that"),
            }
        }
        Self(given)
    }

    fn get(&self, id: &str) -> Option<&'sights Values> {
        self.0.get(id).copied()
    }
}

/// What should have been read and could not, by why not: a call that fails is one reason, not one for each of its queries.
#[derive(Default)]
struct Gaps(BTreeMap<String, Vec<String>>);

impl Gaps {
    fn note(&mut self, what: impl ToString, why: impl ToString) {
        self.0.entry(why.to_string()).or_default().push(what.to_string());
    }

    fn unmeasured(self) -> Vec<Unmeasured> {
        self.0.into_iter().map(|(why, what)| Unmeasured { what: what.join(", "), why }).collect()
    }
}

/// The alias must serve what the ledger confirmed. An alias that cannot be seen is unmeasured.
fn check_alias(subject: &Subject<'_>, live: &Sighting, gaps: &mut Gaps) -> Result<(), Refusal> {
    let (change, LambdaAlias { function, alias }) = (subject.change, subject.alias);
    let confirmed = Traffic::split(change.stable, change.candidate, change.weight);
    match live {
        Sighting::Alias(live) if live.traffic == confirmed => Ok(()),
        Sighting::Alias(live) => Err(Refusal::Drifted {
            serving: live.traffic,
            confirmed,
            intended: change.intent.as_ref().map(|intent| intent.weight),
        }),
        Sighting::Missing | Sighting::Place(_) => {
            Err(Refusal::AliasMissing { function: function.clone(), alias: alias.clone() })
        }
        Sighting::Unseen { why } => {
            gaps.note(format_args!("the alias {function}:{alias}"), why);
            Ok(())
        }
    }
}

/// The guards that can be seen from here, or where the target lies. Any other pulls the cord by itself.
fn alarms(
    subject: &Subject<'_>,
    guards: &Result<Vec<GuardState>, String>,
    now: Timestamp,
    gaps: &mut Gaps,
) -> Vec<AlarmReading> {
    let mut readings = Vec::new();
    let there = subject.guards_there().into_iter().map(|arn| arn.to_string());
    for name in subject.guards_here().into_iter().chain(there) {
        let state = guards.as_ref().map(|guards| guards.iter().find(|guard| guard.name == name));
        match state.map(|guard| guard.map(|guard| guard.state)) {
            Ok(Some(Some(state))) => {
                readings.push(AlarmReading { waived: subject.run.fired_before(&name, now), name, state });
            }
            Ok(Some(None)) => gaps.note(format_args!("alarm {name}"), "its state is not known"),
            Ok(None) => gaps.note(format_args!("alarm {name}"), "it does not exist"),
            Err(why) => gaps.note(format_args!("alarm {name}"), why),
        }
    }
    readings
}
