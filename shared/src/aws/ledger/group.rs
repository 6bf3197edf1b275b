//! Groups of services that go back together: who is in one, and which alarms lead to whom because of it.
//!
//! An alarm of any member leads to every member, so that whoever reads it finds them all with one question. Members register
//! at different times, so each registration writes both directions: its own alarms to the others, and the others' alarms to
//! itself. The group's one item is written under a condition, and of two who register at once one reads again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AlarmService, Ledger, LedgerError, document, number};
use crate::names::{GroupName, ServiceName};
use crate::registration::Target;

/// A group as it is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub group: GroupName,
    /// Its members.
    pub members: Vec<Member>,
}

/// A service that goes back with its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The service.
    pub service: ServiceName,
    /// Its targets.
    pub targets: Vec<Target>,
    /// The partitions of the alarms that guard it.
    pub alarms: BTreeSet<String>,
}

/// A group's item, and how often it was written: a registration names the number that it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenGroup {
    pub(super) group: Group,
    pub(super) version: u64,
}

/// What leads to whom: the partition of an alarm and the service behind it.
pub(super) type Leads = BTreeMap<(String, ServiceName), AlarmService>;

impl Ledger {
    /// The services that go back together under a name; nothing if there are none.
    pub async fn group(&self, group: &GroupName) -> Result<Option<Group>, LedgerError> {
        Ok(self.seen_group(group).await?.map(|seen| seen.group).filter(|group| !group.members.is_empty()))
    }

    pub(super) async fn seen_group(&self, group: &GroupName) -> Result<Option<SeenGroup>, LedgerError> {
        let items = self.query(&format!("group#{group}")).await?;
        items
            .first()
            .map(|item| Ok(SeenGroup { group: document(item)?, version: number(item, "version")? }))
            .transpose()
    }
}

impl Group {
    /// The same with this member as it is now, or without the service that has left.
    pub(super) fn with(&self, service: &ServiceName, member: Option<Member>) -> Self {
        let others = self.members.iter().filter(|other| other.service != *service).cloned();
        let mut members: Vec<Member> = others.chain(member).collect();
        members.sort_by(|one, other| one.service.cmp(&other.service));
        Self { group: self.group.clone(), members }
    }

    /// Every alarm of every member leads to every member.
    pub(super) fn leads(&self) -> Leads {
        let alarms: BTreeSet<&String> = self.members.iter().flat_map(|member| &member.alarms).collect();
        let to = |member: &Member| AlarmService {
            service: member.service.clone(),
            targets: member.targets.clone(),
        };
        alarms
            .into_iter()
            .flat_map(|alarm| {
                self.members.iter().map(move |member| ((alarm.clone(), member.service.clone()), to(member)))
            })
            .collect()
    }
}
