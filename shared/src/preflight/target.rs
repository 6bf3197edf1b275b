//! The alias and its versions: is there something to release, something to go back to, and a way between them?

use jiff::Timestamp;

use super::facts::{Facts, Seen, Unseen, VersionState};
use super::subject::Subject;
use super::{Check, Remark};
use crate::names::Version;
use crate::pipeline::Waivable;
use crate::shift::{Refusal, check_alike, check_quarantine, usable};
use crate::situation::Sighting;
use crate::traffic::Traffic;

impl Subject<'_> {
    /// The alias serves what the release was opened on.
    pub(super) fn check_alias(&self, live: &Sighting) -> Check {
        let alias = format!("{}:{}", self.alias.function, self.alias.alias);
        let expected = Traffic::all_on(self.change.stable);
        let remark = match live {
            Sighting::Alias(live) if live.traffic == expected => {
                Remark::passed(format!("{alias} serves {expected}"))
            }
            Sighting::Alias(live) => Remark::failed(format!(
                "{alias} serves {}, but the release was opened on {expected}: somebody else moved it",
                live.traffic
            )),
            Sighting::Missing | Sighting::Place(_) => Remark::failed(format!("{alias} does not exist")),
            Sighting::Unseen { why } => Remark::failed(format!("{alias} {}", Unseen::because(why))),
        };
        remark.of("alias")
    }

    /// Both versions exist and can serve.
    pub(super) fn check_version(&self, facts: &Facts) -> Check {
        let versions = [(self.change.candidate, &facts.candidate), (self.change.stable, &facts.stable)];
        let remarks = versions.map(|(version, state)| self.readiness(version, state));
        Check::of("version", remarks.into())
    }

    fn readiness(&self, version: Version, state: &Seen<Option<VersionState>>) -> Remark {
        let state = match state {
            Ok(state) => state.as_ref(),
            Err(unseen) => return Remark::failed(format!("version {version} {unseen}")),
        };
        let snapshot = state.and_then(|state| state.snapshot.as_deref());
        match (usable(&self.alias.function, version, state.map(|state| &state.facts)), snapshot) {
            (Err(refusal), _) => Remark::failed(refusal),
            (Ok(_), None) => Remark::passed(format!("version {version} is Active")),
            (Ok(_), Some("On")) => Remark::passed(format!("version {version} is Active, its snapshot On")),
            (Ok(_), Some(snapshot)) => Remark::failed(format!(
                "version {version} is Active, but its SnapStart snapshot is {snapshot}, not On"
            )),
        }
    }

    /// One alias can route to both.
    pub(super) fn check_role(&self, facts: &Facts) -> Check {
        let (stable, candidate) = (self.change.stable, self.change.candidate);
        let remark = match (&facts.stable, &facts.candidate) {
            (Ok(Some(stable)), Ok(Some(candidate))) => match check_alike(&stable.facts, &candidate.facts) {
                Ok(()) => Remark::passed(format!(
                    "versions {} and {} have the same role and dead-letter target",
                    stable.facts.version, candidate.facts.version
                )),
                Err(refusal) => Remark::failed(refusal),
            },
            (_, _) => Remark::failed(format!(
                "the roles of versions {stable} and {candidate} could not be compared: not both were seen"
            )),
        };
        remark.of("role")
    }

    /// Neither the version nor its code was rolled back of late.
    pub(super) fn check_quarantine(&self, facts: &Facts, now: Timestamp) -> Check {
        let (candidate, target) = (self.change.candidate, &self.change.target);
        let code = match &facts.candidate {
            Ok(Some(state)) => Some(state.facts.code_sha256.as_str()),
            // What it was when the release was opened: a published version never changes its code.
            Ok(None) | Err(_) => self.change.artefact.as_deref(),
        };
        let hours = self.record.registration.rollback.quarantine_hours;
        let remark = match check_quarantine(self.record, target, candidate, code, now) {
            Err(refusal) => self.failed_unless_waived(Waivable::Quarantine, refusal),
            Ok(()) if code.is_none() => {
                Remark::failed(format!("the code of version {candidate} could not be seen"))
            }
            Ok(()) => Remark::passed(format!(
                "neither version {candidate} nor its code was rolled back in the last {hours} h"
            )),
        };
        remark.of("quarantine")
    }

    /// There is a way back.
    pub(super) fn check_barrier(&self) -> Check {
        let (stable, candidate) = (self.change.stable, self.change.candidate);
        let remark = match self.record.registration.barrier_between(&self.change.target, candidate, stable) {
            Some(barrier) => {
                let refusal = Refusal::PastBarrier {
                    from: candidate,
                    to: stable,
                    since: barrier.since_version,
                    migration: barrier.reason.clone(),
                };
                self.failed_unless_waived(Waivable::Barrier, refusal)
            }
            None => Remark::passed(format!("no barrier lies between versions {candidate} and {stable}")),
        };
        remark.of("barrier")
    }

    /// Nothing that cleans up versions can delete the one to go back to.
    pub(super) fn check_pin(&self, pin: &Sighting) -> Check {
        let stable = self.change.stable;
        let unpinned = |why: String| Remark::noted(format!("version {stable} is not pinned: {why}"));
        let remark = match pin {
            Sighting::Alias(pin) if pin.traffic == Traffic::all_on(stable) => {
                Remark::passed(format!("version {stable} is pinned by {}", pin.alias))
            }
            Sighting::Alias(pin) => unpinned(format!("{} names {}", pin.alias, pin.traffic)),
            Sighting::Missing | Sighting::Place(_) => {
                unpinned("no alias keeps it, so it can be deleted".to_owned())
            }
            Sighting::Unseen { why } => unpinned(format!("its alias {}", Unseen::because(why))),
        };
        remark.of("pin")
    }

    /// Provisioned concurrency stands in the way of nothing, but a rollback may be slower for it.
    pub(super) fn check_provisioned_concurrency(&self, facts: &Facts) -> Check {
        let mut remarks: Vec<Remark> = Vec::new();
        for (qualifier, provisioned) in &facts.provisioned {
            let name = format!("{}:{qualifier}", self.alias.function);
            match provisioned {
                Ok(None) => {}
                Ok(Some(executions)) if *qualifier == self.alias.alias.as_str() => {
                    remarks.push(Remark::noted(format!(
                        "{name} has {executions} provisioned executions: they cannot be changed while its traffic is \
                         split, and version {} loses them once another one is primary, so a rollback may land cold",
                        self.change.stable
                    )));
                }
                Ok(Some(executions)) => remarks.push(Remark::noted(format!(
                    "{name} has {executions} provisioned executions of its own, which stay whatever is served"
                ))),
                Err(unseen) => {
                    remarks.push(Remark::noted(format!("the provisioned concurrency of {name} {unseen}")));
                }
            }
        }
        if remarks.is_empty() {
            remarks.push(Remark::passed("there is none to lose"));
        }
        Check::of("provisioned_concurrency", remarks)
    }
}
