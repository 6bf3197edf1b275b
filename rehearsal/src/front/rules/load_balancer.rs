//! Load balancers: what ELBv2 refuses of an action and moto takes, such as a weight of 1000 or an unknown target group.

use super::form;
use crate::front::{Answer, Front, backends::Forwarded, call::Call, fault_answers::ServiceError};

const WEIGHT_MAX: u32 = 999;
/// Seven days.
const STICKINESS_S_MAX: u32 = 604_800;
const TARGET_GROUPS_MAX: usize = 5;

impl Front {
    pub(super) async fn load_balancer_call(&self, call: &Call, request: &Forwarded) -> Answer {
        if ["CreateListener", "ModifyListener", "CreateRule", "ModifyRule"].contains(&call.operation.as_str())
        {
            let fields = form(&request.body);
            if let Err(refusal) = check(&fields) {
                return refusal.response(call);
            }
            let groups = target_groups(&fields);
            if !groups.is_empty() {
                // Moto refuses to describe what it does not know, as ELBv2 refuses to forward to it.
                let known = self.backends.moto(call, &request.with_body(describe(&groups))).await;
                if !known.status().is_success() {
                    return known;
                }
            }
        }
        self.backends.moto(call, request).await
    }
}

fn check(fields: &[(String, String)]) -> Result<(), ServiceError> {
    let invalid = |message: String| Err(ServiceError::new(400, "ValidationError", message));
    for (name, value) in fields {
        let number = value.parse::<u32>().ok();
        if name.ends_with(".Weight") && number.is_none_or(|weight| weight > WEIGHT_MAX) {
            return invalid(format!("Weight '{value}' must be between 0 and {WEIGHT_MAX}"));
        }
        if name.ends_with("StickinessConfig.DurationSeconds")
            && number.is_none_or(|seconds| seconds == 0 || seconds > STICKINESS_S_MAX)
        {
            return invalid(format!(
                "Stickiness duration '{value}' must be between 1 and {STICKINESS_S_MAX} seconds"
            ));
        }
    }
    let forwarded = fields.iter().filter(|(name, _)| name.contains(".ForwardConfig.TargetGroups."));
    let mut per_action = std::collections::BTreeMap::<&str, usize>::new();
    for (name, _) in forwarded.filter(|(name, _)| name.ends_with(".TargetGroupArn")) {
        let action = name.split(".ForwardConfig.").next().unwrap_or(name);
        *per_action.entry(action).or_default() += 1;
    }
    match per_action.values().find(|groups| **groups > TARGET_GROUPS_MAX) {
        Some(groups) => Err(ServiceError::new(
            400,
            "TooManyTargetGroups",
            format!("{groups} target groups in one action > {TARGET_GROUPS_MAX}"),
        )),
        None => Ok(()),
    }
}

fn target_groups(fields: &[(String, String)]) -> Vec<&str> {
    let mut groups: Vec<&str> = fields
        .iter()
        .filter(|(name, _)| name.ends_with(".TargetGroupArn"))
        .map(|(_, arn)| arn.as_str())
        .collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn describe(groups: &[&str]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "DescribeTargetGroups").append_pair("Version", "2015-12-01");
    for (index, arn) in groups.iter().enumerate() {
        form.append_pair(&format!("TargetGroupArns.member.{}", index + 1), arn);
    }
    form.finish()
}
