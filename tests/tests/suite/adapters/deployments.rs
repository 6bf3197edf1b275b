//! What is seen of deployments, whatever CodeDeploy answers, and what is done with them.

use aws_sdk_codedeploy::Client as CodeDeploy;
use aws_sdk_codedeploy::operation::list_deployment_targets::ListDeploymentTargetsOutput;
use aws_sdk_codedeploy::operation::put_lifecycle_event_hook_execution_status::PutLifecycleEventHookExecutionStatusOutput;
use aws_sdk_codedeploy::types::builders::DeploymentInfoBuilder;
use aws_sdk_codedeploy::types::{
    ComputePlatform, DeploymentCreator, DeploymentInfo, DeploymentStatus as Status, DeploymentTarget,
    ErrorCode, ErrorInformation, LambdaFunctionInfo, LambdaTarget, LifecycleEvent, LifecycleEventStatus,
    RevisionLocation, RevisionLocationType, RollbackInfo,
};
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{CallFailed, DeploymentGroup, HOOK_ANSWER_PATIENCE, HookAnswer};
use ripcord::deployment::{AppSpec, DeploymentState, DeploymentStatus, Place, Resource, SpecUnknown};
use tokio::time::Instant;

use super::scene::codedeploy::{
    OURS, deployed, deploying, group, group_of_ecs, moment, refusing_looks, shift, specified, targets,
};
use super::scene::{Scene, refusal};
use crate::worlds::at;

async fn look(rules: &[&Rule]) -> Result<Option<DeploymentState>, CallFailed> {
    Scene::new(rules).aws.deployment(&OURS.parse().unwrap()).await
}

async fn seen(info: DeploymentInfoBuilder) -> DeploymentState {
    look(&[&deployed(OURS, info)]).await.unwrap().unwrap()
}

/// A target of Lambda in its last lifecycle event.
fn lambda_target(after_traffic: LifecycleEventStatus) -> DeploymentTarget {
    let info = LambdaFunctionInfo::builder()
        .function_name("checkout-api")
        .function_alias("live")
        .current_version("1")
        .target_version("2")
        .build();
    let event =
        |name: &str, status| LifecycleEvent::builder().lifecycle_event_name(name).status(status).build();
    let lambda = LambdaTarget::builder()
        .lambda_function_info(info)
        .lifecycle_events(event("BeforeAllowTraffic", LifecycleEventStatus::Succeeded))
        .lifecycle_events(event("AfterAllowTraffic", after_traffic))
        .build();
    DeploymentTarget::builder().lambda_target(lambda).build()
}

fn stored_elsewhere() -> DeploymentInfoBuilder {
    let revision = RevisionLocation::builder().revision_type(RevisionLocationType::S3).build();
    DeploymentInfo::builder().status(Status::InProgress).revision(revision)
}

/// How a revision of Lambda used to be given, and still is by some.
#[expect(deprecated, reason = "CodeDeploy still answers with it")]
fn as_string(spec: &str) -> RevisionLocation {
    let string = aws_sdk_codedeploy::types::RawString::builder().content(spec).build();
    RevisionLocation::builder().revision_type(RevisionLocationType::String).string(string).build()
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_seen_with_what_it_shifts() {
    let expected = DeploymentState {
        id: OURS.parse().unwrap(),
        application: "checkout".to_owned(),
        group: "live".to_owned(),
        status: DeploymentStatus::InProgress,
        is_rollback: false,
        rolled_back_by: None,
        rolls_back: None,
        error: None,
        created_at: Some(at("10:00:00")),
        completed_at: None,
        spec: Ok(AppSpec { resource: Resource::Alias(shift(1, 2)), hooks: [].into() }),
    };
    assert_eq!(seen(deploying(1, 2, Status::InProgress)).await, expected);
    let revision = as_string(&AppSpec::of_shift(&shift(1, 2)));
    assert_eq!(seen(deploying(1, 2, Status::InProgress).revision(revision)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_failed_says_why_and_what_rolls_it_back() {
    let alarm = ErrorInformation::builder().code(ErrorCode::AlarmActive).message("errors").build();
    let rollback = RollbackInfo::builder().rollback_deployment_id("d-BACK00001").build();
    let failed = deploying(1, 2, Status::Failed)
        .error_information(alarm)
        .rollback_info(rollback)
        .complete_time(moment("10:04:00"));
    let state = seen(failed).await;
    assert_eq!(state.status, DeploymentStatus::Failed);
    assert_eq!(state.error.as_deref(), Some("ALARM_ACTIVE: errors"));
    assert_eq!(state.rolled_back_by, Some("d-BACK00001".parse().unwrap()));
    assert_eq!(state.completed_at, Some(at("10:04:00")));

    let triggered = RollbackInfo::builder().rollback_triggering_deployment_id("d-BAD000001").build();
    let back = deploying(2, 1, Status::InProgress)
        .creator(DeploymentCreator::CodeDeployRollback)
        .rollback_info(triggered);
    let state = seen(back).await;
    assert!(state.is_rollback);
    assert_eq!(state.rolls_back, Some("d-BAD000001".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_lies_elsewhere_is_known_by_its_target() {
    let [listed, got] = targets(lambda_target(LifecycleEventStatus::Pending));
    let scene = Scene::new(&[&deployed(OURS, stored_elsewhere()), &listed, &got]);
    let state = scene.aws.deployment(&OURS.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(state.shift(), Some(&shift(1, 2)));
    insta::assert_snapshot!(scene.calls(), @r"
    codedeploy:GetDeployment d-OURS00001
    codedeploy:ListDeploymentTargets d-OURS00001
    codedeploy:BatchGetDeploymentTargets d-OURS00001: checkout-api:live
    ");
    // Without a target of Lambda what it deploys stays unknown, and the rest is seen all the same.
    let [listed, got] = targets(DeploymentTarget::builder().build());
    let state = look(&[&deployed(OURS, stored_elsewhere()), &listed, &got]).await.unwrap().unwrap();
    assert_eq!(state.status, DeploymentStatus::InProgress);
    let why = "its AppSpec lies elsewhere, and none of its targets is a Lambda alias";
    assert_eq!(state.spec.unwrap_err(), SpecUnknown::NotUnderstood(why.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_of_a_revision_yet_is_not_taken_for_one_that_nobody_understands() {
    let throttled = || {
        mock!(CodeDeploy::list_deployment_targets)
            .sequence()
            .http_status(400, Some(refusal("ThrottlingException")))
            .repeatedly()
            .build()
    };
    let none = || {
        mock!(CodeDeploy::list_deployment_targets)
            .then_output(|| ListDeploymentTargetsOutput::builder().build())
    };
    for (status, targets, is_final) in [
        (Status::InProgress, throttled(), false),
        (Status::Failed, throttled(), false),
        (Status::InProgress, none(), false),
        (Status::Failed, none(), true),
    ] {
        let looked = deployed(OURS, stored_elsewhere().status(status.clone()));
        let unknown = look(&[&looked, &targets]).await.unwrap().unwrap().spec.unwrap_err();
        let understood = match &unknown {
            SpecUnknown::NotUnderstood(_) => true,
            SpecUnknown::NotSeen(_) => false,
        };
        assert_eq!(understood, is_final, "{status}: {unknown}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_deployment_to_instances_deploys_is_not_asked_for() {
    let state = seen(stored_elsewhere().compute_platform(ComputePlatform::Server)).await;
    assert_eq!(state.spec.unwrap().resource, Resource::Instances);
}

#[tokio::test(start_paused = true)]
async fn an_appspec_that_is_not_understood_says_so_and_hides_nothing_else() {
    let state = seen(deploying(1, 2, Status::Ready).revision(specified("Resources: [f: {Type: T}]"))).await;
    assert_eq!(state.status, DeploymentStatus::Ready);
    let why = "the AppSpec has a resource without Properties".to_owned();
    assert_eq!(state.spec.unwrap_err(), SpecUnknown::NotUnderstood(why));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_does_not_exist_is_none_and_one_that_cannot_be_seen_an_error() {
    let gone = refusing_looks(OURS, 400, "DeploymentDoesNotExistException");
    assert_eq!(look(&[&gone]).await, Ok(None));
    assert_eq!(gone.num_calls(), 1);
    let throttled = refusing_looks(OURS, 400, "ThrottlingException");
    let failed = look(&[&throttled]).await.unwrap_err();
    assert!(failed.to_string().starts_with("codedeploy:GetDeployment of d-OURS00001 failed: "), "{failed}");
    assert_eq!(throttled.num_calls(), 3);
    for (info, why) in [
        (deploying(1, 2, Status::from("Paused")), "its status is Paused, which is not known here"),
        (DeploymentInfo::builder(), "it has no status"),
    ] {
        let failed = look(&[&deployed(OURS, info)]).await.unwrap_err();
        assert_eq!(failed.to_string(), format!("codedeploy:GetDeployment of d-OURS00001 failed: {why}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_is_seen_with_its_latest_deployment_and_its_services() {
    let of = async |rule: Rule| Scene::new(&[&rule]).aws.deployment_group("checkout", "live").await;
    let latest = Some("d-LATEST001".parse().unwrap());
    assert_eq!(of(group("d-LATEST001")).await, Ok(Some(DeploymentGroup { services: Vec::new(), latest })));
    let services = vec![Place::Service { cluster: "shop".to_owned(), service: "checkout".to_owned() }];
    let expected = Ok(Some(DeploymentGroup { services, latest: None }));
    assert_eq!(of(group_of_ecs("shop", "checkout")).await, expected);
    for (error, is_gone) in [
        ("DeploymentGroupDoesNotExistException", true),
        ("ApplicationDoesNotExistException", true),
        ("AccessDeniedException", false),
    ] {
        let refused = mock!(CodeDeploy::get_deployment_group)
            .sequence()
            .http_status(400, Some(refusal(error)))
            .repeatedly()
            .build();
        assert_eq!(of(refused).await.is_ok_and(|group| group.is_none()), is_gone, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_without_a_group_is_not_asked_for_one() {
    let scene = Scene::new(&[&group(OURS)]);
    for (application, group) in [("", ""), ("checkout", ""), ("", "live")] {
        assert_eq!(scene.aws.deployment_group(application, group).await, Ok(None));
    }
    assert_eq!(scene.calls(), "");
}

#[tokio::test(start_paused = true)]
async fn the_lifecycle_event_in_progress_is_that_of_the_target() {
    let in_progress = async |status| {
        let [listed, got] = targets(lambda_target(status));
        Scene::new(&[&listed, &got]).aws.lifecycle_event_in_progress(&OURS.parse().unwrap()).await.unwrap()
    };
    assert_eq!(in_progress(LifecycleEventStatus::InProgress).await.as_deref(), Some("AfterAllowTraffic"));
    assert_eq!(in_progress(LifecycleEventStatus::Pending).await, None);
}

async fn report(rule: &Rule) -> (String, Result<HookAnswer, CallFailed>) {
    let scene = Scene::new(&[rule]);
    let answered = scene.aws.report_hook(&OURS.parse().unwrap(), "execution-1", false).await;
    (scene.calls(), answered)
}

#[tokio::test(start_paused = true)]
async fn a_hooks_answer_is_accepted_or_came_too_late() {
    let accepted = mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
        .then_output(|| PutLifecycleEventHookExecutionStatusOutput::builder().build());
    let (calls, answered) = report(&accepted).await;
    assert_eq!(answered, Ok(HookAnswer::Accepted));
    assert_eq!(calls, "codedeploy:PutLifecycleEventHookExecutionStatus d-OURS00001 execution-1 Failed");
    let late = mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
        .sequence()
        .http_status(400, Some(refusal("LifecycleEventAlreadyCompletedException")))
        .build();
    assert_eq!(report(&late).await.1, Ok(HookAnswer::AlreadyCompleted));
    for error in ["InvalidLifecycleEventHookExecutionIdException", "DeploymentDoesNotExistException"] {
        let rule = mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
            .sequence()
            .http_status(400, Some(refusal(error)))
            .build();
        let answered = report(&rule).await.1;
        assert!(
            matches!(&answered, Ok(HookAnswer::Unawaited { why }) if why.contains(error)),
            "{answered:?}"
        );
    }
    let denied = mock!(CodeDeploy::put_lifecycle_event_hook_execution_status)
        .sequence()
        .http_status(400, Some(refusal("InvalidDeploymentIdException")))
        .build();
    assert!(report(&denied).await.1.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_hooks_answer_is_tried_often_and_given_up_in_time() {
    let throttled = || mock!(CodeDeploy::put_lifecycle_event_hook_execution_status).sequence();
    let error = || Some(refusal("ThrottlingException"));
    let mut rule = throttled();
    for _ in 0..5 {
        rule = rule.http_status(400, error());
    }
    let rule = rule.output(|| PutLifecycleEventHookExecutionStatusOutput::builder().build()).build();
    assert_eq!(report(&rule).await.1, Ok(HookAnswer::Accepted));

    let started = Instant::now();
    let rule = throttled().http_status(400, error()).repeatedly().build();
    let failed = report(&rule).await.1.unwrap_err();
    assert_eq!(failed.call, "codedeploy:PutLifecycleEventHookExecutionStatus");
    assert_eq!(rule.num_calls(), 6);
    assert!(started.elapsed() <= HOOK_ANSWER_PATIENCE, "{:?}", started.elapsed());
}
