//! Groups in the ledger, and an alarm that leads to several services: what is written for whom, and in which order calls go.

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
use aws_sdk_lambda::Client as Lambda;
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Group, RegistrationError};
use ripcord::registration::{Guard, Home, Registration};
use ripcord::release::Release;
use ripcord::situation::ServiceRecord;
use serde_json::json;

use super::handling::{alarm_event, answered, outcomes};
use super::scene::{
    ALARM, Item, Scene, alias, canceled, holds, holds_in_turn, item, items_of, logs, publishes, updates,
    writes,
};
use crate::worlds::{World, at, barrier, canary, complete, registration};

fn home() -> Home {
    Home { partition: "aws".to_owned(), region: "eu-west-1".to_owned(), account: "123456789012".to_owned() }
}

/// A service on an alias of a function of its own.
fn service(name: &str, group: Option<&str>, guards: &[&str]) -> Registration {
    let mut registration = registration(&["api"]);
    registration.service = name.parse().unwrap();
    let place = json!({ "name": "api", "kind": "lambda_alias", "function": name, "alias": "live" });
    registration.targets = vec![serde_json::from_value(place).unwrap()];
    registration.guards = guards.iter().map(|alarm| Guard { alarm: (*alarm).to_owned() }).collect();
    registration.rollback.group = group.map(|group| group.parse().unwrap());
    registration
}

fn seen(registration: Registration) -> ServiceRecord {
    ServiceRecord { registration, registration_version: 4, ..World::checkout().record }
}

/// The group's item with these members, each as they are registered.
fn group_of(members: &[&Registration], version: u64) -> Item {
    let alarm = |guard: &Guard| format!("alarm#{}", guard.arn(&home()).unwrap());
    let members: Vec<_> = members
        .iter()
        .map(|member| {
            let alarms: Vec<String> = member.guards.iter().map(alarm).collect();
            json!({ "service": member.service, "targets": member.targets, "alarms": alarms })
        })
        .collect();
    let mut item = item("group#shop", "members", &json!({ "group": "shop", "members": members }));
    item.insert("version".to_owned(), aws_sdk_dynamodb::types::AttributeValue::N(version.to_string()));
    item
}

async fn register(
    registration: &Registration,
    expected: Option<&ServiceRecord>,
    rules: &[&Rule],
) -> (String, Result<u64, RegistrationError>) {
    let scene = Scene::new(rules);
    let registered = scene.aws.ledger.register(registration, expected, Vec::new(), &home()).await;
    let short = scene.calls().replace("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:", "");
    (short.replace(", ", ",\n  "), registered)
}

#[tokio::test(start_paused = true)]
async fn the_first_of_a_group_writes_it_if_there_is_none() {
    let cart = service("cart", Some("shop"), &["cart-errors"]);
    let (calls, version) = register(&cart, None, &[&holds("group#shop", Vec::new()), &writes()]).await;
    assert_eq!(version, Ok(1));
    insta::assert_snapshot!(calls, @r"
    dynamodb:Query group#shop
    dynamodb:TransactWriteItems service#cart/registration if attribute_not_exists(pk),
      services/cart,
      alarm#cart-errors/service#cart,
      place#lambda:cart:live/service#cart,
      group#shop/members if attribute_not_exists(pk)
    ");
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_leads_to_the_others_and_they_lead_to_it() {
    let cart = service("cart", Some("shop"), &["cart-errors", "slow"]);
    let orders = service("orders", Some("shop"), &["errors", "slow"]);
    let rules = [&holds("group#shop", vec![group_of(&[&cart], 1)]), &writes()];
    let (calls, version) = register(&orders, None, &rules).await;
    assert_eq!(version, Ok(1));
    insta::assert_snapshot!(calls, @r"
    dynamodb:Query group#shop
    dynamodb:TransactWriteItems alarm#cart-errors/service#orders,
      alarm#errors/service#cart,
      alarm#slow/service#cart
    dynamodb:TransactWriteItems service#orders/registration if attribute_not_exists(pk),
      services/orders,
      alarm#errors/service#orders,
      alarm#slow/service#orders,
      place#lambda:orders:live/service#orders,
      group#shop/members if version = 1
    ");
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_takes_every_lead_along_but_its_own() {
    let cart = service("cart", Some("shop"), &["cart-errors", "slow"]);
    let orders = service("orders", Some("shop"), &["errors", "slow"]);
    let rules = [&holds("group#shop", vec![group_of(&[&cart, &orders], 2)]), &writes()];
    let alone = service("orders", None, &["errors", "slow"]);
    let (calls, version) = register(&alone, Some(&seen(orders)), &rules).await;
    assert_eq!(version, Ok(5));
    insta::assert_snapshot!(calls, @r"
    dynamodb:Query group#shop
    dynamodb:TransactWriteItems alarm#slow/service#cart
    dynamodb:TransactWriteItems service#orders/registration if version = 4,
      services/orders,
      alarm#errors/service#orders,
      alarm#slow/service#orders,
      place#lambda:orders:live/service#orders,
      group#shop/members if version = 2,
      delete alarm#cart-errors/service#orders,
      delete alarm#errors/service#cart
    ");
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_dropped_leads_to_nobody_and_a_new_one_to_everybody() {
    let cart = service("cart", Some("shop"), &["cart-errors"]);
    let before = service("orders", Some("shop"), &["errors"]);
    let after = service("orders", Some("shop"), &["latency"]);
    let rules = [&holds("group#shop", vec![group_of(&[&cart, &before], 2)]), &writes()];
    let (calls, version) = register(&after, Some(&seen(before)), &rules).await;
    assert_eq!(version, Ok(5));
    for lead in [
        "alarm#latency/service#cart",
        "delete alarm#errors/service#cart",
        "delete alarm#errors/service#orders",
    ] {
        assert!(calls.contains(lead), "{calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_join_at_once_one_looks_again_and_one_that_is_stale_is_told_so() {
    let cart = service("cart", Some("shop"), &["cart-errors"]);
    let orders = service("orders", Some("shop"), &["errors"]);
    let lost_once = || {
        mock!(DynamoDb::transact_write_items)
            .sequence()
            .http_status(400, Some(canceled(&["ConditionalCheckFailed"])))
            .output(|| TransactWriteItemsOutput::builder().build())
            .output(|| TransactWriteItemsOutput::builder().build())
            .build()
    };
    let joined = holds_in_turn("group#shop", vec![Vec::new(), vec![group_of(&[&cart], 1)]]);
    let (calls, version) = register(&orders, None, &[&joined, &lost_once()]).await;
    assert_eq!(version, Ok(1));
    assert!(calls.contains("group#shop/members if version = 1"), "{calls}");
    assert!(calls.contains("alarm#cart-errors/service#orders"), "{calls}");
    // Nothing has changed in the group: then it was the registration itself.
    let (_, stale) = register(&orders, None, &[&holds("group#shop", Vec::new()), &lost_once()]).await;
    assert!(matches!(stale, Err(RegistrationError::Stale { .. })), "{stale:?}");
}

#[tokio::test(start_paused = true)]
async fn a_group_is_read_and_bounded() {
    let members: Vec<Registration> =
        (0..10).map(|number| service(&format!("s{number}"), Some("shop"), &["errors"])).collect();
    let members: Vec<&Registration> = members.iter().collect();
    let held = holds("group#shop", vec![group_of(&members, 9)]);
    let scene = Scene::new(&[&held]);
    let group: Group = scene.aws.ledger.group(&"shop".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(group.members.len(), 10);
    let (_, full) = register(&service("one-more", Some("shop"), &["errors"]), None, &[&held]).await;
    assert!(matches!(full, Err(RegistrationError::GroupFull { count: 10, .. })), "{full:?}");
    // Whoever is in it may register anew.
    assert_eq!(register(members[3], None, &[&held, &writes()]).await.1, Ok(1));
}

/// A service with a release, as the ledger and Lambda have it: its record, and its alias before and after a rollback.
fn releasing(registration: Registration, release: Release) -> Vec<Rule> {
    let name = registration.service.to_string();
    let pk = format!("service#{name}");
    let is_complete = release.ended_at.is_some();
    let release = Release { service: registration.service.clone(), ..release };
    let record = ServiceRecord { release: Some(release), ..seen(registration) };
    let with_pk = |mut item: Item| {
        item.insert("pk".to_owned(), aws_sdk_dynamodb::types::AttributeValue::S(pk.clone()));
        item
    };
    let items = items_of(&record).into_iter().map(with_pk).collect();
    let function = name;
    let mut looks =
        mock!(Lambda::get_alias).match_requests(move |get| get.function_name() == Some(&function)).sequence();
    looks = if is_complete {
        looks.output(|| alias("2", &[], "r1"))
    } else {
        looks.output(|| alias("1", &[("2", 0.1)], "r1"))
    };
    vec![holds(pk, items), looks.output(|| alias("1", &[], "r2")).build()]
}

/// The alarm's mapping to these services.
fn leading_to(services: &[&Registration]) -> Rule {
    let pk = format!("alarm#{ALARM}");
    let mapping = |service: &&Registration| {
        let mapping = json!({ "service": service.service, "targets": service.targets });
        item(&pk, format!("service#{}", service.service), &mapping)
    };
    holds(pk.clone(), services.iter().map(mapping).collect())
}

#[tokio::test(start_paused = true)]
async fn of_several_only_the_likeliest_is_updated_and_the_others_are_told_after_traffic_is_back() {
    let (cart, orders) = (service("cart", None, &["errors"]), service("orders", None, &["errors"]));
    let done = Release { ended_at: Some(at("09:00:00")), opened_at: at("08:00:00"), ..complete() };
    let mut rules = vec![leading_to(&[&cart, &orders])];
    rules.extend(releasing(cart, done));
    rules.extend(releasing(orders, canary()));
    rules.extend([updates(), writes(), publishes(), logs()]);
    let scene = Scene::new(&rules.iter().collect::<Vec<_>>());
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["restore: likeliest_of_several", "stand_down: less_likely"]);
    let calls = scene.calls();
    let updates: Vec<&str> = calls.lines().filter(|call| call.contains("UpdateAlias")).collect();
    assert_eq!(updates, ["lambda:UpdateAlias orders:live to 1, weights {}, if r1"]);
    let before: Vec<&str> = calls.lines().take_while(|call| !call.contains("UpdateAlias")).collect();
    assert!(before.iter().all(|call| call.contains("Query") || call.contains("GetAlias")), "{before:?}");
    let told: Vec<String> = scene.published().into_iter().map(|(subject, ..)| subject).collect();
    assert_eq!(told, ["orders was rolled back (release 5)", "cart: errors fired, traffic was left alone"]);
}

#[tokio::test(start_paused = true)]
async fn where_the_likeliest_is_held_the_next_one_is_updated_in_the_same_invocation() {
    let (cart, mut orders) = (service("cart", None, &["errors"]), service("orders", None, &["errors"]));
    orders.barriers = vec![barrier(2)];
    let done = Release { ended_at: Some(at("09:00:00")), opened_at: at("08:00:00"), ..complete() };
    let mut rules = vec![leading_to(&[&cart, &orders])];
    rules.extend(releasing(cart, done));
    rules.extend(releasing(orders, canary()));
    rules.extend([updates(), writes(), publishes(), logs()]);
    let scene = Scene::new(&rules.iter().collect::<Vec<_>>());
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["hold: past_barrier", "restore: alarm_after_release"]);
    let calls = scene.calls();
    let updates: Vec<&str> = calls.lines().filter(|call| call.contains("UpdateAlias")).collect();
    assert_eq!(updates, ["lambda:UpdateAlias cart:live to 1, weights {}, if r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_record_cannot_be_read_stops_none_of_its_group() {
    let cart = service("cart", Some("shop"), &["cart-errors"]);
    let orders = service("orders", Some("shop"), &["errors"]);
    let unreadable =
        holds("service#orders", vec![item("service#orders", "registration", &json!("nonsense"))]);
    let mut rules = vec![leading_to(&[&cart, &orders]), unreadable];
    rules.push(
        mock!(Lambda::get_alias)
            .match_requests(|get| get.function_name() == Some("orders"))
            .then_output(|| alias("1", &[], "r1")),
    );
    rules.extend(releasing(cart, canary()));
    rules.extend([updates(), writes(), publishes(), logs()]);
    let scene = Scene::new(&rules.iter().collect::<Vec<_>>());
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type.as_str(), "LedgerUnreadable");
    assert!(scene.calls().contains("lambda:UpdateAlias cart:live to 1"), "{}", scene.calls());
}
