//! Executions in a history: they are started, go from task to task, are repeated and stopped, and end.

use jiff::SignedDuration;
use ripcord::release::Phase;
use serde_json::json;

use super::actor::{Actor, Caller, Outcome};
use super::event::Progress;
use super::execution::{End, Execution, signal};
use super::history::{History, TARGETS, trace};
use crate::worlds::World;

/// No execution needs as many turns to come to its end.
const TURNS_MAX: u32 = 200;
/// A stage is watched for longer than any invocation may last.
const BAKE: SignedDuration = SignedDuration::from_secs(60);

impl History {
    pub(super) fn deploy(&mut self, progress: Progress, target: usize, overridden: bool) {
        self.next_version = 2 + (self.next_version - 1) % 8;
        let mut open = json!({
            "version": self.next_version.to_string(),
            "target": TARGETS[target % self.checks.setting.targets],
            "progress": match progress {
                Progress::Stages => json!({ "stages": "10,50", "stage_duration": "1m" }),
                Progress::AtOnce => json!({ "stages": "100", "stage_duration": "1m" }),
                Progress::Approved => json!({ "stages": "20", "stage_duration": "1m", "no_auto_promote": true }),
            },
        });
        if overridden {
            open["waive"] = json!(["quarantine", "hold"]);
            open["override"] = json!("it was not the release");
            self.checks.overridden = true;
        }
        self.executions.push(Execution::start(self.executions.len(), open));
    }

    /// The execution meant by a number, among those that have not ended.
    pub(super) fn pick_execution(&self, number: u8) -> Option<usize> {
        let living = || (0..self.executions.len()).filter(|index| !self.executions[*index].has_ended());
        living().nth(usize::from(number) % living().count().max(1))
    }

    pub(super) fn drive(&mut self, index: usize, passes: bool, skew_ms: i64) {
        if self.executions[index].task.is_some() {
            return;
        }
        let number = self.deliveries;
        if self.start_task(index, skew_ms) {
            let was_ended = has_ended(&self.world, &self.executions[index]);
            self.executions[index].task = Some(number);
            self.executions[index].was_ended = was_ended;
        } else {
            if self.executions[index].is_watching() {
                self.pass(BAKE);
            }
            let execution = &mut self.executions[index];
            if let Some(release) = &mut self.world.record.release
                && let Some(run) = release.run.clone().filter(|run| run.execution == execution.arn)
            {
                execution.learn(&run);
                // A check writes down what it has to remember, so that the record is one write further.
                if release.phase == Phase::Shifting {
                    *release = release.running(*run);
                }
            }
            execution.hear(passes, self.clock);
            trace(|| format!("{} {} hears {passes}: {:?}", self.clock, execution.arn, execution.job()));
        }
    }

    /// Starts the task that an execution is at; says whether there is one.
    pub(super) fn start_task(&mut self, index: usize, skew_ms: i64) -> bool {
        let execution = &self.executions[index];
        let Some(job) = execution.job() else { return false };
        let caller = Caller::Task { execution: execution.arn.clone(), number: self.deliveries };
        trace(|| format!("{} task {}: {job:?}", self.clock, self.deliveries));
        self.start(job, caller, 0, skew_ms);
        true
    }

    /// A task has ended. Only the execution that still waits for it takes its answer.
    pub(super) fn task_ended(&mut self, actor: &Actor, outcome: Option<&Outcome>) {
        let Caller::Task { execution, number } = &actor.caller else { return };
        let waiting = self.executions.iter_mut().find(|it| it.arn == *execution && it.task == Some(*number));
        let Some(waiting) = waiting else { return };
        if let Some(Outcome::Shifted { .. }) = outcome {
            assert!(!waiting.was_ended, "a task went on with a release that had ended: {actor:?}");
        }
        let end = waiting.answered(outcome, self.clock);
        if end == Some(End::Failed) {
            self.execution_ended(&execution.clone(), "FAILED");
        }
    }

    /// Executions that were told to stop do so, whatever they are at.
    pub(super) fn stop_those_told_to(&mut self) {
        for arn in std::mem::take(&mut self.world.stopped) {
            if let Some(index) = self.executions.iter().position(|it| it.arn == arn && !it.has_ended()) {
                self.stop(index);
            }
        }
    }

    pub(super) fn stop(&mut self, index: usize) {
        let execution = &mut self.executions[index];
        execution.stop();
        let arn = execution.arn.clone();
        self.execution_ended(&arn, "ABORTED");
    }

    /// EventBridge tells of an execution that ended badly, some time later.
    fn execution_ended(&mut self, arn: &str, status: &str) {
        self.add_signal(signal(arn, format!("its execution ended as {status}"), self.clock));
    }

    /// Without faults, every execution comes to its end.
    pub(super) fn end_executions(&mut self) {
        let mut turns = 0;
        while let Some(index) = self.pick_execution(0) {
            turns += 1;
            assert!(turns < TURNS_MAX, "an execution never ends: {:?}", self.executions[index]);
            self.drive(index, true, 0);
            self.finish_actors();
        }
    }
}

/// Whether an execution's release can go no further.
fn has_ended(world: &World, execution: &Execution) -> bool {
    let Some(generation) = execution.release else { return false };
    world.record.release.as_ref().is_none_or(|release| {
        release.generation != generation || matches!(release.phase, Phase::RolledBack | Phase::Withdrawn)
    })
}
