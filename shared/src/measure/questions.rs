//! What CloudWatch is asked at a look.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::expression::with_prefix;
use super::minutes::{Span, spans};
use super::{Query, Question, Questions, Wanted};
use crate::names::{Version, Weight};
use crate::pipeline::Tempo;
use crate::preflight::Subject;
use crate::registration::{CANDIDATE, MetricCheck, MetricSource, STABLE};

/// The periods of everything that is asked.
const PERIOD_SECONDS: u32 = 60;
/// So many minutes of gauges are drawn.
const DRAWN_MINUTES: u32 = 30;
/// With every gauge that a registration may hold, so many minutes stay below the 100,800 values of one answer.
const GAUGE_MINUTES_MAX: u32 = 360;

/// Whose requests a series counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The candidate's, while the alias is weighted.
    Candidate,
    /// The stable version's, likewise.
    Stable,
    /// All of the alias's. Lambda names the executed version only while the alias is weighted; with all traffic on the
    /// candidate the alias's requests are the candidate's.
    Alias,
}

impl Of {
    pub(super) fn id(self, series: &str) -> String {
        let of = match self {
            Self::Candidate => "candidate",
            Self::Stable => "stable",
            Self::Alias => "alias",
        };
        format!("{of}_{series}")
    }
}

/// The name of the series of requests within a latency limit.
pub(super) fn within(latency_ms_max: u32) -> String {
    format!("within_{latency_ms_max}_ms")
}

/// What is to be asked about an open release.
pub fn questions(subject: &Subject<'_>, now: Timestamp, tempo: Tempo) -> Questions {
    let spans = spans(subject.run, now, tempo);
    let mut counts = Vec::new();
    let (whole, weighted): (Vec<Span>, Vec<Span>) = spans.iter().partition(|span| span.weight == Weight::ALL);
    if !weighted.is_empty() {
        counts.extend(requests_of(subject, Of::Candidate, &weighted));
        counts.extend(requests_of(subject, Of::Stable, &weighted));
    }
    if !whole.is_empty() {
        counts.extend(requests_of(subject, Of::Alias, &whole));
    }
    let question = |from, to, queries| Question { from, to, period_seconds: PERIOD_SECONDS, queries };
    let counts = spans.first().zip(spans.last()).map(|(first, last)| question(first.from, last.to, counts));
    let stage = subject.run.reached.len().checked_sub(1);
    let gauges = spans.last().filter(|span| Some(span.stage) == stage).and_then(|span| {
        let looked_back = tempo.minutes(gauge_minutes(subject));
        let from = span.to.saturating_sub(looked_back).map_or(span.from, |from| from.max(span.from));
        let queries = gauge_queries(subject, span.weight);
        (!queries.is_empty()).then(|| question(from, span.to, queries))
    });
    Questions { counts, gauges }
}

/// So many minutes of gauges are asked for: what the checks look back on, and what has come since the last look and the one
/// before, which may have failed.
pub(super) fn gauge_minutes(subject: &Subject<'_>) -> u32 {
    let looked_back = subject.record.registration.metrics.iter().map(|check| check.of).max();
    let between_looks = subject.run.strategy.look_minutes.saturating_mul(2);
    looked_back.unwrap_or(0).max(between_looks).clamp(DRAWN_MINUTES, GAUGE_MINUTES_MAX)
}

/// The series of requests that the minutes of these stages need.
fn requests_of(subject: &Subject<'_>, of: Of, spans: &[Span]) -> Vec<Query> {
    let (whose, version) = match of {
        Of::Candidate => (format!("version {}", subject.change.candidate), Some(subject.change.candidate)),
        Of::Stable => (format!("version {}", subject.change.stable), Some(subject.change.stable)),
        Of::Alias => (format!("{}:{}", subject.alias.function, subject.alias.alias), None),
    };
    let query = |series: &str, what: String, name: &str, stat: String| Query {
        id: of.id(series),
        what: format!("{what} of {whose}"),
        wanted: Wanted::Metric(MetricSource { stat, ..lambda(subject, name, version) }),
        is_answered: true,
    };
    let mut queries = vec![
        query("requests", "requests".to_owned(), "Invocations", "Sum".to_owned()),
        query("errors", "errors".to_owned(), "Errors", "Sum".to_owned()),
    ];
    let stages = spans.iter().filter_map(|span| subject.run.strategy.stages.get(span.stage));
    let limits: BTreeSet<u32> = stages.filter_map(|stage| stage.limits.latency_ms_max).collect();
    if !limits.is_empty() {
        queries.push(query("timed", "durations".to_owned(), "Duration", "SampleCount".to_owned()));
    }
    queries.extend(limits.into_iter().map(|ms| {
        // A trimmed count includes its upper bound, and a request that takes as long as the limit is not slow.
        query(&within(ms), format!("requests within {ms} ms"), "Duration", format!("TC(:{ms})"))
    }));
    queries
}

/// A metric of the alias, or of one version behind it.
fn lambda(subject: &Subject<'_>, name: &str, version: Option<Version>) -> MetricSource {
    let (function, alias) = (&subject.alias.function, &subject.alias.alias);
    let mut dimensions = BTreeMap::from([
        ("FunctionName".to_owned(), function.to_string()),
        ("Resource".to_owned(), format!("{function}:{alias}")),
    ]);
    dimensions.extend(version.map(|version| ("ExecutedVersion".to_owned(), version.to_string())));
    MetricSource {
        namespace: "AWS/Lambda".to_owned(),
        name: name.to_owned(),
        dimensions,
        stat: "Sum".to_owned(),
    }
}

/// The name of the series of turned-away requests.
pub(super) fn throttles_id() -> String {
    Of::Alias.id("throttles")
}

/// The name of a dead-letter queue's series.
pub(super) fn dead_letters_id(index: usize) -> String {
    format!("dead_letters_{index}")
}

/// How many messages lie in a dead-letter queue.
pub(crate) fn dead_letter_query(index: usize, queue: &str) -> Query {
    Query {
        id: dead_letters_id(index),
        what: format!("messages in {queue}"),
        wanted: Wanted::Metric(MetricSource {
            namespace: "AWS/SQS".to_owned(),
            name: "ApproximateNumberOfMessagesVisible".to_owned(),
            dimensions: BTreeMap::from([("QueueName".to_owned(), queue.to_owned())]),
            stat: "Maximum".to_owned(),
        }),
        is_answered: true,
    }
}

/// The name of a registered check's series.
pub(super) fn check_id(index: usize) -> String {
    format!("check_{index}")
}

fn gauge_queries(subject: &Subject<'_>, weight: Weight) -> Vec<Query> {
    let registration = &subject.record.registration;
    let asked = |id, what, metric| Query { id, what, wanted: Wanted::Metric(metric), is_answered: true };
    let mut queries = Vec::new();
    let limits = subject.run.stage().map(|(_, planned, _)| &planned.limits);
    if limits.is_some_and(|limits| limits.throttles_max.is_some()) {
        let what = format!("throttles of {}:{}", subject.alias.function, subject.alias.alias);
        queries.push(asked(throttles_id(), what, lambda(subject, "Throttles", None)));
    }
    let queues = registration.dead_letter_queues.iter().enumerate();
    queries.extend(queues.map(|(index, queue)| dead_letter_query(index, queue)));
    for (index, check) in registration.metrics.iter().enumerate() {
        queries.extend(check_queries(subject, weight, &check_id(index), check).unwrap_or_default());
    }
    queries
}

/// The queries of a registered check; none where it names the stable version, which has no traffic any more.
fn check_queries(subject: &Subject<'_>, weight: Weight, id: &str, check: &MetricCheck) -> Option<Vec<Query>> {
    let mut queries = Vec::new();
    for (name, source) in &check.inputs {
        let metric = resolved(subject, weight, source)?;
        queries.push(Query {
            id: format!("{id}_{name}"),
            what: format!("{name} of {}", check.name),
            wanted: Wanted::Metric(metric),
            is_answered: false,
        });
    }
    let wanted = match (&check.metric, &check.expression) {
        (Some(source), _) => Wanted::Metric(resolved(subject, weight, source)?),
        (None, Some(expression)) => Wanted::Math(with_prefix(expression, &format!("{id}_"))),
        // The rules of a registration do not let this be.
        (None, None) => return None,
    };
    queries.push(Query { id: id.to_owned(), what: check.name.clone(), wanted, is_answered: true });
    Some(queries)
}

/// A source with the versions of the release in it.
fn resolved(subject: &Subject<'_>, weight: Weight, source: &MetricSource) -> Option<MetricSource> {
    let (candidate, stable) = (subject.change.candidate.to_string(), subject.change.stable.to_string());
    let is_all = weight == Weight::ALL;
    let mut dimensions = BTreeMap::new();
    for (name, value) in &source.dimensions {
        if is_all && value.contains(STABLE) {
            return None;
        }
        // Lambda publishes nothing under the executed version of an alias that is not weighted.
        if is_all && source.namespace == "AWS/Lambda" && name == "ExecutedVersion" {
            continue;
        }
        let value = value.replace(CANDIDATE, &candidate).replace(STABLE, &stable);
        dimensions.insert(name.clone(), value);
    }
    Some(MetricSource { dimensions, ..source.clone() })
}
