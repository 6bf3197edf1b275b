//! Which way leads back: from what the deployment, the one that goes back, and the alias are seen to do.

use jiff::SignedDuration;

use super::Case;
use crate::deployment::{Deployment, DeploymentState, DeploymentStatus};
use crate::plan::SetTraffic;
use crate::reason::Reason;
use crate::release::{Change, Release};

/// A deployment that CodeDeploy rolls back has its successor within this time. Until then nobody sets its alias.
const WAY_BACK_BEGINS_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// How far the deployment that goes back has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WayBack {
    None,
    UnderWay,
    Succeeded,
    Failed,
}

/// What the alias serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    /// What it is to serve.
    Wanted,
    /// The release's versions, one or both.
    Released,
    /// Another version: somebody else moved it.
    Other,
}

/// What puts the traffic back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Stop the deployment; CodeDeploy rolls it back.
    Stop,
    /// CodeDeploy is going back already.
    Await,
    /// CodeDeploy believes in the stable version: set the alias.
    SetTraffic,
    /// A deployment the other way round.
    Reverse,
    /// It is back.
    Rest,
    /// Somebody else moved the alias.
    Drifted,
}

/// The decision table.
pub(super) fn route(status: DeploymentStatus, way: WayBack, serving: Serving, is_automatic: bool) -> Route {
    use DeploymentStatus::{Baking, Created, Failed, InProgress, Queued, Ready, Stopped, Succeeded};
    match (status, way, serving) {
        // Whoever moved it, a person who asks may mean what they see; an alarm's reason is not about that version.
        (_, _, Serving::Other) if is_automatic => Route::Drifted,
        (Created | Queued | InProgress | Baking | Ready, _, _) => Route::Stop,
        (Failed | Stopped | Succeeded, WayBack::UnderWay, _) => Route::Await,
        (Failed | Stopped | Succeeded, _, Serving::Wanted) => Route::Rest,
        (Failed | Stopped, _, Serving::Released | Serving::Other) => Route::SetTraffic,
        // CodeDeploy has tried and could not.
        (Succeeded, WayBack::Failed, Serving::Released | Serving::Other) => Route::SetTraffic,
        (Succeeded, WayBack::None | WayBack::Succeeded, Serving::Released | Serving::Other) => Route::Reverse,
    }
}

impl Case<'_> {
    /// Whether CodeDeploy refused to deploy over an alias that serves something else than it believes: nothing of the release
    /// is served, and what the release calls stable may have been taken back before.
    pub(super) fn never_began(
        &self,
        release: &Release,
        deployment: &Deployment,
        change: &Change,
        step: &SetTraffic,
    ) -> bool {
        let ours = self.situation.deployments.of(&deployment.id);
        let was_refused = ours
            .and_then(|ours| ours.error.as_deref())
            .is_some_and(|error| error.starts_with("INVALID_LAMBDA_CONFIGURATION"));
        let gave_up = ours.is_some_and(|ours| match ours.status {
            DeploymentStatus::Failed | DeploymentStatus::Stopped => true,
            DeploymentStatus::Created
            | DeploymentStatus::Queued
            | DeploymentStatus::InProgress
            | DeploymentStatus::Baking
            | DeploymentStatus::Ready
            | DeploymentStatus::Succeeded => false,
        });
        let serves_neither =
            step.was.versions().all(|version| version != change.stable && version != change.candidate);
        gave_up && (was_refused || release.had_no_traffic()) && serves_neither && step.was != step.traffic
    }

    /// A later deployment that CodeDeploy has rolled back to this release's version, and that no event has told of yet.
    pub(super) fn unheard(&self, release: &Release, change: &Change) -> Option<Reason> {
        let (deployments, fired_at) = (&self.situation.deployments, self.signal.raised_at());
        // What fired before it began, or after it was over, is about another version.
        let fired_within = |state: &DeploymentState| {
            let rolled_back = state.rolls_back.as_ref().and_then(|id| deployments.of(id));
            rolled_back.and_then(|it| it.created_at).is_some_and(|begun| begun <= fired_at)
                && state.completed_at.is_none_or(|over| fired_at <= over)
        };
        let is_unheard = |state: &&DeploymentState| {
            state.is_rollback
                && fired_within(state)
                && state.created_at.is_some_and(|at| at > release.opened_at)
                && state.shift().is_some_and(|shift| shift.target == change.candidate)
        };
        let state = self.situation.deployments.seen.iter().find(is_unheard)?;
        let (deployment, status) = (state.id.clone(), state.status);
        Some(Reason::SilentRollback { deployment, status, error: state.error.clone() })
    }

    /// The deployment that runs in the group of a release whose own has ended, and that is not its way back.
    pub(super) fn another(&self, release: &Release) -> Option<Reason> {
        let mut seen = self.situation.deployments.seen.iter();
        let deployment = seen.find(|other| !other.status.has_ended())?.id.clone();
        Some(Reason::AnotherDeployment { deployment, generation: release.generation })
    }

    /// Why the deployment could not be looked at. One that CodeDeploy no longer knows has been seen: it is gone.
    pub(super) fn unseen(&self, deployment: &Deployment) -> Option<String> {
        let deployments = &self.situation.deployments;
        if deployments.of(&deployment.id).is_some() { None } else { deployments.unseen.clone() }
    }

    pub(super) fn route_of(&self, deployment: &Deployment, change: &Change, step: &SetTraffic) -> Route {
        let ours = |version| version == change.stable || version == change.candidate;
        let serving = if step.was == step.traffic {
            Serving::Wanted
        } else if step.was.versions().all(ours) {
            Serving::Released
        } else {
            Serving::Other
        };
        match self.situation.deployments.of(&deployment.id) {
            Some(state) => {
                let way = match self.way_back(state, change) {
                    WayBack::None if self.may_yet_go_back(state) => WayBack::UnderWay,
                    way @ (WayBack::None | WayBack::UnderWay | WayBack::Succeeded | WayBack::Failed) => way,
                };
                route(state.status, way, serving, self.is_automatic())
            }
            // CodeDeploy has forgotten it, so nothing of it runs and nothing can be asked of it.
            None => route(DeploymentStatus::Stopped, WayBack::None, serving, self.is_automatic()),
        }
    }

    /// Whether CodeDeploy has stopped it only just now: the deployment that goes back comes a moment later.
    pub(super) fn may_yet_go_back(&self, ours: &DeploymentState) -> bool {
        let is_recent = |at: jiff::Timestamp| self.moment.now.duration_since(at) < WAY_BACK_BEGINS_WITHIN;
        let gave_up = matches!(ours.status, DeploymentStatus::Failed | DeploymentStatus::Stopped);
        gave_up && ours.completed_at.is_some_and(is_recent)
    }

    pub(super) fn way_back(&self, ours: &DeploymentState, change: &Change) -> WayBack {
        let goes_back = |other: &&DeploymentState| goes_back(other, ours, change);
        let ways = self.situation.deployments.seen.iter().filter(goes_back);
        match ways.max_by_key(|way| way.created_at).map(|way| way.status) {
            // CodeDeploy has named it, and it could not be looked at: it may well be running.
            None if ours.rolled_back_by.is_some() && self.situation.deployments.unseen.is_some() => {
                WayBack::UnderWay
            }
            None => WayBack::None,
            Some(DeploymentStatus::Succeeded) => WayBack::Succeeded,
            Some(DeploymentStatus::Failed | DeploymentStatus::Stopped) => WayBack::Failed,
            Some(
                DeploymentStatus::Created
                | DeploymentStatus::Queued
                | DeploymentStatus::InProgress
                | DeploymentStatus::Baking
                | DeploymentStatus::Ready,
            ) => WayBack::UnderWay,
        }
    }

    /// Whether a way back of the release is seen to have succeeded.
    pub(super) fn has_come_back(&self, release: &Release) -> bool {
        let own = release.deployment.as_deref().and_then(|own| self.situation.deployments.of(&own.id));
        own.zip(release.changes.first())
            .is_some_and(|(ours, change)| self.way_back(ours, change) == WayBack::Succeeded)
    }
}

/// Whether a deployment goes back from where another one went to.
fn goes_back(other: &DeploymentState, ours: &DeploymentState, change: &Change) -> bool {
    let is_reverse = || {
        other.created_at > ours.created_at
            && other
                .shift()
                .is_some_and(|shift| shift.current == change.candidate && shift.target == change.stable)
    };
    other.id != ours.id
        && (other.rolls_back.as_ref() == Some(&ours.id)
            || ours.rolled_back_by.as_ref() == Some(&other.id)
            || is_reverse())
}
