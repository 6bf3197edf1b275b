//! The invariants, computed from what took place.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord::decide::Decision;
use ripcord::names::{Generation, TargetName, Weight};
use ripcord::notice::Severity;
use ripcord::plan::{SetTraffic, Step};
use ripcord::release::{Phase, Release, Report};
use ripcord::signal::{AlarmState, Signal};
use ripcord::situation::Situation;
use ripcord::traffic::Traffic;

use super::actor::Job;
use super::call::Call;
use super::event::Setting;
use super::history::Openings;
use crate::decisions::traffic_comes_first;
use crate::worlds::{World, v};

mod driven;

pub(super) struct Checks {
    pub(super) setting: Setting,
    /// Somebody moved an alias by hand.
    pub(super) meddled: bool,
    /// A rollback was decided before the next release was opened, and moved traffic after it or just before: by an alias
    /// alone the two cannot be told apart while the next release has not moved it. Its ledger write is then refused.
    outrun: bool,
    /// Somebody asked for a rollback.
    pub(super) commanded: bool,
    /// Somebody named the version to go to.
    pub(super) named_version: bool,
    /// Somebody took a candidate to 0 %, which looks like a rollback.
    pub(super) stepped_down: bool,
    pub(super) overridden: bool,
    pub(super) faults: u32,
    /// When the ledger first held each release, by the true clock.
    written: Openings,
    /// Rollbacks of traffic by release and target, and those since the last shift.
    rollbacks: BTreeMap<(Generation, TargetName), (u32, u32)>,
    driven: driven::Seen,
}

impl Checks {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            setting: setting.clone(),
            meddled: false,
            outrun: false,
            commanded: false,
            named_version: false,
            stepped_down: false,
            overridden: false,
            faults: 0,
            written: Openings::new(),
            rollbacks: BTreeMap::new(),
            driven: driven::Seen::default(),
        }
    }

    /// Traffic comes first: nothing that people read or the ledger keeps stands before the call that moves it.
    pub(super) fn after_decision(&mut self, decision: &Decision, _: &Situation, _: &Signal) {
        traffic_comes_first(&decision.steps);
    }

    pub(super) fn after_call(&mut self, world: &World, call: &Call<'_>, clock: Timestamp) {
        if !call.had_effect {
            return;
        }
        self.after_driven_call(world, call);
        match (call.job, call.step) {
            (Job::Pull(signal), Step::SetTraffic(set)) => {
                self.after_rollback_of_traffic(world, signal, call.situation, set);
            }
            (Job::Shift(_), Step::SetTraffic(set)) => self.after_shift_of_traffic(world, set),
            (Job::Pull(_), Step::Write(write)) => {
                if let Some(release) = &write.release {
                    self.after_closing(world, release, call.situation);
                }
            }
            (Job::Shift(_), Step::Write(write)) => {
                if let Some(release) = &write.release {
                    self.written.entry(release.generation).or_insert(clock);
                }
            }
            (
                _,
                Step::StopDeployment { .. }
                | Step::Reverse(_)
                | Step::Await { .. }
                | Step::Turn(_)
                | Step::See(_)
                | Step::Confirm { .. }
                | Step::Pin { .. }
                | Step::Hear { .. }
                | Step::Tell(_)
                | Step::KeepLogs(_)
                | Step::Note(_)
                | Step::StopExecution { .. },
            ) => {}
        }
    }

    fn after_rollback_of_traffic(
        &mut self,
        world: &World,
        signal: &Signal,
        situation: &Situation,
        set: &SetTraffic,
    ) {
        if set.was == set.traffic {
            return;
        }
        let release = situation.record.release.as_ref();
        self.outrun |= release
            .zip(world.record.release.as_ref())
            .is_some_and(|(seen, latest)| seen.generation != latest.generation);
        let Signal::Alarm(alarm) = signal else { return self.count(release, set) };
        // A release that was opened after the signal is not touched, even if it was opened after the ledger had been
        // looked at. Only where somebody releases the very same
        // candidate again, in that moment and against its quarantine, the two cannot be told apart.
        let latest = world.record.release.as_ref().filter(|latest| latest.opened_at > alarm.changed_at);
        if let Some(change) =
            latest.and_then(|latest| latest.change(&set.target)).filter(|_| !self.overridden)
        {
            let (before, after) =
                (set.was.share_of(change.candidate), set.traffic.share_of(change.candidate));
            assert!(
                after >= before || self.named_version,
                "an alarm took traffic from a release opened after it: {set:?}"
            );
        }
        let release = release.expect("an alarm moves traffic only where there is a release");
        assert_eq!(alarm.state, AlarmState::Alarm, "only ALARM pulls the cord");
        assert!(alarm.changed_at >= release.opened_at, "a signal older than the release moved its traffic");
        assert!(!is_over(release.phase), "a release that is {} was rolled back", release.phase);
        assert!(is_inside_window(situation, release, alarm.changed_at), "no release was inside its window");
        if let Some(since) = self.setting.barrier.map(v) {
            let crosses = set.target.as_str() == "api"
                && set.traffic.primary < since
                && set.was.versions().any(|from| from >= since);
            assert!(!crosses, "traffic went back past a barrier: {set:?}");
        }
        self.count(Some(release), set);
    }

    /// One change of traffic per release and target, unless a shift came between that could not know better.
    fn count(&mut self, release: Option<&Release>, set: &SetTraffic) {
        let Some(release) = release.filter(|release| !is_over(release.phase)) else { return };
        let (all, since_shift) = self.rollbacks.entry((release.generation, set.target.clone())).or_default();
        *all += 1;
        *since_shift += 1;
        let calm = !self.meddled && !self.commanded && !self.overridden;
        assert!(!calm || *since_shift == 1, "traffic of {set:?} was put back twice");
        assert!(!calm || self.stepped_down || *all == 1, "traffic of {set:?} was put back {all} times");
    }

    /// The fence: once a release is rolled back or withdrawn, no shift that was under way reaches its candidate.
    fn after_shift_of_traffic(&mut self, world: &World, set: &SetTraffic) {
        let Some(release) = &world.record.release else { return };
        if let Some((_, since_shift)) = self.rollbacks.get_mut(&(release.generation, set.target.clone())) {
            *since_shift = 0;
        }
        let Some(change) = release.change(&set.target).filter(|_| is_over(release.phase)) else { return };
        assert!(
            set.traffic.share_of(change.candidate) <= set.was.share_of(change.candidate),
            "a shift gave traffic to the candidate of a release that is {}: {set:?}",
            release.phase
        );
    }

    /// Nothing is called rolled back while its candidate takes traffic, unless a person has sent it there by name.
    fn after_closing(&self, world: &World, release: &Release, seen: &Situation) {
        let was_open = seen.record.release.as_ref().is_some_and(|before| before.phase != Phase::RolledBack);
        if release.phase != Phase::RolledBack || !was_open || self.meddled || self.named_version {
            return;
        }
        for change in &release.changes {
            let live = world.live(change.target.as_str());
            assert!(
                live.traffic.share_of(change.candidate) == Weight::NONE,
                "release {} is called rolled back while {} serves {}",
                release.generation,
                change.target,
                live.traffic
            );
        }
    }

    /// All faults have ended and every signal is answered.
    pub(super) fn at_the_end(&self, world: &World, signals: &[Signal]) {
        let Some(release) = &world.record.release else { return };
        self.check_ends(world, release);
        let about = |signal: &&Signal| self.is_about(world, release, signal);
        // A person who takes a release further after a hold has seen what was to be seen.
        let signal = signals.iter().find(about).filter(|_| !self.was_revived(release.generation));
        if let Some(signal) = signal {
            match release.phase {
                Phase::Held => self.check_held(world, release),
                Phase::RolledBack | Phase::Withdrawn => {}
                Phase::Shifting | Phase::Complete | Phase::RollbackFailed => {
                    panic!("{signal:?} was answered, and the release is {release:?}")
                }
            }
        }
        match release.phase {
            Phase::RolledBack => self.check_rolled_back(world, release),
            Phase::Held => self.check_held(world, release),
            Phase::RollbackFailed => panic!("nothing fails, and yet {release:?}"),
            Phase::Shifting | Phase::Complete | Phase::Withdrawn => {}
        }
    }

    fn check_rolled_back(&self, world: &World, release: &Release) {
        assert!(matches!(release.report, Report::Sent { .. }), "people were not told: {release:?}");
        let thread = format!("{}#{}", release.service, release.generation);
        let told =
            world.notices.iter().filter(|it| it.thread == thread && it.title.contains("was rolled back"));
        let told = u32::try_from(told.count()).unwrap();
        assert!(told >= 1, "nobody was told of {release:?}");
        let told_max = 1 + self.faults + self.driven.told_for_another;
        assert!(told <= told_max, "{told} notices of one rollback after {} faults", self.faults);
        for change in release.changes.iter().filter(|_| !self.named_version && !self.meddled) {
            let live = world.live(change.target.as_str());
            // A person's next command goes on to what is known to be good, which may be another version.
            let is_back = if self.commanded || self.outrun {
                live.traffic.share_of(change.candidate) == Weight::NONE
            } else {
                live.traffic == Traffic::all_on(change.stable)
            };
            assert!(is_back, "{} is served after {release:?}", live.traffic);
            let quarantined = world.record.rollbacks.iter().any(|rollback| {
                rollback.generation == release.generation && rollback.version == change.candidate
            });
            assert!(quarantined, "version {} is not quarantined", change.candidate);
            let good = world.record.known_good.iter().find(|good| good.target == change.target).unwrap();
            assert_ne!(good.version, change.candidate, "what was rolled back is known to be good");
        }
    }

    /// Holding is allowed only where going back is ruled out, and a person is paged.
    fn check_held(&self, world: &World, release: &Release) {
        let because = release.ended_because.as_deref().unwrap_or_default();
        let ruled_out = ["migration", "holding instead of looping", "somebody else moved it"];
        assert!(ruled_out.iter().any(|why| because.contains(why)), "held because {because}");
        let paged = world.notices.iter().any(|notice| notice.severity == Severity::Page);
        assert!(paged, "nobody was paged for {release:?}");
    }

    /// Whether a signal asks for this release to be put back: raised when the ledger held it, and inside its window.
    fn is_about(&self, world: &World, release: &Release, signal: &Signal) -> bool {
        let Signal::Alarm(alarm) = signal else { return false };
        let written = self.written.get(&release.generation);
        alarm.state == AlarmState::Alarm
            && alarm.changed_at >= release.opened_at
            && written.is_some_and(|written| alarm.changed_at > *written)
            && is_inside_window(&world.situation(), release, alarm.changed_at)
    }

    /// Whether a signal has had its last effect when it has been answered once. An alarm that fired while a release was
    /// being written down may be answered first without it and then with it; and what a person has overridden, or has
    /// moved by hand, may be answered differently afterwards.
    pub(super) fn settles(&self, world: &World, signal: &Signal) -> bool {
        let Some(release) = &world.record.release else { return !matches!(signal, Signal::Operator(_)) };
        match signal {
            Signal::Operator(_) => false,
            Signal::Pipeline(_) | Signal::Deployment(_) | Signal::Arrival(_) => {
                !self.meddled && !self.may_be_left(release)
            }
            Signal::Alarm(alarm) => {
                let written = self.written.get(&release.generation).copied().unwrap_or(release.opened_at);
                let is_clear = alarm.changed_at < release.opened_at || alarm.changed_at > written;
                is_clear && !self.was_revived(release.generation)
            }
        }
    }
}

/// Whether a release has ended for good, with nothing of it left to take back.
fn is_over(phase: Phase) -> bool {
    matches!(phase, Phase::RolledBack | Phase::Withdrawn)
}

fn is_inside_window(situation: &Situation, release: &Release, changed_at: Timestamp) -> bool {
    let window_s = i64::from(situation.record.registration.rollback.window_hours) * 3600;
    match (release.phase, release.ended_at) {
        (Phase::Complete, Some(completed_at)) => {
            changed_at.duration_since(completed_at).as_secs() <= window_s
        }
        (
            Phase::Complete
            | Phase::Shifting
            | Phase::RolledBack
            | Phase::RollbackFailed
            | Phase::Held
            | Phase::Withdrawn,
            _,
        ) => true,
    }
}
