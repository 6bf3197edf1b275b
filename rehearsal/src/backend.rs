//! A backend's process: started on a free loopback port, waited for, and ended together with everything that it started.
//! It must not outlive us, whatever ends us: besides the kill on drop, its launcher holds the read end of a pipe that the
//! kernel closes when this process is gone. What runs in it is no concern of this file's.

use crate::python_env::PythonError;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io::{self, Read as _, Seek as _, SeekFrom},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const READY_DURATION_MAX: Duration = Duration::from_secs(60);
const READY_POLL_EVERY: Duration = Duration::from_millis(50);
/// Between choosing a free port and the backend binding it, somebody else may take it.
const START_ATTEMPTS_MAX: u32 = 5;

/// Why a backend did not come up.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Its Python environment could not be made.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// No loopback port could be had.
    #[error("failed to find a free port on 127.0.0.1")]
    NoPort(#[source] io::Error),
    /// Its private folder or process could not be made.
    #[error("failed to start {name}")]
    Spawn {
        /// Which one.
        name: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("failed to keep {name} running: it ended with {status} after {attempts} attempts: {log}")]
    Ended {
        /// Which one.
        name: &'static str,
        /// How it ended.
        status: String,
        /// How often it was tried.
        attempts: u32,
        /// The end of its log.
        log: String,
    },
    /// It never answered.
    #[error("failed to see {name} ready on {address} within {limit_s} s: {log}")]
    NotReady {
        /// Which one.
        name: &'static str,
        /// Where it was expected.
        address: SocketAddr,
        /// The bound.
        limit_s: u64,
        /// The end of its log.
        log: String,
    },
}

/// What one backend is made of.
pub(crate) struct Plan<'plan> {
    pub(crate) name: &'static str,
    /// Answered with 200 once it is ready.
    pub(crate) health_path: &'static str,
    pub(crate) python: &'plan Path,
    /// The launcher comes first; it imports the others from its own folder.
    pub(crate) programs: &'plan [(&'plan str, &'plan str)],
    /// Besides the port and the folder, which every launcher is told.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A running backend. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Backend {
    name: &'static str,
    address: SocketAddr,
    group: ProcessGroup,
    /// Declared after the group: the folder goes once nothing uses it any more.
    home: TempDir,
}

impl Backend {
    pub(crate) async fn start(plan: &Plan<'_>) -> Result<Self, BackendError> {
        let mut attempt = 1;
        loop {
            let started = Self::spawn(plan)?;
            match started.until_ready(plan.health_path).await {
                Ok(backend) => return Ok(backend),
                // Only a lost race for the port is worth another attempt; the loop is bounded all the same.
                Err(BackendError::Ended { ref log, .. })
                    if attempt < START_ATTEMPTS_MAX && log.contains("already in use") =>
                {
                    attempt += 1;
                }
                Err(BackendError::Ended { name, status, log, .. }) => {
                    return Err(BackendError::Ended { name, status, attempts: attempt, log });
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process group that holds the backend and everything that it started.
    pub(crate) fn process_group_id(&self) -> u32 {
        self.group.leader.id()
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        read_tail(&self.log_path(), 1 << 20)
    }

    fn log_path(&self) -> PathBuf {
        log_path(self.home.path(), self.name)
    }

    fn spawn(plan: &Plan<'_>) -> Result<Self, BackendError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(BackendError::NoPort)?;
        let address = listener.local_addr().map_err(BackendError::NoPort)?;
        drop(listener);
        let spawned = || {
            let home = tempfile::Builder::new().prefix("ripcord-rehearsal-").tempdir()?;
            let group = ProcessGroup::spawn(plan, address, home.path())?;
            Ok(Self { name: plan.name, address, group, home })
        };
        spawned().map_err(|source| BackendError::Spawn { name: plan.name, source })
    }

    async fn until_ready(mut self, health_path: &str) -> Result<Self, BackendError> {
        let (name, address) = (self.name, self.address);
        let deadline = Instant::now() + READY_DURATION_MAX;
        loop {
            if let Ok(Some(status)) = self.group.leader.try_wait() {
                let log = read_tail(&self.log_path(), 4_000);
                return Err(BackendError::Ended { name, status: status.to_string(), attempts: 1, log });
            }
            if healthy(address, health_path).await.unwrap_or(false) {
                return Ok(self);
            }
            if Instant::now() >= deadline {
                let log = read_tail(&self.log_path(), 4_000);
                return Err(BackendError::NotReady {
                    name,
                    address,
                    limit_s: READY_DURATION_MAX.as_secs(),
                    log,
                });
            }
            tokio::time::sleep(READY_POLL_EVERY).await;
        }
    }
}

/// One health request by hand: before the front runs there is no client to share.
async fn healthy(address: SocketAddr, path: &str) -> io::Result<bool> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut first = [0_u8; 12];
        stream.read_exact(&mut first).await?;
        Ok(first.ends_with(b" 200"))
    };
    tokio::time::timeout(Duration::from_secs(2), exchange).await.unwrap_or(Ok(false))
}

/// The launcher's process and everything that it started.
#[derive(Debug)]
struct ProcessGroup {
    leader: Child,
}

impl ProcessGroup {
    fn spawn(plan: &Plan<'_>, address: SocketAddr, home: &Path) -> io::Result<Self> {
        for (name, text) in plan.programs {
            std::fs::write(home.join(name), text)?;
        }
        let launcher = plan.programs.first().map_or("launch.py", |(name, _)| name);
        let temporary = home.join("tmp");
        std::fs::create_dir(&temporary)?;
        let log = std::fs::File::create(log_path(home, plan.name))?;
        let mut command = Command::new(plan.python);
        command.arg("-u").arg(home.join(launcher));
        // The caller's AWS profile, proxies and tokens are none of the functions' business.
        command.env_clear();
        for kept in ["PATH", "HOME", "LANG"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
            .envs(plan.variables.iter().map(|(name, value)| (name, value)))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("RIPCORD_REHEARSAL_DIR", home)
            .env("RIPCORD_REHEARSAL_PORT", address.port().to_string())
            .env("TMPDIR", &temporary)
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        Ok(Self { leader: command.spawn()? })
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.leader.id()).ok().and_then(Pid::from_raw) {
            // The group may be gone already; there is nobody to tell in a drop, and nothing else to do.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.leader.wait();
    }
}

fn read_tail(path: &Path, bytes_max: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes_max)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(no log: {error})"),
    }
}

fn log_path(home: &Path, name: &str) -> PathBuf {
    home.join(format!("{name}.log"))
}
