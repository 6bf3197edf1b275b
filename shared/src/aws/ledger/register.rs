//! Registering a service: its document, the alarms and places that lead to it, and what it starts from, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};

use super::group::{Group, Leads, Member, SeenGroup};
use super::{AlarmService, Ledger, LedgerError, TransactError, n};
use crate::aws::CallFailed;
use crate::deployment::Place;
use crate::names::{GroupName, InvalidName, ServiceName};
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
    /// The group has too many members.
    #[error("group {group} has {count} other services: a group has at most {GROUP_MEMBERS_MAX}")]
    GroupFull {
        /// The group.
        group: String,
        /// How many others there are.
        count: usize,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// DynamoDB takes no more in one.
const TRANSACTION_ITEMS_MAX: usize = 100;
/// An alarm's rollback is one event for all of its group, and looks at all of them at once.
const GROUP_MEMBERS_MAX: usize = 10;
/// Each race that is lost is another member that has registered.
const GROUP_RACES_MAX: usize = GROUP_MEMBERS_MAX + 1;

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
        let stale =
            || RegistrationError::Stale { service: registration.service.to_string(), expected: version - 1 };
        let mut seen = self.groups_of(registration, expected).await?;
        for _ in 0..GROUP_RACES_MAX {
            let work = Work { registration, expected, stable: &stable, home, version, seen: &seen };
            match self.register_over(&work).await {
                Ok(()) => return Ok(version),
                Err(TransactError::Call(failed)) => return Err(LedgerError::from(failed).into()),
                Err(TransactError::Lost { .. }) => {}
            }
            // Another member of the group may have registered in between: then this one is written over what it left.
            let now = self.groups_of(registration, expected).await?;
            if now == seen {
                return Err(stale());
            }
            seen = now;
        }
        Err(stale())
    }

    /// The groups that a service is in, and was in, by their names.
    async fn groups_of(
        &self,
        registration: &Registration,
        expected: Option<&ServiceRecord>,
    ) -> Result<Vec<SeenGroup>, RegistrationError> {
        let before = expected.and_then(|record| record.registration.rollback.group.as_ref());
        let names: BTreeSet<&GroupName> = registration.rollback.group.iter().chain(before).collect();
        let mut groups = Vec::new();
        for name in names {
            let none = Group { group: name.clone(), members: Vec::new() };
            let seen = self.seen_group(name).await?;
            groups.push(seen.unwrap_or(SeenGroup { group: none, version: 0 }));
        }
        let joined =
            groups.iter().find(|seen| registration.rollback.group.as_ref() == Some(&seen.group.group));
        if let Some(SeenGroup { group, .. }) = joined {
            let count = group.members.iter().filter(|member| member.service != registration.service).count();
            if count >= GROUP_MEMBERS_MAX {
                return Err(RegistrationError::GroupFull { group: group.group.to_string(), count });
            }
        }
        Ok(groups)
    }

    /// What leads to fellow members is written first: an alarm that leads to a service too early finds that the
    /// registration has the last word, while one that leads there too late would leave it behind. What is to be deleted comes
    /// last for the same reason.
    async fn register_over(&self, work: &Work<'_>) -> Result<(), TransactError> {
        let service = &work.registration.service;
        let leads = work.leads().map_err(|invalid| CallFailed::new("dynamodb:PutItem", service, &invalid))?;
        let mut rows: Vec<Vec<TransactWriteItem>> = Vec::new();
        let besides: Vec<TransactWriteItem> = leads
            .besides
            .iter()
            .map(|((pk, to), mapping)| self.item(service, self.put(pk, &format!("service#{to}"), mapping)))
            .collect::<Result<_, _>>()?;
        rows.extend(besides.chunks(TRANSACTION_ITEMS_MAX).map(<[_]>::to_vec));
        let own = self.registration_items(work, &leads)?;
        let dropped: Vec<TransactWriteItem> = leads
            .dropped
            .iter()
            .map(|(pk, to)| self.deletion(service, pk, &format!("service#{to}")))
            .collect::<Result<_, _>>()?;
        let all: Vec<TransactWriteItem> = own.into_iter().chain(dropped).collect();
        rows.extend(all.chunks(TRANSACTION_ITEMS_MAX).map(<[_]>::to_vec));
        for items in rows {
            self.transact_items(service, items).await?;
        }
        Ok(())
    }

    /// The document and all that is written on its condition.
    fn registration_items(
        &self,
        work: &Work<'_>,
        leads: &WorkLeads,
    ) -> Result<Vec<TransactWriteItem>, TransactError> {
        let Work { registration, expected, stable, version, seen, .. } = work;
        let service = &registration.service;
        let pk = format!("service#{service}");
        let document = self.put(&pk, "registration", registration).item("version", n(*version));
        let document = match expected {
            None => document.condition_expression("attribute_not_exists(pk)"),
            Some(record) => document
                .condition_expression("version = :version")
                .expression_attribute_values(":version", n(record.registration_version)),
        };
        let mut puts = vec![document, self.put("services", service.as_str(), service)];
        puts.extend(stable.iter().map(|good| self.put(&pk, &format!("good#{}", good.target), good)));
        puts.extend(leads.own.iter().map(|(lead, mapping)| self.put(lead, &pk, mapping)));
        for (seen, after) in seen.iter().zip(&leads.groups) {
            let group = self.put(&format!("group#{}", after.group), "members", after);
            let group = group.item("version", n(seen.version + 1));
            puts.push(match seen.version {
                0 => group.condition_expression("attribute_not_exists(pk)"),
                version => group
                    .condition_expression("version = :version")
                    .expression_attribute_values(":version", n(version)),
            });
        }
        puts.into_iter().map(|put| self.item(service, put)).collect()
    }

    fn item(&self, service: &ServiceName, put: PutBuilder) -> Result<TransactWriteItem, TransactError> {
        let put = put.build().map_err(|error| CallFailed::new("dynamodb:PutItem", service, &error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn deletion(
        &self,
        service: &ServiceName,
        pk: &str,
        sk: &str,
    ) -> Result<TransactWriteItem, TransactError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(pk.to_owned()))
            .key("sk", AttributeValue::S(sk.to_owned()))
            .build()
            .map_err(|error| CallFailed::new("dynamodb:DeleteItem", service, &error))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

/// A registration, and what it is written over.
struct Work<'work> {
    registration: &'work Registration,
    expected: Option<&'work ServiceRecord>,
    stable: &'work [KnownGood],
    home: &'work Home,
    version: u64,
    seen: &'work [SeenGroup],
}

/// What leads to whom once it is registered.
struct WorkLeads {
    /// What leads to the service by itself.
    own: BTreeMap<String, AlarmService>,
    /// What leads to it or to others because of its group.
    besides: Leads,
    /// What leads nowhere any more.
    dropped: BTreeSet<(String, ServiceName)>,
    /// The groups as they will be.
    groups: Vec<Group>,
}

impl Work<'_> {
    fn leads(&self) -> Result<WorkLeads, InvalidName> {
        let Self { registration, expected, home, seen, .. } = self;
        let service = &registration.service;
        let mapping = AlarmService { service: service.clone(), targets: registration.targets.clone() };
        let own: BTreeMap<String, AlarmService> =
            leads(registration, home)?.into_iter().map(|pk| (pk, mapping.clone())).collect();
        let member = Member {
            service: service.clone(),
            targets: registration.targets.clone(),
            alarms: alarms(registration, home)?,
        };
        let is_joined = |group: &Group| registration.rollback.group.as_ref() == Some(&group.group);
        let groups: Vec<Group> = seen
            .iter()
            .map(|seen| seen.group.with(service, is_joined(&seen.group).then(|| member.clone())))
            .collect();
        let grouped =
            |groups: &mut dyn Iterator<Item = &Group>| -> Leads { groups.flat_map(Group::leads).collect() };
        let after = grouped(&mut groups.iter());
        let before = grouped(&mut seen.iter().map(|seen| &seen.group));
        let before_own =
            expected.map(|record| leads(&record.registration, home)).transpose()?.unwrap_or_default();
        let before_own = before_own.into_iter().map(|pk| (pk, service.clone()));
        let is_led_to = |(pk, to): &(String, ServiceName)| to == service && own.contains_key(pk);
        let dropped = before
            .keys()
            .cloned()
            .chain(before_own)
            .filter(|lead| !after.contains_key(lead) && !is_led_to(lead))
            .collect();
        // What of it concerns neither this service nor its alarms was written by others, and stays.
        let besides =
            after.into_iter().filter(|((pk, to), _)| (to == service) != own.contains_key(pk)).collect();
        Ok(WorkLeads { own, besides, dropped, groups })
    }
}

/// The partitions that lead to a service: of its alarms and its places. A name and its ARN may both be listed; a transaction
/// may touch an item only once.
fn leads(registration: &Registration, home: &Home) -> Result<BTreeSet<String>, InvalidName> {
    let places = Place::of(registration).into_iter().map(|place| format!("place#{place}"));
    // Of these, too, AWS says that something has ended.
    let told = |place: &AnyPlace| matches!(place, AnyPlace::Stack(_) | AnyPlace::Configuration(_));
    let told = registration.targets.iter().filter(|target| told(&target.place));
    let told = told.map(|target| format!("place#{}", target.place));
    Ok(alarms(registration, home)?.into_iter().chain(places).chain(told).collect())
}

fn alarms(registration: &Registration, home: &Home) -> Result<BTreeSet<String>, InvalidName> {
    registration.guards.iter().map(|guard| Ok(format!("alarm#{}", guard.arn(home)?))).collect()
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
