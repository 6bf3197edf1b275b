//! What belongs to a decision besides the call that moves traffic: reading back, the ledger, the notice, the evidence.

use jiff::{SignedDuration, Timestamp};

use super::{Case, Course, Decision, Survey, stand_down};
use crate::deployment::RECONCILE_STACK;
use crate::evidence::Evidence;
use crate::metrics::Metric;
use crate::names::{Generation, ServiceName, TargetName, Version};
use crate::notice::{Notice, Severity};
use crate::plan::{KeepLogs, LedgerWrite, SetTraffic, Step, Steps};
use crate::reason::Reason;
use crate::registration::Target;
use crate::release::{
    Change, Cord, Event, GoingBack, KnownGood, PastRollback, Phase, PulledBy, Release, Report,
};
use crate::signal::{AlarmChange, Signal};
use crate::situation::{Heard, heard_key};

/// Evidence is kept for the review and for those who audit later.
const EVIDENCE_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// An alarm looks back over some minutes; what it saw was logged in them.
const LOGS_BEFORE: SignedDuration = SignedDuration::from_mins(15);
/// The clocks of CloudWatch and Lambda differ by far less.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_secs(5);
/// A repeated alarm action comes within Lambda's six hours of retries; a day is ample.
const HEARD_KEPT: SignedDuration = SignedDuration::from_hours(24);

impl Case<'_> {
    /// Traffic back, read back, books closed, people told, and noted that they were: each after the one before, because
    /// each is only true once the one before is.
    pub(super) fn restore(
        &self,
        course: Course,
        survey: &Survey,
        release: &Release,
        to: Option<Version>,
        reason: Reason,
    ) -> Decision {
        // A person may name a version for a service whose release has not begun to move it: there is nothing to take back.
        let claimed = self.claimed(survey, release, to, &reason);
        let is_bare = release.had_no_traffic();
        let event = if is_bare { Event::GivenUp } else { Event::TrafficRestored };
        let base = claimed.as_ref().unwrap_or(release);
        let Ok(mut closed) = base.after(event, self.end(), reason.to_string()) else {
            // Not reached: `put_back` is asked only for releases that can still be put back.
            return stand_down(Reason::AlreadyRolledBack {
                generation: release.generation,
                at: self.moment.now,
            });
        };
        closed.going_back = None;
        closed.cord = self.cord(release);
        for change in &mut closed.changes {
            // Whoever else holds a claim may still call, and nothing is opened before that is over.
            change.claim = change.claim.filter(|claim| self.is_anothers(claim));
        }
        let taken_back = || release.changes.iter().filter(|change| !is_bare && to != Some(change.candidate));
        let rollbacks =
            taken_back().map(|change| self.past_rollback(release.generation, change, &reason)).collect();
        let logs = taken_back().filter_map(|change| self.keep_logs(release.generation, change));
        let logs: Vec<Step> = logs.map(Step::KeepLogs).collect();
        let evidence = self.evidence("rollback", Some(release.generation), &reason, survey);
        let known_good = if is_bare { Vec::new() } else { self.known_good_after(release, to) };
        let mut steps = self.traffic_rows(survey, claimed);
        steps.extend(self.close(closed, |write| LedgerWrite {
            known_good,
            rollbacks,
            rollbacks_until: self.quarantined_until(),
            evidence: Some(evidence),
            ..write
        }));
        steps.push(logs);
        Decision { course, reason, steps, metrics: Vec::new() }
    }

    pub(super) fn restore_unreleased(&self, survey: &Survey, reason: Reason) -> Decision {
        let service = self.situation.record.registration.service.clone();
        let mut steps = self.traffic_rows(survey, None);
        let evidence = self.evidence("rollback", None, &reason, survey);
        let notice = Notice {
            severity: Severity::Warning,
            title: format!("{service} was put back outside a release"),
            description: reason.to_string(),
            next_steps: next_steps(&service),
            thread: service.to_string(),
            service: service.clone(),
        };
        let write = LedgerWrite { evidence: Some(evidence), ..LedgerWrite::nothing(service) };
        steps.push(vec![Step::Write(Box::new(write)), Step::Tell(Box::new(notice))]);
        Decision { course: Course::Restore, reason, steps, metrics: self.rollback_metrics() }
    }

    /// Traffic stays where it is, the release is held, and a person is paged once per release.
    pub(super) fn hold(&self, release: &Release, reason: Reason) -> Decision {
        let Ok(mut held) = release.after(Event::HeldBack, self.end(), reason.to_string()) else {
            return match (self.signal, self.unfinished_report(release)) {
                (Signal::Alarm(alarm), _) => self.hear_besides(release, alarm, reason, Severity::Page),
                (
                    Signal::Operator(_) | Signal::Pipeline(_) | Signal::Deployment(_) | Signal::Arrival(_),
                    Some(unfinished),
                ) => unfinished,
                (
                    Signal::Operator(_) | Signal::Pipeline(_) | Signal::Deployment(_) | Signal::Arrival(_),
                    None,
                ) => Decision { course: Course::Hold, ..stand_down(reason) },
            };
        };
        held.cord = self.cord(release);
        // What can be switched off without going back, is.
        let mut flags = Survey::default();
        if let Reason::PastBarrier { .. } = reason {
            self.survey_flags(&mut flags);
        }
        let evidence = self.evidence("hold", Some(release.generation), &reason, &flags);
        let mut steps = self.traffic_rows(&flags, None);
        steps.extend(self.close(held, |write| LedgerWrite { evidence: Some(evidence), ..write }));
        Decision { course: Course::Hold, reason, steps, metrics: Vec::new() }
    }

    /// What can still be put back is; then the loudest outcome. The page does not wait for the ledger.
    pub(super) fn stuck(&self, survey: &Survey, reason: Reason) -> Decision {
        let record = &self.situation.record;
        let service = record.registration.service.clone();
        let release = record.release.as_ref();
        let generation = release.map(|release| release.generation);
        // A release without traffic has nothing that could fail to go back: only a person's own choice of a version failed.
        let claimed = release.and_then(|release| self.claimed(survey, release, None, &reason));
        let failed = release
            .filter(|release| !release.had_no_traffic())
            .map(|release| claimed.as_ref().unwrap_or(release))
            .and_then(|it| it.after(Event::RestoreFailed, self.end(), reason.to_string()).ok())
            .map(|it| Release { cord: self.cord(&it), ..it });
        let page = Notice {
            severity: Severity::Page,
            title: format!("{service} could NOT be put back"),
            description: format!("{}{reason}{}", describe_release(release), self.whereabouts()),
            next_steps: vec![
                format!("ripcord status {service}"),
                format!("ripcord rollback {service} --reason \"...\", once the cause is mended"),
            ],
            thread: thread(&service, generation),
            service: service.clone(),
        };
        let evidence = self.evidence("failure", generation, &reason, survey);
        let write =
            LedgerWrite { release: failed, evidence: Some(evidence), ..LedgerWrite::nothing(service) };
        let mut steps = self.traffic_rows(survey, claimed);
        steps.push(vec![Step::Tell(Box::new(page)), Step::Write(Box::new(write))]);
        // Counted here and not from the ledger's record, which may be what cannot be written.
        let metrics = vec![Metric::RollbackFailedCount];
        Decision { course: Course::Stuck, reason, steps, metrics }
    }

    /// What is where, for whoever has to mend a service of which only a part is back.
    fn whereabouts(&self) -> String {
        let targets = &self.situation.record.registration.targets;
        if targets.len() < 2 {
            return String::new();
        }
        let of_one = |target: &Target| match self.serving(&target.name) {
            Some(traffic) => format!("{} serves {traffic}", target.name),
            None => format!("what {} serves could not be seen", target.name),
        };
        format!(". As it was seen: {}", targets.iter().map(of_one).collect::<Vec<_>>().join("; "))
    }

    /// An answer without a rollback, told once per transition of the alarm.
    pub(super) fn hear(&self, alarm: &AlarmChange, reason: Reason, severity: Severity) -> Decision {
        // Whatever else the alarm is about is told where something moves.
        if self.company.is_quiet && severity != Severity::Page {
            return stand_down(reason);
        }
        let service = &self.situation.record.registration.service;
        let title = format!("{service}: {} fired, traffic was left alone", alarm.alarm.name());
        self.hear_once(heard_key(&alarm.alarm, alarm.changed_at), title, reason, severity)
    }

    /// An answer that moves nothing, told once per what was heard.
    pub(super) fn hear_once(
        &self,
        key: String,
        title: String,
        reason: Reason,
        severity: Severity,
    ) -> Decision {
        let record = &self.situation.record;
        let service = record.registration.service.clone();
        let mut is_ours_already = false;
        match record.heard.iter().find(|heard| heard.key == key).map(|heard| heard.report) {
            Some(Report::Leased { until }) if until == self.moment.lease_until => is_ours_already = true,
            Some(Report::Leased { until }) if until <= self.moment.now => {}
            Some(Report::Leased { .. } | Report::Sent { .. } | Report::NotDue) => {
                return stand_down(Reason::AlreadyHeard { key });
            }
            None => {}
        }
        let notice = Notice {
            severity,
            title,
            description: reason.to_string(),
            next_steps: next_steps(&service),
            thread: thread(&service, record.release.as_ref().map(|release| release.generation)),
            service: service.clone(),
        };
        let note = |report| vec![self.note(&key, report)];
        let lease = (!is_ours_already).then(|| note(Report::Leased { until: self.moment.lease_until }));
        let told = [vec![Step::Tell(Box::new(notice))], note(Report::Sent { at: self.moment.now })];
        let steps = lease.into_iter().chain(told).collect();
        let course = if severity == Severity::Page { Course::Hold } else { Course::StandDown };
        Decision { course, reason, steps, metrics: Vec::new() }
    }

    /// Notes how far the answer to a signal has come.
    pub(super) fn note(&self, key: &str, report: Report) -> Step {
        Step::Hear {
            service: self.situation.record.registration.service.clone(),
            heard: Heard { key: key.to_owned(), report },
            now: self.moment.now,
            until: plus(self.moment.now, HEARD_KEPT),
        }
    }

    /// When a release ends: now, and not before the alarm that ends it, by whose clock its repetition is recognised.
    pub(super) fn end(&self) -> Timestamp {
        let now = self.moment.now;
        match self.signal {
            Signal::Alarm(alarm) if alarm.changed_at.duration_since(now) <= CLOCKS_DIFFER_MAX => {
                now.max(alarm.changed_at)
            }
            Signal::Alarm(_)
            | Signal::Operator(_)
            | Signal::Pipeline(_)
            | Signal::Deployment(_)
            | Signal::Arrival(_) => now,
        }
    }

    /// Whether people have been told of this transition.
    pub(super) fn was_told(&self, alarm: &AlarmChange) -> bool {
        self.was_noted(&heard_key(&alarm.alarm, alarm.changed_at))
    }

    /// Whether a signal's answer is noted as complete.
    pub(super) fn was_noted(&self, key: &str) -> bool {
        let heard = self.situation.record.heard.iter().find(|heard| heard.key == key);
        heard.is_some_and(|heard| match heard.report {
            Report::Sent { .. } => true,
            Report::Leased { .. } | Report::NotDue => false,
        })
    }

    /// News of an alarm on a release that has ended, after what an earlier invocation may have left untold.
    pub(super) fn hear_besides(
        &self,
        release: &Release,
        alarm: &AlarmChange,
        reason: Reason,
        severity: Severity,
    ) -> Decision {
        let heard = self.hear(alarm, reason, severity);
        match self.unfinished_report(release) {
            Some(unfinished) if heard.steps.is_empty() => unfinished,
            Some(unfinished) => Decision {
                steps: unfinished.steps.into_iter().chain(heard.steps).collect(),
                metrics: unfinished.metrics.into_iter().chain(heard.metrics).collect(),
                ..heard
            },
            None => heard,
        }
    }

    /// An invocation that put traffic back and died before it had told people leaves a lease; after it, whoever comes
    /// tells. An invocation that looks again after a lost race may meet its own lease, and goes on.
    pub(super) fn unfinished_report(&self, release: &Release) -> Option<Decision> {
        let Report::Leased { until } = release.report else { return None };
        let generation = release.generation;
        // Lambda repeats an alarm or a command whose invocation has died, and later than the lease. A state machine repeats
        // its task at once, and takes the answer for the end: it does not rely on another, and people may be told twice.
        let is_repeated = !matches!(self.signal, Signal::Pipeline(_));
        if is_repeated && self.moment.now < until && until != self.moment.lease_until {
            return Some(stand_down(Reason::ReportedByAnother { generation, until }));
        }
        let because = release.ended_because.clone().unwrap_or_default();
        let taken_over = Release { seq: release.seq + 1, ..release.clone() };
        let steps = self.close(taken_over, |write| write);
        Some(Decision {
            course: Course::Settle,
            reason: Reason::ReportUnfinished { generation, because },
            steps,
            metrics: Vec::new(),
        })
    }

    /// Writes the ended release with a lease on telling people, tells them, and notes that they were told.
    pub(super) fn close(&self, ended: Release, complete: impl FnOnce(LedgerWrite) -> LedgerWrite) -> Steps {
        let ended = Release { report: Report::Leased { until: self.moment.lease_until }, ..ended };
        let notice = notice_of_end(&ended);
        let told = ended.reported(Report::Sent { at: self.moment.now });
        let stop = self.stop_execution(&ended);
        let mut steps = vec![
            vec![Step::Write(Box::new(complete(LedgerWrite::of(ended))))],
            vec![Step::Tell(Box::new(notice))],
        ];
        // Once people are known to have been told, nobody comes back for what was left undone.
        steps.extend(stop);
        steps.push(vec![Step::Write(Box::new(LedgerWrite::of(told)))]);
        steps
    }

    fn past_rollback(&self, generation: Generation, change: &Change, reason: &Reason) -> PastRollback {
        PastRollback {
            generation,
            target: change.target.clone(),
            version: change.candidate,
            artefact: change.artefact.clone(),
            at: self.moment.now,
            automatic: self.nobody_asked(),
            quarantines: self.found_bad() && !self.takes_turns(&change.target),
            reason: reason.to_string(),
        }
    }

    /// Whether a target's versions come again: a group that was rolled back has other tasks in it the next time, and refusing its
    /// name would refuse every release but one.
    fn takes_turns(&self, target: &TargetName) -> bool {
        let target = self.situation.record.registration.target(target);
        target.is_some_and(|target| target.place.versions_take_turns())
    }

    /// Whether the candidate was found to be bad, and not merely unproved or unapproved.
    fn found_bad(&self) -> bool {
        match self.signal {
            Signal::Alarm(_) | Signal::Operator(_) => true,
            Signal::Pipeline(failure) => failure.measured_bad,
            Signal::Deployment(_) => self.deployment_found_bad(),
            Signal::Arrival(arrival) => match self.going_back() {
                Some(going_back) => going_back.found_bad,
                None => arrival.taken_back.as_ref().is_some_and(|taken| taken.by_alarm),
            },
        }
    }

    /// Who pulled the cord: whoever did first, while what they pulled it for is under way. Where AWS moves traffic it is AWS's
    /// word that closes the books, and it says nothing of who had asked.
    pub(super) fn cord(&self, release: &Release) -> Option<Box<Cord>> {
        let pulled = release.deployment.as_ref().is_some_and(|own| own.pulled.is_some());
        let is_aws_word = match self.signal {
            Signal::Deployment(_) | Signal::Arrival(_) => true,
            Signal::Alarm(_) | Signal::Operator(_) | Signal::Pipeline(_) => false,
        };
        let is_under_way = match release.phase {
            Phase::Shifting | Phase::Complete => pulled || release.going_back.is_some(),
            Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn => false,
        };
        let first = release.cord.clone().filter(|_| is_aws_word || is_under_way);
        let hook = release.deployment.as_ref().filter(|own| own.failed_hook.is_some() && is_aws_word);
        let own = || match hook {
            Some(deployment) => {
                let by = PulledBy::Hook { deployment: deployment.id.clone() };
                Cord { by, at: self.signal.raised_at(), automatic: true }
            }
            None => Cord::pulled_by(self.signal, self.nobody_asked()),
        };
        Some(first.unwrap_or_else(|| Box::new(own())))
    }

    /// Why the places of the release are on their way back, if they are.
    pub(super) fn going_back(&self) -> Option<&GoingBack> {
        self.situation.record.release.as_ref()?.going_back.as_deref()
    }

    /// The release with the claims that its calls need, and with why they are made.
    fn claimed(
        &self,
        survey: &Survey,
        release: &Release,
        to: Option<Version>,
        reason: &Reason,
    ) -> Option<Release> {
        let claimed = survey.claimed(release, self.moment.lease_until)?;
        let (automatic, found_bad) = (self.nobody_asked(), self.found_bad());
        let going_back = GoingBack { to, why: reason.to_string(), automatic, found_bad };
        let cord = self.cord(release);
        Some(Release { going_back: Some(Box::new(going_back)), cord, ..claimed })
    }

    /// A version that is taken back is good no longer; the one that it replaced is again.
    fn known_good_after(&self, release: &Release, to: Option<Version>) -> Vec<KnownGood> {
        let known_good = &self.situation.record.known_good;
        let was_good = |change: &&Change| {
            to != Some(change.candidate)
                && known_good
                    .iter()
                    .any(|good| good.target == change.target && good.version == change.candidate)
        };
        let good = |change: &Change| KnownGood {
            target: change.target.clone(),
            version: to.unwrap_or(change.stable),
            since: self.moment.now,
        };
        release.changes.iter().filter(was_good).map(good).collect()
    }

    fn keep_logs(&self, generation: Generation, change: &Change) -> Option<KeepLogs> {
        let registration = &self.situation.record.registration;
        let raised_at = self.signal.raised_at();
        Some(KeepLogs {
            service: registration.service.clone(),
            generation,
            reach: registration.target(&change.target)?.reach.clone(),
            function: registration.target(&change.target)?.lambda()?.function.clone(),
            version: change.candidate,
            from: raised_at.saturating_sub(LOGS_BEFORE).unwrap_or(raised_at),
            to: self.moment.now,
            keep_until: plus(self.moment.now, EVIDENCE_KEPT),
        })
    }

    fn quarantined_until(&self) -> Timestamp {
        let policy = &self.situation.record.registration.rollback;
        let quarantine = SignedDuration::from_hours(i64::from(policy.quarantine_hours));
        // A rollback counts against the limit even where nothing is quarantined.
        let counted = SignedDuration::from_mins(i64::from(policy.rollbacks_window_minutes));
        plus(self.moment.now, quarantine.max(counted))
    }

    /// What is counted for traffic that is put back without a release: no record says so.
    fn rollback_metrics(&self) -> Vec<Metric> {
        let by = if self.nobody_asked() { Metric::AutoRollbackCount } else { Metric::ManualRollbackCount };
        vec![Metric::RollbackCount, by, Metric::FailedDeployments, Metric::CanaryTrafficPercentage(0.0)]
    }

    /// The calls that move traffic, turn by turn, and then reading back what every target serves. What was seen and the ledger
    /// were read at two moments, so even a target that needed no call is only known to be back once it was read again.
    fn traffic_rows(&self, survey: &Survey, claimed: Option<Release>) -> Steps {
        let registration = &self.situation.record.registration;
        let turn_of = |name: &TargetName| registration.target(name).map_or(0, |target| target.turn);
        let set = survey.moves.iter().chain(&survey.fences).map(SetTraffic::confirm);
        let still = survey.resting.iter().map(SetTraffic::confirm_unchanged);
        let mut rows = survey.by_codedeploy.clone();
        rows.extend(survey.calls(turn_of, claimed));
        rows.push(set.chain(still).chain(survey.looks()).collect());
        rows.retain(|row| !row.is_empty());
        rows
    }

    pub(super) fn evidence(
        &self,
        kind: &str,
        generation: Option<Generation>,
        reason: &Reason,
        survey: &Survey,
    ) -> Evidence {
        Evidence {
            generation,
            kind: kind.to_owned(),
            signal: self.signal.clone(),
            decided_at: self.moment.now,
            situation: self.situation.clone(),
            reason: reason.to_string(),
            steps: self.traffic_rows(survey, None).iter().flatten().map(ToString::to_string).collect(),
            keep_until: plus(self.moment.now, EVIDENCE_KEPT),
        }
    }
}

/// What people read when a release has ended otherwise than by completion.
pub(crate) fn notice_of_end(release: &Release) -> Notice {
    let service = &release.service;
    let generation = release.generation;
    let because = release.ended_because.clone().unwrap_or_default();
    let (severity, title, next_steps) = match release.phase {
        Phase::RolledBack => {
            let title = format!("{service} was rolled back (release {generation})");
            let is_reversed =
                release.deployment.as_ref().is_some_and(|deployment| deployment.reversal_until.is_some());
            let mut steps = next_steps(service);
            steps.extend(is_reversed.then(|| RECONCILE_STACK.to_owned()));
            (Severity::Warning, title, steps)
        }
        Phase::Withdrawn => {
            let title = format!("{service}: release {generation} was withdrawn before it had traffic");
            (Severity::Warning, title, next_steps(service))
        }
        Phase::Held | Phase::RollbackFailed | Phase::Shifting | Phase::Complete => (
            Severity::Page,
            format!("{service} is held: traffic was left where it is (release {generation})"),
            vec![
                format!("ripcord status {service}"),
                format!("ripcord rollback {service} --reason \"...\", if going back is right after all"),
                format!("ripcord weights {service} WEIGHTS --override \"...\", to go forward with a fix"),
            ],
        ),
    };
    Notice {
        severity,
        service: service.clone(),
        title,
        description: format!("{}{because}", describe_release(Some(release))),
        next_steps,
        thread: thread(service, Some(generation)),
    }
}

fn describe_release(release: Option<&Release>) -> String {
    let changes = release.into_iter().flat_map(|release| &release.changes);
    changes
        .map(|Change { target, stable, candidate, weight, .. }| {
            format!("Target {target}: stable version {stable}, candidate {candidate} (last confirmed at {weight}). ")
        })
        .collect()
}

fn next_steps(service: &ServiceName) -> Vec<String> {
    vec![format!("ripcord status {service}")]
}

pub(crate) fn thread(service: &ServiceName, generation: Option<Generation>) -> String {
    generation.map_or_else(|| service.to_string(), |generation| format!("{service}#{generation}"))
}

fn plus(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.saturating_add(duration).unwrap_or(now)
}
