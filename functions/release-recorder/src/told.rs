//! AWS's own events: whose service each concerns, and that it was said.

use futures_util::future::try_join_all;
use ripcord::aws::{CallFailed, LedgerError, console};
use ripcord::deployment::Place;
use ripcord::error_type::{ErrorType, Failure};
use ripcord::names::{DeploymentId, ServiceName};
use ripcord::timeline::{AwsEvent, Moment, What, Whom, read_aws_event};
use serde_json::{Value, json};

use crate::{Recorded, Recorder};

/// Keeps an event for every service that it concerns.
pub(crate) async fn record(event: &Value, recorder: &Recorder) -> Result<Recorded, Failure> {
    let read = read_aws_event(event).map_err(|why| Failure::new(ErrorType::SignalUnreadable, why))?;
    let Some(AwsEvent { whom, at, told }) = read else {
        console::record("info", "an event that says nothing of a release", json!({}));
        return Ok(Recorded::default());
    };
    let services = services_of(&whom, recorder).await?;
    let moment = |service: &ServiceName| Moment {
        service: service.clone(),
        write: None,
        at,
        what: What::Aws(told.clone()),
    };
    let moments: Vec<Moment> = services.iter().map(moment).collect();
    let kept = try_join_all(moments.iter().map(|moment| recorder.aws.ledger.keep_moment(moment)));
    let kept = kept.await.map_err(|failed| Failure::new(ErrorType::ReportIncomplete, failed))?;
    let message = format!("{} says {} of {}", told.source, told.state, told.about);
    console::record("info", &message, json!({ "services": services, "meaning": told.meaning }));
    Ok(Recorded { kept: kept.into_iter().filter(|is_news| *is_news).count(), ..Recorded::default() })
}

async fn services_of(whom: &Whom, recorder: &Recorder) -> Result<Vec<ServiceName>, Failure> {
    let places = match whom {
        Whom::Service(service) => return Ok(vec![service.clone()]),
        Whom::Places(places) => places.clone(),
        Whom::Deployment(id) => places_of(id, recorder)
            .await
            .map_err(|failed| Failure::new(ErrorType::DeploymentUnreadable, failed))?,
    };
    let found = try_join_all(places.iter().map(|place| recorder.aws.ledger.placed_at(place))).await;
    let found = found.map_err(|error: LedgerError| Failure::new(ErrorType::LedgerUnreadable, error))?;
    let mut services: Vec<ServiceName> = found.into_iter().flatten().map(|known| known.service).collect();
    services.sort();
    services.dedup();
    Ok(services)
}

/// Where a deployment shifts traffic. That of an ECS service stands in its group only.
async fn places_of(id: &DeploymentId, recorder: &Recorder) -> Result<Vec<String>, CallFailed> {
    let Some(state) = recorder.aws.deployment(id).await? else { return Ok(Vec::new()) };
    if let Some(shift) = state.shift() {
        let alias = Place::Alias { function: shift.function.clone(), alias: shift.alias.clone() };
        return Ok(vec![alias.to_string()]);
    }
    let group = recorder.aws.deployment_group(&state.application, &state.group).await?;
    Ok(group.map(|group| group.services.iter().map(Place::to_string).collect()).unwrap_or_default())
}
