//! Which release is checked, and whether it is one that still can be.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Remark;
use crate::names::{Generation, ServiceName};
use crate::pipeline::{Onward, Run, Waivable, Waiver};
use crate::place::LambdaAlias;
use crate::registration::{Reach, Registration, Target};
use crate::release::{Change, Phase, Release};
use crate::shift::Refusal;
use crate::situation::ServiceRecord;

/// What is asked: to check a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreflightRequest {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub release: Generation,
    /// Before it moves traffic, or before it completes.
    pub when: When,
}

/// When a release is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before it moves traffic.
    Before,
    /// After its last stage, before it completes.
    After,
}

impl PreflightRequest {
    /// Reads a request.
    pub fn read(event: &Value) -> Result<Self, Refusal> {
        serde_path_to_error::deserialize(event)
            .map_err(|error| Refusal::Malformed { why: format!("{}: {}", error.path(), error.inner()) })
    }
}

/// How the release stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing<'record> {
    /// It is open.
    Open(Subject<'record>),
    /// A person has completed it meanwhile.
    Complete(Onward),
}

/// An open release that a state machine drives, and what it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subject<'record> {
    /// The ledger's side.
    pub record: &'record ServiceRecord,
    /// The release.
    pub release: &'record Release,
    /// How it runs.
    pub run: &'record Run,
    /// What it changes.
    pub change: &'record Change,
    /// Where.
    pub target: &'record Target,
    /// The alias that it is: only aliases are driven by a state machine.
    pub alias: &'record LambdaAlias,
}

/// Finds the release that is meant, or says why it cannot be checked.
pub fn standing<'record>(
    request: &PreflightRequest,
    record: &'record ServiceRecord,
) -> Result<Standing<'record>, Refusal> {
    let generation = request.release;
    let latest = record.release.as_ref();
    let release = latest.filter(|release| release.generation == generation).ok_or_else(|| {
        Refusal::OtherRelease { asked: generation, latest: latest.map(|latest| latest.generation) }
    })?;
    let run = release.run.as_deref().ok_or(Refusal::NotDriven { generation })?;
    let because = release.ended_because.clone();
    match release.phase {
        Phase::Shifting => {}
        Phase::Complete => return Ok(Standing::Complete(Onward::at_the_end(release))),
        phase @ Phase::Held => {
            return Err(Refusal::Held { generation, phase, because: because.unwrap_or_default() });
        }
        phase @ (Phase::RolledBack | Phase::RollbackFailed | Phase::Withdrawn) => {
            return Err(Refusal::Closed { generation, phase, because });
        }
    }
    // A task that was given up as too slow may still be at work while the one after it has moved traffic already.
    if request.when == When::Before && !release.had_no_traffic() {
        let (begun, stages) = (run.reached.len(), run.strategy.stages.len());
        return Err(Refusal::OutOfTurn { generation, stage: 0, begun, stages });
    }
    let targets = &record.registration.targets;
    let change = release.changes.first();
    let unclear = || Refusal::TargetUnclear {
        named: change.map(|change| change.target.clone()),
        targets: targets.iter().map(|target| target.name.clone()).collect(),
    };
    let change = change.ok_or_else(unclear)?;
    let target = record.registration.target(&change.target).ok_or_else(unclear)?;
    let alias = target.lambda().ok_or_else(|| Refusal::NotAnAlias { target: target.name.clone() })?;
    Ok(Standing::Open(Subject { record, release, run, change, target, alias }))
}

/// What lies around the versions of a release: the service's guards, queues and freezes, and what of them is waived. A
/// deployment on ECS has this and no more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surroundings<'record> {
    pub(super) registration: &'record Registration,
    pub(super) waiver: Option<&'record Waiver>,
    /// An ARN in the region and account where the suite lies.
    pub(super) here: &'record str,
    /// Where the target lies, if there is one.
    pub(super) reach: Option<&'record Reach>,
}

impl<'record> Surroundings<'record> {
    /// Those of a service of which nothing is waived; `here` is an ARN in the region and account where the suite lies.
    pub fn of(registration: &'record Registration, here: &'record str) -> Self {
        Self { registration, waiver: None, here, reach: None }
    }

    /// What fails unless a person has waived it.
    pub(super) fn failed_unless_waived(&self, check: Waivable, detail: impl ToString) -> Remark {
        let detail = detail.to_string();
        match self.waiver.filter(|waiver| waiver.checks.contains(&check)) {
            Some(waiver) => Remark {
                outcome: super::Outcome::Waived,
                detail: format!("{detail} (waived by {}: {})", waiver.by, waiver.why),
            },
            None => Remark::failed(detail),
        }
    }
}

impl<'record> Subject<'record> {
    /// What lies around the release.
    pub fn surroundings(&self) -> Surroundings<'record> {
        Surroundings {
            registration: &self.record.registration,
            waiver: self.run.waiver.as_ref(),
            here: &self.run.execution,
            reach: Some(&self.target.reach),
        }
    }

    /// What fails unless a person has waived it.
    pub(super) fn failed_unless_waived(&self, check: Waivable, detail: impl ToString) -> Remark {
        self.surroundings().failed_unless_waived(check, detail)
    }
}
