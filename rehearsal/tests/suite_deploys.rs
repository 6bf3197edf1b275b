//! The suite's own template and the example's come up in the local AWS. What their functions do is tested elsewhere; here
//! a stand-in takes their place, so that this needs no release build.

use ripcord_rehearsal::{
    LocalAws, Options,
    deploy::{StackCode, StackRequest},
    front::call::Caller,
};
use serde_json::Value;
use std::path::Path;

#[tokio::test]
async fn the_suite_and_the_example_come_up_with_their_alarms() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let aws = LocalAws::start(Options::default()).await.unwrap();
    let suite = StackRequest {
        name: "ripcord".to_owned(),
        template: repository.join("template.yaml"),
        code: StackCode::Bootstrap(repository.join("rehearsal/tests/echo/code/bootstrap")),
        parameters: vec![("LedgerDeletionProtection".to_owned(), "false".to_owned())],
    };
    let outputs = aws.deploy(suite.clone()).await.unwrap();
    let rollback = &outputs["AlarmRollbackArn"];
    assert!(rollback.ends_with(":function:ripcord-alarm-rollback"), "{rollback}");
    assert!(outputs.contains_key("LedgerTableName") && outputs.contains_key("FailedSignalsQueueUrl"));

    let example = StackRequest {
        name: "checkout".to_owned(),
        template: repository.join("examples/checkout/template.yaml"),
        code: StackCode::AsWritten,
        parameters: Vec::new(),
    };
    let outputs = aws.deploy(example).await.unwrap();
    assert_eq!(outputs.get("FirstVersion").map(String::as_str), Some("1"));
    let mut alarms: Vec<String> = aws.alarms().states().into_iter().map(|alarm| alarm.name).collect();
    alarms.sort();
    let expected = [
        "checkout-degraded",
        "checkout-error-rate",
        "checkout-latency",
        "ripcord-failed-signals-waiting",
        "ripcord-release-long",
        "ripcord-release-too-long",
        "ripcord-releases-failing",
        "ripcord-releases-succeed-too-rarely",
        "ripcord-rollback-failed",
        "ripcord-rollbacks-too-many",
    ];
    assert_eq!(alarms, expected);

    // The example's function runs, behind its alias.
    let path = "/2015-03-31/functions/checkout/invocations?Qualifier=live";
    let answer = aws.client_as("tester").lambda("POST", path, &serde_json::json!({})).await.unwrap();
    assert!(answer.status.is_success() && !answer.function_error, "{}: {}", answer.status, answer.text());

    // The same again is no update, and leaves everything as it is.
    assert_eq!(aws.deploy(suite).await.unwrap().get("AlarmRollbackArn"), Some(rollback));
    let failed = aws.journal().matching(|entry| {
        entry.status.is_none_or(|status| status >= 500) && entry.caller != Caller::Rehearsal
    });
    assert!(failed.is_empty(), "{failed:?}");
    let alias = aws
        .client()
        .lambda("GET", "/2015-03-31/functions/checkout/aliases/live", &Value::Null)
        .await
        .unwrap();
    assert!(
        alias.text().contains("\"FunctionVersion\": \"1\"")
            || alias.text().contains("\"FunctionVersion\":\"1\"")
    );
}
