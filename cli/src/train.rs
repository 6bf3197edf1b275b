//! `ripcord train`: starts a release train, and waits for its end. What a wave proves is decided by its releases.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use ripcord::names::ServiceName;
use ripcord::release::Phase;
use ripcord::train::Train;
use serde::{Deserialize, Serialize};

use crate::args::Caller;
use crate::executions::{Execution, train_machine};
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};
use crate::output::{self, BAD, FAINT, GOOD, NAME, WARN, styled};
use crate::session::{Place, Session};

pub(crate) const EXAMPLES: &str = "\
FILE is JSON: {\"train\": \"checkout-7\", \"waves\": [[{\"service\": \"checkout-us\", \"version\": \"7\"}],
  [{\"service\": \"checkout-eu\", \"version\": \"7\"}, {\"service\": \"checkout-ap\", \"version\": \"7\"}]], \"on_failure\": \"wave\"}

Ends as the train does: 0 every wave complete, 6 brought back, 4 NOT all brought back.

Examples:
  ripcord train checkout-7.json
  ripcord train checkout-7.json --no-wait";

/// Which train.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The train: its name, its waves, and what goes back when one fails
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do not wait for the end
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    caller: Caller,
}

/// A train that runs, or has ended.
#[derive(Debug, Serialize)]
struct Report {
    train: String,
    execution: String,
    /// How the execution stands, in Step Functions' words.
    status: String,
    /// The error that it ended with, if it did not arrive.
    error: Option<String>,
    /// The wave that failed, counted from one.
    failed_wave: Option<u32>,
    /// What became of each service that was to be brought back.
    services: Vec<BroughtBack>,
    /// What else it said at its end.
    why: Option<String>,
}

/// What became of a service on the way back.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BroughtBack {
    service: ServiceName,
    /// `back`, `held` or `not back`.
    end: String,
    why: String,
}

/// What the state machine says at its end.
#[derive(Debug, Deserialize)]
struct Told {
    failed_wave: u32,
    services: Vec<BroughtBack>,
}

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A gap in AWS's answers that is longer than this ends the wait; the train goes on.
const UNREACHABLE_LOOKS_MAX: u32 = 30;

pub(crate) async fn run(args: &Args, place: &Place, json: bool) -> Result<ExitCode, Failure> {
    let mut train = read(&args.file)?;
    train.requested_by = train.requested_by.or_else(|| args.caller.name().map(str::to_owned));
    let session = Session::open(place).await?;
    session.check_aboard(&train).await?;
    let machine = train_machine(&session.home().await?, &session.project);
    let name = format!("{}-{}", train.train, Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ"));
    let execution = session.start(&machine, &name, &train).await?;
    if args.no_wait {
        return Ok(output::answer(&Report::started(&train, execution), json, ExitCode::Done));
    }
    if !json {
        output::raw(&Report::started(&train, execution.clone()).to_string());
    }
    let ended = tokio::select! {
        ended = session.until_ended(&train, &execution, json) => ended?,
        _ = tokio::signal::ctrl_c() => return Err(goes_on(&train, &execution)),
    };
    let report = Report::ended(&train, execution, ended);
    Ok(output::answer(&report, json, report.exit()))
}

/// Reads a train and checks it, before anything is asked of AWS.
fn read(file: &Path) -> Result<Train, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Kind::DocumentUnreadable, format!("failed to read {}: {error}", file.display()))
    })?;
    let invalid = |rules: String| {
        Failure::new(Kind::DocumentInvalid, format!("{} is not valid:{rules}", file.display()))
    };
    let train: Train = serde_json::from_str(&text).map_err(|error| invalid(format!("\n  {error}")))?;
    let violations = train.violations();
    if violations.is_empty() {
        return Ok(train);
    }
    Err(invalid(violations.iter().map(|violation| format!("\n  {violation}")).collect()))
}

impl Session {
    /// Refuses a train with a service that is not registered, or that somebody else is releasing: it would only find that out
    /// in the middle.
    async fn check_aboard(&self, train: &Train) -> Result<(), Failure> {
        let look = |service: &ServiceName| {
            let service = service.clone();
            async move { self.aws.ledger.service(&service).await.map(|record| (service, record)) }
        };
        for (service, record) in try_join_all(train.services().map(look)).await? {
            let record = record.ok_or_else(|| Failure::service_unknown(&service))?;
            if let Some(release) = record.release.filter(|release| release.phase == Phase::Shifting) {
                let message = format!("release {} of {service} is under way", release.generation);
                return Err(Failure::new(Kind::OtherRelease, message)
                    .hint(format!("ripcord watch {service} follows it; ripcord abort {service} ends it")));
            }
        }
        Ok(())
    }

    /// Waits for the end of a train, and shows how its services get on. Its execution has a timeout, so there is an end.
    async fn until_ended(&self, train: &Train, arn: &str, json: bool) -> Result<Execution, Failure> {
        let mut before = String::new();
        let mut unreachable = 0;
        loop {
            match self.execution(arn).await {
                Ok(execution) if !execution.is_running => return Ok(execution),
                Ok(_) => unreachable = 0,
                Err(failure) if unreachable >= UNREACHABLE_LOOKS_MAX => return Err(failure),
                Err(_) => unreachable += 1,
            }
            let now = self.progress(train).await;
            if !json && now != before {
                output::raw(&now);
                before = now;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// One line: how far each service is. What cannot be read is left out until it can be.
    async fn progress(&self, train: &Train) -> String {
        let records = join_all(train.services().map(|service| self.aws.ledger.service(service))).await;
        let releases = records.into_iter().filter_map(|record| record.ok()??.release);
        let words = releases.map(|release| format!("{} {}", release.service, release.phase));
        words.collect::<Vec<_>>().join(", ")
    }
}

fn goes_on(train: &Train, execution: &str) -> Failure {
    Failure::new(Kind::Interrupted, format!("train {} goes on ({execution})", train.train))
        .hint("ripcord list shows its releases; ripcord abort SERVICE ends one, and its wave with it")
}

impl Report {
    fn started(train: &Train, execution: String) -> Self {
        Self {
            train: train.train.clone(),
            execution,
            status: "RUNNING".to_owned(),
            error: None,
            failed_wave: None,
            services: Vec::new(),
            why: None,
        }
    }

    fn ended(train: &Train, arn: String, execution: Execution) -> Self {
        let Execution { status, why, .. } = execution;
        let (error, cause) = why.split_once(": ").unwrap_or((&why, ""));
        let told: Option<Told> = serde_json::from_str(cause).ok();
        let (failed_wave, services) =
            told.map_or((None, Vec::new()), |told| (Some(told.failed_wave), told.services));
        let why = (failed_wave.is_none() && !cause.is_empty()).then(|| cause.to_owned());
        let error = (!error.is_empty()).then(|| error.to_owned());
        Self { status, error, failed_wave, services, why, ..Self::started(train, arn) }
    }

    /// As a release that was watched ends; a train that was stopped has nobody who brings it back.
    fn exit(&self) -> ExitCode {
        match (self.status.as_str(), self.error.as_deref()) {
            ("SUCCEEDED", _) => ExitCode::Done,
            ("FAILED", Some("RolledBack")) => ExitCode::RolledBack,
            ("FAILED" | "TIMED_OUT" | "ABORTED", _) => ExitCode::RollbackFailed,
            _ => ExitCode::Unexpected,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (style, verdict) = match (self.exit(), self.failed_wave) {
            (ExitCode::Done, _) => (GOOD, "every wave is complete".to_owned()),
            (ExitCode::RolledBack, Some(wave)) => {
                (WARN, format!("wave {wave} failed, and what was to go back is back"))
            }
            (ExitCode::RollbackFailed, Some(wave)) => {
                (BAD, format!("wave {wave} failed, and NOT ALL IS BACK"))
            }
            (_, _) if self.status == "RUNNING" => (FAINT, format!("started ({})", self.execution)),
            (_, _) => (BAD, format!("{}: what it has released stays as it is", self.status)),
        };
        writeln!(f, "train {}: {}", styled(NAME, &self.train), styled(style, verdict))?;
        for BroughtBack { service, end, why } in &self.services {
            let style = if end == "back" { GOOD } else { BAD };
            writeln!(f, "  {}: {}", styled(NAME, service), styled(style, end))?;
            writeln!(f, "    {why}")?;
        }
        match &self.why {
            Some(why) => writeln!(f, "  {why}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: &str, why: &str) -> Report {
        let document = r#"{"train": "shop-7", "waves": [[{"service": "cart", "version": "7"}]]}"#;
        let train: Train = serde_json::from_str(document).expect("a train");
        let execution = Execution { is_running: false, status: status.to_owned(), why: why.to_owned() };
        Report::ended(&train, "arn:shop-7".to_owned(), execution)
    }

    fn text(report: &Report) -> String {
        anstream::adapter::strip_str(&report.to_string()).to_string()
    }

    #[test]
    fn a_train_ends_as_its_releases_do() {
        assert_eq!(ended("SUCCEEDED", "").exit(), ExitCode::Done);
        let back = r#"{"train":"shop-7","failed_wave":2,"services":[{"service":"cart","end":"back","why":"train shop-7 brings release 3 back"}]}"#;
        let report = ended("FAILED", &format!("RolledBack: {back}"));
        assert_eq!(report.exit(), ExitCode::RolledBack);
        insta::assert_snapshot!(text(&report), @r"
        train shop-7: wave 2 failed, and what was to go back is back
          cart: back
            train shop-7 brings release 3 back
        ");
        let held = back.replace(r#""back","#, r#""held","#);
        let report = ended("FAILED", &format!("ServiceHeld: {held}"));
        assert_eq!(report.exit(), ExitCode::RollbackFailed);
        assert!(text(&report).contains("NOT ALL IS BACK"), "{}", text(&report));
    }

    #[test]
    fn a_train_that_was_stopped_has_brought_nothing_back() {
        for status in ["ABORTED", "TIMED_OUT"] {
            let report = ended(status, "States.Timeout");
            assert_eq!(report.exit(), ExitCode::RollbackFailed);
            assert!(text(&report).contains("stays as it is"), "{}", text(&report));
        }
        assert_eq!(ended("FORGOTTEN", "").exit(), ExitCode::Unexpected);
    }
}
