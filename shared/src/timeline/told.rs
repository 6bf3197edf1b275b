//! What AWS's own events say: of CodeDeploy, ECS, Step Functions, AppConfig and CloudFormation.
//!
//! As with signals, what is needed is demanded by name, and everything else may be missing or new. An event says what it is
//! about; which services that concerns, only the ledger knows.

use jiff::Timestamp;
use serde_json::Value;

use super::{Meaning, Source, Told};
use crate::names::{DeploymentId, ServiceName};

/// An event of AWS's about something that may be a service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsEvent {
    /// How its services are found.
    pub whom: Whom,
    /// When, by AWS's clock: the same however often the event is delivered.
    pub at: Timestamp,
    /// What it says.
    pub told: Told,
}

/// How the services are found that an event concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// It names its service.
    Service(ServiceName),
    /// By the place, under any of these names.
    Places(Vec<String>),
    /// By asking CodeDeploy what the deployment deploys.
    Deployment(DeploymentId),
}

/// Reads an event. Nothing if it is none of those that say anything of a release; an error if it should and does not.
pub fn read_aws_event(event: &Value) -> Result<Option<AwsEvent>, String> {
    let detail_type = event.get("detail-type").and_then(Value::as_str).unwrap_or_default();
    let reading = match event.get("source").and_then(Value::as_str) {
        Some("aws.codedeploy") if detail_type == "CodeDeploy Deployment State-change Notification" => {
            codedeploy(event)
        }
        Some("aws.ecs") if detail_type == "ECS Deployment State Change" => ecs(event),
        Some("aws.states") if detail_type == "Step Functions Execution Status Change" => execution(event),
        Some("aws.cloudformation") if detail_type == "CloudFormation Stack Status Change" => stack(event),
        Some("aws.appconfig") => appconfig(event),
        Some(_) | None => return Ok(None),
    }?;
    let at = text(event, "/time")?;
    let at = at.parse().map_err(|_| format!("/time = {at:?} is not a time"))?;
    Ok(reading.map(|(whom, told)| AwsEvent { whom, at, told }))
}

type Read = Result<Option<(Whom, Told)>, String>;

fn codedeploy(event: &Value) -> Read {
    let deployment = text(event, "/detail/deploymentId")?;
    let id: DeploymentId = deployment.parse().map_err(|error| format!("/detail/deploymentId: {error}"))?;
    let state = text(event, "/detail/state")?;
    let meaning = match state {
        "START" | "READY" => Meaning::Began,
        "SUCCESS" => Meaning::Succeeded,
        "FAILURE" | "STOP" => Meaning::WentBack,
        _ => return Ok(None),
    };
    let told = told(Source::CodeDeploy, deployment, state, meaning, None);
    Ok(Some((Whom::Deployment(id), told)))
}

fn ecs(event: &Value) -> Read {
    // `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE`.
    let arn = text(event, "/resources/0")?;
    let (_, place) =
        arn.split_once(":service/").ok_or_else(|| format!("{arn} is not the ARN of a service"))?;
    let state = text(event, "/detail/eventName")?;
    let meaning = match state {
        "SERVICE_DEPLOYMENT_IN_PROGRESS" => Meaning::Began,
        "SERVICE_DEPLOYMENT_COMPLETED" => Meaning::Succeeded,
        "SERVICE_DEPLOYMENT_FAILED" => Meaning::WentBack,
        _ => return Ok(None),
    };
    let because = event.pointer("/detail/reason").and_then(Value::as_str);
    let about = text(event, "/detail/deploymentId")?;
    let places = Whom::Places(vec![format!("ecs:{place}")]);
    Ok(Some((places, told(Source::Ecs, about, state, meaning, because))))
}

/// An execution of the state machine that drives releases. One whose input names no service has opened none.
fn execution(event: &Value) -> Read {
    let input = event.pointer("/detail/input").and_then(Value::as_str);
    let input = input.and_then(|input| serde_json::from_str::<Value>(input).ok());
    let service = input.and_then(|input| input.get("service")?.as_str()?.parse().ok());
    let Some(service) = service else { return Ok(None) };
    let state = text(event, "/detail/status")?;
    let meaning = match state {
        "RUNNING" => Meaning::Began,
        "SUCCEEDED" => Meaning::Succeeded,
        "FAILED" | "TIMED_OUT" | "ABORTED" => Meaning::WentBack,
        _ => return Ok(None),
    };
    let because = event.pointer("/detail/cause").and_then(Value::as_str);
    let about = text(event, "/detail/executionArn")?;
    Ok(Some((Whom::Service(service), told(Source::StepFunctions, about, state, meaning, because))))
}

fn stack(event: &Value) -> Read {
    // `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID`.
    let arn = text(event, "/detail/stack-id")?;
    let name = arn.split_once(":stack/").and_then(|(_, stack)| stack.split('/').next());
    let name = name.ok_or_else(|| format!("{arn} is not the ARN of a stack"))?;
    let state = text(event, "/detail/status-details/status")?;
    let meaning = match state {
        "UPDATE_IN_PROGRESS" | "UPDATE_ROLLBACK_IN_PROGRESS" => Meaning::Began,
        "UPDATE_COMPLETE" => Meaning::Succeeded,
        "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_FAILED" => Meaning::WentBack,
        _ => return Ok(None),
    };
    let because = event.pointer("/detail/status-details/status-reason").and_then(Value::as_str);
    let places = Whom::Places(vec![format!("stack:{name}")]);
    Ok(Some((places, told(Source::CloudFormation, name, state, meaning, because))))
}

/// What AppConfig's extension sends. It names things by identifier and by name, and either may be registered.
fn appconfig(event: &Value) -> Read {
    let state = text(event, "/detail/Type")?;
    let meaning = match state {
        "OnDeploymentStart" | "OnDeploymentStep" | "OnDeploymentBaking" => Meaning::Began,
        "OnDeploymentComplete" => Meaning::Succeeded,
        "OnDeploymentRolledBack" => Meaning::WentBack,
        _ => return Ok(None),
    };
    let place_by = |field: &str| {
        let part = |part: &str| text(event, &format!("/detail/{part}/{field}"));
        let (application, environment) = (part("Application")?, part("Environment")?);
        Ok::<_, String>(format!("appconfig:{application}/{environment}/{}", part("ConfigurationProfile")?))
    };
    let by_id = place_by("Id")?;
    let number = event.pointer("/detail/DeploymentNumber").and_then(Value::as_u64);
    let about = format!("{by_id}#{}", number.ok_or("there is no number /detail/DeploymentNumber")?);
    let because = event.pointer("/detail/Description").and_then(Value::as_str);
    let mut places = vec![by_id];
    places.extend(place_by("Name").ok());
    Ok(Some((Whom::Places(places), told(Source::AppConfig, &about, state, meaning, because))))
}

/// What AWS says of why may be as long as it likes.
const BECAUSE_CHARS_MAX: usize = 500;

fn told(source: Source, about: &str, state: &str, meaning: Meaning, because: Option<&str>) -> Told {
    let because = because.filter(|because| !because.is_empty());
    Told {
        source,
        about: about.to_owned(),
        state: state.to_owned(),
        meaning,
        because: because.map(|because| because.chars().take(BECAUSE_CHARS_MAX).collect()),
    }
}

fn text<'event>(event: &'event Value, path: &str) -> Result<&'event str, String> {
    event.pointer(path).and_then(Value::as_str).ok_or_else(|| format!("there is no text {path}"))
}
