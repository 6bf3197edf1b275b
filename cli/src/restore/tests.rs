//! What is refused before RDS is asked to make anything, what it is asked then, and that asking twice makes nothing twice.

use std::sync::{Arc, Mutex};

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::describe_db_instance_automated_backups::DescribeDbInstanceAutomatedBackupsOutput;
use aws_sdk_rds::operation::describe_db_instances::{DescribeDBInstancesError, DescribeDbInstancesOutput};
use aws_sdk_rds::operation::restore_db_instance_to_point_in_time::{
    RestoreDBInstanceToPointInTimeError, RestoreDbInstanceToPointInTimeInput,
    RestoreDbInstanceToPointInTimeOutput,
};
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::error::{DbInstanceAlreadyExistsFault, DbInstanceNotFoundFault};
use aws_sdk_rds::types::{
    DbInstance, DbInstanceAutomatedBackup, DbParameterGroupStatus, DbSubnetGroup, Endpoint, RestoreWindow,
    Tag, VpcSecurityGroupMembership,
};
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
use clap::Parser;

use super::source::{FROM_TAG, TO_TAG};
use super::*;
use crate::exit_code::ExitCode;
use crate::status::example::at;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const ID: &str = "db-OLD";
const MOMENT: &str = "2026-03-02T11:55:00Z";

fn args(words: &[&str]) -> Args {
    let words = ["restore", "orders", "--as", "orders-restored"].iter().chain(words);
    Line::try_parse_from(words).expect("it parses").args
}

/// An instance with backups of the last seven days, up to five minutes ago.
fn source() -> Source {
    Source {
        name: "orders".to_owned(),
        id: ID.to_owned(),
        earliest: Some(at("2026-02-23T12:00:00Z")),
        latest: Some(at("2026-03-02T11:55:00Z")),
        ..Source::default()
    }
}

fn moment(text: &str) -> Moment {
    Moment::At(at(text))
}

#[track_caller]
fn refuse(checked: Result<(), Failure>, kind: &str, message: &str) {
    let failure = checked.expect_err("it is refused");
    assert_eq!((failure.kind.as_str(), failure.exit), (kind, ExitCode::Refused), "{}", failure.message);
    assert!(failure.message.contains(message), "{}", failure.message);
}

#[test]
fn nothing_is_asked_before_the_name_is_repeated() {
    let check = |words: &[&str]| check_confirmed(&args(words));
    assert!(check(&["--latest", "--confirm", "orders"]).is_ok());
    let unconfirmed = "restore_unconfirmed";
    refuse(check(&["--latest"]), unconfirmed, "nobody has confirmed that");
    refuse(check(&["--latest", "--confirm", "order"]), unconfirmed, "--confirm order is not orders");
    let onto_itself =
        Line::try_parse_from(["restore", "orders", "--as", "orders", "--latest", "--confirm", "orders"]);
    let onto_itself = onto_itself.expect("it parses").args;
    refuse(check_confirmed(&onto_itself), unconfirmed, "is the instance itself");
}

#[test]
fn a_moment_is_restored_to_from_the_first_backup_to_the_last_and_not_past_them() {
    let check = |moment| source().check(moment, at("2026-03-02T12:00:00Z"));
    for fine in ["2026-02-23T12:00:00Z", "2026-03-02T11:55:00Z"] {
        assert!(check(moment(fine)).is_ok(), "{fine}");
    }
    assert!(check(Moment::Latest).is_ok());
    let refused = "restore_refused";
    refuse(check(moment("2026-02-23T11:59:59Z")), refused, "can be restored from 2026-02-23T12:00:00Z on");
    refuse(check(moment("2026-03-02T11:55:01Z")), refused, "can be restored up to 2026-03-02T11:55:00Z");
    refuse(check(moment("2026-03-02T12:00:01Z")), refused, "is still to come");
    let bare = Source { latest: None, ..source() };
    refuse(bare.check(Moment::Latest, at(MOMENT)), refused, "keeps no backups");
    let clustered = Source { cluster: Some("shop".to_owned()), ..source() };
    refuse(clustered.check(Moment::Latest, at(MOMENT)), refused, "part of the cluster shop");
}

#[test]
fn a_fraction_of_a_second_is_cut_off() {
    assert_eq!(whole_second("2026-03-02T11:55:00.9Z"), Ok(at(MOMENT)));
    assert!(whole_second("yesterday").is_err());
}

#[test]
fn only_a_twin_of_the_same_instance_and_moment_is_taken_for_what_was_asked() {
    let twin = |from: Option<&str>, to: Option<&str>| Twin {
        status: "creating".to_owned(),
        restored_from: from.map(str::to_owned),
        restored_to: to.map(str::to_owned),
        ..Twin::default()
    };
    let recognise = |twin| source().recognise(twin, "orders-restored", moment(MOMENT)).map(|_| ());
    assert!(recognise(twin(Some(ID), Some(MOMENT))).is_ok());
    let refused = "restore_refused";
    refuse(recognise(twin(None, None)), refused, "and it was not restored from orders");
    // An instance that was deleted had the same name and another id.
    refuse(recognise(twin(Some("db-OLDER"), Some(MOMENT))), refused, "it was not restored from orders");
    refuse(recognise(twin(Some(ID), Some("latest"))), refused, "it was restored from orders to latest");
}

#[test]
fn speed_is_asked_for_only_where_the_storage_takes_it() {
    let speed = |storage: &str, iops, throughput| {
        let settings = source::Settings {
            storage_type: Some(storage.to_owned()),
            iops: Some(iops),
            storage_throughput: Some(throughput),
            ..source::Settings::default()
        };
        settings.speed()
    };
    assert_eq!(speed("io2", 1_000, 0), (Some(1_000), None));
    assert_eq!(speed("gp3", 3_000, 125), (None, None));
    assert_eq!(speed("gp3", 3_001, 126), (Some(3_001), Some(126)));
    assert_eq!(speed("gp2", 300, 0), (None, None));
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn orders() -> DbInstance {
    DbInstance::builder()
        .db_instance_identifier("orders")
        .dbi_resource_id(ID)
        .db_instance_class("db.r6g.large")
        .endpoint(Endpoint::builder().address("orders.example").port(5433).build())
        .db_subnet_group(DbSubnetGroup::builder().db_subnet_group_name("private").build())
        .vpc_security_groups(VpcSecurityGroupMembership::builder().vpc_security_group_id("sg-1").build())
        .db_parameter_groups(DbParameterGroupStatus::builder().db_parameter_group_name("orders-15").build())
        .multi_az(true)
        .publicly_accessible(false)
        .deletion_protection(true)
        .storage_type("gp3")
        .iops(12_000)
        .storage_throughput(500)
        .performance_insights_enabled(true)
        .latest_restorable_time(DateTime::from_secs(at(MOMENT).as_second()))
        .tag_list(tag("team", "checkout"))
        .tag_list(tag("aws:cloudformation:stack-name", "shop"))
        .build()
}

fn twin(status: &str, to: &str) -> DbInstance {
    DbInstance::builder()
        .db_instance_identifier("orders-restored")
        .db_instance_status(status)
        .tag_list(tag(FROM_TAG, ID))
        .tag_list(tag(TO_TAG, to))
        .build()
}

fn described(instance: DbInstance) -> DescribeDbInstancesOutput {
    DescribeDbInstancesOutput::builder().db_instances(instance).build()
}

fn backups() -> Rule {
    mock!(Client::describe_db_instance_automated_backups).then_output(|| {
        let backup = |id: &str, earliest: &str| {
            let earliest = DateTime::from_secs(at(earliest).as_second());
            let window = RestoreWindow::builder().earliest_time(earliest).build();
            DbInstanceAutomatedBackup::builder().dbi_resource_id(id).restore_window(window).build()
        };
        DescribeDbInstanceAutomatedBackupsOutput::builder()
            .db_instance_automated_backups(backup("db-OLDER", "2025-01-01T00:00:00Z"))
            .db_instance_automated_backups(backup(ID, "2026-02-23T12:00:00Z"))
            .build()
    })
}

type Asked = Arc<Mutex<Vec<RestoreDbInstanceToPointInTimeInput>>>;

/// RDS takes the order, and keeps what it was asked.
fn restoring(asked: &Asked) -> Rule {
    let asked = Arc::clone(asked);
    mock!(Client::restore_db_instance_to_point_in_time)
        .match_requests(move |input| {
            asked.lock().expect("nobody panics while holding it").push(input.clone());
            true
        })
        .then_output(|| {
            RestoreDbInstanceToPointInTimeOutput::builder().db_instance(twin("creating", MOMENT)).build()
        })
}

/// RDS, as these rules have it.
fn answered_by(rules: &[&Rule]) -> Databases {
    let nothing = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny);
    let answers = rules.iter().fold(nothing, |answers, rule| answers.with_rule(rule));
    let config = aws_sdk_rds::Config::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-west-1"))
        .credentials_provider(ripcord::aws::Credentials::from_keys("AKIDEXAMPLE", "secret", None))
        .http_client(create_mock_http_client())
        .interceptor(answers)
        .build();
    Databases::of(Client::from_conf(config))
}

fn source_is_there() -> Rule {
    mock!(Client::describe_db_instances)
        .match_requests(|input| input.db_instance_identifier() == Some("orders"))
        .then_output(|| described(orders()))
}

fn run_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(work)
}

#[test]
fn the_new_instance_has_the_settings_of_the_old_one_and_says_where_it_came_from() {
    let asked = Asked::default();
    let (there, backups, restored) = (source_is_there(), backups(), restoring(&asked));
    let databases = answered_by(&[&there, &backups, &restored]);
    let (source, twin) = run_on(async {
        let source = databases.source("orders").await.expect("RDS answers").expect("it is there");
        let twin = databases.restore(&source, "orders-restored", moment(MOMENT)).await.expect("it restores");
        (source, twin)
    });
    assert_eq!(source.earliest, Some(at("2026-02-23T12:00:00Z")), "the backups of the instance itself");
    assert_eq!(twin.status, "creating");
    let [input] = asked.lock().expect("a list").clone().try_into().expect("RDS is asked once");
    assert_eq!(input.source_db_instance_identifier(), Some("orders"));
    assert_eq!(input.target_db_instance_identifier(), Some("orders-restored"));
    assert_eq!(input.restore_time().map(DateTime::secs), Some(at(MOMENT).as_second()));
    assert_eq!(input.use_latest_restorable_time(), None);
    assert_eq!((input.db_instance_class(), input.port()), (Some("db.r6g.large"), Some(5433)));
    assert_eq!(input.db_subnet_group_name(), Some("private"));
    assert_eq!(input.vpc_security_group_ids(), ["sg-1"]);
    assert_eq!(input.db_parameter_group_name(), Some("orders-15"));
    assert_eq!((input.multi_az(), input.deletion_protection()), (Some(true), Some(true)));
    assert_eq!(input.publicly_accessible(), Some(false));
    let storage = (input.storage_type(), input.iops(), input.storage_throughput());
    assert_eq!(storage, (Some("gp3"), Some(12_000), Some(500)));
    let expected = [tag("team", "checkout"), tag(FROM_TAG, ID), tag(TO_TAG, MOMENT)];
    assert_eq!(input.tags(), expected);
    let args = args(&["--to-time", MOMENT, "--confirm", "orders"]);
    let report = Restored::of(&args, &source, moment(MOMENT), (twin, false)).to_string();
    insta::assert_snapshot!(anstream::adapter::strip_str(&report).to_string());
}

#[test]
fn an_instance_that_somebody_made_in_between_is_looked_at_and_not_made_again() {
    let taken = mock!(Client::restore_db_instance_to_point_in_time).then_error(|| {
        let fault = DbInstanceAlreadyExistsFault::builder().build();
        RestoreDBInstanceToPointInTimeError::DbInstanceAlreadyExistsFault(coded(fault))
    });
    let look = |to: &'static str| {
        mock!(Client::describe_db_instances).then_output(move || described(twin("creating", to)))
    };
    let restore = |to: &'static str| {
        let there = look(to);
        let databases = answered_by(&[&taken, &there]);
        run_on(databases.restore(&source(), "orders-restored", moment(MOMENT)))
    };
    assert_eq!(restore(MOMENT).map(|twin| twin.status), Ok("creating".to_owned()));
    assert_eq!(restore("latest").expect_err("another moment").exit, ExitCode::Refused);
}

/// A fault with the code that RDS sends with it.
fn coded(_: DbInstanceAlreadyExistsFault) -> DbInstanceAlreadyExistsFault {
    let code = aws_sdk_rds::error::ErrorMetadata::builder().code("DBInstanceAlreadyExists").build();
    DbInstanceAlreadyExistsFault::builder().meta(code).build()
}

#[test]
fn what_rds_will_not_make_is_refused_and_what_it_denies_is_not_reached() {
    let restore = |code: &'static str| {
        let refusal = mock!(Client::restore_db_instance_to_point_in_time).then_error(move || {
            RestoreDBInstanceToPointInTimeError::generic(
                aws_sdk_rds::error::ErrorMetadata::builder().code(code).message("made up").build(),
            )
        });
        let databases = answered_by(&[&refusal]);
        let restored = run_on(databases.restore(&source(), "orders-restored", moment(MOMENT)));
        restored.expect_err("it fails").exit
    };
    assert_eq!(restore("InvalidParameterValue"), ExitCode::Refused);
    assert_eq!(restore("PointInTimeRestoreNotEnabled"), ExitCode::Refused);
    assert_eq!(restore("AccessDenied"), ExitCode::Unreachable);
}

#[test]
fn an_instance_that_does_not_exist_is_no_failed_call() {
    let nothing = mock!(Client::describe_db_instances).then_error(|| {
        let code = aws_sdk_rds::error::ErrorMetadata::builder().code("DBInstanceNotFound").build();
        DescribeDBInstancesError::DbInstanceNotFoundFault(
            DbInstanceNotFoundFault::builder().meta(code).build(),
        )
    });
    let databases = answered_by(&[&nothing]);
    assert_eq!(run_on(databases.source("orders")), Ok(None));
    assert_eq!(run_on(databases.twin("orders")), Ok(None));
}

#[test]
fn waiting_ends_when_the_instance_is_there_or_never_will_be() {
    let statuses = |statuses: &'static [&'static str]| {
        let mut left = statuses.iter();
        let left = Mutex::new(move || left.next().copied().unwrap_or("available"));
        let look = mock!(Client::describe_db_instances).then_output(move || {
            described(twin((left.lock().expect("nobody panics while holding it"))(), MOMENT))
        });
        let databases = answered_by(&[&look]);
        let creating = Twin { status: "creating".to_owned(), ..Twin::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(wait::until_available(
            &databases,
            "orders-restored",
            creating,
            Duration::from_millis(1),
        ))
    };
    assert_eq!(statuses(&["available"]).map(|twin| twin.status), Ok("available".to_owned()));
    let failure = statuses(&["incompatible-restore"]).expect_err("it failed");
    assert_eq!((failure.kind.as_str(), failure.exit), ("restore_unfinished", ExitCode::Unexpected));
    assert!(failure.message.contains("incompatible-restore"), "{}", failure.message);
}
