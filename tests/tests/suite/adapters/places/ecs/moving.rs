//! One call at a time: what is sent, and what each answer means.

use aws_sdk_ecs::operation::stop_task::StopTaskOutput;
use ripcord::place::ecs::Call;

use super::*;

fn stop() -> Call {
    Call::StopDeployment { deployment: deployment_arn("d8").parse().unwrap(), target: version(CANDIDATE) }
}

fn update(to: &str, is_forced: bool) -> Call {
    Call::Update {
        cluster: CLUSTER.parse().unwrap(),
        service: "web".parse().unwrap(),
        to: version(to),
        from: version(CANDIDATE),
        is_forced,
    }
}

fn stop_tasks() -> Call {
    let tasks = ["t1", "t2"].map(|id| arn(&format!("task/shop/{id}")).parse().unwrap());
    Call::StopTasks { cluster: CLUSTER.parse().unwrap(), tasks: tasks.into(), version: version(CANDIDATE) }
}

/// Refuses a call with an error, however often it is tried.
macro_rules! refusing {
    ($call:ident, $error:expr) => {
        mock!(Ecs::$call).sequence().http_status(400, Some(refusal($error))).repeatedly().build()
    };
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_stopped_by_its_arn_and_rolled_back() {
    let (scene, interruption) = taken(stop(), &[&stops()]).await;
    assert_eq!(interruption, None);
    let body: serde_json::Value = serde_json::from_str(&scene.bodies().concat()).unwrap();
    assert_eq!(body, json!({"serviceDeploymentArn": deployment_arn("d8"), "stopType": "ROLLBACK"}));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_has_ended_is_looked_at_again() {
    for error in ["ConflictException", "ServiceDeploymentNotFoundException", "InvalidParameterException"] {
        let (_, interruption) = taken(stop(), &[&refusing!(stop_service_deployment, error)]).await;
        let what = format!("{} can no longer be stopped", deployment_arn("d8"));
        assert_eq!(interruption, Some(Interruption::Raced { what }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_updated_to_one_task_definition_and_nothing_else_of_it() {
    for is_forced in [true, false] {
        let (scene, interruption) = taken(update(STABLE, is_forced), &[&updates()]).await;
        assert_eq!(interruption, None);
        let body: serde_json::Value = serde_json::from_str(&scene.bodies().concat()).unwrap();
        let expected = json!({
            "cluster": "shop", "service": "web", "taskDefinition": "checkout:7", "forceNewDeployment": is_forced,
        });
        assert_eq!(body, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_went_away_in_between_is_looked_at_again() {
    for error in ["ServiceNotFoundException", "ClusterNotFoundException", "ServiceNotActiveException"] {
        let (_, interruption) = taken(update(STABLE, true), &[&refusing!(update_service, error)]).await;
        let what = "service shop/web is gone".to_owned();
        assert_eq!(interruption, Some(Interruption::Raced { what }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_ecs_refuses_is_said_in_its_words() {
    for error in ["AccessDeniedException", "ClientException", "InvalidParameterException"] {
        let (_, interruption) = taken(update(STABLE, true), &[&refusing!(update_service, error)]).await;
        let Some(Interruption::Failed { why }) = interruption else { panic!("{interruption:?}") };
        assert!(why.starts_with("ecs:UpdateService of shop/web failed: "), "{why}");
        assert!(why.contains(error) && why.contains("made up"), "{why}");
    }
    for error in ["AccessDeniedException", "ClientException"] {
        let (_, interruption) = taken(stop(), &[&refusing!(stop_service_deployment, error)]).await;
        assert!(matches!(interruption, Some(Interruption::Failed { .. })), "{error}: {interruption:?}");
        let (_, interruption) = taken(stop_tasks(), &[&refusing!(stop_task, error)]).await;
        assert!(matches!(interruption, Some(Interruption::Failed { .. })), "{error}: {interruption:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_task_is_stopped_and_one_that_is_forgotten_has_stopped() {
    let stops = mock!(Ecs::stop_task).then_output(|| StopTaskOutput::builder().build());
    let (scene, interruption) = taken(stop_tasks(), &[&stops]).await;
    assert_eq!(interruption, None);
    insta::assert_snapshot!(scene.calls(), @r"
    ecs:StopTask arn:aws:ecs:eu-west-1:123456789012:task/shop/t1 in shop
    ecs:StopTask arn:aws:ecs:eu-west-1:123456789012:task/shop/t2 in shop
    ");
    let forgotten = json!({
        "__type": "InvalidParameterException", "message": "The referenced task was not found.",
    });
    let forgets =
        mock!(Ecs::stop_task).sequence().http_status(400, Some(forgotten.to_string())).repeatedly().build();
    assert_eq!(taken(stop_tasks(), &[&forgets]).await.1, None);
    let (_, interruption) = taken(stop_tasks(), &[&refusing!(stop_task, "InvalidParameterException")]).await;
    assert!(matches!(interruption, Some(Interruption::Failed { .. })), "{interruption:?}");
}
