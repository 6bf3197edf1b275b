//! `cargo verify`: everything that must hold before a change lands, in the order in which it fails fastest.
//!
//! The test runner comes last, so that its summary closes the output.
#![expect(clippy::print_stdout, reason = "this is a command, and its output is its purpose")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Pinned, so that a check does not change under a change that it checks.
const SAM_CLI: &str = "aws-sam-cli==1.170.0";
const NEXTEST: &str = "0.9.143";
/// What a team deploys, the examples included.
const TEMPLATES: [&str; 5] = [
    "template.yaml",
    "examples/checkout/template.yaml",
    "examples/flags/template.yaml",
    "examples/pipeline/github-oidc.yaml",
    "examples/triggers/template.yaml",
];

fn main() -> Result<()> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("failed to find the workspace")?.to_owned();
    let cargo = |arguments: &str| run(Command::new("cargo").args(arguments.split(' ')).current_dir(&root));

    stage("format", || cargo("fmt --all --check"))?;
    stage("the core stands alone", || {
        for foreign in ["tokio", "aws-types", "aws-smithy-types"] {
            absent(&root, &["tree", "--package", "ripcord", "--edges", "normal", "--invert", foreign])?;
        }
        Ok(())
    })?;
    stage("TLS is ring's: aws-lc costs 30 ms of CPU at the first handshake", || {
        absent(&root, &["tree", "--workspace", "--target", "all", "--invert", "aws-lc-sys"])?;
        absent(&root, &["tree", "--workspace", "--target", "all", "--invert", "aws-lc-rs"])
    })?;
    stage("licences and advisories", || {
        if Command::new("cargo-deny").arg("--version").output().is_err() {
            println!("   skipped: cargo-deny is not installed");
            return Ok(());
        }
        cargo("deny --offline check bans licenses sources")
    })?;
    stage("build", || cargo("build --workspace --all-targets --profile quick"))?;
    // As the Makefile does for SAM: alone, the artefact has fewer features than in the workspace.
    stage("the artefact alone", || cargo("build --package bootstrap --bin bootstrap --profile quick"))?;
    stage("lints", || cargo("clippy --workspace --all-targets --profile quick -- --deny warnings"))?;
    stage("docs", || {
        run(Command::new("cargo")
            .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--profile", "quick"])
            .env("RUSTDOCFLAGS", "--deny warnings")
            .current_dir(&root))
    })?;
    stage("template", || {
        let sam = sam(&root)?;
        for template in TEMPLATES {
            run(Command::new(&sam)
                .args(["validate", "--lint", "--template-file", template])
                .env("AWS_DEFAULT_REGION", "eu-west-1")
                .env("SAM_CLI_TELEMETRY", "0")
                .current_dir(&root))?;
        }
        Ok(())
    })?;
    stage("test runner", nextest)?;
    // Nothing is printed after the runner's own summary. The end-to-end tests deploy with the SAM CLI that a team uses.
    println!("── tests");
    run(Command::new("cargo")
        .args(["nextest", "run", "--workspace", "--cargo-profile", "quick"])
        .env("RIPCORD_SAM", sam(&root)?)
        .current_dir(&root))
}

fn stage(name: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("── {name}");
    let started = Instant::now();
    check().with_context(|| format!("failed: {name}"))?;
    println!("── {name}: passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("failed to start {command:?}"))?;
    if status.success() { Ok(()) } else { bail!("{command:?} ended with {status}") }
}

/// Passes if `cargo tree --invert` finds no such package.
fn absent(root: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("cargo").args(arguments).current_dir(root).output()?;
    let found = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    if found.trim().is_empty()
        && (said.contains("did not match any packages") || said.contains("nothing to print"))
    {
        Ok(())
    } else {
        bail!("cargo {} found it:\n{found}{said}", arguments.join(" "))
    }
}

fn nextest() -> Result<()> {
    if Command::new("cargo")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return Ok(());
    }
    println!("   installing cargo-nextest {NEXTEST}, once");
    run(Command::new("cargo").args(["install", "--locked", "--version", NEXTEST, "cargo-nextest"]))
}

/// The SAM CLI, in a virtualenv of its own that is made once.
fn sam(root: &Path) -> Result<PathBuf> {
    let directory = root.join("target").join("tools").join(SAM_CLI.replace("==", "-"));
    let sam = directory.join("bin").join("sam");
    let complete = directory.join("complete");
    if !complete.exists() {
        println!("   installing {SAM_CLI} under target/tools, once");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory))
            .context("failed to make a virtualenv: Python 3 with its venv module is needed")?;
        run(Command::new(directory.join("bin").join("pip")).args(["install", "--quiet", SAM_CLI]))?;
        std::fs::write(&complete, SAM_CLI)?;
    }
    Ok(sam)
}
