//! One event, from being read to being answered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use ripcord::aws::{AlarmService, Aws, Interruption, LedgerError, Observed, console, observe_deployed, take};
use ripcord::decide::{Company, Course, Decision, Moment, decide, decide_failure_in_company, uneventful};
use ripcord::error_type::{ErrorType, Failure};
use ripcord::metrics::{Metric, emf_line};
use ripcord::names::{AlarmArn, DeploymentId, ServiceName};
use ripcord::plan::Step;
use ripcord::reason::Reason;
use ripcord::registration::Target;
use ripcord::signal::{Reading, Signal, read};
use ripcord::situation::Situation;
use serde::Serialize;
use serde_json::{Value, json};

mod alarm;
mod arrival;
mod deployment;

use arrival::answer_arrival;
use deployment::answer_deployment;

/// What pulling the cord needs.
#[derive(Debug)]
pub struct Pull {
    /// The clients.
    pub aws: Aws,
    /// The namespace of the metrics.
    pub namespace: String,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// What earlier events of this process taught about alarms.
    pub alarms: Alarms,
}

/// The services that alarms guard, as this process last saw them: a first guess that spares a round trip. The ledger is
/// asked all the same, while the guess is being followed.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<BTreeMap<AlarmArn, Vec<AlarmService>>>);

/// The answers to all records of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answers {
    /// One per record and service.
    pub answers: Vec<Answer>,
}

/// The answer to one signal for one service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// What was done, by a stable name: `restore`, `settle`, `hold`, `stand_down`, `foreign`, `unregistered`.
    pub outcome: String,
    /// The service, where there is one.
    pub service: Option<ServiceName>,
    /// Why, by a stable name.
    pub reason_kind: Option<String>,
    /// Why, in a sentence with its numbers.
    pub reason: String,
}

/// Whoever loses a race looks again. Every race that is lost is one that somebody else has won, so a few are enough.
const RACES_MAX: u32 = 8;
/// Two writers that keep meeting must not keep meeting.
const RACE_PAUSE: Duration = Duration::from_millis(15);

/// Answers an event. `deadline` is when Lambda will end the invocation.
pub async fn answer(event: &Value, deadline: Timestamp, pull: &Pull) -> Result<Answers, Failure> {
    let readings = read(event, (pull.clock)());
    let mut answers = Vec::new();
    let mut failures = Vec::new();
    let outcomes = readings.iter().zip(0..).map(|(reading, index)| {
        // A lease is known by its end. The same signal may come twice in one event, and only one may hold it.
        let lease_until = deadline.saturating_add(Duration::from_nanos(index)).unwrap_or(deadline);
        answer_reading(reading, lease_until, pull)
    });
    for outcome in join_all(outcomes).await {
        for answered in outcome {
            match answered {
                Ok(answer) => answers.push(answer),
                Err(failure) => failures.push(failure),
            }
        }
    }
    for answer in &answers {
        console::record("info", &answer.reason, json!(answer));
    }
    for failure in &failures {
        console::record("error", &failure.message, json!({ "error_type": failure.error_type }));
    }
    // The gravest failure names the invocation: the error types are listed gravest first.
    match failures.into_iter().min_by_key(|failure| failure.error_type) {
        Some(gravest) => Err(gravest),
        None => Ok(Answers { answers }),
    }
}

async fn answer_reading(
    reading: &Reading,
    lease_until: Timestamp,
    pull: &Pull,
) -> Vec<Result<Answer, Failure>> {
    let signal = match reading {
        Reading::Signal(signal) => signal,
        Reading::Foreign(what) => {
            return vec![Ok(Answer::plain("foreign", None, format!("{what} is no signal: nothing to do")))];
        }
        Reading::Unreadable(why) => return vec![Err(Failure::new(ErrorType::SignalUnreadable, why))],
    };
    match &**signal {
        Signal::Operator(command) => {
            let known = pull.alarms.targets_of(&command.service);
            vec![pull_cord(signal, &command.service, &known, lease_until, pull).await]
        }
        Signal::Pipeline(failure) => {
            let known = pull.alarms.targets_of(&failure.service);
            vec![pull_cord(signal, &failure.service, &known, lease_until, pull).await]
        }
        Signal::Deployment(change) => answer_deployment(signal, change, lease_until, pull).await,
        Signal::Arrival(arrival) => answer_arrival(arrival, lease_until, pull).await,
        Signal::Alarm(alarm) => {
            if let Some(reason) = uneventful(alarm) {
                return vec![Ok(Answer {
                    reason_kind: Some(reason.kind()),
                    ..Answer::plain("stand_down", None, reason.to_string())
                })];
            }
            alarm::answer_alarm(signal, alarm, lease_until, pull).await
        }
    }
}

/// Observe, decide, act, report; again after a lost race. For a service that a signal concerns alone.
async fn pull_cord(
    signal: &Signal,
    service: &ServiceName,
    known: &[Target],
    lease_until: Timestamp,
    pull: &Pull,
) -> Result<Answer, Failure> {
    let decide = |situation: &Situation, moment| decide(signal, situation, moment);
    let cord = Cord { signal, service, known, company: &Company::default(), lease_until };
    pull_cord_in_company(&cord, None, decide, pull).await
}

/// A cord that is pulled for one service.
struct Cord<'cord> {
    signal: &'cord Signal,
    service: &'cord ServiceName,
    /// What was known of its targets beforehand.
    known: &'cord [Target],
    company: &'cord Company,
    lease_until: Timestamp,
}

/// The same for a service that may have been `seen` beside others. After a lost race it is looked at alone.
async fn pull_cord_in_company(
    cord: &Cord<'_>,
    mut seen: Option<Box<Situation>>,
    decide: impl Fn(&Situation, Moment) -> Decision,
    pull: &Pull,
) -> Result<Answer, Failure> {
    let Cord { signal, service, known, lease_until, .. } = *cord;
    let is_seen_in_company = seen.is_some();
    let mut races = 0;
    let mut moved_at = None;
    let mut moved_because = None;
    loop {
        let observed = match seen.take() {
            Some(situation) => Ok(Observed::Service(situation)),
            None => observe_deployed(&pull.aws, service, known, asked_about(signal)).await,
        };
        let situation = match observed.map_err(|error| unreadable(&error))? {
            Observed::Service(situation) => situation,
            Observed::Unregistered => {
                let message = format!("service {service} is not registered");
                return Ok(Answer::plain("unregistered", Some(service), message));
            }
        };
        // Whoever is seen in company was asked already, and may be here for its group.
        if !is_seen_in_company && let Some(alarm) = no_longer_guarding(signal, &situation) {
            return Ok(Answer::stranger(alarm, service));
        }
        let moment = Moment { now: (pull.clock)(), lease_until };
        let decision = decide(&situation, moment);
        let taken = take(&pull.aws, &decision.steps, pull.clock).await;
        if taken.traffic_moved_at.is_some() {
            moved_at = taken.traffic_moved_at;
            moved_because = Some(decision.reason.clone());
        }
        let why = match taken.interruption {
            None if moved_at.is_some() && is_outrun(&decision) => {
                let why = "traffic had been put back just before: look whether the new release stands";
                return Err(Failure::new(
                    ErrorType::Contended,
                    format!("{service}: {}; {why}", decision.reason),
                ));
            }
            None => {
                return report(signal, service, credited(decision, moved_because), moved_at, pull);
            }
            Some(Interruption::Raced { .. }) if races + 1 < RACES_MAX => {
                races += 1;
                tokio::time::sleep(RACE_PAUSE * races).await;
                continue;
            }
            Some(Interruption::Raced { what }) => format!("lost {RACES_MAX} races, the last because {what}"),
            Some(Interruption::Pending { what }) => {
                let message = format!("{service}: {}; but {what}", decision.reason);
                return Err(Failure::new(ErrorType::RollbackUnderWay, message));
            }
            Some(Interruption::Failed { why }) => why,
        };
        let is_not_back = taken.traffic_failed || taken.traffic_moved_at.is_none();
        return Err(if is_not_back && moves_traffic(&decision) {
            let situation = look_once_more(signal, situation, &decision, known, pull).await;
            fail(cord, &situation, why, moment, pull).await
        } else {
            incomplete(service, &decision, &why)
        });
    }
}

/// The deployment whose state decides, besides the one that the ledger knows.
fn asked_about(signal: &Signal) -> Option<&DeploymentId> {
    match signal {
        Signal::Deployment(change) => Some(&change.deployment),
        Signal::Alarm(_) | Signal::Operator(_) | Signal::Pipeline(_) | Signal::Arrival(_) => None,
    }
}

/// A guess may be older than the registration, which has the last word on what guards a service.
fn no_longer_guarding<'signal>(signal: &'signal Signal, situation: &Situation) -> Option<&'signal AlarmArn> {
    match signal {
        Signal::Alarm(alarm) => {
            (!situation.record.registration.is_guarded_by(&alarm.alarm)).then_some(&alarm.alarm)
        }
        Signal::Operator(_) | Signal::Pipeline(_) | Signal::Deployment(_) | Signal::Arrival(_) => None,
    }
}

/// CodeDeploy's own event may close the books of what this invocation has moved. Whoever asked for it is told what was done,
/// and not that there was nothing left to do.
fn credited(decision: Decision, moved_because: Option<Reason>) -> Decision {
    match (decision.course, moved_because) {
        (Course::StandDown, Some(reason)) => Decision { course: Course::Restore, reason, ..decision },
        (_, _) => decision,
    }
}

/// Whether a release was opened between moving traffic for its predecessor and booking that: nobody else knows of it.
fn is_outrun(decision: &Decision) -> bool {
    matches!(decision.reason, Reason::SignalPredatesRelease { .. } | Reason::DrivesNoRelease { .. })
}

/// What the books of a failure are written over. A decision that claims before it moves traffic has written already, and of
/// several targets some may be back.
async fn look_once_more(
    signal: &Signal,
    seen: Box<Situation>,
    decision: &Decision,
    known: &[Target],
    pull: &Pull,
) -> Box<Situation> {
    let claims = |row: &Vec<Step>| row.iter().any(|step| matches!(step, Step::Write(_)));
    let moved = decision.steps.iter().flatten().filter(|step| step.moves_traffic()).count();
    if !decision.steps.first().is_some_and(claims) && moved < 2 {
        return seen;
    }
    let service = &seen.record.registration.service;
    match observe_deployed(&pull.aws, service, known, asked_about(signal)).await {
        Ok(Observed::Service(situation)) => situation,
        Ok(Observed::Unregistered) | Err(_) => seen,
    }
}

fn moves_traffic(decision: &Decision) -> bool {
    decision.steps.iter().flatten().any(Step::moves_traffic)
}

/// Counts what was done, and names it.
fn report(
    signal: &Signal,
    service: &ServiceName,
    decision: Decision,
    moved_at: Option<Timestamp>,
    pull: &Pull,
) -> Result<Answer, Failure> {
    let mut metrics = decision.metrics;
    // The way back of a release is counted from its record, by release-recorder.
    if let Some(moved_at) = moved_at.filter(|_| metrics.contains(&Metric::RollbackCount)) {
        let elapsed = moved_at.duration_since(signal.raised_at());
        metrics.push(Metric::RollbackTimeMinutes(elapsed.as_secs_f64() / 60.0));
    }
    if !metrics.is_empty() {
        console::line(&emf_line(&pull.namespace, service, &metrics, (pull.clock)()));
    }
    let outcome = match decision.course {
        Course::Restore => "restore",
        Course::Settle => "settle",
        Course::Hold => "hold",
        Course::StandDown => "stand_down",
        // Its steps are the page and the record; the outcome stays a failure.
        Course::Stuck => {
            return Err(Failure::new(ErrorType::RollbackFailed, format!("{service}: {}", decision.reason)));
        }
    };
    Ok(Answer {
        outcome: outcome.to_owned(),
        service: Some(service.clone()),
        reason_kind: Some(decision.reason.kind()),
        reason: decision.reason.to_string(),
    })
}

/// The loudest outcome: the page and the record are tried whatever became of the other.
async fn fail(cord: &Cord<'_>, situation: &Situation, why: String, moment: Moment, pull: &Pull) -> Failure {
    let service = &situation.record.registration.service;
    let decision = decide_failure_in_company(cord.signal, situation, why, moment, cord.company);
    let taken = take(&pull.aws, &decision.steps, pull.clock).await;
    console::line(&emf_line(&pull.namespace, service, &decision.metrics, (pull.clock)()));
    let and = taken
        .interruption
        .map(|interruption| format!("; and telling so: {interruption}"))
        .unwrap_or_default();
    Failure::new(ErrorType::RollbackFailed, format!("{service}: {}{and}", decision.reason))
}

/// Traffic is where it should be; the retry that this failure causes finishes the rest.
fn incomplete(service: &ServiceName, decision: &Decision, why: &str) -> Failure {
    let error_type = match decision.course {
        Course::Restore | Course::Settle | Course::Hold | Course::StandDown => ErrorType::ReportIncomplete,
        Course::Stuck => ErrorType::RollbackFailed,
    };
    Failure::new(error_type, format!("{service}: {}; but then {why}", decision.reason))
}

fn unreadable(error: &LedgerError) -> Failure {
    Failure::new(ErrorType::LedgerUnreadable, error)
}

impl Answer {
    /// Whether the ledger says something else after it.
    fn changes_the_books(&self) -> bool {
        matches!(self.outcome.as_str(), "restore" | "settle")
    }

    fn stranger(alarm: &AlarmArn, service: &ServiceName) -> Self {
        let message = format!("alarm {alarm} no longer guards service {service}");
        Self::plain("unregistered", Some(service), message)
    }

    fn plain(outcome: &str, service: Option<&ServiceName>, reason: String) -> Self {
        Self { outcome: outcome.to_owned(), service: service.cloned(), reason_kind: None, reason }
    }
}

impl Alarms {
    fn guess(&self, alarm: &AlarmArn) -> Vec<AlarmService> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(alarm).cloned().unwrap_or_default()
    }

    fn learn(&self, alarm: AlarmArn, found: &[AlarmService]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(alarm, found.to_vec());
    }

    fn targets_of(&self, service: &ServiceName) -> Vec<Target> {
        let alarms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = alarms.values().flatten().find(|known| known.service == *service);
        known.map(|known| known.targets.clone()).unwrap_or_default()
    }
}
