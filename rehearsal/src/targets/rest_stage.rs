//! A stage of a REST API with a canary on it.

use super::{
    TargetError,
    calls::{rest, text, unique},
};
use crate::aws_client::AwsClient;
use serde_json::{Value, json};

const SERVICE: &str = "apigateway";

/// A stage whose canary has a tenth of the traffic.
#[derive(Debug, Clone)]
pub struct RestStage {
    /// The API's id.
    pub api_id: String,
    /// The stage's name.
    pub stage: String,
    /// What the stage itself serves.
    pub stable_id: String,
    /// What its canary serves.
    pub candidate_id: String,
}

/// Sets up an API, its stage and a canary.
pub async fn rest_stage(client: &AwsClient) -> Result<RestStage, TargetError> {
    let named = json!({ "name": unique("shop") });
    let api_id = text(&rest(client, SERVICE, ("POST", "/restapis"), &named).await?, "/id")?;
    let base = format!("/restapis/{api_id}");
    let resources = rest(client, SERVICE, ("GET", &format!("{base}/resources")), &Value::Null).await?;
    let root = ["/item/0/id", "/_embedded/item/id", "/items/0/id"]
        .iter()
        .find_map(|pointer| resources.pointer(pointer)?.as_str())
        .unwrap_or_default();
    let method = format!("{base}/resources/{root}/methods/GET");
    let none = json!({ "authorizationType": "NONE" });
    rest(client, SERVICE, ("PUT", &method), &none).await?;
    let integration = format!("{method}/integration");
    rest(client, SERVICE, ("PUT", &integration), &json!({ "type": "MOCK" })).await?;
    let deployments = format!("{base}/deployments");
    let stable = json!({ "stageName": "prod", "variables": { "backend": "stable" } });
    let stable_id = text(&rest(client, SERVICE, ("POST", &deployments), &stable).await?, "/id")?;
    let candidate = json!({
        "stageName": "prod",
        "canarySettings": { "percentTraffic": 10.0, "stageVariableOverrides": { "backend": "candidate" } },
    });
    let candidate_id = text(&rest(client, SERVICE, ("POST", &deployments), &candidate).await?, "/id")?;
    Ok(RestStage { api_id, stage: "prod".to_owned(), stable_id, candidate_id })
}

impl RestStage {
    /// The stage as `GetStage` has it.
    pub async fn described(&self, client: &AwsClient) -> Result<Value, TargetError> {
        rest(client, SERVICE, ("GET", &self.path()), &Value::Null).await
    }

    /// Patches the stage.
    pub async fn patch(&self, client: &AwsClient, operations: &Value) -> Result<Value, TargetError> {
        let body = json!({ "patchOperations": operations });
        rest(client, SERVICE, ("PATCH", &self.path()), &body).await
    }

    fn path(&self) -> String {
        format!("/restapis/{}/stages/{}", self.api_id, self.stage)
    }
}
