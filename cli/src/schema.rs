//! `ripcord schema`: the JSON Schema of the registration document, as it is published for editors.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Schema(Value);

pub(crate) fn run() -> Schema {
    Schema(ripcord::registration::schema())
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}
