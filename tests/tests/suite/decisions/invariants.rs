//! The invariants, each by its name.

use super::*;

fn moves(decision: &Decision) -> Vec<&SetTraffic> {
    let moves = decision.steps.iter().flatten().filter_map(|step| match step {
        Step::SetTraffic(set) if set.was != set.traffic => Some(set),
        Step::SetTraffic(_)
        | Step::StopDeployment { .. }
        | Step::Reverse(_)
        | Step::Await { .. }
        | Step::Turn(_)
        | Step::See(_)
        | Step::Confirm { .. }
        | Step::Pin { .. }
        | Step::Write(_)
        | Step::Hear { .. }
        | Step::Tell(_)
        | Step::KeepLogs(_)
        | Step::Note(_)
        | Step::StopExecution { .. } => None,
    });
    moves.collect()
}

#[test]
fn no_release_inside_the_window_means_no_rollback() {
    for (world, changed_at, expected) in [
        (World::checkout(), "10:05:00", false),
        (short_window(), "12:00:00", true),
        (short_window(), "12:00:01", false),
        (held_complete(), "12:00:01", true),
        (held_complete(), "12:00:02", false),
    ] {
        let decision = answer(&world, &alarm(changed_at), "12:00:10");
        assert_eq!(!moves(&decision).is_empty(), expected, "at {changed_at}: {}", render(&decision));
    }
}

#[test]
fn a_signal_older_than_the_release_never_rolls_it_back() {
    for signal in [alarm("09:59:59"), command("09:59:59", None), command("09:59:59", Some(3))] {
        let ends = [Phase::Complete, Phase::Held, Phase::RollbackFailed, Phase::RolledBack];
        let releases = ends.map(|phase| ended(phase, "11:00:00", "whatever")).into_iter().chain([canary()]);
        for release in releases {
            let world = World::checkout().released(release).serving("1:90,2:10");
            let decision = answer(&world, &signal, "11:30:00");
            assert!(moves(&decision).is_empty(), "{}", render(&decision));
        }
    }
}

#[test]
fn traffic_comes_first() {
    let decision = answer(&two_targets(), &alarm("10:05:00"), "10:05:02");
    let first = &decision.steps[0];
    assert_eq!(first.len(), 2, "both aliases are set together");
    assert!(first.iter().all(Step::moves_traffic), "{}", render(&decision));
}

/// Not by a hold, not by the limit, not by a report under way, not by a quarantine: only a barrier is stronger.
#[test]
fn a_rollback_is_never_vetoed() {
    let in_phase = |phase| World::checkout().released(ended(phase, "10:06:00", "why")).serving("1:90,2:10");
    let everything_at_once = in_phase(Phase::Held).with(|world| {
        world.record.rollbacks = (1..9).map(|it| past_rollback(it, 1, at("10:00:00"))).collect();
        world.record.release.as_mut().unwrap().report = Report::Leased { until: at("10:07:30") };
    });
    for world in
        [in_canary(), completed(), in_phase(Phase::Held), in_phase(Phase::RollbackFailed), everything_at_once]
    {
        let decision = answer(&world, &command("10:07:00", None), "10:07:02");
        assert_eq!(decision.course, Course::Restore, "{}", render(&decision));
        assert_eq!(moves(&decision)[0].traffic, traffic("1:100"));
    }
}

#[test]
fn a_rolled_back_artefact_is_quarantined() {
    let mut world = in_canary();
    let decision = answer(&world, &alarm("10:05:00"), "10:05:02");
    world.take(&decision.steps).unwrap();
    let [rollback] = world.record.rollbacks.as_slice() else { panic!("{:?}", world.record.rollbacks) };
    assert_eq!((rollback.version, rollback.artefact.as_deref()), (v(2), Some("sha-2")));
    assert!(rollback.automatic);
}

#[test]
fn past_a_barrier_ripcord_holds_and_pages() {
    let mut world = in_canary().with(|world| world.record.registration.barriers = vec![barrier(2)]);
    let decision = answer(&world, &alarm("10:05:00"), "10:05:02");
    world.take(&decision.steps).unwrap();
    assert_eq!(decision.course, Course::Hold);
    assert_eq!(world.live("api").traffic, traffic("1:90,2:10"));
    assert_eq!(world.record.release.as_ref().map(|release| release.phase), Some(Phase::Held));
    assert_eq!(world.notices.iter().map(|notice| notice.severity).collect::<Vec<_>>(), [Severity::Page]);
}

#[test]
fn a_failed_rollback_is_the_loudest_outcome() {
    let mut world = in_canary();
    let why = "lambda:UpdateAlias checkout-api:live: access denied".to_owned();
    let failure = decide_failure(&alarm("10:05:00"), &world.situation(), why, moment(at("10:05:02")));
    assert_eq!(failure.course, Course::Stuck);
    assert!(matches!(failure.reason, Reason::CallFailed { .. }));
    world.take(&failure.steps).unwrap();
    let release = world.record.release.as_ref().unwrap();
    assert_eq!(release.phase, Phase::RollbackFailed);
    assert_eq!(world.notices[0].severity, Severity::Page);
    assert_eq!(world.evidence[0].kind, "failure");
    insta::assert_snapshot!(format!("{}{}\n", render(&failure), world.notices[0].description));
    // The next delivery tries again, and succeeds.
    let retry = answer(&world, &alarm("10:05:00"), "10:06:02");
    assert_eq!((retry.course, moves(&retry).len()), (Course::Restore, 1));
}

/// A completed release makes its candidate known to be good; taking it back takes that back, too.
#[test]
fn what_is_taken_back_is_no_longer_known_to_be_good() {
    let mut world = completed();
    let decision = answer(&world, &alarm("12:00:00"), "12:00:02");
    world.take(&decision.steps).unwrap();
    assert_eq!(world.record.known_good[0].version, v(1));
    let again = answer(&world, &command("12:05:00", None), "12:05:02");
    assert!(matches!(again.reason, Reason::AlreadyServing { .. }), "{}", render(&again));
}

/// A service rolled back by a person to a version that they name knows that version to be good.
#[test]
fn the_version_that_a_person_named_is_known_to_be_good_instead() {
    let mut world = completed();
    let decision = answer(&world, &command("12:00:00", Some(3)), "12:00:02");
    world.take(&decision.steps).unwrap();
    assert_eq!(world.record.known_good[0].version, v(3));
    assert_eq!(world.live("api").traffic.share_of(v(3)), Weight::ALL);
}
