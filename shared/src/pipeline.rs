//! How a state machine drives a release: what it is started with, what the ledger keeps of it, and what each of its tasks
//! answers. The state machine waits and retries; everything that is decided is decided here, from the ledger's record.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::names::{ServiceName, TargetName, Version};
use crate::registration::Registration;
use crate::release::Commit;
use crate::strategy::{PlannedStage, Strategy, StrategyChoice};

mod onward;

pub use onward::{Look, Onward, Then, Turn, decide_onward, onward_after_shift, onward_to};

/// What an execution of the state machine is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// The service.
    pub service: ServiceName,
    /// The version to release.
    pub version: Version,
    /// The target; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// How it is to progress; without any, as the service has registered.
    #[serde(default)]
    pub progress: StrategyChoice,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Checks that are not to stop this release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waive: Vec<Waivable>,
    /// Why they are not to; recorded and told.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_reason: Option<String>,
    /// What the caller vouches for: `tests`, `image_scan` …, each with where that can be seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attestations: BTreeMap<String, String>,
    /// The commit that the version was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
}

/// A check that a person may waive, with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waivable {
    /// Guards that fire already, because this release is the fix. From then on only new evidence on the new version counts.
    Alarms,
    /// A freeze.
    Freeze,
    /// Too little traffic to prove the limits.
    Traffic,
    /// A migration that comes with the version: there is no way back.
    Barrier,
    /// Attestations that are missing.
    Attestations,
    /// The version, or its code, was rolled back before.
    Quarantine,
    /// A hold, or too many rollbacks of late.
    Hold,
}

impl Waivable {
    /// Every one.
    pub const EVERY: [Self; 7] = [
        Self::Alarms,
        Self::Freeze,
        Self::Traffic,
        Self::Barrier,
        Self::Attestations,
        Self::Quarantine,
        Self::Hold,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alarms => "alarms",
            Self::Freeze => "freeze",
            Self::Traffic => "traffic",
            Self::Barrier => "barrier",
            Self::Attestations => "attestations",
            Self::Quarantine => "quarantine",
            Self::Hold => "hold",
        }
    }
}

/// What the ledger keeps of the execution that drives a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The execution's ARN.
    pub execution: String,
    /// How the release progresses.
    pub strategy: Strategy,
    /// The stages that have begun, in order.
    pub reached: Vec<Reached>,
    /// Whom it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaiting: Option<Awaiting>,
    /// What was waived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver>,
    /// What the caller vouched for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attestations: BTreeMap<String, String>,
    /// How long a request to the candidate may take: Lambda reports it only then, under the minute in which it began.
    pub timeout_seconds: u32,
}

/// A stage that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// When its traffic was set.
    pub at: Timestamp,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Awaiting {
    /// The stage that is to begin; one past the last to complete.
    pub stage: usize,
    /// What Step Functions knows the answer by.
    pub token: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; then the release is rolled back.
    pub until: Timestamp,
    /// Why a person is asked.
    pub why: String,
}

/// What was waived, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The checks.
    pub checks: Vec<Waivable>,
    /// The guards that fired when the release began, by name: until the waiver ends they are no evidence against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firing: Vec<String>,
    /// Why.
    pub why: String,
    /// By whom.
    pub by: String,
    /// When it ends.
    pub until: Timestamp,
}

/// A waiver is for this release, and for long enough to see whether the fix works.
pub const WAIVER_KEPT: SignedDuration = SignedDuration::from_hours(4);

impl Run {
    /// What the checks and the judge are told where no state machine drives the release, but CodeDeploy or ECS. It is made
    /// anew by each hook and never written down. `here` is an ARN in the region and account where the suite lies, which is
    /// all that is ever read of an execution's; `since` is when all traffic was on the new version.
    pub fn of_hook(
        registration: &Registration,
        here: String,
        since: Option<Timestamp>,
        timeout_seconds: u32,
    ) -> Self {
        Self {
            execution: here,
            strategy: Strategy::of_hook(registration),
            reached: since.map(|at| Reached { at, approved_by: None }).into_iter().collect(),
            awaiting: None,
            waiver: None,
            attestations: BTreeMap::new(),
            timeout_seconds,
        }
    }

    /// The stage that the release is in.
    pub fn stage(&self) -> Option<(usize, &PlannedStage, &Reached)> {
        let index = self.reached.len().checked_sub(1)?;
        Some((index, self.strategy.stages.get(index)?, self.reached.get(index)?))
    }

    /// Whether a check is waived.
    pub fn waives(&self, check: Waivable) -> bool {
        self.waiver.as_ref().is_some_and(|waiver| waiver.checks.contains(&check))
    }

    /// Whether an alarm fired before the release began, so that it is no evidence against it.
    pub fn fired_before(&self, alarm: &str, at: Timestamp) -> bool {
        self.waiver
            .as_ref()
            .is_some_and(|waiver| at < waiver.until && waiver.firing.iter().any(|firing| firing == alarm))
    }
}

/// How fast time passes. A minute of a plan lasts a minute; only a rehearsal has shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tempo {
    minute_ms: u32,
}

impl Tempo {
    /// A minute is a minute.
    pub const REAL: Self = Self { minute_ms: 60_000 };

    /// A rehearsal's minute, in milliseconds.
    pub fn of_minute_ms(minute_ms: u32) -> Self {
        Self { minute_ms: minute_ms.max(1) }
    }

    /// How long a minute lasts.
    pub fn minute(self) -> SignedDuration {
        SignedDuration::from_millis(i64::from(self.minute_ms))
    }

    /// How long so many seconds of a plan last.
    pub fn seconds(self, seconds: u32) -> SignedDuration {
        SignedDuration::from_millis(i64::from(self.minute_ms) * i64::from(seconds) / 60)
    }

    /// How long so many minutes of a plan last.
    pub fn minutes(self, minutes: u32) -> SignedDuration {
        SignedDuration::from_millis(i64::from(self.minute_ms) * i64::from(minutes))
    }

    /// How many seconds of a plan a stretch of time is, rounded up: whoever waits for them does not come too early.
    pub fn plan_seconds(self, real: SignedDuration) -> u32 {
        let ms = u64::try_from(real.as_millis()).unwrap_or(0);
        u32::try_from(ms.saturating_mul(60).div_ceil(u64::from(self.minute_ms))).unwrap_or(u32::MAX)
    }
}
