//! The adapters: the core's steps and observations on the real SDK clients. They apply and look; they decide nothing.

mod alarms;
mod alias;
pub mod apart;
mod connect;
pub mod console;
mod deployments;
mod execute;
mod executions;
mod facts;
mod flag_source;
pub mod hook;
mod http;
mod invoke;
mod ledger;
mod logs;
mod metrics;
mod notices;
mod observe;
mod place;
mod reach;
mod sights;
mod versions;

pub use aws_credential_types::Credentials;
pub use connect::{Aws, Clients, Connection, Endpoints, SuiteNames};
pub use deployments::{DeploymentGroup, HOOK_ANSWER_PATIENCE, HookAnswer};
pub use execute::{Interruption, Taken, take};
pub use facts::Scope;
pub use flag_source::{
    CALLED_BY_FLAG_EVALUATOR, Fetched, FlagConfiguration, FlagSource, NoConfiguration, SessionToken,
};
pub use http::answer_of;
pub use ledger::{AlarmService, Group, Ledger, LedgerError, Member, RegistrationError};
pub use observe::{Observed, observe, observe_deployed};
pub use place::{HostedError, KeepError, NewVersion, TEMPLATE_BYTES_MAX, Triggers};
pub use reach::PlaceClients;

/// What `alarm-rollback` calls to observe, as IAM names it. What it calls to act is in its plans.
pub const OBSERVED_BY_ALARM_ROLLBACK: &[&str] = &[
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:GetDeployment",
    "codedeploy:GetDeploymentGroup",
    "codedeploy:ListDeploymentTargets",
    "dynamodb:Query",
    "lambda:GetAlias",
];
/// What `alias-weight-shifter` calls to observe.
pub const OBSERVED_BY_ALIAS_WEIGHT_SHIFTER: &[&str] =
    &["dynamodb:Query", "lambda:GetAlias", "lambda:GetFunctionConfiguration"];

/// What `ecs-lifecycle-hook` calls to observe. It acts by its answer; besides it only notes and tells.
pub const OBSERVED_BY_ECS_LIFECYCLE_HOOK: &[&str] =
    &["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "dynamodb:Query"];

/// What `release-preflight` calls to observe.
pub const OBSERVED_BY_RELEASE_PREFLIGHT: &[&str] = &[
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "dynamodb:Query",
    "lambda:GetAlias",
    "lambda:GetFunctionConfiguration",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:InvokeFunction",
];
/// What `pre-traffic-hook` calls to observe, and to answer CodeDeploy.
pub const OBSERVED_BY_PRE_TRAFFIC_HOOK: &[&str] = &[
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:GetDeployment",
    "codedeploy:GetDeploymentGroup",
    "codedeploy:ListDeploymentTargets",
    "codedeploy:PutLifecycleEventHookExecutionStatus",
    "dynamodb:Query",
    "lambda:GetAlias",
    "lambda:GetFunctionConfiguration",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:InvokeFunction",
];
/// What `post-traffic-hook` calls to observe, and to answer CodeDeploy.
pub const OBSERVED_BY_POST_TRAFFIC_HOOK: &[&str] = &[
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:GetDeployment",
    "codedeploy:GetDeploymentGroup",
    "codedeploy:ListDeploymentTargets",
    "codedeploy:PutLifecycleEventHookExecutionStatus",
    "dynamodb:Query",
    "lambda:GetAlias",
    "lambda:GetFunctionConfiguration",
    "lambda:InvokeFunction",
];
/// What `release-recorder` calls: Lambda itself reads the stream for it, and it writes nothing but moments.
pub const CALLED_BY_RELEASE_RECORDER: &[&str] = &[
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:GetDeployment",
    "codedeploy:GetDeploymentGroup",
    "codedeploy:ListDeploymentTargets",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "dynamodb:PutItem",
    "dynamodb:Query",
];
/// What `stage-validator` calls to observe.
pub const OBSERVED_BY_STAGE_VALIDATOR: &[&str] =
    &["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "dynamodb:Query", "lambda:GetAlias"];

/// An AWS call that failed for good, with the whole chain of causes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call} of {subject} failed: {why}")]
pub struct CallFailed {
    /// The call, as IAM names it.
    pub call: &'static str,
    /// What it was about.
    pub subject: String,
    /// Why it failed.
    pub why: String,
}

impl CallFailed {
    fn new(
        call: &'static str,
        subject: impl std::fmt::Display,
        why: &(dyn std::error::Error + 'static),
    ) -> Self {
        Self { call, subject: subject.to_string(), why: causes(why) }
    }
}

/// An error and what caused it, each said once and in a line. This is what a person reads in a page: the SDK's own long
/// form adds the raw response with all of its headers.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if !causes.iter().any(|cause| cause.contains(&said)) {
            causes.push(said);
        }
        next = error.source();
    }
    causes.join(": ")
}
