//! The checks before a release and after it: every outcome with its words, each limit at it and one past it.

use ripcord::error_type::ErrorType;
use ripcord::finding::Found;
use ripcord::judge::Tally;
use ripcord::names::Weight;
use ripcord::pipeline::{Run, Turn, Waivable, Waiver};
use ripcord::plan::Step;
use ripcord::preflight::{
    Answers, Check, Conclusion, Facts, GuardState, Outcome, PreflightRequest, Standing, Subject,
    TrafficHistory, Unseen, VersionState, decide_hook_before, decide_preflight, decide_verification,
    standing,
};
use ripcord::release::{Phase, Release};
use ripcord::signal::AlarmState;
use ripcord::situation::{ServiceRecord, Sighting, VersionFacts};
use ripcord::strategy::{Strategy, StrategyChoice};
use serde_json::json;

use crate::worlds::{World, at, canary, change, traffic, v};

mod answers;
mod dead_letters;
mod freezes;
mod guards;
mod rules;
mod schema;
mod target;
mod traffic_history;

/// Release 5 of version 2 over version 1, about to move to 10 % and then to 50 %, ten minutes each; and what is seen of it.
pub(crate) struct Case {
    pub(crate) record: ServiceRecord,
    pub(crate) facts: Facts,
}

impl Case {
    /// Everything is well.
    pub(crate) fn well() -> Self {
        let mut record = World::checkout().record;
        let choice = StrategyChoice {
            stages: Some("10,50".to_owned()),
            stage_duration: Some("10m".to_owned()),
            ..StrategyChoice::default()
        };
        let run = Run {
            execution: "arn:aws:states:eu-west-1:123456789012:execution:ripcord-progressive-release:e"
                .to_owned(),
            strategy: Strategy::resolve(&choice, &record.registration).unwrap(),
            reached: Vec::new(),
            awaiting: None,
            waiver: None,
            attestations: [].into(),
            timeout_seconds: 10,
        };
        record.release = Some(Release {
            changes: vec![change("api", 1, 2, 0.0)],
            traffic_at: None,
            run: Some(Box::new(run)),
            ..canary()
        });
        let world = World::checkout();
        let mut pin = world.live("api").clone();
        pin.alias = "live-last-known-good".parse().unwrap();
        let facts = Facts {
            live: Sighting::Alias(world.live("api").clone()),
            pin: Sighting::Alias(pin),
            stable: Ok(Some(version(1))),
            candidate: Ok(Some(version(2))),
            invocable: Ok(()),
            provisioned: vec![("live".to_owned(), Ok(None)), ("2".to_owned(), Ok(None))],
            guards: Ok(vec![guard("errors", AlarmState::Ok)]),
            history: Some(Ok(TrafficHistory {
                seen: Tally { bad: 144, requests: 1_440_000 },
                minutes: 1_440,
            })),
            dead_letters: Vec::new(),
            answers: Answers::default(),
        };
        Self { record, facts }
    }

    pub(crate) fn run(&mut self) -> &mut Run {
        self.record.release.as_mut().unwrap().run.as_mut().unwrap()
    }

    pub(crate) fn waive(&mut self, check: Waivable) {
        self.run().waiver = Some(Waiver {
            checks: vec![check],
            firing: Vec::new(),
            why: "this is the fix".to_owned(),
            by: "ada".to_owned(),
            until: at("14:00:00"),
        });
    }

    fn serve(&mut self, weights: &str) {
        let Sighting::Alias(live) = &mut self.facts.live else { panic!("the alias is seen") };
        live.traffic = traffic(weights);
    }

    fn with_subject<T>(&self, then: impl FnOnce(&Subject<'_>) -> T) -> T {
        match standing(&request("before"), &self.record) {
            Ok(Standing::Open(subject)) => then(&subject),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn before(&self, now: &str) -> Conclusion {
        self.with_subject(|subject| decide_preflight(subject, &self.facts, at(now)))
    }

    fn after(&self) -> Conclusion {
        self.with_subject(|subject| decide_verification(subject, &self.facts.answers, at("11:00:00")))
    }
}

fn request(when: &str) -> PreflightRequest {
    PreflightRequest::read(&json!({ "service": "checkout", "release": 5, "when": when })).unwrap()
}

pub(crate) fn version(number: u64) -> VersionState {
    VersionState {
        facts: VersionFacts {
            version: v(number),
            code_sha256: format!("sha-{number}"),
            state: Some("Active".to_owned()),
            role: Some("role".to_owned()),
            dead_letter: None,
            timeout_seconds: 10,
        },
        snapshot: None,
    }
}

pub(crate) fn guard(name: &str, state: AlarmState) -> GuardState {
    GuardState {
        name: name.to_owned(),
        arn: format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}"),
        state: Some(state),
        actions_enabled: true,
        suppressed_by: None,
    }
}

pub(crate) fn unseen<T>() -> Result<T, Unseen> {
    Err(Unseen::because("AccessDenied"))
}

#[track_caller]
pub(crate) fn found(conclusion: &Conclusion, name: &str) -> Check {
    let found: Vec<&Check> = conclusion.checks.iter().filter(|check| check.name == name).collect();
    let [check] = found.as_slice() else { panic!("{name}: {:?}", conclusion.checks) };
    (*check).clone()
}

/// The outcome and the words of one check after a change of a case in which everything is well.
#[track_caller]
pub(crate) fn check(alter: impl FnOnce(&mut Case), name: &str, outcome: Outcome, detail: &str) {
    let mut case = Case::well();
    alter(&mut case);
    let conclusion = case.before("10:00:10");
    let check = found(&conclusion, name);
    assert_eq!((check.outcome, check.detail.as_str()), (outcome, detail), "{name}");
    assert_eq!(conclusion.onward.is_err(), outcome == Outcome::Failed, "{:?}", conclusion.onward);
}

/// What fails, and is waived once that is allowed.
#[track_caller]
pub(crate) fn check_waivable(waivable: Waivable, alter: impl Fn(&mut Case), name: &str, detail: &str) {
    check(&alter, name, Outcome::Failed, detail);
    let waived = |case: &mut Case| {
        alter(case);
        case.waive(waivable);
    };
    // What the traffic is known from follows what is said of it.
    let (fails, known) = detail
        .split_once("; known")
        .map_or((detail, String::new()), |(fails, known)| (fails, format!("; known{known}")));
    check(waived, name, Outcome::Waived, &format!("{fails} (waived by ada: this is the fix){known}"));
}

#[test]
fn a_release_with_which_everything_is_well_may_move() {
    let conclusion = Case::well().before("10:00:10");
    let lines =
        conclusion.checks.iter().map(|check| format!("{:?} {}: {}", check.outcome, check.name, check.detail));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    let onward = conclusion.onward.unwrap();
    assert_eq!((onward.next, onward.stage), (Turn::Shift, 0));
    assert_eq!(onward.reason, "11 of 11 checks passed, 0 noted something, 0 were waived");
    let [row] = conclusion.steps.as_slice() else { panic!("{:?}", conclusion.steps) };
    let [Step::Note(finding)] = row.as_slice() else { panic!("{row:?}") };
    assert_eq!(finding.found, Found::Before(conclusion.checks));
    assert_eq!(finding.generation.0, 5);
}

#[test]
fn a_first_stage_that_needs_a_person_is_asked_for() {
    let mut case = Case::well();
    case.run().strategy.stages[0].approval = true;
    assert_eq!(case.before("10:00:10").onward.unwrap().next, Turn::Approve);
}

#[test]
fn every_failed_check_is_told_with_its_numbers_and_noted() {
    let mut case = Case::well();
    case.serve("1:90,2:10");
    case.facts.candidate = Ok(None);
    case.facts.guards = Ok(vec![guard("errors", AlarmState::Alarm)]);
    let conclusion = case.before("10:00:10");
    let failure = conclusion.onward.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::PreflightFailed);
    insta::assert_snapshot!(failure.message);
    assert!(matches!(conclusion.steps[0].as_slice(), [Step::Note(_)]), "{:?}", conclusion.steps);
}

#[test]
fn guards_that_fire_already_are_written_down_when_that_is_waived() {
    let mut case = Case::well();
    case.waive(Waivable::Alarms);
    case.facts.guards = Ok(vec![guard("errors", AlarmState::Alarm)]);
    let conclusion = case.before("10:00:10");
    let [Step::Note(_), Step::Write(write)] = conclusion.steps[0].as_slice() else {
        panic!("{:?}", conclusion.steps)
    };
    let release = write.release.as_ref().unwrap();
    assert_eq!(release.seq, 13);
    let run = release.run.as_ref().unwrap();
    assert!(run.fired_before("errors", at("10:30:00")));
    assert!(!run.fired_before("latency", at("10:30:00")));

    // What the ledger has already is not written again, and what has stopped firing is evidence again.
    case.record.release = Some(release.clone());
    assert_eq!(case.before("10:00:20").steps[0].len(), 1);
    case.facts.guards = Ok(vec![guard("errors", AlarmState::Ok)]);
    let conclusion = case.before("10:00:20");
    let [Step::Note(_), Step::Write(write)] = conclusion.steps[0].as_slice() else {
        panic!("{:?}", conclusion.steps)
    };
    assert!(!write.release.as_ref().unwrap().run.as_ref().unwrap().fired_before("errors", at("10:30:00")));
}

#[test]
fn nothing_is_written_down_as_waived_for_a_release_that_does_not_begin() {
    let mut case = Case::well();
    case.waive(Waivable::Alarms);
    case.facts.guards = Ok(vec![guard("errors", AlarmState::Alarm)]);
    case.facts.invocable = unseen();
    assert_eq!(case.before("10:00:10").steps[0].len(), 1);
}

#[test]
fn a_release_completes_once_the_service_answers() {
    let conclusion = Case::well().after();
    let onward = conclusion.onward.unwrap();
    assert_eq!((onward.next, onward.stage), (Turn::Shift, 3));
    assert_eq!(onward.reason, "nothing is registered that could be checked");
    let [Step::Note(finding)] = conclusion.steps[0].as_slice() else { panic!("{:?}", conclusion.steps) };
    assert_eq!(finding.found, Found::After(Vec::new()));
}

#[test]
fn a_release_does_not_complete_when_the_service_does_not_answer() {
    let mut case = Case::well();
    case.record.registration.preflight.smoke = Some(answers::smoke(&[]));
    case.facts.answers.smoke = Some(unseen());
    let failure = case.after().onward.unwrap_err();
    assert_eq!(failure.error_type, ErrorType::PreflightFailed);
    assert_eq!(
        failure.message,
        "1 of 1 checks failed: smoke: the answer of version 2 could not be seen: AccessDenied"
    );
}

#[track_caller]
fn not_open(alter: impl FnOnce(&mut Release), when: &str, expected: &str) {
    let mut case = Case::well();
    alter(case.record.release.as_mut().unwrap());
    let said = match standing(&request(when), &case.record) {
        Ok(Standing::Open(_)) => "open".to_owned(),
        Ok(Standing::Complete(onward)) => format!("{:?} {}: {}", onward.next, onward.stage, onward.reason),
        Err(refusal) => format!("{}: {refusal}", refusal.error_type()),
    };
    assert_eq!(said, expected);
}

#[test]
fn only_the_open_release_is_checked() {
    not_open(|_| {}, "before", "open");
    not_open(|_| {}, "after", "open");
    not_open(
        |release| release.generation = ripcord::names::Generation(6),
        "before",
        "ReleaseConflict: release 5 is not open: the latest is 6",
    );
    let ended = |phase| {
        move |release: &mut Release| {
            release.phase = phase;
            release.ended_because = Some("ada said so".to_owned());
        }
    };
    for (phase, expected) in [
        (Phase::Complete, "End 3: ada said so"),
        (Phase::RolledBack, "ReleaseClosed: release 5 is rolled back: ada said so"),
        (
            Phase::RollbackFailed,
            "ReleaseClosed: release 5 is not rolled back although it should be: ada said so",
        ),
        (Phase::Withdrawn, "ReleaseClosed: release 5 is withdrawn: ada said so"),
        (Phase::Held, "ServiceHeld: release 5 is held, and the service with it: ada said so"),
    ] {
        not_open(ended(phase), "before", expected);
        not_open(ended(phase), "after", expected);
    }
    not_open(
        |release| release.run = None,
        "before",
        "RequestInvalid: release 5 is driven by hand, not by a state machine",
    );
}

#[test]
fn a_late_check_before_traffic_that_has_moved_says_nothing() {
    let moved = |release: &mut Release| release.traffic_at = Some(at("10:00:05"));
    not_open(moved, "before", "ReleaseConflict: stage 1 of 3 is not next: release 5 has begun 0");
    not_open(moved, "after", "open");
}

#[test]
fn a_request_is_refused_by_its_field() {
    for (event, expected) in [
        (json!({ "service": "checkout", "release": 5 }), "missing field `when`"),
        (
            json!({ "service": "checkout", "release": 5, "when": "now" }),
            "when: unknown variant `now`, expected `before` or `after`",
        ),
        (json!({ "service": "check out", "release": 5, "when": "after" }), "service: the service name"),
        (
            json!({ "service": "checkout", "release": 5, "when": "after", "stage": 1 }),
            "stage: unknown field `stage`",
        ),
    ] {
        let refusal = PreflightRequest::read(&event).unwrap_err();
        assert_eq!(refusal.error_type(), ErrorType::RequestInvalid);
        assert!(refusal.to_string().contains(expected), "{refusal}");
    }
}

#[test]
fn before_a_shift_of_codedeploys_everything_is_checked_but_the_traffic_and_what_nobody_can_vouch_for() {
    let mut case = Case::well();
    case.record.registration.preflight.attestations = vec!["tests".to_owned()];
    let names = |checks: &[Check]| checks.iter().map(|check| check.name.clone()).collect::<Vec<_>>();
    let ours = names(&case.before("10:00:00").checks);
    case.facts.history = None;
    let checks = case.with_subject(|subject| decide_hook_before(subject, &case.facts, at("10:00:00")));
    let left_out = |name: &&String| ["traffic", "attestations"].contains(&name.as_str());
    assert_eq!(ours.iter().filter(left_out).count(), 2);
    assert_eq!(names(&checks), ours.iter().filter(|name| !left_out(name)).cloned().collect::<Vec<_>>());
    assert!(checks.iter().all(|check| check.outcome <= Outcome::Noted), "{checks:?}");
    // What was not asked for proves no stage.
    assert_eq!(found(&case.before("10:00:00"), "traffic").outcome, Outcome::Failed);
}

#[test]
fn to_the_judge_a_deployment_of_codedeploys_is_one_stage_with_all_traffic() {
    let mut registration = World::checkout().record.registration;
    registration.hooks.watch_minutes = 7;
    registration.limits.latency_ms_max = Some(200);
    let here = "arn:aws:codedeploy:eu-west-1:123456789012:application:checkout";
    let run = Run::of_hook(&registration, here.to_owned(), Some(at("10:00:00")), 10);
    let (index, stage, reached) = run.stage().unwrap();
    assert_eq!((index, stage.weight, stage.bake_minutes, reached.at), (0, Weight::ALL, 7, at("10:00:00")));
    assert_eq!((stage.limits.error_rate_max, stage.limits.latency_ms_max), (Some(0.05), Some(200)));
    assert_eq!(run.strategy.watched_minutes_max(stage), 7);
    assert!(Run::of_hook(&registration, here.to_owned(), None, 10).stage().is_none());
}
