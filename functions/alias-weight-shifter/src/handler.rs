//! One request to shift, from being read to being answered.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use jiff::Timestamp;
use ripcord::aws::{Aws, Interruption, Observed, console, observe, take};
use ripcord::decide::Moment;
use ripcord::error_type::{ErrorType, Failure};
use ripcord::names::{Generation, ServiceName};
use ripcord::pipeline::Onward;
use ripcord::place::LambdaAlias;
use ripcord::shift::{Shift, ShiftRequest, ShiftSituation, decide_shift, pin_alias, target_of, versions_of};
use ripcord::situation::{Sighting, Situation, VersionFacts};
use ripcord::traffic::Traffic;
use serde::Serialize;
use serde_json::{Value, json};

/// What shifting needs.
#[derive(Debug)]
pub struct Shifter {
    /// The clients.
    pub aws: Aws,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shifted {
    /// The service.
    pub service: ServiceName,
    /// The release that moved; none where an alias was only tidied up, or was as asked.
    pub release: Option<Generation>,
    /// What the alias serves.
    pub traffic: Traffic,
    /// The same in words.
    pub summary: String,
    /// Whether anything had to be done.
    pub changed: bool,
    /// Where the state machine goes from there, if one asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onward: Option<Onward>,
}

/// Whoever loses a race looks again; a shift loses only to people and to rollbacks, and gives way to both.
const RACES_MAX: u32 = 4;
const RACE_PAUSE: Duration = Duration::from_millis(25);

/// Shifts traffic as requested. `deadline` is when Lambda will end the invocation.
pub async fn shift(event: &Value, deadline: Timestamp, shifter: &Shifter) -> Result<Shifted, Failure> {
    let shifted = try_shift(event, deadline, shifter).await;
    match &shifted {
        Ok(shifted) => console::record("info", &shifted.summary, json!(shifted)),
        Err(failure) => {
            console::record("error", &failure.message, json!({ "error_type": failure.error_type }))
        }
    }
    shifted
}

async fn try_shift(event: &Value, deadline: Timestamp, shifter: &Shifter) -> Result<Shifted, Failure> {
    let request = ShiftRequest::read(event)?;
    let mut lost = String::new();
    for race in 0..RACES_MAX {
        if race > 0 {
            tokio::time::sleep(RACE_PAUSE * race).await;
        }
        let seen = look(&request, &shifter.aws).await?;
        let moment = Moment { now: (shifter.clock)(), lease_until: deadline };
        let shift = decide_shift(&request, &seen, moment)?;
        let taken = take(&shifter.aws, &shift.steps, shifter.clock).await;
        match taken.interruption {
            None => return Ok(report(&request, shift)),
            Some(Interruption::Raced { what }) => lost = what,
            Some(Interruption::Failed { why }) if taken.traffic_moved_at.is_some() => {
                let message = format!("{} serves {}; but then {why}", request.service, shift.traffic);
                return Err(Failure::new(ErrorType::ReportIncomplete, message));
            }
            // AWS has taken the shift on. Whoever asks again, or AWS's own word that it has ended, confirms it.
            Some(Interruption::Pending { what }) if taken.traffic_moved_at.is_some() => {
                let shifted = report(&request, shift);
                let summary = format!("{}: on its way to {}, {what}", request.service, shifted.traffic);
                return Ok(Shifted { summary, ..shifted });
            }
            Some(Interruption::Pending { what: why } | Interruption::Failed { why }) => {
                return Err(Failure::new(ErrorType::ShiftFailed, why));
            }
        }
    }
    let message = format!("lost {RACES_MAX} races for {}, the last because {lost}", request.service);
    Err(Failure::new(ErrorType::Contended, message))
}

/// Everything that Lambda would judge a shift by, and everything that Ripcord knows.
async fn look(request: &ShiftRequest, aws: &Aws) -> Result<ShiftSituation, Failure> {
    let observed = observe(aws, &request.service, &[]).await;
    let situation = match observed.map_err(|error| Failure::new(ErrorType::LedgerUnreadable, error))? {
        Observed::Service(situation) => *situation,
        Observed::Unregistered => {
            let message = format!("service {} is not registered: ripcord apply", request.service);
            return Err(Failure::new(ErrorType::ServiceUnknown, message));
        }
    };
    let (versions, pin) =
        join(look_at_versions(request, &situation, aws), look_at_pin(request, &situation, aws)).await;
    Ok(ShiftSituation { versions: versions?, pin: pin?, situation })
}

async fn look_at_versions(
    request: &ShiftRequest,
    situation: &Situation,
    aws: &Aws,
) -> Result<BTreeMap<ripcord::names::Version, Option<VersionFacts>>, Failure> {
    let target = target_of(request, situation)?;
    let Some(LambdaAlias { function, .. }) = target.lambda() else { return Ok(BTreeMap::new()) };
    let aws = &aws.at(&target.reach);
    let look = |version| async move { aws.version(function, version).await.map(|facts| (version, facts)) };
    let looks = join_all(versions_of(request, situation).into_iter().map(look)).await;
    looks.into_iter().collect::<Result<_, _>>().map_err(|error| Failure::new(ErrorType::ShiftFailed, error))
}

async fn look_at_pin(
    request: &ShiftRequest,
    situation: &Situation,
    aws: &Aws,
) -> Result<Option<ripcord::situation::LiveAlias>, Failure> {
    let target = target_of(request, situation)?;
    let Some((lambda, alias)) = target.lambda().and_then(|it| Some((it, pin_alias(&it.alias)?))) else {
        return Ok(None);
    };
    match aws.at(&target.reach).alias(&lambda.function, &alias).await {
        Sighting::Alias(live) => Ok(Some(live)),
        Sighting::Missing | Sighting::Place(_) => Ok(None),
        Sighting::Unseen { why } => Err(Failure::new(ErrorType::ShiftFailed, why)),
    }
}

fn report(request: &ShiftRequest, shift: Shift) -> Shifted {
    let changed = !shift.steps.is_empty();
    let already = if changed { "" } else { "already " };
    let release = shift.generation.map(|release| format!("release {release}: ")).unwrap_or_default();
    Shifted {
        service: request.service.clone(),
        release: shift.generation,
        traffic: shift.traffic,
        summary: format!("{release}{} {already}serves {}", request.service, shift.traffic),
        changed,
        onward: shift.onward,
    }
}
