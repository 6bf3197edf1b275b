//! What starts a release without a person: the example's rule, on an event as CloudTrail sends it.

use ripcord_rehearsal::deploy::{StackCode, StackRequest};
use serde_json::{Value, json};

use crate::driven::Driven;
use crate::scene::{ACCOUNT, REGION, workspace};

/// What EventBridge is sent when somebody publishes a version, as far as anybody reads it.
fn published(version: &str, error: Option<&str>) -> Value {
    let mut detail = json!({
        "eventSource": "lambda.amazonaws.com",
        "eventName": "PublishVersion20150331",
        "userIdentity": { "arn": format!("arn:aws:iam::{ACCOUNT}:user/ada") },
        "requestParameters": { "functionName": "checkout" },
        "responseElements": { "functionName": "checkout", "version": version },
    });
    if let Some(error) = error {
        detail["errorCode"] = json!(error);
        detail["responseElements"] = Value::Null;
    }
    detail
}

async fn tell(driven: &Driven, detail: &Value) {
    let entry = json!({
        "Source": "aws.lambda",
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": detail.to_string(),
    });
    // Only AWS itself sends `aws.*`; the local AWS lets it pass for this field.
    let entries = json!({ "Entries": [entry], "FromRehearsal": true });
    let told = driven.scene.local.client().json("events", "AWSEvents.PutEvents", &entries).await.unwrap();
    let answer: Value = serde_json::from_str(&told.text()).unwrap();
    assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_published_is_released_by_its_event() {
    let driven = Driven::set().await;
    let request = StackRequest {
        name: "checkout-triggers".to_owned(),
        template: workspace().join("examples/triggers/template.yaml"),
        code: StackCode::AsWritten,
        parameters: Vec::new(),
    };
    driven.scene.local.deploy(request).await.unwrap();
    let candidate = driven.candidate().await.to_string();

    tell(&driven, &published(&candidate, Some("ResourceConflictException"))).await;
    tell(&driven, &published(&candidate, None)).await;
    driven.until_opened(1).await;
    let release = driven.scene.latest().await;
    assert_eq!(release.opened_by, format!("arn:aws:iam::{ACCOUNT}:user/ada"));
    assert_eq!(release.changes[0].candidate.to_string(), candidate);
    let machine = format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:ripcord-progressive-release");
    let list = json!({ "stateMachineArn": machine });
    let client = driven.scene.local.client();
    let listed = client.json("states", "AWSStepFunctions.ListExecutions", &list).await.unwrap();
    let listed: Value = serde_json::from_str(&listed.text()).unwrap();
    let started = listed["executions"].as_array().map(Vec::len);
    assert_eq!(started, Some(1), "the call that failed released nothing: {listed}");
}
