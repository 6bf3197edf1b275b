//! What a profile of AppConfig demands of a version before it is deployed: the JSON Schemas among its validators, and that its
//! functions let AppConfig invoke them. Ministack keeps validators, and asks none. AppConfig does when a deployment starts and
//! when it is told to validate, and not when a version is stored.
//!
//! The functions themselves are invoked by `src/appconfig.rs`.

use crate::front::{
    Answer, Front,
    backends::{Forwarded, document, text},
    call::{Call, REHEARSAL_KEY, query_field},
    fault_answers::ServiceError,
};
use jsonschema::Draft;
use serde_json::Value;

/// So many violations are told at most.
const VIOLATIONS_TOLD_MAX: usize = 10;

impl Front {
    pub(super) async fn configuration_call(&self, call: &Call, request: &Forwarded) -> Answer {
        if let Some((profile, version)) = validated(call, request)
            && let Err(refusal) = self.check_validators(call, request, &profile, &version).await
        {
            return refusal.response(call);
        }
        self.app_config.answer(call, request).await
    }

    async fn check_validators(
        &self,
        call: &Call,
        request: &Forwarded,
        profile: &str,
        version: &str,
    ) -> Result<(), ServiceError> {
        let found = self.found(request, profile).await.unwrap_or_default();
        let validators = found.get("Validators").and_then(Value::as_array).into_iter().flatten();
        for validator in validators {
            let text = |field: &str| validator.get(field).and_then(Value::as_str).unwrap_or_default();
            match text("Type") {
                "JSON_SCHEMA" => {
                    let path = format!("{profile}/hostedconfigurationversions/{version}");
                    let Some(asked) = request.get(&path) else { continue };
                    let (answer, content) = self::text(self.backends.ministack(&asked).await).await;
                    // Whether there is such a version is looked at by whoever deploys it.
                    if answer.status().is_success() {
                        check_schema(text("Content"), &content).map_err(refused)?;
                    }
                }
                "LAMBDA" => self.check_permission(call, text("Content")).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn check_permission(&self, call: &Call, function: &str) -> Result<(), ServiceError> {
        let name = function.split_once(":function:").map_or(function, |(_, name)| name);
        let name = name.split(':').next().unwrap_or_default();
        let client = self.places.client(&call.account_id, &call.region, REHEARSAL_KEY);
        let path = format!("/2015-03-31/functions/{name}/policy");
        let policy = client.lambda("GET", &path, &Value::Null).await.ok();
        let policy: Option<Value> = policy.and_then(|policy| serde_json::from_slice(&policy.body).ok());
        let policy = policy.as_ref().and_then(|policy| policy.get("Policy")?.as_str());
        if policy.is_some_and(lets_appconfig_invoke) {
            return Ok(());
        }
        Err(refused(format!(
            "appconfig.amazonaws.com is not authorized to perform: lambda:InvokeFunction on {name}"
        )))
    }

    async fn found(&self, request: &Forwarded, path: &str) -> Option<Value> {
        let (answer, found) = document(self.backends.ministack(&request.get(path)?).await).await;
        found.filter(|_| answer.status().is_success())
    }
}

/// The profile's path and the version that a call has validated.
fn validated(call: &Call, request: &Forwarded) -> Option<(String, String)> {
    let path = request.uri.path();
    match call.operation.as_str() {
        "StartDeployment" => {
            let asked: Value = serde_json::from_slice(&request.body).ok()?;
            let (application, _) = path.split_once("/environments/")?;
            let profile = asked.get("ConfigurationProfileId")?.as_str()?;
            let version = asked.get("ConfigurationVersion")?.as_str()?;
            Some((format!("{application}/configurationprofiles/{profile}"), version.to_owned()))
        }
        "ValidateConfiguration" => {
            let version = query_field(&request.uri, "configuration_version")?;
            Some((path.strip_suffix("/validators")?.to_owned(), version))
        }
        _ => None,
    }
}

/// AppConfig knows the fourth draft of JSON Schema and no other.
fn check_schema(schema: &str, content: &str) -> Result<(), String> {
    let schema: Value =
        serde_json::from_str(schema).map_err(|error| format!("the schema is no JSON: {error}"))?;
    let validator = jsonschema::options()
        .with_draft(Draft::Draft4)
        .build(&schema)
        .map_err(|error| format!("the schema is no JSON Schema: {error}"))?;
    let content: Value =
        serde_json::from_str(content).map_err(|error| format!("the configuration is no JSON: {error}"))?;
    let violations = validator.iter_errors(&content).take(VIOLATIONS_TOLD_MAX);
    let violations: Vec<String> =
        violations.map(|violation| format!("{}: {violation}", violation.instance_path())).collect();
    if violations.is_empty() { Ok(()) } else { Err(violations.join("; ")) }
}

fn lets_appconfig_invoke(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let mut statements = policy.get("Statement").and_then(Value::as_array).into_iter().flatten();
    statements.any(|statement| {
        let is =
            |pointer: &str, value: &str| statement.pointer(pointer).and_then(Value::as_str) == Some(value);
        is("/Effect", "Allow")
            && is("/Principal/Service", "appconfig.amazonaws.com")
            && is("/Action", "lambda:InvokeFunction")
    })
}

/// How AppConfig words it is not known; that it is a bad request is.
fn refused(why: String) -> ServiceError {
    ServiceError::new(400, "BadRequestException", format!("Error running validator: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_refuses_what_breaks_it_and_says_where() {
        let schema = r#"{"type": "object", "required": ["limit"], "properties": {"limit": {"maximum": 3, "exclusiveMaximum": true}}}"#;
        assert_eq!(check_schema(schema, r#"{"limit": 2}"#), Ok(()));
        // Draft 4 knows `exclusiveMaximum` as true or false alone.
        for (content, part) in [(r#"{"limit": 3}"#, "/limit"), ("{}", "limit"), ("{", "no JSON")] {
            let why = check_schema(schema, content).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert!(check_schema("{", "{}").unwrap_err().contains("schema"));
    }

    #[test]
    fn a_function_must_let_appconfig_in() {
        let policy = |service: &str| {
            serde_json::json!({"Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction",
                "Principal": {"Service": service}}]})
            .to_string()
        };
        assert!(lets_appconfig_invoke(&policy("appconfig.amazonaws.com")));
        assert!(!lets_appconfig_invoke(&policy("events.amazonaws.com")));
        assert!(!lets_appconfig_invoke("{}"));
    }
}
