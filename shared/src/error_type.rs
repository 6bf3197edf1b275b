//! The `errorType`s that the functions answer with. State machines match on them (`Catch`, `Retry`), so they are an
//! API: listed here once, never renamed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shift::Refusal;

macro_rules! error_types {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// A stable name for a way in which a function can fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ErrorType {
            $($(#[$doc])* $name,)+
        }

        impl ErrorType {
            /// Every error type there is.
            pub const EVERY: &[Self] = &[$(Self::$name),+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

error_types! {
    /// Traffic is not back. A retry may succeed; a person has been paged.
    RollbackFailed,
    /// CodeDeploy is putting traffic back, and it is not known to be there yet. The retry that this error causes looks again.
    RollbackUnderWay,
    /// Traffic is back, but the ledger or the notice is behind. The retry that this error causes finishes them.
    ReportIncomplete,
    /// The event may have been a signal and could not be understood.
    SignalUnreadable,
    /// The ledger could not be read, so nothing could be decided.
    LedgerUnreadable,
    /// CodeDeploy did not say what a deployment is, so nothing could be decided.
    DeploymentUnreadable,
    /// The request to shift is malformed, or Lambda would refuse its weights.
    RequestInvalid,
    /// No service of that name is registered.
    ServiceUnknown,
    /// A version in the request does not exist, or is not ready to serve.
    VersionUnusable,
    /// The release is not the one that is open, or another one is.
    ReleaseConflict,
    /// The release was rolled back or has ended.
    ReleaseClosed,
    /// The version or its code was rolled back before.
    VersionQuarantined,
    /// The service is held: a person has to look first.
    ServiceHeld,
    /// The alias serves something else than the ledger knows of.
    AliasDrifted,
    /// The alias does not exist.
    AliasMissing,
    /// The AWS call that shifts traffic failed.
    ShiftFailed,
    /// A check before the release said no: no traffic has moved, or none moves any more.
    PreflightFailed,
    /// The stage needs a person's approval and has none.
    ApprovalMissing,
    /// A person said no.
    ApprovalRejected,
    /// Others kept changing the same alias or release while this one tried.
    Contended,
}

/// How a function fails: the name that state machines see, and the sentence that people read.
///
/// Lambda retries an asynchronous invocation that fails twice, and then hands the event to the on-failure queue: a failure
/// is how an event is kept from getting lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct Failure {
    /// The name.
    pub error_type: ErrorType,
    /// The sentence.
    pub message: String,
}

impl Failure {
    /// A failure of this type.
    pub fn new(error_type: ErrorType, message: impl ToString) -> Self {
        Self { error_type, message: message.to_string() }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.error_type(), refusal)
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
