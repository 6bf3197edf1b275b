//! An answer as API Gateway takes it (payload 2.0), and every refusal with its status.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::request::BODY_BYTES_MAX;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// The status.
    pub status_code: u16,
    /// The headers.
    pub headers: BTreeMap<&'static str, String>,
    /// The body, which is JSON.
    pub body: String,
    /// Never: it is text.
    pub is_base64_encoded: bool,
}

impl Reply {
    pub(crate) fn new(status_code: u16, body: String) -> Self {
        let headers =
            BTreeMap::from([("content-type", "application/json"), ("x-content-type-options", "nosniff")]);
        let headers = headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Self { status_code, headers, body, is_base64_encoded: false }
    }

    pub(crate) fn json(status_code: u16, body: &Value) -> Self {
        Self::new(status_code, body.to_string())
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.insert(name, value.into());
        self
    }
}

/// Why a request is not answered as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    /// A word that programs can rely on.
    code: &'static str,
    message: String,
    /// A header that tells the client what would be right.
    hint: Option<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), hint: None }
    }

    pub(crate) fn not_found(path: &str) -> Self {
        let message = format!(
            "there is nothing at {:?}: POST /feature-flags/evaluate, POST /feature-flags/evaluate-batch or \
             GET /feature-flags",
            beginning(path),
        );
        Self { status: 404, code: "not_found", message, hint: None }
    }

    pub(crate) fn method(method: &str, allowed: &'static str) -> Self {
        let message = format!("{:?} is not possible here: {allowed}", beginning(method));
        let hint = Some(("allow", allowed.to_owned()));
        Self { status: 405, code: "method_not_allowed", message, hint }
    }

    pub(crate) fn too_large() -> Self {
        let message = format!("the body is longer than {BODY_BYTES_MAX} bytes");
        Self { status: 413, code: "body_too_large", message, hint: None }
    }

    pub(crate) fn media_type(given: &str) -> Self {
        let message = format!("content-type is {:?}, and only application/json is read", beginning(given));
        let hint = Some(("accept", "application/json".to_owned()));
        Self { status: 415, code: "media_type_unsupported", message, hint }
    }

    /// No document was ever loaded, so there is nothing to answer from. A made-up answer could switch on what is off.
    pub(crate) fn no_flags(why: &str, retry_after_seconds: u32) -> Self {
        let hint = Some(("retry-after", retry_after_seconds.to_string()));
        let message = format!("no flag document has been loaded yet: {why}");
        Self { status: 503, code: "flags_not_loaded", message, hint }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let body = json!({ "error": refusal.code, "message": refusal.message });
        let reply = Self::json(refusal.status, &body).header("cache-control", "no-store");
        match refusal.hint {
            Some((name, value)) => reply.header(name, value),
            None => reply,
        }
    }
}

/// As much of what a client sent as is sent back to it.
fn beginning(text: &str) -> String {
    text.chars().take(100).collect()
}
