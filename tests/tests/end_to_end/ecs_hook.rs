//! `ecs-lifecycle-hook` as it is shipped: a desk and a process for each check. Whatever becomes of the check, ECS has an
//! answer before the function's time is over, and none of them stands in the way of a rollback.

use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::runtime_api::{FunctionProcess, FunctionSpec, InvocationOutcome};
use serde_json::{Value, json};

use crate::scene::{ANSWER_WAIT_MAX, REGION, Scene, built, workspace};

fn event(name: &str) -> Value {
    let text = std::fs::read_to_string(workspace().join(format!("events/ecs/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The function where AWS is not, with this much memory.
async fn alone(memory_mb: u32) -> FunctionProcess {
    let mut spec = FunctionSpec::new(built("bootstrap"), "ecs-lifecycle-hook")
        .env("AWS_ENDPOINT_URL", "http://nowhere.invalid")
        .env("RIPCORD_TABLE", "ledger")
        .env("RIPCORD_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:notices")
        .env("RIPCORD_NAMESPACE", "ripcord/Deployments");
    spec.region = REGION.to_owned();
    spec.memory_mb = memory_mb;
    FunctionProcess::spawn(&spec).await.unwrap()
}

#[track_caller]
fn response(answered: InvocationOutcome) -> Value {
    match answered {
        InvocationOutcome::Response(response) => response,
        other @ (InvocationOutcome::Error { .. }
        | InvocationOutcome::Crashed(_)
        | InvocationOutcome::TimedOut) => panic!("no answer but {other:?}"),
    }
}

/// Calls a hook until it has come to an end, without waiting in between.
async fn answers(process: &mut FunctionProcess, name: &str) -> Vec<String> {
    const CALLS_MAX: usize = 10;
    let (mut event, mut answers) = (event(name), Vec::new());
    for _ in 0..CALLS_MAX {
        let answer = response(process.invoke(event.to_string(), ANSWER_WAIT_MAX).await);
        let status = answer["hookStatus"].as_str().unwrap().to_owned();
        answers.push(status.clone());
        if status != "IN_PROGRESS" {
            return answers;
        }
        event["hookDetails"] = answer["hookDetails"].clone();
    }
    panic!("it is asked for ever: {answers:?}")
}

fn said(process: &FunctionProcess, words: &str) -> bool {
    process.logs().iter().any(|line| line.text.contains(words))
}

const UNSEEN: [&str; 3] = ["IN_PROGRESS", "IN_PROGRESS", "FAILED"];

#[tokio::test(flavor = "multi_thread")]
async fn names_that_do_not_resolve_mean_no_in_the_end() {
    let mut process = alone(128).await;
    assert_eq!(answers(&mut process, "pre-scale-up").await, UNSEEN);
    assert!(said(&process, "dynamodb:Query of place#ecs:shop/checkout failed"), "{:?}", process.logs());
    assert_eq!(answers(&mut process, "rollback-production-traffic-shift").await, ["SUCCEEDED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_without_memory_dies_and_its_desk_answers() {
    // A megabyte more than what the desk keeps for itself.
    let mut process = alone(49).await;
    assert_eq!(answers(&mut process, "post-production-traffic-shift").await, UNSEEN);
    // Whether it is an allocation that fails or a thread that cannot start, it is the check's end and nobody else's.
    assert!(said(&process, "the check died"), "{:?}", process.logs());
    assert!(process.is_alive());
    assert_eq!(answers(&mut process, "rollback-test-traffic-shift").await, ["SUCCEEDED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_fails_is_asked_again_and_one_that_hangs_is_given_up_in_time() {
    let scene = Scene::set().await;
    let mut process = scene.process("ecs-lifecycle-hook").await;
    assert_eq!(answers(&mut process, "pre-scale-up").await, ["FAILED"], "nobody has registered it");
    for fault in [Fault::Throttle, Fault::ServerError { status: 500 }, Fault::DropBefore] {
        let name = format!("{fault:?}");
        scene.local.faults().add(FaultRule::always("Query", fault));
        assert_eq!(answers(&mut process, "pre-scale-up").await, UNSEEN, "{name}");
        assert_eq!(answers(&mut process, "rollback-production-traffic-shift").await, ["SUCCEEDED"], "{name}");
        scene.local.faults().clear();
    }
    let mut again = event("pre-scale-up");
    again["hookDetails"] = json!({ "team": "shop" });
    let answer = response(process.invoke(again.to_string(), ANSWER_WAIT_MAX).await);
    assert_eq!(answer, json!({ "hookStatus": "FAILED" }));
}
