//! Holds the example of a team's pipeline against the command line: what its scripts ask for is understood, and every exit code
//! has a word.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;

use crate::args::Cli;
use crate::exit_code::ExitCode;
use crate::validate;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipeline")
}

/// Runs the release script with a `ripcord` that only notes how it was called, and ends with `code`. What the script said to
/// later steps, how it ended, and the words of the call.
fn release(code: u8, variables: &[(&str, &str)]) -> (String, i32, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (stub, called, said) =
        (folder.path().join("ripcord"), folder.path().join("called"), folder.path().join("said"));
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > {}\nexit {code}\n", called.display());
    std::fs::write(&stub, script).expect("the stub is written");
    let runnable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&stub, runnable).expect("the stub may be run");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let ended = Command::new("bash")
        .arg(example().join("release/release.sh"))
        .args(["checkout", "7"])
        .env_clear()
        .env("PATH", path)
        .env("GITHUB_OUTPUT", &said)
        .envs(variables.iter().copied())
        .current_dir(example())
        .output()
        .expect("bash runs");
    let words = std::fs::read_to_string(called).expect("ripcord was called");
    let words = std::iter::once("ripcord").chain(words.lines()).map(str::to_owned).collect();
    let said = std::fs::read_to_string(said).expect("the outcome is said");
    (said, ended.status.code().expect("it ended by itself"), words)
}

#[test]
fn every_end_of_a_release_has_a_word_of_its_own() {
    let outcomes = ExitCode::EVERY.map(|code| {
        let (said, ended, _) = release(code.number(), &[]);
        assert_eq!(ended, i32::from(code.number()), "the job ends as the release does");
        (code, said.trim().to_owned())
    });
    let expected = [
        (ExitCode::Done, "outcome=complete"),
        (ExitCode::Unexpected, "outcome=unknown"),
        (ExitCode::Usage, "outcome=unknown"),
        (ExitCode::Refused, "outcome=refused"),
        (ExitCode::RollbackFailed, "outcome=not-back"),
        (ExitCode::Unreachable, "outcome=unreachable"),
        (ExitCode::RolledBack, "outcome=rolled-back"),
    ];
    assert_eq!(outcomes, expected.map(|(code, said)| (code, said.to_owned())));
}

#[test]
fn the_release_script_asks_for_what_the_command_line_knows() {
    let github = [
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "shop/checkout"),
        ("GITHUB_RUN_ID", "4711"),
        ("GITHUB_ACTOR", "ada"),
        ("OVERRIDE", "it is the fix"),
    ];
    for variables in [&github[..], &[]] {
        let (_, _, words) = release(0, variables);
        let parsed = Cli::try_parse_from(&words);
        assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
    }
}

#[test]
fn every_command_of_the_workflow_is_one_that_the_command_line_knows() {
    let mut count = 0;
    for name in ["release-checkout.yml", "release-to.yml"] {
        let workflow =
            std::fs::read_to_string(example().join(".github/workflows").join(name)).expect("the workflow");
        for line in workflow.lines() {
            let command = line.trim().trim_start_matches("run: ");
            let Some(command) = command.strip_prefix("ripcord ") else { continue };
            let command = command.split(" || ").next().unwrap_or_default();
            let command = command
                .replace("\"$SERVICE\"", "checkout")
                .replace("\"${{ inputs.environment }}\"", "staging")
                .replace("\"the workflow run was cancelled\"", "cancelled");
            let words = std::iter::once("ripcord").chain(command.split_whitespace());
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "{name}: {command}: {}", parsed.unwrap_err());
            count += 1;
        }
    }
    assert_eq!(count, 5, "validate, doctor, apply, abort, report");
}

#[test]
fn the_registration_is_valid_in_every_environment_of_the_pipeline() {
    for environment in [None, Some("development"), Some("staging"), Some("production")] {
        let read = validate::read(&example().join("checkout/ripcord.json"), environment);
        assert!(read.is_ok(), "{environment:?}: {:?}", read.unwrap_err());
    }
}
