//! A stack that its team deploys, without a word to the suite.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord::place::Place;
use ripcord::release::Phase;
use ripcord_rehearsal::targets;
use serde_json::json;

use super::rig::{self, Subject};
use crate::scene::{Scene, alarm_now, outcome};

/// A stack of one parameter is deployed in a moment.
const STATUS_WAIT_MAX: Duration = Duration::from_secs(30);

struct Shop(targets::Stack);

impl Shop {
    /// Registered as `ripcord apply` does it: what is deployed now is kept, and known to be good.
    async fn set(scene: &Scene) -> Self {
        let shop = Self(targets::stack(&scene.local.client()).await.unwrap());
        shop.until(scene, "CREATE_COMPLETE").await;
        rig::register(scene, json!([{"name": "shop", "kind": "stack", "stack": shop.0.name}])).await;
        let record = scene.stage.record().await.unwrap().unwrap();
        let target = record.registration.targets[0].clone();
        let Place::Stack(stack) = &target.place else { panic!("{target:?}") };
        let service = &record.registration.service;
        let kept =
            scene.stage.aws.keep_stack(service, (&target.reach, stack), Timestamp::now()).await.unwrap();
        let good = record.known_good.iter().find(|good| good.target == target.name).unwrap();
        assert_eq!(good.version, kept);
        shop
    }

    async fn until(&self, scene: &Scene, status: &str) {
        let said_by = Instant::now() + STATUS_WAIT_MAX;
        let client = scene.local.client();
        loop {
            let seen = self.0.status(&client).await.unwrap();
            if seen == status {
                return;
            }
            assert!(Instant::now() < said_by, "{} is {seen}, not {status}", self.0.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn is_stable(&self, scene: &Scene) -> bool {
        self.0.template(&scene.local.client()).await.unwrap().contains("stable")
    }
}

impl Subject for Shop {
    const MOVES: &'static str = "UpdateStack";

    /// They are digests, which only the suite knows.
    fn versions(&self) -> (String, String) {
        ("stable".to_owned(), "candidate".to_owned())
    }

    async fn state(&self, scene: &Scene) -> String {
        let template = self.0.template(&scene.local.client()).await.unwrap();
        if template.contains("stable") { self.versions().0 } else { self.versions().1 }
    }

    fn restored(&self) -> String {
        self.versions().0
    }

    /// When nobody can be at the last way back any more: an alarm inside its lease is told so, and comes again a minute later.
    async fn release(&self, scene: &Scene) {
        let record = scene.stage.record().await.unwrap().unwrap();
        let changes = record.release.iter().flat_map(|release| &release.changes);
        if let Some(until) = changes.filter_map(|change| change.claim).map(|claim| claim.until).max() {
            let lease = until.duration_since(Timestamp::now());
            tokio::time::sleep(lease.try_into().unwrap_or_default()).await;
        }
        self.0.update(&scene.local.client()).await.unwrap();
        self.until(scene, "UPDATE_COMPLETE").await;
        assert!(!self.is_stable(scene).await);
        scene.local.journal().clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_deploy_a_stack_again_once() {
    let scene = Arc::new(Scene::set().await);
    let shop = Shop::set(&scene).await;
    shop.release(&scene).await;
    let outcomes = rig::storm(&scene).await;
    assert_eq!(rig::moves(&scene, &shop).len(), 1, "{outcomes:?}");
    assert_eq!(shop.state(&scene).await, shop.restored(), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_whose_rollback_is_cut_anywhere_ends_in_the_same_place() {
    let scene = Scene::set().await;
    let shop = Shop::set(&scene).await;
    let cuts = rig::cut_everywhere(&scene, &shop, 1).await;
    assert!(cuts >= 18, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_was_deployed_is_deployed_again_as_it_was() {
    let scene = Scene::set().await;
    let shop = Shop::set(&scene).await;
    shop.release(&scene).await;
    // The alarm's services; the ledger beside the stack; the claim; the kept template; the call.
    assert_eq!(rig::trips_until_restored(&scene, &shop).await, 5);
    assert!(shop.is_stable(&scene).await);
    assert_eq!(shop.0.status(&scene.local.client()).await.unwrap(), "UPDATE_COMPLETE");
    assert_eq!(scene.count("UpdateStack"), 1);
    let release = scene.latest().await;
    assert_eq!((release.phase, release.opened_by.as_str()), (Phase::RolledBack, "somebody outside Ripcord"));
    assert_eq!(outcome(&scene.deliver(&alarm_now()).await), "stand_down");
    assert_eq!(scene.count("UpdateStack"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_under_way_is_cancelled() {
    let scene = Scene::set().await;
    let shop = Shop::set(&scene).await;
    shop.0.update_slowly(&scene.local.client()).await.unwrap();
    shop.until(&scene, "UPDATE_IN_PROGRESS").await;
    scene.local.journal().clear();

    let alarm = alarm_now();
    let mut process = scene.process("alarm-rollback").await;
    let delivery = process.invoke(alarm.to_string(), Duration::from_secs(25));
    let let_go = async {
        // A cancelled update ends the resource that it is at before it goes back.
        tokio::time::sleep(Duration::from_secs(3)).await;
        shop.0.let_go(&scene.local.client()).await.unwrap();
    };
    let (answered, ()) = tokio::join!(delivery, let_go);
    assert_eq!(outcome(&answered), "restore", "{answered:?}");
    assert_eq!(scene.count("CancelUpdateStack"), 1);
    assert_eq!(scene.count("UpdateStack"), 0, "nothing is updated under an update");
    assert_eq!(shop.0.status(&scene.local.client()).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    assert!(shop.is_stable(&scene).await);
    assert_eq!(scene.latest().await.phase, Phase::RolledBack);
}
