//! Stages of REST APIs with canaries.

use super::{assert_refused, started};
use ripcord_rehearsal::targets::rest_stage;
use serde_json::json;

#[tokio::test]
async fn a_canary_stands_beside_the_stages_own_deployment_until_it_is_removed() {
    let aws = started().await;
    let client = aws.client();
    let shop = rest_stage(&client).await.unwrap();
    let stage = shop.described(&client).await.unwrap();
    assert_eq!(stage["deploymentId"], shop.stable_id.as_str());
    assert_eq!(stage["variables"]["backend"], "stable");
    assert_eq!(stage["canarySettings"]["deploymentId"], shop.candidate_id.as_str());
    assert_eq!(stage["canarySettings"]["percentTraffic"], 10.0);
    assert_eq!(stage["canarySettings"]["stageVariableOverrides"]["backend"], "candidate");
    let half = json!([{ "op": "replace", "path": "/canarySettings/percentTraffic", "value": "50.0" }]);
    let stage = shop.patch(&client, &half).await.unwrap();
    assert_eq!(stage["canarySettings"]["percentTraffic"], 50.0);
    shop.patch(&client, &json!([{ "op": "remove", "path": "/canarySettings" }])).await.unwrap();
    let stage = shop.described(&client).await.unwrap();
    assert!(stage.get("canarySettings").is_none(), "{stage}");
    assert_eq!(stage["deploymentId"], shop.stable_id.as_str());
}

#[tokio::test]
async fn a_promotion_copies_the_canary_to_the_stage() {
    let aws = started().await;
    let client = aws.client();
    let shop = rest_stage(&client).await.unwrap();
    let promote = json!([
        { "op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId" },
        { "op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables" },
        { "op": "replace", "path": "/canarySettings/percentTraffic", "value": "0.0" },
    ]);
    let stage = shop.patch(&client, &promote).await.unwrap();
    assert_eq!(stage["deploymentId"], shop.candidate_id.as_str());
    assert_eq!(stage["variables"]["backend"], "candidate");
    assert_eq!(stage["canarySettings"]["percentTraffic"], 0.0);
    let back = json!([{ "op": "replace", "path": "/deploymentId", "value": shop.stable_id }]);
    assert_eq!(shop.patch(&client, &back).await.unwrap()["deploymentId"], shop.stable_id.as_str());
}

#[tokio::test]
async fn a_stage_refuses_what_api_gateway_refuses() {
    let aws = started().await;
    let client = aws.client();
    let shop = rest_stage(&client).await.unwrap();
    let before = shop.described(&client).await.unwrap();
    let replace = |path: &str, value: &str| json!([{ "op": "replace", "path": path, "value": value }]);
    let percent = "/canarySettings/percentTraffic";
    assert_refused(shop.patch(&client, &replace(percent, "100.1")).await, 400, "percentTraffic");
    assert_refused(shop.patch(&client, &replace("/deploymentId", "none")).await, 400, "deployment");
    let mut unknown = shop.clone();
    unknown.stage.push('x');
    assert_refused(unknown.described(&client).await, 404, "Invalid Stage");
    assert_refused(unknown.patch(&client, &replace(percent, "5")).await, 404, "Invalid Stage");
    assert_eq!(shop.described(&client).await.unwrap(), before);
    let named = aws.journal().matching(|entry| entry.operation == "UpdateStage");
    assert_eq!(named[0].resource, Some(format!("{}/prod", shop.api_id)));
}
