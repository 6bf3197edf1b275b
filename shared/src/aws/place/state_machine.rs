//! Looking at an alias of a state machine, and moving it.

use crate::aws::execute::Interruption;
use crate::aws::{Aws, CallFailed};
use crate::place::Live;
use crate::place::state_machine::{Alias, Call};

/// Looks at it; nothing if there is none.
pub(super) async fn observe(_aws: &Aws, _place: &Alias) -> Result<Option<Live>, CallFailed> {
    Ok(None)
}

/// Makes one call.
pub(super) async fn call(_aws: &Aws, call: &Call) -> Result<(), Interruption> {
    match *call {}
}
