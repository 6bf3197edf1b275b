//! One history: the world, the invocations in it, what is still to be delivered, and the clock.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ripcord::names::Generation;
use ripcord::release::Release;
use ripcord::shift::ShiftRequest;
use ripcord::signal::{AlarmState, RollbackCommand, Signal};
use serde_json::json;

use super::actor::{Actor, Caller, Job, Outcome};
use super::call::{Fault, Late};
use super::checks::Checks;
use super::event::{Ask, Event, Setting};
use super::execution::Execution;
use crate::worlds::{SERVICE, World, alarm_named, at, barrier, seconds, v};

/// Lambda delivers an asynchronous event again after one minute and after two.
const RETRIES_MAX: u32 = 2;
/// No history needs as many calls to come to rest; one that does goes round in circles.
const CALLS_MAX: u32 = 400;

struct Retry {
    signal: usize,
    attempt: u32,
    not_before: Timestamp,
}

pub(super) struct History {
    pub(super) world: World,
    pub(super) checks: Checks,
    pub(super) clock: Timestamp,
    actors: Vec<(Actor, u32)>,
    signals: Vec<Signal>,
    /// Whether some invocation has answered the signal.
    answered: Vec<bool>,
    /// How many deliveries of the signal have failed and were not yet repeated.
    owed: Vec<u32>,
    retries: Vec<Retry>,
    pub(super) deliveries: usize,
    pub(super) next_version: u64,
    pub(super) executions: Vec<Execution>,
    late: Vec<Late>,
}

pub(super) const TARGETS: [&str; 2] = ["api", "worker"];

impl History {
    pub(super) fn begin(setting: &Setting) -> Self {
        trace(|| format!("begin {setting:?}"));
        let mut world = World::of(&TARGETS[..setting.targets]);
        let policy = &mut world.record.registration.rollback;
        policy.rollbacks_max = setting.rollbacks_max;
        policy.window_hours = 1;
        policy.quarantine_hours = 1;
        world.record.registration.barriers = setting.barrier.map(barrier).into_iter().collect();
        Self {
            world,
            checks: Checks::new(setting),
            clock: at("08:00:00"),
            actors: Vec::new(),
            signals: Vec::new(),
            answered: Vec::new(),
            owed: Vec::new(),
            retries: Vec::new(),
            deliveries: 0,
            next_version: 2,
            executions: Vec::new(),
            late: Vec::new(),
        }
    }

    pub(super) fn happen(&mut self, event: &Event) {
        trace(|| format!("{} {event:?}", self.clock));
        self.pass(SignedDuration::from_millis(7));
        match event {
            Event::Step { actor, pick, fault } => {
                if let Some(index) = self.pick_actor(*actor) {
                    self.checks.faults += u32::from(*fault != Fault::None);
                    self.step(index, *fault, usize::from(*pick));
                }
            }
            Event::Run { actor, calls } => {
                let Some(index) = self.pick_actor(*actor) else { return };
                for _ in 0..*calls {
                    self.pass(SignedDuration::from_millis(7));
                    if self.step(index, Fault::None, 0) {
                        break;
                    }
                }
            }
            Event::Deliver { index, skew_ms } => self.deliver_some(usize::from(*index), *skew_ms),
            Event::Request { ask, target, skew_ms } => self.request(ask, usize::from(*target), *skew_ms),
            Event::Alarm { alarm } => self.raise(*alarm, AlarmState::Alarm),
            Event::Clear { alarm } => self.raise(*alarm, AlarmState::Ok),
            Event::Command { to } => {
                if !self.checks.setting.commanding {
                    return;
                }
                self.checks.commanded = true;
                self.checks.named_version |= to.is_some();
                self.add_signal(Signal::Operator(RollbackCommand {
                    release: None,
                    service: SERVICE.parse().unwrap(),
                    to: to.map(v),
                    why: None,
                    requested_by: None,
                    requested_at: self.clock,
                }));
            }
            Event::Crash { actor } => {
                if let Some(index) = self.pick_actor(*actor) {
                    self.crash(index);
                }
            }
            Event::Wait { seconds: waited } => self.pass(seconds(i64::from(*waited))),
            Event::Meddle { target, version } => {
                if self.checks.setting.meddling {
                    let name = TARGETS[usize::from(*target) % self.checks.setting.targets];
                    self.world.serve(name, &format!("{version}:100"));
                    self.checks.meddled = true;
                }
            }
            Event::Deploy { progress, target, overridden } => {
                self.deploy(*progress, usize::from(*target), *overridden);
            }
            Event::Drive { execution, passes, skew_ms } => {
                if let Some(index) = self.pick_execution(*execution) {
                    self.drive(index, *passes, *skew_ms);
                }
            }
            Event::Duplicate { execution, skew_ms } => {
                if let Some(index) = self.pick_execution(*execution) {
                    self.start_task(index, *skew_ms);
                }
            }
            Event::Abandon { execution } => {
                if let Some(index) = self.pick_execution(*execution) {
                    self.executions[index].task = None;
                }
            }
            Event::Stop { execution } => {
                if let Some(index) = self.pick_execution(*execution) {
                    self.stop(index);
                }
            }
            Event::Land { index } => self.land(usize::from(*index)),
        }
    }

    pub(super) fn pass(&mut self, time: SignedDuration) {
        self.clock += time;
    }

    fn pick_actor(&self, number: u8) -> Option<usize> {
        (!self.actors.is_empty()).then(|| usize::from(number) % self.actors.len())
    }

    fn raise(&mut self, alarm: u8, state: AlarmState) {
        let change = alarm_named(["errors", "latency"][usize::from(alarm) % 2], self.clock);
        self.add_signal(Signal::Alarm(ripcord::signal::AlarmChange { state, ..change }));
    }

    pub(super) fn add_signal(&mut self, signal: Signal) {
        self.signals.push(signal);
        self.answered.push(false);
        self.owed.push(0);
    }

    fn deliver_some(&mut self, index: usize, skew_ms: i64) {
        let due = self.retries.iter().position(|retry| retry.not_before <= self.clock);
        if let Some(due) = due {
            let Retry { signal, attempt, .. } = self.retries.swap_remove(due);
            self.owed[signal] -= 1;
            return self.start(
                Job::Pull(self.signals[signal].clone()),
                Caller::Delivery(signal),
                attempt,
                skew_ms,
            );
        }
        // Late ones are as likely as new ones.
        let Some(index) =
            (!self.signals.is_empty()).then(|| self.signals.len() - 1 - index % self.signals.len())
        else {
            return;
        };
        self.start(Job::Pull(self.signals[index].clone()), Caller::Delivery(index), 0, skew_ms);
    }

    pub(super) fn start(&mut self, job: Job, caller: Caller, attempt: u32, skew_ms: i64) {
        self.deliveries += 1;
        self.actors
            .push((Actor::start(job, caller, self.clock, skew_ms, self.deliveries, &self.world), attempt));
    }

    fn land(&mut self, index: usize) {
        if self.late.is_empty() {
            return;
        }
        let late = self.late.swap_remove(index % self.late.len());
        let Self { world, checks, clock, .. } = self;
        late.land(world, &mut |world, call| {
            trace(|| format!("{clock} late {}{}", call.step, if call.had_effect { "" } else { ": refused" }));
            checks.after_call(world, call, *clock);
        });
        self.stop_those_told_to();
    }

    fn request(&mut self, ask: &Ask, target: usize, skew_ms: i64) {
        let name = TARGETS[target % self.checks.setting.targets];
        let live = self.world.live(name).traffic;
        let latest = self.world.record.release.clone();
        let candidate =
            latest.as_ref().and_then(|it| it.change(&name.parse().unwrap())).map(|it| it.candidate);
        let mut document = json!({ "service": SERVICE, "target": name });
        match ask {
            Ask::Open { percent } => {
                let stable: u64 = live.primary.to_string().parse().unwrap();
                self.next_version = 2 + (self.next_version - 1) % 8;
                let rest = 100 - percent;
                document["weights"] = if *percent == 100 {
                    json!(format!("{}:100", self.next_version))
                } else {
                    json!(format!("{stable}:{rest},{}:{percent}", self.next_version))
                };
            }
            Ask::Stage { percent } => {
                document["release"] = json!(latest.map_or(Generation(1), |it| it.generation));
                document["weight"] = json!(f64::from(*percent) / 100.0);
                self.checks.stepped_down |= *percent == 0;
            }
            Ask::Weights { percent } => {
                let Some(candidate) = candidate.filter(|it| *it != live.primary) else { return };
                document["weights"] =
                    json!(format!("{}:{},{candidate}:{percent}", live.primary, 100 - percent));
                self.checks.stepped_down |= *percent == 0;
            }
            Ask::StageOverridden { percent } => {
                document["release"] = json!(latest.map_or(Generation(1), |it| it.generation));
                document["weight"] = json!(f64::from(*percent) / 100.0);
                document["override"] = json!("the fix has to go out");
                self.checks.overridden = true;
            }
            Ask::OpenOverridden => {
                let Some(candidate) = candidate.filter(|it| *it != live.primary) else { return };
                document["weights"] = json!(format!("{}:80,{candidate}:20", live.primary));
                document["override"] = json!("it was not the release");
                self.checks.overridden = true;
            }
            Ask::Clear => {
                document["weights"] = json!(format!("{}:100", live.primary));
                self.checks.stepped_down = true;
            }
        }
        // Weights that nobody can ask for are refused when they are read.
        if let Ok(request) = ShiftRequest::read(&document) {
            self.start(Job::Shift(Box::new(request)), Caller::Person, 0, skew_ms);
        }
    }

    /// One call of one invocation; says whether it has ended.
    fn step(&mut self, index: usize, fault: Fault, pick: usize) -> bool {
        if self.actors[index].0.is_past_deadline(self.clock) {
            self.crash(index);
            return true;
        }
        let Self { world, checks, clock, .. } = self;
        let checks = std::cell::RefCell::new(checks);
        let delivery = number_of(&self.actors[index].0.caller);
        let outcome = self.actors[index].0.step(
            world,
            *clock,
            fault,
            pick,
            &mut |world, call| {
                trace(|| {
                    format!(
                        "{clock} {delivery:>3} {}{}",
                        call.step,
                        if call.had_effect { "" } else { ": refused" }
                    )
                });
                checks.borrow_mut().after_call(world, call, *clock);
            },
            &mut |decision, situation, signal| {
                trace(|| format!("{clock} {delivery:>3} decided {:?}: {}", decision.course, decision.reason));
                checks.borrow_mut().after_decision(decision, situation, signal);
            },
        );
        trace(|| {
            outcome
                .as_ref()
                .map_or(String::new(), |outcome| format!("{} {delivery:>3} {outcome:?}", self.clock))
        });
        self.late.extend(self.actors[index].0.late.take());
        self.stop_those_told_to();
        let Some(outcome) = outcome else { return false };
        let (actor, attempt) = self.actors.swap_remove(index);
        match (&actor.caller, &outcome) {
            (Caller::Delivery(signal), Outcome::Failed { .. }) => self.retry(*signal, attempt),
            (Caller::Delivery(signal), _) => self.answered[*signal] = true,
            (Caller::Task { .. }, _) => self.task_ended(&actor, Some(&outcome)),
            (Caller::Person, _) => {}
        }
        true
    }

    fn crash(&mut self, index: usize) {
        self.checks.faults += 1;
        let (actor, attempt) = self.actors.swap_remove(index);
        match &actor.caller {
            Caller::Delivery(signal) => self.retry(*signal, attempt),
            Caller::Task { .. } => self.task_ended(&actor, None),
            Caller::Person => {}
        }
    }

    /// After its retries an event lies in the on-failure queue, from where it is delivered once more.
    fn retry(&mut self, signal: usize, attempt: u32) {
        self.owed[signal] += 1;
        if attempt < RETRIES_MAX {
            let not_before = self.clock + seconds(60);
            self.retries.push(Retry { signal, attempt: attempt + 1, not_before });
        }
    }

    pub(super) fn finish_actors(&mut self) {
        let mut calls = 0;
        while !self.actors.is_empty() {
            calls += 1;
            assert!(calls < CALLS_MAX, "the invocations never end");
            self.pass(SignedDuration::from_millis(7));
            self.step(calls as usize % self.actors.len(), Fault::None, 0);
        }
    }

    /// The faults end: what is under way arrives, who runs finishes, and what was not answered is delivered once more, past every lease. Then all
    /// is as it should be, and delivering everything again changes nothing.
    pub(super) fn end_well(&mut self) {
        while !self.late.is_empty() {
            self.land(0);
        }
        self.finish_actors();
        self.end_executions();
        self.pass(seconds(61));
        for signal in 0..self.signals.len() {
            if !self.answered[signal] || self.owed[signal] > 0 {
                (self.answered[signal], self.owed[signal]) = (false, 0);
                self.deliver_and_finish(signal);
                let event = &self.signals[signal];
                assert!(self.answered[signal], "{event:?} is not answered without any fault");
            }
        }
        self.checks.at_the_end(&self.world, &self.signals);
        // A transition that a rollback had answered is news for the release that was opened since: it is told once that
        // traffic was left alone; and that an execution has ended is noted once its release has. So the first time
        // moves nothing, and the second time says nothing either.
        let release = |world: &World| world.record.release.clone().map(|it| Release { seq: 0, ..it });
        let traffic = (self.world.moved.len(), release(&self.world));
        self.deliver_all_again();
        let traffic_again = (self.world.moved.len(), release(&self.world));
        assert_eq!(traffic, traffic_again, "delivering everything again moved traffic");
        let all = (self.world.notices.len(), self.world.record.clone());
        self.deliver_all_again();
        let all_again = (self.world.notices.len(), self.world.record.clone());
        assert_eq!(all, all_again, "delivering everything once more changed something");
        assert_eq!(traffic.0, self.world.moved.len(), "delivering everything once more moved traffic");
    }

    fn deliver_all_again(&mut self) {
        for signal in 0..self.signals.len() {
            if self.checks.settles(&self.world, &self.signals[signal]) {
                self.deliver_and_finish(signal);
            }
        }
    }

    fn deliver_and_finish(&mut self, signal: usize) {
        // Past the lease of whoever came before.
        self.pass(seconds(31));
        self.start(Job::Pull(self.signals[signal].clone()), Caller::Delivery(signal), RETRIES_MAX, 0);
        for _ in 0..CALLS_MAX {
            self.pass(SignedDuration::from_millis(7));
            if self.step(0, Fault::None, 0) {
                return;
            }
        }
        panic!("an invocation without faults never ends");
    }
}

/// What the checks remember of each release, by its own clock and by the true one.
pub(super) type Openings = BTreeMap<Generation, Timestamp>;

fn number_of(caller: &Caller) -> String {
    match caller {
        Caller::Delivery(signal) => format!("signal {signal}"),
        Caller::Person => "a person".to_owned(),
        Caller::Task { number, .. } => format!("task {number}"),
    }
}

/// With `SIMULATION_TRACE` set, a history tells what happens in it.
#[expect(clippy::print_stderr, reason = "a history is read by whoever looks for the cause of a failure")]
pub(super) fn trace(line: impl FnOnce() -> String) {
    if std::env::var_os("SIMULATION_TRACE").is_some() {
        eprintln!("{}", line());
    }
}
