//! What the tests of work apart start: a process that does what it is told, however badly; and the desk that starts it.
#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "dying and babbling is its purpose"
)]

use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use ripcord::aws::apart::{Apart, CHECK, answer_apart};
use serde_json::{Value, json};

/// How long the desk waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than any pipe holds, and more than is passed through.
const MEGABYTES: usize = 8;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let told = std::env::args().nth(1).unwrap_or_default();
    if told != CHECK {
        let heard: Result<Value, _> = Apart::in_this_executable().run(&json!({ "do": told }), PATIENCE).await;
        println!("desk: {heard:?}");
        return Ok(());
    }
    Ok(answer_apart(async |request: Value| work(&request).await).await?)
}

async fn work(request: &Value) -> Value {
    // What a hook's desk hands over holds the event of the hook, and nobody reports on it.
    let told = request.pointer("/check/event/do").unwrap_or(&request["do"]);
    match told.as_str().unwrap_or("answer") {
        "answer" => {
            println!("on standard output");
            eprintln!("on standard error");
        }
        "panic" => panic!("the sky is\nfalling"),
        "abort" => {
            eprintln!("about to abort");
            std::process::abort();
        }
        "exit" => std::process::exit(7),
        "hang" => {
            println!("{}", std::process::id());
            eprintln!("about to hang");
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        "allocate" => {
            let mut held = Vec::new();
            loop {
                held.push(vec![1_u8; 1024 * 1024]);
            }
        }
        "babble" => {
            let line = "x".repeat(1023);
            for _ in 0..MEGABYTES * 1024 {
                println!("{line}");
                eprintln!("{line}");
            }
        }
        "babble in one line" => eprint!("{}", "x".repeat(MEGABYTES * 1024 * 1024)),
        "garble" => say("this is no answer\n"),
        "stop short" => {
            say("{\"half\": ");
            std::process::exit(0);
        }
        "answer without end" => say(&"x".repeat(MEGABYTES * 1024 * 1024)),
        "answer twice" => say("\"the first\"\n"),
        other => panic!("nobody knows how to {other}"),
    }
    json!({ "did": request["do"] })
}

/// Answers beside the answer.
fn say(text: &str) {
    if let Ok(line) = std::io::stdin().as_fd().try_clone_to_owned() {
        let mut line = std::os::unix::net::UnixStream::from(line);
        let _ = line.set_nonblocking(false);
        let _ = line.write_all(text.as_bytes());
    }
}
