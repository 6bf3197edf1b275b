//! Following a release of flags to its end: how far AppConfig has grown it, and how it ended. Where nobody tells Ripcord that a
//! deployment has ended, whoever follows it says so.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord::names::{Generation, ServiceName, TargetName, Weight};
use ripcord::place::configuration::{Deployment, State};
use ripcord::release::{Phase, Release};
use serde::Serialize;
use serde_json::json;

use super::served::Holder;
use crate::args::Caller;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Kind};
use crate::output::{self, BAD, GOOD, WARN, styled};
use crate::rollback::Cord;
use crate::session::Session;

/// How it ended.
#[derive(Debug, Serialize)]
pub(super) struct Followed {
    phase: Phase,
    ended_because: Option<String>,
    /// Whether it had traffic: what is held without has harmed nobody.
    #[serde(skip)]
    had_traffic: bool,
}

/// How often AppConfig and the ledger are looked at: three calls and a query.
const POLL_SECONDS: u32 = 5;
const POLL_MIN: Duration = Duration::from_millis(500);
/// EventBridge tells within seconds that a deployment has ended, where AppConfig's extension is associated.
const TOLD_WITHIN: Duration = Duration::from_secs(15);
/// A deployment may grow for a day and bake for another.
const HOURS_MAX: u64 = 49;
/// AWS that cannot be reached for longer than this is not waited for: the release goes on without being followed.
const UNREADABLE_MAX: Duration = Duration::from_secs(60);

impl Session {
    /// Shows how far a release of flags is, until it has ended. Ctrl-C ends the following and not the release.
    pub(super) async fn follow_flags(
        &self,
        service: &ServiceName,
        target: &TargetName,
        release: Generation,
        caller: &Caller,
        is_silent: bool,
    ) -> Result<Followed, Failure> {
        tokio::select! {
            followed = self.followed(service, target, release, caller, is_silent) => followed,
            _ = tokio::signal::ctrl_c() => {
                let message = format!("release {release} of {service} goes on");
                Err(Failure::new(Kind::Interrupted, message).hint(format!(
                    "look at it with: ripcord flags list {service}; put it back with: ripcord flags rollback {service}"
                )))
            }
        }
    }

    async fn followed(
        &self,
        service: &ServiceName,
        target: &TargetName,
        meant: Generation,
        caller: &Caller,
        is_silent: bool,
    ) -> Result<Followed, Failure> {
        let began = Instant::now();
        let mut said = String::new();
        let mut at_rest: Option<Instant> = None;
        let mut readable = Instant::now();
        while began.elapsed() < Duration::from_secs(HOURS_MAX * 3600) {
            match self.holder(service, Some(target)).await {
                Ok(holder) => {
                    readable = Instant::now();
                    let Some(release) = holder.release(meant) else { return Err(overtaken(service, meant)) };
                    let news = news(release, holder.seen()?.newest());
                    if news != said && !is_silent {
                        let time = Timestamp::now().strftime("%H:%M:%S");
                        output::raw(&format!("{time}  {}", styled(style_of(release.phase), &news)));
                    }
                    said = news;
                    if let Some(followed) = ended(release, target) {
                        return Ok(followed);
                    }
                    let rests = holder.deployment_rests();
                    at_rest = rests.then(|| at_rest.unwrap_or_else(Instant::now));
                    if at_rest.is_some_and(|since| since.elapsed() >= TOLD_WITHIN) {
                        self.settle(&holder, caller).await?;
                        at_rest = None;
                    }
                }
                Err(failure)
                    if failure.exit == ExitCode::Unreachable && readable.elapsed() < UNREADABLE_MAX => {}
                Err(failure) => return Err(failure),
            }
            let pause = Duration::try_from(self.tempo.seconds(POLL_SECONDS)).unwrap_or(POLL_MIN);
            tokio::time::sleep(pause.max(POLL_MIN)).await;
        }
        let message = format!("release {meant} of {service} has not ended in {HOURS_MAX} hours, and goes on");
        Err(Failure::new(Kind::Interrupted, message))
    }

    /// Closes the books of a release whose deployment has come to rest, where nobody has told the suite. Whether it did anything.
    pub(super) async fn settle(&self, holder: &Holder, caller: &Caller) -> Result<bool, Failure> {
        let record = &holder.situation.record;
        let open = record.release.as_ref().filter(|release| holder.is_changed_by(release));
        let change = open.and_then(|release| Some((release, release.change(&holder.target.name)?)));
        // What is confirmed to have arrived waits for other targets of its release.
        let Some((release, change)) = change.filter(|(_, change)| change.weight != Weight::ALL) else {
            return Ok(false);
        };
        let newest = holder.seen()?.newest();
        if !holder.deployment_rests() || newest.version != change.candidate {
            return Ok(false);
        }
        if newest.state == State::Complete {
            let weights = format!("{}:0,{}:100", change.stable, change.candidate);
            let service = &record.registration.service;
            let event = json!({
                "service": service, "target": change.target, "weights": weights, "requested_by": caller.name(),
            });
            self.shift(&event).await?;
        } else {
            let reason = format!("AppConfig says that {newest} was taken back");
            self.pull_the_cord(&Cord::of(release, reason, caller.clone())).await?;
        }
        Ok(true)
    }
}

impl Holder {
    /// The release that is followed, if it is still the latest.
    fn release(&self, meant: Generation) -> Option<&Release> {
        self.situation.record.release.as_ref().filter(|release| release.generation == meant)
    }

    /// Whether the newest deployment has ended.
    fn deployment_rests(&self) -> bool {
        self.seen().is_ok_and(|seen| !seen.is_under_way())
    }
}

/// How it ended for whoever follows the flags. A release of several targets goes on without them.
fn ended(release: &Release, target: &TargetName) -> Option<Followed> {
    let has_arrived = release.change(target).is_some_and(ripcord::release::Change::is_on_candidate);
    match release.phase {
        Phase::Shifting if !has_arrived => None,
        Phase::Shifting
        | Phase::Complete
        | Phase::RolledBack
        | Phase::RollbackFailed
        | Phase::Held
        | Phase::Withdrawn => Some(Followed {
            phase: release.phase,
            ended_because: release.ended_because.clone(),
            had_traffic: !release.had_no_traffic(),
        }),
    }
}

impl Followed {
    /// As `ripcord deploy` ends.
    pub(super) fn exit(&self) -> ExitCode {
        match self.phase {
            Phase::Shifting | Phase::Complete => ExitCode::Done,
            Phase::RolledBack => ExitCode::RolledBack,
            Phase::Withdrawn => ExitCode::Refused,
            Phase::Held if !self.had_traffic => ExitCode::Refused,
            Phase::Held | Phase::RollbackFailed => ExitCode::RollbackFailed,
        }
    }
}

/// What there is to say of it now.
fn news(release: &Release, newest: &Deployment) -> String {
    let because = release.ended_because.as_deref().map(|because| format!(": {because}")).unwrap_or_default();
    let phase = release.phase;
    match phase {
        Phase::Shifting => {
            let Deployment { version, state, share, .. } = newest;
            format!("version {version} for {share} of the clients ({state})")
        }
        Phase::Complete | Phase::RolledBack | Phase::RollbackFailed | Phase::Held | Phase::Withdrawn => {
            format!("release {} is {phase}{because}", release.generation)
        }
    }
}

fn style_of(phase: Phase) -> clap::builder::styling::Style {
    match phase {
        Phase::Shifting => clap::builder::styling::Style::new(),
        Phase::Complete => GOOD,
        Phase::RolledBack | Phase::Withdrawn => WARN,
        Phase::RollbackFailed | Phase::Held => BAD,
    }
}

/// Whoever opened the next release knows how this one ended, and the ledger keeps it.
fn overtaken(service: &ServiceName, meant: Generation) -> Failure {
    let message = format!("release {meant} of {service} has ended, and another was opened since");
    Failure::new(Kind::FlagsOvertaken, message).hint(format!("see how: ripcord watch {service}#{meant}"))
}
