//! `ripcord watch`, and what every command does that waits for a release: it polls the ledger until the release has
//! ended, and the execution that drives it, to notice one that died. It changes nothing.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord::names::{Generation, ServiceName};
use ripcord::release::{Phase, Release};

use crate::executions::Execution;
use crate::exit_code::ExitCode;
use crate::failure::{Asked, Failure, Kind};
use crate::release_name::ReleaseName;
use crate::session::{Place, Session};

#[cfg(test)]
pub(crate) mod example;
mod frame;
mod line;
mod news;
mod screen;
mod view;

pub(crate) use screen::Screen;
pub(crate) use view::View;

pub(crate) const EXAMPLES: &str = "\
On a terminal the release is drawn in place; elsewhere each change is a line, with --json a document.
Ends as the release does: 0 complete, 6 rolled back, 4 NOT rolled back, 3 withdrawn. Ctrl-C leaves it running.

Examples:
  ripcord watch checkout               the open release, or the last one
  ripcord watch checkout#4 --json";

/// Which release.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service, and perhaps the release's number
    #[arg(value_name = "SERVICE[#RELEASE]")]
    release: ReleaseName,
}

/// By what a release is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Its number.
    Release(Generation),
    /// The execution that drives it, which may not have opened it yet.
    DrivenBy(String),
}

/// How often the ledger is asked: one small query.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How often Step Functions is asked; its quota is shared with everybody who looks.
const EXECUTION_EVERY: Duration = Duration::from_secs(3);
/// A ledger that cannot be read for longer than this is not waited for: the release goes on without being watched.
const UNREADABLE_MAX: Duration = Duration::from_secs(60);
/// When an execution dies, EventBridge pulls the cord within seconds. What is not back by then needs a person.
const RESCUE_MAX: Duration = Duration::from_secs(120);

pub(crate) async fn run(args: &Args, place: &Place, json: bool) -> Result<ExitCode, Failure> {
    let session = Session::open(place).await?;
    let service = &args.release.service;
    let generation = match args.release.release {
        Some(named) => named,
        None => {
            let record = session.aws.ledger.service(service).await?;
            let record = record.ok_or_else(|| Failure::service_unknown(service))?;
            args.release.latest(&record)?.generation
        }
    };
    let mut screen = Screen::for_output(json);
    session.watch(service, &Which::Release(generation), &mut screen).await
}

impl Session {
    /// Shows a release until it has ended, and ends as it does. Ctrl-C ends the watching and not the release.
    pub(crate) async fn watch(
        &self,
        service: &ServiceName,
        which: &Which,
        screen: &mut Screen,
    ) -> Result<ExitCode, Failure> {
        tokio::select! {
            ended = self.follow(service, which, screen) => {
                Ok(ended?.exit().unwrap_or(ExitCode::Unexpected))
            }
            _ = tokio::signal::ctrl_c() => Err(goes_on(service)),
        }
    }

    /// Waits for the end of a release. Its execution has a timeout, so there is an end.
    pub(crate) async fn follow(
        &self,
        service: &ServiceName,
        which: &Which,
        screen: &mut Screen,
    ) -> Result<View, Failure> {
        let mut watched = Watched { session: self, service, which, execution: None, died: None };
        let mut before: Option<View> = None;
        let mut readable = Instant::now();
        loop {
            match watched.look(before.as_ref()).await {
                Ok(Some(view)) => {
                    readable = Instant::now();
                    screen.show(before.as_ref(), &view, Timestamp::now());
                    if watched.is_over(&view).await {
                        return Ok(view);
                    }
                    before = Some(view);
                }
                Ok(None) => readable = Instant::now(),
                Err(failure) if failure.exit != ExitCode::Unreachable => return Err(failure),
                Err(failure) if readable.elapsed() > UNREADABLE_MAX => {
                    let why = format!("{}; the release goes on", failure.message);
                    return Err(Failure { message: why, ..failure });
                }
                // The ledger's client has tried again already; a longer gap is waited out.
                Err(_) => {}
            }
            watched.check_execution(before.as_ref()).await?;
            tokio::time::sleep(POLL_EVERY).await;
        }
    }
}

/// A release that is being watched.
struct Watched<'watched> {
    session: &'watched Session,
    service: &'watched ServiceName,
    which: &'watched Which,
    /// How the execution stood, and when that was seen.
    execution: Option<(Execution, Instant)>,
    /// Since when the execution is known to have ended while its release has not.
    died: Option<Instant>,
}

impl Watched<'_> {
    /// The release as it is now; nothing if it is not there yet.
    async fn look(&self, before: Option<&View>) -> Result<Option<View>, Failure> {
        let ledger = &self.session.aws.ledger;
        let record = ledger.service(self.service).await?;
        let record = record.ok_or_else(|| Failure::service_unknown(self.service))?;
        let mut release = record.release.filter(|release| self.is_meant(release));
        if release.is_none() && self.must_be_history(before) {
            let history = ledger.history(self.service).await?;
            release = history.into_iter().rfind(|release| self.is_meant(release));
        }
        let Some(release) = release else { return self.none_such() };
        let findings = ledger.findings(self.service, release.generation).await?;
        Ok(Some(View::of(&release, &findings, self.session.tempo)))
    }

    fn is_meant(&self, release: &Release) -> bool {
        match self.which {
            Which::Release(generation) => release.generation == *generation,
            Which::DrivenBy(execution) => release.run.as_ref().is_some_and(|run| run.execution == *execution),
        }
    }

    /// Whether a release that is not the latest one was so before. One that an execution is only about to open is looked
    /// for there when the execution has ended.
    fn must_be_history(&self, before: Option<&View>) -> bool {
        match self.which {
            Which::Release(_) => true,
            Which::DrivenBy(_) => before.is_some() || self.has_execution_ended(),
        }
    }

    fn none_such(&self) -> Result<Option<View>, Failure> {
        match self.which {
            Which::Release(generation) => {
                let message = format!("{} has no release {generation}", self.service);
                Err(Failure::new(Kind::OtherRelease, message))
            }
            Which::DrivenBy(_) => Ok(None),
        }
    }

    fn has_execution_ended(&self) -> bool {
        self.execution.as_ref().is_some_and(|(execution, _)| !execution.is_running)
    }

    /// Whether nothing more is going to happen. A rollback that failed is tried again as long as the execution runs.
    async fn is_over(&mut self, view: &View) -> bool {
        match view.phase {
            Phase::Shifting => false,
            Phase::Complete | Phase::RolledBack | Phase::Held | Phase::Withdrawn => true,
            Phase::RollbackFailed => match &view.execution {
                None => true,
                Some(execution) => {
                    self.ask(execution).await;
                    self.has_execution_ended()
                }
            },
        }
    }

    /// Asks how the execution stands, if that is not known for the moment. What cannot be learned now may be later.
    async fn ask(&mut self, execution: &str) {
        let is_known =
            |(known, seen): &(Execution, Instant)| !known.is_running || seen.elapsed() < EXECUTION_EVERY;
        if !self.execution.as_ref().is_some_and(is_known)
            && let Ok(found) = self.session.execution(execution).await
        {
            self.execution = Some((found, Instant::now()));
        }
    }

    /// Notices an execution that ended without a release, or without ending its release.
    async fn check_execution(&mut self, view: Option<&View>) -> Result<(), Failure> {
        let driver = match (view.and_then(|view| view.execution.clone()), self.which) {
            (Some(execution), _) => execution,
            (None, Which::DrivenBy(execution)) if view.is_none() => execution.clone(),
            (None, Which::DrivenBy(_) | Which::Release(_)) => return Ok(()),
        };
        let had_ended = self.has_execution_ended();
        self.ask(&driver).await;
        // The ledger is read once more after the execution was seen to have ended: its last write may just have come.
        if !had_ended {
            return Ok(());
        }
        let Some(view) = view else { return Err(self.never_opened(&driver).await) };
        let died = *self.died.get_or_insert_with(Instant::now);
        if died.elapsed() < RESCUE_MAX { Ok(()) } else { Err(self.abandoned(view)) }
    }

    /// An execution that ended before it had opened a release: nothing has moved.
    async fn never_opened(&self, execution: &str) -> Failure {
        let service = self.service;
        match self.session.failure_of(execution).await {
            Ok(Some(failed)) => {
                let message = format!("{}: nothing was released", failed.message);
                Failure::of_function(Asked::Shift, &failed.error, message)
            }
            Ok(None) | Err(_) => {
                let (status, why) = match &self.execution {
                    Some((execution, _)) => (execution.status.as_str(), execution.why.as_str()),
                    None => ("unknown", ""),
                };
                let message = format!("the execution ended ({status}) before it had opened a release: {why}");
                Failure::new(Kind::Unexpected, message).hint(format!("look with: ripcord status {service}"))
            }
        }
    }

    /// An execution that ended and left its release open.
    fn abandoned(&self, view: &View) -> Failure {
        let service = self.service;
        let status = self.execution.as_ref().map_or("gone", |(execution, _)| execution.status.as_str());
        let message = format!(
            "nothing drives release {} of {service} any more (its execution is {status}), and it is still open, {}",
            view.release,
            view.whereabouts()
        );
        Failure::new(Kind::NotBack, message)
            .hint(format!("put traffic back with: ripcord abort {service} --reason 'its execution died'"))
    }
}

/// Whoever stops watching is told how to go on.
fn goes_on(service: &ServiceName) -> Failure {
    Failure::new(Kind::Interrupted, format!("the release of {service} goes on")).hint(format!(
        "watch it again with: ripcord watch {service}; put traffic back with: ripcord abort {service} --reason 'WHY'"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stops_watching_is_told_how_to_go_on() {
        let failure = goes_on(&"checkout".parse().expect("a name"));
        // A pipeline that is interrupted must not take the release for complete, nor for rolled back.
        assert_eq!((failure.kind.as_str(), failure.exit), ("interrupted", ExitCode::Unexpected));
        let hint = failure.hint.expect("a hint");
        for command in ["ripcord watch checkout", "ripcord abort checkout --reason 'WHY'"] {
            assert!(hint.contains(command), "{hint}");
        }
    }
}
