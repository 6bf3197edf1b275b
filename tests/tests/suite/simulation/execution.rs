//! An execution of the state machine: the task that it is at, and what it does with an answer. It follows the
//! definition in `statemachines`, and decides nothing.

use jiff::Timestamp;
use ripcord::error_type::ErrorType;
use ripcord::names::Generation;
use ripcord::pipeline::{Onward, Run, Then, Turn, onward_to};
use ripcord::shift::ShiftRequest;
use ripcord::signal::{PipelineFailure, Signal};
use serde_json::{Value, json};

use super::actor::{Job, Outcome};
use crate::worlds::SERVICE;

/// As in the definition.
const SHIFT_TRIES_MAX: u32 = 6;
const ROLLBACK_TRIES_MAX: u32 = 9;

/// One execution.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    pub(super) arn: String,
    opening: Value,
    pub(super) release: Option<Generation>,
    /// What the ledger said of it when it was last asked.
    run: Option<Run>,
    state: State,
    tries: u32,
    /// The number of the task whose answer it waits for.
    pub(super) task: Option<usize>,
    /// Whether its release had been put back or given up when the task was started.
    pub(super) was_ended: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Open,
    Preflight,
    Shift { stage: usize, approved: bool },
    Look { stage: usize },
    Approve { stage: usize, then: Then },
    Verify { stage: usize },
    Complete { stage: usize },
    RollBack { why: String, since: Timestamp },
    Ended,
}

/// How an execution ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Succeeded,
    Failed,
}

impl Execution {
    pub(super) fn start(number: usize, mut open: Value) -> Self {
        let arn = format!("arn:aws:states:eu-west-1:123456789012:execution:progressive-release:{number}");
        open["service"] = json!(SERVICE);
        let opening = json!({ "open": open, "execution": arn });
        Self {
            arn,
            opening,
            release: None,
            run: None,
            state: State::Open,
            tries: 0,
            task: None,
            was_ended: false,
        }
    }

    /// Whether it waits for metrics before it goes on.
    pub(super) fn is_watching(&self) -> bool {
        matches!(self.state, State::Look { .. })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The task that is to be started now, where it is one that moves traffic or puts it back.
    pub(super) fn job(&self) -> Option<Job> {
        let release = self.release;
        let document = match &self.state {
            State::Open => self.opening.clone(),
            State::Shift { stage, approved } => {
                let by = approved.then_some("grace");
                json!({ "service": SERVICE, "release": release, "stage": stage, "approved_by": by })
            }
            State::Complete { stage } => json!({ "service": SERVICE, "release": release, "stage": stage }),
            State::RollBack { why, since } => {
                return Some(Job::Pull(signal(&self.arn, why.clone(), *since)));
            }
            State::Preflight
            | State::Look { .. }
            | State::Approve { .. }
            | State::Verify { .. }
            | State::Ended => return None,
        };
        // The target stands in the ledger once the release is open, but the shifter is asked for it by name.
        let mut document = document;
        if document.get("open").is_none() {
            document["target"] = self.opening["open"]["target"].clone();
        }
        Some(Job::Shift(Box::new(ShiftRequest::read(&document).unwrap())))
    }

    /// What the ledger says of its release, as long as it does.
    pub(super) fn learn(&mut self, run: &Run) {
        self.run = Some(run.clone());
    }

    /// A check, a look at the stage, or a person says yes or no. It may have looked long ago.
    pub(super) fn hear(&mut self, passes: bool, now: Timestamp) {
        let (Some(run), true) = (self.run.clone(), passes) else {
            return self.give_up("errors 3.1% > limit 1.0%".to_owned(), now);
        };
        let why = || "it passed".to_owned();
        match self.state.clone() {
            State::Preflight => self.follow(&onward_to(&run, 0, why()), now),
            State::Look { stage } => self.follow(&onward_to(&run, stage + 1, why()), now),
            State::Approve { stage, then: Then::Shift } => self.enter(State::Shift { stage, approved: true }),
            State::Approve { stage, then: Then::Verify } => self.enter(State::Verify { stage }),
            State::Verify { stage } => self.enter(State::Complete { stage }),
            State::Open
            | State::Shift { .. }
            | State::Complete { .. }
            | State::RollBack { .. }
            | State::Ended => panic!("{self:?} waits for nobody's word"),
        }
    }

    /// The task's answer, or its failure; a failure without a name is one of Lambda's own.
    pub(super) fn answered(&mut self, outcome: Option<&Outcome>, now: Timestamp) -> Option<End> {
        self.task = None;
        match (outcome, self.state.clone()) {
            (Some(Outcome::Shifted { generation, .. }), State::Open) => {
                self.release = *generation;
                self.enter(State::Preflight);
            }
            (Some(Outcome::Shifted { onward: Some(onward), .. }), State::Shift { .. }) => {
                self.follow(&onward.clone(), now);
            }
            (Some(Outcome::Shifted { .. }), State::Complete { .. }) => self.enter(State::Ended),
            (Some(Outcome::Answered(_)), State::RollBack { .. }) => {
                self.enter(State::Ended);
                return Some(End::Failed);
            }
            (Some(Outcome::Failed { .. }) | None, State::RollBack { .. }) => {
                self.tries += 1;
                if self.tries == ROLLBACK_TRIES_MAX {
                    self.enter(State::Ended);
                    return Some(End::Failed);
                }
            }
            (Some(Outcome::Failed { error, why }), _) => {
                self.tries += 1;
                if !is_tried_again(*error) || self.tries == SHIFT_TRIES_MAX {
                    self.give_up(format!("{error:?}: {why}"), now);
                }
            }
            (None, _) => {
                self.tries += 1;
                if self.tries == SHIFT_TRIES_MAX {
                    self.give_up("Lambda.Unknown".to_owned(), now);
                }
            }
            (outcome, state) => panic!("{state:?} is answered by {outcome:?}"),
        }
        (self.state == State::Ended).then_some(End::Succeeded)
    }

    pub(super) fn stop(&mut self) {
        self.task = None;
        self.state = State::Ended;
    }

    fn follow(&mut self, onward: &Onward, now: Timestamp) {
        let stage = onward.stage;
        match onward.next {
            Turn::Look => self.enter(State::Look { stage }),
            Turn::Shift => self.enter(State::Shift { stage, approved: false }),
            Turn::Approve => self.enter(State::Approve { stage, then: onward.then }),
            Turn::Verify => self.enter(State::Verify { stage }),
            Turn::RollBack => self.give_up(onward.reason.clone(), now),
            Turn::End => self.enter(State::Ended),
        }
    }

    fn give_up(&mut self, why: String, since: Timestamp) {
        self.enter(State::RollBack { why, since });
    }

    fn enter(&mut self, state: State) {
        self.tries = 0;
        self.state = state;
    }
}

pub(super) fn signal(execution: &str, why: String, raised_at: Timestamp) -> Signal {
    Signal::Pipeline(PipelineFailure {
        rejected: false,
        measured_bad: true,
        train: None,
        service: SERVICE.parse().unwrap(),
        execution: execution.to_owned(),
        why,
        raised_at,
    })
}

/// The names that the definition's `Retry` lists for the shifter, besides Lambda's own.
fn is_tried_again(error: ErrorType) -> bool {
    matches!(
        error,
        ErrorType::LedgerUnreadable
            | ErrorType::Contended
            | ErrorType::ShiftFailed
            | ErrorType::ReportIncomplete
    )
}
