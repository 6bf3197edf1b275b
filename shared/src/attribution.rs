//! Which of several services an alarm is about, when it guards more than one with a recent change.
//!
//! Services of one group are one suspect, because they go back together. Suspects are ranked by how they stood when the alarm
//! fired, and by nothing that changes afterwards: every delivery of the alarm, whenever it comes and whatever another one
//! has done meanwhile, ranks alike, and so one alarm puts one suspect back. What CloudWatch has counted for each version is
//! left out for that reason: the last minutes are still being counted when an alarm fires, two deliveries would read two
//! numbers, and the call that restores traffic would wait for a question that it does without today.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decide::{Company, Course, Moment, Together, decide};
use crate::names::{Generation, GroupName, ServiceName};
use crate::reason::{Reason, duration};
use crate::release::{Phase, Release};
use crate::signal::{AlarmChange, Signal};
use crate::situation::Situation;

/// A service with a change that the alarm may be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The service.
    pub service: ServiceName,
    /// Its release.
    pub generation: Generation,
    /// How that stood when the alarm fired.
    pub standing: Standing,
}

/// How a release stood when the alarm fired. The likeliest come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It had been put back since, whatever it had been.
    PutBack {
        /// From the alarm to then.
        after_ms: i64,
    },
    /// Its traffic was moving.
    InFlight {
        /// For how long its candidate had had traffic.
        for_ms: i64,
    },
    /// Its candidate had all traffic.
    Complete {
        /// For how long.
        for_ms: i64,
    },
    /// It was open, and no candidate had had traffic: it can hardly be the cause.
    WithoutTraffic {
        /// For how long.
        for_ms: i64,
    },
}

/// Services of a suspect, each with what it has to know of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// The likeliest release among them.
    pub suspect: Suspect,
    /// Those that have something to put back.
    pub members: Vec<(Suspect, Company)>,
}

/// Who does what on an alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cast {
    /// Those that may go back. The first one does; each further one only if those before it could not.
    pub units: Vec<Unit>,
    /// What had gone back already since the alarm fired. Whether that helps is seen when the alarm fires anew, so those that
    /// wait are told of it.
    pub gone_back: Option<Suspect>,
    /// Those that wait for that.
    pub waiting: Vec<Suspect>,
    /// Those with nothing to put back, which answer as ever.
    pub rest: Vec<(ServiceName, Company)>,
    /// Those that neither the alarm guards, nor their group.
    pub strangers: Vec<ServiceName>,
}

impl Cast {
    /// The same without those that have played their part.
    #[must_use]
    pub fn without(mut self, done: &[ServiceName]) -> Self {
        for unit in &mut self.units {
            unit.members.retain(|(member, _)| !done.contains(&member.service));
        }
        self.units.retain(|unit| !unit.members.is_empty());
        self.waiting.retain(|waiting| !done.contains(&waiting.service));
        self.rest.retain(|(service, _)| !done.contains(service));
        self.strangers.retain(|stranger| !done.contains(stranger));
        self
    }
}

/// Services that go back together, or one that goes alone.
struct Party<'seen> {
    group: Option<GroupName>,
    /// The one that the alarm guards itself.
    of: Option<ServiceName>,
    members: Vec<&'seen Situation>,
}

/// Casts the services that an alarm leads to, in the order of their likelihood. `is_all` says whether every one could be
/// observed: whether a group is guarded is uncertain otherwise, and then what leads to its members counts.
pub fn cast(alarm: &AlarmChange, seen: &[&Situation], is_all: bool, moment: Moment) -> Cast {
    let mut cast = Cast::default();
    let parties = parties(alarm, seen, is_all, &mut cast.strangers);
    let mut units: Vec<(bool, Unit)> = Vec::new();
    for party in &parties {
        let gone: Vec<Suspect> = party.members.iter().filter_map(|seen| gone_back(alarm, seen)).collect();
        let suspects: Vec<(Suspect, &Situation)> =
            party.members.iter().filter_map(|seen| Some((suspect(alarm, seen, moment)?, *seen))).collect();
        let is_handled = !gone.is_empty() || !suspects.is_empty();
        for seen in &party.members {
            if suspects.iter().all(|(suspect, _)| suspect.service != *service(seen)) {
                let is_quiet = !is_own(alarm, seen) || (party.members.len() > 1 && is_handled);
                cast.rest.push((service(seen).clone(), Company { is_quiet, ..Company::default() }));
            }
        }
        let goes_on = !gone.is_empty() || suspects.iter().any(|(_, seen)| has_failed(seen));
        units.extend(party.unit(alarm, &gone, &suspects).map(|unit| (goes_on, unit)));
        cast.gone_back = likeliest(cast.gone_back.into_iter().chain(gone));
    }
    units.sort_by(|(_, one), (_, other)| rank(&one.suspect).cmp(&rank(&other.suspect)));
    if cast.gone_back.is_some() {
        // A group of which a part is back already goes on, and so does what could not be put back. Everybody else waits.
        let (own, waiting): (Vec<_>, Vec<_>) = units.into_iter().partition(|(goes_on, _)| *goes_on);
        cast.units = own.into_iter().map(|(_, unit)| unit).collect();
        cast.waiting = waiting.into_iter().map(|(_, unit)| unit.suspect).collect();
        return cast;
    }
    cast.units = units.into_iter().map(|(_, unit)| unit).collect();
    tell_of_each_other(&mut cast.units);
    cast
}

fn service(seen: &Situation) -> &ServiceName {
    &seen.record.registration.service
}

fn is_own(alarm: &AlarmChange, seen: &Situation) -> bool {
    seen.record.registration.is_guarded_by(&alarm.alarm)
}

fn has_failed(seen: &Situation) -> bool {
    seen.record.release.as_ref().is_some_and(|release| release.phase == Phase::RollbackFailed)
}

/// Each unit knows those that come after it.
fn tell_of_each_other(units: &mut [Unit]) {
    let all: Vec<Suspect> = units.iter().map(|unit| unit.suspect.clone()).collect();
    for (unit, after) in units.iter_mut().zip(1..) {
        let others: Vec<Suspect> = all.iter().skip(after).cloned().collect();
        for (member, company) in &mut unit.members {
            company.ranked = (!others.is_empty()).then(|| (member.clone(), others.clone()));
        }
    }
}

/// The parties, in the order of their names; those that no party holds are strangers to the alarm.
fn parties<'seen>(
    alarm: &AlarmChange,
    seen: &[&'seen Situation],
    is_all: bool,
    strangers: &mut Vec<ServiceName>,
) -> Vec<Party<'seen>> {
    let mut seen: Vec<&Situation> = seen.to_vec();
    seen.sort_by(|one, other| service(one).cmp(service(other)));
    let group_of = |seen: &Situation| seen.record.registration.rollback.group.clone();
    let mut parties: Vec<Party<'seen>> = Vec::new();
    for situation in &seen {
        let group = group_of(situation);
        let of = seen
            .iter()
            .find(|other| is_own(alarm, other) && group.is_some() && group_of(other) == group)
            .map(|other| service(other).clone());
        if !is_own(alarm, situation) && of.is_none() && (group.is_none() || is_all) {
            strangers.push(service(situation).clone());
            continue;
        }
        match parties.iter_mut().find(|party| group.is_some() && party.group == group) {
            Some(party) => party.members.push(situation),
            None => parties.push(Party { group, of, members: vec![situation] }),
        }
    }
    parties
}

impl Party<'_> {
    /// Those that go back, each with what it says of the others. One that is alone in its group says nothing, unless the
    /// alarm is another's.
    fn unit(
        &self,
        alarm: &AlarmChange,
        gone: &[Suspect],
        suspects: &[(Suspect, &Situation)],
    ) -> Option<Unit> {
        let suspect = likeliest(suspects.iter().map(|(suspect, _)| suspect.clone()))?;
        let concerned = gone.iter().chain(suspects.iter().map(|(suspect, _)| suspect));
        let services: BTreeSet<ServiceName> = concerned.map(|suspect| suspect.service.clone()).collect();
        let is_alone = services.len() == 1 && services.first() == self.of.as_ref();
        let together = self.group.clone().filter(|_| !is_alone).map(|group| Together {
            group,
            of: self.of.clone(),
            services: services.into_iter().collect(),
        });
        let company = |seen: &Situation| Company {
            together: together.clone(),
            ranked: None,
            is_quiet: !is_own(alarm, seen),
        };
        let members = suspects.iter().map(|(member, seen)| (member.clone(), company(seen))).collect();
        Some(Unit { suspect, members })
    }
}

/// A release that went back, or was withdrawn, since the alarm fired: by another delivery of it, or by whomever.
fn gone_back(alarm: &AlarmChange, seen: &Situation) -> Option<Suspect> {
    let release = seen.record.release.as_ref()?;
    let ended_at = release.ended_at.filter(|ended_at| alarm.changed_at <= *ended_at)?;
    match release.phase {
        Phase::RolledBack | Phase::Withdrawn if release.opened_at <= alarm.changed_at => {
            let standing = Standing::PutBack { after_ms: ms_between(alarm.changed_at, ended_at) };
            Some(Suspect { service: release.service.clone(), generation: release.generation, standing })
        }
        Phase::RolledBack
        | Phase::Withdrawn
        | Phase::Shifting
        | Phase::Complete
        | Phase::RollbackFailed
        | Phase::Held => None,
    }
}

/// A release that the alarm would put back if it guarded this service alone, even if it could not.
fn suspect(alarm: &AlarmChange, seen: &Situation, moment: Moment) -> Option<Suspect> {
    let release = seen.record.release.as_ref()?;
    let decision = decide(&Signal::Alarm(alarm.clone()), seen, moment);
    let would_go_back = match (decision.course, release.phase) {
        (Course::StandDown, _) | (_, Phase::RolledBack | Phase::Withdrawn) => false,
        // It was held for this alarm, and all that is left to do is to tell people.
        (Course::Settle, Phase::Held) => !matches!(decision.reason, Reason::ReportUnfinished { .. }),
        (Course::Restore | Course::Settle | Course::Hold | Course::Stuck, _) => true,
    };
    would_go_back.then(|| Suspect {
        service: release.service.clone(),
        generation: release.generation,
        standing: standing(release, alarm.changed_at),
    })
}

/// How a release stood at a time, as far as its record still tells.
fn standing(release: &Release, at: Timestamp) -> Standing {
    let since = |from: Timestamp| ms_between(from, at).max(0);
    let in_flight = || Standing::InFlight { for_ms: since(release.traffic_at.unwrap_or(release.opened_at)) };
    let had_no_traffic = release.deployment.is_none() && release.had_no_traffic();
    let had_traffic_later = release.traffic_at.is_some_and(|traffic_at| at < traffic_at);
    if had_no_traffic || had_traffic_later {
        return Standing::WithoutTraffic { for_ms: since(release.opened_at) };
    }
    match (release.phase, release.ended_at) {
        // Completed since: then it was in flight.
        (Phase::Complete, Some(completed_at)) if at < completed_at => in_flight(),
        (Phase::Complete, completed_at) => {
            Standing::Complete { for_ms: since(completed_at.unwrap_or(release.opened_at)) }
        }
        // When it had completed is forgotten once it was held or could not be put back.
        (Phase::Held | Phase::RollbackFailed, _) if release.has_all_traffic() => {
            Standing::Complete { for_ms: since(release.opened_at) }
        }
        (Phase::Shifting | Phase::Held | Phase::RollbackFailed | Phase::RolledBack | Phase::Withdrawn, _) => {
            in_flight()
        }
    }
}

/// Finer than people read it: of two releases that were opened in the same second one is the newer.
fn ms_between(from: Timestamp, to: Timestamp) -> i64 {
    i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX)
}

/// In flight before complete; among alike, the newest; then by name, so that there is one order.
fn rank(suspect: &Suspect) -> (Standing, &ServiceName) {
    (suspect.standing, &suspect.service)
}

fn likeliest(suspects: impl IntoIterator<Item = Suspect>) -> Option<Suspect> {
    suspects.into_iter().min_by(|one, other| rank(one).cmp(&rank(other)))
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, generation, standing } = self;
        write!(f, "{service} (release {generation}, {standing})")
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PutBack { after_ms } => {
                write!(f, "put back {} after the alarm", duration(*after_ms / 1_000))
            }
            Self::InFlight { for_ms } => write!(f, "in flight for {}", duration(*for_ms / 1_000)),
            Self::Complete { for_ms } => write!(f, "complete for {}", duration(*for_ms / 1_000)),
            Self::WithoutTraffic { for_ms } => {
                write!(f, "opened {} before, without traffic", duration(*for_ms / 1_000))
            }
        }
    }
}
