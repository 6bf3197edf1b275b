//! A closer look at a service of ECS that has come to rest: at what it would go back to, or at the tasks that should be gone.
//! Nothing of this is looked at while a deployment is under way, because stopping one waits for nothing.

use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{self, DesiredStatus, TaskDefinitionStatus};
use futures_util::future::{try_join, try_join_all};
use jiff::Timestamp;
use serde_json::Value;

use super::answers;
use crate::aws::{Aws, CallFailed, console};
use crate::names::Version;
use crate::place::Wanted;
use crate::place::ecs::{Controller, Definition, Found, Life, Seen, Service, Task};

const DESCRIBE_DEFINITION: &str = "ecs:DescribeTaskDefinition";
const LIST_TASKS: &str = "ecs:ListTasks";
const DESCRIBE_TASKS: &str = "ecs:DescribeTasks";
const DESCRIBE_IMAGES: &str = "ecr:DescribeImages";
/// ECS lists a hundred tasks on a page. Of more tasks than these pages hold the service's own counts tell.
const TASK_PAGES_MAX: usize = 10;
/// ECS describes no more tasks at once.
const TASKS_DESCRIBED_MAX: usize = 100;

/// Adds to what was seen what is wanted to know before it is moved, or before it is believed to be back. What cannot be looked
/// at vetoes no way back, and is noted.
pub(in crate::aws::place) async fn look_closer(aws: &Aws, place: &Service, seen: &mut Seen, wanted: &Wanted) {
    let goal = if wanted.is_back() { wanted.stable } else { wanted.candidate };
    let serving = match (&seen.life, &seen.controller, &seen.flight, &seen.primary) {
        (Life::Active, Controller::Ecs, None, Some(primary)) => primary.version,
        // It is not moved, whatever would be found.
        (Life::Active | Life::Draining | Life::Inactive, _, _, _) => return,
    };
    let looked = if serving != goal {
        definition(aws, goal).await.map(|definition| seen.definitions.push(definition))
    } else if seen.is_settled() {
        left_over(aws, place, serving).await.map(|tasks| seen.left_over = tasks)
    } else {
        Ok(())
    };
    if let Err(failed) = looked {
        console::record("warning", &failed.to_string(), Value::Null);
    }
}

/// Whether a service can be updated to a task definition.
async fn definition(aws: &Aws, version: Version) -> Result<Definition, CallFailed> {
    let describe = aws.ecs().describe_task_definition().task_definition(version.as_str());
    let found = match describe.send().await {
        Ok(answer) => match answer.task_definition() {
            Some(definition) => fitness(aws, definition).await?,
            None => Found::Missing,
        },
        // ECS has no exception of its own for this.
        Err(error)
            if error.code() == Some("ClientException")
                && error
                    .message()
                    .is_some_and(|said| said.starts_with("Unable to describe task definition")) =>
        {
            Found::Missing
        }
        Err(error) => return Err(CallFailed::new(DESCRIBE_DEFINITION, version, &error)),
    };
    Ok(Definition { version, found })
}

async fn fitness(aws: &Aws, definition: &types::TaskDefinition) -> Result<Found, CallFailed> {
    match definition.status() {
        Some(TaskDefinitionStatus::Active) | None => {}
        Some(status) => return Ok(Found::Retired { status: status.as_str().to_owned() }),
    }
    let region = aws.ecr().config().region().map(|region| region.to_string()).unwrap_or_default();
    let images = definition.container_definitions().iter().filter_map(types::ContainerDefinition::image);
    let images = images.filter_map(Image::parse).filter(|image| image.region == region);
    let gone = try_join_all(images.map(|image| async move {
        Ok::<_, CallFailed>(is_gone(aws, &image).await?.then(|| image.name.to_owned()))
    }));
    Ok(match gone.await?.into_iter().flatten().next() {
        Some(image) => Found::ImageGone { image },
        None => Found::Fit,
    })
}

async fn is_gone(aws: &Aws, image: &Image<'_>) -> Result<bool, CallFailed> {
    let describe = aws
        .ecr()
        .describe_images()
        .registry_id(image.registry)
        .repository_name(image.repository)
        .image_ids(ImageIdentifier::builder().image_digest(image.digest).build());
    match describe.send().await {
        Ok(answer) => Ok(answer.image_details().is_empty()),
        Err(error)
            if error.as_service_error().is_some_and(|error: &DescribeImagesError| {
                error.is_image_not_found_exception() || error.is_repository_not_found_exception()
            }) =>
        {
            Ok(true)
        }
        Err(error) => Err(CallFailed::new(DESCRIBE_IMAGES, image.name, &error)),
    }
}

/// An image that is named by its digest in a private registry of ECR. A tag may be pulled through from elsewhere or pushed
/// anew, so that its absence shows nothing.
struct Image<'a> {
    name: &'a str,
    registry: &'a str,
    region: &'a str,
    repository: &'a str,
    digest: &'a str,
}

impl<'a> Image<'a> {
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY[:TAG]@sha256:HEX`.
    fn parse(name: &'a str) -> Option<Self> {
        let (path, digest) = name.split_once('@')?;
        let (host, repository) = path.split_once('/')?;
        let (registry, rest) = host.split_once(".dkr.ecr.")?;
        let (region, _) = rest.split_once(".amazonaws.com")?;
        let repository = repository.split_once(':').map_or(repository, |(repository, _)| repository);
        Some(Self { name, registry, region, repository, digest })
    }
}

/// The service's tasks of other task definitions that have not stopped.
async fn left_over(aws: &Aws, place: &Service, serving: Version) -> Result<Vec<Task>, CallFailed> {
    let (running, stopping) =
        try_join(listed(aws, place, DesiredStatus::Running), listed(aws, place, DesiredStatus::Stopped))
            .await?;
    let tasks: Vec<String> = running.into_iter().chain(stopping).collect();
    let described =
        try_join_all(tasks.chunks(TASKS_DESCRIBED_MAX).map(|tasks| described(aws, place, tasks))).await?;
    let left_over = described.iter().flatten().filter(|task| task.last_status() != Some("STOPPED"));
    let left_over = left_over.filter_map(|task| task_of(task).transpose()).collect::<Result<Vec<_>, _>>();
    let mut left_over = left_over.map_err(|error| CallFailed::new(DESCRIBE_TASKS, place, &error))?;
    left_over.retain(|task| task.version != serving);
    Ok(left_over)
}

async fn listed(aws: &Aws, place: &Service, status: DesiredStatus) -> Result<Vec<String>, CallFailed> {
    let list = aws
        .ecs()
        .list_tasks()
        .cluster(place.cluster.as_str())
        .service_name(place.service.as_str())
        .desired_status(status);
    let mut pages = list.into_paginator().send();
    let mut tasks = Vec::new();
    for _ in 0..TASK_PAGES_MAX {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| CallFailed::new(LIST_TASKS, place, &error))?;
        tasks.extend(page.task_arns.unwrap_or_default());
    }
    Ok(tasks)
}

async fn described(aws: &Aws, place: &Service, tasks: &[String]) -> Result<Vec<types::Task>, CallFailed> {
    let describe = aws
        .ecs()
        .describe_tasks()
        .cluster(place.cluster.as_str())
        .set_tasks(Some(tasks.to_vec()))
        .send()
        .await;
    let answer = describe.map_err(|error| CallFailed::new(DESCRIBE_TASKS, place, &error))?;
    Ok(answer.tasks.unwrap_or_default())
}

fn task_of(task: &types::Task) -> Result<Option<Task>, crate::names::InvalidName> {
    let (Some(arn), Some(definition)) = (task.task_arn(), task.task_definition_arn()) else {
        return Ok(None);
    };
    Ok(Some(Task {
        task: arn.parse()?,
        version: answers::version(definition)?,
        is_stopping: task.desired_status() == Some("STOPPED"),
        stopping_at: task.stopping_at().and_then(|at| Timestamp::from_nanosecond(at.as_nanos()).ok()),
    }))
}
