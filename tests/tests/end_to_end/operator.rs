//! A person at a terminal: the built `ripcord` against the local AWS, told by its exit codes and its words.

use std::process::{Command, Output};

use ripcord_rehearsal::checkout::Behaviour;
use serde_json::{Value, json};

use crate::scene::{REGION, Scene, built, workspace};

pub(crate) struct Terminal<'scene> {
    pub(crate) scene: &'scene Scene,
}

impl Terminal<'_> {
    /// A command that a person is about to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(built("ripcord"));
        command
            .args(["--endpoint-url", self.scene.local.endpoint(), "--region", REGION])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "operator")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("USER", "alice")
            .current_dir(workspace());
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Runs a command that must end with `code`, and returns what it said on both streams.
    pub(crate) async fn says(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "ripcord {}: {text}", arguments.join(" "));
        text
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat()).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_an_older_suite_registered_is_found_by_its_places_once_it_is_applied_again() {
    let scene = Scene::set().await;
    let terminal = Terminal { scene: &scene };
    let apply = ["apply", "examples/checkout/ripcord.json"];
    assert!(terminal.says(0, &apply).await.contains("already registered so, registration 1"));
    let place = "lambda:checkout:live";
    let key = json!({ "pk": { "S": format!("place#{place}") }, "sk": { "S": "service#checkout" } });
    let item = json!({ "TableName": scene.stage.suite["LedgerTableName"], "Key": key });
    let dynamodb = async |call: &str| {
        let target = format!("DynamoDB_20120810.{call}");
        scene.local.client().json("dynamodb", &target, &item).await.unwrap().text()
    };
    assert!(dynamodb("GetItem").await.contains(place));
    dynamodb("DeleteItem").await;
    assert!(!dynamodb("GetItem").await.contains(place));
    let mended = terminal.says(0, &apply).await;
    assert!(mended.contains("registered, registration 2"), "{mended}");
    assert!(mended.contains("lambda:checkout:live did not lead to it before"), "{mended}");
    assert!(dynamodb("GetItem").await.contains(place));
    assert!(terminal.says(0, &apply).await.contains("already registered so, registration 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_asks_whether_services_functions_and_addresses_are_well() {
    let scene = Scene::set().await;
    let terminal = Terminal { scene: &scene };
    // Nothing has been called yet, so the alarms know nothing and are well.
    let all = terminal.says(0, &["health-check"]).await;
    for part in [
        "checkout (checkout:live) version 1 is well",
        "smoke: version 1 meets all of 1",
        "version 1 of checkout is Active",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    terminal.says(0, &["health-check", "--function", "checkout:live", "--function", "checkout:1"]).await;
    let address = format!("{}/_ministack/health?token=secret", scene.local.endpoint());
    let refused = terminal.says(3, &["health-check", "--url", &address]).await;
    assert!(refused.contains("is NOT well") && !refused.contains("secret"), "{refused}");
    terminal.says(0, &["health-check", "--url", &address, "--private"]).await;

    // A version that answers something else than its team expects is not well, however little traffic it has.
    let broken = Behaviour { error_percent: 100, ..Behaviour::default() };
    let candidate = scene.stage.publish(&scene.local, broken).await.unwrap();
    scene.stage.weights(&scene.local, &format!("1:99,{candidate}:1")).await.unwrap();
    let health = terminal.says(3, &["health-check", "checkout"]).await;
    assert!(health.contains("version 1 is well") && health.contains("version 2 is NOT well"), "{health}");
    assert_eq!(terminal.json(&["health-check", "checkout"]).await["healthy"], false);
    terminal.says(3, &["health-check", "--function", "checkout:gone"]).await;
    terminal.says(3, &["health-check", "nobody"]).await;
    terminal.says(2, &["health-check", "--function", "checkout"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_releases_promotes_and_rolls_back() {
    let scene = Scene::set().await;
    let terminal = Terminal { scene: &scene };
    let document = "examples/checkout/ripcord.json";
    terminal.says(0, &["validate", document]).await;
    terminal.says(0, &["apply", document]).await;
    let changed = tempfile::NamedTempFile::new().unwrap();
    let text = std::fs::read_to_string(workspace().join(document)).unwrap();
    std::fs::write(&changed, text.replace("\"window_hours\": 24", "\"window_hours\": 48")).unwrap();
    let changed = changed.path().to_str().unwrap();
    terminal.says(3, &["apply", changed, "--expect", "7"]).await;
    terminal.says(0, &["apply", changed, "--expect", "1"]).await;
    let good = scene.stage.publish(&scene.local, Default::default()).await.unwrap().to_string();

    terminal.says(2, &["weights", "checkout", &format!("1:90,{good}:20")]).await;
    terminal.says(3, &["weights", "checkout", "1:90,99:10"]).await;
    terminal.says(0, &["weights", "checkout", &format!("1:90,{good}:10")]).await;
    let plan = terminal.says(0, &["plan", "checkout"]).await;
    assert!(plan.contains("lambda:UpdateAlias checkout:live to 1 on 100%"), "{plan}");
    assert_eq!(scene.routing().await.weights.len(), 1, "a plan moves nothing");
    let status = terminal.says(0, &["status", "checkout"]).await;
    assert!(status.contains("10%"), "{status}");
    terminal.says(0, &["promote", "checkout"]).await;
    assert_eq!(scene.routing().await.version, good);

    // What is complete can still be put back, and is told apart from what cannot.
    terminal.says(0, &["rollback", "checkout", "--reason", "customers report 500s"]).await;
    assert_eq!(scene.routing().await.version, "1");
    let status = terminal.json(&["status", "checkout"]).await;
    assert!(status.to_string().contains("rolled_back"), "{status}");
    let evidence = terminal.says(0, &["evidence", "checkout"]).await;
    assert!(evidence.contains("customers report 500s"), "{evidence}");
    terminal.says(3, &["status", "unheard-of"]).await;
}
