//! A started local AWS with a function to deploy, and the calls that the tests make to CodeDeploy.

use ripcord_rehearsal::{
    LocalAws, Options,
    alarms::evaluate::AlarmState,
    codedeploy::Deployment,
    deploy::{StackCode, StackOutputs, StackRequest},
    front::{call::Caller, journal::AliasRouting},
    wait_until,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub(crate) const SOON: Duration = Duration::from_secs(30);
pub(crate) const ALIAS: &str = "/2015-03-31/functions/shop/aliases/live";
pub(crate) const ALL_AT_ONCE: &str = "CodeDeployDefault.LambdaAllAtOnce";
/// Five minutes, which last as many seconds.
pub(crate) const CANARY: &str = "CodeDeployDefault.LambdaCanary10Percent5Minutes";
const ROLE: &str = "arn:aws:iam::123456789012:role/codedeploy";

pub(crate) struct Stage {
    pub(crate) aws: LocalAws,
    pub(crate) outputs: StackOutputs,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deployments")
}

impl Stage {
    /// With the stack, two versions of the function, and a group `live` of the application `shop`.
    pub(crate) async fn set() -> Self {
        Self::set_with(Options::default(), json!({})).await
    }

    /// The group has further settings.
    pub(crate) async fn set_with(options: Options, settings: Value) -> Self {
        let aws = LocalAws::start(options).await.unwrap();
        let request = StackRequest {
            name: "shop".to_owned(),
            template: folder().join("template.yaml"),
            code: StackCode::AsWritten,
            parameters: Vec::new(),
        };
        let outputs = aws.deploy(request).await.unwrap();
        let stage = Self { aws, outputs };
        stage.publish().await;
        let application = json!({"applicationName": "shop", "computePlatform": "Lambda"});
        stage.call("CreateApplication", &application).await.unwrap();
        stage.create_group(settings).await;
        stage.aws.journal().clear();
        stage
    }

    /// It rolls back on every event, unless the settings say otherwise.
    async fn create_group(&self, settings: Value) {
        let mut group = json!({
            "applicationName": "shop",
            "deploymentGroupName": "live",
            "serviceRoleArn": ROLE,
            "deploymentConfigName": ALL_AT_ONCE,
            "autoRollbackConfiguration": {
                "enabled": true,
                "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
            },
        });
        for (field, value) in settings.as_object().unwrap() {
            group[field] = value.clone();
        }
        self.call("CreateDeploymentGroup", &group).await.unwrap();
    }

    async fn publish(&self) {
        let client = self.aws.client();
        let path = "/2015-03-31/functions/shop/configuration";
        let edition = json!({"Environment": {"Variables": {"EDITION": "2"}}});
        assert!(client.lambda("PUT", path, &edition).await.unwrap().status.is_success());
        let path = "/2015-03-31/functions/shop/versions";
        assert!(client.lambda("POST", path, &json!({})).await.unwrap().status.is_success());
    }

    /// The answer, or the exception's name.
    pub(crate) async fn call(&self, operation: &str, document: &Value) -> Result<Value, String> {
        let target = format!("CodeDeploy_20141006.{operation}");
        let answer = self.aws.client_as("tester").json("codedeploy", &target, document).await.unwrap();
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() {
            return Ok(document);
        }
        assert_eq!(answer.status, 400, "{document}");
        Err(document["__type"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn deploy(&self, config: &str, hooks: &[(&str, &str)]) -> String {
        self.try_deploy(config, hooks, json!({})).await.unwrap()
    }

    pub(crate) async fn try_deploy(
        &self,
        config: &str,
        hooks: &[(&str, &str)],
        further: Value,
    ) -> Result<String, String> {
        let mut request = json!({
            "applicationName": "shop",
            "deploymentGroupName": "live",
            "deploymentConfigName": config,
            "revision": revision("1", "2", hooks),
        });
        for (field, value) in further.as_object().unwrap() {
            request[field] = value.clone();
        }
        let created = self.call("CreateDeployment", &request).await?;
        Ok(created["deploymentId"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn ended(&self, id: &str) -> Deployment {
        self.aws.codedeploy().wait_for(id, SOON).await.unwrap()
    }

    pub(crate) async fn info(&self, id: &str) -> Value {
        self.call("GetDeployment", &json!({ "deploymentId": id })).await.unwrap()["deploymentInfo"].clone()
    }

    pub(crate) async fn put_hook(&self, id: &str, execution: &str, status: &str) -> Result<Value, String> {
        let document =
            json!({"deploymentId": id, "lifecycleEventHookExecutionId": execution, "status": status});
        self.call("PutLifecycleEventHookExecutionStatus", &document).await
    }

    pub(crate) async fn stop(&self, id: &str, rollback: Option<bool>) -> Result<Value, String> {
        let mut document = json!({ "deploymentId": id });
        if let Some(rollback) = rollback {
            document["autoRollbackEnabled"] = json!(rollback);
        }
        self.call("StopDeployment", &document).await
    }

    /// Waits until the target has so much of the traffic.
    pub(crate) async fn until_shifted(&self, id: &str, percent: f64) {
        let shifted = || {
            let deployment = self.aws.codedeploy().deployment(id)?;
            (deployment.shifted_percent >= percent).then_some(())
        };
        wait_until("the shift", SOON, shifted).await.unwrap();
    }

    /// The first thing that a hook printed under that key, once it is there.
    pub(crate) async fn printed(&self, key: &str) -> Value {
        let found = || self.all_printed(key).into_iter().next();
        wait_until(&format!("a hook's {key}"), SOON, found).await.unwrap()
    }

    pub(crate) fn all_printed(&self, key: &str) -> Vec<Value> {
        let log = self.aws.log();
        let lines =
            log.lines().filter_map(|line| serde_json::from_str::<Value>(&line[line.find('{')?..]).ok());
        lines.filter(|line| line.get(key).is_some()).collect()
    }

    /// What CodeDeploy made of the alias, in order.
    pub(crate) fn routings(&self) -> Vec<AliasRouting> {
        let changes = self.aws.journal().alias_changes();
        let by_codedeploy = changes.into_iter().filter(|entry| entry.caller == Caller::CodeDeploy);
        by_codedeploy.map(|entry| entry.change.unwrap().after).collect()
    }

    pub(crate) async fn routing(&self) -> (String, Value) {
        let answer = self.aws.client().lambda("GET", ALIAS, &Value::Null).await.unwrap();
        let alias: Value = serde_json::from_slice(&answer.body).unwrap();
        let weights = alias.pointer("/RoutingConfig/AdditionalVersionWeights").cloned();
        (alias["FunctionVersion"].as_str().unwrap().to_owned(), weights.unwrap_or_else(|| json!({})))
    }

    /// An alarm that stays in the state that it is put into.
    pub(crate) fn put_alarm(&self, name: &str) {
        let alarm = json!({
            "AlarmName": name, "Namespace": "tests", "MetricName": name, "Statistic": "Sum", "Period": 86_400,
            "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        });
        self.aws.alarms().put_metric_alarm(&alarm).unwrap();
    }

    pub(crate) fn fire(&self, name: &str) {
        self.aws.alarms().set_state(name, AlarmState::Alarm, "a test says so").unwrap();
    }

    /// Waits for `count` messages of a queue that is an output of the stack.
    pub(crate) async fn receive(&self, queue: &str, count: usize) -> Vec<Value> {
        let ask =
            json!({"QueueUrl": self.outputs[queue], "MaxNumberOfMessages": 10, "VisibilityTimeout": 600});
        let deadline = Instant::now() + SOON;
        let mut bodies: Vec<Value> = Vec::new();
        while bodies.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} messages: {bodies:?}", bodies.len());
            let answer = self.aws.client().json("sqs", "AmazonSQS.ReceiveMessage", &ask).await.unwrap();
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            bodies
                .extend(messages.iter().map(|m| serde_json::from_str(m["Body"].as_str().unwrap()).unwrap()));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bodies
    }
}

pub(crate) fn revision(current: &str, target: &str, hooks: &[(&str, &str)]) -> Value {
    let properties =
        json!({"Name": "shop", "Alias": "live", "CurrentVersion": current, "TargetVersion": target});
    let hooks: Vec<Value> = hooks.iter().map(|(event, function)| json!({ *event: function })).collect();
    let resource = json!({"shop": {"Type": "AWS::Lambda::Function", "Properties": properties}});
    let content = json!({"version": 0.0, "Resources": [resource], "Hooks": hooks}).to_string();
    json!({"revisionType": "AppSpecContent", "appSpecContent": { "content": content }})
}

/// One version, and the share of the other.
pub(crate) fn routed(version: &str, weights: &[(&str, f64)]) -> AliasRouting {
    let weights = weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
    AliasRouting { version: version.to_owned(), weights }
}
