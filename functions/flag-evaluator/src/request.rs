//! A request as an HTTP API of API Gateway hands it over (payload 2.0), and what of it is understood. Whatever arrives, the
//! outcome is a route with a readable body or a refusal: nothing here fails.

use std::collections::BTreeMap;
use std::fmt::Display;

use aws_smithy_types::base64;
use ripcord::flags::{Context, FLAGS_MAX};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::reply::Refusal;

/// The longest body that is read: all keys of a document and the largest context have room in it.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// The most flags that may be named in one request: as many as a document has at most.
pub const FLAG_KEYS_MAX: usize = FLAGS_MAX;
/// Where the API begins. An API's stage or mapping may stand before it.
const ROOT: &str = "/feature-flags";
const JSON: &str = "application/json";

/// The parts of payload 2.0 that are read. All may be missing, because a function can be invoked by hand.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Payload {
    raw_path: String,
    headers: BTreeMap<String, String>,
    request_context: RequestContext,
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RequestContext {
    http: Http,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http {
    method: String,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Which flags there are.
    List {
        /// The value of `If-None-Match`.
        known: Option<String>,
        /// Whether only the headers are wanted.
        is_head: bool,
    },
    /// One flag for a subject.
    Evaluate { flag_key: String, context: Context },
    /// Several flags for a subject: all, unless some are named.
    Batch { flag_keys: Option<Vec<String>>, context: Context },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `flag_key` and `context`")]
struct EvaluateBody {
    flag_key: String,
    #[serde(default)]
    context: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `flag_keys` and `context`")]
struct BatchBody {
    #[serde(default)]
    flag_keys: Option<Vec<String>>,
    #[serde(default)]
    context: Option<Value>,
}

impl Request {
    /// Reads a request.
    pub(crate) fn read(event: Value) -> Result<Self, Refusal> {
        let no_request = |why: &dyn Display| {
            Refusal::bad_request("event_invalid", format!("this is no request of an HTTP API: {why}"))
        };
        // A list would be taken for the fields in their order.
        if !event.is_object() {
            return Err(no_request(&"it is no object"));
        }
        let payload: Payload = serde_json::from_value(event).map_err(|error| no_request(&error))?;
        let method = payload.request_context.http.method.to_ascii_uppercase();
        let path = payload.raw_path.rsplit_once(ROOT).map(|(_, rest)| rest.trim_end_matches('/'));
        match (path, method.as_str()) {
            (Some(""), "GET" | "HEAD") => Ok(Self::List {
                known: payload.header("if-none-match").map(str::to_owned),
                is_head: method == "HEAD",
            }),
            (Some(""), _) => Err(Refusal::method(&method, "GET, HEAD")),
            (Some("/evaluate"), "POST") => {
                let EvaluateBody { flag_key, context } = payload.read_body()?;
                Ok(Self::Evaluate { flag_key, context: read_context(context)? })
            }
            (Some("/evaluate-batch"), "POST") => {
                let BatchBody { flag_keys, context } = payload.read_body()?;
                let count = flag_keys.as_ref().map_or(0, Vec::len);
                if count > FLAG_KEYS_MAX {
                    let message = format!("flag_keys names {count} flags, and {FLAG_KEYS_MAX} are allowed");
                    return Err(Refusal::bad_request("too_many_flags", message));
                }
                Ok(Self::Batch { flag_keys, context: read_context(context)? })
            }
            (Some("/evaluate" | "/evaluate-batch"), _) => Err(Refusal::method(&method, "POST")),
            _ => Err(Refusal::not_found(&payload.raw_path)),
        }
    }
}

impl Payload {
    /// API Gateway writes the names of headers in lower case; whoever invokes by hand may not.
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn read_body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let media_type = self.header("content-type").unwrap_or_default();
        if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON) {
            return Err(Refusal::media_type(media_type));
        }
        let body = self.body.as_deref().unwrap_or_default();
        // Four letters of base64 are three bytes, so what is longer than this is too long once it is decoded.
        let is_too_long = if self.is_base64_encoded {
            base64::encoded_length(BODY_BYTES_MAX) < body.len()
        } else {
            BODY_BYTES_MAX < body.len()
        };
        if is_too_long {
            return Err(Refusal::too_large());
        }
        if !self.is_base64_encoded {
            return read_json(body.as_bytes());
        }
        let bytes = base64::decode(body).map_err(|error| {
            Refusal::bad_request("body_unreadable", format!("the body is no base64: {error}"))
        })?;
        if bytes.len() > BODY_BYTES_MAX {
            return Err(Refusal::too_large());
        }
        read_json(&bytes)
    }
}

/// Reads a document and says where it is not as expected. The parser follows 128 levels of nesting and no more.
fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // A list would be taken for the fields in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Refusal::bad_request("request_invalid", "the body is a list, and must be an object"));
    }
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() && path != "." {
            Refusal::bad_request("request_invalid", format!("{path}: {inner}"))
        } else if inner.is_data() {
            Refusal::bad_request("request_invalid", inner.to_string())
        } else {
            Refusal::bad_request("json_unreadable", format!("the body is no JSON that can be read: {inner}"))
        }
    })?;
    parser.end().map_err(|error| {
        Refusal::bad_request("json_unreadable", format!("something stands behind the document: {error}"))
    })?;
    Ok(read)
}

/// No context is one without attributes.
fn read_context(context: Option<Value>) -> Result<Context, Refusal> {
    let Some(context) = context else { return Ok(Context::default()) };
    Context::read(&context).map_err(|error| Refusal::bad_request("context_invalid", error.to_string()))
}
