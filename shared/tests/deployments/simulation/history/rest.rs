//! How a history ends.

use jiff::SignedDuration;
use ripcord::decide::{Course, Moment, decide};
use ripcord::plan::Step;
use ripcord::signal::Signal;

use super::{CALLS_MAX, History, RETRIES_MAX, Said, describe};
use crate::simulation::checks::Tally;
use crate::simulation::invocation::Fault;
use crate::world::{render, seconds};

impl History {
    /// The faults end: CodeDeploy and whoever runs finish, and what was not answered is delivered once more, past every
    /// lease. Then all is as it should be, and delivering everything again changes nothing.
    pub(in crate::simulation) fn end_well(mut self) -> Tally {
        self.tell("the faults end".to_owned());
        self.come_to_rest();
        for number in 0..self.said.len() {
            let is_lost =
                matches!(self.said[number].signal, Signal::Operator(_)) && self.said[number].is_delivered;
            if (!self.said[number].is_answered || self.said[number].is_owed) && !is_lost {
                self.said[number].is_answered = false;
                self.deliver_past_leases(number);
            }
        }
        // What CodeDeploy did since says so, too.
        for _ in 0..self.said.len() {
            let unanswered = self.said.iter().position(|it| !it.is_delivered);
            if let Some(number) = unanswered {
                self.deliver_past_leases(number);
            }
        }
        let answered: Vec<&Signal> =
            self.said.iter().filter(|it| it.is_answered).map(|it| &it.signal).collect();
        self.checks.at_rest(&self.world, &answered, &mut self.tally);
        self.deciding_again_changes_nothing();
        std::mem::take(&mut self.tally)
    }

    fn come_to_rest(&mut self) {
        for call in 0..CALLS_MAX {
            // Whoever waits looks twice a second.
            self.pass(SignedDuration::from_millis(if call < 200 { 7 } else { 500 }));
            let index = call as usize % self.invocations.len().max(1);
            if index < self.invocations.len() {
                self.step(index, Fault::None);
            }
            self.codedeploy_works();
            if self.invocations.is_empty() && !self.world.codedeploy.is_busy() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn deliver_past_leases(&mut self, number: usize) {
        self.pass(seconds(70));
        self.said[number].retry_at = None;
        self.deliver(number, RETRIES_MAX);
        self.come_to_rest();
        let Said { signal, is_answered, .. } = &self.said[number];
        assert!(*is_answered, "{signal:?} is not answered without any fault");
    }

    /// The first time something that was never told may be told; nothing moves. The second time there is nothing to do.
    fn deciding_again_changes_nothing(&mut self) {
        for round in 0..2 {
            for number in 0..self.said.len() {
                let signal = self.said[number].signal.clone();
                if !self.said[number].is_answered || !self.checks.settles(&self.world, &signal) {
                    continue;
                }
                self.pass(seconds(70));
                let moment = Moment { now: self.clock, lease_until: self.clock + seconds(30) };
                let again = decide(&signal, &self.world.situation(), moment);
                let what = format!("signal {number}, {}: {}", describe(&signal), render(&again));
                let moves = again.steps.iter().flatten().any(Step::moves_traffic);
                assert!(!moves, "the same signal moves traffic again: {what}");
                assert!(
                    round == 0 || again.steps.is_empty(),
                    "the same signal finds something to do: {what}"
                );
                assert_ne!(again.course, Course::Stuck, "{what}");
                self.world.take(&again.steps, self.clock).unwrap();
            }
        }
    }
}
