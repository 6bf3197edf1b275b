//! Actions between the SDK's form and the one that is kept. What AWS answers goes back as it came, but for the weights.

#![expect(
    clippy::disallowed_types,
    reason = "the SDK's maps are hash maps; nothing is decided by their order"
)]

use std::collections::{BTreeMap, HashMap};

use aws_sdk_elasticloadbalancingv2::types::{
    self as sdk, ActionTypeEnum, AuthenticateCognitoActionConfig, AuthenticateOidcActionConfig,
    JwtValidationActionAdditionalClaim, JwtValidationActionConfig,
};

use crate::place::load_balancer::{
    Act, Action, Claim, Cognito, Jwt, Oidc, Session, Sharing, Stickiness, Weighted,
};

/// A group that is forwarded to alone may come without a weight, and has everything.
const WEIGHT_ALONE: u16 = 1;

pub(super) fn seen(actions: &[sdk::Action]) -> Vec<Action> {
    actions.iter().map(|action| Action { order: action.order(), act: act(action) }).collect()
}

pub(super) fn sent(actions: &[Action]) -> Vec<sdk::Action> {
    // An answer stands alone, and what is unknown is never sent: the core blocks both.
    actions.iter().filter_map(|action| Some(to_sdk(&action.act)?.set_order(action.order).build())).collect()
}

fn act(action: &sdk::Action) -> Act {
    match action.r#type() {
        Some(ActionTypeEnum::Forward) => match sharing(action) {
            Some(sharing) => Act::Forward(sharing),
            None => Act::Unknown { kind: "forward without a target group that has an ARN".to_owned() },
        },
        Some(ActionTypeEnum::AuthenticateOidc) => {
            Act::AuthenticateOidc(Box::new(action.authenticate_oidc_config().map(oidc).unwrap_or_default()))
        }
        Some(ActionTypeEnum::AuthenticateCognito) => {
            let config = action.authenticate_cognito_config().map(cognito);
            Act::AuthenticateCognito(Box::new(config.unwrap_or_default()))
        }
        Some(ActionTypeEnum::JwtValidation) => {
            Act::ValidateJwt(action.jwt_validation_config().map(jwt).unwrap_or_default())
        }
        Some(ActionTypeEnum::Redirect) => {
            let status = action.redirect_config().and_then(|it| it.status_code()).map(|code| code.as_str());
            Act::Answer { with: format!("a redirect ({})", status.unwrap_or("no status")) }
        }
        Some(ActionTypeEnum::FixedResponse) => {
            let status = action.fixed_response_config().and_then(|it| it.status_code());
            Act::Answer { with: format!("a fixed response ({})", status.unwrap_or("no status")) }
        }
        Some(other) => Act::Unknown { kind: other.as_str().to_owned() },
        None => Act::Unknown { kind: "none".to_owned() },
    }
}

/// The groups of a forward. The old form names one group and no weights.
fn sharing(action: &sdk::Action) -> Option<Sharing> {
    let config = action.forward_config();
    let weighted = |arn: Option<&str>, weight: Option<i32>| {
        let weight = weight.map_or(Some(WEIGHT_ALONE), |weight| u16::try_from(weight).ok())?;
        Some(Weighted { group: arn?.parse().ok()?, weight })
    };
    let named = config.map(sdk::ForwardActionConfig::target_groups).unwrap_or_default();
    let groups: Vec<Weighted> = if named.is_empty() {
        vec![weighted(action.target_group_arn(), None)?]
    } else {
        named.iter().map(|group| weighted(group.target_group_arn(), group.weight())).collect::<Option<_>>()?
    };
    let stickiness = config.and_then(sdk::ForwardActionConfig::target_group_stickiness_config);
    let stickiness = stickiness.map(|stickiness| Stickiness {
        enabled: stickiness.enabled().unwrap_or_default(),
        duration_s: stickiness.duration_seconds(),
    });
    Some(Sharing { groups, stickiness })
}

fn oidc(config: &AuthenticateOidcActionConfig) -> Oidc {
    Oidc {
        issuer: owned(config.issuer()),
        authorization_endpoint: owned(config.authorization_endpoint()),
        token_endpoint: owned(config.token_endpoint()),
        user_info_endpoint: owned(config.user_info_endpoint()),
        client_id: owned(config.client_id()),
        session: Session {
            cookie_name: owned(config.session_cookie_name()),
            scope: owned(config.scope()),
            timeout_s: config.session_timeout(),
            extra_params: config.authentication_request_extra_params().map(sorted),
            on_unauthenticated_request: owned(config.on_unauthenticated_request().map(|what| what.as_str())),
        },
    }
}

fn cognito(config: &AuthenticateCognitoActionConfig) -> Cognito {
    Cognito {
        user_pool_arn: owned(config.user_pool_arn()),
        user_pool_client_id: owned(config.user_pool_client_id()),
        user_pool_domain: owned(config.user_pool_domain()),
        session: Session {
            cookie_name: owned(config.session_cookie_name()),
            scope: owned(config.scope()),
            timeout_s: config.session_timeout(),
            extra_params: config.authentication_request_extra_params().map(sorted),
            on_unauthenticated_request: owned(config.on_unauthenticated_request().map(|what| what.as_str())),
        },
    }
}

fn jwt(config: &JwtValidationActionConfig) -> Jwt {
    let claim = |claim: &JwtValidationActionAdditionalClaim| Claim {
        format: owned(claim.format().map(|format| format.as_str())),
        name: owned(claim.name()),
        values: claim.values.clone(),
    };
    Jwt {
        jwks_endpoint: owned(config.jwks_endpoint()),
        issuer: owned(config.issuer()),
        additional_claims: config.additional_claims.as_ref().map(|claims| claims.iter().map(claim).collect()),
    }
}

fn to_sdk(act: &Act) -> Option<sdk::builders::ActionBuilder> {
    let action = sdk::Action::builder();
    match act {
        Act::Forward(sharing) => {
            Some(action.r#type(ActionTypeEnum::Forward).forward_config(sharing_to_sdk(sharing)))
        }
        Act::AuthenticateOidc(oidc) => {
            Some(action.r#type(ActionTypeEnum::AuthenticateOidc).authenticate_oidc_config(oidc_to_sdk(oidc)))
        }
        Act::AuthenticateCognito(cognito) => Some(
            action
                .r#type(ActionTypeEnum::AuthenticateCognito)
                .authenticate_cognito_config(cognito_to_sdk(cognito)),
        ),
        Act::ValidateJwt(jwt) => {
            Some(action.r#type(ActionTypeEnum::JwtValidation).jwt_validation_config(jwt_to_sdk(jwt)))
        }
        Act::Answer { .. } | Act::Unknown { .. } => None,
    }
}

fn sharing_to_sdk(sharing: &Sharing) -> sdk::ForwardActionConfig {
    let groups = sharing.groups.iter().map(|Weighted { group, weight }| {
        let group = sdk::TargetGroupTuple::builder().target_group_arn(group.as_str());
        group.weight(i32::from(*weight)).build()
    });
    let stickiness = sharing.stickiness.map(|Stickiness { enabled, duration_s }| {
        let stickiness = sdk::TargetGroupStickinessConfig::builder().enabled(enabled);
        stickiness.set_duration_seconds(duration_s).build()
    });
    sdk::ForwardActionConfig::builder()
        .set_target_groups(Some(groups.collect()))
        .set_target_group_stickiness_config(stickiness)
        .build()
}

/// AWS never shows the client secret, and keeps the one that it has when it is asked to.
fn oidc_to_sdk(oidc: &Oidc) -> AuthenticateOidcActionConfig {
    let session = oidc.session.clone();
    AuthenticateOidcActionConfig::builder()
        .set_issuer(oidc.issuer.clone())
        .set_authorization_endpoint(oidc.authorization_endpoint.clone())
        .set_token_endpoint(oidc.token_endpoint.clone())
        .set_user_info_endpoint(oidc.user_info_endpoint.clone())
        .set_client_id(oidc.client_id.clone())
        .use_existing_client_secret(true)
        .set_session_cookie_name(session.cookie_name)
        .set_scope(session.scope)
        .set_session_timeout(session.timeout_s)
        .set_authentication_request_extra_params(session.extra_params.map(unsorted))
        .set_on_unauthenticated_request(session.on_unauthenticated_request.map(|what| what.as_str().into()))
        .build()
}

fn cognito_to_sdk(cognito: &Cognito) -> AuthenticateCognitoActionConfig {
    let session = cognito.session.clone();
    AuthenticateCognitoActionConfig::builder()
        .set_user_pool_arn(cognito.user_pool_arn.clone())
        .set_user_pool_client_id(cognito.user_pool_client_id.clone())
        .set_user_pool_domain(cognito.user_pool_domain.clone())
        .set_session_cookie_name(session.cookie_name)
        .set_scope(session.scope)
        .set_session_timeout(session.timeout_s)
        .set_authentication_request_extra_params(session.extra_params.map(unsorted))
        .set_on_unauthenticated_request(session.on_unauthenticated_request.map(|what| what.as_str().into()))
        .build()
}

fn jwt_to_sdk(jwt: &Jwt) -> JwtValidationActionConfig {
    let claim = |claim: &Claim| {
        JwtValidationActionAdditionalClaim::builder()
            .set_format(claim.format.as_deref().map(Into::into))
            .set_name(claim.name.clone())
            .set_values(claim.values.clone())
            .build()
    };
    JwtValidationActionConfig::builder()
        .set_jwks_endpoint(jwt.jwks_endpoint.clone())
        .set_issuer(jwt.issuer.clone())
        .set_additional_claims(
            jwt.additional_claims.as_ref().map(|claims| claims.iter().map(claim).collect()),
        )
        .build()
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn sorted(map: &HashMap<String, String>) -> BTreeMap<String, String> {
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn unsorted(map: BTreeMap<String, String>) -> HashMap<String, String> {
    map.into_iter().collect()
}
