//! Stacks: what is asked of CloudFormation and of the ledger, what the answers are taken for, and what is sent.

use aws_sdk_cloudformation::Client as CloudFormation;
use aws_sdk_cloudformation::operation::describe_stack_events::DescribeStackEventsOutput;
use aws_sdk_cloudformation::operation::describe_stacks::DescribeStacksOutput;
use aws_sdk_cloudformation::operation::get_template::GetTemplateOutput;
use aws_sdk_cloudformation::operation::update_stack::UpdateStackOutput;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{
    Capability, Parameter, RollbackConfiguration, RollbackTrigger, Stack, StackEvent, StackStatus,
};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_smithy_mocks::{Rule, mock};
use ripcord::aws::{Interruption, KeepError, TEMPLATE_BYTES_MAX, Triggers, take};
use ripcord::names::Version;
use ripcord::place::stack::{Seen, Stack as Place_};
use ripcord::place::{Aim, Call, Live, Place, Seen as PlaceSeen, Wanted, Way};
use ripcord::plan::{Step, Turn};
use ripcord::registration::{Reach, Target};
use ripcord::situation::Sighting;
use serde_json::json;

use super::super::scene::{Item, Scene, clock, item, writes};
use crate::worlds::SERVICE;

const ALARM: &str = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors";
const LEDGER: &str = "stack#eu-west-1#checkout";

fn target() -> Target {
    let place = json!({ "kind": "stack", "stack": "checkout" });
    Target {
        name: "stack".parse().unwrap(),
        turn: 0,
        reach: Reach::default(),
        place: serde_json::from_value::<Place>(place).unwrap(),
    }
}

fn coordinates() -> Place_ {
    serde_json::from_value(json!({ "stack": "checkout" })).unwrap()
}

fn parameter(key: &str, value: &str) -> Parameter {
    Parameter::builder().parameter_key(key).parameter_value(value).build()
}

/// The stack in this status.
fn described(status: StackStatus) -> Stack {
    let trigger = RollbackTrigger::builder().arn(ALARM).r#type("AWS::CloudWatch::Alarm").build();
    Stack::builder()
        .stack_name("checkout")
        .creation_time(DateTime::from_secs(1_767_000_000))
        .last_updated_time(DateTime::from_secs(1_767_261_600))
        .stack_status(status)
        .parameters(parameter("Size", "2"))
        .parameters(parameter("Password", "****"))
        .capabilities(Capability::CapabilityIam)
        .role_arn("arn:aws:iam::123456789012:role/deployer")
        .rollback_configuration(RollbackConfiguration::builder().rollback_triggers(trigger).build())
        .build()
}

fn describes(stack: Stack) -> Rule {
    mock!(CloudFormation::describe_stacks)
        .then_output(move || DescribeStacksOutput::builder().stacks(stack.clone()).build())
}

fn has_template(template: &'static str) -> Rule {
    mock!(CloudFormation::get_template)
        .then_output(move || GetTemplateOutput::builder().template_body(template).build())
}

fn has_event(token: Option<&'static str>) -> Rule {
    mock!(CloudFormation::describe_stack_events).then_output(move || {
        let event = StackEvent::builder().set_client_request_token(token.map(str::to_owned)).build();
        DescribeStackEventsOutput::builder().stack_events(event).build()
    })
}

/// What the ledger keeps of the stack, by how the sort keys begin.
fn keeps(prefix: &'static str, items: Vec<Item>) -> Rule {
    mock!(DynamoDb::query)
        .match_requests(move |query| {
            let values = query.expression_attribute_values().unwrap();
            let is = |name: &str, text: &str| values.get(name).unwrap().as_s().unwrap() == text;
            is(":pk", LEDGER) && is(":prefix", prefix)
        })
        .then_output(move || QueryOutput::builder().set_items(Some(items.clone())).build())
}

fn kept(versions: &[&str]) -> Rule {
    let entry = |version: &&str| item(LEDGER, format!("kept#{version}"), &json!({ "version": version }));
    keeps("kept#", versions.iter().map(entry).collect())
}

/// An error as CloudFormation writes it.
fn refusal(code: &str, message: &str) -> String {
    format!(
        r#"<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"#
    )
}

macro_rules! refusing {
    ($call:ident, $code:expr, $message:expr) => {
        mock!(CloudFormation::$call)
            .sequence()
            .http_status(400, Some(refusal($code, $message)))
            .repeatedly()
            .build()
    };
}

async fn sighted(rules: &[&Rule]) -> (Scene, Sighting) {
    let scene = Scene::new(rules);
    let sighting = scene.aws.sight(&target()).await;
    (scene, sighting)
}

#[track_caller]
fn live(sighting: Sighting) -> (String, Seen) {
    match sighting {
        Sighting::Place(live) => match *live {
            Live { traffic, seen: PlaceSeen::Stack(seen), .. } => (traffic.to_string(), *seen),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// The stack as it is at rest, under a template.
async fn seen(template: &'static str) -> Seen {
    let rules = [
        &describes(described(StackStatus::UpdateComplete)),
        &has_template(template),
        &has_event(None),
        &kept(&["t-0000000000000001"]),
    ];
    live(sighted(&rules).await.1).1
}

const STABLE: &str = "t-0000000000000001";

#[track_caller]
fn way_back(seen: Seen) -> Way {
    let wanted = Wanted::back(STABLE.parse().unwrap(), seen.deployed);
    target().place.way_to(&PlaceSeen::Stack(Box::new(seen)), &Aim::Serve(wanted))
}

#[track_caller]
fn call_back(seen: Seen) -> Call {
    match way_back(seen) {
        Way::Call { call, .. } => call,
        other => panic!("{other:?}"),
    }
}

async fn moved(scene: &Scene, call: Call) -> Option<Interruption> {
    let step = Step::Turn(Box::new(Turn { target: target(), call }));
    take(&scene.aws, &vec![vec![step]], clock).await.interruption
}

/// The template of the stable version, with a secret.
fn template() -> Rule {
    let kept = json!({
        "template": "Resources: {}",
        "parameters": [{ "key": "Size", "value": "1" }, { "key": "Password", "value": null }],
        "capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    });
    keeps("template#t-0000000000000001#", vec![item(LEDGER, "template#t-0000000000000001#", &kept)])
}

fn updates() -> Rule {
    mock!(CloudFormation::update_stack).then_output(|| UpdateStackOutput::builder().stack_id("s").build())
}

#[tokio::test(start_paused = true)]
async fn everything_is_asked_for_at_once_and_kept_for_the_decision() {
    let rules = [
        &describes(described(StackStatus::UpdateInProgress)),
        &has_template("Resources: {}"),
        &has_event(Some("ripcord-to-t-0000000000000001-5")),
        &kept(&["t-0000000000000001", "t-0000000000000002"]),
    ];
    let (scene, sighting) = sighted(&rules).await;
    let (traffic, seen) = live(sighting);
    assert_eq!(traffic, format!("{} on 100%", seen.deployed));
    assert_eq!(seen.operation.as_deref(), Some("ripcord-to-t-0000000000000001-5"));
    assert_eq!(seen.kept.iter().map(Version::as_str).collect::<Vec<_>>(), [STABLE, "t-0000000000000002"]);
    assert_eq!(
        (seen.triggers, seen.status.to_string()),
        (vec![ALARM.to_owned()], "UPDATE_IN_PROGRESS".to_owned())
    );
    assert_eq!(seen.changed_at.to_string(), "2026-01-01T10:00:00Z");
    let mut calls = scene.call_names();
    calls.sort();
    let expected = [
        "cloudformation:DescribeStackEvents",
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplate",
        "dynamodb:Query",
    ];
    assert_eq!(calls, expected);
    assert!(scene.calls().contains("cloudformation:GetTemplate checkout Original"));
}

#[tokio::test(start_paused = true)]
async fn a_version_is_the_template_and_the_parameters_in_whatever_order() {
    let version = async |template, parameters: Vec<Parameter>| {
        let mut stack = described(StackStatus::UpdateComplete);
        stack.parameters = Some(parameters);
        let rules = [&describes(stack), &has_template(template), &has_event(None), &kept(&[])];
        live(sighted(&rules).await.1).1.deployed
    };
    let (a, b) = (parameter("A", "1"), parameter("B", "2"));
    let first = version("one", vec![a.clone(), b.clone()]).await;
    assert_eq!(version("one", vec![b.clone(), a.clone()]).await, first);
    assert_ne!(version("two", vec![a.clone(), b.clone()]).await, first);
    assert_ne!(version("one", vec![a.clone(), parameter("B", "3")]).await, first);
    assert_ne!(version("one", vec![parameter("A", "1B2")]).await, first);
    assert_eq!((first.as_str().len(), &first.as_str()[..2]), (18, "t-"));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_is_missing_and_one_that_cannot_be_seen_is_not() {
    let gone = "Stack with id checkout does not exist";
    let rules = [
        &refusing!(describe_stacks, "ValidationError", gone),
        &refusing!(get_template, "ValidationError", gone),
        &refusing!(describe_stack_events, "ValidationError", gone),
        &kept(&[]),
    ];
    assert_eq!(sighted(&rules).await.1, Sighting::Missing);
    let denied = |call: &str| match call {
        "DescribeStacks" => refusing!(describe_stacks, "AccessDenied", "no"),
        "GetTemplate" => refusing!(get_template, "AccessDenied", "no"),
        other => {
            assert_eq!(other, "DescribeStackEvents");
            refusing!(describe_stack_events, "AccessDenied", "no")
        }
    };
    for call in ["DescribeStacks", "GetTemplate", "DescribeStackEvents"] {
        let rules = [
            &denied(call),
            &describes(described(StackStatus::UpdateComplete)),
            &has_template("Resources: {}"),
            &has_event(None),
            &kept(&[]),
        ];
        let (_, sighting) = sighted(&rules).await;
        let Sighting::Unseen { why } = sighting else { panic!("{call}: {sighting:?}") };
        assert!(why.starts_with(&format!("cloudformation:{call} of checkout failed: ")), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_kept_template_is_deployed_with_its_parameters_and_without_triggers() {
    let scene = Scene::new(&[&template(), &updates()]);
    assert_eq!(moved(&scene, call_back(seen("Resources: {new: 1}").await)).await, None);
    assert_eq!(scene.call_names(), ["dynamodb:Query", "cloudformation:UpdateStack"]);
    let body = scene.bodies().pop().unwrap();
    let mut fields: Vec<_> = body.split('&').collect();
    fields.sort_unstable();
    let expected = [
        "Action=UpdateStack",
        "Capabilities.member.1=CAPABILITY_IAM",
        "Capabilities.member.2=CAPABILITY_AUTO_EXPAND",
        "ClientRequestToken=ripcord-to-t-0000000000000001-1767261600000",
        "Parameters.member.1.ParameterKey=Size",
        "Parameters.member.1.ParameterValue=1",
        "Parameters.member.2.ParameterKey=Password",
        "Parameters.member.2.UsePreviousValue=true",
        "RollbackConfiguration.MonitoringTimeInMinutes=0",
        "RollbackConfiguration.RollbackTriggers=",
        "StackName=checkout",
        "TemplateBody=Resources%3A%20%7B%7D",
        "Version=2010-05-15",
    ];
    assert_eq!(fields, expected);
}

#[tokio::test(start_paused = true)]
async fn an_update_under_way_is_cancelled_and_a_failed_one_rolled_back_by_a_token_of_what_was_seen() {
    let at =
        async |status: StackStatus| Seen { status: status.as_str().to_owned().into(), ..seen("new").await };
    for (status, name, rule) in [
        (
            StackStatus::UpdateInProgress,
            "cloudformation:CancelUpdateStack checkout ripcord-cancel-1767261600000",
            mock!(CloudFormation::cancel_update_stack).then_output(|| {
                aws_sdk_cloudformation::operation::cancel_update_stack::CancelUpdateStackOutput::builder()
                    .build()
            }),
        ),
        (
            StackStatus::UpdateFailed,
            "cloudformation:RollbackStack checkout ripcord-rollback-1767261600000",
            mock!(CloudFormation::rollback_stack).then_output(|| {
                aws_sdk_cloudformation::operation::rollback_stack::RollbackStackOutput::builder().build()
            }),
        ),
    ] {
        let scene = Scene::new(&[&rule]);
        let call = call_back(at(status).await);
        // Twice in a row: it is the same call with the same token.
        assert_eq!(moved(&scene, call.clone()).await, None);
        assert_eq!(moved(&scene, call).await, None);
        assert_eq!(scene.calls(), format!("{name}\n{name}"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_is_awaited_until_the_stack_shows_it() {
    let before = [
        &describes(described(StackStatus::UpdateComplete)),
        &has_template("new"),
        &has_event(None),
        &kept(&[STABLE]),
        &template(),
        &updates(),
    ];
    let scene = Scene::new(&before);
    let look = async || live(scene.aws.sight(&target()).await).1;
    let call = call_back(look().await);
    assert_eq!(moved(&scene, call).await, None);
    let way = way_back(look().await);
    let Way::Coming { what } = way else { panic!("{way:?}") };
    assert!(what.starts_with("CloudFormation was asked for cloudformation:UpdateStack checkout"), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_makes_no_difference_is_there_and_an_earlier_try_counts() {
    let same = refusing!(update_stack, "ValidationError", "No updates are to be performed.");
    let rules = [
        &describes(described(StackStatus::UpdateComplete)),
        &has_template("new"),
        &has_event(None),
        &kept(&[STABLE]),
        &template(),
        &same,
    ];
    let scene = Scene::new(&rules);
    let look = async || live(scene.aws.sight(&target()).await).1;
    let call = call_back(look().await);
    // Twice in a row: there is still no difference.
    for _ in 0..2 {
        assert_eq!(moved(&scene, call.clone()).await, None);
        assert_eq!(way_back(look().await), Way::There);
    }
    let arrived = refusing!(update_stack, "TokenAlreadyExistsException", "it does");
    assert_eq!(moved(&Scene::new(&[&template(), &arrived]), call).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_has_moved_on_is_a_race_and_the_rest_has_failed() {
    let redeploy = call_back(seen("new").await);
    let moved_on = "Stack:arn:aws:cloudformation:eu-west-1:1:stack/checkout/1 is in UPDATE_IN_PROGRESS state and can not be updated.";
    let refused = refusing!(update_stack, "ValidationError", moved_on);
    let interruption = moved(&Scene::new(&[&template(), &refused]), redeploy.clone()).await;
    assert_eq!(interruption, Some(Interruption::Raced { what: format!("stack checkout: {moved_on}") }));
    let cancel = Seen { status: "UPDATE_IN_PROGRESS".to_owned().into(), ..seen("new").await };
    let ended = "CancelUpdateStack cannot be called from current stack status";
    let refused = refusing!(cancel_update_stack, "ValidationError", ended);
    let interruption = moved(&Scene::new(&[&refused]), call_back(cancel)).await;
    assert_eq!(interruption, Some(Interruption::Raced { what: format!("stack checkout: {ended}") }));
    let gone = keeps("template#t-0000000000000001#", Vec::new());
    let interruption = moved(&Scene::new(&[&gone]), redeploy.clone()).await;
    let what = "version t-0000000000000001 of stack checkout is no longer kept".to_owned();
    assert_eq!(interruption, Some(Interruption::Raced { what }));
    for (code, message) in [
        ("AccessDenied", "no"),
        ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"),
        ("ValidationError", "Parameters: [Size] do not exist in the template"),
    ] {
        let refused = refusing!(update_stack, code, message);
        let interruption = moved(&Scene::new(&[&template(), &refused]), redeploy.clone()).await;
        let Some(Interruption::Failed { why }) = interruption else { panic!("{interruption:?}") };
        assert!(
            why.starts_with("cloudformation:UpdateStack of checkout failed: ") && why.contains(message),
            "{why}"
        );
    }
}

async fn keep(status: StackStatus, template: &'static str) -> (Scene, Result<Version, KeepError>) {
    let scene = Scene::new(&[&describes(described(status)), &has_template(template), &writes()]);
    let service = SERVICE.parse().unwrap();
    let kept = scene.aws.keep_stack(&service, (&Reach::default(), &coordinates()), clock()).await;
    (scene, kept)
}

#[tokio::test(start_paused = true)]
async fn what_a_stack_is_deployed_from_is_kept_under_its_digest() {
    let (scene, version) = keep(StackStatus::UpdateComplete, "Resources: {}").await;
    let version = version.unwrap();
    let written = scene.written();
    let doc = |key: String| {
        let item = &written[&(LEDGER.to_owned(), key)];
        serde_json::from_str::<serde_json::Value>(item["doc"].as_s().unwrap()).unwrap()
    };
    let parameters = json!([{ "key": "Size", "value": "2" }, { "key": "Password", "value": null }]);
    assert_eq!(
        doc(format!("template#{version}#")),
        json!({ "template": "Resources: {}", "parameters": parameters, "capabilities": ["CAPABILITY_IAM"] })
    );
    assert_eq!(doc(format!("kept#{version}"))["template_bytes"], 13);
    assert_eq!(written.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_deployed_again_is_refused_by_name() {
    let (_, at_limit) = keep(StackStatus::UpdateComplete, "x".repeat(TEMPLATE_BYTES_MAX).leak()).await;
    assert!(at_limit.is_ok(), "{at_limit:?}");
    let (scene, past_it) = keep(StackStatus::UpdateComplete, "x".repeat(TEMPLATE_BYTES_MAX + 1).leak()).await;
    assert_eq!(
        past_it.unwrap_err().to_string(),
        "the template of stack checkout has 51201 bytes, and UpdateStack takes 51200: move parts of it into nested stacks, or register no stack"
    );
    assert!(scene.written().is_empty());
    let (_, unsettled) = keep(StackStatus::UpdateInProgress, "x").await;
    assert_eq!(
        unsettled.unwrap_err().to_string(),
        "stack checkout is UPDATE_IN_PROGRESS: its template is kept once it is complete"
    );
}

/// The same stack with rollback triggers in its registration.
fn with_triggers() -> ripcord::place::stack::Stack {
    let alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-errors";
    let triggers = json!({ "alarms": [alarm], "monitoring_minutes": 30 });
    serde_json::from_value(json!({ "stack": "checkout", "rollback_triggers": triggers })).unwrap()
}

#[tokio::test(start_paused = true)]
async fn rollback_triggers_are_written_and_everything_else_stays() {
    let described = || describes(described(StackStatus::UpdateComplete));
    let written = mock!(CloudFormation::update_stack)
        .match_requests(|update| {
            let wanted = update.rollback_configuration().unwrap();
            let parameters = update.parameters();
            update.use_previous_template() == Some(true)
                && update.template_body().is_none()
                && parameters.iter().all(|parameter| parameter.use_previous_value() == Some(true))
                && wanted.monitoring_time_in_minutes() == Some(30)
                && wanted.rollback_triggers()[0].r#type() == Some("AWS::CloudWatch::Alarm")
        })
        .then_output(|| UpdateStackOutput::builder().build());
    let scene = Scene::new(&[&described(), &has_template("{}"), &written]);
    let answer = scene.aws.write_rollback_triggers(&Reach::default(), &with_triggers()).await;
    assert_eq!(answer, Ok(Triggers::Written));

    // CloudFormation takes them only along with a change, and says so by finding nothing to do.
    let refused = refusing!(update_stack, "ValidationError", "No updates are to be performed.");
    let scene = Scene::new(&[&described(), &has_template("{}"), &refused]);
    let answer = scene.aws.write_rollback_triggers(&Reach::default(), &with_triggers()).await;
    assert_eq!(answer, Ok(Triggers::WithNextDeployment));

    // Where none are registered, nothing is asked.
    let scene = Scene::new(&[]);
    let none = serde_json::from_value(json!({ "stack": "checkout" })).unwrap();
    assert_eq!(
        scene.aws.write_rollback_triggers(&Reach::default(), &none).await,
        Ok(Triggers::AsTheyShouldBe)
    );
}
