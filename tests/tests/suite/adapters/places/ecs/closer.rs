//! What is looked at once the ledger has said where a service would go back to.

use aws_sdk_ecr::Client as Ecr;
use aws_sdk_ecr::operation::describe_images::DescribeImagesOutput;
use aws_sdk_ecr::types::ImageDetail;
use aws_sdk_ecs::operation::describe_task_definition::DescribeTaskDefinitionOutput;
use aws_sdk_ecs::operation::describe_tasks::DescribeTasksOutput;
use aws_sdk_ecs::operation::list_tasks::ListTasksOutput;
use aws_sdk_ecs::types::{ContainerDefinition, DesiredStatus, Task, TaskDefinition, TaskDefinitionStatus};
use ripcord::aws::{Observed, observe};
use ripcord::place::ecs::Found;
use ripcord::release::{Change, Release};
use ripcord::situation::ServiceRecord;

use super::super::super::scene::recorded;
use super::*;
use crate::worlds::{SERVICE, World, canary, change};

/// A release of `api` that is a service of ECS, from the stable to the candidate.
pub(super) fn releasing(stops_stuck_tasks: bool) -> ServiceRecord {
    let mut record = World::checkout().record;
    record.registration.targets = vec![target(stops_stuck_tasks)];
    record.known_good[0].version = version(STABLE);
    let moved =
        Change { stable: version(STABLE), candidate: version(CANDIDATE), ..change("api", 1, 2, 100.0) };
    record.release = Some(Release { changes: vec![moved], ..canary() });
    record
}

pub(super) const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:v7@sha256:77";

/// The stable task definition, of one container for each image.
pub(super) fn defined(status: TaskDefinitionStatus, images: &[&str]) -> Rule {
    let containers: Vec<_> =
        images.iter().map(|image| ContainerDefinition::builder().image(*image).build()).collect();
    let definition =
        TaskDefinition::builder().status(status).set_container_definitions(Some(containers)).build();
    mock!(Ecs::describe_task_definition)
        .match_requests(|describe| describe.task_definition() == Some(STABLE))
        .then_output(move || {
            DescribeTaskDefinitionOutput::builder().task_definition(definition.clone()).build()
        })
}

pub(super) fn kept() -> Rule {
    mock!(Ecr::describe_images).then_output(|| {
        DescribeImagesOutput::builder()
            .image_details(ImageDetail::builder().image_digest("sha256:77").build())
            .build()
    })
}

/// What is found of the stable task definition by a look at a service that has come to rest on the candidate.
async fn found(rules: &[&Rule]) -> (Scene, Option<Found>) {
    let record = releasing(false);
    let (ledger, look, quiet) = (recorded(&record), described(vec![settled(CANDIDATE)]), nothing_in_flight());
    let rules: Vec<&Rule> = [&ledger, &look, &quiet].into_iter().chain(rules.iter().copied()).collect();
    let scene = Scene::new(&rules);
    let found = observed(&scene).await.definitions.pop().map(|definition| {
        assert_eq!(definition.version, version(STABLE));
        definition.found
    });
    (scene, found)
}

async fn observed(scene: &Scene) -> Seen {
    let observed = observe(&scene.aws, &SERVICE.parse().unwrap(), &[target(false)]).await;
    let Ok(Observed::Service(mut situation)) = observed else { panic!("{observed:?}") };
    seen(situation.live.remove(&"api".parse().unwrap()).unwrap()).1
}

#[tokio::test(start_paused = true)]
async fn what_a_service_would_go_back_to_is_looked_up_with_its_images() {
    let both = [IMAGE, "public.ecr.aws/nginx/nginx@sha256:00"];
    let (scene, found) = found(&[&defined(TaskDefinitionStatus::Active, &both), &kept()]).await;
    assert_eq!(found, Some(Found::Fit));
    insta::assert_snapshot!(scene.calls(), @r"
    dynamodb:Query service#checkout
    ecs:DescribeServices shop/web
    ecs:ListServiceDeployments shop/web: PENDING, IN_PROGRESS, STOP_REQUESTED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS
    ecs:DescribeTaskDefinition checkout:7
    ecr:DescribeImages 123456789012/shop/web@sha256:77
    ");
}

#[tokio::test(start_paused = true)]
async fn nothing_more_is_looked_up_while_a_deployment_is_under_way() {
    let record = releasing(false);
    let (ledger, look) = (recorded(&record), described(vec![rolling()]));
    let scene = Scene::new(&[&ledger, &look, &in_flight(ServiceDeploymentStatus::InProgress)]);
    assert_eq!(observed(&scene).await.definitions, []);
    assert_eq!(scene.call_names(), ["dynamodb:Query", "ecs:DescribeServices", "ecs:ListServiceDeployments"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_definition_that_cannot_be_served_again_is_recognised() {
    let deregistered = defined(TaskDefinitionStatus::Inactive, &[IMAGE]);
    let (scene, retired) = found(&[&deregistered]).await;
    assert_eq!(retired, Some(Found::Retired { status: "INACTIVE".to_owned() }));
    assert!(!scene.calls().contains("ecr:"), "{}", scene.calls());
    let unknown = json!({"__type": "ClientException", "message": "Unable to describe task definition."});
    let gone = mock!(Ecs::describe_task_definition)
        .sequence()
        .http_status(400, Some(unknown.to_string()))
        .repeatedly()
        .build();
    assert_eq!(found(&[&gone]).await.1, Some(Found::Missing));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_gone_is_named() {
    let active = defined(TaskDefinitionStatus::Active, &[IMAGE]);
    for error in ["ImageNotFoundException", "RepositoryNotFoundException"] {
        let gone = mock!(Ecr::describe_images)
            .sequence()
            .http_status(400, Some(refusal(error)))
            .repeatedly()
            .build();
        assert_eq!(found(&[&active, &gone]).await.1, Some(Found::ImageGone { image: IMAGE.to_owned() }));
    }
}

/// Tags may be pulled through or pushed anew, and other registries are not asked.
#[tokio::test(start_paused = true)]
async fn an_image_without_a_digest_here_is_not_asked_for() {
    let images = [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:v7",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web@sha256:77",
        "ghcr.io/shop/web@sha256:77",
        "nginx",
    ];
    let (scene, found) = found(&[&defined(TaskDefinitionStatus::Active, &images)]).await;
    assert_eq!(found, Some(Found::Fit));
    assert!(!scene.calls().contains("ecr:"), "{}", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_up_vetoes_nothing() {
    let denied = || Some(refusal("AccessDeniedException"));
    let definitions =
        mock!(Ecs::describe_task_definition).sequence().http_status(400, denied()).repeatedly().build();
    assert_eq!(found(&[&definitions]).await.1, None);
    let images = mock!(Ecr::describe_images).sequence().http_status(400, denied()).repeatedly().build();
    assert_eq!(found(&[&defined(TaskDefinitionStatus::Active, &[IMAGE]), &images]).await.1, None);
}

/// The tasks that ECS lists for a status, in pages.
pub(super) fn tasks_listed(status: DesiredStatus, pages: &[&[&str]]) -> Rule {
    let pages: Vec<Vec<String>> =
        pages.iter().map(|page| page.iter().map(|id| arn(&format!("task/shop/{id}"))).collect()).collect();
    mock!(Ecs::list_tasks)
        .match_requests(move |list| list.desired_status() == Some(&status))
        .then_compute_output(move |list| {
            let page: usize = list.next_token().map_or(0, |token| token.parse().unwrap());
            let next = (page + 1 < pages.len()).then(|| (page + 1).to_string());
            ListTasksOutput::builder().set_task_arns(Some(pages[page].clone())).set_next_token(next).build()
        })
}

/// Each task by its id: its version, its last status and its desired one.
pub(super) fn tasks_described(tasks: &'static [(&str, &str, &str, &str)]) -> Rule {
    mock!(Ecs::describe_tasks).then_compute_output(move |describe| {
        let known = tasks
            .iter()
            .filter(|(id, ..)| describe.tasks().iter().any(|task| *task == arn(&format!("task/shop/{id}"))));
        let known = known.map(|(id, version, last, desired)| {
            Task::builder()
                .task_arn(arn(&format!("task/shop/{id}")))
                .task_definition_arn(definition(version))
                .last_status(*last)
                .desired_status(*desired)
                .build()
        });
        DescribeTasksOutput::builder().set_tasks(Some(known.collect())).build()
    })
}

#[tokio::test(start_paused = true)]
async fn tasks_that_outlive_their_deployment_are_found_on_every_page() {
    let tasks: &[(&str, &str, &str, &str)] = &[
        ("own", STABLE, "RUNNING", "RUNNING"),
        ("stuck", CANDIDATE, "RUNNING", "RUNNING"),
        ("stopping", CANDIDATE, "DEACTIVATING", "STOPPED"),
        ("stopped", CANDIDATE, "STOPPED", "STOPPED"),
    ];
    let record = releasing(false);
    let scene = Scene::new(&[
        &recorded(&record),
        &described(vec![settled(STABLE)]),
        &nothing_in_flight(),
        &tasks_listed(DesiredStatus::Running, &[&["own"], &["stuck"]]),
        &tasks_listed(DesiredStatus::Stopped, &[&["stopping", "stopped"]]),
        &tasks_described(tasks),
    ]);
    let left_over = observed(&scene).await.left_over;
    let left_over: Vec<(&str, bool)> =
        left_over.iter().map(|task| (task.task.resource(), task.is_stopping)).collect();
    assert_eq!(left_over, [("task/shop/stuck", false), ("task/shop/stopping", true)]);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_cannot_be_listed_are_told_by_the_services_own_counts() {
    let record = releasing(false);
    let denied = mock!(Ecs::list_tasks)
        .sequence()
        .http_status(400, Some(refusal("AccessDeniedException")))
        .repeatedly()
        .build();
    let scene =
        Scene::new(&[&recorded(&record), &described(vec![settled(STABLE)]), &nothing_in_flight(), &denied]);
    assert_eq!(observed(&scene).await.left_over, []);
}
