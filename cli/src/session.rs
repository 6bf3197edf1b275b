//! Which AWS a command talks to, and the clients for it.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use ripcord::aws::{Aws, Connection, Credentials, Endpoints, Observed, SuiteNames, observe_deployed};
use ripcord::names::ServiceName;
use ripcord::pipeline::Tempo;
use ripcord::situation::Situation;

use crate::failure::{Failure, Kind};
use crate::rehearsal_place;

/// Where the suite is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Where the suite is")]
pub(crate) struct Place {
    /// The suite's project name; its table is NAME-ledger
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "RIPCORD_PROJECT",
        hide_env_values = true,
        default_value = "ripcord"
    )]
    project: String,
    /// The region; else AWS_REGION or the profile's
    #[arg(long, global = true)]
    region: Option<String>,
    /// The profile; else AWS_PROFILE
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Another endpoint than AWS's own, for every service
    #[arg(long, global = true, value_name = "URL", env = "AWS_ENDPOINT_URL", hide_env_values = true)]
    endpoint_url: Option<String>,
    /// The local AWS of a running rehearsal (`cargo rehearse --keep`)
    #[arg(long, global = true)]
    local: bool,
}

/// The clients of one command.
#[derive(Debug)]
pub(crate) struct Session {
    /// The ledger and the targets.
    pub(crate) aws: Aws,
    /// The suite's functions; they take longer to answer than AWS itself.
    pub(super) functions: aws_sdk_lambda::Client,
    /// The alarms' own settings, which no function of the suite needs.
    pub(super) alarms: aws_sdk_cloudwatch::Client,
    /// The state machine that drives releases.
    pub(super) executions: aws_sdk_sfn::Client,
    /// The suite's project name.
    pub(crate) project: String,
    /// How fast time passes there.
    pub(crate) tempo: Tempo,
    config: SdkConfig,
}

/// The functions of the suite may run for 30 seconds, and their start and the network take some.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(40);
/// Step Functions answers at once or not at all.
const EXECUTION_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Whatever the functions are asked is idempotent, so a lost answer may be asked for again.
const INVOCATION_ATTEMPTS_MAX: u32 = 3;

impl Session {
    /// Connects; no call is made yet.
    pub(crate) async fn open(place: &Place) -> Result<Self, Failure> {
        let (config, tempo) =
            if place.local { local(place)? } else { (configured(place).await?, Tempo::REAL) };
        let functions = aws_sdk_lambda::config::Builder::from(&config)
            .retry_config(RetryConfig::standard().with_max_attempts(INVOCATION_ATTEMPTS_MAX))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(INVOCATION_TIMEOUT)
                    .build(),
            )
            .build();
        let executions = aws_sdk_sfn::config::Builder::from(&config)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(EXECUTION_TIMEOUT)
                    .build(),
            )
            .build();
        Ok(Self {
            aws: clients_of(&place.project, &config),
            functions: aws_sdk_lambda::Client::from_conf(functions),
            alarms: aws_sdk_cloudwatch::Client::new(&config),
            executions: aws_sdk_sfn::Client::from_conf(executions),
            project: place.project.clone(),
            tempo,
            config,
        })
    }

    /// The clients of another suite in the same account and region.
    pub(crate) fn other_suite(&self, project: &str) -> Aws {
        clients_of(project, &self.config)
    }

    /// What the ledger and AWS say of a service.
    pub(crate) async fn observe(&self, service: &ServiceName) -> Result<Situation, Failure> {
        match observe_deployed(&self.aws, service, &[], None).await? {
            Observed::Service(situation) => Ok(*situation),
            Observed::Unregistered => Err(Failure::service_unknown(service)),
        }
    }
}

fn clients_of(project: &str, config: &SdkConfig) -> Aws {
    // Nothing that the command line does itself publishes a notice, so there is no topic.
    Aws::new(config, SuiteNames { table: format!("{project}-ledger"), topic_arn: String::new() })
}

/// The usual AWS environment: variables, profiles, single sign-on, instance roles.
async fn configured(place: &Place) -> Result<SdkConfig, Failure> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    // The one HTTP client of the suite, so that no second TLS stack is linked.
    if let Some(http) = connection("").sdk_config().http_client() {
        loader = loader.http_client(http);
    }
    if let Some(region) = &place.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &place.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &place.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    let config = loader.load().await;
    if config.region().is_none() {
        let profile =
            place.profile.as_deref().map_or(String::new(), |profile| format!(" {profile} (does it exist?)"));
        return Err(Failure::new(Kind::RegionMissing, "no region is configured")
            .hint(format!("give --region, or set AWS_REGION, or name one in the profile{profile}")));
    }
    Ok(config)
}

/// The AWS of the rehearsal that runs near the current folder.
fn local(place: &Place) -> Result<(SdkConfig, Tempo), Failure> {
    let rehearsal = rehearsal_place::find()?;
    let region = place.region.as_deref().or(rehearsal.region.as_deref()).unwrap_or("us-east-1");
    let tempo = Tempo::of_minute_ms(rehearsal.minute_ms);
    let connection = Connection { endpoints: Endpoints::One(rehearsal.endpoint), ..connection(region) };
    Ok((connection.sdk_config(), tempo))
}

fn connection(region: &str) -> Connection {
    Connection {
        region: region.to_owned(),
        credentials: Credentials::from_keys("test", "test", None),
        endpoints: Endpoints::Aws,
    }
}
