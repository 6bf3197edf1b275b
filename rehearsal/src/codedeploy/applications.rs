//! Applications: a name, a platform, and the groups in it.

use super::{
    CodeDeploy,
    documents::{seconds, uuid},
    groups::Group,
    refusal::{APPLICATION, Answered, refused, text, texts},
};
use crate::front::fault_answers::ServiceError;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) const BATCH: (usize, &str) = (100, "BatchLimitExceededException");

/// What an application deploys to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Platform {
    Lambda,
    #[serde(rename = "ECS")]
    Ecs,
}

impl Platform {
    pub(super) fn of(request: &Value) -> Result<Self, ServiceError> {
        // Without a platform CodeDeploy means servers.
        match text(request, "computePlatform").unwrap_or("Server") {
            "Lambda" => Ok(Self::Lambda),
            "ECS" => Ok(Self::Ecs),
            "Server" => Err(refused(
                "InvalidComputePlatformException",
                "the local CodeDeploy deploys to Lambda and ECS only",
            )),
            unknown => Err(refused(
                "InvalidComputePlatformException",
                format!("{unknown} is not Lambda, Server, or ECS"),
            )),
        }
    }
}

#[derive(Debug)]
pub(super) struct Application {
    id: String,
    pub(super) platform: Platform,
    created: Timestamp,
    pub(super) groups: BTreeMap<String, Group>,
}

impl Application {
    fn document(&self, name: &str) -> Value {
        json!({
            "applicationId": self.id,
            "applicationName": name,
            "createTime": seconds(self.created),
            "linkedToGitHub": false,
            "computePlatform": self.platform,
        })
    }
}

impl CodeDeploy {
    pub(super) fn create_application(&self, request: &Value) -> Answered {
        let name = APPLICATION.of(request)?;
        let platform = Platform::of(request)?;
        let mut books = self.lock();
        if books.applications.contains_key(name) {
            return Err(exists(name));
        }
        let (created, groups) = (Timestamp::now(), BTreeMap::new());
        let application = Application { id: uuid(), platform, created, groups };
        let id = application.id.clone();
        books.applications.insert(name.to_owned(), application);
        Ok(json!({ "applicationId": id }))
    }

    pub(super) fn get_application(&self, request: &Value) -> Answered {
        let name = APPLICATION.of(request)?;
        Ok(json!({ "application": self.lock().application(name)?.document(name) }))
    }

    pub(super) fn batch_get_applications(&self, request: &Value) -> Answered {
        let names = texts(request, "applicationNames", "ApplicationNameRequiredException", BATCH)?;
        let books = self.lock();
        let found: Result<Vec<Value>, ServiceError> =
            names.into_iter().map(|name| Ok(books.application(name)?.document(name))).collect();
        Ok(json!({ "applicationsInfo": found? }))
    }

    pub(super) fn list_applications(&self) -> Answered {
        let names: Vec<String> = self.lock().applications.keys().cloned().collect();
        Ok(json!({ "applications": names }))
    }

    pub(super) fn update_application(&self, request: &Value) -> Answered {
        let name = APPLICATION.of(request)?;
        let mut books = self.lock();
        books.application(name)?;
        let Some(renamed) = text(request, "newApplicationName") else { return Ok(Value::Null) };
        APPLICATION.checked(renamed)?;
        if books.applications.contains_key(renamed) {
            return Err(exists(renamed));
        }
        if let Some(application) = books.applications.remove(name) {
            books.applications.insert(renamed.to_owned(), application);
        }
        for deployment in books.deployments.iter_mut().filter(|d| d.application == name) {
            deployment.application = renamed.to_owned();
        }
        Ok(Value::Null)
    }

    /// Deleting what is gone succeeds, as the model has no exception for it.
    pub(super) fn delete_application(&self, request: &Value) -> Answered {
        let name = APPLICATION.of(request)?;
        self.lock().applications.remove(name);
        Ok(Value::Null)
    }
}

fn exists(name: &str) -> ServiceError {
    refused("ApplicationAlreadyExistsException", format!("Application already exists: {name}"))
}
