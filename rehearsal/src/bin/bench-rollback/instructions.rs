//! Instructions from the start of a process to the end of its first event, counted by callgrind: the one measure that
//! does not depend on what else the machine does.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use ripcord_rehearsal::runtime_api::{FunctionProcess, FunctionSpec, InvocationOutcome};
use rustix::process::{Pid, Signal, kill_process};

use crate::scene::Scene;

/// An interpreter runs some fifty times slower under callgrind.
const DEADLINE: Duration = Duration::from_secs(180);

/// Counts once, without and with an event: initialisation alone, and with the first event.
pub(crate) async fn count(scene: &Scene, spec: &FunctionSpec, folder: &Path) -> anyhow::Result<(u64, u64)> {
    let initialisation = run(scene, spec, folder, false).await?;
    let with_event = run(scene, spec, folder, true).await?;
    Ok((initialisation, with_event))
}

async fn run(scene: &Scene, spec: &FunctionSpec, folder: &Path, event: bool) -> anyhow::Result<u64> {
    let mut under = FunctionSpec { program: "valgrind".into(), args: Vec::new(), ..spec.clone() };
    // Left behind for `callgrind_annotate`, one file per contender and kind of run.
    let until = if event { "event" } else { "ready" };
    let output = folder.join(format!("callgrind.{}.{until}.out", spec.handler));
    let output = format!("--callgrind-out-file={}", output.display());
    under = under.arg("--tool=callgrind").arg("--vgdb=no").arg(output).arg(&spec.program);
    under.args.extend(spec.args.iter().cloned());
    scene.reset();
    let mut process = FunctionProcess::spawn(&under).await?;
    if event {
        let outcome = process.invoke(scene.alarm(), DEADLINE).await;
        if !matches!(outcome, InvocationOutcome::Response(_)) || !scene.is_restored() {
            bail!("under valgrind the event ended with {outcome:?}");
        }
    } else if let Err(outcome) = process.ready(DEADLINE).await {
        bail!("under valgrind it did not start: {outcome:?}");
    }
    drop(scene.endpoint.take_log());
    // A polite end, so that callgrind can write down what it counted.
    let pid = Pid::from_raw(process.pid().try_into()?).context("it has no process id")?;
    kill_process(pid, Signal::TERM)?;
    tokio::time::timeout(DEADLINE, process.exited()).await.context("it did not end")?;
    process.kill().await;
    let lines = process.logs();
    let collected = lines.iter().find_map(|line| line.text.split("Collected :").nth(1));
    let collected = collected.with_context(|| format!("callgrind counted nothing: {lines:?}"))?;
    collected.trim().parse().with_context(|| format!("callgrind counted {collected:?}"))
}
