//! `ripcord rollback`: pulls the cord through `alarm-rollback`, and then looks whether traffic is back.

use std::collections::BTreeMap;
use std::fmt;

use ripcord::names::{Generation, GroupName, ServiceName, TargetName, Version};
use ripcord::release::{Phase, Release};
use ripcord::situation::Situation;
use ripcord::traffic::Traffic;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::args::Caller;
use crate::exit_code::ExitCode;
use crate::failure::{Asked, Failure, Kind};
use crate::function::Function;
use crate::output::{BAD, GOOD, NAME, WARN, styled};
use crate::session::{Place, Session};

mod group;

use group::GroupRollback;

pub(crate) const EXAMPLES: &str = "\
Without --to, traffic goes back to the release's stable version; with nothing released, to the last known good one.

Examples:
  ripcord rollback checkout --reason 'customers report 500s'
  ripcord rollback checkout --to 3
  ripcord rollback --group shop --reason 'orders fail'     every service of the group, all at once
  ripcord plan checkout                 look first: prints the calls, makes none";

/// What to put back.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service
    #[arg(required_unless_present = "group")]
    service: Option<ServiceName>,
    /// All services of a group instead, all at once
    #[arg(long, value_name = "NAME", conflicts_with_all = ["service", "to"])]
    group: Option<GroupName>,
    /// The version to go back to; only for a service with one target
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    /// Why, for the record and the notice
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    caller: Caller,
}

/// A cord to pull: one service's.
#[derive(Clone, Debug)]
pub(crate) struct Cord {
    service: ServiceName,
    to: Option<Version>,
    reason: Option<String>,
    caller: Caller,
    /// Only this release, and only while it is under way; what `ripcord abort` means.
    release: Option<Generation>,
}

/// What became of the command.
#[derive(Debug, Serialize)]
pub(crate) struct Rollback {
    service: ServiceName,
    outcome: String,
    reason_kind: Option<String>,
    reason: String,
    /// How the release stands now.
    phase: Option<Phase>,
    /// What each target serves now; nothing where that could not be seen.
    serving: BTreeMap<TargetName, Option<Traffic>>,
    /// Why it could not be looked at afterwards.
    unseen_because: Option<String>,
}

/// What `alarm-rollback` answers. It may say more.
#[derive(Debug, Deserialize)]
struct Answers {
    answers: Vec<Answer>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    outcome: String,
    reason_kind: Option<String>,
    reason: String,
}

/// What became of a command for one service, or for a group.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Report {
    One(Box<Rollback>),
    Group(GroupRollback),
}

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Report, Failure> {
    let session = Session::open(place).await?;
    match (&args.service, &args.group) {
        (Some(service), _) => {
            let rollback = session.pull_the_cord(&Cord::new(args, service)).await?;
            Ok(Report::One(Box::new(rollback)))
        }
        (None, Some(group)) => Ok(Report::Group(session.pull_together(args, group).await?)),
        // Not reached: one of the two is required.
        (None, None) => Err(Failure::new(Kind::Usage, "name a service or a group")),
    }
}

impl Report {
    pub(crate) fn exit(&self) -> ExitCode {
        match self {
            Self::One(rollback) => rollback.exit(),
            Self::Group(rollback) => rollback.exit(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(rollback) => rollback.fmt(f),
            Self::Group(rollback) => rollback.fmt(f),
        }
    }
}

impl Cord {
    fn new(args: &Args, service: &ServiceName) -> Self {
        let Args { to, reason, caller, .. } = args;
        let (service, to) = (service.clone(), *to);
        Self { service, to, reason: reason.clone(), caller: caller.clone(), release: None }
    }

    /// To put whatever is latest back.
    pub(crate) fn latest(service: &ServiceName, reason: Option<String>, caller: Caller) -> Self {
        Self { service: service.clone(), to: None, reason, caller, release: None }
    }

    /// To put a release back that is under way, and nothing else.
    pub(crate) fn of(release: &Release, reason: String, caller: Caller) -> Self {
        let (service, release) = (release.service.clone(), Some(release.generation));
        Self { service, to: None, reason: Some(reason), caller, release }
    }
}

impl Session {
    /// Puts traffic back, and looks whether it is.
    pub(crate) async fn pull_the_cord(&self, args: &Cord) -> Result<Rollback, Failure> {
        let asked = self.ask(Function::AlarmRollback, &event(args)).await;
        let answer = read(asked.map_err(|failure| explain(args, failure))?)?;
        if answer.outcome == "unregistered" {
            return Err(Failure::service_unknown(&args.service));
        }
        Ok(Rollback::after(&args.service, answer, self.observe(&args.service).await))
    }

    /// Looks whether traffic is back, after somebody else was to put it there.
    pub(crate) async fn look_back(&self, service: &ServiceName, reason: &str) -> Rollback {
        Rollback::seen(service, reason, self.observe(service).await)
    }
}

/// The command as `alarm-rollback` reads it. Fields that are not given are left out; so is the time, because the function
/// takes that of its arrival, and a wrong clock at the operator's desk must not make a command look older than a release.
fn event(args: &Cord) -> Value {
    let fields = [
        ("command", Some(json!("rollback"))),
        ("service", Some(json!(args.service))),
        ("release", args.release.map(|release| json!(release))),
        ("to", args.to.map(|version| json!(version))),
        ("reason", args.reason.as_ref().map(|reason| json!(reason))),
        ("requested_by", args.caller.name().map(|name| json!(name))),
    ];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<String, Value>>())
}

fn read(answer: Value) -> Result<Answer, Failure> {
    let unlike = |why: String| Failure::of_function(Asked::Rollback, "AnswerUnreadable", why);
    let answers: Answers = serde_json::from_value(answer)
        .map_err(|error| unlike(format!("the answer of alarm-rollback is of another form: {error}")))?;
    let first = answers.answers.into_iter().next();
    first.ok_or_else(|| unlike("alarm-rollback answered nothing".to_owned()))
}

/// What to do by hand, where the function could not do it.
fn explain(args: &Cord, failure: Failure) -> Failure {
    let service = &args.service;
    if failure.kind == "ReportIncomplete" {
        let message = format!("traffic is back, but not all of it is recorded and told: {}", failure.message);
        return Failure { message, ..failure }.hint("the same command again completes the record");
    }
    if failure.kind == "RollbackUnderWay" {
        return failure.hint(format!(
            "AWS is at it: the same command again looks whether it has arrived, and so does ripcord status {service}"
        ));
    }
    match failure.exit {
        ExitCode::RollbackFailed => failure.hint(format!(
            "look with: ripcord status {service}; ripcord plan {service} prints the calls to make by hand"
        )),
        ExitCode::Done
        | ExitCode::Unexpected
        | ExitCode::Usage
        | ExitCode::Refused
        | ExitCode::Unreachable
        | ExitCode::RolledBack => failure,
    }
}

impl Rollback {
    /// What became of a release that was to go back, as far as the ledger says.
    fn seen(service: &ServiceName, reason: &str, seen: Result<Situation, Failure>) -> Self {
        let phase = seen.as_ref().ok().and_then(|seen| Some(seen.record.release.as_ref()?.phase));
        let outcome = match phase {
            Some(Phase::RolledBack | Phase::Withdrawn | Phase::RollbackFailed) | None => "restore",
            Some(Phase::Held) => "hold",
            Some(Phase::Shifting | Phase::Complete) => "stand_down",
        };
        let answer = Answer { outcome: outcome.to_owned(), reason_kind: None, reason: reason.to_owned() };
        Self::after(service, answer, seen)
    }

    fn after(service: &ServiceName, answer: Answer, seen: Result<Situation, Failure>) -> Self {
        let (phase, serving, unseen_because) = match seen {
            Ok(Situation { record, live, .. }) => {
                let serving = live.into_iter().map(|(target, sighting)| (target, sighting.traffic()));
                (record.release.map(|release| release.phase), serving.collect(), None)
            }
            Err(failure) => (None, BTreeMap::new(), Some(failure.message)),
        };
        let Answer { outcome, reason_kind, reason } = answer;
        Self { service: service.clone(), outcome, reason_kind, reason, phase, serving, unseen_because }
    }

    /// Done only if traffic is back. What the ledger says afterwards counts more than what was answered.
    pub(crate) fn exit(&self) -> ExitCode {
        match self.phase {
            Some(Phase::RollbackFailed) => ExitCode::RollbackFailed,
            Some(Phase::Held) => ExitCode::Refused,
            Some(Phase::Shifting | Phase::Complete | Phase::RolledBack | Phase::Withdrawn) | None => {
                self.exit_of_outcome()
            }
        }
    }

    fn exit_of_outcome(&self) -> ExitCode {
        let is_back_already = matches!(
            self.reason_kind.as_deref(),
            Some("already_serving" | "already_rolled_back" | "reported_by_another")
        );
        match self.outcome.as_str() {
            "restore" | "settle" => ExitCode::Done,
            "stand_down" if is_back_already => ExitCode::Done,
            "stand_down" | "hold" => ExitCode::Refused,
            _ => ExitCode::Unexpected,
        }
    }
}

impl fmt::Display for Rollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.exit(), self.outcome.as_str()) {
            (ExitCode::Done, _) if self.phase == Some(Phase::Withdrawn) => {
                styled(GOOD, "withdrawn, it never had traffic")
            }
            (ExitCode::Done, "restore") => styled(GOOD, "traffic is back"),
            (ExitCode::Done, _) => styled(GOOD, "traffic was back already"),
            (ExitCode::RollbackFailed, _) => styled(BAD, "TRAFFIC IS NOT BACK"),
            (_, "hold") => styled(BAD, "held, traffic was left alone"),
            (_, _) => styled(WARN, "nothing was done"),
        };
        writeln!(f, "{}: {verdict}", styled(NAME, &self.service))?;
        writeln!(f, "  {}", self.reason)?;
        for (target, serving) in &self.serving {
            match serving {
                Some(traffic) => writeln!(f, "  {target} serves {traffic}")?,
                None => writeln!(f, "  {target} {}", styled(WARN, "could not be seen"))?,
            }
        }
        if let Some(why) = &self.unseen_because {
            writeln!(f, "  {} {why}", styled(WARN, "could not look afterwards:"))?;
        }
        Ok(())
    }
}

/// A rollback for tests: everything of `checkout` is on version 1 again.
#[cfg(test)]
pub(crate) fn example(reason: &str) -> Rollback {
    let mut seen = crate::status::example::shifting();
    seen.record.release.as_mut().expect("a release").phase = Phase::RolledBack;
    for sighting in seen.live.values_mut() {
        let ripcord::situation::Sighting::Alias(live) = sighting else { unreachable!() };
        live.traffic = crate::status::example::traffic("1:100");
    }
    Rollback::seen(&seen.record.registration.service.clone(), reason, Ok(seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::example;
    use clap::Parser;
    use jiff::Timestamp;
    use ripcord::signal::{Reading, Signal, read as read_signal};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn cord(args: &Args) -> Cord {
        Cord::new(args, args.service.as_ref().expect("a service"))
    }

    fn answer(outcome: &str, reason_kind: Option<&str>) -> Answer {
        Answer {
            outcome: outcome.to_owned(),
            reason_kind: reason_kind.map(str::to_owned),
            reason: "because".to_owned(),
        }
    }

    #[track_caller]
    fn check(outcome: &str, reason_kind: Option<&str>, phase: Phase, expected: ExitCode) {
        let mut seen = example::shifting();
        seen.record.release.as_mut().expect("a release").phase = phase;
        let service = seen.record.registration.service.clone();
        let rollback = Rollback::after(&service, answer(outcome, reason_kind), Ok(seen));
        assert_eq!(rollback.exit(), expected, "{rollback}");
    }

    #[test]
    fn only_traffic_that_is_back_counts_as_done() {
        check("restore", Some("operator_asked"), Phase::RolledBack, ExitCode::Done);
        check("settle", Some("operator_asked"), Phase::RolledBack, ExitCode::Done);
        check("stand_down", Some("already_serving"), Phase::RolledBack, ExitCode::Done);
        check("stand_down", Some("reported_by_another"), Phase::RolledBack, ExitCode::Done);
        check("stand_down", Some("reported_by_another"), Phase::Held, ExitCode::Refused);
        check("stand_down", Some("nothing_known_good"), Phase::Complete, ExitCode::Refused);
        check("stand_down", None, Phase::Complete, ExitCode::Refused);
        check("settle", Some("report_unfinished"), Phase::Held, ExitCode::Refused);
        check("hold", Some("past_barrier"), Phase::Held, ExitCode::Refused);
        check("settle", Some("report_unfinished"), Phase::RollbackFailed, ExitCode::RollbackFailed);
        check("danced", None, Phase::Complete, ExitCode::Unexpected);
    }

    #[test]
    fn what_somebody_else_was_to_put_back_is_judged_by_the_ledger() {
        let seen = |phase| {
            let mut situation = example::shifting();
            situation.record.release.as_mut().expect("a release").phase = phase;
            let service = situation.record.registration.service.clone();
            let rollback = Rollback::seen(&service, "because", Ok(situation));
            let text = anstream::adapter::strip_str(&rollback.to_string()).to_string();
            (rollback.exit(), text.lines().next().unwrap_or_default().to_owned())
        };
        let told = |exit, text: &str| (exit, format!("checkout: {text}"));
        assert_eq!(seen(Phase::RolledBack), told(ExitCode::Done, "traffic is back"));
        assert_eq!(seen(Phase::Withdrawn), told(ExitCode::Done, "withdrawn, it never had traffic"));
        assert_eq!(seen(Phase::Held), told(ExitCode::Refused, "held, traffic was left alone"));
        assert_eq!(seen(Phase::RollbackFailed), told(ExitCode::RollbackFailed, "TRAFFIC IS NOT BACK"));
        assert_eq!(seen(Phase::Complete), told(ExitCode::Refused, "nothing was done"));
    }

    #[test]
    fn a_look_that_fails_afterwards_does_not_undo_the_answer() {
        let service = "checkout".parse().expect("a name");
        let unseen = Err(Failure::new(Kind::AwsCallFailed, "throttled"));
        let rollback = Rollback::after(&service, answer("restore", Some("operator_asked")), unseen);
        assert_eq!(rollback.exit(), ExitCode::Done);
        let text = anstream::adapter::strip_str(&rollback.to_string()).to_string();
        insta::assert_snapshot!(text, @r"
        checkout: traffic is back
          because
          could not look afterwards: throttled
        ");
    }

    #[test]
    fn what_is_asked_is_what_the_function_reads() {
        let words = ["rollback", "checkout", "--to", "3", "--reason", "it burns", "--as", "alice"];
        let now: Timestamp = "2026-03-02T12:00:00.5Z".parse().expect("a time");
        let readings = read_signal(&event(&cord(&Line::parse_from(words).args)), now);
        let [Reading::Signal(signal)] = readings.as_slice() else { unreachable!("{readings:?}") };
        let Signal::Operator(command) = &**signal else { unreachable!("{signal:?}") };
        assert_eq!(command.to.map(|to| to.to_string()).as_deref(), Some("3"));
        assert_eq!(command.why.as_deref(), Some("it burns"));
        assert_eq!((command.requested_by.as_deref(), command.requested_at), (Some("alice"), now));
    }

    #[test]
    fn a_rollback_whose_record_lags_is_not_called_failed() {
        let args = cord(&Line::parse_from(["rollback", "checkout"]).args);
        let failure =
            explain(&args, Failure::of_function(Asked::Rollback, "ReportIncomplete", "the topic is gone"));
        assert_eq!(failure.exit, ExitCode::Unexpected);
        assert!(failure.message.starts_with("traffic is back"), "{}", failure.message);
    }
}
