//! The decision: from a signal and a situation to the one right way back, or to the reason why there is none to take.
//!
//! Nothing here reads a clock or calls anybody. The steps come out complete and in order, traffic first.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::metrics::Metric;
use crate::names::{Generation, TargetName, Version, Weight};
use crate::notice::Severity;
use crate::plan::{SetTraffic, Steps};
use crate::reason::{Reason, seconds_between};
use crate::registration::Reach;
use crate::release::{Change, Phase, Release};
use crate::signal::{AlarmChange, AlarmState, RollbackCommand, Signal};
use crate::situation::{Sighting, Situation, heard_key};
use crate::traffic::Traffic;

mod adopt;
mod books;
mod company;
mod deployment;
mod pipeline;
mod place;

pub(crate) use books::{notice_of_end, thread};
pub use company::{Company, Together, decide_less_likely};
pub(crate) use pipeline::ended_key;
use place::PlaceSurvey;

/// What is to be done, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The kind of answer.
    pub course: Course,
    /// Why.
    pub reason: Reason,
    /// The calls to make, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Steps,
    /// What to count once all steps are taken: what no record of a release says.
    #[serde(skip)]
    pub metrics: Vec<Metric>,
}

/// The kinds of answer to a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// Traffic goes back.
    Restore,
    /// Traffic is back already; the books are closed and people told.
    Settle,
    /// Traffic stays, because going back is ruled out; a person is paged.
    Hold,
    /// There is nothing to do.
    StandDown,
    /// Traffic should go back and cannot, at least for one target.
    Stuck,
}

/// The moment of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// When the invocation that decides will have ended, whatever happens: its lease on what it starts.
    pub lease_until: Timestamp,
}

/// What is left of an invocation, after it has waited for CodeDeploy, for saying what was seen.
const REPORTING: SignedDuration = SignedDuration::from_secs(5);

impl Moment {
    /// Until when something may be waited for, so that what follows can still be written down and told.
    pub fn looks_until(&self) -> Timestamp {
        let left = self.lease_until.duration_since(self.now);
        self.lease_until.saturating_sub(REPORTING.min(left / 4)).unwrap_or(self.now)
    }
}

/// Decides how to answer a signal that concerns one service.
pub fn decide(signal: &Signal, situation: &Situation, moment: Moment) -> Decision {
    decide_in_company(signal, situation, moment, &Company::default())
}

/// Decides how a service answers a signal that concerns others, too.
pub fn decide_in_company(
    signal: &Signal,
    situation: &Situation,
    moment: Moment,
    company: &Company,
) -> Decision {
    let case = Case { signal, situation, moment, company };
    match signal {
        Signal::Alarm(alarm) => case.on_alarm(alarm),
        Signal::Operator(command) => case.on_command(command),
        Signal::Pipeline(failure) => case.on_pipeline(failure),
        Signal::Deployment(change) => case.on_deployment(change),
        Signal::Arrival(arrival) => case.on_arrival(arrival),
    }
}

/// Why an alarm's change pulls no cord, whatever the situation: nothing needs to be looked at.
pub fn uneventful(alarm: &AlarmChange) -> Option<Reason> {
    if let Some(by) = &alarm.suppressed_by {
        return Some(Reason::AlarmSuppressed { alarm: alarm.alarm.clone(), by: by.clone() });
    }
    match alarm.state {
        AlarmState::Alarm => None,
        state @ (AlarmState::Ok | AlarmState::InsufficientData) => {
            Some(Reason::AlarmNotFiring { alarm: alarm.alarm.clone(), state })
        }
    }
}

/// Decides what follows when a step of a rollback fails for good: the loudest outcome, with the state kept.
pub fn decide_failure(signal: &Signal, situation: &Situation, why: String, moment: Moment) -> Decision {
    decide_failure_in_company(signal, situation, why, moment, &Company::default())
}

/// The same for a service that goes back in company.
pub fn decide_failure_in_company(
    signal: &Signal,
    situation: &Situation,
    why: String,
    moment: Moment,
    company: &Company,
) -> Decision {
    let case = Case { signal, situation, moment, company };
    case.stuck(&Survey::default(), company.explained(Reason::CallFailed { why }))
}

/// What a decision is made from.
struct Case<'case> {
    signal: &'case Signal,
    situation: &'case Situation,
    moment: Moment,
    company: &'case Company,
}

/// How the targets of a release stand to where they should be.
#[derive(Default)]
struct Survey {
    /// Those that serve something else.
    moves: Vec<SetTraffic>,
    /// Those that serve what they should while a shift is under way that would still succeed. Setting the same traffic
    /// again takes the revision away that the shift must show.
    fences: Vec<SetTraffic>,
    /// Those that serve what they should.
    resting: Vec<SetTraffic>,
    /// What CodeDeploy is asked to do instead, and waited for.
    by_codedeploy: Steps,
    /// The targets that are no aliases of functions.
    places: Vec<PlaceSurvey>,
    hindrances: Vec<Reason>,
    ruled_out: Option<Reason>,
}

impl Case<'_> {
    fn on_alarm(&self, alarm: &AlarmChange) -> Decision {
        if let Some(reason) = uneventful(alarm) {
            return stand_down(reason);
        }
        if let Some(found) = self.adopted(alarm) {
            let (alarm_arn, why, generation) = (alarm.alarm.clone(), alarm.why.clone(), found.generation);
            let after_opening_s = seconds_between(found.opened_at, alarm.changed_at);
            let reason = Reason::AlarmDuringRelease { alarm: alarm_arn, why, generation, after_opening_s };
            return self.put_back(&found, None, self.company.explained(reason));
        }
        let Some(release) = &self.situation.record.release else { return self.without_change(alarm, None) };
        if let Some(predates) = self.predates(release) {
            return self.hear(alarm, predates, Severity::Info);
        }
        let (generation, why) = (release.generation, alarm.why.clone());
        let window_hours = self.situation.record.registration.rollback.window_hours;
        match (release.phase, release.ended_at) {
            (Phase::RolledBack, _) => self.after_rollback(alarm, release),
            (Phase::Withdrawn, at) => self.after_withdrawal(alarm, release, at.unwrap_or(release.opened_at)),
            (Phase::Shifting, _) if self.fired_before(alarm, release) => {
                let reason = Reason::FiredBefore { alarm: alarm.alarm.clone(), why, generation };
                self.hear(alarm, reason, Severity::Warning)
            }
            // What fired before the hold, or was told since, has had its page. Only news can make traffic move after all.
            (Phase::Held, Some(held_at)) if alarm.changed_at <= held_at || self.was_told(alarm) => {
                let key = heard_key(&alarm.alarm, alarm.changed_at);
                self.unfinished_report(release).unwrap_or_else(|| stand_down(Reason::AlreadyHeard { key }))
            }
            // A release that was held or could not be put back after it had taken all traffic has a window, too: an
            // alarm long after that is about something else.
            (Phase::Held | Phase::RollbackFailed, Some(ended_at))
                if (release.has_all_traffic() || self.was_deployed(release))
                    && seconds_between(ended_at, alarm.changed_at) > i64::from(window_hours) * 3600 =>
            {
                let after_end_s = seconds_between(ended_at, alarm.changed_at);
                self.without_change(alarm, Some((generation, after_end_s)))
            }
            (Phase::Complete, Some(completed_at)) => {
                let after_completion_s = seconds_between(completed_at, alarm.changed_at);
                if after_completion_s > i64::from(window_hours) * 3600 {
                    return self.without_change(alarm, Some((generation, after_completion_s)));
                }
                let alarm = alarm.alarm.clone();
                let reason = Reason::AlarmAfterRelease {
                    alarm,
                    why,
                    generation,
                    after_completion_s: after_completion_s.max(0),
                    window_hours,
                };
                self.put_back(release, None, self.company.explained(reason))
            }
            (Phase::Shifting | Phase::Complete | Phase::RollbackFailed | Phase::Held, _) => {
                let after_opening_s = seconds_between(release.opened_at, alarm.changed_at);
                let alarm = alarm.alarm.clone();
                let reason = Reason::AlarmDuringRelease { alarm, why, generation, after_opening_s };
                self.put_back(release, None, self.company.explained(reason))
            }
        }
    }

    /// A person's command is not bound by window, limit or hold; only a barrier is stronger, because past it the older
    /// version does not work.
    fn on_command(&self, command: &RollbackCommand) -> Decision {
        let record = &self.situation.record;
        let targets = record.registration.targets.len();
        if let Some(version) = command.to.filter(|_| targets > 1) {
            return stand_down(Reason::VersionAmbiguous { version, targets });
        }
        if let Some(unlike) = command.to.and_then(|version| self.unlike(version)) {
            return stand_down(unlike);
        }
        let reason = Reason::OperatorAsked {
            by: command.requested_by.clone(),
            why: command.why.clone(),
            to: command.to,
        };
        if let Some(beside) = command.release.and_then(|meant| self.beside(meant)) {
            return beside;
        }
        match &record.release {
            Some(release) if self.predates(release).is_some() => {
                self.predates(release).map_or_else(|| stand_down(reason), stand_down)
            }
            Some(release) if !matches!(release.phase, Phase::RolledBack | Phase::Withdrawn) => {
                self.put_back(release, command.to, reason)
            }
            Some(_) | None => self.put_back_unreleased(command, reason),
        }
    }

    /// A signal from before the release was opened is not about it: it may be a retry that is hours late.
    fn predates(&self, release: &Release) -> Option<Reason> {
        let raised_at = self.signal.raised_at();
        (raised_at < release.opened_at).then_some(Reason::SignalPredatesRelease {
            raised_at,
            generation: release.generation,
            opened_at: release.opened_at,
        })
    }

    fn after_rollback(&self, alarm: &AlarmChange, release: &Release) -> Decision {
        let at = release.ended_at.unwrap_or(release.opened_at);
        if alarm.changed_at <= at {
            let done = || stand_down(Reason::AlreadyRolledBack { generation: release.generation, at });
            return self.unfinished_report(release).unwrap_or_else(done);
        }
        let serving =
            release.changes.iter().map(|change| (change.target.clone(), self.serving(&change.target)));
        let serving: Vec<_> = serving.collect();
        let is_back = |change: &Change| {
            self.serving(&change.target)
                .is_some_and(|traffic| traffic.share_of(change.candidate) == Weight::NONE)
        };
        let severity = if release.changes.iter().all(is_back) { Severity::Warning } else { Severity::Page };
        let reason = Reason::AlarmAfterRollback {
            alarm: alarm.alarm.clone(),
            why: alarm.why.clone(),
            generation: release.generation,
            after_rollback_s: seconds_between(at, alarm.changed_at),
            serving,
        };
        self.hear_besides(release, alarm, reason, severity)
    }

    fn without_change(&self, alarm: &AlarmChange, last: Option<(Generation, i64)>) -> Decision {
        let window_hours = self.situation.record.registration.rollback.window_hours;
        let reason = Reason::AlarmWithoutChange {
            alarm: alarm.alarm.clone(),
            why: alarm.why.clone(),
            last,
            window_hours,
        };
        let mut decision = self.hear(alarm, reason, Severity::Warning);
        if !decision.steps.is_empty() {
            decision.metrics = vec![Metric::AlarmWithoutChangeCount];
        }
        decision
    }

    /// Puts every target of a release back to its stable version, or to the version that a person named.
    fn put_back(&self, release: &Release, to: Option<Version>, reason: Reason) -> Decision {
        if let Some(deployment) = &release.deployment {
            return self.put_back_deployed(release, deployment, to, reason);
        }
        if release.had_no_traffic() && to.is_none() {
            return self.give_up(release, reason);
        }
        let mut survey = self.survey(release, to);
        if survey.moves_nothing() && survey.hindrances.is_empty() {
            return self.restore(Course::Settle, &survey, release, to, reason);
        }
        if let Some(ruled_out) = survey.ruled_out.take().or_else(|| self.looping()) {
            return self.hold(release, ruled_out);
        }
        match survey.hindrances.first().cloned() {
            Some(hindrance) => self.stuck(&survey, hindrance),
            None => self.restore(Course::Restore, &survey, release, to, reason),
        }
    }

    fn survey(&self, release: &Release, to: Option<Version>) -> Survey {
        let mut survey = Survey::default();
        for change in &release.changes {
            let wanted = Traffic::all_on(to.unwrap_or(change.stable));
            if let Some(Sighting::Place(live)) = self.situation.live.get(&change.target) {
                self.survey_place(&mut survey, change, live, to);
                continue;
            }
            match self.step_to(&change.target, wanted) {
                Ok(step) if step.was == wanted && change.may_still_shift(&step.revision) => {
                    survey.fences.push(step);
                }
                Ok(step) if step.was == wanted => survey.resting.push(step),
                Ok(step) => {
                    survey.ruled_out = survey
                        .ruled_out
                        .or_else(|| self.barrier(&step.target, step.was, wanted.primary))
                        .or_else(|| self.drifted(change, step.was));
                    survey.moves.push(step);
                }
                Err(hindrance) => survey.hindrances.push(hindrance),
            }
        }
        self.survey_flags(&mut survey);
        survey
    }

    /// The step that brings one target to where it is wanted, even if it is there.
    fn step_to(&self, target: &TargetName, wanted: Traffic) -> Result<SetTraffic, Reason> {
        match self.situation.live.get(target) {
            None | Some(Sighting::Missing) => Err(Reason::TargetMissing { target: target.clone() }),
            Some(Sighting::Unseen { why }) => {
                Err(Reason::TargetUnseen { target: target.clone(), why: why.clone() })
            }
            // Not reached: a place is surveyed by itself.
            Some(Sighting::Place(live)) => Err(Reason::TargetUnseen {
                target: target.clone(),
                why: format!("it is no alias of a function, and serves {}", live.traffic),
            }),
            Some(Sighting::Alias(live)) => Ok(SetTraffic {
                target: target.clone(),
                reach: self.reach_of(target),
                function: live.function.clone(),
                alias: live.alias.clone(),
                traffic: wanted,
                was: live.traffic,
                revision: live.revision.clone(),
            }),
        }
    }

    fn barrier(&self, target: &TargetName, was: Traffic, to: Version) -> Option<Reason> {
        let crossed =
            |from| Some((from, self.situation.record.registration.barrier_between(target, from, to)?));
        was.versions().find_map(crossed).map(|(from, barrier)| Reason::PastBarrier {
            target: target.clone(),
            from,
            to,
            since: barrier.since_version,
            migration: barrier.reason.clone(),
        })
    }

    /// An alarm is about the release only while the alias serves that release's versions and no others: another version
    /// may be one of a release that was opened since the ledger was read. A person may mean what they see.
    fn drifted(&self, change: &Change, was: Traffic) -> Option<Reason> {
        let ours = was.versions().all(|version| version == change.stable || version == change.candidate);
        (self.is_automatic() && !ours).then(|| Reason::AliasDrifted {
            target: change.target.clone(),
            serving: was,
            stable: change.stable,
            candidate: change.candidate,
        })
    }

    /// Whether so many releases were put back of late that one more would be a loop.
    fn looping(&self) -> Option<Reason> {
        let policy = &self.situation.record.registration.rollback;
        let count = self.situation.record.recent_rollbacks(self.moment.now);
        // A state machine that ends its own release starts no loop: the next release is refused instead.
        (matches!(self.signal, Signal::Alarm(_)) && count >= policy.rollbacks_max).then_some(
            Reason::TooManyRollbacks {
                count,
                max: policy.rollbacks_max,
                window_minutes: policy.rollbacks_window_minutes,
            },
        )
    }

    /// A person asks and nothing is being released. What an earlier invocation may have left untold is told besides.
    fn put_back_unreleased(&self, command: &RollbackCommand, reason: Reason) -> Decision {
        let release = self.situation.record.release.as_ref();
        let unfinished = release.and_then(|release| self.unfinished_report(release));
        let mut decision = self.put_back_to_known_good(command, reason);
        match (unfinished, &decision.reason) {
            (Some(unfinished), Reason::AlreadyServing { .. }) => unfinished,
            (unfinished, _) => {
                decision.steps.extend(unfinished.into_iter().flat_map(|unfinished| unfinished.steps));
                decision
            }
        }
    }

    /// Back to what is known to be good, or to what the person names.
    fn put_back_to_known_good(&self, command: &RollbackCommand, reason: Reason) -> Decision {
        let record = &self.situation.record;
        let mut survey = Survey::default();
        for target in &record.registration.targets {
            let known_good =
                record.known_good.iter().find(|good| good.target == target.name).map(|good| good.version);
            let Some(version) = command.to.or(known_good) else {
                return stand_down(Reason::NothingKnownGood { target: target.name.clone() });
            };
            if let Some(Sighting::Place(live)) = self.situation.live.get(&target.name) {
                self.survey_unreleased(&mut survey, target, live, version);
                continue;
            }
            match self.step_to(&target.name, Traffic::all_on(version)) {
                Ok(step) if step.was == step.traffic => survey.resting.push(step),
                Ok(step) => survey.moves.push(step),
                Err(hindrance) => survey.hindrances.push(hindrance),
            }
        }
        if let Some(under_way) = self.deployment_under_way().filter(|_| !survey.moves_nothing()) {
            return stand_down(under_way);
        }
        let crossed = |step: &SetTraffic| self.barrier(&step.target, step.was, step.traffic.primary);
        if let Some(barrier) = survey.moves.iter().find_map(crossed).or_else(|| survey.ruled_out.take()) {
            return Decision { course: Course::Hold, ..stand_down(barrier) };
        }
        if let Some(hindrance) = survey.hindrances.first().cloned() {
            return self.stuck(&survey, hindrance);
        }
        match survey.first_there() {
            Some((target, traffic)) if survey.is_at_rest() => {
                stand_down(Reason::AlreadyServing { target: target.clone(), traffic })
            }
            Some(_) | None => self.restore_unreleased(&survey, reason),
        }
    }

    fn serving(&self, target: &TargetName) -> Option<Traffic> {
        self.situation.live.get(target)?.traffic()
    }

    fn reach_of(&self, target: &TargetName) -> Reach {
        let target = self.situation.record.registration.target(target);
        target.map(|target| target.reach.clone()).unwrap_or_default()
    }

    fn is_automatic(&self) -> bool {
        match self.signal {
            Signal::Alarm(_) | Signal::Deployment(_) | Signal::Arrival(_) => true,
            Signal::Pipeline(failure) => !failure.rejected,
            Signal::Operator(_) => false,
        }
    }
}

fn stand_down(reason: Reason) -> Decision {
    Decision { course: Course::StandDown, reason, steps: Vec::new(), metrics: Vec::new() }
}
