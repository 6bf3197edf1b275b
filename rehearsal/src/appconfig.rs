//! What AppConfig does besides keeping what it is given, and ministack does not: it has the functions that a profile names look at a
//! version, refuses a version that is stored after another than the newest, and tells EventBridge how deployments begin and end.
//!
//! What a profile's schemas say is looked at in `front/rules/configurations.rs`. Events are told whether or not the extension for
//! EventBridge is associated with anything.

use crate::{
    alarms::dispatch::{check_event, put_event},
    front::{
        Answer,
        backends::{Backends, Forwarded, document},
        call::{Call, REHEARSAL_KEY},
        fault_answers::ServiceError,
    },
    places::Places,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How often a deployment is looked at: a minute of it lasts a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// No deployment of a test or a rehearsal takes longer than this many looks, which is an hour.
const LOOKS_MAX: u32 = 36_000;

/// The local AppConfig, as far as ministack is none.
pub(crate) struct AppConfig {
    backends: Arc<Backends>,
    places: Arc<Places>,
    /// Versions are stored one by one, so that the newest is certain.
    storing: Mutex<()>,
}

/// A deployment that is being looked at.
struct Watched {
    request: Forwarded,
    path: String,
    account_id: String,
    region: String,
}

impl AppConfig {
    pub(crate) fn new(backends: Arc<Backends>, places: Arc<Places>) -> Self {
        Self { backends, places, storing: Mutex::new(()) }
    }

    pub(crate) async fn answer(self: &Arc<Self>, call: &Call, request: &Forwarded) -> Answer {
        let answered = match call.operation.as_str() {
            "CreateHostedConfigurationVersion" => self.store(request).await,
            "StartDeployment" => self.start(call, request).await,
            "ValidateConfiguration" => self.validate(call, request).await,
            _ => Ok(self.backends.ministack(request).await),
        };
        answered.unwrap_or_else(|refusal| refusal.response(call))
    }

    async fn store(&self, request: &Forwarded) -> Result<Answer, ServiceError> {
        let _one_by_one = self.storing.lock().await;
        let expected = request.headers.get("latest-version-number").and_then(|value| value.to_str().ok());
        if let Some(expected) = expected {
            let listed = self.got(request, request.uri.path()).await;
            let versions = listed.iter().flat_map(|listed| listed.get("Items")?.as_array()).flatten();
            let newest =
                versions.filter_map(|version| version.get("VersionNumber")?.as_u64()).max().unwrap_or(0);
            if expected.parse() != Ok(newest) {
                let message = format!("The latest version number is {newest}, not {expected}");
                return Err(ServiceError::new(409, "ConflictException", message));
            }
        }
        Ok(self.backends.ministack(request).await)
    }

    async fn start(self: &Arc<Self>, call: &Call, request: &Forwarded) -> Result<Answer, ServiceError> {
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = |field: &str| asked.get(field).and_then(Value::as_str).unwrap_or_default();
        if let Some((application, _)) = request.uri.path().split_once("/environments/") {
            let profile = format!("{application}/configurationprofiles/{}", text("ConfigurationProfileId"));
            self.ask_validators(call, request, &profile, text("ConfigurationVersion")).await?;
        }
        let (answer, started) = document(self.backends.ministack(request).await).await;
        let number = started.filter(|_| answer.status().is_success());
        if let Some(number) = number.and_then(|started| started.get("DeploymentNumber")?.as_u64()) {
            let path = format!("{}/{number}", request.uri.path());
            let (account_id, region) = (call.account_id.clone(), call.region.clone());
            let watched = Watched { request: request.clone(), path, account_id, region };
            let watching = Arc::clone(self);
            tokio::spawn(async move { watching.watch(&watched).await });
        }
        Ok(answer)
    }

    async fn validate(&self, call: &Call, request: &Forwarded) -> Result<Answer, ServiceError> {
        let version = request.uri.query().and_then(|query| {
            form_urlencoded::parse(query.as_bytes()).find(|(field, _)| field == "configuration_version")
        });
        let version = version.map(|(_, version)| version.into_owned()).unwrap_or_default();
        let profile = request.uri.path().trim_end_matches("/validators");
        self.ask_validators(call, request, profile, &version).await?;
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        Ok(answer)
    }

    /// Asks the functions that the profile names, one after the other, as AppConfig documents their event.
    async fn ask_validators(
        &self,
        call: &Call,
        request: &Forwarded,
        path: &str,
        version: &str,
    ) -> Result<(), ServiceError> {
        let Some(profile) = self.got(request, path).await else { return Ok(()) };
        let validators = profile.get("Validators").and_then(Value::as_array).into_iter().flatten();
        let functions: Vec<&str> = validators
            .filter(|validator| validator.get("Type").and_then(Value::as_str) == Some("LAMBDA"))
            .filter_map(|validator| validator.get("Content")?.as_str())
            .collect();
        if functions.is_empty() {
            return Ok(());
        }
        let hosted = format!("{path}/hostedconfigurationversions/{version}");
        let hosted = self.backends.ministack(&self.get(request, &hosted)).await;
        if !hosted.status().is_success() {
            let message = format!("Configuration version {version} not found");
            return Err(ServiceError::new(404, "ResourceNotFoundException", message));
        }
        let content = body_of(hosted).await;
        let event = json!({
            "applicationId": profile.get("ApplicationId"),
            "configurationProfileId": profile.get("Id"),
            "configurationVersion": version,
            "content": aws_smithy_types::base64::encode(content),
            "uri": "hosted",
        });
        let client = self.places.client(&call.account_id, &call.region, REHEARSAL_KEY);
        for function in functions {
            let name = function.split_once(":function:").map_or(function, |(_, name)| name);
            let name = name.split(':').next().unwrap_or_default();
            let path = format!("/2015-03-31/functions/{name}/invocations");
            let said = match client.lambda("POST", &path, &event).await {
                Ok(answer) if answer.status.is_success() && !answer.function_error => continue,
                Ok(answer) => answer.text(),
                Err(error) => error.to_string(),
            };
            let why = serde_json::from_str::<Value>(&said).ok();
            let why = why.and_then(|why| Some(why.get("errorMessage")?.as_str()?.to_owned())).unwrap_or(said);
            let message = format!("Error invoking Lambda validator {name}: {why}");
            return Err(ServiceError::new(400, "BadRequestException", message));
        }
        Ok(())
    }

    /// Tells EventBridge of a deployment's beginning and of its end. Looking at it is what takes it on in ministack.
    async fn watch(&self, watched: &Watched) {
        self.announce(watched, "On Deployment Start", "OnDeploymentStart").await;
        for _ in 0..LOOKS_MAX {
            let Some(deployment) = self.got(&watched.request, &watched.path).await else { return };
            match deployment.get("State").and_then(Value::as_str) {
                Some("COMPLETE") => {
                    return self.announce(watched, "On Deployment Complete", "OnDeploymentComplete").await;
                }
                Some("ROLLED_BACK") => {
                    return self
                        .announce(watched, "On Deployment Rolled Back", "OnDeploymentRolledBack")
                        .await;
                }
                // What was reverted had completed, and somebody looked too late.
                Some("REVERTED") | None => return,
                Some(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Nobody who cannot be told holds a deployment up; the failure is kept for whoever looks.
    async fn announce(&self, watched: &Watched, title: &str, kind: &str) {
        let Watched { request, path, account_id, region } = watched;
        let Some(deployment) = self.got(request, path).await else { return };
        let text = |field: &str| deployment.get(field).and_then(Value::as_str).unwrap_or_default();
        let application = format!("/applications/{}", text("ApplicationId"));
        let environment = format!("{application}/environments/{}", text("EnvironmentId"));
        let profile = format!("{application}/configurationprofiles/{}", text("ConfigurationProfileId"));
        let detail = json!({
            "InvocationId": format!("{:07x}", fastrand::u32(..0x0fff_ffff)),
            "Parameters": {},
            "Type": kind,
            "Application": self.named(request, &application).await,
            "Environment": self.named(request, &environment).await,
            "ConfigurationProfile": self.named(request, &profile).await,
            "DeploymentNumber": deployment.get("DeploymentNumber"),
            "ConfigurationVersion": text("ConfigurationVersion"),
        });
        let entry = json!({
            "Source": "aws.appconfig",
            "DetailType": title,
            "Resources": [format!("arn:aws:appconfig:{region}:{account_id}:extensionassociation/rehears")],
            "Detail": detail.to_string(),
        });
        let client = self.places.client(account_id, region, REHEARSAL_KEY);
        if let Err(reason) = check_event(put_event(&client, entry).await) {
            self.places.failures.add(format!("{path} -> EventBridge: {reason}"));
        }
    }

    async fn named(&self, request: &Forwarded, path: &str) -> Value {
        let found = self.got(request, path).await.unwrap_or_default();
        json!({ "Id": found.get("Id"), "Name": found.get("Name") })
    }

    async fn got(&self, request: &Forwarded, path: &str) -> Option<Value> {
        let (answer, found) = document(self.backends.ministack(&self.get(request, path)).await).await;
        found.filter(|_| answer.status().is_success())
    }

    /// The same caller looking at something.
    fn get(&self, request: &Forwarded, path: &str) -> Forwarded {
        let mut get = request.with_body("");
        get.method = Method::GET;
        if let Ok(uri) = path.parse() {
            get.uri = uri;
        }
        get
    }
}

async fn body_of(answer: Answer) -> Vec<u8> {
    let Ok(body) = answer.into_body().collect().await;
    body.to_bytes().to_vec()
}
