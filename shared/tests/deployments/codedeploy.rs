//! CodeDeploy, as far as it applies effects: deployments that shift an alias step by step, one at a time in a group; stops
//! and rollbacks, which are deployments of their own and begin a moment after the one that they roll back has ended.
//!
//! It knows none of the rules under test. Where AWS does not say what happens, it does what makes the most trouble.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ripcord::deployment::{
    AliasShift, AppSpec, DeploymentState, DeploymentStatus, PRE_TRAFFIC_HOOK, Resource,
};
use ripcord::names::{DeploymentId, Weight};
use ripcord::plan::Reversal;
use ripcord::traffic::Traffic;

use super::world::v;

/// How a group deploys, and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// The candidate's shares on the way to everything, in percent.
    pub(crate) steps: Vec<u32>,
    /// Whether our hook is asked before traffic.
    pub(crate) asks_first: bool,
    /// Whether a hook after traffic says no.
    pub(crate) refused_after: bool,
    /// Whether a deployment that fails, or that an alarm stops, is rolled back by CodeDeploy.
    pub(crate) auto_rollback: bool,
    /// Whether a firing alarm stops it.
    pub(crate) watches_alarms: bool,
}

/// One deployment and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    pub(crate) state: DeploymentState,
    manner: Manner,
    /// What is left to shift, the next one last.
    steps_left: Vec<u32>,
    /// Whether our hook has let it go on.
    allowed: bool,
    /// Set when it is to be stopped: whether to roll back, and why.
    stopping: Option<(bool, Option<String>)>,
    /// It has ended, and its rollback has not begun.
    rollback_due: bool,
    /// What it made the alias serve last.
    serves: Traffic,
}

/// What a moment of CodeDeploy's work has shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Moved {
    /// Nothing is left to do.
    Nothing,
    /// It goes on.
    On,
    /// The hook before traffic is asked about a deployment.
    Asks(DeploymentId),
    /// A deployment's state has changed, as its event calls it.
    Says(DeploymentId, &'static str),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CodeDeploy {
    pub(crate) deployments: Vec<Deployed>,
}

impl CodeDeploy {
    pub(crate) fn of(&self, id: &DeploymentId) -> Option<&DeploymentState> {
        self.deployments.iter().map(|it| &it.state).find(|state| state.id == *id)
    }

    /// The deployment that was attempted last in the group.
    pub(crate) fn latest(&self) -> Option<&DeploymentId> {
        self.deployments.last().map(|it| &it.state.id)
    }

    pub(crate) fn running(&self) -> Option<&Deployed> {
        self.deployments.iter().find(|it| !it.state.status.has_ended())
    }

    /// The deployment that a team began last.
    pub(crate) fn newest_of_a_team(&self, ours: &BTreeSet<DeploymentId>) -> Option<&DeploymentId> {
        let mut states = self.deployments.iter().rev().map(|it| &it.state);
        states.find(|state| !state.is_rollback && !ours.contains(&state.id)).map(|state| &state.id)
    }

    /// Whether a rollback is due, or has begun since a look.
    pub(crate) fn goes_back_unseen(&self, seen_at: Timestamp) -> bool {
        let began_since = |it: &Deployed| it.state.is_rollback && it.state.created_at > Some(seen_at);
        self.deployments.iter().any(|it| it.rollback_due || began_since(it))
    }

    /// Whether CodeDeploy refuses to begin another one.
    pub(crate) fn is_busy(&self) -> bool {
        self.deployments.iter().any(|it| !it.state.status.has_ended() || it.rollback_due)
    }

    /// Somebody deploys.
    pub(crate) fn deploy(
        &mut self,
        current: u64,
        target: u64,
        manner: Manner,
        at: Timestamp,
    ) -> Option<DeploymentId> {
        let shift = AliasShift {
            function: "checkout-api".parse().unwrap(),
            alias: "live".parse().unwrap(),
            current: v(current),
            target: v(target),
        };
        self.begin(shift, manner, at)
    }

    /// The deployment that Ripcord asks for: without hooks, alarms and rollback, and all at once.
    pub(crate) fn reverse(&mut self, reversal: &Reversal, at: Timestamp) -> Option<DeploymentId> {
        let manner = Manner {
            steps: Vec::new(),
            asks_first: false,
            refused_after: false,
            auto_rollback: false,
            watches_alarms: false,
        };
        self.begin(reversal.shift.clone(), manner, at)
    }

    fn begin(&mut self, shift: AliasShift, manner: Manner, at: Timestamp) -> Option<DeploymentId> {
        if self.is_busy() {
            return None;
        }
        Some(self.add(shift, manner, at))
    }

    fn add(&mut self, shift: AliasShift, manner: Manner, at: Timestamp) -> DeploymentId {
        let id: DeploymentId = format!("d-{}", self.deployments.len() + 1).parse().unwrap();
        let hook = manner
            .asks_first
            .then(|| ("BeforeAllowTraffic".to_owned(), format!("CodeDeployHook_ripcord{PRE_TRAFFIC_HOOK}")));
        let serves = Traffic::all_on(shift.current);
        let state = DeploymentState {
            id: id.clone(),
            application: "checkout".to_owned(),
            group: "checkout-api".to_owned(),
            status: DeploymentStatus::Created,
            is_rollback: false,
            rolled_back_by: None,
            rolls_back: None,
            error: None,
            created_at: Some(at),
            completed_at: None,
            spec: Ok(AppSpec { resource: Resource::Alias(shift), hooks: hook.into_iter().collect() }),
        };
        let steps_left = manner.steps.iter().rev().copied().collect();
        self.deployments.push(Deployed {
            state,
            manner,
            steps_left,
            allowed: false,
            stopping: None,
            rollback_due: false,
            serves,
        });
        id
    }

    /// Stops a deployment; says whether that is news to it, or nothing if it has ended.
    pub(crate) fn stop(&mut self, id: &DeploymentId, rolls_back: bool, why: Option<&str>) -> Option<bool> {
        let deployed = self.deployments.iter_mut().find(|it| it.state.id == *id)?;
        if deployed.state.status.has_ended() {
            return None;
        }
        let is_news = deployed.stopping.is_none();
        let (before, error) = deployed.stopping.take().unwrap_or((false, None));
        deployed.stopping = Some((before || rolls_back, error.or_else(|| why.map(str::to_owned))));
        Some(is_news)
    }

    /// An alarm of the group fires.
    pub(crate) fn hear_alarm(&mut self) {
        let watching = self.running().filter(|it| it.manner.watches_alarms);
        if let Some((id, rolls_back)) = watching.map(|it| (it.state.id.clone(), it.manner.auto_rollback)) {
            self.stop(&id, rolls_back, Some("ALARM_ACTIVE: one or more alarms have been activated"));
        }
    }

    /// The hook before traffic answers.
    pub(crate) fn answer(&mut self, id: &DeploymentId, lets_on: bool, at: Timestamp) -> Moved {
        let index = self.deployments.iter().position(|it| it.state.id == *id).unwrap();
        let deployed = &mut self.deployments[index];
        if deployed.state.status.has_ended() {
            return Moved::Nothing;
        }
        deployed.allowed |= lets_on;
        if lets_on {
            Moved::On
        } else {
            self.fail(index, "HOOK_EXECUTION_FAILURE: BeforeAllowTraffic failed", at)
        }
    }

    /// A moment of CodeDeploy's work on the alias, which it sets without asking who else has.
    pub(crate) fn work(&mut self, alias: &mut Traffic, at: Timestamp) -> Moved {
        if let Some(index) = self.deployments.iter().position(|it| it.rollback_due) {
            return self.roll_back(index, at);
        }
        let Some(index) = self.deployments.iter().position(|it| !it.state.status.has_ended()) else {
            return Moved::Nothing;
        };
        let deployed = &mut self.deployments[index];
        let (id, shift) = (deployed.state.id.clone(), deployed.state.shift().unwrap().clone());
        if deployed.state.status == DeploymentStatus::Created {
            deployed.state.status = DeploymentStatus::InProgress;
            return Moved::Says(id, "START");
        }
        if let Some((rolls_back, error)) = deployed.stopping.take() {
            deployed.state.status = DeploymentStatus::Stopped;
            deployed.state.error = error;
            deployed.state.completed_at = Some(at);
            deployed.rollback_due = rolls_back;
            return Moved::Says(id, "STOP");
        }
        let is_untouched = *alias == deployed.serves;
        let is_possible = shift.current != shift.target;
        if !is_possible || (!is_untouched && !deployed.state.is_rollback) {
            return self.fail(index, "INVALID_LAMBDA_CONFIGURATION: the alias serves another version", at);
        }
        if deployed.state.is_rollback && !alias.versions().all(|it| it == shift.current || it == shift.target)
        {
            return self.fail(index, "INVALID_LAMBDA_CONFIGURATION: the alias serves another version", at);
        }
        if deployed.manner.asks_first && !deployed.allowed {
            return Moved::Asks(id);
        }
        match deployed.steps_left.pop() {
            Some(percent) => {
                let weight = Weight::from_share(f64::from(percent) / 100.0).unwrap();
                *alias = Traffic::split(shift.current, shift.target, weight);
                deployed.serves = *alias;
                Moved::On
            }
            None if *alias != Traffic::all_on(shift.target) => {
                *alias = Traffic::all_on(shift.target);
                deployed.serves = *alias;
                Moved::On
            }
            None if deployed.manner.refused_after => {
                self.fail(index, "HOOK_EXECUTION_FAILURE: AfterAllowTraffic failed", at)
            }
            None => {
                deployed.state.status = DeploymentStatus::Succeeded;
                deployed.state.completed_at = Some(at);
                Moved::Says(id, "SUCCESS")
            }
        }
    }

    fn fail(&mut self, index: usize, error: &str, at: Timestamp) -> Moved {
        let deployed = &mut self.deployments[index];
        deployed.state.status = DeploymentStatus::Failed;
        deployed.state.error = Some(error.to_owned());
        deployed.state.completed_at = Some(at);
        deployed.rollback_due = deployed.manner.auto_rollback;
        Moved::Says(deployed.state.id.clone(), "FAILURE")
    }

    fn roll_back(&mut self, index: usize, at: Timestamp) -> Moved {
        let (bad, shift) = {
            let deployed = &mut self.deployments[index];
            deployed.rollback_due = false;
            (deployed.state.id.clone(), deployed.state.shift().unwrap().clone())
        };
        let back = AliasShift { current: shift.target, target: shift.current, ..shift };
        let manner = Manner {
            steps: Vec::new(),
            asks_first: false,
            refused_after: false,
            auto_rollback: false,
            watches_alarms: false,
        };
        let id = self.add(back, manner, at);
        let rollback = &mut self.deployments.last_mut().unwrap().state;
        rollback.is_rollback = true;
        rollback.rolls_back = Some(bad);
        self.deployments[index].state.rolled_back_by = Some(id);
        Moved::On
    }
}
