//! Which way back is taken for an alarm or a person, and why.

use ripcord::deployment::{DeploymentState, DeploymentStatus};
use ripcord::release::Phase;
use ripcord::situation::{Sighting, Situation};

use crate::scene::{
    alarm, asking, barrier, command, deployment, ended, ours, past_rollback, release, rollback, seen,
    stopped, table, with,
};
use crate::world::{alarm_at, at};

#[test]
fn an_alarm_takes_the_one_right_way_back() {
    let complete = || Some(ended(Phase::Complete, "10:04:00"));
    let running = || rollback(DeploymentStatus::InProgress);
    let succeeded = || ours(DeploymentStatus::Succeeded);
    let claimed_until = |until| {
        let mut release = ended(Phase::Complete, "10:04:00");
        release.deployment.as_mut().unwrap().reversal_until = Some(at(until));
        Some(release)
    };
    let reversal =
        |status| DeploymentState { created_at: Some(at("10:04:30")), ..deployment("d-3", 2, 1, status) };
    let late = |at_day: &str| alarm_at(at_day.parse().unwrap());
    let many = |it: &mut Situation| {
        it.record.rollbacks = (1..=3).map(past_rollback).collect();
    };
    insta::assert_snapshot!(table(vec![
        (
            "in flight",
            seen(Some(release()), "1:90,2:10", ours(DeploymentStatus::InProgress)),
            alarm("10:05:00")
        ),
        (
            "before traffic",
            seen(Some(asking()), "1:100", ours(DeploymentStatus::InProgress)),
            alarm("10:05:00")
        ),
        (
            "CodeDeploy has stopped it and goes back",
            seen(Some(release()), "1:90,2:10", stopped(vec![running()])),
            alarm("10:05:00")
        ),
        ("succeeded, not yet heard of", seen(Some(release()), "2:100", succeeded()), alarm("10:05:00")),
        ("complete, inside the window", seen(complete(), "2:100", succeeded()), alarm("10:05:00")),
        (
            "complete, at the end of the window",
            seen(complete(), "2:100", succeeded()),
            late("2026-03-03T10:04:00Z")
        ),
        (
            "complete, one second past the window",
            seen(complete(), "2:100", succeeded()),
            late("2026-03-03T10:04:01Z")
        ),
        (
            "complete, and somebody has split the alias",
            seen(complete(), "1:50,2:50", succeeded()),
            alarm("10:05:00")
        ),
        (
            "complete, and the way back has failed",
            seen(
                claimed_until("10:04:40"),
                "2:100",
                [succeeded(), vec![reversal(DeploymentStatus::Failed)]].concat()
            ),
            alarm("10:05:00")
        ),
        (
            "another invocation goes back",
            seen(claimed_until("10:05:20"), "2:100", succeeded()),
            alarm("10:05:00")
        ),
        (
            "whoever meant to go back is gone",
            seen(claimed_until("10:05:02"), "2:100", succeeded()),
            alarm("10:05:00")
        ),
        (
            "the way back runs",
            seen(
                claimed_until("10:05:20"),
                "2:100",
                [succeeded(), vec![reversal(DeploymentStatus::InProgress)]].concat()
            ),
            alarm("10:05:00")
        ),
        (
            "the way back has succeeded",
            seen(
                claimed_until("10:04:40"),
                "1:100",
                [succeeded(), vec![reversal(DeploymentStatus::Succeeded)]].concat()
            ),
            alarm("10:05:00")
        ),
        (
            "complete, and another deployment runs",
            seen(
                complete(),
                "2:100",
                [succeeded(), vec![deployment("d-7", 2, 3, DeploymentStatus::InProgress)]].concat()
            ),
            alarm("10:05:00")
        ),
        (
            "older than the release",
            seen(Some(release()), "1:90,2:10", ours(DeploymentStatus::InProgress)),
            alarm("09:59:59")
        ),
        (
            "after the rollback",
            seen(Some(ended(Phase::RolledBack, "10:04:00")), "1:100", stopped(vec![])),
            alarm("10:05:00")
        ),
        (
            "a barrier",
            with(seen(Some(release()), "1:90,2:10", ours(DeploymentStatus::InProgress)), |it| it
                .record
                .registration
                .barriers =
                vec![barrier()]),
            alarm("10:05:00")
        ),
        (
            "a loop",
            with(seen(Some(release()), "1:90,2:10", ours(DeploymentStatus::InProgress)), many),
            alarm("10:05:00")
        ),
        (
            "somebody moved the alias",
            seen(Some(release()), "3:100", ours(DeploymentStatus::InProgress)),
            alarm("10:05:00")
        ),
        (
            "CodeDeploy cannot be asked",
            with(seen(Some(release()), "1:90,2:10", vec![]), |it| it.deployments.unseen =
                Some("codedeploy:GetDeployment d-1: throttled".to_owned())),
            alarm("10:05:00")
        ),
        ("CodeDeploy has forgotten it", seen(Some(release()), "1:90,2:10", vec![]), alarm("10:05:00")),
        (
            "the alias is gone",
            with(seen(Some(release()), "1:90,2:10", ours(DeploymentStatus::InProgress)), |it| {
                it.live.insert("api".parse().unwrap(), Sighting::Missing);
            }),
            alarm("10:05:00")
        ),
        (
            "held, and nothing rules it out any more",
            seen(Some(ended(Phase::Held, "10:03:00")), "1:90,2:10", ours(DeploymentStatus::InProgress)),
            alarm("10:05:00")
        ),
    ]));
}

#[test]
fn a_person_is_obeyed_as_far_as_codedeploy_goes() {
    let in_progress = || ours(DeploymentStatus::InProgress);
    let complete = || Some(ended(Phase::Complete, "10:04:00"));
    let succeeded = || ours(DeploymentStatus::Succeeded);
    let another = || vec![deployment("d-7", 1, 3, DeploymentStatus::InProgress)];
    insta::assert_snapshot!(table(vec![
        ("in flight", seen(Some(release()), "1:90,2:10", in_progress()), command(None)),
        (
            "in flight, to the stable version by name",
            seen(Some(release()), "1:90,2:10", in_progress()),
            command(Some(1))
        ),
        (
            "in flight, to another version",
            seen(Some(release()), "1:90,2:10", in_progress()),
            command(Some(3))
        ),
        (
            "in flight, and somebody moved the alias",
            seen(Some(release()), "3:100", in_progress()),
            command(None)
        ),
        ("complete", seen(complete(), "2:100", succeeded()), command(None)),
        ("complete, to another version", seen(complete(), "2:100", succeeded()), command(Some(3))),
        ("complete, and somebody moved the alias", seen(complete(), "3:100", succeeded()), command(None)),
        (
            "complete, and somebody moved the alias to two versions",
            seen(complete(), "3:50,4:50", succeeded()),
            command(None)
        ),
        (
            "complete, past a barrier",
            with(seen(complete(), "2:100", succeeded()), |it| it.record.registration.barriers =
                vec![barrier()]),
            command(None)
        ),
        (
            "stopped on two versions, and somebody moved the alias",
            seen(Some(release()), "3:100", stopped(vec![])),
            command(None)
        ),
        (
            "after a rollback, while a deployment runs that is not known yet",
            seen(
                Some(ended(Phase::RolledBack, "10:04:00")),
                "1:90,3:10",
                [stopped(vec![]), another()].concat()
            ),
            command(None)
        ),
        (
            "CodeDeploy cannot be asked",
            with(seen(Some(release()), "1:90,2:10", vec![]), |it| it.deployments.unseen =
                Some("codedeploy:GetDeployment d-1: throttled".to_owned())),
            command(None)
        ),
    ]));
}
