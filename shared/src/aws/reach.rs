//! The clients for places, made when they are first needed, and once for each region and role: a rollback of an alias pays for
//! none of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;

use super::place::Memory;
use super::{Aws, causes};
use crate::registration::Reach;

/// A client for each kind of place.
#[derive(Clone, Debug, Default)]
pub struct PlaceClients {
    /// For stages of APIs.
    pub api_gateway: OnceLock<aws_sdk_apigateway::Client>,
    /// For configurations.
    pub app_config: OnceLock<aws_sdk_appconfig::Client>,
    /// For stacks.
    pub cloudformation: OnceLock<aws_sdk_cloudformation::Client>,
    /// For images.
    pub ecr: OnceLock<aws_sdk_ecr::Client>,
    /// For services of ECS.
    pub ecs: OnceLock<aws_sdk_ecs::Client>,
    /// For listeners, rules and target groups.
    pub load_balancers: OnceLock<aws_sdk_elasticloadbalancingv2::Client>,
    /// For records.
    pub route53: OnceLock<aws_sdk_route53::Client>,
    /// For roles.
    pub sts: OnceLock<aws_sdk_sts::Client>,
    /// What was begun with them, and they do not tell of by themselves.
    pub(super) memory: Memory,
    config: Option<SdkConfig>,
}

impl PlaceClients {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { config: Some(config.clone()), ..Self::default() }
    }

    /// Settings for a client; given clients that lack one have nobody to call.
    fn config(&self) -> SdkConfig {
        let nobody = || SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        self.config.clone().unwrap_or_else(nobody)
    }
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        impl Aws {
            pub(super) fn $name(&self) -> &$sdk::Client {
                self.places.$name.get_or_init(|| $sdk::Client::new(&self.places.config()))
            }
        }
    };
}

client!(api_gateway, aws_sdk_apigateway);
client!(app_config, aws_sdk_appconfig);
client!(cloudformation, aws_sdk_cloudformation);
client!(ecr, aws_sdk_ecr);
client!(ecs, aws_sdk_ecs);
client!(load_balancers, aws_sdk_elasticloadbalancingv2);
client!(route53, aws_sdk_route53);
client!(sts, aws_sdk_sts);

/// The clients of other regions and accounts, as they were first made.
pub(super) type Remotes = Arc<Mutex<BTreeMap<Reach, Aws>>>;

impl Aws {
    /// The same suite's clients where a target lies, whoever's clients are asked. The ledger and the topic stay at home.
    pub fn at(&self, reach: &Reach) -> Self {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        if remotes.is_empty() && reach.is_home() {
            return self.clone();
        }
        // The first who asks is at home. From there every role is assumed, and never from another role.
        let home = remotes.entry(Reach::default()).or_insert_with(|| self.clone()).clone();
        remotes.entry(reach.clone()).or_insert_with(|| home.reaching(reach)).clone()
    }

    /// What every one of these clients is made with, for a client of a service that the suite itself does not call.
    pub fn settings(&self) -> SdkConfig {
        self.places.config()
    }

    fn reaching(&self, reach: &Reach) -> Self {
        let mut config = self.places.config().to_builder();
        if let Some(role_arn) = &reach.role_arn {
            let role = AssumedRole {
                sts: self.sts().clone(),
                role_arn: role_arn.to_string(),
                external_id: reach.external_id.clone(),
            };
            // One cache for all of its clients: the role is assumed once, whichever of them calls first.
            config = config
                .credentials_provider(SharedCredentialsProvider::new(role))
                .identity_cache(IdentityCache::lazy().build());
        }
        if let Some(region) = &reach.region {
            config = config.region(Region::new(region.to_string()));
        }
        self.elsewhere(&config.build())
    }
}

/// The rights of a role in another account. The SDK keeps them until they end.
#[derive(Debug)]
struct AssumedRole {
    sts: aws_sdk_sts::Client,
    role_arn: String,
    external_id: Option<String>,
}

/// What CloudTrail in the other account shows the calls as.
const SESSION_NAME: &str = "ripcord";

impl AssumedRole {
    async fn assume(&self) -> Result<Credentials, CredentialsError> {
        let call = self
            .sts
            .assume_role()
            .role_arn(&self.role_arn)
            .role_session_name(SESSION_NAME)
            .set_external_id(self.external_id.clone());
        let answer = call.send().await.map_err(|error| {
            CredentialsError::provider_error(format!(
                "sts:AssumeRole of {} failed: {}",
                self.role_arn,
                causes(&error)
            ))
        })?;
        let credentials = answer.credentials.ok_or_else(|| {
            CredentialsError::provider_error(format!("{} gives no credentials", self.role_arn))
        })?;
        let expires_at = std::time::SystemTime::try_from(credentials.expiration).ok();
        Ok(Credentials::new(
            credentials.access_key_id,
            credentials.secret_access_key,
            Some(credentials.session_token),
            expires_at,
            "AssumeRole",
        ))
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::new(self.assume())
    }
}

#[cfg(test)]
mod tests;
