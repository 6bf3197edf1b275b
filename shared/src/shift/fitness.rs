//! Whether versions are fit to stand behind an alias. The checks before a release ask the same as a shift does.

use jiff::{SignedDuration, Timestamp};

use super::Refusal;
use crate::names::{FunctionName, TargetName, Version};
use crate::situation::{ServiceRecord, VersionFacts};

/// The version exists and can serve.
pub(crate) fn usable<'facts>(
    function: &FunctionName,
    version: Version,
    facts: Option<&'facts VersionFacts>,
) -> Result<&'facts VersionFacts, Refusal> {
    let function = || function.clone();
    let facts = facts.ok_or_else(|| Refusal::NoSuchVersion { function: function(), version })?;
    match facts.state.as_deref() {
        Some("Active") | None => Ok(facts),
        Some(state) => Err(Refusal::NotReady { function: function(), version, state: state.to_owned() }),
    }
}

/// Both versions are alike enough for one alias.
pub(crate) fn check_alike(stable: &VersionFacts, candidate: &VersionFacts) -> Result<(), Refusal> {
    for (what, from, to) in [
        ("role", &stable.role, &candidate.role),
        ("dead-letter target", &stable.dead_letter, &candidate.dead_letter),
    ] {
        if from != to {
            return Err(Refusal::VersionsDiffer {
                stable: stable.version,
                candidate: candidate.version,
                what,
            });
        }
    }
    Ok(())
}

/// Neither the version nor its code under another number was rolled back too short a time ago.
pub(crate) fn check_quarantine(
    record: &ServiceRecord,
    target: &TargetName,
    version: Version,
    code: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let hours = SignedDuration::from_hours(i64::from(record.registration.rollback.quarantine_hours));
    let quarantine = record.rollbacks.iter().find(|rollback| {
        let same = rollback.version == version || (code.is_some() && rollback.artefact.as_deref() == code);
        rollback.quarantines && rollback.target == *target && same && now.duration_since(rollback.at) < hours
    });
    match quarantine {
        Some(rollback) => Err(Refusal::Quarantined {
            version,
            generation: rollback.generation,
            at: rollback.at,
            reason: rollback.reason.clone(),
        }),
        None => Ok(()),
    }
}
