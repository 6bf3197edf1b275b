//! One request to check a release, from being read to being answered.

use std::time::Duration;

use jiff::Timestamp;
use ripcord::aws::{Aws, Interruption, Scope, console, take};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::names::{Generation, ServiceName};
use ripcord::pipeline::{Onward, Tempo};
use ripcord::preflight::{
    Check, PreflightRequest, Standing, When, decide_preflight, decide_verification, standing,
};
use ripcord::situation::ServiceRecord;
use serde::Serialize;
use serde_json::{Value, json};

/// What checking needs.
#[derive(Debug)]
pub struct Inspector {
    /// The clients.
    pub aws: Aws,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// How long a minute lasts.
    pub tempo: Tempo,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspected {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub release: Generation,
    /// The checks; none if there was nothing left to check.
    pub checks: Vec<Check>,
    /// Where the state machine goes from there.
    pub onward: Onward,
}

/// Whoever loses a race looks again; here one is lost only to people and to rollbacks.
const RACES_MAX: u32 = 4;
const RACE_PAUSE: Duration = Duration::from_millis(25);
/// What is left of the invocation after the service has answered, or has not: for noting what was found.
const RESERVE: Duration = Duration::from_secs(5);

/// Checks a release as requested. `deadline` is when Lambda will end the invocation.
pub async fn inspect(
    event: &Value,
    deadline: Timestamp,
    inspector: &Inspector,
) -> Result<Inspected, Failure> {
    let inspected = try_inspect(event, deadline, inspector).await;
    match &inspected {
        Ok(inspected) => console::record("info", &inspected.onward.reason, json!(inspected)),
        Err(failure) => {
            console::record("error", &failure.message, json!({ "error_type": failure.error_type }))
        }
    }
    inspected
}

async fn try_inspect(
    event: &Value,
    deadline: Timestamp,
    inspector: &Inspector,
) -> Result<Inspected, Failure> {
    let request = PreflightRequest::read(event)?;
    let mut lost = String::new();
    for race in 0..RACES_MAX {
        if race > 0 {
            tokio::time::sleep(RACE_PAUSE * race).await;
        }
        let record = recorded(&request.service, &inspector.aws).await?;
        let subject = match standing(&request, &record)? {
            Standing::Open(subject) => subject,
            Standing::Complete(onward) => return Ok(report(request, Vec::new(), onward)),
        };
        // Nothing is left of a time that is over.
        let left = Duration::try_from(deadline.duration_since((inspector.clock)())).unwrap_or_default();
        let patience = left.saturating_sub(RESERVE);
        let conclusion = match request.when {
            When::Before => {
                let now = ((inspector.clock)(), inspector.tempo);
                let facts = inspector.aws.look(&subject, Scope::Whole, patience, now).await;
                decide_preflight(&subject, &facts, (inspector.clock)())
            }
            When::After => {
                let answers = inspector.aws.ask(&subject, patience).await;
                decide_verification(&subject, &answers, (inspector.clock)())
            }
        };
        let taken = take(&inspector.aws, &conclusion.steps, inspector.clock).await;
        match (conclusion.onward, taken.interruption) {
            // That a check failed is worth more than that it could not be noted.
            (Err(failure), _) => return Err(failure),
            (Ok(onward), None) => return Ok(report(request, conclusion.checks, onward)),
            (Ok(_), Some(Interruption::Raced { what })) => lost = what,
            (Ok(_), Some(Interruption::Pending { what: why } | Interruption::Failed { why })) => {
                return Err(Failure::new(ErrorType::ReportIncomplete, why));
            }
        }
    }
    let message = format!("lost {RACES_MAX} races for {}, the last because {lost}", request.service);
    Err(Failure::new(ErrorType::Contended, message))
}

async fn recorded(service: &ServiceName, aws: &Aws) -> Result<ServiceRecord, Failure> {
    let record = aws.ledger.service(service).await;
    record.map_err(|error| Failure::new(ErrorType::LedgerUnreadable, error))?.ok_or_else(|| {
        let message = format!("service {service} is not registered: ripcord apply");
        Failure::new(ErrorType::ServiceUnknown, message)
    })
}

fn report(request: PreflightRequest, checks: Vec<Check>, onward: Onward) -> Inspected {
    Inspected { service: request.service, release: request.release, checks, onward }
}
