//! The rows of the decision table for stacks, and a small CloudFormation that only takes calls.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects, and fails on everything else"
)]

use proptest::prelude::*;

use super::*;

const OLD: &str = "t-0000000000000001";
const NEW: &str = "t-0000000000000002";

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

fn place() -> Stack {
    serde_json::from_str(r#"{"stack":"checkout"}"#).expect("coordinates")
}

fn back() -> Wanted {
    Wanted::back(version(OLD), version(NEW))
}

fn changed_at() -> Timestamp {
    "2026-01-01T10:00:00Z".parse().expect("a time")
}

/// The candidate is deployed, the stable version's template is kept.
fn seen(status: Status) -> Seen {
    Seen {
        status,
        status_reason: None,
        deployed: version(NEW),
        changed_at: changed_at(),
        operation: None,
        kept: vec![version(OLD), version(NEW)],
        nested_in: None,
        role: Some("arn:aws:iam::123456789012:role/deployer".to_owned()),
        triggers: Vec::new(),
        asked: None,
        same_as: None,
    }
}

fn said(seen: &Seen, wanted: Wanted) -> String {
    match way(&place(), seen, &wanted) {
        Way::There => "there".to_owned(),
        Way::Coming { what } => format!("coming: {what}"),
        Way::Call { call, is_claimed: true } => format!("claimed: {call}"),
        Way::Call { call, is_claimed: false } => call.to_string(),
        Way::Blocked(why) => format!("blocked: {why}"),
    }
}

#[track_caller]
fn check(seen: &Seen, wanted: Wanted, expected: &str) {
    assert_eq!(said(seen, wanted), expected);
}

const REDEPLOYED: &str = "claimed: cloudformation:UpdateStack checkout from version t-0000000000000002 to the kept template and parameters of t-0000000000000001, with the rights of arn:aws:iam::123456789012:role/deployer; token ripcord-to-t-0000000000000001-1767261600000";
const CANCELLED: &str = "claimed: cloudformation:CancelUpdateStack checkout, if an update is still under way; token ripcord-cancel-1767261600000";

#[test]
fn every_status_has_its_row_on_the_way_back() {
    let never = "it has never been complete, so there is nothing to go back to";
    let deleted = "it is being deleted, or was";
    let imported = "resources are being imported into it, which no call of ours ends";
    let rolled_back = "cloudformation:RollbackStack checkout, if it is still UPDATE_FAILED; token ripcord-rollback-1767261600000";
    let mended = "CloudFormation could not go back: mend what its events name, then aws cloudformation continue-update-rollback";
    for status in Status::KNOWN {
        let blocked = |why: &str| format!("blocked: it is {status}: {why}");
        let expected = match status {
            Status::CreateComplete
            | Status::ImportComplete
            | Status::ImportRollbackComplete
            | Status::UpdateComplete
            | Status::UpdateRollbackComplete => REDEPLOYED.to_owned(),
            Status::UpdateInProgress => CANCELLED.to_owned(),
            Status::UpdateFailed => rolled_back.to_owned(),
            Status::UpdateCompleteCleanupInProgress
            | Status::UpdateRollbackInProgress
            | Status::UpdateRollbackCompleteCleanupInProgress => format!("coming: {status}"),
            Status::UpdateRollbackFailed => blocked(mended),
            Status::CreateFailed
            | Status::CreateInProgress
            | Status::ReviewInProgress
            | Status::RollbackComplete
            | Status::RollbackFailed
            | Status::RollbackInProgress => blocked(never),
            Status::DeleteComplete | Status::DeleteFailed | Status::DeleteInProgress => blocked(deleted),
            Status::ImportInProgress | Status::ImportRollbackFailed | Status::ImportRollbackInProgress => {
                blocked(imported)
            }
            Status::Unknown(_) => panic!("none of the known ones"),
        };
        check(&seen(status.clone()), back(), &expected);
        assert_eq!(Status::from(status.to_string()), *status);
    }
    check(
        &seen(Status::from("UPDATE_PAUSED".to_owned())),
        back(),
        "blocked: it is UPDATE_PAUSED: nobody knew that status when this was written",
    );
}

#[test]
fn a_stack_at_rest_is_there_if_it_is_the_stable_version_or_the_same() {
    check(&Seen { deployed: version(OLD), ..seen(Status::UpdateRollbackComplete) }, back(), "there");
    check(&Seen { same_as: Some(version(OLD)), ..seen(Status::UpdateComplete) }, back(), "there");
    check(
        &Seen { kept: Vec::new(), ..seen(Status::UpdateComplete) },
        back(),
        "blocked: it is UPDATE_COMPLETE: it is at version t-0000000000000002, and the template and parameters of version t-0000000000000001 are not kept",
    );
}

#[test]
fn our_own_redeployment_is_never_cancelled() {
    let token = "ripcord-to-t-0000000000000001-1767261500000".to_owned();
    let ours = Seen { operation: Some(token), ..seen(Status::UpdateInProgress) };
    check(&ours, back(), "coming: version t-0000000000000001 is being deployed again");
    // One that leads elsewhere is not the way back.
    let elsewhere = "ripcord-to-t-0000000000000003-1767261500000".to_owned();
    check(&Seen { operation: Some(elsewhere), ..ours }, back(), CANCELLED);
}

#[test]
fn a_redeployment_that_failed_is_not_tried_again() {
    let token = Some("ripcord-to-t-0000000000000001-1767261500000".to_owned());
    let reason = Some("no such package".to_owned());
    let failed = Seen { operation: token, status_reason: reason, ..seen(Status::UpdateRollbackComplete) };
    check(
        &failed,
        back(),
        "blocked: it is UPDATE_ROLLBACK_COMPLETE (no such package): version t-0000000000000001 was deployed again, and failed",
    );
    // What was cancelled is no failure of ours.
    let cancelled = Some("ripcord-cancel-1767261500000".to_owned());
    check(&Seen { operation: cancelled, status_reason: None, ..failed }, back(), REDEPLOYED);
}

#[test]
fn what_was_asked_for_is_awaited_while_cloudformation_still_shows_what_was_before() {
    let asked = |status, token: &str| Seen { asked: Some(token.to_owned()), ..seen(status) };
    let redeploying = asked(Status::UpdateComplete, "ripcord-to-t-0000000000000001-1767261600000");
    assert!(
        said(&redeploying, back())
            .starts_with("coming: CloudFormation was asked for cloudformation:UpdateStack")
    );
    let cancelling = asked(Status::UpdateInProgress, "ripcord-cancel-1767261600000");
    assert!(
        said(&cancelling, back())
            .starts_with("coming: CloudFormation was asked for cloudformation:CancelUpdateStack")
    );
    // What was asked for before the stack was changed again was something else.
    check(&asked(Status::UpdateComplete, "ripcord-to-t-0000000000000001-1"), back(), REDEPLOYED);
}

#[test]
fn a_nested_stack_is_left_to_the_one_that_it_is_in() {
    for status in [Status::UpdateInProgress, Status::UpdateFailed, Status::UpdateComplete] {
        let nested = Seen { nested_in: Some("arn:root".to_owned()), ..seen(status.clone()) };
        let why = "it is nested in arn:root, and only that may be operated on";
        check(&nested, back(), &format!("blocked: it is {status}: {why}"));
    }
}

#[test]
fn a_person_reads_whose_rights_are_used_and_which_alarms_are_not_watched() {
    let alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors".to_owned();
    check(
        &Seen { role: None, triggers: vec![alarm], ..seen(Status::UpdateComplete) },
        back(),
        "claimed: cloudformation:UpdateStack checkout from version t-0000000000000002 to the kept template and parameters of t-0000000000000001, with Ripcord's own rights, because it has no role, without its rollback triggers, which the next deployment must name again: arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors; token ripcord-to-t-0000000000000001-1767261600000",
    );
}

#[test]
fn only_its_team_takes_a_stack_forward() {
    let shift = |percent| Wanted { weight: Weight::from_percent(percent), ..back() };
    check(&seen(Status::UpdateComplete), shift(100), "there");
    check(
        &seen(Status::UpdateCompleteCleanupInProgress),
        shift(100),
        "coming: UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    );
    check(
        &seen(Status::UpdateComplete),
        shift(10),
        "blocked: it cannot serve 10% of the candidate: a stack is deployed as a whole",
    );
    let reason = Some("User Initiated".to_owned());
    check(
        &Seen { deployed: version(OLD), status_reason: reason, ..seen(Status::UpdateInProgress) },
        shift(100),
        "blocked: it is UPDATE_IN_PROGRESS (User Initiated): it is at version t-0000000000000001, and only its team's own deployment takes it to t-0000000000000002: deploy it, then open the release",
    );
}

#[test]
fn what_its_team_deployed_was_brought_there_and_what_went_back_was_not() {
    let brought = Some(Brought { version: version(NEW), at: changed_at() });
    assert_eq!(seen(Status::UpdateInProgress).brought(), brought);
    let theirs = Seen { operation: Some("Console-UpdateStack-1".to_owned()), ..seen(Status::UpdateComplete) };
    assert_eq!(theirs.brought(), brought);
    let ours = Some("ripcord-to-t-0000000000000001-1".to_owned());
    assert_eq!(Seen { operation: ours, ..theirs }.brought(), None);
    assert_eq!(seen(Status::UpdateRollbackComplete).brought(), None);
}

#[test]
fn cloudformation_watches_one_to_five_alarms_for_three_hours_at_most() {
    let parse = |alarms: usize, minutes: u32| {
        let alarm = |number| format!(r#""arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a{number}""#);
        let alarms = (0..alarms).map(alarm).collect::<Vec<_>>().join(",");
        let text = format!(
            r#"{{"stack":"s","rollback_triggers":{{"alarms":[{alarms}],"monitoring_minutes":{minutes}}}}}"#
        );
        serde_json::from_str::<Stack>(&text).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!((parse(1, 0), parse(5, 180)), (Ok(()), Ok(())));
    for (alarms, minutes, said) in [(0, 0, "0 alarms"), (6, 0, "6 alarms"), (1, 181, "181 minutes")] {
        let refused = parse(alarms, minutes).expect_err("refused");
        assert!(refused.starts_with(said), "{refused}");
    }
}

/// A stack: it takes a call if its status allows that, and comes to rest when time passes.
#[derive(Clone, Debug)]
struct World {
    seen: Seen,
    before: Version,
    calls: u32,
}

impl World {
    fn take(&mut self, call: &Call) {
        self.calls += 1;
        let at_rest = [
            Status::CreateComplete,
            Status::ImportComplete,
            Status::ImportRollbackComplete,
            Status::UpdateComplete,
            Status::UpdateRollbackComplete,
        ];
        match call {
            Call::Cancel { token, .. } if self.seen.status == Status::UpdateInProgress => {
                self.seen.status = Status::UpdateRollbackInProgress;
                self.seen.operation = Some(token.clone());
            }
            Call::RollBack { token, .. } if self.seen.status == Status::UpdateFailed => {
                self.seen.status = Status::UpdateRollbackInProgress;
                self.seen.operation = Some(token.clone());
            }
            Call::Redeploy(call) if at_rest.contains(&self.seen.status) => {
                self.before = self.seen.deployed;
                self.seen.deployed = call.to;
                self.seen.operation = Some(call.token());
                self.seen.status = Status::UpdateInProgress;
                self.seen.changed_at += jiff::SignedDuration::from_secs(1);
            }
            Call::Cancel { .. } | Call::RollBack { .. } | Call::Redeploy(_) => {}
        }
    }

    fn wait(&mut self) {
        self.seen.status = match &self.seen.status {
            Status::UpdateInProgress => Status::UpdateCompleteCleanupInProgress,
            Status::UpdateCompleteCleanupInProgress => Status::UpdateComplete,
            Status::UpdateRollbackInProgress => {
                self.seen.deployed = self.before;
                Status::UpdateRollbackCompleteCleanupInProgress
            }
            Status::UpdateRollbackCompleteCleanupInProgress => Status::UpdateRollbackComplete,
            other => other.clone(),
        };
    }
}

fn any_version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(OLD), Just(NEW), Just("t-0000000000000003")].prop_map(version)
}

proptest! {
    #[test]
    fn calls_and_patience_bring_it_back_or_say_why_not(
        status in prop::sample::select(Status::KNOWN),
        deployed in any_version(),
        before in any_version(),
        is_kept in any::<bool>(),
    ) {
        let kept = if is_kept { vec![version(OLD)] } else { Vec::new() };
        let seen = Seen { deployed, kept, ..seen(status) };
        let mut world = World { seen, before, calls: 0 };
        // A cancelled update and a redeployment, each with its clean-up, are 8 looks.
        for _ in 0..12 {
            match way(&place(), &world.seen, &back()) {
                Way::There => break,
                Way::Coming { .. } => world.wait(),
                Way::Call { call: crate::place::Call::Stack(call), .. } => world.take(&call),
                Way::Blocked(_) => break,
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert!(world.calls <= 2, "{:?}", world);
        match way(&place(), &world.seen, &back()) {
            Way::There => prop_assert_eq!(world.seen.deployed, version(OLD)),
            Way::Blocked(_) => prop_assert!(!is_kept || !world.seen.status.why_it_blocks().starts_with("there is a way")),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
