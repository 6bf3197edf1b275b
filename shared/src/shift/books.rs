//! The steps of a shift: written down, pinned, moved, read back, confirmed, told.

use super::{Case, Completes, Refusal, Shift, fresh, has_ended};
use crate::decide::{notice_of_end, thread};
use crate::names::Weight;
use crate::notice::{Notice, Severity};
use crate::place::{LambdaAlias, Wanted};
use crate::plan::{LedgerWrite, Step, Steps};
use crate::release::{Change, Event, KnownGood, Phase, Release, Report};
use crate::traffic::Traffic;

impl Case<'_> {
    /// The release that is open, or the one that opens now.
    pub(super) fn opened(&self) -> Release {
        let record = &self.seen.situation.record;
        match &record.release {
            Some(release) if !has_ended(release.phase) => release.clone(),
            before => {
                fresh(record.registration.service.clone(), before.as_ref(), self.opened_by(), self.moment.now)
            }
        }
    }

    /// Moves a change of a release to a weight.
    pub(super) fn moved(
        &self,
        release: Release,
        change: Change,
        weight: Weight,
        completes: Completes,
    ) -> Result<Shift, Refusal> {
        let illegal = |error| Refusal::Illegal { error };
        let generation = release.generation;
        let is_new = release.changes.is_empty();
        let had_none = weight != Weight::NONE && release.traffic_at.is_none();
        let wanted = Traffic::split(change.stable, change.candidate, weight);
        self.check_barrier(wanted)?;

        let intended = self.intending(&change, weight);
        let mut intending =
            with_change(release.after(Event::Shifted, self.moment.now, None).map_err(illegal)?, intended);
        if had_none {
            intending.traffic_at = Some(self.moment.now);
        }
        // Of a hold that a person overrides, nothing is left to tell.
        intending.report = Report::NotDue;
        // Whoever was bringing it back has died, and somebody takes it further: nothing of that way back is finished any more.
        intending.going_back = None;
        intending.cord = None;
        let confirmed = Change { weight, intent: None, claim: None, ..change.clone() };
        let others = intending.changes.iter().filter(|other| other.target != change.target);
        let is_complete = { others }.all(Change::is_on_candidate) && completes == Completes::Now;
        let event = if is_complete { Event::Promoted } else { Event::Shifted };
        let because = format!("version {} took all traffic", change.candidate);
        let done = with_change(intending.after(event, self.moment.now, because).map_err(illegal)?, confirmed);

        let mut steps = self.tell_untold();
        steps.push(vec![Step::Write(Box::new(LedgerWrite::of(intending)))]);
        steps.extend(self.pin(&change).map(|pin| vec![pin]));
        steps.extend(self.traffic_rows(
            Some(&change),
            Wanted { stable: change.stable, candidate: change.candidate, weight },
        )?);
        let known_good = if is_complete { self.known_good(&done) } else { Vec::new() };
        let notice = (is_new || is_complete).then(|| self.notice(&done, &change, wanted));
        // Its execution may be waiting for somebody whom nobody waits for any more.
        let driven = done.run.as_ref().filter(|_| is_complete).map(|run| run.execution.clone());
        let why = done.ended_because.clone().unwrap_or_default();
        steps.push(vec![Step::Write(Box::new(LedgerWrite { known_good, ..LedgerWrite::of(done) }))]);
        steps.extend(notice.map(|notice| vec![Step::Tell(Box::new(notice))]));
        steps.extend(driven.map(|execution| vec![Step::StopExecution { execution, why }]));
        Ok(Shift { generation: Some(generation), traffic: wanted, steps, onward: None })
    }

    /// Whoever ended the release before may have died before people were told, and the record that says so goes away with
    /// the next write. They are told first, perhaps twice.
    pub(super) fn tell_untold(&self) -> Steps {
        let latest = self.seen.situation.record.release.as_ref();
        let untold = latest.filter(|release| matches!(release.report, Report::Leased { .. }));
        untold.map(|release| vec![Step::Tell(Box::new(notice_of_end(release)))]).into_iter().collect()
    }

    /// The rollback target stays pinned from the opening of a release to the opening of the next.
    pub(super) fn pin(&self, change: &Change) -> Option<Step> {
        let LambdaAlias { function, alias } = self.target.lambda()?;
        let alias = super::pin_alias(alias)?;
        let is_pinned =
            self.seen.pin.as_ref().is_some_and(|pin| pin.traffic == Traffic::all_on(change.stable));
        (!is_pinned).then(|| Step::Pin {
            reach: self.target.reach.clone(),
            function: function.clone(),
            alias,
            version: change.stable,
            replaces: self.seen.pin.as_ref().map(|pin| pin.revision.clone()),
        })
    }

    pub(super) fn known_good(&self, release: &Release) -> Vec<KnownGood> {
        let good = |change: &Change| KnownGood {
            target: change.target.clone(),
            version: change.candidate,
            since: self.moment.now,
        };
        release.changes.iter().map(good).collect()
    }

    pub(super) fn notice(&self, release: &Release, change: &Change, wanted: Traffic) -> Notice {
        let (service, generation) = (&release.service, release.generation);
        let title = match release.phase {
            Phase::Complete => format!("{service}: release {generation} is complete"),
            Phase::Shifting | Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn => {
                format!("{service}: release {generation} was opened")
            }
        };
        let mut description = format!(
            "{} goes from version {} to {}: it serves {wanted}.",
            change.target, change.stable, change.candidate
        );
        if let Some(reason) = &self.request.override_reason {
            description.push_str(&format!(" Overridden by {}: {reason}.", self.opened_by()));
        }
        Notice {
            severity: Severity::Info,
            service: service.clone(),
            title,
            description,
            next_steps: vec![
                format!("ripcord status {service}"),
                format!("ripcord rollback {service} --reason \"...\""),
            ],
            thread: thread(service, Some(generation)),
        }
    }

    pub(super) fn opened_by(&self) -> String {
        self.request.requested_by.clone().unwrap_or_else(|| "an operator".to_owned())
    }
}

pub(super) fn with_change(mut release: Release, change: Change) -> Release {
    match release.changes.iter_mut().find(|other| other.target == change.target) {
        Some(place) => *place = change,
        None => release.changes.push(change),
    }
    release
}
