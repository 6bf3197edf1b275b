//! A person at a terminal who releases: the built `ripcord` against the local AWS, whose state machine drives releases in
//! minutes of a second.

use std::process::Stdio;

use ripcord::names::Version;
use ripcord::release::Phase;
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::executions::ExecutionStatus;
use ripcord_rehearsal::traffic::simulated::{SimulatedBehaviour, Simulation, SimulationOptions};
use serde_json::Value;

use crate::driven::Driven;
use crate::operator::Terminal;
use crate::scene::workspace;

/// Of every thousand requests so many fail.
fn failing(per_thousand: u32) -> SimulatedBehaviour {
    SimulatedBehaviour {
        error_rate: f64::from(per_thousand) / 1_000.0,
        throttle_rate: 0.0,
        latency_ms: 20.0,
        latency_spread: 0.2,
        slow_rate: 0.0,
        slow_ms: 1_000.0,
        failing_from: None,
        failing_rate: 1.0,
    }
}

/// 6,000 requests a minute, of which each version fails so many in a thousand.
pub(crate) fn traffic(driven: &Driven, versions: &[(&str, u32)]) -> Simulation {
    let options =
        SimulationOptions { requests_per_minute: 6_000.0, ..SimulationOptions::new("checkout", "live") };
    let options = versions
        .iter()
        .fold(options, |options, (version, per_thousand)| options.version(*version, failing(*per_thousand)));
    driven.scene.local.simulate(options)
}

async fn published(driven: &Driven) -> String {
    driven.candidate().await.to_string()
}

/// A deployment in two stages, which takes some seconds here.
fn deploy<'words>(version: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    let words = ["deploy", "checkout", "--version", version, "--stages", "10", "--stage-duration"];
    [&words, more].concat()
}

fn started(driven: &Driven) -> usize {
    driven.scene.count("StartExecution")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_is_deployed_and_a_bad_one_put_back() {
    let driven = Driven::set().await;
    let terminal = Terminal { scene: &driven.scene };
    let (good, bad, next) = (published(&driven).await, published(&driven).await, published(&driven).await);
    let _traffic = traffic(&driven, &[("1", 1), (&good, 1), (&bad, 60), (&next, 1)]);

    let text = terminal.says(0, &deploy(&good, &["3m"])).await;
    assert!(text.contains("complete"), "{text}");
    assert_eq!(driven.scene.routing().await.version, good);
    assert!(terminal.says(0, &["list"]).await.contains("nothing is being released"));
    assert!(terminal.says(0, &["list", "--all"]).await.contains("checkout #1"));

    let text = terminal.says(6, &deploy(&bad, &["3m"])).await;
    assert!(text.contains("errors"), "{text}");
    assert_eq!(driven.scene.routing().await.version, good);
    assert_eq!(driven.scene.latest().await.phase, Phase::RolledBack);
    // Whoever watches afterwards is told the same, of either release.
    let documents = terminal.says(6, &["watch", "checkout", "--json"]).await;
    let last: Value = serde_json::from_str(documents.lines().last().unwrap()).unwrap();
    assert!(last.to_string().contains("rolled_back"), "{last}");
    terminal.says(0, &["watch", "checkout#1"]).await;
    terminal.says(3, &["watch", "checkout#9"]).await;

    // The end is data, too.
    let documents = terminal.says(0, &deploy(&next, &["3m", "--no-wait", "--json"])).await;
    let started: Value = serde_json::from_str(&documents).unwrap();
    let execution = started["execution"].as_str().unwrap();
    let ended = driven.until_ended(execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}; {:?}", driven.scene.latest().await);
    terminal.says(0, &["watch", "checkout"]).await;
    terminal.says(3, &["abort", "checkout", "--reason", "too late"]).await;
    assert_eq!(driven.scene.routing().await.version, next);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_released_is_refused_before_anything_starts() {
    let driven = Driven::set().await;
    let terminal = Terminal { scene: &driven.scene };
    let candidate = published(&driven).await;
    let version = candidate.as_str();
    let deploy = |more: &[&'static str]| [&["deploy", "checkout", "--version", version], more].concat();
    for (more, said) in [
        (
            &["--stages", "50,10"][..],
            &["stages[1].weight is 10%", "weights rise", "the one before is 50%"][..],
        ),
        (&["--stages", "10,10"], &["stages[1].weight is 10%", "weights rise", "the one before is 10%"]),
        (&["--stages", "0,50"], &["stages[0].weight is 0%", "a stage without traffic shows nothing"]),
        (&["--stages", "50,100.1"], &["stages[1] is \"100.1\"", "a percentage above 0 and up to 100"]),
        (&["--stage-duration", "30s"], &["stage_duration is \"30s\"", "whole minutes, at least one"]),
        (&["--strategy", "yolo"], &["strategy is \"yolo\"", "one of canary"]),
        (&["--target", "worker"], &["worker", "api"]),
        (&["--waive", "alarms"], &["waive is alarms", "needs a reason"]),
    ] {
        let text = terminal.says(3, &deploy(more)).await;
        said.iter().for_each(|part| assert!(text.contains(part), "{more:?}: {text} lacks {part:?}"));
    }
    let text = terminal.says(3, &["deploy", "checkout", "--version", "1"]).await;
    assert!(text.contains("version is 1: the alias serves that version already"), "{text}");
    let text = terminal.says(3, &["deploy", "checkout", "--version", "99"]).await;
    assert!(text.contains("version 99 of checkout does not exist"), "{text}");
    terminal.says(3, &["deploy", "unheard-of", "--version", "2"]).await;
    assert_eq!(started(&driven), 0);
    assert!(driven.scene.stage.record().await.unwrap().unwrap().release.is_none());

    let document = std::fs::read_to_string(workspace().join("examples/checkout/ripcord.json")).unwrap();
    let changed = tempfile::NamedTempFile::new().unwrap();
    for (from, to, said) in [
        ("\"error_rate_max\": 0.01", "\"error_rate_max\": 1.5", "error_rate_max is 1.5"),
        ("\"latency_ms_max\": 500", "\"latency_ms_max\": 0", "latency_ms_max is 0"),
        ("\"weight\": 0.25", "\"weight\": 0.05", "weight"),
    ] {
        assert!(document.contains(from), "{from}");
        std::fs::write(changed.path(), document.replace(from, to)).unwrap();
        let text = terminal.says(3, &["apply", changed.path().to_str().unwrap()]).await;
        assert!(text.contains(said), "{to}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_answer_stop_and_leave_releases() {
    let driven = Driven::set().await;
    let terminal = Terminal { scene: &driven.scene };
    let (first, second) = (published(&driven).await, published(&driven).await);
    let _traffic = traffic(&driven, &[("1", 1), (&first, 1), (&second, 1)]);

    // Nobody asks yet; then somebody does, and only one release is under way at a time.
    terminal.says(3, &["approve", "checkout"]).await;
    terminal.says(0, &deploy(&first, &["3m", "--no-auto-promote", "--no-wait"])).await;
    driven.until_awaiting().await;
    let list = terminal.says(0, &["list"]).await;
    assert!(list.contains("waits for a person to approve stage 2"), "{list}");
    let before = started(&driven);
    let text = terminal.says(3, &deploy(&second, &["3m"])).await;
    assert!(text.contains(&format!("release 1 (1 to {first}) is open")), "{text}");
    assert_eq!(started(&driven), before);
    terminal.says(3, &["approve", "checkout#7"]).await;
    let text = terminal.says(0, &["approve", "checkout#1", "--as", "grace"]).await;
    assert!(text.contains("approved by grace"), "{text}");
    terminal.says(0, &["watch", "checkout"]).await;
    let release = driven.scene.latest().await;
    assert_eq!(release.run.unwrap().reached[1].approved_by.as_deref(), Some("grace"));
    assert_eq!(driven.scene.routing().await.version, first);

    // A no puts traffic back.
    terminal.says(0, &deploy(&second, &["3m", "--no-auto-promote", "--no-wait"])).await;
    driven.until_awaiting().await;
    terminal.says(0, &["reject", "checkout", "--reason", "support sees odd totals"]).await;
    assert_eq!(driven.scene.routing().await.version, first);
    let why = driven.until_reported().await.ended_because.unwrap();
    assert!(why.contains("rejected by alice: support sees odd totals"), "{why}");
    terminal.says(3, &["reject", "checkout", "--reason", "once more"]).await;
    terminal.says(6, &["watch", "checkout"]).await;

    // Ctrl-C ends the watching and not the release; an abort ends both.
    let third = published(&driven).await;
    let words = deploy(&third, &["30m"]);
    let mut command = terminal.command(&words);
    let watching = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    driven.until_opened(3).await;
    driven.until_stage(1).await;
    let interrupted = std::process::Command::new("kill").args(["-INT", &watching.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let left = tokio::task::spawn_blocking(move || watching.wait_with_output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&left.stderr).into_owned();
    assert_eq!(left.status.code(), Some(1), "{text}");
    assert!(text.contains("goes on"), "{text}");
    driven.until_quiet().await;
    let release = driven.scene.latest().await;
    assert_eq!(release.phase, Phase::Shifting);
    let execution = release.run.unwrap().execution;
    let stage = &driven.scene.stage;
    let running = stage.execution(&driven.scene.local, &execution).await.unwrap();
    assert_eq!(running.status, ExecutionStatus::Running);
    let text = terminal.says(0, &["abort", "checkout#3", "--reason", "wrong version"]).await;
    assert!(text.contains("traffic is back"), "{text}");
    assert_eq!(driven.until_ended(&execution).await.status, ExecutionStatus::Aborted);
    assert_eq!(driven.scene.routing().await.version, first);
    terminal.says(0, &["abort", "checkout", "--reason", "to be sure"]).await;
    terminal.says(6, &["watch", "checkout"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_is_withdrawn_while_an_alarm_fires_unless_a_person_waives_it() {
    let driven = Driven::set().await;
    let terminal = Terminal { scene: &driven.scene };
    let fix = published(&driven).await;
    let _traffic = traffic(&driven, &[("1", 300), (&fix, 1)]);
    driven.until_alarm("checkout-error-rate", AlarmState::Alarm).await;
    let version: Version = fix.parse().unwrap();

    let text = terminal.says(3, &deploy(&fix, &["2m"])).await;
    assert!(text.contains("checkout-error-rate"), "{text}");
    let release = driven.until_reported().await;
    assert_eq!(release.phase, Phase::Withdrawn);
    assert_eq!(driven.scene.traffic_changes().len(), 0);
    assert!(driven.scene.stage.record().await.unwrap().unwrap().rollbacks.is_empty());

    let waived = ["2m", "--waive", "alarms", "--override", "it is the fix"];
    terminal.says(0, &deploy(&fix, &waived)).await;
    let release = driven.scene.latest().await;
    assert_eq!((release.phase, release.changes[0].candidate), (Phase::Complete, version));
    let waiver = release.run.unwrap().waiver.unwrap();
    assert_eq!((waiver.by.as_str(), waiver.why.as_str()), ("alice", "it is the fix"));
    assert_eq!(waiver.firing, ["checkout-error-rate"]);
}
