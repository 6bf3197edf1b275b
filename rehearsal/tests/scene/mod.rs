//! A started local AWS with the test stack in it, and the few calls that the tests make.

use ripcord_rehearsal::{
    LocalAws, Options,
    alarms::evaluate::AlarmState,
    aws_client::{AwsRequest, CallError},
    deploy::{DeployError, StackCode, StackOutputs, StackRequest},
    wait_until,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub(crate) const ALIAS: &str = "/2015-03-31/functions/echo/aliases/live";
const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Scene {
    pub(crate) aws: LocalAws,
    pub(crate) outputs: StackOutputs,
}

impl Scene {
    pub(crate) async fn bare() -> Self {
        let aws = LocalAws::start(Options::default()).await.unwrap();
        Self { aws, outputs: StackOutputs::new() }
    }

    pub(crate) async fn deployed() -> Self {
        let mut scene = Self::bare().await;
        scene.redeploy(&[]).await;
        scene
    }

    pub(crate) async fn redeploy(&mut self, parameters: &[(&str, &str)]) {
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/echo/template.yaml");
        self.outputs = self.aws.deploy(request(template, parameters)).await.unwrap();
    }

    pub(crate) async fn deploy_text(&self, text: &str) -> Result<StackOutputs, DeployError> {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("template.yaml");
        std::fs::write(&template, text).unwrap();
        self.aws.deploy(request(template, &[])).await
    }

    /// Version 2 fails every request.
    pub(crate) async fn publish_second_version(&self) {
        let client = self.aws.client();
        let environment = json!({"Environment": {"Variables": {"BREAKS": "yes"}}});
        let path = "/2015-03-31/functions/echo/configuration";
        assert!(client.lambda("PUT", path, &environment).await.unwrap().status.is_success());
        let published =
            client.lambda("POST", "/2015-03-31/functions/echo/versions", &json!({})).await.unwrap();
        let published: Value = serde_json::from_slice(&published.body).unwrap();
        assert_eq!(published["Version"], "2");
    }

    pub(crate) async fn invoke(&self, qualifier: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/echo/invocations?Qualifier={qualifier}");
        let answer = self.aws.client_as("tester").lambda("POST", &path, event).await.unwrap();
        assert!(!answer.function_error, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) async fn invoke_later(&self, function: &str, event: &Value) {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let headers = [("x-amz-invocation-type", "Event")];
        let body = event.to_string().into();
        let request = AwsRequest { service: "lambda", method: "POST", path: &path, headers: &headers, body };
        assert_eq!(self.aws.client_as("tester").send(request).await.unwrap().status, 202);
    }

    /// The status, and the error's type if there is one.
    pub(crate) async fn update_alias(&self, document: &Value) -> (u16, String) {
        self.try_update_alias(document).await.unwrap()
    }

    pub(crate) async fn try_update_alias(&self, document: &Value) -> Result<(u16, String), CallError> {
        let answer = self.aws.client_as("tester").lambda("PUT", ALIAS, document).await?;
        Ok((answer.status.as_u16(), answer.error_type.unwrap_or_default()))
    }

    pub(crate) async fn description(&self) -> String {
        let answer = self.aws.client().lambda("GET", ALIAS, &Value::Null).await.unwrap();
        let alias: Value = serde_json::from_slice(&answer.body).unwrap();
        alias["Description"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn until_alarm(&self, name: &str, state: AlarmState) {
        let reached = || self.aws.alarms().state(name).filter(|alarm| alarm.state == state);
        let waited = wait_until(&format!("{name} in {state}"), SOON, reached).await;
        assert!(waited.is_ok(), "{waited:?}: {:?}", self.aws.alarms().state(name));
    }

    /// The first event with that key that a function printed.
    pub(crate) fn received(&self, key: &str) -> Option<Value> {
        let log = self.aws.log();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok());
        events.map(|line| line["seen"].clone()).find(|event| event.get(key).is_some())
    }

    pub(crate) async fn cloudwatch(&self, action: &str, fields: &[(&str, &str)]) -> String {
        let mut all = vec![("Action", action), ("Version", "2010-08-01")];
        all.extend_from_slice(fields);
        self.aws.client_as("tester").query("monitoring", &all).await.unwrap().text()
    }

    pub(crate) async fn drain(&self, queue: &str) {
        while !self.receive_once(queue).await.is_empty() {}
    }

    /// Waits for `count` messages of a queue that is an output of the stack.
    pub(crate) async fn receive(&self, queue: &str, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + SOON;
        let mut bodies = Vec::new();
        while bodies.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} messages: {bodies:?}", bodies.len());
            bodies.extend(self.receive_once(queue).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bodies
    }

    /// What waits in a queue now.
    pub(crate) async fn receive_once(&self, queue: &str) -> Vec<Value> {
        let ask =
            json!({"QueueUrl": self.outputs[queue], "MaxNumberOfMessages": 10, "VisibilityTimeout": 600});
        let client = self.aws.client();
        let answer = client.json("sqs", "AmazonSQS.ReceiveMessage", &ask).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        messages
            .iter()
            .map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
            .collect()
    }
}

fn request(template: PathBuf, parameters: &[(&str, &str)]) -> StackRequest {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    StackRequest {
        name: "echo".to_owned(),
        template,
        code: StackCode::AsWritten,
        parameters: parameters.collect(),
    }
}
