//! Flags in the text of a configuration, found where they stand, so that a version with some of them off is the same text but
//! for a few words.
//!
//! AppConfig's own feature flags hold `{"flags": {NAME: ..}, "values": {NAME: {"enabled": true, ..}}}`. Of the free forms, Ripcord's
//! flag document holds `{"version": 1, "flags": {NAME: {"enabled": true, ..}}}`, and every other is taken as
//! `{NAME: {"enabled": true, ..}}`. AppConfig's flags with variants have no one `enabled`, and are not switched off.

use std::ops::Range;

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::names::PlainName;

/// Where flags stand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The `true` of each flag that is on, in the order of the text.
    pub(super) on: Vec<Range<usize>>,
    /// The flags that there are none of.
    pub(super) missing: Vec<String>,
}

/// Finds the flags, or says why that cannot be done.
pub(super) fn find(text: &str, are_feature_flags: bool, names: &[PlainName]) -> Result<Found, String> {
    let root = members(text, 0..text.len()).ok_or("it is no JSON object")?;
    let values = match (are_feature_flags, is_flag_document(text, &root)) {
        (true, _) => inner(text, &root, "values")?,
        (false, true) => inner(text, &root, "flags")?,
        (false, false) => root.clone(),
    };
    let defined = if are_feature_flags { inner(text, &root, "flags")? } else { Vec::new() };
    let mut found = Found::default();
    for name in names {
        let mut is_known = defined.iter().any(|flag| flag.key == name.as_str());
        // A key that stands twice is switched off twice: which of the two an application reads is not known.
        for flag in values.iter().filter(|flag| flag.key == name.as_str()) {
            is_known = true;
            found.on.extend(enabled(text, name, &flag.value, are_feature_flags)?);
        }
        if !is_known {
            found.missing.push(name.to_string());
        }
    }
    found.on.sort_unstable_by_key(|range| range.start);
    Ok(found)
}

/// The text with these flags off, and every other byte as it was.
pub(super) fn switched_off(text: &str, on: &[Range<usize>]) -> String {
    let mut switched = text.to_owned();
    for range in on.iter().rev() {
        switched.replace_range(range.clone(), "false");
    }
    switched
}

/// Whether a free form is Ripcord's flag document. In another, a flag that is called `version` would be an object.
fn is_flag_document(text: &str, root: &[Member]) -> bool {
    let is = |key: &str, holds: &dyn Fn(&str) -> bool| {
        root.iter().any(|member| member.key == key && text.get(member.value.clone()).is_some_and(holds))
    };
    is("version", &|value| value == "1") && is("flags", &|value| value.starts_with('{'))
}

/// Where a flag's `enabled` is true.
fn enabled(
    text: &str,
    name: &PlainName,
    value: &Range<usize>,
    are_feature_flags: bool,
) -> Result<Vec<Range<usize>>, String> {
    let fields = members(text, value.clone()).ok_or_else(|| format!("flag {name} is no JSON object"))?;
    if fields.iter().any(|field| field.key == "_variants") {
        return Err(format!("flag {name} has variants, which are not switched off"));
    }
    let mut on = Vec::new();
    let mut is_said = false;
    for field in fields.into_iter().filter(|field| field.key == "enabled") {
        is_said = true;
        match text.get(field.value.clone()) {
            Some("true") => on.push(field.value),
            Some("false") => {}
            _ => return Err(format!("flag {name} has an `enabled` that is neither true nor false")),
        }
    }
    // AppConfig takes a feature flag of its own for off then; an application may take it for anything.
    if is_said || are_feature_flags { Ok(on) } else { Err(format!("flag {name} has no `enabled`")) }
}

fn inner(text: &str, root: &[Member], key: &str) -> Result<Vec<Member>, String> {
    match root.iter().find(|member| member.key == key) {
        Some(member) => {
            members(text, member.value.clone()).ok_or_else(|| format!("its `{key}` are no JSON object"))
        }
        None => Ok(Vec::new()),
    }
}

/// A member of an object: its key, and where its value stands.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) value: Range<usize>,
}

/// The members of the object that stands in a part of the text; nothing if that is no object, or more than one.
pub(super) fn members(text: &str, within: Range<usize>) -> Option<Vec<Member>> {
    let part = text.get(within.clone())?;
    serde_json::from_str::<IgnoredAny>(part).ok()?;
    let mut reader = Reader { part, at: 0 };
    reader.takes('{').then_some(())?;
    let mut members = Vec::new();
    // Every turn takes a member or ends the object, so there are no more turns than bytes.
    while !reader.takes('}') {
        reader.takes(',');
        let (key, _) = reader.value::<String>()?;
        reader.takes(':').then_some(())?;
        let (IgnoredAny, value) = reader.value()?;
        members.push(Member { key, value: within.start + value.start..within.start + value.end });
    }
    Some(members)
}

/// Reads valid JSON piece by piece, and knows where each piece stands.
struct Reader<'text> {
    part: &'text str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&mut self) -> &str {
        let rest = self.part.get(self.at..).unwrap_or_default();
        let spaces = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.at += spaces;
        self.part.get(self.at..).unwrap_or_default()
    }

    fn takes(&mut self, sign: char) -> bool {
        let is_next = self.rest().starts_with(sign);
        self.at += if is_next { sign.len_utf8() } else { 0 };
        is_next
    }

    fn value<T: DeserializeOwned>(&mut self) -> Option<(T, Range<usize>)> {
        let rest = self.rest();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<T>();
        let value = values.next()?.ok()?;
        let length = values.byte_offset();
        let start = self.at;
        self.at += length;
        Some((value, start..self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &str = r#"{ "version" : "1",
  "flags": {"fast": {"name": "Fast \"} lane"}, "late": {"name": "Late"}, "wild": {"name": "Wild"}},
  "values": {"fast": {"limit": 1e3, "enabled":true },"late":{"enabled" : false}, "other": {"enabled": true},
             "wild": {"_variants": [{"name": "a", "enabled": true}]}}
}
"#;

    fn names(names: &[&str]) -> Vec<PlainName> {
        names.iter().map(|name| name.parse().expect("a name")).collect()
    }

    #[track_caller]
    fn check(text: &str, are_feature_flags: bool, flags: &[&str], expected: Result<&str, &str>) {
        let found = find(text, are_feature_flags, &names(flags));
        let switched = found.map(|found| switched_off(text, &found.on));
        assert_eq!(switched.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn nothing_but_the_flags_own_word_is_changed() {
        let expected = FLAGS.replacen("\"enabled\":true", "\"enabled\":false", 1);
        check(FLAGS, true, &["fast", "late"], Ok(&expected));
        check(FLAGS, true, &["late"], Ok(FLAGS));
    }

    #[test]
    fn a_flag_is_found_by_its_whole_name_where_flags_stand() {
        let missing = |flags: &[&str]| find(FLAGS, true, &names(flags)).map(|found| found.missing);
        assert_eq!(missing(&["fas", "name", "limit"]), Ok(vec!["fas".into(), "name".into(), "limit".into()]));
        assert_eq!(missing(&["fast", "late"]), Ok(vec![]));
    }

    #[test]
    fn a_flag_without_a_value_is_off_where_appconfig_says_so() {
        check(
            r#"{"version":"1","flags":{"new":{"name":"New"}}}"#,
            true,
            &["new"],
            Ok(r#"{"version":"1","flags":{"new":{"name":"New"}}}"#),
        );
        check(r#"{"new":{}}"#, false, &["new"], Err("flag new has no `enabled`"));
    }

    #[test]
    fn a_free_form_has_its_flags_at_the_top() {
        let text =
            r#"{"a":{"enabled":true,"x":{"enabled":true}},"b":[{"enabled":true}],"c":{"enabled":true}}"#;
        let expected =
            r#"{"a":{"enabled":false,"x":{"enabled":true}},"b":[{"enabled":true}],"c":{"enabled":false}}"#;
        check(text, false, &["c", "a"], Ok(expected));
    }

    #[test]
    fn ripcords_own_document_has_its_flags_under_their_key() {
        let text = r#"{"version": 1, "flags": {
  "new-search": {"enabled": true, "variants": [{"name": "enabled", "weight": 100}]}, "late": {"enabled":false}
}, "enabled": true}"#;
        let expected = text.replacen("true", "false", 1);
        check(text, false, &["new-search", "late"], Ok(&expected));
        let missing = find(text, false, &names(&["flags", "gone"])).map(|found| found.missing);
        assert_eq!(missing, Ok(vec!["flags".into(), "gone".into()]));
        // Neither of these is that document: the flags are at the top.
        for text in
            [r#"{"version":2,"flags":{"enabled":true}}"#, r#"{"version":1,"flags":[],"a":{"enabled":true}}"#]
        {
            let is_taken_for_it =
                find(text, false, &names(&["flags"])).is_ok_and(|found| found.on.is_empty());
            assert!(!is_taken_for_it, "{text}");
        }
    }

    #[test]
    fn a_flag_that_stands_twice_is_off_in_both_places() {
        let text = r#"{"a":{"enabled":true},"a":{"enabled":true,"enabled":false}}"#;
        check(text, false, &["a"], Ok(&text.replace("true", "false")));
    }

    #[test]
    fn what_cannot_be_switched_off_is_named() {
        check(FLAGS, true, &["wild"], Err("flag wild has variants, which are not switched off"));
        check(
            r#"{"a":{"enabled":"yes"}}"#,
            false,
            &["a"],
            Err("flag a has an `enabled` that is neither true nor false"),
        );
        check(r#"{"a":true}"#, false, &["a"], Err("flag a is no JSON object"));
        check("a: {enabled: true}", false, &["a"], Err("it is no JSON object"));
        check(r#"[{"a":{"enabled":true}}]"#, false, &["a"], Err("it is no JSON object"));
        check(r#"{"values":[]}"#, true, &["a"], Err("its `values` are no JSON object"));
        check(r#"{"a":{"enabled":true}} {}"#, false, &["a"], Err("it is no JSON object"));
    }
}
