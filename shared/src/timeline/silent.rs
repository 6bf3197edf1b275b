//! Silent rollbacks: AWS went back by itself, and no release in the ledger says so.
//!
//! They are found from what is kept, whenever it is looked at, so it does not matter in which order it arrived.

use jiff::{SignedDuration, Timestamp};

use super::{Meaning, Moment, Source, Told, What};
use crate::names::Generation;
use crate::release::{Phase, PulledBy, Release};

/// A rollback that nobody has booked.
#[derive(Clone, Debug, PartialEq)]
pub struct Silent {
    /// AWS's word.
    pub moment: Moment,
    /// The release that it took back, if the ledger knows of one.
    pub generation: Option<Generation>,
}

/// AWS's events come up to this much before the books are opened, or after they are closed: a way back takes AWS that long.
const BOOKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(60);

/// The silent rollbacks among `moments`, oldest first.
pub fn silent(releases: &[Release], moments: &[Moment]) -> Vec<Silent> {
    let mut found: Vec<Silent> = Vec::new();
    let mut moments: Vec<&Moment> = moments.iter().collect();
    moments.sort_by_key(|moment| (moment.at, moment.key()));
    for moment in moments {
        let What::Aws(told) = &moment.what else { continue };
        if told.meaning != Meaning::WentBack || is_told_already(&found, told) {
            continue;
        }
        if let Some(generation) = unbooked(releases, moment.at, told) {
            found.push(Silent { moment: moment.clone(), generation });
        }
    }
    found
}

/// A stack's way back has two words for one thing, and an event may be sent again with a time of its own.
fn is_told_already(found: &[Silent], told: &Told) -> bool {
    let is_it = |other: &Told| {
        other.source == told.source && other.about == told.about && told.source != Source::CloudFormation
    };
    found.iter().any(|silent| matches!(&silent.moment.what, What::Aws(other) if is_it(other)))
}

/// The release that was taken back without the books saying so; `None` inside if none is known; nothing if it is booked.
fn unbooked(releases: &[Release], at: Timestamp, told: &Told) -> Option<Option<Generation>> {
    if let Some(own) = releases.iter().find(|release| names(release, told)) {
        // An execution that is stopped because a person has completed its release takes nothing back.
        let is_over = own.phase == Phase::Complete && told.source == Source::StepFunctions;
        return (!is_over && !is_booked(own)).then_some(Some(own.generation));
    }
    // An execution that opened no release has moved nothing.
    if told.source == Source::StepFunctions {
        return None;
    }
    let around = releases.iter().filter(|release| is_around(release, at));
    if around.clone().any(is_booked) {
        return None;
    }
    let latest = around.max_by_key(|release| release.generation);
    Some(latest.map(|release| release.generation))
}

/// Whether an event names the release: by its deployment, or by its execution.
fn names(release: &Release, told: &Told) -> bool {
    let deployment = release.deployment.as_ref().is_some_and(|own| own.id.as_str() == told.about);
    let execution = release.run.as_ref().is_some_and(|run| run.execution == told.about);
    let pulled = release.cord.as_ref().is_some_and(|cord| match &cord.by {
        PulledBy::CodeDeploy { deployment } => deployment.as_str() == told.about,
        PulledBy::Alarm { .. }
        | PulledBy::Person { .. }
        | PulledBy::Pipeline { .. }
        | PulledBy::Hook { .. }
        | PulledBy::Aws { .. } => false,
    });
    deployment || execution || pulled
}

fn is_around(release: &Release, at: Timestamp) -> bool {
    let before = release.opened_at.saturating_sub(BOOKS_DIFFER_MAX).unwrap_or(release.opened_at);
    let until = release.ended_at.and_then(|ended| ended.saturating_add(BOOKS_DIFFER_MAX).ok());
    before <= at && until.is_none_or(|until| at <= until)
}

/// Whether the books say that the release went back, or why it did not.
fn is_booked(release: &Release) -> bool {
    match release.phase {
        Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn => true,
        Phase::Shifting | Phase::Complete => release.going_back.is_some(),
    }
}
