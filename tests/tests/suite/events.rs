//! Every event under `events/` goes through the parser that its function reads it with: what it is read as stands in one
//! table here, in full in a snapshot, and no file escapes either.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ripcord::hook::HookCall;
use ripcord::lifecycle::LifecycleEvent;
use ripcord::shift::{Ask, ShiftRequest};
use ripcord::signal::{AlarmState, Reading, Signal, read};
use ripcord::timeline::{Moment, Write, moments};
use serde_json::Value;

mod altered;

/// What each file is read as. One entry per record, with `; ` between them.
const CLASSES: &[(&str, &str)] = &[
    ("alarm/anomaly-detection.json", "checkout-errors-anomaly goes to ALARM"),
    ("alarm/composite-suppressed.json", "checkout-degraded goes to ALARM, suppressed by Alarm"),
    ("alarm/composite-with-suppressor.json", "checkout-degraded goes to ALARM"),
    ("alarm/composite-without-suppressor.json", "checkout-degraded goes to ALARM"),
    ("alarm/insufficient-data.json", "checkout-error-rate goes to INSUFFICIENT_DATA"),
    ("alarm/metric-math-latency.json", "checkout-latency goes to ALARM"),
    ("alarm/metric-math.json", "checkout-error-rate goes to ALARM"),
    ("alarm/metric.json", "checkout-errors goes to ALARM"),
    ("alarm/ok.json", "checkout-error-rate goes to OK"),
    ("alarm/period-of-a-day.json", "checkout-errors-daily goes to ALARM"),
    ("alarm/unread-fields-changed.json", "checkout-error-rate goes to ALARM"),
    ("alarm/without-reason-data.json", "checkout-error-rate goes to ALARM"),
    ("ecs/canary-step.json", "Forward at PRODUCTION_TRAFFIC_SHIFT at 10%"),
    ("ecs/flat-post-production-traffic-shift.json", "Forward at POST_PRODUCTION_TRAFFIC_SHIFT"),
    ("ecs/flat-post-scale-up.json", "Forward at POST_SCALE_UP"),
    ("ecs/flat-post-test-traffic-shift.json", "Forward at POST_TEST_TRAFFIC_SHIFT"),
    ("ecs/flat-pre-production-traffic-shift.json", "Forward at PRE_PRODUCTION_TRAFFIC_SHIFT at 0%"),
    ("ecs/flat-pre-scale-up.json", "Forward at PRE_SCALE_UP"),
    ("ecs/flat-production-traffic-shift.json", "Forward at PRODUCTION_TRAFFIC_SHIFT at 100%"),
    ("ecs/flat-reconcile-service.json", "Forward at RECONCILE_SERVICE at 100%"),
    ("ecs/flat-test-traffic-shift.json", "Forward at TEST_TRAFFIC_SHIFT at 100%"),
    ("ecs/post-production-traffic-shift.json", "Forward at POST_PRODUCTION_TRAFFIC_SHIFT"),
    ("ecs/post-scale-up.json", "Forward at POST_SCALE_UP"),
    ("ecs/post-test-traffic-shift.json", "Forward at POST_TEST_TRAFFIC_SHIFT"),
    ("ecs/pre-production-traffic-shift.json", "Forward at PRE_PRODUCTION_TRAFFIC_SHIFT at 0%"),
    ("ecs/pre-scale-up.json", "Forward at PRE_SCALE_UP"),
    ("ecs/production-traffic-shift.json", "Forward at PRODUCTION_TRAFFIC_SHIFT at 100%"),
    ("ecs/reconcile-service.json", "Forward at RECONCILE_SERVICE at 100%"),
    ("ecs/rollback-flat-production-traffic-shift.json", "Back at PRODUCTION_TRAFFIC_SHIFT at 0%"),
    ("ecs/rollback-production-traffic-shift.json", "Back at PRODUCTION_TRAFFIC_SHIFT at 0%"),
    ("ecs/rollback-test-traffic-shift.json", "Back at TEST_TRAFFIC_SHIFT at 0%"),
    ("ecs/test-traffic-shift.json", "Forward at TEST_TRAFFIC_SHIFT at 100%"),
    ("ecs/unclear-stage.json", "Unclear at POST_BAKE_TIME"),
    ("ecs/unclear-weights-of-another-type.json", "Unclear at TEST_TRAFFIC_SHIFT"),
    ("ecs/unclear-without-stage.json", "Unclear at a stage without a name at 100%"),
    ("ecs/unclear-without-target.json", "Unclear at PRODUCTION_TRAFFIC_SHIFT"),
    ("ecs/unclear-without-weights.json", "Unclear at PRODUCTION_TRAFFIC_SHIFT"),
    ("ecs/watch-goes-on.json", "Forward at POST_PRODUCTION_TRAFFIC_SHIFT"),
    ("ecs/without-service.json", "Forward at PRE_SCALE_UP"),
    (
        "eventbridge/appconfig-deployment-complete.json",
        "OnDeploymentComplete at appconfig:ba8toh7/pgil2o7/ga3tqep",
    ),
    (
        "eventbridge/appconfig-deployment-rolled-back.json",
        "OnDeploymentRolledBack at appconfig:ba8toh7/pgil2o7/ga3tqep",
    ),
    ("eventbridge/appconfig-deployment-start.json", "foreign"),
    ("eventbridge/composite-suppressed.json", "checkout-degraded goes to ALARM, suppressed by WaitPeriod"),
    ("eventbridge/composite.json", "checkout-degraded goes to ALARM"),
    ("eventbridge/configuration-change.json", "foreign"),
    ("eventbridge/codedeploy-failure.json", "deployment d-75I7MBT7C: FAILURE"),
    ("eventbridge/codedeploy-instance.json", "foreign"),
    ("eventbridge/codedeploy-start.json", "deployment d-75I7MBT7C: START"),
    ("eventbridge/codedeploy-stop.json", "deployment d-75I7MBT7C: STOP"),
    ("eventbridge/codedeploy-success.json", "deployment d-75I7MBT7C: SUCCESS"),
    ("eventbridge/ec2-state-change.json", "foreign"),
    ("eventbridge/ecs-deployment-completed.json", "SERVICE_DEPLOYMENT_COMPLETED at ecs:shop/checkout"),
    ("eventbridge/ecs-deployment-failed.json", "SERVICE_DEPLOYMENT_FAILED at ecs:shop/checkout"),
    ("eventbridge/ecs-deployment-in-progress.json", "foreign"),
    ("eventbridge/metric-math.json", "checkout-error-rate goes to ALARM"),
    ("eventbridge/metric.json", "checkout-errors goes to ALARM"),
    ("eventbridge/ok.json", "checkout-error-rate goes to OK"),
    ("eventbridge/stack-rollback-complete.json", "UPDATE_ROLLBACK_COMPLETE at stack:checkout"),
    ("eventbridge/stack-rollback-in-progress.json", "foreign"),
    ("hooks/after-traffic.json", "hook of deployment d-75I7MBT7C"),
    ("hooks/before-traffic.json", "hook of deployment d-75I7MBT7C"),
    ("hooks/unknown-fields.json", "hook of deployment d-75I7MBT7C"),
    ("hooks/unreadable-deployment-as-number.json", "refused: SignalUnreadable"),
    ("hooks/unreadable-deployment-with-arn.json", "refused: SignalUnreadable"),
    ("hooks/unreadable-execution-as-number.json", "refused: SignalUnreadable"),
    ("hooks/unreadable-execution-empty.json", "refused: SignalUnreadable"),
    ("hooks/unreadable-field-names-in-lower-case.json", "refused: SignalUnreadable"),
    ("hooks/unreadable-state-change.json", "refused: SignalUnreadable"),
    ("hooks/unreadable-without-deployment.json", "refused: SignalUnreadable"),
    ("hooks/unreadable-without-execution.json", "refused: SignalUnreadable"),
    ("flags/delete.json", "405 method_not_allowed"),
    ("flags/evaluate-as-form.json", "415 media_type_unsupported"),
    ("flags/evaluate-base64.json", "200 everything is inside the 100% of the rollout of new-search"),
    ("flags/evaluate-batch.json", "200"),
    ("flags/evaluate-nested-context.json", "400 context_invalid"),
    ("flags/evaluate-unknown-flag.json", "200 there is no flag of this name"),
    ("flags/evaluate.json", "200 everything is inside the 100% of the rollout of new-search"),
    ("flags/list.json", "200"),
    (
        "flags/validate-invalid.json",
        "FlagsInvalid: flags.new-search.rollout_percentage: percentage-range: 125 is not between 0 and 100",
    ),
    ("flags/validate.json", "valid, 1 flag(s)"),
    ("malformed/alarm-with-name-for-arn.json", "unreadable"),
    ("malformed/alarm-with-unknown-state.json", "unreadable"),
    ("malformed/alarm-with-unparsable-timestamp.json", "unreadable"),
    ("malformed/alarm-with-wrong-types.json", "unreadable"),
    ("malformed/alarm-without-arn.json", "unreadable"),
    ("malformed/alarm-without-state.json", "unreadable"),
    ("malformed/appconfig-without-number.json", "unreadable"),
    ("malformed/appconfig-without-profile.json", "unreadable"),
    ("malformed/array.json", "unreadable"),
    ("malformed/codedeploy-with-arn-for-deployment.json", "unreadable"),
    ("malformed/codedeploy-with-number-for-deployment.json", "unreadable"),
    ("malformed/codedeploy-with-unparsable-time.json", "unreadable"),
    ("malformed/codedeploy-without-deployment.json", "unreadable"),
    ("malformed/command-to-as-number.json", "unreadable"),
    ("malformed/command-to-latest.json", "unreadable"),
    ("malformed/command-unknown.json", "unreadable"),
    ("malformed/command-with-unparsable-time.json", "unreadable"),
    ("malformed/command-without-service.json", "unreadable"),
    ("malformed/deep-nesting.json", "checkout-error-rate goes to ALARM"),
    ("malformed/empty-object.json", "unreadable"),
    ("malformed/no-records.json", "unreadable"),
    ("malformed/null.json", "unreadable"),
    ("malformed/number.json", "unreadable"),
    ("malformed/record-of-unknown-form.json", "unreadable"),
    ("malformed/sns-alarm-without-arn.json", "unreadable"),
    ("malformed/string.json", "unreadable"),
    ("malformed/command-release-as-text.json", "unreadable"),
    ("operator/rollback-of-one-release.json", "rollback of checkout"),
    ("operator/rollback-bare.json", "rollback of checkout"),
    ("operator/rollback-to-version.json", "rollback of checkout to 3"),
    ("operator/rollback.json", "rollback of checkout"),
    ("shifter/explicit-weights-with-override.json", "weights 1:90,2:10"),
    ("shifter/explicit-weights.json", "weights 1:90,2:10"),
    ("shifter/promote-release.json", "release 4 to 100%"),
    ("shifter/promote-weights.json", "weights 2:100"),
    ("shifter/refused-both-forms.json", "refused: RequestInvalid"),
    ("shifter/refused-latest.json", "refused: RequestInvalid"),
    ("shifter/refused-no-weight.json", "refused: RequestInvalid"),
    ("shifter/refused-not-weights.json", "refused: RequestInvalid"),
    ("shifter/refused-percentage-above-hundred.json", "refused: RequestInvalid"),
    ("shifter/refused-primary-weighted.json", "refused: RequestInvalid"),
    ("shifter/refused-release-as-text.json", "refused: RequestInvalid"),
    ("shifter/refused-sum-below-hundred.json", "refused: RequestInvalid"),
    ("shifter/refused-three-versions.json", "refused: RequestInvalid"),
    ("shifter/refused-unknown-field.json", "refused: RequestInvalid"),
    ("shifter/refused-weight-above-one.json", "refused: RequestInvalid"),
    ("shifter/refused-weight-negative.json", "refused: RequestInvalid"),
    ("shifter/release-to-weight.json", "release 4 to 10%"),
    ("sns/composite.json", "checkout-degraded goes to ALARM"),
    ("sns/message-codedeploy-trigger.json", "deployment d-75I7MBT7C: FAILED"),
    ("sns/message-codedeploy-instance-trigger.json", "foreign"),
    ("sns/message-nested-too-deeply.json", "unreadable"),
    ("sns/message-not-json.json", "unreadable"),
    ("sns/metric-math.json", "checkout-error-rate goes to ALARM"),
    ("sns/metric.json", "checkout-errors goes to ALARM"),
    ("sns/ok.json", "checkout-error-rate goes to OK"),
    ("sns/one-readable-of-two.json", "unreadable; checkout-error-rate goes to ALARM"),
    ("sns/two-records.json", "checkout-error-rate goes to ALARM; checkout-degraded goes to ALARM"),
    ("sqs/body-not-json.json", "unreadable"),
    ("sqs/direct-alarm.json", "checkout-error-rate goes to ALARM"),
    ("sqs/eventbridge-alarm.json", "checkout-error-rate goes to ALARM"),
    ("sqs/failed-signal-redriven.json", "checkout-error-rate goes to ALARM"),
    ("sqs/eventbridge-codedeploy.json", "deployment d-75I7MBT7C: FAILURE"),
    ("sqs/operator-command.json", "rollback of checkout"),
    ("sqs/sns-one-record.json", "checkout-error-rate goes to ALARM"),
    ("sqs/sns-raw-delivery.json", "checkout-error-rate goes to ALARM"),
    (
        "sqs/sns-several-records.json",
        "checkout-error-rate goes to ALARM; checkout-degraded goes to ALARM; checkout-error-rate goes to OK",
    ),
    ("pipeline/task-caught-error.json", "checkout is given up by its execution"),
    ("pipeline/task-judged-bad.json", "checkout is given up by its execution"),
    ("pipeline/task-approval-timed-out.json", "checkout is given up by its execution"),
    ("pipeline/task-without-service.json", "foreign"),
    ("pipeline/task-without-execution-text.json", "unreadable"),
    ("pipeline/status-failed.json", "checkout is given up by its execution"),
    ("pipeline/status-timed-out.json", "checkout is given up by its execution"),
    ("pipeline/status-aborted.json", "checkout is given up by its execution"),
    ("pipeline/status-succeeded.json", "foreign"),
    ("pipeline/status-input-left-out.json", "foreign"),
    ("pipeline/status-of-another-machine.json", "foreign"),
    ("recorder/release-opened.json", "keeps opened, weights of release 4"),
    ("recorder/release-rolled-back.json", "keeps weights of release 4; keeps signalled, phase of release 4"),
    ("recorder/removed.json", "keeps nothing"),
    ("recorder/unreadable-record.json", "unreadable"),
    ("shifter/open.json", "release of version 7"),
    ("shifter/open-with-everything.json", "release of version 7"),
    ("shifter/to-stage.json", "release 4 to stage 2"),
    ("shifter/refused-open-latest.json", "refused: RequestInvalid"),
    ("shifter/refused-open-unknown-field.json", "refused: RequestInvalid"),
    ("shifter/refused-open-without-execution.json", "refused: RequestInvalid"),
    ("shifter/refused-stage-negative.json", "refused: RequestInvalid"),
    ("shifter/refused-stage-and-weight.json", "refused: RequestInvalid"),
    ("widget/describe.json", "draws what the widget is for"),
    ("widget/everything.json", "draws every service"),
    ("widget/refused-release.json", "says: release must be a number, like 4"),
    (
        "widget/refused-service.json",
        "says: service: the service name \"check out\" is not valid: it must be 1 to 64 letters, digits, '-', '_' or '.'",
    ),
    ("widget/service.json", "draws release 4 of checkout"),
];

#[test]
fn every_event_is_read_as_the_table_says_and_none_is_missing_from_it() {
    let read: BTreeMap<String, String> =
        files().into_iter().map(|(name, event)| (name.clone(), class(&name, &event))).collect();
    let expected: BTreeMap<String, String> =
        CLASSES.iter().map(|(name, class)| ((*name).to_owned(), (*class).to_owned())).collect();
    let differences: Vec<String> = read
        .keys()
        .chain(expected.keys())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .filter(|name| read.get(*name) != expected.get(*name))
        .map(|name| format!("{name}: read as {:?}, in the table as {:?}", read.get(name), expected.get(name)))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_event_is_described_to_its_readers() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let missing: Vec<String> =
        files().into_keys().filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "events/README.md lacks {missing:?}");
}

#[test]
fn every_event_is_read_in_full_as_its_snapshot_shows() {
    for (name, event) in files() {
        // What is read of them stands in the table of what they are answered.
        if ["ecs/", "flags/", "hooks/", "recorder/", "widget/"].iter().any(|folder| name.starts_with(folder))
        {
            continue;
        }
        let rendered = if name.starts_with("shifter/") {
            render_request(&event)
        } else {
            readings(&event).iter().map(render).collect::<Vec<_>>().join("\n")
        };
        let snapshot = name.trim_end_matches(".json").replace('/', "__");
        insta::with_settings!({ description => name, omit_expression => true }, {
            insta::assert_snapshot!(snapshot, rendered);
        });
    }
}

/// When the events are received: after all that they tell of.
pub(crate) fn received_at() -> Timestamp {
    "2026-03-02T10:16:00Z".parse().unwrap()
}

fn readings(event: &Value) -> Vec<Reading> {
    read(event, received_at())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

/// The events whose path begins like this, in order.
pub(crate) fn events_in(prefix: &str) -> Vec<(String, Value)> {
    files().into_iter().filter(|(name, _)| name.starts_with(prefix)).collect()
}

/// Every event by its path below the folder.
fn files() -> BTreeMap<String, Value> {
    let mut files = BTreeMap::new();
    for kind in
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for file in fs::read_dir(&kind).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&file).unwrap();
            let event = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            files.insert(name, event);
        }
    }
    files
}

fn class(name: &str, event: &Value) -> String {
    if name.starts_with("flags/") {
        return crate::flag_evaluator::taken(event);
    }
    if name.starts_with("widget/") {
        return match release_widget::Asked::read(event) {
            Ok(asked) => format!("draws {asked}"),
            Err(why) => format!("says: {why}"),
        };
    }
    if name.starts_with("recorder/") {
        return event["Records"].as_array().unwrap().iter().map(kept_of).collect::<Vec<_>>().join("; ");
    }
    if name.starts_with("ecs/") {
        let event = LifecycleEvent::read(event);
        return format!("{:?} at {}", event.direction(), event.step());
    }
    if name.starts_with("hooks/") {
        return match HookCall::read(event) {
            Ok(call) => format!("hook of deployment {}", call.deployment_id),
            Err(failure) => format!("refused: {}", failure.error_type),
        };
    }
    if name.starts_with("shifter/") {
        return match ShiftRequest::read(event) {
            Ok(ShiftRequest { ask: Ask::Stage { release, weight }, .. }) => {
                format!("release {release} to {weight}")
            }
            Ok(ShiftRequest { ask: Ask::Weights(list), .. }) => format!("weights {list}"),
            Ok(ShiftRequest { ask: Ask::Open { request, .. }, .. }) => {
                format!("release of version {}", request.version)
            }
            Ok(ShiftRequest { ask: Ask::Advance { release, stage, .. }, .. }) => {
                format!("release {release} to stage {}", stage + 1)
            }
            Err(refusal) => format!("refused: {}", refusal.error_type()),
        };
    }
    readings(event).iter().map(class_of).collect::<Vec<_>>().join("; ")
}

/// The moments that a write of the ledger tells of.
fn kept_of(record: &Value) -> String {
    match Write::read(record) {
        Err(_) => "unreadable".to_owned(),
        Ok(None) => "keeps nothing".to_owned(),
        Ok(Some(Write { before, after, at })) => {
            let kind = |moment: Moment| serde_json::json!(moment.what)["kind"].as_str().unwrap().to_owned();
            let kinds: Vec<String> = moments(before.as_ref(), &after, at).into_iter().map(kind).collect();
            format!("keeps {} of release {}", kinds.join(", "), after.generation)
        }
    }
}

fn class_of(reading: &Reading) -> String {
    match reading {
        Reading::Foreign(_) => "foreign".to_owned(),
        Reading::Unreadable(_) => "unreadable".to_owned(),
        Reading::Signal(signal) => match &**signal {
            Signal::Alarm(alarm) => {
                let suppressed = alarm.suppressed_by.as_ref().map(|by| format!(", suppressed by {by}"));
                let name = alarm.alarm.name();
                format!("{name} goes to {}{}", state(alarm.state), suppressed.unwrap_or_default())
            }
            Signal::Operator(command) => {
                let to = command.to.map(|to| format!(" to {to}")).unwrap_or_default();
                format!("rollback of {}{to}", command.service)
            }
            Signal::Pipeline(failure) => format!("{} is given up by its execution", failure.service),
            Signal::Deployment(change) => format!("deployment {}: {}", change.deployment, change.state),
            Signal::Arrival(arrival) => format!("{} at {}", arrival.what, arrival.place),
        },
    }
}

fn state(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Ok => "OK",
        AlarmState::Alarm => "ALARM",
        AlarmState::InsufficientData => "INSUFFICIENT_DATA",
    }
}

/// A reading with everything in it, a field per line.
fn render(reading: &Reading) -> String {
    match reading {
        Reading::Foreign(what) => format!("foreign: {what}"),
        Reading::Unreadable(why) => format!("unreadable: {why}"),
        Reading::Signal(signal) => match &**signal {
            Signal::Alarm(alarm) => {
                let data = alarm.data.as_ref().map_or("none".to_owned(), Value::to_string);
                let suppressed = alarm.suppressed_by.as_deref().unwrap_or("nothing");
                format!(
                    "alarm {}\n  state {} since {}\n  suppressed by {suppressed}\n  why {:?}\n  data {data}",
                    alarm.alarm,
                    state(alarm.state),
                    alarm.changed_at,
                    alarm.why,
                )
            }
            Signal::Operator(command) => format!(
                "rollback of {}\n  to {:?}\n  why {:?}\n  by {:?}\n  at {}",
                command.service,
                command.to.map(|to| to.to_string()),
                command.why,
                command.requested_by,
                command.requested_at,
            ),
            Signal::Pipeline(failure) => format!(
                "{} is given up\n  by {}\n  why {:?}\n  at {}",
                failure.service, failure.execution, failure.why, failure.raised_at,
            ),
            Signal::Deployment(change) => format!(
                "deployment {}\n  of {}/{}\n  is {}\n  at {}",
                change.deployment, change.application, change.group, change.state, change.raised_at,
            ),
            Signal::Arrival(arrival) => format!(
                "something ended\n  at {}\n  as {}{}\n  at {}",
                arrival.place,
                arrival.what,
                arrival
                    .taken_back
                    .as_ref()
                    .map_or(String::new(), |it| format!(" of deployment {}", it.deployment)),
                arrival.raised_at,
            ),
        },
    }
}

fn render_request(event: &Value) -> String {
    match ShiftRequest::read(event) {
        Ok(request) => format!("{request:#?}"),
        Err(refusal) => format!("{}: {refusal}", refusal.error_type()),
    }
}
