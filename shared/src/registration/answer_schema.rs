//! The JSON Schema that an answer must satisfy: the part of draft 2020-12 that describes answers.
//!
//! A whole implementation would take an eighth of the artefact that is shipped. Here a keyword that is not known is refused
//! when the service is registered, so that nothing is believed to be checked that is not. Nothing outside the document is
//! ever read, and a schema that never ends is given up, not followed.

use std::collections::BTreeMap;
use std::fmt;

use regex_lite::Regex;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

mod breaches;

pub use breaches::{Breach, Endless};

/// A schema that can be checked against.
#[derive(Clone, Debug)]
pub struct AnswerSchema {
    root: Schema,
}

/// Why a schema cannot be checked against: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {why}")]
pub struct InvalidSchema {
    /// Where, as a path.
    pub at: String,
    /// What is wrong.
    pub why: String,
}

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Definitions lie at the root, under their names.
const DEFINITION: &str = "#/$defs/";

#[derive(Clone, Debug)]
enum Schema {
    /// Everything, or nothing.
    Any(bool),
    Of(Box<Keywords>),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Keywords {
    #[serde(rename = "$schema", deserialize_with = "given")]
    dialect: Option<String>,
    #[serde(rename = "$ref", deserialize_with = "given")]
    reference: Option<String>,
    #[serde(rename = "$defs")]
    definitions: BTreeMap<String, Schema>,
    #[serde(rename = "type", deserialize_with = "given")]
    types: Option<Types>,
    #[serde(rename = "enum", deserialize_with = "given")]
    one_of_values: Option<Vec<Value>>,
    #[serde(rename = "const", deserialize_with = "given")]
    value: Option<Value>,
    properties: BTreeMap<String, Schema>,
    required: Vec<String>,
    #[serde(deserialize_with = "given")]
    additional_properties: Option<Schema>,
    #[serde(deserialize_with = "given")]
    items: Option<Schema>,
    #[serde(deserialize_with = "given")]
    min_items: Option<usize>,
    #[serde(deserialize_with = "given")]
    max_items: Option<usize>,
    #[serde(deserialize_with = "given")]
    minimum: Option<Number>,
    #[serde(deserialize_with = "given")]
    maximum: Option<Number>,
    #[serde(deserialize_with = "given")]
    exclusive_minimum: Option<Number>,
    #[serde(deserialize_with = "given")]
    exclusive_maximum: Option<Number>,
    #[serde(deserialize_with = "given")]
    min_length: Option<usize>,
    #[serde(deserialize_with = "given")]
    max_length: Option<usize>,
    #[serde(deserialize_with = "given")]
    pattern: Option<Pattern>,
    all_of: Vec<Schema>,
    #[serde(deserialize_with = "given")]
    any_of: Option<Vec<Schema>>,
    #[serde(deserialize_with = "given")]
    one_of: Option<Vec<Schema>>,
    #[serde(deserialize_with = "given")]
    not: Option<Schema>,
    // Remarks, which the standard does not have checked either; `format` is one of them.
    #[serde(rename = "$comment")]
    _comment: IgnoredAny,
    #[serde(rename = "title")]
    _title: IgnoredAny,
    #[serde(rename = "description")]
    _description: IgnoredAny,
    #[serde(rename = "default")]
    _default: IgnoredAny,
    #[serde(rename = "examples")]
    _examples: IgnoredAny,
    #[serde(rename = "format")]
    _format: IgnoredAny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Null,
    Boolean,
    Object,
    Array,
    Number,
    Integer,
    String,
}

/// One type, or several.
#[derive(Clone, Debug)]
struct Types(Vec<Type>);

#[derive(Clone, Debug)]
struct Pattern(Regex);

impl AnswerSchema {
    /// Reads a schema, and refuses what could not be checked.
    pub fn parse(schema: &Value) -> Result<Self, InvalidSchema> {
        let root: Schema = serde_path_to_error::deserialize(schema).map_err(|error| InvalidSchema {
            at: error.path().to_string(),
            why: error.inner().to_string(),
        })?;
        let schema = Self { root };
        schema.root.check(&schema, ".")?;
        Ok(schema)
    }

    fn definition(&self, reference: &str) -> Option<&Schema> {
        match (&self.root, reference.strip_prefix(DEFINITION)) {
            (root, None) => (reference == "#").then_some(root),
            (Schema::Of(root), Some(name)) => root.definitions.get(name),
            (Schema::Any(_), Some(_)) => None,
        }
    }
}

impl Schema {
    /// What is wrong although it is of the right form.
    fn check(&self, schema: &AnswerSchema, at: &str) -> Result<(), InvalidSchema> {
        let Self::Of(keywords) = self else { return Ok(()) };
        let wrong = |why: String| Err(InvalidSchema { at: at.to_owned(), why });
        if keywords.dialect.as_ref().is_some_and(|dialect| dialect != DIALECT) {
            return wrong(format!("$schema is another one than {DIALECT}"));
        }
        if let Some(reference) = &keywords.reference
            && schema.definition(reference).is_none()
        {
            return wrong(format!(
                "$ref {reference:?} points neither to # nor to a definition at {DEFINITION}NAME"
            ));
        }
        let groups = [
            ("allOf", Some(&keywords.all_of)),
            ("anyOf", keywords.any_of.as_ref()),
            ("oneOf", keywords.one_of.as_ref()),
        ];
        for (group, inner) in groups {
            for inner in inner.into_iter().flatten() {
                inner.check(schema, &format!("{at}/{group}"))?;
            }
        }
        let named = [("$defs", &keywords.definitions), ("properties", &keywords.properties)];
        for (group, inner) in named {
            for (name, inner) in inner {
                inner.check(schema, &format!("{at}/{group}/{name}"))?;
            }
        }
        let single = [
            ("additionalProperties", &keywords.additional_properties),
            ("items", &keywords.items),
            ("not", &keywords.not),
        ];
        for (name, inner) in single {
            if let Some(inner) = inner {
                inner.check(schema, &format!("{at}/{name}"))?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Schema;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a schema: an object, true or false")
            }

            fn visit_bool<E: Error>(self, any: bool) -> Result<Schema, E> {
                Ok(Schema::Any(any))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schema, A::Error> {
                Keywords::deserialize(MapAccessDeserializer::new(map))
                    .map(|keywords| Schema::Of(Box::new(keywords)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let types = Value::deserialize(deserializer)?;
        let types = types.as_array().cloned().unwrap_or_else(|| vec![types]);
        let types: Result<Vec<Type>, _> = types.into_iter().map(serde_json::from_value).collect();
        types.map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Regex::new(&String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// What stands there: null is no way of leaving a keyword out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
