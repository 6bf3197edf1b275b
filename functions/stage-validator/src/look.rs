//! A look at a stage: observe, judge, decide, report.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join5;
use jiff::{SignedDuration, Timestamp};
use ripcord::aws::{Aws, CallFailed, Interruption, LedgerError, console, take};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::finding::{Finding, Found, StageLook};
use ripcord::judge::Judgement;
use ripcord::measure::{Answers, Question, Sights, measure, questions};
use ripcord::metrics::{Metric, emf_line};
use ripcord::pipeline::{Look, Onward, Turn, decide_onward};
use ripcord::plan::Step;
use ripcord::preflight::Subject;
use ripcord::situation::Sighting;
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

/// Everything at once: what CloudWatch measured, the guards, the alias, and what the look before found.
async fn observe(
    subject: &Subject<'_>,
    now: Timestamp,
    deadline: Timestamp,
    validator: &Validator,
) -> (Sights, Result<Vec<Finding>, LedgerError>) {
    let aws = &validator.aws;
    let patience = deadline.duration_since((validator.clock)()).saturating_sub(REPORTING);
    let patience = Duration::try_from(patience).unwrap_or(Duration::ZERO);
    let asked = questions(subject, now, validator.tempo);
    let names = subject.guards_here();
    let (service, generation) = (&subject.release.service, subject.release.generation);
    let (counts, gauges, guards, live, earlier) = join5(
        answers(aws, asked.counts.as_ref(), patience),
        answers(aws, asked.gauges.as_ref(), patience),
        in_time(patience, aws.alarms(&names)),
        live(subject, aws, patience),
        aws.ledger.findings(service, generation),
    )
    .await;
    (Sights { counts, gauges, guards, live }, earlier)
}

/// What CloudWatch answers; nothing if there is nothing to ask yet.
async fn answers(aws: &Aws, question: Option<&Question>, patience: Duration) -> Result<Answers, String> {
    match question {
        Some(question) => in_time(patience, aws.metrics(question)).await,
        None => Ok(Answers::new()),
    }
}

async fn live(subject: &Subject<'_>, aws: &Aws, patience: Duration) -> Sighting {
    let look = async { Ok(aws.alias(&subject.target.function, &subject.target.alias).await) };
    in_time(patience, look).await.unwrap_or_else(|why| Sighting::Unseen { why })
}

/// What a call answers, or why it does not, in time for saying so.
async fn in_time<T>(
    patience: Duration,
    call: impl Future<Output = Result<T, CallFailed>>,
) -> Result<T, String> {
    match tokio::time::timeout(patience, call).await {
        Ok(answer) => answer.map_err(|failed| failed.to_string()),
        Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
    }
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
        Found::Stage(_) | Found::Before(_) | Found::After(_) => None,
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_does_not_answer_leaves_time_to_say_so() {
        let patience = Duration::from_secs(20);
        let begun = tokio::time::Instant::now();
        let silent: Result<(), String> = in_time(patience, pending()).await;
        assert_eq!(silent, Err("no answer within 20000 ms".to_owned()));
        assert_eq!(begun.elapsed(), patience);
        assert_eq!(in_time(Duration::ZERO, ready(Ok(5))).await, Ok(5));
        let failed =
            CallFailed { call: "cloudwatch:X", subject: "s".to_owned(), why: "throttled".to_owned() };
        let failed: Result<(), String> = in_time(patience, ready(Err(failed))).await;
        assert_eq!(failed, Err("cloudwatch:X of s failed: throttled".to_owned()));
    }
}
