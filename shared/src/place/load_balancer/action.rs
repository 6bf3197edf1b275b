//! The actions of a listener or rule, in a form that can be kept and sent again: a change of weights replaces all of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::Arn;

/// One action, and when it is performed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its place in the order; needed where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<i32>,
    /// What it does.
    pub act: Act,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Forward to target groups.
    Forward(Sharing),
    /// Have an OpenID provider authenticate the user first.
    AuthenticateOidc(Box<Oidc>),
    /// Have Cognito authenticate the user first.
    AuthenticateCognito(Box<Cognito>),
    /// Have a token validated first.
    ValidateJwt(Jwt),
    /// Answer without forwarding: a redirect or a fixed response. It ends a rule, so it is never sent again beside a forward.
    Answer {
        /// What it answers, for people.
        with: String,
    },
    /// An action that was not yet known when this was built. It could not be sent again as it is.
    Unknown {
        /// Its type, as AWS names it.
        kind: String,
    },
}

/// How a forward shares requests out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// The groups, each with its weight.
    pub groups: Vec<Weighted>,
    /// Whether a client keeps to its group, if AWS says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stickiness: Option<Stickiness>,
}

/// A target group and its weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighted {
    /// The group.
    pub group: Arn,
    /// From 0 to 999.
    pub weight: u16,
}

/// Whether a client keeps to the group that it was first sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stickiness {
    /// Whether it does.
    pub enabled: bool,
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<i32>,
}

/// What an OpenID provider is asked. AWS never shows the client secret; it is kept by saying so when the action is sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Oidc {
    /// The provider.
    pub issuer: Option<String>,
    /// Where users are sent.
    pub authorization_endpoint: Option<String>,
    /// Where tokens come from.
    pub token_endpoint: Option<String>,
    /// Where claims come from.
    pub user_info_endpoint: Option<String>,
    /// Who asks.
    pub client_id: Option<String>,
    /// The session.
    pub session: Session,
}

/// What Cognito is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cognito {
    /// The pool of users.
    pub user_pool_arn: Option<String>,
    /// Who asks.
    pub user_pool_client_id: Option<String>,
    /// The domain of the pool.
    pub user_pool_domain: Option<String>,
    /// The session.
    pub session: Session,
}

/// What both kinds of authentication have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// The cookie that keeps it.
    pub cookie_name: Option<String>,
    /// The claims that are asked for.
    pub scope: Option<String>,
    /// How long it lasts.
    pub timeout_s: Option<i64>,
    /// What the request for authentication carries besides.
    pub extra_params: Option<BTreeMap<String, String>>,
    /// What becomes of a request that is not authenticated, as AWS names it.
    pub on_unauthenticated_request: Option<String>,
}

/// How a token is validated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Jwt {
    /// Where the keys come from.
    pub jwks_endpoint: Option<String>,
    /// The issuer.
    pub issuer: Option<String>,
    /// Further claims.
    pub additional_claims: Option<Vec<Claim>>,
}

/// A claim that a token must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claim {
    /// The form of its values, as AWS names it.
    pub format: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its values.
    pub values: Option<Vec<String>>,
}

impl Action {
    /// How it shares requests out, if it forwards.
    pub fn sharing(&self) -> Option<&Sharing> {
        match &self.act {
            Act::Forward(sharing) => Some(sharing),
            Act::AuthenticateOidc(_)
            | Act::AuthenticateCognito(_)
            | Act::ValidateJwt(_)
            | Act::Answer { .. }
            | Act::Unknown { .. } => None,
        }
    }
}

impl Sharing {
    /// For how many seconds a client may keep to its group, if it may.
    pub fn sticky_s(&self) -> Option<i32> {
        self.stickiness.filter(|stickiness| stickiness.enabled)?.duration_s
    }

    /// The same with other groups.
    pub(super) fn among(&self, groups: Vec<Weighted>) -> Self {
        Self { groups, stickiness: self.stickiness }
    }
}

/// What a person calls an action.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward(sharing) => {
                let groups = sharing.groups.iter().map(|weighted| {
                    let name = super::arns::name_in(&weighted.group);
                    format!("{} {}", name.unwrap_or(weighted.group.as_str()), weighted.weight)
                });
                write!(f, "forward to {}", groups.collect::<Vec<_>>().join(", "))
            }
            Self::AuthenticateOidc(_) => f.write_str("authenticate-oidc"),
            Self::AuthenticateCognito(_) => f.write_str("authenticate-cognito"),
            Self::ValidateJwt(_) => f.write_str("jwt-validation"),
            Self::Answer { with } => f.write_str(with),
            Self::Unknown { kind } => f.write_str(kind),
        }
    }
}
