//! Looking at a configuration: one round trip, and a second one where flags are to be switched off.

use aws_sdk_appconfig::operation::get_configuration_profile::{
    GetConfigurationProfileError, GetConfigurationProfileOutput,
};
use aws_sdk_appconfig::operation::get_environment::GetEnvironmentError;
use aws_sdk_appconfig::operation::list_deployments::{ListDeploymentsError, ListDeploymentsOutput};
use aws_sdk_appconfig::primitives::DateTime;
use aws_sdk_appconfig::types::{DeploymentState, DeploymentSummary};
use futures_util::future::{join_all, join4};
use jiff::{SignedDuration, Timestamp};

use crate::aws::{Aws, CallFailed};
use crate::names::{Version, Weight};
use crate::place::Live;
use crate::place::configuration::{
    Content, Deployment, DeploymentNumber, Flags, Hosted, Listed, Profile, Seen, Sheet, State,
};

const LIST: &str = "appconfig:ListDeployments";
const PROFILE: &str = "appconfig:GetConfigurationProfile";
const ENVIRONMENT: &str = "appconfig:GetEnvironment";
const VERSIONS: &str = "appconfig:ListHostedConfigurationVersions";
const VERSION: &str = "appconfig:GetHostedConfigurationVersion";

/// AppConfig gives no more deployments in one page.
const PAGE: i32 = 50;
/// An environment in which so many others were deployed since is not searched further.
const PAGES_MAX: usize = 4;
/// AppConfig takes back what has completed within three days. A few minutes less leave room for two clocks that differ:
/// what is older is replaced by a new deployment, which is always possible.
const REVERTABLE_FOR: SignedDuration = SignedDuration::from_mins(3 * 24 * 60 - 5);
/// The profiles of AppConfig's own flags.
const FEATURE_FLAGS: &str = "AWS.AppConfig.FeatureFlags";

/// What one look found; nothing where the application, the environment or the profile is gone.
type Found<T> = Result<Option<T>, CallFailed>;

/// Looks at it; nothing if there is none, or if nothing of it was ever deployed there.
pub(in crate::aws::place) async fn observe(aws: &Aws, place: &Profile) -> Found<Live> {
    let (profile, has_monitors, page, newest) =
        join4(profile(aws, place), has_monitors(aws, place), page(aws, place, None), newest(aws, place))
            .await;
    let (Some(profile), Some(has_monitors), Some(page)) = (profile?, has_monitors?, page?) else {
        return Ok(None);
    };
    let Some((listed, is_whole)) = history(aws, place, &profile, page).await? else { return Ok(None) };
    let Some(mut seen) = Seen::of(listed, is_whole, has_monitors) else { return Ok(None) };
    if !place.flags_off.is_empty() {
        let are_feature_flags = profile.r#type() == Some(FEATURE_FLAGS);
        let sheets = sheets(aws, place, &seen, newest.as_ref().ok()).await;
        seen.flags = Some(Flags { are_feature_flags, newest, sheets });
    }
    Ok(seen.live())
}

/// The clock of the client, by which its calls are signed.
fn now(aws: &Aws) -> Timestamp {
    let clock = aws.app_config().config().time_source().unwrap_or_default();
    Timestamp::try_from(clock.now()).unwrap_or(Timestamp::MAX)
}

async fn profile(aws: &Aws, place: &Profile) -> Found<GetConfigurationProfileOutput> {
    let call = aws
        .app_config()
        .get_configuration_profile()
        .application_id(place.application.as_str())
        .configuration_profile_id(place.profile.as_str());
    match call.send().await {
        Ok(profile) => Ok(Some(profile)),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(GetConfigurationProfileError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(CallFailed::new(PROFILE, place, &error)),
    }
}

async fn has_monitors(aws: &Aws, place: &Profile) -> Found<bool> {
    let call = aws
        .app_config()
        .get_environment()
        .application_id(place.application.as_str())
        .environment_id(place.environment.as_str());
    match call.send().await {
        Ok(environment) => Ok(Some(!environment.monitors().is_empty())),
        Err(error)
            if error.as_service_error().is_some_and(GetEnvironmentError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(CallFailed::new(ENVIRONMENT, place, &error)),
    }
}

/// The deployments from the newest one to that which says what is served, and whether those are all. Most often the first
/// page holds them.
async fn history(
    aws: &Aws,
    place: &Profile,
    profile: &GetConfigurationProfileOutput,
    first: ListDeploymentsOutput,
) -> Found<(Vec<Listed>, bool)> {
    let unknown = |why| CallFailed { call: LIST, subject: place.to_string(), why };
    let now = now(aws);
    let mut deployments = Vec::new();
    let mut answer = first;
    for _ in 0..PAGES_MAX {
        for summary in answer.items() {
            deployments.push(listed(summary, place, profile, now).map_err(unknown)?);
        }
        let Some(next) = answer.next_token else { return Ok(Some((deployments, true))) };
        if deployments.iter().any(Listed::settles) {
            return Ok(Some((deployments, false)));
        }
        let Some(page) = page(aws, place, Some(next)).await? else { return Ok(None) };
        answer = page;
    }
    Err(unknown(format!(
        "none of the newest {} deployments has completed for this configuration",
        deployments.len()
    )))
}

async fn page(aws: &Aws, place: &Profile, next_token: Option<String>) -> Found<ListDeploymentsOutput> {
    let call = aws
        .app_config()
        .list_deployments()
        .application_id(place.application.as_str())
        .environment_id(place.environment.as_str())
        .max_results(PAGE)
        .set_next_token(next_token);
    match call.send().await {
        Ok(page) => Ok(Some(page)),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(ListDeploymentsError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(CallFailed::new(LIST, place, &error)),
    }
}

fn listed(
    summary: &DeploymentSummary,
    place: &Profile,
    profile: &GetConfigurationProfileOutput,
    now: Timestamp,
) -> Result<Listed, String> {
    let number = u32::try_from(summary.deployment_number()).map_err(|error| error.to_string())?;
    let number = DeploymentNumber(number);
    let state = state(summary.state())
        .map_err(|state| format!("deployment {number} is {state}, which is not known"))?;
    // Where a deployment does not say which profile it is of, its configuration's name does.
    let is_ours = match summary.configuration_profile_id() {
        Some(id) => id == place.profile.as_str(),
        None => summary.configuration_name() == profile.name(),
    };
    if !is_ours {
        let configuration = summary.configuration_name().unwrap_or("which has no name").to_owned();
        return Ok(Listed::Others { number, configuration, state });
    }
    let version = summary.configuration_version().unwrap_or_default().parse::<Version>();
    let began_at = summary.started_at().and_then(moment);
    let completed_at = summary.completed_at().and_then(moment);
    Ok(Listed::Ours(Deployment {
        number,
        version: version.map_err(|error| format!("deployment {number}: {error}"))?,
        label: summary.version_label().map(str::to_owned),
        state,
        share: share(summary.percentage_complete().unwrap_or_default()),
        began_at,
        completed_at,
        is_revertable: state == State::Complete
            && completed_at.is_some_and(|at| now.duration_since(at) < REVERTABLE_FOR),
    }))
}

/// A moment with its fraction of a second: what is compared with an alarm's must not seem to be earlier than it was.
fn moment(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(at.as_nanos()).ok()
}

/// AppConfig counts in percents with a fraction.
fn share(percent: f32) -> Weight {
    Weight::from_share(f64::from(percent.clamp(0.0, 100.0)) / 100.0).unwrap_or_default()
}

fn state(state: Option<&DeploymentState>) -> Result<State, String> {
    match state {
        Some(DeploymentState::Baking) => Ok(State::Baking),
        Some(DeploymentState::Complete) => Ok(State::Complete),
        Some(DeploymentState::Deploying) => Ok(State::Deploying),
        Some(DeploymentState::Reverted) => Ok(State::Reverted),
        Some(DeploymentState::RolledBack) => Ok(State::RolledBack),
        Some(DeploymentState::RollingBack) => Ok(State::RollingBack),
        Some(DeploymentState::Validating) => Ok(State::Validating),
        Some(other) => Err(other.to_string()),
        None => Err("without a state".to_owned()),
    }
}

/// The newest hosted version, where flags are to be switched off. One page holds it; if AppConfig had more and answered the
/// oldest first, it would refuse what is stored after a version that is not the newest.
async fn newest(aws: &Aws, place: &Profile) -> Result<Hosted, String> {
    if place.flags_off.is_empty() {
        return Err("no flags are to be switched off".to_owned());
    }
    let call = aws
        .app_config()
        .list_hosted_configuration_versions()
        .application_id(place.application.as_str())
        .configuration_profile_id(place.profile.as_str())
        .max_results(PAGE);
    let answer = call.send().await.map_err(|error| CallFailed::new(VERSIONS, place, &error).to_string())?;
    let versions = answer.items.unwrap_or_default().into_iter();
    let newest = versions.max_by_key(|version| version.version_number).ok_or("it has no hosted versions")?;
    let number = u32::try_from(newest.version_number).map_err(|error| error.to_string())?;
    Ok(Hosted { number, label: newest.version_label })
}

/// What is in the versions whose flags count.
async fn sheets(aws: &Aws, place: &Profile, seen: &Seen, newest: Option<&Hosted>) -> Vec<Sheet> {
    let newest = newest.and_then(|hosted| Version::new(hosted.number.into()));
    let mut versions: Vec<Version> = seen.versions_in_use().chain(newest).collect();
    versions.sort_unstable();
    versions.dedup();
    join_all(versions.into_iter().map(|version| async move {
        let content = content(aws, place, version).await;
        let content = content.unwrap_or_else(|why| Content::Unreadable { why });
        Sheet { version, content }
    }))
    .await
}

pub(super) async fn content(aws: &Aws, place: &Profile, version: Version) -> Result<Content, String> {
    let number = version.number().and_then(|number| i32::try_from(number).ok());
    let call = aws
        .app_config()
        .get_hosted_configuration_version()
        .application_id(place.application.as_str())
        .configuration_profile_id(place.profile.as_str())
        .version_number(number.ok_or("it is no hosted version")?);
    let answer = call.send().await.map_err(|error| CallFailed::new(VERSION, place, &error).to_string())?;
    let content_type = answer.content_type.unwrap_or_else(|| "application/json".to_owned());
    let text = String::from_utf8(answer.content.unwrap_or_default().into_inner());
    let text = text.map_err(|error| format!("it is no text: {error}"))?;
    Ok(Content::Text { content_type, text })
}
