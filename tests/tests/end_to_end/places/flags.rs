//! A change of a flag as a release: by the built command line, grown and watched by AppConfig, and put back by an alarm, by
//! AppConfig itself, or by a person.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord::names::Weight;
use ripcord::release::{Phase, Release};
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::aws_client::AwsRequest;
use ripcord_rehearsal::deploy::{StackCode, StackRequest};
use ripcord_rehearsal::targets::{self, Configuration};
use serde_json::{Value, json};

use super::rig;
use crate::operator::Terminal;
use crate::scene::{ACCOUNT, REGION, Scene, alarm_now, outcome, workspace};

/// Ten seconds to grow, ten more to bake, and a slow machine.
const END_WAIT_MAX: Duration = Duration::from_secs(90);

const DOCUMENT: &str = r#"{
  "version": 1,
  "flags": {
    "new-search": {"enabled": true, "rollout_percentage": 5, "allowlist": ["u1"]},
    "late": {"enabled": false}
  }
}"#;

async fn asked(scene: &Scene, method: &str, path: &str, body: &str) -> (u16, String) {
    let headers = [("content-type", "application/json")];
    let body = body.as_bytes().to_vec().into();
    let request = AwsRequest { service: "appconfig", method, path, headers: &headers, body };
    let answer = scene.local.client().send(request).await.unwrap();
    (answer.status.as_u16(), answer.text())
}

/// A service whose flags are in a configuration, and perhaps an alias besides, which goes back after them.
struct Service {
    scene: Scene,
    configuration: Configuration,
}

impl Service {
    /// Version 3 is the first document of flags, and is served.
    async fn set(has_alias: bool) -> Self {
        let scene = Scene::set().await;
        let client = scene.local.client();
        let configuration = targets::configuration(&client).await.unwrap();
        let this = Self { scene, configuration };
        this.store(DOCUMENT).await;
        this.configuration.deploy(&client, 3, &this.configuration.quick_strategy_id).await.unwrap();
        let Configuration { application_id, environment_id, profile_id, .. } = &this.configuration;
        let mut targets = vec![json!({
            "name": "flags", "kind": "configuration", "application": application_id,
            "environment": environment_id, "profile": profile_id, "turn": 0,
            "strategy": this.configuration.slow_strategy_id,
            "strategy_back": this.scene.stage.suite["FlagsBackStrategyId"],
        })];
        if has_alias {
            targets.push(json!({
                "name": "api", "kind": "lambda_alias", "function": "checkout", "alias": "live", "turn": 1,
            }));
        }
        rig::register(&this.scene, json!(targets)).await;
        this.scene.local.journal().clear();
        this
    }

    async fn store(&self, text: &str) {
        let Configuration { application_id, profile_id, .. } = &self.configuration;
        let path = format!(
            "/applications/{application_id}/configurationprofiles/{profile_id}/hostedconfigurationversions"
        );
        let (status, answer) = asked(&self.scene, "POST", &path, text).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Has AppConfig's environment watch the alarm that guards the service.
    async fn watch(&self) {
        let Configuration { application_id, environment_id, .. } = &self.configuration;
        let path = format!("/applications/{application_id}/environments/{environment_id}");
        let alarm = format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:checkout-error-rate");
        let (status, answer) =
            asked(&self.scene, "PATCH", &path, &json!({ "Monitors": [{ "AlarmArn": alarm }] }).to_string())
                .await;
        assert_eq!(status, 200, "{answer}");
    }

    fn terminal(&self) -> Terminal<'_> {
        Terminal { scene: &self.scene }
    }

    async fn says(&self, code: i32, words: &[&str]) -> String {
        self.terminal().says(code, &[&["flags"], words].concat()).await
    }

    /// What clients are given.
    async fn served(&self) -> String {
        let Configuration { application_id, environment_id, profile_id, .. } = &self.configuration;
        let session = json!({
            "ApplicationIdentifier": application_id, "EnvironmentIdentifier": environment_id,
            "ConfigurationProfileIdentifier": profile_id,
        });
        let (_, session) = asked(&self.scene, "POST", "/configurationsessions", &session.to_string()).await;
        let session: Value = serde_json::from_str(&session).unwrap();
        let token = session["InitialConfigurationToken"].as_str().unwrap();
        asked(&self.scene, "GET", &format!("/configuration?configuration_token={token}"), "").await.1
    }

    /// The newest deployment's state.
    async fn state(&self) -> String {
        let client = self.scene.local.client();
        let newest = self.configuration.numbers(&client).await.unwrap()[0];
        self.configuration.state(&client, newest).await.unwrap()
    }

    fn made(&self, operation: &str) -> usize {
        let is_done = |status: Option<u16>| status.is_some_and(|status| status < 300);
        self.scene.local.journal().matching(|call| call.operation == operation && is_done(call.status)).len()
    }

    /// The latest release once it has ended and people were told.
    async fn ended(&self) -> Release {
        let by = Instant::now() + END_WAIT_MAX;
        loop {
            let latest = self.scene.latest().await;
            let is_told = latest.phase == Phase::Complete || self.scene.is_reported().await;
            if latest.phase != Phase::Shifting && is_told {
                return latest;
            }
            assert!(
                Instant::now() < by,
                "it has not ended: {latest:?}, {:?}, {}",
                self.scene.local.action_failures(),
                self.scene.local.log()
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_grows_is_put_back_by_its_alarm_exactly_once() {
    let service = Service::set(false).await;
    let said = service.says(0, &["set", "checkout", "new-search", "--rollout", "10"]).await;
    assert!(said.contains("flags.new-search.rollout_percentage: 5 -> 10"), "{said}");
    assert!(said.contains("release 1 brings version 4"), "{said}");
    assert_eq!(service.state().await, "DEPLOYING");
    let open = service.scene.latest().await;
    assert_eq!((open.phase, open.changes[0].weight), (Phase::Shifting, Weight::NONE));
    let listed = service.says(0, &["list", "checkout"]).await;
    assert!(listed.contains("a deployment is bringing version 4 for "), "{listed}");

    let alarm = alarm_now();
    assert_eq!(outcome(&service.scene.deliver(&alarm).await), "restore");
    assert_eq!(service.state().await, "ROLLED_BACK");
    assert_eq!(service.served().await, DOCUMENT, "to the byte as it was");
    assert_eq!(service.ended().await.phase, Phase::RolledBack);
    assert_eq!(outcome(&service.scene.deliver(&alarm).await), "stand_down");
    assert_eq!((service.made("StartDeployment"), service.made("StopDeployment")), (1, 1));

    // The same change once more is the same version, which is in quarantine.
    rig_with_quarantine(&service).await;
    let refused = service.says(3, &["set", "checkout", "new-search", "--rollout", "10"]).await;
    assert!(refused.contains("quarantined"), "{refused}");
    assert_eq!(service.made("CreateHostedConfigurationVersion"), 1);
}

/// The rig lets everything be released again; a team's registration does not.
async fn rig_with_quarantine(service: &Service) {
    let mut registration = service.scene.stage.record().await.unwrap().unwrap().registration;
    registration.rollback.quarantine_hours = 168;
    service.scene.stage.register_as(&registration).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_nothing_speaks_against_completes_and_may_be_followed() {
    let service = Service::set(false).await;
    service.watch().await;
    let said = service.says(0, &["set", "checkout", "new-search", "--rollout", "10", "--wait"]).await;
    // It looks every five seconds, of which twenty are a whole deployment here.
    assert!(said.contains("of the clients (DEPLOYING)"), "{said}");
    assert!(said.contains("release 1 is complete"), "{said}");
    let complete = service.ended().await;
    assert_eq!((complete.phase, complete.changes[0].weight), (Phase::Complete, Weight::ALL));
    assert_eq!(service.served().await, DOCUMENT.replace(": 5,", ": 10,"));
    assert_eq!((service.made("StartDeployment"), service.made("StopDeployment")), (1, 0));

    let nothing = service.says(0, &["set", "checkout", "new-search", "--rollout", "10.0"]).await;
    assert!(nothing.contains("version 4 is so already: nothing is done"), "{nothing}");
    assert_eq!(service.made("CreateHostedConfigurationVersion"), 1);

    // An alarm inside the window puts back what has completed, too.
    assert_eq!(outcome(&service.scene.deliver(&alarm_now()).await), "restore");
    assert_eq!(service.served().await, DOCUMENT);
    assert_eq!(service.state().await, "REVERTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_appconfig_takes_back_itself_is_booked_as_that() {
    let service = Service::set(false).await;
    service.watch().await;
    // Its actions are disabled, so that nobody but AppConfig hears of it.
    service.says(0, &["set", "checkout", "new-search", "--off"]).await;
    let alarms = service.scene.local.alarms();
    let (name, fires) = ("checkout-error-rate", AlarmState::Alarm);
    let client = service.scene.local.client();
    let quiet = [("Action", "DisableAlarmActions"), ("Version", "2010-08-01"), ("AlarmNames.member.1", name)];
    assert!(client.query("monitoring", &quiet).await.unwrap().status.is_success());
    alarms.set_state(name, fires, "users see errors").unwrap();
    let ended = service.ended().await;
    assert_eq!(ended.phase, Phase::RolledBack);
    let because = ended.ended_because.unwrap();
    assert!(because.starts_with("AppConfig took deployment 3 back"), "{because}");
    assert!(because.contains("CLOUDWATCH_ALARM") && because.contains(name), "{because}");
    assert_eq!(service.served().await, DOCUMENT);
    assert_eq!(
        (service.made("StartDeployment"), service.made("StopDeployment")),
        (1, 0),
        "nothing is done twice"
    );
    let again = outcome(&service.scene.deliver(&alarm_now()).await);
    assert_eq!(again, "stand_down", "the alarm that comes later is told, and moves nothing");
    assert_eq!(service.made("StopDeployment"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_alarms_at_once_stop_the_deployment_once() {
    let service = Service::set(false).await;
    service.says(0, &["set", "checkout", "new-search", "--off"]).await;
    let Service { scene, configuration } = service;
    let scene = Arc::new(scene);
    let outcomes = rig::storm(&scene).await;
    let scene = Arc::into_inner(scene).expect("every delivery has been answered");
    let service = Service { scene, configuration };
    assert_eq!(service.made("StopDeployment"), 1, "{outcomes:?}");
    assert_eq!(service.served().await, DOCUMENT, "{outcomes:?}");
    assert_eq!(service.ended().await.phase, Phase::RolledBack);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_goes_back_before_the_alias_of_the_same_release() {
    let service = Service::set(true).await;
    let candidate = service.scene.stage.publish(&service.scene.local, Default::default()).await.unwrap();
    let weights =
        json!({ "service": "checkout", "target": "api", "weights": format!("1:90,{candidate}:10") });
    let shifted = service.scene.stage.invoke(&service.scene.local, "alias-weight-shifter", &weights).await;
    shifted.unwrap().unwrap();
    let said = service.says(0, &["set", "checkout", "new-search", "--off"]).await;
    assert!(said.contains("release 1 brings version 4"), "{said}");
    assert_eq!(service.scene.latest().await.changes.len(), 2, "it joins the release that is open");
    service.scene.local.journal().clear();

    let words = ["rollback", "checkout", "--reason", "orders fail"];
    service.says(0, &words).await;
    assert_eq!(service.served().await, DOCUMENT);
    assert!(service.scene.routing().await.weights.is_empty());
    let moves = ["StopDeployment", "UpdateAlias"];
    let calls = service.scene.local.journal().matching(|call| moves.contains(&call.operation.as_str()));
    let calls: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(calls, moves, "the flag first");
    assert_eq!(service.ended().await.phase, Phase::RolledBack);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_set_is_refused_by_name_and_nothing_is_stored() {
    let service = Service::set(false).await;
    for (words, said) in [
        (&["set", "checkout", "new-serch", "--off"][..], "version 3 has no flag new-serch"),
        (&["set", "checkout", "new-search", "--rollout", "101"], "flags.new-search.rollout_percentage"),
        (&["set", "checkout", "--document", "Cargo.toml"], "no valid flag document"),
        (&["set", "nobody", "new-search", "--off"], "service nobody is not registered"),
        (&["get", "checkout", "new-serch"], "it has new-search, late"),
        (&["set", "checkout", "new-search", "--off", "--target", "web"], "has no target web"),
        (&["rollback", "checkout"], "nothing of checkout was released yet"),
        (&["validate", "Cargo.toml"], "not valid"),
    ] {
        let refused = service.says(3, words).await;
        assert!(refused.contains(said), "{words:?}: {refused}");
    }
    assert_eq!(service.made("CreateHostedConfigurationVersion"), 0);
    let one = service.terminal().json(&["flags", "get", "checkout", "new-search"]).await;
    assert_eq!((&one["version"], &one["flag"]["rollout_percentage"]), (&json!("3"), &json!(5)));

    // While one change is being released no other is begun, whoever asks.
    service.says(0, &["set", "checkout", "late", "--on"]).await;
    let refused = service.says(3, &["set", "checkout", "new-search", "--off", "--at-once"]).await;
    assert!(refused.contains("release 1 changes flags just now"), "{refused}");
    service.says(0, &["rollback", "checkout"]).await;
    // An emergency is brought to everybody at once.
    service.says(0, &["set", "checkout", "new-search", "--off", "--at-once"]).await;
    assert_eq!(service.state().await, "BAKING");
    assert!(service.served().await.contains(r#""new-search": {"enabled": false,"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_deploys_and_its_documents_pass_its_own_validators() {
    let scene = Scene::set().await;
    let example = workspace().join("examples/flags");
    let stack = StackRequest {
        name: "checkout-flags".to_owned(),
        template: example.join("template.yaml"),
        code: StackCode::AsWritten,
        parameters: Vec::new(),
    };
    let made = scene.local.deploy(stack).await.unwrap();
    let mut document = std::fs::read_to_string(example.join("ripcord.json")).unwrap();
    let suite = &scene.stage.suite;
    for (placeholder, id) in [
        ("abc1234", &made["ApplicationId"]),
        ("def1234", &made["EnvironmentId"]),
        ("ghi1234", &made["ProfileId"]),
        ("jkl1234", &suite["GradualFlagsStrategyId"]),
        ("mno1234", &suite["FlagsBackStrategyId"]),
    ] {
        document = document.replace(placeholder, id);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ripcord.json");
    std::fs::write(&file, document).unwrap();
    let terminal = Terminal { scene: &scene };
    terminal.says(0, &["apply", file.to_str().unwrap()]).await;
    let listed = terminal.says(0, &["flags", "list", "checkout"]).await;
    assert!(listed.contains("checkout (flags) serves version 1: 1 flag"), "{listed}");

    terminal.says(0, &["flags", "validate", "examples/flags/flags.json"]).await;
    terminal.says(0, &["flags", "set", "checkout", "--document", "examples/flags/flags.json"]).await;
    let coming = terminal.json(&["flags", "get", "checkout", "one-page-checkout"]).await;
    assert_eq!((&coming["flag"], &coming["bringing"]["version"]), (&Value::Null, &json!("2")));
    let back = terminal.says(0, &["flags", "rollback", "checkout", "--reason", "wrong file"]).await;
    assert!(back.contains("traffic is back"), "{back}");
}
