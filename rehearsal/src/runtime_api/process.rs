//! One function process: started with Lambda's environment and nothing else, invoked, measured, killed.
//!
//! It must not outlive its host: it is killed by its own process id when it is dropped.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use super::spec::FunctionSpec;
use super::{Answer, Delivery, FunctionError, RuntimeApi, epoch, lock, request_id_new};

/// Lines kept per process; later ones are read and let go, so that a chatty function never blocks.
const LOG_LINES_MAX: usize = 50_000;
/// How long the end of a process's output is waited for after its death: a grandchild may hold the pipe.
const LOG_DRAIN_MS_MAX: u64 = 200;
/// A killed process is gone within this, or something is wrong with the machine.
const KILL_WAIT_MS_MAX: u64 = 5_000;

/// Why a function process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No loopback port for its Runtime API.
    #[error("failed to listen on a loopback port for the runtime API")]
    Listen(#[source] std::io::Error),
    /// The program is missing or may not be run.
    #[error("failed to start {}", program.display())]
    Program {
        /// What was to be started.
        program: PathBuf,
        /// Why it was not.
        #[source]
        source: std::io::Error,
    },
}

/// How an event ended.
#[derive(Clone, Debug, PartialEq)]
pub enum InvocationOutcome {
    /// The function answered.
    Response(Value),
    /// The function reported an error, about the event or about its initialisation.
    Error {
        /// The name that `Catch` and `Retry` of a state machine would see.
        error_type: String,
        /// What went wrong, in the function's words.
        message: String,
        /// The stack trace, if the runtime sends one.
        stack: Vec<String>,
    },
    /// The process ended without an answer.
    Crashed(ProcessExit),
    /// No answer before the deadline. The process was killed, as Lambda does.
    TimedOut,
}

impl From<FunctionError> for InvocationOutcome {
    fn from(FunctionError { error_type, message, stack }: FunctionError) -> Self {
        Self::Error { error_type, message, stack }
    }
}

/// How a process ended: by a code or by a signal, or unknown where the system could not tell.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ProcessExit {
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl From<ExitStatus> for ProcessExit {
    fn from(status: ExitStatus) -> Self {
        Self { code: status.code(), signal: status.signal() }
    }
}

/// When the event that ended last was handed over and answered.
#[derive(Clone, Copy, Debug)]
pub struct InvocationTimes {
    /// When [`FunctionProcess::invoke`] was called.
    pub offered_at: Instant,
    /// When the process received the event; `None` if it never asked for it.
    pub delivered_at: Option<Instant>,
    /// When the outcome was known.
    pub ended_at: Instant,
}

/// What a live process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct ResourceUse {
    /// The most memory it ever held (`VmHWM`).
    pub rss_peak_kb: u64,
    /// User and system time of its threads. Time of threads that have ended is not in it.
    pub cpu_us: u64,
}

/// Where a line was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line that the function wrote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogLine {
    /// Where it was written.
    pub stream: LogStream,
    /// The line, without its end.
    pub text: String,
}

/// Kills a process from anywhere, at any time; also while it handles an event.
#[derive(Clone, Debug)]
pub struct KillSwitch(Arc<Notify>);

impl KillSwitch {
    /// Sends SIGKILL to that one process. It is harmless when the process is gone.
    pub fn pull(&self) {
        self.0.notify_one();
    }
}

/// A running function with its own Runtime API.
#[derive(Debug)]
pub struct FunctionProcess {
    api: RuntimeApi,
    pid: u32,
    function_arn: String,
    spawned_at: Instant,
    kill: KillSwitch,
    exit: watch::Receiver<Option<ProcessExit>>,
    logs: Arc<Mutex<Vec<LogLine>>>,
    log_readers: Vec<JoinHandle<()>>,
    times_last: Option<InvocationTimes>,
}

impl FunctionProcess {
    /// Starts the program. It returns at once; [`FunctionProcess::ready`] tells when it asks for work.
    pub async fn spawn(spec: &FunctionSpec) -> Result<Self, SpawnError> {
        let api = RuntimeApi::start().await.map_err(SpawnError::Listen)?;
        let mut command = Command::new(&spec.program);
        command
            .args(&spec.args)
            .env_clear()
            .envs(spec.lambda_env(&api.address().to_string()))
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let spawned_at = Instant::now();
        let mut child = command
            .spawn()
            .map_err(|source| SpawnError::Program { program: spec.program.clone(), source })?;
        let pid = child.id().unwrap_or_default();
        let logs = Arc::new(Mutex::new(Vec::new()));
        let mut log_readers = Vec::with_capacity(2);
        if let Some(stdout) = child.stdout.take() {
            log_readers.push(tokio::spawn(read_lines(stdout, LogStream::Stdout, Arc::clone(&logs))));
        }
        if let Some(stderr) = child.stderr.take() {
            log_readers.push(tokio::spawn(read_lines(stderr, LogStream::Stderr, Arc::clone(&logs))));
        }
        let kill = KillSwitch(Arc::new(Notify::new()));
        let (exit_sender, exit) = watch::channel(None);
        tokio::spawn(supervise(child, kill.clone(), exit_sender));
        let function_arn = spec.arn();
        Ok(Self { api, pid, function_arn, spawned_at, kill, exit, logs, log_readers, times_last: None })
    }

    /// Waits until the process has asked for its first event and says how long that took since its start.
    /// `Err` holds what happened instead: an initialisation error, a crash, or no sign of life in time.
    pub async fn ready(&mut self, wait_max: Duration) -> Result<Duration, InvocationOutcome> {
        let mut first_next = self.api.first_next();
        let outcome = tokio::select! {
            biased;
            asked = first_next.wait_for(Option::is_some) => {
                asked.ok().and_then(|at| *at).map(|at| at.duration_since(self.spawned_at))
            }
            () = self.failed_to_start() => None,
            () = tokio::time::sleep(wait_max) => return Err(InvocationOutcome::TimedOut),
        };
        match outcome {
            Some(took) => Ok(took),
            None => Err(self.end_without_answer().await),
        }
    }

    /// Hands over one event and waits for what becomes of it. At the deadline the process is killed, as Lambda
    /// does it; a process that is not ready yet gets the event with its first request.
    pub async fn invoke(&mut self, payload: impl Into<Vec<u8>>, deadline: Duration) -> InvocationOutcome {
        let (sender, mut answer) = oneshot::channel();
        let offered_at = Instant::now();
        self.api.offer(Delivery {
            request_id: request_id_new(),
            payload: payload.into().into(),
            deadline_epoch_ms: (epoch() + deadline).as_millis(),
            function_arn: self.function_arn.clone(),
            answer: sender,
        });
        let answered: Option<Answer> = tokio::select! {
            biased;
            answer = &mut answer => answer.ok(),
            () = self.failed_to_start() => None,
            () = tokio::time::sleep(deadline) => {
                let delivered_at = self.api.in_flight_since();
                self.times_last = Some(InvocationTimes { offered_at, delivered_at, ended_at: Instant::now() });
                self.kill().await;
                return InvocationOutcome::TimedOut;
            }
        };
        // The answer may have been on its way while the process ended.
        if let Some(answer) = answered.or_else(|| answer.try_recv().ok()) {
            let (delivered_at, ended_at) = (Some(answer.delivered_at), answer.answered_at);
            self.times_last = Some(InvocationTimes { offered_at, delivered_at, ended_at });
            return answer.said.map_or_else(InvocationOutcome::from, InvocationOutcome::Response);
        }
        let delivered_at = self.api.in_flight_since();
        self.times_last = Some(InvocationTimes { offered_at, delivered_at, ended_at: Instant::now() });
        self.end_without_answer().await
    }

    /// Kills the process, waits until it is gone, and says how it ended.
    pub async fn kill(&mut self) -> ProcessExit {
        self.kill.pull();
        let gone = tokio::time::timeout(Duration::from_millis(KILL_WAIT_MS_MAX), self.exited()).await;
        self.drain_logs().await;
        gone.unwrap_or_default()
    }

    /// Waits until the process has ended by itself or was killed.
    pub async fn exited(&mut self) -> ProcessExit {
        let exit = self.exit.wait_for(Option::is_some).await;
        exit.ok().and_then(|exit| *exit).unwrap_or_default()
    }

    /// Something that kills the process while this value is busy, as in the middle of an event.
    #[must_use]
    pub fn kill_switch(&self) -> KillSwitch {
        self.kill.clone()
    }

    /// Its process id, for control groups and for signals other than the last one.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// When it was started.
    #[must_use]
    pub fn spawned_at(&self) -> Instant {
        self.spawned_at
    }

    /// When it asked for its first event.
    #[must_use]
    pub fn ready_at(&self) -> Option<Instant> {
        *self.api.first_next().borrow()
    }

    /// The times of the event that ended last.
    #[must_use]
    pub fn times_last(&self) -> Option<InvocationTimes> {
        self.times_last
    }

    /// What it has used so far; `None` once it is gone.
    #[must_use]
    pub fn resource_use(&self) -> Option<ResourceUse> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let rss_peak_kb = peak.split_whitespace().next()?.parse().ok()?;
        // `stat` counts in ticks of 10 ms, coarser than a whole run; the scheduler's own count is exact.
        let mut cpu_ns = 0_u64;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.pid)).ok()? {
            let Ok(schedstat) = std::fs::read_to_string(task.ok()?.path().join("schedstat")) else {
                continue;
            };
            cpu_ns += schedstat.split_whitespace().next()?.parse::<u64>().ok()?;
        }
        Some(ResourceUse { rss_peak_kb, cpu_us: cpu_ns / 1_000 })
    }

    /// Every line that it has written so far, in the order of arrival per stream.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        lock(&self.logs).clone()
    }

    /// Resolves when there will be no answer: the process reported a failed initialisation or ended.
    async fn failed_to_start(&self) {
        let mut init_error = self.api.init_error();
        let mut exit = self.exit.clone();
        tokio::select! {
            _ = init_error.wait_for(Option::is_some) => {}
            _ = exit.wait_for(Option::is_some) => {}
        }
    }

    async fn end_without_answer(&mut self) -> InvocationOutcome {
        if let Some(error) = self.api.init_error().borrow().clone() {
            return error.into();
        }
        let exit = self.exited().await;
        self.drain_logs().await;
        InvocationOutcome::Crashed(exit)
    }

    async fn drain_logs(&mut self) {
        let until = tokio::time::Instant::now() + Duration::from_millis(LOG_DRAIN_MS_MAX);
        for reader in self.log_readers.drain(..) {
            drop(tokio::time::timeout_at(until, reader).await);
        }
    }
}

impl Drop for FunctionProcess {
    fn drop(&mut self) {
        self.kill.pull();
    }
}

/// Owns the child until its end, so that a kill, a crash and a drop of the whole host all meet in one place.
async fn supervise(mut child: Child, kill: KillSwitch, exit: watch::Sender<Option<ProcessExit>>) {
    let ended = tokio::select! {
        ended = child.wait() => ended,
        () = kill.0.notified() => match child.start_kill() {
            Ok(()) => child.wait().await,
            Err(error) => Err(error),
        },
    };
    exit.send_replace(Some(ended.map(ProcessExit::from).unwrap_or_default()));
}

async fn read_lines(output: impl AsyncRead + Unpin, stream: LogStream, logs: Arc<Mutex<Vec<LogLine>>>) {
    let mut lines = BufReader::new(output).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let mut logs = lock(&logs);
        if logs.len() < LOG_LINES_MAX {
            logs.push(LogLine {
                stream,
                text: String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned(),
            });
        }
    }
}
