//! Databases: the restores that RDS refuses and moto takes, the while in which a restored instance is `creating`, and what
//! moto says of it that is true of a read replica alone.

use super::{element, form};
use crate::front::{
    Answer, Front,
    backends::{Forwarded, reworded, text},
    call::Call,
    fault_answers::ServiceError,
};
use jiff::Timestamp;
use roxmltree::Document;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A restore takes many minutes; a second stands for them.
const CREATING: Duration = Duration::from_secs(1);

/// What was restored, and when.
#[derive(Debug, Default)]
pub(crate) struct Restores {
    restored: Mutex<Vec<(String, Instant)>>,
}

impl Front {
    pub(super) async fn database_call(&self, call: &Call, request: &Forwarded) -> Answer {
        let is_restore = call.operation == "RestoreDBInstanceToPointInTime";
        if is_restore && let Some(refusal) = self.refused_restore(call, request).await {
            return refusal;
        }
        let (answer, body) = text(self.backends.moto(call, request).await).await;
        if !answer.status().is_success() {
            return answer;
        }
        let account = &call.account_id;
        if is_restore && let Ok(document) = Document::parse(&body) {
            let instance = element(&document, "DBInstanceIdentifier").unwrap_or_default();
            self.restores.began(identity(account, &call.region, instance));
        }
        let is_creating =
            |running: &[String], name: &str| running.contains(&identity(account, &call.region, name));
        let running = self.restores.running();
        reworded(answer, as_rds_says(&body, |name| is_creating(&running, name)))
    }

    async fn refused_restore(&self, call: &Call, request: &Forwarded) -> Option<Answer> {
        let fields = form(&request.body);
        let field =
            |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let (time, is_latest) = (field("RestoreTime"), field("UseLatestRestorableTime") == Some("true"));
        let refused = |code: &str, message: &str| Some(ServiceError::new(400, code, message).response(call));
        if time.is_some() == is_latest {
            return refused(
                "InvalidParameterCombination",
                "Either RestoreTime or UseLatestRestorableTime must be given, and not both",
            );
        }
        let source = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("Action", "DescribeDBInstances"),
                ("Version", "2014-10-31"),
                ("DBInstanceIdentifier", field("SourceDBInstanceIdentifier")?),
            ])
            .finish();
        let (answer, body) = text(self.backends.moto(call, &request.with_body(source)).await).await;
        if !answer.status().is_success() {
            return Some(answer);
        }
        let document = Document::parse(&body).ok()?;
        if element(&document, "BackupRetentionPeriod") == Some("0") {
            return refused("PointInTimeRestoreNotEnabled", "The source keeps no backups");
        }
        let time: Option<Timestamp> = time.and_then(|time| time.parse().ok());
        let created: Option<Timestamp> =
            element(&document, "InstanceCreateTime").and_then(|time| time.parse().ok());
        // How RDS words this is not known; that it refuses is.
        if time.is_some_and(|time| time > Timestamp::now() || created.is_some_and(|created| time < created)) {
            return refused("InvalidParameterValue", "RestoreTime is not within the restorable time");
        }
        None
    }
}

impl Restores {
    fn began(&self, instance: String) {
        self.restored.lock().unwrap_or_else(PoisonError::into_inner).push((instance, Instant::now()));
    }

    fn running(&self) -> Vec<String> {
        let mut restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        restored.retain(|(_, since)| since.elapsed() < CREATING);
        restored.iter().map(|(instance, _)| instance.clone()).collect()
    }
}

/// An instance's name is its own in one region of one account alone.
fn identity(account: &str, region: &str, instance: &str) -> String {
    format!("{account}/{region}/{instance}")
}

/// Moto restores by making a read replica, and at once. Its answers are cut apart as texts, so that all else stays as it is.
fn as_rds_says(body: &str, is_creating: impl Fn(&str) -> bool) -> String {
    const BEGIN: &str = "<DBInstance>";
    let mut parts = body.split(BEGIN);
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        said.push_str(BEGIN);
        let mut part = part.to_owned();
        if let Some(source) = between(&part, "ReadReplicaSourceDBInstanceIdentifier") {
            part.replace_range(source, "");
        }
        let name = between(&part, "DBInstanceIdentifier").map(|name| part[name].to_owned());
        if name.is_some_and(|name| is_creating(&name))
            && let Some(status) = between(&part, "DBInstanceStatus")
        {
            part.replace_range(status, "creating");
        }
        said.push_str(&part);
    }
    said
}

/// Where the text of an element stands.
fn between(xml: &str, element: &str) -> Option<std::ops::Range<usize>> {
    let begin = xml.find(&format!("<{element}>"))? + element.len() + 2;
    let end = begin + xml[begin..].find(&format!("</{element}>"))?;
    Some(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_instance_is_creating_and_no_replica() {
        let body = "<DBInstances><DBInstance><DBInstanceIdentifier>a</DBInstanceIdentifier>\
                    <DBInstanceStatus>available</DBInstanceStatus></DBInstance><DBInstance>\
                    <DBInstanceIdentifier>b</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
                    <ReadReplicaSourceDBInstanceIdentifier>a</ReadReplicaSourceDBInstanceIdentifier></DBInstance>";
        let expected = body
            .replacen(
                "b</DBInstanceIdentifier><DBInstanceStatus>available",
                "b</DBInstanceIdentifier><DBInstanceStatus>creating",
                1,
            )
            .replace("Identifier>a</ReadReplica", "Identifier></ReadReplica");
        assert_eq!(as_rds_says(body, |name| name == "b"), expected);
    }
}
