//! The tasks of the state machine are cut at every point between two calls, before and after the call takes effect, and
//! tried again as the state machine does: the end is always the one that a task without a cut has.

use std::time::Duration;

use ripcord::names::{Generation, Version};
use ripcord::release::{Phase, Release, Report};
use ripcord_rehearsal::alarms::evaluate::AlarmState;
use ripcord_rehearsal::checkout::SERVICE;
use ripcord_rehearsal::front::journal::{AliasRouting, JournalEntry};
use ripcord_rehearsal::runtime_api::InvocationOutcome;
use serde_json::{Value, json};

use crate::crashes::{CALLS_MAX, CUT_DEADLINE, cut_process};
use crate::driven::Driven;
use crate::operator_releases::traffic;
use crate::scene::{ANSWER_WAIT_MAX, alarm_now};

/// A release that is under way, whose next task the test delivers.
struct Begun<'driven> {
    driven: &'driven Driven,
    candidate: Version,
    execution: String,
    generation: Generation,
    /// What ends it, which is known by its time, and so is the same at every delivery.
    alarm: Value,
}

/// A task, and what comes before it.
struct Task {
    handler: &'static str,
    /// How many stages have begun; nothing if the release is not open yet.
    begun: Option<usize>,
    /// How many minutes ago the last of them has.
    aged_minutes: u32,
    /// The event of the nth try.
    event: fn(&Begun<'_>, u32) -> Value,
    /// How long a try may last.
    deadline: Duration,
    /// How many notices it publishes when nothing goes wrong.
    notices: usize,
    /// Fewer cuts than this, and the enumeration has missed some.
    cuts_min: u32,
}

/// A release of two stages, which nobody judges before the test is over. Alarms that fire before it are waived.
fn input(candidate: Version) -> Value {
    json!({
        "service": SERVICE,
        "version": candidate.to_string(),
        "requested_by": "ada",
        "progress": { "stages": "50", "stage_duration": "30m", "no_auto_promote": true },
        "waive": ["alarms"],
        "override": "it is the fix",
    })
}

fn open(begun: &Begun<'_>) -> Value {
    json!({ "open": input(begun.candidate), "execution": begun.execution })
}

fn stage(begun: &Begun<'_>, stage: usize) -> Value {
    json!({ "service": SERVICE, "release": begun.generation, "stage": stage, "approved_by": "grace" })
}

fn check(begun: &Begun<'_>, when: &str) -> Value {
    json!({ "service": SERVICE, "release": begun.generation, "when": when })
}

fn give_up(begun: &Begun<'_>) -> Value {
    json!({
        "execution": begun.execution,
        "input": input(begun.candidate),
        "failure": { "next": "roll_back", "reason": "errors" },
        "at": jiff::Timestamp::now(),
    })
}

impl<'driven> Begun<'driven> {
    /// Opens a release and takes it to its stages, as far as the task needs it.
    async fn before(driven: &'driven Driven, candidate: Version, task: &Task) -> Self {
        let generation = match driven.scene.stage.record().await.unwrap().unwrap().release {
            Some(release) => Generation(release.generation.0 + 1),
            None => Generation(1),
        };
        let execution = driven.idle_execution().await;
        let mut begun = Self { driven, candidate, execution, generation, alarm: Value::Null };
        driven.unpin().await;
        if let Some(stages) = task.begun {
            begun.tell_shifter(&open(&begun)).await;
            for number in 0..stages {
                begun.tell_shifter(&stage(&begun, number)).await;
            }
        }
        tokio::time::sleep(driven.scene.local.minute() * task.aged_minutes).await;
        driven.scene.local.journal().clear();
        begun.alarm = alarm_now();
        begun
    }

    async fn tell_shifter(&self, event: &Value) {
        let scene = &self.driven.scene;
        scene.stage.invoke(&scene.local, "alias-weight-shifter", event).await.unwrap().unwrap();
    }

    /// Tries a task until it answers, and people were told where they are to be. A lease of the try that was cut ends with
    /// that try's deadline.
    async fn finish(&self, task: &Task, event: impl Fn() -> Value, place: &str) -> Value {
        for _ in 0..60 {
            let mut process = self.driven.process(task.handler).await;
            let answered = process.invoke(event().to_string(), ANSWER_WAIT_MAX).await;
            let InvocationOutcome::Response(answer) = answered else { panic!("{place}: {answered:?}") };
            if !matches!(self.driven.scene.latest().await.report, Report::Leased { .. }) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{place}: nobody was told: {:?}", self.driven.scene.latest().await)
    }

    fn label(&self, version: &str) -> &'static str {
        match version {
            "1" => "stable",
            other if other == self.candidate.to_string() => "candidate",
            _ => "another version",
        }
    }

    fn serves(&self, routing: &AliasRouting) -> String {
        let primary = self.label(&routing.version);
        let others =
            routing.weights.iter().map(|(version, share)| format!(" and {share} {}", self.label(version)));
        format!("{primary}{}", others.collect::<String>())
    }

    /// Where everything stands: the record, the aliases, what was found, how often traffic changed, and where the answer
    /// sends the state machine.
    async fn end(&self, answer: &Value) -> String {
        let Driven { scene, .. } = self.driven;
        let record = scene.stage.record().await.unwrap().unwrap();
        let release = record.release.as_ref().unwrap();
        let good: Vec<&str> =
            record.known_good.iter().map(|good| self.label(&good.version.to_string())).collect();
        let findings = self.driven.findings().await;
        let findings: Vec<String> = findings.iter().map(|finding| finding.found.key()).collect();
        let changes = scene
            .traffic_changes()
            .into_iter()
            .filter(|call| call.resource.as_deref() == Some("checkout:live"));
        let taken_back =
            record.rollbacks.iter().filter(|rollback| rollback.generation == self.generation).count();
        let execution = scene.stage.execution(&scene.local, &self.execution).await.unwrap().status;
        let pinned = self.driven.pinned().await;
        let pinned = pinned.map_or("nothing", |version| self.label(&version));
        let onward = |field: &str| answer.pointer(&format!("/onward/{field}")).unwrap_or(&Value::Null);
        let found = if findings.is_empty() { "nothing".to_owned() } else { findings.join(", ") };
        [
            format!("release +{} is {}", release.generation.0 - (self.generation.0 - 1), run_of(release)),
            format!(
                "serves {}, pinned {pinned}, good {}",
                self.serves(&scene.routing().await),
                good.join(", ")
            ),
            format!("traffic changed {} times, {taken_back} taken back, found {found}", changes.count()),
            format!("execution {execution:?}, onward {} {}", onward("next"), onward("stage")),
        ]
        .join("\n")
    }

    /// Notices that went out, whether or not whoever published them heard of it.
    fn notices(&self) -> usize {
        let is_out =
            |call: &JournalEntry| call.operation == "Publish" && !call.faults.contains(&"crash_before");
        self.driven.scene.local.journal().matching(is_out).len()
    }

    /// Makes room for the next.
    async fn end_it(self) {
        let Driven { scene, .. } = self.driven;
        if matches!(scene.latest().await.phase, Phase::Shifting | Phase::Complete) {
            let command = json!({ "command": "rollback", "service": SERVICE, "reason": "the test goes on" });
            scene.stage.invoke(&scene.local, "alarm-rollback", &command).await.unwrap().unwrap();
        }
        // One that was ended with its release may not be stopped twice; one that its own release ended still waits.
        let _ = scene.stage.stop(&scene.local, &self.execution, "the test goes on").await;
        assert_eq!(scene.routing().await.version, "1");
    }
}

fn run_of(release: &Release) -> String {
    let run = release.run.as_ref().unwrap();
    let approved: Vec<&str> =
        run.reached.iter().map(|reached| reached.approved_by.as_deref().unwrap_or("nobody")).collect();
    let weights: Vec<String> = release
        .changes
        .iter()
        .map(|change| format!("{}{}", change.weight, if change.intent.is_some() { " intended" } else { "" }))
        .collect();
    let awaiting = run.awaiting.as_ref().map(|awaiting| format!(", asks {}", awaiting.token));
    let firing =
        run.waiver.as_ref().map(|waiver| waiver.firing.join(", ")).filter(|firing| !firing.is_empty());
    let firing = firing.map(|firing| format!(", {firing} fired before")).unwrap_or_default();
    let report = match release.report {
        Report::NotDue => "not due",
        Report::Leased { .. } => "leased",
        Report::Sent { .. } => "sent",
    };
    format!(
        "{}, stages by [{}], at {}{}{firing}, report {report}",
        release.phase,
        approved.join(", "),
        weights.join(", "),
        awaiting.unwrap_or_default()
    )
}

/// Cuts a task everywhere; every end must be the one that it has without a cut, which is returned.
async fn ends_alike(driven: &Driven, candidate: Version, task: Task) -> String {
    let begun = Begun::before(driven, candidate, &task).await;
    let answer = begun.finish(&task, || (task.event)(&begun, 1), "without a cut").await;
    let expected = begun.end(&answer).await;
    assert_eq!(begun.notices(), task.notices, "{expected}");
    begun.end_it().await;

    let mut cuts = 0;
    for is_effective in [false, true] {
        for call in 1..=CALLS_MAX {
            let begun = Begun::before(driven, candidate, &task).await;
            let first = (task.event)(&begun, 0);
            let process = driven.process(task.handler).await;
            if !cut_process(&driven.scene.local, process, &first, (call, is_effective), task.deadline).await {
                begun.end_it().await;
                break;
            }
            cuts += 1;
            let place =
                format!("{} cut {} call {call}", task.handler, if is_effective { "after" } else { "before" });
            let answer = begun.finish(&task, || (task.event)(&begun, 1), &place).await;
            assert_eq!(begun.end(&answer).await, expected, "{place}");
            let notices = begun.notices();
            assert!((task.notices..=2 * task.notices).contains(&notices), "{place}: {notices} notices");
            begun.end_it().await;
        }
    }
    assert!(cuts >= task.cuts_min, "{}: only {cuts} cuts were made", task.handler);
    expected
}

const SHIFT: Task = Task {
    handler: "alias-weight-shifter",
    begun: None,
    aged_minutes: 0,
    event: |begun, _| open(begun),
    deadline: ANSWER_WAIT_MAX,
    notices: 0,
    cuts_min: 0,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_cut_anywhere_ends_in_the_same_place() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let task = Task { notices: 1, cuts_min: 16, ..SHIFT };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is shifting, stages by [], at 0%, report not due
    serves stable, pinned stable, good stable
    traffic changed 0 times, 0 taken back, found nothing
    execution Running, onward null null
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_cut_anywhere_ends_in_the_same_place() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let task = Task { begun: Some(0), event: |begun, _| stage(begun, 0), cuts_min: 18, ..SHIFT };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is shifting, stages by [nobody], at 50%, report not due
    serves stable and 0.5 candidate, pinned stable, good stable
    traffic changed 1 times, 0 taken back, found nothing
    execution Running, onward "look" 0
    "#);
    let task = Task { begun: Some(1), event: |begun, _| stage(begun, 1), cuts_min: 18, ..SHIFT };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is shifting, stages by [nobody, grace], at 100%, report not due
    serves candidate, pinned stable, good stable
    traffic changed 1 times, 0 taken back, found nothing
    execution Running, onward "look" 1
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_cut_anywhere_ends_in_the_same_place() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let task = Task { begun: Some(2), event: |begun, _| stage(begun, 2), notices: 1, cuts_min: 16, ..SHIFT };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is complete, stages by [nobody, grace], at 100%, report not due
    serves candidate, pinned stable, good candidate
    traffic changed 0 times, 0 taken back, found nothing
    execution Running, onward "end" 2
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_looks_and_questions_cut_anywhere_end_in_the_same_place() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let preflight = Task { handler: "release-preflight", begun: Some(0), ..SHIFT };
    let task = Task { event: |begun, _| check(begun, "before"), cuts_min: 24, ..preflight };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is shifting, stages by [], at 0%, report not due
    serves stable, pinned stable, good stable
    traffic changed 0 times, 0 taken back, found before
    execution Running, onward "shift" 0
    "#);
    let preflight = Task { handler: "release-preflight", begun: Some(2), ..SHIFT };
    let task = Task { event: |begun, _| check(begun, "after"), cuts_min: 6, ..preflight };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is shifting, stages by [nobody, grace], at 100%, report not due
    serves candidate, pinned stable, good stable
    traffic changed 0 times, 0 taken back, found verify
    execution Running, onward "shift" 2
    "#);

    let validator = Task { handler: "stage-validator", begun: Some(1), ..SHIFT };
    let look = |begun: &Begun<'_>, _| json!({ "service": SERVICE, "release": begun.generation });
    // The first minute that can be asked for is complete by then.
    let task = Task { event: look, aged_minutes: 4, cuts_min: 12, ..validator };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is shifting, stages by [nobody], at 50%, report not due
    serves stable and 0.5 candidate, pinned stable, good stable
    traffic changed 0 times, 0 taken back, found stage-000
    execution Running, onward "look" 0
    "#);
    // Each try of a task that waits has a token of its own, and only the last one's answer is heard.
    let ask = |begun: &Begun<'_>, number| {
        let question =
            json!({ "token": format!("try-{number}"), "stage": 1, "why": "proved", "wait_seconds": 3_600 });
        json!({ "service": SERVICE, "release": begun.generation, "ask": question })
    };
    let validator = Task { handler: "stage-validator", begun: Some(1), ..SHIFT };
    let task = Task { event: ask, notices: 1, cuts_min: 6, ..validator };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is shifting, stages by [nobody], at 50%, asks try-1, report not due
    serves stable and 0.5 candidate, pinned stable, good stable
    traffic changed 0 times, 0 taken back, found nothing
    execution Running, onward "approve" 1
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_that_are_waived_are_noted_wherever_the_check_is_cut() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let _traffic = traffic(&driven, &[("1", 300)]);
    driven.until_alarm("checkout-error-rate", AlarmState::Alarm).await;
    driven.until_quiet().await;
    let preflight = Task { handler: "release-preflight", begun: Some(0), ..SHIFT };
    let task = Task { event: |begun, _| check(begun, "before"), cuts_min: 26, ..preflight };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is shifting, stages by [], at 0%, checkout-error-rate fired before, report not due
    serves stable, pinned stable, good stable
    traffic changed 0 times, 0 taken back, found before
    execution Running, onward "shift" 0
    "#);
}

const ROLLBACK: Task = Task { handler: "alarm-rollback", deadline: CUT_DEADLINE, notices: 1, ..SHIFT };

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_cut_anywhere_ends_in_the_same_place() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let task = Task { begun: Some(1), event: |begun, _| give_up(begun), cuts_min: 18, ..ROLLBACK };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is rolled back, stages by [nobody], at 50%, report sent
    serves stable, pinned stable, good stable
    traffic changed 1 times, 1 taken back, found nothing
    execution Running, onward null null
    "#);
    // It never had traffic: nothing is moved, and nothing is held against the version.
    let task = Task { begun: Some(0), event: |begun, _| give_up(begun), cuts_min: 10, ..ROLLBACK };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is withdrawn, stages by [], at 0%, report sent
    serves stable, pinned stable, good stable
    traffic changed 0 times, 0 taken back, found nothing
    execution Running, onward null null
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_on_a_driven_release_cut_anywhere_ends_in_the_same_place() {
    let driven = Driven::set().await;
    let candidate = driven.candidate().await;
    let task = Task { begun: Some(1), event: |begun, _| begun.alarm.clone(), cuts_min: 22, ..ROLLBACK };
    insta::assert_snapshot!(ends_alike(&driven, candidate, task).await, @r#"
    release +1 is rolled back, stages by [nobody], at 50%, report sent
    serves stable, pinned stable, good stable
    traffic changed 1 times, 1 taken back, found nothing
    execution Aborted, onward null null
    "#);
}
