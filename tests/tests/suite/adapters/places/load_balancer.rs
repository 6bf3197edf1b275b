//! Listeners and rules of load balancers: what is asked of them, what their answers are taken for, and what is sent.

use aws_sdk_elasticloadbalancingv2::Client as LoadBalancers;
use aws_sdk_elasticloadbalancingv2::config::http::HttpResponse;
use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_target_health::DescribeTargetHealthOutput;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, Listener, RedirectActionConfig,
    RedirectActionStatusCodeEnum, Rule as ListenerRule, TargetGroupStickinessConfig, TargetGroupTuple,
    TargetHealth, TargetHealthDescription, TargetHealthReasonEnum, TargetHealthStateEnum,
};
use aws_smithy_mocks::{Rule, mock};
use ripcord::place::load_balancer::{Counts, Health, Seen};
use ripcord::place::{Live, Place, Seen as PlaceSeen};
use ripcord::registration::{Reach, Target};
use ripcord::situation::Sighting;
use serde_json::json;

use super::super::scene::Scene;

mod moving;

const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/0a1b/2c3d";
const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/web/0a1b/2c3d/4e5f";

fn group(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{name}/0123456789abcdef")
}

fn target(rule: &str) -> Target {
    let groups = [group("blue"), group("green")];
    let place = json!({"kind": "load_balancer", "rule": rule, "target_groups": groups});
    Target {
        name: "web".parse().unwrap(),
        turn: 0,
        reach: Reach::default(),
        place: serde_json::from_value::<Place>(place).unwrap(),
    }
}

fn share(name: &str, weight: i32) -> TargetGroupTuple {
    TargetGroupTuple::builder().target_group_arn(group(name)).weight(weight).build()
}

fn forward(shares: Vec<TargetGroupTuple>) -> Action {
    let config =
        ForwardActionConfig::builder().set_target_groups(Some(shares)).target_group_stickiness_config(
            TargetGroupStickinessConfig::builder().enabled(true).duration_seconds(60).build(),
        );
    Action::builder().r#type(ActionTypeEnum::Forward).order(2).forward_config(config.build()).build()
}

fn split() -> Vec<Action> {
    vec![forward(vec![share("blue", 90), share("green", 10)])]
}

/// What is said of the listener, or of the rule, every time.
fn described(actions: Vec<Action>) -> [Rule; 2] {
    let of_rule = actions.clone();
    let listener = mock!(LoadBalancers::describe_listeners)
        .match_requests(|describe| describe.listener_arns() == [LISTENER])
        .then_output(move || {
            let listener = Listener::builder().set_default_actions(Some(actions.clone())).build();
            DescribeListenersOutput::builder().listeners(listener).build()
        });
    let rule = mock!(LoadBalancers::describe_rules)
        .match_requests(|describe| describe.rule_arns() == [RULE])
        .then_output(move || {
            let rule = ListenerRule::builder().set_actions(Some(of_rule.clone())).is_default(false).build();
            DescribeRulesOutput::builder().rules(rule).build()
        });
    [listener, rule]
}

/// The states of a group's targets.
fn health_of(
    name: &'static str,
    states: Vec<(TargetHealthStateEnum, Option<TargetHealthReasonEnum>)>,
) -> Rule {
    mock!(LoadBalancers::describe_target_health)
        .match_requests(move |describe| describe.target_group_arn() == Some(group(name).as_str()))
        .then_output(move || {
            let described = states.iter().cloned().map(|(state, reason)| {
                let health = TargetHealth::builder().state(state).set_reason(reason).build();
                TargetHealthDescription::builder().target_health(health).build()
            });
            DescribeTargetHealthOutput::builder()
                .set_target_health_descriptions(Some(described.collect()))
                .build()
        })
}

fn healthy() -> [Rule; 2] {
    ["blue", "green"].map(|name| health_of(name, vec![(TargetHealthStateEnum::Healthy, None)]))
}

/// What a load balancer refuses with, on its own wire.
fn refuses(status: u16, code: &str) -> HttpResponse {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>made up</Message></Error></ErrorResponse>"
    );
    HttpResponse::new(status.try_into().unwrap(), body.into())
}

async fn sighted(target: &Target, rules: &[&Rule]) -> (Scene, Sighting) {
    let scene = Scene::new(rules);
    let sighting = scene.aws.sight(target).await;
    (scene, sighting)
}

#[track_caller]
fn seen(sighting: Sighting) -> (String, Seen) {
    match sighting {
        Sighting::Place(live) => match *live {
            Live { traffic, brought: _, seen: PlaceSeen::LoadBalancer(seen) } => (traffic.to_string(), *seen),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn counted(health: &Seen, name: &str) -> Counts {
    match health.health[&name.parse().unwrap()] {
        Health::Counted(counts) => counts,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_and_the_health_of_its_groups_are_asked_for_at_once() {
    let ([listener, _], [blue, green]) = (described(split()), healthy());
    let (scene, sighting) = sighted(&target(LISTENER), &[&listener, &blue, &green]).await;
    insta::assert_snapshot!(scene.calls(), @r"
    elasticloadbalancing:DescribeListeners arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/0a1b/2c3d
    elasticloadbalancing:DescribeTargetHealth arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/blue/0123456789abcdef
    elasticloadbalancing:DescribeTargetHealth arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/green/0123456789abcdef
    ");
    let (traffic, seen) = seen(sighting);
    assert_eq!(traffic, "blue on 90%, green on 10%");
    assert_eq!(counted(&seen, "blue"), Counts { registered: 1, able: 1, ..Counts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_rule_is_asked_for_as_a_rule() {
    let ([_, rule], [blue, green]) = (described(split()), healthy());
    let (scene, sighting) = sighted(&target(RULE), &[&rule, &blue, &green]).await;
    assert_eq!(scene.call_names()[0], "elasticloadbalancing:DescribeRules");
    assert_eq!(seen(sighting).0, "blue on 90%, green on 10%");
}

#[tokio::test(start_paused = true)]
async fn one_group_alone_has_everything_in_the_old_form_and_the_new() {
    let old = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group("green")).build();
    let mut both = forward(vec![share("green", 1)]);
    both.target_group_arn = Some(group("green"));
    for action in [old, both] {
        let ([listener, _], [blue, green]) = (described(vec![action]), healthy());
        let (_, sighting) = sighted(&target(LISTENER), &[&listener, &blue, &green]).await;
        assert_eq!(seen(sighting).0, "green on 100%");
    }
}

#[tokio::test(start_paused = true)]
async fn targets_are_counted_by_whether_they_can_take_requests() {
    use TargetHealthStateEnum as State;
    let ([listener, _], green) = (described(split()), health_of("green", Vec::new()));
    let of_blue = health_of(
        "blue",
        vec![
            (State::Healthy, None),
            // A function, whose health is not checked.
            (State::Unavailable, Some(TargetHealthReasonEnum::HealthCheckDisabled)),
            (State::Unavailable, Some(TargetHealthReasonEnum::InternalError)),
            (State::Unhealthy, Some(TargetHealthReasonEnum::Timeout)),
            (State::Initial, Some(TargetHealthReasonEnum::RegistrationInProgress)),
            (State::Unused, Some(TargetHealthReasonEnum::NotInUse)),
            (State::Draining, None),
            (State::UnhealthyDraining, None),
            (State::from("brand-new"), None),
        ],
    );
    let (_, sighting) = sighted(&target(LISTENER), &[&listener, &of_blue, &green]).await;
    let seen = seen(sighting).1;
    assert_eq!(counted(&seen, "blue"), Counts { registered: 7, able: 2, initial: 1, unused: 1 });
    assert_eq!(counted(&seen, "green"), Counts::default());
}

#[tokio::test(start_paused = true)]
async fn health_that_is_denied_or_of_a_group_that_is_gone_is_said() {
    let [listener, _] = described(split());
    let answers = |name: &'static str, status, code: &'static str| {
        mock!(LoadBalancers::describe_target_health)
            .match_requests(move |describe| describe.target_group_arn() == Some(group(name).as_str()))
            .then_http_response(move || refuses(status, code))
    };
    let (blue, green) = (answers("blue", 403, "AccessDenied"), answers("green", 400, "TargetGroupNotFound"));
    let (_, sighting) = sighted(&target(LISTENER), &[&listener, &blue, &green]).await;
    let (traffic, seen) = seen(sighting);
    assert_eq!(traffic, "blue on 90%, green on 10%");
    match &seen.health[&"blue".parse().unwrap()] {
        Health::Unread { why } => {
            assert!(why.starts_with("elasticloadbalancing:DescribeTargetHealth of blue failed"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(seen.health[&"green".parse().unwrap()], Health::Gone);
}

#[tokio::test(start_paused = true)]
async fn a_listener_or_rule_that_is_gone_is_missing() {
    let [blue, green] = healthy();
    let no_listener =
        mock!(LoadBalancers::describe_listeners).then_http_response(|| refuses(400, "ListenerNotFound"));
    let (_, sighting) = sighted(&target(LISTENER), &[&no_listener, &blue, &green]).await;
    assert_eq!(sighting, Sighting::Missing);
    let no_rule = mock!(LoadBalancers::describe_rules).then_http_response(|| refuses(400, "RuleNotFound"));
    let (_, sighting) = sighted(&target(RULE), &[&no_rule, &blue, &green]).await;
    assert_eq!(sighting, Sighting::Missing);
    let nothing = mock!(LoadBalancers::describe_rules).then_output(|| DescribeRulesOutput::builder().build());
    let (_, sighting) = sighted(&target(RULE), &[&nothing, &blue, &green]).await;
    assert_eq!(sighting, Sighting::Missing);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_not_missing() {
    let [blue, green] = healthy();
    let denied = mock!(LoadBalancers::describe_listeners).then_http_response(|| refuses(403, "AccessDenied"));
    let (_, sighting) = sighted(&target(LISTENER), &[&denied, &blue, &green]).await;
    match sighting {
        Sighting::Unseen { why } => {
            assert!(why.contains("elasticloadbalancing:DescribeListeners of arn:aws"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_forward_is_seen_as_what_it_is() {
    let redirect = Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(
        RedirectActionConfig::builder().status_code(RedirectActionStatusCodeEnum::Http302).build(),
    );
    let ([listener, _], [blue, green]) = (described(vec![redirect.build()]), healthy());
    let (_, sighting) = sighted(&target(LISTENER), &[&listener, &blue, &green]).await;
    let (traffic, seen) = seen(sighting);
    assert_eq!(traffic, "no-target-group on 100%");
    assert_eq!(seen.actions[0].act.to_string(), "a redirect (HTTP_302)");
}
