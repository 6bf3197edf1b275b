//! Every kind of thing that Ripcord puts back, on a started local AWS: what is kept, what is refused by name, and that each
//! region and account has its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod configuration;
mod ecs;
mod elsewhere;
mod events;
mod records;
mod rest_stage;
mod sdk;
mod stacks;
mod traffic;

use ripcord_rehearsal::{LocalAws, Options, aws_client::AwsAnswer, targets::TargetError};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

async fn started() -> LocalAws {
    LocalAws::start(Options::default()).await.unwrap()
}

/// Looks until it sees what it waits for.
async fn until<T: PartialEq + std::fmt::Debug>(expected: T, look: impl AsyncFn() -> T) {
    let deadline = Instant::now() + SOON;
    loop {
        let seen = look().await;
        if seen == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{expected:?} was not seen, but {seen:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A refusal's status, if the answer names the error.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, TargetError>, status: u16, code: &str) {
    let refusal = result.unwrap_err();
    let is_expected = |seen: u16, answer: &str| seen == status && answer.contains(code);
    let expected =
        matches!(&refusal, TargetError::Refused { status, answer, .. } if is_expected(*status, answer));
    assert!(expected, "{refusal}");
}

#[track_caller]
fn assert_answer(answer: &AwsAnswer, status: u16, words: &str) {
    let text = format!("{} {}", answer.error_type.clone().unwrap_or_default(), answer.text());
    assert!(answer.status.as_u16() == status && text.contains(words), "{} {text}", answer.status);
}
