//! A record set as Route 53 lists it, with every field that it can have: what is not kept could not be shown when the record is
//! deleted, nor created again.

use serde::{Deserialize, Serialize};

/// A record set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordSet {
    /// Its name as Route 53 writes it, escapes and all.
    pub name: String,
    /// Its type.
    pub record_type: String,
    /// What tells it from others of the same name and type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// Its weight, from 0 to 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// Its part in a failover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<Role>,
    /// The region whose latency decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Who is answered with it, by where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_location: Option<GeoLocation>,
    /// Who is answered with it, by how far away they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_proximity: Option<GeoProximity>,
    /// Who is answered with it, by their address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<CidrLocation>,
    /// Whether it is one of several answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_value_answer: Option<bool>,
    /// For how long resolvers may keep its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<i64>,
    /// Its answer, unless it is an alias.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What it stands for, if it is an alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_target: Option<AliasTarget>,
    /// What tells whether its answer is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<String>,
    /// The traffic policy that made it, and that alone may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy_instance: Option<String>,
}

/// A part in a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers while it is healthy.
    Primary,
    /// Answers while the primary is not healthy.
    Secondary,
}

/// Where people are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeoLocation {
    /// The continent.
    pub continent: Option<String>,
    /// The country; `*` is everybody that no other record is for.
    pub country: Option<String>,
    /// The part of the country.
    pub subdivision: Option<String>,
}

/// Where an answer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeoProximity {
    /// The region.
    pub region: Option<String>,
    /// The group of local zones.
    pub local_zone_group: Option<String>,
    /// The place on the map.
    pub coordinates: Option<Coordinates>,
    /// By how much it draws more people than are nearest.
    pub bias: Option<i32>,
}

/// A place on the map, as Route 53 writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinates {
    /// North of the equator.
    pub latitude: String,
    /// East of Greenwich.
    pub longitude: String,
}

/// A named list of addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CidrLocation {
    /// The collection.
    pub collection: String,
    /// The list's name in it.
    pub location: String,
}

/// What an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasTarget {
    /// The zone that its target is in.
    pub zone: String,
    /// Its target's name.
    pub dns_name: String,
    /// Whether it counts as healthy only while its target is.
    pub evaluates_health: bool,
}

impl RecordSet {
    /// Whether it gives the same answer: the same values or target, for as long, under the same health check.
    pub fn answers_like(&self, other: &Self) -> bool {
        let answer = |record: &Self| {
            let Self { ttl_seconds, values, alias_target, health_check, .. } = record.clone();
            (ttl_seconds, values, alias_target, health_check)
        };
        answer(self) == answer(other)
    }

    /// The same record with another one's answer. The health check goes with the answer, because that is what it checks.
    #[must_use]
    pub(super) fn answering_like(&self, other: &Self) -> Self {
        let Self { ttl_seconds, values, alias_target, health_check, .. } = other.clone();
        Self { ttl_seconds, values, alias_target, health_check, ..self.clone() }
    }

    /// What it answers, for people.
    fn answer(&self) -> String {
        match &self.alias_target {
            Some(target) => format!("alias of {}", target.dns_name),
            None => self.values.join(" "),
        }
    }

    /// What is changed about it, for people.
    pub(super) fn change_to(&self, after: &Self) -> String {
        let identifier = self.identifier.as_deref().unwrap_or("-");
        let name = format!("{} {} {identifier}", self.name, self.record_type);
        if let (Some(from), Some(to)) = (self.weight, after.weight)
            && from != to
        {
            return format!("{name} from weight {from} to {to}");
        }
        match after.failover {
            Some(Role::Primary) if self.failover != after.failover => format!("{name} becomes PRIMARY"),
            Some(Role::Secondary) if self.failover != after.failover => format!("{name} becomes SECONDARY"),
            Some(Role::Primary | Role::Secondary) | None if self == after => format!("{name} stays"),
            Some(Role::Primary | Role::Secondary) | None => {
                format!("{name} answers {} instead of {}", after.answer(), self.answer())
            }
        }
    }
}
