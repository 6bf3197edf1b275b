//! One request, from being read to being answered.

use std::time::Duration;

use jiff::Timestamp;
use ripcord::aws::{Aws, Interruption, console, take};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::judge::Verdict;
use ripcord::names::{Generation, ServiceName};
use ripcord::pipeline::{Onward, Tempo};
use ripcord::preflight::{Standing, Subject};
use ripcord::situation::ServiceRecord;
use serde::Serialize;
use serde_json::{Value, json};

use crate::look::look;
use crate::question::question;
use crate::request::{Ask, Request};

/// What judging needs.
#[derive(Debug)]
pub struct Validator {
    /// The clients.
    pub aws: Aws,
    /// The namespace of the metrics.
    pub namespace: String,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// How fast time passes.
    pub tempo: Tempo,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub release: Generation,
    /// What the judge says; nothing if it was not asked.
    pub verdict: Option<Verdict>,
    /// How little speaks against the candidate, from 0 to 100; nothing if nothing could be measured.
    pub score: Option<u8>,
    /// Where the state machine goes from there.
    pub onward: Onward,
}

/// Whoever loses a race looks again. The record of a waiting release is written by people and by rollbacks, and seldom.
const RACES_MAX: u32 = 4;
const RACE_PAUSE: Duration = Duration::from_millis(25);

/// Looks at the stage, or asks a person. `deadline` is when Lambda will end the invocation.
pub async fn validate(event: &Value, deadline: Timestamp, validator: &Validator) -> Result<Answer, Failure> {
    let validated = try_validate(event, deadline, validator).await;
    match &validated {
        Ok(answer) => console::record("info", &answer.onward.reason, json!(answer)),
        Err(failure) => {
            console::record("error", &failure.message, json!({ "error_type": failure.error_type }));
        }
    }
    validated
}

async fn try_validate(event: &Value, deadline: Timestamp, validator: &Validator) -> Result<Answer, Failure> {
    let request = Request::read(event)?;
    if let Some(question) = &request.ask {
        return ask(&request, question, validator).await;
    }
    let record = read(&request.service, validator).await?;
    match request.standing(&record)? {
        Standing::Open(subject) => look(&subject, deadline, validator).await,
        Standing::Complete(onward) => Ok(unjudged(&request, onward)),
    }
}

/// Everything that the ledger knows about the service.
async fn read(service: &ServiceName, validator: &Validator) -> Result<ServiceRecord, Failure> {
    match validator.aws.ledger.service(service).await {
        Ok(Some(record)) => Ok(record),
        Ok(None) => {
            let message = format!("service {service} is not registered: ripcord apply");
            Err(Failure::new(ErrorType::ServiceUnknown, message))
        }
        Err(error) => Err(Failure::new(ErrorType::LedgerUnreadable, error)),
    }
}

fn unjudged(request: &Request, onward: Onward) -> Answer {
    Answer { service: request.service.clone(), release: request.release, verdict: None, score: None, onward }
}

/// Asks a person. The task waits on, whatever this answers; only a failure ends it.
async fn ask(request: &Request, ask: &Ask, validator: &Validator) -> Result<Answer, Failure> {
    let mut lost = String::new();
    for race in 0..RACES_MAX {
        if race > 0 {
            tokio::time::sleep(RACE_PAUSE * race).await;
        }
        let record = read(&request.service, validator).await?;
        let subject = open(request, &record)?;
        let (onward, steps) = question(&subject, ask, (validator.clock)(), validator.tempo)?;
        match take(&validator.aws, &steps, validator.clock).await.interruption {
            None => return Ok(unjudged(request, onward)),
            Some(Interruption::Raced { what }) => lost = what,
            Some(Interruption::Pending { what: why } | Interruption::Failed { why }) => {
                let message = format!("nobody may have been asked about {}: {why}", request.service);
                return Err(Failure::new(ErrorType::ReportIncomplete, message));
            }
        }
    }
    let message = format!("lost {RACES_MAX} races for {}, the last because {lost}", request.service);
    Err(Failure::new(ErrorType::Contended, message))
}

/// The release that is to go on. Where there is nothing to ask any more, the task must not wait.
fn open<'record>(request: &Request, record: &'record ServiceRecord) -> Result<Subject<'record>, Failure> {
    match request.standing(record)? {
        Standing::Open(subject) => Ok(subject),
        Standing::Complete(onward) => {
            let message = format!("release {} is complete: {}", request.release, onward.reason);
            Err(Failure::new(ErrorType::ReleaseClosed, message))
        }
    }
}
