//! Work apart, with real processes: however it ends, the desk lives on and knows.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ecs_lifecycle_hook::{Desk, Request};
use jiff::{SignedDuration, Timestamp};
use ripcord::aws::apart::{Apart, Fate, LastWords};
use ripcord::lifecycle::HookStatus;
use ripcord::pipeline::Tempo;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_apart");
/// Longer than any machine takes for what is tried here, and ended by the answer.
const LONG: Duration = Duration::from_secs(60);
/// When an invocation ends: the check has a second of it, the report five at most, and the answer two.
const ENDS_IN: SignedDuration = SignedDuration::from_secs(8);
/// Long enough for a process to start and speak.
const SHORT: Duration = Duration::from_secs(2);

async fn told(what: &str, patience: Duration) -> Result<Value, Fate> {
    Apart::in_program(PROGRAM).run(&json!({ "do": what }), patience).await
}

fn died(how: &str, last_words: &str) -> Result<Value, Fate> {
    Err(Fate::Died { how: how.to_owned(), last_words: LastWords(last_words.to_owned()) })
}

fn children() -> Vec<String> {
    let me = std::process::id();
    let tasks = std::fs::read_dir(format!("/proc/{me}/task")).unwrap();
    let of =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks
        .flat_map(|task| of(task.unwrap()).split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[tokio::test]
async fn an_answer_comes_back() {
    assert_eq!(told("answer", LONG).await, Ok(json!({ "did": "answer" })));
    assert_eq!(children(), Vec::<String>::new());
}

#[tokio::test]
async fn a_panic_is_told_in_its_own_words() {
    let Err(Fate::Died { how, last_words }) = told("panic", LONG).await else { panic!("it answered") };
    // What is shipped aborts at a panic; what is built for tests unwinds.
    assert_eq!(how, "exit status: 101");
    assert!(last_words.0.starts_with("panicked at tests/src/bin/apart.rs:"), "{last_words}");
    assert!(last_words.0.ends_with(": the sky is falling"), "{last_words}");
}

#[tokio::test]
async fn a_death_is_told_by_its_signal_or_code() {
    assert_eq!(told("abort", LONG).await, died("signal: 6 (SIGABRT)", "about to abort"));
    assert_eq!(told("exit", LONG).await, died("exit status: 7", ""));
    assert_eq!(children(), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_stops_in_the_middle_of_an_answer_has_not_answered() {
    assert_eq!(told("stop short", LONG).await, died("exit status: 0", ""));
}

#[tokio::test]
async fn silence_ends_when_patience_does_and_leaves_no_process() {
    for what in ["hang", "spin"] {
        let begun = std::time::Instant::now();
        let Err(Fate::Silent { patience, .. }) = told(what, SHORT).await else { panic!("{what} answered") };
        assert_eq!(patience, SHORT);
        assert!(begun.elapsed() >= SHORT);
        assert_eq!(children(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_answer_that_nobody_can_read_says_how_it_begins() {
    let Err(Fate::Garbled { text, .. }) = told("garble", LONG).await else { panic!("it could be read") };
    assert_eq!(text, "this is no answer");
    let Err(Fate::Garbled { text, .. }) = told("answer without end", LONG).await else {
        panic!("it could be read")
    };
    assert_eq!(text, "x".repeat(300));
    assert_eq!(children(), Vec::<String>::new());
}

#[tokio::test]
async fn the_first_answer_counts() {
    assert_eq!(told("answer twice", LONG).await, Ok(json!("the first")));
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let heard: Result<Value, _> = Apart::in_program("/nowhere").run(&json!({}), LONG).await;
    let why = "No such file or directory (os error 2)".to_owned();
    assert_eq!(heard, Err(Fate::NotStarted { why }));
}

#[tokio::test]
async fn whoever_stops_waiting_leaves_no_process() {
    let given_up = tokio::time::timeout(SHORT, told("hang", LONG)).await;
    assert!(given_up.is_err());
    // The runtime reaps what was dropped when it next hears of a child's end.
    for _ in 0..100 {
        if children().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?} live on", children());
}

/// The desk in a process of its own, as a function with some memory, and with what it passes through.
fn desk(what: &str) -> Output {
    Command::new(PROGRAM).arg(what).env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256").output().unwrap()
}

fn last_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn what_the_work_prints_comes_out_of_the_desk() {
    let desk = desk("answer");
    let said = "on standard output\ndesk: Ok(Object {\"did\": String(\"answer\")})\n";
    assert_eq!(String::from_utf8_lossy(&desk.stdout), said);
    assert_eq!(String::from_utf8_lossy(&desk.stderr), "on standard error\n");
}

#[test]
fn whoever_allocates_without_end_dies_alone() {
    let desk = desk("allocate");
    assert!(desk.status.success());
    let heard = last_line(&desk.stdout);
    assert!(heard.starts_with("desk: Err(Died { how: \"signal: 6 (SIGABRT)\""), "{heard}");
    assert!(heard.contains("memory allocation of "), "{heard}");
}

#[test]
fn babble_is_read_to_its_end_and_passed_on_within_bounds() {
    for what in ["babble", "babble in one line"] {
        let desk = desk(what);
        let answered = format!("desk: Ok(Object {{\"did\": String({what:?})}})");
        assert_eq!(last_line(&desk.stdout), answered);
        for passed in [&desk.stdout, &desk.stderr] {
            assert!(passed.len() <= 1024 * 1024 + answered.len() + 1, "{} bytes", passed.len());
        }
        assert!(desk.stderr.len() >= 512 * 1024, "{} bytes", desk.stderr.len());
    }
}

#[test]
fn whoever_works_for_a_desk_that_dies_dies_too() {
    let mut desk = Command::new(PROGRAM).arg("hang").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(desk.stdout.take().unwrap()).lines();
    let process = lines.next().unwrap().unwrap();
    let process = Path::new("/proc").join(process);
    let lives = || {
        let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
        // Whoever adopts a process that has ended may take its time to reap it.
        !stat.is_empty() && !stat.contains(") Z ")
    };
    assert!(lives());
    desk.kill().unwrap();
    desk.wait().unwrap();
    for _ in 0..100 {
        if !lives() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{} lives on", process.display());
}

/// The desk of a lifecycle hook, whose check does what it is told; each call has what the answer before has left.
async fn hooked(stage: &str, target_percent: u32, what: &str) -> Vec<HookStatus> {
    let mut event = json!({
        "lifecycleStage": stage,
        "executionDetails": {
            "serviceArn": "arn:aws:ecs:eu-west-1:123456789012:service/shop/checkout",
            "targetServiceRevisionArn": "new",
            "productionTrafficWeights": { "new": target_percent, "old": 100 - target_percent },
        },
        "do": what,
    });
    let desk = Desk { clock: Timestamp::now, tempo: Tempo::REAL };
    let mut answers = Vec::new();
    for _ in 0..3 {
        let ends_at = Timestamp::now() + ENDS_IN;
        let apart = Apart::in_program(PROGRAM);
        let work = async |request: Request, patience| apart.run(&request, patience).await;
        let answer = ecs_lifecycle_hook::answer(&event, ends_at, desk, work).await;
        assert!(Timestamp::now() < ends_at, "{what}: ECS has no answer");
        answers.push(answer.hook_status);
        match answer.hook_status {
            HookStatus::Succeeded | HookStatus::Failed => break,
            HookStatus::InProgress => event["hookDetails"] = json!(answer.hook_details),
        }
    }
    answers
}

#[tokio::test]
async fn a_hook_answers_in_time_whatever_its_check_does() {
    use HookStatus::{Failed, InProgress, Succeeded};
    for what in ["panic", "abort", "hang", "spin", "garble", "stop short", "babble", "answer twice"] {
        let answers = hooked("PRODUCTION_TRAFFIC_SHIFT", 100, what).await;
        assert_eq!(answers, [InProgress, InProgress, Failed], "{what}");
        let back = hooked("PRODUCTION_TRAFFIC_SHIFT", 0, what).await;
        assert_eq!(back, [Succeeded], "{what} while traffic goes back");
    }
    assert_eq!(children(), Vec::<String>::new());
}
