//! A deployment that moves an alias: whose it is, and the release that it is in the ledger.

use std::collections::BTreeMap;

use super::{Deployed, Hook, RACE_PAUSE, RACES_MAX, Work};
use crate::aws::{Interruption, take};
use crate::decide::{Moment, decide};
use crate::deployment::{AliasShift, DeploymentChange, DeploymentState, Deployments, Place};
use crate::hook::{Checked, HookVerdict, Owner, answered_before, goes_back, open_release};
use crate::pipeline::Run;
use crate::place::LambdaAlias;
use crate::plan::Step;
use crate::preflight::Subject;
use crate::registration::Target;
use crate::release::{Change, Release};
use crate::signal::Signal;
use crate::situation::{ServiceRecord, Situation};

/// A deployment's release, as it is open in the ledger.
#[derive(Debug)]
pub struct Opened {
    /// The ledger's side.
    pub record: ServiceRecord,
    /// The release.
    pub release: Release,
    /// What it changes, as the deployment's AppSpec says.
    pub change: Change,
    /// Where.
    pub target: Target,
    /// The alias that it is.
    pub alias: LambdaAlias,
}

type Settled = (Option<Owner>, HookVerdict);

impl Opened {
    /// Whose it is.
    pub fn owner(&self) -> Owner {
        Owner { service: self.release.service.clone(), generation: self.release.generation }
    }

    /// What the checks are about.
    pub fn subject<'opened>(&'opened self, run: &'opened Run) -> Subject<'opened> {
        Subject {
            record: &self.record,
            release: &self.release,
            run,
            change: &self.change,
            target: &self.target,
            alias: &self.alias,
        }
    }
}

impl Hook {
    pub(super) async fn opened(&self, state: &DeploymentState, shift: AliasShift) -> Result<Opened, Settled> {
        let failed = |why: String| (None, HookVerdict::failed(why));
        let place = Place::Alias { function: shift.function.clone(), alias: shift.alias.clone() };
        let service = self.owner(&place).await.map_err(failed)?;
        let record = self.record(&service).await.map_err(failed)?;
        let targets = &record.registration.targets;
        let alias = LambdaAlias { function: shift.function.clone(), alias: shift.alias.clone() };
        let at_home = |target: &&Target| target.reach.is_home() && target.lambda() == Some(&alias);
        let target = targets.iter().find(at_home);
        let target =
            target.cloned().ok_or_else(|| failed(format!("{service} is no longer registered at {place}")))?;
        if goes_back(&record, &target, &shift) {
            let why =
                format!("version {} is the known good one, and a way back is never vetoed", shift.target);
            return Err((None, HookVerdict::succeeded(why)));
        }
        let (record, release) =
            self.open(state, record, &target).await.map_err(|why| (None, HookVerdict::failed(why)))?;
        let change = release.change(&target.name).cloned();
        let change = change
            .ok_or_else(|| failed(format!("release {} is not of {}", release.generation, target.name)))?;
        Ok(Opened { record, release, change, target, alias })
    }

    /// The deployment's release, opened if CodeDeploy's event has not been heard yet. Whoever comes second finds it open.
    async fn open(
        &self,
        state: &DeploymentState,
        mut record: ServiceRecord,
        target: &Target,
    ) -> Result<(ServiceRecord, Release), String> {
        let service = record.registration.service.clone();
        let mut last = String::new();
        for race in 0..RACES_MAX {
            tokio::time::sleep(RACE_PAUSE * race).await;
            if race > 0 {
                record = self.record(&service).await?;
            }
            if let Some(release) = open_release(&record, &state.id)?.cloned() {
                return Ok((record, release));
            }
            let (signal, situation, moment) = self.seen(state, record.clone(), target).await;
            let decision = decide(&signal, &situation, moment);
            last = decision.reason.to_string();
            if decision.steps.is_empty() || !decision.steps.iter().flatten().all(is_bookkeeping) {
                return Err(last);
            }
            match take(&self.aws, &decision.steps, self.clock).await.interruption {
                None => {}
                Some(Interruption::Raced { what }) => last = what,
                Some(Interruption::Failed { why } | Interruption::Pending { what: why }) => return Err(why),
            }
        }
        Err(format!("release of {service} could not be opened: {last}"))
    }

    /// The same signal as CodeDeploy's event, and what there is to decide about it.
    async fn seen(
        &self,
        state: &DeploymentState,
        record: ServiceRecord,
        target: &Target,
    ) -> (Signal, Situation, Moment) {
        let now = (self.clock)();
        let signal = Signal::Deployment(DeploymentChange {
            deployment: state.id.clone(),
            application: state.application.clone(),
            group: state.group.clone(),
            state: "HOOK".to_owned(),
            raised_at: now,
        });
        let mut deployments = Deployments { seen: vec![state.clone()], unseen: None };
        let before = record.release.as_ref().and_then(|release| release.deployment.as_ref());
        if let Some(before) = before.filter(|before| before.id != state.id) {
            match self.aws.deployment(&before.id).await {
                Ok(seen) => deployments.seen.extend(seen),
                Err(failed) => deployments.unseen = Some(failed.to_string()),
            }
        }
        let live = self.aws.sight(target).await;
        let live = BTreeMap::from([(target.name.clone(), live)]);
        (signal, Situation { record, live, deployments }, Moment { now, lease_until: now })
    }

    /// What this hook was answered before, or else the release to check.
    pub async fn unanswered(&self, work: &Work, event: &str, opened: Opened) -> Deployed {
        let owner = opened.owner();
        let settled = |checks, verdict| {
            let checked = Checked { owner: Some(owner.clone()), event: event.to_owned(), checks, verdict };
            Deployed::Settled(Box::new(checked))
        };
        match self.aws.ledger.findings(&owner.service, owner.generation).await {
            Ok(findings) => {
                let found: Vec<_> = findings.into_iter().map(|finding| finding.found).collect();
                match answered_before(&found, &work.call.deployment_id, event) {
                    Some((checks, verdict)) => settled(checks, verdict),
                    None => Deployed::Alias(Box::new(opened)),
                }
            }
            Err(error) => settled(Vec::new(), HookVerdict::failed(error)),
        }
    }
}

/// A hook writes down and tells, and moves nothing.
fn is_bookkeeping(step: &Step) -> bool {
    match step {
        Step::Write(_) | Step::Hear { .. } | Step::Tell(_) | Step::Note(_) | Step::Confirm { .. } => true,
        Step::SetTraffic(_)
        | Step::Turn(_)
        | Step::See(_)
        | Step::StopDeployment { .. }
        | Step::Reverse(_)
        | Step::Await { .. }
        | Step::Pin { .. }
        | Step::KeepLogs(_)
        | Step::StopExecution { .. } => false,
    }
}
