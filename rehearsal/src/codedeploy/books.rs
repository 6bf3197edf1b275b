//! What CodeDeploy knows, and how it is found.

use super::{
    applications::Application,
    configs::{DeploymentConfig, built_in},
    groups::Group,
    record::Record,
    refusal::refused,
};
use crate::front::fault_answers::ServiceError;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Books {
    pub(super) applications: BTreeMap<String, Application>,
    pub(super) configs: BTreeMap<String, DeploymentConfig>,
    /// Oldest first.
    pub(super) deployments: Vec<Record>,
}

impl Default for Books {
    fn default() -> Self {
        Self { applications: BTreeMap::new(), configs: built_in(), deployments: Vec::new() }
    }
}

impl Books {
    pub(super) fn application(&self, name: &str) -> Result<&Application, ServiceError> {
        self.applications.get(name).ok_or_else(|| no_application(name))
    }

    pub(super) fn group(&self, application: &str, name: &str) -> Result<&Group, ServiceError> {
        self.application(application)?.groups.get(name).ok_or_else(|| no_group(name))
    }

    pub(super) fn group_mut(&mut self, application: &str, name: &str) -> Result<&mut Group, ServiceError> {
        let application =
            self.applications.get_mut(application).ok_or_else(|| no_application(application))?;
        application.groups.get_mut(name).ok_or_else(|| no_group(name))
    }

    pub(super) fn config(&self, name: &str) -> Result<&DeploymentConfig, ServiceError> {
        let unknown = || {
            let message = format!("No Deployment Configuration found for name: {name}");
            refused("DeploymentConfigDoesNotExistException", message)
        };
        self.configs.get(name).ok_or_else(unknown)
    }

    pub(super) fn deployment(&self, id: &str) -> Option<&Record> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    pub(super) fn deployment_mut(&mut self, id: &str) -> Option<&mut Record> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)
    }

    /// The deployment that runs in a group.
    pub(super) fn running(&self, application: &str, group: &str) -> Option<&Record> {
        self.deployments
            .iter()
            .find(|deployment| deployment.is_of(application, group) && !deployment.status.has_ended())
    }
}

fn no_application(name: &str) -> ServiceError {
    refused("ApplicationDoesNotExistException", format!("No application found for name: {name}"))
}

fn no_group(name: &str) -> ServiceError {
    refused("DeploymentGroupDoesNotExistException", format!("No Deployment Group found for name: {name}"))
}
