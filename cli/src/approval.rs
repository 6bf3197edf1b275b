//! `ripcord approve` and `ripcord reject`: a person's answer to a release that waits. What follows from it is the state
//! machine's business; a rejection is waited for until traffic is back.

use std::fmt;
use std::time::Duration;

use ripcord::names::{Generation, ServiceName};
use ripcord::pipeline::{Awaiting, Run};
use ripcord::release::{Phase, Release};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Caller;
use crate::executions::Verdict;
use crate::failure::{Failure, Kind};
use crate::output::{GOOD, NAME, styled};
use crate::release_name::ReleaseName;
use crate::rollback::Rollback;
use crate::session::{Place, Session};
use crate::watch::{Screen, Which};

pub(crate) const APPROVE_EXAMPLES: &str = "\
Examples:
  ripcord approve checkout
  ripcord approve checkout#4      only if release 4 is the one that waits";

pub(crate) const REJECT_EXAMPLES: &str = "\
Examples:
  ripcord reject checkout --reason 'support sees odd totals'";

/// What to approve.
#[derive(Debug, clap::Args)]
pub(crate) struct Approve {
    /// The service, and perhaps the release's number
    #[arg(value_name = "SERVICE[#RELEASE]")]
    release: ReleaseName,
    #[command(flatten)]
    caller: Caller,
}

/// What to reject.
#[derive(Debug, clap::Args)]
pub(crate) struct Reject {
    /// The service, and perhaps the release's number
    #[arg(value_name = "SERVICE[#RELEASE]")]
    release: ReleaseName,
    /// Why, for the record and the notice
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    caller: Caller,
}

/// An approval that was taken.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Approved {
    service: ServiceName,
    release: Generation,
    /// The stage that begins, counted from 1; nothing if the release completes.
    stage: Option<usize>,
    approved_by: String,
    #[serde(skip)]
    next: String,
}

/// After a rejection the state machine has one call to make; with all its retries that takes three minutes.
const BACK_WITHIN: Duration = Duration::from_secs(300);

pub(crate) async fn approve(args: &Approve, place: &Place) -> Result<Approved, Failure> {
    let by = who(&args.caller)?;
    let session = Session::open(place).await?;
    let release = session.latest(&args.release).await?;
    let (run, asked) = question(&release)?;
    session.answer(asked, &Verdict::Approved(approval(by))).await?;
    Ok(Approved::of(&release, run, asked, by))
}

pub(crate) async fn reject(args: &Reject, place: &Place) -> Result<Rollback, Failure> {
    let by = who(&args.caller)?;
    let session = Session::open(place).await?;
    let release = session.latest(&args.release).await?;
    let (_, asked) = question(&release)?;
    let why = format!("rejected by {by}: {}", args.reason);
    session.answer(asked, &Verdict::Rejected(why.clone())).await?;

    let (service, generation) = (&release.service, release.generation);
    let which = Which::Release(generation);
    let mut screen = Screen::Silent;
    let ended = session.follow(service, &which, &mut screen);
    match tokio::time::timeout(BACK_WITHIN, ended).await {
        Ok(ended) => {
            let view = ended?;
            Ok(session.look_back(service, view.ended_because.as_deref().unwrap_or(&why)).await)
        }
        Err(_) => {
            let waited = BACK_WITHIN.as_secs();
            let message =
                format!("release {generation} of {service} was rejected, and is not back after {waited} s");
            Err(Failure::new(Kind::NotBack, message)
                .hint(format!("put traffic back with: ripcord abort {service} --reason 'rejected'")))
        }
    }
}

/// An approval without a name is none: the ledger keeps who gave it.
fn who(caller: &Caller) -> Result<&str, Failure> {
    caller.name().ok_or_else(|| {
        Failure::new(Kind::Usage, "an answer needs a name, and USER is not set")
            .hint("say who you are: --as NAME")
    })
}

/// What the next task of the state machine gets.
fn approval(by: &str) -> Value {
    json!({ "approved_by": by })
}

/// The question that is open.
fn question(release: &Release) -> Result<(&Run, &Awaiting), Failure> {
    let (service, generation) = (&release.service, release.generation);
    let nothing = |why: String| {
        let message = format!("nothing of {service} waits for an answer: {why}");
        Err(Failure::new(Kind::NothingAwaiting, message).hint(format!("look with: ripcord watch {service}")))
    };
    match release.phase {
        Phase::Shifting => {}
        Phase::Complete | Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn => {
            return nothing(format!("release {generation} is {}", release.phase));
        }
    }
    let Some(run) = release.run.as_deref() else {
        return nothing(format!("release {generation} is moved by hand"));
    };
    match &run.awaiting {
        Some(asked) => Ok((run, asked)),
        None => {
            let (begun, stages) = (run.reached.len(), run.strategy.stages.len());
            nothing(format!("release {generation} is under way, with {begun} of its {stages} stages begun"))
        }
    }
}

impl Session {
    /// The latest release of a service, which must be the one that is meant.
    pub(crate) async fn latest(&self, name: &ReleaseName) -> Result<Release, Failure> {
        let record = self.aws.ledger.service(&name.service).await?;
        let record = record.ok_or_else(|| Failure::service_unknown(&name.service))?;
        name.latest(&record).cloned()
    }
}

impl Approved {
    fn of(release: &Release, run: &Run, asked: &Awaiting, by: &str) -> Self {
        let planned = run.strategy.stages.get(asked.stage);
        let next = match planned {
            Some(planned) => format!("stage {} at {} begins", asked.stage + 1, planned.weight),
            None => "it is checked once more, and completes".to_owned(),
        };
        Self {
            service: release.service.clone(),
            release: release.generation,
            stage: planned.map(|_| asked.stage + 1),
            approved_by: by.to_owned(),
            next,
        }
    }
}

impl fmt::Display for Approved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, release, approved_by, next, .. } = self;
        let approved = styled(GOOD, format!("approved by {approved_by}"));
        writeln!(f, "{} #{release}: {approved}, {next}", styled(NAME, service))?;
        writeln!(f, "  ripcord watch {service}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use crate::watch::example;

    fn asking(stage: usize) -> Release {
        let mut release = example::release();
        release.run.as_mut().expect("a run").awaiting = Some(Awaiting {
            stage,
            token: "token".to_owned(),
            since: example::now(),
            until: example::at("2026-03-02T16:17:10Z"),
            why: "proved".to_owned(),
        });
        release
    }

    #[track_caller]
    fn refuse(release: &Release, message: &str) {
        let failure = question(release).expect_err("nothing waits");
        assert_eq!((failure.kind.as_str(), failure.exit), ("nothing_awaiting", ExitCode::Refused));
        assert_eq!(failure.message, format!("nothing of checkout waits for an answer: {message}"));
    }

    #[test]
    fn only_a_release_that_waits_can_be_answered() {
        assert!(question(&asking(2)).is_ok());
        refuse(&example::release(), "release 4 is under way, with 2 of its 4 stages begun");
        refuse(&Release { run: None, ..example::release() }, "release 4 is moved by hand");
        refuse(&Release { phase: Phase::RolledBack, ..asking(2) }, "release 4 is rolled back");
        refuse(&Release { phase: Phase::Complete, ..asking(2) }, "release 4 is complete");
    }

    #[test]
    fn an_approval_says_what_begins() {
        let told = |stage| {
            let release = asking(stage);
            let (run, asked) = question(&release).expect("it waits");
            let approved = Approved::of(&release, run, asked, "ada");
            (approved.stage, anstream::adapter::strip_str(&approved.to_string()).to_string())
        };
        let watch = "  ripcord watch checkout\n";
        assert_eq!(
            told(2),
            (Some(3), format!("checkout #4: approved by ada, stage 3 at 50% begins\n{watch}"))
        );
        let last = format!("checkout #4: approved by ada, it is checked once more, and completes\n{watch}");
        assert_eq!(told(4), (None, last));
    }

    #[test]
    fn the_state_machine_finds_the_name_where_it_looks_for_it() {
        let machine = include_str!("../../statemachines/progressive-release.asl.json");
        assert!(machine.contains(r#""ResultPath": "$.approval""#));
        assert!(machine.contains(r#""approved_by.$": "$.approval.approved_by""#));
        assert_eq!(approval("ada"), json!({ "approved_by": "ada" }));
    }
}
