//! What is measured: one round takes every measure of one contender once, in the states in which a function meets
//! an alarm. Nothing here knows what language the contender is written in.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ripcord_rehearsal::runtime_api::{FunctionProcess, FunctionSpec, InvocationOutcome};
use ripcord_rehearsal::tls_endpoint::{RequestLog, SocketDeath};
use rustix::process::{Pid, Signal, kill_process};

use crate::cgroup::CpuQuota;
use crate::report::{Measure, Samples};
use crate::scene::Scene;

/// Far above everything that is measured, the slowest contender at 1/14 of a CPU included.
const DEADLINE: Duration = Duration::from_secs(30);
/// Before a connection can die in silence, the kernel has to have sent its last, delayed acknowledgement: one that
/// finds nobody would be answered with a reset at once.
const ACKNOWLEDGED_AFTER: Duration = Duration::from_millis(250);
/// Until every socket that was told to end has ended.
const SOCKETS_SETTLE: Duration = Duration::from_millis(30);
/// Events after the first, in the same process, per round.
const WARM_EVENTS: usize = 3;

/// Takes every measure of `spec` once.
pub(crate) async fn round(
    scene: &Scene,
    spec: &FunctionSpec,
    quotas: &[(Measure, CpuQuota)],
    samples: &mut Samples,
) -> anyhow::Result<()> {
    let connections_before = scene.endpoint.connections_opened();
    let mut process = FunctionProcess::spawn(spec).await?;
    let fresh = run_event(scene, &mut process, None).await?;
    let spawned_at = process.spawned_at();
    let ready_at = process.ready_at().context("it answered without asking for an event")?;
    let used = process.resource_use().context("it ended after its first event")?;
    samples.add_ms(Measure::Ready, ready_at - spawned_at);
    samples.add_ms(Measure::MitigatedFresh, fresh.mitigated_at - spawned_at);
    samples.add_ms(Measure::Cpu, Duration::from_micros(used.cpu_us));
    samples.add(Measure::RoundTripsFresh, count(fresh.depth_to_mitigation));
    let connections = scene.endpoint.connections_opened() - connections_before;
    samples.add(Measure::ConnectionsFresh, count(usize::try_from(connections)?));

    for _ in 0..WARM_EVENTS {
        let warm = run_event(scene, &mut process, None).await?;
        let took = warm.ended_at - warm.offered_at;
        samples.add_ms(Measure::Warm, took);
        samples.add_ms(Measure::WarmMitigated, warm.mitigated_at - warm.offered_at);
        samples.add_ms(Measure::WarmOwn, took.saturating_sub(warm.log.busy()));
        samples.add_ms(Measure::WarmWaiting, warm.log.busy());
        samples.add(Measure::RoundTripsWarm, count(warm.depth_to_mitigation));
        samples.add(Measure::RoundTripsWarmAll, count(warm.log.depth_max()));
    }

    for (measure, death) in [
        (Measure::MitigatedClosedSockets, SocketDeath::Orderly),
        (Measure::MitigatedDeadSockets, SocketDeath::Silent),
    ] {
        let woken = run_event(scene, &mut process, Some(death)).await?;
        samples.add_ms(measure, woken.mitigated_at - woken.offered_at);
    }
    let used = process.resource_use().context("it ended before its time")?;
    samples.add(Measure::RssPeak, count_kb(used.rss_peak_kb));
    process.kill().await;

    for (measure, quota) in quotas {
        let mut process = FunctionProcess::spawn(spec).await?;
        let ready_after = match process.ready(DEADLINE).await {
            Ok(after) => after,
            Err(outcome) => bail!("{} did not start: {outcome:?}", spec.program.display()),
        };
        quota.hold(process.pid())?;
        let held = run_event(scene, &mut process, None).await?;
        samples.add_ms(*measure, ready_after + (held.mitigated_at - held.offered_at));
        process.kill().await;
    }
    Ok(())
}

/// How one event went.
struct EventRun {
    offered_at: Instant,
    mitigated_at: Instant,
    ended_at: Instant,
    depth_to_mitigation: usize,
    log: RequestLog,
}

/// Lets the process put traffic back once, in a world where the release is fresh; with `asleep`, it was frozen
/// since its last event and its sockets have ended meanwhile.
async fn run_event(
    scene: &Scene,
    process: &mut FunctionProcess,
    asleep: Option<SocketDeath>,
) -> anyhow::Result<EventRun> {
    scene.reset();
    let event = scene.alarm();
    let mut offered_at = Instant::now();
    let outcome = match asleep {
        None => process.invoke(event, DEADLINE).await,
        Some(death) => {
            let pid = Pid::from_raw(process.pid().try_into()?).context("it has no process id")?;
            kill_process(pid, Signal::STOP)?;
            tokio::time::sleep(ACKNOWLEDGED_AFTER).await;
            let ended = scene.endpoint.end_connections(death);
            tokio::time::sleep(SOCKETS_SETTLE).await;
            // The event waits for the process when it wakes, as it does in Lambda.
            let (outcome, woken) = tokio::join!(process.invoke(event, DEADLINE), async {
                offered_at = Instant::now();
                kill_process(pid, Signal::CONT)
            });
            woken?;
            if ended? == 0 {
                bail!("the process kept no connection, so none could die");
            }
            outcome
        }
    };
    let log = scene.endpoint.take_log();
    let InvocationOutcome::Response(response) = outcome else {
        bail!("an event ended with {outcome:?}; asked: {}; {}", asked(&log), written(process));
    };
    let update = log.first("lambda:UpdateAlias");
    let Some(update) = update.filter(|_| scene.is_restored()) else {
        bail!("traffic is not back: {response}; asked: {}; {}", asked(&log), written(process));
    };
    let (mitigated_at, depth_to_mitigation) = (update.arrived_at, log.depth(update));
    let ended_at = process.times_last().context("no event has ended")?.ended_at;
    Ok(EventRun { offered_at, mitigated_at, ended_at, depth_to_mitigation, log })
}

fn asked(log: &RequestLog) -> String {
    let calls: Vec<_> = log.exchanges().iter().map(|exchange| exchange.describe()).collect();
    calls.join(", ")
}

fn written(process: &FunctionProcess) -> String {
    let lines: Vec<_> = process.logs().into_iter().map(|line| line.text).collect();
    format!("it wrote:\n{}", lines.join("\n"))
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn count_kb(kb: u64) -> f64 {
    f64::from(u32::try_from(kb).unwrap_or(u32::MAX)) / 1024.0
}
