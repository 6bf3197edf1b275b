//! Records of Route 53: what is asked for, what its answers are taken for, and what goes over the wire.

use aws_sdk_route53::Client as Route53;
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsOutput;
use aws_sdk_route53::operation::get_change::GetChangeOutput;
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput;
use aws_sdk_route53::primitives::DateTime;
use aws_sdk_route53::types::{
    AliasTarget, ChangeInfo, ChangeStatus, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation,
    ResourceRecord, ResourceRecordSet, ResourceRecordSetFailover, ResourceRecordSetRegion, RrType,
};
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Interruption, take};
use ripcord::place::records::Seen;
use ripcord::place::{Aim, Call, Live, Place, Seen as PlaceSeen, Wanted, Way};
use ripcord::plan::{Step, Turn};
use ripcord::registration::{Reach, Target};
use ripcord::situation::Sighting;
use serde_json::json;

use super::super::scene::{Scene, clock};

fn target(name: &str, kind: &str) -> Target {
    let place = json!({
        "kind": "dns_records", "zone": "Z1", "record": name, "record_type": kind, "identifiers": ["blue", "green"],
    });
    Target {
        name: "site".parse().unwrap(),
        turn: 0,
        reach: Reach::default(),
        place: serde_json::from_value::<Place>(place).unwrap(),
    }
}

fn www() -> Target {
    target("www.example.com", "A")
}

fn record(name: &str, identifier: &str, weight: i64) -> ResourceRecordSet {
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::A)
        .set_identifier(identifier)
        .weight(weight)
        .ttl(60)
        .resource_records(ResourceRecord::builder().value(format!("10.0.0.{weight}")).build().unwrap())
        .build()
        .unwrap()
}

fn pair(blue: i64, green: i64) -> Vec<ResourceRecordSet> {
    vec![record("www.example.com.", "blue", blue), record("www.example.com.", "green", green)]
}

fn page(records: Vec<ResourceRecordSet>, next: Option<&str>) -> ListResourceRecordSetsOutput {
    ListResourceRecordSetsOutput::builder()
        .set_resource_record_sets(Some(records))
        .is_truncated(next.is_some())
        .set_next_record_name(next.map(|_| "www.example.com.".to_owned()))
        .set_next_record_type(next.map(|_| RrType::A))
        .set_next_record_identifier(next.map(str::to_owned))
        .max_items(100)
        .build()
        .unwrap()
}

/// One answer after the other, and the last one from then on.
fn lists(pages: Vec<ListResourceRecordSetsOutput>) -> Rule {
    let mut rule = mock!(Route53::list_resource_record_sets).sequence();
    for page in pages {
        rule = rule.output(move || page.clone());
    }
    rule.build()
}

fn info(status: ChangeStatus) -> ChangeInfo {
    ChangeInfo::builder().id("C7").status(status).submitted_at(DateTime::from_secs(0)).build().unwrap()
}

fn changes(status: ChangeStatus) -> Rule {
    mock!(Route53::change_resource_record_sets).then_output(move || {
        ChangeResourceRecordSetsOutput::builder().change_info(info(status.clone())).build()
    })
}

/// An error as Route 53 writes it.
fn refusal(code: &str, message: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"#
    )
}

macro_rules! refusing {
    ($call:ident, $code:expr, $message:expr) => {
        mock!(Route53::$call).sequence().http_status(400, Some(refusal($code, $message))).repeatedly().build()
    };
}

async fn sighted(target: &Target, rules: &[&Rule]) -> (Scene, Sighting) {
    let scene = Scene::new(rules);
    let sighting = scene.aws.sight(target).await;
    (scene, sighting)
}

#[track_caller]
fn live(sighting: Sighting) -> (String, Seen) {
    match sighting {
        Sighting::Place(live) => match *live {
            Live { traffic, seen: PlaceSeen::DnsRecords(seen), .. } => (traffic.to_string(), *seen),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn way_back(target: &Target, seen: Seen) -> Way {
    let wanted = Wanted::back("blue".parse().unwrap(), "green".parse().unwrap());
    target.place.way_to(&PlaceSeen::DnsRecords(Box::new(seen)), &Aim::Serve(wanted))
}

#[track_caller]
fn call_back(target: &Target, seen: Seen) -> Call {
    match way_back(target, seen) {
        Way::Call { call, .. } => call,
        other => panic!("{other:?}"),
    }
}

async fn moved(scene: &Scene, target: &Target, call: Call) -> Option<Interruption> {
    let step = Step::Turn(Box::new(Turn { target: target.clone(), call }));
    take(&scene.aws, &vec![vec![step]], clock).await.interruption
}

#[tokio::test(start_paused = true)]
async fn one_look_shows_the_two_records_and_leaves_out_what_follows_them() {
    let mut records = pair(90, 10);
    records.push(record("www.example.com.", "third", 5));
    records.push(record("zzz.example.com.", "blue", 1));
    let (scene, sighting) = sighted(&www(), &[&lists(vec![page(records, None)])]).await;
    let (traffic, seen) = live(sighting);
    assert_eq!(traffic, "blue on 90%, green on 10%");
    assert_eq!(seen.records.len(), 2);
    let others: Vec<_> = seen.others.iter().filter_map(|record| record.identifier.clone()).collect();
    assert_eq!((others, seen.propagating), (vec!["third".to_owned()], None));
    assert_eq!(scene.calls(), "route53:ListResourceRecordSets Z1 from www.example.com A");
}

#[tokio::test(start_paused = true)]
async fn a_name_in_capitals_is_asked_for_as_route_53_keeps_it() {
    let capitals = target("WWW.Example.com.", "A");
    let (scene, sighting) = sighted(&capitals, &[&lists(vec![page(pair(1, 0), None)])]).await;
    assert_eq!(live(sighting).0, "blue on 100%");
    assert_eq!(scene.calls(), "route53:ListResourceRecordSets Z1 from www.example.com. A");
}

#[tokio::test(start_paused = true)]
async fn a_second_page_is_read_and_a_third_is_an_error() {
    let split = || {
        let mut records = pair(1, 1);
        let green = records.pop().unwrap();
        (page(records, Some("green")), page(vec![green], None))
    };
    let (first, second) = split();
    let (scene, sighting) = sighted(&www(), &[&lists(vec![first.clone(), second])]).await;
    assert_eq!(live(sighting).0, "blue on 50%, green on 50%");
    assert!(scene.calls().ends_with("from www.example.com. A green"), "{}", scene.calls());
    let (_, sighting) = sighted(&www(), &[&lists(vec![first.clone(), first])]).await;
    let Sighting::Unseen { why } = sighting else { panic!("{sighting:?}") };
    assert!(why.contains("more than 2 pages"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_missing_and_what_cannot_be_seen_is_not() {
    let no_zone = refusing!(list_resource_record_sets, "NoSuchHostedZone", "no zone");
    assert_eq!(sighted(&www(), &[&no_zone]).await.1, Sighting::Missing);
    let next_name = lists(vec![page(vec![record("zzz.example.com.", "blue", 1)], None)]);
    assert_eq!(sighted(&www(), &[&next_name]).await.1, Sighting::Missing);
    for code in ["AccessDenied", "InvalidInput", "Throttling"] {
        let refused = refusing!(list_resource_record_sets, code, "made up");
        let (_, sighting) = sighted(&www(), &[&refused]).await;
        let Sighting::Unseen { why } = sighting else { panic!("{sighting:?}") };
        let said = "route53:ListResourceRecordSets of dns:Z1/www.example.com/A failed: ";
        assert!(why.starts_with(said) && why.contains(code), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_batch_deletes_what_was_seen_and_creates_what_is_wanted() {
    let (_, sighting) = sighted(&www(), &[&lists(vec![page(pair(90, 10), None)])]).await;
    let call = call_back(&www(), live(sighting).1);
    let scene = Scene::new(&[&changes(ChangeStatus::Insync)]);
    assert_eq!(moved(&scene, &www(), call).await, None);
    let set = |action, identifier, weight, address| {
        format!(
            "<Change><Action>{action}</Action><ResourceRecordSet><Name>www.example.com.</Name><Type>A</Type><SetIdentifier>{identifier}</SetIdentifier><Weight>{weight}</Weight><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>10.0.0.{address}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
        )
    };
    let changes = [
        set("DELETE", "blue", 90, 90),
        set("DELETE", "green", 10, 10),
        set("CREATE", "blue", 100, 90),
        set("CREATE", "green", 0, 10),
    ];
    let body = scene.bodies().concat();
    assert!(body.contains(&format!("<Changes>{}</Changes>", changes.concat())), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_record_is_deleted_with_every_field_that_it_has() {
    let coordinates = Coordinates::builder().latitude("51.5").longitude("-0.1").build().unwrap();
    let alias = AliasTarget::builder()
        .hosted_zone_id("Z9")
        .dns_name("dualstack.web.example.com.")
        .evaluate_target_health(true)
        .build()
        .unwrap();
    // No record has all of these; what is kept of each shows on the wire.
    let full = |identifier: &str, role: ResourceRecordSetFailover| {
        ResourceRecordSet::builder()
            .name("\\052.example.com.")
            .r#type(RrType::Aaaa)
            .set_identifier(identifier)
            .failover(role)
            .region(ResourceRecordSetRegion::EuWest1)
            .geo_location(GeoLocation::builder().continent_code("EU").build())
            .geo_proximity_location(
                GeoProximityLocation::builder().coordinates(coordinates.clone()).bias(9).build(),
            )
            .cidr_routing_config(
                CidrRoutingConfig::builder().collection_id("c").location_name("l").build().unwrap(),
            )
            .multi_value_answer(true)
            .alias_target(alias.clone())
            .health_check_id("h")
            .build()
            .unwrap()
    };
    let target = target("*.example.com", "AAAA");
    let pair = vec![
        full("blue", ResourceRecordSetFailover::Secondary),
        full("green", ResourceRecordSetFailover::Primary),
    ];
    let (_, sighting) = sighted(&target, &[&lists(vec![page(pair, None)])]).await;
    let call = call_back(&target, live(sighting).1);
    let scene = Scene::new(&[&changes(ChangeStatus::Insync)]);
    assert_eq!(moved(&scene, &target, call).await, None);
    let body = scene.bodies().concat();
    let with = |action: &str, identifier: &str, role: &str| {
        let all = "<AliasTarget><HostedZoneId>Z9</HostedZoneId><DNSName>dualstack.web.example.com.</DNSName><EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget><HealthCheckId>h</HealthCheckId><CidrRoutingConfig><CollectionId>c</CollectionId><LocationName>l</LocationName></CidrRoutingConfig><GeoProximityLocation><Coordinates><Latitude>51.5</Latitude><Longitude>-0.1</Longitude></Coordinates><Bias>9</Bias></GeoProximityLocation>";
        format!(
            "<Action>{action}</Action><ResourceRecordSet><Name>\\052.example.com.</Name><Type>AAAA</Type><SetIdentifier>{identifier}</SetIdentifier><Region>eu-west-1</Region><GeoLocation><ContinentCode>EU</ContinentCode></GeoLocation><Failover>{role}</Failover><MultiValueAnswer>true</MultiValueAnswer>{all}</ResourceRecordSet>"
        )
    };
    for change in [
        with("DELETE", "blue", "SECONDARY"),
        with("DELETE", "green", "PRIMARY"),
        with("CREATE", "blue", "PRIMARY"),
        with("CREATE", "green", "SECONDARY"),
    ] {
        assert!(body.contains(&change), "{change} is not in {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_awaited_until_every_server_has_it() {
    let get = mock!(Route53::get_change)
        .match_requests(|get| get.id() == Some("C7"))
        .sequence()
        .output(|| GetChangeOutput::builder().change_info(info(ChangeStatus::Pending)).build())
        .output(|| GetChangeOutput::builder().change_info(info(ChangeStatus::Insync)).build())
        .build();
    let before = page(pair(90, 10), None);
    let after = || page(pair(100, 0), None);
    let listed = lists(vec![before, after(), after(), after()]);
    let scene = Scene::new(&[&listed, &get, &changes(ChangeStatus::Pending)]);
    let seen = async || live(scene.aws.sight(&www()).await).1;
    let call = call_back(&www(), seen().await);
    assert_eq!(moved(&scene, &www(), call).await, None);
    assert_eq!(
        way_back(&www(), seen().await),
        Way::Coming { what: "change C7 is PENDING, not INSYNC yet".to_owned() }
    );
    assert_eq!(way_back(&www(), seen().await), Way::There);
    // It is not asked about again.
    assert_eq!(way_back(&www(), seen().await), Way::There);
    let asked = scene.call_names().iter().filter(|name| *name == "route53:GetChange").count();
    assert_eq!(asked, 2);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_not_as_it_was_seen_is_a_race_and_the_rest_has_failed() {
    let (_, sighting) = sighted(&www(), &[&lists(vec![page(pair(90, 10), None)])]).await;
    let call = call_back(&www(), live(sighting).1);
    let said =
        "[Tried to delete resource record set but the values provided do not match the current values]";
    let scene = Scene::new(&[&refusing!(change_resource_record_sets, "InvalidChangeBatch", said)]);
    let interruption = moved(&scene, &www(), call.clone()).await;
    let Some(Interruption::Raced { what }) = interruption else { panic!("{interruption:?}") };
    assert!(what.starts_with("dns:Z1/www.example.com/A was changed by someone else: "), "{what}");
    assert!(what.contains("do not match the current values"), "{what}");
    for code in ["AccessDenied", "NoSuchHostedZone", "InvalidInput"] {
        let scene = Scene::new(&[&refusing!(change_resource_record_sets, code, "made up")]);
        let interruption = moved(&scene, &www(), call.clone()).await;
        let Some(Interruption::Failed { why }) = interruption else { panic!("{interruption:?}") };
        assert!(
            why.starts_with("route53:ChangeResourceRecordSets of dns:Z1/www.example.com/A failed: "),
            "{why}"
        );
        assert!(why.contains(code), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_under_way_before_it_is_tried_again_within_the_call() {
    let busy = refusal("PriorRequestNotComplete", "wait");
    let rule = mock!(Route53::change_resource_record_sets)
        .sequence()
        .http_status(400, Some(busy))
        .output(|| ChangeResourceRecordSetsOutput::builder().change_info(info(ChangeStatus::Insync)).build())
        .build();
    let (_, sighting) = sighted(&www(), &[&lists(vec![page(pair(90, 10), None)])]).await;
    let call = call_back(&www(), live(sighting).1);
    let scene = Scene::new(&[&rule]);
    assert_eq!(moved(&scene, &www(), call).await, None);
    assert_eq!(scene.bodies().len(), 2);
}
