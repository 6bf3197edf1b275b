//! Looking at a listener or rule, and moving it.

use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersError;
use aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesError;
use aws_sdk_elasticloadbalancingv2::operation::describe_target_health::{
    DescribeTargetHealthError, DescribeTargetHealthOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::modify_listener::ModifyListenerError;
use aws_sdk_elasticloadbalancingv2::operation::modify_rule::ModifyRuleError;
use aws_sdk_elasticloadbalancingv2::types::{TargetHealthReasonEnum, TargetHealthStateEnum};
use futures_util::future::join3;

use crate::aws::execute::Interruption;
use crate::aws::{Aws, CallFailed, causes};
use crate::place::load_balancer::{
    Action, Call, Counts, Forward, Health, RuleArn, RuleKind, Seen, TargetGroup,
};
use crate::place::{Live, Seen as PlaceSeen};

mod actions;

const DESCRIBE_LISTENERS: &str = "elasticloadbalancing:DescribeListeners";
const DESCRIBE_RULES: &str = "elasticloadbalancing:DescribeRules";
const DESCRIBE_TARGET_HEALTH: &str = "elasticloadbalancing:DescribeTargetHealth";
const MODIFY_LISTENER: &str = "elasticloadbalancing:ModifyListener";
const MODIFY_RULE: &str = "elasticloadbalancing:ModifyRule";

/// Looks at it; nothing if there is none. Its actions and the health of both groups are asked for at once.
pub(super) async fn observe(aws: &Aws, place: &Forward) -> Result<Option<Live>, CallFailed> {
    let [first, second] = &place.target_groups;
    let (rule, of_first, of_second) =
        join3(rule(aws, &place.rule), health(aws, first), health(aws, second)).await;
    let Some((actions, is_default)) = rule? else { return Ok(None) };
    let health = [(first.name(), of_first), (second.name(), of_second)].into();
    let seen = Seen { actions, is_default, health };
    Ok(Some(Live {
        traffic: seen.traffic(place),
        brought: None,
        seen: PlaceSeen::LoadBalancer(Box::new(seen)),
    }))
}

/// Its actions, and whether it is a default rule; nothing if there is no such listener or rule.
async fn rule(aws: &Aws, rule: &RuleArn) -> Result<Option<(Vec<Action>, bool)>, CallFailed> {
    match rule.kind() {
        RuleKind::Listener => {
            let answer = aws.load_balancers().describe_listeners().listener_arns(rule.as_str()).send().await;
            match answer {
                Ok(answer) => Ok(answer
                    .listeners()
                    .first()
                    .map(|listener| (actions::seen(listener.default_actions()), false))),
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(DescribeListenersError::is_listener_not_found_exception) =>
                {
                    Ok(None)
                }
                Err(error) => Err(CallFailed::new(DESCRIBE_LISTENERS, rule, &error)),
            }
        }
        RuleKind::Rule => match aws.load_balancers().describe_rules().rule_arns(rule.as_str()).send().await {
            Ok(answer) => Ok(answer
                .rules()
                .first()
                .map(|rule| (actions::seen(rule.actions()), rule.is_default().unwrap_or_default()))),
            Err(error)
                if error.as_service_error().is_some_and(DescribeRulesError::is_rule_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(CallFailed::new(DESCRIBE_RULES, rule, &error)),
        },
    }
}

/// The health of a group's targets. What cannot be read is said, and stops nothing here.
async fn health(aws: &Aws, group: &TargetGroup) -> Health {
    let answer =
        aws.load_balancers().describe_target_health().target_group_arn(group.arn().as_str()).send().await;
    match answer {
        Ok(answer) => Health::Counted(counts(&answer)),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeTargetHealthError::is_target_group_not_found_exception) =>
        {
            Health::Gone
        }
        Err(error) => {
            Health::Unread { why: CallFailed::new(DESCRIBE_TARGET_HEALTH, group, &error).to_string() }
        }
    }
}

fn counts(answer: &DescribeTargetHealthOutput) -> Counts {
    let mut counts = Counts::default();
    for health in answer.target_health_descriptions().iter().filter_map(|target| target.target_health()) {
        let is_unchecked = health.reason() == Some(&TargetHealthReasonEnum::HealthCheckDisabled);
        match health.state() {
            // These are on their way out.
            Some(TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining) => continue,
            Some(TargetHealthStateEnum::Healthy) => counts.able += 1,
            // Functions are not checked unless a team asks for it, and are said to be unavailable then.
            Some(TargetHealthStateEnum::Unavailable) if is_unchecked => counts.able += 1,
            Some(TargetHealthStateEnum::Initial) => counts.initial += 1,
            Some(TargetHealthStateEnum::Unused) => counts.unused += 1,
            // Unhealthy, and whatever AWS adds: nothing that traffic should be sent to.
            Some(_) | None => {}
        }
        counts.registered += 1;
    }
    counts
}

/// Makes one call. A listener, rule or group that is gone by now is looked at again.
pub(super) async fn call(aws: &Aws, call: &Call) -> Result<(), Interruption> {
    let (rule, sent) = (&call.rule, actions::sent(&call.actions));
    let raced = |error: &(dyn std::error::Error + 'static)| Interruption::Raced {
        what: format!("{} or one of its groups is gone: {}", rule.resource(), causes(error)),
    };
    let failed = |call, error: &(dyn std::error::Error + 'static)| Interruption::Failed {
        why: CallFailed::new(call, rule, error).to_string(),
    };
    match rule.kind() {
        RuleKind::Listener => {
            let modify = aws.load_balancers().modify_listener().listener_arn(rule.as_str());
            match modify.set_default_actions(Some(sent)).send().await {
                Ok(_) => Ok(()),
                Err(error) => match error.as_service_error() {
                    Some(
                        ModifyListenerError::ListenerNotFoundException(_)
                        | ModifyListenerError::TargetGroupNotFoundException(_),
                    ) => Err(raced(&error)),
                    Some(_) | None => Err(failed(MODIFY_LISTENER, &error)),
                },
            }
        }
        RuleKind::Rule => {
            let modify = aws.load_balancers().modify_rule().rule_arn(rule.as_str());
            match modify.set_actions(Some(sent)).send().await {
                Ok(_) => Ok(()),
                Err(error) => match error.as_service_error() {
                    Some(
                        ModifyRuleError::RuleNotFoundException(_)
                        | ModifyRuleError::TargetGroupNotFoundException(_),
                    ) => Err(raced(&error)),
                    Some(_) | None => Err(failed(MODIFY_RULE, &error)),
                },
            }
        }
    }
}
