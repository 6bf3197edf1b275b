//! What a state machine asks for: to open a release, to take it to a stage, to complete it. Every answer can be asked for
//! again: a task whose answer was lost is repeated.

use super::books::with_change;
use super::{Case, Completes, Refusal, Shift, missing, nothing_to_do};
use crate::decide::ended_key;
use crate::names::{Generation, Weight};
use crate::pipeline::{
    Onward, Reached, ReleaseRequest, Run, WAIVER_KEPT, Waivable, Waiver, onward_after_shift,
};
use crate::place::Wanted;
use crate::plan::{LedgerWrite, Step, Steps};
use crate::release::{Change, Event, Phase, Release};
use crate::situation::Sighting;
use crate::strategy::Strategy;
use crate::traffic::Traffic;

impl Case<'_> {
    /// Opens a release that an execution drives. The alias is not touched.
    pub(super) fn open_run(&self, request: &ReleaseRequest, execution: &str) -> Result<Shift, Refusal> {
        let record = &self.seen.situation.record;
        let registration = &record.registration;
        let strategy = Strategy::resolve(&request.progress, registration)
            .map_err(|violations| Refusal::Strategy { violations })?;
        if record.heard.iter().any(|heard| heard.key == ended_key(execution)) {
            return Err(Refusal::ExecutionEnded { execution: execution.to_owned() });
        }
        if let Some(release) = &record.release {
            let is_own = release.run.as_ref().is_some_and(|run| run.execution == execution);
            match release.phase {
                Phase::Shifting if is_own => return Ok(self.opened_again(release)),
                Phase::Shifting => return Err(self.in_the_way(release)),
                // A person has completed it: the next task finds that out, and the execution ends well.
                Phase::Complete if is_own => return Ok(self.opened_again(release)),
                // It was ended while its execution still tried to open it.
                Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn if is_own => {
                    return Err(closed(release));
                }
                Phase::Complete
                | Phase::RolledBack
                | Phase::RollbackFailed
                | Phase::Held
                | Phase::Withdrawn => {}
            }
        }
        if !request.waive.is_empty() && self.request.override_reason.is_none() {
            let why = "what is waived needs a reason: give override".to_owned();
            return Err(Refusal::Malformed { why });
        }
        let stable = self.live.traffic().primary;
        if request.version == stable {
            return Err(Refusal::SameVersion { version: stable });
        }
        let waives = |check| request.waive.contains(&check);
        self.check_before_opening(waives(Waivable::Hold))?;
        // A split that another release left behind would lose the alarms that watch it.
        if self.live.traffic().secondary.is_some() {
            return Err(Refusal::LeftoverWeights { serving: self.live.traffic() });
        }
        if !waives(Waivable::Hold) {
            self.check_rollbacks()?;
        }
        self.check_alike(stable, request.version)?;
        if !waives(Waivable::Quarantine) {
            self.check_quarantine(request.version)?;
        }
        let run = Run {
            execution: execution.to_owned(),
            strategy,
            reached: Vec::new(),
            awaiting: None,
            waiver: self.request.override_reason.as_ref().map(|why| Waiver {
                checks: request.waive.clone(),
                firing: Vec::new(),
                why: why.clone(),
                by: self.opened_by(),
                until: self.moment.now.saturating_add(WAIVER_KEPT).unwrap_or(self.moment.now),
            }),
            attestations: request.attestations.clone(),
            timeout_seconds: self.facts(request.version).map_or(0, |facts| facts.timeout_seconds),
        };
        let opening = self.opened();
        let opened = opening
            .after(Event::Shifted, self.moment.now, None)
            .map_err(|error| Refusal::Illegal { error })?;
        let change = self.fresh_change(stable, request.version);
        let commit = request.commit.clone().map(Box::new);
        let opened = Release { run: Some(Box::new(run)), commit, ..with_change(opened, change.clone()) };
        let mut shift = self.opened_run(&opened);
        let follows = self.follows_opening(&opened, &change);
        shift.steps = self.tell_untold();
        shift.steps.push(vec![Step::Write(Box::new(LedgerWrite::of(opened)))]);
        shift.steps.extend(follows);
        Ok(shift)
    }

    /// What follows once an opening is written down.
    fn follows_opening(&self, opened: &Release, change: &Change) -> Steps {
        let notice = self.notice(opened, change, self.live.traffic());
        let pin = self.pin(change).map(|pin| vec![pin]);
        pin.into_iter().chain([vec![Step::Tell(Box::new(notice))]]).collect()
    }

    /// An earlier try may have died after it had written the release down. Until a stage begins, what follows is done
    /// again: two notices are possible, silence is not.
    fn opened_again(&self, release: &Release) -> Shift {
        let shift = self.opened_run(release);
        let is_waiting = release.run.as_ref().is_some_and(|run| run.reached.is_empty());
        match release.change(&self.target.name).filter(|_| is_waiting) {
            Some(change) => Shift { steps: self.follows_opening(release, change), ..shift },
            None => shift,
        }
    }

    fn opened_run(&self, release: &Release) -> Shift {
        let shift = nothing_to_do(self.live.traffic());
        Shift { generation: Some(release.generation), ..shift }
    }

    /// Takes the release to a stage, or, past the last, completes it.
    pub(super) fn advance(
        &self,
        generation: Generation,
        stage: usize,
        approved_by: Option<&str>,
    ) -> Result<Shift, Refusal> {
        let (release, change) = self.latest(generation)?;
        let Some(run) = &release.run else { return Err(Refusal::NotDriven { generation }) };
        match release.phase {
            Phase::Shifting => {}
            // An earlier try of this task has completed it, and may have died before it had told.
            Phase::Complete if stage == run.strategy.stages.len() => {
                let notice = self.notice(release, change, self.live.traffic());
                return Ok(Shift { steps: vec![vec![Step::Tell(Box::new(notice))]], ..self.ended(release) });
            }
            // A person has promoted it.
            Phase::Complete => return Ok(self.ended(release)),
            Phase::Held => return Err(self.held(release)),
            Phase::RolledBack | Phase::RollbackFailed | Phase::Withdrawn => return Err(closed(release)),
        }
        let stages = run.strategy.stages.len();
        let begun = run.reached.len();
        if stage > begun || stage > stages || stage + 1 < begun {
            return Err(Refusal::OutOfTurn { generation, stage, begun, stages });
        }
        if stage == stages {
            return self.complete(release, change, run, approved_by);
        }
        let Some(planned) = run.strategy.stages.get(stage) else {
            return Err(Refusal::OutOfTurn { generation, stage, begun, stages });
        };
        if planned.approval && approved_by.is_none() {
            return Err(Refusal::NotApproved { generation, stage });
        }
        let wanted = Traffic::split(change.stable, change.candidate, planned.weight);
        let is_there =
            change.weight == planned.weight && change.intent.is_none() && self.live.traffic() == wanted;
        if stage < begun && is_there {
            let onward = Some(onward_after_shift(run, stage));
            return Ok(Shift { generation: Some(generation), onward, ..nothing_to_do(wanted) });
        }
        self.check_drift(change, wanted)?;
        // What may be waived was, when the release was opened.
        self.check_alike(change.stable, change.candidate)?;
        let was_asked = run.awaiting.as_ref().is_some_and(|awaiting| awaiting.stage == stage);
        let approved_before = run.reached.get(stage).and_then(|reached| reached.approved_by.clone());
        let approved_by = approved_by.filter(|_| planned.approval || was_asked).map(str::to_owned);
        let mut run = run.clone();
        run.awaiting = None;
        run.reached.truncate(stage);
        run.reached.push(Reached { at: self.moment.now, approved_by: approved_by.or(approved_before) });
        let onward = Some(onward_after_shift(&run, stage));
        let shift = self.moved(
            Release { run: Some(run), ..release.clone() },
            change.clone(),
            planned.weight,
            Completes::No,
        )?;
        Ok(Shift { onward, ..shift })
    }

    /// The release is through: nothing moves any more, and the candidate is the last known good version.
    fn complete(
        &self,
        release: &Release,
        change: &Change,
        run: &Run,
        approved_by: Option<&str>,
    ) -> Result<Shift, Refusal> {
        let wanted = Traffic::all_on(change.candidate);
        self.check_drift(change, wanted)?;
        if change.weight != Weight::ALL || change.intent.is_some() || self.live.traffic() != wanted {
            return Err(Refusal::Drifted {
                serving: self.live.traffic(),
                confirmed: Traffic::split(change.stable, change.candidate, change.weight),
                intended: change.intent.as_ref().map(|intent| intent.weight),
            });
        }
        let generation = release.generation;
        let because = how_it_got_through(run, change, approved_by);
        let done = release
            .after(Event::Promoted, self.moment.now, because)
            .map_err(|error| Refusal::Illegal { error })?;
        let notice = self.notice(&done, change, wanted);
        let write = LedgerWrite { known_good: self.known_good(&done), ..LedgerWrite::of(done.clone()) };
        let steps = vec![
            release
                .changes
                .iter()
                .map(|change| self.confirm_all_on_candidate(generation, change))
                .collect::<Result<_, _>>()?,
            vec![Step::Write(Box::new(write))],
            vec![Step::Tell(Box::new(notice))],
        ];
        Ok(Shift { steps, ..self.ended(&done) })
    }

    /// A person may have joined other targets to the release. It completes with them or not at all.
    fn confirm_all_on_candidate(&self, generation: Generation, change: &Change) -> Result<Step, Refusal> {
        let wanted = Traffic::all_on(change.candidate);
        let has_all = change.is_on_candidate();
        match self.seen.situation.live.get(&change.target) {
            Some(Sighting::Alias(live)) if has_all && live.traffic == wanted => Ok(Step::Confirm {
                reach: self.reach_of(&change.target),
                function: live.function.clone(),
                alias: live.alias.clone(),
                traffic: wanted,
                revision: Some(live.revision.clone()),
            }),
            Some(Sighting::Unseen { why }) => Err(Refusal::Unseen { why: why.clone() }),
            Some(Sighting::Place(live)) if has_all && live.traffic == wanted => {
                let target = self.seen.situation.record.registration.target(&change.target);
                let wanted =
                    Wanted { stable: change.stable, candidate: change.candidate, weight: Weight::ALL };
                let target = target.ok_or_else(|| missing(self.target))?;
                Ok(self.see(target, wanted))
            }
            Some(Sighting::Alias(_) | Sighting::Place(_) | Sighting::Missing) | None => {
                Err(Refusal::Unfinished {
                    generation,
                    target: change.target.clone(),
                    candidate: change.candidate,
                })
            }
        }
    }

    fn ended(&self, release: &Release) -> Shift {
        let shift = nothing_to_do(self.live.traffic());
        Shift { generation: Some(release.generation), onward: Some(Onward::at_the_end(release)), ..shift }
    }

    /// A service that was rolled back again and again is not released once more before a person has looked.
    fn check_rollbacks(&self) -> Result<(), Refusal> {
        let record = &self.seen.situation.record;
        let policy = &record.registration.rollback;
        let count = record.recent_rollbacks(self.moment.now);
        if count < policy.rollbacks_max {
            return Ok(());
        }
        let window_minutes = policy.rollbacks_window_minutes;
        Err(Refusal::TooManyRollbacks { count, max: policy.rollbacks_max, window_minutes })
    }

    fn in_the_way(&self, release: &Release) -> Refusal {
        match release.changes.first() {
            Some(change) => Refusal::ReleaseOpen {
                generation: release.generation,
                stable: change.stable,
                candidate: change.candidate,
            },
            None => self.held(release),
        }
    }
}

/// A stage that a person let pass was not proved, and the record must not say so.
fn how_it_got_through(run: &Run, change: &Change, approved_by: Option<&str>) -> String {
    let stages = run.reached.iter().zip(&run.strategy.stages);
    let let_on = stages.filter(|(_, planned)| !planned.approval);
    let mut by: Vec<&str> = let_on.filter_map(|(reached, _)| reached.approved_by.as_deref()).collect();
    let was_asked = run.awaiting.as_ref().is_some_and(|it| it.stage == run.strategy.stages.len());
    by.extend(approved_by.filter(|_| was_asked));
    if by.is_empty() {
        format!("version {} proved itself in every stage", change.candidate)
    } else {
        format!("version {} took all traffic; {} let it go on without proof", change.candidate, by.join(", "))
    }
}

fn closed(release: &Release) -> Refusal {
    Refusal::Closed {
        generation: release.generation,
        phase: release.phase,
        because: release.ended_because.clone(),
    }
}
