//! What a function process is started with. It must not read the host's environment.

use std::ffi::OsString;
use std::path::PathBuf;

/// What to run, and as what. [`FunctionSpec::new`] fills in what a test seldom cares about.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// The executable: a `bootstrap`, or an interpreter.
    pub program: PathBuf,
    /// Its arguments; a `bootstrap` has none.
    pub args: Vec<OsString>,
    /// Added to Lambda's own variables, and stronger than them. Nothing of the host's environment leaks in.
    pub env: Vec<(String, String)>,
    /// `_HANDLER`.
    pub handler: String,
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub function_name: String,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`; told to the function, not enforced.
    pub memory_mb: u32,
    /// `AWS_REGION`.
    pub region: String,
}

impl FunctionSpec {
    /// A function named like its handler, with 128 MB, in `us-east-1`.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, handler: impl Into<String>) -> Self {
        let handler = handler.into();
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            function_name: handler.clone(),
            handler,
            memory_mb: 128,
            region: "us-east-1".to_owned(),
        }
    }

    /// Adds one environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, value: impl Into<OsString>) -> Self {
        self.args.push(value.into());
        self
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:000000000000:function:{}", self.region, self.function_name)
    }

    /// The variables that Lambda itself sets, for a function whose Runtime API listens at `runtime_api`.
    pub(super) fn lambda_env(&self, runtime_api: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.function_name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mb.to_string()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.function_name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "[$LATEST]local".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("_HANDLER", self.handler.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", "000000000000".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_SESSION_TOKEN", "local".to_owned()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ]
    }
}
