//! How a local AWS is set up, and where it says so.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// A plan's minute lasts a second.
const SCALE: f64 = 1.0 / 60.0;

/// How a local AWS is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The target folder: caches live in its `rehearsal` folder.
    pub target: PathBuf,
    /// The account that everything lives in; twelve digits.
    pub account_id: String,
    /// The region that everything lives in.
    pub region: String,
    /// How long an alarm's second lasts in real seconds: at 1/60, a period of 60 s lasts one.
    pub period_scale: f64,
    /// How long a second of a Step Functions wait, callback or execution lasts in real seconds. Other than `period_scale`,
    /// it would make a stage bake for another time than it is judged over.
    pub wait_scale: f64,
    /// How long a second of a CodeDeploy deployment lasts in real seconds: of its shift, and of the hour that a hook has.
    pub codedeploy_scale: f64,
    /// The wait before an asynchronous invocation's first retry; it doubles once. Real Lambda waits a minute.
    pub async_retry_base: Duration,
    /// Writes `rehearsal/local.json` in the target folder, so that a command line in another process finds the endpoint.
    pub publish: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: default_target(),
            account_id: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            period_scale: SCALE,
            wait_scale: SCALE,
            codedeploy_scale: SCALE,
            async_retry_base: Duration::from_millis(200),
            publish: false,
        }
    }
}

impl Options {
    pub(crate) fn minute(&self) -> Duration {
        Duration::from_secs_f64(60.0 * self.period_scale)
    }
}

/// The workspace's own target folder, wherever the binary runs.
fn default_target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target"),
    }
}

/// Where `Options::publish` writes the endpoint.
#[must_use]
pub fn published_path(target: &Path) -> PathBuf {
    target.join("rehearsal").join("local.json")
}
