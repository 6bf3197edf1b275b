//! `release-preflight` from the request to the answer: what it looks at, what it writes, and that nothing which it could not
//! see passes for well.

use aws_sdk_cloudwatch::Client as CloudWatch;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{MetricAlarm, MetricDataResult, StateValue, StatusCode};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, State};
use aws_smithy_mocks::{Rule, mock};
use release_preflight::{Inspected, Inspector, inspect};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::finding::{Finding, Found};
use ripcord::pipeline::{Tempo, Turn, Waivable};
use ripcord::preflight::Outcome;
use ripcord::registration::{Smoke, SmokeExpectation};
use ripcord::release::{Phase, Release};
use ripcord::situation::ServiceRecord;
use serde_json::{Value, json};

use super::scene::{Scene, alias, canceled, clock, deadline, holds, recorded, refusal, writes};
use crate::preflight::Case;
use crate::worlds::{SERVICE, at, seconds};

mod http;
mod looks;

fn event(when: &str) -> Value {
    json!({ "service": SERVICE, "release": 5, "when": when })
}

async fn inspected(scene: &Scene, when: &str) -> Result<Inspected, Failure> {
    let inspector = Inspector { aws: scene.aws.clone(), clock, tempo: Tempo::REAL };
    inspect(&event(when), deadline(), &inspector).await
}

/// Release 5, about to move, with a smoke test that must answer 200.
pub(super) fn smoked() -> ServiceRecord {
    let mut record = Case::well().record;
    record.registration.preflight.smoke = Some(Smoke {
        payload: json!({ "path": "/health" }),
        status: None,
        schema: None,
        expect: vec![SmokeExpectation { pointer: "/statusCode".to_owned(), equals: json!(200) }],
    });
    record
}

pub(super) fn aliases() -> Rule {
    mock!(Lambda::get_alias).then_output(|| alias("1", &[], "r1"))
}

fn configuration(version: &str) -> GetFunctionConfigurationOutput {
    GetFunctionConfigurationOutput::builder()
        .code_sha256(format!("sha-{version}"))
        .state(State::Active)
        .role("arn:aws:iam::123456789012:role/checkout")
        .build()
}

pub(super) fn versions() -> Rule {
    mock!(Lambda::get_function_configuration)
        .then_compute_output(|get| configuration(get.qualifier().unwrap()))
}

pub(super) fn invocable() -> Rule {
    mock!(Lambda::invoke)
        .match_requests(|invoke| {
            invoke.invocation_type() == Some(&InvocationType::DryRun) && invoke.payload().is_none()
        })
        .then_output(|| InvokeOutput::builder().status_code(204).build())
}

/// The version answers the smoke test's own payload.
pub(super) fn answers(payload: &'static str, error: Option<&'static str>) -> Rule {
    mock!(Lambda::invoke)
        .match_requests(|invoke| {
            invoke.invocation_type() == Some(&InvocationType::RequestResponse)
                && invoke.qualifier() == Some("2")
                && invoke.payload() == Some(&Blob::new(r#"{"path":"/health"}"#))
        })
        .then_output(move || {
            InvokeOutput::builder()
                .status_code(200)
                .payload(Blob::new(payload))
                .set_function_error(error.map(str::to_owned))
                .build()
        })
}

pub(super) fn unprovisioned() -> Rule {
    mock!(Lambda::get_provisioned_concurrency_config)
        .sequence()
        .http_status(404, Some(refusal("ProvisionedConcurrencyConfigNotFoundException")))
        .repeatedly()
        .build()
}

fn alarm(state: StateValue) -> MetricAlarm {
    MetricAlarm::builder()
        .alarm_name("errors")
        .alarm_arn("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors")
        .state_value(state)
        .actions_enabled(true)
        .build()
}

pub(super) fn alarms(state: StateValue) -> Rule {
    mock!(CloudWatch::describe_alarms)
        .then_output(move || DescribeAlarmsOutput::builder().metric_alarms(alarm(state.clone())).build())
}

/// A thousand requests in each of the last day's five minutes, and one error.
fn busy() -> Rule {
    mock!(CloudWatch::get_metric_data).then_output(|| {
        let series = |id: &str, sum: f64, count: i64| {
            let start = |n| DateTime::from_secs((at("10:00:00") - seconds(n * 300)).as_second());
            MetricDataResult::builder()
                .id(id)
                .set_timestamps(Some((1..=count).map(start).collect()))
                .set_values(Some(vec![sum; usize::try_from(count).unwrap()]))
                .status_code(StatusCode::Complete)
                .build()
        };
        GetMetricDataOutput::builder()
            .metric_data_results(series("requests", 1_000.0, 288))
            .metric_data_results(series("errors", 1.0, 1))
            .build()
    })
}

fn finding(scene: &Scene, what: &str) -> Finding {
    let item = &scene.written()[&(format!("findings#{SERVICE}"), format!("0000000005#{what}"))];
    serde_json::from_str(item["doc"].as_s().unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn everything_is_looked_at_once_and_what_was_found_is_kept() {
    let scene = Scene::new(&[
        &recorded(&smoked()),
        &aliases(),
        &versions(),
        &invocable(),
        &answers(r#"{"statusCode":200}"#, None),
        &unprovisioned(),
        &alarms(StateValue::Ok),
        &busy(),
        &writes(),
    ]);
    let inspected = inspected(&scene, "before").await.unwrap();
    assert_eq!((inspected.onward.next, inspected.onward.stage), (Turn::Shift, 0));
    let outcomes = inspected.checks.iter().map(|check| (check.name.as_str(), check.outcome));
    let better: Vec<_> = outcomes.filter(|(_, outcome)| *outcome != Outcome::Passed).collect();
    assert_eq!(better, [], "{:?}", inspected.checks);
    let traffic = inspected.checks.iter().find(|check| check.name == "traffic").unwrap();
    assert!(
        traffic.detail.ends_with("known from 288000 requests in 1 d 0 h, errors 0.00035% (1 of 288,000)"),
        "{}",
        traffic.detail
    );
    insta::assert_snapshot!(scene.calls(), @r"
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    lambda:GetAlias checkout-api:live-last-known-good
    lambda:GetFunctionConfiguration checkout-api:1
    lambda:GetFunctionConfiguration checkout-api:2
    lambda:Invoke checkout-api:2 DryRun
    lambda:GetProvisionedConcurrencyConfig checkout-api:live
    lambda:GetProvisionedConcurrencyConfig checkout-api:2
    cloudwatch:DescribeAlarms errors
    cloudwatch:GetMetricData requests, errors
    lambda:Invoke checkout-api:2 RequestResponse
    dynamodb:TransactWriteItems findings#checkout/0000000005#before
    ");
    let kept = finding(&scene, "before");
    assert_eq!(kept.found, Found::Before(inspected.checks));
    assert_eq!((kept.at, kept.keep_until), (clock(), clock() + seconds(90 * 24 * 3600)));
}

#[tokio::test(start_paused = true)]
async fn before_it_completes_a_release_answers_once_more() {
    let mut record = smoked();
    record.release.as_mut().unwrap().traffic_at = Some(at("10:00:30"));
    let smoke = answers(r#"{"statusCode":200}"#, None);
    let scene = Scene::new(&[&recorded(&record), &smoke, &writes()]);
    let inspected = inspected(&scene, "after").await.unwrap();
    assert_eq!((inspected.onward.next, inspected.onward.stage), (Turn::Shift, 3));
    assert_eq!(scene.call_names(), ["dynamodb:Query", "lambda:Invoke", "dynamodb:TransactWriteItems"]);
    assert_eq!(finding(&scene, "verify").found, Found::After(inspected.checks));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_its_smoke_test_is_refused_with_what_it_answered_and_that_is_kept() {
    let smoke = answers(r#"{"errorMessage":"no database"}"#, Some("Unhandled"));
    let scene = Scene::new(&[&recorded(&smoked()), &smoke, &writes()]);
    let failure = inspected(&scene, "after").await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::PreflightFailed);
    assert_eq!(
        failure.message,
        r#"1 of 1 checks failed: smoke: version 2 failed (Unhandled): {"errorMessage":"no database"}"#
    );
    let Found::After(checks) = finding(&scene, "verify").found else { panic!("it is another finding") };
    assert_eq!(checks[0].outcome, Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_smoke_test_is_called_once_whatever_lambda_answers() {
    let fault = mock!(Lambda::invoke)
        .sequence()
        .http_status(500, Some(refusal("ServiceException")))
        .repeatedly()
        .build();
    let scene = Scene::new(&[&recorded(&smoked()), &fault, &writes()]);
    let failure = inspected(&scene, "after").await.unwrap_err();
    assert!(failure.message.contains("ServiceException"), "{failure}");
    assert_eq!(fault.num_calls(), 1);
}

/// CloudWatch and Lambda deny everything.
fn denials() -> [Rule; 6] {
    let denied = || refusal("AccessDeniedException");
    macro_rules! denies {
        ($call:expr) => {
            mock!($call).sequence().http_status(403, Some(denied())).repeatedly().build()
        };
    }
    [
        denies!(Lambda::get_alias),
        denies!(Lambda::get_function_configuration),
        denies!(Lambda::invoke),
        denies!(Lambda::get_provisioned_concurrency_config),
        denies!(CloudWatch::describe_alarms),
        denies!(CloudWatch::get_metric_data),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_fails_where_it_matters_and_says_so() {
    let denials = denials();
    let (recorded, writes) = (recorded(&smoked()), writes());
    let scene = Scene::new(&denials.iter().chain([&recorded, &writes]).collect::<Vec<_>>());
    let failure = inspected(&scene, "before").await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::PreflightFailed);
    let Found::Before(checks) = finding(&scene, "before").found else { panic!("it is another finding") };
    let outcomes: Vec<String> =
        checks.iter().map(|check| format!("{} {:?}", check.name, check.outcome)).collect();
    insta::assert_snapshot!(outcomes.join(", "), @"alias Failed, version Failed, role Failed, invocable Failed, smoke Failed, alarms Failed, traffic Failed, quarantine Passed, barrier Passed, freeze Passed, pin Noted, provisioned_concurrency Noted");
    for name in
        ["alias", "version", "invocable", "smoke", "alarms", "traffic", "pin", "provisioned_concurrency"]
    {
        let check = checks.iter().find(|check| check.name == name).unwrap();
        assert!(check.detail.contains("could not be seen: "), "{}", check.detail);
        assert!(check.detail.contains("failed: service error"), "{}", check.detail);
    }
}

fn waived() -> ServiceRecord {
    let mut case = Case::well();
    case.waive(Waivable::Alarms);
    case.record
}

fn well_but_for(alarms: Rule) -> Vec<Rule> {
    vec![aliases(), versions(), invocable(), unprovisioned(), busy(), alarms]
}

fn scene_of(rules: &[Rule], others: &[&Rule]) -> Scene {
    Scene::new(&rules.iter().chain(others.iter().copied()).collect::<Vec<_>>())
}

#[tokio::test(start_paused = true)]
async fn guards_that_fire_and_are_waived_are_in_the_ledger_before_the_answer() {
    let rules = well_but_for(alarms(StateValue::Alarm));
    let scene = scene_of(&rules, &[&recorded(&waived()), &writes()]);
    inspected(&scene, "before").await.unwrap();
    let calls = scene.calls();
    let written: Vec<&str> = calls.lines().filter(|call| call.contains("Write")).collect();
    assert_eq!(
        written,
        [
            "dynamodb:TransactWriteItems findings#checkout/0000000005#before",
            "dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005",
        ]
    );
    let item = &scene.written()[&(format!("service#{SERVICE}"), "release".to_owned())];
    let release: Release = serde_json::from_str(item["doc"].as_s().unwrap()).unwrap();
    assert!(release.run.unwrap().fired_before("errors", clock()));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_loses_a_race_for_the_record_looks_again() {
    let rules = well_but_for(alarms(StateValue::Alarm));
    let lost_once = mock!(DynamoDb::transact_write_items)
        .sequence()
        .output(|| TransactWriteItemsOutput::builder().build())
        .http_status(400, Some(canceled(&["ConditionalCheckFailed", "None"])))
        .output(|| TransactWriteItemsOutput::builder().build())
        .repeatedly()
        .build();
    let scene = scene_of(&rules, &[&recorded(&waived()), &lost_once]);
    assert_eq!(inspected(&scene, "before").await.unwrap().onward.next, Turn::Shift);
    assert_eq!(scene.calls().matches("dynamodb:Query").count(), 2);

    let always_lost = mock!(DynamoDb::transact_write_items)
        .sequence()
        .http_status(400, Some(canceled(&["ConditionalCheckFailed", "None"])))
        .repeatedly()
        .build();
    let rules = well_but_for(alarms(StateValue::Alarm));
    let scene = scene_of(&rules, &[&recorded(&waived()), &always_lost]);
    let failure = inspected(&scene, "before").await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::Contended);
    assert_eq!(
        failure.message,
        "lost 4 races for checkout, the last because the ledger's record of checkout has changed since it was read"
    );
    assert_eq!(scene.calls().matches("dynamodb:Query").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_finding_that_cannot_be_kept_stops_a_release_but_does_not_hide_why_it_failed() {
    let denied = || {
        mock!(DynamoDb::transact_write_items)
            .sequence()
            .http_status(400, Some(refusal("com.amazon.coral.service#AccessDeniedException")))
            .build()
    };
    let well = answers(r#"{"statusCode":200}"#, None);
    let scene = Scene::new(&[&recorded(&smoked()), &well, &denied()]);
    let failure = inspected(&scene, "after").await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReportIncomplete);
    assert!(failure.message.contains("AccessDenied"), "{failure}");
    let unwell = answers(r#"{"statusCode":500}"#, None);
    let scene = Scene::new(&[&recorded(&smoked()), &unwell, &denied()]);
    let failure = inspected(&scene, "after").await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::PreflightFailed);
    assert!(failure.message.contains("/statusCode is 500, expected 200"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_not_open_is_not_looked_at() {
    let asked = async |record: &ServiceRecord| {
        let scene = Scene::new(&[&recorded(record)]);
        let inspected = inspected(&scene, "before").await;
        assert_eq!(scene.calls(), "dynamodb:Query service#checkout");
        inspected
    };
    let mut record = Case::well().record;
    record.release.as_mut().unwrap().phase = Phase::Complete;
    let ended = asked(&record).await.unwrap();
    assert_eq!((ended.onward.next, ended.checks.len()), (Turn::End, 0));
    record.release.as_mut().unwrap().phase = Phase::Withdrawn;
    assert_eq!(asked(&record).await.unwrap_err().error_type, ErrorType::ReleaseClosed);
    record.release = None;
    assert_eq!(asked(&record).await.unwrap_err().error_type, ErrorType::ReleaseConflict);

    let scene = Scene::new(&[&holds("service#checkout", Vec::new())]);
    let failure = inspected(&scene, "before").await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ServiceUnknown);
    let denied = mock!(DynamoDb::query)
        .sequence()
        .http_status(400, Some(refusal("com.amazon.coral.service#AccessDeniedException")))
        .build();
    let failure = inspected(&Scene::new(&[&denied]), "before").await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::LedgerUnreadable);
    let nothing = Scene::new(&[]);
    let failure = inspected(&nothing, "whenever").await.unwrap_err();
    assert_eq!((failure.error_type, nothing.calls()), (ErrorType::RequestInvalid, String::new()));
}
