//! The rows of the table, one state each.

use super::world::{empty, healthy, initial, unhealthy, unread, unused};
use super::*;

fn percent(percent: u32) -> Wanted {
    shift(Weight::from_percent(percent))
}

#[test]
fn everything_goes_back_in_one_call_that_keeps_the_sum() {
    check(
        &World::weighted(90, 10),
        &back(),
        "SET blue gets weight 100 (was 90), green gets weight 0 (was 10)",
    );
    check(&World::weighted(0, 1), &back(), "SET blue gets weight 1 (was 0), green gets weight 0 (was 1)");
    check(&World::weighted(0, 0), &back(), "SET blue gets weight 100 (was 0), green gets weight 0 (was 0)");
    check(
        &World::named(None, Some(1)),
        &back(),
        "SET blue gets weight 1 (not named before), green gets weight 0 (was 1)",
    );
}

#[test]
fn a_group_that_has_everything_is_left_alone() {
    check(&World::weighted(100, 0), &back(), "there");
    check(&World::named(Some(1), None), &back(), "there");
    check(&World::weighted(5, 0).with_other(95), &back(), "there");
    check(&World::weighted(100, 0).where_health(unhealthy(), healthy()), &back(), "there");
    check(&World::weighted(90, 10), &percent(10), "there");
    check(&World::weighted(0, 1), &percent(100), "there");
}

#[test]
fn a_candidate_gets_its_share_of_what_the_two_have() {
    check(
        &World::named(Some(1), None),
        &percent(10),
        "SET blue gets weight 90 (was 1), green gets weight 10 (not named before)",
    );
    check(
        &World::weighted(90, 10),
        &percent(50),
        "SET blue gets weight 50 (was 90), green gets weight 50 (was 10)",
    );
    check(
        &World::weighted(50, 50),
        &percent(100),
        "SET blue gets weight 0 (was 50), green gets weight 100 (was 50)",
    );
    check(
        &World::weighted(50, 50),
        &percent(10),
        "SET blue gets weight 90 (was 50), green gets weight 10 (was 50)",
    );
}

#[test]
fn other_groups_and_actions_stay_and_are_named() {
    check(
        &World::weighted(40, 10).with_other(50).with_authentication(),
        &back(),
        "SET blue gets weight 50 (was 40), green gets weight 0 (was 10), others keeps 50, authenticate-oidc stays",
    );
    check(
        &World::weighted(1, 0).with_other(1),
        &percent(10),
        "blocked: it cannot serve 10% of the candidate: beside the weights of other groups, those of these two have too small a sum for exactly that share",
    );
}

#[test]
fn a_share_that_weights_cannot_express_is_refused() {
    check(
        &World::weighted(100, 0),
        &shift(Weight::from_share(0.000_5).expect("a share")),
        "blocked: it cannot serve 0.05% of the candidate: weights are whole numbers from 0 to 999, and none give exactly that share",
    );
}

#[test]
fn how_long_clients_may_stay_is_said() {
    check(
        &World::weighted(90, 10).sticky(3_600),
        &back(),
        "SET blue gets weight 100 (was 90), green gets weight 0 (was 10); clients may keep to the group that they were sent to for up to 3600 s",
    );
    check(&World::weighted(100, 0).sticky(3_600), &back(), "there");
}

#[test]
fn nothing_goes_to_a_group_without_anybody_healthy() {
    let went_bad = World::weighted(90, 10).where_health(unhealthy(), healthy());
    check(&went_bad, &back(), "blocked: target group blue has nobody healthy among its 2 targets");
    let unread_candidate = World::weighted(90, 10).where_health(unhealthy(), unread());
    check(&unread_candidate, &back(), "blocked: target group blue has nobody healthy among its 2 targets");
    let bad_candidate = World::weighted(100, 0).where_health(healthy(), empty());
    check(&bad_candidate, &percent(10), "blocked: target group green has nobody healthy among its 0 targets");
    let both = World::weighted(100, 0).where_health(unhealthy(), unhealthy());
    check(&both, &percent(10), "blocked: target group green has nobody healthy among its 2 targets");
}

#[test]
fn going_back_makes_nothing_worse_where_neither_has_anybody_healthy() {
    let moves = "SET blue gets weight 100 (was 90), green gets weight 0 (was 10); nobody is healthy in blue, nor in green";
    for blue in [unhealthy(), initial(), unused()] {
        check(&World::weighted(90, 10).where_health(blue, unhealthy()), &back(), moves);
    }
    check(&World::weighted(90, 10).where_health(empty(), empty()), &back(), moves);
    check(&World::weighted(90, 10).where_health(unhealthy(), Health::Gone), &back(), moves);
    // A load balancer without anybody healthy tries everybody who is registered; an empty group has nobody to try.
    let emptied = World::weighted(90, 10).where_health(empty(), unhealthy());
    check(&emptied, &back(), "blocked: target group blue has nobody healthy among its 0 targets");
}

#[test]
fn health_that_cannot_be_read_stops_a_shift_but_no_way_back() {
    let unknown = World::weighted(90, 10).where_health(unread(), unread());
    check(
        &unknown,
        &back(),
        "SET blue gets weight 100 (was 90), green gets weight 0 (was 10); whether blue is healthy is not known: access denied",
    );
    check(&unknown, &percent(50), "blocked: it is not known whether green is healthy: access denied");
    check(
        &unknown,
        &percent(5),
        "SET blue gets weight 95 (was 90), green gets weight 5 (was 10); whether blue is healthy is not known: access denied",
    );
}

#[test]
fn a_group_that_nothing_checks_is_named_first_and_waited_for() {
    let idle = World::named(Some(1), None).where_health(healthy(), unused());
    check(
        &idle,
        &percent(10),
        "SET blue gets weight 1 (was 1), green gets weight 0 (not named before); green is named with weight 0 first, so that its targets are checked",
    );
    let idle = World::named(None, Some(1)).where_health(unused(), healthy());
    check(
        &idle,
        &back(),
        "SET blue gets weight 0 (not named before), green gets weight 1 (was 1); blue is named with weight 0 first, so that its targets are checked",
    );
    let coming = "coming: none of the 2 targets of green is healthy yet: 2 are being checked";
    check(&World::weighted(1, 0).where_health(healthy(), initial()), &percent(10), coming);
    check(&World::weighted(1, 0).where_health(healthy(), unused()), &percent(10), coming);
}

#[test]
fn what_somebody_else_changed_is_not_touched() {
    check(&World::answering(), &back(), "blocked: somebody else has changed it: redirect HTTP_301");
    let taken_out = World::named(None, None).with_other(1);
    check(&taken_out, &back(), "blocked: somebody else has changed it: forward to others 1");
    let emptied = World::weighted(0, 0).with_other(100);
    check(&emptied, &back(), "blocked: somebody else has changed it: forward to blue 0, green 0, others 100");
    check(
        &emptied,
        &percent(10),
        "blocked: somebody else has changed it: forward to blue 0, green 0, others 100",
    );
}

#[test]
fn what_could_not_be_sent_again_is_not_replaced() {
    check(
        &World::weighted(90, 10).with_unknown_action(),
        &back(),
        "blocked: it is with an action of the kind knock-knock: all actions are replaced at once, and this one could not be sent again as it is",
    );
    let default = World::weighted(90, 10).default_rule();
    check(
        &default,
        &back(),
        "blocked: it is the default rule of its listener: only the listener itself can change it: register the listener's ARN",
    );
}

#[test]
fn a_group_that_is_gone_or_not_one_of_the_two_is_no_version() {
    let gone = World::weighted(90, 10).where_health(Health::Gone, healthy());
    check(&gone, &back(), "blocked: there is no version blue there");
    let wanted = Wanted::back(version("red"), version("green"));
    check(&World::weighted(90, 10), &wanted, "blocked: there is no version red there");
    let wanted = Wanted { candidate: version("red"), ..percent(10) };
    check(&World::weighted(90, 10), &wanted, "blocked: there is no version red there");
    // On the way back the other one of the two gives way, whatever the release calls it.
    let wanted = Wanted::back(version("blue"), version("blue"));
    check(
        &World::weighted(90, 10),
        &wanted,
        "SET blue gets weight 100 (was 90), green gets weight 0 (was 10)",
    );
}
