//! Keeping what a stack is deployed from, so that it can be deployed again: when a service is registered, and when a release of
//! its stack is opened, which is when its team has deployed the candidate.

use std::fmt::Write;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Deployed, deployed, region, status};
use crate::aws::ledger::KeptTemplate;
use crate::aws::{Aws, CallFailed, LedgerError};
use crate::names::{InvalidName, PlainName, ServiceName, Version};
use crate::place::stack::{Stack, Status};
use crate::registration::Reach;

/// A template that is larger can only be deployed from a bucket, and so not from the ledger.
pub const TEMPLATE_BYTES_MAX: usize = 51_200;

/// Why what a stack is deployed from was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// There is no such stack.
    #[error("there is no stack {stack}")]
    Missing {
        /// Its name.
        stack: PlainName,
    },
    /// Something is being done to it, or went wrong with it: what CloudFormation gives for it may not be what is deployed.
    #[error("stack {stack} is {status}: its template is kept once it is complete")]
    Unsettled {
        /// Its name.
        stack: PlainName,
        /// Its status.
        status: Status,
    },
    /// Its template could not be deployed again.
    #[error(
        "the template of stack {stack} has {bytes} bytes, and UpdateStack takes {TEMPLATE_BYTES_MAX}: move parts of it into nested stacks, or register no stack"
    )]
    TooLarge {
        /// Its name.
        stack: PlainName,
        /// The size of its template.
        bytes: usize,
    },
    /// CloudFormation.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Aws {
    /// Keeps what a stack is deployed from now, and says which version that is. To keep it again changes nothing.
    pub async fn keep_stack(
        &self,
        service: &ServiceName,
        (reach, place): (&Reach, &Stack),
        now: Timestamp,
    ) -> Result<Version, KeepError> {
        let (aws, stack) = (self.at(reach), &place.stack);
        let Some(Deployed { stack: described, version, kept, .. }) = deployed(&aws, stack).await? else {
            return Err(KeepError::Missing { stack: stack.clone() });
        };
        let status = status(&described);
        if !status.is_complete() {
            return Err(KeepError::Unsettled { stack: stack.clone(), status });
        }
        let bytes = kept.template.len();
        if bytes > TEMPLATE_BYTES_MAX {
            return Err(KeepError::TooLarge { stack: stack.clone(), bytes });
        }
        aws.ledger.keep_stack_template(service, (region(&aws), stack), (version, &kept), now).await?;
        Ok(version)
    }
}

/// So much of a digest tells a stack's versions apart, and can still be read out.
const DIGEST_BYTES: usize = 8;

/// The version that this is: a digest of the template and of the parameters, in whatever order they are given. The letter
/// before it keeps a digest of nothing but decimals from being taken for a number.
pub(super) fn version(kept: &KeptTemplate) -> Result<Version, InvalidName> {
    let mut parameters: Vec<_> = kept.parameters.iter().collect();
    parameters.sort_by(|one, other| one.key.cmp(&other.key));
    let mut digest = Sha256::new();
    let mut part = |text: &str| {
        // Its length first, so that no two lists of parts look alike.
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    part(&kept.template);
    for parameter in parameters {
        part(&parameter.key);
        part(parameter.value.as_deref().unwrap_or_default());
    }
    let mut version = "t-".to_owned();
    for byte in digest.finalize().iter().take(DIGEST_BYTES) {
        // Writing into a string cannot fail.
        let _ = write!(version, "{byte:02x}");
    }
    version.parse()
}
