//! The hooks of CodeDeploy: what the checks call, write and answer, and that the desk answers whatever becomes of them.

use aws_sdk_cloudwatch::types::StateValue;
use aws_sdk_codedeploy::Client as CodeDeploy;
use aws_sdk_codedeploy::operation::batch_get_deployment_targets::BatchGetDeploymentTargetsOutput;
use aws_sdk_codedeploy::types::{
    DeploymentCreator, DeploymentStatus, DeploymentTarget, EcsTarget, LifecycleEvent, LifecycleEventStatus,
};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_lambda::Client as Lambda;
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::hook::{Hook, Work};
use ripcord::finding::{Finding, Found, HookFinding};
use ripcord::hook::{AFTER_TRAFFIC, BEFORE_TRAFFIC, Checked, HookCall};
use ripcord::names::Generation;
use ripcord::pipeline::Tempo;
use ripcord::preflight::Outcome;
use ripcord::registration::{EcsService, HealthCheck, Unproven};
use ripcord::release::Release;
use ripcord::situation::ServiceRecord;
use serde_json::json;

use super::preflight::{alarms, aliases, answers, invocable, smoked, unprovisioned, versions};
use super::scene::codedeploy::{OURS, deployed, deploying, group_of_ecs, refusing_looks, specified, targets};
use super::scene::{
    Scene, alias, clock, deadline, holds, holds_in_turn, item, items_of, recorded, refusal, writes,
};
use crate::worlds::{SERVICE, at};

mod desk;

pub(super) const HERE: &str =
    "arn:aws:lambda:eu-west-1:123456789012:function:CodeDeployHook_ripcord-pre-traffic-hook";

fn work() -> Work {
    let event = json!({ "DeploymentId": OURS, "LifecycleEventHookExecutionId": "e1" });
    Work { call: HookCall::read(&event).unwrap(), here: HERE.to_owned(), until: deadline() }
}

fn hook(scene: &Scene) -> Hook {
    Hook { aws: scene.aws.clone(), clock, tempo: Tempo::REAL }
}

async fn before(scene: &Scene) -> Checked {
    pre_traffic_hook::check(&work(), &hook(scene)).await
}

async fn after(scene: &Scene) -> Checked {
    post_traffic_hook::check(&work(), &hook(scene)).await
}

/// The service before CodeDeploy's event was heard: its last release is long over, and version 1 is known good.
fn unopened() -> ServiceRecord {
    ServiceRecord { release: None, ..smoked() }
}

/// The release that the deployment from version 1 to 2 is, as `alarm-rollback` or the hook opens it.
fn opened() -> ServiceRecord {
    let mut record = unopened();
    record.release = Some(Release {
        run: None,
        traffic_at: None,
        deployment: Some(Box::new(
            serde_json::from_value(json!({ "id": OURS, "application": "checkout", "group": "live" }))
                .unwrap(),
        )),
        ..smoked().release.unwrap()
    });
    record
}

fn placed(place: &str) -> Rule {
    let pk = format!("place#{place}");
    let mapping = json!({ "service": SERVICE, "targets": unopened().registration.targets });
    holds(pk.clone(), vec![item(pk, format!("service#{SERVICE}"), &mapping)])
}

fn placed_here() -> Rule {
    placed("lambda:checkout-api:live")
}

fn deploys() -> Rule {
    deployed(OURS, deploying(1, 2, DeploymentStatus::InProgress))
}

fn found_nothing() -> Rule {
    holds(format!("findings#{SERVICE}"), Vec::new())
}

fn quiet() -> Rule {
    alarms(StateValue::Ok)
}

fn well() -> Rule {
    answers(r#"{"statusCode":200}"#, None)
}

fn kept(scene: &Scene, generation: u64, event: &str) -> HookFinding {
    let key = (format!("findings#{SERVICE}"), format!("{generation:010}#hook-{OURS}-{event}"));
    let finding: Finding = serde_json::from_str(scene.written()[&key]["doc"].as_s().unwrap()).unwrap();
    let Found::Hook(hook) = finding.found else { panic!("it is another finding") };
    hook
}

fn written(scene: &Scene) -> Release {
    let item = &scene.written()[&(format!("service#{SERVICE}"), "release".to_owned())];
    serde_json::from_str(item["doc"].as_s().unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn before_traffic_a_release_is_opened_checked_and_written_down_as_one_that_may_have_traffic() {
    let turns = vec![items_of(&unopened()), items_of(&opened()), items_of(&opened())];
    let scene = Scene::new(&[
        &deploys(),
        &placed_here(),
        &holds_in_turn(format!("service#{SERVICE}"), turns),
        &found_nothing(),
        &aliases(),
        &versions(),
        &invocable(),
        &well(),
        &unprovisioned(),
        &quiet(),
        &writes(),
    ]);
    let checked = before(&scene).await;
    assert!(checked.verdict.succeeded, "{}", checked.verdict.why);
    let release = written(&scene);
    assert_eq!((release.generation, release.traffic_at), (Generation(5), Some(clock())));
    assert_eq!(kept(&scene, 5, BEFORE_TRAFFIC).checks, checked.checks);
    insta::assert_snapshot!(scene.calls());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_its_smoke_test_is_refused_and_the_release_says_why() {
    let scene = Scene::new(&[
        &deploys(),
        &placed_here(),
        &recorded(&opened()),
        &found_nothing(),
        &aliases(),
        &versions(),
        &invocable(),
        &answers(r#"{"statusCode":500}"#, None),
        &unprovisioned(),
        &quiet(),
        &writes(),
    ]);
    let checked = before(&scene).await;
    let why = "1 of 11 checks failed: smoke: version 2 does not meet 1 of 1 expectations; /statusCode is 500, expected 200";
    assert_eq!((checked.verdict.succeeded, checked.verdict.why.as_str()), (false, why));
    let release = written(&scene);
    assert_eq!(release.traffic_at, None);
    assert_eq!(release.deployment.unwrap().failed_hook.as_deref(), Some(why));
    assert!(!kept(&scene, 5, BEFORE_TRAFFIC).succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_let_through_unchecked() {
    let rollback =
        deploying(2, 1, DeploymentStatus::InProgress).creator(DeploymentCreator::CodeDeployRollback);
    let scene = Scene::new(&[&deployed(OURS, rollback)]);
    for checked in [before(&scene).await, after(&scene).await] {
        assert!(checked.verdict.succeeded && checked.checks.is_empty(), "{checked:?}");
    }
    assert_eq!(scene.call_names(), ["codedeploy:GetDeployment"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_to_the_known_good_version_is_let_through_unchecked() {
    let back = deployed(OURS, deploying(2, 1, DeploymentStatus::InProgress));
    let scene = Scene::new(&[&back, &placed_here(), &recorded(&unopened())]);
    for checked in [before(&scene).await, after(&scene).await] {
        assert_eq!(checked.verdict.why, "version 1 is the known good one, and a way back is never vetoed");
        assert!(checked.verdict.succeeded);
    }
}

#[track_caller]
fn refused(checked: &Checked, why: &str) {
    assert!(!checked.verdict.succeeded && checked.verdict.why.contains(why), "{}", checked.verdict.why);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_registered_is_refused_with_the_command_that_mends_it() {
    let nobody = holds("place#lambda:checkout-api:live", Vec::new());
    let scene = Scene::new(&[&deploys(), &nobody]);
    refused(
        &before(&scene).await,
        "no service is registered at lambda:checkout-api:live: register it with ripcord apply",
    );
}

#[tokio::test(start_paused = true)]
async fn codedeploy_is_asked_again_and_again_what_a_deployment_is_and_not_forever() {
    let throttled = refusing_looks(OURS, 400, "ThrottlingException");
    let scene = Scene::new(&[&throttled]);
    refused(&before(&scene).await, "codedeploy:GetDeployment of d-OURS00001 failed");
    assert_eq!(scene.call_names().len(), 6);
    let denied = mock!(CodeDeploy::get_deployment)
        .sequence()
        .http_status(400, Some(refusal("ThrottlingException")))
        .times(4)
        .build();
    let scene = Scene::new(&[&denied, &deploys(), &holds("place#lambda:checkout-api:live", Vec::new())]);
    refused(&before(&scene).await, "no service is registered");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_cannot_be_read_passes_nothing() {
    let denied = mock!(DynamoDb::query)
        .sequence()
        .http_status(400, Some(refusal("AccessDeniedException")))
        .repeatedly()
        .build();
    let scene = Scene::new(&[&deploys(), &denied]);
    refused(&before(&scene).await, "dynamodb:Query of place#lambda:checkout-api:live failed");
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_once_is_answered_alike() {
    for succeeded in [true, false] {
        let found = Found::Hook(HookFinding {
            event: BEFORE_TRAFFIC.to_owned(),
            deployment: OURS.to_owned(),
            checks: Vec::new(),
            succeeded,
            why: "as before".to_owned(),
        });
        let finding = Finding::of(opened().release.as_ref().unwrap(), found, at("10:04:00"));
        let pk = format!("findings#{SERVICE}");
        let found = holds(pk.clone(), vec![item(pk, finding.found.key(), &finding)]);
        let scene = Scene::new(&[&deploys(), &placed_here(), &recorded(&opened()), &found]);
        let checked = before(&scene).await;
        assert_eq!((checked.verdict.succeeded, checked.verdict.why.as_str()), (succeeded, "as before"));
        assert!(!scene.calls().contains("lambda:Get"), "{}", scene.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_went_back_meanwhile_gets_no_traffic() {
    let mut record = opened();
    let release = record.release.as_mut().unwrap();
    release.phase = ripcord::release::Phase::Withdrawn;
    release.ended_because = Some("ada asked".to_owned());
    let scene = Scene::new(&[&deploys(), &placed_here(), &recorded(&record)]);
    refused(&before(&scene).await, "release 5 is withdrawn already: ada asked");
}

fn live() -> Rule {
    mock!(Lambda::get_alias).then_output(|| alias("2", &[], "r2"))
}

/// With traffic on version 2, as the hook after traffic finds it.
fn shifted() -> ServiceRecord {
    let mut record = opened();
    record.release.as_mut().unwrap().traffic_at = Some(at("10:01:00"));
    record
}

#[tokio::test(start_paused = true)]
async fn after_traffic_a_service_without_limits_is_checked_and_not_judged() {
    let scene = Scene::new(&[
        &deploys(),
        &placed_here(),
        &recorded(&shifted()),
        &found_nothing(),
        &live(),
        &versions(),
        &well(),
        &quiet(),
        &writes(),
    ]);
    let checked = after(&scene).await;
    assert_eq!(checked.verdict.why, "2 of 2 checks passed, 0 noted something, 0 were waived");
    assert!(checked.verdict.succeeded);
    assert!(kept(&scene, 5, AFTER_TRAFFIC).succeeded);
    assert!(!scene.calls().contains("GetMetricData"), "{}", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_measured_is_looked_at_every_minute_and_then_refused_also_where_people_are_asked() {
    for unproven in [Unproven::RollBack, Unproven::Ask] {
        let mut record = shifted();
        record.registration.limits.error_rate_max = Some(0.01);
        record.registration.release.unproven = unproven;
        let scene = Scene::new(&[
            &deploys(),
            &placed_here(),
            &recorded(&record),
            &found_nothing(),
            &live(),
            &versions(),
            &well(),
            &alarms(StateValue::InsufficientData),
            &writes(),
        ]);
        let checked = after(&scene).await;
        refused(&checked, "not measured within 5 min: ");
        assert!(written(&scene).deployment.unwrap().failed_hook.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_somebody_moves_during_the_watch_is_found_bad() {
    let mut record = shifted();
    record.registration.limits.error_rate_max = Some(0.01);
    let scene = Scene::new(&[
        &deploys(),
        &placed_here(),
        &recorded(&record),
        &found_nothing(),
        &aliases(),
        &versions(),
        &well(),
        &quiet(),
        &writes(),
    ]);
    refused(&after(&scene).await, "found bad: ");
}

/// An ECS service of this service, and a deployment to it that is in this event.
fn on_ecs(event: &str, health: Option<HealthCheck>) -> (ServiceRecord, Vec<Rule>) {
    let mut record = unopened();
    let (cluster, service) = ("shop".parse().unwrap(), "web".parse().unwrap());
    record.registration.hooks.ecs_services = vec![EcsService { cluster, service, health }];
    let spec = json!({ "version": 0.0, "Resources": [{ "web": { "Type": "AWS::ECS::Service", "Properties": {
        "TaskDefinition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7" } } }] });
    let info = deploying(1, 2, DeploymentStatus::InProgress).revision(specified(&spec.to_string()));
    let event = LifecycleEvent::builder()
        .lifecycle_event_name(event)
        .status(LifecycleEventStatus::InProgress)
        .build();
    let target =
        DeploymentTarget::builder().ecs_target(EcsTarget::builder().lifecycle_events(event).build()).build();
    let mut rules = vec![deployed(OURS, info), group_of_ecs("shop", "web"), recorded(&record)];
    rules.extend(targets(target));
    rules.extend([placed("ecs:shop/web"), quiet(), writes()]);
    (record, rules)
}

fn names(checked: &Checked) -> Vec<&str> {
    checked.checks.iter().map(|check| check.name.as_str()).collect()
}

#[tokio::test]
async fn an_ecs_service_is_asked_only_once_its_new_tasks_take_requests() {
    let nowhere = HealthCheck { url: "http://no-such-host.invalid/".to_owned(), status: 200, private: false };
    for (event, expected) in [
        ("BeforeInstall", vec!["alarms", "freeze"]),
        ("AfterInstall", vec!["alarms", "freeze"]),
        ("AfterAllowTestTraffic", vec!["alarms", "freeze", "health"]),
        ("BeforeAllowTraffic", vec!["alarms", "freeze", "health"]),
        ("AfterAllowTraffic", vec!["alarms", "health"]),
    ] {
        let (_, rules) = on_ecs(event, Some(nowhere.clone()));
        let scene = Scene::new(&rules.iter().collect::<Vec<_>>());
        let checked = if event == AFTER_TRAFFIC { after(&scene).await } else { before(&scene).await };
        assert_eq!(names(&checked), expected, "{event}: {}", checked.verdict.why);
        let asks = expected.contains(&"health");
        assert_eq!(checked.verdict.succeeded, !asks, "{event}: {}", checked.verdict.why);
        if asks {
            // The name does not resolve, and what could not be seen has not passed.
            let health = checked.checks.last().unwrap();
            assert_eq!(health.outcome, Outcome::Failed);
            assert!(
                health.detail.contains("could not be seen: GET of http://no-such-host.invalid/"),
                "{}",
                health.detail
            );
        }
        assert_eq!(kept(&scene, 0, event).succeeded, !asks);
    }
}

/// A target of ECS whose hook's event is in this state.
fn before_install(status: LifecycleEventStatus) -> BatchGetDeploymentTargetsOutput {
    let event = LifecycleEvent::builder().lifecycle_event_name("BeforeInstall").status(status).build();
    let target = EcsTarget::builder().lifecycle_events(event).build();
    BatchGetDeploymentTargetsOutput::builder()
        .deployment_targets(DeploymentTarget::builder().ecs_target(target).build())
        .build()
}

#[tokio::test(start_paused = true)]
async fn an_ecs_target_that_lags_behind_its_hook_is_asked_again_and_not_forever() {
    let lagging = || {
        mock!(CodeDeploy::batch_get_deployment_targets)
            .sequence()
            .output(|| before_install(LifecycleEventStatus::Pending))
    };
    for (looks, succeeded) in [
        (
            lagging()
                .http_status(400, Some(refusal("AccessDeniedException")))
                .output(|| before_install(LifecycleEventStatus::InProgress))
                .build(),
            true,
        ),
        (lagging().repeatedly().build(), false),
    ] {
        let (_, mut rules) = on_ecs("BeforeInstall", None);
        rules.insert(0, looks);
        let scene = Scene::new(&rules.iter().collect::<Vec<_>>());
        let checked = before(&scene).await;
        assert_eq!(checked.verdict.succeeded, succeeded, "{}", checked.verdict.why);
        let asked = scene.call_names();
        let asked = asked.iter().filter(|call| *call == "codedeploy:BatchGetDeploymentTargets").count();
        assert_eq!(asked, if succeeded { 3 } else { 6 });
        if !succeeded {
            refused(&checked, "deployment d-OURS00001 is in no lifecycle event");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_on_ecs_is_let_through_and_an_unknown_event_is_not() {
    let (_, rules) = on_ecs("Install", None);
    let scene = Scene::new(&rules.iter().collect::<Vec<_>>());
    refused(&before(&scene).await, "Install is no event that calls hooks");
}
