//! What is answered to CodeDeploy's word, and why.

use std::collections::BTreeMap;

use ripcord::decide::{Course, decide};
use ripcord::deployment::{AppSpec, DeploymentState, DeploymentStatus, PRE_TRAFFIC_HOOK, Resource};
use ripcord::plan::Step;
use ripcord::release::{PastRollback, Phase, Release, Report};
use ripcord::signal::Signal;
use ripcord::situation::{Sighting, Situation};

use crate::scene::{
    asking, deployment, ended, event, event_of, failed, ours, past_rollback, release, rollback, seen,
    stopped, table, with,
};
use crate::world::{World, at, moment, v};

#[test]
fn codedeploys_beginning_opens_a_release_once() {
    let hooked = || {
        let mut state = deployment("d-1", 1, 2, DeploymentStatus::InProgress);
        let hook = ("BeforeAllowTraffic".to_owned(), format!("CodeDeployHook_ripcord{PRE_TRAFFIC_HOOK}"));
        state.spec.as_mut().unwrap().hooks.extend([hook]);
        vec![state]
    };
    let before =
        Release { report: Report::Leased { until: at("10:04:30") }, ..ended(Phase::RolledBack, "09:59:00") };
    let next = DeploymentState {
        created_at: Some(at("10:04:59")),
        ..deployment("d-7", 1, 3, DeploymentStatus::InProgress)
    };
    let foreign = {
        let mut state = deployment("d-1", 1, 2, DeploymentStatus::InProgress);
        if let Ok(AppSpec { resource: Resource::Alias(shift), .. }) = &mut state.spec {
            shift.function = "another".parse().unwrap();
        }
        vec![state]
    };
    let in_progress = || ours(DeploymentStatus::InProgress);
    let traffic_at = |deployments: Vec<DeploymentState>| {
        let opening = decide(&event("START"), &seen(None, "1:100", deployments), moment(at("10:05:02")));
        let steps = opening.steps.into_iter().flatten();
        let mut opened =
            steps.filter_map(|step| if let Step::Write(write) = step { write.release } else { None });
        opened.next().unwrap().traffic_at
    };
    assert_eq!(traffic_at(in_progress()), Some(at("10:00:00")), "nobody says when traffic begins");
    assert_eq!(traffic_at(hooked()), None, "our hook says when traffic begins");
    insta::assert_snapshot!(table(vec![
        ("nothing was ever released", seen(None, "1:100", in_progress()), event("START")),
        ("our hook is asked before traffic", seen(None, "1:100", hooked()), event("START")),
        (
            "the alias serves what CodeDeploy does not believe",
            seen(None, "3:100", in_progress()),
            event("START")
        ),
        ("a second START", seen(Some(release()), "1:100", in_progress()), event("START")),
        (
            "a START long after",
            seen(Some(ended(Phase::Complete, "10:04:00")), "2:100", ours(DeploymentStatus::Succeeded)),
            event("START")
        ),
        (
            "a START after the rollback",
            seen(Some(ended(Phase::RolledBack, "10:04:00")), "1:100", stopped(vec![])),
            event("START")
        ),
        (
            "the release before is untold",
            seen(Some(before), "1:100", vec![next.clone()]),
            event_of("d-7", "START")
        ),
        (
            "the end of the release before is not yet heard of",
            seen(
                Some(release()),
                "2:100",
                [
                    ours(DeploymentStatus::Succeeded),
                    vec![DeploymentState {
                        spec: deployment("d-7", 2, 3, DeploymentStatus::Created).spec,
                        ..next
                    }]
                ]
                .concat()
            ),
            event_of("d-7", "START")
        ),
        (
            "the START of an older deployment",
            seen(
                Some(Release { opened_at: at("10:02:00"), ..ended(Phase::Complete, "10:04:00") }),
                "2:100",
                vec![deployment("d-0", 7, 1, DeploymentStatus::Succeeded)]
            ),
            event_of("d-0", "START")
        ),
        ("of another function", seen(None, "1:100", foreign), event("START")),
    ]));
}

#[test]
fn codedeploys_success_completes_a_release() {
    let later = |current, target| DeploymentState {
        created_at: Some(at("10:04:30")),
        ..deployment("d-7", current, target, DeploymentStatus::InProgress)
    };
    let succeeded = || ours(DeploymentStatus::Succeeded);
    let claimed = {
        let mut release = ended(Phase::Complete, "10:04:00");
        release.deployment.as_mut().unwrap().reversal_until = Some(at("10:04:40"));
        release
    };
    insta::assert_snapshot!(table(vec![
        ("all traffic is on the candidate", seen(Some(release()), "2:100", succeeded()), event("SUCCESS")),
        ("once more", seen(Some(ended(Phase::Complete, "10:04:00")), "2:100", succeeded()), event("SUCCESS")),
        (
            "it is still in progress",
            seen(Some(release()), "1:90,2:10", ours(DeploymentStatus::InProgress)),
            event("SUCCESS")
        ),
        (
            "the alias serves the stable version",
            seen(Some(release()), "1:100", succeeded()),
            event("SUCCESS")
        ),
        ("the alias serves another version", seen(Some(release()), "3:100", succeeded()), event("SUCCESS")),
        (
            "the next deployment moves the alias on",
            seen(Some(release()), "2:90,3:10", [succeeded(), vec![later(2, 3)]].concat()),
            event("SUCCESS")
        ),
        (
            "the alias cannot be seen",
            with(seen(Some(release()), "2:100", succeeded()), |it| {
                it.live.insert("api".parse().unwrap(), Sighting::Unseen { why: "throttled".to_owned() });
            }),
            event("SUCCESS")
        ),
        (
            "it was put back, whoever did so died, and the next one begins",
            seen(Some(claimed), "1:100", [succeeded(), vec![later(1, 3)]].concat()),
            event_of("d-7", "START")
        ),
        ("it is held", seen(Some(ended(Phase::Held, "10:03:00")), "2:100", succeeded()), event("SUCCESS")),
    ]));
}

#[test]
fn what_codedeploy_gives_up_is_put_back_or_withdrawn() {
    let refused = {
        let mut release = asking();
        release.deployment.as_mut().unwrap().failed_hook = Some("smoke test: status 500, not 200".to_owned());
        release
    };
    let running = || rollback(DeploymentStatus::InProgress);
    let hook = "HOOK_EXECUTION_FAILURE: BeforeAllowTraffic failed";
    let unseen_rollback = with(seen(Some(release()), "1:90,2:10", stopped(vec![running()])), |it| {
        it.deployments.seen.truncate(1);
        it.deployments.unseen = Some("codedeploy:GetDeployment d-2: throttled".to_owned());
    });
    insta::assert_snapshot!(table(vec![
        (
            "our hook refused it before traffic",
            seen(Some(refused.clone()), "1:100", failed(hook, vec![])),
            event("FAILURE")
        ),
        (
            "the same, and CodeDeploy's rollback runs",
            seen(Some(refused), "1:100", failed(hook, vec![running()])),
            event("FAILURE")
        ),
        (
            "it failed, and CodeDeploy goes back",
            seen(Some(release()), "1:90,2:10", failed("ALARM_ACTIVE: errors", vec![running()])),
            event("FAILURE")
        ),
        ("CodeDeploy's rollback cannot be seen", unseen_rollback, event("STOP")),
        (
            "CodeDeploy's rollback has arrived",
            seen(Some(release()), "1:100", failed("ALARM_ACTIVE: errors", vec![running()])),
            event("FAILURE")
        ),
        (
            "CodeDeploy's rollback has succeeded",
            seen(
                Some(release()),
                "1:100",
                failed("ALARM_ACTIVE: errors", vec![rollback(DeploymentStatus::Succeeded)])
            ),
            event_of("d-2", "SUCCESS")
        ),
        (
            "CodeDeploy's rollback has failed",
            seen(
                Some(release()),
                "1:90,2:10",
                failed("ALARM_ACTIVE: errors", vec![rollback(DeploymentStatus::Failed)])
            ),
            event_of("d-2", "FAILURE")
        ),
        (
            "stopped without rollback, on two versions",
            seen(Some(release()), "1:90,2:10", stopped(vec![])),
            event("STOP")
        ),
        (
            "stopped without rollback, before traffic",
            seen(Some(release()), "1:100", stopped(vec![])),
            event("STOP")
        ),
        (
            "stopped, and another deployment runs",
            seen(
                Some(release()),
                "1:90,2:10",
                stopped(vec![deployment("d-7", 1, 3, DeploymentStatus::InProgress)])
            ),
            event("STOP")
        ),
        (
            "stopped, and somebody moved the alias",
            seen(Some(release()), "3:100", stopped(vec![])),
            event("STOP")
        ),
        (
            "once more",
            seen(Some(ended(Phase::RolledBack, "10:04:30")), "1:100", stopped(vec![])),
            event("STOP")
        ),
        (
            "nobody was told yet",
            seen(
                Some(Release {
                    report: Report::Leased { until: at("10:05:00") },
                    ..ended(Phase::RolledBack, "10:04:30")
                }),
                "1:100",
                stopped(vec![])
            ),
            event("STOP")
        ),
        (
            "it is held",
            seen(Some(ended(Phase::Held, "10:03:00")), "1:90,2:10", stopped(vec![])),
            event("STOP")
        ),
    ]));
}

#[test]
fn what_is_no_release_of_ours_is_told_once() {
    let by_hand = Release { deployment: None, ..release() };
    let deployed = |status| {
        vec![DeploymentState { created_at: Some(at("10:04:00")), ..deployment("d-7", 1, 3, status) }]
    };
    let task_set = |status| {
        let spec = AppSpec {
            resource: Resource::TaskSet { task_definition: "checkout:7".to_owned() },
            hooks: BTreeMap::new(),
        };
        vec![DeploymentState {
            spec: Ok(spec),
            error: Some("HEALTH_CONSTRAINTS: too few healthy tasks".to_owned()),
            ..deployment("d-7", 1, 3, status)
        }]
    };
    let answered_before = |situation: Situation, signal: &Signal| {
        let first = decide(signal, &situation, moment(at("10:05:02")));
        let mut world = World::checkout();
        world.record = situation.record.clone();
        world.take(&first.steps, at("10:05:02")).unwrap();
        Situation { record: world.record, ..situation }
    };
    let unknown_rollback = || seen(None, "1:100", vec![rollback(DeploymentStatus::Succeeded)]);
    let silent = || seen(None, "1:100", task_set(DeploymentStatus::Failed));
    let beside = || seen(Some(by_hand.clone()), "1:90,2:10", deployed(DeploymentStatus::InProgress));
    let taken_back = with(
        seen(
            Some(ended(Phase::RolledBack, "10:04:30")),
            "3:100",
            vec![DeploymentState {
                created_at: Some(at("10:04:20")),
                ..deployment("d-3", 2, 3, DeploymentStatus::Succeeded)
            }],
        ),
        |it| {
            it.record.known_good[0].version = v(3);
            it.record.rollbacks =
                vec![PastRollback { version: v(2), at: at("10:04:30"), ..past_rollback(5) }];
        },
    );
    insta::assert_snapshot!(table(vec![
        ("the rollback of an unknown deployment", unknown_rollback(), event_of("d-2", "SUCCESS")),
        (
            "once more",
            answered_before(unknown_rollback(), &event_of("d-2", "SUCCESS")),
            event_of("d-2", "SUCCESS")
        ),
        ("a task set failed", silent(), event_of("d-7", "FAILURE")),
        (
            "once more, for ECS",
            answered_before(silent(), &event_of("d-7", "FAILURE")),
            event_of("d-7", "FAILURE")
        ),
        (
            "a task set begins",
            seen(None, "1:100", task_set(DeploymentStatus::InProgress)),
            event_of("d-7", "START")
        ),
        ("a deployment beside a release by hand", beside(), event_of("d-7", "START")),
        (
            "once more, by hand",
            answered_before(beside(), &event_of("d-7", "START")),
            event_of("d-7", "START")
        ),
        ("our own deployment to the version that a person named", taken_back, event_of("d-3", "START")),
        ("a deployment that is gone", seen(None, "1:100", vec![]), event("START")),
    ]));
    assert_eq!(
        decide(&event("START"), &seen(None, "1:100", vec![]), moment(at("10:05:02"))).course,
        Course::StandDown
    );
}
