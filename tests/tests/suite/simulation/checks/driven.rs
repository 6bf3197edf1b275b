//! What must hold of releases that executions drive, and of how any release ends.

use std::collections::{BTreeMap, BTreeSet};

use ripcord::names::{Generation, TargetName, Weight};
use ripcord::plan::{LedgerWrite, SetTraffic, Step};
use ripcord::release::{Change, Phase, Release, Report};
use ripcord::signal::Signal;
use ripcord::traffic::Traffic;

use super::super::actor::{Caller, Job};
use super::super::call::Call;
use super::{Checks, is_over};
use crate::worlds::World;

/// What the checks remember.
#[derive(Default)]
pub(super) struct Seen {
    /// The releases of which some candidate was meant to have traffic.
    meant: BTreeSet<Generation>,
    /// How each release was last written to have ended.
    ends: BTreeMap<Generation, Phase>,
    /// The releases that a person took further after they had been held.
    revived: BTreeSet<Generation>,
    /// The targets that a signal's answer was the last to move.
    put_back: BTreeSet<TargetName>,
    /// How often people were told of an end although another was at it.
    pub(super) told_for_another: u32,
}

impl Checks {
    pub(super) fn after_driven_call(&mut self, world: &World, call: &Call<'_>) {
        match (call.job, call.step) {
            (Job::Shift(_), Step::SetTraffic(set)) => {
                self.driven.put_back.remove(&set.target);
                if let Caller::Task { execution, .. } = call.caller {
                    self.after_stage(world, execution, set);
                }
            }
            (Job::Pull(signal), Step::SetTraffic(set)) if set.was != set.traffic => {
                self.driven.put_back.insert(set.target.clone());
                if let Signal::Pipeline(failure) = signal {
                    let release = call.situation.record.release.as_ref();
                    let release = release.expect("an execution puts back only its release");
                    self.drives(&failure.execution, release);
                    let generation = release.generation;
                    assert!(
                        self.driven.meant.contains(&generation),
                        "traffic was moved for release {generation}, which never had any: {set:?}"
                    );
                }
            }
            (_, Step::Write(write)) => self.after_write(world, call, write),
            (_, Step::Tell(_)) => {
                let before = call.situation.record.release.as_ref();
                let was_being_told = before.is_some_and(|it| matches!(it.report, Report::Leased { .. }));
                self.driven.told_for_another += u32::from(was_being_told);
            }
            (
                _,
                Step::SetTraffic(_)
                | Step::StopDeployment { .. }
                | Step::Reverse(_)
                | Step::Await { .. }
                | Step::Turn(_)
                | Step::See(_)
                | Step::Confirm { .. }
                | Step::Pin { .. }
                | Step::Hear { .. }
                | Step::KeepLogs(_)
                | Step::Note(_)
                | Step::StopExecution { .. },
            ) => {}
        }
    }

    /// An execution moves traffic only for the release that it drives, and that release is still going.
    fn after_stage(&self, world: &World, execution: &str, set: &SetTraffic) {
        let release = world.record.release.as_ref().expect("a stage belongs to a release");
        self.drives(execution, release);
        let is_going = match release.phase {
            // What was under way when the release was held may still arrive.
            Phase::Shifting | Phase::Held | Phase::RollbackFailed => true,
            Phase::Complete | Phase::RolledBack | Phase::Withdrawn => false,
        };
        assert!(is_going, "a task moved traffic of a release that is {}: {set:?}", release.phase);
    }

    fn drives(&self, execution: &str, release: &Release) {
        let driver = release.run.as_ref().map(|run| run.execution.as_str());
        assert_eq!(driver, Some(execution), "release {} is another's", release.generation);
    }

    fn after_write(&mut self, world: &World, call: &Call<'_>, write: &LedgerWrite) {
        let Some(release) = &write.release else { return };
        let generation = release.generation;
        let before = call.situation.record.release.as_ref().filter(|before| before.generation == generation);
        // A record may be written once more as it is, to make those too late who have read it before.
        let is_untouched =
            before.is_some_and(|before| Release { seq: release.seq, ..before.clone() } == *release);
        match (call.job, call.caller) {
            _ if is_untouched => {}
            (Job::Shift(_), Caller::Task { execution, .. }) => self.drives(execution, release),
            (Job::Pull(Signal::Pipeline(failure)), _) => self.drives(&failure.execution, release),
            (Job::Shift(_), Caller::Person | Caller::Delivery(_)) | (Job::Pull(_), _) => {}
        }
        let is_meant = |intended: Option<Weight>| intended.is_some_and(|weight| weight != Weight::NONE);
        if release.changes.iter().any(|it| is_meant(it.intent.as_ref().map(|intent| intent.weight))) {
            self.driven.meant.insert(generation);
        }
        // Weights that leave a candidate nothing step down, whatever they were asked for as.
        let steps_down = |it: &Change| it.intent.as_ref().is_some_and(|intent| intent.weight == Weight::NONE);
        self.stepped_down |= release.changes.iter().any(steps_down);
        if before.is_some_and(|before| before.phase == Phase::Held) && release.phase == Phase::Shifting {
            self.driven.revived.insert(generation);
        }
        match release.phase {
            Phase::Shifting => {}
            Phase::Complete => self.after_completion(world, release),
            Phase::RolledBack | Phase::Withdrawn | Phase::Held | Phase::RollbackFailed => {}
        }
        // Whoever has just put the release before back finds its books closed: they have moved on to this one.
        let last = self.driven.ends.last_key_value().filter(|(last, _)| **last < generation);
        self.outrun |= last.is_some_and(|(_, phase)| !is_over(*phase)) && !self.driven.put_back.is_empty();
        if is_over(release.phase) {
            self.driven.put_back.clear();
        }
        self.driven.ends.insert(generation, release.phase);
        for rollback in &write.rollbacks {
            assert!(
                self.driven.meant.contains(&rollback.generation),
                "version {} is quarantined and never had traffic",
                rollback.version
            );
        }
        if release.phase == Phase::Withdrawn {
            assert!(!self.driven.meant.contains(&generation), "release {generation} had traffic");
        }
    }

    /// A release is complete only with all its traffic on its candidates; who puts traffic back in that very moment finds
    /// that out and closes the books otherwise.
    fn after_completion(&self, world: &World, release: &Release) {
        for change in &release.changes {
            let live = world.live(change.target.as_str()).traffic;
            assert!(
                live == Traffic::all_on(change.candidate)
                    || self.driven.put_back.contains(&change.target)
                    || self.meddled,
                "release {} is called complete while {} serves {live}",
                release.generation,
                change.target
            );
        }
    }

    /// Whether a driven release may be open though its execution has ended: because a person has taken it further, or
    /// because a task that came late has opened the very first release of the service. Only where there is a record can a
    /// task be told that it is too late; and whoever gives that release traffic is a person.
    pub(super) fn may_be_left(&self, release: &Release) -> bool {
        let has_begun = release.run.as_ref().is_some_and(|run| !run.reached.is_empty());
        let is_first = release.generation == Generation(1) && !has_begun;
        is_first || self.was_revived(release.generation)
    }

    /// Whether a person has taken a release further after it had been held.
    pub(super) fn was_revived(&self, generation: Generation) -> bool {
        self.driven.revived.contains(&generation)
    }

    /// Every execution has ended, and every signal was answered.
    pub(super) fn check_ends(&self, world: &World, release: &Release) {
        for (generation, phase) in &self.driven.ends {
            let said = match phase {
                Phase::RolledBack => "was rolled back",
                Phase::Withdrawn => "was withdrawn",
                Phase::Held => "is held",
                Phase::Shifting | Phase::Complete | Phase::RollbackFailed => continue,
            };
            let thread = format!("{}#{generation}", release.service);
            let is_told = world.notices.iter().any(|it| it.thread == thread && it.title.contains(said));
            assert!(is_told, "nobody was told that release {generation} is {phase}");
        }
        let is_left_alone = !self.meddled && !self.outrun && !self.named_version;
        match release.phase {
            Phase::Shifting => {
                let is_left = release.run.is_some() && !self.may_be_left(release);
                assert!(!is_left, "its execution has ended, and nobody looks after {release:?}");
            }
            Phase::Complete if is_left_alone => {
                for change in &release.changes {
                    let live = world.live(change.target.as_str()).traffic;
                    assert_eq!(live, Traffic::all_on(change.candidate), "{release:?} is not complete");
                    let good = world.record.known_good.iter().find(|good| good.target == change.target);
                    assert_eq!(
                        good.map(|good| good.version),
                        Some(change.candidate),
                        "what is complete is good"
                    );
                }
            }
            Phase::Withdrawn if is_left_alone && !self.commanded && !self.overridden => {
                for change in &release.changes {
                    let live = world.live(change.target.as_str()).traffic;
                    assert_eq!(live, Traffic::all_on(change.stable), "after the withdrawal of {release:?}");
                }
            }
            Phase::Complete | Phase::Withdrawn | Phase::RolledBack | Phase::Held | Phase::RollbackFailed => {}
        }
        let quarantined = world.record.rollbacks.iter().map(|rollback| rollback.generation);
        let innocent = quarantined.filter(|generation| !self.driven.meant.contains(generation));
        assert_eq!(innocent.collect::<Vec<_>>(), [], "quarantined without ever having had traffic");
    }
}
