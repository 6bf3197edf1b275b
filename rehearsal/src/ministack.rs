//! The ministack process: started on a free loopback port, waited for, and ended together with every function process
//! that it started. It must not outlive us, whatever ends us: besides the kill on drop, the launcher holds the read end
//! of a pipe that the kernel closes when this process is gone.

use crate::{
    MINUTE_VARIABLE,
    python_env::{PythonError, python_with_ministack},
};
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

/// The launcher comes first; it imports the others from its own folder.
const PROGRAMS: [(&str, &str); 3] = [
    ("launch.py", include_str!("../python/launch.py")),
    ("codedeploy.py", include_str!("../python/codedeploy.py")),
    ("step_functions.py", include_str!("../python/step_functions.py")),
];
const READY_DURATION_MAX: Duration = Duration::from_secs(60);
const READY_POLL_EVERY: Duration = Duration::from_millis(50);
/// Between choosing a free port and ministack binding it, somebody else may take it.
const START_ATTEMPTS_MAX: u32 = 5;

/// Why ministack did not come up.
#[derive(Debug, thiserror::Error)]
pub enum MinistackError {
    /// Its Python environment could not be made.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// No loopback port could be had.
    #[error("failed to find a free port on 127.0.0.1")]
    NoPort(#[source] io::Error),
    /// Its private folder or process could not be made.
    #[error("failed to start ministack")]
    Spawn(#[source] io::Error),
    /// It ended before it was ready.
    #[error("failed to keep ministack running: it ended with {status} after {attempts} attempts: {log}")]
    Ended {
        /// How it ended.
        status: String,
        /// How often it was tried.
        attempts: u32,
        /// The end of its log.
        log: String,
    },
    /// It never answered.
    #[error("failed to see ministack ready on {address} within {limit_s} s: {log}")]
    NotReady {
        /// Where it was expected.
        address: SocketAddr,
        /// The bound.
        limit_s: u64,
        /// The end of its log.
        log: String,
    },
}

/// How to start it.
#[derive(Debug, Clone)]
pub(crate) struct MinistackOptions {
    /// Where the Python environment is kept between rehearsals.
    pub(crate) cache: PathBuf,
    /// The front: what functions and the alarm hook call, and what URLs in answers point to.
    pub(crate) front: SocketAddr,
    /// Removed by the launcher when this process ends without a destructor.
    pub(crate) publication: PathBuf,
    pub(crate) account_id: String,
    pub(crate) region: String,
    /// A Step Functions second lasts this many real seconds.
    pub(crate) wait_scale: f64,
    /// A second of a deployment of CodeDeploy lasts this many real seconds.
    pub(crate) codedeploy_scale: f64,
    /// How long a plan's minute lasts: what every function process is told.
    pub(crate) minute: Duration,
    /// The first wait before an asynchronous invocation is tried again; real Lambda waits a minute.
    pub(crate) async_retry_base: Duration,
}

/// A running ministack. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Ministack {
    address: SocketAddr,
    group: ProcessGroup,
    /// Declared after the group: the folder goes once nothing uses it any more.
    home: TempDir,
}

impl Ministack {
    pub(crate) async fn start(options: &MinistackOptions) -> Result<Self, MinistackError> {
        let python = python_with_ministack(&options.cache).await?;
        let mut attempt = 1;
        loop {
            let started = Self::spawn(&python, options)?;
            match started.until_ready().await {
                Ok(ministack) => return Ok(ministack),
                // Only a lost race for the port is worth another attempt; the loop is bounded all the same.
                Err(MinistackError::Ended { ref log, .. })
                    if attempt < START_ATTEMPTS_MAX && log.contains("already in use") =>
                {
                    attempt += 1;
                }
                Err(MinistackError::Ended { status, log, .. }) => {
                    return Err(MinistackError::Ended { status, attempts: attempt, log });
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process group that holds ministack and every function process.
    pub(crate) fn process_group_id(&self) -> u32 {
        self.group.leader.id()
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What ministack and the functions printed so far.
    pub(crate) fn log(&self) -> String {
        read_tail(&self.log_path(), 1 << 20)
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("ministack.log")
    }

    fn spawn(python: &Path, options: &MinistackOptions) -> Result<Self, MinistackError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(MinistackError::NoPort)?;
        let address = listener.local_addr().map_err(MinistackError::NoPort)?;
        drop(listener);
        let home =
            tempfile::Builder::new().prefix("ripcord-rehearsal-").tempdir().map_err(MinistackError::Spawn)?;
        let group =
            ProcessGroup::spawn(python, address, home.path(), options).map_err(MinistackError::Spawn)?;
        Ok(Self { address, group, home })
    }

    async fn until_ready(mut self) -> Result<Self, MinistackError> {
        let deadline = Instant::now() + READY_DURATION_MAX;
        loop {
            if let Ok(Some(status)) = self.group.leader.try_wait() {
                let log = read_tail(&self.log_path(), 4_000);
                return Err(MinistackError::Ended { status: status.to_string(), attempts: 1, log });
            }
            if healthy(self.address).await.unwrap_or(false) {
                return Ok(self);
            }
            if Instant::now() >= deadline {
                return Err(MinistackError::NotReady {
                    address: self.address,
                    limit_s: READY_DURATION_MAX.as_secs(),
                    log: read_tail(&self.log_path(), 4_000),
                });
            }
            tokio::time::sleep(READY_POLL_EVERY).await;
        }
    }
}

/// One health request by hand: before the front runs there is no client to share.
async fn healthy(address: SocketAddr) -> io::Result<bool> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = b"GET /_ministack/health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
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
    fn spawn(
        python: &Path,
        address: SocketAddr,
        home: &Path,
        options: &MinistackOptions,
    ) -> io::Result<Self> {
        for (name, text) in PROGRAMS {
            std::fs::write(home.join(name), text)?;
        }
        let temporary = home.join("tmp");
        std::fs::create_dir(&temporary)?;
        let log = std::fs::File::create(home.join("ministack.log"))?;
        let mut command = Command::new(python);
        command.arg("-u").arg(home.join(PROGRAMS[0].0));
        // The caller's AWS profile, proxies and tokens are none of the functions' business.
        command.env_clear();
        for kept in ["PATH", "HOME", "LANG"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
            .env("AWS_ENDPOINT_URL", format!("http://{}", options.front))
            .env("AWS_ACCESS_KEY_ID", &options.account_id)
            .env("AWS_SECRET_ACCESS_KEY", "rehearsal")
            .env("AWS_DEFAULT_REGION", &options.region)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", options.front.port().to_string())
            .env("LAMBDA_ACCOUNT_CONCURRENCY", "200")
            .env("LAMBDA_ASYNC_RETRY_BASE_SECONDS", format!("{}", options.async_retry_base.as_secs_f64()))
            .env("LOG_LEVEL", "INFO")
            .env("MINISTACK_ACCOUNT_ID", &options.account_id)
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("MINISTACK_REGION", &options.region)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env(MINUTE_VARIABLE, options.minute.as_millis().to_string())
            .env("RIPCORD_REHEARSAL_CODEDEPLOY_SCALE", format!("{}", options.codedeploy_scale))
            .env("RIPCORD_REHEARSAL_DIR", home)
            .env("RIPCORD_REHEARSAL_PORT", address.port().to_string())
            .env("RIPCORD_REHEARSAL_PUBLICATION", &options.publication)
            .env("S3_DATA_DIR", home.join("s3"))
            .env("SFN_WAIT_SCALE", format!("{}", options.wait_scale))
            .env("STATE_DIR", home.join("state"))
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
