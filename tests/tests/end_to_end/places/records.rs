//! Records of Route 53.

use std::sync::Arc;

use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::targets::{self, Records};
use serde_json::json;

use super::rig::{self, Subject};
use crate::scene::Scene;

struct Site(Records);

impl Site {
    async fn set(scene: &Scene) -> Self {
        let records = targets::records(&scene.local.client()).await.unwrap();
        let target = json!({
            "name": "site", "kind": "dns_records", "zone": records.zone_id,
            // Names are the same in capitals and without the dot at their end.
            "record": records.weighted.trim_end_matches('.').to_uppercase(),
            "record_type": "A", "identifiers": ["blue", "green"],
        });
        rig::register(scene, json!([target])).await;
        Self(records)
    }
}

impl Subject for Site {
    const MOVES: &'static str = "ChangeResourceRecordSets";

    fn versions(&self) -> (String, String) {
        ("blue".to_owned(), "green".to_owned())
    }

    async fn state(&self, scene: &Scene) -> String {
        format!("{:?}", self.0.weights(&scene.local.client()).await.unwrap())
    }

    fn restored(&self) -> String {
        "(100, 0)".to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_back_after_four_round_trips() {
    let scene = Scene::set().await;
    let site = Site::set(&scene).await;
    for (percent, state) in [(10, "(90, 10)"), (75, "(25, 75)"), (100, "(0, 100)")] {
        rig::release(&scene, &site, percent).await;
        assert_eq!(site.state(&scene).await, state);
    }
    assert_eq!(rig::trips_until_restored(&scene, &site).await, 4);
    rig::release(&scene, &site, 10).await;
    assert_eq!(rig::trips_until_restored(&scene, &site).await, 4);
    // Route 53 was asked until all of its servers had the change.
    let asked = scene.local.journal().matching(|call| call.operation == "GetChange").len();
    assert!(asked >= 1, "nobody asked after the change");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_change_records_once() {
    let scene = Arc::new(Scene::set().await);
    let site = Site::set(&scene).await;
    rig::release(&scene, &site, 25).await;
    let outcomes = rig::storm(&scene).await;
    assert_eq!(rig::moves(&scene, &site).len(), 1, "{outcomes:?}");
    assert_eq!(site.state(&scene).await, site.restored(), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_whose_rollback_is_cut_anywhere_end_in_the_same_place() {
    let scene = Scene::set().await;
    let site = Site::set(&scene).await;
    let cuts = rig::cut_everywhere(&scene, &site, 1).await;
    assert!(cuts >= 12, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_that_a_person_changed_meanwhile_go_back_all_the_same() {
    let scene = Scene::set().await;
    let site = Site::set(&scene).await;
    rig::release(&scene, &site, 10).await;
    site.0.shift(&scene.local.client(), 30, 70).await.unwrap();
    assert_eq!(rig::trips_until_restored(&scene, &site).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_may_not_be_changed_are_a_page() {
    let scene = Scene::set().await;
    let site = Site::set(&scene).await;
    rig::release(&scene, &site, 10).await;
    scene.local.faults().add(FaultRule::always("ChangeResourceRecordSets", Fault::Deny));
    let before = site.state(&scene).await;
    let answered = format!("{:?}", scene.deliver(&crate::scene::alarm_now()).await);
    assert!(answered.contains("route53:ChangeResourceRecordSets"), "{answered}");
    assert_eq!(site.state(&scene).await, before);
    assert!(scene.count("Publish") >= 1);
}
