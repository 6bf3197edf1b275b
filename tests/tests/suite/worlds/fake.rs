//! The fake ledger, aliases and topic that steps are taken in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord::deployment::Deployments;
use ripcord::evidence::Evidence;
use ripcord::names::{AliasName, FunctionName, RevisionId, TargetName, Version};
use ripcord::notice::Notice;
use ripcord::place::LambdaAlias;
use ripcord::plan::{LedgerWrite, Step, Steps};
use ripcord::registration::Target;
use ripcord::release::{KnownGood, PastRollback, Release, Report};
use ripcord::shift::{ShiftRequest, ShiftSituation, pin_alias, target_of, versions_of};
use ripcord::situation::{Heard, LiveAlias, ServiceRecord, Sighting, Situation, VersionFacts};
use ripcord::traffic::Traffic;

use super::{at, lambda, registration, target, traffic, v};

/// Why a call had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// Its precondition did not hold: somebody else came first.
    Raced(String),
    /// It failed for good.
    Failed(String),
}

/// A change of an alias's traffic that took place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    pub(crate) target: TargetName,
    pub(crate) before: Traffic,
    pub(crate) after: Traffic,
}

/// The ledger of one service, its aliases, and what people were told.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) record: ServiceRecord,
    pub(crate) aliases: BTreeMap<(FunctionName, AliasName), LiveAlias>,
    pub(crate) versions: BTreeMap<Version, VersionFacts>,
    /// Aliases that cannot be looked at, with the reason.
    pub(crate) unseen: BTreeMap<TargetName, String>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) moved: Vec<Moved>,
    /// Executions that were told to end.
    pub(crate) stopped: Vec<String>,
    updates: u64,
}

impl World {
    /// A service with one alias, all on version 1, which is known to be good; nothing was ever released.
    pub(crate) fn checkout() -> Self {
        Self::of(&["api"])
    }

    /// A service whose aliases are all on version 1. Versions 1 to 9 exist.
    pub(crate) fn of(targets: &[&str]) -> Self {
        let registration = registration(targets);
        let good =
            |target: &Target| KnownGood { target: target.name.clone(), version: v(1), since: at("00:00:00") };
        let facts = |number| VersionFacts {
            version: v(number),
            code_sha256: format!("sha-{number}"),
            state: Some("Active".to_owned()),
            role: Some("role".to_owned()),
            dead_letter: None,
            timeout_seconds: 10,
        };
        let mut world = Self {
            record: ServiceRecord {
                known_good: registration.targets.iter().map(good).collect(),
                registration,
                registration_version: 1,
                release: None,
                rollbacks: Vec::new(),
                heard: Vec::new(),
            },
            aliases: BTreeMap::new(),
            versions: (1..=9).map(|number| (v(number), facts(number))).collect(),
            unseen: BTreeMap::new(),
            notices: Vec::new(),
            evidence: Vec::new(),
            moved: Vec::new(),
            stopped: Vec::new(),
            updates: 0,
        };
        for name in targets {
            world.serve(name, "1:100");
        }
        world
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn released(mut self, release: Release) -> Self {
        self.record.release = Some(release);
        self
    }

    pub(crate) fn serving(mut self, weights: &str) -> Self {
        self.serve("api", weights);
        self
    }

    /// Somebody sets an alias's traffic, whatever it was.
    pub(crate) fn serve(&mut self, target_name: &str, weights: &str) {
        self.set_alias(&target(target_name), traffic(weights));
    }

    pub(crate) fn set_alias(&mut self, target: &Target, traffic: Traffic) {
        let LambdaAlias { function, alias } = target.lambda().unwrap();
        let revision = self.next_revision();
        let live = LiveAlias { function: function.clone(), alias: alias.clone(), traffic, revision };
        self.aliases.insert((function.clone(), alias.clone()), live);
    }

    pub(crate) fn forget_alias(&mut self, target_name: &str) {
        let LambdaAlias { function, alias } = lambda(target_name, "live");
        self.aliases.remove(&(function, alias));
    }

    /// The alias behind a target.
    pub(crate) fn live(&self, target_name: &str) -> &LiveAlias {
        let LambdaAlias { function, alias } = lambda(target_name, "live");
        &self.aliases[&(function, alias)]
    }

    /// What a look at a target shows.
    pub(crate) fn sight(&self, target: &Target) -> Sighting {
        if let Some(why) = self.unseen.get(&target.name) {
            return Sighting::Unseen { why: why.clone() };
        }
        let LambdaAlias { function, alias } = target.lambda().unwrap().clone();
        let live = self.aliases.get(&(function, alias));
        live.map_or(Sighting::Missing, |live| Sighting::Alias(live.clone()))
    }

    pub(crate) fn situation(&self) -> Situation {
        let targets = &self.record.registration.targets;
        Situation {
            live: targets.iter().map(|target| (target.name.clone(), self.sight(target))).collect(),
            record: self.record.clone(),
            deployments: Deployments::default(),
        }
    }

    /// What the shifter observes for a request.
    pub(crate) fn shift_situation(&self, request: &ShiftRequest) -> ShiftSituation {
        self.shift_situation_of(request, self.situation())
    }

    pub(crate) fn shift_situation_of(&self, request: &ShiftRequest, situation: Situation) -> ShiftSituation {
        let versions = versions_of(request, &situation);
        let pin = target_of(request, &situation).ok().and_then(|target| {
            let LambdaAlias { function, alias } = target.lambda()?;
            self.aliases.get(&(function.clone(), pin_alias(alias)?)).cloned()
        });
        ShiftSituation {
            versions: versions.into_iter().map(|it| (it, self.versions.get(&it).cloned())).collect(),
            pin,
            situation,
        }
    }

    /// Takes all steps in order, and stops at the first that is interrupted.
    pub(crate) fn take(&mut self, steps: &Steps) -> Result<(), Interruption> {
        steps.iter().flatten().try_for_each(|step| self.apply(step))
    }

    /// One call, with the precondition that AWS checks.
    pub(crate) fn apply(&mut self, step: &Step) -> Result<(), Interruption> {
        match step {
            Step::SetTraffic(set) => {
                let before =
                    self.update_alias(&set.function, &set.alias, set.traffic, Some(&set.revision))?;
                let (target, after) = (set.target.clone(), set.traffic);
                self.moved.push(Moved { target, before, after });
                Ok(())
            }
            Step::Confirm { function, alias, traffic, revision, .. } => {
                match self.aliases.get(&(function.clone(), alias.clone())) {
                    None => Err(raced("the alias is gone")),
                    Some(live) if live.traffic != *traffic => Err(raced("the alias serves something else")),
                    Some(live) if revision.as_ref().is_some_and(|seen| *seen != live.revision) => {
                        Err(raced("the alias has changed since it was seen"))
                    }
                    Some(_) => Ok(()),
                }
            }
            Step::Pin { function, alias, version, replaces, .. } => {
                let exists = self.aliases.contains_key(&(function.clone(), alias.clone()));
                if replaces.is_none() && exists {
                    return Err(raced("the pin exists by now"));
                }
                if replaces.is_none() {
                    let (traffic, revision) = (Traffic::all_on(*version), self.next_revision());
                    let live =
                        LiveAlias { function: function.clone(), alias: alias.clone(), traffic, revision };
                    self.aliases.insert((function.clone(), alias.clone()), live);
                    return Ok(());
                }
                self.update_alias(function, alias, Traffic::all_on(*version), replaces.as_ref()).map(drop)
            }
            Step::Turn(_) | Step::See(_) => panic!("this world has no place but aliases: {step}"),
            Step::StopDeployment { .. } | Step::Reverse(_) | Step::Await { .. } => {
                panic!("no deployment moves the traffic of this world: {step}")
            }
            Step::Write(write) => self.write(write),
            Step::Hear { heard, now, .. } => self.hear(heard, *now),
            Step::Tell(notice) => {
                self.notices.push((**notice).clone());
                Ok(())
            }
            Step::StopExecution { execution, .. } => {
                self.stopped.push(execution.clone());
                Ok(())
            }
            // What a version had logged and what was found change nothing that is decided on.
            Step::KeepLogs(_) | Step::Note(_) => Ok(()),
        }
    }

    fn update_alias(
        &mut self,
        function: &FunctionName,
        alias: &AliasName,
        traffic: Traffic,
        expected: Option<&RevisionId>,
    ) -> Result<Traffic, Interruption> {
        let revision = self.next_revision();
        match self.aliases.get_mut(&(function.clone(), alias.clone())) {
            None => Err(Interruption::Failed(format!("{function}:{alias} does not exist"))),
            Some(live) if expected.is_some_and(|expected| *expected != live.revision) => {
                Err(raced("the alias has changed since it was seen"))
            }
            Some(live) => {
                live.revision = revision;
                Ok(std::mem::replace(&mut live.traffic, traffic))
            }
        }
    }

    fn write(&mut self, write: &LedgerWrite) -> Result<(), Interruption> {
        if let Some(release) = &write.release {
            let seq = self.record.release.as_ref().map_or(0, |release| release.seq);
            if seq + 1 != release.seq {
                return Err(raced("the ledger's record has changed since it was read"));
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
        self.evidence.extend(write.evidence.clone());
        Ok(())
    }

    fn hear(&mut self, heard: &Heard, now: Timestamp) -> Result<(), Interruption> {
        let place = self.record.heard.iter_mut().find(|other| other.key == heard.key);
        match (place, heard.report) {
            (None, _) => self.record.heard.push(heard.clone()),
            (Some(place), Report::Sent { .. } | Report::NotDue) => *place = heard.clone(),
            (Some(place), Report::Leased { .. }) => match place.report {
                Report::Leased { until } if until <= now => *place = heard.clone(),
                Report::Leased { .. } | Report::Sent { .. } | Report::NotDue => {
                    return Err(raced("it is being answered by another"));
                }
            },
        }
        Ok(())
    }

    fn next_revision(&mut self) -> RevisionId {
        self.updates += 1;
        format!("r{}", self.updates).parse().unwrap()
    }
}

fn raced(what: &str) -> Interruption {
    Interruption::Raced(what.to_owned())
}
