//! The calls of a shift, by what the target is: an alias is swapped from the revision that was seen, every other place is
//! claimed in the ledger first and looked at afterwards.

use std::borrow::Cow;

use jiff::SignedDuration;

use super::{Ask, Case, Refusal, Serving, ShiftRequest};
use crate::names::{TargetName, Weight};
use crate::place::{Aim, Place, Wanted, Way};
use crate::plan::{See, SetTraffic, Step, Steps, Turn};
use crate::registration::{Reach, Target};
use crate::release::{Change, Claim, Intent, Phase};
use crate::situation::{LiveAlias, Sighting, Situation};
use crate::traffic::Traffic;

/// A strategy without growth and bake is over within this.
const BEGUN_LOOK_MAX: SignedDuration = SignedDuration::from_secs(5);

/// The shift of a place that was begun and not confirmed, as a request to confirm it: AWS may take longer over it than an
/// invocation lives, and says when it has ended.
pub fn unconfirmed(situation: &Situation, place: &str) -> Option<ShiftRequest> {
    let record = &situation.record;
    let release = record.release.as_ref().filter(|release| release.phase == Phase::Shifting)?;
    let is_there = |change: &&Change| {
        let target = record.registration.target(&change.target);
        target.is_some_and(|target| target.place.to_string() == place)
    };
    let change = release.changes.iter().find(is_there)?;
    let weight = change.claim.map(|claim| claim.weight).filter(|weight| *weight != Weight::NONE)?;
    Some(ShiftRequest {
        service: record.registration.service.clone(),
        target: Some(change.target.clone()),
        ask: Ask::Stage { release: release.generation, weight },
        requested_by: Some(release.opened_by.clone()),
        override_reason: None,
        at_once: false,
    })
}

impl Case<'_> {
    /// The versions that a request names must be like those of the target: Lambda would take the name of an alias for the
    /// version behind it.
    pub(super) fn check_likeness(&self) -> Result<(), Refusal> {
        let named: Vec<_> = match &self.request.ask {
            Ask::Weights(list) => list.versions().collect(),
            Ask::Open { request, .. } => vec![request.version],
            Ask::Stage { .. } | Ask::Advance { .. } => Vec::new(),
        };
        match named.into_iter().find(|version| !self.target.place.has_versions_like(*version)) {
            Some(version) => Err(Refusal::VersionUnlike { place: self.target.place.to_string(), version }),
            None => self.check_driven(),
        }?;
        if self.request.at_once && self.target.configuration().is_none() {
            let why = format!("{} is no configuration, and has no strategy to go without", self.target.name);
            return Err(Refusal::Malformed { why });
        }
        Ok(())
    }

    /// Only an alias is driven by a state machine, because only its versions are counted apart.
    fn check_driven(&self) -> Result<(), Refusal> {
        let is_driven = match &self.request.ask {
            Ask::Open { .. } | Ask::Advance { .. } => true,
            Ask::Stage { .. } | Ask::Weights(_) => false,
        };
        match &self.target.place {
            Place::LambdaAlias(_) => Ok(()),
            Place::EcsService(_)
            | Place::LoadBalancer(_)
            | Place::ApiStage(_)
            | Place::Configuration(_)
            | Place::DnsRecords(_)
            | Place::Stack(_)
            | Place::StateMachineAlias(_)
                if is_driven =>
            {
                Err(Refusal::NotAnAlias { target: self.target.name.clone() })
            }
            Place::EcsService(_)
            | Place::LoadBalancer(_)
            | Place::ApiStage(_)
            | Place::Configuration(_)
            | Place::DnsRecords(_)
            | Place::Stack(_)
            | Place::StateMachineAlias(_) => Ok(()),
        }
    }

    /// Nothing is opened or shifted while an invocation is bringing a place back: its call may still land.
    pub(super) fn check_way_back(&self) -> Result<(), Refusal> {
        let changes = self.seen.situation.record.release.iter().flat_map(|release| &release.changes);
        let goes_back = |change: &&Change| change.claim.is_some_and(|claim| claim.weight == Weight::NONE);
        changes.filter(goes_back).try_for_each(|change| self.check_claim(change))
    }

    /// A place is moved by one invocation at a time: a claim that has not ended is another's.
    pub(super) fn check_claim(&self, change: &Change) -> Result<(), Refusal> {
        let others = change.claim.filter(|claim| claim.until != self.moment.lease_until);
        // A shift whose call has been made is over, though whoever made it may still be looking at it.
        let others = others.filter(|claim| claim.weight == Weight::NONE || !self.has_landed(change));
        // A shift whose claim a way back took over may still land, and would be taken for this one.
        let until = others.map(|claim| claim.shift_until.map_or(claim.until, |shift| shift.max(claim.until)));
        match until.filter(|until| self.moment.now < *until) {
            Some(until) => Err(Refusal::BeingMoved { target: change.target.clone(), until }),
            None => Ok(()),
        }
    }

    fn has_landed(&self, change: &Change) -> bool {
        let situation = &self.seen.situation;
        let target = situation.record.registration.target(&change.target);
        match (target, situation.live.get(&change.target)) {
            (Some(target), Some(Sighting::Place(live))) => {
                target.place.has_landed(&live.seen, change.candidate)
            }
            (_, _) => false,
        }
    }

    /// The change as it is written down before its target is touched.
    pub(super) fn intending(&self, change: &Change, weight: Weight) -> Change {
        match self.live {
            Serving::Alias(live) => {
                Change { intent: Some(Intent { weight, revision: live.revision.clone() }), ..change.clone() }
            }
            Serving::Place(_) => {
                let claim = Claim { weight, until: self.moment.lease_until, shift_until: None };
                Change { claim: Some(claim), ..change.clone() }
            }
        }
    }

    /// The calls that bring the target to what is wanted, and those that read it back.
    pub(super) fn traffic_rows(&self, change: Option<&Change>, wanted: Wanted) -> Result<Steps, Refusal> {
        match self.live {
            Serving::Alias(live) => Ok(self.alias_rows(live, change, wanted.traffic())),
            Serving::Place(live) => {
                let target = self.as_asked();
                match target.place.way_to(&live.seen, &Aim::Serve(wanted)) {
                    Way::There | Way::Coming { .. } => Ok(vec![vec![self.see(&target, wanted)]]),
                    Way::Call { call, .. } => {
                        let see = self.see_begun(&target, wanted);
                        let turn = Turn { target: target.into_owned(), call };
                        Ok(vec![vec![Step::Turn(Box::new(turn))], vec![see]])
                    }
                    Way::Blocked(why) => Err(Refusal::Blocked { target: self.target.name.clone(), why }),
                }
            }
        }
    }

    /// The target, with the strategy that was asked for.
    fn as_asked(&self) -> Cow<'_, Target> {
        match self.target.configuration() {
            Some(profile) if self.request.at_once => {
                let place = Place::Configuration(profile.at_once());
                Cow::Owned(Target { place, ..self.target.clone() })
            }
            Some(_) | None => Cow::Borrowed(self.target),
        }
    }

    /// Looking at what has just been begun. Most strategies of AppConfig take many minutes, and whoever waits for a part of them
    /// learns no more than that it has begun.
    fn see_begun(&self, target: &Target, wanted: Wanted) -> Step {
        let until = self.moment.looks_until();
        let soon = self.moment.now.saturating_add(BEGUN_LOOK_MAX).unwrap_or(until);
        let until = if target.configuration().is_some() { until.min(soon) } else { until };
        let (target, aim) = (target.clone(), Aim::Serve(wanted));
        Step::See(Box::new(See { target, aim, not_before: None, until, is_anothers: false }))
    }

    pub(super) fn reach_of(&self, target: &TargetName) -> Reach {
        let target = self.seen.situation.record.registration.target(target);
        target.map(|target| target.reach.clone()).unwrap_or_default()
    }

    fn alias_rows(&self, live: &LiveAlias, change: Option<&Change>, traffic: Traffic) -> Steps {
        let step = SetTraffic {
            target: self.target.name.clone(),
            reach: self.target.reach.clone(),
            function: live.function.clone(),
            alias: live.alias.clone(),
            traffic,
            was: live.traffic,
            revision: live.revision.clone(),
        };
        // An earlier shift may still be under way, and must not land after this one.
        if live.traffic != traffic || change.is_none_or(|change| change.may_still_shift(&live.revision)) {
            let confirm = step.confirm();
            vec![vec![Step::SetTraffic(step)], vec![confirm]]
        } else {
            vec![vec![step.confirm_unchanged()]]
        }
    }

    /// Looking at a place until it serves what is wanted, as long as this invocation can.
    pub(super) fn see(&self, target: &Target, wanted: Wanted) -> Step {
        Step::See(Box::new(See {
            target: target.clone(),
            aim: Aim::Serve(wanted),
            not_before: None,
            until: self.moment.looks_until(),
            is_anothers: false,
        }))
    }
}
