//! What CodeDeploy asks of Lambda to shift an alias. It overwrites what it finds in the alias, as the real one does: an
//! alias that somebody else moves under a deployment is moved again at the next increment.

use super::{CodeDeploy, appspec::LambdaTarget, record::DeploymentError};
use crate::{
    aws_client::{AwsAnswer, CallError},
    front::journal::AliasRouting,
};
use serde_json::{Value, json};
use std::time::Duration;

const ATTEMPTS_MAX: u32 = 3;
const ATTEMPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

pub(super) fn invalid_configuration(reason: &str) -> DeploymentError {
    let message = format!(
        "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment configuration is \
         missing or has an invalid configuration. {reason}"
    );
    DeploymentError { code: "INVALID_LAMBDA_CONFIGURATION", message }
}

fn invalid_function(what: &str) -> DeploymentError {
    let message = format!(
        "The deployment failed because the Lambda function, version or alias {what} could not be found."
    );
    DeploymentError { code: "INVALID_LAMBDA_FUNCTION", message }
}

impl CodeDeploy {
    /// The alias serves the current version and nothing else, and the target version exists.
    pub(super) async fn check_lambda(&self, lambda: &LambdaTarget) -> Result<(), DeploymentError> {
        let LambdaTarget { function, current, target, .. } = lambda;
        let found = self.alias(lambda).await?;
        let path = format!("/2015-03-31/functions/{function}/configuration?Qualifier={target}");
        self.lambda("GET", &path, &Value::Null, &format!("{function}:{target}")).await?;
        let exactly = AliasRouting { version: current.clone(), weights: Default::default() };
        if found == exactly {
            return Ok(());
        }
        let reason = "The Lambda function alias version does not match the current version in AppSpec file.";
        Err(invalid_configuration(reason))
    }

    /// Gives the target version so much of the alias's traffic.
    pub(super) async fn route(&self, lambda: &LambdaTarget, percent: f64) -> Result<(), DeploymentError> {
        let update = if percent >= 100.0 {
            json!({"FunctionVersion": lambda.target, "RoutingConfig": {"AdditionalVersionWeights": {}}})
        } else {
            let weights = json!({ lambda.target.as_str(): percent / 100.0 });
            json!({"FunctionVersion": lambda.current, "RoutingConfig": {"AdditionalVersionWeights": weights}})
        };
        self.lambda("PUT", &alias_path(lambda), &update, &alias_name(lambda)).await.map(drop)
    }

    /// All traffic to the target version of a rollback; an alias that is there already is left alone.
    pub(super) async fn route_back(&self, lambda: &LambdaTarget) -> Result<(), DeploymentError> {
        let there = AliasRouting { version: lambda.target.clone(), weights: Default::default() };
        if self.alias(lambda).await? == there { Ok(()) } else { self.route(lambda, 100.0).await }
    }

    async fn alias(&self, lambda: &LambdaTarget) -> Result<AliasRouting, DeploymentError> {
        let name = alias_name(lambda);
        let answer = self.lambda("GET", &alias_path(lambda), &Value::Null, &name).await?;
        let alias: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        AliasRouting::of(&alias).ok_or_else(|| invalid_function(&name))
    }

    /// A call of Lambda, tried again when Lambda had no time.
    async fn lambda(
        &self,
        method: &str,
        path: &str,
        document: &Value,
        what: &str,
    ) -> Result<AwsAnswer, DeploymentError> {
        let mut attempt = 1;
        loop {
            let answer = self.client.lambda(method, path, document).await;
            let may_pass = match &answer {
                Ok(answer) => answer.status == 429 || answer.status.is_server_error(),
                Err(_) => true,
            };
            if !may_pass || attempt == ATTEMPTS_MAX {
                return settled(answer, what);
            }
            attempt += 1;
            tokio::time::sleep(ATTEMPT_AGAIN_AFTER).await;
        }
    }
}

fn settled(answer: Result<AwsAnswer, CallError>, what: &str) -> Result<AwsAnswer, DeploymentError> {
    let internal = |message: String| DeploymentError { code: "INTERNAL_ERROR", message };
    match answer {
        Ok(answer) if answer.status.is_success() => Ok(answer),
        Ok(answer) if answer.status == 404 => Err(invalid_function(what)),
        Ok(answer) => {
            Err(internal(format!("Lambda answered {} for {what}: {}", answer.status, answer.text())))
        }
        Err(error) => Err(internal(format!("Lambda did not answer for {what}: {error}"))),
    }
}

fn alias_path(lambda: &LambdaTarget) -> String {
    format!("/2015-03-31/functions/{}/aliases/{}", lambda.function, lambda.alias)
}

fn alias_name(lambda: &LambdaTarget) -> String {
    format!("{}:{}", lambda.function, lambda.alias)
}
