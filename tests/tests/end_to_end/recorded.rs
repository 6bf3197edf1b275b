//! What the ledger's stream tells: a release and its rollback are kept moment by moment and counted once, by a function that
//! nobody calls; and a recorder that dies anywhere changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ripcord::names::{Generation, ServiceName};
use ripcord::release::Release;
use ripcord::timeline::{Moment, What};
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::runtime_api::InvocationOutcome;
use serde_json::{Value, json};

use crate::operator::Terminal;
use crate::scene::{ANSWER_WAIT_MAX, Scene, alarm_now, outcome};

/// The stream is read about once a second; a busy machine takes longer.
const LOOKS_MAX: u32 = 60;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const RECORDER: &str = "ripcord-release-recorder";

/// What happened to a release, once the last of it is that traffic is back.
async fn timeline_to_its_end(scene: &Scene, service: &ServiceName, release: Generation) -> Vec<Moment> {
    let mut timeline = Vec::new();
    for _ in 0..LOOKS_MAX {
        let told = scene.stage.aws.ledger.timeline(service, release).await.unwrap();
        // The moments of one write are kept together, and may be seen one by one.
        let is_whole = told.len() == timeline.len();
        if is_whole && told.iter().any(|moment| kind(moment) == "phase rolled_back") {
            return told;
        }
        timeline = told;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("the stream told {timeline:#?}; log {}", scene.local.log());
}

fn kind(moment: &Moment) -> String {
    if let What::Weights { weight, .. } = &moment.what {
        return format!("weights {}", weight.share());
    }
    let what = json!(moment.what);
    let phase = what["phase"].as_str().map(|phase| format!(" {phase}")).unwrap_or_default();
    format!("{}{phase}", what["kind"].as_str().unwrap())
}

/// What was published, once the last of it is there: a log is written when its invocation has ended.
async fn published_to_its_end(scene: &Scene) -> BTreeMap<String, Vec<f64>> {
    for _ in 0..LOOKS_MAX {
        let published = published(scene).await;
        if published.contains_key("RollbackTime") {
            return published;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("nothing of the rollback was published; log {}", scene.local.log());
}

/// The metrics that the recorder has published: name and values.
async fn published(scene: &Scene) -> BTreeMap<String, Vec<f64>> {
    let document = json!({ "logGroupName": format!("/aws/lambda/{RECORDER}") });
    let answer = scene.local.client().json("logs", "Logs_20140328.FilterLogEvents", &document).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let mut published: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for event in answer["events"].as_array().into_iter().flatten() {
        for line in event["message"].as_str().unwrap_or_default().lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            for metric in line
                .pointer("/_aws/CloudWatchMetrics/0/Metrics")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let name = metric["Name"].as_str().unwrap();
                published.entry(name.to_owned()).or_default().push(line[name].as_f64().unwrap());
            }
        }
    }
    published
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_and_its_rollback_are_kept_and_counted_once() {
    let scene = Scene::set().await;
    scene.release(10).await;
    let alarm = alarm_now();
    for _ in 0..3 {
        scene.deliver(&alarm).await;
    }
    let service: ServiceName = "checkout".parse().unwrap();
    let timeline = timeline_to_its_end(&scene, &service, Generation(1)).await;
    let kinds: Vec<String> = timeline.iter().map(kind).collect();
    assert_eq!(kinds[0], "opened", "{kinds:?}");
    for expected in ["weights 0", "weights 0.1", "signalled", "phase rolled_back"] {
        assert_eq!(kinds.iter().filter(|kind| *kind == expected).count(), 1, "{expected}: {kinds:?}");
    }

    // Nobody called the recorder for it, and it wrote nothing but moments.
    let own = scene.local.journal().calls_of(RECORDER);
    assert!(own.iter().all(|call| ["PutItem", "Query"].contains(&call.operation.as_str())), "{own:?}");
    let published = published_to_its_end(&scene).await;
    for once in ["DeploymentCount", "RollbackCount", "AutoRollbackCount", "FailedDeployments", "RollbackTime"]
    {
        assert_eq!(published.get(once).map(Vec::len), Some(1), "{once}: {published:?}");
    }
    assert_eq!(published["CanaryTrafficPercentage"].iter().sum::<f64>(), 10.0, "{published:?}");
    assert!(!published.contains_key("ManualRollbackCount"), "{published:?}");

    let terminal = Terminal { scene: &scene };
    let said = terminal.says(0, &["history"]).await;
    assert!(said.contains("checkout #1") && said.contains("alarm checkout-error-rate"), "{said}");
    let measured = terminal.json(&["dora", "checkout"]).await;
    let besides = &measured["services"]["checkout"]["besides"];
    assert_eq!((&besides["stopped_in_canary"], &besides["silent"]), (&json!(1), &json!(0)), "{measured}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_is_away_never_touches_a_rollback() {
    let scene = Scene::set().await;
    scene.release(10).await;
    scene.local.faults().add(FaultRule::always("*", Fault::Deny).of(RECORDER));
    assert_eq!(outcome(&scene.deliver(&alarm_now()).await), "restore");
    let routing = scene.routing().await;
    assert_eq!((routing.version.as_str(), routing.weights.len()), ("1", 0));
    assert!(scene.is_reported().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_is_cut_anywhere_keeps_the_same() {
    let scene = Scene::set().await;
    scene.release(10).await;
    assert_eq!(outcome(&scene.deliver(&alarm_now()).await), "restore");
    let release = scene.latest().await;
    let mut expected: Option<Vec<String>> = None;
    let mut cuts = 0;
    for is_effective in [false, true] {
        for nth in 1..=crate::crashes::CALLS_MAX {
            let service: ServiceName = format!("cut-{is_effective}-{nth}").parse().unwrap();
            let event = first_write_of(&Release { service: service.clone(), ..release.clone() });
            let was_cut = cut(&scene, &event, nth, is_effective).await;
            let again =
                scene.process("release-recorder").await.invoke(event.to_string(), ANSWER_WAIT_MAX).await;
            let InvocationOutcome::Response(answer) = again else { panic!("cut {nth}: {again:?}") };
            assert_eq!(answer["batchItemFailures"], json!([]), "cut {nth}");

            let timeline = scene.stage.aws.ledger.timeline(&service, release.generation).await.unwrap();
            let kinds: Vec<String> = timeline.iter().map(kind).collect();
            assert_eq!(expected.get_or_insert_with(|| kinds.clone()), &kinds, "cut {nth}");
            if !was_cut {
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts >= 8, "only {cuts} cuts were made");
}

/// A whole release in one write, as the stream tells it: opened, weighted, signalled and rolled back.
fn first_write_of(release: &Release) -> Value {
    json!({ "Records": [{
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": release.opened_at.as_second(),
            "Keys": { "pk": { "S": format!("history#{}", release.service) }, "sk": { "S": "0000000001" } },
            "NewImage": { "doc": { "S": serde_json::to_string(release).unwrap() } },
            "SequenceNumber": "1",
        },
    }] })
}

/// Kills a new process at its nth AWS call; false if it made fewer and finished.
async fn cut(scene: &Scene, event: &Value, nth: u32, is_effective: bool) -> bool {
    let mut process = scene.process("release-recorder").await;
    let switch = process.kill_switch();
    let kill = Arc::new(move || switch.pull());
    let fault = if is_effective { Fault::CrashAfter(kill) } else { Fault::CrashBefore(kill) };
    scene.local.faults().add(FaultRule::nth("*", nth, fault).of(RECORDER));
    let ended = process.invoke(event.to_string(), ANSWER_WAIT_MAX).await;
    scene.local.faults().clear();
    match ended {
        InvocationOutcome::Crashed(_) => true,
        InvocationOutcome::Response(_) => false,
        other @ (InvocationOutcome::Error { .. } | InvocationOutcome::TimedOut) => {
            panic!("call {nth}: {other:?}")
        }
    }
}
