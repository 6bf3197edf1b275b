//! A configuration of AppConfig with two hosted versions, the first of them in force.

use super::{
    TargetError,
    calls::{rest, text, unique},
};
use crate::aws_client::{AwsClient, AwsRequest};
use serde_json::{Value, json};

const SERVICE: &str = "appconfig";

/// A profile that serves version 1, and may be deployed version 2.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The application's id.
    pub application_id: String,
    /// The environment's id.
    pub environment_id: String,
    /// The profile's id.
    pub profile_id: String,
    /// A strategy that takes ten minutes and bakes for ten more: ten seconds each here.
    pub slow_strategy_id: String,
    /// A strategy that is over at once.
    pub quick_strategy_id: String,
}

/// Sets up a configuration.
pub async fn configuration(client: &AwsClient) -> Result<Configuration, TargetError> {
    let named = |name: &str| json!({ "Name": unique(name) });
    let application_id = made(client, "/applications", &named("shop")).await?;
    let base = format!("/applications/{application_id}");
    let environment_id = made(client, &format!("{base}/environments"), &named("prod")).await?;
    let profile = json!({ "Name": "flags", "LocationUri": "hosted" });
    let profile_id = made(client, &format!("{base}/configurationprofiles"), &profile).await?;
    let strategy = |name: &str, minutes: u32, growth: u32| {
        json!({
            "Name": unique(name),
            "DeploymentDurationInMinutes": minutes,
            "FinalBakeTimeInMinutes": minutes,
            "GrowthFactor": growth,
            "ReplicateTo": "NONE",
        })
    };
    let slow_strategy_id = made(client, "/deploymentstrategies", &strategy("slow", 10, 20)).await?;
    let quick_strategy_id = made(client, "/deploymentstrategies", &strategy("quick", 0, 100)).await?;
    let configuration =
        Configuration { application_id, environment_id, profile_id, slow_strategy_id, quick_strategy_id };
    for version in ["1", "2"] {
        let path =
            format!("{base}/configurationprofiles/{}/hostedconfigurationversions", configuration.profile_id);
        rest(client, SERVICE, ("POST", &path), &json!({ "version": version })).await?;
    }
    configuration.deploy(client, 1, &configuration.quick_strategy_id).await?;
    Ok(configuration)
}

impl Configuration {
    /// Deploys a version, and returns the deployment's number.
    pub async fn deploy(
        &self,
        client: &AwsClient,
        version: u32,
        strategy_id: &str,
    ) -> Result<u64, TargetError> {
        let document = json!({
            "DeploymentStrategyId": strategy_id,
            "ConfigurationProfileId": self.profile_id,
            "ConfigurationVersion": version.to_string(),
        });
        let started = rest(client, SERVICE, ("POST", &self.deployments()), &document).await?;
        let number = started.get("DeploymentNumber").and_then(Value::as_u64);
        number.ok_or_else(|| TargetError::Answer { what: "a number".to_owned(), answer: started.to_string() })
    }

    /// A deployment's state, such as `DEPLOYING`.
    pub async fn state(&self, client: &AwsClient, number: u64) -> Result<String, TargetError> {
        let path = format!("{}/{number}", self.deployments());
        text(&rest(client, SERVICE, ("GET", &path), &Value::Null).await?, "/State")
    }

    /// The deployments' numbers, newest first.
    pub async fn numbers(&self, client: &AwsClient) -> Result<Vec<u64>, TargetError> {
        let listed = rest(client, SERVICE, ("GET", &self.deployments()), &Value::Null).await?;
        let items = listed.get("Items").and_then(Value::as_array).into_iter().flatten();
        Ok(items.filter_map(|item| item.get("DeploymentNumber")?.as_u64()).collect())
    }

    /// Stops or reverts a deployment, and returns the status and the body of the answer.
    pub async fn stop(
        &self,
        client: &AwsClient,
        number: u64,
        allow_revert: bool,
    ) -> Result<(u16, String), TargetError> {
        let path = format!("{}/{number}", self.deployments());
        let headers = [("Allow-Revert", if allow_revert { "true" } else { "false" })];
        let body = Vec::new().into();
        let request = AwsRequest { service: SERVICE, method: "DELETE", path: &path, headers: &headers, body };
        let answer = client.send(request).await?;
        Ok((answer.status.as_u16(), answer.text()))
    }

    /// The version that clients are given.
    pub async fn in_force(&self, client: &AwsClient) -> Result<String, TargetError> {
        let asked = json!({
            "ApplicationIdentifier": self.application_id,
            "EnvironmentIdentifier": self.environment_id,
            "ConfigurationProfileIdentifier": self.profile_id,
        });
        let session = rest(client, SERVICE, ("POST", "/configurationsessions"), &asked).await?;
        let token = text(&session, "/InitialConfigurationToken")?;
        let path = format!("/configuration?configuration_token={token}");
        text(&rest(client, SERVICE, ("GET", &path), &Value::Null).await?, "/version")
    }

    fn deployments(&self) -> String {
        format!("/applications/{}/environments/{}/deployments", self.application_id, self.environment_id)
    }
}

async fn made(client: &AwsClient, path: &str, document: &Value) -> Result<String, TargetError> {
    text(&rest(client, SERVICE, ("POST", path), document).await?, "/Id")
}
