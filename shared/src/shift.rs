//! The decision to move a release's share of traffic: everything that Lambda would refuse is refused here first, and
//! everything that would move traffic behind the back of a rollback.
//!
//! A shift is fenced twice. It is written down as an intent, together with the alias's revision that it replaces, before
//! the alias is touched; and the alias is only updated from that revision. So a rollback that comes between makes the
//! shift fail, and the retry finds an alias that is neither as the ledger confirmed it nor as it intended: it stops.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decide::Moment;
use crate::names::{AliasName, Generation, ServiceName, TargetName, Version, Weight};
use crate::pipeline::{Onward, Run};
use crate::place::{LambdaAlias, Live, Wanted};
use crate::plan::Steps;
use crate::registration::Target;
use crate::release::{Change, Phase, Release};
use crate::situation::{LiveAlias, Sighting, Situation, VersionFacts};
use crate::traffic::{Traffic, WeightList};

mod books;
mod fitness;
mod pipeline;
mod place;
mod refusal;
mod request;

pub(crate) use fitness::{check_alike, check_quarantine, usable};
pub use place::unconfirmed;
pub use refusal::Refusal;
pub use request::{Ask, ShiftRequest};

/// What there is to decide a shift on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShiftSituation {
    /// The service and its targets.
    pub situation: Situation,
    /// What Lambda says of the versions involved; nothing for a version that does not exist.
    pub versions: BTreeMap<Version, Option<VersionFacts>>,
    /// The alias that protects the rollback target.
    pub pin: Option<LiveAlias>,
}

/// What is to be done to move traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// The release that moves, unless the alias is only tidied up.
    pub generation: Option<Generation>,
    /// What the alias will serve.
    pub traffic: Traffic,
    /// The calls to make, in order; none if everything is as asked.
    pub steps: Steps,
    /// Where the state machine goes from there, if one asked.
    pub onward: Option<Onward>,
}

/// How the names of aliases end that pin rollback targets.
pub const PIN_SUFFIX: &str = "-last-known-good";

/// The alias that keeps a rollback target from being deleted: Lambda refuses to delete a version that an alias names.
pub fn pin_alias(alias: &AliasName) -> Option<AliasName> {
    format!("{alias}{PIN_SUFFIX}").parse().ok()
}

/// The target that a request is about: the one it names, or the one that the state machine's release changes, or the only one.
pub fn target_of<'situation>(
    request: &ShiftRequest,
    situation: &'situation Situation,
) -> Result<&'situation Target, Refusal> {
    let targets = &situation.record.registration.targets;
    let driven = match &request.ask {
        Ask::Advance { .. } => situation.record.release.as_ref().and_then(Release::driven),
        Ask::Open { .. } | Ask::Stage { .. } | Ask::Weights(_) => None,
    };
    match (request.target.as_ref().or(driven), targets.as_slice()) {
        (Some(name), _) => targets.iter().find(|target| target.name == *name),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
    .ok_or_else(|| Refusal::TargetUnclear {
        named: request.target.clone(),
        targets: targets.iter().map(|target| target.name.clone()).collect(),
    })
}

/// The versions whose existence and fitness matter to a request.
pub fn versions_of(request: &ShiftRequest, situation: &Situation) -> Vec<Version> {
    let Ok(target) = target_of(request, situation) else { return Vec::new() };
    let mut versions: Vec<Version> = match &request.ask {
        Ask::Weights(list) => list.versions().collect(),
        Ask::Open { request, .. } => vec![request.version],
        Ask::Stage { .. } | Ask::Advance { .. } => Vec::new(),
    };
    // Weights need not name the version that an open release goes back to, and once it is moved the alias does not either.
    let open = situation.record.release.as_ref().filter(|release| match release.phase {
        Phase::Shifting | Phase::Held => true,
        Phase::Complete | Phase::RolledBack | Phase::RollbackFailed | Phase::Withdrawn => false,
    });
    let change = open.and_then(|release| release.change(&target.name));
    versions.extend(change.into_iter().flat_map(|change| [change.stable, change.candidate]));
    if target.lambda().is_none() {
        return Vec::new();
    }
    versions.extend(situation.live.get(&target.name).and_then(Sighting::traffic).map(|it| it.primary));
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// Decides how to bring a target's traffic to where the request wants it.
pub fn decide_shift(request: &ShiftRequest, seen: &ShiftSituation, moment: Moment) -> Result<Shift, Refusal> {
    let target = target_of(request, &seen.situation)?;
    refuse_beside_codedeploy(&seen.situation)?;
    let live = match seen.situation.live.get(&target.name) {
        Some(Sighting::Alias(live)) => Serving::Alias(live),
        Some(Sighting::Place(live)) => Serving::Place(live),
        Some(Sighting::Missing) | None => return Err(missing(target)),
        Some(Sighting::Unseen { why }) => return Err(Refusal::Unseen { why: why.clone() }),
    };
    let case = Case { request, seen, moment, target, live };
    case.check_likeness()?;
    case.check_way_back()?;
    match &request.ask {
        Ask::Stage { release, weight } => case.stage(*release, *weight),
        Ask::Weights(list) => case.weights(list),
        Ask::Open { request, execution } => case.open_run(request, execution),
        Ask::Advance { release, stage, approved_by } => {
            case.advance(*release, *stage, approved_by.as_deref())
        }
    }
}

/// An open release that CodeDeploy moves is moved by nobody else: CodeDeploy would fail at the next step, and put back what it
/// does not understand.
fn refuse_beside_codedeploy(situation: &Situation) -> Result<(), Refusal> {
    let release = situation.record.release.as_ref().filter(|release| release.phase == Phase::Shifting);
    match release.and_then(|release| Some((release.generation, release.deployment.as_ref()?))) {
        Some((generation, deployment)) => {
            Err(Refusal::DrivenByCodeDeploy { generation, deployment: deployment.id.clone() })
        }
        None => Ok(()),
    }
}

/// Whether a release that has given its candidate all traffic is complete. One that a state machine drives is watched
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completes {
    Now,
    No,
}

struct Case<'case> {
    request: &'case ShiftRequest,
    seen: &'case ShiftSituation,
    moment: Moment,
    target: &'case Target,
    live: Serving<'case>,
}

/// The target as it was seen.
#[derive(Clone, Copy)]
enum Serving<'case> {
    Alias(&'case LiveAlias),
    Place(&'case Live),
}

impl Serving<'_> {
    fn traffic(self) -> Traffic {
        match self {
            Self::Alias(live) => live.traffic,
            Self::Place(live) => live.traffic,
        }
    }
}

fn missing(target: &Target) -> Refusal {
    match target.lambda() {
        Some(LambdaAlias { function, alias }) => {
            Refusal::AliasMissing { function: function.clone(), alias: alias.clone() }
        }
        None => Refusal::PlaceMissing { place: target.place.to_string() },
    }
}

impl Case<'_> {
    fn stage(&self, generation: Generation, weight: Weight) -> Result<Shift, Refusal> {
        let (release, change) = self.latest(generation)?;
        self.further(release, change, weight)
    }

    /// The latest release, which must be the one that is meant, and what it does to the target.
    fn latest(&self, generation: Generation) -> Result<(&Release, &Change), Refusal> {
        let latest = self.seen.situation.record.release.as_ref();
        let release = latest.filter(|release| release.generation == generation).ok_or_else(|| {
            Refusal::OtherRelease { asked: generation, latest: latest.map(|latest| latest.generation) }
        })?;
        match release.change(&self.target.name) {
            Some(change) => Ok((release, change)),
            None => Err(Refusal::TargetUntouched { generation, target: self.target.name.clone() }),
        }
    }

    fn weights(&self, list: &WeightList) -> Result<Shift, Refusal> {
        let release = self.seen.situation.record.release.as_ref();
        let change = release.and_then(|release| Some((release, release.change(&self.target.name)?)));
        if let Some((release, change)) = change {
            let ours = list.versions().all(|version| version == change.stable || version == change.candidate);
            match release.phase {
                Phase::Shifting if ours => {
                    return self.further(release, change, list.share_of(change.candidate));
                }
                Phase::Shifting => {
                    return Err(Refusal::ReleaseOpen {
                        generation: release.generation,
                        stable: change.stable,
                        candidate: change.candidate,
                    });
                }
                Phase::Complete
                | Phase::RolledBack
                | Phase::RollbackFailed
                | Phase::Held
                | Phase::Withdrawn => {}
            }
        }
        self.open(list)
    }

    /// Takes the open release to another weight.
    fn further(&self, release: &Release, change: &Change, weight: Weight) -> Result<Shift, Refusal> {
        let wanted = Traffic::split(change.stable, change.candidate, weight);
        match release.phase {
            Phase::Shifting => {}
            Phase::Complete if weight == Weight::ALL && self.live.traffic().is_like(&wanted) => {
                return Ok(Shift { generation: Some(release.generation), ..nothing_to_do(wanted) });
            }
            Phase::Held if self.request.override_reason.is_some() => {}
            Phase::Held => return Err(self.held(release)),
            Phase::Complete | Phase::RolledBack | Phase::RollbackFailed | Phase::Withdrawn => {
                return Err(Refusal::Closed {
                    generation: release.generation,
                    phase: release.phase,
                    because: release.ended_because.clone(),
                });
            }
        }
        let settled = change.weight == weight && change.intent.is_none() && change.claim.is_none();
        if settled && self.live.traffic().is_like(&wanted) && release.phase == Phase::Shifting {
            return Ok(Shift { generation: Some(release.generation), ..nothing_to_do(wanted) });
        }
        // A state machine judges a stage by the weight that it planned, so nobody moves its target beside it. Only who completes
        // the release leaves it nothing to judge.
        let is_driven = release.phase == Phase::Shifting && release.driven() == Some(&change.target);
        if is_driven && (weight != Weight::ALL || self.request.override_reason.is_none()) {
            return Err(Refusal::Driven { generation: release.generation });
        }
        self.check_drift(change, wanted)?;
        self.check_versions(change.stable, change.candidate, weight)?;
        // A person who gives the candidate everything completes the release, state machine or not.
        let completes = if weight == Weight::ALL { Completes::Now } else { Completes::No };
        self.moved(release.clone(), change.clone(), weight, completes)
    }

    /// Opens a release, or joins this target to the open one, or tidies up an alias that serves leftovers.
    fn open(&self, list: &WeightList) -> Result<Shift, Refusal> {
        let record = &self.seen.situation.record;
        let stable = self.live.traffic().primary;
        let overridden = self.request.override_reason.is_some();
        let mut others =
            list.versions().filter(|version| *version != stable && list.share_of(*version) != Weight::NONE);
        let candidate = others.next();
        let Some(candidate) = candidate else { return self.tidy_up(stable) };
        // A version that is to go to nothing is one that was taken for the one being served.
        let is_stale = |version: Version| version != stable && list.share_of(version) == Weight::NONE;
        if others.next().is_some() || list.versions().any(is_stale) {
            return Err(Refusal::StableNotServing { serving: self.live.traffic() });
        }
        let weight = list.share_of(candidate);
        self.check_before_opening(overridden)?;
        self.check_versions(stable, candidate, weight)?;
        let release = Release { run: self.own_run(record.release.as_ref()), ..self.opened() };
        let completes = if weight == Weight::ALL { Completes::Now } else { Completes::No };
        self.moved(release, self.fresh_change(stable, candidate), weight, completes)
    }

    /// A joined release keeps the execution that drives it.
    fn own_run(&self, latest: Option<&Release>) -> Option<Box<Run>> {
        latest.filter(|release| !has_ended(release.phase)).and_then(|release| release.run.clone())
    }

    /// Nothing may open on a service that a person has to look at first, or on an alias that serves leftovers.
    fn check_before_opening(&self, overridden: bool) -> Result<(), Refusal> {
        let latest = self.seen.situation.record.release.as_ref();
        if let Some(release) = latest {
            match release.phase {
                Phase::Held if !overridden => return Err(self.held(release)),
                Phase::RollbackFailed => return Err(self.held(release)),
                Phase::Held | Phase::Shifting | Phase::Complete | Phase::RolledBack | Phase::Withdrawn => {}
            }
        }
        if !overridden {
            self.check_completed(latest)?;
        }
        if self.live.traffic().secondary.is_some() && !overridden {
            return Err(Refusal::LeftoverWeights { serving: self.live.traffic() });
        }
        Ok(())
    }

    fn fresh_change(&self, stable: Version, candidate: Version) -> Change {
        Change {
            target: self.target.name.clone(),
            stable,
            candidate,
            artefact: self.facts(candidate).map(|facts| facts.code_sha256.clone()),
            weight: Weight::NONE,
            intent: None,
            claim: None,
        }
    }

    /// Everything on the version that is the primary already: no release, only the end of leftover weights.
    fn tidy_up(&self, primary: Version) -> Result<Shift, Refusal> {
        let wanted = Traffic::all_on(primary);
        if self.live.traffic().is_like(&wanted) {
            return Ok(nothing_to_do(wanted));
        }
        self.check_barrier(wanted)?;
        let leftover = self.live.traffic().secondary.map_or(primary, |(version, _)| version);
        let steps = self.traffic_rows(None, Wanted::back(primary, leftover))?;
        Ok(Shift { steps, ..nothing_to_do(wanted) })
    }

    /// What a rollback may not do, a shift does not do either: give more traffic to a version from before a migration.
    fn check_barrier(&self, wanted: Traffic) -> Result<(), Refusal> {
        let (live, registration) = (self.live.traffic(), &self.seen.situation.record.registration);
        let gaining = wanted.versions().filter(|version| wanted.share_of(*version) > live.share_of(*version));
        let crossing = |to| {
            let crossed = |from| Some((from, registration.barrier_between(&self.target.name, from, to)?));
            live.versions().find_map(crossed).map(|(from, barrier)| (from, to, barrier))
        };
        match gaining.into_iter().find_map(crossing) {
            Some((from, to, barrier)) if self.request.override_reason.is_none() => {
                Err(Refusal::PastBarrier {
                    from,
                    to,
                    since: barrier.since_version,
                    migration: barrier.reason.clone(),
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A release that took all traffic must still have it, on every target. If not, a rollback may be under way that the ledger
    /// does not know of yet, and the candidate of the next release may be the very version that it takes back. Whoever opens
    /// that release leaves it half done besides: its signal is older than the new release.
    fn check_completed(&self, latest: Option<&Release>) -> Result<(), Refusal> {
        let complete = latest.filter(|release| release.phase == Phase::Complete);
        for change in complete.iter().flat_map(|release| &release.changes) {
            let sighting = self.seen.situation.live.get(&change.target);
            // One that could not be looked at may be going back, too.
            if let Some(Sighting::Unseen { why }) = sighting {
                return Err(Refusal::Unseen { why: why.clone() });
            }
            let serving = sighting.and_then(Sighting::traffic);
            if let Some(serving) = serving.filter(|serving| serving.primary != change.candidate) {
                let confirmed = Traffic::all_on(change.candidate);
                return Err(Refusal::Drifted { serving, confirmed, intended: None });
            }
        }
        Ok(())
    }

    /// The target must be as the ledger last confirmed it, or as an unfinished shift of ours left it.
    fn check_drift(&self, change: &Change, wanted: Traffic) -> Result<(), Refusal> {
        let serving = self.live.traffic();
        let at = |weight| Traffic::split(change.stable, change.candidate, weight);
        let intended = match self.live {
            Serving::Alias(live) => match &change.intent {
                Some(intent) if live.revision == intent.revision => return Ok(()),
                intent => intent.as_ref().map(|intent| intent.weight),
            },
            Serving::Place(_) => {
                self.check_claim(change)?;
                change.claim.map(|claim| claim.weight)
            }
        };
        let confirmed = at(change.weight);
        let is_expected = match intended {
            // An alias that has another revision than the intent's, and not its weight, was touched by somebody else.
            Some(weight) if matches!(self.live, Serving::Alias(_)) => serving.is_like(&at(weight)),
            Some(weight) => serving.is_like(&confirmed) || serving.is_like(&at(weight)),
            None => serving.is_like(&confirmed),
        };
        if is_expected || serving.is_like(&wanted) {
            Ok(())
        } else {
            Err(Refusal::Drifted { serving, confirmed, intended })
        }
    }

    fn check_versions(&self, stable: Version, candidate: Version, weight: Weight) -> Result<(), Refusal> {
        if weight == Weight::NONE {
            return Ok(());
        }
        if let Serving::Alias(_) = self.live {
            self.check_alike(stable, candidate)?;
        }
        if self.request.override_reason.is_some() { Ok(()) } else { self.check_quarantine(candidate) }
    }

    /// Both versions exist, can serve, and are alike enough for one alias.
    fn check_alike(&self, stable: Version, candidate: Version) -> Result<(), Refusal> {
        let LambdaAlias { function, .. } = self.target.lambda().ok_or_else(|| missing(self.target))?;
        let usable = |version| usable(function, version, self.facts(version));
        check_alike(usable(stable)?, usable(candidate)?)
    }

    fn check_quarantine(&self, candidate: Version) -> Result<(), Refusal> {
        let code = self.facts(candidate).map(|facts| facts.code_sha256.as_str());
        let record = &self.seen.situation.record;
        check_quarantine(record, &self.target.name, candidate, code, self.moment.now)
    }

    fn facts(&self, version: Version) -> Option<&VersionFacts> {
        self.seen.versions.get(&version)?.as_ref()
    }

    fn held(&self, release: &Release) -> Refusal {
        Refusal::Held {
            generation: release.generation,
            phase: release.phase,
            because: release.ended_because.clone().unwrap_or_default(),
        }
    }
}

fn nothing_to_do(traffic: Traffic) -> Shift {
    Shift { generation: None, traffic, steps: Vec::new(), onward: None }
}

/// Whether a release has ended, so that the next one may open.
fn has_ended(phase: Phase) -> bool {
    match phase {
        Phase::Complete | Phase::RolledBack | Phase::Held | Phase::RollbackFailed | Phase::Withdrawn => true,
        Phase::Shifting => false,
    }
}

/// What a released service's name and moment make of a new release; see [`books`].
pub(crate) fn fresh(
    service: ServiceName,
    after: Option<&Release>,
    opened_by: String,
    now: Timestamp,
) -> Release {
    Release {
        service,
        generation: after.map_or(Generation(1), |before| before.generation.next()),
        seq: after.map_or(0, |before| before.seq),
        phase: Phase::Shifting,
        // Clocks differ a little. A release is never older than the end of the one before it, so that the signals of that
        // one are older than this one.
        opened_at: after.map_or(now, |before| now.max(before.ended_at.unwrap_or(before.opened_at))),
        opened_by,
        changes: Vec::new(),
        ended_at: None,
        ended_because: None,
        report: crate::release::Report::NotDue,
        traffic_at: None,
        going_back: None,
        cord: None,
        commit: None,
        run: None,
        deployment: None,
    }
}

/// The names of targets, for messages.
fn list_of(targets: &[TargetName]) -> String {
    targets.iter().map(TargetName::as_str).collect::<Vec<_>>().join(", ")
}
