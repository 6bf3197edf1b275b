//! The alarm evaluator: CloudWatch alarms as CloudWatch judges them, because ministack's read neither dimensions nor
//! missing data nor metric math. The board holds alarms and their states; judging (`evaluate`, `composite`) is pure,
//! and actions (`dispatch`) fire on transitions only. A rehearsal's minute may last a second; see `period_scale`.

pub mod composite;
pub mod definition;
pub(crate) mod dispatch;
pub mod evaluate;
pub mod expression;
mod metric_data;
pub mod metrics;
pub(crate) mod operations;
pub(crate) mod payload;
mod reason;
mod wire;

use composite::AlarmRule;
use definition::{AlarmDefinition, AlarmKind, MetricAlarm};
use evaluate::{AlarmState, evaluate, period_ms};
use jiff::Timestamp;
use metrics::MetricStore;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The oldest changes go first past this many.
const CHANGES_MAX: usize = 10_000;

/// A state with its explanation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Explained {
    pub(crate) value: AlarmState,
    pub(crate) reason: String,
    pub(crate) reason_data: Option<Value>,
    pub(crate) since: Timestamp,
}

/// One alarm and how it stands.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    pub(crate) definition: AlarmDefinition,
    pub(crate) state: Explained,
    pub(crate) configured: Timestamp,
    /// A state set by hand lasts until the next evaluation, which CloudWatch makes once a period.
    hold_until_ms: i64,
    /// A composite alarm is judged when one of its alarms changed, or when it was put.
    due: bool,
}

/// An alarm went from one state to another.
#[derive(Debug, Clone)]
pub(crate) struct Transition {
    pub(crate) definition: Arc<AlarmDefinition>,
    pub(crate) arn: String,
    pub(crate) previous: Explained,
    pub(crate) current: Explained,
    pub(crate) configured: Timestamp,
}

/// An alarm's current state.
#[derive(Debug, Clone, Serialize)]
pub struct AlarmStatus {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its state.
    pub state: AlarmState,
    /// Why, as CloudWatch words it.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// A change of state, for timelines.
#[derive(Debug, Clone, Serialize)]
pub struct AlarmChange {
    /// The alarm.
    pub name: String,
    /// The state that it left.
    pub from: AlarmState,
    /// The state that it entered.
    pub to: AlarmState,
    /// Why, as CloudWatch words it.
    pub reason: String,
    /// When; the payloads carry the same instant.
    pub time: Timestamp,
}

/// All alarms of the local AWS.
#[derive(Debug)]
pub struct AlarmBoard {
    metrics: Arc<MetricStore>,
    account_id: String,
    region: String,
    period_scale: f64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    alarms: BTreeMap<String, Alarm>,
    changes: Vec<AlarmChange>,
    /// Transitions that no ticker has taken yet.
    fired: Vec<Transition>,
}

impl AlarmBoard {
    pub(crate) fn new(metrics: Arc<MetricStore>, account_id: &str, region: &str, period_scale: f64) -> Self {
        let (account_id, region) = (account_id.to_owned(), region.to_owned());
        Self { metrics, account_id, region, period_scale, inner: Mutex::default() }
    }

    /// Every alarm and its state, by name.
    #[must_use]
    pub fn states(&self) -> Vec<AlarmStatus> {
        self.lock().alarms.values().map(|alarm| self.status(alarm)).collect()
    }

    /// One alarm's state.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<AlarmStatus> {
        self.lock().alarms.get(name).map(|alarm| self.status(alarm))
    }

    /// Every change of state so far, oldest first.
    #[must_use]
    pub fn changes(&self) -> Vec<AlarmChange> {
        self.lock().changes.clone()
    }

    /// Sets a state by hand, as `SetAlarmState` does: actions fire, and the next evaluation may revert it.
    pub fn set_state(&self, name: &str, state: AlarmState, reason: &str) -> Result<(), UnknownAlarm> {
        self.set_state_with_data(name, state, reason, None)
    }

    /// Adds or replaces an alarm as a `PutMetricAlarm` document describes it; returns its ARN.
    pub fn put_metric_alarm(&self, document: &Value) -> Result<String, String> {
        AlarmDefinition::metric(document).map(|definition| self.put(definition))
    }

    pub(crate) fn set_state_with_data(
        &self,
        name: &str,
        state: AlarmState,
        reason: &str,
        reason_data: Option<Value>,
    ) -> Result<(), UnknownAlarm> {
        let now = Timestamp::now();
        let mut inner = self.lock();
        let alarm = inner.alarms.get_mut(name).ok_or_else(|| UnknownAlarm(name.to_owned()))?;
        if let AlarmKind::Metric(metric) = &alarm.definition.kind {
            let period_ms = period_ms(metric.period_s, self.period_scale);
            alarm.hold_until_ms = (now.as_millisecond().div_euclid(period_ms) + 1) * period_ms;
        }
        let next = Explained { value: state, reason: reason.to_owned(), reason_data, since: now };
        self.enter(&mut inner, name, next);
        Ok(())
    }

    /// Adds or replaces an alarm; a replaced one keeps its state, as in CloudWatch.
    pub(crate) fn put(&self, definition: AlarmDefinition) -> String {
        let arn = self.arn(&definition.name);
        let now = Timestamp::now();
        let mut inner = self.lock();
        let state = match inner.alarms.get(&definition.name) {
            Some(known) => known.state.clone(),
            None => Explained {
                value: AlarmState::InsufficientData,
                reason: "Unchecked: Initial alarm creation".to_owned(),
                reason_data: None,
                since: now,
            },
        };
        let name = definition.name.clone();
        inner.alarms.insert(name, Alarm { definition, state, configured: now, hold_until_ms: 0, due: true });
        arn
    }

    pub(crate) fn delete(&self, name: &str) -> bool {
        self.lock().alarms.remove(name).is_some()
    }

    pub(crate) fn alarms(&self) -> Vec<Alarm> {
        self.lock().alarms.values().cloned().collect()
    }

    pub(crate) fn set_actions_enabled(&self, name: &str, enabled: bool) {
        if let Some(alarm) = self.lock().alarms.get_mut(name) {
            alarm.definition.actions_enabled = enabled;
        }
    }

    pub(crate) fn arn(&self, name: &str) -> String {
        format!("arn:aws:cloudwatch:{}:{}:alarm:{name}", self.region, self.account_id)
    }

    pub(crate) fn metrics(&self) -> &MetricStore {
        &self.metrics
    }

    pub(crate) fn period_scale(&self) -> f64 {
        self.period_scale
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn account_id(&self) -> &str {
        &self.account_id
    }

    /// Judges every alarm at `now` and returns the transitions since the last call, those set by hand included.
    pub(crate) fn tick(&self, now: Timestamp) -> Vec<Transition> {
        let mut inner = self.lock();
        let names: Vec<String> = inner.alarms.keys().cloned().collect();
        for name in &names {
            let Some(alarm) = inner.alarms.get(name) else { continue };
            let AlarmKind::Metric(metric) = &alarm.definition.kind else { continue };
            if now.as_millisecond() < alarm.hold_until_ms {
                continue;
            }
            let metric = metric.clone();
            if let Some(next) = self.judged(&metric, alarm.state.value, now) {
                self.enter(&mut inner, name, next);
            }
        }
        // One composite may wait for another: at most one turn for each settles them all, unless they form a circle,
        // which then goes on at the next tick.
        for _ in 0..names.len() {
            let due = inner.alarms.iter().find(|(_, alarm)| alarm.due && !alarm.is_metric());
            let Some(name) = due.map(|(name, _)| name.clone()) else { break };
            self.judge_composite(&mut inner, &name, now);
        }
        std::mem::take(&mut inner.fired)
    }

    fn judged(&self, alarm: &MetricAlarm, from: AlarmState, now: Timestamp) -> Option<Explained> {
        let evaluation = evaluate(alarm, &self.metrics, now.as_millisecond(), self.period_scale);
        let value = evaluation.state.filter(|state| *state != from)?;
        let reason_data = match value {
            AlarmState::InsufficientData if evaluation.error.is_some() => None,
            AlarmState::InsufficientData | AlarmState::Ok | AlarmState::Alarm => {
                Some(reason::reason_data(alarm, &evaluation, now))
            }
        };
        let reason = reason::reason(alarm, &evaluation, from, value);
        Some(Explained { value, reason, reason_data, since: now })
    }

    fn judge_composite(&self, inner: &mut Inner, name: &str, now: Timestamp) {
        let Some(alarm) = inner.alarms.get_mut(name) else { return };
        alarm.due = false;
        let AlarmKind::Composite(_, rule) = &alarm.definition.kind else { return };
        let (rule, from) = (rule.clone(), alarm.state.value);
        let holds = rule.holds(&|name: &str| inner.alarms.get(name).map(|alarm| alarm.state.value));
        let value = if holds { AlarmState::Alarm } else { AlarmState::Ok };
        if value == from {
            return;
        }
        let next = self.composite_state(inner, &rule, value, now);
        self.enter(inner, name, next);
    }

    fn composite_state(
        &self,
        inner: &Inner,
        rule: &AlarmRule,
        value: AlarmState,
        now: Timestamp,
    ) -> Explained {
        let named = rule.alarms();
        let children = named.iter().filter_map(|name| Some((*name, inner.alarms.get(*name)?)));
        // CloudWatch names the alarm that changed last as the trigger.
        let trigger = children.max_by_key(|(_, alarm)| alarm.state.since);
        let Some((trigger, alarm)) = trigger else {
            let reason = format!("the alarm rule evaluates to {value} without any alarm");
            return Explained { value, reason, reason_data: None, since: now };
        };
        let arn = self.arn(trigger);
        let since = reason::alarm_time(alarm.state.since);
        let child = alarm.state.value;
        let reason = format!(
            "{arn} transitioned to {child} at {}",
            alarm.state.since.strftime("%A %d %B, %Y %H:%M:%S UTC"),
        );
        let data = json!({"triggeringAlarms": [{"arn": arn, "state": {"value": child, "timestamp": since}}]});
        Explained { value, reason, reason_data: Some(data), since: now }
    }

    fn enter(&self, inner: &mut Inner, name: &str, next: Explained) {
        let Some(alarm) = inner.alarms.get_mut(name) else { return };
        let previous = std::mem::replace(&mut alarm.state, next.clone());
        if previous.value == next.value {
            return;
        }
        let definition = Arc::new(alarm.definition.clone());
        let configured = alarm.configured;
        for other in inner.alarms.values_mut() {
            if let AlarmKind::Composite(_, rule) = &other.definition.kind
                && rule.alarms().contains(&name)
            {
                other.due = true;
            }
        }
        if inner.changes.len() == CHANGES_MAX {
            inner.changes.remove(0);
        }
        inner.changes.push(AlarmChange {
            name: name.to_owned(),
            from: previous.value,
            to: next.value,
            reason: next.reason.clone(),
            time: next.since,
        });
        let arn = self.arn(name);
        inner.fired.push(Transition { definition, arn, previous, current: next, configured });
    }

    fn status(&self, alarm: &Alarm) -> AlarmStatus {
        AlarmStatus {
            name: alarm.definition.name.clone(),
            arn: self.arn(&alarm.definition.name),
            state: alarm.state.value,
            reason: alarm.state.reason.clone(),
            since: alarm.state.since,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarm {
    fn is_metric(&self) -> bool {
        matches!(self.definition.kind, AlarmKind::Metric(_))
    }
}

/// There is no alarm of that name.
#[derive(Debug, thiserror::Error)]
#[error("failed to find an alarm named {0}")]
pub struct UnknownAlarm(pub String);

#[cfg(test)]
#[path = "alarms/board_tests.rs"]
mod tests;
