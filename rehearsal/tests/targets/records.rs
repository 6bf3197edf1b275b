//! Records of Route 53.

use super::{assert_answer, assert_refused, started};
use ripcord_rehearsal::{
    aws_client::{AwsAnswer, AwsClient, AwsRequest},
    targets::{Records, records},
};

#[tokio::test]
async fn weights_change_and_are_in_sync_a_moment_later() {
    let aws = started().await;
    let client = aws.client();
    let zone = records(&client).await.unwrap();
    assert_eq!(zone.weights(&client).await.unwrap(), (255, 0));
    let change = zone.shift(&client, 0, 255).await.unwrap();
    assert_eq!(zone.weights(&client).await.unwrap(), (0, 255));
    assert_eq!(zone.change_status(&client, &change).await.unwrap(), "PENDING");
    assert_eq!(zone.change_status(&client, &change).await.unwrap(), "INSYNC");
    assert_refused(zone.change_status(&client, "CNONE").await, 404, "NoSuchChange");
    let journaled = aws.journal().matching(|entry| entry.operation == "ChangeResourceRecordSets");
    assert_eq!(journaled.last().unwrap().resource.as_deref(), Some(&*zone.zone_id));
}

#[tokio::test]
async fn a_batch_that_route_53_refuses_changes_nothing() {
    let aws = started().await;
    let client = aws.client();
    let zone = records(&client).await.unwrap();
    assert_refused(zone.shift(&client, 256, 0).await, 400, "InvalidInput");
    let blue = |weight: u32, address: &str| {
        format!(
            "<ResourceRecordSet><Name>{}</Name><Type>A</Type><SetIdentifier>blue</SetIdentifier>\
             <Weight>{weight}</Weight><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>{address}</Value>\
             </ResourceRecord></ResourceRecords></ResourceRecordSet>",
            zone.weighted
        )
    };
    let batch = [("UPSERT", blue(7, "10.0.0.10")), ("DELETE", blue(255, "10.9.9.9"))];
    assert_answer(&change(&client, &zone, &batch).await, 400, "InvalidChangeBatch");
    assert_eq!(zone.weights(&client).await.unwrap(), (255, 0), "not the half that was right either");
    let created = change(&client, &zone, &[("CREATE", blue(255, "10.0.0.10"))]).await;
    assert_answer(&created, 400, "InvalidChangeBatch");
    let deleted = change(&client, &zone, &[("DELETE", blue(255, "10.0.0.10"))]).await;
    assert_answer(&deleted, 200, "PENDING");
    assert_eq!(zone.weights(&client).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn failover_and_geolocation_are_kept() {
    let aws = started().await;
    let client = aws.client();
    let zone = records(&client).await.unwrap();
    let europe = format!(
        "<ResourceRecordSet><Name>geo.{}</Name><Type>A</Type><SetIdentifier>eu</SetIdentifier><GeoLocation>\
         <ContinentCode>EU</ContinentCode></GeoLocation><TTL>60</TTL><ResourceRecords><ResourceRecord>\
         <Value>10.0.0.30</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>",
        zone.weighted.trim_start_matches("api.")
    );
    assert_answer(&change(&client, &zone, &[("CREATE", europe)]).await, 200, "PENDING");
    let path = format!("/2013-04-01/hostedzone/{}/rrset", zone.zone_id);
    let request =
        AwsRequest { service: "route53", method: "GET", path: &path, headers: &[], body: Vec::new().into() };
    let listed = client.send(request).await.unwrap().text();
    for kept in [
        "<Failover>PRIMARY</Failover>",
        "<Failover>SECONDARY</Failover>",
        "<ContinentCode>EU</ContinentCode>",
        &zone.failover,
    ] {
        assert!(listed.contains(kept), "{kept}: {listed}");
    }
}

async fn change(client: &AwsClient, zone: &Records, batch: &[(&str, String)]) -> AwsAnswer {
    let changes: String = batch
        .iter()
        .map(|(action, record)| format!("<Change><Action>{action}</Action>{record}</Change>"))
        .collect();
    let body = format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
         <Changes>{changes}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
    );
    let path = format!("/2013-04-01/hostedzone/{}/rrset/", zone.zone_id);
    let headers = [("content-type", "application/xml")];
    let request =
        AwsRequest { service: "route53", method: "POST", path: &path, headers: &headers, body: body.into() };
    client.send(request).await.unwrap()
}
