//! The dashboard's widget: what it reads, and that it answers whatever happens.

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_smithy_mocks::{Rule, mock};
use release_widget::{Widget, answer};
use ripcord::names::Weight;
use ripcord::release::Phase;
use ripcord::timeline::{Moment, What, Written};
use serde_json::{Value, json};

use super::handling::file;
use super::scene::{Scene, clock, holds, item, recorded, refusal};
use crate::worlds::{SERVICE, World, at, canary};

const HERE: &str = "arn:aws:lambda:eu-west-1:123456789012:function:ripcord-release-widget";

async fn drawn(scene: &Scene, event: &Value) -> String {
    let widget = Widget { aws: scene.aws.clone(), clock };
    let answer = answer(event, HERE, &widget).await;
    answer.as_str().unwrap_or_else(|| panic!("{answer} is no HTML")).to_owned()
}

fn history() -> Rule {
    let mut release = canary();
    release.phase = Phase::RolledBack;
    release.ended_at = Some(at("10:03:00"));
    release.ended_because = Some("alarm errors fired".to_owned());
    holds(format!("history#{SERVICE}"), vec![item(format!("history#{SERVICE}"), "0000000005", &release)])
}

fn timeline() -> Rule {
    let pk = format!("timeline#{SERVICE}");
    let moment = |seq, time: &str, what| Moment {
        service: SERVICE.parse().unwrap(),
        write: Some(Written { generation: canary().generation, seq }),
        at: at(time),
        what,
    };
    let target = canary().changes[0].target.clone();
    let moments = [
        moment(1, "10:00:00", What::Opened { by: "ada".to_owned(), commit: None }),
        moment(2, "10:00:01", What::Weights { target, weight: Weight::from_percent(10) }),
        moment(3, "10:03:00", What::Phase { phase: Phase::RolledBack, because: None }),
    ];
    let items = moments.iter().map(|moment| item(&pk, moment.key(), moment)).collect();
    holds(pk, items)
}

#[tokio::test(start_paused = true)]
async fn a_release_is_drawn_from_four_queries() {
    let scene = Scene::new(&[&history(), &timeline(), &holds(format!("findings#{SERVICE}"), Vec::new())]);
    let mut event = file("widget/service.json");
    event["service"] = json!(SERVICE);
    event["release"] = json!(5);
    let drawn = drawn(&scene, &event).await;
    for expected in ["<svg", "rolled back", "alarm errors fired", "color-scheme:dark"] {
        assert!(drawn.contains(expected), "{expected}: {drawn}");
    }
    let calls = scene.calls();
    assert!(calls.lines().all(|call| call.starts_with("dynamodb:Query ")), "{calls}");
    // The release's own moments, and AWS's beside them, are two stretches of one partition.
    assert_eq!(calls.lines().count(), 4, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn every_service_is_listed_where_none_is_named() {
    let services = holds("services", vec![item("services", SERVICE, &SERVICE)]);
    let scene = Scene::new(&[&services, &recorded(&World::checkout().released(canary()).record)]);
    let drawn = drawn(&scene, &file("widget/everything.json")).await;
    assert!(drawn.contains(&format!("{SERVICE} #5")) && drawn.contains("under way"), "{drawn}");
    assert!(drawn.contains("color-scheme:light"));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_in_the_widget() {
    let nothing = || holds(format!("history#{SERVICE}"), Vec::new());
    let unregistered = holds(format!("service#{SERVICE}"), Vec::new());
    let unreleased = recorded(&World::checkout().record);
    let denied = || {
        let denied = refusal("com.amazonaws.dynamodb.v20120810#AccessDeniedException");
        mock!(DynamoDb::query).sequence().http_status(400, Some(denied)).repeatedly().build()
    };
    for (rules, event, expected) in [
        (vec![nothing(), unregistered], json!({ "service": SERVICE }), "is not registered"),
        (vec![nothing(), unreleased], json!({ "service": SERVICE }), "was released yet"),
        (vec![history()], json!({ "service": SERVICE, "release": 9 }), "knows no release 9"),
        (vec![denied()], json!({ "service": SERVICE }), "the ledger could not be read"),
        (vec![denied()], json!({}), "the ledger could not be read"),
        (Vec::new(), file("widget/refused-service.json"), "is not valid"),
        (Vec::new(), file("widget/refused-release.json"), "release must be a number"),
    ] {
        let scene = Scene::new(&rules.iter().collect::<Vec<_>>());
        let drawn = drawn(&scene, &event).await;
        assert!(drawn.contains(expected) && drawn.contains("role=\"note\""), "{expected}: {drawn}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_who_edits_the_widget_reads_what_it_takes() {
    let scene = Scene::new(&[]);
    let widget = Widget { aws: scene.aws.clone(), clock };
    let described = answer(&file("widget/describe.json"), HERE, &widget).await;
    let text = described["markdown"].as_str().unwrap();
    assert!(text.contains("service: checkout") && text.contains("`release`"), "{text}");
    assert_eq!(scene.calls(), "");
}
