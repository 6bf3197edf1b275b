//! Where an answer breaks its schema.

use std::fmt;

use serde_json::{Number, Value};

use super::{AnswerSchema, Keywords, Schema, Type};

/// A rule that an answer breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Where in the answer, as a JSON pointer.
    pub at: String,
    /// What stands there and what should.
    pub what: String,
}

/// The schema could not be followed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema could not be followed to its end within {STEPS_MAX} steps, {DEPTH_MAX} deep")]
pub struct Endless;

/// An answer has at most 6 MB, and a value of it takes a few steps. A schema that refers to itself may take any number.
const STEPS_MAX: u32 = 1_000_000;
const DEPTH_MAX: u32 = 100;
/// Of each value so much is told.
const SHOWN_MAX: usize = 60;

impl AnswerSchema {
    /// Every rule that the answer breaks.
    pub fn breaches(&self, answer: &Value) -> Result<Vec<Breach>, Endless> {
        let mut walk = Walk { schema: self, steps: 0, depth: 0, breaches: Vec::new() };
        walk.follow(&self.root, answer, "")?;
        Ok(walk.breaches)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "the answer" } else { &self.at };
        write!(f, "{at} {}", self.what)
    }
}

struct Walk<'schema> {
    schema: &'schema AnswerSchema,
    steps: u32,
    depth: u32,
    breaches: Vec<Breach>,
}

impl Walk<'_> {
    fn follow(&mut self, schema: &Schema, value: &Value, at: &str) -> Result<(), Endless> {
        self.steps += 1;
        if self.steps > STEPS_MAX || self.depth == DEPTH_MAX {
            return Err(Endless);
        }
        let keywords = match schema {
            Schema::Any(true) => return Ok(()),
            Schema::Any(false) => {
                self.breach(at, "may not be there");
                return Ok(());
            }
            Schema::Of(keywords) => keywords,
        };
        self.depth += 1;
        if let Some(reference) = keywords.reference.as_deref().and_then(|to| self.schema.definition(to)) {
            self.follow(reference, value, at)?;
        }
        self.check_value(keywords, value, at);
        match value {
            Value::Object(members) => self.check_object(keywords, members, at)?,
            Value::Array(items) => self.check_array(keywords, items, at)?,
            Value::Number(number) => self.check_number(keywords, number, at),
            Value::String(text) => self.check_text(keywords, text, at),
            Value::Null | Value::Bool(_) => {}
        }
        self.check_combined(keywords, value, at)?;
        self.depth -= 1;
        Ok(())
    }

    fn breach(&mut self, at: &str, what: impl fmt::Display) {
        self.breaches.push(Breach { at: at.to_owned(), what: what.to_string() });
    }

    fn check_value(&mut self, keywords: &Keywords, value: &Value, at: &str) {
        if let Some(types) = keywords.types.as_ref().filter(|types| !types.0.iter().any(|of| of.has(value))) {
            let names: Vec<&str> = types.0.iter().map(|of| of.name()).collect();
            self.breach(at, format_args!("is {}, and not of type {}", shown(value), names.join(" or ")));
        }
        if keywords.one_of_values.as_ref().is_some_and(|values| !values.iter().any(|one| same(one, value))) {
            self.breach(at, format_args!("is {}, and none of the values of its enum", shown(value)));
        }
        if let Some(constant) = keywords.value.as_ref().filter(|constant| !same(constant, value)) {
            self.breach(at, format_args!("is {}, and not {}", shown(value), shown(constant)));
        }
    }

    fn check_object(
        &mut self,
        keywords: &Keywords,
        members: &serde_json::Map<String, Value>,
        at: &str,
    ) -> Result<(), Endless> {
        for name in keywords.required.iter().filter(|name| !members.contains_key(*name)) {
            self.breach(at, format_args!("lacks {name:?}"));
        }
        for (name, member) in members {
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            match (keywords.properties.get(name), &keywords.additional_properties) {
                (Some(schema), _) | (None, Some(schema)) => self.follow(schema, member, &at)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn check_array(&mut self, keywords: &Keywords, items: &[Value], at: &str) -> Result<(), Endless> {
        let count = items.len();
        self.check_range(
            at,
            format_args!("has {count} items"),
            count,
            keywords.min_items,
            keywords.max_items,
        );
        if let Some(schema) = &keywords.items {
            for (index, item) in items.iter().enumerate() {
                self.follow(schema, item, &format!("{at}/{index}"))?;
            }
        }
        Ok(())
    }

    fn check_number(&mut self, keywords: &Keywords, number: &Number, at: &str) {
        use std::cmp::Ordering::{Equal, Greater, Less};

        let bounds = [
            (&keywords.minimum, vec![Equal, Greater], "at least"),
            (&keywords.maximum, vec![Equal, Less], "at most"),
            (&keywords.exclusive_minimum, vec![Greater], "above"),
            (&keywords.exclusive_maximum, vec![Less], "below"),
        ];
        for (bound, kept, words) in bounds {
            let Some(bound) = bound else { continue };
            let compared = number.as_f64().partial_cmp(&bound.as_f64());
            if !compared.is_some_and(|compared| kept.contains(&compared)) {
                self.breach(at, format_args!("is {number}, and not {words} {bound}"));
            }
        }
    }

    fn check_text(&mut self, keywords: &Keywords, text: &str, at: &str) {
        let length = text.chars().count();
        let said = format_args!("is {length} characters long");
        self.check_range(at, said, length, keywords.min_length, keywords.max_length);
        if let Some(pattern) = keywords.pattern.as_ref().filter(|pattern| !pattern.0.is_match(text)) {
            let text = shown(&Value::from(text));
            self.breach(at, format_args!("is {text}, which does not match {}", pattern.0.as_str()));
        }
    }

    fn check_range(
        &mut self,
        at: &str,
        said: fmt::Arguments<'_>,
        count: usize,
        min: Option<usize>,
        max: Option<usize>,
    ) {
        if let Some(min) = min.filter(|min| count < *min) {
            self.breach(at, format_args!("{said}, and not at least {min}"));
        }
        if let Some(max) = max.filter(|max| count > *max) {
            self.breach(at, format_args!("{said}, and not at most {max}"));
        }
    }

    fn check_combined(&mut self, keywords: &Keywords, value: &Value, at: &str) -> Result<(), Endless> {
        for schema in &keywords.all_of {
            self.follow(schema, value, at)?;
        }
        if let Some(schemas) = &keywords.any_of
            && self.satisfied(schemas, value)? == 0
        {
            self.breach(at, format_args!("satisfies none of the {} schemas of its anyOf", schemas.len()));
        }
        if let Some(schemas) = &keywords.one_of {
            let satisfied = self.satisfied(schemas, value)?;
            if satisfied != 1 {
                let of = schemas.len();
                self.breach(
                    at,
                    format_args!("satisfies {satisfied} of the {of} schemas of its oneOf, and not one"),
                );
            }
        }
        if let Some(schema) = &keywords.not
            && self.satisfied(std::slice::from_ref(schema), value)? == 1
        {
            self.breach(at, "satisfies the schema of its not");
        }
        Ok(())
    }

    /// How many of the schemas the value satisfies. That it breaks one of them is no breach yet.
    fn satisfied(&mut self, schemas: &[Schema], value: &Value) -> Result<usize, Endless> {
        let told = self.breaches.len();
        let mut satisfied = 0;
        for schema in schemas {
            self.follow(schema, value, "")?;
            satisfied += usize::from(self.breaches.len() == told);
            self.breaches.truncate(told);
        }
        Ok(satisfied)
    }
}

impl Type {
    fn has(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Number => value.is_number(),
            // By value: 1.0 is an integer.
            Self::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            Self::String => value.is_string(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::String => "string",
        }
    }
}

/// Equal by value: 1 and 1.0 are.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
