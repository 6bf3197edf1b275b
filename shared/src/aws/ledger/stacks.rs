//! What stacks were deployed from: CloudFormation keeps only the latest template, and the way back of a completed stack is to
//! deploy an earlier one again. A version is a digest of what is kept under it, so writing it again changes nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Ledger, LedgerError, TransactError, document, text, unreadable};
use crate::names::{PlainName, ServiceName, Version};

/// What a stack was deployed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws) struct KeptTemplate {
    /// The template as its team wrote it, before its transforms.
    pub(in crate::aws) template: String,
    /// Its parameters.
    pub(in crate::aws) parameters: Vec<KeptParameter>,
    /// What its team acknowledged when they deployed it.
    pub(in crate::aws) capabilities: Vec<String>,
}

/// A parameter as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws) struct KeptParameter {
    /// Its name.
    pub(in crate::aws) key: String,
    /// Its value. A secret's is shown to nobody: it stays what it is when the template is deployed again.
    pub(in crate::aws) value: Option<String>,
}

/// That a version is kept: small, so that all of them are read at once.
#[derive(Serialize)]
struct Entry {
    version: Version,
    template_bytes: usize,
    kept_at: Timestamp,
}

const ENTRY: &str = "kept#";

impl Ledger {
    /// Keeps what a stack is deployed from.
    pub(in crate::aws) async fn keep_stack_template(
        &self,
        service: &ServiceName,
        (region, stack): (&str, &PlainName),
        (version, kept): (Version, &KeptTemplate),
        kept_at: Timestamp,
    ) -> Result<(), LedgerError> {
        let pk = stack_key(region, stack);
        let entry = Entry { version, template_bytes: kept.template.len(), kept_at };
        let puts = vec![
            self.put(&pk, &template_key(version), kept),
            self.put(&pk, &format!("{ENTRY}{version}"), &entry),
        ];
        match self.transact(service, puts).await {
            Ok(()) => Ok(()),
            // Nothing is compared here: somebody else is writing the very same.
            Err(TransactError::Lost { .. }) => Ok(()),
            Err(TransactError::Call(failed)) => Err(failed.into()),
        }
    }

    /// What a version of a stack was deployed from, if it is kept.
    pub(in crate::aws) async fn stack_template(
        &self,
        region: &str,
        stack: &PlainName,
        version: Version,
    ) -> Result<Option<KeptTemplate>, LedgerError> {
        let items = self.query_from(&stack_key(region, stack), Some(&template_key(version))).await?;
        items.first().map(document).transpose()
    }

    /// The versions of a stack that are kept.
    pub(in crate::aws) async fn stack_versions(
        &self,
        region: &str,
        stack: &PlainName,
    ) -> Result<Vec<Version>, LedgerError> {
        let items = self.query_from(&stack_key(region, stack), Some(ENTRY)).await?;
        let version = |item| {
            let key = text(item, "sk");
            let version = key.strip_prefix(ENTRY).unwrap_or(key);
            version.parse().map_err(|_| unreadable(item, format!("{version} is no version")))
        };
        items.iter().map(version).collect()
    }
}

fn stack_key(region: &str, stack: &PlainName) -> String {
    format!("stack#{region}#{stack}")
}

/// Ends like no other key begins: a version's name may be the beginning of another's.
fn template_key(version: Version) -> String {
    format!("template#{version}#")
}
