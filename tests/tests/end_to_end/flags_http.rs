//! Flags over HTTP: the template's API, its function and its validator, and an AppConfig that deploys, refuses and goes away.

use std::time::{Duration, Instant};

use ripcord_rehearsal::aws_client::{AwsAnswer, AwsRequest};
use ripcord_rehearsal::deploy::{StackCode, StackOutputs, StackRequest};
use ripcord_rehearsal::front::call::Caller;
use ripcord_rehearsal::front::faults::{Fault, FaultRule};
use ripcord_rehearsal::{LocalAws, Options};
use serde_json::{Value, json};

use crate::scene::{ACCOUNT, REGION, built, workspace};

/// Sixty intervals of polling, which last a quarter of a second here.
const CHANGE_WAIT_MAX: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The suite with flags in AppConfig, set up in the order in which a team has to.
struct Flags {
    local: LocalAws,
    application: String,
    environment: String,
    profile: String,
    strategy: String,
    api: String,
}

async fn deploy_suite(local: &LocalAws, flag_configuration: &str) -> StackOutputs {
    let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = StackRequest {
        name: "ripcord".to_owned(),
        template: workspace().join("template.yaml"),
        code: StackCode::Bootstrap(built("bootstrap")),
        parameters: vec![
            parameter("Architecture", "x86_64"),
            parameter("LedgerDeletionProtection", "false"),
            parameter("FlagConfiguration", flag_configuration),
        ],
    };
    local.deploy(request).await.unwrap()
}

async fn sent(local: &LocalAws, method: &str, path: &str, content_type: &str, body: String) -> AwsAnswer {
    let headers = [("content-type", content_type)];
    let request = AwsRequest { service: "appconfig", method, path, headers: &headers, body: body.into() };
    local.client().send(request).await.unwrap()
}

/// Makes something, and returns its id.
async fn made(local: &LocalAws, path: &str, document: Value) -> String {
    let answer = sent(local, "POST", path, "application/json", document.to_string()).await;
    let made: Value = serde_json::from_slice(&answer.body).unwrap();
    made["Id"].as_str().unwrap_or_else(|| panic!("{path}: {made}")).to_owned()
}

fn document(enabled: bool) -> Value {
    json!({ "version": 1, "flags": {
        "new-search": {
            "description": "Search by meaning", "enabled": enabled, "rollout_percentage": 100, "allowlist": ["ada"],
        },
        "old-cart": { "enabled": false },
    }})
}

impl Flags {
    /// Everything but a deployment.
    async fn prepared() -> Self {
        let options =
            Options { region: REGION.to_owned(), account_id: ACCOUNT.to_owned(), ..Options::default() };
        let local = LocalAws::start(options).await.unwrap();
        // A profile names its validator when it is made, so the suite comes first, and has no API yet.
        let before = deploy_suite(&local, "").await;
        assert!(!before.contains_key("FlagApiUrl"), "{before:?}");
        let application = made(&local, "/applications", json!({ "Name": "shop" })).await;
        let base = format!("/applications/{application}");
        let environment = made(&local, &format!("{base}/environments"), json!({ "Name": "prod" })).await;
        let validators = json!([
            { "Type": "JSON_SCHEMA", "Content": ripcord::flags::schema().to_string() },
            { "Type": "LAMBDA", "Content": before["FlagValidatorArn"] },
        ]);
        let profile = json!({ "Name": "flags", "LocationUri": "hosted", "Validators": validators });
        let profile = made(&local, &format!("{base}/configurationprofiles"), profile).await;
        let at_once = json!({
            "Name": "at-once", "DeploymentDurationInMinutes": 0, "GrowthFactor": 100,
            "FinalBakeTimeInMinutes": 0, "ReplicateTo": "NONE",
        });
        let strategy = made(&local, "/deploymentstrategies", at_once).await;
        let configuration = format!(
            "arn:aws:appconfig:{REGION}:{ACCOUNT}:application/{application}/environment/{environment}/configuration/{profile}"
        );
        let after = deploy_suite(&local, &configuration).await;
        let url = &after["FlagApiUrl"];
        let api = url.split("//").nth(1).and_then(|host| host.split('.').next()).unwrap().to_owned();
        assert!(url.ends_with("/feature-flags"), "{url}");
        Self { local, application, environment, profile, strategy, api }
    }

    /// The same, with a document in force.
    async fn served() -> Self {
        let flags = Self::prepared().await;
        let answer = flags.deploy(&document(true).to_string()).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        flags
    }

    fn profile_path(&self) -> String {
        format!("/applications/{}/configurationprofiles/{}", self.application, self.profile)
    }

    /// Stores a document and starts its deployment, which AppConfig may refuse.
    async fn deploy(&self, document: &str) -> AwsAnswer {
        let versions = format!("{}/hostedconfigurationversions", self.profile_path());
        let stored = sent(&self.local, "POST", &versions, "application/json", document.to_owned()).await;
        assert!(stored.status.is_success(), "{}", stored.text());
        let version = stored.headers["version-number"].to_str().unwrap().to_owned();
        let deployments =
            format!("/applications/{}/environments/{}/deployments", self.application, self.environment);
        let started = json!({
            "DeploymentStrategyId": self.strategy, "ConfigurationProfileId": self.profile,
            "ConfigurationVersion": version,
        });
        sent(&self.local, "POST", &deployments, "application/json", started.to_string()).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> AwsAnswer {
        let path = format!("/_aws/execute-api/{}/$default{path}", self.api);
        let body = body.to_owned().into();
        let request = AwsRequest { service: "execute-api", method, path: &path, headers, body };
        self.local.client().send(request).await.unwrap()
    }

    async fn evaluate(&self, flag_key: &str) -> AwsAnswer {
        let asked = json!({ "flag_key": flag_key, "context": { "user_id": "u1" } }).to_string();
        let headers = [("content-type", "application/json")];
        self.ask("POST", "/feature-flags/evaluate", &headers, &asked).await
    }

    /// Waits until a flag is answered so, with this in `x-flags-stale`.
    async fn until(&self, enabled: bool, stale: Option<&str>) {
        let started_at = Instant::now();
        loop {
            let answer = self.evaluate("new-search").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let seen = (body(&answer)["enabled"] == enabled, self::stale(&answer));
            if seen == (true, stale.map(str::to_owned)) {
                return;
            }
            assert!(started_at.elapsed() < CHANGE_WAIT_MAX, "{seen:?} {}", answer.text());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How many of the function's log lines have this text in them.
    async fn logged(&self, text: &str) -> usize {
        let group = json!({ "logGroupName": "/aws/lambda/ripcord-flag-evaluator", "limit": 10_000 });
        let answer = self.local.client().json("logs", "Logs_20140328.FilterLogEvents", &group).await.unwrap();
        let events =
            body(&answer)["events"].as_array().cloned().unwrap_or_else(|| panic!("{}", answer.text()));
        events
            .iter()
            .filter(|event| event["message"].as_str().is_some_and(|line| line.contains(text)))
            .count()
    }

    fn asked_appconfig(&self, operation: &str) -> usize {
        let caller = Caller::Function("ripcord-flag-evaluator".to_owned());
        self.local.journal().matching(|call| call.operation == operation && call.caller == caller).len()
    }
}

fn body(answer: &AwsAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.text()))
}

fn stale(answer: &AwsAnswer) -> Option<String> {
    answer.headers.get("x-flags-stale").map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_are_answered_by_the_templates_api_and_a_change_arrives_by_itself() {
    let flags = Flags::served().await;
    let answer = flags.evaluate("new-search").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = body(&answer);
    assert_eq!((&said["flag_key"], &said["enabled"]), (&json!("new-search"), &json!(true)));
    assert!(said["reason"].as_str().unwrap().contains("new-search"), "{said}");
    assert_eq!(stale(&answer), None);
    let gone = body(&flags.evaluate("gone").await);
    assert_eq!((&gone["enabled"], &gone["variant"]), (&json!(false), &Value::Null));

    let json_headers = [("content-type", "application/json")];
    let batch = flags.ask("POST", "/feature-flags/evaluate-batch", &json_headers, "{}").await;
    assert_eq!(body(&batch)["evaluations"].as_array().unwrap().len(), 2);

    let list = flags.ask("GET", "/feature-flags", &[], "").await;
    assert_eq!(body(&list)["flags"][0]["description"], "Search by meaning");
    assert!(!list.text().contains("ada"), "{}", list.text());
    let etag = list.headers["etag"].to_str().unwrap();
    let known = [("if-none-match", etag)];
    let again = flags.ask("GET", "/feature-flags", &known, "").await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));

    for (method, path, headers, status) in [
        ("DELETE", "/feature-flags", &[][..], 405),
        ("GET", "/feature-flags/evaluate", &[], 405),
        ("POST", "/feature-flags/other", &json_headers, 404),
        ("POST", "/feature-flags/evaluate", &[("content-type", "text/plain")], 415),
        ("POST", "/feature-flags/evaluate", &json_headers, 400),
    ] {
        let answer = flags.ask(method, path, headers, "{").await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert!(body(&answer)["error"].is_string(), "{}", answer.text());
    }
    let long = " ".repeat(300 * 1024);
    assert_eq!(flags.ask("POST", "/feature-flags/evaluate", &json_headers, &long).await.status, 413);

    // One session, however many requests; and whatever it took, no process was started again.
    assert!(flags.deploy(&document(false).to_string()).await.status.is_success());
    flags.until(false, None).await;
    let changed = flags.ask("GET", "/feature-flags", &known, "").await;
    assert_eq!(changed.status, 200);
    assert_eq!(flags.asked_appconfig("StartConfigurationSession"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_signature_is_turned_away_by_the_api() {
    let flags = Flags::served().await;
    let url = format!("{}/_aws/execute-api/{}/$default/feature-flags", flags.local.endpoint(), flags.api);
    let address = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let path = url.split_once(&address).unwrap().1.to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_document_is_refused_before_it_is_deployed_and_ignored_if_it_is_all_the_same() {
    let flags = Flags::served().await;
    flags.until(true, None).await;
    // What a schema can say is refused by the schema.
    let refused = flags.deploy(r#"{"version": 1, "flags": {"a": {"enabled": "yes"}}}"#).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("/flags/a/enabled"), "{}", refused.text());
    // What it cannot, by the function: with the path and the rule.
    let circle = json!({ "version": 1, "flags": {
        "a": { "enabled": true, "rollout_percentage": 100, "prerequisites": [{ "flag": "b" }] },
        "b": { "enabled": true, "rollout_percentage": 100, "prerequisites": [{ "flag": "a" }] },
    }});
    let refused = flags.deploy(&circle.to_string()).await;
    assert_eq!(refused.status, 400);
    let why = refused.text();
    assert!(why.contains("flags.a.prerequisites") && why.contains("circular"), "{why}");
    flags.until(true, None).await;

    // A profile without validators lets it through; what is served stays as it was, and says so.
    let path = flags.profile_path();
    let bare = json!({ "Validators": [] }).to_string();
    assert!(sent(&flags.local, "PATCH", &path, "application/json", bare).await.status.is_success());
    assert!(flags.deploy(&circle.to_string()).await.status.is_success());
    flags.until(true, Some("document-rejected")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    flags.until(true, Some("document-rejected")).await;
    assert_eq!(flags.logged("the deployed flag document is invalid").await, 1);
    assert_eq!(flags.logged("\"FlagDocumentRejected\":1").await, 1);
    assert!(flags.deploy(&document(false).to_string()).await.status.is_success());
    flags.until(false, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_appconfig_is_away_the_last_good_document_is_served() {
    let flags = Flags::served().await;
    flags.until(true, None).await;
    // Pauses are as short here as a plan's minutes, so that nearly every request meets a look; patience is as it is.
    for (fault, requests) in [
        (Fault::ServerError { status: 503 }, 10),
        (Fault::Deny, 10),
        (Fault::DropAfter, 10),
        (Fault::Delay { duration_ms: 8_000 }, 2),
    ] {
        flags.local.faults().add(FaultRule::always("GetLatestConfiguration", fault));
        flags.until(true, Some("appconfig-unreachable")).await;
        for _ in 0..requests {
            let answer = flags.evaluate("new-search").await;
            assert_eq!((answer.status.as_u16(), body(&answer)["enabled"].clone()), (200, json!(true)));
        }
        flags.local.faults().clear();
        flags.until(true, None).await;
    }
    assert!(flags.deploy(&document(false).to_string()).await.status.is_success());
    flags.until(false, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_anything_is_deployed_there_are_no_answers_and_no_inventions() {
    let flags = Flags::prepared().await;
    let answer = flags.evaluate("new-search").await;
    assert_eq!((answer.status.as_u16(), &body(&answer)["error"]), (503, &json!("flags_not_loaded")));
    let retry_after: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    assert!(flags.deploy(&document(true).to_string()).await.status.is_success());
    let started_at = Instant::now();
    while flags.evaluate("new-search").await.status != 200 {
        assert!(started_at.elapsed() < CHANGE_WAIT_MAX, "the first document never arrived");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    flags.until(true, None).await;
}
