//! Who has taken a deployment back: AppConfig's log of the deployment says so, and its event does not.

use aws_sdk_appconfig::types::{DeploymentEventType, TriggeredBy};

use super::number;
use crate::aws::Aws;
use crate::place::configuration::Profile;
use crate::signal::TakenBack;

/// What the log of the deployment says; what was known before, where it cannot be read or says nothing.
pub(in crate::aws::place) async fn explain(aws: &Aws, place: &Profile, taken: TakenBack) -> TakenBack {
    let call = aws
        .app_config()
        .get_deployment()
        .application_id(place.application.as_str())
        .environment_id(place.environment.as_str())
        .deployment_number(number(taken.deployment.0));
    let Ok(answer) = call.send().await else { return taken };
    // Newest first.
    let found = answer.event_log().iter().find(|event| {
        matches!(
            event.event_type(),
            Some(DeploymentEventType::RollbackStarted | DeploymentEventType::RevertCompleted)
        )
    });
    let Some(event) = found else { return taken };
    let by = event.triggered_by();
    let who = by.map(TriggeredBy::as_str).unwrap_or_default();
    let why = match (who, event.description().unwrap_or_default()) {
        ("", "") => None,
        ("", words) => Some(words.to_owned()),
        (who, "") => Some(who.to_owned()),
        (who, words) => Some(format!("{who}, {words}")),
    };
    TakenBack { by_alarm: by == Some(&TriggeredBy::CloudwatchAlarm), why, ..taken }
}
