//! A load balancer whose listener and rule forward to two target groups, each with healthy targets.

use super::{
    TargetError,
    calls::{Xml, query, unique},
};
use crate::aws_client::AwsClient;
use std::collections::BTreeMap;

const ELB: (&str, &str) = ("elasticloadbalancing", "2015-12-01");
const EC2: (&str, &str) = ("ec2", "2016-11-15");

/// A load balancer: blue has all of the traffic, green none.
#[derive(Debug, Clone)]
pub struct LoadBalancer {
    /// The load balancer.
    pub arn: String,
    /// Its listener, whose default action is weighted.
    pub listener_arn: String,
    /// A rule of the listener, weighted by itself.
    pub rule_arn: String,
    /// The stable target group.
    pub blue_arn: String,
    /// The candidate's target group.
    pub green_arn: String,
}

/// Sets up a load balancer.
pub async fn load_balancer(client: &AwsClient) -> Result<LoadBalancer, TargetError> {
    let subnets = query(client, EC2, "DescribeSubnets", &[]).await?;
    let (vpc, subnets) = (subnets.text("vpcId")?, subnets.texts("subnetId"));
    let [one, two, ..] = subnets.as_slice() else {
        return Err(TargetError::Answer { what: "two subnets".to_owned(), answer: subnets.join(", ") });
    };
    let name = unique("shop");
    let fields = [("Name", &*name), ("Subnets.member.1", one), ("Subnets.member.2", two)];
    let arn = query(client, ELB, "CreateLoadBalancer", &fields).await?.text("LoadBalancerArn")?;
    let blue_arn = target_group(client, &vpc, "blue", "10.0.0.10").await?;
    let green_arn = target_group(client, &vpc, "green", "10.0.0.20").await?;
    let shares = [(&*blue_arn, 100), (&*green_arn, 0)];
    let mut listener = vec![("LoadBalancerArn".to_owned(), arn.clone())];
    listener.extend(
        [("Protocol", "HTTP"), ("Port", "80")].map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    listener.extend(forward("DefaultActions", &shares));
    let listener_arn = called(client, "CreateListener", &listener).await?.text("ListenerArn")?;
    let mut rule = vec![("ListenerArn".to_owned(), listener_arn.clone())];
    let condition = [
        ("Priority", "10"),
        ("Conditions.member.1.Field", "path-pattern"),
        ("Conditions.member.1.Values.member.1", "/api/*"),
    ];
    rule.extend(condition.map(|(name, value)| (name.to_owned(), value.to_owned())));
    rule.extend(forward("Actions", &shares));
    let rule_arn = called(client, "CreateRule", &rule).await?.text("RuleArn")?;
    Ok(LoadBalancer { arn, listener_arn, rule_arn, blue_arn, green_arn })
}

impl LoadBalancer {
    /// Shifts the listener's traffic to these shares, as a release does.
    pub async fn shift(&self, client: &AwsClient, blue: u32, green: u32) -> Result<(), TargetError> {
        let mut fields = vec![("ListenerArn".to_owned(), self.listener_arn.clone())];
        fields.extend(forward("DefaultActions", &[(&self.blue_arn, blue), (&self.green_arn, green)]));
        called(client, "ModifyListener", &fields).await.map(drop)
    }

    /// Shifts the rule's traffic to these shares.
    pub async fn shift_rule(&self, client: &AwsClient, blue: u32, green: u32) -> Result<(), TargetError> {
        let mut fields = vec![("RuleArn".to_owned(), self.rule_arn.clone())];
        fields.extend(forward("Actions", &[(&self.blue_arn, blue), (&self.green_arn, green)]));
        called(client, "ModifyRule", &fields).await.map(drop)
    }

    /// The listener's shares: blue's, then green's.
    pub async fn weights(&self, client: &AwsClient) -> Result<(u32, u32), TargetError> {
        let fields = [("ListenerArns.member.1", &*self.listener_arn)];
        let shares = shares(&query(client, ELB, "DescribeListeners", &fields).await?);
        Ok(self.of_both(&shares))
    }

    /// The rule's shares: blue's, then green's.
    pub async fn rule_weights(&self, client: &AwsClient) -> Result<(u32, u32), TargetError> {
        let fields = [("RuleArns.member.1", &*self.rule_arn)];
        let shares = shares(&query(client, ELB, "DescribeRules", &fields).await?);
        Ok(self.of_both(&shares))
    }

    /// What `DescribeTargetHealth` says of a group's targets.
    pub async fn health(&self, client: &AwsClient, group_arn: &str) -> Result<Vec<String>, TargetError> {
        let health = query(client, ELB, "DescribeTargetHealth", &[("TargetGroupArn", group_arn)]).await?;
        Ok(health.texts("State"))
    }

    fn of_both(&self, shares: &BTreeMap<String, u32>) -> (u32, u32) {
        let share = |arn: &String| shares.get(arn).copied().unwrap_or_default();
        (share(&self.blue_arn), share(&self.green_arn))
    }
}

async fn target_group(
    client: &AwsClient,
    vpc: &str,
    name: &str,
    address: &str,
) -> Result<String, TargetError> {
    let name = unique(name);
    let fields =
        [("Name", &*name), ("Protocol", "HTTP"), ("Port", "80"), ("VpcId", vpc), ("TargetType", "ip")];
    let arn = query(client, ELB, "CreateTargetGroup", &fields).await?.text("TargetGroupArn")?;
    let targets =
        [("TargetGroupArn", &*arn), ("Targets.member.1.Id", address), ("Targets.member.1.Port", "80")];
    query(client, ELB, "RegisterTargets", &targets).await?;
    Ok(arn)
}

/// One forward action, with stickiness, which a shift must not lose.
fn forward(field: &str, shares: &[(&str, u32)]) -> Vec<(String, String)> {
    let action = format!("{field}.member.1");
    let mut fields = vec![
        (format!("{action}.Type"), "forward".to_owned()),
        (format!("{action}.ForwardConfig.TargetGroupStickinessConfig.Enabled"), "true".to_owned()),
        (format!("{action}.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds"), "60".to_owned()),
    ];
    for (index, (arn, weight)) in shares.iter().enumerate() {
        let group = format!("{action}.ForwardConfig.TargetGroups.member.{}", index + 1);
        fields.push((format!("{group}.TargetGroupArn"), (*arn).to_owned()));
        fields.push((format!("{group}.Weight"), weight.to_string()));
    }
    fields
}

async fn called(client: &AwsClient, action: &str, fields: &[(String, String)]) -> Result<Xml, TargetError> {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    query(client, ELB, action, &fields).await
}

fn shares(described: &Xml) -> BTreeMap<String, u32> {
    described.pick(|document| {
        let weights = document.descendants().filter(|node| node.tag_name().name() == "Weight");
        let shares = weights.filter_map(|weight| {
            let group = weight.parent()?;
            let arn = group.children().find(|node| node.tag_name().name() == "TargetGroupArn")?;
            Some((arn.text()?.to_owned(), weight.text()?.parse().ok()?))
        });
        shares.collect()
    })
}
