//! What the two records should be like, by how Route 53 chooses between them.

use super::{RecordSet, Records, Role, Seen, share_of};
use crate::names::Weight;
use crate::place::{Blocked, Wanted};

/// How Route 53 chooses between them.
pub(super) enum Routing {
    /// By their weights.
    Weighted { stable: i64, candidate: Option<i64> },
    /// By their parts in a failover.
    Failover,
    /// By where people are.
    Geolocation,
    /// In a way that no release can use.
    Unsupported { why: &'static str },
}

/// Route 53 takes no more.
const WEIGHT_MAX: i64 = 255;
/// What the weights may add up to where nobody else shares the name, in the order of preference: percents, half percents, and
/// steps of 0.4 %. Each part stays below 255.
const SUMS: [i64; 3] = [100, 200, 250];

impl Routing {
    pub(super) fn of(stable: &RecordSet, candidate: Option<&RecordSet>) -> Self {
        let both = |has: fn(&RecordSet) -> bool| has(stable) && candidate.is_none_or(has);
        if !both(|record| record.traffic_policy_instance.is_none()) {
            return Self::Unsupported {
                why: "a traffic policy makes its records, and would make them again",
            };
        }
        match stable.weight {
            Some(weight) if both(|record| record.weight.is_some()) => {
                Self::Weighted { stable: weight, candidate: candidate.and_then(|record| record.weight) }
            }
            None if both(|record| record.failover.is_some()) => Self::Failover,
            None if both(|record| record.geo_location.is_some()) => Self::Geolocation,
            Some(_) | None => {
                Self::Unsupported { why: "only weighted, failover and geolocation records can be released" }
            }
        }
    }
}

/// The records as they should be, in the order in which they were seen.
pub(super) fn wished(place: &Records, seen: &Seen, wanted: &Wanted) -> Result<Vec<RecordSet>, Blocked> {
    let known = |version| place.identifiers.contains(&version);
    if let Some(version) = [wanted.stable, wanted.candidate].into_iter().find(|version| !known(*version)) {
        return Err(Blocked::NoSuchVersion { version });
    }
    let candidate_is = place.other_than(wanted.stable);
    let stable = seen.record(wanted.stable).ok_or(Blocked::NoSuchVersion { version: wanted.stable })?;
    let candidate = seen.record(candidate_is);
    if candidate.is_none() && !wanted.is_back() {
        return Err(Blocked::NoSuchVersion { version: candidate_is });
    }
    let pair = Pair { stable, candidate, others: &seen.others };
    let (stable, candidate) = match Routing::of(stable, candidate) {
        Routing::Weighted { stable, candidate } => pair.weighted((stable, candidate), wanted.weight)?,
        Routing::Failover => pair.failover(wanted.weight)?,
        Routing::Geolocation => pair.geolocation(place.identifiers[0] == wanted.stable, wanted.weight)?,
        Routing::Unsupported { why } => {
            let state = format!("{}'s routing policy", place.record);
            return Err(Blocked::State { state, why: why.to_owned() });
        }
    };
    let mut after = vec![stable];
    after.extend(candidate);
    // They are compared with what was seen, and shown to people, in that order.
    after.sort_by_key(|record| seen.records.iter().position(|seen| seen.identifier == record.identifier));
    Ok(after)
}

struct Pair<'a> {
    stable: &'a RecordSet,
    candidate: Option<&'a RecordSet>,
    others: &'a [RecordSet],
}

type Wished = Result<(RecordSet, Option<RecordSet>), Blocked>;

impl Pair<'_> {
    fn weighted(&self, (stable, candidate): (i64, Option<i64>), weight: Weight) -> Wished {
        let sum = stable + candidate.unwrap_or_default();
        if sum == 0 && !self.others.is_empty() {
            return Err(Blocked::State {
                state: "weighted 0 and 0".to_owned(),
                why: "a weight of its own would change what the other records of its name are answered with"
                    .to_owned(),
            });
        }
        let (stable, candidate) = match candidate {
            // Alone it is answered with, whatever it weighs.
            None => return Ok((self.stable.clone(), None)),
            Some(_) if weight == Weight::NONE => (whole(sum), 0),
            Some(_) if weight == Weight::ALL => (0, whole(sum)),
            Some(_) => self.divided(sum, weight)?,
        };
        let weighing = |record: &RecordSet, weight| RecordSet { weight: Some(weight), ..record.clone() };
        Ok((weighing(self.stable, stable), self.candidate.map(|record| weighing(record, candidate))))
    }

    /// Their sum stays, so that other records of the name keep their shares; without others it may be what the weight needs.
    fn divided(&self, sum: i64, weight: Weight) -> Result<(i64, i64), Blocked> {
        let sums = SUMS.iter().copied().filter(|_| self.others.is_empty());
        let found = std::iter::once(sum).chain(sums).find_map(|sum| {
            (1..sum)
                .find(|part| Weight::from_share(share_of(*part, sum)) == Ok(weight))
                .map(|part| (sum - part, part))
                .filter(|(rest, part)| (*rest).max(*part) <= WEIGHT_MAX)
        });
        found.ok_or_else(|| Blocked::Indivisible {
            weight,
            why: if self.others.is_empty() {
                "weights are whole numbers up to 255: take steps of 0.5% or of 0.4%".to_owned()
            } else {
                format!("weights are whole numbers, and other records of the name share with these two: they can only divide {sum}")
            },
        })
    }

    fn failover(&self, weight: Weight) -> Wished {
        let (stable, candidate) = match weight {
            Weight::NONE => (Role::Primary, Role::Secondary),
            Weight::ALL => (Role::Secondary, Role::Primary),
            weight => {
                let why = "of two failover records one answers at a time".to_owned();
                return Err(Blocked::Indivisible { weight, why });
            }
        };
        let with = |record: &RecordSet, role| RecordSet { failover: Some(role), ..record.clone() };
        Ok((with(self.stable, stable), self.candidate.map(|record| with(record, candidate))))
    }

    /// The candidate's location is answered as the stable one's is. What it was answered before stays in the evidence alone.
    fn geolocation(&self, is_in_order: bool, weight: Weight) -> Wished {
        let refused = |why: &str| {
            Err(Blocked::State { state: "a pair of geolocation records".to_owned(), why: why.to_owned() })
        };
        if !is_in_order {
            return refused("the first identifier of its registration is the one that releases go back to");
        }
        let Some(candidate) = self.candidate else { return Ok((self.stable.clone(), None)) };
        match weight {
            Weight::NONE => Ok((self.stable.clone(), Some(candidate.answering_like(self.stable)))),
            Weight::ALL if candidate.answers_like(self.stable) => refused(
                "both answer alike, and what the candidate's answer is to be only a person knows: change it, then shift",
            ),
            Weight::ALL => Ok((self.stable.clone(), Some(candidate.clone()))),
            weight => {
                let why = "a location is answered from one record".to_owned();
                Err(Blocked::Indivisible { weight, why })
            }
        }
    }
}

/// All that two weights were, as far as one record can take it, and never nothing: where all records weigh nothing, Route 53
/// answers with each of them as often as with the others.
fn whole(sum: i64) -> i64 {
    sum.clamp(1, WEIGHT_MAX)
}
