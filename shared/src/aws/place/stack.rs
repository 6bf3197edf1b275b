//! Looking at a stack, and moving it.

use std::fmt::Display;

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::describe_stack_events::DescribeStackEventsOutput;
use aws_sdk_cloudformation::types::{Capability, Parameter, RollbackConfiguration, Stack as Described};
use aws_sdk_cloudformation::types::{RollbackTrigger, TemplateStage};
use futures_util::future::{join, join3};
use jiff::Timestamp;

use crate::aws::execute::Interruption;
use crate::aws::ledger::{KeptParameter, KeptTemplate, LedgerError};
use crate::aws::{Aws, CallFailed};
use crate::names::{PlainName, Version};
use crate::place::stack::{Call, Redeployment, Seen, Stack, Status};
use crate::place::{Live, Seen as SeenOf};
use crate::traffic::Traffic;

mod kept;
mod triggers;

pub use kept::{KeepError, TEMPLATE_BYTES_MAX};
pub use triggers::Triggers;

/// Looks at it; nothing if there is none.
pub(super) async fn observe(aws: &Aws, place: &Stack) -> Result<Option<Live>, CallFailed> {
    let name = &place.stack;
    let (deployed, events, kept) =
        join3(deployed(aws, name), events(aws, name), aws.ledger.stack_versions(region(aws), name)).await;
    let Some(Deployed { stack, version, changed_at, .. }) = deployed? else { return Ok(None) };
    let kept = kept.map_err(|error| unread(error, name))?;
    let seen = Seen {
        status: status(&stack),
        status_reason: stack.stack_status_reason,
        deployed: version,
        changed_at,
        // Newest first. Every event of an operation has the token that the operation was asked for with.
        operation: events?.stack_events().first().and_then(|event| event.client_request_token.clone()),
        kept,
        nested_in: stack.root_id,
        role: stack.role_arn,
        triggers: stack.rollback_configuration.as_ref().map(alarms).unwrap_or_default(),
        asked: aws.places.memory.recall(&asked(name)),
        same_as: same_as(aws, name, changed_at),
    };
    Ok(Some(Live {
        traffic: Traffic::all_on(version),
        brought: seen.brought(),
        seen: SeenOf::Stack(Box::new(seen)),
    }))
}

/// A stack, and what it is deployed from.
struct Deployed {
    stack: Described,
    version: Version,
    changed_at: Timestamp,
    kept: KeptTemplate,
}

/// The stack and its template, asked for at once; nothing if there is no such stack.
async fn deployed(aws: &Aws, name: &PlainName) -> Result<Option<Deployed>, CallFailed> {
    let client = aws.cloudformation();
    let template =
        client.get_template().stack_name(name.as_str()).template_stage(TemplateStage::Original).send();
    let (described, template) =
        join(client.describe_stacks().stack_name(name.as_str()).send(), template).await;
    let described = match described {
        Ok(described) => described,
        Err(error) if is_refused(&error, &["does not exist"]) => return Ok(None),
        Err(error) => return Err(CallFailed::new("cloudformation:DescribeStacks", name, &error)),
    };
    let Some(mut stack) = described.stacks.unwrap_or_default().pop() else { return Ok(None) };
    let template = template.map_err(|error| CallFailed::new("cloudformation:GetTemplate", name, &error))?;
    let kept = KeptTemplate {
        template: template.template_body.unwrap_or_default(),
        parameters: stack.parameters.take().unwrap_or_default().into_iter().map(parameter).collect(),
        capabilities: stack.capabilities().iter().map(|capability| capability.as_str().to_owned()).collect(),
    };
    let at = stack.last_updated_time.or(stack.creation_time);
    let changed_at = at
        .and_then(|at| at.to_millis().ok())
        .and_then(|at| Timestamp::from_millisecond(at).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let version = kept::version(&kept).map_err(|invalid| CallFailed {
        call: "cloudformation:GetTemplate",
        subject: name.to_string(),
        why: invalid.to_string(),
    })?;
    Ok(Some(Deployed { stack, version, changed_at, kept }))
}

async fn events(aws: &Aws, name: &PlainName) -> Result<DescribeStackEventsOutput, CallFailed> {
    let events = aws.cloudformation().describe_stack_events().stack_name(name.as_str()).send().await;
    events.map_err(|error| CallFailed::new("cloudformation:DescribeStackEvents", name, &error))
}

fn status(stack: &Described) -> Status {
    Status::from(stack.stack_status.as_ref().map_or("", |status| status.as_str()).to_owned())
}

fn alarms(configuration: &RollbackConfiguration) -> Vec<String> {
    configuration.rollback_triggers().iter().filter_map(RollbackTrigger::arn).map(str::to_owned).collect()
}

/// What CloudFormation shows of a secret.
const HIDDEN: &str = "****";

fn parameter(parameter: Parameter) -> KeptParameter {
    KeptParameter {
        key: parameter.parameter_key.unwrap_or_default(),
        value: parameter.parameter_value.filter(|value| value != HIDDEN),
    }
}

/// Where the stack is looked for. Every client has a region, or could call nobody.
fn region(aws: &Aws) -> &str {
    aws.cloudformation().config().region().map_or("", AsRef::as_ref)
}

fn unread(error: LedgerError, name: &PlainName) -> CallFailed {
    match error {
        LedgerError::Call(failed) => failed,
        LedgerError::Unreadable { .. } => {
            CallFailed { call: "dynamodb:Query", subject: name.to_string(), why: error.to_string() }
        }
    }
}

fn asked(name: &PlainName) -> String {
    format!("asked of stack {name}")
}

fn same(name: &PlainName) -> String {
    format!("no difference in stack {name}")
}

/// The version that CloudFormation found no difference to, unless the stack was changed since.
fn same_as(aws: &Aws, name: &PlainName, changed_at: Timestamp) -> Option<Version> {
    let (at, version) = aws
        .places
        .memory
        .recall(&same(name))?
        .split_once(' ')
        .map(|(at, version)| (at.parse::<Timestamp>().ok(), version.parse().ok()))?;
    version.filter(|_| at == Some(changed_at))
}

/// Makes one call.
pub(super) async fn call(aws: &Aws, call: &Call) -> Result<(), Interruption> {
    match call {
        Call::Cancel { stack, token } => {
            let client = aws.cloudformation();
            let sent = client.cancel_update_stack().stack_name(stack.as_str()).client_request_token(token);
            let answer = sent.send().await.map(drop);
            outcome(aws, ("cloudformation:CancelUpdateStack", stack, token), answer)
        }
        Call::RollBack { stack, token } => {
            let client = aws.cloudformation();
            let sent = client.rollback_stack().stack_name(stack.as_str()).client_request_token(token);
            let answer = sent.send().await.map(drop);
            outcome(aws, ("cloudformation:RollbackStack", stack, token), answer)
        }
        Call::Redeploy(redeployment) => redeploy(aws, redeployment).await,
    }
}

async fn redeploy(aws: &Aws, redeployment: &Redeployment) -> Result<(), Interruption> {
    let Redeployment { stack, to, changed_at, .. } = redeployment;
    let kept = aws.ledger.stack_template(region(aws), stack, *to).await;
    let kept = kept.map_err(|error| Interruption::Failed { why: error.to_string() })?;
    let Some(kept) = kept else {
        return Err(Interruption::Raced { what: format!("version {to} of stack {stack} is no longer kept") });
    };
    let token = redeployment.token();
    // What is left out stays as it is: the tags, the topics, the role, the stack's policy. Its rollback triggers do not, because
    // the alarm that asks for the way back may be one of them, and CloudFormation would take the way back, back.
    let unwatched = RollbackConfiguration::builder()
        .set_rollback_triggers(Some(Vec::new()))
        .monitoring_time_in_minutes(0)
        .build();
    let answer = aws
        .cloudformation()
        .update_stack()
        .stack_name(stack.as_str())
        .template_body(kept.template)
        .set_parameters(Some(kept.parameters.into_iter().map(sent).collect()))
        .set_capabilities(Some(
            kept.capabilities.iter().map(|name| Capability::from(name.as_str())).collect(),
        ))
        .rollback_configuration(unwatched)
        .client_request_token(&token)
        .send()
        .await
        .map(drop);
    match answer {
        // The two differ in nothing that CloudFormation deploys: in comments, say.
        Err(error) if is_refused(&error, &["No updates are to be performed"]) => {
            aws.places.memory.keep(same(stack), format!("{changed_at} {to}"));
            Ok(())
        }
        answer => outcome(aws, ("cloudformation:UpdateStack", stack, &token), answer),
    }
}

fn sent(parameter: KeptParameter) -> Parameter {
    let is_hidden = parameter.value.is_none();
    Parameter::builder()
        .parameter_key(parameter.key)
        .set_parameter_value(parameter.value)
        .set_use_previous_value(is_hidden.then_some(true))
        .build()
}

/// How CloudFormation refuses a call that the stack's status does not allow: somebody else has moved it on since it was seen.
const MOVED_ON: &[&str] =
    &["cannot be called from current stack status", "can not be updated", "cannot be updated"];

/// What an answer means; what was asked for is remembered until the stack shows it.
fn outcome<E, R>(
    aws: &Aws,
    (call, stack, token): (&'static str, &PlainName, &str),
    answer: Result<(), SdkError<E, R>>,
) -> Result<(), Interruption>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match answer {
        Ok(()) => {
            aws.places.memory.keep(asked(stack), token);
            Ok(())
        }
        // An earlier try has arrived.
        Err(error) if error.code() == Some("TokenAlreadyExistsException") => {
            aws.places.memory.keep(asked(stack), token);
            Ok(())
        }
        Err(error) if is_refused(&error, MOVED_ON) => Err(Interruption::Raced { what: said(stack, &error) }),
        Err(error) => Err(Interruption::Failed { why: CallFailed::new(call, stack, &error).to_string() }),
    }
}

/// CloudFormation says most of what it refuses by one code, and what it means in words.
fn is_refused<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, words: &[&str]) -> bool {
    let said = error.message().unwrap_or_default();
    error.code() == Some("ValidationError") && words.iter().any(|words| said.contains(words))
}

fn said<E: ProvideErrorMetadata, R>(stack: impl Display, error: &SdkError<E, R>) -> String {
    format!("stack {stack}: {}", error.message().unwrap_or_default())
}
