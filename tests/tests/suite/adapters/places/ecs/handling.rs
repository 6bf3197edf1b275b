//! `alarm-rollback` and `alias-weight-shifter` on a service of ECS, from the event to the answer.

use aws_sdk_ecs::operation::stop_task::StopTaskOutput;
use aws_sdk_ecs::types::{DesiredStatus, TaskDefinitionStatus};
use ripcord::situation::ServiceRecord;

use super::super::super::handling::{alarm_event, answered, outcomes};
use super::super::super::scene::{guarding, logs, publishes, recorded, writes};
use super::closer::{IMAGE, defined, kept, releasing, tasks_described, tasks_listed};
use super::*;

/// What the rollback of a release calls and answers, where ECS is what the rules say.
async fn rolled_back(record: &ServiceRecord, ecs: &[&Rule]) -> (Scene, Vec<String>) {
    let (guarding, recorded, writes, publishes, logs) =
        (guarding(record), recorded(record), writes(), publishes(), logs());
    let suite = [&guarding, &recorded, &writes, &publishes, &logs];
    let rules: Vec<&Rule> = suite.into_iter().chain(ecs.iter().copied()).collect();
    let scene = Scene::new(&rules);
    let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
    (scene, outcomes(answers))
}

fn only(names: Vec<String>, services: &[&str]) -> Vec<String> {
    names.into_iter().filter(|name| services.iter().any(|service| name.starts_with(service))).collect()
}

fn no_tasks_left() -> [Rule; 3] {
    [
        tasks_listed(DesiredStatus::Running, &[&[]]),
        tasks_listed(DesiredStatus::Stopped, &[&[]]),
        tasks_described(&[]),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_deployment_under_way_is_stopped_after_two_round_trips() {
    let looks = described(vec![rolling(), rolling(), settled(STABLE)]);
    let flights = listed(vec![
        vec![brief("d8", ServiceDeploymentStatus::InProgress, BEGAN)],
        vec![brief("d8", ServiceDeploymentStatus::RollbackInProgress, BEGAN)],
        Vec::new(),
    ]);
    let [running, stopping, tasks] = no_tasks_left();
    let (scene, outcomes) =
        rolled_back(&releasing(false), &[&looks, &flights, &stops(), &running, &stopping, &tasks]).await;
    assert_eq!(outcomes, ["restore: alarm_during_release"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    ecs:DescribeServices shop/web
    ecs:ListServiceDeployments shop/web: PENDING, IN_PROGRESS, STOP_REQUESTED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005
    ecs:StopServiceDeployment arn:aws:ecs:eu-west-1:123456789012:service-deployment/shop/web/d8 ROLLBACK
    ecs:DescribeServices shop/web
    ecs:ListServiceDeployments shop/web: PENDING, IN_PROGRESS, STOP_REQUESTED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS
    ecs:DescribeServices shop/web
    ecs:ListServiceDeployments shop/web: PENDING, IN_PROGRESS, STOP_REQUESTED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS
    ecs:ListTasks shop/web RUNNING
    ecs:ListTasks shop/web STOPPED
    dynamodb:TransactWriteItems service#checkout/release if seq = 13, history#checkout/0000000005, service#checkout/rollback#0000000005#api, evidence#checkout/0000000005#rollback
    sns:Publish warning "checkout was rolled back (release 5)"
    dynamodb:TransactWriteItems service#checkout/release if seq = 14, history#checkout/0000000005
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_completed_release_is_claimed_before_its_service_is_updated() {
    let looks = described(vec![settled(CANDIDATE), settled(STABLE)]);
    let [running, stopping, tasks] = no_tasks_left();
    let stable = defined(TaskDefinitionStatus::Active, &[IMAGE]);
    let ecs = [&looks, &nothing_in_flight(), &stable, &kept(), &updates(), &running, &stopping, &tasks];
    let (scene, outcomes) = rolled_back(&releasing(false), &ecs).await;
    assert_eq!(outcomes, ["restore: alarm_during_release"]);
    insta::assert_snapshot!(scene.calls(), @r#"
    dynamodb:Query alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors
    dynamodb:Query service#checkout
    ecs:DescribeServices shop/web
    ecs:ListServiceDeployments shop/web: PENDING, IN_PROGRESS, STOP_REQUESTED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS
    ecs:DescribeTaskDefinition checkout:7
    ecr:DescribeImages 123456789012/shop/web@sha256:77
    dynamodb:TransactWriteItems service#checkout/release if seq = 12, history#checkout/0000000005
    ecs:UpdateService shop/web to checkout:7, forced Some(true)
    ecs:DescribeServices shop/web
    ecs:ListServiceDeployments shop/web: PENDING, IN_PROGRESS, STOP_REQUESTED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS
    ecs:ListTasks shop/web RUNNING
    ecs:ListTasks shop/web STOPPED
    dynamodb:TransactWriteItems service#checkout/release if seq = 13, history#checkout/0000000005, service#checkout/rollback#0000000005#api, evidence#checkout/0000000005#rollback
    sns:Publish warning "checkout was rolled back (release 5)"
    dynamodb:TransactWriteItems service#checkout/release if seq = 14, history#checkout/0000000005
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_goes_back_by_itself_is_watched_and_not_touched() {
    let looks = described(vec![rolling(), settled(STABLE)]);
    let flights =
        listed(vec![vec![brief("d8", ServiceDeploymentStatus::RollbackInProgress, BEGAN)], Vec::new()]);
    let [running, stopping, tasks] = no_tasks_left();
    let (scene, _) = rolled_back(&releasing(false), &[&looks, &flights, &running, &stopping, &tasks]).await;
    let names = only(scene.call_names(), &["ecs:Stop", "ecs:Update"]);
    assert_eq!(names, Vec::<String>::new());
    assert!(scene.calls().contains("sns:Publish"), "{}", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn stuck_tasks_are_stopped_once_the_stable_has_its_own() {
    let looks = described(vec![settled(STABLE)]);
    let running = tasks_listed(DesiredStatus::Running, &[&["stuck"]]);
    let stopping = tasks_listed(DesiredStatus::Stopped, &[&[]]);
    let stuck = mock!(Ecs::describe_tasks)
        .sequence()
        .output(|| {
            let task = aws_sdk_ecs::types::Task::builder()
                .task_arn(arn("task/shop/stuck"))
                .task_definition_arn(definition(CANDIDATE))
                .last_status("RUNNING")
                .desired_status("RUNNING")
                .build();
            aws_sdk_ecs::operation::describe_tasks::DescribeTasksOutput::builder().tasks(task).build()
        })
        .output(|| aws_sdk_ecs::operation::describe_tasks::DescribeTasksOutput::builder().build())
        .repeatedly()
        .build();
    let stops = mock!(Ecs::stop_task).then_output(|| StopTaskOutput::builder().build());
    let ecs = [&looks, &nothing_in_flight(), &running, &stopping, &stuck, &stops];
    let (scene, _) = rolled_back(&releasing(true), &ecs).await;
    let names = only(scene.call_names(), &["ecs:Stop", "ecs:Update"]);
    assert_eq!(names, ["ecs:StopTask"]);
}

/// Each state that allows no way back: nothing is moved, and a person is paged with its name.
#[tokio::test(start_paused = true)]
async fn where_there_is_no_way_back_a_person_is_paged_and_nothing_is_moved() {
    let quiet = nothing_in_flight();
    let on_candidate = described(vec![settled(CANDIDATE)]);
    let draining = described(vec![at_rest(CANDIDATE).status("DRAINING").build()]);
    let deployed = {
        let controller =
            DeploymentController::builder().r#type(DeploymentControllerType::CodeDeploy).build().unwrap();
        described(vec![at_rest(CANDIDATE).deployment_controller(controller).build()])
    };
    let gone_image = mock!(aws_sdk_ecr::Client::describe_images)
        .sequence()
        .http_status(400, Some(refusal("ImageNotFoundException")))
        .repeatedly()
        .build();
    let inactive = defined(TaskDefinitionStatus::Inactive, &[]);
    let active = defined(TaskDefinitionStatus::Active, &[IMAGE]);
    let (other, kept) = (described(vec![settled("checkout:9")]), kept());
    let cases: [(&str, Vec<&Rule>); 5] = [
        ("INACTIVE and cannot be served", vec![&on_candidate, &inactive]),
        ("is no longer in its registry", vec![&on_candidate, &active, &gone_image]),
        ("DRAINING", vec![&draining]),
        ("CODE_DEPLOY", vec![&deployed]),
        ("checkout:9", vec![&other, &active, &kept]),
    ];
    for (part, ecs) in cases {
        let ecs: Vec<&Rule> = ecs.into_iter().chain([&quiet]).collect();
        let record = releasing(false);
        let (guarding, recorded, writes, publishes) =
            (guarding(&record), recorded(&record), writes(), publishes());
        let rules: Vec<&Rule> = [&guarding, &recorded, &writes, &publishes].into_iter().chain(ecs).collect();
        let scene = Scene::new(&rules);
        let answers = answered(&scene, &alarm_event("ALARM", "10:04:00")).await;
        let names = only(scene.call_names(), &["ecs:Stop", "ecs:Update"]);
        assert_eq!(names, Vec::<String>::new(), "{part}");
        let (_, attributes, message) = scene.published().remove(0);
        assert_eq!(attributes["severity"], "page", "{part}");
        assert!(message.to_string().contains(part), "{part}: {message}");
        assert!(answers.is_err(), "{part}: {answers:?}");
    }
}
