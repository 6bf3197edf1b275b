//! `cargo bench-rollback`: the shipped `alarm-rollback` against handlers in Python and Node that make the same calls.
//!
//! All of them run in the same host, speak to the same TLS endpoints with answers after a fixed time, and take turns
//! in one run, so that whatever else the machine does meets all alike. It reports, and asserts nothing about time.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command: its table is its product")]

mod cgroup;
mod contenders;
mod instructions;
mod measure;
mod report;
mod scene;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::cgroup::CpuQuota;
use crate::contenders::{Artefact, Contender, Folders};
use crate::report::{Measure, Report, Samples};
use crate::scene::Scene;

/// Seven to nine seconds per round, so that a run stays under five minutes.
const ITERATIONS_DEFAULT: usize = 30;
const ANSWER_DELAY: Duration = Duration::from_millis(5);
const USAGE: &str = "usage: cargo bench-rollback [--iterations N] [--json FILE] [--skip-build | --artefact FILE] \
                     [--skip-instructions]";

#[derive(Debug)]
struct Options {
    iterations: usize,
    json: Option<PathBuf>,
    artefact: Artefact,
    instructions: bool,
    words: Vec<String>,
}

impl Options {
    fn parse(words: Vec<String>) -> anyhow::Result<Self> {
        let mut options = Self {
            iterations: ITERATIONS_DEFAULT,
            json: None,
            artefact: Artefact::Build,
            instructions: true,
            words,
        };
        let mut words = options.words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--iterations" => {
                    let number =
                        words.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                    options.iterations =
                        number.with_context(|| format!("--iterations needs a number\n{USAGE}"))?;
                }
                "--json" => options.json = Some(words.next().context(USAGE)?.into()),
                "--skip-build" => options.artefact = Artefact::AsBuilt,
                "--artefact" => options.artefact = Artefact::File(words.next().context(USAGE)?.into()),
                "--skip-instructions" => options.instructions = false,
                other => bail!("{other:?} is no option\n{USAGE}"),
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args().skip(1).collect())?;
    let folders = Folders::find()?;
    eprintln!("Building the contenders …");
    let mut contenders = vec![
        contenders::ripcord(&folders, &options.artefact)?,
        contenders::boto3(&folders)?,
        contenders::node(&folders)?,
    ];
    let scene = Scene::prepare(&folders).await?;
    for contender in &mut contenders {
        contender.spec.env.extend(scene.env());
    }
    scene.endpoint.set_answer_delay(ANSWER_DELAY);

    let mut absent = Vec::new();
    let quotas = quotas(&mut absent);
    let mut samples = vec![Samples::default(); contenders.len()];
    let started_at = Instant::now();
    // The first round fills the page cache and writes compiled bytecode; it counts for nobody.
    for round in 0..=options.iterations {
        for turn in 0..contenders.len() {
            // Nobody always runs after the same neighbour's heat.
            let index = (round + turn) % contenders.len();
            let mut taken = Samples::default();
            let contender = &contenders[index];
            measure::round(&scene, &contender.spec, &quotas, &mut taken)
                .await
                .with_context(|| format!("failed to measure {}", contender.name))?;
            if round > 0 {
                samples[index].merge(taken);
            }
        }
        eprint!(
            "\rRound {round} of {} after {:.0} s ",
            options.iterations,
            started_at.elapsed().as_secs_f64()
        );
    }
    eprintln!();
    for (contender, samples) in contenders.iter().zip(&mut samples) {
        samples.add(Measure::Zip, contender.zip_mb);
        if options.instructions {
            count_instructions(&scene, &folders, contender, samples, &mut absent).await;
        }
    }

    let names = contenders.iter().map(|contender| contender.name.clone());
    let report = Report {
        contenders: names.zip(samples).collect(),
        circumstances: circumstances(&options, started_at.elapsed()),
        absent,
    };
    println!("{}", report.markdown());
    if let Some(file) = options.json {
        std::fs::write(&file, serde_json::to_vec_pretty(&report.json())?)
            .with_context(|| format!("failed to write {}", file.display()))?;
    }
    Ok(())
}

fn quotas(absent: &mut Vec<String>) -> Vec<(Measure, CpuQuota)> {
    let mut quotas = Vec::new();
    for (measure, period_us) in [(Measure::MitigatedHeld100, 100_000), (Measure::MitigatedHeld20, 20_000)] {
        match CpuQuota::new(period_us) {
            Ok(quota) => quotas.push((measure, quota)),
            Err(error) => absent.push(format!("{}: {error:#}", measure.label())),
        }
    }
    quotas
}

async fn count_instructions(
    scene: &Scene,
    folders: &Folders,
    contender: &Contender,
    samples: &mut Samples,
    absent: &mut Vec<String>,
) {
    eprintln!("Counting the instructions of {} …", contender.name);
    match instructions::count(scene, &contender.spec, &folders.made).await {
        Ok((init, with_event)) => {
            samples.add(Measure::InstructionsInit, millions(init));
            samples.add(Measure::InstructionsEvent, millions(with_event));
        }
        Err(error) => absent.push(format!("instructions of {}: {error:#}", contender.name)),
    }
}

fn millions(count: u64) -> f64 {
    // Thousands fit into 32 bits up to four trillion instructions, and are exact as a float.
    f64::from(u32::try_from(count / 1_000).unwrap_or(u32::MAX)) / 1_000.0
}

fn circumstances(options: &Options, took: Duration) -> Vec<String> {
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu_info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu_info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let loads = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = loads.split(' ').nth(1).unwrap_or_default();
    vec![
        format!("Command: `{}`", ["cargo bench-rollback", &options.words.join(" ")].join(" ").trim_end()),
        format!(
            "Machine: {cpus} cores, {model}, Linux {}; load over the last five minutes: {load}",
            kernel.trim()
        ),
        format!(
            "Rounds: {}, interleaved, after one that does not count; {:.0} s",
            options.iterations,
            took.as_secs_f64()
        ),
        format!(
            "Answers after {} ms over TLS 1.3 on loopback; \"to mitigation\" ends when `UpdateAlias` arrives",
            ANSWER_DELAY.as_millis()
        ),
    ]
}
