//! `ripcord rehearse`: a bad release, tripped and rolled back, on a local AWS. The functions are the real ones; so are
//! their calls. What is simulated stands in the summary.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ripcord::aws::causes;
use ripcord::release::{Phase, Report};
use ripcord_rehearsal::checkout::{Behaviour, SERVICE, ShiftedBy, Stage};
use ripcord_rehearsal::traffic::TrafficOptions;
use ripcord_rehearsal::traffic::simulated::SimulationOptions;
use ripcord_rehearsal::{LocalAws, Options};

use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};
use crate::output::{self, FAINT, NAME, styled};

mod codedeploy;
mod release;
mod scenario;
mod summary;
mod timeline;

use scenario::Scenario;
use summary::Summary;
use timeline::{Calls, Timeline};

/// What a rehearsal leaves behind.
#[derive(Debug, clap::Args)]
pub(crate) struct RehearseArgs {
    /// What happens to the release
    #[arg(value_enum, default_value_t = Scenario::Alarm)]
    pub(crate) scenario: Scenario,
    /// Let CodeDeploy shift the traffic, with Ripcord's hooks: a good version, a failing smoke test, errors, a dying hook
    #[arg(long, conflicts_with = "scenario")]
    pub(crate) codedeploy: bool,
    /// Write the summary as JSON to this file
    #[arg(long = "json", value_name = "FILE", id = "summary_file")]
    pub(crate) summary_file: Option<PathBuf>,
    /// Keep the local AWS running until Ctrl-C, for `ripcord --local …` in another terminal
    #[arg(long)]
    pub(crate) keep: bool,
    /// The artefact to rehearse with, instead of building it
    #[arg(long, value_name = "FILE")]
    pub(crate) bootstrap: Option<PathBuf>,
}

/// The traffic is steady, so that a timeline is easy to read; two thirds more than the alarms need to judge a period.
const REQUESTS_PER_S: f64 = 40.0;
/// What the bad version does to its requests.
const BAD: Behaviour = Behaviour { error_percent: 60, latency_ms: 5 };
/// Quiet before the release, so that the alarms have seen health.
const BASELINE: Duration = Duration::from_secs(3);
/// Alarm periods are a second here, and two bad ones fire; this is ample.
const ROLLBACK_WAIT_MAX: Duration = Duration::from_secs(60);
/// Long enough to see that the errors have stopped.
const AFTERMATH: Duration = Duration::from_secs(3);

pub(crate) async fn run(args: RehearseArgs) -> Result<ExitCode, Failure> {
    // Whatever happens inside, the local AWS is dropped, and with it every process that it started.
    tokio::select! {
        ended = rehearse(&args) => ended,
        _ = tokio::signal::ctrl_c() => {
            output::raw("interrupted: the local AWS was stopped");
            Ok(ExitCode::Unexpected)
        }
    }
}

async fn rehearse(args: &RehearseArgs) -> Result<ExitCode, Failure> {
    let workspace = workspace()?;
    let bootstrap = match &args.bootstrap {
        Some(given) => given.clone(),
        None => build(&workspace).await?,
    };
    say(
        "starting a local AWS on 127.0.0.1 (the first time it is installed into target/, which takes a minute)",
    );
    let options = Options { publish: args.keep, ..Options::default() };
    let local = LocalAws::start(options).await.map_err(|error| failed("start the local AWS", &error))?;
    say(&format!("deploying template.yaml and examples/checkout to {}", local.endpoint()));
    let shifted_by = if args.codedeploy { ShiftedBy::CodeDeploy } else { ShiftedBy::Ripcord };
    let stage = Stage::set_for(shifted_by, &local, &workspace, &bootstrap).await;
    let stage = stage.map_err(|error| failed("set the stage", &error))?;
    let registration =
        stage.register(&workspace).await.map_err(|error| failed("register the example", &error))?;
    let publish = async |behaviour| {
        stage.publish(&local, behaviour).await.map_err(|error| failed("publish a version", &error))
    };

    let passed = match args.scenario.script() {
        None if args.codedeploy => {
            let outcomes = codedeploy::play(&local, &stage, &workspace, &registration).await?;
            tell(&outcomes, args)?;
            outcomes.passed
        }
        None => {
            let candidate = publish(BAD).await?;
            let summary = play(&local, &stage, candidate, &registration).await?;
            tell(&summary, args)?;
            summary.passed
        }
        // What answers the smoke test is real and good; what the simulated users meet is the script's.
        Some(script) => {
            let candidate = publish(Behaviour::default()).await?;
            let outcome = release::play(&local, &stage, candidate, &registration, &script).await?;
            tell(&outcome, args)?;
            outcome.passed
        }
    };
    if args.keep {
        // Users go on calling, so that what a person releases by hand can prove itself.
        stage.a_day_of_traffic(&local, release::REQUESTS_PER_MINUTE);
        let _users = local.simulate(SimulationOptions {
            requests_per_minute: release::REQUESTS_PER_MINUTE,
            ..SimulationOptions::new(SERVICE, "live")
        });
        // What CodeDeploy moves is released by `sam deploy`, and here only looked at.
        let release = if args.codedeploy {
            "doctor --account".to_owned()
        } else {
            let next = publish(Behaviour::default()).await?;
            format!("deploy checkout --version {next} --stages 10,50 --stage-duration 3m")
        };
        say(
            "the local AWS stays until Ctrl-C, and its users with it; in another terminal, from the same folder:",
        );
        for command in [release, "status".to_owned(), "evidence checkout".to_owned()] {
            say(&format!("  target/quick/ripcord --local {command}"));
        }
        std::future::pending::<()>().await;
    }
    Ok(if passed { ExitCode::Done } else { ExitCode::RollbackFailed })
}

/// Prints what was seen, and writes it where the caller wants it as data.
fn tell<S: std::fmt::Display + serde::Serialize>(summary: &S, args: &RehearseArgs) -> Result<(), Failure> {
    output::raw(&summary.to_string());
    let Some(path) = &args.summary_file else { return Ok(()) };
    let json = serde_json::to_string_pretty(summary).map_err(|error| failed("write the summary", &error))?;
    std::fs::write(path, json + "\n").map_err(|error| failed(&format!("write {}", path.display()), &error))
}

async fn play(
    local: &LocalAws,
    stage: &Stage,
    candidate: ripcord::names::Version,
    registration: &ripcord::registration::Registration,
) -> Result<Summary, Failure> {
    let traffic =
        local.traffic(TrafficOptions { rate_per_s: REQUESTS_PER_S, ..TrafficOptions::new(SERVICE, "live") });
    local.journal().clear();
    let counts = || traffic.counts();
    let mut timeline = Timeline::new(local, &counts, registration, Calls::All);
    output::raw(&timeline.headline());
    timeline.run_for(BASELINE).await;

    let stable = 1;
    output::raw(&format!(
        "{:>6}  {}",
        "",
        styled(NAME, format!("$ ripcord weights checkout {stable}:90,{candidate}:10"))
    ));
    stage
        .weights(local, &format!("{stable}:90,{candidate}:10"))
        .await
        .map_err(|error| failed("shift traffic", &error))?;

    let mut is_over = false;
    for _ in 0..ROLLBACK_WAIT_MAX.as_secs() {
        timeline.run_for(Duration::from_secs(1)).await;
        let record = stage.record().await.map_err(|error| failed("read the ledger", &error))?;
        let release = record.and_then(|record| record.release);
        is_over = release.is_some_and(|release| {
            release.phase == Phase::RolledBack && matches!(release.report, Report::Sent { .. })
        });
        if is_over {
            break;
        }
    }
    if is_over {
        timeline.run_for(AFTERMATH).await;
    }
    let record = stage.record().await.map_err(|error| failed("read the ledger", &error))?;
    Ok(Summary::of(local, &traffic.counts(), candidate, record))
}

/// The folder with the suite's template: a rehearsal needs the sources.
fn workspace() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| failed("find the current folder", &error))?;
    let found = here.ancestors().find(|folder| {
        folder.join("template.yaml").is_file() && folder.join("examples/checkout/template.yaml").is_file()
    });
    found.map(Path::to_owned).ok_or_else(|| {
        Failure::new(Kind::RehearsalMissing, "no Ripcord sources here or above, and a rehearsal deploys them")
            .hint("run it inside a clone of the repository")
    })
}

/// Builds the artefact beside the running command, with the profile that is quick to compile.
async fn build(workspace: &Path) -> Result<PathBuf, Failure> {
    say("building the functions (profile quick)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Named together with this command's package, the dependencies that both share are compiled once.
    let arguments = ["build", "--profile", "quick", "--package", "bootstrap", "--package", "ripcord-cli"];
    let built = tokio::process::Command::new(cargo)
        .args(arguments)
        .current_dir(workspace)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| failed("start cargo", &error))?;
    if !built.success() {
        return Err(Failure::new(
            Kind::Unexpected,
            format!("failed to build the functions: cargo ended with {built}"),
        ));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    Ok(target.join("quick").join("bootstrap"))
}

fn say(text: &str) {
    output::raw(&styled(FAINT, format!("· {text}")));
}

fn failed(what: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(Kind::Unexpected, format!("failed to {what}: {}", causes(error)))
}
