//! What is checked before a release moves traffic, and when none may begin.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod freeze;

pub use freeze::Freeze;

use super::is_public;

/// What is checked before a release moves traffic, besides what is always checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Preflight {
    /// A call of the new version, before it has traffic and again before the release completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<Smoke>,
    /// An address that must answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
    /// What whoever starts a release must vouch for, by name: `tests`, `image_scan`, `plan_review` …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<String>,
}

impl Preflight {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A call with an answer to expect. Without anything to expect, the version must only not fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Smoke {
    /// The event that the version is called with.
    pub payload: Value,
    /// What must stand at `/statusCode` of its answer, as a number or as text: how a function answers API Gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What its answer must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<SmokeExpectation>,
    /// A JSON Schema that its answer must satisfy. It stands for itself: `$ref` only points into it, with `#/$defs/…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
}

/// A part of an answer, and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SmokeExpectation {
    /// A JSON pointer, such as `/statusCode`; an empty one is the whole answer.
    pub pointer: String,
    /// What must stand there.
    pub equals: Value,
}

/// An address that must answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// Where; `http` or `https`.
    pub url: String,
    /// The status that it must answer with.
    #[serde(default = "ok")]
    pub status: u16,
    /// Whether the address may be a private one: in the VPC, on this machine, of the metadata service. Without this it is
    /// not asked, whatever its name resolves to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

fn ok() -> u16 {
    200
}

/// An address without what follows its path.
pub(crate) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

impl HealthCheck {
    /// The address as it is shown to people and kept: its query may hold a token.
    pub fn shown(&self) -> &str {
        without_query(&self.url)
    }

    /// An address in two: the scheme with the host, and what is asked of it. Nothing if it is not one of HTTP.
    pub(crate) fn parts(url: &str) -> Option<(&str, &str)> {
        let scheme = ["http://", "https://"].into_iter().find(|scheme| url.starts_with(scheme))?;
        let rest = url.get(scheme.len()..)?;
        let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        (host > 0).then(|| url.split_at(scheme.len() + host))
    }

    /// The address that its URL gives in place of a name, if it may not be asked.
    pub(crate) fn forbidden_address(&self) -> Option<IpAddr> {
        let (server, _) = Self::parts(&self.url)?;
        let (_, host) = server.split_once("://")?;
        let host = match host.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?.0,
            None => host.split_once(':').map_or(host, |(host, _)| host),
        };
        host.parse().ok().filter(|address| !self.may_ask(*address))
    }

    /// Whether the address, which its host resolves to, may be asked.
    pub(crate) fn may_ask(&self, address: IpAddr) -> bool {
        self.private || is_public(address)
    }
}
