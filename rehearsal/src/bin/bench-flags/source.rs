//! A configuration of the local AppConfig whose document is exchanged.

use anyhow::Context;
use ripcord_rehearsal::LocalAws;
use ripcord_rehearsal::aws_client::{AwsAnswer, AwsRequest};
use serde_json::{Value, json};

pub(crate) struct Source {
    application: String,
    environment: String,
    profile: String,
}

pub(crate) async fn prepare(local: &LocalAws) -> anyhow::Result<Source> {
    let application = made(local, "/applications", json!({ "Name": "bench" })).await?;
    let base = format!("/applications/{application}");
    let environment = made(local, &format!("{base}/environments"), json!({ "Name": "bench" })).await?;
    let profile = json!({ "Name": "flags", "LocationUri": "hosted" });
    let profile = made(local, &format!("{base}/configurationprofiles"), profile).await?;
    Ok(Source { application, environment, profile })
}

impl Source {
    /// Deploys a document at once, and returns the ARN that it is served under.
    pub(crate) async fn deploy(&self, local: &LocalAws, document: &str) -> anyhow::Result<String> {
        let Self { application, environment, profile } = self;
        let base = format!("/applications/{application}");
        let versions = format!("{base}/configurationprofiles/{profile}/hostedconfigurationversions");
        let stored = sent(local, &versions, document.to_owned()).await?;
        let version = stored.headers.get("version-number").context("no version was stored")?;
        let started = json!({
            "DeploymentStrategyId": "AppConfig.AllAtOnce", "ConfigurationProfileId": profile,
            "ConfigurationVersion": version.to_str()?,
        });
        // That strategy bakes for ten minutes of the local AWS, and serves the document from the start.
        let deployments = format!("{base}/environments/{environment}/deployments");
        let mut answer = sent(local, &deployments, started.to_string()).await;
        for _ in 0..200 {
            match &answer {
                Err(error) if error.to_string().contains("in progress") => {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    answer = sent(local, &deployments, started.to_string()).await;
                }
                Ok(_) | Err(_) => break,
            }
        }
        answer?;
        let (region, account) = (local.region(), local.account_id());
        Ok(format!(
            "arn:aws:appconfig:{region}:{account}:application/{application}/environment/{environment}/configuration/{profile}"
        ))
    }
}

async fn made(local: &LocalAws, path: &str, document: Value) -> anyhow::Result<String> {
    let answer = sent(local, path, document.to_string()).await?;
    let made: Value = serde_json::from_slice(&answer.body)?;
    Ok(made.get("Id").and_then(Value::as_str).context("it has no id")?.to_owned())
}

async fn sent(local: &LocalAws, path: &str, body: String) -> anyhow::Result<AwsAnswer> {
    let headers = [("content-type", "application/json")];
    let body = body.into();
    let request = AwsRequest { service: "appconfig", method: "POST", path, headers: &headers, body };
    let answer = local.client().send(request).await?;
    anyhow::ensure!(answer.status.is_success(), "POST {path}: {} {}", answer.status, answer.text());
    Ok(answer)
}
