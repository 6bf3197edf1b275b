//! Services of ECS: what is asked of ECS, what its answers are taken for, and what is sent.

use aws_sdk_ecs::Client as Ecs;
use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
use aws_sdk_ecs::operation::list_service_deployments::ListServiceDeploymentsOutput;
use aws_sdk_ecs::operation::stop_service_deployment::StopServiceDeploymentOutput;
use aws_sdk_ecs::operation::update_service::UpdateServiceOutput;
use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::builders::ServiceBuilder;
use aws_sdk_ecs::types::{
    Deployment, DeploymentConfiguration, DeploymentController, DeploymentControllerType,
    DeploymentRolloutState, DeploymentStrategy, Service, ServiceDeploymentBrief, ServiceDeploymentStatus,
    TaskSet,
};
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Interruption, take};
use ripcord::names::Version;
use ripcord::place::ecs::{Controller, Flight, Heading, Life, Manner, RolloutState, Seen};
use ripcord::place::{Live, Place, Seen as PlaceSeen};
use ripcord::plan::{Step, Turn};
use ripcord::registration::{Reach, Target};
use ripcord::situation::Sighting;
use serde_json::json;

use super::super::scene::{Scene, clock, refusal};

mod closer;
mod handling;
mod moving;

const CLUSTER: &str = "shop";
const STABLE: &str = "checkout:7";
const CANDIDATE: &str = "checkout:8";
/// When the deployment of the candidate began, in seconds of an age.
const BEGAN: i64 = 1_772_445_600;

fn version(name: &str) -> Version {
    name.parse().unwrap()
}

fn arn(resource: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:{resource}")
}

fn definition(version: &str) -> String {
    arn(&format!("task-definition/{version}"))
}

fn deployment_arn(id: &str) -> String {
    arn(&format!("service-deployment/shop/web/{id}"))
}

fn target(stops_stuck_tasks: bool) -> Target {
    let place = json!({"kind": "ecs_service", "cluster": CLUSTER, "service": "web", "stop_stuck_tasks": stops_stuck_tasks});
    Target {
        name: "api".parse().unwrap(),
        turn: 0,
        reach: Reach::default(),
        place: serde_json::from_value::<Place>(place).unwrap(),
    }
}

/// One of a service's deployments, three tasks wanted.
fn rollout(status: &str, version: &str, state: DeploymentRolloutState, running: i32) -> Deployment {
    Deployment::builder()
        .status(status)
        .task_definition(definition(version))
        .rollout_state(state)
        .rollout_state_reason("ECS deployment ecs-svc/1 in progress.")
        .desired_count(3)
        .running_count(running)
        .created_at(DateTime::from_secs(BEGAN))
        .build()
}

fn service(deployments: Vec<Deployment>) -> ServiceBuilder {
    Service::builder()
        .status("ACTIVE")
        .desired_count(3)
        .current_service_deployment(deployment_arn("d8"))
        .set_deployments(Some(deployments))
}

/// All tasks are of one version.
fn settled(version: &str) -> Service {
    at_rest(version).build()
}

fn at_rest(version: &str) -> ServiceBuilder {
    service(vec![rollout("PRIMARY", version, DeploymentRolloutState::Completed, 3)])
}

/// The candidate is being rolled out.
fn rolling() -> Service {
    service(vec![
        rollout("PRIMARY", CANDIDATE, DeploymentRolloutState::InProgress, 1),
        rollout("ACTIVE", STABLE, DeploymentRolloutState::Completed, 3),
    ])
    .build()
}

/// What ECS says of the service, look after look; the last for ever.
fn described(looks: Vec<Service>) -> Rule {
    let mut looks = looks;
    let last = looks.pop().unwrap();
    let answer = |service: Service| DescribeServicesOutput::builder().services(service).build();
    let mut rule = mock!(Ecs::describe_services).sequence();
    for look in looks {
        rule = rule.output(move || answer(look.clone()));
    }
    rule.output(move || answer(last.clone())).repeatedly().build()
}

fn brief(id: &str, status: ServiceDeploymentStatus, began: i64) -> ServiceDeploymentBrief {
    ServiceDeploymentBrief::builder()
        .service_deployment_arn(deployment_arn(id))
        .target_service_revision_arn(arn(&format!("service-revision/shop/web/{id}")))
        .status(status)
        .created_at(DateTime::from_secs(began))
        .build()
}

/// The deployments that have not ended, look after look; the last for ever.
fn listed(looks: Vec<Vec<ServiceDeploymentBrief>>) -> Rule {
    let mut looks = looks;
    let last = looks.pop().unwrap();
    let answer = |deployments: Vec<ServiceDeploymentBrief>| {
        ListServiceDeploymentsOutput::builder().set_service_deployments(Some(deployments)).build()
    };
    let mut rule = mock!(Ecs::list_service_deployments).sequence();
    for look in looks {
        rule = rule.output(move || answer(look.clone()));
    }
    rule.output(move || answer(last.clone())).repeatedly().build()
}

fn in_flight(status: ServiceDeploymentStatus) -> Rule {
    listed(vec![vec![brief("d8", status, BEGAN)]])
}

fn nothing_in_flight() -> Rule {
    listed(vec![Vec::new()])
}

fn stops() -> Rule {
    mock!(Ecs::stop_service_deployment).then_output(|| StopServiceDeploymentOutput::builder().build())
}

fn updates() -> Rule {
    mock!(Ecs::update_service).then_output(|| UpdateServiceOutput::builder().build())
}

async fn sighted(rules: &[&Rule]) -> (Scene, Sighting) {
    let scene = Scene::new(rules);
    let sighting = scene.aws.sight(&target(false)).await;
    (scene, sighting)
}

#[track_caller]
fn seen(sighting: Sighting) -> (String, Seen) {
    match sighting {
        Sighting::Place(live) => match *live {
            Live { traffic, brought: _, seen: PlaceSeen::EcsService(seen), .. } => {
                (traffic.to_string(), *seen)
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

async fn taken(call: ripcord::place::ecs::Call, rules: &[&Rule]) -> (Scene, Option<Interruption>) {
    let scene = Scene::new(rules);
    let call = ripcord::place::Call::EcsService(call);
    let step = Step::Turn(Box::new(Turn { target: target(false), call }));
    let taken = take(&scene.aws, &vec![vec![step]], clock).await;
    (scene, taken.interruption)
}

#[tokio::test(start_paused = true)]
async fn a_deployment_under_way_is_seen_in_one_round_trip() {
    let (scene, sighting) =
        sighted(&[&described(vec![rolling()]), &in_flight(ServiceDeploymentStatus::InProgress)]).await;
    insta::assert_snapshot!(scene.calls(), @r"
    ecs:DescribeServices shop/web
    ecs:ListServiceDeployments shop/web: PENDING, IN_PROGRESS, STOP_REQUESTED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS
    ");
    let (traffic, seen) = seen(sighting);
    assert_eq!(traffic, "checkout:7 on 75%, checkout:8 on 25%");
    assert_eq!(
        seen.flight,
        Some(Flight {
            deployment: deployment_arn("d8").parse().unwrap(),
            heading: Heading::Forward,
            status: "IN_PROGRESS".to_owned(),
            target: Some(version(CANDIDATE)),
        })
    );
    assert_eq!((seen.life, seen.controller, seen.manner), (Life::Active, Controller::Ecs, Manner::Rolling));
    let primary = seen.primary.unwrap();
    assert_eq!(
        (primary.state, primary.desired_count, primary.running_count),
        (Some(RolloutState::InProgress), 3, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_back_or_stops_is_told_from_one_that_goes_on() {
    for (status, heading) in [
        (ServiceDeploymentStatus::Pending, Heading::Forward),
        (ServiceDeploymentStatus::InProgress, Heading::Forward),
        (ServiceDeploymentStatus::StopRequested, Heading::Back),
        (ServiceDeploymentStatus::RollbackRequested, Heading::Back),
        (ServiceDeploymentStatus::RollbackInProgress, Heading::Back),
    ] {
        let (_, sighting) = sighted(&[&described(vec![rolling()]), &in_flight(status.clone())]).await;
        let flight = seen(sighting).1.flight.unwrap();
        assert_eq!((flight.heading, flight.status.as_str()), (heading, status.as_str()));
        assert_eq!(flight.target.is_some(), heading == Heading::Forward, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_deployments_the_newer_one_counts() {
    let replaced = brief("d7", ServiceDeploymentStatus::StopRequested, BEGAN - 60);
    let newest = brief("d8", ServiceDeploymentStatus::InProgress, BEGAN);
    let orders = [[replaced.clone(), newest.clone()], [newest, replaced]];
    for order in orders {
        let (_, sighting) = sighted(&[&described(vec![rolling()]), &listed(vec![order.into()])]).await;
        assert_eq!(seen(sighting).1.flight.unwrap().deployment.as_str(), deployment_arn("d8"));
    }
}

/// The service was looked at before the deployment had reached it: what it names is what it had.
#[tokio::test(start_paused = true)]
async fn a_deployment_that_the_service_does_not_show_yet_is_asked_what_it_brings() {
    let still_named = settled(STABLE);
    let not_named = at_rest(STABLE).current_service_deployment(deployment_arn("d7")).build();
    // Five seconds are the limit within which both were made together.
    for (look, began) in [(still_named, BEGAN + 6), (not_named, BEGAN)] {
        let revisions = mock!(Ecs::describe_service_revisions).then_output(|| {
            let revision =
                aws_sdk_ecs::types::ServiceRevision::builder().task_definition(definition(CANDIDATE)).build();
            aws_sdk_ecs::operation::describe_service_revisions::DescribeServiceRevisionsOutput::builder()
                .service_revisions(revision)
                .build()
        });
        let flying = listed(vec![vec![brief("d8", ServiceDeploymentStatus::Pending, began)]]);
        let (scene, sighting) = sighted(&[&described(vec![look]), &flying, &revisions]).await;
        assert_eq!(seen(sighting).1.flight.unwrap().target, Some(version(CANDIDATE)));
        let asked =
            "ecs:DescribeServiceRevisions arn:aws:ecs:eu-west-1:123456789012:service-revision/shop/web/d8";
        assert!(scene.calls().ends_with(asked), "{}", scene.calls());
    }
    let flying = listed(vec![vec![brief("d8", ServiceDeploymentStatus::Pending, BEGAN + 5)]]);
    let (scene, _) = sighted(&[&described(vec![rolling()]), &flying]).await;
    assert_eq!(scene.call_names().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_another_moves_is_seen_as_that() {
    let driven_by = |kind| {
        service(Vec::new())
            .deployment_controller(DeploymentController::builder().r#type(kind).build().unwrap())
            .task_sets(TaskSet::builder().status("ACTIVE").task_definition(definition(STABLE)).build())
            .task_sets(TaskSet::builder().status("PRIMARY").task_definition(definition(CANDIDATE)).build())
            .build()
    };
    let refused = mock!(Ecs::list_service_deployments)
        .sequence()
        .http_status(400, Some(refusal("InvalidParameterException")))
        .repeatedly()
        .build();
    for (kind, controller) in [
        (DeploymentControllerType::CodeDeploy, Controller::CodeDeploy),
        (DeploymentControllerType::External, Controller::Other("EXTERNAL".to_owned())),
    ] {
        let (_, sighting) = sighted(&[&described(vec![driven_by(kind)]), &refused]).await;
        let (traffic, seen) = seen(sighting);
        assert_eq!((traffic.as_str(), seen.controller), ("checkout:8 on 100%", controller));
    }
}

#[tokio::test(start_paused = true)]
async fn how_ecs_moves_a_service_is_seen() {
    for strategy in [DeploymentStrategy::BlueGreen, DeploymentStrategy::Canary, DeploymentStrategy::Linear] {
        let configuration = DeploymentConfiguration::builder().strategy(strategy.clone()).build();
        let look = at_rest(STABLE).deployment_configuration(configuration).build();
        let (_, sighting) = sighted(&[&described(vec![look]), &nothing_in_flight()]).await;
        assert_eq!(seen(sighting).1.manner, Manner::Shifting(strategy.as_str().to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_or_cluster_that_is_not_there_is_missing() {
    let nothing = mock!(Ecs::describe_services).then_output(|| {
        let failure =
            aws_sdk_ecs::types::Failure::builder().arn(arn("service/web")).reason("MISSING").build();
        DescribeServicesOutput::builder().failures(failure).build()
    });
    let no_service = refused_list("ServiceNotFoundException");
    let (_, sighting) = sighted(&[&nothing, &no_service]).await;
    assert_eq!(sighting, Sighting::Missing);
    let no_cluster = mock!(Ecs::describe_services)
        .sequence()
        .http_status(400, Some(refusal("ClusterNotFoundException")))
        .repeatedly()
        .build();
    let (_, sighting) = sighted(&[&no_cluster, &refused_list("ClusterNotFoundException")]).await;
    assert_eq!(sighting, Sighting::Missing);
}

fn refused_list(error: &str) -> Rule {
    mock!(Ecs::list_service_deployments)
        .sequence()
        .http_status(400, Some(refusal(error)))
        .repeatedly()
        .build()
}

#[track_caller]
fn unseen(sighting: Sighting, part: &str) {
    match sighting {
        Sighting::Unseen { why } => assert!(why.contains(part), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_not_missing() {
    let denied = mock!(Ecs::describe_services)
        .sequence()
        .http_status(400, Some(refusal("AccessDeniedException")))
        .repeatedly()
        .build();
    let (_, sighting) = sighted(&[&denied, &nothing_in_flight()]).await;
    unseen(sighting, "ecs:DescribeServices of ecs:shop/web failed");
    let (_, sighting) = sighted(&[&described(vec![rolling()]), &refused_list("AccessDeniedException")]).await;
    unseen(sighting, "ecs:ListServiceDeployments of ecs:shop/web failed");
    let odd = mock!(Ecs::describe_services).then_output(|| {
        let failure = aws_sdk_ecs::types::Failure::builder().reason("SHARD_OFFLINE").build();
        DescribeServicesOutput::builder().failures(failure).build()
    });
    let (_, sighting) = sighted(&[&odd, &nothing_in_flight()]).await;
    unseen(sighting, "SHARD_OFFLINE");
    let long = settled(&format!("{}:7", "f".repeat(120)));
    let (_, sighting) = sighted(&[&described(vec![long]), &nothing_in_flight()]).await;
    unseen(sighting, "the version");
}

#[tokio::test(start_paused = true)]
async fn where_ecs_keeps_no_service_deployments_the_service_itself_tells() {
    let (_, sighting) =
        sighted(&[&described(vec![rolling()]), &refused_list("UnsupportedFeatureException")]).await;
    assert_eq!(seen(sighting).1.flight, None);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_deleted_is_still_seen_for_a_while() {
    for (status, life) in [("DRAINING", Life::Draining), ("INACTIVE", Life::Inactive)] {
        let look = at_rest(STABLE).status(status).build();
        let (_, sighting) = sighted(&[&described(vec![look]), &nothing_in_flight()]).await;
        assert_eq!(seen(sighting).1.life, life);
    }
}
