//! Lambda aliases: look, set, read back, pin.

#![expect(
    clippy::disallowed_types,
    reason = "the SDK's maps are hash maps; nothing is decided by their order"
)]

use std::collections::HashMap;

use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::create_alias::CreateAliasError;
use aws_sdk_lambda::operation::get_alias::GetAliasError;
use aws_sdk_lambda::operation::update_alias::UpdateAliasError;
use aws_sdk_lambda::types::AliasRoutingConfiguration;

use super::execute::Interruption;
use super::{Aws, CallFailed};
use crate::names::{AliasName, FunctionName, InvalidName, RevisionId, Version, Weight};
use crate::plan::SetTraffic;
use crate::situation::{LiveAlias, Sighting};
use crate::traffic::Traffic;

impl Aws {
    /// Looks at an alias.
    pub async fn alias(&self, function: &FunctionName, alias: &AliasName) -> Sighting {
        let call = self.lambda.get_alias().function_name(function.as_str()).name(alias.as_str());
        match call.send().await {
            Ok(answer) => {
                let routing =
                    answer.routing_config().and_then(AliasRoutingConfiguration::additional_version_weights);
                match traffic(answer.function_version().unwrap_or_default(), routing).and_then(|traffic| {
                    Ok(LiveAlias {
                        function: function.clone(),
                        alias: alias.clone(),
                        traffic,
                        revision: answer.revision_id().unwrap_or_default().parse()?,
                    })
                }) {
                    Ok(live) => Sighting::Alias(live),
                    Err(invalid) => {
                        Sighting::Unseen { why: format!("{function}:{alias} is unlike an alias: {invalid}") }
                    }
                }
            }
            Err(error)
                if error.as_service_error().is_some_and(GetAliasError::is_resource_not_found_exception) =>
            {
                Sighting::Missing
            }
            Err(error) => Sighting::Unseen {
                why: CallFailed::new("lambda:GetAlias", format_args!("{function}:{alias}"), &error)
                    .to_string(),
            },
        }
    }

    /// Sets an alias's traffic. Another revision than the one seen means that somebody else came first.
    pub(super) async fn set_traffic(&self, step: &SetTraffic) -> Result<(), Interruption> {
        self.update_alias(&step.function, &step.alias, step.traffic, Some(&step.revision)).await
    }

    pub(super) async fn confirm(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        wanted: Traffic,
        unchanged_since: Option<&RevisionId>,
    ) -> Result<(), Interruption> {
        match self.alias(function, alias).await {
            Sighting::Alias(live) if live.traffic != wanted => {
                Err(Interruption::Raced { what: format!("{function}:{alias} serves {} again", live.traffic) })
            }
            Sighting::Alias(live) if unchanged_since.is_some_and(|seen| *seen != live.revision) => {
                Err(Interruption::Raced { what: format!("{function}:{alias} has changed since it was seen") })
            }
            Sighting::Alias(_) => Ok(()),
            Sighting::Missing | Sighting::Place(_) => {
                Err(Interruption::Raced { what: format!("{function}:{alias} is gone") })
            }
            Sighting::Unseen { why } => Err(Interruption::Failed { why }),
        }
    }

    pub(super) async fn pin(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        version: Version,
        replaces: Option<&RevisionId>,
    ) -> Result<(), Interruption> {
        if let Some(revision) = replaces {
            return self.update_alias(function, alias, Traffic::all_on(version), Some(revision)).await;
        }
        let call = self
            .lambda
            .create_alias()
            .function_name(function.as_str())
            .name(alias.as_str())
            .function_version(version.to_string())
            .description("Keeps the rollback target from being deleted");
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(CreateAliasError::is_resource_conflict_exception) =>
            {
                Err(Interruption::Raced { what: format!("{function}:{alias} exists by now") })
            }
            Err(error) => Err(failed("lambda:CreateAlias", function, alias, &error)),
        }
    }

    async fn update_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        traffic: Traffic,
        revision: Option<&RevisionId>,
    ) -> Result<(), Interruption> {
        // An empty map clears the weights; leaving the field out would keep them.
        let weights: HashMap<String, f64> =
            traffic.secondary.iter().map(|(version, weight)| (version.to_string(), weight.share())).collect();
        let call = self
            .lambda
            .update_alias()
            .function_name(function.as_str())
            .name(alias.as_str())
            .function_version(traffic.primary.to_string())
            .routing_config(
                AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build(),
            )
            .set_revision_id(revision.map(|revision| revision.as_str().to_owned()));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateAliasError::is_precondition_failed_exception) =>
            {
                Err(Interruption::Raced { what: format!("{function}:{alias} has changed since it was seen") })
            }
            Err(error) => Err(failed("lambda:UpdateAlias", function, alias, &error)),
        }
    }
}

fn failed<E, R>(
    call: &'static str,
    function: &FunctionName,
    alias: &AliasName,
    error: &SdkError<E, R>,
) -> Interruption
where
    SdkError<E, R>: std::error::Error + 'static,
{
    Interruption::Failed { why: CallFailed::new(call, format_args!("{function}:{alias}"), error).to_string() }
}

/// An alias's traffic from Lambda's answer. A weight of zero is no weight. Lambda allows one additional version; should it
/// ever allow more, a rollback must not be decided on one of them by chance.
fn traffic(primary: &str, weights: Option<&HashMap<String, f64>>) -> Result<Traffic, InvalidName> {
    let mut traffic = Traffic::all_on(primary.parse()?);
    for (version, share) in weights.into_iter().flatten() {
        let (version, weight) = (version.parse()?, Weight::from_share(*share)?);
        match traffic.secondary {
            _ if weight == Weight::NONE => {}
            None => traffic.secondary = Some((version, weight)),
            Some((other, _)) => {
                return Err(InvalidName {
                    what: "the additional version",
                    value: format!("{other}, {version}"),
                    rule: "one at most",
                });
            }
        }
    }
    Ok(traffic)
}
