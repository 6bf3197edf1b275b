//! One world in which invocations are started, run, held up and cut off by hand.

use jiff::{SignedDuration, Timestamp};
use ripcord::notice::Severity;
use ripcord::release::{Change, Phase, Release};
use ripcord::shift::ShiftRequest;
use ripcord::signal::Signal;
use serde_json::json;

use super::call::{Call, Fault, Job, Shown, make};
use super::invocation::{Invocation, Outcome};
use super::things::Kind;
use super::world::{Answer, World, at, seconds};

/// No invocation here needs as many calls.
const CALLS_MAX: u32 = 2_000;

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) clock: Timestamp,
    /// Every call that took effect: its name, and the target that it moved or looked at.
    pub(crate) log: Vec<String>,
    /// What was called with no answer.
    late: Vec<Call>,
    invocations: i64,
}

impl Scene {
    pub(crate) fn of(targets: &[(&str, Kind, u8)]) -> Self {
        let world = World::of(targets);
        Self { world, clock: at("10:00:00"), log: Vec::new(), late: Vec::new(), invocations: 0 }
    }

    /// An invocation of 30 seconds that answers a signal. It reads the ledger before it looks at anything.
    pub(crate) fn pulling(&mut self, signal: &Signal) -> Invocation {
        self.start(Job::Pull(signal.clone()), seconds(30))
    }

    /// An invocation of a minute that shifts.
    pub(crate) fn shifting(&mut self, target: &str, weights: &str) -> Invocation {
        let document = json!({ "service": "checkout", "target": target, "weights": weights });
        self.start(Job::Shift(Box::new(ShiftRequest::read(&document).unwrap())), seconds(60))
    }

    fn start(&mut self, job: Job, lasts: SignedDuration) -> Invocation {
        self.invocations += 1;
        let lasts = lasts + SignedDuration::from_nanos(self.invocations);
        let last = self.world.targets().len();
        Invocation::start(None, job, 0, self.clock, lasts, &self.world, last)
    }

    /// One call.
    pub(crate) fn step(&mut self, invocation: &mut Invocation, fault: Fault) -> Option<Outcome> {
        self.clock += SignedDuration::from_millis(7);
        let Self { world, clock, log, .. } = self;
        let outcome = invocation.step(world, *clock, fault, 0, &mut |_, shown| note(log, &shown));
        self.late.append(&mut invocation.late);
        outcome
    }

    /// Runs until the next call that takes effect would be one of this name; whether that comes.
    pub(crate) fn runs_until(&mut self, invocation: &mut Invocation, call: &str) {
        for _ in 0..CALLS_MAX {
            if invocation.next_calls().iter().any(|step| step.starts_with(call)) {
                return;
            }
            let outcome = self.step(invocation, Fault::None);
            assert_eq!(outcome, None, "it ends before {call}: {:#?}", self.log);
        }
        panic!("it never comes to {call}");
    }

    /// Runs to its end, or to its deadline.
    pub(crate) fn finish(&mut self, mut invocation: Invocation) -> Outcome {
        for call in 0..CALLS_MAX {
            if call > 200 {
                self.clock += SignedDuration::from_millis(500);
            }
            if let Some(outcome) = self.step(&mut invocation, Fault::None) {
                return outcome;
            }
        }
        panic!("it never ends");
    }

    pub(crate) fn pull(&mut self, signal: &Signal) -> Outcome {
        let invocation = self.pulling(signal);
        self.finish(invocation)
    }

    #[track_caller]
    pub(crate) fn shift(&mut self, target: &str, weights: &str) {
        let invocation = self.shifting(target, weights);
        assert_eq!(self.finish(invocation), Outcome::Shifted, "{target} to {weights}");
    }

    /// What was given up takes effect.
    pub(crate) fn lands(&mut self) {
        self.clock += SignedDuration::from_millis(7);
        let Self { world, clock, log, late, .. } = self;
        for call in late.drain(..) {
            assert_eq!(make(world, &call, *clock, &mut |_, shown| note(log, &shown)), Answer::Done);
        }
    }

    pub(crate) fn pass(&mut self, time: SignedDuration) {
        self.clock += time;
    }

    #[track_caller]
    pub(crate) fn serves(&self, target: &str, expected: &str) {
        assert_eq!(self.world.serving(&target.parse().unwrap()).to_string(), expected, "{target}");
    }

    pub(crate) fn release(&self) -> &Release {
        self.world.record.release.as_ref().unwrap()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.release().phase
    }

    pub(crate) fn change(&self, target: &str) -> &Change {
        self.release().change(&target.parse().unwrap()).unwrap()
    }

    pub(crate) fn pages(&self) -> usize {
        self.world.notices.iter().filter(|notice| notice.severity == Severity::Page).count()
    }

    /// The calls since `from`, in order, that have a name like this.
    pub(crate) fn calls(&self, from: usize, names: &[&str]) -> Vec<&str> {
        let is_meant = |line: &&String| names.iter().any(|name| line.starts_with(name));
        self.log[from..].iter().filter(is_meant).map(String::as_str).collect()
    }
}

fn note(log: &mut Vec<String>, shown: &Shown<'_>) {
    if let Shown::Made(made) = shown
        && *made.answer == Answer::Done
    {
        log.push(made.call.step.to_string());
    }
}
