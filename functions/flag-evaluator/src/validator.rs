//! The validator of a profile: AppConfig invokes it before it deploys a version, and deploys none that it fails for. It calls
//! nothing and knows nothing but the document.

use aws_smithy_types::base64;
use ripcord::flags::Flags;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What AppConfig sends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToValidate {
    /// In base64.
    content: String,
    #[serde(default)]
    configuration_version: Option<String>,
}

/// That a document is valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// How many flags it has.
    pub flags: usize,
    /// AppConfig's word for the version.
    pub version: Option<String>,
}

/// Why a version is not deployed. A function that fails is what AppConfig takes for a no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// `FlagsInvalid` for the document, `EventUnreadable` for what it came in.
    pub error_type: &'static str,
    /// Every problem on a line, with its path and the rule that it breaks.
    pub message: String,
}

/// Judges a document.
pub fn validate(event: &Value) -> Result<Accepted, Rejected> {
    let unreadable = |why: String| Rejected { error_type: "EventUnreadable", message: why };
    if !event.is_object() {
        return Err(unreadable("this is no event of an AppConfig validator: it is no object".to_owned()));
    }
    let event = ToValidate::deserialize(event)
        .map_err(|error| unreadable(format!("this is no event of an AppConfig validator: {error}")))?;
    let text = base64::decode(&event.content)
        .map_err(|error| unreadable(format!("the content is no base64: {error}")))?;
    match Flags::read(&text) {
        Ok(flags) => Ok(Accepted { flags: flags.len(), version: event.configuration_version }),
        Err(invalid) => Err(Rejected { error_type: "FlagsInvalid", message: invalid.to_string() }),
    }
}
