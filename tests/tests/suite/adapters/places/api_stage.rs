//! Stages of REST APIs: what is asked of API Gateway, what its answers are taken for, and what is sent.

use aws_sdk_apigateway::Client as ApiGateway;
use aws_sdk_apigateway::config::http::HttpResponse;
use aws_sdk_apigateway::operation::get_deployments::GetDeploymentsOutput;
use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::operation::get_stage::builders::GetStageOutputBuilder;
use aws_sdk_apigateway::operation::update_stage::UpdateStageOutput;
use aws_sdk_apigateway::types::{CanarySettings, Deployment};
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Interruption, take};
use ripcord::names::{Version, Weight};
use ripcord::place::api_stage::{Deployments, Seen};
use ripcord::place::{Aim, Live, Place, Seen as PlaceSeen, Wanted, Way};
use ripcord::plan::{Step, Turn};
use ripcord::registration::{Reach, Target};
use ripcord::situation::Sighting;
use serde_json::json;

use super::super::scene::{Scene, clock};

fn target() -> Target {
    let place = json!({"kind": "api_stage", "api": "a1b2c3", "stage": "prod"});
    Target {
        name: "api".parse().unwrap(),
        turn: 0,
        reach: Reach::default(),
        place: serde_json::from_value::<Place>(place).unwrap(),
    }
}

fn wanted(percent: u32) -> Wanted {
    let version = |name: &str| name.parse::<Version>().unwrap();
    Wanted { weight: Weight::from_percent(percent), ..Wanted::back(version("old1"), version("new2")) }
}

fn canary(percent: f64) -> CanarySettings {
    CanarySettings::builder().deployment_id("new2").percent_traffic(percent).build()
}

fn serving(deployment: &str) -> GetStageOutputBuilder {
    GetStageOutput::builder().stage_name("prod").deployment_id(deployment)
}

fn is(stage: GetStageOutputBuilder) -> Rule {
    mock!(ApiGateway::get_stage).then_output(move || stage.clone().build())
}

fn lists(ids: &'static [&'static str], position: Option<&'static str>) -> Rule {
    mock!(ApiGateway::get_deployments).then_output(move || {
        let items = ids.iter().map(|id| Deployment::builder().id(*id).build());
        let list = GetDeploymentsOutput::builder().set_items(Some(items.collect()));
        list.set_position(position.map(str::to_owned)).build()
    })
}

fn lists_both() -> Rule {
    lists(&["old1", "new2"], None)
}

/// What API Gateway refuses with, on its own wire.
fn refuses(status: u16, error: &'static str, message: &str) -> HttpResponse {
    let body = json!({ "message": message }).to_string();
    let mut response = HttpResponse::new(status.try_into().unwrap(), body.into());
    response.headers_mut().insert("x-amzn-errortype", error);
    response
}

async fn sighted(rules: &[&Rule]) -> (Scene, Sighting) {
    let scene = Scene::new(rules);
    let sighting = scene.aws.sight(&target()).await;
    (scene, sighting)
}

#[track_caller]
fn seen(sighting: Sighting) -> (String, Seen) {
    match sighting {
        Sighting::Place(live) => match *live {
            Live { traffic, brought: _, seen: PlaceSeen::ApiStage(seen) } => (traffic.to_string(), *seen),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_and_the_deployments_of_its_api_are_asked_for_at_once() {
    let stage = serving("old1").canary_settings(canary(12.5));
    let (scene, sighting) = sighted(&[&is(stage), &lists_both()]).await;
    insta::assert_snapshot!(scene.calls(), @r"
    apigateway:GetStage a1b2c3/prod
    apigateway:GetDeployments a1b2c3 Some(500)
    ");
    let (traffic, seen) = seen(sighting);
    assert_eq!(traffic, "old1 on 87.5%, new2 on 12.5%");
    assert_eq!(seen.deployments, Deployments::All(vec!["old1".parse().unwrap(), "new2".parse().unwrap()]));
}

#[tokio::test(start_paused = true)]
async fn deployments_that_cannot_all_be_listed_are_not_held_against_anybody() {
    let denied = mock!(ApiGateway::get_deployments)
        .then_http_response(|| refuses(403, "AccessDeniedException", "made up"));
    for (list, part) in [
        (denied, "apigateway:GetDeployments of a1b2c3 failed"),
        (lists(&["new2"], Some("next")), "there are more than 500 deployments"),
    ] {
        let (_, sighting) = sighted(&[&is(serving("new2")), &list]).await;
        match seen(sighting).1.deployments {
            Deployments::Unknown { why } => assert!(why.contains(part), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_is_gone_is_missing_and_one_that_is_not_shown_is_not() {
    let gone = mock!(ApiGateway::get_stage)
        .then_http_response(|| refuses(404, "NotFoundException", "Invalid stage identifier specified"));
    assert_eq!(sighted(&[&gone, &lists_both()]).await.1, Sighting::Missing);
    let denied =
        mock!(ApiGateway::get_stage).then_http_response(|| refuses(403, "AccessDeniedException", "made up"));
    let odd = is(serving("not a deployment"));
    let too_much = is(serving("old1").canary_settings(canary(101.0)));
    for rule in [denied, odd, too_much] {
        match sighted(&[&rule, &lists_both()]).await.1 {
            Sighting::Unseen { why } => {
                assert!(why.starts_with("apigateway:GetStage of api:a1b2c3/prod failed"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What is done about a stage, and what comes of it.
async fn moved(stage: GetStageOutputBuilder, wanted: Wanted, answer: Rule) -> (String, Option<Interruption>) {
    let (_, sighting) = sighted(&[&is(stage), &lists_both()]).await;
    let Sighting::Place(live) = sighting else { panic!("{sighting:?}") };
    let Way::Call { call, .. } = target().place.way_to(&live.seen, &Aim::Serve(wanted)) else {
        panic!("no call")
    };
    let scene = Scene::new(&[&answer]);
    let step = Step::Turn(Box::new(Turn { target: target(), call }));
    let taken = take(&scene.aws, &vec![vec![step]], clock).await;
    (scene.calls(), taken.interruption)
}

fn updates() -> Rule {
    mock!(ApiGateway::update_stage).then_output(|| UpdateStageOutput::builder().build())
}

#[tokio::test(start_paused = true)]
async fn each_update_is_one_call_with_its_operations_in_order() {
    let with_variables = CanarySettings::builder()
        .deployment_id("new2")
        .percent_traffic(50.0)
        .stage_variable_overrides("backend", "candidate")
        .build();
    let cases = [
        (serving("old1").canary_settings(canary(10.0)), 0),
        (serving("new2"), 0),
        (serving("new2").canary_settings(canary(0.0)), 0),
        (serving("old1"), 7),
        (serving("old1").canary_settings(canary(10.0)), 50),
        (serving("old1").canary_settings(canary(50.0)), 100),
        (serving("old1").canary_settings(with_variables), 100),
        (serving("old1"), 100),
    ];
    let mut calls = Vec::new();
    for (stage, percent) in cases {
        let (call, interruption) = moved(stage, wanted(percent), updates()).await;
        assert_eq!(interruption, None);
        calls.push(call.replace("apigateway:UpdateStage a1b2c3/prod: ", ""));
    }
    insta::assert_snapshot!(calls.join("\n"), @r"
    remove /canarySettings
    replace /deploymentId old1
    remove /canarySettings, replace /deploymentId old1
    replace /canarySettings/deploymentId new2, replace /canarySettings/percentTraffic 7
    replace /canarySettings/percentTraffic 50
    copy /deploymentId /canarySettings/deploymentId, replace /canarySettings/percentTraffic 0
    copy /deploymentId /canarySettings/deploymentId, replace /canarySettings/percentTraffic 0, copy /variables /canarySettings/stageVariableOverrides
    replace /deploymentId new2
    ");
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_gone_is_looked_at_again_and_what_is_refused_has_failed() {
    let canaried = || serving("old1").canary_settings(canary(10.0));
    let bad = |message: &'static str| {
        mock!(ApiGateway::update_stage)
            .then_http_response(move || refuses(400, "BadRequestException", message))
    };
    let error = |status, error: &'static str| {
        mock!(ApiGateway::update_stage).then_http_response(move || refuses(status, error, "made up"))
    };
    let cases = [
        (canaried(), 0, bad("there is no canary"), true),
        (canaried(), 100, bad("Promotion not available. Canary does not exist."), true),
        (serving("new2"), 0, bad("Deployment id does not exist"), false),
        (serving("old1"), 10, bad("Deployment id does not exist"), false),
        (canaried(), 0, error(404, "NotFoundException"), true),
        (serving("new2"), 0, error(404, "NotFoundException"), true),
        (serving("new2"), 0, error(409, "ConflictException"), true),
        (canaried(), 0, error(403, "AccessDeniedException"), false),
    ];
    for (index, (stage, percent, answer, is_race)) in cases.into_iter().enumerate() {
        match moved(stage, wanted(percent), answer).await.1 {
            Some(Interruption::Raced { what }) => assert!(is_race, "{index}: {what}"),
            Some(Interruption::Failed { why }) => {
                assert!(
                    !is_race && why.contains("apigateway:UpdateStage of api:a1b2c3/prod"),
                    "{index}: {why}"
                );
            }
            other => panic!("{index}: {other:?}"),
        }
    }
}
