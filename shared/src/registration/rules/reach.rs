//! Where a target lies and with whose rights it is reached: what AWS would refuse, said when it is registered.

use super::Violation;
use crate::names::Arn;
use crate::registration::Reach;

/// What AWS takes for the external id of a role.
const EXTERNAL_ID_CHARS: std::ops::RangeInclusive<usize> = 2..=1_224;

impl Reach {
    /// The field, its value and the rule, of every rule that it breaks.
    pub(super) fn violations(&self, target: &str) -> Vec<Violation> {
        let of = |field: &str, value: &str, rule: &str| {
            Violation::new(format!("{target}.{field}"), format!("{value:?}"), rule)
        };
        let mut violations = Vec::new();
        if let Some(role) = self.role_arn.as_ref().filter(|role| !is_role(role)) {
            violations.push(of(
                "role_arn",
                role.as_str(),
                "the ARN of a role, like arn:aws:iam::123456789012:role/ripcord",
            ));
        }
        let Some(id) = &self.external_id else { return violations };
        if self.role_arn.is_none() {
            violations.push(of(
                "external_id",
                id,
                "goes with a role_arn: it is shown when a role is assumed",
            ));
        }
        let is_taken = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
        if !EXTERNAL_ID_CHARS.contains(&id.chars().count()) || !id.chars().all(is_taken) {
            violations.push(of("external_id", id, "2 to 1224 letters, digits or any of _+=,.@:/-"));
        }
        violations
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/NAME`, with a path before the name or without.
fn is_role(arn: &Arn) -> bool {
    let parts: Vec<&str> = arn.as_str().splitn(6, ':').collect();
    matches!(parts.as_slice(), [_, _, "iam", "", account, resource]
        if account.len() == 12
            && account.chars().all(|c| c.is_ascii_digit())
            && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.ends_with('/')))
}
