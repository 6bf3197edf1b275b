//! Step Functions as a progressive release uses them: waits and timeouts in scaled time, callbacks, ends that stay, errors
//! that arrive by name, and tasks that a test can see and break.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod machines;
#[expect(dead_code, reason = "these tests need only some of its calls")]
mod scene;

use machines::{AFTERMATH, ASK, Machines, SOON, approval, assert_scaled, output, task};
use ripcord_rehearsal::{
    executions::ExecutionStatus,
    front::faults::{Fault, FaultRule},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_deployed_machine_runs_in_scaled_time_and_its_unhappy_end_reaches_a_function() {
    let machines = Machines::deployed().await;
    let machine = machines.scene.outputs["ReleaseArn"].clone();
    let started = Instant::now();
    let execution = machines.start(&machine, &json!({"answer": "pass", "bake_s": 60})).await;
    let ended = machines.until_ended(&execution).await;
    assert_scaled(started, 60.0);
    let output = output(&ended);
    let result = &output["stage"]["result"];
    assert_eq!(output["bake_s"], 60, "a result path keeps the rest of the input: {output}");
    assert_eq!(result["asked"]["execution"], execution);
    assert!(result["asked"]["entered"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{result}");
    assert_eq!(result["minute_ms"], "1000", "a function is told how long a minute lasts");
    assert_eq!(machines.tasks(), [(Some("echo:live".to_owned()), Some(200))]);

    let execution = machines.start(&machine, &json!({"answer": "fail", "bake_s": 0})).await;
    let ended = machines.until_ended(&execution).await;
    assert_eq!((&ended["status"], &ended["error"]), (&json!("FAILED"), &json!("StageFailed")));
    assert_eq!(ended["cause"], format!("fail in {execution}"));
    let event = ripcord_rehearsal::wait_until("the event", SOON, || machines.scene.received("detail-type"));
    let event = event.await.unwrap();
    assert_eq!(event["source"], "aws.states");
    assert_eq!(event["detail"]["status"], "FAILED");
    assert_eq!(event["detail"]["executionArn"], execution);
    assert_eq!(event["detail"]["error"], "StageFailed");
    // Asynchronously, as EventBridge invokes: a failure would be tried again and kept.
    let delivered =
        machines.scene.aws.journal().matching(|entry| entry.resource.as_deref() == Some("receiver"));
    assert_eq!(delivered.iter().map(|entry| entry.status).collect::<Vec<_>>(), [Some(202)]);
}

#[tokio::test]
async fn a_callback_times_out_in_scaled_seconds() {
    let machines = Machines::deployed().await;
    let definition = json!({"States": {
        "First": approval(json!({"TimeoutSecondsPath": "$.limit_s", "Catch": [
            {"ErrorEquals": ["States.Timeout"], "ResultPath": "$.gate", "Next": "Late"}]})),
        "Late": {"Type": "Pass", "End": true},
    }});
    let started = Instant::now();
    let ended = machines.run(definition, &json!({"limit_s": 90, "fail": false})).await;
    assert_scaled(started, 90.0);
    let output = output(&ended);
    assert_eq!((&output["gate"]["Error"], &output["limit_s"]), (&json!("States.Timeout"), &json!(90)));
    // Whoever answers too late is told so.
    let answer = json!({"taskToken": machines.token().await, "output": "{}"});
    let refused = machines.call("SendTaskSuccess", &answer).await.unwrap_err();
    assert!(refused["__type"].as_str().unwrap().ends_with("TaskTimedOut"), "{refused}");
}

#[tokio::test]
async fn a_callback_is_answered_once() {
    let machines = Machines::deployed().await;
    let machine =
        machines.create(json!({"States": {"First": approval(json!({"TimeoutSeconds": 600}))}})).await;
    let execution = machines.start(&machine, &json!({"fail": false})).await;
    let token = machines.token().await;
    let no_json = json!({"taskToken": token, "output": "yes"});
    let refused = machines.call("SendTaskSuccess", &no_json).await.unwrap_err();
    assert!(refused["__type"].as_str().unwrap().ends_with("InvalidOutput"), "{refused}");
    let executions = machines.scene.aws.executions();
    executions.send_task(&token, Ok(&json!({"approved_by": "a person"}))).await.unwrap();
    let no = executions.send_task(&token, Err(("Rejected", "changed my mind"))).await.unwrap_err();
    assert_eq!(no.code().as_deref(), Some("TaskTimedOut"), "{no}");
    assert_eq!(output(&machines.until_ended(&execution).await), json!({"approved_by": "a person"}));
}

#[tokio::test]
async fn a_callback_may_be_refused_by_a_person() {
    let machines = Machines::deployed().await;
    let machine = machines.create(json!({"States": {"First": approval(json!({}))}})).await;
    let execution = machines.start(&machine, &json!({"fail": false})).await;
    let executions = machines.scene.aws.executions();
    executions.send_task(&machines.token().await, Err(("Rejected", "not today"))).await.unwrap();
    let ended = executions.until_ended(&execution, SOON).await.unwrap();
    let expected = (ExecutionStatus::Failed, Some("Rejected".to_owned()), Some("not today".to_owned()));
    assert_eq!((ended.status, ended.error, ended.cause), expected);
    let named = [
        ("", "ExecutionStarted"),
        ("First", "TaskStateEntered"),
        ("First", "TaskScheduled"),
        ("First", "TaskFailed"),
        ("First", "ExecutionFailed"),
    ];
    let named = named.map(|(state, kind)| (state.to_owned(), kind.to_owned()));
    assert_eq!(executions.history(&execution).await.unwrap(), named);
}

#[tokio::test]
async fn a_callback_fails_with_its_functions_error_and_is_tried_again() {
    let machines = Machines::deployed().await;
    let definition = json!({"States": {
        "First": approval(json!({
            "TimeoutSeconds": 600,
            "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 60, "MaxAttempts": 1, "BackoffRate": 10,
                "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}],
            "Catch": [{"ErrorEquals": ["Broken"], "ResultPath": "$.problem", "Next": "Told"}],
        })),
        "Told": {"Type": "Pass", "End": true},
    }});
    let started = Instant::now();
    let output = output(&machines.run(definition, &json!({"fail": true})).await);
    assert_scaled(started, 60.0);
    assert_eq!((&output["problem"]["Error"], &output["fail"]), (&json!("Broken"), &json!(true)));
    let cause: Value = serde_json::from_str(output["problem"]["Cause"].as_str().unwrap()).unwrap();
    assert_eq!(cause["errorMessage"], "as it was told");
    assert_eq!(machines.tasks().len(), 2, "{:?}", machines.tasks());
}

#[tokio::test]
async fn a_retry_waits_as_long_as_its_retrier_says() {
    let machines = Machines::deployed().await;
    // Ten seconds and then, instead of six hundred, ten; and a delay of more than a minute.
    let bounded = json!({"IntervalSeconds": 10, "BackoffRate": 60, "MaxAttempts": 2, "MaxDelaySeconds": 10});
    let long = json!({"IntervalSeconds": 90, "BackoffRate": 1, "MaxAttempts": 1});
    for (name, mut retry, least_s, most_s) in [("bounded", bounded, 20.0, 500.0), ("long", long, 90.0, 500.0)]
    {
        retry["ErrorEquals"] = json!(["States.ALL"]);
        let machine =
            machines.create_as(name, json!({"States": {"First": task(json!({"Retry": [retry]}))}})).await;
        let started = Instant::now();
        let execution = machines.start(&machine, &json!({"fail": true})).await;
        assert_eq!(machines.until_ended(&execution).await["error"], "Broken");
        let elapsed = started.elapsed().as_secs_f64();
        assert!((least_s / 60.0..most_s / 60.0).contains(&elapsed), "{name}: {elapsed:.2} s");
    }
}

#[tokio::test]
async fn a_stopped_execution_stays_stopped_wherever_it_was() {
    let machines = Machines::deployed().await;
    let after = json!({"Type": "Task", "Resource": ASK, "End": true,
        "Parameters": {"FunctionName": "echo:live", "Payload": {"after": true}}});
    let places = [
        ("waits", json!({"Type": "Wait", "Seconds": 60, "Next": "After"}), "WaitStateEntered"),
        (
            "asks",
            task(json!({"Next": "After", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "After"}]})),
            "TaskScheduled",
        ),
        (
            "is-called-back",
            approval(json!({"Next": "After", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "After"}]})),
            "TaskScheduled",
        ),
        (
            "tries-again",
            task(json!({"Next": "After", "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60}]})),
            "TaskFailed",
        ),
    ];
    let mut stopped = Vec::new();
    for (name, mut first, event) in places {
        first.as_object_mut().unwrap().remove("End");
        let machine = machines.create_as(name, json!({"States": {"First": first, "After": after}})).await;
        let input = json!({"sleep_ms": 1_000, "fail": name == "tries-again"});
        let execution = machines.start(&machine, &input).await;
        machines.until_event(&execution, event).await;
        let stop = json!({"executionArn": execution, "error": "Superseded", "cause": "a test said so"});
        let once = machines.call("StopExecution", &stop).await.unwrap();
        assert_eq!(
            machines.call("StopExecution", &stop).await.unwrap(),
            once,
            "{name}: stopping twice is stopping once"
        );
        stopped.push((name, execution, machines.tasks().len()));
    }
    let tasks = machines.tasks().len();
    tokio::time::sleep(AFTERMATH).await;
    assert_eq!(machines.tasks().len(), tasks, "nothing was called after the last stop");
    for (name, execution, _) in &stopped {
        let described = machines.described(execution).await;
        assert_eq!(
            (&described["status"], &described["cause"]),
            (&json!("ABORTED"), &json!("a test said so")),
            "{name}"
        );
        let events = machines.events(execution).await;
        assert_eq!(events.last().map(String::as_str), Some("ExecutionAborted"), "{name}: {events:?}");
    }
    // One event each, and none that says anything else.
    let events = machines.scene.receive("EndedUrl", stopped.len()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(machines.scene.receive_once("EndedUrl").await, Vec::<Value>::new());
    for event in &events {
        let detail = &event["detail"];
        assert_eq!(
            (&detail["status"], &detail["error"]),
            (&json!("ABORTED"), &json!("Superseded")),
            "{detail}"
        );
        assert_eq!(detail["cause"], "a test said so");
    }
    // A token of an execution that has ended is of no use.
    let answer = json!({"taskToken": machines.token().await, "output": "{}"});
    let refused = machines.call("SendTaskSuccess", &answer).await.unwrap_err();
    assert!(refused["__type"].as_str().unwrap().ends_with("TaskTimedOut"), "{refused}");
}

#[tokio::test]
async fn an_execution_times_out_in_scaled_seconds() {
    let machines = Machines::deployed().await;
    let definition = json!({"TimeoutSeconds": 60, "States": {
        "First": {"Type": "Wait", "Seconds": 120, "Next": "After"},
        "After": task(json!({})),
    }});
    let started = Instant::now();
    let execution = machines.start(&machines.create(definition).await, &json!({})).await;
    let ended = machines.until_ended(&execution).await;
    assert_scaled(started, 60.0);
    assert_eq!((&ended["status"], &ended["error"]), (&json!("TIMED_OUT"), &json!("States.Timeout")));
    let event = machines.scene.receive("EndedUrl", 1).await.remove(0);
    assert_eq!(
        (&event["detail"]["status"], &event["detail"]["executionArn"]),
        (&json!("TIMED_OUT"), &json!(execution))
    );
    tokio::time::sleep(AFTERMATH).await;
    assert_eq!(machines.tasks(), [], "nothing was called after the end");
    assert_eq!(machines.events(&execution).await.last().map(String::as_str), Some("ExecutionTimedOut"));
    assert_eq!(machines.described(&execution).await["status"], "TIMED_OUT");
}

#[tokio::test]
async fn an_execution_just_within_its_limit_succeeds() {
    let machines = Machines::deployed().await;
    let definition =
        json!({"TimeoutSeconds": 240, "States": {"First": {"Type": "Wait", "Seconds": 60, "End": true}}});
    assert_eq!(output(&machines.run(definition, &json!({"kept": true})).await), json!({"kept": true}));
}

#[tokio::test]
async fn a_path_that_selects_nothing_ends_the_execution_whatever_would_catch_it() {
    let machines = Machines::deployed().await;
    let caught = json!([{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]);
    let rescue = json!({"Type": "Pass", "End": true});
    let missing = [
        task(
            json!({"Parameters": {"FunctionName": "echo:live", "Payload": {"x.$": "$.absent.x"}}, "Catch": caught}),
        ),
        task(json!({"ResultSelector": {"x.$": "$.Payload.absent"}, "Catch": caught})),
        task(json!({"Parameters": {"FunctionName": "echo:live", "x.$": "$$.Absent"}, "Catch": caught})),
        approval(json!({"TimeoutSecondsPath": "$.absent", "Catch": caught})),
        approval(json!({"TimeoutSecondsPath": "$.text", "Catch": caught})),
        json!({"Type": "Wait", "SecondsPath": "$.absent", "End": true}),
        json!({"Type": "Wait", "SecondsPath": "$.text", "End": true}),
        json!({"Type": "Choice", "Choices": [{"Variable": "$.absent", "StringEquals": "x", "Next": "Caught"}], "Default": "Caught"}),
    ];
    for (index, first) in missing.into_iter().enumerate() {
        let machine = machines
            .create_as(&format!("machine-{index}"), json!({"States": {"First": first, "Caught": rescue}}))
            .await;
        let input = json!({"text": "ten", "fail": false});
        let execution = machines.start(&machine, &input).await;
        let ended = machines.until_ended(&execution).await;
        assert_eq!(
            (&ended["status"], &ended["error"]),
            (&json!("FAILED"), &json!("States.Runtime")),
            "{first}"
        );
    }
    // Asking whether something is there is the one thing that a choice may do with what is not.
    let choice = json!({"Type": "Choice", "Default": "Caught", "Choices": [
        {"And": [{"Variable": "$.absent", "IsPresent": true}, {"Variable": "$.absent", "StringEquals": "x"}], "Next": "First"}]});
    let ended = machines.run(json!({"States": {"First": choice, "Caught": rescue}}), &json!({})).await;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
}

#[tokio::test]
async fn the_same_start_is_the_same_execution() {
    let machines = Machines::deployed().await;
    let machine =
        machines.create(json!({"States": {"First": {"Type": "Wait", "Seconds": 60, "End": true}}})).await;
    let start = |input: &str| json!({"stateMachineArn": machine, "name": "release-7", "input": input});
    let first = machines.call("StartExecution", &start("{}")).await.unwrap();
    assert_eq!(machines.call("StartExecution", &start("{}")).await.unwrap(), first);
    let other = machines.call("StartExecution", &start(r#"{"other": 1}"#)).await.unwrap_err();
    assert!(other["__type"].as_str().unwrap().ends_with("ExecutionAlreadyExists"), "{other}");
    machines.until_ended(first["executionArn"].as_str().unwrap()).await;
    let later = machines.call("StartExecution", &start("{}")).await.unwrap_err();
    assert!(later["__type"].as_str().unwrap().ends_with("ExecutionAlreadyExists"), "{later}");
}

#[tokio::test]
async fn faults_hit_the_calls_of_tasks() {
    let machines = Machines::deployed().await;
    machines.scene.aws.faults().add(FaultRule::once("Invoke", Fault::Throttle));
    let retry = json!([{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1}]);
    let definition =
        json!({"States": {"First": task(json!({"Retry": retry, "OutputPath": "$.Payload.event"}))}});
    assert_eq!(output(&machines.run(definition, &json!({"kept": 1})).await), json!({"kept": 1}));
    let echo = || Some("echo:live".to_owned());
    assert_eq!(machines.tasks(), [(echo(), Some(429)), (echo(), Some(200))]);
}

#[tokio::test]
async fn branches_share_the_end_of_their_execution() {
    let machines = Machines::deployed().await;
    let branch = |seconds: u32| {
        json!({"StartAt": "Wait", "States": {
            "Wait": {"Type": "Wait", "Seconds": seconds, "Next": "Ask"}, "Ask": task(json!({}))}})
    };
    let definition =
        json!({"States": {"First": {"Type": "Parallel", "Branches": [branch(60), branch(90)], "End": true}}});
    let execution = machines.start(&machines.create(definition).await, &json!({})).await;
    machines.until_event(&execution, "ParallelStateEntered").await;
    machines.call("StopExecution", &json!({ "executionArn": execution })).await.unwrap();
    tokio::time::sleep(AFTERMATH).await;
    assert_eq!(machines.tasks(), []);
    assert_eq!(machines.events(&execution).await.last().map(String::as_str), Some("ExecutionAborted"));
}
