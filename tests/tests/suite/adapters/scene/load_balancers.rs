//! The load balancers' part of a scene.

use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersInput;
use aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesInput;
use aws_sdk_elasticloadbalancingv2::operation::describe_target_health::DescribeTargetHealthInput;
use aws_sdk_elasticloadbalancingv2::operation::modify_listener::ModifyListenerInput;
use aws_sdk_elasticloadbalancingv2::operation::modify_rule::ModifyRuleInput;
use aws_sdk_lambda::config::interceptors::BeforeSerializationInterceptorContextRef;

use super::text;

/// How a call of a load balancer reads in the journal. The actions are read from what went over the wire.
pub(super) fn call(context: &BeforeSerializationInterceptorContextRef<'_>) -> Option<String> {
    let input = context.input();
    let named = |call: &str, arns: &[String]| format!("elasticloadbalancing:{call} {}", arns.join(", "));
    if let Some(describe) = input.downcast_ref::<DescribeListenersInput>() {
        Some(named("DescribeListeners", describe.listener_arns()))
    } else if let Some(describe) = input.downcast_ref::<DescribeRulesInput>() {
        Some(named("DescribeRules", describe.rule_arns()))
    } else if let Some(describe) = input.downcast_ref::<DescribeTargetHealthInput>() {
        Some(named("DescribeTargetHealth", &[text(describe.target_group_arn()).to_owned()]))
    } else if let Some(modify) = input.downcast_ref::<ModifyListenerInput>() {
        Some(named("ModifyListener", &[text(modify.listener_arn()).to_owned()]))
    } else {
        let modify = input.downcast_ref::<ModifyRuleInput>()?;
        Some(named("ModifyRule", &[text(modify.rule_arn()).to_owned()]))
    }
}
