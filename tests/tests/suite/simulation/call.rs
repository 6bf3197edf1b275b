//! One call, and what may go wrong with it: it may be refused, lose its answer, be sent twice, or arrive when nobody waits
//! for it any more.

use ripcord::plan::Step;
use ripcord::situation::Situation;

use super::actor::{Caller, Job};
use crate::worlds::{Interruption, World};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The call fails for good, without effect.
    Refused,
    /// The effect takes place and the call fails for good.
    AnswerLost,
    /// The effect takes place, the answer is lost, and the SDK sends the same call again.
    Repeated,
    /// The call is given up and takes effect later, when nobody waits for it any more.
    Late,
}

/// A call that was made, for the checks: what was known when it was decided, and what the world said.
pub(super) struct Call<'call> {
    pub(super) job: &'call Job,
    pub(super) caller: &'call Caller,
    pub(super) situation: &'call Situation,
    pub(super) step: &'call Step,
    pub(super) had_effect: bool,
}

/// A call that is under way though its invocation has given it up.
#[derive(Clone, Debug)]
pub(super) struct Late {
    pub(super) job: Job,
    pub(super) caller: Caller,
    pub(super) situation: Situation,
    pub(super) step: Step,
}

impl Late {
    /// The call takes effect, if its precondition still holds.
    pub(super) fn land(&self, world: &mut World, watch: &mut dyn FnMut(&World, &Call<'_>)) {
        let had_effect = world.apply(&self.step).is_ok();
        let Self { job, caller, situation, step } = self;
        watch(world, &Call { job, caller, situation, step, had_effect });
    }
}

pub(super) struct Made {
    pub(super) answer: Result<(), Interruption>,
    pub(super) had_effect: bool,
}

pub(super) fn make(world: &mut World, step: &Step, fault: Fault) -> Made {
    let failed = |what: &str| match step {
        // Whether an execution could be stopped is no concern of the invocation: it ends by itself.
        Step::StopExecution { .. } => Ok(()),
        Step::SetTraffic(_)
        | Step::StopDeployment { .. }
        | Step::Reverse(_)
        | Step::Await { .. }
        | Step::Turn(_)
        | Step::See(_)
        | Step::Confirm { .. }
        | Step::Pin { .. }
        | Step::Write(_)
        | Step::Hear { .. }
        | Step::Tell(_)
        | Step::KeepLogs(_)
        | Step::Note(_) => Err(Interruption::Failed(what.to_owned())),
    };
    match fault {
        Fault::None => {
            let answer = world.apply(step);
            Made { had_effect: answer.is_ok(), answer }
        }
        Fault::Refused => Made { answer: failed("throttled"), had_effect: false },
        Fault::Late => Made { answer: failed("no answer in time"), had_effect: false },
        Fault::AnswerLost => {
            let answer = world.apply(step);
            Made { had_effect: answer.is_ok(), answer: answer.and_then(|()| failed("timed out")) }
        }
        Fault::Repeated => {
            let first = world.apply(step);
            let had_effect = first.is_ok();
            // A transaction carries a token by which DynamoDB recognises the second sending.
            let answer = match step {
                Step::Write(_) | Step::Hear { .. } => first,
                Step::SetTraffic(_)
                | Step::StopDeployment { .. }
                | Step::Reverse(_)
                | Step::Await { .. }
                | Step::Turn(_)
                | Step::See(_)
                | Step::Confirm { .. }
                | Step::Pin { .. }
                | Step::Tell(_)
                | Step::KeepLogs(_)
                | Step::Note(_)
                | Step::StopExecution { .. } => world.apply(step),
            };
            Made { answer, had_effect }
        }
    }
}
