//! CloudFormation's part of a scene.

use aws_sdk_cloudformation::operation::cancel_update_stack::CancelUpdateStackInput;
use aws_sdk_cloudformation::operation::describe_stack_events::DescribeStackEventsInput;
use aws_sdk_cloudformation::operation::describe_stacks::DescribeStacksInput;
use aws_sdk_cloudformation::operation::get_template::GetTemplateInput;
use aws_sdk_cloudformation::operation::rollback_stack::RollbackStackInput;
use aws_sdk_cloudformation::operation::update_stack::UpdateStackInput;
use aws_sdk_lambda::config::interceptors::BeforeSerializationInterceptorContextRef;

use super::text;

/// How a call of CloudFormation reads in the journal.
pub(super) fn call(context: &BeforeSerializationInterceptorContextRef<'_>) -> Option<String> {
    let input = context.input();
    if let Some(describe) = input.downcast_ref::<DescribeStacksInput>() {
        Some(format!("cloudformation:DescribeStacks {}", text(describe.stack_name())))
    } else if let Some(get) = input.downcast_ref::<GetTemplateInput>() {
        let stage = get.template_stage().map_or("-", |stage| stage.as_str());
        Some(format!("cloudformation:GetTemplate {} {stage}", text(get.stack_name())))
    } else if let Some(describe) = input.downcast_ref::<DescribeStackEventsInput>() {
        Some(format!("cloudformation:DescribeStackEvents {}", text(describe.stack_name())))
    } else if let Some(cancel) = input.downcast_ref::<CancelUpdateStackInput>() {
        let (stack, token) = (text(cancel.stack_name()), text(cancel.client_request_token()));
        Some(format!("cloudformation:CancelUpdateStack {stack} {token}"))
    } else if let Some(rollback) = input.downcast_ref::<RollbackStackInput>() {
        let (stack, token) = (text(rollback.stack_name()), text(rollback.client_request_token()));
        Some(format!("cloudformation:RollbackStack {stack} {token}"))
    } else {
        let update = input.downcast_ref::<UpdateStackInput>()?;
        let (stack, token) = (text(update.stack_name()), text(update.client_request_token()));
        Some(format!("cloudformation:UpdateStack {stack} {token}"))
    }
}
