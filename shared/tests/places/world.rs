//! The ledger of one service, its targets, and what people were told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use ripcord::names::{TargetName, Version};
use ripcord::notice::Notice;
use ripcord::place::Way;
use ripcord::plan::{LedgerWrite, See, Step};
use ripcord::registration::{Registration, Target};
use ripcord::release::{KnownGood, PastRollback, Report};
use ripcord::shift::{ShiftRequest, ShiftSituation, versions_of};
use ripcord::signal::{AlarmChange, AlarmState, RollbackCommand, Signal};
use ripcord::situation::{Heard, ServiceRecord, Sighting, Situation, VersionFacts};
use ripcord::traffic::Traffic;
use serde_json::json;

use super::things::{Kind, Thing};

/// As in the adapter: what is on its way is looked at this often.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(2);

/// A time of the one day on which everything begins, like `10:05:00`.
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-03-02T{time}Z").parse().unwrap()
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

pub(crate) fn alarm_at(changed_at: Timestamp) -> Signal {
    Signal::Alarm(AlarmChange {
        alarm: "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors".parse().unwrap(),
        state: AlarmState::Alarm,
        changed_at,
        why: "3 of 3 datapoints were greater than the threshold (1.0)".to_owned(),
        data: None,
        suppressed_by: None,
    })
}

pub(crate) fn command_at(requested_at: Timestamp, to: Option<Version>) -> Signal {
    Signal::Operator(RollbackCommand {
        release: None,
        service: "checkout".parse().unwrap(),
        to,
        why: Some("checkout looks broken".to_owned()),
        requested_by: Some("ada".to_owned()),
        requested_at,
    })
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It took effect, or there was nothing to do.
    Done,
    /// What is waited for is not there yet.
    Waiting,
    /// What was waited for did not come in time.
    Pending(String),
    /// Its precondition did not hold: somebody else came first.
    Raced(String),
    /// It failed for good.
    Failed(String),
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) record: ServiceRecord,
    pub(crate) things: BTreeMap<TargetName, Thing>,
    pub(crate) notices: Vec<Notice>,
    /// The targets of which every call fails for good.
    pub(crate) refusing: BTreeSet<TargetName>,
    /// The targets of which every call comes too late.
    pub(crate) racing: BTreeSet<TargetName>,
    updates: u64,
}

impl World {
    /// A service of these targets, by name, kind and turn, all on their first versions, which are known to be good.
    pub(crate) fn of(targets: &[(&str, Kind, u8)]) -> Self {
        let documents: Vec<_> = targets.iter().map(|(name, kind, turn)| kind.target(name, *turn)).collect();
        let document = json!({
            "service": "checkout", "guards": [{ "alarm": "errors" }], "targets": documents,
            "rollback": { "rollbacks_max": 100, "quarantine_hours": 1 },
        });
        let mut registration = Registration::parse(&document.to_string()).unwrap();
        // Two groups take turns, and a history is short.
        registration.rollback.quarantine_hours = 0;
        let things: BTreeMap<_, _> =
            registration.targets.iter().map(|it| (it.name.clone(), Thing::begin(it))).collect();
        let good = |(name, thing): (&TargetName, &Thing)| KnownGood {
            target: name.clone(),
            version: thing.kind().first(),
            since: at("00:00:00"),
        };
        let record = ServiceRecord {
            known_good: things.iter().map(good).collect(),
            registration,
            registration_version: 1,
            release: None,
            rollbacks: Vec::new(),
            heard: Vec::new(),
        };
        Self {
            record,
            things,
            notices: Vec::new(),
            refusing: BTreeSet::new(),
            racing: BTreeSet::new(),
            updates: 0,
        }
    }

    pub(crate) fn targets(&self) -> Vec<Target> {
        self.record.registration.targets.clone()
    }

    pub(crate) fn sight(&self, target: &Target) -> Sighting {
        self.things.get(&target.name).map_or(Sighting::Missing, |thing| thing.sight(&target.place))
    }

    pub(crate) fn serving(&self, name: &TargetName) -> Traffic {
        self.sight(self.record.registration.target(name).unwrap()).traffic().unwrap()
    }

    /// Everything that there is to see.
    pub(crate) fn situation(&self) -> Situation {
        let live = self.targets().iter().map(|it| (it.name.clone(), self.sight(it))).collect();
        Situation::seen(self.record.clone(), live, Default::default())
    }

    /// What a shift looks at besides: every version that it asks about is there, and can serve.
    pub(crate) fn shift_situation(request: &ShiftRequest, situation: Situation) -> ShiftSituation {
        let facts = |version: Version| VersionFacts {
            version,
            code_sha256: format!("sha-{version}"),
            state: Some("Active".to_owned()),
            role: None,
            dead_letter: None,
            timeout_seconds: 3,
        };
        let versions = versions_of(request, &situation);
        let versions = versions.into_iter().map(|version| (version, Some(facts(version)))).collect();
        ShiftSituation { versions, pin: None, situation }
    }

    /// Somebody moves a target by hand.
    pub(crate) fn meddle(&mut self, name: &TargetName, version: Version) {
        self.updates += 1;
        self.things.get_mut(name).unwrap().meddle(version, self.updates);
    }

    /// AppConfig takes the newest deployment of a target back.
    pub(crate) fn take_back(&mut self, name: &TargetName) {
        self.things.get_mut(name).unwrap().take_back();
    }

    /// One call, with the precondition that AWS checks.
    pub(crate) fn apply(&mut self, step: &Step, clock: Timestamp) -> Answer {
        match step {
            Step::SetTraffic(set) if self.refusing.contains(&set.target) => denied(),
            Step::Turn(turn) if self.refusing.contains(&turn.target.name) => denied(),
            Step::Turn(turn) if self.racing.contains(&turn.target.name) => done(Err("it has changed")),
            Step::SetTraffic(set) => {
                self.updates += 1;
                done(self.things.get_mut(&set.target).unwrap().swap(set, self.updates))
            }
            Step::Turn(turn) => done(self.things.get_mut(&turn.target.name).unwrap().call(&turn.call)),
            Step::See(see) => self.see(see, clock),
            Step::Confirm { function, traffic, revision, .. } => {
                let live = self.things.values().find_map(|thing| match thing {
                    Thing::Alias(live) if live.function == *function => Some(live),
                    Thing::Alias(_)
                    | Thing::Balancer(_)
                    | Thing::Machine(_)
                    | Thing::Records(_)
                    | Thing::Flags(_) => None,
                });
                let live = live.unwrap();
                if live.traffic != *traffic {
                    return Answer::Raced(format!("{function} serves {}", live.traffic));
                }
                if revision.as_ref().is_some_and(|seen| *seen != live.revision) {
                    return Answer::Raced(format!("{function} has changed since it was seen"));
                }
                Answer::Done
            }
            Step::Write(write) => self.write(write),
            Step::Hear { heard, now, .. } => self.hear(heard, *now),
            Step::Tell(notice) => {
                self.notices.push((**notice).clone());
                Answer::Done
            }
            Step::KeepLogs(_) | Step::Note(_) | Step::Pin { .. } | Step::StopExecution { .. } => Answer::Done,
            Step::StopDeployment { .. } | Step::Reverse(_) | Step::Await { .. } => {
                panic!("CodeDeploy moves nothing here: {step}")
            }
        }
    }

    /// One look, as the adapter looks: every two seconds, until there is no time for another.
    fn see(&self, see: &See, clock: Timestamp) -> Answer {
        let place = &see.target.place;
        let live = match self.sight(&see.target) {
            Sighting::Place(live) => live,
            Sighting::Alias(_) | Sighting::Missing | Sighting::Unseen { .. } => {
                return Answer::Raced(format!("{place} is gone"));
            }
        };
        let waiting = match place.way_to(&live.seen, &see.aim) {
            Way::There if see.not_before.is_none_or(|at| at <= clock) => return Answer::Done,
            Way::There => "a shift that is under way may still land".to_owned(),
            Way::Coming { what } => what,
            Way::Call { call, .. } if see.is_anothers => format!("another is to call {call}"),
            Way::Call { .. } | Way::Blocked(_) => {
                return Answer::Raced(format!("{place} serves {}", live.traffic));
            }
        };
        if clock + LOOK_EVERY >= see.until { Answer::Pending(waiting) } else { Answer::Waiting }
    }

    fn write(&mut self, write: &LedgerWrite) -> Answer {
        if let Some(release) = &write.release {
            let seq = self.record.release.as_ref().map_or(0, |release| release.seq);
            if seq + 1 != release.seq {
                return Answer::Raced("the ledger's record has changed since it was read".to_owned());
            }
            self.record.release = Some(release.clone());
        }
        for rollback in &write.rollbacks {
            let is_same = |other: &PastRollback| {
                other.generation == rollback.generation && other.target == rollback.target
            };
            self.record.rollbacks.retain(|other| !is_same(other));
            self.record.rollbacks.push(rollback.clone());
        }
        for good in &write.known_good {
            self.record.known_good.retain(|other| other.target != good.target);
            self.record.known_good.push(good.clone());
        }
        Answer::Done
    }

    fn hear(&mut self, heard: &Heard, now: Timestamp) -> Answer {
        let place = self.record.heard.iter_mut().find(|other| other.key == heard.key);
        match (place, heard.report) {
            (None, _) => self.record.heard.push(heard.clone()),
            (Some(place), Report::Sent { .. } | Report::NotDue) => *place = heard.clone(),
            (Some(place), Report::Leased { .. }) => match place.report {
                Report::Leased { until } if until <= now => *place = heard.clone(),
                Report::Leased { .. } | Report::Sent { .. } | Report::NotDue => {
                    return Answer::Raced("it is being answered by another".to_owned());
                }
            },
        }
        Answer::Done
    }
}

fn denied() -> Answer {
    Answer::Failed("AccessDenied".to_owned())
}

fn done(result: Result<(), &'static str>) -> Answer {
    result.map_or_else(|raced| Answer::Raced(raced.to_owned()), |()| Answer::Done)
}
