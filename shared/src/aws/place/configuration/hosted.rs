//! Hosted versions as the command line handles them: reading one, having one checked, and storing one. Nothing is deployed here,
//! so nothing that is served changes.

use aws_sdk_appconfig::operation::create_hosted_configuration_version::CreateHostedConfigurationVersionError;
use aws_sdk_appconfig::operation::validate_configuration::ValidateConfigurationError;
use aws_sdk_appconfig::primitives::Blob;

use super::{CREATE_VERSION, look, number};
use crate::aws::{Aws, CallFailed};
use crate::names::Version;
use crate::place::configuration::{Content, Hosted, Profile};

const VALIDATE: &str = "appconfig:ValidateConfiguration";
const VERSIONS: &str = "appconfig:ListHostedConfigurationVersions";
/// AppConfig keeps a hundred versions of a profile unless its quota was raised; this is ten times that.
const PAGES_MAX: usize = 20;

/// Why a hosted version could not be handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostedError {
    /// AppConfig could not be asked, or has refused.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// It is not to be read as text, or is not hosted.
    #[error("version {version} cannot be read: {why}")]
    Unreadable {
        /// The version.
        version: Version,
        /// Why not.
        why: String,
    },
    /// Somebody else has stored a version since the newest was looked at.
    #[error("somebody else has stored a version since: {why}")]
    Overtaken {
        /// What AppConfig says.
        why: String,
    },
    /// A validator of the profile has refused it.
    #[error("a validator of the profile refuses it: {why}")]
    Invalid {
        /// What the validator says.
        why: String,
    },
    /// There are more versions than are looked through.
    #[error("it has more than {PAGES_MAX} pages of hosted versions: delete old ones")]
    TooMany,
}

/// A text to be stored as a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewVersion<'text> {
    /// All of it.
    pub text: &'text str,
    /// Its type.
    pub content_type: &'text str,
    /// What it is recognised by.
    pub label: &'text str,
    /// What people read beside it.
    pub description: &'text str,
    /// The newest version as it was seen; none where there was none. AppConfig refuses to store another if there is a newer one.
    pub after: Option<u32>,
}

impl Aws {
    /// What is in a version, and of which type it is.
    pub async fn hosted_text(
        &self,
        place: &Profile,
        version: Version,
    ) -> Result<(String, String), HostedError> {
        let unreadable = |why| HostedError::Unreadable { version, why };
        match look::content(self, place, version).await.map_err(unreadable)? {
            Content::Text { content_type, text } => Ok((text, content_type)),
            Content::Unreadable { why } => Err(unreadable(why)),
        }
    }

    /// All hosted versions, the newest first.
    pub async fn hosted_versions(&self, place: &Profile) -> Result<Vec<Hosted>, HostedError> {
        let failed = |why: String| CallFailed { call: VERSIONS, subject: place.to_string(), why };
        let mut versions = Vec::new();
        let mut next_token = None;
        for _ in 0..PAGES_MAX {
            let call = self
                .app_config()
                .list_hosted_configuration_versions()
                .application_id(place.application.as_str())
                .configuration_profile_id(place.profile.as_str())
                .set_next_token(next_token);
            let answer = call.send().await.map_err(|error| CallFailed::new(VERSIONS, place, &error))?;
            for summary in answer.items.unwrap_or_default() {
                let number = u32::try_from(summary.version_number);
                let number = number.map_err(|error| failed(error.to_string()))?;
                versions.push(Hosted { number, label: summary.version_label });
            }
            next_token = answer.next_token;
            if next_token.is_none() {
                versions.sort_unstable_by_key(|version| std::cmp::Reverse(version.number));
                return Ok(versions);
            }
        }
        Err(HostedError::TooMany)
    }

    /// Has the profile's validators look at a version, as they do once more when it is deployed.
    pub async fn check_hosted(&self, place: &Profile, version: Version) -> Result<(), HostedError> {
        let call = self
            .app_config()
            .validate_configuration()
            .application_id(place.application.as_str())
            .configuration_profile_id(place.profile.as_str())
            .configuration_version(version.as_str());
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(ValidateConfigurationError::BadRequestException(refused)) => {
                    let why = refused.message.clone().unwrap_or_else(|| refused.to_string());
                    Err(HostedError::Invalid { why })
                }
                Some(_) | None => Err(CallFailed::new(VALIDATE, place, &error).into()),
            },
        }
    }

    /// Stores a version, and returns its number.
    pub async fn store_hosted(&self, place: &Profile, new: &NewVersion<'_>) -> Result<Version, HostedError> {
        let call = self
            .app_config()
            .create_hosted_configuration_version()
            .application_id(place.application.as_str())
            .configuration_profile_id(place.profile.as_str())
            .content(Blob::new(new.text))
            .content_type(new.content_type)
            .version_label(new.label)
            .description(new.description)
            .set_latest_version_number(new.after.map(number));
        let stored = match call.send().await {
            Ok(stored) => stored,
            Err(error) => {
                let failed = CallFailed::new(CREATE_VERSION, place, &error);
                return Err(match error.as_service_error() {
                    Some(CreateHostedConfigurationVersionError::ConflictException(_)) => {
                        HostedError::Overtaken { why: failed.to_string() }
                    }
                    Some(CreateHostedConfigurationVersionError::BadRequestException(refused)) => {
                        let why = refused.message.clone().unwrap_or_else(|| refused.to_string());
                        HostedError::Invalid { why }
                    }
                    Some(_) | None => failed.into(),
                });
            }
        };
        let number = u64::try_from(stored.version_number).ok().and_then(Version::new);
        number.ok_or_else(|| {
            let why = format!("it was stored as version {}", stored.version_number);
            CallFailed { call: CREATE_VERSION, subject: place.to_string(), why }.into()
        })
    }
}
