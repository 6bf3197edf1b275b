//! The invariants, computed from what took place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ripcord::decide::Decision;
use ripcord::names::{DeploymentId, Generation, Weight};
use ripcord::notice::Severity;
use ripcord::plan::Step;
use ripcord::release::{Phase, Release};
use ripcord::signal::Signal;
use ripcord::situation::Situation;
use ripcord::traffic::Traffic;

use super::invocation::Call;
use crate::world::{Answer, Effect, World};

#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Somebody moved the alias by hand.
    pub(super) meddled: bool,
    /// Somebody named the version to go to.
    pub(super) named_version: bool,
    /// A team deployed before the end of the deployment before was heard of.
    pub(super) tangled: bool,
    /// When the ledger first held each release.
    written: BTreeMap<Generation, Timestamp>,
    /// The releases that ended otherwise than well.
    ended: BTreeSet<Generation>,
    /// The deployments whose ends the ledger has held.
    booked: BTreeSet<DeploymentId>,
    /// The deployments that Ripcord began.
    reversals: BTreeSet<DeploymentId>,
    /// What moved traffic back, by release.
    ways: BTreeMap<Generation, Vec<String>>,
}

/// How often each way back was taken, so that none of them goes untried.
#[derive(Debug, Default)]
pub(super) struct Tally {
    stopped: u32,
    reversed: u32,
    set: u32,
    withdrawn: u32,
    rolled_back: u32,
    complete: u32,
    held: u32,
    /// Histories in which nothing but CodeDeploy, alarms, commands and broken invocations was at work.
    calm: u32,
}

impl Tally {
    pub(super) fn covers_every_way_back(&self) {
        let Self { stopped, reversed, set, withdrawn, rolled_back, complete, held, calm } = self;
        for count in [stopped, reversed, set, withdrawn, rolled_back, complete, held, calm] {
            assert!(*count >= 100, "some way is hardly ever taken: {self:?}");
        }
    }
}

impl Checks {
    pub(super) fn after_decision(&self, decision: &Decision, seen: &Situation) {
        let reverses = decision.steps.iter().flatten().any(|step| matches!(step, Step::Reverse(_)));
        let running = seen.deployments.seen.iter().find(|state| !state.status.has_ended());
        assert!(!reverses || running.is_none(), "a reversal was decided while {running:?} was seen to run");
    }

    pub(super) fn after_call(&mut self, world: &World, call: &Call<'_>, clock: Timestamp, tally: &mut Tally) {
        let Answer::Done(effect) = call.answer else { return };
        match call.step {
            Step::Write(write) => {
                if let Some(release) = &write.release {
                    self.after_writing(world, release, call.seen, clock);
                }
            }
            Step::SetTraffic(_) => self.sets_alias_beneath_no_deployment(world, call),
            Step::StopDeployment { .. } | Step::Reverse(_) => {}
            Step::Await { .. }
            | Step::Turn(_)
            | Step::See(_)
            | Step::Confirm { .. }
            | Step::Pin { .. }
            | Step::Hear { .. }
            | Step::Tell(_)
            | Step::KeepLogs(_)
            | Step::Note(_)
            | Step::StopExecution { .. } => return,
        }
        let way = match effect {
            Effect::None => return,
            Effect::Stopped(id) => {
                tally.stopped += 1;
                format!("stopped {id}")
            }
            Effect::Reversed(id) => {
                tally.reversed += 1;
                self.reversals.insert(id.clone());
                format!("began {id}")
            }
            Effect::Moved => {
                tally.set += 1;
                "set the alias".to_owned()
            }
        };
        let release = call.seen.record.release.as_ref().filter(|release| !is_over(release.phase));
        // A person moves the alias while the ledger knows of no release, which it may learn of later.
        self.meddled |= release.is_none();
        // What fires because of a deployment that nobody has heard of yet is taken to be about the release before.
        let own = release.and_then(|release| world.codedeploy.of(&release.deployment.as_ref()?.id));
        let is_unheard = |id: &DeploymentId| own.is_some_and(|own| own.id != *id);
        let newest = world.codedeploy.newest_of_a_team(&self.reversals);
        self.tangled |= newest.is_some_and(is_unheard);
        if let Some(release) = release {
            self.is_about_its_release(call.signal, release);
            let ways = self.ways.entry(release.generation).or_default();
            // Between the end of a deployment and the beginning of its rollback nobody can see that CodeDeploy goes back.
            // Both bring the same about.
            if !world.codedeploy.goes_back_unseen(call.seen_at) {
                ways.push(way);
            }
            // Whoever moves the alias by hand, or to another version, makes more than one way back necessary.
            let calm = !self.meddled && !self.named_version && !self.tangled;
            assert!(!calm || ways.len() <= 1, "release {} was put back by {ways:?}", release.generation);
        }
    }

    /// A deployment that began since the look cannot have been seen.
    fn sets_alias_beneath_no_deployment(&self, world: &World, call: &Call<'_>) {
        let running = world.codedeploy.running().map(|it| &it.state);
        let running = running.filter(|state| state.created_at.is_some_and(|at| at <= call.seen_at));
        // Where the ledger knows of no group that deploys the service, CodeDeploy is not asked.
        let is_known = call.seen.record.release.as_ref().is_some_and(|release| release.deployment.is_some());
        // Nor is traffic left where it is because CodeDeploy could not be asked for others: the revision guards the call.
        let is_known = is_known && call.seen.deployments.unseen.is_none();
        let running = running.filter(|_| is_known);
        assert!(running.is_none(), "{} was called while {running:?} ran", call.step);
    }

    fn is_about_its_release(&self, signal: &Signal, release: &Release) {
        if let Signal::Alarm(alarm) = signal {
            assert!(
                alarm.changed_at >= release.opened_at,
                "an alarm older than the release moved its traffic"
            );
        }
    }

    fn after_writing(&mut self, world: &World, release: &Release, seen: &Situation, clock: Timestamp) {
        self.written.entry(release.generation).or_insert(clock);
        let booked = release
            .deployment
            .as_ref()
            .filter(|_| !matches!(release.phase, Phase::Shifting | Phase::RollbackFailed | Phase::Held));
        self.booked.extend(booked.map(|it| it.id.clone()));
        let is_first = !self.ended.contains(&release.generation);
        match release.phase {
            Phase::RolledBack | Phase::Withdrawn | Phase::Held => {
                self.ended.insert(release.generation);
            }
            // The page of a failure goes out beside the record, and again with every retry.
            Phase::Shifting | Phase::Complete | Phase::RollbackFailed => {}
        }
        let was_open = seen.record.release.as_ref().is_some_and(|before| !is_over(before.phase));
        if is_over(release.phase)
            && was_open
            && is_first
            && !self.meddled
            && !self.named_version
            && !self.tangled
        {
            let serving = world.serving();
            let change = &release.changes[0];
            // Somebody may deploy the very same candidate again in that moment.
            let newest = world.codedeploy.newest_of_a_team(&self.reversals);
            let is_latest = newest == release.deployment.as_ref().map(|own| &own.id);
            assert!(
                !is_latest || serving.share_of(change.candidate) == Weight::NONE,
                "release {} is called {} while the alias serves {serving}",
                release.generation,
                release.phase
            );
        }
    }

    /// Whether the ledger holds the end of every deployment. One whose events come only after the next one's is never booked: the
    /// release that is open by then is newer.
    pub(super) fn knows_everything(&self, world: &World) -> bool {
        let mut teams = world.codedeploy.deployments.iter().map(|it| &it.state).filter(|it| !it.is_rollback);
        teams.all(|state| self.booked.contains(&state.id) || self.reversals.contains(&state.id))
    }

    /// The faults have ended, CodeDeploy rests, and every signal is answered.
    pub(super) fn at_rest(&self, world: &World, answered: &[&Signal], tally: &mut Tally) {
        for generation in &self.ended {
            let thread = format!("checkout#{generation}");
            let told = world.notices.iter().any(|it| it.thread == thread && it.severity > Severity::Info);
            assert!(told, "nobody was told of the end of release {generation}");
        }
        let Some(release) = &world.record.release else { return };
        let is_calm = self.knows_everything(world) && !self.tangled && !self.meddled && !self.named_version;
        tally.calm += u32::from(is_calm);
        match release.phase {
            Phase::RolledBack => tally.rolled_back += 1,
            Phase::Withdrawn => tally.withdrawn += 1,
            Phase::Complete => tally.complete += 1,
            Phase::Held => tally.held += 1,
            Phase::Shifting | Phase::RollbackFailed => {
                panic!("every deployment has ended, and every event was delivered, and yet {release:#?}")
            }
        }
        // A way back that was begun for a release that is over by then, and fails, is taken for a release of its own.
        if release.deployment.as_ref().is_some_and(|it| self.reversals.contains(&it.id)) {
            return;
        }
        if release.phase == Phase::Held {
            return self.is_held_for_a_reason(release);
        }
        if let Some(signal) = answered.iter().find(|signal| self.asks_for(world, release, signal)) {
            assert!(is_over(release.phase), "{signal:?} was answered, and yet {release:#?}");
        }
        if is_calm {
            let change = &release.changes[0];
            let good = if is_over(release.phase) { change.stable } else { change.candidate };
            assert_eq!(world.serving(), Traffic::all_on(good), "{release:#?}");
            assert_eq!(world.record.known_good[0].version, good, "{release:#?}");
        }
    }

    /// Whether a signal has had its last effect when it has been answered once. What comes after CodeDeploy has begun
    /// and before the ledger knows of that may be answered first without the release and then with it; and a person's
    /// command goes to what is known to be good, wherever somebody has moved the alias since.
    pub(super) fn settles(&self, world: &World, signal: &Signal) -> bool {
        let raised_at = signal.raised_at();
        let is_clear = world.record.release.as_ref().is_none_or(|release| {
            let written = self.written.get(&release.generation).copied().unwrap_or(release.opened_at);
            raised_at < release.opened_at || raised_at > written
        });
        match signal {
            Signal::Operator(_) => {
                is_clear
                    && self.knows_everything(world)
                    && !self.tangled
                    && !self.meddled
                    && !self.named_version
            }
            Signal::Alarm(_) => is_clear,
            Signal::Deployment(_) | Signal::Pipeline(_) | Signal::Arrival(_) => true,
        }
    }

    /// Whether a signal asks for the release to be put back: raised when the ledger held it, and inside its window.
    fn asks_for(&self, world: &World, release: &Release, signal: &Signal) -> bool {
        let written = self.written.get(&release.generation).copied().unwrap_or(release.opened_at);
        let window_s = i64::from(world.record.registration.rollback.window_hours) * 3600;
        let raised_at = signal.raised_at();
        let is_late = match (release.phase, release.ended_at) {
            (Phase::Complete, Some(ended_at)) => raised_at.duration_since(ended_at).as_secs() > window_s,
            (
                Phase::Complete
                | Phase::Shifting
                | Phase::RolledBack
                | Phase::RollbackFailed
                | Phase::Held
                | Phase::Withdrawn,
                _,
            ) => false,
        };
        match signal {
            Signal::Alarm(_) => raised_at > written && raised_at >= release.opened_at && !is_late,
            Signal::Operator(command) => raised_at > written && command.to.is_none(),
            Signal::Pipeline(_) | Signal::Deployment(_) | Signal::Arrival(_) => false,
        }
    }

    /// Holding is allowed only where going back is ruled out.
    fn is_held_for_a_reason(&self, release: &Release) {
        let because = release.ended_because.as_deref().unwrap_or_default();
        let is_meddled = (self.meddled || self.named_version || self.tangled)
            && because.contains("somebody else moved it");
        let ruled_out = ["migration", "holding instead of looping", "CodeDeploy runs one at a time"];
        assert!(
            is_meddled || ruled_out.iter().any(|why| because.contains(why)),
            "release {} is held because {because}",
            release.generation
        );
    }
}

/// Whether a release has ended for good, with nothing of it left to take back.
fn is_over(phase: Phase) -> bool {
    match phase {
        Phase::RolledBack | Phase::Withdrawn => true,
        Phase::Shifting | Phase::Complete | Phase::RollbackFailed | Phase::Held => false,
    }
}
