//! The invariants, computed from what took place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ripcord::decide::Decision;
use ripcord::names::{Generation, TargetName, Weight};
use ripcord::notice::Severity;
use ripcord::plan::{LedgerWrite, Step};
use ripcord::release::{Phase, Release};
use ripcord::signal::Signal;
use ripcord::situation::Situation;
use ripcord::traffic::Traffic;

use super::tally::Tally;
use crate::call::{Call, Job, Made};
use crate::things::Thing;
use crate::world::{Answer, World};

/// What has moved one target of one release.
#[derive(Debug, Default)]
struct Moves {
    /// How often a way back has changed its traffic.
    back: u32,
    /// How often a shift has landed after that.
    landed_since: u32,
}

#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Somebody moved a target by hand.
    pub(super) meddled: bool,
    /// An alias went back while the next release was being opened.
    pub(super) outrun: bool,
    /// The targets that came into a state without a way back.
    pub(super) blocked: BTreeSet<TargetName>,
    moves: BTreeMap<(Generation, TargetName), Moves>,
    /// The releases whose books were closed.
    closed: BTreeMap<Generation, Phase>,
}

impl Checks {
    pub(super) fn after_decision(&self, decision: &Decision, seen: &Situation, tally: &mut Tally) {
        let last = decision.steps.iter().rposition(|row| row.iter().any(Step::moves_traffic));
        for step in decision.steps.iter().take(last.unwrap_or(0)).flatten() {
            let is_first = step.moves_traffic() || is_claim(step, seen);
            assert!(
                is_first,
                "traffic first: nothing but a claim precedes the calls that move it, and not {step}"
            );
        }
        for step in decision.steps.iter().flatten() {
            if let Step::See(see) = step {
                tally.awaited_another += u32::from(see.is_anothers);
                tally.awaited_a_shift += u32::from(see.not_before.is_some());
            }
        }
    }

    pub(super) fn after_call(&mut self, world: &World, made: &Made<'_>, clock: Timestamp, tally: &mut Tally) {
        if *made.answer != Answer::Done {
            return;
        }
        if let Step::Write(write) = &made.call.step {
            self.after_writing(world, made, write, clock, tally);
        }
        self.meddled |= is_moved_as_seen(made.call) || (made.call.tidies && made.call.step.moves_traffic());
        let is_outrun = is_outrun(world, made.call);
        self.outrun |= is_outrun;
        self.meddled |= is_outrun && matches!(made.call.job, Job::Pull(Signal::Operator(_)));
        if let Step::Turn(turn) = &made.call.step {
            self.is_claimed(world, made.call, &turn.target.name, clock);
        }
        if let Some((target, before, after)) = &made.moved {
            self.after_moving(world, made.call, target, (*before, *after), tally);
        }
    }

    fn after_moving(
        &mut self,
        world: &World,
        call: &Call,
        target: &TargetName,
        (before, after): (Traffic, Traffic),
        tally: &mut Tally,
    ) {
        match &world.things[target] {
            Thing::Alias(_) => tally.swapped += 1,
            Thing::Balancer(_) | Thing::Machine(_) => tally.claimed += 1,
            Thing::Records(_) => tally.compared += 1,
            // Whatever is released, a flag may go off.
            Thing::Flags(_) => {
                tally.unclaimed += 1;
                return;
            }
        }
        let release = world.record.release.as_ref();
        match &call.job {
            Job::Pull(signal) => self.after_moving_back(world, call, target, (before, after), signal),
            // Who ends leftover weights has nothing to write down first, and takes what they saw for leftovers.
            Job::Shift(_) if call.tidies => {}
            Job::Shift(_) => {
                let Some(release) = release else { return };
                let is_ours =
                    release.change(target).is_some_and(|it| after.share_of(it.candidate) != Weight::NONE);
                assert!(
                    !is_ours || !is_over(release.phase),
                    "a shift never lands after the books are closed: {} landed in release {}, which is {}",
                    call.step,
                    release.generation,
                    release.phase
                );
                if let Some(moves) = self.moves.get_mut(&(release.generation, target.clone())) {
                    moves.landed_since += 1;
                    tally.landed_under_a_claim += 1;
                }
            }
        }
    }

    fn after_moving_back(
        &mut self,
        world: &World,
        call: &Call,
        target: &TargetName,
        (before, after): (Traffic, Traffic),
        signal: &Signal,
    ) {
        let seen = call.seen.record.release.as_ref();
        let Some(release) = seen.filter(|release| !is_over(release.phase)) else {
            let is_asked = matches!(signal, Signal::Operator(_));
            assert!(is_asked, "{} was called although nothing was open: {before}, now {after}", call.step);
            return;
        };
        assert!(
            signal.raised_at() >= release.opened_at,
            "a signal older than the release never moves traffic: {} from {before} to {after}",
            call.step
        );
        // A swap needs no claim: whoever opens the next release in that moment is refused by the revision.
        let is_compared = matches!(world.things[target], Thing::Alias(_));
        let now = world.record.release.as_ref().map(|release| release.generation);
        assert!(
            is_compared || now == Some(release.generation),
            "{} for release {} landed in release {now:?}",
            call.step,
            release.generation
        );
        // Somebody has released the very version again that was taken back, which is quarantined outside of this test.
        if is_outrun(world, call) {
            return;
        }
        // A person brings back an alias that was outrun, too.
        let is_astray = self.outrun && is_compared;
        let moves = self.moves.entry((release.generation, target.clone())).or_default();
        moves.back += 1;
        assert!(
            self.meddled || is_astray || moves.back <= 1 + moves.landed_since,
            "exactly one change of traffic per release and target, and one more per shift that landed since: {target} of \
             release {} was put back {} times, and shifts landed {} times",
            release.generation,
            moves.back,
            moves.landed_since
        );
    }

    /// A call that is claimed lands while its invocation holds the claim, and nobody else does.
    fn is_claimed(&self, world: &World, call: &Call, target: &TargetName, clock: Timestamp) {
        let is_compared = matches!(world.things[target], Thing::Flags(_));
        let Some(release) = world.record.release.as_ref().filter(|_| !is_compared) else { return };
        let is_same =
            call.seen.record.release.as_ref().is_none_or(|seen| seen.generation == release.generation);
        let Some(change) = release.change(target).filter(|_| is_same) else { return };
        if is_over(release.phase) {
            return;
        }
        // A way back does not wait for a shift, which may land all the same.
        let is_overridden = change.claim.is_some_and(|claim| claim.weight == Weight::NONE)
            && matches!(call.job, Job::Shift(_));
        assert!(
            self.meddled
                || change.claim.is_some_and(|claim| claim.until == call.lease_until)
                || is_overridden,
            "no claimed call is made without holding the claim: {} at {clock} with the lease until {}, and {:?}",
            call.step,
            call.lease_until,
            change.claim
        );
    }

    fn after_writing(
        &mut self,
        world: &World,
        made: &Made<'_>,
        write: &LedgerWrite,
        clock: Timestamp,
        tally: &mut Tally,
    ) {
        let Some(release) = &write.release else { return };
        if let Some(before) = made.release_before {
            self.claims_one_at_a_time(before, release, clock, tally);
            self.leaves_no_way_back_half_done(world, before, release);
        }
        if is_over(release.phase) && made.release_before.as_ref().is_some_and(|before| !is_over(before.phase))
        {
            self.closed.insert(release.generation, release.phase);
            match release.phase {
                Phase::RolledBack => tally.rolled_back += 1,
                Phase::Shifting
                | Phase::Complete
                | Phase::RollbackFailed
                | Phase::Held
                | Phase::Withdrawn => {}
            }
        }
        tally.complete += u32::from(
            release.phase == Phase::Complete
                && made.release_before.as_ref().is_some_and(|before| before.phase == Phase::Shifting),
        );
        self.stays_back(world);
    }

    /// No release is opened over one that is going back. An alias goes back without a claim, so one may be in that very moment.
    fn leaves_no_way_back_half_done(&mut self, world: &World, before: &Release, after: &Release) {
        if after.generation == before.generation || is_over(before.phase) {
            return;
        }
        // What was shifted anew since is no longer going back.
        let is_back = |target: &TargetName| {
            let change = before.change(target);
            change.is_some_and(|it| world.serving(target).share_of(it.candidate) == Weight::NONE)
        };
        let moved = self
            .moves
            .keys()
            .filter(|(generation, target)| *generation == before.generation && is_back(target));
        for (generation, target) in moved {
            let is_alias = matches!(world.things[target], Thing::Alias(_));
            assert!(
                self.meddled || is_alias,
                "release {} is opened while {target} of {generation} goes back",
                after.generation
            );
            self.outrun = true;
        }
    }

    /// A way back takes the claim of a shift over, because it does not wait; nobody takes over anything else that is alive.
    fn claims_one_at_a_time(&self, before: &Release, after: &Release, clock: Timestamp, tally: &mut Tally) {
        for change in &after.changes {
            let Some(claim) = change.claim else { continue };
            let held = before.change(&change.target).and_then(|before| before.claim);
            let Some(held) = held.filter(|held| held.until != claim.until) else { continue };
            tally.taken_over += 1;
            let overrides = held.weight != Weight::NONE && claim.weight == Weight::NONE;
            assert!(
                held.until <= clock || overrides,
                "no two claims of one target are alive at the same time: {claim:?} over {held:?} at {clock}"
            );
        }
    }

    /// Once the books are closed the candidate has no traffic, unless somebody opens a release anew.
    pub(super) fn stays_back(&self, world: &World) {
        let Some(release) = world.record.release.as_ref().filter(|it| is_over(it.phase)) else { return };
        if self.meddled {
            return;
        }
        for (name, thing) in world.things.iter().filter(|_| release.phase == Phase::RolledBack) {
            assert!(
                !thing.has_flag_on(),
                "release {} is rolled back, and {name}'s flag is on",
                release.generation
            );
        }
        for change in &release.changes {
            let serving = world.serving(&change.target);
            assert!(
                serving.share_of(change.candidate) == Weight::NONE,
                "release {} is {}, and {} serves {serving}",
                release.generation,
                release.phase,
                change.target
            );
        }
    }

    /// Every fault is over, nothing runs, and whatever was to be answered was delivered once more.
    pub(super) fn at_rest(&self, world: &World, asks_for: &[&Signal], tally: &mut Tally) {
        self.stays_back(world);
        for (generation, phase) in &self.closed {
            let thread = format!("checkout#{generation}");
            let told = world.notices.iter().any(|it| it.thread == thread && it.severity > Severity::Info);
            assert!(told, "release {generation} is {phase}, and nobody was told");
        }
        let Some(release) = &world.record.release else { return };
        let asks = |signal: &&&Signal| {
            signal.raised_at() >= release.opened_at && !matches!(signal, Signal::Arrival(_))
        };
        let asked = asks_for.iter().find(asks);
        if asked.is_none() || self.meddled || self.outrun {
            return;
        }
        let has_traffic = |target: &TargetName| release.changes.iter().any(|change| change.target == *target);
        let stuck = |target: &&TargetName| self.stands_still(world, release, target);
        let stuck: Vec<_> = world.things.keys().filter(|target| has_traffic(target)).filter(stuck).collect();
        if is_over(release.phase) {
            return;
        }
        assert!(!stuck.is_empty(), "{asked:?} was answered, and yet {release:#?}");
        // One target that cannot go back keeps no other where it was, and is a page.
        assert_eq!(release.phase, Phase::RollbackFailed, "{stuck:?} cannot go back: {release:#?}");
        tally.failed += 1;
        let thread = format!("checkout#{}", release.generation);
        let paged = world.notices.iter().any(|it| it.thread == thread && it.severity == Severity::Page);
        assert!(paged, "{stuck:?} cannot go back, and nobody was paged");
        for change in release.changes.iter().filter(|change| !stuck.contains(&&change.target)) {
            let serving = world.serving(&change.target);
            assert!(
                serving.share_of(change.candidate) == Weight::NONE,
                "{stuck:?} cannot go back, and that keeps {} where it was: {serving}",
                change.target
            );
        }
    }

    /// Whether a target has traffic to give back and no way to do so.
    pub(super) fn stands_still(&self, world: &World, release: &Release, target: &TargetName) -> bool {
        let Some(change) = release.change(target) else { return false };
        let is_away = world.serving(target).share_of(change.candidate) != Weight::NONE;
        let is_blocked = is_away && self.blocked.contains(target);
        // A shift of an alias that may still be under way is fenced off by a call, too.
        is_blocked || ((is_away || change.intent.is_some()) && world.refusing.contains(target))
    }
}

/// A write that changes nothing but claims, and says why.
fn is_claim(step: &Step, seen: &Situation) -> bool {
    let Step::Write(write) = step else { return false };
    let (Some(after), Some(before)) = (&write.release, &seen.record.release) else { return false };
    // With a claim it is noted why it is made, and who pulled the cord.
    let mut unclaimed = Release {
        seq: after.seq - 1,
        going_back: before.going_back.clone(),
        cord: before.cord.clone(),
        ..after.clone()
    };
    for change in &mut unclaimed.changes {
        change.claim = before.change(&change.target).and_then(|change| change.claim);
    }
    let expected =
        LedgerWrite { release: Some(after.clone()), ..LedgerWrite::nothing(after.service.clone()) };
    unclaimed == *before && **write == expected
}

/// A person means what they see, which may be a release that was opened since the ledger was read. Outside a release there is
/// nothing to claim.
fn is_moved_as_seen(call: &Call) -> bool {
    let is_open = call.seen.record.release.as_ref().is_some_and(|release| !is_over(release.phase));
    matches!(call.job, Job::Pull(Signal::Operator(_))) && call.step.moves_traffic() && !is_open
}

/// An alias is swapped without a claim, so a release may be opened in the ledger in that very moment. Its shift is refused by the
/// revision, and whoever comes next finds an alias that is none of its versions: it is held.
fn is_outrun(world: &World, call: &Call) -> bool {
    let generation = |release: &Option<Release>| release.as_ref().map(|release| release.generation);
    matches!((&call.job, &call.step), (Job::Pull(_), Step::SetTraffic(_)))
        && generation(&world.record.release) != generation(&call.seen.record.release)
}

/// Whether a release has ended for good, with nothing of it left to take back.
pub(super) fn is_over(phase: Phase) -> bool {
    matches!(phase, Phase::RolledBack | Phase::Withdrawn)
}
