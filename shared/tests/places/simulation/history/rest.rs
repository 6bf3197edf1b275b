//! How a history ends: the faults are over, what was not answered is delivered once more, and then nothing is left to do.

use jiff::SignedDuration;
use ripcord::decide::{Course, Moment, decide};
use ripcord::plan::Step;
use ripcord::signal::Signal;

use super::{History, RETRIES_MAX};
use crate::call::Fault;
use crate::simulation::checks::is_over;
use crate::simulation::tally::Tally;
use crate::world::{alarm_at, seconds};

/// No history needs as many calls to come to rest; one that does goes round in circles.
const CALLS_MAX: u32 = 3_000;

impl History {
    /// Whatever runs comes to its end, every fault is over, and one more delivery settles everything.
    pub(in crate::simulation) fn end_well(mut self) -> Tally {
        self.tell("the faults end".to_owned());
        self.come_to_rest();
        // Past every lease; what was given up has landed by then, or never does.
        self.pass(seconds(121));
        assert!(self.late.is_empty(), "what was given up lands within its lease");
        let unanswered: Vec<usize> = (0..self.said.len())
            .filter(|it| !self.said[*it].is_answered || self.said[*it].retry_at.is_some())
            .collect();
        for number in unanswered {
            self.deliver_once_more(number);
        }
        self.settle();
        let Self { checks, world, said, tally, .. } = &mut self;
        let signals: Vec<&Signal> = said.iter().map(|said| &said.signal).collect();
        checks.at_rest(world, &signals, tally);
        self.deciding_again_changes_nothing();
        std::mem::take(&mut self.tally)
    }

    /// Everybody who runs finishes, call by call in turn.
    fn come_to_rest(&mut self) {
        for call in 0..CALLS_MAX {
            if self.invocations.is_empty() {
                return;
            }
            // Whoever waits looks every two seconds.
            self.pass(SignedDuration::from_millis(if call < 400 { 7 } else { 500 }));
            let index = call as usize % self.invocations.len();
            self.step(index, Fault::None);
        }
        panic!("it never comes to rest");
    }

    fn deliver_once_more(&mut self, number: usize) {
        self.pass(seconds(61));
        (self.said[number].is_answered, self.said[number].retry_at) = (false, None);
        self.deliver(number, RETRIES_MAX);
        self.come_to_rest();
        let is_stuck = self.is_stuck();
        assert!(
            self.said[number].is_answered || is_stuck,
            "signal {number} is not answered without any fault"
        );
    }

    /// Whether a target cannot go back, so that no delivery can succeed.
    fn is_stuck(&self) -> bool {
        let Some(release) = &self.world.record.release else { return false };
        let mut targets = release.changes.iter().map(|change| &change.target);
        self.checks.meddled || targets.any(|target| self.checks.stands_still(&self.world, release, target))
    }

    /// A release that some signal is about is put back by one more delivery, however it was left.
    fn settle(&mut self) {
        let Some(release) = self.world.record.release.clone().filter(|it| !is_over(it.phase)) else { return };
        let is_about = |signal: &Signal| {
            signal.raised_at() >= release.opened_at && !matches!(signal, Signal::Arrival(_))
        };
        if self.said.iter().any(|said| is_about(&said.signal)) {
            self.pass(seconds(61));
            self.say_quietly(alarm_at(self.clock));
            self.deliver_once_more(self.said.len() - 1);
        }
    }

    fn say_quietly(&mut self, signal: Signal) {
        self.tell("the alarm fires anew".to_owned());
        self.said.push(super::Said { signal, is_answered: false, is_delivered: false, retry_at: None });
    }

    /// The first time something that was never told may be told; nothing moves. The second time there is nothing to do.
    fn deciding_again_changes_nothing(&mut self) {
        // Who asks again for what a place has no way to is paged again.
        // Outside a release a person's command goes to what is known to be good, wherever somebody has moved a place since.
        if self.checks.meddled || self.is_stuck() || !self.checks.blocked.is_empty() || self.checks.outrun {
            return;
        }
        for round in 0..2 {
            for number in 0..self.said.len() {
                self.pass(seconds(121));
                let signal = self.said[number].signal.clone();
                let moment = Moment { now: self.clock, lease_until: self.clock + seconds(30) };
                let again = decide(&signal, &self.world.situation(), moment);
                let moves = again.steps.iter().flatten().any(Step::moves_traffic);
                assert!(!moves, "signal {number} moves traffic again: {}, {:#?}", again.reason, again.steps);
                assert!(
                    round == 0 || again.steps.is_empty(),
                    "signal {number} finds something to do: {:?}, {}",
                    again.course,
                    again.reason
                );
                assert_ne!(again.course, Course::Stuck, "signal {number}: {}", again.reason);
                self.deliver(number, RETRIES_MAX);
                self.come_to_rest();
            }
        }
    }
}
