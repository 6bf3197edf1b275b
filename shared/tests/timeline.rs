//! What is told of releases may come twice, late and out of order. Any telling of a history gives the same timeline, the same
//! numbers and the same measures.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use ripcord::dora::{Record, Window, dora};
use ripcord::metrics::Metric;
use ripcord::names::{Generation, Version, Weight};
use ripcord::release::{Change, Commit, Cord, Event, Phase, PulledBy, Release, Report};
use ripcord::timeline::{Meaning, Moment, Source, Told, What, moments, silent, what_counts};

/// What happens to a release in one step.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Shift(u32),
    Promote,
    Restore { automatic: bool },
    FailToRestore,
    Hold,
    GiveUp,
    Report,
}

/// A service's story: its releases' writes as the stream tells them, and what AWS says.
#[derive(Clone, Debug)]
struct Story {
    writes: Vec<(Option<Release>, Release, Timestamp)>,
    told: Vec<Moment>,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn opened(generation: u64, seconds: i64, has_commit: bool) -> Release {
    let version = |number| Version::new(number).unwrap();
    let commit = || Commit { id: "3f2c1ab".parse().unwrap(), at: Some(at(seconds - 5_000)) };
    Release {
        service: "checkout".parse().unwrap(),
        generation: Generation(generation),
        seq: generation * 100,
        phase: Phase::Shifting,
        opened_at: at(seconds),
        opened_by: "alice".to_owned(),
        changes: vec![Change {
            target: "api".parse().unwrap(),
            stable: version(generation),
            candidate: version(generation + 1),
            artefact: None,
            weight: Weight::NONE,
            intent: None,
            claim: None,
        }],
        ended_at: None,
        ended_because: None,
        report: Report::NotDue,
        traffic_at: None,
        going_back: None,
        run: None,
        deployment: None,
        cord: None,
        commit: has_commit.then(|| Box::new(commit())),
    }
}

fn after(release: &Release, happens: Happens, now: Timestamp) -> Option<Release> {
    let ended = |event| release.after(event, now, "so it was".to_owned()).ok();
    let pulled = |release: Release, automatic| {
        let by = PulledBy::Person { name: None };
        Release {
            cord: Some(Box::new(Cord { by, at: now - SignedDuration::from_secs(2), automatic })),
            ..release
        }
    };
    match happens {
        Happens::Shift(percent) => {
            let mut shifted = release.after(Event::Shifted, now, None).ok()?;
            shifted.changes[0].weight = Weight::from_percent(percent);
            shifted.traffic_at = shifted.traffic_at.or(Some(now));
            Some(shifted)
        }
        Happens::Promote => {
            let mut promoted = ended(Event::Promoted)?;
            promoted.changes[0].weight = Weight::ALL;
            Some(promoted)
        }
        Happens::Restore { automatic } => Some(pulled(ended(Event::TrafficRestored)?, automatic)),
        Happens::FailToRestore => Some(pulled(ended(Event::RestoreFailed)?, true)),
        Happens::Hold => Some(pulled(ended(Event::HeldBack)?, true)),
        Happens::GiveUp => ended(Event::GivenUp),
        Happens::Report => Some(release.reported(Report::Sent { at: now })),
    }
}

fn happening() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (1..=100u32).prop_map(Happens::Shift),
        2 => Just(Happens::Promote),
        2 => any::<bool>().prop_map(|automatic| Happens::Restore { automatic }),
        1 => Just(Happens::FailToRestore),
        1 => Just(Happens::Hold),
        1 => Just(Happens::GiveUp),
        1 => Just(Happens::Report),
    ]
}

fn story() -> impl Strategy<Value = Story> {
    let release = (any::<bool>(), prop::collection::vec(happening(), 0..6));
    let told = (0..12_000i64, 0..4usize, 0..3usize);
    (prop::collection::vec(release, 1..8), prop::collection::vec(told, 0..6)).prop_map(|(releases, told)| {
        let mut writes = Vec::new();
        for (generation, (has_commit, happenings)) in (1..).zip(releases) {
            let mut seconds = i64::try_from(generation).unwrap() * 1_500;
            let mut release = opened(generation, seconds, has_commit);
            writes.push((None, release.clone(), at(seconds)));
            for happens in happenings {
                seconds += 60;
                if let Some(next) = after(&release, happens, at(seconds)) {
                    writes.push((Some(release), next.clone(), at(seconds)));
                    release = next;
                }
            }
        }
        let meanings = [Meaning::Began, Meaning::Succeeded, Meaning::WentBack];
        let told = told.into_iter().map(|(seconds, about, meaning)| Moment {
            service: "checkout".parse().unwrap(),
            write: None,
            at: at(seconds),
            what: What::Aws(Told {
                source: Source::Ecs,
                about: format!("deployment {about}"),
                state: format!("{:?}", meanings[meaning]),
                meaning: meanings[meaning],
                because: None,
            }),
        });
        Story { writes, told: told.collect() }
    })
}

/// What is left of a story once it was told: what the ledger keeps, and what was counted.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    moments: BTreeMap<String, Moment>,
    counted: BTreeSet<String>,
    count: usize,
}

impl Kept {
    /// Whoever keeps a moment first counts it, as the ledger's condition says.
    fn keep(&mut self, moment: Moment, counted: &[Metric]) {
        let key = moment.key();
        if self.moments.contains_key(&key) {
            return;
        }
        self.count += counted.len();
        self.counted.extend(counted.iter().map(|metric| format!("{key} {metric:?} {}", moment.at)));
        self.moments.insert(key, moment);
    }
}

/// Tells a story's parts in an order, each as often as it stands there.
fn tell(story: &Story, order: &[usize]) -> Kept {
    let mut kept = Kept::default();
    for part in order {
        match story.writes.get(*part) {
            Some((before, after, written_at)) => {
                for moment in moments(before.as_ref(), after, *written_at) {
                    let counted = what_counts(&moment, before.as_ref(), after);
                    kept.keep(moment, &counted);
                }
            }
            None => kept.keep(story.told[*part - story.writes.len()].clone(), &[]),
        }
    }
    kept
}

fn told_somehow() -> impl Strategy<Value = (Story, Vec<usize>)> {
    story().prop_flat_map(|story| {
        let parts = story.writes.len() + story.told.len();
        let again = prop::collection::vec(0..parts, 0..20);
        let order = again
            .prop_flat_map(move |again| Just((0..parts).chain(again).collect::<Vec<_>>()).prop_shuffle());
        (Just(story), order)
    })
}

/// Each release as it was last written: the ledger's history.
fn history(story: &Story) -> Vec<Release> {
    let mut latest: BTreeMap<Generation, Release> = BTreeMap::new();
    for (_, after, _) in &story.writes {
        latest.insert(after.generation, after.clone());
    }
    latest.into_values().collect()
}

proptest! {
    #[test]
    fn however_a_history_is_told_what_is_kept_and_counted_is_the_same((story, order) in told_somehow()) {
        let in_order: Vec<usize> = (0..story.writes.len() + story.told.len()).collect();
        prop_assert_eq!(tell(&story, &order), tell(&story, &in_order));
    }

    #[test]
    fn however_a_history_is_told_the_measures_are_the_same((story, order) in told_somehow()) {
        let window = Window { from: at(0), until: at(100_000) };
        let in_order: Vec<usize> = (0..story.writes.len() + story.told.len()).collect();
        let releases = history(&story);
        let measured = |releases: Vec<Release>, moments: Vec<Moment>| {
            let record = Record { releases, moments };
            dora(&BTreeMap::from([("checkout".parse().unwrap(), record)]), window)
        };
        let straight = measured(releases.clone(), tell(&story, &in_order).moments.into_values().collect());
        // Also what is read twice, and in another order, measures the same.
        let mut moments: Vec<Moment> = tell(&story, &order).moments.into_values().rev().collect();
        moments.extend(moments.clone());
        let mut twice: Vec<Release> = releases.iter().rev().cloned().collect();
        twice.extend(releases.clone());
        prop_assert_eq!(&measured(twice, moments.clone()), &straight);
        prop_assert_eq!(silent(&releases, &moments).len(), straight.besides.silent);
    }

    #[test]
    fn every_release_is_counted_in_one_place((story, _) in told_somehow()) {
        let window = Window { from: at(0), until: at(100_000) };
        let releases = history(&story);
        let record = Record { releases: releases.clone(), moments: story.told };
        let dora = dora(&BTreeMap::from([("checkout".parse().unwrap(), record)]), window);
        let besides = dora.besides;
        let placed = dora.deployments + besides.stopped_in_canary + besides.withdrawn + besides.open;
        prop_assert_eq!(placed, releases.len());
        prop_assert!(dora.failures <= dora.deployments);
        prop_assert!(dora.lead_time.count <= dora.lead_time_of);
    }

    #[test]
    fn counts_add_up_to_what_the_history_says((story, order) in told_somehow()) {
        let kept = tell(&story, &order);
        let of = |metric: Metric| {
            kept.counted.iter().filter(|counted| counted.contains(&format!(" {metric:?} "))).count()
        };
        let releases = history(&story);
        let ended = |phase| releases.iter().filter(|release| release.phase == phase).count();
        prop_assert_eq!(of(Metric::DeploymentCount), releases.len());
        prop_assert_eq!(of(Metric::RollbackCount), ended(Phase::RolledBack));
        prop_assert_eq!(of(Metric::AutoRollbackCount) + of(Metric::ManualRollbackCount), of(Metric::RollbackCount));
        prop_assert!(of(Metric::SuccessfulDeployments) >= ended(Phase::Complete));
        prop_assert!(of(Metric::FailedDeployments) >= ended(Phase::RolledBack));
    }
}

#[test]
fn a_rollback_that_failed_before_it_succeeded_is_one_failure() {
    let open = opened(1, 0, false);
    let failed = after(&open, Happens::FailToRestore, at(60)).unwrap();
    let back = after(&failed, Happens::Restore { automatic: true }, at(120)).unwrap();
    let counted = |before: &Release, after: &Release| -> Vec<Metric> {
        let moments = moments(Some(before), after, at(120));
        moments.iter().flat_map(|moment| what_counts(moment, Some(before), after)).collect()
    };
    assert!(counted(&open, &failed).contains(&Metric::FailedDeployments));
    assert!(!counted(&failed, &back).contains(&Metric::FailedDeployments));
    assert!(counted(&failed, &back).contains(&Metric::RollbackTimeMinutes(2.0 / 60.0)));
}

#[test]
fn a_share_needs_five_deployments_and_says_how_many_there_are() {
    let window = Window { from: at(0), until: at(86_400 * 30) };
    let measured = |number: u64| {
        let complete = |generation: u64| {
            let open = opened(generation, i64::try_from(generation).unwrap() * 1_000, true);
            after(&open, Happens::Promote, open.opened_at + SignedDuration::from_secs(60)).unwrap()
        };
        let record = Record { releases: (1..=number).map(complete).collect(), moments: Vec::new() };
        dora(&BTreeMap::from([("checkout".parse().unwrap(), record)]), window)
    };
    let (few, enough) = (measured(4), measured(5));
    assert_eq!((few.deployments, few.change_failure_rate, few.lead_time.median_s), (4, None, None));
    assert_eq!((enough.deployments, enough.change_failure_rate), (5, Some(0.0)));
    assert_eq!(enough.lead_time.median_s, Some(5_060.0));
}

#[test]
fn a_release_that_went_back_in_its_canary_is_no_failure_in_production() {
    let window = Window { from: at(0), until: at(100_000) };
    let measured = |percent| {
        let shifted = after(&opened(1, 0, false), Happens::Shift(percent), at(60)).unwrap();
        let back = after(&shifted, Happens::Restore { automatic: true }, at(120)).unwrap();
        let record = Record { releases: vec![back], moments: Vec::new() };
        dora(&BTreeMap::from([("checkout".parse().unwrap(), record)]), window)
    };
    let (canary, full) = (measured(99), measured(100));
    assert_eq!((canary.deployments, canary.failures, canary.besides.stopped_in_canary), (0, 0, 1));
    assert_eq!((full.deployments, full.failures, full.besides.stopped_in_canary), (1, 1, 0));
}

/// AWS says at `seconds` that something was given up.
fn gave_up(source: Source, about: &str, seconds: i64) -> Moment {
    Moment {
        service: "checkout".parse().unwrap(),
        write: None,
        at: at(seconds),
        what: What::Aws(Told {
            source,
            about: about.to_owned(),
            state: "FAILED".to_owned(),
            meaning: Meaning::WentBack,
            because: None,
        }),
    }
}

/// The releases that silent rollbacks were found to be about.
fn found(releases: &[Release], moment: Moment) -> Vec<Option<u64>> {
    let found = silent(releases, &[moment]);
    found.into_iter().map(|one| one.generation.map(|generation| generation.0)).collect()
}

#[test]
fn what_goes_back_within_an_hour_of_a_booked_rollback_is_that_rollback() {
    let open = after(&opened(1, 0, false), Happens::Shift(10), at(60)).unwrap();
    let back = [after(&open, Happens::Restore { automatic: true }, at(120)).unwrap()];
    assert_eq!(found(&back, gave_up(Source::Ecs, "d1", 120 + 3_600)), []);
    assert_eq!(found(&back, gave_up(Source::Ecs, "d1", 120 + 3_601)), [None]);
    assert_eq!(found(&back, gave_up(Source::Ecs, "d1", -3_600)), []);
    assert_eq!(found(&back, gave_up(Source::Ecs, "d1", -3_601)), [None]);
}

#[test]
fn what_takes_back_a_release_that_is_complete_or_open_is_silent() {
    let open = after(&opened(1, 0, false), Happens::Shift(10), at(60)).unwrap();
    assert_eq!(found(std::slice::from_ref(&open), gave_up(Source::AppConfig, "a#1", 90)), [Some(1)]);
    let complete = [after(&open, Happens::Promote, at(120)).unwrap()];
    assert_eq!(found(&complete, gave_up(Source::AppConfig, "a#1", 150)), [Some(1)]);
    let window = Window { from: at(0), until: at(100_000) };
    let record =
        Record { releases: complete.to_vec(), moments: vec![gave_up(Source::AppConfig, "a#1", 150)] };
    let dora = dora(&BTreeMap::from([("checkout".parse().unwrap(), record)]), window);
    assert_eq!((dora.deployments, dora.failures, dora.besides.silent), (1, 1, 1));
}

#[test]
fn a_deployment_that_a_release_names_is_that_releases_however_late_it_is_told() {
    let deployment = || ripcord::deployment::Deployment {
        id: "d-A1B2C3D4E".parse().unwrap(),
        application: "checkout".to_owned(),
        group: "live".to_owned(),
        failed_hook: None,
        measured_bad: false,
        pulled: None,
        reversal_until: None,
    };
    let open = Release { deployment: Some(Box::new(deployment())), ..opened(1, 0, false) };
    let late = || gave_up(Source::CodeDeploy, "d-A1B2C3D4E", 50_000);
    let back = after(&open, Happens::Restore { automatic: true }, at(120)).unwrap();
    assert_eq!(found(&[back], late()), []);
    let complete = after(&open, Happens::Promote, at(120)).unwrap();
    assert_eq!(found(&[complete], late()), [Some(1)]);
}

#[test]
fn an_execution_that_drives_no_release_has_taken_nothing_back() {
    assert_eq!(found(&[opened(1, 0, false)], gave_up(Source::StepFunctions, "arn:of:another", 60)), []);
}

#[test]
fn a_window_holds_its_beginning_and_not_its_end() {
    let measured = |opened_at: i64| {
        let window = Window { from: at(100), until: at(200) };
        let complete = after(&opened(1, opened_at, false), Happens::Promote, at(opened_at + 500)).unwrap();
        let record = Record { releases: vec![complete], moments: Vec::new() };
        dora(&BTreeMap::from([("checkout".parse().unwrap(), record)]), window).deployments
    };
    assert_eq!([99, 100, 199, 200].map(measured), [0, 1, 1, 0]);
}

#[test]
fn a_percentile_is_a_duration_that_was_taken() {
    let window = Window { from: at(0), until: at(1_000_000) };
    // Lead times of 5,010 to 5,100 seconds: a commit is 5,000 seconds older than its release.
    let complete = |number: u64| {
        let seconds = i64::try_from(number).unwrap();
        let open = opened(number, seconds * 1_000, true);
        after(&open, Happens::Promote, at(seconds * 1_000 + seconds * 10)).unwrap()
    };
    let record = Record { releases: (1..=10).map(complete).collect(), moments: Vec::new() };
    let lead_time = dora(&BTreeMap::from([("checkout".parse().unwrap(), record)]), window).lead_time;
    assert_eq!((lead_time.median_s, lead_time.p90_s), (Some(5_050.0), Some(5_090.0)));
}

#[test]
fn a_commit_from_after_its_release_is_no_lead_time() {
    let window = Window { from: at(0), until: at(100_000) };
    let measured = |committed_at: i64| {
        let mut open = opened(1, 1_000, true);
        open.commit.as_mut().unwrap().at = Some(at(committed_at));
        let complete = after(&open, Happens::Promote, at(1_060)).unwrap();
        let record = Record { releases: vec![complete], moments: Vec::new() };
        dora(&BTreeMap::from([("checkout".parse().unwrap(), record)]), window).lead_time.count
    };
    assert_eq!([1_060, 1_061].map(measured), [1, 0]);
}
