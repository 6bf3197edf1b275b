//! Records of Route 53: two weighted ones of one name, and a failover pair of another.

use super::{
    TargetError,
    calls::{Xml, rest_xml, unique},
};
use crate::aws_client::AwsClient;

/// Records in a zone of their own. Blue has weight 255, green 0.
#[derive(Debug, Clone)]
pub struct Records {
    /// The zone's id, such as `Z6A0T8L2IYX8OE`.
    pub zone_id: String,
    /// The name that is weighted between the set identifiers `blue` and `green`.
    pub weighted: String,
    /// The name that fails over from `primary` to `secondary`.
    pub failover: String,
}

/// Sets up a zone with its records.
pub async fn records(client: &AwsClient) -> Result<Records, TargetError> {
    let domain = format!("{}.test", unique("shop"));
    let body = format!(
        "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>{domain}</Name>\
         <CallerReference>{domain}</CallerReference></CreateHostedZoneRequest>"
    );
    let made = rest_xml(client, "route53", ("POST", "/2013-04-01/hostedzone"), body).await?;
    let id = made.text("Id")?;
    let records = Records {
        zone_id: id.trim_start_matches("/hostedzone/").to_owned(),
        weighted: format!("api.{domain}."),
        failover: format!("site.{domain}."),
    };
    records.change(client, &[records.weight("blue", 255), records.weight("green", 0)]).await?;
    let role = |identifier: &str, role: &str, address: &str| {
        record(&records.failover, identifier, &format!("<Failover>{role}</Failover>"), address)
    };
    let pair = [role("primary", "PRIMARY", "10.0.0.10"), role("secondary", "SECONDARY", "10.0.0.20")];
    records.change(client, &pair).await?;
    Ok(records)
}

impl Records {
    /// Shifts the weighted name to these weights, and returns the change's id.
    pub async fn shift(&self, client: &AwsClient, blue: u32, green: u32) -> Result<String, TargetError> {
        self.change(client, &[self.weight("blue", blue), self.weight("green", green)]).await
    }

    /// The weights: blue's, then green's.
    pub async fn weights(&self, client: &AwsClient) -> Result<(u32, u32), TargetError> {
        let path = format!("/2013-04-01/hostedzone/{}/rrset", self.zone_id);
        let listed = rest_xml(client, "route53", ("GET", &path), String::new()).await?;
        let weight = |identifier: &str| weight_of(&listed, identifier);
        Ok((weight("blue"), weight("green")))
    }

    /// `PENDING` or `INSYNC`.
    pub async fn change_status(&self, client: &AwsClient, change_id: &str) -> Result<String, TargetError> {
        let path = format!("/2013-04-01/change/{change_id}");
        rest_xml(client, "route53", ("GET", &path), String::new()).await?.text("Status")
    }

    fn weight(&self, identifier: &str, weight: u32) -> String {
        let address = if identifier == "blue" { "10.0.0.10" } else { "10.0.0.20" };
        record(&self.weighted, identifier, &format!("<Weight>{weight}</Weight>"), address)
    }

    async fn change(&self, client: &AwsClient, records: &[String]) -> Result<String, TargetError> {
        let changes: String = records
            .iter()
            .map(|record| format!("<Change><Action>UPSERT</Action>{record}</Change>"))
            .collect();
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
             <Changes>{changes}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let path = format!("/2013-04-01/hostedzone/{}/rrset/", self.zone_id);
        let id = rest_xml(client, "route53", ("POST", &path), body).await?.text("Id")?;
        Ok(id.trim_start_matches("/change/").to_owned())
    }
}

/// The schema has the routing before the time to live.
fn record(name: &str, identifier: &str, routing: &str, address: &str) -> String {
    format!(
        "<ResourceRecordSet><Name>{name}</Name><Type>A</Type><SetIdentifier>{identifier}</SetIdentifier>{routing}\
         <TTL>60</TTL><ResourceRecords><ResourceRecord><Value>{address}</Value></ResourceRecord></ResourceRecords>\
         </ResourceRecordSet>"
    )
}

fn weight_of(listed: &Xml, identifier: &str) -> u32 {
    listed.pick(|document| {
        let mut sets = document.descendants().filter(|node| node.tag_name().name() == "ResourceRecordSet");
        let child = |set: roxmltree::Node<'_, '_>, name: &str| {
            let found = set.children().find(|node| node.tag_name().name() == name);
            found.and_then(|node| node.text().map(ToOwned::to_owned))
        };
        let set = sets.find(|set| child(*set, "SetIdentifier").as_deref() == Some(identifier));
        set.and_then(|set| child(set, "Weight")?.parse().ok()).unwrap_or_default()
    })
}
