//! What is restored: which moments it can be restored to, what a restored twin of it is recognised by, and which of its
//! settings a twin is given. Pure.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::failure::{Failure, Kind};

/// A twin carries where it came from, because RDS does not tell of it later.
pub(super) const FROM_TAG: &str = "ripcord:restored-from";
/// And to which moment.
pub(super) const TO_TAG: &str = "ripcord:restored-to";

/// The moment that is gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The last that there is a backup of.
    Latest,
    /// This one.
    At(Timestamp),
}

impl Moment {
    /// As the tag has it.
    pub(super) fn tag(self) -> String {
        match self {
            Self::Latest => "latest".to_owned(),
            Self::At(time) => time.to_string(),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.tag())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => write!(f, "as late as its backups go"),
            Self::At(time) => write!(f, "at {time}"),
        }
    }
}

/// An instance that may be restored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Source {
    pub(super) name: String,
    /// The id that RDS gave it, which no later instance of the name has.
    pub(super) id: String,
    /// What moments there are backups of, as far as RDS says.
    pub(super) earliest: Option<Timestamp>,
    pub(super) latest: Option<Timestamp>,
    /// The cluster that it is part of, if it is.
    pub(super) cluster: Option<String>,
    pub(super) settings: Settings,
    /// Settings that a restore cannot be given.
    pub(super) beyond: Vec<String>,
}

/// The settings that a restored instance is given, because RDS would give it others by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) class: Option<String>,
    pub(super) port: Option<i32>,
    pub(super) subnet_group: Option<String>,
    pub(super) security_groups: Vec<String>,
    pub(super) parameter_group: Option<String>,
    pub(super) option_group: Option<String>,
    pub(super) multi_az: Option<bool>,
    pub(super) publicly_accessible: Option<bool>,
    pub(super) deletion_protection: Option<bool>,
    pub(super) auto_minor_version_upgrade: Option<bool>,
    pub(super) iam_authentication: Option<bool>,
    pub(super) copy_tags_to_snapshot: Option<bool>,
    pub(super) log_exports: Vec<String>,
    pub(super) storage_type: Option<String>,
    pub(super) iops: Option<i32>,
    pub(super) storage_throughput: Option<i32>,
    pub(super) max_allocated_storage: Option<i32>,
    pub(super) network_type: Option<String>,
    pub(super) certificate_authority: Option<String>,
    /// Those that people have given it.
    pub(super) tags: Vec<(String, String)>,
}

/// What gp3 has for nothing, and what RDS refuses to be told about smaller volumes.
const GP3_IOPS: i32 = 3_000;
const GP3_THROUGHPUT: i32 = 125;

impl Settings {
    /// The speed of the storage, where it is one that may be asked for.
    pub(super) fn speed(&self) -> (Option<i32>, Option<i32>) {
        match self.storage_type.as_deref() {
            Some("io1" | "io2") => (self.iops, None),
            Some("gp3") => (
                self.iops.filter(|iops| *iops > GP3_IOPS),
                self.storage_throughput.filter(|throughput| *throughput > GP3_THROUGHPUT),
            ),
            Some(_) | None => (None, None),
        }
    }
}

/// An instance under the name that the restored one is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Twin {
    pub(super) status: String,
    pub(super) endpoint: Option<String>,
    /// What its tags say.
    pub(super) restored_from: Option<String>,
    pub(super) restored_to: Option<String>,
}

impl Source {
    /// Whether it can be restored to that moment.
    pub(super) fn check(&self, moment: Moment, now: Timestamp) -> Result<(), Failure> {
        let refused = |message: String| Err(Failure::new(Kind::RestoreRefused, message));
        let name = &self.name;
        if let Some(cluster) = &self.cluster {
            let message = format!("{name} is part of the cluster {cluster}, which is restored as a whole");
            return Err(Failure::new(Kind::RestoreRefused, message)
                .hint("aws rds restore-db-cluster-to-point-in-time"));
        }
        let Some(latest) = self.latest else {
            return refused(format!("{name} keeps no backups that it could be restored from"));
        };
        match moment {
            Moment::Latest => Ok(()),
            Moment::At(time) if time > now => refused(format!("{time} is still to come")),
            Moment::At(time) if time > latest => {
                refused(format!("{name} can be restored up to {latest}, and {time} is later"))
            }
            Moment::At(time) if self.earliest.is_some_and(|earliest| time < earliest) => {
                let earliest = self.earliest.unwrap_or(time);
                refused(format!("{name} can be restored from {earliest} on, and {time} is earlier"))
            }
            Moment::At(_) => Ok(()),
        }
    }

    /// The instance that is there already, if it is what was asked for.
    pub(super) fn recognise(&self, twin: Twin, new: &str, moment: Moment) -> Result<Twin, Failure> {
        let is_of_source = twin.restored_from.as_deref() == Some(self.id.as_str());
        if is_of_source && twin.restored_to.as_deref() == Some(moment.tag().as_str()) {
            return Ok(twin);
        }
        let what = match (&twin.restored_to, is_of_source) {
            (Some(to), true) => format!("it was restored from {} to {to}", self.name),
            (_, _) => format!("it was not restored from {}", self.name),
        };
        Err(Failure::new(Kind::RestoreRefused, format!("there is an instance {new} already, and {what}"))
            .hint("name another with --as"))
    }

    /// What a twin is given, for people.
    pub(super) fn copied(&self) -> Vec<String> {
        let Settings { class, subnet_group, security_groups, parameter_group, storage_type, .. } =
            &self.settings;
        let mut words = Vec::new();
        words.extend(class.iter().map(|class| format!("class {class}")));
        words.extend(subnet_group.iter().map(|group| format!("subnet group {group}")));
        if !security_groups.is_empty() {
            words.push(format!("security groups {}", security_groups.join(" ")));
        }
        words.extend(parameter_group.iter().map(|group| format!("parameter group {group}")));
        words.extend(storage_type.iter().map(|storage| format!("{storage} storage")));
        if self.settings.multi_az == Some(true) {
            words.push("standby in another zone".to_owned());
        }
        words.push("port, log exports and tags".to_owned());
        words
    }

    /// What a twin is not given.
    pub(super) fn not_copied(&self) -> Vec<String> {
        let always = "read replicas, proxies, event subscriptions and the alarms on the old name".to_owned();
        self.beyond.iter().cloned().chain([always]).collect()
    }
}
