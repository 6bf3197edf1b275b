//! A running invocation, cut into single calls: it observes, decides, and takes one step at a time, exactly as the
//! handlers do, with their bounds on races. Between any two calls the scheduler may let others run, or end it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord::decide::{Course, Decision, Moment, decide, decide_failure};
use ripcord::deployment::Deployments;
use ripcord::error_type::ErrorType;
use ripcord::names::{Generation, TargetName};
use ripcord::pipeline::Onward;
use ripcord::plan::{Step, Steps};
use ripcord::registration::Target;
use ripcord::shift::{ShiftRequest, decide_shift};
use ripcord::signal::Signal;
use ripcord::situation::{ServiceRecord, Sighting, Situation};

use super::call::{Call, Fault, Late, make};
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

/// What an invocation came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// A signal was answered.
    Answered(Course),
    /// Traffic is as it was asked for.
    Shifted { generation: Option<Generation>, onward: Option<Onward> },
    /// It failed: Lambda delivers an asynchronous event again, and a state machine looks at the error's name.
    Failed { error: ErrorType, why: String },
}

/// Who has invoked a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Lambda itself, for a signal that it delivers; by the signal's number.
    Delivery(usize),
    /// A person, who sees the answer and may ask again.
    Person,
    /// An execution, by its ARN, with the number of the task.
    Task { execution: String, number: usize },
}

/// One invocation.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) job: Job,
    /// Who waits for its answer.
    pub(super) caller: Caller,
    /// A call of it that is still to take effect.
    pub(super) late: Option<Late>,
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

/// What was decided.
#[derive(Clone, Debug)]
enum Plan {
    Pull(Box<Decision>),
    Shift { generation: Option<Generation>, onward: Option<Onward> },
}

/// What follows when all rows are taken, and what when one is not.
#[derive(Clone, Debug)]
struct Acting {
    situation: Situation,
    plan: Plan,
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

impl Actor {
    pub(super) fn start(
        job: Job,
        caller: Caller,
        at: Timestamp,
        skew_ms: i64,
        order: usize,
        world: &World,
    ) -> Self {
        let deadline = at + jiff::SignedDuration::from_millis(skew_ms) + seconds(30);
        let ledger_last = matches!(job, Job::Pull(_)) && order.is_multiple_of(2);
        Self { job, caller, late: None, skew_ms, deadline, races: 0, doing: observing(world, ledger_last) }
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
                    return Some(failed(ErrorType::LedgerUnreadable, "the ledger could not be read"));
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
                self.decide(
                    Situation { record: *record, live, deployments: Deployments::default() },
                    now,
                    world,
                    decided,
                )
            }
            Doing::Acting(acting) => {
                let index = pick % acting.row.len().max(1);
                if index < acting.row.len() {
                    let step = acting.row.swap_remove(index);
                    let result = make(world, &step, fault);
                    if fault == Fault::Late {
                        self.late = Some(Late {
                            job: self.job.clone(),
                            caller: self.caller.clone(),
                            situation: acting.situation.clone(),
                            step: step.clone(),
                        });
                    }
                    watch(
                        world,
                        &Call {
                            job: &self.job,
                            caller: &self.caller,
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
        let (plan, rows) = match &self.job {
            Job::Pull(signal) => {
                let decision = decide(signal, &situation, moment);
                decided(&decision, &situation, signal);
                let rows = decision.steps.clone();
                (Plan::Pull(Box::new(decision)), rows)
            }
            Job::Shift(request) => {
                let seen = world.shift_situation_of(request, situation.clone());
                match decide_shift(request, &seen, moment) {
                    Ok(shift) => {
                        (Plan::Shift { generation: shift.generation, onward: shift.onward }, shift.steps)
                    }
                    Err(refusal) => return Some(failed(refusal.error_type(), &refusal.to_string())),
                }
            }
        };
        self.act(
            Acting {
                situation,
                plan,
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
                return Some(failed(ErrorType::RollbackFailed, why));
            }
        } else if raced {
            self.races += 1;
            let races_max = match self.job {
                Job::Pull(_) => PULL_RACES_MAX,
                Job::Shift(_) => SHIFT_RACES_MAX,
            };
            if self.races >= races_max {
                return self.fail(ErrorType::Contended, "lost too many races".to_owned());
            }
            self.observe_again(world, order);
            return None;
        } else if let Some(why) = first {
            return self.fail(ErrorType::ShiftFailed, why);
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
    fn fail(&mut self, error: ErrorType, why: String) -> Option<Outcome> {
        let Doing::Acting(acting) = &self.doing else { return None };
        match (&self.job, &acting.plan) {
            (Job::Pull(signal), Plan::Pull(decision))
                if !acting.moved && decision.steps.iter().flatten().any(Step::moves_traffic) =>
            {
                let moment = Moment { now: acting.now, lease_until: self.deadline };
                let loudest = decide_failure(signal, &acting.situation, why.clone(), moment);
                let acting = Acting { failing: Some(why), ..(**acting).clone() };
                self.act(acting, loudest.steps)
            }
            (Job::Pull(_), _) => Some(failed(ErrorType::ReportIncomplete, &why)),
            (Job::Shift(_), _) => Some(failed(error, &why)),
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

fn failed(error: ErrorType, why: &str) -> Outcome {
    Outcome::Failed { error, why: why.to_owned() }
}

fn ending(acting: &Acting) -> Outcome {
    match (&acting.failing, &acting.plan) {
        (Some(why), _) => failed(ErrorType::RollbackFailed, why),
        (None, Plan::Pull(decision)) if decision.course == Course::Stuck => {
            failed(ErrorType::RollbackFailed, &decision.reason.to_string())
        }
        (None, Plan::Pull(decision)) => Outcome::Answered(decision.course),
        (None, Plan::Shift { generation, onward }) => {
            Outcome::Shifted { generation: *generation, onward: onward.clone() }
        }
    }
}
