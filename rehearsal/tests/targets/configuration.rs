//! Configurations of AppConfig.

use super::{assert_refused, started, until};
use ripcord_rehearsal::targets::configuration;

#[tokio::test]
async fn a_running_deployment_is_stopped_and_leaves_the_version_before_it() {
    let aws = started().await;
    let client = aws.client();
    let flags = configuration(&client).await.unwrap();
    assert_eq!(flags.in_force(&client).await.unwrap(), "1");
    let number = flags.deploy(&client, 2, &flags.slow_strategy_id).await.unwrap();
    assert_eq!(flags.state(&client, number).await.unwrap(), "DEPLOYING");
    let second = flags.deploy(&client, 2, &flags.slow_strategy_id).await;
    assert_refused(second, 409, "already in progress");
    let (status, body) = flags.stop(&client, number, false).await.unwrap();
    assert_eq!(status, 202, "{body}");
    until("ROLLED_BACK".to_owned(), async || flags.state(&client, number).await.unwrap()).await;
    assert_eq!(flags.in_force(&client).await.unwrap(), "1");
    let (status, body) = flags.stop(&client, number, true).await.unwrap();
    assert_eq!(status, 400, "what was rolled back cannot be stopped: {body}");
    assert_eq!(flags.numbers(&client).await.unwrap(), [2, 1], "the newest comes first");
}

#[tokio::test]
async fn a_complete_deployment_is_reverted_on_demand_alone() {
    let aws = started().await;
    let client = aws.client();
    let flags = configuration(&client).await.unwrap();
    let number = flags.deploy(&client, 2, &flags.quick_strategy_id).await.unwrap();
    until("COMPLETE".to_owned(), async || flags.state(&client, number).await.unwrap()).await;
    assert_eq!(flags.in_force(&client).await.unwrap(), "2");
    assert_eq!(flags.stop(&client, number, false).await.unwrap().0, 400);
    assert_eq!(flags.in_force(&client).await.unwrap(), "2");
    assert_eq!(flags.stop(&client, number, true).await.unwrap().0, 202);
    assert_eq!(flags.state(&client, number).await.unwrap(), "REVERTED");
    assert_eq!(flags.in_force(&client).await.unwrap(), "1");
}

#[tokio::test]
async fn a_minute_of_a_deployment_is_the_rehearsals() {
    let aws = started().await;
    let client = aws.client();
    let flags = configuration(&client).await.unwrap();
    let unknown = flags.deploy(&client, 3, &flags.quick_strategy_id).await;
    assert_refused(unknown, 404, "not found");
    // Ten minutes of deploying and ten of baking would outlast this test by far.
    let number = flags.deploy(&client, 2, &flags.slow_strategy_id).await.unwrap();
    until("COMPLETE".to_owned(), async || flags.state(&client, number).await.unwrap()).await;
    assert_eq!(flags.in_force(&client).await.unwrap(), "2");
}
