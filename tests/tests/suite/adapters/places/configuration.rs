//! Configurations: what is asked of AppConfig, what its answers are taken for, and what is sent.

use std::time::{Duration, SystemTime};

use aws_sdk_appconfig::Client as AppConfig;
use aws_sdk_appconfig::operation::get_configuration_profile::GetConfigurationProfileOutput;
use aws_sdk_appconfig::operation::get_environment::GetEnvironmentOutput;
use aws_sdk_appconfig::operation::list_deployments::ListDeploymentsOutput;
use aws_sdk_appconfig::operation::start_deployment::StartDeploymentOutput;
use aws_sdk_appconfig::operation::stop_deployment::StopDeploymentOutput;
use aws_sdk_appconfig::primitives::DateTime;
use aws_sdk_appconfig::types::{DeploymentState, DeploymentSummary, Monitor};
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Interruption, take};
use ripcord::names::Weight;
use ripcord::place::configuration::{Seen, State};
use ripcord::place::{Aim, Call, Live, Place, Seen as PlaceSeen, Wanted, Way};
use ripcord::plan::{Step, Turn};
use ripcord::registration::{Reach, Target};
use ripcord::situation::Sighting;
use serde_json::{Value, json};

use super::super::scene::{Scene, clock, refusal};
use crate::worlds::v;

mod flags;

fn target(flags_off: &[&str]) -> Target {
    let place = json!({
        "kind": "configuration", "application": "app1", "environment": "prod1", "profile": "flags1",
        "flags_off": flags_off,
    });
    Target {
        name: "flags".parse().unwrap(),
        turn: 0,
        reach: Reach::default(),
        place: serde_json::from_value::<Place>(place).unwrap(),
    }
}

/// A deployment of the profile, as it is listed. One that has completed did so an hour ago.
fn summary(number: i32, version: &str, state: DeploymentState, percent: f32) -> DeploymentSummary {
    of_configuration(Some("flags1"), "flags", number, version, state, percent)
}

fn of_configuration(
    profile: Option<&str>,
    name: &str,
    number: i32,
    version: &str,
    state: DeploymentState,
    percent: f32,
) -> DeploymentSummary {
    let is_complete = state == DeploymentState::Complete;
    DeploymentSummary::builder()
        .deployment_number(number)
        .set_configuration_profile_id(profile.map(str::to_owned))
        .configuration_name(name)
        .configuration_version(version)
        .state(state)
        .percentage_complete(percent)
        .set_completed_at(is_complete.then(|| ago(3_600)))
        .build()
}

fn ago(age_s: u64) -> DateTime {
    DateTime::from(SystemTime::now() - Duration::from_secs(age_s))
}

fn complete(number: i32, version: &str) -> DeploymentSummary {
    summary(number, version, DeploymentState::Complete, 100.0)
}

/// Answers these deployments, all of them in one page.
fn listed(deployments: Vec<DeploymentSummary>) -> Rule {
    mock!(AppConfig::list_deployments)
        .then_output(move || ListDeploymentsOutput::builder().set_items(Some(deployments.clone())).build())
}

fn profile() -> Rule {
    mock!(AppConfig::get_configuration_profile).then_output(|| {
        GetConfigurationProfileOutput::builder().name("flags").r#type("AWS.AppConfig.FeatureFlags").build()
    })
}

fn environment(alarms: &'static [&str]) -> Rule {
    mock!(AppConfig::get_environment).then_output(move || {
        let monitors = alarms.iter().map(|alarm| Monitor::builder().alarm_arn(*alarm).build().unwrap());
        GetEnvironmentOutput::builder().set_monitors(Some(monitors.collect())).build()
    })
}

/// Refuses a call with an error, however often it is tried.
macro_rules! refusing {
    ($call:ident, $status:literal, $error:expr) => {
        mock!(AppConfig::$call).sequence().http_status($status, Some(refusal($error))).repeatedly().build()
    };
}
use refusing;

async fn sighted(flags_off: &[&str], rules: &[&Rule]) -> (Scene, Sighting) {
    let scene = Scene::new(rules);
    let sighting = scene.aws.sight(&target(flags_off)).await;
    (scene, sighting)
}

#[track_caller]
fn seen(sighting: Sighting) -> (String, Seen) {
    match sighting {
        Sighting::Place(live) => match *live {
            Live { traffic, brought: _, seen: PlaceSeen::Configuration(seen) } => {
                (traffic.to_string(), *seen)
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn unseen(sighting: Sighting, part: &str) {
    match sighting {
        Sighting::Unseen { why } => assert!(why.contains(part), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// The call that leads back from version 2 to version 1, or on to it.
async fn call_from(deployments: Vec<DeploymentSummary>, percent: u32) -> Call {
    let (_, sighting) = sighted(&[], &[&listed(deployments), &profile(), &environment(&[])]).await;
    let wanted = Wanted { stable: v(1), candidate: v(2), weight: Weight::from_percent(percent) };
    let seen = PlaceSeen::Configuration(Box::new(seen(sighting).1));
    match target(&[]).place.way_to(&seen, &Aim::Serve(wanted)) {
        Way::Call { call, .. } => call,
        other => panic!("{other:?}"),
    }
}

async fn taken(call: Call, rules: &[&Rule]) -> (Scene, Option<Interruption>) {
    let scene = Scene::new(rules);
    let step = Step::Turn(Box::new(Turn { target: target(&[]), call }));
    let taken = take(&scene.aws, &vec![vec![step]], clock).await;
    (scene, taken.interruption)
}

#[tokio::test(start_paused = true)]
async fn a_deployment_under_way_is_seen_by_calls_that_are_made_together() {
    let growing = summary(5, "2", DeploymentState::Deploying, 12.5);
    let (scene, sighting) =
        sighted(&[], &[&listed(vec![growing, complete(4, "1")]), &profile(), &environment(&[])]).await;
    insta::assert_snapshot!(scene.calls(), @r"
    appconfig:GetConfigurationProfile app1/flags1
    appconfig:GetEnvironment app1/prod1
    appconfig:ListDeployments app1/prod1, 50 at most
    ");
    let (traffic, seen) = seen(sighting);
    assert_eq!(traffic, "1 on 87.5%, 2 on 12.5%");
    assert_eq!((seen.newest.state, seen.newest.share.share()), (State::Deploying, 0.125));
    assert_eq!((seen.is_whole, seen.has_monitors, seen.busy, seen.flags), (true, false, None, None));
}

#[tokio::test(start_paused = true)]
async fn every_state_of_appconfig_is_known() {
    for (state, expected) in [
        (DeploymentState::Baking, State::Baking),
        (DeploymentState::Complete, State::Complete),
        (DeploymentState::Deploying, State::Deploying),
        (DeploymentState::Reverted, State::Reverted),
        (DeploymentState::RolledBack, State::RolledBack),
        (DeploymentState::RollingBack, State::RollingBack),
        (DeploymentState::Validating, State::Validating),
    ] {
        let deployments = vec![summary(5, "2", state.clone(), 0.0), complete(4, "1")];
        let (_, sighting) = sighted(&[], &[&listed(deployments), &profile(), &environment(&[])]).await;
        assert_eq!(seen(sighting).1.newest.state.to_string(), state.as_str());
        assert_eq!(expected.to_string(), state.as_str());
    }
    let deployments = vec![summary(5, "2", "PAUSED".into(), 0.0), complete(4, "1")];
    let (_, sighting) = sighted(&[], &[&listed(deployments), &profile(), &environment(&[])]).await;
    unseen(sighting, "deployment 5 is PAUSED, which is not known");
}

#[tokio::test(start_paused = true)]
async fn what_has_completed_can_be_taken_back_for_three_days() {
    const HOURS_72: u64 = 72 * 3_600;
    // Five minutes of the three days are left for clocks that differ.
    for (age_s, is_revertable) in
        [(0, true), (HOURS_72 - 360, true), (HOURS_72 - 240, false), (HOURS_72 * 9, false)]
    {
        let mut deployment = complete(4, "1");
        deployment.completed_at = Some(ago(age_s));
        let (_, sighting) = sighted(&[], &[&listed(vec![deployment]), &profile(), &environment(&[])]).await;
        assert_eq!(seen(sighting).1.newest.is_revertable, is_revertable, "{age_s} s");
    }
}

#[tokio::test(start_paused = true)]
async fn moments_keep_their_fractions_of_a_second() {
    let mut deployment = complete(4, "1");
    deployment.completed_at = Some(DateTime::from_millis(1_772_445_600_250));
    let (_, sighting) = sighted(&[], &[&listed(vec![deployment]), &profile(), &environment(&[])]).await;
    assert_eq!(seen(sighting).1.newest.completed_at.unwrap().as_millisecond(), 1_772_445_600_250);
}

/// An older AppConfig does not say of which profile a deployment is.
#[tokio::test(start_paused = true)]
async fn a_deployment_without_a_profile_is_known_by_its_name() {
    let others = of_configuration(None, "limits", 5, "9", DeploymentState::Deploying, 10.0);
    let ours = of_configuration(None, "flags", 4, "1", DeploymentState::Complete, 100.0);
    let deployments = vec![others, ours];
    let (_, sighting) = sighted(&[], &[&listed(deployments), &profile(), &environment(&["a", "b"])]).await;
    let (traffic, seen) = seen(sighting);
    assert_eq!(traffic, "1 on 100%");
    assert_eq!((seen.latest.0, seen.has_monitors), (5, true));
    assert_eq!(seen.busy.unwrap(), "deployment 5 of another configuration, limits, which is DEPLOYING,");
}

/// Answers a page of other configurations' deployments and a token, so many times, and then one of ours.
fn pages(others: usize) -> Rule {
    let mut rule = mock!(AppConfig::list_deployments).sequence();
    for page in 0..others {
        rule = rule.output(move || {
            let number = 100 - i32::try_from(page).unwrap();
            let other =
                of_configuration(Some("limits1"), "limits", number, "9", DeploymentState::Complete, 100.0);
            ListDeploymentsOutput::builder().items(other).next_token(format!("page {}", page + 1)).build()
        });
    }
    rule.output(|| ListDeploymentsOutput::builder().items(complete(4, "1")).next_token("more").build())
        .build()
}

#[tokio::test(start_paused = true)]
async fn pages_are_turned_until_one_says_what_is_served_and_no_further() {
    let (scene, sighting) = sighted(&[], &[&pages(3), &profile(), &environment(&[])]).await;
    let lists: Vec<_> =
        scene.calls().lines().filter(|call| call.contains("List")).map(str::to_owned).collect();
    assert_eq!(lists.len(), 4);
    assert!(lists[3].ends_with(" from page 3"), "{lists:?}");
    let (traffic, seen) = seen(sighting);
    assert_eq!((traffic.as_str(), seen.is_whole, seen.latest.0), ("1 on 100%", false, 100));

    let (scene, sighting) = sighted(&[], &[&pages(4), &profile(), &environment(&[])]).await;
    unseen(sighting, "none of the newest 4 deployments has completed for this configuration");
    assert_eq!(scene.calls().matches("ListDeployments").count(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_or_was_never_deployed_is_missing() {
    const GONE: &str = "ResourceNotFoundException";
    let one = listed(vec![complete(4, "1")]);
    let (_, sighting) =
        sighted(&[], &[&refusing!(list_deployments, 404, GONE), &profile(), &environment(&[])]).await;
    assert_eq!(sighting, Sighting::Missing);
    let no_profile = refusing!(get_configuration_profile, 404, GONE);
    assert_eq!(sighted(&[], &[&one, &no_profile, &environment(&[])]).await.1, Sighting::Missing);
    let no_environment = refusing!(get_environment, 404, GONE);
    assert_eq!(sighted(&[], &[&one, &profile(), &no_environment]).await.1, Sighting::Missing);
    for nothing in [vec![], vec![summary(1, "1", DeploymentState::RolledBack, 0.0)]] {
        let (_, sighting) = sighted(&[], &[&listed(nothing), &profile(), &environment(&[])]).await;
        assert_eq!(sighting, Sighting::Missing);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_not_missing() {
    const DENIED: &str = "AccessDeniedException";
    let one = listed(vec![complete(4, "1")]);
    let denied = refusing!(list_deployments, 403, DENIED);
    let (_, sighting) = sighted(&[], &[&denied, &profile(), &environment(&[])]).await;
    unseen(sighting, "appconfig:ListDeployments of appconfig:app1/prod1/flags1 failed: ");
    let denied = refusing!(get_configuration_profile, 403, DENIED);
    unseen(sighted(&[], &[&one, &denied, &environment(&[])]).await.1, "appconfig:GetConfigurationProfile of");
    let denied = refusing!(get_environment, 403, DENIED);
    unseen(sighted(&[], &[&one, &profile(), &denied]).await.1, "appconfig:GetEnvironment of");
    // The name of an object's version in S3 may be one that nobody can write in a registration.
    let odd = listed(vec![complete(4, "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY")]);
    unseen(sighted(&[], &[&odd, &profile(), &environment(&[])]).await.1, "deployment 4: the version");
}

fn stops() -> Rule {
    mock!(AppConfig::stop_deployment).then_output(|| StopDeploymentOutput::builder().build())
}

fn starts() -> Rule {
    mock!(AppConfig::start_deployment).then_output(|| StartDeploymentOutput::builder().build())
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_stopped_even_if_it_completes_just_then() {
    for state in [DeploymentState::Deploying, DeploymentState::Baking, DeploymentState::Complete] {
        let call = call_from(vec![summary(5, "2", state.clone(), 50.0), complete(4, "1")], 0).await;
        let (scene, interruption) = taken(call, &[&stops()]).await;
        assert_eq!(interruption, None);
        assert_eq!(scene.calls(), "appconfig:StopDeployment app1/prod1 5, revert Some(true)");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_started_only_after_the_one_that_was_seen() {
    let call = call_from(vec![complete(4, "1")], 100).await;
    let (scene, interruption) = taken(call, &[&starts()]).await;
    assert_eq!(interruption, None);
    assert_eq!(scene.calls(), "appconfig:StartDeployment app1/prod1");
    let body: Value = serde_json::from_str(&scene.bodies().concat()).unwrap();
    assert_eq!(
        body,
        json!({
            "ConfigurationProfileId": "flags1",
            "ConfigurationVersion": "2",
            "DeploymentStrategyId": "AppConfig.AllAtOnce",
            "Description": "Ripcord",
            "LatestDeploymentNumber": 4,
        })
    );
}

#[track_caller]
fn raced(interruption: Option<Interruption>, call: &str) {
    let Some(Interruption::Raced { what }) = interruption else { panic!("{interruption:?}") };
    let subject = format!("{call} of appconfig:app1/prod1/flags1 failed: ");
    assert!(what.starts_with(&subject) && what.contains("made up"), "{what}");
}

#[track_caller]
fn failed(interruption: Option<Interruption>, call: &str, error: &str) {
    let Some(Interruption::Failed { why }) = interruption else { panic!("{interruption:?}") };
    let subject = format!("{call} of appconfig:app1/prod1/flags1 failed: ");
    assert!(why.starts_with(&subject) && why.contains(error), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_has_changed_since_is_looked_at_again() {
    const STOP: &str = "appconfig:StopDeployment";
    let call = call_from(vec![complete(5, "2"), complete(4, "1")], 0).await;
    let refused = refusing!(stop_deployment, 400, "BadRequestException");
    raced(taken(call.clone(), &[&refused]).await.1, STOP);
    let refused = refusing!(stop_deployment, 404, "ResourceNotFoundException");
    raced(taken(call.clone(), &[&refused]).await.1, STOP);
    let refused = refusing!(stop_deployment, 403, "AccessDeniedException");
    failed(taken(call, &[&refused]).await.1, STOP, "AccessDeniedException");
}

#[tokio::test(start_paused = true)]
async fn another_deployment_that_came_first_is_looked_at_again() {
    const START: &str = "appconfig:StartDeployment";
    let call = call_from(vec![complete(4, "1")], 100).await;
    let refused = refusing!(start_deployment, 409, "ConflictException");
    raced(taken(call.clone(), &[&refused]).await.1, START);
    for error in ["BadRequestException", "ResourceNotFoundException", "AccessDeniedException"] {
        let refused = refusing!(start_deployment, 400, error);
        failed(taken(call.clone(), &[&refused]).await.1, START, error);
    }
}
