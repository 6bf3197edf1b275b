//! State machines of the tests' own on a started local AWS, and the calls that the tests make to Step Functions.

use crate::scene::Scene;
use ripcord_rehearsal::front::call::Caller;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Longer than anything that a stopped execution could still be about to do in these tests.
pub(crate) const AFTERMATH: Duration = Duration::from_millis(2_500);

pub(crate) const ASK: &str = "arn:aws:states:::lambda:invoke";
pub(crate) const ASK_WITH_TOKEN: &str = "arn:aws:states:::lambda:invoke.waitForTaskToken";

/// The stack, and the calls that these tests make to Step Functions.
pub(crate) struct Machines {
    pub(crate) scene: Scene,
}

impl Machines {
    pub(crate) async fn deployed() -> Self {
        Self { scene: Scene::deployed().await }
    }

    pub(crate) async fn call(&self, operation: &str, document: &Value) -> Result<Value, Value> {
        let target = format!("AWSStepFunctions.{operation}");
        let answer = self.scene.aws.client_as("tester").json("states", &target, document).await.unwrap();
        let document = serde_json::from_slice(&answer.body).unwrap();
        if answer.status.is_success() { Ok(document) } else { Err(document) }
    }

    /// A machine of these states; the first is named `First`.
    pub(crate) async fn create(&self, definition: Value) -> String {
        self.create_as("made-by-a-test", definition).await
    }

    pub(crate) async fn create_as(&self, name: &str, mut definition: Value) -> String {
        definition["StartAt"] = json!("First");
        let role = format!("arn:aws:iam::{}:role/any", self.scene.aws.account_id());
        let document = json!({"name": name, "definition": definition.to_string(), "roleArn": role});
        let created = self.call("CreateStateMachine", &document).await.unwrap();
        created["stateMachineArn"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn start(&self, machine: &str, input: &Value) -> String {
        self.scene.aws.executions().start(machine, input).await.unwrap()
    }

    pub(crate) async fn run(&self, definition: Value, input: &Value) -> Value {
        let execution = self.start(&self.create(definition).await, input).await;
        self.until_ended(&execution).await
    }

    pub(crate) async fn described(&self, execution: &str) -> Value {
        self.call("DescribeExecution", &json!({ "executionArn": execution })).await.unwrap()
    }

    pub(crate) async fn until_ended(&self, execution: &str) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let described = self.described(execution).await;
            if described["status"] != "RUNNING" {
                return described;
            }
            assert!(Instant::now() < deadline, "{:?}", self.events(execution).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The types of the execution's events, oldest first.
    pub(crate) async fn events(&self, execution: &str) -> Vec<String> {
        let history = self.scene.aws.executions().history(execution).await.unwrap();
        history.into_iter().map(|(_, kind)| kind).collect()
    }

    pub(crate) async fn until_event(&self, execution: &str, kind: &str) {
        let deadline = Instant::now() + SOON;
        while !self.events(execution).await.iter().any(|event| event == kind) {
            assert!(Instant::now() < deadline, "no {kind}: {:?}", self.events(execution).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The token in the first event with one that a function printed.
    pub(crate) async fn token(&self) -> String {
        let seen = ripcord_rehearsal::wait_until("a token", SOON, || self.scene.received("token")).await;
        seen.unwrap()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn tasks(&self) -> Vec<(Option<String>, Option<u16>)> {
        let tasks = self.scene.aws.journal().matching(|entry| entry.caller == Caller::States);
        tasks.into_iter().map(|entry| (entry.resource, entry.status)).collect()
    }
}

pub(crate) fn task(extra: Value) -> Value {
    let mut task = json!({
        "Type": "Task", "Resource": ASK, "End": true,
        "Parameters": {"FunctionName": "echo:live", "Payload.$": "$"},
    });
    task.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    task
}

pub(crate) fn approval(extra: Value) -> Value {
    let parameters = json!({"FunctionName": "echo:live", "Payload": {
        "token.$": "$$.Task.Token", "fail.$": "$.fail",
    }});
    let mut approval = task(json!({"Resource": ASK_WITH_TOKEN, "Parameters": parameters}));
    approval.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    approval
}

pub(crate) fn output(described: &Value) -> Value {
    assert_eq!(described["status"], "SUCCEEDED", "{described}");
    serde_json::from_str(described["output"].as_str().unwrap()).unwrap()
}

#[track_caller]
pub(crate) fn assert_scaled(started: Instant, scaled_s: f64) {
    let (elapsed, least) = (started.elapsed().as_secs_f64(), scaled_s / 60.0);
    // An execution takes a sixth of a second to begin; the rest is for a busy machine.
    assert!((least..least + 2.5).contains(&elapsed), "{elapsed:.2} s for {scaled_s} scaled seconds");
}
