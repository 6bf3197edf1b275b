//! Releases, deployments and situations in a line each, and the table of the answers to them.

use std::collections::BTreeMap;
use std::fmt::Write;

use ripcord::decide::decide;
use ripcord::deployment::{AliasShift, AppSpec, DeploymentState, DeploymentStatus, Deployments, Resource};
use ripcord::names::{DeploymentId, Generation, Weight};
use ripcord::plan::Step;
use ripcord::registration::Barrier;
use ripcord::release::{Change, PastRollback, Phase, Release, Report};
use ripcord::signal::Signal;
use ripcord::situation::Situation;

use crate::world::{World, alarm_at, at, command_at, event_at, moment, render, seconds, traffic, v};

pub(crate) fn id(name: &str) -> DeploymentId {
    name.parse().unwrap()
}

/// Deployment `d-1`, from version 1 to 2, created at 10:00, as CodeDeploy shows it.
pub(crate) fn deployment(name: &str, current: u64, target: u64, status: DeploymentStatus) -> DeploymentState {
    let shift = AliasShift {
        function: "checkout-api".parse().unwrap(),
        alias: "live".parse().unwrap(),
        current: v(current),
        target: v(target),
    };
    DeploymentState {
        id: id(name),
        application: "checkout".to_owned(),
        group: "checkout-api".to_owned(),
        status,
        is_rollback: false,
        rolled_back_by: None,
        rolls_back: None,
        error: None,
        created_at: Some(at("10:00:00")),
        completed_at: None,
        spec: Ok(AppSpec { resource: Resource::Alias(shift), hooks: BTreeMap::new() }),
    }
}

/// The deployment that CodeDeploy rolls `d-1` back with.
pub(crate) fn rollback(status: DeploymentStatus) -> DeploymentState {
    DeploymentState {
        is_rollback: true,
        rolls_back: Some(id("d-1")),
        created_at: Some(at("10:04:00")),
        ..deployment("d-2", 2, 1, status)
    }
}

/// Release 5, which is deployment `d-1`, opened at 10:00 and being given traffic.
pub(crate) fn release() -> Release {
    let mut world = World::checkout();
    let asked = deployment("d-1", 1, 2, DeploymentStatus::InProgress);
    let situation =
        Situation { deployments: Deployments { seen: vec![asked], unseen: None }, ..world.situation() };
    let opening = decide(&event_at(&id("d-1"), "START", at("10:00:01")), &situation, moment(at("10:00:01")));
    world.take(&opening.steps, at("10:00:01")).unwrap();
    Release { generation: Generation(5), seq: 12, ..world.record.release.unwrap() }
}

/// The same release at the end, told.
pub(crate) fn ended(phase: Phase, ended_at: &str) -> Release {
    let change = release().changes.remove(0);
    let weight = if phase == Phase::Complete { Weight::ALL } else { Weight::NONE };
    let report = if phase == Phase::Complete { Report::NotDue } else { Report::Sent { at: at(ended_at) } };
    Release {
        phase,
        changes: vec![Change { weight, ..change }],
        ended_at: Some(at(ended_at)),
        ended_because: Some("it ended".to_owned()),
        report,
        ..release()
    }
}

/// The release before it had traffic: our hook has been asked and has not answered.
pub(crate) fn asking() -> Release {
    Release { traffic_at: None, ..release() }
}

/// A situation in a line: the release, what the alias serves, and what is seen of CodeDeploy.
pub(crate) fn seen(release: Option<Release>, weights: &str, deployments: Vec<DeploymentState>) -> Situation {
    let mut world = World::checkout();
    if release.as_ref().is_some_and(|release| release.phase == Phase::Complete) {
        world.record.known_good[0].version = v(2);
    }
    world.record.release = release;
    world.serve(traffic(weights));
    Situation { deployments: Deployments { seen: deployments, unseen: None }, ..world.situation() }
}

pub(crate) fn ours(status: DeploymentStatus) -> Vec<DeploymentState> {
    vec![deployment("d-1", 1, 2, status)]
}

pub(crate) fn failed(error: &str, others: Vec<DeploymentState>) -> Vec<DeploymentState> {
    let own = DeploymentState {
        error: Some(error.to_owned()),
        completed_at: Some(at("10:04:00")),
        rolled_back_by: others.first().map(|it| it.id.clone()),
        ..deployment("d-1", 1, 2, DeploymentStatus::Failed)
    };
    std::iter::once(own).chain(others).collect()
}

pub(crate) fn stopped(others: Vec<DeploymentState>) -> Vec<DeploymentState> {
    let own = DeploymentState {
        rolled_back_by: others.iter().find(|it| it.is_rollback).map(|it| it.id.clone()),
        ..deployment("d-1", 1, 2, DeploymentStatus::Stopped)
    };
    std::iter::once(own).chain(others).collect()
}

pub(crate) fn event(state: &str) -> Signal {
    event_at(&id("d-1"), state, at("10:05:00"))
}

pub(crate) fn event_of(name: &str, state: &str) -> Signal {
    event_at(&id(name), state, at("10:05:00"))
}

pub(crate) fn alarm(time: &str) -> Signal {
    alarm_at(at(time))
}

pub(crate) fn command(to: Option<u64>) -> Signal {
    command_at(at("10:05:00"), to)
}

pub(crate) fn with(mut situation: Situation, change: impl FnOnce(&mut Situation)) -> Situation {
    change(&mut situation);
    situation
}

/// Nothing that people read or the ledger keeps stands before what moves traffic, but for the claim of a reversal.
#[track_caller]
pub(crate) fn traffic_comes_first(situation: &Situation, steps: &[Vec<Step>]) {
    let moves = steps.iter().rposition(|row| row.iter().any(Step::moves_traffic));
    let phase = situation.record.release.as_ref().map(|release| release.phase);
    let is_claim = |step: &Step| matches!(step, Step::Write(write) if write.release.as_ref().map(|it| it.phase) == phase);
    let paperwork = steps.iter().position(|row| {
        row.iter()
            .any(|step| matches!(step, Step::Write(_) | Step::Tell(_) | Step::Hear { .. }) && !is_claim(step))
    });
    if let (Some(moves), Some(paperwork)) = (moves, paperwork) {
        assert!(moves < paperwork, "traffic does not come first in {steps:#?}");
    }
}

#[track_caller]
pub(crate) fn check(title: &str, situation: &Situation, signal: &Signal) -> String {
    let decision = decide(signal, situation, moment(signal.raised_at() + seconds(2)));
    traffic_comes_first(situation, &decision.steps);
    format!("# {title}\n{}", render(&decision))
}

#[track_caller]
pub(crate) fn table(cases: Vec<(&str, Situation, Signal)>) -> String {
    let mut table = String::new();
    for (title, situation, signal) in cases {
        writeln!(table, "{}", check(title, &situation, &signal)).unwrap();
    }
    table
}

pub(crate) fn barrier() -> Barrier {
    Barrier {
        target: "api".parse().unwrap(),
        since_version: v(2),
        reason: "orders moved to the new table".to_owned(),
    }
}

pub(crate) fn past_rollback(generation: u64) -> PastRollback {
    PastRollback {
        generation: Generation(generation),
        target: "api".parse().unwrap(),
        version: v(8),
        artefact: None,
        at: at("09:30:00"),
        automatic: true,
        quarantines: true,
        reason: "alarm errors fired".to_owned(),
    }
}
