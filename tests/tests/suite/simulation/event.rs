//! What may happen in a history, and what holds for all of it.

use super::call::Fault;

/// What holds for all of a history.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) targets: usize,
    pub(super) rollbacks_max: u32,
    pub(super) barrier: Option<u64>,
    /// Whether somebody asks for rollbacks.
    pub(super) commanding: bool,
    /// Whether somebody moves aliases by hand.
    pub(super) meddling: bool,
}

/// What may happen next.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// One of the running invocations makes a call.
    Step { actor: u8, pick: u8, fault: Fault },
    /// One of them makes several, without a fault.
    Run { actor: u8, calls: u8 },
    /// A signal is delivered: a retry that is due, a new one, a duplicate, or one from long ago.
    Deliver { index: u8, skew_ms: i64 },
    /// Somebody asks for a shift.
    Request { ask: Ask, target: u8, skew_ms: i64 },
    /// An alarm fires.
    Alarm { alarm: u8 },
    /// An alarm goes back to OK.
    Clear { alarm: u8 },
    /// A person asks for a rollback.
    Command { to: Option<u64> },
    /// A running invocation ends between two calls.
    Crash { actor: u8 },
    /// Time goes by.
    Wait { seconds: u32 },
    /// Somebody sets an alias by hand.
    Meddle { target: u8, version: u64 },
    /// Somebody starts an execution.
    Deploy { progress: Progress, target: u8, overridden: bool },
    /// An execution does what comes next: it starts a task, or is told what a look at its release has shown.
    Drive { execution: u8, passes: bool, skew_ms: i64 },
    /// A task is started twice, and only one answer counts.
    Duplicate { execution: u8, skew_ms: i64 },
    /// An execution does not get a task's answer and tries again, while the first try goes on.
    Abandon { execution: u8 },
    /// Somebody stops an execution.
    Stop { execution: u8 },
    /// A call that was given up takes effect.
    Land { index: u8 },
}

/// What somebody may ask of the shifter.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// A new candidate, besides what is served now.
    Open { percent: u32 },
    /// The candidate of the latest release to another weight.
    Stage { percent: u32 },
    /// The same, by weights for both versions of the release.
    Weights { percent: u32 },
    /// The candidate of the latest release to another weight, although the service is held.
    StageOverridden { percent: u32 },
    /// The latest candidate once more, whatever speaks against it.
    OpenOverridden,
    /// Everything on the version that is the primary one.
    Clear,
}

/// How an execution's release is to progress.
#[derive(Clone, Copy, Debug)]
pub(super) enum Progress {
    /// Over two stages to the last.
    Stages,
    /// All at once.
    AtOnce,
    /// Only with a person's leave.
    Approved,
}
