//! Releases whose traffic CodeDeploy moves: its events as signals, and the one right way back by what the deployment, the way
//! back that may have begun, and the alias are seen to do.
//!
//! CodeDeploy believes in what its last successful deployment left behind. So a running deployment is stopped and rolled back
//! by CodeDeploy, a finished one is reversed by another, and only where CodeDeploy believes in the stable version already is
//! the alias set from here.

use super::{Case, Course, Decision, Survey, stand_down};
use crate::deployment::{
    AliasShift, Deployment, DeploymentChange, DeploymentState, DeploymentStatus, Pulled,
};
use crate::names::{DeploymentId, Version, Weight};
use crate::notice::Severity;
use crate::plan::{LedgerWrite, Reversal, SetTraffic, Step};
use crate::reason::Reason;
use crate::release::{Change, Phase, Release};
use crate::signal::Signal;
use crate::traffic::Traffic;

mod books;
mod route;
#[cfg(test)]
mod tests;

use route::Route;

/// CodeDeploy's own record takes no more.
const WHY_CHARS_MAX: usize = 200;

impl Case<'_> {
    /// CodeDeploy says that something happened to a deployment. What it is now was asked, so an event may come twice, late or
    /// out of order.
    pub(super) fn on_deployment(&self, change: &DeploymentChange) -> Decision {
        let Some(state) = self.situation.deployments.of(&change.deployment) else {
            let why = self.situation.deployments.unseen.clone().unwrap_or_else(|| "it is gone".to_owned());
            return stand_down(Reason::DeploymentUnseen { deployment: change.deployment.clone(), why });
        };
        match &self.situation.record.release {
            Some(release) if is_about(release, state) => self.follow(release),
            // One group runs one deployment: the end of the one before was lost, or is on its way.
            Some(before) if before.phase == Phase::Shifting && is_of_its_group(before, state) => {
                self.follow(before)
            }
            Some(before) if was_reversed(before, state) => self.close_reversed(before, state),
            before => self.open(change, state, before.as_ref()),
        }
    }

    /// What CodeDeploy did with a release that is known.
    fn follow(&self, release: &Release) -> Decision {
        let generation = release.generation;
        let at = release.ended_at.unwrap_or(release.opened_at);
        let Some(deployment) = release.deployment.as_deref() else {
            return stand_down(Reason::AlreadyRolledBack { generation, at });
        };
        let Some(ours) = self.situation.deployments.of(&deployment.id) else {
            let why = self.situation.deployments.unseen.clone().unwrap_or_else(|| "it is gone".to_owned());
            return stand_down(Reason::DeploymentUnseen { deployment: deployment.id.clone(), why });
        };
        match (release.phase, ours.status) {
            (Phase::RolledBack | Phase::Withdrawn, status) => self
                .unfinished_report(release)
                .or_else(|| self.came_again(release, ours).filter(|_| status.has_ended()))
                .unwrap_or_else(|| stand_down(Reason::AlreadyRolledBack { generation, at })),
            (
                _,
                status @ (DeploymentStatus::Created
                | DeploymentStatus::Queued
                | DeploymentStatus::InProgress
                | DeploymentStatus::Baking
                | DeploymentStatus::Ready),
            ) => stand_down(Reason::DeploymentUnderWay { deployment: deployment.id.clone(), status }),
            // A person decides about what is held; CodeDeploy's events decide nothing about it.
            (
                Phase::Held,
                DeploymentStatus::Succeeded | DeploymentStatus::Failed | DeploymentStatus::Stopped,
            ) => self
                .unfinished_report(release)
                .unwrap_or_else(|| stand_down(Reason::AlreadyRolledBack { generation, at })),
            // Somebody is putting it back: what goes is not known to be good, not even for a moment.
            (Phase::Shifting, DeploymentStatus::Succeeded)
                if deployment.reversal_until.is_some_and(|until| self.moment.now < until) =>
            {
                self.put_back(release, None, self.why_it_ended(release, deployment, ours))
            }
            (Phase::Shifting, DeploymentStatus::Succeeded) => self.complete(release, ours),
            (Phase::Complete, DeploymentStatus::Succeeded) if !self.is_going_back(release) => {
                stand_down(Reason::AlreadyComplete { generation, at })
            }
            (Phase::Complete | Phase::RollbackFailed, DeploymentStatus::Succeeded)
            | (
                Phase::Shifting | Phase::Complete | Phase::RollbackFailed,
                DeploymentStatus::Failed | DeploymentStatus::Stopped,
            ) => self.put_back(release, None, self.why_it_ended(release, deployment, ours)),
        }
    }

    /// CodeDeploy has given traffic to a version whose books are closed as put back. Whoever closed them saw it gone.
    fn came_again(&self, release: &Release, ours: &DeploymentState) -> Option<Decision> {
        let change = release.changes.first()?;
        let serving = self.serving(&change.target)?;
        if serving.share_of(change.candidate) == Weight::NONE {
            return None;
        }
        let reason = Reason::AliasDrifted {
            target: change.target.clone(),
            serving,
            stable: change.stable,
            candidate: change.candidate,
        };
        Some(self.hear_deployment(
            format!("{} came again", ours.id),
            ours,
            "a version that was put back has traffic again",
            reason,
            Severity::Page,
        ))
    }

    fn why_it_ended(&self, release: &Release, deployment: &Deployment, ours: &DeploymentState) -> Reason {
        let (generation, id) = (release.generation, deployment.id.clone());
        match (&deployment.pulled, &deployment.failed_hook) {
            (Some(pulled), _) => Reason::CordPulled { generation, why: pulled.why.clone() },
            (None, Some(why)) => Reason::HookFailed { generation, deployment: id, why: why.clone() },
            (None, None) => Reason::DeploymentEnded {
                generation,
                deployment: id,
                status: ours.status,
                error: ours.error.clone(),
            },
        }
    }

    /// Puts back what CodeDeploy has moved, or is moving.
    pub(super) fn put_back_deployed(
        &self,
        release: &Release,
        deployment: &Deployment,
        to: Option<Version>,
        reason: Reason,
    ) -> Decision {
        let Some(change) = release.changes.first() else { return self.give_up(release, reason) };
        let wanted = Traffic::all_on(to.unwrap_or(change.stable));
        let step = match self.step_to(&change.target, wanted) {
            Ok(step) => step,
            Err(hindrance) => return self.stuck(&Survey::default(), hindrance),
        };
        if let Some(why) = self.unseen(deployment) {
            let deployment = deployment.id.clone();
            return self.stuck(&Survey::default(), Reason::DeploymentUnseen { deployment, why });
        }
        if self.never_began(release, deployment, change, &step) {
            return self.give_up(release, reason);
        }
        let route = self.route_of(deployment, change, &step);
        if route == Route::Rest {
            let survey = Survey { resting: vec![step], ..Survey::default() };
            return self.restore_or_withdraw(Course::Settle, &survey, release, to, reason);
        }
        if let Some(ruled_out) =
            self.barrier(&step.target, step.was, step.traffic.primary).or_else(|| self.looping())
        {
            return self.hold(release, ruled_out);
        }
        self.take_route(
            route,
            &seen_with_traffic(release, change, &step, self.moment.now),
            change,
            step,
            to,
            reason,
        )
    }

    fn take_route(
        &self,
        route: Route,
        release: &Release,
        change: &Change,
        step: SetTraffic,
        to: Option<Version>,
        reason: Reason,
    ) -> Decision {
        let Some(deployment) = release.deployment.as_deref() else { return self.give_up(release, reason) };
        // A deployment goes from one version, and CodeDeploy refuses one from an alias that serves two. Where it was only seen
        // a moment before CodeDeploy had finished with it, it has another revision by now.
        let route =
            if route == Route::Reverse && step.was.secondary.is_some() { Route::SetTraffic } else { route };
        match route {
            // Not beneath another deployment: it would go on from what it believes to be served, or refuse to.
            Route::SetTraffic | Route::Reverse => {
                let mut seen = self.situation.deployments.seen.iter();
                // It had gone back, nobody wrote that down, and the team goes on from there.
                let next = seen.find(|state| !state.status.has_ended() && was_reversed(release, state));
                if let Some(next) = next {
                    return self.close_reversed(release, next);
                }
                if let Some(another) = self.another(release) {
                    return self.hold(release, another);
                }
            }
            Route::Stop | Route::Await | Route::Rest | Route::Drifted => {}
        }
        let stopped = (route == Route::Stop).then_some(&deployment.id);
        let awaiting = vec![self.until_it_serves(&step, stopped)];
        let mut noted = release.clone();
        let by_codedeploy = match route {
            Route::Rest | Route::SetTraffic => Vec::new(),
            Route::Drifted => {
                let drifted = self.drifted(change, step.was).unwrap_or(reason);
                return self.hold_if_still(release, change, drifted);
            }
            Route::Await => vec![awaiting],
            // CodeDeploy goes back to where it came from, and to nowhere else.
            Route::Stop if to.is_some_and(|to| to != change.stable) => {
                let status = self.situation.deployments.of(&deployment.id).map(|ours| ours.status);
                let status = status.unwrap_or(DeploymentStatus::InProgress);
                return stand_down(Reason::DeploymentUnderWay { deployment: deployment.id.clone(), status });
            }
            Route::Stop => {
                let mut stop = vec![Step::StopDeployment { deployment: deployment.id.clone() }];
                if deployment.pulled.is_none() {
                    let pulled = self.pulled(deployment, &reason);
                    noted = Release {
                        seq: release.seq + 1,
                        deployment: Some(Box::new(pulled)),
                        cord: self.cord(release),
                        ..release.clone()
                    };
                    stop.push(Step::Write(Box::new(LedgerWrite::of(noted.clone()))));
                }
                vec![stop, awaiting]
            }
            Route::Reverse => match (self.signal, self.unheard(release, change)) {
                // It fired for what CodeDeploy has rolled back by itself meanwhile, and not for what is served again.
                (Signal::Alarm(alarm), Some(unheard)) => return self.hear(alarm, unheard, Severity::Warning),
                (_, _) => return self.reverse(release, deployment, step, to, reason),
            },
        };
        let survey = match route {
            Route::SetTraffic => Survey { moves: vec![step], ..Survey::default() },
            Route::Stop | Route::Await | Route::Reverse | Route::Rest | Route::Drifted => {
                Survey { by_codedeploy, ..Survey::default() }
            }
        };
        self.restore_or_withdraw(Course::Restore, &survey, &noted, to, reason)
    }

    /// The same deployment with a note of why it is put back.
    fn pulled(&self, deployment: &Deployment, reason: &Reason) -> Deployment {
        let pulled = Pulled { why: reason.to_string(), automatic: self.is_automatic() };
        Deployment { pulled: Some(pulled), ..deployment.clone() }
    }

    /// A deployment that ends before its target had traffic was not rolled back, and counts as no rollback.
    fn restore_or_withdraw(
        &self,
        course: Course,
        survey: &Survey,
        release: &Release,
        to: Option<Version>,
        reason: Reason,
    ) -> Decision {
        let restored = self.restore(course, survey, release, to, reason);
        if release.had_no_traffic() {
            return Decision { course: Course::Settle, ..restored };
        }
        restored
    }

    /// A deployment the other way round. CodeDeploy takes no condition with that call, so it is claimed in the ledger first:
    /// of two who decide the same, one comes too late.
    fn reverse(
        &self,
        release: &Release,
        deployment: &Deployment,
        step: SetTraffic,
        to: Option<Version>,
        reason: Reason,
    ) -> Decision {
        // Another invocation means to go back. It may have died, so it is waited for, and looked after by a retry.
        let claimed_until = deployment.reversal_until.filter(|until| *until != self.moment.lease_until);
        if claimed_until.is_some_and(|until| self.moment.now < until) {
            let awaiting =
                Survey { by_codedeploy: vec![vec![self.until_it_serves(&step, None)]], ..Survey::default() };
            return self.restore(Course::Restore, &awaiting, release, to, reason);
        }
        let shift = AliasShift {
            function: step.function.clone(),
            alias: step.alias.clone(),
            current: step.was.primary,
            target: step.traffic.primary,
        };
        let claim =
            Deployment { reversal_until: Some(self.moment.lease_until), ..self.pulled(deployment, &reason) };
        let claimed = Release {
            seq: release.seq + 1,
            deployment: Some(Box::new(claim)),
            cord: self.cord(release),
            ..release.clone()
        };
        let reversal = Reversal {
            application: deployment.application.clone(),
            group: deployment.group.clone(),
            shift,
            why: format!("Ripcord: {reason}").chars().take(WHY_CHARS_MAX).collect(),
        };
        // A way back that has succeeded, and an alias that has not gone back: one of the two was seen too early.
        let still = self.has_come_back(release).then(|| {
            let seen = SetTraffic { traffic: step.was, ..step.clone() };
            vec![seen.confirm_unchanged()]
        });
        let claim_and_go = [
            vec![Step::Write(Box::new(LedgerWrite::of(claimed.clone())))],
            vec![Step::Reverse(Box::new(reversal))],
            vec![self.until_it_serves(&step, None)],
        ];
        let by_codedeploy = still.into_iter().chain(claim_and_go).collect();
        self.restore(Course::Restore, &Survey { by_codedeploy, ..Survey::default() }, &claimed, to, reason)
    }

    /// A deployment that moves the alias just now, and that the ledger holds no open release for yet.
    pub(super) fn deployment_under_way(&self) -> Option<Reason> {
        let running = self.situation.deployments.seen.iter().find(|state| !state.status.has_ended())?;
        Some(Reason::DeploymentUnderWay { deployment: running.id.clone(), status: running.status })
    }

    /// Whether CodeDeploy has given the candidate all traffic, which a release that is held does not learn.
    pub(super) fn was_deployed(&self, release: &Release) -> bool {
        let has_all =
            |change: &Change| self.serving(&change.target) == Some(Traffic::all_on(change.candidate));
        release.deployment.is_some() && release.changes.iter().all(has_all)
    }

    fn until_it_serves(&self, step: &SetTraffic, ended: Option<&DeploymentId>) -> Step {
        Step::Await {
            function: step.function.clone(),
            alias: step.alias.clone(),
            traffic: step.traffic,
            ended: ended.cloned(),
            until: self.moment.looks_until(),
        }
    }

    /// Whether nobody asked for a rollback, whoever closes its books.
    pub(super) fn nobody_asked(&self) -> bool {
        let release = self.situation.record.release.as_ref();
        let pulled = release.and_then(|release| release.deployment.as_ref()?.pulled.as_ref());
        match self.signal {
            Signal::Deployment(_) => pulled.is_none_or(|pulled| pulled.automatic),
            Signal::Arrival(_) => self.going_back().is_none_or(|going_back| going_back.automatic),
            Signal::Alarm(_) | Signal::Operator(_) | Signal::Pipeline(_) => self.is_automatic(),
        }
    }

    /// Whether CodeDeploy, or a hook of ours, found the version itself to be bad.
    pub(super) fn deployment_found_bad(&self) -> bool {
        let deployment = self.situation.record.release.as_ref().and_then(|it| it.deployment.as_deref());
        let Some(deployment) = deployment else { return false };
        let error = self.situation.deployments.of(&deployment.id).and_then(|ours| ours.error.as_deref());
        // An alarm and a person that pull the cord both mean this version, as they do where Ripcord moves traffic itself.
        deployment.pulled.is_some()
            || deployment.measured_bad
            || error.is_some_and(|error| error.starts_with("ALARM_ACTIVE"))
    }
}

/// Whether a deployment runs where the release's own does.
fn is_of_its_group(release: &Release, state: &DeploymentState) -> bool {
    let own = release.deployment.as_deref();
    own.is_some_and(|own| own.application == state.application && own.group == state.group)
}

/// Whether a deployment is a release's own, or its way back.
fn is_about(release: &Release, state: &DeploymentState) -> bool {
    let (Some(deployment), Some(change)) = (release.deployment.as_deref(), release.changes.first()) else {
        return false;
    };
    let is_reverse = || {
        state.created_at.is_some_and(|at| at > release.opened_at)
            && state
                .shift()
                .is_some_and(|shift| shift.current == change.candidate && shift.target == change.stable)
    };
    state.id == deployment.id || state.rolls_back.as_ref() == Some(&deployment.id) || is_reverse()
}

/// Whether a deployment starts where the one that goes back for a release has arrived, though nobody has said so yet.
fn was_reversed(before: &Release, state: &DeploymentState) -> bool {
    let claimed = before.deployment.as_deref().is_some_and(|it| it.reversal_until.is_some());
    let starts_from = |change: &Change| state.shift().is_some_and(|shift| shift.current == change.stable);
    before.phase == Phase::Complete
        && claimed
        && state.created_at.is_some_and(|at| at >= before.opened_at)
        && before.changes.iter().all(starts_from)
}

/// The release as it is seen: one whose candidate serves requests has traffic, whoever gave it to it.
fn seen_with_traffic(release: &Release, change: &Change, step: &SetTraffic, now: jiff::Timestamp) -> Release {
    let has_traffic = step.was.share_of(change.candidate) != Weight::NONE;
    let traffic_at = release.traffic_at.or_else(|| has_traffic.then_some(now));
    Release { traffic_at, ..release.clone() }
}
