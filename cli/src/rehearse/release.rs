//! A release that the state machine drives, on the local AWS: the functions and the machine are the real ones, a minute of
//! the plan lasts a second, and the users are simulated.

use std::fmt;
use std::time::{Duration, Instant};

use ripcord::finding::{Finding, Found};
use ripcord::names::{ServiceName, Version};
use ripcord::registration::Registration;
use ripcord::release::{Phase, Release, Report};
use ripcord_rehearsal::LocalAws;
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::checkout::{SERVICE, Stage};
use ripcord_rehearsal::executions::ExecutionStatus;
use ripcord_rehearsal::front::journal::JournalEntry;
use ripcord_rehearsal::traffic::TrafficCounts;
use ripcord_rehearsal::traffic::simulated::{SimulatedBehaviour, Simulation, SimulationOptions};
use serde::Serialize;
use serde_json::json;

use super::failed;
use super::scenario::{Mishap, Script};
use super::timeline::{Calls, Timeline};
use crate::failure::Failure;
use crate::output::{self, BAD, FAINT, GOOD, NAME, styled};

/// Quiet before the release, so that alarms and metrics have seen health.
const BASELINE: Duration = Duration::from_secs(4);
/// The longest script takes a fifth of it.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(150);
const LOOK_EVERY: Duration = Duration::from_millis(500);
pub(super) const REQUESTS_PER_MINUTE: f64 = 6_000.0;

/// The outcome of a rehearsed release. The names of its fields are stable.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    /// Whether it ended as it must, people were told, and traffic is where it belongs.
    pub(super) passed: bool,
    phase: Option<Phase>,
    reason: Option<String>,
    stages_begun: usize,
    traffic_changes: usize,
    candidate_requests: u64,
    candidate_errors: u64,
    /// From the release's first traffic to its end, in minutes of the plan.
    minutes: Option<f64>,
    simulated: Vec<&'static str>,
}

pub(super) async fn play(
    local: &LocalAws,
    stage: &Stage,
    candidate: Version,
    registration: &Registration,
    script: &Script,
) -> Result<Outcome, Failure> {
    stage.a_day_of_traffic(local, REQUESTS_PER_MINUTE);
    if script.mishap == Mishap::LateMetrics {
        local.metrics().delay_all(local.minute() * 3);
    }
    if script.mishap == Mishap::BrokenValidator {
        let broken = stage.break_function(local, "stage-validator").await;
        broken.map_err(|error| failed("break the function that judges", &error))?;
    }
    let stable = SimulatedBehaviour { error_rate: 0.001, ..SimulatedBehaviour::default() };
    let traffic = local.simulate(
        SimulationOptions {
            requests_per_minute: script.requests_per_minute,
            ..SimulationOptions::new(SERVICE, "live")
        }
        .version("1", stable)
        .version(candidate.to_string(), script.candidate),
    );
    local.journal().clear();
    let counts = || traffic.counts();
    let mut timeline = Timeline::new(local, &counts, registration, Calls::ThatMatter);
    output::raw(&timeline.headline());
    timeline.run_for(BASELINE).await;
    output::raw(&format!("{:>6}  {}", "", styled(NAME, format!("$ {}", script.command))));
    let input = json!({
        "service": SERVICE, "version": candidate.to_string(), "requested_by": "rehearsal", "progress": script.progress,
    });
    let execution =
        stage.start_release(local, &input).await.map_err(|error| failed("start the release", &error))?;

    let mut teller = Teller::default();
    let mut flaps = 0;
    let deadline = Instant::now() + RELEASE_WAIT_MAX;
    loop {
        timeline.run_for(LOOK_EVERY).await;
        let (release, findings) = look(stage).await?;
        teller.tell(&timeline, release.as_ref(), &findings);
        if script.mishap == Mishap::FlappingAlarm && teller.stages > 0 && flaps < 4 {
            let state = if flaps % 2 == 0 { AlarmState::Alarm } else { AlarmState::Ok };
            flap(local, state);
            flaps += 1;
        }
        let execution = stage.execution(local, &execution).await;
        let execution = execution.map_err(|error| failed("look at the execution", &error))?;
        let is_told = release.as_ref().is_some_and(|release| {
            release.phase == Phase::Complete || matches!(release.report, Report::Sent { .. })
        });
        let is_over = execution.status != ExecutionStatus::Running && is_told;
        if is_over || Instant::now() > deadline {
            return Ok(Outcome::of(local, &traffic, candidate, release, script));
        }
    }
}

/// Sets the guard's state as a person or a flapping metric would.
fn flap(local: &LocalAws, state: AlarmState) {
    // An alarm that is not there would show in the timeline, and the scenario would fail.
    let _ = local.alarms().set_state("checkout-error-rate", state, "the rehearsal says so");
}

async fn look(stage: &Stage) -> Result<(Option<Release>, Vec<Finding>), Failure> {
    let record = stage.record().await.map_err(|error| failed("read the ledger", &error))?;
    let Some(release) = record.and_then(|record| record.release) else { return Ok((None, Vec::new())) };
    let service: ServiceName = release.service.clone();
    let findings = stage.aws.ledger.findings(&service, release.generation).await;
    Ok((Some(release), findings.map_err(|error| failed("read the ledger", &error))?))
}

/// Says what is new about the release, once.
#[derive(Default)]
struct Teller {
    checks: usize,
    stages: usize,
    verdict: String,
    awaiting: bool,
    ended: bool,
}

impl Teller {
    fn tell(&mut self, timeline: &Timeline<'_>, release: Option<&Release>, findings: &[Finding]) {
        for finding in findings {
            match &finding.found {
                Found::Before(checks) if self.checks == 0 => {
                    self.checks = checks.len();
                    timeline.note(&format!("{} checks before traffic moves", checks.len()));
                }
                Found::Stage(look) if look.stage + 1 == self.stages => {
                    let score = look.judgement.score.map_or("-".to_owned(), |score| score.to_string());
                    let verdict = format!(
                        "stage {}: {}, health {score}: {}",
                        look.stage + 1,
                        look.judgement.verdict,
                        look.onward.reason
                    );
                    if verdict != self.verdict {
                        timeline.note(&verdict);
                        self.verdict = verdict;
                    }
                }
                Found::Before(_) | Found::After(_) | Found::Stage(_) | Found::Hook(_) => {}
            }
        }
        let Some(release) = release else { return };
        let run = release.run.as_ref();
        self.stages = run.map_or(0, |run| run.reached.len());
        let awaiting = run.is_some_and(|run| run.awaiting.is_some());
        if awaiting && !self.awaiting {
            timeline.note("waiting for a person: ripcord approve checkout");
        }
        self.awaiting = awaiting;
        if let Some(because) = release.ended_because.as_ref().filter(|_| !self.ended) {
            self.ended = true;
            timeline.note(&format!("release {} is {}: {because}", release.generation, release.phase));
        }
    }
}

impl Outcome {
    fn of(
        local: &LocalAws,
        traffic: &Simulation,
        candidate: Version,
        release: Option<Release>,
        script: &Script,
    ) -> Self {
        let counts: TrafficCounts = traffic.counts();
        let of_candidate = counts.versions.get(&candidate.to_string()).copied().unwrap_or_default();
        let changes = local.journal().matching(JournalEntry::changed_an_alias);
        let wanted = if script.end == Phase::Complete { candidate.to_string() } else { "1".to_owned() };
        let serves_it = changes
            .last()
            .and_then(|call| call.change.as_ref())
            .is_some_and(|change| change.after.version == wanted && change.after.weights.is_empty());
        let reason = release.as_ref().and_then(|release| release.ended_because.clone());
        let phase = release.as_ref().map(|release| release.phase);
        let span = release.as_ref().and_then(|release| Some((release.traffic_at?, release.ended_at?)));
        Self {
            passed: phase == Some(script.end)
                && reason.as_ref().is_some_and(|reason| reason.contains(script.because))
                && serves_it,
            phase,
            reason,
            stages_begun: release.and_then(|release| release.run).map_or(0, |run| run.reached.len()),
            traffic_changes: changes.len(),
            candidate_requests: of_candidate.invocations,
            candidate_errors: of_candidate.errors,
            minutes: span
                .map(|(from, to)| to.duration_since(from).as_secs_f64() / local.minute().as_secs_f64()),
            simulated: vec![
                "AWS itself: ministack, with an alarm evaluator and metrics of our own",
                "a minute of the plan, and of CloudWatch, lasts a second",
                "the users: requests are drawn, not served, and their metrics published as Lambda would",
            ],
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict =
            if self.passed { styled(GOOD, "as it should be") } else { styled(BAD, "NOT as it should be") };
        let phase = self.phase.map_or("nothing was released".to_owned(), |phase| phase.to_string());
        writeln!(f, "\n{} {phase}, {verdict}", styled(NAME, "Summary:"))?;
        writeln!(f, "  why                  {}", self.reason.as_deref().unwrap_or("-"))?;
        writeln!(f, "  stages begun         {}", self.stages_begun)?;
        writeln!(f, "  traffic changes      {}", self.traffic_changes)?;
        let minutes = self.minutes.map_or("-".to_owned(), |minutes| format!("{minutes:.1}"));
        writeln!(f, "  minutes with traffic {minutes}")?;
        writeln!(
            f,
            "  the new version      served {} requests and failed {}",
            self.candidate_requests, self.candidate_errors
        )?;
        write!(
            f,
            "  simulated            {}",
            styled(FAINT, self.simulated.join("\n                       "))
        )
    }
}
