//! A look at a stage: observe, judge, decide, report.

use std::time::Duration;

use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};
use ripcord::aws::{Aws, Interruption, LedgerError, console, take};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::finding::{Finding, Found, StageLook};
use ripcord::judge::Judgement;
use ripcord::measure::{Sights, measure};
use ripcord::metrics::{Metric, emf_line};
use ripcord::pipeline::{Look, Onward, Turn, decide_onward};
use ripcord::plan::Step;
use ripcord::preflight::Subject;
use serde_json::json;

use crate::handler::{Answer, Validator};

/// What is left of the invocation for writing down what was seen. Nothing that is seen may take it.
const REPORTING: SignedDuration = SignedDuration::from_secs(8);
/// Looks at the stage that an open release is in.
pub(crate) async fn look(
    subject: &Subject<'_>,
    deadline: Timestamp,
    validator: &Validator,
) -> Result<Answer, Failure> {
    let Validator { aws, clock, tempo, .. } = validator;
    let now = clock();
    let (sights, earlier) = observe(subject, now, deadline, validator).await;
    let measured = measure(subject, &sights, now, *tempo)?;
    let measured_until = match measured.until {
        Some(until) => Some(until),
        None => measured_before(subject, earlier)?,
    };
    let judgement = measured.judged();
    let onward = decide_onward(subject.run, &Look::of(&judgement, measured_until), now, *tempo);
    let finding = finding(subject, &judgement, &onward, measured_until, now);
    note(finding, &onward, aws, *clock).await?;
    Ok(report(subject, &judgement, onward, now, validator))
}

/// Everything at once: what there is to see of the stage, and what the look before found.
async fn observe(
    subject: &Subject<'_>,
    now: Timestamp,
    deadline: Timestamp,
    validator: &Validator,
) -> (Sights, Result<Vec<Finding>, LedgerError>) {
    let aws = &validator.aws;
    let patience = deadline.duration_since((validator.clock)()).saturating_sub(REPORTING);
    let patience = Duration::try_from(patience).unwrap_or(Duration::ZERO);
    let (service, generation) = (&subject.release.service, subject.release.generation);
    join(aws.sights(subject, patience, (now, validator.tempo)), aws.ledger.findings(service, generation))
        .await
}

/// Up to when earlier looks at the stage had measured it. A look that measured everything needs no memory; without one, a
/// stage that was seen a minute ago could not be told from one that nobody has seen for an hour.
fn measured_before(
    subject: &Subject<'_>,
    earlier: Result<Vec<Finding>, LedgerError>,
) -> Result<Option<Timestamp>, Failure> {
    let earlier = earlier.map_err(|error| Failure::new(ErrorType::LedgerUnreadable, error))?;
    let measured_until = earlier.into_iter().filter_map(|finding| match finding.found {
        Found::Stage(look) if look.stage + 1 == subject.run.reached.len() => look.measured_until,
        Found::Stage(_) | Found::Before(_) | Found::After(_) | Found::Hook(_) => None,
    });
    Ok(measured_until.max())
}

fn finding(
    subject: &Subject<'_>,
    judgement: &Judgement,
    onward: &Onward,
    measured_until: Option<Timestamp>,
    now: Timestamp,
) -> Finding {
    let look = StageLook {
        stage: subject.run.reached.len().saturating_sub(1),
        judgement: judgement.clone(),
        onward: onward.clone(),
        measured_until,
    };
    Finding::of(subject.release, Found::Stage(Box::new(look)), now)
}

/// Keeps what was found. A release goes further only on a proof that is kept; going back, or looking again, waits for no
/// record.
async fn note(finding: Finding, onward: &Onward, aws: &Aws, clock: fn() -> Timestamp) -> Result<(), Failure> {
    let steps = vec![vec![Step::Note(Box::new(finding))]];
    let why = match take(aws, &steps, clock).await.interruption {
        None => return Ok(()),
        Some(Interruption::Raced { what } | Interruption::Pending { what }) => what,
        Some(Interruption::Failed { why }) => why,
    };
    let message = format!("what was found could not be kept: {why}");
    match onward.next {
        Turn::Shift | Turn::Approve | Turn::Verify => Err(Failure::new(ErrorType::ReportIncomplete, message)),
        Turn::Look | Turn::RollBack | Turn::End => {
            console::record("error", &message, json!({ "error_type": ErrorType::ReportIncomplete }));
            Ok(())
        }
    }
}

fn report(
    subject: &Subject<'_>,
    judgement: &Judgement,
    onward: Onward,
    now: Timestamp,
    validator: &Validator,
) -> Answer {
    let service = subject.release.service.clone();
    if let Some(score) = judgement.score {
        let metrics = [Metric::CanaryHealthScore(f64::from(score))];
        console::line(&emf_line(&validator.namespace, &service, &metrics, now));
    }
    Answer {
        service,
        release: subject.release.generation,
        verdict: Some(judgement.verdict),
        score: judgement.score,
        onward,
    }
}
