//! The flags that go off on every way back.

use aws_sdk_appconfig::operation::create_hosted_configuration_version::CreateHostedConfigurationVersionOutput;
use aws_sdk_appconfig::operation::get_hosted_configuration_version::GetHostedConfigurationVersionOutput;
use aws_sdk_appconfig::operation::list_hosted_configuration_versions::ListHostedConfigurationVersionsOutput;
use aws_sdk_appconfig::primitives::Blob;
use aws_sdk_appconfig::types::HostedConfigurationVersionSummary;

use super::*;

const ON: &str =
    r#"{"version":"1","flags":{"fast":{"name":"Fast"}},"values":{"fast":{"enabled":true, "limit": 3}}}"#;
const OFF: &str =
    r#"{"version":"1","flags":{"fast":{"name":"Fast"}},"values":{"fast":{"enabled":false, "limit": 3}}}"#;

/// What is hosted: each version's number, its label and what is in it.
type Hosted = &'static [(i32, &'static str, &'static str)];

fn hosted(versions: Hosted) -> Rule {
    mock!(AppConfig::list_hosted_configuration_versions).then_output(move || {
        let items = versions.iter().map(|(number, label, _)| {
            let label = (!label.is_empty()).then(|| (*label).to_owned());
            HostedConfigurationVersionSummary::builder()
                .version_number(*number)
                .set_version_label(label)
                .build()
        });
        ListHostedConfigurationVersionsOutput::builder().set_items(Some(items.collect())).build()
    })
}

fn contents(versions: Hosted) -> Vec<Rule> {
    let content = |(number, _, text): &(i32, &str, &'static str)| {
        let (number, text) = (*number, *text);
        mock!(AppConfig::get_hosted_configuration_version)
            .match_requests(move |get| get.version_number() == Some(number))
            .then_output(move || {
                GetHostedConfigurationVersionOutput::builder()
                    .content(Blob::new(text))
                    .content_type("application/json")
                    .build()
            })
    };
    versions.iter().map(content).collect()
}

async fn looked_at(deployments: Vec<DeploymentSummary>, versions: Hosted) -> (Scene, Sighting) {
    let mut rules = vec![listed(deployments), profile(), environment(&[]), hosted(versions)];
    rules.extend(contents(versions));
    sighted(&["fast"], &rules.iter().collect::<Vec<_>>()).await
}

/// The way from there to the flags off.
fn way(sighting: Sighting) -> Way {
    let seen = PlaceSeen::Configuration(Box::new(seen(sighting).1));
    target(&["fast"]).place.way_to(&seen, &Aim::FlagsOff)
}

#[track_caller]
fn call(way: Way) -> Call {
    match way {
        Way::Call { call, is_claimed: false } => call,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_versions_whose_flags_count_are_read() {
    let growing = summary(5, "2", DeploymentState::Deploying, 10.0);
    let versions = &[(1, "", ON), (2, "", OFF), (3, "", ON)];
    let (scene, sighting) = looked_at(vec![growing, complete(4, "1")], versions).await;
    insta::assert_snapshot!(scene.calls(), @r"
    appconfig:GetConfigurationProfile app1/flags1
    appconfig:GetEnvironment app1/prod1
    appconfig:ListDeployments app1/prod1, 50 at most
    appconfig:ListHostedConfigurationVersions app1/flags1
    appconfig:GetHostedConfigurationVersion app1/flags1 1
    appconfig:GetHostedConfigurationVersion app1/flags1 2
    appconfig:GetHostedConfigurationVersion app1/flags1 3
    ");
    assert_eq!(seen(sighting).1.flags.unwrap().sheets.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_stored_and_then_deployed_and_both_calls_compare() {
    let (_, sighting) = looked_at(vec![complete(4, "1")], &[(1, "", ON), (2, "", ON)]).await;
    let creates = mock!(AppConfig::create_hosted_configuration_version)
        .then_output(|| CreateHostedConfigurationVersionOutput::builder().version_number(3).build());
    let (scene, interruption) = taken(call(way(sighting)), &[&creates]).await;
    assert_eq!(interruption, None);
    insta::assert_snapshot!(scene.calls(), @"appconfig:CreateHostedConfigurationVersion app1/flags1 application/json ripcord-off-from-1-2 after Some(2)");
    assert_eq!(scene.bodies().concat(), OFF);

    let versions = &[(1, "", ON), (2, "", ON), (3, "ripcord-off-from-1-2", OFF)];
    let (_, sighting) = looked_at(vec![complete(4, "1")], versions).await;
    let (scene, interruption) = taken(call(way(sighting)), &[&starts()]).await;
    assert_eq!(interruption, None);
    let body: Value = serde_json::from_str(&scene.bodies().concat()).unwrap();
    assert_eq!((&body["ConfigurationVersion"], &body["LatestDeploymentNumber"]), (&json!("3"), &json!(4)));

    let (_, sighting) = looked_at(vec![complete(5, "3"), complete(4, "1")], versions).await;
    assert_eq!(way(sighting), Way::There);
}

#[tokio::test(start_paused = true)]
async fn flags_that_cannot_be_read_stop_no_way_back() {
    const DENIED: &str = "AccessDeniedException";
    let (listing, reading) = (
        refusing!(list_hosted_configuration_versions, 403, DENIED),
        refusing!(get_hosted_configuration_version, 403, DENIED),
    );
    let deployments = listed(vec![complete(5, "2"), complete(4, "1")]);
    let (_, sighting) =
        sighted(&["fast"], &[&deployments, &profile(), &environment(&[]), &listing, &reading]).await;
    let Sighting::Place(live) = &sighting else { panic!("{sighting:?}") };
    let back = target(&["fast"]).place.way_to(&live.seen, &Aim::Serve(Wanted::back(v(1), v(2))));
    assert!(
        matches!(&back, Way::Call { call, .. } if call.to_string().contains("StopDeployment 5")),
        "{back:?}"
    );
    let Way::Blocked(why) = way(sighting) else { panic!("the flags cannot be told") };
    assert!(why.to_string().contains("appconfig:GetHostedConfigurationVersion of"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_newer_version_that_came_first_is_looked_at_again() {
    const CREATE: &str = "appconfig:CreateHostedConfigurationVersion";
    let (_, sighting) = looked_at(vec![complete(4, "1")], &[(1, "", ON)]).await;
    let call = call(way(sighting));
    let refused = refusing!(create_hosted_configuration_version, 409, "ConflictException");
    raced(taken(call.clone(), &[&refused]).await.1, CREATE);
    for error in ["PayloadTooLargeException", "ServiceQuotaExceededException", "AccessDeniedException"] {
        let refused = refusing!(create_hosted_configuration_version, 400, error);
        failed(taken(call.clone(), &[&refused]).await.1, CREATE, error);
    }
}
