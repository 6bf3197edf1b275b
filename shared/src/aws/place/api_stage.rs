//! Looking at a stage of an API, and moving it.

use aws_sdk_apigateway::operation::get_stage::{GetStageError, GetStageOutput};
use aws_sdk_apigateway::operation::update_stage::UpdateStageError;
use aws_sdk_apigateway::types::{CanarySettings, Op, PatchOperation};
use futures_util::future::join;

use crate::aws::execute::Interruption;
use crate::aws::{Aws, CallFailed, causes};
use crate::names::{InvalidName, Version, Weight};
use crate::place::api_stage::{Call, Canary, Deployments, Seen, Stage, Update};
use crate::place::{Live, Seen as PlaceSeen};

const GET_STAGE: &str = "apigateway:GetStage";
const GET_DEPLOYMENTS: &str = "apigateway:GetDeployments";
const UPDATE_STAGE: &str = "apigateway:UpdateStage";

/// One answer lists as many deployments at most.
const DEPLOYMENTS_MAX: i32 = 500;

/// Looks at it; nothing if there is none. The API's deployments are listed at the same time.
pub(super) async fn observe(aws: &Aws, place: &Stage) -> Result<Option<Live>, CallFailed> {
    let (api, name) = (place.api.as_str(), place.stage.as_str());
    let get_stage = aws.api_gateway().get_stage().rest_api_id(api).stage_name(name);
    let (stage, deployments) = join(get_stage.send(), deployments(aws, place)).await;
    let stage = match stage {
        Ok(stage) => stage,
        Err(error) if error.as_service_error().is_some_and(GetStageError::is_not_found_exception) => {
            return Ok(None);
        }
        Err(error) => return Err(CallFailed::new(GET_STAGE, place, &error)),
    };
    let seen = seen(&stage, deployments).map_err(|invalid| CallFailed::new(GET_STAGE, place, &invalid))?;
    Ok(Some(Live { traffic: seen.traffic(), brought: None, seen: PlaceSeen::ApiStage(Box::new(seen)) }))
}

fn seen(stage: &GetStageOutput, deployments: Deployments) -> Result<Seen, InvalidName> {
    let deployment: Version = stage.deployment_id().unwrap_or_default().parse()?;
    let canary = |settings: &CanarySettings| {
        // A canary that names no deployment is one of the stage's own.
        let own = settings.deployment_id().map_or(Ok(deployment), str::parse)?;
        Ok(Canary {
            deployment: own,
            weight: Weight::from_share(settings.percent_traffic() / 100.0)?,
            has_variables: settings.stage_variable_overrides().is_some_and(|variables| !variables.is_empty()),
        })
    };
    Ok(Seen { deployment, canary: stage.canary_settings().map(canary).transpose()?, deployments })
}

/// The deployments that there are. What cannot be listed is said, and stops nothing here.
async fn deployments(aws: &Aws, place: &Stage) -> Deployments {
    let list = aws.api_gateway().get_deployments().rest_api_id(place.api.as_str()).limit(DEPLOYMENTS_MAX);
    let answer = match list.send().await {
        Ok(answer) => answer,
        Err(error) => {
            return Deployments::Unknown {
                why: CallFailed::new(GET_DEPLOYMENTS, &place.api, &error).to_string(),
            };
        }
    };
    if answer.position().is_some() {
        return Deployments::Unknown { why: format!("there are more than {DEPLOYMENTS_MAX} deployments") };
    }
    // An id that cannot be a version here is none that a release could name.
    Deployments::All(answer.items().iter().filter_map(|item| item.id()?.parse().ok()).collect())
}

/// Makes one call.
pub(super) async fn call(aws: &Aws, call: &Call) -> Result<(), Interruption> {
    let Call { stage, update } = call;
    let update_stage = aws.api_gateway().update_stage();
    let update_stage = update_stage.rest_api_id(stage.api.as_str()).stage_name(stage.stage.as_str());
    match update_stage.set_patch_operations(Some(operations(update))).send().await {
        Ok(_) => Ok(()),
        Err(error) => match error.as_service_error() {
            Some(refused) if is_race(refused, update) => {
                Err(Interruption::Raced { what: format!("{stage} has changed: {}", causes(&error)) })
            }
            Some(_) | None => {
                Err(Interruption::Failed { why: CallFailed::new(UPDATE_STAGE, stage, &error).to_string() })
            }
        },
    }
}

/// Whether somebody else came first: the stage is gone, or is being changed. A canary that is gone can neither be removed nor
/// promoted ("Promotion not available. Canary does not exist."); what remains is looked at again.
fn is_race(refused: &UpdateStageError, update: &Update) -> bool {
    let needs_canary = match update {
        Update::RemoveCanary { .. } | Update::PromoteCanary { .. } => true,
        Update::Deploy { .. } | Update::StartCanary { .. } | Update::WeighCanary { .. } => false,
    };
    refused.is_not_found_exception()
        || refused.is_conflict_exception()
        || (needs_canary && refused.is_bad_request_exception())
}

/// The operations of an update; API Gateway applies them in this order. Nothing of a canary can be added, only replaced, and
/// that makes one where there is none.
fn operations(update: &Update) -> Vec<PatchOperation> {
    let remove_canary = || operation(Op::Remove, "/canarySettings").build();
    let percent =
        |weight: Weight| replace("/canarySettings/percentTraffic", weight.to_string().trim_end_matches('%'));
    match update {
        Update::RemoveCanary { .. } => vec![remove_canary()],
        Update::Deploy { deployment, removes_canary, .. } => {
            let remove = removes_canary.then(remove_canary);
            remove.into_iter().chain([replace("/deploymentId", deployment.as_str())]).collect()
        }
        Update::StartCanary { deployment, weight } => {
            vec![replace("/canarySettings/deploymentId", deployment.as_str()), percent(*weight)]
        }
        // Without the deployment: if the canary was removed in between, the stage's own gets the share.
        Update::WeighCanary { weight, .. } => vec![percent(*weight)],
        Update::PromoteCanary { has_variables, .. } => {
            let copy = |from: &str, to: &str| operation(Op::Copy, to).from(from).build();
            let variables =
                has_variables.then(|| copy("/canarySettings/stageVariableOverrides", "/variables"));
            // The copy comes first: it is refused where the canary is gone, and the share of nothing would make one.
            let deployment = copy("/canarySettings/deploymentId", "/deploymentId");
            [deployment, percent(Weight::NONE)].into_iter().chain(variables).collect()
        }
    }
}

fn operation(op: Op, path: &str) -> aws_sdk_apigateway::types::builders::PatchOperationBuilder {
    PatchOperation::builder().op(op).path(path)
}

fn replace(path: &str, value: &str) -> PatchOperation {
    operation(Op::Replace, path).value(value).build()
}
