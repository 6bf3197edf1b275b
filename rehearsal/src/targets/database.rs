//! A database instance that keeps backups.

use super::{
    TargetError,
    calls::{query, unique},
};
use crate::aws_client::AwsClient;

const RDS: (&str, &str) = ("rds", "2014-10-31");

/// Sets up a database instance, and returns its name.
pub async fn database(client: &AwsClient) -> Result<String, TargetError> {
    let name = unique("orders");
    let fields = [
        ("DBInstanceIdentifier", &*name),
        ("Engine", "postgres"),
        ("DBInstanceClass", "db.t3.micro"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "orders"),
        ("MasterUserPassword", "never-connected-to"),
        ("BackupRetentionPeriod", "7"),
    ];
    query(client, RDS, "CreateDBInstance", &fields).await?;
    Ok(name)
}

/// An instance's status, such as `available`.
pub async fn database_status(client: &AwsClient, name: &str) -> Result<String, TargetError> {
    let fields = [("DBInstanceIdentifier", name)];
    query(client, RDS, "DescribeDBInstances", &fields).await?.text("DBInstanceStatus")
}
