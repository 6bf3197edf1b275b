//! CodeDeploy's operations by name, in AWS's JSON 1.1 protocol. What is not here is refused by name.

use super::{
    CodeDeploy,
    refusal::{Answered, refused, text},
};
use crate::front::{call::Call, fault_answers::REQUEST_ID, not_implemented};
use http_body_util::Full;
use hyper::{Response, body::Bytes};
use serde_json::{Value, json};
use std::sync::Arc;

/// Answers a call of CodeDeploy.
pub(crate) fn answer(codedeploy: &Arc<CodeDeploy>, call: &Call, body: &[u8]) -> Response<Full<Bytes>> {
    let request: Value = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return refused("SerializationException", error.to_string()).response(call),
    };
    match codedeploy.operate(&call.operation, &request) {
        Some(Ok(document)) => {
            // An operation without an answer has an empty body.
            let body = if document.is_null() { String::new() } else { document.to_string() };
            let builder = Response::builder()
                .header("x-amzn-requestid", REQUEST_ID)
                .header("content-type", "application/x-amz-json-1.1");
            builder.body(Full::from(body)).unwrap_or_default()
        }
        Some(Err(refusal)) => refusal.response(call),
        None => not_implemented(call),
    }
}

impl CodeDeploy {
    fn operate(self: &Arc<Self>, operation: &str, request: &Value) -> Option<Answered> {
        Some(match operation {
            "CreateApplication" => self.create_application(request),
            "GetApplication" => self.get_application(request),
            "BatchGetApplications" => self.batch_get_applications(request),
            "ListApplications" => self.list_applications(),
            "UpdateApplication" => self.update_application(request),
            "DeleteApplication" => self.delete_application(request),
            "CreateDeploymentGroup" => self.create_group(request),
            "GetDeploymentGroup" => self.get_group(request),
            "BatchGetDeploymentGroups" => self.batch_get_groups(request),
            "ListDeploymentGroups" => self.list_groups(request),
            "UpdateDeploymentGroup" => self.update_group(request),
            "DeleteDeploymentGroup" => self.delete_group(request),
            "CreateDeploymentConfig" => self.create_config(request),
            "GetDeploymentConfig" => self.get_config(request),
            "ListDeploymentConfigs" => self.list_configs(),
            "DeleteDeploymentConfig" => self.delete_config(request),
            "CreateDeployment" => self.create_deployment(request),
            "GetDeployment" => self.get_deployment(request),
            "BatchGetDeployments" => self.batch_get_deployments(request),
            "ListDeployments" => self.list_deployments(request),
            "StopDeployment" => self.stop_deployment(request),
            "ContinueDeployment" => self.continue_deployment(request),
            "ListDeploymentTargets" => self.list_targets(request),
            "GetDeploymentTarget" => self.get_target(request),
            "BatchGetDeploymentTargets" => self.batch_get_targets(request),
            "PutLifecycleEventHookExecutionStatus" => self.put_hook_status(request),
            "ListTagsForResource" => list_tags(request),
            _ => return None,
        })
    }
}

/// Nothing is ever tagged here.
fn list_tags(request: &Value) -> Answered {
    match text(request, "ResourceArn") {
        Some(arn) if arn.starts_with("arn:aws:codedeploy:") => Ok(json!({ "Tags": [] })),
        Some(arn) => Err(refused("InvalidArnException", format!("{arn} is not an ARN of CodeDeploy"))),
        None => Err(refused("ResourceArnRequiredException", "ResourceArn is missing")),
    }
}
