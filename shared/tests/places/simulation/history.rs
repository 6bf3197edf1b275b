//! One history: the world, the invocations in it, what is still to be delivered, what still lands, and the clock.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use ripcord::names::TargetName;
use ripcord::registration::Target;
use ripcord::release::Phase;
use ripcord::shift::ShiftRequest;
use ripcord::signal::{Arrival, Signal};
use serde_json::json;

use super::checks::Checks;
use super::tally::Tally;
use crate::call::{Call, Fault, Job, Shown, make};
use crate::invocation::{Invocation, Outcome};
use crate::things::Kind;
use crate::world::{World, alarm_at, at, command_at, seconds};

mod rest;

/// Lambda delivers an asynchronous event again after one minute and after two.
const RETRIES_MAX: u32 = 2;

/// What holds for all of a history.
#[derive(Debug)]
struct Setting {
    meddling: bool,
    /// Of so many calls eight fail in some way.
    calls_per_failures: u8,
    blocking: bool,
    /// How long an invocation of the shifter may last.
    shift_lasts_s: i64,
}

#[derive(Debug)]
struct Said {
    signal: Signal,
    is_answered: bool,
    is_delivered: bool,
    retry_at: Option<(Timestamp, u32)>,
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
    late: Vec<Call>,
    said: Vec<Said>,
    next_version: u64,
    trace: Vec<String>,
}

impl History {
    pub(super) fn begin(seed: u64, tally: Tally) -> Self {
        let mut rng = Rng::with_seed(seed);
        let kinds = [Kind::Alias, Kind::Balancer, Kind::Machine, Kind::Records, Kind::Flags];
        let names = ["one", "two", "three", "four"];
        let targets: Vec<_> = (0..rng.usize(1..=4))
            .map(|index| {
                // Something must be there to be released.
                let count = if index == 0 { 4 } else { kinds.len() };
                (names[index], kinds[rng.usize(..count)], rng.u8(..3))
            })
            .collect();
        let world = World::of(&targets);
        let setting = Setting {
            meddling: rng.u8(..10) == 0,
            calls_per_failures: [255, 40, 16][rng.usize(..3)],
            blocking: rng.u8(..6) == 0,
            shift_lasts_s: [30, 30, 60][rng.usize(..3)],
        };
        let mut history = Self {
            seed,
            rng,
            setting,
            world,
            checks: Checks::default(),
            tally,
            clock: at("08:00:00"),
            invocations: Vec::new(),
            late: Vec::new(),
            said: Vec::new(),
            next_version: 2,
            trace: Vec::new(),
        };
        history.tally.histories += 1;
        history.tally.several += u32::from(targets.len() > 1);
        history.tell(format!("{targets:?}, {:?}", history.setting));
        history
    }

    fn tell(&mut self, line: String) {
        self.trace.push(format!("{} {line}", self.clock.strftime("%dT%H:%M:%S%.3f")));
    }

    fn pick_target(&mut self) -> TargetName {
        let things = &self.world.things;
        let is_released = |target: &Target| things[&target.name].kind() != Kind::Flags;
        let targets: Vec<_> = self.world.targets().into_iter().filter(is_released).collect();
        targets[self.rng.usize(..targets.len())].name.clone()
    }

    /// Something happens.
    pub(super) fn happen(&mut self) {
        self.pass(SignedDuration::from_millis(7));
        match self.rng.u8(..100) {
            0..34 => self.some_invocation_calls(),
            34..48 => self.some_invocation_runs(),
            48..62 => self.deliver_some(),
            62..78 => self.someone_shifts(),
            78..84 => self.alarm_fires(),
            84..86 => self.command(),
            86 => self.something_arrives(),
            87..89 => self.some_invocation_ends(),
            89..93 => self.something_lands(),
            93..97 => {
                let waited = [1, 5, 20, 31, 70, 1_000][self.rng.usize(..6)];
                self.tell(format!("{waited} s pass"));
                self.pass(seconds(waited));
            }
            97 => self.meddle(),
            98 => self.place_refuses(),
            _ => self.place_is_blocked(),
        }
        self.checks.stays_back(&self.world);
    }

    /// Time passes. Before a lease ends, what was given up under it lands, or is lost.
    fn pass(&mut self, time: SignedDuration) {
        let until = self.clock + time;
        while let Some(index) = self.late.iter().position(|call| call.lease_until <= until) {
            let call = self.late.swap_remove(index);
            let lands = self.rng.bool();
            if lands && call.lease_until > self.clock {
                self.clock = self.clock.max(call.lease_until - SignedDuration::from_millis(1));
                self.lands(&call);
            }
        }
        self.clock = self.clock.max(until);
    }

    fn say(&mut self, signal: Signal) {
        self.said.push(Said { signal, is_answered: false, is_delivered: false, retry_at: None });
        let number = self.said.len() - 1;
        // Some are delivered many times at once, and some are answered before anything else happens.
        match self.rng.u8(..6) {
            0 => {
                for _ in 0..self.rng.u8(2..=20) {
                    self.deliver(number, 0);
                }
            }
            1 => {
                self.deliver(number, 0);
                self.run(self.invocations.len() - 1);
            }
            _ => {}
        }
    }

    fn alarm_fires(&mut self) {
        self.tell("the alarm fires".to_owned());
        self.say(alarm_at(self.clock));
    }

    fn command(&mut self) {
        self.tell("a person asks for a rollback".to_owned());
        self.say(command_at(self.clock, None));
    }

    /// AWS says that something under way at a place has ended, whoever began it.
    fn something_arrives(&mut self) {
        let name = self.pick_target();
        let place = self.world.record.registration.target(&name).unwrap().place.to_string();
        self.tell(format!("something has arrived at {place}"));
        self.say(Signal::Arrival(Arrival {
            place,
            what: "COMPLETED".to_owned(),
            taken_back: None,
            raised_at: self.clock,
        }));
    }

    /// A person opens a release, takes one further, or takes another target along.
    fn someone_shifts(&mut self) {
        let name = self.pick_target();
        let kind = self.world.things[&name].kind();
        let release = self.world.record.release.clone().filter(|it| it.phase == Phase::Shifting);
        let change = release.as_ref().and_then(|release| release.change(&name).cloned());
        let serving = self.world.serving(&name).primary;
        self.next_version += 1;
        let tidies = change.is_some() || self.setting.meddling;
        let percent = [if tidies { 0 } else { 10 }, 10, 10, 50, 100, 100][self.rng.usize(..6)];
        let (stable, candidate) =
            change.as_ref().map_or((serving, kind.after(serving, self.next_version)), |change| {
                (change.stable, change.candidate)
            });
        let mut document = json!({ "service": "checkout", "target": name });
        // Without its generation a request may come to release what was taken back, which is refused outside of this test.
        let is_number = matches!(kind, Kind::Alias | Kind::Machine);
        let names_release = change.is_some() && (percent == 0 || is_number || self.rng.bool());
        match release.filter(|_| names_release) {
            Some(release) => {
                document["release"] = json!(release.generation);
                document["weight"] = json!(f64::from(percent) / 100.0);
            }
            None => {
                document["weights"] = json!(format!("{stable}:{},{candidate}:{percent}", 100 - percent));
            }
        }
        self.tell(format!("a person asks for {document}"));
        let request = Box::new(ShiftRequest::read(&document).unwrap());
        self.start(None, Job::Shift(request), 0);
        if self.rng.bool() {
            self.run(self.invocations.len() - 1);
        }
    }

    fn place_refuses(&mut self) {
        if self.setting.blocking {
            let name = self.pick_target();
            self.tell(format!("every call to {name} is refused from now on"));
            self.world.refusing.insert(name);
            self.tally.refusing += 1;
        }
    }

    fn place_is_blocked(&mut self) {
        if self.setting.blocking {
            let name = self.pick_target();
            let release = self.world.record.release.as_ref();
            let Some(change) = release.and_then(|release| release.change(&name)) else { return };
            let stable = change.stable;
            if matches!(self.world.things[&name].kind(), Kind::Alias | Kind::Records) {
                return;
            }
            self.tell(format!("{name} has no way to {stable} from now on"));
            self.world.things.get_mut(&name).unwrap().block(stable);
            self.checks.blocked.insert(name);
            self.tally.blocked += 1;
        }
    }

    fn meddle(&mut self) {
        if self.setting.meddling {
            let name = self.pick_target();
            let kind = self.world.things[&name].kind();
            let serving = self.world.serving(&name).primary;
            let version = if self.rng.bool() { serving } else { kind.after(serving, self.next_version) };
            self.tell(format!("a person moves {name} to {version}"));
            self.checks.meddled = true;
            self.world.meddle(&name, version);
        }
    }

    fn deliver_some(&mut self) {
        let clock = self.clock;
        let is_due = |said: &Said| said.retry_at.is_some_and(|(at, _)| at <= clock);
        if let Some(due) = self.said.iter().position(is_due) {
            let attempt = self.said[due].retry_at.take().map_or(0, |(_, attempt)| attempt);
            return self.deliver(due, attempt);
        }
        if !self.said.is_empty() {
            // The latest are the likeliest.
            let back = self.rng.usize(..self.said.len()).min(self.rng.usize(..self.said.len()));
            self.deliver(self.said.len() - 1 - back, 0);
        }
    }

    fn deliver(&mut self, number: usize, attempt: u32) {
        self.said[number].is_delivered = true;
        let signal = self.said[number].signal.clone();
        self.tell(format!("signal {number} of {} is delivered", signal.raised_at()));
        self.start(Some(number), Job::Pull(signal), attempt);
    }

    fn start(&mut self, number: Option<usize>, job: Job, attempt: u32) {
        let lasts = match job {
            // No two invocations end in the same nanosecond.
            Job::Pull(_) => seconds(30),
            Job::Shift(_) => seconds(self.setting.shift_lasts_s),
        } + SignedDuration::from_nanos(i64::try_from(self.trace.len()).unwrap());
        let order = self.rng.usize(..6);
        self.invocations.push(Invocation::start(number, job, attempt, self.clock, lasts, &self.world, order));
    }

    fn some_invocation(&mut self) -> Option<usize> {
        (!self.invocations.is_empty()).then(|| self.rng.usize(..self.invocations.len()))
    }

    fn some_invocation_calls(&mut self) {
        let Some(index) = self.some_invocation() else { return };
        let fault = match self.rng.u8(..self.setting.calls_per_failures) {
            0 | 1 => Fault::Refused,
            2 | 3 => Fault::AnswerLost,
            4 => Fault::Repeated,
            5..8 => Fault::Late,
            _ => Fault::None,
        };
        self.step(index, fault);
    }

    fn some_invocation_runs(&mut self) {
        if let Some(index) = self.some_invocation() {
            self.run(index);
        }
    }

    fn run(&mut self, index: usize) {
        for _ in 0..self.rng.u8(1..24) {
            self.pass(SignedDuration::from_millis(7));
            if self.step(index, Fault::None) {
                break;
            }
        }
    }

    fn some_invocation_ends(&mut self) {
        if let Some(index) = self.some_invocation() {
            self.crash(index);
        }
    }

    fn crash(&mut self, index: usize) {
        let mut ended = self.invocations.swap_remove(index);
        self.tell(format!("{} loses its invocation", name_of(&ended)));
        self.late.append(&mut ended.late);
        self.retry(&ended);
    }

    fn retry(&mut self, ended: &Invocation) {
        let Some(number) = ended.number else { return };
        if ended.attempt < RETRIES_MAX {
            let pause = seconds(60 * i64::from(ended.attempt + 1));
            self.said[number].retry_at = Some((self.clock + pause, ended.attempt + 1));
        }
    }

    fn something_lands(&mut self) {
        if !self.late.is_empty() {
            let index = self.rng.usize(..self.late.len());
            let call = self.late.swap_remove(index);
            self.lands(&call);
        }
    }

    fn lands(&mut self, call: &Call) {
        let Self { world, checks, tally, clock, trace, .. } = self;
        tally.landed_late += 1;
        make(world, call, *clock, &mut |world, shown| {
            if let Shown::Made(made) = shown {
                trace.push(format!("{clock} late: {} -> {:?}", call.step, made.answer));
                checks.after_call(world, made, *clock, tally);
            }
        });
    }

    /// One call of one invocation; says whether it has ended.
    fn step(&mut self, index: usize, fault: Fault) -> bool {
        if self.clock >= self.invocations[index].deadline {
            self.crash(index);
            return true;
        }
        let pick = self.rng.usize(..12);
        let name = name_of(&self.invocations[index]);
        let Self { world, checks, tally, clock, invocations, trace, .. } = self;
        let now = clock.strftime("%dT%H:%M:%S%.3f").to_string();
        let outcome = invocations[index].step(world, *clock, fault, pick, &mut |world, shown| match shown {
            Shown::Made(made) => {
                trace.push(format!("{now} {name}: {} -> {:?}", made.call.step, made.answer));
                if let Some((target, before, after)) = &made.moved {
                    trace.push(format!("{now}     {target}: {before} -> {after}"));
                }
                checks.after_call(world, made, *clock, tally);
            }
            Shown::Decided(decision, seen) => {
                trace.push(format!("{now} {name} decided {:?}: {}", decision.course, decision.reason));
                checks.after_decision(decision, seen, tally);
            }
            Shown::Refused(why) => trace.push(format!("{now} {name} is refused: {why}")),
        });
        if fault != Fault::None {
            self.tell(format!("{name}: that call: {fault:?}"));
        }
        let late = std::mem::take(&mut self.invocations[index].late);
        self.late.extend(late);
        let Some(outcome) = outcome else { return false };
        self.tell(format!("{name}: {outcome:?}"));
        let ended = self.invocations.swap_remove(index);
        match (ended.number, outcome) {
            (Some(number), Outcome::Answered(_)) => self.said[number].is_answered = true,
            (Some(_), Outcome::Failed(_)) => self.retry(&ended),
            (_, _) => {}
        }
        true
    }
}

fn name_of(invocation: &Invocation) -> String {
    invocation.number.map_or("a person".to_owned(), |number| format!("signal {number}"))
}

#[expect(clippy::print_stderr, reason = "a failure is found by reading the history that led to it")]
impl Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("PLACES_SEED={}\n{}", self.seed, self.trace.join("\n"));
        }
    }
}
