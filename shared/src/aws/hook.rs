//! A hook of CodeDeploy: the desk that always answers, and what is the same for every check apart from it.
//!
//! The desk's process asks AWS nothing before it has answered CodeDeploy. What is decided is in [`crate::hook`].

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Aws, Interruption, take};
use crate::deployment::{DeploymentState, Place, Resource};
use crate::finding::Finding;
use crate::hook::{Checked, HookCall, HookVerdict, Owner, after_verdict, is_rollback, open_release};
use crate::names::{DeploymentId, Generation, ServiceName};
use crate::pipeline::Tempo;
use crate::plan::{LedgerWrite, Step};
use crate::situation::ServiceRecord;

mod alias;
mod desk;
mod ecs;

pub use alias::Opened;
pub use desk::{Desk, HookReport, answer};
pub use ecs::Installed;

/// What the checks of a hook need.
#[derive(Debug)]
pub struct Hook {
    /// The clients.
    pub aws: Aws,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// How fast time passes.
    pub tempo: Tempo,
}

/// What the desk hands to whoever checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What CodeDeploy called with.
    pub call: HookCall,
    /// An ARN in the region and account where the suite lies: the function's own.
    pub here: String,
    /// When the verdict must be there.
    pub until: Timestamp,
}

/// What is being deployed, once that is known.
#[derive(Debug)]
pub enum Deployed {
    /// There is nothing to check: this is the answer.
    Settled(Box<Checked>),
    /// The traffic of an alias moves.
    Alias(Box<Opened>),
    /// The tasks of an ECS service are replaced.
    Service(Box<Installed>),
}

/// Whoever loses a race looks again; here one is lost only to people, rollbacks and CodeDeploy's events.
const RACES_MAX: u32 = 4;
const RACE_PAUSE: Duration = Duration::from_millis(25);
/// CodeDeploy is asked again what a deployment is, and how far: without the one even a rollback could not be told from a
/// deployment, and the other it may know only a little later.
const ASKED_MAX: u32 = 6;
const ASK_PAUSE: Duration = Duration::from_millis(250);
/// What is left of the time for writing down what was found.
const REPORTING: Duration = Duration::from_secs(4);

impl Work {
    /// How long something may take that has to be reported after it.
    pub fn patience(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.until.duration_since(now)).unwrap_or_default().saturating_sub(REPORTING)
    }
}

impl Hook {
    /// Finds out what is being deployed and whose it is. Where somebody must be told no, or a rollback yes, that is known
    /// without a check. `event` is the lifecycle event that the hook is called at, unless ECS is asked for it.
    pub async fn deployed(&self, work: &Work, event: &str) -> Deployed {
        let id = &work.call.deployment_id;
        match self.try_deployed(work, id).await {
            Ok(deployed) => deployed,
            Err((owner, verdict)) => Deployed::Settled(Box::new(Checked::unchecked(owner, event, verdict))),
        }
    }

    async fn try_deployed(
        &self,
        work: &Work,
        id: &DeploymentId,
    ) -> Result<Deployed, (Option<Owner>, HookVerdict)> {
        let failed = |why: String| (None, HookVerdict::failed(why));
        let state = self.deployment(work, id).await.map_err(failed)?;
        if is_rollback(&state) {
            let why = format!("deployment {id} goes back, and a rollback is never vetoed");
            return Err((None, HookVerdict::succeeded(why)));
        }
        match state.spec.as_ref().map(|spec| &spec.resource) {
            Ok(Resource::Alias(shift)) => {
                let shift = shift.clone();
                Ok(Deployed::Alias(Box::new(self.opened(&state, shift).await?)))
            }
            Ok(Resource::TaskSet { .. }) => {
                Ok(Deployed::Service(Box::new(self.installed(work, &state).await?)))
            }
            Ok(Resource::Instances) => {
                Err(failed(format!("deployment {id} deploys to instances, whose hooks are scripts")))
            }
            // An AppSpec that lies elsewhere is not read. Whether it is one of ECS is known from the group.
            Err(why) => match self.installed(work, &state).await {
                Ok(installed) => Ok(Deployed::Service(Box::new(installed))),
                Err((owner, HookVerdict { why: nor, .. })) => Err((
                    owner,
                    HookVerdict::failed(format!("what deployment {id} deploys is not known: {why}; {nor}")),
                )),
            },
        }
    }

    /// The lifecycle event that a deployment is in. A hook is called in one, and the targets may say so a little later.
    async fn event_in_progress(&self, work: &Work, id: &DeploymentId) -> Result<String, String> {
        let mut last = String::new();
        for asked in 0..ASKED_MAX {
            if asked > 0 && work.patience((self.clock)()).is_zero() {
                break;
            }
            tokio::time::sleep(ASK_PAUSE * asked).await;
            match self.aws.lifecycle_event_in_progress(id).await {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => last = format!("deployment {id} is in no lifecycle event"),
                Err(failed) => last = failed.to_string(),
            }
        }
        Err(last)
    }

    async fn deployment(&self, work: &Work, id: &DeploymentId) -> Result<DeploymentState, String> {
        let mut last = String::new();
        for asked in 0..ASKED_MAX {
            if asked > 0 && work.patience((self.clock)()).is_zero() {
                break;
            }
            tokio::time::sleep(ASK_PAUSE * asked).await;
            match self.aws.deployment(id).await {
                Ok(Some(state)) => return Ok(state),
                Ok(None) => return Err(format!("CodeDeploy knows of no deployment {id}")),
                Err(failed) => last = failed.to_string(),
            }
        }
        Err(last)
    }

    /// The one service that is registered at a place.
    async fn owner(&self, place: &Place) -> Result<ServiceName, String> {
        let mend = "register it with ripcord apply";
        match self.aws.ledger.placed_at(place).await.map_err(|error| error.to_string())?.as_slice() {
            [] => Err(format!("no service is registered at {place}: {mend}")),
            [one] => Ok(one.service.clone()),
            [one, other, ..] => Err(format!(
                "{place} belongs to {} and to {}: take it out of one, and {mend}",
                one.service, other.service
            )),
        }
    }

    async fn record(&self, service: &ServiceName) -> Result<ServiceRecord, String> {
        let record = self.aws.ledger.service(service).await.map_err(|error| error.to_string())?;
        record.ok_or_else(|| format!("service {service} is not registered: ripcord apply"))
    }

    /// Writes down what was found and what follows from it. A verdict that lets a deployment go on counts only if that
    /// traffic may come is written down.
    pub async fn kept(&self, work: &Work, checked: Checked) -> Checked {
        let Err(why) = self.keep(&work.call.deployment_id, &checked).await else { return checked };
        let why = format!("{}; but that could not be kept: {why}", checked.verdict.why);
        Checked { verdict: HookVerdict { why, succeeded: false, ..checked.verdict }, ..checked }
    }

    async fn keep(&self, id: &DeploymentId, checked: &Checked) -> Result<(), String> {
        let Some(Owner { service, generation }) = &checked.owner else { return Ok(()) };
        let mut lost = String::new();
        for race in 0..RACES_MAX {
            tokio::time::sleep(RACE_PAUSE * race).await;
            let now = (self.clock)();
            let finding = Finding::in_generation((service, *generation), checked.finding(id), now);
            // What is noted is what a repeated event is answered, so it comes last.
            let mut steps = vec![vec![Step::Note(Box::new(finding))]];
            if *generation != Generation(0) {
                let record = self.record(service).await?;
                let open = match open_release(&record, id) {
                    Ok(open) => open,
                    // It has ended meanwhile, which is as much of a no as ours.
                    Err(_) if !checked.verdict.succeeded => None,
                    Err(ended) => return Err(ended),
                };
                let after = open.and_then(|release| after_verdict(release, &checked.verdict, now));
                if let Some(release) = after {
                    steps.insert(0, vec![Step::Write(Box::new(LedgerWrite::of(release)))]);
                }
            }
            match take(&self.aws, &steps, self.clock).await.interruption {
                None => return Ok(()),
                Some(Interruption::Raced { what }) => lost = what,
                Some(Interruption::Failed { why } | Interruption::Pending { what: why }) => return Err(why),
            }
        }
        Err(format!("lost {RACES_MAX} races for {service}, the last because {lost}"))
    }
}
