//! Services, releases, signals and situations for tests, short enough to be read where they are used; and the fake world
//! that steps are taken in. The fake only *applies* effects, with the preconditions that AWS checks: it knows none of the
//! rules that are under test.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ripcord::decide::Moment;
use ripcord::names::{Generation, Version, Weight};
use ripcord::place::{LambdaAlias, Place};
use ripcord::registration::{
    Barrier, Guard, HookPolicy, Limits, Preflight, Reach, Registration, ReleasePolicy, RollbackPolicy, Target,
};
use ripcord::release::{Change, Intent, PastRollback, Phase, Release, Report};
use ripcord::signal::{AlarmChange, AlarmState, RollbackCommand, Signal};
use ripcord::traffic::{Traffic, WeightList};

pub(crate) use fake::{Interruption, World};

mod fake;

pub(crate) const SERVICE: &str = "checkout";

pub(crate) fn v(number: u64) -> Version {
    Version::new(number).unwrap()
}

pub(crate) fn percent(percent: f64) -> Weight {
    Weight::from_share(percent / 100.0).unwrap()
}

/// A time of the one day on which everything happens, like `10:05:00`.
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-03-02T{time}Z").parse().unwrap()
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A decision made at `time` by an invocation that may work for 30 seconds.
pub(crate) fn moment(time: Timestamp) -> Moment {
    Moment { now: time, lease_until: time + seconds(30) }
}

/// Traffic as people write it: `1:90,2:10`; the first version is the primary one.
pub(crate) fn traffic(weights: &str) -> Traffic {
    let list: WeightList = weights.parse().unwrap();
    let versions: Vec<Version> = list.versions().collect();
    match versions.as_slice() {
        [primary] => Traffic::all_on(*primary),
        [primary, secondary] => {
            Traffic { primary: *primary, secondary: Some((*secondary, list.share_of(*secondary))) }
        }
        _ => panic!("{weights} name one or two versions"),
    }
}

pub(crate) fn target(name: &str) -> Target {
    Target {
        name: name.parse().unwrap(),
        turn: 0,
        reach: Reach::default(),
        place: Place::LambdaAlias(lambda(name, "live")),
    }
}

/// The alias of the function behind a target of this name.
pub(crate) fn lambda(name: &str, alias: &str) -> LambdaAlias {
    LambdaAlias { function: format!("{SERVICE}-{name}").parse().unwrap(), alias: alias.parse().unwrap() }
}

/// A service with one alias per name, guarded by one alarm.
pub(crate) fn registration(targets: &[&str]) -> Registration {
    Registration {
        schema: None,
        service: SERVICE.parse().unwrap(),
        targets: targets.iter().map(|name| target(name)).collect(),
        guards: vec![Guard { alarm: "errors".to_owned() }],
        stages: Vec::new(),
        limits: Limits::default(),
        metrics: Vec::new(),
        dead_letter_queues: Vec::new(),
        preflight: Preflight::default(),
        hooks: HookPolicy::default(),
        freezes: Vec::new(),
        release: ReleasePolicy::default(),
        environments: BTreeMap::new(),
        rollback: RollbackPolicy::default(),
        barriers: Vec::new(),
    }
}

/// Release 5, opened at 10:00, which has taken `api` from version 1 to 10 % of version 2.
pub(crate) fn canary() -> Release {
    Release {
        service: SERVICE.parse().unwrap(),
        generation: Generation(5),
        seq: 12,
        phase: Phase::Shifting,
        opened_at: at("10:00:00"),
        opened_by: "ada".to_owned(),
        changes: vec![change("api", 1, 2, 10.0)],
        ended_at: None,
        ended_because: None,
        report: Report::NotDue,
        traffic_at: Some(at("10:00:00")),
        going_back: None,
        cord: None,
        commit: None,
        run: None,
        deployment: None,
    }
}

pub(crate) fn change(target: &str, stable: u64, candidate: u64, weight_percent: f64) -> Change {
    Change {
        target: target.parse().unwrap(),
        stable: v(stable),
        candidate: v(candidate),
        artefact: Some(format!("sha-{candidate}")),
        weight: percent(weight_percent),
        intent: None,
        claim: None,
    }
}

pub(crate) fn intent(weight_percent: f64, revision: &str) -> Option<Intent> {
    Some(Intent { weight: percent(weight_percent), revision: revision.parse().unwrap() })
}

/// The same release in a phase that it reached at `ended_at`, with everything told.
pub(crate) fn ended(phase: Phase, ended_at: &str, because: &str) -> Release {
    let ended_at = at(ended_at);
    let weight_percent = if phase == Phase::Complete { 100.0 } else { 10.0 };
    Release {
        phase,
        changes: vec![change("api", 1, 2, weight_percent)],
        ended_at: Some(ended_at),
        ended_because: Some(because.to_owned()),
        report: if phase == Phase::Complete { Report::NotDue } else { Report::Sent { at: ended_at } },
        ..canary()
    }
}

pub(crate) fn complete() -> Release {
    ended(Phase::Complete, "11:00:00", "version 2 took all traffic")
}

pub(crate) fn rolled_back() -> Release {
    ended(Phase::RolledBack, "10:06:00", "alarm errors fired")
}

pub(crate) fn past_rollback(generation: u64, version: u64, at: Timestamp) -> PastRollback {
    PastRollback {
        generation: Generation(generation),
        target: "api".parse().unwrap(),
        version: v(version),
        artefact: Some(format!("sha-{version}")),
        at,
        automatic: true,
        quarantines: true,
        reason: "alarm errors fired".to_owned(),
    }
}

pub(crate) fn barrier(since_version: u64) -> Barrier {
    Barrier {
        target: "api".parse().unwrap(),
        since_version: v(since_version),
        reason: "orders moved to the new table".to_owned(),
    }
}

/// The alarm named so went to ALARM.
pub(crate) fn alarm_named(name: &str, changed_at: Timestamp) -> AlarmChange {
    AlarmChange {
        alarm: format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}").parse().unwrap(),
        state: AlarmState::Alarm,
        changed_at,
        why: "3 of 3 datapoints were greater than the threshold (1.0)".to_owned(),
        data: None,
        suppressed_by: None,
    }
}

pub(crate) fn alarm(changed_at: &str) -> Signal {
    Signal::Alarm(alarm_named("errors", at(changed_at)))
}

pub(crate) fn command(requested_at: &str, to: Option<u64>) -> Signal {
    Signal::Operator(RollbackCommand {
        release: None,
        service: SERVICE.parse().unwrap(),
        to: to.map(v),
        why: Some("checkout looks broken".to_owned()),
        requested_by: Some("ada".to_owned()),
        requested_at: at(requested_at),
    })
}
