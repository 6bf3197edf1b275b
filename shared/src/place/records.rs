//! Two records of Route 53 with one name: weighted, failover or geolocation. Its versions are their set identifiers.
//!
//! Route 53 has no token for comparing, but a DELETE must show every value of the record that is there. One batch that deletes
//! what was seen and creates what is wanted is therefore a compare-and-swap: it is taken wholly, or refused.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Wanted, Way};
use crate::names::{PlainName, Version, Weight};
use crate::traffic::Traffic;

mod record_set;
mod routing;
#[cfg(test)]
mod tests;

pub use record_set::{AliasTarget, CidrLocation, Coordinates, GeoLocation, GeoProximity, RecordSet, Role};
use routing::Routing;

/// Which records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The hosted zone's id.
    pub zone: PlainName,
    /// The name that they share, with or without the dot at its end.
    pub record: PlainName,
    /// Their type, such as `A` or `CNAME`.
    pub record_type: PlainName,
    /// Their two set identifiers. Of geolocation records the second is the one that releases change.
    #[serde(deserialize_with = "two_identifiers")]
    pub identifiers: [Version; 2],
}

fn two_identifiers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[Version; 2], D::Error> {
    let [first, second] = <[Version; 2]>::deserialize(deserializer)?;
    if first == second {
        return Err(serde::de::Error::custom(format!(
            "{first} is named twice: a release moves between two records"
        )));
    }
    Ok([first, second])
}

/// What is seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Those of the two records that are there, with every field, because a deletion must show them all.
    pub records: Vec<RecordSet>,
    /// The other records of the same name and type, which are left alone.
    pub others: Vec<RecordSet>,
    /// A change of ours that Route 53 has not brought to all of its servers yet. Only the process that made it knows its id.
    pub propagating: Option<String>,
}

/// The AWS actions that looking at it needs, as IAM names them.
pub const OBSERVED: &[&str] = &["route53:GetChange", "route53:ListResourceRecordSets"];

/// A call that moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Replaces exactly what was seen.
    Replace(Replacement),
}

/// One batch: what it deletes and what it creates instead, in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// Which records.
    pub place: Records,
    /// The records as they were seen. Route 53 refuses the batch if one is not like that any more.
    pub before: Vec<RecordSet>,
    /// The records as they are to be.
    pub after: Vec<RecordSet>,
}

/// How it gets from what was seen to what is wanted.
pub fn way(place: &Records, seen: &Seen, wanted: &Wanted) -> Way {
    let after = match routing::wished(place, seen, wanted) {
        Ok(after) => after,
        Err(blocked) => return Way::Blocked(blocked),
    };
    match &seen.propagating {
        // What has not reached every server yet is replaced as well as what has.
        _ if after != seen.records => {
            let replacement = Replacement { place: place.clone(), before: seen.records.clone(), after };
            Way::Call { call: super::Call::DnsRecords(Call::Replace(replacement)), is_claimed: false }
        }
        Some(change) => Way::Coming { what: format!("change {change} is PENDING, not INSYNC yet") },
        None => Way::There,
    }
}

impl Records {
    /// Whether a name that Route 53 lists is the one that they share: Route 53 writes small letters, a dot at the end, and
    /// what is no letter, digit or hyphen as `\` and three octal digits.
    pub fn is_named(&self, listed: &str) -> bool {
        canonical(self.record.as_str()) == canonical(listed)
    }

    /// Which of the two is not this one.
    pub(super) fn other_than(&self, version: Version) -> Version {
        let [first, second] = self.identifiers;
        if version == first { second } else { first }
    }
}

fn canonical(name: &str) -> String {
    let mut canonical = String::new();
    let mut rest = name.strip_suffix('.').unwrap_or(name);
    while let Some(next) = rest.chars().next() {
        let escaped = rest.strip_prefix('\\').and_then(|rest| rest.get(..3));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) => {
                canonical.push(char::from(code).to_ascii_lowercase());
                rest = rest.get(4..).unwrap_or_default();
            }
            None => {
                canonical.push(next.to_ascii_lowercase());
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
        }
    }
    canonical
}

impl Seen {
    /// The record with this set identifier.
    pub(super) fn record(&self, identifier: Version) -> Option<&RecordSet> {
        self.records.iter().find(|record| record.identifier.as_deref() == Some(identifier.as_str()))
    }

    /// For how long resolvers may still give the old answer once all of Route 53's servers give the new one. A record that is
    /// an alias has the lifetime of what it stands for, which is not seen here.
    pub fn ttl_seconds(&self) -> Option<i64> {
        ttl_seconds(&self.records)
    }

    /// How the two share what comes to them. Health checks may send it elsewhere; that is not seen here.
    pub fn traffic(&self, place: &Records) -> Traffic {
        let [first, second] = place.identifiers;
        let (Some(one), Some(other)) = (self.record(first), self.record(second)) else {
            let there = if self.record(second).is_some() { second } else { first };
            return Traffic::all_on(there);
        };
        match Routing::of(one, Some(other)) {
            Routing::Weighted { stable, candidate: Some(candidate) } => {
                let sum = stable + candidate;
                // Records that all weigh nothing are answered with alike.
                let share = |weight| if sum == 0 { 0.5 } else { share_of(weight, sum) };
                // Whoever has more comes first: releases take turns, and most of the time the stable record has more.
                let (more, less, weight) =
                    if candidate > stable { (second, first, stable) } else { (first, second, candidate) };
                Traffic::split(more, less, Weight::from_share(share(weight)).unwrap_or(Weight::NONE))
            }
            Routing::Failover => {
                Traffic::all_on(if other.failover == Some(Role::Primary) { second } else { first })
            }
            Routing::Geolocation => Traffic::all_on(if one.answers_like(other) { first } else { second }),
            Routing::Weighted { candidate: None, .. } | Routing::Unsupported { .. } => Traffic::all_on(first),
        }
    }
}

/// Weights are at most 255 each, so the conversion is exact.
#[expect(clippy::cast_precision_loss, reason = "weights are small")]
fn share_of(weight: i64, sum: i64) -> f64 {
    weight as f64 / sum as f64
}

fn ttl_seconds(records: &[RecordSet]) -> Option<i64> {
    records.iter().filter_map(|record| record.ttl_seconds).max()
}

impl Call {
    /// The AWS actions that the call needs, as IAM names them.
    pub fn iam_actions(&self) -> &'static [&'static str] {
        match self {
            Self::Replace(_) => &["route53:ChangeResourceRecordSets"],
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Replace(Replacement { place, before, after }) = self;
        write!(f, "route53:ChangeResourceRecordSets in zone {}:", place.zone)?;
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            let comma = if index == 0 { "" } else { ";" };
            write!(f, "{comma} {}", before.change_to(after))?;
        }
        write!(f, ", if all of them are as they were seen")?;
        match ttl_seconds(before) {
            Some(seconds) => write!(f, "; resolvers may keep the old answer for {seconds} s more"),
            None => write!(f, "; resolvers may keep the old answer as long as the aliases' targets allow"),
        }
    }
}

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dns:{}/{}/{}", self.zone, self.record, self.record_type)
    }
}
