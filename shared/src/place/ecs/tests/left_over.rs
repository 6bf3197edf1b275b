//! Tasks that outlive their deployment.

use super::*;

#[test]
fn stuck_tasks_are_stopped_only_where_that_was_registered() {
    let stuck = left_over(false, candidate());
    assert_eq!(line(&way(&place(true), &stuck, &back())), "ecs:StopTask in shop of checkout:8: t1 t2",);
    check(
        &stuck,
        back(),
        "coming: checkout:7 has its tasks, and these still run: t1 of checkout:8, which nobody has asked to stop, t2 \
         of checkout:8, which nobody has asked to stop",
    );
}

#[test]
fn a_task_that_is_stopping_and_one_of_another_release_are_waited_for() {
    let stopping = "coming: checkout:7 has its tasks, and these still run: t1 of checkout:8, stopping since \
                    1970-01-01T00:00:00Z, t2 of checkout:8, stopping since 1970-01-01T00:00:00Z";
    assert_eq!(line(&way(&place(true), &left_over(true, candidate()), &back())), stopping);
    let anothers = way(&place(true), &left_over(false, version("checkout:6")), &back());
    assert!(line(&anothers).starts_with("coming: "), "{anothers:?}");
    // On the way forward the tasks that are left belong to what is still known to be good.
    let forward = way(
        &place(true),
        &Seen { left_over: left_over(false, stable()).left_over, ..settled(candidate()) },
        &forward(Weight::ALL),
    );
    assert!(line(&forward).starts_with("coming: "), "{forward:?}");
}

#[test]
fn as_many_tasks_as_one_step_may_stop_are_stopped() {
    let task = |number| Task {
        task: arn(&format!("task/shop/t{number}")),
        version: candidate(),
        is_stopping: false,
        stopping_at: None,
    };
    for (count, stopped) in [(10, 10), (11, 10)] {
        let seen = Seen { left_over: (0..count).map(task).collect(), ..settled(stable()) };
        let Way::Call { call: AnyCall::EcsService(Call::StopTasks { tasks, .. }), is_claimed: false } =
            way(&place(true), &seen, &back())
        else {
            panic!("tasks are stopped");
        };
        assert_eq!(tasks.len(), stopped, "of {count}");
    }
}
