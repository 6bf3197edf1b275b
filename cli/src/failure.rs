//! How a command fails: a stable kind for scripts, a sentence for people, and where possible what to do next.

use serde::Serialize;

use ripcord::aws::{LedgerError, RegistrationError};
use ripcord::error_type::ErrorType;

use crate::exit_code::ExitCode;

/// A failure as it is printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// The stable name.
    pub(crate) kind: String,
    /// What went wrong.
    pub(crate) message: String,
    /// What to do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    #[serde(skip)]
    pub(crate) exit: ExitCode,
}

/// The kinds of failure that the command line itself can tell; those of the functions are [`ErrorType`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unexpected,
    Usage,
    DocumentUnreadable,
    DocumentInvalid,
    DataUnusable,
    RegistrationStale,
    RegistrationRefused,
    StableUnclear,
    ServiceUnknown,
    FlagUnknown,
    FlagsMissing,
    FlagsUnclear,
    FlagsOvertaken,
    NothingReleased,
    AlarmUnknown,
    WaiverUnexplained,
    AttestationsMissing,
    NotProven,
    NothingAwaiting,
    OtherRelease,
    AnswerTooLate,
    ReleaseEnded,
    ProofSkipped,
    NotBack,
    RestoreUnconfirmed,
    RestoreRefused,
    RestoreUnfinished,
    Interrupted,
    SuiteMissing,
    RehearsalMissing,
    RegionMissing,
    AwsCallFailed,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::DocumentUnreadable => "document_unreadable",
            Self::DocumentInvalid => "document_invalid",
            Self::DataUnusable => "data_unusable",
            Self::RegistrationStale => "registration_stale",
            Self::RegistrationRefused => "registration_refused",
            Self::StableUnclear => "stable_unclear",
            Self::ServiceUnknown => "service_unknown",
            Self::FlagUnknown => "flag_unknown",
            Self::FlagsMissing => "flags_missing",
            Self::FlagsUnclear => "flags_unclear",
            Self::FlagsOvertaken => "flags_overtaken",
            Self::NothingReleased => "nothing_released",
            Self::AlarmUnknown => "alarm_unknown",
            Self::WaiverUnexplained => "waiver_unexplained",
            Self::AttestationsMissing => "attestations_missing",
            Self::NotProven => "not_proven",
            Self::NothingAwaiting => "nothing_awaiting",
            Self::OtherRelease => "other_release",
            Self::AnswerTooLate => "answer_too_late",
            Self::ReleaseEnded => "release_ended",
            Self::ProofSkipped => "proof_skipped",
            Self::NotBack => "not_back",
            Self::RestoreUnconfirmed => "restore_unconfirmed",
            Self::RestoreRefused => "restore_refused",
            Self::RestoreUnfinished => "restore_unfinished",
            Self::Interrupted => "interrupted",
            Self::SuiteMissing => "suite_missing",
            Self::RehearsalMissing => "rehearsal_missing",
            Self::RegionMissing => "region_missing",
            Self::AwsCallFailed => "aws_call_failed",
        }
    }

    fn exit(self) -> ExitCode {
        match self {
            Self::Unexpected | Self::Interrupted | Self::RestoreUnfinished => ExitCode::Unexpected,
            Self::Usage => ExitCode::Usage,
            Self::DocumentUnreadable
            | Self::DocumentInvalid
            | Self::DataUnusable
            | Self::RegistrationStale
            | Self::RegistrationRefused
            | Self::StableUnclear
            | Self::ServiceUnknown
            | Self::FlagUnknown
            | Self::FlagsMissing
            | Self::FlagsUnclear
            | Self::FlagsOvertaken
            | Self::NothingReleased
            | Self::AlarmUnknown
            | Self::WaiverUnexplained
            | Self::AttestationsMissing
            | Self::NotProven
            | Self::NothingAwaiting
            | Self::OtherRelease
            | Self::AnswerTooLate
            | Self::ReleaseEnded
            | Self::ProofSkipped
            | Self::RestoreUnconfirmed
            | Self::RestoreRefused => ExitCode::Refused,
            Self::NotBack => ExitCode::RollbackFailed,
            Self::SuiteMissing | Self::RehearsalMissing | Self::RegionMissing | Self::AwsCallFailed => {
                ExitCode::Unreachable
            }
        }
    }
}

/// What a function was asked to do. For a rollback, whatever is not known to be back counts as not back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To put traffic back.
    Rollback,
    /// To move traffic on.
    Shift,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind: kind.as_str().to_owned(), message: message.into(), hint: None, exit: kind.exit() }
    }

    /// What a function of the suite answered, by the name that it gave.
    pub(crate) fn of_function(asked: Asked, name: &str, message: impl Into<String>) -> Self {
        let known = ErrorType::EVERY.iter().copied().find(|error_type| error_type.as_str() == name);
        let exit = exit_of_function(asked, known);
        Self { kind: name.to_owned(), message: message.into(), hint: None, exit }
    }

    pub(crate) fn service_unknown(service: &ripcord::names::ServiceName) -> Self {
        Self::new(Kind::ServiceUnknown, format!("service {service} is not registered"))
            .hint("ripcord status lists the services; ripcord apply FILE registers one")
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// What a function's error means for whoever called. `None` is an error that no function of the suite names: it crashed,
/// or ran out of time.
fn exit_of_function(asked: Asked, error_type: Option<ErrorType>) -> ExitCode {
    match (error_type, asked) {
        (Some(ErrorType::RollbackFailed | ErrorType::RollbackUnderWay), Asked::Rollback | Asked::Shift) => {
            ExitCode::RollbackFailed
        }
        (Some(ErrorType::ReportIncomplete), Asked::Rollback | Asked::Shift) => ExitCode::Unexpected,
        (
            Some(
                ErrorType::LedgerUnreadable
                | ErrorType::DeploymentUnreadable
                | ErrorType::ShiftFailed
                | ErrorType::SignalUnreadable,
            )
            | None,
            Asked::Rollback,
        ) => ExitCode::RollbackFailed,
        (
            Some(ErrorType::LedgerUnreadable | ErrorType::DeploymentUnreadable | ErrorType::ShiftFailed),
            Asked::Shift,
        ) => ExitCode::Unreachable,
        (Some(ErrorType::SignalUnreadable) | None, Asked::Shift) => ExitCode::Unexpected,
        (
            Some(
                ErrorType::RequestInvalid
                | ErrorType::ServiceUnknown
                | ErrorType::VersionUnusable
                | ErrorType::ReleaseConflict
                | ErrorType::ReleaseClosed
                | ErrorType::VersionQuarantined
                | ErrorType::ServiceHeld
                | ErrorType::AliasDrifted
                | ErrorType::AliasMissing
                | ErrorType::PreflightFailed
                | ErrorType::ApprovalMissing
                | ErrorType::ApprovalRejected
                | ErrorType::Contended,
            ),
            Asked::Rollback | Asked::Shift,
        ) => ExitCode::Refused,
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match &error {
            LedgerError::Call(_) => Self::new(Kind::AwsCallFailed, error.to_string())
                .hint("check --project, --region and the credentials (--profile)"),
            LedgerError::Unreadable { .. } => Self::new(Kind::Unexpected, error.to_string()),
        }
    }
}

impl From<RegistrationError> for Failure {
    fn from(error: RegistrationError) -> Self {
        let message = error.to_string();
        match error {
            RegistrationError::Invalid(_) | RegistrationError::Guard(_) => {
                Self::new(Kind::DocumentInvalid, message)
            }
            RegistrationError::ReleaseOpen { .. } | RegistrationError::GroupFull { .. } => {
                Self::new(Kind::RegistrationRefused, message)
            }
            RegistrationError::Stale { .. } => Self::new(Kind::RegistrationStale, message),
            RegistrationError::Ledger(ledger) => ledger.into(),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Kind::Unexpected, format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_function_has_the_documented_exit_code() {
        let document = include_str!("../../docs/exit-codes.md");
        for error_type in ErrorType::EVERY {
            let row = document
                .lines()
                .find(|line| line.starts_with("| `") && line.contains(&format!("`{error_type}`")));
            let cells: Vec<&str> =
                row.expect("every error type has its row").split('|').map(str::trim).collect();
            for (asked, cell) in [(Asked::Rollback, cells[2]), (Asked::Shift, cells[3])] {
                let failure = Failure::of_function(asked, error_type.as_str(), "because");
                let number = failure.exit.number().to_string();
                assert!(cell.starts_with(&number), "{error_type} asked for {asked:?}: {cell}, not {number}");
            }
        }
    }

    #[test]
    fn a_rollback_that_nobody_can_vouch_for_has_failed() {
        for name in ["Sandbox.Timedout", "Runtime.ExitError", ""] {
            assert_eq!(Failure::of_function(Asked::Rollback, name, "").exit, ExitCode::RollbackFailed);
            assert_eq!(Failure::of_function(Asked::Shift, name, "").exit, ExitCode::Unexpected);
        }
    }
}
