//! How this function fails. State machines match on the type.

use lambda_runtime::Diagnostic;
use ripcord::error_type::ErrorType;
use ripcord::shift::Refusal;

/// A failure with its stable name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct Failure {
    /// What state machines see.
    pub error_type: ErrorType,
    /// What people read.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(error_type: ErrorType, message: impl ToString) -> Self {
        Self { error_type, message: message.to_string() }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.error_type(), refusal)
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.error_type.to_string(), error_message: failure.message }
    }
}
