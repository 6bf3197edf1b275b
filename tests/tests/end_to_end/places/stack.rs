//! A stack that its team deploys, without a word to the suite.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord::place::Place;
use ripcord::release::Phase;
use ripcord_rehearsal::targets;
use serde_json::json;

use super::rig;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_was_deployed_is_deployed_again_as_it_was() {
    let scene = Scene::set().await;
    let shop = Shop::set(&scene).await;
    shop.0.update(&scene.local.client()).await.unwrap();
    shop.until(&scene, "UPDATE_COMPLETE").await;
    assert!(!shop.is_stable(&scene).await);
    scene.local.journal().clear();

    let answered = scene.deliver(&alarm_now()).await;
    assert_eq!(outcome(&answered), "restore", "{answered:?}");
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
