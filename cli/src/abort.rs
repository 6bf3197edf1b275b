//! `ripcord abort`: ends a release that is under way. Traffic goes back first, by the function that alarms use; then the
//! execution that drives the release must not run any more.

use std::fmt;

use ripcord::release::{Phase, Release};
use serde::Serialize;

use crate::args::Caller;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};
use crate::output::{WARN, styled};
use crate::release_name::ReleaseName;
use crate::rollback::{self, Rollback};
use crate::session::{Place, Session};

pub(crate) const EXAMPLES: &str = "\
A release that has completed is put back with `ripcord rollback`.

Examples:
  ripcord abort checkout --reason 'wrong version'
  ripcord abort checkout#4 --reason 'wrong version'     only if release 4 is the one that is under way";

/// What to end.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service, and perhaps the release's number
    #[arg(value_name = "SERVICE[#RELEASE]")]
    release: ReleaseName,
    /// Why, for the record and the notice
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    caller: Caller,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Aborted {
    #[serde(flatten)]
    rollback: Rollback,
    /// How the execution stands, in Step Functions' words; nothing if none drives the release.
    execution_status: Option<String>,
    /// Why the execution is not known to have ended.
    running_because: Option<String>,
}

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Aborted, Failure> {
    let session = Session::open(place).await?;
    let release = session.latest(&args.release).await?;
    check(&release)?;
    let pulled = session.put_back(&release, args).await;
    // Also when traffic is not back: the release must not go on, and an execution that is stopped pulls the cord again.
    let stopped = match &release.run {
        Some(run) => session.make_sure_it_ended(&run.execution, &args.reason).await.map(Some),
        None => Ok(None),
    };
    Ok(Aborted::of(pulled?, stopped))
}

/// Only what has not completed can be aborted. One that was put back is looked after all the same: its execution may run.
fn check(release: &Release) -> Result<(), Failure> {
    let (service, generation) = (&release.service, release.generation);
    match release.phase {
        Phase::Complete => {
            let message =
                format!("release {generation} of {service} has completed: there is nothing to abort");
            Err(Failure::new(Kind::ReleaseEnded, message)
                .hint(format!("to go back all the same: ripcord rollback {service} --reason 'WHY'")))
        }
        Phase::Shifting | Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn => {
            Ok(())
        }
    }
}

impl Session {
    /// Puts a release back. For one that is back already nothing is moved: somebody may have moved traffic since.
    async fn put_back(&self, release: &Release, args: &Args) -> Result<Rollback, Failure> {
        match release.phase {
            Phase::RolledBack | Phase::Withdrawn => {
                let because = release.ended_because.as_deref().unwrap_or("no reason was noted");
                Ok(self.look_back(&release.service, because).await)
            }
            Phase::Shifting | Phase::Complete | Phase::RollbackFailed | Phase::Held => {
                let cord = rollback::Cord::of(release, args.reason.clone(), args.caller.clone());
                self.pull_the_cord(&cord).await
            }
        }
    }

    /// Ends an execution unless it has ended. The rollback has stopped it already, if it could.
    async fn make_sure_it_ended(&self, execution: &str, why: &str) -> Result<String, Failure> {
        let seen = self.execution(execution).await?;
        if !seen.is_running {
            return Ok(seen.status);
        }
        self.stop(execution, why).await?;
        Ok(self.execution(execution).await?.status)
    }
}

impl Aborted {
    fn of(rollback: Rollback, stopped: Result<Option<String>, Failure>) -> Self {
        let (execution_status, running_because) = match stopped {
            Ok(status) => (status, None),
            Err(failure) => (None, Some(failure.message)),
        };
        Self { rollback, execution_status, running_because }
    }

    /// Done only if traffic is back; an execution that runs on finds its release closed, and ends by itself.
    pub(crate) fn exit(&self) -> ExitCode {
        self.rollback.exit()
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rollback)?;
        match (&self.execution_status, &self.running_because) {
            (Some(status), _) => writeln!(f, "  its execution is {status}"),
            (None, Some(why)) => {
                writeln!(f, "  {} {why}", styled(WARN, "its execution could not be stopped:"))?;
                writeln!(f, "  it finds the release closed, and ends by itself")
            }
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::example;

    #[test]
    fn only_a_release_that_has_not_completed_is_aborted() {
        for phase in Phase::EVERY {
            let checked = check(&Release { phase, ..example::release() });
            assert_eq!(checked.is_ok(), phase != Phase::Complete, "{phase}");
        }
        let failure = check(&Release { phase: Phase::Complete, ..example::release() }).expect_err("complete");
        assert_eq!((failure.kind.as_str(), failure.exit), ("release_ended", ExitCode::Refused));
        assert_eq!(
            failure.hint.as_deref(),
            Some("to go back all the same: ripcord rollback checkout --reason 'WHY'")
        );
    }

    #[test]
    fn an_abort_reports_like_a_rollback_and_says_how_the_execution_stands() {
        let rollback = || crate::rollback::example("alice asked for a rollback: wrong version");
        let told = |stopped| {
            let aborted = Aborted::of(rollback(), stopped);
            assert_eq!(aborted.exit(), ExitCode::Done);
            anstream::adapter::strip_str(&aborted.to_string()).to_string()
        };
        insta::assert_snapshot!(told(Ok(Some("ABORTED".to_owned()))), @r"
        checkout: traffic is back
          alice asked for a rollback: wrong version
          api serves 1 on 100%
          its execution is ABORTED
        ");
        let failed = told(Err(Failure::new(Kind::AwsCallFailed, "denied")));
        assert!(failed.contains("its execution could not be stopped: denied"), "{failed}");
        assert!(!told(Ok(None)).contains("execution"));
    }
}
