//! A running invocation, cut into single calls: it looks, decides, and takes one step at a time, exactly as the handlers and
//! the adapter that takes steps do, with their bounds on races. Between any two calls others may run, or it may end.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ripcord::decide::{Course, Decision, Moment, decide, decide_failure};
use ripcord::names::TargetName;
use ripcord::plan::{Step, Steps};
use ripcord::reason::Reason;
use ripcord::registration::Target;
use ripcord::shift::decide_shift;
use ripcord::situation::{ServiceRecord, Sighting, Situation};

use super::call::{Call, Fault, Job, Shown, Watch, make};
use super::world::{Answer, World};

/// As in the handlers.
const PULL_RACES_MAX: u32 = 8;
const SHIFT_RACES_MAX: u32 = 4;

/// What an invocation came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Answered(Course),
    Shifted,
    /// Lambda delivers an asynchronous event again.
    Failed(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    /// The signal's number; none for a person's shift.
    pub(crate) number: Option<usize>,
    pub(crate) job: Job,
    /// How often the signal was delivered before without an answer.
    pub(crate) attempt: u32,
    pub(crate) deadline: Timestamp,
    /// Calls that it has given up and that still take effect.
    pub(crate) late: Vec<Call>,
    races: u32,
    has_moved: bool,
    doing: Doing,
}

#[derive(Clone, Debug)]
enum Doing {
    Looking(Box<Look>),
    Acting(Box<Acting>),
}

#[derive(Clone, Debug)]
enum Read {
    Ledger,
    Target(Box<Target>),
}

#[derive(Clone, Debug)]
struct Look {
    /// The next one last.
    reads: Vec<Read>,
    record: Option<ServiceRecord>,
    live: BTreeMap<TargetName, Sighting>,
    /// Set where a call has failed for good, and the books of that are written over what is seen now.
    failed: Option<Box<Failed>>,
}

#[derive(Clone, Debug)]
struct Failed {
    why: String,
    now: Timestamp,
    seen: Situation,
}

#[derive(Clone, Debug)]
enum Plan {
    Pull(Box<Decision>),
    Shift {
        tidies: bool,
    },
    /// The loudest outcome is being told.
    Fail(String),
}

/// As the adapter's `Taken`.
#[derive(Clone, Debug, Default)]
struct Taken {
    traffic_moved: bool,
    traffic_failed: bool,
    interruption: Option<Answer>,
}

#[derive(Clone, Debug)]
struct Acting {
    situation: Situation,
    now: Timestamp,
    plan: Plan,
    steps: Steps,
    /// The next one last.
    rows: Vec<Vec<Step>>,
    row: Vec<Step>,
    row_moved: bool,
    interrupted: Vec<(Step, Answer)>,
    taken: Taken,
}

impl Invocation {
    pub(crate) fn start(
        number: Option<usize>,
        job: Job,
        attempt: u32,
        at: Timestamp,
        lasts: SignedDuration,
        world: &World,
        order: usize,
    ) -> Self {
        let doing = looking(&job, world, order, None);
        let deadline = at + lasts;
        Self { number, job, attempt, deadline, late: Vec::new(), races: 0, has_moved: false, doing }
    }

    /// The calls of which one is made next; none while it looks.
    pub(crate) fn next_calls(&self) -> Vec<String> {
        match &self.doing {
            Doing::Looking(_) => Vec::new(),
            Doing::Acting(acting) => acting.row.iter().map(ToString::to_string).collect(),
        }
    }

    /// Makes one call.
    pub(crate) fn step(
        &mut self,
        world: &mut World,
        at: Timestamp,
        fault: Fault,
        pick: usize,
        watch: Watch<'_>,
    ) -> Option<Outcome> {
        match &mut self.doing {
            Doing::Looking(look) => {
                if look.read(world, fault) {
                    return match look.failed.take() {
                        Some(failed) => self.fail(*failed, None, world),
                        None => Some(failed("the ledger could not be read")),
                    };
                }
                if !look.reads.is_empty() {
                    return None;
                }
                let situation = look.situation();
                match look.failed.take() {
                    Some(failed) => self.fail(*failed, Some(situation), world),
                    None => self.decide(situation, world, at, watch),
                }
            }
            Doing::Acting(_) => self.act(world, at, fault, pick, watch),
        }
    }

    fn decide(
        &mut self,
        situation: Situation,
        world: &World,
        at: Timestamp,
        watch: Watch<'_>,
    ) -> Option<Outcome> {
        let moment = Moment { now: at, lease_until: self.deadline };
        let (plan, steps) = match &self.job {
            Job::Pull(signal) => {
                let decision = decide(signal, &situation, moment);
                watch(world, Shown::Decided(&decision, &situation));
                let steps = decision.steps.clone();
                (Plan::Pull(Box::new(decision)), steps)
            }
            Job::Shift(request) => {
                match decide_shift(request, &World::shift_situation(request, situation.clone()), moment) {
                    Ok(shift) => (Plan::Shift { tidies: shift.generation.is_none() }, shift.steps),
                    Err(refusal) => {
                        watch(world, Shown::Refused(refusal.to_string()));
                        return Some(failed(&refusal.to_string()));
                    }
                }
            }
        };
        self.begin(Acting::of(situation, at, plan, steps), world)
    }

    fn begin(&mut self, mut acting: Acting, world: &World) -> Option<Outcome> {
        let goes_on = acting.next_row();
        self.doing = Doing::Acting(Box::new(acting));
        if goes_on { None } else { self.taken(world) }
    }

    fn act(
        &mut self,
        world: &mut World,
        at: Timestamp,
        fault: Fault,
        pick: usize,
        watch: Watch<'_>,
    ) -> Option<Outcome> {
        let Doing::Acting(acting) = &mut self.doing else { return None };
        let index = pick % acting.row.len();
        let call = Call {
            job: self.job.clone(),
            lease_until: self.deadline,
            seen: acting.situation.clone(),
            step: acting.row[index].clone(),
            tidies: matches!(acting.plan, Plan::Shift { tidies: true }),
        };
        // What is only kept for the review, or stops an execution that ends by itself, interrupts nothing.
        let is_optional = matches!(call.step, Step::KeepLogs(_) | Step::StopExecution { .. });
        let answer = match fault {
            Fault::None => make(world, &call, at, watch),
            Fault::Refused if is_optional => Answer::Done,
            Fault::Refused => Answer::Failed("throttled".to_owned()),
            Fault::AnswerLost => {
                let answer = make(world, &call, at, watch);
                if answer == Answer::Done && !is_optional {
                    Answer::Failed("timed out".to_owned())
                } else {
                    answer
                }
            }
            // A transaction carries a token by which DynamoDB recognises the second sending.
            Fault::Repeated => match make(world, &call, at, watch) {
                Answer::Done if !matches!(call.step, Step::Write(_) | Step::Hear { .. }) => {
                    make(world, &call, at, watch)
                }
                answer @ (Answer::Done
                | Answer::Waiting
                | Answer::Pending(_)
                | Answer::Raced(_)
                | Answer::Failed(_)) => answer,
            },
            Fault::Late => {
                self.late.push(call.clone());
                Answer::Failed("no answer in time".to_owned())
            }
        };
        if answer == Answer::Waiting {
            return None;
        }
        let step = acting.row.swap_remove(index);
        if answer != Answer::Done {
            acting.interrupted.push((step, answer));
        }
        if !acting.row.is_empty() || acting.after_row() {
            return None;
        }
        self.taken(world)
    }

    /// All steps are taken, or what interrupted them stops the rest: as the handlers go on from there.
    fn taken(&mut self, world: &World) -> Option<Outcome> {
        let Doing::Acting(acting) = &mut self.doing else { return None };
        let Taken { traffic_moved, traffic_failed, interruption } = std::mem::take(&mut acting.taken);
        self.has_moved |= traffic_moved;
        let races_max = match self.job {
            Job::Pull(_) => PULL_RACES_MAX,
            Job::Shift(_) => SHIFT_RACES_MAX,
        };
        let plan = acting.plan.clone();
        if let Plan::Fail(why) = &plan {
            return Some(failed(why));
        }
        let why = match interruption {
            None => return Some(self.ending(&plan)),
            Some(Answer::Raced(_)) if self.races + 1 < races_max => {
                self.races += 1;
                let order = usize::try_from(self.races).unwrap();
                self.doing = looking(&self.job, world, order, None);
                return None;
            }
            Some(Answer::Pending(what)) => return Some(failed(&format!("under way: {what}"))),
            Some(Answer::Raced(what) | Answer::Failed(what)) => what,
            Some(Answer::Done | Answer::Waiting) => return None,
        };
        let moves = acting.steps.iter().flatten().any(Step::moves_traffic);
        match plan {
            Plan::Pull(_) if moves && (traffic_failed || !traffic_moved) => {
                let claims = |row: &Vec<Step>| row.iter().any(|step| matches!(step, Step::Write(_)));
                let calls = acting.steps.iter().flatten().filter(|step| step.moves_traffic()).count();
                let looks_again = acting.steps.first().is_some_and(claims) || calls >= 2;
                let over = Failed { why, now: acting.now, seen: acting.situation.clone() };
                if !looks_again {
                    return self.fail(over, None, world);
                }
                self.doing = looking(&self.job, world, 0, Some(Box::new(over)));
                None
            }
            Plan::Pull(_) | Plan::Shift { .. } | Plan::Fail(_) => Some(failed(&why)),
        }
    }

    /// The page and the record of what could not be put back.
    fn fail(&mut self, over: Failed, seen: Option<Situation>, world: &World) -> Option<Outcome> {
        let Job::Pull(signal) = &self.job else { return None };
        let situation = seen.unwrap_or(over.seen);
        let moment = Moment { now: over.now, lease_until: self.deadline };
        let loudest = decide_failure(signal, &situation, over.why.clone(), moment);
        self.begin(Acting::of(situation, over.now, Plan::Fail(over.why), loudest.steps), world)
    }

    fn ending(&self, plan: &Plan) -> Outcome {
        match plan {
            Plan::Pull(decision) if decision.course == Course::Stuck => failed(&decision.reason.to_string()),
            Plan::Pull(decision)
                if self.has_moved && matches!(decision.reason, Reason::SignalPredatesRelease { .. }) =>
            {
                failed("a release was opened before it was booked that the one before was put back")
            }
            Plan::Pull(decision) => Outcome::Answered(decision.course),
            Plan::Shift { .. } => Outcome::Shifted,
            Plan::Fail(why) => failed(why),
        }
    }
}

fn failed(why: &str) -> Outcome {
    Outcome::Failed(why.to_owned())
}

/// The calls of one observation are made together, so they may be answered in any order; the shifter knows its targets only
/// from the ledger.
fn looking(job: &Job, world: &World, order: usize, failed: Option<Box<Failed>>) -> Doing {
    let targets = world.targets();
    let count = targets.len();
    let mut reads: Vec<Read> = targets.into_iter().map(Box::new).map(Read::Target).collect();
    match job {
        Job::Pull(_) => reads.insert(order % (count + 1), Read::Ledger),
        Job::Shift(_) => reads.push(Read::Ledger),
    }
    Doing::Looking(Box::new(Look { reads, record: None, live: BTreeMap::new(), failed }))
}

impl Look {
    /// One read; whether the ledger could not be read.
    fn read(&mut self, world: &World, fault: Fault) -> bool {
        let failed = !matches!(fault, Fault::None | Fault::Repeated);
        match self.reads.pop() {
            Some(Read::Ledger) if failed => return true,
            Some(Read::Ledger) => self.record = Some(world.record.clone()),
            Some(Read::Target(target)) => {
                let unseen = Sighting::Unseen { why: "throttled".to_owned() };
                let sighting = if failed { unseen } else { world.sight(&target) };
                self.live.insert(target.name, sighting);
            }
            None => {}
        }
        false
    }

    fn situation(&mut self) -> Situation {
        let (record, live) = (self.record.take().unwrap(), std::mem::take(&mut self.live));
        Situation::seen(record, live, Default::default())
    }
}

impl Acting {
    fn of(situation: Situation, now: Timestamp, plan: Plan, steps: Steps) -> Self {
        let rows = steps.iter().filter(|row| !row.is_empty()).rev().cloned().collect();
        Self {
            situation,
            now,
            plan,
            steps,
            rows,
            row: Vec::new(),
            row_moved: false,
            interrupted: Vec::new(),
            taken: Taken::default(),
        }
    }

    /// The next row, if it is still taken.
    fn next_row(&mut self) -> bool {
        let Some(row) = self.rows.pop() else { return false };
        if self.taken.interruption.is_some() && !row.iter().all(moves_one_target) {
            return false;
        }
        self.row_moved = row.iter().any(|step| matches!(step, Step::SetTraffic(_) | Step::Turn(_)));
        self.row = row;
        true
    }

    /// As the adapter goes on after a row; whether it does.
    fn after_row(&mut self) -> bool {
        let interrupted = std::mem::take(&mut self.interrupted);
        if interrupted.is_empty() {
            self.taken.traffic_moved |= self.row_moved;
            return self.next_row();
        }
        let is_race = |answer: &Answer| matches!(answer, Answer::Raced(_));
        let goes_on = interrupted.iter().all(|(step, _)| moves_one_target(step));
        self.taken.traffic_failed |=
            interrupted.iter().any(|(step, why)| step.moves_traffic() && !is_race(why));
        let gravest = interrupted.iter().find(|(_, why)| is_race(why)).or(interrupted.first());
        let gravest = gravest.map(|(_, why)| why.clone());
        self.taken.interruption = self.taken.interruption.take().or(gravest);
        goes_on && self.next_row()
    }
}

fn moves_one_target(step: &Step) -> bool {
    matches!(step, Step::SetTraffic(_) | Step::Turn(_))
}
