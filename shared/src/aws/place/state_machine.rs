//! Looking at an alias of a state machine, and moving it.

use aws_sdk_sfn::operation::describe_state_machine_alias::DescribeStateMachineAliasError;
use aws_sdk_sfn::operation::update_state_machine_alias::UpdateStateMachineAliasError;
use aws_sdk_sfn::types::RoutingConfigurationListItem;
use futures_util::future::join;
use jiff::Timestamp;

use crate::aws::execute::Interruption;
use crate::aws::{Aws, CallFailed};
use crate::names::{InvalidName, Version};
use crate::place::state_machine::{Alias, Call, Route, Seen};
use crate::place::{Brought, Live, Seen as PlaceSeen};

const DESCRIBE: &str = "states:DescribeStateMachineAlias";
const UPDATE: &str = "states:UpdateStateMachineAlias";
/// AWS publishes no more versions of a state machine, and answers them in one page.
const VERSIONS_MAX: i32 = 1000;

/// Looks at it; nothing if there is none.
pub(super) async fn observe(aws: &Aws, place: &Alias) -> Result<Option<Live>, CallFailed> {
    let describe = aws
        .executions
        .describe_state_machine_alias()
        .state_machine_alias_arn(place.state_machine_alias.as_str());
    let (described, published) = join(describe.send(), published(aws, place)).await;
    let answer = match described {
        Ok(answer) => answer,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeStateMachineAliasError::is_resource_not_found) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(CallFailed::new(DESCRIBE, place, &error)),
    };
    let routes = answer.routing_configuration().iter().map(route).collect::<Result<Vec<_>, _>>();
    let seen = Seen {
        routes: routes.map_err(|error| CallFailed::new(DESCRIBE, place, &error))?,
        published,
        // With its fraction of a second: what is compared with an alarm's must not seem to be earlier than it was.
        updated_at: answer.update_date.and_then(|at| Timestamp::from_nanosecond(at.as_nanos()).ok()),
    };
    let traffic = seen.traffic().ok_or_else(|| CallFailed {
        call: DESCRIBE,
        subject: place.to_string(),
        why: format!("it has {} routes, and not 1 or 2", seen.routes.len()),
    })?;
    // Of two versions that share the alias AWS does not say which one came last.
    let brought = seen.updated_at.filter(|_| traffic.secondary.is_none());
    let brought = brought.map(|at| Brought { version: traffic.primary, at });
    Ok(Some(Live { traffic, brought, seen: PlaceSeen::StateMachineAlias(Box::new(seen)) }))
}

/// The versions that there are. What cannot be listed stops no way back: AWS itself refuses a version that was deleted.
async fn published(aws: &Aws, place: &Alias) -> Option<Vec<Version>> {
    let list = aws
        .executions
        .list_state_machine_versions()
        .state_machine_arn(place.machine())
        .max_results(VERSIONS_MAX);
    let answer = list.send().await.ok()?;
    if answer.next_token().is_some() {
        return None;
    }
    answer
        .state_machine_versions()
        .iter()
        .map(|item| version(item.state_machine_version_arn()))
        .collect::<Result<_, _>>()
        .ok()
}

fn route(item: &RoutingConfigurationListItem) -> Result<Route, InvalidName> {
    Ok(Route {
        version: version(item.state_machine_version_arn())?,
        // AWS gives 0 to 100.
        percent: u32::try_from(item.weight()).unwrap_or_default(),
    })
}

/// A version is the last part of its ARN.
fn version(arn: &str) -> Result<Version, InvalidName> {
    arn.rsplit_once(':').map_or(arn, |(_, number)| number).parse()
}

/// Makes one call.
pub(super) async fn call(aws: &Aws, call: &Call) -> Result<(), Interruption> {
    match call {
        Call::Route { alias, routes, .. } => update(aws, alias, routes).await,
    }
}

async fn update(aws: &Aws, alias: &Alias, routes: &[Route]) -> Result<(), Interruption> {
    let failed = |error: &(dyn std::error::Error + 'static)| Interruption::Failed {
        why: CallFailed::new(UPDATE, alias, error).to_string(),
    };
    let mut items = Vec::new();
    for route in routes {
        let item = RoutingConfigurationListItem::builder()
            .state_machine_version_arn(alias.version_arn(route.version))
            .weight(i32::try_from(route.percent).unwrap_or(i32::MAX))
            .build();
        items.push(item.map_err(|error| failed(&error))?);
    }
    let call = aws
        .executions
        .update_state_machine_alias()
        .state_machine_alias_arn(alias.state_machine_alias.as_str())
        .set_routing_configuration(Some(items));
    match call.send().await {
        Ok(_) => Ok(()),
        // Another is changing it just now; or it, or the version, is gone since it was seen. Looking again names which.
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                UpdateStateMachineAliasError::is_conflict_exception(error)
                    || UpdateStateMachineAliasError::is_resource_not_found(error)
            }) =>
        {
            Err(Interruption::Raced { what: CallFailed::new(UPDATE, alias, &error).to_string() })
        }
        Err(error) => Err(failed(&error)),
    }
}
