//! Ministack, the backend of nearly everything: what it is told when it starts, and what of it others may see.

use crate::{
    MINUTE_VARIABLE,
    backend::{Backend, BackendError, Plan},
    python_env::python_with_ministack,
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

const PROGRAMS: [(&str, &str); 4] = [
    ("launch.py", include_str!("../python/launch.py")),
    ("codedeploy.py", include_str!("../python/codedeploy.py")),
    ("parent.py", include_str!("../python/parent.py")),
    ("step_functions.py", include_str!("../python/step_functions.py")),
];

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

/// Starts ministack.
pub(crate) async fn start(options: &MinistackOptions) -> Result<Backend, BackendError> {
    let python = python_with_ministack(&options.cache).await?;
    let variables = vec![
        ("AWS_ENDPOINT_URL", format!("http://{}", options.front)),
        ("AWS_ACCESS_KEY_ID", options.account_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", "rehearsal".to_owned()),
        ("AWS_DEFAULT_REGION", options.region.clone()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        ("GATEWAY_PORT", options.front.port().to_string()),
        ("LAMBDA_ACCOUNT_CONCURRENCY", "200".to_owned()),
        ("LAMBDA_ASYNC_RETRY_BASE_SECONDS", options.async_retry_base.as_secs_f64().to_string()),
        ("LOG_LEVEL", "INFO".to_owned()),
        ("MINISTACK_ACCOUNT_ID", options.account_id.clone()),
        ("MINISTACK_HOST", "127.0.0.1".to_owned()),
        ("MINISTACK_REGION", options.region.clone()),
        (MINUTE_VARIABLE, options.minute.as_millis().to_string()),
        ("RIPCORD_REHEARSAL_CODEDEPLOY_SCALE", options.codedeploy_scale.to_string()),
        ("RIPCORD_REHEARSAL_PUBLICATION", options.publication.display().to_string()),
        // Relative to the instance's folder, where every backend runs.
        ("S3_DATA_DIR", "s3".to_owned()),
        ("SFN_WAIT_SCALE", options.wait_scale.to_string()),
        ("STATE_DIR", "state".to_owned()),
    ];
    Backend::start(&Plan {
        name: "ministack",
        health_path: "/_ministack/health",
        python: &python,
        programs: &PROGRAMS,
        variables,
    })
    .await
}
