//! A service of ECS with a stable and a candidate task definition.

use super::{
    TargetError,
    calls::{json, text, unique},
};
use crate::aws_client::AwsClient;
use serde_json::{Value, json};

const ECS: (&str, &str) = ("ecs", "AmazonEC2ContainerServiceV20141113");

/// A service that runs the stable task definition.
#[derive(Debug, Clone)]
pub struct EcsService {
    /// Its cluster's name.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The stable task definition.
    pub stable_arn: String,
    /// The candidate's.
    pub candidate_arn: String,
}

/// One service deployment as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// Such as `IN_PROGRESS`.
    pub status: String,
    /// The target's share of the production traffic, where the strategy shifts it.
    pub weight_percent: Option<f64>,
}

/// Sets up a service of two tasks. A configuration such as `{"strategy": "CANARY", …}` says how its deployments go; without
/// one they roll, which takes four seconds here.
pub async fn ecs_service(client: &AwsClient, configuration: &Value) -> Result<EcsService, TargetError> {
    let (cluster, name) = (unique("shop"), "web".to_owned());
    let family = unique("web");
    json(client, ECS, "CreateCluster", &json!({ "clusterName": cluster })).await?;
    let stable_arn = task_definition(client, &family, "shop/web:1").await?;
    let candidate_arn = task_definition(client, &family, "shop/web:2").await?;
    let mut service = json!({
        "cluster": cluster,
        "serviceName": name,
        "taskDefinition": stable_arn,
        "desiredCount": 2,
        "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
    });
    if !configuration.is_null() {
        service["deploymentConfiguration"] = configuration.clone();
    }
    let created = json(client, ECS, "CreateService", &service).await?;
    let arn = text(&created, "/service/serviceArn")?;
    Ok(EcsService { cluster, name, arn, stable_arn, candidate_arn })
}

impl EcsService {
    /// Deploys a task definition, and says which deployment does.
    pub async fn deploy(
        &self,
        client: &AwsClient,
        task_definition_arn: &str,
    ) -> Result<ServiceDeployment, TargetError> {
        let update = json!({
            "cluster": self.cluster,
            "service": self.name,
            "taskDefinition": task_definition_arn,
        });
        json(client, ECS, "UpdateService", &update).await?;
        let newest = self.deployments(client).await?.into_iter().next();
        newest
            .ok_or_else(|| TargetError::Answer { what: "a deployment".to_owned(), answer: self.arn.clone() })
    }

    /// The deployments so far, newest first.
    pub async fn deployments(&self, client: &AwsClient) -> Result<Vec<ServiceDeployment>, TargetError> {
        let asked = json!({ "cluster": self.cluster, "service": self.name });
        let listed = json(client, ECS, "ListServiceDeployments", &asked).await?;
        let arns: Vec<Value> = listed
            .get("serviceDeployments")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|deployment| deployment.get("serviceDeploymentArn").cloned())
            .collect();
        let asked = json!({ "serviceDeploymentArns": arns });
        let described = json(client, ECS, "DescribeServiceDeployments", &asked).await?;
        let all = described.get("serviceDeployments").and_then(Value::as_array).into_iter().flatten();
        all.map(|deployment| {
            Ok(ServiceDeployment {
                arn: text(deployment, "/serviceDeploymentArn")?,
                status: text(deployment, "/status")?,
                weight_percent: deployment
                    .pointer("/targetServiceRevision/requestedProductionTrafficWeight")
                    .and_then(Value::as_f64),
            })
        })
        .collect()
    }

    /// The task definition that the service is to run.
    pub async fn task_definition(&self, client: &AwsClient) -> Result<String, TargetError> {
        text(&self.described(client).await?, "/taskDefinition")
    }

    /// The service as `DescribeServices` has it.
    pub async fn described(&self, client: &AwsClient) -> Result<Value, TargetError> {
        let asked = json!({ "cluster": self.cluster, "services": [self.name] });
        let mut described = json(client, ECS, "DescribeServices", &asked).await?;
        Ok(described.pointer_mut("/services/0").map(Value::take).unwrap_or_default())
    }

    /// The task definitions of the tasks that run.
    pub async fn tasks(&self, client: &AwsClient) -> Result<Vec<String>, TargetError> {
        let asked = json!({ "cluster": self.cluster, "serviceName": self.name });
        let listed = json(client, ECS, "ListTasks", &asked).await?;
        let asked = json!({ "cluster": self.cluster, "tasks": listed.get("taskArns") });
        let described = json(client, ECS, "DescribeTasks", &asked).await?;
        let all = described.get("tasks").and_then(Value::as_array).into_iter().flatten();
        all.map(|task| text(task, "/taskDefinitionArn")).collect()
    }

    /// Takes a task definition out of use: nothing may be deployed to it any more.
    pub async fn deregister(&self, client: &AwsClient, task_definition_arn: &str) -> Result<(), TargetError> {
        let asked = json!({ "taskDefinition": task_definition_arn });
        json(client, ECS, "DeregisterTaskDefinition", &asked).await.map(drop)
    }
}

async fn task_definition(client: &AwsClient, family: &str, image: &str) -> Result<String, TargetError> {
    let asked = json!({
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{ "name": "app", "image": image, "essential": true }],
    });
    let registered = json(client, ECS, "RegisterTaskDefinition", &asked).await?;
    text(&registered, "/taskDefinition/taskDefinitionArn")
}
