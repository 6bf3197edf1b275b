//! Work in a process of its own, so that whoever asked for it can always answer.
//!
//! A hook that dies or hangs leaves its deployment hanging for an hour. So the function's process is only a desk: it starts
//! the same executable again, hands it the work, and knows how that ended, whatever the work did: panicked, aborted, ran
//! out of memory, or never came back. The desk must not do anything itself that could end it.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub use child::answer_apart;

mod child;

/// The argument by which an executable knows that it was started to work apart.
pub const CHECK: &str = "check";

/// An answer is a verdict with its reasons. One that is longer than this is none.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// What is passed through of each output. CloudWatch Logs takes lines of 256 KiB.
const PASSED_BYTES_MAX: usize = 1024 * 1024;
const LINE_BYTES_MAX: u64 = 256 * 1024;
/// What is quoted, of a line or of an answer that cannot be read.
const QUOTED_CHARS_MAX: usize = 300;
/// How many lines are last words: the cause of a death often comes before a note on how to find it.
const LAST_LINES_MAX: usize = 3;
/// A killed process is gone, and the rest of its output read, within this; if not, nobody waits for it any longer.
const END_MAX: Duration = Duration::from_millis(200);
/// How much longer than its patience a run may take: to end the process, and to hear its last words.
pub const ENDING_MAX: Duration = END_MAX.saturating_mul(2);

/// Where work apart is done.
#[derive(Clone, Debug)]
pub struct Apart {
    program: PathBuf,
}

/// How work ended that was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fate {
    /// The process could not be started.
    #[error("the check could not be started: {why}")]
    NotStarted {
        /// Why not.
        why: String,
    },
    /// The process ended without an answer.
    #[error("the check died ({how}){last_words}")]
    Died {
        /// The exit code, or the signal that ended it.
        how: String,
        /// What it wrote last on standard error.
        last_words: LastWords,
    },
    /// There was no answer in time; the process was killed.
    #[error("the check did not answer within {} ms{last_words}", patience.as_millis())]
    Silent {
        /// For how long it was waited for.
        patience: Duration,
        /// What it wrote last on standard error.
        last_words: LastWords,
    },
    /// There was an answer that nobody can read.
    #[error("the check's answer cannot be read: {why}: {text:?}")]
    Garbled {
        /// Why it cannot be read.
        why: String,
        /// How it begins.
        text: String,
    },
}

/// The last lines that a process wrote on standard error; empty if there were none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords(pub String);

impl fmt::Display for LastWords {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(out, "; its last words: {}", self.0) }
    }
}

/// What is heard of a process before it is ended.
enum Heard {
    Line(Vec<u8>),
    Ended(io::Result<ExitStatus>),
    Nothing,
}

impl Apart {
    /// In this very executable, started again.
    pub fn in_this_executable() -> Self {
        Self { program: PathBuf::from("/proc/self/exe") }
    }

    /// In another executable, for tests.
    pub fn in_program(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Hands over a request and waits for the answer, for `patience` at most; to end the process may take a little more. What the process writes on its standard output
    /// and standard error comes out of ours. When this returns the process has ended and is reaped; when it is dropped, the
    /// process is killed.
    pub async fn run<A: DeserializeOwned>(
        &self,
        request: &impl Serialize,
        patience: Duration,
    ) -> Result<A, Fate> {
        let not_started = |error: &dyn fmt::Display| Fate::NotStarted { why: error.to_string() };
        let mut request = serde_json::to_vec(request).map_err(|error| not_started(&error))?;
        request.push(b'\n');
        let (mut child, line) = self.start().map_err(|error| not_started(&error))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut relays =
            pin!(async { tokio::join!(relay(stdout, io::stdout()), relay(stderr, io::stderr())).1 });
        let mut said = None;
        let heard = {
            let mut heard = pin!(async {
                let heard = timeout(patience, converse(&mut child, line, &request)).await;
                // Whatever was heard, it has nothing left to do, and its end closes its outputs.
                let _ = timeout(END_MAX, child.kill()).await;
                heard.unwrap_or(Heard::Nothing)
            });
            loop {
                tokio::select! {
                    heard = &mut heard => break heard,
                    last_words = &mut relays, if said.is_none() => said = Some(last_words),
                }
            }
        };
        let last_words = match said {
            Some(last_words) => last_words,
            None => timeout(END_MAX, relays).await.unwrap_or_default(),
        };
        match heard {
            Heard::Line(line) => serde_json::from_slice(&line)
                .map_err(|error| Fate::Garbled { why: error.to_string(), text: quoted(&line) }),
            Heard::Ended(Ok(status)) => Err(Fate::Died { how: status.to_string(), last_words }),
            Heard::Ended(Err(error)) => Err(Fate::Died { how: error.to_string(), last_words }),
            Heard::Nothing => Err(Fate::Silent { patience, last_words }),
        }
    }

    /// Starts the process. Its standard input is a socket, on which the answer comes back: no output of whatever code runs
    /// in it can be taken for the answer.
    fn start(&self) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(&self.program)
            .arg(CHECK)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok((child, UnixStream::from_std(ours)?))
    }
}

/// Hands over the request, and waits for a line or for the end.
async fn converse(child: &mut Child, mut line: UnixStream, request: &[u8]) -> Heard {
    // A process that does not take it will be heard of by its end.
    let _ = line.write_all(request).await;
    let mut answer = Vec::new();
    let read = BufReader::new(line).take(ANSWER_BYTES_MAX).read_until(b'\n', &mut answer).await;
    match read {
        Ok(bytes) if bytes as u64 == ANSWER_BYTES_MAX || answer.ends_with(b"\n") => Heard::Line(answer),
        // Who dies in the middle of an answer has not answered.
        Ok(_) | Err(_) => Heard::Ended(child.wait().await),
    }
}

/// Passes lines through and answers with the last ones. It reads to the end, also what it no longer passes, so that a process
/// never waits for us; it also never writes more than its bound, so that nobody's logs are flooded.
async fn relay(from: Option<impl AsyncRead + Unpin>, mut to: impl Write) -> LastWords {
    let Some(from) = from else { return LastWords::default() };
    let mut lines = BufReader::new(from);
    let (mut passed, mut last) = (0, VecDeque::new());
    loop {
        let mut line = Vec::new();
        match (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return LastWords(Vec::from(last).join("; ")),
        }
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        if passed + line.len() <= PASSED_BYTES_MAX {
            passed += line.len();
            // Output that nobody takes is no reason to fail a check.
            let _ = to.write_all(&line).and_then(|()| to.flush());
        }
        let text = quoted(&line);
        if !text.is_empty() {
            last.push_back(text);
        }
        if last.len() > LAST_LINES_MAX {
            last.pop_front();
        }
    }
}

fn quoted(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim().chars().take(QUOTED_CHARS_MAX).collect()
}
