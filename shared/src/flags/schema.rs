//! The document's JSON Schema, in draft 4: the one that AppConfig's `JSON_SCHEMA` validators read.
//!
//! It says what a schema can say. That prerequisites exist and go round in no circle, that weights make 100, that no name
//! stands twice and that a rule's variant exists only [`Flags::read`](super::Flags::read) knows, which is what AppConfig's
//! `LAMBDA` validator runs.

use serde_json::{Value, json};

use super::condition::Operator;
use super::context::ATTRIBUTE_NAME_LENGTH_MAX;
use super::limits::{
    ALLOWLIST_MAX, DESCRIPTION_LENGTH_MAX, FLAGS_MAX, NAME_LENGTH_MAX, PREREQUISITES_MAX,
    RULE_NAME_LENGTH_MAX, RULES_MAX, VALUE_LENGTH_MAX, VALUES_MAX, VARIANTS_MAX,
};
use super::read::SUBJECT;

/// A semantic version, by the expression that semver.org gives, without its groups.
const SEMANTIC_VERSION: &str = concat!(
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)",
    r"(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?",
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$",
);

/// The schema of the document.
pub fn schema() -> Value {
    let name = format!("^[A-Za-z0-9._-]{{1,{NAME_LENGTH_MAX}}}$");
    json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "Feature flags",
        "type": "object",
        "additionalProperties": false,
        "required": ["version", "flags"],
        "properties": {
            "$schema": {
                "description": "Where the schema of this document lies, for editors.",
                "type": "string", "minLength": 1, "maxLength": DESCRIPTION_LENGTH_MAX,
            },
            "version": { "description": "The form of the document.", "enum": [1] },
            "flags": {
                "description": "The flags, by key.",
                "type": "object",
                "maxProperties": FLAGS_MAX,
                "additionalProperties": false,
                "patternProperties": { name.as_str(): { "$ref": "#/definitions/flag" } },
            },
        },
        "definitions": {
            "name": { "type": "string", "pattern": name },
            "percentage": {
                "description": "Percent, in steps of 0.01.",
                "type": "number", "minimum": 0, "maximum": 100,
            },
            "attribute": {
                "description": "An attribute of the context.",
                "type": "string", "minLength": 1, "maxLength": ATTRIBUTE_NAME_LENGTH_MAX,
            },
            "text": { "type": "string", "minLength": 1, "maxLength": VALUE_LENGTH_MAX },
            "version": {
                "description": "A semantic version.",
                "type": "string", "maxLength": VALUE_LENGTH_MAX, "pattern": SEMANTIC_VERSION,
            },
            "value": { "anyOf": [{ "$ref": "#/definitions/text" }, { "type": ["number", "boolean"] }] },
            "flag": flag(),
            "variant": variant(),
            "rule": rule(),
            "then": then(),
            "default": default(),
            "prerequisite": prerequisite(),
        },
    })
}

fn flag() -> Value {
    let list = |of: &str, length_max: usize, description: &str| {
        json!({
            "description": description,
            "type": "array", "maxItems": length_max, "items": { "$ref": format!("#/definitions/{of}") },
        })
    };
    let mut variants = list("variant", VARIANTS_MAX, "Its forms; their weights make 100.");
    variants["minItems"] = json!(1);
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["enabled"],
        "properties": {
            "description": {
                "description": "What it is for.",
                "type": "string", "minLength": 1, "maxLength": DESCRIPTION_LENGTH_MAX,
            },
            "owner": {
                "description": "Who answers for it.",
                "type": "string", "minLength": 1, "maxLength": DESCRIPTION_LENGTH_MAX,
            },
            "enabled": { "description": "The kill switch: false is off for everybody.", "type": "boolean" },
            "prerequisites": list("prerequisite", PREREQUISITES_MAX, "Flags that must be on."),
            "subject": {
                "description": format!("The attribute that it is sticky to; {SUBJECT} if it says nothing."),
                "type": "string", "minLength": 1, "maxLength": ATTRIBUTE_NAME_LENGTH_MAX,
            },
            "allowlist": list("text", ALLOWLIST_MAX, "Subjects that it is on for before any rule is asked."),
            "rules": list("rule", RULES_MAX, "The first that matches decides."),
            "rollout_percentage": {
                "description": "The share of all others that it is on for. 100 if neither it nor the default is given.",
                "allOf": [{ "$ref": "#/definitions/percentage" }],
            },
            "default": { "$ref": "#/definitions/default" },
            "variants": variants,
        },
        "allOf": [
            {
                "description": "With rules or an allowlist it says what all others get.",
                "anyOf": [
                    { "required": ["rollout_percentage"] },
                    { "required": ["default"] },
                    { "not": { "anyOf": [{ "required": ["rules"] }, { "required": ["allowlist"] }] } },
                ],
            },
            {
                "description": "A default that is on names one of the flag's variants.",
                "anyOf": [
                    { "not": { "required": ["variants"] } },
                    { "not": { "required": ["default"] } },
                    { "properties": { "default": { "anyOf": [
                        { "properties": { "enabled": { "enum": [false] } } }, { "required": ["variant"] },
                    ] } } },
                ],
            },
        ],
    })
}

fn variant() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "weight"],
        "properties": {
            "name": { "$ref": "#/definitions/name" },
            "weight": { "$ref": "#/definitions/percentage" },
        },
    })
}

fn rule() -> Value {
    let names = Operator::ALL.map(Operator::name);
    let taking = |operators: &[Operator], is_required: bool, values: Value| {
        let names: Vec<&str> = operators.iter().map(|operator| operator.name()).collect();
        let mut branch = json!({ "properties": { "operator": { "enum": names }, "values": values } });
        if is_required {
            branch["required"] = json!(["values"]);
        }
        branch
    };
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["attribute", "operator"],
        "properties": {
            "name": {
                "description": "What reasons call it.",
                "type": "string", "minLength": 1, "maxLength": RULE_NAME_LENGTH_MAX,
            },
            "attribute": { "$ref": "#/definitions/attribute" },
            "operator": { "enum": names },
            "values": { "type": "array", "maxItems": VALUES_MAX, "items": { "$ref": "#/definitions/value" } },
            "then": { "$ref": "#/definitions/then" },
        },
        "anyOf": [
            taking(&[Operator::Equals, Operator::NotEquals], true, json!({ "minItems": 1, "maxItems": 1 })),
            taking(&[Operator::In, Operator::NotIn], true, json!({ "minItems": 1 })),
            taking(
                &[Operator::Contains, Operator::StartsWith, Operator::EndsWith],
                true,
                json!({ "minItems": 1, "items": { "type": "string" } }),
            ),
            taking(
                &[Operator::Greater, Operator::Less],
                true,
                json!({ "minItems": 1, "maxItems": 1, "items": {
                    "anyOf": [{ "type": "number" }, { "$ref": "#/definitions/version" }],
                } }),
            ),
            taking(&[Operator::Exists], false, json!({ "maxItems": 1, "items": { "type": "boolean" } })),
            taking(
                &[Operator::Percentage],
                true,
                json!({ "minItems": 1, "maxItems": 1, "items": { "$ref": "#/definitions/percentage" } }),
            ),
        ],
    })
}

fn then() -> Value {
    json!({
        "description": "What the rule answers; on for all that it matches if it says nothing.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "enabled": { "description": "On, unless it says false.", "type": "boolean" },
            "variant": { "$ref": "#/definitions/name" },
            "percentage": {
                "description": "The share of those that it matches; the others get the default.",
                "allOf": [{ "$ref": "#/definitions/percentage" }],
            },
        },
        "not": { "required": ["percentage", "enabled"], "properties": { "enabled": { "enum": [false] } } },
    })
}

fn default() -> Value {
    json!({
        "description": "The answer where nothing else decides; off if it is not given.",
        "type": "object",
        "additionalProperties": false,
        "required": ["enabled"],
        "properties": { "enabled": { "type": "boolean" }, "variant": { "$ref": "#/definitions/name" } },
    })
}

fn prerequisite() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["flag"],
        "properties": { "flag": { "$ref": "#/definitions/name" }, "variant": { "$ref": "#/definitions/name" } },
    })
}
