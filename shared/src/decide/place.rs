//! The targets that are no aliases of functions, on the way back. AWS compares nothing when they are moved, so what would do
//! something again is claimed in the ledger first, and what was done is recognised by looking.

use super::{Case, Decision, Survey, stand_down};
use crate::names::{TargetName, Version, Weight};
use crate::place::{Aim, Call, Live, Place, Seen, Wanted, Way};
use crate::plan::{LedgerWrite, See, Step, Steps, Turn};
use crate::reason::Reason;
use crate::registration::Target;
use crate::release::{Change, Claim, Phase, Release};
use crate::signal::{Arrival, TakenBack};
use crate::situation::Sighting;
use crate::traffic::Traffic;

/// How one place stands to where it should be.
pub(super) struct PlaceSurvey {
    target: Target,
    was: Traffic,
    /// The call that brings it there, and whether it is claimed first. None where it is there, or on its way.
    call: Option<(Call, bool)>,
    /// Whether it is where it should be, and nothing is under way there.
    is_there: bool,
    /// Looking at it afterwards.
    see: See,
}

impl PlaceSurvey {
    /// The call, if it is one that is claimed first, or one that is not.
    fn call_that(&self, is_claimed: bool) -> Option<Step> {
        let (call, claimed) = self.call.as_ref()?;
        let turn = || Turn { target: self.target.clone(), call: call.clone() };
        (*claimed == is_claimed).then(|| Step::Turn(Box::new(turn())))
    }

    fn changes_nothing(&self) -> bool {
        self.call.is_none() && self.see.not_before.is_none()
    }
}

impl Survey {
    /// Whether every target is where it should be. One that is on its way there is not moved by us, and not there yet.
    pub(super) fn moves_nothing(&self) -> bool {
        self.moves.is_empty() && self.places.iter().all(PlaceSurvey::changes_nothing)
    }

    /// Whether every target is where it should be, and nobody is bringing one there.
    pub(super) fn is_at_rest(&self) -> bool {
        self.moves_nothing() && self.places.iter().all(|place| place.is_there)
    }

    /// A target that serves what it should.
    pub(super) fn first_there(&self) -> Option<(&TargetName, Traffic)> {
        let alias = self.resting.first().map(|step| (&step.target, step.traffic));
        alias.or_else(|| self.places.first().map(|place| (&place.target.name, place.was)))
    }

    /// The release with a claim on every place of it that is moved, one write further; nothing where none is to be written. A
    /// call that needs no claim does not wait for it, and is noted all the same: nobody opens or shifts anything beside it. What
    /// is noted already, by this invocation or by another that brings the place back, is not noted again: whoever makes that
    /// call must not lose the race for the books over and over.
    pub(super) fn claimed(&self, release: &Release, until: jiff::Timestamp) -> Option<Release> {
        let mut after = Release { seq: release.seq + 1, ..release.clone() };
        for change in &mut after.changes {
            let places = || self.places.iter().filter(|place| place.target.name == change.target);
            let is_moved = places().any(|place| place.call.is_some());
            if is_moved && !places().any(|place| place.see.is_anothers) {
                let shift_until = places().filter_map(|place| place.see.not_before).max();
                change.claim = Some(Claim { weight: Weight::NONE, until, shift_until });
            }
        }
        (after.changes != release.changes).then_some(after)
    }

    /// The rows of calls that move traffic: turn after turn, and within a turn everything at once. What is claimed waits for the
    /// claim, which is written together with what needs none.
    pub(super) fn calls(&self, turn_of: impl Fn(&TargetName) -> u8, claim: Option<Release>) -> Steps {
        let mut claim = claim.map(|release| Step::Write(Box::new(LedgerWrite::of(release))));
        let aliases = || self.moves.iter().chain(&self.fences);
        let mut turns: Vec<u8> = aliases().map(|step| turn_of(&step.target)).collect();
        turns.extend(self.places.iter().map(|place| place.target.turn));
        turns.sort_unstable();
        turns.dedup();
        let mut rows = Steps::new();
        for turn in turns {
            let places = || self.places.iter().filter(|place| place.target.turn == turn);
            let at_once =
                aliases().filter(|step| turn_of(&step.target) == turn).cloned().map(Step::SetTraffic);
            let at_once = at_once.chain(places().filter_map(|place| place.call_that(false)));
            rows.push(claim.take().into_iter().chain(at_once).collect());
            rows.push(places().filter_map(|place| place.call_that(true)).collect());
        }
        rows
    }

    /// Looking at every place, once traffic was moved.
    pub(super) fn looks(&self) -> impl Iterator<Item = Step> {
        self.places.iter().map(|place| Step::See(Box::new(place.see.clone())))
    }
}

impl Case<'_> {
    /// Something under way at a place has ended. If it was a way back that took longer than its invocation lived, the books are
    /// closed now; else it was none of our business.
    pub(super) fn on_arrival(&self, arrival: &Arrival) -> Decision {
        let nothing = || stand_down(Reason::NothingGoesBack { place: arrival.place.clone() });
        let Some(release) = &self.situation.record.release else { return nothing() };
        // What ended before the release was opened was no way back of it. The event may come hours late.
        if let Some(predates) = self.predates(release) {
            return stand_down(predates);
        }
        match (&release.going_back, release.phase) {
            (Some(going_back), Phase::Shifting | Phase::Complete | Phase::RollbackFailed | Phase::Held) => {
                let (generation, why) = (release.generation, going_back.why.clone());
                self.put_back(release, going_back.to, Reason::CordPulled { generation, why })
            }
            (None, Phase::Shifting | Phase::Complete | Phase::RollbackFailed | Phase::Held) => {
                match self.taken_back(release, arrival) {
                    Some(reason) => self.put_back(release, None, reason),
                    None => nothing(),
                }
            }
            (_, Phase::RolledBack) => self.unfinished_report(release).unwrap_or_else(nothing),
            (_, Phase::Withdrawn) => nothing(),
        }
    }

    /// Why a release goes back of which AppConfig has taken back a part, if that is what an event says and what is there shows it.
    /// What else the release has changed goes back as well: a release stands as a whole, or not at all.
    fn taken_back(&self, release: &Release, arrival: &Arrival) -> Option<Reason> {
        let TakenBack { deployment, why, by_alarm: _ } = arrival.taken_back.clone()?;
        let is_gone = release.changes.iter().any(|change| {
            let target = self.situation.record.registration.target(&change.target);
            let is_there = target.is_some_and(|target| target.place.to_string() == arrival.place);
            match self.situation.live.get(&change.target) {
                Some(Sighting::Place(live)) if is_there => match &live.seen {
                    Seen::Configuration(seen) => seen.has_taken_back(deployment, change.candidate),
                    Seen::EcsService(_)
                    | Seen::LoadBalancer(_)
                    | Seen::ApiStage(_)
                    | Seen::DnsRecords(_)
                    | Seen::Stack(_)
                    | Seen::StateMachineAlias(_) => false,
                },
                Some(
                    Sighting::Place(_) | Sighting::Alias(_) | Sighting::Missing | Sighting::Unseen { .. },
                )
                | None => false,
            }
        });
        is_gone.then_some(Reason::TakenBackByAppConfig { generation: release.generation, deployment, why })
    }

    /// Surveys a place that a release has changed.
    pub(super) fn survey_place(
        &self,
        survey: &mut Survey,
        change: &Change,
        live: &Live,
        to: Option<Version>,
    ) {
        let stable = to.unwrap_or(change.stable);
        let Some(target) = self.situation.record.registration.target(&change.target) else {
            survey.hindrances.push(Reason::TargetMissing { target: change.target.clone() });
            return;
        };
        let aim = Aim::Serve(Wanted::back(stable, change.candidate));
        let is_moved = self.survey_aim(survey, target, live, aim, Some(change));
        if is_moved && survey.ruled_out.is_none() {
            survey.ruled_out = self
                .barrier(&target.name, live.traffic, stable)
                .or_else(|| self.drifted(change, live.traffic));
        }
    }

    /// Surveys a place that no release has changed, which a person wants on a version.
    pub(super) fn survey_unreleased(
        &self,
        survey: &mut Survey,
        target: &Target,
        live: &Live,
        version: Version,
    ) {
        let other = live.traffic.versions().find(|serving| *serving != version).unwrap_or(version);
        let aim = Aim::Serve(Wanted::back(version, other));
        if self.survey_aim(survey, target, live, aim, None) && survey.ruled_out.is_none() {
            survey.ruled_out = self.barrier(&target.name, live.traffic, version);
        }
    }

    /// The flags that go off on every way back of the service, whatever the release has changed.
    pub(super) fn survey_flags(&self, survey: &mut Survey) {
        for target in &self.situation.record.registration.targets {
            let has_flags = match &target.place {
                Place::Configuration(profile) => !profile.flags_off.is_empty(),
                Place::LambdaAlias(_)
                | Place::EcsService(_)
                | Place::LoadBalancer(_)
                | Place::ApiStage(_)
                | Place::DnsRecords(_)
                | Place::Stack(_)
                | Place::StateMachineAlias(_) => false,
            };
            match self.situation.live.get(&target.name) {
                _ if !has_flags => {}
                Some(Sighting::Place(live)) => {
                    let is_moved = survey.places.iter().any(|it| it.target == *target && it.call.is_some());
                    self.survey_aim(survey, target, live, Aim::FlagsOff, None);
                    // One call at a time: what goes back as a whole is looked at again, and its flags go off then.
                    if let Some(flags) = survey.places.last_mut().filter(|_| is_moved) {
                        flags.call = None;
                    }
                }
                Some(Sighting::Unseen { why }) => {
                    let why = why.clone();
                    survey.hindrances.push(Reason::TargetUnseen { target: target.name.clone(), why });
                }
                Some(Sighting::Alias(_) | Sighting::Missing) | None => {
                    survey.hindrances.push(Reason::TargetMissing { target: target.name.clone() });
                }
            }
        }
    }

    /// Surveys one place; whether it has to be moved.
    fn survey_aim(
        &self,
        survey: &mut Survey,
        target: &Target,
        live: &Live,
        aim: Aim,
        change: Option<&Change>,
    ) -> bool {
        let may_land = |change: &&Change| !target.place.has_landed(&live.seen, change.candidate);
        let not_before = change.filter(may_land).and_then(|change| change.shifts_until(self.moment.now));
        // Also a release that has ended may have a claim of somebody whose call is under way. Flags are nobody's alone.
        let release = self.situation.record.release.as_ref();
        let claim = release.and_then(|release| release.change(&target.name)?.claim);
        let is_anothers = matches!(aim, Aim::Serve(_)) && claim.is_some_and(|claim| self.is_anothers(&claim));
        // Where versions take turns, what is served may belong to a release that was opened since the ledger was read, and
        // nothing tells. Only the claim does: it is written over what was read.
        let takes_turns = target.place.versions_take_turns();
        let way = target.place.way_to(&live.seen, &aim);
        let is_there = way == Way::There;
        let call = match way {
            Way::There | Way::Coming { .. } => None,
            // Whoever holds the claim makes the call; if they have died, a retry finds the claim over.
            Way::Call { is_claimed, .. } if is_anothers && (is_claimed || takes_turns) => None,
            Way::Call { call, is_claimed } => Some((call, is_claimed || takes_turns)),
            Way::Blocked(why) => {
                let target = target.name.clone();
                survey.hindrances.push(Reason::NoWayBack { target, serving: live.traffic, why });
                return false;
            }
        };
        let see =
            See { target: target.clone(), aim, not_before, until: self.moment.looks_until(), is_anothers };
        let is_moved = call.is_some();
        survey.places.push(PlaceSurvey { target: target.clone(), was: live.traffic, call, is_there, see });
        is_moved
    }

    /// Whether another invocation is bringing a place back just now.
    pub(super) fn is_anothers(&self, claim: &Claim) -> bool {
        claim.weight == Weight::NONE
            && self.moment.now < claim.until
            && claim.until != self.moment.lease_until
    }

    /// The version that a person names must be like those of the service's target: Lambda would take the name of an alias for
    /// the version behind it.
    pub(super) fn unlike(&self, version: Version) -> Option<Reason> {
        let mut targets = self.situation.record.registration.targets.iter();
        let unlike = targets.find(|target| !target.place.has_versions_like(version))?;
        Some(Reason::VersionUnlike { version, place: unlike.place.to_string() })
    }
}
