//! Every file in `events/` goes through the built artefact, with a release open: what each is answered with is kept as a
//! snapshot. Of the signals only the command that bears no time may move traffic: the others were raised before the
//! release was opened.

use std::path::Path;

use ripcord_rehearsal::runtime_api::{FunctionProcess, InvocationOutcome};
use serde_json::Value;

use crate::scene::{ACCOUNT, ANSWER_WAIT_MAX, REGION, Scene, workspace};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_answered_by_name() {
    let scene = Scene::set().await;
    scene.release(10).await;
    let events = workspace().join("events");
    let mut files = Vec::new();
    collect(&events, &mut files);
    files.sort();
    let mut rollback = scene.process("alarm-rollback").await;
    let mut shifter = scene.process("alias-weight-shifter").await;
    let mut ecs_hook = scene.process("ecs-lifecycle-hook").await;
    let mut pre_hook = scene.process("pre-traffic-hook").await;
    let mut post_hook = scene.process("post-traffic-hook").await;
    let mut recorder = scene.process("release-recorder").await;
    let mut widget = scene.process("release-widget").await;
    let mut validator = scene.process("flag-validator").await;
    // Nothing was ever deployed there, so it has no flags to answer from.
    let flags = format!("arn:aws:appconfig:{REGION}:{ACCOUNT}:application/a/environment/e/configuration/p");
    let flags =
        scene.spec("flag-evaluator").env("RIPCORD_FLAGS", flags).env("RIPCORD_FLAGS_POLL_SECONDS", "15");
    let mut evaluator = FunctionProcess::spawn(&flags).await.unwrap();
    let mut answers = String::new();
    for file in &files {
        let name = file.strip_prefix(&events).unwrap().display().to_string();
        let event = std::fs::read(file).unwrap();
        let process = match name.split('/').next() {
            Some("shifter") => &mut shifter,
            Some("ecs") => &mut ecs_hook,
            Some("hooks") if name == "hooks/after-traffic.json" => &mut post_hook,
            Some("hooks") => &mut pre_hook,
            Some("recorder") => &mut recorder,
            Some("widget") => &mut widget,
            Some("flags") if name.starts_with("flags/validate") => &mut validator,
            Some("flags") => &mut evaluator,
            Some(_) | None => &mut rollback,
        };
        let answered = process.invoke(event, ANSWER_WAIT_MAX).await;
        answers.push_str(&format!("{name}: {}\n", describe(&answered)));
    }
    insta::assert_snapshot!(answers);
    let restored = scene.traffic_changes().into_iter().filter(|call| {
        call.change
            .as_ref()
            .is_some_and(|change| change.after.weights.is_empty() && change.after.version == "1")
    });
    assert_eq!(restored.count(), 1, "only operator/rollback-bare.json is of now");
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

/// What is said by those who move nothing: the flags' API, the recorder, the widget.
fn behind_the_ledger(response: &Value) -> Option<String> {
    if let Some(status) = response["statusCode"].as_u64() {
        let body: Value = serde_json::from_str(response["body"].as_str()?).unwrap_or_default();
        return Some(format!("{status} {}", body["error"].as_str().unwrap_or("-")));
    }
    if let Some(unkept) = response["batchItemFailures"].as_array() {
        return Some(format!("kept {}, not kept {}", response["kept"], unkept.len()));
    }
    match response {
        Value::String(page) => {
            Some(if page.contains("<svg") { "drawn" } else { "told without a drawing" }.to_owned())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let described = response["markdown"].as_str().map(|_| "described".to_owned());
            described.or_else(|| Some(format!("accepted, {} flags", response["flags"].as_u64()?)))
        }
    }
}

/// What a hook of CodeDeploy's says of its answer.
fn hook_report(report: &Value) -> String {
    let verdict = &report["checked"]["verdict"];
    let word = if verdict["succeeded"] == true { "yes" } else { "no" };
    format!("{word} ({}), accepted: {}", verdict["why"].as_str().unwrap_or("-"), report["accepted"])
}

/// Outcomes without what differs from run to run.
fn describe(answered: &InvocationOutcome) -> String {
    match answered {
        InvocationOutcome::Response(response) => match response["answers"].as_array() {
            Some(answers) => {
                let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
                let words = answers
                    .iter()
                    .map(|answer| format!("{} ({})", word(&answer["outcome"]), word(&answer["reason_kind"])));
                words.collect::<Vec<_>>().join(", ")
            }
            None => match (response["hookStatus"].as_str(), response["summary"].as_str()) {
                (Some(status), _) => status.to_owned(),
                (None, Some(summary)) => format!("shifted: {summary}"),
                (None, None) => behind_the_ledger(response).unwrap_or_else(|| hook_report(response)),
            },
        },
        InvocationOutcome::Error { error_type, message, .. } => {
            // The only time in a message is that of the rollback which quarantines.
            let message = message.split(" was rolled back at ").next().unwrap_or_default();
            format!("{error_type}: {message}")
        }
        InvocationOutcome::Crashed(exit) => format!("CRASHED {exit:?}"),
        InvocationOutcome::TimedOut => "TIMED OUT".to_owned(),
    }
}
