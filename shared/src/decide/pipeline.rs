//! What belongs to releases that a state machine drives: its failure as a signal, and its end when somebody else pulls the
//! cord.

use jiff::Timestamp;

use super::{Case, Course, Decision, Survey, stand_down};
use crate::names::Generation;
use crate::plan::{LedgerWrite, Step};
use crate::reason::Reason;
use crate::release::{Change, Event, Phase, Release, Report};
use crate::signal::{AlarmChange, PipelineFailure, Signal};
use crate::traffic::Traffic;

/// Names the end of an execution among what was heard.
pub(crate) fn ended_key(execution: &str) -> String {
    format!("end of {execution}")
}

impl Case<'_> {
    /// A state machine gives up: a stage failed, the execution itself ended, or the train that it belongs to goes back. It
    /// speaks only for its own release, and only a train speaks for one that is complete.
    pub(super) fn on_pipeline(&self, failure: &PipelineFailure) -> Decision {
        let driven =
            |release: &&Release| release.run.as_ref().is_some_and(|run| run.execution == failure.execution);
        let Some(release) = self.situation.record.release.as_ref().filter(driven) else {
            let execution = failure.execution.clone();
            return self.opening_no_more(failure, stand_down(Reason::DrivesNoRelease { execution }));
        };
        let generation = release.generation;
        let at = release.ended_at.unwrap_or(release.opened_at);
        match release.phase {
            Phase::Complete if failure.train.is_none() && !self.is_going_back(release) => {
                self.opening_no_more(failure, stand_down(Reason::AlreadyComplete { generation, at }))
            }
            Phase::RolledBack | Phase::Withdrawn => {
                let done = || stand_down(Reason::AlreadyRolledBack { generation, at });
                self.opening_no_more(failure, self.unfinished_report(release).unwrap_or_else(done))
            }
            // It was complete when its execution ended, and was held for another reason since.
            Phase::Held
                if failure.train.is_none() && release.has_all_traffic() && self.end_was_noted(failure) =>
            {
                stand_down(Reason::AlreadyHeard { key: ended_key(&failure.execution) })
            }
            Phase::Complete | Phase::Shifting | Phase::RollbackFailed | Phase::Held => {
                let why = failure.why.clone();
                let reason = match failure.train.clone() {
                    Some(train) => Reason::TrainFailed { train, generation, why },
                    None => {
                        let stage = release.run.as_ref().map_or(0, |run| run.reached.len());
                        Reason::PipelineFailed { generation, stage, why }
                    }
                };
                self.put_back(release, None, reason)
            }
        }
    }

    /// Whether somebody has begun to put a complete release back. It may have been completed between the call that moved
    /// its traffic and the books, and then nobody else knows.
    pub(super) fn is_going_back(&self, release: &Release) -> bool {
        let is_back = |change: &Change| self.serving(&change.target) == Some(Traffic::all_on(change.stable));
        release.changes.iter().any(is_back)
    }

    /// A task of the execution may still be under way and open a release that nobody would drive. So it is noted that the
    /// execution has ended, and then the release's record is written once more: whoever has read it before is too late,
    /// and whoever reads it afterwards sees the note.
    fn opening_no_more(&self, failure: &PipelineFailure, decision: Decision) -> Decision {
        if self.end_was_noted(failure) {
            return decision;
        }
        let key = ended_key(&failure.execution);
        let touch = |release: &Release| {
            let touched = Release { seq: release.seq + 1, ..release.clone() };
            vec![Step::Write(Box::new(LedgerWrite::of(touched)))]
        };
        let rows = if decision.steps.is_empty() {
            self.situation.record.release.iter().map(touch).collect()
        } else {
            decision.steps.clone()
        };
        let note = |report| vec![self.note(&key, report)];
        let (begun, done) = (note(Report::NotDue), note(Report::Sent { at: self.moment.now }));
        Decision { steps: [begun].into_iter().chain(rows).chain([done]).collect(), ..decision }
    }

    fn end_was_noted(&self, failure: &PipelineFailure) -> bool {
        self.was_noted(&ended_key(&failure.execution))
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

    /// What there is to say to a person who means one release, unless it is the one that is open.
    pub(super) fn beside(&self, meant: Generation) -> Option<Decision> {
        let latest = self.situation.record.release.as_ref();
        let not_open = || {
            let latest = latest.map(|latest| (latest.generation, latest.phase));
            Some(stand_down(Reason::ReleaseNotOpen { meant, latest }))
        };
        let Some(release) = latest.filter(|latest| latest.generation == meant) else { return not_open() };
        match release.phase {
            Phase::Complete => not_open(),
            Phase::RolledBack | Phase::Withdrawn => {
                let at = release.ended_at.unwrap_or(release.opened_at);
                let done = || stand_down(Reason::AlreadyRolledBack { generation: meant, at });
                Some(self.unfinished_report(release).unwrap_or_else(done))
            }
            Phase::Shifting | Phase::RollbackFailed | Phase::Held => None,
        }
    }

    /// Whether an alarm fired before the release began and was waived: then only what is measured on the new version
    /// speaks against it.
    pub(super) fn fired_before(&self, alarm: &AlarmChange, release: &Release) -> bool {
        release.run.as_ref().is_some_and(|run| run.fired_before(alarm.alarm.name(), alarm.changed_at))
    }

    /// Ends a release whose candidate never had traffic: nothing is moved, nothing is quarantined.
    pub(super) fn give_up(&self, release: &Release, reason: Reason) -> Decision {
        let Ok(mut withdrawn) = release.after(Event::GivenUp, self.end(), reason.to_string()) else {
            let at = release.ended_at.unwrap_or(release.opened_at);
            return stand_down(Reason::AlreadyRolledBack { generation: release.generation, at });
        };
        withdrawn.cord = self.cord(release);
        let evidence = self.evidence("withdrawal", Some(release.generation), &reason, &Survey::default());
        let steps = self.close(withdrawn, |write| LedgerWrite { evidence: Some(evidence), ..write });
        Decision { course: Course::Settle, reason, steps, metrics: Vec::new() }
    }

    /// Ends the execution that drives a release which somebody else has put back. One that puts its own release back ends
    /// by itself.
    pub(super) fn stop_execution(&self, ended: &Release) -> Option<Vec<Step>> {
        let run = ended.run.as_ref()?;
        match ended.phase {
            Phase::RolledBack | Phase::Withdrawn => {}
            Phase::Shifting | Phase::Complete | Phase::RollbackFailed | Phase::Held => return None,
        }
        match self.signal {
            Signal::Pipeline(failure) if failure.train.is_none() => None,
            Signal::Pipeline(_)
            | Signal::Alarm(_)
            | Signal::Operator(_)
            | Signal::Deployment(_)
            | Signal::Arrival(_) => {
                let why = ended.ended_because.clone().unwrap_or_default();
                Some(vec![Step::StopExecution { execution: run.execution.clone(), why }])
            }
        }
    }
}
