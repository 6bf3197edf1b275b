//! `ecs-lifecycle-hook` from the event to the answer: a whole deployment, call by call as ECS makes them, with what it looks
//! at, keeps and tells; and what it makes of a ledger and of work that fail.

use std::cell::Cell;
use std::time::Duration;

use aws_sdk_cloudwatch::Client as CloudWatch;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_smithy_mocks::{Rule, mock};
use ecs_lifecycle_hook::{Checker, Desk, answer, work};
use jiff::Timestamp;
use ripcord::aws::apart::{Fate, LastWords};
use ripcord::lifecycle::{HookAnswer, HookStatus};
use ripcord::pipeline::Tempo;
use ripcord::situation::ServiceRecord;
use serde_json::{Value, json};

use super::scene::{Scene, clock, deadline, holds, item, publishes, recorded, refusal, writes};
use crate::events::events_in;
use crate::lifecycle::Case;
use crate::worlds::{SERVICE, World, seconds};

const PLACE: &str = "place#ecs:shop/checkout";

/// Checkout, of whose ECS service everything but an address is registered: what is asked of the network is tried elsewhere.
fn registered() -> ServiceRecord {
    let mut record = World::checkout().record;
    record.registration = Case::well().registration;
    record.registration.dead_letter_queues.clear();
    record.registration.hooks.ecs_services[0].health = None;
    record.registration.hooks.watch_minutes = 2;
    record
}

fn placed(record: &ServiceRecord) -> Rule {
    let mapping = json!({ "service": SERVICE, "targets": record.registration.targets });
    holds(PLACE, vec![item(PLACE, format!("service#{SERVICE}"), &mapping)])
}

fn guards(state: StateValue) -> Rule {
    mock!(CloudWatch::describe_alarms).then_output(move || {
        let alarm = MetricAlarm::builder()
            .alarm_name("errors")
            .alarm_arn(super::scene::ALARM)
            .state_value(state.clone())
            .actions_enabled(true);
        DescribeAlarmsOutput::builder().metric_alarms(alarm.build()).build()
    })
}

thread_local! {
    /// How long after the first call it is: ECS calls again when it was told to.
    static LATER_SECONDS: Cell<i64> = const { Cell::new(0) };
}

fn ticking() -> Timestamp {
    clock() + seconds(LATER_SECONDS.get())
}

async fn answered(event: &Value, scene: &Scene) -> HookAnswer {
    let checker = &Checker { aws: scene.aws.clone(), clock: ticking, tempo: Tempo::REAL };
    let desk = Desk { clock: ticking, tempo: Tempo::REAL };
    answer(event, deadline(), desk, async |request, _| Ok(work(request, checker).await)).await
}

fn event(name: &str) -> Value {
    let (_, event) = events_in(&format!("ecs/{name}.json")).remove(0);
    event
}

/// Calls a hook until it has come to an end, as ECS does, and says what it was answered.
async fn driven(name: &str, scene: &Scene) -> Vec<HookAnswer> {
    const CALLS_MAX: usize = 50;
    LATER_SECONDS.set(0);
    let (mut event, mut answers) = (event(name), Vec::new());
    for _ in 0..CALLS_MAX {
        let answer = answered(&event, scene).await;
        answers.push(answer.clone());
        match answer.hook_status {
            HookStatus::Succeeded | HookStatus::Failed => return answers,
            HookStatus::InProgress => {
                event["hookDetails"] = json!(answer.hook_details);
                let delay = answer.call_back_delay.unwrap();
                LATER_SECONDS.set(LATER_SECONDS.get() + i64::from(delay));
            }
        }
    }
    panic!("it is asked for ever")
}

fn statuses(answers: &[HookAnswer]) -> Vec<HookStatus> {
    answers.iter().map(|answer| answer.hook_status).collect()
}

#[tokio::test(start_paused = true)]
async fn a_whole_deployment_goes_through() {
    use HookStatus::{InProgress, Succeeded};
    let record = registered();
    let rules = [placed(&record), recorded(&record), guards(StateValue::Ok), writes()];
    let scene = Scene::new(&rules.each_ref());
    for stage in ["pre-scale-up", "post-scale-up", "test-traffic-shift", "post-test-traffic-shift"] {
        assert_eq!(statuses(&driven(stage, &scene).await), [Succeeded], "{stage}");
    }
    for stage in ["pre-production-traffic-shift", "canary-step", "production-traffic-shift"] {
        assert_eq!(statuses(&driven(stage, &scene).await), [Succeeded], "{stage}");
    }
    let watch = driven("post-production-traffic-shift", &scene).await;
    assert_eq!(statuses(&watch), [InProgress, InProgress, InProgress, InProgress, Succeeded]);
    assert!(scene.published().is_empty(), "nobody needs to know");
    let findings = scene.written();
    assert_eq!(findings.len(), 8, "one for each stage that ended: {:?}", findings.keys());
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_refused_kept_and_told_when_a_guard_fires() {
    let record = registered();
    let rules = [placed(&record), recorded(&record), guards(StateValue::Alarm), writes(), publishes()];
    let scene = Scene::new(&rules.each_ref());
    let answers = driven("production-traffic-shift", &scene).await;
    assert_eq!(statuses(&answers), [HookStatus::Failed]);
    insta::assert_snapshot!(format!("{}\n\n{:#}", scene.calls(), scene.published()[0].2));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_and_what_needs_no_look_cost_no_call_at_all() {
    for (name, event) in events_in("ecs/") {
        if ["rollback-", "unclear-", "reconcile-"].iter().any(|kind| name.contains(kind)) {
            let scene = Scene::new(&[]);
            assert_eq!(answered(&event, &scene).await.hook_status, HookStatus::Succeeded, "{name}");
            assert_eq!(scene.calls(), "", "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_registered_means_no_and_people_are_told_under_the_name_that_ecs_has() {
    let (empty, told) = (holds(PLACE, Vec::new()), publishes());
    let scene = Scene::new(&[&empty, &told]);
    let answers = driven("pre-scale-up", &scene).await;
    assert_eq!(statuses(&answers), [HookStatus::Failed]);
    let (_, attributes, message) = scene.published().remove(0);
    assert_eq!(attributes["service"], "checkout");
    let description = message["content"]["description"].as_str().unwrap();
    assert!(description.contains("ripcord apply"), "{description}");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_throttles_is_asked_three_times_and_then_means_no() {
    let throttled = mock!(DynamoDb::query)
        .sequence()
        .http_status(400, Some(refusal("ThrottlingException")))
        .repeatedly()
        .build();
    let told = publishes();
    let scene = Scene::new(&[&throttled, &told]);
    let answers = driven("pre-scale-up", &scene).await;
    use HookStatus::{Failed, InProgress};
    assert_eq!(statuses(&answers), [InProgress, InProgress, Failed]);
    assert_eq!(
        scene.published().len(),
        1,
        "whose deployment it is, is not known, and people are told all the same"
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_that_does_not_get_through_changes_no_answer() {
    let record = registered();
    let unwritable = mock!(DynamoDb::transact_write_items)
        .sequence()
        .http_status(400, Some(refusal("AccessDeniedException")))
        .repeatedly()
        .build();
    let rules = [placed(&record), recorded(&record), guards(StateValue::Ok), unwritable];
    let scene = Scene::new(&rules.each_ref());
    assert_eq!(statuses(&driven("pre-scale-up", &scene).await), [HookStatus::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn work_that_fails_is_tried_again_and_then_means_no() {
    let fates = [
        Fate::NotStarted { why: "no memory".to_owned() },
        Fate::Died { how: "signal: 9 (SIGKILL)".to_owned(), last_words: LastWords::default() },
        Fate::Silent { patience: Duration::from_secs(1), last_words: LastWords::default() },
        Fate::Garbled { why: "no JSON".to_owned(), text: "?".to_owned() },
    ];
    for fate in fates {
        let desk = Desk { clock, tempo: Tempo::REAL };
        let mut event = event("pre-scale-up");
        let mut said = Vec::new();
        for _ in 0..3 {
            let fate = fate.clone();
            let answer = answer(&event, deadline(), desk, async |_, _| Err(fate.clone())).await;
            said.push(answer.hook_status);
            event["hookDetails"] = json!(answer.hook_details);
        }
        use HookStatus::{Failed, InProgress};
        assert_eq!(said, [InProgress, InProgress, Failed], "{fate}");
    }
}

#[tokio::test(start_paused = true)]
async fn work_is_never_waited_for_beyond_two_seconds_before_the_end() {
    // Two seconds for the answer, five for the report, and what ending a check may take.
    for (left, check, report) in [(30, 22_600, 5_000), (8, 600, 5_000), (6, 0, 3_600), (1, 0, 0), (-5, 0, 0)]
    {
        let given = std::sync::Mutex::new(Vec::new());
        let desk = Desk { clock, tempo: Tempo::REAL };
        let work = async |request, patience: Duration| {
            given.lock().unwrap().push(patience.as_millis());
            match request {
                ecs_lifecycle_hook::Request::Check { .. } => Ok(json!({
                    "answer": { "hookStatus": "SUCCEEDED" }, "why": "well", "checks": [],
                })),
                ecs_lifecycle_hook::Request::Report { .. } => Ok(Value::Null),
            }
        };
        answer(&event("pre-scale-up"), clock() + seconds(left), desk, work).await;
        assert_eq!(*given.lock().unwrap(), [check, report], "{left} s before the end");
    }
}
