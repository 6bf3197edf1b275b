//! A target as a team registers it: its name, where it lies, and what it is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::{Arn, Region, TargetName};
use crate::place::configuration::Profile;
use crate::place::{LambdaAlias, Place};

/// One place where a service's traffic shifts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Target {
    /// Its name, unique within the service.
    pub name: TargetName,
    /// Its turn on the way back: those of a lower number go first, those of the same go together.
    pub turn: u8,
    /// Where it lies, and with whose rights it is reached.
    pub reach: Reach,
    /// What it is.
    pub place: Place,
}

/// The region and the account of a target. Without either it lies where the suite does.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// The region, unless it is the suite's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The role in the target's account that is assumed, unless the suite's own rights reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<Arn>,
    /// What the role's trust policy asks for besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

impl Reach {
    /// Whether it lies where the suite does, and is reached with its rights.
    pub fn is_home(&self) -> bool {
        *self == Self::default()
    }
}

impl Target {
    /// The alias of a function that it is, if it is one.
    pub fn lambda(&self) -> Option<&LambdaAlias> {
        match &self.place {
            Place::LambdaAlias(alias) => Some(alias),
            Place::EcsService(_)
            | Place::LoadBalancer(_)
            | Place::ApiStage(_)
            | Place::Configuration(_)
            | Place::DnsRecords(_)
            | Place::Stack(_)
            | Place::StateMachineAlias(_) => None,
        }
    }

    /// The configuration of AppConfig, if it is one.
    pub fn configuration(&self) -> Option<&Profile> {
        match &self.place {
            Place::Configuration(profile) => Some(profile),
            Place::LambdaAlias(_)
            | Place::EcsService(_)
            | Place::LoadBalancer(_)
            | Place::ApiStage(_)
            | Place::DnsRecords(_)
            | Place::Stack(_)
            | Place::StateMachineAlias(_) => None,
        }
    }
}

/// What every kind of target has. One document holds it beside what the kind has of its own; each part is read strictly by
/// itself, so that a misspelt field is refused.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Common {
    /// Its name, unique within the service.
    name: TargetName,
    /// Its turn on the way back: those of a lower number go first, those of the same go together.
    #[serde(default, skip_serializing_if = "is_first")]
    turn: u8,
    /// The region, unless it is the suite's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
    /// The role in the target's account that is assumed, unless the suite's own rights reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role_arn: Option<Arn>,
    /// What the role's trust policy asks for besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
}

/// The fields of [`Common`].
const COMMON: [&str; 5] = ["name", "turn", "region", "role_arn", "external_id"];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_first(turn: &u8) -> bool {
    *turn == 0
}

impl TryFrom<Map<String, Value>> for Target {
    type Error = String;

    fn try_from(document: Map<String, Value>) -> Result<Self, String> {
        let (common, own): (Map<_, _>, Map<_, _>) =
            document.into_iter().partition(|(field, _)| COMMON.contains(&field.as_str()));
        let Common { name, turn, region, role_arn, external_id } = part(common)?;
        let place = part(own).map_err(|why| match why.contains("unknown field") {
            true => format!("{why}, besides `name`, `kind`, `turn`, `region`, `role_arn`, `external_id`"),
            false => why,
        })?;
        Ok(Self { name, turn, reach: Reach { region, role_arn, external_id }, place })
    }
}

impl From<Target> for Map<String, Value> {
    fn from(target: Target) -> Self {
        let Target { name, turn, reach: Reach { region, role_arn, external_id }, place } = target;
        let common = serde_json::to_value(Common { name, turn, region, role_arn, external_id });
        let own = serde_json::to_value(place);
        // Both are structs of names and numbers, which always become objects.
        [common, own].into_iter().flatten().filter_map(object).flatten().collect()
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn part<T: serde::de::DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| match error.path().to_string() {
        path if path == "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    })
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Target {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }

    /// The kinds side by side, each with what all of them have.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let common = Common::json_schema(generator);
        let mut kinds = Place::json_schema(generator);
        let properties = common.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        for kind in kinds.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(kind) = kind.as_object_mut() else { continue };
            if let Some(own) = kind.get_mut("properties").and_then(Value::as_object_mut) {
                own.extend(properties.clone());
            }
            if let Some(required) = kind.get_mut("required").and_then(Value::as_array_mut) {
                required.insert(0, "name".into());
            }
        }
        kinds.insert("description".to_owned(), "One place where a service's traffic shifts.".into());
        kinds
    }
}
