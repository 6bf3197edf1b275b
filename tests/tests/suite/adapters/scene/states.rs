//! The part of a scene that is about aliases of state machines.

use aws_sdk_lambda::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_sfn::operation::describe_state_machine_alias::DescribeStateMachineAliasInput;
use aws_sdk_sfn::operation::list_state_machine_versions::ListStateMachineVersionsInput;
use aws_sdk_sfn::operation::update_state_machine_alias::UpdateStateMachineAliasInput;

use super::text;

/// How a call on an alias of a state machine reads in the journal.
pub(super) fn call(context: &BeforeSerializationInterceptorContextRef<'_>) -> Option<String> {
    let input = context.input();
    if let Some(describe) = input.downcast_ref::<DescribeStateMachineAliasInput>() {
        Some(format!("states:DescribeStateMachineAlias {}", text(describe.state_machine_alias_arn())))
    } else if let Some(list) = input.downcast_ref::<ListStateMachineVersionsInput>() {
        let max = list.max_results().unwrap_or_default();
        Some(format!("states:ListStateMachineVersions {}, {max} at most", text(list.state_machine_arn())))
    } else {
        let update = input.downcast_ref::<UpdateStateMachineAliasInput>()?;
        Some(format!("states:UpdateStateMachineAlias {}", text(update.state_machine_alias_arn())))
    }
}
