//! A running invocation, cut into single calls: it observes, decides, and takes one step at a time, exactly as the
//! handlers do, with their bounds on races. Between any two calls the scheduler may let others run, or end it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord::decide::{Course, Decision, Moment, decide, decide_failure};
use ripcord::names::TargetName;
use ripcord::plan::{Step, Steps};
use ripcord::registration::Target;
use ripcord::shift::{ShiftRequest, decide_shift};
use ripcord::signal::Signal;
use ripcord::situation::{ServiceRecord, Sighting, Situation};

use crate::worlds::{Interruption, World, seconds};

/// As in the handlers.
const PULL_RACES_MAX: u32 = 8;
const SHIFT_RACES_MAX: u32 = 4;

/// What an invocation is for.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Pull(Signal),
    Shift(Box<ShiftRequest>),
}

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
}

/// What an invocation came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// It answered.
    Answered(Option<Course>),
    /// It failed: Lambda delivers an asynchronous event again.
    Failed(String),
}

/// One invocation.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) job: Job,
    /// Which delivery it works on, for the scheduler.
    pub(super) delivery: usize,
    /// How far its clock is off.
    pub(super) skew_ms: i64,
    pub(super) deadline: Timestamp,
    races: u32,
    doing: Doing,
}

#[derive(Clone, Debug)]
enum Doing {
    Observing { record: Option<Box<ServiceRecord>>, live: BTreeMap<TargetName, Sighting>, pending: Vec<Read> },
    Acting(Box<Acting>),
}

#[derive(Clone, Debug)]
enum Read {
    Ledger,
    Alias(Target),
}

/// What follows when all rows are taken, and what when one is not.
#[derive(Clone, Debug)]
struct Acting {
    situation: Situation,
    decision: Option<Decision>,
    now: Timestamp,
    rows: Vec<Vec<Step>>,
    /// What is left of the row at work.
    row: Vec<Step>,
    row_moves: bool,
    moved: bool,
    interruptions: Vec<Interruption>,
    /// Set while the loudest outcome is being recorded.
    failing: Option<String>,
}

/// A call that was made, for the checks: what was known when it was decided, and what the world said.
pub(super) struct Call<'call> {
    pub(super) job: &'call Job,
    pub(super) situation: &'call Situation,
    pub(super) step: &'call Step,
    pub(super) had_effect: bool,
}

impl Actor {
    pub(super) fn start(
        job: Job,
        delivery: usize,
        at: Timestamp,
        skew_ms: i64,
        order: usize,
        world: &World,
    ) -> Self {
        let deadline = at + jiff::SignedDuration::from_millis(skew_ms) + seconds(30);
        let ledger_last = matches!(job, Job::Pull(_)) && order.is_multiple_of(2);
        Self { job, delivery, skew_ms, deadline, races: 0, doing: observing(world, ledger_last) }
    }

    fn now(&self, at: Timestamp) -> Timestamp {
        at + jiff::SignedDuration::from_millis(self.skew_ms)
    }

    /// Whether Lambda has ended it.
    pub(super) fn is_past_deadline(&self, at: Timestamp) -> bool {
        self.now(at) >= self.deadline
    }

    /// The calls within an observation are made together, so they may be answered in any order; the shifter knows its
    /// targets only from the ledger.
    fn observe_again(&mut self, world: &World, order: usize) {
        let ledger_last = matches!(self.job, Job::Pull(_)) && order.is_multiple_of(2);
        self.doing = observing(world, ledger_last);
    }

    /// Makes one call. `pick` chooses among calls that are under way together.
    pub(super) fn step(
        &mut self,
        world: &mut World,
        at: Timestamp,
        fault: Fault,
        pick: usize,
        watch: &mut dyn FnMut(&World, &Call<'_>),
        decided: &mut dyn FnMut(&Decision, &Situation, &Signal),
    ) -> Option<Outcome> {
        let now = self.now(at);
        match &mut self.doing {
            Doing::Observing { record, live, pending } => {
                if fault != Fault::None && matches!(pending.last(), Some(Read::Ledger)) {
                    return Some(Outcome::Failed("the ledger could not be read".to_owned()));
                }
                match pending.pop() {
                    Some(Read::Ledger) => *record = Some(Box::new(world.record.clone())),
                    Some(Read::Alias(target)) if fault == Fault::None => {
                        live.insert(target.name.clone(), world.sight(&target));
                    }
                    Some(Read::Alias(target)) => {
                        live.insert(target.name, Sighting::Unseen { why: "throttled".to_owned() });
                    }
                    None => {}
                }
                if !pending.is_empty() {
                    return None;
                }
                let (record, live) = (record.take()?, std::mem::take(live));
                self.decide(Situation { record: *record, live }, now, world, decided)
            }
            Doing::Acting(acting) => {
                let index = pick % acting.row.len().max(1);
                if index < acting.row.len() {
                    let step = acting.row.swap_remove(index);
                    let result = make(world, &step, fault);
                    watch(
                        world,
                        &Call {
                            job: &self.job,
                            situation: &acting.situation,
                            step: &step,
                            had_effect: result.had_effect,
                        },
                    );
                    acting.interruptions.extend(result.answer.err());
                }
                if acting.row.is_empty() { self.after_row(world, pick) } else { None }
            }
        }
    }

    fn decide(
        &mut self,
        situation: Situation,
        now: Timestamp,
        world: &World,
        decided: &mut dyn FnMut(&Decision, &Situation, &Signal),
    ) -> Option<Outcome> {
        let moment = Moment { now, lease_until: self.deadline };
        let (decision, rows) = match &self.job {
            Job::Pull(signal) => {
                let decision = decide(signal, &situation, moment);
                decided(&decision, &situation, signal);
                let rows = decision.steps.clone();
                (Some(decision), rows)
            }
            Job::Shift(request) => {
                let seen = world.shift_situation_of(request, situation.clone());
                match decide_shift(request, &seen, moment) {
                    Ok(shift) => (None, shift.steps),
                    Err(refusal) => return Some(Outcome::Failed(refusal.to_string())),
                }
            }
        };
        self.act(
            Acting {
                situation,
                decision,
                now,
                rows: Vec::new(),
                row: Vec::new(),
                row_moves: false,
                moved: false,
                interruptions: Vec::new(),
                failing: None,
            },
            rows,
        )
    }

    fn act(&mut self, mut acting: Acting, steps: Steps) -> Option<Outcome> {
        acting.rows = steps.into_iter().filter(|row| !row.is_empty()).rev().collect();
        match acting.rows.pop() {
            Some(row) => {
                acting.row_moves = row.iter().any(Step::moves_traffic);
                acting.row = row;
                self.doing = Doing::Acting(Box::new(acting));
                None
            }
            None => Some(ending(&acting)),
        }
    }

    fn after_row(&mut self, world: &World, order: usize) -> Option<Outcome> {
        let Doing::Acting(acting) = &mut self.doing else { return None };
        let raced = acting.interruptions.iter().any(|it| matches!(it, Interruption::Raced(_)));
        let first = acting.interruptions.first().map(|it| format!("{it:?}"));
        acting.interruptions.clear();
        if let Some(why) = &acting.failing {
            if first.is_some() || acting.rows.is_empty() {
                return Some(Outcome::Failed(why.clone()));
            }
        } else if raced {
            self.races += 1;
            let races_max = match self.job {
                Job::Pull(_) => PULL_RACES_MAX,
                Job::Shift(_) => SHIFT_RACES_MAX,
            };
            if self.races >= races_max {
                return self.fail("lost too many races".to_owned());
            }
            self.observe_again(world, order);
            return None;
        } else if let Some(why) = first {
            return self.fail(why);
        } else {
            acting.moved |= acting.row_moves;
        }
        let Doing::Acting(acting) = &mut self.doing else { return None };
        match acting.rows.pop() {
            Some(row) => {
                acting.row_moves = row.iter().any(Step::moves_traffic);
                acting.row = row;
                None
            }
            None => Some(ending(acting)),
        }
    }

    /// A call failed for good. If it was to put traffic back, that is recorded and told; otherwise the retry finishes.
    fn fail(&mut self, why: String) -> Option<Outcome> {
        let Doing::Acting(acting) = &self.doing else { return None };
        let moves = acting.decision.iter().flat_map(|decision| decision.steps.iter().flatten());
        match &self.job {
            Job::Pull(signal) if !acting.moved && moves.clone().any(Step::moves_traffic) => {
                let moment = Moment { now: acting.now, lease_until: self.deadline };
                let loudest = decide_failure(signal, &acting.situation, why.clone(), moment);
                let acting = Acting { failing: Some(why), ..(**acting).clone() };
                self.act(acting, loudest.steps)
            }
            Job::Pull(_) | Job::Shift(_) => Some(Outcome::Failed(why)),
        }
    }
}

fn observing(world: &World, ledger_last: bool) -> Doing {
    let aliases = world.record.registration.targets.iter().cloned().map(Read::Alias);
    // Reads are popped from the end.
    let pending: Vec<Read> = if ledger_last {
        std::iter::once(Read::Ledger).chain(aliases).collect()
    } else {
        aliases.chain([Read::Ledger]).collect()
    };
    Doing::Observing { record: None, live: BTreeMap::new(), pending }
}

fn ending(acting: &Acting) -> Outcome {
    match (&acting.failing, &acting.decision) {
        (Some(why), _) => Outcome::Failed(why.clone()),
        (None, Some(Decision { course: Course::Stuck, reason, .. })) => Outcome::Failed(reason.to_string()),
        (None, decision) => Outcome::Answered(decision.as_ref().map(|decision| decision.course)),
    }
}

struct Made {
    answer: Result<(), Interruption>,
    had_effect: bool,
}

fn make(world: &mut World, step: &Step, fault: Fault) -> Made {
    let failed = |what: &str| Err(Interruption::Failed(what.to_owned()));
    match fault {
        Fault::None => {
            let answer = world.apply(step);
            Made { had_effect: answer.is_ok(), answer }
        }
        Fault::Refused => Made { answer: failed("throttled"), had_effect: false },
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
