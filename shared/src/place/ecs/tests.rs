#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects, and fails on everything else"
)]

use super::*;
use crate::place::{Blocked, Call as AnyCall, Wanted, Way};

mod left_over;
mod sequences;

fn version(name: &str) -> Version {
    name.parse().expect("a version")
}

fn arn(resource: &str) -> Arn {
    format!("arn:aws:ecs:eu-west-1:123456789012:{resource}").parse().expect("an ARN")
}

fn stable() -> Version {
    version("checkout:7")
}

fn candidate() -> Version {
    version("checkout:8")
}

fn place(stop_stuck_tasks: bool) -> Service {
    Service {
        cluster: "shop".parse().expect("a name"),
        service: "web".parse().expect("a name"),
        stop_stuck_tasks,
    }
}

fn back() -> Wanted {
    Wanted::back(stable(), candidate())
}

fn forward(weight: Weight) -> Wanted {
    Wanted { weight, ..back() }
}

fn rollout(version: Version, state: RolloutState, running_count: u32) -> Rollout {
    Rollout {
        version,
        state: Some(state),
        why: "made up".to_owned(),
        desired_count: 3,
        running_count,
        pending_count: 0,
    }
}

/// Three tasks of a version, and nothing under way.
fn settled(version: Version) -> Seen {
    Seen {
        life: Life::Active,
        controller: Controller::Ecs,
        manner: Manner::Rolling,
        desired_count: 3,
        primary: Some(rollout(version, RolloutState::Completed, 3)),
        others: Vec::new(),
        flight: None,
        definitions: Vec::new(),
        left_over: Vec::new(),
    }
}

fn flying(heading: Heading, status: &str, target: Option<Version>) -> Seen {
    Seen {
        primary: Some(rollout(candidate(), RolloutState::InProgress, 1)),
        others: vec![rollout(stable(), RolloutState::Completed, 2)],
        flight: Some(Flight {
            deployment: arn("service-deployment/shop/web/d1"),
            heading,
            status: status.to_owned(),
            target,
        }),
        ..settled(candidate())
    }
}

fn starting(version: Version) -> Seen {
    Seen { primary: Some(rollout(version, RolloutState::InProgress, 1)), ..settled(version) }
}

fn failed(version: Version) -> Seen {
    Seen { primary: Some(rollout(version, RolloutState::Failed, 0)), ..settled(version) }
}

fn found(found: Found) -> Seen {
    Seen { definitions: vec![Definition { version: stable(), found }], ..settled(candidate()) }
}

fn left_over(is_stopping: bool, of: Version) -> Seen {
    let tasks = ["t1", "t2"].map(|id| Task {
        task: arn(&format!("task/shop/{id}")),
        version: of,
        is_stopping,
        stopping_at: is_stopping.then_some(Timestamp::UNIX_EPOCH),
    });
    Seen { left_over: tasks.into(), ..settled(stable()) }
}

/// A way as a line: what a person would read of it.
fn line(way: &Way) -> String {
    match way {
        Way::There => "there".to_owned(),
        Way::Call { call: AnyCall::EcsService(call), is_claimed } => {
            format!("{}{call}", if *is_claimed { "claimed: " } else { "" })
        }
        Way::Call { call, .. } => format!("another kind's: {call}"),
        Way::Coming { what } => format!("coming: {what}"),
        Way::Blocked(why) => format!("blocked: {why}"),
    }
}

#[track_caller]
fn check(seen: &Seen, wanted: Wanted, expected: &str) {
    assert_eq!(line(&way(&place(false), seen, &wanted)), expected);
}

const STOP: &str = "ecs:StopServiceDeployment arn:aws:ecs:eu-west-1:123456789012:service-deployment/shop/web/d1 with \
                    rollback, unless it has ended: it brings checkout:8";
const UPDATE_BACK: &str =
    "claimed: ecs:UpdateService shop/web to checkout:7 (was checkout:8), as a new deployment";

#[test]
fn a_deployment_of_the_candidate_is_stopped_by_its_name() {
    check(&flying(Heading::Forward, "IN_PROGRESS", Some(candidate())), back(), STOP);
    check(&flying(Heading::Forward, "PENDING", Some(candidate())), back(), STOP);
    let shifting = Seen {
        manner: Manner::Shifting("CANARY".to_owned()),
        ..flying(Heading::Forward, "IN_PROGRESS", Some(candidate()))
    };
    check(&shifting, back(), STOP);
}

#[test]
fn a_deployment_that_goes_back_already_is_waited_for() {
    for status in ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "STOP_REQUESTED"] {
        check(
            &flying(Heading::Back, status, None),
            back(),
            &format!("coming: service deployment d1 is {status}, on its way back"),
        );
    }
    check(
        &flying(Heading::Forward, "IN_PROGRESS", Some(stable())),
        back(),
        "coming: service deployment d1 is IN_PROGRESS, to checkout:7",
    );
}

#[test]
fn a_deployment_of_something_else_is_not_ours_to_stop() {
    check(
        &flying(Heading::Forward, "IN_PROGRESS", Some(version("checkout:9"))),
        back(),
        "blocked: service deployment d1 of checkout:9, IN_PROGRESS, is under way there",
    );
    check(
        &flying(Heading::Forward, "IN_PROGRESS", None),
        back(),
        "blocked: service deployment d1, IN_PROGRESS, is under way there",
    );
    check(
        &settled(version("checkout:9")),
        back(),
        "blocked: somebody else has changed it: its newest deployment is of checkout:9",
    );
}

#[test]
fn a_completed_candidate_is_replaced_by_what_the_release_left() {
    check(&settled(candidate()), back(), UPDATE_BACK);
    check(&found(Found::Fit), back(), UPDATE_BACK);
    let lacking =
        Seen { primary: Some(rollout(candidate(), RolloutState::Completed, 2)), ..settled(candidate()) };
    check(&lacking, back(), UPDATE_BACK);
}

#[test]
fn nothing_is_deployed_that_is_known_to_be_in_vain() {
    for (why, expected) in [
        (
            Found::Retired { status: "INACTIVE".to_owned() },
            "blocked: version checkout:7 is INACTIVE and cannot be served",
        ),
        (
            Found::ImageGone { image: "repo@sha256:00".to_owned() },
            "blocked: image repo@sha256:00 is no longer in its registry",
        ),
        (Found::Missing, "blocked: there is no version checkout:7 there"),
    ] {
        check(&found(why), back(), expected);
    }
    // A family alone would be taken for its latest revision.
    let family = Wanted::back(version("checkout"), candidate());
    check(&settled(candidate()), family, "blocked: there is no version checkout there");
}

#[test]
fn a_service_that_others_move_is_left_to_them() {
    let seen = Seen { controller: Controller::CodeDeploy, ..settled(candidate()) };
    check(
        &seen,
        back(),
        "blocked: it is driven by CODE_DEPLOY: ECS lets only CodeDeploy change its task definition; CodeDeploy's \
         deployment group is what puts it back",
    );
    let seen =
        Seen { controller: Controller::Other("EXTERNAL".to_owned()), primary: None, ..settled(candidate()) };
    check(
        &seen,
        back(),
        "blocked: it is driven by EXTERNAL: ECS lets only its controller change its task sets",
    );
}

#[test]
fn a_service_that_is_deleted_takes_nothing() {
    for (life, status) in [(Life::Draining, "DRAINING"), (Life::Inactive, "INACTIVE")] {
        let seen = Seen { life, ..settled(candidate()) };
        check(
            &seen,
            back(),
            &format!("blocked: it is {status}: a service that is deleted takes no deployment"),
        );
    }
    let seen = Seen { primary: None, ..settled(candidate()) };
    check(&seen, back(), "blocked: it is without deployments: ECS lists none for it");
}

#[test]
fn a_rolling_deployment_that_is_not_listed_is_replaced_and_a_shifting_one_is_not() {
    check(&starting(candidate()), back(), UPDATE_BACK);
    let shifting = Seen { manner: Manner::Shifting("BLUE_GREEN".to_owned()), ..starting(candidate()) };
    check(&shifting, back(), "coming: a BLUE_GREEN deployment of checkout:8 that is not listed yet");
    check(&starting(stable()), back(), "coming: 1 of 3 tasks of checkout:7 run");
}

#[test]
fn a_failed_deployment_of_the_candidate_is_replaced_and_one_of_the_stable_is_a_page() {
    check(&failed(candidate()), back(), UPDATE_BACK);
    check(&failed(stable()), back(), "blocked: it is deployed checkout:7 in vain: made up");
}

#[test]
fn a_circuit_breaker_that_went_back_by_itself_leaves_nothing_to_do() {
    // The failed deployment is still listed, without tasks.
    let seen = Seen { others: vec![rollout(candidate(), RolloutState::Failed, 0)], ..settled(stable()) };
    check(&seen, back(), "there");
}

#[test]
fn a_service_without_tasks_goes_back_but_not_forward() {
    let empty = |version| Seen {
        desired_count: 0,
        primary: Some(Rollout { desired_count: 0, ..rollout(version, RolloutState::Completed, 0) }),
        ..settled(version)
    };
    check(&empty(candidate()), back(), UPDATE_BACK);
    check(&empty(stable()), back(), "there");
    check(
        &empty(stable()),
        forward(Weight::ALL),
        "blocked: it is without tasks: its desired count is 0, so that the candidate would have no traffic",
    );
}

#[test]
fn it_is_there_once_every_task_is_the_stable_ones() {
    check(&settled(stable()), back(), "there");
    let with = |running_count, pending_count| Seen {
        primary: Some(Rollout { pending_count, ..rollout(stable(), RolloutState::Completed, running_count) }),
        ..settled(stable())
    };
    check(&with(2, 1), back(), "coming: 2 of 3 tasks of checkout:7 run");
    check(&with(3, 1), back(), "coming: 3 of 3 tasks of checkout:7 run");
    check(&with(4, 0), back(), "there");
    // A deployment that has only just begun wants no tasks yet.
    let begun = Rollout { desired_count: 0, ..rollout(stable(), RolloutState::Completed, 0) };
    check(
        &Seen { primary: Some(begun), ..settled(stable()) },
        back(),
        "coming: 0 of 0 tasks of checkout:7 run",
    );
    // Behind a Classic Load Balancer ECS says nothing of a deployment's state.
    let silent = Rollout { state: None, ..rollout(stable(), RolloutState::Completed, 3) };
    check(&Seen { primary: Some(silent), ..settled(stable()) }, back(), "there");
    let draining =
        Seen { others: vec![rollout(candidate(), RolloutState::Completed, 1)], ..settled(stable()) };
    check(&draining, back(), "coming: checkout:7 has its tasks, and these still run: 1 tasks of checkout:8");
}

#[test]
fn a_share_is_refused_and_all_is_deployed() {
    let half = Weight::from_percent(50);
    check(
        &settled(stable()),
        forward(half),
        "blocked: it cannot serve 50% of the candidate: a rolling deployment replaces task after task, and stops at no \
         share",
    );
    let shifting = Seen { manner: Manner::Shifting("CANARY".to_owned()), ..settled(stable()) };
    check(
        &shifting,
        forward(half),
        "blocked: it cannot serve 50% of the candidate: its CANARY deployment shifts by itself, from the first share to \
         all; ask for all",
    );
    for seen in [settled(stable()), shifting] {
        check(
            &seen,
            forward(Weight::ALL),
            "claimed: ecs:UpdateService shop/web to checkout:8 (was checkout:7)",
        );
    }
}

#[test]
fn a_release_waits_for_its_own_deployment_and_for_no_other() {
    check(
        &flying(Heading::Forward, "IN_PROGRESS", Some(candidate())),
        forward(Weight::ALL),
        "coming: service deployment d1 is IN_PROGRESS, to checkout:8",
    );
    check(
        &flying(Heading::Back, "ROLLBACK_IN_PROGRESS", None),
        forward(Weight::ALL),
        "blocked: service deployment d1, ROLLBACK_IN_PROGRESS, is under way there",
    );
    check(
        &flying(Heading::Forward, "PENDING", Some(stable())),
        forward(Weight::ALL),
        "blocked: service deployment d1 of checkout:7, PENDING, is under way there",
    );
    check(
        &starting(stable()),
        forward(Weight::ALL),
        "blocked: a deployment of checkout:7 is under way there",
    );
    check(&failed(candidate()), forward(Weight::ALL), "blocked: it is deployed checkout:8 in vain: made up");
}

#[test]
fn what_it_serves_is_told_by_the_tasks_that_run() {
    let two = |ours: u32, others: u32| {
        let seen = Seen {
            primary: Some(rollout(candidate(), RolloutState::InProgress, ours)),
            others: vec![
                rollout(candidate(), RolloutState::Completed, 9),
                rollout(version("checkout:6"), RolloutState::Completed, 0),
                rollout(stable(), RolloutState::Completed, others),
            ],
            ..settled(candidate())
        };
        seen.traffic().map(|traffic| traffic.to_string())
    };
    assert_eq!(two(1, 3).as_deref(), Some("checkout:7 on 75%, checkout:8 on 25%"));
    assert_eq!(two(0, 3).as_deref(), Some("checkout:7 on 100%"));
    assert_eq!(two(3, 0).as_deref(), Some("checkout:8 on 100%"));
    assert_eq!(two(0, 0).as_deref(), Some("checkout:8 on 100%"));
    assert_eq!(Seen { primary: None, ..settled(stable()) }.traffic(), None);
}

#[test]
fn a_revision_has_a_family_and_a_number() {
    for (name, is_one) in
        [("checkout:7", true), ("checkout", false), ("checkout:0", false), ("checkout:new", false)]
    {
        assert_eq!(is_revision(version(name)), is_one, "{name}");
    }
}

#[test]
fn each_call_says_what_it_needs() {
    let actions = |seen: &Seen| match way(&place(true), seen, &back()) {
        Way::Call { call, .. } => call.iam_actions(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        actions(&flying(Heading::Forward, "PENDING", Some(candidate()))),
        ["ecs:StopServiceDeployment"]
    );
    assert_eq!(actions(&settled(candidate())), ["ecs:UpdateService", "iam:PassRole"]);
    assert_eq!(actions(&left_over(false, candidate())), ["ecs:StopTask"]);
}
