//! What a report says, worked out once: the page, the review and the data all tell this.

use jiff::{SignedDuration, Timestamp};
use ripcord::draw::{Standing, happenings, versions};
use ripcord::evidence::{Evidence, LogExcerpt};
use ripcord::finding::{Finding, Found};
use ripcord::judge::{Metric, Tally, Verdict, grouped};
use ripcord::names::{Generation, ServiceName};
use ripcord::page::{Figure, Tone};
use ripcord::preflight::{Check, Outcome};
use ripcord::release::{Phase, Release, Report};
use ripcord::situation::Sighting;
use serde::Serialize;

use super::gather::Material;
use super::words::{after, lasting, of, rate};
use crate::evidence::described;

/// The whole story. The names of its fields are what scripts read.
#[derive(Debug, Serialize)]
pub(crate) struct Story {
    pub(crate) service: ServiceName,
    pub(crate) release: Generation,
    pub(crate) phase: Phase,
    /// How it ended, in a sentence.
    pub(crate) answer: String,
    #[serde(skip)]
    pub(crate) tone: Tone,
    /// Why it ended so.
    pub(crate) because: Option<String>,
    /// What it moved.
    pub(crate) versions: String,
    pub(crate) opened_at: Timestamp,
    pub(crate) opened_by: String,
    pub(crate) commit: Option<String>,
    pub(crate) ended_at: Option<Timestamp>,
    /// When the candidate first had traffic.
    pub(crate) traffic_at: Option<Timestamp>,
    /// Who or what pulled the cord, and when.
    pub(crate) pulled_by: Option<String>,
    pub(crate) pulled_at: Option<Timestamp>,
    /// From the cord to traffic being back.
    pub(crate) back_after_s: Option<f64>,
    /// What the candidate answered.
    pub(crate) served: Impact,
    #[serde(skip)]
    pub(crate) facts: Vec<Figure>,
    pub(crate) timeline: Vec<Moment>,
    pub(crate) stages: Vec<Stage>,
    /// Checks that had something to say.
    pub(crate) checks: Vec<Checked>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) logs: Vec<LogExcerpt>,
    /// When people were told how it ended.
    pub(crate) told_at: Option<Timestamp>,
    /// What is missing, in sentences.
    pub(crate) missing: Vec<String>,
    /// When this was put together.
    pub(crate) as_of: Timestamp,
}

/// What the candidate answered, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Impact {
    pub(crate) requests: Option<u64>,
    pub(crate) errors: Option<u64>,
    pub(crate) known_from: KnownFrom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KnownFrom {
    /// CloudWatch, all minutes.
    CloudWatch,
    /// The looks that the ledger keeps: minutes in which traffic settled are not in it.
    Looks,
    Nothing,
}

#[derive(Debug, Serialize)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    /// How long after the release was opened.
    pub(crate) after: String,
    pub(crate) what: String,
    #[serde(skip)]
    pub(crate) tone: Tone,
}

#[derive(Debug, Serialize)]
pub(crate) struct Stage {
    pub(crate) number: usize,
    pub(crate) weight: String,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) score: Option<u8>,
    /// The candidate's errors in the stage.
    pub(crate) errors: Option<Tally>,
    /// What followed, and why.
    pub(crate) why: String,
    /// Every finding of the judge.
    pub(crate) findings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Decision {
    pub(crate) kind: String,
    pub(crate) at: Timestamp,
    pub(crate) reason: String,
    pub(crate) signal: String,
    /// What each target was seen to serve.
    pub(crate) saw: Vec<String>,
    /// The calls that followed.
    pub(crate) calls: Vec<String>,
}

impl Story {
    pub(crate) fn of(material: &Material) -> Self {
        let release = &material.release;
        let pulled_at =
            release.cord.as_ref().map(|cord| cord.at).or_else(|| signalled_at(&material.evidence));
        let back = release.ended_at.filter(|_| release.phase == Phase::RolledBack).zip(pulled_at);
        let back_after = back.map(|(back, pulled)| back.duration_since(pulled));
        let served = served(material);
        let mut missing = material.missing.clone();
        if let Err(why) = &material.measured {
            missing.push(format!("No curves by version: {why}."));
        }
        if let Ok(measured) = &material.measured {
            missing.extend(measured.unmeasured.iter().map(|gap| format!("Not measured: {gap}.")));
            if measured.minutes.is_empty() {
                missing.push(
                    "No minute of it is whole, so there are no curves: it ended within minutes.".to_owned(),
                );
            }
        }
        Self {
            service: release.service.clone(),
            release: release.generation,
            phase: release.phase,
            answer: answer(release, back_after),
            tone: Standing::of(release.phase).tone,
            because: release.ended_because.as_ref().map(|why| sentence(why)),
            versions: versions(release),
            opened_at: release.opened_at,
            opened_by: release.opened_by.clone(),
            commit: release.commit.as_ref().map(|commit| commit.id.to_string()),
            ended_at: release.ended_at,
            traffic_at: release.traffic_at,
            pulled_by: pulled_by(material),
            pulled_at,
            back_after_s: back_after.map(|back| back.as_secs_f64()),
            served,
            facts: facts(material, back_after, served),
            timeline: timeline(material),
            stages: stages(material),
            checks: checks(&material.findings),
            decisions: material.evidence.iter().map(Decision::of).collect(),
            logs: material.logs.clone(),
            told_at: match release.report {
                Report::Sent { at } => Some(at),
                Report::NotDue | Report::Leased { .. } => None,
            },
            missing,
            as_of: material.now,
        }
    }
}

fn answer(release: &Release, back_after: Option<SignedDuration>) -> String {
    let name = format!("{} #{}", release.service, release.generation);
    match (release.phase, back_after) {
        (Phase::RolledBack, Some(after)) => {
            format!("{name} was rolled back; traffic was back {} after the cord was pulled", lasting(after))
        }
        (Phase::RolledBack, None) => format!("{name} was rolled back"),
        (Phase::Complete, _) => {
            let candidates: Vec<String> =
                release.changes.iter().map(|change| format!("version {}", change.candidate)).collect();
            format!("{name} is complete: {} has all traffic", candidates.join(", "))
        }
        (Phase::Shifting, _) => format!("{name} is under way"),
        (Phase::Held, _) => format!("{name} is held, and waits for a person"),
        (Phase::RollbackFailed, _) => format!("The rollback of {name} failed: traffic may not be back"),
        (Phase::Withdrawn, _) => format!("{name} was withdrawn before its version had any traffic"),
    }
}

/// What the ledger writes begins small and has no full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first: String = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Without a cord in the record the evidence knows when the signal was raised.
fn signalled_at(evidence: &[Evidence]) -> Option<Timestamp> {
    evidence
        .iter()
        .filter(|evidence| evidence.kind == "rollback")
        .map(|evidence| evidence.signal.raised_at())
        .min()
}

fn pulled_by(material: &Material) -> Option<String> {
    let by_record = material.release.cord.as_ref().map(|cord| cord.by.to_string());
    by_record.or_else(|| material.evidence.first().map(|evidence| described(&evidence.signal)))
}

fn served(material: &Material) -> Impact {
    let counted = material.measured.as_ref().ok().and_then(|measured| measured.served);
    if let Some(served) = counted {
        let Tally { bad, requests } = served.candidate;
        return Impact { requests: Some(requests), errors: Some(bad), known_from: KnownFrom::CloudWatch };
    }
    let mut sum: Option<Tally> = None;
    for tally in material.findings.iter().filter_map(errors_of) {
        *sum.get_or_insert_default() += tally;
    }
    let known_from = if sum.is_some() { KnownFrom::Looks } else { KnownFrom::Nothing };
    Impact { requests: sum.map(|tally| tally.requests), errors: sum.map(|tally| tally.bad), known_from }
}

fn errors_of(finding: &Finding) -> Option<Tally> {
    let Found::Stage(look) = &finding.found else { return None };
    let errors = look.judgement.metrics.iter().find(|verdict| verdict.metric == Metric::Errors)?;
    Some(errors.candidate)
}

fn facts(material: &Material, back_after: Option<SignedDuration>, served: Impact) -> Vec<Figure> {
    let release = &material.release;
    let fact = |name: &str, value: String, note: String, tone: Tone| Figure {
        name: name.to_owned(),
        value,
        note,
        tone,
    };
    let mut facts = Vec::new();
    if let Some(by) = &release.cord {
        let note = if by.automatic { "without anybody's asking" } else { "asked for" };
        facts.push(fact("Pulled by", by.by.to_string(), note.to_owned(), Tone::Plain));
    }
    if let Some(after) = back_after {
        facts.push(fact(
            "Traffic back after",
            lasting(after),
            "from the signal to the ledger's word".to_owned(),
            Tone::Plain,
        ));
    }
    if let Some(began) = release.traffic_at {
        let until = release.ended_at.unwrap_or(material.now);
        let most = release.run.iter().flat_map(|run| run.strategy.stages.iter().take(run.reached.len()));
        let most = most.map(|stage| stage.weight).max().map(|weight| format!("at most {weight} of it"));
        let had = lasting(until.duration_since(began));
        facts.push(fact(
            "Candidate had traffic",
            format!("for {had}"),
            most.unwrap_or_default(),
            Tone::Plain,
        ));
    }
    if let (Some(requests), Some(errors)) = (served.requests, served.errors) {
        let tally = Tally { bad: errors, requests };
        let note = match served.known_from {
            KnownFrom::CloudWatch => {
                format!("{} of {} requests to the candidate", rate(tally), grouped(requests))
            }
            KnownFrom::Looks | KnownFrom::Nothing => format!("at least; {} in judged minutes", of(tally)),
        };
        let tone = if errors == 0 { Tone::Good } else { Tone::Plain };
        facts.push(fact("Requests that failed", grouped(errors), note, tone));
    }
    facts
}

fn timeline(material: &Material) -> Vec<Moment> {
    let happened = happenings(&material.release, &material.moments);
    let moment = |happening: ripcord::draw::Happening| Moment {
        at: happening.at,
        after: after(material.release.opened_at, happening.at),
        what: happening.sentence,
        tone: happening.tone,
    };
    happened.into_iter().map(moment).collect()
}

fn stages(material: &Material) -> Vec<Stage> {
    let planned = material.release.run.as_ref().map(|run| &run.strategy.stages);
    let looks = material.findings.iter().filter_map(|finding| match &finding.found {
        Found::Stage(look) => Some(look),
        Found::Before(_) | Found::After(_) | Found::Hook(_) => None,
    });
    let mut stages: Vec<Stage> = looks
        .map(|look| Stage {
            number: look.stage + 1,
            weight: planned
                .and_then(|stages| stages.get(look.stage))
                .map_or("–".to_owned(), |stage| stage.weight.to_string()),
            verdict: Some(look.judgement.verdict),
            score: look.judgement.score,
            errors: look
                .judgement
                .metrics
                .iter()
                .find(|verdict| verdict.metric == Metric::Errors)
                .map(|v| v.candidate),
            why: look.onward.reason.clone(),
            findings: look.judgement.reasons.iter().map(ToString::to_string).collect(),
        })
        .collect();
    stages.sort_by_key(|stage| stage.number);
    stages
}

/// The checks that had something to say; those that simply passed are only counted by the commands that make them.
fn checks(findings: &[Finding]) -> Vec<Checked> {
    let all = findings.iter().flat_map(|finding| match &finding.found {
        Found::Before(checks) | Found::After(checks) => checks.as_slice(),
        Found::Hook(hook) => hook.checks.as_slice(),
        Found::Stage(_) => &[],
    });
    let said = all.filter(|check: &&Check| check.outcome > Outcome::Passed);
    said.map(|check| Checked {
        name: check.name.clone(),
        outcome: check.outcome,
        detail: check.detail.clone(),
    })
    .collect()
}

impl Decision {
    fn of(evidence: &Evidence) -> Self {
        let saw = evidence.situation.live.iter().map(|(target, sighting)| match sighting {
            Sighting::Alias(live) => format!("{target} serving {}", live.traffic),
            Sighting::Place(live) => format!("{target} serving {}", live.traffic),
            Sighting::Missing => format!("{target} missing"),
            Sighting::Unseen { why } => format!("{target} not at all: {why}"),
        });
        Self {
            kind: evidence.kind.clone(),
            at: evidence.decided_at,
            reason: sentence(&evidence.reason),
            signal: described(&evidence.signal),
            saw: saw.collect(),
            calls: evidence.steps.clone(),
        }
    }
}
