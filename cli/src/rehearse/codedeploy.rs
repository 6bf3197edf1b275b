//! Releases by CodeDeploy, on the local AWS: `sam deploy` of the example again and again, with a good version and with bad
//! ones. CodeDeploy shifts the alias, the suite's real hooks check, and its real functions keep the books and put back.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use ripcord::names::Generation;
use ripcord::registration::Registration;
use ripcord::release::{Phase, Release, Report};
use ripcord_rehearsal::LocalAws;
use ripcord_rehearsal::checkout::{SERVICE, Stage, kill_checks, redeploy};
use ripcord_rehearsal::codedeploy::{Deployment, EventStatus, LifecycleEventName};
use ripcord_rehearsal::front::journal::{AliasRouting, JournalEntry};
use ripcord_rehearsal::traffic::simulated::{SimulatedBehaviour, SimulationOptions};
use serde::Serialize;

use super::failed;
use super::timeline::{Calls, Timeline};
use crate::failure::Failure;
use crate::output::{self, BAD, FAINT, GOOD, NAME, styled};

/// Quiet before each deployment, so that alarms and metrics have seen health.
const BASELINE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest act takes a third of it.
const ACT_WAIT_MAX: Duration = Duration::from_secs(90);
/// How long a hook may keep CodeDeploy waiting before CodeDeploy gives the deployment up.
const HOOK_MINUTES_MAX: f64 = 60.0;
/// More versions than an act can publish.
const VERSIONS_AHEAD: u64 = 5;

/// One deployment, and how it must end.
struct Act {
    title: &'static str,
    /// What the stack is deployed with.
    parameters: &'static [(&'static str, &'static str)],
    /// How the new version serves its users.
    candidate: SimulatedBehaviour,
    /// Whether what the hook runs its checks in is killed.
    kills_checks: bool,
    end: Phase,
    /// What the ledger must say of why.
    because: &'static str,
    /// Whether the new version may have had traffic.
    shifts: bool,
}

fn acts() -> [Act; 4] {
    let healthy = SimulatedBehaviour { error_rate: 0.001, ..SimulatedBehaviour::default() };
    [
        Act {
            title: "a good version",
            parameters: &[("LatencyMs", "6")],
            candidate: healthy,
            kills_checks: false,
            end: Phase::Complete,
            because: "succeeded",
            shifts: true,
        },
        Act {
            title: "a version that fails its smoke test",
            parameters: &[("LatencyMs", "6"), ("SmokeAnswer", "declined")],
            candidate: healthy,
            kills_checks: false,
            end: Phase::Withdrawn,
            because: "smoke",
            shifts: false,
        },
        Act {
            title: "a version that fails its users",
            parameters: &[("LatencyMs", "7")],
            candidate: SimulatedBehaviour { error_rate: 0.4, ..healthy },
            kills_checks: false,
            end: Phase::RolledBack,
            because: "checkout-error-rate",
            shifts: true,
        },
        Act {
            title: "a hook whose checks are killed while they run",
            parameters: &[("LatencyMs", "3000")],
            candidate: healthy,
            kills_checks: true,
            end: Phase::Withdrawn,
            because: "died",
            shifts: false,
        },
    ]
}

/// The outcome of the acts. The names of its fields are stable.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcomes {
    /// Whether every deployment ended as it must, was told, and left traffic where it belongs.
    pub(super) passed: bool,
    acts: Vec<Outcome>,
    simulated: Vec<&'static str>,
}

/// The outcome of one act.
#[derive(Clone, Debug, Serialize)]
struct Outcome {
    title: &'static str,
    passed: bool,
    phase: Option<Phase>,
    reason: Option<String>,
    /// The deployment's lifecycle events, with how they ended.
    events: Vec<String>,
    traffic_changes: usize,
    serving: Option<AliasRouting>,
    /// The longest that a hook kept CodeDeploy waiting, in minutes of the plan.
    hook_minutes_max: f64,
}

pub(super) async fn play(
    local: &LocalAws,
    stage: &Stage,
    workspace: &Path,
    registration: &Registration,
) -> Result<Outcomes, Failure> {
    stage.a_day_of_traffic(local, super::release::REQUESTS_PER_MINUTE);
    let mut outcomes = Vec::new();
    for act in acts() {
        outcomes.push(play_one(local, stage, workspace, registration, &act).await?);
    }
    Ok(Outcomes {
        passed: outcomes.iter().all(|outcome| outcome.passed),
        acts: outcomes,
        simulated: vec![
            "AWS itself: ministack, with a CodeDeploy, an alarm evaluator and metrics of our own",
            "a minute of the plan, of CodeDeploy and of CloudWatch lasts a second",
            "the users: requests are drawn, not served, and their metrics published as Lambda would",
        ],
    })
}

async fn play_one(
    local: &LocalAws,
    stage: &Stage,
    workspace: &Path,
    registration: &Registration,
    act: &Act,
) -> Result<Outcome, Failure> {
    let before = latest(stage).await?.map_or(Generation(0), |release| release.generation);
    let stable = serving(stage, registration).await?;
    let healthy = SimulatedBehaviour { error_rate: 0.001, ..SimulatedBehaviour::default() };
    let options = SimulationOptions {
        requests_per_minute: super::release::REQUESTS_PER_MINUTE,
        ..SimulationOptions::new(SERVICE, "live")
    };
    let ahead = (1..=VERSIONS_AHEAD).map(|ahead| stable + ahead);
    let options = ahead.fold(options.version(stable.to_string(), healthy), |options, version| {
        options.version(version.to_string(), act.candidate)
    });
    let traffic = local.simulate(options);
    local.journal().clear();
    let counts = || traffic.counts();
    let mut timeline = Timeline::new(local, &counts, registration, Calls::ThatMatter);
    output::raw(&format!("\n{}", styled(NAME, act.title)));
    output::raw(timeline.headline().trim_start());
    timeline.run_for(BASELINE).await;
    let overrides: Vec<String> =
        act.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let command =
        format!("$ sam deploy --template codedeploy.yaml --parameter-overrides {}", overrides.join(" "));
    output::raw(&format!("{:>6}  {}", "", styled(NAME, command)));

    let deploy = redeploy(local, workspace, act.parameters);
    let mut deploy = std::pin::pin!(deploy);
    let mut is_deployed = false;
    let mut told = Vec::new();
    for deployment in local.codedeploy().deployments() {
        told.extend(ended_events(&deployment).iter().map(|event| line_of(&deployment, event)));
    }
    let deadline = Instant::now() + ACT_WAIT_MAX;
    loop {
        tokio::select! {
            // A deployment that fails has its stack rolled back, which is how half of the acts end.
            _ = &mut deploy, if !is_deployed => is_deployed = true,
            () = timeline.run_for(LOOK_EVERY) => {}
        }
        if act.kills_checks && kill_checks(local) > 0 {
            timeline.note("the process in which the hook checks was killed");
        }
        tell(local, &timeline, &mut told);
        let release = latest(stage).await?.filter(|release| release.generation > before);
        let is_over = is_deployed && release.as_ref().is_some_and(is_told);
        if is_over || Instant::now() > deadline {
            return Ok(Outcome::of(local, act, stable, release));
        }
    }
}

fn is_told(release: &Release) -> bool {
    release.phase == Phase::Complete || matches!(release.report, Report::Sent { .. })
}

async fn latest(stage: &Stage) -> Result<Option<Release>, Failure> {
    let record = stage.record().await.map_err(|error| failed("read the ledger", &error))?;
    Ok(record.and_then(|record| record.release))
}

/// The version that has all traffic before an act.
async fn serving(stage: &Stage, registration: &Registration) -> Result<u64, Failure> {
    let record = stage.record().await.map_err(|error| failed("read the ledger", &error))?;
    let mut good = record.into_iter().flat_map(|record| record.known_good);
    let target = registration.targets.first().map(|target| target.name.clone());
    let good = good.rfind(|good| Some(&good.target) == target.as_ref());
    Ok(good.and_then(|good| good.version.to_string().parse().ok()).unwrap_or(1))
}

/// Says of every lifecycle event how it ended, once.
fn tell(local: &LocalAws, timeline: &Timeline<'_>, told: &mut Vec<String>) {
    for deployment in local.codedeploy().deployments() {
        for event in ended_events(&deployment) {
            let line = line_of(&deployment, &event);
            if !told.contains(&line) {
                timeline.note(&line);
                told.push(line);
            }
        }
    }
}

fn line_of(deployment: &Deployment, event: &str) -> String {
    format!("CodeDeploy {}: {event}", deployment.id)
}

fn ended_events(deployment: &Deployment) -> Vec<String> {
    let ended = deployment.events.iter().filter(|event| event.ended.is_some());
    ended
        .map(|event| format!("{} {}", event.name.as_str(), format!("{:?}", event.status).to_lowercase()))
        .collect()
}

impl Outcome {
    fn of(local: &LocalAws, act: &Act, stable: u64, release: Option<Release>) -> Self {
        let deployments = local.codedeploy().deployments();
        let ours = release
            .as_ref()
            .and_then(|release| release.deployment.as_deref())
            .and_then(|ours| deployments.iter().find(|deployment| deployment.id == ours.id.as_str()));
        let changes = local.journal().matching(JournalEntry::changed_an_alias);
        let serving = changes.last().and_then(|call| call.change.as_ref()).map(|change| change.after.clone());
        let phase = release.as_ref().map(|release| release.phase);
        let reason = release.as_ref().and_then(|release| release.ended_because.clone());
        let candidate = release.as_ref().and_then(|release| release.changes.first()).map(|it| it.candidate);
        let wanted = if act.end == Phase::Complete {
            candidate.map(|candidate| candidate.to_string())
        } else {
            Some(stable.to_string())
        };
        let serves_it = match &serving {
            None => !act.shifts,
            Some(serving) => Some(&serving.version) == wanted.as_ref() && serving.weights.is_empty(),
        };
        let hook_minutes_max = ours.map_or(0.0, |ours| longest_hook(ours, local.minute()));
        let shifted = ours.is_some_and(|ours| {
            ours.event(LifecycleEventName::AllowTraffic).is_some_and(|it| it != EventStatus::Pending)
                && !changes.is_empty()
        });
        Self {
            title: act.title,
            passed: phase == Some(act.end)
                && reason.as_ref().is_some_and(|reason| reason.contains(act.because))
                && serves_it
                && shifted == act.shifts
                && hook_minutes_max < HOOK_MINUTES_MAX,
            phase,
            reason,
            events: ours.map(ended_events).unwrap_or_default(),
            traffic_changes: changes.len(),
            serving,
            hook_minutes_max,
        }
    }
}

/// The longest that a lifecycle event with a hook lasted, in minutes of the plan.
fn longest_hook(deployment: &Deployment, minute: Duration) -> f64 {
    let hooks = [LifecycleEventName::BeforeAllowTraffic, LifecycleEventName::AfterAllowTraffic];
    let spans = deployment.events.iter().filter(|event| hooks.contains(&event.name));
    let seconds = spans.filter_map(|event| Some(event.ended?.duration_since(event.started?).as_secs_f64()));
    seconds.fold(0.0, f64::max) / minute.as_secs_f64()
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed {
            styled(GOOD, "as they should be")
        } else {
            styled(BAD, "NOT as they should be")
        };
        writeln!(f, "\n{} {} deployments, {verdict}", styled(NAME, "Summary:"), self.acts.len())?;
        for act in &self.acts {
            let mark = if act.passed { styled(GOOD, "✓") } else { styled(BAD, "✗") };
            let phase = act.phase.map_or("nothing was released".to_owned(), |phase| phase.to_string());
            writeln!(f, "{mark} {}: {phase}", styled(NAME, act.title))?;
            writeln!(f, "    why              {}", act.reason.as_deref().unwrap_or("-"))?;
            writeln!(f, "    CodeDeploy       {}", act.events.join(", "))?;
            writeln!(f, "    traffic changes  {}", act.traffic_changes)?;
            writeln!(
                f,
                "    longest hook     {:.1} of CodeDeploy's {HOOK_MINUTES_MAX} minutes",
                act.hook_minutes_max
            )?;
        }
        write!(f, "  simulated  {}", styled(FAINT, self.simulated.join("\n             ")))
    }
}
