//! Many deliveries of the same alarm at once, over the real function in the local Lambda.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ripcord::release::Phase;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::scene::{Scene, alarm_at};

const DELIVERIES: i64 = 200;
const AT_ONCE: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_deliveries_change_traffic_once() {
    let scene = Arc::new(Scene::set().await);
    scene.release(10).await;
    let fired_at = Timestamp::now();
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let deliveries: Vec<_> = (0..DELIVERIES)
        .map(|number| {
            // Nine in ten are the same transition again; the others are older or newer ones out of order.
            let shift_ms = if number % 10 == 3 { (number % 7 - 3) * 10 } else { 0 };
            let event = alarm_at(fired_at + SignedDuration::from_millis(shift_ms.max(0)));
            let (scene, gate) = (Arc::clone(&scene), Arc::clone(&gate));
            tokio::spawn(async move {
                let _turn = gate.acquire().await.unwrap();
                scene.stage.invoke(&scene.local, "alarm-rollback", &event).await.unwrap()
            })
        })
        .collect();
    let mut outcomes: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for delivery in deliveries {
        let answered: Value =
            delivery.await.unwrap().unwrap_or_else(|error| panic!("an error was left over: {error}"));
        let outcome = answered["answers"][0]["outcome"].as_str().unwrap().to_owned();
        *outcomes.entry(outcome).or_default() += 1;
    }

    assert_eq!(scene.traffic_changes().len(), 1, "{outcomes:?}");
    assert_eq!(outcomes.values().sum::<u32>(), 200);
    let release = scene.latest().await;
    assert_eq!(release.phase, Phase::RolledBack);
    assert!(scene.is_reported().await);
    let rolled_back =
        scene.local.journal().matching(|call| call.operation == "Publish" && call.status == Some(200));
    // Those who fired after the rollback was booked may each say so once; the rollback itself is told once.
    assert!(!rolled_back.is_empty() && rolled_back.len() <= 4, "{} notices", rolled_back.len());
    let routing = scene.routing().await;
    assert_eq!((routing.version.as_str(), routing.weights.len()), ("1", 0));
}
