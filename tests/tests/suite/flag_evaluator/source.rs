//! What is asked of AppConfig, when, and what is served while it does not answer.

use aws_sdk_appconfigdata::operation::get_latest_configuration::GetLatestConfigurationError;
use aws_sdk_appconfigdata::types::error::{BadRequestException, ResourceNotFoundException};

use super::*;

const OFF: &str = r#"{"version": 1, "flags": {"new-search": {"enabled": false}}}"#;
const INVALID: &str =
    r#"{"version": 1, "flags": {"new-search": {"enabled": true, "rollout_percentage": 101}}}"#;

fn refused(token: &'static str, error: fn() -> GetLatestConfigurationError) -> Rule {
    mock!(AppConfigData::get_latest_configuration)
        .match_requests(move |asked| asked.configuration_token() == Some(token))
        .then_error(error)
}

fn away() -> Rule {
    mock!(AppConfigData::get_latest_configuration).sequence().http_status(503, None).repeatedly().build()
}

#[track_caller]
fn is(reply: &Reply, enabled: bool, stale: Option<&str>) {
    assert_eq!(reply.status_code, 200, "{}", reply.body);
    assert_eq!(body(reply)["enabled"], enabled, "{}", reply.body);
    assert_eq!(reply.headers.get("x-flags-stale").map(String::as_str), stale);
}

#[tokio::test(start_paused = true)]
async fn one_session_is_polled_with_one_token_after_another_and_not_before_its_time() {
    let rules =
        [session("t0"), latest("t0", "t1", DOCUMENT), latest("t1", "t2", ""), latest("t2", "t3", OFF)];
    let evaluator = evaluator(&rules.each_ref());
    let calls = || rules.each_ref().map(Rule::num_calls);
    evaluator.refresh().await;
    is(&evaluate(&evaluator, "new-search").await, true, None);
    assert_eq!(calls(), [1, 1, 0, 0]);
    pass(14);
    is(&evaluate(&evaluator, "new-search").await, true, None);
    assert_eq!(calls(), [1, 1, 0, 0]);
    // Nothing new is what an empty body means.
    pass(1);
    is(&evaluate(&evaluator, "new-search").await, true, None);
    assert_eq!(calls(), [1, 1, 1, 0]);
    pass(15);
    is(&evaluate(&evaluator, "new-search").await, false, None);
    assert_eq!(calls(), [1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_appconfig_takes_no_more_begins_another_session() {
    let errors: [fn() -> GetLatestConfigurationError; 2] = [
        || GetLatestConfigurationError::BadRequestException(BadRequestException::builder().build()),
        || {
            GetLatestConfigurationError::ResourceNotFoundException(
                ResourceNotFoundException::builder().build(),
            )
        },
    ];
    for error in errors {
        let starts = mock!(AppConfigData::start_configuration_session)
            .sequence()
            .output(|| StartConfigurationSessionOutput::builder().initial_configuration_token("t0").build())
            .output(|| StartConfigurationSessionOutput::builder().initial_configuration_token("n0").build())
            .build();
        let (first, over, second) =
            (latest("t0", "t1", DOCUMENT), refused("t1", error), latest("n0", "n1", OFF));
        let evaluator = evaluator(&[&starts, &first, &over, &second]);
        is(&evaluate(&evaluator, "new-search").await, true, None);
        pass(15);
        is(&evaluate(&evaluator, "new-search").await, false, None);
        assert_eq!((starts.num_calls(), over.num_calls(), second.num_calls()), (2, 1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn while_appconfig_is_away_every_request_is_answered_and_few_wait() {
    let evaluator = evaluator(&[&session("t0"), &latest("t0", "t1", DOCUMENT), &away()]);
    is(&evaluate(&evaluator, "new-search").await, true, None);
    pass(15);
    let started_at = tokio::time::Instant::now();
    is(&evaluate(&evaluator, "new-search").await, true, Some("appconfig-unreachable"));
    let waited = started_at.elapsed();
    assert!(waited.as_millis() <= 301, "it waited {waited:?}");
    // Nobody else waits until the next look is due.
    let started_at = tokio::time::Instant::now();
    for _ in 0..100 {
        is(&evaluate(&evaluator, "new-search").await, true, Some("appconfig-unreachable"));
    }
    assert_eq!(started_at.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_document_is_ignored_visibly_until_there_is_a_good_one() {
    let rules =
        [session("t0"), latest("t0", "t1", DOCUMENT), latest("t1", "t2", INVALID), latest("t2", "t3", OFF)];
    let evaluator = evaluator(&rules.each_ref());
    is(&evaluate(&evaluator, "new-search").await, true, None);
    pass(15);
    is(&evaluate(&evaluator, "new-search").await, true, Some("document-rejected"));
    pass(15);
    is(&evaluate(&evaluator, "new-search").await, false, None);
}

#[tokio::test(start_paused = true)]
async fn without_any_document_there_is_no_made_up_answer() {
    for (rules, why) in [
        (vec![session("t0"), latest("t0", "t1", "")], "nothing-deployed"),
        (vec![session("t0"), latest("t0", "t1", INVALID)], "document-rejected"),
        (vec![session("t0"), away()], "appconfig-unreachable"),
    ] {
        let evaluator = evaluator(&rules.iter().collect::<Vec<_>>());
        let reply = evaluate(&evaluator, "new-search").await;
        assert_eq!(reply.status_code, 503);
        assert_eq!(body(&reply)["error"], "flags_not_loaded");
        assert!(body(&reply)["message"].as_str().unwrap().contains(why), "{}", reply.body);
        let retry_after: u32 = reply.headers["retry-after"].parse().unwrap();
        assert!((1..=15).contains(&retry_after), "{retry_after}");
        // What is wrong with a request is said all the same, and costs no call.
        let wrong = answer(posted("/feature-flags/evaluate", "{"), &evaluator).await;
        assert_eq!(wrong.status_code, 400);
    }
}
