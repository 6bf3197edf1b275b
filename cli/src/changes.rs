//! What differs between two registrations, field by field, for the person who replaces one.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::output::{BAD, GOOD, WARN, styled};

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FieldChange {
    /// The field, as a path.
    pub(crate) field: String,
    /// What it was; nothing if it is new.
    pub(crate) was: Option<Value>,
    /// What it is; nothing if it is gone.
    pub(crate) is: Option<Value>,
}

/// Every field that differs, in the order of the paths.
pub(crate) fn changes(was: &impl Serialize, is: &impl Serialize) -> Vec<FieldChange> {
    let (was, is) = (fields_of(was), fields_of(is));
    let paths: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let change = |field: &&String| {
        let (was, is) = (was.get(*field), is.get(*field));
        (was != is).then(|| FieldChange { field: (*field).clone(), was: was.cloned(), is: is.cloned() })
    };
    paths.iter().filter_map(change).collect()
}

/// Every scalar by its path.
fn fields_of(document: &impl Serialize) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    // Registrations serialize: their maps have text keys.
    flatten(&serde_json::to_value(document).unwrap_or_default(), String::new(), &mut fields);
    fields
}

fn flatten(value: &Value, path: String, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(value, path, fields);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, format!("{path}[{}]", key_of(item, index)), fields);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            fields.insert(path, value.clone());
        }
    }
}

/// Targets and guards are known by their names, and a text by itself: one that is taken out does not make all others look changed.
fn key_of(item: &Value, index: usize) -> String {
    let named = item.get("name").or_else(|| item.get("alarm")).unwrap_or(item).as_str();
    named.map_or_else(|| index.to_string(), str::to_owned)
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match (&self.was, &self.is) {
            (Some(was), Some(is)) => write!(f, "{} {field}: {was} -> {is}", styled(WARN, "~")),
            (None, Some(is)) => write!(f, "{} {field}: {is}", styled(GOOD, "+")),
            (Some(was), None) => write!(f, "{} {field}: {was}", styled(BAD, "-")),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_named() {
        let was = json!({"service": "s", "guards": [{"alarm": "a"}, {"alarm": "b"}], "rollback": {"window_hours": 24}});
        let is = json!({"service": "s", "guards": [{"alarm": "b"}, {"alarm": "c"}], "rollback": {"window_hours": 48}});
        let text: Vec<String> = changes(&was, &is)
            .iter()
            .map(|change| anstream::adapter::strip_str(&change.to_string()).to_string())
            .collect();
        assert_eq!(
            text,
            [r#"- guards[a].alarm: "a""#, r#"+ guards[c].alarm: "c""#, "~ rollback.window_hours: 24 -> 48"]
        );
        assert!(changes(&is, &is).is_empty());
    }
}
