//! Every call brings the service nearer: a small ECS that only applies calls, looked at again after each.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn versions() -> impl Strategy<Value = Version> {
    prop_oneof![3 => Just(stable()), 3 => Just(candidate()), 1 => Just(version("checkout:9"))]
}

fn rollouts() -> impl Strategy<Value = Rollout> {
    let states = option::of(prop_oneof![
        Just(RolloutState::InProgress),
        Just(RolloutState::Completed),
        Just(RolloutState::Failed),
    ]);
    (versions(), states, 0..3_u32, 0..4_u32, 0..2_u32).prop_map(
        |(version, state, desired_count, running_count, pending_count)| Rollout {
            version,
            state,
            why: String::new(),
            desired_count,
            running_count,
            pending_count,
        },
    )
}

fn flights() -> impl Strategy<Value = Flight> {
    (prop_oneof![Just(Heading::Forward), Just(Heading::Back)], option::weighted(0.9, versions())).prop_map(
        |(heading, target)| Flight {
            deployment: arn("service-deployment/shop/web/d1"),
            heading,
            status: format!("{heading:?}"),
            target,
        },
    )
}

fn tasks() -> impl Strategy<Value = Task> {
    (0..30_u32, versions(), any::<bool>()).prop_map(|(id, version, is_stopping)| Task {
        task: arn(&format!("task/shop/t{id}")),
        version,
        is_stopping,
        stopping_at: None,
    })
}

fn definitions() -> impl Strategy<Value = Definition> {
    let found = prop_oneof![
        3 => Just(Found::Fit),
        1 => Just(Found::Missing),
        1 => Just(Found::Retired { status: "INACTIVE".to_owned() }),
        1 => Just(Found::ImageGone { image: "image".to_owned() }),
    ];
    (versions(), found).prop_map(|(version, found)| Definition { version, found })
}

fn services() -> impl Strategy<Value = Seen> {
    let life = prop_oneof![8 => Just(Life::Active), 1 => Just(Life::Draining), 1 => Just(Life::Inactive)];
    let controller = prop_oneof![
        8 => Just(Controller::Ecs),
        1 => Just(Controller::CodeDeploy),
        1 => Just(Controller::Other("EXTERNAL".to_owned())),
    ];
    let manner = prop_oneof![Just(Manner::Rolling), Just(Manner::Shifting("LINEAR".to_owned()))];
    let deployments = (option::weighted(0.9, rollouts()), vec(rollouts(), 0..3), option::of(flights()));
    (life, controller, manner, 0..3_u32, deployments, vec(definitions(), 0..3), vec(tasks(), 0..14)).prop_map(
        |(life, controller, manner, desired_count, (primary, others, flight), definitions, left_over)| Seen {
            life,
            controller,
            manner,
            desired_count,
            primary,
            others,
            flight,
            definitions,
            left_over,
        },
    )
}

/// What the service looks like right after a call.
fn apply(seen: &Seen, call: &Call) -> Seen {
    let mut after = seen.clone();
    match call {
        Call::StopDeployment { deployment, .. } => {
            let flight = after.flight.as_mut().expect("only what is under way is stopped");
            assert_eq!(flight.deployment, *deployment);
            flight.heading = Heading::Back;
        }
        Call::Update { to, .. } => {
            after.others.extend(after.primary.take());
            after.primary = Some(rollout(*to, RolloutState::InProgress, 0));
            after.flight = Some(Flight {
                deployment: arn("service-deployment/shop/web/d2"),
                heading: Heading::Forward,
                status: "PENDING".to_owned(),
                target: Some(*to),
            });
        }
        Call::StopTasks { tasks, .. } => {
            after.left_over.retain(|task| !tasks.contains(&task.task));
        }
    }
    after
}

proptest! {
    #[test]
    fn one_call_is_enough_and_is_never_repeated(
        seen in services(),
        is_back in any::<bool>(),
        stops_stuck in any::<bool>(),
    ) {
        let wanted = if is_back { back() } else { forward(Weight::ALL) };
        let mut seen = seen;
        let mut tasks_stopped = 0;
        // Tasks are stopped ten at a time, of fourteen at most.
        for _ in 0..3 {
            match way(&place(stops_stuck), &seen, &wanted) {
                Way::Call { call: AnyCall::EcsService(call), is_claimed } => {
                    let names_what_it_ends = !matches!(call, Call::Update { .. });
                    prop_assert_eq!(is_claimed, !names_what_it_ends);
                    prop_assert!(
                        names_what_it_ends || seen.flight.is_none(),
                        "a service is updated under a deployment: {seen:?}"
                    );
                    let after = apply(&seen, &call);
                    prop_assert_ne!(&after, &seen, "a call that changes nothing is repeated for ever");
                    if let Call::StopTasks { .. } = call {
                        tasks_stopped += 1;
                        prop_assert!(is_back && stops_stuck && tasks_stopped <= 2);
                    } else {
                        let then = way(&place(stops_stuck), &after, &wanted);
                        prop_assert!(matches!(then, Way::There | Way::Coming { .. }), "{call}, then {then:?}");
                        return Ok(());
                    }
                    seen = after;
                }
                Way::Call { call, .. } => prop_assert!(false, "another kind's call: {call}"),
                Way::There => {
                    let goal = if is_back { stable() } else { candidate() };
                    prop_assert!(seen.is_settled() && seen.left_over.is_empty(), "{seen:?}");
                    prop_assert_eq!(seen.primary.map(|primary| primary.version), Some(goal));
                    return Ok(());
                }
                Way::Coming { .. } | Way::Blocked(_) => return Ok(()),
            }
        }
        prop_assert!(false, "it is never there: {seen:?}");
    }

    #[test]
    fn a_share_is_never_called_for(seen in services(), percent in 1..100_u32) {
        let way = way(&place(true), &seen, &forward(Weight::from_percent(percent)));
        prop_assert!(matches!(way, Way::Blocked(Blocked::Indivisible { .. })), "{way:?}");
    }
}
