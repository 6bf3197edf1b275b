//! The process that works apart: it limits itself, reads the request, works, answers.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic;

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// What the desk keeps of the function's memory for itself.
const DESK_MIB: u64 = 48;

/// Reads the request from standard input, works, and writes the answer to where the request came from.
///
/// Whoever works apart runs out of memory before the function does, and alone.
pub async fn answer_apart<Q: DeserializeOwned, A: Serialize>(
    work: impl AsyncFnOnce(Q) -> A,
) -> io::Result<()> {
    panic::set_hook(Box::new(last_words));
    confine(function_memory_mib())?;
    let line = std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    line.set_nonblocking(true)?;
    let mut line = BufReader::new(UnixStream::from_std(line)?);
    let mut request = String::new();
    line.read_line(&mut request).await?;
    let mut answer = serde_json::to_vec(&work(serde_json::from_str(&request)?).await)?;
    answer.push(b'\n');
    line.write_all(&answer).await
}

/// The memory of the whole function; outside Lambda it has no limit.
#[expect(
    clippy::disallowed_methods,
    reason = "a process confines itself by where it runs, before anybody gives it settings"
)]
fn function_memory_mib() -> Option<u64> {
    std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok()?.parse().ok()
}

/// Makes this the process that goes first: with its desk, when memory runs out, and without leaving a core file, the
/// writing of which could outlast the desk's patience.
fn confine(memory_mib: Option<u64>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)?;
    if let Some(memory_mib) = memory_mib {
        // Memory that is only reserved costs nothing, and the allocator reserves a lot: what counts is data, not addresses.
        let bytes = memory_mib.saturating_sub(DESK_MIB).saturating_mul(1024 * 1024);
        setrlimit(Resource::Data, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    }
    // The kernel may not let us; the limit above is the one that counts.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}

/// A panic in one line, because the last line is what the desk quotes.
fn last_words(panicked: &panic::PanicHookInfo<'_>) {
    let place = panicked.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let line = panicked.payload_as_str().unwrap_or("without words").replace('\n', " ");
    let _ = writeln!(io::stderr(), "panicked{place}: {line}");
}
