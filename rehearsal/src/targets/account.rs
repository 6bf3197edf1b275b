//! A role in another account, and its sessions.

use super::{
    TargetError,
    calls::{query, unique},
};
use crate::{LocalAws, aws_client::AwsClient};
use serde_json::json;

/// Makes a role in the client's account that one other account may assume, with an external id; returns its ARN.
pub async fn role(
    client: &AwsClient,
    trusted_account_id: &str,
    external_id: &str,
) -> Result<String, TargetError> {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": { "AWS": format!("arn:aws:iam::{trusted_account_id}:root") },
        "Condition": { "StringEquals": { "sts:ExternalId": external_id } },
    }] });
    let (name, trust) = (unique("ripcord"), trust.to_string());
    let fields = [("RoleName", &*name), ("AssumeRolePolicyDocument", &*trust)];
    query(client, ("iam", "2010-05-08"), "CreateRole", &fields).await?.text("Arn")
}

/// Assumes a role from home, and returns a client that calls in its session.
pub async fn assumed(aws: &LocalAws, role_arn: &str, external_id: &str) -> Result<AwsClient, TargetError> {
    let fields = [("RoleArn", role_arn), ("RoleSessionName", "rehearsal"), ("ExternalId", external_id)];
    let session = query(&aws.client(), ("sts", "2011-06-15"), "AssumeRole", &fields).await?;
    Ok(aws.client_as(&session.text("AccessKeyId")?))
}
