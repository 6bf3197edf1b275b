//! Aliases of state machines: what is asked of Step Functions, what its answers are taken for, and what is sent.

use aws_sdk_sfn::Client as States;
use aws_sdk_sfn::operation::describe_state_machine_alias::DescribeStateMachineAliasOutput;
use aws_sdk_sfn::operation::list_state_machine_versions::ListStateMachineVersionsOutput;
use aws_sdk_sfn::operation::update_state_machine_alias::UpdateStateMachineAliasOutput;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::{RoutingConfigurationListItem, StateMachineVersionListItem};
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Interruption, take};
use ripcord::names::Weight;
use ripcord::place::{Aim, Call, Live, Place, Seen, Wanted, Way};
use ripcord::plan::{Step, Turn};
use ripcord::registration::{Reach, Target};
use ripcord::situation::Sighting;
use serde_json::{Value, json};

use super::super::scene::{Scene, clock, refusal};
use crate::worlds::v;

const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders";
const ALIAS: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders:live";

fn target() -> Target {
    let place = json!({ "kind": "state_machine_alias", "state_machine_alias": ALIAS });
    Target {
        name: "flow".parse().unwrap(),
        turn: 0,
        reach: Reach::default(),
        place: serde_json::from_value::<Place>(place).unwrap(),
    }
}

fn routed(routes: &'static [(u64, i32)]) -> Rule {
    mock!(States::describe_state_machine_alias).then_output(move || {
        let items = routes.iter().map(|(version, weight)| {
            let version = format!("{MACHINE}:{version}");
            let item =
                RoutingConfigurationListItem::builder().state_machine_version_arn(version).weight(*weight);
            item.build().unwrap()
        });
        DescribeStateMachineAliasOutput::builder()
            .name("live")
            .set_routing_configuration(Some(items.collect()))
            .creation_date(DateTime::from_secs(1_772_445_600))
            .build()
    })
}

fn published(versions: &'static [u64]) -> Rule {
    mock!(States::list_state_machine_versions).then_output(move || {
        let items = versions.iter().map(|version| {
            StateMachineVersionListItem::builder()
                .state_machine_version_arn(format!("{MACHINE}:{version}"))
                .creation_date(DateTime::from_secs(1_772_445_600))
                .build()
                .unwrap()
        });
        ListStateMachineVersionsOutput::builder()
            .set_state_machine_versions(Some(items.collect()))
            .build()
            .unwrap()
    })
}

/// Refuses a call with an error, however often it is tried.
macro_rules! refusing {
    ($call:ident, $error:expr) => {
        mock!(States::$call).sequence().http_status(400, Some(refusal($error))).repeatedly().build()
    };
}

fn updates() -> Rule {
    mock!(States::update_state_machine_alias).then_output(|| {
        UpdateStateMachineAliasOutput::builder()
            .update_date(DateTime::from_secs(1_772_445_600))
            .build()
            .unwrap()
    })
}

async fn sighted(rules: &[&Rule]) -> (Scene, Sighting) {
    let scene = Scene::new(rules);
    let sighting = scene.aws.sight(&target()).await;
    (scene, sighting)
}

#[track_caller]
fn live(sighting: Sighting) -> Live {
    match sighting {
        Sighting::Place(live) => *live,
        other => panic!("{other:?}"),
    }
}

/// The call that leads from these routes to a share of version 2.
fn call_from(live: &Live, percent: u32) -> Call {
    let wanted = Wanted { stable: v(1), candidate: v(2), weight: Weight::from_percent(percent) };
    match target().place.way_to(&live.seen, &Aim::Serve(wanted)) {
        Way::Call { call, is_claimed: true } => call,
        other => panic!("{other:?}"),
    }
}

async fn taken(call: Call, rules: &[&Rule]) -> (Scene, Option<Interruption>) {
    let scene = Scene::new(rules);
    let step = Step::Turn(Box::new(Turn { target: target(), call }));
    let taken = take(&scene.aws, &vec![vec![step]], clock).await;
    (scene, taken.interruption)
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_seen_with_the_versions_that_there_are() {
    let (scene, sighting) = sighted(&[&routed(&[(1, 90), (2, 10)]), &published(&[2, 1])]).await;
    insta::assert_snapshot!(scene.calls(), @r"
    states:DescribeStateMachineAlias arn:aws:states:eu-west-1:123456789012:stateMachine:orders:live
    states:ListStateMachineVersions arn:aws:states:eu-west-1:123456789012:stateMachine:orders, 1000 at most
    ");
    let live = live(sighting);
    assert_eq!(live.traffic.to_string(), "1 on 90%, 2 on 10%");
    let Seen::StateMachineAlias(seen) = live.seen else { panic!("{live:?}") };
    assert_eq!(seen.published, Some(vec![v(2), v(1)]));
}

#[tokio::test(start_paused = true)]
async fn versions_that_may_not_be_listed_stop_no_way_back() {
    let denied = refusing!(list_state_machine_versions, "AccessDeniedException");
    let (_, sighting) = sighted(&[&routed(&[(2, 100)]), &denied]).await;
    let live = live(sighting);
    assert_eq!(live.traffic.to_string(), "2 on 100%");
    assert!(call_from(&live, 0).to_string().ends_with("to 1 on 100%; it was 2 on 100%"));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_is_missing_and_one_that_cannot_be_seen_is_not() {
    let gone = refusing!(describe_state_machine_alias, "ResourceNotFound");
    let (_, sighting) = sighted(&[&gone, &published(&[1])]).await;
    assert_eq!(sighting, Sighting::Missing);
    for error in ["AccessDeniedException", "InvalidArn"] {
        let refused = refusing!(describe_state_machine_alias, error);
        let (_, sighting) = sighted(&[&refused, &published(&[1])]).await;
        let Sighting::Unseen { why } = sighting else { panic!("{sighting:?}") };
        let subject = format!("states:DescribeStateMachineAlias of states:{ALIAS} failed: ");
        assert!(why.starts_with(&subject) && why.contains(error), "{why}");
    }
    let (_, sighting) = sighted(&[&routed(&[]), &published(&[1])]).await;
    let Sighting::Unseen { why } = sighting else { panic!("{sighting:?}") };
    assert!(why.ends_with("it has 0 routes, and not 1 or 2"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn every_route_is_sent_with_its_share() {
    let seen = async |routes| live(sighted(&[&routed(routes), &published(&[1, 2])]).await.1);
    let at_tenth = seen(&[(1, 90), (2, 10)]).await;
    let back = json!([{ "stateMachineVersionArn": format!("{MACHINE}:1"), "weight": 100 }]);
    let split = json!([
        { "stateMachineVersionArn": format!("{MACHINE}:1"), "weight": 75 },
        { "stateMachineVersionArn": format!("{MACHINE}:2"), "weight": 25 },
    ]);
    for (percent, routes) in [(0, back), (25, split)] {
        // Twice in a row: Step Functions takes the same routes again without changing anything.
        for _ in 0..2 {
            let (scene, interruption) = taken(call_from(&at_tenth, percent), &[&updates()]).await;
            assert_eq!(interruption, None);
            let body: Value = serde_json::from_str(&scene.bodies().concat()).unwrap();
            assert_eq!(body, json!({ "stateMachineAliasArn": ALIAS, "routingConfiguration": routes }));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_changed_since_is_looked_at_again_and_the_rest_has_failed() {
    let (_, sighting) = sighted(&[&routed(&[(2, 100)]), &published(&[1, 2])]).await;
    let call = call_from(&live(sighting), 0);
    let subject = format!("states:UpdateStateMachineAlias of states:{ALIAS} failed: ");
    for error in ["ConflictException", "ResourceNotFound"] {
        let (_, interruption) = taken(call.clone(), &[&refusing!(update_state_machine_alias, error)]).await;
        let Some(Interruption::Raced { what }) = interruption else { panic!("{error}: {interruption:?}") };
        assert!(what.starts_with(&subject) && what.contains("made up"), "{what}");
    }
    for error in ["ValidationException", "AccessDeniedException", "StateMachineDeleting"] {
        let (_, interruption) = taken(call.clone(), &[&refusing!(update_state_machine_alias, error)]).await;
        let Some(Interruption::Failed { why }) = interruption else { panic!("{error}: {interruption:?}") };
        assert!(why.starts_with(&subject) && why.contains(error), "{why}");
    }
}
