//! `ripcord history`: what was released, how it ended, and who or what pulled the cord.

use std::cmp::Reverse;
use std::fmt;

use clap::builder::styling::Style;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use ripcord::names::{Generation, ServiceName};
use ripcord::release::{Commit, Cord, Phase, Release};
use ripcord::timeline::{Moment, Silent, What, silent};
use serde::Serialize;

use crate::failure::Failure;
use crate::figures::stretch;
use crate::output::{BAD, FAINT, GOOD, NAME, WARN, styled};
use crate::session::{Place, Session};

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord history                       the last releases of every service, newest first
  ripcord history checkout --limit 50   of one service
  ripcord history checkout --json       with everything that is kept of each";

/// Whose releases, and how many.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service; else every service
    service: Option<ServiceName>,
    /// At most so many releases
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

#[derive(Debug, Serialize)]
pub(crate) struct History {
    releases: Vec<Entry>,
    /// What AWS took back by itself and no release records.
    silent: Vec<SilentEntry>,
}

/// One release. The names of these fields are what scripts read.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    service: ServiceName,
    release: Generation,
    phase: Phase,
    opened_at: Timestamp,
    opened_by: String,
    ended_at: Option<Timestamp>,
    ended_because: Option<String>,
    /// `1 → 2`, of each target.
    versions: String,
    strategy: String,
    cord: Option<Cord>,
    commit: Option<Commit>,
    /// Whether AWS has taken it back by itself without the books saying so.
    taken_back_silently: bool,
}

#[derive(Clone, Debug, Serialize)]
struct SilentEntry {
    service: ServiceName,
    release: Option<Generation>,
    at: Timestamp,
    what: String,
}

/// Enough to be quick, few enough not to be throttled.
pub(crate) const TOGETHER: usize = 8;

pub(crate) async fn run(args: &Args, place: &Place) -> Result<History, Failure> {
    let session = Session::open(place).await?;
    let limit = usize::from(args.limit);
    let services = session.named_or_every(args.service.as_slice()).await?;
    let mut history = History { releases: Vec::new(), silent: Vec::new() };
    for some in services.chunks(TOGETHER) {
        for read in join_all(some.iter().map(|service| session.recent(service, limit))).await {
            let (releases, told) = read?;
            history.add(&releases, &told);
        }
    }
    history.sort(limit);
    Ok(history)
}

impl Session {
    /// The services that were named, which must be registered; or every one.
    pub(crate) async fn named_or_every(&self, named: &[ServiceName]) -> Result<Vec<ServiceName>, Failure> {
        let every = self.aws.ledger.services().await?;
        match named.iter().find(|service| !every.contains(service)) {
            Some(unknown) => Err(Failure::service_unknown(unknown)),
            None if named.is_empty() => Ok(every),
            None => Ok(named.to_vec()),
        }
    }

    /// A service's latest releases, newest first, and what AWS said since the oldest of them.
    async fn recent(
        &self,
        service: &ServiceName,
        limit: usize,
    ) -> Result<(Vec<Release>, Vec<Moment>), Failure> {
        let ledger = &self.aws.ledger;
        let releases = ledger.latest_releases(service, |read, _| read < limit).await?;
        let oldest = releases.iter().map(|release| release.opened_at).min();
        // Without a release everything that is kept is as new as any other.
        let from = oldest.unwrap_or(Timestamp::UNIX_EPOCH);
        let told = ledger.told_between(service, from, Timestamp::now()).await?;
        Ok((releases, told))
    }
}

impl History {
    fn add(&mut self, releases: &[Release], told: &[Moment]) {
        let silent = silent(releases, told);
        let went = |release: &Release| silent.iter().any(|one| one.generation == Some(release.generation));
        self.releases.extend(releases.iter().map(|release| Entry::of(release, went(release))));
        self.silent.extend(silent.iter().filter_map(SilentEntry::of));
    }

    /// Newest first, and no more than were asked for.
    fn sort(&mut self, limit: usize) {
        self.releases.sort_by_key(|entry| Reverse(entry.opened_at));
        self.releases.truncate(limit);
        self.silent.sort_by_key(|silent| Reverse(silent.at));
        self.silent.truncate(limit);
    }
}

impl Entry {
    fn of(release: &Release, taken_back_silently: bool) -> Self {
        let run = release.run.as_ref().map(|run| run.strategy.name.clone());
        let deployment = release.deployment.as_ref().map(|_| "CodeDeploy".to_owned());
        let versions =
            |change: &ripcord::release::Change| format!("{} → {}", change.stable, change.candidate);
        Self {
            service: release.service.clone(),
            release: release.generation,
            phase: release.phase,
            opened_at: release.opened_at,
            opened_by: release.opened_by.clone(),
            ended_at: release.ended_at,
            ended_because: release.ended_because.clone(),
            versions: release.changes.iter().map(versions).collect::<Vec<_>>().join(", "),
            strategy: run.or(deployment).unwrap_or_else(|| "by hand".to_owned()),
            cord: release.cord.as_deref().cloned(),
            commit: release.commit.as_deref().cloned(),
            taken_back_silently,
        }
    }

    /// How it ended, in as few words as do.
    fn outcome(&self) -> (Style, &'static str) {
        match self.phase {
            Phase::Complete if self.taken_back_silently => (BAD, "taken back"),
            Phase::Complete => (GOOD, "complete"),
            Phase::Shifting => (WARN, "under way"),
            Phase::RolledBack => (WARN, "rolled back"),
            Phase::RollbackFailed => (BAD, "NOT BACK"),
            Phase::Held => (BAD, "held"),
            Phase::Withdrawn => (FAINT, "withdrawn"),
        }
    }

    /// Who or what pulled the cord, and how long traffic took from then.
    fn story(&self) -> Option<String> {
        if self.taken_back_silently {
            return Some("AWS took it back by itself, and the books do not say so".to_owned());
        }
        let cord = self.cord.as_ref()?;
        let back = self.ended_at.filter(|_| self.phase == Phase::RolledBack && cord.by.is_answered_here());
        let after = back.map(|back| back.duration_since(cord.at).max(SignedDuration::ZERO));
        let after = after.map(|after| format!(", answered after {}", precise(after))).unwrap_or_default();
        Some(format!("cord: {}{after}", cord.by))
    }
}

/// A rollback may take less than a second.
fn precise(took: SignedDuration) -> String {
    if took < SignedDuration::from_secs(10) {
        return format!("{:.1}s", took.as_secs_f64());
    }
    stretch(took)
}

impl SilentEntry {
    fn of(silent: &Silent) -> Option<Self> {
        let What::Aws(told) = &silent.moment.what else { return None };
        let because = told.because.as_ref().map(|because| format!(": {because}")).unwrap_or_default();
        Some(Self {
            service: silent.moment.service.clone(),
            release: silent.generation,
            at: silent.moment.at,
            what: format!("{} says {} of {}{because}", told.source, told.state, told.about),
        })
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.releases.is_empty() {
            writeln!(f, "nothing was released yet")?;
        }
        let rows: Vec<[String; 6]> = self.releases.iter().map(row).collect();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        for (entry, [release, opened, versions, strategy, outcome, took]) in self.releases.iter().zip(&rows) {
            let [w0, w1, w2, w3, w4, _] = widths;
            let name = styled(NAME, format!("{release:w0$}"));
            let outcome = styled(entry.outcome().0, format!("{outcome:w4$}"));
            let line = format!("{name}  {opened:w1$}  {versions:w2$}  {strategy:w3$}  {outcome}  {took}");
            writeln!(f, "{}", line.trim_end())?;
            if let Some(story) = entry.story() {
                writeln!(f, "  {}", styled(FAINT, story))?;
            }
        }
        for silent in &self.silent {
            let of = silent.release.map_or("no release".to_owned(), |release| format!("release {release}"));
            let title = format!("silent rollback of {} ({of})", silent.service);
            writeln!(f, "{}  {:.0}\n  {}", styled(BAD, title), silent.at, silent.what)?;
        }
        Ok(())
    }
}

/// Names of versions and strategies may be long, and a line has 80 places.
const CELL_CHARS_MAX: usize = 18;

fn row(entry: &Entry) -> [String; 6] {
    let took = entry.ended_at.map(|ended| stretch(ended.duration_since(entry.opened_at)));
    [
        format!("{} #{}", entry.service, entry.release),
        entry.opened_at.strftime("%Y-%m-%d %H:%M").to_string(),
        cut(&entry.versions),
        cut(&entry.strategy),
        entry.outcome().1.to_owned(),
        took.unwrap_or_default(),
    ]
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CELL_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::example;
    use ripcord::release::PulledBy;
    use ripcord::timeline::{Meaning, Source, Told};

    fn at(text: &str) -> Timestamp {
        example::at(text)
    }

    fn release(generation: u64, phase: Phase) -> Release {
        let opened_at = at("2026-03-02T11:00:00Z") + SignedDuration::from_hours(24 * generation as i64);
        Release {
            generation: Generation(generation),
            phase,
            opened_at,
            ended_at: (phase != Phase::Shifting).then(|| opened_at + SignedDuration::from_secs(447)),
            ..example::release()
        }
    }

    fn rolled_back(generation: u64, by: PulledBy, automatic: bool) -> Release {
        let release = release(generation, Phase::RolledBack);
        let pulled_at = release.opened_at + SignedDuration::from_millis(444_200);
        Release { cord: Some(Box::new(Cord { by, at: pulled_at, automatic })), run: None, ..release }
    }

    fn history() -> History {
        let alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-error-rate";
        let releases = [
            release(1, Phase::Complete),
            rolled_back(2, PulledBy::Alarm { alarm: alarm.parse().expect("an ARN") }, true),
            rolled_back(3, PulledBy::Person { name: Some("alice".to_owned()) }, false),
            rolled_back(4, PulledBy::CodeDeploy { deployment: "d-A1B2C3D4E".parse().expect("an id") }, true),
            release(5, Phase::Complete),
            release(6, Phase::Withdrawn),
            release(7, Phase::Shifting),
        ];
        let told = Moment {
            service: releases[0].service.clone(),
            write: None,
            at: releases[4].opened_at + SignedDuration::from_secs(900),
            what: What::Aws(Told {
                source: Source::Ecs,
                about: "ecs-svc/1234567890123456789".to_owned(),
                state: "SERVICE_DEPLOYMENT_FAILED".to_owned(),
                meaning: Meaning::WentBack,
                because: Some("ECS deployment circuit breaker: tasks failed to start.".to_owned()),
            }),
        };
        let mut history = History { releases: Vec::new(), silent: Vec::new() };
        history.add(&releases, &[told.clone(), told]);
        history.sort(20);
        history
    }

    #[test]
    fn releases_are_listed_newest_first_with_who_pulled_the_cord() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&history().to_string()));
    }

    #[test]
    fn a_line_of_figures_fits_eighty_columns() {
        let text = history().to_string();
        let plain = anstream::adapter::strip_str(&text).to_string();
        for line in plain.lines().filter(|line| line.contains('→')) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn no_more_releases_are_listed_than_were_asked_for() {
        let mut history = history();
        history.sort(2);
        let generations: Vec<u64> = history.releases.iter().map(|entry| entry.release.0).collect();
        assert_eq!(generations, [7, 6]);
    }
}
