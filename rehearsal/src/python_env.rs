//! The virtual environments that hold the pinned ministack and moto and, for tests, the pinned AWS command line: made once, cached
//! under the target folder, shared by every rehearsal. It must not install anything outside that folder, and two
//! processes that start at once must not break each other's environment.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// What is installed. They are compiled in, so that a moved binary still finds its pins.
const MINISTACK: &str = include_str!("../python/requirements.txt");
const MOTO: &str = include_str!("../python/moto_requirements.txt");
const AWS_COMMAND_LINE: &str = include_str!("../python/aws_cli.txt");
/// An install from an empty cache takes about twenty seconds; a slow network gets ten times that.
const INSTALL_DURATION_MAX: Duration = Duration::from_secs(300);
/// How long one process waits while another makes the same environment.
const LOCK_DURATION_MAX: Duration = Duration::from_secs(320);
const LOCK_POLL_EVERY: Duration = Duration::from_millis(100);

/// Why the Python environment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// There is no `python3` to run.
    #[error(
        "failed to run python3: install Python 3.10 or newer (Debian: apt-get install python3 python3-venv)"
    )]
    PythonMissing(#[source] io::Error),
    /// Python is there, but without its `venv` module.
    #[error(
        "failed to make a virtual environment: python3 has no working venv module \
         (Debian: apt-get install python3-venv): {output}"
    )]
    VenvMissing {
        /// What `python3 -m venv` printed.
        output: String,
    },
    /// `pip install` did not succeed.
    #[error("failed to install the local AWS with pip (is a package index reachable?): {output}")]
    Pip {
        /// The last lines that pip printed.
        output: String,
    },
    /// A command ran longer than its bound.
    #[error("failed to finish `{command}` within {limit_s} s")]
    Slow {
        /// The command.
        command: String,
        /// The bound.
        limit_s: u64,
    },
    /// Another process holds the environment's lock.
    #[error("failed to get the lock {path} within {limit_s} s: another rehearsal is still installing")]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The bound.
        limit_s: u64,
    },
    /// The cache folder cannot be written.
    #[error("failed to write {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Returns the path of a `python` that can import ministack, making its environment under `cache` when it is not there.
pub(crate) async fn python_with_ministack(cache: &Path) -> Result<PathBuf, PythonError> {
    python_with(MINISTACK, cache).await
}

/// The same for moto, in an environment of its own: nothing is installed before a rehearsal needs it.
pub(crate) async fn python_with_moto(cache: &Path) -> Result<PathBuf, PythonError> {
    python_with(MOTO, cache).await
}

/// Returns the path of an `aws` command, making its environment in the target folder when it is not there. No rehearsal
/// needs it; a test that drives the local AWS as people do does.
pub async fn aws_command_line(target: &Path) -> Result<PathBuf, PythonError> {
    let python = python_with(AWS_COMMAND_LINE, &target.join("rehearsal")).await?;
    Ok(python.with_file_name("aws"))
}

async fn python_with(requirements: &str, cache: &Path) -> Result<PathBuf, PythonError> {
    let mut hasher = DefaultHasher::new();
    requirements.hash(&mut hasher);
    let environment = cache.join(format!("venv-{:016x}", hasher.finish()));
    let ready = environment.join("ready");
    let python = environment.join("bin").join("python");
    if ready.exists() {
        return Ok(python);
    }
    let in_cache = |source| PythonError::Io { path: cache.to_path_buf(), source };
    std::fs::create_dir_all(cache).map_err(in_cache)?;
    let _lock = lock(environment.with_extension("lock")).await?;
    if ready.exists() {
        return Ok(python);
    }
    // What an interrupted install left is not trusted; the marker is written last.
    if environment.exists() {
        std::fs::remove_dir_all(&environment).map_err(in_cache)?;
    }
    make(&environment).await?;
    let list = environment.join("requirements.txt");
    std::fs::write(&list, requirements).map_err(in_cache)?;
    install(&python, &list).await?;
    std::fs::write(&ready, requirements).map_err(in_cache)?;
    Ok(python)
}

async fn make(environment: &Path) -> Result<(), PythonError> {
    let mut command = Command::new("python3");
    command.args(["-m", "venv"]).arg(environment);
    let output = run(command, "python3 -m venv").await?;
    if output.status.success() {
        return Ok(());
    }
    Err(PythonError::VenvMissing { output: last_lines(&output) })
}

async fn install(python: &Path, requirements: &Path) -> Result<(), PythonError> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", "-r"]);
    command.arg(requirements);
    let output = run(command, "pip install").await?;
    if output.status.success() {
        return Ok(());
    }
    Err(PythonError::Pip { output: last_lines(&output) })
}

async fn run(mut command: Command, name: &str) -> Result<Output, PythonError> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    match timeout(INSTALL_DURATION_MAX, command.output()).await {
        Ok(output) => output.map_err(PythonError::PythonMissing),
        Err(_) => {
            Err(PythonError::Slow { command: name.to_owned(), limit_s: INSTALL_DURATION_MAX.as_secs() })
        }
    }
}

/// An advisory lock: the operating system drops it with the process, so a crash never leaves it behind.
async fn lock(path: PathBuf) -> Result<File, PythonError> {
    let file = File::create(&path).map_err(|source| PythonError::Io { path: path.clone(), source })?;
    let locked = timeout(LOCK_DURATION_MAX, async {
        while file.try_lock().is_err() {
            tokio::time::sleep(LOCK_POLL_EVERY).await;
        }
    });
    match locked.await {
        Ok(()) => Ok(file),
        Err(_) => Err(PythonError::Locked { path, limit_s: LOCK_DURATION_MAX.as_secs() }),
    }
}

fn last_lines(output: &Output) -> String {
    const LINES_MAX: usize = 12;
    let text =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}
