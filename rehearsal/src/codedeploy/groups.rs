//! Deployment groups: what a deployment must respect besides its revision.

use super::{
    CodeDeploy,
    applications::{BATCH, Platform},
    books::Books,
    configs::config_name,
    documents::uuid,
    record::Record,
    refusal::{APPLICATION, Answered, CURRENT_GROUP, GROUP, refused, text, texts},
    settings::{AlarmConfiguration, AutoRollback, Trigger},
};
use crate::front::fault_answers::ServiceError;
use serde_json::{Map, Value, json};

/// Kept as they came: the local CodeDeploy answers with them and does not act on them.
const KEPT: [&str; 6] = [
    "blueGreenDeploymentConfiguration",
    "deploymentStyle",
    "ecsServices",
    "loadBalancerInfo",
    "outdatedInstancesStrategy",
    "terminationHookEnabled",
];

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) config: String,
    role: String,
    pub(super) alarms: Option<AlarmConfiguration>,
    pub(super) auto_rollback: Option<AutoRollback>,
    pub(super) triggers: Vec<Trigger>,
    kept: Map<String, Value>,
    /// The revision that was deployed last.
    pub(super) target_revision: Option<Value>,
}

impl Group {
    fn of(request: &Value, platform: Platform) -> Result<Self, ServiceError> {
        let role = text(request, "serviceRoleArn")
            .ok_or_else(|| refused("RoleRequiredException", "serviceRoleArn is missing"))?;
        let mut group = Self {
            id: uuid(),
            config: config_name(request, platform)?,
            role: role.to_owned(),
            alarms: None,
            auto_rollback: None,
            triggers: Vec::new(),
            kept: Map::new(),
            target_revision: None,
        };
        group.kept.insert(
            "deploymentStyle".to_owned(),
            json!({"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}),
        );
        group.change(request)?;
        group.check(platform)?;
        Ok(group)
    }

    /// Takes over what a request holds; what it leaves out stays.
    fn change(&mut self, request: &Value) -> Result<(), ServiceError> {
        if let Some(config) = text(request, "deploymentConfigName") {
            self.config = config.to_owned();
        }
        if let Some(role) = text(request, "serviceRoleArn") {
            self.role = role.to_owned();
        }
        if let Some(alarms) = AlarmConfiguration::of(request, "alarmConfiguration")? {
            self.alarms = Some(alarms);
        }
        if let Some(auto_rollback) = AutoRollback::of(request)? {
            self.auto_rollback = Some(auto_rollback);
        }
        if let Some(triggers) = Trigger::all_of(request)? {
            self.triggers = triggers;
        }
        for field in KEPT {
            if let Some(value) = request.get(field).filter(|value| !value.is_null()) {
                self.kept.insert(field.to_owned(), value.clone());
            }
        }
        Ok(())
    }

    fn check(&self, platform: Platform) -> Result<(), ServiceError> {
        if !self.role.starts_with("arn:aws:iam::") {
            return Err(refused("InvalidRoleException", format!("{} is not a role", self.role)));
        }
        let style = self.kept.get("deploymentStyle").cloned().unwrap_or_default();
        // Neither Lambda nor ECS is deployed in place.
        if style["deploymentType"] != "BLUE_GREEN" || style["deploymentOption"] != "WITH_TRAFFIC_CONTROL" {
            let message = "the style must be BLUE_GREEN, WITH_TRAFFIC_CONTROL";
            return Err(refused("InvalidDeploymentStyleException", message));
        }
        let needed: &[(&str, &str)] = match platform {
            Platform::Lambda => &[],
            Platform::Ecs => &[
                ("ecsServices", "InvalidECSServiceException"),
                ("loadBalancerInfo", "InvalidLoadBalancerInfoException"),
                ("blueGreenDeploymentConfiguration", "InvalidBlueGreenDeploymentConfigurationException"),
            ],
        };
        match needed.iter().find(|(field, _)| !self.kept.contains_key(*field)) {
            Some((field, exception)) => Err(refused(exception, format!("an ECS group needs {field}"))),
            None => Ok(()),
        }
    }

    /// The name of the configuration is good when it exists and shifts the right kind of traffic.
    fn check_config(&self, books: &Books, platform: Platform) -> Result<(), ServiceError> {
        if books.config(&self.config)?.platform == platform {
            return Ok(());
        }
        let message = format!("{} is for another compute platform", self.config);
        Err(refused("InvalidDeploymentConfigNameException", message))
    }

    /// `cluster:service` of the one service that an ECS group deploys to: its target's id.
    pub(super) fn service(&self) -> Option<String> {
        let service = self.kept.get("ecsServices")?.get(0)?;
        let name = |field: &str| service.get(field).and_then(Value::as_str).unwrap_or("default");
        Some(format!("{}:{}", name("clusterName"), name("serviceName")))
    }

    fn document(&self, (application, name): (&str, &str), books: &Books) -> Value {
        let mut document = json!({
            "applicationName": application,
            "deploymentGroupId": self.id,
            "deploymentGroupName": name,
            "deploymentConfigName": self.config,
            "serviceRoleArn": self.role,
            "triggerConfigurations": self.triggers,
            "computePlatform": books.applications.get(application).map(|application| application.platform),
        });
        let mut newest_first =
            books.deployments.iter().rev().filter(|deployment| deployment.is_of(application, name));
        let attempted = newest_first.clone().next().map(Record::last_info);
        let successful = newest_first.find(|deployment| deployment.has_succeeded()).map(Record::last_info);
        let optional = [
            ("alarmConfiguration", self.alarms.as_ref().map(|alarms| json!(alarms))),
            ("autoRollbackConfiguration", self.auto_rollback.as_ref().map(|rollback| json!(rollback))),
            ("targetRevision", self.target_revision.clone()),
            ("lastAttemptedDeployment", attempted),
            ("lastSuccessfulDeployment", successful),
        ];
        for (field, value) in optional {
            if let Some(value) = value {
                document[field] = value;
            }
        }
        for (field, value) in &self.kept {
            document[field] = value.clone();
        }
        document
    }
}

impl CodeDeploy {
    pub(super) fn create_group(&self, request: &Value) -> Answered {
        let (application, name) = (APPLICATION.of(request)?, GROUP.of(request)?);
        let mut books = self.lock();
        let found = books.application(application)?;
        let platform = found.platform;
        if found.groups.contains_key(name) {
            return Err(exists(name));
        }
        let group = Group::of(request, platform)?;
        group.check_config(&books, platform)?;
        let id = group.id.clone();
        if let Some(application) = books.applications.get_mut(application) {
            application.groups.insert(name.to_owned(), group);
        }
        Ok(json!({ "deploymentGroupId": id }))
    }

    pub(super) fn get_group(&self, request: &Value) -> Answered {
        let (application, name) = (APPLICATION.of(request)?, GROUP.of(request)?);
        let books = self.lock();
        let group = books.group(application, name)?;
        Ok(json!({ "deploymentGroupInfo": group.document((application, name), &books) }))
    }

    /// Groups that do not exist are left out and named in the error message, as the model has it.
    pub(super) fn batch_get_groups(&self, request: &Value) -> Answered {
        let application = APPLICATION.of(request)?;
        let names = texts(request, "deploymentGroupNames", "DeploymentGroupNameRequiredException", BATCH)?;
        let books = self.lock();
        books.application(application)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in names {
            match books.group(application, name) {
                Ok(group) => found.push(group.document((application, name), &books)),
                Err(_) => missing.push(name),
            }
        }
        let mut answer = json!({ "deploymentGroupsInfo": found });
        if !missing.is_empty() {
            answer["errorMessage"] = json!(format!("No Deployment Group found for: {}", missing.join(", ")));
        }
        Ok(answer)
    }

    pub(super) fn list_groups(&self, request: &Value) -> Answered {
        let application = APPLICATION.of(request)?;
        let books = self.lock();
        let names: Vec<&String> = books.application(application)?.groups.keys().collect();
        Ok(json!({"applicationName": application, "deploymentGroups": names}))
    }

    pub(super) fn update_group(&self, request: &Value) -> Answered {
        let (application, name) = (APPLICATION.of(request)?, CURRENT_GROUP.of(request)?);
        let mut books = self.lock();
        let platform = books.application(application)?.platform;
        let mut changed = books.group(application, name)?.clone();
        changed.change(request)?;
        changed.check(platform)?;
        changed.check_config(&books, platform)?;
        let renamed = text(request, "newDeploymentGroupName").unwrap_or(name);
        GROUP.checked(renamed)?;
        if renamed != name && books.group(application, renamed).is_ok() {
            return Err(exists(renamed));
        }
        for deployment in books.deployments.iter_mut().filter(|d| d.is_of(application, name)) {
            deployment.group = renamed.to_owned();
        }
        if let Some(application) = books.applications.get_mut(application) {
            application.groups.remove(name);
            application.groups.insert(renamed.to_owned(), changed);
        }
        Ok(json!({ "hooksNotCleanedUp": [] }))
    }

    /// Deleting what is gone succeeds, as the model has no exception for it.
    pub(super) fn delete_group(&self, request: &Value) -> Answered {
        let (application, name) = (APPLICATION.of(request)?, GROUP.of(request)?);
        if let Some(application) = self.lock().applications.get_mut(application) {
            application.groups.remove(name);
        }
        Ok(json!({ "hooksNotCleanedUp": [] }))
    }
}

fn exists(name: &str) -> ServiceError {
    refused("DeploymentGroupAlreadyExistsException", format!("Deployment group name already exists: {name}"))
}
