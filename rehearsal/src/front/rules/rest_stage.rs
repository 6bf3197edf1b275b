//! Stages of REST APIs: ministack lets a canary's deployment take the whole stage, knows no `copy`, and takes any percentage
//! and any deployment. Each such call becomes those that ministack does right.

use crate::front::{
    Answer, Front,
    backends::{Forwarded, document},
    call::Call,
    fault_answers::ServiceError,
};
use hyper::Method;
use serde_json::{Value, json};

impl Front {
    pub(super) async fn rest_stage_call(&self, call: &Call, request: &Forwarded) -> Answer {
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match call.operation.as_str() {
            "CreateDeployment" if asked.get("canarySettings").is_some_and(Value::is_object) => {
                self.create_canary(call, request, &asked).await
            }
            "UpdateStage" => self.update_stage(call, request, &asked).await,
            _ => self.backends.ministack(request).await,
        }
    }

    /// Makes a deployment and shows it to the canary's share alone.
    async fn create_canary(&self, call: &Call, request: &Forwarded, asked: &Value) -> Answer {
        let settings = asked.get("canarySettings").cloned().unwrap_or_default();
        let percent = settings.get("percentTraffic").and_then(Value::as_f64).unwrap_or_default();
        if let Err(refusal) = check_percent(percent) {
            return refusal.response(call);
        }
        let api = call.resource.as_deref().unwrap_or_default();
        let name = asked.get("stageName").and_then(Value::as_str).unwrap_or_default();
        let path = format!("/restapis/{api}/stages/{name}");
        let stage = self.stage(request, &path).await;
        let mut plain = asked.clone();
        if let Some(fields) = plain.as_object_mut() {
            fields.remove("canarySettings");
            // Named, the stage would go over to the new deployment whole. A stage that is new has no other one.
            if stage.is_some() {
                fields.remove("stageName");
                fields.remove("variables");
            }
        }
        let (answer, made) =
            document(self.backends.ministack(&request.with_body(plain.to_string())).await).await;
        let Some(id) = made.as_ref().and_then(|made| made.get("id")).and_then(Value::as_str) else {
            return answer;
        };
        let mut operations = vec![
            replace("/canarySettings/deploymentId", id),
            replace("/canarySettings/percentTraffic", percent),
        ];
        if let Some(cached) = settings.get("useStageCache").and_then(Value::as_bool) {
            operations.push(replace("/canarySettings/useStageCache", cached));
        }
        let overrides = settings.get("stageVariableOverrides").and_then(Value::as_object);
        for (variable, value) in overrides.into_iter().flatten() {
            let path = format!("/canarySettings/stageVariableOverrides/{variable}");
            operations.push(replace(&path, value.as_str().unwrap_or_default()));
        }
        let patched = self.patch(request, &path, &operations).await;
        if patched.status().is_success() { answer } else { patched }
    }

    async fn update_stage(&self, call: &Call, request: &Forwarded, asked: &Value) -> Answer {
        let path = request.uri.path();
        let Some(stage) = self.stage(request, path).await else {
            return self.backends.ministack(request).await;
        };
        let mut operations = Vec::new();
        for operation in asked.get("patchOperations").and_then(Value::as_array).into_iter().flatten() {
            match written_out(operation, &stage) {
                Ok(written) => operations.extend(written),
                Err(refusal) => return refusal.response(call),
            }
        }
        for operation in &operations {
            let is = |path: &str| operation.get("path").and_then(Value::as_str) == Some(path);
            let value = operation.get("value").and_then(Value::as_str);
            let Some(id) = value.filter(|_| is("/deploymentId") || is("/canarySettings/deploymentId")) else {
                continue;
            };
            let api = path.split("/stages/").next().unwrap_or_default();
            let deployment = request.get(&format!("{api}/deployments/{id}"));
            let is_there = match deployment {
                Some(asked) => self.backends.ministack(&asked).await.status().is_success(),
                None => false,
            };
            if !is_there {
                return refused(format!("Invalid deployment identifier specified: {id}")).response(call);
            }
        }
        self.patch(request, path, &operations).await
    }

    async fn stage(&self, request: &Forwarded, path: &str) -> Option<Value> {
        let (answer, stage) = document(self.backends.ministack(&request.get(path)?).await).await;
        stage.filter(|_| answer.status().is_success())
    }

    async fn patch(&self, request: &Forwarded, path: &str, operations: &[Value]) -> Answer {
        let body = json!({ "patchOperations": operations }).to_string();
        let mut patch = request.with_body(body);
        patch.method = Method::PATCH;
        if let Ok(uri) = path.parse() {
            patch.uri = uri;
        }
        self.backends.ministack(&patch).await
    }
}

/// The operations that ministack knows for one that it may not.
fn written_out(operation: &Value, stage: &Value) -> Result<Vec<Value>, ServiceError> {
    let text = |field: &str| operation.get(field).and_then(Value::as_str).unwrap_or_default();
    let (kind, path, value) = (text("op"), text("path"), text("value"));
    if kind != "copy" {
        if path == "/canarySettings/percentTraffic" && kind != "remove" {
            let percent = value.parse().map_err(|_| refused(format!("{value} is not a percentage")))?;
            check_percent(percent)?;
            // Patches write it as a text, and stages have it as a number.
            return Ok(vec![replace(path, percent)]);
        }
        return Ok(vec![operation.clone()]);
    }
    let from = text("from");
    match stage.pointer(from) {
        Some(Value::String(value)) => Ok(vec![replace(path, value.as_str())]),
        Some(Value::Object(fields)) => Ok(fields
            .iter()
            .map(|(field, value)| replace(&format!("{path}/{field}"), value.as_str().unwrap_or_default()))
            .collect()),
        Some(other) => Ok(vec![replace(path, other.clone())]),
        None => Err(refused(format!("Invalid patch path {from}"))),
    }
}

fn check_percent(percent: f64) -> Result<(), ServiceError> {
    if (0.0..=100.0).contains(&percent) {
        return Ok(());
    }
    Err(refused(format!("Invalid percentTraffic {percent}: it must be between 0.0 and 100.0")))
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!({ "op": "replace", "path": path, "value": value.into() })
}

fn refused(message: String) -> ServiceError {
    ServiceError::new(400, "BadRequestException", message)
}
