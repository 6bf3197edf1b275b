//! `ripcord list`: the releases that are under way, of every service, and whom they wait for.

use std::fmt;

use clap::builder::styling::Style;
use futures_util::future::join_all;
use jiff::Timestamp;
use ripcord::pipeline::Tempo;
use ripcord::release::{Phase, Release};
use serde::Serialize;

use crate::elapsed::ago;
use crate::failure::Failure;
use crate::figures::stretch;
use crate::output::{BAD, FAINT, GOOD, NAME, WARN, styled};
use crate::session::{Place, Session};
use crate::watch::View;

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord list              what is being released, and what needs a person
  ripcord list --all        the last release of every service as well";

/// Which releases.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The last release of each service as well, though it has ended
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct List {
    releases: Vec<View>,
    #[serde(skip)]
    now: Timestamp,
    #[serde(skip)]
    all: bool,
}

/// Enough to be quick, few enough not to be throttled.
const TOGETHER: usize = 8;

pub(crate) async fn run(args: &Args, place: &Place) -> Result<List, Failure> {
    let session = Session::open(place).await?;
    let names = session.aws.ledger.services().await?;
    let mut releases = Vec::new();
    for some in names.chunks(TOGETHER) {
        for record in join_all(some.iter().map(|service| session.aws.ledger.service(service))).await {
            releases.extend(record?.and_then(|record| record.release));
        }
    }
    Ok(List::of(&releases, args.all, session.tempo, Timestamp::now()))
}

/// Whether somebody or something has still to do with a release.
fn is_open(phase: Phase) -> bool {
    match phase {
        Phase::Shifting | Phase::Held | Phase::RollbackFailed => true,
        Phase::Complete | Phase::RolledBack | Phase::Withdrawn => false,
    }
}

impl List {
    fn of(releases: &[Release], all: bool, tempo: Tempo, now: Timestamp) -> Self {
        let meant = releases.iter().filter(|release| all || is_open(release.phase));
        Self { releases: meant.map(|release| View::of(release, &[], tempo)).collect(), now, all }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.releases.is_empty() {
            let nothing = if self.all { "nothing was released yet" } else { "nothing is being released" };
            return writeln!(f, "{nothing}");
        }
        let title = |view: &View| format!("{} #{}", view.service, view.release);
        let width = self.releases.iter().map(|view| title(view).chars().count()).max().unwrap_or_default();
        for view in &self.releases {
            let phase = styled(style_of(view.phase), view.phase);
            let title = styled(NAME, format!("{:width$}", title(view)));
            write!(f, "{title}  {}  {phase}, {}", view.versions(), view.whereabouts())?;
            match view.ended_at {
                Some(ended) => writeln!(f, ", ended {}", ago(ended, self.now))?,
                None => writeln!(f, ", opened {} by {}", ago(view.opened_at, self.now), view.opened_by)?,
            }
            if let Some(wait) = waits_for(view, self.now) {
                writeln!(f, "  {}", styled(style_of(view.phase), wait))?;
            }
        }
        Ok(())
    }
}

/// Whom or what a release waits for.
fn waits_for(view: &View, now: Timestamp) -> Option<String> {
    let service = &view.service;
    match (view.phase, &view.awaiting) {
        (Phase::Shifting, Some(question)) => {
            let next = question.stage.map_or("its completion".to_owned(), |stage| format!("stage {stage}"));
            let left = stretch(question.until.duration_since(now));
            Some(format!("waits for a person to approve {next}, {left} left: ripcord approve {service}"))
        }
        (Phase::Held, _) => Some(format!("waits for a person to decide: ripcord status {service}")),
        (Phase::RollbackFailed, _) => Some(format!("TRAFFIC IS NOT BACK: ripcord rollback {service}")),
        (Phase::Shifting | Phase::Complete | Phase::RolledBack | Phase::Withdrawn, _) => None,
    }
}

fn style_of(phase: Phase) -> Style {
    match phase {
        Phase::Shifting => WARN,
        Phase::Complete => GOOD,
        Phase::RolledBack | Phase::Withdrawn => FAINT,
        Phase::RollbackFailed | Phase::Held => BAD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::example;
    use ripcord::pipeline::Awaiting;

    fn listed(all: bool) -> String {
        let release = |service: &str, phase| Release {
            service: service.parse().expect("a name"),
            phase,
            ended_at: (phase != Phase::Shifting).then(|| example::at("2026-03-02T12:16:30Z")),
            ..example::release()
        };
        let mut asking = release("checkout", Phase::Shifting);
        asking.run.as_mut().expect("a run").awaiting = Some(Awaiting {
            stage: 2,
            token: "secret-token".to_owned(),
            since: example::at("2026-03-02T12:17:10Z"),
            until: example::at("2026-03-02T16:17:10Z"),
            why: "proved".to_owned(),
        });
        let by_hand = Release { run: None, ..release("mail", Phase::Shifting) };
        let releases = [
            release("address-book", Phase::Complete),
            asking,
            by_hand,
            release("orders", Phase::RollbackFailed),
            release("search", Phase::RolledBack),
        ];
        let list = List::of(&releases, all, Tempo::REAL, example::now());
        anstream::adapter::strip_str(&list.to_string()).to_string()
    }

    #[test]
    fn open_releases_say_whom_they_wait_for() {
        insta::assert_snapshot!(listed(false));
    }

    #[test]
    fn the_last_release_of_each_service_is_listed_on_demand() {
        let text = listed(true);
        for service in ["address-book #4  1 → 2  complete", "search #4        1 → 2  rolled back"] {
            assert!(text.contains(service), "{text}");
        }
        let none = List::of(&[], true, Tempo::REAL, example::now());
        assert_eq!(none.to_string(), "nothing was released yet\n");
    }
}
