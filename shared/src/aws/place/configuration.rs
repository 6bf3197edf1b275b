//! Looking at a configuration of AppConfig, and moving it.

use aws_sdk_appconfig::operation::create_hosted_configuration_version::CreateHostedConfigurationVersionError;
use aws_sdk_appconfig::operation::start_deployment::StartDeploymentError;
use aws_sdk_appconfig::operation::stop_deployment::StopDeploymentError;
use aws_sdk_appconfig::primitives::Blob;

use crate::aws::execute::Interruption;
use crate::aws::{Aws, CallFailed};
use crate::place::configuration::{Call, Profile};

mod explain;
mod hosted;
mod look;

pub(super) use explain::explain;
pub use hosted::{HostedError, NewVersion};
pub(super) use look::observe;

const STOP: &str = "appconfig:StopDeployment";
const START: &str = "appconfig:StartDeployment";
const CREATE_VERSION: &str = "appconfig:CreateHostedConfigurationVersion";

/// Makes one call.
pub(super) async fn call(aws: &Aws, call: &Call) -> Result<(), Interruption> {
    match call {
        Call::Stop { place, deployment, .. } => stop(aws, place, deployment.0).await,
        Call::Start { place, version, strategy, after } => {
            start(aws, place, version.as_str(), strategy, after.0).await
        }
        Call::SwitchOff { place, content, content_type, label, after, .. } => {
            let text = Text { content, content_type, label };
            store(aws, place, text, *after).await
        }
    }
}

/// A deployment that is under way may have completed since it was seen, so taking that back is allowed, too.
async fn stop(aws: &Aws, place: &Profile, deployment: u32) -> Result<(), Interruption> {
    let call = aws
        .app_config()
        .stop_deployment()
        .application_id(place.application.as_str())
        .environment_id(place.environment.as_str())
        .deployment_number(number(deployment))
        .allow_revert(true);
    match call.send().await {
        Ok(_) => Ok(()),
        // It is in another state by now; AppConfig says in words alone which. Looking again shows it.
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                StopDeploymentError::is_bad_request_exception(error)
                    || StopDeploymentError::is_resource_not_found_exception(error)
            }) =>
        {
            Err(raced(STOP, place, &error))
        }
        Err(error) => Err(failed(STOP, place, &error)),
    }
}

/// The newest deployment's number makes the start a compare-and-swap.
async fn start(
    aws: &Aws,
    place: &Profile,
    version: &str,
    strategy: &str,
    after: u32,
) -> Result<(), Interruption> {
    let call = aws
        .app_config()
        .start_deployment()
        .application_id(place.application.as_str())
        .environment_id(place.environment.as_str())
        .configuration_profile_id(place.profile.as_str())
        .configuration_version(version)
        .deployment_strategy_id(strategy)
        .description("Ripcord")
        .latest_deployment_number(number(after));
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(StartDeploymentError::is_conflict_exception) => {
            Err(raced(START, place, &error))
        }
        Err(error) => Err(failed(START, place, &error)),
    }
}

/// What is stored.
struct Text<'text> {
    content: &'text str,
    content_type: &'text str,
    label: &'text str,
}

/// The newest version's number makes this a compare-and-swap.
async fn store(aws: &Aws, place: &Profile, text: Text<'_>, after: u32) -> Result<(), Interruption> {
    let call = aws
        .app_config()
        .create_hosted_configuration_version()
        .application_id(place.application.as_str())
        .configuration_profile_id(place.profile.as_str())
        .content(Blob::new(text.content))
        .content_type(text.content_type)
        .version_label(text.label)
        .latest_version_number(number(after));
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(CreateHostedConfigurationVersionError::is_conflict_exception) =>
        {
            Err(raced(CREATE_VERSION, place, &error))
        }
        Err(error) => Err(failed(CREATE_VERSION, place, &error)),
    }
}

/// What AWS counts in `i32` and was read from there.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn raced(call: &'static str, place: &Profile, error: &(dyn std::error::Error + 'static)) -> Interruption {
    Interruption::Raced { what: CallFailed::new(call, place, error).to_string() }
}

fn failed(call: &'static str, place: &Profile, error: &(dyn std::error::Error + 'static)) -> Interruption {
    Interruption::Failed { why: CallFailed::new(call, place, error).to_string() }
}
