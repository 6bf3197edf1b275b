//! A question to a person: what is written down, and what people are told.

use jiff::Timestamp;
use ripcord::error_type::Failure;
use ripcord::names::Weight;
use ripcord::notice::{Notice, Severity};
use ripcord::pipeline::{Awaiting, Onward, Tempo, Then, Turn};
use ripcord::plan::{LedgerWrite, Step, Steps};
use ripcord::preflight::Subject;
use ripcord::shift::Refusal;

use crate::request::Ask;

/// What follows from a question: where the release goes if a person says yes, and the steps that put it to them.
///
/// A question that is written down already is told once more: whoever wrote it may have died before telling. Two notices are
/// possible, silence is not.
pub(crate) fn question(
    subject: &Subject<'_>,
    ask: &Ask,
    now: Timestamp,
    tempo: Tempo,
) -> Result<(Onward, Steps), Failure> {
    let run = subject.run;
    let (begun, stages) = (run.reached.len(), run.strategy.stages.len());
    // The release has gone on, so this is the question of a task that was given up, and its answer would lead nowhere.
    if ask.stage != begun || begun > stages {
        let (generation, stage) = (subject.release.generation, ask.stage);
        return Err(Refusal::OutOfTurn { generation, stage, begun, stages }.into());
    }
    let known = run.awaiting.as_ref().filter(|awaiting| awaiting.token == ask.token);
    let awaiting = known.cloned().unwrap_or_else(|| Awaiting {
        stage: ask.stage,
        token: ask.token.clone(),
        since: now,
        until: now.saturating_add(tempo.seconds(ask.wait_seconds)).unwrap_or(now),
        why: ask.why.clone(),
    });
    let mut steps = Vec::new();
    if known.is_none() {
        let waiting = subject
            .release
            .running(ripcord::pipeline::Run { awaiting: Some(awaiting.clone()), ..run.clone() });
        steps.push(vec![Step::Write(Box::new(LedgerWrite::of(waiting)))]);
    }
    steps.push(vec![Step::Tell(Box::new(notice(subject, &awaiting)))]);
    let onward = Onward {
        wait_seconds: ask.wait_seconds,
        then: if ask.stage < stages { Then::Shift } else { Then::Verify },
        ..Onward::to(Turn::Approve, ask.stage, ask.why.clone())
    };
    Ok((onward, steps))
}

fn notice(subject: &Subject<'_>, awaiting: &Awaiting) -> Notice {
    let (release, change) = (subject.release, subject.change);
    let (service, generation) = (&release.service, release.generation);
    let stages = &subject.run.strategy.stages;
    let asked = match stages.get(awaiting.stage) {
        Some(stage) => format!(
            "begin stage {} of {} and take version {} of {} from {} to {}",
            awaiting.stage + 1,
            stages.len(),
            change.candidate,
            change.target,
            change.weight,
            stage.weight
        ),
        None => format!("complete the release with version {} of {}", change.candidate, change.target),
    };
    let otherwise = if change.weight == Weight::NONE { "withdrawn" } else { "rolled back" };
    let until = awaiting.until.strftime("%Y-%m-%d %H:%M:%SZ");
    Notice {
        severity: Severity::Warning,
        service: service.clone(),
        title: format!("{service}: release {generation} waits for a person"),
        description: format!(
            "What is known: {}. Asked: to {asked}. Until {until}; without an answer the release is {otherwise} then.",
            awaiting.why
        ),
        next_steps: vec![
            format!("ripcord approve {service}"),
            format!("ripcord reject {service} --reason \"...\""),
            format!("ripcord watch {service}"),
        ],
        thread: format!("{service}#{generation}"),
    }
}
