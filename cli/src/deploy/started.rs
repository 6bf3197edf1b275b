//! The answer of `deploy --no-wait`: what was started, and how to follow it.

use std::fmt;

use serde::Serialize;

use super::outline::Outline;
use crate::output::{FAINT, GOOD, NAME, styled};

/// A release whose execution was started.
#[derive(Debug, Serialize)]
pub(super) struct Started {
    #[serde(flatten)]
    pub(super) outline: Outline,
    /// The execution's ARN.
    pub(super) execution: String,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &self.outline.service;
        writeln!(f, "{}: {}", styled(NAME, service), styled(GOOD, "started"))?;
        writeln!(f, "  {}", styled(FAINT, &self.execution))?;
        writeln!(f, "  ripcord watch {service}")
    }
}
