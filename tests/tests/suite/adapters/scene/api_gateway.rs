//! API Gateway's part of a scene.

use aws_sdk_apigateway::operation::get_deployments::GetDeploymentsInput;
use aws_sdk_apigateway::operation::get_stage::GetStageInput;
use aws_sdk_apigateway::operation::update_stage::UpdateStageInput;
use aws_sdk_apigateway::types::PatchOperation;
use aws_sdk_lambda::config::interceptors::BeforeSerializationInterceptorContextRef;

use super::text;

/// How a call of API Gateway reads in the journal.
pub(super) fn call(context: &BeforeSerializationInterceptorContextRef<'_>) -> Option<String> {
    let input = context.input();
    if let Some(get) = input.downcast_ref::<GetStageInput>() {
        Some(format!("apigateway:GetStage {}/{}", text(get.rest_api_id()), text(get.stage_name())))
    } else if let Some(get) = input.downcast_ref::<GetDeploymentsInput>() {
        Some(format!("apigateway:GetDeployments {} {:?}", text(get.rest_api_id()), get.limit()))
    } else {
        let update = input.downcast_ref::<UpdateStageInput>()?;
        let stage = (text(update.rest_api_id()), text(update.stage_name()));
        let operations = update.patch_operations().iter().map(operation);
        let operations: Vec<String> = operations.collect();
        Some(format!("apigateway:UpdateStage {}/{}: {}", stage.0, stage.1, operations.join(", ")))
    }
}

fn operation(operation: &PatchOperation) -> String {
    let verb = operation.op().map_or("-", |op| op.as_str());
    let source = operation.value().or_else(|| operation.from()).map(|source| format!(" {source}"));
    format!("{verb} {}{}", text(operation.path()), source.unwrap_or_default())
}
