//! The path of a team: `sam build` and `sam deploy` of this template, with the SAM CLI itself, to the local AWS.

use std::process::Command;
use std::time::Duration;

use ripcord_rehearsal::{LocalAws, Options};
use serde_json::json;

use crate::scene::{ACCOUNT, REGION, workspace};

/// An execution that is refused at its first task.
const EXECUTION_WAIT_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn sam_builds_and_deploys_the_suite() {
    let sam = sam();
    let options = Options { region: REGION.to_owned(), account_id: ACCOUNT.to_owned(), ..Options::default() };
    let local = LocalAws::start(options).await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let built = scratch.path().join("built");

    let run = |arguments: &[&str]| {
        let mut command = Command::new(&sam);
        command
            .args(arguments)
            .current_dir(workspace())
            .env("AWS_ENDPOINT_URL", local.endpoint())
            .env("AWS_ACCESS_KEY_ID", "operator")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("RIPCORD_PROFILE", "quick")
            .env("SAM_CLI_TELEMETRY", "0");
        let output = command.output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "sam {}: {text}", arguments.join(" "));
        text
    };
    let built = built.to_str().unwrap();
    run(&["build", "--build-dir", built, "--parameter-overrides", "Architecture=x86_64"]);
    let template = format!("{built}/template.yaml");
    run(&[
        "deploy",
        "--template-file",
        &template,
        "--stack-name",
        "ripcord",
        "--resolve-s3",
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_NAMED_IAM",
        "--no-confirm-changeset",
        "--parameter-overrides",
        "Architecture=x86_64 LedgerDeletionProtection=false",
    ]);

    // What was deployed answers by name.
    let path = "/2015-03-31/functions/ripcord-alarm-rollback/invocations";
    let event = std::fs::read_to_string(workspace().join("events/alarm/metric-math.json")).unwrap();
    let event = serde_json::from_str(&event).unwrap();
    let answered = local.client().lambda("POST", path, &event).await.unwrap();
    assert!(answered.text().contains("unregistered"), "{}", answered.text());
    for (function, asked) in [
        ("release-preflight", json!({ "service": "unheard-of", "release": 1, "when": "before" })),
        ("stage-validator", json!({ "service": "unheard-of", "release": 1 })),
    ] {
        let path = format!("/2015-03-31/functions/ripcord-{function}/invocations");
        let answered = local.client().lambda("POST", &path, &asked).await.unwrap();
        assert!(answered.text().contains("ServiceUnknown"), "{function}: {}", answered.text());
    }
    let machine = format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:ripcord-progressive-release");
    let request = json!({ "service": "unheard-of", "version": "2" });
    let execution = local.executions().start(&machine, &request).await.unwrap();
    let ended = local.executions().until_ended(&execution, EXECUTION_WAIT_MAX).await.unwrap();
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:?}");
    let history = local.executions().history(&execution).await.unwrap();
    let mut path: Vec<&str> = history.iter().map(|(state, _)| state.as_str()).collect();
    path.dedup();
    assert_eq!(path.join(" ").trim(), "Begin Open RollBack IsBack RolledBack");
}

/// The SAM CLI that `cargo verify` installs.
fn sam() -> std::path::PathBuf {
    if let Some(given) = std::env::var_os("RIPCORD_SAM") {
        return given.into();
    }
    let tools = workspace().join("target/tools");
    let found =
        std::fs::read_dir(&tools).into_iter().flatten().flatten().map(|entry| entry.path().join("bin/sam"));
    let found = found.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no SAM CLI under {}: cargo verify installs it", tools.display()))
}
