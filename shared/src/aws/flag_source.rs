//! The configuration that holds the flags, read through AppConfig's data API. It fetches; what to make of what it gets, and
//! when to look again, is decided by whoever asks.

use std::str::FromStr;

use aws_sdk_appconfigdata::error::SdkError;
use aws_sdk_appconfigdata::operation::get_latest_configuration::{
    GetLatestConfigurationError as LatestError, GetLatestConfigurationOutput,
};
use aws_types::SdkConfig;

use super::CallFailed;

const START: &str = "appconfig:StartConfigurationSession";
const GET: &str = "appconfig:GetLatestConfiguration";

/// What `flag-evaluator` calls, as IAM names it.
pub const CALLED_BY_FLAG_EVALUATOR: &[&str] = &[GET, START];

/// A configuration as clients see it: an environment's share of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagConfiguration {
    /// The application's id.
    pub application: String,
    /// The environment's id.
    pub environment: String,
    /// The profile's id.
    pub profile: String,
}

/// A text that is no ARN of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no configuration's ARN: arn:aws:appconfig:REGION:ACCOUNT:application/ID/environment/ID/configuration/ID"
)]
pub struct NoConfiguration(String);

impl FromStr for FlagConfiguration {
    type Err = NoConfiguration;

    /// Reads the ARN by which IAM names a configuration, so that what is read is what the role allows to be read.
    fn from_str(arn: &str) -> Result<Self, NoConfiguration> {
        let resource = arn.split(':').nth(5).unwrap_or_default();
        let parts: Vec<&str> = resource.split('/').collect();
        match (arn.split(':').nth(2), parts.as_slice()) {
            (
                Some("appconfig"),
                ["application", application, "environment", environment, "configuration", profile],
            ) if [application, environment, profile].iter().all(|id| !id.is_empty()) => Ok(Self {
                application: (*application).to_owned(),
                environment: (*environment).to_owned(),
                profile: (*profile).to_owned(),
            }),
            _ => Err(NoConfiguration(arn.to_owned())),
        }
    }
}

/// What continues a session. It is good for one call, and for a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionToken(String);

/// What AppConfig gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The document, or nothing when it is the one that this session was given last, or when nothing is deployed.
    pub content: Option<Vec<u8>>,
    /// What continues the session.
    pub token: Option<SessionToken>,
    /// How long AppConfig wants to be left alone.
    pub again_after_seconds: u32,
}

/// Where the flags come from.
#[derive(Clone, Debug)]
pub struct FlagSource {
    client: aws_sdk_appconfigdata::Client,
    configuration: FlagConfiguration,
    poll_seconds: u32,
}

impl FlagSource {
    /// A client on shared settings.
    pub fn new(config: &SdkConfig, configuration: FlagConfiguration, poll_seconds: u32) -> Self {
        Self::from_client(aws_sdk_appconfigdata::Client::new(config), configuration, poll_seconds)
    }

    /// A given client, as tests with mock rules make it.
    pub fn from_client(
        client: aws_sdk_appconfigdata::Client,
        configuration: FlagConfiguration,
        poll_seconds: u32,
    ) -> Self {
        Self { client, configuration, poll_seconds }
    }

    /// The newest document: one round trip with a token, two without one, three when AppConfig takes the token no more.
    pub async fn latest(&self, token: Option<SessionToken>) -> Result<Fetched, CallFailed> {
        if let Some(token) = token {
            match self.get(token).await {
                Ok(latest) => return Ok(fetched(latest)),
                // It was used, by a call whose answer was lost, or is older than a day; or what it led to is gone.
                Err(error) if is_over(&error) => {}
                Err(error) => return Err(self.failed(GET, &error)),
            }
        }
        let token = self.start().await?;
        self.get(token).await.map(fetched).map_err(|error| self.failed(GET, &error))
    }

    async fn start(&self) -> Result<SessionToken, CallFailed> {
        let FlagConfiguration { application, environment, profile } = &self.configuration;
        let call = self
            .client
            .start_configuration_session()
            .application_identifier(application)
            .environment_identifier(environment)
            .configuration_profile_identifier(profile)
            .required_minimum_poll_interval_in_seconds(i32::try_from(self.poll_seconds).unwrap_or(i32::MAX));
        let started = call.send().await.map_err(|error| self.failed(START, &error))?;
        Ok(SessionToken(started.initial_configuration_token.unwrap_or_default()))
    }

    async fn get(&self, token: SessionToken) -> Result<GetLatestConfigurationOutput, SdkError<LatestError>> {
        self.client.get_latest_configuration().configuration_token(token.0).send().await
    }

    fn failed(&self, call: &'static str, error: &(dyn std::error::Error + 'static)) -> CallFailed {
        let FlagConfiguration { application, environment, profile } = &self.configuration;
        CallFailed::new(call, format!("{application}/{environment}/{profile}"), error)
    }
}

fn is_over(error: &SdkError<LatestError>) -> bool {
    error
        .as_service_error()
        .is_some_and(|error| error.is_bad_request_exception() || error.is_resource_not_found_exception())
}

fn fetched(latest: GetLatestConfigurationOutput) -> Fetched {
    let content = latest.configuration.map(aws_sdk_appconfigdata::primitives::Blob::into_inner);
    Fetched {
        content: content.filter(|content| !content.is_empty()),
        token: latest.next_poll_configuration_token.map(SessionToken),
        again_after_seconds: u32::try_from(latest.next_poll_interval_in_seconds).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_from_its_arn_and_from_nothing_else() {
        let arn =
            "arn:aws:appconfig:eu-west-1:123456789012:application/ab12/environment/cd34/configuration/ef56";
        let read: FlagConfiguration = arn.parse().unwrap();
        assert_eq!((&*read.application, &*read.environment, &*read.profile), ("ab12", "cd34", "ef56"));
        for wrong in [
            "",
            "ab12/cd34/ef56",
            "arn:aws:appconfig:eu-west-1:123456789012:application/ab12/environment/cd34",
            "arn:aws:appconfig:eu-west-1:123456789012:application/ab12/environment//configuration/ef56",
            "arn:aws:appconfig:eu-west-1:123456789012:application/ab12/configurationprofile/ef56",
            "arn:aws:s3:eu-west-1:123456789012:application/ab12/environment/cd34/configuration/ef56",
        ] {
            assert!(wrong.parse::<FlagConfiguration>().is_err(), "{wrong}");
        }
    }
}
