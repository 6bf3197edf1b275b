//! What belongs to releases that a state machine drives: its failure as a signal, and its end when somebody else pulls the
//! cord.

use jiff::Timestamp;

use super::{Case, Course, Decision, Survey, stand_down};
use crate::plan::{LedgerWrite, Step};
use crate::reason::Reason;
use crate::release::{Event, Phase, Release};
use crate::signal::{AlarmChange, PipelineFailure, Signal};

impl Case<'_> {
    /// A state machine gives up: a stage failed, or the execution itself ended. It speaks only for its own release.
    pub(super) fn on_pipeline(&self, failure: &PipelineFailure) -> Decision {
        let driven =
            |release: &&Release| release.run.as_ref().is_some_and(|run| run.execution == failure.execution);
        let Some(release) = self.situation.record.release.as_ref().filter(driven) else {
            return stand_down(Reason::DrivesNoRelease { execution: failure.execution.clone() });
        };
        let generation = release.generation;
        let at = release.ended_at.unwrap_or(release.opened_at);
        match release.phase {
            Phase::Complete => stand_down(Reason::AlreadyComplete { generation, at }),
            Phase::RolledBack | Phase::Withdrawn => self
                .unfinished_report(release)
                .unwrap_or_else(|| stand_down(Reason::AlreadyRolledBack { generation, at })),
            Phase::Shifting | Phase::RollbackFailed | Phase::Held => {
                let reason = Reason::PipelineFailed {
                    generation,
                    stage: release.run.as_ref().map_or(0, |run| run.reached.len()),
                    why: failure.why.clone(),
                };
                self.put_back(release, None, reason)
            }
        }
    }

    /// The alarm that ended a release before it had traffic comes again, or another fires: nothing is being released.
    pub(super) fn after_withdrawal(&self, alarm: &AlarmChange, release: &Release, at: Timestamp) -> Decision {
        if alarm.changed_at > at {
            return self.without_change(alarm, None);
        }
        let generation = release.generation;
        let done = || stand_down(Reason::AlreadyRolledBack { generation, at });
        self.unfinished_report(release).unwrap_or_else(done)
    }

    /// Whether an alarm fired before the release began and was waived: then only what is measured on the new version
    /// speaks against it.
    pub(super) fn fired_before(&self, alarm: &AlarmChange, release: &Release) -> bool {
        release.run.as_ref().is_some_and(|run| run.fired_before(alarm.alarm.name(), alarm.changed_at))
    }

    /// Ends a release whose candidate never had traffic: nothing is moved, nothing is quarantined.
    pub(super) fn give_up(&self, release: &Release, reason: Reason) -> Decision {
        let Ok(withdrawn) = release.after(Event::GivenUp, self.end(), reason.to_string()) else {
            let at = release.ended_at.unwrap_or(release.opened_at);
            return stand_down(Reason::AlreadyRolledBack { generation: release.generation, at });
        };
        let evidence = self.evidence("withdrawal", Some(release.generation), &reason, &Survey::default());
        let mut steps = self.close(withdrawn, |write| LedgerWrite { evidence: Some(evidence), ..write });
        steps.extend(self.stop_execution(release, &reason));
        Decision { course: Course::Settle, reason, steps, metrics: Vec::new() }
    }

    /// Ends the execution that drives a release which somebody else has put back. One that puts its own release back ends
    /// by itself.
    pub(super) fn stop_execution(&self, release: &Release, reason: &Reason) -> Option<Vec<Step>> {
        let run = release.run.as_ref()?;
        match self.signal {
            Signal::Pipeline(_) => None,
            Signal::Alarm(_) | Signal::Operator(_) => {
                Some(vec![Step::StopExecution { execution: run.execution.clone(), why: reason.to_string() }])
            }
        }
    }
}
