//! Registering a service: one transaction, over the version that was seen.

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::RegistrationError;
use ripcord::place::Place;
use ripcord::registration::{Guard, Home, Registration};
use ripcord::release::{KnownGood, Phase};
use ripcord::situation::ServiceRecord;

use super::scene::{Scene, canceled, writes};
use crate::worlds::{World, at, canary, ended, lambda, registration, target, v};

fn home() -> Home {
    Home { partition: "aws".to_owned(), region: "eu-west-1".to_owned(), account: "123456789012".to_owned() }
}

fn guarded_by(alarms: &[&str]) -> Registration {
    let guards = alarms.iter().map(|alarm| Guard { alarm: (*alarm).to_owned() }).collect();
    Registration { guards, ..registration(&["api"]) }
}

fn seen(registration: Registration) -> ServiceRecord {
    let mut record = World::checkout().record;
    record.registration = registration;
    record.registration_version = 4;
    record
}

async fn register(
    registration: &Registration,
    expected: Option<&ServiceRecord>,
    stable: Vec<KnownGood>,
    rule: &Rule,
) -> (String, Result<u64, RegistrationError>) {
    let scene = Scene::new(&[rule]);
    let registered = scene.aws.ledger.register(registration, expected, stable, &home()).await;
    (scene.calls().replace(", ", ",\n  "), registered)
}

#[tokio::test(start_paused = true)]
async fn a_new_service_is_registered_only_if_there_is_none_of_its_name() {
    let good = KnownGood { target: "api".parse().unwrap(), version: v(1), since: at("10:00:00") };
    let registration = guarded_by(&["errors", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:latency"]);
    let (calls, version) = register(&registration, None, vec![good], &writes()).await;
    assert_eq!(version, Ok(1));
    insta::assert_snapshot!(calls, @r"
    dynamodb:TransactWriteItems service#checkout/registration if attribute_not_exists(pk),
      services/checkout,
      service#checkout/good#api,
      alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors/service#checkout,
      alarm#arn:aws:cloudwatch:us-east-1:123456789012:alarm:latency/service#checkout,
      place#lambda:checkout-api:live/service#checkout
    ");
}

#[tokio::test(start_paused = true)]
async fn a_replaced_registration_names_the_version_it_replaces_and_frees_the_guards_it_drops() {
    let before = seen(guarded_by(&["errors", "latency"]));
    let (calls, version) =
        register(&guarded_by(&["errors", "throttles"]), Some(&before), Vec::new(), &writes()).await;
    assert_eq!(version, Ok(5));
    insta::assert_snapshot!(calls, @r"
    dynamodb:TransactWriteItems service#checkout/registration if version = 4,
      services/checkout,
      alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors/service#checkout,
      alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:throttles/service#checkout,
      place#lambda:checkout-api:live/service#checkout,
      delete alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:latency/service#checkout
    ");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_listed_by_name_and_by_arn_is_one_item_of_the_transaction() {
    let both = guarded_by(&["errors", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors"]);
    let (calls, version) = register(&both, None, Vec::new(), &writes()).await;
    assert_eq!(version, Ok(1));
    assert_eq!(calls.matches("alarm#").count(), 1, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_registration_over_another_version_than_the_one_seen_is_stale() {
    let lost = || {
        mock!(DynamoDb::transact_write_items)
            .sequence()
            .http_status(400, Some(canceled(&["ConditionalCheckFailed"])))
            .build()
    };
    let before = seen(guarded_by(&["errors"]));
    let (_, stale) = register(&guarded_by(&["errors"]), Some(&before), Vec::new(), &lost()).await;
    let stale = stale.unwrap_err().to_string();
    assert_eq!(
        stale,
        "checkout is no longer as it was seen (version 4): somebody else registered it; look and try again"
    );
    let (_, stale) = register(&guarded_by(&["errors"]), None, Vec::new(), &lost()).await;
    assert!(matches!(stale, Err(RegistrationError::Stale { expected: 0, .. })), "{stale:?}");
}

#[tokio::test(start_paused = true)]
async fn what_breaks_a_rule_is_refused_before_anything_is_called() {
    let (calls, refused) = register(&guarded_by(&[]), None, Vec::new(), &writes()).await;
    assert_eq!(calls, "");
    let refused = refused.unwrap_err().to_string();
    assert!(refused.starts_with("the registration is not valid: guards is 0 long"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn targets_stay_as_they_are_while_a_release_moves_them() {
    let moved = Registration {
        targets: vec![ripcord::registration::Target {
            place: Place::LambdaAlias(lambda("api", "blue")),
            ..target("api")
        }],
        ..guarded_by(&["errors"])
    };
    let mut before = seen(guarded_by(&["errors"]));
    before.release = Some(canary());
    let (calls, refused) = register(&moved, Some(&before), Vec::new(), &writes()).await;
    assert_eq!(calls, "");
    assert_eq!(
        refused.unwrap_err().to_string(),
        "release 5 of checkout is open: its targets cannot change before it has ended"
    );
    // Everything else may change at any time, and the targets once it has ended.
    assert_eq!(register(&guarded_by(&["latency"]), Some(&before), Vec::new(), &writes()).await.1, Ok(5));
    before.release = Some(ended(Phase::Complete, "11:00:00", "version 2 took all traffic"));
    assert_eq!(register(&moved, Some(&before), Vec::new(), &writes()).await.1, Ok(5));
}

#[tokio::test(start_paused = true)]
async fn what_one_transaction_does_not_hold_is_deleted_after_it() {
    let everything = |kind: &str| {
        let alarms: Vec<String> = (0..40).map(|alarm| format!("{kind}-{alarm}")).collect();
        let targets = (0..10).map(|index| ripcord::registration::Target {
            name: format!("api-{index}").parse().unwrap(),
            place: Place::LambdaAlias(lambda("api", &format!("{kind}-{index}"))),
            ..target("api")
        });
        Registration {
            targets: targets.collect(),
            ..guarded_by(&alarms.iter().map(String::as_str).collect::<Vec<_>>())
        }
    };
    let before = seen(everything("old"));
    let (calls, version) = register(&everything("new"), Some(&before), Vec::new(), &writes()).await;
    assert_eq!(version, Ok(5));
    let transactions: Vec<&str> = calls.split("dynamodb:TransactWriteItems ").skip(1).collect();
    let items: Vec<usize> = transactions.iter().map(|items| items.split(",\n").count()).collect();
    assert_eq!(items, [100, 2], "2 + 40 + 10 written, 40 + 10 deleted");
    assert!(transactions[1].starts_with("delete "), "{}", transactions[1]);
}
