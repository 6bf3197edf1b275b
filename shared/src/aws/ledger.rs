//! The ledger: one DynamoDB table with everything that Ripcord knows. Every write names what it was decided on.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `service#NAME` | `registration` | the registration and how often it was replaced |
//! | | `release` | the latest release; written only over the `seq` that was read |
//! | | `rollback#GENERATION#TARGET` | a rollback that quarantines and counts |
//! | | `good#TARGET` | the last known good version |
//! | | `heard#ALARM@TIME` | a transition that was answered without a rollback |
//! | | `heard#end of EXECUTION` | an execution that ended without a release, and may open none any more |
//! | `alarm#ARN` | `service#NAME` | the services that an alarm guards and those of their groups, with their targets |
//! | `group#NAME` | `members` | the services that go back together, with their alarms |
//! | `place#PLACE` | `service#NAME` | the services whose traffic shifts there, with their targets |
//! | `services` | `NAME` | the names of all services |
//! | `history#NAME` | `GENERATION` | every release as it was last written |
//! | `evidence#NAME` | `GENERATION#KIND` | what was seen, decided and done |
//! | `timeline#NAME` | `GENERATION#SEQ#WHAT` | what happened to a release, as one of its writes says; written by release-recorder alone |
//! | | `aws#TIME#WHAT` | what AWS said of the service's places |
//! | `findings#NAME` | `GENERATION#WHAT` | what checks found, and the latest look at each stage |
//! | `stack#REGION#NAME` | `kept#VERSION` | that a version of a stack is kept |
//! | | `template#VERSION#` | what that version was deployed from |
//! | `logs#NAME` | `GENERATION#FUNCTION` | what the version that was taken back had logged |
//!
//! What an item holds is JSON text under `doc`; what conditions compare stands beside it as an attribute of its own.

#![expect(
    clippy::disallowed_types,
    reason = "the SDK's maps are hash maps; nothing is decided by their order"
)]

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CallFailed;
use super::execute::Interruption;
use crate::evidence::{Evidence, LogExcerpt, evidence_key};
use crate::finding::Finding;
use crate::names::{AlarmArn, Generation, ServiceName};
use crate::plan::{KeepLogs, LedgerWrite};
use crate::registration::Target;
use crate::release::{KnownGood, PastRollback, Release, Report};
use crate::situation::{Heard, ServiceRecord};

mod group;
mod register;
mod stacks;
mod timeline;

pub use group::{Group, Member};
pub use register::RegistrationError;
pub(in crate::aws) use stacks::{KeptParameter, KeptTemplate};

/// The table.
#[derive(Clone, Debug)]
pub struct Ledger {
    dynamodb: Client,
    table: String,
}

/// A service that an alarm guards, or that is deployed at a place, with what is needed to look at its targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct AlarmService {
    /// The service.
    pub service: ServiceName,
    /// Its targets.
    pub targets: Vec<Target>,
}

/// Why the ledger could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// An item is not what Ripcord writes.
    #[error("the ledger's item {pk} / {sk} is not readable: {why}")]
    Unreadable {
        /// Its partition key.
        pk: String,
        /// Its sort key.
        sk: String,
        /// In which way.
        why: String,
    },
}

type Item = HashMap<String, AttributeValue>;

/// A service's items are few and small. Ten pages of a megabyte each are far beyond what one can have.
const PAGES_MAX: usize = 10;

impl Ledger {
    pub(super) fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The services that an alarm guards.
    pub async fn guarded_by(&self, alarm: &AlarmArn) -> Result<Vec<AlarmService>, LedgerError> {
        self.query(&format!("alarm#{alarm}")).await?.iter().map(document).collect()
    }

    /// The services whose traffic shifts at a place.
    pub async fn placed_at(&self, place: &impl std::fmt::Display) -> Result<Vec<AlarmService>, LedgerError> {
        self.query(&format!("place#{place}")).await?.iter().map(document).collect()
    }

    /// The names of all services.
    pub async fn services(&self) -> Result<Vec<ServiceName>, LedgerError> {
        self.query("services").await?.iter().map(document).collect()
    }

    /// Everything about a service; nothing if it is not registered.
    pub async fn service(&self, service: &ServiceName) -> Result<Option<ServiceRecord>, LedgerError> {
        let mut registration = None;
        let mut release: Option<Release> = None;
        let mut rollbacks: Vec<PastRollback> = Vec::new();
        let mut known_good: Vec<KnownGood> = Vec::new();
        let mut heard: Vec<Heard> = Vec::new();
        for item in self.query(&format!("service#{service}")).await? {
            match text(&item, "sk").split('#').next().unwrap_or_default() {
                "registration" => registration = Some((document(&item)?, number(&item, "version")?)),
                "release" => release = Some(document(&item)?),
                "rollback" => rollbacks.push(document(&item)?),
                "good" => known_good.push(document(&item)?),
                "heard" => heard.push(document(&item)?),
                // A later version of the suite may keep more.
                _ => {}
            }
        }
        Ok(registration.map(|(registration, registration_version)| ServiceRecord {
            registration,
            registration_version,
            release,
            rollbacks,
            known_good,
            heard,
        }))
    }

    /// The evidence kept for a service, oldest first.
    pub async fn evidence(&self, service: &ServiceName) -> Result<Vec<Evidence>, LedgerError> {
        self.query(&format!("evidence#{service}")).await?.iter().map(document).collect()
    }

    /// Every release of a service as it was last written, oldest first.
    pub async fn history(&self, service: &ServiceName) -> Result<Vec<Release>, LedgerError> {
        self.query(&format!("history#{service}")).await?.iter().map(document).collect()
    }

    async fn query(&self, pk: &str) -> Result<Vec<Item>, LedgerError> {
        self.query_from(pk, None).await
    }

    /// The items of a partition, or those of them whose sort key begins with a prefix.
    async fn query_from(&self, pk: &str, prefix: Option<&str>) -> Result<Vec<Item>, LedgerError> {
        let mut items = Vec::new();
        let mut start = None;
        for _ in 0..PAGES_MAX {
            let query = self
                .dynamodb
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .set_exclusive_start_key(start);
            let query = match prefix {
                None => query.key_condition_expression("pk = :pk"),
                Some(prefix) => query
                    .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                    .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned())),
            };
            let page = query.send().await.map_err(|error| CallFailed::new("dynamodb:Query", pk, &error))?;
            start = page.last_evaluated_key;
            items.extend(page.items.unwrap_or_default());
            if start.is_none() {
                return Ok(items);
            }
        }
        let why = format!("it has more than {PAGES_MAX} pages");
        Err(LedgerError::Unreadable { pk: pk.to_owned(), sk: "*".to_owned(), why })
    }

    /// Writes a release and what belongs to it, if nobody has written the release since it was read.
    pub(super) async fn write(&self, write: &LedgerWrite) -> Result<(), Interruption> {
        let mut puts = Vec::new();
        let service_pk = format!("service#{}", write.service);
        if let Some(release) = &write.release {
            let before = release.seq - 1;
            let put = self
                .put(&service_pk, "release", release)
                .item("seq", n(release.seq))
                .item("phase", s(release.phase));
            puts.push(if before == 0 {
                put.condition_expression("attribute_not_exists(pk)")
            } else {
                put.condition_expression("seq = :seq").expression_attribute_values(":seq", n(before))
            });
            let generation = format!("{:010}", release.generation.0);
            puts.push(self.put(&format!("history#{}", write.service), &generation, release));
        }
        for rollback in &write.rollbacks {
            let sk = format!("rollback#{:010}#{}", rollback.generation.0, rollback.target);
            puts.push(
                self.put(&service_pk, &sk, rollback).item("expires_at", seconds(write.rollbacks_until)),
            );
        }
        for good in &write.known_good {
            puts.push(self.put(&service_pk, &format!("good#{}", good.target), good));
        }
        if let Some(evidence) = &write.evidence {
            let sk = evidence_key(evidence.generation, &evidence.kind, evidence.decided_at);
            let put = self.put(&format!("evidence#{}", write.service), &sk, evidence);
            puts.push(put.item("expires_at", seconds(evidence.keep_until)));
        }
        self.transact(&write.service, puts).await.map_err(|error| match error {
            TransactError::Lost { what } => Interruption::Raced { what },
            TransactError::Call(failed) => Interruption::Failed { why: failed.to_string() },
        })
    }

    /// Notes that a signal is being or has been answered. A lease that has ended may be taken over.
    pub(super) async fn hear(
        &self,
        service: &ServiceName,
        heard: &Heard,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), Interruption> {
        let pk = format!("service#{service}");
        let put = self.put(&pk, &format!("heard#{}", heard.key), heard).item("expires_at", seconds(until));
        let put = match heard.report {
            Report::Leased { until } => put
                .item("lease_until", AttributeValue::N(until.as_millisecond().to_string()))
                .condition_expression("attribute_not_exists(pk) OR lease_until <= :now")
                .expression_attribute_values(":now", AttributeValue::N(now.as_millisecond().to_string())),
            Report::Sent { .. } | Report::NotDue => put,
        };
        self.transact(service, vec![put]).await.map_err(|error| match error {
            TransactError::Lost { .. } => {
                Interruption::Raced { what: format!("{} is being answered by another", heard.key) }
            }
            TransactError::Call(failed) => Interruption::Failed { why: failed.to_string() },
        })
    }

    /// Keeps an excerpt of logs beside the evidence of its release.
    pub(super) async fn keep_excerpt(&self, keep: &KeepLogs, excerpt: &LogExcerpt) -> Result<(), CallFailed> {
        let sk = format!("{:010}#{}", keep.generation.0, keep.function);
        let put = self.put(&format!("logs#{}", keep.service), &sk, excerpt);
        match self.transact(&keep.service, vec![put.item("expires_at", seconds(keep.keep_until))]).await {
            Ok(()) | Err(TransactError::Lost { .. }) => Ok(()),
            Err(TransactError::Call(failed)) => Err(failed),
        }
    }

    /// Keeps what a check or a look has found, over what was found before.
    pub(super) async fn note(&self, finding: &Finding) -> Result<(), Interruption> {
        let sk = format!("{:010}#{}", finding.generation.0, finding.found.key());
        let put = self.put(&format!("findings#{}", finding.service), &sk, finding);
        let kept = self.transact(&finding.service, vec![put.item("expires_at", seconds(finding.keep_until))]);
        match kept.await {
            Ok(()) => Ok(()),
            Err(TransactError::Lost { what }) => Err(Interruption::Raced { what }),
            Err(TransactError::Call(failed)) => Err(Interruption::Failed { why: failed.to_string() }),
        }
    }

    /// What was found for a release: before it, in each stage, after it.
    pub async fn findings(
        &self,
        service: &ServiceName,
        generation: Generation,
    ) -> Result<Vec<Finding>, LedgerError> {
        let prefix = format!("{:010}#", generation.0);
        self.query_from(&format!("findings#{service}"), Some(&prefix)).await?.iter().map(document).collect()
    }

    /// The excerpts of logs kept for a service, oldest first.
    pub async fn excerpts(&self, service: &ServiceName) -> Result<Vec<LogExcerpt>, LedgerError> {
        self.query(&format!("logs#{service}")).await?.iter().map(document).collect()
    }

    fn put(
        &self,
        pk: &str,
        sk: &str,
        document: &impl Serialize,
    ) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        // These types serialize: they hold names, numbers and texts, and their maps have text keys.
        let doc = serde_json::to_string(document).unwrap_or_default();
        Put::builder()
            .table_name(&self.table)
            .item("pk", AttributeValue::S(pk.to_owned()))
            .item("sk", AttributeValue::S(sk.to_owned()))
            .item("doc", AttributeValue::S(doc))
    }

    async fn transact(
        &self,
        service: &ServiceName,
        puts: Vec<aws_sdk_dynamodb::types::builders::PutBuilder>,
    ) -> Result<(), TransactError> {
        let mut items = Vec::with_capacity(puts.len());
        for put in puts {
            let put = put
                .build()
                .map_err(|error| CallFailed::new("dynamodb:TransactWriteItems", service, &error))?;
            items.push(TransactWriteItem::builder().put(put).build());
        }
        self.transact_items(service, items).await
    }

    async fn transact_items(
        &self,
        service: &ServiceName,
        items: Vec<TransactWriteItem>,
    ) -> Result<(), TransactError> {
        match self.dynamodb.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_lost(&error) => Err(TransactError::Lost {
                what: format!("the ledger's record of {service} has changed since it was read"),
            }),
            Err(error) => Err(CallFailed::new("dynamodb:TransactWriteItems", service, &error).into()),
        }
    }
}

enum TransactError {
    /// A condition did not hold, or another transaction was at work on the same items.
    Lost {
        what: String,
    },
    Call(CallFailed),
}

impl From<CallFailed> for TransactError {
    fn from(failed: CallFailed) -> Self {
        Self::Call(failed)
    }
}

fn is_lost<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => canceled
            .cancellation_reasons()
            .iter()
            .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict"))),
        Some(other) => other.is_transaction_in_progress_exception(),
        None => false,
    }
}

fn document<T: DeserializeOwned>(item: &Item) -> Result<T, LedgerError> {
    serde_json::from_str(text(item, "doc")).map_err(|error| unreadable(item, error.to_string()))
}

fn number(item: &Item, attribute: &str) -> Result<u64, LedgerError> {
    let number =
        item.get(attribute).and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| unreadable(item, format!("{attribute} is not a number")))
}

fn unreadable(item: &Item, why: String) -> LedgerError {
    LedgerError::Unreadable { pk: text(item, "pk").to_owned(), sk: text(item, "sk").to_owned(), why }
}

fn text<'item>(item: &'item Item, attribute: &str) -> &'item str {
    item.get(attribute).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn s(text: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

/// Time to live is counted in whole seconds.
fn seconds(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_second().to_string())
}
