//! What checks and looks at a stage have found: kept in the ledger beside the release, and drawn while it runs.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::judge::Judgement;
use crate::names::{Generation, ServiceName};
use crate::pipeline::Onward;
use crate::preflight::Check;
use crate::release::Release;

/// As long as the other evidence of a release.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What was found at one moment of a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub generation: Generation,
    /// When.
    pub at: Timestamp,
    /// What.
    pub found: Found,
    /// When the ledger may forget it.
    pub keep_until: Timestamp,
}

impl Finding {
    /// What was found of a release now.
    pub fn of(release: &Release, found: Found, now: Timestamp) -> Self {
        Self::in_generation((&release.service, release.generation), found, now)
    }

    /// What was found of a service now, under its latest generation; under 0 before it has had a release of Ripcord's.
    pub fn in_generation(
        (service, generation): (&ServiceName, Generation),
        found: Found,
        now: Timestamp,
    ) -> Self {
        Self {
            service: service.clone(),
            generation,
            at: now,
            found,
            keep_until: now.saturating_add(KEPT).unwrap_or(now),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// By the checks before traffic moves.
    Before(Vec<Check>),
    /// By the checks before the release completes.
    After(Vec<Check>),
    /// By the latest look at a stage.
    Stage(Box<StageLook>),
    /// By a lifecycle hook.
    Hook(HookFinding),
}

/// What a lifecycle hook of CodeDeploy's or ECS's has found and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookFinding {
    /// The lifecycle event, such as `BeforeAllowTraffic`, or ECS's stage.
    pub event: String,
    /// The deployment, as the service that runs it calls it.
    pub deployment: String,
    /// The checks, as far as they were made.
    pub checks: Vec<Check>,
    /// What was answered.
    pub succeeded: bool,
    /// Why.
    pub why: String,
}

/// The latest look at a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageLook {
    /// Which stage, from 0.
    pub stage: usize,
    /// What the judge says.
    pub judgement: Judgement,
    /// What follows from it.
    pub onward: Onward,
    /// Up to when the candidate has been measured; nothing if never.
    pub measured_until: Option<Timestamp>,
}

impl Found {
    /// Where it lies in the ledger, under its release: the latest look at a stage replaces the one before.
    pub fn key(&self) -> String {
        match self {
            Self::Before(_) => "before".to_owned(),
            Self::After(_) => "verify".to_owned(),
            Self::Stage(look) => format!("stage-{:03}", look.stage),
            Self::Hook(hook) => format!("hook-{}-{}", hook.deployment, hook.event),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(checks) => write!(f, "{} checks before traffic moves", checks.len()),
            Self::After(checks) => write!(f, "{} checks before the release completes", checks.len()),
            Self::Stage(look) => write!(f, "a look at stage {}", look.stage + 1),
            Self::Hook(hook) => write!(f, "the hook {} of deployment {}", hook.event, hook.deployment),
        }
    }
}
