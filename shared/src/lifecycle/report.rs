//! What is written down and told of a hook's answer.

use jiff::Timestamp;

use super::{HookStatus, LifecycleEvent, Verdict};
use crate::finding::{Finding, Found, HookFinding};
use crate::names::{Generation, ServiceName};
use crate::notice::{Notice, Severity};
use crate::plan::{Step, Steps};

/// The steps that keep an answer, and tell people if it stops the deployment: ECS knows no reasons. An answer that only asks
/// to be asked again is in the logs.
pub fn report(
    event: &LifecycleEvent,
    verdict: &Verdict,
    service: &ServiceName,
    generation: Option<Generation>,
    now: Timestamp,
) -> Steps {
    let succeeded = match verdict.answer.hook_status {
        HookStatus::Succeeded => true,
        HookStatus::Failed => false,
        HookStatus::InProgress => return Vec::new(),
    };
    let finding = HookFinding {
        event: event.step(),
        deployment: event.deployment_id().to_owned(),
        checks: verdict.checks.clone(),
        succeeded,
        why: verdict.why.clone(),
    };
    let note = generation.map(|generation| {
        let finding = Finding::in_generation((service, generation), Found::Hook(finding), now);
        Step::Note(Box::new(finding))
    });
    let tell = (!succeeded).then(|| Step::Tell(Box::new(refused(event, verdict, service))));
    let steps: Vec<Step> = tell.into_iter().chain(note).collect();
    if steps.is_empty() { Vec::new() } else { vec![steps] }
}

fn refused(event: &LifecycleEvent, verdict: &Verdict, service: &ServiceName) -> Notice {
    let deployment = event.deployment.as_deref().unwrap_or("that the event does not name");
    let place = event.place().map(|place| format!(" of {}/{}", place.cluster, place.service));
    let place = place.unwrap_or_default();
    Notice {
        severity: Severity::Warning,
        service: service.clone(),
        title: format!("{service}: the ECS deployment{place} was refused at {}", event.stage),
        description: format!("{}. ECS rolls the deployment {deployment} back.", verdict.why),
        next_steps: vec![
            format!("aws ecs describe-service-deployments --service-deployment-arns {deployment}"),
            format!("ripcord status {service}"),
        ],
        thread: format!("{service}#{}", event.deployment_id()),
    }
}
