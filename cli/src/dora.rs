//! `ripcord dora`: DORA's four measures from the ledger, each with the counts that it rests on.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::{join_all, try_join_all};
use jiff::{SignedDuration, Timestamp};
use ripcord::dora::{BASIS_MIN, Besides, Dora, Record, Spread, Window, dora};
use ripcord::names::ServiceName;
use ripcord::release::Phase;
use serde::Serialize;

use crate::failure::Failure;
use crate::figures::stretch;
use crate::history::TOGETHER;
use crate::output::{FAINT, NAME, styled};
use crate::session::{Place, Session};

pub(crate) const EXAMPLES: &str = "\
Counted are releases that were opened in these days. A release is a deployment once the new version had all traffic; one that
was put back before that is no failure in production, and is counted on its own.

Examples:
  ripcord dora                          every service, and all of them together
  ripcord dora checkout --days 90
  ripcord dora checkout orders --json";

/// Whose releases, and of how many days.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The services; else every one
    services: Vec<ServiceName>,
    /// So many days, up to now
    #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=400))]
    days: u16,
}

#[derive(Debug, Serialize)]
pub(crate) struct Measures {
    days: u16,
    services: BTreeMap<ServiceName, Dora>,
    /// All of them, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    together: Option<Dora>,
}

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Measures, Failure> {
    let session = Session::open(place).await?;
    let until = Timestamp::now();
    let from = until - SignedDuration::from_hours(24 * i64::from(args.days));
    let window = Window { from, until };
    let services = session.named_or_every(&args.services).await?;
    let mut records = BTreeMap::new();
    for some in services.chunks(TOGETHER) {
        for (service, record) in
            some.iter().zip(join_all(some.iter().map(|it| session.record(it, window))).await)
        {
            records.insert(service.clone(), record?);
        }
    }
    Ok(Measures::of(&records, args.days, window))
}

impl Session {
    /// What is kept of a service for these days: its releases, the timelines of those that went back, and AWS's word.
    async fn record(&self, service: &ServiceName, window: Window) -> Result<Record, Failure> {
        let ledger = &self.aws.ledger;
        let releases = ledger.latest_releases(service, |_, release| window.from <= release.opened_at).await?;
        let mut moments = ledger.told_between(service, window.from, window.until).await?;
        let back: Vec<_> = releases.iter().filter(|release| release.phase == Phase::RolledBack).collect();
        for some in back.chunks(TOGETHER) {
            let read = try_join_all(some.iter().map(|release| ledger.timeline(service, release.generation)));
            moments.extend(read.await?.into_iter().flatten().filter(|moment| moment.write.is_some()));
        }
        Ok(Record { releases, moments })
    }
}

impl Measures {
    fn of(records: &BTreeMap<ServiceName, Record>, days: u16, window: Window) -> Self {
        let alone = |(service, record): (&ServiceName, &Record)| {
            let own = BTreeMap::from([(service.clone(), record.clone())]);
            (service.clone(), dora(&own, window))
        };
        let together = (records.len() > 1).then(|| dora(records, window));
        Self { days, services: records.iter().map(alone).collect(), together }
    }
}

impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.services.is_empty() {
            return writeln!(f, "no service is registered");
        }
        let together = self.together.as_ref().map(|dora| ("all services".to_owned(), dora));
        let alone = self.services.iter().map(|(service, dora)| (service.to_string(), dora));
        for (index, (name, dora)) in together.into_iter().chain(alone).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let title = format!("{}, the last {} days", styled(NAME, name), self.days);
            write!(f, "{title}\n{}", Shown(dora))?;
        }
        Ok(())
    }
}

/// The measures of one service, a line each.
struct Shown<'dora>(&'dora Dora);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dora = self.0;
        let mut line = |what: &str, value: String, basis: String| {
            writeln!(f, "  {what:21}  {value:22}  {}", styled(FAINT, basis))
        };
        let basis = format!("{} had all traffic", dora.deployments);
        line("deployment frequency", frequency(dora), basis)?;
        let basis = format!("{} of {} carry a commit's time", dora.lead_time.count, dora.lead_time_of);
        line("lead time for changes", spread(dora.lead_time), basis)?;
        let rate = dora.change_failure_rate.map(|rate| format!("{:.1}%", rate * 100.0));
        let basis = format!("{} of {} failed", dora.failures, dora.deployments);
        line("change failure rate", rate.unwrap_or_else(too_few), basis)?;
        let basis =
            format!("{} of {} failures seen to end", dora.time_to_restore.count, dora.time_to_restore_of);
        line("time to restore", spread(dora.time_to_restore), basis)?;
        for (number, what) in besides(dora.besides) {
            writeln!(f, "  {}", styled(FAINT, format!("{number} {what}")))?;
        }
        Ok(())
    }
}

fn too_few() -> String {
    format!("unknown: fewer than {BASIS_MIN}")
}

fn frequency(dora: &Dora) -> String {
    match dora.deployments_per_day {
        Some(per_day) if per_day >= 1.0 => format!("{per_day:.1} a day"),
        Some(per_day) => format!("{:.1} a week", per_day * 7.0),
        None => too_few(),
    }
}

fn spread(spread: Spread) -> String {
    match (spread.median_s, spread.p90_s) {
        (Some(median), Some(p90)) => format!("{}, p90 {}", seconds(median), seconds(p90)),
        (_, _) => too_few(),
    }
}

fn seconds(seconds: f64) -> String {
    let took = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::MAX);
    if seconds < 10.0 { format!("{seconds:.1}s") } else { stretch(took) }
}

/// What is counted on its own, as far as there is any.
fn besides(besides: Besides) -> Vec<(usize, &'static str)> {
    let Besides { stopped_in_canary, withdrawn, open, taken_back_by_aws, silent, asked_for } = besides;
    let every = [
        (stopped_in_canary, "stopped in a canary: no failure in production"),
        (withdrawn, "withdrawn before they had any traffic"),
        (open, "not ended"),
        (taken_back_by_aws, "taken back by AWS by itself"),
        (silent, "silent rollbacks: AWS took something back, and no release says so"),
        (asked_for, "put back because a person asked"),
    ];
    every.into_iter().filter(|(number, _)| *number > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::example;
    use ripcord::names::{Generation, Weight};
    use ripcord::release::{Commit, Cord, PulledBy, Release};

    fn release(generation: u64, phase: Phase, weight: Weight) -> Release {
        let opened_at =
            example::at("2026-03-02T11:00:00Z") + SignedDuration::from_hours(24 * generation as i64);
        let ended_at = opened_at + SignedDuration::from_mins(40);
        let mut release = Release {
            generation: Generation(generation),
            phase,
            opened_at,
            ended_at: (phase != Phase::Shifting).then_some(ended_at),
            ..example::release()
        };
        release.changes[0].weight = weight;
        if phase == Phase::Complete && generation != 2 {
            let at = Some(opened_at - SignedDuration::from_hours(generation as i64));
            release.commit = Some(Box::new(Commit { id: "3f2c1ab".parse().expect("a commit"), at }));
        }
        if phase == Phase::RolledBack {
            let by = PulledBy::Person { name: Some("alice".to_owned()) };
            let at = ended_at - SignedDuration::from_millis(2_400);
            release.cord = Some(Box::new(Cord { by, at, automatic: false }));
        }
        release
    }

    #[test]
    fn each_measure_says_what_it_rests_on() {
        let mut releases: Vec<Release> =
            (1..=7).map(|it| release(it, Phase::Complete, Weight::ALL)).collect();
        releases.push(release(8, Phase::RolledBack, Weight::ALL));
        releases.push(release(9, Phase::RolledBack, Weight::from_percent(10)));
        releases.push(release(10, Phase::Withdrawn, Weight::NONE));
        let few = Record { releases: releases[..2].to_vec(), moments: Vec::new() };
        let record = Record { releases, moments: Vec::new() };
        let named = |name: &str| name.parse::<ServiceName>().expect("a name");
        let records = BTreeMap::from([(named("checkout"), record), (named("orders"), few)]);
        let window =
            Window { from: example::at("2026-03-01T00:00:00Z"), until: example::at("2026-03-31T00:00:00Z") };
        let measures = Measures::of(&records, 30, window);
        let text = measures.to_string();
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
        insta::assert_snapshot!(plain);
    }
}
