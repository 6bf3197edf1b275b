//! The Lambda host against a tiny runtime in Python: every way in which an event can end.
#![expect(clippy::expect_used, reason = "a test that cannot go on says so by failing")]

use std::time::{Duration, Instant};

use ripcord_rehearsal::runtime_api::{FunctionProcess, FunctionSpec, InvocationOutcome, LogStream};
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(20);

/// Does what the event's `do` says, so that one loop serves all tests.
const LOOP: &str = r#"
import http.client, json, os, signal, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
BASE = "/2018-06-01/runtime/"
def post(path, body):
    api.request("POST", BASE + path, body)
    return api.getresponse().read()
print("started as", os.environ["_HANDLER"], flush=True)
if os.environ.get("INIT") == "error":
    post("init/error", json.dumps({"errorType": "BadSettings", "errorMessage": "no table", "stackTrace": []}))
    sys.exit(3)
if os.environ.get("INIT") == "crash":
    print("cannot start", file=sys.stderr, flush=True)
    sys.exit(4)
while True:
    api.request("GET", BASE + "invocation/next")
    answer = api.getresponse()
    raw = answer.read()
    id = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    left_ms = int(answer.getheader("Lambda-Runtime-Deadline-Ms")) - time.time() * 1000
    try:
        event = json.loads(raw)
    except ValueError as e:
        post(f"invocation/{id}/error", json.dumps({"errorType": "BadEvent", "errorMessage": str(e)}))
        continue
    do = event["do"]
    if do == "echo":
        post(f"invocation/{id}/response", json.dumps({"id": id, "echo": event, "left_ms": left_ms,
            "arn": answer.getheader("Lambda-Runtime-Invoked-Function-Arn"), "env": dict(os.environ)}))
    elif do == "error":
        post(f"invocation/{id}/error", json.dumps(
            {"errorType": "Throttled", "errorMessage": "try later", "stackTrace": ["a", "b"]}))
    elif do == "exit":
        print("last words", flush=True)
        os._exit(7)
    elif do == "signal":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif do == "hang":
        time.sleep(60)
    elif do == "answer and exit":
        post(f"invocation/{id}/response", "null")
        os._exit(0)
    elif do == "foreign id":
        print(post("invocation/someone-else/response", "1").decode(), flush=True)
        post(f"invocation/{id}/response", "2")
    elif do == "not json":
        post(f"invocation/{id}/response", "{")
"#;

fn python() -> FunctionSpec {
    FunctionSpec::new("/usr/bin/env", "tests.handler")
        .arg("python3")
        .arg("-c")
        .arg(LOOP)
        .env("PATH", std::env::var("PATH").unwrap_or_default())
}

async fn start(spec: &FunctionSpec) -> FunctionProcess {
    FunctionProcess::spawn(spec).await.expect("python3 starts")
}

async fn invoke(process: &mut FunctionProcess, what: &str) -> InvocationOutcome {
    process.invoke(json!({"do": what}).to_string(), DEADLINE).await
}

#[tokio::test]
async fn response_comes_back_with_lambdas_headers_and_environment() {
    let mut process = start(&python().env("TABLE", "ledger")).await;
    let ready = process.ready(DEADLINE).await.expect("it asks for an event");
    assert_eq!(process.ready_at(), Some(process.spawned_at() + ready));
    let InvocationOutcome::Response(value) = invoke(&mut process, "echo").await else {
        panic!("no response; it wrote {:?}", process.logs());
    };
    assert_eq!(value["echo"], json!({"do": "echo"}));
    assert_eq!(value["id"].as_str().map(str::len), Some(36));
    assert_eq!(value["arn"], "arn:aws:lambda:us-east-1:000000000000:function:tests.handler");
    assert!(value["left_ms"].as_f64().is_some_and(|left| left > 0.0 && left <= 20_000.0));
    assert_eq!(value["env"]["TABLE"], "ledger");
    assert_eq!(value["env"]["AWS_REGION"], "us-east-1");
    assert_eq!(value["env"]["HOME"], json!(null), "the host's environment must not leak in");

    let times = process.times_last().expect("an event has ended");
    let delivered_at = times.delivered_at.expect("it was delivered");
    assert!(times.offered_at <= delivered_at && delivered_at <= times.ended_at);
    let used = process.resource_use().expect("it is alive");
    assert!(used.rss_peak_kb > 1_000 && used.cpu_us > 1_000, "{used:?}");

    // The same process takes the next event.
    assert!(matches!(invoke(&mut process, "echo").await, InvocationOutcome::Response(_)));
    process.kill().await;
    assert!(process.resource_use().is_none());
}

#[tokio::test]
async fn reported_error_keeps_its_type_and_the_process_goes_on() {
    let mut process = start(&python()).await;
    let expected = InvocationOutcome::Error {
        error_type: "Throttled".to_owned(),
        message: "try later".to_owned(),
        stack: vec!["a".to_owned(), "b".to_owned()],
    };
    assert_eq!(invoke(&mut process, "error").await, expected);
    assert!(process.is_alive());
    let outcome = process.invoke("{not json", DEADLINE).await;
    assert!(matches!(&outcome, InvocationOutcome::Error { error_type, .. } if error_type == "BadEvent"));
    assert!(matches!(invoke(&mut process, "echo").await, InvocationOutcome::Response(_)));
}

#[tokio::test]
async fn response_that_is_no_json_is_an_error() {
    let mut process = start(&python()).await;
    let outcome = invoke(&mut process, "not json").await;
    assert!(
        matches!(&outcome, InvocationOutcome::Error { error_type, .. } if error_type == "Runtime.InvalidResponse")
    );
}

#[tokio::test]
async fn answer_to_a_foreign_request_is_refused() {
    let mut process = start(&python()).await;
    assert_eq!(invoke(&mut process, "foreign id").await, InvocationOutcome::Response(json!(2)));
    process.kill().await;
    assert!(process.logs().iter().any(|line| line.text.contains("InvalidRequestID")));
}

#[tokio::test]
async fn crash_while_handling_tells_how_it_ended_and_what_it_wrote() {
    let mut process = start(&python()).await;
    let InvocationOutcome::Crashed(exit) = invoke(&mut process, "exit").await else { panic!("no crash") };
    assert_eq!((exit.code, exit.signal), (Some(7), None));
    let lines: Vec<_> = process.logs().into_iter().map(|line| (line.stream, line.text)).collect();
    let expected = ["started as tests.handler", "last words"];
    assert_eq!(lines, expected.map(|text| (LogStream::Stdout, text.to_owned())));
    // Whoever tries again hears the same at once.
    assert!(matches!(invoke(&mut process, "echo").await, InvocationOutcome::Crashed(_)));

    let mut process = start(&python()).await;
    let InvocationOutcome::Crashed(exit) = invoke(&mut process, "signal").await else { panic!("no crash") };
    assert_eq!((exit.code, exit.signal), (None, Some(11)));
}

#[tokio::test]
async fn answer_given_just_before_the_end_counts() {
    let mut process = start(&python()).await;
    assert_eq!(invoke(&mut process, "answer and exit").await, InvocationOutcome::Response(json!(null)));
    assert_eq!(process.exited().await.code, Some(0));
}

#[tokio::test]
async fn deadline_kills_the_process() {
    let mut process = start(&python()).await;
    process.ready(DEADLINE).await.expect("it asks for an event");
    let event = json!({"do": "hang"}).to_string();
    assert_eq!(process.invoke(event, Duration::from_millis(100)).await, InvocationOutcome::TimedOut);
    assert_eq!(process.exited().await.signal, Some(9));
    assert!(!process.is_alive());
}

#[tokio::test]
async fn kill_switch_works_in_the_middle_of_an_event() {
    let mut process = start(&python()).await;
    process.ready(DEADLINE).await.expect("it asks for an event");
    let switch = process.kill_switch();
    let (outcome, ()) = tokio::join!(invoke(&mut process, "hang"), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        switch.pull();
    });
    let InvocationOutcome::Crashed(exit) = outcome else { panic!("{outcome:?}") };
    assert_eq!(exit.signal, Some(9));
    assert!(process.times_last().is_some_and(|times| times.delivered_at.is_some()));
}

#[tokio::test]
async fn failed_initialisation_is_told_to_whoever_waits_or_invokes() {
    let expected = InvocationOutcome::Error {
        error_type: "BadSettings".to_owned(),
        message: "no table".to_owned(),
        stack: Vec::new(),
    };
    let mut process = start(&python().env("INIT", "error")).await;
    assert_eq!(process.ready(DEADLINE).await, Err(expected.clone()));
    assert_eq!(invoke(&mut process, "echo").await, expected);
    assert_eq!(process.exited().await.code, Some(3));

    let mut process = start(&python().env("INIT", "crash")).await;
    let Err(InvocationOutcome::Crashed(exit)) = process.ready(DEADLINE).await else { panic!("no crash") };
    assert_eq!(exit.code, Some(4));
    assert!(
        process
            .logs()
            .iter()
            .any(|line| (line.stream, line.text.as_str()) == (LogStream::Stderr, "cannot start"))
    );
}

#[tokio::test]
async fn dropped_process_is_gone() {
    let process = start(&python()).await;
    let proc_entry = format!("/proc/{}", process.pid());
    assert!(std::path::Path::new(&proc_entry).exists());
    drop(process);
    let until = Instant::now() + Duration::from_secs(5);
    while std::path::Path::new(&proc_entry).exists() {
        assert!(Instant::now() < until, "it is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn missing_program_is_named() {
    let error =
        FunctionProcess::spawn(&FunctionSpec::new("/no/such/bootstrap", "h")).await.expect_err("no program");
    assert_eq!(error.to_string(), "failed to start /no/such/bootstrap");
}
