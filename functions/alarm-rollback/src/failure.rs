//! How this function fails. Lambda retries an asynchronous invocation that fails twice, and then hands the event to the
//! on-failure queue: an error is how an event is kept from getting lost.

use lambda_runtime::Diagnostic;
use ripcord::error_type::ErrorType;

/// A failure with its stable name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct Failure {
    /// What state machines and alarms see.
    pub error_type: ErrorType,
    /// What people read.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(error_type: ErrorType, message: impl ToString) -> Self {
        Self { error_type, message: message.to_string() }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.error_type.to_string(), error_message: failure.message }
    }
}
