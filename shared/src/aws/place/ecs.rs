//! Looking at a service of ECS, and moving it.

use crate::aws::execute::Interruption;
use crate::aws::{Aws, CallFailed};
use crate::place::Live;
use crate::place::ecs::{Call, Service};

/// Looks at it; nothing if there is none.
pub(super) async fn observe(_aws: &Aws, _place: &Service) -> Result<Option<Live>, CallFailed> {
    Ok(None)
}

/// Makes one call.
pub(super) async fn call(_aws: &Aws, call: &Call) -> Result<(), Interruption> {
    match *call {}
}
