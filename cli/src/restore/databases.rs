//! The calls to RDS. Nothing here changes an instance that is there: the only call that writes makes a new one.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{DbInstance, Tag};
use jiff::Timestamp;
use ripcord::aws::causes;

use super::source::{FROM_TAG, Moment, Settings, Source, TO_TAG, Twin};
use crate::failure::{Failure, Kind};

/// What RDS answers when it will answer the same again.
const REFUSALS: [&str; 9] = [
    "InstanceQuotaExceeded",
    "InvalidDBInstanceState",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "InvalidRestoreFault",
    "PointInTimeRestoreNotEnabled",
    "ProvisionedIopsNotAvailableInAZFault",
    "StorageQuotaExceeded",
    "StorageTypeNotSupported",
];

#[derive(Clone, Debug)]
pub(super) struct Databases {
    rds: Client,
}

impl Databases {
    pub(super) fn new(settings: &SdkConfig, call_timeout: Duration) -> Self {
        let timeout = TimeoutConfig::builder().operation_attempt_timeout(call_timeout).build();
        let config = aws_sdk_rds::config::Builder::from(settings).timeout_config(timeout).build();
        Self::of(Client::from_conf(config))
    }

    pub(super) fn of(rds: Client) -> Self {
        Self { rds }
    }

    /// The instance that is gone back from; nothing if it does not exist.
    pub(super) async fn source(&self, name: &str) -> Result<Option<Source>, Failure> {
        let Some(found) = self.instance(name).await? else { return Ok(None) };
        let earliest = self.earliest(name, found.dbi_resource_id()).await?;
        Ok(Some(source_of(found, earliest)))
    }

    /// The instance of the name that the restored one is to have.
    pub(super) async fn twin(&self, name: &str) -> Result<Option<Twin>, Failure> {
        Ok(self.instance(name).await?.as_ref().map(twin_of))
    }

    /// Has RDS make the new instance. One that is there by now was made by this command's first try, or by somebody who was
    /// quicker with the same: it is looked at.
    pub(super) async fn restore(&self, source: &Source, new: &str, moment: Moment) -> Result<Twin, Failure> {
        let Settings {
            class,
            port,
            subnet_group,
            security_groups,
            parameter_group,
            option_group,
            multi_az,
            publicly_accessible,
            deletion_protection,
            auto_minor_version_upgrade,
            iam_authentication,
            copy_tags_to_snapshot,
            log_exports,
            storage_type,
            max_allocated_storage,
            network_type,
            certificate_authority,
            ..
        } = source.settings.clone();
        let (iops, storage_throughput) = source.settings.speed();
        let call = self
            .rds
            .restore_db_instance_to_point_in_time()
            .source_db_instance_identifier(&source.name)
            .target_db_instance_identifier(new)
            .set_db_instance_class(class)
            .set_port(port)
            .set_db_subnet_group_name(subnet_group)
            .set_vpc_security_group_ids(given(security_groups))
            .set_db_parameter_group_name(parameter_group)
            .set_option_group_name(option_group)
            .set_multi_az(multi_az)
            .set_publicly_accessible(publicly_accessible)
            .set_deletion_protection(deletion_protection)
            .set_auto_minor_version_upgrade(auto_minor_version_upgrade)
            .set_enable_iam_database_authentication(iam_authentication)
            .set_copy_tags_to_snapshot(copy_tags_to_snapshot)
            .set_enable_cloudwatch_logs_exports(given(log_exports))
            .set_storage_type(storage_type)
            .set_iops(iops)
            .set_storage_throughput(storage_throughput)
            .set_max_allocated_storage(max_allocated_storage)
            .set_network_type(network_type)
            .set_ca_certificate_identifier(certificate_authority)
            .set_tags(Some(tags(source, moment)));
        let call = match moment {
            Moment::Latest => call.use_latest_restorable_time(true),
            Moment::At(time) => call.restore_time(DateTime::from_secs(time.as_second())),
        };
        match call.send().await {
            Ok(answer) => Ok(answer.db_instance().map(twin_of).unwrap_or_default()),
            Err(error) if error.code() == Some("DBInstanceAlreadyExists") => match self.twin(new).await? {
                Some(twin) => source.recognise(twin, new, moment),
                None => Err(failed("rds:RestoreDBInstanceToPointInTime", new, &error)),
            },
            Err(error) if error.code().is_some_and(|code| REFUSALS.contains(&code)) => Err(Failure::new(
                Kind::RestoreRefused,
                format!("RDS will not make {new}: {}", causes(&error)),
            )),
            Err(error) => Err(failed("rds:RestoreDBInstanceToPointInTime", new, &error)),
        }
    }

    async fn instance(&self, name: &str) -> Result<Option<DbInstance>, Failure> {
        match self.rds.describe_db_instances().db_instance_identifier(name).send().await {
            Ok(answer) => Ok(answer.db_instances.unwrap_or_default().into_iter().next()),
            Err(error) if error.code() == Some("DBInstanceNotFound") => Ok(None),
            Err(error) => Err(failed("rds:DescribeDBInstances", name, &error)),
        }
    }

    /// The first moment that there is a backup of. An instance without backups has none, and neither has one whose first
    /// backup is still being made.
    async fn earliest(&self, name: &str, id: Option<&str>) -> Result<Option<Timestamp>, Failure> {
        let call = self.rds.describe_db_instance_automated_backups().db_instance_identifier(name);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("DBInstanceAutomatedBackupNotFound") => return Ok(None),
            Err(error) => return Err(failed("rds:DescribeDBInstanceAutomatedBackups", name, &error)),
        };
        // An instance of the same name that was deleted may have kept its backups.
        let mut backups = answer.db_instance_automated_backups().iter();
        let backup = backups.find(|backup| id.is_none() || backup.dbi_resource_id() == id);
        Ok(backup.and_then(|backup| backup.restore_window()?.earliest_time()).and_then(time))
    }
}

fn failed(call: &str, name: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(Kind::AwsCallFailed, format!("{call} of {name} failed: {}", causes(error)))
}

fn given<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn time(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_second(time.secs()).ok()
}

/// The old instance's own tags, and where the new one comes from.
fn tags(source: &Source, moment: Moment) -> Vec<Tag> {
    let ours = [(FROM_TAG.to_owned(), source.id.clone()), (TO_TAG.to_owned(), moment.tag())];
    let theirs = source.settings.tags.iter().cloned();
    // AWS's own tags cannot be given, and an instance that was restored itself has tags of ours already.
    let theirs = theirs.filter(|(key, _)| !key.starts_with("aws:") && key != FROM_TAG && key != TO_TAG);
    theirs.chain(ours).map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn twin_of(found: &DbInstance) -> Twin {
    let tag =
        |name: &str| found.tag_list().iter().find(|tag| tag.key() == Some(name)).and_then(|tag| tag.value());
    let endpoint = found.endpoint().and_then(|endpoint| {
        endpoint.address().map(|address| format!("{address}:{}", endpoint.port().unwrap_or_default()))
    });
    Twin {
        status: found.db_instance_status().unwrap_or("creating").to_owned(),
        endpoint,
        restored_from: tag(FROM_TAG).map(str::to_owned),
        restored_to: tag(TO_TAG).map(str::to_owned),
    }
}

fn source_of(found: DbInstance, first_backup: Option<Timestamp>) -> Source {
    let beyond = beyond(&found);
    // There is no backup of what did not exist.
    let earliest = first_backup.or_else(|| found.instance_create_time.as_ref().and_then(time));
    let settings = Settings {
        class: found.db_instance_class,
        port: found.endpoint.as_ref().and_then(|endpoint| endpoint.port),
        subnet_group: found.db_subnet_group.and_then(|group| group.db_subnet_group_name),
        security_groups: found
            .vpc_security_groups
            .unwrap_or_default()
            .into_iter()
            .filter_map(|group| group.vpc_security_group_id)
            .collect(),
        // What RDS takes by itself need not be asked for, and a group of an engine's default cannot always be.
        parameter_group: found
            .db_parameter_groups
            .and_then(|groups| groups.into_iter().next()?.db_parameter_group_name)
            .filter(|group| !group.starts_with("default.")),
        option_group: found
            .option_group_memberships
            .and_then(|groups| groups.into_iter().next()?.option_group_name)
            .filter(|group| !group.starts_with("default:")),
        multi_az: found.multi_az,
        publicly_accessible: found.publicly_accessible,
        deletion_protection: found.deletion_protection,
        auto_minor_version_upgrade: found.auto_minor_version_upgrade,
        iam_authentication: found.iam_database_authentication_enabled,
        copy_tags_to_snapshot: found.copy_tags_to_snapshot,
        log_exports: found.enabled_cloudwatch_logs_exports.unwrap_or_default(),
        storage_type: found.storage_type,
        iops: found.iops,
        storage_throughput: found.storage_throughput,
        max_allocated_storage: found.max_allocated_storage,
        network_type: found.network_type,
        certificate_authority: found.ca_certificate_identifier,
        tags: found
            .tag_list
            .unwrap_or_default()
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
            .collect(),
    };
    Source {
        name: found.db_instance_identifier.unwrap_or_default(),
        id: found.dbi_resource_id.unwrap_or_default(),
        earliest,
        latest: found.latest_restorable_time.as_ref().and_then(time),
        cluster: found.db_cluster_identifier,
        settings,
        beyond,
    }
}

/// The settings that a restore does not take, where the instance has them.
fn beyond(found: &DbInstance) -> Vec<String> {
    let set = [
        (found.monitoring_interval.is_some_and(|seconds| seconds > 0), "enhanced monitoring"),
        (found.performance_insights_enabled == Some(true), "Performance Insights"),
        (found.master_user_secret.is_some(), "the management of its password by Secrets Manager"),
        (!found.domain_memberships().is_empty(), "its directory"),
        (!found.associated_roles().is_empty(), "its roles"),
    ];
    set.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name.to_owned()).collect()
}
