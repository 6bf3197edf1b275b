//! The function that answers what flags are: on mocked clients of AppConfig, with a clock that the tests turn.

use std::cell::Cell;

use aws_sdk_appconfigdata::Client as AppConfigData;
use aws_sdk_appconfigdata::operation::get_latest_configuration::GetLatestConfigurationOutput;
use aws_sdk_appconfigdata::operation::start_configuration_session::StartConfigurationSessionOutput;
use aws_sdk_appconfigdata::primitives::Blob;
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
use flag_evaluator::{Evaluator, Reply, answer};
use jiff::Timestamp;
use ripcord::aws::{Connection, Credentials, Endpoints, FlagSource};
use ripcord::pipeline::Tempo;
use serde_json::{Value, json};

mod requests;
mod source;
mod validator;

const POLL_SECONDS: u32 = 15;
const CONFIGURATION: &str =
    "arn:aws:appconfig:eu-west-1:123456789012:application/ab12cd3/environment/ef45gh6/configuration/ij78kl9";
/// Every kind of flag that an answer may be about.
const DOCUMENT: &str = r#"{"version": 1, "flags": {
    "new-search": {
        "description": "Search by meaning", "enabled": true, "rollout_percentage": 100, "allowlist": ["ada.lovelace"],
        "variants": [{"name": "wide", "weight": 50}, {"name": "narrow", "weight": 50}],
        "rules": [{"name": "old apps", "attribute": "app_version", "operator": "less", "values": ["2.0.0"],
            "then": {"enabled": false}}]
    },
    "old-cart": {"enabled": false}
}}"#;

thread_local! {
    /// Each test runs on a thread of its own.
    static NOW: Cell<i64> = const { Cell::new(1_772_445_900) };
}

fn clock() -> Timestamp {
    Timestamp::from_second(NOW.get()).unwrap()
}

fn pass(seconds: i64) {
    NOW.set(NOW.get() + seconds);
}

/// An evaluator whose calls are answered by the first rule that matches and is not used up.
fn evaluator(rules: &[&Rule]) -> Evaluator {
    let connection = Connection {
        region: "eu-west-1".to_owned(),
        credentials: Credentials::from_keys("AKIDEXAMPLE", "secret", None),
        endpoints: Endpoints::Aws,
    };
    let mut answers = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny);
    for rule in rules {
        answers = answers.with_rule(rule);
    }
    let client = AppConfigData::from_conf(
        aws_sdk_appconfigdata::config::Builder::from(&connection.sdk_config())
            .http_client(create_mock_http_client())
            .interceptor(answers)
            .build(),
    );
    let source = FlagSource::from_client(client, CONFIGURATION.parse().unwrap(), POLL_SECONDS);
    Evaluator::new(source, POLL_SECONDS, Tempo::REAL, "ripcord/Deployments".to_owned(), clock)
}

/// A session begins with this token.
fn session(token: &'static str) -> Rule {
    mock!(AppConfigData::start_configuration_session)
        .match_requests(|asked| {
            asked.application_identifier() == Some("ab12cd3")
                && asked.environment_identifier() == Some("ef45gh6")
                && asked.configuration_profile_identifier() == Some("ij78kl9")
                && asked.required_minimum_poll_interval_in_seconds() == Some(15)
        })
        .then_output(move || {
            StartConfigurationSessionOutput::builder().initial_configuration_token(token).build()
        })
}

/// A token is answered with a document and the next token.
fn latest(token: &'static str, next: &'static str, document: &'static str) -> Rule {
    mock!(AppConfigData::get_latest_configuration)
        .match_requests(move |asked| asked.configuration_token() == Some(token))
        .then_output(move || {
            GetLatestConfigurationOutput::builder()
                .next_poll_configuration_token(next)
                .next_poll_interval_in_seconds(15)
                .configuration(Blob::new(document))
                .build()
        })
}

/// One that has the document of these tests.
async fn loaded() -> Evaluator {
    let evaluator = evaluator(&[&session("t0"), &latest("t0", "t1", DOCUMENT)]);
    evaluator.refresh().await;
    evaluator
}

fn request(method: &str, path: &str, headers: Value, body: Option<&str>) -> Value {
    let mut event = json!({
        "version": "2.0",
        "rawPath": path,
        "headers": headers,
        "requestContext": { "http": { "method": method, "path": path } },
        "isBase64Encoded": false,
    });
    if let Some(body) = body {
        event["body"] = json!(body);
    }
    event
}

fn posted(path: &str, body: &str) -> Value {
    request("POST", path, json!({ "content-type": "application/json" }), Some(body))
}

async fn evaluate(evaluator: &Evaluator, flag_key: &str) -> Reply {
    let body = json!({ "flag_key": flag_key, "context": { "user_id": "u1" } }).to_string();
    answer(posted("/feature-flags/evaluate", &body), evaluator).await
}

#[track_caller]
fn body(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

/// How the function, or the validator, takes an event that the repository describes.
pub(crate) fn taken(event: &Value) -> String {
    if event.get("content").is_some() {
        return match flag_evaluator::validate(event) {
            Ok(accepted) => format!("valid, {} flag(s)", accepted.flags),
            Err(rejected) => format!("{}: {}", rejected.error_type, rejected.message),
        };
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reply = runtime.block_on(async { answer(event.clone(), &loaded().await).await });
    let said = body(&reply);
    let said = said.get("error").or(said.get("reason")).and_then(Value::as_str).unwrap_or_default();
    format!("{} {said}", reply.status_code).trim_end().to_owned()
}
