//! SAM's DeploymentPreference on a started local AWS: stacks whose update is a deployment.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ripcord_rehearsal::{
    LocalAws, Options,
    codedeploy::{Creator, Deployment, DeploymentStatus},
    deploy::{DeployError, StackCode, StackOutputs, StackRequest},
    front::journal::AliasRouting,
    wait_until,
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);

/// The stack's sources in a folder of their own, because deploying again means other code.
struct Sources(TempDir);

impl Sources {
    fn copied() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deployments");
        for file in ["preference/template.yaml", "shop/shop.py", "hooks/hook.py"] {
            let to = folder.path().join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from.join(file), to).unwrap();
        }
        Self(folder)
    }

    /// Deploys this edition of the function's code, with this hook after traffic.
    async fn deploy(&self, aws: &LocalAws, edition: &str, hook: &str) -> Result<StackOutputs, DeployError> {
        let code = format!("def handler(event, context):\n    return {edition:?}\n");
        std::fs::write(self.0.path().join("shop/shop.py"), code).unwrap();
        let request = StackRequest {
            name: "kiosk".to_owned(),
            template: self.0.path().join("preference/template.yaml"),
            code: StackCode::AsWritten,
            parameters: vec![("PostTraffic".to_owned(), format!("CodeDeployHook_{hook}"))],
        };
        aws.deploy(request).await
    }
}

async fn served(aws: &LocalAws) -> (String, Value) {
    let path = "/2015-03-31/functions/kiosk/aliases/live";
    let answer = aws.client().lambda("GET", path, &Value::Null).await.unwrap();
    let alias: Value = serde_json::from_slice(&answer.body).unwrap();
    let weights = alias.pointer("/RoutingConfig/AdditionalVersionWeights").cloned();
    (alias["FunctionVersion"].as_str().unwrap().to_owned(), weights.unwrap_or_else(|| json!({})))
}

fn by_people(aws: &LocalAws) -> Vec<Deployment> {
    aws.codedeploy().deployments().into_iter().filter(|d| d.creator == Creator::User).collect()
}

#[tokio::test]
async fn a_stacks_update_is_a_deployment_and_fails_with_it() {
    let aws = LocalAws::start(Options::default()).await.unwrap();
    let sources = Sources::copied();
    let outputs = sources.deploy(&aws, "first", "passes").await.unwrap();
    assert_eq!(served(&aws).await, ("1".to_owned(), json!({})));
    assert!(by_people(&aws).is_empty(), "the alias's creation needs no deployment");
    let config = json!({"deploymentConfigName": outputs["Slowly"]});
    let target = "CodeDeploy_20141006.GetDeploymentConfig";
    let config = aws.client().json("codedeploy", target, &config).await.unwrap().text();
    assert!(config.contains(r#""linearPercentage":25"#), "{config}");

    // The local AWS goes on serving while the stack waits for the deployment.
    let (updated, seen) = tokio::join!(sources.deploy(&aws, "second", "passes"), async {
        let shifted = || by_people(&aws).into_iter().find(|d| d.shifted_percent > 0.0);
        wait_until("the canary", SOON, shifted).await.unwrap();
        served(&aws).await
    });
    updated.unwrap();
    assert_eq!(seen, ("1".to_owned(), json!({"2": 0.1})));
    assert_eq!(served(&aws).await, ("2".to_owned(), json!({})));
    let deployments = by_people(&aws);
    assert_eq!(deployments.len(), 1);
    assert_eq!(
        (&deployments[0].application, &deployments[0].group),
        (&outputs["Application"], &outputs["Group"])
    );
    assert_eq!(deployments[0].status, DeploymentStatus::Succeeded);

    // A hook vetoes the next one: CodeDeploy takes traffic back, and CloudFormation the rest of the stack.
    let error = sources.deploy(&aws, "third", "fails").await.unwrap_err();
    let DeployError::Stack { status, reasons, .. } = &error else { panic!("{error:?}") };
    assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
    let failed = by_people(&aws).pop().unwrap();
    let reason = format!("{} failed. The deployment failed because one or more", failed.id);
    assert!(reasons.contains(&reason), "{reasons}");
    assert!(failed.rollback_id.is_some());
    assert_eq!(served(&aws).await, ("2".to_owned(), json!({})));
    let changes = aws.journal().alias_changes();
    let last = changes.last().unwrap().change.clone().unwrap().after;
    assert_eq!(last, AliasRouting { version: "2".to_owned(), weights: [].into() });
    let after_the_rollback = by_people(&aws).len();
    assert_eq!(after_the_rollback, 2, "the stack's own rollback shifts nothing");

    // And the stack can be deployed again.
    sources.deploy(&aws, "fourth", "passes").await.unwrap();
    let (version, weights) = served(&aws).await;
    assert_eq!(weights, json!({}));
    assert!(version.parse::<u32>().unwrap() > 2, "{version}");
}
