//! Assumed roles: ministack hands out any role to anybody, so whether the role is there, trusts the caller's account and was
//! asked with its external id is looked at here. No other condition of a trust policy is.

use super::{element, form};
use crate::front::{
    Answer, Front,
    backends::{Forwarded, text},
    call::Call,
    fault_answers::ServiceError,
};
use hyper::header::{AUTHORIZATION, HeaderValue};
use roxmltree::Document;
use serde_json::Value;

impl Front {
    pub(super) async fn role_call(&self, call: &Call, request: &Forwarded) -> Answer {
        if call.operation != "AssumeRole" {
            return self.backends.ministack(request).await;
        }
        let fields = form(&request.body);
        let field =
            |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let role_arn = field("RoleArn").unwrap_or_default();
        let account = role_arn.split(':').nth(4).unwrap_or_default();
        let policy = self.trust_policy(account, role_arn, request).await;
        let caller = &call.account_id;
        if !policy.is_some_and(|policy| trusts(&policy, caller, field("ExternalId"))) {
            let message = format!(
                "User: arn:aws:iam::{caller}:root is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            );
            return ServiceError::new(403, "AccessDenied", message).response(call);
        }
        let (answer, body) = text(self.backends.ministack(request).await).await;
        if let Ok(document) = Document::parse(&body)
            && let Some(key) = element(&document, "AccessKeyId")
        {
            self.backends.opened(key, account, &call.caller);
        }
        answer
    }

    async fn trust_policy(&self, account: &str, role_arn: &str, request: &Forwarded) -> Option<Value> {
        let name = role_arn.rsplit('/').next()?;
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("Action", "GetRole"), ("Version", "2010-05-08"), ("RoleName", name)])
            .finish();
        let mut asked = request.with_body(form);
        // The role's own account is asked, under the key that stands for it.
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"
        );
        asked.headers.insert(AUTHORIZATION, HeaderValue::from_str(&signed).ok()?);
        let (answer, body) = text(self.backends.ministack(&asked).await).await;
        if !answer.status().is_success() {
            return None;
        }
        let document = Document::parse(&body).ok()?;
        let policy = element(&document, "AssumeRolePolicyDocument")?;
        serde_json::from_str(policy).ok().or_else(|| {
            let form = format!("x={policy}");
            let (_, decoded) = form_urlencoded::parse(form.as_bytes()).next()?;
            serde_json::from_str(&decoded).ok()
        })
    }
}

fn trusts(policy: &Value, account: &str, external_id: Option<&str>) -> bool {
    listed(policy.get("Statement")).into_iter().any(|statement| {
        let has = |field: &str, wanted: &dyn Fn(&str) -> bool| {
            listed(statement.get(field)).into_iter().filter_map(Value::as_str).any(wanted)
        };
        let principals = listed(statement.pointer("/Principal/AWS").or_else(|| statement.get("Principal")));
        let known = principals
            .into_iter()
            .filter_map(Value::as_str)
            .any(|principal| principal == "*" || principal.split(':').any(|part| part == account));
        let expected = statement.pointer("/Condition/StringEquals/sts:ExternalId").map(|id| listed(Some(id)));
        let is_expected = expected.is_none_or(|ids| ids.into_iter().any(|id| id.as_str() == external_id));
        has("Effect", &|effect| effect == "Allow")
            && has("Action", &|action| ["sts:AssumeRole", "sts:*", "*"].contains(&action))
            && known
            && is_expected
    })
}

/// One thing or a list of them, as policies write both.
fn listed(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_role_trusts_one_account_and_one_external_id() {
        let policy = json!({"Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Condition": {"StringEquals": {"sts:ExternalId": "cord"}},
        }]});
        assert!(trusts(&policy, "123456789012", Some("cord")));
        assert!(!trusts(&policy, "123456789012", Some("rope")));
        assert!(!trusts(&policy, "123456789012", None));
        assert!(!trusts(&policy, "210987654321", Some("cord")));
    }
}
