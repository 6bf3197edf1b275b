//! What is sent: all that was seen, with other weights.

use aws_sdk_elasticloadbalancingv2::operation::modify_listener::ModifyListenerOutput;
use aws_sdk_elasticloadbalancingv2::operation::modify_rule::ModifyRuleOutput;
use aws_sdk_elasticloadbalancingv2::types::{
    AuthenticateCognitoActionConditionalBehaviorEnum, AuthenticateCognitoActionConfig,
    AuthenticateOidcActionConfig, JwtValidationActionAdditionalClaim,
    JwtValidationActionAdditionalClaimFormatEnum, JwtValidationActionConfig,
};
use ripcord::aws::{Interruption, take};
use ripcord::names::{Version, Weight};
use ripcord::place::{Aim, Call, Wanted, Way};
use ripcord::plan::{Step, Turn};

use super::super::super::scene::clock;
use super::*;

fn back() -> Wanted {
    let version = |name: &str| name.parse::<Version>().unwrap();
    Wanted::back(version("blue"), version("green"))
}

/// The call that leads to what is wanted from where these actions are.
async fn call_from(target: &Target, actions: Vec<Action>, wanted: Wanted) -> Call {
    let ([listener, rule], [blue, green]) = (described(actions), healthy());
    let (_, sighting) = sighted(target, &[&listener, &rule, &blue, &green]).await;
    let Sighting::Place(live) = sighting else { panic!("{sighting:?}") };
    match target.place.way_to(&live.seen, &Aim::Serve(wanted)) {
        Way::Call { call, is_claimed: true } => call,
        other => panic!("{other:?}"),
    }
}

async fn taken(target: &Target, call: Call, rule: &Rule) -> (Scene, Option<Interruption>) {
    let scene = Scene::new(&[rule]);
    let step = Step::Turn(Box::new(Turn { target: target.clone(), call }));
    let taken = take(&scene.aws, &vec![vec![step]], clock).await;
    (scene, taken.interruption)
}

fn modifies() -> Rule {
    mock!(LoadBalancers::modify_listener).then_output(|| ModifyListenerOutput::builder().build())
}

/// A form as it went over the wire, a field a line.
fn fields(scene: &Scene) -> String {
    let body = scene.bodies().pop().unwrap();
    let fields =
        body.split('&').map(|field| field.replace("%3A", ":").replace("%2F", "/").replace("%20", " "));
    fields.collect::<Vec<_>>().join("\n").replace("arn:aws:elasticloadbalancing:eu-west-1:123456789012:", "…")
}

#[tokio::test(start_paused = true)]
async fn every_group_is_sent_each_time_and_stickiness_with_them() {
    let actions = vec![forward(vec![share("blue", 60), share("others", 30), share("green", 10)])];
    let target = target(LISTENER);
    let call = call_from(&target, actions, back()).await;
    let (scene, interruption) = taken(&target, call, &modifies()).await;
    assert_eq!(interruption, None);
    insta::assert_snapshot!(fields(&scene), @r"
    Action=ModifyListener
    Version=2015-12-01
    ListenerArn=…listener/app/web/0a1b/2c3d
    DefaultActions.member.1.Type=forward
    DefaultActions.member.1.Order=2
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=…targetgroup/blue/0123456789abcdef
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.Weight=70
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn=…targetgroup/green/0123456789abcdef
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.2.Weight=0
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.3.TargetGroupArn=…targetgroup/others/0123456789abcdef
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.3.Weight=30
    DefaultActions.member.1.ForwardConfig.TargetGroupStickinessConfig.Enabled=true
    DefaultActions.member.1.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds=60
    ");
}

#[tokio::test(start_paused = true)]
async fn a_rule_keeps_its_conditions_because_only_its_actions_are_sent() {
    let target = target(RULE);
    let wanted = Wanted { weight: Weight::from_percent(50), ..back() };
    let call = call_from(&target, split(), wanted).await;
    let modifies = mock!(LoadBalancers::modify_rule).then_output(|| ModifyRuleOutput::builder().build());
    let (scene, interruption) = taken(&target, call, &modifies).await;
    assert_eq!(interruption, None);
    insta::assert_snapshot!(fields(&scene), @r"
    Action=ModifyRule
    Version=2015-12-01
    RuleArn=…listener-rule/app/web/0a1b/2c3d/4e5f
    Actions.member.1.Type=forward
    Actions.member.1.Order=2
    Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=…targetgroup/blue/0123456789abcdef
    Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight=50
    Actions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn=…targetgroup/green/0123456789abcdef
    Actions.member.1.ForwardConfig.TargetGroups.member.2.Weight=50
    Actions.member.1.ForwardConfig.TargetGroupStickinessConfig.Enabled=true
    Actions.member.1.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds=60
    ");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_alone_is_joined_by_the_other() {
    let old = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group("blue")).build();
    let target = target(LISTENER);
    let wanted = Wanted { weight: Weight::from_percent(10), ..back() };
    let call = call_from(&target, vec![old], wanted).await;
    let (scene, _) = taken(&target, call, &modifies()).await;
    insta::assert_snapshot!(fields(&scene), @r"
    Action=ModifyListener
    Version=2015-12-01
    ListenerArn=…listener/app/web/0a1b/2c3d
    DefaultActions.member.1.Type=forward
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=…targetgroup/blue/0123456789abcdef
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.Weight=90
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn=…targetgroup/green/0123456789abcdef
    DefaultActions.member.1.ForwardConfig.TargetGroups.member.2.Weight=10
    ");
}

#[tokio::test(start_paused = true)]
async fn a_listener_keeps_its_other_actions() {
    let oidc = AuthenticateOidcActionConfig::builder()
        .issuer("https://id.example.com")
        .authorization_endpoint("https://id.example.com/authorize")
        .token_endpoint("https://id.example.com/token")
        .user_info_endpoint("https://id.example.com/me")
        .client_id("web")
        .session_cookie_name("session")
        .scope("openid email")
        .session_timeout(3600)
        .authentication_request_extra_params("prompt", "login")
        .build();
    let first = Action::builder().r#type(ActionTypeEnum::AuthenticateOidc).order(1);
    let target = target(LISTENER);
    let actions = [vec![first.authenticate_oidc_config(oidc).build()], split()].concat();
    let call = call_from(&target, actions, back()).await;
    let (scene, _) = taken(&target, call, &modifies()).await;
    insta::assert_snapshot!(fields(&scene), @r"
    Action=ModifyListener
    Version=2015-12-01
    ListenerArn=…listener/app/web/0a1b/2c3d
    DefaultActions.member.1.Type=authenticate-oidc
    DefaultActions.member.1.AuthenticateOidcConfig.Issuer=https://id.example.com
    DefaultActions.member.1.AuthenticateOidcConfig.AuthorizationEndpoint=https://id.example.com/authorize
    DefaultActions.member.1.AuthenticateOidcConfig.TokenEndpoint=https://id.example.com/token
    DefaultActions.member.1.AuthenticateOidcConfig.UserInfoEndpoint=https://id.example.com/me
    DefaultActions.member.1.AuthenticateOidcConfig.ClientId=web
    DefaultActions.member.1.AuthenticateOidcConfig.SessionCookieName=session
    DefaultActions.member.1.AuthenticateOidcConfig.Scope=openid email
    DefaultActions.member.1.AuthenticateOidcConfig.SessionTimeout=3600
    DefaultActions.member.1.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.1.key=prompt
    DefaultActions.member.1.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.1.value=login
    DefaultActions.member.1.AuthenticateOidcConfig.UseExistingClientSecret=true
    DefaultActions.member.1.Order=1
    DefaultActions.member.2.Type=forward
    DefaultActions.member.2.Order=2
    DefaultActions.member.2.ForwardConfig.TargetGroups.member.1.TargetGroupArn=…targetgroup/blue/0123456789abcdef
    DefaultActions.member.2.ForwardConfig.TargetGroups.member.1.Weight=100
    DefaultActions.member.2.ForwardConfig.TargetGroups.member.2.TargetGroupArn=…targetgroup/green/0123456789abcdef
    DefaultActions.member.2.ForwardConfig.TargetGroups.member.2.Weight=0
    DefaultActions.member.2.ForwardConfig.TargetGroupStickinessConfig.Enabled=true
    DefaultActions.member.2.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds=60
    ");
}

#[tokio::test(start_paused = true)]
async fn each_way_of_asking_who_it_is_goes_back_as_it_came() {
    let cognito = AuthenticateCognitoActionConfig::builder()
        .user_pool_arn("arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_a1b2c3")
        .user_pool_client_id("web")
        .user_pool_domain("shop")
        .session_cookie_name("session")
        .scope("openid")
        .session_timeout(60)
        .authentication_request_extra_params("prompt", "login")
        .on_unauthenticated_request(AuthenticateCognitoActionConditionalBehaviorEnum::Deny)
        .build();
    let claim = JwtValidationActionAdditionalClaim::builder()
        .format(JwtValidationActionAdditionalClaimFormatEnum::StringArray)
        .name("groups")
        .values("buyers")
        .build();
    let jwt = JwtValidationActionConfig::builder()
        .jwks_endpoint("https://id.example.com/keys")
        .issuer("https://id.example.com")
        .additional_claims(claim)
        .build();
    let cognito = Action::builder()
        .r#type(ActionTypeEnum::AuthenticateCognito)
        .order(1)
        .authenticate_cognito_config(cognito)
        .build();
    let jwt =
        Action::builder().r#type(ActionTypeEnum::JwtValidation).order(1).jwt_validation_config(jwt).build();
    for first in [cognito, jwt] {
        let target = target(LISTENER);
        let call = call_from(&target, [vec![first.clone()], split()].concat(), back()).await;
        let is_as_it_came = move |actions: &[Action]| actions.first() == Some(&first) && actions.len() == 2;
        let modifies = mock!(LoadBalancers::modify_listener)
            .match_requests(move |modify| is_as_it_came(modify.default_actions()))
            .then_output(|| ModifyListenerOutput::builder().build());
        assert_eq!(taken(&target, call, &modifies).await.1, None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_call_twice_is_the_same_on_the_wire() {
    let target = target(LISTENER);
    let call = call_from(&target, split(), back()).await;
    let (first, _) = taken(&target, call.clone(), &modifies()).await;
    let (second, interruption) = taken(&target, call, &modifies()).await;
    assert_eq!((interruption, first.bodies()), (None, second.bodies()));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_by_now_is_looked_at_again_and_what_is_refused_has_failed() {
    for (code, is_race) in [
        ("ListenerNotFound", true),
        ("TargetGroupNotFound", true),
        ("AccessDenied", false),
        ("InvalidConfigurationRequest", false),
        ("TooManyTargets", false),
    ] {
        let target = target(LISTENER);
        let call = call_from(&target, split(), back()).await;
        let refuses = mock!(LoadBalancers::modify_listener).then_http_response(|| refuses(400, code));
        match taken(&target, call, &refuses).await.1 {
            Some(Interruption::Raced { what }) => {
                assert!(is_race && what.contains("listener/app/web/0a1b/2c3d"), "{code}: {what}");
            }
            Some(Interruption::Failed { why }) => {
                assert!(!is_race && why.contains("elasticloadbalancing:ModifyListener of"), "{code}: {why}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
    for (code, is_race) in
        [("RuleNotFound", true), ("TargetGroupNotFound", true), ("OperationNotPermitted", false)]
    {
        let target = target(RULE);
        let call = call_from(&target, split(), back()).await;
        let refuses = mock!(LoadBalancers::modify_rule).then_http_response(|| refuses(400, code));
        let interruption = taken(&target, call, &refuses).await.1;
        assert_eq!(
            matches!(interruption, Some(Interruption::Raced { .. })),
            is_race,
            "{code}: {interruption:?}"
        );
        assert!(interruption.is_some());
    }
}
