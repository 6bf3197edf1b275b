//! What is seen of alarms and versions, whatever AWS answers.

use aws_sdk_cloudwatch::Client as CloudWatch;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{ActionsSuppressedBy, CompositeAlarm, StateValue};
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::operation::get_provisioned_concurrency_config::GetProvisionedConcurrencyConfigOutput;
use aws_sdk_lambda::types::{SnapStartApplyOn, SnapStartOptimizationStatus, SnapStartResponse, State};
use aws_smithy_mocks::{Rule, mock};
use ripcord::preflight::GuardState;
use ripcord::signal::AlarmState;

use super::super::scene::{FUNCTION, Scene, refusal};
use super::{alarm, configuration, unprovisioned};
use crate::worlds::v;

#[tokio::test(start_paused = true)]
async fn alarms_of_both_kinds_are_read_page_by_page_and_a_hundred_at_a_time() {
    let names: Vec<String> = (0..101).map(|n| format!("alarm-{n}")).collect();
    let composite = CompositeAlarm::builder()
        .alarm_name("alarm-1")
        .alarm_arn("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:alarm-1")
        .state_value(StateValue::InsufficientData)
        .actions_enabled(false)
        .actions_suppressed_by(ActionsSuppressedBy::Alarm)
        .actions_suppressor("maintenance")
        .build();
    let pages = mock!(CloudWatch::describe_alarms)
        .match_requests(|describe| {
            let kinds: Vec<&str> = describe.alarm_types().iter().map(|kind| kind.as_str()).collect();
            kinds == ["MetricAlarm", "CompositeAlarm"] && describe.alarm_names().len() <= 100
        })
        .then_compute_output(move |describe| {
            let page = DescribeAlarmsOutput::builder();
            match (describe.alarm_names().len(), describe.next_token()) {
                (100, None) => page.metric_alarms(alarm(StateValue::Alarm)).next_token("more").build(),
                (100, Some("more")) => page.composite_alarms(composite.clone()).build(),
                (1, None) => page.build(),
                other => panic!("{other:?}"),
            }
        });
    let scene = Scene::new(&[&pages]);
    let found = scene.aws.alarms(&names).await.unwrap();
    let arn = |name: &str| format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}");
    assert_eq!(
        found,
        [
            GuardState {
                name: "alarm-1".to_owned(),
                arn: arn("alarm-1"),
                state: Some(AlarmState::InsufficientData),
                actions_enabled: false,
                suppressed_by: Some("maintenance (Alarm)".to_owned()),
            },
            GuardState {
                name: "errors".to_owned(),
                arn: arn("errors"),
                state: Some(AlarmState::Alarm),
                actions_enabled: true,
                suppressed_by: None,
            },
        ]
    );
    assert_eq!(pages.num_calls(), 3);
    assert_eq!(Scene::new(&[]).aws.alarms(&[]).await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn pages_of_alarms_without_an_end_are_given_up() {
    let endless = mock!(CloudWatch::describe_alarms)
        .then_output(|| DescribeAlarmsOutput::builder().next_token("more").build());
    let failed = Scene::new(&[&endless]).aws.alarms(&["errors".to_owned()]).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "cloudwatch:DescribeAlarms of errors failed: the answer has more than 10 pages"
    );
    assert_eq!(endless.num_calls(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_version_with_snap_start_has_a_snapshot_and_another_has_none() {
    let with = |apply_on: SnapStartApplyOn, status: SnapStartOptimizationStatus| {
        let snap_start = SnapStartResponse::builder().apply_on(apply_on).optimization_status(status).build();
        GetFunctionConfigurationOutput::builder().state(State::Active).snap_start(snap_start).build()
    };
    let published = SnapStartApplyOn::PublishedVersions;
    for (answer, snapshot) in [
        (with(published.clone(), SnapStartOptimizationStatus::On), Some("On")),
        (with(published, SnapStartOptimizationStatus::Off), Some("Off")),
        (with(SnapStartApplyOn::None, SnapStartOptimizationStatus::Off), None),
        (configuration("2"), None),
    ] {
        let rule = mock!(Lambda::get_function_configuration).then_output(move || answer.clone());
        let scene = Scene::new(&[&rule]);
        let state = scene.aws.version_state(&FUNCTION.parse().unwrap(), v(2)).await.unwrap().unwrap();
        assert_eq!(state.snapshot.as_deref(), snapshot);
    }
}

#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_is_seen_and_none_is_told_from_what_is_denied() {
    let looked = async |rule: &Rule| {
        Scene::new(&[rule]).aws.provisioned_concurrency(&FUNCTION.parse().unwrap(), "live").await
    };
    let some = mock!(Lambda::get_provisioned_concurrency_config).then_output(|| {
        GetProvisionedConcurrencyConfigOutput::builder()
            .requested_provisioned_concurrent_executions(5)
            .build()
    });
    assert_eq!(looked(&some).await, Ok(Some(5)));
    assert_eq!(looked(&unprovisioned()).await, Ok(None));
    let denied = mock!(Lambda::get_provisioned_concurrency_config)
        .sequence()
        .http_status(403, Some(refusal("AccessDeniedException")))
        .build();
    let failed = looked(&denied).await.unwrap_err().to_string();
    assert!(
        failed.starts_with("lambda:GetProvisionedConcurrencyConfig of checkout-api:live failed"),
        "{failed}"
    );
}
