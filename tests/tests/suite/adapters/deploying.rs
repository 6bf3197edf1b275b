//! `alarm-rollback` and what CodeDeploy moves: its events, the way back by it, and waiting for it.

use aws_sdk_codedeploy::Client as CodeDeploy;
use aws_sdk_codedeploy::types::builders::DeploymentInfoBuilder;
use aws_sdk_codedeploy::types::{
    DeploymentStatus as Status, ErrorCode, ErrorInformation, RevisionLocation, RevisionLocationType,
    RollbackInfo,
};
use aws_smithy_mocks::{Rule, mock};
use ripcord::deployment::Deployment;
use ripcord::error_type::ErrorType;
use ripcord::release::{Phase, Release};
use ripcord::situation::ServiceRecord;
use serde_json::{Value, json};

use super::handling::{alarm_event, always, answered, outcomes};
use super::scene::codedeploy::{
    OURS, creates, deployed, deployed_in_turn, deploying, group, group_of_ecs, refusing_looks, specified,
    stops,
};
use super::scene::{
    Scene, alias, guarding, holds, holds_in_turn, item, items_of, logs, publishes, recorded, refusal,
    seen_in_turn, updates, writes,
};
use crate::worlds::{SERVICE, World, at, canary, ended};

const BACK: &str = "d-BACK00001";
const ALIAS_PLACE: &str = "place#lambda:checkout-api:live";

/// EventBridge says what became of a deployment.
fn state_change(id: &str, state: &str) -> Value {
    json!({
        "detail-type": "CodeDeploy Deployment State-change Notification",
        "source": "aws.codedeploy",
        "time": "2026-03-02T10:04:30Z",
        "detail": {
            "application": "checkout",
            "deploymentGroup": "live",
            "deploymentId": id,
            "state": state,
        },
    })
}

/// A release that CodeDeploy moves.
pub(super) fn moved_by_codedeploy(release: Release) -> ServiceRecord {
    let deployment = Deployment {
        id: OURS.parse().unwrap(),
        application: "checkout".to_owned(),
        group: "live".to_owned(),
        failed_hook: None,
        measured_bad: false,
        pulled: None,
        reversal_until: None,
    };
    World::checkout().released(Release { deployment: Some(Box::new(deployment)), ..release }).record
}

fn running() -> ServiceRecord {
    moved_by_codedeploy(canary())
}

fn complete() -> ServiceRecord {
    moved_by_codedeploy(ended(Phase::Complete, "10:03:00", "it succeeded"))
}

/// The place of the service's alias leads to it.
fn placed(place: &str, record: &ServiceRecord) -> Rule {
    let mapping = json!({ "service": SERVICE, "targets": record.registration.targets });
    holds(place, vec![item(place, format!("service#{SERVICE}"), &mapping)])
}

fn failed() -> DeploymentInfoBuilder {
    let alarm = ErrorInformation::builder().code(ErrorCode::AlarmActive).message("errors").build();
    deploying(1, 2, Status::Failed).error_information(alarm)
}

fn calls_of_codedeploy(scene: &Scene) -> Vec<String> {
    scene.call_names().into_iter().filter(|call| call.starts_with("codedeploy:")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_running_deployment_is_stopped_one_round_trip_after_the_ledger_and_waited_for() {
    let record = running();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &deployed_in_turn(OURS, vec![deploying(1, 2, Status::InProgress), deploying(1, 2, Status::Stopped)]),
        &group(OURS),
        &stops(),
        &seen_in_turn(vec![
            alias("1", &[("2", 0.1)], "r1"),
            alias("1", &[("2", 0.1)], "r1"),
            alias("1", &[], "r2"),
        ]),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["restore: alarm_during_release"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    codedeploy:GetDeployment d-OURS00001
    codedeploy:GetDeploymentGroup checkout/live
    codedeploy:StopDeployment d-OURS00001, rollback Some(true)
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005
    lambda:GetAlias checkout-api:live
    lambda:GetAlias checkout-api:live
    codedeploy:GetDeployment d-OURS00001
    dynamodb:TransactWriteItems service#checkout/release if seq = 13, history#checkout/0000000005, service#checkout/rollback#0000000005#api, evidence#checkout/0000000005#rollback
    sns:Publish warning "checkout was rolled back (release 5)"
    dynamodb:TransactWriteItems service#checkout/release if seq = 14, history#checkout/0000000005
    logs:FilterLogEvents /aws/lambda/checkout-api
    dynamodb:TransactWriteItems logs#checkout/0000000005#checkout-api
    "#);
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_codedeploy_has_not_put_back_in_time_is_looked_at_again_by_a_retry() {
    let record = running();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &deployed(OURS, deploying(1, 2, Status::InProgress)),
        &group(OURS),
        &stops(),
        &always(|| alias("1", &[("2", 0.1)], "r1")),
        &writes(),
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackUnderWay);
    assert!(
        failure.message.contains("checkout-api:live still serves 1 on 90%, 2 on 10%, not 1 on 100%"),
        "{failure}"
    );
    // Once before deciding; then every half second until five seconds before the deadline, which is 30 s away.
    assert_eq!(scene.call_names().iter().filter(|call| *call == "lambda:GetAlias").count(), 1 + 51);
    let release = &scene.written()[&(format!("service#{SERVICE}"), "release".to_owned())];
    assert_eq!(release["phase"].as_s().unwrap(), "shifting", "the books close when traffic is back");
    assert!(scene.published().is_empty(), "nobody is paged while CodeDeploy is at it");
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_cannot_be_seen_while_it_is_waited_for_is_the_loudest_outcome() {
    let record = running();
    let looks = mock!(aws_sdk_lambda::Client::get_alias)
        .sequence()
        .output(|| alias("1", &[("2", 0.1)], "r1"))
        .http_status(403, Some(refusal("AccessDeniedException")))
        .repeatedly()
        .build();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &deployed(OURS, deploying(1, 2, Status::InProgress)),
        &group(OURS),
        &stops(),
        &looks,
        &writes(),
        &publishes(),
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert_eq!(scene.published()[0].1["severity"], "page");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_ends_before_it_is_stopped_is_looked_at_again() {
    let record = running();
    let ended_by_now = mock!(CodeDeploy::stop_deployment)
        .sequence()
        .http_status(400, Some(refusal("DeploymentAlreadyCompletedException")))
        .build();
    let rollback = RollbackInfo::builder().rollback_deployment_id(BACK).build();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &deployed_in_turn(OURS, vec![deploying(1, 2, Status::InProgress), failed().rollback_info(rollback)]),
        &deployed(BACK, deploying(2, 1, Status::Succeeded)),
        &group(BACK),
        &ended_by_now,
        &seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1"), alias("1", &[], "r2"), alias("1", &[], "r2")]),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["settle: alarm_during_release"]);
    assert!(!scene.call_names().contains(&"lambda:UpdateAlias".to_owned()), "{}", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn a_finished_deployment_is_reversed_past_its_alarms_and_without_hooks() {
    let record = complete();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &deployed(OURS, deploying(1, 2, Status::Succeeded)),
        &group(OURS),
        &creates(),
        &seen_in_turn(vec![alias("2", &[], "r1"), alias("1", &[], "r2")]),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["restore: alarm_after_release"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    codedeploy:GetDeployment d-OURS00001
    codedeploy:GetDeploymentGroup checkout/live
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005
    codedeploy:CreateDeployment checkout/live CodeDeployDefault.LambdaAllAtOnce
      {"version":"0.0","Resources":[{"target":{"Type":"AWS::Lambda::Function","Properties":{"Name":"checkout-api","Alias":"live","CurrentVersion":"2","TargetVersion":"1"}}}]}
      alarms Some(false), rollback Some(false)
      "Ripcord: alarm errors fired 1 min 0 s after release 5 completed, inside its window of 24 h: 3 of 3 d"
    lambda:GetAlias checkout-api:live
    dynamodb:TransactWriteItems service#checkout/release if seq = 13, history#checkout/0000000005, service#checkout/rollback#0000000005#api, evidence#checkout/0000000005#rollback
    sns:Publish warning "checkout was rolled back (release 5)"
    dynamodb:TransactWriteItems service#checkout/release if seq = 14, history#checkout/0000000005
    logs:FilterLogEvents /aws/lambda/checkout-api
    dynamodb:TransactWriteItems logs#checkout/0000000005#checkout-api
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_reversal_that_is_refused_is_the_loudest_outcome_and_is_booked_over_its_claim() {
    let record = complete();
    let mut claimed = record.clone();
    claimed.release.as_mut().unwrap().seq += 1;
    let refused = mock!(CodeDeploy::create_deployment)
        .sequence()
        .http_status(400, Some(refusal("InvalidRoleException")))
        .build();
    let scene = Scene::new(&[
        &guarding(&record),
        &holds_in_turn(format!("service#{SERVICE}"), vec![items_of(&record), items_of(&claimed)]),
        &deployed(OURS, deploying(1, 2, Status::Succeeded)),
        &group(OURS),
        &refused,
        &always(|| alias("2", &[], "r1")),
        &writes(),
        &publishes(),
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert!(failure.message.contains("codedeploy:CreateDeployment of checkout/live failed"), "{failure}");
    let calls = scene.calls();
    let last = calls.lines().rfind(|call| call.contains("/release if seq")).unwrap();
    let over = format!("/release if seq = {}", claimed.release.unwrap().seq);
    assert!(last.contains(&over), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_reversal_that_another_deployment_forestalls_is_decided_again() {
    let record = complete();
    let busy = mock!(CodeDeploy::create_deployment)
        .sequence()
        .http_status(400, Some(refusal("DeploymentLimitExceededException")))
        .build();
    let group_in_turn = {
        use aws_sdk_codedeploy::operation::get_deployment_group::GetDeploymentGroupOutput;
        use aws_sdk_codedeploy::types::{DeploymentGroupInfo, LastDeploymentInfo};
        let latest = |id: &str| {
            let latest = LastDeploymentInfo::builder().deployment_id(id).build();
            let info = DeploymentGroupInfo::builder().last_attempted_deployment(latest).build();
            GetDeploymentGroupOutput::builder().deployment_group_info(info).build()
        };
        let (before, after) = (latest(OURS), latest(BACK));
        mock!(CodeDeploy::get_deployment_group)
            .sequence()
            .output(move || before.clone())
            .output(move || after.clone())
            .build()
    };
    let mut claimed = record.clone();
    claimed.release.as_mut().unwrap().seq += 1;
    let scene = Scene::new(&[
        &guarding(&record),
        &holds_in_turn(format!("service#{SERVICE}"), vec![items_of(&record), items_of(&claimed)]),
        &deployed(OURS, deploying(1, 2, Status::Succeeded)),
        &deployed(
            BACK,
            deploying(2, 1, Status::InProgress).create_time(super::scene::codedeploy::moment("10:04:50")),
        ),
        &group_in_turn,
        &busy,
        &seen_in_turn(vec![
            alias("2", &[], "r1"),
            alias("2", &[], "r1"),
            alias("2", &[], "r1"),
            alias("1", &[], "r2"),
        ]),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    assert_eq!(outcomes(answers), ["restore: alarm_after_release"]);
    assert_eq!(
        calls_of_codedeploy(&scene).iter().filter(|call| call.ends_with(":CreateDeployment")).count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn what_codedeploy_moves_and_does_not_show_is_left_alone_and_said_loudly() {
    let record = running();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &refusing_looks(OURS, 400, "AccessDeniedException"),
        &group(OURS),
        &always(|| alias("1", &[("2", 0.1)], "r1")),
        &writes(),
        &publishes(),
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert!(failure.message.contains("deployment d-OURS00001 could not be observed"), "{failure}");
    assert_eq!(scene.published()[0].1["severity"], "page");
    assert!(!scene.call_names().iter().any(|call| call == "lambda:UpdateAlias"), "{}", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_is_deleted_while_it_is_waited_for_is_decided_about_anew() {
    let record = running();
    let looks = mock!(aws_sdk_lambda::Client::get_alias)
        .sequence()
        .output(|| alias("1", &[("2", 0.1)], "r1"))
        .http_status(404, Some(refusal("ResourceNotFoundException")))
        .repeatedly()
        .build();
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &deployed(OURS, deploying(1, 2, Status::InProgress)),
        &group(OURS),
        &stops(),
        &looks,
        &writes(),
        &publishes(),
    ]);
    let failure = answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::RollbackFailed);
    assert!(failure.message.contains("does not exist"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn codedeploy_is_not_asked_where_it_moves_nothing() {
    let record = World::checkout().released(canary()).record;
    let scene = Scene::new(&[
        &guarding(&record),
        &recorded(&record),
        &seen_in_turn(vec![alias("1", &[("2", 0.1)], "r1"), alias("1", &[], "r2")]),
        &updates(),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    answered(&scene, &alarm_event("ALARM", "10:04:00")).await.unwrap();
    assert_eq!(calls_of_codedeploy(&scene), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_start_of_a_deployment_opens_a_release() {
    let record = World::checkout().record;
    let mut opened = moved_by_codedeploy(Release { opened_at: at("10:00:00"), ..canary() });
    opened.release.as_mut().unwrap().seq = 1;
    let scene = Scene::new(&[
        &placed(ALIAS_PLACE, &record),
        &holds_in_turn(format!("service#{SERVICE}"), vec![items_of(&record), items_of(&opened)]),
        &deployed(OURS, deploying(1, 2, Status::InProgress)),
        &group(OURS),
        &always(|| alias("1", &[], "r1")),
        &writes(),
    ]);
    let answers = answered(&scene, &state_change(OURS, "START")).await;
    assert_eq!(outcomes(answers), ["settle: deployment_opened"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    codedeploy:GetDeployment d-OURS00001
    dynamodb:Query place#lambda:checkout-api:live
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    codedeploy:GetDeployment d-OURS00001
    dynamodb:TransactWriteItems service#checkout/release if attribute_not_exists(pk), history#checkout/0000000001
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    codedeploy:GetDeployment d-OURS00001
    codedeploy:GetDeploymentGroup checkout/live
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_was_over_when_its_start_was_heard_of_is_opened_and_completed() {
    let record = World::checkout().record;
    let mut opened = moved_by_codedeploy(canary());
    opened.release.as_mut().unwrap().seq = 1;
    let mut completed = complete();
    completed.release.as_mut().unwrap().seq = 2;
    let turns = vec![items_of(&record), items_of(&opened), items_of(&completed)];
    let scene = Scene::new(&[
        &placed(ALIAS_PLACE, &record),
        &holds_in_turn(format!("service#{SERVICE}"), turns),
        &deployed(OURS, deploying(1, 2, Status::Succeeded)),
        &group(OURS),
        &always(|| alias("2", &[], "r1")),
        &writes(),
        &publishes(),
    ]);
    let answers = answered(&scene, &state_change(OURS, "START")).await;
    assert_eq!(outcomes(answers), ["settle: deployment_opened", "settle: deployment_succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_codedeploy_gave_up_is_settled_once_its_way_back_has_arrived() {
    let record = running();
    let mut back = record.clone();
    back.release = Some(Release {
        deployment: record.release.as_ref().unwrap().deployment.clone(),
        ..ended(Phase::RolledBack, "10:05:00", "it failed")
    });
    let rollback = RollbackInfo::builder().rollback_deployment_id(BACK).build();
    let scene = Scene::new(&[
        &placed(ALIAS_PLACE, &record),
        &holds_in_turn(format!("service#{SERVICE}"), vec![items_of(&record), items_of(&back)]),
        &deployed(OURS, failed().rollback_info(rollback)),
        &deployed(BACK, deploying(2, 1, Status::InProgress)),
        &group(BACK),
        &seen_in_turn(vec![
            alias("1", &[("2", 0.1)], "r1"),
            alias("1", &[("2", 0.1)], "r1"),
            alias("1", &[], "r2"),
            alias("1", &[], "r2"),
        ]),
        &writes(),
        &publishes(),
        &logs(),
    ]);
    let answers = answered(&scene, &state_change(OURS, "FAILURE")).await;
    assert_eq!(outcomes(answers), ["restore: deployment_ended"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    codedeploy:GetDeployment d-OURS00001
    dynamodb:Query place#lambda:checkout-api:live
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    codedeploy:GetDeployment d-OURS00001
    codedeploy:GetDeploymentGroup checkout/live
    codedeploy:GetDeployment d-BACK00001
    lambda:GetAlias checkout-api:live
    lambda:GetAlias checkout-api:live
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005, service#checkout/rollback#0000000005#api, evidence#checkout/0000000005#rollback
    sns:Publish warning "checkout was rolled back (release 5)"
    dynamodb:TransactWriteItems service#checkout/release if seq = 13, history#checkout/0000000005
    logs:FilterLogEvents /aws/lambda/checkout-api
    dynamodb:TransactWriteItems logs#checkout/0000000005#checkout-api
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    codedeploy:GetDeployment d-OURS00001
    codedeploy:GetDeploymentGroup checkout/live
    codedeploy:GetDeployment d-BACK00001
    "#);
}

#[tokio::test(start_paused = true)]
async fn what_a_deployment_cannot_be_seen_to_be_is_an_error_and_nothing_is_done() {
    let throttled = refusing_looks(OURS, 400, "ThrottlingException");
    let scene = Scene::new(&[&throttled]);
    let failure = answered(&scene, &state_change(OURS, "FAILURE")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::DeploymentUnreadable);
    assert_eq!(scene.calls(), format!("codedeploy:GetDeployment {OURS}"));

    let elsewhere = RevisionLocation::builder().revision_type(RevisionLocationType::S3).build();
    let elsewhere = deploying(1, 2, Status::InProgress).revision(elsewhere);
    let denied = mock!(CodeDeploy::list_deployment_targets)
        .sequence()
        .http_status(400, Some(refusal("AccessDeniedException")))
        .build();
    let scene = Scene::new(&[&deployed(OURS, elsewhere), &denied, &group(OURS)]);
    let failure = answered(&scene, &state_change(OURS, "START")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::DeploymentUnreadable);
    assert!(failure.message.contains("codedeploy:ListDeploymentTargets"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_nobody_understands_is_nobodys_and_pages_nobody() {
    let unclear = deploying(1, 2, Status::Failed).revision(specified("neither: nor"));
    let scene = Scene::new(&[&deployed(OURS, unclear.clone()), &group(OURS)]);
    let answers = answered(&scene, &state_change(OURS, "FAILURE")).await;
    let expected = "foreign: deployment d-OURS00001 is not understood: the AppSpec has no list of Resources";
    assert_eq!(outcomes(answers), [expected]);

    // Whether it belongs to a service is not known where the group cannot be seen.
    let throttled = mock!(CodeDeploy::get_deployment_group)
        .sequence()
        .http_status(400, Some(refusal("ThrottlingException")))
        .repeatedly()
        .build();
    let scene = Scene::new(&[&deployed(OURS, unclear), &throttled]);
    let failure = answered(&scene, &state_change(OURS, "FAILURE")).await.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::DeploymentUnreadable);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_nobodys_is_answered_by_name() {
    use aws_sdk_codedeploy::types::ComputePlatform;
    let gone = refusing_looks(OURS, 400, "DeploymentDoesNotExistException");
    let instances =
        deployed(OURS, deploying(1, 2, Status::InProgress).compute_platform(ComputePlatform::Server));
    let elsewhere = deployed(OURS, deploying(1, 2, Status::InProgress));
    for (rules, expected) in [
        (vec![&gone], "foreign: CodeDeploy knows of no deployment d-OURS00001"),
        (vec![&instances], "foreign: deployment d-OURS00001 deploys to no alias and to no service of ECS"),
        (
            vec![&elsewhere, &holds(ALIAS_PLACE, Vec::new())],
            "unregistered: deployment d-OURS00001 deploys to lambda:checkout-api:live, where no service is registered",
        ),
    ] {
        let answers = answered(&Scene::new(&rules), &state_change(OURS, "START")).await;
        assert_eq!(outcomes(answers), [expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_of_ecs_is_found_by_its_deployment_group() {
    let record = World::checkout().record;
    let spec = json!({ "Resources": [{ "TargetService": {
        "Type": "AWS::ECS::Service",
        "Properties": { "TaskDefinition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/checkout:7" },
    }}]});
    let scene = Scene::new(&[
        &deployed(OURS, failed().revision(specified(&spec.to_string()))),
        &group_of_ecs("shop", "checkout"),
        &placed("place#ecs:shop/checkout", &record),
        &recorded(&record),
        &always(|| alias("1", &[], "r1")),
        &writes(),
        &publishes(),
    ]);
    let answers = answered(&scene, &state_change(OURS, "FAILURE")).await;
    assert_eq!(outcomes(answers), ["stand_down: silent_rollback"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    codedeploy:GetDeployment d-OURS00001
    codedeploy:GetDeploymentGroup checkout/live
    dynamodb:Query place#ecs:shop/checkout
    dynamodb:Query service#checkout
    lambda:GetAlias checkout-api:live
    codedeploy:GetDeployment d-OURS00001
    dynamodb:TransactWriteItems service#checkout/heard#d-OURS00001 failed if attribute_not_exists(pk) OR lease_until <= 1772445900000
    sns:Publish warning "checkout: a rollback by CodeDeploy (d-OURS00001)"
    dynamodb:TransactWriteItems service#checkout/heard#d-OURS00001 failed
    "#);
}
