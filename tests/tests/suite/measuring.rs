//! What CloudWatch is asked about a stage, and what its answers come to: which minutes count, and that nothing which is not
//! known is taken for good.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord::judge::{Minute, Verdict};
use ripcord::measure::{Answers, Measured, Question, Questions, Sights, Wanted, measure, questions};
use ripcord::names::{Generation, Weight};
use ripcord::pipeline::{Reached, Run, Tempo};
use ripcord::preflight::{GuardState, PreflightRequest, Standing, Subject, When, standing};
use ripcord::registration::{Limits, MetricSource, Unproven};
use ripcord::release::Release;
use ripcord::shift::Refusal;
use ripcord::signal::AlarmState;
use ripcord::situation::{LiveAlias, ServiceRecord, Sighting};
use ripcord::strategy::{PlannedStage, Strategy};
use ripcord::traffic::Traffic;

use crate::worlds::{SERVICE, World, at, canary, change};

mod asking;
mod back;
mod gaps;
mod rules;
mod sights;

/// A release that a state machine drives, and the moment at which it is looked at.
pub(crate) struct Case {
    pub(crate) record: ServiceRecord,
    pub(crate) now: Timestamp,
    pub(crate) tempo: Tempo,
}

impl Case {
    /// Release 5 of version 2 over version 1, with a stage of ten minutes per percentage, of which some have begun.
    pub(crate) fn of(percentages: &[f64], begun: &[&str], now: &str) -> Self {
        let limits = Limits { error_rate_max: Some(0.05), ..Limits::default() };
        let stage = |percent: &f64| PlannedStage {
            weight: Weight::from_share(percent / 100.0).unwrap(),
            bake_minutes: 10,
            limits: limits.clone(),
            approval: false,
        };
        let run = Run {
            execution: "arn:aws:states:eu-west-1:123456789012:execution:ripcord-progressive-release:e"
                .to_owned(),
            strategy: Strategy {
                name: "custom".to_owned(),
                stages: percentages.iter().map(stage).collect(),
                stabilise_seconds: 60,
                extend_minutes_max: None,
                unproven: Unproven::RollBack,
                approval_minutes_max: 240,
                look_minutes: 1,
            },
            reached: begun.iter().map(|time| Reached { at: at(time), approved_by: None }).collect(),
            awaiting: None,
            waiver: None,
            attestations: BTreeMap::new(),
            timeout_seconds: 30,
        };
        let percent = begun.len().checked_sub(1).map_or(0.0, |stage| percentages[stage]);
        let release =
            Release { changes: vec![change("api", 1, 2, percent)], run: Some(Box::new(run)), ..canary() };
        let mut record = World::checkout().record;
        record.release = Some(release);
        Self { record, now: at(now), tempo: Tempo::REAL }
    }

    pub(crate) fn run(&mut self) -> &mut Run {
        self.record.release.as_mut().unwrap().run.as_mut().unwrap()
    }

    fn limits(&mut self, stage: usize) -> &mut Limits {
        &mut self.run().strategy.stages[stage].limits
    }

    fn limit_latency(&mut self, stage: usize, ms: u32) {
        let limits = self.limits(stage);
        (limits.latency_ms_max, limits.slow_rate_max) = (Some(ms), Some(0.05));
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        let service = SERVICE.parse().unwrap();
        let request = PreflightRequest { service, release: Generation(5), when: When::After };
        match standing(&request, &self.record).unwrap() {
            Standing::Open(subject) => subject,
            Standing::Complete(onward) => panic!("{onward:?}"),
        }
    }

    fn asked(&self) -> Questions {
        questions(&self.subject(), self.now, self.tempo)
    }

    /// What is seen while everything is well: the alias as confirmed, the guard quiet, and these metrics.
    fn sights(&self, metrics: impl Fn(&MetricSource, Timestamp) -> Option<f64>) -> Sights {
        let asked = self.asked();
        let (subject, tempo) = (self.subject(), self.tempo);
        let answer = |question: &Option<Question>| {
            Ok(question.as_ref().map_or_else(Answers::new, |question| answered(question, tempo, &metrics)))
        };
        Sights {
            counts: answer(&asked.counts),
            gauges: answer(&asked.gauges),
            guards: Ok(vec![guard("errors", Some(AlarmState::Ok))]),
            live: Sighting::Alias(LiveAlias {
                function: subject.alias.function.clone(),
                alias: subject.alias.alias.clone(),
                traffic: Traffic::split(
                    subject.change.stable,
                    subject.change.candidate,
                    subject.change.weight,
                ),
                revision: "r1".parse().unwrap(),
            }),
        }
    }

    fn measured(&self, sights: &Sights) -> Measured {
        measure(&self.subject(), sights, self.now, self.tempo).unwrap()
    }

    fn minutes(&self, metrics: impl Fn(&MetricSource, Timestamp) -> Option<f64>) -> Vec<Minute> {
        self.measured(&self.sights(metrics)).observations.minutes
    }
}

pub(crate) fn guard(name: &str, state: Option<AlarmState>) -> GuardState {
    GuardState {
        name: name.to_owned(),
        arn: format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}"),
        state,
        actions_enabled: true,
        suppressed_by: None,
    }
}

/// A CloudWatch that has these metrics. Metric math it does not know: what that would be is asked like a metric.
fn answered(
    question: &Question,
    tempo: Tempo,
    metrics: &impl Fn(&MetricSource, Timestamp) -> Option<f64>,
) -> Answers {
    let mut answers = Answers::new();
    for query in question.queries.iter().filter(|query| query.is_answered) {
        let source = match &query.wanted {
            Wanted::Metric(source) => source.clone(),
            Wanted::Math(expression) => MetricSource {
                namespace: "math".to_owned(),
                name: expression.clone(),
                dimensions: BTreeMap::new(),
                stat: String::new(),
            },
        };
        let mut values = BTreeMap::new();
        let mut start = question.from;
        while start < question.to {
            values.extend(metrics(&source, start).map(|value| (start, value)));
            start += tempo.minute();
        }
        answers.insert(query.id.clone(), Ok(values));
    }
    answers
}

/// A hundred requests a minute to the candidate and nine hundred to the stable version, one of a hundred failing, and five of
/// each kind of slow.
fn steady(source: &MetricSource, _: Timestamp) -> Option<f64> {
    if source.namespace != "AWS/Lambda" {
        return None;
    }
    let requests = match source.dimensions.get("ExecutedVersion").map(String::as_str) {
        Some("2") => 100.0,
        Some("1") => 900.0,
        Some(other) => panic!("nobody runs version {other}"),
        None => 1_000.0,
    };
    Some(match (source.name.as_str(), source.stat.as_str()) {
        ("Invocations", "Sum") | ("Duration", "SampleCount") => requests,
        ("Errors", "Sum") => requests / 100.0,
        ("Duration", _) => requests - 5.0,
        ("Throttles", "Sum") => 0.0,
        other => panic!("nobody publishes {other:?}"),
    })
}

/// The same, but nothing of some metrics.
fn without(names: &'static [&'static str]) -> impl Fn(&MetricSource, Timestamp) -> Option<f64> {
    move |source, start| steady(source, start).filter(|_| !names.contains(&source.name.as_str()))
}

/// A minute as `10:01 0 at 10%: 100/1/0/0 against 900/9/0/0`: requests, errors, durations, slow ones.
fn line(minute: &Minute) -> String {
    let counts = |counts: &ripcord::judge::Counts| {
        format!("{}/{}/{}/{}", counts.requests, counts.errors, counts.timed, counts.slow)
    };
    let stable =
        minute.stable.as_ref().map_or(String::new(), |stable| format!(" against {}", counts(stable)));
    let start = minute.start.strftime("%H:%M");
    format!("{start} {} at {}: {}{stable}", minute.stage, minute.weight, counts(&minute.candidate))
}

fn lines(minutes: &[Minute]) -> String {
    minutes.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The minutes of each stage that count, as `10:01-10:03`.
#[track_caller]
fn check_minutes(percentages: &[f64], begun: &[&str], now: &str, expect: &[&str]) {
    let minutes = Case::of(percentages, begun, now).minutes(steady);
    let spans: Vec<String> = (0..percentages.len())
        .filter_map(|stage| {
            let mut own = minutes.iter().filter(|minute| minute.stage == stage);
            let first = own.next()?;
            let last = own.next_back().unwrap_or(first);
            Some(format!("{stage}: {}-{}", first.start.strftime("%H:%M"), last.start.strftime("%H:%M")))
        })
        .collect();
    assert_eq!(spans, expect, "begun {begun:?}, looked at {now}");
}

#[test]
fn a_minute_counts_once_traffic_has_settled_before_it_and_cloudwatch_after_it() {
    let stages = &[10.0, 100.0];
    check_minutes(stages, &["10:00:00"], "10:05:00", &["0: 10:01-10:03"]);
    check_minutes(stages, &["10:00:00"], "10:05:00.001", &["0: 10:01-10:03"]);
    check_minutes(stages, &["10:00:00"], "10:04:59.999", &["0: 10:01-10:02"]);
    check_minutes(stages, &["10:00:00.001"], "10:05:00", &["0: 10:02-10:03"]);
    check_minutes(stages, &["09:59:59.999"], "10:05:00", &["0: 10:01-10:03"]);
    check_minutes(stages, &["10:00:00"], "10:03:00", &["0: 10:01-10:01"]);
    check_minutes(stages, &["10:00:00"], "10:02:59.999", &[]);
    check_minutes(stages, &[], "10:05:00", &[]);
}

#[test]
fn a_minute_in_which_traffic_moved_belongs_to_neither_stage() {
    let stages = &[10.0, 50.0, 100.0];
    check_minutes(stages, &["10:00:00", "10:10:00"], "10:15:00", &["0: 10:01-10:09", "1: 10:11-10:13"]);
    check_minutes(stages, &["10:00:00", "10:10:00.001"], "10:15:00", &["0: 10:01-10:09", "1: 10:12-10:13"]);
    check_minutes(stages, &["10:00:00", "10:09:59.999"], "10:15:00", &["0: 10:01-10:08", "1: 10:11-10:13"]);
    // The next stage begins before the first one has a minute.
    check_minutes(stages, &["10:00:00", "10:01:30"], "10:15:00", &["1: 10:03-10:13"]);
    // What the first stage saw just before may still come in.
    check_minutes(stages, &["10:00:00", "10:10:00"], "10:10:30", &["0: 10:01-10:08"]);
}

#[test]
fn a_weighted_stage_is_counted_by_version_and_one_with_all_traffic_by_the_alias() {
    let case = Case::of(&[10.0, 100.0], &["10:00:00", "10:03:00"], "10:07:00");
    insta::assert_snapshot!(lines(&case.minutes(steady)), @r"
    10:01 0 at 10%: 100/1/0/0 against 900/9/0/0
    10:02 0 at 10%: 100/1/0/0 against 900/9/0/0
    10:04 1 at 100%: 1000/10/0/0
    10:05 1 at 100%: 1000/10/0/0
    ");
}

#[test]
fn every_stage_has_its_own_latency_limit() {
    let mut case = Case::of(&[10.0, 50.0, 100.0], &["10:00:00", "10:03:00", "10:06:00"], "10:10:00");
    case.limit_latency(0, 200);
    case.limit_latency(1, 500);
    let slow = |source: &MetricSource, start| match source.stat.as_str() {
        "TC(:200)" => Some(90.0),
        "TC(:500)" => Some(99.0),
        _ => steady(source, start),
    };
    insta::assert_snapshot!(lines(&case.minutes(slow)), @r"
    10:01 0 at 10%: 100/1/100/10 against 900/9/900/810
    10:02 0 at 10%: 100/1/100/10 against 900/9/900/810
    10:04 1 at 50%: 100/1/100/1 against 900/9/900/801
    10:05 1 at 50%: 100/1/100/1 against 900/9/900/801
    10:07 2 at 100%: 1000/10/0/0
    10:08 2 at 100%: 1000/10/0/0
    ");
}

#[test]
fn minutes_are_as_long_as_in_the_plan() {
    let mut case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:00:05");
    case.tempo = Tempo::of_minute_ms(1_000);
    let minutes = case.minutes(steady);
    let starts: Vec<String> = minutes.iter().map(|minute| minute.start.strftime("%S").to_string()).collect();
    assert_eq!(starts, ["01", "02", "03"]);
}

#[test]
fn cloudwatch_is_not_asked_for_minutes_that_it_has_forgotten() {
    let mut case = Case::of(&[10.0, 100.0], &["10:00:00"], "10:00:00");
    case.now += jiff::SignedDuration::from_hours(20 * 24);
    let asked = case.asked().counts.unwrap();
    assert_eq!(asked.from, case.now - jiff::SignedDuration::from_hours(15 * 24 - 1));
}

#[test]
fn a_stage_passes_only_on_requests_that_have_all_been_reported() {
    // The newest minute alone proves the limit. A request of it may take 30 seconds, and CloudWatch another minute.
    let newest = |source: &MetricSource, start| {
        let requests = if start == at("10:03:00") { 5_000.0 } else { 1.0 };
        match source.name.as_str() {
            "Invocations" => Some(requests),
            _ => Some(0.0),
        }
    };
    let judged = |timeout_seconds, now| {
        let mut case = Case::of(&[100.0], &["10:00:00"], now);
        case.run().timeout_seconds = timeout_seconds;
        case.measured(&case.sights(newest)).judged().verdict
    };
    assert_eq!(judged(30, "10:05:29"), Verdict::Inconclusive);
    assert_eq!(judged(30, "10:05:30"), Verdict::Pass);
    assert_eq!(judged(0, "10:05:00"), Verdict::Pass);
}

#[test]
fn a_stage_fails_on_the_newest_minute_that_is_complete() {
    let bad = |source: &MetricSource, start| {
        let errors = if start == at("10:03:00") { 500.0 } else { 0.0 };
        Some(if source.name == "Invocations" { 1_000.0 } else { errors })
    };
    let mut case = Case::of(&[100.0], &["10:00:00"], "10:05:00");
    case.run().timeout_seconds = 900;
    assert_eq!(case.measured(&case.sights(bad)).judged().verdict, Verdict::Fail);
}

#[track_caller]
fn refused(case: &Case, sights: &Sights) -> Refusal {
    measure(&case.subject(), sights, case.now, case.tempo).unwrap_err()
}
