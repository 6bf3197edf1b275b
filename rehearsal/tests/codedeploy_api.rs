//! CodeDeploy's interface on a started local AWS: as the AWS command line and the SDK drive it, what it refuses by name,
//! and what it keeps of ECS.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "these tests need only some of its calls")]
mod deployments;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_codedeploy::{
    Client,
    types::{AppSpecContent, LifecycleEventStatus, RevisionLocation, RevisionLocationType},
};
use aws_smithy_http_client::Builder;
use aws_types::{SdkConfig, region::Region};
use deployments::{ALL_AT_ONCE, SOON, Stage, revision};
use ripcord_rehearsal::{
    Options,
    codedeploy::{DeploymentStatus, EventStatus, LifecycleEventName},
    python_env::aws_command_line,
    wait_until,
};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::process::Command;

/// Half a minute here: a command takes a second of it to start, or several on a busy machine.
const SLOW_CANARY: &str = "CodeDeployDefault.LambdaCanary10Percent30Minutes";
const CALL_DURATION_MAX: Duration = Duration::from_secs(60);

/// The AWS command line against a stage.
struct CommandLine<'stage> {
    aws: PathBuf,
    stage: &'stage Stage,
}

impl CommandLine<'_> {
    /// No argument has a space in it.
    async fn run(&self, arguments: &str) -> Result<Value, String> {
        let mut command = Command::new(&self.aws);
        command.arg("deploy").args(arguments.split_whitespace()).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("AWS_ENDPOINT_URL", self.stage.aws.endpoint())
            .env("AWS_ACCESS_KEY_ID", "person")
            .env("AWS_SECRET_ACCESS_KEY", "person")
            .env("AWS_DEFAULT_REGION", self.stage.aws.region())
            .env("HOME", self.stage.aws.home())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(CALL_DURATION_MAX, command.output()).await.unwrap().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
    }
}

#[tokio::test]
async fn the_aws_command_line_deploys_looks_and_stops() {
    let stage = Stage::set().await;
    let aws = aws_command_line(&Options::default().target).await.unwrap();
    let cli = CommandLine { aws, stage: &stage };
    let app = "--application-name kiosk";
    let group = "--application-name kiosk --deployment-group-name live";
    cli.run(&format!("create-application {app} --compute-platform Lambda")).await.unwrap();
    let settings = format!(
        "--service-role-arn arn:aws:iam::123456789012:role/codedeploy --deployment-config-name {SLOW_CANARY} \
         --deployment-style deploymentType=BLUE_GREEN,deploymentOption=WITH_TRAFFIC_CONTROL \
         --auto-rollback-configuration enabled=true,events=DEPLOYMENT_STOP_ON_REQUEST \
         --alarm-configuration enabled=true,alarms=[{{name=errors}}]"
    );
    let created = cli.run(&format!("create-deployment-group {group} {settings}")).await.unwrap();
    assert!(created["deploymentGroupId"].is_string(), "{created}");
    let deploy = format!("create-deployment {group} --revision {}", revision("1", "2", &[]));
    let id = cli.run(&deploy).await.unwrap()["deploymentId"].as_str().unwrap().to_owned();
    let error = cli.run(&deploy).await.unwrap_err();
    assert!(
        error.contains("(DeploymentLimitExceededException) when calling the CreateDeployment"),
        "{error}"
    );
    let got = cli.run(&format!("get-deployment --deployment-id {id}")).await.unwrap();
    assert_eq!(got["deploymentInfo"]["deploymentConfigName"], SLOW_CANARY);
    assert!(got["deploymentInfo"]["createTime"].is_f64(), "{got}");
    let targets = cli.run(&format!("list-deployment-targets --deployment-id {id}")).await.unwrap();
    assert_eq!(targets["targetIds"], json!(["shop"]));
    let stopped = cli.run(&format!("stop-deployment --deployment-id {id}")).await.unwrap();
    assert_eq!(stopped["status"], "Pending");
    let ended = stage.ended(&id).await;
    assert_eq!(ended.status, DeploymentStatus::Stopped);
    let rollback = stage.ended(&ended.rollback_id.unwrap()).await.id;
    cli.run(&format!("wait deployment-successful --deployment-id {rollback}")).await.unwrap();
    let listed = cli.run(&format!("list-deployments {group} --include-only-statuses Stopped")).await.unwrap();
    assert_eq!(listed["deployments"], json!([id]));
    let target = format!("get-deployment-target --deployment-id {rollback} --target-id shop");
    let target = cli.run(&target).await.unwrap()["deploymentTarget"]["lambdaTarget"].clone();
    assert_eq!(target["lambdaFunctionInfo"]["targetVersion"], "1");
    assert_eq!(target["lifecycleEvents"][2]["lifecycleEventName"], "AllowTraffic");
    let got = cli.run(&format!("get-deployment-group {group}")).await.unwrap();
    assert_eq!(got["deploymentGroupInfo"]["alarmConfiguration"]["alarms"], json!([{"name": "errors"}]));
    cli.run(&format!("delete-deployment-group {group}")).await.unwrap();
    cli.run(&format!("delete-application {app}")).await.unwrap();
    let error = cli.run(&format!("get-application {app}")).await.unwrap_err();
    assert!(error.contains("ApplicationDoesNotExistException"), "{error}");
}

fn sdk(stage: &Stage) -> Client {
    let credentials = Credentials::from_keys("person", "person", None);
    let config = SdkConfig::builder()
        .behavior_version(aws_sdk_codedeploy::config::BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(stage.aws.endpoint())
        .http_client(Builder::new().build_http())
        .region(Region::new(stage.aws.region().to_owned()))
        .build();
    Client::new(&config)
}

#[tokio::test]
async fn the_sdk_reads_what_a_hook_needs_and_answers_for_it() {
    let stage = Stage::set().await;
    let client = sdk(&stage);
    let hooks = [("BeforeAllowTraffic", "CodeDeployHook_silence")];
    let content = revision("1", "2", &hooks)["appSpecContent"]["content"].as_str().unwrap().to_owned();
    let revision = RevisionLocation::builder()
        .revision_type(RevisionLocationType::AppSpecContent)
        .app_spec_content(AppSpecContent::builder().content(&content).build())
        .build();
    let created = client.create_deployment().application_name("shop").deployment_group_name("live");
    let id = created.revision(revision).send().await.unwrap().deployment_id.unwrap();
    let execution = stage.printed("hooked").await["hooked"]["LifecycleEventHookExecutionId"].clone();
    let info = client.get_deployment().deployment_id(&id).send().await.unwrap().deployment_info.unwrap();
    let revision = info.revision.unwrap().app_spec_content.unwrap();
    assert_eq!(revision.content.as_deref(), Some(content.as_str()));
    let put = |status: LifecycleEventStatus| {
        let execution = execution.as_str().unwrap();
        let put = client.put_lifecycle_event_hook_execution_status().deployment_id(&id).status(status);
        put.lifecycle_event_hook_execution_id(execution).send()
    };
    put(LifecycleEventStatus::Succeeded).await.unwrap();
    assert_eq!(stage.ended(&id).await.status, DeploymentStatus::Succeeded);
    let again = put(LifecycleEventStatus::Succeeded).await.unwrap_err().into_service_error();
    assert!(again.is_lifecycle_event_already_completed_exception(), "{again:?}");
    let stopped = client.stop_deployment().deployment_id(&id).send().await.unwrap_err();
    assert!(stopped.into_service_error().is_deployment_already_completed_exception());
    let target = client.get_deployment_target().deployment_id(&id).target_id("shop").send().await.unwrap();
    let target = target.deployment_target.unwrap().lambda_target.unwrap();
    assert_eq!(target.lambda_function_info.unwrap().target_version_weight, 100.0);
    assert!(target.lifecycle_events.unwrap().iter().all(|event| event.end_time.is_some()));
}

#[tokio::test]
async fn what_codedeploy_refuses_is_refused_by_name() {
    let stage = Stage::set().await;
    let group = |name: &str, further: Value| {
        let mut group = json!({"applicationName": "shop", "deploymentGroupName": name,
            "serviceRoleArn": "arn:aws:iam::123456789012:role/any"});
        group.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        group
    };
    let deployment = |further: Value| {
        let mut deployment = json!({"applicationName": "shop", "deploymentGroupName": "live",
            "revision": revision("1", "2", &[])});
        deployment.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        deployment
    };
    let alarms = |count: usize| -> Vec<Value> {
        (0..count).map(|number| json!({"name": format!("alarm-{number}")})).collect()
    };
    let config = |percentage: u32, interval: u32| {
        json!({"deploymentConfigName": "odd", "computePlatform": "Lambda", "trafficRoutingConfig": {
            "type": "TimeBasedCanary",
            "timeBasedCanary": {"canaryPercentage": percentage, "canaryInterval": interval}}})
    };
    let ten = group("ten-alarms", json!({"alarmConfiguration": {"enabled": true, "alarms": alarms(10)}}));
    stage.call("CreateDeploymentGroup", &ten).await.unwrap();
    let wrong_hash = json!({"revisionType": "String", "string": {"content": "x", "sha256": "00"}});
    let cases = [
        ("CreateApplication", json!({"computePlatform": "Lambda"}), "ApplicationNameRequired"),
        (
            "CreateApplication",
            json!({"applicationName": "a b", "computePlatform": "Lambda"}),
            "InvalidApplicationName",
        ),
        (
            "CreateApplication",
            json!({"applicationName": "shop", "computePlatform": "Lambda"}),
            "ApplicationAlreadyExists",
        ),
        (
            "CreateApplication",
            json!({"applicationName": "x", "computePlatform": "Moon"}),
            "InvalidComputePlatform",
        ),
        ("GetApplication", json!({"applicationName": "nobody"}), "ApplicationDoesNotExist"),
        ("GetDeploymentGroup", group("nobody", json!({})), "DeploymentGroupDoesNotExist"),
        ("GetDeploymentGroup", json!({"applicationName": "shop"}), "DeploymentGroupNameRequired"),
        ("CreateDeploymentGroup", group("live", json!({})), "DeploymentGroupAlreadyExists"),
        ("CreateDeploymentGroup", group("x", json!({"serviceRoleArn": ""})), "RoleRequired"),
        ("CreateDeploymentGroup", group("x", json!({"serviceRoleArn": "role"})), "InvalidRole"),
        (
            "CreateDeploymentGroup",
            group("x", json!({"deploymentConfigName": "nobody"})),
            "DeploymentConfigDoesNotExist",
        ),
        (
            "CreateDeploymentGroup",
            group("x", json!({"alarmConfiguration": {"enabled": true, "alarms": alarms(11)}})),
            "AlarmsLimitExceeded",
        ),
        (
            "CreateDeploymentGroup",
            group("x", json!({"alarmConfiguration": {"enabled": true}})),
            "InvalidAlarmConfig",
        ),
        (
            "CreateDeploymentGroup",
            group("x", json!({"autoRollbackConfiguration": {"enabled": true}})),
            "InvalidAutoRollbackConfig",
        ),
        (
            "CreateDeploymentGroup",
            group("x", json!({"deploymentStyle": {"deploymentType": "IN_PLACE"}})),
            "InvalidDeploymentStyle",
        ),
        (
            "CreateDeploymentGroup",
            group(
                "x",
                json!({"triggerConfigurations": [{"triggerName": "t", "triggerTargetArn": "x", "triggerEvents": []}]}),
            ),
            "InvalidTriggerConfig",
        ),
        ("CreateDeploymentConfig", config(100, 1), "InvalidTrafficRoutingConfiguration"),
        ("CreateDeploymentConfig", config(10, 2_881), "InvalidTrafficRoutingConfiguration"),
        ("GetDeploymentConfig", json!({"deploymentConfigName": "nobody"}), "DeploymentConfigDoesNotExist"),
        ("DeleteDeploymentConfig", json!({ "deploymentConfigName": ALL_AT_ONCE }), "InvalidOperation"),
        ("CreateDeployment", deployment(json!({"applicationName": "nobody"})), "ApplicationDoesNotExist"),
        (
            "CreateDeployment",
            deployment(json!({"deploymentGroupName": "nobody"})),
            "DeploymentGroupDoesNotExist",
        ),
        (
            "CreateDeployment",
            deployment(json!({"deploymentConfigName": "nobody"})),
            "DeploymentConfigDoesNotExist",
        ),
        ("CreateDeployment", deployment(json!({"revision": null})), "RevisionRequired"),
        ("CreateDeployment", deployment(json!({"revision": {"revisionType": "S3"}})), "InvalidRevision"),
        ("CreateDeployment", deployment(json!({ "revision": wrong_hash })), "InvalidRevision"),
        ("GetDeployment", json!({}), "DeploymentIdRequired"),
        ("GetDeployment", json!({"deploymentId": "d-1"}), "InvalidDeploymentId"),
        ("GetDeployment", json!({"deploymentId": "d-ABCDEFGHI"}), "DeploymentDoesNotExist"),
        ("StopDeployment", json!({"deploymentId": "d-ABCDEFGHI"}), "DeploymentDoesNotExist"),
        ("ListDeployments", json!({"applicationName": "shop"}), "DeploymentGroupNameRequired"),
        ("ListDeployments", json!({"deploymentGroupName": "live"}), "ApplicationNameRequired"),
        ("ListDeployments", json!({"includeOnlyStatuses": ["Lost"]}), "InvalidDeploymentStatus"),
        ("ListDeployments", json!({"createTimeRange": {"start": 2.0, "end": 1.0}}), "InvalidTimeRange"),
        ("ListTagsForResource", json!({"ResourceArn": "arn:aws:s3:::x"}), "InvalidArn"),
    ];
    for (operation, document, exception) in cases {
        let refused = stage.call(operation, &document).await;
        assert_eq!(refused, Err(format!("{exception}Exception")), "{operation} {document}");
    }
    assert!(stage.aws.codedeploy().deployments().is_empty());

    let id = stage.deploy(ALL_AT_ONCE, &[]).await;
    stage.ended(&id).await;
    let target = json!({"deploymentId": id, "targetId": "nobody"});
    let refused = stage.call("GetDeploymentTarget", &target).await;
    assert_eq!(refused, Err("DeploymentTargetDoesNotExistException".to_owned()));
    let continued = stage.call("ContinueDeployment", &json!({ "deploymentId": id })).await;
    assert_eq!(continued, Err("DeploymentAlreadyCompletedException".to_owned()));
}

#[tokio::test]
async fn an_ecs_deployment_runs_its_hooks_and_moves_the_weights_of_its_task_sets() {
    let stage = Stage::set().await;
    stage
        .call("CreateApplication", &json!({"applicationName": "web", "computePlatform": "ECS"}))
        .await
        .unwrap();
    let mut group = json!({"applicationName": "web", "deploymentGroupName": "live",
        "serviceRoleArn": "arn:aws:iam::123456789012:role/any",
        "deploymentConfigName": "CodeDeployDefault.ECSCanary10Percent5Minutes",
        "ecsServices": [{"clusterName": "main", "serviceName": "web"}],
        "blueGreenDeploymentConfiguration": {"deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}}});
    let refused = stage.call("CreateDeploymentGroup", &group).await;
    assert_eq!(refused, Err("InvalidLoadBalancerInfoException".to_owned()));
    group["loadBalancerInfo"] =
        json!({"targetGroupPairInfoList": [{"targetGroups": [{"name": "a"}, {"name": "b"}]}]});
    stage.call("CreateDeploymentGroup", &group).await.unwrap();
    let appspec = "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::TargetService\n"
        .to_owned()
        + "      Properties:\n        TaskDefinition: arn:aws:ecs:us-east-1:123456789012:task-definition/web:2\n"
        + "        LoadBalancerInfo: {ContainerName: web, ContainerPort: 80}\n"
        + "Hooks:\n  - BeforeInstall: CodeDeployHook_passes\n  - AfterAllowTestTraffic: CodeDeployHook_passes\n";
    let deployment = json!({"applicationName": "web", "deploymentGroupName": "live",
        "revision": {"revisionType": "String", "string": {"content": appspec}}});
    let created = stage.call("CreateDeployment", &deployment).await.unwrap();
    let id = created["deploymentId"].as_str().unwrap();
    let shifted =
        || stage.aws.codedeploy().deployment(id).filter(|deployment| deployment.shifted_percent > 0.0);
    let seen = wait_until("the shift", SOON, shifted).await.unwrap();
    assert_eq!(seen.event(LifecycleEventName::AfterAllowTestTraffic), Some(EventStatus::Succeeded));
    let target = json!({"deploymentId": id, "targetIds": ["main:web"]});
    let target = stage.call("BatchGetDeploymentTargets", &target).await.unwrap();
    let sets = target["deploymentTargets"][0]["ecsTarget"]["taskSetsInfo"].clone();
    let weights: Vec<_> =
        sets.as_array().unwrap().iter().map(|set| (&set["taskSetLabel"], &set["trafficWeight"])).collect();
    assert_eq!(weights, [(&json!("Blue"), &json!(90.0)), (&json!("Green"), &json!(10.0))]);
    assert_eq!(stage.ended(id).await.status, DeploymentStatus::Succeeded);
}
