//! One call of an invocation, what may go wrong with it, and what it did.

use jiff::Timestamp;
use ripcord::decide::Decision;
use ripcord::names::TargetName;
use ripcord::plan::Step;
use ripcord::release::Release;
use ripcord::shift::ShiftRequest;
use ripcord::signal::Signal;
use ripcord::situation::Situation;
use ripcord::traffic::Traffic;

use super::world::{Answer, World};

/// What an invocation is for.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Pull(Signal),
    Shift(Box<ShiftRequest>),
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It fails without effect.
    Refused,
    /// It takes effect, and fails all the same.
    AnswerLost,
    /// It takes effect, its answer is lost, and the SDK sends it again.
    Repeated,
    /// It is given up, and takes effect later, when nobody waits for it any more.
    Late,
}

/// One call that was made, for the checks.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) job: Job,
    pub(crate) lease_until: Timestamp,
    /// What it was decided on.
    pub(crate) seen: Situation,
    pub(crate) step: Step,
    /// Whether a person only ends leftover weights: nothing is written down before that.
    pub(crate) tidies: bool,
}

/// A call as it took effect: whether it did, and what was there before.
pub(crate) struct Made<'made> {
    pub(crate) call: &'made Call,
    pub(crate) answer: &'made Answer,
    pub(crate) release_before: &'made Option<Release>,
    /// What changed, from what to what.
    pub(crate) moved: Option<(TargetName, Traffic, Traffic)>,
}

/// What an invocation has just done.
pub(crate) enum Shown<'shown> {
    Decided(&'shown Decision, &'shown Situation),
    Refused(String),
    Made(&'shown Made<'shown>),
}

pub(crate) type Watch<'watch> = &'watch mut dyn FnMut(&World, Shown<'_>);

/// Makes a call, and shows what it did.
pub(crate) fn make(world: &mut World, call: &Call, clock: Timestamp, watch: Watch<'_>) -> Answer {
    let target = match &call.step {
        Step::SetTraffic(set) => Some(set.target.clone()),
        Step::Turn(turn) => Some(turn.target.name.clone()),
        Step::StopDeployment { .. }
        | Step::Reverse(_)
        | Step::Await { .. }
        | Step::See(_)
        | Step::Confirm { .. }
        | Step::Pin { .. }
        | Step::Write(_)
        | Step::Hear { .. }
        | Step::Tell(_)
        | Step::KeepLogs(_)
        | Step::Note(_)
        | Step::StopExecution { .. } => None,
    };
    let before = target.as_ref().map(|target| world.serving(target));
    let release_before = world.record.release.clone();
    let answer = world.apply(&call.step, clock);
    if answer != Answer::Waiting {
        let moved = target.zip(before).map(|(target, before)| {
            let after = world.serving(&target);
            (target, before, after)
        });
        let moved = moved.filter(|(_, before, after)| before != after);
        watch(world, Shown::Made(&Made { call, answer: &answer, release_before: &release_before, moved }));
    }
    answer
}
