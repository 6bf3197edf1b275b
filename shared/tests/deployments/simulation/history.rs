//! One history: the world, the invocations in it, what is still to be delivered, and the clock.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use ripcord::decide::{Moment, decide};
use ripcord::names::DeploymentId;
use ripcord::plan::{LedgerWrite, Step};
use ripcord::registration::Barrier;
use ripcord::release::{Phase, Release};
use ripcord::signal::Signal;

use super::checks::{Checks, Tally};
use super::invocation::{Call, Fault, Invocation, Outcome, Shown};
use crate::codedeploy::{Manner, Moved};
use crate::world::{World, alarm_at, at, command_at, event_at, seconds, traffic, v};

mod rest;

/// Lambda delivers an asynchronous event again after one minute and after two.
const RETRIES_MAX: u32 = 2;
/// No history needs as many calls to come to rest; one that does goes round in circles.
const CALLS_MAX: u32 = 600;

/// What holds for all of a history.
#[derive(Debug)]
struct Setting {
    meddling: bool,
    commanding: bool,
    console: bool,
    failing: bool,
    /// How many moments CodeDeploy lets pass for each in which it works.
    pace: u8,
    manner: Manner,
}

#[derive(Debug)]
struct Said {
    signal: Signal,
    is_answered: bool,
    /// Whether it was ever delivered.
    is_delivered: bool,
    retry_at: Option<(Timestamp, u32)>,
    /// Whether a delivery of it has failed and was not repeated yet. After its retries it lies in the on-failure queue.
    is_owed: bool,
}

pub(super) struct History {
    seed: u64,
    rng: Rng,
    setting: Setting,
    world: World,
    checks: Checks,
    tally: Tally,
    clock: Timestamp,
    invocations: Vec<Invocation>,
    said: Vec<Said>,
    next_version: u64,
    trace: Vec<String>,
}

impl History {
    pub(super) fn begin(seed: u64, tally: Tally) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut world = World::checkout();
        let policy = &mut world.record.registration.rollback;
        policy.rollbacks_max = if rng.u8(..8) == 0 { 1 } else { 100 };
        policy.window_hours = 1;
        if rng.u8(..8) == 0 {
            let (target, reason) = ("api".parse().unwrap(), "a migration".to_owned());
            world.record.registration.barriers = vec![Barrier { target, since_version: v(3), reason }];
        }
        let manner = Manner {
            steps: [vec![10], vec![10, 50], vec![10, 20, 30, 40, 50], vec![]][rng.usize(..4)].clone(),
            asks_first: rng.bool(),
            refused_after: false,
            auto_rollback: rng.u8(..4) != 0,
            watches_alarms: rng.bool(),
        };
        let setting = Setting {
            meddling: rng.u8(..6) == 0,
            commanding: rng.u8(..3) == 0,
            console: rng.u8(..3) == 0,
            failing: rng.u8(..3) == 0,
            pace: [1, 2, 8][rng.usize(..3)],
            manner,
        };
        Self {
            seed,
            rng,
            setting,
            world,
            checks: Checks::default(),
            tally,
            clock: at("08:00:00"),
            invocations: Vec::new(),
            said: Vec::new(),
            next_version: 2,
            trace: Vec::new(),
        }
    }

    fn tell(&mut self, line: String) {
        self.trace.push(format!("{} {line}", self.clock.strftime("%dT%H:%M:%S%.3f")));
    }

    fn pass(&mut self, time: SignedDuration) {
        self.clock += time;
    }

    /// Something happens.
    pub(super) fn happen(&mut self) {
        self.pass(SignedDuration::from_millis(7));
        match self.rng.u8(..100) {
            0..24 if self.rng.u8(..self.setting.pace) == 0 => self.codedeploy_works(),
            0..24 => self.some_invocation_runs(),
            24..60 => self.some_invocation_calls(),
            60..66 => self.some_invocation_runs(),
            66..78 => self.deliver_some(),
            78..84 => self.deploy(),
            84..88 => self.alarm_fires(),
            88..90 => self.command(),
            90..92 => self.stop_by_hand(),
            92..95 => self.some_invocation_ends(),
            95..98 => {
                let waited = [1, 20, 70, 1_000, 3_700][self.rng.usize(..5)];
                self.tell(format!("{waited} s pass"));
                self.pass(seconds(waited));
            }
            _ => self.meddle(),
        }
    }

    fn say(&mut self, signal: Signal) {
        self.said.push(Said {
            signal,
            is_answered: false,
            is_delivered: false,
            retry_at: None,
            is_owed: false,
        });
        // Some are answered at once, before anything else happens.
        if self.rng.u8(..3) == 0 {
            self.deliver(self.said.len() - 1, 0);
            self.run(self.invocations.len() - 1);
        }
    }

    fn run(&mut self, index: usize) {
        for _ in 0..self.rng.u8(1..16) {
            self.pass(SignedDuration::from_millis(7));
            if self.step(index, Fault::None) {
                break;
            }
        }
    }

    fn codedeploy_works(&mut self) {
        let before = self.world.serving();
        let moved = self.world.work(self.clock);
        let serving = self.world.serving();
        if serving != before {
            self.tell(format!("CodeDeploy: the alias serves {serving}"));
        }
        self.follow(moved);
    }

    fn follow(&mut self, moved: Moved) {
        match moved {
            Moved::Nothing | Moved::On => {}
            Moved::Asks(id) => self.hook_answers(&id),
            Moved::Says(id, state) => {
                let why = self.world.codedeploy.of(&id).and_then(|it| it.error.clone()).unwrap_or_default();
                self.tell(format!("CodeDeploy: {id} {state} {why}"));
                self.say(event_at(&id, state, self.clock));
            }
        }
    }

    /// Our hook before traffic: it opens the release if nobody has, notes that traffic comes, and answers. It refuses what
    /// the ledger does not hold open, and sometimes what it has looked at.
    fn hook_answers(&mut self, id: &DeploymentId) {
        let signal = event_at(id, "START", self.clock);
        let lease_until = self.clock + seconds(60);
        for _ in 0..4 {
            let decision = decide(&signal, &self.world.situation(), Moment { now: self.clock, lease_until });
            // It moves no traffic: what has to go back is for the function that pulls the cord.
            let moves = decision.steps.iter().flatten().any(Step::moves_traffic);
            if decision.steps.is_empty() || moves || self.own() == Some(id.clone()) {
                break;
            }
            self.tell(format!("hook: {:?}: {}", decision.course, decision.reason));
            for step in decision.steps.iter().flatten() {
                self.world.apply(step, self.clock);
                self.note_written(step);
            }
        }
        let finds_it_good = self.rng.u8(..6) != 0;
        let release = self.world.record.release.clone();
        let release = release.filter(|it| it.phase == Phase::Shifting && self.own() == Some(id.clone()));
        let lets_on = finds_it_good && release.is_some();
        if let Some(release) = release {
            let mut noted = Release { seq: release.seq + 1, ..release };
            if lets_on {
                noted.traffic_at = Some(self.clock);
            } else if let Some(deployment) = &mut noted.deployment {
                deployment.failed_hook = Some("the smoke test failed".to_owned());
            }
            self.world.apply(&Step::Write(Box::new(LedgerWrite::of(noted))), self.clock);
        }
        self.tell(format!("hook: lets {id} on: {lets_on}"));
        let moved = self.world.codedeploy.answer(id, lets_on, self.clock);
        self.follow(moved);
    }

    fn own(&self) -> Option<DeploymentId> {
        Some(self.world.record.release.as_ref()?.deployment.as_ref()?.id.clone())
    }

    /// The hook's calls are checked like those of others, as calls that see everything.
    fn note_written(&mut self, step: &Step) {
        let (seen, signal) = (self.world.situation(), alarm_at(self.clock));
        let answer = crate::world::Answer::Done(crate::world::Effect::None);
        if matches!(step, Step::Write(_)) {
            let call = Call { signal: &signal, seen: &seen, seen_at: self.clock, step, answer: &answer };
            self.checks.after_call(&self.world, &call, self.clock, &mut self.tally);
        }
    }

    fn deploy(&mut self) {
        // A team deploys over what is served.
        let serving = self.world.serving().primary;
        let mut manner = self.setting.manner.clone();
        manner.refused_after = self.rng.u8(..6) == 0;
        let current = (1..20).find(|number| v(*number) == serving).unwrap_or(1);
        let target = if self.rng.u8(..10) == 0 { 2 } else { self.next_version };
        if v(target) == serving || target > 18 {
            return;
        }
        let is_tangled = !self.checks.knows_everything(&self.world);
        if let Some(id) = self.world.codedeploy.deploy(current, target, manner, self.clock) {
            self.checks.tangled |= is_tangled;
            self.next_version = self.next_version.max(target + 1);
            self.tell(format!("a team deploys {current} to {target}: {id}"));
        }
    }

    fn alarm_fires(&mut self) {
        self.tell("the alarm fires".to_owned());
        self.world.codedeploy.hear_alarm();
        self.say(alarm_at(self.clock));
    }

    fn command(&mut self) {
        if !self.setting.commanding {
            return;
        }
        let to = (self.rng.u8(..5) == 0).then(|| self.rng.u64(1..4));
        self.checks.named_version |= to.is_some();
        self.tell(format!("a person asks for a rollback to {to:?}"));
        self.say(command_at(self.clock, to));
    }

    fn stop_by_hand(&mut self) {
        let running = self.world.codedeploy.running().filter(|it| !it.state.is_rollback);
        let Some(id) = running.map(|it| it.state.id.clone()).filter(|_| self.setting.console) else { return };
        let rolls_back = self.rng.bool();
        // Whoever stops the way back leaves it to somebody to take another one.
        self.checks.meddled |= self.own() != Some(id.clone()) && self.own().is_some();
        self.tell(format!("a person stops {id}, rolling back: {rolls_back}"));
        self.world.codedeploy.stop(&id, rolls_back, None);
    }

    fn meddle(&mut self) {
        if self.setting.meddling {
            let weights = ["1:100", "2:100", "1:50,2:50", "3:100"][self.rng.usize(..4)];
            self.tell(format!("a person sets the alias to {weights}"));
            self.checks.meddled = true;
            self.world.serve(traffic(weights));
        }
    }

    fn deliver_some(&mut self) {
        let clock = self.clock;
        let is_due = |said: &Said| said.retry_at.is_some_and(|(at, _)| at <= clock);
        if let Some(due) = self.said.iter().position(is_due) {
            let attempt = self.said[due].retry_at.take().map_or(0, |(_, attempt)| attempt);
            return self.deliver(due, attempt);
        }
        let fresh: Vec<usize> = (0..self.said.len()).filter(|it| !self.said[*it].is_delivered).collect();
        let is_repetition = fresh.is_empty() || self.rng.u8(..4) == 0;
        match self.rng.choice(fresh).filter(|_| !is_repetition) {
            Some(number) => self.deliver(number, 0),
            None if self.said.is_empty() => {}
            None => {
                let number = self.rng.usize(..self.said.len());
                // A person's command is not repeated by itself.
                if !matches!(self.said[number].signal, Signal::Operator(_)) || !self.said[number].is_delivered
                {
                    self.deliver(number, 0);
                }
            }
        }
    }

    fn deliver(&mut self, number: usize, attempt: u32) {
        self.said[number].is_delivered = true;
        let signal = self.said[number].signal.clone();
        self.tell(format!("signal {number} is delivered: {}", describe(&signal)));
        let alias_first = self.rng.bool();
        self.invocations.push(Invocation::start(number, signal, attempt, self.clock, alias_first));
    }

    fn some_invocation_calls(&mut self) {
        if !self.invocations.is_empty() {
            let index = self.rng.usize(..self.invocations.len());
            let fault = match self.rng.u8(..40) {
                0 if self.setting.failing => Fault::Refused,
                1 if self.setting.failing => Fault::AnswerLost,
                _ => Fault::None,
            };
            self.step(index, fault);
        }
    }

    fn some_invocation_runs(&mut self) {
        if !self.invocations.is_empty() {
            let index = self.rng.usize(..self.invocations.len());
            self.run(index);
        }
    }

    fn some_invocation_ends(&mut self) {
        if !self.invocations.is_empty() {
            let index = self.rng.usize(..self.invocations.len());
            self.crash(index);
        }
    }

    fn crash(&mut self, index: usize) {
        let ended = self.invocations.swap_remove(index);
        self.tell(format!("signal {} loses its invocation", ended.number));
        self.retry(&ended);
    }

    fn retry(&mut self, ended: &Invocation) {
        let is_repeated = !matches!(ended.signal, Signal::Operator(_));
        self.said[ended.number].is_owed |= is_repeated;
        if ended.attempt < RETRIES_MAX && is_repeated {
            let pause = seconds(60 * i64::from(ended.attempt + 1));
            self.said[ended.number].retry_at = Some((self.clock + pause, ended.attempt + 1));
        }
    }

    /// One call of one invocation; says whether it has ended.
    fn step(&mut self, index: usize, fault: Fault) -> bool {
        if self.clock >= self.invocations[index].deadline {
            self.crash(index);
            return true;
        }
        let pick = self.rng.usize(..6);
        let mut lines = Vec::new();
        let Self { world, checks, tally, clock, invocations, .. } = self;
        let number = invocations[index].number;
        let outcome = invocations[index].step(world, *clock, fault, pick, &mut |world, shown| match shown {
            Shown::Called(call) => {
                lines.push(format!("signal {number}: {} -> {:?}", call.step, call.answer));
                checks.after_call(world, call, *clock, tally);
            }
            Shown::Decided(decision, seen) => {
                lines.push(format!("signal {number} decided {:?}: {}", decision.course, decision.reason));
                checks.after_decision(decision, seen);
            }
        });
        for line in lines {
            self.tell(line);
        }
        if fault != Fault::None {
            self.tell(format!("signal {number}: that call: {fault:?}"));
        }
        let Some(outcome) = outcome else { return false };
        self.tell(format!("signal {number}: {outcome:?}"));
        let ended = self.invocations.swap_remove(index);
        match outcome {
            Outcome::Answered(_) => self.said[number].is_answered = true,
            Outcome::Failed(_) => self.retry(&ended),
        }
        true
    }
}

fn describe(signal: &Signal) -> String {
    match signal {
        Signal::Alarm(alarm) => format!("alarm of {}", alarm.changed_at),
        Signal::Operator(command) => format!("command of {}", command.requested_at),
        Signal::Deployment(change) => format!("{} {}", change.deployment, change.state),
        Signal::Pipeline(_) => "a pipeline".to_owned(),
        Signal::Arrival(arrival) => arrival.place.clone(),
    }
}

impl Drop for History {
    #[expect(clippy::print_stderr, reason = "a history is read by whoever looks for the cause of a failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("DEPLOYMENTS_SEED={}\n{:?}\n{}", self.seed, self.setting, self.trace.join("\n"));
        }
    }
}
