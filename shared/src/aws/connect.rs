//! One HTTP client with one connection pool for all services, and few retries: a rollback has seconds, not minutes.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::Ledger;
use super::reach::{PlaceClients, Remotes};

/// How to reach AWS.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The region.
    pub region: String,
    /// Whose rights to use.
    pub credentials: Credentials,
    /// Where the services listen.
    pub endpoints: Endpoints,
}

/// Where the services listen.
#[derive(Clone, Debug)]
pub enum Endpoints {
    /// Where AWS has them.
    Aws,
    /// All at one address: the local AWS.
    One(String),
    /// Where the environment says, by the variable's name: `AWS_ENDPOINT_URL_LAMBDA`, else `AWS_ENDPOINT_URL`.
    Variables(fn(&str) -> Option<String>),
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
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) codedeploy: aws_sdk_codedeploy::Client,
    pub(super) executions: aws_sdk_sfn::Client,
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
    pub(super) sns: aws_sdk_sns::Client,
    pub(super) places: Arc<PlaceClients>,
    pub(super) remotes: Remotes,
    pub(super) topic_arn: String,
}

/// Three tries within one call: AWS's throttles and faults pass in less, and what lasts longer is the caller's retry.
const ATTEMPTS_MAX: u32 = 3;
/// A healthy answer takes milliseconds. A connection that hangs is given up early enough to try twice more.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// With jitter, half of this on average before the second try, and twice that before the third.
const BACKOFF_INITIAL: Duration = Duration::from_millis(50);
/// A frozen function wakes with sockets that may be long dead. One that rested for longer than this is not tried: a new
/// connection costs less than finding that out.
const IDLE_MAX: Duration = Duration::from_secs(20);

impl Connection {
    /// The settings that every client shares.
    pub fn sdk_config(&self) -> SdkConfig {
        let http = aws_smithy_http_client::Builder::new()
            .pool_idle_timeout(IDLE_MAX)
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials.clone()))
            .http_client(http);
        let config = match &self.endpoints {
            Endpoints::Aws => config,
            Endpoints::One(url) => config.endpoint_url(url),
            Endpoints::Variables(variable) => config.service_config(EndpointVariables(*variable)),
        };
        patient(config).build()
    }
}

/// The part of `aws-config` that a function needs: endpoints by variable.
#[derive(Debug)]
struct EndpointVariables(fn(&str) -> Option<String>);

impl LoadServiceConfig for EndpointVariables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        if key.env() != "AWS_ENDPOINT_URL" {
            return None;
        }
        let service = key.service_id().to_uppercase().replace(' ', "_");
        (self.0)(&format!("{}_{service}", key.env())).or_else(|| (self.0)(key.env()))
    }
}

/// Adds the bounds on retries and waiting.
fn patient(config: aws_types::sdk_config::Builder) -> aws_types::sdk_config::Builder {
    config
        .retry_config(
            RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX).with_initial_backoff(BACKOFF_INITIAL),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        )
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
}

impl Aws {
    /// Clients on shared settings, such as those of `aws-config`.
    pub fn new(config: &SdkConfig, names: SuiteNames) -> Self {
        let config = patient(config.to_builder()).build();
        Self {
            ledger: Ledger::new(aws_sdk_dynamodb::Client::new(&config), names.table),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            codedeploy: aws_sdk_codedeploy::Client::new(&config),
            executions: aws_sdk_sfn::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            places: Arc::new(PlaceClients::new(&config)),
            remotes: Remotes::default(),
            topic_arn: names.topic_arn,
        }
    }

    /// The same suite with the clients of another region or account, but for its ledger and its topic.
    pub(super) fn elsewhere(&self, config: &SdkConfig) -> Self {
        Self {
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            codedeploy: aws_sdk_codedeploy::Client::new(config),
            executions: aws_sdk_sfn::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            places: Arc::new(PlaceClients::new(config)),
            ..self.clone()
        }
    }

    /// Given clients, as tests with mock rules make them.
    pub fn from_clients(clients: Clients, names: SuiteNames) -> Self {
        let Clients { dynamodb, cloudwatch, codedeploy, executions, lambda, sns, logs, places } = clients;
        let ledger = Ledger::new(dynamodb, names.table);
        let (places, remotes) = (Arc::new(places), Remotes::default());
        let topic_arn = names.topic_arn;
        Self { ledger, cloudwatch, codedeploy, executions, lambda, sns, logs, places, remotes, topic_arn }
    }
}

/// One client per service.
#[derive(Clone, Debug)]
pub struct Clients {
    /// For the ledger.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// For metrics and alarms.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// For deployments.
    pub codedeploy: aws_sdk_codedeploy::Client,
    /// For the executions of the state machine.
    pub executions: aws_sdk_sfn::Client,
    /// For functions, versions and aliases.
    pub lambda: aws_sdk_lambda::Client,
    /// For notices.
    pub sns: aws_sdk_sns::Client,
    /// For log excerpts.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// For every other kind of target.
    pub places: PlaceClients,
}
