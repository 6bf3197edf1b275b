//! The rows of the decision table for records, and a small Route 53 that only takes or refuses batches.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects, and fails on everything else"
)]

use proptest::prelude::*;

use super::*;
use crate::place::Blocked;

const BLUE: &str = "blue";
const GREEN: &str = "green";

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

fn place() -> Records {
    let text = r#"{"zone":"Z1","record":"www.example.com","record_type":"A","identifiers":["blue","green"]}"#;
    serde_json::from_str(text).expect("coordinates")
}

fn record(identifier: &str) -> RecordSet {
    RecordSet {
        name: "www.example.com.".to_owned(),
        record_type: "A".to_owned(),
        identifier: Some(identifier.to_owned()),
        ttl_seconds: Some(60),
        values: vec![format!("10.0.0.{}", identifier.len())],
        health_check: Some(format!("check of {identifier}")),
        ..RecordSet::default()
    }
}

fn weighted(identifier: &str, weight: i64) -> RecordSet {
    RecordSet { weight: Some(weight), ..record(identifier) }
}

fn failover(identifier: &str, role: Role) -> RecordSet {
    RecordSet { failover: Some(role), ..record(identifier) }
}

fn located(identifier: &str, country: &str) -> RecordSet {
    let geo_location = GeoLocation { continent: None, country: Some(country.to_owned()), subdivision: None };
    RecordSet { geo_location: Some(geo_location), ..record(identifier) }
}

fn seen(records: Vec<RecordSet>) -> Seen {
    Seen { records, others: Vec::new(), propagating: None }
}

fn back() -> Wanted {
    Wanted::back(version(BLUE), version(GREEN))
}

fn shift(percent: u32) -> Wanted {
    Wanted { weight: Weight::from_percent(percent), ..back() }
}

#[track_caller]
fn check(seen: &Seen, wanted: Wanted, expected: &str) {
    let said = match way(&place(), seen, &wanted) {
        Way::There => "there".to_owned(),
        Way::Coming { what } => format!("coming: {what}"),
        Way::Call { call, is_claimed: false } => call.to_string(),
        Way::Call { call, is_claimed: true } => format!("claimed: {call}"),
        Way::Blocked(why) => format!("blocked: {why}"),
    };
    assert_eq!(said, expected);
}

const UNLESS: &str = "if all of them are as they were seen; resolvers may keep the old answer for 60 s more";

#[test]
fn on_the_way_back_the_stable_record_takes_the_whole_weight_of_both() {
    let call = |from, to, other| {
        format!(
            "route53:ChangeResourceRecordSets in zone Z1: www.example.com. A blue from weight {from} to {to}; www.example.com. A green from weight {other} to 0, {UNLESS}"
        )
    };
    check(&seen(vec![weighted(BLUE, 90), weighted(GREEN, 10)]), back(), &call(90, 100, 10));
    check(&seen(vec![weighted(BLUE, 0), weighted(GREEN, 1)]), back(), &call(0, 1, 1));
    check(&seen(vec![weighted(BLUE, 0), weighted(GREEN, 255)]), back(), &call(0, 255, 255));
    // A record takes 255 at most.
    check(&seen(vec![weighted(BLUE, 200), weighted(GREEN, 56)]), back(), &call(200, 255, 56));
    check(&seen(vec![weighted(BLUE, 1), weighted(GREEN, 0)]), back(), "there");
}

#[test]
fn weights_of_nothing_are_halves_and_the_stable_record_gets_one() {
    let nothing = seen(vec![weighted(BLUE, 0), weighted(GREEN, 0)]);
    assert_eq!(nothing.traffic(&place()).to_string(), "blue on 50%, green on 50%");
    let call = match way(&place(), &nothing, &back()) {
        Way::Call { call: crate::place::Call::DnsRecords(Call::Replace(call)), .. } => call,
        other => panic!("{other:?}"),
    };
    assert_eq!(call.after, vec![weighted(BLUE, 1), weighted(GREEN, 0)]);
    // With a third record of no weight, one of one would take everything from it.
    let shared = Seen { others: vec![weighted("third", 0)], ..nothing };
    check(
        &shared,
        back(),
        "blocked: it is weighted 0 and 0: a weight of its own would change what the other records of its name are answered with",
    );
}

#[test]
fn whoever_has_more_is_named_first() {
    let traffic =
        |blue, green| seen(vec![weighted(BLUE, blue), weighted(GREEN, green)]).traffic(&place()).to_string();
    assert_eq!(traffic(90, 10), "blue on 90%, green on 10%");
    assert_eq!(traffic(10, 90), "green on 90%, blue on 10%");
    assert_eq!(traffic(0, 3), "green on 100%");
}

#[test]
fn a_share_is_only_taken_if_whole_weights_make_it() {
    let alone = seen(vec![weighted(BLUE, 1), weighted(GREEN, 0)]);
    let shared = Seen { others: vec![weighted("third", 7)], ..alone.clone() };
    let after = |seen: &Seen, wanted: Wanted| match way(&place(), seen, &wanted) {
        Way::Call { call: crate::place::Call::DnsRecords(Call::Replace(call)), .. } => {
            let weights: Vec<_> = call.after.iter().filter_map(|record| record.weight).collect();
            format!("{weights:?}")
        }
        Way::Blocked(why) => why.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(after(&alone, shift(10)), "[90, 10]");
    assert_eq!(after(&alone, shift(100)), "[0, 1]");
    let half_a_percent = Wanted { weight: Weight::from_share(0.005).expect("a share"), ..back() };
    assert_eq!(after(&alone, half_a_percent), "[199, 1]");
    let too_little = Wanted { weight: Weight::from_share(0.003).expect("a share"), ..back() };
    assert_eq!(
        after(&alone, too_little),
        "it cannot serve 0.3% of the candidate: weights are whole numbers up to 255: take steps of 0.5% or of 0.4%"
    );
    assert_eq!(
        after(&shared, shift(10)),
        "it cannot serve 10% of the candidate: weights are whole numbers, and other records of the name share with these two: they can only divide 1"
    );
    let shared = Seen { records: vec![weighted(BLUE, 20), weighted(GREEN, 0)], ..shared };
    assert_eq!(after(&shared, shift(10)), "[18, 2]");
}

#[test]
fn failover_records_swap_their_parts_and_keep_their_health_checks() {
    let candidate_first = seen(vec![failover(BLUE, Role::Secondary), failover(GREEN, Role::Primary)]);
    check(
        &candidate_first,
        back(),
        &format!(
            "route53:ChangeResourceRecordSets in zone Z1: www.example.com. A blue becomes PRIMARY; www.example.com. A green becomes SECONDARY, {UNLESS}"
        ),
    );
    let stable_first = seen(vec![failover(BLUE, Role::Primary), failover(GREEN, Role::Secondary)]);
    check(&stable_first, back(), "there");
    check(&candidate_first, shift(100), "there");
    check(
        &stable_first,
        shift(10),
        "blocked: it cannot serve 10% of the candidate: of two failover records one answers at a time",
    );
}

#[test]
fn a_location_is_answered_as_the_stable_one_and_what_it_was_is_for_a_person() {
    let apart = seen(vec![located(BLUE, "*"), located(GREEN, "DE")]);
    check(
        &apart,
        back(),
        &format!(
            "route53:ChangeResourceRecordSets in zone Z1: www.example.com. A blue stays; www.example.com. A green answers 10.0.0.4 instead of 10.0.0.5, {UNLESS}"
        ),
    );
    check(&apart, shift(100), "there");
    let alike = seen(vec![located(BLUE, "*"), located(GREEN, "DE").answering_like(&located(BLUE, "*"))]);
    check(&alike, back(), "there");
    check(
        &alike,
        shift(100),
        "blocked: it is a pair of geolocation records: both answer alike, and what the candidate's answer is to be only a person knows: change it, then shift",
    );
    check(
        &apart,
        Wanted::back(version(GREEN), version(BLUE)),
        "blocked: it is a pair of geolocation records: the first identifier of its registration is the one that releases go back to",
    );
}

#[test]
fn what_has_not_reached_every_server_is_on_its_way_and_is_replaced_if_it_is_wrong() {
    let on_its_way =
        Seen { propagating: Some("C7".to_owned()), ..seen(vec![weighted(BLUE, 9), weighted(GREEN, 0)]) };
    check(&on_its_way, back(), "coming: change C7 is PENDING, not INSYNC yet");
    let wrong = Seen { records: vec![weighted(BLUE, 0), weighted(GREEN, 9)], ..on_its_way };
    assert!(matches!(way(&place(), &wrong, &back()), Way::Call { .. }));
}

#[test]
fn a_record_that_is_gone_is_named() {
    let stable_gone = seen(vec![weighted(GREEN, 1)]);
    check(&stable_gone, back(), "blocked: there is no version blue there");
    assert_eq!(stable_gone.traffic(&place()).to_string(), "green on 100%");
    let candidate_gone = seen(vec![weighted(BLUE, 1)]);
    check(&candidate_gone, back(), "there");
    check(&candidate_gone, shift(10), "blocked: there is no version green there");
    let unknown = Wanted::back(version("violet"), version(GREEN));
    check(
        &seen(vec![weighted(BLUE, 1), weighted(GREEN, 0)]),
        unknown,
        "blocked: there is no version violet there",
    );
}

#[test]
fn other_ways_of_choosing_are_refused_by_name() {
    let by_latency = |identifier| RecordSet { region: Some("eu-west-1".to_owned()), ..record(identifier) };
    let why = "blocked: it is www.example.com's routing policy: only weighted, failover and geolocation records can be released";
    check(&seen(vec![by_latency(BLUE), by_latency(GREEN)]), back(), why);
    check(&seen(vec![weighted(BLUE, 1), by_latency(GREEN)]), back(), why);
    let made = RecordSet { traffic_policy_instance: Some("i".to_owned()), ..weighted(GREEN, 1) };
    check(
        &seen(vec![weighted(BLUE, 1), made]),
        back(),
        "blocked: it is www.example.com's routing policy: a traffic policy makes its records, and would make them again",
    );
}

#[test]
fn names_are_compared_as_route_53_writes_them() {
    let named = |name: &str| Records { record: name.parse().expect("a name"), ..place() };
    assert!(named("WWW.Example.com").is_named("www.example.com."));
    assert!(named("*.example.com").is_named("\\052.example.com."));
    assert!(!named("www.example.com").is_named("www.example.org."));
    assert!(!named("www.example.com").is_named("www.example.com\\"));
}

#[test]
fn two_records_are_registered_under_two_identifiers() {
    let text = r#"{"zone":"Z1","record":"www.example.com","record_type":"A","identifiers":["blue","blue"]}"#;
    let refused = serde_json::from_str::<Records>(text).expect_err("one record").to_string();
    assert!(refused.starts_with("blue is named twice"), "{refused}");
}

fn any_pair() -> impl Strategy<Value = Vec<RecordSet>> {
    let weights = (0..=255_i64, 0..=255_i64);
    let weighted = weights.prop_map(|(blue, green)| vec![weighted(BLUE, blue), weighted(GREEN, green)]);
    let role = prop_oneof![Just(Role::Primary), Just(Role::Secondary)];
    let failover = role.prop_map(|role| {
        let other = if role == Role::Primary { Role::Secondary } else { Role::Primary };
        vec![failover(BLUE, role), failover(GREEN, other)]
    });
    let located = any::<bool>().prop_map(|is_alike| {
        let (blue, green) = (located(BLUE, "*"), located(GREEN, "DE"));
        let green = if is_alike { green.answering_like(&blue) } else { green };
        vec![blue, green]
    });
    prop_oneof![weighted, failover, located]
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    (any::<bool>(), 0..=200_u32).prop_map(|(is_swapped, half_percents)| {
        let weight = Weight::from_share(f64::from(half_percents) / 200.0).expect("a share");
        let (stable, candidate) = if is_swapped { (GREEN, BLUE) } else { (BLUE, GREEN) };
        Wanted { stable: version(stable), candidate: version(candidate), weight }
    })
}

fn shares(seen: &Seen) -> [Weight; 2] {
    shares_of(seen.traffic(&place()))
}

fn shares_of(traffic: Traffic) -> [Weight; 2] {
    [traffic.share_of(version(BLUE)), traffic.share_of(version(GREEN))]
}

/// Takes a batch, or refuses it: all that Route 53 does.
fn take(records: &[RecordSet], batch: &Replacement) -> Option<Vec<RecordSet>> {
    (records == batch.before).then(|| batch.after.clone())
}

proptest! {
    #[test]
    fn one_batch_brings_it_there_and_a_second_is_never_needed(
        records in any_pair(),
        other in proptest::option::of(0..=255_i64),
        wanted in any_wanted(),
    ) {
        let others: Vec<_> = other.map(|weight| weighted("third", weight)).into_iter().collect();
        let before = Seen { others, ..seen(records) };
        match way(&place(), &before, &wanted) {
            Way::There => prop_assert_eq!(shares(&before), shares_of(wanted.traffic())),
            Way::Call { call: crate::place::Call::DnsRecords(Call::Replace(batch)), is_claimed } => {
                prop_assert!(!is_claimed);
                let records = take(&before.records, &batch).expect("it is as it was seen");
                prop_assert_eq!(take(&records, &batch), None, "its repetition is refused");
                let after = Seen { records, ..before };
                prop_assert_eq!(way(&place(), &after, &wanted), Way::There);
                prop_assert_eq!(shares(&after), shares_of(wanted.traffic()));
            }
            Way::Blocked(why) => {
                // A way back is only ruled out where the pair serves nothing, or goes back to a location.
                let is_reasoned = match why {
                    Blocked::State { .. } => true,
                    Blocked::Indivisible { .. } => !wanted.is_back(),
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                };
                prop_assert!(is_reasoned);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_batch_changes_nothing_but_weights_parts_and_answers(records in any_pair(), wanted in any_wanted()) {
        if let Way::Call { call: crate::place::Call::DnsRecords(Call::Replace(batch)), .. } =
            way(&place(), &seen(records), &wanted)
        {
            for (before, after) in batch.before.iter().zip(&batch.after) {
                let restored = RecordSet { weight: before.weight, failover: before.failover, ..after.answering_like(before) };
                prop_assert_eq!(&restored, before);
            }
        }
    }
}
