//! Registering a service: its document, the alarms and places that lead to it, and what it starts from, in one transaction.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};

use super::{AlarmService, Ledger, LedgerError, TransactError, n};
use crate::aws::CallFailed;
use crate::deployment::Place;
use crate::names::InvalidName;
use crate::place::Place as AnyPlace;
use crate::registration::{Home, Registration, Violation};
use crate::release::{KnownGood, Phase};
use crate::situation::ServiceRecord;

/// Why a service was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The document breaks rules.
    #[error("the registration is not valid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Violation>),
    /// A guard is not an alarm.
    #[error(transparent)]
    Guard(#[from] InvalidName),
    /// Its targets changed while a release moves them.
    #[error("release {generation} of {service} is open: its targets cannot change before it has ended")]
    ReleaseOpen {
        /// The service.
        service: String,
        /// The release.
        generation: u64,
    },
    /// Somebody else registered it in the meantime.
    #[error(
        "{service} is no longer as it was seen (version {expected}): somebody else registered it; look and try again"
    )]
    Stale {
        /// The service.
        service: String,
        /// The version that was to be replaced; 0 where there was none.
        expected: u64,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// DynamoDB takes no more in one.
const TRANSACTION_ITEMS_MAX: usize = 100;

impl Ledger {
    /// Registers a service over `expected`, the record that the caller has seen; returns the registration's new version.
    pub async fn register(
        &self,
        registration: &Registration,
        expected: Option<&ServiceRecord>,
        stable: Vec<KnownGood>,
        home: &Home,
    ) -> Result<u64, RegistrationError> {
        let violations = registration.violations();
        if !violations.is_empty() {
            return Err(RegistrationError::Invalid(violations));
        }
        refuse_moved_targets(registration, expected)?;
        let version = expected.map_or(0, |record| record.registration_version) + 1;
        let mut items = self.registration_items(registration, expected, stable, home, version)?;
        // What is to be deleted comes last. What of it does not fit leads to a registration that has the last word.
        let rest = items.split_off(items.len().min(TRANSACTION_ITEMS_MAX));
        for items in [items, rest].into_iter().filter(|items| !items.is_empty()) {
            self.transact_items(&registration.service, items).await.map_err(|error| match error {
                TransactError::Lost { .. } => RegistrationError::Stale {
                    service: registration.service.to_string(),
                    expected: version - 1,
                },
                TransactError::Call(failed) => RegistrationError::Ledger(failed.into()),
            })?;
        }
        Ok(version)
    }

    fn registration_items(
        &self,
        registration: &Registration,
        expected: Option<&ServiceRecord>,
        stable: Vec<KnownGood>,
        home: &Home,
        version: u64,
    ) -> Result<Vec<TransactWriteItem>, RegistrationError> {
        let service = &registration.service;
        let pk = format!("service#{service}");
        let document = self.put(&pk, "registration", registration).item("version", n(version));
        let document = match expected {
            None => document.condition_expression("attribute_not_exists(pk)"),
            Some(record) => document
                .condition_expression("version = :version")
                .expression_attribute_values(":version", n(record.registration_version)),
        };
        let mut puts = vec![document, self.put("services", service.as_str(), service)];
        puts.extend(stable.iter().map(|good| self.put(&pk, &format!("good#{}", good.target), good)));
        let leads = leads(registration, home)?;
        let mapping = AlarmService { service: service.clone(), targets: registration.targets.clone() };
        puts.extend(leads.iter().map(|lead| self.put(lead, &pk, &mapping)));

        let mut items = Vec::new();
        for put in puts {
            let put = put
                .build()
                .map_err(|error| LedgerError::Call(CallFailed::new("dynamodb:PutItem", service, &error)))?;
            items.push(TransactWriteItem::builder().put(put).build());
        }
        let before =
            expected.map(|record| self::leads(&record.registration, home)).transpose()?.unwrap_or_default();
        for dropped in before.difference(&leads) {
            let delete = Delete::builder()
                .table_name(&self.table)
                .key("pk", AttributeValue::S(dropped.clone()))
                .key("sk", AttributeValue::S(pk.clone()))
                .build()
                .map_err(|error| {
                    LedgerError::Call(CallFailed::new("dynamodb:DeleteItem", service, &error))
                })?;
            items.push(TransactWriteItem::builder().delete(delete).build());
        }
        Ok(items)
    }
}

/// The partitions that lead to a service: of its alarms and its places. A name and its ARN may both be listed; a transaction
/// may touch an item only once.
fn leads(registration: &Registration, home: &Home) -> Result<BTreeSet<String>, InvalidName> {
    let alarms = registration.guards.iter().map(|guard| Ok(format!("alarm#{}", guard.arn(home)?)));
    let places = Place::of(registration).into_iter().map(|place| format!("place#{place}"));
    let stacks = registration.targets.iter().filter(|target| matches!(target.place, AnyPlace::Stack(_)));
    let stacks = stacks.map(|target| format!("place#{}", target.place));
    alarms.chain(places.chain(stacks).map(Ok)).collect()
}

/// A target that changes under an open release would leave the release pointing at an alias that nobody observes.
fn refuse_moved_targets(
    registration: &Registration,
    expected: Option<&ServiceRecord>,
) -> Result<(), RegistrationError> {
    let release = expected.and_then(|record| Some((record, record.release.as_ref()?)));
    match release {
        Some((record, release))
            if release.phase == Phase::Shifting && record.registration.targets != registration.targets =>
        {
            Err(RegistrationError::ReleaseOpen {
                service: registration.service.to_string(),
                generation: release.generation.0,
            })
        }
        Some(_) | None => Ok(()),
    }
}
