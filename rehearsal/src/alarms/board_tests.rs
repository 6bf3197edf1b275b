//! How alarms on the board change, and what fires.

use super::*;
use definition::MetricId;

const START_MS: i64 = 1_700_000_040_000;

struct Scene {
    board: AlarmBoard,
    now_ms: i64,
}

impl Scene {
    fn new() -> Self {
        let metrics = Arc::new(MetricStore::default());
        let board = AlarmBoard::new(metrics, "123456789012", "us-east-1", 1.0);
        let put = json!({
            "AlarmName": "errors", "Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching", "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:page"],
        });
        board.put_metric_alarm(&put).unwrap();
        let rule = json!({"AlarmName": "any", "AlarmRule": "ALARM(errors)"});
        board.put(AlarmDefinition::composite(&rule).unwrap());
        Self { board, now_ms: START_MS }
    }

    /// A minute passes, with or without an error in it; the changes that it brought.
    fn minute(&mut self, error: bool) -> Vec<String> {
        if error {
            let time = Timestamp::from_millisecond(self.now_ms).unwrap();
            self.board.metrics.publish(&MetricId::new("N", "m", &[]), time, 1.0);
        }
        self.now_ms += 60_000;
        let now = Timestamp::from_millisecond(self.now_ms).unwrap();
        let fired = self.board.tick(now);
        fired.iter().map(|t| format!("{} {}", t.definition.name, t.current.value)).collect()
    }
}

#[test]
fn only_transitions_fire_and_an_alarm_returns_to_ok() {
    let mut scene = Scene::new();
    // Both leave INSUFFICIENT_DATA at their first judgement.
    assert_eq!(scene.minute(false), ["errors OK", "any OK"]);
    assert_eq!(scene.minute(true), ["errors ALARM", "any ALARM"]);
    assert!(scene.minute(true).is_empty());
    // The evaluation range still holds the last breaching datapoint for two more minutes.
    assert!(scene.minute(false).is_empty());
    assert!(scene.minute(false).is_empty());
    assert_eq!(scene.minute(false), ["errors OK", "any OK"]);
    assert_eq!(scene.board.changes().len(), 6);
}

#[test]
fn the_reason_names_datapoints_threshold_and_minimum() {
    let mut scene = Scene::new();
    scene.minute(false);
    scene.minute(true);
    let reason = scene.board.state("errors").unwrap().reason;
    assert_eq!(
        reason,
        "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (14/11/23 22:15:00)] was greater than or equal to \
         the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
    );
    let composite = scene.board.alarms().into_iter().find(|alarm| alarm.definition.name == "any").unwrap();
    let data = composite.state.reason_data.unwrap();
    assert_eq!(data["triggeringAlarms"][0]["state"]["value"], "ALARM");
}

#[test]
fn a_state_set_by_hand_fires_and_lasts_until_the_next_period() {
    let scene = Scene::new();
    let now = Timestamp::now();
    scene.board.tick(now);
    scene.board.set_state("errors", AlarmState::Alarm, "by hand").unwrap();
    let fired = scene.board.tick(Timestamp::now());
    assert_eq!(fired.len(), 2, "the alarm and the composite that watches it");
    let next_period = Timestamp::from_millisecond(Timestamp::now().as_millisecond() + 60_000).unwrap();
    assert_eq!(scene.board.tick(next_period).len(), 2, "both are back");
    assert!(scene.board.set_state("ghost", AlarmState::Alarm, "by hand").is_err());
}

#[test]
fn a_replaced_alarm_keeps_its_state() {
    let mut scene = Scene::new();
    scene.minute(true);
    let put = json!({
        "AlarmName": "errors", "Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    });
    scene.board.put_metric_alarm(&put).unwrap();
    assert_eq!(scene.board.state("errors").unwrap().state, AlarmState::Alarm);
}
