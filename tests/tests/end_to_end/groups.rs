//! One alarm and several services, with the real artefact on the local AWS: groups that go back together, and the likeliest of
//! several first. The services here are aliases of one function.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ripcord::names::{ServiceName, Version};
use ripcord::registration::{Guard, Registration, Target};
use ripcord::release::{Phase, Release, Report};
use ripcord_rehearsal::checkout::Behaviour;
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::front::journal::JournalEntry;
use ripcord_rehearsal::runtime_api::InvocationOutcome;
use serde_json::{Value, json};

use crate::crashes::{CALLS_MAX, cut};
use crate::inbox::Inbox;
use crate::operator::Terminal;
use crate::round_trips::{ANSWER_DELAY_MS, sequential_until_restored};
use crate::scene::{ANSWER_WAIT_MAX, Scene, alarm_at, alarm_now};

const ALARM: &str = "checkout-error-rate";

struct Shop {
    scene: Scene,
    inbox: Inbox,
    candidate: Version,
}

impl Shop {
    /// Services on an alias each, guarded by an alarm each; and a version to release.
    async fn set(services: &[(&str, &str)], group: Option<&str>) -> Arc<Self> {
        let scene = Scene::set_for_many_rollbacks().await;
        let inbox = Inbox::subscribe(&scene).await;
        let candidate = scene.stage.publish(&scene.local, Behaviour::default()).await.unwrap();
        let document =
            std::fs::read_to_string(crate::scene::workspace().join("examples/checkout/ripcord.json"));
        let document = Registration::parse(&document.unwrap()).unwrap();
        for (name, guard) in services {
            let alias = json!({ "Name": name, "FunctionVersion": "1" });
            let path = "/2015-03-31/functions/checkout/aliases";
            let made = scene.local.client().lambda("POST", path, &alias).await.unwrap();
            assert!(made.status.is_success(), "{}", made.text());
            let place =
                json!({ "name": "api", "kind": "lambda_alias", "function": "checkout", "alias": name });
            let mut registration = Registration {
                service: name.parse().unwrap(),
                targets: vec![serde_json::from_value::<Target>(place).unwrap()],
                guards: vec![Guard { alarm: (*guard).to_owned() }],
                ..document.clone()
            };
            registration.rollback.rollbacks_max = 100;
            registration.rollback.quarantine_hours = 0;
            registration.rollback.group = group.map(|group| group.parse().unwrap());
            scene.stage.register_as(&registration).await.unwrap();
        }
        // The example's own service is not of the company.
        let mut alone = document;
        alone.guards = vec![Guard { alarm: "nobodys".to_owned() }];
        scene.stage.register_as(&alone).await.unwrap();
        Arc::new(Self { scene, inbox, candidate })
    }

    async fn release(&self, service: &str, percent: u32) {
        let candidate = &self.candidate;
        let weights = if percent == 100 {
            format!("{candidate}:100")
        } else {
            format!("1:{},{candidate}:{percent}", 100 - percent)
        };
        let event = json!({ "service": service, "weights": weights, "requested_by": "ada" });
        let shifted =
            self.scene.stage.invoke(&self.scene.local, "alias-weight-shifter", &event).await.unwrap();
        shifted.unwrap_or_else(|error| panic!("{error}"));
        self.scene.local.journal().clear();
    }

    /// The same event delivered so many times at once, each to a process of its own.
    async fn storm(self: &Arc<Self>, times: usize, event: &Value) -> Vec<InvocationOutcome> {
        let deliver = || {
            let (shop, event) = (Arc::clone(self), event.clone());
            tokio::spawn(async move { shop.scene.deliver(&event).await })
        };
        let under_way: Vec<_> = (0..times).map(|_| deliver()).collect();
        let mut outcomes = Vec::new();
        for delivery in under_way {
            outcomes.push(delivery.await.unwrap());
        }
        outcomes
    }

    async fn latest(&self, service: &str) -> Option<Release> {
        let service: ServiceName = service.parse().unwrap();
        self.scene.stage.aws.ledger.service(&service).await.unwrap().unwrap().release
    }

    async fn phase(&self, service: &str) -> Option<Phase> {
        self.latest(service).await.map(|release| release.phase)
    }

    /// The aliases whose traffic has changed, in order.
    fn changed(&self) -> Vec<String> {
        let changes = self.scene.local.journal().matching(JournalEntry::changed_an_alias);
        let mut changed: Vec<String> =
            changes.into_iter().map(|call| call.resource.unwrap_or_default()).collect();
        changed.sort();
        changed
    }
}

/// The services that were answered, with their outcomes and reasons' kinds.
#[track_caller]
fn answers(outcome: &InvocationOutcome) -> Vec<String> {
    let InvocationOutcome::Response(response) = outcome else { panic!("{outcome:?}") };
    let told = |answer: &Value| {
        let text = |name: &str| answer[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("service"), text("outcome"), text("reason_kind"))
    };
    let mut answers: Vec<String> = response["answers"].as_array().unwrap().iter().map(told).collect();
    answers.sort();
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_back_together_once_and_only_where_something_was_released() {
    let guards = [("cart", "cart-errors"), ("orders", ALARM), ("payments", "payments-errors")];
    let shop = Shop::set(&guards, Some("shop")).await;
    shop.release("orders", 10).await;
    shop.release("cart", 100).await;
    let alarm = alarm_now();
    let outcome = shop.scene.deliver(&alarm).await;
    assert_eq!(
        answers(&outcome),
        [
            "cart restore group_goes_back",
            "orders restore group_goes_back",
            "payments stand_down alarm_without_change"
        ]
    );
    assert_eq!(shop.changed(), ["checkout:cart", "checkout:orders"]);
    let notice = shop.inbox.notice("cart was rolled back").await.to_string();
    assert!(notice.contains("group shop goes back together (cart, orders) because of orders"), "{notice}");

    // Twenty more deliveries of it, all at once, change and say nothing more.
    let more = shop.storm(20, &alarm).await;
    assert!(more.iter().all(|outcome| matches!(outcome, InvocationOutcome::Response(_))), "{more:?}");
    assert_eq!(shop.changed(), ["checkout:cart", "checkout:orders"]);
    assert_eq!(shop.scene.count("Publish"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_leaves_its_group_is_no_longer_led_to() {
    let guards = [("cart", "cart-errors"), ("orders", ALARM)];
    let shop = Shop::set(&guards, Some("shop")).await;
    let ledger = &shop.scene.stage.aws.ledger;
    let arn = format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{ALARM}").parse().unwrap();
    let led_to = || async {
        let found = ledger.guarded_by(&arn).await.unwrap();
        found.into_iter().map(|known| known.service.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(led_to().await, ["cart", "orders"]);
    let cart: ServiceName = "cart".parse().unwrap();
    let mut registration = ledger.service(&cart).await.unwrap().unwrap().registration;
    registration.rollback.group = None;
    shop.scene.stage.register_as(&registration).await.unwrap();
    assert_eq!(led_to().await, ["orders"]);
    shop.release("cart", 10).await;
    shop.release("orders", 10).await;
    let outcome = shop.scene.deliver(&alarm_now()).await;
    assert_eq!(answers(&outcome), ["orders restore alarm_during_release"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_register_at_once_all_lead_to_each_other() {
    let services = ["basket", "cart", "orders", "payments"];
    let guards = services.map(|name| (name, if name == "orders" { ALARM } else { "others" }));
    let shop = Shop::set(&guards, None).await;
    let ledger = &shop.scene.stage.aws.ledger;
    let join = |name: &'static str| {
        let shop = Arc::clone(&shop);
        tokio::spawn(async move {
            let service: ServiceName = name.parse().unwrap();
            let stage = &shop.scene.stage;
            let mut registration = stage.aws.ledger.service(&service).await.unwrap().unwrap().registration;
            registration.rollback.group = Some("shop".parse().unwrap());
            stage.register_as(&registration).await.unwrap();
        })
    };
    for joining in services.map(join) {
        joining.await.unwrap();
    }
    let arn = format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{ALARM}").parse().unwrap();
    assert_eq!(ledger.guarded_by(&arn).await.unwrap().len(), services.len());
    let group = ledger.group(&"shop".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(group.members.len(), services.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_cannot_go_back_stops_none_of_the_others() {
    let guards = [("cart", "cart-errors"), ("orders", ALARM)];
    let shop = Shop::set(&guards, Some("shop")).await;
    shop.release("orders", 10).await;
    shop.release("cart", 10).await;
    // Whichever of the two comes first.
    shop.scene.local.faults().add(FaultRule::once("UpdateAlias", Fault::Deny));
    let alarm = alarm_now();
    let outcome = shop.scene.deliver(&alarm).await;
    let InvocationOutcome::Error { error_type, message, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(error_type, "RollbackFailed");
    assert!(
        message.contains(": group shop goes back together (cart, orders) because of orders"),
        "{message}"
    );
    assert_eq!(shop.changed().len(), 1);
    let mut phases = [shop.phase("cart").await.unwrap(), shop.phase("orders").await.unwrap()];
    phases.sort();
    assert_eq!(phases, [Phase::RolledBack, Phase::RollbackFailed]);
    shop.inbox.notice("could NOT be put back").await;

    // What Lambda delivers again finishes it, once nothing stands in the way.
    shop.scene.local.faults().clear();
    let again = shop.scene.deliver(&alarm).await;
    assert_eq!(answers(&again).iter().filter(|answer| answer.contains("restore")).count(), 1, "{again:?}");
    assert_eq!(shop.changed(), ["checkout:cart", "checkout:orders"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_services_the_likeliest_goes_back_and_the_next_one_when_the_alarm_fires_anew() {
    let shop = Shop::set(&[("cart", ALARM), ("orders", ALARM), ("payments", ALARM)], None).await;
    shop.release("cart", 100).await;
    shop.release("orders", 10).await;
    let alarm = alarm_now();
    let first = shop.scene.deliver(&alarm).await;
    assert_eq!(
        answers(&first),
        [
            "cart stand_down less_likely",
            "orders restore likeliest_of_several",
            "payments stand_down alarm_without_change"
        ]
    );
    assert_eq!(shop.changed(), ["checkout:orders"]);
    let notice = shop.inbox.notice("alarm checkout-error-rate also guards cart").await.to_string();
    assert!(notice.contains("ripcord rollback cart puts this one back"), "{notice}");

    // The same alarm again, twenty times at once, moves nothing and tells nobody.
    let published = shop.scene.count("Publish");
    let more = shop.storm(20, &alarm).await;
    assert!(more.iter().all(|outcome| matches!(outcome, InvocationOutcome::Response(_))), "{more:?}");
    assert_eq!(shop.changed(), ["checkout:orders"]);
    assert_eq!(shop.scene.count("Publish"), published);

    // It did not help: the alarm fires anew, and the next one follows.
    let anew = shop.scene.deliver(&alarm_at(Timestamp::now())).await;
    assert!(answers(&anew).contains(&"cart restore alarm_after_release".to_owned()), "{anew:?}");
    assert_eq!(shop.changed(), ["checkout:cart", "checkout:orders"]);
    assert_eq!(shop.phase("cart").await, Some(Phase::RolledBack));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_first_deliveries_at_once_put_one_of_several_back() {
    let shop = Shop::set(&[("cart", ALARM), ("orders", ALARM)], None).await;
    shop.release("cart", 10).await;
    shop.release("orders", 10).await;
    let alarm = alarm_now();
    let all = shop.storm(20, &alarm).await;
    assert!(all.iter().all(|outcome| matches!(outcome, InvocationOutcome::Response(_))), "{all:?}");
    assert_eq!(shop.changed(), ["checkout:orders"]);
    assert_eq!(shop.phase("cart").await, Some(Phase::Shifting));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_held_makes_the_next_one_follow_at_once() {
    let shop = Shop::set(&[("cart", ALARM), ("orders", ALARM)], None).await;
    shop.release("cart", 10).await;
    shop.release("orders", 10).await;
    let ledger = &shop.scene.stage.aws.ledger;
    let orders: ServiceName = "orders".parse().unwrap();
    let mut registration = ledger.service(&orders).await.unwrap().unwrap().registration;
    let since = shop.candidate.to_string();
    let barrier =
        json!({ "target": "api", "since_version": since, "reason": "orders moved to the new table" });
    registration.barriers = vec![serde_json::from_value(barrier).unwrap()];
    shop.scene.stage.register_as(&registration).await.unwrap();
    let alarm = alarm_now();
    let outcome = shop.scene.deliver(&alarm).await;
    assert_eq!(answers(&outcome), ["cart restore alarm_during_release", "orders hold past_barrier"]);
    assert_eq!(shop.changed(), ["checkout:cart"]);
    shop.scene.deliver(&alarm).await;
    assert_eq!(shop.changed(), ["checkout:cart"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_services_cost_no_more_round_trips_than_one() {
    let shop = Shop::set(&[("cart", ALARM), ("orders", ALARM)], Some("shop")).await;
    let mut process = shop.scene.process("alarm-rollback").await;
    for trips in [3, 2] {
        shop.scene.local.faults().clear();
        shop.release("cart", 10).await;
        shop.release("orders", 10).await;
        shop.scene.local.faults().add(FaultRule::always("*", Fault::Delay { duration_ms: ANSWER_DELAY_MS }));
        let outcome = process.invoke(alarm_now().to_string(), ANSWER_WAIT_MAX).await;
        assert_eq!(answers(&outcome).len(), 2);
        assert_eq!(
            sequential_until_restored(&shop.scene.local.journal().calls_of("ripcord-alarm-rollback")),
            trips
        );
    }
}

impl Shop {
    /// Lambda delivers again when every lease of the first delivery has ended; here the wait is shorter.
    async fn deliver_until_told(&self, alarm: &Value, services: &[&str], place: &str) {
        for _ in 0..40 {
            let outcome = self.scene.deliver(alarm).await;
            assert!(matches!(outcome, InvocationOutcome::Response(_)), "{place}: {outcome:?}");
            let mut untold = 0;
            for service in services {
                let release = self.latest(service).await.unwrap();
                untold += usize::from(!matches!(release.report, Report::Sent { .. }));
            }
            if untold == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{place}: not everybody was told");
    }

    /// Makes room for the next release of a service that was not put back.
    async fn put_back(&self, service: &str) {
        let command = json!({ "command": "rollback", "service": service });
        let outcome = self.scene.deliver(&command).await;
        assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_rollback_is_cut_anywhere_goes_back_whole_and_once() {
    let shop = Shop::set(&[("cart", "cart-errors"), ("orders", ALARM)], Some("shop")).await;
    let mut cuts = 0;
    for call in 1..=CALLS_MAX {
        shop.release("cart", 10).await;
        shop.release("orders", 10).await;
        let alarm = alarm_now();
        let place = format!("cut after call {call}");
        if !cut(&shop.scene, "alarm-rollback", &alarm, call, true).await {
            break;
        }
        cuts += 1;
        shop.deliver_until_told(&alarm, &["cart", "orders"], &place).await;
        assert_eq!(shop.changed(), ["checkout:cart", "checkout:orders"], "{place}");
        for service in ["cart", "orders"] {
            assert_eq!(shop.phase(service).await, Some(Phase::RolledBack), "{place}: {service}");
        }
    }
    // The alarm's services, two looks at each, two updates, and what follows them.
    assert!(cuts >= 12, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_whose_rollback_is_cut_anywhere_goes_back_alone_and_once() {
    let shop = Shop::set(&[("cart", ALARM), ("orders", ALARM)], None).await;
    let mut cuts = 0;
    for call in 1..=CALLS_MAX {
        shop.release("cart", 10).await;
        shop.release("orders", 10).await;
        let alarm = alarm_now();
        let place = format!("cut after call {call}");
        if !cut(&shop.scene, "alarm-rollback", &alarm, call, true).await {
            break;
        }
        cuts += 1;
        shop.deliver_until_told(&alarm, &["orders"], &place).await;
        assert_eq!(shop.changed(), ["checkout:orders"], "{place}");
        assert_eq!(shop.phase("orders").await, Some(Phase::RolledBack), "{place}");
        assert_eq!(shop.phase("cart").await, Some(Phase::Shifting), "{place}");
        shop.put_back("cart").await;
    }
    assert!(cuts >= 10, "only {cuts} cuts were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_puts_a_whole_group_back_with_one_command() {
    let shop = Shop::set(&[("cart", "cart-errors"), ("orders", ALARM)], Some("shop")).await;
    shop.release("cart", 10).await;
    shop.release("orders", 100).await;
    let terminal = Terminal { scene: &shop.scene };
    let plan = terminal.says(0, &["plan", "cart"]).await;
    assert!(plan.contains("group shop: an alarm of any puts back orders, too"), "{plan}");
    let told = terminal.says(0, &["rollback", "--group", "shop", "--reason", "orders fail"]).await;
    assert!(told.contains("cart: traffic is back") && told.contains("orders: traffic is back"), "{told}");
    assert_eq!(shop.changed(), ["checkout:cart", "checkout:orders"]);
    // The worst of its services' ends is the command's.
    shop.release("cart", 10).await;
    shop.scene.local.faults().add(FaultRule::always("UpdateAlias", Fault::Deny));
    let told = terminal.says(4, &["rollback", "--group", "shop"]).await;
    assert!(told.contains("cart: not known to be back"), "{told}");
    shop.scene.local.faults().clear();
    terminal.says(3, &["rollback", "--group", "nobodys"]).await;
}
