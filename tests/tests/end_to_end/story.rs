//! The main job: a bad version takes 10 % of the traffic, trips an alarm, and is rolled back.

use std::time::Duration;

use ripcord::names::ServiceName;
use ripcord::release::Phase;
use ripcord_rehearsal::checkout::{Behaviour, SERVICE};
use ripcord_rehearsal::front::call::Caller;
use ripcord_rehearsal::traffic::TrafficOptions;
use serde_json::json;

use crate::inbox::Inbox;
use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_version_is_rolled_back_by_its_alarm() {
    let scene = Scene::set().await;
    let inbox = Inbox::subscribe(&scene).await;
    let bad =
        scene.stage.publish(&scene.local, Behaviour { error_percent: 80, latency_ms: 1 }).await.unwrap();
    let _traffic =
        scene.local.traffic(TrafficOptions { rate_per_s: 40.0, ..TrafficOptions::new(SERVICE, "live") });
    scene.stage.weights(&scene.local, &format!("1:90,{bad}:10")).await.unwrap();

    let mut is_over = false;
    for _ in 0..240 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        if scene.is_reported().await {
            is_over = true;
            break;
        }
    }
    assert!(
        is_over,
        "not rolled back; alarms {:?}; log {}",
        scene.local.alarms().states(),
        scene.local.log()
    );

    let release = scene.latest().await;
    assert_eq!(release.phase, Phase::RolledBack);
    let because = release.ended_because.unwrap();
    assert!(because.contains("fired") && because.contains("after release 1 was opened"), "{because}");
    let routing = scene.routing().await;
    assert_eq!((routing.version.as_str(), routing.weights.len()), ("1", 0));

    // One change by the release, one by the rollback, and the rollback's is its first write of all.
    let by_rollback = Caller::Function("ripcord-alarm-rollback".to_owned());
    let writes = ["UpdateAlias", "TransactWriteItems", "PutItem", "Publish"];
    let rollback = scene.local.journal().matching(|call| call.caller == by_rollback);
    let first_write = rollback.iter().find(|call| writes.contains(&call.operation.as_str())).unwrap();
    assert!(first_write.changed_an_alias(), "{first_write:?}");
    assert_eq!(scene.traffic_changes().len(), 2);

    let notice = inbox.notice("was rolled back").await;
    assert_eq!(notice["source"], "custom");
    assert!(notice["content"]["description"].as_str().unwrap().contains(&because), "{notice}");

    let service: ServiceName = SERVICE.parse().unwrap();
    let evidence = scene.stage.aws.ledger.evidence(&service).await.unwrap();
    assert_eq!(evidence.len(), 1);
    assert_eq!(evidence[0].reason, because);
    let excerpts = scene.stage.aws.ledger.excerpts(&service).await.unwrap();
    assert_eq!(excerpts.len(), 1);
    let says_why =
        |line: &String| line.contains(&format!("version {bad} could not reach the payment provider"));
    assert!(excerpts[0].lines.iter().any(says_why), "{excerpts:?}");

    // The version and its code are quarantined from here on.
    let event = json!({ "service": SERVICE, "weights": format!("1:90,{bad}:10") });
    let refused =
        scene.stage.invoke(&scene.local, "alias-weight-shifter", &event).await.unwrap().unwrap_err();
    assert_eq!(refused["errorType"], "VersionQuarantined", "{refused}");
}
