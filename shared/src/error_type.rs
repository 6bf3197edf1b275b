//! The `errorType`s that the functions answer with. State machines match on them (`Catch`, `Retry`), so they are an
//! API: listed here once, never renamed.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// Traffic is back, but the ledger or the notice is behind. The retry that this error causes finishes them.
    ReportIncomplete,
    /// The event may have been a signal and could not be understood.
    SignalUnreadable,
    /// The ledger could not be read, so nothing could be decided.
    LedgerUnreadable,
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
    /// Others kept changing the same alias or release while this one tried.
    Contended,
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
