//! What is done with deployments: stop one, start one that goes back, wait until an alias has arrived.

use std::time::Duration;

use aws_sdk_codedeploy::operation::create_deployment::CreateDeploymentError;
use aws_sdk_codedeploy::operation::stop_deployment::StopDeploymentError;
use aws_sdk_codedeploy::types::{
    AlarmConfiguration, AppSpecContent, AutoRollbackConfiguration, RevisionLocation, RevisionLocationType,
};
use aws_smithy_async::rt::sleep::{AsyncSleep, TokioSleep};
use jiff::Timestamp;

use super::super::execute::Interruption;
use super::super::{Aws, CallFailed};
use crate::deployment::AppSpec;
use crate::names::{AliasName, DeploymentId, FunctionName};
use crate::plan::Reversal;
use crate::situation::Sighting;
use crate::traffic::Traffic;

/// CodeDeploy takes no longer description.
const DESCRIPTION_LENGTH_MAX: usize = 100;
/// The way back is taken at once, whatever the group's own configuration is.
const AT_ONCE: &str = "CodeDeployDefault.LambdaAllAtOnce";
/// How often an alias is looked at that somebody else is moving.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Aws {
    /// Stops a deployment and has CodeDeploy roll it back. One that has ended by now is to be looked at again.
    pub(in crate::aws) async fn stop_deployment(
        &self,
        deployment: &DeploymentId,
    ) -> Result<(), Interruption> {
        let call =
            self.codedeploy.stop_deployment().deployment_id(deployment.as_str()).auto_rollback_enabled(true);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(StopDeploymentError::is_deployment_already_completed_exception) =>
            {
                Err(Interruption::Raced { what: format!("deployment {deployment} has ended by now") })
            }
            Err(error) => Err(failed("codedeploy:StopDeployment", deployment, &error)),
        }
    }

    /// Starts a deployment that goes back. It looks at no alarm, because the one that fires would refuse it, and is not
    /// rolled back itself, because that would lead to the bad version again.
    pub(in crate::aws) async fn reverse(&self, reversal: &Reversal) -> Result<(), Interruption> {
        let spec = AppSpecContent::builder().content(AppSpec::of_shift(&reversal.shift)).build();
        let revision = RevisionLocation::builder()
            .revision_type(RevisionLocationType::AppSpecContent)
            .app_spec_content(spec)
            .build();
        let why: String = reversal.why.chars().take(DESCRIPTION_LENGTH_MAX).collect();
        let call = self
            .codedeploy
            .create_deployment()
            .application_name(&reversal.application)
            .deployment_group_name(&reversal.group)
            .deployment_config_name(AT_ONCE)
            .revision(revision)
            .description(why)
            .override_alarm_configuration(AlarmConfiguration::builder().enabled(false).build())
            .auto_rollback_configuration(AutoRollbackConfiguration::builder().enabled(false).build());
        let group = format!("{}/{}", reversal.application, reversal.group);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateDeploymentError::is_deployment_limit_exceeded_exception) =>
            {
                Err(Interruption::Raced { what: format!("another deployment runs in {group}") })
            }
            Err(error) => Err(failed("codedeploy:CreateDeployment", &group, &error)),
        }
    }

    /// Looks at an alias until it serves what somebody else is bringing about, or time is up.
    pub(in crate::aws) async fn await_traffic(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        wanted: Traffic,
        ended: Option<&DeploymentId>,
        until: Timestamp,
        clock: fn() -> Timestamp,
    ) -> Result<(), Interruption> {
        let patience = Duration::try_from(until.duration_since(clock())).unwrap_or_default();
        // A look takes time besides, so the clock ends the waiting before the count does.
        let mut looks_left = patience.as_millis() / LOOK_EVERY.as_millis();
        loop {
            let seen = self.alias(function, alias).await;
            let may_look_again = looks_left > 0 && clock() < until;
            looks_left = looks_left.saturating_sub(1);
            match seen {
                Sighting::Alias(live) if live.traffic == wanted => match self.still_runs(ended).await {
                    None => return Ok(()),
                    Some(_) if may_look_again => TokioSleep::new().sleep(LOOK_EVERY).await,
                    Some(what) => return Err(Interruption::Pending { what }),
                },
                Sighting::Missing | Sighting::Place(_) => {
                    return Err(Interruption::Raced { what: format!("{function}:{alias} is gone") });
                }
                Sighting::Alias(_) | Sighting::Unseen { .. } if may_look_again => {
                    TokioSleep::new().sleep(LOOK_EVERY).await;
                }
                Sighting::Alias(live) => {
                    return Err(Interruption::Pending {
                        what: format!("{function}:{alias} still serves {}, not {wanted}", live.traffic),
                    });
                }
                Sighting::Unseen { why } => return Err(Interruption::Failed { why }),
            }
        }
    }

    /// Why a deployment may not have ended; nothing if it has, or if there is none.
    async fn still_runs(&self, deployment: Option<&DeploymentId>) -> Option<String> {
        match self.deployment(deployment?).await {
            Ok(Some(state)) if !state.status.has_ended() => {
                Some(format!("deployment {} is still {}", state.id, state.status))
            }
            Ok(_) => None,
            Err(failed) => Some(failed.to_string()),
        }
    }
}

fn failed<E>(call: &'static str, subject: impl std::fmt::Display, error: &E) -> Interruption
where
    E: std::error::Error + 'static,
{
    Interruption::Failed { why: CallFailed::new(call, subject, error).to_string() }
}
