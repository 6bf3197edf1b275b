//! `cargo bench-flags`: how many requests the shipped `flag-evaluator` answers on one core, and how long each waits.
//!
//! The artefact runs behind the local Runtime API, pinned to one core, and is given its flags by the local AppConfig. Requests
//! come over HTTP connections that are kept alive, and are turned into API Gateway's events by a host on another core. It
//! reports, and asserts nothing about time.
#![expect(clippy::print_stdout, reason = "it is a command: its table is its product")]

mod document;
mod gateway;
mod load;
mod source;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use ripcord_rehearsal::runtime_api::{FunctionProcess, FunctionSpec};
use ripcord_rehearsal::{LocalAws, Options as LocalOptions};

use crate::gateway::Gateway;
use crate::load::{Ask, Load, Measured};

const USAGE: &str =
    "usage: cargo bench-flags [--requests N] [--connections N] [--skip-build | --artefact FILE]";
const REQUESTS_DEFAULT: usize = 20_000;
const CONNECTIONS_DEFAULT: usize = 4;
/// Starts of a process, of which the median is told.
const STARTS: usize = 15;
const READY_WAIT_MAX: Duration = Duration::from_secs(20);
/// The function's core, and that of everything else.
const CORES: (&str, &str) = ("1", "0");

struct Options {
    requests: usize,
    connections: usize,
    artefact: Option<PathBuf>,
    is_built: bool,
}

impl Options {
    fn parse(words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            requests: REQUESTS_DEFAULT,
            connections: CONNECTIONS_DEFAULT,
            artefact: None,
            is_built: false,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut number = || {
                let number = words.next().and_then(|number| number.parse().ok());
                number.filter(|number| *number > 0).with_context(|| format!("{word} needs a number\n{USAGE}"))
            };
            match word.as_str() {
                "--requests" => options.requests = number()?,
                "--connections" => options.connections = number()?,
                "--skip-build" => options.is_built = true,
                "--artefact" => options.artefact = Some(words.next().context(USAGE)?.into()),
                other => bail!("{other:?} is no option\n{USAGE}"),
            }
        }
        Ok(options)
    }

    fn artefact(&self, root: &Path) -> anyhow::Result<PathBuf> {
        if let Some(file) = &self.artefact {
            return Ok(file.clone());
        }
        if !self.is_built {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let build = ["build", "--release", "--package", "bootstrap"];
            let status = Command::new(cargo).args(build).current_dir(root).status()?;
            anyhow::ensure!(status.success(), "the artefact could not be built");
        }
        Ok(root.join("target/release/bootstrap"))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package lies in no workspace")?;
    let artefact = options.artefact(root)?;
    anyhow::ensure!(artefact.exists(), "{} is not built", artefact.display());
    let is_pinned = pin_everything_else();
    let local = LocalAws::start(LocalOptions::default()).await?;
    let flags = source::prepare(&local).await?;
    let spec = |arn: &str| spec(&artefact, &local, arn, is_pinned);

    let small = flags.deploy(&local, &document::of(1, 0)).await?;
    println!("| start | document | median ms |\n|---|---|---|");
    println!("| process until ready | 1 flag | {:.1} |", started_in(&spec(&small)).await?);
    let text = document::of(1_000, 1 << 20);
    let large = flags.deploy(&local, &text).await?;
    let (kilobytes, ready) = (text.len() / 1024, started_in(&spec(&large)).await?);
    println!("| process until ready | 1,000 flags, {kilobytes} KB | {ready:.1} |\n");

    println!("| asked | requests | connections | requests/s | p50 ms | p99 ms | max ms | CPU µs a request |");
    println!("|---|---|---|---|---|---|---|---|");
    let event = std::fs::read_to_string(root.join("events/flags/evaluate.json"))?;
    for ask in [Ask::One, Ask::Batch, Ask::List, Ask::Unchanged] {
        for connections in [1, options.connections] {
            let process = FunctionProcess::spawn(&spec(&large)).await?;
            let gateway = Gateway::start(process, serde_json::from_str(&event)?).await?;
            // What the first requests touch for the first time counts for nobody.
            let load = Load { ask, connections, requests: options.requests / 20 + 1 };
            load.run(&gateway).await?;
            let requests = if ask.is_large() { options.requests / 20 + 1 } else { options.requests };
            let measured = Load { ask, connections, requests }.run(&gateway).await?;
            report(ask, connections, &measured);
        }
    }
    println!("\n{}", circumstances(is_pinned));
    Ok(())
}

fn spec(artefact: &Path, local: &LocalAws, arn: &str, is_pinned: bool) -> FunctionSpec {
    let program = artefact.to_path_buf();
    let spec = if is_pinned {
        FunctionSpec::new("taskset", "flag-evaluator").arg("-c").arg(CORES.0).arg(program)
    } else {
        FunctionSpec::new(program, "flag-evaluator")
    };
    spec.env("AWS_ENDPOINT_URL", local.endpoint())
        // The local AWS takes twelve digits for another account.
        .env("AWS_ACCESS_KEY_ID", "FN.bench-flag-evaluator")
        .env("RIPCORD_TABLE", "none")
        .env("RIPCORD_TOPIC_ARN", "none")
        .env("RIPCORD_NAMESPACE", "bench/Deployments")
        .env("RIPCORD_FLAGS", arn)
        .env("RIPCORD_FLAGS_POLL_SECONDS", "15")
}

/// The function has a core of its own if there are two; whoever asks it has the rest.
fn pin_everything_else() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-a", "-c", "-p", CORES.1, &pid]).output();
    cores > 1 && pinned.is_ok_and(|output| output.status.success())
}

/// The median over fresh processes, from spawn until the first event is asked for; by then the document is loaded.
async fn started_in(spec: &FunctionSpec) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let mut process = FunctionProcess::spawn(spec).await?;
        let ready = process.ready(READY_WAIT_MAX).await;
        times.push(ready.map_err(|outcome| anyhow::anyhow!("it did not start: {outcome:?}"))?);
    }
    times.sort_unstable();
    Ok(times.get(STARTS / 2).map_or(0.0, |time| time.as_secs_f64() * 1_000.0))
}

fn report(ask: Ask, connections: usize, measured: &Measured) {
    println!(
        "| {} | {} | {connections} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} |",
        ask.label(),
        measured.latencies.len(),
        measured.per_second(),
        measured.percentile_ms(50),
        measured.percentile_ms(99),
        measured.percentile_ms(100),
        measured.cpu_us_per_request,
    );
}

fn circumstances(is_pinned: bool) -> String {
    let cpu_info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu_info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let loads = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let pinned =
        if is_pinned { "on a core of its own" } else { "not pinned: taskset or a second core is missing" };
    format!(
        "Machine:{}; load {}; the function {pinned}",
        model.trim_start_matches(['\t', ' ', ':']).trim_end(),
        loads.split(' ').next().unwrap_or_default(),
    )
    .replace("Machine:", "Machine: ")
}
