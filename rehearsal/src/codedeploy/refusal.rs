//! How CodeDeploy refuses a call: its exceptions by name, all of them HTTP 400, and how a request's fields are read.

use crate::front::fault_answers::ServiceError;
use serde_json::Value;

pub(super) type Answered = Result<Value, ServiceError>;

const NAME_CHARACTERS_MAX: usize = 100;

pub(super) fn refused(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, code, message)
}

/// A text field; an empty one is as good as none.
pub(super) fn text<'request>(request: &'request Value, field: &str) -> Option<&'request str> {
    request.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A field that names something, with the exceptions for when it does not.
pub(super) struct Name {
    field: &'static str,
    missing: &'static str,
    invalid: &'static str,
}

pub(super) const APPLICATION: Name = Name {
    field: "applicationName",
    missing: "ApplicationNameRequiredException",
    invalid: "InvalidApplicationNameException",
};
pub(super) const GROUP: Name = Name {
    field: "deploymentGroupName",
    missing: "DeploymentGroupNameRequiredException",
    invalid: "InvalidDeploymentGroupNameException",
};
pub(super) const CURRENT_GROUP: Name = Name { field: "currentDeploymentGroupName", ..GROUP };
pub(super) const CONFIG: Name = Name {
    field: "deploymentConfigName",
    missing: "DeploymentConfigNameRequiredException",
    invalid: "InvalidDeploymentConfigNameException",
};

impl Name {
    /// The name, which must be there.
    pub(super) fn of<'request>(&self, request: &'request Value) -> Result<&'request str, ServiceError> {
        self.of_any(request)?.ok_or_else(|| refused(self.missing, format!("{} is missing", self.field)))
    }

    /// The name, if there is one.
    pub(super) fn of_any<'request>(
        &self,
        request: &'request Value,
    ) -> Result<Option<&'request str>, ServiceError> {
        text(request, self.field).map(|name| self.checked(name)).transpose()
    }

    pub(super) fn checked<'name>(&self, name: &'name str) -> Result<&'name str, ServiceError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._+=,@-".contains(c);
        if name.chars().count() <= NAME_CHARACTERS_MAX && name.chars().all(allowed) {
            return Ok(name);
        }
        Err(refused(self.invalid, format!("{name} is not a name")))
    }
}

/// A list of at most so many texts, as the batch operations take them.
pub(super) fn texts<'request>(
    request: &'request Value,
    field: &str,
    missing: &str,
    (count_max, too_many): (usize, &str),
) -> Result<Vec<&'request str>, ServiceError> {
    let items = request.get(field).and_then(Value::as_array).into_iter().flatten();
    let items: Vec<&str> = items.filter_map(Value::as_str).collect();
    if items.is_empty() {
        return Err(refused(missing, format!("{field} is missing")));
    }
    if items.len() > count_max {
        return Err(refused(too_many, format!("{field} names {} > {count_max}", items.len())));
    }
    Ok(items)
}
