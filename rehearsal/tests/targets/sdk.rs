//! What the backends answer, as the AWS SDK for Rust reads it: strict about types where other clients are not.

use super::{SOON, started, until};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use aws_types::{SdkConfig, region::Region};
use ripcord_rehearsal::{
    LocalAws,
    targets::{
        configuration, database, ecs_service, load_balancer, records, rest_stage, role, stack,
        state_machine_alias,
    },
};
use serde_json::Value;

fn sdk(aws: &LocalAws, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(aws_sdk_ecs::config::BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(aws.endpoint())
        .http_client(Builder::new().build_http())
        .region(Region::new(aws.region().to_owned()))
        .build()
}

fn person() -> Credentials {
    Credentials::from_keys("person", "person", None)
}

#[tokio::test]
async fn traffic_is_read_and_moved() {
    let aws = started().await;
    let (client, config) = (aws.client(), sdk(&aws, person()));
    let shop = load_balancer(&client).await.unwrap();
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&config);
    let described = elb.describe_listeners().listener_arns(&shop.listener_arn).send().await.unwrap();
    let actions = described.listeners()[0].default_actions().to_vec();
    let forward = actions[0].forward_config().unwrap();
    assert_eq!(forward.target_groups()[0].weight(), Some(100));
    assert_eq!(forward.target_group_stickiness_config().unwrap().duration_seconds(), Some(60));
    shop.shift(&client, 1, 2).await.unwrap();
    let back = elb.modify_listener().listener_arn(&shop.listener_arn).set_default_actions(Some(actions));
    back.send().await.unwrap();
    assert_eq!(shop.weights(&client).await.unwrap(), (100, 0), "what was read is what was written");
    let rules = elb.describe_rules().rule_arns(&shop.rule_arn).send().await.unwrap();
    assert_eq!(rules.rules()[0].actions()[0].forward_config().unwrap().target_groups().len(), 2);
    let health = elb.describe_target_health().target_group_arn(&shop.blue_arn).send().await.unwrap();
    let state = health.target_health_descriptions()[0].target_health().unwrap().state().unwrap();
    assert_eq!(state.as_str(), "healthy");

    let zone = records(&client).await.unwrap();
    let route53 = aws_sdk_route53::Client::new(&config);
    let listed = route53.list_resource_record_sets().hosted_zone_id(&zone.zone_id).send().await.unwrap();
    let sets = listed.resource_record_sets();
    let blue = sets.iter().find(|set| set.set_identifier() == Some("blue")).unwrap().clone();
    assert_eq!(blue.weight(), Some(255));
    zone.shift(&client, 0, 255).await.unwrap();
    let upsert = aws_sdk_route53::types::Change::builder()
        .action(aws_sdk_route53::types::ChangeAction::Upsert)
        .resource_record_set(blue)
        .build()
        .unwrap();
    let batch = aws_sdk_route53::types::ChangeBatch::builder().changes(upsert).build().unwrap();
    let changed = route53
        .change_resource_record_sets()
        .hosted_zone_id(&zone.zone_id)
        .change_batch(batch)
        .send()
        .await
        .unwrap();
    let id = changed.change_info().unwrap().id().to_owned();
    assert_eq!(zone.weights(&client).await.unwrap(), (255, 255));
    until("INSYNC".to_owned(), async || {
        let change = route53.get_change().id(&id).send().await.unwrap();
        change.change_info().unwrap().status().as_str().to_owned()
    })
    .await;

    let orders = state_machine_alias(&client).await.unwrap();
    let states = aws_sdk_sfn::Client::new(&config);
    let alias = states.describe_state_machine_alias().state_machine_alias_arn(&orders.alias_arn);
    let alias = alias.send().await.unwrap();
    assert_eq!(alias.routing_configuration()[0].weight(), 100);
    let versions = states.list_state_machine_versions().state_machine_arn(&orders.machine_arn);
    assert_eq!(versions.send().await.unwrap().state_machine_versions().len(), 2);
}

#[tokio::test]
async fn deployments_of_ecs_are_read_and_stopped() {
    let aws = started().await;
    let (client, ecs) = (aws.client(), aws_sdk_ecs::Client::new(&sdk(&aws, person())));
    let web = ecs_service(&client, &Value::Null).await.unwrap();
    let updated = ecs.update_service().cluster(&web.cluster).service(&web.name);
    let updated = updated.task_definition(&web.candidate_arn).send().await.unwrap();
    let deployments = updated.service().unwrap().deployments().to_vec();
    assert_eq!(deployments[0].rollout_state().unwrap().as_str(), "IN_PROGRESS");
    assert!(deployments[0].created_at().is_some());
    let listed = ecs.list_service_deployments().cluster(&web.cluster).service(&web.name);
    let running = listed.send().await.unwrap().service_deployments()[0].clone();
    let arn = running.service_deployment_arn().unwrap();
    let described = ecs.describe_service_deployments().service_deployment_arns(arn).send().await.unwrap();
    let described = described.service_deployments()[0].clone();
    let source = described.source_service_revisions()[0].arn().unwrap();
    let revision = ecs.describe_service_revisions().service_revision_arns(source).send().await.unwrap();
    assert_eq!(revision.service_revisions()[0].task_definition(), Some(&*web.stable_arn));
    let stop = || {
        let stop = ecs.stop_service_deployment().service_deployment_arn(arn);
        stop.stop_type(aws_sdk_ecs::types::StopServiceDeploymentStopType::Rollback)
    };
    stop().send().await.unwrap();
    let again = stop().send().await.unwrap_err().into_service_error();
    assert!(again.is_conflict_exception(), "{again:?}");
    let listed = ecs.list_tasks().cluster(&web.cluster).service_name(&web.name).send().await.unwrap();
    let tasks = ecs.describe_tasks().cluster(&web.cluster).set_tasks(listed.task_arns).send().await.unwrap();
    assert_eq!(tasks.tasks().len(), 2);
    let task = tasks.tasks()[0].task_arn().unwrap();
    ecs.stop_task().cluster(&web.cluster).task(task).send().await.unwrap();
    let definition = ecs.describe_task_definition().task_definition(&web.stable_arn).send().await.unwrap();
    assert_eq!(definition.task_definition().unwrap().status().unwrap().as_str(), "ACTIVE");
}

#[tokio::test]
async fn stages_configurations_and_stacks_are_read() {
    let aws = started().await;
    let (client, config) = (aws.client(), sdk(&aws, person()));
    let shop = rest_stage(&client).await.unwrap();
    let gateway = aws_sdk_apigateway::Client::new(&config);
    let stage = gateway.get_stage().rest_api_id(&shop.api_id).stage_name(&shop.stage).send().await.unwrap();
    assert!((stage.canary_settings().unwrap().percent_traffic() - 10.0).abs() < f64::EPSILON);
    let remove = aws_sdk_apigateway::types::PatchOperation::builder()
        .op(aws_sdk_apigateway::types::Op::Remove)
        .path("/canarySettings")
        .build();
    let update = gateway.update_stage().rest_api_id(&shop.api_id).stage_name(&shop.stage);
    let stage = update.patch_operations(remove).send().await.unwrap();
    assert!(stage.canary_settings().is_none());

    let flags = configuration(&client).await.unwrap();
    let number = flags.deploy(&client, 2, &flags.quick_strategy_id).await.unwrap();
    let appconfig = aws_sdk_appconfig::Client::new(&config);
    let (application, environment) = (&flags.application_id, &flags.environment_id);
    let number = i32::try_from(number).unwrap();
    let listed = appconfig.list_deployments().application_id(application).environment_id(environment);
    assert_eq!(listed.send().await.unwrap().items()[0].deployment_number(), number);
    let stop = |allow_revert: bool| {
        let stop = appconfig.stop_deployment().application_id(application).environment_id(environment);
        stop.deployment_number(number).allow_revert(allow_revert)
    };
    let refused = stop(false).send().await.unwrap_err().into_service_error();
    assert!(refused.is_bad_request_exception(), "{refused:?}");
    assert_eq!(stop(true).send().await.unwrap().state().unwrap().as_str(), "REVERTED");

    let held = stack(&client).await.unwrap();
    let cloudformation = aws_sdk_cloudformation::Client::new(&config);
    until("CREATE_COMPLETE".to_owned(), async || {
        let stacks = cloudformation.describe_stacks().stack_name(&held.name).send().await.unwrap();
        stacks.stacks()[0].stack_status().unwrap().as_str().to_owned()
    })
    .await;
    let template = cloudformation.get_template().stack_name(&held.name).send().await.unwrap();
    assert!(template.template_body().unwrap().contains("stable"));
    let refused = cloudformation.cancel_update_stack().stack_name(&held.name).send().await.unwrap_err();
    assert!(format!("{refused:?}").contains("ValidationError"), "{refused:?}");
}

#[tokio::test]
async fn databases_images_and_roles_are_read() {
    let aws = started().await;
    let (client, config) = (aws.client(), sdk(&aws, person()));
    let orders = database(&client).await.unwrap();
    let rds = aws_sdk_rds::Client::new(&config);
    let restored = rds
        .restore_db_instance_to_point_in_time()
        .source_db_instance_identifier(&orders)
        .target_db_instance_identifier("restored")
        .use_latest_restorable_time(true)
        .send()
        .await
        .unwrap();
    assert_eq!(restored.db_instance().unwrap().db_instance_status(), Some("creating"));
    let described = rds.describe_db_instances().db_instance_identifier(&orders).send().await.unwrap();
    assert!(described.db_instances()[0].latest_restorable_time().is_some());

    let ecr = aws_sdk_ecr::Client::new(&config);
    ecr.create_repository().repository_name("web").send().await.unwrap();
    let tag = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("1").build();
    let images = ecr.batch_get_image().repository_name("web").image_ids(tag.clone()).send().await.unwrap();
    assert_eq!(images.failures()[0].failure_code().unwrap().as_str(), "ImageNotFound");
    let images = ecr.describe_images().repository_name("web").image_ids(tag).send().await;
    let refused = images.unwrap_err().into_service_error();
    assert!(refused.is_image_not_found_exception(), "{refused:?}");

    let role_arn = role(&aws.client_as("210987654321"), aws.account_id(), "cord").await.unwrap();
    let assume = aws_sdk_sts::Client::new(&config).assume_role().role_arn(&role_arn);
    let assumed = assume.role_session_name("ripcord").external_id("cord").send().await.unwrap();
    let session = assumed.credentials().unwrap();
    assert!(session.expiration().secs() > 0);
    let credentials = Credentials::from_keys(
        session.access_key_id(),
        session.secret_access_key(),
        Some(session.session_token().to_owned()),
    );
    let sts = aws_sdk_sts::Client::new(&sdk(&aws, credentials));
    let caller = tokio::time::timeout(SOON, sts.get_caller_identity().send()).await.unwrap().unwrap();
    assert_eq!(caller.account(), Some("210987654321"));
}
