//! `stage-validator` from the request to the answer: what it looks at, what it keeps, whom it asks, and that nothing which it
//! could not see takes a release further.

use std::sync::Arc;

use aws_sdk_cloudwatch::Client as CloudWatch;
use aws_sdk_cloudwatch::config::http::HttpResponse;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::operation::get_metric_data::{GetMetricDataInput, GetMetricDataOutput};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{MetricAlarm, MetricDataResult, StateValue, StatusCode};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_lambda::Client as Lambda;
use aws_smithy_mocks::{Rule, mock};
use jiff::Timestamp;
use ripcord::error_type::{ErrorType, Failure};
use ripcord::finding::{Finding, Found, StageLook};
use ripcord::judge::Verdict;
use ripcord::pipeline::{Tempo, Turn};
use ripcord::situation::ServiceRecord;
use serde_json::{Value, json};
use stage_validator::{Answer, Validator, validate};

use super::scene::{Scene, alias, canceled, clock, deadline, holds, item, recorded, refusal, writes};
use crate::measuring::Case;
use crate::worlds::{SERVICE, at, seconds};

mod asking;
mod metrics;
mod refusals;

fn look() -> Value {
    json!({ "service": SERVICE, "release": 5 })
}

async fn validated(scene: &Scene, event: &Value) -> Result<Answer, Failure> {
    let namespace = "ripcord/Deployments".to_owned();
    let validator = Validator { aws: scene.aws.clone(), namespace, clock, tempo: Tempo::REAL };
    validate(event, deadline(), &validator).await
}

/// A release at 10 % since 9:50, whose bake is over.
fn baked() -> ServiceRecord {
    Case::of(&[10.0, 100.0], &["09:50:00"], "10:05:00").record
}

/// A release at 10 % since 10:00, in the middle of its bake.
fn baking() -> ServiceRecord {
    Case::of(&[10.0, 100.0], &["10:00:00"], "10:05:00").record
}

fn canary_alias() -> Rule {
    mock!(Lambda::get_alias).then_output(|| alias("1", &[("2", 0.1)], "r1"))
}

fn quiet() -> Rule {
    mock!(CloudWatch::describe_alarms).then_output(|| {
        let alarm = MetricAlarm::builder()
            .alarm_name("errors")
            .alarm_arn("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors")
            .state_value(StateValue::Ok)
            .build();
        DescribeAlarmsOutput::builder().metric_alarms(alarm).build()
    })
}

/// Nothing was found before.
fn unfound() -> Rule {
    holds(format!("findings#{SERVICE}"), Vec::new())
}

/// What is seen of a query minute by minute, and how complete that is.
fn series(id: &str, values: &[(Timestamp, f64)], status: StatusCode) -> MetricDataResult {
    MetricDataResult::builder()
        .id(id)
        .set_timestamps(Some(
            values.iter().map(|(start, _)| DateTime::from_secs(start.as_second())).collect(),
        ))
        .set_values(Some(values.iter().map(|(_, value)| *value).collect()))
        .status_code(status)
        .build()
}

/// Every minute that is asked for has so many requests, of which so many failed; the stable version never fails.
fn measured(requests: f64, errors: f64) -> impl Fn(&GetMetricDataInput) -> GetMetricDataOutput + Send + Sync {
    move |input| {
        let (from, to) = (input.start_time().unwrap().secs(), input.end_time().unwrap().secs());
        let starts = (from..to).step_by(60).map(|second| Timestamp::from_second(second).unwrap());
        let values = |value: f64| starts.clone().map(|start| (start, value)).collect::<Vec<_>>();
        let results = input.metric_data_queries().iter().map(|query| {
            let value = match query.id().unwrap() {
                "candidate_errors" | "alias_errors" => errors,
                "stable_requests" => 9.0 * requests,
                "candidate_requests" | "alias_requests" => requests,
                _ => 0.0,
            };
            series(query.id().unwrap(), &values(value), StatusCode::Complete)
        });
        GetMetricDataOutput::builder().set_metric_data_results(Some(results.collect())).build()
    }
}

fn measures(requests: f64, errors: f64) -> Rule {
    let answer = Arc::new(measured(requests, errors));
    mock!(CloudWatch::get_metric_data).then_compute_output(move |input| answer(input))
}

/// CloudWatch refuses with this error, on its own wire.
fn refuses(status: u16, code: &'static str) -> HttpResponse {
    // A map of one text to another, as the protocol's CBOR has it.
    let mut body = vec![0xA1, 0x66];
    body.extend(b"__type");
    body.extend([0x78, u8::try_from(code.len()).unwrap()]);
    body.extend(code.as_bytes());
    let mut response = HttpResponse::new(status.try_into().unwrap(), body.into());
    response.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
    response
}

fn refused(status: u16, code: &'static str) -> Rule {
    mock!(CloudWatch::get_metric_data).then_http_response(move || refuses(status, code))
}

/// The finding that was kept about the stage.
fn found(scene: &Scene, stage: usize) -> StageLook {
    let key = (format!("findings#{SERVICE}"), format!("0000000005#stage-{stage:03}"));
    let finding: Finding = serde_json::from_str(scene.written()[&key]["doc"].as_s().unwrap()).unwrap();
    match finding.found {
        Found::Stage(look) => *look,
        other @ (Found::Before(_) | Found::After(_) | Found::Hook(_)) => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_proved_stage_goes_on_and_the_proof_is_kept() {
    let scene = Scene::new(&[
        &recorded(&baked()),
        &unfound(),
        &canary_alias(),
        &quiet(),
        &measures(100.0, 0.0),
        &writes(),
    ]);
    let answer = validated(&scene, &look()).await.unwrap();
    assert_eq!((answer.verdict, answer.score), (Some(Verdict::Pass), Some(100)));
    assert_eq!((answer.onward.next, answer.onward.stage), (Turn::Shift, 1));
    // Two round trips to the decision, and one to keep it.
    insta::assert_snapshot!(scene.calls(), @r"
    dynamodb:Query service#checkout
    cloudwatch:GetMetricData candidate_requests, candidate_errors, stable_requests, stable_errors
    cloudwatch:DescribeAlarms errors
    lambda:GetAlias checkout-api:live
    dynamodb:Query findings#checkout
    dynamodb:TransactWriteItems findings#checkout/0000000005#stage-000
    ");
    let kept = found(&scene, 0);
    assert_eq!((kept.judgement.verdict, kept.measured_until), (Verdict::Pass, Some(at("10:04:00"))));
    assert_eq!(kept.onward, answer.onward);
    // 9:51 to 10:02: the request that began last at 10:03 may not have been reported yet.
    assert_eq!(kept.judgement.metrics[0].candidate.requests, 1_200);
}

#[tokio::test(start_paused = true)]
async fn a_bad_candidate_goes_back_at_once() {
    let scene = Scene::new(&[
        &recorded(&baking()),
        &unfound(),
        &canary_alias(),
        &quiet(),
        &measures(100.0, 30.0),
        &writes(),
    ]);
    let answer = validated(&scene, &look()).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.score, answer.onward.next),
        (Some(Verdict::Fail), Some(0), Turn::RollBack)
    );
    assert!(answer.onward.reason.contains("30.0%"), "{}", answer.onward.reason);
    assert_eq!(found(&scene, 0).judgement.verdict, Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn a_stage_in_its_bake_is_looked_at_again() {
    let scene = Scene::new(&[
        &recorded(&baking()),
        &unfound(),
        &canary_alias(),
        &quiet(),
        &measures(100.0, 0.0),
        &writes(),
    ]);
    let answer = validated(&scene, &look()).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.onward.next, answer.onward.wait_seconds),
        (Some(Verdict::Pass), Turn::Look, 60)
    );
}

/// A look at a baked stage about which something could not be seen.
async fn check_unseen(metrics: &Rule, why: &str) {
    let scene =
        Scene::new(&[&recorded(&baking()), &unfound(), &canary_alias(), &quiet(), metrics, &writes()]);
    let answer = validated(&scene, &look()).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.onward.next),
        (Some(Verdict::Error), Turn::Look),
        "{}",
        answer.onward.reason
    );
    assert!(answer.onward.reason.contains(why), "{}", answer.onward.reason);
    assert_eq!(found(&scene, 0).measured_until, None);
}

#[tokio::test(start_paused = true)]
async fn what_cloudwatch_does_not_answer_is_an_error_and_no_crash() {
    check_unseen(&refused(403, "AccessDeniedException"), "AccessDeniedException").await;
    let throttled = refused(400, "ThrottlingException");
    check_unseen(&throttled, "ThrottlingException").await;
    assert_eq!(throttled.num_calls(), 3, "the client tries again before it gives up");
    for (status, said) in [
        (StatusCode::PartialData, "PartialData"),
        (StatusCode::InternalError, "InternalError"),
        (StatusCode::Forbidden, "Forbidden"),
    ] {
        let answer = measured(100.0, 0.0);
        let broken = mock!(CloudWatch::get_metric_data).then_compute_output(move |input| {
            let mut output = answer(input);
            for result in output.metric_data_results.iter_mut().flatten() {
                if result.id() == Some("candidate_errors") {
                    result.status_code = Some(status.clone());
                }
            }
            output
        });
        check_unseen(&broken, &format!("errors of version 2 could not be measured: {said}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_that_passes_is_not_noticed() {
    let starts = || (0..13).map(|minute| at("09:51:00") + seconds(minute * 60));
    let results = [
        ("candidate_requests", 100.0),
        ("candidate_errors", 0.0),
        ("stable_requests", 900.0),
        ("stable_errors", 0.0),
    ]
    .map(|(id, value)| {
        series(id, &starts().map(|start| (start, value)).collect::<Vec<_>>(), StatusCode::Complete)
    });
    let output = GetMetricDataOutput::builder().set_metric_data_results(Some(results.into())).build();
    let metrics = mock!(CloudWatch::get_metric_data)
        .sequence()
        .http_response(|| refuses(400, "ThrottlingException"))
        .output(move || output.clone())
        .build();
    let scene =
        Scene::new(&[&recorded(&baked()), &unfound(), &canary_alias(), &quiet(), &metrics, &writes()]);
    assert_eq!(validated(&scene, &look()).await.unwrap().verdict, Some(Verdict::Pass));
}

#[tokio::test(start_paused = true)]
async fn guards_and_an_alias_that_cannot_be_seen_take_no_release_further() {
    let blind =
        mock!(CloudWatch::describe_alarms).then_http_response(|| refuses(403, "AccessDeniedException"));
    let scene = Scene::new(&[
        &recorded(&baked()),
        &unfound(),
        &canary_alias(),
        &blind,
        &measures(100.0, 0.0),
        &writes(),
    ]);
    // Since 9:51 nobody has seen all of it.
    let answer = validated(&scene, &look()).await.unwrap();
    assert_eq!((answer.verdict, answer.onward.next), (Some(Verdict::Error), Turn::RollBack));
    assert!(answer.onward.reason.contains("alarm errors"), "{}", answer.onward.reason);

    let denied =
        mock!(Lambda::get_alias).sequence().http_status(403, Some(refusal("AccessDeniedException"))).build();
    let scene =
        Scene::new(&[&recorded(&baking()), &unfound(), &denied, &quiet(), &measures(100.0, 0.0), &writes()]);
    let answer = validated(&scene, &look()).await.unwrap();
    assert_eq!((answer.verdict, answer.onward.next), (Some(Verdict::Error), Turn::Look));
    assert!(answer.onward.reason.contains("the alias checkout-api:live"), "{}", answer.onward.reason);
}

/// The look before, which had measured the stage up to a time.
fn found_before(measured_until: &str) -> Rule {
    let mut look = StageLook {
        stage: 0,
        judgement: ripcord::judge::judge(&ripcord::judge::Observations {
            stage: 0,
            stages: Vec::new(),
            minutes: Vec::new(),
            gauges: Vec::new(),
            alarms: Vec::new(),
            unmeasured: Vec::new(),
        }),
        onward: ripcord::pipeline::Onward {
            next: Turn::Look,
            stage: 0,
            wait_seconds: 60,
            then: ripcord::pipeline::Then::Shift,
            reason: "why".to_owned(),
            measured_bad: false,
        },
        measured_until: Some(at(measured_until)),
    };
    let mut items = Vec::new();
    // Of another stage, and seen later: it says nothing of this one.
    for (stage, until) in [(0, at(measured_until)), (1, at("10:04:00"))] {
        (look.stage, look.measured_until) = (stage, Some(until));
        let finding = Finding {
            service: SERVICE.parse().unwrap(),
            generation: ripcord::names::Generation(5),
            at: until,
            found: Found::Stage(Box::new(look.clone())),
            keep_until: at("23:00:00"),
        };
        items.push(item(format!("findings#{SERVICE}"), format!("0000000005#stage-{stage:03}"), &finding));
    }
    holds(format!("findings#{SERVICE}"), items)
}

#[tokio::test(start_paused = true)]
async fn a_look_that_sees_nothing_goes_by_what_the_looks_before_have_seen() {
    let denied = || refused(403, "AccessDeniedException");
    for (before, next) in [("09:53:00", Turn::Look), ("09:52:59", Turn::RollBack)] {
        let scene = Scene::new(&[
            &recorded(&baked()),
            &found_before(before),
            &canary_alias(),
            &quiet(),
            &denied(),
            &writes(),
        ]);
        let answer = validated(&scene, &look()).await.unwrap();
        assert_eq!(
            (answer.verdict, answer.onward.next),
            (Some(Verdict::Error), next),
            "{}",
            answer.onward.reason
        );
        // The next look must not begin to count anew.
        assert_eq!(found(&scene, 0).measured_until, Some(at(before)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_before_is_needed_only_by_a_look_that_sees_nothing() {
    let unreadable = || {
        mock!(DynamoDb::query)
            .match_requests(|query| {
                query.key_condition_expression().is_some_and(|condition| condition.contains("begins_with"))
            })
            .sequence()
            .http_status(400, Some(refusal("com.amazon.coral.service#AccessDeniedException")))
            .build()
    };
    let scene = Scene::new(&[
        &unreadable(),
        &recorded(&baked()),
        &canary_alias(),
        &quiet(),
        &measures(100.0, 0.0),
        &writes(),
    ]);
    assert_eq!(validated(&scene, &look()).await.unwrap().verdict, Some(Verdict::Pass));
    let denied = refused(403, "AccessDeniedException");
    let scene = Scene::new(&[&unreadable(), &recorded(&baked()), &canary_alias(), &quiet(), &denied]);
    assert_eq!(validated(&scene, &look()).await.unwrap_err().error_type, ErrorType::LedgerUnreadable);
}

#[tokio::test(start_paused = true)]
async fn a_release_goes_on_only_if_its_proof_could_be_kept() {
    let full = || {
        mock!(DynamoDb::transact_write_items)
            .sequence()
            .http_status(400, Some(refusal("com.amazonaws.dynamodb.v20120810#ValidationException")))
            .repeatedly()
            .build()
    };
    let scene = Scene::new(&[
        &recorded(&baked()),
        &unfound(),
        &canary_alias(),
        &quiet(),
        &measures(100.0, 0.0),
        &full(),
    ]);
    let failure = validated(&scene, &look()).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::ReportIncomplete, "{failure}");
    // Going back waits for no record.
    let scene = Scene::new(&[
        &recorded(&baked()),
        &unfound(),
        &canary_alias(),
        &quiet(),
        &measures(100.0, 30.0),
        &full(),
    ]);
    assert_eq!(validated(&scene, &look()).await.unwrap().onward.next, Turn::RollBack);
    let scene = Scene::new(&[
        &recorded(&baking()),
        &unfound(),
        &canary_alias(),
        &quiet(),
        &measures(100.0, 0.0),
        &full(),
    ]);
    assert_eq!(validated(&scene, &look()).await.unwrap().onward.next, Turn::Look);
}

#[tokio::test(start_paused = true)]
async fn a_moved_alias_fails_the_look_and_nothing_is_kept_of_it() {
    let moved = mock!(Lambda::get_alias).then_output(|| alias("1", &[], "r2"));
    let scene = Scene::new(&[&recorded(&baked()), &unfound(), &moved, &quiet(), &measures(100.0, 0.0)]);
    let failure = validated(&scene, &look()).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::AliasDrifted, "{failure}");
}
