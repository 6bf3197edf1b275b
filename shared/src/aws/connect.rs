//! One HTTP client with one connection pool for all services, and few retries: a rollback has seconds, not minutes.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use super::Ledger;

/// How to reach AWS.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The region.
    pub region: String,
    /// Whose rights to use.
    pub credentials: Credentials,
    /// Another endpoint than AWS's own, for all services: the local AWS.
    pub endpoint_url: Option<String>,
}

/// What a suite's resources are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteNames {
    /// The ledger's table.
    pub table: String,
    /// The topic for notices.
    pub topic_arn: String,
}

/// The clients of everything that the suite talks to.
#[derive(Clone, Debug)]
pub struct Aws {
    /// The ledger.
    pub ledger: Ledger,
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
    pub(super) sns: aws_sdk_sns::Client,
    pub(super) topic_arn: String,
}

/// Three tries within one call: AWS's throttles and faults pass in less, and what lasts longer is the caller's retry.
const ATTEMPTS_MAX: u32 = 3;
/// A healthy answer takes milliseconds. A connection that hangs is given up early enough to try twice more.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

impl Connection {
    /// The settings that every client shares.
    pub fn sdk_config(&self) -> SdkConfig {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials.clone()))
            .http_client(http);
        config.set_endpoint_url(self.endpoint_url.clone());
        patient(config).build()
    }
}

/// Adds the bounds on retries and waiting.
fn patient(config: aws_types::sdk_config::Builder) -> aws_types::sdk_config::Builder {
    config
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS_MAX)
                .with_initial_backoff(Duration::from_millis(100)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        )
        .sleep_impl(aws_smithy_http_client_sleep())
}

fn aws_smithy_http_client_sleep() -> aws_smithy_async::rt::sleep::SharedAsyncSleep {
    aws_smithy_async::rt::sleep::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new())
}

impl Aws {
    /// Clients on shared settings, such as those of `aws-config`.
    pub fn new(config: &SdkConfig, names: SuiteNames) -> Self {
        let config = patient(config.to_builder()).build();
        Self {
            ledger: Ledger::new(aws_sdk_dynamodb::Client::new(&config), names.table),
            lambda: aws_sdk_lambda::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            topic_arn: names.topic_arn,
        }
    }

    /// Given clients, as tests with mock rules make them.
    pub fn from_clients(
        dynamodb: aws_sdk_dynamodb::Client,
        lambda: aws_sdk_lambda::Client,
        sns: aws_sdk_sns::Client,
        logs: aws_sdk_cloudwatchlogs::Client,
        names: SuiteNames,
    ) -> Self {
        Self { ledger: Ledger::new(dynamodb, names.table), lambda, logs, sns, topic_arn: names.topic_arn }
    }
}
