//! How a deployment's beginning and its success are written down and told.

use crate::decide::{Case, Course, Decision, Survey, notice_of_end, stand_down, thread};
use crate::deployment::{
    AliasShift, Deployment, DeploymentChange, DeploymentState, DeploymentStatus, PRE_TRAFFIC_HOOK, drift,
};
use crate::names::{Generation, Weight};
use crate::notice::{Notice, Severity};
use crate::place::LambdaAlias;
use crate::plan::{LedgerWrite, SetTraffic, Step};
use crate::reason::Reason;
use crate::registration::Target;
use crate::release::{Change, Event, KnownGood, PastRollback, Phase, Release, Report};
use crate::situation::Sighting;
use crate::traffic::Traffic;

impl Case<'_> {
    /// A deployment that the ledger does not know yet.
    pub(super) fn open(
        &self,
        change: &DeploymentChange,
        state: &DeploymentState,
        before: Option<&Release>,
    ) -> Decision {
        let deployment = state.id.clone();
        let target =
            self.situation.record.registration.targets.iter().find(|target| is_shifted(target, state));
        let Some(target) = target else { return self.without_alias(change, state) };
        if let Some(before) = before
            && state.created_at.is_some_and(|at| at < before.opened_at)
        {
            let reason = Reason::SignalPredatesRelease {
                raised_at: state.created_at.unwrap_or(change.raised_at),
                generation: before.generation,
                opened_at: before.opened_at,
            };
            return stand_down(reason);
        }
        if state.is_rollback {
            return self.hear_ended(state);
        }
        if let Some(done) = self.way_back_of_before(target, state) {
            return done;
        }
        if let Some(before) = before.filter(|before| before.phase == Phase::Shifting) {
            let generation = before.generation;
            let reason = Reason::DeployedBesides { deployment, generation };
            let key = format!("{} besides", state.id);
            return self.hear_deployment(key, state, "another deployment", reason, Severity::Page);
        }
        let Some(opened) = self.opened(target, state, before) else {
            return stand_down(Reason::DeploymentForeign { deployment });
        };
        let reason = Reason::DeploymentOpened { generation: opened.generation, deployment };
        // Whoever ended the release before may have died before people were told, and its record goes away with this write.
        let is_untold = |before: &&Release| matches!(before.report, Report::Leased { .. });
        let untold = before.filter(is_untold).map(|before| Step::Tell(Box::new(notice_of_end(before))));
        let drift = self.drift_before(&opened);
        let write = Step::Write(Box::new(LedgerWrite::of(opened)));
        let steps = untold.into_iter().chain([write]).chain(drift).map(|step| vec![step]).collect();
        Decision { course: Course::Settle, reason, steps, metrics: Vec::new() }
    }

    /// What there is to say of a deployment from a version that was taken back to the one that is known to be good: the way
    /// back of a release that is over. It is no release: an alarm would lead to the bad version again.
    fn way_back_of_before(&self, target: &Target, state: &DeploymentState) -> Option<Decision> {
        let (record, shift) = (&self.situation.record, state.shift()?);
        let is_good = |good: &KnownGood| good.target == target.name && good.version == shift.target;
        let is_bad = |past: &&PastRollback| past.target == target.name && past.version == shift.current;
        let past = record.rollbacks.iter().find(is_bad).filter(|_| record.known_good.iter().any(is_good))?;
        Some(match state.status {
            DeploymentStatus::Failed | DeploymentStatus::Stopped => self.hear_ended(state),
            DeploymentStatus::Created
            | DeploymentStatus::Queued
            | DeploymentStatus::InProgress
            | DeploymentStatus::Baking
            | DeploymentStatus::Ready
            | DeploymentStatus::Succeeded => {
                stand_down(Reason::AlreadyRolledBack { generation: past.generation, at: past.at })
            }
        })
    }

    fn opened(&self, target: &Target, state: &DeploymentState, before: Option<&Release>) -> Option<Release> {
        let shift = state.shift()?;
        // By CodeDeploy's clock: an alarm that fires before its event has arrived is about it.
        let opened_at = state.created_at.unwrap_or(self.moment.now);
        let asks_first = state.spec.as_ref().is_ok_and(|spec| {
            spec.hooks.get("BeforeAllowTraffic").is_some_and(|hook| hook.ends_with(PRE_TRAFFIC_HOOK))
        });
        Some(Release {
            service: self.situation.record.registration.service.clone(),
            generation: before.map_or(Generation(1), |before| before.generation.next()),
            seq: before.map_or(1, |before| before.seq + 1),
            phase: Phase::Shifting,
            opened_at,
            opened_by: format!("CodeDeploy ({}/{})", state.application, state.group),
            changes: vec![Change {
                target: target.name.clone(),
                stable: shift.current,
                candidate: shift.target,
                artefact: None,
                weight: Weight::NONE,
                intent: None,
                claim: None,
            }],
            ended_at: None,
            ended_because: None,
            report: Report::NotDue,
            // Without our hook before traffic nobody says when it begins.
            traffic_at: (!asks_first).then_some(opened_at),
            going_back: None,
            cord: None,
            commit: None,
            run: None,
            deployment: Some(Box::new(Deployment {
                id: state.id.clone(),
                application: state.application.clone(),
                group: state.group.clone(),
                failed_hook: None,
                measured_bad: false,
                pulled: None,
                reversal_until: None,
            })),
        })
    }

    /// CodeDeploy refuses to deploy over an alias that serves something else than it believes. Whoever waits for the
    /// deployment reads that in a sentence that names no command.
    fn drift_before(&self, opened: &Release) -> Option<Step> {
        let change = opened.changes.first()?;
        let Some(Sighting::Alias(live)) = self.situation.live.get(&change.target) else { return None };
        let drift = drift(&self.situation.record, opened, live)?;
        let (service, function, alias) = (&opened.service, &live.function, &live.alias);
        Some(Step::Tell(Box::new(Notice {
            severity: Severity::Warning,
            title: format!("{service}: the alias and CodeDeploy disagree (release {})", opened.generation),
            description: format!("{function}:{alias} {}.", drift.what),
            next_steps: vec![format!("ripcord status {service}"), drift.mend],
            thread: thread(service, Some(opened.generation)),
            service: service.clone(),
        })))
    }

    /// CodeDeploy says that a deployment has given all traffic to the candidate.
    pub(super) fn complete(&self, release: &Release, ours: &DeploymentState) -> Decision {
        let generation = release.generation;
        for change in &release.changes {
            // An alias that cannot be seen just now does not contradict CodeDeploy, nor does one that the next deployment moves on.
            let serving = self.serving(&change.target).filter(|_| !self.is_built_on(change, ours));
            if serving.is_some_and(|traffic| traffic == Traffic::all_on(change.stable)) {
                let reason = self.why_it_is_back(release, ours);
                return self.put_back(release, None, reason);
            }
            if let Some(serving) = serving.filter(|traffic| *traffic != Traffic::all_on(change.candidate)) {
                let reason = Reason::AliasDrifted {
                    target: change.target.clone(),
                    serving,
                    stable: change.stable,
                    candidate: change.candidate,
                };
                return self.hold_if_still(release, change, reason);
            }
        }
        let reason = Reason::DeploymentSucceeded { generation, deployment: ours.id.clone() };
        let Ok(promoted) = release.after(Event::Promoted, self.moment.now, reason.to_string()) else {
            return stand_down(reason);
        };
        let all = |change: &Change| Change { weight: Weight::ALL, ..change.clone() };
        let complete = Release {
            changes: promoted.changes.iter().map(all).collect(),
            traffic_at: promoted.traffic_at.or(Some(promoted.opened_at)),
            ..promoted
        };
        let good = |change: &Change| KnownGood {
            target: change.target.clone(),
            version: change.candidate,
            since: self.moment.now,
        };
        let known_good = complete.changes.iter().map(good).collect();
        let notice = self.notice_of_completion(&complete, &reason);
        let evidence = self.evidence("completion", Some(generation), &reason, &Survey::default());
        let write = LedgerWrite { known_good, evidence: Some(evidence), ..LedgerWrite::of(complete) };
        Decision {
            course: Course::Settle,
            reason,
            steps: vec![vec![Step::Write(Box::new(write))], vec![Step::Tell(Box::new(notice))]],
            metrics: Vec::new(),
        }
    }

    /// Whether a later deployment goes on from the candidate, so that this one's success is heard late.
    fn is_built_on(&self, change: &Change, ours: &DeploymentState) -> bool {
        let goes_on = |shift: &AliasShift| shift.current == change.candidate && shift.target != change.stable;
        let mut seen = self.situation.deployments.seen.iter();
        seen.any(|later| later.created_at > ours.created_at && later.shift().is_some_and(goes_on))
    }

    /// The alias may have been seen a moment before CodeDeploy had finished with it: it must still be as it was seen.
    pub(super) fn hold_if_still(&self, release: &Release, change: &Change, reason: Reason) -> Decision {
        let mut held = self.hold(release, reason);
        if let Ok(step) = self.step_to(&change.target, Traffic::all_on(change.candidate)) {
            let seen = SetTraffic { traffic: step.was, ..step };
            held.steps.insert(0, vec![seen.confirm_unchanged()]);
        }
        held
    }

    /// Closes the books of a release whose way back has succeeded, when whoever took it died and the next deployment has begun.
    pub(super) fn close_reversed(&self, before: &Release, next: &DeploymentState) -> Decision {
        let pulled = before.deployment.as_ref().and_then(|own| own.pulled.as_ref());
        let generation = before.generation;
        let cord = pulled.map(|pulled| Reason::CordPulled { generation, why: pulled.why.clone() });
        let reason = cord.unwrap_or_else(|| Reason::DeploymentEnded {
            generation,
            deployment: before.deployment.as_ref().map_or_else(|| next.id.clone(), |it| it.id.clone()),
            status: DeploymentStatus::Succeeded,
            error: Some(format!(
                "it was put back since, because deployment {} starts from the stable version",
                next.id
            )),
        });
        self.restore(Course::Settle, &Survey::default(), before, None, reason)
    }

    fn why_it_is_back(&self, release: &Release, ours: &DeploymentState) -> Reason {
        Reason::DeploymentEnded {
            generation: release.generation,
            deployment: ours.id.clone(),
            status: ours.status,
            error: Some("the alias serves the stable version all the same".to_owned()),
        }
    }

    fn notice_of_completion(&self, complete: &Release, reason: &Reason) -> Notice {
        let (service, generation) = (&complete.service, complete.generation);
        Notice {
            severity: Severity::Info,
            service: service.clone(),
            title: format!("{service}: release {generation} is complete"),
            description: reason.to_string(),
            next_steps: vec![
                format!("ripcord status {service}"),
                format!("ripcord rollback {service} --reason \"...\""),
            ],
            thread: thread(service, Some(generation)),
        }
    }

    /// A deployment of something that is put back by nobody here: how it ended badly is told, so that it is not silent.
    fn without_alias(&self, change: &DeploymentChange, state: &DeploymentState) -> Decision {
        if state.shift().is_some() {
            return stand_down(Reason::DeploymentForeign { deployment: change.deployment.clone() });
        }
        self.hear_ended(state)
    }

    fn hear_ended(&self, state: &DeploymentState) -> Decision {
        let (deployment, status) = (state.id.clone(), state.status);
        let went_wrong = match status {
            DeploymentStatus::Failed | DeploymentStatus::Stopped => true,
            DeploymentStatus::Succeeded => state.is_rollback,
            DeploymentStatus::Created
            | DeploymentStatus::Queued
            | DeploymentStatus::InProgress
            | DeploymentStatus::Baking
            | DeploymentStatus::Ready => false,
        };
        if !went_wrong {
            return stand_down(Reason::DeploymentUnderWay { deployment, status });
        }
        let reason = Reason::SilentRollback { deployment, status, error: state.error.clone() };
        let key = format!("{} {status}", state.id);
        self.hear_deployment(key, state, "a rollback by CodeDeploy", reason, Severity::Warning)
    }

    pub(super) fn hear_deployment(
        &self,
        key: String,
        state: &DeploymentState,
        what: &str,
        reason: Reason,
        severity: Severity,
    ) -> Decision {
        let service = &self.situation.record.registration.service;
        let title = format!("{service}: {what} ({})", state.id);
        self.hear_once(key, title, reason, severity)
    }
}

fn is_shifted(target: &Target, state: &DeploymentState) -> bool {
    let is_it = |alias: &LambdaAlias, shift: &AliasShift| {
        shift.function == alias.function && shift.alias == alias.alias
    };
    state.shift().zip(target.lambda()).is_some_and(|(shift, alias)| is_it(alias, shift))
}
