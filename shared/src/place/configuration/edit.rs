//! Changing a flag in the text of Ripcord's flag document: only the words that were asked about are written anew, so that a diff
//! of two versions shows what was meant and nothing else. Whether the outcome is a valid document is for its reader to say.

use std::ops::Range;

use serde_json::Value;

use super::document::{Member, members};

/// What is to be different about one flag.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// On or off.
    pub enabled: Option<bool>,
    /// For how many percent of the subjects.
    pub rollout_percentage: Option<f64>,
    /// Who has it whatever the rules say, besides those who have it so already.
    pub allow: Vec<String>,
    /// Who is no longer on that list.
    pub disallow: Vec<String>,
}

/// Why a text cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is no flag document.
    #[error("it is no flag document: it has no object `flags`")]
    NoDocument,
    /// It has no such flag.
    #[error("it has no flag {flag}")]
    NoSuchFlag {
        /// The flag.
        flag: String,
    },
    /// A flag, or its list, is of another type than it must be.
    #[error("{path} is not {rule}")]
    WrongType {
        /// Where.
        path: String,
        /// What it must be.
        rule: &'static str,
    },
}

impl Edit {
    /// Whether it asks for anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The text with the flag changed, and every other byte as it was. What is so already stays as it is written.
    pub fn apply(&self, text: &str, flag: &str) -> Result<String, EditError> {
        let mut edited = text.to_owned();
        if let Some(enabled) = self.enabled {
            edited = with(&edited, flag, "enabled", |_| Ok(enabled.into()))?;
        }
        if let Some(percentage) = self.rollout_percentage {
            edited = with(&edited, flag, "rollout_percentage", |_| Ok(percentage.into()))?;
        }
        if !self.allow.is_empty() || !self.disallow.is_empty() {
            edited = with(&edited, flag, "allowlist", |before| self.allowlist(flag, before))?;
        }
        Ok(edited)
    }

    /// The list in the order in which it stands, and who is new behind it.
    fn allowlist(&self, flag: &str, before: Option<&Value>) -> Result<Value, EditError> {
        let before = match before {
            None => &Vec::new(),
            Some(Value::Array(before)) => before,
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                return Err(EditError::WrongType {
                    path: format!("flags.{flag}.allowlist"),
                    rule: "a list of texts",
                });
            }
        };
        let goes =
            |one: &&Value| one.as_str().is_some_and(|one| self.disallow.iter().any(|other| other == one));
        let mut after: Vec<Value> = before.iter().filter(|one| !goes(one)).cloned().collect();
        for new in &self.allow {
            if !after.iter().any(|one| one.as_str() == Some(new)) {
                after.push(new.as_str().into());
            }
        }
        Ok(Value::Array(after))
    }
}

/// The text with one field of a flag as `change` makes it of what stands there.
fn with(
    text: &str,
    flag: &str,
    field: &str,
    change: impl FnOnce(Option<&Value>) -> Result<Value, EditError>,
) -> Result<String, EditError> {
    let place = flag_in(text, flag)?;
    let fields = members(text, place.clone()).ok_or_else(|| no_object(flag))?;
    // Where a key stands twice the document is not valid; the last one is what most readers take.
    let standing = fields.iter().rfind(|member| member.key == field).map(|member| member.value.clone());
    let value = |range: &Range<usize>| serde_json::from_str::<Value>(text.get(range.clone())?).ok();
    let before = standing.as_ref().and_then(value);
    let after = change(before.as_ref())?;
    let is_empty = after.as_array().is_some_and(Vec::is_empty) && before.is_none();
    if is_empty || before.as_ref().is_some_and(|before| is_alike(before, &after)) {
        return Ok(text.to_owned());
    }
    let mut edited = text.to_owned();
    match standing {
        Some(range) => edited.replace_range(range, &written(&after)),
        None => edited.insert_str(place.start + 1, &member(text, &place, &fields, field, &after)),
    }
    Ok(edited)
}

fn flag_in(text: &str, flag: &str) -> Result<Range<usize>, EditError> {
    let root = members(text, 0..text.len()).ok_or(EditError::NoDocument)?;
    let flags = root.iter().rfind(|member| member.key == "flags").ok_or(EditError::NoDocument)?;
    let flags = members(text, flags.value.clone()).ok_or(EditError::NoDocument)?;
    let found = flags.into_iter().rfind(|member| member.key == flag);
    found.map(|member| member.value).ok_or_else(|| EditError::NoSuchFlag { flag: flag.to_owned() })
}

/// A new member as the first of its object, set apart as the others are.
fn member(text: &str, object: &Range<usize>, others: &[Member], field: &str, value: &Value) -> String {
    let inside = text.get(object.start + 1..object.end).unwrap_or_default();
    let space = inside.get(..inside.len() - inside.trim_start().len()).unwrap_or_default();
    let (space, comma) = match (others.is_empty(), space.is_empty()) {
        (true, _) => ("", ""),
        (false, true) => ("", ", "),
        (false, false) => (space, ","),
    };
    format!("{space}\"{field}\": {}{comma}", written(value))
}

/// 25 and 25.0 are one percentage.
fn is_alike(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        (Some(_) | None, _) => one == other,
    }
}

/// A whole percentage is written without a fraction, and a list on one line.
fn written(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
        }
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            format!("[{}]", list.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => value.to_string(),
    }
}

fn no_object(flag: &str) -> EditError {
    EditError::WrongType { path: format!("flags.{flag}"), rule: "an object" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "version": 1,
  "flags": {
    "new-search": {
      "rollout_percentage": 10.0,   "enabled":true,
      "allowlist": ["u1" , "u2"]
    },
    "old": {"enabled": false},
    "bare": {}
  }
}
"#;

    #[track_caller]
    fn check(flag: &str, edit: Edit, from: &str, to: &str) {
        let edited = edit.apply(TEXT, flag).expect("it can be edited");
        assert_eq!(edited, TEXT.replacen(from, to, 1));
        assert_eq!(edit.apply(&edited, flag).expect("it can be edited"), edited, "again it changes nothing");
    }

    fn rollout(percentage: f64) -> Edit {
        Edit { rollout_percentage: Some(percentage), ..Edit::default() }
    }

    fn enabled(enabled: bool) -> Edit {
        Edit { enabled: Some(enabled), ..Edit::default() }
    }

    fn list(allow: &[&str], disallow: &[&str]) -> Edit {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Edit { allow: owned(allow), disallow: owned(disallow), ..Edit::default() }
    }

    #[test]
    fn only_the_words_that_were_asked_about_are_written_anew() {
        check("new-search", rollout(25.0), "10.0", "25");
        check("new-search", rollout(0.01), "10.0", "0.01");
        check("new-search", enabled(false), "\"enabled\":true", "\"enabled\":false");
        check("new-search", list(&["u3", "u1"], &[]), r#"["u1" , "u2"]"#, r#"["u1", "u2", "u3"]"#);
        check("new-search", list(&[], &["u1", "u9"]), r#"["u1" , "u2"]"#, r#"["u2"]"#);
    }

    #[test]
    fn what_is_so_already_stays_as_it_is_written() {
        check("new-search", rollout(10.0), "", "");
        check("new-search", enabled(true), "", "");
        check("new-search", list(&["u2"], &["u9"]), "", "");
        check("old", list(&[], &["u9"]), "", "");
    }

    #[test]
    fn a_field_that_is_missing_comes_first_and_is_set_apart_as_the_others_are() {
        check(
            "old",
            rollout(25.0),
            r#"{"enabled": false}"#,
            r#"{"rollout_percentage": 25, "enabled": false}"#,
        );
        check("bare", enabled(true), r#"{}"#, r#"{"enabled": true}"#);
        let edit = Edit { enabled: Some(true), allow: vec!["ü\"".into()], ..rollout(5.0) };
        let edited = edit.apply(TEXT, "bare").expect("it can be edited");
        let bare = r#"{"allowlist": ["ü\""], "rollout_percentage": 5, "enabled": true}"#;
        assert_eq!(edited, TEXT.replacen(r#""bare": {}"#, &format!(r#""bare": {bare}"#), 1));
    }

    #[test]
    fn what_cannot_be_edited_is_named() {
        let refused = |text: &str, flag: &str, edit: &Edit| {
            edit.apply(text, flag).map_err(|error| error.to_string()).expect_err("it is refused")
        };
        assert_eq!(refused(TEXT, "gone", &enabled(true)), "it has no flag gone");
        let none = "it is no flag document: it has no object `flags`";
        for text in ["{}", "[]", "nonsense", r#"{"flags": []}"#] {
            assert_eq!(refused(text, "a", &enabled(true)), none);
        }
        assert_eq!(refused(r#"{"flags": {"a": 1}}"#, "a", &enabled(true)), "flags.a is not an object");
        let odd = r#"{"flags": {"a": {"allowlist": "u1"}}}"#;
        assert_eq!(refused(odd, "a", &list(&["u2"], &[])), "flags.a.allowlist is not a list of texts");
    }
}
