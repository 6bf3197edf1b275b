//! What people look at after a rollback: the widget of the dashboard, and the report.

use std::time::Duration;

use ripcord_rehearsal::runtime_api::InvocationOutcome;
use serde_json::json;

use crate::operator::Terminal;
use crate::scene::{ANSWER_WAIT_MAX, Scene, alarm_now, outcome};

/// The ledger's stream is read once a second; a busy machine takes longer.
const TIMELINE_LOOKS_MAX: u32 = 60;
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_drawn_in_the_dashboard_and_told_by_the_report() {
    let scene = Scene::set().await;
    let candidate = scene.release(10).await;
    assert_eq!(outcome(&scene.deliver(&alarm_now()).await), "restore");
    let service = "checkout".parse().unwrap();
    let generation = scene.latest().await.generation;
    let mut is_told = false;
    for _ in 0..TIMELINE_LOOKS_MAX {
        let timeline = scene.stage.aws.ledger.timeline(&service, generation).await.unwrap();
        is_told = timeline.iter().any(|moment| json!(moment.what)["phase"] == json!("rolled_back"));
        if is_told {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    assert!(is_told, "the recorder has kept that traffic is back");

    scene.local.journal().clear();
    let event =
        json!({ "service": "checkout", "widgetContext": { "theme": "dark", "width": 588, "height": 369 } });
    let answered = scene.process("release-widget").await.invoke(event.to_string(), ANSWER_WAIT_MAX).await;
    let InvocationOutcome::Response(html) = answered else { panic!("{answered:?}") };
    let html = html.as_str().unwrap();
    for expected in ["<svg", "rolled back", "alarm checkout-error-rate", "color-scheme:dark"] {
        assert!(html.contains(expected), "{expected}: {html}");
    }
    let calls = scene.local.journal().calls_of("ripcord-release-widget");
    assert!(!calls.is_empty() && calls.iter().all(|call| call.operation == "Query"), "{calls:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (page, review) = (file("report.html"), file("review.md"));
    let terminal = Terminal { scene: &scene };
    let said = terminal.says(0, &["report", "checkout", "--html", &page, "--markdown", &review]).await;
    assert!(said.contains("checkout #1 was rolled back; traffic was back"), "{said}");
    let page = std::fs::read_to_string(page).unwrap();
    for expected in ["Share of traffic", "alarm checkout-error-rate", "lambda:UpdateAlias", "traffic is back"]
    {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let review = std::fs::read_to_string(review).unwrap();
    let moved = format!("from version 1 to version {candidate}");
    assert!(review.contains(&moved) && review.contains("## What we do now"), "{review}");
    let data = terminal.json(&["report", "checkout#1"]).await;
    assert_eq!(data["phase"], json!("rolled_back"));
    assert!(data["timeline"].as_array().unwrap().len() >= 4, "{data}");
    assert!(terminal.says(3, &["report", "checkout#9"]).await.contains("the latest one is 1"));
    assert!(terminal.says(3, &["report", "nobody"]).await.contains("nobody is not registered"));
}
