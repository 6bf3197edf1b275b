//! A running invocation, cut into single calls: it looks, decides, and takes one step at a time, as the handler does, with
//! its bound on races. Between any two calls the history may let others work, or end it.

use jiff::Timestamp;
use ripcord::decide::{Course, Decision, Moment, decide, decide_failure};
use ripcord::deployment::{DeploymentState, Deployments};
use ripcord::names::DeploymentId;
use ripcord::plan::Step;
use ripcord::reason::Reason;
use ripcord::signal::Signal;
use ripcord::situation::{ServiceRecord, Sighting, Situation};

use crate::world::{Answer, World, seconds};

/// As in the handler.
const RACES_MAX: u32 = 8;
/// As in the handler: an event that has opened a release, or ended the one before, is looked at again.
const LOOKS_MAX: u32 = 3;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// It fails without effect.
    Refused,
    /// It takes effect, and fails all the same.
    AnswerLost,
}

/// What an invocation came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Answered(Course),
    /// Lambda delivers an asynchronous event again.
    Failed(String),
}

/// One call that was made, for the checks.
pub(super) struct Call<'call> {
    pub(super) signal: &'call Signal,
    pub(super) seen: &'call Situation,
    pub(super) seen_at: Timestamp,
    pub(super) step: &'call Step,
    pub(super) answer: &'call Answer,
}

/// What an invocation has just done.
pub(super) enum Shown<'shown> {
    Decided(&'shown Decision, &'shown Situation),
    Called(&'shown Call<'shown>),
}

#[derive(Clone, Debug)]
pub(super) struct Invocation {
    /// The signal's number.
    pub(super) number: usize,
    pub(super) signal: Signal,
    /// How often the signal was delivered before without an answer.
    pub(super) attempt: u32,
    pub(super) deadline: Timestamp,
    races: u32,
    looks: u32,
    has_moved: bool,
    doing: Doing,
}

#[derive(Clone, Debug)]
enum Doing {
    Looking(Box<Look>),
    Acting(Box<Acting>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Asked,
    Ledger,
    Alias,
    Own,
    Group,
    Others,
}

#[derive(Clone, Debug)]
struct Look {
    began_at: Timestamp,
    /// The next one last.
    reads: Vec<Read>,
    record: Option<ServiceRecord>,
    sighting: Sighting,
    seen: Vec<DeploymentState>,
    unseen: Option<String>,
    others: Vec<DeploymentId>,
}

#[derive(Clone, Debug)]
struct Acting {
    situation: Situation,
    seen_at: Timestamp,
    now: Timestamp,
    decision: Decision,
    /// The next one last.
    rows: Vec<Vec<Step>>,
    row: Vec<Step>,
    row_moves: bool,
    stopped_by: Option<Answer>,
    /// Set while the loudest outcome is told.
    failing: Option<String>,
}

impl Invocation {
    pub(super) fn start(
        number: usize,
        signal: Signal,
        attempt: u32,
        at: Timestamp,
        alias_first: bool,
    ) -> Self {
        let doing = looking(&signal, at, alias_first);
        let deadline = at + seconds(30);
        Self { number, signal, attempt, deadline, races: 0, looks: 0, has_moved: false, doing }
    }

    /// Makes one call. What was decided and what was called is shown to `watch`.
    pub(super) fn step(
        &mut self,
        world: &mut World,
        at: Timestamp,
        fault: Fault,
        pick: usize,
        watch: &mut dyn FnMut(&World, Shown<'_>),
    ) -> Option<Outcome> {
        match &mut self.doing {
            Doing::Looking(look) => {
                if let Some(outcome) = look.read(world, &self.signal, fault) {
                    return Some(outcome);
                }
                if !look.reads.is_empty() {
                    return None;
                }
                let (situation, seen_at) = (look.situation(), look.began_at);
                let decision =
                    decide(&self.signal, &situation, Moment { now: at, lease_until: self.deadline });
                watch(world, Shown::Decided(&decision, &situation));
                self.act(decision, situation, seen_at, at, None)
            }
            Doing::Acting(acting) => {
                if acting.row.is_empty() {
                    return self.after_row(at, pick);
                }
                let index = pick % acting.row.len();
                let answer = match fault {
                    Fault::Refused => Answer::Failed("throttled"),
                    Fault::None | Fault::AnswerLost => world.apply(&acting.row[index], at),
                };
                if answer == Answer::Waiting {
                    return None;
                }
                let step = acting.row.swap_remove(index);
                watch(
                    world,
                    Shown::Called(&Call {
                        signal: &self.signal,
                        seen: &acting.situation,
                        seen_at: acting.seen_at,
                        step: &step,
                        answer: &answer,
                    }),
                );
                let answer = if fault == Fault::AnswerLost { Answer::Failed("timed out") } else { answer };
                if !matches!(answer, Answer::Done(_)) && !matches!(acting.stopped_by, Some(Answer::Raced(_)))
                {
                    acting.stopped_by = Some(answer);
                }
                if acting.row.is_empty() { self.after_row(at, pick) } else { None }
            }
        }
    }

    fn act(
        &mut self,
        decision: Decision,
        situation: Situation,
        seen_at: Timestamp,
        now: Timestamp,
        failing: Option<String>,
    ) -> Option<Outcome> {
        let mut rows: Vec<Vec<Step>> =
            decision.steps.iter().filter(|row| !row.is_empty()).rev().cloned().collect();
        let row = rows.pop().unwrap_or_default();
        let row_moves = row.iter().any(Step::moves_traffic);
        let is_idle = row.is_empty();
        let acting =
            Acting { situation, seen_at, now, decision, rows, row, row_moves, stopped_by: None, failing };
        if is_idle {
            return Some(ending(&acting));
        }
        self.doing = Doing::Acting(Box::new(acting));
        None
    }

    fn after_row(&mut self, at: Timestamp, pick: usize) -> Option<Outcome> {
        let Doing::Acting(acting) = &mut self.doing else { return None };
        let stopped_by = acting.stopped_by.take();
        if let Some(why) = &acting.failing {
            let is_over = stopped_by.is_some() || acting.rows.is_empty();
            if is_over {
                return Some(Outcome::Failed(why.clone()));
            }
        } else {
            match stopped_by {
                Some(Answer::Raced(_)) if self.races + 1 < RACES_MAX => {
                    self.races += 1;
                    return self.look_again(at, pick);
                }
                Some(Answer::Pending) => {
                    return Some(Outcome::Failed("the way back is under way".to_owned()));
                }
                Some(Answer::Raced(why) | Answer::Failed(why)) => return self.fail(why.to_owned()),
                Some(Answer::Done(_) | Answer::Waiting) | None => self.has_moved |= acting.row_moves,
            }
        }
        let Doing::Acting(acting) = &mut self.doing else { return None };
        if let Some(row) = acting.rows.pop() {
            acting.row_moves = row.iter().any(Step::moves_traffic);
            acting.row = row;
            return None;
        }
        if self.looks < LOOKS_MAX && is_to_be_looked_at_again(&self.signal, acting) {
            self.looks += 1;
            return self.look_again(at, pick);
        }
        Some(ending(acting))
    }

    fn look_again(&mut self, at: Timestamp, pick: usize) -> Option<Outcome> {
        self.doing = looking(&self.signal, at, pick.is_multiple_of(2));
        None
    }

    /// A call failed for good. If it was to put traffic back, that is recorded and told; otherwise the retry finishes.
    fn fail(&mut self, why: String) -> Option<Outcome> {
        let Doing::Acting(acting) = &self.doing else { return None };
        if self.has_moved || !acting.decision.steps.iter().flatten().any(Step::moves_traffic) {
            return Some(Outcome::Failed(why));
        }
        let moment = Moment { now: acting.now, lease_until: self.deadline };
        let loudest = decide_failure(&self.signal, &acting.situation, why.clone(), moment);
        let (situation, seen_at, now) = (acting.situation.clone(), acting.seen_at, acting.now);
        self.act(loudest, situation, seen_at, now, Some(why))
    }
}

fn looking(signal: &Signal, at: Timestamp, alias_first: bool) -> Doing {
    let mut reads = vec![Read::Others, Read::Group, Read::Own];
    reads.extend(if alias_first { [Read::Ledger, Read::Alias] } else { [Read::Alias, Read::Ledger] });
    if let Signal::Deployment(_) = signal {
        reads.push(Read::Asked);
    }
    Doing::Looking(Box::new(Look {
        began_at: at,
        reads,
        record: None,
        sighting: Sighting::Missing,
        seen: Vec::new(),
        unseen: None,
        others: Vec::new(),
    }))
}

impl Look {
    /// One read. What cannot be read of the ledger, or of the deployment that an event is about, ends the invocation.
    fn read(&mut self, world: &World, signal: &Signal, fault: Fault) -> Option<Outcome> {
        let failed = fault != Fault::None;
        let own = self.record.as_ref().and_then(|it| it.release.as_ref()?.deployment.clone());
        match self.reads.pop()? {
            Read::Asked | Read::Ledger if failed => return Some(Outcome::Failed("throttled".to_owned())),
            Read::Asked => {
                if let Signal::Deployment(change) = signal {
                    self.seen.extend(world.codedeploy.of(&change.deployment).cloned());
                }
            }
            Read::Ledger => self.record = Some(world.record.clone()),
            Read::Alias if failed => self.sighting = Sighting::Unseen { why: "throttled".to_owned() },
            Read::Alias => self.sighting = world.sight(),
            // Where CodeDeploy moves nothing it is not asked.
            Read::Own | Read::Group | Read::Others if own.is_none() => {}
            Read::Own | Read::Group if failed => self.unseen = Some("throttled".to_owned()),
            Read::Own => {
                let state = own.and_then(|own| world.codedeploy.of(&own.id));
                self.others.extend(state.and_then(|state| state.rolled_back_by.clone()));
                self.see(state);
            }
            Read::Group => self.others.extend(world.codedeploy.latest().cloned()),
            Read::Others if failed && !self.others.is_empty() => self.unseen = Some("throttled".to_owned()),
            Read::Others => {
                for other in std::mem::take(&mut self.others) {
                    if own.as_ref().is_none_or(|own| own.id != other) {
                        self.see(world.codedeploy.of(&other));
                    }
                }
            }
        }
        None
    }

    fn see(&mut self, state: Option<&DeploymentState>) {
        let Some(state) = state else { return };
        self.seen.retain(|other| other.id != state.id);
        self.seen.push(state.clone());
    }

    fn situation(&self) -> Situation {
        Situation {
            record: self.record.clone().unwrap(),
            live: [("api".parse().unwrap(), self.sighting.clone())].into_iter().collect(),
            deployments: Deployments { seen: self.seen.clone(), unseen: self.unseen.clone() },
        }
    }
}

/// Whether an event's answer was about something that came before: the opening, or the release of an older deployment.
fn is_to_be_looked_at_again(signal: &Signal, acting: &Acting) -> bool {
    let Signal::Deployment(change) = signal else { return false };
    let release = acting.situation.record.release.as_ref();
    let own = release.and_then(|release| release.deployment.as_ref());
    matches!(acting.decision.reason, Reason::DeploymentOpened { .. })
        || own.is_some_and(|own| own.id != change.deployment)
}

fn ending(acting: &Acting) -> Outcome {
    match (&acting.failing, acting.decision.course) {
        (Some(why), _) => Outcome::Failed(why.clone()),
        (None, Course::Stuck) => Outcome::Failed(acting.decision.reason.to_string()),
        // The handler must not take an event for answered that it could not look at.
        (None, _) if matches!(acting.decision.reason, Reason::DeploymentUnseen { .. }) => {
            Outcome::Failed(acting.decision.reason.to_string())
        }
        (None, course @ (Course::Restore | Course::Settle | Course::Hold | Course::StandDown)) => {
            Outcome::Answered(course)
        }
    }
}
