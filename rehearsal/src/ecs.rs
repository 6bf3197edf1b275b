//! What ECS has and ministack lacks: service deployments that take their time, the revisions that they go between, and
//! `StopServiceDeployment`. Ministack keeps clusters, services, task definitions and tasks; a deployment reaches it when it
//! has succeeded, so that a service that is put back never had other tasks.
//!
//! There are no lifecycle hooks, circuit breakers or alarms of deployments here, and nothing decides for itself to
//! roll back. The tasks of a target are listed only once its deployment has succeeded.

mod announce;
mod answers;
mod books;
mod drive;
mod strategy;

use crate::front::{
    Answer,
    backends::{Backends, Forwarded, document},
    call::Call,
    fault_answers::{REQUEST_ID, ServiceError},
};
use crate::places::Places;
use books::{Books, Revision, Service, Status};
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use strategy::Strategy;

/// The local ECS, as far as ministack is none.
pub(crate) struct Ecs {
    books: Mutex<Books>,
    backends: Arc<Backends>,
    /// Where events are told.
    places: Arc<Places>,
    /// How long a second of a deployment lasts, in real seconds.
    scale: f64,
}

impl Ecs {
    pub(crate) fn new(backends: Arc<Backends>, places: Arc<Places>, scale: f64) -> Self {
        Self { books: Mutex::default(), backends, places, scale }
    }

    pub(crate) async fn answer(self: &Arc<Self>, call: &Call, request: &Forwarded) -> Answer {
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let answered = match call.operation.as_str() {
            "DescribeServices" => return self.describe_services(request).await,
            "UpdateService" => return self.update_service(call, request, &asked).await,
            "ListServiceDeployments" => self.list_deployments(request, &asked).await,
            "DescribeServiceDeployments" => Ok(self.describe_deployments(call, &asked)),
            "DescribeServiceRevisions" => Ok(self.describe_revisions(call, &asked)),
            "StopServiceDeployment" => self.stop_deployment(call, &asked),
            _ => return self.backends.ministack(request).await,
        };
        answered.map_or_else(|refusal| refusal.response(call), |document| answer_of(&document))
    }

    async fn describe_services(&self, request: &Forwarded) -> Answer {
        let (answer, described) = document(self.backends.ministack(request).await).await;
        let Some(mut described) = described.filter(|_| answer.status().is_success()) else { return answer };
        let mut books = self.lock();
        let services = described.get_mut("services").and_then(Value::as_array_mut);
        for service in services.into_iter().flatten() {
            books.show(service);
        }
        answer_of(&described)
    }

    async fn update_service(self: &Arc<Self>, call: &Call, request: &Forwarded, asked: &Value) -> Answer {
        let Ok(service) = self.service(request, asked).await else {
            // Ministack refuses by name what it does not know.
            return self.backends.ministack(request).await;
        };
        let wanted = asked.get("taskDefinition").and_then(Value::as_str);
        if wanted.is_some() && !is_driven_by_ecs(&service) {
            let message = "Unable to update task definition on services with a CODE_DEPLOY deployment controller. \
                           Use AWS CodeDeploy to trigger a new deployment.";
            return refused("InvalidParameterException", message).response(call);
        }
        let task_definition = match self.task_definition(request, wanted).await {
            Ok(task_definition) => task_definition,
            Err(TaskDefinitionRefused::ByBackend(answer)) => return *answer,
            Err(TaskDefinitionRefused::Inactive) => {
                return refused("ClientException", "TaskDefinition is inactive").response(call);
            }
        };
        let mut rest = asked.clone();
        if let Some(fields) = rest.as_object_mut().filter(|_| is_driven_by_ecs(&service)) {
            fields.remove("taskDefinition");
            fields.remove("forceNewDeployment");
        }
        let updated = self.backends.ministack(&request.with_body(rest.to_string())).await;
        let (answer, updated) = document(updated).await;
        let Some(mut updated) = updated.filter(|_| answer.status().is_success()) else { return answer };
        let Some(service) = updated.get_mut("service") else { return answer };
        if is_driven_by_ecs(service) {
            let is_forced = asked.get("forceNewDeployment").and_then(Value::as_bool).unwrap_or_default();
            let began = self.lock().begin(service, task_definition.as_deref(), is_forced);
            if let Some(began) = began {
                let driven = Arc::clone(self);
                let (strategy, request) = (Strategy::of(service), request.clone());
                tokio::spawn(async move { driven.drive(&began, &strategy, &request, is_forced).await });
            }
            self.lock().show(service);
        }
        answer_of(&updated)
    }

    /// The service that a call names, as ministack has it.
    async fn service(&self, request: &Forwarded, asked: &Value) -> Result<Value, ServiceError> {
        let cluster = asked.get("cluster").cloned().unwrap_or_else(|| json!("default"));
        let name = asked.get("service").cloned().unwrap_or_default();
        let describe = request.json("DescribeServices", &json!({ "cluster": cluster, "services": [name] }));
        let (answer, described) = document(self.backends.ministack(&describe).await).await;
        if !answer.status().is_success() {
            return Err(refused("ClusterNotFoundException", "Cluster not found."));
        }
        let found = described.and_then(|mut described| Some(described.pointer_mut("/services/0")?.take()));
        let mut found = found.ok_or_else(|| refused("ServiceNotFoundException", "Service not found."))?;
        self.lock().show(&mut found);
        Ok(found)
    }

    async fn task_definition(
        &self,
        request: &Forwarded,
        wanted: Option<&str>,
    ) -> Result<Option<String>, TaskDefinitionRefused> {
        let Some(wanted) = wanted else { return Ok(None) };
        let describe = request.json("DescribeTaskDefinition", &json!({ "taskDefinition": wanted }));
        let (answer, described) = document(self.backends.ministack(&describe).await).await;
        let text = |field: &str| {
            described.as_ref()?.pointer(&format!("/taskDefinition/{field}"))?.as_str().map(str::to_owned)
        };
        match (answer.status().is_success(), text("status").as_deref()) {
            (false, _) => Err(TaskDefinitionRefused::ByBackend(Box::new(answer))),
            (true, Some("INACTIVE")) => Err(TaskDefinitionRefused::Inactive),
            (true, _) => Ok(text("taskDefinitionArn")),
        }
    }

    async fn list_deployments(&self, request: &Forwarded, asked: &Value) -> Result<Value, ServiceError> {
        let service = self.service(request, asked).await?;
        let statuses = asked.get("status").and_then(Value::as_array);
        let is_asked = |status: Status| {
            statuses.is_none_or(|all| all.is_empty() || all.iter().any(|one| one == status.name()))
        };
        let books = self.lock();
        let service = service.get("serviceArn").and_then(Value::as_str).and_then(|arn| books.service(arn));
        let newest_first = service.into_iter().flat_map(|service| {
            let wanted = service.deployments.iter().rev().filter(|deployment| is_asked(deployment.status));
            wanted.map(|deployment| deployment.brief(service))
        });
        Ok(json!({ "serviceDeployments": newest_first.collect::<Vec<_>>() }))
    }

    fn describe_deployments(&self, call: &Call, asked: &Value) -> Value {
        let books = self.lock();
        let (found, failures) = looked_up(call, asked, "serviceDeploymentArns", |arn| {
            let (service, deployment) = books.deployment(arn)?;
            Some(deployment.described(service))
        });
        json!({ "serviceDeployments": found, "failures": failures })
    }

    fn describe_revisions(&self, call: &Call, asked: &Value) -> Value {
        let books = self.lock();
        let (found, failures) = looked_up(call, asked, "serviceRevisionArns", |arn| {
            books.services().find_map(|service| Some(service.revision(arn)?.described(service)))
        });
        json!({ "serviceRevisions": found, "failures": failures })
    }

    fn stop_deployment(self: &Arc<Self>, call: &Call, asked: &Value) -> Result<Value, ServiceError> {
        let arn = asked.get("serviceDeploymentArn").and_then(Value::as_str).unwrap_or_default();
        match asked.get("stopType").and_then(Value::as_str) {
            None | Some("ROLLBACK") => {}
            Some(other) => {
                return Err(refused(
                    "InvalidParameterException",
                    format!("stopType {other} is not ROLLBACK"),
                ));
            }
        }
        if !is_of(call, arn) {
            return Err(no_deployment(arn));
        }
        self.lock().request_rollback(arn)?;
        let (driven, stopped) = (Arc::clone(self), arn.to_owned());
        tokio::spawn(async move { driven.roll_back(&stopped).await });
        Ok(json!({ "serviceDeploymentArn": arn }))
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // A panic elsewhere must not hide what was deployed before it.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scaled(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.scale)
    }
}

enum TaskDefinitionRefused {
    ByBackend(Box<Answer>),
    Inactive,
}

/// CodeDeploy and others drive task sets, which are none of this engine's business.
fn is_driven_by_ecs(service: &Value) -> bool {
    service.pointer("/deploymentController/type").and_then(Value::as_str).is_none_or(|kind| kind == "ECS")
}

/// A call finds what is in its own region alone.
fn is_of(call: &Call, arn: &str) -> bool {
    arn.split(':').nth(3) == Some(&call.region)
}

fn looked_up(
    call: &Call,
    asked: &Value,
    field: &str,
    find: impl Fn(&str) -> Option<Value>,
) -> (Vec<Value>, Vec<Value>) {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in asked.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        match find(arn).filter(|_| is_of(call, arn)) {
            Some(one) => found.push(one),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    (found, failures)
}

fn answer_of(document: &Value) -> Answer {
    let builder = Response::builder()
        .header("x-amzn-requestid", REQUEST_ID)
        .header("content-type", "application/x-amz-json-1.1");
    builder.body(Full::from(document.to_string())).unwrap_or_default()
}

fn refused(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, code, message)
}

fn no_deployment(arn: &str) -> ServiceError {
    refused("ServiceDeploymentNotFoundException", format!("Service deployment {arn} does not exist"))
}
