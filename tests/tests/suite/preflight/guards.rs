//! The guards: there, quiet, and able to call.

use ripcord::pipeline::Waivable;
use ripcord::preflight::Outcome;
use ripcord::registration::Guard;
use ripcord::signal::AlarmState;

use super::{Case, check, check_waivable, guard, unseen};

const ARN: &str = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:latency";
const ELSEWHERE: &str = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:latency";

fn guarded_by(case: &mut Case, alarms: &[&str]) {
    case.record.registration.guards =
        alarms.iter().map(|alarm| Guard { alarm: (*alarm).to_owned() }).collect();
}

fn state(state: Option<AlarmState>) -> impl Fn(&mut Case) {
    move |case| {
        case.facts.guards.as_mut().unwrap()[0].state = state;
    }
}

#[test]
fn a_guard_that_fires_stops_a_release_unless_that_is_waived() {
    check(state(Some(AlarmState::Ok)), "alarms", Outcome::Passed, "1 of 1 guards are OK");
    check_waivable(Waivable::Alarms, state(Some(AlarmState::Alarm)), "alarms", "errors is in ALARM already");
    check(
        state(Some(AlarmState::InsufficientData)),
        "alarms",
        Outcome::Noted,
        "errors is in INSUFFICIENT_DATA, and no stage passes while it is; 0 of 1 guards are OK",
    );
    check(state(None), "alarms", Outcome::Failed, "errors is in a state that is not known");
}

#[test]
fn a_waiver_of_firing_guards_covers_neither_missing_nor_unseen_ones() {
    let waived = |alter: fn(&mut Case)| {
        move |case: &mut Case| {
            case.waive(Waivable::Alarms);
            alter(case);
        }
    };
    check(|case| case.facts.guards = Ok(Vec::new()), "alarms", Outcome::Failed, "errors does not exist");
    check(
        waived(|case| case.facts.guards = Ok(Vec::new())),
        "alarms",
        Outcome::Failed,
        "errors does not exist",
    );
    check(
        waived(|case| case.facts.guards = unseen()),
        "alarms",
        Outcome::Failed,
        "the guards could not be seen: AccessDenied",
    );
}

#[test]
fn a_guard_that_calls_nobody_is_noted() {
    check(
        |case| case.facts.guards.as_mut().unwrap()[0].actions_enabled = false,
        "alarms",
        Outcome::Noted,
        "the actions of errors are disabled: it pulls no cord; 1 of 1 guards are OK",
    );
    check(
        |case| case.facts.guards.as_mut().unwrap()[0].suppressed_by = Some("maintenance".to_owned()),
        "alarms",
        Outcome::Noted,
        "the actions of errors are suppressed by maintenance; 1 of 1 guards are OK",
    );
}

#[test]
fn the_worst_guard_comes_first() {
    check(
        |case| {
            guarded_by(case, &["errors", ARN, "gone"]);
            case.facts.guards =
                Ok(vec![guard("errors", AlarmState::InsufficientData), guard("latency", AlarmState::Alarm)]);
        },
        "alarms",
        Outcome::Failed,
        "latency is in ALARM already; gone does not exist; errors is in INSUFFICIENT_DATA, and no stage passes while it is",
    );
}

#[test]
fn a_guard_in_another_place_is_neither_asked_for_nor_missing() {
    let mut case = Case::well();
    guarded_by(&mut case, &["errors", ELSEWHERE]);
    case.with_subject(|subject| assert_eq!(subject.guards_here(), ["errors"]));
    check(
        |case| guarded_by(case, &["errors", ELSEWHERE]),
        "alarms",
        Outcome::Noted,
        &format!(
            "{ELSEWHERE} lies in another region or account and cannot be seen from here; 1 of 2 guards are OK"
        ),
    );
    guarded_by(&mut case, &["errors", ARN]);
    case.with_subject(|subject| assert_eq!(subject.guards_here(), ["errors", "latency"]));
}

#[test]
fn a_guard_that_lies_where_the_target_does_is_asked_for_there() {
    const THERE: &str = "arn:aws:cloudwatch:us-east-1:222222222222:alarm:errors";
    let elsewhere = |case: &mut Case, region: Option<&str>, role_arn: Option<&str>| {
        let reach = &mut case.record.registration.targets[0].reach;
        reach.region = region.map(|region| region.parse().unwrap());
        reach.role_arn = role_arn.map(|role| role.parse().unwrap());
        guarded_by(case, &["errors", ELSEWHERE, THERE]);
    };
    let there = |region, role_arn| {
        let mut case = Case::well();
        elsewhere(&mut case, region, role_arn);
        case.with_subject(|subject| {
            assert_eq!(subject.guards_here(), ["errors"]);
            subject.guards_there().iter().map(ToString::to_string).collect::<Vec<_>>()
        })
    };
    let role = Some("arn:aws:iam::222222222222:role/ripcord");
    assert!(there(None, None).is_empty());
    assert_eq!(there(Some("us-east-1"), None), [ELSEWHERE]);
    assert_eq!(there(Some("us-east-1"), role), [THERE]);
    assert!(there(None, role).is_empty(), "the account's alarms of the region at home");

    // It goes by its ARN, so that the one of the same name at home is not taken for it.
    let firing = |case: &mut Case| {
        elsewhere(case, Some("us-east-1"), Some("arn:aws:iam::222222222222:role/ripcord"));
        guarded_by(case, &["errors", THERE]);
        let remote = ripcord::preflight::GuardState {
            name: THERE.to_owned(),
            arn: THERE.to_owned(),
            ..guard("errors", AlarmState::Alarm)
        };
        case.facts.guards = Ok(vec![guard("errors", AlarmState::Ok), remote]);
    };
    check(firing, "alarms", Outcome::Failed, &format!("{THERE} is in ALARM already"));
    check(
        move |case| {
            firing(case);
            case.facts.guards.as_mut().unwrap().pop();
        },
        "alarms",
        Outcome::Failed,
        &format!("{THERE} does not exist"),
    );
}
