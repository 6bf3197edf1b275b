//! What the hooks of CodeDeploy decide: what they are called for, whether a deployment goes back, and what follows from the
//! checks. A hook says yes or no to CodeDeploy and moves nothing.
//!
//! What could not be checked has not passed, and a rollback is never vetoed. Nothing here calls, waits or reads a clock.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::deployment::{AliasShift, Deployment, DeploymentState};
use crate::error_type::{ErrorType, Failure};
use crate::finding::{Found, HookFinding};
use crate::names::{DeploymentId, Generation, ServiceName};
use crate::notice::{Notice, Severity};
use crate::preflight::{Check, verdict};
use crate::registration::Target;
use crate::release::{Phase, Release};
use crate::situation::ServiceRecord;

mod ecs;
mod watch;

pub use ecs::{EcsMoment, decide_ecs};
pub use watch::{Watched, decide_watch, is_judged, judged};

/// The lifecycle event before an alias's traffic is shifted.
pub const BEFORE_TRAFFIC: &str = "BeforeAllowTraffic";
/// The lifecycle event after it.
pub const AFTER_TRAFFIC: &str = "AfterAllowTraffic";

/// What CodeDeploy calls a hook with: everything else is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HookCall {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// What the answer is given under.
    pub lifecycle_event_hook_execution_id: String,
}

impl HookCall {
    /// Reads an event. Of one that cannot be understood nobody is known who waits for an answer.
    pub fn read(event: &Value) -> Result<Self, Failure> {
        let unreadable = |why: String| {
            Failure::new(ErrorType::SignalUnreadable, format!("the event is no hook's of CodeDeploy: {why}"))
        };
        let call: Self = serde_path_to_error::deserialize(event)
            .map_err(|error| unreadable(format!("{}: {}", error.path(), error.inner())))?;
        if call.lifecycle_event_hook_execution_id.is_empty() {
            return Err(unreadable("LifecycleEventHookExecutionId is empty".to_owned()));
        }
        Ok(call)
    }
}

/// What CodeDeploy is answered, and why. CodeDeploy has no field for the reason, so it is told elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookVerdict {
    /// Whether the deployment may go on.
    pub succeeded: bool,
    /// Why, with the numbers.
    pub why: String,
    /// Whether people are told although it may go on: something was not proved.
    #[serde(default)]
    pub is_doubtful: bool,
    /// Whether the version itself was measured to be bad, which is more than a check that failed.
    #[serde(default)]
    pub measured_bad: bool,
}

impl HookVerdict {
    /// The deployment may go on.
    pub fn succeeded(why: impl ToString) -> Self {
        Self { succeeded: true, why: why.to_string(), is_doubtful: false, measured_bad: false }
    }

    /// It may not.
    pub fn failed(why: impl ToString) -> Self {
        Self { succeeded: false, ..Self::succeeded(why) }
    }

    /// What follows from the checks.
    pub fn of(checks: &[Check]) -> Self {
        match verdict(checks) {
            Ok(why) => Self::succeeded(why),
            Err(failure) => Self::failed(failure.message),
        }
    }
}

/// Whose deployment it is: nothing is known of one whose service is not registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The service.
    pub service: ServiceName,
    /// Its release; 0 where Ripcord keeps none.
    pub generation: Generation,
}

/// What a hook has found, and answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Whose deployment it is, as far as that is known.
    pub owner: Option<Owner>,
    /// The lifecycle event.
    pub event: String,
    /// The checks, as far as they were made.
    pub checks: Vec<Check>,
    /// What follows.
    pub verdict: HookVerdict,
}

impl Checked {
    /// What is answered without a check.
    pub fn unchecked(owner: Option<Owner>, event: &str, verdict: HookVerdict) -> Self {
        Self { owner, event: event.to_owned(), checks: Vec::new(), verdict }
    }

    /// What is kept of it in the ledger.
    pub fn finding(&self, deployment: &DeploymentId) -> Found {
        Found::Hook(HookFinding {
            event: self.event.clone(),
            deployment: deployment.to_string(),
            checks: self.checks.clone(),
            succeeded: self.verdict.succeeded,
            why: self.verdict.why.clone(),
        })
    }

    /// What people are told once CodeDeploy has taken the answer; nothing if all is well, or nobody is known to care.
    pub fn notice(&self, deployment: &DeploymentId) -> Option<Notice> {
        let Owner { service, generation } = self.owner.as_ref()?;
        let HookVerdict { succeeded, why, is_doubtful, .. } = &self.verdict;
        let (title, consequence) = match (succeeded, is_doubtful) {
            (true, false) => return None,
            (true, true) => ("goes on unproved", "CodeDeploy goes on; alarms still put it back."),
            (false, _) => ("is refused", "CodeDeploy goes back, and the release ends with that."),
        };
        Some(Notice {
            severity: Severity::Warning,
            service: service.clone(),
            title: format!("{service}: deployment {deployment} {title} ({})", self.event),
            description: format!("{why}. {consequence}"),
            next_steps: vec![format!("ripcord status {service}"), format!("ripcord evidence {service}")],
            thread: format!("{service}#{generation}"),
        })
    }
}

/// What a hook of the same deployment and event was answered before: the event may come three times, and is answered alike.
pub fn answered_before(
    found: &[Found],
    deployment: &DeploymentId,
    event: &str,
) -> Option<(Vec<Check>, HookVerdict)> {
    found.iter().find_map(|found| match found {
        Found::Hook(hook) if hook.deployment == deployment.as_str() && hook.event == event => {
            let verdict = HookVerdict { succeeded: hook.succeeded, ..HookVerdict::succeeded(&hook.why) };
            Some((hook.checks.clone(), verdict))
        }
        Found::Hook(_) | Found::Before(_) | Found::After(_) | Found::Stage(_) => None,
    })
}

/// Whether CodeDeploy itself says that a deployment goes back.
pub fn is_rollback(state: &DeploymentState) -> bool {
    state.is_rollback || state.rolls_back.is_some()
}

/// Whether a shift leads to where the service is known to be well: to its last known good version, or from its latest
/// release's candidate to its stable version.
pub fn goes_back(record: &ServiceRecord, target: &Target, shift: &AliasShift) -> bool {
    // Versions count up: a later one that happens to have a good one's number is another function's, of the same name.
    let is_good = shift.target < shift.current
        && record.known_good.iter().any(|good| good.target == target.name && good.version == shift.target);
    let change = record.release.as_ref().and_then(|release| release.change(&target.name));
    is_good || change.is_some_and(|change| change.stable == shift.target && change.candidate == shift.current)
}

/// The release that a deployment moves, if it still may have traffic; else why not.
pub fn open_release<'record>(
    record: &'record ServiceRecord,
    deployment: &DeploymentId,
) -> Result<Option<&'record Release>, String> {
    let is_its = |release: &&Release| release.deployment.as_ref().is_some_and(|its| its.id == *deployment);
    let Some(release) = record.release.as_ref().filter(is_its) else { return Ok(None) };
    match release.phase {
        Phase::Shifting | Phase::Complete => Ok(Some(release)),
        phase @ (Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn) => {
            let because = release.ended_because.as_deref().unwrap_or("nobody said why");
            Err(format!("release {} is {phase} already: {because}", release.generation))
        }
    }
}

/// The release as a hook's verdict leaves it; nothing if nothing changes. That traffic may come is written down before
/// CodeDeploy hears of it, and so is why it may not: from then on anybody may ask.
pub fn after_verdict(release: &Release, verdict: &HookVerdict, now: jiff::Timestamp) -> Option<Release> {
    let deployment = release.deployment.as_deref()?;
    let (traffic_at, failed_hook) = if verdict.succeeded {
        (release.traffic_at.or(Some(now)), deployment.failed_hook.clone())
    } else {
        (release.traffic_at, Some(verdict.why.clone()))
    };
    if traffic_at == release.traffic_at && failed_hook == deployment.failed_hook {
        return None;
    }
    let measured_bad = deployment.measured_bad || verdict.measured_bad;
    let deployment = Deployment { failed_hook, measured_bad, ..deployment.clone() };
    Some(Release {
        seq: release.seq + 1,
        traffic_at,
        deployment: Some(Box::new(deployment)),
        ..release.clone()
    })
}
